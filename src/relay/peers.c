#include "relay/peers.h"

#include <assert.h>
#include <stdlib.h>

#include "relay/relay.h"
#include "stun/stream.h"

enum { PEERS_SHORT = 4, EMPTY = 0 /* in an index; places are stored plus one */ };

/* An index follows its array in the same block: places by IP address behind the permissions; behind the channels
 * places by address, then places by number. Each has twice as many slots as the array. */
static uint16_t *perm_index(const relay_peers *p)
{
    return (uint16_t *)(void *)(p->perm + p->cap_perm);
}

static uint16_t *addr_index(const relay_peers *p)
{
    return (uint16_t *)(void *)(p->chan + p->cap_chan);
}

static uint16_t *number_index(const relay_peers *p)
{
    return addr_index(p) + 2 * p->cap_chan;
}

void relay_peers_clear(relay_peers *p)
{
    free(p->perm);
    free(p->chan);
    *p = (relay_peers){ 0 };
}

static uint64_t hash_addr(uint64_t seed, const pl_addr *a, uint16_t port)
{
    uint64_t w[2];
    memcpy(w, a->ip, 16);
    uint64_t h = (w[0] ^ seed) * UINT64_C(0x9e3779b97f4a7c15);
    h = (h ^ h >> 32 ^ w[1] ^ port) * UINT64_C(0xff51afd7ed558ccd);
    return h ^ h >> 29;
}

static bool same_ip(const pl_addr *a, const pl_addr *b)
{
    uint64_t x[2], y[2];
    memcpy(x, a->ip, 16);
    memcpy(y, b->ip, 16);
    return ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (uint64_t)(a->family ^ b->family)) == 0;
}

static bool same_peer(const pl_addr *a, const pl_addr *b)
{
    return a->port == b->port && same_ip(a, b);
}

relay_perm *relay_peers_perm(const relay_peers *p, uint64_t seed, const pl_addr *ip)
{
    if (p->cap_perm <= PEERS_SHORT) {
        for (int i = 0; i < p->n_perm; i++)
            if (same_ip(&p->perm[i].ip, ip))
                return &p->perm[i];
        return NULL;
    }
    const uint16_t *index = perm_index(p);
    size_t mask = 2u * p->cap_perm - 1;
    for (size_t i = hash_addr(seed, ip, 0) & mask; index[i] != EMPTY; i = (i + 1) & mask)
        if (same_ip(&p->perm[index[i] - 1].ip, ip))
            return &p->perm[index[i] - 1];
    return NULL;
}

relay_chan *relay_peers_chan(const relay_peers *p, uint64_t seed, const pl_addr *peer)
{
    if (p->cap_chan <= PEERS_SHORT) {
        for (int i = 0; i < p->n_chan; i++)
            if (same_peer(&p->chan[i].peer, peer))
                return &p->chan[i];
        return NULL;
    }
    const uint16_t *index = addr_index(p);
    size_t mask = 2u * p->cap_chan - 1;
    for (size_t i = hash_addr(seed, peer, peer->port) & mask; index[i] != EMPTY; i = (i + 1) & mask)
        if (same_peer(&p->chan[index[i] - 1].peer, peer))
            return &p->chan[index[i] - 1];
    return NULL;
}

relay_chan *relay_peers_number(const relay_peers *p, uint16_t number)
{
    if (p->cap_chan <= PEERS_SHORT) {
        for (int i = 0; i < p->n_chan; i++)
            if (p->chan[i].number == number)
                return &p->chan[i];
        return NULL;
    }
    const uint16_t *index = number_index(p);
    size_t mask = 2u * p->cap_chan - 1;
    for (size_t i = number & mask; index[i] != EMPTY; i = (i + 1) & mask)
        if (p->chan[index[i] - 1].number == number)
            return &p->chan[index[i] - 1];
    return NULL;
}

/* ---- changing ---- */

static void enter(uint16_t *index, size_t mask, uint64_t hash, int place)
{
    size_t i = hash & mask;
    while (index[i] != EMPTY)
        i = (i + 1) & mask;
    index[i] = (uint16_t)(place + 1);
}

static void index_perm(relay_peers *p, uint64_t seed, int place)
{
    if (p->cap_perm > PEERS_SHORT)
        enter(perm_index(p), 2u * p->cap_perm - 1, hash_addr(seed, &p->perm[place].ip, 0), place);
}

static void index_chan(relay_peers *p, uint64_t seed, int place)
{
    if (p->cap_chan <= PEERS_SHORT)
        return;
    const relay_chan *c = &p->chan[place];
    enter(addr_index(p), 2u * p->cap_chan - 1, hash_addr(seed, &c->peer, c->peer.port), place);
    enter(number_index(p), 2u * p->cap_chan - 1, c->number, place);
}

static void index_perms(relay_peers *p, uint64_t seed)
{
    if (p->cap_perm > PEERS_SHORT)
        memset(perm_index(p), 0, 2u * p->cap_perm * sizeof(uint16_t));
    for (int i = 0; i < p->n_perm; i++)
        index_perm(p, seed, i);
}

static void index_chans(relay_peers *p, uint64_t seed)
{
    if (p->cap_chan > PEERS_SHORT)
        memset(addr_index(p), 0, 4u * p->cap_chan * sizeof(uint16_t));
    for (int i = 0; i < p->n_chan; i++)
        index_chan(p, seed, i);
}

static void sweep_chans(relay_peers *p, uint64_t seed, int64_t now_us)
{
    int n = 0;
    for (int i = 0; i < p->n_chan; i++)
        if (p->chan[i].until_us > now_us)
            p->chan[n++] = p->chan[i];
    if (n < p->n_chan) {
        p->n_chan = (uint16_t)n;
        index_chans(p, seed);
    }
}

/* Permissions that a channel names stay, since it may be refreshed with the channel. */
static void sweep_perms(relay_peers *p, uint64_t seed, int64_t now_us)
{
    uint16_t moved[PL_RELAY_PERMISSIONS_MAX];
    bool named[PL_RELAY_PERMISSIONS_MAX] = { false };
    sweep_chans(p, seed, now_us);
    for (int i = 0; i < p->n_chan; i++)
        named[p->chan[i].perm] = true;
    int n = 0;
    for (int i = 0; i < p->n_perm; i++) {
        if (p->perm[i].until_us <= now_us && !named[i])
            continue;
        moved[i] = (uint16_t)n;
        p->perm[n++] = p->perm[i];
    }
    if (n == p->n_perm)
        return;
    p->n_perm = (uint16_t)n;
    index_perms(p, seed);
    for (int i = 0; i < p->n_chan; i++)
        p->chan[i].perm = moved[p->chan[i].perm];
}

/* A bigger block for an array of n elements; the index behind it is made anew by the caller. */
static void *bigger(void *array, size_t size, size_t n, size_t cap, size_t index_slots)
{
    char *block = malloc(cap * size + index_slots * sizeof(uint16_t));
    if (block && n)
        memcpy(block, array, n * size);
    if (block)
        free(array);
    return block;
}

static pl_err room_for_perm(relay_peers *p, uint64_t seed, int64_t now_us)
{
    if (p->n_perm < p->cap_perm)
        return PL_OK;
    sweep_perms(p, seed, now_us);
    if (p->n_perm < p->cap_perm)
        return PL_OK;
    if (p->n_perm >= PL_RELAY_PERMISSIONS_MAX)
        return PL_ENOSPC;
    unsigned cap = p->cap_perm ? p->cap_perm * 2u : 1;
    void *block = bigger(p->perm, sizeof *p->perm, p->n_perm, cap, cap > PEERS_SHORT ? 2 * cap : 0);
    if (!block)
        return PL_ENOMEM;
    p->perm = block;
    p->cap_perm = (uint16_t)cap;
    index_perms(p, seed);
    return PL_OK;
}

static pl_err room_for_chan(relay_peers *p, uint64_t seed, int64_t now_us)
{
    if (p->n_chan < p->cap_chan)
        return PL_OK;
    sweep_chans(p, seed, now_us);
    if (p->n_chan < p->cap_chan)
        return PL_OK;
    if (p->n_chan >= PL_RELAY_CHANNELS_MAX)
        return PL_ENOSPC;
    unsigned cap = p->cap_chan ? p->cap_chan * 2u : 1;
    void *block = bigger(p->chan, sizeof *p->chan, p->n_chan, cap, cap > PEERS_SHORT ? 4 * cap : 0);
    if (!block)
        return PL_ENOMEM;
    p->chan = block;
    p->cap_chan = (uint16_t)cap;
    index_chans(p, seed);
    return PL_OK;
}

pl_err relay_peers_permit(relay_peers *p, uint64_t seed, int64_t now_us, const pl_addr *ip, bool own,
                          int64_t until_us, uint16_t *place)
{
    relay_perm *perm = relay_peers_perm(p, seed, ip);
    if (!perm) {
        pl_err err = room_for_perm(p, seed, now_us);
        if (err)
            return err;
        perm = &p->perm[p->n_perm++];
        *perm = (relay_perm){ .ip = *ip };
        perm->ip.port = 0;
        perm->ip.scope = 0;
        index_perm(p, seed, p->n_perm - 1);
    }
    perm->own = own;
    perm->until_us = until_us;
    *place = (uint16_t)(perm - p->perm);
    return PL_OK;
}

pl_err relay_peers_bind(relay_peers *p, uint64_t seed, int64_t now_us, uint16_t number, const pl_addr *peer,
                        uint16_t perm, int64_t until_us)
{
    relay_chan *c = relay_peers_number(p, number);
    if (!c || !same_peer(&c->peer, peer)) {
        /* An expired binding of either half would stand in the way. */
        if (c || relay_peers_chan(p, seed, peer))
            sweep_chans(p, seed, now_us);
        pl_err err = room_for_chan(p, seed, now_us);
        if (err)
            return err;
        c = &p->chan[p->n_chan++];
        *c = (relay_chan){ .peer = *peer, .number = number };
        c->peer.scope = 0;
        index_chan(p, seed, p->n_chan - 1);
    }
    c->perm = perm;
    c->until_us = until_us;
    return PL_OK;
}

void relay_peers_check(const relay_peers *p, uint64_t seed)
{
    assert(p->n_perm <= p->cap_perm && p->cap_perm <= PL_RELAY_PERMISSIONS_MAX);
    assert(p->n_chan <= p->cap_chan && p->cap_chan <= PL_RELAY_CHANNELS_MAX);
    for (int i = 0; i < p->n_perm; i++)
        assert(relay_peers_perm(p, seed, &p->perm[i].ip) == &p->perm[i]);
    for (int i = 0; i < p->n_chan; i++) {
        const relay_chan *c = &p->chan[i];
        assert(c->number >= PL_STUN_CHANNEL_MIN && c->number <= PL_STUN_CHANNEL_MAX);
        assert(relay_peers_chan(p, seed, &c->peer) == c && relay_peers_number(p, c->number) == c);
        assert(c->perm < p->n_perm && same_ip(&p->perm[c->perm].ip, &c->peer));
    }
}
