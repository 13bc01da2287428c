/* hystart.h - when slow start has filled the path: the delay says so before losses do.
 * Source   RFC 9406 (HyStart++), with the constants of its 4.3 and no limit of growth, since we pace.
 * Shape    plain data inside a controller; rounds end when what was in flight at their begin is acknowledged.
 * Units    bytes, microseconds. */
#ifndef PL_SCTP_HYSTART_H
#define PL_SCTP_HYSTART_H

#include "sctp/congestion.h"

void pl_sctp_hystart_init(pl_sctp_hystart *h);
/* What one SACK in slow start adds to the window. *done: slow start is over. */
size_t pl_sctp_hystart_growth(pl_sctp_hystart *h, const pl_sctp_cc_ack *ack, bool round_began, bool *done);

#endif
