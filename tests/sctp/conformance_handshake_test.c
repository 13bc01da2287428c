/* RFC 9260 3 and 5, rule by rule: chunks that begin an association, and what is done with those that must not be. */
#include "pl_test.h"

#include "rawpeer.h"

static const pl_sctp_init good = {
    .tag = 77, .a_rwnd = 100000, .streams_out = 10, .streams_in = 10, .tsn = 5
};

static uint64_t bad(const rawpeer *r)
{
    pl_sctp_stats stats;
    pl_sctp_get_stats(r->sctp, &stats);
    return stats.bad_packets;
}

static bool refuses(const pl_sctp_init *init, uint8_t *says)
{
    rawpeer r;
    pl_sctp_chunk c;
    raw_init(&r, NULL);
    raw_say_init(&r, init);
    bool ack = false, any = false;
    size_t len;
    while (pl_sctp_poll_output(r.sctp, r.now_us, r.in, sizeof r.in, &len)) {
        pl_sctp_header h;
        pl_rd chunks;
        PL_EQ(pl_sctp_packet_open(&h, &chunks, r.in, len), PL_OK);
        PL_OKAY(pl_sctp_chunk_next(&chunks, &c));
        PL_EQ(h.tag, init->tag);
        *says = c.type;
        any = true;
        ack |= c.type == PL_SCTP_INIT_ACK;
    }
    if (!any)
        *says = 0xff;
    PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_CLOSED);
    raw_clear(&r);
    return !ack;
}

PL_TEST(section_3_1_wrong_checksum_is_dropped)
{
    rawpeer r;
    raw_up(&r, NULL);
    raw_begin(&r, r.its_tag);
    raw_data(&r, r.tsn, 0, 0, 3, 4);
    pl_sctp_packet_end(&r.w);
    r.out[9] ^= 1;
    pl_sctp_input(r.sctp, r.now_us, r.out, pl_wr_len(&r.w));
    PL_EQ(bad(&r), 1);
    PL_OKAY(!pl_sctp_peek(r.sctp));
    raw_clear(&r);
}

PL_TEST(section_3_1_other_ports_are_others)
{
    rawpeer r;
    raw_up(&r, NULL);
    for (int i = 0; i < 2; i++) {
        r.w = pl_wr_init(r.out, sizeof r.out);
        pl_sctp_packet_begin(&r.w,
                             &(pl_sctp_header){ (uint16_t)(5000 + i), (uint16_t)(5001 - i), r.its_tag });
        raw_data(&r, r.tsn, 0, 0, 3, 4);
        raw_give(&r);
    }
    PL_EQ(bad(&r), 2);
    PL_OKAY(!pl_sctp_peek(r.sctp));
    raw_clear(&r);
}

PL_TEST(section_3_2_a_chunk_that_does_not_fit_ends_the_reading)
{
    rawpeer r;
    raw_up(&r, NULL);
    raw_begin(&r, r.its_tag);
    raw_data(&r, r.tsn, 0, 0, 3, 4);
    pl_wr_bytes(&r.w, "\x00\x03\x00\xff", 4); /* says 255 bytes */
    raw_give(&r);
    PL_OKAY(pl_sctp_peek(r.sctp)); /* what stood before it counts */
    PL_EQ(bad(&r), 1);
    raw_clear(&r);
}

PL_TEST(section_3_2_a_chunk_shorter_than_its_header)
{
    for (uint8_t len = 0; len < 4; len++) {
        rawpeer r;
        raw_up(&r, NULL);
        raw_begin(&r, r.its_tag);
        pl_wr_bytes(&r.w, (uint8_t[]){ 3, 0, 0, len }, 4);
        raw_give(&r);
        PL_EQ(bad(&r), 1);
        PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_ESTABLISHED);
        raw_clear(&r);
    }
}

PL_TEST(section_3_2_1_unknown_parameters_do_as_their_type_says)
{
    static const struct {
        uint16_t type;
        bool goes_on, reports;
    } unknown[] = {
        { 0x3ff0, false, false }, { 0x7ff0, false, true }, { 0xbff0, true, false }, { 0xfff0, true, true }
    };
    for (size_t i = 0; i < 4; i++) {
        rawpeer r;
        pl_sctp_chunk c;
        pl_sctp_init ack;
        raw_init(&r, NULL);
        raw_begin(&r, 0);
        size_t chunk = pl_sctp_chunk_begin(&r.w, PL_SCTP_INIT, 0);
        pl_wr_bytes(&r.w, "\x00\x00\x00\x4d\x00\x01\x86\xa0\x00\x0a\x00\x0a\x00\x00\x00\x05", 16);
        pl_sctp_param_end(&r.w, pl_sctp_param_begin(&r.w, unknown[i].type));
        pl_sctp_param_end(&r.w,
                          pl_sctp_param_begin(&r.w, PL_SCTP_PARAM_HOST_NAME)); /* read: an ABORT follows */
        pl_sctp_chunk_end(&r.w, chunk);
        raw_give(&r);
        if (unknown[i].goes_on) {
            PL_OKAY(raw_hears(&r, PL_SCTP_ABORT, &c));
        } else {
            bool reported = false;
            PL_OKAY(raw_hears(&r, PL_SCTP_INIT_ACK, &c));
            PL_EQ(pl_sctp_init_parse(&ack, c.body), PL_OK);
            pl_rd_skip(&c.body, 16);
            for (pl_sctp_param p; pl_sctp_param_next(&c.body, &p);)
                reported |= p.type == PL_SCTP_PARAM_UNRECOGNIZED && pl_rd_u16(&p.value) == unknown[i].type;
            PL_EQ(reported, unknown[i].reports);
        }
        raw_clear(&r);
    }
}

PL_TEST(section_3_3_2_init_without_a_tag_is_dropped)
{
    pl_sctp_init init = good;
    uint8_t says;
    init.tag = 0;
    PL_OKAY(refuses(&init, &says));
    PL_EQ(says, 0xff);
}

PL_TEST(section_3_3_2_init_without_outgoing_streams_is_aborted)
{
    pl_sctp_init init = good;
    uint8_t says;
    init.streams_out = 0;
    PL_OKAY(refuses(&init, &says));
    PL_EQ(says, PL_SCTP_ABORT);
}

PL_TEST(section_3_3_2_init_without_incoming_streams_is_aborted)
{
    pl_sctp_init init = good;
    uint8_t says;
    init.streams_in = 0;
    PL_OKAY(refuses(&init, &says));
    PL_EQ(says, PL_SCTP_ABORT);
}

PL_TEST(section_3_3_2_init_with_a_window_below_1500_is_aborted)
{
    pl_sctp_init init = good;
    uint8_t says;
    init.a_rwnd = 1499;
    PL_OKAY(refuses(&init, &says));
    PL_EQ(says, PL_SCTP_ABORT);
    init.a_rwnd = 1500;
    PL_OKAY(!refuses(&init, &says));
}

PL_TEST(section_3_3_2_init_is_never_bundled)
{
    rawpeer r;
    pl_sctp_chunk c;
    raw_init(&r, NULL);
    raw_begin(&r, 0);
    pl_sctp_init_write(&r.w, PL_SCTP_INIT, &good);
    raw_chunk(&r, PL_SCTP_COOKIE_ACK, 0, NULL, 0);
    raw_give(&r);
    PL_OKAY(!raw_hears(&r, PL_SCTP_INIT_ACK, &c));
    raw_clear(&r);
}

PL_TEST(section_3_3_2_1_host_names_are_aborted)
{
    rawpeer r;
    raw_init(&r, NULL);
    raw_begin(&r, 0);
    size_t chunk = pl_sctp_chunk_begin(&r.w, PL_SCTP_INIT, 0);
    pl_wr_bytes(&r.w, "\x00\x00\x00\x4d\x00\x01\x86\xa0\x00\x0a\x00\x0a\x00\x00\x00\x05", 16);
    size_t param = pl_sctp_param_begin(&r.w, PL_SCTP_PARAM_HOST_NAME);
    pl_wr_bytes(&r.w, "a.example", 10);
    pl_sctp_param_end(&r.w, param);
    pl_sctp_chunk_end(&r.w, chunk);
    raw_give(&r);
    PL_OKAY(raw_hears_cause(&r, PL_SCTP_ABORT, PL_SCTP_CAUSE_UNRESOLVABLE_ADDRESS));
    raw_clear(&r);
}

PL_TEST(section_3_3_3_init_ack_without_a_cookie_is_aborted)
{
    rawpeer r;
    raw_init(&r, NULL);
    pl_sctp_connect(r.sctp, r.now_us);
    pl_sctp_chunk c;
    PL_OKAY(raw_hears(&r, PL_SCTP_INIT, &c));
    raw_begin(&r, pl_rd_u32(&c.body));
    pl_sctp_init_write(&r.w, PL_SCTP_INIT_ACK, &good);
    raw_give(&r);
    PL_OKAY(raw_hears_cause(&r, PL_SCTP_ABORT, PL_SCTP_CAUSE_MISSING_PARAM));
    PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_CLOSED);
    raw_clear(&r);
}

PL_TEST(section_5_1_an_init_leaves_no_trace)
{
    rawpeer r;
    pl_sctp_chunk c;
    raw_init(&r, NULL);
    for (int i = 0; i < 10; i++) {
        raw_say_init(&r, &good);
        PL_OKAY(raw_hears(&r, PL_SCTP_INIT_ACK, &c));
        PL_EQ(r.heard_tag, good.tag);
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

PL_TEST(section_5_2_6_a_stale_cookie_asks_for_a_longer_life)
{
    rawpeer r;
    pl_sctp_conf conf = { .max_init_retransmits = 3 };
    pl_sctp_chunk c;
    raw_init(&r, &conf);
    pl_sctp_connect(r.sctp, r.now_us);
    for (int i = 0; i < 4; i++) {
        pl_sctp_init init, ack = good;
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

PL_TEST(section_3_3_2_1_3_a_cookie_lives_longer_when_asked_for)
{
    for (uint32_t ms = 0; ms < 90000; ms += 30000) {
        rawpeer r;
        pl_sctp_chunk c;
        pl_sctp_init ack, init = good;
        raw_init(&r, NULL);
        init.preserve_ms = ms;
        raw_say_init(&r, &init);
        PL_OKAY(raw_hears(&r, PL_SCTP_INIT_ACK, &c));
        PL_EQ(pl_sctp_init_parse(&ack, c.body), PL_OK);
        memcpy(r.cookie, ack.cookie, ack.cookie_len);
        r.its_tag = ack.tag;
        r.now_us += PL_SEC(85);
        raw_say(&r, PL_SCTP_COOKIE_ECHO, 0, r.cookie, ack.cookie_len);
        PL_EQ(pl_sctp_get_state(r.sctp), ms > 0 ? PL_SCTP_ESTABLISHED : PL_SCTP_CLOSED);
        raw_clear(&r);
    }
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
    pl_sctp_init ack = good;
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

PL_TEST(section_5_2_5_an_unexpected_cookie_ack_is_dropped)
{
    rawpeer r;
    raw_up(&r, NULL);
    raw_say(&r, PL_SCTP_COOKIE_ACK, 0, NULL, 0);
    PL_EQ(raw_hush(&r), 0);
    PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_ESTABLISHED);
    raw_clear(&r);
}

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
    raw_clear(&r);
}

PL_TESTS(t(section_3_1_wrong_checksum_is_dropped), t(section_3_1_other_ports_are_others),
         t(section_3_2_a_chunk_that_does_not_fit_ends_the_reading),
         t(section_3_2_a_chunk_shorter_than_its_header),
         t(section_3_2_1_unknown_parameters_do_as_their_type_says),
         t(section_3_3_2_init_without_a_tag_is_dropped),
         t(section_3_3_2_init_without_outgoing_streams_is_aborted),
         t(section_3_3_2_init_without_incoming_streams_is_aborted),
         t(section_3_3_2_init_with_a_window_below_1500_is_aborted), t(section_3_3_2_init_is_never_bundled),
         t(section_3_3_2_1_host_names_are_aborted), t(section_3_3_3_init_ack_without_a_cookie_is_aborted),
         t(section_5_1_an_init_leaves_no_trace), t(section_5_1_data_behind_the_cookie_is_taken),
         t(section_5_1_1_streams_are_the_lesser_of_both_wishes), t(section_5_1_3_a_forged_cookie_is_dropped),
         t(section_5_1_5_a_cookie_under_another_tag_is_dropped), t(section_5_1_5_an_old_cookie_is_stale),
         t(section_5_1_6_a_cookie_for_an_association_that_is_up_is_not_stale),
         t(section_5_2_1_in_cookie_wait_the_answer_has_the_tag_of_our_own_init),
         t(section_5_2_2_when_up_the_answer_has_a_new_tag),
         t(section_5_2_3_an_unexpected_init_ack_is_dropped), t(section_5_2_4_case_A_restart),
         t(section_5_2_4_case_A_in_shutdown_ack_sent_is_refused), t(section_5_2_4_case_B_both_began),
         t(section_5_2_4_case_C_an_old_cookie_is_dropped), t(section_5_2_4_case_D_the_same_cookie_again),
         t(section_5_2_5_an_unexpected_cookie_ack_is_dropped), t(section_4_t1_doubles_and_ends),
         t(section_5_2_6_a_stale_cookie_asks_for_a_longer_life),
         t(section_3_3_2_1_3_a_cookie_lives_longer_when_asked_for))
