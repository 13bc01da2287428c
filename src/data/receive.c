/* Messages on their way to the application: joined from the deprecated partial types, whole or in pieces as it
 * wishes, held while it pauses (RFC 8831 6.6, 8). */
#include <stdlib.h>

#include "data/channels_internal.h"

static bool is_partial(uint32_t ppid)
{
    return ppid == PL_PPID_STRING_PARTIAL || ppid == PL_PPID_BINARY_PARTIAL;
}

static bool is_empty(uint32_t ppid)
{
    return ppid == PL_PPID_STRING_EMPTY || ppid == PL_PPID_BINARY_EMPTY;
}

static bool is_binary(uint32_t ppid)
{
    return ppid == PL_PPID_BINARY || ppid == PL_PPID_BINARY_EMPTY || ppid == PL_PPID_BINARY_PARTIAL;
}

static bool is_user(uint32_t ppid)
{
    return is_partial(ppid) || is_empty(ppid) || ppid == PL_PPID_STRING || ppid == PL_PPID_BINARY;
}

/* --- whole messages --- */

static void count_held(pl_data *d)
{
    if (d->sctp)
        pl_sctp_set_held(d->sctp, d->now_us, d->held + d->above);
}

/* The deprecated partial types: joined until one of the full types ends them. What is joined counts in the window. False
 * when it is too much. */
static bool join_partial(pl_channel *c, const pl_sctp_msg *m)
{
    size_t len = c->partial_len + m->len;
    uint8_t *joined = len <= c->d->conf.sctp.max_message_size ? realloc(c->partial, len + 1) : NULL;
    if (!joined)
        return false;
    memcpy(joined + c->partial_len, m->data, m->len);
    c->partial = joined;
    c->partial_len = len;
    c->d->held += m->len;
    count_held(c->d);
    return true;
}

/* Others own the bytes now, or nobody. */
static void forget_partial(pl_channel *c)
{
    c->d->held -= c->partial_len;
    c->partial = NULL;
    c->partial_len = 0;
    count_held(c->d);
}

void pl_channel_drop_partial(pl_channel *c)
{
    free(c->partial);
    forget_partial(c);
}

/* The end of what was joined takes its place in *m. */
static bool end_partial(pl_channel *c, pl_sctp_msg *m)
{
    if (is_empty(m->ppid) || !join_partial(c, m)) {
        pl_channel_drop_partial(c);
        return false;
    }
    pl_sctp_msg whole = { .ppid = m->ppid, .data = c->partial, .len = c->partial_len, .memory = c->partial };
    forget_partial(c);
    pl_sctp_msg_free(m);
    *m = whole;
    return true;
}

/* False: it is counted, and left to be freed. Text that is none is dropped, as Chromium does: the application was
 * promised UTF-8. */
static bool whole_message(pl_channel *c, pl_sctp_msg *m, pl_data_event *out, bool *bad)
{
    if (is_partial(m->ppid)) {
        *bad = !join_partial(c, m);
        if (*bad)
            pl_channel_drop_partial(c);
        return false;
    }
    bool binary = is_binary(m->ppid), empty = is_empty(m->ppid);
    *bad = (c->partial && !end_partial(c, m)) || (!binary && !empty && !pl_utf8_valid(m->data, m->len));
    if (*bad)
        return false;
    *out = (pl_data_event){ .kind = PL_DATA_EVENT_MESSAGE,
                            .channel = c,
                            .binary = binary,
                            .first = true,
                            .last = true,
                            .data = m->data,
                            .len = empty ? 0 : m->len,
                            .msg = *m };
    return true;
}

/* --- pieces --- */

/* A partial type goes on after its SCTP message has ended. */
static bool piece(pl_channel *c, pl_sctp_msg *m, pl_data_event *out)
{
    if (m->broken) {
        c->amid = false;
        return false;
    }
    if (m->continues && !c->amid)
        return false; /* the rest of a message whose beginning was not ours to tell */
    bool first = !c->amid, last = !m->more && !is_partial(m->ppid);
    *out = (pl_data_event){ .kind = PL_DATA_EVENT_PIECE,
                            .channel = c,
                            .binary = is_binary(m->ppid),
                            .first = first,
                            .last = last,
                            .data = m->data,
                            .len = is_empty(m->ppid) ? 0 : m->len,
                            .msg = *m };
    c->amid = !last;
    return true;
}

/* A message that arrived whole is all its pieces at once. */
static bool in_pieces(const pl_channel *c, const pl_sctp_msg *m)
{
    return m->more || m->continues || m->broken || c->amid || (c->pieces && is_partial(m->ppid));
}

pl_err pl_channel_set_pieces(pl_channel *c, bool on)
{
    c->pieces = on;
    if (!c->d->sctp || c->id < 0 || pl_data_find(c->d, (uint16_t)c->id) != c)
        return PL_OK; /* pl_channel_begin does it */
    return pl_sctp_set_pieces(c->d->sctp, (uint16_t)c->id, on);
}

/* --- held while the application pauses --- */

static size_t cost(const pl_data_event *e)
{
    return sizeof(pl_held) + e->msg.len;
}

static void hold(pl_held *h, pl_channel *c, const pl_data_event *e)
{
    *h = (pl_held){ .event = *e };
    pl_list_push_back(&c->held, &h->node);
    c->d->held += cost(e);
    count_held(c->d);
}

static void let_go(pl_held *h, pl_channel *c)
{
    pl_list_remove(&h->node);
    c->d->held -= cost(&h->event);
    free(h);
    if (!pl_list_empty(&c->held))
        return;
    pl_list_remove(&c->in_draining);
    if (c->tells)
        pl_data_tell(c, 0); /* the end may be told now */
}

void pl_data_set_held(pl_data *d, int64_t now_us, size_t bytes)
{
    if (bytes == d->above)
        return;
    d->now_us = now_us;
    d->above = bytes;
    count_held(d);
}

bool pl_data_take_held(pl_data *d, pl_data_event *out)
{
    pl_node *n = pl_list_first(&d->draining);
    if (!n)
        return false;
    pl_channel *c = pl_of(n, pl_channel, in_draining);
    pl_held *h = pl_of(pl_list_first(&c->held), pl_held, node);
    *out = h->event;
    let_go(h, c);
    count_held(d);
    return true;
}

void pl_channel_drop_held(pl_channel *c)
{
    PL_EACH (n, &c->held) {
        pl_held *h = pl_of(n, pl_held, node);
        c->d->held -= cost(&h->event);
        pl_data_event_clear(&h->event);
        pl_list_remove(n);
        free(h);
    }
    pl_list_remove(&c->in_draining);
    count_held(c->d);
}

void pl_channel_pause(pl_channel *c, bool paused)
{
    c->paused = paused;
    if (paused || c->state == PL_CHANNEL_CONNECTING)
        pl_list_remove(&c->in_draining);
    else if (!pl_list_empty(&c->held) && !pl_node_linked(&c->in_draining))
        pl_list_push_back(&c->d->draining, &c->in_draining);
}

/* Also what comes before our ACK could go: OPEN is told first. */
static bool must_hold(const pl_channel *c)
{
    return c->paused || !pl_list_empty(&c->held) || c->state == PL_CHANNEL_CONNECTING;
}

/* --- from the association --- */

static void count(pl_channel *c, const pl_data_event *e)
{
    c->stats.messages_received += e->last;
    c->stats.bytes_received += e->len;
}

/* Only an open channel has an ear (webrtc-pc 6.4), and only until its handle is given back. */
static pl_channel *listener(pl_data *d, const pl_sctp_msg *m)
{
    pl_channel *c = pl_data_find(d, m->sid);
    if (!c || !pl_channel_has_stream(c)) {
        d->stats.bad_messages += !d->over;
        return NULL;
    }
    if (c->released || (c->state != PL_CHANNEL_OPEN && c->state != PL_CHANNEL_CONNECTING))
        return NULL;
    if (!is_user(m->ppid)) {
        d->stats.bad_messages++;
        return NULL;
    }
    return c;
}

/* True: *out is for the application, or was put into `room` for later, and the message with it. */
static bool on_message(pl_data *d, pl_sctp_msg *m, pl_held *room, pl_data_event *out, bool *held)
{
    pl_channel *c = listener(d, m);
    bool bad = false;
    if (!c || !(in_pieces(c, m) ? piece(c, m, out) : whole_message(c, m, out, &bad))) {
        d->stats.bad_messages += bad;
        return false;
    }
    count(c, out);
    *held = room != NULL;
    if (room)
        hold(room, c, out);
    return true;
}

/* Without memory to hold a message it stays where it is, and those behind it. */
static bool room_for(pl_data *d, const pl_sctp_msg *m, pl_held **room)
{
    const pl_channel *c = m->ppid == PL_PPID_DCEP ? NULL : pl_data_find(d, m->sid);
    *room = NULL;
    if (!c || c->released || !must_hold(c))
        return true;
    *room = malloc(sizeof **room);
    return *room != NULL;
}

bool pl_data_take_message(pl_data *d, int64_t now_us, pl_data_event *out)
{
    const pl_sctp_msg *next = pl_sctp_peek(d->sctp);
    pl_held *room;
    pl_sctp_msg m;
    bool held = false, taken = false;
    if (!next)
        return false;
    d->stuck = !room_for(d, next, &room);
    if (d->stuck)
        return false;
    if (!pl_sctp_recv(d->sctp, &m)) {
        free(room);
        return false;
    }
    if (m.ppid == PL_PPID_DCEP)
        pl_data_on_dcep(d, now_us, &m);
    else
        taken = on_message(d, &m, room, out, &held);
    if (!held)
        free(room);
    if (!taken)
        pl_sctp_msg_free(&m);
    return taken && !held;
}
