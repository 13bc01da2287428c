#include "dsp/conceal.h"

#include <math.h>
#include <string.h>

#include "dsp/stretch.h"
#include "dsp/vector.h"

enum { FADE_FROM_MS = 10, FADE_TO_MS = 70, JOIN_MS = 5, JOIN_MAX = 48 * JOIN_MS, HISTORY_MS = 48 };

void pl_conceal_init(pl_conceal *c, uint32_t rate_hz)
{
    memset(c, 0, sizeof *c);
    c->rate_hz = rate_hz;
}

static void remember(pl_conceal *c, const int16_t *x, size_t n)
{
    size_t cap = (size_t)c->rate_hz * HISTORY_MS / 1000;
    if (n >= cap) {
        memcpy(c->history, x + n - cap, cap * sizeof *x);
        c->n_history = cap;
        return;
    }
    size_t keep = c->n_history + n > cap ? cap - n : c->n_history;
    memmove(c->history, c->history + c->n_history - keep, keep * sizeof *x);
    memcpy(c->history + keep, x, n * sizeof *x);
    c->n_history = keep + n;
}

/* The last period of what was heard, its end bent towards what stood before its beginning, so that it can go
 * round and round. False: too little was heard. */
static bool find_cycle(pl_conceal *c)
{
    size_t window = (size_t)c->rate_hz * PL_STRETCH_MS / 1000;
    if (c->rate_hz == 0 || c->n_history < window)
        return false;
    float likeness;
    const int16_t *end = c->history + c->n_history;
    size_t p = pl_stretch_period(end - window, window, c->rate_hz, &likeness);
    size_t bend = p / 4;
    memcpy(c->cycle, end - p, p * sizeof *end);
    if (2 * p <= c->n_history)
        pl_dsp_crossfade(c->cycle + p - bend, end - bend, end - p - bend, bend);
    c->period = p;
    c->phase = 0;
    return true;
}

/* 1 up to FADE_FROM_MS of concealment, 0 from FADE_TO_MS on. */
static float gain_at(const pl_conceal *c, size_t n_made)
{
    float ms = (float)n_made * 1000 / (float)c->rate_hz;
    float g = (FADE_TO_MS - ms) / (FADE_TO_MS - FADE_FROM_MS);
    return g > 1 ? 1 : g < 0 ? 0 : g;
}

/* The repetition may not begin exactly where the signal broke off: the step is spread over some milliseconds.
 */
static void soften_start(pl_conceal *c, int16_t *out, size_t n)
{
    const int16_t *end = c->history + c->n_history;
    int32_t step = end[-1] - (c->n_history > c->period ? end[-1 - (ptrdiff_t)c->period] : end[-1]);
    size_t over = (size_t)c->rate_hz * JOIN_MS / 1000;
    for (size_t i = 0; i < n && i < over; i++)
        out[i] = pl_sat16(out[i] + step * (int32_t)(over - i) / (int32_t)over);
}

void pl_conceal_make(pl_conceal *c, int16_t *out, size_t n)
{
    bool starts = c->n_made == 0;
    if (starts && !find_cycle(c))
        c->period = 0;
    for (size_t i = 0; i < n && c->period; i++) {
        out[i] = c->cycle[c->phase];
        c->phase = c->phase + 1 == c->period ? 0 : c->phase + 1;
    }
    if (!c->period)
        memset(out, 0, n * sizeof *out);
    else if (starts)
        soften_start(c, out, n);
    if (c->rate_hz)
        pl_dsp_ramp(out, n, gain_at(c, c->n_made), gain_at(c, c->n_made + n));
    c->n_made += n;
}

void pl_conceal_good(pl_conceal *c, int16_t *x, size_t n)
{
    if (c->n_made) {
        int16_t tail[JOIN_MAX];
        size_t join = (size_t)c->rate_hz * JOIN_MS / 1000;
        join = join > n ? n : join;
        pl_conceal_make(c, tail, join);
        pl_dsp_crossfade(x, tail, x, join);
        c->n_made = 0;
        c->period = 0;
    }
    remember(c, x, n);
}
