/* Transport-wide feedback: chunks and deltas on the wire, and both ends' records. */
#include "pl_test.h"

#include "base/rand.h"
#include "base/time.h"
#include "rtp/twcc.h"

static pl_rd body_of(const uint8_t *wire, size_t len)
{
    pl_rd rd = pl_rd_init(wire, len);
    pl_rtcp p;
    PL_OKAY(pl_rtcp_next(&rd, &p));
    PL_OKAY(p.pt == PL_RTCP_RTPFB && p.fmt == PL_RTPFB_TWCC);
    PL_EQ(pl_rd_left(&rd), 0);
    return p.body;
}

/* Base 10, 7 packets, reference 5 (320 ms), feedback 3. Chunks: a run of 2 small deltas; 7 two-bit symbols
 * of which 5 count: lost, large, small, lost, small. Deltas 4, 8 ticks; -2 ticks; 1; 255. */
static const uint8_t wire[] = { 0x8f, 205, 0, 7, 0,    0,    0,    1,    0, 0, 0,    2,    0, 10,  0, 7,
                                0,    0,   5, 3, 0x20, 0x02, 0xc9, 0x10, 4, 8, 0xff, 0xfe, 1, 255, 0, 0 };

PL_TEST(feedback_from_bytes)
{
    static const struct {
        bool received;
        int64_t at_us;
    } want[7] = { { true, 321000 }, { true, 323000 }, { false, 0 },    { true, 322500 },
                  { true, 322750 }, { false, 0 },     { true, 386500 } };
    pl_rtcp_twcc f;
    PL_EQ(pl_rtcp_twcc_parse(&f, body_of(wire, sizeof wire)), PL_OK);
    PL_OKAY(f.sender_ssrc == 1 && f.media_ssrc == 2 && f.base_seq == 10 && f.n == 7 && f.fb_count == 3);
    pl_rtcp_twcc_item item;
    for (int i = 0; i < 7; i++) {
        PL_OKAY(pl_rtcp_twcc_next(&f, &item));
        PL_EQ(item.seq, 10 + i);
        PL_EQ(item.received, want[i].received);
        if (item.received)
            PL_EQ(item.arrival_us, want[i].at_us);
    }
    PL_OKAY(!pl_rtcp_twcc_next(&f, &item));
}

/* As libwebrtc sends it: three packets from 31 on, deltas 4, 4, 4 ticks; three bytes of padding make the last word
 * whole, the last one says so. And once more with another packet of the compound behind it. */
PL_TEST(feedback_filled_up_as_browsers_do)
{
    static const uint8_t odd[] = { 0xaf, 205, 0,    6, 0, 0, 0, 1, 0, 0, 0,    2,   0, 31, 0, 3, 0, 0,
                                   5,    7,   0x20, 3, 4, 4, 4, 0, 0, 3, 0x80, 201, 0, 1,  0, 0, 0, 9 };
    pl_rtcp_twcc f;
    pl_rtcp_twcc_item item;
    PL_OKAY(pl_rtcp_valid(odd, 28));
    PL_OKAY(pl_rtcp_valid(odd, sizeof odd));
    PL_EQ(pl_rtcp_twcc_parse(&f, body_of(odd, 28)), PL_OK);
    PL_EQ(f.n, 3);
    for (int i = 0; i < 3; i++)
        PL_OKAY(pl_rtcp_twcc_next(&f, &item) && item.received && item.seq == 31 + i);
    uint8_t wrong[28];
    memcpy(wrong, odd, sizeof wrong);
    for (int pad = 25; pad < 256; pad++) { /* more than there is */
        wrong[27] = (uint8_t)pad;
        PL_OKAY(!pl_rtcp_valid(wrong, sizeof wrong));
    }
    wrong[27] = 0;
    PL_OKAY(!pl_rtcp_valid(wrong, sizeof wrong));
}

PL_TEST(truncated_feedback_is_refused)
{
    pl_rd body = body_of(wire, sizeof wire);
    pl_rtcp_twcc f;
    for (size_t cut = 0; cut < 26; cut++) /* the two bytes behind are padding */
        PL_EQ(pl_rtcp_twcc_parse(&f, pl_rd_init(body.p, cut)), PL_EPROTO);
    PL_EQ(pl_rtcp_twcc_parse(&f, pl_rd_init(body.p, 26)), PL_OK);
}

PL_TEST(wrong_feedback_is_refused)
{
    uint8_t bad[sizeof wire];
    pl_rtcp_twcc f;
    memcpy(bad, wire, sizeof bad);
    bad[15] = 0; /* no packets */
    PL_EQ(pl_rtcp_twcc_parse(&f, body_of(bad, sizeof bad)), PL_EPROTO);
    memcpy(bad, wire, sizeof bad);
    bad[20] = 0x60; /* a run of the reserved symbol */
    PL_EQ(pl_rtcp_twcc_parse(&f, body_of(bad, sizeof bad)), PL_EPROTO);
    memcpy(bad, wire, sizeof bad);
    bad[22] = 0xf9; /* the reserved symbol among two-bit ones */
    PL_EQ(pl_rtcp_twcc_parse(&f, body_of(bad, sizeof bad)), PL_EPROTO);
    memcpy(bad, wire, sizeof bad);
    bad[14] = 0xff; /* more packets than chunks */
    PL_EQ(pl_rtcp_twcc_parse(&f, body_of(bad, sizeof bad)), PL_EPROTO);
    memcpy(bad, wire, sizeof bad);
    pl_put16(bad + 20, 0x0000); /* an empty run does no harm, but then 7 symbols need their deltas */
    bad[15] = 5;
    PL_EQ(pl_rtcp_twcc_parse(&f, body_of(bad, sizeof bad)), PL_OK);
}

/* Writes arrivals, reads them back and compares; returns how many were taken. */
static size_t round_trip(int64_t base, const pl_twcc_arrival *a, size_t n, size_t cap)
{
    static uint8_t out[4096];
    pl_wr w = pl_wr_init(out, cap);
    size_t taken = pl_rtcp_twcc_write(&w, 1, 2, 9, base, a, n);
    PL_OKAY(pl_wr_ok(&w));
    if (taken == 0) {
        PL_EQ(pl_wr_len(&w), 0);
        return 0;
    }
    pl_rtcp_twcc f;
    pl_rtcp_twcc_item item;
    PL_EQ(pl_rtcp_twcc_parse(&f, body_of(out, pl_wr_len(&w))), PL_OK);
    PL_EQ(f.n, a[taken - 1].seq - base + 1);
    PL_EQ(f.fb_count, 9);
    int64_t shift_us = a[0].arrival_us / 64000 * 64000 - (int64_t)f.ref_time * 64000; /* 24 bits of it */
    size_t i = 0;
    for (int64_t seq = base; pl_rtcp_twcc_next(&f, &item); seq++) {
        PL_EQ(item.seq, (uint16_t)seq);
        bool here = i < n && seq == a[i].seq;
        PL_EQ(item.received, here);
        if (!here)
            continue;
        PL_LE(llabs(item.arrival_us + shift_us - a[i].arrival_us), 125); /* half a tick, never adding up */
        i++;
    }
    PL_EQ(i, taken);
    return taken;
}

PL_TEST(any_pattern_survives_the_wire)
{
    uint64_t seed = pl_test_seed(1);
    for (uint64_t run = 0; run < 3000; run++) {
        pl_rand_seeded state;
        pl_rand rand = pl_rand_seed(&state, seed + run);
        enum { N = 200 };
        pl_twcc_arrival a[N];
        uint32_t loss = pl_rand_below(&rand, 12), wild = pl_rand_below(&rand, 100),
                 burst = pl_rand_below(&rand, 30);
        int64_t base = 65536 + pl_rand_below(&rand, 65536), seq = base;
        int64_t at_us = (int64_t)(pl_rand_u64(&rand) >> 20);
        for (size_t i = 0; i < N; i++) {
            while (loss && pl_rand_below(&rand, 12) < loss && pl_rand_below(&rand, 300))
                seq += burst ? 1 + pl_rand_below(&rand, burst * 10) : 1;
            at_us += pl_rand_below(&rand, pl_rand_below(&rand, 100) < wild ? 200000 : 3000);
            if (at_us > 50000 && pl_rand_below(&rand, 10) == 0)
                at_us -= pl_rand_below(&rand, 50000);
            a[i] = (pl_twcc_arrival){ seq++, at_us };
        }
        for (size_t done = 0; done < N;) {
            size_t taken = round_trip(done ? a[done - 1].seq + 1 : base, a + done, N - done,
                                      64 + pl_rand_below(&rand, 1400));
            if (taken == 0)
                fail_msg("seed %llu: nothing fits", (unsigned long long)(seed + run));
            done += taken;
        }
    }
}

PL_TEST(limits_of_one_packet)
{
    /* a delta too long for 16 bits, a span too long for 16 bits, too little room */
    pl_twcc_arrival far[] = { { 100, 1000000 }, { 101, 1000000 + 32768 * 250 } };
    PL_EQ(round_trip(100, far, 2, 1000), 1);
    far[1].arrival_us = 1000000 + 8000000;
    PL_EQ(round_trip(100, far, 2, 1000), 2);
    pl_twcc_arrival wide[] = { { 100, 1000000 }, { 100 + 65535, 1000000 }, { 100 + 65534, 1000000 } };
    PL_EQ(round_trip(100, wide, 2, 1000), 1);
    wide[1] = wide[2];
    PL_EQ(round_trip(100, wide, 2, 1000), 2);
    for (size_t cap = 0; cap < 28; cap++)
        PL_EQ(round_trip(100, far, 1, cap), 0);
    /* a thousand packets without loss: runs, so little more than a byte each */
    static pl_twcc_arrival many[1000];
    for (int i = 0; i < 1000; i++)
        many[i] = (pl_twcc_arrival){ 70000 + i, 5000000 + i * 1000 };
    PL_EQ(round_trip(70000, many, 1000, 1040), 1000);
}

/* Feedback of r at now, as the sender gets it. */
static bool poll_feedback(pl_twcc_rx *r, int64_t now_us, pl_rtcp_twcc *f)
{
    static uint8_t out[1200];
    pl_wr w = pl_wr_init(out, sizeof out);
    if (!pl_twcc_rx_poll(r, now_us, 1, &w))
        return false;
    PL_EQ(pl_rtcp_twcc_parse(f, body_of(out, pl_wr_len(&w))), PL_OK);
    return true;
}

PL_TEST(departures_and_arrivals_meet)
{
    pl_twcc_tx tx;
    pl_twcc_rx rx;
    pl_twcc_tx_init(&tx);
    pl_twcc_rx_init(&rx);
    PL_EQ(pl_twcc_rx_next_us(&rx), PL_NEVER);
    /* 70000 packets, one a millisecond, every tenth lost, 40 ms on the way */
    int64_t seen = 0, lost = 0, receiver_offset = 0;
    for (int64_t i = 0; i < 70000; i++) {
        int64_t now_us = PL_SEC(10) + i * 1000;
        uint16_t seq = pl_twcc_tx_sent(&tx, now_us, 1000, (uint8_t)(i % 3));
        PL_EQ(seq, (uint16_t)i);
        if (i % 10 != 5)
            pl_twcc_rx_packet(&rx, now_us + PL_MS(40), seq, 99, 1000);
        pl_rtcp_twcc f;
        while (poll_feedback(&rx, now_us + PL_MS(40), &f)) {
            PL_EQ(f.media_ssrc, 99);
            pl_twcc_tx_feedback(&tx, &f);
            pl_twcc_result res;
            while (pl_twcc_tx_next(&tx, &f, &res)) {
                PL_EQ(res.sent_us, PL_SEC(10) + (res.seq - 65536) * 1000);
                PL_EQ(res.probe, (res.seq - 65536) % 3);
                PL_EQ(res.len, 1000);
                PL_OKAY(!res.was_lost);
                if (res.arrival_us == PL_NEVER) {
                    PL_EQ((res.seq - 65536) % 10, 5);
                    lost++;
                    continue;
                }
                /* the receiver's clock is ours here, but for the wrapped reference time */
                if (seen++ == 0)
                    receiver_offset = res.arrival_us - res.sent_us;
                PL_LE(llabs(res.arrival_us - res.sent_us - receiver_offset), 250);
            }
        }
    }
    PL_GE(seen, 62000);
    PL_GE(lost, 6900);
    PL_LE(tx.in_flight, 250 * 1000);
    PL_EQ(tx.n_fb_missed, 0);
    PL_LE(tx.cap, 512);
    PL_LE(rx.cap, 512);
    /* 8 Mbit/s: the shortest interval */
    PL_EQ(rx.interval_us, PL_TWCC_INTERVAL_MIN_US);
    pl_twcc_tx_clear(&tx);
    pl_twcc_rx_clear(&rx);
}

PL_TEST(late_packets_are_reported_after_all)
{
    pl_twcc_tx tx;
    pl_twcc_rx rx;
    pl_twcc_tx_init(&tx);
    pl_twcc_rx_init(&rx);
    for (int i = 0; i < 10; i++)
        pl_twcc_tx_sent(&tx, i, 100, 0);
    for (uint16_t i = 0; i < 10; i++)
        if (i != 4)
            pl_twcc_rx_packet(&rx, PL_MS(1), i, 9, 100);
    pl_rtcp_twcc f;
    pl_twcc_result res;
    PL_OKAY(poll_feedback(&rx, PL_SEC(1), &f));
    pl_twcc_tx_feedback(&tx, &f);
    int n = 0, lost = 0;
    while (pl_twcc_tx_next(&tx, &f, &res)) {
        n++;
        lost += res.arrival_us == PL_NEVER;
    }
    PL_EQ(n, 10);
    PL_EQ(lost, 1);
    PL_EQ(tx.in_flight, 0);
    PL_OKAY(!poll_feedback(&rx, PL_SEC(2), &f));
    pl_twcc_rx_packet(&rx, PL_SEC(2), 4, 9, 100);
    pl_twcc_rx_packet(&rx, PL_SEC(2), 4, 9, 100); /* a copy changes nothing */
    PL_OKAY(poll_feedback(&rx, PL_SEC(3), &f));
    pl_twcc_tx_feedback(&tx, &f);
    PL_OKAY(pl_twcc_tx_next(&tx, &f, &res)); /* only what is new, though all from 4 on is in it */
    PL_EQ(res.seq, 65536 + 4);
    PL_OKAY(res.was_lost && res.arrival_us != PL_NEVER);
    PL_OKAY(!pl_twcc_tx_next(&tx, &f, &res));
    pl_twcc_tx_clear(&tx);
    pl_twcc_rx_clear(&rx);
}

PL_TEST(lost_feedback_leaves_nothing_in_flight)
{
    pl_twcc_tx tx;
    pl_twcc_rx rx;
    pl_twcc_tx_init(&tx);
    pl_twcc_rx_init(&rx);
    pl_rtcp_twcc f;
    pl_twcc_result res;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 20; i++)
            pl_twcc_rx_packet(&rx, PL_SEC(round) + i, pl_twcc_tx_sent(&tx, PL_SEC(round) + i, 100, 0), 9,
                              100);
        PL_OKAY(poll_feedback(&rx, PL_SEC(round) + PL_MS(500), &f));
        if (round == 1)
            continue; /* lost on its way */
        pl_twcc_tx_feedback(&tx, &f);
        int n = 0;
        while (pl_twcc_tx_next(&tx, &f, &res))
            n++;
        PL_EQ(n, 20);
    }
    PL_EQ(tx.in_flight, 0);
    PL_EQ(tx.n_fb_missed, 1);
    PL_EQ(tx.n_fb, 2);
    pl_twcc_tx_clear(&tx);
    pl_twcc_rx_clear(&rx);
}

PL_TEST(silence_and_slow_streams)
{
    pl_twcc_rx rx;
    pl_twcc_rx_init(&rx);
    pl_rtcp_twcc f;
    /* 50 packets of 60 bytes a second, 24 kbit/s: feedback at most every 250 ms */
    int n = 0;
    for (int i = 0; i < 500; i++) {
        pl_twcc_rx_packet(&rx, PL_SEC(1) + i * PL_MS(20), (uint16_t)i, 9, 60);
        n += poll_feedback(&rx, PL_SEC(1) + i * PL_MS(20), &f);
    }
    PL_LE(n, 45);
    PL_GE(n, 36);
    while (poll_feedback(&rx, PL_SEC(20), &f))
        ;
    PL_EQ(pl_twcc_rx_next_us(&rx), PL_NEVER);
    pl_twcc_rx_clear(&rx);
}

PL_TEST(wild_numbers_are_harmless)
{
    uint64_t seed = pl_test_seed(7);
    for (uint64_t run = 0; run < 200; run++) {
        pl_rand_seeded state;
        pl_rand rand = pl_rand_seed(&state, seed + run);
        pl_twcc_rx rx;
        pl_twcc_tx tx;
        pl_twcc_rx_init(&rx);
        pl_twcc_tx_init(&tx);
        uint32_t reach = 1 + pl_rand_below(&rand, 65535);
        for (int i = 0; i < 300; i++) {
            int64_t now_us = i * 5000;
            pl_twcc_rx_packet(&rx, now_us, (uint16_t)pl_rand_below(&rand, reach), 9, 1000);
            pl_twcc_tx_sent(&tx, now_us, 1200, 0);
            pl_rtcp_twcc f;
            pl_twcc_result res;
            int polls = 0;
            while (poll_feedback(&rx, now_us, &f)) {
                PL_LE(++polls, 64);
                pl_twcc_tx_feedback(&tx, &f);
                while (pl_twcc_tx_next(&tx, &f, &res))
                    PL_OKAY(res.seq >= tx.first && res.seq < tx.next);
            }
            PL_LE(rx.cap, PL_TWCC_RX_MAX);
            PL_LE(rx.next - rx.kept, rx.cap);
            PL_OKAY(rx.kept <= rx.base && rx.base <= rx.next);
        }
        pl_twcc_rx_clear(&rx);
        pl_twcc_tx_clear(&tx);
    }
}

PL_TEST(a_peer_without_feedback_costs_little)
{
    pl_twcc_tx tx;
    pl_twcc_tx_init(&tx);
    for (int64_t i = 0; i < 200000; i++)
        pl_twcc_tx_sent(&tx, i * 10000, 1200, 0); /* 100 a second: 500 within the time feedback may take */
    PL_LE(tx.cap, 1024);
    PL_LE(tx.in_flight, tx.cap * 1200);
    pl_twcc_tx_clear(&tx);
}

PL_TESTS(t(feedback_from_bytes), t(feedback_filled_up_as_browsers_do), t(truncated_feedback_is_refused),
         t(wrong_feedback_is_refused), t(any_pattern_survives_the_wire), t(limits_of_one_packet),
         t(departures_and_arrivals_meet), t(late_packets_are_reported_after_all),
         t(lost_feedback_leaves_nothing_in_flight), t(silence_and_slow_streams), t(wild_numbers_are_harmless),
         t(a_peer_without_feedback_costs_little))
