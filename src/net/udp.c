#include "net/udp_internal.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/sockaddr.h"

#ifndef UDP_SEGMENT /* Linux 4.18 */
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO /* Linux 5.0 */
#define UDP_GRO 104
#endif

static pl_err sys_err(const char *what)
{
    pl_log_info(NULL, "udp: %s: %s", what, strerror(errno));
    return PL_EIO;
}

static bool set_int(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

/* --- opening --- */

static struct pl_udp_shared *shared_of(pl_loop *loop)
{
    if (!loop->udp) {
        struct pl_udp_shared *s = malloc(sizeof *s); /* not calloc: untouched slots cost nothing */
        if (!s)
            return NULL;
        pl_udp_recv_init(&s->recv, s->slot);
        pl_udp_gather_init(&s->gather);
        s->can_gso = s->can_gro = 0;
        loop->udp = s;
    }
    return loop->udp;
}

void pl_udp_shared_free(struct pl_udp_shared *s)
{
    free(s);
}

#ifndef SO_RCVBUFFORCE /* Linux: beyond the system's limit, for who may */
#define SO_RCVBUFFORCE SO_RCVBUF
#define SO_SNDBUFFORCE SO_SNDBUF
#endif

static void set_buffer(int fd, int name, int force, int bytes)
{
    if (!set_int(fd, SOL_SOCKET, force, bytes))
        set_int(fd, SOL_SOCKET, name, bytes);
}

/* Nice to have: a system without one of these still carries datagrams. */
static void set_wishes(int fd, const pl_udp_conf *conf, bool v4, bool v6)
{
    if (conf->recv_ecn && v6)
        set_int(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
    if (conf->recv_ecn && v4)
        set_int(fd, IPPROTO_IP, IP_RECVTOS, 1);
    if (conf->ecn && v6)
        set_int(fd, IPPROTO_IPV6, IPV6_TCLASS, conf->ecn);
    if (conf->ecn && v4)
        set_int(fd, IPPROTO_IP, IP_TOS, conf->ecn);
#ifdef __linux__
    if (conf->on_error && v6)
        set_int(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
    if (conf->on_error && v4)
        set_int(fd, IPPROTO_IP, IP_RECVERR, 1);
#endif
    if (conf->multicast_hops && v6)
        set_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, conf->multicast_hops);
    if (conf->multicast_hops && v4)
        set_int(fd, IPPROTO_IP, IP_MULTICAST_TTL, conf->multicast_hops);
    if (conf->recv_buf > 0)
        set_buffer(fd, SO_RCVBUF, SO_RCVBUFFORCE, conf->recv_buf);
    if (conf->send_buf > 0)
        set_buffer(fd, SO_SNDBUF, SO_SNDBUFFORCE, conf->send_buf);
}

/* Without these the socket would not be what was asked. */
static bool set_options(pl_udp *u, const pl_udp_conf *conf)
{
    int fd = u->fd;
    bool v6 = conf->bind.family == PL_AF_IP6, v4 = !v6 || conf->dual_stack;
    if (v6 && !set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, !conf->dual_stack))
        return false;
    if (conf->reuse_port && !set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1))
        return false;
    if (conf->reuse_addr && !set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1))
        return false;
    if (u->any && !set_int(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_RECVPKTINFO : IP_PKTINFO, 1))
        return false;
    if (u->any && conf->dual_stack)
        set_int(fd, IPPROTO_IP, IP_PKTINFO, 1);
    set_wishes(fd, conf, v4, v6);
    return true;
}

/* Asks the kernel; whether the device can do it shows when the first segments are sent. */
static void probe_offload(pl_udp *u, pl_udp_offload wish)
{
    const char *env = getenv("PL_UDP_OFFLOAD");
    if (wish == PL_UDP_OFFLOAD_OFF || (env && strcmp(env, "off") == 0))
        return;
    struct pl_udp_shared *s = u->loop->udp;
    int segment = 0;
    socklen_t len = sizeof segment;
    if (s->can_gso == 0) /* what the kernel knows is asked once a loop: a relay opens thousands of sockets */
        s->can_gso = getsockopt(u->fd, IPPROTO_UDP, UDP_SEGMENT, &segment, &len) == 0 ? 1 : -1;
    if (s->can_gro >= 0)
        s->can_gro = set_int(u->fd, IPPROTO_UDP, UDP_GRO, 1) ? 1 : -1;
    u->gso = s->can_gso > 0;
    u->gro = s->can_gro > 0;
}

static pl_err bind_to(pl_udp *u, const pl_addr *want)
{
    struct sockaddr_storage sa;
    socklen_t len = pl_sockaddr_from(&sa, want, false);
    if (bind(u->fd, (struct sockaddr *)&sa, len) != 0)
        return sys_err("bind");
    u->local = *want;
    if (want->port != 0)
        return PL_OK;
    len = sizeof sa;
    if (getsockname(u->fd, (struct sockaddr *)&sa, &len) != 0)
        return sys_err("getsockname");
    pl_sockaddr_to(&u->local, (struct sockaddr *)&sa);
    return PL_OK;
}

static void on_poll(uv_poll_t *h, int status, int events)
{
    pl_udp *u = h->data;
    if (status < 0) { /* libuv has stopped watching over an ICMP error: take it off the socket and go on */
        int err = 0;
        socklen_t len = sizeof err;
        getsockopt(u->fd, SOL_SOCKET, SO_ERROR, &err, &len);
        if (u->on_error)
            pl_udp_recv_errors(u);
        else
            u->stats.n_refused++;
        if (u->fd >= 0)
            pl_udp_watch(u);
        return;
    }
    if (events & UV_WRITABLE)
        pl_udp_drain(u);
    if (events & UV_READABLE)
        pl_udp_recv(u);
}

void pl_udp_watch(pl_udp *u)
{
    uv_poll_start(&u->poll, UV_READABLE | (u->wait_first ? UV_WRITABLE : 0), on_poll);
}

static void on_closed(uv_handle_t *h)
{
    free(h->data);
}

static pl_err adopt_fd(pl_udp *u, const pl_udp_conf *conf)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;
    if (getsockname(conf->fd, (struct sockaddr *)&sa, &len) != 0 ||
        uv_poll_init(&u->loop->uv, &u->poll, conf->fd) != 0)
        return sys_err("socket from elsewhere");
    pl_sockaddr_to(&u->local, (struct sockaddr *)&sa);
    u->fd = conf->fd;
    return PL_OK;
}

static pl_err open_fd(pl_udp *u, const pl_udp_conf *conf)
{
    if (conf->fd > 0)
        return adopt_fd(u, conf);
    u->fd = socket(conf->bind.family == PL_AF_IP6 ? AF_INET6 : AF_INET,
                   SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (u->fd < 0)
        return sys_err("socket");
    pl_err err = set_options(u, conf) ? bind_to(u, &conf->bind) : sys_err("setsockopt");
    if (err == PL_OK && uv_poll_init(&u->loop->uv, &u->poll, u->fd) != 0)
        err = PL_EIO;
    if (err != PL_OK)
        close(u->fd);
    return err;
}

pl_err pl_udp_open(pl_udp **out, pl_loop *loop, const pl_udp_conf *conf)
{
    PL_OWNED(loop);
    *out = NULL;
    if (!conf->fn == !conf->rows || (conf->bind.family != PL_AF_IP4 && conf->bind.family != PL_AF_IP6))
        return PL_EINVAL;
    pl_udp *u = calloc(1, sizeof *u);
    if (!u || !shared_of(loop)) {
        free(u);
        return PL_ENOMEM;
    }
    u->loop = loop;
    u->by_rows = conf->rows != NULL;
    if (u->by_rows)
        u->fn.rows = conf->rows;
    else
        u->fn.one = conf->fn;
    u->on_error = conf->on_error;
    u->user = conf->user;
    u->ecn = conf->ecn & 3;
    u->any = pl_addr_is_any(&conf->bind);
    u->dual_stack = conf->dual_stack && conf->bind.family == PL_AF_IP6;
    u->wait_last = &u->wait_first;
    pl_err err = open_fd(u, conf);
    if (err != PL_OK) {
        free(u);
        return err;
    }
    u->poll.data = u;
    probe_offload(u, conf->offload);
    pl_udp_dont_fragment(u, conf->dont_fragment);
    pl_udp_watch(u);
    *out = u;
    return PL_OK;
}

int pl_udp_take(pl_udp *u)
{
    PL_OWNED(u->loop);
    int fd = u->fd;
    if (fd < 0)
        return -1;
    pl_udp_flush(u); /* a last word (DTLS close_notify) may be in the cork */
    pl_udp_drop_waiting(u);
    uv_poll_stop(&u->poll);
    u->fd = -1;
    uv_close((uv_handle_t *)&u->poll, on_closed);
    return fd;
}

void pl_udp_close(pl_udp *u)
{
    int fd = u ? pl_udp_take(u) : -1;
    if (fd >= 0)
        close(fd);
}

/* --- the rest --- */

const pl_addr *pl_udp_addr(const pl_udp *u)
{
    return &u->local;
}

const pl_udp_stats *pl_udp_get_stats(const pl_udp *u)
{
    return &u->stats;
}

/* PROBE sets DF whatever the kernel knows of the route, and leaves the size to us; DONT clears it; WANT is the
 * system's default, path MTU discovery, under which the kernel itself fragments what is too long for a route it
 * knows. Routers of IPv6 never fragment, so with DONT the parts are as short as every link must carry; even so only what is
 * longer than the route's MTU is cut. */
enum { IP6_LEAST_MTU = 1280 };

void pl_udp_set_df(pl_udp *u, uint8_t df)
{
    static const int v4[] = { IP_PMTUDISC_WANT, IP_PMTUDISC_PROBE, IP_PMTUDISC_DONT };
    static const int v6[] = { IPV6_PMTUDISC_WANT, IPV6_PMTUDISC_PROBE, IPV6_PMTUDISC_DONT };
    if (u->df == df)
        return;
    pl_udp_gather_flush(&u->loop->udp->gather); /* what was sent before goes as it was */
    u->df = df;
    if (u->local.family == PL_AF_IP6) {
        set_int(u->fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, v6[df]);
        set_int(u->fd, IPPROTO_IPV6, IPV6_MTU, df == PL_DF_CLEAR ? IP6_LEAST_MTU : 0);
    }
    if (u->local.family == PL_AF_IP4 || u->dual_stack)
        set_int(u->fd, IPPROTO_IP, IP_MTU_DISCOVER, v4[df]);
}

void pl_udp_dont_fragment(pl_udp *u, bool df)
{
    PL_OWNED(u->loop);
    pl_udp_set_df(u, df ? PL_DF_SET : PL_DF_SYSTEM);
}

bool pl_udp_sends_segments(const pl_udp *u)
{
    return u->gso;
}

bool pl_udp_receives_segments(const pl_udp *u)
{
    return u->gro;
}

pl_err pl_udp_join(pl_udp *u, const pl_addr *group, uint32_t if_index)
{
    PL_OWNED(u->loop);
    int bad;
    if (group->family == PL_AF_IP6) {
        struct ipv6_mreq req = { .ipv6mr_interface = if_index };
        memcpy(&req.ipv6mr_multiaddr, group->ip, 16);
        bad = setsockopt(u->fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &req, sizeof req);
    } else {
        struct ip_mreqn req = { .imr_ifindex = (int)if_index };
        memcpy(&req.imr_multiaddr, group->ip, 4);
        bad = setsockopt(u->fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &req, sizeof req);
    }
    return bad && errno != EADDRINUSE ? sys_err("join") : PL_OK; /* in use: it has joined already */
}

pl_err pl_udp_multicast_if(pl_udp *u, uint32_t if_index)
{
    PL_OWNED(u->loop);
    if (u->local.family == PL_AF_IP6)
        return set_int(u->fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, (int)if_index) ? PL_OK
                                                                              : sys_err("multicast_if");
    struct ip_mreqn req = { .imr_ifindex = (int)if_index };
    if (setsockopt(u->fd, IPPROTO_IP, IP_MULTICAST_IF, &req, sizeof req) != 0)
        return sys_err("multicast_if");
    return PL_OK;
}
