/* aead.h - ciphers keyed once and used for one packet after the other.
 * Source   NIST SP 800-38A (CTR) and 800-38D (GCM), RFC 8439 (ChaCha20-Poly1305), all by OpenSSL's EVP.
 * Shape    a pl_aead or pl_aes_ctr is one of OpenSSL's contexts: new keys it, each packet gives only its
 *          nonce, free wipes it. One direction each. In place (in == out) or apart, never overlapping.
 * Thread   its owner's; not two at once.
 * Errors   seal and the key stream fail only if OpenSSL does, which costs the packet; open fails when the tag
 *          is wrong, and what it wrote must then not be used. */
#ifndef PL_CRYPTO_AEAD_H
#define PL_CRYPTO_AEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "peerline/error.h"

typedef struct evp_cipher_ctx_st pl_aead;
typedef struct evp_cipher_ctx_st pl_aes_ctr;

typedef enum pl_aead_alg {
    PL_AEAD_AES_128_GCM,
    PL_AEAD_AES_256_GCM,
    PL_AEAD_CHACHA20_POLY1305,
} pl_aead_alg;
typedef enum pl_aead_dir { PL_AEAD_OPEN = 0, PL_AEAD_SEAL = 1 } pl_aead_dir;

enum { PL_AEAD_NONCE_LEN = 12, PL_AEAD_TAG_LEN = 16, PL_AEAD_KEY_MAX = 32, PL_AES_CTR_IV_LEN = 16 };

size_t pl_aead_key_len(pl_aead_alg alg);
PL_NODISCARD pl_err pl_aead_new(pl_aead **out, pl_aead_alg alg, pl_aead_dir dir, const uint8_t *key);
void pl_aead_free(pl_aead *a); /* NULL is fine */
/* Both: len bytes from in to out, aad authenticated with them; the tag is written or compared. */
PL_NODISCARD bool pl_aead_seal(pl_aead *a, const uint8_t nonce[PL_AEAD_NONCE_LEN], const uint8_t *aad,
                               size_t aad_len, const uint8_t *in, size_t len, uint8_t *out,
                               uint8_t tag[PL_AEAD_TAG_LEN]);
PL_NODISCARD bool pl_aead_open(pl_aead *a, const uint8_t nonce[PL_AEAD_NONCE_LEN], const uint8_t *aad,
                               size_t aad_len, const uint8_t *in, size_t len, uint8_t *out,
                               const uint8_t tag[PL_AEAD_TAG_LEN]);

/* AES in counter mode; key of 16 or 32 bytes. */
PL_NODISCARD pl_err pl_aes_ctr_new(pl_aes_ctr **out, const uint8_t *key, size_t key_len);
void pl_aes_ctr_free(pl_aes_ctr *c); /* NULL is fine */
/* data ^= key stream that starts at the counter block iv. */
PL_NODISCARD bool pl_aes_ctr_xor(pl_aes_ctr *c, const uint8_t iv[PL_AES_CTR_IV_LEN], uint8_t *data,
                                 size_t len);

#endif
