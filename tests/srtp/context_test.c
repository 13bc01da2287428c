/* Streams, rollover and replay: two contexts of one key, one direction each. */
#include "pl_test.h"

#include "base/bytes.h"
#include "base/rand.h"
#include "srtp/context.h"

enum { CAP = 1500 };

static const pl_srtp_profile profiles[] = { PL_SRTP_AEAD_AES_128_GCM, PL_SRTP_AEAD_AES_256_GCM,
                                            PL_SRTP_AES128_CM_SHA1_80, PL_SRTP_AES128_CM_SHA1_32 };
enum { N_PROFILES = sizeof profiles / sizeof profiles[0] };

typedef struct both {
    pl_rand_seeded seeded;
    pl_rand rand;
    pl_srtp *tx, *rx;
} both;

static void both_new(both *b, pl_srtp_profile profile)
{
    pl_srtp_master master;
    b->rand = pl_rand_seed(&b->seeded, 42);
    pl_rand_bytes(&b->rand, &master, sizeof master);
    PL_EQ(pl_srtp_new(&b->tx, profile, &master, PL_SRTP_SEND, &b->rand), PL_OK);
    PL_EQ(pl_srtp_new(&b->rx, profile, &master, PL_SRTP_RECV, &b->rand), PL_OK);
}

static void both_free(both *b)
{
    pl_srtp_free(b->tx);
    pl_srtp_free(b->rx);
}

/* An RTP packet with n bytes of payload, each its sequence number's low byte. */
static size_t rtp(uint8_t *pkt, uint32_t ssrc, uint16_t seq, size_t n)
{
    pl_wr w = pl_wr_init(pkt, CAP);
    pl_wr_u8(&w, 0x80);
    pl_wr_u8(&w, 96);
    pl_wr_u16(&w, seq);
    pl_wr_u32(&w, seq * 960u);
    pl_wr_u32(&w, ssrc);
    memset(pl_wr_make(&w, n), seq & 0xff, n);
    return pl_wr_len(&w);
}

static size_t rtcp(uint8_t *pkt, uint32_t ssrc)
{
    pl_wr w = pl_wr_init(pkt, CAP);
    pl_wr_u16(&w, 0x80c9);
    pl_wr_u16(&w, 1);
    pl_wr_u32(&w, ssrc);
    return pl_wr_len(&w);
}

static size_t sealed(both *b, uint8_t *pkt, uint32_t ssrc, uint16_t seq)
{
    size_t len = rtp(pkt, ssrc, seq, 100), out = 0;
    PL_EQ(pl_srtp_protect(b->tx, pkt, len, CAP, &out), PL_OK);
    return out;
}

static pl_err carry(both *b, uint32_t ssrc, uint16_t seq)
{
    uint8_t pkt[CAP], want[CAP];
    size_t len = sealed(b, pkt, ssrc, seq), n = 0;
    pl_err err = pl_srtp_unprotect(b->rx, pkt, len, &n);
    if (err == PL_OK) {
        PL_EQ(n, rtp(want, ssrc, seq, 100));
        PL_MEMEQ(pkt, want, n);
    }
    return err;
}

PL_TEST(packets_of_every_shape)
{
    for (int i = 0; i < N_PROFILES; i++) {
        both b;
        both_new(&b, profiles[i]);
        for (uint16_t seq = 0; seq < 300; seq++) {
            uint8_t pkt[CAP], want[CAP];
            size_t len = rtp(want, 7, seq, seq), n, m;
            memcpy(pkt, want, len);
            if (seq > 40 &&
                seq % 3 == 0) { /* two CSRCs and an extension of one word, cut out of the payload */
                want[0] = 0x92;
                pl_put16(want + 20, 0xbede);
                pl_put16(want + 22, 1);
                memcpy(pkt, want, len);
            }
            PL_EQ(pl_srtp_protect(b.tx, pkt, len, CAP, &n), PL_OK);
            PL_LE(n, len + PL_SRTP_TAILROOM);
            PL_MEMEQ(pkt, want, 12); /* the header stays in clear ... */
            if (seq > 60)
                PL_OKAY(memcmp(pkt + 40, want + 40, len - 40) != 0); /* ... the payload does not */
            PL_EQ(pl_srtp_unprotect(b.rx, pkt, n, &m), PL_OK);
            PL_EQ(m, len);
            PL_MEMEQ(pkt, want, len);
        }
        both_free(&b);
    }
}

PL_TEST(rollover_in_order_and_out_of_order)
{
    for (int i = 0; i < N_PROFILES; i++) {
        both b;
        both_new(&b, profiles[i]);
        uint8_t late[CAP];
        size_t late_len = 0, n;
        for (uint32_t k = 65500; k<3 * 65536 + 100; k += k % 65536> 1000 && k % 65536 < 64000 ? 500 : 1) {
            if (k == 65535)
                late_len = sealed(&b, late, 1, 65535);
            else
                PL_EQ(carry(&b, 1, (uint16_t)k), PL_OK);
            if (k == 65536 + 20)
                PL_EQ(pl_srtp_unprotect(b.rx, late, late_len, &n), PL_OK); /* of the turn before */
        }
        PL_EQ(pl_srtp_roc(b.tx, 1), 3);
        PL_EQ(pl_srtp_roc(b.rx, 1), 3);
        both_free(&b);
    }
}

PL_TEST(loss_of_almost_half_a_turn)
{
    both b;
    both_new(&b, PL_SRTP_AEAD_AES_128_GCM);
    uint8_t pkt[CAP];
    PL_EQ(carry(&b, 1, 60000), PL_OK);
    for (uint32_t k = 60001; k < 60000 + 32000; k += 100)
        (void)sealed(&b, pkt, 1, (uint16_t)k); /* all lost */
    PL_EQ(carry(&b, 1, (uint16_t)(60000 + 32000)), PL_OK);
    PL_EQ(pl_srtp_roc(b.rx, 1), 1);
    both_free(&b);
}

PL_TEST(a_replay_is_refused_everywhere_in_the_window)
{
    for (int i = 0; i < N_PROFILES; i++) {
        both b;
        both_new(&b, profiles[i]);
        static uint8_t kept[2000][140];
        size_t len = 0, n;
        uint8_t pkt[CAP];
        for (uint16_t k = 0; k < 2000; k++) {
            len = sealed(&b, pkt, 1, k);
            memcpy(kept[k], pkt, len);
        }
        for (uint16_t k = 0; k < 2000; k++) { /* every third stays away */
            memcpy(pkt, kept[k], len);
            if (k % 3)
                PL_EQ(pl_srtp_unprotect(b.rx, pkt, len, &n), PL_OK);
        }
        for (uint16_t k = 0; k < 2000; k++) {
            bool in_window = 1999 - k < PL_SRTP_WINDOW;
            memcpy(pkt, kept[k], len);
            PL_EQ(pl_srtp_unprotect(b.rx, pkt, len, &n), in_window && k % 3 == 0 ? PL_OK : PL_EAGAIN);
        }
        both_free(&b);
    }
}

PL_TEST(a_number_is_never_sent_twice)
{
    both b;
    uint8_t pkt[CAP];
    size_t n;
    both_new(&b, PL_SRTP_AEAD_AES_128_GCM);
    (void)sealed(&b, pkt, 1, 10);
    (void)sealed(&b, pkt, 1, 12);
    (void)sealed(&b, pkt, 1, 11);
    PL_EQ(pl_srtp_protect(b.tx, pkt, rtp(pkt, 1, 11, 5), CAP, &n), PL_EAGAIN);
    PL_EQ(pl_srtp_protect(b.tx, pkt, rtp(pkt, 1, 60000, 5), CAP, &n), PL_EAGAIN); /* before the start */
    both_free(&b);
}

PL_TEST(rtcp_both_ways_and_replayed)
{
    for (int i = 0; i < N_PROFILES; i++) {
        both b;
        both_new(&b, profiles[i]);
        uint8_t pkt[CAP], again[CAP], want[CAP];
        size_t len = rtcp(want, 5), n, m;
        for (int k = 0; k < 50; k++) {
            memcpy(pkt, want, len);
            PL_EQ(pl_srtp_protect_rtcp(b.tx, pkt, len, CAP, &n), PL_OK);
            PL_LE(n, len + PL_SRTCP_TAILROOM);
            memcpy(again, pkt, n);
            PL_EQ(pl_srtp_unprotect_rtcp(b.rx, pkt, n, &m), PL_OK);
            PL_EQ(m, len);
            PL_MEMEQ(pkt, want, len);
            PL_EQ(pl_srtp_unprotect_rtcp(b.rx, again, n, &m), PL_EAGAIN);
        }
        both_free(&b);
    }
}

PL_TEST(forged_packets_cost_nothing)
{
    for (int i = 0; i < N_PROFILES; i++) {
        both b;
        uint8_t pkt[CAP], bad[CAP];
        size_t len, n;
        both_new(&b, profiles[i]);
        for (uint32_t ssrc = 0; ssrc < 3000; ssrc++) {
            len = rtp(pkt, ssrc, 1, 60);
            PL_EQ(pl_srtp_unprotect(b.rx, pkt, len, &n), PL_EPROTO);
        }
        PL_EQ(pl_srtp_n_streams(b.rx), 0);
        len = sealed(&b, pkt, 1, 1);
        for (size_t bit = 0; bit < 8 * len; bit += 5) { /* every change is noticed */
            memcpy(bad, pkt, len);
            bad[bit / 8] ^= (uint8_t)(1 << bit % 8);
            PL_OKAY(pl_srtp_unprotect(b.rx, bad, len, &n) != PL_OK);
        }
        for (size_t cut = 0; cut < len; cut++) {
            memcpy(bad, pkt, len);
            PL_EQ(pl_srtp_unprotect(b.rx, bad, cut, &n), PL_EPROTO);
        }
        PL_EQ(pl_srtp_unprotect(b.rx, pkt, len, &n), PL_OK);

        len = rtcp(pkt, 9);
        PL_EQ(pl_srtp_protect_rtcp(b.tx, pkt, len, CAP, &len), PL_OK);
        for (size_t bit = 0; bit < 8 * len; bit++) {
            memcpy(bad, pkt, len);
            bad[bit / 8] ^= (uint8_t)(1 << bit % 8);
            PL_OKAY(pl_srtp_unprotect_rtcp(b.rx, bad, len, &n) != PL_OK);
        }
        for (size_t cut = 0; cut < len; cut++) {
            memcpy(bad, pkt, len);
            PL_EQ(pl_srtp_unprotect_rtcp(b.rx, bad, cut, &n), PL_EPROTO);
        }
        PL_EQ(pl_srtp_unprotect_rtcp(b.rx, pkt, len, &n), PL_OK);
        both_free(&b);
    }
}

PL_TEST(streams_have_a_maximum_and_are_forgotten)
{
    both b, other;
    both_new(&b, PL_SRTP_AEAD_AES_128_GCM);
    both_new(&other, PL_SRTP_AEAD_AES_128_GCM); /* the same key: a sender that has more streams */
    for (uint32_t ssrc = 0; ssrc < PL_SRTP_STREAMS_MAX; ssrc++)
        PL_EQ(carry(&b, ssrc, 1), PL_OK);
    uint8_t pkt[CAP];
    size_t n, len = rtp(pkt, 5000, 1, 10);
    PL_EQ(pl_srtp_protect(b.tx, pkt, len, CAP, &n), PL_ENOSPC);
    len = sealed(&other, pkt, 5000, 1);
    PL_EQ(pl_srtp_unprotect(b.rx, pkt, len, &n), PL_ENOSPC);
    pl_srtp_forget(b.rx, 17);
    pl_srtp_forget(b.rx, 17);
    PL_EQ(pl_srtp_n_streams(b.rx), PL_SRTP_STREAMS_MAX - 1);
    len = sealed(&other, pkt, 5000, 2);
    PL_EQ(pl_srtp_unprotect(b.rx, pkt, len, &n), PL_OK);
    pl_srtp_forget(b.tx, 3);
    PL_EQ(pl_srtp_n_streams(b.tx), PL_SRTP_STREAMS_MAX);
    both_free(&b);
    both_free(&other);
}

PL_TEST(malformed_and_no_room)
{
    both b;
    uint8_t pkt[CAP];
    size_t n, len;
    pl_srtp_master master = { 0 };
    pl_srtp *s = NULL;
    both_new(&b, PL_SRTP_AES128_CM_SHA1_80);
    len = rtp(pkt, 1, 1, 20);
    PL_EQ(pl_srtp_protect(b.tx, pkt, len, len + 9, &n), PL_ENOSPC);
    PL_EQ(pl_srtp_protect(b.tx, pkt, 11, CAP, &n), PL_EPROTO);
    pkt[0] = 0x40;
    PL_EQ(pl_srtp_protect(b.tx, pkt, len, CAP, &n), PL_EPROTO);
    pkt[0] = 0x8f; /* more contributing sources than bytes */
    PL_EQ(pl_srtp_protect(b.tx, pkt, len, CAP, &n), PL_EPROTO);
    pkt[0] = 0x90;
    pl_put16(pkt + 14, 500);
    PL_EQ(pl_srtp_protect(b.tx, pkt, len, CAP, &n), PL_EPROTO);
    len = rtcp(pkt, 1);
    PL_EQ(pl_srtp_protect_rtcp(b.tx, pkt, len, len + 13, &n), PL_ENOSPC);
    PL_EQ(pl_srtp_protect_rtcp(b.tx, pkt, 7, CAP, &n), PL_EPROTO);
    PL_EQ(pl_srtp_new(&s, PL_SRTP_NONE, &master, PL_SRTP_SEND, &b.rand), PL_EINVAL);
    both_free(&b);
}

PL_TESTS(t(packets_of_every_shape), t(rollover_in_order_and_out_of_order), t(loss_of_almost_half_a_turn),
         t(a_replay_is_refused_everywhere_in_the_window), t(a_number_is_never_sent_twice),
         t(rtcp_both_ways_and_replayed), t(forged_packets_cost_nothing),
         t(streams_have_a_maximum_and_are_forgotten), t(malformed_and_no_room))
