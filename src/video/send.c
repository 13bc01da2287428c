/* send.c - camera to packets. */
#include "video/send.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/time.h"
#include "video/adapt.h"
#include "video/freeze.h"
#include "video/payload.h"

enum {
    RATE_START_BPS = 1000000,
    RATE_MAX_BPS = 2500000,
    RATE_MIN_BPS = 30000, /* below this VP8 makes nothing worth looking at */
    FPS_START = 30,
    FPS_MAX = 60,
    REPORT_US = 200000,
    PICTURES = 4, /* for scaling */
};

struct pl_video_send {
    pl_video_send_conf conf;
    pl_video_encoder *encoder; /* made with the first picture, which tells the size */
    const pl_payload_format *format;
    pl_packetizer packetizer;
    pl_picture_pool *pool;
    pl_adapt adapt;
    pl_freeze pace; /* of what we encode: the rate control must know the real frame rate */
    int64_t now_us, reported_us, rate_bps;
    unsigned fps; /* told to the encoder */
    bool rate_changed, want_key, stopped, reported_end;
    int64_t last_key_us, last_sent_us;
    pl_media_stats stats;
};

pl_err pl_video_send_new(pl_video_send **out, const pl_video_send_conf *conf)
{
    *out = NULL;
    if (!conf->codec || !conf->inbox || !conf->outbox)
        return PL_EINVAL;
    const pl_payload_format *format = pl_payload_format_find(conf->codec->name);
    if (!format)
        return PL_ENOTSUP;
    pl_video_send *s = calloc(1, sizeof *s);
    if (!s)
        return PL_ENOMEM;
    s->conf = *conf;
    s->format = format;
    s->packetizer.picture_id = conf->first_picture_id & 0x7fff;
    s->rate_bps = conf->bitrate_bps ? conf->bitrate_bps : RATE_START_BPS;
    if (!s->conf.bitrate_max_bps)
        s->conf.bitrate_max_bps = RATE_MAX_BPS;
    s->fps = FPS_START;
    s->last_key_us = -PL_VIDEO_KEY_INTERVAL_US;
    pl_err err = pl_picture_pool_new(&s->pool, PICTURES);
    if (err) {
        pl_video_send_free(s);
        return err;
    }
    *out = s;
    return PL_OK;
}

void pl_video_send_free(pl_video_send *s)
{
    if (!s)
        return;
    pl_video_encoder_free(s->encoder);
    pl_picture_pool_free(s->pool);
    free(s);
}

static int64_t clock_us(const pl_video_send *s)
{
    return s->conf.clock_us ? s->conf.clock_us(s->conf.clock_ctx) : 0;
}

static void on_bitrate(pl_video_send *s, int64_t rate_bps)
{
    rate_bps = rate_bps > s->conf.bitrate_max_bps ? s->conf.bitrate_max_bps : rate_bps;
    rate_bps = rate_bps < RATE_MIN_BPS ? RATE_MIN_BPS : rate_bps;
    s->rate_changed |= rate_bps != s->rate_bps;
    s->rate_bps = rate_bps;
}

static void drain_inbox(pl_video_send *s)
{
    for (const pl_media_msg *m; (m = pl_ring_peek(s->conf.inbox)); pl_ring_drop(s->conf.inbox)) {
        switch (m->kind) {
        case PL_MEDIA_BITRATE: on_bitrate(s, m->u.rate_bps); break;
        case PL_MEDIA_WANT_KEY: s->want_key = true; break;
        case PL_MEDIA_STOP: s->stopped = true; break;
        default: break;
        }
    }
}

/* Leaves pictures out when the bit rate carries fewer than come, or more come than are of use. */
static bool wanted(const pl_video_send *s)
{
    unsigned fps = s->adapt.fps ? s->adapt.fps : FPS_MAX;
    return !s->last_sent_us || s->now_us - s->last_sent_us >= (int64_t)1000000 / fps * 9 / 10;
}

/* The picture in the size the bit rate carries: a new reference, or NULL. */
static pl_picture *scaled(pl_video_send *s, const pl_picture *pic)
{
    pl_picture *p = NULL;
    for (int i = 0; i < s->adapt.halvings; i++) {
        pl_picture *half = pl_picture_halve(s->pool, p ? p : pic);
        pl_picture_put(p);
        p = half;
        if (!p)
            return NULL;
    }
    return p;
}

/* The frame rate is told again only when it is off by a fifth: every change restarts a part of the control.
 */
static unsigned measured_fps(const pl_video_send *s)
{
    double fps = pl_freeze_fps(&s->pace);
    if (s->pace.n < 10 || (fps > s->fps * 0.8 && fps < s->fps * 1.25))
        return s->fps;
    return fps < 1 ? 1 : fps > FPS_MAX ? FPS_MAX : (unsigned)(fps + 0.5);
}

static pl_err ready_encoder(pl_video_send *s, const pl_picture *pic)
{
    unsigned fps = measured_fps(s);
    if (!s->encoder) {
        pl_video_conf conf = {
            .width = pic->width, .height = pic->height, .fps = fps, .bitrate_bps = s->rate_bps
        };
        return pl_video_encoder_new(&s->encoder, s->conf.codec, &conf);
    }
    if (!s->rate_changed && fps == s->fps)
        return PL_OK;
    s->rate_changed = false;
    s->fps = fps;
    return pl_video_encoder_rate(s->encoder, s->rate_bps, fps);
}

static void count_encoded(pl_video_send *s, const pl_picture *pic, const pl_video_frame *f)
{
    s->stats.frames_encoded++;
    s->stats.key_frames_encoded += f->key;
    s->stats.frame_width = pic->width;
    s->stats.frame_height = pic->height;
    if (!s->stats.first_frame_us)
        s->stats.first_frame_us = s->now_us;
    if (f->key) {
        s->last_key_us = s->now_us;
        s->want_key = false;
    }
}

static bool encode(pl_video_send *s, const pl_picture *pic, pl_video_frame *f)
{
    bool key = s->want_key && s->now_us - s->last_key_us >= PL_VIDEO_KEY_INTERVAL_US;
    int64_t started_us = clock_us(s);
    pl_err err = ready_encoder(s, pic);
    if (!err)
        err = pl_video_encode(s->encoder, pic, key, f);
    s->stats.total_encode_us += (uint64_t)(clock_us(s) - started_us);
    pl_freeze_shown(&s->pace, s->now_us);
    s->last_sent_us = s->now_us;
    if (err) {
        s->stats.frames_dropped++;
        return false;
    }
    count_encoded(s, pic, f);
    return true;
}

/* Cuts the frame straight into the slots that the connection will read. When there is no slot left the rest
 * of the frame is lost, and everything that would build on it. */
static void packetize(pl_video_send *s, const pl_picture *pic, const pl_video_frame *f)
{
    uint32_t rtp_ts = s->conf.first_ts + (uint32_t)(pic->time_us * 9 / 100); /* 90 kHz */
    bool last = false;
    s->format->begin(&s->packetizer, f, PL_MEDIA_SEND_MAX);
    while (!last) {
        pl_media_msg *m = pl_ring_reserve(s->conf.outbox);
        if (!m) {
            s->want_key = true;
            s->stats.frames_dropped++;
            return;
        }
        pl_media_packet *p = &m->u.packet;
        p->len = (uint16_t)s->format->next(&s->packetizer, p->payload, PL_MEDIA_SEND_MAX, &last);
        m->kind = PL_MEDIA_PACKET;
        p->arrival_us = pic->time_us;
        p->ext_seq = 0;
        p->rtp_ts = rtp_ts;
        p->ssrc = 0;
        p->pt = s->conf.pt;
        p->marker = last;
        p->audio_level = PL_AUDIO_LEVEL_NONE;
        p->voice = false;
        pl_ring_commit(s->conf.outbox);
    }
}

static void report(pl_video_send *s)
{
    bool at_end = s->stopped && !s->reported_end;
    if (!at_end && s->now_us - s->reported_us < REPORT_US)
        return;
    pl_media_msg *m = pl_ring_reserve(s->conf.outbox);
    if (!m)
        return;
    m->kind = PL_MEDIA_STATS;
    pl_video_send_stats(s, &m->u.stats);
    pl_ring_commit(s->conf.outbox);
    s->reported_us = s->now_us;
    s->reported_end = s->stopped;
}

static void send_frame(pl_video_send *s, const pl_picture *pic)
{
    pl_video_frame f;
    pl_picture *small = scaled(s, pic);
    const pl_picture *what = small ? small : pic;
    if (encode(s, what, &f))
        packetize(s, pic, &f);
    pl_picture_put(small);
}

void pl_video_send_picture(pl_video_send *s, int64_t now_us, const pl_picture *pic)
{
    s->now_us = now_us;
    drain_inbox(s); /* bit rate, key frame, stop                       */
    if (!s->conf.fixed_size)
        pl_adapt_rate(&s->adapt, now_us, s->rate_bps, pic->width, pic->height);
    if (!s->stopped && wanted(s))
        send_frame(s, pic); /* scale, encode, cut into the outbox      */
    report(s);
}

void pl_video_send_stats(const pl_video_send *s, pl_media_stats *out)
{
    *out = s->stats;
    out->frames_per_second = pl_freeze_fps(&s->pace);
}
