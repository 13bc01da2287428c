/* pair.h - two associations and the links between them in virtual time, for the tests of this folder. */
#ifndef TESTS_SCTP_PAIR_H
#define TESTS_SCTP_PAIR_H

#include "base/time.h"
#include "sctp/association.h"
#include "sim/link.h"

typedef struct pair {
    pl_sctp *end[2];
    sim_link *link[2];     /* link[i] carries what end[i] sends */
    sim_link *by_parts[2]; /* the way of packets that IP may cut; NULL: they go as any other … */
    size_t cut_from;       /* … if they are as long as this */
    pl_rand_seeded state[2];
    int64_t now_us;
    bool check; /* pl_sctp_check after each packet: thorough and slow */
    unsigned connected[2], closed[2], restarted[2];
    pl_sctp_event last_closed[2];
    unsigned restarts_before[2]; /* the last RESET_OUT */
    unsigned resets_in[2], resets_out[2], lows[2], writables[2], streams_added[2];
    uint16_t last_reset_in[2];
    pl_err last_added[2]; /* how adding of streams ended */
    /* Called for each message; NULL: messages stay inside. */
    void (*on_message)(struct pair *p, int at, const pl_sctp_msg *m);
    void *user;
} pair;

/* conf may be NULL; net may be NULL for 1 ms and nothing else. */
void pair_init(pair *p, const pl_sctp_conf *a, const pl_sctp_conf *b, const sim_net *net, uint64_t seed);
void pair_clear(pair *p);
/* Moves what is there to be moved now, then to the next moment, until `until_us`. */
void pair_run(pair *p, int64_t until_us);
/* One moment: output, arrivals, timers, events. */
void pair_step(pair *p);
int64_t pair_next_us(const pair *p);
/* Both connect; runs until both are up. */
void pair_connect(pair *p);
/* Exchanges packets directly, without links or time, until both are silent. */
void pair_shuttle(pair *p);

#endif
