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
    /* data: len bytes, lent for the call; text is UTF-8 without a final zero. Text that is none is dropped and
     * counted, as Chromium does. */
    void (*on_message)(void *user, pl_data_channel *channel, const uint8_t *data, size_t len, bool binary);
    /* buffered_amount has fallen to the threshold or below (W3C bufferedamountlow). */
    void (*on_buffered_amount_low)(void *user, pl_data_channel *channel);
    void (*on_close)(void *user, pl_data_channel *channel);
    /* Set: messages come here as their bytes arrive, and on_message is not called. A message begins with `first`,
     * goes on without a gap or another message of the channel between, and ends with `last`; a short one is both in
     * one call. Its length has no limit but the one our description announces (pl_configuration.max_message_size),
     * and no more of it is held than what waits for this call. Pieces are as large as came together, never empty
     * except for an empty message. data is lent for the call. Text is not checked here: a character may be divided
     * between two pieces. A message that the sender gave up half way (partial reliability, a channel closed or a
     * connection lost in the middle) has no last piece: the next begins with `first`, or on_close comes. */
    void (*on_piece)(void *user, pl_data_channel *channel, const uint8_t *data, size_t len, bool binary,
                     bool first, bool last);
} pl_data_channel_observer;

/* The observer of a channel that the peer opened; call it inside on_data_channel. Later it is for the signaling
 * thread (inside a callback). */
PL_API void pl_data_channel_set_observer(pl_data_channel *channel, const pl_data_channel_observer *observer);

/* Queues one message; 0 bytes is a message too. The bytes are copied once, before it returns.
 * Errors: PL_ESTATE (not open, or a stream of one message is under way), PL_EINVAL (larger than the peer's maximum
 * message size, see pl_data_channel_max_message_size; text that is not UTF-8), PL_EAGAIN (the send buffer is full:
 * nothing was queued; on_buffered_amount_low tells when to go on), PL_ENOMEM. Blocks nobody. */
PL_NODISCARD PL_API pl_err pl_data_channel_send(pl_data_channel *channel, const void *data, size_t len,
                                                bool binary);
/* The same for zero-terminated UTF-8 text. */
PL_NODISCARD PL_API pl_err pl_data_channel_send_text(pl_data_channel *channel, const char *text);

/* The same without a copy: packets are made from the caller's bytes, which must stay unchanged until
 * release(user). That runs exactly once when this returned PL_OK, and not at all otherwise: on the signaling thread
 * once the peer has acknowledged the bytes or they were given up (partial reliability, the end of the channel or the
 * connection), or inside pl_peer_connection_free, on the thread that calls it; also when the channel's handle was
 * freed before. Errors: as pl_data_channel_send. */
PL_NODISCARD PL_API pl_err pl_data_channel_send_lent(pl_data_channel *channel, const void *data, size_t len,
                                                     bool binary, void (*release)(void *user), void *user);

enum {
    PL_STREAM_ONE_MESSAGE = 0, /* for pl_data_stream.message_size */
    PL_STREAM_FITTING = 1 /* messages of the size that is best: 64 KiB, or less when the peer takes less */
};

/* Bytes that are asked for as the peer takes them; copied by pl_data_channel_send_stream. */
typedef struct pl_data_stream {
    void *user;
    /* Writes up to cap bytes into `into` and returns how many. 0: the end. PL_EAGAIN: nothing yet, and
     * pl_data_channel_stream_ready will be called. Any other negative number, a pl_err: the stream is given up.
     * Runs on the signaling thread. */
    long (*read)(void *user, pl_data_channel *channel, uint8_t *into, size_t cap);
    /* Once, after the last read, on the signaling thread; may be NULL. PL_OK: all has been sent, and is repeated
     * until it has arrived (the on_close of a pl_data_channel_close made now tells that it has). Otherwise what read
     * returned; PL_EPROTO: read gave more or less than `length`; PL_ESTATE: the peer closed the channel;
     * PL_EIO: the connection is gone. */
    void (*done)(void *user, pl_data_channel *channel, pl_err err);
    bool binary;
    uint64_t length;     /* bytes in all, if known: read must give exactly so many. 0: not known */
    size_t message_size; /* the bytes go as messages of this size, the last of what is left; or PL_STREAM_… */
} pl_data_stream;

/* Sends a stream: about a megabyte is read ahead of what has been sent, so any length needs little memory.
 * As one message it must be within what the peer takes (without a length: the peer must take any). In the meantime other
 * sends on this channel return PL_ESTATE; towards peers without I-DATA (RFC 8260; browsers) the other channels of
 * the connection wait, too. As several messages the streams of a connection share its rate by the
 * channels' priorities, and messages sent in the meantime go between.
 * A stream that is given up in the middle of a message closes its channel, for the peer must not take the
 * beginning for the whole. pl_data_channel_close lets a stream go to its end first; pl_data_channel_free gives it
 * up, without a further callback. 0 bytes: an empty message. Text is not checked.
 * Errors: PL_ESTATE (not open, or another stream of this channel is under way), PL_EINVAL (no read; larger than the
 * peer's maximum message size), PL_ENOMEM. */
PL_NODISCARD PL_API pl_err pl_data_channel_send_stream(pl_data_channel *channel,
                                                       const pl_data_stream *stream);
/* After read returned PL_EAGAIN: ask again. Any thread; more often than needed is fine. */
PL_API void pl_data_channel_stream_ready(pl_data_channel *channel);

/* A part of a file as binary messages. */
typedef struct pl_data_file {
    int fd; /* lent until done; read at offsets of its own, whatever its position. A regular file */
    uint64_t offset, length; /* length 0: to the end, as long as the file is now */
    size_t message_size;     /* as in pl_data_stream, 0 (PL_STREAM_ONE_MESSAGE) included */
    void *user;
    /* As pl_data_stream.done. PL_EIO also when the file could not be read, PL_EPROTO when it has become shorter. */
    void (*done)(void *user, pl_data_channel *channel, pl_err err);
} pl_data_file;

/* pl_data_channel_send_stream of a file. It is read by threads made for that: a slow disk holds up nobody.
 * Errors: as pl_data_channel_send_stream, and PL_EIO (not a regular file, or not open). */
PL_NODISCARD PL_API pl_err pl_data_channel_send_file(pl_data_channel *channel, const pl_data_file *file);

/* No message is delivered until resume. What arrives is held, within the connection's receive window: when that is
 * full the peer stops sending, on every channel of the connection, since they share it. Nothing is lost,
 * and on_close waits behind what is held. When pause returns inside a callback, that callback was the last. Any
 * thread; twice is the same as once. */
PL_API void pl_data_channel_pause(pl_data_channel *channel);
PL_API void pl_data_channel_resume(pl_data_channel *channel);

/* The longest message that the peer takes, as its description says (W3C RTCSctpTransport.maxMessageSize); SIZE_MAX:
 * any. 65,536 while there is none. */
PL_API size_t pl_data_channel_max_message_size(pl_data_channel *channel);
/* Bytes of user data queued and not yet sent for the first time. */
PL_API size_t pl_data_channel_buffered_amount(pl_data_channel *channel);
PL_API void pl_data_channel_set_buffered_amount_low_threshold(pl_data_channel *channel, size_t bytes);

PL_API pl_data_channel_state pl_data_channel_get_state(pl_data_channel *channel);
PL_API const char *pl_data_channel_state_str(pl_data_channel_state state); /* "connecting" … */
/* Constant for the handle's life. */
PL_API const char *pl_data_channel_label(pl_data_channel *channel);
PL_API const char *pl_data_channel_protocol(pl_data_channel *channel);
/* How it was made, by whichever side: order, limits, protocol (the channel's own text), priority as it counts here. id is
 * right once pl_data_channel_id is not -1. */
PL_API void pl_data_channel_get_init(pl_data_channel *channel, pl_data_channel_init *out);
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
