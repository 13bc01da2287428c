#include "net/ifwatch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#endif

#include "net/ifaddr.h"
#include "net/loop.h"
#include "net/loop_internal.h"

struct pl_ifwatch {
    pl_loop *loop;
    void (*changed)(void *user);
    void *user;
    pl_timer timer;   /* tells; or compares again */
    int64_t since_us; /* of the first change not yet told; PL_NEVER: none */
    int fd;           /* netlink; -1: we poll */
    uv_poll_t poll;
    pl_ifaddr known[PL_IFADDR_MAX]; /* when we poll */
    size_t n_known;
};

/* ---- comparing ---- */

static bool same(const pl_ifaddr *a, size_t n_a, const pl_ifaddr *b, size_t n_b)
{
    for (size_t i = 0; i < n_a && n_a == n_b; i++) {
        if (!pl_addr_eq(&a[i].addr, &b[i].addr) || a[i].index != b[i].index)
            return false;
    }
    return n_a == n_b;
}

static bool has_changed(pl_ifwatch *w)
{
    pl_ifaddr now[PL_IFADDR_MAX];
    size_t n = pl_ifaddr_list(now, PL_IFADDR_MAX, PL_IFADDR_LOOPBACK | PL_IFADDR_LINK_LOCAL);
    if (same(now, n, w->known, w->n_known))
        return false;
    memcpy(w->known, now, n * sizeof *now);
    w->n_known = n;
    return true;
}

static void on_timer(void *arg, int64_t now_us)
{
    pl_ifwatch *w = arg;
    w->since_us = PL_NEVER;
    if (w->fd < 0) {
        pl_timer_set(w->loop, &w->timer, now_us + PL_IFWATCH_POLL_US);
        if (!has_changed(w))
            return;
    }
    w->changed(w->user);
}

/* ---- listening ---- */

#ifdef __linux__
static bool speaks_of_addresses(const char *buf, size_t len)
{
    const struct nlmsghdr *h = (const void *)buf;
    for (int left = (int)len; NLMSG_OK(h, (unsigned)left); h = NLMSG_NEXT(h, left)) {
        switch (h->nlmsg_type) {
        case RTM_NEWADDR:
        case RTM_DELADDR:
        case RTM_NEWLINK:
        case RTM_DELLINK: return true;
        }
    }
    return false;
}

/* A full buffer means that we have missed something, which is a change, too. */
static bool take_messages(int fd)
{
    _Alignas(struct nlmsghdr) char buf[8192];
    bool any = false;
    for (;;) {
        ssize_t n = recv(fd, buf, sizeof buf, MSG_DONTWAIT);
        if (n > 0)
            any |= speaks_of_addresses(buf, (size_t)n);
        else if (n < 0 && errno == ENOBUFS)
            any = true;
        else if (n == 0 || errno != EINTR)
            return any;
    }
}

static void on_readable(uv_poll_t *h, int status, int events)
{
    pl_ifwatch *w = h->data;
    (void)events;
    if (!take_messages(w->fd) && status == 0)
        return;
    int64_t now_us = pl_loop_now_us(w->loop);
    if (w->since_us == PL_NEVER)
        w->since_us = now_us;
    pl_timer_set(w->loop, &w->timer,
                 pl_min_us(now_us + PL_IFWATCH_QUIET_US, w->since_us + PL_IFWATCH_LATEST_US));
    if (status != 0)
        uv_poll_start(h, UV_READABLE, on_readable);
}

static void on_closed(uv_handle_t *h)
{
    free(h->data);
}

static bool listen_to_kernel(pl_ifwatch *w)
{
    struct sockaddr_nl sa = { .nl_family = AF_NETLINK,
                              .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR };
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (fd < 0)
        return false;
    if (bind(fd, (struct sockaddr *)&sa, sizeof sa) != 0 || uv_poll_init(&w->loop->uv, &w->poll, fd) != 0) {
        close(fd);
        return false;
    }
    w->fd = fd;
    w->poll.data = w;
    uv_poll_start(&w->poll, UV_READABLE, on_readable);
    return true;
}

static void stop_listening(pl_ifwatch *w)
{
    uv_poll_stop(&w->poll);
    close(w->fd);
    uv_close((uv_handle_t *)&w->poll, on_closed); /* frees */
}
#else
static bool listen_to_kernel(pl_ifwatch *w)
{
    (void)w;
    return false;
}

static void stop_listening(pl_ifwatch *w)
{
    (void)w;
}
#endif

/* ---- life ---- */

static pl_err open_as(pl_ifwatch **out, pl_loop *loop, bool by_kernel, void (*changed)(void *user),
                      void *user)
{
    PL_OWNED(loop);
    *out = NULL;
    pl_ifwatch *w = calloc(1, sizeof *w);
    if (!w)
        return PL_ENOMEM;
    w->loop = loop;
    w->changed = changed;
    w->user = user;
    w->since_us = PL_NEVER;
    w->fd = -1;
    w->timer = (pl_timer){ .fn = on_timer, .arg = w };
    if (!by_kernel || !listen_to_kernel(w)) {
        (void)has_changed(w); /* what there is to begin with */
        pl_timer_set(loop, &w->timer, pl_loop_now_us(loop) + PL_IFWATCH_POLL_US);
    }
    *out = w;
    return PL_OK;
}

pl_err pl_ifwatch_open(pl_ifwatch **out, pl_loop *loop, void (*changed)(void *user), void *user)
{
    return open_as(out, loop, true, changed, user);
}

pl_err pl_ifwatch_open_polling(pl_ifwatch **out, pl_loop *loop, void (*changed)(void *user), void *user)
{
    return open_as(out, loop, false, changed, user);
}

void pl_ifwatch_close(pl_ifwatch *w)
{
    if (!w)
        return;
    PL_OWNED(w->loop);
    pl_timer_cancel(w->loop, &w->timer);
    if (w->fd >= 0)
        stop_listening(w);
    else
        free(w);
}
