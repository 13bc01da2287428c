/* RFC 9260 6 and 7, rule by rule: data, its acknowledgement, and how much of it may be under way. */
#include "pl_test.h"

#include "rawpeer.h"

enum { WHOLE = PL_SCTP_DATA_B | PL_SCTP_DATA_E };

static bool owes_sack_now(const rawpeer *r)
{
    return r->sctp->in.due_us <= r->now_us;
}

static pl_sctp_sack_chunk hear_sack(rawpeer *r)
{
    pl_sctp_chunk c;
    pl_sctp_sack_chunk sack;
    PL_OKAY(raw_hears(r, PL_SCTP_SACK, &c));
    PL_EQ(pl_sctp_sack_parse(&sack, c.body), PL_OK);
    return sack;
}

static void send_bytes(rawpeer *r, uint16_t sid, size_t len)
{
    static const uint8_t bytes[200000];
    PL_EQ(pl_sctp_send(r->sctp, r->now_us, sid, 51, bytes, len, NULL), PL_OK);
}

static pl_sctp_data hear_data(rawpeer *r)
{
    pl_sctp_chunk c;
    pl_sctp_data d;
    PL_OKAY(raw_hears(r, PL_SCTP_DATA, &c));
    PL_EQ(pl_sctp_data_parse(&d, &c), PL_OK);
    return d;
}

PL_TEST(section_6_1_A_nothing_beyond_a_closed_window)
{
    rawpeer r;
    raw_up(&r, NULL);
    send_bytes(&r, 0, 3000);
    raw_hush(&r);
    raw_say_sack(&r, r.sctp->sent.next_tsn - 1, 0);
    send_bytes(&r, 0, 3000);
    PL_EQ(raw_hush(&r), 1); /* one chunk asks whether it is still closed */
    raw_clear(&r);
}

PL_TEST(section_6_1_B_no_more_than_the_congestion_window)
{
    rawpeer r;
    raw_up(&r, NULL);
    send_bytes(&r, 0, 90000);
    raw_hush(&r);
    pl_sctp_stats stats;
    pl_sctp_get_stats(r.sctp, &stats);
    PL_LE(stats.in_flight, stats.cwnd + stats.mtu);
    PL_EQ(stats.cwnd, 10 * (PL_SCTP_MTU_DEFAULT - PL_SCTP_HEADER));
    raw_clear(&r);
}

PL_TEST(section_6_1_C_retransmissions_go_first)
{
    rawpeer r;
    raw_up(&r, NULL);
    send_bytes(&r, 0, 100);
    uint32_t tsn = hear_data(&r).tsn;
    raw_wait(&r, PL_MS(1100));
    send_bytes(&r, 1, 100);
    PL_EQ(hear_data(&r).tsn, tsn);
    raw_clear(&r);
}

PL_TEST(section_6_2_every_second_packet_is_acknowledged)
{
    rawpeer r;
    raw_up(&r, NULL);
    raw_say_data(&r, 0);
    PL_OKAY(!owes_sack_now(&r));
    raw_say_data(&r, 1);
    PL_OKAY(owes_sack_now(&r));
    PL_EQ(hear_sack(&r).cumulative_tsn, r.tsn + 1);
    raw_clear(&r);
}

PL_TEST(section_6_2_a_single_packet_within_the_delay)
{
    rawpeer r;
    raw_up(&r, NULL);
    raw_say_data(&r, 0);
    PL_LE(r.sctp->in.due_us, r.now_us + PL_MS(200));
    r.now_us += PL_MS(200);
    PL_EQ(hear_sack(&r).cumulative_tsn, r.tsn);
    raw_clear(&r);
}

PL_TEST(section_6_2_duplicates_are_acknowledged_at_once_and_reported)
{
    rawpeer r;
    raw_up(&r, NULL);
    raw_say_data(&r, 0);
    raw_say_data(&r, 0);
    PL_OKAY(owes_sack_now(&r));
    pl_sctp_sack_chunk sack = hear_sack(&r);
    PL_EQ(sack.n_duplicates, 1);
    PL_EQ(pl_sctp_sack_duplicate(&sack, 0), r.tsn);
    PL_EQ(r.sctp->stats.chunks_duplicate, 1);
    raw_clear(&r);
}

PL_TEST(section_6_2_data_without_user_data_is_aborted)
{
    rawpeer r;
    raw_up(&r, NULL);
    raw_begin(&r, r.its_tag);
    raw_data(&r, r.tsn, 0, 0, WHOLE, 0);
    raw_give(&r);
    PL_OKAY(raw_hears_cause(&r, PL_SCTP_ABORT, PL_SCTP_CAUSE_NO_USER_DATA));
    raw_clear(&r);
}

PL_TEST(section_6_2_1_an_older_sack_is_dropped)
{
    rawpeer r;
    raw_up(&r, NULL);
    send_bytes(&r, 0, 4000);
    raw_hush(&r);
    uint32_t next = r.sctp->sent.next_tsn;
    raw_say_sack(&r, next - 2, 50000);
    raw_say_sack(&r, next - 3, 7);
    PL_EQ(r.sctp->peer_rwnd, 50000);
    PL_EQ(r.sctp->sent.first_tsn, next - 1);
    raw_clear(&r);
}

PL_TEST(section_6_2_1_a_sack_of_what_was_never_sent_is_dropped)
{
    rawpeer r;
    raw_up(&r, NULL);
    send_bytes(&r, 0, 4000);
    raw_hush(&r);
    raw_say_sack(&r, r.sctp->sent.next_tsn + 5, 50000);
    PL_EQ(r.sctp->stats.bad_packets, 1);
    PL_GE(pl_sctp_buffered_total(r.sctp), 4000);
    raw_clear(&r);
}

PL_TEST(section_6_3_1_the_first_sample)
{
    rawpeer r;
    raw_up(&r, NULL);
    send_bytes(&r, 0, 100);
    raw_hush(&r);
    r.now_us += PL_MS(400);
    raw_say_sack(&r, r.sctp->sent.next_tsn - 1, 50000);
    PL_EQ(r.sctp->rto.srtt_us, PL_MS(400));
    PL_EQ(r.sctp->rto.rttvar_us, PL_MS(200));
    PL_EQ(r.sctp->rto.rto_us, PL_MS(1200));
    raw_clear(&r);
}

PL_TEST(section_6_3_1_C5_no_sample_of_what_went_twice) /* Karn's rule */
{
    rawpeer r;
    raw_up(&r, NULL);
    send_bytes(&r, 0, 100);
    raw_hush(&r);
    raw_wait(&r, PL_MS(1100));
    raw_hush(&r);
    raw_say_sack(&r, r.sctp->sent.next_tsn - 1, 50000);
    PL_EQ(r.sctp->rto.srtt_us, 0);
    raw_clear(&r);
}

PL_TEST(section_6_3_2_R1_t3_runs_while_data_is_under_way)
{
    rawpeer r;
    raw_up(&r, NULL);
    PL_EQ(r.sctp->t3_us, PL_NEVER);
    send_bytes(&r, 0, 100);
    raw_hush(&r);
    PL_EQ(r.sctp->t3_us, r.now_us + r.sctp->rto.rto_us);
    raw_say_sack(&r, r.sctp->sent.next_tsn - 1, 50000);
    PL_EQ(r.sctp->t3_us, PL_NEVER); /* R2 */
    raw_clear(&r);
}

PL_TEST(section_6_3_3_E2_t3_doubles_the_rto)
{
    rawpeer r;
    raw_up(&r, NULL);
    send_bytes(&r, 0, 100);
    raw_hush(&r);
    raw_wait(&r, PL_MS(1001));
    PL_EQ(r.sctp->rto.rto_us, PL_SEC(2));
    PL_EQ(r.sctp->stats.timeouts, 1);
    PL_EQ(hear_data(&r).tsn, r.its_tsn); /* E3 */
    raw_clear(&r);
}

PL_TEST(section_6_5_a_stream_that_is_not_is_reported_and_acknowledged)
{
    rawpeer r;
    pl_sctp_conf conf = { .max_streams_in = 3 };
    raw_up(&r, &conf);
    raw_begin(&r, r.its_tag);
    raw_data(&r, r.tsn, 3, 0, WHOLE, 4);
    raw_give(&r);
    PL_EQ(r.sctp->in.cumulative_tsn, r.tsn);
    PL_OKAY(!pl_sctp_peek(r.sctp));
    PL_OKAY(raw_hears_cause(&r, PL_SCTP_ERROR, PL_SCTP_CAUSE_INVALID_STREAM));
    raw_clear(&r);
}

PL_TEST(section_6_6_messages_of_a_stream_stay_in_order)
{
    rawpeer r;
    pl_sctp_msg m;
    raw_up(&r, NULL);
    for (int i = 2; i >= 0; i--) {
        PL_OKAY(!pl_sctp_peek(r.sctp));
        raw_begin(&r, r.its_tag);
        raw_data(&r, r.tsn + (uint32_t)i, 0, (uint16_t)i, WHOLE, (size_t)i + 1);
        raw_give(&r);
    }
    for (size_t i = 0; i < 3; i++) {
        PL_OKAY(pl_sctp_recv(r.sctp, &m));
        PL_EQ(m.len, i + 1);
        pl_sctp_msg_free(&m);
    }
    raw_clear(&r);
}

PL_TEST(section_6_6_other_streams_and_unordered_messages_wait_for_nobody)
{
    rawpeer r;
    pl_sctp_msg m;
    raw_up(&r, NULL);
    raw_begin(&r, r.its_tag);
    raw_data(&r, r.tsn + 1, 0, 1, WHOLE, 1); /* waits for TSN 0 */
    raw_data(&r, r.tsn + 2, 1, 0, WHOLE, 2);
    raw_data(&r, r.tsn + 3, 0, 0, WHOLE | PL_SCTP_DATA_U, 3);
    raw_give(&r);
    for (size_t i = 2; i < 4; i++) {
        PL_OKAY(pl_sctp_recv(r.sctp, &m));
        PL_EQ(m.len, i);
        pl_sctp_msg_free(&m);
    }
    PL_OKAY(!pl_sctp_recv(r.sctp, &m));
    raw_clear(&r);
}

PL_TEST(section_6_7_a_gap_is_reported_at_once)
{
    rawpeer r;
    raw_up(&r, NULL);
    raw_say_data(&r, 1);
    PL_OKAY(owes_sack_now(&r));
    pl_sctp_sack_chunk sack = hear_sack(&r);
    PL_EQ(sack.cumulative_tsn, r.tsn - 1);
    PL_EQ(sack.n_gaps, 1);
    raw_clear(&r);
}

PL_TEST(section_6_7_a_gap_that_is_filled_is_reported_at_once)
{
    rawpeer r;
    raw_up(&r, NULL);
    raw_say_data(&r, 1);
    raw_hush(&r);
    raw_say_data(&r, 0);
    PL_OKAY(owes_sack_now(&r));
    PL_EQ(hear_sack(&r).cumulative_tsn, r.tsn + 1);
    raw_clear(&r);
}

PL_TEST(section_6_9_fragments_have_tsns_in_a_row_and_one_ssn)
{
    rawpeer r;
    raw_up(&r, NULL);
    send_bytes(&r, 0, 3000);
    for (uint32_t i = 0; i < 3; i++) {
        pl_sctp_data d = hear_data(&r);
        PL_EQ(d.tsn, r.its_tsn + i);
        PL_EQ(d.mid, 0);
        PL_EQ(d.flags & PL_SCTP_DATA_B, i == 0 ? PL_SCTP_DATA_B : 0);
        PL_EQ(d.flags & PL_SCTP_DATA_E, i == 2 ? PL_SCTP_DATA_E : 0);
    }
    raw_clear(&r);
}

PL_TEST(section_6_10_small_messages_are_bundled)
{
    rawpeer r;
    raw_up(&r, NULL);
    for (int i = 0; i < 20; i++)
        send_bytes(&r, 0, 30);
    PL_EQ(raw_hush(&r), 1);
    raw_clear(&r);
}

PL_TEST(section_7_2_1_slow_start_grows_by_what_is_acknowledged)
{
    rawpeer r;
    pl_sctp_conf conf = { .congestion = PL_SCTP_CONGESTION_RENO };
    raw_up(&r, &conf);
    send_bytes(&r, 0, 90000);
    raw_hush(&r);
    size_t before = r.sctp->cc.cwnd;
    r.now_us += PL_MS(50);
    raw_say_sack(&r, r.its_tsn + 1, 100000);
    PL_GE(r.sctp->cc.cwnd, before + 1);
    PL_LE(r.sctp->cc.cwnd, before + 2 * r.sctp->cc.mtu);
    raw_clear(&r);
}

PL_TEST(section_7_2_3_t3_leaves_one_packet)
{
    rawpeer r;
    pl_sctp_conf conf = { .congestion = PL_SCTP_CONGESTION_RENO };
    raw_up(&r, &conf);
    send_bytes(&r, 0, 90000);
    raw_hush(&r);
    raw_wait(&r, PL_MS(1001));
    PL_EQ(r.sctp->cc.cwnd, r.sctp->cc.mtu);
    PL_GE(r.sctp->cc.ssthresh, 4 * r.sctp->cc.mtu);
    raw_clear(&r);
}

PL_TESTS(t(section_6_1_A_nothing_beyond_a_closed_window), t(section_6_1_B_no_more_than_the_congestion_window),
         t(section_6_1_C_retransmissions_go_first), t(section_6_2_every_second_packet_is_acknowledged),
         t(section_6_2_a_single_packet_within_the_delay),
         t(section_6_2_duplicates_are_acknowledged_at_once_and_reported),
         t(section_6_2_data_without_user_data_is_aborted), t(section_6_2_1_an_older_sack_is_dropped),
         t(section_6_2_1_a_sack_of_what_was_never_sent_is_dropped), t(section_6_3_1_the_first_sample),
         t(section_6_3_1_C5_no_sample_of_what_went_twice),
         t(section_6_3_2_R1_t3_runs_while_data_is_under_way), t(section_6_3_3_E2_t3_doubles_the_rto),
         t(section_6_5_a_stream_that_is_not_is_reported_and_acknowledged),
         t(section_6_6_messages_of_a_stream_stay_in_order),
         t(section_6_6_other_streams_and_unordered_messages_wait_for_nobody),
         t(section_6_7_a_gap_is_reported_at_once), t(section_6_7_a_gap_that_is_filled_is_reported_at_once),
         t(section_6_9_fragments_have_tsns_in_a_row_and_one_ssn), t(section_6_10_small_messages_are_bundled),
         t(section_7_2_1_slow_start_grows_by_what_is_acknowledged), t(section_7_2_3_t3_leaves_one_packet))
