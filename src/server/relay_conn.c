/* What clients' connections have in common: birth, end, and how long a silent one may stay. */
#include <stdlib.h>

#include "server/relay_worker.h"

rs_conn *rs_conn_new(rs_worker *w, int64_t now_us, pl_relay_transport transport, const pl_path *path)
{
    pl_relay_server *s = w->server;
    if (!rs_server_take_conn(s)) {
        w->figures.conns_refused++;
        return NULL;
    }
    rs_conn *c = calloc(1, sizeof *c);
    if (!c || pl_relay_conn_open(w->core, now_us, &c->core, c, transport, path) != PL_OK) {
        rs_server_give_conn(s);
        free(c);
        return NULL;
    }
    c->w = w;
    c->transport = (uint8_t)transport;
    c->path = *path;
    c->heard_us = now_us;
    pl_list_push_back(&w->conns, &c->in_worker);
    w->figures.conns[transport]++;
    return c;
}

void rs_conn_send(rs_conn *c, const pl_relay_tx *tx)
{
    if (c->ending || pl_node_linked(&c->in_doomed))
        return;
    if (c->tcp)
        rs_stream_send(c, tx);
    else
        rs_dtls_send(c, tx);
}

void rs_conn_doom(rs_conn *c)
{
    c->ending = true;
    if (!pl_node_linked(&c->in_doomed))
        pl_list_push_back(&c->w->doomed_conns, &c->in_doomed);
}

void rs_conn_free(rs_conn *c, int64_t now_us)
{
    rs_worker *w = c->w;
    rs_forget_conn(w, c);
    if (c->core)
        pl_relay_conn_close(w->core, now_us, c->core);
    if (c->link) {
        c->link->conn = NULL;
        rs_link_end(c->link);
    }
    if (c->dtls)
        rs_dtls_free(c);
    pl_tcp_close(c->tcp);
    pl_tls_free(c->tls);
    free(c->rest);
    pl_list_remove(&c->in_worker);
    pl_list_remove(&c->in_doomed);
    rs_server_give_conn(w->server);
    free(c);
}

void rs_conn_sweep(rs_conn *c, int64_t now_us)
{
    int64_t silent_us = now_us - c->heard_us;
    if (c->ending) {
        if (silent_us > RS_LINGER_US)
            rs_conn_doom(c);
    } else if (silent_us > (c->greeted ? RS_IDLE_US : RS_GREET_US) && !pl_relay_conn_busy(c->core)) {
        c->w->figures.idle_closed++;
        rs_conn_doom(c);
    }
}
