/* What the peer says: DCEP, resets, the association's end. */
#include <stdio.h>

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
    if (d->over) /* it was there already when we closed */
        return;
    pl_channel *old = pl_data_find(d, sid);
    if (old && old->state == PL_CHANNEL_CLOSING && old->reset_in && old->reset_asked)
        pl_channel_finish(old, PL_OK); /* the peer is done with it: its answer to our reset is lost or late */
    if (pl_data_find(d, sid)) {        /* in use: the channel that is there has done nothing wrong */
        d->stats.bad_messages++;
        return;
    }
    bool ours = (sid % 2 == 0) == d->dtls_client;
    if (pl_dcep_open_parse(&open, pl_rd_init(m->data, m->len)) != PL_OK || ours ||
        sid >= pl_data_max_channels(d) || d->n_channels >= d->conf.max_channels ||
        d->names + open.label.n + open.protocol.n > PL_DATA_NAMES_MAX) {
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
    c->names = open.label.n + open.protocol.n;
    d->names += c->names;
    pl_data_tell(c, PL_TELL_CHANNEL);
    pl_channel_begin(c, now_us);
}

void pl_data_on_dcep(pl_data *d, int64_t now_us, const pl_sctp_msg *m)
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
    if (c->state == PL_CHANNEL_CONNECTING && c->from_peer)
        pl_channel_set_open(c); /* its ACK found no room, and its messages are here */
    if (c->state == PL_CHANNEL_OPEN || c->state == PL_CHANNEL_CONNECTING) {
        c->state = PL_CHANNEL_CLOSING;
        pl_data_tell(c, PL_TELL_CLOSING);
    }
    if (!pl_channel_has_stream(c)) {
        pl_channel_finish(c, PL_OK);
        return;
    }
    pl_list_remove(&c->in_owing); /* who closes needs no ACK */
    if (c->reset_asked)
        finish_if_both(c);
    else
        pl_channel_reset(c, now_us);
}

static void on_reset_out(pl_data *d, int64_t now_us, const pl_sctp_event *e)
{
    pl_channel *c = pl_data_find(d, e->sid);
    if (!c)
        return;
    if (!c->reset_asked) { /* its predecessor's, for which it waited to greet */
        if (pl_node_linked(&c->in_owing))
            pl_channel_begin(c, now_us);
        return;
    }
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
    case PL_SCTP_EVENT_RESET_OUT: on_reset_out(d, now_us, e); break;
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
