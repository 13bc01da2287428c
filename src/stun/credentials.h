/* credentials.h - the long-term credentials of a client: what it learns from a challenge, how it signs
 * requests, and whether an answer is genuine.
 * Source   RFC 8489 9.2.3 (requests), 9.2.5 (answers), 9.2 (nonce cookie and bid-down protection).
 * Shape    plain struct, zero state legal (no credentials), nothing to free; wipe with pl_stun_cred_clear.
 *          Every request has a pl_stun_cred_try of its own, zeroed before its first transmission and kept
 *          over its repetitions.
 * Errors   PL_EINVAL for empty or overlong texts; peers' errors are verdicts. */
#ifndef PL_STUN_CREDENTIALS_H
#define PL_STUN_CREDENTIALS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "stun/integrity.h"
#include "stun/message.h"

enum {
    PL_STUN_CRED_TRIES_MAX = 4, /* answers 401 and 438 to one request, then it has failed */
    PL_STUN_CRED_PUT_MAX = 4 + 508 + 2 * (4 + 764) + 4 + 64 + 8 + 36 /* most bytes that put() writes */
};

typedef struct pl_stun_cred {
    char username[PL_STUN_USERNAME_MAX + 1], password[PL_STUN_TEXT_MAX + 1];
    char realm[PL_STUN_TEXT_MAX + 1], nonce[PL_STUN_TEXT_MAX + 1]; /* "" before the first challenge */
    uint8_t algorithms[64]; /* the server's PASSWORD-ALGORITHMS as it came, to be repeated */
    uint8_t algorithms_len; /* 0: it offered none */
    uint8_t key[PL_STUN_KEY_MAX];
    uint8_t key_len;
    uint16_t algorithm; /* chosen: PL_STUN_ALG_MD5 or _SHA256 */
    bool anonymous;     /* the server understands USERHASH */
    uint8_t userhash[PL_STUN_USERHASH_LEN];
    uint32_t n_challenges; /* counts changes of the nonce */
} pl_stun_cred;

typedef struct pl_stun_cred_try {
    uint8_t n;      /* challenges this request has met */
    bool authed;    /* its last transmission carried credentials... */
    uint32_t nonce; /* ...under this challenge */
} pl_stun_cred_try;

typedef enum pl_stun_cred_verdict {
    PL_STUN_CRED_OTHER,   /* not about credentials: the caller's business */
    PL_STUN_CRED_RETRY,   /* send the request again, with a new transaction id, through put() */
    PL_STUN_CRED_REFUSED, /* the server does not take these credentials (or we have none) */
    PL_STUN_CRED_BROKEN   /* the challenge breaks the RFC, or somebody tries to bid us down */
} pl_stun_cred_verdict;

PL_NODISCARD pl_err pl_stun_cred_set(pl_stun_cred *c, pl_str username, pl_str password);
void pl_stun_cred_clear(pl_stun_cred *c); /* wipes */
/* Another server: forgets realm, nonce and key, keeps name and password. */
void pl_stun_cred_forget(pl_stun_cred *c);
bool pl_stun_cred_is_set(const pl_stun_cred *c);   /* there is a username */
bool pl_stun_cred_is_ready(const pl_stun_cred *c); /* a challenge has been taken: put() signs */

/* Feeds an error answer to the request that `t` belongs to. */
pl_stun_cred_verdict pl_stun_cred_on_error(pl_stun_cred *c, const pl_stun_msg *m, pl_stun_cred_try *t);
/* The last attributes of a request (FINGERPRINT may follow): USERNAME or USERHASH, REALM, NONCE,
 * PASSWORD-ALGORITHM(S), and the integrity. Nothing before the first challenge. */
void pl_stun_cred_put(const pl_stun_cred *c, pl_stun_wr *s, pl_stun_cred_try *t);
/* Whether an answer to a request that was signed is the server's. Also of indications and of errors other than
 * those that cannot be signed (400, 401, 438 and 300 without integrity are the caller's risk).
 * Errors: PL_ENOTSUP no integrity in it, PL_EPROTO a wrong one (drop the answer and wait on). */
PL_NODISCARD pl_err pl_stun_cred_check(const pl_stun_cred *c, const pl_stun_msg *m);

#endif
