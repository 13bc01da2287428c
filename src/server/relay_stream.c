/* Clients on TCP and TLS: bytes cut into messages, messages written back, and bytes alone once a connection is
 * spliced with a peer's (RFC 6062). */
#include <stdlib.h>
#include <string.h>

#include "server/relay_worker.h"
#include "stun/stream.h"

enum { REST_MAX = PL_STUN_FRAME_MAX + 64 * 1024, CIPHER_MAX = 4 * 1024 * 1024 };

static bool is_over(const rs_conn *c)
{
    return c->ending || pl_node_linked(&c->in_doomed);
}

/* ---- out ---- */

/* What TLS has to say: records of ours, alerts, the handshake. */
static void flush_tls(rs_conn *c)
{
    pl_buf cipher = pl_buf_init(CIPHER_MAX);
    pl_tls_output(c->tls, &cipher);
    if (cipher.bad || (cipher.n > 0 && pl_tcp_write(c->tcp, cipher.p, cipher.n) != PL_OK))
        rs_conn_doom(c);
    pl_buf_clear(&cipher);
}

void rs_stream_write(rs_conn *c, const uint8_t *data, size_t len)
{
    pl_err err = c->tls ? pl_tls_write(c->tls, data, len) : pl_tcp_write(c->tcp, data, len);
    if (err != PL_OK) {
        c->w->figures.slow_cut += err == PL_ENOSPC;
        rs_conn_doom(c);
    } else if (c->tls) {
        flush_tls(c);
    }
}

/* ChannelData, or a Data indication: what a datagram network would be allowed to lose. */
static bool is_data(const pl_relay_tx *tx)
{
    const uint8_t *b = tx->n_slices > 0 ? tx->slice[0].p : NULL;
    return b && tx->slice[0].n >= 2 && (b[0] & 0xc0 || (b[0] == 0x00 && b[1] == 0x17));
}

void rs_stream_send(rs_conn *c, const pl_relay_tx *tx)
{
    uint8_t *bytes = c->w->scratch;
    size_t n = 0;
    if (is_data(tx) && pl_tcp_queued(c->tcp) + tx->len > RS_STREAM_DATA_MAX) {
        c->w->figures.slow_dropped += tx->n_datagrams;
        return;
    }
    if (tx->n_slices == 1) {
        rs_stream_write(c, tx->slice[0].p, tx->slice[0].n);
        return;
    }
    for (size_t i = 0; i < tx->n_slices; i++) {
        const pl_slice *slice = &tx->slice[i];
        if (slice->n == 0)
            continue;
        if (n + slice->n > RS_SCRATCH) { /* the core's outputs are shorter */
            rs_stream_write(c, bytes, n);
            n = 0;
        }
        memcpy(bytes + n, slice->p, slice->n);
        n += slice->n;
    }
    if (n > 0 && !is_over(c))
        rs_stream_write(c, bytes, n);
}

void rs_stream_end(rs_conn *c)
{
    if (is_over(c))
        return;
    if (c->tls) {
        pl_tls_shutdown(c->tls);
        flush_tls(c);
    }
    c->ending = true;
    c->heard_us = rs_now_us(c->w);
    if (pl_tcp_shutdown(c->tcp) != PL_OK)
        rs_conn_doom(c);
    pl_tcp_pause(c->tcp, false); /* to see the other side's end */
}

/* ---- in ---- */

static void give(rs_conn *c, int64_t now_us, const pl_relay_row *row, size_t n)
{
    for (size_t at = 0; at < n && !is_over(c) && c->core;) {
        at += pl_relay_conn_input(c->w->core, now_us, c->core, row + at, n - at);
        rs_pump(c->w, now_us);
    }
}

/* Gives all whole messages; returns how many bytes they were. Stops behind a message that made a splice. */
static size_t feed(rs_conn *c, int64_t now_us, const uint8_t *data, size_t len)
{
    pl_relay_row row[RS_ROWS_MAX];
    size_t at = 0, n = 0;
    while (!is_over(c) && !c->link) {
        pl_stun_frame f = pl_stun_frame_next(data + at, len - at, 0);
        bool message = f.kind == PL_STUN_FRAME_MESSAGE;
        if (f.kind == PL_STUN_FRAME_BROKEN)
            rs_conn_doom(c);
        if (!message && f.kind != PL_STUN_FRAME_CHANNEL)
            break;
        row[n++] = (pl_relay_row){ .path = &c->path, .data = data + at + f.at, .len = f.len };
        at += f.advance;
        c->greeted = true;
        if (message || n == RS_ROWS_MAX) {
            give(c, now_us, row, n);
            n = 0;
        }
    }
    give(c, now_us, row, n);
    return at;
}

static bool keep_rest(rs_conn *c, const uint8_t *data, size_t len)
{
    if (len > c->rest_cap) {
        uint8_t *more = len <= REST_MAX ? realloc(c->rest, len) : NULL;
        if (!more)
            return false;
        c->rest = more;
        c->rest_cap = len;
    }
    if (len > 0)
        memmove(c->rest, data, len);
    c->n_rest = len;
    if (len == 0) { /* between messages a connection holds no memory for them */
        free(c->rest);
        c->rest = NULL;
        c->rest_cap = 0;
    }
    return true;
}

static bool append_rest(rs_conn *c, const uint8_t *data, size_t len)
{
    size_t n = c->n_rest + len;
    uint8_t *more = n <= REST_MAX ? (n > c->rest_cap ? realloc(c->rest, n) : c->rest) : NULL;
    if (!more)
        return false;
    c->rest = more;
    c->rest_cap = n > c->rest_cap ? n : c->rest_cap;
    memcpy(c->rest + c->n_rest, data, len);
    c->n_rest = n;
    return true;
}

static void to_link(rs_conn *c, const uint8_t *data, size_t len)
{
    rs_link_write(c->link, data, len);
    if (c->link && pl_tcp_queued(c->link->tcp) > RS_SPLICE_PAUSE)
        pl_tcp_pause(c->tcp, true);
}

static void take_plain(rs_conn *c, int64_t now_us, const uint8_t *data, size_t len)
{
    if (c->link) {
        to_link(c, data, len);
        return;
    }
    if (c->n_rest > 0) {
        if (!append_rest(c, data, len)) {
            rs_conn_doom(c);
            return;
        }
        data = c->rest;
        len = c->n_rest;
    }
    size_t used = feed(c, now_us, data, len);
    if (is_over(c))
        return;
    if (c->link) { /* what stands behind the ConnectionBind is the peer's */
        if (used < len)
            to_link(c, data + used, len - used);
        (void)keep_rest(c, NULL, 0);
    } else if (!keep_rest(c, data + used, len - used)) {
        rs_conn_doom(c);
    }
}

static void take_cipher(rs_conn *c, int64_t now_us, const uint8_t *data, size_t len)
{
    pl_buf plain = pl_buf_init(CIPHER_MAX);
    bool ended = false;
    pl_err err = pl_tls_input(c->tls, data, len, &plain, &ended);
    flush_tls(c);
    if (err == PL_OK && !plain.bad && plain.n > 0 && !is_over(c))
        take_plain(c, now_us, (const uint8_t *)plain.p, plain.n);
    c->w->figures.tls_failures += err != PL_OK;
    pl_buf_clear(&plain);
    if (err != PL_OK || plain.bad || ended)
        rs_conn_doom(c);
}

static void on_data(void *user, uint8_t *data, size_t len)
{
    rs_conn *c = user;
    rs_worker *w = c->w;
    int64_t now_us = rs_now_us(w);
    if (!is_over(c)) {
        c->heard_us = now_us;
        if (c->tls)
            take_cipher(c, now_us, data, len);
        else
            take_plain(c, now_us, data, len);
    }
    rs_leave(w, now_us);
}

static void on_drained(void *user)
{
    rs_conn *c = user;
    if (c->link)
        pl_tcp_pause(c->link->tcp, false);
}

static void on_closed(void *user, pl_err err)
{
    rs_conn *c = user;
    rs_worker *w = c->w;
    (void)err;
    rs_conn_doom(c);
    rs_leave(w, rs_now_us(w));
}

void rs_stream_accepted(void *listener, pl_tcp *tcp)
{
    static const pl_tcp_events events = { .data = on_data, .drained = on_drained, .closed = on_closed };
    rs_listener *l = listener;
    rs_worker *w = l->w;
    int64_t now_us = rs_now_us(w);
    pl_path path = { .local = *pl_tcp_local(tcp), .remote = *pl_tcp_remote(tcp), .proto = PL_TCP };
    rs_conn *c = rs_conn_new(w, now_us, l->secure ? PL_RELAY_TLS : PL_RELAY_TCP, &path);
    if (!c) {
        pl_tcp_close(tcp);
        return;
    }
    c->tcp = tcp;
    pl_tcp_set_events(tcp, &events, c);
    if (l->secure && pl_tls_new(&c->tls, w->tls, NULL) != PL_OK)
        rs_conn_doom(c);
    rs_leave(w, now_us);
}

void rs_stream_splice(rs_conn *c, rs_link *link)
{
    c->link = link;
    link->conn = c;
    pl_tcp_pause(link->tcp, false);
}
