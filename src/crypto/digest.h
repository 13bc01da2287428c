/* digest.h - MD5, SHA-1 and SHA-256 of one piece of memory, and SHA-256 of many.
 * Source   RFC 1321, FIPS 180-4. MD5 and SHA-1 only where a protocol names them (STUN, RFC 3711).
 * Shape    one call, no state, no allocation; a running SHA-256 is a plain value, so a copy of it is a point to
 *          come back to, and nothing is to be freed. Any thread, one at a time for a running one.
 * Errors   none. */
#ifndef PL_CRYPTO_DIGEST_H
#define PL_CRYPTO_DIGEST_H

#include <stddef.h>
#include <stdint.h>

enum { PL_MD5_LEN = 16, PL_SHA1_LEN = 20, PL_SHA256_LEN = 32 };

void pl_md5(const void *data, size_t len, uint8_t out[PL_MD5_LEN]);
void pl_sha1(const void *data, size_t len, uint8_t out[PL_SHA1_LEN]);
void pl_sha256(const void *data, size_t len, uint8_t out[PL_SHA256_LEN]);

typedef struct pl_sha256_run {
    uint32_t state[28]; /* OpenSSL's; not wiped: for files, not for secrets */
} pl_sha256_run;
void pl_sha256_begin(pl_sha256_run *r);
void pl_sha256_more(pl_sha256_run *r, const void *data, size_t len);
/* The hash of all so far; more may follow. */
void pl_sha256_so_far(const pl_sha256_run *r, uint8_t out[PL_SHA256_LEN]);

#endif
