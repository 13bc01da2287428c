/* The states as W3C webrtc-pc 5.6 names them, and the events: differences between what is and what was told.
 */
#include "ice/agent_internal.h"

const char *pl_ice_state_str(pl_ice_state s)
{
    static const char *const name[] = { "new",          "checking", "connected", "completed",
                                        "disconnected", "failed",   "closed" };
    return (unsigned)s <= PL_ICE_CLOSED ? name[s] : "unknown";
}

const char *pl_ice_gathering_str(pl_ice_gathering s)
{
    static const char *const name[] = { "new", "gathering", "complete" };
    return (unsigned)s <= PL_ICE_GATHER_COMPLETE ? name[s] : "unknown";
}

/* ---- state ---- */

static pl_ice_state connected_state(const pl_ice *ice, const ice_session *s)
{
    if (pl_ice_consent_silent(ice, s))
        return PL_ICE_DISCONNECTED;
    bool all_known = s->remote_done && ice->gathering == PL_ICE_GATHER_COMPLETE;
    return all_known ? PL_ICE_COMPLETED : PL_ICE_CONNECTED;
}

/* A restart leaves "completed" for "connected", and "disconnected" or "failed" for "checking"
 * (webrtc-pc 5.6.4). */
static pl_ice_state state_of(const pl_ice *ice)
{
    const ice_session *s = ice->cur, *old = ice->prev;
    if (ice->closed)
        return PL_ICE_CLOSED;
    if (pl_ice_nominated(s) || (s->established && s->selected))
        return connected_state(ice, s);
    if (s->established && s->alone_us != PL_NEVER)
        return PL_ICE_DISCONNECTED;
    if (old && pl_ice_nominated(old) && !pl_ice_consent_silent(ice, old))
        return PL_ICE_CONNECTED;
    if (s->lost || s->failed)
        return PL_ICE_FAILED;
    return old || s->n_pairs || (s->started_us != PL_NEVER && s->n_waiting) ? PL_ICE_CHECKING : PL_ICE_NEW;
}

/* RFC 8863: a peer-reflexive candidate may still come after all pairs have failed, so patience decides. */
static bool hope_is_gone(const pl_ice *ice, const ice_session *s)
{
    if (s->selected || s->failed || s->established || s->started_us == PL_NEVER ||
        ice->now_us < s->started_us + ice->conf.patience_us)
        return false;
    if (s->n_pairs == 0 && !s->remote_done)
        return false; /* the peer's candidates have yet to come, perhaps by hand */
    if (ice->conf.lite)
        return true; /* nothing of ours is under way */
    PL_EACH (n, &s->pairs)
        if (pl_ice_pair_is_live(pl_of(n, ice_pair, in_pairs)))
            return false;
    return pl_list_empty(&s->triggered);
}

void pl_ice_update_state(pl_ice *ice)
{
    if (!ice->closed && hope_is_gone(ice, ice->cur))
        ice->cur->failed = true;
    pl_ice_state to = state_of(ice);
    if (to == ice->state)
        return;
    pl_log_debug(&ice->log, "%s -> %s", pl_ice_state_str(ice->state), pl_ice_state_str(to));
    ice->state = to;
}

pl_ice_state pl_ice_get_state(const pl_ice *ice)
{
    return ice->state;
}

pl_ice_gathering pl_ice_get_gathering(const pl_ice *ice)
{
    return ice->gathering;
}

/* ---- where data goes ---- */

const ice_pair *pl_ice_data_pair(const pl_ice *ice)
{
    const ice_session *s = ice->cur;
    if (ice->closed)
        return NULL;
    if (!s->established && ice->prev && ice->prev->selected)
        return ice->prev->selected;
    return s->selected;
}

bool pl_ice_selected(const pl_ice *ice, pl_path *out)
{
    const ice_pair *p = pl_ice_data_pair(ice);
    if (p)
        *out = pl_ice_pair_path(p);
    return p != NULL;
}

void pl_ice_heard(pl_ice *ice, int64_t now_us)
{
    const ice_pair *p = pl_ice_data_pair(ice);
    ice->now_us = now_us;
    if (!p)
        return;
    pl_ice_consent_heard(ice, p->session);
    if (ice->state == PL_ICE_DISCONNECTED)
        pl_ice_update_state(ice);
}

/* ---- events ---- */

static bool tell_role(pl_ice *ice, pl_ice_event *out)
{
    if (ice->told.controlling == ice->controlling)
        return false;
    ice->told.controlling = ice->controlling;
    *out = (pl_ice_event){ .kind = PL_ICE_EV_ROLE, .u.controlling = ice->controlling };
    return true;
}

static bool tell_name(pl_ice *ice, pl_ice_event *out)
{
    PL_EACH (n, &ice->cur->waiting) {
        ice_waiting *w = pl_of(n, ice_waiting, in_waiting);
        if (w->asked || w->cand.addr.family != PL_AF_NONE)
            continue;
        w->asked = true;
        out->kind = PL_ICE_EV_RESOLVE;
        memcpy(out->u.name, w->cand.name, sizeof out->u.name);
        return true;
    }
    return false;
}

static bool tell_gathering(pl_ice *ice, pl_ice_gathering to, pl_ice_event *out)
{
    ice->told.gathering = to;
    *out = (pl_ice_event){ .kind = PL_ICE_EV_GATHERING, .u.gathering = to };
    return true;
}

static void describe(const pl_ice *ice, const ice_local *l, pl_ice_cand *out)
{
    *out = (pl_ice_cand){ .addr = l->addr,
                          .related = l->related,
                          .priority = l->priority,
                          .component = 1,
                          .type = l->type,
                          .proto = l->base->proto,
                          .tcptype = l->base->tcptype,
                          .network_id = l->base->network_id,
                          .network_cost = l->base->network_cost,
                          .has_network_id = l->base->network_id != 0,
                          .has_network_cost = l->base->network_id != 0 };
    if (ice->conf.relay_only || (l->base->mdns && l->type == PL_ICE_SRFLX))
        out->related =
            (pl_addr){ 0 }; /* who relays all, or has a name instead of an address, hides where it is */
    if (l->base->mdns && l->type == PL_ICE_HOST)
        (void)pl_str_copy(pl_str_of(l->base->mdns), out->name, sizeof out->name);
    pl_str ufrag = pl_str_of(ice->cur->ufrag);
    memcpy(out->ufrag, ufrag.p, ufrag.n);
    char *p = out->foundation + 10; /* decimal digits are ice-chars */
    for (uint32_t f = l->foundation; f; f /= 10)
        *--p = (char)('0' + f % 10);
    memmove(out->foundation, p, (size_t)(out->foundation + 11 - p));
}

static bool tell_candidate(pl_ice *ice, pl_ice_event *out)
{
    PL_EACH (n, &ice->locals) {
        ice_local *l = pl_of(n, ice_local, in_locals);
        if (l->told)
            continue;
        l->told = true;
        out->kind = PL_ICE_EV_CANDIDATE;
        describe(ice, l, &out->u.candidate);
        return true;
    }
    return false;
}

static bool tell_selected(pl_ice *ice, pl_ice_event *out)
{
    const ice_pair *p = pl_ice_data_pair(ice);
    if (!p) {
        ice->told.any_selected = false;
        return false;
    }
    pl_path path = pl_ice_pair_path(p), *told = &ice->told.selected;
    if (ice->told.any_selected && path.proto == told->proto && pl_addr_eq(&path.local, &told->local) &&
        pl_addr_eq(&path.remote, &told->remote))
        return false;
    ice->told.any_selected = true;
    *told = path;
    *out = (pl_ice_event){ .kind = PL_ICE_EV_SELECTED, .u.selected = path };
    return true;
}

/* What comes next on the way from one state to another: applications expect to see checking before connected,
 * and connected before completed or disconnected, however fast it went. */
static pl_ice_state step(pl_ice_state from, pl_ice_state to)
{
    if (to == PL_ICE_CLOSED || to == PL_ICE_NEW)
        return to;
    if (from == PL_ICE_NEW && to != PL_ICE_CHECKING)
        return PL_ICE_CHECKING;
    bool beyond = to == PL_ICE_COMPLETED || to == PL_ICE_DISCONNECTED;
    if (beyond && (from == PL_ICE_CHECKING || from == PL_ICE_FAILED))
        return PL_ICE_CONNECTED;
    return to;
}

static bool tell_state(pl_ice *ice, pl_ice_event *out)
{
    if (ice->told.state == ice->state)
        return false;
    ice->told.state = step(ice->told.state, ice->state);
    *out = (pl_ice_event){ .kind = PL_ICE_EV_STATE, .u.state = ice->told.state };
    return true;
}

bool pl_ice_poll_event(pl_ice *ice, pl_ice_event *out)
{
    if (!ice->closed) {
        if (tell_role(ice, out) || tell_name(ice, out) || pl_ice_tell_stream(ice, out) ||
            pl_ice_tell_trouble(ice, out))
            return true;
        if (ice->told.gathering == PL_ICE_GATHER_NEW && ice->gathering != PL_ICE_GATHER_NEW)
            return tell_gathering(ice, PL_ICE_GATHERING, out);
        if (tell_candidate(ice, out))
            return true;
        if (ice->told.gathering != ice->gathering)
            return tell_gathering(ice, ice->gathering, out);
        if (tell_selected(ice, out))
            return true;
    }
    return tell_state(ice, out);
}
