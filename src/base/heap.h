/* heap.h - intrusive pairing heap of deadlines, shared by thousands of objects.
 * Source   Fredman, Sedgewick, Sleator, Tarjan 1986 (two-pass pairing).
 * Shape    embed a pl_heap_node; zero state legal ("in no heap"); no allocation; O(1) insert and minimum,
 *          O(log n) amortised removal. Equal deadlines come out in any order.
 * Units    microseconds. */
#ifndef PL_BASE_HEAP_H
#define PL_BASE_HEAP_H

#include <stdbool.h>
#include <stdint.h>

typedef struct pl_heap_node {
    struct pl_heap_node *child, *next, *prev; /* prev: elder sibling, or parent for the first child */
    int64_t at_us;
    bool linked;
} pl_heap_node;

typedef struct pl_heap {
    pl_heap_node *root;
} pl_heap;

/* Inserts n, or moves it when it is linked already. */
void pl_heap_set(pl_heap *h, pl_heap_node *n, int64_t at_us);
/* Removing a node that is not linked does nothing. */
void pl_heap_remove(pl_heap *h, pl_heap_node *n);
/* The node with the earliest deadline, or NULL. */
static inline pl_heap_node *pl_heap_first(const pl_heap *h)
{
    return h->root;
}

#endif
