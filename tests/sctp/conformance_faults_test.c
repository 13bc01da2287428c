/* RFC 9260 8 and 9, rule by rule: whose packet it is, silence, and ends. */
#include "pl_test.h"

#include "rawpeer.h"

PL_TEST(section_8_1_a_silent_peer_is_given_up)
{
    rawpeer r;
    pl_sctp_conf conf = { .max_retransmits = 3 };
    pl_sctp_event e;
    raw_up(&r, &conf);
    PL_EQ(pl_sctp_send(r.sctp, r.now_us, 0, 51, "x", 1, NULL), PL_OK);
    for (int i = 0; i < 40; i++) {
        raw_hush(&r);
        raw_wait(&r, PL_MS(500));
    }
    while (pl_sctp_poll_event(r.sctp, &e) && e.kind != PL_SCTP_EVENT_CLOSED)
        ;
    PL_EQ(e.kind, PL_SCTP_EVENT_CLOSED);
    PL_EQ(e.error, PL_EIO);
    raw_clear(&r);
}

PL_TEST(section_8_3_a_heartbeat_comes_back_as_it_was)
{
    rawpeer r;
    pl_sctp_chunk c;
    static const uint8_t info[] = { 0, 1, 0, 9, 'h', 'e', 'l', 'l', 'o' };
    raw_up(&r, NULL);
    raw_say(&r, PL_SCTP_HEARTBEAT, 0, info, sizeof info);
    PL_OKAY(raw_hears(&r, PL_SCTP_HEARTBEAT_ACK, &c));
    PL_EQ(pl_rd_left(&c.body), sizeof info);
    PL_MEMEQ(c.body.p, info, sizeof info);
    raw_clear(&r);
}

PL_TEST(section_8_3_an_idle_path_is_asked)
{
    rawpeer r;
    pl_sctp_chunk c;
    raw_up(&r, NULL);
    r.now_us = r.sctp->heartbeat_us;
    pl_sctp_tick(r.sctp, r.now_us);
    PL_OKAY(raw_hears(&r, PL_SCTP_HEARTBEAT, &c));
    raw_clear(&r);
}

PL_TEST(section_8_3_an_answer_to_nothing_proves_nothing)
{
    rawpeer r;
    pl_sctp_chunk c;
    uint8_t info[64];
    raw_up(&r, NULL);
    r.now_us = r.sctp->heartbeat_us;
    pl_sctp_tick(r.sctp, r.now_us);
    PL_OKAY(raw_hears(&r, PL_SCTP_HEARTBEAT, &c));
    size_t len = pl_rd_left(&c.body);
    PL_LE(len, sizeof info);
    memcpy(info, c.body.p, len);
    info[len - 1] ^= 1; /* of the nonce */
    raw_say(&r, PL_SCTP_HEARTBEAT_ACK, 0, info, len);
    PL_OKAY(r.sctp->heartbeat_out);
    info[len - 1] ^= 1;
    raw_say(&r, PL_SCTP_HEARTBEAT_ACK, 0, info, len);
    PL_OKAY(!r.sctp->heartbeat_out);
    raw_clear(&r);
}

PL_TEST(section_8_4_shutdown_ack_out_of_the_blue_is_completed)
{
    rawpeer r;
    pl_sctp_chunk c;
    raw_init(&r, NULL);
    raw_say_plain(&r, 4711, PL_SCTP_SHUTDOWN_ACK, 0);
    PL_OKAY(raw_hears(&r, PL_SCTP_SHUTDOWN_COMPLETE, &c));
    PL_EQ(c.flags, PL_SCTP_FLAG_T);
    PL_EQ(r.heard_tag, 4711);
    raw_clear(&r);
}

PL_TEST(section_8_4_other_packets_out_of_the_blue_are_dropped)
{
    static const uint8_t types[] = { PL_SCTP_DATA,      PL_SCTP_SACK,
                                     PL_SCTP_ABORT,     PL_SCTP_SHUTDOWN_COMPLETE,
                                     PL_SCTP_HEARTBEAT, PL_SCTP_COOKIE_ACK,
                                     PL_SCTP_ERROR,     PL_SCTP_SHUTDOWN };
    for (size_t i = 0; i < sizeof types; i++) {
        rawpeer r;
        raw_init(&r, NULL);
        raw_say_plain(&r, 4711, types[i], 0);
        PL_EQ(raw_hush(&r), 0);
        PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_CLOSED);
        raw_clear(&r);
    }
}

PL_TEST(section_8_4_nothing_behind_a_refused_cookie_is_read)
{
    rawpeer r;
    pl_sctp_chunk c;
    uint8_t info[64];
    raw_up(&r, NULL);
    r.now_us = r.sctp->heartbeat_us;
    pl_sctp_tick(r.sctp, r.now_us);
    PL_OKAY(raw_hears(&r, PL_SCTP_HEARTBEAT, &c));
    size_t len = pl_rd_left(&c.body);
    PL_LE(len, sizeof info);
    memcpy(info, c.body.p, len);
    pl_sctp_abort(r.sctp, r.now_us, NULL);
    raw_hush(&r);
    raw_begin(&r, r.its_tag);
    raw_chunk(&r, PL_SCTP_COOKIE_ECHO, 0, r.cookie, r.cookie_len);
    raw_chunk(&r, PL_SCTP_HEARTBEAT_ACK, 0, info, len);
    raw_data(&r, r.tsn, 0, 0, 3, 4);
    raw_give(&r);
    PL_EQ(raw_hush(&r), 0);
    PL_OKAY(!pl_sctp_peek(r.sctp));
    PL_EQ(pl_sctp_next_us(r.sctp), PL_NEVER);
    raw_clear(&r);
}

PL_TEST(section_8_5_a_wrong_tag_is_dropped)
{
    rawpeer r;
    raw_up(&r, NULL);
    raw_begin(&r, r.its_tag + 1);
    raw_data(&r, r.tsn, 0, 0, 3, 4);
    raw_give(&r);
    PL_EQ(raw_bad(&r), 1);
    PL_OKAY(!pl_sctp_peek(r.sctp));
    raw_clear(&r);
}

PL_TEST(section_8_5_1_A_an_init_has_tag_zero)
{
    rawpeer r;
    pl_sctp_chunk c;
    raw_init(&r, NULL);
    raw_begin(&r, 9);
    pl_sctp_init_write(&r.w, PL_SCTP_INIT, &raw_good_init);
    raw_give(&r);
    PL_EQ(raw_hush(&r), 0);
    pl_sctp_connect(r.sctp, r.now_us);
    PL_OKAY(raw_hears(&r, PL_SCTP_INIT, &c));
    PL_EQ(r.heard_tag, 0);
    raw_clear(&r);
}

PL_TEST(section_8_5_1_B_abort_by_its_own_tag_with_T)
{
    rawpeer r;
    raw_up(&r, NULL);
    raw_say_plain(&r, r.its_tag, PL_SCTP_ABORT, PL_SCTP_FLAG_T);
    PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_ESTABLISHED);
    raw_say_plain(&r, r.tag, PL_SCTP_ABORT, 0);
    PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_ESTABLISHED);
    raw_say_plain(&r, r.tag, PL_SCTP_ABORT, PL_SCTP_FLAG_T);
    PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_CLOSED);
    raw_clear(&r);
}

PL_TEST(section_8_5_1_C_shutdown_complete_by_our_tag_or_its_own_with_T)
{
    for (int own = 0; own < 2; own++) {
        rawpeer r;
        raw_in_state(&r, PL_SCTP_SHUTDOWN_ACK_SENT);
        raw_say_plain(&r, own ? r.its_tag : r.tag, PL_SCTP_SHUTDOWN_COMPLETE, own ? PL_SCTP_FLAG_T : 0);
        raw_say_plain(&r, 4711, PL_SCTP_SHUTDOWN_COMPLETE, own ? PL_SCTP_FLAG_T : 0);
        PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_SHUTDOWN_ACK_SENT);
        raw_say_plain(&r, own ? r.tag : r.its_tag, PL_SCTP_SHUTDOWN_COMPLETE, own ? PL_SCTP_FLAG_T : 0);
        PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_CLOSED);
        raw_clear(&r);
    }
}

PL_TEST(section_8_5_1_E_shutdown_ack_while_beginning_is_of_another_life)
{
    for (int state = PL_SCTP_COOKIE_WAIT; state <= PL_SCTP_COOKIE_ECHOED; state++) {
        rawpeer r;
        pl_sctp_chunk c;
        raw_in_state(&r, (pl_sctp_state)state);
        raw_say_plain(&r, r.its_tag, PL_SCTP_SHUTDOWN_ACK, 0);
        PL_OKAY(raw_hears(&r, PL_SCTP_SHUTDOWN_COMPLETE, &c));
        PL_EQ(c.flags, PL_SCTP_FLAG_T);
        PL_EQ(r.heard_tag, r.its_tag);
        PL_EQ(pl_sctp_get_state(r.sctp), state);
        raw_clear(&r);
    }
}

PL_TEST(section_9_1_abort_ends_every_state)
{
    for (int state = PL_SCTP_COOKIE_WAIT; state <= PL_SCTP_SHUTDOWN_ACK_SENT; state++) {
        rawpeer r;
        raw_in_state(&r, (pl_sctp_state)state);
        raw_say_plain(&r, r.its_tag + 1, PL_SCTP_ABORT, 0);
        PL_EQ(pl_sctp_get_state(r.sctp), state);
        raw_say_plain(&r, r.its_tag, PL_SCTP_ABORT, 0);
        PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_CLOSED);
        PL_EQ(raw_hush(&r), 0); /* an ABORT is never answered */
        PL_EQ(pl_sctp_next_us(r.sctp), PL_NEVER);
        raw_clear(&r);
    }
}

PL_TEST(section_9_1_data_before_an_abort_counts_and_none_behind_it)
{
    rawpeer r;
    pl_sctp_msg m;
    raw_up(&r, NULL);
    raw_begin(&r, r.its_tag);
    raw_data(&r, r.tsn, 0, 0, 3, 4);
    raw_chunk(&r, PL_SCTP_ABORT, 0, NULL, 0);
    raw_data(&r, r.tsn + 1, 0, 1, 3, 5);
    raw_give(&r);
    PL_OKAY(pl_sctp_recv(r.sctp, &m));
    PL_EQ(m.len, 4);
    pl_sctp_msg_free(&m);
    PL_OKAY(!pl_sctp_recv(r.sctp, &m));
    raw_clear(&r);
}

PL_TEST(section_9_2_shutdown_waits_for_what_is_under_way)
{
    rawpeer r;
    pl_sctp_chunk c;
    raw_up(&r, NULL);
    PL_EQ(pl_sctp_send(r.sctp, r.now_us, 0, 51, "x", 1, NULL), PL_OK);
    pl_sctp_shutdown(r.sctp, r.now_us);
    PL_OKAY(!raw_hears(&r, PL_SCTP_SHUTDOWN, &c));
    PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_SHUTDOWN_PENDING);
    raw_say_sack(&r, r.its_tsn, 100000);
    PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_SHUTDOWN_SENT);
    PL_OKAY(raw_hears(&r, PL_SCTP_SHUTDOWN, &c));
    PL_EQ(pl_rd_u32(&c.body), r.tsn - 1);
    raw_clear(&r);
}

PL_TEST(section_9_2_data_in_shutdown_sent_is_acknowledged_with_shutdown)
{
    rawpeer r;
    pl_sctp_chunk c;
    raw_up(&r, NULL);
    pl_sctp_shutdown(r.sctp, r.now_us);
    raw_hush(&r);
    raw_say_data(&r, 0);
    PL_OKAY(raw_hears(&r, PL_SCTP_SHUTDOWN, &c));
    PL_EQ(pl_rd_u32(&c.body), r.tsn);
    raw_clear(&r);
}

PL_TEST(section_9_2_shutdown_received_is_answered_when_all_is_acknowledged)
{
    rawpeer r;
    pl_sctp_chunk c;
    raw_up(&r, NULL);
    PL_EQ(pl_sctp_send(r.sctp, r.now_us, 0, 51, "x", 1, NULL), PL_OK);
    raw_hush(&r);
    raw_say_shutdown(&r, r.its_tsn - 1);
    PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_SHUTDOWN_RECEIVED);
    raw_say_shutdown(&r, r.its_tsn); /* it acknowledges as a SACK does */
    PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_SHUTDOWN_ACK_SENT);
    PL_OKAY(raw_hears(&r, PL_SCTP_SHUTDOWN_ACK, &c));
    raw_say_plain(&r, r.its_tag, PL_SCTP_SHUTDOWN_COMPLETE, 0);
    PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_CLOSED);
    raw_clear(&r);
}

PL_TEST(section_9_2_both_shut_down_at_once)
{
    rawpeer r;
    pl_sctp_chunk c;
    raw_up(&r, NULL);
    pl_sctp_shutdown(r.sctp, r.now_us);
    raw_hush(&r);
    raw_say_shutdown(&r, r.its_tsn - 1);
    PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_SHUTDOWN_ACK_SENT);
    PL_OKAY(raw_hears(&r, PL_SCTP_SHUTDOWN_ACK, &c));
    raw_say_plain(&r, r.its_tag, PL_SCTP_SHUTDOWN_ACK, 0);
    PL_OKAY(raw_hears(&r, PL_SCTP_SHUTDOWN_COMPLETE, &c));
    PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_CLOSED);
    raw_clear(&r);
}

PL_TEST(section_9_2_t2_sends_shutdown_again)
{
    rawpeer r;
    pl_sctp_chunk c;
    raw_up(&r, NULL);
    pl_sctp_shutdown(r.sctp, r.now_us);
    raw_hush(&r);
    r.now_us = r.sctp->t2_us;
    pl_sctp_tick(r.sctp, r.now_us);
    PL_OKAY(raw_hears(&r, PL_SCTP_SHUTDOWN, &c));
    raw_clear(&r);
}

PL_TEST(section_9_2_t5_guards_the_shutdown)
{
    rawpeer r;
    pl_sctp_chunk c;
    raw_up(&r, NULL);
    pl_sctp_shutdown(r.sctp, r.now_us);
    raw_hush(&r);
    r.now_us = r.sctp->t5_us;
    pl_sctp_tick(r.sctp, r.now_us);
    PL_OKAY(raw_hears(&r, PL_SCTP_ABORT, &c));
    PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_CLOSED);
    raw_clear(&r);
}

PL_TEST(section_9_2_init_in_shutdown_ack_sent_repeats_the_ack)
{
    rawpeer r;
    pl_sctp_chunk c;
    raw_up(&r, NULL);
    raw_say_shutdown(&r, r.its_tsn - 1);
    raw_hush(&r);
    raw_say_init(&r, &raw_good_init);
    PL_OKAY(raw_hears(&r, PL_SCTP_SHUTDOWN_ACK, &c));
    raw_clear(&r);
}

/* What each of the three does in each state: the state after it, and the answer. */
PL_TEST(section_9_2_shutdown_in_every_state)
{
    enum { NONE = 255, S = PL_SCTP_SHUTDOWN, SA = PL_SCTP_SHUTDOWN_ACK, SC = PL_SCTP_SHUTDOWN_COMPLETE };
    static const struct {
        pl_sctp_state in;
        struct {
            pl_sctp_state then;
            uint8_t answer;
        } on[3]; /* SHUTDOWN, SHUTDOWN ACK, SHUTDOWN COMPLETE */
    } row[] = {
        { PL_SCTP_CLOSED, { { PL_SCTP_CLOSED, NONE }, { PL_SCTP_CLOSED, SC }, { PL_SCTP_CLOSED, NONE } } },
        { PL_SCTP_COOKIE_WAIT,
          { { PL_SCTP_COOKIE_WAIT, NONE }, { PL_SCTP_COOKIE_WAIT, SC }, { PL_SCTP_COOKIE_WAIT, NONE } } },
        { PL_SCTP_COOKIE_ECHOED,
          { { PL_SCTP_COOKIE_ECHOED, NONE },
            { PL_SCTP_COOKIE_ECHOED, SC },
            { PL_SCTP_COOKIE_ECHOED, NONE } } },
        { PL_SCTP_ESTABLISHED,
          { { PL_SCTP_SHUTDOWN_ACK_SENT, SA },
            { PL_SCTP_ESTABLISHED, NONE },
            { PL_SCTP_ESTABLISHED, NONE } } },
        { PL_SCTP_SHUTDOWN_PENDING,
          { { PL_SCTP_SHUTDOWN_RECEIVED, NONE },
            { PL_SCTP_SHUTDOWN_PENDING, NONE },
            { PL_SCTP_SHUTDOWN_PENDING, NONE } } },
        { PL_SCTP_SHUTDOWN_SENT,
          { { PL_SCTP_SHUTDOWN_ACK_SENT, SA }, { PL_SCTP_CLOSED, SC }, { PL_SCTP_SHUTDOWN_SENT, NONE } } },
        { PL_SCTP_SHUTDOWN_RECEIVED,
          { { PL_SCTP_SHUTDOWN_RECEIVED, NONE },
            { PL_SCTP_SHUTDOWN_RECEIVED, NONE },
            { PL_SCTP_SHUTDOWN_RECEIVED, NONE } } },
        { PL_SCTP_SHUTDOWN_ACK_SENT,
          { { PL_SCTP_SHUTDOWN_ACK_SENT, SA }, { PL_SCTP_CLOSED, SC }, { PL_SCTP_CLOSED, NONE } } },
    };
    static const uint8_t types[] = { S, SA, SC };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        for (int k = 0; k < 3; k++) {
            rawpeer r;
            pl_sctp_chunk c = { .type = NONE };
            uint8_t tsn[4];
            raw_in_state(&r, row[i].in);
            pl_put32(tsn, r.its_tsn - 1);
            raw_say(&r, types[k], 0, tsn, types[k] == S ? 4 : 0);
            PL_EQ(pl_sctp_get_state(r.sctp), row[i].on[k].then);
            PL_EQ(raw_hears(&r, row[i].on[k].answer, &c), row[i].on[k].answer != NONE);
            PL_EQ(c.type, row[i].on[k].answer);
            raw_clear(&r);
        }
    }
}

PL_TEST(section_9_2_no_new_message_in_any_state_of_the_end)
{
    for (int state = PL_SCTP_SHUTDOWN_PENDING; state <= PL_SCTP_SHUTDOWN_ACK_SENT; state++) {
        rawpeer r;
        raw_in_state(&r, (pl_sctp_state)state);
        PL_EQ(pl_sctp_send(r.sctp, r.now_us, 0, 51, "x", 1, NULL), PL_ESTATE);
        raw_clear(&r);
    }
}

PL_TESTS(t(section_8_1_a_silent_peer_is_given_up), t(section_8_3_a_heartbeat_comes_back_as_it_was),
         t(section_8_3_an_idle_path_is_asked), t(section_8_3_an_answer_to_nothing_proves_nothing),
         t(section_8_4_shutdown_ack_out_of_the_blue_is_completed),
         t(section_8_4_other_packets_out_of_the_blue_are_dropped),
         t(section_8_4_nothing_behind_a_refused_cookie_is_read), t(section_8_5_a_wrong_tag_is_dropped),
         t(section_8_5_1_A_an_init_has_tag_zero), t(section_8_5_1_B_abort_by_its_own_tag_with_T),
         t(section_8_5_1_C_shutdown_complete_by_our_tag_or_its_own_with_T),
         t(section_8_5_1_E_shutdown_ack_while_beginning_is_of_another_life),
         t(section_9_1_abort_ends_every_state), t(section_9_1_data_before_an_abort_counts_and_none_behind_it),
         t(section_9_2_shutdown_waits_for_what_is_under_way),
         t(section_9_2_data_in_shutdown_sent_is_acknowledged_with_shutdown),
         t(section_9_2_shutdown_received_is_answered_when_all_is_acknowledged),
         t(section_9_2_both_shut_down_at_once), t(section_9_2_t2_sends_shutdown_again),
         t(section_9_2_t5_guards_the_shutdown), t(section_9_2_init_in_shutdown_ack_sent_repeats_the_ack),
         t(section_9_2_shutdown_in_every_state), t(section_9_2_no_new_message_in_any_state_of_the_end))
