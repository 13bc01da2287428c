#include "signal/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#include "base/addr.h"
#include "base/log.h"

static const pl_log tls_log = { "tls" };

struct pl_tls_ctx {
    SSL_CTX *ssl;
    bool client;
};

struct pl_tls {
    SSL *ssl;
    BIO *in, *out; /* owned by ssl */
};

static pl_err refused(const char *what)
{
    char text[120];
    ERR_error_string_n(ERR_get_error(), text, sizeof text);
    ERR_clear_error();
    pl_log_warn(&tls_log, "%s: %s", what, text);
    return PL_EINVAL;
}

static pl_err ctx_new(pl_tls_ctx **out, const SSL_METHOD *method, bool client)
{
    *out = NULL;
    pl_tls_ctx *ctx = calloc(1, sizeof *ctx);
    if (!ctx)
        return PL_ENOMEM;
    ctx->client = client;
    ctx->ssl = SSL_CTX_new(method);
    if (!ctx->ssl) {
        free(ctx);
        return PL_ENOMEM;
    }
    SSL_CTX_set_min_proto_version(ctx->ssl, TLS1_2_VERSION);
    SSL_CTX_set_mode(ctx->ssl, SSL_MODE_RELEASE_BUFFERS); /* an idle session keeps no 32 KiB */
    SSL_CTX_set_options(ctx->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    *out = ctx;
    return PL_OK;
}

pl_err pl_tls_server_new(pl_tls_ctx **out, const char *cert_file, const char *key_file)
{
    pl_err err = ctx_new(out, TLS_server_method(), false);
    if (err)
        return err;
    SSL_CTX *ssl = (*out)->ssl;
    if (SSL_CTX_use_certificate_chain_file(ssl, cert_file) != 1)
        err = refused(cert_file);
    else if (SSL_CTX_use_PrivateKey_file(ssl, key_file, SSL_FILETYPE_PEM) != 1)
        err = refused(key_file);
    else if (SSL_CTX_check_private_key(ssl) != 1)
        err = refused("the key does not belong to the certificate");
    if (err) {
        pl_tls_ctx_free(*out);
        *out = NULL;
    }
    return err;
}

pl_err pl_tls_client_new(pl_tls_ctx **out, const char *ca_file)
{
    pl_err err = ctx_new(out, TLS_client_method(), true);
    if (err)
        return err;
    SSL_CTX_set_verify((*out)->ssl, SSL_VERIFY_PEER, NULL);
    int ok = ca_file ? SSL_CTX_load_verify_file((*out)->ssl, ca_file)
                     : SSL_CTX_set_default_verify_paths((*out)->ssl);
    if (ok != 1) {
        err = refused(ca_file ? ca_file : "the system's certificates");
        pl_tls_ctx_free(*out);
        *out = NULL;
    }
    return err;
}

void pl_tls_ctx_free(pl_tls_ctx *ctx)
{
    if (!ctx)
        return;
    SSL_CTX_free(ctx->ssl);
    free(ctx);
}

static bool expect_host(SSL *ssl, const char *host)
{
    pl_addr addr;
    if (pl_addr_parse_ip(&addr, host, strlen(host)) == PL_OK)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

pl_err pl_tls_new(pl_tls **out, pl_tls_ctx *ctx, const char *host)
{
    *out = NULL;
    pl_tls *t = calloc(1, sizeof *t);
    if (!t)
        return PL_ENOMEM;
    t->ssl = SSL_new(ctx->ssl);
    t->in = BIO_new(BIO_s_mem());
    t->out = BIO_new(BIO_s_mem());
    if (!t->ssl || !t->in || !t->out || (ctx->client && host && !expect_host(t->ssl, host))) {
        BIO_free(t->in);
        BIO_free(t->out);
        SSL_free(t->ssl);
        free(t);
        return PL_ENOMEM;
    }
    SSL_set_bio(t->ssl, t->in, t->out);
    if (ctx->client) {
        SSL_set_connect_state(t->ssl);
        (void)SSL_do_handshake(t->ssl); /* leaves the hello in out */
        ERR_clear_error();
    } else {
        SSL_set_accept_state(t->ssl);
    }
    *out = t;
    return PL_OK;
}

void pl_tls_free(pl_tls *t)
{
    if (!t)
        return;
    SSL_free(t->ssl);
    free(t);
}

pl_err pl_tls_input(pl_tls *t, const uint8_t *data, size_t len, pl_buf *plain, bool *ended)
{
    *ended = false;
    if (len > INT32_MAX || BIO_write(t->in, data, (int)len) != (int)len)
        return PL_ENOMEM;
    for (;;) {
        char buf[4096];
        ERR_clear_error();
        int n = SSL_read(t->ssl, buf, sizeof buf);
        if (n > 0) {
            pl_buf_add(plain, buf, (size_t)n);
            continue;
        }
        switch (SSL_get_error(t->ssl, n)) {
        case SSL_ERROR_WANT_READ:
        case SSL_ERROR_WANT_WRITE: return plain->bad ? PL_ENOMEM : PL_OK;
        case SSL_ERROR_ZERO_RETURN: *ended = true; return plain->bad ? PL_ENOMEM : PL_OK;
        default:
            pl_log_debug(&tls_log, "session failed: %s", ERR_reason_error_string(ERR_peek_error()));
            ERR_clear_error();
            return PL_EPROTO;
        }
    }
}

bool pl_tls_is_ready(const pl_tls *t)
{
    return SSL_is_init_finished(t->ssl);
}

pl_err pl_tls_write(pl_tls *t, const void *data, size_t len)
{
    if (!pl_tls_is_ready(t))
        return PL_EAGAIN;
    if (len == 0)
        return PL_OK;
    ERR_clear_error(); /* a memory BIO takes everything, so a write is never partial */
    return len <= INT32_MAX && SSL_write(t->ssl, data, (int)len) == (int)len ? PL_OK : PL_EPROTO;
}

void pl_tls_shutdown(pl_tls *t)
{
    ERR_clear_error();
    if (pl_tls_is_ready(t))
        (void)SSL_shutdown(t->ssl);
}

void pl_tls_output(pl_tls *t, pl_buf *cipher)
{
    char *data;
    long n = BIO_get_mem_data(t->out, &data);
    if (n > 0)
        pl_buf_add(cipher, data, (size_t)n);
    (void)BIO_reset(t->out);
}
