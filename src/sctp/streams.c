#include "sctp/streams.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void pl_sctp_streams_init(pl_sctp_streams *st)
{
    *st = (pl_sctp_streams){ 0 };
    pl_list_init(&st->active);
    pl_list_init(&st->resets);
    pl_list_init(&st->noisy);
}

void pl_sctp_streams_clear(pl_sctp_streams *st)
{
    for (size_t p = 0; p < st->n_pages; p++) {
        for (size_t i = 0; st->page[p] && i < PL_SCTP_OUT_PAGE; i++)
            pl_sctp_streams_purge(st, &st->page[p][i]);
    }
    for (size_t p = 0; p < st->n_pages; p++) /* only now: the lists ran from page to page */
        free(st->page[p]);
    free(st->page);
    pl_sctp_streams_init(st);
}

pl_sctp_out_stream *pl_sctp_streams_find(const pl_sctp_streams *st, uint16_t sid)
{
    size_t p = sid / PL_SCTP_OUT_PAGE;
    return p < st->n_pages && st->page[p] ? &st->page[p][sid % PL_SCTP_OUT_PAGE] : NULL;
}

static bool grow(pl_sctp_streams *st, size_t n_pages)
{
    if (n_pages <= st->n_pages)
        return true;
    pl_sctp_out_stream **page = realloc(st->page, n_pages * sizeof(pl_sctp_out_stream *));
    if (!page)
        return false;
    memset(page + st->n_pages, 0, (n_pages - st->n_pages) * sizeof(pl_sctp_out_stream *));
    st->page = page;
    st->n_pages = n_pages;
    return true;
}

pl_sctp_out_stream *pl_sctp_streams_get(pl_sctp_streams *st, uint16_t sid)
{
    pl_sctp_out_stream *s = pl_sctp_streams_find(st, sid);
    size_t p = sid / PL_SCTP_OUT_PAGE;
    if (s || !grow(st, p + 1))
        return s;
    pl_sctp_out_stream *page = calloc(PL_SCTP_OUT_PAGE, sizeof *page);
    if (!page)
        return NULL;
    for (size_t i = 0; i < PL_SCTP_OUT_PAGE; i++)
        page[i].sid = (uint16_t)(p * PL_SCTP_OUT_PAGE + i);
    st->page[p] = page;
    return &page[sid % PL_SCTP_OUT_PAGE];
}

size_t pl_sctp_out_msg_cost(size_t len)
{
    return sizeof(pl_sctp_out_msg) + len;
}

pl_sctp_out_msg *pl_sctp_out_msg_new(pl_sctp_streams *st, const void *data, size_t len)
{
    pl_sctp_out_msg *m = malloc(pl_sctp_out_msg_cost(len));
    if (!m)
        return NULL;
    *m = (pl_sctp_out_msg){ .len = (uint32_t)len, .n_refs = 1 };
    memcpy(m->data, data, len);
    st->total += pl_sctp_out_msg_cost(len);
    return m;
}

void pl_sctp_out_msg_unref(pl_sctp_streams *st, pl_sctp_out_msg *m)
{
    assert(m->n_refs > 0);
    if (--m->n_refs > 0)
        return;
    assert(st->total >= pl_sctp_out_msg_cost(m->len));
    st->total -= pl_sctp_out_msg_cost(m->len);
    free(m);
}

void pl_sctp_streams_push(pl_sctp_streams *st, pl_sctp_out_stream *s, pl_sctp_out_msg *m)
{
    if (s->tail)
        s->tail->next = m;
    else
        s->head = m;
    s->tail = m;
    s->buffered += m->uncounted ? 0 : m->len;
    st->n_queued++;
    if (!pl_node_linked(&s->in_active))
        pl_list_push_back(&st->active, &s->in_active);
}

pl_sctp_out_stream *pl_sctp_streams_next(pl_sctp_streams *st)
{
    if (st->current)
        return st->current;
    pl_node *n = pl_list_first(&st->active);
    return n ? pl_of(n, pl_sctp_out_stream, in_active) : NULL;
}

static void less_buffered(pl_sctp_streams *st, pl_sctp_out_stream *s, size_t n)
{
    bool was_above = s->buffered > s->low;
    s->buffered -= n;
    if (was_above && s->buffered <= s->low)
        pl_sctp_streams_note(st, s, PL_SCTP_OUT_LOW);
}

/* The head leaves; the stream goes to the end of the row, or out of it. */
static void pop(pl_sctp_streams *st, pl_sctp_out_stream *s)
{
    pl_sctp_out_msg *m = s->head;
    s->head = m->next;
    m->next = NULL;
    if (!s->head)
        s->tail = NULL;
    pl_list_remove(&s->in_active);
    if (s->head)
        pl_list_push_back(&st->active, &s->in_active);
    if (st->current == s)
        st->current = NULL;
    st->n_queued--;
    pl_sctp_out_msg_unref(st, m);
}

void pl_sctp_streams_take(pl_sctp_streams *st, pl_sctp_out_stream *s, uint32_t n)
{
    pl_sctp_out_msg *m = s->head;
    assert(m && n <= m->len - m->taken);
    m->taken += n;
    less_buffered(st, s, m->uncounted ? 0 : n);
    st->current = s;
    if (m->taken == m->len)
        pop(st, s);
}

void pl_sctp_streams_drop(pl_sctp_streams *st, pl_sctp_out_stream *s)
{
    less_buffered(st, s, s->head->uncounted ? 0 : s->head->len - s->head->taken);
    pop(st, s);
}

size_t pl_sctp_streams_purge(pl_sctp_streams *st, pl_sctp_out_stream *s)
{
    size_t n = 0;
    for (; s->head; n++)
        pl_sctp_streams_drop(st, s);
    return n;
}

void pl_sctp_streams_renumber(pl_sctp_streams *st)
{
    for (size_t p = 0; p < st->n_pages; p++) {
        for (size_t i = 0; st->page[p] && i < PL_SCTP_OUT_PAGE; i++)
            st->page[p][i].next_ssn = 0;
    }
}

void pl_sctp_streams_note(pl_sctp_streams *st, pl_sctp_out_stream *s, uint8_t fact)
{
    s->facts |= fact;
    if (!pl_node_linked(&s->in_noisy))
        pl_list_push_back(&st->noisy, &s->in_noisy);
}

void pl_sctp_streams_check(const pl_sctp_streams *st)
{
    assert(!st->current || (st->current->head && st->current->head->taken > 0));
    assert((st->n_queued == 0) == pl_list_empty(&st->active));
    assert(st->n_queued * sizeof(pl_sctp_out_msg) <= st->total);
}
