/* vp8_decode.c - VP8 through libvpx. A frame that fails leaves references nobody can trust, so from then on
 * only a key frame is taken.
 * Source   RFC 6386 9.1 for the header. */
#include <stdlib.h>

#include <vpx/vp8dx.h>
#include <vpx/vpx_decoder.h>

#include "codec/codec_internal.h"
#include "codec/vp8.h"

typedef struct vp8_dec {
    pl_video_decoder base;
    vpx_codec_ctx_t lib;
    bool needs_key;
} vp8_dec;

/* Frame tag, three bytes little endian: bit 0 is 0 in a key frame. A key frame goes on with 9d 01 2a and two
 * sides of 14 bits, each under two bits of scaling. */
pl_err pl_vp8_parse_header(pl_vp8_header *out, const uint8_t *data, size_t len)
{
    *out = (pl_vp8_header){ 0 };
    if (len == 0)
        return PL_EPROTO;
    out->key = !(data[0] & 1);
    if (!out->key || len < PL_VP8_KEY_HEADER)
        return PL_OK;
    if (data[3] != 0x9d || data[4] != 0x01 || data[5] != 0x2a)
        return PL_EPROTO;
    out->width = (uint16_t)((data[6] | data[7] << 8) & 0x3fff);
    out->height = (uint16_t)((data[8] | data[9] << 8) & 0x3fff);
    return PL_OK;
}

static pl_err decoder_new(pl_video_decoder **out)
{
    vp8_dec *d = calloc(1, sizeof *d);
    if (!d)
        return PL_ENOMEM;
    d->base.codec = &pl_codec_vp8;
    d->needs_key = true;
    vpx_codec_dec_cfg_t cfg = { .threads = 1 };
    if (vpx_codec_dec_init(&d->lib, vpx_codec_vp8_dx(), &cfg, 0) != VPX_CODEC_OK) {
        free(d);
        return PL_ENOMEM;
    }
    *out = &d->base;
    return PL_OK;
}

static void decoder_free(pl_video_decoder *base)
{
    (void)vpx_codec_destroy(&((vp8_dec *)base)->lib);
    free(base);
}

/* The sides are looked at before libvpx allocates by them. */
static bool acceptable(const vp8_dec *d, const uint8_t *data, size_t len)
{
    pl_vp8_header h;
    if (pl_vp8_parse_header(&h, data, len))
        return false;
    if (!h.key)
        return !d->needs_key;
    return h.width > 0 && h.height > 0 && h.width <= PL_PICTURE_SIDE_MAX && h.height <= PL_PICTURE_SIDE_MAX;
}

static bool decode_whole(vp8_dec *d, const uint8_t *data, size_t len)
{
    if (vpx_codec_decode(&d->lib, data, (unsigned)len, NULL, 0) != VPX_CODEC_OK)
        return false;
    int corrupted = 0;
    return vpx_codec_control(&d->lib, VP8D_GET_FRAME_CORRUPTED, &corrupted) == VPX_CODEC_OK && !corrupted;
}

static pl_err copy_out(const vpx_image_t *img, pl_picture_pool *pool, pl_picture **out)
{
    pl_picture *pic = pl_picture_get(pool, img->d_w, img->d_h);
    if (!pic)
        return PL_ENOSPC;
    for (int plane = 0; plane < 3; plane++)
        pl_picture_set_plane(pic, plane, img->planes[plane], img->stride[plane]);
    *out = pic;
    return PL_OK;
}

static pl_err decode(pl_video_decoder *base, const uint8_t *data, size_t len, pl_picture_pool *pool,
                     pl_picture **out)
{
    vp8_dec *d = (vp8_dec *)base;
    d->needs_key = !acceptable(d, data, len) || !decode_whole(d, data, len);
    if (d->needs_key)
        return PL_EPROTO;
    vpx_codec_iter_t iter = NULL;
    const vpx_image_t *img = vpx_codec_get_frame(&d->lib, &iter);
    return img ? copy_out(img, pool, out) : PL_OK;
}

const pl_video_codec pl_codec_vp8 = {
    .name = "VP8",
    .clock_hz = PL_VIDEO_CLOCK_HZ,
    .fmtp = "",
    .ivf_fourcc = { 'V', 'P', '8', '0' },
    .encoder_new = pl_vp8_encoder_new,
    .encode = pl_vp8_encode,
    .encoder_rate = pl_vp8_encoder_rate,
    .encoder_free = pl_vp8_encoder_free,
    .decoder_new = decoder_new,
    .decode = decode,
    .decoder_free = decoder_free,
};
