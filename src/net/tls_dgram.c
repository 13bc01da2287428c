#include "net/tls_dgram.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "crypto/hmac.h"
#include "net/tls_internal.h"

enum {
    COOKIE_LEN = 20,
    RECORD_HEADER_LEN = 13,
    HELLO_MIN = RECORD_HEADER_LEN + 12 + 2 + 32,
    NONCE_LEN = 8, /* that a GCM record carries */
    TAG_LEN = 16
};

struct pl_tls_dgram {
    pl_tls_ctx *ctx; /* a reference */
    SSL *ssl;
    const uint8_t *in; /* the datagram that OpenSSL has not read yet, lent; or NULL */
    size_t in_len;
    pl_buf out; /* datagrams, each behind two bytes of its length */
    size_t out_at;
    pl_addr peer; /* a listener's: who is asked for a cookie */
    int64_t now_us, born_us;
    bool ready, ended, failed;
};

struct pl_tls_listener {
    pl_tls_ctx *ctx; /* a reference */
    size_t mtu;
    pl_tls_dgram *next; /* what the next stranger with a cookie becomes; made when needed */
};

/* ---- what OpenSSL reads and writes ---- */

static size_t shortest_sealed(const SSL *ssl)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
    bool is_chacha = cipher && SSL_CIPHER_get_cipher_nid(cipher) == NID_chacha20_poly1305;
    return is_chacha ? TAG_LEN : NONCE_LEN + TAG_LEN;
}

/* Without the records that are too short to be sealed. Anybody can have sent them: RFC 6347 4.1.2.7 wants them dropped, and OpenSSL
 * (3.0.19) ends the connection instead. */
static size_t copy_records(uint8_t *out, size_t cap, pl_rd r, size_t shortest)
{
    size_t n = 0;
    while (pl_rd_left(&r) > 0) {
        const uint8_t *raw = r.p;
        pl_rd_skip(&r, 3); /* type, version */
        uint16_t epoch = pl_rd_u16(&r);
        pl_rd_skip(&r, 6);
        size_t body = pl_rd_u16(&r), len = RECORD_HEADER_LEN + body;
        pl_rd_skip(&r, body);
        if (!pl_rd_ok(&r) || n + len > cap)
            break;
        if (epoch > 0 && body < shortest)
            continue;
        memcpy(out + n, raw, len);
        n += len;
    }
    return n;
}

static int bio_read(BIO *bio, char *buf, int cap)
{
    pl_tls_dgram *s = BIO_get_data(bio);
    size_t n = 0;
    BIO_clear_retry_flags(bio);
    if (s->in)
        n = copy_records((uint8_t *)buf, (size_t)cap, pl_rd_init(s->in, s->in_len), shortest_sealed(s->ssl));
    s->in = NULL;
    if (n > 0)
        return (int)n;
    BIO_set_retry_read(bio);
    return -1;
}

/* What finds no room is lost, as if in the network: DTLS sends it again. */
static int bio_write(BIO *bio, const char *data, int len)
{
    pl_tls_dgram *s = BIO_get_data(bio);
    uint8_t head[2];
    BIO_clear_retry_flags(bio);
    if (s->out.n + sizeof head + (size_t)len > PL_TLS_DGRAM_OUT_MAX)
        return len;
    pl_put16(head, (uint16_t)len);
    pl_buf_add(&s->out, head, sizeof head);
    pl_buf_add(&s->out, data, (size_t)len);
    return len;
}

static long bio_ctrl(BIO *bio, int cmd, long larg, void *parg)
{
    (void)bio, (void)larg, (void)parg;
    return cmd == BIO_CTRL_FLUSH;
}

static BIO_METHOD *bio_method;

static void make_bio_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "peerline TLS datagrams");
    if (m && BIO_meth_set_read(m, bio_read) && BIO_meth_set_write(m, bio_write) &&
        BIO_meth_set_ctrl(m, bio_ctrl))
        bio_method = m;
    else
        BIO_meth_free(m);
}

static BIO *bio_new(pl_tls_dgram *s)
{
    static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
    BIO *bio = CRYPTO_THREAD_run_once(&once, make_bio_method) && bio_method ? BIO_new(bio_method) : NULL;
    if (bio) {
        BIO_set_data(bio, s);
        BIO_set_init(bio, 1);
    }
    return bio;
}

static unsigned next_rto_us(SSL *ssl, unsigned last_us)
{
    (void)ssl;
    unsigned next_us = last_us ? last_us * 2 : (unsigned)PL_TLS_DGRAM_RTO_US;
    return next_us < PL_TLS_DGRAM_RTO_MAX_US ? next_us : (unsigned)PL_TLS_DGRAM_RTO_MAX_US;
}

/* ---- cookies ---- */

/* RFC 6347 4.2.1: HMAC(secret, client's address). It stays good as long as the context does. */
static void make_cookie(const pl_tls_dgram *s, uint8_t out[COOKIE_LEN])
{
    uint8_t port[2], mac[32];
    pl_put16(port, s->peer.port);
    const pl_slice part[] = { { s->peer.ip, sizeof s->peer.ip }, { port, sizeof port } };
    pl_hmac_sha256(s->ctx->secret, sizeof s->ctx->secret, part, 2, mac);
    memcpy(out, mac, COOKIE_LEN);
}

static int on_make_cookie(SSL *ssl, unsigned char *out, unsigned *len)
{
    make_cookie(SSL_get_app_data(ssl), out);
    *len = COOKIE_LEN;
    return 1;
}

static int on_verify_cookie(SSL *ssl, const unsigned char *cookie, unsigned len)
{
    uint8_t mine[COOKIE_LEN];
    make_cookie(SSL_get_app_data(ssl), mine);
    return len == COOKIE_LEN && CRYPTO_memcmp(mine, cookie, COOKIE_LEN) == 0;
}

/* ---- life ---- */

static pl_err session_new(pl_tls_dgram **out, pl_tls_ctx *ctx, size_t mtu)
{
    *out = NULL;
    pl_tls_dgram *s = calloc(1, sizeof *s);
    if (!s)
        return PL_ENOMEM;
    s->ctx = tls_ctx_ref(ctx);
    s->out = pl_buf_init(PL_TLS_DGRAM_OUT_MAX);
    s->ssl = SSL_new(ctx->ssl);
    BIO *bio = bio_new(s);
    if (!s->ssl || !bio || !SSL_set_app_data(s->ssl, s)) {
        BIO_free(bio);
        pl_tls_dgram_free(s);
        ERR_clear_error();
        return PL_ENOMEM;
    }
    SSL_set_bio(s->ssl, bio, bio);
    mtu = mtu ? mtu : PL_TLS_DGRAM_MTU;
    SSL_set_mtu(s->ssl, (long)(mtu < PL_TLS_DGRAM_MTU_MIN ? PL_TLS_DGRAM_MTU_MIN : mtu));
    DTLS_set_timer_cb(s->ssl, next_rto_us);
    *out = s;
    return PL_OK;
}

void pl_tls_dgram_free(pl_tls_dgram *s)
{
    if (!s)
        return;
    SSL_free(s->ssl);
    pl_buf_clear(&s->out);
    pl_tls_ctx_free(s->ctx);
    free(s);
}

static pl_err fail(pl_tls_dgram *s)
{
    tls_tell_failure();
    s->failed = true;
    return PL_EPROTO;
}

static pl_err shake_hands(pl_tls_dgram *s)
{
    ERR_clear_error();
    int ret = SSL_do_handshake(s->ssl);
    if (ret == 1) {
        s->ready = true;
        return PL_OK;
    }
    int why = SSL_get_error(s->ssl, ret);
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? PL_OK : fail(s);
}

pl_err pl_tls_dgram_new(pl_tls_dgram **out, pl_tls_ctx *ctx, const char *host, size_t mtu, int64_t now_us)
{
    *out = NULL;
    if (ctx->server || !ctx->datagrams)
        return PL_EINVAL;
    pl_tls_dgram *s;
    pl_err err = session_new(&s, ctx, mtu);
    if (err)
        return err;
    s->now_us = s->born_us = now_us;
    SSL_set_connect_state(s->ssl);
    if ((host && !tls_expect_host(s->ssl, host)) || shake_hands(s)) {
        pl_tls_dgram_free(s);
        return PL_ENOMEM;
    }
    *out = s;
    return PL_OK;
}

/* ---- the verbs ---- */

pl_err pl_tls_dgram_input(pl_tls_dgram *s, int64_t now_us, const uint8_t *pkt, size_t len)
{
    s->now_us = now_us;
    if (s->failed)
        return PL_EPROTO;
    s->in = len ? pkt : NULL;
    s->in_len = len;
    return s->ready ? PL_OK : shake_hands(s);
}

bool pl_tls_dgram_poll_data(pl_tls_dgram *s, uint8_t *buf, size_t cap, size_t *len)
{
    *len = 0;
    if (!s->ready || s->failed || s->ended || !cap)
        return false;
    ERR_clear_error();
    if (SSL_read_ex(s->ssl, buf, cap, len) == 1)
        return true;
    int why = SSL_get_error(s->ssl, 0);
    if (why == SSL_ERROR_ZERO_RETURN)
        s->ended = true;
    else if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
        (void)fail(s);
    s->in = NULL;
    return false;
}

bool pl_tls_dgram_poll_output(pl_tls_dgram *s, uint8_t *buf, size_t cap, size_t *len)
{
    *len = 0;
    if (s->out_at >= s->out.n) {
        s->out.n = s->out_at = 0;
        return false;
    }
    const char *at = s->out.p + s->out_at;
    size_t n = pl_get16((const uint8_t *)at);
    if (n > cap)
        return false;
    memcpy(buf, at + 2, n);
    s->out_at += 2 + n;
    *len = n;
    return true;
}

pl_err pl_tls_dgram_write(pl_tls_dgram *s, const void *data, size_t len)
{
    if (s->failed || s->ended)
        return PL_EPROTO;
    if (!s->ready)
        return PL_EAGAIN;
    if (len == 0 || len > PL_TLS_DGRAM_DATA_MAX)
        return PL_EINVAL;
    ERR_clear_error();
    return SSL_write(s->ssl, data, (int)len) == (int)len ? PL_OK : fail(s);
}

pl_err pl_tls_dgram_tick(pl_tls_dgram *s, int64_t now_us)
{
    s->now_us = now_us;
    if (s->ready || s->failed)
        return s->failed ? PL_EPROTO : PL_OK;
    if (now_us - s->born_us >= PL_TLS_DGRAM_PATIENCE_US)
        return fail(s);
    ERR_clear_error();
    return DTLSv1_handle_timeout(s->ssl) < 0 ? fail(s) : PL_OK;
}

/* Once ready nothing is due: the last flight is repeated when the peer repeats his. */
int64_t pl_tls_dgram_next_us(const pl_tls_dgram *s)
{
    struct timeval left;
    if (s->ready || s->failed)
        return PL_NEVER;
    int64_t end_us = s->born_us + PL_TLS_DGRAM_PATIENCE_US;
    if (!DTLSv1_get_timeout(s->ssl, &left))
        return end_us;
    int64_t left_us = PL_SEC(left.tv_sec) + left.tv_usec;
    return pl_min_us(end_us, s->now_us + pl_max_us(left_us, PL_MS(1)));
}

bool pl_tls_dgram_is_ready(const pl_tls_dgram *s)
{
    return s->ready && !s->failed && !s->ended;
}

bool pl_tls_dgram_has_ended(const pl_tls_dgram *s)
{
    return s->ended;
}

pl_str pl_tls_dgram_alpn(const pl_tls_dgram *s)
{
    return tls_alpn_of(s->ssl);
}

void pl_tls_dgram_shutdown(pl_tls_dgram *s)
{
    ERR_clear_error();
    if (s->ready && !s->failed)
        (void)SSL_shutdown(s->ssl);
}

/* ---- the listener ---- */

pl_err pl_tls_listener_new(pl_tls_listener **out, pl_tls_ctx *ctx, size_t mtu)
{
    *out = NULL;
    if (!ctx->server || !ctx->datagrams)
        return PL_EINVAL;
    pl_tls_listener *l = calloc(1, sizeof *l);
    if (!l)
        return PL_ENOMEM;
    SSL_CTX_set_cookie_generate_cb(ctx->ssl, on_make_cookie);
    SSL_CTX_set_cookie_verify_cb(ctx->ssl, on_verify_cookie);
    l->ctx = tls_ctx_ref(ctx);
    l->mtu = mtu;
    *out = l;
    return PL_OK;
}

void pl_tls_listener_free(pl_tls_listener *l)
{
    if (!l)
        return;
    pl_tls_dgram_free(l->next);
    pl_tls_ctx_free(l->ctx);
    free(l);
}

/* Without reading it: a handshake record of epoch 0, long enough for a hello. */
static bool looks_like_hello(const uint8_t *pkt, size_t len)
{
    return len >= HELLO_MIN && pkt[0] == SSL3_RT_HANDSHAKE && pl_get16(pkt + 3) == 0 &&
           pkt[RECORD_HEADER_LEN] == SSL3_MT_CLIENT_HELLO;
}

void pl_tls_listen(pl_tls_listener *l, int64_t now_us, const pl_addr *from, const uint8_t *pkt, size_t len,
                   uint8_t answer[PL_TLS_COOKIE_ANSWER_MAX], size_t *answer_len, pl_tls_dgram **out)
{
    *out = NULL;
    *answer_len = 0;
    if (!looks_like_hello(pkt, len) || (!l->next && session_new(&l->next, l->ctx, l->mtu)))
        return;
    pl_tls_dgram *s = l->next;
    BIO_ADDR *unused = BIO_ADDR_new();
    if (!unused)
        return;
    s->peer = *from;
    s->now_us = s->born_us = now_us;
    s->in = pkt;
    s->in_len = len;
    s->out.n = s->out_at = 0;
    ERR_clear_error();
    int ret = DTLSv1_listen(s->ssl, unused);
    BIO_ADDR_free(unused);
    s->in = NULL;
    if (ret == 1) {
        l->next = NULL;
        (void)shake_hands(s); /* reads the hello; a failure leaves an alert to be sent */
        *out = s;
        return;
    }
    ERR_clear_error();
    (void)pl_tls_dgram_poll_output(s, answer, PL_TLS_COOKIE_ANSWER_MAX, answer_len);
    if (ret < 0) { /* what is left of a bad one shall not meet the next stranger */
        pl_tls_dgram_free(s);
        l->next = NULL;
    }
}
