/* interop_rig.h - our association against usrsctp's, in one process and in virtual time: usrsctp runs without threads, its
 * clock and its random numbers are ours, so a test takes no time and a seed replays nearly all of it.
 * Shape    one at a time, in `it`. What either side sends is in a ledger (sim/sctp_ledger.h), which judges what arrives. */
#ifndef TESTS_SCTP_INTEROP_RIG_H
#define TESTS_SCTP_INTEROP_RIG_H

#include <usrsctp.h>

#include "base/time.h"
#include "sctp/association.h"
#include "sim/link.h"
#include "sim/sctp_ledger.h"

/* In usrsctp's sources, and missing in its public header; what RFC 8260 4.3.1 calls by that name. */
enum { INTEROP_INTERLEAVING_SUPPORTED = 0x1206 };

typedef struct interop_conf {
    uint64_t seed;
    sim_net net;       /* both ways; zero: a perfect link */
    pl_sctp_conf ours; /* rand and timers are set by the rig */
    bool interleaving; /* usrsctp offers I-DATA */
    int buffers;       /* usrsctp's, of bytes; 0: 1 MiB */
    uint16_t streams;  /* usrsctp's, each way; 0: 100 */
    bool explicit_eor; /* usrsctp's messages are given in parts */
} interop_conf;

typedef struct interop {
    interop_conf conf;
    pl_sctp *ours;
    struct socket *listening, *theirs;
    sim_link *link[2]; /* what we send; what they send */
    pl_rand_seeded state, chance_state;
    pl_rand chance; /* usrsctp's random numbers */
    int64_t now_us;
    sim_ledger sent[2]; /* by us, by them */
    const char *wrong;
    bool hold; /* what arrives at us stays inside */
    unsigned connected, closed, resets_in, resets_out, resets_seen, streams_events, streams_seen;
    bool theirs_up, theirs_down, supports_interleaving, offers_asconf;
    pl_sctp_event last_closed, last_streams;
    uint16_t their_streams_in, their_streams_out;
    uint64_t n_seen[256]; /* chunks that they sent, by type; and DATA with the I bit */
    uint64_t n_immediate;
} interop;

extern interop *it;

void interop_start(const interop_conf *conf);
void interop_stop(void);
typedef enum interop_who { INTEROP_WE, INTEROP_THEY, INTEROP_BOTH } interop_who;
/* Who begins; runs until both are up. */
void interop_connect(interop_who who);
/* A millisecond or more of virtual time. */
void interop_step(void);
/* Runs until the fact, which `text` names, is one. */
#define UNTIL(fact)                                                                                          \
    do {                                                                                                     \
        int64_t interop_end_us = it->now_us + PL_SEC(600);                                                   \
        while (!(fact)) {                                                                                    \
            interop_step();                                                                                  \
            if (it->now_us > interop_end_us)                                                                 \
                interop_fail("never came: " #fact);                                                          \
        }                                                                                                    \
    } while (0)
void interop_fail(const char *what);

/* The next message of ours, or theirs, on a slot of the ledger. False when there is no room now. */
bool interop_send(unsigned slot, uint32_t len, const pl_sctp_send_opts *opts);
bool interop_their_send(unsigned slot, uint32_t len, const pl_sctp_send_opts *opts, uint16_t flags);
/* All reliable messages are where they belong, and nothing of ours waits. */
bool interop_settled(void);
void interop_their_reset(uint16_t sid);
void interop_set(int option, const void *value, size_t len);

#endif
