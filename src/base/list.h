/* list.h - intrusive doubly linked list with a sentinel head.
 * Shape    a zeroed node is "in no list"; a head must be set up by pl_list_init. Nothing to free.
 *     PL_EACH(n, &agent->checklist) { struct pair *p = pl_of(n, struct pair, in_checklist); ... }
 * PL_EACH holds the next node, so the body may remove (and free) n. */
#ifndef PL_BASE_LIST_H
#define PL_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct pl_node {
    struct pl_node *prev, *next;
} pl_node;
typedef pl_node pl_list;

#define pl_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#define PL_EACH(n, list)                                                                                     \
    for (pl_node *n = (list)->next, *n##_next = n->next; n != (list); n = n##_next, n##_next = n->next)

static inline void pl_list_init(pl_list *l)
{
    l->prev = l->next = l;
}
static inline bool pl_list_empty(const pl_list *l)
{
    return l->next == l;
}
static inline bool pl_node_linked(const pl_node *n)
{
    return n->next != NULL;
}
static inline void pl_list_insert_before(pl_node *at, pl_node *n)
{
    n->prev = at->prev;
    n->next = at;
    at->prev->next = n;
    at->prev = n;
}
static inline void pl_list_push_back(pl_list *l, pl_node *n)
{
    pl_list_insert_before(l, n);
}
static inline void pl_list_push_front(pl_list *l, pl_node *n)
{
    pl_list_insert_before(l->next, n);
}
/* Removing a node that is in no list does nothing. */
static inline void pl_list_remove(pl_node *n)
{
    if (!n->next)
        return;
    n->prev->next = n->next;
    n->next->prev = n->prev;
    n->prev = n->next = NULL;
}
static inline pl_node *pl_list_first(const pl_list *l)
{
    return l->next == l ? NULL : l->next;
}
static inline pl_node *pl_list_last(const pl_list *l)
{
    return pl_list_empty(l) ? NULL : l->prev;
}
static inline pl_node *pl_list_pop_front(pl_list *l)
{
    pl_node *n = pl_list_first(l);
    if (n)
        pl_list_remove(n);
    return n;
}

/* All of `from` goes behind what is in `to`. */
static inline void pl_list_splice_back(pl_list *to, pl_list *from)
{
    if (pl_list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    pl_list_init(from);
}

#endif
