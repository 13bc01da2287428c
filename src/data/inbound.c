/* What the peer says: messages, DCEP, resets, the association's end. */
#include <stdio.h>
#include <stdlib.h>

#include "data/channels_internal.h"

/* --- DCEP --- */

static void refuse(pl_data *d, int64_t now_us, uint16_t sid)
{
    d->stats.bad_messages++;
    (void)!pl_sctp_reset_streams(d->sctp, now_us, &sid, 1); /* RFC 8832 6: an OPEN that cannot be is closed */
}

static pl_data_channel_init wished(const pl_dcep_open *o, uint16_t sid)
{
    pl_data_channel_init in = { .unordered = o->unordered, .priority = o->priority, .id = sid };
    uint16_t parameter = o->parameter > UINT16_MAX ? UINT16_MAX : (uint16_t)o->parameter;
    in.has_max_retransmits = o->reliability == PL_DCEP_RETRANSMITS;
    in.max_retransmits = in.has_max_retransmits ? parameter : 0;
    in.has_max_packet_life_time = o->reliability == PL_DCEP_LIFETIME;
    in.max_packet_life_time = in.has_max_packet_life_time ? parameter : 0;
    return in;
}

static void on_open(pl_data *d, int64_t now_us, uint16_t sid, const pl_sctp_msg *m)
{
    pl_dcep_open open;
    if (pl_data_find(d, sid)) { /* in use: the channel that is there has done nothing wrong */
        d->stats.bad_messages++;
        return;
    }
    bool ours = (sid % 2 == 0) == d->dtls_client;
    if (pl_dcep_open_parse(&open, pl_rd_init(m->data, m->len)) != PL_OK || ours ||
        sid >= pl_data_max_channels(d) || d->n_channels >= d->conf.max_channels) {
        refuse(d, now_us, sid);
        return;
    }
    pl_data_channel_init init = wished(&open, sid);
    pl_channel *c = pl_channel_make(d, open.label, open.protocol, &init);
    if (!c || pl_data_enter(d, c, sid) != PL_OK) {
        if (c)
            pl_channel_destroy(c);
        refuse(d, now_us, sid);
        return;
    }
    c->init.priority = open.priority;
    c->from_peer = true;
    pl_data_tell(c, PL_TELL_CHANNEL);
    pl_channel_begin(c, now_us);
}

static void on_dcep(pl_data *d, int64_t now_us, const pl_sctp_msg *m)
{
    pl_channel *c = pl_data_find(d, m->sid);
    switch (pl_dcep_type(m->data, m->len)) {
    case PL_DCEP_OPEN: on_open(d, now_us, m->sid, m); break;
    case PL_DCEP_ACK:
        if (c)
            c->settled = true;
        else
            d->stats.bad_messages++;
        break;
    default: d->stats.bad_messages++; break;
    }
}

/* --- messages --- */

/* The deprecated partial types: joined until one of the full types ends them. False when it is too much. */
static bool join_partial(pl_channel *c, const pl_sctp_msg *m)
{
    size_t len = c->partial_len + m->len;
    uint8_t *joined = len <= c->d->conf.sctp.max_message_size ? realloc(c->partial, len + 1) : NULL;
    if (!joined)
        return false;
    memcpy(joined + c->partial_len, m->data, m->len);
    c->partial = joined;
    c->partial_len = len;
    return true;
}

static void drop_partial(pl_channel *c)
{
    free(c->partial);
    c->partial = NULL;
    c->partial_len = 0;
}

/* A message for the application, if it is one: else counted and left to be freed. */
static bool to_event(pl_channel *c, pl_sctp_msg *m, pl_data_event *out)
{
    bool empty = m->ppid == PL_PPID_STRING_EMPTY || m->ppid == PL_PPID_BINARY_EMPTY;
    bool binary = m->ppid == PL_PPID_BINARY || m->ppid == PL_PPID_BINARY_EMPTY;
    if (c->partial) {
        bool joined = !empty && join_partial(c, m);
        uint8_t *all = c->partial;
        size_t len = c->partial_len;
        if (!joined) {
            drop_partial(c);
            return false;
        }
        c->partial = NULL;
        c->partial_len = 0;
        pl_sctp_msg_free(m);
        *m = (pl_sctp_msg){ .data = all, .len = len, .memory = all };
    }
    *out = (pl_data_event){ .kind = PL_DATA_EVENT_MESSAGE,
                            .channel = c,
                            .binary = binary,
                            .data = m->data,
                            .len = empty ? 0 : m->len,
                            .msg = *m };
    c->stats.messages_received++;
    c->stats.bytes_received += out->len;
    return true;
}

/* Only an open channel has an ear (webrtc-pc 6.4), and only until its handle is given back. */
static bool on_message(pl_data *d, pl_sctp_msg *m, pl_data_event *out)
{
    pl_channel *c = pl_data_find(d, m->sid);
    if (!c || !c->opened) {
        d->stats.bad_messages += !d->over;
        return false;
    }
    if (c->state != PL_CHANNEL_OPEN || c->released)
        return false;
    bool good = true, event = false;
    switch (m->ppid) {
    case PL_PPID_STRING:
    case PL_PPID_BINARY:
    case PL_PPID_STRING_EMPTY:
    case PL_PPID_BINARY_EMPTY: good = event = to_event(c, m, out); break;
    case PL_PPID_STRING_PARTIAL:
    case PL_PPID_BINARY_PARTIAL:
        good = join_partial(c, m);
        if (!good)
            drop_partial(c);
        break;
    default: good = false; break;
    }
    d->stats.bad_messages += !good;
    return event;
}

bool pl_data_take_message(pl_data *d, int64_t now_us, pl_data_event *out)
{
    pl_sctp_msg m;
    if (!pl_sctp_recv(d->sctp, &m))
        return false;
    if (m.ppid == PL_PPID_DCEP)
        on_dcep(d, now_us, &m);
    else if (on_message(d, &m, out))
        return true;
    pl_sctp_msg_free(&m);
    return false;
}

/* --- resets and the end --- */

static void finish_if_both(pl_channel *c)
{
    if (c->reset_in && c->reset_out)
        pl_channel_finish(c, PL_OK);
}

static void on_reset_in(pl_data *d, int64_t now_us, uint16_t sid)
{
    pl_channel *c = pl_data_find(d, sid);
    if (!c || c->reset_in)
        return;
    c->reset_in = true;
    if (c->state == PL_CHANNEL_OPEN) {
        c->state = PL_CHANNEL_CLOSING;
        pl_data_tell(c, PL_TELL_CLOSING);
    }
    if (!c->opened) {
        pl_channel_finish(c, PL_OK);
        return;
    }
    if (c->reset_asked)
        finish_if_both(c);
    else
        pl_channel_reset(c, now_us);
}

static void on_reset_out(pl_data *d, const pl_sctp_event *e)
{
    pl_channel *c = pl_data_find(d, e->sid);
    if (!c || !c->reset_asked)
        return;
    c->reset_out = true;
    if (e->error != PL_OK)
        pl_channel_finish(c, e->error);
    else
        finish_if_both(c);
}

static void on_connected(pl_data *d, int64_t now_us)
{
    pl_sctp_stats stats;
    pl_sctp_get_stats(d->sctp, &stats);
    d->n_ids = stats.streams_out < stats.streams_in ? stats.streams_out : stats.streams_in;
    d->connected = true;
    d->tells |= PL_TELL_CONNECTED;
    PL_EACH (n, &d->all) {
        pl_channel *c = pl_of(n, pl_channel, in_all);
        if (c->state != PL_CHANNEL_CONNECTING || c->id < 0)
            continue;
        if (c->id >= pl_data_max_channels(d))
            pl_channel_finish(c, PL_ENOSPC); /* the peer has not so many streams */
        else
            pl_channel_begin(c, now_us);
    }
}

static void on_writable(pl_data *d, int64_t now_us)
{
    d->tells |= PL_TELL_WRITABLE;
    PL_EACH (n, &d->owing) {
        pl_channel_begin(pl_of(n, pl_channel, in_owing), now_us);
    }
}

void pl_data_all_over(pl_data *d, pl_err error, const char *reason)
{
    if (d->over)
        return;
    d->over = true;
    d->connected = false;
    d->error = error;
    snprintf(d->reason, sizeof d->reason, "%s", reason);
    PL_EACH (n, &d->all) {
        pl_channel_finish(pl_of(n, pl_channel, in_all), error);
    }
    if (!d->closed_by_us)
        d->tells |= PL_TELL_FAILED;
}

static void on_event(pl_data *d, int64_t now_us, const pl_sctp_event *e)
{
    pl_channel *c;
    switch (e->kind) {
    case PL_SCTP_EVENT_CONNECTED: on_connected(d, now_us); break;
    case PL_SCTP_EVENT_RESTARTED: /* its channels are gone, and ours with them: RFC 8831 knows no way back */
        pl_sctp_abort(d->sctp, now_us, "association restarted");
        break;
    case PL_SCTP_EVENT_CLOSED: pl_data_all_over(d, e->error, e->reason); break;
    case PL_SCTP_EVENT_RESET_IN: on_reset_in(d, now_us, e->sid); break;
    case PL_SCTP_EVENT_RESET_OUT: on_reset_out(d, e); break;
    case PL_SCTP_EVENT_BUFFERED_LOW:
        c = pl_data_find(d, e->sid);
        if (c && c->state == PL_CHANNEL_OPEN)
            pl_data_tell(c, PL_TELL_LOW);
        break;
    case PL_SCTP_EVENT_WRITABLE: on_writable(d, now_us); break;
    case PL_SCTP_EVENT_STREAMS: break; /* channels ask for all they may have at once */
    }
}

void pl_data_pump(pl_data *d, int64_t now_us)
{
    pl_sctp_event e;
    const pl_sctp_msg *m;
    pl_data_event none;
    if (!d->sctp)
        return;
    while (pl_sctp_poll_event(d->sctp, &e))
        on_event(d, now_us, &e);
    while ((m = pl_sctp_peek(d->sctp)) && m->ppid == PL_PPID_DCEP)
        (void)pl_data_take_message(d, now_us, &none);
}
