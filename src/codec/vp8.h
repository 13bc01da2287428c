/* vp8.h - the two halves of the VP8 table entry, and what a frame's first bytes say. Private to codec/,
 * except for pl_vp8_header. */
#ifndef PL_CODEC_VP8_H
#define PL_CODEC_VP8_H

#include "codec/video.h"

enum { PL_VP8_KEY_HEADER = 10 /* bytes of frame tag, start code and sides */ };

typedef struct pl_vp8_header {
    bool key;
    uint16_t width, height; /* of a key frame; 0 when its ten bytes are not all there */
} pl_vp8_header;

/* RFC 6386 9.1. Errors: PL_EPROTO: nothing there, or a key frame without its start code. */
PL_NODISCARD pl_err pl_vp8_parse_header(pl_vp8_header *out, const uint8_t *data, size_t len);

pl_err pl_vp8_encoder_new(pl_video_encoder **out, const pl_video_conf *conf);
pl_err pl_vp8_encode(pl_video_encoder *base, const pl_picture *pic, bool force_key, pl_video_frame *out);
pl_err pl_vp8_encoder_rate(pl_video_encoder *base, int64_t bitrate_bps, unsigned fps);
void pl_vp8_encoder_free(pl_video_encoder *base);

#endif
