/* Which of the valid pairs carries the data (RFC 8445 8). The controlling side nominates as soon as nothing better can
 * be expected, and again when its pair dies or a better one comes (keep.c); the controlled side follows, also a peer
 * that nominates again and again (RFC 5245 8.1.1.2). */
#include "ice/agent_internal.h"

#define GRACE_MIN_US   PL_MS(20)
#define RELAY_GRACE_US PL_MS(60) /* what direct pairs get at least while a relayed one is valid */
#define CHANCE_US      PL_MS(5)
#define FRESH_US       PL_SEC(15) /* a pair that was answered so lately is as good as proven */
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
    if (s->selected)
        pl_ice_relay_unbind(ice, s->selected);
    s->selected = p;
    if (!p)
        return;
    pl_ice_relay_bind(ice, p);
    ice->count.selected_changes++;
    pl_ice_consent_start(ice, s);
}

/* Before nomination the best valid pair may carry data already (RFC 8445 12.1). A call that has lost its pair takes one
 * that was heard from lately; others have to prove themselves first. */
static ice_pair *best_valid(const pl_ice *ice, const ice_session *s)
{
    PL_EACH (n, &s->pairs) {
        ice_pair *p = pl_of(n, ice_pair, in_pairs);
        int64_t heard_us = pl_max_us(p->answered_us, p->request_us);
        if (p->valid && (!s->established || ice->conf.lite || ice->now_us - heard_us <= FRESH_US))
            return p;
    }
    return NULL;
}

/* Whether a newly nominated pair takes the place of an older one. */
static bool replaces(const pl_ice *ice, const ice_pair *p, const ice_pair *old)
{
    if (ice->controlling)
        return p->nomination > old->nomination; /* a late answer on the pair we have left changes nothing */
    return p->decisive || p->priority > old->priority || ice->now_us - old->nominated_us > RENOMINATED_US;
}

static void log_nominated(const pl_ice *ice, const ice_session *s, const ice_pair *p)
{
    int64_t took_us = s->started_us == PL_NEVER ? 0 : ice->now_us - s->started_us;
    pl_log_info(&ice->log, "pair %s>%s nominated after %lld ms", pl_ice_type_str(p->local->type),
                pl_ice_type_str(p->remote->type), (long long)(took_us / 1000));
}

static void nominate(pl_ice *ice, ice_pair *p)
{
    ice_session *s = p->session;
    ice_pair *old = pl_ice_nominated(s);
    bool takes = old != p && (!old || replaces(ice, p, old));
    p->nominated = takes || old == p || !ice->controlling;
    p->use_candidate = p->nominate_on_success = p->decisive = false;
    if (!takes)
        return;
    if (old)
        old->nominated = false;
    if (s->established)
        s->moved_us = ice->now_us;
    s->established = true;
    s->grace_at_us = s->alone_us = PL_NEVER;
    select_pair(ice, s, p);
    pl_ice_park(ice, s);
    pl_ice_keep_start(ice, s);
    log_nominated(ice, s, p);
    if (s == ice->cur && ice->prev) { /* the restart has succeeded */
        pl_ice_session_free(ice, ice->prev);
        ice->prev = NULL;
    }
}

/* UDP before TCP before relays: what a call moves to without asking how much faster it is. */
int pl_ice_rank(const ice_pair *p)
{
    return pl_ice_pair_is_relayed(p) ? 0 : p->base->proto == PL_TCP ? 1 : 2;
}

static ice_pair *nomination_out(const ice_session *s)
{
    PL_EACH (n, &s->pairs)
        if (pl_of(n, ice_pair, in_pairs)->use_candidate)
            return pl_of(n, ice_pair, in_pairs);
    return NULL;
}

static bool may_nominate(const pl_ice *ice, const ice_session *s)
{
    return s == ice->cur && ice->controlling && !ice->conf.lite && !ice->closed && !s->lost;
}

static void ask_for(pl_ice *ice, ice_session *s, ice_pair *p)
{
    p->nomination = ++s->n_nominations;
    p->use_candidate = true;
    pl_ice_trigger(ice, p);
}

/* A pair becomes valid when another is nominated already, or is about to be: is it more direct? */
static void join(pl_ice *ice, ice_session *s, ice_pair *p)
{
    const ice_pair *out = nomination_out(s), *best = out ? out : pl_ice_nominated(s);
    if (pl_ice_nominated(s))
        pl_ice_keep_start(ice, s);
    if (best && best != p && pl_ice_rank(p) > pl_ice_rank(best) && may_nominate(ice, s))
        ask_for(ice, s, p);
}

void pl_ice_on_valid(pl_ice *ice, ice_pair *p, bool used_candidate)
{
    ice_session *s = p->session;
    bool is_new = !p->valid;
    p->valid = true;
    if (s->valid_us == PL_NEVER)
        s->valid_us = ice->now_us;
    if (used_candidate || p->nominate_on_success)
        nominate(ice, p);
    else if (!pl_ice_nominated(s))
        select_pair(ice, s, best_valid(ice, s));
    if (is_new)
        join(ice, s, p);
    pl_ice_consider(ice, s);
}

void pl_ice_on_use_candidate(pl_ice *ice, ice_pair *p, uint32_t number)
{
    ice_session *s = p->session;
    if (number < s->their_nomination)
        return; /* an older one, still under way */
    p->nominated_us = ice->now_us;
    if (number > s->their_nomination) {
        s->their_nomination = number;
        p->decisive = true;
    }
    if (!p->valid)
        p->nominate_on_success = true;
    else if (pl_ice_nominated(s) != p)
        nominate(ice, p);
}

void pl_ice_on_invalid(pl_ice *ice, ice_pair *p)
{
    ice_session *s = p->session;
    p->valid = p->nominated = p->nominate_on_success = p->decisive = false;
    p->keep_at_us = 0;
    if (s->selected == p)
        select_pair(ice, s, NULL);
    pl_ice_consider(ice, s);
}

/* ---- when to nominate ---- */

/* No candidate of either side is missing any more. */
static bool all_is_known(const pl_ice *ice, const ice_session *s)
{
    return s->remote_done && s->n_waiting == 0 && ice->gathering == PL_ICE_GATHER_COMPLETE;
}

/* Who trickles tells its host and reflexive addresses long before its relays, so a direct pair misses nothing but names
 * that are still looked up, or everything, when only the peer's checks are known. */
static bool enough_is_known(const pl_ice *ice, const ice_session *s, const ice_pair *best)
{
    if (pl_ice_pair_is_relayed(best))
        return all_is_known(ice, s);
    return s->n_waiting == 0 && (s->remote_done || s->n_remotes > s->n_prflx[0] + s->n_prflx[1]);
}

static int64_t clamp_us(int64_t v, int64_t low, int64_t high)
{
    return pl_min_us(pl_max_us(v, low), high);
}

/* The longest wait: a few round trips. A relayed pair's counts from when the direct ones could begin: theirs may be lost
 * once at a NAT that was still closed. */
static int64_t last_call_us(const pl_ice *ice, const ice_session *s, const ice_pair *best)
{
    int64_t most_us = ice->conf.grace_us;
    if (!pl_ice_pair_is_relayed(best))
        return s->valid_us + clamp_us(3 * best->rtt_us, GRACE_MIN_US, most_us);
    if (s->n_waiting) /* names of hosts that may be next door */
        return s->valid_us + most_us;
    int64_t at_us = s->news_us + clamp_us(3 * best->rtt_us + best->rtt_us / 4, RELAY_GRACE_US, most_us);
    return clamp_us(at_us, s->valid_us, s->valid_us + most_us);
}

/* When a pair of higher priority has had its chance: one whose check has been out for half as long again as the valid
 * pair's took is hardly faster, and a local network is always faster than the way around it. Should it come
 * nevertheless, the call can still move. */
static int64_t chance_over_us(const ice_pair *p, const ice_pair *best, int64_t last_us)
{
    bool more_direct = pl_ice_rank(p) > pl_ice_rank(best);
    if (p->state != PL_ICE_PAIR_IN_PROGRESS || !p->first_check_us || more_direct)
        return last_us;
    int64_t more_us = pl_ice_pair_is_far(p) ? best->rtt_us / 2 : 0;
    return p->first_check_us + best->rtt_us + pl_max_us(more_us, CHANCE_US);
}

static int64_t nominate_at_us(const pl_ice *ice, const ice_session *s, const ice_pair *best)
{
    if (s->established)
        return ice->now_us;
    int64_t last_us = last_call_us(ice, s, best), at_us = ice->now_us;
    if (!enough_is_known(ice, s, best))
        return last_us;
    PL_EACH (n, &s->pairs) {
        const ice_pair *p = pl_of(n, ice_pair, in_pairs);
        if (p == best)
            break;
        if (pl_ice_pair_is_live(p))
            at_us = pl_max_us(at_us, chance_over_us(p, best, last_us));
    }
    return pl_min_us(at_us, last_us);
}

/* The pair that took over from a lost one is to be nominated, and is silent itself. */
static void give_up_silent(pl_ice *ice, const ice_session *s)
{
    ice_pair *out = nomination_out(s);
    if (!out || out != s->selected || pl_ice_nominated(s))
        return;
    out->use_candidate = false;
    pl_ice_drop_txs_of(ice, out, NULL);
}

bool pl_ice_move(pl_ice *ice, ice_pair *p, const char *why)
{
    ice_session *s = p->session;
    if (p != s->selected)
        give_up_silent(ice, s);
    if (!may_nominate(ice, s) || nomination_out(s) || !p->valid || p == s->selected)
        return false;
    pl_log_info(&ice->log, "the call moves to a pair %s>%s: %s", pl_ice_type_str(p->local->type),
                pl_ice_type_str(p->remote->type), why);
    ask_for(ice, s, p);
    return true;
}

/* A call without a path: everything is tried once more. */
static void note_alone(pl_ice *ice, ice_session *s)
{
    if (s->selected)
        s->alone_us = PL_NEVER;
    if (s->selected || !s->established || s->alone_us != PL_NEVER || s->lost || ice->closed)
        return;
    s->alone_us = ice->now_us;
    pl_ice_look_around(ice, s);
}

void pl_ice_consider(pl_ice *ice, ice_session *s)
{
    if (!s->selected)
        select_pair(ice, s, best_valid(ice, s));
    note_alone(ice, s);
    bool wanted = may_nominate(ice, s) && !pl_ice_nominated(s) && !nomination_out(s);
    ice_pair *best = wanted ? best_valid(ice, s) : NULL;
    if (!s->selected)
        s->valid_us = PL_NEVER;
    s->grace_at_us = best ? nominate_at_us(ice, s, best) : PL_NEVER;
    if (!best || ice->now_us < s->grace_at_us)
        return;
    s->grace_at_us = PL_NEVER;
    ask_for(ice, s, best);
}
