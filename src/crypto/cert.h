/* cert.h - a certificate with its private key, made ahead and shared by every connection.
 * Source   W3C WebRTC 4.9 (generateCertificate, RTCCertificate), RFC 8827 6.5: self-signed, its
 *          fingerprint travels in the description; names and chains mean nothing.
 * Shape    counted references: new and load give one, ref adds one, free takes one. Unchanging once made, so
 *          any thread may use it.
 * Units    seconds of Unix time. */
#ifndef PL_CRYPTO_CERT_H
#define PL_CRYPTO_CERT_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "crypto/fingerprint.h"

typedef struct pl_cert pl_cert;

typedef enum pl_cert_key { PL_CERT_ECDSA_P256 = 0, PL_CERT_RSA_2048 } pl_cert_key;

enum {
    PL_CERT_LIFETIME_S = 30 * 24 * 3600,      /* what W3C's user agents give when not asked */
    PL_CERT_LIFETIME_MAX_S = 365 * 24 * 3600, /* longer wishes are cut to this (W3C: at most a year) */
    PL_CERT_PEM_MAX = 64 * 1024,
};

typedef struct pl_cert_conf {
    pl_cert_key key;
    int64_t now_s;      /* Unix time; the certificate is valid from a day before, for clocks that are slow */
    int64_t lifetime_s; /* 0: PL_CERT_LIFETIME_S */
} pl_cert_conf;

/* Makes a key and a self-signed certificate: half a millisecond for ECDSA, up to a second for RSA.
 * Errors: PL_EINVAL, PL_ENOMEM, PL_EIO (the machine's generator); *out is NULL then. */
PL_NODISCARD pl_err pl_cert_new(pl_cert **out, const pl_cert_conf *conf);
/* From PEM text: the first certificate and the private key that belongs to it; both may stand in one text
 * given twice. Errors: PL_EPROTO (unreadable, encrypted, or they do not belong together), PL_ENOSPC. */
PL_NODISCARD pl_err pl_cert_load_pem(pl_cert **out, pl_str cert_pem, pl_str key_pem);
pl_cert *pl_cert_ref(pl_cert *c);
/* NULL is fine. */
void pl_cert_free(pl_cert *c);

/* Its SHA-256 fingerprint, computed once. */
const pl_fingerprint *pl_cert_fingerprint(const pl_cert *c);
/* Unix time from which on nobody should accept it (RTCCertificate.expires). */
int64_t pl_cert_expires_s(const pl_cert *c);
/* Adds the certificate, then the unencrypted key, as PEM (what W3C calls cloning into storage). */
PL_NODISCARD pl_err pl_cert_write_pem(const pl_cert *c, pl_buf *out);

/* OpenSSL's objects, lent, for dtls/ alone: X509 * and EVP_PKEY *. */
struct x509_st *pl_cert_x509(const pl_cert *c);
struct evp_pkey_st *pl_cert_pkey(const pl_cert *c);

/* The hash of any certificate in DER. Errors: PL_ENOTSUP. */
PL_NODISCARD pl_err pl_fingerprint_of(pl_fingerprint *out, pl_hash_alg alg, const uint8_t *der, size_t len);

#endif
