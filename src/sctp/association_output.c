/* The way out: what the next packet carries. Control chunks first, then a SACK, then as much DATA as the
 * windows and the packet allow (RFC 9260 6.1, 6.10). */
#include <assert.h>
#include <stdlib.h>

#include "sctp/association_internal.h"

enum {
    SENDS_IN_VAIN = 3,    /* of one TSN, until it is asked whether packets of this size still arrive */
    LEAST_FRAGMENT = 256, /* a message is not cut just to fill less than this */
    CONTROL_ROOM = 64,
    URGENT_PACKETS = 2, /* by which small messages of high priority may exceed the window */
    DATA_FLAGS = PL_SCTP_DATA_B | PL_SCTP_DATA_E | PL_SCTP_DATA_U
};

/* --- replies --- */

static void queue_reply(pl_sctp *s, const uint8_t *data, size_t len, bool alone)
{
    if (s->n_replies == PL_SCTP_REPLIES_MAX)
        return;
    pl_sctp_reply *r = malloc(sizeof *r + len);
    if (!r)
        return; /* as if the packet that asks had been lost */
    *r = (pl_sctp_reply){ .len = len, .alone = alone };
    memcpy(r->data, data, len);
    if (s->replies_last)
        s->replies_last->next = r;
    else
        s->replies = r;
    s->replies_last = r;
    s->n_replies++;
}

void pl_sctp_reply_chunk(pl_sctp *s, const pl_wr *w)
{
    if (pl_wr_ok(w) && pl_wr_len(w) <= s->conf.mtu - PL_SCTP_HEADER)
        queue_reply(s, w->start, pl_wr_len(w), false);
}

void pl_sctp_reply_packet(pl_sctp *s, uint32_t tag, pl_wr *w)
{
    if (!pl_wr_ok(w))
        return;
    pl_sctp_header h = { s->conf.local_port, s->conf.remote_port, tag };
    pl_wr head = pl_wr_init(w->start, PL_SCTP_HEADER);
    pl_sctp_packet_begin(&head, &h);
    pl_sctp_packet_end(w);
    queue_reply(s, w->start, pl_wr_len(w), true);
}

static void pop_reply(pl_sctp *s)
{
    pl_sctp_reply *r = s->replies;
    s->replies = r->next;
    if (!s->replies)
        s->replies_last = NULL;
    s->n_replies--;
    free(r);
}

void pl_sctp_drop_replies(pl_sctp *s)
{
    while (s->replies)
        pop_reply(s);
}

/* --- DATA --- */

static bool window_full(const pl_sctp *s)
{
    return s->sent.flight >= s->cc.cwnd || s->sent.flight >= s->burst_limit;
}

static bool window_open(const pl_sctp *s)
{
    return !window_full(s) && pl_sctp_pacer_open(&s->pacer, s->now_us);
}

bool pl_sctp_waits_for_pace(const pl_sctp *s)
{
    return !pl_sctp_pacer_open(&s->pacer, s->now_us) &&
           (pl_sctp_streams_ready(&s->out) || !pl_list_empty(&s->out.parked) || s->sent.n_lost > 0) &&
           pl_sctp_may_send(s) && !window_full(s);
}

/* 6.1 A: the peer's window, or one chunk to see whether it is still closed. */
static bool peer_has_room(const pl_sctp *s, size_t size)
{
    return s->sent.flight + size <= s->peer_rwnd || s->sent.flight == 0;
}

static void write_chunk(pl_sctp *s, pl_wr *w, const pl_sctp_sent *e, uint32_t tsn)
{
    pl_sctp_data d = { .tsn = tsn,
                       .ppid = e->msg->ppid,
                       .sid = e->msg->sid,
                       .mid = e->msg->mid,
                       .fsn = e->fsn,
                       .flags = e->flags & DATA_FLAGS,
                       .interleaved = s->sent.interleaved,
                       .payload = e->data,
                       .len = e->len };
    pl_sctp_data_write(w, &d);
    if (s->t3_us == PL_NEVER || tsn == s->sent.first_tsn) /* 6.3.2 R1 */
        s->t3_us = s->now_us + s->rto.rto_us;
    s->free_packet = false;
}

/* last: where the last DATA chunk of the packet stands so far; 0: none. */
static size_t write_lost(pl_sctp *s, pl_wr *w, size_t last)
{
    uint32_t tsn;
    bool free_packet = s->free_packet;
    for (pl_sctp_sent *e; (e = pl_sctp_next_lost(s, &tsn)) && e->size <= pl_wr_left(w);) {
        if (last == 0 && !free_packet && !window_open(s))
            break;
        pl_sctp_outstanding_resent(&s->sent, e, tsn, s->now_us);
        if (e->n_sends > SENDS_IN_VAIN)
            pl_sctp_mtu_doubt(&s->mtu);
        s->recovery.n_resent++;
        last = pl_wr_mark(w);
        write_chunk(s, w, e, tsn);
        s->stats.chunks_retransmitted++;
    }
    return last;
}

/* How much of the message the packet takes: 0 when it had better wait for the next packet. A fragment ends with its
 * part, and a message that is not ended keeps a byte for the end. */
static uint32_t fragment_len(const pl_sctp *s, const pl_sctp_out_msg *m, size_t room, bool packet_has_data)
{
    size_t header = pl_sctp_data_header(s->sent.interleaved);
    uint32_t most = m->left - m->unended;
    if (most > m->n_at)
        most = m->n_at;
    if (room > s->cc.mtu) /* the packet is long only for what was cut when it might be */
        room = s->cc.mtu;
    if (room <= header)
        return 0;
    room -= header;
    if (most <= room)
        return most;
    return room < LEAST_FRAGMENT && packet_has_data ? 0 : (uint32_t)room;
}

static uint8_t fragment_flags(const pl_sctp_out_msg *m, uint32_t n)
{
    return (uint8_t)((m->begun ? 0 : PL_SCTP_DATA_B) | (n == m->left ? PL_SCTP_DATA_E : 0) |
                     (m->unordered ? PL_SCTP_DATA_U : 0));
}

/* One TSN more; for every message that is half sent one is kept in reserve, in case it is given up. */
static bool reserve_tsn(pl_sctp *s)
{
    return pl_sctp_outstanding_n(&s->sent) + s->out.n_begun + 1 < PL_SCTP_OUTSTANDING_MAX &&
           pl_sctp_outstanding_reserve(&s->sent) == PL_OK;
}

/* The next bytes of the stream's first message, as many as the packet takes. False when that is none. */
static bool write_fragment(pl_sctp *s, pl_wr *w, pl_sctp_out_stream *st, size_t *last)
{
    pl_sctp_out_msg *m = st->head;
    uint32_t n = fragment_len(s, m, pl_wr_left(w), *last > 0);
    size_t size = pl_sctp_data_header(s->sent.interleaved) + pl_sctp_pad4(n);
    if (n == 0 || !peer_has_room(s, size) || !reserve_tsn(s))
        return false;
    uint8_t flags = fragment_flags(m, n);
    if (!m->begun)
        pl_sctp_streams_begin(&s->out, st);
    uint32_t tsn = s->sent.next_tsn;
    pl_sctp_sent *e = pl_sctp_outstanding_add(&s->sent, m, (uint16_t)n, flags, s->now_us);
    *last = pl_wr_mark(w);
    write_chunk(s, w, e, tsn);
    pl_sctp_streams_take(&s->out, st, n);
    s->stats.chunks_sent++;
    return true;
}

/* A packet that has been begun is filled: 6.1 B lets it overshoot the window by less than one packet. */
static size_t write_new(pl_sctp *s, pl_wr *w, size_t last)
{
    pl_sctp_out_stream *st;
    while ((last > 0 || s->free_packet || window_open(s)) && (st = pl_sctp_next_stream(s)) &&
           write_fragment(s, w, st, &last))
        ;
    pl_sctp_streams_packet_end(&s->out);
    return last;
}

/* --- what cannot wait --- */

/* The stream whose turn it is, when it is of high priority and has a small message: one that fits into a packet. */
static pl_sctp_out_stream *urgent_stream(pl_sctp *s)
{
    if (!s->out.interleaved || s->out.n_queued == 0 || s->out.turns.kind == PL_SCTP_SCHEDULER_ROUND_ROBIN)
        return NULL;
    pl_sctp_out_stream *st = pl_sctp_next_stream(s);
    if (!st || st->turn.priority <= PL_SCTP_PRIORITY_NORMAL)
        return NULL;
    const pl_sctp_out_msg *m = st->head;
    return !m->begun && !m->unended && m->left + PL_SCTP_IDATA_HEADER <= s->cc.mtu ? st : NULL;
}

/* Before what is lost of less important streams, though not twice in a row, so that repairs get their half at least. */
static bool passes_lost(pl_sctp *s, const pl_sctp_out_stream *st)
{
    uint32_t tsn;
    const pl_sctp_sent *e = s->sent.n_lost > 0 ? pl_sctp_next_lost(s, &tsn) : NULL;
    if (!e)
        return true;
    const pl_sctp_out_stream *other = pl_sctp_streams_find(&s->out, e->msg->sid);
    return !s->passed_lost && other && other->turn.priority < st->turn.priority;
}

/* A small message of high priority waits neither for the pace, which it is charged to, nor for the window as long as
 * that is exceeded by less than two packets (what RFC 3042 lets go on every SACK goes here when it matters); nor, when
 * a loss has cut the window below what is under way, for more than the next SACK, for which a packet has left. */
static bool urgent_goes(pl_sctp *s)
{
    pl_sctp_out_stream *st = urgent_stream(s);
    if (!st || !passes_lost(s, st))
        return false;
    return s->sent.flight < s->cc.cwnd + URGENT_PACKETS * s->cc.mtu ||
           s->urgent_sack != s->stats.sacks_received;
}

static size_t write_urgent(pl_sctp *s, pl_wr *w)
{
    size_t last = 0;
    pl_sctp_out_stream *st;
    while ((st = urgent_stream(s)) && write_fragment(s, w, st, &last))
        ;
    pl_sctp_streams_packet_end(&s->out);
    return last;
}

/* RFC 7053: ask for a SACK at once when we are going to wait for it. */
static bool wants_sack(const pl_sctp *s)
{
    bool more = pl_sctp_streams_ready(&s->out) || s->sent.n_lost > 0;
    if (s->recovery.probing)
        return true;
    return more ? window_full(s)
                : !pl_list_empty(&s->out.parked) || !pl_list_empty(&s->out.resets) ||
                      s->state == PL_SCTP_SHUTDOWN_PENDING;
}

/* 7.2.1: after a silence the old window says little. */
static void wake_window(pl_sctp *s)
{
    if (s->sent.flight > 0 || s->sent.n_lost > 0)
        return;
    int64_t silence_us = s->now_us - s->last_data_us;
    if (s->stats.chunks_sent > 0)
        pl_sctp_cc_idle(&s->cc, silence_us, s->rto.rto_us);
    size_t initial = pl_sctp_cc_initial(&s->cc), burst = s->cc.cwnd < initial ? s->cc.cwnd : initial;
    if (silence_us >= s->rto.rto_us) /* a window acknowledged by a single SACK is no silence */
        s->burst_limit = s->rto.srtt_us == 0 && s->pacer.rate > 0 ? SIZE_MAX : burst;
    if (!pl_sctp_limited(s)) /* between two packets of a slow pace is no rest */
        pl_sctp_pacer_rested(&s->pacer, s->now_us, burst);
}

static bool has_data(pl_sctp *s)
{
    uint32_t tsn;
    if (urgent_goes(s))
        return true;
    if (s->sent.n_lost > 0 && pl_sctp_next_lost(s, &tsn))
        return s->free_packet || window_open(s);
    return s->out.n_queued > 0 && (s->free_packet || window_open(s)) && pl_sctp_next_stream(s);
}

bool pl_sctp_has_new_data(pl_sctp *s)
{
    return s->out.n_queued > 0 && pl_sctp_next_stream(s) && peer_has_room(s, s->cc.mtu);
}

static void write_data(pl_sctp *s, pl_wr *w)
{
    size_t begun = pl_wr_len(w), last = 0;
    bool open = s->free_packet || window_open(s), ahead = urgent_goes(s);
    if (ahead) {
        last = write_urgent(s, w);
        s->urgent_sack = s->stats.sacks_received;
    }
    s->passed_lost = ahead && s->sent.n_lost > 0;
    if (open) /* beyond the window goes nothing else */
        last = write_lost(s, w, last);
    if (open && s->sent.n_lost == 0)
        last = write_new(s, w, last);
    if (last == 0)
        return;
    pl_sctp_pacer_sent(&s->pacer, s->now_us, pl_wr_len(w) - begun);
    s->last_data_us = s->now_us;
    pl_sctp_arm_probe(s);
    if (wants_sack(s))
        pl_wr_patch8(w, last + 1, w->start[last + 1] | PL_SCTP_DATA_I);
}

/* --- control --- */

static bool take_want(pl_sctp *s, unsigned want)
{
    bool wanted = s->wants & want;
    s->wants &= ~want;
    return wanted;
}

static void write_plain(pl_wr *w, uint8_t type)
{
    pl_sctp_chunk_end(w, pl_sctp_chunk_begin(w, type, 0));
}

static void write_cookie_echo(pl_sctp *s, pl_wr *w)
{
    size_t chunk = pl_sctp_chunk_begin(w, PL_SCTP_COOKIE_ECHO, 0);
    pl_wr_bytes(w, s->cookie, s->cookie_len);
    pl_sctp_chunk_end(w, chunk);
}

static void write_replies(pl_sctp *s, pl_wr *w)
{
    while (s->replies && !s->replies->alone && s->replies->len <= pl_wr_left(w)) {
        pl_wr_bytes(w, s->replies->data, s->replies->len);
        pop_reply(s);
    }
}

/* The time and a nonce: an answer that has not both is none of ours (8.3). */
static void write_heartbeat(pl_sctp *s, pl_wr *w)
{
    if (!s->heartbeat_out)
        s->heartbeat_nonce = pl_rand_u64(&s->conf.rand);
    s->heartbeat_out = true;
    size_t chunk = pl_sctp_chunk_begin(w, PL_SCTP_HEARTBEAT, 0);
    size_t param = pl_sctp_param_begin(w, PL_SCTP_PARAM_HEARTBEAT_INFO);
    pl_wr_u64(w, (uint64_t)s->now_us);
    pl_wr_u64(w, s->heartbeat_nonce);
    pl_sctp_param_end(w, param);
    pl_sctp_chunk_end(w, chunk);
}

static void write_shutdown(pl_sctp *s, pl_wr *w)
{
    size_t chunk = pl_sctp_chunk_begin(w, PL_SCTP_SHUTDOWN, 0);
    pl_wr_u32(w, s->in.cumulative_tsn);
    pl_sctp_chunk_end(w, chunk);
}

static void write_sack(pl_sctp *s, pl_wr *w)
{
    s->told_rwnd = pl_sctp_rwnd(s);
    pl_sctp_sack_write(&s->in, w, (uint32_t)s->told_rwnd);
    s->stats.sacks_sent++;
}

/* 6.2: at its time, or earlier with data that goes anyway. A full retransmission leaves no room for one. */
static void write_sack_if_due(pl_sctp *s, pl_wr *w, bool data_follows)
{
    if (s->in.due_us == PL_NEVER || pl_wr_left(w) < PL_SCTP_SACK_HEADER)
        return;
    if (s->now_us >= s->in.due_us || (data_follows && s->sent.n_lost == 0)) {
        if (data_follows && pl_wr_left(w) > pl_sctp_sack_size(&s->in)) { /* leaves the rest to the data */
            pl_wr part = *w;
            part.end = part.p + pl_sctp_sack_size(&s->in);
            write_sack(s, &part);
            w->p = part.p;
        } else {
            write_sack(s, w);
        }
    }
}

static void write_control(pl_sctp *s, pl_wr *w)
{
    if (take_want(s, PL_SCTP_WANT_COOKIE_ACK))
        write_plain(w, PL_SCTP_COOKIE_ACK);
    write_replies(s, w);
    if (s->wants & PL_SCTP_WANT_RESET && pl_wr_left(w) >= CONTROL_ROOM)
        pl_sctp_reset_write(s, w);
    if (s->wants & PL_SCTP_WANT_HEARTBEAT && pl_wr_left(w) >= CONTROL_ROOM) {
        s->wants &= ~(unsigned)PL_SCTP_WANT_HEARTBEAT;
        write_heartbeat(s, w);
    }
}

/* Everything but what stands alone. cookie: this packet carries the COOKIE ECHO, behind which DATA may go
 * though the association is not up yet (5.1). */
static void write_chunks(pl_sctp *s, pl_wr *w, bool cookie)
{
    bool may_send = cookie || pl_sctp_may_send(s);
    write_control(s, w);
    if (may_send)
        wake_window(s);
    bool data = may_send && has_data(s);
    write_sack_if_due(s, w, data);
    if (may_send && !cookie && s->wants & PL_SCTP_WANT_FORWARD)
        pl_sctp_write_forward(s, w);
    if (data)
        write_data(s, w);
    if (pl_wr_left(w) >= 8 && take_want(s, PL_SCTP_WANT_SHUTDOWN))
        write_shutdown(s, w);
    if (pl_wr_left(w) >= 8 && take_want(s, PL_SCTP_WANT_SHUTDOWN_ACK))
        write_plain(w, PL_SCTP_SHUTDOWN_ACK);
}

static bool packet_alone(pl_sctp *s, uint8_t *out, size_t *len)
{
    memcpy(out, s->replies->data, s->replies->len);
    *len = s->replies->len;
    pop_reply(s);
    return true;
}

static bool packet_probe(pl_sctp *s, uint8_t *out, size_t *len)
{
    pl_wr w = pl_wr_init(out, s->mtu.probe);
    pl_sctp_packet_begin(&w, &(pl_sctp_header){ s->conf.local_port, s->conf.remote_port, s->peer_tag });
    pl_sctp_mtu_write_probe(s, &w);
    if (!(s->extensions & PL_SCTP_EXT_ZERO_CHECKSUM))
        pl_sctp_packet_end(&w);
    *len = pl_wr_len(&w);
    s->last_packet = PL_SCTP_PACKET_PROBE;
    return true;
}

/* What was full shows whether more would be of use, and what is too long goes in parts. */
static void note_size(pl_sctp *s, size_t len)
{
    if (s->last_packet == PL_SCTP_PACKET_PROBE)
        return;
    if (len + LEAST_FRAGMENT > s->mtu.size)
        pl_sctp_mtu_on_full(s);
    if (len > s->mtu.size)
        s->last_packet = PL_SCTP_PACKET_OVERSIZED;
}

static bool build_packet(pl_sctp *s, uint8_t *out, size_t cap, size_t *len)
{
    s->last_packet = PL_SCTP_PACKET_PLAIN;
    if (s->replies && s->replies->alone)
        return packet_alone(s, out, len);
    if (s->state == PL_SCTP_CLOSED)
        return false;
    if (pl_sctp_mtu_probe_due(s, cap))
        return packet_probe(s, out, len);
    size_t limit = pl_sctp_packet_limit(s);
    bool init = take_want(s, PL_SCTP_WANT_INIT), cookie = take_want(s, PL_SCTP_WANT_COOKIE_ECHO);
    pl_wr w = pl_wr_init(out, limit < cap ? limit : cap);
    pl_sctp_header h = { s->conf.local_port, s->conf.remote_port, init ? 0 : s->peer_tag };
    pl_sctp_packet_begin(&w, &h);
    if (init)
        pl_sctp_write_init(s, &w);
    if (cookie)
        write_cookie_echo(s, &w);
    if (s->state != PL_SCTP_COOKIE_WAIT && (cookie || s->state != PL_SCTP_COOKIE_ECHOED))
        write_chunks(s, &w, cookie);
    pl_sctp_mtu_lengthen(s, &w, cap);
    assert(pl_wr_ok(&w));
    *len = pl_wr_len(&w);
    if (*len == PL_SCTP_HEADER)
        return false;
    /* RFC 9653 5.2: who gets an INIT or a cookie may know nothing of us, so these carry one always. */
    if (init || cookie || !(s->extensions & PL_SCTP_EXT_ZERO_CHECKSUM))
        pl_sctp_packet_end(&w);
    return true;
}

/* Neither the window nor the pace holds anything back: what the path delivers from here on says little of what it could. */
static void note_limits(pl_sctp *s)
{
    if (!window_full(s) && s->sent.n_lost == 0 &&
        (s->out.n_queued == 0 || s->sent.flight + s->cc.mtu > s->peer_rwnd))
        pl_sctp_rate_limited(&s->sent.rate, s->sent.flight);
}

bool pl_sctp_poll_output(pl_sctp *s, int64_t now_us, uint8_t *out, size_t cap, size_t *len)
{
    s->now_us = now_us;
    *len = 0;
    if (cap < s->mtu.size || !build_packet(s, out, cap, len))
        return false;
    note_size(s, *len);
    s->stats.packets_sent++;
    s->stats.bytes_sent += *len;
    note_limits(s);
    pl_sctp_settle(s);
    return true;
}
