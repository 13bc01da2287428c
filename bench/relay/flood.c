/* flood.c - what one stranger without credentials can make a server send: to the address it says is its own. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fleet.h"
#include "modes.h"

enum { STEP_US = 1000, IP_AND_UDP = 28 };

typedef struct sum {
    uint64_t n_asked, n_answered, bytes_asked, bytes_answered;
} sum;

typedef struct stranger {
    int fd;
    pl_rand_seeded seed;
    pl_rand rand;
    sum binding, turn;
} stranger;

/* The shortest form of each request: the most an attacker gets for its bytes. */
static size_t write_request(stranger *s, uint16_t method, uint8_t *buf)
{
    uint8_t id[PL_STUN_ID_LEN];
    pl_addr peer = { .family = PL_AF_IP4, .ip = { 127, 0, 0, 1 }, .port = 9 };
    pl_rand_bytes(&s->rand, id, sizeof id);
    pl_stun_wr w = pl_stun_begin(buf, LOAD_MESSAGE_MAX, PL_STUN_REQUEST, method, id);
    if (method == PL_STUN_ALLOCATE)
        pl_stun_put_u8(&w, PL_STUN_REQUESTED_TRANSPORT, 17);
    if (method == PL_STUN_CREATE_PERMISSION)
        pl_stun_put_xor_addr(&w, PL_STUN_XOR_PEER_ADDRESS, &peer);
    return pl_stun_end(&w);
}

static void ask(stranger *s, uint64_t nth)
{
    static const uint16_t method[] = { PL_STUN_BINDING, PL_STUN_ALLOCATE, PL_STUN_REFRESH,
                                       PL_STUN_CREATE_PERMISSION };
    uint16_t m = method[nth % 4];
    uint8_t buf[LOAD_MESSAGE_MAX];
    size_t len = write_request(s, m, buf);
    sum *to = m == PL_STUN_BINDING ? &s->binding : &s->turn;
    if (send(s->fd, buf, len, 0) < 0)
        return;
    to->n_asked++;
    to->bytes_asked += len;
}

static void hear(stranger *s)
{
    uint8_t buf[2048];
    for (ssize_t len; (len = recv(s->fd, buf, sizeof buf, 0)) > 0;) {
        pl_stun_msg m;
        bool binding = pl_stun_parse(&m, buf, (size_t)len) == PL_OK && m.method == PL_STUN_BINDING;
        sum *of = binding ? &s->binding : &s->turn;
        of->n_answered++;
        of->bytes_answered += (uint64_t)len;
    }
}

/* Bytes on the wire, headers of IP and UDP included. */
static double gain(const sum *s)
{
    double in = (double)(s->bytes_asked + s->n_asked * IP_AND_UDP);
    return in > 0 ? (double)(s->bytes_answered + s->n_answered * IP_AND_UDP) / in : 0;
}

void flood_run(const flood_order *order)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(UINT32_C(0x7f630001)) };
    stranger s = { .fd = load_socket(&at, &order->server->at, false) };
    s.rand = pl_rand_seed(&s.seed, (uint64_t)load_now_us());
    load_usage before = load_measure(order->server);
    int64_t now_us;
    uint64_t n = 0;
    while ((now_us = load_now_us()) < before.at_us + order->span_us) {
        for (uint64_t due = (uint64_t)(now_us - before.at_us) * order->per_s / 1000000; n < due; n++)
            ask(&s, n);
        hear(&s);
        usleep(STEP_US);
    }
    usleep(100000);
    hear(&s);
    close(s.fd);
    double seconds = (double)(load_now_us() - before.at_us) / 1e6;
    double allowed = order->limit * (seconds + 2);
    sum both = { s.binding.n_asked + s.turn.n_asked, s.binding.n_answered + s.turn.n_answered,
                 s.binding.bytes_asked + s.turn.bytes_asked,
                 s.binding.bytes_answered + s.turn.bytes_answered };
    printf("{\"bench\":\"relay-flood\",\"asked\":%llu,\"answered\":%llu,\"binding_gain\":%.3f,"
           "\"unauthenticated_asked\":%llu,\"unauthenticated_answered\":%llu,\"unauthenticated_gain\":%.3f,"
           "\"gain\":%.3f,\"cpu_us\":%.2f}\n",
           (unsigned long long)both.n_asked, (unsigned long long)both.n_answered, gain(&s.binding),
           (unsigned long long)s.turn.n_asked, (unsigned long long)s.turn.n_answered, gain(&s.turn),
           gain(&both),
           load_cpu_us_since(order->server, &before) / (double)(both.n_asked ? both.n_asked : 1));
    if (s.binding.n_answered == 0)
        load_die("flood: even Binding was not answered");
    if (gain(&s.binding) > 1.5 || gain(&both) > 1.5)
        load_die("flood: the server sends more than 1.5 times what it gets");
    if (order->limit > 0 && (double)s.turn.n_answered > allowed)
        load_die("flood: %llu answers in %.1f s where %.0f are allowed",
                 (unsigned long long)s.turn.n_answered, seconds, allowed);
}
