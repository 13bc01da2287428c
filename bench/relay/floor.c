/* floor.c - the least a TURN server could cost on this machine: it says yes to every request, looks nothing up but
 * the client's address, and passes data on in as few system calls as the kernel allows; busy, it looks for datagrams
 * as seldom as the relay does (net/rest.h). No credentials, no permissions, no timers, no counters, a few sessions.
 * What a real server costs above it is its own. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../shared/burst.h"
#include "fleet.h"
#include "modes.h"
#include "net/rest.h"

enum {
    SLOTS_MAX = 64,
    SLOT = 65536 + 17 * 64,
    SESSIONS = 64,
    PARTS = 128,
    SEGMENTS = 64,
    BYTES = 65000,
    HEADER = 4,
    PLACES = 64,
    ANSWERS = 256,
    ANSWER = 64,
    REST_US = 200
};

/* Datagrams of one size for one destination. */
typedef struct pile {
    int fd;
    struct sockaddr_in to;
    struct iovec part[PARTS];
    size_t n_parts, n, len, segment;
} pile;

typedef struct session {
    struct sockaddr_in client;
    int relay;
    uint16_t channel;
    pile up, down;
    uint8_t header[HEADER];
} session;

typedef struct floor_server {
    int fd, epoll;
    unsigned slots;
    session session[SESSIONS];
    size_t n_sessions;
    struct mmsghdr msg[SLOTS_MAX];
    struct iovec iov[SLOTS_MAX];
    struct sockaddr_in from[SLOTS_MAX];
    _Alignas(size_t) uint8_t control[SLOTS_MAX][64];
    uint8_t (*slot)[SLOT];
    pl_rest rest;
    pile answers[PLACES]; /* to Binding requests, by their senders */
    uint8_t answer[ANSWERS][ANSWER];
    size_t n_answers;
} floor_server;

static void flush(pile *p)
{
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(uint16_t))] = { 0 };
    struct msghdr m = {
        .msg_name = &p->to, .msg_namelen = sizeof p->to, .msg_iov = p->part, .msg_iovlen = p->n_parts
    };
    if (p->n > 1) {
        uint16_t size = (uint16_t)p->segment;
        m.msg_control = control;
        m.msg_controllen = sizeof control;
        *CMSG_FIRSTHDR(&m) = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof size),
                                               .cmsg_level = IPPROTO_UDP,
                                               .cmsg_type = UDP_SEGMENT };
        memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), &size, sizeof size);
    }
    if (p->n > 0)
        (void)!sendmsg(p->fd, &m, 0);
    p->n_parts = p->n = p->len = 0;
}

static void pile_up(pile *p, uint8_t *header, uint8_t *data, size_t len)
{
    size_t whole = len + (header ? HEADER : 0);
    if (p->n > 0 && (whole != p->segment || p->n == SEGMENTS || p->len + whole > BYTES))
        flush(p);
    if (header)
        p->part[p->n_parts++] = (struct iovec){ header, HEADER };
    p->part[p->n_parts++] = (struct iovec){ data, len };
    p->segment = whole;
    p->len += whole;
    p->n++;
}

static session *find(floor_server *s, const struct sockaddr_in *client)
{
    for (size_t i = 0; i < s->n_sessions; i++)
        if (s->session[i].client.sin_port == client->sin_port &&
            s->session[i].client.sin_addr.s_addr == client->sin_addr.s_addr)
            return &s->session[i];
    return NULL;
}

static session *open_session(floor_server *s, const struct sockaddr_in *client)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    if (s->n_sessions == SESSIONS)
        load_die("floor: at most %d sessions", SESSIONS);
    session *x = &s->session[s->n_sessions++];
    *x = (session){ .client = *client, .relay = load_socket(&at, NULL, true) };
    x->up.fd = x->relay;
    x->down.fd = s->fd;
    x->down.to = *client;
    load_epoll_add(s->epoll, x->relay, s->n_sessions);
    return x;
}

static void close_session(floor_server *s, session *x)
{
    session *last = &s->session[--s->n_sessions];
    close(x->relay);
    if (x == last)
        return;
    *x = *last;
    struct epoll_event e = { .events = EPOLLIN, .data.u64 = (uint64_t)(x - s->session) + 1 };
    epoll_ctl(s->epoll, EPOLL_CTL_MOD, x->relay, &e);
}

static void flush_answers(floor_server *s)
{
    for (size_t i = 0; i < PLACES; i++)
        flush(&s->answers[i]);
    s->n_answers = 0;
}

/* Answers to one sender leave together. */
static void answer_binding(floor_server *s, const struct sockaddr_in *from, const pl_stun_msg *m)
{
    pl_addr client = load_addr(from);
    if (s->n_answers == ANSWERS)
        flush_answers(s);
    uint8_t *buf = s->answer[s->n_answers++];
    pl_stun_wr w = pl_stun_begin_reply(buf, ANSWER, PL_STUN_SUCCESS, m);
    pl_stun_put_xor_addr(&w, PL_STUN_XOR_MAPPED_ADDRESS, &client);
    pile *p = &s->answers[(ntohl(from->sin_addr.s_addr) ^ from->sin_port) % PLACES];
    if (p->to.sin_port != from->sin_port || p->to.sin_addr.s_addr != from->sin_addr.s_addr)
        flush(p);
    p->fd = s->fd;
    p->to = *from;
    pile_up(p, NULL, buf, pl_stun_end(&w));
}

static void answer(floor_server *s, session *x, const struct sockaddr_in *from, const pl_stun_msg *m)
{
    uint8_t buf[LOAD_MESSAGE_MAX];
    pl_addr peer;
    uint32_t lifetime = 600;
    pl_stun_wr w = pl_stun_begin_reply(buf, sizeof buf, PL_STUN_SUCCESS, m);
    if (m->method == PL_STUN_ALLOCATE) {
        x = x ? x : open_session(s, from);
        pl_addr relayed = load_bound(x->relay);
        pl_stun_put_xor_addr(&w, PL_STUN_XOR_RELAYED_ADDRESS, &relayed);
    }
    if (m->method == PL_STUN_CHANNEL_BIND && x &&
        pl_stun_get_xor_addr(m, PL_STUN_XOR_PEER_ADDRESS, &peer) == PL_OK &&
        pl_stun_get_u16(m, PL_STUN_CHANNEL_NUMBER, &x->channel) == PL_OK)
        x->up.to = load_sockaddr(&peer);
    size_t len = pl_stun_end(&w);
    (void)!sendto(s->fd, buf, len, 0, (const struct sockaddr *)from, sizeof *from);
    if (m->method == PL_STUN_REFRESH && x && pl_stun_get_u32(m, PL_STUN_LIFETIME, &lifetime) == PL_OK &&
        lifetime == 0)
        close_session(s, x);
}

static void from_client(floor_server *s, session *x, const struct sockaddr_in *from, uint8_t *data,
                        size_t len)
{
    pl_stun_msg m;
    if (x && len > HEADER && (data[0] & 0xc0) == 0x40)
        pile_up(&x->up, NULL, data + HEADER, len - HEADER);
    else if (pl_stun_parse(&m, data, len) != PL_OK || m.cls != PL_STUN_REQUEST)
        return;
    else if (m.method == PL_STUN_BINDING)
        answer_binding(s, from, &m);
    else
        answer(s, x, from, &m);
}

static size_t segment_of(struct msghdr *m, size_t len)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
        if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
            int size;
            memcpy(&size, CMSG_DATA(c), sizeof size);
            return (size_t)size;
        }
    return len;
}

static unsigned receive(floor_server *s, int fd)
{
    for (unsigned i = 0; i < s->slots; i++) {
        s->iov[i] = (struct iovec){ s->slot[i], SLOT };
        s->msg[i].msg_hdr = (struct msghdr){ .msg_name = &s->from[i],
                                             .msg_namelen = sizeof s->from[i],
                                             .msg_iov = &s->iov[i],
                                             .msg_iovlen = 1,
                                             .msg_control = s->control[i],
                                             .msg_controllen = sizeof s->control[i] };
    }
    int n = recvmmsg(fd, s->msg, s->slots, MSG_DONTWAIT, NULL);
    return n > 0 ? (unsigned)n : 0;
}

static void clients(floor_server *s)
{
    unsigned n = receive(s, s->fd);
    for (unsigned i = 0; i < n; i++) {
        size_t left = s->msg[i].msg_len, segment = segment_of(&s->msg[i].msg_hdr, left);
        session *x = find(s, &s->from[i]);
        pl_rest_count(&s->rest, segment ? (left + segment - 1) / segment : 1);
        for (uint8_t *p = s->slot[i]; left > 0; p += segment, left -= left < segment ? left : segment)
            from_client(s, x, &s->from[i], p, left < segment ? left : segment);
    }
    for (size_t i = 0; i < s->n_sessions; i++)
        flush(&s->session[i].up);
    flush_answers(s);
}

static void peers(floor_server *s, session *x)
{
    unsigned n = receive(s, x->relay);
    for (unsigned i = 0; i < n; i++) {
        size_t left = s->msg[i].msg_len, segment = segment_of(&s->msg[i].msg_hdr, left);
        pl_put16(x->header, x->channel);
        pl_put16(x->header + 2, (uint16_t)segment);
        pl_rest_count(&s->rest, segment ? left / segment : 1);
        for (uint8_t *p = s->slot[i]; left >= segment && left > 0; p += segment, left -= segment)
            pile_up(&x->down, x->header, p, segment);
    }
    flush(&x->down);
}

static void rest(floor_server *s)
{
    struct timespec t = { .tv_nsec = pl_rest_take(&s->rest, load_now_us()) * 1000 };
    if (t.tv_nsec > 0)
        nanosleep(&t, NULL);
}

void floor_run(const floor_order *order)
{
    floor_server *s = calloc(1, sizeof *s);
    s->slot = calloc(SLOTS_MAX, SLOT);
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!s->slot || s->epoll < 0 || order->slots > SLOTS_MAX)
        load_die("floor: at most %d slots", SLOTS_MAX);
    s->slots = order->slots;
    s->fd = load_socket(&order->at, NULL, true);
    load_epoll_add(s->epoll, s->fd, 0);
    s->rest.rest_us = REST_US;
    prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0);
    for (;;) {
        struct epoll_event event[SESSIONS];
        rest(s);
        int n = epoll_wait(s->epoll, event, SESSIONS, -1);
        if (n < 0 && errno != EINTR)
            load_die("epoll: %s", strerror(errno));
        for (int i = 0; i < n; i++) {
            if (event[i].data.u64 == 0)
                clients(s);
            else if (event[i].data.u64 <= s->n_sessions)
                peers(s, &s->session[event[i].data.u64 - 1]);
        }
    }
}
