/* CreatePermission and ChannelBind: RFC 8656 10 and 12. */
#include "relay/relay_internal.h"
#include "stun/stream.h"

uint16_t relay_check_peer(const pl_relay *r, const relay_alloc *a, const pl_addr *peer, bool whole, bool *own)
{
    if (!a->port[relay_side(peer->family)])
        return 443;
    pl_relay_verdict verdict = pl_relay_judge(r->policy, peer);
    *own = verdict == PL_RELAY_OWN;
    if (verdict == PL_RELAY_DENIED || (whole && !pl_relay_may_reach(r->policy, peer)))
        return 403;
    return 0;
}

static void succeed(pl_relay *r, const relay_ask *ask)
{
    pl_stun_wr s = relay_answer(r, PL_STUN_SUCCESS, ask);
    relay_answer_end(r, ask, &s);
}

static uint16_t permit(pl_relay *r, relay_alloc *a, const pl_addr *peer, bool own, uint16_t *place)
{
    return relay_peers_permit(&a->peers, r->peers_seed, r->now_us, peer, own,
                              r->now_us + PL_SEC(PL_RELAY_PERMISSION_S), place)
               ? 508
               : 0;
}

/* All addresses are looked at before one is permitted, so a refused request changes nothing. */
static uint16_t permit_all(pl_relay *r, const relay_ask *ask)
{
    pl_addr peer;
    pl_err err;
    bool own = false;
    unsigned n = 0;
    uint16_t place;
    while (!(err = pl_stun_get_xor_addr_nth(ask->m, PL_STUN_XOR_PEER_ADDRESS, n, &peer))) {
        uint16_t code = relay_check_peer(r, ask->alloc, &peer, false, &own);
        if (code)
            return code;
        n++;
    }
    if (err == PL_EPROTO || n == 0)
        return 400;
    for (unsigned i = 0; i < n; i++) {
        if (pl_stun_get_xor_addr_nth(ask->m, PL_STUN_XOR_PEER_ADDRESS, i, &peer))
            return 400;
        (void)relay_check_peer(r, ask->alloc, &peer, false, &own);
        uint16_t code = permit(r, ask->alloc, &peer, own, &place);
        if (code)
            return code;
    }
    r->count.permissions += n;
    return 0;
}

void relay_on_create_permission(pl_relay *r, relay_ask *ask)
{
    uint16_t code = permit_all(r, ask);
    if (code)
        relay_refuse(r, ask, code);
    else
        succeed(r, ask);
}

/* ---- channels ---- */

/* Number and peer are bound to each other, or neither is bound (RFC 8656 12.2). */
static bool may_bind(const pl_relay *r, const relay_alloc *a, uint16_t number, const pl_addr *peer)
{
    const relay_chan *by_number = relay_peers_number(&a->peers, number);
    const relay_chan *by_peer = relay_peers_chan(&a->peers, r->peers_seed, peer);
    if (by_number && by_number->until_us <= r->now_us)
        by_number = NULL;
    if (by_peer && by_peer->until_us <= r->now_us)
        by_peer = NULL;
    return by_number == by_peer;
}

static uint16_t bind_channel(pl_relay *r, const relay_ask *ask)
{
    relay_alloc *a = ask->alloc;
    uint16_t number, place;
    pl_addr peer;
    bool own;
    if (a->tcp || pl_stun_get_u16(ask->m, PL_STUN_CHANNEL_NUMBER, &number) || number < PL_STUN_CHANNEL_MIN ||
        number > PL_STUN_CHANNEL_MAX || pl_stun_get_xor_addr(ask->m, PL_STUN_XOR_PEER_ADDRESS, &peer) ||
        !peer.port)
        return 400;
    uint16_t code = relay_check_peer(r, a, &peer, true, &own);
    if (code)
        return code;
    if (!may_bind(r, a, number, &peer))
        return 400;
    code = permit(r, a, &peer, own, &place);
    if (code)
        return code;
    if (relay_peers_bind(&a->peers, r->peers_seed, r->now_us, number, &peer, place,
                         r->now_us + PL_SEC(PL_RELAY_CHANNEL_S)))
        return 508;
    r->count.channels++;
    return 0;
}

void relay_on_channel_bind(pl_relay *r, relay_ask *ask)
{
    uint16_t code = bind_channel(r, ask);
    if (code)
        relay_refuse(r, ask, code);
    else
        succeed(r, ask);
}
