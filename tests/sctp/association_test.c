/* The association rule by rule; each test names the section of RFC 9260 (or another) that it reads. */
#include "pl_test.h"

#include "said.h"

/* --- 5: beginning --- */

PL_TEST(four_packets_and_data_with_the_third) /* 5.1 */
{
    pair p;
    uint8_t packet[2048];
    pair_init(&p, NULL, NULL, NULL, 2);
    say(&p, 0, 0, "early");
    pl_sctp_connect(p.end[0], p.now_us);
    PL_EQ(pl_sctp_get_state(p.end[0]), PL_SCTP_COOKIE_WAIT);
    for (int i = 0; i < 4; i++) {
        size_t len = one_packet(&p, i & 1, packet, sizeof packet);
        static const uint8_t first[] = { PL_SCTP_INIT, PL_SCTP_INIT_ACK, PL_SCTP_COOKIE_ECHO,
                                         PL_SCTP_COOKIE_ACK };
        PL_EQ(packet[12], first[i]);
        PL_EQ(pl_get32(packet + 4) == 0, i == 0); /* 8.5.1 A */
        if (i < 3)
            PL_EQ(pl_sctp_get_state(p.end[1]), PL_SCTP_CLOSED); /* an INIT leaves no trace */
        pl_sctp_input(p.end[1 - (i & 1)], p.now_us, packet, len);
    }
    PL_EQ(pl_sctp_get_state(p.end[0]), PL_SCTP_ESTABLISHED);
    PL_EQ(pl_sctp_get_state(p.end[1]), PL_SCTP_ESTABLISHED);
    hear(&p, 1, "early");
    pair_clear(&p);
}

PL_TEST(handshakes_survive_any_loss) /* 5.1, 5.2.1, 5.2.4 B and D */
{
    for (uint64_t seed = pl_test_seed(1), n = 0; n < 400; n++, seed++) {
        pair p;
        sim_net net = {
            .delay_us = 20000, .jitter_us = 30000, .loss = 0.3, .duplicate = 0.2, .reorder = 0.2
        };
        pair_init(&p, NULL, NULL, &net, seed);
        pl_sctp_connect(p.end[0], p.now_us);
        pair_run(&p, p.now_us + PL_MS(seed % 200));
        pl_sctp_connect(p.end[1], p.now_us);
        for (int i = 0; i < 300 && !(p.connected[0] && p.connected[1]); i++)
            pair_run(&p, p.now_us + PL_SEC(1));
        if (p.connected[0] != 1 || p.connected[1] != 1 || p.restarted[0] || p.restarted[1])
            fail_msg("seed %llu", (unsigned long long)seed);
        say(&p, 0, 0, "a");
        say(&p, 1, 0, "b");
        pair_run(&p, p.now_us + PL_SEC(60));
        hear(&p, 0, "b");
        hear(&p, 1, "a");
        pair_clear(&p);
    }
}

PL_TEST(a_stale_cookie_begins_anew) /* 5.1.5, 5.2.6 */
{
    pair p;
    uint8_t packet[2048];
    pl_sctp_conf conf = { .cookie_life_us = PL_MS(500) };
    pair_init(&p, &conf, &conf, NULL, 3);
    pl_sctp_connect(p.end[0], p.now_us);
    for (int i = 0; i < 2; i++) {
        size_t len = one_packet(&p, i, packet, sizeof packet);
        pl_sctp_input(p.end[1 - i], p.now_us, packet, len);
    }
    size_t len = one_packet(&p, 0, packet, sizeof packet);
    PL_EQ(packet[12], PL_SCTP_COOKIE_ECHO);
    p.now_us += PL_MS(700);
    pl_sctp_input(p.end[1], p.now_us, packet, len);
    PL_EQ(pl_sctp_get_state(p.end[1]), PL_SCTP_CLOSED);
    len = one_packet(&p, 1, packet, sizeof packet);
    PL_EQ(packet[12], PL_SCTP_ERROR);
    PL_EQ(pl_get16(packet + 16), PL_SCTP_CAUSE_STALE_COOKIE);
    PL_EQ(pl_get32(packet + 20), 200000); /* by how much, in microseconds */
    pl_sctp_input(p.end[0], p.now_us, packet, len);
    PL_EQ(pl_sctp_get_state(p.end[0]), PL_SCTP_COOKIE_WAIT);
    pair_shuttle(&p);
    PL_EQ(p.connected[0], 1);
    PL_EQ(p.connected[1], 1);
    pair_clear(&p);
}

PL_TEST(a_peer_that_begins_again_is_let_in) /* 5.2.4 A */
{
    pair p;
    up(&p, NULL);
    say(&p, 0, 3, "before");
    say(&p, 1, 3, "never acknowledged");
    pair_shuttle(&p);
    hear(&p, 1, "before");
    say(&p, 1, 3, "lost");
    pl_sctp_free(p.end[0]);
    pl_sctp_conf conf = { .rand = pl_rand_seed(&p.state[0], 12345) };
    PL_EQ(pl_sctp_new(&p.end[0], &conf, p.now_us), PL_OK);
    p.connected[0] = 0;
    pl_sctp_connect(p.end[0], p.now_us);
    pair_shuttle(&p);
    PL_EQ(p.connected[0], 1);
    PL_EQ(p.restarted[1], 1);
    say(&p, 0, 3, "anew");
    say(&p, 1, 3, "anew too");
    pair_shuttle(&p);
    hear(&p, 1, "anew");
    pl_sctp_msg m;
    bool found = false;
    while (pl_sctp_recv(p.end[0], &m)) {
        found = m.len == 8 && memcmp(m.data, "anew too", 8) == 0;
        pl_sctp_msg_free(&m);
    }
    PL_OKAY(found);
    pair_clear(&p);
}

/* --- 6: data --- */

PL_TEST(packets_are_full) /* 6.10 */
{
    static uint8_t data[100000];
    pair p;
    up(&p, NULL);
    for (int i = 0; i < 200; i++)
        PL_EQ(pl_sctp_send(p.end[0], p.now_us, 0, 51, data, 100, NULL), PL_OK);
    PL_EQ(pl_sctp_send(p.end[0], p.now_us, 0, 51, data, sizeof data, NULL), PL_OK);
    uint8_t packet[2048];
    size_t len, n = 0;
    while (pl_sctp_poll_output(p.end[0], p.now_us, packet, sizeof packet, &len)) {
        PL_LE(len, PL_SCTP_MTU_DEFAULT);
        PL_GE(len, PL_SCTP_MTU_DEFAULT - 116);
        n++;
    }
    PL_GE(n, 10); /* 7.2.1: the initial window, and less than a packet beyond it */
    PL_LE(n, 11);
    pair_clear(&p);
}

PL_TEST(a_closed_window_stops_the_sender_until_it_opens) /* 6.1 A, 6.2 */
{
    static uint8_t data[30000];
    pair p;
    pl_sctp_conf conf = { .recv_buffer = 200000, .max_message_size = 100000 };
    up(&p, &conf);
    for (int i = 0; i < 30; i++)
        PL_EQ(pl_sctp_send(p.end[0], p.now_us, 0, 51, data, sizeof data, NULL), PL_OK);
    pair_run(&p, p.now_us + PL_SEC(300)); /* longer than a silent peer would be given */
    pl_sctp_stats stats;
    pl_sctp_get_stats(p.end[1], &stats);
    PL_LE(stats.receive_buffered, 220000);
    PL_GE(stats.receive_buffered, 160000);
    PL_EQ(p.closed[0], 0);
    unsigned n = 0;
    for (int i = 0; i < 100 && n < 30; i++) {
        pl_sctp_msg m;
        while (pl_sctp_recv(p.end[1], &m)) {
            n++;
            pl_sctp_msg_free(&m);
        }
        pair_run(&p, p.now_us + PL_SEC(1));
    }
    PL_EQ(n, 30);
    pair_clear(&p);
}

PL_TEST(a_hostile_peer_holds_no_more_than_the_window)
{
    pair p;
    pl_sctp_conf conf = { .recv_buffer = 100000, .max_message_size = 50000 };
    up(&p, &conf);
    pl_sctp_stats stats;
    for (uint32_t i = 0; i < 30000; i++) { /* bytes one by one, no two neighbours */
        feed_data(&p, 3 + 2 * (i % 16000), (uint16_t)(i % 65000), 1, 2, "x", 1);
        pl_sctp_get_stats(p.end[1], &stats);
        PL_LE(stats.receive_buffered, 110000);
    }
    /* The gap at the front can still be filled, and what follows it comes out. */
    feed_data(&p, 1, 0, 0, 3, "front", 5);
    hear(&p, 1, "front");
    pair_clear(&p);
}

/* Whole messages whose turn never comes, without a gap, then a large one: they cannot be given back, so the limit
 * has to hold against them. */
PL_TEST(messages_that_wait_for_ever_do_not_grow_beyond_the_limit)
{
    static uint8_t part[1000];
    pair p;
    pl_sctp_conf conf = { .recv_buffer = 100000, .max_message_size = 50000 };
    up(&p, &conf);
    pl_sctp_stats stats;
    for (uint16_t i = 0; i < 300; i++) /* SSN 0 never comes */
        feed_data(&p, 1, 0, (uint16_t)(1 + i), 3, part, sizeof part);
    pl_sctp_get_stats(p.end[1], &stats);
    PL_GE(stats.receive_buffered, 100000);
    PL_LE(stats.receive_buffered, 160000);
    PL_GE(stats.chunks_dropped, 100);
    for (int i = 0; i < 49; i++) /* one message of 49000 bytes on another stream */
        feed_data(&p, 1, 1, 0, (uint8_t)(i == 0 ? 2 : 0), part, sizeof part);
    pl_sctp_get_stats(p.end[1], &stats);
    PL_LE(stats.receive_buffered, 160000);
    PL_EQ(pl_sctp_get_state(p.end[1]), PL_SCTP_ESTABLISHED);
    pair_clear(&p);
}

PL_TEST(a_lost_packet_is_sent_again_without_waiting) /* 7.2.4 */
{
    static uint8_t data[20000];
    pair p;
    uint8_t packet[2048];
    up(&p, NULL);
    for (int i = 0; i < 4; i++) /* some round trips, so that T3 is far away */
        say(&p, 0, 0, "x"), pair_run(&p, p.now_us + PL_MS(50));
    PL_EQ(pl_sctp_send(p.end[0], p.now_us, 0, 51, data, sizeof data, NULL), PL_OK);
    one_packet(&p, 0, packet, sizeof packet); /* the first one is lost */
    pair_run(&p, p.now_us + PL_MS(100));
    pl_sctp_stats stats;
    pl_sctp_get_stats(p.end[0], &stats);
    PL_EQ(stats.fast_retransmits, 1);
    PL_EQ(stats.timeouts, 0);
    PL_EQ(stats.chunks_retransmitted, 1);
    PL_EQ(pl_sctp_buffered_total(p.end[0]), 0);
    pair_clear(&p);
}

PL_TEST(the_last_packet_lost_waits_for_t3) /* 6.3.3 */
{
    pair p;
    uint8_t packet[2048];
    up(&p, NULL);
    say(&p, 0, 0, "tail");
    one_packet(&p, 0, packet, sizeof packet);
    pl_sctp_stats stats;
    pl_sctp_get_stats(p.end[0], &stats);
    int64_t rto_us = stats.rto_us;
    PL_EQ(pl_sctp_next_us(p.end[0]), p.now_us + rto_us);
    pair_run(&p, p.now_us + rto_us + PL_MS(200));
    hear(&p, 1, "tail");
    pl_sctp_get_stats(p.end[0], &stats);
    PL_EQ(stats.timeouts, 1);
    pair_clear(&p);
}

PL_TESTS(t(four_packets_and_data_with_the_third), t(handshakes_survive_any_loss),
         t(a_stale_cookie_begins_anew), t(a_peer_that_begins_again_is_let_in), t(packets_are_full),
         t(a_closed_window_stops_the_sender_until_it_opens), t(a_hostile_peer_holds_no_more_than_the_window),
         t(messages_that_wait_for_ever_do_not_grow_beyond_the_limit),
         t(a_lost_packet_is_sent_again_without_waiting), t(the_last_packet_lost_waits_for_t3))
