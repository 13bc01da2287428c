/* video.h - where pictures come from and where they go: files, a test pattern, nothing; cameras and windows
 * come with V4L2 and SDL2.
 * Shape    two small vtables. open gives, close takes (and finishes the file).
 * Errors   as in device/audio.h.
 * Thread   open and close anywhere; the rest on one worker. */
#ifndef PL_DEVICE_VIDEO_H
#define PL_DEVICE_VIDEO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/picture.h"
#include "codec/video.h"
#include "device/audio.h"
#include "peerline/error.h"

typedef struct pl_video_source pl_video_source;
struct pl_video_source {
    unsigned width, height;
    uint32_t fps_num, fps_den;
    bool once; /* may be set before the first read: a file ends instead of beginning again */
    pl_err (*read)(pl_video_source *s, pl_picture **out);
    void (*close)(pl_video_source *s);
};
typedef struct pl_video_sink pl_video_sink;
struct pl_video_sink {
    pl_err (*picture)(pl_video_sink *s, int64_t ext_ts, const pl_picture *pic);
    pl_err (*encoded)(pl_video_sink *s, int64_t ext_ts, const pl_video_codec *codec, const pl_video_frame *f);
    pl_err (*close)(pl_video_sink *s);
};

/* "pattern", "pattern:WIDTHxHEIGHT[@FPS]" (640x360@30), or the name of a Y4M or IVF file, played in a loop.
 * "none" is PL_EINVAL: whoever wants no video opens nothing. */
PL_NODISCARD pl_err pl_video_source_open(pl_video_source **out, const char *what,
                                         char why[PL_DEVICE_WHY_MAX]);
/* "none", or a file to write: *.ivf keeps the frames as they came, *.y4m the pictures. */
PL_NODISCARD pl_err pl_video_sink_open(pl_video_sink **out, const char *what, char why[PL_DEVICE_WHY_MAX]);

/* The next picture in file order, one reference for the caller; time_us is the caller's to set. The caller
 * paces it: picture i is due i * fps_den / fps_num seconds after the first. Errors: PL_EAGAIN (every picture is still in somebody's hands), PL_EIO, PL_ESTATE (the file has ended). */
static inline pl_err pl_video_source_read(pl_video_source *s, pl_picture **out)
{
    return s->read(s, out);
}
static inline int64_t pl_video_source_due_us(const pl_video_source *s, int64_t i)
{
    return i / s->fps_num * 1000000 * s->fps_den + i % s->fps_num * 1000000 * s->fps_den / s->fps_num;
}
static inline void pl_video_source_close(pl_video_source *s)
{
    if (s)
        s->close(s);
}
/* A decoded picture, and the frame it came from; ext_ts is the unwrapped 90 kHz timestamp. A sink takes what
 * it can use and ignores the other. */
static inline pl_err pl_video_sink_picture(pl_video_sink *s, int64_t ext_ts, const pl_picture *pic)
{
    return s->picture(s, ext_ts, pic);
}
static inline pl_err pl_video_sink_encoded(pl_video_sink *s, int64_t ext_ts, const pl_video_codec *codec,
                                           const pl_video_frame *f)
{
    return s->encoded(s, ext_ts, codec, f);
}
static inline pl_err pl_video_sink_close(pl_video_sink *s)
{
    return s ? s->close(s) : PL_OK;
}

#endif
