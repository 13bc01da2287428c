/* The data path: ChannelData and indications, in the caller's buffers. Nothing here allocates or asks for anything. */
#include <string.h>

#include "stun/stream.h"
#include "turn/turn_internal.h"

enum {
    ATTR_LEN = 4,
    PEER4_LEN = ATTR_LEN + 8,
    PEER6_LEN = ATTR_LEN + 20,
    DATAGRAM_MAX = 65000 /* of a peer: more does not fit behind IP, UDP and our header */
};

/* ---- from the server ---- */

pl_turn_got pl_turn_on_channel_data(pl_turn *t, const uint8_t *pkt, size_t len, pl_turn_data *out)
{
    pl_rd r = pl_rd_init(pkt, len);
    uint16_t number = pl_rd_u16(&r);
    uint16_t n = pl_rd_u16(&r);
    if (!pl_rd_ok(&r) || n > pl_rd_left(&r)) { /* what follows is padding */
        t->count.bad_messages++;
        return PL_TURN_CONTROL;
    }
    const turn_channel *c = &t->channels[number % PL_TURN_CHANNELS_MAX];
    /* The answer to ChannelBind may come behind the first data. */
    if (c->peer.family == PL_AF_NONE || c->number != number || !(c->bound || c->asking) ||
        !pl_turn_is_up(t)) {
        t->count.unknown_data++;
        return PL_TURN_CONTROL;
    }
    t->count.channel_packets_in++;
    *out = (pl_turn_data){ .peer = c->peer, .at = PL_STUN_CHANNEL_HEADER_LEN, .len = n };
    return PL_TURN_DATA;
}

static pl_turn_got on_icmp(pl_turn *t, const pl_stun_msg *m, const pl_addr *peer)
{
    pl_stun_icmp icmp;
    if (pl_stun_get_icmp(m, &icmp)) {
        t->count.bad_messages++;
        return PL_TURN_CONTROL;
    }
    t->tell_icmp = true;
    t->icmp = (pl_turn_event){ .kind = PL_TURN_ICMP,
                               .peer = *peer,
                               .icmp_type = icmp.type,
                               .icmp_code = icmp.code,
                               .icmp_data = icmp.data };
    return PL_TURN_CONTROL;
}

/* RFC 8656 11.4: only from whom we believe to have permitted. */
pl_turn_got pl_turn_on_indication(pl_turn *t, const pl_stun_msg *m, pl_turn_data *out)
{
    pl_addr peer;
    pl_rd value;
    if (pl_stun_get_xor_addr(m, PL_STUN_XOR_PEER_ADDRESS, &peer) || m->n_unknown) {
        t->count.bad_messages++;
        return PL_TURN_CONTROL;
    }
    if (!pl_turn_is_up(t) || (!pl_turn_permit_find(t, &peer) && !pl_turn_channel_find(t, &peer))) {
        t->count.unknown_data++;
        return PL_TURN_CONTROL;
    }
    if (!pl_stun_find(m, PL_STUN_DATA_ATTR, &value))
        return on_icmp(t, m, &peer);
    t->count.indications_in++;
    *out = (pl_turn_data){ .peer = peer, .at = (size_t)(value.p - m->pkt), .len = pl_rd_left(&value) };
    return PL_TURN_DATA;
}

/* ---- to the server ---- */

/* How one datagram grows: a header before it, zeros behind it up to a multiple of four where that must be. */
typedef struct wrapping {
    size_t header_len;
    bool padded;
} wrapping;

static wrapping wrapping_for(const pl_turn *t, const turn_channel *c, const pl_addr *peer)
{
    if (c && c->bound)
        return (wrapping){ PL_STUN_CHANNEL_HEADER_LEN, t->path.proto == PL_TCP };
    size_t peer_len = peer->family == PL_AF_IP6 ? PEER6_LEN : PEER4_LEN;
    return (wrapping){ PL_STUN_HEADER_LEN + peer_len + ATTR_LEN, true };
}

static size_t wrapped_len(wrapping w, size_t len)
{
    return w.header_len + len + (w.padded ? pl_stun_channel_pad(len) : 0);
}

size_t pl_turn_overhead(const pl_turn *t, const pl_addr *peer)
{
    wrapping w = wrapping_for(t, pl_turn_channel_find(t, peer), peer);
    return w.header_len + (w.padded ? 3 : 0);
}

/* Everything of a Send indication up to the data; only transaction id and the two lengths differ in a row. */
static void put_send_header(pl_turn *t, const pl_addr *peer, uint8_t *at, size_t len)
{
    uint8_t id[PL_STUN_ID_LEN];
    pl_rand_bytes(&t->rand, id, sizeof id);
    pl_addr plain = *peer;
    plain.scope = 0;
    size_t header_len = PL_STUN_HEADER_LEN + (peer->family == PL_AF_IP6 ? PEER6_LEN : PEER4_LEN);
    pl_stun_wr s = pl_stun_begin(at, header_len, PL_STUN_INDICATION, PL_STUN_SEND, id);
    pl_stun_put_xor_addr(&s, PL_STUN_XOR_PEER_ADDRESS, &plain);
    size_t body_len = header_len - PL_STUN_HEADER_LEN + ATTR_LEN + len + pl_stun_channel_pad(len);
    pl_put16(at + 2, (uint16_t)body_len);
    pl_put16(at + header_len, PL_STUN_DATA_ATTR);
    pl_put16(at + header_len + 2, (uint16_t)len);
}

static void wrap_one(pl_turn *t, const turn_channel *c, const pl_addr *peer, wrapping w, uint8_t *at,
                     const uint8_t *from, size_t len)
{
    memmove(at + w.header_len, from, len);
    if (w.padded)
        memset(at + w.header_len + len, 0, pl_stun_channel_pad(len));
    if (c && c->bound)
        pl_stun_channel_put(at, c->number, (uint16_t)len);
    else
        put_send_header(t, peer, at, len);
}

static bool may_send(const pl_turn *t, const turn_channel *c, const pl_addr *peer)
{
    if (!pl_turn_is_up(t))
        return false;
    if (c && c->bound)
        return true;
    const turn_permit *p = pl_turn_permit_find(t, peer);
    return p && (p->state == PL_TURN_PERMIT_ASKED || p->state == PL_TURN_PERMIT_STANDS);
}

pl_err pl_turn_wrap(pl_turn *t, int64_t now_us, const pl_addr *peer, pl_dgram *d)
{
    turn_channel *c = pl_turn_channel_find(t, peer);
    if (!may_send(t, c, peer))
        return PL_ESTATE;
    size_t each = d->segment && d->segment < d->len ? d->segment : d->len;
    if (each == 0 || each > DATAGRAM_MAX)
        return PL_EINVAL;
    wrapping w = wrapping_for(t, c, peer);
    size_t n = (d->len + each - 1) / each, last = d->len - (n - 1) * each;
    size_t wrapped = wrapped_len(w, each), total = (n - 1) * wrapped + wrapped_len(w, last);
    if (total > d->cap)
        return PL_ENOSPC;
    for (size_t i = n; i-- > 0;) /* from the end, since every one moves to where the next one stood */
        wrap_one(t, c, peer, w, d->data + i * wrapped, d->data + i * each, i == n - 1 ? last : each);
    d->len = total;
    d->segment = n > 1 ? wrapped : 0;
    d->path.local = t->path.local;
    d->path.remote = t->path.remote;
    d->path.proto = t->path.proto;
    if (c) {
        t->last_channel = (uint8_t)(c - t->channels);
    }
    *(c && c->bound ? &t->count.channel_packets_out : &t->count.indications_out) += n;
    t->last_sent_us = now_us;
    return PL_OK;
}
