#include "sctp/outstanding.h"

#include <assert.h>
#include <stdlib.h>

#include "base/seq.h"
#include "base/time.h"
#include "sctp/chunk_data.h"

enum {
    RING_LEAST = 16,
    RING_KEEP = 256,
    GAPS_WHOLE = 16 /* a SACK with fewer blocks has left none out for want of room */
};

void pl_sctp_outstanding_init(pl_sctp_outstanding *o, uint32_t first_tsn)
{
    *o = (pl_sctp_outstanding){
        .first_tsn = first_tsn, .next_tsn = first_tsn, .lost_from = first_tsn, .highest_gap = first_tsn - 1
    };
    pl_sctp_rack_init(&o->rack);
    pl_sctp_rate_init(&o->rate);
}

/* A TSN is forgotten: its message may go, or the part that ends with it. */
static void release(pl_sctp_streams *st, const pl_sctp_sent *s)
{
    if (s->flags & PL_SCTP_SENT_ENDS_PART)
        pl_sctp_out_msg_pop_part(st, s->msg);
    pl_sctp_out_msg_unref(st, s->msg);
}

size_t pl_sctp_outstanding_clear(pl_sctp_outstanding *o, pl_sctp_streams *st)
{
    size_t n = 0;
    for (uint32_t tsn = o->first_tsn; tsn != o->next_tsn; tsn++) {
        const pl_sctp_sent *s = pl_sctp_outstanding_at(o, tsn);
        n += s->flags & PL_SCTP_DATA_E && s->state != PL_SCTP_SENT_ABANDONED;
        release(st, s);
    }
    bool interleaved = o->interleaved;
    free(o->ring);
    pl_sctp_outstanding_init(o, o->next_tsn);
    o->interleaved = interleaved;
    return n;
}

pl_err pl_sctp_outstanding_reserve(pl_sctp_outstanding *o)
{
    if (pl_sctp_outstanding_n(o) < o->cap)
        return PL_OK;
    if (o->cap == PL_SCTP_OUTSTANDING_MAX)
        return PL_ENOSPC;
    uint32_t cap = o->cap ? 2 * o->cap : RING_LEAST;
    pl_sctp_sent *ring = malloc(cap * sizeof *ring);
    if (!ring)
        return PL_ENOMEM;
    for (uint32_t tsn = o->first_tsn; tsn != o->next_tsn; tsn++)
        ring[tsn & (cap - 1)] = *pl_sctp_outstanding_at(o, tsn);
    free(o->ring);
    o->ring = ring;
    o->cap = cap;
    return PL_OK;
}

/* A ring that a long burst has blown up is given back when everything is acknowledged. */
static void shrink(pl_sctp_outstanding *o)
{
    if (pl_sctp_outstanding_n(o) > 0 || o->cap <= RING_KEEP)
        return;
    free(o->ring);
    o->ring = NULL;
    o->cap = 0;
}

/* --- in flight, by time of sending --- */

static void fly(pl_sctp_outstanding *o, pl_sctp_sent *s, uint32_t tsn)
{
    s->state = PL_SCTP_SENT_IN_FLIGHT;
    o->flight += s->size;
    if (o->n_flying++ == 0)
        o->oldest = tsn;
    else
        pl_sctp_outstanding_at(o, o->newest)->newer = tsn;
    s->older = o->newest;
    o->newest = tsn;
}

/* As the oldest of all. */
static void fly_first(pl_sctp_outstanding *o, pl_sctp_sent *s, uint32_t tsn)
{
    if (o->n_flying == 0) {
        fly(o, s, tsn);
        return;
    }
    s->state = PL_SCTP_SENT_IN_FLIGHT;
    o->flight += s->size;
    o->n_flying++;
    pl_sctp_outstanding_at(o, o->oldest)->older = tsn;
    s->newer = o->oldest;
    o->oldest = tsn;
}

static void land(pl_sctp_outstanding *o, const pl_sctp_sent *s, uint32_t tsn)
{
    o->flight -= s->size;
    o->n_flying--;
    if (tsn == o->oldest)
        o->oldest = s->newer;
    else
        pl_sctp_outstanding_at(o, s->older)->newer = s->newer;
    if (tsn == o->newest)
        o->newest = s->older;
    else
        pl_sctp_outstanding_at(o, s->newer)->older = s->older;
}

/* --- sending --- */

/* True when the next n bytes of a streamed message are the last of their part: so far, and so for good. */
static bool ends_part(const pl_sctp_out_msg *m, uint16_t len)
{
    return len > 0 && len == m->n_at && m->extra && m->extra->from;
}

pl_sctp_sent *pl_sctp_outstanding_add(pl_sctp_outstanding *o, pl_sctp_out_msg *m, uint16_t len, uint8_t flags,
                                      int64_t now_us)
{
    assert(pl_sctp_outstanding_n(o) < o->cap);
    uint32_t tsn = o->next_tsn++;
    pl_sctp_sent *s = pl_sctp_outstanding_at(o, tsn);
    *s = (pl_sctp_sent){ .msg = m,
                         .data = m->at,
                         .sent_us = now_us,
                         .fsn = m->next_fsn++,
                         .len = len,
                         .size = (uint16_t)(pl_sctp_data_header(o->interleaved) + pl_sctp_pad4(len)),
                         .n_sends = 1,
                         .flags = flags | (ends_part(m, len) ? PL_SCTP_SENT_ENDS_PART : 0) };
    if (flags & PL_SCTP_DATA_B)
        m->first_tsn = tsn;
    else if (pl_seq32_newer(o->first_tsn, m->first_tsn))
        m->first_tsn = o->first_tsn; /* of an endless message, too, it stays comparable */
    m->last_tsn = tsn;
    m->n_refs++;
    fly(o, s, tsn);
    pl_sctp_rate_sent(&o->rate, &s->mark, now_us, o->flight, o->n_flying == 1);
    return s;
}

pl_sctp_sent *pl_sctp_outstanding_lost(pl_sctp_outstanding *o, uint32_t *tsn)
{
    if (o->n_lost == 0)
        return NULL;
    if (pl_seq32_newer(o->first_tsn, o->lost_from))
        o->lost_from = o->first_tsn;
    while (pl_sctp_outstanding_at(o, o->lost_from)->state != PL_SCTP_SENT_LOST)
        o->lost_from++;
    assert(o->lost_from - o->first_tsn < pl_sctp_outstanding_n(o));
    *tsn = o->lost_from;
    return pl_sctp_outstanding_at(o, o->lost_from);
}

void pl_sctp_outstanding_resent(pl_sctp_outstanding *o, pl_sctp_sent *s, uint32_t tsn, int64_t now_us)
{
    assert(s->state == PL_SCTP_SENT_LOST);
    s->sent_us = now_us;
    s->n_sends = (uint16_t)(s->n_sends < UINT16_MAX ? s->n_sends + 1 : UINT16_MAX);
    o->n_lost--;
    fly(o, s, tsn);
    pl_sctp_rate_sent(&o->rate, &s->mark, now_us, o->flight, o->n_flying == 1);
}

/* --- losing --- */

static void lose(pl_sctp_outstanding *o, pl_sctp_sent *s, uint32_t tsn)
{
    land(o, s, tsn);
    s->state = PL_SCTP_SENT_LOST;
    if (o->n_lost++ == 0 || pl_seq32_newer(o->lost_from, tsn))
        o->lost_from = tsn;
}

void pl_sctp_outstanding_timeout(pl_sctp_outstanding *o)
{
    while (o->n_flying > 0) {
        pl_sctp_sent *s = pl_sctp_outstanding_at(o, o->oldest);
        pl_sctp_rate_lost(&o->rate, &s->mark, s->size);
        lose(o, s, o->oldest);
    }
}

uint32_t pl_sctp_outstanding_lose_newest(pl_sctp_outstanding *o)
{
    uint32_t tsn = o->newest;
    assert(o->n_flying > 0);
    lose(o, pl_sctp_outstanding_at(o, tsn), tsn);
    return tsn;
}

/* From the last to the first, each before the one that followed it: so the list stays in order of time. */
void pl_sctp_outstanding_revive(pl_sctp_outstanding *o)
{
    for (uint32_t tsn = o->next_tsn; tsn-- != o->first_tsn && o->n_lost > 0;) {
        pl_sctp_sent *s = pl_sctp_outstanding_at(o, tsn);
        if (s->state != PL_SCTP_SENT_LOST || s->n_sends > 1 || s->taken_back)
            continue;
        o->n_lost--;
        fly_first(o, s, tsn);
    }
}

size_t pl_sctp_outstanding_detect(pl_sctp_outstanding *o, int64_t now_us, int64_t window_us,
                                  int64_t *again_us)
{
    size_t bytes = 0;
    *again_us = PL_NEVER;
    while (o->n_flying > 0) {
        pl_sctp_sent *s = pl_sctp_outstanding_at(o, o->oldest);
        if (!pl_sctp_rack_before(&o->rack, o->oldest, s->sent_us))
            break;
        int64_t due_us = s->sent_us + o->rack.rtt_us + window_us;
        if (due_us > now_us) {
            *again_us = due_us;
            break;
        }
        bytes += s->size;
        pl_sctp_rate_lost(&o->rate, &s->mark, s->size);
        lose(o, s, o->oldest);
    }
    return bytes;
}

/* --- SACK --- */

/* What a SACK's walk gathers. */
typedef struct walk {
    pl_sctp_acked *out;
    int64_t now_us, min_rtt_us;
    uint32_t highest_before; /* highest TSN acknowledged before this SACK */
    bool filled;             /* something before that is acknowledged only now */
    uint32_t n_covered;      /* of what is in state ACKED, by gap blocks */
    int64_t resent_us;       /* latest sending of what had gone before, -1: none; and its TSN */
    uint32_t resent_tsn;
} walk;

static void leave_flight(pl_sctp_outstanding *o, pl_sctp_sent *s, uint32_t tsn)
{
    if (s->state == PL_SCTP_SENT_IN_FLIGHT)
        land(o, s, tsn);
    else if (s->state == PL_SCTP_SENT_LOST)
        o->n_lost--;
    else if (s->state == PL_SCTP_SENT_ACKED)
        o->n_gap_acked--;
}

/* A SACK is the first to acknowledge it. */
static void acknowledge(pl_sctp_outstanding *o, pl_sctp_sent *s, uint32_t tsn, walk *w)
{
    w->out->n_late += s->state == PL_SCTP_SENT_LOST;
    w->filled |= !pl_seq32_newer(tsn, w->highest_before);
    leave_flight(o, s, tsn);
    w->out->bytes += s->size;
    if (s->taken_back)
        return;
    pl_sctp_rate_arrived(&o->rate, &s->mark, s->sent_us, s->size, w->now_us);
    if (s->n_sends == 1) { /* Karn's rule: RFC 9260 6.3.1 C5 */
        w->out->rtt_us = w->now_us - s->sent_us;
        o->rack.reordering_seen |= pl_seq32_newer(w->highest_before, tsn);
        pl_sctp_rack_arrived(&o->rack, tsn, s->sent_us, false, w->now_us, w->min_rtt_us);
    } else if (s->sent_us >= w->resent_us) {
        w->resent_us = s->sent_us;
        w->resent_tsn = tsn;
    }
}

static void take_cumulative(pl_sctp_outstanding *o, pl_sctp_streams *st, uint32_t cumulative_tsn, walk *w)
{
    while (pl_seq32_at_least(cumulative_tsn, o->first_tsn)) {
        uint32_t tsn = o->first_tsn++;
        pl_sctp_sent *s = pl_sctp_outstanding_at(o, tsn);
        if (s->state == PL_SCTP_SENT_IN_FLIGHT || s->state == PL_SCTP_SENT_LOST)
            acknowledge(o, s, tsn, w);
        else
            leave_flight(o, s, tsn);
        w->out->cum_advanced = true;
        if ((s->flags & PL_SCTP_DATA_E) && s->state != PL_SCTP_SENT_ABANDONED) {
            w->out->n_messages++;
            w->out->message_bytes += s->msg->len;
        }
        release(st, s);
    }
    if (pl_seq32_newer(o->first_tsn - 1, o->highest_gap))
        o->highest_gap = o->first_tsn - 1;
}

static bool is_acked(const pl_sctp_outstanding *o, uint32_t tsn)
{
    return tsn - o->first_tsn < pl_sctp_outstanding_n(o) &&
           pl_sctp_outstanding_at(o, tsn)->state == PL_SCTP_SENT_ACKED;
}

/* Makes a run of one TSN and joins it with its neighbours'. Inside a run, links may be those of a shorter run that
 * it has swallowed: they still tell the truth about what lies between. */
static void join_run(pl_sctp_outstanding *o, uint32_t tsn)
{
    uint32_t begin = is_acked(o, tsn - 1) ? pl_sctp_outstanding_at(o, tsn - 1)->older : tsn;
    uint32_t end = is_acked(o, tsn + 1) ? pl_sctp_outstanding_at(o, tsn + 1)->newer : tsn;
    pl_sctp_sent *s = pl_sctp_outstanding_at(o, tsn);
    s->older = s->newer = tsn;
    if (pl_seq32_newer(o->first_tsn, begin)) /* a peer whose cumulative point stands inside what it has */
        begin = o->first_tsn;
    pl_sctp_outstanding_at(o, begin)->newer = end;
    pl_sctp_outstanding_at(o, end)->older = begin;
}

/* One block; what was acknowledged before is passed over by runs. */
static void take_gap(pl_sctp_outstanding *o, uint32_t from, uint32_t to, walk *w)
{
    for (uint32_t tsn = from; pl_seq32_at_least(to, tsn);) {
        pl_sctp_sent *s = pl_sctp_outstanding_at(o, tsn);
        uint32_t end = tsn;
        if (s->state == PL_SCTP_SENT_ACKED) {
            end = pl_seq32_newer(s->newer, to) ? to : s->newer;
            w->n_covered += end - tsn + 1;
        } else if (s->state != PL_SCTP_SENT_ABANDONED) {
            acknowledge(o, s, tsn, w);
            s->state = PL_SCTP_SENT_ACKED;
            o->n_gap_acked++;
            w->n_covered++;
            join_run(o, tsn);
        }
        tsn = end + 1;
    }
    if (pl_seq32_newer(to, o->highest_gap))
        o->highest_gap = to;
}

/* RFC 9260 6.2.1: what an earlier SACK acknowledged and this one does not is under way again. When it was sent says
 * nothing about it any more. */
static void take_back(pl_sctp_outstanding *o, uint32_t from, uint32_t to, const walk *w)
{
    for (uint32_t tsn = from; pl_seq32_newer(to, tsn); tsn++) {
        pl_sctp_sent *s = pl_sctp_outstanding_at(o, tsn);
        if (s->state != PL_SCTP_SENT_ACKED)
            continue;
        o->n_gap_acked--;
        s->sent_us = w->now_us;
        s->taken_back = true;
        fly(o, s, tsn);
    }
}

/* The next block, if it ascends and lies inside what was sent; the rest of a list that does not is passed over. */
static bool next_gap(const pl_sctp_outstanding *o, const pl_sctp_sack_chunk *sack, size_t i, uint32_t after,
                     uint32_t *from, uint32_t *to)
{
    uint16_t start, end;
    if (i >= sack->n_gaps)
        return false;
    pl_sctp_sack_gap(sack, i, &start, &end);
    *from = sack->cumulative_tsn + start;
    *to = sack->cumulative_tsn + end;
    return start != 0 && start <= end && !pl_seq32_newer(after, *from) && pl_seq32_newer(o->next_tsn, *to);
}

/* Fewer TSNs are covered than were: finds which, and makes the runs anew. Behind the last block it looks only when the
 * peer has surely told all it had. */
static void take_back_uncovered(pl_sctp_outstanding *o, const pl_sctp_sack_chunk *sack, const walk *w)
{
    uint32_t tsn = o->first_tsn, from, to;
    for (size_t i = 0; next_gap(o, sack, i, tsn, &from, &to); i++) {
        take_back(o, tsn, from, w);
        tsn = to + 1;
    }
    if (sack->n_gaps < GAPS_WHOLE)
        take_back(o, tsn, o->next_tsn, w);
    for (tsn = o->first_tsn; tsn != o->next_tsn; tsn++) {
        pl_sctp_sent *s = pl_sctp_outstanding_at(o, tsn);
        if (s->state == PL_SCTP_SENT_ACKED)
            s->older = s->newer = tsn;
    }
    for (tsn = o->first_tsn; tsn != o->next_tsn; tsn++) {
        if (is_acked(o, tsn) && is_acked(o, tsn - 1)) {
            uint32_t begin = pl_sctp_outstanding_at(o, tsn - 1)->older;
            pl_sctp_outstanding_at(o, begin)->newer = tsn;
            pl_sctp_outstanding_at(o, tsn)->older = begin;
        }
    }
}

/* Whether the peer has told of all that it has. How many blocks it has room for its SACKs show: it is the most that one had,
 * and a SACK with fewer, or with more, was not cut short. With as many it was not when the last block has grown by what
 * arrived; when a gap was filled, it may only have made room for the next block. */
static bool tells_all(pl_sctp_outstanding *o, const pl_sctp_sack_chunk *sack, const walk *w)
{
    uint32_t most = o->most_gaps;
    if (sack->n_gaps > most)
        o->most_gaps = (uint32_t)sack->n_gaps;
    return sack->n_gaps < GAPS_WHOLE || sack->n_gaps != most ||
           (!w->filled && pl_seq32_newer(o->highest_gap, w->highest_before));
}

pl_err pl_sctp_outstanding_ack(pl_sctp_outstanding *o, pl_sctp_streams *st, const pl_sctp_sack_chunk *sack,
                               int64_t now_us, int64_t min_rtt_us, pl_sctp_acked *out)
{
    *out = (pl_sctp_acked){ .rtt_us = -1 };
    if (!pl_seq32_newer(o->next_tsn, sack->cumulative_tsn))
        return PL_EPROTO;
    walk w = { .out = out,
               .now_us = now_us,
               .min_rtt_us = min_rtt_us,
               .highest_before = o->highest_gap,
               .resent_us = -1 };
    take_cumulative(o, st, sack->cumulative_tsn, &w);
    uint32_t tsn = o->first_tsn, from, to;
    for (size_t i = 0; next_gap(o, sack, i, tsn, &from, &to); i++) {
        take_gap(o, from, to, &w);
        tsn = to + 1;
    }
    if (w.resent_us >= 0 &&
        out->n_late == 0) /* beside late ones, it too was the first sending that came late */
        out->repaired = pl_sctp_rack_arrived(&o->rack, w.resent_tsn, w.resent_us, true, now_us, min_rtt_us);
    pl_sctp_rate_told(&o->rate, now_us, tells_all(o, sack, &w));
    if (w.n_covered < o->n_gap_acked)
        take_back_uncovered(o, sack, &w);
    shrink(o);
    return PL_OK;
}

void pl_sctp_outstanding_abandon(pl_sctp_outstanding *o, pl_sctp_streams *st, pl_sctp_out_msg *m)
{
    uint32_t first = pl_seq32_newer(o->first_tsn, m->first_tsn) ? o->first_tsn : m->first_tsn,
             last = m->last_tsn;
    pl_sctp_out_msg *t = pl_sctp_out_msg_tombstone(st, m);
    m->abandoned = true;
    m->n_refs++;
    for (uint32_t tsn = first; pl_seq32_at_least(last, tsn); tsn++) {
        pl_sctp_sent *s = pl_sctp_outstanding_at(o, tsn);
        if (s->msg != m)
            continue;
        leave_flight(o, s, tsn);
        s->state = PL_SCTP_SENT_ABANDONED;
        if (!t)
            continue;
        s->msg = t;
        s->data = t->data;
        s->flags &= (uint8_t)~PL_SCTP_SENT_ENDS_PART;
        t->n_refs++;
        pl_sctp_out_msg_unref(st, m);
    }
    pl_sctp_out_msg_unref(st, m);
    if (t)
        pl_sctp_out_msg_unref(st, t);
}

uint32_t pl_sctp_outstanding_advanced(const pl_sctp_outstanding *o)
{
    uint32_t tsn = o->first_tsn;
    while (tsn != o->next_tsn && pl_sctp_outstanding_at(o, tsn)->state == PL_SCTP_SENT_ABANDONED)
        tsn++;
    return tsn - 1;
}

static bool later(const pl_sctp_outstanding *o, uint32_t a, uint32_t b)
{
    return o->interleaved ? pl_seq32_newer(a, b) : pl_seq16_newer((uint16_t)a, (uint16_t)b);
}

/* Keeps the latest number of each stream and kind. False when there is no room for another. */
static bool add_skip(const pl_sctp_outstanding *o, pl_sctp_skip *out, size_t *n, size_t max,
                     const pl_sctp_out_msg *m)
{
    for (size_t i = *n; i-- > 0;) {
        if (out[i].sid == m->sid && out[i].unordered == m->unordered) {
            if (later(o, m->mid, out[i].mid))
                out[i].mid = m->mid;
            return true;
        }
    }
    if (*n == max)
        return false;
    out[(*n)++] = (pl_sctp_skip){ .sid = m->sid, .mid = m->mid, .unordered = m->unordered };
    return true;
}

size_t pl_sctp_outstanding_skips(const pl_sctp_outstanding *o, uint32_t *cumulative_tsn, pl_sctp_skip *out,
                                 size_t max)
{
    size_t n = 0;
    const pl_sctp_out_msg *last = NULL;
    for (uint32_t tsn = o->first_tsn; pl_seq32_at_least(*cumulative_tsn, tsn); tsn++) {
        const pl_sctp_out_msg *m = pl_sctp_outstanding_at(o, tsn)->msg;
        if (m == last || (m->unordered && !o->interleaved))
            continue;
        last = m;
        if (!add_skip(o, out, &n, max, m)) {
            *cumulative_tsn = tsn - 1;
            break;
        }
    }
    return n;
}

void pl_sctp_outstanding_check(const pl_sctp_outstanding *o)
{
    size_t flight = 0;
    uint32_t n_lost = 0, n_acked = 0, n_listed = 0, n = pl_sctp_outstanding_n(o);
    int64_t before_us = INT64_MIN;
    assert(n <= o->cap);
    for (uint32_t i = 0; i < n; i++) {
        const pl_sctp_sent *s = pl_sctp_outstanding_at(o, o->first_tsn + i);
        flight += s->state == PL_SCTP_SENT_IN_FLIGHT ? s->size : 0;
        n_lost += s->state == PL_SCTP_SENT_LOST;
        n_acked += s->state == PL_SCTP_SENT_ACKED;
        assert(s->msg->n_refs > 0);
        assert(s->msg->abandoned == (s->state == PL_SCTP_SENT_ABANDONED));
    }
    assert(flight == o->flight);
    assert(n_lost == o->n_lost);
    assert(n_acked == o->n_gap_acked);
    for (uint32_t tsn = o->oldest; n_listed < o->n_flying; n_listed++) {
        const pl_sctp_sent *s = pl_sctp_outstanding_at(o, tsn);
        assert(s->state == PL_SCTP_SENT_IN_FLIGHT);
        assert(s->sent_us >= before_us);
        before_us = s->sent_us;
        flight -= s->size;
        tsn = s->newer;
    }
    assert(flight == 0);
}
