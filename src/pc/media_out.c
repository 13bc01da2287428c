/* media_out.c - from the sending engine through the pacer to a protected RTP packet.
 *     ring > header and extensions > pacer (by urgency) > stamps > history > SRTP */
#include "pc/pc_internal.h"

#include <assert.h>

/* RFC 8837 table 1, "high"/"medium" for interactive media. */
enum { DSCP_AUDIO = 46, DSCP_VIDEO = 34, AUDIO_RATE_BPS = 50000, VIDEO_MIN_BPS = 50000 };

static pc_packet *new_packet(pl_pc *pc, pc_transceiver *t)
{
    pc_packet *p = pl_pool_get(&pc->media->packets);
    if (!p) {
        pc->count.outbox_bad++;
        return NULL;
    }
    p->paced = (pl_pacer_pkt){ 0 };
    p->t = t;
    p->is_rtx = p->is_protected = false;
    p->sample_us = pc->now_us;
    p->len = 0;
    return p;
}

static void push(pl_pc *pc, pc_packet *p, pl_pacer_class prio)
{
    if (pl_pacer_push(&pc->media->pacer, pc->now_us, &p->paced, prio, p->len)) {
        pc->count.outbox_bad++;
        pl_pool_put(&pc->media->packets, p);
    }
}

/* Ours ascend; a forwarded packet brings its number, and one that was late where it came from is late here, too. */
static uint16_t take_seq(pc_transceiver *t, const pl_media_packet *in, bool forwarded)
{
    uint16_t seq = forwarded ? (uint16_t)in->ext_seq : t->seq;
    if (!forwarded || (int16_t)(seq - t->seq) >= 0)
        t->seq = (uint16_t)(seq + 1);
    return seq;
}

static void send_payload(pl_pc *pc, pc_transceiver *t, const pl_media_packet *in, bool forwarded)
{
    if (in->len > (forwarded ? PL_MEDIA_FORWARD_MAX : PL_MEDIA_SEND_MAX)) {
        pc->count.outbox_bad++;
        return;
    }
    pc_packet *p = new_packet(pc, t);
    if (!p)
        return;
    pl_rtp_header h = { .ssrc = t->ssrc,
                        .rtp_ts = in->rtp_ts,
                        .seq = take_seq(t, in, forwarded),
                        .pt = in->pt,
                        .marker = in->marker };
    pl_rtp_ext ext = { .has = 1u << PL_EXT_MID | 1u << PL_EXT_ABS_SEND_TIME | 1u << PL_EXT_TWCC,
                       .mid = pl_str_of(t->info.mid) };
    if (in->audio_level < PL_AUDIO_LEVEL_NONE) {
        ext.has |= 1u << PL_EXT_AUDIO_LEVEL;
        ext.audio_level = in->audio_level;
        ext.voice = in->voice;
    }
    pl_wr w = pl_wr_init(p->data, sizeof p->data - PL_SRTP_TAILROOM);
    pl_rtp_write(&w, &h, NULL);
    pl_rtp_ext_write(&w, &t->send_ext, &ext, NULL);
    pl_wr_bytes(&w, in->payload, in->len);
    if (!pl_wr_ok(&w)) {
        pc->count.outbox_bad++;
        pl_pool_put(&pc->media->packets, p);
        return;
    }
    p->len = pl_wr_len(&w);
    if (in->arrival_us)
        p->sample_us = in->arrival_us;
    push(pc, p, t->kind == PL_AUDIO ? PL_PACE_AUDIO : PL_PACE_VIDEO);
}

static void want_key(pc_transceiver *t)
{
    for (pc_stream *s = t->streams; s; s = s->next) {
        if (!s->is_rtx)
            s->pli_wanted = true;
    }
}

/* PL_MEDIA_* that belong to the other direction are an engine's mistake: counted, not obeyed. */
static void pump_sender(pl_pc *pc, pc_transceiver *t)
{
    const pl_media_msg *msg;
    while (t->rings.send_out && (msg = pl_ring_peek(t->rings.send_out))) {
        if (msg->kind == PL_MEDIA_STATS)
            t->send_stats = msg->u.stats;
        else if (msg->kind != PL_MEDIA_PACKET && msg->kind != PL_MEDIA_FORWARD)
            pc->count.outbox_bad++;
        else if (t->info.sending && pc->media)
            send_payload(pc, t, &msg->u.packet, msg->kind == PL_MEDIA_FORWARD);
        pl_ring_drop(t->rings.send_out);
    }
}

static void pump_receiver(pl_pc *pc, pc_transceiver *t)
{
    const pl_media_msg *msg;
    while (t->rings.recv_out && (msg = pl_ring_peek(t->rings.recv_out))) {
        if (msg->kind == PL_MEDIA_STATS)
            t->recv_stats = msg->u.stats;
        else if (msg->kind == PL_MEDIA_WANT_KEY)
            want_key(t);
        else
            pc->count.outbox_bad++;
        pl_ring_drop(t->rings.recv_out);
    }
}

void pl_pc_pump_media(pl_pc *pc, int64_t now_us)
{
    pc->now_us = now_us;
    for (int i = 0; i < pc->n_t; i++) {
        pump_sender(pc, pc->t[i]);
        pump_receiver(pc, pc->t[i]);
    }
}

static pc_packet *make_rtx(pl_pc *pc, pc_transceiver *t, const uint8_t *pkt, size_t len)
{
    if (t->rtx_pt < 0)
        return NULL;
    pc_packet *p = new_packet(pc, t);
    if (!p)
        return NULL;
    if (pl_rtx_wrap(&t->rtx, &t->send_ext, pkt, len, p->data, sizeof p->data - PL_SRTP_TAILROOM, &p->len)) {
        pl_pool_put(&pc->media->packets, p);
        return NULL;
    }
    p->is_rtx = true;
    return p;
}

/* Without RTX the very same SRTP packet goes again: protecting it anew would use its index twice
 * (RFC 3711 3.3.1), so the history then holds protected packets. */
static pc_packet *repeat_protected(pl_pc *pc, pc_transceiver *t, const uint8_t *pkt, size_t len)
{
    pc_packet *p = len <= PC_PACKET_CAP ? new_packet(pc, t) : NULL;
    if (!p)
        return NULL;
    memcpy(p->data, pkt, len);
    p->len = len;
    p->is_protected = true;
    return p;
}

void pc_media_resend(pl_pc *pc, pc_transceiver *t, uint16_t seq)
{
    size_t len;
    const uint8_t *pkt = pl_rtp_history_resend(&t->history, pc->now_us, seq, &len);
    if (!pkt)
        return;
    pc_packet *p = t->rtx_pt >= 0 ? make_rtx(pc, t, pkt, len) : repeat_protected(pc, t, pkt, len);
    if (p)
        push(pc, p, PL_PACE_RETRANSMIT);
}

/* A probe wants more bytes than the encoders gave: an old packet goes again as RTX. */
static bool add_padding(pl_pc *pc)
{
    size_t want = pl_pacer_padding(&pc->media->pacer, pc->now_us);
    for (int i = 0; want && i < pc->n_t; i++) {
        pc_transceiver *t = pc->t[i];
        size_t len;
        const uint8_t *pkt =
            t->info.sending && t->rtx_pt >= 0
                ? pl_rtp_history_padding(&t->history, PC_PACKET_CAP - PL_SRTP_TAILROOM - 2, &len)
                : NULL;
        pc_packet *p = pkt ? make_rtx(pc, t, pkt, len) : NULL;
        if (p) {
            push(pc, p, PL_PACE_PADDING);
            return true;
        }
    }
    return false;
}

static void keep(pl_pc *pc, pc_transceiver *t, const uint8_t *pkt, size_t len)
{
    if (pl_rtp_history_put(&t->history, pc->now_us, pkt, len))
        pc->count.not_kept++; /* no memory: it cannot be sent again, that is all */
}

/* Stamps, remembers and counts a packet that leaves now. */
static void depart(pl_pc *pc, pc_packet *p)
{
    pc_transceiver *t = p->t;
    pc_media *m = pc->media;
    pl_rtp_header h;
    uint16_t twcc_seq = 0;
    if (pl_rtp_parse(&h, p->data, p->len))
        return;
    pl_rtp_stamp_at at = pl_rtp_ext_locate(&t->send_ext, p->data, &h);
    if (at.twcc)
        twcc_seq = pl_twcc_tx_sent(&m->twcc_tx, pc->now_us, p->len, p->paced.probe);
    pl_rtp_stamp(p->data, &at, pc->now_us, twcc_seq);
    pl_cc_sent(&m->cc, pc->now_us, p->len);
    if (p->is_rtx) {
        pl_rtp_sender_resent(&t->sender, h.payload_at, h.payload_len);
        return;
    }
    if (t->rtx_pt >= 0)
        keep(pc, t, p->data, p->len);
    pl_rtp_sender_sent(&t->sender, &h, p->sample_us);
}

static pl_err protect(pl_pc *pc, pc_packet *p, uint8_t *out, size_t cap, size_t *len)
{
    pc_transceiver *t = p->t;
    assert(p->len + PL_SRTP_TAILROOM <= cap);
    if (p->is_protected) {
        memcpy(out, p->data, p->len);
        *len = p->len;
        pl_cc_sent(&pc->media->cc, pc->now_us, p->len);
        pl_rtp_sender_resent(&t->sender, PL_RTP_HEADER_MIN, p->len - PL_RTP_HEADER_MIN);
        return PL_OK;
    }
    depart(pc, p);
    memcpy(out, p->data, p->len);
    pl_err err = pl_srtp_protect(pc->srtp_out, out, p->len, cap, len);
    if (!err && !p->is_rtx && t->rtx_pt < 0 && (t->feedback & PL_FB_NACK))
        keep(pc, t, out, *len);
    return err;
}

bool pc_media_poll(pl_pc *pc, uint8_t *out, size_t cap, size_t *len, uint8_t *dscp)
{
    pc_media *m = pc->media;
    pl_pacer_pkt *paced = pl_pacer_poll(&m->pacer, pc->now_us);
    if (!paced && add_padding(pc))
        paced = pl_pacer_poll(&m->pacer, pc->now_us);
    while (paced) {
        pc_packet *p = pl_of(paced, pc_packet, paced);
        *dscp = p->t->kind == PL_AUDIO ? DSCP_AUDIO : DSCP_VIDEO;
        pl_err err = protect(pc, p, out, cap, len);
        pl_pool_put(&m->packets, p);
        if (!err)
            return true;
        pc->count.outbox_bad++;
        paced = pl_pacer_poll(&m->pacer, pc->now_us);
    }
    return false;
}

void pc_media_drop_queue(pl_pc *pc)
{
    if (!pc->media)
        return;
    for (pl_pacer_pkt *paced; (paced = pl_pacer_take(&pc->media->pacer));)
        pl_pool_put(&pc->media->packets, pl_of(paced, pc_packet, paced));
}

static void tell_rate(pl_pc *pc, pc_transceiver *t, int64_t rate_bps)
{
    pl_media_msg msg = { .kind = PL_MEDIA_BITRATE, .u.rate_bps = rate_bps };
    if (rate_bps != t->rate_told_bps && pc_post(pc, t->rings.send_in, &msg))
        t->rate_told_bps = rate_bps;
}

static int64_t audio_bps(const pc_transceiver *t)
{
    return t->limit_bps && t->limit_bps < AUDIO_RATE_BPS ? t->limit_bps : AUDIO_RATE_BPS;
}

/* Audio takes its small share first; the rest is divided among the video senders, and what a peer's limit takes from one
 * is left to the others. */
static void share_rate(pl_pc *pc, int64_t rate_bps)
{
    pc_transceiver *video[PL_TRANSCEIVERS_MAX];
    int n_video = 0;
    int64_t left_bps = rate_bps;
    for (int i = 0; i < pc->n_t; i++) {
        pc_transceiver *t = pc->t[i];
        if (!t->info.sending)
            continue;
        if (t->kind == PL_VIDEO) {
            int at = n_video++; /* the most limited first */
            for (; at > 0 && t->limit_bps &&
                   (!video[at - 1]->limit_bps || video[at - 1]->limit_bps > t->limit_bps);
                 at--)
                video[at] = video[at - 1];
            video[at] = t;
            continue;
        }
        left_bps -= audio_bps(t);
        if (t->limit_bps || t->rate_told_bps) /* otherwise an encoder knows best what its codec wants */
            tell_rate(pc, t, audio_bps(t));
    }
    for (int i = 0; i < n_video; i++) {
        int64_t share_bps = left_bps / (n_video - i), floor_bps = VIDEO_MIN_BPS;
        if (video[i]->limit_bps) {
            share_bps = pl_min_us(share_bps, video[i]->limit_bps);
            floor_bps = pl_min_us(floor_bps, video[i]->limit_bps);
        }
        share_bps = pl_max_us(share_bps, floor_bps);
        left_bps -= share_bps;
        tell_rate(pc, video[i], share_bps);
    }
}

/* What all senders together may need by the peer's word, so that nothing beyond is probed for; 0: it named no limit for
 * one of the videos. A tenth more carries headers and repetitions. */
static int64_t wanted_bps(const pl_pc *pc)
{
    int64_t sum_bps = 0;
    bool video = false;
    for (int i = 0; i < pc->n_t; i++) {
        const pc_transceiver *t = pc->t[i];
        if (!t->info.sending)
            continue;
        if (t->kind == PL_VIDEO && !t->limit_bps)
            return 0;
        video |= t->kind == PL_VIDEO;
        sum_bps += t->kind == PL_VIDEO ? t->limit_bps : audio_bps(t);
    }
    return video ? sum_bps + sum_bps / 10 : 0;
}

void pc_media_limit(pl_pc *pc)
{
    pc_media *m = pc->media;
    int64_t wanted = wanted_bps(pc), max_bps = wanted ? pl_min_us(wanted, m->max_bps) : m->max_bps;
    max_bps = pl_max_us(max_bps, m->cc.conf.min_bps);
    if (max_bps == m->cc.conf.max_bps)
        return;
    pl_cc_limits(&m->cc, m->cc.conf.min_bps, max_bps, pc->now_us);
    pc_media_target(pc);
}

void pc_media_target(pl_pc *pc)
{
    pc_media *m = pc->media;
    pl_cc_target target;
    pl_cc_probe_ask ask;
    if (pl_cc_poll(&m->cc, &target)) {
        m->rate_bps = target.rate_bps;
        pl_pacer_rate(&m->pacer, pc->now_us, target.pacing_bps, 0);
    }
    if (pl_cc_poll_probe(&m->cc, pc->now_us, &ask))
        pl_pacer_probe(&m->pacer, pc->now_us, &ask);
    if (m->rate_bps)
        share_rate(pc, m->rate_bps);
}
