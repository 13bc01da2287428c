/* events.c - from the core to the application's callbacks: directly on an application's own loop, through a
 * queue and a bell when the signaling thread is another. */
#include "peer/peer_internal.h"

#include <limits.h>
#include <stdlib.h>

/* Takes one event from the core and looks after what belongs to the network side of it. False: nothing that
 * the application hears of. */
static bool prepare_data(pl_peer_connection *p, peer_event *e)
{
    pl_data_event *d = &e->ev.u.data;
    pl_data_channel *c = d->channel ? pl_channel_user(d->channel) : NULL;
    if (d->kind == PL_DATA_EVENT_CHANNEL) {
        c = peer_channel_make(p, pl_channel_label(d->channel, NULL), pl_channel_params(d->channel), NULL);
        if (!c) {
            pl_channel_release(d->channel, pl_loop_now_us(p->factory->net));
            return false;
        }
        c->core = d->channel;
        peer_channel_ref(c);
        pl_channel_set_user(d->channel, c);
    }
    if (d->kind == PL_DATA_EVENT_WRITABLE) {
        p->send_stalled = false;
        p->again = true; /* what waits in front of the core goes on */
        return false;
    }
    if (!c || d->kind == PL_DATA_EVENT_BUFFERED_LOW)
        return false; /* that is send.c's to tell, which knows all that is queued */
    peer_channel_look(c);
    peer_channel_ref(c);
    e->channel = c;
    if (d->kind == PL_DATA_EVENT_CLOSING)
        peer_stream_stop(c, PL_ESTATE);
    if (d->kind == PL_DATA_EVENT_CLOSED) {
        pl_channel_release(c->core, pl_loop_now_us(p->factory->net));
        peer_channel_over(c);
    }
    d->channel = NULL; /* the core's handle stays on this thread */
    return true;
}

/* What the agent asks of the network. */
static void look_after(pl_peer_connection *p, const pl_pc_event *ev)
{
    pl_ice_event wish = { .kind = PL_ICE_EV_RESOLVE };
    if (ev->kind == PL_PC_EV_RESOLVE) {
        memcpy(wish.u.name, ev->u.name, sizeof wish.u.name);
    } else if (ev->kind == PL_PC_EV_CONNECT) {
        wish.kind = PL_ICE_EV_CONNECT;
        wish.u.connect = ev->u.connect;
    } else {
        wish.kind = PL_ICE_EV_DISCONNECT;
        wish.u.stream = ev->u.stream;
    }
    (void)pl_ice_io_event(p->io, &wish);
}

static bool prepare(pl_peer_connection *p, peer_event *e)
{
    switch (e->ev.kind) {
    case PL_PC_EV_DATA:
        if (prepare_data(p, e))
            return true;
        pl_data_event_clear(&e->ev.u.data);
        return false;
    case PL_PC_EV_TRACK:
        e->transceiver = peer_transceiver(p, e->ev.u.transceiver);
        return e->transceiver != NULL;
    case PL_PC_EV_RESOLVE:
    case PL_PC_EV_CONNECT:
    case PL_PC_EV_DISCONNECT: look_after(p, &e->ev); return false;
    default: return true;
    }
}

static void tell_data(pl_peer_connection *p, peer_event *e)
{
    pl_data_channel *c = e->channel;
    pl_data_event *d = &e->ev.u.data;
    const pl_data_channel_observer *o = &c->observer;
    if (d->kind == PL_DATA_EVENT_CHANNEL) {
        if (p->observer.on_data_channel)
            p->observer.on_data_channel(p->observer.user, c);
        else
            pl_data_channel_free(c);
        return;
    }
    if (e->stream) {
        peer_stream_done(c, e->stream);
        return;
    }
    if (!c || c->muted)
        return;
    switch (d->kind) {
    case PL_DATA_EVENT_OPEN:
        if (o->on_open)
            o->on_open(o->user, c);
        break;
    case PL_DATA_EVENT_MESSAGE:
    case PL_DATA_EVENT_PIECE: peer_tell_message(c, d); break;
    case PL_DATA_EVENT_BUFFERED_LOW:
        if (o->on_buffered_amount_low)
            o->on_buffered_amount_low(o->user, c);
        break;
    case PL_DATA_EVENT_CLOSED:
        if (o->on_close)
            o->on_close(o->user, c);
        break;
    default: break;
    }
}

static void tell_candidate(const pl_peer_connection_observer *o, const pl_pc_event *ev)
{
    pl_ice_candidate c = { .candidate = ev->u.candidate.line,
                           .sdp_mid = ev->u.candidate.mid,
                           .sdp_mline_index = 0,
                           .username_fragment = ev->u.candidate.ufrag };
    if (o->on_ice_candidate)
        o->on_ice_candidate(o->user, &c);
}

pl_ice_candidate_error peer_candidate_error(const pl_ice_server_trouble *t, char ip[PL_ADDR_TEXT_MAX])
{
    return (pl_ice_candidate_error){ .address = t->local.family ? pl_addr_ip_str(&t->local, ip) : "",
                                     .port = t->local.port,
                                     .url = t->url,
                                     .error_code = t->code,
                                     .error_text = t->reason };
}

static void tell_server(const pl_peer_connection_observer *o, const pl_ice_server_trouble *t)
{
    char ip[PL_ADDR_TEXT_MAX];
    pl_ice_candidate_error error = peer_candidate_error(t, ip);
    if (o->on_ice_candidate_error)
        o->on_ice_candidate_error(o->user, &error);
}

static void tell(pl_peer_connection *p, peer_event *e)
{
    const pl_peer_connection_observer *o = &p->observer;
    const pl_pc_event *ev = &e->ev;
    switch (ev->kind) {
    case PL_PC_EV_NEGOTIATION_NEEDED:
        if (o->on_negotiation_needed)
            o->on_negotiation_needed(o->user);
        break;
    case PL_PC_EV_SIGNALING:
        if (o->on_signaling_state)
            o->on_signaling_state(o->user, ev->u.signaling);
        break;
    case PL_PC_EV_GATHERING:
        if (o->on_ice_gathering_state)
            o->on_ice_gathering_state(o->user, ev->u.gathering);
        break;
    case PL_PC_EV_CANDIDATE: tell_candidate(o, ev); break;
    case PL_PC_EV_SERVER: tell_server(o, &ev->u.server); break;
    case PL_PC_EV_ICE:
        if (o->on_ice_connection_state)
            o->on_ice_connection_state(o->user, ev->u.ice);
        break;
    case PL_PC_EV_CONNECTION:
        if (o->on_connection_state)
            o->on_connection_state(o->user, ev->u.connection, ev->text);
        break;
    case PL_PC_EV_TRACK:
        if (o->on_track)
            o->on_track(o->user, e->transceiver);
        break;
    case PL_PC_EV_DATA: tell_data(p, e); break;
    case PL_PC_EV_RESOLVE:
    case PL_PC_EV_CONNECT:
    case PL_PC_EV_DISCONNECT: break;
    }
}

/* What lies here counts in the window, paused or not, so that a slow application slows down the peer. The core learns of
 * less when it is half, not at each message. */
static void told(pl_peer_connection *p, size_t bytes)
{
    size_t left = atomic_fetch_sub(&p->untold, bytes) - bytes, known = atomic_load(&p->untold_told);
    if (known <= PEER_UNTOLD_LEAST || left > known / 2)
        return;
    pl_mutex_lock(&p->lock);
    if (!p->ended)
        (void)pl_wake_up(&p->kick);
    pl_mutex_unlock(&p->lock);
}

void peer_count_untold(pl_peer_connection *p, int64_t now_us)
{
    size_t bytes = atomic_load(&p->untold);
    atomic_store(&p->untold_told, bytes);
    if (p->core)
        pl_pc_set_held(p->core, now_us, bytes);
}

void peer_event_finish(peer_event *e)
{
    if (e->ev.kind == PL_PC_EV_DATA)
        pl_data_event_clear(&e->ev.u.data);
    if (e->counted && e->channel)
        told(e->channel->peer, e->counted);
    peer_stream_unref(e->stream);
    if (e->channel)
        peer_channel_unref(e->channel);
}

/* Without its union, which is a kilobyte: messages are many, and what fills it says what is in it. */
static void clear(peer_event *e)
{
    e->node = (pl_node){ 0 };
    e->channel = NULL;
    e->transceiver = NULL;
    e->stream = NULL;
    e->counted = 0;
}

static bool tell_next_note(pl_peer_connection *p);

/* Same thread: no queue. Inside a call of the application the bell rings instead, since callbacks come from
 * the loop only. */
static void deliver_here(pl_peer_connection *p)
{
    if (p->in_call || p->delivering) {
        if (!p->delivering)
            (void)pl_wake_up(&p->bell);
        return;
    }
    p->delivering = true;
    peer_releases(p);
    while (p->core && !p->muted) {
        peer_event e;
        if (p->n_notes > 0 && tell_next_note(p)) /* both threads are this one: no lock is needed to look */
            continue;
        clear(&e);
        if (!pl_pc_poll_event(p->core, &e.ev))
            break;
        if (!prepare(p, &e))
            continue;
        tell(p, &e);
        peer_event_finish(&e);
    }
    peer_streams_read(p);
    p->delivering = false;
}

/* Messages are many, and what other events carry is long. */
static size_t event_size(const peer_event *e)
{
    return e->ev.kind == PL_PC_EV_DATA ? offsetof(peer_event, ev.u) + sizeof(pl_data_event) : sizeof *e;
}

size_t peer_note_size(const peer_event *e)
{
    return event_size(e) + (e->ev.kind == PL_PC_EV_DATA ? e->ev.u.data.len : 0);
}

static bool push(pl_peer_connection *p, peer_event *e, unsigned max)
{
    pl_mutex_lock(&p->lock);
    bool fits = p->n_notes < max;
    if (fits) {
        pl_list_push_back(&p->notes, &e->node);
        p->n_notes++;
        p->note_bytes += peer_note_size(e);
    }
    pl_mutex_unlock(&p->lock);
    return fits;
}

static void count(pl_peer_connection *p, peer_event *e)
{
    if (e->ev.kind != PL_PC_EV_DATA || !e->channel || !e->ev.u.data.data)
        return;
    e->counted = peer_note_size(e);
    atomic_fetch_add(&p->untold, e->counted);
}

static void queue(pl_peer_connection *p, const peer_event *e)
{
    size_t size = event_size(e);
    peer_event *copy = malloc(size);
    if (copy) {
        memcpy(copy, e, size);
        copy->node = (pl_node){ 0 };
        count(p, copy);
        if (push(p, copy, PEER_NOTES_MAX))
            return;
    }
    pl_log_warn(&p->log, "an event was lost: %s",
                copy ? "the signaling thread does not keep up" : "out of memory");
    peer_event lost = *e;
    peer_event_finish(copy ? copy : &lost);
    free(copy);
}

void peer_note(pl_peer_connection *p, const peer_event *e)
{
    queue(p, e);
    (void)pl_wake_up(&p->bell);
}

void peer_note_made(pl_peer_connection *p, peer_event *e)
{
    (void)push(p, e, UINT_MAX);
    (void)pl_wake_up(&p->bell);
}

/* A slow application closes the peer's window: what it has not taken stays in the core. */
static bool has_room(pl_peer_connection *p)
{
    pl_mutex_lock(&p->lock);
    p->held = p->note_bytes > PEER_NOTE_BYTES_MAX;
    bool room = !p->held;
    pl_mutex_unlock(&p->lock);
    return room;
}

void peer_take_events(pl_peer_connection *p)
{
    bool any = false;
    int64_t now_us = pl_loop_now_us(p->factory->net);
    if (p->factory->sig == p->factory->net) {
        deliver_here(p);
        return;
    }
    while (has_room(p)) {
        peer_event e;
        clear(&e);
        if (!pl_pc_poll_event(p->core, &e.ev))
            break;
        if (!prepare(p, &e))
            continue;
        queue(p, &e);
        peer_count_untold(p, now_us); /* before the next is taken, which else would make the window grow */
        any = true;
    }
    if (any)
        (void)pl_wake_up(&p->bell);
}

static peer_event *next_note(pl_peer_connection *p)
{
    pl_mutex_lock(&p->lock);
    pl_node *n = pl_list_pop_front(&p->notes);
    peer_event *e = n ? pl_of(n, peer_event, node) : NULL;
    if (e) {
        p->n_notes--;
        p->note_bytes -= peer_note_size(e);
    }
    bool resume = p->held && p->note_bytes < PEER_NOTE_BYTES_MAX / 2;
    if (resume)
        p->held = false;
    pl_mutex_unlock(&p->lock);
    if (resume)
        (void)pl_wake_up(&p->kick);
    return e;
}

static bool tell_next_note(pl_peer_connection *p)
{
    peer_event *e = next_note(p);
    if (!e)
        return false;
    if (e->channel && peer_hold(e->channel, e))
        return true;
    tell(p, e);
    peer_event_finish(e);
    free(e);
    return true;
}

void peer_deliver(void *peer)
{
    pl_peer_connection *p = peer;
    if (p->factory->sig == p->factory->net) {
        if (p->core)
            peer_pump(p);
        return;
    }
    peer_ref(p); /* a callback may free the connection */
    peer_releases(p);
    while (!p->muted && tell_next_note(p))
        ;
    peer_streams_read(p);
    peer_unref(p);
}

void peer_drop_notes(pl_peer_connection *p)
{
    for (peer_event *e; (e = next_note(p));) {
        peer_event_finish(e);
        free(e);
    }
}
