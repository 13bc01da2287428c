/* Whole connections against the server of rooms on real sockets: requests in pieces, several behind each other, slow ones,
 * hanging ones, WebSockets, and endings in the middle. The input is a script:
 *     0x00 to 0x0f    the next bytes go by this connection, which is opened when there is none
 *     0x10 n          the next n bytes of the script are sent
 *     0x11 k          request k of those below
 *     0x12            the other side ends what it sends; 0x13 it closes
 *     0x14            time passes: half of what a request may take
 * and any other byte is sent as it is. Whatever came, no connection and no peer may be left in the end, nor may the
 * server have kept more connections than one address may have. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/loop.h"
#include "net/sockaddr.h"
#include "peerline/log.h"
#include "signal/http_server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CONNS = 16, PER_ADDRESS = 8, SCRIPT_MAX = 4096, HEADER_MS = 4, PING_MS = 6 };

typedef struct world {
    pl_loop *loop;
    pl_http_server *server;
    pl_addr at;
    int fd[CONNS]; /* -1: none */
    unsigned now;
} world;

static const char *const requests[] = {
    "GET /sign_in?ann HTTP/1.0\r\n\r\n",
    "GET /wait?peer_id=1 HTTP/1.0\r\n\r\n",
    "POST /message?peer_id=1&to=2 HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi",
    "GET /sign_out?peer_id=1 HTTP/1.0\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: "
    "13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    "\x81\x9d\0\0\0\0{\"type\":\"sign_in\",\"name\":\"w\"}",
    "\x81\xa6\0\0\0\0{\"type\":\"message\",\"to\":1,\"data\":\"hey\"}",
    "POST /owned HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "PATCH /owned HTTP/1.1\r\nIf-Match: *\r\nContent-Length: 5\r\n\r\nhello",
    "OPTIONS /owned HTTP/1.1\r\nOrigin: https://a.example\r\n\r\n",
    "GET /status HTTP/1.1\r\n\r\n",
    "\x88\x80\0\0\0\0",
    "POST /owned HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
};
static const size_t ws_len[] = { [6] = 6 + 29, [7] = 6 + 38, [12] = 6 }; /* those with zeros in them */

/* ---- the server ---- */

static bool answer(void *user, const pl_http_request *req, const pl_addr *from, int64_t now_us,
                   pl_http_reply *out)
{
    (void)user, (void)from, (void)now_us;
    if (!pl_str_is(req->path, "/owned"))
        return false;
    out->status = req->method == PL_HTTP_OPTIONS ? 204 : 200;
    out->type = out->status == 200 ? "text/plain" : NULL;
    if (out->type)
        pl_buf_add(&out->body, req->body.p, req->body.n);
    return true;
}

static void status(void *user, pl_buf *out)
{
    (void)user;
    pl_buf_addf(out, "{}");
}

static void start(world *w)
{
    pl_http_server_conf conf = { .n_listen = 1,
                                 .max_per_address = PER_ADDRESS,
                                 .rate = 1000000,
                                 .burst = 1000000,
                                 .header_us = PL_MS(HEADER_MS),
                                 .ping_us = PL_MS(PING_MS),
                                 .answer = answer,
                                 .status = status };
    conf.rooms.idle_us = PL_MS(20);
    conf.listen[0] = (pl_addr){ .family = PL_AF_IP4, .ip = { 127, 0, 0, 1 } };
    pl_log_to(NULL, NULL, PL_LOG_OFF);
    if (pl_loop_new(&w->loop, NULL) || pl_http_server_new(&w->server, w->loop, &conf))
        abort();
    w->at = *pl_http_server_addr(w->server, 0);
    memset(w->fd, -1, sizeof w->fd);
}

static void turn(world *w, int64_t us)
{
    static uint8_t heard[65536];
    (void)pl_loop_run_once(w->loop, us);
    for (int i = 0; i < CONNS; i++)
        while (w->fd[i] >= 0 && recv(w->fd[i], heard, sizeof heard, 0) > 0)
            ;
    const pl_http_server_stats *st = pl_http_server_get_stats(w->server);
    if (st->n_websockets + st->n_waiting > PER_ADDRESS)
        abort();
    pl_rooms_check(pl_http_server_rooms(w->server));
}

/* ---- the clients ---- */

/* An end with reset: thousands of runs leave no ports behind that wait. */
static void hang_up(int *fd)
{
    struct linger now = { .l_onoff = 1 };
    if (*fd >= 0) {
        (void)setsockopt(*fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close(*fd);
    }
    *fd = -1;
}

static void use(world *w, unsigned i)
{
    struct sockaddr_storage sa;
    w->now = i;
    if (w->fd[i] >= 0)
        return;
    socklen_t len = pl_sockaddr_from(&sa, &w->at, false);
    w->fd[i] = socket(AF_INET, SOCK_STREAM, 0);
    if (w->fd[i] < 0 || connect(w->fd[i], (struct sockaddr *)&sa, len))
        abort();
    (void)fcntl(w->fd[i], F_SETFL, O_NONBLOCK);
    turn(w, 0);
}

static void say(world *w, const void *bytes, size_t n)
{
    if (w->fd[w->now] < 0)
        use(w, w->now);
    (void)send(w->fd[w->now], bytes, n, MSG_NOSIGNAL);
    turn(w, 0);
}

static size_t act(world *w, const uint8_t *p, size_t left)
{
    size_t k = left > 1 ? p[1] : 0;
    if (*p < CONNS) {
        use(w, *p);
        return 1;
    }
    switch (*p) {
    case 0x10:
        k = k < left - 1 ? k : left - 2 + (left < 2);
        if (left > 2)
            say(w, p + 2, k);
        return left > 2 ? 2 + k : left;
    case 0x11:
        k %= sizeof requests / sizeof *requests;
        say(w, requests[k],
            k < sizeof ws_len / sizeof *ws_len && ws_len[k] ? ws_len[k] : strlen(requests[k]));
        return left > 1 ? 2 : 1;
    case 0x12:
        if (w->fd[w->now] >= 0)
            (void)shutdown(w->fd[w->now], SHUT_WR);
        break;
    case 0x13: hang_up(&w->fd[w->now]); break;
    case 0x14: turn(w, PL_MS(HEADER_MS) / 2); break;
    default: say(w, p, 1); break;
    }
    return 1;
}

/* All clients hang up: the server sees it, and nothing is left that would wait. */
static void end(world *w)
{
    for (int i = 0; i < CONNS; i++)
        hang_up(&w->fd[i]);
    int tries = 2000;
    while (pl_http_server_get_stats(w->server)->n_connections > 0 && tries-- > 0)
        turn(w, PL_MS(5));
    if (pl_http_server_get_stats(w->server)->n_connections > 0)
        abort();
    pl_http_server_free(w->server);
    pl_loop_free(w->loop);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    world w = { 0 };
    start(&w);
    size = size < SCRIPT_MAX ? size : SCRIPT_MAX;
    for (size_t at = 0; at < size;)
        at += act(&w, data + at, size - at);
    turn(&w, 0);
    end(&w);
    return 0;
}
