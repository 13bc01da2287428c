/* RFC 9260 3, rule by rule: packets, chunks, parameters and causes, and what is done with those that must not be. */
#include "pl_test.h"

#include "rawpeer.h"

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
    PL_EQ(raw_bad(&r), 1);
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
    PL_EQ(raw_bad(&r), 2);
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
    PL_EQ(raw_bad(&r), 1);
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
        PL_EQ(raw_bad(&r), 1);
        PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_ESTABLISHED);
        raw_clear(&r);
    }
}

PL_TEST(section_3_2_padding_is_passed_over)
{
    rawpeer r;
    raw_up(&r, NULL);
    raw_begin(&r, r.its_tag);
    pl_wr_bytes(&r.w, "\x84\x00\x00\x05\x01\xff\xff\xff", 8); /* PAD of one byte, and three beside it */
    raw_data(&r, r.tsn, 0, 0, 3, 4);
    raw_give(&r);
    PL_OKAY(pl_sctp_peek(r.sctp));
    raw_clear(&r);
}

PL_TEST(section_3_2_unknown_chunks_do_as_their_type_says)
{
    static const struct {
        uint8_t type;
        bool goes_on, reports;
    } unknown[] = {
        { 0x3e, false, false }, { 0x7e, false, true }, { 0xbe, true, false }, { 0xfe, true, true }
    };
    static const uint8_t zeros[1000];
    for (size_t i = 0; i < 4; i++) {
        rawpeer r;
        raw_up(&r, NULL);
        raw_begin(&r, r.its_tag);
        raw_chunk(&r, unknown[i].type, 0, zeros, sizeof zeros);
        raw_data(&r, r.tsn, 0, 0, 3, 4);
        raw_give(&r);
        PL_EQ(pl_sctp_peek(r.sctp) != NULL, unknown[i].goes_on);
        PL_EQ(raw_hears_cause(&r, PL_SCTP_ERROR, PL_SCTP_CAUSE_UNRECOGNIZED_CHUNK), unknown[i].reports);
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

PL_TEST(section_3_2_1_unknown_parameters_of_an_init_ack_are_reported)
{
    rawpeer r;
    pl_sctp_chunk c;
    raw_in_state(&r, PL_SCTP_COOKIE_WAIT);
    pl_sctp_init ack = raw_good_init;
    ack.cookie = r.cookie;
    ack.cookie_len = 20;
    raw_begin(&r, r.its_tag);
    size_t chunk = pl_wr_mark(&r.w);
    pl_sctp_init_write(&r.w, PL_SCTP_INIT_ACK, &ack);
    pl_wr_bytes(&r.w, "\xff\xf0\x00\x06hi\x00\x00", 8);
    pl_wr_patch16(&r.w, chunk + 2, (uint16_t)(pl_wr_len(&r.w) - chunk));
    raw_give(&r);
    size_t len;
    PL_OKAY(pl_sctp_poll_output(r.sctp, r.now_us, r.in, sizeof r.in, &len)); /* beside the COOKIE ECHO */
    pl_rd chunks = pl_rd_init(r.in + PL_SCTP_HEADER, len - PL_SCTP_HEADER);
    PL_OKAY(pl_sctp_chunk_next(&chunks, &c) && c.type == PL_SCTP_COOKIE_ECHO);
    PL_OKAY(pl_sctp_chunk_next(&chunks, &c) && c.type == PL_SCTP_ERROR);
    PL_EQ(pl_rd_u16(&c.body), PL_SCTP_CAUSE_UNRECOGNIZED_PARAMS);
    pl_rd_skip(&c.body, 2);
    PL_MEMEQ(c.body.p, "\xff\xf0\x00\x06hi", 6);
    raw_clear(&r);
}

PL_TEST(section_3_3_2_init_without_a_tag_is_dropped)
{
    pl_sctp_init init = raw_good_init;
    uint8_t says;
    init.tag = 0;
    PL_OKAY(refuses(&init, &says));
    PL_EQ(says, 0xff);
}

PL_TEST(section_3_3_2_init_without_outgoing_streams_is_aborted)
{
    pl_sctp_init init = raw_good_init;
    uint8_t says;
    init.streams_out = 0;
    PL_OKAY(refuses(&init, &says));
    PL_EQ(says, PL_SCTP_ABORT);
}

PL_TEST(section_3_3_2_init_without_incoming_streams_is_aborted)
{
    pl_sctp_init init = raw_good_init;
    uint8_t says;
    init.streams_in = 0;
    PL_OKAY(refuses(&init, &says));
    PL_EQ(says, PL_SCTP_ABORT);
}

PL_TEST(section_3_3_2_init_with_a_window_below_1500_is_aborted)
{
    pl_sctp_init init = raw_good_init;
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
    pl_sctp_init_write(&r.w, PL_SCTP_INIT, &raw_good_init);
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

PL_TEST(section_3_3_2_1_3_a_cookie_lives_longer_when_asked_for)
{
    for (uint32_t ms = 0; ms < 90000; ms += 30000) {
        rawpeer r;
        pl_sctp_chunk c;
        pl_sctp_init ack, init = raw_good_init;
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

PL_TEST(section_3_3_3_init_ack_that_cannot_be_lived_with_ends_the_try)
{
    for (int i = 0; i < 3; i++) {
        rawpeer r;
        raw_in_state(&r, PL_SCTP_COOKIE_WAIT);
        pl_sctp_init ack = raw_good_init;
        ack.tag = i == 0 ? 0 : ack.tag;
        ack.streams_out = i == 1 ? 0 : 10;
        ack.streams_in = i == 2 ? 0 : 10;
        ack.cookie = r.cookie;
        ack.cookie_len = 20;
        raw_begin(&r, r.its_tag);
        pl_sctp_init_write(&r.w, PL_SCTP_INIT_ACK, &ack);
        raw_give(&r);
        PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_CLOSED);
        PL_EQ(raw_hush(&r), i > 0); /* an ABORT needs a tag to go to */
        raw_clear(&r);
    }
}

/* All thirteen: an ABORT tells its own, an ERROR ends nothing. */
PL_TEST(section_3_3_10_each_cause_is_told)
{
    for (unsigned cause = 1; cause <= PL_SCTP_CAUSE_PROTOCOL_VIOLATION; cause++) {
        rawpeer r;
        pl_sctp_event e;
        uint8_t value[8] = { 0, (uint8_t)cause, 0, 8, 0, 1, 0, 0 };
        raw_up(&r, NULL);
        raw_say(&r, PL_SCTP_ERROR, 0, value, sizeof value);
        PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_ESTABLISHED);
        PL_EQ(raw_hush(&r), 0);
        raw_say(&r, PL_SCTP_ABORT, 0, value, sizeof value);
        while (pl_sctp_poll_event(r.sctp, &e) && e.kind != PL_SCTP_EVENT_CLOSED)
            ;
        PL_EQ(e.kind, PL_SCTP_EVENT_CLOSED);
        PL_EQ(e.error, PL_EPROTO);
        PL_EQ(e.cause, cause);
        PL_OKAY(strstr(e.reason, pl_sctp_cause_str((uint16_t)cause)));
        raw_clear(&r);
    }
}

PL_TEST(section_3_3_10_1_invalid_stream_names_the_stream)
{
    rawpeer r;
    raw_up(&r, NULL);
    raw_begin(&r, r.its_tag);
    raw_data(&r, r.tsn, 0x1234, 0, 3, 4);
    raw_give(&r);
    raw_hears_value(&r, PL_SCTP_ERROR, PL_SCTP_CAUSE_INVALID_STREAM, "\x12\x34\x00\x00", 4);
    raw_clear(&r);
}

PL_TEST(section_3_3_10_2_missing_parameter_names_the_cookie)
{
    rawpeer r;
    raw_in_state(&r, PL_SCTP_COOKIE_WAIT);
    raw_begin(&r, r.its_tag);
    pl_sctp_init_write(&r.w, PL_SCTP_INIT_ACK, &raw_good_init);
    raw_give(&r);
    raw_hears_value(&r, PL_SCTP_ABORT, PL_SCTP_CAUSE_MISSING_PARAM, "\x00\x00\x00\x01\x00\x07", 6);
    PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_CLOSED);
    raw_clear(&r);
}

PL_TEST(section_3_3_10_6_unrecognized_chunk_quotes_it)
{
    rawpeer r;
    raw_up(&r, NULL);
    raw_say(&r, 0xfe, 7, "what", 4);
    raw_hears_value(&r, PL_SCTP_ERROR, PL_SCTP_CAUSE_UNRECOGNIZED_CHUNK, "\xfe\x07\x00\x08what", 8);
    raw_clear(&r);
}

PL_TEST(section_3_3_10_9_no_user_data_names_the_tsn)
{
    rawpeer r;
    uint8_t tsn[4];
    raw_up(&r, NULL);
    raw_begin(&r, r.its_tag);
    raw_data(&r, r.tsn, 0, 0, 3, 0);
    raw_give(&r);
    pl_put32(tsn, r.tsn);
    raw_hears_value(&r, PL_SCTP_ABORT, PL_SCTP_CAUSE_NO_USER_DATA, tsn, 4);
    raw_clear(&r);
}

PL_TEST(section_3_3_10_12_user_abort_carries_the_reason)
{
    rawpeer r;
    raw_up(&r, NULL);
    pl_sctp_abort(r.sctp, r.now_us, "enough");
    raw_hears_value(&r, PL_SCTP_ABORT, PL_SCTP_CAUSE_USER_ABORT, "enough", 6);
    PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_CLOSED);
    raw_clear(&r);
}

PL_TEST(section_3_3_10_13_protocol_violation_says_which)
{
    rawpeer r;
    pl_sctp_conf conf = { .max_message_size = 1500 };
    pl_sctp_chunk c;
    raw_up(&r, &conf);
    raw_begin(&r, r.its_tag);
    raw_data(&r, r.tsn, 0, 0, PL_SCTP_DATA_B, 900);
    raw_data(&r, r.tsn + 1, 0, 0, 0, 900);
    raw_give(&r);
    PL_OKAY(raw_hears(&r, PL_SCTP_ABORT, &c));
    PL_EQ(pl_rd_u16(&c.body), PL_SCTP_CAUSE_PROTOCOL_VIOLATION);
    PL_GE(pl_rd_u16(&c.body), 8);
    raw_clear(&r);
}

PL_TESTS(t(section_3_1_wrong_checksum_is_dropped), t(section_3_1_other_ports_are_others),
         t(section_3_2_a_chunk_that_does_not_fit_ends_the_reading),
         t(section_3_2_a_chunk_shorter_than_its_header), t(section_3_2_padding_is_passed_over),
         t(section_3_2_unknown_chunks_do_as_their_type_says),
         t(section_3_2_1_unknown_parameters_do_as_their_type_says),
         t(section_3_2_1_unknown_parameters_of_an_init_ack_are_reported),
         t(section_3_3_2_init_without_a_tag_is_dropped),
         t(section_3_3_2_init_without_outgoing_streams_is_aborted),
         t(section_3_3_2_init_without_incoming_streams_is_aborted),
         t(section_3_3_2_init_with_a_window_below_1500_is_aborted), t(section_3_3_2_init_is_never_bundled),
         t(section_3_3_2_1_host_names_are_aborted), t(section_3_3_2_1_3_a_cookie_lives_longer_when_asked_for),
         t(section_3_3_3_init_ack_that_cannot_be_lived_with_ends_the_try),
         t(section_3_3_10_each_cause_is_told), t(section_3_3_10_1_invalid_stream_names_the_stream),
         t(section_3_3_10_2_missing_parameter_names_the_cookie),
         t(section_3_3_10_6_unrecognized_chunk_quotes_it), t(section_3_3_10_9_no_user_data_names_the_tsn),
         t(section_3_3_10_12_user_abort_carries_the_reason),
         t(section_3_3_10_13_protocol_violation_says_which))
