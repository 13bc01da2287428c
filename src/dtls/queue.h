/* queue.h - a bounded queue of byte strings in one block of memory that exists only while it is needed.
 * Shape    zero state legal and empty; clear frees. Packets are short-lived, so the block is given back when
 *          the queue runs empty, unless it is small.
 * Errors   a queue that is full, or finds no memory, says NULL; the caller drops and counts. */
#ifndef PL_DTLS_QUEUE_H
#define PL_DTLS_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PL_DTLS_QUEUE_BYTES_MAX = 128 * 1024,
    PL_DTLS_QUEUE_KEEP = 2 * 1024, /* an empty block of this size or less is kept for the next packet */
};

typedef struct pl_dtls_queue {
    uint8_t *block;
    size_t head, tail, cap; /* entries lie in [head, tail): four bytes of length, then the bytes */
    size_t n;
} pl_dtls_queue;

void pl_dtls_queue_clear(pl_dtls_queue *q);
/* Room for an entry of up to len bytes, or NULL. Counts only after pl_dtls_queue_commit. */
uint8_t *pl_dtls_queue_reserve(pl_dtls_queue *q, size_t n_max, size_t len);
void pl_dtls_queue_commit(pl_dtls_queue *q, size_t len); /* len as reserved, or less */
/* Copies an entry in; false when it did not fit. */
bool pl_dtls_queue_push(pl_dtls_queue *q, size_t n_max, const void *data, size_t len);
/* The oldest entry, lent until the queue is next changed, or NULL. */
const uint8_t *pl_dtls_queue_peek(const pl_dtls_queue *q, size_t *len);
void pl_dtls_queue_drop(pl_dtls_queue *q);

#endif
