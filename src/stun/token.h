/* token.h - self-contained access tokens of third-party authorization: what an authorization server seals for a
 * client, and a STUN or TURN server opens with the key that both servers share.
 * Source   RFC 7635 6.2 (ACCESS-TOKEN), with AES-GCM.
 * Shape    functions over plain data; each call keys a cipher of its own, so any thread may call.
 * Units    wall_us: microseconds since 1970 UTC.
 * Errors   PL_EPROTO: not sealed with that key for that server, malformed, or out of its time. PL_EINVAL: a key or
 *          lifetime out of range. PL_ENOMEM. */
#ifndef PL_STUN_TOKEN_H
#define PL_STUN_TOKEN_H

#include <stdint.h>

#include "base/slice.h"
#include "peerline/error.h"

enum {
    PL_STUN_MAC_KEY_MIN = 20, /* for MESSAGE-INTEGRITY; -SHA256 wants 32 */
    PL_STUN_MAC_KEY_MAX = 32,
    PL_STUN_TOKEN_NONCE_LEN = 12,
    PL_STUN_TOKEN_MAX = 2 + PL_STUN_TOKEN_NONCE_LEN + 2 + PL_STUN_MAC_KEY_MAX + 8 + 4 + 16,
    PL_STUN_TOKEN_SKEW_S = 5 /* by which the two servers' clocks may differ */
};

typedef struct pl_stun_token {
    uint8_t mac_key[PL_STUN_MAC_KEY_MAX]; /* signs the client's messages */
    uint8_t mac_key_len;
    int64_t made_wall_us;
    uint32_t lifetime_s;
} pl_stun_token;

/* key: 16 or 32 bytes. server: the name told in THIRD-PARTY-AUTHORIZATION; a token is good for that server alone.
 * nonce: never twice with one key. */
PL_NODISCARD pl_err pl_stun_token_seal(const pl_stun_token *t, const uint8_t *key, size_t key_len,
                                       pl_str server, const uint8_t nonce[PL_STUN_TOKEN_NONCE_LEN],
                                       uint8_t out[PL_STUN_TOKEN_MAX], size_t *out_len);
PL_NODISCARD pl_err pl_stun_token_open(pl_stun_token *out, const uint8_t *key, size_t key_len, pl_str server,
                                       const uint8_t *token, size_t len, int64_t wall_us);
/* When it ends. */
int64_t pl_stun_token_end_us(const pl_stun_token *t);

#endif
