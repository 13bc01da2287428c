/* Pairs beside the selected one. The controlling side keeps a few valid ones alive with a check every consent interval:
 * when the selected pair falls silent another takes over at once, and one that is much faster for a while does too. When
 * nothing is left every pair gets another chance. */
#include "ice/agent_internal.h"

enum { KEPT_MAX = 3, KEPT_PER_BASE = 2, FASTER_TIMES = 3 };
#define FASTER_US  PL_MS(10) /* a move is not worth less */
#define STALE_US   PL_SEC(30)
#define MISSED_US  PL_SEC(20) /* between two tries of a better pair that was lost */
#define UNHEARD_US PL_MS(100) /* while the peer is busy elsewhere the selected pair is doubtful */

static bool compares(const pl_ice *ice, const ice_session *s)
{
    return s == ice->cur && ice->controlling && !ice->conf.lite && !ice->closed && pl_ice_nominated(s);
}

/* ---- which are kept ---- */

void pl_ice_keep_start(pl_ice *ice, ice_session *s)
{
    uint32_t n_kept = 0;
    PL_EACH (n, &s->pairs) {
        ice_pair *p = pl_of(n, ice_pair, in_pairs);
        uint32_t of_base = 0;
        for (pl_node *k = s->pairs.next; k != n; k = k->next)
            of_base +=
                pl_of(k, ice_pair, in_pairs)->base == p->base && pl_of(k, ice_pair, in_pairs)->keep_at_us;
        bool keep = p->valid && p != s->selected && n_kept < KEPT_MAX && of_base < KEPT_PER_BASE;
        n_kept += keep;
        if (!keep)
            p->keep_at_us = 0;
        else if (!p->keep_at_us)
            p->keep_at_us = pl_ice_consent_interval_us(ice);
        p->n_faster = 0;
    }
}

/* ---- in bad times ---- */

void pl_ice_look_around(pl_ice *ice, ice_session *s)
{
    if (s != ice->cur || ice->conf.lite)
        return;
    pl_ice_gather_ask_again(ice, true);
    PL_EACH (n, &s->pairs) {
        ice_pair *p = pl_of(n, ice_pair, in_pairs);
        p->parked = false;
        p->n_checks = 0;
        if (p == s->selected)
            continue;
        if (!p->valid && (p->state == PL_ICE_PAIR_FAILED || p->state == PL_ICE_PAIR_SUCCEEDED))
            pl_ice_pair_enter(ice, p, PL_ICE_PAIR_WAITING, "another chance");
        if (p->valid)
            pl_ice_trigger(ice, p);
    }
}

/* The best that has answered since the selected one does not. */
static ice_pair *proven(const ice_session *s)
{
    PL_EACH (n, &s->pairs) {
        ice_pair *p = pl_of(n, ice_pair, in_pairs);
        if (p != s->selected && p->valid && p->answered_us >= s->asked_us)
            return p;
    }
    return NULL;
}

static void doubt(pl_ice *ice, ice_session *s)
{
    if (ice->now_us < pl_ice_consent_weak_at_us(s) || s != ice->cur)
        return;
    if (!s->looked) {
        s->looked = true;
        pl_log_info(&ice->log, "the selected pair is silent");
        pl_ice_relay_probe(ice, s->selected);
        pl_ice_look_around(ice, s);
    }
    ice_pair *p = ice->controlling && !ice->conf.lite && !ice->closed && s->established ? proven(s) : NULL;
    if (p)
        pl_ice_move(ice, p, "the former one is silent");
}

void pl_ice_keep_peer_moves(pl_ice *ice, const ice_pair *p)
{
    ice_session *s = p->session;
    if (s == ice->cur && pl_ice_nominated(s) && !ice->conf.lite && ice->now_us - s->heard_us > UNHEARD_US)
        pl_ice_consent_hurry(ice, s);
}

/* ---- which is better ---- */

/* Faster by much, or more direct and not slower by much: a call that had to leave its direct path comes back to it. */
static bool is_better(const ice_pair *p, const ice_pair *selected)
{
    int64_t gain_us = selected->srtt_us - p->srtt_us;
    if (!p->srtt_us || !selected->srtt_us)
        return false;
    if (pl_ice_rank(p) > pl_ice_rank(selected))
        return gain_us > -selected->srtt_us;
    if (gain_us <= FASTER_US)
        return false;
    bool to_relay = pl_ice_pair_is_relayed(p) && !pl_ice_pair_is_relayed(selected);
    return to_relay ? gain_us > selected->srtt_us / 2 : gain_us > selected->srtt_us / 5;
}

void pl_ice_keep_measured(pl_ice *ice, ice_pair *p)
{
    ice_session *s = p->session;
    if (!compares(ice, s) || p == s->selected || ice->conf.switch_us == PL_NEVER)
        return;
    p->n_faster = is_better(p, s->selected) ? p->n_faster + (p->n_faster < FASTER_TIMES) : 0;
    if (p->n_faster == FASTER_TIMES && ice->now_us - s->moved_us >= ice->conf.switch_us &&
        pl_ice_move(ice, p, "it is better"))
        p->n_faster = 0;
}

/* ---- time ---- */

/* A way that has worked once and is more direct than the selected one. */
static bool is_missed(const ice_pair *p)
{
    const ice_pair *selected = p->session->selected;
    return !p->valid && p->srtt_us && p->state == PL_ICE_PAIR_FAILED &&
           pl_ice_rank(p) > pl_ice_rank(selected);
}

static void try_again(pl_ice *ice, ice_pair *p)
{
    bool due = p->keep_at_us && ice->now_us >= p->keep_at_us;
    if (due || !p->keep_at_us)
        p->keep_at_us = ice->now_us + MISSED_US;
    if (!due)
        return;
    p->n_checks = 0;
    pl_ice_pair_enter(ice, p, PL_ICE_PAIR_WAITING, "it was better");
    pl_ice_trigger(ice, p);
}

static void keep_alive(pl_ice *ice, ice_pair *p)
{
    if (is_missed(p))
        try_again(ice, p);
    if (!p->valid || !p->keep_at_us || ice->now_us < p->keep_at_us)
        return;
    p->keep_at_us = pl_ice_consent_interval_us(ice);
    if (ice->now_us - p->answered_us > STALE_US)
        pl_ice_pair_give_up(ice, p, "no answer any more");
    else
        (void)pl_ice_start_consent(ice, p);
}

void pl_ice_keep_tick(pl_ice *ice, ice_session *s)
{
    if (!s->selected)
        return;
    if (compares(ice, s))
        PL_EACH (n, &s->pairs)
            keep_alive(ice, pl_of(n, ice_pair, in_pairs));
    doubt(ice, s);
}

int64_t pl_ice_keep_next_us(const pl_ice *ice, const ice_session *s)
{
    int64_t next_us = PL_NEVER;
    if (!s->selected)
        return next_us;
    if (compares(ice, s))
        PL_EACH (n, &s->pairs) {
            const ice_pair *p = pl_of(n, ice_pair, in_pairs);
            bool waits = p->keep_at_us && (p->valid || is_missed(p));
            next_us = pl_min_us(next_us, waits ? p->keep_at_us : PL_NEVER);
        }
    if (!s->looked && s == ice->cur)
        next_us = pl_min_us(next_us, pl_ice_consent_weak_at_us(s));
    return next_us;
}
