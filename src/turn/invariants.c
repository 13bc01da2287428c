/* pl_turn_check: what is true between any two calls. */
#include <assert.h>

#include "turn/turn_internal.h"

static void check_permit(const pl_turn *t, size_t i)
{
    const turn_permit *p = &t->permits[i];
    unsigned n_asks = 0;
    for (size_t k = 1; k < ASKS_MAX; k++)
        n_asks += t->asks[k].kind == ASK_PERMIT && t->asks[k].permits >> i & 1;
    assert(n_asks == (p->asking ? 1u : 0u));
    assert(p->ip.family == PL_AF_NONE || i < t->n_permits);
    if (p->ip.family == PL_AF_NONE) {
        assert(!p->wanted);
        assert(!p->asking);
        return;
    }
    assert(p->wanted || p->asking);
    assert(p->ip.port == 0);
    assert(p->ip.scope == 0);
    for (size_t k = 0; k < i; k++)
        assert(t->permits[k].ip.family == PL_AF_NONE || !pl_addr_ip_eq(&t->permits[k].ip, &p->ip));
}

static void check_channel(const pl_turn *t, size_t i)
{
    const turn_channel *c = &t->channels[i];
    unsigned n_asks = 0;
    for (size_t k = 1; k < ASKS_MAX; k++)
        n_asks += t->asks[k].kind == ASK_BIND && t->asks[k].channel == i;
    assert(n_asks == (c->asking ? 1u : 0u));
    assert(c->peer.family == PL_AF_NONE || i < t->n_channels);
    if (c->peer.family == PL_AF_NONE) {
        assert(!c->wanted);
        assert(!c->bound);
        assert(!c->asking);
        return;
    }
    assert(c->number >= 0x4000);
    assert(c->number <= 0x4fff);
    assert(c->number % PL_TURN_CHANNELS_MAX == i);
    for (size_t k = 0; k < i; k++)
        assert(t->channels[k].peer.family == PL_AF_NONE || !pl_addr_eq(&t->channels[k].peer, &c->peer));
}

void pl_turn_check(const pl_turn *t)
{
    uint8_t first = t->asks[0].kind;
    assert(first == ASK_NONE || first == ASK_ALLOCATE || first == ASK_REFRESH);
    assert((first == ASK_ALLOCATE) == (t->state == PL_TURN_ALLOCATING));
    assert(first == ASK_REFRESH || (t->state != PL_TURN_MOVING && t->state != PL_TURN_CLOSING));
    for (size_t i = 1; i < ASKS_MAX; i++) {
        assert(t->asks[i].kind == ASK_NONE || t->asks[i].kind == ASK_PERMIT || t->asks[i].kind == ASK_BIND);
        assert(t->asks[i].kind == ASK_NONE || pl_turn_is_up(t));
    }
    assert((t->until_us != PL_NEVER) == pl_turn_is_up(t));
    assert(t->state != PL_TURN_GONE || t->has_end);
    assert(t->n_tried >= 1);
    assert(t->n_tried <= TRIED_MAX);
    assert(t->ticket_len <= PL_TURN_TICKET_MAX);
    for (size_t i = 0; i < PL_TURN_PEERS_MAX; i++)
        check_permit(t, i);
    for (size_t i = 0; i < PL_TURN_CHANNELS_MAX; i++)
        check_channel(t, i);
}
