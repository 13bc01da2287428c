/* audio.c - the audio thread: a beat of 10 ms on absolute deadlines, capture and playout on each.
 *     terms changed? > source > capture > packets            packets > playout > record */
#include "call/call_internal.h"

#include <math.h>
#include <string.h>

#include "dsp/tone.h"
#include "dsp/vector.h"
#include "voice/capture.h"
#include "voice/playout.h"

enum { BEHIND_US = 200000, REST_US = 200000 };

static void drop_capture(call_audio *a)
{
    pl_capture_free(a->capture);
    a->capture = NULL;
}

static void drop_playout(call_audio *a)
{
    if (a->stream)
        pl_playout_detach(a->playout, a->stream);
    pl_playout_stream_free(a->stream);
    pl_playout_free(a->playout);
    a->stream = NULL;
    a->playout = NULL;
}

static void make_capture(pl_media *m, const pl_pc_media_info *info)
{
    const pl_audio_codec *codec = pl_audio_codec_find(info->send_codec);
    pl_capture_conf conf = { .inbox = m->audio_side.rings.send_in,
                             .outbox = m->audio_side.rings.send_out,
                             .codec = codec,
                             .pt = info->send_pt,
                             .first_ts = pl_rand_u32(NULL),
                             .audio = { .fec = true } };
    pl_err err = codec ? pl_capture_new(&m->audio.capture, &conf) : PL_ENOTSUP;
    if (err)
        pl_log_warn(&m->log, "audio cannot be sent as %s: %s", info->send_codec, pl_err_str(err));
}

static void make_playout(pl_media *m, const pl_pc_media_info *info)
{
    call_audio *a = &m->audio;
    pl_playout_stream_conf conf = { .inbox = m->audio_side.rings.recv_in,
                                    .outbox = m->audio_side.rings.recv_out };
    for (int i = 0; i < info->n_recv && conf.jitter.n_codecs < PL_JITTER_CODECS_MAX; i++) {
        const pl_audio_codec *codec = pl_audio_codec_find(info->recv[i].name);
        if (codec)
            conf.jitter.codec[conf.jitter.n_codecs++] = (pl_voice_pt){ info->recv[i].pt, codec };
    }
    pl_err err = pl_playout_new(&a->playout);
    if (!err)
        err = pl_playout_stream_new(&a->stream, &conf);
    if (!err)
        err = pl_playout_attach(a->playout, a->stream);
    if (err) {
        pl_log_warn(&m->log, "audio cannot be received: %s", pl_err_str(err));
        drop_playout(a);
    }
}

static void follow_terms(pl_media *m)
{
    call_audio *a = &m->audio;
    call_change change = call_terms_changed(&m->audio_side, &a->engine);
    const pl_pc_media_info *info = &a->engine.info;
    if (change.send) {
        drop_capture(a);
        if (info->sending && a->source)
            make_capture(m, info);
    }
    if (change.recv) {
        drop_playout(a);
        if (info->receiving)
            make_playout(m, info);
    }
}

static void say(call_audio *a, int64_t now_us)
{
    int16_t frame[PL_DEVICE_FRAME];
    if (pl_audio_source_read(a->source, frame))
        memset(frame, 0, sizeof frame); /* the file has gone: silence */
    pl_capture_10ms(a->capture, now_us, frame);
    atomic_fetch_add(&a->n_sent, 1);
}

static void hear(pl_media *m, int64_t now_us)
{
    call_audio *a = &m->audio;
    int16_t frame[PL_VOICE_FRAME];
    pl_playout_10ms(a->playout, now_us, frame);
    if (a->sink && pl_audio_sink_write(a->sink, frame) == PL_OK)
        atomic_fetch_add(&a->n_recorded, PL_VOICE_FRAME);
    pl_mutex_lock(&m->audio_side.terms.lock);
    memcpy(a->heard + a->heard_at, frame, sizeof frame);
    a->heard_at = (a->heard_at + PL_VOICE_FRAME) % CALL_HEARD;
    pl_mutex_unlock(&m->audio_side.terms.lock);
}

void call_audio_run(void *arg)
{
    pl_media *m = arg;
    call_audio *a = &m->audio;
    int64_t next_us = pl_clock_us();
    if (pl_thread_make_urgent())
        pl_log_debug(&m->log, "the audio thread has ordinary priority");
    while (!atomic_load(&a->engine.stop)) {
        follow_terms(m);
        int64_t now_us = pl_clock_us();
        if (!a->capture && !a->stream) { /* nothing to do until terms change */
            pl_sem_wait_until(&a->engine.bell, now_us + REST_US);
            next_us = pl_clock_us();
            continue;
        }
        if (now_us < next_us) {
            pl_sem_wait_until(&a->engine.bell, next_us);
            continue;
        }
        if (now_us - next_us > BEHIND_US)
            next_us = now_us; /* the machine slept: do not catch up in a burst */
        next_us += CALL_FRAME_US;
        if (a->capture)
            say(a, now_us);
        if (a->stream)
            hear(m, now_us);
        call_kick(&m->audio_side);
    }
    drop_capture(a);
    drop_playout(a);
}

enum {
    THINNED = 4, /* samples made one: 12 kHz hold all that is searched */
    SHORT = CALL_HEARD / THINNED / 4,
    TONE_MIN_HZ = 100,
    TONE_MAX_HZ = 4000,
    COARSE_HZ = 16, /* what a short window tells apart, and what the whole one does */
    FINE_HZ = 4
};

static double power_in_windows(const int16_t *x, size_t n, size_t window, double hz)
{
    double power = 0;
    for (size_t at = 0; at + window <= n; at += window)
        power += pl_tone_power(x + at, window, PL_VOICE_HZ / THINNED, hz);
    return power;
}

static int strongest_of(const int16_t *x, size_t n, size_t window, int from_hz, int to_hz, int step_hz)
{
    int best_hz = from_hz;
    double best = 0;
    for (int hz = from_hz; hz <= to_hz; hz += step_hz) {
        double power = power_in_windows(x, n, window, hz);
        if (power > best) {
            best = power;
            best_hz = hz;
        }
    }
    return best_hz;
}

/* The strongest frequency, to 4 Hz: the neighbourhood in short windows, then the place in the whole. It runs on the
 * caller's thread, often the network's, which a search in one go would hold up for 30 ms. */
static double strongest_hz(const int16_t *x, size_t n)
{
    int16_t thin[CALL_HEARD / THINNED];
    for (size_t i = 0; i < n / THINNED; i++)
        thin[i] = (int16_t)((x[4 * i] + x[4 * i + 1] + x[4 * i + 2] + x[4 * i + 3]) / THINNED);
    n /= THINNED;
    int hz = strongest_of(thin, n, SHORT, TONE_MIN_HZ, TONE_MAX_HZ, COARSE_HZ);
    return strongest_of(thin, n, n, hz - COARSE_HZ, hz + COARSE_HZ, FINE_HZ);
}

void call_audio_measure(pl_media *m, pl_media_totals *out)
{
    static const size_t n = CALL_HEARD;
    int16_t heard[CALL_HEARD];
    pl_mutex_lock(&m->audio_side.terms.lock);
    size_t tail = n - m->audio.heard_at; /* oldest first */
    memcpy(heard, m->audio.heard + m->audio.heard_at, tail * sizeof *heard);
    memcpy(heard + tail, m->audio.heard, m->audio.heard_at * sizeof *heard);
    pl_mutex_unlock(&m->audio_side.terms.lock);
    out->received_level_dbov = -(double)pl_dsp_level_dbov(pl_dsp_power(heard, n));
    out->received_tone_hz = out->received_level_dbov > -60 ? strongest_hz(heard, n) : 0;
}
