/* How an association ends, and what it does with streams and messages that are given up; each test names its
 * section. */
#include "pl_test.h"

#include "said.h"

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

PL_TEST(heartbeats_keep_an_idle_association) /* 8.3 */
{
    pair p;
    up(&p, NULL);
    pair_run(&p, p.now_us + PL_SEC(120));
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

PL_TESTS(t(a_peer_fallen_silent_is_given_up), t(heartbeats_keep_an_idle_association),
         t(shutdown_delivers_everything_first), t(shutdown_in_every_state), t(abort_says_why),
         t(an_end_with_messages_on_many_streams), t(streams_are_reset_when_all_before_is_there),
         t(reset_requests_answered), t(expired_messages_cost_nothing), t(a_message_given_up_half_way))
