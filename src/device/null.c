/* null.c - silence, a tone, and sinks that take everything. */
#include <stdlib.h>
#include <string.h>

#include "device/device_internal.h"
#include "dsp/tone.h"

static const double TONE_LEVEL_DBOV = -12;

typedef struct tone_source {
    pl_audio_source base;
    pl_tone tone;
} tone_source;

static pl_err read_silence(pl_audio_source *s, int16_t out[PL_DEVICE_FRAME])
{
    (void)s;
    memset(out, 0, PL_DEVICE_FRAME * sizeof *out);
    return PL_OK;
}

static pl_err read_tone(pl_audio_source *s, int16_t out[PL_DEVICE_FRAME])
{
    pl_tone_make(&((tone_source *)s)->tone, out, PL_DEVICE_FRAME);
    return PL_OK;
}

static void close_source(pl_audio_source *s)
{
    free(s);
}

pl_err pl_device_silence_open(pl_audio_source **out)
{
    pl_audio_source *s = malloc(sizeof *s);
    if (!s)
        return PL_ENOMEM;
    *s = (pl_audio_source){ .read = read_silence, .close = close_source };
    *out = s;
    return PL_OK;
}

pl_err pl_device_tone_open(pl_audio_source **out, double hz)
{
    tone_source *s = malloc(sizeof *s);
    if (!s)
        return PL_ENOMEM;
    s->base = (pl_audio_source){ .read = read_tone, .close = close_source };
    pl_tone_init(&s->tone, PL_DEVICE_HZ, hz, TONE_LEVEL_DBOV);
    *out = &s->base;
    return PL_OK;
}

static pl_err write_nowhere(pl_audio_sink *s, const int16_t in[PL_DEVICE_FRAME])
{
    (void)s;
    (void)in;
    return PL_OK;
}

static pl_err close_sink(pl_audio_sink *s)
{
    free(s);
    return PL_OK;
}

pl_err pl_device_null_sink_open(pl_audio_sink **out)
{
    pl_audio_sink *s = malloc(sizeof *s);
    if (!s)
        return PL_ENOMEM;
    *s = (pl_audio_sink){ .write = write_nowhere, .close = close_sink };
    *out = s;
    return PL_OK;
}

static pl_err show_nowhere(pl_video_sink *s, int64_t ext_ts, const pl_picture *pic)
{
    (void)s;
    (void)ext_ts;
    (void)pic;
    return PL_OK;
}

static pl_err keep_nowhere(pl_video_sink *s, int64_t ext_ts, const pl_video_codec *codec,
                           const pl_video_frame *f)
{
    (void)s;
    (void)ext_ts;
    (void)codec;
    (void)f;
    return PL_OK;
}

static pl_err close_video_sink(pl_video_sink *s)
{
    free(s);
    return PL_OK;
}

pl_err pl_device_null_video_sink_open(pl_video_sink **out)
{
    pl_video_sink *s = malloc(sizeof *s);
    if (!s)
        return PL_ENOMEM;
    *s = (pl_video_sink){ .picture = show_nowhere, .encoded = keep_nowhere, .close = close_video_sink };
    *out = s;
    return PL_OK;
}
