#include "codec/audio.h"

#include <strings.h>

#include "codec/codec_internal.h"

static const pl_audio_codec *const all[] = { &pl_codec_opus, &pl_codec_pcmu, &pl_codec_pcma };

const pl_audio_codec *const *pl_audio_codecs(size_t *n)
{
    *n = sizeof all / sizeof *all;
    return all;
}

const pl_audio_codec *pl_audio_codec_find(const char *name)
{
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcasecmp(all[i]->name, name) == 0)
            return all[i];
    return NULL;
}

pl_err pl_audio_encoder_new(pl_audio_encoder **out, const pl_audio_codec *codec, const pl_audio_conf *conf)
{
    *out = NULL;
    if (conf->bitrate_bps &&
        (conf->bitrate_bps < codec->bitrate_min_bps || conf->bitrate_bps > codec->bitrate_max_bps))
        return PL_EINVAL;
    return codec->encoder_new(out, conf);
}

void pl_audio_encoder_free(pl_audio_encoder *e)
{
    if (e)
        e->codec->encoder_free(e);
}

int pl_audio_encode(pl_audio_encoder *e, const int16_t *pcm, size_t n, uint8_t *out, size_t cap)
{
    size_t step = e->codec->sample_rate_hz / 100;
    if (n == 0 || n % step || n / step > 6)
        return PL_EINVAL;
    return e->codec->encode(e, pcm, n, out, cap);
}

void pl_audio_encoder_rate(pl_audio_encoder *e, int64_t bitrate_bps)
{
    if (bitrate_bps < e->codec->bitrate_min_bps)
        bitrate_bps = e->codec->bitrate_min_bps;
    if (bitrate_bps > e->codec->bitrate_max_bps)
        bitrate_bps = e->codec->bitrate_max_bps;
    if (e->codec->encoder_rate)
        e->codec->encoder_rate(e, bitrate_bps);
}

void pl_audio_encoder_loss(pl_audio_encoder *e, int loss_percent)
{
    if (e->codec->encoder_loss)
        e->codec->encoder_loss(e, loss_percent < 0 ? 0 : loss_percent > 100 ? 100 : loss_percent);
}

pl_err pl_audio_decoder_new(pl_audio_decoder **out, const pl_audio_codec *codec)
{
    *out = NULL;
    return codec->decoder_new(out);
}

void pl_audio_decoder_free(pl_audio_decoder *d)
{
    if (d)
        d->codec->decoder_free(d);
}

int pl_audio_decode(pl_audio_decoder *d, const uint8_t *data, size_t len, int16_t *pcm, size_t cap)
{
    return len ? d->codec->decode(d, data, len, pcm, cap) : PL_EPROTO;
}

int pl_audio_decode_fec(pl_audio_decoder *d, const uint8_t *data, size_t len, int16_t *pcm, size_t n)
{
    if (!d->codec->has_fec)
        return PL_ENOTSUP;
    return len ? d->codec->decode_fec(d, data, len, pcm, n) : PL_EPROTO;
}

int pl_audio_conceal(pl_audio_decoder *d, int16_t *pcm, size_t n)
{
    return d->codec->has_conceal ? d->codec->conceal(d, pcm, n) : PL_ENOTSUP;
}

void pl_audio_decoder_reset(pl_audio_decoder *d)
{
    if (d->codec->decoder_reset)
        d->codec->decoder_reset(d);
}

int pl_audio_duration(const pl_audio_codec *codec, const uint8_t *data, size_t len)
{
    return len ? codec->duration(data, len) : PL_EPROTO;
}
