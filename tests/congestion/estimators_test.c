/* The parts of the controller, one by one. */
#include "pl_test.h"

#include "base/time.h"
#include "congestion/acked.h"
#include "congestion/aimd.h"
#include "congestion/loss.h"
#include "congestion/probe.h"
#include "congestion/trendline.h"

/* n groups of packets 20 ms apart, the one-way delay growing by slope_us with each. */
static int64_t feed(pl_cc_trendline *t, int64_t sent_us, int n, int64_t slope_us, int64_t *delay_us)
{
    for (int i = 0; i < n; i++, sent_us += PL_MS(20)) {
        *delay_us += slope_us;
        for (int k = 0; k < 3; k++)
            pl_cc_trendline_packet(t, sent_us + k * 1000, sent_us + k * 1000 + *delay_us,
                                   sent_us + *delay_us);
    }
    return sent_us;
}

PL_TEST(growing_delay_is_overuse_and_shrinking_is_underuse)
{
    pl_cc_trendline t;
    pl_cc_trendline_init(&t);
    int64_t delay_us = PL_MS(500), sent_us = feed(&t, PL_SEC(1), 100, 0, &delay_us);
    PL_EQ(t.usage, PL_CC_NORMAL);
    PL_EQ(t.trend * 1000, 0);
    sent_us = feed(&t, sent_us, 25, 2000, &delay_us); /* a tenth slower out than in */
    PL_EQ(t.usage, PL_CC_OVERUSE);
    PL_GE(t.trend * 1000, 50);
    PL_LE(t.trend * 1000, 100);
    sent_us = feed(&t, sent_us, 40, 0, &delay_us);
    PL_EQ(t.usage, PL_CC_NORMAL);
    sent_us = feed(&t, sent_us, 25, -2000, &delay_us);
    PL_EQ(t.usage, PL_CC_UNDERUSE);
    /* a clock that drifts by 100 ppm is no queue */
    pl_cc_trendline_init(&t);
    feed(&t, sent_us, 500, 2, &delay_us);
    PL_EQ(t.usage, PL_CC_NORMAL);
    PL_GE(t.threshold_ms, 6);
    PL_LE(t.threshold_ms, 600);
}

PL_TEST(silence_and_reordering_are_no_trend)
{
    pl_cc_trendline t;
    pl_cc_trendline_init(&t);
    int64_t delay_us = PL_MS(50), sent_us = feed(&t, PL_SEC(1), 100, 0, &delay_us);
    delay_us += PL_MS(300); /* another path after ten seconds of silence */
    sent_us = feed(&t, sent_us + PL_SEC(10), 30, 0, &delay_us);
    PL_EQ(t.usage, PL_CC_NORMAL);
    for (int i = 0; i < 30; i++) /* packets of long ago */
        pl_cc_trendline_packet(&t, sent_us - PL_SEC(1), sent_us + i * 1000, sent_us);
    PL_EQ(t.usage, PL_CC_NORMAL);
    PL_EQ(t.n, PL_TREND_WINDOW);
}

PL_TEST(throughput_of_half_a_second)
{
    pl_cc_acked a = { 0 };
    PL_EQ(pl_cc_acked_bps(&a), 0);
    int64_t us = -PL_SEC(1); /* the other side's clock starts anywhere */
    for (; us < PL_SEC(2); us += PL_MS(10)) {
        pl_cc_acked_packet(&a, us, 1250);
        int64_t bps = pl_cc_acked_bps(&a);
        PL_OKAY(bps == 0 ? us < -PL_SEC(1) + PL_MS(150) : bps >= 990000 && bps <= 1030000);
    }
    for (; us < PL_SEC(3); us += PL_MS(20)) /* half of it: seen in full after the window */
        pl_cc_acked_packet(&a, us, 1250);
    PL_LE(llabs(pl_cc_acked_bps(&a) - 500000), 25000);
    pl_cc_acked_packet(&a, us - PL_SEC(1), 60000); /* too late to count */
    pl_cc_acked_packet(&a, us - PL_MS(100), 0);
    PL_LE(llabs(pl_cc_acked_bps(&a) - 500000), 25000);
    pl_cc_acked_packet(&a, us + PL_SEC(5), 1250); /* after silence there is nothing to tell */
    PL_EQ(pl_cc_acked_bps(&a), 0);
}

PL_TEST(aimd_goes_up_by_parts_and_down_to_what_arrived)
{
    pl_cc_aimd a;
    pl_cc_aimd_init(&a, 300000, 30000, 5000000, 0);
    int64_t now_us = 0;
    for (int i = 0; i < 100; i++) /* 8 % a second for 10 s: times 2.16 */
        pl_cc_aimd_update(&a, now_us += PL_MS(100), PL_CC_NORMAL, a.rate_bps, PL_MS(50));
    PL_LE(llabs(a.rate_bps - 640000), 10000);
    pl_cc_aimd_update(&a, now_us += PL_MS(100), PL_CC_OVERUSE, 600000, PL_MS(50));
    PL_EQ(a.rate_bps, 510000);
    pl_cc_aimd_update(&a, now_us += PL_MS(20), PL_CC_OVERUSE, 500000, PL_MS(50)); /* within a round trip */
    PL_EQ(a.rate_bps, 510000);
    pl_cc_aimd_update(&a, now_us += PL_MS(20), PL_CC_OVERUSE, 200000, PL_MS(50)); /* but this is far off */
    PL_EQ(a.rate_bps, 170000);
    pl_cc_aimd_update(&a, now_us += PL_MS(20), PL_CC_UNDERUSE, 200000, PL_MS(50));
    PL_EQ(a.rate_bps, 170000);
    /* near the known capacity: a packet per response time, 170000/30 bits in 150 ms, 38 kbit/s a second */
    int64_t before_bps = a.rate_bps;
    for (int i = 0; i <= 10; i++)
        pl_cc_aimd_update(&a, now_us += PL_MS(100), PL_CC_NORMAL, a.rate_bps, PL_MS(50));
    PL_LE(llabs(a.rate_bps - before_bps - 42000), 8000);
    /* what was not sent proves nothing */
    for (int i = 0; i < 1000; i++)
        pl_cc_aimd_update(&a, now_us += PL_MS(100), PL_CC_NORMAL, 150000, PL_MS(50));
    PL_LE(a.rate_bps, 150000 * 3 / 2 + 10000);
    /* nothing arrives any more */
    pl_cc_aimd_update(&a, now_us += PL_SEC(1), PL_CC_OVERUSE, 0, 0);
    PL_LE(a.rate_bps, 120000);
    for (int i = 0; i < 20; i++)
        pl_cc_aimd_update(&a, now_us += PL_SEC(1), PL_CC_OVERUSE, 0, 0);
    PL_EQ(a.rate_bps, 30000);
    pl_cc_aimd_set(&a, now_us, 99000000);
    PL_EQ(a.rate_bps, 5000000);
}

PL_TEST(loss_limits_only_when_there_is_much)
{
    pl_cc_loss l;
    pl_cc_loss_init(&l, 300000, 30000, 5000000, 0);
    l.limiting = false;
    int64_t now_us = 0;
    for (int i = 0; i < 50; i++) { /* 5 %: rides along with the other estimate */
        pl_cc_loss_count(&l, 100, 5);
        pl_cc_loss_update(&l, now_us += PL_MS(500), PL_MS(50), 1000000);
        PL_EQ(l.rate_bps, 1000000);
    }
    PL_LE(llabs((int64_t)(l.fraction * 1000) - 50), 1);
    for (int i = 0; i < 10; i++) {
        pl_cc_loss_count(&l, 100, 20);
        pl_cc_loss_update(&l, now_us += PL_MS(500), PL_MS(50), 1000000);
    }
    PL_LE(l.rate_bps, 500000);
    PL_OKAY(l.limiting);
    int64_t low_bps = l.rate_bps;
    for (int i = 0; i < 10; i++) {
        pl_cc_loss_count(&l, 100, 5);
        pl_cc_loss_update(&l, now_us += PL_MS(500), PL_MS(50), 1000000);
    }
    PL_GE(l.rate_bps, low_bps * 7 / 10); /* held, once the share has come down */
    low_bps = l.rate_bps;
    pl_cc_loss_set(&l, low_bps + 1000);
    PL_EQ(l.rate_bps, low_bps + 1000);
    for (int i = 0; i < 60; i++) {
        pl_cc_loss_count(&l, 100, 0);
        pl_cc_loss_update(&l, now_us += PL_MS(500), PL_MS(50), 1000000);
    }
    PL_EQ(l.rate_bps, 1000000);
    PL_OKAY(!l.limiting);
    /* a few packets say nothing, and one that comes after all is no loss */
    pl_cc_loss_count(&l, 19, 19);
    pl_cc_loss_update(&l, now_us + PL_SEC(1), PL_MS(50), 1000000);
    PL_EQ(l.rate_bps, 1000000);
    for (int i = 0; i < 19; i++)
        pl_cc_loss_late(&l);
    pl_cc_loss_late(&l);
    PL_EQ(l.n_lost, 0);
}

/* A burst of n packets of 1000 bytes, sent 4 ms apart, arriving gap_us apart. */
static int64_t burst(pl_cc_probe *p, int n, int64_t gap_us)
{
    pl_cc_probe_ask ask;
    pl_cc_probe_want(p, 0, 2000000);
    PL_OKAY(pl_cc_probe_poll(p, PL_SEC(100) * (1 + p->last_cluster), &ask));
    PL_EQ(ask.bytes, 5000);
    PL_OKAY(ask.cluster != 0);
    for (int i = 0; i < n; i++) {
        pl_cc_probe_packet(p, 0, 0, 0, 9000); /* not of the burst */
        pl_cc_probe_packet(p, ask.cluster, i * 4000, PL_SEC(9) + i * gap_us, 1000);
    }
    return pl_cc_probe_result(p, p->asked_us + 1000);
}

PL_TEST(bursts_measure_the_path)
{
    pl_cc_probe p = { 0 };
    pl_cc_probe_ask ask;
    PL_OKAY(!pl_cc_probe_poll(&p, PL_SEC(1), &ask));
    PL_EQ(pl_cc_probe_next_us(&p), PL_NEVER);
    PL_EQ(burst(&p, 5, 4000), 2000000); /* all that was asked for */
    PL_EQ(burst(&p, 5, 8000), 950000);  /* 1 Mbit/s, and a little less than that lasts */
    PL_EQ(burst(&p, 5, 1000), 0);       /* bunched up */
    PL_EQ(burst(&p, 5, 0), 0);
    PL_EQ(burst(&p, 3, 4000), 0); /* not complete */
    PL_OKAY(p.cluster != 0);
    pl_cc_probe_want(&p, 0, 3000000);
    PL_EQ(pl_cc_probe_next_us(&p), p.asked_us + PL_PROBE_TIMEOUT_US);
    PL_EQ(pl_cc_probe_result(&p, p.asked_us + PL_PROBE_TIMEOUT_US), 0);
    PL_EQ(p.cluster, 0);
    for (int i = 0; i < 600; i++) /* the cluster's byte wraps and is never 0 */
        PL_EQ(burst(&p, 5, 4000), 2000000);
}

PL_TESTS(t(growing_delay_is_overuse_and_shrinking_is_underuse), t(silence_and_reordering_are_no_trend),
         t(throughput_of_half_a_second), t(aimd_goes_up_by_parts_and_down_to_what_arrived),
         t(loss_limits_only_when_there_is_much), t(bursts_measure_the_path))
