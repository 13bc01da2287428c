/* The classic protocol as its old client sees it: exact bytes, conversations, and who may do what. */
#include "pl_test.h"

#include "signal/classic.h"

#define CORS                                                                                                 \
    "Access-Control-Allow-Origin: *\r\nAccess-Control-Allow-Credentials: true\r\n"                           \
    "Access-Control-Allow-Methods: POST, GET, OPTIONS\r\n"                                                   \
    "Access-Control-Allow-Headers: Content-Type, Content-Length, Connection, Cache-Control\r\n"              \
    "Access-Control-Expose-Headers: Content-Length, X-Peer-Id\r\n"
#define HEAD "Server: peerline\r\nCache-Control: no-cache\r\nConnection: close\r\n"

typedef struct world {
    pl_rooms *rooms;
    pl_buf out;
    pl_peer_id id;
    void *replaced;
    int status;
} world;

static world world_new(void)
{
    world w = { .out = pl_buf_init(PL_CLASSIC_OUT_MAX) };
    PL_EQ(pl_rooms_new(&w.rooms, &(pl_rooms_conf){ .max_peers = 4 }), PL_OK);
    return w;
}

static void world_free(world *w)
{
    pl_rooms_check(w->rooms);
    pl_rooms_free(w->rooms);
    pl_buf_clear(&w->out);
}

/* Asks as a client does, with the bytes of a request; the answer is in w->out. */
static pl_classic_result ask(world *w, void *listener, const char *request)
{
    pl_http_reader rd;
    size_t used;
    pl_http_reader_init(&rd);
    PL_EQ(pl_http_reader_feed(&rd, (const uint8_t *)request, strlen(request), &used), PL_HTTP_DONE);
    w->out.n = 0;
    pl_classic_result result =
        pl_classic_request(w->rooms, 0, &rd.req, listener, &w->id, &w->replaced, &w->status, &w->out);
    pl_http_reader_clear(&rd);
    pl_rooms_check(w->rooms);
    return result;
}

static void expect(world *w, const char *request, const char *answer)
{
    PL_EQ(ask(w, NULL, request), PL_CLASSIC_ANSWERED);
    PL_STREQ(pl_buf_z(&w->out), answer);
}

static void expect_status(world *w, const char *request, int status)
{
    char line[32];
    PL_EQ(ask(w, NULL, request), PL_CLASSIC_ANSWERED);
    if (w->status != status)
        print_error("%s\n", request);
    PL_EQ(w->status, status);
    snprintf(line, sizeof line, "HTTP/1.1 %d ", status);
    PL_OKAY(strncmp(pl_buf_z(&w->out), line, strlen(line)) == 0);
}

static void deliver(world *w, pl_peer_id id, void *listener, const char *answer)
{
    w->out.n = 0;
    PL_OKAY(pl_classic_deliver(w->rooms, 0, id, listener, &w->out));
    PL_STREQ(pl_buf_z(&w->out), answer);
    pl_rooms_check(w->rooms);
}

PL_TEST(a_conversation_byte_for_byte)
{
    world w = world_new();
    int wait_of_ann, wait_of_bob;
    expect(&w, "GET /sign_in?ann@host HTTP/1.0\r\n\r\n",
           "HTTP/1.1 200 Added\r\n" HEAD
           "Content-Type: text/plain\r\nContent-Length: 13\r\nPragma: 1\r\n" CORS "\r\nann@host,1,1\n");
    PL_EQ(ask(&w, &wait_of_ann, "GET /wait?peer_id=1 HTTP/1.0\r\n\r\n"), PL_CLASSIC_WAITS);
    PL_EQ(w.id, 1);
    PL_EQ(w.out.n, 0);
    expect(&w, "GET /sign_in?bob HTTP/1.0\r\n\r\n",
           "HTTP/1.1 200 Added\r\n" HEAD
           "Content-Type: text/plain\r\nContent-Length: 21\r\nPragma: 2\r\n" CORS
           "\r\nbob,2,1\nann@host,1,1\n");

    pl_rooms_event ev;
    PL_OKAY(pl_rooms_poll_event(w.rooms, &ev));
    PL_OKAY(ev.kind == PL_ROOMS_READY && ev.id == 1 && ev.listener == &wait_of_ann);
    /* a notification carries the receiver's own id ... */
    deliver(&w, 1, &wait_of_ann,
            "HTTP/1.1 200 OK\r\n" HEAD "Content-Type: text/plain\r\nContent-Length: 8\r\nPragma: 1\r\n" CORS
            "\r\nbob,2,1\n");
    expect(&w,
           "POST /message?peer_id=1&to=2 HTTP/1.0\r\nContent-Length: 14\r\nContent-Type: text/plain\r\n\r\n"
           "{\"type\":\"bye\"}",
           "HTTP/1.1 200 OK\r\n" HEAD "Content-Type: text/plain\r\nContent-Length: 0\r\n" CORS "\r\n");
    /* ... a message the sender's, and the content type it was posted with */
    PL_EQ(ask(&w, &wait_of_bob, "GET /wait?peer_id=2 HTTP/1.0\r\n\r\n"), PL_CLASSIC_WAITS);
    PL_OKAY(pl_rooms_poll_event(w.rooms, &ev));
    deliver(&w, 2, &wait_of_bob,
            "HTTP/1.1 200 OK\r\n" HEAD "Content-Type: text/plain\r\nContent-Length: 14\r\nPragma: 1\r\n" CORS
            "\r\n{\"type\":\"bye\"}");

    expect(&w, "GET /sign_out?peer_id=2 HTTP/1.0\r\n\r\n",
           "HTTP/1.1 200 OK\r\n" HEAD "Content-Type: text/plain\r\nContent-Length: 0\r\n" CORS "\r\n");
    PL_EQ(ask(&w, &wait_of_ann, "GET /wait?peer_id=1 HTTP/1.0\r\n\r\n"), PL_CLASSIC_WAITS);
    PL_OKAY(pl_rooms_poll_event(w.rooms, &ev));
    deliver(&w, 1, &wait_of_ann,
            "HTTP/1.1 200 OK\r\n" HEAD "Content-Type: text/plain\r\nContent-Length: 8\r\nPragma: 1\r\n" CORS
            "\r\nbob,2,0\n");
    world_free(&w);
}

PL_TEST(names_as_clients_send_them)
{
    world w = world_new();
    (void)ask(&w, NULL, "GET /sign_in?Jos%C3%A9%2C%20the%20first HTTP/1.1\r\nHost: x\r\n\r\n");
    PL_OKAY(strstr(pl_buf_z(&w.out), "\r\n\r\nJos\xc3\xa9_ the first,1,1\n"));
    (void)ask(&w, NULL, "GET /sign_in HTTP/1.0\r\n\r\n");
    PL_OKAY(strstr(pl_buf_z(&w.out), "\r\n\r\npeer_2,2,1\n"));
    (void)ask(&w, NULL, "GET /sign_in?a%0Ab,9,1 HTTP/1.0\r\n\r\n"); /* would forge an entry */
    PL_OKAY(strstr(pl_buf_z(&w.out), "\r\n\r\na_b_9_1,3,1\n"));
    expect_status(&w, "GET /sign_in?%ff HTTP/1.0\r\n\r\n", 400);
    expect_status(&w, "GET /sign_in?%zz HTTP/1.0\r\n\r\n", 400);
    expect_status(
        &w, "GET /sign_in?aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa HTTP/1.0\r\n\r\n",
        400);
    (void)ask(&w, NULL, "GET /sign_in?peer_2 HTTP/1.0\r\n\r\n"); /* a name may come twice */
    PL_EQ(w.status, 200);
    expect_status(&w, "GET /sign_in?fifth HTTP/1.0\r\n\r\n", 503);
    world_free(&w);
}

PL_TEST(what_is_refused)
{
    world w = world_new();
    (void)ask(&w, NULL, "GET /sign_in?a HTTP/1.0\r\n\r\n");
    static const struct {
        int status;
        const char *request;
    } cases[] = {
        { 404, "GET /wait?peer_id=7 HTTP/1.0\r\n\r\n" },
        { 400, "GET /wait HTTP/1.0\r\n\r\n" },
        { 400, "GET /wait?peer_id=one HTTP/1.0\r\n\r\n" },
        { 400, "GET /wait?peer_id=-1 HTTP/1.0\r\n\r\n" },
        { 400, "GET /wait?peer_id=99999999999 HTTP/1.0\r\n\r\n" },
        { 404, "GET /sign_out?peer_id=7 HTTP/1.0\r\n\r\n" },
        { 404, "POST /message?peer_id=1&to=9 HTTP/1.0\r\nContent-Length: 1\r\n\r\nx" },
        { 404, "POST /message?peer_id=9&to=1 HTTP/1.0\r\nContent-Length: 1\r\n\r\nx" },
        { 400, "POST /message?peer_id=1 HTTP/1.0\r\nContent-Length: 1\r\n\r\nx" },
        { 400, "POST /message?peer_id=1&to=1 HTTP/1.0\r\nContent-Length: 0\r\n\r\n" },
        { 405, "GET /message?peer_id=1&to=1 HTTP/1.0\r\n\r\n" },
        { 405, "POST /wait?peer_id=1 HTTP/1.0\r\nContent-Length: 1\r\n\r\nx" },
        { 405, "DELETE /sign_in?x HTTP/1.0\r\n\r\n" },
        { 403, "GET /quit HTTP/1.0\r\n\r\n" },
        { 200, "OPTIONS /message HTTP/1.1\r\n\r\n" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_status(&w, cases[i].request, cases[i].status);
    PL_EQ(ask(&w, NULL, "GET /other HTTP/1.0\r\n\r\n"), PL_CLASSIC_NOT_MINE);
    world_free(&w);
}

PL_TEST(a_message_to_oneself_comes_straight_back)
{
    world w = world_new();
    (void)ask(&w, NULL, "GET /sign_in?a HTTP/1.0\r\n\r\n");
    expect(&w, "POST /message?peer_id=1&to=1 HTTP/1.0\r\nContent-Length: 2\r\nContent-Type: a/b\r\n\r\nhi",
           "HTTP/1.1 200 OK\r\n" HEAD "Content-Type: a/b\r\nContent-Length: 2\r\nPragma: 1\r\n" CORS
           "\r\nhi");
    world_free(&w);
}

PL_TEST(the_newest_wait_wins)
{
    world w = world_new();
    int old, newer;
    (void)ask(&w, NULL, "GET /sign_in?a HTTP/1.0\r\n\r\n");
    PL_EQ(ask(&w, &old, "GET /wait?peer_id=1 HTTP/1.0\r\n\r\n"), PL_CLASSIC_WAITS);
    PL_OKAY(!w.replaced);
    PL_EQ(ask(&w, &newer, "GET /wait?peer_id=1 HTTP/1.0\r\n\r\n"), PL_CLASSIC_WAITS);
    PL_OKAY(w.replaced == &old);
    world_free(&w);
}

PL_TEST(a_websocket_peer_is_not_for_others_to_use)
{
    world w = world_new();
    pl_peer_id bound;
    PL_EQ(pl_rooms_sign_in(w.rooms, 0, PL_STR(""), PL_STR("page"), &bound), PL_OK);
    pl_rooms_bind(w.rooms, bound);
    (void)ask(&w, NULL, "GET /sign_in?b HTTP/1.0\r\n\r\n");
    expect_status(&w, "GET /wait?peer_id=1 HTTP/1.0\r\n\r\n", 404);
    expect_status(&w, "GET /sign_out?peer_id=1 HTTP/1.0\r\n\r\n", 404);
    expect_status(&w, "POST /message?peer_id=1&to=2 HTTP/1.0\r\nContent-Length: 1\r\n\r\nx", 404);
    expect_status(&w, "POST /message?peer_id=2&to=1 HTTP/1.0\r\nContent-Length: 1\r\n\r\nx", 200);
    world_free(&w);
}

PL_TEST(a_full_queue_is_said)
{
    world w = world_new();
    (void)ask(&w, NULL, "GET /sign_in?a HTTP/1.0\r\n\r\n");
    (void)ask(&w, NULL, "GET /sign_in?b HTTP/1.0\r\n\r\n");
    for (int i = 0; i < 256; i++)
        expect_status(&w, "POST /message?peer_id=1&to=2 HTTP/1.0\r\nContent-Length: 1\r\n\r\nx", 200);
    expect_status(&w, "POST /message?peer_id=1&to=2 HTTP/1.0\r\nContent-Length: 1\r\n\r\nx", 429);
    world_free(&w);
}

PL_TESTS(t(a_conversation_byte_for_byte), t(names_as_clients_send_them), t(what_is_refused),
         t(a_message_to_oneself_comes_straight_back), t(the_newest_wait_wins),
         t(a_websocket_peer_is_not_for_others_to_use), t(a_full_queue_is_said))
