/* DTLS sessions against each other in memory, over a link that loses, doubles and cuts. */
#include "pl_test.h"

#include <time.h>
#include <unistd.h>

#include "base/rand.h"
#include "crypto/cert.h"
#include "net/loop.h"
#include "net/tls_dgram.h"

enum { MTU = 400, ROUNDS_MAX = 1200 };

typedef struct world {
    char cert_file[32];
    pl_tls_ctx *server_ctx, *client_ctx;
    pl_tls_listener *listener;
    pl_tls_dgram *server, *client;
    pl_addr from;
    size_t n_answers, answer_bytes, hello_bytes, longest;
    uint32_t loss_percent;
    pl_rand_seeded seed;
    pl_rand rand;
    char heard[2][2000]; /* by client, by server */
    size_t n_heard[2];
} world;

static void write_cert(char name[32])
{
    pl_cert *cert;
    pl_buf pem = pl_buf_init(1 << 16);
    snprintf(name, 32, "/tmp/pl-dtls-XXXXXX");
    int fd = mkstemp(name);
    PL_EQ(pl_cert_new(&cert, &(pl_cert_conf){ .now_s = time(NULL) }), PL_OK);
    PL_EQ(pl_cert_write_pem(cert, &pem), PL_OK);
    PL_EQ(write(fd, pem.p, pem.n), pem.n);
    close(fd);
    pl_cert_free(cert);
    pl_buf_clear(&pem);
}

static void world_init(world *w)
{
    *w = (world){ .from = { .family = PL_AF_IP4, .ip = { 192, 0, 2, 1 }, .port = 4000 } };
    write_cert(w->cert_file);
    pl_tls_conf server = {
        .server = true, .datagrams = true, .cert_file = w->cert_file, .alpn = "stun.nat-discovery,stun.turn"
    };
    pl_tls_conf client = { .datagrams = true, .ca_file = w->cert_file, .alpn = "h2,stun.turn" };
    PL_EQ(pl_tls_ctx_new(&w->server_ctx, &server), PL_OK);
    PL_EQ(pl_tls_ctx_new(&w->client_ctx, &client), PL_OK);
    PL_EQ(pl_tls_listener_new(&w->listener, w->server_ctx, MTU), PL_OK);
    PL_EQ(pl_tls_dgram_new(&w->client, w->client_ctx, NULL, MTU, pl_clock_us()), PL_OK);
}

static void world_clear(world *w)
{
    pl_tls_dgram_free(w->client);
    pl_tls_dgram_free(w->server);
    pl_tls_listener_free(w->listener);
    pl_tls_ctx_free(w->client_ctx);
    pl_tls_ctx_free(w->server_ctx);
    unlink(w->cert_file);
}

static void hear(world *w, int who, pl_tls_dgram *s)
{
    size_t n;
    while (pl_tls_dgram_poll_data(s, (uint8_t *)w->heard[who] + w->n_heard[who],
                                  sizeof w->heard[who] - w->n_heard[who], &n))
        w->n_heard[who] += n;
}

static bool lost(world *w, size_t len)
{
    w->longest = len > w->longest ? len : w->longest;
    return w->loss_percent && pl_rand_below(&w->rand, 100) < w->loss_percent;
}

static void to_server(world *w, const uint8_t *pkt, size_t len)
{
    uint8_t answer[PL_TLS_COOKIE_ANSWER_MAX];
    size_t n;
    if (w->server) {
        PL_EQ(pl_tls_dgram_input(w->server, pl_clock_us(), pkt, len), PL_OK);
        hear(w, 1, w->server);
        return;
    }
    pl_tls_listen(w->listener, pl_clock_us(), &w->from, pkt, len, answer, &n, &w->server);
    if (!n)
        return;
    w->n_answers++;
    w->answer_bytes += n;
    w->hello_bytes += len;
    PL_EQ(pl_tls_dgram_input(w->client, pl_clock_us(), answer, n), PL_OK);
}

/* One exchange both ways; false when nobody had anything to say. */
static bool carry(world *w)
{
    uint8_t pkt[2000];
    size_t n;
    bool any = false;
    while (pl_tls_dgram_poll_output(w->client, pkt, sizeof pkt, &n)) {
        any = true;
        if (!lost(w, n))
            to_server(w, pkt, n);
    }
    while (w->server && pl_tls_dgram_poll_output(w->server, pkt, sizeof pkt, &n)) {
        any = true;
        if (lost(w, n))
            continue;
        PL_EQ(pl_tls_dgram_input(w->client, pl_clock_us(), pkt, n), PL_OK);
        hear(w, 0, w->client);
    }
    return any;
}

static void settle(world *w)
{
    while (carry(w))
        ;
}

static bool both_ready(const world *w)
{
    return w->server && pl_tls_dgram_is_ready(w->client) && pl_tls_dgram_is_ready(w->server);
}

PL_TEST(they_shake_hands_and_talk_in_records)
{
    world w;
    world_init(&w);
    PL_EQ(pl_tls_dgram_write(w.client, "x", 1), PL_EAGAIN);
    PL_LE(pl_tls_dgram_next_us(w.client), pl_clock_us() + PL_TLS_DGRAM_RTO_US + PL_MS(50));
    settle(&w);
    PL_OKAY(both_ready(&w));
    PL_EQ(w.n_answers, 1);
    PL_LE(w.answer_bytes, w.hello_bytes); /* no amplification before the cookie */
    PL_LE(w.longest, MTU);
    PL_EQ(pl_tls_dgram_next_us(w.client), PL_NEVER);
    PL_OKAY(pl_str_is(pl_tls_dgram_alpn(w.server), PL_TLS_ALPN_TURN));
    PL_OKAY(pl_str_is(pl_tls_dgram_alpn(w.client), PL_TLS_ALPN_TURN));
    PL_EQ(pl_tls_dgram_write(w.client, "hello", 5), PL_OK);
    PL_EQ(pl_tls_dgram_write(w.client, "again", 5), PL_OK);
    uint8_t first[200], second[200];
    size_t n1, n2;
    PL_OKAY(!pl_tls_dgram_poll_output(w.client, first, 5, &n1)); /* no room: it stays */
    PL_OKAY(pl_tls_dgram_poll_output(w.client, first, sizeof first, &n1));
    PL_OKAY(pl_tls_dgram_poll_output(w.client, second, sizeof second, &n2));
    PL_LE(n1, 5 + PL_TLS_DGRAM_OVERHEAD);
    to_server(&w, second, n2); /* overtaken, and doubled: each is heard once */
    to_server(&w, first, n1);
    to_server(&w, first, n1);
    PL_EQ(w.n_heard[1], 10);
    PL_MEMEQ(w.heard[1], "againhello", 10);
    PL_EQ(pl_tls_dgram_write(w.server, "answer", 6), PL_OK);
    settle(&w);
    PL_MEMEQ(w.heard[0], "answer", 6);
    PL_EQ(pl_tls_dgram_write(w.server, first, 0), PL_EINVAL);
    pl_tls_dgram_shutdown(w.client);
    settle(&w);
    PL_OKAY(pl_tls_dgram_has_ended(w.server));
    PL_EQ(pl_tls_dgram_write(w.server, "x", 1), PL_EPROTO);
    world_clear(&w);
}

/* A fifth of all datagrams is lost: the timer brings the handshake to its end. */
PL_TEST(loss_is_repaired_by_the_timer)
{
    world w;
    world_init(&w);
    w.loss_percent = 20;
    w.rand = pl_rand_seed(&w.seed, pl_test_seed(20));
    for (int i = 0; i < ROUNDS_MAX && !both_ready(&w); i++) {
        settle(&w);
        PL_EQ(pl_tls_dgram_tick(w.client, pl_clock_us()), PL_OK);
        if (w.server)
            PL_EQ(pl_tls_dgram_tick(w.server, pl_clock_us()), PL_OK);
        usleep(20000);
    }
    PL_OKAY(both_ready(&w));
    world_clear(&w);
}

PL_TEST(strangers_and_junk_cost_nothing)
{
    world w;
    world_init(&w);
    uint8_t pkt[2000], answer[PL_TLS_COOKIE_ANSWER_MAX];
    pl_tls_dgram *got;
    size_t n, len, out;
    PL_OKAY(pl_tls_dgram_poll_output(w.client, pkt, sizeof pkt, &len));
    for (size_t cut = 0; cut < len; cut++) { /* truncated hellos */
        pl_tls_listen(w.listener, 0, &w.from, pkt, cut, answer, &n, &got);
        PL_OKAY(!got);
        PL_LE(n, cut);
    }
    pl_rand_seeded seed;
    pl_rand rand = pl_rand_seed(&seed, pl_test_seed(3));
    for (int i = 0; i < 3000; i++) { /* damaged ones */
        uint8_t bad[2000];
        memcpy(bad, pkt, len);
        for (int k = 0; k < 3; k++)
            bad[pl_rand_below(&rand, (uint32_t)len)] = (uint8_t)pl_rand_u32(&rand);
        pl_tls_listen(w.listener, 0, &w.from, bad, len, answer, &n, &got);
        PL_OKAY(!got);
        PL_LE(n, len);
    }
    /* A cookie is good for the address it was given to, and for no other. */
    pl_tls_listen(w.listener, 0, &w.from, pkt, len, answer, &n, &got);
    PL_OKAY(n > 0);
    PL_EQ(pl_tls_dgram_input(w.client, pl_clock_us(), answer, n), PL_OK);
    /* A second may have passed: then the first hello goes once more, before the one with the cookie. */
    PL_OKAY(pl_tls_dgram_poll_output(w.client, pkt, sizeof pkt, &len));
    while (pl_tls_dgram_poll_output(w.client, pkt, sizeof pkt, &out))
        len = out;
    pl_addr other = w.from;
    other.port++;
    pl_tls_listen(w.listener, 0, &other, pkt, len, answer, &out, &got);
    PL_OKAY(!got && out > 0);
    pl_tls_listen(w.listener, 0, &w.from, pkt, len, answer, &out, &got);
    PL_OKAY(got && out == 0);
    w.server = got;
    settle(&w);
    PL_OKAY(both_ready(&w));
    uint8_t junk[] = { 23, 254, 253, 0, 1, 0, 0, 0, 0, 0, 99, 0, 3, 1, 2, 3 };
    PL_EQ(pl_tls_dgram_input(w.server, pl_clock_us(), junk, sizeof junk), PL_OK); /* forged: dropped */
    hear(&w, 1, w.server);
    PL_OKAY(both_ready(&w));
    world_clear(&w);
}

PL_TEST(a_certificate_of_nobody_is_refused)
{
    world w;
    world_init(&w);
    char other[32];
    write_cert(other);
    pl_tls_dgram_free(w.client);
    pl_tls_ctx_free(w.client_ctx);
    pl_tls_conf conf = { .datagrams = true, .ca_file = other };
    PL_EQ(pl_tls_ctx_new(&w.client_ctx, &conf), PL_OK);
    PL_EQ(pl_tls_dgram_new(&w.client, w.client_ctx, NULL, MTU, pl_clock_us()), PL_OK);
    pl_err err = PL_OK;
    uint8_t pkt[2000];
    size_t n;
    for (int i = 0; i < 20 && !err; i++) {
        while (pl_tls_dgram_poll_output(w.client, pkt, sizeof pkt, &n))
            to_server(&w, pkt, n);
        while (!err && w.server && pl_tls_dgram_poll_output(w.server, pkt, sizeof pkt, &n))
            err = pl_tls_dgram_input(w.client, pl_clock_us(), pkt, n);
    }
    PL_EQ(err, PL_EPROTO);
    PL_OKAY(!pl_tls_dgram_is_ready(w.client));
    PL_OKAY(pl_tls_dgram_poll_output(w.client, pkt, sizeof pkt, &n)); /* the alert */
    unlink(other);
    world_clear(&w);
}

/* A new certificate is a new context; sessions and listeners of the old one go on. */
PL_TEST(contexts_are_renewed_under_living_sessions)
{
    world w;
    world_init(&w);
    settle(&w);
    PL_OKAY(both_ready(&w));
    pl_tls_ctx_free(w.server_ctx);
    w.server_ctx = NULL;
    pl_tls_listener_free(w.listener);
    w.listener = NULL;
    PL_EQ(pl_tls_dgram_write(w.server, "still", 5), PL_OK);
    settle(&w);
    PL_MEMEQ(w.heard[0], "still", 5);
    world_clear(&w);
}

PL_TEST(patience_ends)
{
    world w;
    world_init(&w);
    int64_t now_us = pl_clock_us();
    PL_EQ(pl_tls_dgram_tick(w.client, now_us + PL_SEC(5)), PL_OK);
    PL_EQ(pl_tls_dgram_tick(w.client, now_us + PL_TLS_DGRAM_PATIENCE_US + 1), PL_EPROTO);
    PL_EQ(pl_tls_dgram_next_us(w.client), PL_NEVER);
    world_clear(&w);
}

PL_TESTS(t(they_shake_hands_and_talk_in_records), t(loss_is_repaired_by_the_timer),
         t(strangers_and_junk_cost_nothing), t(a_certificate_of_nobody_is_refused),
         t(contexts_are_renewed_under_living_sessions), t(patience_ends))
