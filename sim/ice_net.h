/* ice_net.h - a simulated internet for ICE: hosts with several interfaces, NATs of all kinds, also two behind each
 * other, networks without UDP, a STUN server. Every host has an uplink and a downlink (sim/link.h). Hosts behind one NAT share a private realm
 * and reach each other there; everybody reaches public addresses; nobody reaches another realm's private
 * ones.
 * Shape    hosts are numbers; abort() on misuse.
 * Units    as in sim/link.h. */
#ifndef SIM_ICE_NET_H
#define SIM_ICE_NET_H

#include "sim/ice_nat.h"
#include "sim/link.h"

enum { SIM_ICE_HOSTS_MAX = 8, SIM_ICE_IFACES_MAX = 8 };

/* The classic kinds; sim_ice_set_nat makes the others. */
typedef enum sim_nat_kind {
    SIM_NAT_OPEN,            /* none: the host's interfaces are public */
    SIM_NAT_FULL_CONE,       /* both endpoint-independent */
    SIM_NAT_RESTRICTED,      /* mapping endpoint-independent, filtering address-dependent */
    SIM_NAT_PORT_RESTRICTED, /* filtering address- and port-dependent */
    SIM_NAT_SYMMETRIC        /* both address- and port-dependent */
} sim_nat_kind;

typedef struct sim_ice_net sim_ice_net;

sim_ice_net *sim_ice_net_new(uint64_t seed);
void sim_ice_net_free(sim_ice_net *net);
/* A host whose both links are `link`. With a NAT, public_ip ("203.0.113.1") is the NAT's outer address. */
int sim_ice_host(sim_ice_net *net, const sim_net *link, sim_nat_kind nat, const char *public_ip);
/* Other rules for its NAT, in any of nine combinations; not for SIM_NAT_OPEN. */
void sim_ice_set_nat(sim_ice_net *net, int host, sim_nat_dependence mapping, sim_nat_dependence filtering);
void sim_ice_set_hairpin(sim_ice_net *net, int host, bool on); /* on at first */
/* Hosts behind one NAT do not see each other's private addresses. */
void sim_ice_isolate(sim_ice_net *net, int host);
/* A second NAT behind the first, as a carrier has it; the first one's outer address is then a private one. */
void sim_ice_outer_nat(sim_ice_net *net, int host, sim_nat_dependence mapping, sim_nat_dependence filtering,
                       const char *public_ip);
/* The hosts do not reach each other any more, or do again; servers they still reach. */
void sim_ice_part(sim_ice_net *net, bool parted);
/* No datagram of its gets out, and none in. */
void sim_ice_block_udp(sim_ice_net *net, int host, bool blocked);
/* The interface is gone: nothing reaches that address any more. */
void sim_ice_unbind(sim_ice_net *net, int host, const pl_addr *addr);
/* An interface with that address; returns the address with a fresh port, as a bound socket has it. */
pl_addr sim_ice_bind(sim_ice_net *net, int host, const char *ip);
/* A server that answers Binding requests at "198.51.100.1:3478" and the like. */
pl_addr sim_ice_stun_server(sim_ice_net *net, const char *addr);
/* Something that lives in the core of the net and answers there, a TURN server for one (sim/turn_net.h). It hears what
 * is sent to addresses it owns, and speaks with sim_ice_emit, which may be called from inside hears and ticks. */
typedef struct sim_ice_service {
    void *ctx;
    bool (*owns)(void *ctx, const pl_addr *to);
    void (*hears)(void *ctx, int64_t now_us, const pl_path *path, const void *data, size_t len);
    void (*ticks)(void *ctx, int64_t now_us); /* its deadlines up to now_us */
    int64_t (*next_us)(void *ctx);
} sim_ice_service;
void sim_ice_add_service(sim_ice_net *net, const sim_ice_service *service);
/* path->local is the sender, of which hosts behind NATs know nothing; without delay or loss in the core itself. */
void sim_ice_emit(sim_ice_net *net, int64_t now_us, const pl_path *path, const void *data, size_t len);
/* The NAT forgets all it knows: new mappings from now on. */
void sim_ice_nat_reboot(sim_ice_net *net, int host);
void sim_ice_set_link(sim_ice_net *net, int host, const sim_net *link);
/* One interface of the host has links of its own from now on: a slower network, or a dead one. */
void sim_ice_set_detour(sim_ice_net *net, int host, const pl_addr *iface, const sim_net *link);
void sim_ice_blackout(sim_ice_net *net, int host, int64_t until_us);

void sim_ice_send(sim_ice_net *net, int64_t now_us, int host, const pl_path *path, const void *data,
                  size_t len);
/* What has arrived at a host by now; path as the host's socket sees it. */
bool sim_ice_recv(sim_ice_net *net, int64_t now_us, int host, pl_path *path, void *data, size_t cap,
                  size_t *len);
int64_t sim_ice_net_next_us(const sim_ice_net *net);

#endif
