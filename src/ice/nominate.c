/* Which of the valid pairs carries the data (RFC 8445 8). The controlling side nominates once, as soon as
 * nothing better can be expected; the controlled side follows, also a peer that nominates again and again
 * (RFC 5245 8.1.1.2). */
#include "ice/agent_internal.h"

#define GRACE_MIN_US PL_MS(20)
#define RENOMINATED_US                                                                                       \
    PL_SEC(3) /* a nomination that was not repeated for so long may give way to a worse pair */

ice_pair *pl_ice_nominated(const ice_session *s)
{
    return s->selected && s->selected->nominated ? s->selected : NULL;
}

static void select_pair(pl_ice *ice, ice_session *s, ice_pair *p)
{
    if (s->selected == p)
        return;
    s->selected = p;
    if (!p)
        return;
    ice->count.selected_changes++;
    pl_ice_consent_start(ice, s);
}

/* Before nomination the best valid pair may carry data already (RFC 8445 12.1). */
static ice_pair *best_valid(const ice_session *s)
{
    PL_EACH (n, &s->pairs) {
        ice_pair *p = pl_of(n, ice_pair, in_pairs);
        if (p->valid)
            return p;
    }
    return NULL;
}

/* Whether a newly nominated pair takes the place of an older one. */
static bool replaces(const pl_ice *ice, const ice_pair *p, const ice_pair *old)
{
    return p->priority > old->priority || ice->now_us - old->nominated_us > RENOMINATED_US;
}

static void nominate(pl_ice *ice, ice_pair *p)
{
    ice_session *s = p->session;
    ice_pair *old = pl_ice_nominated(s);
    p->nominated = true;
    p->use_candidate = p->nominate_on_success = false;
    if (old == p || (old && !replaces(ice, p, old)))
        return;
    select_pair(ice, s, p);
    pl_ice_cancel_checks(ice, s);
    s->grace_at_us = PL_NEVER;
    int64_t took_us = s->started_us == PL_NEVER ? 0 : ice->now_us - s->started_us;
    pl_log_info(&ice->log, "pair %s>%s nominated after %lld ms", pl_ice_type_str(p->local->type),
                pl_ice_type_str(p->remote->type), (long long)(took_us / 1000));
    if (s == ice->cur && ice->prev) { /* the restart has succeeded */
        pl_ice_session_free(ice, ice->prev);
        ice->prev = NULL;
    }
}

void pl_ice_on_valid(pl_ice *ice, ice_pair *p, bool used_candidate)
{
    ice_session *s = p->session;
    p->valid = true;
    if (used_candidate || p->nominate_on_success)
        nominate(ice, p);
    else if (!pl_ice_nominated(s))
        select_pair(ice, s, best_valid(s));
    pl_ice_consider(ice, s);
}

void pl_ice_on_use_candidate(pl_ice *ice, ice_pair *p)
{
    p->nominated_us = ice->now_us;
    if (!p->valid)
        p->nominate_on_success = true;
    else if (pl_ice_nominated(p->session) != p)
        nominate(ice, p);
}

void pl_ice_on_invalid(pl_ice *ice, ice_pair *p)
{
    ice_session *s = p->session;
    p->valid = p->nominated = p->nominate_on_success = false;
    if (s->selected == p)
        s->selected = NULL;
    pl_ice_consider(ice, s);
}

/* ---- when to nominate ---- */

static bool nomination_is_out(const ice_session *s)
{
    PL_EACH (n, &s->pairs)
        if (pl_of(n, ice_pair, in_pairs)->use_candidate)
            return true;
    return false;
}

/* A pair of higher priority may still become valid. */
static bool better_may_come(const ice_session *s, const ice_pair *best)
{
    PL_EACH (n, &s->pairs) {
        const ice_pair *p = pl_of(n, ice_pair, in_pairs);
        if (p == best)
            return false;
        if (pl_ice_pair_is_live(p))
            return true;
    }
    return false;
}

/* No candidate of either side is missing any more. */
static bool all_is_known(const pl_ice *ice, const ice_session *s)
{
    return s->remote_done && s->n_waiting == 0 && ice->gathering == PL_ICE_GATHER_COMPLETE;
}

static bool is_direct(const ice_pair *p)
{
    return p->local->type == PL_ICE_HOST && p->remote->type == PL_ICE_HOST;
}

/* How long better pairs get: their checks went out with this one's, so a few of its round trips. */
static int64_t grace_us(const pl_ice *ice, const ice_pair *p)
{
    return pl_min_us(pl_max_us(3 * p->rtt_us, GRACE_MIN_US), ice->conf.grace_us);
}

static bool may_nominate(const pl_ice *ice, const ice_session *s)
{
    return s == ice->cur && ice->controlling && !ice->conf.lite && !ice->closed && !s->lost &&
           !pl_ice_nominated(s) && !nomination_is_out(s);
}

void pl_ice_consider(pl_ice *ice, ice_session *s)
{
    if (!s->selected)
        select_pair(ice, s, best_valid(s));
    ice_pair *best = may_nominate(ice, s) ? best_valid(s) : NULL;
    if (!best) {
        s->grace_at_us = PL_NEVER;
        return;
    }
    if (s->grace_at_us == PL_NEVER)
        s->grace_at_us = ice->now_us + grace_us(ice, best);
    bool final = !better_may_come(s, best) && (all_is_known(ice, s) || is_direct(best));
    if (!final && ice->now_us < s->grace_at_us)
        return;
    s->grace_at_us = PL_NEVER;
    best->use_candidate = true;
    pl_ice_trigger(ice, best);
}
