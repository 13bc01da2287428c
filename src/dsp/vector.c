#include "dsp/vector.h"

#include <math.h>

double pl_dsp_power(const int16_t *x, size_t n)
{
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (int32_t)x[i] * x[i];
    return n ? (double)sum / ((double)n * 32768.0 * 32768.0) : 0;
}

uint8_t pl_dsp_level_dbov(double power)
{
    if (power <= 0)
        return 127;
    long level = lrint(-10 * log10(power));
    return (uint8_t)(level < 0 ? 0 : level > 127 ? 127 : level);
}

int16_t pl_dsp_peak(const int16_t *x, size_t n)
{
    int32_t peak = 0;
    for (size_t i = 0; i < n; i++) {
        int32_t v = x[i] < 0 ? -(int32_t)x[i] : x[i];
        peak = v > peak ? v : peak;
    }
    return pl_sat16(peak);
}

void pl_dsp_mix(int32_t *acc, const int16_t *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        acc[i] += x[i];
}

void pl_dsp_mix_take(const int32_t *acc, int16_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = pl_sat16(acc[i]);
}

void pl_dsp_crossfade(int16_t *out, const int16_t *a, const int16_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float w = ((float)i + 0.5f) / (float)n;
        out[i] = pl_sat16((int32_t)lrintf((float)a[i] * (1 - w) + (float)b[i] * w));
    }
}

void pl_dsp_ramp(int16_t *x, size_t n, float g0, float g1)
{
    for (size_t i = 0; i < n; i++) {
        float g = g0 + (g1 - g0) * ((float)i + 0.5f) / (float)n;
        x[i] = pl_sat16((int32_t)lrintf((float)x[i] * g));
    }
}

float pl_dsp_correlation(const int16_t *a, const int16_t *b, size_t n)
{
    int64_t ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < n; i++) {
        ab += (int32_t)a[i] * b[i];
        aa += (int32_t)a[i] * a[i];
        bb += (int32_t)b[i] * b[i];
    }
    return aa && bb ? (float)((double)ab / sqrt((double)aa * (double)bb)) : 0;
}
