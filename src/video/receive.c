/* receive.c - packets to pictures. */
#include "video/receive.h"

#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "video/freeze.h"
#include "video/timing.h"

enum {
    PICTURES = 12,       /* the reference frames are the decoder's own; these are for the caller */
    ASK_MIN_US = 300000, /* between two requests for a key frame */
    ASK_MAX_US = 1000000,
    FIRST_PATIENCE_US = 200000, /* a stream that begins usually begins with a key frame by itself */
    REPORT_US = 200000,
};

struct pl_video_receive {
    pl_video_receive_conf conf;
    pl_video_decoder *decoder[PL_VIDEO_PT_MAX];
    const pl_payload_format *format[PL_VIDEO_PT_MAX];
    pl_picture_pool *pool;
    pl_frame_buffer *frames;
    pl_timing timing;
    pl_freeze freeze;
    int64_t timed_seq; /* last packet of the frame whose completion timing has seen */
    int64_t now_us, next_us, rtt_us;
    int64_t first_packet_us, asked_us, reported_us;
    bool stopped, reported_end;
    pl_media_stats stats;
};

pl_err pl_video_receive_new(pl_video_receive **out, const pl_video_receive_conf *conf)
{
    *out = NULL;
    if (conf->n_codecs < 1 || conf->n_codecs > PL_VIDEO_PT_MAX)
        return PL_EINVAL;
    pl_video_receive *r = calloc(1, sizeof *r);
    if (!r)
        return PL_ENOMEM;
    r->conf = *conf;
    r->timed_seq = -1;
    r->asked_us = -PL_SEC(10);
    r->next_us = PL_NEVER;
    pl_err err = pl_picture_pool_new(&r->pool, PICTURES);
    if (!err)
        err = pl_frame_buffer_new(&r->frames);
    for (int i = 0; !err && i < conf->n_codecs; i++) {
        r->format[i] = conf->codec[i].codec ? pl_payload_format_find(conf->codec[i].codec->name) : NULL;
        err = r->format[i] ? pl_video_decoder_new(&r->decoder[i], conf->codec[i].codec) : PL_EINVAL;
    }
    if (err) {
        pl_video_receive_free(r);
        return err;
    }
    *out = r;
    return PL_OK;
}

void pl_video_receive_free(pl_video_receive *r)
{
    if (!r)
        return;
    for (int i = 0; i < PL_VIDEO_PT_MAX; i++)
        pl_video_decoder_free(r->decoder[i]);
    pl_frame_buffer_free(r->frames);
    pl_picture_pool_free(r->pool);
    free(r);
}

/* -1: never negotiated. */
static int index_of(const pl_video_receive *r, uint8_t pt)
{
    int i = r->conf.n_codecs - 1;
    while (i >= 0 && r->conf.codec[i].pt != pt)
        i--;
    return i;
}

static int64_t clock_us(const pl_video_receive *r)
{
    return r->conf.clock_us ? r->conf.clock_us(r->conf.clock_ctx) : 0;
}

static void on_packet(pl_video_receive *r, const pl_media_packet *p)
{
    int i = index_of(r, p->pt);
    if (i < 0)
        return;
    if (!r->first_packet_us)
        r->first_packet_us = p->arrival_us;
    pl_frame_buffer_insert(r->frames, r->format[i], p);
}

static void drain_inbox(pl_video_receive *r)
{
    for (const pl_media_msg *m; (m = pl_ring_peek(r->conf.inbox)); pl_ring_drop(r->conf.inbox)) {
        switch (m->kind) {
        case PL_MEDIA_PACKET: on_packet(r, &m->u.packet); break;
        case PL_MEDIA_RTT:
            r->rtt_us = m->u.rtt_us;
            pl_frame_buffer_rtt(r->frames, m->u.rtt_us);
            break;
        case PL_MEDIA_STOP: r->stopped = true; break;
        default: break;
        }
    }
}

static int64_t media_us(int64_t ext_ts)
{
    return ext_ts * 100 / 9; /* 90 kHz */
}

/* The next frame, if its time has come; otherwise next_us says when. */
static bool due_frame(pl_video_receive *r, pl_frame *f)
{
    r->next_us = PL_NEVER;
    if (!pl_frame_buffer_peek(r->frames, r->now_us, f))
        return false;
    if (f->last_seq != r->timed_seq) {
        r->timed_seq = f->last_seq;
        pl_timing_complete(&r->timing, f->complete_us, media_us(f->ext_ts));
    }
    int64_t at_us = pl_timing_decode_us(&r->timing, media_us(f->ext_ts));
    if (r->now_us < at_us) {
        r->next_us = at_us;
        return false;
    }
    return pl_frame_buffer_next(r->frames, r->now_us, f);
}

static void count_decoded(pl_video_receive *r, const pl_frame *f, int64_t took_us)
{
    pl_timing_decoded(&r->timing, took_us);
    r->stats.total_decode_us += (uint64_t)took_us;
    r->stats.frames_decoded++;
    r->stats.key_frames_decoded += f->key;
    r->stats.jitter_buffer_delay_us += (uint64_t)pl_max_us(0, r->now_us - f->first_us);
    r->stats.jitter_buffer_target_delay_us += (uint64_t)r->timing.delay_us;
    r->stats.jitter_buffer_emitted_count++;
    if (!r->stats.first_frame_us)
        r->stats.first_frame_us = r->now_us;
}

static void show(pl_video_receive *r, const pl_frame *f, pl_picture *pic, int64_t show_us)
{
    pic->time_us = show_us;
    pic->rtp_ts = f->rtp_ts;
    r->stats.frame_width = pic->width;
    r->stats.frame_height = pic->height;
    pl_freeze_shown(&r->freeze, r->now_us);
}

/* False: the frame was broken, or there is no picture to put it in. */
static bool decode(pl_video_receive *r, const pl_frame *f, pl_video_out *out)
{
    int i = index_of(r, f->pt);
    int64_t started_us = clock_us(r);
    pl_err err = pl_video_decode(r->decoder[i], f->data, f->len, r->pool, &out->picture);
    if (err == PL_EPROTO)
        pl_frame_buffer_broken(r->frames);
    if (err && err != PL_ENOSPC) { /* without room the picture is lost, but the decoder has gone on */
        r->stats.frames_dropped++;
        return false;
    }
    count_decoded(r, f, clock_us(r) - started_us);
    out->encoded = (pl_video_frame){ .data = f->data, .len = f->len, .key = f->key };
    out->codec = r->conf.codec[i].codec;
    out->rtp_ts = f->rtp_ts;
    out->ext_ts = f->ext_ts;
    out->show_us = pl_timing_show_us(&r->timing, media_us(f->ext_ts));
    if (out->picture)
        show(r, f, out->picture, out->show_us);
    else if (err)
        r->stats.frames_dropped++;
    return true;
}

/* When the next request may go out, or PL_NEVER when none is needed. */
static int64_t ask_at_us(const pl_video_receive *r)
{
    if (r->stopped || !r->first_packet_us || !pl_frame_buffer_wants_key(r->frames))
        return PL_NEVER;
    int64_t pause_us = 2 * r->rtt_us;
    pause_us = pause_us < ASK_MIN_US ? ASK_MIN_US : pause_us > ASK_MAX_US ? ASK_MAX_US : pause_us;
    int64_t at_us = r->asked_us + pause_us;
    if (!r->stats.frames_decoded)
        at_us = pl_max_us(at_us, r->first_packet_us + FIRST_PATIENCE_US);
    return at_us;
}

static void ask_for_key(pl_video_receive *r)
{
    if (r->now_us < ask_at_us(r))
        return;
    pl_media_msg *m = pl_ring_reserve(r->conf.outbox);
    if (!m)
        return;
    m->kind = PL_MEDIA_WANT_KEY;
    pl_ring_commit(r->conf.outbox);
    r->asked_us = r->now_us;
}

static void report(pl_video_receive *r)
{
    bool at_end = r->stopped && !r->reported_end;
    if (!at_end && r->now_us - r->reported_us < REPORT_US)
        return;
    pl_media_msg *m = pl_ring_reserve(r->conf.outbox);
    if (!m)
        return;
    m->kind = PL_MEDIA_STATS;
    pl_video_receive_stats(r, &m->u.stats);
    pl_ring_commit(r->conf.outbox);
    r->reported_us = r->now_us;
    r->reported_end = r->stopped;
}

bool pl_video_receive_poll(pl_video_receive *r, int64_t now_us, pl_video_out *out)
{
    pl_frame f;
    bool got = false;
    *out = (pl_video_out){ 0 };
    r->now_us = now_us;
    drain_inbox(r);                  /* packets the loop has posted                 */
    while (!got && due_frame(r, &f)) /* whole, in order, needing nothing lost       */
        got = decode(r, &f, out);    /* to a picture; a broken one wants a key frame */
    ask_for_key(r);                  /* if nothing else helps, and not too often    */
    report(r);
    return got;
}

int64_t pl_video_receive_next_us(const pl_video_receive *r)
{
    int64_t at_us = pl_min_us(r->next_us, pl_frame_buffer_next_us(r->frames));
    at_us = pl_min_us(at_us, ask_at_us(r));
    return pl_min_us(at_us, r->reported_us + REPORT_US);
}

void pl_video_receive_stats(const pl_video_receive *r, pl_media_stats *out)
{
    *out = r->stats;
    out->frames_dropped += pl_frame_buffer_counts(r->frames)->n_dropped;
    out->freeze_count = r->freeze.n_freezes;
    out->total_freezes_us = r->freeze.total_us;
    out->frames_per_second = pl_freeze_fps(&r->freeze);
}

const pl_frame_buffer *pl_video_receive_frames(const pl_video_receive *r)
{
    return r->frames;
}
