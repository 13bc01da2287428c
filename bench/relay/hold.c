/* hold.c - many allocations that are only kept alive: each refreshes its allocation every 540 s and its channel
 * (and permission with it) every 240 s, spread evenly as clients that came over time do. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fleet.h"
#include "modes.h"

enum { WINDOW_US = 100000, REFRESH_S = 540, BIND_S = 240 };

/* How many of n things, each due every `every_s`, fall into one window; the rest is carried over. */
static size_t due(size_t n, unsigned every_s, double *carry)
{
    *carry += (double)n * WINDOW_US / 1e6 / every_s;
    size_t whole = (size_t)*carry;
    *carry -= (double)whole;
    return whole;
}

static size_t some(load_fleet *f, uint16_t method, size_t at, size_t n)
{
    if (n > f->n - at)
        n = f->n - at;
    load_order o = { .method = method, .lifetime = 600, .first = at, .n = n, .window = 64 };
    if (n > 0)
        load_fleet_must(f, &o, "keeping alive");
    return (at + n) % f->n;
}

void hold_run(const hold_order *order)
{
    load_fleet f;
    struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int peer_fd = load_socket(&any, NULL, false);
    pl_addr peer = load_bound(peer_fd);
    load_fleet_open(&f, order->server, order->n, false);
    for (size_t i = 0; i < f.n; i++)
        f.client[i].peer = peer;
    load_usage start = load_measure(order->server);
    load_order make = { .method = PL_STUN_ALLOCATE, .lifetime = 600, .n = f.n, .window = 64 };
    load_result made = load_fleet_must(&f, &make, "Allocate");
    make.method = PL_STUN_CHANNEL_BIND;
    load_fleet_must(&f, &make, "ChannelBind");

    double carry_refresh = 0, carry_bind = 0, worst_us = 0;
    size_t at_refresh = 0, at_bind = 0, n_requests = 0;
    load_usage before = load_measure(order->server), window = before;
    for (int64_t next_us = before.at_us + WINDOW_US; next_us <= before.at_us + order->span_us;
         next_us += WINDOW_US) {
        size_t n_refresh = due(f.n, REFRESH_S, &carry_refresh), n_bind = due(f.n, BIND_S, &carry_bind);
        at_refresh = some(&f, PL_STUN_REFRESH, at_refresh, n_refresh);
        at_bind = some(&f, PL_STUN_CHANNEL_BIND, at_bind, n_bind);
        n_requests += n_refresh + n_bind;
        int64_t left_us = next_us - load_now_us();
        if (left_us > 0)
            usleep((useconds_t)left_us);
        double used_us = load_cpu_us_since(order->server, &window);
        window = load_measure(order->server);
        worst_us = used_us > worst_us ? used_us : worst_us;
    }
    double cpu_us = load_cpu_us_since(order->server, &before);
    double seconds = (double)(load_now_us() - before.at_us) / 1e6;
    load_usage end = load_measure(order->server);
    printf("{\"bench\":\"relay-hold\",\"n\":%u,\"allocate_per_s\":%.0f,\"cpu_ms_per_s\":%.3f,"
           "\"worst_100ms_cpu_ms\":%.3f,\"requests\":%zu,\"rss_mib\":%.1f,\"kib_per_allocation\":%.2f}\n",
           order->n, (double)order->n / made.wall_us * 1e6, cpu_us / 1e3 / seconds, worst_us / 1e3,
           n_requests, (double)end.rss_kib / 1024, (double)(end.rss_kib - start.rss_kib) / order->n);
    make.method = PL_STUN_REFRESH;
    make.lifetime = 0;
    load_fleet_must(&f, &make, "Refresh to zero");
    load_fleet_close(&f);
    close(peer_fd);
}
