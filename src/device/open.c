/* open.c - from the word a user writes to the device it names. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/slice.h"
#include "device/device_internal.h"
#include "device/ivf.h"
#include "device/pattern.h"
#include "device/wav.h"
#include "device/y4m.h"

enum { TONE_HZ = 440, TONE_HZ_MIN = 20, TONE_HZ_MAX = 20000 };
enum { PATTERN_WIDTH = 640, PATTERN_HEIGHT = 360, PATTERN_FPS = 30, PATTERN_FPS_MAX = 120 };

pl_err pl_device_say(char *why, pl_err err, const char *fmt, ...)
{
    if (!why)
        return err;
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(why, PL_DEVICE_WHY_MAX, fmt, args);
    va_end(args);
    return err;
}

pl_err pl_device_say_errno(char *why, const char *path)
{
    return pl_device_say(why, PL_EIO, "cannot open %s: %s", path, strerror(errno));
}

bool pl_device_has_suffix(const char *path, const char *suffix)
{
    size_t n = strlen(path), k = strlen(suffix);
    return n > k && strcasecmp(path + n - k, suffix) == 0;
}

static pl_err open_tone(pl_audio_source **out, pl_str hz_text, char *why)
{
    uint64_t hz = TONE_HZ;
    if (hz_text.n && (!pl_str_u64(hz_text, TONE_HZ_MAX, &hz) || hz < TONE_HZ_MIN))
        return pl_device_say(why, PL_EINVAL, "a tone has %d to %d Hz", TONE_HZ_MIN, TONE_HZ_MAX);
    return pl_device_tone_open(out, (double)hz);
}

pl_err pl_audio_source_open(pl_audio_source **out, const char *what, char why[PL_DEVICE_WHY_MAX])
{
    *out = NULL;
    pl_str rest = pl_str_of(what), word = pl_str_cut(&rest, ':');
    if (pl_str_is(word, "tone"))
        return open_tone(out, rest, why);
    if (strcmp(what, "none") == 0)
        return pl_device_silence_open(out);
    if (pl_device_has_suffix(what, ".wav"))
        return pl_wav_source_open(out, what, why);
    return pl_device_say(why, PL_EINVAL, "%s is not an audio source: tone[:HZ], none, or a file *.wav", what);
}

pl_err pl_audio_sink_open(pl_audio_sink **out, const char *what, char why[PL_DEVICE_WHY_MAX])
{
    *out = NULL;
    if (strcmp(what, "none") == 0)
        return pl_device_null_sink_open(out);
    if (pl_device_has_suffix(what, ".wav"))
        return pl_wav_sink_open(out, what, why);
    return pl_device_say(why, PL_EINVAL, "%s is not an audio sink: none, or a file *.wav", what);
}

/* "WIDTHxHEIGHT[@FPS]" */
static bool parse_pattern(pl_str text, uint64_t *width, uint64_t *height, uint64_t *fps)
{
    pl_str rate = text, size = pl_str_cut(&rate, '@');
    pl_str rest = size, first = pl_str_cut(&rest, 'x');
    bool ok = pl_str_u64(first, PL_PICTURE_SIDE_MAX, width) && *width >= PL_PATTERN_SIDE_MIN &&
              pl_str_u64(rest, PL_PICTURE_SIDE_MAX, height) && *height >= PL_PATTERN_SIDE_MIN;
    return ok && (!rate.p || (pl_str_u64(rate, PATTERN_FPS_MAX, fps) && *fps > 0));
}

static pl_err open_pattern(pl_video_source **out, pl_str text, char *why)
{
    uint64_t width = PATTERN_WIDTH, height = PATTERN_HEIGHT, fps = PATTERN_FPS;
    if (text.p && !parse_pattern(text, &width, &height, &fps))
        return pl_device_say(why, PL_EINVAL,
                             "a pattern is written pattern[:WIDTHxHEIGHT[@FPS]], sides %d to %d",
                             PL_PATTERN_SIDE_MIN, PL_PICTURE_SIDE_MAX);
    return pl_device_pattern_open(out, (unsigned)width, (unsigned)height, (unsigned)fps);
}

pl_err pl_video_source_open(pl_video_source **out, const char *what, char why[PL_DEVICE_WHY_MAX])
{
    *out = NULL;
    pl_str rest = pl_str_of(what), word = pl_str_cut(&rest, ':');
    if (pl_str_is(word, "pattern"))
        return open_pattern(out, rest, why);
    if (pl_device_has_suffix(what, ".y4m"))
        return pl_y4m_source_open(out, what, why);
    if (pl_device_has_suffix(what, ".ivf"))
        return pl_ivf_source_open(out, what, why);
    return pl_device_say(why, PL_EINVAL,
                         "%s is not a video source: pattern[:WIDTHxHEIGHT[@FPS]], or a file *.ivf or *.y4m",
                         what);
}

pl_err pl_video_sink_open(pl_video_sink **out, const char *what, char why[PL_DEVICE_WHY_MAX])
{
    *out = NULL;
    if (strcmp(what, "none") == 0)
        return pl_device_null_video_sink_open(out);
    if (pl_device_has_suffix(what, ".ivf"))
        return pl_ivf_sink_open(out, what, why);
    if (pl_device_has_suffix(what, ".y4m"))
        return pl_y4m_sink_open(out, what, why);
    return pl_device_say(why, PL_EINVAL, "%s is not a video sink: none, or a file *.ivf or *.y4m", what);
}
