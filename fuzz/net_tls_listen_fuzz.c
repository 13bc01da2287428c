/* What strangers send to a DTLS listener, and what gets between two that talk. The first byte says how many flights of
 * a true handshake go before; then two bytes of length stand before each datagram, so that one input is a conversation. */
#include "net/tls_dgram.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "crypto/cert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static pl_tls_ctx *server_context(void)
{
    char name[] = "/tmp/pl-fuzz-XXXXXX";
    pl_cert *cert;
    pl_tls_ctx *ctx;
    pl_buf pem = pl_buf_init(1 << 16);
    int fd = mkstemp(name);
    if (fd < 0 || pl_cert_new(&cert, &(pl_cert_conf){ .now_s = 1700000000 }) ||
        pl_cert_write_pem(cert, &pem) || write(fd, pem.p, pem.n) != (ssize_t)pem.n)
        abort();
    pl_tls_conf conf = { .server = true, .datagrams = true, .cert_file = name, .alpn = PL_TLS_ALPN_TURN };
    if (pl_tls_ctx_new(&ctx, &conf))
        abort();
    close(fd);
    unlink(name);
    pl_cert_free(cert);
    pl_buf_clear(&pem);
    return ctx;
}

static pl_tls_ctx *client_context(void)
{
    pl_tls_ctx *ctx;
    pl_tls_conf conf = { .datagrams = true, .trust_all = true };
    if (pl_tls_ctx_new(&ctx, &conf))
        abort();
    return ctx;
}

static void converse(pl_tls_dgram *s, int64_t now_us, const uint8_t *pkt, size_t len)
{
    uint8_t buf[20000];
    size_t n;
    pl_err err = pl_tls_dgram_input(s, now_us, pkt, len);
    while (!err && pl_tls_dgram_poll_data(s, buf, sizeof buf, &n))
        ;
    while (pl_tls_dgram_poll_output(s, buf, sizeof buf, &n))
        assert(n > 0);
    if (!err)
        (void)pl_tls_dgram_tick(s, now_us);
}

static const pl_addr from = { .family = PL_AF_IP4, .ip = { 192, 0, 2, 1 }, .port = 1 };

static void to_listener(pl_tls_listener *l, const uint8_t *pkt, size_t len, pl_tls_dgram **out,
                        uint8_t *answer, size_t *n)
{
    pl_tls_listen(l, 0, &from, pkt, len, answer, n, out);
    assert(*n <= len); /* a stranger never gets more than he sent */
    assert(!*out || !*n);
}

/* What the client says now goes to the server, and the other way; whoever is there in the end hears the input. */
static void flight(pl_tls_listener *l, pl_tls_dgram *client, pl_tls_dgram **server)
{
    uint8_t pkt[4000], answer[PL_TLS_COOKIE_ANSWER_MAX];
    size_t len, n = 0;
    while (pl_tls_dgram_poll_output(client, pkt, sizeof pkt, &len)) {
        if (*server)
            (void)!pl_tls_dgram_input(*server, 0, pkt, len);
        else
            to_listener(l, pkt, len, server, answer, &n);
        if (n)
            (void)!pl_tls_dgram_input(client, 0, answer, n);
        n = 0;
    }
    while (*server && pl_tls_dgram_poll_output(*server, pkt, sizeof pkt, &len))
        (void)!pl_tls_dgram_input(client, 0, pkt, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static pl_tls_ctx *server_ctx, *client_ctx;
    uint8_t answer[PL_TLS_COOKIE_ANSWER_MAX];
    pl_tls_listener *l;
    pl_tls_dgram *s = NULL, *client = NULL;
    if (!server_ctx) {
        server_ctx = server_context();
        client_ctx = client_context();
    }
    if (size == 0 || pl_tls_listener_new(&l, server_ctx, 0))
        return 0;
    unsigned n_flights = data[0] % 5;
    if (n_flights > 0 && pl_tls_dgram_new(&client, client_ctx, NULL, 0, 0) == PL_OK) {
        while (n_flights-- > 0)
            flight(l, client, &s);
    }
    data++;
    size--;
    for (int64_t now_us = 0; size >= 2; now_us += 1000) {
        size_t len = (size_t)(data[0] << 8 | data[1]) % 1500, n;
        data += 2;
        size -= 2;
        len = len < size ? len : size;
        if (client)
            converse(client, now_us, data, len);
        if (s)
            converse(s, now_us, data, len);
        else
            to_listener(l, data, len, &s, answer, &n);
        data += len;
        size -= len;
    }
    pl_tls_dgram_free(s);
    pl_tls_dgram_free(client);
    pl_tls_listener_free(l);
    return 0;
}
