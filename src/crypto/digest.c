/* The hash functions are called directly, not through EVP: OpenSSL 3 looks an algorithm up and allocates a
 * context for every EVP digest, which for a STUN message costs more than hashing it. They are marked
 * deprecated but part of every OpenSSL 3; this file and hmac.c are the only ones that use them. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/digest.h"

#include <string.h>

#include <openssl/md5.h>
#include <openssl/sha.h>

void pl_md5(const void *data, size_t len, uint8_t out[PL_MD5_LEN])
{
    MD5_CTX c;
    MD5_Init(&c);
    MD5_Update(&c, data, len);
    MD5_Final(out, &c);
}

void pl_sha1(const void *data, size_t len, uint8_t out[PL_SHA1_LEN])
{
    SHA_CTX c;
    SHA1_Init(&c);
    SHA1_Update(&c, data, len);
    SHA1_Final(out, &c);
}

void pl_sha256(const void *data, size_t len, uint8_t out[PL_SHA256_LEN])
{
    SHA256_CTX c;
    SHA256_Init(&c);
    SHA256_Update(&c, data, len);
    SHA256_Final(out, &c);
}

_Static_assert(sizeof(pl_sha256_run) == sizeof(SHA256_CTX), "a running SHA-256 is OpenSSL's, word by word");

void pl_sha256_begin(pl_sha256_run *r)
{
    SHA256_CTX c;
    memset(&c, 0, sizeof c);
    SHA256_Init(&c);
    memcpy(r, &c, sizeof c);
}

void pl_sha256_more(pl_sha256_run *r, const void *data, size_t len)
{
    SHA256_CTX c;
    memcpy(&c, r, sizeof c);
    SHA256_Update(&c, data, len);
    memcpy(r, &c, sizeof c);
}

void pl_sha256_so_far(const pl_sha256_run *r, uint8_t out[PL_SHA256_LEN])
{
    SHA256_CTX c;
    memcpy(&c, r, sizeof c);
    SHA256_Final(out, &c);
}
