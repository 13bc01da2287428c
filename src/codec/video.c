#include "codec/video.h"

#include <string.h>
#include <strings.h>

#include "codec/codec_internal.h"

static const pl_video_codec *const all[] = { &pl_codec_vp8 };

const pl_video_codec *const *pl_video_codecs(size_t *n)
{
    *n = sizeof all / sizeof *all;
    return all;
}

const pl_video_codec *pl_video_codec_find(const char *name)
{
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcasecmp(all[i]->name, name) == 0)
            return all[i];
    return NULL;
}

const pl_video_codec *pl_video_codec_by_fourcc(const uint8_t fourcc[4])
{
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (memcmp(all[i]->ivf_fourcc, fourcc, 4) == 0)
            return all[i];
    return NULL;
}

pl_err pl_video_encoder_new(pl_video_encoder **out, const pl_video_codec *codec, const pl_video_conf *conf)
{
    *out = NULL;
    bool sides = conf->width > 0 && conf->width <= PL_PICTURE_SIDE_MAX && conf->height > 0 &&
                 conf->height <= PL_PICTURE_SIDE_MAX;
    if (!sides || conf->fps < 1 || conf->fps > 120 || conf->bitrate_bps <= 0 || conf->threads < 0 ||
        conf->cpu_used < 0 || conf->cpu_used > 16)
        return PL_EINVAL;
    return codec->encoder_new(out, conf);
}

void pl_video_encoder_free(pl_video_encoder *e)
{
    if (e)
        e->codec->encoder_free(e);
}

pl_err pl_video_encode(pl_video_encoder *e, const pl_picture *pic, bool force_key, pl_video_frame *out)
{
    *out = (pl_video_frame){ 0 };
    return e->codec->encode(e, pic, force_key, out);
}

pl_err pl_video_encoder_rate(pl_video_encoder *e, int64_t bitrate_bps, unsigned fps)
{
    if (bitrate_bps <= 0 || fps < 1 || fps > 120)
        return PL_EINVAL;
    return e->codec->encoder_rate(e, bitrate_bps, fps);
}

pl_err pl_video_decoder_new(pl_video_decoder **out, const pl_video_codec *codec)
{
    *out = NULL;
    return codec->decoder_new(out);
}

void pl_video_decoder_free(pl_video_decoder *d)
{
    if (d)
        d->codec->decoder_free(d);
}

pl_err pl_video_decode(pl_video_decoder *d, const uint8_t *data, size_t len, pl_picture_pool *pool,
                       pl_picture **out)
{
    *out = NULL;
    return len && len <= PL_VIDEO_FRAME_MAX ? d->codec->decode(d, data, len, pool, out) : PL_EPROTO;
}
