/* The eight verbs, each a list of calls into the rooms. */
#include <stdlib.h>

#include "ice/agent_internal.h"
#include "stun/integrity.h"

static int64_t or_default(int64_t v, int64_t otherwise)
{
    return v > 0 ? v : otherwise;
}

static void fill_conf(pl_ice_conf *c)
{
    c->ufrag = c->pwd = NULL; /* lent for the call to new only */
    c->ta_us = pl_max_us(or_default(c->ta_us, PL_MS(15)), PL_MS(5));
    c->burst = c->burst ? c->burst : 5;
    c->rto_us = or_default(c->rto_us, PL_MS(500));
    c->grace_us = or_default(c->grace_us, PL_MS(200));
    c->patience_us = or_default(c->patience_us, PL_SEC(15));
    c->consent_us = pl_min_us(pl_max_us(or_default(c->consent_us, PL_SEC(5)), PL_SEC(5)), PL_SEC(600));
    c->expiry_us = or_default(c->expiry_us, PL_SEC(30));
    c->disconnect_us = or_default(c->disconnect_us, PL_SEC(5));
    c->fallback_us = or_default(c->fallback_us, PL_MS(300));
    c->switch_us = or_default(c->switch_us, PL_SEC(10));
    if (c->relay_only)
        c->without |= PL_ICE_NO_HOST | PL_ICE_NO_SRFLX;
    c->relay_only = (c->without & PL_ICE_NO_HOST) && (c->without & PL_ICE_NO_SRFLX);
    c->pairs_max = c->pairs_max ? c->pairs_max : 100;
    if (c->pairs_max > PL_ICE_PAIRS_MAX)
        c->pairs_max = PL_ICE_PAIRS_MAX;
}

pl_err pl_ice_new(pl_ice **out, const pl_ice_conf *conf, int64_t now_us)
{
    *out = NULL;
    if (!conf->ufrag != !conf->pwd || (conf->ufrag && !pl_ice_own_credentials_ok(conf->ufrag, conf->pwd)))
        return PL_EINVAL;
    pl_ice *ice = calloc(1, sizeof *ice);
    if (!ice)
        return PL_ENOMEM;
    ice->conf = *conf;
    fill_conf(&ice->conf);
    pl_log_name(&ice->log, "ice", conf->log_id);
    pl_list_init(&ice->bases);
    pl_list_init(&ice->locals);
    pl_list_init(&ice->txs);
    pl_list_init(&ice->answers);
    pl_list_init(&ice->turns);
    pl_list_init(&ice->streams);
    ice->now_us = ice->gather_us = now_us;
    ice->pace_us = ice->last_start_us = now_us - PL_SEC(1);
    ice->next_id = 1;
    ice->controlling = ice->told.controlling = conf->controlling;
    ice->tie_breaker = pl_rand_u64(&conf->rand);
    pl_rand_bytes(&conf->rand, ice->foundation_key, sizeof ice->foundation_key);
    ice->cur = pl_ice_session_new(ice, conf->ufrag, conf->pwd);
    if (!ice->cur) {
        free(ice);
        return PL_ENOMEM;
    }
    *out = ice;
    return PL_OK;
}

void pl_ice_free(pl_ice *ice)
{
    if (!ice)
        return;
    pl_ice_session_free(ice, ice->prev);
    pl_ice_session_free(ice, ice->cur);
    pl_ice_drop_answers(ice, NULL, NULL);
    pl_ice_relay_free(ice);
    pl_ice_streams_free(ice);
    PL_EACH (n, &ice->txs)
        free(pl_of(n, ice_tx, in_txs));
    PL_EACH (n, &ice->locals)
        free(pl_of(n, ice_local, in_locals));
    PL_EACH (n, &ice->bases) {
        free(pl_of(n, ice_base, in_bases)->mdns);
        free(pl_of(n, ice_base, in_bases));
    }
    free(ice);
}

void pl_ice_close(pl_ice *ice, int64_t now_us)
{
    ice->now_us = now_us;
    ice->closed = true;
    pl_ice_drop_answers(ice, NULL, NULL);
    PL_EACH (n, &ice->txs) {
        pl_list_remove(n);
        free(pl_of(n, ice_tx, in_txs));
    }
    pl_ice_relay_close(ice);
    pl_ice_update_state(ice);
}

void pl_ice_set_controlling(pl_ice *ice, int64_t now_us, bool controlling)
{
    ice->now_us = now_us;
    pl_ice_turn_role(ice, controlling, "by description");
    ice->told.controlling = ice->controlling;
    pl_ice_update_state(ice);
}

bool pl_ice_is_controlling(const pl_ice *ice)
{
    return ice->controlling;
}

void pl_ice_input(pl_ice *ice, int64_t now_us, const pl_path *path, const uint8_t *pkt, size_t len)
{
    pl_stun_msg m;
    ice->now_us = now_us;
    if (ice->closed)
        return;
    if (!pl_stun_is_message(pkt, len) || pl_stun_parse(&m, pkt, len) || m.method != PL_STUN_BINDING ||
        pl_stun_check_fingerprint(&m) == PL_EPROTO) {
        ice->count.not_stun++;
        return;
    }
    pl_path plain = *path;
    plain.remote.scope = 0; /* see pl_ice_path */
    switch (m.cls) {
    case PL_STUN_REQUEST: pl_ice_on_request(ice, &plain, &m); break;
    case PL_STUN_SUCCESS:
    case PL_STUN_ERROR: pl_ice_on_response(ice, &plain, &m); break;
    default: break; /* an indication keeps a NAT open and says no more (RFC 8445 11) */
    }
    pl_ice_update_state(ice);
}

void pl_ice_tick(pl_ice *ice, int64_t now_us)
{
    ice->now_us = now_us;
    pl_ice_relay_tick(ice);
    if (ice->closed)
        return;
    pl_ice_expire_txs(ice);
    pl_ice_gather_update(ice);
    if (ice->prev)
        pl_ice_consent_tick(ice, ice->prev);
    pl_ice_consent_tick(ice, ice->cur);
    pl_ice_keep_tick(ice, ice->cur);
    pl_ice_consider(ice, ice->cur);
    pl_ice_update_state(ice);
}

/* When patience ends, if it still matters. */
static int64_t patience_next_us(const pl_ice *ice)
{
    const ice_session *s = ice->cur;
    if (s->started_us == PL_NEVER || s->failed || s->selected)
        return PL_NEVER;
    int64_t at_us = s->started_us + ice->conf.patience_us;
    return at_us > ice->now_us ? at_us : PL_NEVER;
}

int64_t pl_ice_next_us(const pl_ice *ice)
{
    int64_t next_us = pl_ice_relay_next_us(ice);
    if (ice->closed)
        return next_us;
    if (ice->n_answers)
        return ice->now_us;
    next_us = pl_min_us(next_us, pl_ice_requests_next_us(ice));
    next_us = pl_min_us(next_us, pl_ice_gather_next_us(ice));
    next_us = pl_min_us(next_us, pl_ice_consent_next_us(ice, ice->cur));
    next_us = pl_min_us(next_us, pl_ice_keep_next_us(ice, ice->cur));
    if (ice->prev)
        next_us = pl_min_us(next_us, pl_ice_consent_next_us(ice, ice->prev));
    return pl_min_us(pl_min_us(next_us, ice->cur->grace_at_us), patience_next_us(ice));
}

bool pl_ice_poll_output(pl_ice *ice, int64_t now_us, pl_dgram *out)
{
    ice->now_us = now_us;
    out->len = 0;
    if (pl_ice_relay_output(ice, out))
        return true;
    if (ice->closed)
        return false;
    while (ice->n_answers)
        if (pl_ice_next_answer(ice, out))
            return true;
    return pl_ice_next_request(ice, out);
}
