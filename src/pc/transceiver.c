/* transceiver.c - what negotiation says of one transceiver, applied to its sender and receiver. */
#include "pc/pc_internal.h"

#include <stdlib.h>

static pc_media *media_make(pl_pc *pc)
{
    if (pc->media)
        return pc->media;
    pc_media *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    pl_cc_conf conf = { .max_bps = pc->conf.max_bitrate_bps ? pc->conf.max_bitrate_bps : 5000000 };
    pl_twcc_rx_init(&m->twcc_rx);
    pl_twcc_tx_init(&m->twcc_tx);
    m->max_bps = conf.max_bps;
    pl_cc_init(&m->cc, &conf, pc->now_us);
    pl_cc_share_init(&m->share);
    pl_pacer_init(&m->pacer, 1000000, pc->now_us);
    pl_pool_init(&m->packets, sizeof(pc_packet), PC_PACKETS_MAX);
    pc->media = m;
    return m;
}

pc_transceiver *pc_transceiver_of(pl_pc *pc, pl_jsep_transceiver *j)
{
    if (j->user)
        return j->user;
    pc_transceiver *t = pc->n_t < PL_TRANSCEIVERS_MAX ? calloc(1, sizeof *t) : NULL;
    if (!t) {
        pl_log_warn(&pc->log, "a transceiver cannot be kept: %s",
                    pc->n_t < PL_TRANSCEIVERS_MAX ? "out of memory" : "there are too many");
        return NULL;
    }
    t->index = pc->n_t;
    t->j = j;
    t->kind = (pl_media_type)j->kind;
    t->info.kind = t->kind;
    t->info.current_direction = PL_INACTIVE;
    t->info.direction = (pl_direction)j->direction;
    t->rtx_pt = -1;
    t->seq =
        (uint16_t)(pl_rand_u32(&pc->conf.rand) & 0x7fff); /* room before the first wrap (RFC 3711 3.3.1) */
    t->rtx.seq = (uint16_t)(pl_rand_u32(&pc->conf.rand) & 0x7fff);
    pl_rtp_history_init(&t->history);
    j->user = t;
    pc->t[pc->n_t++] = t;
    return t;
}

void pc_transceiver_free(pc_transceiver *t)
{
    if (!t)
        return;
    for (pc_stream *s = t->streams, *next; s; s = next) {
        next = s->next;
        pc_stream_free(s);
    }
    pl_rtp_history_clear(&t->history);
    free(t);
}

static unsigned set_exts(pl_rtp_ext_map *map, const uint8_t id[PL_DESC_EXT_KINDS])
{
    static const pl_rtp_ext_kind kind[PL_DESC_EXT_KINDS] = {
        [PL_DESC_EXT_MID] = PL_EXT_MID,           [PL_DESC_EXT_ABS_SEND_TIME] = PL_EXT_ABS_SEND_TIME,
        [PL_DESC_EXT_TRANSPORT_CC] = PL_EXT_TWCC, [PL_DESC_EXT_AUDIO_LEVEL] = PL_EXT_AUDIO_LEVEL,
        [PL_DESC_EXT_RID] = PL_EXT_RID,           [PL_DESC_EXT_RRID] = PL_EXT_REPAIRED_RID,
    };
    unsigned clashes = 0;
    for (int i = 0; i < PL_DESC_EXT_KINDS; i++) {
        if (id[i])
            clashes += pl_rtp_ext_map_set(map, kind[i], id[i]) != PL_OK; /* then the first one stands */
    }
    return clashes;
}

/* The codec to send with: the first that is no helper. */
static void apply_send(pl_pc *pc, pc_transceiver *t, const pl_jsep_media *m)
{
    pl_pc_media_info *info = &t->info;
    info->send_codec[0] = 0;
    t->rtx_pt = -1;
    for (size_t i = 0; i < m->n_send; i++) {
        const pl_negotiated_codec *c = &m->send_codec[i];
        if (pl_desc_codec_is_helper(c->codec))
            continue;
        (void)pl_str_copy(pl_str_of(c->codec->name), info->send_codec, sizeof info->send_codec);
        info->send_pt = c->pt;
        info->send_clock_hz = c->codec->clock_hz;
        info->send_channels = c->codec->channels;
        t->feedback = c->codec->feedback;
        t->rtx_pt = m->rtx_ssrc ? c->rtx_pt : -1;
        break;
    }
    if (t->ssrc != m->ssrc) {
        t->ssrc = m->ssrc;
        pl_rtp_sender_init(&t->sender, m->ssrc, info->send_clock_hz);
    }
    t->sender.clock_rate = info->send_clock_hz;
    t->rtx.ssrc = m->rtx_ssrc;
    t->rtx.pt = (uint8_t)(t->rtx_pt >= 0 ? t->rtx_pt : 0);
    t->send_ext = (pl_rtp_ext_map){ 0 };
    pc->count.ext_clash += set_exts(&t->send_ext, m->send_ext);
    if (!(t->feedback & PL_FB_TRANSPORT_CC))
        t->send_ext.id[PL_EXT_TWCC] = 0;
    else if (pl_rtp_ext_map_has(&t->send_ext, PL_EXT_TWCC))
        pc->media->send_twcc = true;
}

static void apply_recv(pl_pc *pc, pc_transceiver *t, const pl_jsep_media *m)
{
    pl_pc_media_info *info = &t->info;
    info->n_recv = 0;
    for (int i = 0; i < 128; i++)
        t->recv_rtx_of[i] = -1;
    memset(t->recv_clock_khz, 0, sizeof t->recv_clock_khz);
    t->recv_nack = t->recv_fir = false;
    for (size_t i = 0; i < m->n_recv; i++) {
        const pl_negotiated_codec *c = &m->recv_codec[i];
        t->recv_clock_khz[c->pt & 127] = (uint8_t)(c->codec->clock_hz / 1000);
        if (c->rtx_pt >= 0)
            t->recv_rtx_of[c->rtx_pt & 127] = c->pt;
        if (pl_desc_codec_is_helper(c->codec) || info->n_recv == PC_RECV_CODECS_MAX)
            continue;
        if (c->codec->feedback & PL_FB_NACK)
            t->recv_nack = true;
        t->recv_fir = (c->codec->feedback & (PL_FB_NACK_PLI | PL_FB_CCM_FIR)) == PL_FB_CCM_FIR;
        info->recv[info->n_recv].pt = c->pt;
        info->recv[info->n_recv].clock_hz = c->codec->clock_hz;
        info->recv[info->n_recv].channels = c->codec->channels;
        (void)pl_str_copy(pl_str_of(c->codec->name), info->recv[info->n_recv].name,
                          sizeof info->recv[info->n_recv].name);
        info->n_recv++;
    }
    pc->count.ext_clash += set_exts(&pc->media->recv_ext, m->recv_ext);
}

static void refresh(pl_pc *pc, pc_transceiver *t, bool send, bool receive)
{
    bool up = !pc->closed && pc->srtp_out;
    t->info.sending = up && send && t->info.send_codec[0];
    t->info.receiving = up && receive;
    pc->media_version++;
    if (pc->media)
        pc_media_limit(pc);
}

void pc_transceiver_apply(pl_pc *pc, pc_transceiver *t)
{
    pl_jsep_media m;
    pl_pc_media_info *info = &t->info;
    if (!t->j) {
        info->direction = info->current_direction = PL_STOPPED;
        refresh(pc, t, false, false);
        return;
    }
    info->direction = (pl_direction)t->j->direction;
    info->current_direction = t->j->has_current ? (pl_direction)t->j->current : PL_INACTIVE;
    (void)pl_str_copy(pl_str_of(t->j->mid), info->mid, sizeof info->mid);
    if (!pl_jsep_negotiated(pc->jsep, t->j, &m)) {
        refresh(pc, t, false, false);
        return;
    }
    if (!media_make(pc)) {
        pc_fail(pc, "no memory for media");
        return;
    }
    (void)pl_str_copy(pl_str_of(m.cname), pc->media->cname, sizeof pc->media->cname);
    pc->media->rsize = m.rtcp_rsize;
    t->limit_bps = m.bandwidth_bps;
    apply_send(pc, t, &m);
    apply_recv(pc, t, &m);
    refresh(pc, t, m.send, m.receive);
}

void pc_media_refresh(pl_pc *pc)
{
    for (int i = 0; i < pc->n_t; i++) {
        pc_transceiver *t = pc->t[i];
        if (t->j && !pc->closed) {
            pc_transceiver_apply(pc, t);
        } else {
            refresh(pc, t, false, false);
        }
    }
}

void pl_pc_media_info_get(const pl_pc *pc, int index, pl_pc_media_info *out)
{
    *out = pc->t[index]->info;
    if (pc->t[index]->j)
        out->direction = (pl_direction)pc->t[index]->j->direction;
}

size_t pl_pc_remote_streams(const pl_pc *pc, int index, const char **stream_ids, size_t max,
                            const char **track_id)
{
    const pc_transceiver *t = pc->t[index];
    *track_id = NULL;
    return t->j ? pl_jsep_remote_streams(pc->jsep, t->j, stream_ids, max, track_id) : 0;
}

uint32_t pl_pc_media_version(const pl_pc *pc)
{
    return pc->media_version;
}

void pl_pc_attach_media(pl_pc *pc, int index, const pl_pc_rings *rings)
{
    pc->t[index]->rings = rings ? *rings : (pl_pc_rings){ 0 };
    pc->t[index]->rate_told_bps = 0;
    if (pc->media)
        pc_media_target(pc);
}

uint64_t pl_pc_take_posted(pl_pc *pc)
{
    uint64_t posted = pc->posted;
    pc->posted = 0;
    return posted;
}
