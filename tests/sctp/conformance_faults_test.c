/* RFC 9260 8 and 9, and the extensions, rule by rule: whose packet it is, silence, ends; what must be negotiated. */
#include "pl_test.h"

#include "rawpeer.h"

static uint64_t bad(const rawpeer *r)
{
    return r->sctp->stats.bad_packets;
}

static void give_plain(rawpeer *r, uint32_t tag, uint8_t type, uint8_t flags)
{
    raw_begin(r, tag);
    raw_chunk(r, type, flags, NULL, 0);
    raw_give(r);
}

static void say_shutdown(rawpeer *r, uint32_t cumulative_tsn)
{
    uint8_t tsn[4];
    pl_put32(tsn, cumulative_tsn);
    raw_say(r, PL_SCTP_SHUTDOWN, 0, tsn, sizeof tsn);
}

PL_TEST(section_8_4_shutdown_ack_out_of_the_blue_is_completed)
{
    rawpeer r;
    pl_sctp_chunk c;
    raw_init(&r, NULL);
    give_plain(&r, 4711, PL_SCTP_SHUTDOWN_ACK, 0);
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
        give_plain(&r, 4711, types[i], 0);
        PL_EQ(raw_hush(&r), 0);
        PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_CLOSED);
        raw_clear(&r);
    }
}

PL_TEST(section_8_5_a_wrong_tag_is_dropped)
{
    rawpeer r;
    raw_up(&r, NULL);
    raw_begin(&r, r.its_tag + 1);
    raw_data(&r, r.tsn, 0, 0, 3, 4);
    raw_give(&r);
    PL_EQ(bad(&r), 1);
    PL_OKAY(!pl_sctp_peek(r.sctp));
    raw_clear(&r);
}

PL_TEST(section_8_5_1_A_an_init_has_tag_zero)
{
    rawpeer r;
    pl_sctp_chunk c;
    pl_sctp_init init = { .tag = 5, .a_rwnd = 9000, .streams_out = 1, .streams_in = 1 };
    raw_init(&r, NULL);
    raw_begin(&r, 9);
    pl_sctp_init_write(&r.w, PL_SCTP_INIT, &init);
    raw_give(&r);
    PL_EQ(raw_hush(&r), 0);
    pl_sctp_connect(r.sctp, r.now_us);
    PL_OKAY(raw_hears(&r, PL_SCTP_INIT, &c));
    PL_EQ(r.heard_tag, 0);
    raw_clear(&r);
}

PL_TEST(section_8_5_1_B_abort_by_our_tag)
{
    rawpeer r;
    raw_up(&r, NULL);
    give_plain(&r, r.its_tag, PL_SCTP_ABORT, 0);
    PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_CLOSED);
    raw_clear(&r);
}

PL_TEST(section_8_5_1_B_abort_by_its_own_tag_with_T)
{
    rawpeer r;
    raw_up(&r, NULL);
    give_plain(&r, r.its_tag, PL_SCTP_ABORT, PL_SCTP_FLAG_T);
    PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_ESTABLISHED);
    give_plain(&r, r.tag, PL_SCTP_ABORT, 0);
    PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_ESTABLISHED);
    give_plain(&r, r.tag, PL_SCTP_ABORT, PL_SCTP_FLAG_T);
    PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_CLOSED);
    raw_clear(&r);
}

PL_TEST(section_8_5_1_C_shutdown_complete_only_when_waited_for)
{
    rawpeer r;
    raw_up(&r, NULL);
    give_plain(&r, r.its_tag, PL_SCTP_SHUTDOWN_COMPLETE, 0);
    PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_ESTABLISHED);
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

PL_TEST(section_9_1_abort_carries_the_reason)
{
    rawpeer r;
    raw_up(&r, NULL);
    pl_sctp_abort(r.sctp, r.now_us, "enough");
    PL_OKAY(raw_hears_cause(&r, PL_SCTP_ABORT, PL_SCTP_CAUSE_USER_ABORT));
    PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_CLOSED);
    raw_clear(&r);
}

PL_TEST(section_9_1_an_abort_tells_its_cause)
{
    rawpeer r;
    pl_sctp_event e;
    raw_up(&r, NULL);
    raw_say(&r, PL_SCTP_ABORT, 0, "\x00\x0d\x00\x04", 4);
    while (pl_sctp_poll_event(r.sctp, &e) && e.kind != PL_SCTP_EVENT_CLOSED)
        ;
    PL_EQ(e.cause, PL_SCTP_CAUSE_PROTOCOL_VIOLATION);
    PL_EQ(raw_hush(&r), 0); /* an ABORT is never answered */
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

PL_TEST(section_9_2_nothing_is_sent_after_shutdown)
{
    rawpeer r;
    raw_up(&r, NULL);
    pl_sctp_shutdown(r.sctp, r.now_us);
    PL_EQ(pl_sctp_send(r.sctp, r.now_us, 0, 51, "x", 1, NULL), PL_ESTATE);
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
    say_shutdown(&r, r.its_tsn - 1);
    PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_SHUTDOWN_RECEIVED);
    say_shutdown(&r, r.its_tsn); /* it acknowledges as a SACK does */
    PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_SHUTDOWN_ACK_SENT);
    PL_OKAY(raw_hears(&r, PL_SCTP_SHUTDOWN_ACK, &c));
    give_plain(&r, r.its_tag, PL_SCTP_SHUTDOWN_COMPLETE, 0);
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
    say_shutdown(&r, r.its_tsn - 1);
    PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_SHUTDOWN_ACK_SENT);
    PL_OKAY(raw_hears(&r, PL_SCTP_SHUTDOWN_ACK, &c));
    give_plain(&r, r.its_tag, PL_SCTP_SHUTDOWN_ACK, 0);
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
    pl_sctp_init init = { .tag = 5, .a_rwnd = 9000, .streams_out = 1, .streams_in = 1 };
    raw_up(&r, NULL);
    say_shutdown(&r, r.its_tsn - 1);
    raw_hush(&r);
    raw_say_init(&r, &init);
    PL_OKAY(raw_hears(&r, PL_SCTP_SHUTDOWN_ACK, &c));
    raw_clear(&r);
}

/* --- extensions --- */

PL_TEST(rfc_7053_the_I_bit_asks_for_a_sack_at_once)
{
    rawpeer r;
    raw_up(&r, NULL);
    raw_begin(&r, r.its_tag);
    raw_data(&r, r.tsn, 0, 0, 3 | PL_SCTP_DATA_I, 4);
    raw_give(&r);
    PL_LE(r.sctp->in.due_us, r.now_us);
    raw_clear(&r);
}

PL_TEST(rfc_3758_forward_tsn_moves_the_cumulative_point)
{
    rawpeer r;
    uint8_t tsn[4];
    raw_up(&r, NULL);
    raw_say_data(&r, 3);
    pl_put32(tsn, r.tsn + 2);
    raw_say(&r, PL_SCTP_FORWARD_TSN, 0, tsn, 4);
    PL_EQ(r.sctp->in.cumulative_tsn, r.tsn + 3);
    PL_LE(r.sctp->in.due_us, r.now_us); /* 3.6: told at once */
    raw_clear(&r);
}

static pl_sctp_init init_ack_of(rawpeer *r, const pl_sctp_conf *conf, uint8_t extensions, uint8_t *copy)
{
    pl_sctp_chunk c;
    pl_sctp_init ack,
        init = { .tag = 5, .a_rwnd = 9000, .streams_out = 1, .streams_in = 1, .extensions = extensions };
    raw_init(r, conf);
    raw_say_init(r, &init);
    PL_OKAY(raw_hears(r, PL_SCTP_INIT_ACK, &c));
    memcpy(copy, c.body.p, pl_rd_left(&c.body));
    PL_EQ(pl_sctp_init_parse(&ack, pl_rd_init(copy, pl_rd_left(&c.body))), PL_OK);
    return ack;
}

PL_TEST(rfc_9653_4_offered_only_when_below_is_dtls)
{
    rawpeer r;
    uint8_t copy[1500];
    pl_sctp_conf conf = { .zero_checksum = true };
    PL_OKAY(!(init_ack_of(&r, NULL, PL_SCTP_EXT_ZERO_CHECKSUM, copy).extensions & PL_SCTP_EXT_ZERO_CHECKSUM));
    raw_clear(&r);
    PL_OKAY(init_ack_of(&r, &conf, PL_SCTP_EXT_ZERO_CHECKSUM, copy).extensions & PL_SCTP_EXT_ZERO_CHECKSUM);
    raw_clear(&r);
}

/* pion before 2024 drops what has a parameter that it does not know. */
PL_TEST(rfc_9653_4_not_said_to_who_might_not_know_it)
{
    rawpeer r;
    uint8_t copy[1500];
    pl_sctp_conf conf = { .zero_checksum = true };
    pl_sctp_chunk c;
    pl_sctp_init init;
    PL_OKAY(!(init_ack_of(&r, &conf, 0, copy).extensions & PL_SCTP_EXT_ZERO_CHECKSUM));
    raw_clear(&r);
    raw_init(&r, &conf);
    pl_sctp_connect(r.sctp, r.now_us);
    for (int i = 0; i < 4; i++) { /* nobody answers */
        PL_OKAY(raw_hears(&r, PL_SCTP_INIT, &c));
        PL_EQ(pl_sctp_init_parse(&init, c.body), PL_OK);
        PL_EQ(!(init.extensions & PL_SCTP_EXT_ZERO_CHECKSUM), i >= 2);
        PL_OKAY(init.extensions & PL_SCTP_EXT_INTERLEAVE);
        r.now_us = pl_sctp_next_us(r.sctp);
        pl_sctp_tick(r.sctp, r.now_us);
    }
    raw_clear(&r);
}

static void give_with_checksum(rawpeer *r, uint32_t checksum)
{
    raw_begin(r, r->its_tag);
    raw_data(r, r->tsn, 0, 0, 3, 4);
    memset(r->out + 8, 0, 4);
    r->out[8] = (uint8_t)checksum;
    pl_sctp_input(r->sctp, r->now_us, r->out, pl_wr_len(&r->w));
}

PL_TEST(rfc_9653_5_3_zero_is_accepted_only_where_offered)
{
    for (int offered = 0; offered < 2; offered++) {
        rawpeer r;
        pl_sctp_conf conf = { .zero_checksum = offered };
        raw_up(&r, &conf);
        give_with_checksum(&r, 9); /* wrong is wrong in any case */
        PL_OKAY(!pl_sctp_peek(r.sctp));
        give_with_checksum(&r, 0);
        PL_EQ(pl_sctp_peek(r.sctp) != NULL, offered);
        raw_say_data(&r, 1); /* right is right in any case */
        PL_EQ(bad(&r), offered ? 1 : 2);
        raw_clear(&r);
    }
}

PL_TEST(rfc_9653_5_3_an_init_needs_its_checksum)
{
    rawpeer r;
    pl_sctp_conf conf = { .zero_checksum = true };
    pl_sctp_init init = { .tag = 5, .a_rwnd = 9000, .streams_out = 1, .streams_in = 1 };
    raw_init(&r, &conf);
    raw_begin(&r, 0);
    pl_sctp_init_write(&r.w, PL_SCTP_INIT, &init);
    pl_sctp_input(r.sctp, r.now_us, r.out, pl_wr_len(&r.w));
    PL_EQ(bad(&r), 1);
    PL_EQ(raw_hush(&r), 0);
    raw_clear(&r);
}

/* What the association sends, to a peer that takes zero, or to one that does not. */
PL_TEST(rfc_9653_5_2_zero_is_sent_only_to_who_takes_it)
{
    for (int takes = 0; takes < 2; takes++) {
        rawpeer r;
        pl_sctp_conf conf = { .zero_checksum = true };
        raw_up(&r, &conf);
        r.sctp->extensions = takes ? PL_SCTP_EXT_ZERO_CHECKSUM : 0;
        PL_EQ(pl_sctp_send(r.sctp, r.now_us, 0, 51, "x", 1, NULL), PL_OK);
        size_t len;
        PL_OKAY(pl_sctp_poll_output(r.sctp, r.now_us, r.in, sizeof r.in, &len));
        PL_EQ(pl_get32(r.in + 8) == 0, takes);
        raw_clear(&r);
    }
}

PL_TEST(rfc_6525_5_2_1_sequence_numbers_of_requests)
{
    static const struct {
        int32_t off;
        uint32_t want;
    } ask[] = { { 5, PL_SCTP_RESET_BAD_SEQUENCE },
                { 0, PL_SCTP_RESET_DENIED },
                { 0, PL_SCTP_RESET_DENIED },
                { -1, PL_SCTP_RESET_BAD_SEQUENCE } };
    rawpeer r;
    raw_up(&r, NULL);
    for (size_t i = 0; i < 4; i++) {
        pl_sctp_chunk c;
        pl_sctp_param p;
        pl_sctp_reconfig answer;
        raw_begin(&r, r.its_tag);
        pl_sctp_add_write(&r.w, PL_SCTP_ADD_OUT, r.tsn + (uint32_t)ask[i].off, 0);
        raw_give(&r);
        PL_OKAY(raw_hears(&r, PL_SCTP_RECONFIG, &c));
        PL_OKAY(pl_sctp_param_next(&c.body, &p));
        PL_EQ(pl_sctp_reconfig_parse(&answer, &p), PL_OK);
        PL_EQ(answer.result, ask[i].want);
    }
    raw_clear(&r);
}

PL_TEST(rfc_4820_padding_is_skipped)
{
    rawpeer r;
    static const uint8_t zeros[100];
    raw_up(&r, NULL);
    raw_begin(&r, r.its_tag);
    raw_chunk(&r, PL_SCTP_PAD, 0, zeros, sizeof zeros);
    raw_data(&r, r.tsn, 0, 0, 3, 4);
    raw_give(&r);
    PL_OKAY(pl_sctp_peek(r.sctp));
    PL_EQ(bad(&r), 0);
    raw_clear(&r);
}

PL_TESTS(t(section_8_4_shutdown_ack_out_of_the_blue_is_completed),
         t(section_8_4_other_packets_out_of_the_blue_are_dropped), t(section_8_5_a_wrong_tag_is_dropped),
         t(section_8_5_1_A_an_init_has_tag_zero), t(section_8_5_1_B_abort_by_our_tag),
         t(section_8_5_1_B_abort_by_its_own_tag_with_T),
         t(section_8_5_1_C_shutdown_complete_only_when_waited_for),
         t(section_8_3_a_heartbeat_comes_back_as_it_was), t(section_8_3_an_idle_path_is_asked),
         t(section_8_1_a_silent_peer_is_given_up), t(section_9_1_abort_carries_the_reason),
         t(section_9_1_an_abort_tells_its_cause), t(section_9_2_shutdown_waits_for_what_is_under_way),
         t(section_9_2_nothing_is_sent_after_shutdown),
         t(section_9_2_data_in_shutdown_sent_is_acknowledged_with_shutdown),
         t(section_9_2_shutdown_received_is_answered_when_all_is_acknowledged),
         t(section_9_2_both_shut_down_at_once), t(section_9_2_t2_sends_shutdown_again),
         t(section_9_2_t5_guards_the_shutdown), t(section_9_2_init_in_shutdown_ack_sent_repeats_the_ack),
         t(rfc_7053_the_I_bit_asks_for_a_sack_at_once), t(rfc_3758_forward_tsn_moves_the_cumulative_point),
         t(rfc_9653_4_offered_only_when_below_is_dtls), t(rfc_9653_4_not_said_to_who_might_not_know_it),
         t(rfc_9653_5_3_zero_is_accepted_only_where_offered), t(rfc_9653_5_3_an_init_needs_its_checksum),
         t(rfc_9653_5_2_zero_is_sent_only_to_who_takes_it), t(rfc_6525_5_2_1_sequence_numbers_of_requests),
         t(rfc_4820_padding_is_skipped))
