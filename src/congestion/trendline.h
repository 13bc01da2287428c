/* trendline.h - does the queue of the path grow? Groups of packets, the slope of their one-way delay, and
 * the detector with its adaptive threshold.
 * Source   draft-ietf-rmcat-gcc-02 5.2 (groups), 5.4 (detector, adaptive threshold); the slope is a least
 *          squares line over the last groups instead of the Kalman filter of 5.3.
 * Shape    plain data, zero state illegal: init first; nothing to free.
 * Units    microseconds in; the slope is a ratio, the threshold milliseconds as in the draft. */
#ifndef PL_CONGESTION_TRENDLINE_H
#define PL_CONGESTION_TRENDLINE_H

#include <stdbool.h>
#include <stdint.h>

enum { PL_TREND_WINDOW = 20 }; /* groups */

typedef enum pl_cc_usage { PL_CC_NORMAL, PL_CC_OVERUSE, PL_CC_UNDERUSE } pl_cc_usage;

/* Packets sent within 5 ms, or arriving as one burst. */
typedef struct pl_cc_group {
    bool used;
    int64_t first_sent_us, last_sent_us, first_arrival_us, last_arrival_us;
} pl_cc_group;

typedef struct pl_cc_trendline {
    pl_cc_group cur, prev;
    uint32_t n_deltas;
    double delay_ms, smoothed_ms;
    int64_t first_arrival_us;
    uint32_t n, at; /* samples in the window, where the next goes */
    double x_ms[PL_TREND_WINDOW], y_ms[PL_TREND_WINDOW];
    double trend, prev_trend, threshold_ms;
    double overusing_ms;
    int32_t overuse_count;
    int64_t threshold_us; /* when it was adapted last */
    pl_cc_usage usage;
} pl_cc_trendline;

void pl_cc_trendline_init(pl_cc_trendline *t);
/* A packet that arrived, in the order of sending. */
void pl_cc_trendline_packet(pl_cc_trendline *t, int64_t sent_us, int64_t arrival_us, int64_t now_us);

#endif
