/* resample.h - mono sample rate conversion, any rate to any rate, over speexdsp's polyphase resampler.
 * Shape    opaque; new gives, free takes. Equal rates copy. The output is exactly n_in * out / in samples in
 *          the long run; the filter's delay is taken off at the start, so the first sample out is the first
 * in. Thread   belongs to its owner's thread; process allocates nothing. */
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
/* Forgets what it has heard, for a new signal. */
void pl_resampler_reset(pl_resampler *r);

#endif
