/* The page that comes with the classic server, replayed: two browsers that sign in, hang, write to each other and sign out by
 * XMLHttpRequest, with the header lines that a browser adds; and every byte that the server answers. */
#include "pl_test.h"

#include "net/loop.h"
#include "signal/http_server.h"
#include "signal/wire.h"

/* What the original server writes, but for its name. */
#define TEXT_HEAD(reason, len)                                                                               \
    "HTTP/1.1 200 " reason "\r\n"                                                                            \
    "Server: peerline\r\n"                                                                                   \
    "Cache-Control: no-cache\r\n"                                                                            \
    "Connection: close\r\n"                                                                                  \
    "Content-Type: text/plain\r\n"                                                                           \
    "Content-Length: " #len "\r\n"
#define ORIGINS                                                                                              \
    "Access-Control-Allow-Origin: *\r\n"                                                                     \
    "Access-Control-Allow-Credentials: true\r\n"                                                             \
    "Access-Control-Allow-Methods: POST, GET, OPTIONS\r\n"                                                   \
    "Access-Control-Allow-Headers: Content-Type, Content-Length, Connection, Cache-Control\r\n"              \
    "Access-Control-Expose-Headers: Content-Length, X-Peer-Id\r\n"                                           \
    "\r\n"

typedef struct world {
    pl_loop *loop;
    pl_http_server *server;
    pl_addr at;
} world;

static world world_new(void)
{
    world w = { 0 };
    pl_http_server_conf conf = { .n_listen = 1 };
    PL_EQ(pl_loop_new(&w.loop, NULL), PL_OK);
    PL_EQ(pl_addr_parse(&conf.listen[0], "127.0.0.1:0", 11), PL_OK);
    PL_EQ(pl_http_server_new(&w.server, w.loop, &conf), PL_OK);
    w.at = *pl_http_server_addr(w.server, 0);
    return w;
}

static void world_free(world *w)
{
    pl_rooms_check(pl_http_server_rooms(w->server));
    pl_http_server_free(w->server);
    pl_loop_free(w->loop);
}

/* A GET as the page's XMLHttpRequest sends it. */
static wire get(world *w, const char *path)
{
    char request[1024];
    int n = snprintf(request, sizeof request,
                     "GET %s HTTP/1.1\r\n"
                     "Host: 127.0.0.1:%u\r\n"
                     "Connection: keep-alive\r\n"
                     "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\n"
                     "Accept: */*\r\n"
                     "Referer: http://127.0.0.1:%u/server_test.html\r\n"
                     "Accept-Encoding: gzip, deflate, br\r\n"
                     "Accept-Language: en-US,en;q=0.9\r\n"
                     "\r\n",
                     path, w->at.port, w->at.port);
    wire c = wire_open(w->loop, &w->at);
    wire_send(&c, request, (size_t)n);
    return c;
}

static wire post(world *w, const char *path, const char *body)
{
    char request[1024];
    int n = snprintf(request, sizeof request,
                     "POST %s HTTP/1.1\r\n"
                     "Host: 127.0.0.1:%u\r\n"
                     "Connection: keep-alive\r\n"
                     "Content-Length: %zu\r\n"
                     "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\n"
                     "Content-Type: text/plain\r\n"
                     "Accept: */*\r\n"
                     "Origin: http://127.0.0.1:%u\r\n"
                     "Referer: http://127.0.0.1:%u/server_test.html\r\n"
                     "Accept-Encoding: gzip, deflate, br\r\n"
                     "Accept-Language: en-US,en;q=0.9\r\n"
                     "\r\n%s",
                     path, w->at.port, strlen(body), w->at.port, w->at.port, body);
    wire c = wire_open(w->loop, &w->at);
    wire_send(&c, request, (size_t)n);
    return c;
}

/* All that comes until the server closes. */
static void answers(wire c, const char *bytes)
{
    PL_STREQ(wire_wait_end(&c), bytes);
    wire_close(&c);
}

/* A request that hangs has reached the server before the next thing happens. */
static wire hang(world *w, const char *path)
{
    uint32_t before = pl_http_server_get_stats(w->server)->n_waiting;
    wire c = get(w, path);
    for (int i = 0; i < 500 && pl_http_server_get_stats(w->server)->n_waiting == before; i++)
        wire_turn_us(w->loop, 10000);
    PL_EQ(pl_http_server_get_stats(w->server)->n_waiting, before + 1);
    PL_EQ(c.n, 0);
    return c;
}

PL_TEST(two_pages_byte_for_byte)
{
    world w = world_new();
    answers(get(&w, "/sign_in?guest"), TEXT_HEAD("Added", 10) "Pragma: 1\r\n" ORIGINS "guest,1,1\n");
    wire first = hang(&w, "/wait?peer_id=1");
    answers(get(&w, "/sign_in?other"),
            TEXT_HEAD("Added", 20) "Pragma: 2\r\n" ORIGINS "other,2,1\nguest,1,1\n");
    answers(first, TEXT_HEAD("OK", 10) "Pragma: 1\r\n" ORIGINS "other,2,1\n");

    /* each hangs again, and writes to the other */
    first = hang(&w, "/wait?peer_id=1");
    wire second = hang(&w, "/wait?peer_id=2");
    answers(post(&w, "/message?peer_id=1&to=2", "hello there"), TEXT_HEAD("OK", 0) ORIGINS);
    answers(second, TEXT_HEAD("OK", 11) "Pragma: 1\r\n" ORIGINS "hello there");
    answers(post(&w, "/message?peer_id=2&to=1", "{\"sdp\":\"v=0\"}"), TEXT_HEAD("OK", 0) ORIGINS);
    answers(first, TEXT_HEAD("OK", 13) "Pragma: 2\r\n" ORIGINS "{\"sdp\":\"v=0\"}");

    /* written while nobody hangs: heard with the next request, one thing each */
    answers(post(&w, "/message?peer_id=2&to=1", "a"), TEXT_HEAD("OK", 0) ORIGINS);
    answers(post(&w, "/message?peer_id=2&to=1", "b"), TEXT_HEAD("OK", 0) ORIGINS);
    answers(get(&w, "/wait?peer_id=1"), TEXT_HEAD("OK", 1) "Pragma: 2\r\n" ORIGINS "a");
    answers(get(&w, "/wait?peer_id=1"), TEXT_HEAD("OK", 1) "Pragma: 2\r\n" ORIGINS "b");

    /* the second page is closed, and says so; its hanging request ends without an answer */
    first = hang(&w, "/wait?peer_id=1");
    second = hang(&w, "/wait?peer_id=2");
    answers(get(&w, "/sign_out?peer_id=2"), TEXT_HEAD("OK", 0) ORIGINS);
    answers(second, "");
    answers(first, TEXT_HEAD("OK", 10) "Pragma: 1\r\n" ORIGINS "other,2,0\n");
    answers(get(&w, "/sign_out?peer_id=1"), TEXT_HEAD("OK", 0) ORIGINS);
    PL_EQ(pl_rooms_get_stats(pl_http_server_rooms(w.server))->n_peers, 0);
    world_free(&w);
}

PL_TEST(a_page_from_elsewhere_asks_first)
{
    world w = world_new();
    answers(get(&w, "/sign_in?guest"), TEXT_HEAD("Added", 10) "Pragma: 1\r\n" ORIGINS "guest,1,1\n");
    wire c = wire_open(w.loop, &w.at);
    static const char preflight[] = "OPTIONS /message?peer_id=1&to=1 HTTP/1.1\r\n"
                                    "Host: 127.0.0.1\r\n"
                                    "Connection: keep-alive\r\n"
                                    "Accept: */*\r\n"
                                    "Access-Control-Request-Method: POST\r\n"
                                    "Access-Control-Request-Headers: content-type\r\n"
                                    "Origin: http://elsewhere.example\r\n"
                                    "\r\n";
    wire_send(&c, preflight, sizeof preflight - 1);
    answers(c, "HTTP/1.1 200 OK\r\n"
               "Server: peerline\r\n"
               "Cache-Control: no-cache\r\n"
               "Connection: close\r\n"
               "Content-Length: 0\r\n" ORIGINS);
    /* to oneself it comes back in the answer */
    answers(post(&w, "/message?peer_id=1&to=1", "echo"), TEXT_HEAD("OK", 4) "Pragma: 1\r\n" ORIGINS "echo");
    world_free(&w);
}

PL_TEST(clients_with_a_path_have_rooms_of_their_own)
{
    world w = world_new();
    answers(get(&w, "/room/red%20room/sign_in?ann"),
            TEXT_HEAD("Added", 8) "Pragma: 1\r\n" ORIGINS "ann,1,1\n");
    answers(get(&w, "/sign_in?bob"), TEXT_HEAD("Added", 8) "Pragma: 2\r\n" ORIGINS "bob,2,1\n");
    answers(get(&w, "/room/red%20room/sign_in?cid"),
            TEXT_HEAD("Added", 16) "Pragma: 3\r\n" ORIGINS "cid,3,1\nann,1,1\n");
    answers(get(&w, "/room/red%20room/wait?peer_id=1"),
            TEXT_HEAD("OK", 8) "Pragma: 1\r\n" ORIGINS "cid,3,1\n");
    PL_EQ(wire_status(w.loop, &w.at, "POST /message?peer_id=1&to=2 HTTP/1.0\r\nContent-Length: 1\r\n\r\nx"),
          404);
    PL_EQ(wire_status(w.loop, &w.at, "GET /room//sign_in?ann HTTP/1.0\r\n\r\n"), 404);
    PL_EQ(wire_status(w.loop, &w.at, "GET /room/a/b/sign_in?ann HTTP/1.0\r\n\r\n"), 404);
    PL_EQ(wire_status(w.loop, &w.at, "GET /room/%0a/sign_in?ann HTTP/1.0\r\n\r\n"), 400);
    world_free(&w);
}

PL_TESTS(t(two_pages_byte_for_byte), t(a_page_from_elsewhere_asks_first),
         t(clients_with_a_path_have_rooms_of_their_own))
