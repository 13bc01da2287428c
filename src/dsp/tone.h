/* tone.h - makes a sine tone and measures one.
 * Source   Goertzel, American Mathematical Monthly 65, 1958.
 * Shape    plain data. */
#ifndef PL_DSP_TONE_H
#define PL_DSP_TONE_H

#include <stddef.h>
#include <stdint.h>

typedef struct pl_tone {
    double phase, step; /* radians */
    double amplitude;   /* 0..32767 */
} pl_tone;

/* level_dbov: 0 or below; a full-scale sine has -3 dBov. */
void pl_tone_init(pl_tone *t, uint32_t rate_hz, double hz, double level_dbov);
void pl_tone_make(pl_tone *t, int16_t *out, size_t n);

/* Power of the component at hz in the run, in the units of pl_dsp_power: a pure tone gives its
 * whole power. */
double pl_tone_power(const int16_t *x, size_t n, uint32_t rate_hz, double hz);
/* The part of the run's whole power that stands at hz: 0..1. Silence gives 0. */
double pl_tone_share(const int16_t *x, size_t n, uint32_t rate_hz, double hz);

#endif
