/* jitter.h - from packets that come when they like to 10 ms of samples whenever they are wanted.
 * Source   the method of NetEQ: a measured target delay, and at each step one of decode, conceal, merge,
 *          shorten or lengthen.
 * Shape    opaque; new gives, free takes. insert and get may come in any order.
 * Units    microseconds; samples at the rate that get returns.
 * Errors   packets with an unknown payload type or a malformed payload are counted and dropped.
 * Thread   one; insert and get allocate nothing. */
#ifndef PL_VOICE_JITTER_H
#define PL_VOICE_JITTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/audio.h"
#include "rtp/media_packet.h"

enum { PL_JITTER_CODECS_MAX = 8, PL_JITTER_FRAME_MAX = 480 };

typedef struct pl_voice_pt {
    uint8_t pt;
    const pl_audio_codec *codec;
} pl_voice_pt;

typedef struct pl_jitter_conf {
    pl_voice_pt codec[PL_JITTER_CODECS_MAX]; /* what was negotiated for receiving */
    int n_codecs;
    int64_t min_delay_us; /* the target is never below this */
    int64_t max_delay_us; /* nor above this; 0: 500 ms. At most one second */
} pl_jitter_conf;

/* What the last step did; for tests and traces. */
typedef enum pl_jitter_op {
    PL_JITTER_WAIT, /* nothing has come yet, or the first packets are being collected: silence */
    PL_JITTER_NORMAL,
    PL_JITTER_FEC, /* lost, but the next packet carried a copy */
    PL_JITTER_CONCEAL,
    PL_JITTER_MERGE, /* first decoded packet after concealment */
    PL_JITTER_SHORTEN,
    PL_JITTER_LENGTHEN
} pl_jitter_op;

typedef struct pl_jitter_count {
    uint64_t n_late; /* came after its place was concealed */
    uint64_t n_duplicate, n_flushed;
    uint64_t n_malformed; /* unknown payload type, undecodable payload */
    uint64_t n_fec;       /* packets recovered from redundancy */
} pl_jitter_count;

typedef struct pl_jitter pl_jitter;

/* Errors: PL_EINVAL (no codec, limits), PL_ENOMEM. Makes every decoder. */
PL_NODISCARD pl_err pl_jitter_new(pl_jitter **out, const pl_jitter_conf *conf);
void pl_jitter_free(pl_jitter *j); /* NULL is fine */
void pl_jitter_insert(pl_jitter *j, const pl_media_packet *p);
/* Writes 10 ms and returns their number of samples: *rate_hz / 100, never more than PL_JITTER_FRAME_MAX.
 * rate_hz changes when the peer changes codecs. */
size_t pl_jitter_get(pl_jitter *j, int64_t now_us, int16_t *out, uint32_t *rate_hz);

pl_jitter_op pl_jitter_last_op(const pl_jitter *j);
/* What is held back now: packets and decoded samples. */
int64_t pl_jitter_level_us(const pl_jitter *j);
int64_t pl_jitter_target_us(const pl_jitter *j);
/* Fills the sample counters and the jitter buffer's figures; adds nothing else. */
void pl_jitter_stats(const pl_jitter *j, pl_media_stats *out);
const pl_jitter_count *pl_jitter_counts(const pl_jitter *j);

#endif
