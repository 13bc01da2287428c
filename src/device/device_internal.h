/* device_internal.h - the makers behind the words of device/audio.h and device/video.h. Private to
 * device/. */
#ifndef PL_DEVICE_INTERNAL_H
#define PL_DEVICE_INTERNAL_H

#include <stdbool.h>

#include "device/audio.h"
#include "device/video.h"

/* Writes a sentence for the user and returns err. why may be NULL. */
pl_err pl_device_say(char *why, pl_err err, const char *fmt, ...) PL_PRINTF(3, 4);
/* "cannot open NAME: reason of errno"; returns PL_EIO. */
pl_err pl_device_say_errno(char *why, const char *path);
/* Path ends in that extension, without case. */
bool pl_device_has_suffix(const char *path, const char *suffix);

pl_err pl_device_tone_open(pl_audio_source **out, double hz);
pl_err pl_device_silence_open(pl_audio_source **out);
pl_err pl_device_null_sink_open(pl_audio_sink **out);
pl_err pl_device_pattern_open(pl_video_source **out, unsigned width, unsigned height, unsigned fps);
pl_err pl_device_null_video_sink_open(pl_video_sink **out);

#endif
