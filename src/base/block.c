#include "base/block.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The step is malloc's own: a block is no longer than it would be there. */
enum { STEP = 16, CLASSES = PL_BLOCK_MAX / STEP };

/* GCC says so by a macro, clang by a feature. */
#if defined(__SANITIZE_ADDRESS__)
enum { KEEPS = 0 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
enum { KEEPS = 0 };
#else
enum { KEEPS = 1 };
#endif
#else
enum { KEEPS = 1 };
#endif

typedef struct kept {
    struct kept *next;
} kept;

typedef struct store {
    kept *first[CLASSES]; /* by size, in steps */
    size_t bytes;
    bool known; /* the thread's end will clear it */
} store;

static _Thread_local store mine;
static pthread_key_t at_end;
static pthread_once_t made = PTHREAD_ONCE_INIT;
static bool at_end_works;

static size_t class_of(size_t size)
{
    return (size - 1) / STEP;
}

static bool is_kept(size_t size)
{
    return KEEPS && size > 0 && size <= PL_BLOCK_MAX;
}

static void clear(void *arg)
{
    store *s = arg;
    for (size_t i = 0; i < CLASSES; i++) {
        for (kept *k; (k = s->first[i]);) {
            s->first[i] = k->next;
            free(k);
        }
    }
    *s = (store){ 0 };
}

static void make_key(void)
{
    at_end_works = pthread_key_create(&at_end, clear) == 0;
}

/* What would never be given back is not kept. */
static bool is_known(void)
{
    if (!mine.known) {
        pthread_once(&made, make_key);
        mine.known = at_end_works && pthread_setspecific(at_end, &mine) == 0;
    }
    return mine.known;
}

void *pl_block_get(size_t size)
{
    if (!is_kept(size))
        return malloc(size > 0 ? size : 1);
    size_t class = class_of(size), room = (class + 1) * STEP;
    kept *k = mine.first[class];
    if (!k)
        return malloc(room);
    mine.first[class] = k->next;
    mine.bytes -= room;
    return k;
}

void pl_block_put(void *block, size_t size)
{
    if (!block || !is_kept(size) || mine.bytes + size > PL_BLOCK_KEPT || !is_known()) {
        free(block);
        return;
    }
    size_t class = class_of(size);
    kept *k = block;
    k->next = mine.first[class];
    mine.first[class] = k;
    mine.bytes += (class + 1) * STEP;
}

void *pl_block_resize(void *block, size_t old_size, size_t size)
{
    if (!is_kept(old_size) && !is_kept(size))
        return realloc(block, size > 0 ? size : 1);
    if (is_kept(old_size) && is_kept(size) && class_of(old_size) == class_of(size))
        return block;
    void *other = pl_block_get(size);
    if (!other)
        return NULL;
    memcpy(other, block, old_size < size ? old_size : size);
    pl_block_put(block, old_size);
    return other;
}
