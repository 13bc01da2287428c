#include "crypto/aead.h"

#include <pthread.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>

/* Looking a cipher up by name takes OpenSSL 3 longer than a packet, so it is done once for all contexts. */
static EVP_CIPHER *gcm128, *gcm256, *chacha, *ctr128, *ctr256;
static pthread_once_t fetched = PTHREAD_ONCE_INIT;

static void fetch(void)
{
    gcm128 = EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL);
    gcm256 = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    chacha = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
    ctr128 = EVP_CIPHER_fetch(NULL, "AES-128-CTR", NULL);
    ctr256 = EVP_CIPHER_fetch(NULL, "AES-256-CTR", NULL);
}

size_t pl_aead_key_len(pl_aead_alg alg)
{
    return alg == PL_AEAD_AES_128_GCM ? 16 : 32;
}

static const EVP_CIPHER *cipher_of(pl_aead_alg alg)
{
    switch (alg) {
    case PL_AEAD_AES_128_GCM: return gcm128;
    case PL_AEAD_AES_256_GCM: return gcm256;
    case PL_AEAD_CHACHA20_POLY1305: return chacha;
    }
    return NULL;
}

static pl_err keyed(EVP_CIPHER_CTX **out, const EVP_CIPHER *cipher, const uint8_t *key, int encrypt)
{
    if (!cipher)
        return PL_ENOTSUP;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (!ctx || EVP_CipherInit_ex2(ctx, cipher, key, NULL, encrypt, NULL) != 1) {
        EVP_CIPHER_CTX_free(ctx);
        ERR_clear_error();
        return PL_ENOMEM;
    }
    *out = ctx;
    return PL_OK;
}

pl_err pl_aead_new(pl_aead **out, pl_aead_alg alg, pl_aead_dir dir, const uint8_t *key)
{
    pthread_once(&fetched, fetch);
    return keyed(out, cipher_of(alg), key, dir == PL_AEAD_SEAL);
}

void pl_aead_free(pl_aead *a)
{
    EVP_CIPHER_CTX_free(a);
}

bool pl_aead_seal(pl_aead *a, const uint8_t nonce[PL_AEAD_NONCE_LEN], const uint8_t *aad, size_t aad_len,
                  const uint8_t *in, size_t len, uint8_t *out, uint8_t tag[PL_AEAD_TAG_LEN])
{
    int n;
    if (EVP_EncryptInit_ex2(a, NULL, NULL, nonce, NULL) != 1 ||
        EVP_EncryptUpdate(a, NULL, &n, aad, (int)aad_len) != 1 ||
        (len > 0 && EVP_EncryptUpdate(a, out, &n, in, (int)len) != 1) || EVP_EncryptFinal_ex(a, tag, &n) != 1)
        return false;
    OSSL_PARAM want[] = { OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, tag, PL_AEAD_TAG_LEN),
                          OSSL_PARAM_END };
    return EVP_CIPHER_CTX_get_params(a, want) == 1;
}

bool pl_aead_open(pl_aead *a, const uint8_t nonce[PL_AEAD_NONCE_LEN], const uint8_t *aad, size_t aad_len,
                  const uint8_t *in, size_t len, uint8_t *out, const uint8_t tag[PL_AEAD_TAG_LEN])
{
    int n;
    uint8_t none[PL_AEAD_TAG_LEN];
    OSSL_PARAM expect[] = { OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, (void *)(uintptr_t)tag,
                                                    PL_AEAD_TAG_LEN),
                            OSSL_PARAM_END };
    return EVP_DecryptInit_ex2(a, NULL, NULL, nonce, expect) == 1 &&
           EVP_DecryptUpdate(a, NULL, &n, aad, (int)aad_len) == 1 &&
           (len == 0 || EVP_DecryptUpdate(a, out, &n, in, (int)len) == 1) &&
           EVP_DecryptFinal_ex(a, none, &n) == 1;
}

pl_err pl_aes_ctr_new(pl_aes_ctr **out, const uint8_t *key, size_t key_len)
{
    pthread_once(&fetched, fetch);
    return keyed(out, key_len == 16 ? ctr128 : key_len == 32 ? ctr256 : NULL, key, 1);
}

void pl_aes_ctr_free(pl_aes_ctr *c)
{
    EVP_CIPHER_CTX_free(c);
}

bool pl_aes_ctr_xor(pl_aes_ctr *c, const uint8_t iv[PL_AES_CTR_IV_LEN], uint8_t *data, size_t len)
{
    int n;
    return EVP_EncryptInit_ex2(c, NULL, NULL, iv, NULL) == 1 &&
           EVP_EncryptUpdate(c, data, &n, data, (int)len) == 1;
}
