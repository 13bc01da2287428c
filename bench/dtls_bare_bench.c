/* The bare limit of data channels: the same datagrams (size, burst, one answer a burst) through DTLS records and the
 * sockets of a loopback, and nothing above: no SCTP, no ICE, no loop. The records are OpenSSL's, or ours.
 *     bench/bench_dtls_bare openssl|peerline PLAIN_BYTES DATA_BYTES BURST SECONDS
 * PLAIN_BYTES go into each record, of which DATA_BYTES count. Prints bench-data's JSON lines. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "dtls/session.h"
#include "shared/burst.h"

enum {
    PLAIN_MAX = 16384,
    BURST_BYTES = 65507,
    SEGMENTS_MAX = 64,
    ANSWER = 48,
    BUFFER = 4 << 20,
    DTLS_HEADER = 13
};

typedef struct layer layer;
struct layer {
    const char *name;
    void (*connect)(void);
    size_t (*seal)(int from, const uint8_t *plain, size_t len, uint8_t *out, size_t cap);
    size_t (*open)(int at, uint8_t *record, size_t len, uint8_t *plain, size_t cap);
};

static void die(const char *what)
{
    fprintf(stderr, "bench_dtls_bare: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double clock_s(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- OpenSSL's records, by memory BIOs as everybody uses them who owns the socket ---- */

static SSL *tls[2];

static SSL *new_tls(const pl_cert *cert, bool server)
{
    SSL_CTX *ctx = SSL_CTX_new(DTLS_method());
    if (!ctx || SSL_CTX_use_certificate(ctx, pl_cert_x509(cert)) != 1 ||
        SSL_CTX_use_PrivateKey(ctx, pl_cert_pkey(cert)) != 1 ||
        SSL_CTX_set_max_proto_version(ctx, DTLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(ctx, "ECDHE-ECDSA-AES128-GCM-SHA256") != 1)
        die("OpenSSL's context");
    SSL *s = SSL_new(ctx);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    if (!s || !in || !out)
        die("OpenSSL's session");
    BIO_set_mem_eof_return(in, -1);
    BIO_set_mem_eof_return(out, -1);
    SSL_set_bio(s, in, out);
    SSL_set_options(s, SSL_OP_NO_QUERY_MTU);
    SSL_set_mtu(s, 16384);
    if (server)
        SSL_set_accept_state(s);
    else
        SSL_set_connect_state(s);
    SSL_CTX_free(ctx);
    return s;
}

static void openssl_connect(void)
{
    pl_cert *cert = NULL;
    uint8_t flight[PLAIN_MAX];
    if (pl_cert_new(&cert, &(pl_cert_conf){ .now_s = time(NULL) }) != PL_OK)
        die("certificate");
    for (int i = 0; i < 2; i++)
        tls[i] = new_tls(cert, i == 1);
    for (int i = 0; i < 20 && !(SSL_is_init_finished(tls[0]) && SSL_is_init_finished(tls[1])); i++) {
        (void)SSL_do_handshake(tls[i % 2]);
        for (int n; (n = BIO_read(SSL_get_wbio(tls[i % 2]), flight, sizeof flight)) > 0;)
            BIO_write(SSL_get_rbio(tls[!(i % 2)]), flight, n);
    }
    if (!SSL_is_init_finished(tls[0]) || !SSL_is_init_finished(tls[1]))
        die("OpenSSL's handshake");
    pl_cert_free(cert);
}

static size_t openssl_seal(int from, const uint8_t *plain, size_t len, uint8_t *out, size_t cap)
{
    if (SSL_write(tls[from], plain, (int)len) <= 0)
        die("SSL_write");
    int n = BIO_read(SSL_get_wbio(tls[from]), out, (int)cap);
    return n > 0 ? (size_t)n : 0;
}

static size_t openssl_open(int at, uint8_t *record, size_t len, uint8_t *plain, size_t cap)
{
    BIO_write(SSL_get_rbio(tls[at]), record, (int)len);
    int n = SSL_read(tls[at], plain, (int)cap);
    return n > 0 ? (size_t)n : 0;
}

/* ---- ours ---- */

static pl_dtls *session[2];

static void our_connect(void)
{
    pl_cert *cert;
    pl_dtls_ctx *ctx = NULL;
    if (pl_cert_new(&cert, &(pl_cert_conf){ .now_s = time(NULL) }) != PL_OK ||
        pl_dtls_ctx_new(&ctx, cert) != PL_OK)
        die("context");
    pl_dtls_conf conf = { .ctx = ctx };
    for (int i = 0; i < 2; i++) {
        if (pl_dtls_new(&session[i], &conf, 0) != PL_OK ||
            pl_dtls_set_remote(session[i], 0, pl_cert_fingerprint(cert), 1) != PL_OK ||
            pl_dtls_start(session[i], 0, i ? PL_DTLS_SERVER : PL_DTLS_CLIENT) != PL_OK)
            die("session");
    }
    for (int i = 0; i < 6; i++) {
        uint8_t flight[2048];
        pl_dgram d = { .data = flight, .cap = sizeof flight };
        while (pl_dtls_poll_output(session[i % 2], 0, &d))
            pl_dtls_input(session[!(i % 2)], 0, flight, d.len);
    }
    if (pl_dtls_get_state(session[0]) != PL_DTLS_CONNECTED ||
        pl_dtls_get_state(session[1]) != PL_DTLS_CONNECTED)
        die("handshake");
    pl_dtls_ctx_free(ctx);
    pl_cert_free(cert);
}

static size_t our_seal(int from, const uint8_t *plain, size_t len, uint8_t *out, size_t cap)
{
    size_t n;
    if (pl_dtls_protect(session[from], plain, len, out, cap, &n) != PL_OK)
        die("protect");
    return n;
}

static size_t our_open(int at, uint8_t *record, size_t len, uint8_t *plain, size_t cap)
{
    size_t n = 0;
    pl_dtls_input(session[at], 0, record, len);
    return pl_dtls_poll_data(session[at], plain, cap, &n) ? n : 0;
}

static const layer layers[] = { { "openssl", openssl_connect, openssl_seal, openssl_open },
                                { "peerline", our_connect, our_seal, our_open } };

/* ---- sockets ---- */

static int fd[2];

static void open_sockets(void)
{
    struct sockaddr_in a[2];
    int size = BUFFER, on = 1;
    for (int i = 0; i < 2; i++) {
        socklen_t len = sizeof a[i];
        a[i] = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        fd[i] = socket(AF_INET, SOCK_DGRAM, 0);
        if (fd[i] < 0 || bind(fd[i], (struct sockaddr *)&a[i], len) < 0 ||
            getsockname(fd[i], (struct sockaddr *)&a[i], &len) < 0)
            die("socket");
        setsockopt(fd[i], SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
        setsockopt(fd[i], IPPROTO_UDP, UDP_GRO, &on, sizeof on);
    }
    for (int i = 0; i < 2; i++) {
        if (connect(fd[i], (struct sockaddr *)&a[!i], sizeof a[!i]) < 0)
            die("connect");
    }
}

/* Records carry their length, so the kernel need not tell where datagrams end. Returns how many were opened. */
static size_t take(const layer *l, int at, int flags)
{
    static uint8_t in[BURST_BYTES], plain[PLAIN_MAX];
    ssize_t len = recv(fd[at], in, sizeof in, flags);
    size_t n = 0;
    for (size_t i = 0; len > 0 && i + DTLS_HEADER <= (size_t)len; n++) {
        size_t record = DTLS_HEADER + (size_t)(in[i + 11] << 8 | in[i + 12]);
        if (record > (size_t)len - i || l->open(at, in + i, record, plain, sizeof plain) == 0)
            die("a record did not open");
        i += record;
    }
    return n;
}

/* A burst there, an answer back. Returns the records that arrived. */
static size_t turn(const layer *l, size_t plain_len, size_t burst)
{
    static uint8_t plain[PLAIN_MAX], out[BURST_BYTES];
    size_t len = 0, n = 0, record = 0;
    for (size_t i = 0; i < burst; i++) {
        record = l->seal(0, plain, plain_len, out + len, sizeof out - len);
        len += record;
    }
    if (!bench_send_burst(fd[0], out, len, record))
        die("send");
    while (n < burst)
        n += take(l, 1, 0);
    len = l->seal(1, plain, ANSWER, out, sizeof out);
    if (!bench_send_burst(fd[1], out, len, len))
        die("send");
    (void)take(l, 0, 0);
    return n;
}

int main(int argc, char **argv)
{
    const layer *l = argc == 6 && strcmp(argv[1], "openssl") == 0 ? &layers[0] : &layers[1];
    if (argc != 6 || strcmp(argv[1], l->name) != 0) {
        fprintf(stderr, "usage: bench_dtls_bare openssl|peerline PLAIN_BYTES DATA_BYTES BURST SECONDS\n");
        return 2;
    }
    size_t plain = (size_t)atol(argv[2]), data = (size_t)atol(argv[3]), burst = (size_t)atol(argv[4]), n = 0;
    if (plain == 0 || plain > PLAIN_MAX || burst == 0 || burst > SEGMENTS_MAX ||
        burst * (plain + PL_DTLS_OVERHEAD) > BURST_BYTES) {
        fprintf(stderr, "bench_dtls_bare: a burst has at most %d records in %d bytes\n", SEGMENTS_MAX,
                BURST_BYTES);
        return 2;
    }
    open_sockets();
    l->connect();
    double wall = clock_s(CLOCK_MONOTONIC), cpu = clock_s(CLOCK_PROCESS_CPUTIME_ID), now = wall;
    for (; now - wall < atof(argv[5]); now = clock_s(CLOCK_MONOTONIC))
        n += turn(l, plain, burst);
    cpu = clock_s(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    double bytes = (double)(n * data);
    printf("{\"bench\":\"throughput\",\"lib\":\"bare "
           "%s\",\"packet\":%zu,\"mbit_s\":%.1f,\"cpu_s_per_GB\":%.2f}\n",
           l->name, plain, bytes * 8e-6 / (now - wall), cpu / (bytes * 1e-9));
    return 0;
}
