#include "sctp/reset.h"

#include <assert.h>
#include <stdlib.h>

#include "sctp/association_internal.h"

void pl_sctp_reset_init(pl_sctp *s, uint32_t my_tsn, uint32_t peer_tsn)
{
    pl_sctp_reset_clear(s);
    s->reset.next_seq = my_tsn;
    s->reset.peer_seq = peer_tsn;
    s->reset.last_result = s->reset.before_result = PL_SCTP_RESET_BAD_SEQUENCE;
    s->reset.in_allowed = 0;
}

static void forget_request(pl_sctp *s)
{
    free(s->reset.sids);
    s->reset.sids = NULL;
    s->reset.n_sids = 0;
    s->reset.asked = 0;
    s->reset.due_us = PL_NEVER;
    s->reset.in_vain = false;
    s->wants &= ~(unsigned)PL_SCTP_WANT_RESET;
}

static void forget_deferred(pl_sctp *s)
{
    free(s->reset.deferred_sids);
    s->reset.deferred_sids = NULL;
    s->reset.deferred = false;
}

/* Streams that were to be reset wait for a new request. */
static void ask_again(pl_sctp *s)
{
    PL_EACH (node, &s->out.resets) {
        pl_of(node, pl_sctp_out_stream, in_resets)->reset = PL_SCTP_OUT_RESET_WAITING;
    }
    forget_request(s);
}

/* The application's wish for streams has found its end. */
static void tell_added(pl_sctp *s)
{
    s->reset.adding = false;
    s->reset.add_out = s->reset.add_in = 0;
    s->tells |= PL_SCTP_TELL_STREAMS;
}

void pl_sctp_reset_clear(pl_sctp *s)
{
    ask_again(s);
    s->reset.owed_out = 0;
    if (s->reset.adding) { /* the peer that was asked is no more */
        s->reset.add_error = PL_ENOTSUP;
        tell_added(s);
    }
    forget_deferred(s);
    s->reset.due_us = PL_NEVER;
}

/* --- our requests --- */

static size_t most_in_request(const pl_sctp *s)
{
    size_t fit = (s->conf.mtu - PL_SCTP_HEADER - PL_SCTP_CHUNK_HEADER - 16) / 2;
    return fit < PL_SCTP_RESET_MAX ? fit : PL_SCTP_RESET_MAX;
}

/* 5.1.1: one request at a time, again and again until it is answered. */
static void ask(pl_sctp *s, pl_sctp_reconfig_type type)
{
    s->reset.asked = type;
    s->reset.request_seq = s->reset.next_seq++;
    s->reset.due_us = s->now_us + s->rto.rto_us;
    s->wants |= PL_SCTP_WANT_RESET;
}

/* Everything of the stream has arrived. 5.1.2 would let us ask earlier, and the peer answer that it waits for the
 * rest; but usrsctp, when a gap before the last TSN is filled, then never resets unless more data comes. */
static bool drained(const pl_sctp *s, pl_sctp_out_stream *st)
{
    if (st->reset == PL_SCTP_OUT_RESET_WAITING && !st->head) {
        st->reset = PL_SCTP_OUT_RESET_DRAINING;
        st->reset_tsn = s->sent.next_tsn - 1;
    }
    return st->reset == PL_SCTP_OUT_RESET_DRAINING && pl_seq32_newer(s->sent.first_tsn, st->reset_tsn);
}

void pl_sctp_reset_stream(pl_sctp *s, pl_sctp_out_stream *st)
{
    st->reset = PL_SCTP_OUT_RESET_WAITING;
    pl_list_push_back(&s->out.resets, &st->in_resets);
    if (drained(s, st))
        s->reset.in_vain = false;
}

/* Whether a look may find what the last one did not. With tens of thousands of streams to be reset no look is cheap. */
static bool worth_a_look(pl_sctp *s)
{
    pl_sctp_reset *r = &s->reset;
    bool in_flight = s->sent.first_tsn != s->sent.next_tsn;
    if (r->in_vain && r->vain_tsn == s->sent.first_tsn && (in_flight || r->vain_queued == s->out.n_queued))
        return false;
    r->in_vain = true;
    r->vain_tsn = s->sent.first_tsn;
    r->vain_queued = s->out.n_queued;
    return true;
}

/* 5.1.2 */
static void start_request(pl_sctp *s)
{
    size_t n = 0, max = most_in_request(s);
    if (!worth_a_look(s))
        return;
    PL_EACH (node, &s->out.resets) {
        pl_sctp_out_stream *st = pl_of(node, pl_sctp_out_stream, in_resets);
        n += drained(s, st) && n < max;
    }
    uint16_t *sids = n > 0 ? malloc(n * sizeof *sids) : NULL;
    s->reset.in_vain = n == 0;
    if (!sids)
        return; /* nothing to ask, or no memory now: the next event tries again */
    s->reset.sids = sids;
    s->reset.n_sids = 0;
    PL_EACH (node, &s->out.resets) {
        pl_sctp_out_stream *st = pl_of(node, pl_sctp_out_stream, in_resets);
        if (!drained(s, st) || s->reset.n_sids == n)
            continue;
        st->reset = PL_SCTP_OUT_RESET_ASKED;
        sids[s->reset.n_sids++] = st->sid;
    }
    s->reset.last_tsn = s->sent.first_tsn - 1; /* all that these streams have ever sent */
    ask(s, PL_SCTP_RESET_OUT);
}

void pl_sctp_reset_write(pl_sctp *s, pl_wr *w)
{
    if (pl_wr_left(w) < PL_SCTP_CHUNK_HEADER + 16 + pl_sctp_pad4(2 * s->reset.n_sids))
        return; /* stays wanted for a packet with more room */
    s->wants &= ~(unsigned)PL_SCTP_WANT_RESET;
    if (s->reset.asked != PL_SCTP_RESET_OUT) {
        pl_sctp_add_write(w, (pl_sctp_reconfig_type)s->reset.asked, s->reset.request_seq, s->reset.n_asked);
        return;
    }
    pl_sctp_reset_out_write(w, s->reset.request_seq, s->reset.peer_seq - 1, s->reset.last_tsn, s->reset.sids,
                            s->reset.n_sids);
}

void pl_sctp_reset_timeout(pl_sctp *s)
{
    if (!pl_sctp_count_error(s, "no answer to a stream reset"))
        return;
    pl_sctp_rto_double(&s->rto);
    s->reset.due_us = s->now_us + s->rto.rto_us;
    s->wants |= PL_SCTP_WANT_RESET;
}

/* --- more streams (5.1.5, 5.1.6) --- */

void pl_sctp_reset_add(pl_sctp *s, uint16_t n_out, uint16_t n_in)
{
    s->reset.adding = true;
    s->reset.add_out = n_out;
    s->reset.add_in = n_in;
    s->reset.add_error = PL_OK;
    s->reset.in_allowed = (unsigned)s->streams_in + n_in;
}

static bool start_add(pl_sctp *s)
{
    pl_sctp_reset *r = &s->reset;
    bool out = r->owed_out > 0 || r->add_out > 0;
    r->n_asked = r->owed_out > 0 ? r->owed_out : r->add_out > 0 ? r->add_out : r->add_in;
    if (r->n_asked == 0)
        return false;
    ask(s, out ? PL_SCTP_ADD_OUT : PL_SCTP_ADD_IN);
    return true;
}

static void finish_add(pl_sctp *s, bool done)
{
    pl_sctp_reset *r = &s->reset;
    bool out = r->asked == PL_SCTP_ADD_OUT, owed = out && r->owed_out > 0;
    if (out && done)
        s->streams_out = (uint16_t)(s->streams_out + r->n_asked);
    forget_request(s);
    if (owed) {
        r->owed_out = 0;
        return;
    }
    if (out)
        r->add_out = 0;
    else
        r->add_in = 0;
    if (!done)
        r->add_error = PL_ENOTSUP;
    if (r->adding && r->add_out == 0 && r->add_in == 0)
        tell_added(s);
}

static void finish_reset(pl_sctp *s, bool done)
{
    for (size_t i = 0; i < s->reset.n_sids; i++) {
        pl_sctp_out_stream *st = pl_sctp_streams_find(&s->out, s->reset.sids[i]);
        st->reset = PL_SCTP_OUT_OPEN;
        pl_list_remove(&st->in_resets);
        if (done)
            memset(st->next_mid, 0, sizeof st->next_mid);
        pl_sctp_streams_note(&s->out, st, done ? PL_SCTP_OUT_RESET_DONE : PL_SCTP_OUT_RESET_REFUSED);
    }
    forget_request(s);
}

static void finish_request(pl_sctp *s, bool done)
{
    if (s->reset.asked == PL_SCTP_RESET_OUT)
        finish_reset(s, done);
    else
        finish_add(s, done);
}

/* 5.2.7 */
static void on_response(pl_sctp *s, const pl_sctp_reconfig *r)
{
    if (!s->reset.asked || r->response_seq != s->reset.request_seq)
        return;
    s->n_errors = 0;
    switch (r->result) {
    case PL_SCTP_RESET_NOTHING:
    case PL_SCTP_RESET_PERFORMED: finish_request(s, true); break;
    case PL_SCTP_RESET_IN_PROGRESS: /* it has the request: ask for news at leisure */
        s->reset.due_us = s->now_us + s->rto.rto_us;
        s->wants &= ~(unsigned)PL_SCTP_WANT_RESET;
        break;
    case PL_SCTP_RESET_IN_PROGRESS_ALREADY: s->reset.due_us = s->now_us + s->rto.rto_us; break;
    default: finish_request(s, false); break;
    }
}

/* --- the peer's requests --- */

static void respond(pl_sctp *s, uint32_t seq, pl_sctp_reset_result result)
{
    uint8_t chunk[16];
    pl_wr w = pl_wr_init(chunk, sizeof chunk);
    pl_sctp_reset_response_write(&w, seq, result);
    pl_sctp_reply_chunk(s, &w);
}

static bool perform(pl_sctp *s, const uint16_t *sids, size_t n)
{
    bool ok = true;
    if (n == 0)
        pl_sctp_reassembly_reset_all(&s->re);
    for (size_t i = 0; i < n; i++)
        ok &= pl_sctp_reassembly_reset(&s->re, sids[i]) == PL_OK;
    return ok;
}

static pl_sctp_reset_result defer(pl_sctp *s, uint16_t *sids, size_t n, uint32_t last_tsn)
{
    s->reset.deferred = true;
    s->reset.deferred_sids = sids;
    s->reset.n_deferred = n;
    s->reset.deferred_tsn = last_tsn;
    return PL_SCTP_RESET_IN_PROGRESS;
}

/* The application must be told of one reset before the next: else it could not tell the messages between apart. */
static bool untold(const pl_sctp *s, const uint16_t *sids, size_t n)
{
    bool any = n == 0 && !pl_list_empty(&s->re.noisy);
    for (size_t i = 0; i < n; i++)
        any = any || pl_sctp_reassembly_reset_is_untold(&s->re, sids[i]);
    return any;
}

/* Streams that have never carried anything cost memory now: within what the window leaves (or else later). */
static bool has_to_wait(const pl_sctp *s, const uint16_t *sids, size_t n)
{
    size_t growth = 0;
    for (size_t i = 0; i < n; i++)
        growth += pl_sctp_reassembly_stream_growth(&s->re, sids[i]);
    return untold(s, sids, n) || !pl_sctp_room_for_streams(s, growth);
}

/* 5.2.2: at once when everything the peer has sent before is here, later when not. */
static pl_sctp_reset_result on_reset_out(pl_sctp *s, const pl_sctp_reconfig *r)
{
    for (size_t i = 0; i < r->n_sids; i++) {
        if (pl_get16(r->sids + 2 * i) >= s->streams_in)
            return PL_SCTP_RESET_WRONG_SSN;
    }
    uint16_t *sids = malloc(r->n_sids * sizeof *sids + 1);
    if (!sids)
        return PL_SCTP_RESET_DENIED;
    for (size_t i = 0; i < r->n_sids; i++)
        sids[i] = pl_get16(r->sids + 2 * i);
    if (pl_seq32_newer(r->last_tsn, s->in.cumulative_tsn) || has_to_wait(s, sids, r->n_sids))
        return defer(s, sids, r->n_sids, r->last_tsn);
    bool ok = perform(s, sids, r->n_sids);
    free(sids);
    return ok ? PL_SCTP_RESET_PERFORMED : PL_SCTP_RESET_DENIED;
}

/* 5.2.3: the peer wants our streams reset: a request of ours does it, and answers his. */
static pl_sctp_reset_result on_reset_in(pl_sctp *s, const pl_sctp_reconfig *r)
{
    size_t n_reset = 0, n = r->n_sids > 0 ? r->n_sids : s->out.n_pages * PL_SCTP_OUT_PAGE;
    for (size_t i = 0; i < r->n_sids; i++) {
        if (pl_get16(r->sids + 2 * i) >= s->streams_out)
            return PL_SCTP_RESET_WRONG_SSN;
    }
    for (size_t i = 0; i < n; i++) { /* a list that names none means all */
        uint16_t sid = r->n_sids > 0 ? pl_get16(r->sids + 2 * i) : (uint16_t)i;
        if (pl_sctp_streams_find(&s->out, sid) && pl_sctp_reset_streams(s, s->now_us, &sid, 1) == PL_OK)
            n_reset++;
    }
    return n_reset > 0 ? PL_SCTP_RESET_PERFORMED : PL_SCTP_RESET_NOTHING;
}

/* 5.2.5: more streams, when we said that we take so many, or asked for them. */
static pl_sctp_reset_result on_add_out(pl_sctp *s, const pl_sctp_reconfig *r)
{
    unsigned n = (unsigned)s->streams_in + r->n_new;
    if (r->n_new == 0 || (n > s->conf.max_streams_in && n > s->reset.in_allowed))
        return PL_SCTP_RESET_DENIED;
    s->streams_in = (uint16_t)(s->streams_in + r->n_new);
    return PL_SCTP_RESET_PERFORMED;
}

/* 5.2.6: more streams of ours, when we wanted so many from the beginning: a request of ours makes them. */
static pl_sctp_reset_result on_add_in(pl_sctp *s, const pl_sctp_reconfig *r)
{
    if (r->n_new == 0 || s->reset.owed_out > 0 ||
        (unsigned)s->streams_out + s->reset.add_out + r->n_new > s->conf.max_streams_out)
        return PL_SCTP_RESET_DENIED;
    s->reset.owed_out = r->n_new;
    return PL_SCTP_RESET_PERFORMED;
}

static pl_sctp_reset_result on_new_request(pl_sctp *s, const pl_sctp_reconfig *r)
{
    switch (r->type) {
    case PL_SCTP_RESET_OUT: return on_reset_out(s, r);
    case PL_SCTP_RESET_IN: return on_reset_in(s, r);
    case PL_SCTP_ADD_OUT: return on_add_out(s, r);
    case PL_SCTP_ADD_IN: return on_add_in(s, r);
    default: return PL_SCTP_RESET_DENIED; /* 5.2.4, of all SSNs and TSNs */
    }
}

static void on_request(pl_sctp *s, const pl_sctp_reconfig *r)
{
    if (r->request_seq == s->reset.peer_seq - 1) { /* asked again: the answer was lost, or is not there yet */
        respond(s, r->request_seq, s->reset.last_result);
        return;
    }
    if (r->request_seq == s->reset.peer_seq - 2) {
        respond(s, r->request_seq, s->reset.before_result);
        return;
    }
    if (r->request_seq != s->reset.peer_seq) {
        respond(s, r->request_seq, PL_SCTP_RESET_BAD_SEQUENCE);
        return;
    }
    if (s->reset.deferred) {
        respond(s, r->request_seq, PL_SCTP_RESET_IN_PROGRESS_ALREADY);
        return;
    }
    s->reset.peer_seq++;
    s->reset.before_result = s->reset.last_result;
    s->reset.last_result = on_new_request(s, r);
    respond(s, r->request_seq, s->reset.last_result);
}

void pl_sctp_reset_input(pl_sctp *s, pl_rd body)
{
    for (pl_sctp_param p; pl_sctp_param_next(&body, &p);) {
        pl_sctp_reconfig r;
        if (pl_sctp_reconfig_parse(&r, &p) != PL_OK) {
            s->stats.bad_packets++;
            return;
        }
        if (r.type == PL_SCTP_RESET_RESPONSE)
            on_response(s, &r);
        else
            on_request(s, &r);
    }
}

/* The peer that we have now has no such streams, or has them as new: there is nothing to be reset. */
void pl_sctp_reset_spare(pl_sctp *s, unsigned first_sid)
{
    PL_EACH (node, &s->out.resets) {
        pl_sctp_out_stream *st = pl_of(node, pl_sctp_out_stream, in_resets);
        if (st->sid < first_sid)
            continue;
        st->reset = PL_SCTP_OUT_OPEN;
        pl_list_remove(node);
        pl_sctp_streams_note(&s->out, st, PL_SCTP_OUT_RESET_DONE);
    }
}

/* Asked for before we knew that the peer cannot. */
static void refuse_all(pl_sctp *s)
{
    PL_EACH (node, &s->out.resets) {
        pl_sctp_out_stream *st = pl_of(node, pl_sctp_out_stream, in_resets);
        st->reset = PL_SCTP_OUT_OPEN;
        pl_list_remove(node);
        pl_sctp_streams_note(&s->out, st, PL_SCTP_OUT_RESET_REFUSED);
    }
}

void pl_sctp_reset_settle(pl_sctp *s)
{
    pl_sctp_reset *r = &s->reset;
    if (r->deferred && pl_seq32_at_least(s->in.cumulative_tsn, r->deferred_tsn) &&
        !has_to_wait(s, r->deferred_sids, r->n_deferred)) {
        r->last_result =
            perform(s, r->deferred_sids, r->n_deferred) ? PL_SCTP_RESET_PERFORMED : PL_SCTP_RESET_DENIED;
        forget_deferred(s);
        respond(s, r->peer_seq - 1, r->last_result); /* unasked, so that nobody waits for a timer */
    }
    if (r->asked || start_add(s) || pl_list_empty(&s->out.resets))
        return;
    if (s->extensions & PL_SCTP_EXT_RECONFIG)
        start_request(s);
    else
        refuse_all(s);
}
