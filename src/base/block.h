/* block.h - small blocks that come and go by the thousand: a thread keeps what it gives back, and takes it from there.
 * Source   the per-CPU caches of Bonwick's slab allocator, narrowed to one thread. libc's own cache holds seven blocks of a
 *          size, and behind it each block is joined with its neighbours and cut off again: a seventh of all the time when
 *          messages of 64 bytes are sent.
 * Shape    as malloc, only that who gives a block back tells its size. A block may be given back by another thread than
 *          took it. A thread keeps PL_BLOCK_KEPT bytes at most, and gives them back when it ends.
 * Errors   NULL without memory. Under AddressSanitizer it is malloc, so that nothing hides from it. */
#ifndef PL_BASE_BLOCK_H
#define PL_BASE_BLOCK_H

#include <stddef.h>

enum {
    PL_BLOCK_MAX = 2304,       /* longer ones are malloc's */
    PL_BLOCK_KEPT = 512 << 10, /* of a thread */
};

void *pl_block_get(size_t size);
void pl_block_put(void *block, size_t size); /* of the size it was asked for; NULL is fine */
/* What fits of the old block's bytes goes with it. NULL: the old one is as it was. */
void *pl_block_resize(void *block, size_t old_size, size_t size);

#endif
