/* Ours against libsrtp2, which others wrote over another crypto library: every profile, both directions,
 * with loss, reordering and rollover. */
#include "pl_test.h"

#include <srtp2/srtp.h>

#include "base/bytes.h"
#include "base/rand.h"
#include "srtp/context.h"

enum { CAP = 1500, SSRC = 0x12345678 };

typedef struct peers {
    pl_srtp *tx, *rx;
    srtp_t their_tx, their_rx;
    pl_rand_seeded seeded;
    pl_rand rand;
} peers;

static void set_policy(srtp_policy_t *policy, pl_srtp_profile profile)
{
    switch (profile) {
    case PL_SRTP_AEAD_AES_128_GCM:
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy->rtp);
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy->rtcp);
        break;
    case PL_SRTP_AEAD_AES_256_GCM:
        srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy->rtp);
        srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy->rtcp);
        break;
    case PL_SRTP_AES128_CM_SHA1_32:
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32(&policy->rtp);
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy->rtcp);
        break;
    default:
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy->rtp);
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy->rtcp);
        break;
    }
}

static srtp_t theirs(pl_srtp_profile profile, const pl_srtp_master *m, srtp_ssrc_type_t side)
{
    srtp_policy_t policy = { 0 };
    uint8_t key[64];
    srtp_t s;
    memcpy(key, m->key, pl_srtp_key_len(profile));
    memcpy(key + pl_srtp_key_len(profile), m->salt, pl_srtp_salt_len(profile));
    set_policy(&policy, profile);
    policy.ssrc.type = side;
    policy.key = key;
    policy.window_size = 1024;
    PL_EQ(srtp_create(&s, &policy), srtp_err_status_ok);
    return s;
}

static void peers_new(peers *p, pl_srtp_profile profile, uint64_t seed)
{
    pl_srtp_master ab, ba;
    p->rand = pl_rand_seed(&p->seeded, seed);
    pl_rand_bytes(&p->rand, &ab, sizeof ab);
    pl_rand_bytes(&p->rand, &ba, sizeof ba);
    PL_EQ(pl_srtp_new(&p->tx, profile, &ab, PL_SRTP_SEND, &p->rand), PL_OK);
    PL_EQ(pl_srtp_new(&p->rx, profile, &ba, PL_SRTP_RECV, &p->rand), PL_OK);
    p->their_rx = theirs(profile, &ab, ssrc_any_inbound);
    p->their_tx = theirs(profile, &ba, ssrc_any_outbound);
}

static void peers_free(peers *p)
{
    pl_srtp_free(p->tx);
    pl_srtp_free(p->rx);
    srtp_dealloc(p->their_tx);
    srtp_dealloc(p->their_rx);
}

static size_t make_rtp(peers *p, uint8_t *pkt, uint16_t seq)
{
    bool extended = pl_rand_below(&p->rand, 2);
    size_t n = pl_rand_below(&p->rand, 1200);
    pl_wr w = pl_wr_init(pkt, CAP);
    pl_wr_u8(&w, extended ? 0x90 : 0x80);
    pl_wr_u8(&w, 111);
    pl_wr_u16(&w, seq);
    pl_wr_u32(&w, pl_rand_u32(&p->rand));
    pl_wr_u32(&w, SSRC + seq % 2);
    if (extended) {
        pl_wr_u16(&w, 0xbede);
        pl_wr_u16(&w, 1);
        pl_wr_u32(&w, 0x10203040);
    }
    pl_rand_bytes(&p->rand, pl_wr_make(&w, n), n);
    return pl_wr_len(&w);
}

static size_t make_rtcp(peers *p, uint8_t *pkt)
{
    size_t words = 1 + pl_rand_below(&p->rand, 40);
    pl_wr w = pl_wr_init(pkt, CAP);
    pl_wr_u16(&w, 0x80c8);
    pl_wr_u16(&w, (uint16_t)words);
    pl_wr_u32(&w, SSRC);
    pl_rand_bytes(&p->rand, pl_wr_make(&w, 4 * (words - 1)), 4 * (words - 1));
    return pl_wr_len(&w);
}

static size_t we_protect(peers *p, uint8_t *pkt, size_t len)
{
    size_t n = 0;
    PL_EQ(pl_srtp_protect(p->tx, pkt, len, CAP, &n), PL_OK);
    return n;
}
static size_t they_protect(peers *p, uint8_t *pkt, size_t len)
{
    int n = (int)len;
    PL_EQ(srtp_protect(p->their_tx, pkt, &n), srtp_err_status_ok);
    return (size_t)n;
}
static size_t we_unprotect(peers *p, uint8_t *pkt, size_t len)
{
    size_t n = 0;
    PL_EQ(pl_srtp_unprotect(p->rx, pkt, len, &n), PL_OK);
    return n;
}
static size_t they_unprotect(peers *p, uint8_t *pkt, size_t len)
{
    int n = (int)len;
    PL_EQ(srtp_unprotect(p->their_rx, pkt, &n), srtp_err_status_ok);
    return (size_t)n;
}

typedef size_t step(peers *p, uint8_t *pkt, size_t len);

/* Sends 70,000 numbers from 65,000 on, in groups of eight that arrive shuffled and with one lost; most
 * groups are skipped, so the rollover is crossed twice without taking long. */
static void stream_through(peers *p, step *protect, step *unprotect)
{
    static uint8_t wire[8][CAP], clear[8][CAP];
    size_t wire_len[8], clear_len[8];
    for (uint32_t base = 65000; base < 65000 + 70000; base += base % 65536 < 64800 ? 400 : 8) {
        int order[8];
        for (int i = 0; i < 8; i++) {
            clear_len[i] = make_rtp(p, clear[i], (uint16_t)(base + (uint32_t)i));
            memcpy(wire[i], clear[i], clear_len[i]);
            wire_len[i] = protect(p, wire[i], clear_len[i]);
            order[i] = i;
        }
        for (int i = 7; i > 0; i--) {
            int j = (int)pl_rand_below(&p->rand, (uint32_t)i + 1), k = order[i];
            order[i] = order[j];
            order[j] = k;
        }
        for (int i = 0; i < 7; i++) {
            int k = order[i];
            PL_EQ(unprotect(p, wire[k], wire_len[k]), clear_len[k]);
            PL_MEMEQ(wire[k], clear[k], clear_len[k]);
        }
    }
}

static void rtcp_through(peers *p)
{
    uint8_t pkt[CAP], clear[CAP];
    for (int i = 0; i < 200; i++) {
        size_t len = make_rtcp(p, clear), n = 0;
        memcpy(pkt, clear, len);
        PL_EQ(pl_srtp_protect_rtcp(p->tx, pkt, len, CAP, &n), PL_OK);
        int m = (int)n;
        if (i % 5) {
            PL_EQ(srtp_unprotect_rtcp(p->their_rx, pkt, &m), srtp_err_status_ok);
            PL_EQ(m, len);
            PL_MEMEQ(pkt, clear, len);
        }
        memcpy(pkt, clear, len);
        m = (int)len;
        PL_EQ(srtp_protect_rtcp(p->their_tx, pkt, &m), srtp_err_status_ok);
        if (i % 7) {
            PL_EQ(pl_srtp_unprotect_rtcp(p->rx, pkt, (size_t)m, &n), PL_OK);
            PL_EQ(n, len);
            PL_MEMEQ(pkt, clear, len);
        }
    }
}

static void with(pl_srtp_profile profile)
{
    peers p;
    uint64_t seed = pl_test_seed(profile);
    print_message("seed %llu\n", (unsigned long long)seed);
    PL_EQ(srtp_init(), srtp_err_status_ok);
    peers_new(&p, profile, seed);
    stream_through(&p, we_protect, they_unprotect);
    stream_through(&p, they_protect, we_unprotect);
    rtcp_through(&p);
    peers_free(&p);
    srtp_shutdown();
}

PL_TEST(aead_aes_128_gcm)
{
    with(PL_SRTP_AEAD_AES_128_GCM);
}
PL_TEST(aead_aes_256_gcm)
{
    with(PL_SRTP_AEAD_AES_256_GCM);
}
PL_TEST(aes_cm_sha1_80)
{
    with(PL_SRTP_AES128_CM_SHA1_80);
}
PL_TEST(aes_cm_sha1_32)
{
    with(PL_SRTP_AES128_CM_SHA1_32);
}

PL_TESTS(t(aead_aes_128_gcm), t(aead_aes_256_gcm), t(aes_cm_sha1_80), t(aes_cm_sha1_32))
