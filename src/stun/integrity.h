/* integrity.h - who wrote a STUN message: HMAC over it, keys for that, and the CRC that tells it from others.
 * Source   RFC 8489 14.5 (MESSAGE-INTEGRITY), 14.6 (-SHA256), 14.7 (FINGERPRINT), 9.2.2 (long-term keys),
 *          14.4 (USERHASH).
 * Shape    functions over pl_stun_msg and pl_stun_wr; no state. Comparison takes constant time.
 * Errors   PL_ENOTSUP absent, PL_EPROTO wrong. */
#ifndef PL_STUN_INTEGRITY_H
#define PL_STUN_INTEGRITY_H

#include "base/slice.h"
#include "stun/message.h"

enum {
    PL_STUN_SHA1_LEN = 20,
    PL_STUN_SHA256_LEN = 32,
    PL_STUN_SHA256_MIN = 16, /* shortest truncation of MESSAGE-INTEGRITY-SHA256 */
    PL_STUN_KEY_MAX = 32     /* longest long-term key */
};

/* Short-term credentials: the key is the password itself (as OpaqueString, which for ICE is plain ASCII). */
PL_NODISCARD pl_err pl_stun_check_integrity(const pl_stun_msg *m, const void *key, size_t len);
PL_NODISCARD pl_err pl_stun_check_integrity256(const pl_stun_msg *m, const void *key, size_t len);
PL_NODISCARD pl_err pl_stun_check_fingerprint(const pl_stun_msg *m);

/* Written after all other attributes, in the order of these three. tag_len: 16..32, a multiple of 4. */
void pl_stun_put_integrity(pl_stun_wr *s, const void *key, size_t len);
void pl_stun_put_integrity256(pl_stun_wr *s, const void *key, size_t len, size_t tag_len);
void pl_stun_put_fingerprint(pl_stun_wr *s);

/* Long-term credentials (RFC 8489 9.2.2, 18.5.1). username, realm and password are prepared already (PRECIS).
 * algorithm: PL_STUN_ALG_MD5 or PL_STUN_ALG_SHA256. Returns the key's length, 16 or 32, or 0 (unknown
 * algorithm, or texts beyond their limits). */
size_t pl_stun_long_term_key(uint16_t algorithm, pl_str username, pl_str realm, pl_str password,
                             uint8_t key[PL_STUN_KEY_MAX]);
/* SHA-256 of "username:realm". False when the texts exceed their limits. */
bool pl_stun_userhash(pl_str username, pl_str realm, uint8_t out[PL_STUN_USERHASH_LEN]);

#endif
