#include "net/udp_internal.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "net/sockaddr.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

/* --- control messages --- */

static void put_control(struct msghdr *m, int level, int type, const void *data, size_t len)
{
    struct cmsghdr *c = (struct cmsghdr *)(void *)((uint8_t *)m->msg_control + m->msg_controllen);
    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(len);
    memset(CMSG_DATA(c), 0, CMSG_SPACE(len) - CMSG_LEN(0)); /* padding, too: the kernel is shown all of it */
    memcpy(CMSG_DATA(c), data, len);
    m->msg_controllen += CMSG_SPACE(len);
    assert(m->msg_controllen <= UDP_CONTROL_BYTES);
}

static void put_source(struct msghdr *m, const pl_addr *local)
{
    if (local->family == PL_AF_IP4) {
        struct in_pktinfo info = { 0 };
        memcpy(&info.ipi_spec_dst, local->ip, 4);
        put_control(m, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
    } else {
        struct in6_pktinfo info = { .ipi6_ifindex = local->scope };
        memcpy(&info.ipi6_addr, local->ip, 16);
        put_control(m, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
    }
}

static void put_facts(const pl_udp *u, struct msghdr *m, const udp_out *out, size_t segment)
{
    if (segment > 0) {
        uint16_t size = (uint16_t)segment;
        put_control(m, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof size);
    }
    if (out->tos) {
        int tos = out->tos;
        bool v4 = out->remote.family == PL_AF_IP4;
        put_control(m, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TOS : IPV6_TCLASS, &tos, sizeof tos);
    }
    if (u->any && out->local.family == out->remote.family && !pl_addr_is_any(&out->local))
        put_source(m, &out->local);
    if (m->msg_controllen == 0)
        m->msg_control = NULL;
}

/* --- a row of datagrams becomes system calls --- */

/* Where we are in a row of udp_out: everything before has left. */
typedef struct cursor {
    const udp_out *out;
    size_t n, at;  /* the first `at` of n are done, and of the next... */
    size_t offset; /* ...these bytes */
} cursor;

static bool is_done(const cursor *c)
{
    return c->at == c->n;
}

static void advance(cursor *c, size_t len)
{
    c->offset += len;
    if (c->offset >= c->out[c->at].len) {
        c->at++;
        c->offset = 0;
    }
}

/* Bytes of the next message: as many segments as one call may carry, or one. */
static size_t next_size(const cursor *c, bool gso)
{
    const udp_out *out = &c->out[c->at];
    size_t left = out->len - c->offset, n = 1;
    if (out->segment == 0 || left <= out->segment)
        return left;
    if (gso) {
        n = PL_UDP_SIZE_MAX / out->segment;
        n = n < PL_UDP_SEGMENTS_MAX ? n : PL_UDP_SEGMENTS_MAX;
    }
    return left < n * out->segment ? left : n * out->segment;
}

/* The slices of bytes offset..offset+size of an out. Returns how many, or 0 when there is no room for them. */
static size_t cut_slices(const udp_out *out, size_t offset, size_t size, struct iovec *to, size_t cap)
{
    size_t i = 0, n = 0;
    for (; i < out->n_iov && offset >= out->iov[i].iov_len; i++)
        offset -= out->iov[i].iov_len;
    for (; i < out->n_iov && size > 0; i++, offset = 0) {
        size_t part = out->iov[i].iov_len - offset;
        part = part < size ? part : size;
        if (n == cap)
            return 0;
        to[n++] = (struct iovec){ .iov_base = (uint8_t *)out->iov[i].iov_base + offset, .iov_len = part };
        size -= part;
    }
    return n;
}

/* False: no room for its slices in this batch. */
static bool fill(const pl_udp *u, udp_send_scratch *s, size_t i, size_t *n_iov, const cursor *c, size_t size)
{
    const udp_out *out = &c->out[c->at];
    struct msghdr *m = &s->msg[i].msg_hdr;
    *m = (struct msghdr){ .msg_name = &s->name[i], .msg_control = s->control[i] };
    if (size == out->len) { /* whole, as most are */
        m->msg_iov = (struct iovec *)(uintptr_t)out->iov;
        m->msg_iovlen = out->n_iov;
    } else {
        m->msg_iov = s->iov + *n_iov;
        m->msg_iovlen = cut_slices(out, c->offset, size, m->msg_iov, UDP_PIECES_MAX - *n_iov);
        *n_iov += m->msg_iovlen;
        if (m->msg_iovlen == 0)
            return false;
    }
    s->size[i] = size;
    m->msg_namelen = pl_sockaddr_from(&s->name[i], &out->remote, u->dual_stack);
    put_facts(u, m, out, size > out->segment ? out->segment : 0);
    return true;
}

static size_t fill_batch(const pl_udp *u, udp_send_scratch *s, cursor c, bool gso)
{
    size_t n = 0, n_iov = 0;
    for (; n < PL_UDP_BATCH_MAX && !is_done(&c); n++) {
        size_t size = next_size(&c, gso);
        if (!fill(u, s, n, &n_iov, &c, size))
            break;
        advance(&c, size);
    }
    return n;
}

static int transmit(pl_udp *u, udp_send_scratch *s, size_t n)
{
    int sent;
    do {
        u->stats.n_send_calls++;
        if (n == 1)
            sent = sendmsg(u->fd, &s->msg[0].msg_hdr, 0) >= 0 ? 1 : -1;
        else
            sent = sendmmsg(u->fd, s->msg, (unsigned)n, 0);
    } while (sent < 0 && errno == EINTR);
    return sent;
}

static void count_sent(pl_udp *u, const cursor *c, size_t size)
{
    size_t segment = c->out[c->at].segment, n = 1;
    if (segment > 0 && size > segment) {
        n = (size + segment - 1) / segment;
        u->stats.n_segmented += n;
        u->gso_failures = 0;
    }
    u->stats.n_sent += n;
    u->stats.bytes_sent += size;
}

/* --- what waits for the kernel --- */

static pl_err wait_for_room(pl_udp *u, const udp_out *out, size_t offset)
{
    size_t len = out->len - offset;
    udp_wait *w = u->wait_bytes + len <= PL_UDP_QUEUE_MAX ? malloc(sizeof *w + len) : NULL;
    if (!w) {
        u->stats.n_dropped += out->segment ? (len + out->segment - 1) / out->segment : 1;
        return PL_ENOSPC;
    }
    uint8_t *at = (uint8_t *)(w + 1);
    *w = (udp_wait){ .out = *out, .iov = { .iov_base = at, .iov_len = len } };
    w->out.iov = &w->iov;
    w->out.n_iov = 1;
    w->out.len = len;
    for (size_t i = 0, skip = offset; i < out->n_iov; i++) {
        size_t part = out->iov[i].iov_len, from = skip < part ? skip : part;
        memcpy(at, (uint8_t *)out->iov[i].iov_base + from, part - from);
        at += part - from;
        skip -= from;
    }
    bool was_empty = !u->wait_first;
    *u->wait_last = w;
    u->wait_last = &w->next;
    u->wait_bytes += len;
    u->stats.n_queued += out->segment ? (len + out->segment - 1) / out->segment : 1;
    if (was_empty)
        pl_udp_watch(u);
    return PL_OK;
}

static void pop_waiting(pl_udp *u)
{
    udp_wait *w = u->wait_first;
    u->wait_first = w->next;
    if (!w->next)
        u->wait_last = &u->wait_first;
    u->wait_bytes -= w->out.len;
    free(w);
}

void pl_udp_drop_waiting(pl_udp *u)
{
    while (u->wait_first)
        pop_waiting(u);
}

/* --- sending, whatever the kernel answers --- */

typedef enum verdict { WAIT, AGAIN, AGAIN_WITHOUT_GSO, SKIP } verdict;

static verdict judge(pl_udp *u, int err, bool with_gso, bool repeated)
{
    switch (err) {
    case EAGAIN:
#if EAGAIN != EWOULDBLOCK
    case EWOULDBLOCK:
#endif
        return WAIT;
    case EIO: /* the device cannot compute checksums, so the kernel cannot segment for it */
        if (!with_gso)
            break;
        u->gso = false;
        return AGAIN_WITHOUT_GSO;
    case EINVAL: /* segments above the route's MTU, or a route that wants none */
    case EMSGSIZE:
        if (!with_gso)
            break;
        if (++u->gso_failures >= UDP_GSO_FAILURES_MAX)
            u->gso = false;
        return AGAIN_WITHOUT_GSO;
    case ECONNREFUSED: /* an old ICMP error of somebody else; this datagram was not tried yet */
        u->stats.n_refused++;
        return repeated ? SKIP : AGAIN;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EADDRNOTAVAIL:
    case EACCES:
    case EPERM: u->stats.n_refused++; return SKIP;
    default: break;
    }
    u->stats.n_dropped++;
    return SKIP;
}

/* Sends a row; what the kernel has no room for goes to *rest (of which the first may be partly done). */
static pl_err push(pl_udp *u, const udp_out *out, size_t n, cursor *rest)
{
    udp_send_scratch *s = &u->loop->udp->send;
    cursor c = { .out = out, .n = n };
    bool gso = u->gso, repeated = false;
    pl_err err = PL_OK;
    while (!is_done(&c)) {
        size_t n_msgs = fill_batch(u, s, c, gso);
        int sent = transmit(u, s, n_msgs);
        for (int i = 0; i < sent; i++) {
            count_sent(u, &c, s->size[i]);
            advance(&c, s->size[i]);
        }
        if (sent > 0) {
            repeated = false;
            continue;
        }
        switch (judge(u, errno, gso && s->size[0] > c.out[c.at].segment, repeated)) {
        case WAIT: *rest = c; return err;
        case AGAIN: repeated = true; break;
        case AGAIN_WITHOUT_GSO: gso = false; break;
        case SKIP:
            err = PL_EIO;
            advance(&c, s->size[0]);
            break;
        }
    }
    *rest = c;
    return err;
}

pl_err pl_udp_send_row(pl_udp *u, const udp_out *out, size_t n)
{
    cursor rest = { .out = out, .n = n };
    pl_err err = u->wait_first ? PL_OK : push(u, out, n, &rest); /* no overtaking */
    for (; !is_done(&rest); rest.at++, rest.offset = 0) {
        if (wait_for_room(u, &out[rest.at], rest.offset) != PL_OK)
            err = PL_ENOSPC;
    }
    return err;
}

void pl_udp_drain(pl_udp *u)
{
    while (u->wait_first) {
        udp_wait *w = u->wait_first;
        cursor rest;
        (void)push(u, &w->out, 1, &rest);
        if (!is_done(&rest)) {
            u->wait_bytes -= rest.offset;
            w->iov.iov_base = (uint8_t *)w->iov.iov_base + rest.offset;
            w->iov.iov_len = w->out.len -= rest.offset;
            return;
        }
        pop_waiting(u);
    }
    pl_udp_watch(u);
}

/* --- what users call --- */

static bool is_for(const pl_udp *u, const pl_addr *remote)
{
    bool v4 = remote->family == PL_AF_IP4;
    return remote->family != PL_AF_NONE && (v4 == (u->local.family == PL_AF_IP4) || (v4 && u->dual_stack));
}

static pl_err make_out(udp_out *out, pl_udp *u, const pl_path *path, const struct iovec *iov, size_t n,
                       size_t len, size_t segment)
{
    bool many = segment > 0 && len > segment;
    if (!is_for(u, &path->remote) || (many ? segment : len) > PL_UDP_SIZE_MAX)
        return PL_EINVAL;
    *out = (udp_out){ .u = u,
                      .remote = path->remote,
                      .local = path->local,
                      .tos = path->dscp ? (uint8_t)(path->dscp << 2 | u->ecn) : 0,
                      .iov = iov,
                      .n_iov = n,
                      .len = len,
                      .segment = many ? segment : len };
    return PL_OK;
}

/* The socket's setting is the only way to tell the kernel. */
static pl_err send_by_its_own_df(pl_udp *u, const udp_out *out, uint8_t df)
{
    uint8_t of_others = u->df;
    pl_udp_set_df(u, df);
    pl_err err = pl_udp_send_row(u, out, 1);
    pl_udp_set_df(u, of_others);
    return err;
}

pl_err pl_udp_send(pl_udp *u, const pl_dgram *d)
{
    PL_OWNED(u->loop);
    struct iovec iov = { .iov_base = d->data, .iov_len = d->len };
    udp_out out;
    pl_err err = make_out(&out, u, &d->path, &iov, 1, d->len, d->segment);
    if (err != PL_OK)
        return err;
    if (d->df != PL_DF_SYSTEM && d->df != u->df)
        return send_by_its_own_df(u, &out, d->df);
    return u->cork ? pl_udp_gather_add(&u->loop->udp->gather, &out) : pl_udp_send_row(u, &out, 1);
}

_Static_assert(sizeof(pl_slice) == sizeof(struct iovec) &&
                   offsetof(pl_slice, n) == offsetof(struct iovec, iov_len),
               "a slice is what the kernel calls an iovec, so none is copied");

pl_err pl_udp_sendv(pl_udp *u, const pl_path *path, uint8_t tos, const pl_slice *slice, size_t n,
                    size_t segment)
{
    PL_OWNED(u->loop);
    size_t len = 0;
    udp_out out;
    if (n > PL_UDP_SLICES_MAX)
        return PL_EINVAL;
    for (size_t i = 0; i < n; i++)
        len += slice[i].n;
    pl_err err = make_out(&out, u, path, (const struct iovec *)(const void *)slice, n, len, segment);
    if (err != PL_OK)
        return err;
    out.tos = tos;
    return pl_udp_send_row(u, &out, 1);
}
