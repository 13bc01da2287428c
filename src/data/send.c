/* Messages of the application: copied, lent, or in parts (RFC 8831 6.6), with the channel's reliability. */
#include "data/channels_internal.h"

static uint32_t ppid_of(bool binary)
{
    return binary ? PL_PPID_BINARY : PL_PPID_STRING;
}

/* What is left of a lifetime after it waited above: at least a microsecond, after which SCTP gives it up. */
static int64_t lifetime_left(const pl_channel *c, int64_t age_us)
{
    int64_t left_us = PL_MS(c->init.max_packet_life_time) - age_us;
    return left_us > 0 ? left_us : 1;
}

static pl_sctp_send_opts reliability(const pl_channel *c, int64_t age_us)
{
    const pl_data_channel_init *in = &c->init;
    pl_sctp_send_opts o = { .unordered = in->unordered && c->settled };
    if (in->has_max_retransmits) {
        o.limit_retransmits = true;
        o.max_retransmits = in->max_retransmits;
    } else if (in->has_max_packet_life_time) {
        o.lifetime_us = lifetime_left(c, age_us);
    }
    return o;
}

static pl_err may_send(const pl_channel *c, size_t len)
{
    if (c->state != PL_CHANNEL_OPEN || c->in_parts)
        return PL_ESTATE;
    return len > pl_data_max_message_size(c->d) ? PL_EINVAL : PL_OK;
}

static void count(pl_channel *c, size_t len, bool whole)
{
    c->stats.messages_sent += whole;
    c->stats.bytes_sent += len;
}

pl_err pl_channel_send(pl_channel *c, int64_t now_us, const void *data, size_t len, bool binary)
{
    static const uint8_t nothing[1];
    pl_err err = may_send(c, len);
    if (err != PL_OK)
        return err;
    pl_sctp_send_opts o = reliability(c, 0);
    uint32_t ppid = ppid_of(binary);
    if (len == 0) { /* RFC 8831 6.6: one byte that says there is none */
        ppid = binary ? PL_PPID_BINARY_EMPTY : PL_PPID_STRING_EMPTY;
        o.uncounted = true;
    }
    err = pl_sctp_send(c->d->sctp, now_us, (uint16_t)c->id, ppid, len ? data : nothing, len ? len : 1, &o);
    if (err == PL_OK)
        count(c, len, true);
    return err;
}

pl_err pl_channel_send_lent(pl_channel *c, int64_t now_us, const pl_sctp_lent *bytes, bool binary,
                            int64_t age_us)
{
    size_t len = bytes->len; /* bytes may be gone when the call returns */
    pl_err err = may_send(c, len);
    if (err != PL_OK)
        return err;
    pl_sctp_send_opts o = reliability(c, age_us);
    err = pl_sctp_send_lent(c->d->sctp, now_us, (uint16_t)c->id, ppid_of(binary), bytes, &o);
    if (err == PL_OK)
        count(c, len, true);
    return err;
}

pl_err pl_channel_send_part(pl_channel *c, int64_t now_us, const void *data, size_t len, bool last,
                            bool binary)
{
    if (c->state != PL_CHANNEL_OPEN)
        return PL_ESTATE;
    uint64_t so_far = c->in_parts ? c->part_len : 0, max = pl_data_max_message_size(c->d);
    if (len > max || so_far > max - len)
        return PL_EINVAL;
    pl_sctp_send_opts o = reliability(c, 0);
    pl_err err = pl_sctp_send_part(c->d->sctp, now_us, (uint16_t)c->id, ppid_of(binary), data, len, last, &o);
    if (err != PL_OK)
        return err;
    c->part_len = so_far + len;
    c->in_parts = !last;
    count(c, len, last);
    return PL_OK;
}

bool pl_channel_in_parts(const pl_channel *c)
{
    return c->in_parts;
}

size_t pl_channel_buffered_amount(const pl_channel *c)
{
    return c->d->sctp && c->opened && c->id >= 0 ? pl_sctp_buffered(c->d->sctp, (uint16_t)c->id) : 0;
}

void pl_channel_set_buffered_low(pl_channel *c, size_t bytes)
{
    c->low = bytes;
    if (c->opened && c->state != PL_CHANNEL_CLOSED) /* its stream exists, so this finds memory */
        (void)!pl_sctp_set_buffered_low(c->d->sctp, (uint16_t)c->id, bytes);
}
