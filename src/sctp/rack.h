/* rack.h - which sending is old enough to be called lost, told by time instead of by counting reports.
 * Source   RFC 8985 (RACK), with TSNs for sequence numbers and the duplicates of a SACK (RFC 9260 3.3.4) for DSACK.
 * Shape    plain data inside outstanding.h, nothing to free. It remembers the newest sending known to have arrived;
 *          what was sent before it, and a window for reordering ago, is lost. The window is nothing until
 *          reordering has been seen, then a quarter of the least RTT, and more with each round of needless
 *          retransmissions.
 * Units    microseconds. */
#ifndef PL_SCTP_RACK_H
#define PL_SCTP_RACK_H

#include <stdbool.h>
#include <stdint.h>

#include "sctp/rto.h"

enum {
    PL_SCTP_RACK_ENOUGH = 3,  /* TSNs in gap blocks beyond which no reordering is waited for */
    PL_SCTP_RACK_PERSIST = 16 /* recoveries for which a widened window lasts */
};

typedef struct pl_sctp_rack {
    int64_t sent_us; /* of the newest sending that arrived; -1: none yet */
    uint32_t tsn;    /* which, for sendings at the same time go by TSN */
    int64_t rtt_us;  /* that it took */
    bool reordering_seen;
    uint8_t quarters; /* of the least RTT: how wide the window is */
    uint8_t persist;
    uint32_t round_end_tsn; /* of a round that has widened the window already */
    bool in_round;
} pl_sctp_rack;

void pl_sctp_rack_init(pl_sctp_rack *r);
/* A sending has arrived. resent: it may be the first sending that did, so a round trip shorter than any is
 * no proof, and the answer false. */
bool pl_sctp_rack_arrived(pl_sctp_rack *r, uint32_t tsn, int64_t sent_us, bool resent, int64_t now_us,
                          int64_t min_rtt_us);
/* True when a sending came before the newest that arrived. */
bool pl_sctp_rack_before(const pl_sctp_rack *r, uint32_t tsn, int64_t sent_us);
/* How long after its round trip a sending may still be under way. recovering: losses are being repaired;
 * n_gap_acked: TSNs acknowledged beyond the cumulative one. */
int64_t pl_sctp_rack_window_us(const pl_sctp_rack *r, const pl_sctp_rto *rto, bool recovering,
                               uint32_t n_gap_acked);
/* The peer reports a duplicate: a retransmission was needless. cumulative_tsn, next_tsn: where the sender is. */
void pl_sctp_rack_needless(pl_sctp_rack *r, uint32_t cumulative_tsn, uint32_t next_tsn);
/* A recovery has ended. */
void pl_sctp_rack_recovered(pl_sctp_rack *r);

#endif
