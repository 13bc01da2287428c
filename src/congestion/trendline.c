#include "congestion/trendline.h"

#include <math.h>
#include <string.h>

enum {
    GROUP_US = 5000,
    BURST_MAX_US = 100000,
    STALE_US = 3000000, /* a group so much later begins a new history: the sender was silent */
    DELTAS_MAX = 1000,
    DELTAS_FULL = 60 /* groups until the slope counts fully */
};

static const double SMOOTHING = 0.9, GAIN = 4.0;
static const double THRESHOLD_MIN_MS = 6, THRESHOLD_MAX_MS = 600, THRESHOLD_START_MS = 12.5;
static const double K_UP = 0.0087, K_DOWN = 0.039, OVERUSE_MS = 10, ADAPT_SPAN_MS = 15, ADAPT_DT_MS = 100;

void pl_cc_trendline_init(pl_cc_trendline *t)
{
    *t = (pl_cc_trendline){ .threshold_ms = THRESHOLD_START_MS, .overusing_ms = -1 };
}

/* Least squares over the window; the times are taken from their mean, so the numbers stay small. */
static double slope(const pl_cc_trendline *t)
{
    double mean_x = 0, mean_y = 0, num = 0, den = 0;
    for (uint32_t i = 0; i < t->n; i++) {
        mean_x += t->x_ms[i] / t->n;
        mean_y += t->y_ms[i] / t->n;
    }
    for (uint32_t i = 0; i < t->n; i++) {
        double dx = t->x_ms[i] - mean_x;
        num += dx * (t->y_ms[i] - mean_y);
        den += dx * dx;
    }
    return den > 0 ? num / den : t->prev_trend;
}

/* Draft 5.4: the threshold follows the measure, slowly up and faster down, so that other traffic on the path
 * neither starves us nor makes us deaf; a sudden spike is not followed. */
static void adapt_threshold(pl_cc_trendline *t, double measure_ms, int64_t now_us)
{
    double size = fabs(measure_ms);
    if (t->threshold_us == 0)
        t->threshold_us = now_us;
    double dt_ms = fmin((double)(now_us - t->threshold_us) / 1000, ADAPT_DT_MS);
    t->threshold_us = now_us;
    if (size > t->threshold_ms + ADAPT_SPAN_MS)
        return;
    t->threshold_ms += (size < t->threshold_ms ? K_DOWN : K_UP) * (size - t->threshold_ms) * dt_ms;
    t->threshold_ms = fmin(fmax(t->threshold_ms, THRESHOLD_MIN_MS), THRESHOLD_MAX_MS);
}

/* Overuse is called when the measure has been above the threshold for a while and does not fall. */
static void detect(pl_cc_trendline *t, double gap_ms, int64_t now_us)
{
    double weight = t->n_deltas < DELTAS_FULL ? t->n_deltas : DELTAS_FULL;
    double measure_ms = weight * t->trend * GAIN;
    if (measure_ms > t->threshold_ms) {
        t->overusing_ms = t->overusing_ms < 0 ? gap_ms / 2 : t->overusing_ms + gap_ms;
        t->overuse_count++;
        if (t->overusing_ms > OVERUSE_MS && t->overuse_count > 1 && t->trend >= t->prev_trend) {
            t->overusing_ms = 0;
            t->overuse_count = 0;
            t->usage = PL_CC_OVERUSE;
        }
    } else {
        t->overusing_ms = -1;
        t->overuse_count = 0;
        t->usage = measure_ms < -t->threshold_ms ? PL_CC_UNDERUSE : PL_CC_NORMAL;
    }
    t->prev_trend = t->trend;
    adapt_threshold(t, measure_ms, now_us);
}

/* One more group: how much longer it took than the one before. */
static void add_delta(pl_cc_trendline *t, double sent_ms, double arrival_ms, int64_t arrival_us,
                      int64_t now_us)
{
    t->delay_ms += arrival_ms - sent_ms;
    t->smoothed_ms = SMOOTHING * t->smoothed_ms + (1 - SMOOTHING) * t->delay_ms;
    if (t->n_deltas == 0)
        t->first_arrival_us = arrival_us;
    if (t->n_deltas < DELTAS_MAX)
        t->n_deltas++;
    t->x_ms[t->at] = (double)(arrival_us - t->first_arrival_us) / 1000;
    t->y_ms[t->at] = t->smoothed_ms;
    t->at = (t->at + 1) % PL_TREND_WINDOW;
    if (t->n < PL_TREND_WINDOW)
        t->n++;
    if (t->n == PL_TREND_WINDOW)
        t->trend = slope(t);
    detect(t, sent_ms, now_us);
}

/* A packet sent later that was held up together with the group arrives in the same burst. */
static bool in_burst(const pl_cc_group *g, int64_t sent_us, int64_t arrival_us)
{
    int64_t arrival_gap = arrival_us - g->last_arrival_us, sent_gap = sent_us - g->last_sent_us;
    return arrival_gap - sent_gap < 0 && arrival_gap <= GROUP_US &&
           arrival_us - g->first_arrival_us < BURST_MAX_US;
}

static void forget(pl_cc_trendline *t)
{
    double threshold_ms = t->threshold_ms;
    pl_cc_trendline_init(t);
    t->threshold_ms = threshold_ms;
}

void pl_cc_trendline_packet(pl_cc_trendline *t, int64_t sent_us, int64_t arrival_us, int64_t now_us)
{
    pl_cc_group *cur = &t->cur, *prev = &t->prev;
    if (cur->used && sent_us < cur->first_sent_us)
        return; /* reordered: its group is done */
    if (cur->used &&
        (sent_us - cur->last_sent_us > STALE_US || arrival_us - cur->last_arrival_us > STALE_US ||
         cur->last_arrival_us - arrival_us > STALE_US))
        forget(t);
    if (cur->used && (sent_us - cur->first_sent_us <= GROUP_US || in_burst(cur, sent_us, arrival_us))) {
        cur->last_sent_us = sent_us > cur->last_sent_us ? sent_us : cur->last_sent_us;
        cur->last_arrival_us = arrival_us > cur->last_arrival_us ? arrival_us : cur->last_arrival_us;
        return;
    }
    if (cur->used && prev->used)
        add_delta(t, (double)(cur->last_sent_us - prev->last_sent_us) / 1000,
                  (double)(cur->last_arrival_us - prev->last_arrival_us) / 1000, cur->last_arrival_us,
                  now_us);
    if (cur->used)
        *prev = *cur;
    *cur = (pl_cc_group){ .used = true,
                          .first_sent_us = sent_us,
                          .last_sent_us = sent_us,
                          .first_arrival_us = arrival_us,
                          .last_arrival_us = arrival_us };
}
