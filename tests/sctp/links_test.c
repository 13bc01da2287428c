/* Long and lossy links in virtual time: how full they are kept, and how they are shared. bench/sctp_links_bench.c prints
 * the whole table beside the other controllers. */
#include "pl_test.h"

#include "base/time.h"
#include "sim/sctp_flows.h"

static void run(sim_flows *out, int64_t mbit, int64_t rtt_ms, double loss, int64_t seconds)
{
    sim_flows_conf conf = { .n = 1,
                            .rate_bps = mbit * 1000000,
                            .rtt_us = PL_MS(rtt_ms),
                            .loss = loss,
                            .from_us = 2 * PL_MS(rtt_ms), /* the association is up */
                            .for_us = 2 * PL_MS(rtt_ms) + PL_SEC(seconds),
                            .seed = pl_test_seed(1) };
    sim_flows_run(out, &conf);
}

static void fills(int64_t mbit, int64_t rtt_ms, double loss, int64_t seconds)
{
    sim_flows f;
    run(&f, mbit, rtt_ms, loss, seconds);
    if (f.utilisation < 0.9)
        fail_msg("%d Mbit/s, %d ms, %.2f %% lost: only %.1f %% used", (int)mbit, (int)rtt_ms, loss * 100,
                 f.utilisation * 100);
    PL_EQ(f.stats[0].timeouts, 0);
}

PL_TEST(links_of_10_mbit_are_filled)
{
    static const int64_t rtts_ms[] = { 1, 20, 100 };
    static const double losses[] = { 0, 0.0001, 0.001 };
    for (size_t i = 0; i < 9; i++)
        fills(10, rtts_ms[i / 3], losses[i % 3], 10);
}

PL_TEST(links_of_100_mbit_are_filled)
{
    static const int64_t rtts_ms[] = { 1, 20, 100 };
    static const double losses[] = { 0, 0.0001, 0.001 };
    for (size_t i = 0; i < 9; i++)
        fills(100, rtts_ms[i / 3], losses[i % 3], 10);
}

PL_TEST(links_of_1000_mbit_are_filled)
{
    fills(1000, 1, 0, 2);
    fills(1000, 1, 0.0001, 2);
    fills(1000, 20, 0, 4);
    fills(1000, 20, 0.0001, 4);
    fills(1000, 100, 0, 10); /* with losses it needs two bandwidth-delay products of window, 25 MB */
}

/* Slow start counts: the ten seconds begin when the association is up. And the receiver's window keeps pace with it, holes
 * or not: what was let out is never turned away. */
PL_TEST(larger_windows_carry_on_where_losses_fill_those_of_16_mib)
{
    sim_flows f;
    sim_flows_conf conf = { .n = 1,
                            .rate_bps = 1000000000,
                            .rtt_us = PL_MS(100),
                            .loss = 0.0001,
                            .from_us = PL_MS(200),
                            .for_us = PL_MS(10200),
                            .recv_buffer_max = 64 << 20,
                            .send_buffer = 64 << 20,
                            .seed = pl_test_seed(1) };
    sim_flows_run(&f, &conf);
    PL_GE(f.utilisation * 100, 90);
    PL_EQ(f.receiver[0].chunks_dropped, 0);
    conf.loss = 0.01;
    conf.for_us = PL_SEC(2);
    sim_flows_run(&f, &conf);
    PL_EQ(f.receiver[0].chunks_dropped, 0);
}

/* Radio links and bad Wi-Fi, SACKs lost as well. */
PL_TEST(seven_to_ten_in_a_hundred_lost_on_long_paths_leave_half)
{
    static const int64_t rtts_ms[] = { 300, 500 };
    static const double losses[] = { 0.07, 0.1 };
    for (size_t i = 0; i < 4; i++) {
        sim_flows f;
        sim_flows_conf conf = { .n = 1,
                                .rate_bps = 10000000,
                                .rtt_us = PL_MS(rtts_ms[i / 2]),
                                .loss = losses[i % 2],
                                .rough = { .loss = losses[i % 2] },
                                .from_us = PL_SEC(20),
                                .for_us = PL_SEC(60),
                                .seed = pl_test_seed(1) };
        sim_flows_run(&f, &conf);
        if (f.utilisation < 0.5)
            fail_msg("%d ms, %.0f %% lost: only %.1f %% used", (int)rtts_ms[i / 2], losses[i % 2] * 100,
                     f.utilisation * 100);
        PL_LE(f.stats[0].timeouts, 2);
    }
}

/* A path that goes dark for up to three seconds again and again, and loses a tenth between: a timeout's doubling ends with the first
 * repair. */
PL_TEST(bursts_of_losses_do_not_stop_it)
{
    sim_flows f;
    sim_flows_conf conf = { .n = 1,
                            .rate_bps = 10000000,
                            .rtt_us = PL_MS(400),
                            .loss = 0.05,
                            .rough = { .loss = 0.05, .burst = 0.002, .burst_us = PL_SEC(3) },
                            .from_us = PL_SEC(1),
                            .for_us = PL_SEC(60),
                            .seed = pl_test_seed(1) };
    sim_flows_run(&f, &conf);
    PL_GE(f.goodput_bps[0], 100000);
}

/* A queue too short to be seen is no path that loses at random: two keep the losses at what it takes to find the rate. */
PL_TEST(short_queues_are_not_taken_for_bad_paths)
{
    sim_flows f;
    sim_flows_conf conf = { .n = 2,
                            .rate_bps = 100000000,
                            .rtt_us = PL_MS(20),
                            .queue = 25000,
                            .from_us = PL_SEC(5),
                            .for_us = PL_SEC(20),
                            .apart_us = PL_SEC(2),
                            .seed = pl_test_seed(1) };
    sim_flows_run(&f, &conf);
    uint64_t sent = f.stats[0].packets_sent + f.stats[1].packets_sent;
    PL_LE(f.n_dropped, sent / 12);
    PL_GE(f.utilisation * 100, 90);
}

PL_TEST(one_in_a_hundred_lost_still_leaves_most)
{
    sim_flows f;
    run(&f, 10, 100, 0.01, 10);
    PL_GE(f.utilisation * 100, 80);
    run(&f, 100, 20, 0.01, 10);
    PL_GE(f.utilisation * 100, 80);
}

static const struct {
    int64_t mbit, rtt_ms;
} shared[] = { { 10, 20 }, { 10, 100 }, { 30, 50 }, { 100, 20 }, { 100, 100 } };

static void share(sim_flows *out, size_t which, unsigned n, bool tcp)
{
    sim_flows_conf conf = { .n = n,
                            .tcp = tcp,
                            .rate_bps = shared[which].mbit * 1000000,
                            .rtt_us = PL_MS(shared[which].rtt_ms),
                            .from_us = PL_SEC(10),
                            .for_us = PL_SEC(60),
                            .apart_us = PL_SEC(2),
                            .seed = pl_test_seed(1) };
    sim_flows_run(out, &conf);
    PL_GE(out->utilisation * 100, 90);
}

PL_TEST(two_share_a_link_evenly)
{
    sim_flows f;
    for (size_t i = 0; i < sizeof shared / sizeof *shared; i++) {
        share(&f, i, 2, false);
        if (f.jain < 0.9)
            fail_msg("%d Mbit/s, %d ms: Jain's index %.2f", (int)shared[i].mbit, (int)shared[i].rtt_ms,
                     f.jain);
    }
}

PL_TEST(beside_tcp_it_takes_between_a_third_and_two)
{
    sim_flows f;
    for (size_t i = 0; i < sizeof shared / sizeof *shared; i++) {
        share(&f, i, 1, true);
        double ours = f.goodput_bps[0] / (f.goodput_bps[0] + f.goodput_bps[SIM_FLOWS_MAX]);
        if (ours < 1 / 3.0 || ours > 2 / 3.0)
            fail_msg("%d Mbit/s, %d ms: %.1f %%", (int)shared[i].mbit, (int)shared[i].rtt_ms, ours * 100);
    }
}

/* A receiver that takes what comes gets the window its path needs; one that does not stays at the first. */
PL_TEST(the_window_grows_with_the_path_and_the_application)
{
    sim_flows f;
    run(&f, 10, 20, 0, 5);
    PL_LE(f.stats[0].peer_rwnd, 2 << 20);
    run(&f, 1000, 100, 0, 3);
    PL_GE(f.stats[0].peer_rwnd, 12 << 20);
    PL_LE(f.stats[0].peer_rwnd, 16 << 20);
}

PL_TESTS(t(links_of_10_mbit_are_filled), t(links_of_100_mbit_are_filled), t(links_of_1000_mbit_are_filled),
         t(larger_windows_carry_on_where_losses_fill_those_of_16_mib),
         t(one_in_a_hundred_lost_still_leaves_most),
         t(seven_to_ten_in_a_hundred_lost_on_long_paths_leave_half), t(bursts_of_losses_do_not_stop_it),
         t(short_queues_are_not_taken_for_bad_paths), t(two_share_a_link_evenly),
         t(beside_tcp_it_takes_between_a_third_and_two),
         t(the_window_grows_with_the_path_and_the_application))
