/* Forwarding as arithmetic: numbers and timestamps for each receiver, over losses, late packets, other sources and other
 * publishers; capture times; how often a key frame is asked for. */
#include "pl_test.h"

#include "base/rand.h"
#include "base/time.h"
#include "server/stream_map.h"

static pl_media_packet packet(uint32_t ssrc, int64_t ext_seq, uint32_t ts, int64_t at_us)
{
    return (pl_media_packet){ .ssrc = ssrc, .ext_seq = ext_seq, .rtp_ts = ts, .arrival_us = at_us };
}

typedef struct went {
    bool forwarded;
    int64_t seq, captured_us;
    uint32_t ts;
} went;

static went forward(pl_stream_origin *o, pl_stream_map *m, pl_media_packet p, uint32_t random)
{
    went w = { false };
    if (pl_stream_origin_packet(o, &p, &w.captured_us))
        w.forwarded = pl_stream_map_packet(m, o, &p, random, &w.seq, &w.ts);
    return w;
}

PL_TEST(gaps_stay_gaps_and_late_ones_fill_them)
{
    pl_stream_origin o = { 0 };
    pl_stream_map m = { 0 };
    pl_stream_origin_renew(&o, 90000);
    went a = forward(&o, &m, packet(1, 70000, 5000, PL_SEC(1)), 0x12345);
    PL_OKAY(a.forwarded);
    PL_EQ(a.seq, 0x2345);
    PL_EQ(a.ts, 5000);
    went c = forward(&o, &m, packet(1, 70002, 8000, PL_SEC(1) + 33000), 0);
    PL_EQ(c.seq, a.seq + 2);
    went b = forward(&o, &m, packet(1, 70001, 5000, PL_SEC(1) + 60000), 0);
    PL_EQ(b.seq, a.seq + 1);
    PL_EQ(b.ts, 5000);
    PL_OKAY(
        !forward(&o, &m, packet(1, 69999, 2000, PL_SEC(1) + 70000), 0).forwarded); /* from before its time */
}

PL_TEST(another_publisher_goes_on_where_the_last_one_ended)
{
    pl_stream_origin o = { 0 };
    pl_stream_map m = { 0 };
    pl_stream_origin_renew(&o, 90000);
    went a = forward(&o, &m, packet(1, 100, 1000, PL_SEC(1)), 7);
    pl_stream_origin_renew(&o, 90000);
    went b = forward(&o, &m, packet(1, 9000, 0xfffffff0, PL_SEC(3)), 99);
    PL_OKAY(b.forwarded);
    PL_EQ(b.seq, a.seq + 1);
    PL_EQ(b.ts, a.ts + 180000); /* two seconds have passed */
    went c = forward(&o, &m, packet(1, 9001, 0x20, PL_SEC(3) + 33000), 99);
    PL_EQ(c.seq, b.seq + 1);
    PL_EQ(c.ts, b.ts + 0x30);
}

PL_TEST(one_source_at_a_time)
{
    pl_stream_origin o = { 0 };
    pl_stream_map m = { 0 };
    pl_stream_origin_renew(&o, 48000);
    went a = forward(&o, &m, packet(1, 1, 0, PL_SEC(1)), 0);
    PL_OKAY(!forward(&o, &m, packet(2, 500, 0, PL_SEC(1) + 1000), 0).forwarded);
    PL_OKAY(forward(&o, &m, packet(1, 2, 960, PL_SEC(1) + 20000), 0).forwarded);
    went b = forward(&o, &m, packet(2, 530, 960, PL_SEC(1) + 20000 + PL_STREAM_SILENT_US), 0);
    PL_OKAY(b.forwarded);
    PL_EQ(b.seq, a.seq + 2);
    PL_OKAY(!forward(&o, &m, packet(1, 3, 1920, PL_SEC(2) - 400000), 0).forwarded);
}

PL_TEST(who_comes_later_starts_there)
{
    pl_stream_origin o = { 0 };
    pl_stream_map early = { 0 }, late = { 0 };
    pl_stream_origin_renew(&o, 90000);
    for (int i = 0; i < 10; i++)
        PL_EQ(forward(&o, &early, packet(1, 1000 + i, 0, PL_SEC(1)), 0).seq, i);
    went w = forward(&o, &late, packet(1, 1010, 3000, PL_SEC(1)), 500);
    PL_EQ(w.seq, 500);
    PL_OKAY(!forward(&o, &late, packet(1, 1009, 3000, PL_SEC(1)), 0).forwarded);
}

/* Packets of a frame come spread over 20 ms, and now and then something holds them up: the capture times run evenly. */
PL_TEST(capture_times_are_smooth)
{
    pl_rand_seeded state;
    pl_rand rand = pl_rand_seed(&state, pl_test_seed(3550));
    pl_stream_origin o = { 0 };
    pl_stream_origin_renew(&o, 90000);
    int64_t error_us = 0;
    for (int i = 0; i < 3000; i++) {
        int64_t captured_us, true_us = PL_SEC(5) + (int64_t)(i / 5) * 33333;
        int64_t delay_us =
            30000 + (i % 5) * 4000 + pl_rand_below(&rand, 3000) + (pl_rand_below(&rand, 50) ? 0 : 90000);
        pl_media_packet p =
            packet(1, i, (uint32_t)((int64_t)(i / 5) * 3000 + 0xffffff00), true_us + delay_us);
        PL_OKAY(pl_stream_origin_packet(&o, &p, &captured_us));
        PL_OKAY(captured_us <= p.arrival_us);
        if (i > 100)
            error_us = pl_max_us(error_us, llabs(captured_us - true_us - 30000));
    }
    PL_LE(error_us, 4000);
}

PL_TEST(a_leap_of_timestamps_is_followed)
{
    pl_stream_origin o = { 0 };
    int64_t captured_us;
    pl_stream_origin_renew(&o, 48000);
    pl_media_packet p = packet(1, 1, 1000, PL_SEC(10));
    PL_OKAY(pl_stream_origin_packet(&o, &p, &captured_us));
    p = packet(1, 2, 1000 + 0x7000000, PL_SEC(10) + 20000);
    PL_OKAY(pl_stream_origin_packet(&o, &p, &captured_us));
    PL_LE(llabs(captured_us - p.arrival_us), 20000);
    p = packet(1, 3, 2000, PL_SEC(10) + 40000);
    PL_OKAY(pl_stream_origin_packet(&o, &p, &captured_us));
    PL_LE(captured_us, p.arrival_us);
}

PL_TEST(key_frames_are_asked_for_seldom)
{
    pl_stream_keys k = { 0 };
    PL_OKAY(!pl_stream_keys_due(&k, PL_SEC(1)));
    PL_EQ(pl_stream_keys_next_us(&k), PL_NEVER);
    int asked = 0;
    for (int64_t now_us = PL_SEC(1); now_us < PL_SEC(11); now_us += 1000) { /* a thousand wishes a second */
        pl_stream_keys_want(&k);
        asked += pl_stream_keys_due(&k, now_us);
    }
    PL_EQ(asked, PL_SEC(10) / PL_STREAM_KEY_US);
    pl_stream_keys_want(&k);
    int64_t at_us = pl_stream_keys_next_us(&k);
    PL_OKAY(!pl_stream_keys_due(&k, at_us - 1));
    PL_OKAY(pl_stream_keys_due(&k, at_us)); /* the last wish is not lost */
    PL_EQ(pl_stream_keys_next_us(&k), PL_NEVER);
}

PL_TESTS(t(gaps_stay_gaps_and_late_ones_fill_them), t(another_publisher_goes_on_where_the_last_one_ended),
         t(one_source_at_a_time), t(who_comes_later_starts_there), t(capture_times_are_smooth),
         t(a_leap_of_timestamps_is_followed), t(key_frames_are_asked_for_seldom))
