/* What a client wants on one thread and another one has: a reserved port, or an allocation whose client has a new
 * address (RFC 8016). It is carried over, sockets and all, so that its packets are shared by nobody afterwards.
 * The errand is an object that only one thread holds at a time. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/relay_worker.h"

enum { PARCEL_SOCKS = 2 };

typedef struct rs_errand {
    struct rs_errand *next; /* of w->errands */
    rs_worker *w, *from;    /* who asks; who has it */
    pl_relay_claim claim;
    rs_listener *listener; /* the request's: one of these two */
    rs_conn *conn;
    bool conn_gone;
    pl_path path;
    pl_relay_parcel *parcel;
    pl_timer again; /* the way back was full */
    size_t len;
    uint8_t message[];
} rs_errand;

void rs_forget_conn(rs_worker *w, const rs_conn *c)
{
    for (rs_errand *e = w->errands; e; e = e->next) {
        if (e->conn == c)
            e->conn_gone = true;
    }
}

static void unlink_errand(rs_errand *e)
{
    rs_errand **at = &e->w->errands;
    while (*at && *at != e)
        at = &(*at)->next;
    if (*at)
        *at = e->next;
}

/* ---- parcels ---- */

/* Nobody takes it: its sockets end here. */
static void drop_parcel(pl_relay_parcel *p)
{
    pl_relay_port *port;
    for (size_t i = 0; i < PARCEL_SOCKS; i++) {
        void **sock = pl_relay_parcel_sock(p, i, &port);
        rs_sock *s = sock ? *sock : NULL;
        if (!s)
            continue;
        if (s->fd >= 0)
            close(s->fd);
        pl_udp_close(s->udp);
        free(s);
    }
    pl_relay_parcel_free(p);
}

/* Listeners for TCP stay where their loop is; such an allocation cannot move. */
static bool pack(pl_relay_parcel *p)
{
    pl_relay_port *port;
    for (size_t i = 0; i < PARCEL_SOCKS; i++) {
        void **sock = pl_relay_parcel_sock(p, i, &port);
        if (sock && *sock && ((rs_sock *)*sock)->tcp)
            return false;
    }
    for (size_t i = 0; i < PARCEL_SOCKS; i++) {
        void **sock = pl_relay_parcel_sock(p, i, &port);
        if (sock && *sock)
            rs_sock_pack(*sock);
    }
    return true;
}

static bool unpack(pl_relay_parcel *p, rs_worker *w)
{
    pl_relay_port *port;
    for (size_t i = 0; i < PARCEL_SOCKS; i++) {
        void **sock = pl_relay_parcel_sock(p, i, &port);
        if (sock && *sock && rs_sock_unpack(*sock, w, port) != PL_OK)
            return false;
    }
    return true;
}

/* Undoes unpack() for those it had put into the worker. */
static void unlink_socks(pl_relay_parcel *p)
{
    pl_relay_port *port;
    for (size_t i = 0; i < PARCEL_SOCKS; i++) {
        void **sock = pl_relay_parcel_sock(p, i, &port);
        rs_sock *s = sock ? *sock : NULL;
        if (s && pl_node_linked(&s->in_worker))
            rs_sock_pack(s);
    }
}

static void settle(pl_relay_parcel *p, rs_worker *w, int64_t now_us)
{
    if (unpack(p, w) && pl_relay_attach(w->core, now_us, p) == PL_OK)
        return;
    unlink_socks(p);
    drop_parcel(p);
}

/* ---- the way ---- */

static void replay(rs_errand *e, int64_t now_us)
{
    rs_worker *w = e->w;
    if (e->conn ? !e->conn_gone && e->conn->core : e->listener != NULL) {
        pl_relay_replay(w->core, now_us, e->conn ? (void *)e->conn : (void *)e->listener,
                        e->conn ? e->conn->core : NULL, &e->path, e->message, e->len);
        rs_pump(w, now_us);
    }
    free(e);
    rs_leave(w, now_us);
}

/* Back at the one who asked. */
static void come_back(void *arg)
{
    rs_errand *e = arg;
    int64_t now_us;
    if (atomic_load(&e->w->server->closing)) {
        if (e->parcel)
            drop_parcel(e->parcel);
        free(e);
        return;
    }
    now_us = rs_now_us(e->w);
    unlink_errand(e);
    if (e->parcel)
        settle(e->parcel, e->w, now_us);
    replay(e, now_us);
}

static void go_back(void *arg, int64_t now_us)
{
    rs_errand *e = arg;
    if (pl_loop_post(e->w->loop, come_back, e) == PL_OK)
        return;
    e->again = (pl_timer){ .fn = go_back, .arg = e };
    pl_timer_set(e->from->loop, &e->again, now_us + PL_MS(10));
}

/* At the one who has it. */
static void call_on(void *arg)
{
    rs_errand *e = arg;
    rs_worker *w = e->from;
    if (atomic_load(&w->server->closing)) {
        free(e);
        return;
    }
    int64_t now_us = rs_now_us(w);
    e->parcel = pl_relay_detach(w->core, now_us, &e->claim);
    if (e->parcel && !pack(e->parcel)) {
        if (pl_relay_attach(w->core, now_us, e->parcel) != PL_OK)
            drop_parcel(e->parcel);
        e->parcel = NULL;
    }
    rs_pump(w, now_us);
    go_back(e, now_us);
    rs_leave(w, now_us);
}

void rs_fetch(rs_worker *w, int64_t now_us, const pl_relay_out *out)
{
    pl_relay_server *s = w->server;
    const pl_slice *m = &out->u.fetch.message;
    rs_errand *e = malloc(sizeof *e + m->n);
    bool knows = out->u.fetch.thread < s->n_workers && out->u.fetch.thread != w->index;
    if (e) {
        *e = (rs_errand){ .w = w,
                          .claim = out->u.fetch.claim,
                          .listener = out->u.fetch.conn ? NULL : out->u.fetch.sock,
                          .conn = out->u.fetch.conn ? out->u.fetch.sock : NULL,
                          .path = *out->u.fetch.path,
                          .len = m->n };
        memcpy(e->message, m->p, m->n);
        e->from = knows ? s->worker[out->u.fetch.thread] : NULL;
        e->next = w->errands;
        w->errands = e;
        if (knows && pl_loop_post(e->from->loop, call_on, e) == PL_OK)
            return;
        unlink_errand(e);
        free(e);
    }
    pl_relay_replay(w->core, now_us, out->u.fetch.sock, out->u.fetch.conn, out->u.fetch.path, m->p, m->n);
}
