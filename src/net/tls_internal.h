/* tls_internal.h - what streams (tls.c) and datagrams (tls_dgram.c) share: the context. */
#ifndef PL_NET_TLS_INTERNAL_H
#define PL_NET_TLS_INTERNAL_H

#include <openssl/ssl.h>
#include <stdatomic.h>

#include "net/tls.h"

enum { TLS_ALPN_MAX = 64, TLS_SECRET_LEN = 32 };

struct pl_tls_ctx {
    _Atomic unsigned refs; /* its owner, sessions and listeners */
    SSL_CTX *ssl;
    bool server, datagrams;
    uint8_t alpn[TLS_ALPN_MAX];
    unsigned alpn_len;
    uint8_t secret[TLS_SECRET_LEN]; /* makes cookies */
};

pl_tls_ctx *tls_ctx_ref(pl_tls_ctx *ctx);

/* The name or IP address that the peer's certificate must carry. False without memory. */
bool tls_expect_host(SSL *ssl, const char *host);
pl_str tls_alpn_of(const SSL *ssl);
/* Says why a session failed, at debug level, and empties OpenSSL's queue of errors. */
void tls_tell_failure(void);

#endif
