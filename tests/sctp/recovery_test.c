/* Losses found by time, the tail probed, and wrong conclusions taken back (RFC 8985, 5682, 3708 in SCTP's terms). */
#include "pl_test.h"

#include "pair.h"

static uint8_t data[100000];

static void take(pair *p, int at, const pl_sctp_msg *m)
{
    (void)p, (void)at, (void)m;
}

static void up(pair *p, const sim_net *net)
{
    pair_init(p, NULL, NULL, net, pl_test_seed(1));
    p->on_message = take;
    pair_connect(p);
    for (int i = 0; i < 8;
         i++) { /* round trips, so that the RTT is known; packets in pairs, so that no SACK waits */
        PL_EQ(pl_sctp_send(p->end[0], p->now_us, 0, 53, data, 4600, NULL), PL_OK);
        pair_run(p, p->now_us + PL_MS(300));
    }
}

static pl_sctp_stats stats_of(const pair *p)
{
    pl_sctp_stats stats;
    pl_sctp_get_stats(p->end[0], &stats);
    return stats;
}

static void drop_packets(pair *p, int n)
{
    static uint8_t packet[2048];
    size_t len;
    while (n-- > 0)
        PL_OKAY(pl_sctp_poll_output(p->end[0], p->now_us, packet, sizeof packet, &len));
}

static void send_packets(pair *p, int n)
{
    static uint8_t packet[2048];
    size_t len;
    while (n-- > 0) {
        PL_OKAY(pl_sctp_poll_output(p->end[0], p->now_us, packet, sizeof packet, &len));
        sim_link_send(p->link[0], p->now_us, NULL, packet, len);
    }
}

static void run_until_acknowledged(pair *p)
{
    for (int i = 0; i < 10000 && pl_sctp_buffered_total(p->end[0]) > 0; i++)
        pair_run(p, p->now_us + PL_MS(1));
    PL_EQ(pl_sctp_buffered_total(p->end[0]), 0);
}

PL_TEST(a_lost_tail_is_probed_after_two_round_trips) /* RFC 8985 7.3 */
{
    pair p;
    sim_net net = { .delay_us = PL_MS(20) };
    up(&p, &net);
    PL_EQ(pl_sctp_send(p.end[0], p.now_us, 0, 53, data, 6900, NULL), PL_OK);
    int64_t sent_us = p.now_us;
    send_packets(&p, 4);
    drop_packets(&p, 2);
    run_until_acknowledged(&p);
    pl_sctp_stats stats = stats_of(&p);
    PL_EQ(stats.timeouts, 0);
    PL_EQ(stats.probes, 1);
    PL_EQ(stats.chunks_retransmitted, 2);
    PL_LE(p.now_us - sent_us,
          PL_MS(5 * 40 + 10)); /* what arrived is heard, two of waiting, the probe's, its neighbour's */
    pair_clear(&p);
}

PL_TEST(a_probe_in_vain_does_not_shrink_the_window)
{
    pair p;
    sim_net net = { .delay_us = PL_MS(20) }, slow = { .delay_us = PL_MS(20 + 110) };
    up(&p, &net);
    size_t cwnd = stats_of(&p).cwnd;
    sim_link_set(p.link[0], &slow);
    PL_EQ(pl_sctp_send(p.end[0], p.now_us, 0, 53, data, 6900, NULL), PL_OK);
    send_packets(&p, 6);
    run_until_acknowledged(&p);
    pair_run(&p, p.now_us + PL_SEC(1));
    pl_sctp_stats stats = stats_of(&p);
    PL_EQ(stats.probes, 1);
    PL_EQ(stats.timeouts, 0);
    PL_GE(stats.cwnd, cwnd);
    pair_clear(&p);
}

PL_TEST(a_timeout_that_was_a_delay_is_taken_back) /* RFC 5682 */
{
    pair p;
    sim_net net = { .delay_us = PL_MS(20) }, slow = { .delay_us = PL_MS(600) };
    up(&p, &net);
    size_t cwnd = stats_of(&p).cwnd;
    sim_link_set(p.link[0], &slow);
    PL_EQ(pl_sctp_send(p.end[0], p.now_us, 0, 53, data, 9000, NULL), PL_OK);
    send_packets(&p, 8);
    run_until_acknowledged(&p);
    pair_run(&p, p.now_us + PL_SEC(2));
    pl_sctp_stats stats = stats_of(&p);
    PL_GE(stats.timeouts, 1);
    PL_GE(stats.undone, 1);
    PL_GE(stats.cwnd, cwnd);
    PL_LE(stats.chunks_retransmitted, 4); /* the probe and what the timeouts resent, not all of it */
    pair_clear(&p);
}

PL_TEST(reordering_widens_the_window_and_is_forgiven) /* RFC 8985 6.2, RFC 9260 3.3.4 */
{
    pair p;
    sim_net net = { .delay_us = PL_MS(20), .rate_bps = 20000000, .reorder = 0.05, .reorder_us = PL_MS(8) };
    up(&p, &net);
    for (int i = 0; i < 40; i++) {
        PL_EQ(pl_sctp_send(p.end[0], p.now_us, 0, 53, data, sizeof data, NULL), PL_OK);
        pair_run(&p, p.now_us + PL_MS(50));
    }
    run_until_acknowledged(&p);
    pl_sctp_stats stats = stats_of(&p);
    PL_EQ(stats.timeouts, 0);
    PL_GE(stats.undone, 1);
    PL_LE(stats.chunks_retransmitted * 50,
          stats.chunks_sent); /* one in twenty came late; three would be counted each */
    pair_clear(&p);
}

PL_TEST(a_lost_retransmission_is_found_without_a_timeout)
{
    pair p;
    sim_net net = { .delay_us = PL_MS(20) };
    up(&p, &net);
    PL_EQ(pl_sctp_send(p.end[0], p.now_us, 0, 53, data, 30000, NULL), PL_OK);
    drop_packets(&p, 1);
    pair_run(&p, p.now_us + PL_MS(30)); /* others are on their way, their SACKs too */
    sim_net dark = { .delay_us = PL_MS(20), .loss = 1 };
    while (stats_of(&p).chunks_retransmitted == 0) {
        sim_link_set(p.link[0], &dark);
        pair_run(&p, p.now_us + 1);
        sim_link_set(p.link[0], &net);
    }
    for (int i = 0; i < 5; i++) {
        PL_EQ(pl_sctp_send(p.end[0], p.now_us, 0, 53, data, 30000, NULL), PL_OK);
        pair_run(&p, p.now_us + PL_MS(20));
    }
    run_until_acknowledged(&p);
    PL_EQ(stats_of(&p).timeouts, 0);
    PL_GE(stats_of(&p).chunks_retransmitted, 2);
    pair_clear(&p);
}

PL_TESTS(t(a_lost_tail_is_probed_after_two_round_trips), t(a_probe_in_vain_does_not_shrink_the_window),
         t(a_timeout_that_was_a_delay_is_taken_back), t(reordering_widens_the_window_and_is_forgiven),
         t(a_lost_retransmission_is_found_without_a_timeout))
