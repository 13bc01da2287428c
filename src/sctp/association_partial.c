/* Partial reliability: which messages are given up, when, and what the peer is told of it (RFC 3758 3.5, RFC 7496,
 * RFC 8260 2.3). */
#include "sctp/association_internal.h"

static bool peer_can_skip(const pl_sctp *s)
{
    return s->extensions & PL_SCTP_EXT_FORWARD_TSN;
}

static void count_abandoned(pl_sctp *s, size_t n_sent, size_t n_unsent)
{
    s->stats.messages_abandoned += n_sent + n_unsent;
    s->stats.abandoned_sent += n_sent;
    s->stats.abandoned_unsent += n_unsent;
}

bool pl_sctp_give_up(pl_sctp *s, pl_sctp_out_msg *m)
{
    if (m->queued && m->begun) {
        /* The peer holds the beginning. One TSN that is never sent stands for the rest, so that the cumulative
         * point it is told passes beyond all it has. */
        if (pl_sctp_outstanding_reserve(&s->sent) != PL_OK) {
            m->expires_us = PL_NEVER; /* then it stays wanted */
            m->max_retransmits = UINT32_MAX;
            pl_sctp_out_msg_unlimit(&s->out, m);
            return false;
        }
        pl_sctp_outstanding_add(&s->sent, m, 0, PL_SCTP_DATA_E, s->now_us);
    }
    m->n_refs++;
    count_abandoned(s, m->begun, !m->begun);
    pl_sctp_out_msg_unlimit(&s->out, m);
    if (m->queued)
        pl_sctp_streams_drop(&s->out, pl_sctp_streams_find(&s->out, m->sid), m);
    if (m->begun) {
        pl_sctp_outstanding_abandon(&s->sent, &s->out, m);
        s->wants |= PL_SCTP_WANT_FORWARD;
    }
    pl_sctp_out_msg_unref(&s->out, m);
    return true;
}

/* --- by time, by number of retransmissions --- */

static bool expired(const pl_sctp *s, const pl_sctp_out_msg *m)
{
    return s->now_us >= m->expires_us && (!m->begun || peer_can_skip(s));
}

static bool exhausted(const pl_sctp *s, const pl_sctp_sent *e)
{
    return peer_can_skip(s) && (e->n_sends > e->msg->max_retransmits || s->now_us >= e->msg->expires_us);
}

pl_sctp_sent *pl_sctp_next_lost(pl_sctp *s, uint32_t *tsn)
{
    for (;;) {
        pl_sctp_sent *e = pl_sctp_outstanding_lost(&s->sent, tsn);
        if (!e || !exhausted(s, e))
            return e;
        if (!pl_sctp_give_up(s, e->msg))
            return pl_sctp_outstanding_lost(&s->sent, tsn);
    }
}

pl_sctp_out_stream *pl_sctp_next_wanted(pl_sctp *s)
{
    for (;;) {
        pl_sctp_out_stream *st = s->out.current ? s->out.current : pl_sctp_streams_next(&s->out);
        if (!st || !expired(s, st->head) || !pl_sctp_give_up(s, st->head))
            return pl_sctp_streams_next(&s->out);
    }
}

/* With plain DATA a message that waits for its parts keeps all others waiting: until its time is over, at the latest. */
static const pl_sctp_out_msg *blocking(const pl_sctp *s)
{
    return s->out.current && !pl_sctp_streams_ready(&s->out) && peer_can_skip(s) ? s->out.current->head
                                                                                 : NULL;
}

int64_t pl_sctp_partial_next_us(const pl_sctp *s)
{
    const pl_sctp_out_msg *m = blocking(s);
    return m ? m->expires_us : PL_NEVER;
}

void pl_sctp_partial_tick(pl_sctp *s)
{
    if (blocking(s))
        (void)pl_sctp_next_stream(s);
}

/* --- by priority (RFC 7496 3.4) --- */

bool pl_sctp_make_room(pl_sctp *s, size_t cost, uint32_t priority)
{
    while (s->out.total > 0 && s->out.total + cost > s->conf.send_buffer_max) {
        pl_sctp_out_msg *m = pl_sctp_streams_dispensable(&s->out, priority);
        if (!m)
            return false;
        if (m->begun && !peer_can_skip(s))
            pl_sctp_out_msg_unlimit(&s->out, m);
        else if (!pl_sctp_give_up(s, m))
            return false;
    }
    return true;
}

/* --- whatever happens to their streams --- */

void pl_sctp_break_off(pl_sctp *s, pl_sctp_out_stream *st)
{
    pl_sctp_out_msg *m = st->tail;
    if (m && m->unended && ((m->begun && !peer_can_skip(s)) || !pl_sctp_give_up(s, m))) {
        count_abandoned(s, m->begun, !m->begun);
        pl_sctp_streams_drop(&s->out, st, m); /* what has gone goes on being repaired, for its TSNs' sake */
    }
    st->dropping = false;
}

void pl_sctp_break_off_all(pl_sctp *s)
{
    for (size_t sid = 0; sid < s->out.n_pages * PL_SCTP_OUT_PAGE; sid++) {
        pl_sctp_out_stream *st = pl_sctp_streams_find(&s->out, (uint16_t)sid);
        if (st)
            pl_sctp_break_off(s, st);
    }
}

void pl_sctp_purge_from(pl_sctp *s, size_t sid)
{
    size_t begun_before = s->out.n_begun, n = pl_sctp_streams_purge_from(&s->out, sid);
    size_t n_begun = begun_before - s->out.n_begun;
    count_abandoned(s, n_begun, n - n_begun);
}

void pl_sctp_forget_sent(pl_sctp *s)
{
    count_abandoned(s, pl_sctp_outstanding_clear(&s->sent, &s->out), 0);
}

/* --- telling the peer --- */

void pl_sctp_write_forward(pl_sctp *s, pl_wr *w)
{
    enum { FIXED = 8, LEAST = 2 }; /* chunk header and TSN; skips worth a chunk */
    bool interleaved = s->sent.interleaved;
    uint32_t tsn = pl_sctp_outstanding_advanced(&s->sent);
    size_t size = pl_sctp_skip_size(interleaved), room = pl_wr_left(w);
    if (room < FIXED + LEAST * size || !peer_can_skip(s))
        return;
    s->wants &= ~(unsigned)PL_SCTP_WANT_FORWARD;
    if (tsn == s->sent.first_tsn - 1)
        return; /* nothing to be passed over */
    pl_sctp_skip skip[PL_SCTP_SKIP_MAX];
    size_t max = (room - FIXED) / size;
    size_t n =
        pl_sctp_outstanding_skips(&s->sent, &tsn, skip, max < PL_SCTP_SKIP_MAX ? max : PL_SCTP_SKIP_MAX);
    pl_sctp_forward_write(w, interleaved, tsn, skip, n);
}
