/* vector.h - small operations on runs of 16-bit samples.
 * Units    levels in dBov (0 is the loudest square wave, RFC 6464); energy is a mean of squares, full
 *          scale 1. */
#ifndef PL_DSP_VECTOR_H
#define PL_DSP_VECTOR_H

#include <stddef.h>
#include <stdint.h>

static inline int16_t pl_sat16(int32_t v)
{
    return (int16_t)(v > INT16_MAX ? INT16_MAX : v < INT16_MIN ? INT16_MIN : v);
}

/* Mean of squares of x/32768: 0 to 1. */
double pl_dsp_power(const int16_t *x, size_t n);
/* -dBov, 0 (loud) to 127 (silence), as RFC 6464 sends it. */
uint8_t pl_dsp_level_dbov(double power);
int16_t pl_dsp_peak(const int16_t *x, size_t n); /* largest magnitude, at most 32767 */
/* acc += x, in 32 bits so that a mix of many cannot overflow; then to 16 bits with saturation. */
void pl_dsp_mix(int32_t *acc, const int16_t *x, size_t n);
void pl_dsp_mix_take(const int32_t *acc, int16_t *out, size_t n);
/* Linear crossfade: out goes from a to b over n samples. out may be a or b. */
void pl_dsp_crossfade(int16_t *out, const int16_t *a, const int16_t *b, size_t n);
/* x *= a gain that runs linearly from g0 to g1. */
void pl_dsp_ramp(int16_t *x, size_t n, float g0, float g1);
/* Normalised correlation of two runs, -1 to 1; 0 when either is silent. */
float pl_dsp_correlation(const int16_t *a, const int16_t *b, size_t n);

#endif
