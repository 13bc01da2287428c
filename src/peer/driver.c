/* driver.c - what a core lacks: sockets, a clock and a timer. One pump ends everything that touched the core:
 *     send what it has > tell what it says > wake engines > ask when to come back */
#include "peer/peer_internal.h"

#include "net/ifaddr.h"
#include "net/resolve.h"

enum { PORT_TRIES = 64 };

static pl_udp *socket_of(const pl_peer_connection *p, const pl_addr *local)
{
    for (size_t i = 0; i < p->n_sockets; i++) {
        if (pl_addr_eq(pl_udp_addr(p->socket[i]), local))
            return p->socket[i];
    }
    return NULL;
}

void peer_send_all(pl_peer_connection *p, int64_t now_us)
{
    pl_dgram d = { .data = p->factory->out_buf, .cap = PEER_OUT_CAP };
    while (pl_pc_poll_output(p->core, now_us, &d)) {
        pl_udp *u = socket_of(p, &d.path.local);
        if (u)
            (void)pl_udp_send(u, &d); /* what is lost here is lost as in the network, and counted there */
    }
}

static void wake_engines(pl_peer_connection *p)
{
    uint64_t posted = pl_pc_take_posted(p->core);
    uint32_t version = pl_pc_media_version(p->core);
    int n = pl_pc_n_transceivers(p->core);
    for (int i = 0; posted && i < n; i++) {
        pl_rtp_transceiver *t = p->transceiver[i];
        if ((posted >> i & 1) && t && t->port.posted)
            t->port.posted(t->port.user);
    }
    if (version == p->media_version)
        return;
    p->media_version = version;
    for (int i = 0; i < n; i++) {
        pl_rtp_transceiver *t = p->transceiver[i];
        pl_pc_media_info info;
        if (!t || !t->port.changed)
            continue;
        pl_pc_media_info_get(p->core, i, &info);
        t->port.changed(t->port.user, &info);
    }
}

/* Delivering on an application's own loop may call back in and even free the connection, so the pump notes
 * that it was asked again instead of nesting. */
void peer_pump(pl_peer_connection *p)
{
    if (p->pumping) {
        p->again = true;
        return;
    }
    p->pumping = true;
    peer_ref(p);
    do {
        p->again = false;
        if (!p->core)
            break;
        int64_t now_us = pl_loop_now_us(p->factory->net);
        peer_send_all(p, now_us);
        wake_engines(p);
        if (pl_pc_wants_gathering(p->core) && !p->gathered)
            peer_gather(p);
        peer_mirror(p);
        peer_take_events(p);
    } while (p->again);
    p->pumping = false;
    if (p->core)
        pl_timer_set(p->factory->net, &p->timer, pl_pc_next_us(p->core));
    peer_unref(p);
}

static void on_datagrams(void *user, int64_t now_us, const pl_udp_rx *batch, size_t n)
{
    pl_peer_connection *p = user;
    for (size_t i = 0; i < n && p->core; i++)
        pl_pc_input(p->core, now_us, batch[i].path, batch[i].data, batch[i].len);
    peer_pump(p);
}

static bool wanted(const pl_factory *f, const pl_addr *a, bool only_loopback)
{
    if (f->has_bind)
        return pl_addr_ip_eq(a, &f->bind);
    if (f->conf.no_ipv6 && a->family == PL_AF_IP6)
        return false;
    if (pl_addr_is_loopback(a))
        return !f->conf.no_loopback && (f->conf.loopback || only_loopback);
    return true;
}

static pl_err open_socket(pl_peer_connection *p, const pl_addr *ip, pl_udp **out)
{
    const pl_factory_conf *conf = &p->factory->conf;
    pl_udp_conf udp = { .bind = *ip, .fn = on_datagrams, .user = p };
    udp.bind.port = 0;
    if (!conf->port_max)
        return pl_udp_open(out, p->factory->net, &udp);
    uint32_t span = (uint32_t)(conf->port_max - conf->port_min) + 1, start = pl_rand_below(NULL, span);
    pl_err err = PL_EIO;
    for (uint32_t i = 0; i < span && i < PORT_TRIES && err; i++) {
        udp.bind.port = (uint16_t)(conf->port_min + (start + i) % span);
        err = pl_udp_open(out, p->factory->net, &udp);
    }
    return err;
}

static void add_socket(pl_peer_connection *p, int64_t now_us, const pl_ifaddr *ifa)
{
    pl_udp *u;
    char text[PL_ADDR_TEXT_MAX];
    if (p->n_sockets == PEER_SOCKETS_MAX)
        return;
    if (open_socket(p, &ifa->addr, &u)) {
        pl_log_info(&p->log, "no socket on %s (%s)", pl_log_addr(&ifa->addr, text), ifa->name);
        return;
    }
    pl_ice_base base = { .addr = *pl_udp_addr(u), .type = PL_ICE_HOST };
    if (pl_ice_add_base(pl_pc_ice(p->core), now_us, &base)) {
        pl_udp_close(u);
        return;
    }
    p->socket[p->n_sockets++] = u;
}

static void servers_done(pl_peer_connection *p, int64_t now_us)
{
    if (p->n_resolving == 0)
        pl_ice_bases_done(pl_pc_ice(p->core), now_us);
}

static void on_server(void *user, pl_err err, const pl_addr *addr, size_t n)
{
    peer_resolve *r = user;
    pl_peer_connection *p = r->peer;
    int64_t now_us = pl_loop_now_us(p->factory->net);
    r->query = NULL;
    p->n_resolving--;
    if (err)
        pl_log_info(&p->log, "a STUN server's name has no address: %s", pl_err_str(err));
    for (size_t i = 0; i < n; i++) {
        if (pl_ice_add_stun_server(pl_pc_ice(p->core), now_us, &addr[i]))
            break; /* more than the agent takes */
    }
    servers_done(p, now_us);
    pl_pc_ice_changed(p->core, now_us);
    peer_pump(p);
}

static void ask_servers(pl_peer_connection *p)
{
    for (size_t i = 0; i < p->n_servers; i++) {
        peer_resolve *r = &p->resolve[i];
        r->peer = p;
        if (!pl_resolve_start(&r->query, p->factory->net, p->server[i].host, p->server[i].port, PL_AF_NONE,
                              on_server, r))
            p->n_resolving++;
    }
}

void peer_gather(pl_peer_connection *p)
{
    pl_ifaddr list[PL_IFADDR_MAX];
    pl_factory *f = p->factory;
    int64_t now_us = pl_loop_now_us(f->net);
    bool only_loopback = true;
    size_t n = pl_ifaddr_list(list, PL_IFADDR_MAX, PL_IFADDR_LOOPBACK);
    p->gathered = true;
    for (size_t i = 0; i < n; i++)
        only_loopback &= pl_addr_is_loopback(&list[i].addr);
    for (size_t i = 0; i < n; i++) {
        if (wanted(f, &list[i].addr, only_loopback))
            add_socket(p, now_us, &list[i]);
    }
    if (!p->n_sockets)
        pl_log_warn(&p->log, "no network address to listen on: the connection will fail");
    ask_servers(p);
    servers_done(p, now_us);
    pl_pc_ice_changed(p->core, now_us);
    p->again = true;
}

void peer_close_sockets(pl_peer_connection *p)
{
    for (size_t i = 0; i < p->n_servers; i++) {
        pl_resolve_cancel(p->resolve[i].query);
        p->resolve[i].query = NULL;
    }
    p->n_resolving = 0;
    for (size_t i = 0; i < p->n_sockets; i++)
        pl_udp_close(p->socket[i]);
    p->n_sockets = 0;
    pl_timer_cancel(p->factory->net, &p->timer);
}
