/* A message handed out before it is whole. Its bytes gather in a buffer at the end of what can be taken; when that is
 * full or taken, the next one begins. */
#include <assert.h>
#include <stdlib.h>

#include "sctp/reassembly_internal.h"

bool pl_sctp_pieces_may_begin(const pl_sctp_in_stream *s, bool unordered, int64_t mid)
{
    return s->pieces && s->pieces->on && !s->pieces->giving && (unordered || mid == s->next_mid);
}

bool pl_sctp_pieces_gives(const pl_sctp_in_stream *s, bool unordered, uint32_t mid)
{
    const pl_sctp_in_pieces *p = s->pieces;
    return p && p->giving && p->unordered == unordered && p->mid == mid;
}

static void push(pl_sctp_reassembly *r, pl_sctp_in_stream *s, pl_sctp_in_msg *m)
{
    m->msg.continues = s->pieces->begun;
    m->msg.more = true;
    s->pieces->begun = true;
    s->pieces->open = m;
    r->message_bytes += m->msg.len;
    pl_sctp_push_ready(r, s, m);
}

pl_err pl_sctp_pieces_begin(pl_sctp_reassembly *r, pl_sctp_in_stream *s, bool unordered, uint32_t mid,
                            uint32_t ppid, pl_sctp_in_msg *first)
{
    pl_sctp_in_pieces *p = s->pieces;
    pl_sctp_data like = { .sid = s->sid, .ppid = ppid, .flags = unordered ? PL_SCTP_DATA_U : 0 };
    p->spare = pl_sctp_in_msg_new(r, &like, 0);
    if (!p->spare)
        return PL_ENOMEM;
    p->giving = true;
    p->begun = false;
    p->unordered = unordered;
    p->mid = mid;
    p->ppid = ppid;
    if (first)
        push(r, s, first);
    return PL_OK;
}

static size_t room(const pl_sctp_in_stream *s)
{
    const pl_sctp_in_msg *m = s->pieces->open;
    return m ? m->cap - m->msg.len : 0;
}

static size_t cap_for(const pl_sctp_reassembly *r, size_t len)
{
    size_t cap = r->sparing ? PL_SCTP_PIECE_LEAST : r->piece_cap;
    return len > cap ? len : cap;
}

/* Full before it was taken: the next one may be longer, though it never is much beside what a window holds. */
static void lengthen(pl_sctp_reassembly *r)
{
    if (r->piece_cap < PL_SCTP_PIECE_MOST && r->piece_cap < r->max_message / 4)
        r->piece_cap *= 2;
}

size_t pl_sctp_pieces_growth(const pl_sctp_reassembly *r, const pl_sctp_in_stream *s, size_t len)
{
    if (len <= room(s))
        return 0;
    return sizeof(pl_sctp_in_msg) + PL_SCTP_BLOCK + cap_for(r, len - room(s));
}

static void fill(pl_sctp_reassembly *r, pl_sctp_in_stream *s, const uint8_t *data, size_t len)
{
    pl_sctp_in_msg *m = s->pieces->open;
    memcpy(m->data + m->msg.len, data, len);
    m->msg.len += len;
    r->message_bytes += len;
}

/* Pieces are filled to the brim: an end of each that is left empty would add up to more than the window has room for. */
pl_err pl_sctp_pieces_add(pl_sctp_reassembly *r, pl_sctp_in_stream *s, const uint8_t *data, size_t len)
{
    pl_sctp_in_pieces *p = s->pieces;
    size_t before = room(s);
    if (len > before) {
        if (p->open)
            lengthen(r);
        pl_sctp_data like = {
            .sid = s->sid, .ppid = p->ppid, .mid = p->mid, .flags = p->unordered ? PL_SCTP_DATA_U : 0
        };
        pl_sctp_in_msg *m = pl_sctp_in_msg_new(r, &like, cap_for(r, len - before));
        if (!m)
            return PL_ENOMEM;
        if (before > 0)
            fill(r, s, data, before);
        push(r, s, m);
        data += before;
        len -= before;
    }
    fill(r, s, data, len);
    return PL_OK;
}

void pl_sctp_pieces_stand_behind(pl_sctp_in_stream *s, pl_sctp_in_msg *m)
{
    pl_sctp_in_pieces *p = s->pieces;
    m->next = NULL;
    if (p->behind_last)
        p->behind_last->next = m;
    else
        p->behind = m;
    p->behind_last = m;
}

static void let_the_others_out(pl_sctp_reassembly *r, pl_sctp_in_stream *s)
{
    pl_sctp_in_pieces *p = s->pieces;
    p->giving = false;
    p->open = p->spare = NULL;
    for (pl_sctp_in_msg *m; (m = p->behind);) {
        p->behind = m->next;
        pl_sctp_push_ready(r, s, m);
    }
    p->behind_last = NULL;
}

void pl_sctp_pieces_end(pl_sctp_reassembly *r, pl_sctp_in_stream *s)
{
    pl_sctp_in_pieces *p = s->pieces;
    assert(p->open);
    p->open->msg.more = false;
    pl_sctp_in_msg_drop(r, p->spare);
    r->n_messages++;
    bool ordered = !p->unordered;
    let_the_others_out(r, s);
    if (ordered) {
        s->next_mid++;
        pl_sctp_release_waiting(r, s);
    }
}

void pl_sctp_pieces_break(pl_sctp_reassembly *r, pl_sctp_in_stream *s)
{
    pl_sctp_in_pieces *p = s->pieces;
    if (!p || !p->giving)
        return;
    if (p->begun) {
        p->spare->msg.continues = p->spare->msg.broken = true;
        pl_sctp_push_ready(r, s, p->spare);
    } else {
        pl_sctp_in_msg_drop(r, p->spare);
    }
    let_the_others_out(r, s);
}

pl_err pl_sctp_reassembly_set_pieces(pl_sctp_reassembly *r, uint16_t sid, bool on)
{
    pl_sctp_in_stream *s = on ? pl_sctp_in_stream_get(r, sid) : pl_sctp_in_stream_find(r, sid);
    if (!s)
        return on ? PL_ENOMEM : PL_OK;
    if (on && !s->pieces) {
        s->pieces = calloc(1, sizeof *s->pieces);
        if (!s->pieces)
            return PL_ENOMEM;
        r->tables += sizeof *s->pieces + PL_SCTP_BLOCK;
    }
    if (s->pieces)
        s->pieces->on = on;
    if (!on)
        return PL_OK;
    pl_err err = pl_sctp_plain_pieces(r, s);
    pl_sctp_interleaved_turn(r, s);
    return err;
}
