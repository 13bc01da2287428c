/* ivf.h - IVF files: encoded frames with their times, little endian.
 * Source   the container of libvpx's tools: 32-byte header "DKIF", then 12 bytes before each frame.
 * Shape    the header parsers are pure; source (decoding) and sink stand behind device/video.h. */
#ifndef PL_DEVICE_IVF_H
#define PL_DEVICE_IVF_H

#include <stddef.h>
#include <stdint.h>

#include "device/video.h"

enum { PL_IVF_HEADER = 32, PL_IVF_FRAME_HEADER = 12 };

typedef struct pl_ivf_format {
    uint8_t fourcc[4];
    uint16_t width, height;
    uint32_t rate_num, rate_den; /* time units per second: num / den */
    uint32_t n_frames;           /* as declared; often wrong */
} pl_ivf_format;

/* Errors: PL_EPROTO. */
PL_NODISCARD pl_err pl_ivf_parse(pl_ivf_format *out, const uint8_t *data, size_t len);
/* Errors: PL_EPROTO: short, or longer than PL_VIDEO_FRAME_MAX. */
PL_NODISCARD pl_err pl_ivf_parse_frame(uint32_t *frame_len, uint64_t *time, const uint8_t *data, size_t len);
PL_NODISCARD pl_err pl_ivf_source_open(pl_video_source **out, const char *path, char why[PL_DEVICE_WHY_MAX]);
/* Begins with the first key frame. Time units are 1/90000 s. */
PL_NODISCARD pl_err pl_ivf_sink_open(pl_video_sink **out, const char *path, char why[PL_DEVICE_WHY_MAX]);

#endif
