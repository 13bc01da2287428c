/* playout.h - packets to speaker: the spine of everything that is heard.
 * Shape    a pl_playout mixes the pl_playout_stream's that are attached to it. Streams are made and freed
 *          on any thread while they are not attached; attach, detach and 10ms belong to the audio thread.
 * Units    48 kHz mono, 480 samples a step.
 * Thread   10ms takes no lock and allocates nothing. */
#ifndef PL_VOICE_PLAYOUT_H
#define PL_VOICE_PLAYOUT_H

#include <stdint.h>

#include "base/ring.h"
#include "rtp/media_packet.h"
#include "voice/jitter.h"

enum { PL_VOICE_HZ = 48000, PL_VOICE_FRAME = 480, PL_PLAYOUT_STREAMS_MAX = 64 };

typedef struct pl_playout pl_playout;
typedef struct pl_playout_stream pl_playout_stream;

typedef struct pl_playout_stream_conf {
    pl_ring *inbox;  /* of pl_media_msg: PACKET, STOP; lent for the life of the stream */
    pl_ring *outbox; /* of pl_media_msg: STATS; may be NULL */
    pl_jitter_conf jitter;
} pl_playout_stream_conf;

PL_NODISCARD pl_err pl_playout_new(pl_playout **out);
/* Detaches every stream; frees none. NULL is fine. */
void pl_playout_free(pl_playout *po);
PL_NODISCARD pl_err pl_playout_stream_new(pl_playout_stream **out, const pl_playout_stream_conf *conf);
void pl_playout_stream_free(pl_playout_stream *s); /* must be detached; NULL is fine */

/* Errors: PL_ENOSPC when PL_PLAYOUT_STREAMS_MAX are attached. */
PL_NODISCARD pl_err pl_playout_attach(pl_playout *po, pl_playout_stream *s);
void pl_playout_detach(pl_playout *po, pl_playout_stream *s); /* not attached: does nothing */

/* The sound card wants 10 ms: all streams mixed. */
void pl_playout_10ms(pl_playout *po, int64_t now_us, int16_t out[PL_VOICE_FRAME]);
/* What this stream alone gave in the last step, for recording it. */
const int16_t *pl_playout_stream_frame(const pl_playout_stream *s);
const pl_jitter *pl_playout_stream_jitter(const pl_playout_stream *s);
/* Counters now; PL_MEDIA_STATS carries the same five times a second. */
void pl_playout_stream_stats(const pl_playout_stream *s, pl_media_stats *out);

#endif
