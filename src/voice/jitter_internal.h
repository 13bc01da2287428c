/* jitter_internal.h - what jitter.c (packets in, decisions) and jitter_make.c (samples out) share. */
#ifndef PL_VOICE_JITTER_INTERNAL_H
#define PL_VOICE_JITTER_INTERNAL_H

#include "dsp/conceal.h"
#include "voice/delay.h"
#include "voice/jitter.h"
#include "voice/packet_buffer.h"

enum {
    PL_JITTER_HEARD_MS = 15, /* of played samples kept as context for stretching */
    PL_JITTER_STORE_MAX = 48 * (PL_JITTER_HEARD_MS + 2 * PL_AUDIO_PACKET_MS_MAX + 60),
    PL_JITTER_SILENT_MS = 200, /* concealment this long has faded to nothing */
    PL_JITTER_MUTE_MS = 1000   /* from here on not even the decoder is asked */
};

struct pl_jitter {
    pl_jitter_conf conf;
    pl_audio_decoder *decoder[PL_JITTER_CODECS_MAX];
    const pl_audio_codec *codec; /* of the samples in the store */
    int codec_index;
    pl_conceal conceal; /* for codecs that do not conceal by themselves */
    pl_packet_buffer packets;
    pl_delay delay;
    int64_t now_us;

    bool has_ts, begun; /* a packet came; the first was played */
    uint32_t ssrc;
    int64_t last_ext_ts; /* unwraps the next */
    int64_t next_ts;     /* RTP time of the first sample that is not in the store yet */
    size_t n_concealed;  /* samples invented since the last decoded one */
    int ticks_since_stretch;
    float loss; /* share of packets lost lately, 0..1 */

    int16_t store[PL_JITTER_STORE_MAX]; /* what was heard last, then what is to be heard */
    size_t n_heard, n_ready;

    pl_jitter_op op;
    pl_jitter_count count;
    pl_media_stats stats;
};

/* jitter_make.c. The peer has changed codecs: what is in the store has another rate, so it goes. */
void pl_jitter_use_codec(pl_jitter *j, int index);
/* Each puts samples at the end of the store. */
void pl_jitter_decode_front(pl_jitter *j);            /* the oldest packet, which is taken */
bool pl_jitter_recover_front(pl_jitter *j, size_t n); /* n lost samples before it, from its redundancy */
void pl_jitter_conceal_10ms(pl_jitter *j);
void pl_jitter_shorten(pl_jitter *j, bool force);
void pl_jitter_lengthen(pl_jitter *j, bool force);
size_t pl_jitter_take(pl_jitter *j, int16_t *out); /* 10 ms to the listener */

static inline size_t pl_jitter_samples(const pl_jitter *j, int64_t us)
{
    return (size_t)(us * j->codec->sample_rate_hz / 1000000);
}
static inline int64_t pl_jitter_us(const pl_jitter *j, size_t samples)
{
    return (int64_t)samples * 1000000 / j->codec->sample_rate_hz;
}
/* RTP ticks of the current codec in samples, and back. */
static inline int64_t pl_jitter_ticks(const pl_jitter *j, size_t samples)
{
    return (int64_t)samples * j->codec->clock_hz / j->codec->sample_rate_hz;
}
static inline size_t pl_jitter_of_ticks(const pl_jitter *j, int64_t ticks)
{
    return (size_t)(ticks * j->codec->sample_rate_hz / j->codec->clock_hz);
}

#endif
