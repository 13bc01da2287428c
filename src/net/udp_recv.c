#include "net/udp_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>

#include "net/sockaddr.h"

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

/* What the kernel says beside the bytes. */
struct facts {
    size_t segment; /* GRO: several datagrams of this size; 0: one */
    uint8_t ecn;
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
            f.ecn = *CMSG_DATA(c) & 3; /* one byte here, an int everywhere else */
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
            memcpy(&value, CMSG_DATA(c), sizeof value);
            f.ecn = value & 3;
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

static void prepare(udp_recv_scratch *r, uint8_t slot[][UDP_SLOT_BYTES])
{
    for (int i = 0; i < UDP_RECV_SLOTS; i++) {
        r->iov[i] = (struct iovec){ .iov_base = slot[i], .iov_len = UDP_SLOT_BYTES };
        r->msg[i].msg_hdr = (struct msghdr){ .msg_name = &r->name[i],
                                             .msg_namelen = sizeof r->name[i],
                                             .msg_iov = &r->iov[i],
                                             .msg_iovlen = 1,
                                             .msg_control = r->control[i],
                                             .msg_controllen = sizeof r->control[i] };
    }
}

static void hand_over(pl_udp *u, const udp_recv_scratch *r, size_t *n)
{
    if (*n > 0 && u->fd >= 0)
        u->fn(u->user, pl_loop_now_us(u->loop), r->rx, *n);
    *n = 0;
}

/* One message of the kernel is one datagram, or a row of equal ones with a shorter last. */
static void walk_message(pl_udp *u, udp_recv_scratch *r, int i, size_t *n)
{
    struct msghdr *m = &r->msg[i].msg_hdr;
    size_t len = r->msg[i].msg_len;
    pl_path *path = &r->path[i];
    *path = (pl_path){ .local = u->local, .proto = PL_UDP };
    if (!pl_sockaddr_to(&path->remote, m->msg_name) || m->msg_flags & MSG_TRUNC) {
        u->stats.n_truncated++;
        return;
    }
    struct facts f = read_control(m, path);
    size_t segment = f.segment > 0 && f.segment < len ? f.segment : len;
    if (segment < len)
        u->stats.n_coalesced += (len + segment - 1) / segment;
    u->stats.bytes_received += len;
    size_t at = 0;
    do { /* an empty datagram is one, too */
        size_t part = segment < len - at ? segment : len - at;
        r->rx[(*n)++] =
            (pl_udp_rx){ .path = path, .data = u->loop->udp->slot[i] + at, .len = part, .ecn = f.ecn };
        u->stats.n_received++;
        at += part;
        if (*n == PL_UDP_BATCH_MAX)
            hand_over(u, r, n);
    } while (at < len && u->fd >= 0);
}

/* How many messages came; 0 when there is nothing more, or an error to be counted. */
static int receive(pl_udp *u)
{
    udp_recv_scratch *r = &u->loop->udp->recv;
    for (;;) {
        prepare(r, u->loop->udp->slot);
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
    udp_recv_scratch *r = &u->loop->udp->recv;
    for (int round = 0; round < UDP_RECV_ROUNDS && u->fd >= 0; round++) {
        int n_msgs = receive(u);
        size_t n = 0;
        for (int i = 0; i < n_msgs && u->fd >= 0; i++)
            walk_message(u, r, i, &n);
        hand_over(u, r, &n);
        if (n_msgs < UDP_RECV_SLOTS)
            return;
    }
}
