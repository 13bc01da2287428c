/* delay.h - how long a voice stream must be held back so that nearly all its packets come in time.
 * Source   after NetEQ's delay manager: a forgetting histogram of how much later each packet came than the
 *          fastest of the last two seconds, and a quantile of it.
 * Shape    plain data, nothing to free.
 * Units    microseconds.
 * Errors   none; arrivals out of order are samples too, because a late packet is what the buffer is for. */
#ifndef PL_VOICE_DELAY_H
#define PL_VOICE_DELAY_H

#include <stdint.h>

enum {
    PL_DELAY_BUCKET_US = 5000,
    PL_DELAY_BUCKETS = 200, /* one second; later packets count in the last */
    PL_DELAY_HISTORY = 100  /* transit times kept for the minimum: two seconds of 20 ms packets */
};

typedef struct pl_delay {
    float share[PL_DELAY_BUCKETS]; /* sums to 1 after the first sample */
    int64_t transit_us[PL_DELAY_HISTORY];
    int64_t at_us[PL_DELAY_HISTORY];
    int n_history, head;
    uint32_t n_samples;
    int64_t min_us, max_us; /* limits of the target */
    int64_t packet_us;      /* duration of a packet, as seen */
    int64_t base_us;        /* the smallest transit time in the history */
    int64_t target_us;
} pl_delay;

/* min_us and max_us bound the target; max_us at most one second. */
void pl_delay_init(pl_delay *d, int64_t min_us, int64_t max_us);
/* A packet arrived at arrival_us whose media time is media_us. */
void pl_delay_arrival(pl_delay *d, int64_t arrival_us, int64_t media_us, int64_t packet_us);
/* What the buffer should hold on average, at least one packet. */
static inline int64_t pl_delay_target_us(const pl_delay *d)
{
    return d->target_us;
}
/* Arrival minus media time of the fastest packet: what the target is counted from. */
static inline int64_t pl_delay_base_us(const pl_delay *d)
{
    return d->base_us;
}
/* The sender's clock has jumped: the transit times are forgotten, the target stays. */
void pl_delay_restart(pl_delay *d);

#endif
