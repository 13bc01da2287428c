/* freeze.h - counts freezes as W3C's webrtc-stats does: a picture that stays longer than the larger of
 * three average frame durations and the average plus 150 ms, the average taken over the last 30.
 * Shape    plain data, zero state legal. */
#ifndef PL_VIDEO_FREEZE_H
#define PL_VIDEO_FREEZE_H

#include <stdint.h>

enum { PL_FREEZE_WINDOW = 30 };

typedef struct pl_freeze {
    int64_t gap_us[PL_FREEZE_WINDOW], sum_us;
    int n, head;
    int64_t last_us;
    uint64_t n_freezes, total_us;
} pl_freeze;

void pl_freeze_shown(pl_freeze *f, int64_t now_us);
double pl_freeze_fps(const pl_freeze *f);

#endif
