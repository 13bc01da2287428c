/* capture.c - microphone to packets. Echo cancellation, noise suppression and gain control will stand at the
 * head of pl_capture_10ms. */
#include "voice/capture.h"

#include <stdlib.h>
#include <string.h>

#include "dsp/resample.h"
#include "dsp/vector.h"
#include "voice/level.h"
#include "voice/playout.h"
#include "voice/vad.h"

enum { REPORT_TICKS = 20, PACKET_MS_DEFAULT = 20, PACKET_MS_MAX = 60 };

struct pl_capture {
    pl_capture_conf conf;
    pl_audio_encoder *encoder;
    pl_resampler *resampler; /* from 48 kHz to the codec's rate */
    pl_vad vad;
    pl_level level;
    int16_t frame[48 * PACKET_MS_MAX]; /* at the codec's rate, until a packet is full */
    size_t n_frame, frame_len;
    double power; /* sum over the 10 ms steps in frame */
    bool voice;
    uint32_t ts; /* of the next packet */
    bool silent; /* nothing was sent for the last one: the next begins a talkspurt */
    bool stopped;
    int ticks;
    uint64_t n_packets, n_dropped;
    int64_t first_us;
};

static bool conf_ok(const pl_capture_conf *conf)
{
    int ms = conf->packet_ms;
    return conf->codec && conf->outbox && (ms == 0 || ms == 10 || ms == 20 || ms == 40 || ms == 60);
}

pl_err pl_capture_new(pl_capture **out, const pl_capture_conf *conf)
{
    *out = NULL;
    if (!conf_ok(conf))
        return PL_EINVAL;
    pl_capture *c = calloc(1, sizeof *c);
    if (!c)
        return PL_ENOMEM;
    c->conf = *conf;
    c->ts = conf->first_ts;
    c->silent = true;
    c->frame_len = conf->codec->sample_rate_hz / 1000 *
                   (unsigned)(conf->packet_ms ? conf->packet_ms : PACKET_MS_DEFAULT);
    pl_vad_init(&c->vad);
    pl_err err = pl_audio_encoder_new(&c->encoder, conf->codec, &conf->audio);
    if (!err)
        err = pl_resampler_new(&c->resampler, PL_VOICE_HZ, conf->codec->sample_rate_hz);
    if (err) {
        pl_capture_free(c);
        return err;
    }
    *out = c;
    return PL_OK;
}

void pl_capture_free(pl_capture *c)
{
    if (!c)
        return;
    pl_audio_encoder_free(c->encoder);
    pl_resampler_free(c->resampler);
    free(c);
}

static void report(pl_capture *c)
{
    pl_media_msg *m = pl_ring_reserve(c->conf.outbox);
    if (!m)
        return;
    m->kind = PL_MEDIA_STATS;
    pl_capture_stats(c, &m->u.stats);
    pl_ring_commit(c->conf.outbox);
}

static void drain_inbox(pl_capture *c)
{
    if (!c->conf.inbox)
        return;
    for (const pl_media_msg *m; (m = pl_ring_peek(c->conf.inbox)); pl_ring_drop(c->conf.inbox)) {
        switch (m->kind) {
        case PL_MEDIA_BITRATE: pl_audio_encoder_rate(c->encoder, m->u.rate_bps); break;
        case PL_MEDIA_LOSS: pl_audio_encoder_loss(c->encoder, (int)(m->u.loss * 100 + 0.5)); break;
        case PL_MEDIA_STOP: c->stopped = true; break;
        default: break;
        }
    }
}

/* Level and activity of these 10 ms, which the packet will carry in its header extension. */
static void measure(pl_capture *c, const int16_t *in)
{
    double power = pl_dsp_power(in, PL_VOICE_FRAME);
    pl_level_10ms(&c->level, power);
    c->power += power;
    if (pl_vad_10ms(&c->vad, pl_dsp_level_dbov(power)))
        c->voice = true;
}

/* True when a packet's worth is there. */
static bool collect(pl_capture *c, const int16_t *in)
{
    size_t used;
    c->n_frame += pl_resampler_run(c->resampler, in, PL_VOICE_FRAME, &used, c->frame + c->n_frame,
                                   c->frame_len - c->n_frame);
    return c->n_frame == c->frame_len;
}

/* Encodes straight into the slot that the connection will read. */
static void send_packet(pl_capture *c, int64_t now_us)
{
    const pl_audio_codec *codec = c->conf.codec;
    size_t steps = c->frame_len * 100 / codec->sample_rate_hz;
    pl_media_msg *m = pl_ring_reserve(c->conf.outbox);
    if (!m) {
        c->n_dropped++;
        return;
    }
    pl_media_packet *p = &m->u.packet;
    int len = pl_audio_encode(c->encoder, c->frame, c->frame_len, p->payload, PL_MEDIA_SEND_MAX);
    if (len > 0) {
        m->kind = PL_MEDIA_PACKET;
        p->arrival_us = now_us - (int64_t)(steps - 1) * 10000;
        p->ext_seq = 0;
        p->rtp_ts = c->ts;
        p->ssrc = 0;
        p->pt = c->conf.pt;
        p->marker = c->silent; /* RFC 3551 4.1: the first packet after a silence */
        p->audio_level = pl_dsp_level_dbov(c->power / (double)steps);
        p->voice = c->voice;
        p->len = (uint16_t)len;
        pl_ring_commit(c->conf.outbox);
        c->n_packets++;
        if (!c->first_us)
            c->first_us = now_us;
    }
    c->silent = len <= 0;
}

static void next_packet(pl_capture *c)
{
    const pl_audio_codec *codec = c->conf.codec;
    c->ts += (uint32_t)(c->frame_len * codec->clock_hz / codec->sample_rate_hz);
    c->n_frame = 0;
    c->power = 0;
    c->voice = false;
}

void pl_capture_10ms(pl_capture *c, int64_t now_us, const int16_t *in)
{
    static const int16_t silence[PL_VOICE_FRAME];
    in = in ? in : silence;
    drain_inbox(c);       /* bit rate, loss, stop                  */
    measure(c, in);       /* level and activity                    */
    if (collect(c, in)) { /* to the codec's rate, until a packet   */
        if (!c->stopped)
            send_packet(c, now_us); /* encode into the outbox      */
        next_packet(c);
    }
    if (++c->ticks % REPORT_TICKS == 0)
        report(c);
}

void pl_capture_stats(const pl_capture *c, pl_media_stats *out)
{
    memset(out, 0, sizeof *out);
    pl_level_stats(&c->level, out);
    out->frames_encoded = c->n_packets;
    out->first_frame_us = c->first_us;
}

uint64_t pl_capture_dropped(const pl_capture *c)
{
    return c->n_dropped;
}
