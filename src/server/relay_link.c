/* Peers' TCP connections (RFC 6062): made or taken, held back until the client fetches them, then bytes both ways.
 * Each side is read only as fast as the other takes. */
#include <stdlib.h>

#include "server/relay_worker.h"

static bool is_over(const rs_link *l)
{
    return l->ending || pl_node_linked(&l->in_doomed);
}

static void on_data(void *user, uint8_t *data, size_t len)
{
    rs_link *l = user;
    rs_worker *w = l->w;
    if (l->conn && !is_over(l)) {
        rs_conn *c = l->conn;
        c->heard_us = rs_now_us(w);
        rs_stream_write(c, data, len);
        if (pl_tcp_queued(c->tcp) > RS_SPLICE_PAUSE)
            pl_tcp_pause(l->tcp, true);
    }
    rs_leave(w, rs_now_us(w));
}

static void on_drained(void *user)
{
    rs_link *l = user;
    if (l->conn && !l->conn->ending)
        pl_tcp_pause(l->conn->tcp, false);
}

static void on_closed(void *user, pl_err err)
{
    rs_link *l = user;
    rs_worker *w = l->w;
    (void)err;
    if (l->conn) { /* what the peer said last still reaches the client */
        rs_conn *c = l->conn;
        c->link = NULL;
        l->conn = NULL;
        rs_stream_end(c);
    }
    rs_link_doom(l);
    rs_leave(w, rs_now_us(w));
}

static void on_connected(void *user)
{
    rs_link *l = user;
    rs_worker *w = l->w;
    int64_t now_us = rs_now_us(w);
    if (l->core && !is_over(l)) {
        pl_relay_connected(w->core, now_us, l->core, l);
        rs_pump(w, now_us);
    }
    rs_leave(w, now_us);
}

static const pl_tcp_events events = {
    .connected = on_connected, .data = on_data, .drained = on_drained, .closed = on_closed
};

static rs_link *link_new(rs_worker *w)
{
    rs_link *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->w = w;
    pl_list_push_back(&w->links, &l->in_worker);
    w->figures.links++;
    return l;
}

/* Not read before the client has fetched it: the kernel's window is buffer enough. */
void rs_link_accepted(void *sock, pl_tcp *tcp)
{
    rs_sock *s = sock;
    rs_worker *w = s->w;
    int64_t now_us = rs_now_us(w);
    rs_link *l = link_new(w);
    if (!l) {
        pl_tcp_close(tcp);
        return;
    }
    l->tcp = tcp;
    pl_tcp_set_events(tcp, &events, l);
    pl_tcp_pause(tcp, true);
    l->core = pl_relay_accepted(w->core, now_us, s->port, l, pl_tcp_remote(tcp));
    if (!l->core)
        rs_link_doom(l);
    rs_pump(w, now_us);
    rs_leave(w, now_us);
}

void rs_link_connect(rs_worker *w, int64_t now_us, pl_relay_link *core, rs_sock *from, const pl_addr *peer)
{
    pl_tcp_conf conf = { .on = events, .bind = from->local, .reuse_port = true };
    rs_link *l = link_new(w);
    if (l) {
        conf.user = l;
        l->core = core;
    }
    if (!l || pl_tcp_connect(&l->tcp, w->loop, peer, &conf) != PL_OK) {
        pl_relay_link_closed(w->core, now_us, core);
        if (l) {
            l->core = NULL;
            rs_link_doom(l);
        }
        return;
    }
    pl_tcp_pause(l->tcp, true);
}

void rs_link_write(rs_link *l, const uint8_t *data, size_t len)
{
    if (!is_over(l) && pl_tcp_write(l->tcp, data, len) != PL_OK)
        rs_link_doom(l);
}

void rs_link_end(rs_link *l)
{
    if (is_over(l))
        return;
    l->ending = true;
    l->ending_us = rs_now_us(l->w);
    if (!l->tcp || pl_tcp_shutdown(l->tcp) != PL_OK)
        rs_link_doom(l);
    else
        pl_tcp_pause(l->tcp, false); /* to see the other side's end */
}

void rs_link_doom(rs_link *l)
{
    if (!pl_node_linked(&l->in_doomed))
        pl_list_push_back(&l->w->doomed_links, &l->in_doomed);
}

void rs_link_free(rs_link *l, int64_t now_us)
{
    if (l->core)
        pl_relay_link_closed(l->w->core, now_us, l->core);
    if (l->conn) {
        rs_conn *c = l->conn;
        c->link = NULL;
        rs_stream_end(c);
    }
    pl_tcp_close(l->tcp);
    pl_list_remove(&l->in_worker);
    pl_list_remove(&l->in_doomed);
    free(l);
}

void rs_link_sweep(rs_link *l, int64_t now_us)
{
    if (l->ending && now_us - l->ending_us > RS_LINGER_US)
        rs_link_doom(l);
}
