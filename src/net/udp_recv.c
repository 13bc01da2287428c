#include "net/udp_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#ifdef __linux__
#include <time.h> /* struct timespec, which errqueue.h names */

#include <linux/errqueue.h>
#endif

#include "net/sockaddr.h"

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

/* What the kernel says beside the bytes. */
struct facts {
    size_t segment; /* GRO: several datagrams of this size; 0: one */
    uint8_t tos;
};

static void set_local_ip(pl_path *path, pl_family family, const void *ip)
{
    path->local.family = (uint8_t)family;
    memset(path->local.ip, 0, sizeof path->local.ip);
    memcpy(path->local.ip, ip, family == PL_AF_IP4 ? 4 : 16);
}

static void read_local_ip6(pl_path *path, const struct in6_pktinfo *info)
{
    if (IN6_IS_ADDR_V4MAPPED(&info->ipi6_addr)) {
        set_local_ip(path, PL_AF_IP4, (const uint8_t *)&info->ipi6_addr + 12);
        return;
    }
    if (IN6_IS_ADDR_MULTICAST(&info->ipi6_addr)) /* the group is nobody's source address */
        return;
    set_local_ip(path, PL_AF_IP6, &info->ipi6_addr);
    path->local.scope = pl_addr_is_link_local(&path->local) ? info->ipi6_ifindex : 0;
}

static struct facts read_control(struct msghdr *m, pl_path *path)
{
    struct facts f = { 0 };
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        int value = 0;
        if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
            memcpy(&value, CMSG_DATA(c), sizeof value);
            f.segment = value > 0 ? (size_t)value : 0;
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
            f.tos = *CMSG_DATA(c); /* one byte here, an int everywhere else */
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
            memcpy(&value, CMSG_DATA(c), sizeof value);
            f.tos = (uint8_t)value;
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            set_local_ip(path, PL_AF_IP4, &info.ipi_spec_dst); /* not a multicast group, as ipi_addr may be */
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            read_local_ip6(path, &info);
        }
    }
    return f;
}

/* The kernel overwrites these; what it leaves alone is set up once. */
static void renew(udp_recv_scratch *r, int n)
{
    for (int i = 0; i < n; i++) {
        struct msghdr *m = &r->msg[i].msg_hdr;
        m->msg_namelen = sizeof r->name[i];
        m->msg_controllen = sizeof r->control[i];
    }
}

void pl_udp_recv_init(udp_recv_scratch *r, uint8_t slot[][UDP_SLOT_BYTES])
{
    for (int i = 0; i < UDP_RECV_SLOTS; i++) {
        r->iov[i] = (struct iovec){ .iov_base = slot[i], .iov_len = UDP_SLOT_BYTES };
        r->msg[i].msg_hdr = (struct msghdr){
            .msg_name = &r->name[i], .msg_iov = &r->iov[i], .msg_iovlen = 1, .msg_control = r->control[i]
        };
    }
    renew(r, UDP_RECV_SLOTS);
}

/* ---- handing over ---- */

static bool read_message(pl_udp *u, udp_recv_scratch *r, int i, pl_udp_row *row)
{
    struct msghdr *m = &r->msg[i].msg_hdr;
    size_t len = r->msg[i].msg_len;
    pl_path *path = &r->path[i];
    *path = (pl_path){ .local = u->local, .proto = PL_UDP };
    if (!pl_sockaddr_to(&path->remote, m->msg_name) || m->msg_flags & MSG_TRUNC) {
        u->stats.n_truncated++;
        return false;
    }
    struct facts f = m->msg_controllen > 0 ? read_control(m, path) : (struct facts){ 0 };
    size_t segment = f.segment > 0 && f.segment < len ? f.segment : len, n = 1;
    if (segment < len) {
        n = (len + segment - 1) / segment;
        u->stats.n_coalesced += n;
    }
    u->stats.bytes_received += len;
    u->stats.n_received += n;
    pl_rest_count(&u->loop->rest, n);
    *row = (pl_udp_row){
        .path = path, .data = r->iov[i].iov_base, .len = len, .segment = segment, .tos = f.tos
    };
    return true;
}

static void hand_over(pl_udp *u, const udp_recv_scratch *r, size_t *n)
{
    if (*n > 0 && u->fd >= 0)
        u->fn.one(u->user, pl_loop_now_us(u->loop), r->rx, *n);
    *n = 0;
}

/* Rows cut into datagrams, for those who want them one by one. */
static void hand_over_cut(pl_udp *u, udp_recv_scratch *r, size_t n_rows)
{
    size_t n = 0;
    for (size_t i = 0; i < n_rows && u->fd >= 0; i++) {
        const pl_udp_row *row = &r->row[i];
        size_t at = 0;
        do { /* an empty datagram is one, too */
            size_t part = row->segment < row->len - at ? row->segment : row->len - at;
            r->rx[n++] =
                (pl_udp_rx){ .path = row->path, .data = row->data + at, .len = part, .ecn = row->tos & 3 };
            at += part;
            if (n == PL_UDP_BATCH_MAX)
                hand_over(u, r, &n);
        } while (at < row->len && u->fd >= 0);
    }
    hand_over(u, r, &n);
}

/* How many messages came; 0 when there is nothing more, or an error to be counted. */
static int receive(pl_udp *u)
{
    udp_recv_scratch *r = &u->loop->udp->recv;
    for (;;) {
        int n_msgs = recvmmsg(u->fd, r->msg, UDP_RECV_SLOTS, 0, NULL);
        u->stats.n_recv_calls++;
        if (n_msgs >= 0)
            return n_msgs;
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK)
            u->stats.n_refused++;
        return 0;
    }
}

void pl_udp_recv(pl_udp *u)
{
    pl_loop *loop = u->loop; /* u may be closed in its callback, but is freed later */
    udp_recv_scratch *r = &loop->udp->recv;
    for (int round = 0; round < UDP_RECV_ROUNDS && u->fd >= 0; round++) {
        int n_msgs = receive(u);
        size_t n = 0;
        for (int i = 0; i < n_msgs; i++)
            n += read_message(u, r, i, &r->row[n]);
        renew(r, n_msgs);
        if (!u->by_rows)
            hand_over_cut(u, r, n);
        else if (n > 0)
            u->fn.rows(u->user, pl_loop_now_us(loop), r->row, n);
        if (n_msgs < UDP_RECV_SLOTS)
            return;
    }
}

/* ---- ICMP errors ---- */

#ifdef __linux__

static bool read_error(const struct msghdr *m, pl_udp_error *e)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR((struct msghdr *)(uintptr_t)m, c)) {
        struct sock_extended_err x;
        bool v4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR;
        if (!v4 && !(c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR))
            continue;
        memcpy(&x, CMSG_DATA(c), sizeof x);
        e->type = x.ee_type;
        e->code = x.ee_code;
        e->is_icmp6 = x.ee_origin == SO_EE_ORIGIN_ICMP6;
        e->mtu = x.ee_errno == EMSGSIZE ? x.ee_info : 0;
        return x.ee_origin == SO_EE_ORIGIN_ICMP || x.ee_origin == SO_EE_ORIGIN_ICMP6;
    }
    return false;
}

void pl_udp_recv_errors(pl_udp *u)
{
    for (int i = 0; i < UDP_RECV_SLOTS && u->fd >= 0; i++) {
        struct sockaddr_storage name;
        _Alignas(struct cmsghdr) uint8_t control[512];
        struct msghdr m = { .msg_name = &name,
                            .msg_namelen = sizeof name,
                            .msg_control = control,
                            .msg_controllen = sizeof control };
        pl_udp_error e = { 0 };
        if (recvmsg(u->fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
            return;
        u->stats.n_refused++;
        if (u->on_error && read_error(&m, &e) && pl_sockaddr_to(&e.remote, (struct sockaddr *)&name))
            u->on_error(u->user, pl_loop_now_us(u->loop), &e);
    }
}

#else

void pl_udp_recv_errors(pl_udp *u)
{
    (void)u; /* only counted here */
}

#endif
