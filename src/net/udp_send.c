#include "net/udp_internal.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
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
    const pl_path *path = &out->path;
    if (segment > 0) {
        uint16_t size = (uint16_t)segment;
        put_control(m, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof size);
    }
    if (path->dscp) {
        int tos = path->dscp << 2 | u->ecn;
        bool v4 = path->remote.family == PL_AF_IP4;
        put_control(m, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TOS : IPV6_TCLASS, &tos, sizeof tos);
    }
    if (u->any && path->local.family == path->remote.family && !pl_addr_is_any(&path->local))
        put_source(m, &path->local);
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

static void fill(const pl_udp *u, udp_send_scratch *s, size_t i, const cursor *c, size_t size)
{
    const udp_out *out = &c->out[c->at];
    struct msghdr *m = &s->msg[i].msg_hdr;
    s->iov[i] = (struct iovec){ .iov_base = (void *)(uintptr_t)(out->data + c->offset), .iov_len = size };
    *m = (struct msghdr){
        .msg_name = &s->name[i], .msg_iov = &s->iov[i], .msg_iovlen = 1, .msg_control = s->control[i]
    };
    m->msg_namelen = pl_sockaddr_from(&s->name[i], &out->path.remote, u->dual_stack);
    put_facts(u, m, out, size > out->segment ? out->segment : 0);
}

static size_t fill_batch(const pl_udp *u, udp_send_scratch *s, cursor c, bool gso)
{
    size_t n = 0;
    for (; n < PL_UDP_BATCH_MAX && !is_done(&c); n++) {
        size_t size = next_size(&c, gso);
        fill(u, s, n, &c, size);
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
    uint8_t *bytes = (uint8_t *)(w + 1);
    if (len > 0)
        memcpy(bytes, out->data + offset, len);
    *w = (udp_wait){ .out = { .path = out->path, .data = bytes, .len = len, .segment = out->segment } };
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
            count_sent(u, &c, s->iov[i].iov_len);
            advance(&c, s->iov[i].iov_len);
        }
        if (sent > 0) {
            repeated = false;
            continue;
        }
        switch (judge(u, errno, gso && s->iov[0].iov_len > c.out[c.at].segment, repeated)) {
        case WAIT: *rest = c; return err;
        case AGAIN: repeated = true; break;
        case AGAIN_WITHOUT_GSO: gso = false; break;
        case SKIP:
            err = PL_EIO;
            advance(&c, s->iov[0].iov_len);
            break;
        }
    }
    *rest = c;
    return err;
}

static pl_err send_row(pl_udp *u, const udp_out *out, size_t n)
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
            w->out.data += rest.offset;
            w->out.len -= rest.offset;
            return;
        }
        pop_waiting(u);
    }
    pl_udp_watch(u);
}

/* --- the cork --- */

static void flush_shared(struct pl_udp_shared *s)
{
    pl_udp *u = s->corked;
    if (!u)
        return;
    size_t n = s->n_cork;
    s->corked = NULL;
    s->n_cork = s->cork_len = 0;
    pl_loop_hook_remove(&s->flush_hook);
    (void)send_row(u, s->cork, n);
}

void pl_udp_flush_shared(void *shared, int64_t now_us)
{
    (void)now_us;
    struct pl_udp_shared *s = shared;
    if (s->corked)
        s->corked->cork = false;
    flush_shared(s);
}

static bool same_way(const pl_path *a, const pl_path *b)
{
    return pl_addr_eq(&a->remote, &b->remote) && pl_addr_eq(&a->local, &b->local) && a->dscp == b->dscp;
}

/* Whether `next`, a single datagram, can be one more segment of `last`. Its bytes will stand right behind. */
static bool joins(const udp_out *last, const udp_out *next)
{
    size_t segment = last->segment;
    return next->segment == next->len && next->len > 0 && next->len <= segment && last->len % segment == 0 &&
           last->len / segment < PL_UDP_SEGMENTS_MAX && last->len + next->len <= PL_UDP_SIZE_MAX &&
           same_way(&last->path, &next->path);
}

static pl_err put_in_cork(pl_udp *u, const udp_out *out)
{
    struct pl_udp_shared *s = u->loop->udp;
    if (s->corked != u || s->n_cork == PL_UDP_BATCH_MAX || s->cork_len + out->len > UDP_CORK_BYTES)
        flush_shared(s);
    if (out->len > UDP_CORK_BYTES)
        return send_row(u, out, 1);
    if (!s->corked) {
        s->corked = u;
        pl_loop_hook_add(u->loop, &s->flush_hook);
    }
    uint8_t *at = s->cork_bytes + s->cork_len;
    if (out->len > 0)
        memcpy(at, out->data, out->len);
    s->cork_len += out->len;
    udp_out *last = s->n_cork > 0 ? &s->cork[s->n_cork - 1] : NULL;
    if (last && last->segment > 0 && joins(last, out)) {
        last->len += out->len;
        return PL_OK;
    }
    s->cork[s->n_cork] = *out;
    s->cork[s->n_cork++].data = at;
    return PL_OK;
}

void pl_udp_cork(pl_udp *u)
{
    PL_OWNED(u->loop);
    u->cork = true;
}

void pl_udp_flush(pl_udp *u)
{
    PL_OWNED(u->loop);
    u->cork = false;
    if (u->loop->udp->corked == u)
        flush_shared(u->loop->udp);
}

pl_err pl_udp_send(pl_udp *u, const pl_dgram *d)
{
    PL_OWNED(u->loop);
    bool v4 = d->path.remote.family == PL_AF_IP4;
    bool many = d->segment > 0 && d->len > d->segment;
    if (d->path.remote.family == PL_AF_NONE ||
        (v4 != (u->local.family == PL_AF_IP4) && !(v4 && u->dual_stack)))
        return PL_EINVAL;
    if ((many ? d->segment : d->len) > PL_UDP_SIZE_MAX)
        return PL_EINVAL;
    udp_out out = { .path = d->path, .data = d->data, .len = d->len, .segment = many ? d->segment : d->len };
    return u->cork ? put_in_cork(u, &out) : send_row(u, &out, 1);
}
