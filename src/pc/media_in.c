/* media_in.c - from an authenticated RTP packet to the receiving engine.
 *     parse > extensions > transport-wide arrival > route (RFC 9143 9.2) > RTX undone > statistics >
 *     once only > losses noted > copied into its ring */
#include "pc/pc_internal.h"

#include <stdlib.h>

void pc_stream_free(pc_stream *s)
{
    pl_nack_clear(&s->nack);
    free(s);
}

bool pc_post(pl_pc *pc, pl_ring *ring, const pl_media_msg *msg)
{
    if (!ring)
        return false;
    if (!pl_ring_push(ring, msg)) {
        pc->count.inbox_full++;
        return false;
    }
    return true;
}

static pc_stream *find_stream(const pl_pc *pc, uint32_t ssrc, pc_transceiver **t)
{
    for (int i = 0; i < pc->n_t; i++) {
        for (pc_stream *s = pc->t[i]->streams; s; s = s->next) {
            if (s->ssrc == ssrc) {
                *t = pc->t[i];
                return s;
            }
        }
    }
    return NULL;
}

static bool takes_pt(const pc_transceiver *t, uint8_t pt)
{
    return t->recv_clock_khz[pt] || t->recv_rtx_of[pt] >= 0;
}

/* RFC 9143 9.2: by mid, by a signalled SSRC, by a payload type that only one section uses. */
static pc_transceiver *route(const pl_pc *pc, const pl_rtp_header *h, const pl_rtp_ext *ext)
{
    pc_transceiver *by_pt = NULL;
    int n_by_pt = 0;
    for (int i = 0; i < pc->n_t; i++) {
        pc_transceiver *t = pc->t[i];
        pl_jsep_media m;
        if (!t->j || !t->info.receiving)
            continue;
        if (pl_rtp_ext_has(ext, PL_EXT_MID)) {
            if (pl_str_is(ext->mid, t->info.mid))
                return t;
            continue;
        }
        if (pl_jsep_negotiated(pc->jsep, t->j, &m) && m.remote && pl_desc_ssrc_of(m.remote, h->ssrc))
            return t;
        if (takes_pt(t, h->pt)) {
            by_pt = t;
            n_by_pt++;
        }
    }
    return n_by_pt == 1 ? by_pt : NULL;
}

/* Which stream an RTX stream repeats: what the description says (FID), else the transceiver's media stream.
 */
static uint32_t rtx_target(const pl_pc *pc, const pc_transceiver *t, uint32_t rtx_ssrc)
{
    pl_jsep_media m;
    if (t->j && pl_jsep_negotiated(pc->jsep, t->j, &m) && m.remote) {
        for (int i = 0; i < m.remote->ssrcs.n; i++) {
            if (pl_desc_rtx_ssrc(m.remote, m.remote->ssrcs.at[i].ssrc) == rtx_ssrc)
                return m.remote->ssrcs.at[i].ssrc;
        }
    }
    for (const pc_stream *s = t->streams; s; s = s->next) {
        if (!s->is_rtx)
            return s->ssrc;
    }
    return 0;
}

static pc_stream *new_stream(pl_pc *pc, pc_transceiver *t, const pl_rtp_header *h)
{
    pc_stream *s = t->n_streams < PC_STREAMS_MAX ? calloc(1, sizeof *s) : NULL;
    if (!s)
        return NULL;
    pl_nack_conf conf = { .wants_key = t->kind == PL_VIDEO,
                          .max_age_us = t->kind == PL_VIDEO ? 0 : PL_MS(200) };
    s->ssrc = h->ssrc;
    s->is_rtx = t->recv_rtx_of[h->pt] >= 0;
    pl_rtp_source_init(&s->source, h->ssrc, t->recv_clock_khz[h->pt] * 1000u);
    pl_nack_init(&s->nack, &conf);
    pc_rtt_from_ice(pc);
    if (pc->media->rtt_us || pc->media->ice_rtt_us)
        pl_nack_rtt(&s->nack, pc->media->rtt_us ? pc->media->rtt_us : pc->media->ice_rtt_us);
    s->next = t->streams;
    t->streams = s;
    t->n_streams++;
    pl_log_debug(&pc->log, "stream %08x (payload type %u%s) belongs to section \"%s\"", h->ssrc, h->pt,
                 s->is_rtx ? ", RTX" : "", t->info.mid);
    return s;
}

/* An RTX packet becomes the packet it repeats; its stream is returned, or NULL when it is of no use. */
static pc_stream *undo_rtx(pl_pc *pc, pc_transceiver *t, pc_stream *rtx, uint8_t *pkt, size_t *len,
                           pl_rtp_header *h, int64_t *ext_seq)
{
    pc_transceiver *owner;
    int64_t rtx_seq;
    int16_t media_pt = t->recv_rtx_of[h->pt];
    (void)pl_rtp_source_packet(&rtx->source, pc->now_us, h, &rtx_seq);
    if (!rtx->media_ssrc)
        rtx->media_ssrc = rtx_target(pc, t, rtx->ssrc);
    pc_stream *s = find_stream(pc, rtx->media_ssrc, &owner);
    if (!s || owner != t || media_pt < 0 || h->payload_len < 2)
        return NULL; /* padding for a bandwidth probe, or nothing we know */
    if (pl_rtx_unwrap(pkt, len, s->ssrc, (uint8_t)media_pt, &pc->media->recv_ext) ||
        pl_rtp_parse(h, pkt, *len))
        return NULL;
    return pl_rtp_source_recovered(&s->source, pc->now_us, h, ext_seq) ? s : NULL;
}

static void deliver(pl_pc *pc, pc_transceiver *t, pc_stream *s, const uint8_t *pkt, const pl_rtp_header *h,
                    const pl_rtp_ext *ext, int64_t ext_seq)
{
    if (!t->rings.recv_in || !t->info.receiving)
        return;
    pl_media_msg *msg = h->payload_len <= PL_MEDIA_PAYLOAD_MAX ? pl_ring_reserve(t->rings.recv_in) : NULL;
    if (!msg) {
        s->discarded++;
        pc->count.inbox_full++;
        return;
    }
    pl_media_packet *p = &msg->u.packet;
    msg->kind = PL_MEDIA_PACKET;
    p->arrival_us = pc->now_us;
    p->ext_seq = ext_seq;
    p->rtp_ts = h->rtp_ts;
    p->ssrc = h->ssrc;
    p->pt = h->pt;
    p->marker = h->marker;
    bool has_level = pl_rtp_ext_has(ext, PL_EXT_AUDIO_LEVEL);
    p->audio_level = has_level ? ext->audio_level : PL_AUDIO_LEVEL_NONE;
    p->voice = has_level && ext->voice;
    p->len = h->payload_len;
    memcpy(p->payload, pkt + h->payload_at, h->payload_len);
    pl_ring_commit(t->rings.recv_in);
    pc->posted |= UINT64_C(1) << t->index;
}

void pc_media_rtp(pl_pc *pc, uint8_t *pkt, size_t len)
{
    pl_rtp_header h;
    pl_rtp_ext ext;
    pc_transceiver *t = NULL;
    int64_t ext_seq;
    if (pl_rtp_parse(&h, pkt, len) || pl_rtp_ext_parse(&ext, &pc->media->recv_ext, pkt, &h)) {
        pc_bad_packet(pc, &pc->count.rtp_unrouted, "RTP malformed, or of no section");
        return;
    }
    if (pl_rtp_ext_has(&ext, PL_EXT_TWCC))
        pl_twcc_rx_packet(&pc->media->twcc_rx, pc->now_us, ext.twcc_seq, h.ssrc, len);
    pc_stream *s = find_stream(pc, h.ssrc, &t);
    if (!s) {
        t = route(pc, &h, &ext);
        s = t && takes_pt(t, h.pt) ? new_stream(pc, t, &h) : NULL;
    }
    if (!s || !takes_pt(t, h.pt)) {
        pc_bad_packet(pc, &pc->count.rtp_unrouted, "RTP malformed, or of no section");
        return;
    }
    if (s->is_rtx) {
        s = undo_rtx(pc, t, s, pkt, &len, &h, &ext_seq);
        if (!s)
            return;
    } else {
        if (!s->source.clock_rate)
            s->source.clock_rate = t->recv_clock_khz[h.pt] * 1000u;
        if (!pl_rtp_source_packet(&s->source, pc->now_us, &h, &ext_seq))
            return;
    }
    if (!pl_rtp_dup_first(&s->dup, ext_seq))
        return;
    s->pt = h.pt;
    if (t->recv_nack)
        pl_nack_packet(&s->nack, pc->now_us, ext_seq);
    if (h.payload_len || t->rings.empties) /* padding alone carries nothing, but its number counts */
        deliver(pc, t, s, pkt, &h, &ext, ext_seq);
}
