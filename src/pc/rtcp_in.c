/* rtcp_in.c - what the peer reports and asks for (RFC 3550 6.4, RFC 4585, RFC 5104, transport-wide feedback).
 */
#include "pc/pc_internal.h"

static pc_transceiver *sender_of(const pl_pc *pc, uint32_t ssrc)
{
    for (int i = 0; i < pc->n_t; i++) {
        if (pc->t[i]->ssrc == ssrc || (pc->t[i]->rtx_pt >= 0 && pc->t[i]->rtx.ssrc == ssrc))
            return pc->t[i];
    }
    return NULL;
}

static pc_stream *stream_of(const pl_pc *pc, uint32_t ssrc)
{
    for (int i = 0; i < pc->n_t; i++) {
        for (pc_stream *s = pc->t[i]->streams; s; s = s->next) {
            if (s->ssrc == ssrc)
                return s;
        }
    }
    return NULL;
}

static void tell_rtt(pl_pc *pc, int64_t rtt_us)
{
    for (int i = 0; i < pc->n_t; i++) {
        pc_transceiver *t = pc->t[i];
        pl_rtp_history_rtt(&t->history, rtt_us);
        for (pc_stream *s = t->streams; s; s = s->next)
            pl_nack_rtt(&s->nack, rtt_us);
        pl_media_msg msg = { .kind = PL_MEDIA_RTT, .u.rtt_us = rtt_us };
        (void)pc_post(pc, t->rings.recv_in, &msg);
    }
}

/* One round trip for the whole transport: every room that waits by it is told. */
static void on_rtt(pl_pc *pc, int64_t rtt_us)
{
    pc_media *m = pc->media;
    m->rtt_us = m->rtt_us ? m->rtt_us + (rtt_us - m->rtt_us) / 8 : rtt_us;
    pl_cc_rtt(&m->cc, pc->now_us, rtt_us);
    tell_rtt(pc, m->rtt_us);
}

/* Who only receives gets no report blocks; the checks of the selected pair know the round trip too. */
void pc_rtt_from_ice(pl_pc *pc)
{
    pl_ice_pair_info pair;
    pc_media *m = pc->media;
    if (m->rtt_us || !pl_ice_get_selected_pair(pc->ice, &pair) || !pair.rtt_us ||
        pair.rtt_us == m->ice_rtt_us)
        return;
    m->ice_rtt_us = pair.rtt_us;
    tell_rtt(pc, m->ice_rtt_us);
}

static void on_report(pl_pc *pc, const pl_rtcp *one)
{
    pl_rtcp_report r;
    if (pl_rtcp_report_parse(&r, one)) {
        pc_bad_packet(pc, &pc->count.rtcp_bad, "RTCP is malformed");
        return;
    }
    pc_stream *from = r.has_sr ? stream_of(pc, r.ssrc) : NULL;
    if (from)
        pl_rtp_source_sr(&from->source, pc->now_us, &r.sr);
    for (int i = 0; i < r.n_blocks; i++) {
        pc_transceiver *t = sender_of(pc, r.block[i].ssrc);
        if (!t || t->ssrc != r.block[i].ssrc)
            continue;
        if (pl_rtp_sender_block(&t->sender, pc->now_us, pc->conf.wall_offset_us, &r.block[i]))
            on_rtt(pc, t->sender.rtt_us);
        pl_cc_report(&pc->media->cc, pc->now_us, r.block[i].fraction_lost, 0);
        pl_media_msg msg = { .kind = PL_MEDIA_LOSS, .u.loss = r.block[i].fraction_lost / 256.0 };
        (void)pc_post(pc, t->rings.send_in, &msg);
    }
}

static void on_nack(pl_pc *pc, pl_rd body)
{
    pl_rtcp_nack nack;
    if (pl_rtcp_nack_parse(&nack, body)) {
        pc_bad_packet(pc, &pc->count.rtcp_bad, "RTCP is malformed");
        return;
    }
    pc_transceiver *t = sender_of(pc, nack.media_ssrc);
    if (!t || t->ssrc != nack.media_ssrc)
        return;
    t->nack_count++;
    for (int i = 0; i < nack.n; i++) {
        pc_media_resend(pc, t, nack.item[i].pid);
        for (int bit = 0; bit < 16; bit++) {
            if (nack.item[i].blp >> bit & 1)
                pc_media_resend(pc, t, (uint16_t)(nack.item[i].pid + 1 + bit));
        }
    }
}

static void on_twcc(pl_pc *pc, pl_rd body)
{
    pl_rtcp_twcc fb;
    pl_twcc_result result;
    pc_media *m = pc->media;
    if (pl_rtcp_twcc_parse(&fb, body)) {
        pc_bad_packet(pc, &pc->count.rtcp_bad, "RTCP is malformed");
        return;
    }
    pl_twcc_tx_feedback(&m->twcc_tx, &fb);
    while (pl_twcc_tx_next(&m->twcc_tx, &fb, &result))
        pl_cc_result(&m->cc, &result);
    pl_cc_feedback(&m->cc, pc->now_us);
}

static void ask_key(pl_pc *pc, pc_transceiver *t)
{
    pl_media_msg msg = { .kind = PL_MEDIA_WANT_KEY };
    (void)pc_post(pc, t->rings.send_in, &msg);
}

static void on_pli(pl_pc *pc, pl_rd body)
{
    pl_rtcp_pli pli;
    pc_transceiver *t = pl_rtcp_pli_parse(&pli, body) ? NULL : sender_of(pc, pli.media_ssrc);
    if (!t)
        return;
    t->pli_count++;
    ask_key(pc, t);
}

/* A repeated command has the number of the one before and is not a new request (RFC 5104 4.3.1.2). */
static void on_fir(pl_pc *pc, pl_rd body)
{
    pl_rtcp_fir fir;
    if (pl_rtcp_fir_parse(&fir, body)) {
        pc_bad_packet(pc, &pc->count.rtcp_bad, "RTCP is malformed");
        return;
    }
    for (int i = 0; i < fir.n; i++) {
        pc_transceiver *t = sender_of(pc, fir.item[i].ssrc);
        if (!t || (t->has_fir_seq && t->fir_seq == fir.item[i].seq_nr))
            continue;
        t->has_fir_seq = true;
        t->fir_seq = fir.item[i].seq_nr;
        t->fir_count++;
        ask_key(pc, t);
    }
}

static void on_remb(pl_pc *pc, pl_rd body)
{
    pl_rtcp_remb remb;
    if (!pl_rtcp_remb_parse(&remb, body))
        pl_cc_remb(&pc->media->cc, pc->now_us, remb.rate_bps);
}

static void on_feedback(pl_pc *pc, const pl_rtcp *one)
{
    if (one->pt == PL_RTCP_RTPFB) {
        if (one->fmt == PL_RTPFB_NACK)
            on_nack(pc, one->body);
        else if (one->fmt == PL_RTPFB_TWCC)
            on_twcc(pc, one->body);
        return;
    }
    switch (one->fmt) {
    case PL_PSFB_PLI: on_pli(pc, one->body); break;
    case PL_PSFB_FIR: on_fir(pc, one->body); break;
    case PL_PSFB_AFB: on_remb(pc, one->body); break;
    default: break;
    }
}

void pc_rtcp_input(pl_pc *pc, uint8_t *pkt, size_t len)
{
    pl_rd rd = pl_rd_init(pkt, len);
    pl_rtcp one;
    if (!pl_rtcp_valid(pkt, len)) {
        pc_bad_packet(pc, &pc->count.rtcp_bad, "RTCP is malformed");
        return;
    }
    while (pl_rtcp_next(&rd, &one)) {
        switch (one.pt) {
        case PL_RTCP_SR:
        case PL_RTCP_RR: on_report(pc, &one); break;
        case PL_RTCP_RTPFB:
        case PL_RTCP_PSFB: on_feedback(pc, &one); break;
        default: break; /* SDES and BYE change nothing here: descriptions say who sends */
        }
    }
    pc_media_target(pc);
}
