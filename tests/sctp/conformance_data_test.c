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

/* The peer may be long without room: as long as it says so, it is there. */
PL_TEST(section_6_1_A_a_window_that_stays_closed_is_asked_for_ever)
{
    rawpeer r;
    pl_sctp_conf conf = { .max_retransmits = 3 };
    raw_up(&r, &conf);
    send_bytes(&r, 0, 100);
    raw_hush(&r);
    raw_say_sack(&r, r.its_tsn, 0);
    send_bytes(&r, 0, 100);
    int64_t before_us = 0;
    for (int i = 0; i < 40; i++) {
        PL_EQ(hear_data(&r).tsn, r.its_tsn + 1);
        PL_EQ(raw_hush(&r), 0);
        PL_GE(r.sctp->t3_us - r.now_us, before_us); /* ever more slowly */
        before_us = r.sctp->t3_us - r.now_us;
        raw_wait(&r, PL_MS(20));
        raw_say_sack(&r, r.its_tsn, 0);
        raw_wait(&r, r.sctp->t3_us - r.now_us);
    }
    PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_ESTABLISHED);
    raw_say_sack(&r, r.its_tsn + 1, 5000);
    PL_EQ(pl_sctp_buffered_total(r.sctp), 0);
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

PL_TEST(section_6_2_the_window_told_is_what_is_left)
{
    rawpeer r;
    pl_sctp_conf conf = { .recv_buffer = 100000, .max_message_size = 50000, .recv_buffer_max = 100000 };
    raw_up(&r, &conf);
    uint32_t told = 100000;
    for (uint16_t i = 0; i < 10; i++) {
        raw_begin(&r, r.its_tag);
        raw_data(&r, r.tsn + i, 0, i, WHOLE | PL_SCTP_DATA_I, 1000);
        raw_give(&r);
        uint32_t now = hear_sack(&r).a_rwnd;
        PL_LE(now, told - 1000);
        told = now;
    }
    for (pl_sctp_msg m; pl_sctp_recv(r.sctp, &m);)
        pl_sctp_msg_free(&m);
    raw_begin(&r, r.its_tag);
    raw_data(&r, r.tsn + 10, 0, 10, WHOLE | PL_SCTP_DATA_I, 1000);
    raw_give(&r);
    PL_GE(hear_sack(&r).a_rwnd, 90000);
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

PL_TEST(section_6_2_1_D_what_was_taken_back_goes_again)
{
    rawpeer r;
    uint8_t sack[16];
    raw_up(&r, NULL);
    send_bytes(&r, 0, 4000);
    raw_hush(&r);
    raw_wait(&r, PL_MS(50));
    pl_wr w = pl_wr_init(sack, sizeof sack);
    pl_wr_u32(&w, r.its_tsn - 1);
    pl_wr_u32(&w, 100000);
    pl_wr_u32(&w, 1 << 16);
    pl_wr_u16(&w, 2); /* all but the first */
    pl_wr_u16(&w, 4);
    raw_say(&r, PL_SCTP_SACK, 0, sack, sizeof sack);
    raw_wait(&r, PL_MS(100));
    PL_EQ(hear_data(&r).tsn, r.its_tsn);
    PL_EQ(raw_hush(&r), 0);              /* what has a gap block is not sent again */
    raw_say_sack(&r, r.its_tsn, 100000); /* the peer has thrown the rest away */
    uint32_t want = r.its_tsn + 1;
    for (int i = 0; i < 100 && want < r.its_tsn + 4; i++) {
        pl_sctp_chunk c;
        pl_sctp_data d;
        while (raw_hears(&r, PL_SCTP_DATA, &c)) {
            PL_EQ(pl_sctp_data_parse(&d, &c), PL_OK);
            want += d.tsn == want;
        }
        raw_say_sack(&r, want - 1, 100000);
        raw_wait(&r, PL_MS(200));
    }
    PL_EQ(want, r.its_tsn + 4);
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

PL_TEST(section_6_3_2_R3_t3_begins_anew_when_the_first_is_acknowledged)
{
    rawpeer r;
    raw_up(&r, NULL);
    send_bytes(&r, 0, 4000);
    raw_hush(&r);
    r.now_us += PL_MS(200);
    raw_say_sack(&r, r.its_tsn, 100000);
    PL_EQ(r.sctp->t3_us, r.now_us + r.sctp->rto.rto_us);
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

PL_TEST(section_7_2_2_beyond_the_threshold_a_packet_a_round_trip)
{
    rawpeer r;
    pl_sctp_conf conf = { .congestion = PL_SCTP_CONGESTION_RENO };
    raw_up(&r, &conf);
    r.sctp->cc.ssthresh = 2 * r.sctp->cc.mtu;
    send_bytes(&r, 0, 90000);
    raw_hush(&r);
    size_t before = r.sctp->cc.cwnd;
    r.now_us += PL_MS(50);
    raw_say_sack(&r, r.sctp->sent.next_tsn - 1, 100000);
    PL_EQ(r.sctp->cc.cwnd, before + r.sctp->cc.mtu);
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
         t(section_6_1_C_retransmissions_go_first),
         t(section_6_1_A_a_window_that_stays_closed_is_asked_for_ever),
         t(section_6_2_every_second_packet_is_acknowledged), t(section_6_2_a_single_packet_within_the_delay),
         t(section_6_2_duplicates_are_acknowledged_at_once_and_reported),
         t(section_6_2_the_window_told_is_what_is_left), t(section_6_2_1_an_older_sack_is_dropped),
         t(section_6_2_1_a_sack_of_what_was_never_sent_is_dropped),
         t(section_6_2_1_D_what_was_taken_back_goes_again), t(section_6_3_1_the_first_sample),
         t(section_6_3_1_C5_no_sample_of_what_went_twice),
         t(section_6_3_2_R1_t3_runs_while_data_is_under_way),
         t(section_6_3_2_R3_t3_begins_anew_when_the_first_is_acknowledged),
         t(section_6_3_3_E2_t3_doubles_the_rto),
         t(section_6_5_a_stream_that_is_not_is_reported_and_acknowledged),
         t(section_6_6_messages_of_a_stream_stay_in_order),
         t(section_6_6_other_streams_and_unordered_messages_wait_for_nobody),
         t(section_6_7_a_gap_is_reported_at_once), t(section_6_7_a_gap_that_is_filled_is_reported_at_once),
         t(section_6_9_fragments_have_tsns_in_a_row_and_one_ssn), t(section_6_10_small_messages_are_bundled),
         t(section_7_2_1_slow_start_grows_by_what_is_acknowledged),
         t(section_7_2_2_beyond_the_threshold_a_packet_a_round_trip), t(section_7_2_3_t3_leaves_one_packet))
