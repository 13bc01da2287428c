/* audio.h - one face for all audio codecs: what negotiation must know of each, an encoder and a decoder.
 * Source   opus: RFC 6716 through libopus, RTP facts from RFC 7587; PCMU and PCMA: ITU-T G.711, RFC 3551.
 * Shape    pl_audio_codec is a constant table entry; encoders and decoders are opaque, new gives, free
 *          takes. PCM is int16_t, mono, at sample_rate_hz.
 * Units    samples at sample_rate_hz unless the name says otherwise; bits per second.
 * Errors   a payload that breaks its format gives PL_EPROTO and leaves the decoder usable.
 * Thread   belongs to the media thread that uses it; encode, decode and conceal allocate nothing. */
#ifndef PL_CODEC_AUDIO_H
#define PL_CODEC_AUDIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "peerline/error.h"

enum {
    PL_AUDIO_RATE_MAX = 48000,
    PL_AUDIO_PACKET_MS_MAX = 120,       /* RFC 6716: the longest Opus packet */
    PL_AUDIO_PACKET_SAMPLES_MAX = 5760, /* the same at 48 kHz */
    PL_AUDIO_PAYLOAD_MAX = 1160         /* bytes; what fits one RTP packet of ours */
};

typedef struct pl_audio_encoder pl_audio_encoder;
typedef struct pl_audio_decoder pl_audio_decoder;

typedef struct pl_audio_conf {
    int64_t bitrate_bps; /* 0: the codec's own choice */
    bool fec;   /* in-band redundancy for the packet before (RFC 6716 2.1.7), where the codec has it */
    bool dtx;   /* send nearly nothing in silence, where the codec can */
    bool music; /* tuned for music instead of speech */
} pl_audio_conf;

typedef struct pl_audio_codec {
    const char *name;        /* as in a=rtpmap, compared without case */
    uint32_t clock_hz;       /* RTP clock */
    uint32_t sample_rate_hz; /* of PCM */
    uint8_t channels;        /* as in a=rtpmap; PCM is mono all the same */
    int16_t static_pt;       /* RFC 3551 table 4, or -1 */
    const char *fmtp;        /* what we offer in a=fmtp, or "" */
    bool has_fec;            /* decode_fec works */
    bool has_conceal;        /* the decoder conceals by itself; otherwise dsp/conceal.h does */
    int64_t bitrate_min_bps, bitrate_max_bps;

    pl_err (*encoder_new)(pl_audio_encoder **out, const pl_audio_conf *conf);
    int (*encode)(pl_audio_encoder *e, const int16_t *pcm, size_t n, uint8_t *out, size_t cap);
    void (*encoder_rate)(pl_audio_encoder *e, int64_t bitrate_bps);
    void (*encoder_loss)(pl_audio_encoder *e, int loss_percent);
    void (*encoder_free)(pl_audio_encoder *e);

    pl_err (*decoder_new)(pl_audio_decoder **out);
    int (*decode)(pl_audio_decoder *d, const uint8_t *data, size_t len, int16_t *pcm, size_t cap);
    int (*decode_fec)(pl_audio_decoder *d, const uint8_t *data, size_t len, int16_t *pcm, size_t n);
    int (*conceal)(pl_audio_decoder *d, int16_t *pcm, size_t n);
    void (*decoder_reset)(pl_audio_decoder *d);
    void (*decoder_free)(pl_audio_decoder *d);
    int (*duration)(const uint8_t *data, size_t len);
} pl_audio_codec;

/* All that are built in, in the order in which we offer them; *n is their number. */
const pl_audio_codec *const *pl_audio_codecs(size_t *n);
/* By name without case, or NULL: unknown, or not built in. */
const pl_audio_codec *pl_audio_codec_find(const char *name);

/* Errors: PL_ENOMEM, PL_EINVAL for a bit rate outside the codec's range. */
PL_NODISCARD pl_err pl_audio_encoder_new(pl_audio_encoder **out, const pl_audio_codec *codec,
                                         const pl_audio_conf *conf);
void pl_audio_encoder_free(pl_audio_encoder *e); /* NULL is fine */
/* n: samples; whole 10 ms frames, 10 to 60 ms. Returns bytes written, 0 when there is nothing to send
 * (discontinuous transmission), or a pl_err. */
int pl_audio_encode(pl_audio_encoder *e, const int16_t *pcm, size_t n, uint8_t *out, size_t cap);
/* From the next frame on; a rate outside the codec's range is clamped, a codec of one rate ignores it. */
void pl_audio_encoder_rate(pl_audio_encoder *e, int64_t bitrate_bps);
/* What the peer reports lost, 0..100: how much redundancy to spend. */
void pl_audio_encoder_loss(pl_audio_encoder *e, int loss_percent);

PL_NODISCARD pl_err pl_audio_decoder_new(pl_audio_decoder **out, const pl_audio_codec *codec);
void pl_audio_decoder_free(pl_audio_decoder *d); /* NULL is fine */
/* Returns samples written (at most cap), or PL_EPROTO; PL_ENOSPC when they do not fit. */
int pl_audio_decode(pl_audio_decoder *d, const uint8_t *data, size_t len, int16_t *pcm, size_t cap);
/* The n samples that came before this payload, from the redundancy in it; before pl_audio_decode of the same
 * payload. Without redundancy in it the codec conceals. PL_ENOTSUP without has_fec. */
int pl_audio_decode_fec(pl_audio_decoder *d, const uint8_t *data, size_t len, int16_t *pcm, size_t n);
/* n samples in place of a packet that did not come. PL_ENOTSUP without has_conceal. */
int pl_audio_conceal(pl_audio_decoder *d, int16_t *pcm, size_t n);
void pl_audio_decoder_reset(pl_audio_decoder *d);
/* Samples a payload stands for, without decoding it; PL_EPROTO when it is malformed. */
int pl_audio_duration(const pl_audio_codec *codec, const uint8_t *data, size_t len);

/* First members of every encoder and decoder: the codecs' own business. */
struct pl_audio_encoder {
    const pl_audio_codec *codec;
};
struct pl_audio_decoder {
    const pl_audio_codec *codec;
};

#endif
