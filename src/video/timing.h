/* timing.h - when a frame should be shown: evenly, as late as the network is uneven and no later.
 * Shape    plain data. The fastest frame of the last seconds sets the clock; the delay follows how much
 *          later the others are complete: it rises at once and falls slowly.
 * Units    microseconds. */
#ifndef PL_VIDEO_TIMING_H
#define PL_VIDEO_TIMING_H

#include <stdint.h>

enum { PL_TIMING_DELAY_MAX_US = 400000, PL_TIMING_WINDOW = 64, PL_TIMING_WINDOW_US = 10000000 };

typedef struct pl_timing {
    int64_t transit_us[PL_TIMING_WINDOW], at_us[PL_TIMING_WINDOW];
    int n, head;
    int64_t base_us;   /* smallest transit in the window */
    int64_t delay_us;  /* now added to it */
    int64_t decode_us; /* smoothed */
    int64_t last_us;   /* when the last frame was complete */
} pl_timing;

/* A frame of media time media_us became complete. */
void pl_timing_complete(pl_timing *t, int64_t complete_us, int64_t media_us);
void pl_timing_decoded(pl_timing *t, int64_t took_us);
/* When to show it, and when to begin decoding it. */
int64_t pl_timing_show_us(const pl_timing *t, int64_t media_us);
int64_t pl_timing_decode_us(const pl_timing *t, int64_t media_us);

#endif
