/* resample.h - mono sample rate conversion, any rate to any rate, over speexdsp's polyphase resampler.
 * Shape    opaque; new gives, free takes. Equal rates copy. Each call gives n_in * out / in samples, to the
 *          sample; the signal comes later by pl_resampler_delay_us.
 * Thread   belongs to its owner's thread; run and reset allocate nothing. */
#ifndef PL_DSP_RESAMPLE_H
#define PL_DSP_RESAMPLE_H

#include <stddef.h>
#include <stdint.h>

#include "peerline/error.h"

enum { PL_RESAMPLE_HZ_MIN = 4000, PL_RESAMPLE_HZ_MAX = 384000 };

typedef struct pl_resampler pl_resampler;

/* Errors: PL_EINVAL for a rate out of range, PL_ENOMEM. */
PL_NODISCARD pl_err pl_resampler_new(pl_resampler **out, uint32_t in_hz, uint32_t out_hz);
void pl_resampler_free(pl_resampler *r); /* NULL is fine */
/* Takes up to n_in samples and writes up to cap; *n_used tells how many were taken. Returns samples written.
 * With cap >= n_in * out / in + 2 all are taken. */
size_t pl_resampler_run(pl_resampler *r, const int16_t *in, size_t n_in, size_t *n_used, int16_t *out,
                        size_t cap);
/* The filter's delay: 4 ms when the lower of the two rates is 8 kHz, less above; 0 for equal rates. */
int64_t pl_resampler_delay_us(const pl_resampler *r);
/* Forgets what it has heard, for a new signal. */
void pl_resampler_reset(pl_resampler *r);

#endif
