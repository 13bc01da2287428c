/* packet_buffer.h - packets of one voice stream, in order, until their turn comes.
 * Shape    fixed slots in order of sequence number; init allocates, clear frees; zero state legal.
 * Errors   a duplicate or a packet older than what was played is refused; when all slots are full
 *          everything is thrown away, because so much in stock means that we have stood still. */
#ifndef PL_VOICE_PACKET_BUFFER_H
#define PL_VOICE_PACKET_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "peerline/error.h"
#include "rtp/media_packet.h"

enum { PL_PACKET_BUFFER_MAX = 128 };

typedef struct pl_voice_packet {
    int64_t ext_seq;
    int64_t ext_ts; /* unwrapped RTP timestamp */
    int64_t arrival_us;
    uint32_t n_samples; /* at the codec's sample rate */
    uint8_t pt;
    uint16_t len;
    uint8_t payload[PL_MEDIA_PAYLOAD_MAX];
} pl_voice_packet;

typedef struct pl_packet_buffer {
    pl_voice_packet *slot;               /* PL_PACKET_BUFFER_MAX of them */
    uint8_t order[PL_PACKET_BUFFER_MAX]; /* slots by ext_seq, oldest first; behind n: the free ones */
    size_t n;
    uint64_t n_flushed, n_duplicate; /* packets */
} pl_packet_buffer;

PL_NODISCARD pl_err pl_packet_buffer_init(pl_packet_buffer *b);
void pl_packet_buffer_clear(pl_packet_buffer *b);
/* A slot to fill for ext_seq, or NULL: there already. */
pl_voice_packet *pl_packet_buffer_insert(pl_packet_buffer *b, int64_t ext_seq);
/* The oldest, or NULL; and the one behind position i. */
const pl_voice_packet *pl_packet_buffer_at(const pl_packet_buffer *b, size_t i);
void pl_packet_buffer_drop(pl_packet_buffer *b); /* the oldest */
void pl_packet_buffer_flush(pl_packet_buffer *b);
size_t pl_packet_buffer_samples(const pl_packet_buffer *b); /* at the codec's sample rate */

#endif
