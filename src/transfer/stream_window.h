/* stream_window.h - what a sender has read from a stream and its receiver has not stored yet, with the hash of all
 * before. So a broken connection loses nothing of what can be read only once.
 * Shape    init/clear inside the sender; zero state legal. A ring of bytes; offsets count from the stream's start.
 * Thread   its owner's. */
#ifndef PL_TRANSFER_STREAM_WINDOW_H
#define PL_TRANSFER_STREAM_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/digest.h"
#include "peerline/error.h"

typedef struct pl_transfer_stream {
    uint8_t *ring;
    size_t cap;
    uint64_t base, tail; /* kept is [base, tail) */
    pl_sha256_run run;   /* of [0, base) */
    bool ended;
} pl_transfer_stream;

/* Does nothing the second time. */
PL_NODISCARD pl_err pl_transfer_stream_init(pl_transfer_stream *s, size_t cap);
void pl_transfer_stream_clear(pl_transfer_stream *s);
size_t pl_transfer_stream_room(const pl_transfer_stream *s);
/* len is at most the room; 0: the stream has ended. */
void pl_transfer_stream_add(pl_transfer_stream *s, const void *data, size_t len);
/* What lies at pos in one piece of *n bytes; 0 at the tail. */
const uint8_t *pl_transfer_stream_at(const pl_transfer_stream *s, uint64_t pos, size_t *n);
/* So many more bytes are stored, at most what is kept. */
void pl_transfer_stream_drop(pl_transfer_stream *s, uint64_t bytes);
/* Of everything that was read. */
void pl_transfer_stream_digest(const pl_transfer_stream *s, uint8_t out[PL_SHA256_LEN]);
/* The receiver has `offset` bytes with this hash (NULL at offset 0). True, and these are dropped, when that is the
 * start of what was read and the rest is kept. */
bool pl_transfer_stream_rewind(pl_transfer_stream *s, uint64_t offset, const uint8_t *sha256);

#endif
