#include "congestion/loss.h"

#include <math.h>

#include "base/time.h"

enum { PACKETS_MIN = 20, PACKETS_MEMORY = 50, DECREASE_EVERY_US = 300000 };

static const double LOSS_LOW = 0.02, LOSS_HIGH = 0.10, GROWTH = 1.08;

static int64_t clamp_rate(const pl_cc_loss *l, int64_t rate_bps)
{
    return rate_bps < l->min_bps ? l->min_bps : rate_bps > l->max_bps ? l->max_bps : rate_bps;
}

void pl_cc_loss_init(pl_cc_loss *l, int64_t start_bps, int64_t min_bps, int64_t max_bps, int64_t now_us)
{
    *l = (pl_cc_loss){ .min_bps = min_bps, .max_bps = max_bps, .updated_us = now_us, .limiting = true };
    l->rate_bps = clamp_rate(l, start_bps);
}

void pl_cc_loss_limits(pl_cc_loss *l, int64_t min_bps, int64_t max_bps)
{
    l->min_bps = min_bps;
    l->max_bps = max_bps;
    l->rate_bps = clamp_rate(l, l->rate_bps);
}

void pl_cc_loss_count(pl_cc_loss *l, uint32_t n_packets, uint32_t n_lost)
{
    l->n_packets += n_packets;
    l->n_lost += n_lost;
}

void pl_cc_loss_late(pl_cc_loss *l)
{
    if (l->n_lost > 0)
        l->n_lost--;
}

/* The share of late, over some fifty packets: among twenty alone, three can be lost by mere chance on a path
 * that loses few. */
static void measure(pl_cc_loss *l)
{
    if (l->n_packets < PACKETS_MIN)
        return;
    double weight = (double)l->n_packets / (l->n_packets + PACKETS_MEMORY);
    double share = fmin((double)l->n_lost / l->n_packets, 1);
    l->fraction += weight * (share - l->fraction);
    l->n_packets = l->n_lost = 0;
}

void pl_cc_loss_update(pl_cc_loss *l, int64_t now_us, int64_t rtt_us, int64_t other_bps)
{
    double dt_s = fmin((double)(now_us - l->updated_us) / 1e6, 1);
    l->updated_us = now_us;
    measure(l);
    if (!l->limiting)
        l->rate_bps = clamp_rate(l, other_bps);
    if (l->fraction > LOSS_HIGH && now_us - l->decreased_us >= DECREASE_EVERY_US + rtt_us) {
        l->rate_bps = clamp_rate(l, (int64_t)((double)l->rate_bps * (1 - 0.5 * l->fraction)));
        l->decreased_us = now_us;
        l->limiting = true;
    } else if (l->fraction <= LOSS_LOW && l->limiting) {
        l->rate_bps = clamp_rate(l, (int64_t)((double)l->rate_bps * pow(GROWTH, dt_s)) + 1);
    }
    if (l->rate_bps >= other_bps) {
        l->rate_bps = clamp_rate(l, other_bps);
        l->limiting = false;
    }
}

void pl_cc_loss_set(pl_cc_loss *l, int64_t rate_bps)
{
    if (l->fraction <= LOSS_HIGH)
        l->rate_bps = clamp_rate(l, rate_bps);
}
