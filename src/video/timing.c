#include "video/timing.h"

#include <string.h>

enum { JUMP_US = 3000000, FALL_US = 3000000 /* time constant of the falling delay */ };

static int64_t base_with(pl_timing *t, int64_t now_us, int64_t transit_us)
{
    t->transit_us[t->head] = transit_us;
    t->at_us[t->head] = now_us;
    t->head = (t->head + 1) % PL_TIMING_WINDOW;
    if (t->n < PL_TIMING_WINDOW)
        t->n++;
    int64_t base_us = transit_us;
    for (int i = 0; i < t->n; i++)
        if (t->at_us[i] > now_us - PL_TIMING_WINDOW_US && t->transit_us[i] < base_us)
            base_us = t->transit_us[i];
    return base_us;
}

void pl_timing_complete(pl_timing *t, int64_t complete_us, int64_t media_us)
{
    int64_t transit_us = complete_us - media_us;
    int64_t off_us = transit_us - t->base_us;
    if (off_us > JUMP_US || off_us < -JUMP_US) /* the sender's clock has jumped */
        t->n = t->head = 0;
    t->base_us = base_with(t, complete_us, transit_us);
    int64_t late_us = transit_us - t->base_us;
    int64_t passed_us = complete_us - t->last_us;
    t->last_us = complete_us;
    if (late_us > t->delay_us)
        t->delay_us = late_us;
    else if (passed_us > 0)
        t->delay_us -= (t->delay_us - late_us) * (passed_us < FALL_US ? passed_us : FALL_US) / FALL_US;
    if (t->delay_us > PL_TIMING_DELAY_MAX_US)
        t->delay_us = PL_TIMING_DELAY_MAX_US;
}

void pl_timing_decoded(pl_timing *t, int64_t took_us)
{
    t->decode_us += (took_us - t->decode_us) / 8;
}

int64_t pl_timing_show_us(const pl_timing *t, int64_t media_us)
{
    return media_us + t->base_us + t->delay_us;
}

int64_t pl_timing_decode_us(const pl_timing *t, int64_t media_us)
{
    return pl_timing_show_us(t, media_us) - t->decode_us;
}
