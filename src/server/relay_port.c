/* Relayed addresses: which port, which socket, and what peers see of it. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/relay_worker.h"
#include "stun/message.h"

/* ---- which port ---- */

pl_err rs_ports_init(rs_ports *p, uint16_t lo, uint16_t hi, unsigned index, unsigned n)
{
    *p = (rs_ports){ .lo = lo, .hi = hi, .index = index, .n = n, .busy = calloc(2, 65536 / 8) };
    return p->busy ? PL_OK : PL_ENOMEM;
}

void rs_ports_clear(rs_ports *p)
{
    free(p->busy);
    p->busy = NULL;
}

static uint8_t *byte_of(const rs_ports *p, pl_family family, uint16_t port)
{
    return p->busy + (family == PL_AF_IP6 ? 8192 : 0) + port / 8;
}

static bool is_busy(const rs_ports *p, pl_family family, uint16_t port)
{
    return *byte_of(p, family, port) & 1 << port % 8;
}

static void set_busy(rs_ports *p, pl_family family, uint16_t port, bool busy)
{
    uint8_t *at = byte_of(p, family, port), bit = (uint8_t)(1 << port % 8);
    *at = busy ? *at | bit : *at & (uint8_t)~bit;
}

/* Pairs of ports are dealt to the workers by turns, so that an even one and its neighbour have one owner. */
static bool is_ours(const rs_ports *p, uint16_t port)
{
    return (port / 2u) % p->n == p->index;
}

static bool fits(const rs_ports *p, const pl_relay_open *open, uint16_t port, bool ours)
{
    if (is_ours(p, port) != ours || is_busy(p, open->family, port) || (open->even && port % 2))
        return false;
    return !open->pair || (port < p->hi && !is_busy(p, open->family, (uint16_t)(port + 1)));
}

/* ---- sockets ---- */

static void on_rows(void *user, int64_t now_us, const pl_udp_row *rows, size_t n)
{
    rs_sock *s = user;
    rs_worker *w = s->w;
    pl_relay_row row[PL_UDP_BATCH_MAX];
    for (size_t i = 0; i < n; i++)
        row[i] = (pl_relay_row){ .path = rows[i].path,
                                 .data = rows[i].data,
                                 .len = rows[i].len,
                                 .segment = rows[i].segment,
                                 .tos = rows[i].tos };
    for (size_t at = 0; at < n && s->port && s->udp;) { /* it may be closed in between; freed it is later */
        at += pl_relay_peer_input(w->core, now_us, s->port, row + at, n - at);
        rs_pump(w, now_us);
    }
    rs_leave(w, now_us);
}

static void on_error(void *user, int64_t now_us, const pl_udp_error *e)
{
    rs_sock *s = user;
    rs_worker *w = s->w;
    pl_stun_icmp icmp = { .type = e->type & 0x7f, .code = e->code, .data = e->mtu };
    if (!s->port)
        return;
    pl_relay_peer_error(w->core, now_us, s->port, &e->remote, &icmp);
    rs_pump(w, now_us);
    rs_leave(w, now_us);
}

static pl_err open_udp(rs_sock *s, int fd)
{
    pl_udp_conf conf = {
        .bind = s->local, .rows = on_rows, .on_error = on_error, .user = s, .recv_ecn = true, .fd = fd
    };
    return pl_udp_open(&s->udp, s->w->loop, &conf);
}

static pl_err open_tcp(rs_sock *s)
{
    pl_tcp_listen_conf conf = {
        .bind = s->local, .reuse_port = true, .accepted = rs_link_accepted, .user = s
    };
    return pl_tcp_listen(&s->tcp, s->w->loop, &conf);
}

static rs_sock *sock_open(rs_worker *w, const pl_addr *ip, uint16_t port, bool tcp)
{
    rs_sock *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->w = w;
    s->fd = -1;
    s->local = *ip;
    s->local.port = port;
    if ((tcp ? open_tcp(s) : open_udp(s, 0)) != PL_OK) {
        free(s);
        return NULL;
    }
    pl_list_push_back(&w->socks, &s->in_worker);
    set_busy(&w->ports, (pl_family)ip->family, port, true);
    return s;
}

void rs_sock_close(rs_sock *s)
{
    set_busy(&s->w->ports, (pl_family)s->local.family, s->local.port, false);
    pl_udp_close(s->udp);
    pl_tcp_listener_close(s->tcp);
    s->udp = NULL;
    s->tcp = NULL;
    s->port = NULL;
    pl_list_remove(&s->in_worker);
    pl_list_push_back(&s->w->closed_socks, &s->in_worker); /* its callback may be running */
}

/* Opens the port, and the next one for a pair. *taken: somebody else has it. */
static bool try_port(rs_worker *w, const pl_relay_open *open, const pl_addr *ip, uint16_t port,
                     rs_sock *out[2])
{
    out[0] = sock_open(w, ip, port, open->tcp);
    out[1] = out[0] && open->pair ? sock_open(w, ip, (uint16_t)(port + 1), open->tcp) : NULL;
    if (out[0] && (!open->pair || out[1]))
        return true;
    if (out[0])
        rs_sock_close(out[0]);
    w->figures.bind_failures++;
    return false;
}

/* From a random port on, all that fit: first ours, then (UDP only, where the kernel refuses a port that another
 * worker has) those of others. */
static bool search(rs_worker *w, const pl_relay_open *open, const pl_addr *ip, rs_sock *out[2])
{
    const rs_ports *p = &w->ports;
    uint32_t n = (uint32_t)(p->hi - p->lo) + 1, first = pl_rand_below(&(pl_rand){ 0 }, n);
    int tries = RS_BIND_TRIES;
    for (int round = 0; round < (open->tcp || p->n == 1 ? 1 : 2); round++) {
        for (uint32_t i = 0; i < n; i++) {
            uint16_t port = (uint16_t)(p->lo + (first + i) % n);
            if (!fits(p, open, port, round == 0))
                continue;
            if (try_port(w, open, ip, port, out))
                return true;
            if (--tries == 0)
                return false;
        }
    }
    return false;
}

void rs_port_open(rs_worker *w, int64_t now_us, const pl_relay_open *open)
{
    pl_addr ip, relayed[2] = { 0 };
    rs_sock *s[2] = { NULL, NULL };
    if (!rs_server_relay_ip(w->server, open->family, &ip)) {
        pl_relay_open_failed(w->core, now_us, open->port, PL_ENOTSUP);
        return;
    }
    if (!search(w, open, &ip, s)) {
        if (pl_rate_pass(&w->complain, now_us))
            pl_log_warn(&w->log, "no free port in %u-%u for a relayed address (%u times unsaid)", w->ports.lo,
                        w->ports.hi, pl_rate_missed(&w->complain));
        pl_relay_open_failed(w->core, now_us, open->port, PL_ENOSPC);
        return;
    }
    assert(s[0]);
    for (int i = 0; i < 2 && s[i]; i++) {
        relayed[i] = s[i]->local;
        rs_server_map(w->server, &relayed[i]);
    }
    s[0]->port = open->port;
    pl_relay_port *next = pl_relay_opened(w->core, now_us, open->port, s[0], &relayed[0], s[1], &relayed[1]);
    if (s[1])
        s[1]->port = next;
}

/* ---- between loops ---- */

void rs_sock_pack(rs_sock *s)
{
    s->fd = s->udp ? pl_udp_take(s->udp) : -1;
    s->udp = NULL;
    set_busy(&s->w->ports, (pl_family)s->local.family, s->local.port, false);
    pl_list_remove(&s->in_worker);
}

pl_err rs_sock_unpack(rs_sock *s, rs_worker *w, pl_relay_port *port)
{
    s->w = w;
    s->port = port;
    if (s->fd < 0 || open_udp(s, s->fd) != PL_OK)
        return PL_EIO;
    s->fd = -1;
    set_busy(&w->ports, (pl_family)s->local.family, s->local.port, true);
    pl_list_push_back(&w->socks, &s->in_worker);
    return PL_OK;
}
