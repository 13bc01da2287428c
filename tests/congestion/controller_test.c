/* A sender with an encoder, pacer and controller over a link with a rate and a queue, in virtual time. */
#include "pl_test.h"

#include <math.h>

#include "base/rand.h"
#include "base/time.h"
#include "congestion/controller.h"
#include "congestion/pacer.h"
#include "sim/link.h"

enum { SEC_MAX = 130, OVERHEAD = 20, PAYLOAD = 1180 };

typedef struct packet {
    pl_pacer_pkt paced;
    bool padding;
} packet;

typedef struct call {
    pl_rand_seeded state;
    pl_rand rand;
    sim_link *forth, *back;
    sim_net net;
    int64_t now_us;
    bool has_feedback; /* transport-wide; otherwise receiver reports */

    pl_cc cc;
    pl_pacer pacer;
    pl_twcc_tx tx;
    pl_cc_target target;
    int64_t frame_us, encoder_max_bps;
    double encoder_debt; /* bytes sent beyond the rate, taken back by the next frames */
    int n_targets, n_probes;

    pl_twcc_rx rx;
    int64_t report_us;
    uint32_t n_received, n_expected_before, n_received_before;
    int64_t received[SEC_MAX]; /* bytes by second, without padding */
    int64_t target_bps[SEC_MAX];
    int64_t queue_us[SEC_MAX]; /* longest, by second */
    int64_t pacer_us;          /* longest wait in the pacer */
} call;

static call *call_new(uint64_t seed, const sim_net *net, const pl_cc_conf *conf)
{
    call *c = calloc(1, sizeof *c);
    c->rand = pl_rand_seed(&c->state, seed);
    c->net = *net;
    c->forth = sim_link_new(net, seed * 2);
    c->back = sim_link_new(&(sim_net){ .delay_us = net->delay_us, .jitter_us = PL_MS(2), .loss = net->loss },
                           seed * 2 + 1);
    c->now_us = PL_SEC(1);
    c->frame_us = c->now_us;
    c->report_us = c->now_us;
    c->has_feedback = true;
    c->encoder_max_bps = 20000000;
    pl_cc_init(&c->cc, conf, c->now_us);
    PL_OKAY(pl_cc_poll(&c->cc, &c->target));
    pl_pacer_init(&c->pacer, c->target.pacing_bps, c->now_us);
    pl_twcc_tx_init(&c->tx);
    pl_twcc_rx_init(&c->rx);
    return c;
}

static void call_free(call *c)
{
    for (pl_pacer_pkt *p; (p = pl_pacer_take(&c->pacer));)
        free(pl_of(p, packet, paced));
    sim_link_free(c->forth);
    sim_link_free(c->back);
    pl_twcc_tx_clear(&c->tx);
    pl_twcc_rx_clear(&c->rx);
    free(c);
}

static void push(call *c, pl_pacer_class prio, size_t len)
{
    packet *p = calloc(1, sizeof *p);
    p->padding = prio == PL_PACE_PADDING;
    PL_EQ(pl_pacer_push(&c->pacer, c->now_us, &p->paced, prio, len), PL_OK);
}

/* Thirty frames a second of uneven size, every hundredth a key frame five times as large. */
static void encode(call *c)
{
    int64_t rate_bps = pl_min_us(c->target.rate_bps, c->encoder_max_bps);
    double bytes = (double)rate_bps / 8 / 30;
    double want = bytes * (0.7 + pl_rand_below(&c->rand, 600) / 1000.0) - fmin(c->encoder_debt, bytes / 2);
    if (pl_rand_below(&c->rand, 100) == 0)
        want = bytes * 5;
    c->encoder_debt += want - bytes;
    for (int64_t left = (int64_t)want; left > 0; left -= PAYLOAD)
        push(c, PL_PACE_VIDEO, (size_t)pl_min_us(left, PAYLOAD) + OVERHEAD);
    push(c, PL_PACE_AUDIO, 100);
    c->frame_us += PL_SEC(1) / 30;
}

static size_t second(const call *c)
{
    PL_OKAY(c->now_us / 1000000 < SEC_MAX);
    return (size_t)(c->now_us / 1000000);
}

/* On the link: number, padding or not, when it left. */
static void transmit(call *c, packet *p)
{
    uint8_t wire[1500] = { 0 };
    c->pacer_us = pl_max_us(c->pacer_us, c->now_us - p->paced.queued_us);
    pl_put16(wire, pl_twcc_tx_sent(&c->tx, c->now_us, p->paced.len, p->paced.probe));
    wire[2] = p->padding;
    pl_put64(wire + 8, (uint64_t)c->now_us);
    pl_cc_sent(&c->cc, c->now_us, p->paced.len);
    sim_link_send(c->forth, c->now_us, NULL, wire, p->paced.len < 16 ? 16 : p->paced.len);
    free(p);
}

static void drain_pacer(call *c)
{
    pl_cc_probe_ask ask;
    if (pl_cc_poll_probe(&c->cc, c->now_us, &ask)) {
        pl_pacer_probe(&c->pacer, c->now_us, &ask);
        c->n_probes++;
    }
    size_t padding;
    do {
        for (pl_pacer_pkt *p; (p = pl_pacer_poll(&c->pacer, c->now_us));)
            transmit(c, pl_of(p, packet, paced));
        padding = pl_pacer_padding(&c->pacer, c->now_us);
        if (padding)
            push(c, PL_PACE_PADDING, padding);
    } while (padding);
}

static void receive(call *c)
{
    uint8_t wire[1500];
    size_t len;
    while (sim_link_recv(c->forth, c->now_us, NULL, wire, sizeof wire, &len)) {
        pl_twcc_rx_packet(&c->rx, c->now_us, pl_get16(wire), 1, len);
        c->n_received++;
        if (!wire[2])
            c->received[second(c)] += (int64_t)len;
        int64_t queue_us = c->now_us - (int64_t)(((uint64_t)pl_get32(wire + 8) << 32) | pl_get32(wire + 12)) -
                           c->net.delay_us;
        c->queue_us[second(c)] = pl_max_us(c->queue_us[second(c)], queue_us);
    }
    if (c->has_feedback) {
        pl_wr w = pl_wr_init(wire, 1200);
        while (pl_twcc_rx_poll(&c->rx, c->now_us, 1, &w)) {
            sim_link_send(c->back, c->now_us, NULL, wire, pl_wr_len(&w));
            w = pl_wr_init(wire, 1200);
        }
    } else if (c->now_us >= c->report_us) {
        uint32_t sent = (uint32_t)(c->rx.next - 65536), n = sent - c->n_expected_before;
        uint32_t got = c->n_received - c->n_received_before;
        c->n_expected_before = sent;
        c->n_received_before = c->n_received;
        uint8_t fraction = (uint8_t)(got < n ? (n - got) * 256 / n - (got == 0) : 0);
        sim_link_send(c->back, c->now_us, NULL, &fraction, 1);
        c->report_us += PL_SEC(1);
    }
}

static void feedback(call *c)
{
    uint8_t wire[1500];
    size_t len;
    while (sim_link_recv(c->back, c->now_us, NULL, wire, sizeof wire, &len)) {
        pl_rtcp_twcc fb;
        pl_rtcp p;
        pl_twcc_result res;
        if (len == 1) {
            pl_cc_rtt(&c->cc, c->now_us, 2 * c->net.delay_us);
            pl_cc_report(&c->cc, c->now_us, wire[0], 0);
            continue;
        }
        pl_rd rd = pl_rd_init(wire, len);
        PL_OKAY(pl_rtcp_next(&rd, &p));
        PL_EQ(pl_rtcp_twcc_parse(&fb, p.body), PL_OK);
        pl_twcc_tx_feedback(&c->tx, &fb);
        while (pl_twcc_tx_next(&c->tx, &fb, &res))
            pl_cc_result(&c->cc, &res);
        pl_cc_feedback(&c->cc, c->now_us);
        pl_cc_check(&c->cc);
    }
    pl_cc_tick(&c->cc, c->now_us);
    if (pl_cc_poll(&c->cc, &c->target)) {
        c->n_targets++;
        pl_pacer_rate(&c->pacer, c->now_us, c->target.pacing_bps, 0);
    }
    c->target_bps[second(c)] = c->target.rate_bps;
}

static int64_t call_next_us(const call *c)
{
    int64_t at = pl_min_us(c->frame_us, pl_pacer_next_us(&c->pacer));
    at = pl_min_us(at, pl_min_us(sim_link_next_us(c->forth), sim_link_next_us(c->back)));
    at = pl_min_us(at, c->has_feedback ? pl_twcc_rx_next_us(&c->rx) : c->report_us);
    return pl_min_us(at, pl_cc_next_us(&c->cc));
}

static void call_run(call *c, int64_t seconds)
{
    int64_t until_us = c->now_us + PL_SEC(seconds);
    while (c->now_us < until_us) {
        c->now_us = pl_max_us(c->now_us, call_next_us(c));
        if (c->now_us >= c->frame_us)
            encode(c);
        drain_pacer(c);
        receive(c);
        feedback(c);
        pl_pacer_check(&c->pacer);
    }
}

/* What arrived per second, from a second (counted from 1) to another. */
static int64_t goodput_bps(const call *c, int64_t from, int64_t to)
{
    int64_t bytes = 0;
    for (int64_t s = from; s < to; s++)
        bytes += c->received[s];
    return bytes * 8 / (to - from);
}

static int64_t worst_queue_us(const call *c, int64_t from, int64_t to)
{
    int64_t worst = 0;
    for (int64_t s = from; s < to; s++)
        worst = pl_max_us(worst, c->queue_us[s]);
    return worst;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static int64_t median_queue_us(const call *c, int64_t from, int64_t to)
{
    int64_t sorted[SEC_MAX];
    memcpy(sorted, c->queue_us + from, (size_t)(to - from) * sizeof *sorted);
    qsort(sorted, (size_t)(to - from), sizeof *sorted, compare);
    return sorted[(to - from) / 2];
}

static void expect(const call *c, uint64_t seed, const char *what, int64_t value, int64_t low, int64_t high)
{
    if (getenv("PL_VERBOSE"))
        fprintf(stderr, "rate %lld delay %lld %s: %lld (%lld..%lld)\n", (long long)c->net.rate_bps,
                (long long)c->net.delay_us, what, (long long)value, (long long)low, (long long)high);
    if (value < low || value > high)
        fail_msg("seed %llu, %lld bit/s, %lld us: %s is %lld, not %lld to %lld", (unsigned long long)seed,
                 (long long)c->net.rate_bps, (long long)c->net.delay_us, what, (long long)value,
                 (long long)low, (long long)high);
}

PL_TEST(finds_the_capacity)
{
    static const int64_t rate[] = { 300000, 500000, 1000000, 2000000, 5000000 };
    static const int64_t delay[] = { PL_MS(20), PL_MS(50), PL_MS(100) };
    uint64_t seed = pl_test_seed(1);
    for (size_t r = 0; r < 5; r++) {
        for (size_t d = 0; d < 3; d++) {
            for (uint64_t run = seed; run < seed + 4; run++) {
                sim_net net = { .rate_bps = rate[r],
                                .delay_us = delay[d],
                                .queue_bytes = (size_t)(rate[r] / 8) };
                call *c = call_new(run, &net, &(pl_cc_conf){ .start_bps = 300000 });
                call_run(c, 60);
                expect(c, run, "goodput", goodput_bps(c, 20, 60), rate[r] * 70 / 100, rate[r] * 105 / 100);
                expect(c, run, "median of the longest queue of each second", median_queue_us(c, 20, 60), 0,
                       PL_MS(200));
                expect(c, run, "longest queue", worst_queue_us(c, 20, 60), 0, PL_MS(500));
                expect(c, run, "wait in the pacer", c->pacer_us, 0, PL_MS(1000));
                call_free(c);
            }
        }
    }
}

PL_TEST(climbs_fast_at_the_start)
{
    uint64_t seed = pl_test_seed(1);
    for (uint64_t run = seed; run < seed + 10; run++) {
        sim_net net = { .rate_bps = 5000000, .delay_us = PL_MS(50) };
        call *c = call_new(run, &net, &(pl_cc_conf){ .start_bps = 300000, .max_bps = 3000000 });
        call_run(c, 6);
        expect(c, run, "target after 5 s", c->target_bps[6], 2000000, 3000000);
        expect(c, run, "probes", c->n_probes, 2, 6);
        expect(c, run, "longest queue", worst_queue_us(c, 1, 6), 0, PL_MS(100));
        call_free(c);
    }
}

/* The receiver has no keys yet when the first packets come: their loss says nothing about the path. */
PL_TEST(climbs_though_the_first_burst_is_lost)
{
    uint64_t seed = pl_test_seed(1);
    for (uint64_t run = seed; run < seed + 10; run++) {
        sim_net net = { .rate_bps = 5000000, .delay_us = PL_MS(10) };
        call *c = call_new(run, &net, &(pl_cc_conf){ .start_bps = 300000, .max_bps = 3000000 });
        sim_link_blackout(c->forth, c->now_us + PL_MS(150));
        call_run(c, 8);
        expect(c, run, "target after 7 s", c->target_bps[8], 2000000, 3000000);
        int n_probes = c->n_probes;
        call_run(c, 20);
        expect(c, run, "probes when the limit is reached", c->n_probes - n_probes, 0, 4);
        call_free(c);
    }
}

PL_TEST(learns_of_more_while_the_encoder_needs_little)
{
    uint64_t seed = pl_test_seed(1);
    for (uint64_t run = seed; run < seed + 6; run++) {
        sim_net net = { .rate_bps = 5000000, .delay_us = PL_MS(20) };
        call *c = call_new(run, &net, &(pl_cc_conf){ .start_bps = 300000, .max_bps = 3000000 });
        c->encoder_max_bps = 150000;
        sim_link_blackout(c->forth, c->now_us + PL_SEC(9)); /* all first bursts are lost */
        call_run(c, 45);
        expect(c, run, "target on a wide path", c->target_bps[45], 2000000, 3000000);
        call_free(c);
        net.rate_bps = 500000;
        net.queue_bytes = 62500;
        c = call_new(run, &net, &(pl_cc_conf){ .start_bps = 300000, .max_bps = 3000000 });
        c->encoder_max_bps = 150000;
        call_run(c, 60);
        expect(c, run, "target on a narrow path", c->target_bps[60], 200000, 700000);
        expect(c, run, "its queue", median_queue_us(c, 20, 60), 0, PL_MS(60));
        call_free(c);
    }
}

PL_TEST(backs_off_and_recovers)
{
    uint64_t seed = pl_test_seed(1);
    for (uint64_t run = seed; run < seed + 6; run++) {
        sim_net net = { .rate_bps = 2000000, .delay_us = PL_MS(40), .queue_bytes = 125000 };
        call *c = call_new(run, &net, &(pl_cc_conf){ .start_bps = 500000 });
        call_run(c, 30);
        expect(c, run, "goodput before", goodput_bps(c, 15, 30), 1400000, 2100000);
        net.rate_bps = 1000000;
        sim_link_set(c->forth, &net);
        call_run(c, 30);
        expect(c, run, "goodput at half", goodput_bps(c, 36, 60), 700000, 1050000);
        expect(c, run, "queue while adapting", worst_queue_us(c, 31, 36), 0,
               PL_MS(1100)); /* what it can hold */
        expect(c, run, "queue after adapting", worst_queue_us(c, 36, 60), 0, PL_MS(400));
        net.rate_bps = 2000000;
        sim_link_set(c->forth, &net);
        call_run(c, 40);
        expect(c, run, "goodput after", goodput_bps(c, 85, 100), 1300000, 2100000);
        call_free(c);
    }
}

PL_TEST(some_loss_is_not_congestion_much_is)
{
    uint64_t seed = pl_test_seed(1);
    for (uint64_t run = seed; run < seed + 6; run++) {
        sim_net net = { .rate_bps = 2000000, .delay_us = PL_MS(30), .jitter_us = PL_MS(3), .loss = 0.04 };
        call *c = call_new(run, &net, &(pl_cc_conf){ .start_bps = 300000 });
        call_run(c, 40);
        expect(c, run, "goodput with 4 % loss", goodput_bps(c, 20, 40), 1200000, 2100000);
        net.loss = 0.30;
        sim_link_set(c->forth, &net);
        call_run(c, 20);
        expect(c, run, "target with 30 % loss", c->target_bps[60], 30000, 500000);
        net.loss = 0;
        sim_link_set(c->forth, &net);
        call_run(c, 60);
        expect(c, run, "goodput afterwards", goodput_bps(c, 105, 120), 1000000, 2100000);
        call_free(c);
    }
}

PL_TEST(an_encoder_that_does_not_use_it_earns_no_rate)
{
    sim_net net = { .rate_bps = 10000000, .delay_us = PL_MS(30) };
    call *c = call_new(pl_test_seed(1), &net, &(pl_cc_conf){ .start_bps = 300000, .max_bps = 900000 });
    c->encoder_max_bps = 200000;
    call_run(c, 60);
    expect(c, 1, "target", c->target_bps[60], 200000, 900000);
    expect(c, 1, "goodput", goodput_bps(c, 10, 60), 180000, 260000);
    call_free(c);
}

PL_TEST(silence_of_the_peer_is_congestion)
{
    sim_net net = { .rate_bps = 3000000, .delay_us = PL_MS(30) };
    call *c = call_new(pl_test_seed(1), &net, &(pl_cc_conf){ .start_bps = 1000000 });
    call_run(c, 10);
    int64_t before_bps = c->target.rate_bps;
    sim_link_blackout(c->forth, c->now_us + PL_SEC(6));
    call_run(c, 6);
    expect(c, 1, "target in the dark", c->target.rate_bps, 30000, before_bps / 4);
    call_run(c, 30);
    expect(c, 1, "target afterwards", c->target.rate_bps, before_bps / 2, 20000000);
    call_free(c);
}

PL_TEST(receiver_reports_alone_suffice)
{
    uint64_t seed = pl_test_seed(1);
    for (uint64_t run = seed; run < seed + 6; run++) {
        sim_net net = { .rate_bps = 1000000, .delay_us = PL_MS(30), .queue_bytes = 20000 };
        call *c = call_new(run, &net, &(pl_cc_conf){ .start_bps = 300000, .max_bps = 5000000 });
        c->has_feedback = false;
        call_run(c, 90);
        /* loss shows only when the queue is full: coarser, and a seventh of what is sent may be lost */
        expect(c, run, "goodput", goodput_bps(c, 40, 90), 700000, 1050000);
        call_free(c);
    }
}

PL_TEST(estimates_of_the_receiver_and_limits_are_obeyed)
{
    pl_cc cc;
    pl_cc_target target;
    pl_cc_init(&cc, &(pl_cc_conf){ 0 }, 0);
    PL_OKAY(pl_cc_poll(&cc, &target));
    PL_EQ(target.rate_bps, 300000);
    PL_GE(target.pacing_bps, target.rate_bps);
    PL_OKAY(!pl_cc_poll(&cc, &target));
    pl_cc_remb(&cc, 0, 100000);
    PL_OKAY(pl_cc_poll(&cc, &target));
    PL_EQ(target.rate_bps, 100000);
    pl_cc_remb(&cc, 0, 0);
    pl_cc_remb(&cc, 0, 102000); /* a fiftieth more is not worth telling */
    PL_OKAY(!pl_cc_poll(&cc, &target));
    pl_cc_remb(&cc, 0, 2000000);
    PL_OKAY(pl_cc_poll(&cc, &target));
    PL_EQ(target.rate_bps, 300000);
    for (int i = 1; i <= 60; i++) /* without packets nothing is proved */
        pl_cc_report(&cc, PL_SEC(i), 0, 100);
    PL_OKAY(!pl_cc_poll(&cc, &target));
    for (int ms = 0; ms < 60000; ms++) {
        pl_cc_sent(&cc, PL_SEC(60) + PL_MS(ms), 250);
        if (ms % 1000 == 999)
            pl_cc_report(&cc, PL_SEC(60) + PL_MS(ms), 0, 100);
    }
    PL_OKAY(pl_cc_poll(&cc, &target));
    PL_EQ(target.rate_bps, 2000000); /* 8 % a second for a minute would be more */
    pl_cc_limits(&cc, 50000, 600000, PL_SEC(120));
    PL_OKAY(pl_cc_poll(&cc, &target));
    PL_EQ(target.rate_bps, 600000);
    for (int i = 121; i <= 300; i++)
        pl_cc_report(&cc, PL_SEC(i), 128, 100);
    PL_OKAY(pl_cc_poll(&cc, &target));
    PL_EQ(target.rate_bps, 50000);
    PL_EQ(target.loss * 100 + 0.5, 50);
    pl_cc_rtt(&cc, PL_SEC(300), PL_MS(80));
    pl_cc_reset(&cc, PL_SEC(301));
    pl_cc_check(&cc);
    PL_OKAY(pl_cc_poll(&cc, &target));
    PL_EQ(target.rate_bps, 300000);
    PL_EQ(target.rtt_us, 0);
}

PL_TEST(results_that_contradict_themselves_do_no_harm)
{
    uint64_t seed = pl_test_seed(1);
    for (uint64_t run = seed; run < seed + 300; run++) {
        pl_rand_seeded state;
        pl_rand rand = pl_rand_seed(&state, run);
        pl_cc cc;
        pl_cc_init(&cc, &(pl_cc_conf){ .max_bps = 10000000 }, 0);
        int64_t now_us = 0;
        for (int i = 0; i < 300; i++) {
            pl_twcc_result res = { .len = pl_rand_below(&rand, 65536),
                                   .probe = (uint8_t)pl_rand_below(&rand, 3) };
            res.sent_us = (int64_t)(pl_rand_u64(&rand) >> (2 + pl_rand_below(&rand, 60)));
            res.arrival_us = (int64_t)pl_rand_u64(&rand) >> (2 + pl_rand_below(&rand, 60));
            if (pl_rand_below(&rand, 5) == 0)
                res.arrival_us = PL_NEVER;
            res.was_lost = pl_rand_below(&rand, 4) == 0;
            now_us += pl_rand_below(&rand, 100000);
            pl_cc_sent(&cc, now_us, 1000);
            pl_cc_result(&cc, &res);
            if (pl_rand_below(&rand, 3) == 0)
                pl_cc_feedback(&cc, now_us);
            pl_cc_probe_ask ask;
            (void)pl_cc_poll_probe(&cc, now_us, &ask);
            pl_cc_tick(&cc, now_us);
            pl_cc_check(&cc);
        }
    }
}

PL_TESTS(t(finds_the_capacity), t(climbs_fast_at_the_start), t(climbs_though_the_first_burst_is_lost),
         t(learns_of_more_while_the_encoder_needs_little), t(backs_off_and_recovers),
         t(some_loss_is_not_congestion_much_is), t(an_encoder_that_does_not_use_it_earns_no_rate),
         t(silence_of_the_peer_is_congestion), t(receiver_reports_alone_suffice),
         t(estimates_of_the_receiver_and_limits_are_obeyed), t(results_that_contradict_themselves_do_no_harm))
