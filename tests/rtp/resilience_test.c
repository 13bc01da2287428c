/* Two ends in virtual time: a sender with history and RTX, a receiver with source, dup and nack, and the
 * reports that tell both the round-trip time, over a link that loses, delays, reorders and duplicates. */
#include "pl_test.h"

#include "base/time.h"
#include "rtp/dup.h"
#include "rtp/history.h"
#include "rtp/nack.h"
#include "rtp/report.h"
#include "rtp/rtcp_xr.h"
#include "rtp/rtx.h"
#include "rtp/source.h"
#include "sim/link.h"

enum {
    MEDIA = 100,
    RTX = 200,
    RECEIVER = 300,
    PT_MEDIA = 96,
    PT_RTX = 97,
    FRAME_US = 33000,
    PACKETS_MAX = 3000,
    PAYLOAD = 60
};
static const int64_t WALL = PL_SEC(1795363200);

typedef struct world {
    pl_rand_seeded state;
    pl_rand rand;
    sim_link *forth, *back;
    int64_t now_us;

    pl_rtp_sender sender;
    pl_rtp_history history;
    pl_rtx_stream rtx;
    pl_rtcp_timer sr_timer;
    uint16_t seq;
    int64_t frame_us, n_sent, sent_us[PACKETS_MAX];
    uint64_t rrtr_ntp; /* last from the receiver, and when */
    int64_t rrtr_us;
    uint16_t first_seq;

    pl_rtp_source source;
    pl_rtp_dup dup;
    pl_nack nack;
    pl_rtcp_timer rr_timer;
    int64_t rtt_us; /* measured by XR */
    int64_t delivered_us[PACKETS_MAX];
} world;

static world *world_new(uint64_t seed, const sim_net *net)
{
    world *w = calloc(1, sizeof *w);
    w->rand = pl_rand_seed(&w->state, seed);
    w->forth = sim_link_new(net, seed * 2 + 1);
    w->back = sim_link_new(net, seed * 2 + 2);
    w->seq = w->first_seq = (uint16_t)pl_rand_u32(&w->rand);
    pl_rtp_sender_init(&w->sender, MEDIA, 90000);
    pl_rtp_history_init(&w->history);
    w->rtx = (pl_rtx_stream){ .ssrc = RTX, .seq = (uint16_t)pl_rand_u32(&w->rand), .pt = PT_RTX };
    pl_rtcp_timer_start(&w->sr_timer, 0, PL_RTCP_INTERVAL_US, &w->rand);
    pl_rtp_source_init(&w->source, MEDIA, 90000);
    pl_nack_init(&w->nack, &(pl_nack_conf){ .wants_key = true });
    pl_rtcp_timer_start(&w->rr_timer, 0, PL_RTCP_INTERVAL_US, &w->rand);
    return w;
}

static void world_free(world *w)
{
    sim_link_free(w->forth);
    sim_link_free(w->back);
    pl_rtp_history_clear(&w->history);
    pl_nack_clear(&w->nack);
    free(w);
}

/* Sender */

static void send_packet(world *w, bool marker)
{
    uint8_t pkt[PAYLOAD + 12];
    pl_wr out = pl_wr_init(pkt, sizeof pkt);
    pl_rtp_header h = { .pt = PT_MEDIA, .marker = marker, .seq = w->seq++, .ssrc = MEDIA, .payload_at = 12 };
    h.rtp_ts = (uint32_t)(w->now_us * 9 / 100);
    h.payload_len = PAYLOAD;
    pl_rtp_write(&out, &h, NULL);
    pl_wr_u32(&out, (uint32_t)w->n_sent);
    pl_wr_zeros(&out, PAYLOAD - 4);
    PL_EQ(pl_rtp_history_put(&w->history, w->now_us, pkt, sizeof pkt), PL_OK);
    pl_rtp_sender_sent(&w->sender, &h, w->now_us);
    w->sent_us[w->n_sent++] = w->now_us;
    sim_link_send(w->forth, w->now_us, NULL, pkt, sizeof pkt);
}

static void send_frame(world *w)
{
    size_t n = 1 + pl_rand_below(&w->rand, 7);
    for (size_t i = 0; i < n; i++)
        send_packet(w, i == n - 1);
    w->frame_us += FRAME_US;
}

static void send_reports(world *w)
{
    uint8_t pkt[200];
    pl_wr out = pl_wr_init(pkt, sizeof pkt);
    pl_rtcp_sr sr;
    if (!pl_rtp_sender_sr(&w->sender, w->now_us, WALL, &sr))
        return;
    pl_rtcp_sr_write(&out, MEDIA, &sr, NULL, 0);
    pl_rtcp_cname_write(&out, MEDIA, PL_STR("sender"));
    if (w->rrtr_ntp) {
        pl_xr_dlrr d = { .ssrc = RECEIVER, .lrr = pl_ntp_mid32(w->rrtr_ntp) };
        d.dlrr = pl_ntp_short_of_us(w->now_us - w->rrtr_us);
        pl_rtcp_xr_write_dlrr(&out, MEDIA, &d, 1);
    }
    PL_OKAY(pl_wr_ok(&out));
    sim_link_send(w->forth, w->now_us, NULL, pkt, pl_wr_len(&out));
}

static void resend(world *w, uint16_t seq)
{
    uint8_t rtx[PAYLOAD + 14];
    size_t len, rtx_len;
    const uint8_t *pkt = pl_rtp_history_resend(&w->history, w->now_us, seq, &len);
    if (!pkt)
        return;
    PL_EQ(pl_rtx_wrap(&w->rtx, NULL, pkt, len, rtx, sizeof rtx, &rtx_len), PL_OK);
    pl_rtp_sender_resent(&w->sender, 12, rtx_len - 12);
    sim_link_send(w->forth, w->now_us, NULL, rtx, rtx_len);
}

static void sender_input(world *w, const uint8_t *pkt, size_t len)
{
    pl_rd rd = pl_rd_init(pkt, len);
    pl_rtcp p;
    while (pl_rtcp_next(&rd, &p)) {
        if (p.pt == PL_RTCP_RTPFB && p.fmt == PL_RTPFB_NACK) {
            pl_rtcp_nack nack;
            PL_EQ(pl_rtcp_nack_parse(&nack, p.body), PL_OK);
            for (size_t i = 0; i < nack.n; i++) {
                resend(w, nack.item[i].pid);
                for (int bit = 0; bit < 16; bit++)
                    if (nack.item[i].blp >> bit & 1)
                        resend(w, (uint16_t)(nack.item[i].pid + 1 + bit));
            }
        } else if (p.pt == PL_RTCP_RR) {
            pl_rtcp_report r;
            PL_EQ(pl_rtcp_report_parse(&r, &p), PL_OK);
            for (size_t i = 0; i < r.n_blocks; i++)
                if (pl_rtp_sender_block(&w->sender, w->now_us, WALL, &r.block[i]))
                    pl_rtp_history_rtt(&w->history, w->sender.rtt_us);
        } else if (p.pt == PL_RTCP_XR) {
            pl_rtcp_xr xr;
            PL_EQ(pl_rtcp_xr_parse(&xr, p.body), PL_OK);
            w->rrtr_ntp = xr.rrtr_ntp;
            w->rrtr_us = w->now_us;
        }
    }
    PL_OKAY(pl_rd_ok(&rd));
}

/* Receiver */

static void receive_media(world *w, uint8_t *pkt, size_t len, bool is_rtx)
{
    pl_rtp_header h;
    int64_t ext_seq;
    if (is_rtx)
        PL_EQ(pl_rtx_unwrap(pkt, &len, MEDIA, PT_MEDIA, NULL), PL_OK);
    PL_EQ(pl_rtp_parse(&h, pkt, len), PL_OK);
    PL_OKAY(h.ssrc == MEDIA && h.pt == PT_MEDIA && h.payload_len == PAYLOAD);
    bool mine = is_rtx ? pl_rtp_source_recovered(&w->source, w->now_us, &h, &ext_seq)
                       : pl_rtp_source_packet(&w->source, w->now_us, &h, &ext_seq);
    if (!mine || !pl_rtp_dup_first(&w->dup, ext_seq))
        return;
    pl_nack_packet(&w->nack, w->now_us, ext_seq);
    uint32_t i = pl_get32(pkt + h.payload_at);
    PL_OKAY(i < w->n_sent);
    PL_EQ(h.seq, (uint16_t)(w->first_seq + i));
    PL_EQ(w->delivered_us[i], 0); /* never twice */
    w->delivered_us[i] = w->now_us;
}

static void receiver_input(world *w, uint8_t *pkt, size_t len)
{
    if (pl_demux(pkt, len) == PL_IS_RTP) {
        receive_media(w, pkt, len, pl_rtp_ssrc(pkt) == RTX);
        return;
    }
    pl_rd rd = pl_rd_init(pkt, len);
    pl_rtcp p;
    while (pl_rtcp_next(&rd, &p)) {
        pl_rtcp_report r;
        pl_rtcp_xr xr;
        if (p.pt == PL_RTCP_SR && pl_rtcp_report_parse(&r, &p) == PL_OK) {
            pl_rtp_source_sr(&w->source, w->now_us, &r.sr);
        } else if (p.pt == PL_RTCP_XR && pl_rtcp_xr_parse(&xr, p.body) == PL_OK && xr.n_dlrr == 1) {
            if (pl_ntp_rtt(pl_ntp_of_us(w->now_us + WALL), xr.dlrr[0].lrr, xr.dlrr[0].dlrr, &w->rtt_us))
                pl_nack_rtt(&w->nack, w->rtt_us);
        }
    }
    PL_OKAY(pl_rd_ok(&rd));
}

static void send_nacks(world *w)
{
    uint8_t pkt[200];
    pl_nack_item item[16];
    size_t n;
    while ((n = pl_nack_poll(&w->nack, w->now_us, item, 16)) > 0) {
        pl_wr out = pl_wr_init(pkt, sizeof pkt);
        pl_rtcp_nack_write(&out, RECEIVER, MEDIA, item, n);
        sim_link_send(w->back, w->now_us, NULL, pkt, pl_wr_len(&out));
    }
    pl_nack_check(&w->nack);
}

static void send_receiver_report(world *w)
{
    uint8_t pkt[200];
    pl_wr out = pl_wr_init(pkt, sizeof pkt);
    pl_rtcp_block b;
    if (!pl_rtp_source_block(&w->source, w->now_us, &b))
        return;
    pl_rtcp_rr_write(&out, RECEIVER, &b, 1);
    pl_rtcp_xr_write_rrtr(&out, RECEIVER, pl_ntp_of_us(w->now_us + WALL));
    sim_link_send(w->back, w->now_us, NULL, pkt, pl_wr_len(&out));
}

static int64_t world_next_us(const world *w)
{
    int64_t at = pl_min_us(w->frame_us, pl_nack_next_us(&w->nack));
    at = pl_min_us(at, pl_min_us(sim_link_next_us(w->forth), sim_link_next_us(w->back)));
    return pl_min_us(at, pl_min_us(pl_rtcp_timer_next_us(&w->sr_timer), pl_rtcp_timer_next_us(&w->rr_timer)));
}

/* Sends until send_us, then lets the rest arrive. */
static void world_run(world *w, int64_t send_us)
{
    while (w->now_us < send_us + PL_SEC(2)) {
        w->now_us = pl_max_us(w->now_us, world_next_us(w));
        if (w->now_us >= send_us)
            w->frame_us = PL_NEVER;
        while (w->frame_us <= w->now_us)
            send_frame(w);
        if (pl_rtcp_timer_due(&w->sr_timer, w->now_us, &w->rand))
            send_reports(w);
        if (pl_rtcp_timer_due(&w->rr_timer, w->now_us, &w->rand))
            send_receiver_report(w);
        uint8_t pkt[256];
        size_t len;
        while (sim_link_recv(w->forth, w->now_us, NULL, pkt, sizeof pkt, &len))
            receiver_input(w, pkt, len);
        while (sim_link_recv(w->back, w->now_us, NULL, pkt, sizeof pkt, &len))
            sender_input(w, pkt, len);
        send_nacks(w);
    }
}

/* Packets that came within limit_us. Nobody can miss the very last ones, so they do not count. */
static int64_t delivered(const world *w, int64_t n, int64_t limit_us)
{
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++)
        count += w->delivered_us[i] && w->delivered_us[i] - w->sent_us[i] <= limit_us;
    return count;
}

PL_TEST(five_percent_loss_is_healed)
{
    sim_net net = {
        .delay_us = PL_MS(30), .jitter_us = PL_MS(30), .loss = 0.05, .reorder = 0.02, .duplicate = 0.01
    };
    uint64_t seed = pl_test_seed(1), seeds = getenv("PL_SEED") ? 1 : 2000;
    int64_t sent = 0, at_once = 0, soon = 0, ever = 0, requests = 0;
    for (uint64_t run = seed; run < seed + seeds; run++) {
        world *w = world_new(run, &net);
        world_run(w, PL_SEC(5));
        int64_t n = w->n_sent - 20, got = delivered(w, n, PL_MS(500));
        if (got * 1000 < n * 990)
            fail_msg("seed %llu: %lld of %lld within 500 ms", (unsigned long long)run, (long long)got,
                     (long long)n);
        sent += n;
        soon += got;
        at_once += delivered(w, n, PL_MS(75));
        ever += delivered(w, n, PL_NEVER);
        requests += (int64_t)w->nack.n_requests;
        world_free(w);
    }
    PL_LE(at_once, sent * 96 / 100); /* the link did lose */
    PL_GE(soon * 1000, sent * 999);
    PL_GE(ever * 10000, sent * 9999);
    PL_LE(requests * 100, sent * 10); /* 5 % lost, a tenth of the answers lost, some only late */
}

PL_TEST(both_ends_learn_the_round_trip_time_and_the_loss)
{
    sim_net net = { .delay_us = PL_MS(40), .jitter_us = PL_MS(4), .loss = 0.05 };
    world *w = world_new(pl_test_seed(5), &net);
    world_run(w, PL_SEC(20));
    PL_LE(llabs(w->sender.rtt_us - PL_MS(84)), PL_MS(6));
    PL_LE(llabs(w->rtt_us - PL_MS(84)), PL_MS(6));
    int64_t lost = pl_rtp_source_lost(&w->source);
    PL_LE(llabs(lost - w->n_sent / 20), w->n_sent / 60);
    PL_LE(llabs(w->sender.remote.lost - lost), 20);
    /* 0..4 ms of jitter between packets of frames: 1.33 ms on the mean; the formula smooths it */
    PL_GE(pl_rtp_source_jitter_s(&w->source) * 1e6, 300);
    PL_LE(pl_rtp_source_jitter_s(&w->source) * 1e6, 4000);
    PL_GE(w->source.retransmitted_packets_received * 100, (uint64_t)lost * 90);
    world_free(w);
}

PL_TEST(a_blackout_asks_for_a_key_frame_once_and_goes_on)
{
    sim_net net = { .delay_us = PL_MS(30) };
    world *w = world_new(pl_test_seed(9), &net);
    world_run(w, PL_SEC(3));
    w->frame_us = w->now_us;
    sim_link_blackout(w->forth, w->now_us + PL_SEC(2));
    world_run(w, w->now_us + PL_SEC(10));
    PL_OKAY(pl_nack_poll_key(&w->nack));
    PL_EQ(pl_nack_next_us(&w->nack), PL_NEVER);
    PL_EQ(w->source.n_restarts, 0);
    int64_t tail = delivered(w, w->n_sent, PL_MS(500));
    PL_GE(tail, w->n_sent * 80 / 100);
    world_free(w);
}

PL_TEST(half_of_all_packets_lost_is_survived)
{
    sim_net net = {
        .delay_us = PL_MS(30), .jitter_us = PL_MS(60), .loss = 0.5, .reorder = 0.2, .duplicate = 0.2
    };
    uint64_t seed = pl_test_seed(1);
    for (uint64_t run = seed; run < seed + 100; run++) {
        world *w = world_new(run, &net);
        world_run(w, PL_SEC(5));
        pl_rtp_history_check(&w->history);
        PL_LE(w->nack.n_requests, (uint64_t)w->n_sent * PL_NACK_TRIES_MAX / 2);
        PL_GE(delivered(w, w->n_sent, PL_NEVER) * 100, w->n_sent * 70);
        world_free(w);
    }
}

PL_TESTS(t(five_percent_loss_is_healed), t(both_ends_learn_the_round_trip_time_and_the_loss),
         t(a_blackout_asks_for_a_key_frame_once_and_goes_on), t(half_of_all_packets_lost_is_survived))
