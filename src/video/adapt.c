#include "video/adapt.h"

#include <stdbool.h>

enum {
    UP_AFTER_US = 3000000, /* a larger size must have been affordable this long */
    UP_MARGIN_PERCENT = 125,
    SLOW_BPS = 100000, /* below this, at the smallest size, every other picture */
    SLOW_FPS = 15,
};

/* What a size costs: about 0.8 bit per pixel and second is the least at which VP8 stays pleasant. */
static int64_t least_bps(unsigned width, unsigned height, int halvings)
{
    return (int64_t)(width >> halvings) * (height >> halvings) * 8 / 10;
}

void pl_adapt_rate(pl_adapt *a, int64_t now_us, int64_t bitrate_bps, unsigned width, unsigned height)
{
    while (a->halvings < PL_ADAPT_HALVINGS_MAX && bitrate_bps < least_bps(width, height, a->halvings)) {
        a->halvings++;
        a->better_since_us = 0;
    }
    bool larger =
        a->halvings > 0 && bitrate_bps * 100 >= least_bps(width, height, a->halvings - 1) * UP_MARGIN_PERCENT;
    if (!larger) {
        a->better_since_us = 0;
    } else if (!a->better_since_us) {
        a->better_since_us = now_us;
    } else if (now_us - a->better_since_us >= UP_AFTER_US) {
        a->halvings--;
        a->better_since_us = 0;
    }
    a->fps = bitrate_bps < SLOW_BPS ? SLOW_FPS : 0;
}
