/* capture.h - microphone to packets: the spine of everything that is said.
 * Source   RFC 7587 and RFC 3551 payloads, RFC 6464 levels.
 * Shape    opaque; new gives, free takes.
 * Units    48 kHz mono in, 480 samples a step; the RTP timestamp counts the codec's clock.
 * Thread   the audio thread; 10ms takes no lock and allocates nothing. */
#ifndef PL_VOICE_CAPTURE_H
#define PL_VOICE_CAPTURE_H

#include <stdint.h>

#include "base/ring.h"
#include "codec/audio.h"
#include "rtp/media_packet.h"

typedef struct pl_capture pl_capture;

typedef struct pl_capture_conf {
    pl_ring *inbox;  /* of pl_media_msg: BITRATE, LOSS, STOP; may be NULL; lent */
    pl_ring *outbox; /* of pl_media_msg: PACKET, STATS; lent */
    const pl_audio_codec *codec;
    uint8_t pt;
    uint32_t first_ts; /* the connection may choose it at random */
    int packet_ms;     /* 10, 20, 40 or 60; 0: 20 */
    pl_audio_conf audio;
} pl_capture_conf;

/* Errors: PL_EINVAL, PL_ENOMEM. */
PL_NODISCARD pl_err pl_capture_new(pl_capture **out, const pl_capture_conf *conf);
void pl_capture_free(pl_capture *c); /* NULL is fine */
/* 10 ms from the microphone, captured at now_us; NULL is silence (a muted track goes on sending it). */
void pl_capture_10ms(pl_capture *c, int64_t now_us, const int16_t *in);
/* Counters now; PL_MEDIA_STATS carries the same five times a second. */
void pl_capture_stats(const pl_capture *c, pl_media_stats *out);
/* Packets that found the outbox full. */
uint64_t pl_capture_dropped(const pl_capture *c);

#endif
