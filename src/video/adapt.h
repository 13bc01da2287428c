/* adapt.h - which picture size and rate a bit rate can carry.
 * Shape    plain data, zero state legal. Steps of halving: full size, half, quarter; a step up needs a
 *          margin and some seconds, so the size does not flap. */
#ifndef PL_VIDEO_ADAPT_H
#define PL_VIDEO_ADAPT_H

#include <stdint.h>

enum { PL_ADAPT_HALVINGS_MAX = 2 };

typedef struct pl_adapt {
    int halvings;
    unsigned fps;            /* at most; 0: as it comes */
    int64_t better_since_us; /* since when the rate would carry the next larger size; 0: not */
} pl_adapt;

void pl_adapt_rate(pl_adapt *a, int64_t now_us, int64_t bitrate_bps, unsigned width, unsigned height);

#endif
