#include "desc/arena.h"

#include <stdlib.h>

#include "desc/description.h"

enum { BLOCK_MIN = 1024, BLOCK_MAX = 64 * 1024, ALIGN = 8 };

static pl_desc_block *new_block(pl_desc_arena *a, size_t n)
{
    size_t size = a->block && a->block->size * 2 > BLOCK_MIN ? a->block->size * 2 : BLOCK_MIN;
    if (size > BLOCK_MAX)
        size = BLOCK_MAX;
    if (size < n)
        size = n;
    pl_desc_block *b = malloc(sizeof *b + size);
    if (!b) {
        a->err = PL_ENOMEM;
        return NULL;
    }
    *b = (pl_desc_block){ .next = a->block, .size = size };
    a->block = b;
    a->held += sizeof *b + size;
    return b;
}

/* Bytes of a text need no alignment, so texts fill the gaps that structures would leave. */
static void *get(pl_desc_arena *a, size_t n, size_t align)
{
    if (a->err)
        return NULL;
    size_t bytes = (a->bytes + align - 1) / align * align + n;
    if (n > PL_DESC_BYTES_MAX || bytes > PL_DESC_BYTES_MAX) {
        a->err = PL_ENOSPC;
        return NULL;
    }
    pl_desc_block *b = a->block;
    size_t at = b ? (b->used + align - 1) / align * align : 0;
    if (!b || at > b->size || n > b->size - at) {
        b = new_block(a, n);
        at = 0;
    }
    if (!b)
        return NULL;
    b->used = at + n;
    a->bytes = bytes;
    return (char *)(b + 1) + at;
}

void *pl_desc_arena_get(pl_desc_arena *a, size_t n)
{
    void *p = get(a, n, ALIGN);
    if (p)
        memset(p, 0, n);
    return p;
}

static size_t hash(pl_str text)
{
    uint32_t h = 2166136261u; /* FNV-1a: only a guess where to look, so peers gain nothing by collisions */
    for (size_t i = 0; i < text.n; i++)
        h = (h ^ (uint8_t)text.p[i]) * 16777619u;
    return h % PL_DESC_RECENT;
}

const char *pl_desc_arena_text(pl_desc_arena *a, pl_str text)
{
    if (!a->err && (text.n > PL_DESC_TEXT_MAX || (text.n && memchr(text.p, 0, text.n))))
        a->err = PL_ENOSPC;
    if (a->err)
        return "";
    size_t slot = hash(text);
    if (a->recent[slot] && pl_str_is(text, a->recent[slot]))
        return a->recent[slot];
    char *copy = get(a, text.n + 1, 1);
    if (!copy)
        return "";
    if (text.n)
        memcpy(copy, text.p, text.n);
    copy[text.n] = 0;
    return a->recent[slot] = copy;
}

void pl_desc_arena_clear(pl_desc_arena *a)
{
    while (a->block && a->block->next) {
        pl_desc_block *b = a->block;
        a->block = b->next;
        a->held -= sizeof *b + b->size;
        free(b);
    }
}
