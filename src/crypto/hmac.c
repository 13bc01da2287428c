/* HMAC is H(key ^ opad, H(key ^ ipad, message)). The first block of each hash depends on the key alone, so a
 * prepared key is the two chaining values behind it. See digest.c for why EVP is not used here. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/hmac.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/sha.h>

enum { BLOCK = 64, BLOCK_BITS = 8 * BLOCK, IPAD = 0x36, OPAD = 0x5c };

/* The key filled up to one block; longer keys are hashed first. */
static void fill_pad(uint8_t pad[BLOCK], const void *key, size_t len)
{
    memset(pad, 0, BLOCK);
    if (len)
        memcpy(pad, key, len);
}

static void xor_pad(uint8_t pad[BLOCK], uint8_t with)
{
    for (int i = 0; i < BLOCK; i++)
        pad[i] ^= with;
}

static void sha1_state_of(uint32_t state[5], const uint8_t block[BLOCK])
{
    SHA_CTX c;
    SHA1_Init(&c);
    SHA1_Update(&c, block, BLOCK);
    const uint32_t h[5] = { c.h0, c.h1, c.h2, c.h3, c.h4 };
    memcpy(state, h, sizeof h);
    OPENSSL_cleanse(&c, sizeof c);
}

static void sha1_resume(SHA_CTX *c, const uint32_t h[5])
{
    c->h0 = h[0];
    c->h1 = h[1];
    c->h2 = h[2];
    c->h3 = h[3];
    c->h4 = h[4];
    c->Nl = BLOCK_BITS;
    c->Nh = 0;
    c->num = 0;
}

void pl_hmac_sha1_key_init(pl_hmac_sha1_key *k, const void *key, size_t key_len)
{
    uint8_t hashed[PL_SHA1_LEN], pad[BLOCK];
    if (key_len > BLOCK) {
        pl_sha1(key, key_len, hashed);
        key = hashed;
        key_len = sizeof hashed;
    }
    fill_pad(pad, key, key_len);
    xor_pad(pad, IPAD);
    sha1_state_of(k->inner, pad);
    xor_pad(pad, IPAD ^ OPAD);
    sha1_state_of(k->outer, pad);
    pl_wipe(pad, sizeof pad);
}

void pl_hmac_sha1_with(const pl_hmac_sha1_key *k, const pl_slice *part, size_t n_parts,
                       uint8_t out[PL_SHA1_LEN])
{
    SHA_CTX c;
    sha1_resume(&c, k->inner);
    for (size_t i = 0; i < n_parts; i++)
        SHA1_Update(&c, part[i].p, part[i].n);
    SHA1_Final(out, &c);
    sha1_resume(&c, k->outer);
    SHA1_Update(&c, out, PL_SHA1_LEN);
    SHA1_Final(out, &c);
}

void pl_hmac_sha1(const void *key, size_t key_len, const pl_slice *part, size_t n_parts,
                  uint8_t out[PL_SHA1_LEN])
{
    pl_hmac_sha1_key k;
    pl_hmac_sha1_key_init(&k, key, key_len);
    pl_hmac_sha1_with(&k, part, n_parts, out);
    pl_wipe(&k, sizeof k);
}

static void sha256_state_of(uint32_t state[8], const uint8_t block[BLOCK])
{
    SHA256_CTX c;
    SHA256_Init(&c);
    SHA256_Update(&c, block, BLOCK);
    memcpy(state, c.h, sizeof c.h);
    OPENSSL_cleanse(&c, sizeof c);
}

static void sha256_resume(SHA256_CTX *c, const uint32_t h[8])
{
    memcpy(c->h, h, sizeof c->h);
    c->Nl = BLOCK_BITS;
    c->Nh = 0;
    c->num = 0;
    c->md_len = SHA256_DIGEST_LENGTH;
}

void pl_hmac_sha256_key_init(pl_hmac_sha256_key *k, const void *key, size_t key_len)
{
    uint8_t hashed[PL_SHA256_LEN], pad[BLOCK];
    if (key_len > BLOCK) {
        pl_sha256(key, key_len, hashed);
        key = hashed;
        key_len = sizeof hashed;
    }
    fill_pad(pad, key, key_len);
    xor_pad(pad, IPAD);
    sha256_state_of(k->inner, pad);
    xor_pad(pad, IPAD ^ OPAD);
    sha256_state_of(k->outer, pad);
    pl_wipe(pad, sizeof pad);
}

void pl_hmac_sha256_with(const pl_hmac_sha256_key *k, const pl_slice *part, size_t n_parts,
                         uint8_t out[PL_SHA256_LEN])
{
    SHA256_CTX c;
    sha256_resume(&c, k->inner);
    for (size_t i = 0; i < n_parts; i++)
        SHA256_Update(&c, part[i].p, part[i].n);
    SHA256_Final(out, &c);
    sha256_resume(&c, k->outer);
    SHA256_Update(&c, out, PL_SHA256_LEN);
    SHA256_Final(out, &c);
}

void pl_hmac_sha256(const void *key, size_t key_len, const pl_slice *part, size_t n_parts,
                    uint8_t out[PL_SHA256_LEN])
{
    pl_hmac_sha256_key k;
    pl_hmac_sha256_key_init(&k, key, key_len);
    pl_hmac_sha256_with(&k, part, n_parts, out);
    pl_wipe(&k, sizeof k);
}

bool pl_ct_eq(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}

void pl_wipe(void *p, size_t n)
{
    OPENSSL_cleanse(p, n);
}
