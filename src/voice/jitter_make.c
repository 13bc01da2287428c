/* jitter_make.c - the ways to make samples: decode, recover, conceal, shorten, lengthen; and handing them
 * out. */
#include <assert.h>
#include <string.h>

#include "dsp/stretch.h"
#include "dsp/vector.h"
#include "voice/jitter_internal.h"

static int16_t *store_end(pl_jitter *j)
{
    return j->store + j->n_heard + j->n_ready;
}

static size_t store_room(const pl_jitter *j)
{
    return PL_JITTER_STORE_MAX - j->n_heard - j->n_ready;
}

void pl_jitter_use_codec(pl_jitter *j, int index)
{
    if (index == j->codec_index)
        return;
    j->codec_index = index;
    j->codec = j->conf.codec[index].codec;
    j->n_heard = j->n_ready = 0;
    pl_audio_decoder_reset(j->decoder[index]);
    pl_conceal_init(&j->conceal, j->codec->sample_rate_hz);
}

static int codec_index(const pl_jitter *j, uint8_t pt)
{
    int i = 0;
    while (j->conf.codec[i].pt != pt)
        i++;
    assert(i < j->conf.n_codecs);
    return i;
}

static void count_decoded(pl_jitter *j, const pl_voice_packet *p, size_t n)
{
    int64_t waited_us = j->now_us - p->arrival_us + pl_jitter_us(j, j->n_ready);
    j->stats.jitter_buffer_delay_us += (uint64_t)(waited_us > 0 ? waited_us : 0) * n;
    j->stats.jitter_buffer_target_delay_us += (uint64_t)pl_delay_target_us(&j->delay) * n;
    j->stats.jitter_buffer_emitted_count += n;
    if (!j->stats.first_frame_us)
        j->stats.first_frame_us = j->now_us;
}

void pl_jitter_decode_front(pl_jitter *j)
{
    const pl_voice_packet *p = pl_packet_buffer_at(&j->packets, 0);
    pl_jitter_use_codec(j, codec_index(j, p->pt));
    int16_t *out = store_end(j);
    int n = pl_audio_decode(j->decoder[j->codec_index], p->payload, p->len, out, store_room(j));
    if (n > 0) {
        if (!j->codec->has_conceal)
            pl_conceal_good(&j->conceal, out, (size_t)n);
        count_decoded(j, p, (size_t)n);
        j->n_ready += (size_t)n;
        j->next_ts = p->ext_ts + pl_jitter_ticks(j, (size_t)n);
        j->op = j->n_concealed ? PL_JITTER_MERGE : PL_JITTER_NORMAL;
        j->n_concealed = 0;
    } else {
        j->count.n_malformed++;
    }
    pl_packet_buffer_drop(&j->packets);
}

bool pl_jitter_recover_front(pl_jitter *j, size_t n)
{
    const pl_voice_packet *p = pl_packet_buffer_at(&j->packets, 0);
    if (!j->codec->has_fec || codec_index(j, p->pt) != j->codec_index || n > store_room(j))
        return false;
    int got = pl_audio_decode_fec(j->decoder[j->codec_index], p->payload, p->len, store_end(j), n);
    if (got <= 0)
        return false;
    j->n_ready += (size_t)got;
    j->next_ts = p->ext_ts;
    j->n_concealed = 0;
    j->count.n_fec++;
    j->op = PL_JITTER_FEC;
    return true;
}

static void invent(pl_jitter *j, int16_t *out, size_t n)
{
    size_t mute_from = (size_t)j->codec->sample_rate_hz * PL_JITTER_MUTE_MS / 1000;
    if (j->n_concealed >= mute_from)
        memset(out, 0, n * sizeof *out);
    else if (!j->codec->has_conceal)
        pl_conceal_make(&j->conceal, out, n);
    else if (pl_audio_conceal(j->decoder[j->codec_index], out, n) != (int)n)
        memset(out, 0, n * sizeof *out);
}

void pl_jitter_conceal_10ms(pl_jitter *j)
{
    size_t n = j->codec->sample_rate_hz / 100;
    invent(j, store_end(j), n);
    j->n_ready += n;
    if (j->n_concealed == 0)
        j->stats.concealment_events++;
    j->stats.concealed_samples += n;
    if (j->n_concealed >= (size_t)j->codec->sample_rate_hz * PL_JITTER_SILENT_MS / 1000)
        j->stats.silent_concealed_samples += n;
    j->n_concealed += n;
    j->op = PL_JITTER_CONCEAL;
}

void pl_jitter_shorten(pl_jitter *j, bool force)
{
    size_t n = pl_stretch_shorten(j->store + j->n_heard, j->n_ready, j->codec->sample_rate_hz, force);
    if (n == j->n_ready)
        return;
    j->stats.removed_samples_for_acceleration += j->n_ready - n;
    j->n_ready = n;
    j->op = PL_JITTER_SHORTEN;
    j->ticks_since_stretch = 0;
}

void pl_jitter_lengthen(pl_jitter *j, bool force)
{
    size_t n = pl_stretch_lengthen(j->store, j->n_heard, j->n_heard + j->n_ready, PL_JITTER_STORE_MAX,
                                   j->codec->sample_rate_hz, force) -
               j->n_heard;
    if (n == j->n_ready)
        return;
    j->stats.inserted_samples_for_deceleration += n - j->n_ready;
    j->n_ready = n;
    j->op = PL_JITTER_LENGTHEN;
    j->ticks_since_stretch = 0;
}

size_t pl_jitter_take(pl_jitter *j, int16_t *out)
{
    size_t n = j->codec->sample_rate_hz / 100;
    size_t keep = (size_t)j->codec->sample_rate_hz * PL_JITTER_HEARD_MS / 1000;
    assert(n <= PL_JITTER_FRAME_MAX && n <= j->n_ready);
    memcpy(out, j->store + j->n_heard, n * sizeof *out);
    j->n_heard += n;
    j->n_ready -= n;
    size_t drop = j->n_heard > keep ? j->n_heard - keep : 0;
    memmove(j->store, j->store + drop, (j->n_heard - drop + j->n_ready) * sizeof *j->store);
    j->n_heard -= drop;
    j->stats.total_samples_received += n;
    return n;
}
