/* conceal.h - invents speech in place of a packet that did not come, for codecs that cannot do it
 * themselves.
 * Source   the idea of ITU-T G.711 appendix I: repeat the last pitch period, fade out, and cross over to
 *          the real signal when it returns.
 * Shape    plain data, zero state legal (conceals with silence), nothing to free.
 * Units    samples at rate_hz, 8 to 48 kHz. */
#ifndef PL_DSP_CONCEAL_H
#define PL_DSP_CONCEAL_H

#include <stddef.h>
#include <stdint.h>

enum { PL_CONCEAL_HISTORY_MAX = 48 * 48 /* 48 ms at 48 kHz */ };

typedef struct pl_conceal {
    uint32_t rate_hz;
    int16_t history[PL_CONCEAL_HISTORY_MAX]; /* what was played last, newest at the end */
    size_t n_history;
    size_t period; /* of the signal being repeated; 0 when not concealing */
    size_t phase;  /* where in the period we are */
    size_t n_made; /* samples invented since the last real one */
    int16_t cycle[PL_CONCEAL_HISTORY_MAX / 2];
} pl_conceal;

void pl_conceal_init(pl_conceal *c, uint32_t rate_hz);
/* Real samples: remembered; when they follow invented ones, their beginning is crossed over in place. */
void pl_conceal_good(pl_conceal *c, int16_t *x, size_t n);
/* n invented samples. Fades to silence between 10 and 70 ms. */
void pl_conceal_make(pl_conceal *c, int16_t *out, size_t n);

#endif
