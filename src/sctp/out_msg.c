/* Outgoing messages: what they are made of, and when it is given back. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/block.h"
#include "base/time.h"
#include "sctp/streams.h"

size_t pl_sctp_out_msg_cost(size_t len)
{
    return sizeof(pl_sctp_out_msg) + len;
}

static pl_sctp_out_msg *new_msg(pl_sctp_streams *st, size_t room)
{
    pl_sctp_out_msg *m = pl_block_get(sizeof *m + room);
    if (!m)
        return NULL;
    *m = (pl_sctp_out_msg){ .expires_us = PL_NEVER, .max_retransmits = UINT32_MAX, .n_refs = 1 };
    m->own = (uint32_t)room;
    st->total += pl_sctp_out_msg_cost(room);
    return m;
}

static bool need_extra(pl_sctp_streams *st, pl_sctp_out_msg *m)
{
    if (m->extra)
        return true;
    m->extra = calloc(1, sizeof *m->extra);
    if (!m->extra)
        return false;
    m->extra->msg = m;
    st->total += sizeof *m->extra;
    return true;
}

static void set_bytes(pl_sctp_out_msg *m, const uint8_t *data, size_t len)
{
    m->at = data;
    m->len = m->left = m->n_at = (uint32_t)len;
}

pl_sctp_out_msg *pl_sctp_out_msg_new(pl_sctp_streams *st, const void *data, size_t len)
{
    pl_sctp_out_msg *m = new_msg(st, len);
    if (!m)
        return NULL;
    memcpy(m->data, data, len);
    set_bytes(m, m->data, len);
    return m;
}

pl_sctp_out_msg *pl_sctp_out_msg_lent(pl_sctp_streams *st, const pl_sctp_lent *bytes)
{
    pl_sctp_out_msg *m = new_msg(st, 0);
    if (!m || !need_extra(st, m)) {
        if (m)
            pl_sctp_out_msg_unref(st, m);
        return NULL;
    }
    set_bytes(m, bytes->data, bytes->len);
    m->extra->release = bytes->release;
    m->extra->user = bytes->user;
    m->extra->n_lent = bytes->len;
    st->total += bytes->len;
    return m;
}

pl_sctp_out_msg *pl_sctp_out_msg_streamed(pl_sctp_streams *st)
{
    pl_sctp_out_msg *m = new_msg(st, 0);
    if (m && !need_extra(st, m)) {
        pl_sctp_out_msg_unref(st, m);
        return NULL;
    }
    if (m)
        m->unended = true;
    return m;
}

/* --- parts --- */

/* Bytes may still be added to the last part while some of it are not taken: the TSN that takes the last ones ends it. */
static uint32_t spare(const pl_sctp_out_msg *m)
{
    const pl_sctp_out_part *last = m && m->extra ? m->extra->last : NULL;
    return last && m->left > 0 ? last->cap - last->len : 0;
}

static uint32_t part_room(size_t len)
{
    return len < PL_SCTP_OUT_PART_LEAST ? PL_SCTP_OUT_PART_LEAST : (uint32_t)len;
}

size_t pl_sctp_out_part_cost(const pl_sctp_out_msg *m, size_t len)
{
    size_t free_room = spare(m), head = m ? 0 : sizeof(pl_sctp_out_msg) + sizeof(pl_sctp_out_extra);
    return head + (len > free_room ? sizeof(pl_sctp_out_part) + part_room(len - free_room) : 0);
}

static void link_part(pl_sctp_out_extra *x, pl_sctp_out_part *part)
{
    if (x->last)
        x->last->next = part;
    else
        x->first = part;
    x->last = part;
}

/* The next bytes to be taken stand in this part, from `at` on. */
static void take_from(pl_sctp_out_msg *m, pl_sctp_out_part *part, uint32_t at)
{
    m->extra->from = part;
    m->at = part ? part->data + at : NULL;
    m->n_at = part ? part->len - at : 0;
}

pl_err pl_sctp_out_msg_append(pl_sctp_streams *st, pl_sctp_out_msg *m, const uint8_t *data, size_t len)
{
    pl_sctp_out_extra *x = m->extra;
    uint32_t fill = spare(m);
    fill = len < fill ? (uint32_t)len : fill;
    pl_sctp_out_part *part = NULL;
    if (len > fill) {
        uint32_t cap = part_room(len - fill);
        part = malloc(sizeof *part + cap);
        if (!part)
            return PL_ENOMEM;
        *part = (pl_sctp_out_part){ .len = (uint32_t)(len - fill), .cap = cap };
        memcpy(part->data, data + fill, len - fill);
        st->total += sizeof *part + cap;
    }
    if (fill > 0) {
        memcpy(x->last->data + x->last->len, data, fill);
        x->last->len += fill;
        if (x->from == x->last)
            m->n_at += fill;
    }
    if (part) {
        link_part(x, part);
        if (!x->from)
            take_from(m, part, 0);
    }
    m->len += len;
    m->left += (uint32_t)len;
    return PL_OK;
}

void pl_sctp_out_msg_advance(pl_sctp_out_msg *m, uint32_t n)
{
    assert(n <= m->n_at);
    m->at += n;
    m->n_at -= n;
    m->left -= n;
    if (m->n_at == 0 && m->extra && m->extra->from)
        take_from(m, m->extra->from->next, 0);
}

void pl_sctp_out_msg_pop_part(pl_sctp_streams *st, pl_sctp_out_msg *m)
{
    pl_sctp_out_extra *x = m->extra;
    pl_sctp_out_part *part = x->first;
    assert(part != x->from);
    x->first = part->next;
    if (!x->first)
        x->last = NULL;
    st->total -= sizeof *part + part->cap;
    free(part);
}

/* --- what RFC 7496 3.4 may let go --- */

pl_err pl_sctp_out_msg_limit(pl_sctp_streams *st, pl_sctp_out_msg *m, uint32_t priority)
{
    if (!need_extra(st, m))
        return PL_ENOMEM;
    int64_t key = (int64_t)(UINT32_MAX - priority) << 31 | (st->n_limited_ever++ & INT32_MAX);
    pl_heap_set(&st->limited, &m->extra->in_limited, key);
    return PL_OK;
}

void pl_sctp_out_msg_unlimit(pl_sctp_streams *st, pl_sctp_out_msg *m)
{
    if (m->extra)
        pl_heap_remove(&st->limited, &m->extra->in_limited);
}

pl_sctp_out_msg *pl_sctp_streams_dispensable(const pl_sctp_streams *st, uint32_t priority)
{
    pl_heap_node *n = pl_heap_first(&st->limited);
    if (!n || UINT32_MAX - (n->at_us >> 31) <= priority)
        return NULL;
    return pl_of(n, pl_sctp_out_extra, in_limited)->msg;
}

/* --- the end --- */

static void free_extra(pl_sctp_streams *st, pl_sctp_out_msg *m)
{
    pl_sctp_out_extra *x = m->extra;
    x->from = NULL;
    while (x->first)
        pl_sctp_out_msg_pop_part(st, m);
    pl_sctp_out_msg_unlimit(st, m);
    st->total -= sizeof *x + x->n_lent;
    if (x->release)
        x->release(x->user);
    free(x);
}

void pl_sctp_out_msg_unref(pl_sctp_streams *st, pl_sctp_out_msg *m)
{
    assert(m->n_refs > 0);
    if (--m->n_refs > 0)
        return;
    assert(st->total >= pl_sctp_out_msg_cost(m->own));
    st->total -= pl_sctp_out_msg_cost(m->own);
    if (m->extra)
        free_extra(st, m);
    pl_block_put(m, sizeof *m + m->own);
}

pl_sctp_out_msg *pl_sctp_out_msg_tombstone(pl_sctp_streams *st, const pl_sctp_out_msg *m)
{
    if (m->own < PL_SCTP_OUT_GRAVE && !m->extra)
        return NULL;
    pl_sctp_out_msg *t = new_msg(st, 0);
    if (!t)
        return NULL;
    t->sid = m->sid;
    t->ppid = m->ppid;
    t->mid = m->mid;
    t->unordered = m->unordered;
    t->begun = t->abandoned = true;
    t->first_tsn = m->first_tsn;
    t->last_tsn = m->last_tsn;
    return t;
}
