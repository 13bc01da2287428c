/* Which stream the next packet may take from. The scheduler says whose turn it is; here is what I-DATA adds: many messages
 * half there could fill the peer's window so that none of them is ever whole (RFC 8260 leaves it to the sender).
 *
 * A message of one packet is never half there, and always goes. A longer one goes on when
 *   - all that is left of it fits into the window as it is, or with the same of others into half of it: it has a promise, which
 *     the rest keep free, and asks no more;
 *   - or half of the widest window stays free behind it;
 *   - or it has been under way longest, so that one at least comes to its end.
 * So those that are neither promised nor the oldest hold half of the window at most. Of a message given in parts nobody knows
 * the length: as long as it, or the oldest, has not shown that the peer hands it out as it comes, the others get a sixteenth.
 *
 * Data under way is no sign of a narrow window, since most of it makes room as it arrives: where the peer's window is wide but
 * full of flight, whoever would go on waits for the one that is parked, until its turn has come. */
#include "sctp/association_internal.h"

enum {
    UNKNOWN_SHARE = 16
}; /* of the window: to messages of which nobody knows how much the peer must hold */

static bool never_half(const pl_sctp *s, const pl_sctp_out_msg *m)
{
    return !m->begun && !m->unended && m->left + PL_SCTP_IDATA_HEADER <= s->cc.mtu;
}

/* What of the window is neither under way nor promised. */
static size_t unclaimed(const pl_sctp *s)
{
    uint64_t claimed = s->sent.flight + s->out.promised;
    return s->peer_rwnd > claimed ? (size_t)(s->peer_rwnd - claimed) : 0;
}

/* The whole of a message that the window can hold at once, else nothing. */
static size_t whole(const pl_sctp *s, const pl_sctp_out_msg *m)
{
    return !m->unended && m->len <= s->widest_rwnd ? (size_t)m->len : 0;
}

/* A message in parts that the peer hands out as it comes: more of it has gone than the window ever held, and the window did
 * not close for it meanwhile, nor grow out of being closed. */
static bool flows(const pl_sctp *s, const pl_sctp_out_msg *m)
{
    uint64_t taken = m->len - m->left;
    if (!m->extra)
        return false;
    if (m->extra->narrow_seen != s->n_narrow) {
        m->extra->narrow_seen = s->n_narrow;
        m->extra->taken_before = taken;
    }
    return taken - m->extra->taken_before > 2 * (uint64_t)s->widest_rwnd + s->sent.flight;
}

static bool is_bounded(const pl_sctp *s, const pl_sctp_out_msg *m)
{
    return whole(s, m) > 0 || flows(s, m);
}

/* What must stay free when a message goes on that is neither promised nor the oldest: the oldest's rest, too, and as much as
 * the message itself will need when it is the oldest. */
static size_t reserve(const pl_sctp *s, const pl_sctp_out_msg *m)
{
    size_t own = whole(s, m);
    const pl_sctp_out_stream *oldest = pl_sctp_streams_oldest(&s->out);
    bool bounded = is_bounded(s, m) && (!oldest || is_bounded(s, oldest->head));
    size_t least = s->widest_rwnd - s->widest_rwnd / (bounded ? 2 : UNKNOWN_SHARE);
    size_t first = oldest && whole(s, oldest->head) > 0 ? oldest->head->left : 0;
    least = least > own ? least : own;
    return least > first ? least : first;
}

static bool gets_promise(const pl_sctp *s, const pl_sctp_out_msg *m)
{
    size_t free_room = s->peer_rwnd > s->sent.flight ? s->peer_rwnd - s->sent.flight : 0;
    return !m->unended && s->out.promised + m->left <= (s->out.promised > 0 ? free_room / 2 : free_room);
}

/* Parked longest, but for this one and the oldest, which goes by rules of its own. */
static pl_sctp_out_stream *parked_longest(const pl_sctp *s, const pl_sctp_out_stream *but)
{
    const pl_sctp_out_stream *oldest = pl_sctp_streams_oldest(&s->out);
    PL_EACH (n, &s->out.parked) {
        pl_sctp_out_stream *st = pl_of(n, pl_sctp_out_stream, in_parked);
        if (st != but && st != oldest)
            return st;
    }
    return NULL;
}

/* Somebody is parked who could go if what is under way had arrived. */
static bool defers(const pl_sctp *s, const pl_sctp_out_stream *st)
{
    const pl_sctp_out_stream *parked = parked_longest(s, st);
    if (!parked)
        return false;
    size_t least = reserve(s, parked->head) + s->cc.mtu;
    return s->peer_rwnd > least && unclaimed(s) <= least;
}

static bool outranks_parked(const pl_sctp *s, const pl_sctp_out_stream *st)
{
    const pl_sctp_out_stream *parked = parked_longest(s, st);
    return !parked || st->turn.priority > parked->turn.priority;
}

static bool may_go(pl_sctp *s, pl_sctp_out_stream *st)
{
    const pl_sctp_out_msg *m = st->head;
    if (!s->out.interleaved || s->out.current == st || m->promised || never_half(s, m))
        return true;
    if (gets_promise(s, m) && (outranks_parked(s, st) || !defers(s, st))) {
        pl_sctp_streams_promise(&s->out, st);
        return true;
    }
    const pl_sctp_out_stream *oldest = pl_sctp_streams_oldest(&s->out);
    if (!oldest || oldest == st)
        return (s->out.promised == 0 || unclaimed(s) > 0) && !defers(s, st);
    return unclaimed(s) > reserve(s, m) + s->cc.mtu;
}

/* Back into the row, when it may go now. */
static bool readmit(pl_sctp *s, pl_sctp_out_stream *st)
{
    if (!st || !pl_node_linked(&st->in_parked) || !may_go(s, st))
        return false;
    pl_sctp_streams_unpark(&s->out, st);
    return true;
}

static bool readmit_some(pl_sctp *s)
{
    bool first = readmit(s, pl_sctp_streams_oldest(&s->out));
    return readmit(s, parked_longest(s, NULL)) || first;
}

static pl_sctp_out_stream *first_that_may(pl_sctp *s)
{
    pl_sctp_out_stream *st;
    while ((st = pl_sctp_next_wanted(s)) && !may_go(s, st))
        pl_sctp_streams_park(&s->out, st);
    return st;
}

pl_sctp_out_stream *pl_sctp_next_stream(pl_sctp *s)
{
    if (!pl_list_empty(&s->out.parked) && s->parked_sack != s->stats.sacks_received) {
        s->parked_sack = s->stats.sacks_received;
        readmit_some(s);
    }
    pl_sctp_out_stream *st = first_that_may(s);
    while (!st && !s->out.current && !pl_list_empty(&s->out.parked) && readmit_some(s))
        st = first_that_may(s); /* none when what came back had expired */
    return st;
}
