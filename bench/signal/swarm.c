#include "swarm.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../relay/load.h"
#include "base/time.h"

enum { EVENTS = 512, IN_MAX = 1 << 26, OUT_MAX = 1 << 22, READ_BYTES = 65536 };

/* ---- connections ---- */

/* An event of a socket that was closed meanwhile is told from one of its successor by the generation. */
static uint64_t tag_of(const swarm_conn *c)
{
    return (uint64_t)c->generation << 32 | (uint64_t)c->peer->index << 1 | (c == &c->peer->other);
}

static void watch(const swarm_conn *c, int op)
{
    struct epoll_event ev = { .events = EPOLLIN | (c->out.n ? (uint32_t)EPOLLOUT : 0),
                              .data.u64 = tag_of(c) };
    if (epoll_ctl(c->peer->swarm->epoll, op, c->fd, &ev) != 0)
        load_die("epoll_ctl: %s", strerror(errno));
}

static void drop_front(pl_buf *b, size_t n)
{
    memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
}

static bool flush(swarm_conn *c)
{
    ssize_t n = c->out.n ? send(c->fd, c->out.p, c->out.n, MSG_NOSIGNAL) : 0;
    if (n < 0)
        return errno == EAGAIN || errno == ENOTCONN;
    if (n)
        drop_front(&c->out, (size_t)n);
    return true;
}

void swarm_open(swarm_peer *p, swarm_conn *c, const void *first, size_t len)
{
    struct sockaddr_in from = load_client_addr(p->index);
    int on = 1;
    swarm_close(c);
    c->peer = p;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        load_die("socket: %s", strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(c->fd, (struct sockaddr *)&from, sizeof from) != 0)
        load_die("bind: %s", strerror(errno));
    const struct sockaddr_in *to = &p->swarm->node[p->node];
    if (connect(c->fd, (const struct sockaddr *)to, sizeof *to) != 0 && errno != EINPROGRESS)
        load_die("connect: %s", strerror(errno));
    p->swarm->count.n_connections++;
    pl_buf_add(&c->out, first, len);
    (void)flush(c); /* over loopback the handshake is done by now; an error comes again when it is read */
    watch(c, EPOLL_CTL_ADD);
}

void swarm_close(swarm_conn *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    c->generation++;
    pl_buf_clear(&c->in);
    pl_buf_clear(&c->out);
    c->in = pl_buf_init(IN_MAX);
    c->out = pl_buf_init(OUT_MAX);
}

void swarm_consume(swarm_conn *c, size_t n)
{
    if (n == c->in.n) {
        pl_buf_clear(&c->in);
        c->in = pl_buf_init(IN_MAX);
    } else if (n) {
        drop_front(&c->in, n);
    }
}

static void cut(swarm_conn *c)
{
    swarm_close(c);
    c->peer->way->closed(c->peer, c);
}

void swarm_write(swarm_conn *c, const void *data, size_t len)
{
    bool waited = c->out.n > 0;
    if (c->fd < 0)
        return;
    pl_buf_add(&c->out, data, len);
    if (c->out.bad)
        load_die("the server does not read what peer %u writes", c->peer->index);
    if (!waited && flush(c) && c->out.n)
        watch(c, EPOLL_CTL_MOD); /* an error comes again when it is read */
}

static void on_event(swarm *s, const struct epoll_event *ev)
{
    static char bytes[READ_BYTES];
    swarm_peer *p = &s->peer[(uint32_t)ev->data.u64 >> 1];
    swarm_conn *c = ev->data.u64 & 1 ? &p->other : &p->main;
    if (c->fd < 0 || c->generation != ev->data.u64 >> 32)
        return;
    if (ev->events & EPOLLOUT) {
        if (!flush(c)) {
            cut(c);
            return;
        }
        watch(c, EPOLL_CTL_MOD);
    }
    if (!(ev->events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        return;
    ssize_t n = recv(c->fd, bytes, sizeof bytes, 0);
    if (n > 0) {
        pl_buf_add(&c->in, bytes, (size_t)n);
        if (c->in.bad)
            load_die("too much comes at once");
        p->way->input(p, c);
    } else if (n == 0 || errno != EAGAIN) {
        cut(c);
    }
}

static void turn(swarm *s, int64_t until_us)
{
    struct epoll_event ev[EVENTS];
    int64_t left_us = until_us - load_now_us();
    struct timespec left = { 0 };
    if (left_us >
        0) /* to the microsecond: neither late nor turning in circles on a core that the servers need */
        left = (struct timespec){ .tv_sec = left_us / 1000000, .tv_nsec = left_us % 1000000 * 1000 };
    int n = epoll_pwait2(s->epoll, ev, EVENTS, &left, NULL);
    for (int i = 0; i < n; i++)
        on_event(s, &ev[i]);
}

void swarm_rest(swarm *s, int64_t for_us)
{
    for (int64_t end_us = load_now_us() + for_us; load_now_us() < end_us;)
        turn(s, end_us);
}

/* ---- signing in ---- */

static void sign_in_next(swarm *s)
{
    if (s->next < s->n_peers) {
        swarm_peer *p = &s->peer[s->next++];
        p->way->sign_in(p);
    }
}

void swarm_signed_in(swarm_peer *p)
{
    p->swarm->n_in++;
    sign_in_next(p->swarm);
}

bool swarm_sign_in(swarm *s, size_t at_once, int64_t timeout_us)
{
    int64_t began_us = load_now_us(), said_us = began_us;
    for (size_t i = 0; i < at_once; i++)
        sign_in_next(s);
    while (s->n_in < s->n_peers && load_now_us() - began_us < timeout_us) {
        turn(s, load_now_us() + 100000);
        if (load_now_us() - said_us > 2000000) {
            said_us = load_now_us();
            fprintf(stderr, "  %zu of %zu signed in\n", s->n_in, s->n_peers);
        }
    }
    s->count.sign_in_s = (double)(load_now_us() - began_us) / 1e6;
    return s->n_in == s->n_peers;
}

/* ---- messages ---- */

const char *swarm_find(pl_str s, const char *what)
{
    return s.n ? memmem(s.p, s.n, what, strlen(what)) : NULL;
}

/* To another of the same room. Lateness of our own counts as the server's: the text bears the time at which it was due. */
static void send_one(swarm *s, uint64_t number, int64_t due_us)
{
    static char text[SWARM_TEXT_MAX + 1];
    char stamp[SWARM_STAMP + 1];
    swarm_peer *from = &s->peer[(size_t)random() % s->n_peers];
    size_t first = from->room * s->room_size;
    size_t in_room = s->n_peers - first < s->room_size ? s->n_peers - first : s->room_size;
    size_t slot = (from->slot + 1 + (size_t)random() % (in_room - 1)) % in_room;
    snprintf(stamp, sizeof stamp, "%08x%08x%08x%016llx", from->index, ++from->sent[slot], (uint32_t)number,
             (unsigned long long)due_us);
    if (!text[0])
        memset(text, 'x', sizeof text - 1);
    memcpy(text, stamp, SWARM_STAMP);
    from->way->send(from, &s->peer[first + slot], text, s->text_len);
    s->count.n_sent++;
}

static uint64_t hex(const char *text, size_t n)
{
    char digits[17] = "";
    memcpy(digits, text, n < 16 ? n : 16);
    return strtoull(digits, NULL, 16);
}

void swarm_heard(swarm_peer *p, const char *text, size_t len)
{
    swarm *s = p->swarm;
    if (len != s->text_len)
        load_die("peer %u was told what nobody said: %.*s", p->index, (int)len, text);
    uint64_t from = hex(text, 8), seq = hex(text + 8, 8), number = hex(text + 16, 8);
    int64_t due_us = (int64_t)hex(text + 24, 16);
    if (from >= s->n_peers || number >= s->n_messages || s->peer[from].room != p->room)
        load_die("peer %u was told what nobody said: %.*s", p->index, (int)len, text);
    if (s->was_heard[number]) {
        s->count.n_twice++;
        return;
    }
    s->was_heard[number] = 1;
    uint32_t *newest = &p->heard[s->peer[from].slot];
    if (seq != *newest + 1)
        s->count.n_misordered++;
    *newest = (uint32_t)seq;
    s->took_us[s->count.n_heard++] = (uint32_t)(load_now_us() - due_us);
}

void swarm_exchange(swarm *s, double per_s)
{
    int64_t began_us = load_now_us(), said_us = began_us;
    uint64_t number = 0;
    s->was_heard = calloc(s->n_messages, 1);
    s->took_us = calloc(s->n_messages, sizeof *s->took_us);
    if (!s->was_heard || !s->took_us)
        load_die("no memory for %llu messages", (unsigned long long)s->n_messages);
    while (number < s->n_messages) {
        int64_t now_us = load_now_us(), due_us;
        while ((due_us = began_us + (int64_t)((double)number * 1e6 / per_s)) <= now_us &&
               number < s->n_messages)
            send_one(s, number++, due_us);
        turn(s, due_us);
        if (now_us - said_us > 2000000) {
            said_us = now_us;
            fprintf(stderr, "  %llu of %llu sent, %llu heard\n", (unsigned long long)s->count.n_sent,
                    (unsigned long long)s->n_messages, (unsigned long long)s->count.n_heard);
        }
    }
    uint64_t n_heard = s->count.n_heard;
    for (int64_t since_us = load_now_us(); s->count.n_heard < s->count.n_sent;) {
        turn(s, load_now_us() + 50000);
        if (s->count.n_heard != n_heard)
            since_us = load_now_us();
        else if (load_now_us() - since_us > PL_SEC(5))
            break; /* no more will come */
        n_heard = s->count.n_heard;
    }
    swarm_rest(s, 200000); /* for those that come twice */
}

/* ---- life ---- */

void swarm_begin(swarm *s)
{
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    (void)prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0); /* ns */
    s->peer = calloc(s->n_peers, sizeof *s->peer);
    if (s->epoll < 0 || !s->peer)
        load_die("no memory for %zu peers", s->n_peers);
    load_raise_files(s->n_peers + s->n_peers / 4 + 512); /* few requests beside those that hang */
    for (size_t i = 0; i < s->n_peers; i++) {
        swarm_peer *p = &s->peer[i];
        p->swarm = s;
        p->index = (uint32_t)i;
        p->room = (uint32_t)(i / s->room_size);
        p->slot = (uint32_t)(i % s->room_size);
        p->node = (uint32_t)(i / 2 % s->n_nodes); /* each node has both ways */
        p->main.fd = p->other.fd = -1;
        p->main.peer = p->other.peer = p;
        pl_list_init(&p->posts);
    }
}

void swarm_end(swarm *s)
{
    for (size_t i = 0; i < s->n_peers; i++) {
        swarm_peer *p = &s->peer[i];
        swarm_close(&p->main);
        swarm_close(&p->other);
        pl_ws_clear(&p->ws);
        for (pl_node *n; (n = pl_list_pop_front(&p->posts));)
            free(n); /* the node is a post's first member */
    }
    close(s->epoll);
    free(s->peer);
    free(s->was_heard);
    free(s->took_us);
}
