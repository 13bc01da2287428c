/* Signal arithmetic: measured with tones, whose answers are known. */
#include "pl_test.h"

#include <math.h>

#include "base/rand.h"
#include "dsp/conceal.h"
#include "dsp/resample.h"
#include "dsp/stretch.h"
#include "dsp/tone.h"
#include "dsp/vector.h"

static void tone(int16_t *out, size_t n, uint32_t rate_hz, double hz, double level_dbov)
{
    pl_tone t;
    pl_tone_init(&t, rate_hz, hz, level_dbov);
    pl_tone_make(&t, out, n);
}

/* The largest step between neighbours: a click is a step that the signal itself never makes. */
static int steepest(const int16_t *x, size_t n)
{
    int worst = 0;
    for (size_t i = 1; i < n; i++) {
        int step = abs(x[i] - x[i - 1]);
        worst = step > worst ? step : worst;
    }
    return worst;
}

PL_TEST(levels)
{
    static int16_t x[48000];
    tone(x, 48000, 48000, 1000, -12);
    PL_EQ(pl_dsp_level_dbov(pl_dsp_power(x, 48000)), 12);
    PL_EQ(pl_dsp_level_dbov(0), 127);
    PL_EQ(pl_dsp_level_dbov(1), 0);
    for (int i = 0; i < 100; i++)
        x[i] = INT16_MIN;
    PL_EQ(pl_dsp_level_dbov(pl_dsp_power(x, 100)), 0);
    PL_EQ(pl_dsp_peak(x, 100), INT16_MAX);
    int32_t acc[4] = { 0 };
    static const int16_t loud[4] = { 30000, -30000, 5, 0 };
    int16_t out[4];
    for (int i = 0; i < 50; i++)
        pl_dsp_mix(acc, loud, 4);
    pl_dsp_mix_take(acc, out, 4);
    PL_EQ(out[0], INT16_MAX);
    PL_EQ(out[1], INT16_MIN);
    PL_EQ(out[2], 250);
    PL_OKAY(pl_dsp_correlation(loud, loud, 4) > 0.999f);
    PL_OKAY(pl_dsp_correlation(loud, out, 0) == 0);
}

PL_TEST(tones_are_measured)
{
    static int16_t x[4800];
    tone(x, 4800, 48000, 440, -12);
    PL_GE(pl_tone_share(x, 4800, 48000, 440) * 1000, 990);
    PL_LE(pl_tone_share(x, 4800, 48000, 880) * 1000, 5);
    PL_LE(fabs(10 * log10(pl_tone_power(x, 4800, 48000, 440)) + 12) * 100, 10);
}

PL_TEST(resampling_keeps_a_tone_and_the_count)
{
    static const uint32_t rate[] = { 8000, 11025, 16000, 22050, 32000, 44100, 48000, 96000 };
    static int16_t in[96000], out[48000 + 480];
    for (size_t i = 0; i < sizeof rate / sizeof *rate; i++) {
        pl_resampler *r;
        PL_EQ(pl_resampler_new(&r, rate[i], 48000), PL_OK);
        tone(in, rate[i], rate[i], 1000, -12);
        size_t n_out = 0;
        for (size_t at = 0, used; at < rate[i]; at += used) {
            size_t n = rate[i] - at < 333 ? rate[i] - at : 333;
            n_out += pl_resampler_run(r, in + at, n, &used, out + n_out, 48480 - n_out);
            PL_OKAY(used > 0);
        }
        PL_LE(llabs((long long)n_out - 48000), 1);
        PL_LE(pl_resampler_delay_us(r), 4100);
        PL_GE(pl_tone_share(out + 4800, 38400, 48000, 1000) * 10000, 9990);
        PL_EQ(pl_dsp_level_dbov(pl_dsp_power(out + 4800, 38400)), 12);
        pl_resampler_free(r);
    }
    pl_resampler *r;
    PL_EQ(pl_resampler_new(&r, 3999, 48000), PL_EINVAL);
}

/* A voice: harmonics of a slowly moving pitch. */
static void voice(int16_t *out, size_t n, uint32_t rate_hz, double pitch_hz)
{
    double phase = 0;
    for (size_t i = 0; i < n; i++) {
        double v = 0;
        phase += 2 * M_PI * (pitch_hz + 5 * sin((double)i * 6 / rate_hz)) / rate_hz;
        for (int k = 1; k <= 8; k++)
            v += sin(k * phase + k * k) / k;
        out[i] = (int16_t)(4000 * v);
    }
}

static void check_stretch(uint32_t rate_hz, double pitch_hz)
{
    static int16_t whole[48 * 60], x[48 * 60];
    size_t n = rate_hz * 30 / 1000, cap = rate_hz * 60 / 1000;
    voice(whole, n, rate_hz, pitch_hz);
    int steep = steepest(whole, n);

    memcpy(x, whole, n * sizeof *x);
    size_t less = pl_stretch_shorten(x, n, rate_hz, false);
    size_t period = n - less;
    PL_OKAY(period > 0);
    double cycles = (double)period * pitch_hz / rate_hz; /* whole cycles went */
    PL_LE(fabs(cycles - round(cycles)) * 100, 12);
    PL_LE(steepest(x, less) * 100, steep * 115);
    PL_EQ(x[less - 1], whole[n - 1]);

    memcpy(x, whole, n * sizeof *x);
    size_t heard = rate_hz * 15 / 1000;
    size_t more = pl_stretch_lengthen(x, heard, n, cap, rate_hz, false);
    PL_OKAY(more > n);
    PL_MEMEQ(x, whole, heard * sizeof *x);
    PL_LE(steepest(x, more) * 100, steep * 115);
    PL_EQ(x[more - 1], whole[n - 1]);
}

PL_TEST(stretching_takes_and_gives_whole_periods)
{
    static const uint32_t rate[] = { 8000, 16000, 48000 };
    for (int i = 0; i < 3; i++)
        for (int pitch = 80; pitch < 380; pitch += 15)
            check_stretch(rate[i], pitch);
}

PL_TEST(stretching_keeps_the_pitch)
{
    /* A 440 Hz tone, half a second, shortened and lengthened again and again, stays at 440 Hz. */
    static int16_t in[24000], out[48000];
    tone(in, 24000, 48000, 440, -12);
    for (int lengthen = 0; lengthen < 2; lengthen++) {
        size_t n_out = 0;
        for (int at = 0; at < 24000; at += 1440) {
            size_t n = at + 1440 > 24000 ? (size_t)(24000 - at) : 1440;
            memcpy(out + n_out, in + at, n * sizeof *in);
            n_out += lengthen ? pl_stretch_lengthen(out + n_out, 0, n, 4000, 48000, false)
                              : pl_stretch_shorten(out + n_out, n, 48000, false);
        }
        PL_OKAY(lengthen ? n_out > 30000 : n_out < 20000);
        PL_GE(pl_tone_share(out + 500, 9600, 48000, 440) * 100, 98);
    }
}

PL_TEST(stretching_leaves_noise_alone)
{
    int16_t x[2880];
    pl_rand_seeded state;
    pl_rand rand = pl_rand_seed(&state, pl_test_seed(11));
    for (int i = 0; i < 1440; i++)
        x[i] = (int16_t)((int)pl_rand_below(&rand, 20000) - 10000);
    PL_EQ(pl_stretch_shorten(x, 1440, 48000, false), 1440);
    PL_EQ(pl_stretch_lengthen(x, 720, 1440, 2880, 48000, false), 1440);
    memset(x, 0, sizeof x); /* but silence may go */
    PL_OKAY(pl_stretch_shorten(x, 1440, 48000, false) < 1440);
    PL_EQ(pl_stretch_shorten(x, 1439, 48000, true), 1439);           /* too short a window */
    PL_EQ(pl_stretch_lengthen(x, 0, 1440, 1440, 48000, true), 1440); /* no room */
}

PL_TEST(concealment_is_smooth_and_fades)
{
    static const uint32_t rate[] = { 8000, 16000, 48000 };
    for (int i = 0; i < 3; i++) {
        static int16_t x[48 * 300];
        pl_conceal c;
        size_t ms = rate[i] / 1000, good = 100 * ms;
        pl_conceal_init(&c, rate[i]);
        voice(x, 300 * ms, rate[i], 140);
        int steep = steepest(x, 300 * ms);
        pl_conceal_good(&c, x, good);
        for (size_t at = good; at < 120 * ms; at += 10 * ms) /* 20 ms lost, then the signal returns */
            pl_conceal_make(&c, x + at, 10 * ms);
        double power = pl_dsp_power(x + good, 20 * ms) / pl_dsp_power(x, good);
        PL_GE(power * 100, 50);
        PL_LE(power * 100, 130);
        pl_conceal_good(&c, x + 120 * ms, 60 * ms);
        PL_LE(steepest(x, 180 * ms) * 100, steep * 140);
        for (size_t at = 180 * ms; at < 300 * ms; at += 10 * ms)
            pl_conceal_make(&c, x + at, 10 * ms);
        PL_EQ(pl_dsp_peak(x + 250 * ms, 50 * ms), 0);
    }
    pl_conceal nothing = { 0 };
    int16_t out[80] = { 1 };
    pl_conceal_make(&nothing, out, 80);
    PL_EQ(pl_dsp_peak(out, 80), 0);
}

PL_TESTS(t(levels), t(tones_are_measured), t(resampling_keeps_a_tone_and_the_count),
         t(stretching_takes_and_gives_whole_periods), t(stretching_keeps_the_pitch),
         t(stretching_leaves_noise_alone), t(concealment_is_smooth_and_fades))
