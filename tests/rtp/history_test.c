/* What a sender keeps, and the retransmission stream: RFC 4588. */
#include "pl_test.h"

#include "base/rand.h"
#include "base/time.h"
#include "rtp/history.h"
#include "rtp/rtx.h"

enum { ROOM = 2000 };

/* A packet whose every payload byte tells its number. */
static size_t make(uint8_t pkt[ROOM], uint16_t seq, size_t payload)
{
    pl_wr w = pl_wr_init(pkt, ROOM);
    pl_rtp_write(&w, &(pl_rtp_header){ .pt = 96, .seq = seq, .ssrc = 1, .rtp_ts = 3 }, NULL);
    memset(pl_wr_make(&w, payload), seq & 0xff, payload);
    return pl_wr_len(&w);
}

static void put(pl_rtp_history *h, int64_t now_us, uint16_t seq, size_t payload)
{
    uint8_t pkt[ROOM];
    size_t len = make(pkt, seq, payload);
    PL_EQ(pl_rtp_history_put(h, now_us, pkt, len), PL_OK);
}

static bool resends(pl_rtp_history *h, int64_t now_us, uint16_t seq, size_t payload)
{
    size_t len;
    const uint8_t *pkt = pl_rtp_history_resend(h, now_us, seq, &len);
    if (!pkt) {
        PL_EQ(len, 0);
        return false;
    }
    PL_EQ(len, 12 + payload);
    PL_EQ(pl_rtp_seq(pkt), seq);
    PL_EQ(pkt[len - 1], seq & 0xff);
    return true;
}

PL_TEST(packets_are_kept_for_a_while)
{
    pl_rtp_history h;
    pl_rtp_history_init(&h);
    PL_OKAY(!resends(&h, 0, 5, 1));
    for (int i = 0; i < 1000; i++) {
        put(&h, i * PL_MS(10), (uint16_t)(65000 + i), 100 + (size_t)i);
        pl_rtp_history_check(&h);
    }
    int64_t now_us = PL_MS(9990);
    PL_OKAY(resends(&h, now_us, (uint16_t)(65000 + 999), 1099)); /* across the wrap */
    PL_OKAY(resends(&h, now_us, (uint16_t)(65000 + 900), 1000));
    PL_OKAY(!resends(&h, now_us, (uint16_t)(65000 + 890), 990));   /* 1.09 s old */
    PL_OKAY(!resends(&h, now_us, (uint16_t)(65000 + 1000), 1100)); /* not sent yet */
    PL_EQ(h.n_missed, 3);
    PL_LE(pl_rtp_history_bytes(&h), 160 * 1024);
    pl_rtp_history_clear(&h);
}

PL_TEST(not_again_within_a_round_trip)
{
    pl_rtp_history h;
    pl_rtp_history_init(&h);
    pl_rtp_history_rtt(&h, PL_MS(50));
    put(&h, PL_SEC(1), 10, 10);
    PL_OKAY(resends(&h, PL_SEC(1) + 1, 10, 10));
    PL_OKAY(!resends(&h, PL_SEC(1) + PL_MS(50), 10, 10));
    PL_OKAY(resends(&h, PL_SEC(1) + PL_MS(51), 10, 10));
    PL_EQ(h.n_too_soon, 1);
    PL_EQ(h.n_missed, 0);
    pl_rtp_history_clear(&h);
}

PL_TEST(long_paths_keep_longer)
{
    pl_rtp_history h;
    pl_rtp_history_init(&h);
    pl_rtp_history_rtt(&h, PL_MS(800));
    put(&h, PL_SEC(1), 10, 10);
    PL_OKAY(resends(&h, PL_SEC(1) + PL_MS(2400), 10, 10));
    PL_OKAY(!resends(&h, PL_SEC(1) + PL_MS(2401), 10, 10));
    pl_rtp_history_rtt(&h, PL_SEC(30));
    put(&h, PL_SEC(10), 11, 11);
    put(&h, PL_SEC(10), 12, 12);
    PL_OKAY(resends(&h, PL_SEC(14), 11, 11));
    PL_OKAY(!resends(&h, PL_SEC(14) + 1, 12, 12));
    pl_rtp_history_clear(&h);
}

PL_TEST(memory_follows_the_stream)
{
    pl_rtp_history h;
    pl_rtp_history_init(&h);
    PL_EQ(pl_rtp_history_bytes(&h), 0);
    int64_t now_us = 0;
    uint16_t seq = 0;
    for (int i = 0; i < 60000; i++, now_us += 100) /* 96 Mbit/s for 6 s: more than it may keep */
        put(&h, now_us, seq++, 1188);
    pl_rtp_history_check(&h);
    PL_EQ(h.next - h.first, PL_HISTORY_PACKETS_MAX);
    PL_LE(pl_rtp_history_bytes(&h), 6 * 1024 * 1024);
    PL_OKAY(resends(&h, now_us, (uint16_t)(seq - PL_HISTORY_PACKETS_MAX), 1188));
    for (int i = 0; i < 200; i++, now_us += PL_MS(20)) /* then sound */
        put(&h, now_us, seq++, 80);
    pl_rtp_history_tick(&h, now_us);
    pl_rtp_history_check(&h);
    PL_LE(h.next - h.first, 51);
    PL_LE(pl_rtp_history_bytes(&h), 3 * 16500 + 4096 * 48);
    pl_rtp_history_tick(&h, now_us + PL_SEC(2)); /* then nothing */
    PL_EQ(pl_rtp_history_bytes(&h), 0);
    pl_rtp_history_check(&h);
    put(&h, now_us + PL_SEC(3), seq, 80);
    PL_OKAY(resends(&h, now_us + PL_SEC(3), seq, 80));
    pl_rtp_history_clear(&h);
    PL_EQ(pl_rtp_history_bytes(&h), 0);
}

PL_TEST(gaps_and_new_series)
{
    pl_rtp_history h;
    pl_rtp_history_init(&h);
    put(&h, 0, 100, 10);
    put(&h, 0, 300, 20); /* numbers in between went to another path */
    PL_OKAY(resends(&h, 0, 100, 10) && resends(&h, 0, 300, 20) && !resends(&h, 0, 200, 10));
    pl_rtp_history_check(&h);
    put(&h, 0, 50, 30); /* an encoder that starts anew */
    PL_OKAY(resends(&h, 0, 50, 30) && !resends(&h, 0, 300, 20));
    pl_rtp_history_check(&h);
    put(&h, 0, 20000, 40);
    PL_OKAY(resends(&h, 0, 20000, 40) && !resends(&h, 0, 50, 30));
    pl_rtp_history_check(&h);
    uint8_t pkt[ROOM] = { 0x80 };
    PL_EQ(pl_rtp_history_put(&h, 0, pkt, PL_HISTORY_LEN_MAX + 1), PL_ENOSPC);
    PL_EQ(pl_rtp_history_put(&h, 0, pkt, 11), PL_ENOSPC);
    pl_rtp_history_clear(&h);
}

/* A forwarder sends what was lost on the way to it after what followed. */
PL_TEST(late_packets_fill_their_gaps)
{
    pl_rtp_history h;
    pl_rtp_history_init(&h);
    put(&h, 0, 65534, 100);
    put(&h, 0, 2, 100);
    put(&h, PL_MS(50), 0, 90);
    put(&h, PL_MS(60), 65535, 80);
    pl_rtp_history_check(&h);
    PL_OKAY(resends(&h, PL_MS(70), 65534, 100));
    PL_OKAY(resends(&h, PL_MS(70), 0, 90));
    PL_OKAY(resends(&h, PL_MS(70), 65535, 80));
    PL_OKAY(resends(&h, PL_MS(70), 2, 100));
    PL_OKAY(!resends(&h, PL_MS(70), 1, 100));
    put(&h, PL_MS(900), 3, 100);
    put(&h, PL_MS(1500), 65530, 100); /* later than anything is kept: left out, and nothing else is harmed */
    PL_OKAY(resends(&h, PL_MS(1500), 3, 100));
    PL_OKAY(!resends(&h, PL_MS(1500), 65530, 100));
    put(&h, PL_MS(1600), 4, 100);
    PL_OKAY(resends(&h, PL_MS(1600), 4, 100));
    pl_rtp_history_check(&h);
    pl_rtp_history_tick(&h, PL_SEC(20));
    PL_EQ(pl_rtp_history_bytes(&h), 0);
    pl_rtp_history_clear(&h);
}

PL_TEST(padding_is_a_recent_packet)
{
    pl_rtp_history h;
    pl_rtp_history_init(&h);
    size_t len;
    PL_OKAY(pl_rtp_history_padding(&h, 1000, &len) == NULL);
    put(&h, 0, 1, 500);
    put(&h, 0, 2, 1100);
    const uint8_t *pkt = pl_rtp_history_padding(&h, 1000, &len);
    PL_OKAY(pkt && pl_rtp_seq(pkt) == 1 && len == 512);
    pkt = pl_rtp_history_padding(&h, 1500, &len);
    PL_OKAY(pkt && pl_rtp_seq(pkt) == 2);
    PL_OKAY(pl_rtp_history_padding(&h, 100, &len) == NULL);
    pl_rtp_history_clear(&h);
}

PL_TEST(any_life_of_a_history)
{
    uint64_t seed = pl_test_seed(1);
    for (uint64_t run = 0; run < 300; run++) {
        pl_rand_seeded state;
        pl_rand rand = pl_rand_seed(&state, seed + run);
        pl_rtp_history h;
        pl_rtp_history_init(&h);
        int64_t now_us = 0;
        uint16_t seq = (uint16_t)pl_rand_u32(&rand);
        for (int i = 0; i < 500; i++) {
            now_us += pl_rand_below(&rand, 20000);
            uint32_t what = pl_rand_below(&rand, 100);
            if (what < 80)
                put(&h, now_us, seq++, pl_rand_below(&rand, 1400));
            else if (what < 90)
                seq = (uint16_t)(seq + pl_rand_below(&rand, what == 89 ? 60000 : 20));
            else if (what < 95)
                pl_rtp_history_tick(&h, now_us);
            else
                pl_rtp_history_rtt(&h, 1000 + pl_rand_below(&rand, 2000000));
            size_t len;
            (void)pl_rtp_history_resend(&h, now_us, (uint16_t)(seq - pl_rand_below(&rand, 600)), &len);
            pl_rtp_history_check(&h);
        }
        pl_rtp_history_clear(&h);
    }
}

/* RTX */

static pl_rtp_ext_map rid_map(void)
{
    pl_rtp_ext_map m = { 0 };
    PL_EQ(pl_rtp_ext_map_set(&m, PL_EXT_RID, 5), PL_OK);
    PL_EQ(pl_rtp_ext_map_set(&m, PL_EXT_REPAIRED_RID, 6), PL_OK);
    PL_EQ(pl_rtp_ext_map_set(&m, PL_EXT_TWCC, 3), PL_OK);
    return m;
}

PL_TEST(there_and_back)
{
    pl_rtp_ext_map m = rid_map();
    uint8_t pkt[ROOM], rtx[256];
    pl_wr w = pl_wr_init(pkt, sizeof pkt);
    pl_rtp_write(&w, &(pl_rtp_header){ .pt = 96, .marker = true, .seq = 0xabcd, .rtp_ts = 5, .ssrc = 1 },
                 NULL);
    pl_rtp_ext_write(&w, &m, &(pl_rtp_ext){ .has = 1 << PL_EXT_RID | 1 << PL_EXT_TWCC, .rid = PL_STR("hi") },
                     NULL);
    pl_wr_bytes(&w, "hello", 5);
    size_t plain = pl_wr_len(&w);
    pl_rtp_pad(&w, 4);
    pl_rtx_stream s = { .ssrc = 2, .seq = 65535, .pt = 97 };
    size_t len;
    PL_EQ(pl_rtx_wrap(&s, &m, pkt, pl_wr_len(&w), rtx, sizeof rtx, &len), PL_OK);
    PL_EQ(len, plain + PL_RTX_OVERHEAD); /* without the padding */
    PL_EQ(s.seq, 0);
    pl_rtp_header h;
    PL_EQ(pl_rtp_parse(&h, rtx, len), PL_OK);
    PL_OKAY(h.ssrc == 2 && h.pt == 97 && h.seq == 65535 && h.marker && h.rtp_ts == 5 && !h.padded);
    PL_MEMEQ(rtx + h.payload_at, "\xab\xcdhello", 7);
    pl_rtp_ext e;
    PL_EQ(pl_rtp_ext_parse(&e, &m, rtx, &h), PL_OK);
    PL_OKAY(pl_str_is(e.repaired_rid, "hi") && !pl_rtp_ext_has(&e, PL_EXT_RID));
    PL_OKAY(pl_rtp_ext_locate(&m, rtx, &h).twcc != 0);

    PL_EQ(pl_rtx_unwrap(rtx, &len, 1, 96, &m), PL_OK);
    PL_EQ(len, plain);
    pkt[0] &= 0xdf; /* the padding bit is all that differs */
    PL_MEMEQ(rtx, pkt, plain);
    PL_EQ(pl_rtx_wrap(&s, NULL, pkt, plain, rtx, plain + 1, &len), PL_ENOSPC);
}

PL_TEST(not_every_packet_is_a_retransmission)
{
    uint8_t pkt[ROOM] = { 0 };
    size_t len = 30;
    PL_EQ(pl_rtx_unwrap(pkt, &len, 1, 96, NULL), PL_EPROTO);
    for (size_t payload = 0; payload < 4; payload++) {
        len = make(pkt, 9, payload);
        PL_EQ(pl_rtx_unwrap(pkt, &len, 1, 96, NULL), payload >= 2 ? PL_OK : PL_EPROTO);
    }
    pl_wr w = pl_wr_init(pkt, sizeof pkt); /* padding alone: a probe of libwebrtc's */
    pl_rtp_write(&w, &(pl_rtp_header){ .pt = 97 }, NULL);
    pl_rtp_pad(&w, 40);
    len = pl_wr_len(&w);
    PL_EQ(pl_rtx_unwrap(pkt, &len, 1, 96, NULL), PL_EPROTO);
}

PL_TESTS(t(packets_are_kept_for_a_while), t(not_again_within_a_round_trip), t(long_paths_keep_longer),
         t(memory_follows_the_stream), t(gaps_and_new_series), t(late_packets_fill_their_gaps),
         t(padding_is_a_recent_packet), t(any_life_of_a_history), t(there_and_back),
         t(not_every_packet_is_a_retransmission))
