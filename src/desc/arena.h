/* arena.h - the memory of one description: pieces that are given back all at once.
 * Shape    private to desc/. Blocks grow; the first lies behind the description itself. Errors stick. */
#ifndef PL_DESC_ARENA_H
#define PL_DESC_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "peerline/error.h"

enum { PL_DESC_RECENT = 16 };

typedef struct pl_desc_block {
    struct pl_desc_block *next;
    size_t used, size; /* of the bytes that follow */
} pl_desc_block;

typedef struct pl_desc_arena {
    pl_desc_block *block; /* the newest; the oldest is `first` of the owner */
    size_t bytes;         /* what was given out would take in one block */
    size_t held;          /* from the allocator, blocks' headers included */
    pl_err err;
    const char *recent[PL_DESC_RECENT]; /* texts given out, by hash, to share equal ones */
} pl_desc_arena;

/* n zeroed bytes, aligned to 8, or NULL with a sticky error. */
void *pl_desc_arena_get(pl_desc_arena *a, size_t n);
/* A copy of the text with a final zero, shared with a recent equal one; "" with a sticky error, so that what is built
 * on can still be looked at. */
const char *pl_desc_arena_text(pl_desc_arena *a, pl_str text);
/* Frees every block but the first. */
void pl_desc_arena_clear(pl_desc_arena *a);

#endif
