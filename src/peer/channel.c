/* channel.c - handles of data channels. Sending never waits: on the network's own thread the message goes
 * straight into the core, from any other it is queued under the lock and the loop is rung. */
#include "peer/peer_internal.h"

#include <stdlib.h>
#include <string.h>

pl_data_channel *peer_channel_make(pl_peer_connection *p, const char *label, const char *protocol,
                                   const pl_data_channel_observer *observer)
{
    pl_data_channel *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->label = strdup(label);
    c->protocol = strdup(protocol ? protocol : "");
    if (!c->label || !c->protocol) {
        free(c->label);
        free(c->protocol);
        free(c);
        return NULL;
    }
    if (observer)
        c->observer = *observer;
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
    free(c->label);
    free(c->protocol);
    free(c);
    peer_unref(p);
}

/* ---- what other threads read of the core ---- */

static void mirror(pl_data_channel *c)
{
    size_t now = c->core ? pl_channel_buffered_amount(c->core) : 0;
    size_t before = atomic_exchange(&c->in_core, now);
    if (now >= before)
        atomic_fetch_add(&c->peer->send_total, now - before);
    else
        atomic_fetch_sub(&c->peer->send_total, before - now);
    if (!now && c->busy) {
        c->busy = false;
        pl_list_remove(&c->in_busy);
    }
}

static void mark_busy(pl_data_channel *c)
{
    if (!c->busy) {
        c->busy = true;
        pl_list_push_back(&c->peer->busy, &c->in_busy);
    }
    mirror(c);
}

void peer_mirror(pl_peer_connection *p)
{
    PL_EACH (n, &p->busy)
        mirror(pl_of(n, pl_data_channel, in_busy));
}

/* ---- sending ---- */

static pl_err send_now(pl_data_channel *c, const void *data, size_t len, bool binary)
{
    if (!c->core)
        return PL_ESTATE;
    pl_err err = pl_channel_send(c->core, pl_loop_now_us(c->peer->factory->net), data, len, binary);
    if (!err)
        mark_busy(c);
    return err;
}

static void drop_send(pl_peer_connection *p, peer_send *s)
{
    atomic_fetch_sub(&p->send_total, s->len);
    atomic_fetch_sub(&s->channel->queued, s->len);
    peer_channel_unref(s->channel);
    free(s);
}

void peer_send_queued(pl_peer_connection *p)
{
    while (!p->send_stalled || !p->core) {
        pl_mutex_lock(&p->lock);
        pl_node *n = pl_list_pop_front(&p->send_queue);
        pl_mutex_unlock(&p->lock);
        if (!n)
            return;
        peer_send *s = pl_of(n, peer_send, node);
        pl_err err = send_now(s->channel, s->data, s->len, s->binary);
        if (err == PL_EAGAIN) { /* WRITABLE will say when; nobody else takes from the front */
            pl_mutex_lock(&p->lock);
            pl_list_push_front(&p->send_queue, n);
            pl_mutex_unlock(&p->lock);
            p->send_stalled = true;
            return;
        }
        if (err && err != PL_ESTATE)
            pl_log_warn(&p->log, "a message of %zu bytes was lost: %s", s->len, pl_err_str(err));
        drop_send(p, s);
    }
}

static pl_err enqueue(pl_data_channel *c, const void *data, size_t len, bool binary)
{
    pl_peer_connection *p = c->peer;
    if (atomic_load(&c->state) != PL_CHANNEL_OPEN)
        return PL_ESTATE;
    if (len > atomic_load(&p->max_message))
        return PL_EINVAL;
    if (atomic_load(&p->send_total) + len > p->send_limit)
        return PL_EAGAIN;
    peer_send *s = malloc(sizeof *s + len);
    if (!s)
        return PL_ENOMEM;
    s->node = (pl_node){ 0 };
    s->channel = c;
    s->len = len;
    s->binary = binary;
    if (len)
        memcpy(s->data, data, len);
    peer_channel_ref(c);
    atomic_fetch_add(&p->send_total, len);
    atomic_fetch_add(&c->queued, len);
    pl_mutex_lock(&p->lock);
    pl_list_push_back(&p->send_queue, &s->node);
    pl_mutex_unlock(&p->lock);
    return pl_wake_up(&p->kick);
}

pl_err pl_data_channel_send(pl_data_channel *c, const void *data, size_t len, bool binary)
{
    pl_peer_connection *p = c->peer;
    if (!pl_loop_is_here(p->factory->net) || atomic_load(&c->queued))
        return enqueue(c, data, len, binary);
    pl_err err = send_now(c, data, len, binary);
    if (!err)
        (void)pl_wake_up(&p->kick); /* many sends in one go leave together */
    return err;
}

pl_err pl_data_channel_send_text(pl_data_channel *c, const char *text)
{
    return pl_data_channel_send(c, text, strlen(text), false);
}

size_t pl_data_channel_buffered_amount(pl_data_channel *c)
{
    if (pl_loop_is_here(c->peer->factory->net) && c->core)
        mirror(c);
    return atomic_load(&c->queued) + atomic_load(&c->in_core);
}

/* ---- carried to the network thread ---- */

typedef struct channel_call {
    pl_data_channel *c;
    size_t bytes;
} channel_call;

static void do_threshold(void *arg)
{
    channel_call *k = arg;
    atomic_store(&k->c->low, k->bytes);
    if (k->c->core)
        pl_channel_set_buffered_low(k->c->core, k->bytes);
}

void pl_data_channel_set_buffered_amount_low_threshold(pl_data_channel *c, size_t bytes)
{
    channel_call k = { c, bytes };
    if (pl_loop_call(c->peer->factory->net, do_threshold, &k))
        pl_log_warn(&c->peer->log, "the network loop does not answer");
}

static void do_close(void *arg)
{
    pl_data_channel *c = arg;
    pl_peer_connection *p = c->peer;
    if (!c->core)
        return;
    p->in_call++;
    peer_send_queued(p);
    pl_channel_close(c->core, pl_loop_now_us(p->factory->net));
    atomic_store(&c->state, pl_channel_state(c->core));
    if (p->core)
        peer_pump(p);
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
    if (!c->core)
        return;
    do_close(c);
    if (!c->core)
        return;
    pl_channel_release(c->core, pl_loop_now_us(c->peer->factory->net));
    c->core = NULL;
    mirror(c);
    peer_channel_unref(c); /* the core's; the handle's is still held */
}

static void do_mute(void *arg)
{
    pl_data_channel *c = arg;
    c->muted = true;
}

void pl_data_channel_free(pl_data_channel *c)
{
    if (!c)
        return;
    if (pl_loop_call(c->peer->factory->sig, do_mute, c) || pl_loop_call(c->peer->factory->net, do_release, c))
        pl_log_warn(&c->peer->log, "the loops do not answer");
    peer_channel_unref(c);
}

void pl_data_channel_set_observer(pl_data_channel *c, const pl_data_channel_observer *observer)
{
    c->observer = *observer;
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
    return c->protocol;
}

int pl_data_channel_id(pl_data_channel *c)
{
    return atomic_load(&c->id);
}
