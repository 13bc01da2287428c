/* vp8_encode.c - VP8 through libvpx, tuned for calls: one pass, constant bit rate, no look-ahead, key frames
 * only when asked for (a key frame of its own accord is a burst nobody needs).
 * Source   RFC 6386; libvpx's vpx_encoder.h and vp8cx.h for the settings. */
#include "codec/vp8.h"

#include <stdlib.h>
#include <string.h>

#include <vpx/vp8cx.h>
#include <vpx/vpx_encoder.h>

#include "codec/codec_internal.h"

enum {
    Q_MIN = 2, /* finer than this the eye does not see */
    Q_MAX = 56,
    BUFFER_INITIAL_MS = 500, /* of the rate control's leaky bucket */
    BUFFER_OPTIMAL_MS = 600,
    BUFFER_MS = 1000,
    DROP_BELOW_PERCENT = 30, /* of the bucket: then a picture is dropped rather than queued */
    UNDERSHOOT_PERCENT = 100,
    OVERSHOOT_PERCENT = 15,
    KEY_SIZE_MIN_PERCENT = 300, /* a key frame may take at least three frames' worth */
};

typedef struct vp8_enc {
    pl_video_encoder base;
    vpx_codec_ctx_t lib;
    vpx_codec_enc_cfg_t cfg;
    pl_video_conf conf;
    bool open;
    int64_t first_us, last_pts; /* pts: 90 kHz, strictly rising */
    bool begun;
} vp8_enc;

static pl_err vpx_error(vpx_codec_err_t code)
{
    return code == VPX_CODEC_OK ? PL_OK : code == VPX_CODEC_MEM_ERROR ? PL_ENOMEM : PL_EIO;
}

static unsigned threads_for(const pl_video_conf *conf)
{
    if (conf->threads)
        return (unsigned)conf->threads;
    unsigned pixels = conf->width * conf->height;
    return pixels <= 640 * 480 ? 1 : pixels <= 1280 * 720 ? 2 : 4;
}

/* Half of the optimal buffer, in percent of an average frame. */
static unsigned key_size_percent(unsigned fps)
{
    unsigned percent = BUFFER_OPTIMAL_MS * fps / 20;
    return percent < KEY_SIZE_MIN_PERCENT ? KEY_SIZE_MIN_PERCENT : percent;
}

static void fill_config(vp8_enc *e)
{
    vpx_codec_enc_cfg_t *c = &e->cfg;
    c->g_w = e->conf.width;
    c->g_h = e->conf.height;
    c->g_timebase = (vpx_rational_t){ 1, PL_VIDEO_CLOCK_HZ };
    c->g_threads = threads_for(&e->conf);
    c->g_lag_in_frames = 0;
    c->g_pass = VPX_RC_ONE_PASS;
    c->g_error_resilient = 0;
    c->kf_mode = VPX_KF_DISABLED;
    c->rc_end_usage = VPX_CBR;
    c->rc_target_bitrate = (unsigned)((e->conf.bitrate_bps + 999) / 1000);
    c->rc_min_quantizer = Q_MIN;
    c->rc_max_quantizer = Q_MAX;
    c->rc_undershoot_pct = UNDERSHOOT_PERCENT;
    c->rc_overshoot_pct = OVERSHOOT_PERCENT;
    c->rc_buf_initial_sz = BUFFER_INITIAL_MS;
    c->rc_buf_optimal_sz = BUFFER_OPTIMAL_MS;
    c->rc_buf_sz = BUFFER_MS;
    c->rc_dropframe_thresh = DROP_BELOW_PERCENT;
    c->rc_resize_allowed = 0;
}

/* A negative speed is a fixed one; a positive one lets libvpx watch the clock, and runs would not repeat. */
static int speed_for(const pl_video_conf *conf)
{
    return -(conf->cpu_used ? conf->cpu_used : conf->width * conf->height <= 352 * 288 ? 4 : 6);
}

static pl_err open_lib(vp8_enc *e)
{
    pl_err err = vpx_error(vpx_codec_enc_config_default(vpx_codec_vp8_cx(), &e->cfg, 0));
    if (err)
        return err;
    fill_config(e);
    err = vpx_error(vpx_codec_enc_init(&e->lib, vpx_codec_vp8_cx(), &e->cfg, 0));
    if (err)
        return err;
    e->open = true;
    e->begun = false;
    bool ok = vpx_codec_control(&e->lib, VP8E_SET_CPUUSED, speed_for(&e->conf)) == VPX_CODEC_OK &&
              vpx_codec_control(&e->lib, VP8E_SET_STATIC_THRESHOLD, 1u) == VPX_CODEC_OK &&
              vpx_codec_control(&e->lib, VP8E_SET_TOKEN_PARTITIONS, VP8_ONE_TOKENPARTITION) == VPX_CODEC_OK &&
              vpx_codec_control(&e->lib, VP8E_SET_MAX_INTRA_BITRATE_PCT, key_size_percent(e->conf.fps)) ==
                  VPX_CODEC_OK;
    return ok ? PL_OK : PL_EIO;
}

static void close_lib(vp8_enc *e)
{
    if (e->open)
        (void)vpx_codec_destroy(&e->lib);
    e->open = false;
}

pl_err pl_vp8_encoder_new(pl_video_encoder **out, const pl_video_conf *conf)
{
    vp8_enc *e = calloc(1, sizeof *e);
    if (!e)
        return PL_ENOMEM;
    e->base.codec = &pl_codec_vp8;
    e->conf = *conf;
    pl_err err = open_lib(e);
    if (err) {
        pl_vp8_encoder_free(&e->base);
        return err;
    }
    *out = &e->base;
    return PL_OK;
}

void pl_vp8_encoder_free(pl_video_encoder *base)
{
    close_lib((vp8_enc *)base);
    free(base);
}

static pl_err follow_size(vp8_enc *e, const pl_picture *pic)
{
    if (e->open && pic->width == e->conf.width && pic->height == e->conf.height)
        return PL_OK;
    close_lib(e);
    e->conf.width = pic->width;
    e->conf.height = pic->height;
    pl_err err = open_lib(e);
    if (err)
        close_lib(e);
    return err;
}

/* The rate control needs the real times; they must rise. */
static int64_t next_pts(vp8_enc *e, const pl_picture *pic)
{
    if (!e->begun) {
        e->begun = true;
        e->first_us = pic->time_us;
        e->last_pts = -1;
    }
    int64_t pts = (pic->time_us - e->first_us) * 9 / 100;
    e->last_pts = pts > e->last_pts ? pts : e->last_pts + 1;
    return e->last_pts;
}

static vpx_image_t *wrap(vpx_image_t *img, const pl_picture *pic)
{
    if (!vpx_img_wrap(img, VPX_IMG_FMT_I420, pic->width, pic->height, 1, pic->plane[0]))
        return NULL;
    for (int plane = 0; plane < 3; plane++) {
        img->planes[plane] = pic->plane[plane];
        img->stride[plane] = pic->stride[plane];
    }
    return img;
}

static pl_err take_frame(vp8_enc *e, pl_video_frame *out)
{
    vpx_codec_iter_t iter = NULL;
    for (const vpx_codec_cx_pkt_t *p; (p = vpx_codec_get_cx_data(&e->lib, &iter));) {
        if (p->kind != VPX_CODEC_CX_FRAME_PKT || p->data.frame.sz == 0)
            continue;
        out->data = p->data.frame.buf;
        out->len = p->data.frame.sz;
        out->key = p->data.frame.flags & VPX_FRAME_IS_KEY;
        out->non_reference = p->data.frame.flags & VPX_FRAME_IS_DROPPABLE;
        return PL_OK;
    }
    return PL_EAGAIN;
}

pl_err pl_vp8_encode(pl_video_encoder *base, const pl_picture *pic, bool force_key, pl_video_frame *out)
{
    vp8_enc *e = (vp8_enc *)base;
    pl_err err = follow_size(e, pic);
    if (err)
        return err;
    vpx_image_t img;
    if (!wrap(&img, pic))
        return PL_EIO;
    err = vpx_error(vpx_codec_encode(&e->lib, &img, next_pts(e, pic), PL_VIDEO_CLOCK_HZ / e->conf.fps,
                                     force_key ? VPX_EFLAG_FORCE_KF : 0, VPX_DL_REALTIME));
    return err ? err : take_frame(e, out);
}

pl_err pl_vp8_encoder_rate(pl_video_encoder *base, int64_t bitrate_bps, unsigned fps)
{
    vp8_enc *e = (vp8_enc *)base;
    e->conf.bitrate_bps = bitrate_bps;
    e->conf.fps = fps;
    if (!e->open)
        return PL_OK;
    e->cfg.rc_target_bitrate = (unsigned)((bitrate_bps + 999) / 1000);
    return vpx_error(vpx_codec_enc_config_set(&e->lib, &e->cfg));
}
