/* receive.c - messages to the application: whole or in pieces as its observer wishes, and not while it pauses. Between
 * the core's thread and this one an observer may change, so either form becomes the other here. Signaling thread. */
#include "peer/peer_internal.h"

#include <stdlib.h>
#include <string.h>

/* ---- whole, for who wants pieces ---- */

static void tell_whole(pl_data_channel *c, const uint8_t *data, size_t len, bool binary)
{
    const pl_data_channel_observer *o = &c->observer;
    if (o->on_piece)
        o->on_piece(o->user, c, data, len, binary, true, true);
    else if (o->on_message)
        o->on_message(o->user, c, data, len, binary);
}

/* ---- pieces, for who wants it whole ---- */

/* Others own the bytes now, or nobody. */
static void let_go(pl_data_channel *c)
{
    atomic_fetch_sub(&c->peer->joined_total, c->joined_cap);
    c->joined = NULL;
    c->joined_len = c->joined_cap = 0;
}

static void forget(pl_data_channel *c)
{
    free(c->joined);
    let_go(c);
}

static bool join(pl_data_channel *c, const uint8_t *data, size_t len)
{
    size_t need = c->joined_len + len;
    if (need > PEER_MESSAGE_MAX)
        return false;
    if (need > c->joined_cap) {
        size_t cap = need < PEER_MESSAGE_MAX / 2 ? 2 * need : PEER_MESSAGE_MAX;
        if (atomic_load(&c->peer->joined_total) - c->joined_cap + cap > PEER_JOINED_MAX)
            return false;
        uint8_t *more = realloc(c->joined, cap);
        if (!more)
            return false;
        atomic_fetch_add(&c->peer->joined_total, cap - c->joined_cap);
        c->joined = more;
        c->joined_cap = cap;
    }
    if (len)
        memcpy(c->joined + c->joined_len, data, len);
    c->joined_len = need;
    return true;
}

/* A message that cannot be held is the end of its channel: to leave one out would be worse. */
static void give_up(pl_data_channel *c)
{
    pl_log_warn(
        &c->peer->log,
        "messages above %d bytes, or %d at once, came for channels that take whole ones: one is closed",
        PEER_MESSAGE_MAX, PEER_JOINED_MAX);
    c->skipping = true;
    forget(c);
    pl_data_channel_close(c);
}

static void tell_joined(pl_data_channel *c, bool binary)
{
    uint8_t *data = c->joined;
    size_t len = c->joined_len;
    let_go(c); /* the callback may free the channel */
    if (binary || pl_utf8_valid(data, len))
        tell_whole(c, data ? data : (const uint8_t *)"", len, binary);
    free(data);
}

static void tell_piece(pl_data_channel *c, const pl_data_event *d)
{
    const pl_data_channel_observer *o = &c->observer;
    if (d->first) {
        forget(c);
        c->skipping = false;
    }
    if (o->on_piece && !c->joined) {
        o->on_piece(o->user, c, d->data, d->len, d->binary, d->first, d->last);
        return;
    }
    if (c->skipping)
        return;
    if (!join(c, d->data, d->len))
        give_up(c);
    else if (d->last)
        tell_joined(c, d->binary);
}

void peer_tell_message(pl_data_channel *c, const pl_data_event *d)
{
    if (d->kind == PL_DATA_EVENT_PIECE)
        tell_piece(c, d);
    else
        tell_whole(c, d->data, d->len, d->binary);
}

/* ---- pausing ---- */

static bool waits(const peer_event *e)
{
    pl_data_event_kind kind = e->ev.u.data.kind;
    return !e->stream && (kind == PL_DATA_EVENT_MESSAGE || kind == PL_DATA_EVENT_PIECE ||
                          kind == PL_DATA_EVENT_CLOSING || kind == PL_DATA_EVENT_CLOSED);
}

bool peer_hold(pl_data_channel *c, peer_event *e)
{
    if (!c->paused || c->muted || !waits(e))
        return false;
    pl_list_push_back(&c->held, &e->node);
    return true;
}

void peer_drop_held(pl_data_channel *c)
{
    for (pl_node *n; (n = pl_list_pop_front(&c->held));) {
        peer_event *e = pl_of(n, peer_event, node);
        peer_event_finish(e);
        free(e);
    }
}

/* What is held here goes back to the front of what is to be told. */
static void go_on(pl_data_channel *c)
{
    pl_peer_connection *p = c->peer;
    unsigned n_back = 0;
    size_t bytes = 0;
    PL_EACH (n, &c->held) {
        n_back++;
        bytes += peer_note_size(pl_of(n, peer_event, node));
    }
    if (n_back == 0)
        return;
    pl_mutex_lock(&p->lock);
    pl_list_splice_back(&c->held, &p->notes);
    pl_list_splice_back(&p->notes, &c->held);
    p->n_notes += n_back;
    p->note_bytes += bytes;
    pl_mutex_unlock(&p->lock);
    if (!p->muted)
        (void)pl_wake_up(&p->bell);
}

static void do_pause_here(void *arg)
{
    pl_data_channel *c = arg;
    c->paused = true;
}

static void do_resume_here(void *arg)
{
    pl_data_channel *c = arg;
    c->paused = false;
    go_on(c);
}

static void pause_core(pl_data_channel *c, bool paused)
{
    pl_peer_connection *p = c->peer;
    if (!c->core)
        return;
    pl_channel_pause(c->core, paused);
    if (p->core && !paused)
        (void)pl_wake_up(&p->kick); /* what was held is polled from there */
}

static void do_pause_core(void *arg)
{
    pause_core(arg, true);
}

static void do_resume_core(void *arg)
{
    pause_core(arg, false);
}

static void on_both(pl_data_channel *c, pl_loop_fn here, pl_loop_fn core)
{
    const pl_factory *f = c->peer->factory;
    if (pl_loop_call(f->sig, here, c) || pl_loop_call(f->net, core, c))
        pl_log_warn(&c->peer->log, "the loops do not answer");
}

void pl_data_channel_pause(pl_data_channel *c)
{
    on_both(c, do_pause_here, do_pause_core);
}

void pl_data_channel_resume(pl_data_channel *c)
{
    on_both(c, do_resume_here, do_resume_core);
}

/* ---- the observer ---- */

static void do_pieces(void *arg)
{
    pl_data_channel *c = arg;
    bool any = c->peer->any_size; /* then pieces are what the core gives, whatever is wanted */
    if (c->core && pl_channel_set_pieces(c->core, any || c->observer.on_piece))
        pl_log_warn(&c->peer->log, "no memory for a stream");
}

void pl_data_channel_set_observer(pl_data_channel *c, const pl_data_channel_observer *observer)
{
    bool change = !observer->on_piece != !c->observer.on_piece;
    c->observer = *observer;
    if (change && pl_loop_call(c->peer->factory->net, do_pieces, c))
        pl_log_warn(&c->peer->log, "the network loop does not answer");
}
