/* stream.h - where messages begin and end on a byte stream.
 * Source   RFC 8489 6.2.2 and RFC 8656 12.5 (STUN messages and ChannelData end to end, the latter padded to
 *          four); RFC 4571 2 (two bytes of length before each datagram, as ICE-TCP has it).
 * Shape    functions over the bytes at hand; no state, no allocation: the caller keeps what is not whole yet.
 * Errors   PL_STUN_FRAME_BROKEN: the stream cannot be followed any further, close it. */
#ifndef PL_STUN_STREAM_H
#define PL_STUN_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum {
    PL_STUN_CHANNEL_MIN = 0x4000, /* RFC 8656 12: channel numbers */
    PL_STUN_CHANNEL_MAX = 0x7fff, /* RFC 5766 11; RFC 8656 12 ends at 0x4fff, but its elders do not */
    PL_STUN_CHANNEL_HEADER_LEN = 4,
    PL_STUN_FRAME_MAX = 4 + 65535 + 3, /* most bytes of one frame, with header and padding */
    PL_FRAME_4571_HEADER_LEN = 2
};

typedef enum pl_stun_frame_kind {
    PL_STUN_FRAME_MORE,     /* not whole yet: `advance` says how many bytes must be there at least */
    PL_STUN_FRAME_MESSAGE,  /* a STUN message by its header (pl_stun_parse may still refuse it) */
    PL_STUN_FRAME_CHANNEL,  /* ChannelData, its 4-byte header included */
    PL_STUN_FRAME_DATAGRAM, /* of RFC 4571 */
    PL_STUN_FRAME_BROKEN
} pl_stun_frame_kind;

typedef struct pl_stun_frame {
    uint8_t kind;
    size_t at;      /* where the message begins in the bytes at hand (behind RFC 4571's length) */
    size_t len;     /* of the message */
    size_t advance; /* to the next one */
} pl_stun_frame;

/* max: longest message (header included) that is taken; longer ones are BROKEN, known from the header. 0: the
 * format's own limit. */
pl_stun_frame pl_stun_frame_next(const uint8_t *data, size_t len, size_t max);
pl_stun_frame pl_stun_frame_next_4571(const uint8_t *data, size_t len, size_t max);

/* Zeros that follow ChannelData of `len` bytes, header included, on a stream. */
static inline size_t pl_stun_channel_pad(size_t len)
{
    return (4 - (len & 3)) & 3;
}
/* The header of ChannelData; data_len: application bytes behind it, without padding. */
static inline void pl_stun_channel_put(uint8_t at[PL_STUN_CHANNEL_HEADER_LEN], uint16_t channel,
                                       uint16_t data_len)
{
    pl_put16(at, channel);
    pl_put16(at + 2, data_len);
}

#endif
