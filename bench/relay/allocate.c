/* allocate.c - what allocations cost: in CPU for each step of their life, and in memory while they idle. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fleet.h"
#include "modes.h"

static load_result step(load_fleet *f, uint16_t method, uint32_t lifetime, unsigned window, const char *what)
{
    load_order o = { .method = method, .lifetime = lifetime, .n = f->n, .window = window };
    return load_fleet_must(f, &o, what);
}

static void say(const char *name, const load_result *r)
{
    double n = r->n_done ? (double)r->n_done : 1;
    printf(",\"%s_per_s\":%.0f,\"%s_cpu_us\":%.2f", name, n / r->wall_us * 1e6, name, r->cpu_us / n);
}

/* One peer for all, at an address of its own. */
static void meet_peer(load_fleet *f, const pl_addr *peer)
{
    for (size_t i = 0; i < f->n; i++)
        f->client[i].peer = *peer;
}

void allocate_run(const allocate_order *order)
{
    load_fleet f;
    struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int peer_fd = load_socket(&any, NULL, false);
    pl_addr peer = load_bound(peer_fd);
    load_fleet_open(&f, order->server, order->n, false);
    meet_peer(&f, &peer);
    load_usage before = load_measure(order->server);
    load_result allocate = step(&f, PL_STUN_ALLOCATE, 600, order->window, "Allocate");
    load_result bind = step(&f, PL_STUN_CHANNEL_BIND, 0, order->window, "ChannelBind");
    load_usage held = load_measure(order->server);
    load_result refresh = step(&f, PL_STUN_REFRESH, 600, order->window, "Refresh");
    load_result delete = step(&f, PL_STUN_REFRESH, 0, order->window, "Refresh to zero");
    printf("{\"bench\":\"relay-allocate\",\"n\":%u", order->n);
    say("allocate", &allocate);
    say("bind", &bind);
    say("refresh", &refresh);
    say("delete", &delete);
    printf(",\"kib_per_allocation\":%.2f,\"again\":%zu}\n",
           (double)(held.rss_kib - before.rss_kib) / order->n,
           allocate.n_again + bind.n_again + refresh.n_again + delete.n_again);
    load_fleet_close(&f);
    close(peer_fd);
}
