#include "voice/delay.h"

#include <string.h>

enum {
    HISTORY_US = 2000000,
    FIRST_GUESS_US = 40000, /* the histogram begins with this... */
    FIRST_GUESS_WEIGHT = 8, /* ...as if so many packets had said it */
};
static const float FORGET = 0.995f;  /* four seconds of 20 ms packets */
static const float QUANTILE = 0.98f; /* of packets that shall be in time */

static int64_t bound(const pl_delay *d, int64_t us)
{
    us = us < d->packet_us ? d->packet_us : us;
    us = us < d->min_us ? d->min_us : us;
    return us > d->max_us ? d->max_us : us;
}

void pl_delay_init(pl_delay *d, int64_t min_us, int64_t max_us)
{
    memset(d, 0, sizeof *d);
    d->min_us = min_us;
    d->max_us = max_us;
    d->share[FIRST_GUESS_US / PL_DELAY_BUCKET_US - 1] = 1;
    d->target_us = bound(d, FIRST_GUESS_US);
}

void pl_delay_restart(pl_delay *d)
{
    d->n_history = d->head = 0;
}

/* Adds a transit time and finds the smallest of those that are not too old. */
static int64_t base_with(pl_delay *d, int64_t arrival_us, int64_t transit_us)
{
    d->transit_us[d->head] = transit_us;
    d->at_us[d->head] = arrival_us;
    d->head = (d->head + 1) % PL_DELAY_HISTORY;
    if (d->n_history < PL_DELAY_HISTORY)
        d->n_history++;
    int64_t base_us = transit_us;
    for (int i = 0; i < d->n_history; i++)
        if (d->at_us[i] > arrival_us - HISTORY_US && d->transit_us[i] < base_us)
            base_us = d->transit_us[i];
    return base_us;
}

static void learn(pl_delay *d, int64_t late_us)
{
    int64_t bucket = late_us / PL_DELAY_BUCKET_US;
    bucket = bucket >= PL_DELAY_BUCKETS ? PL_DELAY_BUCKETS - 1 : bucket;
    float n = (float)d->n_samples + FIRST_GUESS_WEIGHT, forget = n / (n + 1);
    forget = forget < FORGET ? forget : FORGET;
    for (int i = 0; i < PL_DELAY_BUCKETS; i++)
        d->share[i] *= forget;
    d->share[bucket] += 1 - forget;
    d->n_samples++;
}

static int64_t quantile_us(const pl_delay *d)
{
    float sum = 0;
    for (int i = 0; i < PL_DELAY_BUCKETS; i++) {
        sum += d->share[i];
        if (sum >= QUANTILE)
            return (int64_t)(i + 1) * PL_DELAY_BUCKET_US;
    }
    return (int64_t)PL_DELAY_BUCKETS * PL_DELAY_BUCKET_US;
}

void pl_delay_arrival(pl_delay *d, int64_t arrival_us, int64_t media_us, int64_t packet_us)
{
    int64_t transit_us = arrival_us - media_us;
    d->packet_us = packet_us;
    d->base_us = base_with(d, arrival_us, transit_us);
    learn(d, transit_us - d->base_us);
    d->target_us = bound(d, quantile_us(d));
}
