/* rto.h - the retransmission timeout of one SCTP association.
 * Source   RFC 9260 6.3.1, rules C1 to C7, and 6.3.3 E2 (doubling); RTO.Min is ours, see docs/rfc/sctp.md.
 * Shape    plain data, zero state legal until used, nothing to free.
 * Units    microseconds.
 * Errors   none: a sample that is negative or above rto_max_us is ignored, because one wrong sample would
 *          take minutes to forget. */
#ifndef PL_SCTP_RTO_H
#define PL_SCTP_RTO_H

#include <stdint.h>

typedef struct pl_sctp_rto {
    int64_t min_us, max_us, granularity_us;
    int64_t srtt_us, rttvar_us, min_rtt_us; /* 0 before the first sample */
    int64_t rto_us;
    int64_t least_us; /* since somebody took it; 0: no sample */
} pl_sctp_rto;

void pl_sctp_rto_init(pl_sctp_rto *r, int64_t initial_us, int64_t min_us, int64_t max_us);
void pl_sctp_rto_sample(pl_sctp_rto *r, int64_t rtt_us);
/* A timeout has passed: the next one is twice as long. */
void pl_sctp_rto_double(pl_sctp_rto *r);
/* What was sent again has arrived: the path is there, and timeouts are again what its round trips say. */
void pl_sctp_rto_restore(pl_sctp_rto *r);

#endif
