/* GET /metrics and /health on an address of their own: HTTP/1.x, one request a connection, few at once. */
#include <stdlib.h>

#include "net/loop.h"
#include "net/tcp.h"
#include "server/relay_server.h"
#include "signal/http_request.h"

enum { AT_ONCE_MAX = 16, METRICS_MAX = 256 * 1024 };
#define PATIENCE_US PL_SEC(10)

typedef struct http_conn {
    pl_relay_http *h;
    pl_tcp *tcp;
    pl_node node;
    pl_http_reader reader;
    pl_timer timer; /* patience */
    bool answered;
} http_conn;

struct pl_relay_http {
    pl_loop *loop;
    pl_relay_server *server;
    pl_tcp_listener *listener;
    pl_list conns;
    unsigned n_conns;
};

static void conn_free(http_conn *c)
{
    pl_timer_cancel(c->h->loop, &c->timer);
    pl_http_reader_clear(&c->reader);
    pl_list_remove(&c->node);
    c->h->n_conns--;
    pl_tcp_close(c->tcp);
    free(c);
}

static void on_timeout(void *arg, int64_t now_us)
{
    (void)now_us;
    conn_free(arg);
}

static void answer(http_conn *c, int status, const char *type, const pl_buf *body, bool head_only)
{
    pl_buf b = pl_buf_init(METRICS_MAX + 1024);
    pl_buf_addf(&b, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
                status, pl_http_status_text(status), type, body->n);
    if (!head_only && body->n > 0)
        pl_buf_add(&b, body->p, body->n);
    c->answered = true;
    if (b.bad || pl_tcp_write(c->tcp, b.p, b.n) != PL_OK || pl_tcp_shutdown(c->tcp) != PL_OK)
        pl_timer_set(c->h->loop, &c->timer, 0); /* the end comes by the timer, not under our caller */
    pl_buf_clear(&b);
}

static void serve(http_conn *c, const pl_http_request *req)
{
    pl_buf body = pl_buf_init(METRICS_MAX);
    const char *type = "text/plain; charset=utf-8";
    int status = 200;
    if (req->method != PL_HTTP_GET && req->method != PL_HTTP_HEAD) {
        status = 405;
    } else if (pl_str_is(req->path, "/metrics")) {
        type = "text/plain; version=0.0.4; charset=utf-8";
        pl_relay_server_metrics(c->h->server, &body);
    } else if (pl_str_is(req->path, "/health")) {
        bool draining = pl_relay_server_is_draining(c->h->server);
        status = draining ? 503 : 200;
        pl_buf_addf(&body, "%s\n", draining ? "draining" : "ok");
    } else {
        status = 404;
    }
    if (status == 404 || status == 405)
        pl_buf_addf(&body, "%s\n", pl_http_status_text(status));
    if (body.bad)
        status = 500, body.n = 0;
    answer(c, status, type, &body, req->method == PL_HTTP_HEAD);
    pl_buf_clear(&body);
}

static void on_data(void *user, uint8_t *data, size_t len)
{
    http_conn *c = user;
    size_t used;
    if (c->answered)
        return;
    switch (pl_http_reader_feed(&c->reader, data, len, &used)) {
    case PL_HTTP_DONE: serve(c, &c->reader.req); break;
    case PL_HTTP_BAD: {
        pl_buf none = pl_buf_init(1);
        answer(c, c->reader.status, "text/plain", &none, true);
        break;
    }
    case PL_HTTP_MORE:
    case PL_HTTP_CONTINUE: break;
    }
}

static void on_closed(void *user, pl_err err)
{
    (void)err;
    conn_free(user);
}

static void on_accepted(void *user, pl_tcp *tcp)
{
    static const pl_tcp_events events = { .data = on_data, .closed = on_closed };
    pl_relay_http *h = user;
    http_conn *c = h->n_conns < AT_ONCE_MAX ? calloc(1, sizeof *c) : NULL;
    if (!c) {
        pl_tcp_close(tcp);
        return;
    }
    c->h = h;
    c->tcp = tcp;
    c->timer = (pl_timer){ .fn = on_timeout, .arg = c };
    pl_http_reader_init(&c->reader);
    pl_list_push_back(&h->conns, &c->node);
    h->n_conns++;
    pl_tcp_set_events(tcp, &events, c);
    pl_timer_set(h->loop, &c->timer, pl_loop_now_us(h->loop) + PATIENCE_US);
}

pl_err pl_relay_http_open(pl_relay_http **out, pl_loop *loop, const pl_addr *at, pl_relay_server *s)
{
    pl_relay_http *h = calloc(1, sizeof *h);
    *out = NULL;
    if (!h)
        return PL_ENOMEM;
    h->loop = loop;
    h->server = s;
    pl_list_init(&h->conns);
    pl_tcp_listen_conf conf = { .bind = *at, .accepted = on_accepted, .user = h };
    pl_err err = pl_tcp_listen(&h->listener, loop, &conf);
    if (err != PL_OK) {
        free(h);
        return err;
    }
    *out = h;
    return PL_OK;
}

void pl_relay_http_close(pl_relay_http *h)
{
    if (!h)
        return;
    PL_EACH (n, &h->conns)
        conn_free(pl_of(n, http_conn, node));
    pl_tcp_listener_close(h->listener);
    free(h);
}

const pl_addr *pl_relay_http_addr(const pl_relay_http *h)
{
    return pl_tcp_listener_addr(h->listener);
}
