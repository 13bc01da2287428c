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

PL_TEST(forged_cookies_and_bad_inits) /* 5.1.5, 3.3.2 */
{
    pair p;
    pl_sctp_chunk c;
    pair_init(&p, NULL, NULL, NULL, 4);
    uint8_t forged[PL_SCTP_COOKIE_LEN] = { 0, 0, 0, 9 };
    pl_wr w = begin_raw(9);
    size_t chunk = pl_sctp_chunk_begin(&w, PL_SCTP_COOKIE_ECHO, 0);
    pl_wr_bytes(&w, forged, sizeof forged);
    pl_sctp_chunk_end(&w, chunk);
    feed(&p, 1, &w);
    PL_EQ(pl_sctp_get_state(p.end[1]), PL_SCTP_CLOSED);
    pl_sctp_init init = { .tag = 77, .a_rwnd = 100000, .streams_out = 1, .streams_in = 0, .tsn = 1 };
    w = begin_raw(0);
    pl_sctp_init_write(&w, PL_SCTP_INIT, &init);
    feed(&p, 1, &w);
    uint32_t tag = 0;
    PL_OKAY(says(&p, 1, PL_SCTP_ABORT, &c, &tag)); /* no streams: refused, under the tag it named */
    PL_EQ(tag, 77);
    init.streams_in = 1;
    init.tag = 0;
    w = begin_raw(0);
    pl_sctp_init_write(&w, PL_SCTP_INIT, &init);
    feed(&p, 1, &w);
    PL_OKAY(!says(&p, 1, PL_SCTP_INIT_ACK, &c, NULL));
    init.tag = 77;
    w = begin_raw(0);
    pl_sctp_init_write(&w, PL_SCTP_INIT, &init);
    pl_sctp_chunk_end(&w, pl_sctp_chunk_begin(&w, PL_SCTP_COOKIE_ACK, 0));
    feed(&p, 1, &w);
    PL_OKAY(!says(&p, 1, PL_SCTP_INIT_ACK, &c, NULL)); /* an INIT stands alone */
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

PL_TEST(no_answer_ends_the_try) /* 4, 5.1.6 */
{
    pair p;
    pl_sctp_conf conf = { .max_init_retransmits = 4 };
    pair_init(&p, &conf, &conf, NULL, 5);
    sim_link_blackout(p.link[0], PL_NEVER);
    pl_sctp_connect(p.end[0], p.now_us);
    pair_run(&p, p.now_us + PL_SEC(100));
    PL_EQ(p.closed[0], 1);
    PL_EQ(p.last_closed[0].error, PL_EIO);
    pl_sctp_stats stats;
    pl_sctp_get_stats(p.end[0], &stats);
    PL_EQ(stats.packets_sent, 5);
    PL_EQ(pl_sctp_send(p.end[0], p.now_us, 0, 51, "x", 1, NULL), PL_ESTATE);
    pair_clear(&p);
}

/* --- 8.4, 8.5: whose packet it is --- */

PL_TEST(verification_tags_are_verified) /* 8.5 */
{
    pair p;
    up(&p, NULL);
    uint32_t tag = p.end[1]->my_tag, theirs = p.end[0]->my_tag;
    for (int i = 0; i < 2; i++) {
        pl_wr w = begin_raw(tag + 1);
        pl_sctp_chunk_end(&w, pl_sctp_chunk_begin(&w, i ? PL_SCTP_ABORT : PL_SCTP_SHUTDOWN_COMPLETE, 0));
        feed(&p, 1, &w);
        w = begin_raw(tag); /* the T bit says "my own tag", and this is not the peer's */
        pl_sctp_chunk_end(
            &w, pl_sctp_chunk_begin(&w, i ? PL_SCTP_ABORT : PL_SCTP_SHUTDOWN_COMPLETE, PL_SCTP_FLAG_T));
        feed(&p, 1, &w);
    }
    PL_EQ(pl_sctp_get_state(p.end[1]), PL_SCTP_ESTABLISHED);
    pl_wr w = begin_raw(theirs);
    pl_sctp_chunk_end(&w, pl_sctp_chunk_begin(&w, PL_SCTP_ABORT, PL_SCTP_FLAG_T));
    feed(&p, 1, &w); /* 8.5.1 B */
    PL_EQ(pl_sctp_get_state(p.end[1]), PL_SCTP_CLOSED);
    pl_sctp_stats stats;
    pl_sctp_get_stats(p.end[1], &stats);
    PL_EQ(stats.bad_packets, 4);
    pair_clear(&p);
}

PL_TEST(shutdown_ack_out_of_the_blue) /* 8.4 (5) */
{
    pair p;
    pl_sctp_chunk c;
    uint32_t tag = 0;
    pair_init(&p, NULL, NULL, NULL, 6);
    pl_wr w = begin_raw(4711);
    pl_sctp_chunk_end(&w, pl_sctp_chunk_begin(&w, PL_SCTP_SHUTDOWN_ACK, 0));
    feed(&p, 0, &w);
    PL_OKAY(says(&p, 0, PL_SCTP_SHUTDOWN_COMPLETE, &c, &tag));
    PL_EQ(tag, 4711);
    PL_EQ(c.flags, PL_SCTP_FLAG_T);
    pair_clear(&p);
}

/* --- 3.2, 3.3: what we do not know, and what must not be --- */

PL_TEST(unknown_chunks_do_as_their_type_says) /* 3.2 */
{
    static const struct {
        uint8_t type;
        bool goes_on, reports;
    } unknown[] = {
        { 0x3e, false, false }, { 0x7e, false, true }, { 0xbe, true, false }, { 0xfe, true, true }
    };
    for (size_t i = 0; i < 4; i++) {
        pair p;
        up(&p, NULL);
        pl_wr w = begin_raw(p.end[1]->my_tag);
        size_t chunk = pl_sctp_chunk_begin(&w, unknown[i].type, 0);
        pl_wr_zeros(&w, 1000);
        pl_sctp_chunk_end(&w, chunk);
        pl_sctp_data d = {
            .tsn = p.end[1]->in.cumulative_tsn + 1, .ppid = 51, .flags = 3, .payload = raw, .len = 5
        };
        pl_sctp_data_write(&w, &d);
        feed(&p, 1, &w);
        PL_EQ(pl_sctp_peek(p.end[1]) != NULL, unknown[i].goes_on);
        PL_EQ(says_cause(&p, 1, PL_SCTP_ERROR, PL_SCTP_CAUSE_UNRECOGNIZED_CHUNK), unknown[i].reports);
        pair_clear(&p);
    }
}

PL_TEST(data_that_must_not_be) /* 6.2, 6.5 */
{
    pair p;
    pl_sctp_conf conf = { .max_streams_in = 10, .max_message_size = 2000 };
    up(&p, &conf);
    uint32_t cum = p.end[1]->in.cumulative_tsn;
    feed_data(&p, 1, 10, 0, 3, "x", 1);
    PL_OKAY(says_cause(&p, 1, PL_SCTP_ERROR, PL_SCTP_CAUSE_INVALID_STREAM));
    PL_OKAY(p.end[1]->in.cumulative_tsn == cum + 1); /* acknowledged, and gone */
    PL_OKAY(pl_sctp_peek(p.end[1]) == NULL);
    feed_data(&p, 1, 0, 0, 3, "", 0);
    PL_OKAY(says_cause(&p, 1, PL_SCTP_ABORT, PL_SCTP_CAUSE_NO_USER_DATA));
    PL_EQ(pl_sctp_get_state(p.end[1]), PL_SCTP_CLOSED);
    pair_clear(&p);

    static uint8_t large[1100];
    up(&p, &conf);
    feed_data(&p, 1, 0, 0, 2, large, sizeof large);
    feed_data(&p, 1, 0, 0, 0, large, sizeof large);
    PL_OKAY(says_cause(&p, 1, PL_SCTP_ABORT, PL_SCTP_CAUSE_PROTOCOL_VIOLATION));
    pair_step(&p);
    PL_EQ(p.last_closed[1].error, PL_EPROTO);
    pair_clear(&p);
}

/* --- 6: data --- */

PL_TEST(every_second_packet_is_acknowledged) /* 6.2 */
{
    static uint8_t data[1000];
    pair p;
    up(&p, NULL);
    pl_sctp_stats before, after;
    pl_sctp_get_stats(p.end[1], &before);
    for (int i = 0; i < 8; i++) {
        feed_data(&p, 1, 0, (uint16_t)i, 3, data, sizeof data);
        pl_sctp_chunk c;
        PL_EQ(says(&p, 1, PL_SCTP_SACK, &c, NULL), i % 2 == 1);
    }
    feed_data(&p, 1, 0, 8, 3, data, sizeof data);
    PL_EQ(pl_sctp_next_us(p.end[1]), p.now_us + PL_MS(100));
    feed_data(&p, 1, 0, 9, 3 | PL_SCTP_DATA_I, data, sizeof data); /* RFC 7053 */
    pl_sctp_get_stats(p.end[1], &after);
    PL_EQ(after.sacks_sent - before.sacks_sent, 4);
    pl_sctp_chunk c;
    PL_OKAY(says(&p, 1, PL_SCTP_SACK, &c, NULL));
    pair_clear(&p);
}

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
         t(a_stale_cookie_begins_anew), t(forged_cookies_and_bad_inits),
         t(a_peer_that_begins_again_is_let_in), t(no_answer_ends_the_try), t(verification_tags_are_verified),
         t(shutdown_ack_out_of_the_blue), t(unknown_chunks_do_as_their_type_says), t(data_that_must_not_be),
         t(every_second_packet_is_acknowledged), t(packets_are_full),
         t(a_closed_window_stops_the_sender_until_it_opens), t(a_hostile_peer_holds_no_more_than_the_window),
         t(messages_that_wait_for_ever_do_not_grow_beyond_the_limit),
         t(a_lost_packet_is_sent_again_without_waiting), t(the_last_packet_lost_waits_for_t3))
