/* Permissions and channels: who wants them, when they are asked for, when they run out. */
#include "turn/turn_internal.h"

/* An IP address as a permission knows it. */
static pl_addr ip_of(const pl_addr *a)
{
    pl_addr ip = *a;
    ip.port = 0;
    ip.scope = 0;
    return ip;
}

static pl_addr without_scope(const pl_addr *a)
{
    pl_addr peer = *a;
    peer.scope = 0;
    return peer;
}

turn_permit *pl_turn_permit_find(const pl_turn *t, const pl_addr *ip)
{
    pl_addr plain = ip_of(ip);
    for (size_t i = 0; i < t->n_permits; i++)
        if (t->permits[i].ip.family != PL_AF_NONE && pl_addr_eq(&t->permits[i].ip, &plain))
            return (turn_permit *)&t->permits[i];
    return NULL;
}

turn_channel *pl_turn_channel_find(const pl_turn *t, const pl_addr *peer)
{
    pl_addr plain = without_scope(peer);
    const turn_channel *c = &t->channels[t->last_channel];
    if (c->peer.family != PL_AF_NONE && pl_addr_eq(&c->peer, &plain))
        return (turn_channel *)c;
    for (size_t i = 0; i < t->n_channels; i++) {
        c = &t->channels[i];
        if (c->peer.family != PL_AF_NONE && pl_addr_eq(&c->peer, &plain))
            return (turn_channel *)c;
    }
    return NULL;
}

/* Whether peers of that family can be reached, or might be once we are allocated. */
static bool has_family(const pl_turn *t, uint8_t family)
{
    if (family != PL_AF_IP4 && family != PL_AF_IP6)
        return false;
    if (t->state == PL_TURN_ALLOCATING)
        return t->families & (family == PL_AF_IP4 ? PL_TURN_IP4 : PL_TURN_IP6);
    return t->relayed[family == PL_AF_IP6].family != PL_AF_NONE;
}

/* ---- permissions ---- */

void pl_turn_permit_forget(turn_permit *p)
{
    *p = (turn_permit){ .ip.family = PL_AF_NONE, .at_us = PL_NEVER };
}

pl_err pl_turn_permit(pl_turn *t, int64_t now_us, const pl_addr *ip)
{
    t->now_us = now_us;
    if (t->state == PL_TURN_CLOSING || t->state == PL_TURN_GONE)
        return PL_ESTATE;
    if (!has_family(t, ip->family))
        return PL_ENOTSUP;
    turn_permit *p = pl_turn_permit_find(t, ip);
    for (size_t i = 0; i < PL_TURN_PEERS_MAX && !p; i++) {
        if (t->permits[i].ip.family == PL_AF_NONE) {
            p = &t->permits[i];
            *p = (turn_permit){ .ip = ip_of(ip), .at_us = now_us };
            if (i >= t->n_permits)
                t->n_permits = (uint8_t)(i + 1);
        }
    }
    if (!p)
        return PL_ENOSPC;
    if (p->state == PL_TURN_PERMIT_DENIED) {
        p->state = p->told = PL_TURN_PERMIT_NONE;
        p->at_us = now_us;
    }
    p->wanted = true;
    return PL_OK;
}

void pl_turn_unpermit(pl_turn *t, int64_t now_us, const pl_addr *ip)
{
    t->now_us = now_us;
    pl_addr plain = without_scope(ip);
    for (size_t i = 0; i < PL_TURN_CHANNELS_MAX; i++)
        if (t->channels[i].peer.family != PL_AF_NONE && pl_addr_ip_eq(&t->channels[i].peer, &plain))
            t->channels[i].wanted = t->channels[i].untold = false;
    turn_permit *p = pl_turn_permit_find(t, ip);
    if (!p)
        return;
    p->wanted = false;
    if (!p->asking)
        pl_turn_permit_forget(p);
}

pl_turn_permission pl_turn_permission_of(const pl_turn *t, const pl_addr *ip)
{
    const turn_permit *p = pl_turn_permit_find(t, ip);
    return p && p->wanted ? (pl_turn_permission)p->state : PL_TURN_PERMIT_NONE;
}

void pl_turn_on_permitted(pl_turn *t, turn_ask *a)
{
    for (size_t i = 0; i < PL_TURN_PEERS_MAX; i++) {
        turn_permit *p = &t->permits[i];
        if (!(a->permits >> i & 1))
            continue;
        p->state = PL_TURN_PERMIT_STANDS;
        p->alone = false;
        p->until_us = a->tx.sent_us + PERMIT_LIFE_US;
        p->at_us = p->until_us - MARGIN_US;
    }
    pl_turn_ask_done(t, a);
}

/* One refused address refuses all (RFC 8656 10.2), so each is asked for by itself to find the one. */
static void on_permit_refused(pl_turn *t, turn_ask *a, uint16_t code)
{
    bool several = (a->permits & (a->permits - 1)) != 0;
    for (size_t i = 0; i < PL_TURN_PEERS_MAX; i++) {
        turn_permit *p = &t->permits[i];
        if (!(a->permits >> i & 1))
            continue;
        if (several) {
            p->alone = true;
            p->at_us = t->now_us;
        } else {
            p->state = PL_TURN_PERMIT_DENIED;
            p->code = code;
            p->at_us = PL_NEVER;
        }
    }
}

void pl_turn_on_peer_error(pl_turn *t, turn_ask *a, uint16_t code)
{
    if (a->kind == ASK_PERMIT) {
        on_permit_refused(t, a, code);
    } else {
        turn_channel *c = &t->channels[a->channel];
        c->untold = c->wanted;
        c->wanted = false;
        c->code = code;
        c->at_us = PL_NEVER;
    }
    pl_turn_ask_done(t, a);
}

/* The request for this one takes along what is due anyway, or soon. */
static void start_permits(pl_turn *t, turn_permit *first)
{
    turn_ask *a = pl_turn_ask_free(t);
    if (!a)
        return; /* at the next answer */
    *a = (turn_ask){ .kind = ASK_PERMIT };
    unsigned n = 0;
    for (size_t i = 0; i < PL_TURN_PEERS_MAX && n < BATCH_MAX; i++) {
        turn_permit *p = &t->permits[i];
        bool together =
            p->wanted && !p->asking && p->at_us <= t->now_us + TOGETHER_US && !p->alone && !first->alone;
        if (p != first && !together)
            continue;
        a->permits |= UINT64_C(1) << i;
        p->asking = true;
        p->at_us = PL_NEVER;
        n++;
    }
    pl_turn_ask_start(t, a);
}

/* ---- channels ---- */

/* A slot's next number: far from the last one, since neither number nor peer may be bound anew for five minutes after
 * the binding has run out (RFC 8656 12). */
static uint16_t next_number(const turn_channel *c, size_t slot)
{
    if (!c->number)
        return (uint16_t)(0x4000 + slot);
    uint16_t number = (uint16_t)(c->number + PL_TURN_CHANNELS_MAX);
    return number > 0x4fff ? (uint16_t)(0x4000 + slot) : number;
}

pl_err pl_turn_bind(pl_turn *t, int64_t now_us, const pl_addr *peer)
{
    if (!peer->port)
        return PL_EINVAL;
    turn_channel *c = pl_turn_channel_find(t, peer);
    for (size_t i = 0; i < PL_TURN_CHANNELS_MAX && !c; i++)
        if (t->channels[i].peer.family == PL_AF_NONE)
            c = &t->channels[i];
    if (!c)
        return PL_ENOSPC;
    pl_err err = pl_turn_permit(t, now_us, peer);
    if (err)
        return err;
    size_t slot = (size_t)(c - t->channels);
    if (c->peer.family == PL_AF_NONE)
        *c = (turn_channel){ .peer = without_scope(peer), .number = next_number(c, slot) };
    if (slot >= t->n_channels)
        t->n_channels = (uint8_t)(slot + 1);
    if (!c->wanted)
        c->at_us = c->bound ? pl_max_us(c->until_us - MARGIN_US, now_us) : now_us;
    c->wanted = true;
    return PL_OK;
}

void pl_turn_unbind(pl_turn *t, int64_t now_us, const pl_addr *peer)
{
    t->now_us = now_us;
    turn_channel *c = pl_turn_channel_find(t, peer);
    if (c)
        c->wanted = c->untold = false;
}

bool pl_turn_is_bound(const pl_turn *t, const pl_addr *peer)
{
    const turn_channel *c = pl_turn_channel_find(t, peer);
    return c && c->bound;
}

void pl_turn_on_bound(pl_turn *t, turn_ask *a)
{
    turn_channel *c = &t->channels[a->channel];
    c->untold = c->wanted && !c->bound;
    c->bound = true;
    c->code = 0;
    c->until_us = a->tx.sent_us + CHANNEL_LIFE_US;
    c->at_us = c->until_us - MARGIN_US;
    pl_turn_ask_done(t, a);
}

static void start_bind(pl_turn *t, turn_channel *c)
{
    turn_ask *a = pl_turn_ask_free(t);
    if (!a)
        return;
    *a = (turn_ask){ .kind = ASK_BIND, .channel = (uint8_t)(c - t->channels) };
    c->asking = true;
    c->at_us = PL_NEVER;
    pl_turn_ask_start(t, a);
}

/* ---- time ---- */

static void permit_tick(pl_turn *t, turn_permit *p)
{
    if (p->state == PL_TURN_PERMIT_STANDS && p->until_us <= t->now_us) {
        p->state = p->asking ? PL_TURN_PERMIT_ASKED : PL_TURN_PERMIT_NONE;
        p->told = PL_TURN_PERMIT_NONE;
    }
    if (p->at_us == PL_NEVER && !p->asking && p->state != PL_TURN_PERMIT_DENIED)
        p->at_us = t->now_us; /* its request met silence */
    if (p->wanted && !p->asking && p->at_us <= t->now_us)
        start_permits(t, p);
}

static void channel_tick(pl_turn *t, turn_channel *c)
{
    if (c->bound && c->until_us <= t->now_us)
        c->bound = false;
    if (c->wanted && c->at_us == PL_NEVER && !c->asking)
        c->at_us = t->now_us;
    if (c->wanted && !c->asking && c->at_us <= t->now_us)
        start_bind(t, c);
    if (!c->wanted && !c->bound && !c->asking && !c->untold)
        c->peer = (pl_addr){ 0 }; /* its number stays, for the next one */
}

void pl_turn_peers_tick(pl_turn *t)
{
    for (size_t i = 0; i < t->n_permits; i++)
        if (t->permits[i].ip.family != PL_AF_NONE)
            permit_tick(t, &t->permits[i]);
    for (size_t i = 0; i < t->n_channels; i++)
        if (t->channels[i].peer.family != PL_AF_NONE)
            channel_tick(t, &t->channels[i]);
    while (t->n_permits && t->permits[t->n_permits - 1].ip.family == PL_AF_NONE)
        t->n_permits--;
    while (t->n_channels && t->channels[t->n_channels - 1].peer.family == PL_AF_NONE)
        t->n_channels--;
}

int64_t pl_turn_peers_next_us(const pl_turn *t)
{
    int64_t next_us = PL_NEVER;
    bool can_ask = false;
    for (size_t i = 1; i < ASKS_MAX; i++)
        can_ask |= t->asks[i].kind == ASK_NONE;
    for (size_t i = 0; i < t->n_permits; i++) {
        const turn_permit *p = &t->permits[i];
        if (p->ip.family == PL_AF_NONE)
            continue;
        if (p->wanted && !p->asking && can_ask)
            next_us = pl_min_us(next_us, p->at_us);
        if (p->state == PL_TURN_PERMIT_STANDS)
            next_us = pl_min_us(next_us, p->until_us);
    }
    for (size_t i = 0; i < t->n_channels; i++) {
        const turn_channel *c = &t->channels[i];
        if (c->peer.family == PL_AF_NONE)
            continue;
        if (c->wanted && !c->asking && can_ask)
            next_us = pl_min_us(next_us, c->at_us);
        if (c->bound)
            next_us = pl_min_us(next_us, c->until_us);
    }
    return next_us;
}
