/* What applications ask of an association. */
#include "sctp/association_internal.h"

static bool closing(const pl_sctp *s)
{
    return s->ended || s->state >= PL_SCTP_SHUTDOWN_PENDING;
}

/* --- sending --- */

static const pl_sctp_send_opts plain;

/* The stream, when a new message may be queued on it. */
static pl_err open_stream(pl_sctp *s, uint16_t sid, pl_sctp_out_stream **out)
{
    if (closing(s))
        return PL_ESTATE;
    if (sid >= s->streams_out)
        return PL_EINVAL;
    *out = pl_sctp_streams_get(&s->out, sid);
    if (!*out)
        return PL_ENOMEM;
    return (*out)->reset == PL_SCTP_OUT_OPEN ? PL_OK : PL_ESTATE;
}

static bool in_parts(const pl_sctp_out_stream *st)
{
    return st->dropping || (st->tail && st->tail->unended);
}

/* Room for so many bytes more of memory. What waits for the next part of its message alone makes room for nobody, so
 * it must not keep that part out. */
static bool has_room(pl_sctp *s, size_t cost, const pl_sctp_send_opts *o)
{
    if (s->out.total == 0 || s->out.total + cost <= s->conf.send_buffer_max)
        return true;
    if (pl_sctp_outstanding_n(&s->sent) == 0 && !pl_sctp_streams_ready(&s->out))
        return true;
    bool made = o->limit_priority && pl_sctp_make_room(s, cost, o->buffer_priority);
    pl_sctp_settle(s); /* the TSN behind half a message that was given up may be the only one under way */
    if (made)
        return true;
    s->writable_owed = true;
    s->tells &= ~(unsigned)PL_SCTP_TELL_WRITABLE; /* one not yet told is no longer true */
    return false;
}

static pl_err set_opts(pl_sctp *s, pl_sctp_out_msg *m, uint16_t sid, uint32_t ppid,
                       const pl_sctp_send_opts *o)
{
    m->sid = sid;
    m->ppid = ppid;
    m->unordered = o->unordered;
    m->uncounted = o->uncounted;
    m->max_retransmits = o->limit_retransmits ? o->max_retransmits : UINT32_MAX;
    m->expires_us = o->lifetime_us > 0 ? s->now_us + o->lifetime_us : PL_NEVER;
    return o->limit_priority ? pl_sctp_out_msg_limit(&s->out, m, o->buffer_priority) : PL_OK;
}

/* A whole message of len bytes may come in. */
static pl_err admit(pl_sctp *s, uint16_t sid, size_t len, size_t cost, const pl_sctp_send_opts *o,
                    pl_sctp_out_stream **st)
{
    if (len == 0)
        return closing(s) ? PL_ESTATE : PL_EINVAL;
    pl_err err = open_stream(s, sid, st);
    if (err != PL_OK)
        return err;
    if (in_parts(*st))
        return PL_ESTATE;
    if (len > s->conf.send_buffer_max)
        return PL_ENOSPC;
    return has_room(s, cost, o) ? PL_OK : PL_EAGAIN;
}

pl_err pl_sctp_send(pl_sctp *s, int64_t now_us, uint16_t sid, uint32_t ppid, const void *data, size_t len,
                    const pl_sctp_send_opts *opts)
{
    const pl_sctp_send_opts *o = opts ? opts : &plain;
    pl_sctp_out_stream *st;
    s->now_us = now_us;
    pl_err err = admit(s, sid, len, pl_sctp_out_msg_cost(len), o, &st);
    if (err != PL_OK)
        return err;
    pl_sctp_out_msg *m = pl_sctp_out_msg_new(&s->out, data, len);
    if (!m)
        return PL_ENOMEM;
    err = set_opts(s, m, sid, ppid, o);
    if (err == PL_OK)
        pl_sctp_streams_push(&s->out, st, m);
    else
        pl_sctp_out_msg_unref(&s->out, m);
    return err;
}

pl_err pl_sctp_send_lent(pl_sctp *s, int64_t now_us, uint16_t sid, uint32_t ppid, const pl_sctp_lent *bytes,
                         const pl_sctp_send_opts *opts)
{
    const pl_sctp_send_opts *o = opts ? opts : &plain;
    pl_sctp_out_stream *st;
    s->now_us = now_us;
    pl_err err =
        admit(s, sid, bytes->len, pl_sctp_out_msg_cost(bytes->len) + sizeof(pl_sctp_out_extra), o, &st);
    if (err != PL_OK)
        return err;
    pl_sctp_out_msg *m = pl_sctp_out_msg_lent(&s->out, bytes);
    if (!m)
        return PL_ENOMEM;
    (void)set_opts(s, m, sid, ppid, o); /* a lent message has all that its limits need */
    pl_sctp_streams_push(&s->out, st, m);
    return PL_OK;
}

static pl_err begin_parts(pl_sctp *s, pl_sctp_out_stream *st, uint32_t ppid, const void *data, size_t len,
                          bool last, const pl_sctp_send_opts *o)
{
    pl_sctp_out_msg *m = pl_sctp_out_msg_streamed(&s->out);
    if (!m)
        return PL_ENOMEM;
    if (pl_sctp_out_msg_append(&s->out, m, data, len) != PL_OK) {
        pl_sctp_out_msg_unref(&s->out, m);
        return PL_ENOMEM;
    }
    m->unended = !last;
    (void)set_opts(s, m, st->sid, ppid, o); /* as above */
    pl_sctp_streams_push(&s->out, st, m);
    return PL_OK;
}

/* The part belongs to a message that was given up; its stream may be one that a restarted peer does not have. */
static bool drops_part(pl_sctp *s, uint16_t sid, bool last)
{
    pl_sctp_out_stream *st = closing(s) ? NULL : pl_sctp_streams_find(&s->out, sid);
    if (!st || !st->dropping)
        return false;
    st->dropping = !last;
    return true;
}

pl_err pl_sctp_send_part(pl_sctp *s, int64_t now_us, uint16_t sid, uint32_t ppid, const void *data,
                         size_t len, bool last, const pl_sctp_send_opts *opts)
{
    const pl_sctp_send_opts *o = opts ? opts : &plain;
    pl_sctp_out_stream *st;
    s->now_us = now_us;
    if (drops_part(s, sid, last))
        return PL_OK;
    pl_err err = open_stream(s, sid, &st);
    if (err != PL_OK)
        return err;
    pl_sctp_out_msg *m = in_parts(st) ? st->tail : NULL;
    if (len == 0 && !(m && last))
        return PL_EINVAL;
    if (len > s->conf.send_buffer_max)
        return PL_ENOSPC;
    if (!has_room(s, pl_sctp_out_part_cost(m, len), o))
        return PL_EAGAIN;
    if (drops_part(s, sid, last)) /* to make room, the message itself was given up */
        return PL_OK;
    return m ? pl_sctp_streams_append(&s->out, st, data, len, last)
             : begin_parts(s, st, ppid, data, len, last, o);
}

pl_err pl_sctp_set_priority(pl_sctp *s, uint16_t sid, uint16_t priority)
{
    if (priority == 0)
        return PL_EINVAL;
    pl_sctp_out_stream *st = pl_sctp_streams_get(&s->out, sid);
    if (!st)
        return PL_ENOMEM;
    pl_sctp_turns_set_priority(&s->out.turns, &st->turn, priority);
    return PL_OK;
}

/* --- receiving --- */

const pl_sctp_msg *pl_sctp_peek(const pl_sctp *s)
{
    return pl_sctp_reassembly_peek(&s->re);
}

/* 6.2: a window that was more than half closed and has opened by an eighth is worth telling. */
static void tell_window(pl_sctp *s)
{
    size_t rwnd = pl_sctp_rwnd(s), full = s->window.size;
    if (!s->ended && s->state >= PL_SCTP_ESTABLISHED && s->told_rwnd < full / 2 && rwnd > s->told_rwnd &&
        rwnd - s->told_rwnd >= full / 8)
        pl_sctp_sack_at_once(&s->in, s->now_us);
}

/* Who only receives knows no round trip until it asks for one; it does once that could matter. */
void pl_sctp_size_window(pl_sctp *s, size_t taken)
{
    if (pl_sctp_app_is_behind(s)) /* a larger window would only hold more */
        return;
    pl_sctp_window_taken(&s->window, taken, s->re.ready ? 0 : s->re.held, s->now_us, s->rto.min_rtt_us);
    if (s->rto.min_rtt_us == 0 && s->window.taken > s->window.size / 16 && !s->heartbeat_out &&
        s->state == PL_SCTP_ESTABLISHED && s->window.size < s->window.max)
        s->wants |= PL_SCTP_WANT_HEARTBEAT;
}

pl_err pl_sctp_set_pieces(pl_sctp *s, uint16_t sid, bool on)
{
    return pl_sctp_reassembly_set_pieces(&s->re, sid, on);
}

bool pl_sctp_recv(pl_sctp *s, pl_sctp_msg *out)
{
    if (!pl_sctp_reassembly_take(&s->re, out))
        return false;
    pl_sctp_size_window(s, out->len);
    tell_window(s);
    return true;
}

/* --- the rest --- */

void pl_sctp_set_held(pl_sctp *s, int64_t now_us, size_t bytes)
{
    bool less = bytes < s->held_above;
    s->now_us = now_us;
    s->held_above = bytes;
    if (less)
        tell_window(s);
}

size_t pl_sctp_buffered(const pl_sctp *s, uint16_t sid)
{
    const pl_sctp_out_stream *st = pl_sctp_streams_find(&s->out, sid);
    return st ? st->buffered : 0;
}

size_t pl_sctp_buffered_total(const pl_sctp *s)
{
    return s->out.total;
}

pl_err pl_sctp_set_buffered_low(pl_sctp *s, uint16_t sid, size_t bytes)
{
    pl_sctp_out_stream *st = pl_sctp_streams_get(&s->out, sid);
    if (!st)
        return PL_ENOMEM;
    st->low = bytes;
    return PL_OK;
}

pl_err pl_sctp_reset_streams(pl_sctp *s, int64_t now_us, const uint16_t *sids, size_t n)
{
    s->now_us = now_us;
    if (closing(s))
        return PL_ESTATE;
    if (s->state == PL_SCTP_ESTABLISHED && !(s->extensions & PL_SCTP_EXT_RECONFIG))
        return PL_ENOTSUP;
    for (size_t i = 0; i < n; i++) {
        if (!pl_sctp_streams_get(&s->out, sids[i]))
            return PL_ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        pl_sctp_out_stream *st = pl_sctp_streams_find(&s->out, sids[i]);
        if (st->reset != PL_SCTP_OUT_OPEN)
            continue;
        pl_sctp_break_off(s, st);
        pl_sctp_reset_stream(s, st);
    }
    pl_sctp_settle(s);
    return PL_OK;
}

int64_t pl_sctp_least_rtt(pl_sctp *s)
{
    int64_t least_us = s->rto.least_us;
    s->rto.least_us = 0;
    return least_us;
}

pl_err pl_sctp_add_streams(pl_sctp *s, int64_t now_us, uint16_t n_out, uint16_t n_in)
{
    s->now_us = now_us;
    if (s->state != PL_SCTP_ESTABLISHED || s->reset.adding)
        return PL_ESTATE;
    if (!(s->extensions & PL_SCTP_EXT_RECONFIG))
        return PL_ENOTSUP;
    if ((n_out == 0 && n_in == 0) || s->streams_out + s->reset.owed_out + n_out > PL_SCTP_STREAM_MAX ||
        s->streams_in + n_in > PL_SCTP_STREAM_MAX)
        return PL_EINVAL;
    pl_sctp_reset_add(s, n_out, n_in);
    pl_sctp_settle(s);
    return PL_OK;
}

void pl_sctp_shutdown(pl_sctp *s, int64_t now_us)
{
    s->now_us = now_us;
    if (closing(s))
        return;
    pl_sctp_break_off_all(s);
    if (s->state == PL_SCTP_ESTABLISHED)
        pl_sctp_enter(s, PL_SCTP_SHUTDOWN_PENDING, "shutdown asked for");
    else
        pl_sctp_fail(s, PL_OK, PL_SCTP_CAUSE_USER_ABORT, "shut down before it was up");
    pl_sctp_settle(s);
}

void pl_sctp_abort(pl_sctp *s, int64_t now_us, const char *reason)
{
    s->now_us = now_us;
    pl_sctp_fail(s, PL_OK, PL_SCTP_CAUSE_USER_ABORT, reason ? reason : "closed");
}

pl_sctp_state pl_sctp_get_state(const pl_sctp *s)
{
    return s->state;
}

uint16_t pl_sctp_streams_out(const pl_sctp *s)
{
    return s->streams_out;
}

void pl_sctp_get_stats(const pl_sctp *s, pl_sctp_stats *out)
{
    *out = s->stats;
    out->messages_received = s->re.n_messages;
    out->message_bytes_received = s->re.message_bytes;
    out->srtt_us = s->rto.srtt_us;
    out->rttvar_us = s->rto.rttvar_us;
    out->rto_us = s->rto.rto_us;
    out->min_rtt_us = s->rto.min_rtt_us;
    out->cwnd = s->cc.cwnd;
    out->pace_bps = s->pacer.rate * 8;
    out->delivery_bps = 8 * (uint64_t)pl_sctp_cc_bdp(&s->cc, PL_SEC(1));
    out->congestion = s->conf.congestion;
    out->ssthresh = s->cc.ssthresh;
    out->in_flight = s->sent.flight;
    out->peer_rwnd = s->peer_rwnd;
    out->mtu = s->mtu.size;
    out->send_buffered = s->out.total;
    out->receive_buffered = s->re.held;
    bool known = s->peer_tag != 0;
    out->streams_out = known ? s->streams_out : 0;
    out->streams_in = known ? s->streams_in : 0;
    out->state = s->state;
}
