/* auth.h - who may ask: the credentials a STUN or TURN server knows, and the check of one request.
 * Source   RFC 8489 9.1 (short-term), 9.2 (long-term), 14.4 (USERHASH), 18.1 (security features in the
 *          nonce); the "REST API for access to TURN services" for shared secrets; RFC 7635
 *          (third-party authorization) for access tokens.
 * Shape    new, add..., then only read: a reload builds another object, and whoever checks changes over when
 *          it likes. Names, realm and passwords are prepared by the caller (OpaqueString). A check allocates
 *          nothing; the keys of static users are computed once, when they are added.
 * Units    wall_us: microseconds since 1970 UTC (nonces and shared-secret names carry their end in it).
 * Errors   PL_ENOSPC beyond the maxima below, PL_EINVAL for empty or overlong texts and names that are
 *          there already, PL_ENOMEM; the object is as before.
 * Thread   building belongs to one thread; check, challenge and sign take a const object and may run on
 *          any number of threads at once. */
#ifndef PL_STUN_AUTH_H
#define PL_STUN_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/rand.h"
#include "base/slice.h"
#include "stun/integrity.h"
#include "stun/message.h"

enum {
    PL_STUN_AUTH_USERS_MAX = 1000000,
    PL_STUN_AUTH_SECRETS_MAX = 8, /* more than one while they are being rotated */
    PL_STUN_AUTH_SECRET_MAX = 1024,
    PL_STUN_AUTH_TOKEN_KEYS_MAX = 16,
    PL_STUN_NONCE_LEN = 29, /* characters of ours */
    PL_STUN_NONCE_KEY_LEN = 16,
    /* most bytes of REALM, NONCE, PASSWORD-ALGORITHMS and THIRD-PARTY-AUTHORIZATION */
    PL_STUN_CHALLENGE_MAX = 4 + 764 + 4 + 32 + 4 + 8 + 4 + 764
};

/* Bits of the nonce's security features, as a number of 24 bits whose first one on the wire is bit 23 (RFC 8489
 * 18.1; the sample of its appendix B counts from the other end). */
enum { PL_STUN_FEATURE_ALGORITHMS = 1 << 23, PL_STUN_FEATURE_USERHASH = 1 << 22 };
#define PL_STUN_NONCE_COOKIE "obMatJos2"

typedef struct pl_stun_auth_conf {
    pl_str realm;          /* copied */
    int64_t nonce_life_us; /* 0: one hour */
    /* Servers that share it accept each other's nonces; NULL: random, so a client that changes servers is
     * told 438 once. Give the old object's again at a reload (pl_stun_auth_nonce_key). */
    const uint8_t *nonce_key;
    const pl_rand *rand; /* NULL: the machine's */
    pl_str server_name;  /* for which clients have their tokens made (RFC 7635); copied. Empty: the realm */
    bool md5_only;       /* offer no PASSWORD-ALGORITHMS, as before RFC 8489 */
    bool no_userhash;    /* never offer USERHASH. Nor is it ever offered once there is a shared secret or a
                            token key: such names cannot be found by their hash */
} pl_stun_auth_conf;

typedef struct pl_stun_auth pl_stun_auth;

PL_NODISCARD pl_err pl_stun_auth_new(pl_stun_auth **out, const pl_stun_auth_conf *conf);
void pl_stun_auth_free(pl_stun_auth *a); /* wipes. NULL is fine */
PL_NODISCARD pl_err pl_stun_auth_add_password(pl_stun_auth *a, pl_str name, pl_str password);
/* Hashed credentials of a user file: MD5 and SHA-256 of "name:realm:password"; either may be NULL (then the
 * algorithm is offered to nobody). */
PL_NODISCARD pl_err pl_stun_auth_add_keys(pl_stun_auth *a, pl_str name, const uint8_t md5[16],
                                          const uint8_t sha256[32]);
/* Shared secret: the name is "end[:id]" in seconds since 1970, the password base64(HMAC-SHA1(secret, name)). */
PL_NODISCARD pl_err pl_stun_auth_add_secret(pl_stun_auth *a, pl_str secret);

/* Access tokens: the name is `kid`, and the token was sealed (stun/token.h) with this key of 16 or 32 bytes. Whose
 * it is it does not say: everybody with a token is one user. Opening a token allocates; a client that is known from before is spared
 * that, and may leave it out.
 * Errors: PL_EINVAL also for another length. */
PL_NODISCARD pl_err pl_stun_auth_add_token_key(pl_stun_auth *a, pl_str kid, const uint8_t *key, size_t len);

size_t pl_stun_auth_n_users(const pl_stun_auth *a);
pl_str pl_stun_auth_realm(const pl_stun_auth *a);             /* lent by a */
const uint8_t *pl_stun_auth_nonce_key(const pl_stun_auth *a); /* PL_STUN_NONCE_KEY_LEN bytes */

/* What a check has found out and a later one of the same client may start from, so that nothing is derived
 * again: kept in an allocation, for example. Plain data, zero state legal (knows nothing); wipe it at the
 * end. */
typedef struct pl_stun_auth_known {
    uint64_t user;  /* keyed hash of the whole name: equal means the same user, as long as nonce_key stays */
    uint32_t build; /* of the pl_stun_auth it is from; with another one it is checked anew */
    uint8_t algorithm; /* PL_STUN_ALG_MD5 or _SHA256: how key came about; 0: out of a token */
    uint8_t key_len;
    uint8_t key[PL_STUN_KEY_MAX];
    int64_t end_wall_us; /* of a shared-secret name or a token; PL_NEVER for others */
} pl_stun_auth_known;

typedef struct pl_stun_auth_result {
    uint16_t code; /* 0: it is who it says; 400, 401 or 438 */
    bool sign;     /* `known` and `sha256` are good for signing the answer */
    bool sha256;   /* the answer gets MESSAGE-INTEGRITY-SHA256, else MESSAGE-INTEGRITY */
    pl_str name;   /* for quotas and logs: the user's name, or the id of a shared-secret name (the whole name
                       if it has none). Lent by the object or the message */
    pl_stun_auth_known known;
} pl_stun_auth_result;

/* One request or authenticated indication. `known` may be NULL or what a former check of this client gave.
 * Returns out->code. A malformed request (400) gets no challenge; 401 and 438 get one. */
uint16_t pl_stun_auth_check(const pl_stun_auth *a, int64_t wall_us, const pl_stun_msg *m,
                            const pl_addr *client, const pl_stun_auth_known *known, pl_stun_auth_result *out);
/* REALM, a fresh NONCE for that client's IP, and PASSWORD-ALGORITHMS: behind the ERROR-CODE of 401 and 438. */
void pl_stun_auth_challenge(const pl_stun_auth *a, int64_t wall_us, const pl_addr *client, pl_stun_wr *s);
/* The integrity attribute the client used; nothing when !result->sign. Before FINGERPRINT. */
void pl_stun_auth_sign(const pl_stun_auth_result *result, pl_stun_wr *s);

/* Short-term credentials at a server (RFC 8489 9.1.3): one name and password, known from elsewhere. `name` is
 * compared as a whole. Returns 0, 400 or 401; with 0 the answer is signed with the password and *sha256. */
uint16_t pl_stun_auth_check_short(const pl_stun_msg *m, pl_str name, pl_str password, bool *sha256);
void pl_stun_auth_sign_short(pl_stun_wr *s, pl_str password, bool sha256);

#endif
