/* ice_sockets.c - on which addresses of this machine an agent listens: chosen, opened, and followed as the network
 * changes. Each address has a UDP socket (its own, or one it shares), and what ICE-TCP needs. */
#include "peer/ice_internal.h"

#include <stdlib.h>
#include <string.h>

enum { PORT_TRIES = 64, ACTIVE_PORT = 9 /* RFC 6544 4.5: the discard port stands for "none" */ };

/* ---- configuration ---- */

pl_err io_sockets_read_conf(pl_ice_io *io, const pl_ice_io_conf *conf)
{
    const char *text = conf->bind_address;
    if (text && pl_addr_parse_ip(&io->bind, text, strlen(text)))
        return PL_EINVAL;
    if (conf->port_min > conf->port_max || (conf->port_max && !conf->port_min))
        return PL_EINVAL;
    if (conf->interfaces && !pl_str_copy(pl_str_of(conf->interfaces), io->interfaces, sizeof io->interfaces))
        return PL_EINVAL;
    return PL_OK;
}

/* "eth0" alone, "docker*" by its beginning. */
static bool name_fits(pl_str pattern, const char *name)
{
    if (pattern.n > 0 && pattern.p[pattern.n - 1] == '*')
        return strncmp(name, pattern.p, pattern.n - 1) == 0;
    return pl_str_is(pattern, name);
}

/* A list of names lets those in and nobody else; a list of "!names" keeps those out. */
static bool interface_wanted(const pl_ice_io *io, const char *name)
{
    bool wanted = true, first = true;
    for (pl_str rest = pl_str_of(io->interfaces); rest.p && rest.n;) {
        pl_str one = pl_str_trim(pl_str_cut(&rest, ','));
        bool out = one.n > 0 && one.p[0] == '!';
        if (first)
            wanted = out;
        first = false;
        if (name_fits(out ? (pl_str){ one.p + 1, one.n - 1 } : one, name))
            wanted = !out;
    }
    return wanted;
}

static bool address_wanted(const pl_ice_io *io, const pl_ifaddr *ifa)
{
    const pl_ice_io_conf *conf = &io->conf;
    const pl_addr *a = &ifa->addr;
    if (io->bind.family)
        return pl_addr_ip_eq(a, &io->bind);
    if (conf->without & (a->family == PL_AF_IP6 ? PL_ICE_NO_IP6 : PL_ICE_NO_IP4))
        return false;
    if (pl_addr_is_loopback(a) && !io->with_loopback)
        return false;
    return interface_wanted(io, ifa->name);
}

/* Decided once: a machine that has lost all its networks does not begin to talk to itself. */
static bool decide_loopback(const pl_ice_io *io, const pl_ifaddr *list, size_t n)
{
    bool only = true;
    for (size_t i = 0; i < n; i++)
        only &= pl_addr_is_loopback(&list[i].addr);
    return !io->conf.no_loopback && (io->conf.loopback || only);
}

/* ---- opening ---- */

static void on_datagrams(void *user, int64_t now_us, const pl_udp_rx *batch, size_t n)
{
    io_socket *s = user;
    pl_ice_io *io = s->io;
    io_enter(io);
    for (size_t i = 0; i < n && !io->closed; i++) {
        const pl_udp_rx *rx = &batch[i];
        if (io_dtls_wants(io, &rx->path->remote))
            io_dtls_input(io, now_us, rx->path, rx->data, rx->len);
        else
            io_input(io, now_us, rx->path, rx->data, rx->len);
    }
    if (!io->closed)
        io->on.changed(io->user);
    io_leave(io);
}

typedef pl_err (*open_fn)(io_socket *s, const pl_addr *at);

static pl_err open_udp(io_socket *s, const pl_addr *at)
{
    pl_udp_conf conf = { .bind = *at, .fn = on_datagrams, .user = s };
    return pl_udp_open(&s->udp, s->io->hub->loop, &conf);
}

static void on_passive(void *user, pl_tcp *tcp)
{
    io_socket *s = user;
    io_stream_accept(s->io, tcp, pl_tcp_listener_addr(s->passive));
}

static void on_so(void *user, pl_tcp *tcp)
{
    io_socket *s = user;
    io_stream_accept(s->io, tcp, pl_tcp_listener_addr(s->so));
}

static pl_err open_passive(io_socket *s, const pl_addr *at)
{
    pl_tcp_listen_conf conf = { .bind = *at,
                                .accepted = on_passive,
                                .user = s,
                                .backlog = PL_ICE_IO_ACCEPTED_MAX,
                                .queue_max = PL_ICE_IO_STREAM_QUEUE_MAX };
    return pl_tcp_listen(&s->passive, s->io->hub->loop, &conf);
}

/* RFC 6544 5.1 and 7.1: connections leave from this port, while it listens for the peer whose SYN comes first. */
static pl_err open_so(io_socket *s, const pl_addr *at)
{
    pl_tcp_listen_conf conf = { .bind = *at,
                                .accepted = on_so,
                                .user = s,
                                .reuse_port = true,
                                .backlog = PL_ICE_IO_ACCEPTED_MAX,
                                .queue_max = PL_ICE_IO_STREAM_QUEUE_MAX };
    return pl_tcp_listen(&s->so, s->io->hub->loop, &conf);
}

/* Any port, or the first free one of the range, from a random place on. */
static pl_err open_in_range(io_socket *s, open_fn open)
{
    const pl_ice_io_conf *conf = &s->io->conf;
    pl_addr at = s->ip;
    if (!conf->port_max)
        return open(s, &at);
    uint32_t span = (uint32_t)(conf->port_max - conf->port_min) + 1, start = pl_rand_below(NULL, span);
    pl_err err = PL_EIO;
    for (uint32_t i = 0; i < span && i < PORT_TRIES && err; i++) {
        at.port = (uint16_t)(conf->port_min + (start + i) % span);
        err = open(s, &at);
    }
    return err;
}

/* ---- the agent's bases ---- */

static pl_err add_base(io_socket *s, int64_t now_us, const pl_addr *addr, pl_ice_tcptype tcptype)
{
    pl_ice_base base = { .addr = *addr,
                         .type = PL_ICE_HOST,
                         .proto = tcptype == PL_ICE_TCPTYPE_NONE ? PL_UDP : PL_TCP,
                         .tcptype = (uint8_t)tcptype,
                         .mdns = s->mdns[0] ? s->mdns : NULL };
    return pl_ice_add_base(s->io->ice, now_us, &base);
}

static const pl_addr *udp_addr(const io_socket *s)
{
    return s->udp ? pl_udp_addr(s->udp) : s->shared ? mux_socket_addr(s->shared) : NULL;
}

static void close_udp(io_socket *s)
{
    pl_udp_close(s->udp);
    s->udp = NULL;
    if (s->shared)
        mux_socket_put(s->shared);
    s->shared = NULL;
}

static pl_err add_udp(io_socket *s, int64_t now_us)
{
    ice_mux *mux = s->io->hub->mux;
    pl_err err = mux ? mux_socket_get(&s->shared, mux, &s->ip) : open_in_range(s, open_udp);
    if (!err)
        err = add_base(s, now_us, udp_addr(s), PL_ICE_TCPTYPE_NONE);
    if (err)
        close_udp(s);
    return err;
}

static pl_addr active_addr(const io_socket *s)
{
    pl_addr a = s->ip;
    a.port = ACTIVE_PORT;
    return a;
}

static void add_listener(io_socket *s, int64_t now_us, pl_tcp_listener **l, open_fn open,
                         pl_ice_tcptype tcptype)
{
    if (open_in_range(s, open))
        return;
    if (add_base(s, now_us, pl_tcp_listener_addr(*l), tcptype)) {
        pl_tcp_listener_close(*l);
        *l = NULL;
    }
}

/* Without TCP the call still has UDP: what does not open is left out. */
static void add_tcp(io_socket *s, int64_t now_us)
{
    const pl_ice_io_conf *conf = &s->io->conf;
    pl_addr from = active_addr(s);
    if (conf->tcp == PL_ICE_IO_TCP_OFF || conf->without & PL_ICE_NO_TCP)
        return;
    s->active = add_base(s, now_us, &from, PL_ICE_TCPTYPE_ACTIVE) == PL_OK;
    if (conf->tcp != PL_ICE_IO_TCP_BOTH)
        return;
    add_listener(s, now_us, &s->passive, open_passive, PL_ICE_TCPTYPE_PASSIVE);
    add_listener(s, now_us, &s->so, open_so, PL_ICE_TCPTYPE_SO);
}

static void drop_listener(io_socket *s, int64_t now_us, pl_tcp_listener **l, pl_ice_tcptype tcptype)
{
    if (!*l)
        return;
    if (s->io->ice)
        pl_ice_remove_tcp_base(s->io->ice, now_us, pl_tcp_listener_addr(*l), tcptype);
    pl_tcp_listener_close(*l);
    *l = NULL;
}

static void drop_socket(io_socket *s, int64_t now_us)
{
    pl_ice_io *io = s->io;
    pl_addr from = active_addr(s);
    if (udp_addr(s))
        io_dtls_drop(io, udp_addr(s));
    if (io->ice && udp_addr(s))
        pl_ice_remove_base(io->ice, now_us, udp_addr(s));
    if (io->ice && s->active)
        pl_ice_remove_tcp_base(io->ice, now_us, &from, PL_ICE_TCPTYPE_ACTIVE);
    close_udp(s);
    drop_listener(s, now_us, &s->passive, PL_ICE_TCPTYPE_PASSIVE);
    drop_listener(s, now_us, &s->so, PL_ICE_TCPTYPE_SO);
    if (s->mdns[0])
        ice_names_disown(io->hub->names, s->mdns);
    pl_list_remove(&s->in_io);
    io->n_sockets--;
    free(s);
}

static bool add_socket(pl_ice_io *io, int64_t now_us, const pl_ifaddr *ifa)
{
    char text[PL_ADDR_TEXT_MAX];
    io_socket *s = io->n_sockets < PL_ICE_IO_SOCKETS_MAX ? calloc(1, sizeof *s) : NULL;
    if (!s)
        return false;
    s->io = io;
    s->ip = ifa->addr;
    s->is_listed = true;
    if (io->conf.mdns_hide)
        ice_names_own(io->hub->names, io, &s->ip, s->mdns);
    pl_list_push_back(&io->sockets, &s->in_io);
    io->n_sockets++;
    pl_err err = io->conf.without & PL_ICE_NO_UDP ? PL_ENOTSUP : add_udp(s, now_us);
    add_tcp(s, now_us);
    if (!err || s->active || s->passive || s->so)
        return true;
    pl_log_info(&io->log, "no socket on %s (%s): %s", pl_log_addr(&ifa->addr, text), ifa->name,
                pl_err_str(err));
    drop_socket(s, now_us);
    return false;
}

/* ---- following the network ---- */

static io_socket *socket_on(pl_ice_io *io, const pl_addr *ip)
{
    PL_EACH (n, &io->sockets) {
        io_socket *s = pl_of(n, io_socket, in_io);
        if (pl_addr_eq(&s->ip, ip))
            return s;
    }
    return NULL;
}

static bool drop_unlisted(pl_ice_io *io, int64_t now_us)
{
    char text[PL_ADDR_TEXT_MAX];
    bool any = false;
    PL_EACH (n, &io->sockets) {
        io_socket *s = pl_of(n, io_socket, in_io);
        if (s->is_listed)
            continue;
        pl_log_info(&io->log, "%s is gone", pl_log_addr(&s->ip, text));
        drop_socket(s, now_us);
        any = true;
    }
    return any;
}

/* New ones first: when the address in use has gone, the agent already has where to go. */
bool io_sockets_sync(pl_ice_io *io, int64_t now_us)
{
    pl_ifaddr list[PL_IFADDR_MAX];
    bool changed = false;
    size_t n = pl_ifaddr_list(list, PL_IFADDR_MAX, PL_IFADDR_LOOPBACK);
    if (!io->ice)
        return false;
    if (!io->was_listed)
        io->with_loopback = decide_loopback(io, list, n);
    io->was_listed = true;
    PL_EACH (at, &io->sockets)
        pl_of(at, io_socket, in_io)->is_listed = false;
    for (size_t i = 0; i < n; i++) {
        if (!address_wanted(io, &list[i]))
            continue;
        io_socket *s = socket_on(io, &list[i].addr);
        if (s)
            s->is_listed = true;
        else
            changed |= add_socket(io, now_us, &list[i]);
    }
    return drop_unlisted(io, now_us) || changed;
}

void io_sockets_close(pl_ice_io *io)
{
    int64_t now_us = pl_loop_now_us(io->hub->loop);
    PL_EACH (n, &io->sockets)
        drop_socket(pl_of(n, io_socket, in_io), now_us);
}

/* ---- the way out ---- */

void io_sockets_send(pl_ice_io *io, const pl_dgram *d)
{
    if (io_dtls_wants(io, &d->path.remote))
        io_dtls_send(io, d);
    else
        io_sockets_send_plain(io, d);
}

void io_sockets_send_plain(pl_ice_io *io, const pl_dgram *d)
{
    PL_EACH (n, &io->sockets) {
        io_socket *s = pl_of(n, io_socket, in_io);
        const pl_addr *local = udp_addr(s);
        if (!local || !pl_addr_eq(local, &d->path.local))
            continue;
        if (s->shared)
            mux_send(io->muxed, s->shared, d);
        else
            (void)pl_udp_send(s->udp, d); /* what is lost here is lost as in the network, and counted there */
        return;
    }
}
