/* srtp_packet_bench.c - what it costs to protect a packet and open it again, in ns, beside the bare cipher of
 * OpenSSL (key once, nonce per packet, no streams, no replay check) and Debian's libsrtp2. Rounds are
 * interleaved and medians printed, because other work shares the machine; compare within one run only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>
#ifdef PL_BENCH_SRTP2
#include <srtp2/srtp.h>
#endif

#include "base/bytes.h"
#include "srtp/context.h"

enum { ROUNDS = 15, PACKETS = 4000, HEAD = 12, CAP = 1500, SSRC = 0x01020304 };

typedef struct contender {
    const char *name;
    bool (*setup)(struct contender *c);
    bool (*packet)(struct contender *c, uint8_t *pkt, size_t len); /* protect and open */
    void (*clear)(struct contender *c);
    pl_srtp_profile profile;
    pl_srtp *tx, *rx;
    EVP_CIPHER_CTX *seal, *open;
    EVP_MD_CTX *inner, *outer, *work;
#ifdef PL_BENCH_SRTP2
    srtp_t their_tx, their_rx;
#endif
    double ns[ROUNDS];
    uint16_t seq;
} contender;

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- ours ---- */

static bool ours_setup(contender *c)
{
    pl_srtp_master master = { .key = { 1 }, .salt = { 2 } };
    pl_rand machine = { 0 };
    return pl_srtp_new(&c->tx, c->profile, &master, PL_SRTP_SEND, &machine) == PL_OK &&
           pl_srtp_new(&c->rx, c->profile, &master, PL_SRTP_RECV, &machine) == PL_OK;
}
static bool ours_packet(contender *c, uint8_t *pkt, size_t len)
{
    size_t n, m;
    return pl_srtp_protect(c->tx, pkt, len, CAP, &n) == PL_OK &&
           pl_srtp_unprotect(c->rx, pkt, n, &m) == PL_OK;
}
static void ours_clear(contender *c)
{
    pl_srtp_free(c->tx);
    pl_srtp_free(c->rx);
}

/* ---- bare EVP: AES-GCM ---- */

static bool gcm_setup(contender *c)
{
    static const uint8_t key[32] = { 1 };
    const EVP_CIPHER *cipher = c->profile == PL_SRTP_AEAD_AES_128_GCM ? EVP_aes_128_gcm() : EVP_aes_256_gcm();
    c->seal = EVP_CIPHER_CTX_new();
    c->open = EVP_CIPHER_CTX_new();
    return c->seal && c->open && EVP_EncryptInit_ex(c->seal, cipher, NULL, key, NULL) == 1 &&
           EVP_DecryptInit_ex(c->open, cipher, NULL, key, NULL) == 1;
}
static bool gcm_packet(contender *c, uint8_t *pkt, size_t len)
{
    uint8_t iv[12] = { 0 }, end[16];
    int n;
    memcpy(iv, pkt, 12);
    return EVP_EncryptInit_ex(c->seal, NULL, NULL, NULL, iv) == 1 &&
           EVP_EncryptUpdate(c->seal, NULL, &n, pkt, HEAD) == 1 &&
           EVP_EncryptUpdate(c->seal, pkt + HEAD, &n, pkt + HEAD, (int)len - HEAD) == 1 &&
           EVP_EncryptFinal_ex(c->seal, end, &n) == 1 &&
           EVP_CIPHER_CTX_ctrl(c->seal, EVP_CTRL_AEAD_GET_TAG, 16, pkt + len) == 1 &&
           EVP_DecryptInit_ex(c->open, NULL, NULL, NULL, iv) == 1 &&
           EVP_DecryptUpdate(c->open, NULL, &n, pkt, HEAD) == 1 &&
           EVP_DecryptUpdate(c->open, pkt + HEAD, &n, pkt + HEAD, (int)len - HEAD) == 1 &&
           EVP_CIPHER_CTX_ctrl(c->open, EVP_CTRL_AEAD_SET_TAG, 16, pkt + len) == 1 &&
           EVP_DecryptFinal_ex(c->open, end, &n) == 1;
}

/* ---- bare EVP: AES-CTR and SHA-1 with the padded key's states kept ---- */

static bool start_state(EVP_MD_CTX *m, uint8_t pad)
{
    uint8_t block[64];
    memset(block, pad, sizeof block);
    return m && EVP_DigestInit_ex(m, EVP_sha1(), NULL) == 1 && EVP_DigestUpdate(m, block, sizeof block) == 1;
}
static bool cm_setup(contender *c)
{
    static const uint8_t key[16] = { 1 };
    c->seal = EVP_CIPHER_CTX_new();
    c->open = EVP_CIPHER_CTX_new();
    c->inner = EVP_MD_CTX_new();
    c->outer = EVP_MD_CTX_new();
    c->work = EVP_MD_CTX_new();
    return c->seal && c->open && c->work && start_state(c->inner, 0x36) && start_state(c->outer, 0x5c) &&
           EVP_EncryptInit_ex(c->seal, EVP_aes_128_ctr(), NULL, key, NULL) == 1 &&
           EVP_EncryptInit_ex(c->open, EVP_aes_128_ctr(), NULL, key, NULL) == 1;
}
static bool cm_tag(contender *c, const uint8_t *pkt, size_t len, uint8_t tag[20])
{
    static const uint8_t roc[4];
    unsigned n;
    return EVP_MD_CTX_copy_ex(c->work, c->inner) == 1 && EVP_DigestUpdate(c->work, pkt, len) == 1 &&
           EVP_DigestUpdate(c->work, roc, sizeof roc) == 1 && EVP_DigestFinal_ex(c->work, tag, &n) == 1 &&
           EVP_MD_CTX_copy_ex(c->work, c->outer) == 1 && EVP_DigestUpdate(c->work, tag, 20) == 1 &&
           EVP_DigestFinal_ex(c->work, tag, &n) == 1;
}
static bool cm_packet(contender *c, uint8_t *pkt, size_t len)
{
    uint8_t iv[16] = { 0 }, tag[20];
    int n;
    memcpy(iv, pkt, 12);
    return EVP_EncryptInit_ex(c->seal, NULL, NULL, NULL, iv) == 1 &&
           EVP_EncryptUpdate(c->seal, pkt + HEAD, &n, pkt + HEAD, (int)len - HEAD) == 1 &&
           cm_tag(c, pkt, len, tag) && memcpy(pkt + len, tag, 10) && cm_tag(c, pkt, len, tag) &&
           memcmp(pkt + len, tag, 10) == 0 && EVP_EncryptInit_ex(c->open, NULL, NULL, NULL, iv) == 1 &&
           EVP_EncryptUpdate(c->open, pkt + HEAD, &n, pkt + HEAD, (int)len - HEAD) == 1;
}
static void evp_clear(contender *c)
{
    EVP_CIPHER_CTX_free(c->seal);
    EVP_CIPHER_CTX_free(c->open);
    EVP_MD_CTX_free(c->inner);
    EVP_MD_CTX_free(c->outer);
    EVP_MD_CTX_free(c->work);
}

/* ---- libsrtp2 ---- */

#ifdef PL_BENCH_SRTP2
static srtp_t their(pl_srtp_profile profile, srtp_ssrc_type_t side)
{
    srtp_policy_t policy = { 0 };
    uint8_t key[64] = { 1 };
    srtp_t s = NULL;
    switch (profile) {
    case PL_SRTP_AEAD_AES_128_GCM: srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtp); break;
    case PL_SRTP_AEAD_AES_256_GCM: srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy.rtp); break;
    default: srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtp); break;
    }
    policy.rtcp = policy.rtp;
    policy.ssrc.type = side;
    policy.key = key;
    policy.window_size = 1024;
    return srtp_create(&s, &policy) == srtp_err_status_ok ? s : NULL;
}
static bool their_setup(contender *c)
{
    c->their_tx = their(c->profile, ssrc_any_outbound);
    c->their_rx = their(c->profile, ssrc_any_inbound);
    return c->their_tx && c->their_rx;
}
static bool their_packet(contender *c, uint8_t *pkt, size_t len)
{
    int n = (int)len;
    return srtp_protect(c->their_tx, pkt, &n) == srtp_err_status_ok &&
           srtp_unprotect(c->their_rx, pkt, &n) == srtp_err_status_ok;
}
static void their_clear(contender *c)
{
    srtp_dealloc(c->their_tx);
    srtp_dealloc(c->their_rx);
}
#endif

/* ---- the race ---- */

static bool round_of(contender *c, size_t payload, double *ns)
{
    static uint8_t pkt[CAP];
    int64_t from = now_ns();
    for (int i = 0; i < PACKETS; i++) {
        pkt[0] = 0x80;
        pl_put16(pkt + 2, c->seq++);
        pl_put32(pkt + 8, SSRC);
        if (!c->packet(c, pkt, HEAD + payload))
            return false;
    }
    *ns = (double)(now_ns() - from) / PACKETS;
    return true;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(contender *c)
{
    qsort(c->ns, ROUNDS, sizeof c->ns[0], by_value);
    return c->ns[ROUNDS / 2];
}

static bool race(const char *title, contender *list, size_t n, size_t payload)
{
    for (int r = -1; r < ROUNDS; r++) { /* the first warms up */
        for (size_t i = 0; i < n; i++) {
            double ns;
            if (!round_of(&list[i], payload, &ns))
                return false;
            if (r >= 0)
                list[i].ns[r] = ns;
        }
    }
    double bare = median(&list[0]);
    printf("%-24s %5zu B ", title, payload);
    for (size_t i = 0; i < n; i++)
        printf("  %s %6.0f ns (%.2fx)", list[i].name, median(&list[i]), median(&list[i]) / bare);
    printf("\n");
    return true;
}

static bool bench(pl_srtp_profile profile)
{
    bool gcm = profile != PL_SRTP_AES128_CM_SHA1_80, ok = true;
    contender list[] = {
        { "bare EVP", gcm ? gcm_setup : cm_setup, gcm ? gcm_packet : cm_packet, evp_clear, profile },
        { "peerline", ours_setup, ours_packet, ours_clear, profile },
#ifdef PL_BENCH_SRTP2
        { "libsrtp2", their_setup, their_packet, their_clear, profile },
#endif
    };
    size_t n = sizeof list / sizeof list[0];
    for (size_t i = 0; i < n; i++)
        ok = ok && list[i].setup(&list[i]);
    ok = ok && race(pl_srtp_profile_str(profile), list, n, 160);
    ok = ok && race(pl_srtp_profile_str(profile), list, n, 1200);
    for (size_t i = 0; i < n; i++)
        list[i].clear(&list[i]);
    return ok;
}

int main(void)
{
#ifdef PL_BENCH_SRTP2
    srtp_init();
#endif
    printf("SRTP protect + unprotect, CPU ns per packet, median of %d interleaved rounds\n", ROUNDS);
    bool ok = bench(PL_SRTP_AEAD_AES_128_GCM) && bench(PL_SRTP_AEAD_AES_256_GCM) &&
              bench(PL_SRTP_AES128_CM_SHA1_80);
    return ok ? 0 : 1;
}
