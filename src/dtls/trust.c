#include "dtls/trust.h"

#include <stdlib.h>
#include <string.h>

void pl_dtls_trust_clear(pl_dtls_trust *t)
{
    free(t->der);
    *t = (pl_dtls_trust){ 0 };
}

/* RFC 8122 5: hashes weaker than SHA-256 must not be accepted; a description may carry others beside. */
static bool is_strong(const pl_fingerprint *f)
{
    return (f->alg == PL_HASH_SHA256 || f->alg == PL_HASH_SHA384 || f->alg == PL_HASH_SHA512) &&
           f->len == pl_hash_alg_len(f->alg);
}

pl_err pl_dtls_trust_want(pl_dtls_trust *t, const pl_fingerprint *list, size_t n)
{
    size_t n_strong = 0;
    for (size_t i = 0; i < n; i++)
        n_strong += is_strong(&list[i]);
    if (n_strong == 0)
        return PL_ENOTSUP;
    if (n_strong > PL_DTLS_FINGERPRINT_MAX)
        return PL_ENOSPC;
    t->n_want = 0;
    for (size_t i = 0; i < n; i++)
        if (is_strong(&list[i]))
            t->want[t->n_want++] = list[i];
    return PL_OK;
}

pl_err pl_dtls_trust_shown(pl_dtls_trust *t, const uint8_t *der, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);
    if (!copy)
        return PL_ENOMEM;
    memcpy(copy, der, len);
    free(t->der);
    t->der = copy;
    t->der_len = len;
    return PL_OK;
}

pl_dtls_verdict pl_dtls_trust_ask(const pl_dtls_trust *t)
{
    if (!t->der || t->n_want == 0)
        return PL_DTLS_UNKNOWN;
    for (size_t i = 0; i < t->n_want; i++) {
        pl_fingerprint shown;
        if (pl_fingerprint_of(&shown, t->want[i].alg, t->der, t->der_len) == PL_OK &&
            pl_fingerprint_eq(&shown, &t->want[i]))
            return PL_DTLS_TRUSTED;
    }
    return PL_DTLS_STRANGER;
}
