#include "base/ring.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Heads stand on cache lines of their own, so the two threads do not share one. */
struct pl_ring {
    _Alignas(64) _Atomic size_t pushed;
    _Alignas(64) _Atomic size_t popped;
    _Alignas(64) size_t msg_size;
    size_t copy_size;
    size_t mask;
    uint8_t *slot;
};

pl_err pl_ring_new(pl_ring **out, size_t msg_size, size_t capacity)
{
    *out = NULL;
    size_t n = 2;
    while (n < capacity)
        n *= 2;
    pl_ring *r = aligned_alloc(64, sizeof *r);
    if (!r)
        return PL_ENOMEM;
    memset(r, 0, sizeof *r);
    r->copy_size = msg_size;
    msg_size = (msg_size + 15) & ~(size_t)15;
    r->slot = malloc(n * msg_size);
    if (!r->slot) {
        free(r);
        return PL_ENOMEM;
    }
    r->msg_size = msg_size;
    r->mask = n - 1;
    *out = r;
    return PL_OK;
}

void pl_ring_free(pl_ring *r)
{
    if (!r)
        return;
    free(r->slot);
    free(r);
}

void *pl_ring_reserve(pl_ring *r)
{
    size_t at = atomic_load_explicit(&r->pushed, memory_order_relaxed);
    if (at - atomic_load_explicit(&r->popped, memory_order_acquire) > r->mask)
        return NULL;
    return r->slot + (at & r->mask) * r->msg_size;
}

void pl_ring_commit(pl_ring *r)
{
    size_t at = atomic_load_explicit(&r->pushed, memory_order_relaxed);
    atomic_store_explicit(&r->pushed, at + 1, memory_order_release);
}

const void *pl_ring_peek(pl_ring *r)
{
    size_t at = atomic_load_explicit(&r->popped, memory_order_relaxed);
    if (at == atomic_load_explicit(&r->pushed, memory_order_acquire))
        return NULL;
    return r->slot + (at & r->mask) * r->msg_size;
}

void pl_ring_drop(pl_ring *r)
{
    size_t at = atomic_load_explicit(&r->popped, memory_order_relaxed);
    atomic_store_explicit(&r->popped, at + 1, memory_order_release);
}

size_t pl_ring_len(const pl_ring *r)
{
    size_t popped = atomic_load_explicit(&r->popped, memory_order_acquire);
    return atomic_load_explicit(&r->pushed, memory_order_acquire) - popped;
}

bool pl_ring_push(pl_ring *r, const void *msg)
{
    void *slot = pl_ring_reserve(r);
    if (!slot)
        return false;
    memcpy(slot, msg, r->copy_size);
    pl_ring_commit(r);
    return true;
}

bool pl_ring_pop(pl_ring *r, void *msg)
{
    const void *slot = pl_ring_peek(r);
    if (!slot)
        return false;
    memcpy(msg, slot, r->copy_size);
    pl_ring_drop(r);
    return true;
}
