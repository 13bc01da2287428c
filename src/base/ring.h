/* ring.h - single producer, single consumer ring of fixed-size messages; the only bridge between a media
 * thread and the loop.
 * Shape    capacity is rounded up to a power of two; wait-free on both sides; nothing is allocated after new.
 * Thread   push from one thread, pop from one other. */
#ifndef PL_BASE_RING_H
#define PL_BASE_RING_H

#include <stdbool.h>
#include <stddef.h>

#include "peerline/error.h"

typedef struct pl_ring pl_ring;

PL_NODISCARD pl_err pl_ring_new(pl_ring **out, size_t msg_size, size_t capacity);
/* NULL is fine. Both threads must be done with it. */
void pl_ring_free(pl_ring *r);
/* Copies one message in; false when full. */
bool pl_ring_push(pl_ring *r, const void *msg);
/* Copies one message out; false when empty. */
bool pl_ring_pop(pl_ring *r, void *msg);
/* In place: the slot to fill, or NULL when full; then commit. And the oldest message, or NULL; then drop. */
void *pl_ring_reserve(pl_ring *r);
void pl_ring_commit(pl_ring *r);
const void *pl_ring_peek(pl_ring *r);
void pl_ring_drop(pl_ring *r);
/* Messages in it now; exact on neither side, never more than were pushed. */
size_t pl_ring_len(const pl_ring *r);

#endif
