#include <stdlib.h>

#include "signal/http_internal.h"

/* The page loads nothing from elsewhere and nobody frames it. It connects to the XMPP server of whoever signs in to an account,
 * which may be anywhere: by wss, and by https to ask the domain where that is. */
static const char guard[] =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self' blob:; connect-src 'self' wss: https:; manifest-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Permissions-Policy: camera=(self), microphone=(self), display-capture=(self)\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n";

static int64_t now(const http_conn *c)
{
    return pl_loop_now_us(c->server->loop);
}

static void say_bad(http_conn *c, int status)
{
    pl_http_server *s = c->server;
    char text[PL_ADDR_TEXT_MAX];
    if (!pl_rate_pass(&s->said_bad, now(c)))
        return;
    pl_log_info(&s->log, "%s gets %d %s (%u more refusals unsaid)", pl_log_addr(pl_tcp_remote(c->tcp), text),
                status, pl_http_status_text(status), pl_rate_missed(&s->said_bad));
}

static void write_and_end(http_conn *c, pl_buf *out)
{
    if (http_conn_write(c, out))
        http_conn_end(c);
    pl_buf_clear(out);
}

void http_refuse(http_conn *c, int status, const char *text)
{
    pl_buf out = pl_buf_init(1024);
    say_bad(c, status);
    pl_buf_addf(&out,
                "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
                "X-Content-Type-Options: nosniff\r\nAccess-Control-Allow-Origin: *\r\n%s%s\r\n%s\n",
                status, pl_http_status_text(status), strlen(text) + 1,
                status == 405 ? "Allow: GET, HEAD, POST, OPTIONS\r\n" : "",
                status == 429 ? "Retry-After: 1\r\n" : "", text);
    write_and_end(c, &out);
}

/* ---- WebSocket ---- */

static bool upgrade(http_conn *c, const pl_http_request *req)
{
    char accept[PL_WS_ACCEPT_LEN + 1];
    if (!pl_str_is(pl_http_header_get(req, "Sec-WebSocket-Version"), "13") ||
        !pl_http_header_has(req, "Connection", "Upgrade") || req->minor == 0 ||
        !pl_ws_accept(pl_http_header_get(req, "Sec-WebSocket-Key"), accept)) {
        c->server->stats.n_bad++;
        http_refuse(c, 400, "That is no WebSocket handshake of version 13.");
        return false;
    }
    pl_ws *ws = malloc(sizeof *ws);
    if (!ws) {
        http_refuse(c, 503, "The server is out of memory.");
        return false;
    }
    pl_buf out = pl_buf_init(256);
    pl_buf_addf(&out,
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Accept: %s\r\n\r\n",
                accept);
    pl_ws_init(ws, false, PL_WS_TEXT_MAX, c->server->conf.rooms.rand);
    http_conn_become_socket(c, ws);
    bool alive = http_conn_write(c, &out);
    pl_buf_clear(&out);
    return alive;
}

/* ---- the classic protocol ---- */

static bool answer_classic(http_conn *c, const pl_http_request *req)
{
    pl_http_server *s = c->server;
    pl_buf out = pl_buf_init(HTTP_OUT_MAX);
    int status = 0;
    void *replaced = NULL;
    pl_classic_result result =
        pl_classic_request(s->rooms, now(c), req, c, &c->waits_for, &replaced, &status, &out);
    if (result == PL_CLASSIC_NOT_MINE)
        return false;
    if (result == PL_CLASSIC_WAITS) {
        http_conn_become_waiting(c);
        if (replaced && replaced != c)
            http_conn_free(replaced);
        return true;
    }
    if (status >= 400) {
        say_bad(c, status);
        s->stats.n_bad++;
    }
    write_and_end(c, &out);
    return true;
}

static void begin(pl_buf *out, int status, bool keep)
{
    pl_buf_addf(out, "HTTP/1.1 %d %s\r\nConnection: %s\r\n", status, pl_http_status_text(status),
                keep ? "keep-alive" : "close");
}

/* ---- what the owner answers ---- */

enum { OWNER_HEAD_MAX = 16 * 1024 };

static bool write_owner(http_conn *c, const pl_http_request *req, const pl_http_reply *reply)
{
    pl_buf out = pl_buf_init(HTTP_OUT_MAX);
    bool keep = pl_http_keeps(req) && !c->server->draining;
    begin(&out, reply->status, keep);
    pl_buf_addf(&out, "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n");
    if (reply->type)
        pl_buf_addf(&out, "Content-Type: %s\r\n", reply->type);
    if (reply->status != 204)
        pl_buf_addf(&out, "Content-Length: %zu\r\n", reply->body.n);
    pl_buf_add(&out, reply->head.p, reply->head.n);
    pl_buf_add(&out, "\r\n", 2);
    if (req->method != PL_HTTP_HEAD)
        pl_buf_add(&out, reply->body.p, reply->body.n);
    out.bad |= reply->head.bad || reply->body.bad;
    bool alive = http_conn_write(c, &out);
    pl_buf_clear(&out);
    if (alive && !keep)
        http_conn_end(c);
    return alive && keep;
}

/* True when the request was the owner's; *alive as http_answer says. */
static bool answer_owner(http_conn *c, const pl_http_request *req, bool *alive)
{
    pl_http_server *s = c->server;
    pl_http_reply reply = { .head = pl_buf_init(OWNER_HEAD_MAX), .body = pl_buf_init(HTTP_OUT_MAX / 2) };
    bool mine = s->conf.answer && s->conf.answer(s->conf.user, req, pl_tcp_remote(c->tcp), now(c), &reply);
    if (mine) {
        if (reply.status >= 400) {
            s->stats.n_bad++;
            say_bad(c, reply.status);
        }
        *alive = write_owner(c, req, &reply);
    }
    pl_buf_clear(&reply.head);
    pl_buf_clear(&reply.body);
    return mine;
}

/* ---- files ---- */

static void add_file(pl_buf *out, const pl_http_request *req, const pl_http_file *file, bool keep)
{
    pl_str known = pl_http_header_get(req, "If-None-Match");
    bool same = file->etag[0] && known.p && pl_str_is(known, file->etag);
    begin(out, same ? 304 : 200, keep);
    pl_buf_add(out, guard, sizeof guard - 1);
    if (file->etag[0])
        pl_buf_addf(out, "ETag: %s\r\n", file->etag);
    pl_buf_addf(out, "Cache-Control: %s\r\n", file->immutable ? "public, max-age=86400" : "no-cache");
    if (!same)
        pl_buf_addf(out, "Content-Type: %s\r\nContent-Length: %zu\r\n", file->type, file->len);
    pl_buf_add(out, "\r\n", 2);
    if (!same && req->method == PL_HTTP_GET)
        pl_buf_add(out, file->data, file->len);
}

static void add_status(const pl_http_server *s, pl_buf *out, bool keep)
{
    pl_buf json = pl_buf_init(4096);
    s->conf.status(s->conf.user, &json);
    begin(out, 200, keep);
    pl_buf_addf(out,
                "Content-Type: application/json\r\nCache-Control: no-store\r\nContent-Length: %zu\r\n"
                "X-Content-Type-Options: nosniff\r\n\r\n",
                json.n);
    pl_buf_add(out, json.p, json.n);
    pl_buf_clear(&json);
}

/* The counters are the operator's; a stranger does not learn that they exist. */
static bool may_see_status(const http_conn *c, const pl_http_request *req)
{
    return c->server->conf.status && pl_str_is(req->path, "/status") &&
           pl_addr_is_loopback(pl_tcp_remote(c->tcp));
}

static bool answer_get(http_conn *c, const pl_http_request *req)
{
    const pl_http_server *s = c->server;
    pl_http_file file = { 0 };
    pl_buf out = pl_buf_init(HTTP_OUT_MAX);
    bool keep = pl_http_keeps(req) && !s->draining;
    if (may_see_status(c, req)) {
        add_status(s, &out, keep);
    } else if (s->conf.file && s->conf.file(s->conf.user, req->path, &file)) {
        add_file(&out, req, &file, keep);
        free(file.release);
    } else {
        c->server->stats.n_bad++;
        http_refuse(c, 404, "There is no such page.");
        return false;
    }
    if (!keep) {
        write_and_end(c, &out);
        return false;
    }
    bool alive = http_conn_write(c, &out);
    pl_buf_clear(&out);
    return alive;
}

static bool is_ws(const pl_http_request *req)
{
    return pl_str_is(req->path, "/ws");
}

bool http_answer(http_conn *c)
{
    pl_http_server *s = c->server;
    const pl_http_request *req = &c->reader->req;
    s->stats.n_requests++;
    if (!pl_limits_pass(&s->limits, now(c), c->limit)) {
        s->stats.n_too_many++;
        http_refuse(c, 429, "Too many requests.");
        return false;
    }
    if (is_ws(req) && pl_http_header_has(req, "Upgrade", "websocket") && req->method == PL_HTTP_GET) {
        return upgrade(c, req);
    }
    if (is_ws(req)) {
        http_refuse(c, 426, "Speak WebSocket here.");
        return false;
    }
    bool alive;
    if (answer_owner(c, req, &alive))
        return alive;
    if (answer_classic(c, req)) {
        http_server_pump(s);
        return false;
    }
    if (req->method != PL_HTTP_GET && req->method != PL_HTTP_HEAD) {
        s->stats.n_bad++;
        http_refuse(c, 405, "GET pages.");
        return false;
    }
    return answer_get(c, req);
}
