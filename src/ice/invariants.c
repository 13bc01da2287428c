/* What must hold after every verb. pl_ice_check exists to assert, so it does in release builds too. */
#undef NDEBUG
#include <assert.h>

#include "ice/agent_internal.h"

static void check_session(const pl_ice *ice, const ice_session *s)
{
    uint32_t n_pairs = 0, n_remotes = 0, n_prflx[2] = { 0 }, n_waiting = 0;
    uint64_t above = UINT64_MAX;
    bool selected_listed = s->selected == NULL;
    PL_EACH (n, &s->pairs) {
        const ice_pair *p = pl_of(n, ice_pair, in_pairs);
        assert(p->session == s);
        assert(p->priority <= above);
        assert(!p->valid || p->state == PL_ICE_PAIR_SUCCEEDED);
        assert(p->base == p->local->base);
        assert(pl_ice_base_find(ice, &p->base->addr, p->base->tcptype) == p->base);
        assert(pl_ice_remote_find(s, &p->remote->addr, p->remote->proto) == p->remote);
        assert(p->base->proto == p->remote->proto);
        assert(!p->stream || p->stream->pair == p);
        above = p->priority;
        selected_listed = selected_listed || s->selected == p;
        n_pairs++;
    }
    PL_EACH (n, &s->remotes) {
        n_remotes++;
        const ice_remote *r = pl_of(n, ice_remote, in_remotes);
        n_prflx[r->through_relay] += r->unsignaled;
    }
    PL_EACH (n, &s->waiting)
        n_waiting++;
    assert(selected_listed);
    assert(!s->selected || s->selected->valid);
    assert(!s->selected || !s->lost);
    assert(n_pairs == s->n_pairs && n_pairs <= ice->conf.pairs_max);
    assert(n_remotes == s->n_remotes && n_remotes <= PL_ICE_REMOTES_MAX);
    for (int i = 0; i < 2; i++)
        assert(n_prflx[i] == s->n_prflx[i] && n_prflx[i] <= PL_ICE_PRFLX_MAX);
    assert(n_waiting == s->n_waiting && n_waiting <= PL_ICE_REMOTES_MAX);
    assert(!s->remote_ufrag == !s->remote_pwd);
}

static void check_txs(const pl_ice *ice)
{
    PL_EACH (n, &ice->txs) {
        const ice_tx *tx = pl_of(n, ice_tx, in_txs);
        assert((tx->kind == ICE_TX_GATHER) == (tx->pair == NULL));
        assert(!tx->pair || tx->pair->session == ice->cur || tx->pair->session == ice->prev);
        assert(!tx->pair || tx->pair->base == tx->base);
        assert(pl_ice_base_find(ice, &tx->base->addr, tx->base->tcptype) == tx->base);
    }
}

static void check_turns(const pl_ice *ice)
{
    uint32_t n_turns = 0, n_streams = 0;
    PL_EACH (n, &ice->turns) {
        const ice_turn *t = pl_of(n, ice_turn, in_turns);
        assert(!t->stream || t->stream->turn == t);
        assert((t->core != NULL) == (t->state == ICE_TURN_ALLOCATING || t->state == ICE_TURN_READY));
        assert(!t->base || pl_ice_base_find(ice, &t->base->addr, PL_ICE_TCPTYPE_NONE) == t->base);
        if (t->core)
            pl_turn_check(t->core);
        n_turns++;
    }
    PL_EACH (n, &ice->streams) {
        const ice_stream *s = pl_of(n, ice_stream, in_streams);
        assert(!s->turn || !s->pair);
        assert(s->told || s->turn || s->pair);
        n_streams++;
    }
    assert(n_turns == ice->n_turns && n_turns <= PL_ICE_TURNS_MAX);
    assert(n_streams == ice->n_streams && n_streams <= PL_ICE_STREAMS_MAX);
}

void pl_ice_check(const pl_ice *ice)
{
    uint32_t n_bases = 0, n_relayed = 0, n_locals = 0, n_answers = 0;
    PL_EACH (n, &ice->bases) {
        n_bases++;
        n_relayed += pl_of(n, ice_base, in_bases)->turn != NULL;
    }
    PL_EACH (n, &ice->locals)
        n_locals++;
    PL_EACH (n, &ice->answers)
        n_answers++;
    assert(n_bases == ice->n_bases && n_bases - n_relayed <= PL_ICE_BASES_MAX);
    assert(n_relayed == ice->n_relayed && n_relayed <= ICE_RELAYED_MAX);
    assert(n_locals == ice->n_locals && n_locals <= PL_ICE_LOCALS_MAX);
    assert(n_answers == ice->n_answers && n_answers <= PL_ICE_ANSWERS_MAX);
    check_txs(ice);
    check_turns(ice);
    check_session(ice, ice->cur);
    if (ice->prev)
        check_session(ice, ice->prev);
}
