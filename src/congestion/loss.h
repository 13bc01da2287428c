/* loss.h - rate control by loss: above a tenth lost go down, below a fiftieth go up, between hold. While
 * another estimate is lower (or there was no such loss yet) it rides along with that one.
 * Source   draft-ietf-rmcat-gcc-02 6.
 * Shape    plain data; init first; nothing to free.
 * Units    microseconds, bits per second. */
#ifndef PL_CONGESTION_LOSS_H
#define PL_CONGESTION_LOSS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct pl_cc_loss {
    int64_t rate_bps, min_bps, max_bps;
    uint32_t n_packets, n_lost; /* since the last update */
    double fraction;            /* smoothed, at it */
    bool limiting;              /* our rate is the lower one */
    int64_t updated_us, decreased_us;
} pl_cc_loss;

void pl_cc_loss_init(pl_cc_loss *l, int64_t start_bps, int64_t min_bps, int64_t max_bps, int64_t now_us);
void pl_cc_loss_limits(pl_cc_loss *l, int64_t min_bps, int64_t max_bps);
void pl_cc_loss_count(pl_cc_loss *l, uint32_t n_packets, uint32_t n_lost);
/* A packet counted as lost has come after all. */
void pl_cc_loss_late(pl_cc_loss *l);
/* other_bps: what the other estimates allow (delay, REMB, the maximum), which we never exceed. */
void pl_cc_loss_update(pl_cc_loss *l, int64_t now_us, int64_t rtt_us, int64_t other_bps);
/* A probe has measured that much; not believed while much is lost. */
void pl_cc_loss_set(pl_cc_loss *l, int64_t rate_bps);

#endif
