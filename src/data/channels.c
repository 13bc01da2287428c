#include "data/channels.h"

#include <assert.h>
#include <stdlib.h>

#include "data/channels_internal.h"

pl_err pl_data_new(pl_data **out, const pl_data_conf *conf, int64_t now_us)
{
    pl_data *d = calloc(1, sizeof *d);
    *out = d;
    if (!d)
        return PL_ENOMEM;
    d->conf = *conf;
    d->now_us = now_us;
    if (!d->conf.max_channels)
        d->conf.max_channels = PL_DATA_CHANNELS_MAX;
    if (!d->conf.sctp.send_buffer_max)
        d->conf.sctp.send_buffer_max = PL_DATA_SEND_MAX;
    if (!d->conf.sctp.max_message_size)
        d->conf.sctp.max_message_size = 256 << 10;
    size_t window = d->conf.sctp.recv_buffer_max ? d->conf.sctp.recv_buffer_max : d->conf.sctp.recv_buffer;
    if (d->conf.sctp.max_message_size < PL_DATA_OPEN_MAX && (!window || window >= PL_DATA_OPEN_MAX))
        d->conf.sctp.max_message_size = PL_DATA_OPEN_MAX;
    d->conf.sctp.zero_checksum = true; /* DTLS is always below */
    d->remote_max = PL_DATA_MESSAGE_DEFAULT;
    pl_log_name(&d->log, "data", conf->sctp.log_id);
    pl_list_init(&d->all);
    pl_list_init(&d->noisy);
    pl_list_init(&d->owing);
    pl_list_init(&d->draining);
    return PL_OK;
}

void pl_data_free(pl_data *d)
{
    if (!d)
        return;
    PL_EACH (n, &d->all) {
        pl_channel_destroy(pl_of(n, pl_channel, in_all));
    }
    for (size_t i = 0; i < d->n_pages; i++)
        free(d->page[i]);
    free(d->page);
    pl_sctp_free(d->sctp);
    free(d);
}

/* --- channels by id --- */

pl_channel *pl_data_find(const pl_data *d, uint16_t id)
{
    size_t p = id / PL_CHANNEL_PAGE;
    return p < d->n_pages && d->page[p] ? d->page[p]->at[id % PL_CHANNEL_PAGE] : NULL;
}

static bool grow(pl_data *d, size_t n_pages)
{
    if (n_pages <= d->n_pages)
        return true;
    pl_channel_page **page = realloc(d->page, n_pages * sizeof(pl_channel_page *));
    if (!page)
        return false;
    memset(page + d->n_pages, 0, (n_pages - d->n_pages) * sizeof(pl_channel_page *));
    d->page = page;
    d->n_pages = n_pages;
    return true;
}

pl_err pl_data_enter(pl_data *d, pl_channel *c, uint16_t id)
{
    size_t p = id / PL_CHANNEL_PAGE;
    if (!grow(d, p + 1))
        return PL_ENOMEM;
    if (!d->page[p] && !(d->page[p] = calloc(1, sizeof(pl_channel_page))))
        return PL_ENOMEM;
    assert(!d->page[p]->at[id % PL_CHANNEL_PAGE]);
    d->page[p]->at[id % PL_CHANNEL_PAGE] = c;
    c->id = id;
    c->init.id = id;
    return PL_OK;
}

/* The id stays known to its channel, and is free for another. */
void pl_data_leave(pl_data *d, pl_channel *c)
{
    if (c->id >= 0 && pl_data_find(d, (uint16_t)c->id) == c)
        d->page[c->id / PL_CHANNEL_PAGE]->at[c->id % PL_CHANNEL_PAGE] = NULL;
}

/* --- beginning and end --- */

void pl_data_set_remote(pl_data *d, uint16_t port, uint64_t max_message_size)
{
    d->remote_max = max_message_size;
    d->conf.sctp.remote_port = port;
}

pl_err pl_data_start(pl_data *d, int64_t now_us)
{
    if (d->sctp)
        return PL_OK;
    if (!d->has_role || d->over)
        return PL_ESTATE;
    pl_err err = pl_sctp_new(&d->sctp, &d->conf.sctp, now_us);
    if (err == PL_OK)
        pl_sctp_connect(d->sctp, now_us);
    return err;
}

void pl_data_close(pl_data *d, int64_t now_us)
{
    d->closed_by_us = true;
    if (d->sctp)
        pl_sctp_abort(d->sctp, now_us, "connection closed");
    pl_data_all_over(d, PL_OK, "closed");
}

void pl_data_transport_closed(pl_data *d, int64_t now_us)
{
    if (d->sctp)
        pl_sctp_abort(d->sctp, now_us, "transport closed");
    d->mute = true;
    pl_data_all_over(d, PL_EIO, "transport closed");
}

/* --- the verbs --- */

void pl_data_input(pl_data *d, int64_t now_us, const uint8_t *pkt, size_t len)
{
    if (!d->sctp)
        return; /* a peer that is faster than we are sends its INIT again */
    d->now_us = now_us;
    pl_sctp_input(d->sctp, now_us, pkt, len);
    pl_data_pump(d, now_us);
}

void pl_data_tick(pl_data *d, int64_t now_us)
{
    if (!d->sctp)
        return;
    d->now_us = now_us;
    pl_sctp_tick(d->sctp, now_us);
    pl_data_pump(d, now_us);
}

int64_t pl_data_next_us(const pl_data *d)
{
    return d->sctp && !d->mute ? pl_sctp_next_us(d->sctp) : PL_NEVER;
}

pl_sctp_packet_kind pl_data_last_packet(const pl_data *d)
{
    return d->sctp ? pl_sctp_last_packet(d->sctp) : PL_SCTP_PACKET_PLAIN;
}

void pl_data_path_changed(pl_data *d, int64_t now_us)
{
    if (d->sctp)
        pl_sctp_path_changed(d->sctp, now_us);
}

void pl_data_set_cut(pl_data *d, size_t len)
{
    d->conf.sctp.cut_from = len;
    if (d->sctp)
        pl_sctp_set_cut(d->sctp, len);
}

bool pl_data_poll_output(pl_data *d, int64_t now_us, uint8_t *out, size_t cap, size_t *len)
{
    *len = 0;
    d->now_us = now_us;
    return d->sctp && !d->mute && pl_sctp_poll_output(d->sctp, now_us, out, cap, len);
}

void pl_data_tell(pl_channel *c, unsigned what)
{
    if (c->released)
        return;
    c->tells |= what;
    if (pl_channel_tellable(c) && !pl_node_linked(&c->in_noisy))
        pl_list_push_back(&c->d->noisy, &c->in_noisy);
}

unsigned pl_channel_tellable(const pl_channel *c)
{
    return pl_list_empty(&c->held) ? c->tells : c->tells & ~(unsigned)PL_TELL_BEHIND;
}

static bool tell_channel(pl_data *d, pl_data_event *out)
{
    static const pl_data_event_kind kind[] = { PL_DATA_EVENT_CHANNEL, PL_DATA_EVENT_OPEN,
                                               PL_DATA_EVENT_BUFFERED_LOW, PL_DATA_EVENT_CLOSING,
                                               PL_DATA_EVENT_CLOSED };
    pl_node *n = pl_list_first(&d->noisy);
    if (!n)
        return false;
    pl_channel *c = pl_of(n, pl_channel, in_noisy);
    unsigned i = (unsigned)__builtin_ctz(pl_channel_tellable(c));
    c->tells &= ~(1u << i);
    if (!pl_channel_tellable(c))
        pl_list_remove(n);
    *out = (pl_data_event){ .kind = kind[i],
                            .channel = c,
                            .error = 1u << i == PL_TELL_CLOSED ? c->error : PL_OK };
    return true;
}

static bool tell(pl_data *d, unsigned what, pl_data_event_kind kind, pl_data_event *out)
{
    if (!(d->tells & what))
        return false;
    d->tells &= ~what;
    *out = (pl_data_event){ .kind = kind };
    if (kind == PL_DATA_EVENT_FAILED) {
        out->error = d->error;
        out->reason = d->reason;
    }
    return true;
}

/* Messages or news; a reset of a stream may stand between its messages. */
static bool has_more(pl_data *d)
{
    if (!d->sctp)
        return false;
    if (!pl_sctp_peek(d->sctp))
        pl_data_pump(d, d->now_us);
    return (pl_sctp_peek(d->sctp) && !d->stuck) || !pl_list_empty(&d->noisy);
}

bool pl_data_poll_event(pl_data *d, pl_data_event *out)
{
    *out = (pl_data_event){ 0 };
    do {
        pl_data_pump(d, d->now_us);
        if (tell(d, PL_TELL_CONNECTED, PL_DATA_EVENT_CONNECTED, out) || tell_channel(d, out) ||
            pl_data_take_held(d, out))
            return true;
        if (d->sctp && pl_data_take_message(d, d->now_us, out))
            return true;
    } while (has_more(d));
    return tell(d, PL_TELL_WRITABLE, PL_DATA_EVENT_WRITABLE, out) ||
           tell(d, PL_TELL_FAILED, PL_DATA_EVENT_FAILED, out);
}

void pl_data_event_clear(pl_data_event *e)
{
    pl_sctp_msg_free(&e->msg);
    e->data = NULL;
    e->len = 0;
}

void pl_data_check(const pl_data *d)
{
    size_t n = 0;
    PL_EACH (node, &d->all) {
        const pl_channel *c = pl_of(node, pl_channel, in_all);
        n++;
        assert(c->state == PL_CHANNEL_CLOSED || c->id < 0 || pl_data_find(d, (uint16_t)c->id) == c);
        assert((pl_channel_tellable(c) != 0) == pl_node_linked(&c->in_noisy));
        assert(!pl_node_linked(&c->in_draining) || (!c->paused && !pl_list_empty(&c->held)));
        assert(!c->released || c->tells == 0);
        assert(!d->over || c->state == PL_CHANNEL_CLOSED);
        assert(c->state != PL_CHANNEL_OPEN || c->opened);
    }
    assert(n == d->n_channels);
    if (d->sctp)
        pl_sctp_check(d->sctp);
}

/* --- asking --- */

void pl_data_get_stats(const pl_data *d, pl_data_stats *out)
{
    *out = d->stats;
    out->has_sctp = d->sctp != NULL;
    if (d->sctp)
        pl_sctp_get_stats(d->sctp, &out->sctp);
}

pl_sctp *pl_data_association(const pl_data *d)
{
    return d->sctp;
}

const pl_channel *pl_data_next(const pl_data *d, const pl_channel *c)
{
    const pl_node *n = c ? c->in_all.next : d->all.next;
    return n == &d->all ? NULL : pl_of(n, const pl_channel, in_all);
}

bool pl_data_connected(const pl_data *d)
{
    return d->connected;
}

size_t pl_data_max_message_size(const pl_data *d)
{
    return d->remote_max == 0 || d->remote_max > SIZE_MAX ? SIZE_MAX : (size_t)d->remote_max;
}

uint16_t pl_data_max_channels(const pl_data *d)
{
    return d->n_ids;
}
