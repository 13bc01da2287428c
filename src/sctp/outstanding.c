#include "sctp/outstanding.h"

#include <assert.h>
#include <stdlib.h>

#include "base/seq.h"
#include "base/time.h"
#include "sctp/chunk_data.h"

enum { RING_LEAST = 16, RING_KEEP = 256 };

void pl_sctp_outstanding_init(pl_sctp_outstanding *o, uint32_t first_tsn)
{
    *o = (pl_sctp_outstanding){
        .first_tsn = first_tsn, .next_tsn = first_tsn, .lost_from = first_tsn, .highest_gap = first_tsn - 1
    };
}

void pl_sctp_outstanding_clear(pl_sctp_outstanding *o, pl_sctp_streams *st)
{
    for (uint32_t tsn = o->first_tsn; tsn != o->next_tsn; tsn++)
        pl_sctp_out_msg_unref(st, pl_sctp_outstanding_at(o, tsn)->msg);
    free(o->ring);
    pl_sctp_outstanding_init(o, o->next_tsn);
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

pl_sctp_sent *pl_sctp_outstanding_add(pl_sctp_outstanding *o, pl_sctp_out_msg *m, uint32_t offset,
                                      uint16_t len, uint8_t flags, int64_t now_us)
{
    assert(pl_sctp_outstanding_n(o) < o->cap);
    uint32_t tsn = o->next_tsn++;
    pl_sctp_sent *s = pl_sctp_outstanding_at(o, tsn);
    *s = (pl_sctp_sent){ .msg = m,
                         .sent_us = now_us,
                         .offset = offset,
                         .len = len,
                         .size = (uint16_t)(PL_SCTP_DATA_HEADER + pl_sctp_pad4(len)),
                         .n_sends = 1,
                         .flags = flags };
    if (offset == 0)
        m->first_tsn = tsn;
    m->last_tsn = tsn;
    m->n_refs++;
    o->flight += s->size;
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

void pl_sctp_outstanding_resent(pl_sctp_outstanding *o, pl_sctp_sent *s, int64_t now_us)
{
    assert(s->state == PL_SCTP_SENT_LOST);
    s->state = PL_SCTP_SENT_IN_FLIGHT;
    s->missing = 0;
    s->sent_us = now_us;
    s->n_sends = (uint16_t)(s->n_sends < UINT16_MAX ? s->n_sends + 1 : UINT16_MAX);
    o->n_lost--;
    o->flight += s->size;
}

static void lose(pl_sctp_outstanding *o, pl_sctp_sent *s, uint32_t tsn)
{
    s->state = PL_SCTP_SENT_LOST;
    o->flight -= s->size;
    if (o->n_lost++ == 0 || pl_seq32_newer(o->lost_from, tsn))
        o->lost_from = tsn;
}

void pl_sctp_outstanding_timeout(pl_sctp_outstanding *o)
{
    for (uint32_t tsn = o->first_tsn; tsn != o->next_tsn; tsn++) {
        pl_sctp_sent *s = pl_sctp_outstanding_at(o, tsn);
        s->missing = 0;
        if (s->state == PL_SCTP_SENT_IN_FLIGHT)
            lose(o, s, tsn);
    }
}

/* What a SACK's walk gathers. */
typedef struct walk {
    pl_sctp_acked *out;
    int64_t now_us;
    int64_t newest_us; /* latest sending among what is newly acknowledged; -1 none */
    uint32_t highest;  /* highest TSN newly acknowledged in a gap */
    bool any_gap;
} walk;

static void leave_flight(pl_sctp_outstanding *o, pl_sctp_sent *s)
{
    if (s->state == PL_SCTP_SENT_IN_FLIGHT)
        o->flight -= s->size;
    else if (s->state == PL_SCTP_SENT_LOST)
        o->n_lost--;
}

/* True when this SACK is the first to acknowledge it. */
static bool acknowledge(pl_sctp_outstanding *o, pl_sctp_sent *s, walk *w)
{
    if (s->state == PL_SCTP_SENT_ACKED || s->state == PL_SCTP_SENT_ABANDONED)
        return false;
    leave_flight(o, s);
    s->state = PL_SCTP_SENT_ACKED;
    w->out->bytes += s->size;
    w->newest_us = pl_max_us(w->newest_us, s->sent_us);
    if (s->n_sends == 1) /* Karn's rule: RFC 9260 6.3.1 C5 */
        w->out->rtt_us = w->now_us - s->sent_us;
    return true;
}

static void take_cumulative(pl_sctp_outstanding *o, pl_sctp_streams *st, uint32_t cumulative_tsn, walk *w)
{
    while (pl_seq32_at_least(cumulative_tsn, o->first_tsn)) {
        pl_sctp_sent *s = pl_sctp_outstanding_at(o, o->first_tsn++);
        acknowledge(o, s, w);
        w->out->cum_advanced = true;
        if ((s->flags & PL_SCTP_DATA_E) && s->state == PL_SCTP_SENT_ACKED) {
            w->out->n_messages++;
            w->out->message_bytes += s->msg->len;
        }
        pl_sctp_out_msg_unref(st, s->msg);
    }
    if (pl_seq32_newer(o->first_tsn - 1, o->highest_gap))
        o->highest_gap = o->first_tsn - 1;
}

/* RFC 9260 6.2.1: what an earlier SACK acknowledged and this one does not is under way again. */
static void take_back(pl_sctp_outstanding *o, uint32_t from, uint32_t to)
{
    for (uint32_t tsn = from; pl_seq32_newer(to, tsn); tsn++) {
        pl_sctp_sent *s = pl_sctp_outstanding_at(o, tsn);
        if (s->state != PL_SCTP_SENT_ACKED)
            continue;
        s->state = PL_SCTP_SENT_IN_FLIGHT;
        o->flight += s->size;
    }
}

/* Blocks must ascend and lie inside what was sent; the rest of a list that does not is passed over. */
static void take_gaps(pl_sctp_outstanding *o, const pl_sctp_sack_chunk *sack, walk *w)
{
    uint32_t tsn = o->first_tsn, before_highest = o->highest_gap;
    for (size_t i = 0; i < sack->n_gaps; i++) {
        uint16_t start, end;
        pl_sctp_sack_gap(sack, i, &start, &end);
        uint32_t from = sack->cumulative_tsn + start, to = sack->cumulative_tsn + end;
        if (start == 0 || start > end || pl_seq32_newer(tsn, from) || !pl_seq32_newer(o->next_tsn, to))
            break;
        take_back(o, tsn, from);
        for (tsn = from; tsn != to + 1; tsn++) {
            if (acknowledge(o, pl_sctp_outstanding_at(o, tsn), w)) {
                w->any_gap = true;
                w->highest = tsn;
            }
        }
        if (pl_seq32_newer(to, o->highest_gap))
            o->highest_gap = to;
    }
    if (pl_seq32_at_least(before_highest, tsn))
        take_back(o, tsn, before_highest + 1);
}

/* Was it sent before something that this SACK has newly acknowledged? First sendings go in TSN order;
 * sendings again are compared by time, so that a lost retransmission need not wait for T3. */
static bool overtaken(const pl_sctp_sent *s, const walk *w)
{
    return s->n_sends == 1 || s->sent_us < w->newest_us;
}

/* 7.2.4: a TSN is reported missing when a later one is newly acknowledged, and in fast recovery also when the
 * cumulative point moves and a gap still shows it. */
static void count_missing(pl_sctp_outstanding *o, uint32_t until, const walk *w)
{
    for (uint32_t tsn = o->first_tsn; pl_seq32_newer(until, tsn); tsn++) {
        pl_sctp_sent *s = pl_sctp_outstanding_at(o, tsn);
        if (s->state != PL_SCTP_SENT_IN_FLIGHT || !overtaken(s, w))
            continue;
        if (++s->missing < PL_SCTP_MISSING_MAX)
            continue;
        lose(o, s, tsn);
        w->out->new_loss = true;
    }
}

pl_err pl_sctp_outstanding_ack(pl_sctp_outstanding *o, pl_sctp_streams *st, const pl_sctp_sack_chunk *sack,
                               bool in_recovery, int64_t now_us, pl_sctp_acked *out)
{
    *out = (pl_sctp_acked){ .rtt_us = -1 };
    if (!pl_seq32_newer(o->next_tsn, sack->cumulative_tsn))
        return PL_EPROTO;
    walk w = { .out = out, .now_us = now_us, .newest_us = -1 };
    take_cumulative(o, st, sack->cumulative_tsn, &w);
    if (sack->n_gaps > 0 || pl_seq32_at_least(o->highest_gap, o->first_tsn)) {
        take_gaps(o, sack, &w);
        if (in_recovery && out->cum_advanced)
            count_missing(o, o->highest_gap, &w);
        else if (w.any_gap)
            count_missing(o, w.highest, &w);
    }
    shrink(o);
    return PL_OK;
}

void pl_sctp_outstanding_abandon(pl_sctp_outstanding *o, pl_sctp_out_msg *m)
{
    m->abandoned = true;
    uint32_t tsn = pl_seq32_newer(o->first_tsn, m->first_tsn) ? o->first_tsn : m->first_tsn;
    for (; pl_seq32_at_least(m->last_tsn, tsn); tsn++) {
        pl_sctp_sent *s = pl_sctp_outstanding_at(o, tsn);
        if (s->msg != m)
            continue;
        leave_flight(o, s);
        s->state = PL_SCTP_SENT_ABANDONED;
    }
}

uint32_t pl_sctp_outstanding_advanced(const pl_sctp_outstanding *o)
{
    uint32_t tsn = o->first_tsn;
    while (tsn != o->next_tsn && pl_sctp_outstanding_at(o, tsn)->state == PL_SCTP_SENT_ABANDONED)
        tsn++;
    return tsn - 1;
}

/* Keeps the latest SSN of each stream. False when there is no room for another stream. */
static bool add_skip(pl_sctp_skip *out, size_t *n, size_t max, const pl_sctp_out_msg *m)
{
    for (size_t i = *n; i-- > 0;) {
        if (out[i].sid == m->sid) {
            if (pl_seq16_newer(m->ssn, out[i].ssn))
                out[i].ssn = m->ssn;
            return true;
        }
    }
    if (*n == max)
        return false;
    out[(*n)++] = (pl_sctp_skip){ m->sid, m->ssn };
    return true;
}

size_t pl_sctp_outstanding_skips(const pl_sctp_outstanding *o, uint32_t *cumulative_tsn, pl_sctp_skip *out,
                                 size_t max)
{
    size_t n = 0;
    const pl_sctp_out_msg *last = NULL;
    for (uint32_t tsn = o->first_tsn; pl_seq32_at_least(*cumulative_tsn, tsn); tsn++) {
        const pl_sctp_out_msg *m = pl_sctp_outstanding_at(o, tsn)->msg;
        if (m == last || m->unordered)
            continue;
        last = m;
        if (!add_skip(out, &n, max, m)) {
            *cumulative_tsn = tsn - 1;
            break;
        }
    }
    return n;
}

void pl_sctp_outstanding_check(const pl_sctp_outstanding *o)
{
    size_t flight = 0;
    uint32_t n_lost = 0, n = pl_sctp_outstanding_n(o);
    assert(n <= o->cap);
    for (uint32_t i = 0; i < n; i++) {
        const pl_sctp_sent *s = pl_sctp_outstanding_at(o, o->first_tsn + i);
        flight += s->state == PL_SCTP_SENT_IN_FLIGHT ? s->size : 0;
        n_lost += s->state == PL_SCTP_SENT_LOST;
        assert(s->msg->n_refs > 0);
        assert(s->msg->abandoned == (s->state == PL_SCTP_SENT_ABANDONED));
    }
    assert(flight == o->flight);
    assert(n_lost == o->n_lost);
}
