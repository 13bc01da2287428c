/* channel.c - handles of data channels: made, closed, given back. send.c and stream.c send, receive.c receives. */
#include "peer/peer_internal.h"

#include <stdlib.h>
#include <string.h>

enum { PRIORITY_NORMAL = 256 };

pl_data_channel *peer_channel_make(pl_peer_connection *p, const char *label, const pl_data_channel_init *init,
                                   const pl_data_channel_observer *observer)
{
    const char *protocol = init ? init->protocol : NULL;
    pl_data_channel *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->label = strdup(label);
    char *own_protocol = strdup(protocol ? protocol : "");
    if (!c->label || !own_protocol) {
        free(c->label);
        free(own_protocol);
        free(c);
        return NULL;
    }
    if (observer)
        c->observer = *observer;
    if (init)
        c->init = *init;
    c->init.protocol = own_protocol;
    if (!c->init.priority)
        c->init.priority = PRIORITY_NORMAL;
    pl_list_init(&c->waiting);
    pl_list_init(&c->held);
    atomic_init(&c->refs, 1); /* the handle */
    atomic_init(&c->id, -1);
    c->peer = p;
    peer_ref(p);
    pl_mutex_lock(&p->lock);
    pl_list_push_back(&p->channels, &c->in_peer);
    pl_mutex_unlock(&p->lock);
    return c;
}

void peer_channel_ref(pl_data_channel *c)
{
    atomic_fetch_add(&c->refs, 1);
}

void peer_channel_unref(pl_data_channel *c)
{
    if (atomic_fetch_sub(&c->refs, 1) != 1)
        return;
    pl_peer_connection *p = c->peer;
    pl_mutex_lock(&p->lock);
    pl_list_remove(&c->in_peer);
    pl_mutex_unlock(&p->lock);
    peer_stream_unref(c->stream); /* of a connection that ended in the middle of it */
    atomic_fetch_sub(&c->peer->joined_total, c->joined_cap);
    free(c->joined);
    free(c->label);
    free((char *)c->init.protocol);
    free(c);
    peer_unref(p);
}

/* ---- beside its core ---- */

void peer_channel_look(pl_data_channel *c)
{
    if (!c->core)
        return;
    pl_data_channel_state state = pl_channel_state(c->core);
    int seen = c->closing && state == PL_CHANNEL_OPEN ? PL_CHANNEL_CLOSING : (int)state;
    int id = pl_channel_id(c->core);
    if (atomic_load(&c->state) != seen) /* comes with every message, and a store waits for all before it */
        atomic_store(&c->state, seen);
    if (atomic_load(&c->id) != id)
        atomic_store(&c->id, id);
}

void peer_channel_begin(pl_data_channel *c)
{
    if (c->observer.on_piece && pl_channel_set_pieces(c->core, true))
        pl_log_warn(&c->peer->log, "no memory for a stream");
    peer_channel_look(c);
}

void peer_channel_over(pl_data_channel *c)
{
    c->core = NULL;
    c->closing = false;
    peer_stream_stop(c, PL_EIO);
    (void)peer_drop_waiting(c, false);
    peer_forget_amount(c);
    pl_list_remove(&c->in_tended);
    peer_channel_unref(c); /* the core's */
}

void peer_tended(pl_data_channel *c)
{
    if (!pl_node_linked(&c->in_tended))
        pl_list_push_back(&c->peer->tended, &c->in_tended);
}

void peer_channel_close_core(pl_data_channel *c)
{
    pl_peer_connection *p = c->peer;
    int64_t now_us = pl_loop_now_us(p->factory->net);
    pl_channel_close(c->core, now_us);
    c->closing = false;
    peer_channel_look(c);
    if (c->freed) {
        pl_channel_release(c->core, now_us);
        peer_channel_over(c);
    }
    p->again = true;
}

/* ---- carried to the network thread ---- */

/* What was handed over before goes first, and a stream to its end. */
static void begin_close(pl_data_channel *c)
{
    pl_peer_connection *p = c->peer;
    peer_send_queued(p);
    c->closing = true;
    peer_channel_look(c);
    peer_tended(c);
    peer_stream_tend(c);
    if (p->core)
        peer_pump(p);
}

static void do_close(void *arg)
{
    pl_data_channel *c = arg;
    pl_peer_connection *p = c->peer;
    if (!c->core)
        return;
    p->in_call++;
    begin_close(c);
    p->in_call--;
}

void pl_data_channel_close(pl_data_channel *c)
{
    if (pl_loop_call(c->peer->factory->net, do_close, c))
        pl_log_warn(&c->peer->log, "the network loop does not answer");
}

static void do_release(void *arg)
{
    pl_data_channel *c = arg;
    pl_peer_connection *p = c->peer;
    if (!c->core)
        return;
    p->in_call++;
    peer_send_queued(p);
    c->freed = true;
    peer_stream_stop(c, PL_ESTATE);
    if (c->core)
        begin_close(c);
    p->in_call--;
}

static void do_mute(void *arg)
{
    pl_data_channel *c = arg;
    c->muted = true;
    peer_drop_held(c);
}

void pl_data_channel_free(pl_data_channel *c)
{
    if (!c)
        return;
    if (pl_loop_call(c->peer->factory->sig, do_mute, c) || pl_loop_call(c->peer->factory->net, do_release, c))
        pl_log_warn(&c->peer->log, "the loops do not answer");
    peer_channel_unref(c);
}

pl_data_channel_state pl_data_channel_get_state(pl_data_channel *c)
{
    return (pl_data_channel_state)atomic_load(&c->state);
}

const char *pl_data_channel_label(pl_data_channel *c)
{
    return c->label;
}

const char *pl_data_channel_protocol(pl_data_channel *c)
{
    return c->init.protocol;
}

void pl_data_channel_get_init(pl_data_channel *c, pl_data_channel_init *out)
{
    int id = atomic_load(&c->id);
    *out = c->init;
    out->id = id < 0 ? c->init.id : (uint16_t)id;
}

int pl_data_channel_id(pl_data_channel *c)
{
    return atomic_load(&c->id);
}
