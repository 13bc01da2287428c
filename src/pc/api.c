/* api.c - the life of a connection, and its transceivers and channels as the owner sees them. */
#include "pc/pc_internal.h"

#include <assert.h>
#include <stdlib.h>

enum {
    MESSAGE_DEFAULT = 256 * 1024,
    WINDOW_DEFAULT = 2 << 20, /* SCTP's own first window, and its last */
    WINDOW_MAX = 16 << 20
};

static pl_err make_jsep(pl_pc *pc)
{
    char hex[PL_FINGERPRINT_TEXT_MAX];
    const pl_fingerprint *own = pl_cert_fingerprint(pl_dtls_ctx_cert(pc->conf.dtls_ctx));
    pl_desc_fingerprint fp = { .hash = pl_hash_alg_str(own->alg), .value = pl_fingerprint_hex(own, hex) };
    pl_jsep_conf conf = {
        .rand = pc->conf.rand,
        .kind = { pc_kind_conf[0], pc_kind_conf[1] },
        .fingerprints = &fp,
        .n_fingerprints = 1,
        .setup = pc->conf.setup,
        .max_message_size = pc->conf.max_message_size,
        .ice_lite = pc->conf.ice_lite,
        .mid_prefix = pc->conf.mid_prefix,
    };
    return pl_jsep_new(&pc->jsep, &conf);
}

pl_err pl_pc_new(pl_pc **out, const pl_pc_conf *conf, int64_t now_us)
{
    *out = NULL;
    pl_pc *pc = calloc(1, sizeof *pc);
    if (!pc)
        return PL_ENOMEM;
    pc->conf = *conf;
    pc->conf.dtls_ctx = pl_dtls_ctx_ref(conf->dtls_ctx);
    if (!pc->conf.max_message_size)
        pc->conf.max_message_size = MESSAGE_DEFAULT;
    pc->now_us = pc->start_us = now_us;
    pc->times = (pl_setup_times){ -1, -1, -1, -1, -1, -1 };
    pl_log_name(&pc->log, "pc", conf->log_id);
    pl_list_init(&pc->notes);
    pl_err err = make_jsep(pc);
    if (err) {
        pl_pc_free(pc);
        return err;
    }
    *out = pc;
    return PL_OK;
}

void pl_pc_free(pl_pc *pc)
{
    if (!pc)
        return;
    for (pl_node *n; (n = pl_list_pop_front(&pc->notes));)
        free(pl_of(n, pc_note, node));
    pc_media_drop_queue(pc);
    for (int i = 0; i < pc->n_t; i++)
        pc_transceiver_free(pc->t[i]);
    if (pc->media) {
        pl_twcc_rx_clear(&pc->media->twcc_rx);
        pl_twcc_tx_clear(&pc->media->twcc_tx);
        pl_pool_clear(&pc->media->packets);
        free(pc->media);
    }
    free(pc->waiting);
    pl_data_free(pc->data);
    pl_srtp_free(pc->srtp_in);
    pl_srtp_free(pc->srtp_out);
    pl_dtls_free(pc->dtls);
    pl_ice_free(pc->ice);
    pl_jsep_free(pc->jsep);
    pl_dtls_ctx_free(pc->conf.dtls_ctx);
    free(pc);
}

/* The words of parting are made by pl_pc_poll_output, which goes on until they are out. */
void pl_pc_close(pl_pc *pc, int64_t now_us)
{
    pc->now_us = now_us;
    if (pc->closed)
        return;
    if (pc->media && pc->srtp_out)
        pc->media->bye_wanted = true;
    if (pc->data)
        pl_data_close(pc->data, now_us);
    pc->closed = true;
    /* W3C 4.4.1 close(): the states change without events. */
    pc->told_signaling = PL_SIGNALING_CLOSED;
    pc->told_ice = PL_ICE_CONNECTION_CLOSED;
    pc->told_connection = PL_CONNECTION_CLOSED;
    pc->told_gathering = pc_gathering_now(pc);
    pl_jsep_close(pc->jsep);
    pc_media_refresh(pc);
    pl_log_debug(&pc->log, "closed");
}

/* ---- transceivers ---- */

pl_err pl_pc_add_transceiver(pl_pc *pc, int64_t now_us, pl_media_type kind, bool add_track,
                             const pl_transceiver_init *init, int *index)
{
    pl_jsep_track track = { 0 };
    pl_jsep_transceiver *j;
    pc->now_us = now_us;
    pc->error[0] = 0;
    if (pc->closed)
        return pc_error(pc, PL_ESTATE, "the connection is closed");
    if (pc->n_t == PL_TRANSCEIVERS_MAX)
        return pc_error(pc, PL_ENOSPC, "a connection has at most %d transceivers", PL_TRANSCEIVERS_MAX);
    if (init && init->stream_id) {
        track.stream_id[0] = init->stream_id;
        track.n_streams = 1;
    }
    pl_err err =
        add_track ? pl_jsep_add_track(pc->jsep, kind, &track, &j)
                  : pl_jsep_add_transceiver(pc->jsep, kind, init ? init->direction : PL_SENDRECV, &track, &j);
    if (err)
        return pc_error(pc, err, "%s", pl_jsep_error(pc->jsep));
    pc_transceiver *t = pc_transceiver_of(pc, j);
    if (!t)
        return pc_error(pc, PL_ENOMEM, "out of memory");
    if (init && init->preferred_codec)
        err = pl_jsep_set_codec_preferences(pc->jsep, j, &init->preferred_codec, 1);
    if (err)
        return pc_error(pc, err, "there is no codec \"%s\"", init->preferred_codec);
    *index = t->index;
    pc_apply_jsep(pc);
    return PL_OK;
}

int pl_pc_n_transceivers(const pl_pc *pc)
{
    return pc->n_t;
}

pl_err pl_pc_set_direction(pl_pc *pc, int64_t now_us, int index, pl_direction d)
{
    assert(index >= 0 && index < pc->n_t);
    pc->now_us = now_us;
    pc_transceiver *t = pc->t[index];
    if (pc->closed || !t->j)
        return pc_error(pc, PL_ESTATE, "the transceiver is stopped");
    pl_err err = pl_jsep_set_direction(pc->jsep, t->j, d);
    if (err)
        return pc_error(pc, err, "%s", pl_jsep_error(pc->jsep));
    pc_apply_jsep(pc);
    return PL_OK;
}

pl_err pl_pc_stop_transceiver(pl_pc *pc, int64_t now_us, int index)
{
    assert(index >= 0 && index < pc->n_t);
    pc->now_us = now_us;
    pc_transceiver *t = pc->t[index];
    if (pc->closed || !t->j)
        return pc_error(pc, PL_ESTATE, "the transceiver is stopped");
    pl_err err = pl_jsep_stop(pc->jsep, t->j);
    if (!err)
        pc_apply_jsep(pc);
    return err;
}

/* ---- data ---- */

/* A message that is put together takes up the window until it is whole, and its buffer doubles as it grows. */
static void make_room_for_messages(pl_data_conf *conf, uint64_t max)
{
    conf->pieces = max == UINT64_MAX;
    conf->sctp.max_message_size = conf->pieces ? PL_PC_MESSAGE_MAX : (size_t)max;
    if (conf->pieces || 2 * max <= WINDOW_DEFAULT)
        return;
    conf->sctp.recv_buffer = 2 * (size_t)max;
    conf->sctp.recv_buffer_max = conf->sctp.recv_buffer > WINDOW_MAX ? conf->sctp.recv_buffer : WINDOW_MAX;
}

pl_err pc_data_make(pl_pc *pc)
{
    if (pc->data)
        return PL_OK;
    pl_data_conf conf = {
        .sctp = { .rand = pc->conf.rand,
                  .log_id = pc->conf.log_id,
                  .mtu_max = PC_DATA_PACKET_MAX,
                  .congestion = pc->conf.data_congestion,
                  .send_buffer_max = pc->conf.data_send_buffer },
    };
    make_room_for_messages(&conf, pc->conf.max_message_size);
    pl_err err = pl_data_new(&pc->data, &conf, pc->now_us);
    if (!err && pc->has_role)
        pl_data_set_role(pc->data, pc->role == PL_DTLS_CLIENT);
    return err;
}

pl_err pl_pc_create_channel(pl_pc *pc, int64_t now_us, const char *label, size_t label_len,
                            const pl_data_channel_init *init, void *user, pl_channel **out)
{
    static const pl_data_channel_init plain;
    *out = NULL;
    pc->now_us = now_us;
    pc->error[0] = 0;
    if (pc->closed)
        return pc_error(pc, PL_ESTATE, "the connection is closed");
    pl_err err = pc_data_make(pc);
    if (!err)
        err = pl_channel_new(out, pc->data, now_us, label, label_len, init ? init : &plain, user);
    if (err)
        return pc_error(pc, err, "the channel cannot be made: %s", pl_err_str(err));
    pl_jsep_want_data(pc->jsep);
    pc_apply_jsep(pc);
    return PL_OK;
}

size_t pl_pc_max_message_size(const pl_pc *pc)
{
    return pc->data ? pl_data_max_message_size(pc->data) : PL_DATA_MESSAGE_DEFAULT;
}

/* ---- the driver's side ---- */

pl_ice *pl_pc_ice(pl_pc *pc)
{
    return pc->ice;
}

void pl_pc_ice_changed(pl_pc *pc, int64_t now_us)
{
    pc->now_us = now_us;
    pc_settle(pc);
}

void pl_pc_resolved(pl_pc *pc, int64_t now_us, const char *name, const pl_addr *addr)
{
    pc->now_us = now_us;
    if (pc->ice && !pc->closed)
        pl_ice_resolved(pc->ice, now_us, name, addr);
    pc_settle(pc);
}

void pl_pc_setup_times(const pl_pc *pc, pl_setup_times *out)
{
    *out = pc->times;
    for (int i = 0; i < pc->n_t; i++) {
        int64_t *at = pc->t[i]->kind == PL_AUDIO ? &out->first_audio_us : &out->first_video_us;
        int64_t first = pc->t[i]->recv_stats.first_frame_us;
        if (first && (*at < 0 || first - pc->start_us < *at))
            *at = first - pc->start_us;
    }
}

void pl_pc_check(const pl_pc *pc)
{
    assert(!pc->has_transport || (pc->ice && pc->dtls));
    assert(!pc->srtp_in == !pc->srtp_out || pc->failure[0]);
    assert(!pc->dtls_started || (pc->has_role && pc->dtls));
    pl_jsep_check(pc->jsep);
    if (pc->ice)
        pl_ice_check(pc->ice);
    if (pc->dtls)
        pl_dtls_check(pc->dtls);
    if (pc->data)
        pl_data_check(pc->data);
    if (pc->media) {
        pl_cc_check(&pc->media->cc);
        pl_pacer_check(&pc->media->pacer);
    }
}
