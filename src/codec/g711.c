/* g711.c - PCMU and PCMA: logarithmic 8-bit samples.
 * Source   ITU-T G.711 (1988), tables 1a to 2b; one octet a sample in RTP, RFC 3551 4.5.14. */
#include <stdlib.h>

#include "codec/codec_internal.h"

enum {
    G711_HZ = 8000,
    MU_BIAS = 33,   /* moves the segment borders to powers of two */
    MU_CLIP = 8159, /* largest 14-bit magnitude that has a code */
};

static int highest_bit(unsigned v)
{
    return 31 - __builtin_clz(v | 1);
}

/* Sign, three bits of segment, four of step; all bits inverted on the wire. */
static uint8_t mu_encode(int16_t pcm)
{
    int v = pcm >> 2;
    uint8_t mask = v < 0 ? 0x7f : 0xff;
    if (v < 0)
        v = -v;
    if (v > MU_CLIP)
        v = MU_CLIP;
    v += MU_BIAS;
    int segment = highest_bit((unsigned)v) - 5;
    return (uint8_t)((segment << 4 | (v >> (segment + 1) & 15)) ^ mask);
}

static int16_t mu_decode(uint8_t code)
{
    code = (uint8_t)~code;
    int v = (((code & 15) << 1) + MU_BIAS) << (code >> 4 & 7);
    v = (v - MU_BIAS) * 4;
    return (int16_t)(code & 0x80 ? -v : v);
}

/* As above with a linear first segment; every other bit inverted on the wire. */
static uint8_t a_encode(int16_t pcm)
{
    int v = pcm >> 3;
    uint8_t mask = 0xd5;
    if (v < 0) {
        mask = 0x55;
        v = -v - 1;
    }
    int segment = v < 32 ? 0 : highest_bit((unsigned)v) - 4;
    int step = v >> (segment < 2 ? 1 : segment) & 15;
    return (uint8_t)((segment << 4 | step) ^ mask);
}

static int16_t a_decode(uint8_t code)
{
    code ^= 0x55;
    int segment = code >> 4 & 7;
    int v = ((code & 15) << 4) + 8;
    if (segment)
        v = (v + 0x100) << (segment - 1);
    return (int16_t)(code & 0x80 ? v : -v);
}

static pl_err encoder_new(pl_audio_encoder **out, const pl_audio_codec *codec)
{
    *out = malloc(sizeof **out);
    if (!*out)
        return PL_ENOMEM;
    (*out)->codec = codec;
    return PL_OK;
}

static void encoder_free(pl_audio_encoder *e)
{
    free(e);
}

static pl_err decoder_new(pl_audio_decoder **out, const pl_audio_codec *codec)
{
    *out = malloc(sizeof **out);
    if (!*out)
        return PL_ENOMEM;
    (*out)->codec = codec;
    return PL_OK;
}

static void decoder_free(pl_audio_decoder *d)
{
    free(d);
}

static int duration(const uint8_t *data, size_t len)
{
    (void)data;
    return len <= (size_t)G711_HZ * PL_AUDIO_PACKET_MS_MAX / 1000 ? (int)len : PL_EPROTO;
}

static pl_err mu_encoder_new(pl_audio_encoder **out, const pl_audio_conf *conf)
{
    (void)conf;
    return encoder_new(out, &pl_codec_pcmu);
}

static pl_err a_encoder_new(pl_audio_encoder **out, const pl_audio_conf *conf)
{
    (void)conf;
    return encoder_new(out, &pl_codec_pcma);
}

static pl_err mu_decoder_new(pl_audio_decoder **out)
{
    return decoder_new(out, &pl_codec_pcmu);
}

static pl_err a_decoder_new(pl_audio_decoder **out)
{
    return decoder_new(out, &pl_codec_pcma);
}

static int mu_encode_run(pl_audio_encoder *e, const int16_t *pcm, size_t n, uint8_t *out, size_t cap)
{
    (void)e;
    if (n > cap)
        return PL_ENOSPC;
    for (size_t i = 0; i < n; i++)
        out[i] = mu_encode(pcm[i]);
    return (int)n;
}

static int a_encode_run(pl_audio_encoder *e, const int16_t *pcm, size_t n, uint8_t *out, size_t cap)
{
    (void)e;
    if (n > cap)
        return PL_ENOSPC;
    for (size_t i = 0; i < n; i++)
        out[i] = a_encode(pcm[i]);
    return (int)n;
}

static int mu_decode_run(pl_audio_decoder *d, const uint8_t *data, size_t len, int16_t *pcm, size_t cap)
{
    (void)d;
    if (len > cap)
        return PL_ENOSPC;
    for (size_t i = 0; i < len; i++)
        pcm[i] = mu_decode(data[i]);
    return (int)len;
}

static int a_decode_run(pl_audio_decoder *d, const uint8_t *data, size_t len, int16_t *pcm, size_t cap)
{
    (void)d;
    if (len > cap)
        return PL_ENOSPC;
    for (size_t i = 0; i < len; i++)
        pcm[i] = a_decode(data[i]);
    return (int)len;
}

const pl_audio_codec pl_codec_pcmu = {
    .name = "PCMU",
    .clock_hz = G711_HZ,
    .sample_rate_hz = G711_HZ,
    .channels = 1,
    .static_pt = 0,
    .fmtp = "",
    .bitrate_min_bps = 64000,
    .bitrate_max_bps = 64000,
    .encoder_new = mu_encoder_new,
    .encode = mu_encode_run,
    .encoder_free = encoder_free,
    .decoder_new = mu_decoder_new,
    .decode = mu_decode_run,
    .decoder_free = decoder_free,
    .duration = duration,
};

const pl_audio_codec pl_codec_pcma = {
    .name = "PCMA",
    .clock_hz = G711_HZ,
    .sample_rate_hz = G711_HZ,
    .channels = 1,
    .static_pt = 8,
    .fmtp = "",
    .bitrate_min_bps = 64000,
    .bitrate_max_bps = 64000,
    .encoder_new = a_encoder_new,
    .encode = a_encode_run,
    .encoder_free = encoder_free,
    .decoder_new = a_decoder_new,
    .decode = a_decode_run,
    .decoder_free = decoder_free,
    .duration = duration,
};
