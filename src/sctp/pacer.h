/* pacer.h - spreads what the window allows over the round trip.
 * Source   RFC 9002 7.7 and RFC 9438 5 for the need of it; the burst follows segmentation offload, which wants packets by
 *          the dozen.
 * Shape    plain data inside its association. A gate: open, it lets a burst through, then it closes for as long as the
 *          burst lasts at the rate.
 * Units    bytes, bytes per second, microseconds. */
#ifndef PL_SCTP_PACER_H
#define PL_SCTP_PACER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PL_SCTP_PACER_QUANTUM_US = 1000, /* a burst lasts this long, … */
    PL_SCTP_PACER_LEAST = 2,         /* … and has at least so many packets … */
    PL_SCTP_PACER_MOST = 48          /* … and at most: what one offloaded send carries */
};

typedef struct pl_sctp_pacer {
    uint64_t rate;   /* 0: no pacing */
    size_t burst;    /* of one opening */
    size_t left;     /* of the opening under way */
    int64_t open_us; /* the gate opens */
} pl_sctp_pacer;

/* rate 0 opens it for good. */
void pl_sctp_pacer_set(pl_sctp_pacer *p, uint64_t rate, size_t packet);
bool pl_sctp_pacer_open(const pl_sctp_pacer *p, int64_t now_us);
/* After a silence: so much goes at once. */
void pl_sctp_pacer_rested(pl_sctp_pacer *p, int64_t now_us, size_t bytes);
void pl_sctp_pacer_sent(pl_sctp_pacer *p, int64_t now_us, size_t bytes);

#endif
