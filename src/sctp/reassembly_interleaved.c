/* I-DATA (RFC 8260 2.2): stream, kind, message and fragment numbers say where bytes belong; TSNs only that they came. */
#include <assert.h>
#include <stdlib.h>

#include "base/block.h"
#include "base/seq.h"
#include "sctp/reassembly_internal.h"

static size_t early_cost(const pl_sctp_early *e)
{
    return sizeof *e + PL_SCTP_BLOCK + e->len;
}

enum { ASSEMBLY_COST = sizeof(pl_sctp_assembly) + PL_SCTP_BLOCK };

/* Many may be under way, most of them short: no room is taken for what may never come. */
static size_t first_cap(const pl_sctp_reassembly *r, const pl_sctp_data *d)
{
    if (d->flags & PL_SCTP_DATA_E || r->sparing)
        return d->len;
    bool fits = r->last_len > d->len && r->last_len < 2 * d->len; /* messages tend to have one size */
    return fits ? r->last_len : 2 * d->len;
}

static pl_sctp_assembly *find(const pl_sctp_in_stream *s, bool unordered, uint32_t mid)
{
    pl_sctp_assembly *a = s->unfinished;
    while (a && (a->mid != mid || a->unordered != unordered))
        a = a->next;
    return a;
}

static pl_sctp_assembly *begin(pl_sctp_reassembly *r, pl_sctp_in_stream *s, const pl_sctp_data *d)
{
    pl_sctp_assembly *a = pl_block_get(sizeof *a);
    if (!a)
        return NULL;
    *a = (pl_sctp_assembly){ .stream = s };
    a->mid = d->mid;
    a->unordered = d->flags & PL_SCTP_DATA_U;
    a->next = s->unfinished;
    s->unfinished = a;
    r->held += ASSEMBLY_COST;
    r->n_unfinished++;
    return a;
}

static void drop_early(pl_sctp_reassembly *r, pl_sctp_early *e)
{
    pl_heap_remove(&e->of->early, &e->by_fsn);
    pl_list_remove(&e->in_earlies);
    e->of->bytes -= e->len;
    r->held -= early_cost(e);
    free(e);
}

/* The record alone; what it held is gone or has another owner. */
static void forget(pl_sctp_reassembly *r, pl_sctp_assembly *a)
{
    pl_sctp_assembly **at = &a->stream->unfinished;
    while (*at != a)
        at = &(*at)->next;
    *at = a->next;
    for (pl_heap_node *n; (n = pl_heap_first(&a->early));)
        drop_early(r, pl_of(n, pl_sctp_early, by_fsn));
    r->held -= ASSEMBLY_COST;
    r->n_unfinished--;
    pl_block_put(a, sizeof *a);
}

static bool is_given(const pl_sctp_assembly *a)
{
    return pl_sctp_pieces_gives(a->stream, a->unordered, a->mid);
}

void pl_sctp_assembly_drop(pl_sctp_reassembly *r, pl_sctp_assembly *a)
{
    r->n_orphans++;
    if (is_given(a))
        pl_sctp_pieces_break(r, a->stream);
    pl_sctp_in_msg_drop(r, a->m);
    forget(r, a);
}

void pl_sctp_interleaved_tighten(pl_sctp_reassembly *r, pl_sctp_in_stream *s)
{
    for (pl_sctp_assembly *a = s->unfinished; a; a = a->next)
        a->m = pl_sctp_in_msg_tighten(r, a->m);
}

/* --- handing out --- */

static bool has_turn(const pl_sctp_assembly *a)
{
    return a->next_fsn > 0 &&
           pl_sctp_pieces_may_begin(a->stream, a->unordered, pl_seq32_unwrap(a->stream->next_mid, a->mid));
}

/* What there is of the message so far is its first piece. */
static bool give(pl_sctp_reassembly *r, pl_sctp_assembly *a)
{
    size_t len = a->m ? a->m->msg.len : 0;
    if (pl_sctp_pieces_begin(r, a->stream, a->unordered, a->mid, a->ppid, a->m) != PL_OK)
        return false;
    a->m = NULL;
    a->bytes -= len;
    return true;
}

/* The ordered message comes first: others have no order to keep. */
void pl_sctp_interleaved_turn(pl_sctp_reassembly *r, pl_sctp_in_stream *s)
{
    if (!s->pieces || !s->pieces->on || s->pieces->giving)
        return;
    pl_sctp_assembly *which = NULL;
    for (pl_sctp_assembly *a = s->unfinished; a; a = a->next) {
        if (has_turn(a) && (!which || !a->unordered))
            which = a;
    }
    if (which)
        give(r, which);
}

/* --- taking --- */

static pl_err append(pl_sctp_reassembly *r, pl_sctp_assembly *a, const uint8_t *data, size_t len, size_t cap)
{
    if (is_given(a))
        return pl_sctp_pieces_add(r, a->stream, data, len);
    pl_sctp_data like = {
        .sid = a->stream->sid, .ppid = a->ppid, .mid = a->mid, .flags = a->unordered ? PL_SCTP_DATA_U : 0
    };
    bool fresh = !a->m;
    if (fresh && !(a->m = pl_sctp_in_msg_new(r, &like, cap)))
        return PL_ENOMEM;
    pl_err err = pl_sctp_in_msg_append(r, &a->m, data, len);
    if (err == PL_OK)
        a->bytes += len;
    return err;
}

static void finish(pl_sctp_reassembly *r, pl_sctp_assembly *a)
{
    pl_sctp_in_stream *s = a->stream;
    if (is_given(a)) {
        forget(r, a);
        pl_sctp_pieces_end(r, s);
    } else {
        pl_sctp_in_msg *m = pl_sctp_in_msg_trim(r, a->m);
        m->mid = pl_seq32_unwrap(s->next_mid, a->mid);
        forget(r, a);
        pl_sctp_deliver(r, s, m);
    }
    pl_sctp_interleaved_turn(r, s);
}

/* Fragments that have waited join as far as there is no gap. */
static pl_err drain(pl_sctp_reassembly *r, pl_sctp_assembly *a)
{
    for (pl_heap_node *n; !a->ended && (n = pl_heap_first(&a->early)) && n->at_us <= a->next_fsn;) {
        pl_sctp_early *e = pl_of(n, pl_sctp_early, by_fsn);
        if (n->at_us == a->next_fsn) {
            pl_err err = append(r, a, e->data, e->len, e->len);
            if (err != PL_OK)
                return err; /* what comes next tries again */
            a->next_fsn++;
            a->ended = e->ends;
        } else {
            r->n_orphans++;
        }
        drop_early(r, e);
    }
    if (a->ended)
        finish(r, a);
    return PL_OK;
}

static pl_err keep_early(pl_sctp_reassembly *r, pl_sctp_assembly *a, const pl_sctp_data *d, int64_t fsn)
{
    pl_sctp_early *e = malloc(sizeof *e + d->len);
    if (!e)
        return PL_ENOMEM;
    *e =
        (pl_sctp_early){ .of = a, .tsn = d->tsn, .len = (uint16_t)d->len, .ends = d->flags & PL_SCTP_DATA_E };
    memcpy(e->data, d->payload, d->len);
    pl_heap_set(&a->early, &e->by_fsn, fsn);
    pl_list_push_back(&r->earlies, &e->in_earlies);
    a->bytes += d->len;
    r->held += early_cost(e);
    return PL_OK;
}

static pl_err into_assembly(pl_sctp_reassembly *r, pl_sctp_assembly *a, const pl_sctp_data *d)
{
    const pl_sctp_in_pieces *p = a->stream->pieces;
    int64_t fsn = d->flags & PL_SCTP_DATA_B ? 0 : pl_seq32_unwrap(a->next_fsn, d->fsn);
    if (fsn < a->next_fsn) {
        r->n_orphans++;
        return drain(r, a);
    }
    if (!(p && p->on) && a->bytes + d->len > r->max_message)
        return PL_ENOSPC;
    if (fsn > a->next_fsn)
        return keep_early(r, a, d, fsn);
    if (fsn == 0)
        a->ppid = d->ppid;
    if (!is_given(a) &&
        pl_sctp_pieces_may_begin(a->stream, a->unordered, pl_seq32_unwrap(a->stream->next_mid, a->mid))) {
        if (!give(r, a))
            return PL_ENOMEM;
    }
    pl_err err = append(r, a, d->payload, d->len, first_cap(r, d));
    if (err != PL_OK)
        return err;
    a->next_fsn++;
    a->ended = d->flags & PL_SCTP_DATA_E;
    return drain(r, a);
}

static pl_err take_single(pl_sctp_reassembly *r, pl_sctp_in_stream *s, const pl_sctp_data *d)
{
    if (d->len > r->max_message && !(s->pieces && s->pieces->on))
        return PL_ENOSPC;
    pl_sctp_in_msg *m = pl_sctp_in_msg_new(r, d, d->len);
    if (!m)
        return PL_ENOMEM;
    memcpy(m->data, d->payload, d->len);
    m->msg.len = d->len;
    m->mid = pl_sctp_in_mid(s, d);
    m->tsn = d->tsn;
    m->n_tsns = 1;
    pl_sctp_deliver(r, s, m);
    pl_sctp_interleaved_turn(r, s);
    return PL_OK;
}

void pl_sctp_interleaved_pass(pl_sctp_in_stream *s, uint32_t mid)
{
    if (!s->skips || pl_seq32_newer(mid, s->skipped))
        s->skipped = mid;
    s->skips = true;
}

/* The message was delivered or skipped. A chunk of a skipped one may come late, when nothing would take it away again: of
 * ordered ones next_mid tells, of unordered ones the last skip. */
static bool past(pl_sctp_in_stream *s, const pl_sctp_data *d)
{
    enum { MEMORY = 1 << 30 }; /* messages; numbers come round after four times as many */
    if (!(d->flags & PL_SCTP_DATA_U))
        return pl_sctp_in_mid(s, d) < s->next_mid;
    if (!s->skips || pl_seq32_at_least(s->skipped, d->mid))
        return s->skips;
    if (d->mid - s->skipped > MEMORY)
        s->skipped = d->mid - MEMORY;
    return false;
}

pl_err pl_sctp_interleaved_take(pl_sctp_reassembly *r, const pl_sctp_data *d)
{
    enum { SINGLE = PL_SCTP_DATA_B | PL_SCTP_DATA_E };
    bool unordered = d->flags & PL_SCTP_DATA_U, begins = d->flags & PL_SCTP_DATA_B;
    pl_sctp_in_stream *s = pl_sctp_in_stream_get(r, d->sid);
    if (!s)
        return PL_ENOMEM;
    if (past(s, d) || (!begins && d->fsn == 0 && !find(s, unordered, d->mid))) {
        r->n_orphans++; /* its message is past */
        return PL_OK;
    }
    pl_sctp_assembly *a = s->unfinished ? find(s, unordered, d->mid) : NULL;
    if (!a && (d->flags & SINGLE) == SINGLE)
        return take_single(r, s, d);
    bool fresh = !a;
    if (fresh && (r->n_unfinished == PL_SCTP_UNFINISHED_MAX || !(a = begin(r, s, d))))
        return PL_ENOMEM;
    pl_err err = into_assembly(r, a, d);
    if (err != PL_OK && fresh && a->next_fsn == 0)
        pl_sctp_assembly_drop(r, a);
    return err;
}

size_t pl_sctp_interleaved_growth(const pl_sctp_reassembly *r, const pl_sctp_data *d)
{
    const pl_sctp_in_stream *s = pl_sctp_in_stream_find(r, d->sid);
    const pl_sctp_assembly *a = s ? find(s, d->flags & PL_SCTP_DATA_U, d->mid) : NULL;
    size_t early = sizeof(pl_sctp_early) + PL_SCTP_BLOCK + d->len;
    size_t fresh = sizeof(pl_sctp_in_msg) + PL_SCTP_BLOCK + first_cap(r, d);
    if (!a)
        return ASSEMBLY_COST + (early > fresh ? early : fresh);
    if (is_given(a))
        return pl_sctp_pieces_growth(r, s, d->len);
    if (!a->m || a->m->cap - a->m->msg.len >= d->len)
        return a->m ? early : fresh;
    size_t grown = pl_sctp_next_cap(r, a->m->cap, a->m->msg.len + d->len) - a->m->cap;
    return grown > early ? grown : early;
}

bool pl_sctp_interleaved_renege(pl_sctp_reassembly *r, uint32_t cumulative_tsn, uint32_t *tsn)
{
    for (pl_node *n = r->earlies.prev; n != &r->earlies; n = n->prev) {
        pl_sctp_early *e = pl_of(n, pl_sctp_early, in_earlies);
        if (!pl_seq32_newer(e->tsn, cumulative_tsn))
            continue;
        pl_sctp_assembly *a = e->of;
        *tsn = e->tsn;
        drop_early(r, e);
        if (a->next_fsn == 0 && !pl_heap_first(&a->early))
            pl_sctp_assembly_drop(r, a);
        return true;
    }
    return false;
}
