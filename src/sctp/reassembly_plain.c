/* DATA: TSNs say which fragments are neighbours. In order they go straight into the message, early ones wait in runs. */
#include <assert.h>
#include <stdlib.h>

#include "base/seq.h"
#include "sctp/reassembly_internal.h"

/* --- in order: straight into the message --- */

static bool belongs(const pl_sctp_in_msg *m, const pl_sctp_data *d)
{
    bool unordered = d->flags & PL_SCTP_DATA_U;
    return m->msg.sid == d->sid && m->msg.unordered == unordered && (unordered || (uint16_t)m->mid == d->mid);
}

/* The number of an unordered message says nothing, and nothing comes between its fragments. */
static bool goes_on(const pl_sctp_in_stream *s, const pl_sctp_data *d)
{
    bool unordered = d->flags & PL_SCTP_DATA_U;
    return s->sid == d->sid && pl_sctp_pieces_gives(s, unordered, unordered ? s->pieces->mid : d->mid);
}

static pl_err finish_current(pl_sctp_reassembly *r)
{
    pl_sctp_in_stream *s = pl_sctp_in_stream_get(r, r->current->msg.sid);
    if (!s)
        return PL_ENOMEM;
    pl_sctp_in_msg *m = pl_sctp_in_msg_trim(r, r->current);
    r->current = NULL;
    m->mid = pl_seq16_unwrap(s->next_mid, (uint16_t)m->mid);
    pl_sctp_deliver(r, s, m);
    return PL_OK;
}

void pl_sctp_plain_give_up(pl_sctp_reassembly *r)
{
    if (r->current || r->giving)
        r->n_orphans++;
    pl_sctp_in_msg_drop(r, r->current);
    r->current = NULL;
    if (r->giving)
        pl_sctp_pieces_break(r, r->giving);
    r->giving = NULL;
}

enum { RING_LEAST = 64, RING_KEEP = 64 };

static uint32_t ring_cap(const pl_sctp_reassembly *r, uint32_t ahead)
{
    uint32_t cap = r->cap ? r->cap : RING_LEAST;
    while (cap < ahead)
        cap *= 2;
    return cap;
}

static size_t early_growth(const pl_sctp_reassembly *r, const pl_sctp_data *d, uint32_t ahead)
{
    size_t ring = ahead > r->cap ? (ring_cap(r, ahead) - r->cap) * sizeof *r->ring : 0;
    return ring + sizeof(pl_sctp_in_msg) + PL_SCTP_BLOCK +
           d->len; /* as the fragment, or at once as a message */
}

size_t pl_sctp_plain_growth(const pl_sctp_reassembly *r, const pl_sctp_data *d, uint32_t cumulative_tsn)
{
    const pl_sctp_in_msg *m = r->current;
    bool begins = d->flags & PL_SCTP_DATA_B;
    uint32_t ahead = d->tsn - cumulative_tsn;
    if (ahead != 1)
        return early_growth(r, d, ahead);
    if (m && !begins && belongs(m, d))
        return m->msg.len + d->len <= m->cap ? 0 : pl_sctp_next_cap(r, m->cap, m->msg.len + d->len) - m->cap;
    if (r->giving && !begins && goes_on(r->giving, d))
        return pl_sctp_pieces_growth(r, r->giving, d->len);
    return begins ? sizeof *m + PL_SCTP_BLOCK + pl_sctp_first_cap(r, d) : 0;
}

static pl_err go_on_giving(pl_sctp_reassembly *r, const pl_sctp_data *d)
{
    pl_err err = pl_sctp_pieces_add(r, r->giving, d->payload, d->len);
    if (err != PL_OK || !(d->flags & PL_SCTP_DATA_E))
        return err;
    pl_sctp_in_stream *s = r->giving;
    r->giving = NULL;
    pl_sctp_pieces_end(r, s);
    return PL_OK;
}

/* The first fragment of several: it may be the first of a message that is handed out in pieces. */
static bool may_give(const pl_sctp_reassembly *r, const pl_sctp_data *d, pl_sctp_in_stream **s)
{
    if (d->flags & PL_SCTP_DATA_E)
        return false;
    *s = pl_sctp_in_stream_find(r, d->sid);
    return *s && pl_sctp_pieces_may_begin(*s, d->flags & PL_SCTP_DATA_U, pl_sctp_in_mid(*s, d));
}

static pl_err begin_giving(pl_sctp_reassembly *r, pl_sctp_in_stream *s, const pl_sctp_data *d)
{
    pl_err err = pl_sctp_pieces_begin(r, s, d->flags & PL_SCTP_DATA_U, d->mid, d->ppid, NULL);
    if (err != PL_OK)
        return err;
    err = pl_sctp_pieces_add(r, s, d->payload, d->len);
    if (err == PL_OK)
        r->giving = s;
    else
        pl_sctp_pieces_break(r, s);
    return err;
}

static pl_err into_current(pl_sctp_reassembly *r, const pl_sctp_data *d)
{
    if ((r->current ? r->current->msg.len : 0) + d->len > r->max_message)
        return PL_ENOSPC;
    bool fresh = !r->current;
    if (fresh && !(r->current = pl_sctp_in_msg_new(r, d, pl_sctp_first_cap(r, d))))
        return PL_ENOMEM;
    size_t old_len = r->current->msg.len;
    pl_err err = pl_sctp_in_msg_append(r, &r->current, d->payload, d->len);
    if (err == PL_OK && d->flags & PL_SCTP_DATA_E)
        err = finish_current(r);
    if (err != PL_OK && fresh) {
        pl_sctp_in_msg_drop(r, r->current);
        r->current = NULL;
    } else if (err != PL_OK) {
        r->current->msg.len = old_len;
    }
    return err;
}

pl_err pl_sctp_reassembly_next(pl_sctp_reassembly *r, const pl_sctp_data *d)
{
    bool begins = d->flags & PL_SCTP_DATA_B;
    pl_sctp_in_stream *s;
    if (d->interleaved)
        return pl_sctp_interleaved_take(r, d);
    if (r->giving && !begins && goes_on(r->giving, d))
        return go_on_giving(r, d);
    if (r->giving || (r->current && (begins || !belongs(r->current, d))))
        pl_sctp_plain_give_up(r);
    if (!r->current && !begins) {
        r->n_orphans++; /* its beginning was skipped, or never sent */
        return PL_OK;
    }
    if (begins && may_give(r, d, &s))
        return begin_giving(r, s, d);
    return into_current(r, d);
}

pl_err pl_sctp_plain_pieces(pl_sctp_reassembly *r, pl_sctp_in_stream *s)
{
    pl_sctp_in_msg *m = r->current;
    if (!m || m->msg.sid != s->sid)
        return PL_OK;
    if (!pl_sctp_pieces_may_begin(s, m->msg.unordered, pl_seq16_unwrap(s->next_mid, (uint16_t)m->mid)))
        return PL_OK;
    pl_err err = pl_sctp_pieces_begin(r, s, m->msg.unordered, (uint16_t)m->mid, m->msg.ppid, m);
    if (err == PL_OK) {
        r->current = NULL;
        r->giving = s;
    }
    return err;
}

/* --- early: kept aside in runs --- */

size_t pl_sctp_fragment_cost(size_t len)
{
    return sizeof(pl_sctp_fragment) + PL_SCTP_BLOCK + len;
}

static pl_sctp_fragment *fragment_at(const pl_sctp_reassembly *r, uint32_t tsn)
{
    pl_sctp_fragment *f = r->cap ? r->ring[tsn & (r->cap - 1)] : NULL;
    return f && f->tsn == tsn ? f : NULL;
}

static pl_err grow_ring(pl_sctp_reassembly *r, uint32_t ahead)
{
    if (ahead <= r->cap)
        return PL_OK;
    uint32_t cap = ring_cap(r, ahead);
    pl_sctp_fragment **ring = calloc(cap, sizeof *ring);
    if (!ring)
        return PL_ENOMEM;
    for (uint32_t i = 0; i < r->cap; i++) {
        if (r->ring[i])
            ring[r->ring[i]->tsn & (cap - 1)] = r->ring[i];
    }
    free(r->ring);
    r->tables += (cap - r->cap) * sizeof *ring;
    r->ring = ring;
    r->cap = cap;
    return PL_OK;
}

static void drop_fragment(pl_sctp_reassembly *r, pl_sctp_fragment *f)
{
    r->ring[f->tsn & (r->cap - 1)] = NULL;
    r->held -= pl_sctp_fragment_cost(f->len);
    free(f);
    if (--r->n_fragments == 0 && r->cap > RING_KEEP) { /* give back what a long gap took */
        free(r->ring);
        r->tables -= r->cap * sizeof *r->ring;
        r->ring = NULL;
        r->cap = 0;
    }
}

static bool same_message(const pl_sctp_fragment *a, const pl_sctp_fragment *b)
{
    return a->sid == b->sid && !((a->flags ^ b->flags) & PL_SCTP_DATA_U) &&
           (a->flags & PL_SCTP_DATA_U || a->ssn == b->ssn) && !(a->flags & PL_SCTP_DATA_E) &&
           !(b->flags & PL_SCTP_DATA_B);
}

/* The chunk joins the run that ends before it and the one that begins behind it. Returns the run's head. */
static pl_sctp_fragment *join_runs(pl_sctp_reassembly *r, pl_sctp_fragment *f)
{
    pl_sctp_fragment *left = fragment_at(r, f->tsn - 1), *right = fragment_at(r, f->tsn + 1);
    uint32_t first = f->tsn, last = f->tsn, bytes = f->len;
    if (left && same_message(left, f)) {
        first = left->run_other;
        bytes += left->run_bytes;
    }
    if (right && same_message(f, right)) {
        last = right->run_other;
        bytes += right->run_bytes;
    }
    pl_sctp_fragment *head = fragment_at(r, first), *tail = fragment_at(r, last);
    head->run_other = last;
    tail->run_other = first;
    head->run_bytes = tail->run_bytes = bytes;
    return head;
}

static pl_err deliver_run(pl_sctp_reassembly *r, pl_sctp_fragment *head)
{
    uint32_t last = head->run_other, bytes = head->run_bytes;
    pl_sctp_in_stream *s = pl_sctp_in_stream_get(r, head->sid);
    pl_sctp_data like = { .sid = head->sid, .mid = head->ssn, .ppid = head->ppid, .flags = head->flags };
    pl_sctp_in_msg *m = s ? pl_sctp_in_msg_new(r, &like, bytes) : NULL;
    if (!m)
        return PL_ENOMEM;
    m->mid = pl_sctp_in_mid(s, &like);
    m->tsn = head->tsn;
    m->n_tsns = last + 1 - head->tsn;
    for (uint32_t tsn = head->tsn; tsn != last + 1; tsn++) {
        pl_sctp_fragment *f = fragment_at(r, tsn);
        memcpy(m->data + m->msg.len, f->data, f->len);
        m->msg.len += f->len;
        drop_fragment(r, f);
    }
    assert(m->msg.len == bytes);
    pl_sctp_deliver(r, s, m);
    return PL_OK;
}

static pl_sctp_fragment *keep(pl_sctp_reassembly *r, const pl_sctp_data *d)
{
    pl_sctp_fragment *f = malloc(sizeof *f + d->len);
    if (!f)
        return NULL;
    *f = (pl_sctp_fragment){ .tsn = d->tsn,
                             .ppid = d->ppid,
                             .sid = d->sid,
                             .ssn = (uint16_t)d->mid,
                             .len = (uint16_t)d->len,
                             .flags = d->flags };
    memcpy(f->data, d->payload, d->len);
    r->ring[d->tsn & (r->cap - 1)] = f;
    r->n_fragments++;
    r->held += pl_sctp_fragment_cost(d->len);
    return f;
}

pl_err pl_sctp_reassembly_early(pl_sctp_reassembly *r, const pl_sctp_data *d, uint32_t cumulative_tsn)
{
    if (d->interleaved)
        return pl_sctp_interleaved_take(r, d);
    pl_err err = grow_ring(r, d->tsn - cumulative_tsn);
    if (err != PL_OK)
        return err;
    pl_sctp_fragment *f = keep(r, d);
    if (!f)
        return PL_ENOMEM;
    pl_sctp_fragment *head = join_runs(r, f);
    const pl_sctp_in_stream *s = pl_sctp_in_stream_find(r, d->sid);
    if (head->run_bytes > r->max_message) /* in pieces it goes out when its turn comes */
        return s && s->pieces && s->pieces->on ? PL_OK : PL_ENOSPC;
    bool whole = head->flags & PL_SCTP_DATA_B && fragment_at(r, head->run_other)->flags & PL_SCTP_DATA_E;
    if (whole && deliver_run(r, head) != PL_OK)
        return PL_OK; /* no memory now: it stays where it is until the gap before it is filled */
    return PL_OK;
}

/* --- the cumulative point moves --- */

pl_err pl_sctp_reassembly_reached(pl_sctp_reassembly *r, uint32_t tsn)
{
    pl_sctp_fragment *f = fragment_at(r, tsn);
    if (!f)
        return PL_OK; /* its message was whole and went out early */
    pl_sctp_data d = { .tsn = tsn,
                       .ppid = f->ppid,
                       .sid = f->sid,
                       .mid = f->ssn,
                       .flags = f->flags,
                       .payload = f->data,
                       .len = f->len };
    pl_err err = pl_sctp_reassembly_next(r, &d);
    drop_fragment(r, f);
    return err;
}

void pl_sctp_reassembly_forward(pl_sctp_reassembly *r, uint32_t old_tsn, uint32_t new_tsn)
{
    pl_sctp_plain_give_up(r);
    uint32_t n = new_tsn - old_tsn < r->cap ? new_tsn - old_tsn : r->cap;
    for (uint32_t i = 0; i < n && r->n_fragments > 0; i++) {
        pl_sctp_fragment *f = r->ring[(old_tsn + 1 + i) & (r->cap - 1)];
        if (f && pl_seq32_at_least(new_tsn, f->tsn))
            drop_fragment(r, f);
    }
}

bool pl_sctp_plain_renege(pl_sctp_reassembly *r, uint32_t cumulative_tsn, uint32_t highest_tsn, uint32_t *tsn)
{
    if (r->n_fragments == 0)
        return false;
    for (uint32_t t = highest_tsn; t != cumulative_tsn; t--) {
        pl_sctp_fragment *f = fragment_at(r, t);
        if (!f)
            continue;
        pl_sctp_fragment *head = fragment_at(r, f->run_other);
        if (head != f) { /* f was the tail of a run: the one before it becomes the tail */
            pl_sctp_fragment *tail = fragment_at(r, t - 1);
            uint32_t bytes = head->run_bytes - f->len;
            head->run_other = tail->tsn;
            tail->run_other = head->tsn;
            head->run_bytes = tail->run_bytes = bytes;
        }
        drop_fragment(r, f);
        *tsn = t;
        return true;
    }
    return false;
}

void pl_sctp_plain_drop(pl_sctp_reassembly *r)
{
    pl_sctp_plain_give_up(r);
    for (uint32_t i = 0; r->n_fragments > 0; i++) {
        if (r->ring[i])
            drop_fragment(r, r->ring[i]);
    }
    free(r->ring);
    r->tables -= r->cap * sizeof *r->ring;
    r->ring = NULL;
    r->cap = 0;
}
