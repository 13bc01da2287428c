/* BBR and the samples of the path's rate that it lives by: alone, on a path told SACK by SACK, and on simulated links. */
#include "pl_test.h"

#include "base/time.h"
#include "sctp/congestion.h"
#include "sim/sctp_flows.h"

enum { MTU = 1000 };

/* --- samples (draft-cheng-iccrg-delivery-rate-estimation) --- */

PL_TEST(a_sample_is_what_came_between_sending_and_arrival)
{
    pl_sctp_rate r;
    pl_sctp_rate_mark mark[20];
    pl_sctp_rate_sample s;
    pl_sctp_rate_init(&r);
    for (int i = 0; i < 20; i++) /* a packet a millisecond, ten of them a round trip */
        pl_sctp_rate_sent(&r, &mark[i], PL_MS(i), MTU * (size_t)(i + 1), i == 0);
    for (int i = 0; i < 10; i++)
        pl_sctp_rate_arrived(&r, &mark[i], PL_MS(i), MTU, PL_MS(10 + i));
    pl_sctp_rate_take(&r, PL_MS(19), PL_MS(10), &s);
    PL_OKAY(s.any);
    PL_EQ(s.delivered, 10 * MTU);
    PL_EQ(s.rate, 10 * MTU * 1000000ull / 19000);
    PL_EQ(s.mark, 0);
    PL_EQ(s.flight, 10 * MTU);
    PL_EQ(s.lost_of, 0);
    pl_sctp_rate_take(&r, PL_MS(19), PL_MS(10), &s);
    PL_OKAY(!s.any); /* nothing new */
}

PL_TEST(acknowledgements_in_a_bunch_are_no_fast_path)
{
    pl_sctp_rate r;
    pl_sctp_rate_mark mark[40];
    pl_sctp_rate_sample s;
    pl_sctp_rate_init(&r);
    for (int i = 0; i < 40; i++) {
        pl_sctp_rate_sent(&r, &mark[i], PL_MS(i), MTU, i == 0);
        if (i == 20) { /* the first twenty come at once */
            for (int k = 0; k < 20; k++)
                pl_sctp_rate_arrived(&r, &mark[k], PL_MS(k), MTU, PL_MS(20));
            pl_sctp_rate_take(&r, PL_MS(20), PL_MS(10), &s);
        }
    }
    for (int k = 20; k < 40; k++) /* the rest a round trip later, within no time */
        pl_sctp_rate_arrived(&r, &mark[k], PL_MS(k), MTU, PL_MS(41));
    pl_sctp_rate_take(&r, PL_MS(41), PL_MS(10), &s);
    PL_LE(s.rate, MTU * 1000 * 11 / 10); /* a packet a millisecond is what was sent */
}

PL_TEST(samples_know_what_limits_them)
{
    pl_sctp_rate r;
    pl_sctp_rate_mark mark;
    pl_sctp_rate_sample s;
    pl_sctp_rate_init(&r);
    pl_sctp_rate_limited(&r, 0);
    pl_sctp_rate_sent(&r, &mark, 0, MTU, true);
    pl_sctp_rate_arrived(&r, &mark, 0, MTU, PL_MS(10));
    pl_sctp_rate_take(&r, PL_MS(10), PL_MS(10), &s);
    PL_OKAY(s.limited);
    pl_sctp_rate_sent(&r, &mark, PL_MS(10), MTU, true); /* what was limited has arrived */
    pl_sctp_rate_told(&r, PL_MS(15), false);
    pl_sctp_rate_arrived(&r, &mark, PL_MS(10), MTU, PL_MS(20));
    pl_sctp_rate_take(&r, PL_MS(20), PL_MS(10), &s);
    PL_OKAY(!s.limited);
    PL_OKAY(s.blind); /* sent before a SACK that may have left something out */
    pl_sctp_rate_told(&r, PL_MS(20), true);
    pl_sctp_rate_sent(&r, &mark, PL_MS(21), 50 * MTU, true);
    pl_sctp_rate_lost(&r, &mark, MTU);
    pl_sctp_rate_take(&r, PL_MS(31), PL_MS(10), &s);
    PL_EQ(s.lost_of, MTU);
    PL_EQ(s.lost_flight, 50 * MTU);
}

/* --- the model, told SACK by SACK --- */

/* 10 MB/s, a SACK each millisecond. */
typedef struct path {
    pl_sctp_cc cc;
    int64_t now_us, rtt_us;
    uint64_t total;
} path;

static void path_init(path *p)
{
    pl_sctp_cc_init(&p->cc, &pl_sctp_cc_bbr, MTU);
    p->now_us = PL_SEC(1);
    p->rtt_us = PL_MS(50);
    p->total = 0;
}

static void runs(path *p, int64_t for_us, size_t lost_each)
{
    for (int64_t end_us = p->now_us + for_us; p->now_us < end_us; p->now_us += PL_MS(1)) {
        size_t flight = p->cc.cwnd < 500 * MTU ? p->cc.cwnd : 500 * MTU, acked = flight / 50;
        p->total += acked;
        pl_sctp_cc_ack ack = { .now_us = p->now_us,
                               .rtt_us = p->rtt_us,
                               .srtt_us = p->rtt_us,
                               .min_rtt_us = PL_MS(50),
                               .acked = acked,
                               .lost = lost_each,
                               .flight_before = flight,
                               .flight_after = flight,
                               .cum_advanced = true,
                               .backlog = true };
        ack.rate = (pl_sctp_rate_sample){ .any = true,
                                          .total = p->total,
                                          .rate = acked * 1000,
                                          .delivered = (uint32_t)flight,
                                          .flight = (uint32_t)flight,
                                          .mark = p->total > flight ? p->total - flight : 0,
                                          .lost_of = (uint32_t)(lost_each * 50),
                                          .lost_flight = lost_each ? (uint32_t)flight : 0 };
        pl_sctp_cc_acked(&p->cc, &ack);
    }
}

PL_TEST(startup_ends_when_the_rate_no_longer_grows)
{
    path p;
    path_init(&p);
    runs(&p, PL_MS(60), 0);
    PL_EQ(p.cc.u.bbr.state, PL_SCTP_BBR_STARTUP);
    runs(&p, PL_SEC(2), 0);
    PL_GE(p.cc.u.bbr.state, PL_SCTP_BBR_DOWN);
    PL_EQ(pl_sctp_bbr_max_bw(&p.cc.u.bbr), 10000000);
    PL_EQ(p.cc.u.bbr.min_rtt_us, PL_MS(50));
    PL_GE(p.cc.cwnd, 990 * MTU); /* twice the bandwidth-delay product, and a little for bunches */
    PL_LE(p.cc.cwnd, 1200 * MTU);
    uint64_t pace = pl_sctp_cc_pace(&p.cc, p.rtt_us, PL_MS(50));
    PL_GE(pace, 8900000);
    PL_LE(pace, 12500000);
}

PL_TEST(the_round_trip_is_asked_for_every_five_seconds)
{
    path p;
    path_init(&p);
    runs(&p, PL_SEC(1), 0);
    p.rtt_us = PL_MS(60); /* a queue that others make */
    int64_t small_us = 0;
    for (int i = 0; i < 7000; i++) {
        runs(&p, PL_MS(1), 0);
        if (p.cc.u.bbr.state == PL_SCTP_BBR_PROBE_RTT) {
            small_us += PL_MS(1);
            PL_LE(p.cc.cwnd, 251 * MTU); /* half the product */
        }
    }
    PL_GE(small_us, PL_MS(200));
    PL_LE(small_us, PL_MS(400));
    PL_GE(p.cc.cwnd, 500 * MTU); /* and back */
}

PL_TEST(all_phases_of_the_cycle_come)
{
    path p;
    path_init(&p);
    unsigned seen = 0;
    for (int i = 0; i < 4500; i++) {
        runs(&p, PL_MS(1), 0);
        seen |= 1u << p.cc.u.bbr.state;
    }
    for (int state = PL_SCTP_BBR_DOWN; state <= PL_SCTP_BBR_UP; state++)
        PL_OKAY(seen >> state & 1);
}

PL_TEST(many_losses_bound_the_flight_and_few_do_not)
{
    path p;
    path_init(&p);
    runs(&p, PL_SEC(2), 0);
    runs(&p, PL_SEC(5), 50); /* half a per cent */
    PL_EQ(p.cc.u.bbr.bw_lo, UINT64_MAX);
    PL_GE(p.cc.cwnd, 900 * MTU);
    for (int i = 0; i < 5000 && p.cc.u.bbr.state != PL_SCTP_BBR_CRUISE; i++)
        runs(&p, PL_MS(1), 0);
    runs(&p, PL_MS(200), 500); /* five */
    PL_OKAY(p.cc.u.bbr.bw_lo != UINT64_MAX || p.cc.u.bbr.inflight_hi != UINT64_MAX);
    PL_LE(p.cc.cwnd, 900 * MTU);
}

/* --- on links --- */

static sim_flows_conf link_of(int64_t mbit, int64_t rtt_ms, double loss, int64_t seconds)
{
    return (sim_flows_conf){ .n = 1,
                             .rate_bps = mbit * 1000000,
                             .rtt_us = PL_MS(rtt_ms),
                             .loss = loss,
                             .from_us = 2 * PL_MS(rtt_ms),
                             .for_us = 2 * PL_MS(rtt_ms) + PL_SEC(seconds),
                             .congestion = PL_SCTP_CONGESTION_BBR,
                             .seed = pl_test_seed(1) };
}

static const struct {
    int64_t mbit, rtt_ms, percent;
    double loss;
} cell[] = { { 10, 1, 95, 0 },     { 10, 20, 90, 0.0001 },   { 10, 100, 90, 0.001 },
             { 100, 1, 95, 0.01 }, { 100, 20, 90, 0 },       { 100, 20, 80, 0.01 },
             { 100, 100, 88, 0 },  { 100, 100, 88, 0.0001 }, { 100, 100, 80, 0.01 } };

/* A hundred gaps and more in each SACK: what they tell makes the rate, for a peer that has room for them tells all. */
PL_TEST(long_and_fast_links_are_filled_in_spite_of_losses)
{
    sim_flows f;
    sim_flows_conf conf = link_of(1000, 100, 0.01, 3);
    conf.recv_buffer_max = conf.send_buffer = 64 << 20;
    sim_flows_run(&f, &conf);
    PL_GE(f.utilisation * 100, 45);
    sim_flows_conf longer = link_of(100, 300, 0.01, 10);
    sim_flows_run(&f, &longer);
    PL_GE(f.utilisation * 100, 50);
}

PL_TEST(links_are_filled_with_losses_and_without)
{
    for (size_t i = 0; i < sizeof cell / sizeof *cell; i++) {
        sim_flows f;
        sim_flows_conf conf = link_of(cell[i].mbit, cell[i].rtt_ms, cell[i].loss, 10);
        sim_flows_run(&f, &conf);
        if (f.utilisation * 100 < (double)cell[i].percent)
            fail_msg("%d Mbit/s, %d ms, %.2f %% lost: only %.1f %% used", (int)cell[i].mbit,
                     (int)cell[i].rtt_ms, cell[i].loss * 100, f.utilisation * 100);
    }
}

PL_TEST(the_queue_stays_short)
{
    sim_flows f;
    sim_flows_conf conf = link_of(30, 50, 0, 20);
    conf.from_us = PL_SEC(5);
    sim_flows_run(&f, &conf);
    PL_GE(f.utilisation * 100, 93);
    PL_LE(f.queue_us, PL_MS(15)); /* of 50; a controller that goes by losses keeps 36 */
}

PL_TEST(links_are_shared_with_each_other_and_with_tcp)
{
    static const int64_t mbit[] = { 30, 30, 100 }, rtt_ms[] = { 20, 50, 20 };
    for (size_t i = 0; i < 3; i++) {
        sim_flows f;
        sim_flows_conf conf = link_of(mbit[i], rtt_ms[i], 0, 60);
        conf.from_us = PL_SEC(10);
        conf.apart_us = PL_SEC(2);
        conf.n = 2;
        sim_flows_run(&f, &conf);
        PL_GE(f.jain * 100, 90);
        conf.n = 1;
        conf.tcp = true;
        sim_flows_run(&f, &conf);
        double ours = f.goodput_bps[0] / (f.goodput_bps[0] + f.goodput_bps[SIM_FLOWS_MAX]);
        if (ours < 1 / 3.0 || ours > 0.7)
            fail_msg("%d Mbit/s, %d ms: %.1f %%", (int)mbit[i], (int)rtt_ms[i], ours * 100);
    }
}

PL_TESTS(t(a_sample_is_what_came_between_sending_and_arrival),
         t(acknowledgements_in_a_bunch_are_no_fast_path), t(samples_know_what_limits_them),
         t(startup_ends_when_the_rate_no_longer_grows), t(the_round_trip_is_asked_for_every_five_seconds),
         t(all_phases_of_the_cycle_come), t(many_losses_bound_the_flight_and_few_do_not),
         t(long_and_fast_links_are_filled_in_spite_of_losses), t(links_are_filled_with_losses_and_without),
         t(the_queue_stays_short), t(links_are_shared_with_each_other_and_with_tcp))
