/* One channel's life: made, opened, closed (webrtc-pc 6.2, RFC 8831 6.5 to 6.7, RFC 8832 6). */
#include <assert.h>
#include <stdlib.h>

#include "data/channels_internal.h"

enum { PRIORITY_NORMAL = 256 };

pl_channel *pl_channel_make(pl_data *d, pl_str label, pl_str protocol, const pl_data_channel_init *init)
{
    pl_channel *c = calloc(1, sizeof *c);
    char *text = malloc(label.n + protocol.n + 2); /* both, each with its zero */
    if (!c || !text) {
        free(c);
        free(text);
        return NULL;
    }
    if (label.n > 0)
        memcpy(text, label.p, label.n);
    text[label.n] = 0;
    if (protocol.n > 0)
        memcpy(text + label.n + 1, protocol.p, protocol.n);
    text[label.n + 1 + protocol.n] = 0;
    c->d = d;
    c->id = -1;
    c->init = *init;
    c->label = text;
    c->label_len = label.n;
    c->init.protocol = text + label.n + 1;
    c->init.priority = init->priority ? init->priority : PRIORITY_NORMAL;
    c->pieces = d->conf.pieces;
    pl_list_init(&c->held);
    pl_list_push_back(&d->all, &c->in_all);
    d->n_channels++;
    c->stats.number = ++d->n_made;
    return c;
}

void pl_channel_destroy(pl_channel *c)
{
    pl_data_leave(c->d, c);
    pl_channel_drop_held(c);
    pl_list_remove(&c->in_all);
    pl_list_remove(&c->in_noisy);
    pl_list_remove(&c->in_owing);
    c->d->n_channels--;
    pl_channel_drop_partial(c);
    c->d->names -= c->names;
    free(c->label);
    free(c);
}

static bool legal(const pl_data_channel_init *in, pl_str label, pl_str protocol)
{
    return label.n <= PL_DATA_LABEL_MAX && protocol.n <= PL_DATA_LABEL_MAX &&
           pl_utf8_valid(label.p, label.n) && pl_utf8_valid(protocol.p, protocol.n) &&
           !(in->has_max_packet_life_time && in->has_max_retransmits) &&
           (!in->negotiated || in->id < PL_DATA_CHANNELS_MAX);
}

/* Ids of our parity, the next after the last one first, so that one just closed is not used again at once. */
static int free_id(pl_data *d)
{
    for (unsigned tries = 0; tries <= PL_DATA_CHANNELS_MAX / 2; tries++) {
        uint16_t id = d->next_id;
        d->next_id = (uint16_t)(id + 2 >= PL_DATA_CHANNELS_MAX ? (d->dtls_client ? 0 : 1) : id + 2);
        if (d->connected && id >= pl_data_max_channels(d))
            continue;
        if (!pl_data_find(d, id))
            return id;
    }
    return -1;
}

/* Errors: PL_ENOSPC, PL_ENOMEM, PL_EINVAL when the id is taken. No role yet: the id comes later. */
static pl_err give_id(pl_channel *c)
{
    pl_data *d = c->d;
    if (c->init.negotiated) {
        bool taken = pl_data_find(d, c->init.id) || (d->connected && c->init.id >= pl_data_max_channels(d));
        return taken ? PL_EINVAL : pl_data_enter(d, c, c->init.id);
    }
    if (!d->has_role)
        return PL_OK;
    int id = free_id(d);
    return id < 0 ? PL_ENOSPC : pl_data_enter(d, c, (uint16_t)id);
}

pl_err pl_channel_new(pl_channel **out, pl_data *d, int64_t now_us, const char *label, size_t label_len,
                      const pl_data_channel_init *init, void *user)
{
    *out = NULL;
    pl_str protocol = pl_str_of(init->protocol), name = { label, label_len };
    if (d->over)
        return PL_ESTATE;
    if (!legal(init, name, protocol))
        return PL_EINVAL;
    if (d->n_channels >= d->conf.max_channels)
        return PL_ENOSPC;
    pl_channel *c = pl_channel_make(d, name, protocol, init);
    if (!c)
        return PL_ENOMEM;
    pl_err err = give_id(c);
    if (err != PL_OK) {
        pl_channel_destroy(c);
        return err;
    }
    c->user = user;
    *out = c;
    if (d->connected)
        pl_channel_begin(c, now_us);
    return PL_OK;
}

void pl_data_set_role(pl_data *d, bool dtls_client)
{
    if (d->has_role)
        return;
    d->has_role = true;
    d->dtls_client = dtls_client;
    d->next_id = dtls_client ? 0 : 1;
    PL_EACH (n, &d->all) {
        pl_channel *c = pl_of(n, pl_channel, in_all);
        if (c->id >= 0 || c->state != PL_CHANNEL_CONNECTING)
            continue;
        pl_err err = give_id(c);
        if (err != PL_OK)
            pl_channel_finish(c, err);
    }
}

/* --- opening --- */

static pl_dcep_open parameters(const pl_channel *c)
{
    const pl_data_channel_init *in = &c->init;
    pl_dcep_open o = { .unordered = in->unordered,
                       .priority = in->priority,
                       .label = { c->label, c->label_len },
                       .protocol = pl_str_of(in->protocol) };
    if (in->has_max_retransmits) {
        o.reliability = PL_DCEP_RETRANSMITS;
        o.parameter = in->max_retransmits;
    } else if (in->has_max_packet_life_time) {
        o.reliability = PL_DCEP_LIFETIME;
        o.parameter = in->max_packet_life_time;
    }
    return o;
}

static pl_err send_dcep(pl_channel *c, int64_t now_us, const void *data, size_t len)
{
    static const pl_sctp_send_opts opts = { .uncounted = true };
    return pl_sctp_send(c->d->sctp, now_us, (uint16_t)c->id, PL_PPID_DCEP, data, len, &opts);
}

static pl_err send_open(pl_channel *c, int64_t now_us)
{
    pl_dcep_open o = parameters(c);
    size_t len = PL_DCEP_OPEN_HEADER + o.label.n + o.protocol.n;
    uint8_t *msg = malloc(len);
    if (!msg)
        return PL_ENOMEM;
    pl_wr w = pl_wr_init(msg, len);
    pl_dcep_open_write(&w, &o);
    assert(pl_wr_ok(&w) && pl_wr_len(&w) == len);
    pl_err err = send_dcep(c, now_us, msg, len);
    free(msg);
    return err;
}

static pl_err greet(pl_channel *c, int64_t now_us)
{
    static const uint8_t ack[] = { PL_DCEP_ACK };
    if (c->init.negotiated)
        return PL_OK;
    return c->from_peer ? send_dcep(c, now_us, ack, sizeof ack) : send_open(c, now_us);
}

/* Whatever the stream's last channel had asked for is overwritten. A priority of 0, which an OPEN may carry, is none. */
static pl_err prepare_stream(pl_channel *c)
{
    uint16_t id = (uint16_t)c->id, priority = c->init.priority ? c->init.priority : PRIORITY_NORMAL;
    pl_err err = pl_sctp_set_priority(c->d->sctp, id, priority);
    if (err == PL_OK)
        err = pl_sctp_set_pieces(c->d->sctp, id, c->pieces);
    return err == PL_OK ? pl_sctp_set_buffered_low(c->d->sctp, id, c->low) : err;
}

void pl_channel_set_open(pl_channel *c)
{
    c->opened = true;
    c->settled |= c->init.negotiated || c->from_peer;
    c->state = PL_CHANNEL_OPEN;
    c->d->stats.channels_opened++;
    pl_data_tell(c, PL_TELL_OPEN);
    pl_channel_pause(c, c->paused); /* what came before the ACK could go */
}

/* RFC 8832 6: who opens may send at once, ordered until the ACK is there. An ACK may have to wait until the reset of the
 * stream's last channel is answered (PL_ESTATE). */
void pl_channel_begin(pl_channel *c, int64_t now_us)
{
    pl_err err = prepare_stream(c);
    if (err == PL_OK)
        err = greet(c, now_us);
    bool later = err == PL_EAGAIN || err == PL_ENOMEM || (err == PL_ESTATE && c->from_peer);
    if (later) { /* tried again when there is room */
        if (!pl_node_linked(&c->in_owing))
            pl_list_push_back(&c->d->owing, &c->in_owing);
        return;
    }
    pl_list_remove(&c->in_owing);
    if (err != PL_OK) {
        pl_channel_finish(c, err);
        return;
    }
    pl_channel_set_open(c);
}

/* --- closing --- */

void pl_channel_finish(pl_channel *c, pl_err error)
{
    if (c->state == PL_CHANNEL_CLOSED)
        return;
    if (c->opened)
        c->d->stats.channels_closed++;
    c->state = PL_CHANNEL_CLOSED;
    c->error = error;
    pl_channel_drop_partial(c);
    pl_list_remove(&c->in_owing);
    pl_data_leave(c->d, c);
    if (c->released) {
        pl_channel_destroy(c);
        return;
    }
    pl_data_tell(c, PL_TELL_CLOSED);
    pl_channel_pause(c, c->paused);
}

bool pl_channel_has_stream(const pl_channel *c)
{
    return c->opened || c->from_peer;
}

void pl_channel_reset(pl_channel *c, int64_t now_us)
{
    uint16_t sid = (uint16_t)c->id;
    if (c->reset_asked)
        return;
    c->in_parts = false; /* the reset breaks it off */
    pl_err err = pl_sctp_reset_streams(c->d->sctp, now_us, &sid, 1);
    c->reset_asked = err == PL_OK;
    if (err != PL_OK) /* without RFC 6525 there is no closing but this */
        pl_channel_finish(c, err);
}

void pl_channel_close(pl_channel *c, int64_t now_us)
{
    if (c->state == PL_CHANNEL_CLOSING || c->state == PL_CHANNEL_CLOSED)
        return;
    c->state = PL_CHANNEL_CLOSING;
    pl_channel_drop_partial(c);
    pl_list_remove(&c->in_owing); /* who closes need not greet any more */
    if (pl_channel_has_stream(c))
        pl_channel_reset(c, now_us);
    else
        pl_channel_finish(c, PL_OK);
}

void pl_channel_release(pl_channel *c, int64_t now_us)
{
    if (!c)
        return;
    c->released = true;
    c->tells = 0;
    pl_list_remove(&c->in_noisy);
    pl_channel_drop_held(c);
    if (c->state == PL_CHANNEL_CLOSED)
        pl_channel_destroy(c);
    else
        pl_channel_close(c, now_us); /* frees it when it is done */
}

/* --- asking --- */

void pl_channel_set_user(pl_channel *c, void *user)
{
    c->user = user;
}
void *pl_channel_user(const pl_channel *c)
{
    return c->user;
}
pl_data_channel_state pl_channel_state(const pl_channel *c)
{
    return c->state;
}
int pl_channel_id(const pl_channel *c)
{
    return c->id;
}
const pl_data_channel_init *pl_channel_params(const pl_channel *c)
{
    return &c->init;
}
const char *pl_channel_label(const pl_channel *c, size_t *len)
{
    if (len)
        *len = c->label_len;
    return c->label;
}
void pl_channel_get_stats(const pl_channel *c, pl_channel_stats *out)
{
    *out = c->stats;
}
