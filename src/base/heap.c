#include "base/heap.h"

#include <stddef.h>

static pl_heap_node *meld(pl_heap_node *a, pl_heap_node *b)
{
    if (!a || !b)
        return a ? a : b;
    if (b->at_us < a->at_us) {
        pl_heap_node *t = a;
        a = b;
        b = t;
    }
    b->next = a->child; /* b becomes a's first child */
    if (b->next)
        b->next->prev = b;
    b->prev = a;
    a->child = b;
    return a;
}

/* Melds a row of siblings in pairs from the left, then the pairs from the right. */
static pl_heap_node *merge_pairs(pl_heap_node *row)
{
    pl_heap_node *pairs = NULL, *root = NULL;
    while (row) {
        pl_heap_node *a = row, *b = a->next;
        row = b ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b)
            b->next = b->prev = NULL;
        a = meld(a, b);
        a->next = pairs;
        pairs = a;
    }
    while (pairs) {
        pl_heap_node *next = pairs->next;
        pairs->next = NULL;
        root = meld(root, pairs);
        pairs = next;
    }
    return root;
}

void pl_heap_remove(pl_heap *h, pl_heap_node *n)
{
    if (!n->linked)
        return;
    pl_heap_node *below = merge_pairs(n->child);
    if (h->root == n) {
        h->root = below;
    } else {
        if (n->prev->child == n)
            n->prev->child = n->next;
        else
            n->prev->next = n->next;
        if (n->next)
            n->next->prev = n->prev;
        h->root = meld(h->root, below);
    }
    n->child = n->next = n->prev = NULL;
    n->linked = false;
}

void pl_heap_set(pl_heap *h, pl_heap_node *n, int64_t at_us)
{
    if (n->linked && n->at_us == at_us)
        return;
    pl_heap_remove(h, n);
    n->at_us = at_us;
    n->linked = true;
    h->root = meld(h->root, n);
}
