/* Receiver statistics, sender state, NTP and the timer of reports: RFC 3550 6.3, 6.4, appendix A. */
#include "pl_test.h"

#include "base/time.h"
#include "rtp/dup.h"
#include "rtp/report.h"
#include "rtp/source.h"

static bool packet(pl_rtp_source *s, int64_t now_us, uint16_t seq, uint32_t rtp_ts, int64_t *ext)
{
    pl_rtp_header h = {
        .ssrc = s->ssrc, .seq = seq, .rtp_ts = rtp_ts, .payload_at = 20, .payload_len = 100, .pad_len = 4
    };
    return pl_rtp_source_packet(s, now_us, &h, ext);
}

PL_TEST(numbers_unwrap_and_losses_count)
{
    pl_rtp_source s;
    pl_rtp_source_init(&s, 7, 90000);
    pl_rtcp_block b;
    PL_OKAY(!pl_rtp_source_block(&s, 0, &b));
    int64_t ext;
    for (int i = 0; i < 20; i++) { /* from 65526 over the wrap to 9, four lost */
        if (i % 5 != 3)
            PL_OKAY(packet(&s, i * 1000, (uint16_t)(65526 + i), 0, &ext));
    }
    PL_EQ(ext, 65536 + 65526 + 19);
    PL_EQ(pl_rtp_source_lost(&s), 4);
    PL_EQ(s.packets_received, 16);
    PL_EQ(s.bytes_received, 1600);
    PL_EQ(s.header_bytes_received, 16 * 24);
    PL_EQ(s.last_packet_received_us, 19000);
    PL_OKAY(pl_rtp_source_block(&s, 0, &b));
    PL_EQ(b.ssrc, 7);
    PL_EQ(b.ext_seq, 0x10009);
    PL_EQ(b.lost, 4);
    PL_EQ(b.fraction_lost, 4 * 256 / 20);
    PL_EQ(b.lsr, 0);
    PL_EQ(b.dlsr, 0);
    /* the fraction is of the interval alone; a packet that comes late or twice makes up for one */
    PL_OKAY(packet(&s, 0, 10, 0, &ext));
    PL_OKAY(packet(&s, 0, 8, 0, &ext));
    PL_EQ(ext, 65536 + 65536 + 8);
    PL_OKAY(pl_rtp_source_block(&s, 0, &b));
    PL_EQ(b.fraction_lost, 0);
    PL_EQ(b.lost, 3);
    PL_OKAY(pl_rtp_source_block(&s, 0, &b));
    PL_EQ(b.fraction_lost, 0);
}

PL_TEST(a_start_out_of_order_counts_from_the_lowest)
{
    pl_rtp_source s;
    pl_rtp_source_init(&s, 7, 90000);
    int64_t ext;
    PL_OKAY(packet(&s, 0, 1, 0, &ext));
    PL_OKAY(packet(&s, 0, 65535, 0, &ext));
    PL_EQ(ext, 65535);
    PL_OKAY(packet(&s, 0, 0, 0, &ext));
    PL_EQ(ext, 65536);
    PL_EQ(pl_rtp_source_lost(&s), 0);
}

PL_TEST(jumps_need_confirmation)
{
    pl_rtp_source s;
    pl_rtp_source_init(&s, 7, 90000);
    int64_t ext, before;
    for (uint16_t i = 0; i < 10; i++)
        PL_OKAY(packet(&s, 0, i, 0, &ext));
    before = ext;
    PL_OKAY(!packet(&s, 0, 30000, 0, &ext)); /* a stray one */
    PL_OKAY(packet(&s, 0, 10, 0, &ext));
    PL_EQ(ext, before + 1);
    PL_OKAY(!packet(&s, 0, 50000, 0, &ext));
    PL_OKAY(packet(&s, 0, 50001, 0, &ext)); /* the sender has started anew */
    PL_EQ(s.n_restarts, 1);
    PL_EQ(s.n_refused, 2);
    PL_OKAY(ext > before);
    PL_EQ(ext & 0xffff, 50001);
    PL_EQ(pl_rtp_source_lost(&s), 0);
    /* and once more, backward this time: numbers still ascend */
    before = ext;
    PL_OKAY(!packet(&s, 0, 40000, 0, &ext));
    PL_OKAY(packet(&s, 0, 40001, 0, &ext));
    PL_OKAY(ext > before);
    PL_EQ(s.n_restarts, 2);
    pl_rtcp_block b;
    PL_OKAY(pl_rtp_source_block(&s, 0, &b));
    PL_EQ(b.ext_seq, 2 << 16 | 40001);
    PL_EQ(b.lost, 0);
}

PL_TEST(retransmissions_are_counted_apart)
{
    pl_rtp_source s;
    pl_rtp_source_init(&s, 7, 90000);
    int64_t ext;
    pl_rtp_header h = { .seq = 101, .payload_at = 12, .payload_len = 50 };
    PL_OKAY(!pl_rtp_source_recovered(&s, 0, &h, &ext)); /* of what stream? */
    PL_OKAY(packet(&s, 0, 100, 0, &ext));
    PL_OKAY(packet(&s, 0, 102, 0, &ext));
    PL_OKAY(pl_rtp_source_recovered(&s, 0, &h, &ext));
    PL_EQ(ext, 65536 + 101);
    PL_EQ(s.packets_received, 3);
    PL_EQ(s.retransmitted_packets_received, 1);
    PL_EQ(s.retransmitted_bytes_received, 50);
    PL_EQ(pl_rtp_source_lost(&s), 1); /* the network did lose it */
    h.seq = 102 + 5000;
    PL_OKAY(!pl_rtp_source_recovered(&s, 0, &h, &ext));
    h.seq = (uint16_t)(102 - 0x5000);
    PL_OKAY(!pl_rtp_source_recovered(&s, 0, &h, &ext));
}

PL_TEST(jitter_by_the_standards_formula)
{
    /* 20 ms of 8 kHz: even arrivals have none; alternating by 5 ms (40 ticks up, 40 down) tends to 40 */
    pl_rtp_source s;
    pl_rtp_source_init(&s, 7, 8000);
    int64_t ext;
    for (int i = 0; i < 50; i++)
        PL_OKAY(packet(&s, PL_SEC(1) + i * 20000, (uint16_t)i, (uint32_t)i * 160, &ext));
    PL_EQ(s.jitter_q4, 0);
    for (int i = 50; i < 300; i++)
        PL_OKAY(packet(&s, PL_SEC(1) + i * 20000 + i % 2 * 5000, (uint16_t)i, (uint32_t)i * 160, &ext));
    pl_rtcp_block b;
    PL_OKAY(pl_rtp_source_block(&s, 0, &b));
    PL_GE(b.jitter, 39);
    PL_LE(b.jitter, 40);
    PL_EQ(pl_rtp_source_jitter_s(&s) * 1000 + 0.5, 5);
    /* a pause of ten minutes is not jitter, nor is a timestamp that jumps */
    PL_OKAY(packet(&s, PL_SEC(700), 300, 300 * 160, &ext));
    PL_OKAY(packet(&s, PL_SEC(700) + 20000, 301, 0x90000000u, &ext));
    PL_LE(s.jitter_q4 >> 4, 40);
}

PL_TEST(restart_does_not_invent_jitter_or_loss)
{
    pl_rtp_source s;
    pl_rtp_source_init(&s, 7, 0); /* clock rate unknown yet */
    int64_t ext;
    for (uint16_t i = 0; i < 100; i++)
        PL_OKAY(packet(&s, i * 20000, i, i * 960u, &ext));
    PL_EQ(s.jitter_q4, 0);
    PL_OKAY(pl_rtp_source_jitter_s(&s) == 0);
}

PL_TEST(sender_reports_map_time)
{
    pl_rtp_source s;
    pl_rtp_source_init(&s, 7, 90000);
    PL_OKAY(pl_rtp_source_ntp(&s, 0) == 0);
    int64_t ext;
    PL_OKAY(packet(&s, 0, 1, 0, &ext));
    pl_rtp_source_sr(&s, PL_SEC(5), &(pl_rtcp_sr){ .ntp = 0x1122334455667788u, .rtp_ts = 0xffffff00u });
    PL_OKAY(pl_rtp_source_ntp(&s, 0xffffff00u) == 0x1122334455667788u);
    PL_OKAY(pl_rtp_source_ntp(&s, 0xffffff00u + 90000) == 0x1122334555667788u);
    PL_OKAY(pl_rtp_source_ntp(&s, 0xffffff00u - 90000) == 0x1122334355667788u);
    pl_rtcp_block b;
    PL_OKAY(pl_rtp_source_block(&s, PL_SEC(5) + 500000, &b));
    PL_EQ(b.lsr, 0x33445566);
    PL_EQ(b.dlsr, 0x8000);
}

PL_TEST(ntp_time)
{
    /* 2026-11-22 16:00:00.5 UTC is Unix 1795363200.5 */
    int64_t unix_us = 1795363200500000;
    uint64_t ntp = pl_ntp_of_us(unix_us);
    PL_EQ(ntp >> 32, 1795363200 + 2208988800);
    PL_EQ(ntp & 0xffffffff, 0x80000000);
    PL_EQ(pl_ntp_to_us(ntp), unix_us);
    PL_OKAY(pl_ntp_of_us(0) == (uint64_t)2208988800 << 32);
    PL_OKAY(pl_ntp_of_us(-5) == pl_ntp_of_us(0));
    for (int64_t us = 1; us < (int64_t)4000000000 * 1000000; us = us * 3 + 7) /* beyond the era of 2036 */
        PL_EQ(pl_ntp_to_us(pl_ntp_of_us(us)), us);
    PL_EQ(pl_ntp_short_to_us(0x10000), 1000000);
    PL_EQ(pl_ntp_short_of_us(1500000), 0x18000);
    PL_EQ(pl_ntp_short_of_us(-1), 0);
    PL_EQ(pl_ntp_short_of_us(INT64_MAX), UINT32_MAX);
}

PL_TEST(round_trip_time)
{
    /* RFC 3550 figure 2: SR at 0xb705:2000, delay 5.25 s, block at 0xb710:8000, RTT 6.125 s */
    int64_t rtt;
    PL_OKAY(pl_ntp_rtt((uint64_t)0xb710 << 32 | 0x80000000u, 0xb7052000, 0x54000, &rtt));
    PL_EQ(rtt, 6125000);
    PL_OKAY(!pl_ntp_rtt(1, 0, 0, &rtt));
    /* two clocks' rounding: a millisecond less than nothing is as good as nothing; a second is a lie */
    PL_OKAY(pl_ntp_rtt((uint64_t)100 << 32, (100 << 16) - 0x1000, 0x1000 + 60, &rtt));
    PL_EQ(rtt, 1);
    PL_OKAY(!pl_ntp_rtt((uint64_t)100 << 32, (100 << 16) - 0x1000, 0x11000, &rtt));
    PL_OKAY(!pl_ntp_rtt((uint64_t)100 << 32, 1, 0, &rtt)); /* more than a minute */
}

PL_TEST(sender_side_of_the_reports)
{
    pl_rtp_sender s;
    pl_rtp_sender_init(&s, 5, 90000);
    pl_rtcp_sr sr;
    const int64_t wall = PL_SEC(1795363200);
    PL_OKAY(!pl_rtp_sender_sr(&s, 0, wall, &sr));
    pl_rtp_header h = { .rtp_ts = 1000, .payload_at = 20, .payload_len = 1000, .pad_len = 4 };
    pl_rtp_sender_sent(&s, &h, PL_SEC(10));
    pl_rtp_sender_sent(&s, &h, PL_SEC(10));
    pl_rtp_sender_resent(&s, 22, 1002);
    PL_EQ(s.packets_sent, 3);
    PL_EQ(s.bytes_sent, 3002);
    PL_EQ(s.header_bytes_sent, 70);
    PL_EQ(s.retransmitted_packets_sent, 1);
    PL_OKAY(pl_rtp_sender_sr(&s, PL_SEC(10) + 100000, wall, &sr));
    PL_EQ(sr.rtp_ts, 1000 + 9000);
    PL_EQ(sr.n_packets, 2);
    PL_EQ(sr.n_octets, 2000);
    PL_OKAY(sr.ntp == pl_ntp_of_us(wall + PL_SEC(10) + 100000));

    /* the report about it comes back after 80 ms, of which the peer held it for 30 */
    pl_rtcp_block b = {
        .ssrc = 5, .lost = 3, .lsr = pl_ntp_mid32(sr.ntp), .dlsr = pl_ntp_short_of_us(30000)
    };
    PL_OKAY(pl_rtp_sender_block(&s, PL_SEC(10) + 180000, wall, &b));
    PL_LE(llabs(s.rtt_us - 50000), 50);
    PL_EQ(s.n_rtt, 1);
    PL_EQ(s.remote.lost, 3);
    b.lsr = 0;
    PL_OKAY(!pl_rtp_sender_block(&s, PL_SEC(11), wall, &b));
    PL_LE(llabs(s.rtt_us - 50000), 50);
}

PL_TEST(reports_do_not_fall_into_step)
{
    pl_rand_seeded state;
    pl_rand rand = pl_rand_seed(&state, pl_test_seed(3));
    pl_rtcp_timer t = { 0 };
    PL_EQ(pl_rtcp_timer_next_us(&t), PL_NEVER);
    PL_OKAY(!pl_rtcp_timer_due(&t, PL_SEC(100), &rand));
    pl_rtcp_timer_start(&t, 0, PL_RTCP_INTERVAL_US, &rand);
    PL_GE(t.next_us, PL_RTCP_INTERVAL_US / 4);
    PL_LE(t.next_us, PL_RTCP_INTERVAL_US * 3 / 4);
    int64_t now = t.next_us, first = now, shortest = PL_NEVER, longest = 0;
    for (int i = 0; i < 1000; i++) {
        PL_OKAY(!pl_rtcp_timer_due(&t, now - 1, &rand));
        PL_OKAY(pl_rtcp_timer_due(&t, now, &rand));
        int64_t gap = pl_rtcp_timer_next_us(&t) - now;
        shortest = pl_min_us(shortest, gap);
        longest = pl_max_us(longest, gap);
        now += gap;
    }
    PL_GE(shortest, PL_MS(500));
    PL_LE(shortest, PL_MS(520));
    PL_GE(longest, PL_MS(1480));
    PL_LE(longest, PL_MS(1500));
    PL_LE(llabs((now - first) / 1000 - PL_SEC(1)), PL_MS(40));
}

PL_TEST(each_packet_passes_once)
{
    pl_rtp_dup d = { 0 };
    PL_OKAY(pl_rtp_dup_first(&d, 70000));
    PL_OKAY(!pl_rtp_dup_first(&d, 70000));
    PL_OKAY(pl_rtp_dup_first(&d, 69990));
    PL_OKAY(!pl_rtp_dup_first(&d, 69990));
    PL_OKAY(!pl_rtp_dup_first(&d, 70000 - PL_DUP_WINDOW));
    PL_OKAY(pl_rtp_dup_first(&d, 70000 - PL_DUP_WINDOW + 1));
    PL_OKAY(!pl_rtp_dup_first(&d, -1));
    for (int64_t seq = 70001; seq < 90000; seq += 3) {
        PL_OKAY(pl_rtp_dup_first(&d, seq));
        PL_OKAY(!pl_rtp_dup_first(&d, seq));
        PL_OKAY(pl_rtp_dup_first(&d, seq - 2)); /* jumped over, not seen */
    }
    PL_OKAY(pl_rtp_dup_first(&d, 1000000));
    PL_OKAY(pl_rtp_dup_first(&d, 1000000 - PL_DUP_WINDOW + 1));
    PL_OKAY(!pl_rtp_dup_first(&d, 1000000));
}

PL_TESTS(t(numbers_unwrap_and_losses_count), t(a_start_out_of_order_counts_from_the_lowest),
         t(jumps_need_confirmation), t(retransmissions_are_counted_apart), t(jitter_by_the_standards_formula),
         t(restart_does_not_invent_jitter_or_loss), t(sender_reports_map_time), t(ntp_time),
         t(round_trip_time), t(sender_side_of_the_reports), t(reports_do_not_fall_into_step),
         t(each_packet_passes_once))
