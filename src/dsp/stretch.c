#include "dsp/stretch.h"

#include <string.h>

#include "dsp/vector.h"

enum {
    COARSE_HZ = 8000, /* the search runs at this rate first; a pitch period is found well enough there */
    COARSE_MAX = COARSE_HZ / 1000 * PL_STRETCH_MS,
    PERIOD_US_MIN = 2500,
};
static const float LIKE_ENOUGH = 0.85f; /* below this a listener hears the splice */
static const float LIKE_ENOUGH_FORCED = 0.5f;
static const double QUIET_POWER = 1e-6; /* -60 dBov: in background noise any splice will do */

static size_t period_min(uint32_t hz)
{
    return (size_t)hz * PERIOD_US_MIN / 1000000;
}
static size_t period_max(uint32_t hz)
{
    return (size_t)hz * PL_STRETCH_PERIOD_MS_MAX / 1000;
}

/* The lag in lo..hi with the best correlation of x with itself over one longest period. */
static size_t best_lag(const int16_t *x, size_t window, size_t lo, size_t hi, float *likeness)
{
    size_t best = lo;
    *likeness = -1;
    for (size_t lag = lo; lag <= hi; lag++) {
        float c = pl_dsp_correlation(x, x + lag, window);
        if (c > *likeness) {
            *likeness = c;
            best = lag;
        }
    }
    return best;
}

/* Mean of each run of `step` samples: a poor low-pass, but aliases do not move a pitch. */
static void decimate(int16_t *out, size_t n_out, const int16_t *x, size_t step)
{
    for (size_t i = 0; i < n_out; i++) {
        int32_t sum = 0;
        for (size_t k = 0; k < step; k++)
            sum += x[i * step + k];
        out[i] = (int16_t)(sum / (int32_t)step);
    }
}

size_t pl_stretch_period(const int16_t *x, size_t n, uint32_t rate_hz, float *likeness)
{
    size_t hi = period_max(rate_hz), lo = period_min(rate_hz), step = rate_hz / COARSE_HZ;
    *likeness = 0;
    if (n < 2 * hi || step == 0)
        return hi;
    if (step == 1)
        return best_lag(x, hi, lo, hi, likeness);
    int16_t coarse[COARSE_MAX * 2];
    size_t hi_coarse = hi / step;
    decimate(coarse, 2 * hi_coarse, x, step);
    size_t lag = best_lag(coarse, hi_coarse, lo / step, hi_coarse, likeness) * step;
    size_t from = lag < lo + step ? lo : lag - step;
    return best_lag(x, hi, from, lag + step > hi ? hi : lag + step, likeness);
}

static bool worth_it(const int16_t *x, size_t n, float likeness, bool force)
{
    return likeness >= (force ? LIKE_ENOUGH_FORCED : LIKE_ENOUGH) || pl_dsp_power(x, n) < QUIET_POWER;
}

size_t pl_stretch_shorten(int16_t *x, size_t n, uint32_t rate_hz, bool force)
{
    float likeness;
    if (n < 2 * period_max(rate_hz))
        return n;
    size_t p = pl_stretch_period(x, n, rate_hz, &likeness);
    if (!worth_it(x, n, likeness, force))
        return n;
    /* One period becomes a crossfade of itself with the next, which is then left out. */
    pl_dsp_crossfade(x, x, x + p, p);
    memmove(x + p, x + 2 * p, (n - 2 * p) * sizeof *x);
    return n - p;
}

size_t pl_stretch_lengthen(int16_t *x, size_t heard, size_t n, size_t cap, uint32_t rate_hz, bool force)
{
    float likeness;
    if (n < 2 * period_max(rate_hz))
        return n;
    size_t p = pl_stretch_period(x, n, rate_hz, &likeness);
    if (!worth_it(x, n, likeness, force) || n + p > cap)
        return n;
    /* At `at`, behind a whole period and all that was heard, comes a crossfade back to where that period
     * began; then everything from `at` on. */
    size_t at = heard > p ? heard : p;
    if (at + p > n)
        return n;
    memmove(x + at + p, x + at, (n - at) * sizeof *x);
    pl_dsp_crossfade(x + at, x + at + p, x + at - p, p);
    return n + p;
}
