/* stretch.h - makes speech shorter or longer by one pitch period without changing its pitch.
 * Source   waveform similarity overlap-add: Verhelst and Roelands, ICASSP 1993.
 * Shape    pure functions over a window of at least PL_STRETCH_MS; the first and last samples stay as they
 *          are, so that the result joins seamlessly on both sides.
 * Units    samples at rate_hz, 8 to 48 kHz. */
#ifndef PL_DSP_STRETCH_H
#define PL_DSP_STRETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PL_STRETCH_MS = 30,           /* window: two periods of the lowest voice */
    PL_STRETCH_PERIOD_MS_MAX = 15 /* what one step can add or take away */
};

/* The lag in 2.5..15 ms at which the window resembles itself best, and how well: -1 to 1. */
size_t pl_stretch_period(const int16_t *x, size_t n, uint32_t rate_hz, float *likeness);
/* Takes one period out of (or puts one into) x, which holds n samples and has room for cap. Returns the new
 * number of samples; n unchanged when the signal has no period worth it (`force` is content with less), when
 * n is shorter than the window, or when the longer result would not fit. The first `heard` samples of
 * pl_stretch_lengthen are context that was played already: they stay, and half a window of them is enough. */
size_t pl_stretch_shorten(int16_t *x, size_t n, uint32_t rate_hz, bool force);
size_t pl_stretch_lengthen(int16_t *x, size_t heard, size_t n, size_t cap, uint32_t rate_hz, bool force);

#endif
