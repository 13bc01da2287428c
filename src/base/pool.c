#include "base/pool.h"

#include <stdlib.h>
#include <string.h>

/* A slab is a link and then its buffers; a free buffer's first bytes link to the next free one. */
enum { SLAB_BYTES = 16 * 1024, SLAB_HEAD = 16 };

void pl_pool_init(pl_pool *p, size_t size, size_t max)
{
    size = size < sizeof(void *) ? sizeof(void *) : size;
    *p = (pl_pool){ .size = (size + 15) & ~(size_t)15, .max = max };
}

void pl_pool_clear(pl_pool *p)
{
    for (void *slab = p->slabs, *next; slab; slab = next) {
        memcpy(&next, slab, sizeof next);
        free(slab);
    }
    p->slabs = p->free_list = NULL;
    p->n_used = p->n_made = 0;
}

static void give(pl_pool *p, void *buf)
{
    memcpy(buf, &p->free_list, sizeof p->free_list);
    p->free_list = buf;
}

static void make_slab(pl_pool *p)
{
    size_t n = SLAB_BYTES / p->size;
    n = n ? n : 1;
    n = n < p->max - p->n_made ? n : p->max - p->n_made;
    uint8_t *slab = n ? malloc(SLAB_HEAD + n * p->size) : NULL;
    if (!slab)
        return;
    memcpy(slab, &p->slabs, sizeof p->slabs);
    p->slabs = slab;
    for (size_t i = n; i-- > 0;)
        give(p, slab + SLAB_HEAD + i * p->size);
    p->n_made += n;
}

void *pl_pool_get(pl_pool *p)
{
    if (!p->free_list)
        make_slab(p);
    void *buf = p->free_list;
    if (!buf)
        return NULL;
    memcpy(&p->free_list, buf, sizeof p->free_list);
    p->n_used++;
    return buf;
}

void pl_pool_put(pl_pool *p, void *buf)
{
    if (!buf)
        return;
    give(p, buf);
    p->n_used--;
}
