/* video.h - one face for all video codecs: what negotiation must know of each, an encoder and a decoder.
 * Source   VP8: RFC 6386 through libvpx, RTP facts from RFC 7741.
 * Shape    pl_video_codec is a constant table entry; encoders and decoders are opaque, new gives, free
 *          takes. An encoded frame is lent until the next encode.
 * Errors   a frame that breaks its format gives PL_EPROTO; the decoder then refuses all but key frames.
 * Thread   belongs to the worker that uses it. */
#ifndef PL_CODEC_VIDEO_H
#define PL_CODEC_VIDEO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/picture.h"
#include "peerline/error.h"

enum { PL_VIDEO_CLOCK_HZ = 90000, PL_VIDEO_FRAME_MAX = 4 << 20 /* bytes of one encoded frame */ };

typedef struct pl_video_encoder pl_video_encoder;
typedef struct pl_video_decoder pl_video_decoder;

typedef struct pl_video_conf {
    unsigned width, height;
    unsigned fps;        /* expected, for the rate control; 1..120 */
    int64_t bitrate_bps; /* target */
    int threads;         /* 0: by picture size */
    int cpu_used;        /* libvpx realtime speed 1..16; 0: by picture size */
} pl_video_conf;

typedef struct pl_video_frame {
    const uint8_t *data;
    size_t len;
    bool key;
    bool non_reference; /* no later frame needs it */
} pl_video_frame;

typedef struct pl_video_codec {
    const char *name;  /* as in a=rtpmap, compared without case */
    uint32_t clock_hz; /* RTP clock */
    const char *fmtp;  /* what we offer in a=fmtp, or "" */
    uint8_t ivf_fourcc[4];

    pl_err (*encoder_new)(pl_video_encoder **out, const pl_video_conf *conf);
    pl_err (*encode)(pl_video_encoder *e, const pl_picture *pic, bool force_key, pl_video_frame *out);
    pl_err (*encoder_rate)(pl_video_encoder *e, int64_t bitrate_bps, unsigned fps);
    void (*encoder_free)(pl_video_encoder *e);

    pl_err (*decoder_new)(pl_video_decoder **out);
    pl_err (*decode)(pl_video_decoder *d, const uint8_t *data, size_t len, pl_picture_pool *pool,
                     pl_picture **out);
    void (*decoder_free)(pl_video_decoder *d);
} pl_video_codec;

/* All that are built in, in the order in which we offer them; *n is their number. */
const pl_video_codec *const *pl_video_codecs(size_t *n);
/* By name without case, or NULL: unknown, or not built in. */
const pl_video_codec *pl_video_codec_find(const char *name);
const pl_video_codec *pl_video_codec_by_fourcc(const uint8_t fourcc[4]);

/* Errors: PL_EINVAL (a side of 0 or above PL_PICTURE_SIDE_MAX, no rate), PL_ENOMEM, PL_EIO from
 * the library. */
PL_NODISCARD pl_err pl_video_encoder_new(pl_video_encoder **out, const pl_video_codec *codec,
                                         const pl_video_conf *conf);
void pl_video_encoder_free(pl_video_encoder *e); /* NULL is fine */
/* One picture to one frame. A picture of another size makes the encoder start anew with a key frame.
 * Errors: PL_EAGAIN when the rate control dropped the picture; PL_ENOMEM; PL_EIO. */
PL_NODISCARD pl_err pl_video_encode(pl_video_encoder *e, const pl_picture *pic, bool force_key,
                                    pl_video_frame *out);
/* From the next picture on. fps is what really comes. */
PL_NODISCARD pl_err pl_video_encoder_rate(pl_video_encoder *e, int64_t bitrate_bps, unsigned fps);

PL_NODISCARD pl_err pl_video_decoder_new(pl_video_decoder **out, const pl_video_codec *codec);
void pl_video_decoder_free(pl_video_decoder *d); /* NULL is fine */
/* *out is a picture of the pool with one reference for the caller, or NULL for a frame that is not shown.
 * Errors: PL_EPROTO (broken, or no key frame came yet: ask for one), PL_ENOSPC (pool exhausted), PL_ENOMEM.
 */
PL_NODISCARD pl_err pl_video_decode(pl_video_decoder *d, const uint8_t *data, size_t len,
                                    pl_picture_pool *pool, pl_picture **out);

/* First members of every encoder and decoder: the codecs' own business. */
struct pl_video_encoder {
    const pl_video_codec *codec;
};
struct pl_video_decoder {
    const pl_video_codec *codec;
};

#endif
