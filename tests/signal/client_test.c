/* The room client over both protocols, and over TLS, against the server on one loop. */
#include "pl_test.h"

#include <unistd.h>

#include "base/time.h"
#include "crypto/cert.h"
#include "net/loop.h"
#include "peerline/log.h"
#include "signal/client.h"
#include "signal/http_server.h"
#include "signal/wire.h"

enum { HEARD_MAX = 400 };

typedef struct person {
    pl_room_client *client;
    pl_peer_id id;
    size_t n_peers, n_joined, n_left, n_closed, n_messages, n_signed_in;
    pl_peer_id last_peer, last_from;
    char last_name[80], text[HEARD_MAX][40], first_peer[80];
    pl_err err;
    bool again, signed_in, closed, heard;
} person;

typedef struct world {
    pl_loop *loop;
    pl_http_server *server;
    pl_addr at;
} world;

static void on_signed_in(void *user, pl_peer_id id, const pl_room_peer *peers, size_t n)
{
    person *p = user;
    p->id = id;
    p->n_peers = n;
    p->n_signed_in++;
    p->signed_in = true;
    if (n)
        snprintf(p->first_peer, sizeof p->first_peer, "%u %s", peers[0].id, peers[0].name);
}

static void on_joined(void *user, const pl_room_peer *peer)
{
    person *p = user;
    p->n_joined++;
    p->last_peer = peer->id;
    snprintf(p->last_name, sizeof p->last_name, "%s", peer->name);
}

static void on_left(void *user, const pl_room_peer *peer)
{
    person *p = user;
    p->n_left++;
    p->last_peer = peer->id;
}

static void on_message(void *user, pl_peer_id from, const char *text, size_t len)
{
    person *p = user;
    PL_EQ(text[len], 0);
    p->last_from = from;
    if (p->n_messages < HEARD_MAX)
        snprintf(p->text[p->n_messages], sizeof p->text[0], "%s", text);
    p->n_messages++;
    p->heard = true;
}

static void on_closed(void *user, pl_err err, const char *why, bool again)
{
    person *p = user;
    PL_OKAY(why[0]);
    p->err = err;
    p->again = again;
    p->n_closed++;
    p->closed = true;
    p->signed_in = false;
}

static const pl_room_client_events events = { on_signed_in, on_joined, on_left, on_message, on_closed };

static world world_new(pl_http_server_conf conf)
{
    world w = { 0 };
    PL_EQ(pl_loop_new(&w.loop, NULL), PL_OK);
    conf.listen[0] = (pl_addr){ .family = PL_AF_IP4, .ip = { 127, 0, 0, 1 } };
    conf.n_listen = 1;
    PL_EQ(pl_http_server_new(&w.server, w.loop, &conf), PL_OK);
    w.at = *pl_http_server_addr(w.server, 0);
    return w;
}

static void world_free(world *w)
{
    pl_http_server_free(w->server);
    pl_loop_free(w->loop);
}

static void join(world *w, person *p, const char *scheme, const char *name)
{
    char url[80];
    snprintf(url, sizeof url, "%s://127.0.0.1:%u", scheme, w->at.port);
    *p = (person){ 0 };
    pl_room_client_conf conf = { .url = url, .name = name, .on = events, .user = p };
    PL_EQ(pl_room_client_new(&p->client, w->loop, &conf), PL_OK);
    PL_OKAY(wire_turn(w->loop, &p->signed_in));
    PL_EQ(pl_room_client_id(p->client), p->id);
}

static void turn_until(world *w, const size_t *counter, size_t n)
{
    for (int i = 0; i < 4000 && *counter < n; i++)
        (void)pl_loop_run_once(w->loop, 5000);
    PL_EQ(*counter, n);
}

static pl_err say(person *p, pl_peer_id to, const char *text)
{
    return pl_room_client_send(p->client, to, text, strlen(text));
}

/* The same conversation whatever carries it. */
static void talk(const char *scheme_of_ann, const char *scheme_of_bob)
{
    world w = world_new((pl_http_server_conf){ .rate = 10000, .burst = 10000 });
    person ann, bob;
    join(&w, &ann, scheme_of_ann, "Ann é");
    PL_EQ(ann.n_peers, 0);
    join(&w, &bob, scheme_of_bob, "Bob");
    PL_EQ(bob.n_peers, 1);
    PL_STREQ(bob.first_peer, "1 Ann é");
    turn_until(&w, &ann.n_joined, 1);
    PL_EQ(ann.last_peer, bob.id);
    PL_STREQ(ann.last_name, "Bob");

    enum { N = 100 };
    for (int i = 0; i < N; i++) {
        char text[40];
        snprintf(text, sizeof text, "%d {\"type\":\"offer\"}\r\n", i);
        PL_EQ(say(&ann, bob.id, text), PL_OK);
        PL_EQ(say(&bob, ann.id, text), PL_OK);
    }
    turn_until(&w, &bob.n_messages, N);
    turn_until(&w, &ann.n_messages, N);
    for (int i = 0; i < N; i++) {
        PL_EQ(strtol(ann.text[i], NULL, 10), i);
        PL_EQ(strtol(bob.text[i], NULL, 10), i);
        PL_OKAY(strstr(bob.text[i], " {\"type\":\"offer\"}\r\n"));
    }
    PL_EQ(ann.last_from, bob.id);
    PL_EQ(say(&ann, 99, "nobody"), PL_OK); /* one that is not there costs nothing else */

    PL_EQ(say(&bob, ann.id, "last words"), PL_OK);
    pl_room_client_sign_out(bob.client);
    PL_EQ(say(&bob, ann.id, "too late"), PL_ESTATE);
    PL_OKAY(wire_turn(w.loop, &bob.closed));
    PL_EQ(bob.err, PL_OK);
    PL_OKAY(!bob.again);
    turn_until(&w, &ann.n_left, 1);
    PL_EQ(ann.n_messages, N + 1);
    PL_STREQ(ann.text[N], "last words");
    PL_EQ(ann.n_closed, 0);
    pl_room_client_free(bob.client);
    pl_room_client_free(ann.client);
    world_free(&w);
}

PL_TEST(both_over_the_classic_protocol)
{
    talk("http", "http");
}

PL_TEST(both_over_websocket)
{
    talk("ws", "ws");
}

PL_TEST(one_of_each)
{
    talk("http", "ws");
    talk("ws", "http");
}

PL_TEST(a_text_of_the_greatest_size)
{
    world w = world_new((pl_http_server_conf){ 0 });
    static char text[PL_ROOMS_MESSAGE_MAX + 1];
    person p[2];
    join(&w, &p[0], "http", "a");
    join(&w, &p[1], "ws", "b");
    memset(text, 'x', sizeof text);
    for (int i = 0; i < 2; i++) {
        PL_EQ(pl_room_client_send(p[i].client, p[!i].id, text, sizeof text), PL_ENOSPC);
        PL_EQ(pl_room_client_send(p[i].client, p[!i].id, text, sizeof text - 1), PL_OK);
        PL_EQ(pl_room_client_send(p[i].client, p[!i].id, "\xff", 1), PL_EINVAL);
        turn_until(&w, &p[!i].n_messages, 1);
    }
    pl_room_client_free(p[0].client);
    pl_room_client_free(p[1].client);
    world_free(&w);
}

static void come_back(const char *scheme)
{
    world w = world_new((pl_http_server_conf){ 0 });
    person ann;
    join(&w, &ann, scheme, "ann");
    pl_rooms_sign_out(pl_http_server_rooms(w.server), 0, ann.id); /* as the server's idle time would */
    pl_http_server_conf again = { .n_listen = 1, .listen = { w.at } };
    pl_http_server_free(w.server);
    PL_OKAY(wire_turn(w.loop, &ann.closed));
    PL_OKAY(ann.again);
    PL_EQ(ann.err, PL_EIO);
    PL_EQ(pl_room_client_id(ann.client), 0);
    PL_EQ(say(&ann, 1, "x"), PL_ESTATE);
    PL_EQ(pl_http_server_new(&w.server, w.loop, &again), PL_OK);
    PL_OKAY(wire_turn(w.loop, &ann.signed_in));
    PL_EQ(ann.n_signed_in, 2);
    pl_room_client_free(ann.client);
    world_free(&w);
}

PL_TEST(a_lost_server_is_found_again)
{
    come_back("ws");
    come_back("http");
}

static void refuse(world *w, const char *url, const char *name, pl_err err, bool again)
{
    person p = { 0 };
    pl_room_client_conf conf = { .url = url, .name = name, .on = events, .user = &p };
    PL_EQ(pl_room_client_new(&p.client, w->loop, &conf), PL_OK);
    PL_OKAY(wire_turn(w->loop, &p.closed));
    if (p.err != err || p.again != again)
        print_error("%s: %s\n", url, pl_err_str(p.err));
    PL_EQ(p.err, err);
    PL_EQ(p.again, again);
    pl_room_client_free(p.client);
}

PL_TEST(what_goes_wrong_is_told)
{
    world w = world_new((pl_http_server_conf){ .rooms.max_peers = 1 });
    person first;
    char url[100];
    refuse(&w, "http://127.0.0.1:1", "a", PL_EIO, true);
    refuse(&w, "ws://127.0.0.1:1", "a", PL_EIO, true);
    snprintf(url, sizeof url, "ws://127.0.0.1:%u/elsewhere", w.at.port);
    refuse(&w, url, "a", PL_EPROTO, false);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/elsewhere", w.at.port);
    refuse(&w, url, "a", PL_EPROTO, false);
    join(&w, &first, "ws", "first");
    snprintf(url, sizeof url, "ws://127.0.0.1:%u", w.at.port);
    refuse(&w, url, "b", PL_ENOSPC, true);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", w.at.port);
    refuse(&w, url, "b", PL_ENOSPC, true);
    pl_room_client_free(first.client);

    static const char *const bad[] = { "",           "127.0.0.1:8888", "ftp://x",        "http://",
                                       "http://:80", "http://x:0",     "http://x:70000", "http://a@b/",
                                       "ws://[::1" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        pl_room_client_conf conf = { .url = bad[i], .name = "a" };
        PL_EQ(pl_room_client_new(&first.client, w.loop, &conf), PL_EINVAL);
    }
    pl_room_client_conf nameless = { .url = "http://x", .name = "" };
    PL_EQ(pl_room_client_new(&first.client, w.loop, &nameless), PL_EINVAL);
    world_free(&w);
}

PL_TEST(a_client_can_be_freed_at_any_moment)
{
    world w = world_new((pl_http_server_conf){ 0 });
    static const char *const scheme[] = { "http", "ws" };
    char url[80];
    for (int i = 0; i < 2; i++) {
        snprintf(url, sizeof url, "%s://127.0.0.1:%u", scheme[i], w.at.port);
        for (int turns = 0; turns < 12; turns++) {
            person p = { 0 };
            pl_room_client_conf conf = { .url = url, .name = "a", .on = events, .user = &p };
            PL_EQ(pl_room_client_new(&p.client, w.loop, &conf), PL_OK);
            for (int k = 0; k < turns; k++)
                (void)pl_loop_run_once(w.loop, 1000);
            pl_room_client_free(p.client);
        }
    }
    world_free(&w);
}

/* A certificate that nobody vouches for is refused; the bytes on the wire are TLS both ways. */
PL_TEST(tls)
{
    char cert_file[] = "/tmp/pl-cert-XXXXXX", key_file[] = "/tmp/pl-key-XXXXXX";
    int cert_fd = mkstemp(cert_file), key_fd = mkstemp(key_file);
    pl_cert *cert;
    pl_buf pem = pl_buf_init(1 << 16);
    PL_EQ(pl_cert_new(&cert, &(pl_cert_conf){ 0 }), PL_OK);
    PL_EQ(pl_cert_write_pem(cert, &pem), PL_OK);
    PL_EQ(write(cert_fd, pem.p, pem.n), pem.n); /* certificate and key in one text; each file has both */
    PL_EQ(write(key_fd, pem.p, pem.n), pem.n);
    close(cert_fd);
    close(key_fd);
    world w = world_new((pl_http_server_conf){ .tls_cert = cert_file, .tls_key = key_file });
    char url[80];
    snprintf(url, sizeof url, "wss://127.0.0.1:%u", w.at.port);
    refuse(&w, url, "a", PL_EPROTO, false);
    snprintf(url, sizeof url, "https://127.0.0.1:%u", w.at.port);
    refuse(&w, url, "a", PL_EIO, true);
    PL_EQ(wire_status(w.loop, &w.at, "GET / HTTP/1.1\r\n\r\n"), 0);
    pl_buf_clear(&pem);
    pl_cert_free(cert);
    unlink(cert_file);
    unlink(key_file);
    world_free(&w);
}

PL_TESTS(t(both_over_the_classic_protocol), t(both_over_websocket), t(one_of_each),
         t(a_text_of_the_greatest_size), t(a_lost_server_is_found_again), t(what_goes_wrong_is_told),
         t(a_client_can_be_freed_at_any_moment), t(tls))
