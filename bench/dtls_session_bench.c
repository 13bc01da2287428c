/* dtls_session_bench.c - what DTLS costs: CPU of a handshake for both ends, CPU of a record sealed and opened
 * beside OpenSSL's own record layer, and the memory of an idle pair. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/ssl.h>

#include "dtls/session.h"

enum { HANDSHAKES = 200, ROUNDS = 15, RECORDS = 4000, IDLE_PAIRS = 50, CAP = 2048 };

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* ---- our sessions ---- */

typedef struct duo {
    pl_dtls *client, *server;
} duo;

static void deliver(pl_dtls *from, pl_dtls *to)
{
    uint8_t buf[CAP];
    pl_dgram out = { .data = buf, .cap = sizeof buf };
    while (pl_dtls_poll_output(from, 0, &out))
        pl_dtls_input(to, 0, buf, out.len);
}

static bool connect_duo(duo *p, pl_dtls_ctx *ctx)
{
    const pl_fingerprint *f = pl_cert_fingerprint(pl_dtls_ctx_cert(ctx));
    pl_dtls_conf conf = { .ctx = ctx };
    if (pl_dtls_new(&p->client, &conf, 0) != PL_OK || pl_dtls_new(&p->server, &conf, 0) != PL_OK ||
        pl_dtls_set_remote(p->client, 0, f, 1) != PL_OK || pl_dtls_set_remote(p->server, 0, f, 1) != PL_OK ||
        pl_dtls_start(p->server, 0, PL_DTLS_SERVER) != PL_OK ||
        pl_dtls_start(p->client, 0, PL_DTLS_CLIENT) != PL_OK)
        return false;
    for (int i = 0; i < 3; i++) {
        deliver(p->client, p->server);
        deliver(p->server, p->client);
    }
    return pl_dtls_get_state(p->client) == PL_DTLS_CONNECTED &&
           pl_dtls_get_state(p->server) == PL_DTLS_CONNECTED;
}

static void free_duo(duo *p)
{
    pl_dtls_free(p->client);
    pl_dtls_free(p->server);
}

static bool handshakes(pl_dtls_ctx *ctx)
{
    static double us[HANDSHAKES];
    for (int i = 0; i < HANDSHAKES; i++) {
        duo p = { 0 };
        int64_t from = now_ns();
        if (!connect_duo(&p, ctx))
            return false;
        free_duo(&p);
        us[i] = (double)(now_ns() - from) / 1000;
    }
    qsort(us, HANDSHAKES, sizeof us[0], by_value);
    printf("handshake, both ends       %8.0f us CPU (median of %d)\n", us[HANDSHAKES / 2], HANDSHAKES);
    return true;
}

static long rss_kib(void)
{
    long pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f && fscanf(f, "%ld %ld", &pages, &resident) != 2)
        resident = 0;
    if (f)
        fclose(f);
    return resident * 4;
}

static bool memory(pl_dtls_ctx *ctx)
{
    static duo p[IDLE_PAIRS];
    long rss = rss_kib();
    size_t heap = mallinfo2().uordblks;
    for (int i = 0; i < IDLE_PAIRS; i++)
        if (!connect_duo(&p[i], ctx))
            return false;
    printf("idle pair, both ends       %8.1f KiB of heap, %.1f KiB of RSS\n",
           (double)(mallinfo2().uordblks - heap) / IDLE_PAIRS / 1024, (double)(rss_kib() - rss) / IDLE_PAIRS);
    for (int i = 0; i < IDLE_PAIRS; i++)
        free_duo(&p[i]);
    return true;
}

static bool our_record(void *user, const uint8_t *data, size_t len)
{
    duo *p = user;
    uint8_t wire[CAP], plain[CAP];
    size_t n, m;
    if (pl_dtls_protect(p->client, data, len, wire, sizeof wire, &n) != PL_OK)
        return false;
    pl_dtls_input(p->server, 0, wire, n);
    return pl_dtls_poll_data(p->server, plain, sizeof plain, &m) && m == len;
}

/* ---- OpenSSL's ---- */

typedef struct openssl_duo {
    SSL_CTX *ctx;
    SSL *client, *server;
} openssl_duo;

static int take_any(X509_STORE_CTX *store, void *unused)
{
    (void)store, (void)unused;
    return 1;
}

static SSL *openssl_end(SSL_CTX *ctx, BIO *in, BIO *out)
{
    SSL *ssl = SSL_new(ctx);
    BIO_set_mem_eof_return(in, -1);
    SSL_set_bio(ssl, in, out);
    SSL_set_mtu(ssl, 1400);
    return ssl;
}

static bool openssl_connect(openssl_duo *p, pl_cert *cert)
{
    BIO *up = BIO_new(BIO_s_mem()), *down = BIO_new(BIO_s_mem());
    p->ctx = SSL_CTX_new(DTLS_method());
    SSL_CTX_set_cipher_list(p->ctx, "ECDHE-ECDSA-AES128-GCM-SHA256");
    SSL_CTX_set_options(p->ctx, SSL_OP_NO_QUERY_MTU);
    SSL_CTX_use_certificate(p->ctx, pl_cert_x509(cert));
    SSL_CTX_use_PrivateKey(p->ctx, pl_cert_pkey(cert));
    SSL_CTX_set_verify(p->ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(p->ctx, take_any, NULL);
    BIO_up_ref(up);
    BIO_up_ref(down);
    p->client = openssl_end(p->ctx, down, up);
    p->server = openssl_end(p->ctx, up, down);
    SSL_set_connect_state(p->client);
    SSL_set_accept_state(p->server);
    for (int i = 0; i < 4; i++) {
        SSL_do_handshake(p->client);
        SSL_do_handshake(p->server);
    }
    return SSL_is_init_finished(p->client) && SSL_is_init_finished(p->server);
}

static bool openssl_record(void *user, const uint8_t *data, size_t len)
{
    openssl_duo *p = user;
    uint8_t plain[CAP];
    return SSL_write(p->client, data, (int)len) == (int)len &&
           SSL_read(p->server, plain, sizeof plain) == (int)len;
}

static void openssl_free(openssl_duo *p)
{
    SSL_free(p->client);
    SSL_free(p->server);
    SSL_CTX_free(p->ctx);
}

/* ---- records ---- */

typedef bool record_fn(void *user, const uint8_t *data, size_t len);

static bool round_of(record_fn *record, void *user, size_t len, double *ns)
{
    static const uint8_t data[CAP];
    int64_t from = now_ns();
    for (int i = 0; i < RECORDS; i++)
        if (!record(user, data, len))
            return false;
    *ns = (double)(now_ns() - from) / RECORDS;
    return true;
}

static bool records(duo *ours, openssl_duo *theirs, size_t len)
{
    double a[ROUNDS], b[ROUNDS];
    for (int r = -1; r < ROUNDS; r++) { /* the first warms up */
        int at = r < 0 ? 0 : r;
        if (!round_of(our_record, ours, len, &a[at]) || !round_of(openssl_record, theirs, len, &b[at]))
            return false;
    }
    qsort(a, ROUNDS, sizeof a[0], by_value);
    qsort(b, ROUNDS, sizeof b[0], by_value);
    printf("record of %4zu B, both ends %8.0f ns, OpenSSL's SSL_write and SSL_read %.0f ns (%.2fx)\n", len,
           a[ROUNDS / 2], b[ROUNDS / 2], a[ROUNDS / 2] / b[ROUNDS / 2]);
    return true;
}

int main(void)
{
    pl_cert *cert = NULL;
    pl_dtls_ctx *ctx = NULL;
    duo ours = { 0 };
    openssl_duo theirs = { 0 };
    bool ok = pl_cert_new(&cert, &(pl_cert_conf){ .now_s = time(NULL) }) == PL_OK &&
              pl_dtls_ctx_new(&ctx, cert) == PL_OK && handshakes(ctx) && memory(ctx) &&
              connect_duo(&ours, ctx) && openssl_connect(&theirs, cert) && records(&ours, &theirs, 200) &&
              records(&ours, &theirs, 1200);
    free_duo(&ours);
    openssl_free(&theirs);
    pl_dtls_ctx_free(ctx);
    pl_cert_free(cert);
    return ok ? 0 : 1;
}
