/* digest.h - MD5, SHA-1 and SHA-256 of one piece of memory.
 * Source   RFC 1321, FIPS 180-4. MD5 and SHA-1 only where a protocol names them (STUN, RFC 3711).
 * Shape    one call, no state, no allocation. Any thread.
 * Errors   none. */
#ifndef PL_CRYPTO_DIGEST_H
#define PL_CRYPTO_DIGEST_H

#include <stddef.h>
#include <stdint.h>

enum { PL_MD5_LEN = 16, PL_SHA1_LEN = 20, PL_SHA256_LEN = 32 };

void pl_md5(const void *data, size_t len, uint8_t out[PL_MD5_LEN]);
void pl_sha1(const void *data, size_t len, uint8_t out[PL_SHA1_LEN]);
void pl_sha256(const void *data, size_t len, uint8_t out[PL_SHA256_LEN]);

#endif
