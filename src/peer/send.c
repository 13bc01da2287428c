/* send.c - messages on their way from the application to the core. Sending never waits:
 *     hand over (any thread) > send queue > the channel's own queue > core, lent > given back when acknowledged
 * A message is copied once, from the application into its block, or not at all; the core makes packets from there. Small
 * ones share a block, a parcel, and are copied once more.
 * Each channel has its own queue, and the core gets a little of each: what is more important never stands behind
 * what is not. One bell is rung for a burst. */
#include "peer/peer_internal.h"

#include <stdlib.h>
#include <string.h>

/* ---- blocks ---- */

peer_send *peer_send_make(pl_data_channel *c, size_t room)
{
    peer_send *s = malloc(sizeof *s + room);
    if (!s)
        return NULL;
    *s = (peer_send){ .channel = c, .data = s->own };
    peer_channel_ref(c);
    return s;
}

void peer_send_drop(peer_send *s)
{
    peer_stream_unref(s->stream);
    peer_channel_unref(s->channel);
    free(s);
}

/* Nothing refers to its bytes any more. Comes from inside verbs of the core. */
static void let_go(void *user)
{
    peer_send *s = user;
    if (s->release)
        pl_list_push_back(&s->channel->peer->given_back, &s->node);
    else
        peer_send_drop(s);
}

/* ---- amounts ---- */

static void tell_low(pl_data_channel *c)
{
    peer_event e = { .ev = { .kind = PL_PC_EV_DATA, .u.data.kind = PL_DATA_EVENT_BUFFERED_LOW },
                     .channel = c };
    if (atomic_load(&c->state) != PL_CHANNEL_OPEN)
        return;
    peer_channel_ref(c);
    peer_note(c->peer, &e);
}

static void more(pl_data_channel *c, size_t n)
{
    atomic_fetch_add(&c->amount, n);
    atomic_fetch_add(&c->peer->send_total, n);
}

/* As if they had never been handed over: nobody is told. */
static void take_back(pl_data_channel *c, size_t n)
{
    atomic_fetch_sub(&c->amount, n);
    atomic_fetch_sub(&c->peer->send_total, n);
}

static void less(pl_data_channel *c, size_t n)
{
    if (n == 0)
        return;
    size_t before = atomic_fetch_sub(&c->amount, n), low = atomic_load(&c->low);
    atomic_fetch_sub(&c->peer->send_total, n);
    if (before > low && before - n <= low)
        tell_low(c);
}

/* What the core has sent since the last look. */
static void mirror(pl_data_channel *c)
{
    size_t now = c->core ? pl_channel_buffered_amount(c->core) : 0, before = c->in_core;
    c->in_core = now;
    if (!now) {
        c->busy = false;
        pl_list_remove(&c->in_busy);
    }
    less(c, before > now ? before - now : 0);
}

void peer_forget_amount(pl_data_channel *c)
{
    mirror(c);
}

static void in_core(pl_data_channel *c, size_t n)
{
    c->in_core += n;
    if (n && !c->busy) {
        c->busy = true;
        pl_list_push_back(&c->peer->busy, &c->in_busy);
    }
}

/* ---- into the core ---- */

static pl_err push(peer_send *s)
{
    pl_data_channel *c = s->channel;
    int64_t now_us = pl_loop_now_us(c->peer->factory->net);
    if (!c->core)
        return PL_ESTATE;
    if (s->kind != PEER_SEND_MESSAGE)
        return pl_channel_send_part(c->core, now_us, s->data, s->len, s->kind == PEER_SEND_LAST_PART,
                                    s->binary);
    if (s->len == 0)
        return pl_channel_send(c->core, now_us, NULL, 0, s->binary);
    pl_sctp_lent bytes = { s->data, s->len, let_go, s };
    return pl_channel_send_lent(c->core, now_us, &bytes, s->binary, s->since_us ? now_us - s->since_us : 0);
}

/* It leaves the queue: lent to the core, copied by it, or lost. */
static void settle(peer_send *s, pl_err err)
{
    pl_data_channel *c = s->channel;
    bool lent = !err && s->kind == PEER_SEND_MESSAGE && s->len > 0;
    atomic_fetch_sub(&c->n_queued, 1);
    if (!err)
        in_core(c, s->len);
    else
        less(c, s->len);
    if (!lent)
        let_go(s);
}

static bool is_full(const pl_data_channel *c, pl_err err)
{
    return err == PL_EAGAIN && c->peer->core;
}

/* What was taken from the application and cannot go (there is no memory) ends its channel: to leave a message out, or a part
 * of one, would be worse. */
static void note_lost(pl_data_channel *c, size_t len, pl_err err)
{
    if (!err || err == PL_ESTATE)
        return;
    pl_log_warn(&c->peer->log, "a message of %zu bytes was lost, and its channel closes: %s", len,
                pl_err_str(err));
    c->lost = err;
}

static void close_for_loss(pl_data_channel *c)
{
    pl_err err = c->lost;
    c->lost = PL_OK;
    peer_stream_stop(c, err);
    if (c->core)
        peer_channel_close_core(c);
}

/* Of a parcel as much as the core may hold. PL_OK also when some is left. */
static pl_err push_parcel(peer_send *s, bool *fed)
{
    pl_data_channel *c = s->channel;
    const uint8_t *data;
    size_t len;
    bool binary;
    int64_t now_us = pl_loop_now_us(c->peer->factory->net);
    while (!c->lost && c->in_core < PEER_IN_CORE_MAX && peer_parcel_next(s, &data, &len, &binary)) {
        pl_err err = c->core ? pl_channel_send(c->core, now_us, data, len, binary) : PL_ESTATE;
        if (is_full(c, err))
            return err;
        note_lost(c, len, err);
        peer_parcel_take(s, len);
        *fed |= !err;
        if (!err)
            in_core(c, len);
        else
            less(c, len);
    }
    return PL_OK;
}

/* False: the core's buffer is full. *fed: it has got something, if only an empty message. */
static bool feed(pl_data_channel *c, bool *fed)
{
    for (pl_node *n; !c->lost && c->in_core < PEER_IN_CORE_MAX && (n = pl_list_first(&c->waiting));) {
        peer_send *s = pl_of(n, peer_send, node);
        bool parcel = s->kind == PEER_SEND_PARCEL;
        pl_err err = parcel ? push_parcel(s, fed) : push(s);
        if (is_full(c, err))
            return false;
        if (parcel && s->taken < s->used)
            break;
        note_lost(c, s->len, err);
        *fed |= !err && !parcel;
        pl_list_remove(n);
        settle(s, err);
    }
    if (pl_list_empty(&c->waiting))
        pl_list_remove(&c->in_feeding);
    return true;
}

bool peer_drop_waiting(pl_data_channel *c, bool parts_only)
{
    bool any = false;
    peer_channel_ref(c); /* the last of them may be what holds it */
    PL_EACH (n, &c->waiting) {
        peer_send *s = pl_of(n, peer_send, node);
        if (parts_only && s->kind == PEER_SEND_MESSAGE)
            continue;
        any = true;
        pl_list_remove(n);
        settle(s, PL_ESTATE);
    }
    if (pl_list_empty(&c->waiting))
        pl_list_remove(&c->in_feeding);
    peer_channel_unref(c);
    return any;
}

/* ---- from other threads ---- */

static void wait_turn(peer_send *s)
{
    pl_data_channel *c = s->channel;
    if (s->kind == PEER_SEND_ANSWER) {
        peer_stream_answered(c);
        peer_channel_unref(c); /* the block is the stream's own */
        return;
    }
    pl_list_push_back(&c->waiting, &s->node);
    if (!pl_node_linked(&c->in_feeding))
        pl_list_push_back(&c->peer->feeding, &c->in_feeding);
}

void peer_send_queued(pl_peer_connection *p)
{
    pl_list all;
    pl_list_init(&all);
    pl_mutex_lock(&p->lock);
    pl_list_splice_back(&all, &p->send_queue);
    pl_mutex_unlock(&p->lock);
    for (pl_node *n; (n = pl_list_pop_front(&all));)
        wait_turn(pl_of(n, peer_send, node));
}

/* Its bytes are counted already. */
static pl_err enter_queue(peer_send *s)
{
    pl_data_channel *c = s->channel;
    pl_peer_connection *p = c->peer;
    bool counted = s->kind != PEER_SEND_ANSWER;
    size_t len = s->len; /* the block may be gone once it is in the queue */
    if (counted)
        atomic_fetch_add(&c->n_queued, 1);
    pl_mutex_lock(&p->lock);
    bool late = p->ended, first = pl_list_empty(&p->send_queue);
    if (!late)
        pl_list_push_back(&p->send_queue, &s->node);
    if (!late && first)
        (void)pl_wake_up(&p->kick); /* under the lock, since after `ended` it may be gone */
    pl_mutex_unlock(&p->lock);
    if (!late)
        return PL_OK;
    if (counted) {
        atomic_fetch_sub(&c->n_queued, 1);
        take_back(c, len);
        peer_send_drop(s);
    }
    return PL_ESTATE;
}

pl_err peer_hand_over(peer_send *s)
{
    if (s->kind != PEER_SEND_ANSWER)
        more(s->channel, s->len);
    return enter_queue(s);
}

/* What comes in a burst joins the parcel that is last in the queue. *alone: nothing waits there. */
static bool join_parcel(pl_data_channel *c, const void *data, size_t len, bool binary, bool *alone)
{
    pl_peer_connection *p = c->peer;
    pl_mutex_lock(&p->lock);
    pl_node *n = pl_list_last(&p->send_queue);
    peer_send *s = n && !p->ended ? pl_of(n, peer_send, node) : NULL;
    bool joined =
        s && s->kind == PEER_SEND_PARCEL && s->channel == c && peer_parcel_add(s, data, len, binary);
    pl_mutex_unlock(&p->lock);
    *alone = !n;
    return joined;
}

static pl_err queue_small(pl_data_channel *c, const void *data, size_t len, bool binary)
{
    bool alone;
    more(c, len); /* before anybody else can see it */
    if (join_parcel(c, data, len, binary, &alone))
        return PL_OK;
    peer_send *s = peer_parcel_make(c, len, alone);
    if (!s) {
        take_back(c, len);
        return PL_ENOMEM;
    }
    (void)peer_parcel_add(s, data, len, binary);
    return enter_queue(s);
}

/* ---- after the core has sent ---- */

/* Sends were refused for want of room: there is some now. */
static void tell_refused(pl_peer_connection *p)
{
    if (!atomic_load(&p->refused) || atomic_load(&p->send_total) > p->send_limit / 2)
        return;
    atomic_store(&p->refused, false);
    for (;;) {
        pl_data_channel *c = NULL;
        pl_mutex_lock(&p->lock);
        PL_EACH (n, &p->channels) {
            pl_data_channel *one = pl_of(n, pl_data_channel, in_peer);
            if (atomic_exchange(&one->refused, false)) {
                c = one;
                peer_channel_ref(c);
                break;
            }
        }
        pl_mutex_unlock(&p->lock);
        if (!c)
            return;
        tell_low(c);
        peer_channel_unref(c);
    }
}

void peer_pass_on_given_back(pl_peer_connection *p)
{
    if (pl_list_empty(&p->given_back))
        return;
    pl_mutex_lock(&p->lock);
    pl_list_splice_back(&p->released, &p->given_back);
    pl_mutex_unlock(&p->lock);
    (void)pl_wake_up(&p->bell);
}

bool peer_feed(pl_peer_connection *p)
{
    bool fed = false;
    PL_EACH (n, &p->busy)
        mirror(pl_of(n, pl_data_channel, in_busy));
    for (pl_node *n = pl_list_first(&p->feeding), *next; n && !p->send_stalled; n = next) {
        next = n->next == &p->feeding ? NULL : n->next;
        pl_data_channel *c = pl_of(n, pl_data_channel, in_feeding);
        peer_channel_ref(c);
        p->send_stalled = !feed(c, &fed);
        if (c->lost)
            close_for_loss(c);
        peer_channel_unref(c);
    }
    PL_EACH (n, &p->tended) {
        pl_data_channel *c = pl_of(n, pl_data_channel, in_tended);
        peer_channel_ref(c); /* it may close, for good */
        peer_stream_tend(c);
        peer_channel_unref(c);
    }
    tell_refused(p);
    peer_pass_on_given_back(p);
    return fed;
}

void peer_releases(pl_peer_connection *p)
{
    for (;;) {
        pl_mutex_lock(&p->lock);
        pl_node *n = pl_list_pop_front(&p->released);
        pl_mutex_unlock(&p->lock);
        if (!n)
            return;
        peer_send *s = pl_of(n, peer_send, node);
        s->release(s->user);
        peer_send_drop(s);
    }
}

/* ---- the application's calls ---- */

static bool has_room(pl_data_channel *c, size_t len)
{
    size_t total = atomic_load(&c->peer->send_total), limit = c->peer->send_limit;
    if (total == 0 || total + len <= limit)
        return true;
    /* A channel that has nothing queued is not to be kept out by others that have much. */
    return atomic_load(&c->amount) == 0 && total + len <= limit + limit / 4;
}

/* Nothing is queued with an error. */
static pl_err admit(pl_data_channel *c, const void *data, size_t len, bool binary)
{
    pl_peer_connection *p = c->peer;
    if (atomic_load(&c->state) != PL_CHANNEL_OPEN || atomic_load(&c->streams_one))
        return PL_ESTATE;
    if (len > atomic_load(&p->max_message) || (!binary && !pl_utf8_valid(data, len)))
        return PL_EINVAL;
    if (len > p->send_limit)
        return PL_ENOSPC;
    if (has_room(c, len))
        return PL_OK;
    atomic_store(&c->refused, true); /* first, then look again: the room may have come in between */
    atomic_store(&p->refused, true);
    if (has_room(c, len)) {
        atomic_store(&c->refused, false);
        return PL_OK;
    }
    return PL_EAGAIN;
}

/* On the network's own thread (an application's own loop) it goes straight into the core, which copies it. */
static bool may_go_directly(const pl_data_channel *c)
{
    const pl_peer_connection *p = c->peer;
    return pl_loop_is_here(p->factory->net) && c->core && !p->send_stalled && !c->stream &&
           atomic_load(&c->n_queued) == 0 && c->in_core < PEER_IN_CORE_MAX;
}

static pl_err send_directly(pl_data_channel *c, const void *data, size_t len, bool binary)
{
    pl_err err = pl_channel_send(c->core, pl_loop_now_us(c->peer->factory->net), data, len, binary);
    if (err)
        return err;
    more(c, len);
    in_core(c, len);
    return pl_wake_up(&c->peer->kick); /* many sends in one go leave together */
}

static pl_err queue(pl_data_channel *c, const void *data, size_t len, bool binary,
                    void (*release)(void *user), void *user)
{
    if (!release && len <= PEER_PARCEL_MESSAGE_MAX && !c->init.has_max_packet_life_time)
        return queue_small(c, data, len, binary);
    peer_send *s = peer_send_make(c, release ? 0 : len);
    if (!s)
        return PL_ENOMEM;
    s->len = len;
    s->binary = binary;
    s->since_us = c->init.has_max_packet_life_time ? pl_clock_us() : 0;
    s->release = release;
    s->user = user;
    if (release)
        s->data = data;
    else if (len)
        memcpy(s->own, data, len);
    return peer_hand_over(s);
}

pl_err pl_data_channel_send(pl_data_channel *c, const void *data, size_t len, bool binary)
{
    pl_err err = admit(c, data, len, binary);
    if (err)
        return err;
    if (may_go_directly(c)) {
        err = send_directly(c, data, len, binary);
        if (err != PL_EAGAIN)
            return err;
    }
    return queue(c, data, len, binary, NULL, NULL);
}

pl_err pl_data_channel_send_text(pl_data_channel *c, const char *text)
{
    return pl_data_channel_send(c, text, strlen(text), false);
}

pl_err pl_data_channel_send_lent(pl_data_channel *c, const void *data, size_t len, bool binary,
                                 void (*release)(void *user), void *user)
{
    if (!release)
        return PL_EINVAL;
    pl_err err = admit(c, data, len, binary);
    return err ? err : queue(c, data, len, binary, release, user);
}

size_t pl_data_channel_buffered_amount(pl_data_channel *c)
{
    if (pl_loop_is_here(c->peer->factory->net) && c->busy)
        mirror(c);
    return atomic_load(&c->amount);
}

void pl_data_channel_set_buffered_amount_low_threshold(pl_data_channel *c, size_t bytes)
{
    atomic_store(&c->low, bytes);
}

size_t pl_data_channel_max_message_size(pl_data_channel *c)
{
    return atomic_load(&c->peer->max_message);
}
