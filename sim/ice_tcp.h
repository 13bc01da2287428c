/* ice_tcp.h - connections of two simulated peers: what a driver does for PL_ICE_EV_CONNECT. A connection is opened by an
 * exchange of one round trip through the same NATs as datagrams; its messages keep their boundaries and, on links without
 * loss, their order. Towards a TURN server it is up after one round trip.
 * Shape    one table for both peers of a sim_ice_call, plain data, zero state legal. */
#ifndef SIM_ICE_TCP_H
#define SIM_ICE_TCP_H

#include "ice/agent.h"
#include "sim/ice_net.h"

enum { SIM_ICE_TCP_MAX = 64 };

typedef struct sim_ice_tcp_end {
    bool used, up;
    int host;
    uint32_t stream; /* 0: accepted */
    pl_addr local, remote;
    int64_t at_us; /* up then (to a TURN server), or given up then */
    bool to_turn;
} sim_ice_tcp_end;

typedef struct sim_ice_tcp {
    sim_ice_net *net;
    bool no_turn; /* no connection to a TURN server comes about */
    sim_ice_tcp_end ends[SIM_ICE_TCP_MAX];
    uint32_t n_opened, n_refused;
} sim_ice_tcp;

/* from: an address of the host, for connections that may leave from any. */
void sim_ice_tcp_connect(sim_ice_tcp *t, int64_t now_us, int host, const pl_ice_connect *c,
                         const pl_addr *from);
void sim_ice_tcp_disconnect(sim_ice_tcp *t, int64_t now_us, int host, uint32_t stream);
/* A message with path.proto PL_TCP came to that host. listens: whether a listener is bound to path->local. True: it was
 * the connection's own affair; what the agent must hear of it has been told. */
bool sim_ice_tcp_input(sim_ice_tcp *t, int64_t now_us, int host, pl_ice *ice, const pl_path *path,
                       const uint8_t *data, size_t len, bool listens);
void sim_ice_tcp_tick(sim_ice_tcp *t, int64_t now_us, int host, pl_ice *ice);
int64_t sim_ice_tcp_next_us(const sim_ice_tcp *t);
/* Every connection of that host breaks; both ends hear of it. */
void sim_ice_tcp_break(sim_ice_tcp *t, int64_t now_us, int host, pl_ice *ice);

#endif
