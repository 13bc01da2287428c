/* The controllers, slow start, the pacer and the window by themselves. */
#include "pl_test.h"

#include "base/time.h"
#include "sctp/congestion.h"
#include "sctp/hystart.h"
#include "sctp/pacer.h"
#include "sctp/rto.h"
#include "sctp/window.h"

enum { MTU = 1000 };

/* A path that carries `window` a round trip, told SACK by SACK of two packets. */
typedef struct path {
    pl_sctp_cc cc;
    pl_sctp_cc_ack ack;
} path;

static void path_init(path *p, const pl_sctp_cc_ops *ops, int64_t rtt_us)
{
    pl_sctp_cc_init(&p->cc, ops, MTU);
    p->ack = (pl_sctp_cc_ack){ .now_us = PL_SEC(1),
                               .rtt_us = rtt_us,
                               .srtt_us = rtt_us,
                               .min_rtt_us = rtt_us,
                               .acked = 2 * MTU,
                               .cum_advanced = true,
                               .backlog = true };
}

static void acked(path *p)
{
    p->ack.flight_before = p->cc.cwnd;
    p->ack.flight_after = p->cc.cwnd - p->ack.acked;
    pl_sctp_cc_acked(&p->cc, &p->ack);
    p->ack.lost = 0;
}

/* So long, at a window a round trip. */
static void runs(path *p, int64_t for_us)
{
    for (int64_t end_us = p->ack.now_us + for_us; p->ack.now_us < end_us;) {
        p->ack.now_us += (int64_t)(p->ack.acked * (uint64_t)p->ack.rtt_us / p->cc.cwnd);
        acked(p);
    }
}

static void loses(path *p)
{
    pl_sctp_cc_save(&p->cc);
    p->cc.ops->lost(&p->cc, p->ack.now_us);
}

PL_TEST(cubic_is_back_at_its_plateau_after_k) /* RFC 9438 4.2, 4.6 */
{
    path p;
    path_init(&p, &pl_sctp_cc_cubic, PL_MS(100));
    p.cc.cwnd = 1000 * MTU;
    p.cc.ssthresh = 0;
    loses(&p);
    PL_EQ(p.cc.cwnd, 700 * MTU);
    /* K = cbrt(300 / 0.4) = 9.086 s */
    runs(&p, PL_MS(4500));
    PL_GE(p.cc.cwnd, 950 * MTU); /* 1000 - 0.4 * 4.59^3 = 961 */
    PL_LE(p.cc.cwnd, 972 * MTU);
    runs(&p, PL_MS(4586));
    PL_GE(p.cc.cwnd, 990 * MTU);
    PL_LE(p.cc.cwnd, 1010 * MTU);
    runs(&p, PL_MS(5000));
    PL_GE(p.cc.cwnd, 1040 * MTU); /* 0.4 * 5^3 = 50 above it */
    PL_LE(p.cc.cwnd, 1060 * MTU);
}

PL_TEST(cubic_grows_no_slower_than_reno_on_short_paths) /* 4.3 */
{
    path p;
    path_init(&p, &pl_sctp_cc_cubic, PL_MS(5));
    p.cc.cwnd = 30 * MTU;
    p.cc.ssthresh = 0;
    loses(&p);
    PL_EQ(p.cc.cwnd, 21 * MTU);
    runs(&p, PL_MS(100));
    PL_GE(p.cc.cwnd, 30 * MTU); /* 20 round trips, 0.53 packets each */
    PL_LE(p.cc.cwnd, 34 * MTU);
}

PL_TEST(cubic_leaves_room_when_it_loses_below_its_plateau) /* 4.7 */
{
    path p;
    path_init(&p, &pl_sctp_cc_cubic, PL_MS(100));
    p.cc.cwnd = 1000 * MTU;
    p.cc.ssthresh = 0;
    loses(&p);
    loses(&p);
    PL_EQ((p.cc.cwnd + MTU / 2) / MTU, 490);
    PL_EQ((long)(p.cc.u.cubic.w_max + 0.5), 595 * MTU); /* 700 * 1.7 / 2 */
    p.cc.ops->timeout(&p.cc, p.ack.now_us);
    PL_EQ(p.cc.cwnd, MTU);
    pl_sctp_cc_undo(&p.cc);
    PL_EQ(p.cc.cwnd, 700 * MTU); /* the last window that was saved */
}

PL_TEST(hystart_slows_down_when_the_delay_grows_and_forgives_jitter) /* RFC 9406 4.2 */
{
    pl_sctp_hystart h;
    pl_sctp_hystart_init(&h);
    pl_sctp_cc_ack ack = { .acked = 2 * MTU, .rtt_us = PL_MS(40) };
    bool done;
    for (int i = 0; i < 20; i++)
        PL_EQ(pl_sctp_hystart_growth(&h, &ack, i % 10 == 0, &done), 2 * MTU);
    ack.rtt_us = PL_MS(46); /* 40 and an eighth */
    for (int i = 0; i < 7; i++)
        PL_EQ(pl_sctp_hystart_growth(&h, &ack, i == 0, &done), 2 * MTU);
    PL_EQ(pl_sctp_hystart_growth(&h, &ack, false, &done), 2 * MTU / 4);
    ack.rtt_us = PL_MS(41);
    for (int i = 0; i < 8; i++)
        (void)pl_sctp_hystart_growth(&h, &ack, i == 0, &done);
    PL_EQ(pl_sctp_hystart_growth(&h, &ack, false, &done), 2 * MTU); /* it was jitter */
    ack.rtt_us = PL_MS(60);
    for (int i = 0, rounds = 0; rounds < 6; i++) {
        (void)pl_sctp_hystart_growth(&h, &ack, i % 10 == 0, &done);
        rounds += i % 10 == 0;
        PL_EQ(done, i == 50); /* five rounds of it */
    }
}

PL_TEST(a_loss_without_a_queue_is_only_repaired)
{
    path p;
    path_init(&p, &pl_sctp_cc_cubic_bdp, PL_MS(100));
    p.cc.cwnd = 500 * MTU;
    p.cc.ssthresh = 0;
    runs(&p, PL_MS(300));
    size_t before = p.cc.cwnd;
    p.ack.lost = MTU;
    p.ack.in_recovery = true;
    loses(&p);
    acked(&p);
    PL_GE(p.cc.cwnd, before);
    runs(&p, PL_MS(100)); /* and grows on meanwhile, by an eighth a round trip */
    PL_GE(p.cc.cwnd, before + before / 10);
    PL_LE(p.cc.cwnd, before + before / 6);
}

PL_TEST(a_loss_with_a_queue_or_many_give_way_but_not_below_the_path)
{
    path p;
    path_init(&p, &pl_sctp_cc_cubic_bdp, PL_MS(100));
    p.cc.cwnd = 500 * MTU;
    p.cc.ssthresh = 0;
    p.ack.rtt_us = PL_MS(200); /* twice the least: half of the window is queue */
    runs(&p, PL_SEC(1));
    size_t before = p.cc.cwnd;
    p.ack.lost = MTU;
    acked(&p);
    PL_EQ(p.cc.cwnd / MTU, before * 7 / 10 / MTU);
    p.ack.lost = MTU;
    acked(&p);
    PL_EQ(p.cc.cwnd / MTU, before * 7 / 10 / MTU); /* once a round */

    path_init(&p, &pl_sctp_cc_cubic_bdp, PL_MS(100));
    p.cc.cwnd = 500 * MTU;
    p.cc.ssthresh = 0;
    runs(&p, PL_MS(500));
    before = p.cc.cwnd;
    p.ack.lost = before / 20;
    acked(&p);
    PL_LE(p.cc.cwnd, before - 1);
    PL_GE(p.cc.cwnd, pl_sctp_cc_bdp(&p.cc, PL_MS(100)) * 99 / 100);
}

PL_TEST(a_queue_leaves_a_small_window_as_it_is)
{
    path p;
    path_init(&p, &pl_sctp_cc_cubic_bdp, PL_MS(100));
    loses(&p);
    p.cc.ops->timeout(&p.cc, p.ack.now_us);
    PL_EQ(p.cc.cwnd, MTU);
    p.ack.acked = MTU / 20;
    p.ack.rtt_us = PL_MS(300); /* others fill the link */
    for (int i = 0; i < 40; i++) {
        acked(&p);
        PL_GE(p.cc.cwnd, MTU);
    }
    PL_GE(p.cc.ssthresh, PL_SCTP_CC_LEAST * MTU);
}

PL_TEST(the_pacer_keeps_the_rate_in_bursts)
{
    static const uint64_t rates[] = { 10000, 1000000, 12500000, 125000000 };
    for (size_t r = 0; r < 4; r++) {
        pl_sctp_pacer pacer = { 0 };
        uint64_t sent = 0;
        size_t burst = 0, largest = 0;
        int64_t now_us = 0, end_us = PL_SEC(2);
        pl_sctp_pacer_set(&pacer, rates[r], MTU);
        while (now_us < end_us) {
            if (pl_sctp_pacer_open(&pacer, now_us)) {
                pl_sctp_pacer_sent(&pacer, now_us, MTU);
                sent += MTU;
                burst += MTU;
                continue;
            }
            largest = burst > largest ? burst : largest;
            burst = 0;
            now_us = pacer.open_us;
        }
        PL_GE(sent, rates[r] * 2 * 97 / 100 - 2 * MTU);
        PL_LE(sent, rates[r] * 2 * 103 / 100 + PL_SCTP_PACER_MOST * MTU);
        PL_GE(largest, 2 * MTU);
        PL_LE(largest, 2 * PL_SCTP_PACER_MOST * MTU);
    }
    pl_sctp_pacer free_run = { 0 };
    pl_sctp_pacer_sent(&free_run, 0, 1 << 20);
    PL_OKAY(pl_sctp_pacer_open(&free_run, 0));
}

PL_TEST(the_window_follows_what_is_taken_in_a_round_trip)
{
    pl_sctp_window w;
    pl_sctp_window_init(&w, 100000, 1000000, 0);
    for (int64_t now_us = 0; now_us <= PL_SEC(1); now_us += PL_MS(1)) /* 20 kB a round trip */
        pl_sctp_window_taken(&w, 200, 0, now_us, PL_MS(100));
    PL_EQ(w.size, 100000);
    pl_sctp_window_taken(&w, 100000, 0, PL_MS(1100), 0); /* without a round trip to compare with it stays */
    PL_EQ(w.size, 100000);
    for (int64_t now_us = PL_MS(1100); now_us <= PL_MS(2000); now_us += PL_MS(1)) /* 80 kB */
        pl_sctp_window_taken(&w, 800, 0, now_us, PL_MS(100));
    PL_GE(w.size, 320000);
    PL_LE(w.size, 1000000);
    for (int64_t now_us = PL_MS(2000); now_us <= PL_MS(3000); now_us += PL_MS(1))
        pl_sctp_window_taken(&w, 9000, 0, now_us, PL_MS(100));
    PL_EQ(w.size, 1000000); /* the ceiling */
}

PL_TEST(what_waits_for_a_missing_tsn_lets_the_window_grow)
{
    pl_sctp_window w;
    pl_sctp_window_init(&w, 100000, 1000000, 0);
    for (int64_t ms = 1; ms <= 100; ms++)
        pl_sctp_window_taken(&w, 0, (size_t)ms * 800, PL_MS(ms), PL_MS(100));
    PL_EQ(w.size, 320000);
    pl_sctp_window_taken(&w, 80000, 0, PL_MS(200), PL_MS(100)); /* taken at last: nothing new has come */
    PL_EQ(w.size, 320000);
}

/* --- losses that less would not mend --- */

typedef struct lossy {
    pl_sctp_random_loss r;
    bool queued;
} lossy;

/* A hundred round trips of so many packets, of which the path delivers `most` at most, and loses a share besides. */
static void lose(lossy *l, unsigned packets, unsigned most, double share)
{
    for (unsigned round = 0; round < 100; round++) {
        unsigned arrive = (unsigned)(packets * (1 - share));
        arrive = arrive < most ? arrive : most;
        pl_sctp_random_loss_acked(&l->r, (size_t)arrive * MTU, (size_t)(packets - arrive) * MTU, MTU,
                                  (uint64_t)arrive * MTU * 10, l->queued);
    }
}

PL_TEST(losses_that_stay_when_less_is_sent_are_random)
{
    lossy l = { .queued = false };
    lose(&l, 300, 1000, 0.1);
    PL_EQ(l.r.share, 0); /* nothing to compare with */
    lose(&l, 100, 1000, 0.1);
    PL_GE(l.r.share, 95);
    PL_LE(l.r.share, 110);
    lose(&l, 300, 1000, 0.15); /* more is lost when more is sent: that is no more chance */
    PL_LE(l.r.share, 110);
    lose(&l, 100, 1000, 0.01);
    PL_EQ(l.r.share, 0);
}

PL_TEST(losses_that_go_when_less_is_sent_are_not_random)
{
    lossy policer = { .queued = false };
    lose(&policer, 130, 100, 0);
    lose(&policer, 110, 100, 0);
    PL_EQ(policer.r.share, 0);
    lose(&policer, 80, 100, 0);
    PL_EQ(policer.r.share, 0);
    lossy many = { .queued = false };
    lose(&many, 300, 1000, 0.3);
    lose(&many, 100, 1000, 0.3);
    PL_EQ(many.r.share, 0); /* no path is that bad */
    lossy queue = { .queued = true };
    lose(&queue, 300, 1000, 0.1);
    lose(&queue, 100, 1000, 0.1);
    PL_EQ(queue.r.share, 0);
}

/* --- how it begins --- */

PL_TEST(long_paths_begin_with_more)
{
    pl_sctp_cc cc;
    pl_sctp_cc_init(&cc, &pl_sctp_cc_cubic_bdp, MTU);
    pl_sctp_cc_begin(&cc, PL_MS(20));
    PL_EQ(cc.cwnd, 10 * MTU);
    pl_sctp_cc_begin(&cc, PL_MS(50));
    PL_EQ(cc.cwnd, 20 * MTU);
    pl_sctp_cc_init(&cc, &pl_sctp_cc_cubic_bdp, MTU);
    pl_sctp_cc_begin(&cc, PL_MS(600));
    PL_EQ(cc.cwnd, 32 * MTU);
    pl_sctp_cc_init(&cc, &pl_sctp_cc_reno, MTU);
    pl_sctp_cc_begin(&cc, PL_MS(600));
    PL_EQ(cc.cwnd, 10 * MTU);
}

PL_TEST(a_repair_ends_the_doubling_of_the_rto) /* RFC 9260 6.3.3 E2, and the way back */
{
    pl_sctp_rto rto;
    pl_sctp_rto_init(&rto, PL_SEC(1), PL_MS(300), PL_SEC(4));
    pl_sctp_rto_double(&rto);
    pl_sctp_rto_restore(&rto); /* no round trip is known */
    PL_EQ(rto.rto_us, PL_SEC(2));
    pl_sctp_rto_sample(&rto, PL_MS(500));
    int64_t of_path_us = rto.rto_us;
    pl_sctp_rto_double(&rto);
    pl_sctp_rto_double(&rto);
    PL_GE(rto.rto_us, PL_SEC(4));
    pl_sctp_rto_restore(&rto);
    PL_EQ(rto.rto_us, of_path_us);
}

PL_TESTS(t(cubic_is_back_at_its_plateau_after_k), t(cubic_grows_no_slower_than_reno_on_short_paths),
         t(cubic_leaves_room_when_it_loses_below_its_plateau),
         t(hystart_slows_down_when_the_delay_grows_and_forgives_jitter),
         t(a_loss_without_a_queue_is_only_repaired),
         t(a_loss_with_a_queue_or_many_give_way_but_not_below_the_path),
         t(a_queue_leaves_a_small_window_as_it_is), t(the_pacer_keeps_the_rate_in_bursts),
         t(the_window_follows_what_is_taken_in_a_round_trip),
         t(what_waits_for_a_missing_tsn_lets_the_window_grow),
         t(losses_that_stay_when_less_is_sent_are_random), t(losses_that_go_when_less_is_sent_are_not_random),
         t(long_paths_begin_with_more), t(a_repair_ends_the_doubling_of_the_rto))
