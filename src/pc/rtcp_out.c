/* rtcp_out.c - what we report and ask for: regular compounds by the clock, feedback as soon as it is due.
 * Source   RFC 3550 6.4, RFC 4585 3.1 (compound rules), RFC 5506 (reduced size when agreed on). */
#include "pc/pc_internal.h"

enum { NACK_ITEMS = 60, BLOCKS_MAX = 31 };

/* The SSRC that reports: a stream of ours that sends, else any of ours. */
static uint32_t reporter(const pl_pc *pc)
{
    uint32_t ssrc = 1;
    for (int i = pc->n_t - 1; i >= 0; i--) {
        if (pc->t[i]->ssrc)
            ssrc = pc->t[i]->ssrc;
    }
    return ssrc;
}

static size_t collect_blocks(pl_pc *pc, pl_rtcp_block block[BLOCKS_MAX])
{
    size_t n = 0;
    for (int i = 0; i < pc->n_t; i++) {
        for (pc_stream *s = pc->t[i]->streams; s && n < BLOCKS_MAX; s = s->next) {
            if (pl_rtp_source_block(&s->source, pc->now_us, &block[n]))
                n++;
        }
    }
    return n;
}

/* One SR for each stream that sends, the first with the blocks; without any an RR. Then the CNAME. */
static void write_reports(pl_pc *pc, pl_wr *w)
{
    pl_rtcp_block block[BLOCKS_MAX];
    size_t n = collect_blocks(pc, block);
    bool any = false;
    for (int i = 0; i < pc->n_t; i++) {
        pc_transceiver *t = pc->t[i];
        pl_rtcp_sr sr;
        if (!t->info.sending || !pl_rtp_sender_sr(&t->sender, pc->now_us, pc->conf.wall_offset_us, &sr))
            continue;
        pl_rtcp_sr_write(w, t->ssrc, &sr, block, any ? 0 : n);
        any = true;
    }
    if (!any)
        pl_rtcp_rr_write(w, reporter(pc), block, n);
    pl_rtcp_cname_write(w, reporter(pc), pl_str_of(pc->media->cname));
}

/* Feedback alone is allowed when reduced size was agreed on; else an empty report stands before it. */
static void open_feedback(pl_pc *pc, pl_wr *w)
{
    if (!pc->media->rsize && !pl_wr_len(w)) {
        pl_rtcp_rr_write(w, reporter(pc), NULL, 0);
        pl_rtcp_cname_write(w, reporter(pc), pl_str_of(pc->media->cname));
    }
}

static void write_nacks(pl_pc *pc, pl_wr *w, pc_stream *s)
{
    pl_nack_item item[NACK_ITEMS];
    size_t room = pl_wr_left(w) / 4, n;
    if (pl_nack_next_us(&s->nack) > pc->now_us || room < 32)
        return;
    n = pl_nack_poll(&s->nack, pc->now_us, item, room - 30 < NACK_ITEMS ? room - 30 : NACK_ITEMS);
    if (n) {
        open_feedback(pc, w);
        pl_rtcp_nack_write(w, reporter(pc), s->ssrc, item, n);
        s->nack_count++;
    }
    if (pl_nack_poll_key(&s->nack))
        s->pli_wanted = true;
}

/* PLI, or FIR for a peer that knows only that (RFC 5104 3.5.1). */
static void write_key_request(pl_pc *pc, pl_wr *w, pc_transceiver *t, pc_stream *s)
{
    if (!s->pli_wanted || pl_wr_left(w) < 100)
        return;
    open_feedback(pc, w);
    s->pli_wanted = false;
    if (t->recv_fir) {
        pl_rtcp_fir_item item = { .ssrc = s->ssrc, .seq_nr = ++t->fir_sent };
        pl_rtcp_fir_write(w, reporter(pc), &item, 1);
        s->fir_count++;
    } else {
        pl_rtcp_pli_write(w, reporter(pc), s->ssrc);
        s->pli_count++;
    }
}

static void write_feedback(pl_pc *pc, pl_wr *w)
{
    for (int i = 0; i < pc->n_t; i++) {
        for (pc_stream *s = pc->t[i]->streams; s; s = s->next) {
            if (s->is_rtx)
                continue;
            if (pc->t[i]->recv_nack)
                write_nacks(pc, w, s);
            write_key_request(pc, w, pc->t[i], s);
        }
    }
    if (pl_twcc_rx_next_us(&pc->media->twcc_rx) <= pc->now_us) {
        open_feedback(pc, w);
        while (pl_twcc_rx_poll(&pc->media->twcc_rx, pc->now_us, reporter(pc), w))
            ;
    }
}

static void write_bye(pl_pc *pc, pl_wr *w)
{
    uint32_t ssrc[PL_RTCP_BYE_MAX];
    size_t n = 0;
    for (int i = 0; i < pc->n_t && n < PL_RTCP_BYE_MAX; i++) {
        if (pc->t[i]->ssrc)
            ssrc[n++] = pc->t[i]->ssrc;
    }
    pl_rtcp_rr_write(w, reporter(pc), NULL, 0);
    pl_rtcp_cname_write(w, reporter(pc), pl_str_of(pc->media->cname));
    if (n)
        pl_rtcp_bye_write(w, ssrc, n, (pl_str){ 0 });
}

bool pc_rtcp_poll(pl_pc *pc, uint8_t *out, size_t cap, size_t *len)
{
    pl_wr w = pl_wr_init(out, PC_RTCP_MAX < cap - PL_SRTCP_TAILROOM ? PC_RTCP_MAX : cap - PL_SRTCP_TAILROOM);
    if (pc->closed) {
        if (!pc->media->bye_wanted)
            return false;
        pc->media->bye_wanted = false;
        write_bye(pc, &w);
    } else {
        if (pl_rtcp_timer_due(&pc->media->timer, pc->now_us, &pc->conf.rand)) {
            pc_rtt_from_ice(pc);
            write_reports(pc, &w);
        }
        write_feedback(pc, &w);
    }
    if (!pl_wr_len(&w))
        return false;
    if (pl_srtp_protect_rtcp(pc->srtp_out, out, pl_wr_len(&w), cap, len)) {
        pc->count.outbox_bad++;
        return false;
    }
    return true;
}

int64_t pc_rtcp_next_us(const pl_pc *pc)
{
    int64_t at = pl_min_us(pl_rtcp_timer_next_us(&pc->media->timer), pl_twcc_rx_next_us(&pc->media->twcc_rx));
    for (int i = 0; i < pc->n_t; i++) {
        for (const pc_stream *s = pc->t[i]->streams; s; s = s->next) {
            if (pc->t[i]->recv_nack && !s->is_rtx)
                at = pl_min_us(at, pl_nack_next_us(&s->nack));
            if (s->pli_wanted)
                at = 0;
        }
    }
    return at;
}
