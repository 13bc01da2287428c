/* scheduler.h - whose turn it is among the streams that have something to send.
 * Source   RFC 8260 3.2 (round robin), 3.4 (by priority), 3.6 (weighted fair queueing); the fair one is start-time
 *          fair queueing (Goyal, Vin, Cheng 1996): bytes are charged on a virtual clock in inverse proportion to
 *          the stream's priority, and whose account stands lowest is next.
 * Shape    plain data. One heap for all three: they differ in the key under which a stream stands in it. Joining,
 *          leaving and passing the turn on cost O(log n) of the streams that have something, never of all.
 * Units    bytes; virtual time is bytes times PL_SCTP_TURN_SCALE over priority. The clock is set back every PL_SCTP_TURN_ERA
 *          (4 TiB at normal priority), with all accounts; who is not in the row has his looked at when he joins. */
#ifndef PL_SCTP_SCHEDULER_H
#define PL_SCTP_SCHEDULER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/heap.h"
#include "sctp/association.h"

enum {
    PL_SCTP_PRIORITY_NORMAL = 256, /* RFC 8831 6.4 */
    PL_SCTP_TURN_SCALE = 65536,
    PL_SCTP_TURN_LEAST =
        64 /* bytes by whose end streams are ranked, so that of equals the weightier is first */
};

#define PL_SCTP_TURN_ERA ((int64_t)1 << 50)

/* A stream's place. A zeroed one is in no heap, of normal priority, and owes nothing. */
typedef struct pl_sctp_turn {
    pl_heap_node in_turns;
    int64_t owed;      /* virtual time when what it has sent so far is paid for */
    uint32_t era;      /* in which that is counted */
    uint16_t priority; /* 0: PL_SCTP_PRIORITY_NORMAL */
} pl_sctp_turn;

typedef struct pl_sctp_turns {
    pl_heap heap;
    pl_sctp_scheduler kind; /* never PL_SCTP_SCHEDULER_DEFAULT */
    uint32_t era;           /* how often the clock has been set back by PL_SCTP_TURN_ERA, lest it overflows */
    int64_t now;  /* the virtual clock: where the account of the last one served stood when its turn began */
    int64_t even; /* the mean of all accounts in the row, by weight */
    int64_t latest;  /* the highest account: where the clocks stand when nobody is left */
    int64_t n_turns; /* turns given so far, for the order of round robin */
    int64_t weight;  /* priorities of all in the row */
    uint64_t unpaid; /* bytes sent since `even` was last right */
} pl_sctp_turns;

void pl_sctp_turns_init(pl_sctp_turns *t, pl_sctp_scheduler kind);
/* It has something to send. Who comes back has no credit for its silence, and no debt that its share has paid
 * meanwhile: then it is next. Joining twice does nothing. */
void pl_sctp_turns_join(pl_sctp_turns *t, pl_sctp_turn *turn);
/* It has nothing any more. Leaving twice does nothing. */
void pl_sctp_turns_leave(pl_sctp_turns *t, pl_sctp_turn *turn);
/* The first in the row, or NULL. */
pl_sctp_turn *pl_sctp_turns_next(const pl_sctp_turns *t);
/* Its turn begins. */
void pl_sctp_turns_begin(pl_sctp_turns *t, const pl_sctp_turn *turn);
/* It has sent so much; its place in the row stays until the turn passes. */
void pl_sctp_turns_charge(pl_sctp_turns *t, pl_sctp_turn *turn, size_t bytes);
/* Its turn is over: it stands where its account says now. */
void pl_sctp_turns_pass(pl_sctp_turns *t, pl_sctp_turn *turn);
/* From now on, also for a stream in the row. */
void pl_sctp_turns_set_priority(pl_sctp_turns *t, pl_sctp_turn *turn, uint16_t priority);

#endif
