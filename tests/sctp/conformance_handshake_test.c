/* RFC 9260 4 and 5, rule by rule: how an association begins, once, twice and anew. */
#include "pl_test.h"

#include "rawpeer.h"

PL_TEST(section_4_t1_doubles_and_ends)
{
    rawpeer r;
    pl_sctp_conf conf = { .max_init_retransmits = 3, .rto_max_us = PL_SEC(60) };
    pl_sctp_event e;
    raw_init(&r, &conf);
    pl_sctp_connect(r.sctp, r.now_us);
    PL_EQ(raw_hush(&r), 1);
    for (int i = 0; i < 3; i++) {
        PL_EQ(pl_sctp_next_us(r.sctp), r.now_us + (PL_SEC(1) << i));
        raw_wait(&r, PL_SEC(1) << i);
        PL_EQ(raw_hush(&r), 1);
    }
    raw_wait(&r, PL_SEC(8));
    PL_OKAY(pl_sctp_poll_event(r.sctp, &e));
    PL_EQ(e.kind, PL_SCTP_EVENT_CLOSED);
    PL_EQ(e.error, PL_EIO);
    PL_EQ(pl_sctp_send(r.sctp, r.now_us, 0, 51, "x", 1, NULL), PL_ESTATE);
    raw_clear(&r);
}

PL_TEST(section_5_1_an_init_leaves_no_trace)
{
    rawpeer r;
    pl_sctp_chunk c;
    raw_init(&r, NULL);
    for (int i = 0; i < 10; i++) {
        raw_say_init(&r, &raw_good_init);
        PL_OKAY(raw_hears(&r, PL_SCTP_INIT_ACK, &c));
        PL_EQ(r.heard_tag, raw_good_init.tag);
        PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_CLOSED);
        PL_EQ(pl_sctp_next_us(r.sctp), PL_NEVER);
    }
    raw_clear(&r);
}

PL_TEST(section_5_1_data_behind_the_cookie_is_taken)
{
    rawpeer r;
    pl_sctp_chunk c;
    raw_init(&r, NULL);
    raw_get_cookie(&r);
    raw_begin(&r, r.its_tag);
    raw_chunk(&r, PL_SCTP_COOKIE_ECHO, 0, r.cookie, r.cookie_len);
    raw_data(&r, r.tsn, 0, 0, 3, 4);
    raw_give(&r);
    PL_OKAY(pl_sctp_peek(r.sctp));
    PL_OKAY(raw_hears(&r, PL_SCTP_COOKIE_ACK, &c));
    raw_clear(&r);
}

PL_TEST(section_5_1_1_streams_are_the_lesser_of_both_wishes)
{
    rawpeer r;
    pl_sctp_conf conf = { .max_streams_out = 4, .max_streams_in = 300 };
    pl_sctp_stats stats;
    raw_up(&r, &conf);
    pl_sctp_get_stats(r.sctp, &stats);
    PL_EQ(stats.streams_out, 4);
    PL_EQ(stats.streams_in, 10);
    raw_clear(&r);
}

PL_TEST(section_5_1_3_a_forged_cookie_is_dropped)
{
    for (size_t at = 0; at < PL_SCTP_COOKIE_LEN; at++) {
        rawpeer r;
        raw_init(&r, NULL);
        raw_get_cookie(&r);
        r.cookie[at] ^= 0x10;
        raw_say(&r, PL_SCTP_COOKIE_ECHO, 0, r.cookie, r.cookie_len);
        PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_CLOSED);
        PL_EQ(raw_hush(&r), 0);
        raw_clear(&r);
    }
}

PL_TEST(section_5_1_5_a_cookie_under_another_tag_is_dropped)
{
    rawpeer r;
    raw_init(&r, NULL);
    raw_get_cookie(&r);
    r.its_tag ^= 1;
    raw_say(&r, PL_SCTP_COOKIE_ECHO, 0, r.cookie, r.cookie_len);
    PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_CLOSED);
    PL_EQ(raw_hush(&r), 0);
    raw_clear(&r);
}

PL_TEST(section_5_1_5_an_old_cookie_is_stale)
{
    rawpeer r;
    raw_init(&r, NULL);
    raw_get_cookie(&r);
    r.now_us += PL_SEC(61);
    raw_say(&r, PL_SCTP_COOKIE_ECHO, 0, r.cookie, r.cookie_len);
    PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_CLOSED);
    PL_OKAY(raw_hears_cause(&r, PL_SCTP_ERROR, PL_SCTP_CAUSE_STALE_COOKIE));
    PL_EQ(r.heard_tag, r.tag);
    raw_clear(&r);
}

PL_TEST(section_5_1_6_a_cookie_for_an_association_that_is_up_is_not_stale)
{
    rawpeer r;
    pl_sctp_chunk c;
    raw_up(&r, NULL);
    r.now_us += PL_SEC(61);
    raw_say(&r, PL_SCTP_COOKIE_ECHO, 0, r.cookie, r.cookie_len);
    PL_OKAY(raw_hears(&r, PL_SCTP_COOKIE_ACK, &c));
    raw_clear(&r);
}

PL_TEST(section_5_2_1_in_cookie_wait_the_answer_has_the_tag_of_our_own_init)
{
    rawpeer r;
    pl_sctp_chunk c;
    raw_init(&r, NULL);
    pl_sctp_connect(r.sctp, r.now_us);
    PL_OKAY(raw_hears(&r, PL_SCTP_INIT, &c));
    uint32_t tag = pl_rd_u32(&c.body);
    raw_get_cookie(&r);
    PL_EQ(r.its_tag, tag);
    PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_COOKIE_WAIT);
    raw_clear(&r);
}

PL_TEST(section_5_2_2_when_up_the_answer_has_a_new_tag)
{
    rawpeer r;
    raw_up(&r, NULL);
    uint32_t tag = r.its_tag;
    raw_get_cookie(&r);
    PL_OKAY(r.its_tag != tag);
    PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_ESTABLISHED);
    raw_clear(&r);
}

PL_TEST(section_5_2_3_an_unexpected_init_ack_is_dropped)
{
    rawpeer r;
    raw_up(&r, NULL);
    raw_begin(&r, r.its_tag);
    pl_sctp_init ack = raw_good_init;
    ack.cookie = r.cookie;
    ack.cookie_len = 20;
    pl_sctp_init_write(&r.w, PL_SCTP_INIT_ACK, &ack);
    raw_give(&r);
    PL_EQ(raw_hush(&r), 0);
    PL_EQ(r.sctp->peer_tag, r.tag);
    raw_clear(&r);
}

PL_TEST(section_5_2_4_case_A_restart)
{
    rawpeer r;
    pl_sctp_event e;
    pl_sctp_chunk c;
    raw_up(&r, NULL);
    while (pl_sctp_poll_event(r.sctp, &e))
        ;
    r.tag = 0x55667788;
    raw_get_cookie(&r);
    raw_say(&r, PL_SCTP_COOKIE_ECHO, 0, r.cookie, r.cookie_len);
    PL_OKAY(pl_sctp_poll_event(r.sctp, &e));
    PL_EQ(e.kind, PL_SCTP_EVENT_RESTARTED);
    PL_OKAY(raw_hears(&r, PL_SCTP_COOKIE_ACK, &c));
    PL_EQ(r.heard_tag, 0x55667788);
    raw_clear(&r);
}

PL_TEST(section_5_2_4_case_A_in_shutdown_ack_sent_is_refused)
{
    rawpeer r;
    pl_sctp_chunk c;
    raw_up(&r, NULL);
    uint32_t old = r.tag;
    r.tag = 0x55667788;
    raw_get_cookie(&r); /* asked before, … */
    uint32_t its_new = r.its_tag;
    r.its_tag = r.sctp->my_tag;
    uint8_t tsn[4];
    pl_put32(tsn, r.its_tsn - 1);
    r.tag = old;
    raw_say(&r, PL_SCTP_SHUTDOWN, 0, tsn, 4);
    PL_OKAY(raw_hears(&r, PL_SCTP_SHUTDOWN_ACK, &c));
    r.its_tag = its_new;
    raw_say(&r, PL_SCTP_COOKIE_ECHO, 0, r.cookie, r.cookie_len); /* … and used now */
    PL_OKAY(raw_hears_cause(&r, PL_SCTP_ERROR, PL_SCTP_CAUSE_COOKIE_IN_SHUTDOWN));
    PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_SHUTDOWN_ACK_SENT);
    raw_clear(&r);
}

PL_TEST(section_5_2_4_case_B_both_began)
{
    rawpeer r;
    pl_sctp_chunk c;
    raw_init(&r, NULL);
    pl_sctp_connect(r.sctp, r.now_us);
    raw_hush(&r);
    raw_get_cookie(&r);
    raw_say(&r, PL_SCTP_COOKIE_ECHO, 0, r.cookie, r.cookie_len);
    PL_OKAY(raw_hears(&r, PL_SCTP_COOKIE_ACK, &c));
    PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_ESTABLISHED);
    PL_EQ(r.sctp->peer_tag, r.tag);
    raw_clear(&r);
}

PL_TEST(section_5_2_4_case_C_an_old_cookie_is_dropped)
{
    rawpeer r, old;
    raw_init(&r, NULL);
    raw_get_cookie(&r);
    old = r;
    pl_sctp_connect(r.sctp, r.now_us);
    raw_hush(&r);
    r.sctp->my_tag ^= 4; /* an association of a later try */
    raw_begin(&r, old.its_tag);
    raw_chunk(&r, PL_SCTP_COOKIE_ECHO, 0, old.cookie, old.cookie_len);
    raw_give(&r);
    PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_COOKIE_WAIT);
    PL_EQ(raw_hush(&r), 0);
    raw_clear(&r);
}

PL_TEST(section_5_2_4_case_D_the_same_cookie_again)
{
    rawpeer r;
    pl_sctp_chunk c;
    raw_up(&r, NULL);
    raw_say_data(&r, 0);
    raw_say(&r, PL_SCTP_COOKIE_ECHO, 0, r.cookie, r.cookie_len);
    PL_OKAY(raw_hears(&r, PL_SCTP_COOKIE_ACK, &c));
    PL_OKAY(pl_sctp_peek(r.sctp)); /* nothing was lost by it */
    raw_clear(&r);
}

PL_TEST(section_5_2_4_a_stale_cookie_restarts_nothing)
{
    rawpeer r;
    raw_up(&r, NULL);
    uint32_t up = r.its_tag;
    r.tag = 0x55667788;
    raw_get_cookie(&r);
    r.now_us += PL_SEC(61);
    raw_say(&r, PL_SCTP_COOKIE_ECHO, 0, r.cookie, r.cookie_len);
    PL_OKAY(raw_hears_cause(&r, PL_SCTP_ERROR, PL_SCTP_CAUSE_STALE_COOKIE));
    PL_EQ(r.sctp->my_tag, up);
    PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_ESTABLISHED);
    raw_clear(&r);
}

PL_TEST(section_5_2_4_case_A_in_every_state_that_is_up)
{
    for (int state = PL_SCTP_ESTABLISHED; state < PL_SCTP_SHUTDOWN_ACK_SENT; state++) {
        rawpeer r;
        pl_sctp_chunk c;
        raw_in_state(&r, (pl_sctp_state)state);
        r.tag = 0x55667788;
        raw_get_cookie(&r);
        raw_say(&r, PL_SCTP_COOKIE_ECHO, 0, r.cookie, r.cookie_len);
        PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_ESTABLISHED);
        PL_EQ(r.sctp->peer_tag, 0x55667788);
        PL_OKAY(raw_hears(&r, PL_SCTP_COOKIE_ACK, &c));
        PL_EQ(pl_sctp_buffered_total(r.sctp), 0); /* nobody knows how much of it arrived */
        raw_clear(&r);
    }
}

PL_TEST(section_5_2_5_an_unexpected_cookie_ack_is_dropped)
{
    rawpeer r;
    raw_up(&r, NULL);
    raw_say(&r, PL_SCTP_COOKIE_ACK, 0, NULL, 0);
    PL_EQ(raw_hush(&r), 0);
    PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_ESTABLISHED);
    raw_clear(&r);
}

PL_TEST(section_5_2_6_a_stale_cookie_asks_for_a_longer_life)
{
    rawpeer r;
    pl_sctp_conf conf = { .max_init_retransmits = 3 };
    pl_sctp_chunk c;
    raw_init(&r, &conf);
    pl_sctp_connect(r.sctp, r.now_us);
    for (int i = 0; i < 4; i++) {
        pl_sctp_init init, ack = raw_good_init;
        PL_OKAY(raw_hears(&r, PL_SCTP_INIT, &c));
        PL_EQ(pl_sctp_init_parse(&init, c.body), PL_OK);
        PL_EQ(init.preserve_ms, i == 0 ? 0 : 401); /* twice what was missing */
        r.its_tag = init.tag;
        ack.cookie = r.cookie;
        ack.cookie_len = 20;
        raw_begin(&r, r.its_tag);
        pl_sctp_init_write(&r.w, PL_SCTP_INIT_ACK, &ack);
        raw_give(&r);
        PL_OKAY(raw_hears(&r, PL_SCTP_COOKIE_ECHO, &c));
        raw_say(&r, PL_SCTP_ERROR, 0, "\x00\x03\x00\x08\x00\x03\x0d\x40", 8); /* 200 ms too late */
    }
    PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_CLOSED); /* never enough: an end */
    raw_clear(&r);
}

PL_TESTS(t(section_4_t1_doubles_and_ends), t(section_5_1_an_init_leaves_no_trace),
         t(section_5_1_data_behind_the_cookie_is_taken),
         t(section_5_1_1_streams_are_the_lesser_of_both_wishes), t(section_5_1_3_a_forged_cookie_is_dropped),
         t(section_5_1_5_a_cookie_under_another_tag_is_dropped), t(section_5_1_5_an_old_cookie_is_stale),
         t(section_5_1_6_a_cookie_for_an_association_that_is_up_is_not_stale),
         t(section_5_2_1_in_cookie_wait_the_answer_has_the_tag_of_our_own_init),
         t(section_5_2_2_when_up_the_answer_has_a_new_tag),
         t(section_5_2_3_an_unexpected_init_ack_is_dropped), t(section_5_2_4_case_A_restart),
         t(section_5_2_4_case_A_in_shutdown_ack_sent_is_refused), t(section_5_2_4_case_B_both_began),
         t(section_5_2_4_case_C_an_old_cookie_is_dropped), t(section_5_2_4_case_D_the_same_cookie_again),
         t(section_5_2_4_a_stale_cookie_restarts_nothing), t(section_5_2_4_case_A_in_every_state_that_is_up),
         t(section_5_2_5_an_unexpected_cookie_ack_is_dropped),
         t(section_5_2_6_a_stale_cookie_asks_for_a_longer_life))
