/* SRTP and SRTCP as they come from outside: raw bytes, and protected packets with bytes changed, which must
 * never open to anything but what was protected. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "srtp/context.h"

enum { CAP = 2048, PAYLOAD_MAX = 600 };

static const pl_srtp_profile profiles[] = { PL_SRTP_AEAD_AES_128_GCM, PL_SRTP_AEAD_AES_256_GCM,
                                            PL_SRTP_AES128_CM_SHA1_80, PL_SRTP_AES128_CM_SHA1_80 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef pl_err protect_fn(pl_srtp *s, uint8_t *pkt, size_t len, size_t cap, size_t *out_len);
typedef pl_err unprotect_fn(pl_srtp *s, uint8_t *pkt, size_t len, size_t *out_len);

/* Protects `len` bytes, changes as the input says, and opens. */
static void through(pl_srtp *tx, pl_srtp *rx, protect_fn *protect, unprotect_fn *unprotect, pl_rd *in,
                    const uint8_t *clear, size_t len)
{
    uint8_t pkt[CAP], sent[CAP];
    size_t n, m;
    memcpy(pkt, clear, len);
    if (protect(tx, pkt, len, CAP, &n) != PL_OK)
        return;
    if (n > len + PL_SRTCP_TAILROOM)
        abort();
    memcpy(sent, pkt, n);
    pkt[pl_rd_u16(in) % n] ^= pl_rd_u8(in);
    bool changed = memcmp(pkt, sent, n) != 0;
    pl_err err = unprotect(rx, pkt, n, &m);
    if (err == PL_OK && (changed || m != len || memcmp(pkt, clear, len) != 0))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pl_rd in = pl_rd_init(data, size);
    pl_srtp_master master = { .key = { 1, 2, 3 }, .salt = { 4, 5, 6 } };
    pl_rand_seeded seeded;
    pl_rand rand = pl_rand_seed(&seeded, 1);
    pl_srtp *tx = NULL, *rx = NULL;
    pl_srtp_profile profile = profiles[pl_rd_u8(&in) % 4];
    if (pl_srtp_new(&tx, profile, &master, PL_SRTP_SEND, &rand) != PL_OK ||
        pl_srtp_new(&rx, profile, &master, PL_SRTP_RECV, &rand) != PL_OK)
        abort();
    while (pl_rd_left(&in) > 0) {
        uint8_t pkt[CAP], what = pl_rd_u8(&in);
        size_t want = pl_rd_u16(&in) % PAYLOAD_MAX, n;
        size_t len = want < pl_rd_left(&in) ? want : pl_rd_left(&in);
        memcpy(pkt, pl_rd_take(&in, len), len);
        if (what & 4 && len > 0)
            pkt[0] = (uint8_t)(0x80 | (pkt[0] & 0x3f)); /* version 2, so that it gets further in */
        switch (what & 3) {
        case 0: (void)!pl_srtp_unprotect(rx, pkt, len, &n); break;
        case 1: (void)!pl_srtp_unprotect_rtcp(rx, pkt, len, &n); break;
        case 2: through(tx, rx, pl_srtp_protect, pl_srtp_unprotect, &in, pkt, len); break;
        case 3: through(tx, rx, pl_srtp_protect_rtcp, pl_srtp_unprotect_rtcp, &in, pkt, len); break;
        }
    }
    pl_srtp_free(tx);
    pl_srtp_free(rx);
    return 0;
}
