/* opus.c - Opus through libopus, mono at 48 kHz.
 * Source   RFC 6716; RFC 7587 for what RTP and SDP say of it. */
#include <stdlib.h>

#include <opus.h>

#include "codec/codec_internal.h"

enum {
    OPUS_HZ = 48000,
    OPUS_COMPLEXITY = 9,
    OPUS_DEFAULT_BPS = 32000, /* full-band speech is transparent to most from here on */
    OPUS_DEFAULT_LOSS = 5,    /* until the peer reports: enough that redundancy is really sent */
    OPUS_NOTHING_TO_SEND = 2, /* opus_encode: "up to two bytes need not be transmitted" */
};

typedef struct opus_enc {
    pl_audio_encoder base;
    OpusEncoder *lib;
} opus_enc;

typedef struct opus_dec {
    pl_audio_decoder base;
    OpusDecoder *lib;
} opus_dec;

static int opus_error(int code)
{
    switch (code) {
    case OPUS_ALLOC_FAIL: return PL_ENOMEM;
    case OPUS_BUFFER_TOO_SMALL: return PL_ENOSPC;
    case OPUS_INVALID_PACKET: return PL_EPROTO;
    case OPUS_BAD_ARG: return PL_EPROTO; /* of a payload: its inner lengths contradict each other */
    default: return PL_EIO;
    }
}

static pl_err configure(OpusEncoder *lib, const pl_audio_conf *conf)
{
    int64_t rate = conf->bitrate_bps ? conf->bitrate_bps : OPUS_DEFAULT_BPS;
    bool ok =
        opus_encoder_ctl(lib, OPUS_SET_BITRATE((opus_int32)rate)) == OPUS_OK &&
        opus_encoder_ctl(lib, OPUS_SET_COMPLEXITY(OPUS_COMPLEXITY)) == OPUS_OK &&
        opus_encoder_ctl(lib, OPUS_SET_INBAND_FEC(conf->fec)) == OPUS_OK &&
        opus_encoder_ctl(lib, OPUS_SET_PACKET_LOSS_PERC(conf->fec ? OPUS_DEFAULT_LOSS : 0)) == OPUS_OK &&
        opus_encoder_ctl(lib, OPUS_SET_DTX(conf->dtx)) == OPUS_OK &&
        opus_encoder_ctl(lib, OPUS_SET_SIGNAL(conf->music ? OPUS_SIGNAL_MUSIC : OPUS_SIGNAL_VOICE)) ==
            OPUS_OK;
    return ok ? PL_OK : PL_EIO;
}

static pl_err encoder_new(pl_audio_encoder **out, const pl_audio_conf *conf)
{
    opus_enc *e = malloc(sizeof *e);
    if (!e)
        return PL_ENOMEM;
    int code = OPUS_OK;
    e->base.codec = &pl_codec_opus;
    e->lib =
        opus_encoder_create(OPUS_HZ, 1, conf->music ? OPUS_APPLICATION_AUDIO : OPUS_APPLICATION_VOIP, &code);
    pl_err err = e->lib ? configure(e->lib, conf) : (pl_err)opus_error(code);
    if (err) {
        if (e->lib)
            opus_encoder_destroy(e->lib);
        free(e);
        return err;
    }
    *out = &e->base;
    return PL_OK;
}

static int encode(pl_audio_encoder *base, const int16_t *pcm, size_t n, uint8_t *out, size_t cap)
{
    opus_enc *e = (opus_enc *)base;
    opus_int32 len = opus_encode(e->lib, pcm, (int)n, out, (opus_int32)cap);
    if (len < 0)
        return opus_error(len);
    return len <= OPUS_NOTHING_TO_SEND ? 0 : len;
}

static void encoder_rate(pl_audio_encoder *base, int64_t bitrate_bps)
{
    (void)opus_encoder_ctl(((opus_enc *)base)->lib, OPUS_SET_BITRATE((opus_int32)bitrate_bps));
}

static void encoder_loss(pl_audio_encoder *base, int loss_percent)
{
    (void)opus_encoder_ctl(((opus_enc *)base)->lib, OPUS_SET_PACKET_LOSS_PERC(loss_percent));
}

static void encoder_free(pl_audio_encoder *base)
{
    opus_encoder_destroy(((opus_enc *)base)->lib);
    free(base);
}

static pl_err decoder_new(pl_audio_decoder **out)
{
    opus_dec *d = malloc(sizeof *d);
    if (!d)
        return PL_ENOMEM;
    int code = OPUS_OK;
    d->base.codec = &pl_codec_opus;
    d->lib = opus_decoder_create(OPUS_HZ, 1, &code);
    if (!d->lib) {
        free(d);
        return (pl_err)opus_error(code);
    }
    *out = &d->base;
    return PL_OK;
}

static int decode(pl_audio_decoder *base, const uint8_t *data, size_t len, int16_t *pcm, size_t cap)
{
    int n = opus_decode(((opus_dec *)base)->lib, data, (opus_int32)len, pcm, (int)cap, 0);
    return n < 0 ? opus_error(n) : n;
}

static int decode_fec(pl_audio_decoder *base, const uint8_t *data, size_t len, int16_t *pcm, size_t n)
{
    int got = opus_decode(((opus_dec *)base)->lib, data, (opus_int32)len, pcm, (int)n, 1);
    return got < 0 ? opus_error(got) : got;
}

static int conceal(pl_audio_decoder *base, int16_t *pcm, size_t n)
{
    int got = opus_decode(((opus_dec *)base)->lib, NULL, 0, pcm, (int)n, 0);
    return got < 0 ? opus_error(got) : got;
}

static void decoder_reset(pl_audio_decoder *base)
{
    (void)opus_decoder_ctl(((opus_dec *)base)->lib, OPUS_RESET_STATE);
}

static void decoder_free(pl_audio_decoder *base)
{
    opus_decoder_destroy(((opus_dec *)base)->lib);
    free(base);
}

static int duration(const uint8_t *data, size_t len)
{
    int n = opus_packet_get_nb_samples(data, (opus_int32)len, OPUS_HZ);
    return n <= 0 ? PL_EPROTO : n;
}

const pl_audio_codec pl_codec_opus = {
    .name = "opus",
    .clock_hz = OPUS_HZ,
    .sample_rate_hz = OPUS_HZ,
    .channels = 2, /* RFC 7587 7: the rtpmap always says 2 */
    .static_pt = -1,
    .fmtp = "minptime=10;useinbandfec=1",
    .has_fec = true,
    .has_conceal = true,
    .bitrate_min_bps = 6000,
    .bitrate_max_bps = 510000,
    .encoder_new = encoder_new,
    .encode = encode,
    .encoder_rate = encoder_rate,
    .encoder_loss = encoder_loss,
    .encoder_free = encoder_free,
    .decoder_new = decoder_new,
    .decode = decode,
    .decode_fec = decode_fec,
    .conceal = conceal,
    .decoder_reset = decoder_reset,
    .decoder_free = decoder_free,
    .duration = duration,
};
