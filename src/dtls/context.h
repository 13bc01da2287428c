/* context.h - what all sessions of one certificate share. Private to dtls/. */
#ifndef PL_DTLS_CONTEXT_H
#define PL_DTLS_CONTEXT_H

#include <stdatomic.h>

#include <openssl/bio.h>
#include <openssl/kdf.h>
#include <openssl/ssl.h>

#include "dtls/session.h"

struct pl_dtls_ctx {
    atomic_uint refs;
    pl_cert *cert;
    SSL_CTX *ssl_ctx;
    BIO_METHOD *bio; /* handshake.c's ends of the wire */
    EVP_KDF *prf;    /* looked up once */
};

/* handshake.c: the certificate OpenSSL was shown, X509_STORE_CTX's callback. */
int pl_dtls_hs_verify(X509_STORE_CTX *store, void *unused);
BIO_METHOD *pl_dtls_hs_bio_method(void);

#endif
