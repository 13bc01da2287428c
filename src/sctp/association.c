#include "sctp/association_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { DEFAULT_RETRANSMITS = 30, WINDOW_FIRST = 2 << 20, WINDOW_MAX = 16 << 20 };
/* RFC 9260 9.2: five times RTO.Max, of which the RFC's default is meant. */
#define SHUTDOWN_GUARD_US PL_SEC(300)

static const uint16_t may_go[] = {
    [PL_SCTP_CLOSED] = 1 << PL_SCTP_COOKIE_WAIT | 1 << PL_SCTP_ESTABLISHED,
    [PL_SCTP_COOKIE_WAIT] = 1 << PL_SCTP_CLOSED | 1 << PL_SCTP_COOKIE_ECHOED | 1 << PL_SCTP_ESTABLISHED |
                            1 << PL_SCTP_COOKIE_WAIT,
    [PL_SCTP_COOKIE_ECHOED] = 1 << PL_SCTP_CLOSED | 1 << PL_SCTP_COOKIE_WAIT | 1 << PL_SCTP_ESTABLISHED,
    [PL_SCTP_ESTABLISHED] = 1 << PL_SCTP_CLOSED | 1 << PL_SCTP_ESTABLISHED | 1 << PL_SCTP_SHUTDOWN_PENDING |
                            1 << PL_SCTP_SHUTDOWN_RECEIVED,
    [PL_SCTP_SHUTDOWN_PENDING] = 1 << PL_SCTP_CLOSED | 1 << PL_SCTP_ESTABLISHED | 1 << PL_SCTP_SHUTDOWN_SENT |
                                 1 << PL_SCTP_SHUTDOWN_RECEIVED,
    [PL_SCTP_SHUTDOWN_SENT] = 1 << PL_SCTP_CLOSED | 1 << PL_SCTP_ESTABLISHED | 1 << PL_SCTP_SHUTDOWN_ACK_SENT,
    [PL_SCTP_SHUTDOWN_RECEIVED] =
        1 << PL_SCTP_CLOSED | 1 << PL_SCTP_ESTABLISHED | 1 << PL_SCTP_SHUTDOWN_ACK_SENT,
    [PL_SCTP_SHUTDOWN_ACK_SENT] = 1 << PL_SCTP_CLOSED,
};

const char *pl_sctp_state_str(pl_sctp_state state)
{
    static const char *const name[] = {
        "closed",           "cookie-wait",   "cookie-echoed",     "established",
        "shutdown-pending", "shutdown-sent", "shutdown-received", "shutdown-ack-sent"
    };
    return name[state];
}

/* --- making --- */

static void apply_defaults(pl_sctp_conf *c)
{
#define OR(field, value)                                                                                     \
    if (!c->field)                                                                                           \
    c->field = (value)
    OR(local_port, PL_SCTP_PORT);
    OR(remote_port, PL_SCTP_PORT);
    OR(max_streams_out, PL_SCTP_STREAM_MAX);
    OR(max_streams_in, PL_SCTP_STREAM_MAX);
    OR(mtu, PL_SCTP_MTU_DEFAULT);
    OR(send_buffer_max, (size_t)16 << 20);
    OR(max_message_size, (size_t)256 << 10);
    OR(recv_buffer_max, c->recv_buffer ? c->recv_buffer : WINDOW_MAX);
    OR(recv_buffer, c->recv_buffer_max < WINDOW_FIRST ? c->recv_buffer_max : WINDOW_FIRST);
    OR(rto_initial_us, PL_SEC(1));
    OR(rto_min_us, PL_MS(300));
    OR(rto_max_us, PL_SEC(4));
    OR(sack_delay_us, PL_MS(100));
    OR(heartbeat_us, PL_SEC(30));
    OR(cookie_life_us, PL_SEC(60));
    OR(max_retransmits, DEFAULT_RETRANSMITS);
    OR(max_init_retransmits, DEFAULT_RETRANSMITS);
#undef OR
}

static bool legal(const pl_sctp_conf *c)
{
    return c->mtu >= PL_SCTP_MTU_MIN && c->mtu_max <= PL_SCTP_MTU_MAX && c->send_buffer_max <= UINT32_MAX &&
           c->recv_buffer >= 4 * c->mtu && c->recv_buffer <= c->recv_buffer_max &&
           c->recv_buffer_max <= UINT32_MAX / 2 && c->max_message_size <= c->recv_buffer_max &&
           (unsigned)c->congestion <= PL_SCTP_CONGESTION_LEDBAT && c->rto_min_us > 0 &&
           c->rto_min_us <= c->rto_max_us;
}

static uint32_t new_tag(pl_sctp *s)
{
    uint32_t tag;
    do
        tag = pl_rand_u32(&s->conf.rand);
    while (tag == 0);
    return tag;
}

pl_err pl_sctp_new(pl_sctp **out, const pl_sctp_conf *conf, int64_t now_us)
{
    *out = NULL;
    pl_sctp_conf c = *conf;
    apply_defaults(&c);
    c.mtu &= ~(size_t)3;
    if (c.mtu_max < c.mtu)
        c.mtu_max = c.mtu;
    if (!legal(&c))
        return PL_EINVAL;
    pl_sctp *s = calloc(1, sizeof *s);
    if (!s)
        return PL_ENOMEM;
    s->conf = c;
    s->now_us = now_us;
    pl_log_name(&s->log, "sctp", c.log_id);
    s->my_tag = new_tag(s);
    s->my_tsn = pl_rand_u32(&c.rand);
    pl_rand_bytes(&c.rand, s->key, sizeof s->key);
    s->streams_out = c.max_streams_out;
    s->streams_in = c.max_streams_in;
    pl_sctp_streams_init(&s->out, c.scheduler);
    pl_sctp_outstanding_init(&s->sent, s->my_tsn);
    pl_sctp_rto_init(&s->rto, c.rto_initial_us, c.rto_min_us, c.rto_max_us);
    pl_sctp_cc_init(&s->cc, pl_sctp_controller(c.congestion), c.mtu - PL_SCTP_HEADER);
    s->cc.seed = s->my_tag;
    s->burst_limit = s->cc.cwnd;
    pl_sctp_mtu_init(&s->mtu, c.mtu, c.mtu_max);
    s->path_since_us = INT64_MIN;
    pl_sctp_sack_init(&s->in, 0, c.sack_delay_us);
    pl_sctp_reassembly_init(&s->re, c.max_message_size);
    pl_sctp_window_init(&s->window, c.recv_buffer, c.recv_buffer_max, now_us);
    s->told_rwnd = c.recv_buffer;
    s->reset.due_us = PL_NEVER;
    pl_sctp_recovery_init(&s->recovery);
    s->t1_us = s->t2_us = s->t3_us = s->t5_us = s->heartbeat_us = PL_NEVER;
    *out = s;
    return PL_OK;
}

static void drop_sending(pl_sctp *s)
{
    pl_sctp_outstanding_clear(&s->sent, &s->out);
    pl_sctp_streams_clear(&s->out);
}

void pl_sctp_free(pl_sctp *s)
{
    if (!s)
        return;
    drop_sending(s);
    pl_sctp_sack_clear(&s->in);
    pl_sctp_reassembly_clear(&s->re);
    pl_sctp_reset_clear(s);
    pl_sctp_drop_replies(s);
    free(s->cookie);
    free(s);
}

/* --- state --- */

void pl_sctp_enter(pl_sctp *s, pl_sctp_state to, const char *why)
{
    assert(may_go[s->state] >> to & 1);
    pl_log_debug(&s->log, "%s -> %s: %s", pl_sctp_state_str(s->state), pl_sctp_state_str(to), why);
    s->state = to;
    s->t1_us = s->t2_us = PL_NEVER;
    s->wants &= ~(unsigned)(PL_SCTP_WANT_INIT | PL_SCTP_WANT_COOKIE_ECHO | PL_SCTP_WANT_SHUTDOWN |
                            PL_SCTP_WANT_SHUTDOWN_ACK);
    switch (to) {
    case PL_SCTP_COOKIE_WAIT: s->wants |= PL_SCTP_WANT_INIT; break;
    case PL_SCTP_COOKIE_ECHOED: s->wants |= PL_SCTP_WANT_COOKIE_ECHO; break;
    case PL_SCTP_SHUTDOWN_SENT: s->wants |= PL_SCTP_WANT_SHUTDOWN; break;
    case PL_SCTP_SHUTDOWN_ACK_SENT: s->wants |= PL_SCTP_WANT_SHUTDOWN_ACK; break;
    default: break;
    }
    if (to == PL_SCTP_COOKIE_WAIT || to == PL_SCTP_COOKIE_ECHOED)
        s->t1_us = s->now_us + s->rto.rto_us;
    if (to == PL_SCTP_SHUTDOWN_SENT || to == PL_SCTP_SHUTDOWN_ACK_SENT)
        s->t2_us = s->now_us + s->rto.rto_us;
    if (s->t2_us != PL_NEVER && s->t5_us == PL_NEVER)
        s->t5_us = s->now_us + SHUTDOWN_GUARD_US;
    if (to <= PL_SCTP_ESTABLISHED)
        s->t5_us = PL_NEVER;
}

void pl_sctp_end(pl_sctp *s, pl_err error, uint16_t cause, const char *reason)
{
    if (s->ended)
        return;
    pl_log_debug(&s->log, "ended in %s: %s", pl_sctp_state_str(s->state), reason);
    s->ended = true;
    s->closed_error = error;
    s->closed_cause = cause;
    snprintf(s->closed_reason, sizeof s->closed_reason, "%s", reason);
    if (s->state != PL_SCTP_CLOSED)
        pl_sctp_enter(s, PL_SCTP_CLOSED, reason);
    drop_sending(s);
    pl_sctp_reset_clear(s);
    pl_sctp_reassembly_end(&s->re); /* what is whole can still be taken */
    free(s->cookie);
    s->cookie = NULL;
    s->t3_us = s->t5_us = s->heartbeat_us = s->in.due_us = PL_NEVER;
    pl_sctp_mtu_forget(s);
    pl_sctp_recovery_init(&s->recovery);
    s->wants = 0;
    s->tells = (s->tells & PL_SCTP_TELL_CONNECTED) | PL_SCTP_TELL_CLOSED;
}

void pl_sctp_fail_by(pl_sctp *s, pl_err error, pl_sctp_cause cause, const void *value, size_t len,
                     const char *reason)
{
    uint8_t packet[PL_SCTP_HEADER + 2 * PL_SCTP_REASON_MAX];
    if (s->ended)
        return;
    if (s->peer_tag != 0) {
        pl_wr w = pl_wr_init(packet, sizeof packet);
        pl_wr_zeros(&w, PL_SCTP_HEADER);
        size_t chunk = pl_sctp_chunk_begin(&w, PL_SCTP_ABORT, 0);
        pl_sctp_cause_write(&w, cause, value, len < PL_SCTP_REASON_MAX ? len : PL_SCTP_REASON_MAX);
        pl_sctp_chunk_end(&w, chunk);
        pl_sctp_drop_replies(s);
        pl_sctp_reply_packet(s, s->peer_tag, &w);
    }
    pl_sctp_end(s, error, (uint16_t)cause, reason);
}

void pl_sctp_fail(pl_sctp *s, pl_err error, pl_sctp_cause cause, const char *reason)
{
    bool told = cause == PL_SCTP_CAUSE_USER_ABORT || cause == PL_SCTP_CAUSE_PROTOCOL_VIOLATION;
    pl_sctp_fail_by(s, error, cause, reason, told ? strlen(reason) : 0, reason);
}

bool pl_sctp_may_send(const pl_sctp *s)
{
    return s->state == PL_SCTP_ESTABLISHED || s->state == PL_SCTP_SHUTDOWN_PENDING ||
           s->state == PL_SCTP_SHUTDOWN_RECEIVED;
}

bool pl_sctp_may_receive(const pl_sctp *s)
{
    return s->state == PL_SCTP_ESTABLISHED || s->state == PL_SCTP_SHUTDOWN_PENDING ||
           s->state == PL_SCTP_SHUTDOWN_SENT;
}

size_t pl_sctp_held(const pl_sctp *s)
{
    return s->re.held + s->re.tables + s->held_above;
}

size_t pl_sctp_rwnd(const pl_sctp *s)
{
    size_t held = pl_sctp_held(s);
    return held < s->window.size ? s->window.size - held : 0;
}

bool pl_sctp_app_is_behind(const pl_sctp *s)
{
    return s->held_above > s->window.size / 16;
}

size_t pl_sctp_hard_limit(const pl_sctp *s)
{
    return s->window.size + s->window.size / 10;
}

bool pl_sctp_count_error(pl_sctp *s, const char *what)
{
    /* Timers that run out beside each other tell one thing: a path that is dark must not seem darker because data, a
     * request and a heartbeat all wait. */
    if (s->n_errors > 0 && s->now_us - s->error_us < s->rto.rto_us)
        return true;
    s->error_us = s->now_us;
    if (++s->n_errors <= s->conf.max_retransmits)
        return true;
    pl_sctp_end(s, PL_EIO, 0, what);
    return false;
}

/* Everything sent and acknowledged. */
static bool drained(const pl_sctp *s)
{
    return s->out.n_queued == 0 && pl_sctp_outstanding_n(&s->sent) == 0;
}

static void settle_timers(pl_sctp *s)
{
    bool waiting = pl_sctp_outstanding_n(&s->sent) > 0 && pl_sctp_may_send(s);
    if (!waiting)
        s->t3_us = s->recovery.reorder_us = s->recovery.probe_us = PL_NEVER;
    else if (s->t3_us == PL_NEVER)
        s->t3_us = s->now_us + s->rto.rto_us;
}

void pl_sctp_settle(pl_sctp *s)
{
    if (s->ended)
        return;
    if (s->state == PL_SCTP_SHUTDOWN_PENDING && drained(s))
        pl_sctp_enter(s, PL_SCTP_SHUTDOWN_SENT, "everything is acknowledged");
    else if (s->state == PL_SCTP_SHUTDOWN_RECEIVED && drained(s))
        pl_sctp_enter(s, PL_SCTP_SHUTDOWN_ACK_SENT, "everything is acknowledged");
    if (s->state == PL_SCTP_ESTABLISHED)
        pl_sctp_reset_settle(s);
    if (s->writable_owed && s->out.total <= s->conf.send_buffer_max / 4 * 3) {
        s->writable_owed = false;
        s->tells |= PL_SCTP_TELL_WRITABLE;
    }
    settle_timers(s);
}

/* --- timers --- */

void pl_sctp_restart_heartbeat(pl_sctp *s)
{
    if (s->conf.heartbeat_us < 0) {
        s->heartbeat_us = PL_NEVER;
        return;
    }
    /* 8.3: the interval, one RTO, and half an RTO to either side so that many peers do not beat as one */
    int64_t jitter_us = pl_rand_below(&s->conf.rand, (uint32_t)s->rto.rto_us) - s->rto.rto_us / 2;
    s->heartbeat_us = s->now_us + s->conf.heartbeat_us + s->rto.rto_us + jitter_us;
}

static void t1_expired(pl_sctp *s)
{
    if (++s->n_init_tries > s->conf.max_init_retransmits) {
        pl_sctp_end(s, PL_EIO, 0, "no answer to the handshake");
        return;
    }
    pl_sctp_rto_double(&s->rto);
    s->t1_us = s->now_us + s->rto.rto_us;
    if (s->state == PL_SCTP_COOKIE_WAIT) {
        s->wants |= PL_SCTP_WANT_INIT;
    } else {
        s->wants |= PL_SCTP_WANT_COOKIE_ECHO;
        pl_sctp_outstanding_timeout(&s->sent); /* what went with the cookie goes with it again */
    }
}

static void t2_expired(pl_sctp *s)
{
    if (!pl_sctp_count_error(s, "no answer to the shutdown"))
        return;
    pl_sctp_rto_double(&s->rto);
    s->t2_us = s->now_us + s->rto.rto_us;
    s->wants |= s->state == PL_SCTP_SHUTDOWN_SENT ? PL_SCTP_WANT_SHUTDOWN : PL_SCTP_WANT_SHUTDOWN_ACK;
}

static void heartbeat_expired(pl_sctp *s)
{
    if (s->heartbeat_out && !pl_sctp_count_error(s, "the peer no longer answers"))
        return;
    bool busy = !s->heartbeat_out && s->now_us - s->last_heard_us < s->conf.heartbeat_us;
    if (!busy) /* acknowledged data says as much as a heartbeat */
        s->wants |= PL_SCTP_WANT_HEARTBEAT;
    pl_sctp_restart_heartbeat(s);
}

void pl_sctp_tick(pl_sctp *s, int64_t now_us)
{
    s->now_us = now_us;
    if (now_us >= s->t1_us)
        t1_expired(s);
    if (now_us >= s->t2_us)
        t2_expired(s);
    if (now_us >= s->t3_us)
        pl_sctp_t3_expired(s);
    if (now_us >= s->recovery.reorder_us)
        pl_sctp_reorder_expired(s);
    if (now_us >= s->recovery.probe_us)
        pl_sctp_probe_expired(s);
    if (now_us >= s->t5_us)
        pl_sctp_fail(s, PL_EIO, PL_SCTP_CAUSE_USER_ABORT, "shutdown took too long");
    if (now_us >= s->mtu.due_us)
        pl_sctp_mtu_timer(s);
    if (now_us >= s->heartbeat_us)
        heartbeat_expired(s);
    if (now_us >= s->reset.due_us)
        pl_sctp_reset_timeout(s);
    if (now_us >= pl_sctp_partial_next_us(s))
        pl_sctp_partial_tick(s);
    pl_sctp_settle(s);
}

int64_t pl_sctp_next_us(const pl_sctp *s)
{
    int64_t at_us = pl_min_us(pl_min_us(s->t1_us, s->t2_us), pl_min_us(s->t3_us, s->t5_us));
    at_us = pl_min_us(at_us, pl_min_us(s->recovery.reorder_us, s->recovery.probe_us));
    at_us = pl_min_us(at_us, pl_sctp_partial_next_us(s));
    at_us = pl_min_us(at_us, s->mtu.due_us);
    if (pl_sctp_waits_for_pace(s))
        at_us = pl_min_us(at_us, s->pacer.open_us);
    return pl_min_us(pl_min_us(at_us, s->heartbeat_us), pl_min_us(s->reset.due_us, s->in.due_us));
}

/* --- events --- */

static bool tell(pl_sctp *s, unsigned what, pl_sctp_event_kind kind, pl_sctp_event *out)
{
    if (!(s->tells & what))
        return false;
    s->tells &= ~what;
    out->kind = kind;
    return true;
}

/* The first stream's facts, one after the other: those of `which`. */
static bool tell_stream(pl_sctp *s, uint8_t which, pl_sctp_event *out)
{
    pl_node *n = pl_list_first(&s->out.noisy);
    pl_sctp_out_stream *st = n ? pl_of(n, pl_sctp_out_stream, in_noisy) : NULL;
    uint8_t facts = st ? st->facts & which : 0;
    if (!facts)
        return false;
    out->sid = st->sid;
    out->kind = PL_SCTP_EVENT_RESET_OUT;
    if (facts & PL_SCTP_OUT_LOW) {
        facts = PL_SCTP_OUT_LOW;
        out->kind = PL_SCTP_EVENT_BUFFERED_LOW;
    } else if (facts & PL_SCTP_OUT_RESET_REFUSED) {
        out->error = PL_ENOTSUP;
    }
    st->facts &= (uint8_t)~facts;
    pl_list_remove(n);
    if (st->facts)
        pl_list_push_back(&s->out.noisy, n);
    return true;
}

bool pl_sctp_poll_event(pl_sctp *s, pl_sctp_event *out)
{
    if (!s->tells && pl_list_empty(&s->out.noisy) && pl_list_empty(&s->re.noisy))
        return false; /* asked before every message */
    *out = (pl_sctp_event){ 0 };
    if (tell(s, PL_SCTP_TELL_CONNECTED, PL_SCTP_EVENT_CONNECTED, out) ||
        tell_stream(s, PL_SCTP_OUT_RESET_BEFORE, out) ||
        tell(s, PL_SCTP_TELL_RESTARTED, PL_SCTP_EVENT_RESTARTED, out) || tell_stream(s, UINT8_MAX, out) ||
        tell(s, PL_SCTP_TELL_WRITABLE, PL_SCTP_EVENT_WRITABLE, out))
        return true;
    if (tell(s, PL_SCTP_TELL_STREAMS, PL_SCTP_EVENT_STREAMS, out)) {
        out->error = s->reset.add_error;
        return true;
    }
    if (pl_sctp_reassembly_poll_reset(&s->re, &out->sid)) {
        out->kind = PL_SCTP_EVENT_RESET_IN;
        return true;
    }
    if (s->re.ready || !tell(s, PL_SCTP_TELL_CLOSED, PL_SCTP_EVENT_CLOSED, out))
        return false; /* messages that came before the end are taken before it is told */
    out->error = s->closed_error;
    out->cause = s->closed_cause;
    memcpy(out->reason, s->closed_reason, sizeof out->reason);
    return true;
}

void pl_sctp_check(const pl_sctp *s)
{
    bool handshake = s->state == PL_SCTP_COOKIE_WAIT || s->state == PL_SCTP_COOKIE_ECHOED;
    bool closing = s->state == PL_SCTP_SHUTDOWN_SENT || s->state == PL_SCTP_SHUTDOWN_ACK_SENT;
    assert((s->t1_us != PL_NEVER) == handshake);
    assert((s->t2_us != PL_NEVER) == closing);
    assert((s->t3_us != PL_NEVER) == (pl_sctp_outstanding_n(&s->sent) > 0 && pl_sctp_may_send(s)));
    assert(s->t3_us != PL_NEVER || (s->recovery.reorder_us == PL_NEVER && s->recovery.probe_us == PL_NEVER));
    assert(!s->ended || s->state == PL_SCTP_CLOSED);
    assert(!s->ended || (s->out.total == 0 && pl_sctp_outstanding_n(&s->sent) == 0));
    assert(s->cc.cwnd >= s->cc.mtu);
    assert(s->n_replies <= PL_SCTP_REPLIES_MAX);
    assert(s->cc.mtu == s->mtu.size - PL_SCTP_HEADER);
    pl_sctp_mtu_check(&s->mtu);
    pl_sctp_streams_check(&s->out);
    pl_sctp_outstanding_check(&s->sent);
    pl_sctp_sack_check(&s->in);
    pl_sctp_reassembly_check(&s->re);
    /* What comes early is counted as a fragment, and has a message's header when it is whole. */
    assert(s->re.held + s->re.tables <= pl_sctp_hard_limit(s) + PL_SCTP_LIMIT_SLACK);
}
