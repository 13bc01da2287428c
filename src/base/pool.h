/* pool.h - buffers of one size from slabs, given back to a free list.
 * Shape    one pool per loop or connection; a buffer is `size` bytes, 16-aligned. Buffers above `max` are
 *          refused, so an outsider cannot make us hold more. Belongs to its owner's thread. */
#ifndef PL_BASE_POOL_H
#define PL_BASE_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "peerline/error.h"

typedef struct pl_pool {
    size_t size, max, n_used, n_made;
    void *free_list;
    void *slabs;
} pl_pool;

/* size: bytes per buffer; max: the most buffers ever out at once. */
void pl_pool_init(pl_pool *p, size_t size, size_t max);
/* Every buffer must have come back. A zeroed pool is fine. */
void pl_pool_clear(pl_pool *p);
/* A buffer with undefined contents, or NULL at the maximum or without memory. */
void *pl_pool_get(pl_pool *p);
/* NULL is fine. */
void pl_pool_put(pl_pool *p, void *buf);

#endif
