/* trust.h - whom a session believes: the fingerprints of the remote description against the certificate that
 * came in the handshake. Either may be known first.
 * Source   RFC 8122 5, RFC 8827 6.5.
 * Shape    init/clear inside a session; zero state legal. */
#ifndef PL_DTLS_TRUST_H
#define PL_DTLS_TRUST_H

#include "dtls/session.h"

typedef struct pl_dtls_trust {
    pl_fingerprint want[PL_DTLS_FINGERPRINT_MAX];
    size_t n_want;
    uint8_t *der; /* the peer's certificate */
    size_t der_len;
} pl_dtls_trust;

typedef enum pl_dtls_verdict { PL_DTLS_UNKNOWN, PL_DTLS_TRUSTED, PL_DTLS_STRANGER } pl_dtls_verdict;

void pl_dtls_trust_clear(pl_dtls_trust *t);
/* Keeps the strong ones. Errors: PL_ENOTSUP when there is none, PL_ENOSPC. */
PL_NODISCARD pl_err pl_dtls_trust_want(pl_dtls_trust *t, const pl_fingerprint *list, size_t n);
PL_NODISCARD pl_err pl_dtls_trust_shown(pl_dtls_trust *t, const uint8_t *der, size_t len);
/* UNKNOWN until both sides of the comparison are there. */
pl_dtls_verdict pl_dtls_trust_ask(const pl_dtls_trust *t);

#endif
