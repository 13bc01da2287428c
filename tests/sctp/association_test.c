/* The association rule by rule; each test names the section of RFC 9260 (or another) that it reads. */
#include "pl_test.h"

#include <malloc.h>

#include "pair.h"
#include "sctp/association_internal.h"

static uint8_t raw[2048]; /* a packet made by hand */
static size_t raw_len;

static pl_wr begin_raw(uint32_t tag)
{
    pl_wr w = pl_wr_init(raw, sizeof raw);
    pl_sctp_packet_begin(&w, &(pl_sctp_header){ 5000, 5000, tag });
    return w;
}

static void feed(pair *p, int at, pl_wr *w)
{
    pl_sctp_packet_end(w);
    PL_OKAY(pl_wr_ok(w));
    raw_len = pl_wr_len(w);
    pl_sctp_input(p->end[at], p->now_us, raw, raw_len);
    pl_sctp_check(p->end[at]);
}

/* The first chunk of that type among all that `at` wants to send; its body in *body. Packets are used up. */
static bool says(pair *p, int at, uint8_t type, pl_sctp_chunk *out, uint32_t *tag)
{
    static uint8_t packet[2048];
    size_t len;
    while (pl_sctp_poll_output(p->end[at], p->now_us, packet, sizeof packet, &len)) {
        pl_sctp_header h;
        pl_rd chunks;
        PL_EQ(pl_sctp_packet_open(&h, &chunks, packet, len), PL_OK);
        while (pl_sctp_chunk_next(&chunks, out)) {
            if (out->type != type)
                continue;
            if (tag)
                *tag = h.tag;
            return true;
        }
    }
    return false;
}

static bool says_cause(pair *p, int at, uint8_t type, uint16_t cause)
{
    pl_sctp_chunk c;
    pl_sctp_param param;
    while (says(p, at, type, &c, NULL)) {
        while (pl_sctp_param_next(&c.body, &param)) {
            if (param.type == cause)
                return true;
        }
    }
    return false;
}

static size_t one_packet(pair *p, int at, uint8_t *out, size_t cap)
{
    size_t len;
    PL_OKAY(pl_sctp_poll_output(p->end[at], p->now_us, out, cap, &len));
    return len;
}

static void up(pair *p, const pl_sctp_conf *conf)
{
    pair_init(p, conf, conf, NULL, 1);
    pair_connect(p);
    pair_shuttle(p);
}

static void say(pair *p, int from, uint16_t sid, const char *text)
{
    PL_EQ(pl_sctp_send(p->end[from], p->now_us, sid, 51, text, strlen(text), NULL), PL_OK);
}

static void hear(pair *p, int at, const char *text)
{
    pl_sctp_msg m;
    PL_OKAY(pl_sctp_recv(p->end[at], &m));
    PL_EQ(m.len, strlen(text));
    PL_MEMEQ(m.data, text, m.len);
    pl_sctp_msg_free(&m);
}

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

static void feed_data(pair *p, uint32_t ahead, uint16_t sid, uint16_t ssn, uint8_t flags, const void *data,
                      size_t len)
{
    pl_wr w = begin_raw(p->end[1]->my_tag);
    pl_sctp_data d = { .tsn = p->end[1]->in.cumulative_tsn + ahead,
                       .sid = sid,
                       .mid = ssn,
                       .ppid = 51,
                       .flags = flags,
                       .payload = data,
                       .len = len };
    pl_sctp_data_write(&w, &d);
    feed(p, 1, &w);
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

PL_TEST(a_peer_fallen_silent_is_given_up) /* 8.1, 8.3 */
{
    for (int busy = 0; busy < 2; busy++) {
        pair p;
        pl_sctp_conf conf = { .max_retransmits = 5, .heartbeat_us = PL_SEC(5) };
        up(&p, &conf);
        sim_link_blackout(p.link[0], PL_NEVER);
        sim_link_blackout(p.link[1], PL_NEVER);
        if (busy)
            say(&p, 0, 0, "hello?");
        pair_run(&p, p.now_us + PL_SEC(200));
        PL_EQ(p.closed[0], 1);
        PL_EQ(p.last_closed[0].error, PL_EIO);
        pair_clear(&p);
    }
}

PL_TEST(heartbeats_come_back_as_they_were) /* 8.3 */
{
    static const uint8_t info[] = { 0, 1, 0, 11, 'a', 'n', 'y', 't', 'h', 'n', 'g' };
    pair p;
    pl_sctp_chunk c;
    up(&p, NULL);
    pl_wr w = begin_raw(p.end[1]->my_tag);
    size_t chunk = pl_sctp_chunk_begin(&w, PL_SCTP_HEARTBEAT, 0);
    pl_wr_bytes(&w, info, sizeof info);
    pl_sctp_chunk_end(&w, chunk);
    feed(&p, 1, &w);
    PL_OKAY(says(&p, 1, PL_SCTP_HEARTBEAT_ACK, &c, NULL));
    PL_EQ(pl_rd_left(&c.body), sizeof info);
    PL_MEMEQ(c.body.p, info, sizeof info);
    pair_run(&p, p.now_us + PL_SEC(120)); /* our own are answered: nobody is given up */
    pl_sctp_stats stats;
    pl_sctp_get_stats(p.end[0], &stats);
    PL_EQ(p.closed[0], 0);
    PL_EQ(stats.srtt_us, 2000);
    pair_clear(&p);
}

/* --- 9: ending --- */

PL_TEST(shutdown_delivers_everything_first) /* 9.2 */
{
    static uint8_t data[100000];
    pair p;
    up(&p, NULL);
    for (int i = 0; i < 5; i++)
        PL_EQ(pl_sctp_send(p.end[0], p.now_us, 0, 51, data, sizeof data, NULL), PL_OK);
    say(&p, 1, 0, "from the other side");
    pl_sctp_shutdown(p.end[0], p.now_us);
    PL_EQ(pl_sctp_get_state(p.end[0]), PL_SCTP_SHUTDOWN_PENDING);
    PL_EQ(pl_sctp_send(p.end[0], p.now_us, 0, 51, "x", 1, NULL), PL_ESTATE);
    pair_run(&p, p.now_us + PL_SEC(5));
    PL_EQ(pl_sctp_get_state(p.end[0]), PL_SCTP_CLOSED);
    PL_EQ(p.closed[1], 0); /* told only when its messages are taken */
    hear(&p, 0, "from the other side");
    for (int i = 0; i < 5; i++) {
        pl_sctp_msg m;
        PL_OKAY(pl_sctp_recv(p.end[1], &m));
        pl_sctp_msg_free(&m);
    }
    pair_step(&p);
    PL_EQ(p.closed[0], 1);
    PL_EQ(p.closed[1], 1);
    PL_EQ(p.last_closed[1].error, PL_OK);
    pair_clear(&p);
}

PL_TEST(shutdown_in_every_state) /* 9.2 */
{
    for (int64_t at_us = 0; at_us < 12000; at_us += 500) {
        for (int who = 1; who < 4; who++) { /* one, the other, both */
            pair p;
            pair_init(&p, NULL, NULL, NULL, 7);
            pl_sctp_connect(p.end[0], p.now_us);
            pl_sctp_connect(p.end[1], p.now_us);
            pair_run(&p, p.now_us + at_us);
            if (who & 1)
                pl_sctp_shutdown(p.end[0], p.now_us);
            pair_run(&p, p.now_us + at_us % 1500);
            if (who & 2)
                pl_sctp_shutdown(p.end[1], p.now_us);
            pair_run(&p, p.now_us + PL_SEC(400));
            PL_OKAY(p.closed[0] || p.closed[1]);
            PL_OKAY(pl_sctp_get_state(p.end[0]) == PL_SCTP_CLOSED || at_us < 6000);
            pair_clear(&p);
        }
    }
}

PL_TEST(abort_says_why) /* 9.1 */
{
    pair p;
    up(&p, NULL);
    say(&p, 0, 0, "never sent");
    pl_sctp_abort(p.end[0], p.now_us, "enough");
    PL_EQ(pl_sctp_buffered_total(p.end[0]), 0);
    pair_shuttle(&p);
    PL_EQ(p.closed[0], 1);
    PL_EQ(p.last_closed[0].error, PL_OK);
    PL_EQ(p.closed[1], 1);
    PL_EQ(p.last_closed[1].error, PL_EPROTO);
    PL_EQ(p.last_closed[1].cause, PL_SCTP_CAUSE_USER_ABORT);
    pair_clear(&p);
}

PL_TEST(an_end_with_messages_on_many_streams)
{
    for (int how = 0; how < 2; how++) {
        pair p;
        up(&p, NULL);
        for (uint16_t sid = 0; sid < 600; sid = (uint16_t)(sid + 7))
            say(&p, 0, sid, "queued");
        if (how == 0) {
            pl_sctp_abort(p.end[0], p.now_us, NULL);
            PL_EQ(pl_sctp_buffered_total(p.end[0]), 0);
        }
        pair_clear(&p);
    }
}

/* --- RFC 6525, RFC 3758 --- */

PL_TEST(streams_are_reset_when_all_before_is_there) /* RFC 6525 5 */
{
    for (uint64_t seed = pl_test_seed(1), n = 0; n < 200; n++, seed++) {
        pair p;
        sim_net net = { .delay_us = 10000, .loss = 0.1, .reorder = 0.1, .duplicate = 0.1 };
        pair_init(&p, NULL, NULL, &net, seed);
        pair_connect(&p);
        static const uint16_t sids[] = { 5, 900 };
        for (unsigned round = 1; round <= 3; round++) {
            for (int i = 0; i < 10; i++)
                say(&p, 0, sids[i & 1], "of this round");
            PL_EQ(pl_sctp_reset_streams(p.end[0], p.now_us, sids, 2), PL_OK);
            PL_EQ(pl_sctp_send(p.end[0], p.now_us, 5, 51, "x", 1, NULL), PL_ESTATE);
            for (int i = 0; i < 100 && p.resets_out[0] < 2 * round; i++) {
                pair_run(&p, p.now_us + PL_SEC(1));
                PL_EQ(p.resets_in[1], 2 * (round - 1)); /* messages not taken hold the event back */
            }
            PL_EQ(p.resets_out[0], 2 * round);
            for (int i = 0; i < 10; i++)
                hear(&p, 1, "of this round");
            pair_step(&p);
            PL_EQ(p.resets_in[1], 2 * round);
        }
        pair_clear(&p);
    }
}

PL_TEST(reset_requests_answered) /* RFC 6525 5.2 */
{
    static const struct {
        pl_sctp_reconfig_type type;
        uint32_t seq_off;
        uint16_t n_new;
        uint32_t want;
    } ask[] = { { PL_SCTP_ADD_OUT, 0, 5, PL_SCTP_RESET_PERFORMED },
                { PL_SCTP_ADD_OUT, 0, 5, PL_SCTP_RESET_PERFORMED }, /* the same again: the same answer */
                { PL_SCTP_ADD_OUT, 1, 65500, PL_SCTP_RESET_DENIED },
                { PL_SCTP_ADD_IN, 2, 5, PL_SCTP_RESET_DENIED }, /* we had all we may have */
                { PL_SCTP_RESET_TSN, 3, 0, PL_SCTP_RESET_DENIED },
                { PL_SCTP_RESET_TSN, 9, 0, PL_SCTP_RESET_BAD_SEQUENCE } };
    pair p;
    pl_sctp_conf few = { .max_streams_out = 100 };
    pair_init(&p, &few, NULL, NULL, 8);
    pair_connect(&p);
    pair_shuttle(&p);
    uint32_t seq = p.end[1]->reset.peer_seq;
    for (size_t i = 0; i < sizeof ask / sizeof *ask; i++) {
        pl_wr w = begin_raw(p.end[1]->my_tag);
        size_t chunk = pl_sctp_chunk_begin(&w, PL_SCTP_RECONFIG, 0);
        size_t param = pl_sctp_param_begin(&w, (uint16_t)ask[i].type);
        pl_wr_u32(&w, seq + ask[i].seq_off);
        if (ask[i].type != PL_SCTP_RESET_TSN)
            pl_wr_u32(&w, (uint32_t)ask[i].n_new << 16);
        pl_sctp_param_end(&w, param);
        pl_sctp_chunk_end(&w, chunk);
        feed(&p, 1, &w);
        pl_sctp_chunk c;
        pl_sctp_param answer;
        pl_sctp_reconfig r;
        PL_OKAY(says(&p, 1, PL_SCTP_RECONFIG, &c, NULL));
        PL_OKAY(pl_sctp_param_next(&c.body, &answer));
        PL_EQ(pl_sctp_reconfig_parse(&r, &answer), PL_OK);
        PL_EQ(r.type, PL_SCTP_RESET_RESPONSE);
        PL_EQ(r.result, ask[i].want);
        PL_OKAY(r.response_seq == seq + ask[i].seq_off);
    }
    pl_sctp_stats stats;
    pl_sctp_get_stats(p.end[1], &stats);
    PL_EQ(stats.streams_in, 105);
    pair_clear(&p);
}

PL_TEST(expired_messages_cost_nothing) /* RFC 3758 3.5, RFC 7496 */
{
    pair p;
    up(&p, NULL);
    pl_sctp_send_opts brief = { .lifetime_us = PL_MS(10) };
    PL_EQ(pl_sctp_send(p.end[0], p.now_us, 1, 51, "too late", 8, &brief), PL_OK);
    p.now_us += PL_MS(11);
    say(&p, 0, 1, "in time");
    pair_shuttle(&p);
    hear(&p, 1, "in time"); /* SSN 0: nobody waits for the one before */
    pl_sctp_stats stats;
    pl_sctp_get_stats(p.end[0], &stats);
    PL_EQ(stats.messages_abandoned, 1);
    PL_EQ(stats.chunks_sent, 1);
    pair_clear(&p);
}

PL_TEST(a_message_given_up_half_way) /* RFC 3758 3.5 A3 */
{
    static uint8_t data[60000];
    pair p;
    uint8_t packet[2048];
    size_t len;
    up(&p, NULL);
    pl_sctp_send_opts brief = { .lifetime_us = PL_MS(50) };
    PL_EQ(pl_sctp_send(p.end[0], p.now_us, 1, 51, data, sizeof data, &brief), PL_OK);
    say(&p, 0, 1, "next");
    pair_step(&p); /* the first window goes out */
    p.now_us += PL_MS(60);
    pair_run(&p, p.now_us + PL_SEC(5));
    hear(&p, 1, "next");
    while (pl_sctp_poll_output(p.end[0], p.now_us, packet, sizeof packet, &len))
        ;
    pl_sctp_stats stats;
    pl_sctp_get_stats(p.end[0], &stats);
    PL_EQ(stats.messages_abandoned, 1);
    PL_EQ(stats.send_buffered, 0);
    pl_sctp_get_stats(p.end[1], &stats);
    PL_EQ(stats.receive_buffered, 0);
    pair_clear(&p);
}

PL_TEST(an_idle_association_is_small)
{
    enum { N = 200, KIB = 1024 };
    static pair p[N];
    size_t before = mallinfo2().uordblks;
    for (int i = 0; i < N; i++) {
        up(&p[i], NULL);
        p[i].on_message = NULL;
        say(&p[i], 0, 0, "open");
        say(&p[i], 1, 0, "ack");
        pair_run(&p[i], p[i].now_us + PL_SEC(1));
        hear(&p[i], 0, "ack");
        hear(&p[i], 1, "open");
    }
    size_t each = (mallinfo2().uordblks - before) / (2 * N);
    PL_LE(each, 6 * KIB);
    for (int i = 0; i < N; i++)
        pair_clear(&p[i]);
}

PL_TESTS(t(four_packets_and_data_with_the_third), t(handshakes_survive_any_loss),
         t(a_stale_cookie_begins_anew), t(forged_cookies_and_bad_inits),
         t(a_peer_that_begins_again_is_let_in), t(no_answer_ends_the_try), t(verification_tags_are_verified),
         t(shutdown_ack_out_of_the_blue), t(unknown_chunks_do_as_their_type_says), t(data_that_must_not_be),
         t(every_second_packet_is_acknowledged), t(packets_are_full),
         t(a_closed_window_stops_the_sender_until_it_opens), t(a_hostile_peer_holds_no_more_than_the_window),
         t(messages_that_wait_for_ever_do_not_grow_beyond_the_limit),
         t(a_lost_packet_is_sent_again_without_waiting), t(the_last_packet_lost_waits_for_t3),
         t(a_peer_fallen_silent_is_given_up), t(heartbeats_come_back_as_they_were),
         t(shutdown_delivers_everything_first), t(shutdown_in_every_state), t(abort_says_why),
         t(an_end_with_messages_on_many_streams), t(streams_are_reset_when_all_before_is_there),
         t(reset_requests_answered), t(expired_messages_cost_nothing), t(a_message_given_up_half_way),
         t(an_idle_association_is_small))
