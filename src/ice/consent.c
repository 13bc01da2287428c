/* Is the peer still there, and does it still want our packets (RFC 7675)? Every five seconds or so a check on
 * the selected pair; without an answer for 30 s consent is gone, without any sign of life for a few seconds
 * after a check the state is "disconnected". */
#include "ice/agent_internal.h"

enum { TOGETHER_US = 250000 };
#define WEAK_US        PL_MS(1500) /* four transmissions without an answer */
#define WEAK_HURRY_US  PL_MS(250)
#define HURRY_PAUSE_US PL_MS(500)
#define ASK_FOR_US     PL_MS(100) /* controlled, on another pair than the nominated one: until it is nominated */

/* RFC 7675 5.1: each interval is drawn anew from 0.8 to 1.2 times the period. It ends on a quarter of a second of this
 * machine's clock, so that of many connections those about due are woken for together: the check itself costs less
 * than waking up for it. */
int64_t pl_ice_consent_interval_us(const pl_ice *ice)
{
    int64_t fifth = ice->conf.consent_us / 5;
    int64_t shortest = ice->conf.consent_us - fifth + TOGETHER_US;
    int64_t at_us =
        ice->now_us + shortest + pl_rand_below(&ice->conf.rand, (uint32_t)(2 * fifth - TOGETHER_US + 1));
    return at_us - at_us % TOGETHER_US;
}

/* A lite agent asks nothing: the peer's checks are its consent. */
static bool only_listens(const pl_ice *ice)
{
    return ice->conf.lite;
}

/* A pair that worked once and is selected again, on the peer's word or for want of a better one, may have stayed without
 * an answer for longer than consent lasts: it gets a moment to show that it still works. */
static bool is_retaken(const pl_ice *ice, const ice_session *s)
{
    return s->taken_us - s->selected->answered_us > ice->conf.consent_us;
}

/* A call that had to leave its nominated pair checks the new one at once and often: the peer sees where we are. */
static bool has_left(const ice_session *s)
{
    return s->established && !pl_ice_nominated(s);
}

static int64_t next_check_us(const pl_ice *ice, const ice_session *s)
{
    if (only_listens(ice))
        return PL_NEVER;
    return has_left(s) ? ice->now_us + ASK_FOR_US : pl_ice_consent_interval_us(ice);
}

void pl_ice_consent_start(pl_ice *ice, ice_session *s)
{
    s->heard_us = s->taken_us = ice->now_us;
    s->asked_us = PL_NEVER;
    s->consent_at_us = next_check_us(ice, s);
    if (!only_listens(ice) && (has_left(s) || is_retaken(ice, s)))
        s->consent_at_us = ice->now_us;
    s->hurried = s->looked = false;
}

void pl_ice_consent_answered(pl_ice *ice, ice_pair *p)
{
    ice_session *s = p->session;
    if (s->selected != p)
        return;
    s->asked_us = PL_NEVER;
    s->heard_us = ice->now_us;
    s->hurried = s->looked = false;
}

void pl_ice_consent_hurry(pl_ice *ice, ice_session *s)
{
    int64_t since_us = s->asked_us == PL_NEVER ? s->selected->answered_us : s->asked_us;
    if (only_listens(ice) || s->hurried || ice->now_us - since_us < HURRY_PAUSE_US)
        return;
    s->hurried = true;
    if (s->asked_us == PL_NEVER)
        s->consent_at_us = ice->now_us;
}

int64_t pl_ice_consent_weak_at_us(const ice_session *s)
{
    int64_t rtt_us = s->selected->rtt_us;
    if (s->asked_us == PL_NEVER)
        return PL_NEVER;
    int64_t since_us = s->hurried ? s->asked_us : pl_max_us(s->asked_us, s->heard_us);
    return since_us + (s->hurried ? pl_max_us(4 * rtt_us, WEAK_HURRY_US) : pl_max_us(6 * rtt_us, WEAK_US));
}

void pl_ice_consent_heard(pl_ice *ice, ice_session *s)
{
    s->heard_us = ice->now_us;
}

static int64_t expires_at_us(const pl_ice *ice, const ice_session *s)
{
    if (only_listens(ice) && s->remote_lite)
        return PL_NEVER; /* neither side ever asks */
    if (only_listens(ice))
        return s->heard_us + ice->conf.expiry_us;
    int64_t at_us = s->selected->answered_us + ice->conf.expiry_us;
    return is_retaken(ice, s) ? pl_max_us(at_us, s->taken_us + ice->conf.disconnect_us) : at_us;
}

/* When silence becomes "disconnected". */
static int64_t silent_at_us(const pl_ice *ice, const ice_session *s)
{
    if (only_listens(ice) && s->remote_lite)
        return PL_NEVER;
    if (only_listens(ice))
        return s->heard_us + ice->conf.consent_us + ice->conf.consent_us / 5 + ice->conf.disconnect_us;
    return s->asked_us == PL_NEVER ? PL_NEVER : pl_max_us(s->asked_us, s->heard_us) + ice->conf.disconnect_us;
}

bool pl_ice_consent_silent(const pl_ice *ice, const ice_session *s)
{
    return s->selected && ice->now_us >= silent_at_us(ice, s);
}

static void lose(pl_ice *ice, ice_session *s)
{
    pl_log_info(&ice->log, "consent of the peer has run out");
    s->lost = true;
    if (s->selected)
        pl_ice_relay_unbind(ice, s->selected);
    s->selected = NULL;
    s->consent_at_us = s->asked_us = s->grace_at_us = s->alone_us = PL_NEVER;
    PL_EACH (n, &s->pairs) {
        ice_pair *q = pl_of(n, ice_pair, in_pairs);
        q->valid = q->nominated = q->use_candidate = q->nominate_on_success = q->decisive = false;
        q->keep_at_us = 0;
        pl_ice_drop_txs_of(ice, q, NULL);
        pl_ice_stream_release(ice, &q->stream);
        pl_list_remove(&q->in_triggered);
        if (q->state == PL_ICE_PAIR_SUCCEEDED)
            pl_ice_pair_enter(ice, q, PL_ICE_PAIR_FAILED, "consent has run out");
    }
}

void pl_ice_consent_tick(pl_ice *ice, ice_session *s)
{
    if (!s->selected && s->alone_us != PL_NEVER && ice->now_us >= s->alone_us + ice->conf.expiry_us)
        lose(ice, s);
    if (!s->selected)
        return;
    if (ice->now_us >= expires_at_us(ice, s)) {
        if (!only_listens(ice) && is_retaken(ice, s))
            pl_ice_pair_give_up(ice, s->selected, "it does not work any more");
        else
            lose(ice, s);
        return;
    }
    if (ice->now_us < s->consent_at_us)
        return;
    s->consent_at_us = next_check_us(ice, s);
    if (pl_ice_start_consent(ice, s->selected) && s->asked_us == PL_NEVER)
        s->asked_us = ice->now_us;
}

int64_t pl_ice_consent_next_us(const pl_ice *ice, const ice_session *s)
{
    if (!s->selected)
        return s->alone_us == PL_NEVER ? PL_NEVER : s->alone_us + ice->conf.expiry_us;
    int64_t silent_us = silent_at_us(ice, s);
    int64_t next_us = pl_min_us(s->consent_at_us, expires_at_us(ice, s));
    return silent_us > ice->now_us ? pl_min_us(next_us, silent_us) : next_us;
}
