#include "sctp/streams.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void pl_sctp_streams_init(pl_sctp_streams *st, pl_sctp_scheduler scheduler)
{
    *st = (pl_sctp_streams){ 0 };
    pl_list_init(&st->resets);
    pl_list_init(&st->noisy);
    pl_list_init(&st->parked);
    pl_list_init(&st->begun);
    pl_sctp_turns_init(&st->turns, scheduler);
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
    pl_sctp_streams_init(st, st->turns.kind);
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

/* --- the bytes that wait --- */

/* Those that count for the threshold: what is held for more to come waits for the caller, not for the network. */
static size_t waiting(const pl_sctp_out_stream *s)
{
    const pl_sctp_out_msg *m = s->tail;
    bool held = m && m->unended && !m->uncounted && m->left <= PL_SCTP_OUT_HELD;
    return s->buffered - (held ? m->left : 0);
}

static void note_low(pl_sctp_streams *st, pl_sctp_out_stream *s, size_t before)
{
    if (before > s->low && waiting(s) <= s->low)
        pl_sctp_streams_note(st, s, PL_SCTP_OUT_LOW);
}

/* --- queues --- */

/* In the row, or not, as the head has bytes to take. */
static void place(pl_sctp_streams *st, pl_sctp_out_stream *s)
{
    pl_list_remove(&s->in_parked);
    if (s->head && pl_sctp_out_msg_ready(s->head))
        pl_sctp_turns_join(&st->turns, &s->turn);
    else
        pl_sctp_turns_leave(&st->turns, &s->turn);
}

void pl_sctp_streams_push(pl_sctp_streams *st, pl_sctp_out_stream *s, pl_sctp_out_msg *m)
{
    size_t bytes = m->uncounted ? 0 : m->left, before = waiting(s) + bytes;
    m->prev = s->tail;
    m->queued = true;
    if (s->tail)
        s->tail->next = m;
    else
        s->head = m;
    s->tail = m;
    s->buffered += bytes;
    st->n_queued++;
    note_low(st, s, before); /* of a message given in parts, all may be held */
    if (s->head == m)
        place(st, s);
}

pl_err pl_sctp_streams_append(pl_sctp_streams *st, pl_sctp_out_stream *s, const void *data, size_t len,
                              bool last)
{
    pl_sctp_out_msg *m = s->tail;
    assert(m->unended);
    size_t before = waiting(s) + (m->uncounted ? 0 : len);
    if (len > 0 && pl_sctp_out_msg_append(st, m, data, len) != PL_OK)
        return PL_ENOMEM;
    m->unended = !last;
    s->buffered += m->uncounted ? 0 : len;
    note_low(st, s, before);
    place(st, s);
    return PL_OK;
}

static void unlink_msg(pl_sctp_out_stream *s, pl_sctp_out_msg *m)
{
    if (m->prev)
        m->prev->next = m->next;
    else
        s->head = m->next;
    if (m->next)
        m->next->prev = m->prev;
    else
        s->tail = m->prev;
    m->prev = m->next = NULL;
}

/* A turn is over: the stream goes to where it stands now, or out of the row. */
static void end_turn(pl_sctp_streams *st, pl_sctp_out_stream *s)
{
    if (st->current == s)
        st->current = NULL;
    if (s->head && pl_sctp_out_msg_ready(s->head) && s->turn.in_turns.linked)
        pl_sctp_turns_pass(&st->turns, &s->turn);
    else
        place(st, s);
}

static void leave_queue(pl_sctp_streams *st, pl_sctp_out_stream *s, pl_sctp_out_msg *m)
{
    bool was_head = s->head == m;
    unlink_msg(s, m);
    m->queued = false;
    st->n_queued--;
    st->n_begun -= m->begun;
    st->promised -= m->promised ? m->left : 0;
    if (was_head) {
        pl_list_remove(&s->in_begun);
        end_turn(st, s);
    }
    pl_sctp_out_stream *parked = m->begun ? pl_sctp_streams_parked(st) : NULL;
    if (parked)
        pl_sctp_streams_unpark(st, parked);
    pl_sctp_out_msg_unref(st, m);
}

/* --- taking --- */

pl_sctp_out_stream *pl_sctp_streams_next(pl_sctp_streams *st)
{
    if (st->current)
        return pl_sctp_out_msg_ready(st->current->head) ? st->current : NULL;
    pl_sctp_turn *turn = pl_sctp_turns_next(&st->turns);
    return turn ? pl_of(turn, pl_sctp_out_stream, turn) : NULL;
}

void pl_sctp_streams_begin(pl_sctp_streams *st, pl_sctp_out_stream *s)
{
    pl_sctp_out_msg *m = s->head;
    assert(!m->begun);
    if (st->interleaved || !m->unordered)
        m->mid = s->next_mid[m->unordered]++;
    if (!st->interleaved)
        m->mid &= UINT16_MAX;
    m->begun = true;
    st->n_begun++;
}

void pl_sctp_streams_park(pl_sctp_streams *st, pl_sctp_out_stream *s)
{
    pl_sctp_turns_leave(&st->turns, &s->turn);
    pl_list_push_back(&st->parked, &s->in_parked);
}

void pl_sctp_streams_unpark(pl_sctp_streams *st, pl_sctp_out_stream *s)
{
    place(st, s);
}

pl_sctp_out_stream *pl_sctp_streams_parked(const pl_sctp_streams *st)
{
    pl_node *n = pl_list_first(&st->parked);
    return n ? pl_of(n, pl_sctp_out_stream, in_parked) : NULL;
}

pl_sctp_out_stream *pl_sctp_streams_oldest(const pl_sctp_streams *st)
{
    pl_node *n = pl_list_first(&st->begun);
    return n ? pl_of(n, pl_sctp_out_stream, in_begun) : NULL;
}

void pl_sctp_streams_promise(pl_sctp_streams *st, pl_sctp_out_stream *s)
{
    assert(!s->head->unended && !s->head->promised);
    s->head->promised = true;
    st->promised += s->head->left;
    pl_list_remove(&s->in_begun);
}

void pl_sctp_streams_take(pl_sctp_streams *st, pl_sctp_out_stream *s, uint32_t n)
{
    pl_sctp_out_msg *m = s->head;
    assert(m->begun && (!m->unended || n < m->left));
    if (st->current != s)
        pl_sctp_turns_begin(&st->turns, &s->turn);
    st->current = s;
    pl_sctp_turns_charge(&st->turns, &s->turn, n);
    size_t before = waiting(s);
    pl_sctp_out_msg_advance(m, n);
    st->promised -= m->promised ? n : 0;
    s->buffered -= m->uncounted ? 0 : n;
    note_low(st, s, before);
    if (m->left == 0) {
        leave_queue(st, s, m);
        return;
    }
    if (st->interleaved && !m->promised && !pl_node_linked(&s->in_begun))
        pl_list_push_back(&st->begun, &s->in_begun);
    if (st->interleaved && !pl_sctp_out_msg_ready(m))
        end_turn(st, s);
    else if (!pl_sctp_out_msg_ready(m))
        pl_sctp_turns_leave(&st->turns, &s->turn);
}

void pl_sctp_streams_packet_end(pl_sctp_streams *st)
{
    if (st->interleaved && st->current)
        end_turn(st, st->current);
}

void pl_sctp_streams_drop(pl_sctp_streams *st, pl_sctp_out_stream *s, pl_sctp_out_msg *m)
{
    size_t before = waiting(s);
    s->buffered -= m->uncounted ? 0 : m->left;
    s->dropping |= m->unended;
    m->unended = false;
    leave_queue(st, s, m);
    note_low(st, s, before);
}

size_t pl_sctp_streams_purge(pl_sctp_streams *st, pl_sctp_out_stream *s)
{
    size_t n = 0;
    for (; s->head; n++)
        pl_sctp_streams_drop(st, s, s->head);
    return n;
}

size_t pl_sctp_streams_purge_from(pl_sctp_streams *st, size_t sid)
{
    size_t n = 0;
    for (; sid < st->n_pages * PL_SCTP_OUT_PAGE; sid++) {
        pl_sctp_out_stream *s = pl_sctp_streams_find(st, (uint16_t)sid);
        n += s ? pl_sctp_streams_purge(st, s) : 0;
    }
    return n;
}

void pl_sctp_streams_renumber(pl_sctp_streams *st)
{
    for (size_t p = 0; p < st->n_pages; p++) {
        for (size_t i = 0; st->page[p] && i < PL_SCTP_OUT_PAGE; i++)
            memset(st->page[p][i].next_mid, 0, sizeof st->page[p][i].next_mid);
    }
}

void pl_sctp_streams_note(pl_sctp_streams *st, pl_sctp_out_stream *s, uint8_t fact)
{
    s->facts |= fact;
    if (!pl_node_linked(&s->in_noisy))
        pl_list_push_back(&st->noisy, &s->in_noisy);
}

void pl_sctp_streams_date_resets(pl_sctp_streams *st)
{
    pl_list dated;
    pl_list_init(&dated);
    PL_EACH (n, &st->noisy) {
        pl_sctp_out_stream *s = pl_of(n, pl_sctp_out_stream, in_noisy);
        if (!(s->facts & PL_SCTP_OUT_RESET_DONE))
            continue;
        s->facts ^= PL_SCTP_OUT_RESET_DONE | PL_SCTP_OUT_RESET_BEFORE;
        pl_list_remove(n);
        pl_list_push_back(&dated, n);
    }
    pl_list_splice_back(&dated, &st->noisy);
    pl_list_splice_back(&st->noisy, &dated);
}

void pl_sctp_streams_check(const pl_sctp_streams *st)
{
    assert(!st->current || st->current->head->begun);
    assert(st->n_begun <= st->n_queued);
    assert(st->n_queued * sizeof(pl_sctp_out_msg) <= st->total);
    const pl_sctp_turn *turn = pl_sctp_turns_next(&st->turns);
    assert(!turn || st->n_queued > 0);
    assert(!turn || pl_sctp_out_msg_ready(pl_of(turn, const pl_sctp_out_stream, turn)->head));
}
