/* What applications ask of an association. */
#include "sctp/association_internal.h"

static bool closing(const pl_sctp *s)
{
    return s->ended || s->state >= PL_SCTP_SHUTDOWN_PENDING;
}

pl_err pl_sctp_send(pl_sctp *s, int64_t now_us, uint16_t sid, uint32_t ppid, const void *data, size_t len,
                    const pl_sctp_send_opts *opts)
{
    static const pl_sctp_send_opts plain;
    const pl_sctp_send_opts *o = opts ? opts : &plain;
    s->now_us = now_us;
    if (closing(s))
        return PL_ESTATE;
    if (len == 0 || sid >= s->streams_out)
        return PL_EINVAL;
    if (len > s->conf.send_buffer_max)
        return PL_ENOSPC;
    if (s->out.total > 0 && s->out.total + pl_sctp_out_msg_cost(len) > s->conf.send_buffer_max) {
        s->writable_owed = true;
        return PL_EAGAIN;
    }
    pl_sctp_out_stream *st = pl_sctp_streams_get(&s->out, sid);
    if (!st)
        return PL_ENOMEM;
    if (st->reset != PL_SCTP_OUT_OPEN)
        return PL_ESTATE;
    pl_sctp_out_msg *m = pl_sctp_out_msg_new(&s->out, data, len);
    if (!m)
        return PL_ENOMEM;
    m->sid = sid;
    m->ppid = ppid;
    m->unordered = o->unordered;
    m->uncounted = o->uncounted;
    m->max_retransmits = o->limit_retransmits ? o->max_retransmits : UINT32_MAX;
    m->expires_us = o->lifetime_us > 0 ? now_us + o->lifetime_us : PL_NEVER;
    pl_sctp_streams_push(&s->out, st, m);
    return PL_OK;
}

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
static void size_window(pl_sctp *s, size_t taken)
{
    pl_sctp_window_taken(&s->window, taken, s->now_us, s->rto.min_rtt_us);
    if (s->rto.min_rtt_us == 0 && s->window.taken > s->window.size / 16 && !s->heartbeat_out &&
        s->state == PL_SCTP_ESTABLISHED && s->window.size < s->window.max)
        s->wants |= PL_SCTP_WANT_HEARTBEAT;
}

bool pl_sctp_recv(pl_sctp *s, pl_sctp_msg *out)
{
    if (!pl_sctp_reassembly_take(&s->re, out))
        return false;
    size_window(s, out->len);
    tell_window(s);
    return true;
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
        st->reset = PL_SCTP_OUT_RESET_WAITING;
        pl_list_push_back(&s->out.resets, &st->in_resets);
    }
    pl_sctp_settle(s);
    return PL_OK;
}

void pl_sctp_shutdown(pl_sctp *s, int64_t now_us)
{
    s->now_us = now_us;
    if (closing(s))
        return;
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
    out->ssthresh = s->cc.ssthresh;
    out->in_flight = s->sent.flight;
    out->peer_rwnd = s->peer_rwnd;
    out->mtu = s->conf.mtu;
    out->send_buffered = s->out.total;
    out->receive_buffered = s->re.held;
    bool known = s->peer_tag != 0;
    out->streams_out = known ? s->streams_out : 0;
    out->streams_in = known ? s->streams_in : 0;
    out->state = s->state;
}
