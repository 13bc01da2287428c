/* payload.h - how frames of a video codec are cut into RTP payloads: one face for all payload formats.
 * Source   VP8: RFC 7741 (packetize_vp8.c). */
#ifndef PL_VIDEO_PAYLOAD_H
#define PL_VIDEO_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/video.h"
#include "peerline/error.h"

/* What one payload says of itself. */
typedef struct pl_payload_info {
    const uint8_t *data; /* the codec's bytes in the payload; lent */
    size_t len;
    bool first;             /* a frame begins here */
    bool key;               /* with first: the frame needs no other */
    uint16_t width, height; /* with key; else 0 */
    bool non_reference;     /* no other frame needs this one */
    int32_t picture_id;     /* counts frames modulo 0x8000 or 0x80; -1: not told */
    bool picture_id_long;   /* 15 bits */
    int16_t tl0_pic_idx;    /* counts base-layer frames modulo 256; -1: not told */
    uint8_t temporal_id;    /* 0 without layers */
    bool layer_sync;        /* needs the base layer alone */
} pl_payload_info;

/* Cuts one frame. Zero state is legal: nothing left. */
typedef struct pl_packetizer {
    uint16_t picture_id; /* of this frame; set before the first begin, which counts it on */
    const uint8_t *data;
    size_t left;
    size_t size, n_larger; /* bytes in each packet; the first n_larger carry one more */
    bool first, non_reference;
} pl_packetizer;

typedef struct pl_payload_format {
    const char *name; /* as in a=rtpmap */
    /* Errors: PL_EPROTO. */
    pl_err (*parse)(pl_payload_info *out, const uint8_t *payload, size_t len);
    /* max: bytes of a payload. The packets will be of nearly equal size. */
    void (*begin)(pl_packetizer *p, const pl_video_frame *frame, size_t max);
    /* Writes the next payload (cap >= max) and returns its length, 0 when there is none; *last: the frame
     * ends. */
    size_t (*next)(pl_packetizer *p, uint8_t *out, size_t cap, bool *last);
} pl_payload_format;

/* By name without case, or NULL. */
const pl_payload_format *pl_payload_format_find(const char *name);
extern const pl_payload_format pl_payload_vp8;

#endif
