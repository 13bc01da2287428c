/* The checklist: pairs by falling priority, their states, and which is checked next (RFC 8445 6.1.2, 6.1.4).
 */
#include <assert.h>
#include <stdlib.h>

#include "ice/agent_internal.h"

static const uint8_t pair_may_go[] = {
    [PL_ICE_PAIR_FROZEN] =
        1 << PL_ICE_PAIR_WAITING | 1 << PL_ICE_PAIR_IN_PROGRESS | 1 << PL_ICE_PAIR_SUCCEEDED,
    [PL_ICE_PAIR_WAITING] =
        1 << PL_ICE_PAIR_IN_PROGRESS | 1 << PL_ICE_PAIR_SUCCEEDED | 1 << PL_ICE_PAIR_FAILED,
    [PL_ICE_PAIR_IN_PROGRESS] =
        1 << PL_ICE_PAIR_WAITING | 1 << PL_ICE_PAIR_SUCCEEDED | 1 << PL_ICE_PAIR_FAILED,
    [PL_ICE_PAIR_FAILED] = 1 << PL_ICE_PAIR_WAITING | 1 << PL_ICE_PAIR_SUCCEEDED,
    [PL_ICE_PAIR_SUCCEEDED] = 1 << PL_ICE_PAIR_FAILED | 1 << PL_ICE_PAIR_WAITING,
};

const char *pl_ice_pair_state_str(pl_ice_pair_state s)
{
    static const char *const name[] = { "frozen", "waiting", "in-progress", "failed", "succeeded" };
    return (unsigned)s < 5 ? name[s] : "unknown";
}

/* The only place where a pair's state changes. */
void pl_ice_pair_enter(pl_ice *ice, ice_pair *p, pl_ice_pair_state to, const char *why)
{
    char a[PL_ADDR_TEXT_MAX], b[PL_ADDR_TEXT_MAX];
    if (p->state == to)
        return;
    assert(pair_may_go[p->state] & 1 << to);
    pl_log_debug(&ice->log, "pair %s>%s %s -> %s: %s", pl_log_addr(&p->base->addr, a),
                 pl_log_addr(&p->remote->addr, b), pl_ice_pair_state_str((pl_ice_pair_state)p->state),
                 pl_ice_pair_state_str(to), why);
    p->state = (uint8_t)to;
}

bool pl_ice_pair_is_relayed(const ice_pair *p)
{
    return p->local->type == PL_ICE_RELAY || p->remote->type == PL_ICE_RELAY;
}

pl_path pl_ice_pair_path(const ice_pair *p)
{
    pl_path path = pl_ice_path(p->stream ? &p->stream->local : &p->base->addr, &p->remote->addr);
    path.proto = p->base->proto;
    return path;
}

void pl_ice_pair_give_up(pl_ice *ice, ice_pair *p, const char *why)
{
    pl_ice_drop_txs_of(ice, p, NULL);
    pl_list_remove(&p->in_triggered);
    pl_ice_stream_release(ice, &p->stream);
    p->use_candidate = false;
    if (p->state == PL_ICE_PAIR_FROZEN)
        pl_ice_pair_enter(ice, p, PL_ICE_PAIR_WAITING, why);
    pl_ice_pair_enter(ice, p, PL_ICE_PAIR_FAILED, why);
    pl_ice_on_invalid(ice, p);
}

bool pl_ice_pair_is_live(const ice_pair *p)
{
    return p->state == PL_ICE_PAIR_FROZEN || p->state == PL_ICE_PAIR_WAITING ||
           p->state == PL_ICE_PAIR_IN_PROGRESS;
}

/* ---- order ---- */

static uint64_t priority_of(const pl_ice *ice, const ice_pair *p)
{
    uint32_t ours = p->local->priority, theirs = p->remote->priority;
    return ice->controlling ? pl_ice_pair_priority(ours, theirs) : pl_ice_pair_priority(theirs, ours);
}

static void insert_sorted(ice_session *s, ice_pair *p)
{
    PL_EACH (n, &s->pairs) {
        if (pl_of(n, ice_pair, in_pairs)->priority < p->priority) {
            pl_list_insert_before(n, &p->in_pairs);
            return;
        }
    }
    pl_list_push_back(&s->pairs, &p->in_pairs);
}

/* After a change of role, or when a candidate's priority became known. */
void pl_ice_pair_reprioritise(pl_ice *ice, ice_session *s)
{
    pl_list old;
    pl_list_init(&old);
    PL_EACH (n, &s->pairs) {
        pl_list_remove(n);
        pl_list_push_back(&old, n);
    }
    PL_EACH (n, &old) {
        ice_pair *p = pl_of(n, ice_pair, in_pairs);
        pl_list_remove(n);
        p->priority = priority_of(ice, p);
        insert_sorted(s, p);
    }
}

/* ---- foundations ---- */

/* A peer-reflexive remote candidate has no foundation of its own yet, so it shares none. */
static bool same_foundation(const ice_pair *a, const ice_pair *b)
{
    return a->base->foundation_host == b->base->foundation_host && a->remote->foundation[0] &&
           strcmp(a->remote->foundation, b->remote->foundation) == 0;
}

/* Whether a check of that foundation is due or under way. One that has found no answer for a while tells enough: others
 * need not wait until its last retransmission. */
static bool foundation_is_busy(const pl_ice *ice, const ice_pair *p)
{
    PL_EACH (n, &p->session->pairs) {
        const ice_pair *q = pl_of(n, ice_pair, in_pairs);
        bool busy = q->state == PL_ICE_PAIR_WAITING || (q->state == PL_ICE_PAIR_IN_PROGRESS &&
                                                        ice->now_us < q->first_check_us + ICE_FOUNDATION_US);
        if (q != p && busy && !q->parked && same_foundation(p, q))
            return true;
    }
    return false;
}

/* RFC 8445 7.2.5.3.3: what has worked once is likely to work again. */
void pl_ice_unfreeze_like(pl_ice *ice, const ice_pair *p)
{
    PL_EACH (n, &p->session->pairs) {
        ice_pair *q = pl_of(n, ice_pair, in_pairs);
        if (q->state == PL_ICE_PAIR_FROZEN && same_foundation(p, q))
            pl_ice_pair_enter(ice, q, PL_ICE_PAIR_WAITING, "its foundation has worked");
    }
}

/* ---- formation ---- */

static bool fits(const pl_ice *ice, const ice_base *base, const ice_remote *r)
{
    if (ice->conf.relay_only && base->type != PL_ICE_RELAY)
        return false;
    if (base->addr.family != r->addr.family || base->proto != r->proto)
        return false;
    /* RFC 8445 6.1.2.2: IPv6 link-local addresses pair with their like only. */
    return base->addr.family != PL_AF_IP6 ||
           pl_addr_is_link_local(&base->addr) == pl_addr_is_link_local(&r->addr);
}

ice_pair *pl_ice_pair_find(const ice_session *s, const ice_base *base, const ice_remote *r)
{
    PL_EACH (n, &s->pairs) {
        ice_pair *p = pl_of(n, ice_pair, in_pairs);
        if (p->base == base && p->remote == r)
            return p;
    }
    return NULL;
}

/* RFC 8445 6.1.2.5: at the limit the worst pair that nothing depends on gives way to a better one. */
static bool make_room(pl_ice *ice, ice_session *s, uint64_t priority)
{
    if (s->n_pairs < ice->conf.pairs_max)
        return true;
    for (pl_node *n = s->pairs.prev; n != &s->pairs; n = n->prev) {
        ice_pair *worst = pl_of(n, ice_pair, in_pairs);
        if (worst->priority >= priority)
            return false;
        if (worst->valid || worst == s->selected || worst->state == PL_ICE_PAIR_IN_PROGRESS)
            continue;
        pl_ice_pair_free(ice, worst);
        return true;
    }
    return false;
}

ice_pair *pl_ice_pair_new(pl_ice *ice, ice_session *s, ice_base *base, ice_remote *r)
{
    ice_local *own = pl_ice_local_find(ice, base, &base->addr);
    if (!fits(ice, base, r) || !own)
        return NULL;
    ice_pair draft = { .session = s, .base = base, .local = own, .remote = r };
    draft.priority = priority_of(ice, &draft);
    ice_pair *p = make_room(ice, s, draft.priority) ? malloc(sizeof *p) : NULL;
    if (!p)
        return NULL;
    *p = draft;
    p->id = ice->next_id++;
    p->parked = base->proto == PL_TCP && pl_ice_nominated(s) && s->selected->base->proto == PL_UDP;
    s->n_pairs++;
    insert_sorted(s, p);
    s->failed = false;
    pl_ice_relay_permit(ice, base, &r->addr);
    if (!foundation_is_busy(ice, p))
        pl_ice_pair_enter(ice, p, PL_ICE_PAIR_WAITING, "first of its foundation");
    return p;
}

/* Two lite agents check nothing: the best pair of addresses is used (RFC 8445 8.2). */
static void settle_without_checks(pl_ice *ice, ice_pair *p)
{
    pl_ice_pair_enter(ice, p, PL_ICE_PAIR_SUCCEEDED, "both sides are lite");
    pl_ice_on_valid(ice, p, true);
}

/* RFC 6544 6.2. Who listens forms no pair: it comes with the connection. */
static bool may_connect(const ice_base *base, const ice_remote *r)
{
    return base->proto == PL_UDP ||
           (base->tcptype == PL_ICE_TCPTYPE_ACTIVE && r->tcptype == PL_ICE_TCPTYPE_PASSIVE) ||
           (base->tcptype == PL_ICE_TCPTYPE_SO && r->tcptype == PL_ICE_TCPTYPE_SO);
}

static void pair_up(pl_ice *ice, ice_session *s, ice_base *base, ice_remote *r)
{
    if (pl_ice_pair_find(s, base, r) || !may_connect(base, r))
        return;
    ice_pair *p = pl_ice_pair_new(ice, s, base, r);
    if (p && ice->conf.lite && s->remote_lite && !s->lost)
        settle_without_checks(ice, p);
}

void pl_ice_pair_remote(pl_ice *ice, ice_session *s, ice_remote *r)
{
    PL_EACH (n, &ice->bases)
        pair_up(ice, s, pl_of(n, ice_base, in_bases), r);
}

void pl_ice_pair_base(pl_ice *ice, ice_session *s, ice_base *base)
{
    PL_EACH (n, &s->remotes)
        pair_up(ice, s, base, pl_of(n, ice_remote, in_remotes));
}

void pl_ice_pair_free(pl_ice *ice, ice_pair *p)
{
    ice_session *s = p->session;
    pl_ice_drop_txs_of(ice, p, NULL);
    pl_ice_stream_release(ice, &p->stream);
    pl_list_remove(&p->in_pairs);
    pl_list_remove(&p->in_triggered);
    s->n_pairs--;
    if (s->selected == p)
        s->selected = NULL;
    free(p);
}

/* ---- what is next ---- */

void pl_ice_trigger(pl_ice *ice, ice_pair *p)
{
    if (ice->conf.lite || pl_node_linked(&p->in_triggered))
        return;
    p->session->failed = false;
    pl_list_push_back(&p->session->triggered, &p->in_triggered);
}

/* RFC 8445 6.1.4.2: the best waiting pair; with none waiting, the best frozen one whose foundation is idle.
 */
ice_pair *pl_ice_next_ordinary(const pl_ice *ice, const ice_session *s)
{
    if (ice->conf.lite)
        return NULL;
    PL_EACH (n, &s->pairs) {
        ice_pair *p = pl_of(n, ice_pair, in_pairs);
        if (p->state == PL_ICE_PAIR_WAITING && !p->parked && p->hold_us <= ice->now_us &&
            !pl_node_linked(&p->in_triggered))
            return p;
    }
    PL_EACH (n, &s->pairs) {
        ice_pair *p = pl_of(n, ice_pair, in_pairs);
        if (p->state == PL_ICE_PAIR_FROZEN && !p->parked && !foundation_is_busy(ice, p))
            return p;
    }
    return NULL;
}

/* When a pair that waits for something else than its turn may be checked: a permission, or another of its foundation. */
int64_t pl_ice_held_until_us(const pl_ice *ice, const ice_session *s)
{
    int64_t at_us = PL_NEVER;
    PL_EACH (n, &s->pairs) {
        const ice_pair *p = pl_of(n, ice_pair, in_pairs);
        if (p->state == PL_ICE_PAIR_WAITING && !p->parked && p->hold_us > ice->now_us)
            at_us = pl_min_us(at_us, p->hold_us);
        int64_t enough_us = p->first_check_us + ICE_FOUNDATION_US;
        if (p->state == PL_ICE_PAIR_IN_PROGRESS && enough_us > ice->now_us)
            at_us = pl_min_us(at_us, enough_us);
    }
    return at_us;
}

/* Between private addresses nothing stands that the peer has to open first. */
bool pl_ice_pair_is_far(const ice_pair *p)
{
    return p->base->proto == PL_UDP && !pl_addr_is_private(&p->remote->addr) &&
           !pl_addr_is_link_local(&p->remote->addr) && !pl_addr_is_loopback(&p->remote->addr);
}

/* RFC 8445 14.3 allows no retransmission before 500 ms, but the first packet often meets a NAT that the peer's own has
 * not opened yet. So while nothing is nominated a pair gets a few checks anew, each a transaction of its own, paced like
 * all others and after them. */
int64_t pl_ice_next_again_us(const pl_ice *ice, const ice_session *s, ice_pair **first)
{
    int64_t first_us = PL_NEVER;
    *first = NULL;
    if (ice->conf.lite || pl_ice_nominated(s))
        return PL_NEVER;
    PL_EACH (n, &s->pairs) {
        ice_pair *p = pl_of(n, ice_pair, in_pairs);
        if (p->state != PL_ICE_PAIR_IN_PROGRESS || !pl_ice_pair_is_far(p) || p->n_checks > ICE_AGAIN_MAX ||
            pl_node_linked(&p->in_triggered))
            continue;
        unsigned n_doublings = p->n_checks > ICE_AGAIN_EVEN ? p->n_checks - ICE_AGAIN_EVEN : 0;
        int64_t wait_us =
            pl_ice_pair_is_relayed(p) ? ICE_AGAIN_RELAYED_US : ICE_AGAIN_US; /* direct ones wait_us */
        int64_t at_us = p->last_check_us + (wait_us << n_doublings);
        if (at_us < first_us) {
            first_us = at_us;
            *first = p;
        }
    }
    return first_us;
}
