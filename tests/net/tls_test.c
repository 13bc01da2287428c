/* TLS sessions against each other in memory: they talk, and only with whom they trust. */
#include "pl_test.h"

#include <time.h>
#include <unistd.h>

#include "crypto/cert.h"
#include "net/tls.h"
#include "peerline/log.h"

typedef struct world {
    char cert_file[32];
    pl_tls_ctx *server_ctx, *client_ctx;
    pl_tls *server, *client;
    pl_buf at_server, at_client; /* plaintext that has arrived */
    bool server_ended, client_ended;
} world;

static void write_cert(char name[32])
{
    pl_cert *cert;
    pl_buf pem = pl_buf_init(1 << 16);
    snprintf(name, 32, "/tmp/pl-tls-XXXXXX");
    int fd = mkstemp(name);
    PL_EQ(pl_cert_new(&cert, &(pl_cert_conf){ .now_s = time(NULL) }), PL_OK);
    PL_EQ(pl_cert_write_pem(cert, &pem), PL_OK);
    PL_EQ(write(fd, pem.p, pem.n), pem.n);
    close(fd);
    pl_cert_free(cert);
    pl_buf_clear(&pem);
}

/* ca_of: the file the client trusts; NULL: the server's own certificate. */
static void world_init(world *w, const char *ca_of, const char *host)
{
    *w = (world){ .at_server = pl_buf_init(1 << 20), .at_client = pl_buf_init(1 << 20) };
    write_cert(w->cert_file);
    PL_EQ(pl_tls_server_new(&w->server_ctx, w->cert_file, w->cert_file), PL_OK);
    PL_EQ(pl_tls_client_new(&w->client_ctx, ca_of ? ca_of : w->cert_file), PL_OK);
    PL_EQ(pl_tls_new(&w->server, w->server_ctx, NULL), PL_OK);
    PL_EQ(pl_tls_new(&w->client, w->client_ctx, host), PL_OK);
}

static void world_clear(world *w)
{
    pl_tls_free(w->server);
    pl_tls_free(w->client);
    pl_tls_ctx_free(w->server_ctx);
    pl_tls_ctx_free(w->client_ctx);
    pl_buf_clear(&w->at_server);
    pl_buf_clear(&w->at_client);
    unlink(w->cert_file);
}

/* Carries ciphertext both ways, `step` bytes at a time, until nothing more comes. */
static pl_err carry(world *w, size_t step)
{
    for (;;) {
        pl_buf up = pl_buf_init(1 << 20), down = pl_buf_init(1 << 20);
        pl_err err = PL_OK;
        pl_tls_output(w->client, &up);
        pl_tls_output(w->server, &down);
        bool silent = up.n + down.n == 0;
        for (size_t at = 0; !err && at < up.n; at += step)
            err = pl_tls_input(w->server, (uint8_t *)up.p + at, step < up.n - at ? step : up.n - at,
                               &w->at_server, &w->server_ended);
        for (size_t at = 0; !err && at < down.n; at += step)
            err = pl_tls_input(w->client, (uint8_t *)down.p + at, step < down.n - at ? step : down.n - at,
                               &w->at_client, &w->client_ended);
        pl_buf_clear(&up);
        pl_buf_clear(&down);
        if (err || silent)
            return err;
    }
}

PL_TEST(they_talk_and_say_goodbye)
{
    static char big[100000];
    memset(big, 'x', sizeof big);
    for (size_t step = 1; step < 70000; step = step * 40 + 1) {
        world w;
        world_init(&w, NULL, NULL);
        PL_EQ(pl_tls_write(w.client, "early", 5), PL_EAGAIN);
        PL_EQ(carry(&w, step), PL_OK);
        PL_OKAY(pl_tls_is_ready(w.client) && pl_tls_is_ready(w.server));
        PL_EQ(pl_tls_write(w.client, "GET / HTTP/1.1", 14), PL_OK);
        PL_EQ(pl_tls_write(w.server, big, sizeof big), PL_OK);
        PL_EQ(carry(&w, step), PL_OK);
        PL_EQ(w.at_server.n, 14);
        PL_MEMEQ(w.at_server.p, "GET / HTTP/1.1", 14);
        PL_EQ(w.at_client.n, sizeof big);
        PL_MEMEQ(w.at_client.p, big, sizeof big);
        pl_tls_shutdown(w.server);
        PL_EQ(carry(&w, step), PL_OK);
        PL_OKAY(w.client_ended);
        world_clear(&w);
    }
}

PL_TEST(a_client_trusts_only_whom_it_should)
{
    world w;
    char other[32];
    write_cert(other);
    world_init(&w, other, NULL); /* signed by somebody else */
    PL_EQ(carry(&w, 100000), PL_EPROTO);
    PL_OKAY(!pl_tls_is_ready(w.client));
    world_clear(&w);
    unlink(other);
    static const char *const hosts[] = { "wrong.example", "192.0.2.1" };
    for (int i = 0; i < 2; i++) {
        world_init(&w, NULL, hosts[i]); /* trusted, but it names another host */
        PL_EQ(carry(&w, 100000), PL_EPROTO);
        world_clear(&w);
    }
}

PL_TEST(junk_ends_the_session)
{
    world w;
    static const uint8_t junk[] = "GET / HTTP/1.1\r\n\r\n";
    world_init(&w, NULL, NULL);
    PL_EQ(pl_tls_input(w.server, junk, sizeof junk, &w.at_server, &w.server_ended), PL_EPROTO);
    world_clear(&w);
}

PL_TEST(wrong_files_are_refused)
{
    pl_tls_ctx *ctx;
    char a[32], b[32];
    write_cert(a);
    write_cert(b);
    pl_log_to(NULL, NULL, PL_LOG_OFF);
    PL_EQ(pl_tls_server_new(&ctx, "/nowhere", a), PL_EINVAL);
    PL_EQ(pl_tls_server_new(&ctx, a, "/dev/null"), PL_EINVAL);
    PL_EQ(pl_tls_server_new(&ctx, a, b), PL_EINVAL); /* the key of another */
    PL_EQ(pl_tls_client_new(&ctx, "/nowhere"), PL_EINVAL);
    PL_OKAY(!ctx);
    unlink(a);
    unlink(b);
}

PL_TESTS(t(they_talk_and_say_goodbye), t(a_client_trusts_only_whom_it_should), t(junk_ends_the_session),
         t(wrong_files_are_refused))
