/* data_channel.h - the W3C's RTCDataChannel in C (RFC 8831, RFC 8832).
 * Threads and ownership as in peer_connection.h. A handle outlives its connection; calls on it then find the
 * channel closed. */
#ifndef PEERLINE_DATA_CHANNEL_H
#define PEERLINE_DATA_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "peerline/error.h"
#include "peerline/export.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pl_data_channel pl_data_channel;

typedef enum pl_data_channel_state {
    PL_CHANNEL_CONNECTING,
    PL_CHANNEL_OPEN,
    PL_CHANNEL_CLOSING,
    PL_CHANNEL_CLOSED
} pl_data_channel_state;

/* W3C RTCDataChannelInit. A zeroed one is: ordered, reliable, in-band. */
typedef struct pl_data_channel_init {
    bool unordered;
    bool has_max_packet_life_time; /* partially reliable by time … */
    uint16_t max_packet_life_time; /* milliseconds */
    bool has_max_retransmits;      /* … or by number of retransmissions; never both */
    uint16_t max_retransmits;
    const char *protocol; /* NULL: "" */
    bool negotiated;      /* both sides make the channel with the same id; nothing travels in-band */
    uint16_t id;          /* with negotiated: 0 to 65534 */
    uint16_t priority; /* RFC 8832 8.2.1: 128 below normal, 256 normal, 512 high, 1024 extra high; 0: 256 */
} pl_data_channel_init;

/* Every callback may be NULL. */
typedef struct pl_data_channel_observer {
    void *user;
    void (*on_open)(void *user, pl_data_channel *channel);
    /* data: len bytes, lent for the call; text is UTF-8 without a final zero. */
    void (*on_message)(void *user, pl_data_channel *channel, const uint8_t *data, size_t len, bool binary);
    /* buffered_amount has fallen to the threshold or below (W3C bufferedamountlow). */
    void (*on_buffered_amount_low)(void *user, pl_data_channel *channel);
    void (*on_close)(void *user, pl_data_channel *channel);
} pl_data_channel_observer;

/* The observer of a channel that the peer opened; call it inside on_data_channel. */
PL_API void pl_data_channel_set_observer(pl_data_channel *channel, const pl_data_channel_observer *observer);

/* Queues one message; 0 bytes is a message too. The bytes are copied before it returns.
 * Errors: PL_ESTATE (not open), PL_EINVAL (larger than the peer's maximum message size), PL_EAGAIN (the send
 * buffer is full: nothing was queued; on_buffered_amount_low tells when to go on). Blocks nobody. */
PL_NODISCARD PL_API pl_err pl_data_channel_send(pl_data_channel *channel, const void *data, size_t len,
                                                bool binary);
/* The same for zero-terminated UTF-8 text. */
PL_NODISCARD PL_API pl_err pl_data_channel_send_text(pl_data_channel *channel, const char *text);
/* Bytes of user data queued and not yet sent for the first time. */
PL_API size_t pl_data_channel_buffered_amount(pl_data_channel *channel);
PL_API void pl_data_channel_set_buffered_amount_low_threshold(pl_data_channel *channel, size_t bytes);

PL_API pl_data_channel_state pl_data_channel_get_state(pl_data_channel *channel);
PL_API const char *pl_data_channel_state_str(pl_data_channel_state state); /* "connecting" … */
/* Constant for the handle's life. */
PL_API const char *pl_data_channel_label(pl_data_channel *channel);
PL_API const char *pl_data_channel_protocol(pl_data_channel *channel);
/* -1 before it is known. */
PL_API int pl_data_channel_id(pl_data_channel *channel);
/* Begins closing: queued messages are sent first, then the streams are reset (RFC 8831 6.7). */
PL_API void pl_data_channel_close(pl_data_channel *channel);
/* Gives the handle back; an open channel is closed. After it returns none of the channel's callbacks runs.
 * NULL is fine. */
PL_API void pl_data_channel_free(pl_data_channel *channel);

#ifdef __cplusplus
}
#endif
#endif
