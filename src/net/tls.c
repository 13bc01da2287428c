#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdlib.h>

#include "base/addr.h"
#include "base/log.h"
#include "crypto/hmac.h"
#include "net/tls_internal.h"

static const pl_log tls_log = { "tls" };

struct pl_tls {
    pl_tls_ctx *ctx; /* a reference */
    SSL *ssl;
    BIO *in, *out;   /* owned by ssl */
    const char *why; /* it failed */
};

static pl_err refused(const char *what)
{
    char text[120];
    ERR_error_string_n(ERR_get_error(), text, sizeof text);
    ERR_clear_error();
    pl_log_warn(&tls_log, "%s: %s", what, text);
    return PL_EINVAL;
}

void tls_tell_failure(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_error());
    pl_log_debug(&tls_log, "session failed: %s", text ? text : "no reason given");
    ERR_clear_error();
}

/* ---- contexts ---- */

static pl_err load_identity(SSL_CTX *ssl, const char *cert_file, const char *key_file)
{
    if (SSL_CTX_use_certificate_chain_file(ssl, cert_file) != 1)
        return refused(cert_file);
    if (SSL_CTX_use_PrivateKey_file(ssl, key_file, SSL_FILETYPE_PEM) != 1)
        return refused(key_file);
    if (SSL_CTX_check_private_key(ssl) != 1)
        return refused("the key does not belong to the certificate");
    return PL_OK;
}

static pl_err load_trust(SSL_CTX *ssl, const pl_tls_conf *conf)
{
    if (conf->trust_all)
        return PL_OK; /* SSL_VERIFY_NONE is a client's default */
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    int ok =
        conf->ca_file ? SSL_CTX_load_verify_file(ssl, conf->ca_file) : SSL_CTX_set_default_verify_paths(ssl);
    return ok == 1 ? PL_OK : refused(conf->ca_file ? conf->ca_file : "the system's certificates");
}

/* "a,bc" as TLS writes it: each name behind its length. Zero when a name is empty or there is no room. */
static size_t alpn_wire(const char *names, uint8_t out[TLS_ALPN_MAX])
{
    size_t n = 0;
    for (pl_str rest = pl_str_of(names); rest.p;) {
        pl_str name = pl_str_cut(&rest, ',');
        if (!name.n || n + 1 + name.n > TLS_ALPN_MAX)
            return 0;
        out[n++] = (uint8_t)name.n;
        memcpy(out + n, name.p, name.n);
        n += name.n;
    }
    return n;
}

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
                       unsigned in_len, void *arg)
{
    const pl_tls_ctx *ctx = arg;
    unsigned char *chosen;
    (void)ssl;
    if (SSL_select_next_proto(&chosen, out_len, ctx->alpn, ctx->alpn_len, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static pl_err set_alpn(pl_tls_ctx *ctx, const char *names)
{
    if (!names)
        return PL_OK;
    ctx->alpn_len = (unsigned)alpn_wire(names, ctx->alpn);
    if (!ctx->alpn_len)
        return PL_EINVAL;
    if (ctx->server)
        SSL_CTX_set_alpn_select_cb(ctx->ssl, choose_alpn, ctx);
    else if (SSL_CTX_set_alpn_protos(ctx->ssl, ctx->alpn, ctx->alpn_len) != 0)
        return PL_ENOMEM;
    return PL_OK;
}

static void set_options(SSL_CTX *ssl, bool datagrams)
{
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_QUERY_MTU);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF); /* tickets resume without our memory */
    if (datagrams) {
        SSL_CTX_set_min_proto_version(ssl, DTLS1_2_VERSION);
    } else {
        SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION);
        SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS); /* an idle session keeps no 32 KiB */
    }
}

static pl_err ctx_fill(pl_tls_ctx *ctx, const pl_tls_conf *conf)
{
    if (RAND_bytes(ctx->secret, sizeof ctx->secret) != 1)
        return PL_EIO;
    set_options(ctx->ssl, conf->datagrams);
    pl_err err = PL_OK;
    if (conf->cert_file)
        err = load_identity(ctx->ssl, conf->cert_file, conf->key_file ? conf->key_file : conf->cert_file);
    else if (conf->server)
        err = PL_EINVAL;
    if (!err && !conf->server)
        err = load_trust(ctx->ssl, conf);
    return err ? err : set_alpn(ctx, conf->alpn);
}

pl_err pl_tls_ctx_new(pl_tls_ctx **out, const pl_tls_conf *conf)
{
    *out = NULL;
    pl_tls_ctx *ctx = calloc(1, sizeof *ctx);
    if (!ctx)
        return PL_ENOMEM;
    atomic_init(&ctx->refs, 1);
    ctx->server = conf->server;
    ctx->datagrams = conf->datagrams;
    ctx->ssl = SSL_CTX_new(conf->datagrams ? (conf->server ? DTLS_server_method() : DTLS_client_method())
                                           : (conf->server ? TLS_server_method() : TLS_client_method()));
    pl_err err = ctx->ssl ? ctx_fill(ctx, conf) : PL_ENOMEM;
    if (err) {
        pl_tls_ctx_free(ctx);
        ERR_clear_error();
        return err;
    }
    *out = ctx;
    return PL_OK;
}

pl_err pl_tls_server_new(pl_tls_ctx **out, const char *cert_file, const char *key_file)
{
    return pl_tls_ctx_new(out,
                          &(pl_tls_conf){ .server = true, .cert_file = cert_file, .key_file = key_file });
}

pl_err pl_tls_client_new(pl_tls_ctx **out, const char *ca_file)
{
    return pl_tls_ctx_new(out, &(pl_tls_conf){ .ca_file = ca_file });
}

pl_tls_ctx *tls_ctx_ref(pl_tls_ctx *ctx)
{
    atomic_fetch_add(&ctx->refs, 1);
    return ctx;
}

void pl_tls_ctx_free(pl_tls_ctx *ctx)
{
    if (!ctx || atomic_fetch_sub(&ctx->refs, 1) != 1)
        return;
    SSL_CTX_free(ctx->ssl);
    pl_wipe(ctx->secret, sizeof ctx->secret);
    free(ctx);
}

/* ---- sessions ---- */

bool tls_expect_host(SSL *ssl, const char *host)
{
    pl_addr addr;
    if (pl_addr_parse_ip(&addr, host, strlen(host)) == PL_OK)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

pl_str tls_alpn_of(const SSL *ssl)
{
    const unsigned char *name;
    unsigned len;
    SSL_get0_alpn_selected(ssl, &name, &len);
    return (pl_str){ (const char *)name, len };
}

pl_err pl_tls_new(pl_tls **out, pl_tls_ctx *ctx, const char *host)
{
    *out = NULL;
    if (ctx->datagrams)
        return PL_EINVAL;
    pl_tls *t = calloc(1, sizeof *t);
    if (!t)
        return PL_ENOMEM;
    t->ssl = SSL_new(ctx->ssl);
    t->in = BIO_new(BIO_s_mem());
    t->out = BIO_new(BIO_s_mem());
    if (!t->ssl || !t->in || !t->out || (!ctx->server && host && !tls_expect_host(t->ssl, host))) {
        BIO_free(t->in);
        BIO_free(t->out);
        SSL_free(t->ssl);
        free(t);
        return PL_ENOMEM;
    }
    t->ctx = tls_ctx_ref(ctx);
    SSL_set_bio(t->ssl, t->in, t->out);
    if (!ctx->server) {
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
    pl_tls_ctx_free(t->ctx);
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
            t->why = ERR_reason_error_string(ERR_peek_error());
            tls_tell_failure();
            return PL_EPROTO;
        }
    }
}

bool pl_tls_is_ready(const pl_tls *t)
{
    return SSL_is_init_finished(t->ssl);
}

pl_str pl_tls_alpn(const pl_tls *t)
{
    return tls_alpn_of(t->ssl);
}

const char *pl_tls_version(const pl_tls *t)
{
    return SSL_get_version(t->ssl);
}

const char *pl_tls_refusal(const pl_tls *t)
{
    long result = SSL_get_verify_result(t->ssl);
    return result == X509_V_OK ? NULL : X509_verify_cert_error_string(result);
}

const char *pl_tls_why(const pl_tls *t)
{
    return t->why;
}

/* The first Finished of the handshake: the client's, or the server's when a session was taken up again. */
static size_t first_finished(const pl_tls *t, uint8_t *out)
{
    bool ours = !t->ctx->server != (bool)SSL_session_reused(t->ssl);
    return ours ? SSL_get_finished(t->ssl, out, PL_TLS_BINDING_MAX)
                : SSL_get_peer_finished(t->ssl, out, PL_TLS_BINDING_MAX);
}

bool pl_tls_bind(const pl_tls *t, pl_tls_binding kind, uint8_t out[PL_TLS_BINDING_MAX], size_t *len)
{
    static const char label[] = "EXPORTER-Channel-Binding";
    *len = 0;
    if (!pl_tls_is_ready(t))
        return false;
    if (kind == PL_TLS_EXPORTER) {
        if (SSL_version(t->ssl) < TLS1_3_VERSION ||
            SSL_export_keying_material(t->ssl, out, 32, label, sizeof label - 1, NULL, 0, 1) != 1)
            return false;
        *len = 32;
        return true;
    }
    if (SSL_version(t->ssl) != TLS1_2_VERSION || SSL_get_extms_support(t->ssl) != 1)
        return false;
    *len = first_finished(t, out);
    return *len > 0 && *len <= PL_TLS_BINDING_MAX;
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
