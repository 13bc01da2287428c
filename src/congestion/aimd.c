#include "congestion/aimd.h"

#include <math.h>

#include "base/time.h"

enum {
    PACKET_BITS = 9600,
    FRAMES_PER_SEC = 30,
    RESPONSE_US = 100000, /* what the detector needs on top of the round trip */
    FIRST_RTT_US = 200000,
    ADDITIVE_MIN_PART = 33, /* a packet per response time is too little on a fast path: a part per second */
    HEADROOM_BPS = 10000
};

static const double BETA = 0.85, GROWTH = 1.08;
static const double LINK_ALPHA = 0.05, LINK_VAR_MIN = 0.4, LINK_VAR_MAX = 2.5;

static int64_t clamp_rate(const pl_cc_aimd *a, int64_t rate_bps)
{
    return rate_bps < a->min_bps ? a->min_bps : rate_bps > a->max_bps ? a->max_bps : rate_bps;
}

void pl_cc_aimd_init(pl_cc_aimd *a, int64_t start_bps, int64_t min_bps, int64_t max_bps, int64_t now_us)
{
    *a = (pl_cc_aimd){ .min_bps = min_bps, .max_bps = max_bps, .changed_us = now_us };
    a->rate_bps = clamp_rate(a, start_bps);
}

void pl_cc_aimd_limits(pl_cc_aimd *a, int64_t min_bps, int64_t max_bps)
{
    a->min_bps = min_bps;
    a->max_bps = max_bps;
    a->rate_bps = clamp_rate(a, a->rate_bps);
}

/* The link estimate: what arrived each time the path was full. Its spread tells what is far from it. */

static double link_spread_kbps(const pl_cc_aimd *a)
{
    return 3 * sqrt(a->link_var * a->link_kbps);
}

static void link_sample(pl_cc_aimd *a, double kbps)
{
    if (a->link_kbps <= 0) {
        a->link_kbps = kbps;
        a->link_var = LINK_VAR_MIN;
        return;
    }
    a->link_kbps = (1 - LINK_ALPHA) * a->link_kbps + LINK_ALPHA * kbps;
    double error = a->link_kbps - kbps, norm = fmax(a->link_kbps, 1);
    a->link_var = (1 - LINK_ALPHA) * a->link_var + LINK_ALPHA * error * error / norm;
    a->link_var = fmin(fmax(a->link_var, LINK_VAR_MIN), LINK_VAR_MAX);
}

static int64_t additive_bps(const pl_cc_aimd *a, double dt_s, int64_t rtt_us)
{
    double frame_bits = (double)a->rate_bps / FRAMES_PER_SEC;
    double packet_bits = frame_bits / ceil(frame_bits / PACKET_BITS);
    double response_s = (double)((rtt_us > 0 ? rtt_us : FIRST_RTT_US) + RESPONSE_US) / 1e6;
    return (int64_t)(fmax(packet_bits / response_s, (double)a->rate_bps / ADDITIVE_MIN_PART) * dt_s);
}

static void increase(pl_cc_aimd *a, int64_t now_us, int64_t acked_bps, int64_t rtt_us)
{
    double acked_kbps = (double)acked_bps / 1000, dt_s = (double)(now_us - a->changed_us) / 1e6;
    if (dt_s > 1)
        dt_s = 1;
    if (a->link_kbps > 0 && acked_kbps > a->link_kbps + link_spread_kbps(a))
        a->link_kbps = 0; /* the path carries more than we knew */
    a->changed_us = now_us;
    /* What was never sent proves nothing: stay near what arrives. */
    int64_t limit_bps = acked_bps + acked_bps / 2 + HEADROOM_BPS;
    if (acked_bps > 0 && a->rate_bps >= limit_bps)
        return;
    int64_t step = a->link_kbps > 0 ? additive_bps(a, dt_s, rtt_us)
                                    : (int64_t)((double)a->rate_bps * (pow(GROWTH, dt_s) - 1)) + 1;
    int64_t to = a->rate_bps + step;
    a->rate_bps = clamp_rate(a, acked_bps > 0 ? pl_min_us(to, limit_bps) : to);
}

static void decrease(pl_cc_aimd *a, int64_t now_us, int64_t acked_bps)
{
    double acked_kbps = (double)acked_bps / 1000;
    int64_t to = acked_bps > 0 ? (int64_t)(BETA * (double)acked_bps) : a->rate_bps / 2;
    if (to > a->rate_bps && a->link_kbps > 0)
        to = (int64_t)(BETA * a->link_kbps * 1000);
    if (acked_bps > 0) {
        if (a->link_kbps > 0 && acked_kbps < a->link_kbps - link_spread_kbps(a))
            a->link_kbps = 0; /* the path has become narrower */
        link_sample(a, acked_kbps);
    }
    if (to < a->rate_bps)
        a->rate_bps = clamp_rate(a, to);
    a->changed_us = a->decreased_us = now_us;
    a->state = PL_AIMD_HOLD;
}

/* A decrease needs a round trip to show; before that only a rate far beyond what arrives is cut again. */
static bool may_decrease(const pl_cc_aimd *a, int64_t now_us, int64_t acked_bps, int64_t rtt_us)
{
    int64_t wait_us = pl_min_us(pl_max_us(rtt_us > 0 ? rtt_us : FIRST_RTT_US, PL_MS(10)), PL_MS(200));
    return a->decreased_us == 0 || now_us - a->decreased_us >= wait_us ||
           (acked_bps > 0 && acked_bps < a->rate_bps / 2);
}

void pl_cc_aimd_update(pl_cc_aimd *a, int64_t now_us, pl_cc_usage usage, int64_t acked_bps, int64_t rtt_us)
{
    switch (usage) {
    case PL_CC_OVERUSE:
        if (may_decrease(a, now_us, acked_bps, rtt_us))
            decrease(a, now_us, acked_bps);
        break;
    case PL_CC_UNDERUSE: /* the queue drains: let it */ a->state = PL_AIMD_HOLD; break;
    case PL_CC_NORMAL:
        if (a->state == PL_AIMD_HOLD) {
            a->state = PL_AIMD_INCREASE;
            a->changed_us = now_us;
        }
        increase(a, now_us, acked_bps, rtt_us);
        break;
    }
}

void pl_cc_aimd_set(pl_cc_aimd *a, int64_t now_us, int64_t rate_bps)
{
    a->rate_bps = clamp_rate(a, rate_bps);
    a->changed_us = now_us;
}
