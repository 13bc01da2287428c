/* sctp_journey.h - the seeded life of two associations over bad links, compared with a model at every step: everything an
 * application may ask for, in random order, on links that lose, double, reorder, corrupt, stall and go dark.
 * Shape    sim_journey runs one seed to its end and says what went wrong. sctp_journey.c is the rig (packets, time, events),
 *          sctp_journey_plan.c decides what happens, sctp_ledger.h is the model.
 * Promise  every reliable message arrives once, whole and in its stream's order, or the association has said why not;
 *          others at most once, and those that do not arrive are counted as abandoned; every event that is owed
 *          comes; at the end nothing is held and no timer runs. */
#ifndef SIM_SCTP_JOURNEY_H
#define SIM_SCTP_JOURNEY_H

#include "sim/link.h"
#include "sim/sctp_ledger.h"

/* What may be left out of a journey, to find out what a failure needs. */
enum {
    SIM_WITHOUT_PARTIAL = 1,        /* partial reliability */
    SIM_WITHOUT_PARTS = 2,          /* pl_sctp_send_part */
    SIM_WITHOUT_LENT = 4,           /* pl_sctp_send_lent */
    SIM_WITHOUT_PIECES = 8,         /* pl_sctp_set_pieces */
    SIM_WITHOUT_RESETS = 16,        /* pl_sctp_reset_streams */
    SIM_WITHOUT_ADD = 32,           /* pl_sctp_add_streams */
    SIM_WITHOUT_RESTARTS = 64,      /* an end loses its memory */
    SIM_WITHOUT_PATHS = 128,        /* pl_sctp_path_changed */
    SIM_WITHOUT_INTERLEAVING = 256, /* I-DATA */
    SIM_WITHOUT_CONTROLLERS = 512,  /* other than the default */
    SIM_WITHOUT_PRIORITIES = 1024,  /* pl_sctp_set_priority, schedulers, buffer priority */
    SIM_WITHOUT_CHECKSUM = 2048,    /* zero checksums */
    SIM_WITHOUT_PROBING = 4096,     /* of the path MTU */
    SIM_WITHOUT_BAD_LINKS = 8192    /* losses and the like */
};

typedef struct sim_journey_conf {
    uint64_t seed;
    unsigned without;
    bool check; /* pl_sctp_check after every packet: thorough and slow */
} sim_journey_conf;

/* Sums over journeys: proof that what was to be tried was tried. */
typedef struct sim_journey_totals {
    uint64_t journeys, messages, bytes, arrived, partial, abandoned, broken;
    uint64_t parts, lent, pieces, resets, adds, restarts, path_changes, blackouts;
    uint64_t packets, retransmitted, timeouts, undone, interleaved, no_checksum, refused_full, refused_sid;
    uint64_t shutdowns, aborts;
    int64_t virtual_us;
} sim_journey_totals;

/* NULL, or what went wrong: valid until the next call. Adds to *sum. */
const char *sim_journey(const sim_journey_conf *conf, sim_journey_totals *sum);

/* --- between the two files --- */

enum { SIM_JOURNEY_OPEN_MAX = 3 };

/* A message that is being sent in parts. */
typedef struct sim_journey_open {
    bool on;
    uint8_t slot;
    uint32_t number, left;
    pl_sctp_send_opts opts;
} sim_journey_open;

typedef struct sim_journey_end {
    pl_sctp_conf conf;
    pl_sctp *sctp;
    pl_rand_seeded state;
    sim_ledger ledger; /* of what it sends */
    sim_link *link;    /* carries what it sends */
    sim_net net;
    bool connected, reading, ended, writable_owed, adding, shutting;
    unsigned n_restarted; /* events */
    bool resetting[SIM_LEDGER_SLOTS];
    bool pieces[SIM_LEDGER_SLOTS];                              /* how it takes the peer's */
    size_t low[SIM_LEDGER_SLOTS];                               /* thresholds */
    bool low_owed[SIM_LEDGER_SLOTS], low_may[SIM_LEDGER_SLOTS]; /* the event must come; may */
    sim_journey_open open[SIM_JOURNEY_OPEN_MAX];
    uint64_t n_lent, n_released;
    uint64_t stats_abandoned; /* of former lives */
    pl_sctp_event closed;
} sim_journey_end;

typedef struct sim_journey_rig {
    const sim_journey_conf *conf;
    sim_journey_end end[2];
    pl_rand_seeded state;
    pl_rand rand;
    int64_t now_us;
    uint64_t n_steps;
    bool restarted; /* counters of messages no longer add up */
    sim_journey_totals *sum;
    char failed[200];
} sim_journey_rig;

/* Remembers the first failure. */
void sim_journey_fail(sim_journey_rig *j, int at, const char *what);
bool sim_journey_has(const sim_journey_rig *j, unsigned feature);
uint32_t sim_journey_below(sim_journey_rig *j, uint32_t below);
/* A new association at this end, with its configuration. */
void sim_journey_begin_end(sim_journey_rig *j, int at);
/* Until then, or a failure. */
void sim_journey_run(sim_journey_rig *j, int64_t until_us);
/* sctp_journey_plan.c: configurations and links; a few random deeds. */
void sim_journey_plan(sim_journey_rig *j);
void sim_journey_act(sim_journey_rig *j);
/* After a send: what the stream's threshold promises. */
void sim_journey_expect_low(sim_journey_end *e, unsigned slot);
/* Gives the rest of the messages sent in parts, as far as there is room. False while some are open. */
bool sim_journey_finish_parts(sim_journey_rig *j, int at);

#endif
