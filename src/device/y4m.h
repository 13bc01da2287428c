/* y4m.h - YUV4MPEG2 files, 4:2:0 of 8 bits.
 * Source   the format's description in mjpegtools' yuv4mpeg(5).
 * Shape    the header parser is pure; source and sink stand behind device/video.h. */
#ifndef PL_DEVICE_Y4M_H
#define PL_DEVICE_Y4M_H

#include <stddef.h>
#include <stdint.h>

#include "device/video.h"

enum { PL_Y4M_LINE_MAX = 256 };

typedef struct pl_y4m_format {
    unsigned width, height;
    uint32_t fps_num, fps_den;
} pl_y4m_format;

/* The first line, without its newline. Errors: PL_EPROTO; PL_ENOTSUP for another chroma format or
 * interlacing. */
PL_NODISCARD pl_err pl_y4m_parse(pl_y4m_format *out, const char *line, size_t len);
PL_NODISCARD pl_err pl_y4m_source_open(pl_video_source **out, const char *path, char why[PL_DEVICE_WHY_MAX]);
/* 30 frames a second; a picture is repeated or left out so that the file keeps the time of the call. */
PL_NODISCARD pl_err pl_y4m_sink_open(pl_video_sink **out, const char *path, char why[PL_DEVICE_WHY_MAX]);

#endif
