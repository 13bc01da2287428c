#include "sctp/reassembly.h"

#include <assert.h>
#include <stdlib.h>

#include "base/block.h"
#include "base/seq.h"
#include "sctp/reassembly_internal.h"

void pl_sctp_reassembly_init(pl_sctp_reassembly *r, size_t max_message)
{
    *r = (pl_sctp_reassembly){ .max_message = max_message, .piece_cap = PL_SCTP_PIECE_LEAST };
    pl_list_init(&r->noisy);
    pl_list_init(&r->earlies);
    pl_list_init(&r->waits);
}

/* --- streams --- */

enum { BOOK_STREAMS = PL_SCTP_IN_PAGE * PL_SCTP_IN_BOOK };

static size_t page_in_book(size_t sid)
{
    return sid % BOOK_STREAMS / PL_SCTP_IN_PAGE;
}

pl_sctp_in_stream *pl_sctp_in_stream_find(const pl_sctp_reassembly *r, uint16_t sid)
{
    size_t b = sid / BOOK_STREAMS;
    pl_sctp_in_stream *page = b < r->n_books && r->book[b] ? r->book[b]->page[page_in_book(sid)] : NULL;
    return page ? &page[sid % PL_SCTP_IN_PAGE] : NULL;
}

/* The first that there is from sid on. */
static pl_sctp_in_stream *find_from(const pl_sctp_reassembly *r, size_t sid)
{
    while (sid / BOOK_STREAMS < r->n_books) {
        const pl_sctp_in_book *book = r->book[sid / BOOK_STREAMS];
        if (book && book->page[page_in_book(sid)])
            return &book->page[page_in_book(sid)][sid % PL_SCTP_IN_PAGE];
        size_t step = book ? PL_SCTP_IN_PAGE : BOOK_STREAMS;
        sid = (sid / step + 1) * step;
    }
    return NULL;
}

#define EACH_STREAM(s, r)                                                                                    \
    for (pl_sctp_in_stream *s = find_from(r, 0); s; s = find_from(r, (size_t)s->sid + 1))

static bool grow_shelf(pl_sctp_reassembly *r, size_t n_books)
{
    if (n_books <= r->n_books)
        return true;
    pl_sctp_in_book **book = realloc(r->book, n_books * sizeof(pl_sctp_in_book *));
    if (!book)
        return false;
    memset(book + r->n_books, 0, (n_books - r->n_books) * sizeof(pl_sctp_in_book *));
    r->tables += (n_books - r->n_books) * sizeof(pl_sctp_in_book *);
    r->book = book;
    r->n_books = n_books;
    return true;
}

static pl_sctp_in_book *get_book(pl_sctp_reassembly *r, size_t b)
{
    if (!grow_shelf(r, b + 1))
        return NULL;
    if (!r->book[b] && (r->book[b] = calloc(1, sizeof(pl_sctp_in_book))))
        r->tables += sizeof(pl_sctp_in_book) + PL_SCTP_BLOCK;
    return r->book[b];
}

enum { PAGE_COST = PL_SCTP_IN_PAGE * sizeof(pl_sctp_in_stream) + PL_SCTP_BLOCK };

pl_sctp_in_stream *pl_sctp_in_stream_get(pl_sctp_reassembly *r, uint16_t sid)
{
    pl_sctp_in_stream *s = pl_sctp_in_stream_find(r, sid);
    if (s)
        return s;
    pl_sctp_in_book *book = get_book(r, sid / BOOK_STREAMS);
    pl_sctp_in_stream *page = book ? calloc(PL_SCTP_IN_PAGE, sizeof *page) : NULL;
    if (!page)
        return NULL;
    r->tables += PAGE_COST;
    for (size_t i = 0; i < PL_SCTP_IN_PAGE; i++)
        page[i].sid = (uint16_t)(sid - sid % PL_SCTP_IN_PAGE + i);
    book->page[page_in_book(sid)] = page;
    return &page[sid % PL_SCTP_IN_PAGE];
}

size_t pl_sctp_reassembly_stream_growth(const pl_sctp_reassembly *r, uint16_t sid)
{
    size_t b = sid / BOOK_STREAMS;
    if (pl_sctp_in_stream_find(r, sid))
        return 0;
    size_t cost = PAGE_COST;
    if (b >= r->n_books)
        cost += (b + 1 - r->n_books) * sizeof(pl_sctp_in_book *);
    return b < r->n_books && r->book[b] ? cost : cost + sizeof(pl_sctp_in_book) + PL_SCTP_BLOCK;
}

size_t pl_sctp_reassembly_growth(const pl_sctp_reassembly *r, const pl_sctp_data *d, uint32_t cumulative_tsn)
{
    size_t chunk =
        d->interleaved ? pl_sctp_interleaved_growth(r, d) : pl_sctp_plain_growth(r, d, cumulative_tsn);
    return chunk + pl_sctp_reassembly_stream_growth(r, d->sid);
}

/* --- messages --- */

void pl_sctp_in_msg_drop(pl_sctp_reassembly *r, pl_sctp_in_msg *m)
{
    if (!m)
        return;
    r->held -= pl_sctp_in_msg_cost(m);
    pl_block_put(m, m->msg.block);
}

pl_sctp_in_msg *pl_sctp_in_msg_new(pl_sctp_reassembly *r, const pl_sctp_data *d, size_t cap)
{
    size_t block = sizeof(pl_sctp_in_msg) + cap;
    pl_sctp_in_msg *m = pl_block_get(block);
    if (!m)
        return NULL;
    *m = (pl_sctp_in_msg){ .cap = cap, .mid = d->mid };
    m->msg = (pl_sctp_msg){
        .sid = d->sid, .ppid = d->ppid, .block = block, .unordered = d->flags & PL_SCTP_DATA_U
    };
    r->held += pl_sctp_in_msg_cost(m);
    return m;
}

/* Messages of a stream tend to have one size: the last one's length makes the buffer right at once. */
size_t pl_sctp_first_cap(const pl_sctp_reassembly *r, const pl_sctp_data *d)
{
    if (d->flags & PL_SCTP_DATA_E)
        return d->len;
    if (r->sparing)
        return d->len < r->max_message ? d->len : r->max_message;
    size_t cap = r->size_hint > 2 * d->len ? r->size_hint : 2 * d->len;
    cap = cap > PL_SCTP_HINT_LEAST ? cap : PL_SCTP_HINT_LEAST;
    return cap < r->max_message ? cap : r->max_message;
}

/* Doubled, but never beyond the longest message unless len is: one that was in pieces may be. */
size_t pl_sctp_next_cap(const pl_sctp_reassembly *r, size_t cap, size_t len)
{
    cap = cap ? cap : 1;
    while (cap < len)
        cap = r->sparing ? len + len / 32 : cap * 2;
    return cap < r->max_message ? cap : len > r->max_message ? len : r->max_message;
}

/* False without memory: nothing has changed. */
static bool resize(pl_sctp_reassembly *r, pl_sctp_in_msg **m, size_t cap)
{
    size_t block = sizeof(pl_sctp_in_msg) + cap, held = pl_sctp_in_msg_cost(*m);
    pl_sctp_in_msg *other = pl_block_resize(*m, (*m)->msg.block, block);
    if (!other)
        return false;
    other->cap = cap;
    other->msg.block = block;
    r->held += pl_sctp_in_msg_cost(other) - held;
    *m = other;
    return true;
}

pl_err pl_sctp_in_msg_append(pl_sctp_reassembly *r, pl_sctp_in_msg **m, const uint8_t *data, size_t len)
{
    size_t whole = (*m)->msg.len + len;
    if (whole > (*m)->cap) {
        size_t cap = pl_sctp_next_cap(r, (*m)->cap, whole);
        if (!resize(r, m, cap))
            return PL_ENOMEM;
    }
    memcpy((*m)->data + (*m)->msg.len, data, len);
    (*m)->msg.len = whole;
    return PL_OK;
}

pl_sctp_in_msg *pl_sctp_in_msg_trim(pl_sctp_reassembly *r, pl_sctp_in_msg *m)
{
    size_t spare = m->cap - m->msg.len;
    r->last_len = m->msg.len;
    if (m->msg.len > PL_SCTP_HINT_LEAST)
        r->size_hint = m->msg.len;
    if (spare <= m->msg.len / 8 + 64) /* not worth a realloc */
        return m;
    (void)resize(r, &m, m->msg.len);
    return m;
}

pl_sctp_in_msg *pl_sctp_in_msg_tighten(pl_sctp_reassembly *r, pl_sctp_in_msg *m)
{
    if (m && m->cap > m->msg.len)
        (void)resize(r, &m, m->msg.len);
    return m;
}

void pl_sctp_reassembly_tighten(pl_sctp_reassembly *r)
{
    r->sparing = true;
    if (r->tight)
        return;
    r->tight = true;
    r->current = pl_sctp_in_msg_tighten(r, r->current);
    EACH_STREAM(s, r)
    pl_sctp_interleaved_tighten(r, s);
}

/* --- order --- */

int64_t pl_sctp_in_mid(const pl_sctp_in_stream *s, const pl_sctp_data *d)
{
    return d->interleaved ? pl_seq32_unwrap(s->next_mid, d->mid)
                          : pl_seq16_unwrap(s->next_mid, (uint16_t)d->mid);
}

void pl_sctp_push_ready(pl_sctp_reassembly *r, pl_sctp_in_stream *s, pl_sctp_in_msg *m)
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
}

static void make_ready(pl_sctp_reassembly *r, pl_sctp_in_stream *s, pl_sctp_in_msg *m)
{
    r->n_messages++;
    r->message_bytes += m->msg.len;
    if (s->pieces && s->pieces->giving)
        pl_sctp_pieces_stand_behind(s, m);
    else
        pl_sctp_push_ready(r, s, m);
}

/* Ordered messages leave the heap as long as the next number is on top. Numbers that are past are duplicates
 * that only a peer breaking its protocol can make. */
void pl_sctp_release_waiting(pl_sctp_reassembly *r, pl_sctp_in_stream *s)
{
    for (pl_heap_node *n; (n = pl_heap_first(&s->waiting)) && n->at_us <= s->next_mid;) {
        pl_sctp_in_msg *m = pl_of(n, pl_sctp_in_msg, waiting);
        pl_heap_remove(&s->waiting, n);
        pl_list_remove(&m->in_waits);
        if (m->mid < s->next_mid || pl_sctp_pieces_gives(s, false, (uint32_t)m->mid)) {
            r->n_orphans++;
            pl_sctp_in_msg_drop(r, m);
            continue;
        }
        s->next_mid++;
        make_ready(r, s, m);
    }
}

void pl_sctp_deliver(pl_sctp_reassembly *r, pl_sctp_in_stream *s, pl_sctp_in_msg *m)
{
    if (m->msg.unordered) {
        make_ready(r, s, m);
    } else if (m->mid == s->next_mid && !pl_sctp_pieces_gives(s, false, (uint32_t)m->mid)) {
        s->next_mid++;
        make_ready(r, s, m);
        if (pl_heap_first(&s->waiting))
            pl_sctp_release_waiting(r, s);
    } else {
        pl_heap_set(&s->waiting, &m->waiting, m->mid);
        pl_list_push_back(&r->waits, &m->in_waits);
        pl_sctp_release_waiting(r, s); /* drops it when its number is past */
    }
}

static void skip_to(pl_sctp_reassembly *r, pl_sctp_in_stream *s, int64_t until)
{
    while (s->next_mid <= until) { /* whole messages before the skipped one still come out, in order */
        pl_heap_node *n = pl_heap_first(&s->waiting);
        s->next_mid = n && n->at_us <= until ? n->at_us : until + 1;
        pl_sctp_release_waiting(r, s);
    }
}

pl_err pl_sctp_reassembly_skip(pl_sctp_reassembly *r, pl_sctp_skip skip)
{
    pl_sctp_in_stream *s = pl_sctp_in_stream_get(r, skip.sid);
    if (!s)
        return PL_ENOMEM;
    skip_to(r, s, pl_seq16_unwrap(s->next_mid, (uint16_t)skip.mid));
    return PL_OK;
}

static bool skipped(const pl_sctp_in_stream *s, const pl_sctp_assembly *a, pl_sctp_skip skip, int64_t until)
{
    if (a->unordered != skip.unordered)
        return false;
    return a->unordered ? pl_seq32_at_least(skip.mid, a->mid) : pl_seq32_unwrap(s->next_mid, a->mid) <= until;
}

pl_err pl_sctp_reassembly_skip_interleaved(pl_sctp_reassembly *r, pl_sctp_skip skip)
{
    pl_sctp_in_stream *s = pl_sctp_in_stream_find(r, skip.sid);
    if (!s && !(s = pl_sctp_in_stream_get(r, skip.sid)))
        return PL_ENOMEM;
    int64_t until = pl_seq32_unwrap(s->next_mid, skip.mid);
    for (pl_sctp_assembly *a = s->unfinished, *next; a; a = next) {
        next = a->next;
        if (skipped(s, a, skip, until))
            pl_sctp_assembly_drop(r, a);
    }
    if (skip.unordered)
        pl_sctp_interleaved_pass(s, skip.mid);
    else
        skip_to(r, s, until);
    pl_sctp_interleaved_turn(r, s);
    return PL_OK;
}

/* A whole message is given back when not even its first chunk has been acknowledged for good. The latest are looked at:
 * what waits behind others that cannot go is an enemy's. */
static bool renege_waiting(pl_sctp_reassembly *r, uint32_t cumulative_tsn, uint32_t *tsn, uint32_t *n_tsns)
{
    int looks = 64;
    for (pl_node *n = r->waits.prev; n != &r->waits && looks > 0; n = n->prev, looks--) {
        pl_sctp_in_msg *m = pl_of(n, pl_sctp_in_msg, in_waits);
        if (m->n_tsns == 0 || !pl_seq32_newer(m->tsn, cumulative_tsn))
            continue;
        *tsn = m->tsn;
        *n_tsns = m->n_tsns;
        pl_heap_remove(&pl_sctp_in_stream_find(r, m->msg.sid)->waiting, &m->waiting);
        pl_list_remove(&m->in_waits);
        pl_sctp_in_msg_drop(r, m);
        return true;
    }
    return false;
}

bool pl_sctp_reassembly_renege(pl_sctp_reassembly *r, uint32_t cumulative_tsn, uint32_t highest_tsn,
                               uint32_t *tsn, uint32_t *n)
{
    *n = 1;
    bool chunk = r->n_fragments > 0 ? pl_sctp_plain_renege(r, cumulative_tsn, highest_tsn, tsn)
                                    : pl_sctp_interleaved_renege(r, cumulative_tsn, tsn);
    return chunk || renege_waiting(r, cumulative_tsn, tsn, n);
}

/* --- resets, restart, end --- */

static void drop_waiting(pl_sctp_reassembly *r, pl_sctp_in_stream *s)
{
    for (pl_heap_node *n; (n = pl_heap_first(&s->waiting));) {
        pl_sctp_in_msg *m = pl_of(n, pl_sctp_in_msg, waiting);
        pl_heap_remove(&s->waiting, n);
        pl_list_remove(&m->in_waits);
        pl_sctp_in_msg_drop(r, m);
    }
}

static void drop_unfinished(pl_sctp_reassembly *r, pl_sctp_in_stream *s)
{
    while (s->unfinished)
        pl_sctp_assembly_drop(r, s->unfinished);
    if (r->giving == s)
        r->giving = NULL;
    pl_sctp_pieces_break(r, s);
    drop_waiting(r, s);
}

static void reset_stream(pl_sctp_reassembly *r, pl_sctp_in_stream *s)
{
    drop_unfinished(r, s);
    s->next_mid = 0;
    s->skips = false;
    s->reset = true;
    s->n_before = s->n_ready;
    if (!pl_node_linked(&s->in_noisy))
        pl_list_push_back(&r->noisy, &s->in_noisy);
}

pl_err pl_sctp_reassembly_reset(pl_sctp_reassembly *r, uint16_t sid)
{
    pl_sctp_in_stream *s = pl_sctp_in_stream_get(r, sid);
    if (!s)
        return PL_ENOMEM;
    reset_stream(r, s);
    return PL_OK;
}

void pl_sctp_reassembly_reset_all(pl_sctp_reassembly *r)
{
    EACH_STREAM(s, r)
    reset_stream(r, s);
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

void pl_sctp_reassembly_end(pl_sctp_reassembly *r)
{
    pl_sctp_plain_drop(r);
    EACH_STREAM(s, r)
    drop_unfinished(r, s);
}

/* The news of the restart says that all streams begin anew: a reset not yet told would speak of the new ones. */
void pl_sctp_reassembly_restart(pl_sctp_reassembly *r)
{
    pl_sctp_reassembly_end(r);
    EACH_STREAM(s, r)
    {
        s->next_mid = 0;
        s->skips = s->reset = false;
        s->n_before = 0;
        pl_list_remove(&s->in_noisy);
    }
}

void pl_sctp_reassembly_clear(pl_sctp_reassembly *r)
{
    pl_sctp_reassembly_restart(r);
    for (pl_sctp_in_msg *m; (m = r->ready);) {
        r->ready = m->next;
        pl_sctp_in_msg_drop(r, m);
    }
    EACH_STREAM(s, r)
    free(s->pieces);
    for (size_t b = 0; b < r->n_books; b++) {
        for (size_t p = 0; r->book[b] && p < PL_SCTP_IN_BOOK; p++)
            free(r->book[b]->page[p]);
        free(r->book[b]);
    }
    free(r->book);
    assert(r->held == 0 && r->n_unfinished == 0);
    pl_sctp_reassembly_init(r, r->max_message);
}

bool pl_sctp_reassembly_reset_is_untold(const pl_sctp_reassembly *r, uint16_t sid)
{
    const pl_sctp_in_stream *s = pl_sctp_in_stream_find(r, sid);
    return s && s->reset;
}

/* --- taking --- */

const pl_sctp_msg *pl_sctp_reassembly_peek(const pl_sctp_reassembly *r)
{
    if (!r->ready)
        return NULL;
    const pl_sctp_in_stream *s = pl_sctp_in_stream_find(r, r->ready->msg.sid);
    return s->reset && s->n_before == 0 ? NULL : &r->ready->msg;
}

/* Whoever takes pieces nearly empty is served small ones at no loss; who comes rarely gets large ones. */
static void size_pieces(pl_sctp_reassembly *r, const pl_sctp_in_msg *m)
{
    if (m->msg.len < m->cap / 4 && r->piece_cap > PL_SCTP_PIECE_LEAST)
        r->piece_cap /= 2;
}

bool pl_sctp_reassembly_take(pl_sctp_reassembly *r, pl_sctp_msg *out)
{
    pl_sctp_in_msg *m = r->ready;
    if (!pl_sctp_reassembly_peek(r))
        return false;
    r->ready = m->next;
    if (!r->ready)
        r->ready_last = NULL;
    r->held -= pl_sctp_in_msg_cost(m);
    pl_sctp_in_stream *s = pl_sctp_in_stream_find(r, m->msg.sid);
    s->n_ready--;
    s->n_before -= s->n_before > 0;
    if (s->pieces && s->pieces->open == m) {
        s->pieces->open = NULL;
        size_pieces(r, m);
    }
    *out = m->msg;
    return true;
}

void pl_sctp_msg_free(pl_sctp_msg *m)
{
    if (m->block > 0)
        pl_block_put(m->memory, m->block);
    else
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
        least += pl_sctp_in_msg_cost(m);
    least += r->current ? pl_sctp_in_msg_cost(r->current) : 0;
    assert(!(r->current && r->giving));
    assert(!r->giving || r->giving->pieces->giving);
    assert(least <= r->held); /* the rest waits in the streams */
}
