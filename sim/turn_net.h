/* turn_net.h - TURN servers in the simulated internet: the relay core of src/relay answers at their addresses, and
 * what peers send to relayed addresses reaches it, so that a test needs no sockets to see a relayed path.
 *     sim_turn *server = sim_turn_new(net, &(sim_turn_conf){ .addr = "198.51.100.2:3478" });
 *     ... sim_turn_addr(server), user "alice", password "secret" ...
 *     sim_turn_free(server);      after the last packet, before or after sim_ice_net_free
 * Clients  over UDP, or over connections as sim/ice_tcp.h has them: a packet of proto PL_TCP is one message.
 * Shape    the net calls it by itself; whoever uses this links pl_room_relay. abort() on misuse.
 * Units    as in sim/ice_net.h. */
#ifndef SIM_TURN_NET_H
#define SIM_TURN_NET_H

#include "relay/relay.h"
#include "sim/ice_net.h"

typedef struct sim_turn sim_turn;

typedef struct sim_turn_conf {
    const char *addr;  /* "198.51.100.2:3478"; its IP is that of relayed addresses, too */
    const char *addr6; /* "[2001:db8::2]:3478": also reached there, and relays IPv6; NULL: IPv4 alone */
    const char *user, *password; /* NULL: "alice" and "secret" */
    int64_t nonce_life_us;       /* 0: an hour */
    bool no_mobility;
    bool md5_only; /* as servers before RFC 8489 */
    const pl_relay_policy
        *policy; /* NULL: the defaults. `own`, port_lo and port_hi are the server's business */
    uint64_t seed;
} sim_turn_conf;

sim_turn *sim_turn_new(sim_ice_net *net, const sim_turn_conf *conf);
void sim_turn_free(sim_turn *s);
pl_addr sim_turn_addr(const sim_turn *s, pl_family family);
/* Forgets every allocation and nonce, as after a crash, and is back at once; connections end. */
void sim_turn_reboot(sim_turn *s, int64_t now_us);
/* Deaf and dumb from now on, or (false) no longer. */
void sim_turn_silence(sim_turn *s, bool silent);
uint64_t sim_turn_packets(const sim_turn *s); /* heard on relayed addresses and from clients */
/* The core itself, for counters and for what a test wants to do to it. Changes with a reboot. */
pl_relay *sim_turn_core(sim_turn *s);

#endif
