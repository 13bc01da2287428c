/* The server on real sockets of loopback: old clients, WebSockets, pages, floods, and leaving in order. */
#include "pl_test.h"

#include "net/loop.h"
#include "peerline/log.h"
#include "signal/http_server.h"
#include "signal/websocket.h"
#include "signal/wire.h"

typedef struct world {
    pl_loop *loop;
    pl_http_server *server;
    pl_addr at;
} world;

static bool file(void *user, pl_str path, pl_http_file *out)
{
    static const uint8_t page[] = "<p>hello</p>";
    (void)user;
    if (!pl_str_is(path, "/"))
        return false;
    *out = (pl_http_file){ .type = "text/html", .data = page, .len = sizeof page - 1, .etag = "\"e1\"" };
    return true;
}

static void status(void *user, pl_buf *out)
{
    (void)user;
    pl_buf_addf(out, "{\"up\":1}");
}

static world world_new(pl_http_server_conf conf)
{
    world w = { 0 };
    PL_EQ(pl_loop_new(&w.loop, NULL), PL_OK);
    PL_EQ(pl_addr_parse(&conf.listen[0], "127.0.0.1:0", 11), PL_OK);
    conf.n_listen = 1;
    conf.file = file;
    conf.status = status;
    PL_EQ(pl_http_server_new(&w.server, w.loop, &conf), PL_OK);
    w.at = *pl_http_server_addr(w.server, 0);
    PL_OKAY(w.at.port != 0);
    return w;
}

static void world_free(world *w)
{
    pl_rooms_check(pl_http_server_rooms(w->server));
    pl_http_server_free(w->server);
    pl_loop_free(w->loop);
}

static const pl_http_server_stats *stats(const world *w)
{
    return pl_http_server_get_stats(w->server);
}

/* One request, one answer, as the old client does it: a connection each. */
static void ask(world *w, const char *request, const char *answer_has)
{
    wire c = wire_open(w->loop, &w->at);
    wire_send(&c, request, strlen(request));
    const char *answer = wire_wait_end(&c);
    if (!strstr(answer, answer_has))
        print_error("%s\ngot\n%s\n", request, answer);
    PL_OKAY(strstr(answer, answer_has));
    wire_close(&c);
}

PL_TEST(old_clients_find_each_other)
{
    world w = world_new((pl_http_server_conf){ 0 });
    ask(&w, "GET /sign_in?ann HTTP/1.0\r\n\r\n", "\r\nPragma: 1\r\n");
    wire ann = wire_open(w.loop, &w.at);
    wire_send(&ann, "GET /wait?peer_id=1 HTTP/1.0\r\n\r\n", 32);
    wire_turn_us(w.loop, 20000);
    PL_EQ(stats(&w)->n_waiting, 1);
    PL_EQ(ann.n, 0);
    ask(&w, "GET /sign_in?bob HTTP/1.0\r\n\r\n", "\r\n\r\nbob,2,1\nann,1,1\n");
    PL_OKAY(strstr(wire_wait_end(&ann), "\r\nPragma: 1\r\n"));
    PL_OKAY(strstr(ann.in, "\r\n\r\nbob,2,1\n"));
    wire_close(&ann);
    ask(&w,
        "POST /message?peer_id=2&to=1 HTTP/1.0\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\n");
    ask(&w, "GET /wait?peer_id=1 HTTP/1.0\r\n\r\n", "\r\nPragma: 2\r\n");
    ask(&w, "GET /sign_out?peer_id=2 HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\n");
    ask(&w, "GET /wait?peer_id=1 HTTP/1.0\r\n\r\n", "\r\n\r\nbob,2,0\n");
    world_free(&w);
}

/* The old client closes its hanging request and opens the next one; the server may see that in any order. */
PL_TEST(a_hanging_request_can_be_opened_again)
{
    world w = world_new((pl_http_server_conf){ 0 });
    ask(&w, "GET /sign_in?ann HTTP/1.0\r\n\r\n", "\r\nPragma: 1\r\n");
    wire old = wire_open(w.loop, &w.at), newer = wire_open(w.loop, &w.at);
    wire_send(&old, "GET /wait?peer_id=1 HTTP/1.0\r\n\r\n", 32);
    wire_turn_us(w.loop, 20000);
    wire_send(&newer, "GET /wait?peer_id=1 HTTP/1.0\r\n\r\n", 32);
    PL_STREQ(wire_wait_end(&old), ""); /* closed without an answer */
    wire_close(&old);
    ask(&w, "GET /sign_in?bob HTTP/1.0\r\n\r\n", "bob,2,1");
    PL_OKAY(strstr(wire_wait_end(&newer), "\r\n\r\nbob,2,1\n"));
    wire_close(&newer);

    wire gone = wire_open(w.loop, &w.at); /* one that dies while it waits takes nothing with it */
    wire_send(&gone, "GET /wait?peer_id=1 HTTP/1.0\r\n\r\n", 32);
    wire_turn_us(w.loop, 20000);
    wire_close(&gone);
    wire_turn_us(w.loop, 20000);
    PL_EQ(stats(&w)->n_waiting, 0);
    ask(&w, "GET /sign_out?peer_id=2 HTTP/1.0\r\n\r\n", "200 OK");
    ask(&w, "GET /wait?peer_id=1 HTTP/1.0\r\n\r\n", "\r\n\r\nbob,2,0\n");
    world_free(&w);
}

PL_TEST(silent_peers_are_signed_out)
{
    world w = world_new((pl_http_server_conf){ .rooms.idle_us = PL_MS(50) });
    ask(&w, "GET /sign_in?ann HTTP/1.0\r\n\r\n", "\r\nPragma: 1\r\n");
    wire_turn_us(w.loop, 150000);
    PL_EQ(pl_rooms_get_stats(pl_http_server_rooms(w.server))->n_peers, 0);
    ask(&w, "GET /wait?peer_id=1 HTTP/1.0\r\n\r\n", "404 Not Found");
    world_free(&w);
}

/* ---- WebSocket ---- */

static const char upgrade[] =
    "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

static void ws_say(wire *c, const char *text)
{
    pl_ws ws;
    pl_buf out = pl_buf_init(1 << 20);
    pl_ws_init(&ws, true, 1000, (pl_rand){ 0 });
    pl_ws_put(&ws, PL_WS_TEXT, text, strlen(text), &out);
    wire_send(c, out.p, out.n);
    pl_buf_clear(&out);
}

static wire ws_open(world *w, const char *name)
{
    char text[100];
    wire c = wire_open(w->loop, &w->at);
    wire_send(&c, upgrade, sizeof upgrade - 1);
    PL_OKAY(wire_wait_for(&c, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"));
    snprintf(text, sizeof text, "{\"type\":\"sign_in\",\"name\":\"%s\"}", name);
    ws_say(&c, text);
    PL_OKAY(wire_wait_for(&c, "\"welcome\""));
    return c;
}

PL_TEST(both_protocols_share_the_rooms)
{
    world w = world_new((pl_http_server_conf){ 0 });
    wire page = ws_open(&w, "page");
    ask(&w, "GET /sign_in?old HTTP/1.0\r\n\r\n", "\r\n\r\nold,2,1\npage,1,1\n");
    PL_OKAY(wire_wait_for(&page, "{\"type\":\"joined\",\"id\":2,\"name\":\"old\"}"));
    ws_say(&page, "{\"type\":\"message\",\"to\":2,\"data\":\"hi\"}");
    ask(&w, "GET /wait?peer_id=2 HTTP/1.0\r\n\r\n", "\r\nPragma: 1\r\n");
    ask(&w, "POST /message?peer_id=2&to=1 HTTP/1.0\r\nContent-Length: 3\r\n\r\nBYE", "200 OK");
    PL_OKAY(wire_wait_for(&page, "{\"type\":\"message\",\"from\":2,\"data\":\"BYE\"}"));
    wire_close(&page); /* its peer goes with its connection */
    ask(&w, "GET /wait?peer_id=2 HTTP/1.0\r\n\r\n", "\r\n\r\npage,1,0\n");
    world_free(&w);
}

PL_TEST(a_thousand_messages_arrive_in_order)
{
    world w = world_new((pl_http_server_conf){ .rate = 100000, .burst = 100000 });
    wire ann = ws_open(&w, "ann"), bob = ws_open(&w, "bob");
    char text[100];
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, "{\"type\":\"message\",\"to\":2,\"data\":\"<%d>\"}", i);
        ws_say(&ann, text);
    }
    PL_OKAY(wire_wait_for(&bob, "<999>"));
    const char *at = bob.in, *end = bob.in + bob.n;
    for (int i = 0; i < 1000; i++) {
        int n = snprintf(text, sizeof text, "<%d>", i);
        at = memmem(at, (size_t)(end - at), "<", 1); /* the next number is the right one */
        PL_OKAY(at && end - at >= n);
        PL_MEMEQ(at, text, (size_t)n);
        at += n;
    }
    wire_close(&ann);
    wire_close(&bob);
    world_free(&w);
}

PL_TEST(dead_and_undecided_websockets_are_closed)
{
    world w = world_new((pl_http_server_conf){ .ping_us = PL_MS(30) });
    wire undecided = wire_open(w.loop, &w.at);
    wire_send(&undecided, upgrade, sizeof upgrade - 1);
    (void)wire_wait_end(&undecided);
    PL_OKAY(wire_wait_for(&undecided, "not signed in"));
    wire_close(&undecided);
    wire dead = ws_open(&w, "dead"); /* answers no ping */
    (void)wire_wait_end(&dead);
    PL_OKAY(dead.ended);
    PL_EQ(stats(&w)->n_timeouts, 1);
    PL_EQ(stats(&w)->n_websockets, 0);
    PL_EQ(pl_rooms_get_stats(pl_http_server_rooms(w.server))->n_peers, 0);
    wire_close(&dead);
    world_free(&w);
}

PL_TEST(broken_frames_get_a_close)
{
    world w = world_new((pl_http_server_conf){ 0 });
    wire c = ws_open(&w, "c");
    wire_send(&c, "\x81\x01x", 3); /* not masked */
    (void)wire_wait_end(&c);
    PL_OKAY(wire_wait_for(&c, "wrong masking"));
    wire_close(&c);
    PL_EQ(wire_status(w.loop, &w.at, "GET /ws HTTP/1.1\r\n\r\n"), 426);
    PL_EQ(wire_status(w.loop, &w.at, "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"), 400);
    world_free(&w);
}

/* ---- pages ---- */

PL_TEST(pages)
{
    world w = world_new((pl_http_server_conf){ 0 });
    static const char two[] =
        "GET / HTTP/1.1\r\nHost: x\r\n\r\nHEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    wire c = wire_open(w.loop, &w.at); /* two on one connection */
    wire_send(&c, two, sizeof two - 1);
    const char *in = wire_wait_end(&c), *second = strstr(in, "</p>HTTP/1.1 200 OK\r\n");
    PL_OKAY(second);
    PL_OKAY(strstr(second, "Content-Length: 12\r\n"));
    PL_OKAY(!strstr(second + 4, "<p>"));
    PL_OKAY(strstr(in, "Content-Security-Policy: default-src 'none'"));
    PL_OKAY(strstr(in, "X-Content-Type-Options: nosniff\r\n"));
    wire_close(&c);
    ask(&w, "GET / HTTP/1.0\r\nIf-None-Match: \"e1\"\r\n\r\n", "HTTP/1.1 304 Not Modified\r\n");
    ask(&w, "GET /status HTTP/1.0\r\n\r\n", "{\"up\":1}");
    ask(&w, "GET /nothing HTTP/1.0\r\n\r\n", "404 Not Found");
    ask(&w, "PUT / HTTP/1.0\r\n\r\n", "Allow: GET");
    world_free(&w);
}

/* ---- who means no good ---- */

PL_TEST(malformed_requests_get_4xx)
{
    world w = world_new((pl_http_server_conf){ .header_us = PL_MS(100) });
    static char long_line[9000];
    snprintf(long_line, sizeof long_line, "GET /%0*d", (int)sizeof long_line - 6, 0);
    PL_EQ(wire_status(w.loop, &w.at, "garbage\r\n\r\n"), 400);
    PL_EQ(wire_status(w.loop, &w.at, "\x01"), 400);
    PL_EQ(wire_status(w.loop, &w.at, long_line), 414);
    PL_EQ(wire_status(w.loop, &w.at, "POST /message HTTP/1.1\r\nContent-Length: 300000\r\n\r\n"), 413);
    PL_EQ(wire_status(w.loop, &w.at, "GET / HT"), 408); /* who writes slowly holds nothing for long */
    PL_EQ(stats(&w)->n_bad, 4);
    PL_EQ(stats(&w)->n_timeouts, 1);
    world_free(&w);
}

/* A byte now and then does not buy more time: a request is whole in time, or refused. */
PL_TEST(who_drips_gets_408)
{
    static const char *const begins[] = {
        "GET / HTTP/1.1\r\nX-Slow: ",
        "POST /message?peer_id=1&to=2 HTTP/1.1\r\nContent-Length: 200000\r\n\r\n",
        "POST /message?peer_id=1&to=2 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n30000\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nX-Slow: ", /* the second of two */
    };
    world w = world_new((pl_http_server_conf){ .header_us = PL_MS(150) });
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++) {
        wire c = wire_open(w.loop, &w.at);
        wire_send(&c, begins[i], strlen(begins[i]));
        int n_sent = 0;
        while (!strstr(c.in, " 408 ") && !c.ended && n_sent < 100000) {
            wire_send(&c, "a", 1);
            n_sent++;
            wire_turn_us(w.loop, 5000);
            (void)wire_wait_for(&c, "");
        }
        PL_OKAY(strstr(c.in, " 408 "));
        PL_EQ(stats(&w)->n_timeouts, i + 1);
        wire_close(&c);
    }
    wire silent = wire_open(w.loop, &w.at); /* says nothing at all */
    (void)wire_wait_end(&silent);
    PL_OKAY(silent.ended);
    wire_close(&silent);
    PL_EQ(pl_rooms_get_stats(pl_http_server_rooms(w.server))->n_peers, 0);
    world_free(&w);
}

/* Each piece alone, and all in one: the answers are the same. */
PL_TEST(requests_cut_anywhere)
{
    static const char two[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\nHEAD / HTTP/1.1\r\nConnection: close\r\n\r\n";
    world w = world_new((pl_http_server_conf){ .rate = 100000, .burst = 100000 });
    char whole[2048] = "";
    for (size_t cut = 0; cut < sizeof two - 1; cut++) {
        wire c = wire_open(w.loop, &w.at);
        if (cut)
            wire_send(&c, two, cut);
        wire_turn_us(w.loop, 1000);
        wire_send(&c, two + cut, sizeof two - 1 - cut);
        (void)wire_wait_end(&c);
        if (cut == 0)
            snprintf(whole, sizeof whole, "%s", c.in);
        PL_OKAY(whole[0]);
        PL_STREQ(c.in, whole);
        wire_close(&c);
    }
    world_free(&w);
}

PL_TEST(floods_get_429)
{
    world w = world_new((pl_http_server_conf){ .rate = 1, .burst = 5, .max_per_address = 20 });
    int n_ok = 0;
    for (int i = 0; i < 12; i++) {
        int s = wire_status(w.loop, &w.at, "GET /sign_in?x HTTP/1.0\r\n\r\n");
        PL_OKAY(s == 200 || s == 429);
        n_ok += s == 200;
    }
    PL_LE(n_ok, 7);
    PL_GE(stats(&w)->n_too_many, 5);
    world_free(&w);

    w = world_new((pl_http_server_conf){ .max_per_address = 3 });
    wire open[3];
    for (int i = 0; i < 3; i++)
        open[i] = wire_open(w.loop, &w.at);
    wire_turn_us(w.loop, 20000);
    PL_EQ(wire_status(w.loop, &w.at, "GET / HTTP/1.0\r\n\r\n"), 429);
    for (int i = 0; i < 3; i++)
        wire_close(&open[i]);
    wire_turn_us(w.loop, 20000);
    PL_EQ(wire_status(w.loop, &w.at, "GET / HTTP/1.0\r\n\r\n"), 200);
    world_free(&w);
}

static void set(void *user)
{
    *(bool *)user = true;
}

PL_TEST(leaving_lets_answers_finish)
{
    world w = world_new((pl_http_server_conf){ 0 });
    wire page = ws_open(&w, "page"), idle = wire_open(w.loop, &w.at), busy = wire_open(w.loop, &w.at);
    wire_send(&busy, "GET / HTTP/1.0\r\n", 16);
    wire_turn_us(w.loop, 20000);
    bool done = false;
    pl_http_server_drain(w.server, set, &done);
    (void)wire_wait_end(&page);
    PL_OKAY(wire_wait_for(&page, "server goes"));
    PL_STREQ(wire_wait_end(&idle), "");
    PL_OKAY(!done);
    wire_send(&busy, "\r\n", 2);
    PL_OKAY(strstr(wire_wait_end(&busy), "<p>hello</p>"));
    wire_close(&page);
    wire_close(&idle);
    wire_close(&busy);
    PL_OKAY(wire_turn(w.loop, &done));
    PL_EQ(stats(&w)->n_connections, 0);
    world_free(&w);
}

PL_TEST(wrong_configurations_are_refused)
{
    pl_loop *loop;
    pl_http_server *s;
    PL_EQ(pl_loop_new(&loop, NULL), PL_OK);
    pl_log_to(NULL, NULL, PL_LOG_OFF);
    pl_http_server_conf conf = { .listen = { { .family = PL_AF_IP4, .ip = { 127, 0, 0, 1 } } } };
    PL_EQ(pl_http_server_new(&s, loop, &conf), PL_EINVAL); /* listens nowhere */
    conf.n_listen = 1;
    conf.tls_cert = "/dev/null";
    PL_EQ(pl_http_server_new(&s, loop, &conf), PL_EINVAL); /* a certificate without its key */
    conf.tls_key = "/dev/null";
    PL_EQ(pl_http_server_new(&s, loop, &conf), PL_EINVAL);
    conf.tls_cert = conf.tls_key = NULL;
    PL_EQ(pl_http_server_new(&s, loop, &conf), PL_OK);
    pl_http_server_conf twice = conf;
    pl_http_server *other;
    twice.listen[0] = *pl_http_server_addr(s, 0);
    PL_EQ(pl_http_server_new(&other, loop, &twice), PL_EIO); /* taken */
    pl_http_server_free(s);
    pl_loop_free(loop);
}

PL_TESTS(t(old_clients_find_each_other), t(a_hanging_request_can_be_opened_again),
         t(silent_peers_are_signed_out), t(both_protocols_share_the_rooms),
         t(a_thousand_messages_arrive_in_order), t(dead_and_undecided_websockets_are_closed),
         t(broken_frames_get_a_close), t(pages), t(malformed_requests_get_4xx), t(who_drips_gets_408),
         t(requests_cut_anywhere), t(floods_get_429), t(leaving_lets_answers_finish),
         t(wrong_configurations_are_refused))
