/* What passes our allocations: permissions and channels for the peer's addresses, checks, and the data of others, which is
 * wrapped and unwrapped in the caller's buffers. */
#include "ice/agent_internal.h"

/* ---- peers ---- */

/* Servers on the internet often refuse private addresses, and then everything asked for with them. So those are asked
 * for last, when a check is due, and the check waits for the answer. */
static bool is_doubtful(const ice_base *b, const pl_addr *peer)
{
    bool near = pl_addr_is_private(peer) || pl_addr_is_link_local(peer) || pl_addr_is_loopback(peer);
    return near && !pl_addr_is_private(&b->addr) && !pl_addr_is_loopback(&b->addr);
}

void pl_ice_relay_permit(pl_ice *ice, const ice_base *b, const pl_addr *peer)
{
    pl_turn *core = b->turn ? b->turn->core : NULL;
    if (core && pl_turn_permission_of(core, peer) == PL_TURN_PERMIT_DENIED)
        pl_turn_unpermit(core, ice->now_us, peer); /* a new pair asks anew: the answer is what ends it, too */
    if (core && !is_doubtful(b, peer))
        (void)!pl_turn_permit(core, ice->now_us, peer);
}

/* Other checks need a permission that is at least asked for: right behind its request they get through. */
bool pl_ice_relay_may_check(pl_ice *ice, const ice_pair *p)
{
    if (!p->base->turn)
        return true;
    pl_turn *core = p->base->turn->core;
    pl_turn_permission is = core ? pl_turn_permission_of(core, &p->remote->addr) : PL_TURN_PERMIT_NONE;
    if (core && is == PL_TURN_PERMIT_NONE)
        (void)!pl_turn_permit(core, ice->now_us, &p->remote->addr);
    return is == PL_TURN_PERMIT_STANDS ||
           (is == PL_TURN_PERMIT_ASKED && !is_doubtful(p->base, &p->remote->addr));
}

bool pl_ice_relay_denies(const ice_pair *p)
{
    const pl_turn *core = p->base->turn ? p->base->turn->core : NULL;
    return core && pl_turn_permission_of(core, &p->remote->addr) == PL_TURN_PERMIT_DENIED;
}

/* The selected pair of a relay gets a channel: 4 bytes a packet instead of 36. */
void pl_ice_relay_bind(pl_ice *ice, const ice_pair *p)
{
    if (p->base->turn && p->base->turn->core)
        (void)!pl_turn_bind(p->base->turn->core, ice->now_us, &p->remote->addr);
}

void pl_ice_relay_unbind(pl_ice *ice, const ice_pair *p)
{
    if (p->base->turn && p->base->turn->core)
        pl_turn_unbind(p->base->turn->core, ice->now_us, &p->remote->addr);
}

/* Consent through this relay is doubtful: is it the relay that is gone? */
void pl_ice_relay_probe(pl_ice *ice, const ice_pair *p)
{
    if (p->base->turn && p->base->turn->core)
        pl_turn_probe(p->base->turn->core, ice->now_us);
}

/* ---- data ---- */

static ice_base *relayed_base(const pl_ice *ice, const ice_turn *t, uint8_t family)
{
    PL_EACH (n, &ice->bases) {
        ice_base *b = pl_of(n, ice_base, in_bases);
        if (b->turn == t && b->addr.family == family)
            return b;
    }
    return NULL;
}

static ice_turn *turn_of(const pl_ice *ice, const pl_path *path)
{
    PL_EACH (n, &ice->turns) {
        ice_turn *t = pl_of(n, ice_turn, in_turns);
        if (t->core && pl_turn_is_path(t->core, path))
            return t;
    }
    return NULL;
}

bool pl_ice_unwrap(pl_ice *ice, int64_t now_us, pl_path *path, uint8_t **pkt, size_t *len)
{
    ice_turn *t = ice->n_turns ? turn_of(ice, path) : NULL;
    pl_turn_data data;
    if (!t)
        return true;
    ice->now_us = now_us;
    pl_turn_got got = pl_turn_input(t->core, now_us, *pkt, *len, &data);
    if (got == PL_TURN_NOT_MINE)
        return true; /* the server's answer to a plain STUN question of ours */
    if (got == PL_TURN_CONTROL) {
        pl_ice_relay_conclude(ice, t);
        pl_ice_update_state(ice);
        return false;
    }
    const ice_base *b = relayed_base(ice, t, data.peer.family);
    if (!b)
        return false;
    *path = (pl_path){ .local = b->addr, .remote = data.peer };
    *pkt += data.at;
    *len = data.len;
    return true;
}

pl_err pl_ice_relay_wrap(pl_ice *ice, const ice_base *b, pl_dgram *d)
{
    pl_addr peer = d->path.remote;
    if (!b->turn)
        return PL_OK;
    return b->turn->core ? pl_turn_wrap(b->turn->core, ice->now_us, &peer, d) : PL_ESTATE;
}

/* Whose relayed address it is; that of the data's path is found first. */
static const ice_base *base_of(const pl_ice *ice, const pl_path *path)
{
    if (!ice->n_relayed || path->proto != PL_UDP)
        return NULL;
    const ice_pair *p = pl_ice_data_pair(ice);
    if (p && pl_addr_eq(&p->base->addr, &path->local))
        return p->base;
    return pl_ice_base_find(ice, &path->local, PL_ICE_TCPTYPE_NONE);
}

pl_err pl_ice_wrap(pl_ice *ice, int64_t now_us, pl_dgram *d)
{
    const ice_base *b = base_of(ice, &d->path);
    if (!b)
        return PL_OK;
    ice->now_us = now_us;
    return pl_ice_relay_wrap(ice, b, d);
}

size_t pl_ice_overhead(const pl_ice *ice, const pl_path *path)
{
    const ice_base *b = base_of(ice, path);
    return b && b->turn && b->turn->core ? pl_turn_overhead(b->turn->core, &path->remote) : 0;
}
