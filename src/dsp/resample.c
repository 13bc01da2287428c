#include "dsp/resample.h"

#include <stdlib.h>
#include <string.h>

#include <speex/speex_resampler.h>

enum { QUALITY = 4 }; /* 64 taps at the lower rate: 4 ms at 8 kHz, images 65 dB down */

struct pl_resampler {
    SpeexResamplerState *lib; /* NULL: equal rates */
    uint32_t in_hz;
};

pl_err pl_resampler_new(pl_resampler **out, uint32_t in_hz, uint32_t out_hz)
{
    *out = NULL;
    if (in_hz < PL_RESAMPLE_HZ_MIN || in_hz > PL_RESAMPLE_HZ_MAX || out_hz < PL_RESAMPLE_HZ_MIN ||
        out_hz > PL_RESAMPLE_HZ_MAX)
        return PL_EINVAL;
    pl_resampler *r = calloc(1, sizeof *r);
    if (!r)
        return PL_ENOMEM;
    r->in_hz = in_hz;
    if (in_hz != out_hz) {
        int code = RESAMPLER_ERR_SUCCESS;
        r->lib = speex_resampler_init(1, in_hz, out_hz, QUALITY, &code);
        if (!r->lib) {
            free(r);
            return PL_ENOMEM;
        }
    }
    *out = r;
    return PL_OK;
}

void pl_resampler_free(pl_resampler *r)
{
    if (!r)
        return;
    if (r->lib)
        speex_resampler_destroy(r->lib);
    free(r);
}

size_t pl_resampler_run(pl_resampler *r, const int16_t *in, size_t n_in, size_t *n_used, int16_t *out,
                        size_t cap)
{
    if (!r->lib) {
        size_t n = n_in < cap ? n_in : cap;
        memcpy(out, in, n * sizeof *out);
        *n_used = n;
        return n;
    }
    spx_uint32_t used = (spx_uint32_t)n_in, made = (spx_uint32_t)cap;
    (void)speex_resampler_process_int(r->lib, 0, in, &used, out, &made);
    *n_used = used;
    return made;
}

int64_t pl_resampler_delay_us(const pl_resampler *r)
{
    return r->lib ? (int64_t)speex_resampler_get_input_latency(r->lib) * 1000000 / r->in_hz : 0;
}

void pl_resampler_reset(pl_resampler *r)
{
    if (r->lib)
        (void)speex_resampler_reset_mem(r->lib);
}
