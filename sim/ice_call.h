/* ice_call.h - two ICE agents on a simulated net, with a signaling channel between them and a log of what
 * each told. Candidates travel as SDP text. Every step checks both agents' invariants, and that no agent asks
 * to be called again and again at one instant.
 *     sim_ice_call *c = sim_ice_call_new(seed);
 *     sim_ice_peer_up(c, 0, host, &conf);
 *     sim_ice_peer_base(c, 0, "10.0.0.1");      ... the same for 1
 *     sim_ice_call_start(c);
 *     sim_ice_call_run(c, PL_SEC(5)); */
#ifndef SIM_ICE_CALL_H
#define SIM_ICE_CALL_H

#include "ice/agent.h"
#include "sim/ice_net.h"
#include "sim/ice_tcp.h"

enum { SIM_ICE_STATES_MAX = 64, SIM_ICE_LISTENERS_MAX = 4 };

typedef struct sim_ice_peer {
    pl_ice *ice;
    int host;
    pl_rand_seeded state;
    bool lite, mdns;         /* mdns: host candidates are signaled as names, resolved by the other side */
    bool holds_candidates;   /* no trickle: sends them together once gathering is complete */
    bool says_done;          /* signals end-of-candidates */
    bool signals_candidates; /* false: the other side learns of us by our checks alone */
    /* what it told */
    pl_ice_state last, states[SIM_ICE_STATES_MAX];
    size_t n_states;
    pl_ice_gathering gathering;
    uint32_t n_candidates[4], n_resolve, n_selected, n_roles; /* candidates by type */
    bool any_selected;
    pl_path selected;
    int64_t selected_us, connected_us, disconnected_us, failed_us; /* first time since start; PL_NEVER */
    uint64_t packets_sent, bytes_sent;
    pl_addr first_base, listener[SIM_ICE_LISTENERS_MAX];
    size_t n_listeners;
} sim_ice_peer;

typedef struct sim_ice_call {
    sim_ice_net *net;
    sim_ice_tcp tcp;
    pl_rand_seeded state;
    pl_rand rand;
    int64_t now_us;
    int64_t signaling_us, signaling_jitter_us; /* candidates overtake each other by the jitter */
    bool answerer_first;                       /* the answer's credentials may come after checks */
    sim_ice_peer peer[2];
    struct sim_ice_note *notes;
    uint32_t generation;
} sim_ice_call;

sim_ice_call *sim_ice_call_new(uint64_t seed);
void sim_ice_call_free(sim_ice_call *c);
/* conf->rand is replaced by one from the call's seed. */
void sim_ice_peer_up(sim_ice_call *c, int who, int host, const pl_ice_conf *conf);
pl_addr sim_ice_peer_base(sim_ice_call *c, int who, const char *ip);
/* The interface goes: the agent is told, and nothing comes there any more. */
void sim_ice_peer_unbase(sim_ice_call *c, int who, const pl_addr *base);
/* A TCP base of that kind. */
pl_addr sim_ice_peer_tcp_base(sim_ice_call *c, int who, const char *ip, pl_ice_tcptype tcptype);
/* Over UDP or TCP, user "alice", password "secret" (sim/turn_net.h). */
void sim_ice_peer_turn(sim_ice_call *c, int who, const pl_addr *server, pl_proto proto, bool tls);
/* Ends gathering's input and starts the exchange of descriptions; also after pl_ice_restart on both. */
void sim_ice_call_start(sim_ice_call *c);
void sim_ice_call_run(sim_ice_call *c, int64_t for_us);
/* Runs until both are connected or completed; false after limit_us. */
bool sim_ice_call_connect(sim_ice_call *c, int64_t limit_us);
bool sim_ice_peer_connected(const sim_ice_call *c, int who);
/* Whether what each sends to its selected pair's remote address comes from where the other one sends to. */
bool sim_ice_call_agrees(const sim_ice_call *c);
/* The types of its selected pair's candidates; false without one. */
bool sim_ice_peer_types(const sim_ice_call *c, int who, pl_ice_type *local, pl_ice_type *remote);

#endif
