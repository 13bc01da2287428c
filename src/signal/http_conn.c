#include <stdlib.h>

#include "signal/http_internal.h"

enum { KEEP_ALIVE_SEC = 30, LINGER_SEC = 2 };

static int64_t now(const http_conn *c)
{
    return pl_loop_now_us(c->server->loop);
}

static void set_timer(http_conn *c, int64_t in_us)
{
    pl_timer_set(c->server->loop, &c->timer, now(c) + in_us);
}

/* ---- bytes out ---- */

static pl_err send_cipher(http_conn *c)
{
    pl_buf cipher = pl_buf_init(HTTP_OUT_MAX + HTTP_OUT_MAX / 16);
    pl_err err = PL_OK;
    pl_tls_output(c->tls, &cipher);
    if (cipher.bad)
        err = PL_ENOMEM;
    else if (cipher.n)
        err = pl_tcp_write(c->tcp, cipher.p, cipher.n);
    pl_buf_clear(&cipher);
    return err;
}

static pl_err send_plain(http_conn *c, const void *data, size_t len)
{
    if (!c->tls)
        return pl_tcp_write(c->tcp, data, len);
    pl_err err = pl_tls_write(c->tls, data, len);
    return err ? err : send_cipher(c);
}

bool http_conn_write(http_conn *c, const pl_buf *bytes)
{
    pl_err err = bytes->bad ? PL_ENOMEM : bytes->n ? send_plain(c, bytes->p, bytes->n) : PL_OK;
    if (err) {
        pl_log_debug(&c->server->log, "connection cut: %s", pl_err_str(err));
        http_conn_free(c);
        return false;
    }
    c->server->stats.bytes_out += bytes->n;
    return true;
}

/* ---- beginnings and ends ---- */

static void drop_reader(http_conn *c)
{
    if (c->reader)
        pl_http_reader_clear(c->reader);
    free(c->reader);
    c->reader = NULL;
}

static void leave_rooms(http_conn *c)
{
    pl_http_server *s = c->server;
    if (c->mode == HTTP_WAITING) {
        pl_rooms_unlisten(s->rooms, now(c), c->waits_for, c);
        s->stats.n_waiting--;
    }
    if (c->mode == HTTP_SOCKET) {
        if (c->hung_up)
            pl_ws_session_end(&c->session, s->rooms, now(c));
        else
            pl_ws_session_lost(&c->session, s->rooms, now(c));
        s->stats.n_websockets--;
        pl_ws_clear(c->ws);
        free(c->ws);
        c->ws = NULL;
    }
}

void http_conn_free(http_conn *c)
{
    pl_http_server *s = c->server;
    leave_rooms(c);
    if (c->pinned) {
        c->doomed = true;
        c->mode = HTTP_CLOSING;
        return;
    }
    drop_reader(c);
    pl_timer_cancel(s->loop, &c->timer);
    pl_tcp_close(c->tcp);
    pl_tls_free(c->tls);
    pl_list_remove(&c->in_conns);
    if (c->limit)
        pl_limits_leave(&s->limits, c->limit);
    else
        s->n_telling--;
    s->stats.n_connections--;
    free(c);
    http_server_conn_gone(s);
    http_server_pump(s);
}

void http_conn_end(http_conn *c)
{
    pl_http_server *s = c->server;
    leave_rooms(c);
    drop_reader(c);
    c->mode = HTTP_CLOSING;
    if (c->tls) {
        pl_tls_shutdown(c->tls);
        if (send_cipher(c)) {
            http_conn_free(c);
            return;
        }
    }
    (void)pl_tcp_shutdown(c->tcp);
    set_timer(c, PL_SEC(LINGER_SEC));
    http_server_pump(s);
}

void http_conn_become_socket(http_conn *c, pl_ws *ws)
{
    drop_reader(c);
    c->ws = ws;
    c->mode = HTTP_SOCKET;
    c->session = (pl_ws_session){ .listener = c };
    c->server->stats.n_websockets++;
    set_timer(c, c->server->conf.ping_us);
}

void http_conn_become_waiting(http_conn *c)
{
    drop_reader(c);
    c->mode = HTTP_WAITING;
    c->server->stats.n_waiting++;
    pl_timer_cancel(c->server->loop, &c->timer);
}

static void close_socket(http_conn *c, uint16_t code, const char *why)
{
    pl_buf out = pl_buf_init(PL_WS_CONTROL_MAX + 2);
    pl_ws_put_close(c->ws, code, why, &out);
    if (http_conn_write(c, &out))
        http_conn_end(c);
    pl_buf_clear(&out);
}

void http_conn_drain(http_conn *c)
{
    if (c->mode == HTTP_SOCKET) {
        close_socket(c, 1001, "server goes");
    } else if (c->mode == HTTP_WAITING || (c->mode == HTTP_READING && !c->begun)) {
        http_conn_free(c);
    }
}

/* ---- WebSocket ---- */

/* Texts from ws_protocol.h stand end to end, each with a zero behind it; each becomes one frame. */
static bool send_texts(http_conn *c, const pl_buf *texts, pl_buf *out)
{
    for (size_t at = 0; !texts->bad && at < texts->n;) {
        size_t len = strlen(texts->p + at);
        pl_ws_put(c->ws, PL_WS_TEXT, texts->p + at, len, out);
        at += len + 1;
    }
    out->bad |= texts->bad;
    return http_conn_write(c, out);
}

void http_conn_tell(http_conn *c)
{
    pl_http_server *s = c->server;
    bool more = true;
    while (more && pl_tcp_queued(c->tcp) < HTTP_WS_HIGH) {
        pl_buf texts = pl_buf_init(HTTP_OUT_MAX), out = pl_buf_init(HTTP_OUT_MAX);
        while (more && texts.n < HTTP_WS_HIGH)
            more = pl_ws_session_next(&c->session, s->rooms, now(c), &texts);
        bool alive = send_texts(c, &texts, &out);
        pl_buf_clear(&texts);
        pl_buf_clear(&out);
        if (!alive)
            return;
    }
}

static bool on_text(http_conn *c, pl_buf *out)
{
    pl_http_server *s = c->server;
    pl_buf texts = pl_buf_init(HTTP_OUT_MAX);
    s->stats.n_requests++;
    if (pl_limits_pass(&s->limits, now(c), c->limit)) {
        if (pl_ws_session_input(&c->session, s->rooms, now(c), c->ws->message.p, c->ws->message.n, &texts))
            s->stats.n_bad++;
    } else {
        static const char slow[] =
            "{\"type\":\"error\",\"code\":\"too-many\",\"message\":\"Slower, please.\"}";
        s->stats.n_too_many++;
        pl_buf_add(&texts, slow, sizeof slow);
    }
    pl_ws_done(c->ws);
    bool alive = send_texts(c, &texts, out);
    pl_buf_clear(&texts);
    return alive;
}

/* What a message made happen is carried at once: one read can hold more messages than a queue takes. */
static void on_frames(http_conn *c, uint8_t *data, size_t len)
{
    pl_http_server *s = c->server;
    c->pinned = true;
    while (len > 0 && c->mode == HTTP_SOCKET) {
        size_t used;
        pl_buf out = pl_buf_init(HTTP_OUT_MAX);
        pl_ws_progress p = pl_ws_feed(c->ws, data, len, &used, &out);
        bool alive = p == PL_WS_MESSAGE ? on_text(c, &out) : http_conn_write(c, &out);
        pl_buf_clear(&out);
        data += used;
        len -= used;
        s->stats.n_bad += p == PL_WS_FAILED;
        c->hung_up |= p == PL_WS_CLOSED;
        if (alive && (p == PL_WS_CLOSED || p == PL_WS_FAILED))
            http_conn_end(c);
        http_server_pump(s);
    }
    c->pinned = false;
    if (c->doomed)
        http_conn_free(c);
}

/* Every ping_us of silence a ping; when that stays unanswered as long again, the peer is gone. Who has not
 * signed in by the first of these times does not want to. */
static void on_ping_time(http_conn *c)
{
    if (!c->session.id) {
        close_socket(c, 1000, "not signed in");
        return;
    }
    if (c->pinged && !c->ws->alive) {
        c->server->stats.n_timeouts++;
        http_conn_free(c);
        return;
    }
    pl_buf out = pl_buf_init(64);
    c->pinged = !c->ws->alive;
    c->ws->alive = false;
    if (c->pinged)
        pl_ws_put(c->ws, PL_WS_PING, NULL, 0, &out);
    if (http_conn_write(c, &out))
        set_timer(c, c->server->conf.ping_us);
    pl_buf_clear(&out);
}

/* ---- HTTP ---- */

static const char *why_bad(int status)
{
    switch (status) {
    case 411: return "A POST wants a Content-Length.";
    case 413: return "A message has at most 262144 bytes.";
    case 414: return "That address is too long.";
    case 431: return "Those headers are too long or too many.";
    case 501: return "Bodies come with a Content-Length or chunked.";
    case 505: return "HTTP/1.1, please.";
    default: return "That is not a request.";
    }
}

static bool send_continue(http_conn *c)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    pl_buf out = pl_buf_init(64);
    pl_buf_add(&out, text, sizeof text - 1);
    bool alive = http_conn_write(c, &out);
    pl_buf_clear(&out);
    return alive;
}

static void on_request_bytes(http_conn *c, uint8_t *data, size_t len)
{
    bool alive = true;
    while (alive && len > 0 && c->mode == HTTP_READING) {
        size_t used;
        if (!c->begun)
            set_timer(c, c->server->conf.header_us);
        c->begun = true;
        pl_http_progress p = pl_http_reader_feed(c->reader, data, len, &used);
        data += used;
        len -= used;
        switch (p) {
        case PL_HTTP_MORE: break;
        case PL_HTTP_CONTINUE: alive = send_continue(c); break;
        case PL_HTTP_BAD:
            c->server->stats.n_bad++;
            http_refuse(c, c->reader->status, why_bad(c->reader->status));
            return;
        case PL_HTTP_DONE:
            if (!http_answer(c))
                return;
            if (c->mode == HTTP_READING) {
                pl_http_reader_next(c->reader);
                c->begun = false;
                set_timer(c, PL_SEC(KEEP_ALIVE_SEC));
            }
            break;
        }
    }
    if (alive && len > 0 && c->mode == HTTP_SOCKET)
        on_frames(c, data, len);
}

static void on_plain(http_conn *c, uint8_t *data, size_t len)
{
    c->server->stats.bytes_in += len;
    if (c->mode == HTTP_READING)
        on_request_bytes(c, data, len);
    else if (c->mode == HTTP_SOCKET)
        on_frames(c, data, len);
}

/* ---- what the stream tells ---- */

static void on_cipher(http_conn *c, const uint8_t *data, size_t len)
{
    pl_buf plain = pl_buf_init(HTTP_OUT_MAX);
    bool ended;
    pl_err err = pl_tls_input(c->tls, data, len, &plain, &ended);
    if (send_cipher(c) || err || (ended && plain.n == 0)) {
        c->server->stats.n_bad += err == PL_EPROTO;
        pl_buf_clear(&plain);
        http_conn_free(c);
        return;
    }
    if (plain.n)
        on_plain(c, (uint8_t *)plain.p, plain.n);
    pl_buf_clear(&plain);
}

static void on_data(void *user, uint8_t *data, size_t len)
{
    http_conn *c = user;
    if (c->tls && c->mode != HTTP_CLOSING)
        on_cipher(c, data, len);
    else
        on_plain(c, data, len);
}

static void on_drained(void *user)
{
    http_conn *c = user;
    if (c->mode == HTTP_SOCKET && c->session.id)
        http_conn_tell(c);
}

static void on_closed(void *user, pl_err err)
{
    (void)err;
    http_conn_free(user);
}

static void on_time(void *user, int64_t now_us)
{
    http_conn *c = user;
    (void)now_us;
    if (c->mode == HTTP_SOCKET) {
        on_ping_time(c);
    } else if (c->mode == HTTP_READING && c->begun) {
        c->server->stats.n_timeouts++;
        http_refuse(c, 408, "That took too long.");
    } else {
        http_conn_free(c);
    }
}

static const pl_tcp_events stream_events = { .data = on_data, .drained = on_drained, .closed = on_closed };

static http_conn *conn_new(pl_http_server *s)
{
    http_conn *c = calloc(1, sizeof *c);
    if (!c || !(c->reader = malloc(sizeof *c->reader)) ||
        (s->tls && pl_tls_new(&c->tls, s->tls, NULL) != PL_OK)) {
        if (c)
            free(c->reader);
        free(c);
        return NULL;
    }
    pl_http_reader_init(c->reader);
    c->server = s;
    c->timer = (pl_timer){ .fn = on_time, .arg = c };
    return c;
}

void http_conn_open(pl_http_server *s, pl_tcp *tcp, pl_limit *limit)
{
    http_conn *c = conn_new(s);
    if (!c) {
        if (limit)
            pl_limits_leave(&s->limits, limit);
        pl_tcp_close(tcp);
        return;
    }
    c->tcp = tcp;
    c->limit = limit;
    s->n_telling += !limit;
    s->stats.n_connections++;
    pl_list_push_back(&s->conns, &c->in_conns);
    pl_tcp_set_events(tcp, &stream_events, c);
    set_timer(c, s->conf.header_us);
    if (!limit && !c->tls)
        http_refuse(c, 429, "Too many connections.");
    else if (!limit)
        http_conn_free(c);
}
