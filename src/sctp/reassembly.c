#include "sctp/reassembly.h"

#include <assert.h>
#include <stdlib.h>

#include "base/seq.h"

enum { RING_LEAST = 64, HINT_LEAST = 4096, RING_KEEP = 256 };

void pl_sctp_reassembly_init(pl_sctp_reassembly *r, size_t max_message)
{
    *r = (pl_sctp_reassembly){ .max_message = max_message };
    pl_list_init(&r->noisy);
}

/* --- streams --- */

static pl_sctp_in_stream *find_stream(const pl_sctp_reassembly *r, uint16_t sid)
{
    size_t p = sid / PL_SCTP_IN_PAGE;
    return p < r->n_pages && r->page[p] ? &r->page[p][sid % PL_SCTP_IN_PAGE] : NULL;
}

static bool grow_pages(pl_sctp_reassembly *r, size_t n_pages)
{
    if (n_pages <= r->n_pages)
        return true;
    pl_sctp_in_stream **page = realloc(r->page, n_pages * sizeof(pl_sctp_in_stream *));
    if (!page)
        return false;
    memset(page + r->n_pages, 0, (n_pages - r->n_pages) * sizeof(pl_sctp_in_stream *));
    r->page = page;
    r->n_pages = n_pages;
    return true;
}

static pl_sctp_in_stream *get_stream(pl_sctp_reassembly *r, uint16_t sid)
{
    pl_sctp_in_stream *s = find_stream(r, sid);
    size_t p = sid / PL_SCTP_IN_PAGE;
    if (s || !grow_pages(r, p + 1))
        return s;
    pl_sctp_in_stream *page = calloc(PL_SCTP_IN_PAGE, sizeof *page);
    if (!page)
        return NULL;
    for (size_t i = 0; i < PL_SCTP_IN_PAGE; i++)
        page[i].sid = (uint16_t)(p * PL_SCTP_IN_PAGE + i);
    r->page[p] = page;
    return &page[sid % PL_SCTP_IN_PAGE];
}

/* --- messages --- */

static size_t cost(const pl_sctp_in_msg *m)
{
    return sizeof *m + m->cap;
}

static void drop_msg(pl_sctp_reassembly *r, pl_sctp_in_msg *m)
{
    if (!m)
        return;
    r->held -= cost(m);
    free(m);
}

static pl_sctp_in_msg *new_msg(pl_sctp_reassembly *r, const pl_sctp_data *d, size_t cap)
{
    pl_sctp_in_msg *m = malloc(sizeof *m + cap);
    if (!m)
        return NULL;
    *m = (pl_sctp_in_msg){ .cap = cap, .ssn = (uint16_t)d->mid };
    m->msg = (pl_sctp_msg){ .sid = d->sid, .ppid = d->ppid, .unordered = d->flags & PL_SCTP_DATA_U };
    r->held += cost(m);
    return m;
}

static void make_ready(pl_sctp_reassembly *r, pl_sctp_in_stream *s, pl_sctp_in_msg *m)
{
    m->msg.data = m->data;
    m->msg.memory = m;
    m->next = NULL;
    if (r->ready_last)
        r->ready_last->next = m;
    else
        r->ready = m;
    r->ready_last = m;
    s->n_ready++;
    r->n_messages++;
    r->message_bytes += m->msg.len;
}

/* Ordered messages leave the heap as long as the next number is on top. Numbers that are past are duplicates
 * that only a peer breaking its protocol can make. */
static void release_waiting(pl_sctp_reassembly *r, pl_sctp_in_stream *s)
{
    for (pl_heap_node *n; (n = pl_heap_first(&s->waiting)) && n->at_us <= s->next_ssn;) {
        pl_sctp_in_msg *m = pl_of(n, pl_sctp_in_msg, waiting);
        pl_heap_remove(&s->waiting, n);
        if (m->waiting.at_us < s->next_ssn) {
            r->n_orphans++;
            drop_msg(r, m);
            continue;
        }
        s->next_ssn++;
        make_ready(r, s, m);
    }
}

static void deliver(pl_sctp_reassembly *r, pl_sctp_in_stream *s, pl_sctp_in_msg *m)
{
    if (m->msg.unordered) {
        make_ready(r, s, m);
    } else if (m->ssn == (uint16_t)s->next_ssn) {
        s->next_ssn++;
        make_ready(r, s, m);
        if (pl_heap_first(&s->waiting))
            release_waiting(r, s);
    } else {
        pl_heap_set(&s->waiting, &m->waiting, pl_seq16_unwrap(s->next_ssn, m->ssn));
        release_waiting(r, s); /* drops it when its number is past */
    }
}

/* --- in order: straight into the message --- */

static bool belongs(const pl_sctp_in_msg *m, const pl_sctp_data *d)
{
    bool unordered = d->flags & PL_SCTP_DATA_U;
    return m->msg.sid == d->sid && m->msg.unordered == unordered && (unordered || m->ssn == d->mid);
}

/* Messages of a stream tend to have one size: the last one's length makes the buffer right at once. */
static size_t first_cap(const pl_sctp_reassembly *r, const pl_sctp_data *d)
{
    if (d->flags & PL_SCTP_DATA_E)
        return d->len;
    size_t cap = r->size_hint > 2 * d->len ? r->size_hint : 2 * d->len;
    cap = cap > HINT_LEAST ? cap : HINT_LEAST;
    return cap < r->max_message ? cap : r->max_message;
}

/* Doubled, but never beyond the longest message: len is none. */
static size_t next_cap(const pl_sctp_reassembly *r, size_t cap, size_t len)
{
    while (cap < len)
        cap *= 2;
    return cap < r->max_message ? cap : r->max_message;
}

static pl_err make_room(pl_sctp_reassembly *r, pl_sctp_in_msg **m, size_t len)
{
    if (len <= (*m)->cap)
        return PL_OK;
    size_t cap = next_cap(r, (*m)->cap, len);
    pl_sctp_in_msg *bigger = realloc(*m, sizeof *bigger + cap);
    if (!bigger)
        return PL_ENOMEM;
    r->held += cap - bigger->cap;
    bigger->cap = cap;
    *m = bigger;
    return PL_OK;
}

/* Gives back what a growing buffer has too much, when that is worth a realloc. */
static pl_sctp_in_msg *trim(pl_sctp_reassembly *r, pl_sctp_in_msg *m)
{
    size_t spare = m->cap - m->msg.len;
    if (spare <= m->msg.len / 8 + 64)
        return m;
    pl_sctp_in_msg *smaller = realloc(m, sizeof *m + m->msg.len);
    if (!smaller)
        return m;
    smaller->cap = smaller->msg.len;
    r->held -= spare;
    return smaller;
}

static pl_err finish_current(pl_sctp_reassembly *r)
{
    pl_sctp_in_stream *s = get_stream(r, r->current->msg.sid);
    if (!s)
        return PL_ENOMEM;
    pl_sctp_in_msg *m = trim(r, r->current);
    r->current = NULL;
    if (m->msg.len > HINT_LEAST)
        r->size_hint = m->msg.len;
    deliver(r, s, m);
    return PL_OK;
}

static void give_up_current(pl_sctp_reassembly *r)
{
    if (r->current)
        r->n_orphans++;
    drop_msg(r, r->current);
    r->current = NULL;
}

size_t pl_sctp_reassembly_growth(const pl_sctp_reassembly *r, const pl_sctp_data *d)
{
    const pl_sctp_in_msg *m = r->current;
    bool begins = d->flags & PL_SCTP_DATA_B;
    if (m && !begins && belongs(m, d))
        return m->msg.len + d->len <= m->cap ? 0 : next_cap(r, m->cap, m->msg.len + d->len) - m->cap;
    return begins ? sizeof *m + first_cap(r, d) : 0;
}

pl_err pl_sctp_reassembly_next(pl_sctp_reassembly *r, const pl_sctp_data *d)
{
    bool begins = d->flags & PL_SCTP_DATA_B;
    if (r->current && (begins || !belongs(r->current, d)))
        give_up_current(r);
    if (!r->current && !begins) {
        r->n_orphans++; /* its beginning was skipped, or never sent */
        return PL_OK;
    }
    if ((r->current ? r->current->msg.len : 0) + d->len > r->max_message)
        return PL_ENOSPC;
    bool fresh = !r->current;
    if (fresh && !(r->current = new_msg(r, d, first_cap(r, d))))
        return PL_ENOMEM;
    size_t old_len = r->current->msg.len;
    pl_err err = make_room(r, &r->current, old_len + d->len);
    if (err == PL_OK) {
        memcpy(r->current->data + old_len, d->payload, d->len);
        r->current->msg.len = old_len + d->len;
        err = d->flags & PL_SCTP_DATA_E ? finish_current(r) : PL_OK;
    }
    if (err != PL_OK && fresh) {
        drop_msg(r, r->current);
        r->current = NULL;
    } else if (err != PL_OK) {
        r->current->msg.len = old_len;
    }
    return err;
}

/* --- early: kept aside in runs --- */

size_t pl_sctp_fragment_cost(size_t len)
{
    return sizeof(pl_sctp_fragment) + len;
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
    uint32_t cap = r->cap ? r->cap : RING_LEAST;
    while (cap < ahead)
        cap *= 2;
    pl_sctp_fragment **ring = calloc(cap, sizeof *ring);
    if (!ring)
        return PL_ENOMEM;
    for (uint32_t i = 0; i < r->cap; i++) {
        if (r->ring[i])
            ring[r->ring[i]->tsn & (cap - 1)] = r->ring[i];
    }
    free(r->ring);
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
    pl_sctp_in_stream *s = get_stream(r, head->sid);
    pl_sctp_data like = { .sid = head->sid, .mid = head->ssn, .ppid = head->ppid, .flags = head->flags };
    pl_sctp_in_msg *m = s ? new_msg(r, &like, bytes) : NULL;
    if (!m)
        return PL_ENOMEM;
    for (uint32_t tsn = head->tsn; tsn != last + 1; tsn++) {
        pl_sctp_fragment *f = fragment_at(r, tsn);
        memcpy(m->data + m->msg.len, f->data, f->len);
        m->msg.len += f->len;
        drop_fragment(r, f);
    }
    assert(m->msg.len == bytes);
    deliver(r, s, m);
    return PL_OK;
}

static pl_sctp_fragment *keep(pl_sctp_reassembly *r, const pl_sctp_data *d)
{
    pl_sctp_fragment *f = malloc(pl_sctp_fragment_cost(d->len));
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
    pl_err err = grow_ring(r, d->tsn - cumulative_tsn);
    if (err != PL_OK)
        return err;
    pl_sctp_fragment *f = keep(r, d);
    if (!f)
        return PL_ENOMEM;
    pl_sctp_fragment *head = join_runs(r, f);
    if (head->run_bytes > r->max_message)
        return PL_ENOSPC;
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
    give_up_current(r);
    uint32_t n = new_tsn - old_tsn < r->cap ? new_tsn - old_tsn : r->cap;
    for (uint32_t i = 0; i < n && r->n_fragments > 0; i++) {
        pl_sctp_fragment *f = r->ring[(old_tsn + 1 + i) & (r->cap - 1)];
        if (f && pl_seq32_at_least(new_tsn, f->tsn))
            drop_fragment(r, f);
    }
}

pl_err pl_sctp_reassembly_skip(pl_sctp_reassembly *r, pl_sctp_skip skip)
{
    pl_sctp_in_stream *s = get_stream(r, skip.sid);
    if (!s)
        return PL_ENOMEM;
    int64_t until = pl_seq16_unwrap(s->next_ssn, (uint16_t)skip.mid);
    while (s->next_ssn <= until) { /* whole messages before the skipped one still come out, in order */
        pl_heap_node *n = pl_heap_first(&s->waiting);
        s->next_ssn = n && n->at_us <= until ? n->at_us : until + 1;
        release_waiting(r, s);
    }
    return PL_OK;
}

bool pl_sctp_reassembly_renege(pl_sctp_reassembly *r, uint32_t cumulative_tsn, uint32_t highest_tsn,
                               uint32_t *tsn)
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

/* --- resets, restart, end --- */

static void drop_waiting(pl_sctp_reassembly *r, pl_sctp_in_stream *s)
{
    for (pl_heap_node *n; (n = pl_heap_first(&s->waiting));) {
        pl_heap_remove(&s->waiting, n);
        drop_msg(r, pl_of(n, pl_sctp_in_msg, waiting));
    }
}

static void reset_stream(pl_sctp_reassembly *r, pl_sctp_in_stream *s)
{
    drop_waiting(r, s);
    s->next_ssn = 0;
    s->reset = true;
    s->n_before = s->n_ready;
    if (!pl_node_linked(&s->in_noisy))
        pl_list_push_back(&r->noisy, &s->in_noisy);
}

pl_err pl_sctp_reassembly_reset(pl_sctp_reassembly *r, uint16_t sid)
{
    pl_sctp_in_stream *s = get_stream(r, sid);
    if (!s)
        return PL_ENOMEM;
    reset_stream(r, s);
    return PL_OK;
}

void pl_sctp_reassembly_reset_all(pl_sctp_reassembly *r)
{
    for (size_t p = 0; p < r->n_pages; p++) {
        for (size_t i = 0; r->page[p] && i < PL_SCTP_IN_PAGE; i++)
            reset_stream(r, &r->page[p][i]);
    }
}

bool pl_sctp_reassembly_poll_reset(pl_sctp_reassembly *r, uint16_t *sid)
{
    PL_EACH (n, &r->noisy) {
        pl_sctp_in_stream *s = pl_of(n, pl_sctp_in_stream, in_noisy);
        if (s->n_before > 0)
            continue;
        pl_list_remove(&s->in_noisy);
        s->reset = false;
        *sid = s->sid;
        return true;
    }
    return false;
}

static void drop_unfinished(pl_sctp_reassembly *r)
{
    drop_msg(r, r->current);
    r->current = NULL;
    for (uint32_t i = 0; r->n_fragments > 0; i++) {
        if (r->ring[i])
            drop_fragment(r, r->ring[i]);
    }
    for (size_t p = 0; p < r->n_pages; p++) {
        for (size_t i = 0; r->page[p] && i < PL_SCTP_IN_PAGE; i++)
            drop_waiting(r, &r->page[p][i]);
    }
}

void pl_sctp_reassembly_restart(pl_sctp_reassembly *r)
{
    drop_unfinished(r);
    for (size_t p = 0; p < r->n_pages; p++) {
        for (size_t i = 0; r->page[p] && i < PL_SCTP_IN_PAGE; i++)
            r->page[p][i].next_ssn = 0;
    }
}

void pl_sctp_reassembly_clear(pl_sctp_reassembly *r)
{
    drop_unfinished(r);
    for (pl_sctp_msg m; pl_sctp_reassembly_take(r, &m);)
        pl_sctp_msg_free(&m);
    for (size_t p = 0; p < r->n_pages; p++)
        free(r->page[p]);
    free(r->page);
    free(r->ring);
    pl_sctp_reassembly_init(r, r->max_message);
}

bool pl_sctp_reassembly_reset_is_untold(const pl_sctp_reassembly *r, uint16_t sid)
{
    const pl_sctp_in_stream *s = find_stream(r, sid);
    return s && s->reset;
}

const pl_sctp_msg *pl_sctp_reassembly_peek(const pl_sctp_reassembly *r)
{
    if (!r->ready)
        return NULL;
    const pl_sctp_in_stream *s = find_stream(r, r->ready->msg.sid);
    return s->reset && s->n_before == 0 ? NULL : &r->ready->msg;
}

bool pl_sctp_reassembly_take(pl_sctp_reassembly *r, pl_sctp_msg *out)
{
    pl_sctp_in_msg *m = r->ready;
    if (!pl_sctp_reassembly_peek(r))
        return false;
    r->ready = m->next;
    if (!r->ready)
        r->ready_last = NULL;
    r->held -= cost(m);
    pl_sctp_in_stream *s = find_stream(r, m->msg.sid);
    s->n_ready--;
    s->n_before -= s->n_before > 0;
    *out = m->msg;
    return true;
}

void pl_sctp_msg_free(pl_sctp_msg *m)
{
    free(m->memory);
    *m = (pl_sctp_msg){ 0 };
}

void pl_sctp_reassembly_check(const pl_sctp_reassembly *r)
{
    size_t least = 0;
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->cap; i++) {
        if (!r->ring[i])
            continue;
        n++;
        least += pl_sctp_fragment_cost(r->ring[i]->len);
        assert((r->ring[i]->tsn & (r->cap - 1)) == i);
    }
    assert(n == r->n_fragments);
    for (const pl_sctp_in_msg *m = r->ready; m; m = m->next)
        least += cost(m);
    least += r->current ? cost(r->current) : 0;
    assert(least <= r->held); /* the rest waits in the streams' heaps */
}
