/* One loop of the relay: its listeners, and what its core asks for. */
#include "server/relay_worker.h"

#include <stdlib.h>
#include <string.h>

int64_t rs_now_us(const rs_worker *w)
{
    return pl_loop_now_us(w->loop);
}

/* ---- what the core wants ---- */

static void send_to_client(rs_worker *w, const pl_relay_tx *tx)
{
    rs_listener *l = tx->sock;
    if (tx->conn) {
        rs_conn_send(tx->sock, tx);
        return;
    }
    if (tx->binding && l->discovers)
        l = w->set[tx->from];
    (void)pl_udp_sendv(l->udp, tx->path, tx->tos, tx->slice, tx->n_slices, tx->segment);
}

static void send_to_peer(const pl_relay_tx *tx)
{
    rs_sock *s = tx->sock;
    if (!s->udp)
        return;
    pl_udp_dont_fragment(s->udp, tx->dont_fragment);
    (void)pl_udp_sendv(s->udp, tx->path, tx->tos, tx->slice, tx->n_slices, tx->segment);
}

static void close_link(rs_link *l)
{
    l->core = NULL;
    rs_link_end(l);
}

static void close_conn(rs_conn *c)
{
    if (c->tcp)
        rs_stream_end(c);
    else
        rs_conn_doom(c);
}

/* A link that is still connecting has no pointer at the core. */
static void close_unborn_link(rs_worker *w, const pl_relay_link *core)
{
    PL_EACH (n, &w->links) {
        rs_link *l = pl_of(n, rs_link, in_worker);
        if (l->core == core) {
            l->core = NULL;
            rs_link_doom(l);
        }
    }
}

static void handle(rs_worker *w, int64_t now_us, const pl_relay_out *out)
{
    switch (out->kind) {
    case PL_RELAY_TO_CLIENT: send_to_client(w, &out->u.tx); break;
    case PL_RELAY_TO_PEER: send_to_peer(&out->u.tx); break;
    case PL_RELAY_OPEN: rs_port_open(w, now_us, &out->u.open); break;
    case PL_RELAY_CLOSE: rs_sock_close(out->u.sock); break;
    case PL_RELAY_CONNECT:
        rs_link_connect(w, now_us, out->u.connect.link, out->u.connect.sock, out->u.connect.peer);
        break;
    case PL_RELAY_SPLICE: rs_stream_splice(out->u.splice.conn_sock, out->u.splice.link_sock); break;
    case PL_RELAY_CLOSE_LINK:
        if (out->u.close_link.sock)
            close_link(out->u.close_link.sock);
        else
            close_unborn_link(w, out->u.close_link.link);
        break;
    case PL_RELAY_CLOSE_CONN: close_conn(out->u.close_conn.sock); break;
    case PL_RELAY_FETCH: rs_fetch(w, now_us, out); break;
    }
}

void rs_pump(rs_worker *w, int64_t now_us)
{
    pl_relay_out out;
    if (w->pumping)
        return;
    w->pumping = true;
    while (pl_relay_poll_output(w->core, &out))
        handle(w, now_us, &out);
    w->pumping = false;
}

static bool bury(rs_worker *w, int64_t now_us)
{
    pl_node *n;
    bool any = false;
    while ((n = pl_list_first(&w->doomed_conns))) {
        rs_conn_free(pl_of(n, rs_conn, in_doomed), now_us);
        any = true;
    }
    while ((n = pl_list_first(&w->doomed_links))) {
        rs_link_free(pl_of(n, rs_link, in_doomed), now_us);
        any = true;
    }
    while ((n = pl_list_pop_front(&w->closed_socks)))
        free(pl_of(n, rs_sock, in_worker));
    return any;
}

void rs_leave(rs_worker *w, int64_t now_us)
{
    pl_relay_event e;
    while (bury(w, now_us))
        rs_pump(w, now_us);
    while (pl_relay_poll_event(w->core, &e))
        rs_report_event(w, &e);
    int64_t next_us = pl_relay_next_us(w->core);
    if (next_us != w->timer_us) {
        w->timer_us = next_us;
        pl_timer_set(w->loop, &w->timer, next_us);
    }
}

/* ---- what the loop calls ---- */

static void on_timer(void *arg, int64_t now_us)
{
    rs_worker *w = arg;
    w->timer_us = PL_NEVER;
    pl_relay_tick(w->core, now_us);
    rs_pump(w, now_us);
    rs_leave(w, now_us);
}

static void on_sweep(void *arg, int64_t now_us)
{
    rs_worker *w = arg;
    pl_relay_set_wall(w->core, now_us, pl_wall_us());
    PL_EACH (n, &w->conns)
        rs_conn_sweep(pl_of(n, rs_conn, in_worker), now_us);
    PL_EACH (n, &w->links)
        rs_link_sweep(pl_of(n, rs_link, in_worker), now_us);
    rs_pump(w, now_us);
    rs_leave(w, now_us);
    pl_timer_set(w->loop, &w->sweep, now_us + RS_SWEEP_US);
}

static void on_rows(void *user, int64_t now_us, const pl_udp_row *rows, size_t n)
{
    rs_listener *l = user;
    rs_worker *w = l->w;
    pl_relay_row row[PL_UDP_BATCH_MAX];
    if (l->secure) {
        rs_dtls_input(l, now_us, rows, n);
        rs_leave(w, now_us);
        return;
    }
    for (size_t i = 0; i < n; i++)
        row[i] = (pl_relay_row){ .path = rows[i].path,
                                 .data = rows[i].data,
                                 .len = rows[i].len,
                                 .segment = rows[i].segment,
                                 .tos = rows[i].tos,
                                 .at = l->at };
    for (size_t at = 0; at < n;) {
        at += pl_relay_client_input(w->core, now_us, l, row + at, n - at);
        rs_pump(w, now_us);
    }
    rs_leave(w, now_us);
}

/* ---- listening ---- */

/* SO_REUSEPORT would let a second server of the same user share our ports, and take half of our clients. So one
 * socket asks first, without it. */
static bool is_taken(const rs_worker *w, const pl_addr *at, bool tcp)
{
    pl_udp *udp = NULL;
    pl_tcp_listener *listener = NULL;
    pl_udp_conf uc = { .bind = *at, .rows = on_rows };
    pl_tcp_listen_conf tc = { .bind = *at, .accepted = rs_stream_accepted };
    if (w->index > 0 || at->port == 0)
        return false;
    pl_err err = tcp ? pl_tcp_listen(&listener, w->loop, &tc) : pl_udp_open(&udp, w->loop, &uc);
    pl_udp_close(udp);
    pl_tcp_listener_close(listener);
    return err != PL_OK;
}

static pl_err listen_udp(rs_worker *w, rs_listener *l, pl_addr *at)
{
    pl_udp_conf conf = { .bind = *at,
                         .rows = on_rows,
                         .user = l,
                         .reuse_port = w->server->n_workers > 1,
                         .recv_ecn = true,
                         .recv_buf = 4 << 20,
                         .send_buf = 4 << 20 };
    pl_err err = pl_udp_open(&l->udp, w->loop, &conf);
    if (err == PL_OK)
        *at = *pl_udp_addr(l->udp);
    if (err == PL_OK && l->secure)
        err = pl_tls_listener_new(&l->dtls, w->dtls, 0);
    return err;
}

static pl_err listen_tcp(rs_worker *w, rs_listener *l, pl_addr *at)
{
    unsigned n = w->server->n_workers;
    pl_tcp_listen_conf conf = { .bind = *at,
                                .reuse_port = n > 1,
                                .by_client_ip = w->index == n - 1 ? n : 0,
                                .backlog = 1024,
                                .accepted = rs_stream_accepted,
                                .user = l,
                                .queue_max = RS_STREAM_QUEUE_MAX };
    pl_err err = pl_tcp_listen(&l->tcp, w->loop, &conf);
    if (err == PL_OK)
        *at = *pl_tcp_listener_addr(l->tcp);
    return err;
}

/* The first worker learns the real port, the others then use it. */
static pl_err listen_all(rs_worker *w)
{
    pl_relay_server *s = w->server;
    for (size_t i = 0; i < s->n_places; i++) {
        pl_relay_place *p = &s->place[i];
        rs_listener *l = &w->listener[w->n_listeners];
        *l = (rs_listener){ .w = w, .secure = p->secure };
        if (s->place_twin[i] && p->addr.port == 0)
            p->addr.port = s->place[i - 1].addr.port;
        l->discovers = s->place_at[i] < PL_STUN_N_SOCKETS && !p->tcp;
        l->at = l->discovers ? s->place_at[i] : PL_STUN_AT_PRIMARY;
        pl_err err = is_taken(w, &p->addr, p->tcp) ? PL_EIO
                     : p->tcp                      ? listen_tcp(w, l, &p->addr)
                                                   : listen_udp(w, l, &p->addr);
        w->n_listeners++; /* also a half-made one, which is closed with the others */
        if (err != PL_OK) {
            s->failed_place = i;
            return err;
        }
        if (l->discovers)
            w->set[l->at] = l;
    }
    return PL_OK;
}

/* ---- life ---- */

static pl_err make_core(rs_worker *w)
{
    pl_relay_server *s = w->server;
    const pl_relay_settings *set = &s->settings;
    pl_relay_conf conf = { .shared = s->shared,
                           .auth = s->rules->auth,
                           .policy = &s->rules->policy,
                           .binding = &s->binding,
                           .thread = w->index,
                           .max_allocations = set->total_quota ? (uint32_t)set->total_quota : 0,
                           .ip4 = s->n_relay_ip[0] > 0,
                           .ip6 = s->n_relay_ip[1] > 0,
                           .tcp = !set->no_tcp_relay,
                           .mobility = !set->no_mobility,
                           .software = set->no_software ? NULL : RS_SOFTWARE,
                           .wall_us = pl_wall_us(),
                           .log_id = w->index };
    return pl_relay_new(&w->core, &conf, rs_now_us(w));
}

pl_err rs_worker_open(rs_worker *w, pl_relay_server *server, unsigned index, pl_loop *loop)
{
    uint8_t key[16];
    w->server = server;
    w->index = index;
    w->loop = loop;
    w->tls = server->rules->tls;
    w->dtls = server->rules->dtls;
    w->timer_us = PL_NEVER;
    w->timer = (pl_timer){ .fn = on_timer, .arg = w };
    w->sweep = (pl_timer){ .fn = on_sweep, .arg = w };
    pl_log_name(&w->log, "relay", index);
    pl_list_init(&w->socks);
    pl_list_init(&w->closed_socks);
    pl_list_init(&w->conns);
    pl_list_init(&w->links);
    pl_list_init(&w->doomed_conns);
    pl_list_init(&w->doomed_links);
    pl_rand_bytes(&(pl_rand){ 0 }, key, sizeof key);
    pl_hash_init(&w->dtls_table, (size_t)server->settings.max_connections, key);
    w->listener = calloc(server->n_places + 1, sizeof *w->listener);
    if (!w->listener)
        return PL_ENOMEM;
    pl_err err = rs_ports_init(&w->ports, server->settings.port_lo, server->settings.port_hi, index,
                               server->n_workers);
    if (err == PL_OK)
        err = make_core(w);
    if (err == PL_OK)
        err = listen_all(w);
    if (err == PL_OK)
        pl_timer_set(loop, &w->sweep, rs_now_us(w) + RS_SWEEP_US);
    return err;
}

static void close_listeners(rs_worker *w)
{
    for (size_t i = 0; i < w->n_listeners; i++) {
        rs_listener *l = &w->listener[i];
        pl_udp_close(l->udp);
        pl_tcp_listener_close(l->tcp);
        pl_tls_listener_free(l->dtls);
        *l = (rs_listener){ .w = w };
    }
}

void rs_worker_close(rs_worker *w)
{
    if (!w->loop)
        return;
    int64_t now_us = rs_now_us(w);
    PL_EACH (n, &w->conns)
        rs_conn_doom(pl_of(n, rs_conn, in_worker));
    PL_EACH (n, &w->links)
        rs_link_doom(pl_of(n, rs_link, in_worker));
    if (w->core)
        rs_leave(w, now_us);
    PL_EACH (n, &w->socks)
        rs_sock_close(pl_of(n, rs_sock, in_worker));
    bury(w, now_us);
    close_listeners(w);
    pl_timer_cancel(w->loop, &w->timer);
    pl_timer_cancel(w->loop, &w->sweep);
    pl_relay_free(w->core);
    pl_hash_clear(&w->dtls_table);
    rs_ports_clear(&w->ports);
    free(w->listener);
}
