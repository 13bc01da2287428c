/* fingerprint.h - the hash of a certificate as SDP carries it (a=fingerprint, RFC 8122 5).
 * Shape    plain data, zero state legal ("none"); nothing to free. Any thread. */
#ifndef PL_CRYPTO_FINGERPRINT_H
#define PL_CRYPTO_FINGERPRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "peerline/error.h"

typedef enum pl_hash_alg {
    PL_HASH_NONE = 0,
    PL_HASH_SHA1 = 1, /* understood so that it can be refused by name: too weak since RFC 8122 */
    PL_HASH_SHA256 = 4,
    PL_HASH_SHA384 = 5,
    PL_HASH_SHA512 = 6,
} pl_hash_alg;

enum {
    PL_FINGERPRINT_MAX = 64,                                  /* bytes of SHA-512 */
    PL_FINGERPRINT_TEXT_MAX = 8 + 3 * PL_FINGERPRINT_MAX + 1, /* "sha-512 AB:CD..." and a zero */
};

typedef struct pl_fingerprint {
    uint8_t alg; /* pl_hash_alg */
    uint8_t len;
    uint8_t bytes[PL_FINGERPRINT_MAX];
} pl_fingerprint;

bool pl_fingerprint_eq(const pl_fingerprint *a, const pl_fingerprint *b);
/* The name as registered by IANA ("sha-256"), or NULL. */
const char *pl_hash_alg_str(pl_hash_alg alg);
/* The algorithm of a name, upper or lower case; PL_HASH_NONE when unknown. */
pl_hash_alg pl_hash_alg_of(const char *name, size_t len);
/* Bytes a hash of this algorithm has, 0 when unknown. */
size_t pl_hash_alg_len(pl_hash_alg alg);
/* "AB:CD:..." (either case) into bytes. Errors: PL_ENOTSUP unknown algorithm, PL_EPROTO malformed text or a
 * length that is not the algorithm's; *out is zero then. */
PL_NODISCARD pl_err pl_fingerprint_parse(pl_fingerprint *out, const char *alg, size_t alg_len,
                                         const char *hex, size_t hex_len);
/* "AB:CD:..." in upper case with a final zero; returns out. */
const char *pl_fingerprint_hex(const pl_fingerprint *f, char out[PL_FINGERPRINT_TEXT_MAX]);
/* "sha-256 AB:CD:..."; returns out. */
const char *pl_fingerprint_str(const pl_fingerprint *f, char out[PL_FINGERPRINT_TEXT_MAX]);

#endif
