/* Clients on DTLS: one session a 5-tuple, found by the client's address. Strangers cost an answer that is shorter
 * than what they sent; a session is made for who has shown a cookie (net/tls_dgram.h). */
#include <stdlib.h>
#include <string.h>

#include "server/relay_worker.h"

enum { RECORD_MAX = 17 * 1024 };

/* ---- the table ---- */

typedef struct table_key {
    uint8_t bytes[sizeof(void *) + 1 + 16 + 2 + 4];
} table_key;

static table_key key_of(const rs_listener *l, const pl_addr *a)
{
    table_key k = { { 0 } };
    uint8_t *at = k.bytes;
    memcpy(at, &l, sizeof l);
    at += sizeof l;
    *at++ = a->family;
    memcpy(at, a->ip, 16);
    memcpy(at + 16, &a->port, 2);
    memcpy(at + 18, &a->scope, 4);
    return k;
}

static rs_conn *find(rs_listener *l, const pl_addr *from)
{
    table_key k = key_of(l, from);
    for (pl_hash_node *n = pl_hash_find(&l->w->dtls_table, k.bytes, sizeof k.bytes); n; n = pl_hash_next(n)) {
        rs_conn *c = pl_of(n, rs_conn, in_table);
        if (c->via == l && pl_addr_eq(&c->path.remote, from))
            return c;
    }
    return NULL;
}

/* ---- out ---- */

/* Datagrams of one size to one client join in the cork. */
static void flush(rs_conn *c)
{
    uint8_t out[RECORD_MAX];
    pl_dgram d = { .path = c->path, .data = out };
    pl_udp_cork(c->via->udp);
    while (pl_tls_dgram_poll_output(c->dtls, out, sizeof out, &d.len))
        (void)pl_udp_send(c->via->udp, &d);
    pl_udp_flush(c->via->udp);
}

static void set_timer(rs_conn *c)
{
    pl_timer_set(c->w->loop, &c->timer, pl_tls_dgram_next_us(c->dtls));
}

void rs_dtls_send(rs_conn *c, const pl_relay_tx *tx)
{
    uint8_t *bytes = c->w->scratch;
    for (size_t i = 0; i < tx->n_slices;) {
        size_t n = 0;
        for (size_t end = i + tx->slices_each; i < end && i < tx->n_slices; i++) {
            const pl_slice *slice = &tx->slice[i];
            if (slice->n > 0 && n + slice->n <= RS_SCRATCH) {
                memcpy(bytes + n, slice->p, slice->n);
                n += slice->n;
            }
        }
        if (pl_tls_dgram_write(c->dtls, bytes, n) != PL_OK) /* too long for a record: lost, as on the way */
            c->w->figures.slow_dropped++;
    }
    flush(c);
}

void rs_dtls_free(rs_conn *c)
{
    pl_timer_cancel(c->w->loop, &c->timer);
    pl_hash_remove(&c->w->dtls_table, &c->in_table);
    pl_tls_dgram_shutdown(c->dtls);
    if (c->via->udp)
        flush(c);
    pl_tls_dgram_free(c->dtls);
    c->dtls = NULL;
}

/* ---- in ---- */

static void on_timer(void *arg, int64_t now_us)
{
    rs_conn *c = arg;
    rs_worker *w = c->w;
    if (pl_tls_dgram_tick(c->dtls, now_us) != PL_OK) {
        w->figures.tls_failures++;
        rs_conn_doom(c);
    } else {
        flush(c);
        set_timer(c);
    }
    rs_leave(w, now_us);
}

static void give_record(rs_conn *c, int64_t now_us, const uint8_t *data, size_t len)
{
    pl_relay_row row = { .path = &c->path, .data = data, .len = len };
    c->greeted = true;
    while (!c->ending && pl_relay_conn_input(c->w->core, now_us, c->core, &row, 1) == 0)
        rs_pump(c->w, now_us);
    rs_pump(c->w, now_us);
}

static void take(rs_conn *c, int64_t now_us, const uint8_t *pkt, size_t len)
{
    uint8_t record[RECORD_MAX];
    size_t n;
    if (c->ending)
        return;
    c->heard_us = now_us;
    bool was_ready = pl_tls_dgram_is_ready(c->dtls);
    pl_err err = pl_tls_dgram_input(c->dtls, now_us, pkt, len);
    while (!c->ending && pl_tls_dgram_poll_data(c->dtls, record, sizeof record, &n))
        give_record(c, now_us, record, n);
    flush(c);
    if (err != PL_OK || pl_tls_dgram_has_ended(c->dtls)) {
        c->w->figures.tls_failures += err != PL_OK;
        rs_conn_doom(c);
    } else if (!was_ready) { /* an established session has no timer */
        set_timer(c);
    }
}

/* A client that has shown the cookie. */
static void welcome(rs_listener *l, int64_t now_us, const pl_path *path, pl_tls_dgram *dtls)
{
    rs_worker *w = l->w;
    table_key k = key_of(l, &path->remote);
    rs_conn *c = rs_conn_new(w, now_us, PL_RELAY_DTLS, path);
    if (!c) {
        pl_tls_dgram_free(dtls);
        return;
    }
    c->via = l;
    c->timer = (pl_timer){ .fn = on_timer, .arg = c };
    if (pl_hash_insert(&w->dtls_table, &c->in_table, k.bytes, sizeof k.bytes) != PL_OK) {
        pl_tls_dgram_free(dtls);
        rs_conn_doom(c);
        return;
    }
    c->dtls = dtls;
    flush(c);
    set_timer(c);
}

static void meet(rs_listener *l, int64_t now_us, const pl_path *path, const uint8_t *pkt, size_t len)
{
    uint8_t answer[PL_TLS_COOKIE_ANSWER_MAX];
    size_t n = 0;
    pl_tls_dgram *dtls = NULL;
    pl_tls_listen(l->dtls, now_us, &path->remote, pkt, len, answer, &n, &dtls);
    if (dtls) {
        welcome(l, now_us, path, dtls);
    } else if (n > 0) {
        pl_dgram d = { .path = *path, .data = answer, .len = n };
        (void)pl_udp_send(l->udp, &d);
    }
}

void rs_dtls_input(rs_listener *l, int64_t now_us, const pl_udp_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t at = 0; at < rows[i].len; at += rows[i].segment) {
            size_t left = rows[i].len - at, len = left < rows[i].segment ? left : rows[i].segment;
            rs_conn *c = find(l, &rows[i].path->remote);
            if (c)
                take(c, now_us, rows[i].data + at, len);
            else
                meet(l, now_us, rows[i].path, rows[i].data + at, len);
        }
    }
}
