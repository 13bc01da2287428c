/* playout.c - packets to speaker. */
#include "voice/playout.h"

#include <stdlib.h>
#include <string.h>

#include "dsp/resample.h"
#include "dsp/vector.h"
#include "voice/level.h"

enum { REPORT_TICKS = 20 };

struct pl_playout_stream {
    pl_playout_stream_conf conf;
    pl_jitter *jitter;
    pl_resampler *resampler[PL_JITTER_CODECS_MAX]; /* to 48 kHz, one for each rate that was negotiated */
    uint32_t rate_hz[PL_JITTER_CODECS_MAX];
    int n_rates, rate_now; /* rate_now: index of the last used */
    pl_level level;
    int ticks;
    bool stopped;
    int16_t frame[PL_VOICE_FRAME];
};

struct pl_playout {
    pl_playout_stream *stream[PL_PLAYOUT_STREAMS_MAX];
    int n_streams;
    int32_t mix[PL_VOICE_FRAME];
};

pl_err pl_playout_new(pl_playout **out)
{
    *out = calloc(1, sizeof **out);
    return *out ? PL_OK : PL_ENOMEM;
}

void pl_playout_free(pl_playout *po)
{
    free(po);
}

static pl_err add_rate(pl_playout_stream *s, uint32_t rate_hz)
{
    for (int i = 0; i < s->n_rates; i++)
        if (s->rate_hz[i] == rate_hz)
            return PL_OK;
    pl_err err = pl_resampler_new(&s->resampler[s->n_rates], rate_hz, PL_VOICE_HZ);
    if (!err)
        s->rate_hz[s->n_rates++] = rate_hz;
    return err;
}

pl_err pl_playout_stream_new(pl_playout_stream **out, const pl_playout_stream_conf *conf)
{
    *out = NULL;
    pl_playout_stream *s = calloc(1, sizeof *s);
    if (!s)
        return PL_ENOMEM;
    s->conf = *conf;
    pl_err err = pl_jitter_new(&s->jitter, &conf->jitter);
    for (int i = 0; !err && i < conf->jitter.n_codecs; i++)
        err = add_rate(s, conf->jitter.codec[i].codec->sample_rate_hz);
    if (err) {
        pl_playout_stream_free(s);
        return err;
    }
    *out = s;
    return PL_OK;
}

void pl_playout_stream_free(pl_playout_stream *s)
{
    if (!s)
        return;
    for (int i = 0; i < s->n_rates; i++)
        pl_resampler_free(s->resampler[i]);
    pl_jitter_free(s->jitter);
    free(s);
}

pl_err pl_playout_attach(pl_playout *po, pl_playout_stream *s)
{
    if (po->n_streams == PL_PLAYOUT_STREAMS_MAX)
        return PL_ENOSPC;
    po->stream[po->n_streams++] = s;
    return PL_OK;
}

void pl_playout_detach(pl_playout *po, pl_playout_stream *s)
{
    for (int i = 0; i < po->n_streams; i++)
        if (po->stream[i] == s) {
            po->stream[i] = po->stream[--po->n_streams];
            return;
        }
}

static void report(pl_playout_stream *s)
{
    pl_media_msg *m = s->conf.outbox ? pl_ring_reserve(s->conf.outbox) : NULL;
    if (!m)
        return;
    m->kind = PL_MEDIA_STATS;
    pl_playout_stream_stats(s, &m->u.stats);
    pl_ring_commit(s->conf.outbox);
}

static void drain_inbox(pl_playout_stream *s)
{
    for (const pl_media_msg *m; (m = pl_ring_peek(s->conf.inbox)); pl_ring_drop(s->conf.inbox)) {
        if (m->kind == PL_MEDIA_PACKET) {
            pl_jitter_insert(s->jitter, &m->u.packet);
        } else if (m->kind == PL_MEDIA_STOP && !s->stopped) {
            s->stopped = true;
            report(s);
        }
    }
}

/* 10 ms at whatever rate the codec has become 480 samples; a filter that was not used lately starts afresh.
 */
static void to_48k(pl_playout_stream *s, const int16_t *x, size_t n, uint32_t rate_hz)
{
    int i = 0;
    while (s->rate_hz[i] != rate_hz)
        i++;
    if (i != s->rate_now)
        pl_resampler_reset(s->resampler[i]);
    s->rate_now = i;
    size_t used;
    size_t made = pl_resampler_run(s->resampler[i], x, n, &used, s->frame, PL_VOICE_FRAME);
    memset(s->frame + made, 0, (PL_VOICE_FRAME - made) * sizeof *s->frame);
}

static void play_stream(pl_playout_stream *s, int64_t now_us)
{
    int16_t raw[PL_JITTER_FRAME_MAX];
    uint32_t rate_hz;
    size_t n = pl_jitter_get(s->jitter, now_us, raw, &rate_hz);
    to_48k(s, raw, n, rate_hz);
    pl_level_10ms(&s->level, pl_dsp_power(s->frame, PL_VOICE_FRAME));
    if (++s->ticks % REPORT_TICKS == 0)
        report(s);
}

void pl_playout_10ms(pl_playout *po, int64_t now_us, int16_t out[PL_VOICE_FRAME])
{
    memset(po->mix, 0, sizeof po->mix);
    for (int i = 0; i < po->n_streams; i++) {
        drain_inbox(po->stream[i]);         /* packets the loop has posted            */
        play_stream(po->stream[i], now_us); /* decode, conceal, stretch or merge      */
        pl_dsp_mix(po->mix, po->stream[i]->frame, PL_VOICE_FRAME);
    }
    pl_dsp_mix_take(po->mix, out, PL_VOICE_FRAME);
}

const int16_t *pl_playout_stream_frame(const pl_playout_stream *s)
{
    return s->frame;
}

const pl_jitter *pl_playout_stream_jitter(const pl_playout_stream *s)
{
    return s->jitter;
}

void pl_playout_stream_stats(const pl_playout_stream *s, pl_media_stats *out)
{
    memset(out, 0, sizeof *out);
    pl_jitter_stats(s->jitter, out);
    pl_level_stats(&s->level, out);
}
