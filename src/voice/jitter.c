/* jitter.c - what to do next. One figure steers it: the playout delay, which is how much later than the
 * fastest packet's the sample now played is. It is exact at every step, so it needs no smoothing. */
#include "voice/jitter.h"

#include <stdlib.h>
#include <string.h>

#include "base/seq.h"
#include "voice/jitter_internal.h"

enum {
    MAX_DELAY_DEFAULT_US = 500000,
    MAX_DELAY_LIMIT_US = 1000000,
    TS_JUMP_US = 2000000, /* a packet this far off the others' time line begins a new one */
    SLACK_US = 15000,     /* the delay may exceed its target by this, or by a quarter of it */
    HURRY_US = 100000,    /* beyond this, splices may be audible */
    STRETCH_TICKS = 3,    /* between two splices: 30 ms */
    STRETCH_MS = 30,      /* samples that a splice wants to see */
};
static const float LOSS_FORGET = 0.98f;
static const float LOSS_MATTERS = 0.01f;

static bool conf_ok(const pl_jitter_conf *conf)
{
    bool ok = conf->n_codecs >= 1 && conf->n_codecs <= PL_JITTER_CODECS_MAX && conf->min_delay_us >= 0 &&
              conf->max_delay_us >= 0 && conf->max_delay_us <= MAX_DELAY_LIMIT_US;
    for (int i = 0; ok && i < conf->n_codecs; i++)
        ok = conf->codec[i].codec != NULL;
    return ok;
}

pl_err pl_jitter_new(pl_jitter **out, const pl_jitter_conf *conf)
{
    *out = NULL;
    if (!conf_ok(conf))
        return PL_EINVAL;
    pl_jitter *j = calloc(1, sizeof *j);
    if (!j)
        return PL_ENOMEM;
    j->conf = *conf;
    pl_err err = pl_packet_buffer_init(&j->packets);
    for (int i = 0; !err && i < conf->n_codecs; i++)
        err = pl_audio_decoder_new(&j->decoder[i], conf->codec[i].codec);
    if (err) {
        pl_jitter_free(j);
        return err;
    }
    j->codec = conf->codec[0].codec;
    pl_conceal_init(&j->conceal, j->codec->sample_rate_hz);
    pl_delay_init(&j->delay, conf->min_delay_us,
                  conf->max_delay_us ? conf->max_delay_us : MAX_DELAY_DEFAULT_US);
    *out = j;
    return PL_OK;
}

void pl_jitter_free(pl_jitter *j)
{
    if (!j)
        return;
    for (int i = 0; i < PL_JITTER_CODECS_MAX; i++)
        pl_audio_decoder_free(j->decoder[i]);
    pl_packet_buffer_clear(&j->packets);
    free(j);
}

/* -1: never negotiated. */
static int index_of(const pl_jitter *j, uint8_t pt)
{
    int i = j->conf.n_codecs - 1;
    while (i >= 0 && j->conf.codec[i].pt != pt)
        i--;
    return i;
}

static int64_t media_us(const pl_audio_codec *codec, int64_t ext_ts)
{
    return ext_ts / codec->clock_hz * 1000000 + ext_ts % codec->clock_hz * 1000000 / codec->clock_hz;
}

/* The stream starts over: another source, another RTP clock, or a sender whose clock has jumped. */
static void restart(pl_jitter *j, const pl_media_packet *p, int index)
{
    pl_jitter_use_codec(j, index);
    pl_packet_buffer_flush(&j->packets);
    pl_delay_restart(&j->delay);
    j->ssrc = p->ssrc;
    j->has_ts = true;
    j->begun = false;
    j->last_ext_ts = (int64_t)p->rtp_ts + ((int64_t)1 << 32);
}

static bool jumps(const pl_jitter *j, const pl_audio_codec *codec, const pl_media_packet *p)
{
    if (!j->has_ts || p->ssrc != j->ssrc || codec->clock_hz != j->codec->clock_hz)
        return true;
    int64_t ext_ts = pl_seq32_unwrap(j->last_ext_ts, p->rtp_ts);
    int64_t off_us = p->arrival_us - media_us(codec, ext_ts) - pl_delay_base_us(&j->delay);
    return off_us > TS_JUMP_US || off_us < -TS_JUMP_US;
}

static void store(pl_jitter *j, const pl_media_packet *p, int64_t ext_ts, int n_samples)
{
    pl_voice_packet *slot = pl_packet_buffer_insert(&j->packets, p->ext_seq);
    if (!slot)
        return;
    slot->ext_ts = ext_ts;
    slot->arrival_us = p->arrival_us;
    slot->n_samples = (uint32_t)n_samples;
    slot->pt = p->pt;
    slot->len = p->len;
    memcpy(slot->payload, p->payload, p->len);
}

void pl_jitter_insert(pl_jitter *j, const pl_media_packet *p)
{
    int index = index_of(j, p->pt);
    const pl_audio_codec *codec = index < 0 ? NULL : j->conf.codec[index].codec;
    int n_samples =
        codec && p->len <= PL_MEDIA_PAYLOAD_MAX ? pl_audio_duration(codec, p->payload, p->len) : -1;
    if (n_samples <= 0) {
        j->count.n_malformed++;
        return;
    }
    if (jumps(j, codec, p))
        restart(j, p, index);
    int64_t ext_ts = pl_seq32_unwrap(j->last_ext_ts, p->rtp_ts);
    j->last_ext_ts = ext_ts > j->last_ext_ts ? ext_ts : j->last_ext_ts;
    pl_delay_arrival(&j->delay, p->arrival_us, media_us(codec, ext_ts),
                     (int64_t)n_samples * 1000000 / codec->sample_rate_hz);
    if (j->begun && ext_ts < j->next_ts) {
        j->count.n_late++;
        return;
    }
    store(j, p, ext_ts, n_samples);
    j->count.n_duplicate = j->packets.n_duplicate;
    j->count.n_flushed = j->packets.n_flushed;
}

/* A lost packet comes back from the redundancy of the one behind it only if that one is here in time: where
 * packets are lost, that is worth the delay of one packet. */
static int64_t target_us(const pl_jitter *j)
{
    int64_t target = pl_delay_target_us(&j->delay);
    if (j->codec->has_fec && j->loss > LOSS_MATTERS)
        target += j->delay.packet_us;
    return target < j->delay.max_us ? target : j->delay.max_us;
}

/* The playout delay if the sample of RTP time ts were played now. */
static int64_t delay_at(const pl_jitter *j, int64_t ts)
{
    return j->now_us - media_us(j->codec, ts) - pl_delay_base_us(&j->delay);
}

static int64_t delay_now(const pl_jitter *j)
{
    return delay_at(j, j->next_ts) + pl_jitter_us(j, j->n_ready);
}

static bool begin(pl_jitter *j)
{
    const pl_voice_packet *p = pl_packet_buffer_at(&j->packets, 0);
    if (!p || delay_at(j, p->ext_ts) < target_us(j))
        return false;
    j->begun = true;
    j->next_ts = p->ext_ts;
    j->n_concealed = 0;
    return true;
}

/* Packets whose place has been passed (behind a gap that was jumped, or after an overlong one). */
static const pl_voice_packet *front(pl_jitter *j)
{
    const pl_voice_packet *p;
    while ((p = pl_packet_buffer_at(&j->packets, 0)) && p->ext_ts < j->next_ts) {
        j->count.n_late++;
        pl_packet_buffer_drop(&j->packets);
    }
    return p;
}

static void count_loss(pl_jitter *j, bool lost)
{
    j->loss = j->loss * LOSS_FORGET + (lost ? 1 - LOSS_FORGET : 0);
}

/* Whether to stop waiting for what is missing before p: its time has been filled, or the delay allows it.
 * After a silence there is nothing to fill, and the delay is set right while nobody hears it. */
static bool gap_is_over(const pl_jitter *j, const pl_voice_packet *p, size_t gap)
{
    bool silent = j->n_concealed >= (size_t)j->codec->sample_rate_hz * PL_JITTER_SILENT_MS / 1000;
    if (delay_at(j, p->ext_ts) + pl_jitter_us(j, j->n_ready) >= target_us(j))
        return true;
    return !silent && j->n_concealed >= gap;
}

static void cross_gap(pl_jitter *j, const pl_voice_packet *p)
{
    size_t gap = pl_jitter_of_ticks(j, p->ext_ts - j->next_ts);
    bool one_packet = gap <= p->n_samples && j->n_concealed == 0;
    if (one_packet && pl_jitter_recover_front(j, gap)) {
        count_loss(j, true);
    } else if (gap_is_over(j, p, gap)) {
        count_loss(j, true);
        pl_jitter_decode_front(j);
    } else {
        pl_jitter_conceal_10ms(j);
    }
}

/* Puts more samples into the store. Every turn either adds some or takes a packet away. */
static void make_some(pl_jitter *j)
{
    const pl_voice_packet *p = front(j);
    if (!p) {
        pl_jitter_conceal_10ms(j);
    } else if (p->ext_ts > j->next_ts) {
        cross_gap(j, p);
    } else {
        count_loss(j, false);
        pl_jitter_decode_front(j);
    }
}

/* Decodes ahead what follows without a gap, so that a splice has enough to choose from. */
static bool gather(pl_jitter *j, size_t n)
{
    for (const pl_voice_packet *p; j->n_ready < n && (p = front(j)) && p->ext_ts == j->next_ts;)
        pl_jitter_decode_front(j);
    return j->n_ready >= n;
}

/* Brings the delay towards its target, one pitch period at a time. */
static void steer(pl_jitter *j)
{
    size_t window = (size_t)j->codec->sample_rate_hz * STRETCH_MS / 1000;
    int64_t delay = delay_now(j), target = target_us(j);
    int64_t slack = target / 4 > SLACK_US ? target / 4 : SLACK_US;
    bool hurry = delay > target + HURRY_US;
    if (j->n_concealed || (++j->ticks_since_stretch < STRETCH_TICKS && !hurry))
        return;
    if (delay > target + slack) {
        if (gather(j, window))
            pl_jitter_shorten(j, hurry);
    } else if (delay < target - target / 4) {
        if (gather(j, window - j->n_heard))
            pl_jitter_lengthen(j, false);
    }
}

static size_t silence(pl_jitter *j, int16_t *out)
{
    size_t n = j->codec->sample_rate_hz / 100;
    memset(out, 0, n * sizeof *out);
    j->op = PL_JITTER_WAIT;
    return n;
}

size_t pl_jitter_get(pl_jitter *j, int64_t now_us, int16_t *out, uint32_t *rate_hz)
{
    j->now_us = now_us;
    *rate_hz = j->codec->sample_rate_hz;
    if (!j->begun && !begin(j))
        return silence(j, out);
    j->op = PL_JITTER_NORMAL;
    steer(j);
    while (j->n_ready < j->codec->sample_rate_hz / 100)
        make_some(j);
    *rate_hz = j->codec->sample_rate_hz;
    return pl_jitter_take(j, out);
}

pl_jitter_op pl_jitter_last_op(const pl_jitter *j)
{
    return j->op;
}

int64_t pl_jitter_level_us(const pl_jitter *j)
{
    return pl_jitter_us(j, pl_packet_buffer_samples(&j->packets) + j->n_ready);
}

int64_t pl_jitter_target_us(const pl_jitter *j)
{
    return target_us(j);
}

void pl_jitter_stats(const pl_jitter *j, pl_media_stats *out)
{
    out->total_samples_received = j->stats.total_samples_received;
    out->concealed_samples = j->stats.concealed_samples;
    out->silent_concealed_samples = j->stats.silent_concealed_samples;
    out->concealment_events = j->stats.concealment_events;
    out->inserted_samples_for_deceleration = j->stats.inserted_samples_for_deceleration;
    out->removed_samples_for_acceleration = j->stats.removed_samples_for_acceleration;
    out->jitter_buffer_delay_us = j->stats.jitter_buffer_delay_us;
    out->jitter_buffer_target_delay_us = j->stats.jitter_buffer_target_delay_us;
    out->jitter_buffer_emitted_count = j->stats.jitter_buffer_emitted_count;
    out->first_frame_us = j->stats.first_frame_us;
}

const pl_jitter_count *pl_jitter_counts(const pl_jitter *j)
{
    return &j->count;
}
