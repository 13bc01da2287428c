/* aimd.h - rate control by delay: up by a factor far from the known capacity, by a packet per response time
 * near it, down to a part of what arrived.
 * Source   draft-ietf-rmcat-gcc-02 5.5 (states, figure 2) and 5.6.
 * Shape    plain data; init first; nothing to free.
 * Units    microseconds, bits per second. */
#ifndef PL_CONGESTION_AIMD_H
#define PL_CONGESTION_AIMD_H

#include <stdbool.h>
#include <stdint.h>

#include "congestion/trendline.h"

typedef enum pl_cc_aimd_state { PL_AIMD_HOLD, PL_AIMD_INCREASE } pl_cc_aimd_state;

typedef struct pl_cc_aimd {
    int64_t rate_bps, min_bps, max_bps;
    pl_cc_aimd_state state;
    int64_t changed_us;         /* last increase or decrease */
    int64_t decreased_us;       /* last decrease; 0: none */
    double link_kbps, link_var; /* what arrived at decreases: mean (0 unknown) and relative variance */
} pl_cc_aimd;

void pl_cc_aimd_init(pl_cc_aimd *a, int64_t start_bps, int64_t min_bps, int64_t max_bps, int64_t now_us);
void pl_cc_aimd_limits(pl_cc_aimd *a, int64_t min_bps, int64_t max_bps);
/* acked_bps: what arrived of late, 0 unknown; rtt_us 0: unknown. */
void pl_cc_aimd_update(pl_cc_aimd *a, int64_t now_us, pl_cc_usage usage, int64_t acked_bps, int64_t rtt_us);
/* A probe has measured that much. */
void pl_cc_aimd_set(pl_cc_aimd *a, int64_t now_us, int64_t rate_bps);

#endif
