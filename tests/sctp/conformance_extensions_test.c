/* The extensions, rule by rule: what they do, and what must be negotiated. */
#include "pl_test.h"

#include "rawpeer.h"

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

static void give_with_checksum(rawpeer *r, uint32_t checksum)
{
    raw_begin(r, r->its_tag);
    raw_data(r, r->tsn, 0, 0, 3, 4);
    memset(r->out + 8, 0, 4);
    r->out[8] = (uint8_t)checksum;
    pl_sctp_input(r->sctp, r->now_us, r->out, pl_wr_len(&r->w));
}

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
        PL_EQ(raw_bad(&r), offered ? 1 : 2);
        raw_clear(&r);
    }
}

PL_TEST(rfc_9653_5_3_an_init_needs_its_checksum)
{
    rawpeer r;
    pl_sctp_conf conf = { .zero_checksum = true };
    raw_init(&r, &conf);
    raw_begin(&r, 0);
    pl_sctp_init_write(&r.w, PL_SCTP_INIT, &raw_good_init);
    pl_sctp_input(r.sctp, r.now_us, r.out, pl_wr_len(&r.w));
    PL_EQ(raw_bad(&r), 1);
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
    PL_EQ(raw_bad(&r), 0);
    raw_clear(&r);
}

PL_TESTS(t(rfc_7053_the_I_bit_asks_for_a_sack_at_once), t(rfc_3758_forward_tsn_moves_the_cumulative_point),
         t(rfc_9653_4_offered_only_when_below_is_dtls), t(rfc_9653_4_not_said_to_who_might_not_know_it),
         t(rfc_9653_5_3_zero_is_accepted_only_where_offered), t(rfc_9653_5_3_an_init_needs_its_checksum),
         t(rfc_9653_5_2_zero_is_sent_only_to_who_takes_it), t(rfc_6525_5_2_1_sequence_numbers_of_requests),
         t(rfc_4820_padding_is_skipped))
