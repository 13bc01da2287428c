/* The controller that yields, and what is asked of a running association: another controller, a bound on its rate. */
#include "pl_test.h"

#include "base/time.h"
#include "pair.h"
#include "sim/sctp_flows.h"

static const struct {
    int64_t mbit, rtt_ms;
} path[] = { { 10, 50 }, { 10, 100 }, { 30, 20 }, { 100, 20 } };
enum { N_PATHS = sizeof path / sizeof *path };

static void run(sim_flows *out, size_t which, unsigned n, bool tcp, double loss)
{
    sim_flows_conf conf = { .n = n,
                            .tcp = tcp,
                            .rate_bps = path[which].mbit * 1000000,
                            .rtt_us = PL_MS(path[which].rtt_ms),
                            .loss = loss,
                            .from_us = PL_SEC(10),
                            .for_us = PL_SEC(60),
                            .apart_us = PL_SEC(2),
                            .congestion = PL_SCTP_CONGESTION_LEDBAT,
                            .others = tcp     ? 0
                                      : n > 1 ? PL_SCTP_CONGESTION_LEDBAT
                                              : 0,
                            .seed = pl_test_seed(1) };
    sim_flows_run(out, &conf);
}

PL_TEST(alone_it_fills_the_link_and_keeps_the_queue_at_its_target)
{
    sim_flows f;
    for (size_t i = 0; i < N_PATHS; i++) {
        run(&f, i, 1, false, 0);
        PL_GE(f.utilisation * 100, 90); /* a tenth of the time goes to slowdowns */
        PL_LE(f.queue_us, PL_MS(path[i].rtt_ms) * 6 / 10);
    }
}

PL_TEST(a_loss_at_times_does_not_stop_it)
{
    sim_flows f;
    run(&f, 3, 1, false, 0.001);
    PL_GE(f.utilisation * 100, 65);
}

PL_TEST(two_of_them_are_fair)
{
    sim_flows f;
    for (size_t i = 0; i < N_PATHS; i++) {
        run(&f, i, 2, false, 0);
        PL_GE(f.jain * 100, 95);
        PL_GE(f.utilisation * 100, 90);
    }
}

PL_TEST(beside_cubic_it_takes_a_few_per_cent)
{
    sim_flows f;
    for (size_t i = 0; i < N_PATHS; i++) {
        run(&f, i, 1, true, 0);
        double ours = f.goodput_bps[0] / (f.goodput_bps[0] + f.goodput_bps[SIM_FLOWS_MAX]);
        if (ours > 0.06)
            fail_msg("%d Mbit/s, %d ms: %.1f %%", (int)path[i].mbit, (int)path[i].rtt_ms, ours * 100);
        PL_GE(f.utilisation * 100, 95);
    }
}

PL_TEST(it_yields_to_our_default_too)
{
    sim_flows f;
    sim_flows_conf conf = { .n = 2,
                            .rate_bps = 30000000,
                            .rtt_us = PL_MS(50),
                            .from_us = PL_SEC(10),
                            .for_us = PL_SEC(40),
                            .apart_us = PL_SEC(3),
                            .congestion = PL_SCTP_CONGESTION_LEDBAT,
                            .others = PL_SCTP_CONGESTION_CUBIC_BDP,
                            .seed = pl_test_seed(1) };
    sim_flows_run(&f, &conf); /* it was first, and had the link */
    PL_LE(f.goodput_bps[0] * 100 / (f.goodput_bps[0] + f.goodput_bps[1]), 6);
}

/* --- at run time --- */

static size_t got;

static void count(pair *p, int at, const pl_sctp_msg *m)
{
    (void)p;
    got += at == 1 ? m->len : 0;
}

static void begin(pair *p)
{
    static const sim_net net = { .rate_bps = 20000000, .delay_us = 10000, .queue_bytes = 100000 };
    got = 0;
    pair_init(p, NULL, NULL, &net, pl_test_seed(7));
    p->on_message = count;
    pair_connect(p);
}

static void keep_busy(pair *p, int64_t for_us)
{
    static const uint8_t message[16384];
    for (int64_t end_us = p->now_us + for_us; p->now_us < end_us;) {
        while (pl_sctp_buffered_total(p->end[0]) < 1 << 20)
            PL_EQ(pl_sctp_send(p->end[0], p->now_us, 0, 53, message, sizeof message, NULL), PL_OK);
        pair_run(p, p->now_us + PL_MS(10));
    }
}

PL_TEST(the_controller_changes_while_it_sends)
{
    static const pl_sctp_congestion order[] = { PL_SCTP_CONGESTION_BBR, PL_SCTP_CONGESTION_LEDBAT,
                                                PL_SCTP_CONGESTION_RENO, PL_SCTP_CONGESTION_CUBIC,
                                                PL_SCTP_CONGESTION_DEFAULT };
    pair p;
    pl_sctp_stats s;
    begin(&p);
    p.check = true;
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        size_t before = got;
        pl_sctp_set_congestion(p.end[0], p.now_us, order[i]);
        keep_busy(&p, PL_SEC(2));
        pl_sctp_get_stats(p.end[0], &s);
        PL_EQ(s.congestion, order[i]);
        PL_GE(got - before, 2500000 * 2 * 6 / 10); /* of what the link carries */
    }
    pair_clear(&p);
}

PL_TEST(a_bound_holds_the_rate_and_lets_go)
{
    pair p;
    begin(&p);
    keep_busy(&p, PL_SEC(1));
    pl_sctp_set_rate(p.end[0], p.now_us, 200000);
    keep_busy(&p, PL_SEC(1)); /* what was under way arrives */
    size_t before = got;
    keep_busy(&p, PL_SEC(5));
    PL_GE(got - before, 900000);
    PL_LE(got - before, 1050000);
    pl_sctp_set_rate(p.end[0], p.now_us, 0);
    keep_busy(&p, PL_SEC(1));
    before = got;
    keep_busy(&p, PL_SEC(2));
    PL_GE(got - before, 4000000);
    pair_clear(&p);
}

PL_TESTS(t(alone_it_fills_the_link_and_keeps_the_queue_at_its_target), t(a_loss_at_times_does_not_stop_it),
         t(two_of_them_are_fair), t(beside_cubic_it_takes_a_few_per_cent), t(it_yields_to_our_default_too),
         t(the_controller_changes_while_it_sends), t(a_bound_holds_the_rate_and_lets_go))
