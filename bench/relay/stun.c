/* stun.c - Binding requests, a fixed number in flight on each of a few sockets. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "fleet.h"
#include "modes.h"
#include "rows.h"

enum { STALL_US = 100000, SOCKETS_MAX = 64 };

typedef struct asker {
    int fd;
    uint32_t salt; /* in each transaction id */
    unsigned in_flight;
    uint64_t n_sent;
    int64_t heard_us;
} asker;

typedef struct run {
    const stun_order *order;
    int epoll;
    asker asker[SOCKETS_MAX];
    load_rows *rows;
    uint64_t n_answered, n_lost, n_bad;
} run;

static void ask(run *r, asker *a)
{
    uint8_t pkt[PL_STUN_HEADER_LEN], id[PL_STUN_ID_LEN];
    while (a->in_flight < r->order->in_flight) {
        pl_put32(id, a->salt);
        memcpy(id + 4, &a->n_sent, sizeof a->n_sent);
        pl_stun_wr w = pl_stun_begin(pkt, sizeof pkt, PL_STUN_REQUEST, PL_STUN_BINDING, id);
        load_send(a->fd, pkt, pl_stun_end(&w), sizeof pkt, false);
        a->n_sent++;
        a->in_flight++;
    }
}

/* A success with the transaction id of a request that was sent. The first answer is read to the end. */
static bool is_answer(const run *r, const asker *a, const load_row *row)
{
    uint64_t number;
    if (row->len < PL_STUN_HEADER_LEN + 12 || pl_get16(row->data) != 0x0101 ||
        pl_get32(row->data + 8) != a->salt)
        return false;
    memcpy(&number, row->data + 12, sizeof number);
    if (r->n_answered == 0) {
        pl_stun_msg m;
        pl_addr mapped, bound = load_bound(a->fd);
        if (pl_stun_parse(&m, row->data, row->len) != PL_OK ||
            pl_stun_get_xor_addr(&m, PL_STUN_XOR_MAPPED_ADDRESS, &mapped) != PL_OK ||
            !pl_addr_eq(&mapped, &bound))
            return false;
    }
    return number < a->n_sent;
}

static void receive(run *r)
{
    struct epoll_event event[SOCKETS_MAX];
    int n = epoll_wait(r->epoll, event, SOCKETS_MAX, 20);
    int64_t now_us = load_now_us();
    for (int i = 0; i < n; i++) {
        asker *a = &r->asker[event[i].data.u64];
        for (size_t rows = ROWS_SLOTS; load_rows_full(rows);) {
            rows = load_rows_recv(r->rows, a->fd);
            for (size_t k = 0; k < rows; k++) {
                bool good = is_answer(r, a, &r->rows->row[k]);
                r->n_bad += !good;
                r->n_answered += good;
                a->in_flight -= a->in_flight > 0;
            }
            if (rows > 0)
                a->heard_us = now_us;
        }
    }
}

static void spin(run *r, int64_t until_us)
{
    for (int64_t now_us; (now_us = load_now_us()) < until_us;) {
        for (unsigned i = 0; i < r->order->sockets; i++) {
            asker *a = &r->asker[i];
            if (a->in_flight > 0 && now_us - a->heard_us > STALL_US) {
                r->n_lost += a->in_flight;
                a->in_flight = 0;
                a->heard_us = now_us;
            }
            ask(r, a);
        }
        receive(r);
    }
}

void stun_run(const stun_order *order)
{
    run *r = calloc(1, sizeof *r);
    if (!r || order->sockets > SOCKETS_MAX)
        load_die("stun: at most %d sockets", SOCKETS_MAX);
    r->order = order;
    r->rows = load_rows_new();
    r->epoll = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; i < order->sockets; i++) {
        struct sockaddr_in at = load_client_addr(i);
        r->asker[i] = (asker){ .fd = load_socket(&at, &order->server->at, false),
                               .salt = i,
                               .heard_us = load_now_us() };
        load_epoll_add(r->epoll, r->asker[i].fd, i);
    }
    spin(r, load_now_us() + 200000); /* warm */
    uint64_t answered = r->n_answered;
    int64_t own_us = load_own_cpu_us();
    load_usage before = load_measure(order->server);
    spin(r, before.at_us + order->span_us);
    double cpu_us = load_cpu_us_since(order->server, &before);
    double wall_us = (double)(load_now_us() - before.at_us);
    own_us = load_own_cpu_us() - own_us;
    answered = r->n_answered - answered;
    printf("{\"bench\":\"relay-stun\",\"per_s\":%.0f,\"cpu_us\":%.3f,\"load_cpu_us\":%.3f,\"answered\":%llu,"
           "\"lost\":%llu,"
           "\"wrong\":%llu}\n",
           (double)answered / wall_us * 1e6, answered ? cpu_us / (double)answered : 0,
           answered ? (double)own_us / (double)answered : 0, (unsigned long long)answered,
           (unsigned long long)r->n_lost, (unsigned long long)r->n_bad);
    if (answered == 0)
        load_die("no answer");
    if (r->n_bad > 0)
        load_die("%llu wrong answers", (unsigned long long)r->n_bad);
    for (unsigned i = 0; i < order->sockets; i++)
        close(r->asker[i].fd);
    close(r->epoll);
    free(r->rows);
    free(r);
}
