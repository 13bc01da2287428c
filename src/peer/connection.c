/* connection.c - the public PeerConnection: each call is carried to the network thread, done there on the
 * core, followed by a pump, and its result returned. */
#include "peer/peer_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void peer_ref(pl_peer_connection *p)
{
    atomic_fetch_add(&p->refs, 1);
}

void peer_unref(pl_peer_connection *p)
{
    if (atomic_fetch_sub(&p->refs, 1) != 1)
        return;
    for (int i = 0; i < PL_TRANSCEIVERS_MAX; i++)
        free(p->transceiver[i]);
    pl_mutex_clear(&p->lock);
    free(p);
}

/* ---- calls carried over ---- */

static void keep_error(pl_peer_connection *p)
{
    pl_mutex_lock(&p->lock);
    (void)pl_str_copy(pl_str_of(pl_pc_error_text(p->core)), p->error, sizeof p->error);
    pl_mutex_unlock(&p->lock);
}

static void run_call(void *arg)
{
    peer_call *c = arg;
    pl_peer_connection *p = c->p;
    if (!p->core) {
        c->err = PL_ESTATE;
        return;
    }
    p->in_call++;
    c->err = c->fn(c, p->core, pl_loop_now_us(p->factory->net));
    if (c->err)
        keep_error(p);
    peer_pump(p);
    p->in_call--;
}

pl_err peer_carry(peer_call *c)
{
    pl_err err = pl_loop_call(c->p->factory->net, run_call, c);
    return err ? err : c->err;
}

/* ---- making ---- */

static void on_timer(void *arg, int64_t now_us)
{
    pl_peer_connection *p = arg;
    if (!p->core)
        return;
    pl_pc_tick(p->core, now_us);
    peer_pump(p);
}

static void on_kick(void *arg)
{
    pl_peer_connection *p = arg;
    peer_send_queued(p);
    if (!p->core)
        return;
    pl_pc_pump_media(p->core, pl_loop_now_us(p->factory->net));
    peer_pump(p);
}

typedef struct make {
    pl_peer_connection *p;
    const pl_configuration *conf;
    pl_err err;
} make;

static pl_err make_io(pl_peer_connection *p, const pl_configuration *conf, uint32_t log_id)
{
    pl_ice_io_server server[PL_ICE_IO_SERVERS_MAX];
    pl_ice_io_conf io = { .servers = server, .log_id = log_id };
    peer_io_conf(p->factory, &io);
    if (conf && conf->n_ice_servers > PL_ICE_IO_SERVERS_MAX)
        return PL_EINVAL;
    for (size_t i = 0; conf && i < conf->n_ice_servers; i++) {
        const pl_ice_server *s = &conf->ice_servers[i];
        char error[PL_ICE_IO_ERROR_MAX];
        server[i] = (pl_ice_io_server){ s->url, s->username, s->credential };
        if (pl_ice_io_server_check(&server[i], error))
            pl_log_warn(&p->log, "%s", error); /* and pl_ice_io_new refuses it */
        io.n_servers++;
    }
    return pl_ice_io_new(&p->io, p->factory->hub, &io, &peer_io_events, p);
}

static_assert((int)PL_DATA_CONGESTION_BBR == PL_SCTP_CONGESTION_BBR &&
                  (int)PL_DATA_CONGESTION_LEDBAT == PL_SCTP_CONGESTION_LEDBAT,
              "the public names are in the association's order");

static pl_err make_pc(pl_peer_connection *p, const pl_configuration *conf, uint32_t log_id)
{
    int64_t now_us = pl_loop_now_us(p->factory->net);
    pl_pc_conf pc = { .dtls_ctx = p->factory->dtls_ctx,
                      .log_id = log_id,
                      .wall_offset_us = pl_wall_us() - now_us,
                      .ice_lite = p->factory->conf.ice_lite,
                      .ice_without = p->factory->conf.ice_without };
    if (conf) {
        pc.setup = conf->dtls_setup;
        pc.data_send_buffer = conf->data_send_buffer;
        pc.max_bitrate_bps = conf->max_bitrate_bps;
        pc.data_congestion = (pl_sctp_congestion)conf->data_congestion;
        pc.max_message_size = conf->max_message_size;
        p->any_size = conf->max_message_size == PL_MESSAGE_SIZE_ANY;
        pc.relay_only = conf->ice_transport_policy == PL_ICE_TRANSPORT_RELAY;
        pc.mid_prefix = conf->mid_prefix;
    }
    p->send_limit = pc.data_send_buffer ? pc.data_send_buffer : PL_DATA_SEND_MAX;
    atomic_store(&p->max_message, PL_DATA_MESSAGE_DEFAULT);
    return pl_pc_new(&p->core, &pc, now_us);
}

static void make_core(void *arg)
{
    make *m = arg;
    pl_peer_connection *p = m->p;
    uint32_t log_id = atomic_fetch_add(&p->factory->next_id, 1);
    pl_log_name(&p->log, "peer", log_id);
    uint64_t max = m->conf ? m->conf->max_message_size : 0;
    if ((max > PL_PC_MESSAGE_MAX && max != PL_MESSAGE_SIZE_ANY) ||
        (m->conf && (unsigned)m->conf->data_congestion > PL_DATA_CONGESTION_LEDBAT)) {
        m->err = PL_EINVAL;
        return;
    }
    m->err = make_io(p, m->conf, log_id);
    if (!m->err)
        m->err = make_pc(p, m->conf, log_id);
    if (m->err)
        pl_ice_io_free(p->io);
}

pl_err pl_peer_connection_new(pl_peer_connection **out, pl_factory *factory, const pl_configuration *conf,
                              const pl_peer_connection_observer *observer)
{
    *out = NULL;
    pl_peer_connection *p = calloc(1, sizeof *p);
    if (!p)
        return PL_ENOMEM;
    make m = { p, conf, PL_OK };
    p->factory = factory;
    atomic_init(&p->refs, 1);
    if (observer)
        p->observer = *observer;
    pl_mutex_init(&p->lock);
    pl_list_init(&p->notes);
    pl_list_init(&p->send_queue);
    pl_list_init(&p->channels);
    pl_list_init(&p->busy);
    pl_list_init(&p->feeding);
    pl_list_init(&p->tended);
    pl_list_init(&p->given_back);
    pl_list_init(&p->released);
    pl_list_init(&p->asked);
    p->timer = (pl_timer){ .fn = on_timer, .arg = p };
    p->kick.loop = factory->net;
    p->kick.fn = on_kick;
    p->kick.arg = p;
    p->bell.loop = factory->sig;
    p->bell.fn = peer_deliver;
    p->bell.arg = p;
    pl_err err = pl_loop_call(factory->net, make_core, &m);
    if (!err)
        err = m.err;
    if (err) {
        peer_unref(p);
        return err;
    }
    atomic_fetch_add(&factory->n_peers, 1);
    *out = p;
    return PL_OK;
}

typedef struct more_servers {
    const pl_ice_server *servers;
    size_t n;
} more_servers;

/* arg: more_servers */
static pl_err do_add_servers(peer_call *c, pl_pc *core, int64_t now_us)
{
    const more_servers *more = c->arg;
    pl_ice_io_server server[PL_ICE_IO_SERVERS_MAX];
    if (more->n > PL_ICE_IO_SERVERS_MAX)
        return PL_EINVAL;
    for (size_t i = 0; i < more->n; i++) {
        const pl_ice_server *s = &more->servers[i];
        server[i] = (pl_ice_io_server){ s->url, s->username, s->credential };
    }
    pl_err err = pl_ice_io_add_servers(c->p->io, server, more->n);
    pl_pc_ice_changed(core, now_us);
    return err;
}

pl_err pl_peer_connection_add_ice_servers(pl_peer_connection *p, const pl_ice_server *servers, size_t n)
{
    const more_servers more = { servers, n };
    peer_call c = { .p = p, .fn = do_add_servers, .arg = &more };
    return peer_carry(&c);
}

/* ---- ending ---- */

static pl_err do_close(peer_call *c, pl_pc *core, int64_t now_us)
{
    peer_send_queued(c->p);
    pl_pc_close(core, now_us);
    c->p->closing = true;
    return PL_OK;
}

void pl_peer_connection_close(pl_peer_connection *p)
{
    peer_call c = { .p = p, .fn = do_close };
    (void)peer_carry(&c);
}

static void do_mute(void *arg)
{
    pl_peer_connection *p = arg;
    p->muted = true;
    pl_wake_close(&p->bell);
}

/* Channels outlive the connection as closed ones; the core's references to them go with the core. */
static void let_channels_go(pl_peer_connection *p)
{
    for (;;) {
        pl_data_channel *c = NULL;
        pl_mutex_lock(&p->lock);
        PL_EACH (n, &p->channels) {
            pl_data_channel *one = pl_of(n, pl_data_channel, in_peer);
            if (one->core) {
                c = one;
                break;
            }
        }
        pl_mutex_unlock(&p->lock);
        if (!c)
            return;
        atomic_store(&c->state, PL_CHANNEL_CLOSED);
        peer_channel_over(c);
    }
}

/* From now on sends are refused; those that came before find closed channels. */
static void end_sending(pl_peer_connection *p)
{
    pl_mutex_lock(&p->lock);
    p->ended = true;
    pl_mutex_unlock(&p->lock);
    peer_send_queued(p);
    let_channels_go(p);
    PL_EACH (n, &p->feeding)
        (void)peer_drop_waiting(pl_of(n, pl_data_channel, in_feeding), false);
}

static void do_end(void *arg)
{
    pl_peer_connection *p = arg;
    if (!p->core)
        return;
    p->in_call++;
    pl_pc_close(p->core, pl_loop_now_us(p->factory->net));
    peer_send_all(p, pl_loop_now_us(p->factory->net)); /* not the pump: it may be what called us */
    pl_ice_io_free(p->io);
    p->io = NULL;
    pl_timer_cancel(p->factory->net, &p->timer);
    end_sending(p);
    pl_wake_close(&p->kick);
    pl_pc *core = p->core;
    p->core = NULL;
    pl_pc_free(core); /* what it had been lent comes back */
    peer_pass_on_given_back(p);
    p->in_call--;
}

void pl_peer_connection_free(pl_peer_connection *p)
{
    if (!p)
        return;
    pl_factory *f = p->factory;
    /* Until the core has ended the loop may ring the bell once more: it is taken down again after that. */
    if (pl_loop_call(f->sig, do_mute, p) || pl_loop_call(f->net, do_end, p) ||
        pl_loop_call(f->sig, do_mute, p))
        pl_log_warn(&p->log, "the loops do not answer");
    peer_drop_notes(p);
    peer_streams_forget(p);
    peer_releases(p);
    atomic_fetch_sub(&f->n_peers, 1);
    peer_unref(p);
}

/* ---- negotiation ---- */

static pl_err do_create_offer(peer_call *c, pl_pc *core, int64_t now_us)
{
    return pl_pc_create_offer(core, now_us, c->number != 0, c->out);
}

pl_err pl_peer_connection_create_offer(pl_peer_connection *p, const pl_offer_options *options, char **sdp)
{
    peer_call c = { .p = p, .fn = do_create_offer, .out = sdp, .number = options && options->ice_restart };
    *sdp = NULL;
    return peer_carry(&c);
}

static pl_err do_create_answer(peer_call *c, pl_pc *core, int64_t now_us)
{
    return pl_pc_create_answer(core, now_us, c->out);
}

pl_err pl_peer_connection_create_answer(pl_peer_connection *p, char **sdp)
{
    peer_call c = { .p = p, .fn = do_create_answer, .out = sdp };
    *sdp = NULL;
    return peer_carry(&c);
}

/* Which of the two descriptions settles what the peer takes depends on who offered. */
static void note_limits(pl_peer_connection *p, const pl_pc *core)
{
    atomic_store(&p->max_message, pl_pc_max_message_size(core));
}

static pl_err do_set_local(peer_call *c, pl_pc *core, int64_t now_us)
{
    pl_err err = pl_pc_set_local(core, now_us, c->type, c->in);
    note_limits(c->p, core);
    return err;
}

pl_err pl_peer_connection_set_local_description(pl_peer_connection *p, pl_sdp_type type, const char *sdp)
{
    peer_call c = { .p = p, .fn = do_set_local, .type = type, .in = sdp };
    return peer_carry(&c);
}

static pl_err do_set_remote(peer_call *c, pl_pc *core, int64_t now_us)
{
    pl_err err = pl_pc_set_remote(core, now_us, c->type, c->in);
    note_limits(c->p, core);
    return err;
}

pl_err pl_peer_connection_set_remote_description(pl_peer_connection *p, pl_sdp_type type, const char *sdp)
{
    peer_call c = { .p = p, .fn = do_set_remote, .type = type, .in = sdp };
    return peer_carry(&c);
}

void pl_peer_connection_error_text(pl_peer_connection *p, char *out, size_t cap)
{
    pl_mutex_lock(&p->lock);
    snprintf(out, cap, "%s", p->error);
    pl_mutex_unlock(&p->lock);
}

static pl_err do_local(peer_call *c, pl_pc *core, int64_t now_us)
{
    (void)now_us;
    return pl_pc_local_description(core, c->result, c->out);
}

pl_err pl_peer_connection_local_description(pl_peer_connection *p, pl_sdp_type *type, char **sdp)
{
    peer_call c = { .p = p, .fn = do_local, .result = type, .out = sdp };
    *sdp = NULL;
    return peer_carry(&c);
}

static pl_err do_remote(peer_call *c, pl_pc *core, int64_t now_us)
{
    (void)now_us;
    return pl_pc_remote_description(core, c->result, c->out);
}

pl_err pl_peer_connection_remote_description(pl_peer_connection *p, pl_sdp_type *type, char **sdp)
{
    peer_call c = { .p = p, .fn = do_remote, .result = type, .out = sdp };
    *sdp = NULL;
    return peer_carry(&c);
}

static pl_err do_candidate(peer_call *c, pl_pc *core, int64_t now_us)
{
    return pl_pc_add_candidate(core, now_us, c->arg);
}

pl_err pl_peer_connection_add_ice_candidate(pl_peer_connection *p, const pl_ice_candidate *candidate)
{
    peer_call c = { .p = p, .fn = do_candidate, .arg = candidate };
    return peer_carry(&c);
}

static pl_err do_restart(peer_call *c, pl_pc *core, int64_t now_us)
{
    (void)c;
    pl_pc_restart_ice(core, now_us);
    return PL_OK;
}

void pl_peer_connection_restart_ice(pl_peer_connection *p)
{
    peer_call c = { .p = p, .fn = do_restart };
    (void)peer_carry(&c);
}

/* ---- states ---- */

static pl_err do_states(peer_call *c, pl_pc *core, int64_t now_us)
{
    int *out = c->result;
    (void)now_us;
    out[0] = (int)pl_pc_signaling(core);
    out[1] = (int)pl_pc_gathering(core);
    out[2] = (int)pl_pc_ice_state(core);
    out[3] = (int)pl_pc_connection(core);
    return PL_OK;
}

static int state(pl_peer_connection *p, int which, int closed)
{
    int out[4];
    peer_call c = { .p = p, .fn = do_states, .result = out };
    return peer_carry(&c) ? closed : out[which];
}

pl_signaling_state pl_peer_connection_get_signaling_state(pl_peer_connection *p)
{
    return (pl_signaling_state)state(p, 0, PL_SIGNALING_CLOSED);
}

pl_ice_gathering_state pl_peer_connection_get_ice_gathering_state(pl_peer_connection *p)
{
    return (pl_ice_gathering_state)state(p, 1, PL_ICE_GATHERING_NEW);
}

pl_ice_connection_state pl_peer_connection_get_ice_connection_state(pl_peer_connection *p)
{
    return (pl_ice_connection_state)state(p, 2, PL_ICE_CONNECTION_CLOSED);
}

pl_peer_connection_state pl_peer_connection_get_connection_state(pl_peer_connection *p)
{
    return (pl_peer_connection_state)state(p, 3, PL_CONNECTION_CLOSED);
}

/* ---- channels ---- */

typedef struct channel_make {
    const char *label;
    const pl_data_channel_init *init;
    pl_data_channel *handle;
} channel_make;

static pl_err do_channel(peer_call *c, pl_pc *core, int64_t now_us)
{
    channel_make *m = c->result;
    peer_channel_ref(m->handle); /* the core's */
    pl_err err =
        pl_pc_create_channel(core, now_us, m->label, strlen(m->label), m->init, m->handle, &m->handle->core);
    if (err) {
        peer_channel_unref(m->handle);
        return err;
    }
    peer_channel_begin(m->handle);
    return PL_OK;
}

pl_err pl_peer_connection_create_data_channel(pl_peer_connection *p, const char *label,
                                              const pl_data_channel_init *init,
                                              const pl_data_channel_observer *observer, pl_data_channel **out)
{
    *out = NULL;
    channel_make m = { label, init, peer_channel_make(p, label, init, observer) };
    if (!m.handle)
        return PL_ENOMEM;
    peer_call c = { .p = p, .fn = do_channel, .result = &m };
    pl_err err = peer_carry(&c);
    if (err) {
        peer_channel_unref(m.handle);
        return err;
    }
    *out = m.handle;
    return PL_OK;
}
