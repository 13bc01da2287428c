#include "dsp/tone.h"

#include <math.h>

#include "dsp/vector.h"

void pl_tone_init(pl_tone *t, uint32_t rate_hz, double hz, double level_dbov)
{
    t->phase = 0;
    t->step = 2 * M_PI * hz / rate_hz;
    t->amplitude = 32767 * sqrt(2) * pow(10, level_dbov / 20);
    if (t->amplitude > 32767)
        t->amplitude = 32767;
}

void pl_tone_make(pl_tone *t, int16_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = (int16_t)lrint(t->amplitude * sin(t->phase));
        t->phase += t->step;
        if (t->phase > 2 * M_PI)
            t->phase -= 2 * M_PI;
    }
}

double pl_tone_power(const int16_t *x, size_t n, uint32_t rate_hz, double hz)
{
    if (n == 0)
        return 0;
    double coefficient = 2 * cos(2 * M_PI * hz / rate_hz), s1 = 0, s2 = 0;
    for (size_t i = 0; i < n; i++) {
        double s0 = x[i] / 32768.0 + coefficient * s1 - s2;
        s2 = s1;
        s1 = s0;
    }
    double magnitude = s1 * s1 + s2 * s2 - coefficient * s1 * s2;
    return 2 * magnitude / ((double)n * (double)n);
}

double pl_tone_share(const int16_t *x, size_t n, uint32_t rate_hz, double hz)
{
    double all = pl_dsp_power(x, n);
    double share = all > 0 ? pl_tone_power(x, n, rate_hz, hz) / all : 0;
    return share > 1 ? 1 : share;
}
