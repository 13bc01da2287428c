/* frame_buffer.h - from packets in any order to whole frames that can be decoded.
 * Source   RFC 7741 4.1 to 4.3 for where frames begin and end and what they need.
 * Shape    opaque; new gives, free takes. insert packets, next frames; want_key tells when only a key
 *          frame helps. A frame is given out when all its packets are there and everything it needs was
 *          given out before; what is missing is waited for while a retransmission may still bring it, then
 *          abandoned.
 * Units    microseconds; RTP timestamps 90 kHz.
 * Errors   malformed, duplicate and late packets are counted.
 * Thread   one; nothing is allocated after new. */
#ifndef PL_VIDEO_FRAME_BUFFER_H
#define PL_VIDEO_FRAME_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rtp/media_packet.h"
#include "video/payload.h"

enum {
    PL_FRAME_BUFFER_PACKETS = 1024, /* the most packets held; older ones make room */
    PL_FRAME_WAIT_MIN_US = 100000,  /* patience with a missing packet: this, or three round trips... */
    PL_FRAME_WAIT_MAX_US = 600000   /* ... and never more than this */
};

typedef struct pl_frame {
    const uint8_t *data; /* lent until the next call */
    size_t len;
    uint8_t pt;
    bool key;
    uint8_t temporal_id;
    uint32_t rtp_ts;
    int64_t ext_ts;   /* unwrapped */
    int64_t first_us; /* arrival of its first and last packet */
    int64_t complete_us;
    int64_t last_seq;
} pl_frame;

typedef struct pl_frame_buffer_count {
    uint64_t n_packets, n_malformed, n_duplicate, n_late, n_overflow;
    uint64_t n_frames, n_key_frames;
    uint64_t n_dropped; /* frames that began to arrive and were never given out */
    uint64_t n_gaps_abandoned;
} pl_frame_buffer_count;

typedef struct pl_frame_buffer pl_frame_buffer;

PL_NODISCARD pl_err pl_frame_buffer_new(pl_frame_buffer **out);
void pl_frame_buffer_free(pl_frame_buffer *b); /* NULL is fine */
/* An empty payload is padding: it closes a gap and carries nothing. */
void pl_frame_buffer_insert(pl_frame_buffer *b, const pl_payload_format *format, const pl_media_packet *p);
void pl_frame_buffer_rtt(pl_frame_buffer *b, int64_t rtt_us);
/* The next decodable frame without taking it: its times and size, data NULL. False: none. */
bool pl_frame_buffer_peek(pl_frame_buffer *b, int64_t now_us, pl_frame *out);
/* Takes it, put together in one piece. False: none. */
bool pl_frame_buffer_next(pl_frame_buffer *b, int64_t now_us, pl_frame *out);
/* The decoder failed on what it got: only a key frame will do. */
void pl_frame_buffer_broken(pl_frame_buffer *b);
/* True while only a key frame helps and none is on its way: the stream has not begun, a gap was abandoned,
 * the decoder failed. */
bool pl_frame_buffer_wants_key(const pl_frame_buffer *b);
/* When the patience with the oldest gap ends, or PL_NEVER. */
int64_t pl_frame_buffer_next_us(const pl_frame_buffer *b);
const pl_frame_buffer_count *pl_frame_buffer_counts(const pl_frame_buffer *b);
void pl_frame_buffer_check(const pl_frame_buffer *b);

#endif
