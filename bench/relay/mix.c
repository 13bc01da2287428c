/* mix.c - is a relay right while it is busy and some mean it ill? */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "drops.h"
#include "exchange.h"
#include "hostile.h"
#include "modes.h"

enum {
    EVENTS = 256,
    STEP_US = 1000,
    SETTLE_US = 300000,     /* hostile data may still be on its way out */
    PATIENCE_US = 10000000, /* for legitimate data that is under way */
    TIDY_US = 1000000,      /* for the server to tidy up */
    WARM_PARTS = 3,         /* the first turn takes a third of the time: from then on memory stands still */
    GROWTH_KIB_MAX = 1024
};

typedef struct turn {
    const mix_order *order;
    load_fleet fleet;
    load_talk *talk;
    load_hostile hostile;
    int epoll;
    size_t next; /* whose turn it is to speak */
    uint64_t n_legitimate;
    load_talk_count count;
    uint64_t lost, drops;
} turn;

static load_order whole(const turn *t, uint16_t method, uint32_t lifetime)
{
    return (load_order){ .method = method, .lifetime = lifetime, .n = t->order->n, .window = 64 };
}

static void open_turn(turn *t)
{
    load_fleet_open(&t->fleet, t->order->server, t->order->n, false);
    load_hostile_open(&t->hostile, &t->fleet);
    load_order allocate = whole(t, PL_STUN_ALLOCATE, 0), bind = whole(t, PL_STUN_CHANNEL_BIND, 0);
    load_fleet_must(&t->fleet, &allocate, "Allocate");
    t->talk = calloc(t->order->n, sizeof *t->talk);
    t->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!t->talk || t->epoll < 0)
        load_die("no memory");
    for (size_t i = 0; i < t->order->n; i++) {
        load_talk_open(&t->talk[i], &t->fleet, i);
        load_epoll_add(t->epoll, t->talk[i].client->fd, i * 2);
        load_epoll_add(t->epoll, t->talk[i].peer, i * 2 + 1);
    }
    for (size_t i = 0; i < t->order->n; i++) {
        bind.method = t->talk[i].indications ? PL_STUN_CREATE_PERMISSION : PL_STUN_CHANNEL_BIND;
        bind.first = i;
        bind.n = 1;
        load_fleet_must(&t->fleet, &bind, "ChannelBind and CreatePermission");
        t->fleet.client[i].state = LOAD_IDLE;
    }
}

static void close_turn(turn *t)
{
    load_order end = whole(t, PL_STUN_REFRESH, 0);
    load_fleet_must(&t->fleet, &end, "Refresh to zero");
    for (size_t i = 0; i < t->order->n; i++)
        load_talk_close(&t->talk[i]);
    free(t->talk);
    close(t->epoll);
    load_hostile_close(&t->hostile);
    load_fleet_close(&t->fleet);
}

/* Beside each legitimate message so many hostile ones that they make up the percentage. */
static void perhaps_hostile(turn *t)
{
    const load_talk *victim = &t->talk[pl_rand_below(&t->fleet.rand, t->order->n)];
    t->n_legitimate++;
    if (pl_rand_below(&t->fleet.rand, 100 - t->order->percent) < t->order->percent)
        load_hostile_send(&t->hostile, victim->client, victim->recorded, victim->recorded_len);
}

static void receive(turn *t, int timeout_ms)
{
    struct epoll_event event[EVENTS];
    int n = epoll_wait(t->epoll, event, EVENTS, timeout_ms);
    for (int i = 0; i < n; i++) {
        load_talk *talk = &t->talk[event[i].data.u64 / 2];
        if (event[i].data.u64 % 2 == 0) {
            load_talk_at_client(talk, &t->count);
            continue;
        }
        for (size_t answers = load_talk_at_peer(talk, &t->count); answers > 0; answers--)
            perhaps_hostile(t);
    }
}

static uint64_t n_missing(const turn *t)
{
    uint64_t n = 0;
    for (size_t i = 0; i < t->order->n; i++) {
        const load_talk *talk = &t->talk[i];
        n += talk->up.n_sent - talk->up.n_arrived + talk->down.n_sent - talk->down.n_arrived;
    }
    return n;
}

/* On a busy machine what is late is not lost. */
static void settle(turn *t)
{
    int64_t began_us = load_now_us(), now_us;
    while ((now_us = load_now_us()) < began_us + SETTLE_US ||
           (n_missing(t) > 0 && now_us < began_us + PATIENCE_US)) {
        receive(t, 10);
        t->count.n_marked += load_hostile_receive(&t->hostile);
    }
}

static void exchange(turn *t, int64_t span_us)
{
    int64_t began_us = load_now_us(), now_us;
    uint64_t n_said = 0;
    size_t asked = 0;
    while ((now_us = load_now_us()) < began_us + span_us) {
        uint64_t due = (uint64_t)(now_us - began_us) * t->order->per_s / 1000000;
        for (; n_said < due; n_said++) {
            load_talk_say(&t->talk[t->next++ % t->order->n]);
            perhaps_hostile(t);
            if (n_said % 16 == 0)
                receive(t, 0);
        }
        for (size_t i = 0; i < t->order->n / 8 + 1; i++)
            load_talk_tick(&t->talk[asked++ % t->order->n], now_us, &t->count);
        receive(t, 1);
        t->count.n_marked += load_hostile_receive(&t->hostile);
    }
    settle(t);
}

static uint64_t drops_so_far(const turn *t)
{
    const pid_t both[2] = { getpid(), t->order->server->pid };
    return load_drops(both, 2);
}

static void take_stock(turn *t)
{
    t->lost = n_missing(t);
    t->drops = drops_so_far(t) - t->drops;
}

static uint64_t n_hostile(const turn *t)
{
    uint64_t n = 0;
    for (size_t i = 0; i < HOSTILE_KINDS; i++)
        n += t->hostile.n_sent[i];
    return n;
}

/* One turn from the first Allocate to the last Refresh; what the server's memory is a second after it. */
static int64_t one_turn(turn *t, const mix_order *order, int64_t span_us)
{
    *t = (turn){ .order = order };
    t->drops = drops_so_far(t);
    open_turn(t);
    exchange(t, span_us);
    take_stock(t);
    close_turn(t);
    usleep(TIDY_US);
    return load_measure(order->server).rss_kib;
}

static int complain(bool bad, const char *what, unsigned long long n)
{
    if (bad)
        fprintf(stderr, "bench-relay: mix: %llu %s\n", n, what);
    return bad;
}

static int judge(const turn *t)
{
    const load_talk_count *c = &t->count;
    int bad = complain(t->lost > t->drops, "legitimate datagrams lost that no socket dropped", t->lost);
    bad += complain(c->n_refused > 0, "legitimate requests refused", c->n_refused);
    bad += complain(c->n_wrong > 0, "datagrams changed, doubled or out of order", c->n_wrong);
    bad += complain(c->n_marked > 0, "hostile datagrams relayed", c->n_marked);
    return bad;
}

void mix_run(const mix_order *order)
{
    turn first, second;
    int64_t before_kib = load_measure(order->server).rss_kib;
    int64_t warm_kib = one_turn(&first, order, order->span_us / WARM_PARTS);
    int64_t after_kib = one_turn(&second, order, order->span_us - order->span_us / WARM_PARTS);
    printf(
        "{\"bench\":\"relay-mix\",\"allocations\":%u,\"legitimate\":%llu,\"hostile\":%llu,\"requests\":%llu,"
        "\"lost\":%llu,\"again\":%llu,\"drops\":%llu,\"refused\":%llu,\"refused_with\":%u,\"wrong\":%llu,"
        "\"hostile_relayed\":%llu,\"rss_kib\":[%lld,%lld,%lld]}\n",
        order->n, (unsigned long long)(first.n_legitimate + second.n_legitimate),
        (unsigned long long)(n_hostile(&first) + n_hostile(&second)),
        (unsigned long long)(first.count.n_requests + second.count.n_requests),
        (unsigned long long)(first.lost + second.lost),
        (unsigned long long)(first.count.n_again + second.count.n_again),
        (unsigned long long)(first.drops + second.drops),
        (unsigned long long)(first.count.n_refused + second.count.n_refused),
        first.count.refused_with | second.count.refused_with,
        (unsigned long long)(first.count.n_wrong + second.count.n_wrong),
        (unsigned long long)(first.count.n_marked + second.count.n_marked), (long long)before_kib,
        (long long)warm_kib, (long long)after_kib);
    int bad = judge(&first) + judge(&second);
    bad += complain(after_kib > warm_kib + GROWTH_KIB_MAX, "KiB more memory than after the first turn",
                    (unsigned long long)(after_kib - warm_kib));
    if (bad > 0)
        exit(1);
}
