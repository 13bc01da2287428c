/* hmac.h - keyed hashes over a message in several pieces, comparison without a timing leak, wiping.
 * The pieces let a STUN length field be replaced without copying the message around it.
 * Source   RFC 2104, FIPS 198-1.
 * Shape    plain values, no allocation. A pl_hmac_*_key keeps the two hash states behind the padded key,
 *          so a message costs two compressions less; wipe it with pl_wipe when done. Any thread; a prepared
 *          key may be used by several at once.
 * Errors   none. Keys of any length, also 0. */
#ifndef PL_CRYPTO_HMAC_H
#define PL_CRYPTO_HMAC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/digest.h"

typedef struct pl_slice {
    const void *p;
    size_t n;
} pl_slice;

typedef struct pl_hmac_sha1_key {
    uint32_t inner[5], outer[5];
} pl_hmac_sha1_key;
typedef struct pl_hmac_sha256_key {
    uint32_t inner[8], outer[8];
} pl_hmac_sha256_key;

void pl_hmac_sha1_key_init(pl_hmac_sha1_key *k, const void *key, size_t key_len);
void pl_hmac_sha1_with(const pl_hmac_sha1_key *k, const pl_slice *part, size_t n_parts,
                       uint8_t out[PL_SHA1_LEN]);
void pl_hmac_sha256_key_init(pl_hmac_sha256_key *k, const void *key, size_t key_len);
void pl_hmac_sha256_with(const pl_hmac_sha256_key *k, const pl_slice *part, size_t n_parts,
                         uint8_t out[PL_SHA256_LEN]);

/* Key and message at once. */
void pl_hmac_sha1(const void *key, size_t key_len, const pl_slice *part, size_t n_parts,
                  uint8_t out[PL_SHA1_LEN]);
void pl_hmac_sha256(const void *key, size_t key_len, const pl_slice *part, size_t n_parts,
                    uint8_t out[PL_SHA256_LEN]);

/* Whether n bytes are equal; takes the same time wherever they differ. */
bool pl_ct_eq(const void *a, const void *b, size_t n);
/* Zeros that the compiler may not leave out. */
void pl_wipe(void *p, size_t n);

#endif
