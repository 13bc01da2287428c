/* pc_pair.h - two connection cores and the network between them, in virtual time. */
#ifndef PC_PAIR_H
#define PC_PAIR_H

#include "pc/pc.h"
#include "sim/link.h"

enum { PAIR_CHANNELS = 8, PAIR_TRANSCEIVERS = 4 };

typedef struct pair_peer {
    pl_pc *pc;
    pl_addr addr;
    pl_pc_rings rings[PAIR_TRANSCEIVERS];
    pl_channel *channel[PAIR_CHANNELS]; /* opened by the peer */
    int n_channels, n_open, n_closed, n_tracks, n_negotiation_needed;
    uint64_t n_messages, message_bytes;
    uint32_t message_sum; /* of all bytes */
    pl_peer_connection_state state;
    char reason[128];
    bool gathered;
} pair_peer;

typedef struct pair {
    pair_peer a, b;
    sim_link *ab, *ba;
    int64_t now_us;
    pl_cert *cert_a, *cert_b;
    pl_dtls_ctx *ctx_a, *ctx_b;
    pl_rand_seeded rand_a, rand_b;
    bool corrupt_fingerprint; /* of a's offer, on its way */
    bool no_trickle;
    void (*edit)(char *sdp); /* changes descriptions on their way, in place; or NULL */
} pair;

void pair_init(pair *p, const sim_net *net, uint64_t seed);
void pair_clear(pair *p);
/* a offers, b answers; the texts travel at once. */
void pair_negotiate(pair *p);
void pair_offer_from(pair *p, pair_peer *from);
/* Runs until `until` says so; false when max_us of virtual time have passed first. */
bool pair_run(pair *p, int64_t max_us, bool (*until)(const pair *p));
void pair_attach(pair_peer *x, int transceiver);
bool pair_connected(const pair *p);
bool pair_open(const pair *p); /* one channel on each side */

#endif
