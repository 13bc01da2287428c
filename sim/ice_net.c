#include "sim/ice_net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "stun/server.h"

enum { PACKET_MAX = 2048, SERVERS_MAX = 8 };

typedef struct host {
    sim_link *up[2], *down[2]; /* the second ones belong to the interface `detour` */
    pl_addr detour;
    sim_nat nat[2]; /* the nearest first */
    size_t n_nats;
    bool isolated, udp_blocked;
    pl_addr iface[SIM_ICE_IFACES_MAX];
    size_t n_ifaces;
} host;

struct sim_ice_net {
    pl_rand_seeded state;
    pl_rand rand;
    host hosts[SIM_ICE_HOSTS_MAX];
    pl_addr servers[SERVERS_MAX];
    sim_ice_service services[SERVERS_MAX];
    sim_link *core; /* what services have said */
    size_t n_hosts, n_servers, n_services;
    const host *speaker; /* whose packet is routed; NULL: a server's */
    bool parted;
    uint16_t next_port, next_outer_port;
};

static pl_addr ip_of(const char *text)
{
    pl_addr a;
    if (pl_addr_parse_ip(&a, text, strlen(text)))
        abort();
    return a;
}

sim_ice_net *sim_ice_net_new(uint64_t seed)
{
    sim_ice_net *net = calloc(1, sizeof *net);
    if (!net)
        abort();
    net->rand = pl_rand_seed(&net->state, seed);
    net->core = sim_link_new(&(sim_net){ 0 }, 0);
    net->next_port = 10000;
    net->next_outer_port = 40000;
    return net;
}

void sim_ice_net_free(sim_ice_net *net)
{
    if (!net)
        return;
    for (size_t i = 0; i < net->n_hosts; i++) {
        for (int k = 0; k < 2; k++) {
            sim_link_free(net->hosts[i].up[k]);
            sim_link_free(net->hosts[i].down[k]);
        }
        sim_nat_clear(&net->hosts[i].nat[0]);
        sim_nat_clear(&net->hosts[i].nat[1]);
    }
    sim_link_free(net->core);
    free(net);
}

int sim_ice_host(sim_ice_net *net, const sim_net *link, sim_nat_kind nat, const char *public_ip)
{
    if (net->n_hosts == SIM_ICE_HOSTS_MAX)
        abort();
    host *h = &net->hosts[net->n_hosts];
    *h = (host){ 0 };
    h->up[0] = sim_link_new(link, pl_rand_u64(&net->rand));
    h->down[0] = sim_link_new(link, pl_rand_u64(&net->rand));
    net->n_hosts++;
    if (nat != SIM_NAT_OPEN) {
        static const sim_nat_dependence filtering[] = { [SIM_NAT_FULL_CONE] = SIM_NAT_EI,
                                                        [SIM_NAT_RESTRICTED] = SIM_NAT_AD,
                                                        [SIM_NAT_PORT_RESTRICTED] = SIM_NAT_APD,
                                                        [SIM_NAT_SYMMETRIC] = SIM_NAT_APD };
        h->n_nats = 1;
        h->nat[0].outer = ip_of(public_ip);
        sim_ice_set_nat(net, (int)net->n_hosts - 1, nat == SIM_NAT_SYMMETRIC ? SIM_NAT_APD : SIM_NAT_EI,
                        filtering[nat]);
    }
    return (int)net->n_hosts - 1;
}

void sim_ice_set_nat(sim_ice_net *net, int n, sim_nat_dependence map, sim_nat_dependence filter)
{
    host *h = &net->hosts[n];
    if (!h->n_nats)
        abort();
    h->nat[0].mapping = map;
    h->nat[0].filtering = filter;
}

void sim_ice_set_hairpin(sim_ice_net *net, int n, bool on)
{
    for (size_t i = 0; i < 2; i++)
        net->hosts[n].nat[i].no_hairpin = !on;
}

void sim_ice_isolate(sim_ice_net *net, int n)
{
    net->hosts[n].isolated = true;
}

void sim_ice_outer_nat(sim_ice_net *net, int n, sim_nat_dependence map, sim_nat_dependence filter,
                       const char *public_ip)
{
    host *h = &net->hosts[n];
    if (h->n_nats != 1)
        abort();
    h->n_nats = 2;
    h->nat[1] = (sim_nat){
        .mapping = map, .filtering = filter, .no_hairpin = h->nat[0].no_hairpin, .outer = ip_of(public_ip)
    };
}

void sim_ice_part(sim_ice_net *net, bool parted)
{
    net->parted = parted;
}

void sim_ice_block_udp(sim_ice_net *net, int n, bool blocked)
{
    net->hosts[n].udp_blocked = blocked;
}

void sim_ice_unbind(sim_ice_net *net, int n, const pl_addr *addr)
{
    host *h = &net->hosts[n];
    for (size_t i = 0; i < h->n_ifaces; i++)
        if (pl_addr_eq(&h->iface[i], addr))
            h->iface[i] = h->iface[--h->n_ifaces];
}

pl_addr sim_ice_bind(sim_ice_net *net, int n, const char *ip)
{
    host *h = &net->hosts[n];
    if (h->n_ifaces == SIM_ICE_IFACES_MAX)
        abort();
    pl_addr a = ip_of(ip);
    a.port = net->next_port++;
    h->iface[h->n_ifaces++] = a;
    return a;
}

pl_addr sim_ice_stun_server(sim_ice_net *net, const char *addr)
{
    pl_addr a;
    if (net->n_servers == SERVERS_MAX || pl_addr_parse(&a, addr, strlen(addr)))
        abort();
    net->servers[net->n_servers++] = a;
    return a;
}

void sim_ice_add_service(sim_ice_net *net, const sim_ice_service *service)
{
    if (net->n_services == SERVERS_MAX)
        abort();
    net->services[net->n_services++] = *service;
}

void sim_ice_emit(sim_ice_net *net, int64_t now_us, const pl_path *path, const void *data, size_t len)
{
    sim_link_send(net->core, now_us, path, data, len);
}

void sim_ice_nat_reboot(sim_ice_net *net, int n)
{
    sim_nat_reboot(&net->hosts[n].nat[0]);
    sim_nat_reboot(&net->hosts[n].nat[1]);
}

void sim_ice_set_link(sim_ice_net *net, int n, const sim_net *link)
{
    sim_link_set(net->hosts[n].up[0], link);
    sim_link_set(net->hosts[n].down[0], link);
}

void sim_ice_set_detour(sim_ice_net *net, int n, const pl_addr *iface, const sim_net *link)
{
    host *h = &net->hosts[n];
    if (h->up[1])
        abort();
    h->detour = *iface;
    h->up[1] = sim_link_new(link, pl_rand_u64(&net->rand));
    h->down[1] = sim_link_new(link, pl_rand_u64(&net->rand));
}

static int link_of(const host *h, const pl_addr *iface)
{
    return h->up[1] && pl_addr_eq(&h->detour, iface);
}

void sim_ice_blackout(sim_ice_net *net, int n, int64_t until_us)
{
    sim_link_blackout(net->hosts[n].up[0], until_us);
    sim_link_blackout(net->hosts[n].down[0], until_us);
}

static bool is_behind_nat(const host *h, const pl_addr *inner)
{
    return h->n_nats && pl_addr_is_private(inner);
}

/* ---- the core of the net: between the uplinks and the downlinks ---- */

static void deliver(sim_ice_net *net, host *h, int64_t now_us, uint8_t proto, const pl_addr *from,
                    const pl_addr *to, const void *data, size_t len)
{
    if ((h->udp_blocked && proto == PL_UDP) || (net->parted && net->speaker && net->speaker != h))
        return;
    for (size_t i = 0; i < h->n_ifaces; i++) {
        if (pl_addr_eq(&h->iface[i], to)) {
            pl_path path = { .local = *to, .remote = *from, .proto = proto };
            sim_link_send(h->down[link_of(h, to)], now_us, &path, data, len);
            return;
        }
    }
}

/* A packet with a public source address looks for its destination. */
static void route_public(sim_ice_net *net, int64_t now_us, uint8_t proto, const pl_addr *from,
                         const pl_addr *to, const void *data, size_t len)
{
    for (size_t i = 0; i < net->n_services; i++) {
        const sim_ice_service *s = &net->services[i];
        if (s->owns(s->ctx, to)) {
            net->speaker = NULL;
            s->hears(s->ctx, now_us, &(pl_path){ .local = *to, .remote = *from, .proto = proto }, data, len);
            return;
        }
    }
    for (size_t i = 0; i < net->n_servers; i++) {
        uint8_t out[PL_STUN_RESPOND_MAX];
        if (!pl_addr_eq(&net->servers[i], to))
            continue;
        size_t n = pl_stun_respond(NULL, NULL, data, len, from, out, sizeof out);
        net->speaker = NULL;
        if (n)
            route_public(net, now_us, proto, to, from, out, n);
        return;
    }
    for (size_t i = 0; i < net->n_hosts; i++) {
        host *h = &net->hosts[i];
        pl_addr inner = *to;
        sim_nat_way way = SIM_NAT_UNKNOWN;
        for (size_t k = h->n_nats; k-- > 0;) {
            pl_addr outer = inner;
            way = sim_nat_in(&h->nat[k], &outer, from, &inner);
            if (way != SIM_NAT_PASSED)
                break;
        }
        if (way == SIM_NAT_PASSED)
            deliver(net, h, now_us, proto, from, &inner, data, len);
        else if (way == SIM_NAT_UNKNOWN && !is_behind_nat(h, to))
            deliver(net, h, now_us, proto, from, to, data, len);
    }
}

static bool same_realm(const host *a, const host *b)
{
    if (a == b || (!a->n_nats && !b->n_nats))
        return true;
    return a->n_nats && b->n_nats && !a->isolated && !b->isolated &&
           pl_addr_ip_eq(&a->nat[0].outer, &b->nat[0].outer);
}

static void route(sim_ice_net *net, int64_t now_us, host *h, uint8_t proto, const pl_addr *from,
                  const pl_addr *to, const void *data, size_t len)
{
    pl_addr source = *from;
    if (h->udp_blocked && proto == PL_UDP)
        return;
    for (size_t i = 0; i < net->n_hosts; i++)
        if (pl_addr_is_private(to) && same_realm(h, &net->hosts[i]))
            deliver(net, &net->hosts[i], now_us, proto, from, to, data, len);
    if (pl_addr_is_private(to))
        return;
    for (size_t i = 0; i < h->n_nats && pl_addr_is_private(&source); i++)
        source = sim_nat_out(&h->nat[i], &source, to, &net->next_outer_port);
    route_public(net, now_us, proto, &source, to, data, len);
}

/* What comes first up to now_us: a host's packet reaches the core, a service's own, or a service's deadline. The
 * time of that counts, so the order of calls does not. */
static int64_t step(sim_ice_net *net, int64_t now_us)
{
    host *first = NULL;
    sim_link *arriving = net->core;
    const sim_ice_service *ticking = NULL;
    int64_t at_us = sim_link_next_us(net->core);
    for (size_t i = 0; i < 2 * net->n_hosts; i++) {
        sim_link *up = net->hosts[i / 2].up[i % 2];
        if (up && sim_link_next_us(up) < at_us) {
            at_us = sim_link_next_us(up);
            first = &net->hosts[i / 2];
            arriving = up;
        }
    }
    for (size_t i = 0; i < net->n_services; i++) {
        int64_t next_us = net->services[i].next_us(net->services[i].ctx);
        if (next_us < at_us) {
            at_us = next_us;
            ticking = &net->services[i];
        }
    }
    if (at_us > now_us)
        return PL_NEVER;
    uint8_t data[PACKET_MAX];
    size_t len;
    pl_path path;
    if (ticking)
        ticking->ticks(ticking->ctx, at_us);
    else if (sim_link_recv(arriving, at_us, &path, data, sizeof data, &len)) {
        net->speaker = first;
        if (first)
            route(net, at_us, first, path.proto, &path.local, &path.remote, data, len);
        else
            route_public(net, at_us, path.proto, &path.local, &path.remote, data, len);
    }
    return at_us;
}

static void pump(sim_ice_net *net, int64_t now_us)
{
    while (step(net, now_us) != PL_NEVER)
        continue;
}

void sim_ice_send(sim_ice_net *net, int64_t now_us, int n, const pl_path *path, const void *data, size_t len)
{
    if (path->local.family != path->remote.family)
        abort();
    host *h = &net->hosts[n];
    sim_link_send(h->up[link_of(h, &path->local)], now_us, path, data, len);
}

bool sim_ice_recv(sim_ice_net *net, int64_t now_us, int n, pl_path *path, void *data, size_t cap, size_t *len)
{
    pump(net, now_us);
    host *h = &net->hosts[n];
    return sim_link_recv(h->down[0], now_us, path, data, cap, len) ||
           (h->down[1] && sim_link_recv(h->down[1], now_us, path, data, cap, len));
}

int64_t sim_ice_net_next_us(const sim_ice_net *net)
{
    int64_t next_us = sim_link_next_us(net->core);
    for (size_t i = 0; i < net->n_services; i++)
        next_us = pl_min_us(next_us, net->services[i].next_us(net->services[i].ctx));
    for (size_t i = 0; i < net->n_hosts; i++) {
        for (int k = 0; k < 2 && net->hosts[i].up[k]; k++) {
            next_us = pl_min_us(next_us, sim_link_next_us(net->hosts[i].up[k]));
            next_us = pl_min_us(next_us, sim_link_next_us(net->hosts[i].down[k]));
        }
    }
    return next_us;
}
