#include "dtls/context.h"

#include <stdlib.h>

#include <openssl/err.h>

enum { CERT_CHAIN_MAX = 16 * 1024 };

/* RFC 8827 6.5 asks for ECDHE with AES-128-GCM and forward secrecy; every suite here is AEAD, so records need
 * no second way. All peers since DTLS 1.2 came to WebRTC (2014) speak one of them. */
static const char suites[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                             "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                             "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
static const char groups[] = "X25519:P-256:P-384";
static const char srtp_profiles[] = "SRTP_AEAD_AES_128_GCM:SRTP_AEAD_AES_256_GCM:SRTP_AES128_CM_SHA1_80";

static bool configure(SSL_CTX *ctx, const pl_cert *cert)
{
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_QUERY_MTU |
                                 SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_max_cert_list(ctx, CERT_CHAIN_MAX);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, pl_dtls_hs_verify, NULL);
    return SSL_CTX_set_min_proto_version(ctx, DTLS1_2_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(ctx, DTLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(ctx, suites) == 1 && SSL_CTX_set1_groups_list(ctx, groups) == 1 &&
           SSL_CTX_set_tlsext_use_srtp(ctx, srtp_profiles) == 0 && /* here 0 is success */
           SSL_CTX_use_certificate(ctx, pl_cert_x509(cert)) == 1 &&
           SSL_CTX_use_PrivateKey(ctx, pl_cert_pkey(cert)) == 1;
}

pl_err pl_dtls_ctx_new(pl_dtls_ctx **out, pl_cert *cert)
{
    pl_dtls_ctx *c = calloc(1, sizeof *c);
    if (!c)
        return PL_ENOMEM;
    atomic_init(&c->refs, 1);
    c->cert = pl_cert_ref(cert);
    c->ssl_ctx = SSL_CTX_new(DTLS_method());
    c->bio = pl_dtls_hs_bio_method();
    c->prf = EVP_KDF_fetch(NULL, "TLS1-PRF", NULL);
    if (!c->ssl_ctx || !c->bio || !c->prf || !configure(c->ssl_ctx, cert)) {
        pl_dtls_ctx_free(c);
        ERR_clear_error();
        return PL_ENOMEM;
    }
    *out = c;
    return PL_OK;
}

pl_dtls_ctx *pl_dtls_ctx_ref(pl_dtls_ctx *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

void pl_dtls_ctx_free(pl_dtls_ctx *c)
{
    if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
        return;
    SSL_CTX_free(c->ssl_ctx);
    BIO_meth_free(c->bio);
    EVP_KDF_free(c->prf);
    pl_cert_free(c->cert);
    free(c);
}

const pl_cert *pl_dtls_ctx_cert(const pl_dtls_ctx *c)
{
    return c->cert;
}
