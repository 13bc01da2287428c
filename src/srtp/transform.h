/* transform.h - the cipher of SRTP or SRTCP in one direction: what is done to a packet once its stream and
 * index are known.
 * Source   RFC 3711 4.1.1 (AES-CM), 4.2 (HMAC-SHA1), 4.3 (key derivation); RFC 7714 8 to 11 (AES-GCM).
 * Shape    init/clear inside a context; zero state legal. Nothing is allocated per packet.
 * Errors   PL_EPROTO not authentic; PL_EIO OpenSSL refused. */
#ifndef PL_SRTP_TRANSFORM_H
#define PL_SRTP_TRANSFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/aead.h"
#include "crypto/hmac.h"
#include "crypto/srtp_profile.h"

enum { PL_SRTP_RTP = 0, PL_SRTP_RTCP = 3 }; /* the first of three key derivation labels each */

typedef struct pl_srtp_transform {
    pl_aead *aead; /* AES-GCM, or NULL: then the two below */
    pl_aes_ctr *ctr;
    pl_hmac_sha1_key auth;
    uint8_t salt[16]; /* session salt, filled up with zeros */
    uint8_t tag_len;
} pl_srtp_transform;

/* seal: this side sends. first_label: PL_SRTP_RTP or PL_SRTP_RTCP. */
PL_NODISCARD pl_err pl_srtp_transform_init(pl_srtp_transform *t, pl_srtp_profile profile,
                                           const pl_srtp_master *master, bool seal, uint8_t first_label);
void pl_srtp_transform_clear(pl_srtp_transform *t);

/* len bytes of packet, of which the first head_len stay in clear; the tag is written behind them (room of
 * tag_len) or found there. index: ROC and sequence number. */
PL_NODISCARD pl_err pl_srtp_seal_rtp(pl_srtp_transform *t, uint32_t ssrc, uint64_t index, uint8_t *pkt,
                                     size_t head_len, size_t len);
PL_NODISCARD pl_err pl_srtp_open_rtp(pl_srtp_transform *t, uint32_t ssrc, uint64_t index, uint8_t *pkt,
                                     size_t head_len, size_t len);
/* The same for RTCP; the four bytes of E flag and index are written, or stand, behind (AES-CM: before) the
 * tag. word: E flag and index. */
PL_NODISCARD pl_err pl_srtp_seal_rtcp(pl_srtp_transform *t, uint32_t ssrc, uint32_t word, uint8_t *pkt,
                                      size_t len);
PL_NODISCARD pl_err pl_srtp_open_rtcp(pl_srtp_transform *t, uint32_t ssrc, uint32_t word, uint8_t *pkt,
                                      size_t len);

/* RFC 3711 4.3.3: n bytes of key for this label, with the PRF AES-CM. key_len 16 or 32. */
PL_NODISCARD pl_err pl_srtp_derive(const pl_srtp_master *master, size_t key_len, size_t salt_len,
                                   uint8_t label, uint8_t *out, size_t n);

#endif
