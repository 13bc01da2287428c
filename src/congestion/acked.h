/* acked.h - what arrives: throughput over a sliding window of the receiver's clock.
 * Source   draft-ietf-rmcat-gcc-02 5.5, R_hat over a window of 0.5 to 1 s.
 * Shape    plain data, zero state legal, nothing to free.
 * Units    microseconds, bytes in, bits per second out. */
#ifndef PL_CONGESTION_ACKED_H
#define PL_CONGESTION_ACKED_H

#include <stdbool.h>
#include <stdint.h>

enum { PL_ACKED_BINS = 10, PL_ACKED_BIN_US = 50000 };

typedef struct pl_cc_acked {
    bool started;
    int64_t bin;               /* number of the newest */
    int64_t first_us, last_us; /* arrivals: the first since the last long silence, and the newest */
    uint32_t bytes[PL_ACKED_BINS];
} pl_cc_acked;

void pl_cc_acked_packet(pl_cc_acked *a, int64_t arrival_us, uint32_t len);
int64_t pl_cc_acked_bps(const pl_cc_acked *a); /* 0 until there is enough to tell */

#endif
