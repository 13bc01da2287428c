/* What the descriptions said: credentials and remote candidates, one set a generation (RFC 8445 9). */
#include <stdlib.h>

#include "ice/agent_internal.h"

enum { MADE_UFRAG_LEN = 4, MADE_PWD_LEN = 24, OWN_UFRAG_MAX = 128 };

void pl_ice_make_credentials(const pl_rand *rand, char ufrag[PL_ICE_UFRAG_MAX + 1],
                             char pwd[PL_ICE_PWD_MAX + 1])
{
    pl_rand_ice_chars(rand, ufrag, MADE_UFRAG_LEN);
    pl_rand_ice_chars(rand, pwd, MADE_PWD_LEN);
}

static bool credentials_ok(const char *ufrag, const char *pwd, size_t ufrag_max)
{
    pl_str u = pl_str_of(ufrag), p = pl_str_of(pwd);
    return u.n >= PL_ICE_UFRAG_MIN && u.n <= ufrag_max && p.n >= PL_ICE_PWD_MIN && p.n <= PL_ICE_PWD_MAX &&
           pl_ice_chars_ok(u) && pl_ice_chars_ok(p);
}

/* ---- sessions ---- */

static char *copy_text(const char *text)
{
    size_t n = strlen(text) + 1;
    char *copy = malloc(n);
    if (copy)
        memcpy(copy, text, n);
    return copy;
}

static void wipe_free(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

ice_session *pl_ice_session_new(pl_ice *ice, const char *ufrag, const char *pwd)
{
    char made_ufrag[PL_ICE_UFRAG_MAX + 1], made_pwd[PL_ICE_PWD_MAX + 1];
    if (!ufrag) {
        pl_ice_make_credentials(&ice->conf.rand, made_ufrag, made_pwd);
        ufrag = made_ufrag;
        pwd = made_pwd;
    }
    ice_session *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    pl_list_init(&s->remotes);
    pl_list_init(&s->waiting);
    pl_list_init(&s->pairs);
    pl_list_init(&s->triggered);
    s->started_us = s->grace_at_us = s->consent_at_us = s->asked_us = PL_NEVER;
    s->valid_us = s->alone_us = PL_NEVER;
    s->news_us = s->moved_us = ice->now_us;
    s->ufrag = copy_text(ufrag);
    s->pwd = copy_text(pwd);
    if (!s->ufrag || !s->pwd) {
        pl_ice_session_free(ice, s);
        return NULL;
    }
    return s;
}

static void waiting_free(ice_session *s, ice_waiting *w)
{
    pl_list_remove(&w->in_waiting);
    s->n_waiting--;
    free(w);
}

void pl_ice_session_free(pl_ice *ice, ice_session *s)
{
    if (!s)
        return;
    s->selected = NULL;
    PL_EACH (n, &s->pairs)
        pl_ice_pair_free(ice, pl_of(n, ice_pair, in_pairs));
    PL_EACH (n, &s->remotes)
        free(pl_of(n, ice_remote, in_remotes));
    PL_EACH (n, &s->waiting)
        waiting_free(s, pl_of(n, ice_waiting, in_waiting));
    pl_ice_drop_answers(ice, s, NULL);
    wipe_free(s->ufrag);
    wipe_free(s->pwd);
    wipe_free(s->remote_ufrag);
    wipe_free(s->remote_pwd);
    free(s);
}

/* ---- remote candidates ---- */

ice_remote *pl_ice_remote_find(const ice_session *s, const pl_addr *addr, uint8_t proto)
{
    PL_EACH (n, &s->remotes) {
        ice_remote *r = pl_of(n, ice_remote, in_remotes);
        if (r->proto == proto && pl_addr_eq(&r->addr, addr))
            return r;
    }
    return NULL;
}

ice_remote *pl_ice_remote_new(pl_ice *ice, ice_session *s, const pl_addr *addr, uint8_t proto)
{
    ice_remote *r = s->n_remotes < PL_ICE_REMOTES_MAX ? calloc(1, sizeof *r) : NULL;
    if (!r)
        return NULL;
    r->addr = *addr;
    r->addr.scope = 0;
    r->proto = proto;
    r->id = ice->next_id++;
    s->n_remotes++;
    pl_list_push_back(&s->remotes, &r->in_remotes);
    return r;
}

static bool is_used(const ice_session *s, const ice_remote *r)
{
    PL_EACH (n, &s->pairs) {
        const ice_pair *p = pl_of(n, ice_pair, in_pairs);
        if (p->remote == r && (p->valid || p == s->selected || pl_ice_pair_is_live(p)))
            return true;
    }
    return false;
}

static void remote_free(pl_ice *ice, ice_session *s, ice_remote *r)
{
    PL_EACH (n, &s->pairs)
        if (pl_of(n, ice_pair, in_pairs)->remote == r)
            pl_ice_pair_free(ice, pl_of(n, ice_pair, in_pairs));
    pl_list_remove(&r->in_remotes);
    s->n_remotes--;
    s->n_prflx[r->through_relay] -= r->unsignaled;
    free(r);
}

/* In a long call the peer may change its network often: the oldest address that nothing comes through any more gives
 * way. Not before a pair was nominated, or two NATs that map by port would make new ones for each other for ever. */
static bool forget_a_prflx(pl_ice *ice, ice_session *s, bool through_relay)
{
    if (!s->established)
        return false;
    PL_EACH (n, &s->remotes) {
        ice_remote *r = pl_of(n, ice_remote, in_remotes);
        if (!r->unsignaled || r->through_relay != through_relay || is_used(s, r))
            continue;
        remote_free(ice, s, r);
        return true;
    }
    return false;
}

ice_remote *pl_ice_remote_new_prflx(pl_ice *ice, ice_session *s, const ice_base *base, const pl_path *path,
                                    uint32_t priority)
{
    bool through_relay = base->type == PL_ICE_RELAY;
    if (s->n_prflx[through_relay] == PL_ICE_PRFLX_MAX && !forget_a_prflx(ice, s, through_relay))
        return NULL;
    ice_remote *r = pl_ice_remote_new(ice, s, &path->remote, path->proto);
    if (!r)
        return NULL;
    r->type = PL_ICE_PRFLX;
    r->tcptype = path->proto == PL_TCP ? PL_ICE_TCPTYPE_ACTIVE : PL_ICE_TCPTYPE_NONE;
    r->priority = priority;
    r->unsignaled = true;
    r->through_relay = through_relay;
    s->n_prflx[through_relay]++;
    return r;
}

/* A candidate with an address, in a session with credentials. One that a check has shown before (RFC
 * 8445 7.3.1.3) now gets its true type, priority and foundation. */
static pl_err take_remote(pl_ice *ice, ice_session *s, const pl_ice_cand *c)
{
    ice_remote *r = pl_ice_remote_find(s, &c->addr, c->proto);
    if (r && r->foundation[0])
        return PL_OK;
    bool was_known = r != NULL;
    if (!r)
        r = pl_ice_remote_new(ice, s, &c->addr, c->proto);
    if (!r)
        return s->n_remotes == PL_ICE_REMOTES_MAX ? PL_ENOSPC : PL_ENOMEM;
    s->n_prflx[r->through_relay] -= r->unsignaled;
    r->unsignaled = false;
    r->tcptype = c->tcptype;
    r->related = c->related;
    r->type = c->type;
    r->priority = c->priority;
    r->network_id = c->network_id;
    r->network_cost = c->network_cost;
    memcpy(r->foundation, c->foundation, sizeof r->foundation);
    if (was_known)
        pl_ice_pair_reprioritise(ice, s);
    s->news_us = ice->now_us;
    pl_ice_pair_remote(ice, s, r);
    return PL_OK;
}

static pl_err wait_for_more(ice_session *s, const pl_ice_cand *c)
{
    if (s->n_waiting == PL_ICE_REMOTES_MAX)
        return PL_ENOSPC;
    ice_waiting *w = calloc(1, sizeof *w);
    if (!w)
        return PL_ENOMEM;
    w->cand = *c;
    s->n_waiting++;
    pl_list_push_back(&s->waiting, &w->in_waiting);
    return PL_OK;
}

static bool same_waits(const ice_session *s, const pl_ice_cand *c)
{
    PL_EACH (n, &s->waiting) {
        const pl_ice_cand *w = &pl_of(n, ice_waiting, in_waiting)->cand;
        if (w->proto == c->proto && pl_addr_eq(&w->addr, &c->addr) && strcmp(w->name, c->name) == 0 &&
            strcmp(w->ufrag, c->ufrag) == 0)
            return true;
    }
    return false;
}

static bool of_this_generation(const ice_session *s, const pl_ice_cand *c)
{
    return c->ufrag[0] == 0 || !s->remote_ufrag || strcmp(c->ufrag, s->remote_ufrag) == 0;
}

pl_err pl_ice_add_remote(pl_ice *ice, int64_t now_us, const pl_ice_cand *c)
{
    ice_session *s = ice->cur;
    ice->now_us = now_us;
    if (ice->closed || !pl_ice_cand_usable(c) || !of_this_generation(s, c))
        return PL_OK;
    pl_err err = PL_OK;
    if (s->remote_ufrag && c->addr.family != PL_AF_NONE)
        err = take_remote(ice, s, c);
    else if (!same_waits(s, c))
        err = wait_for_more(s, c);
    pl_ice_update_state(ice);
    return err;
}

/* The credentials are known now: take in what waited only for them. */
static void take_waiting(pl_ice *ice, ice_session *s)
{
    PL_EACH (n, &s->waiting) {
        ice_waiting *w = pl_of(n, ice_waiting, in_waiting);
        bool wanted = of_this_generation(s, &w->cand);
        if (wanted && w->cand.addr.family == PL_AF_NONE)
            continue; /* still without an address */
        if (wanted && take_remote(ice, s, &w->cand))
            pl_log_debug(&ice->log, "a remote candidate found no room");
        waiting_free(s, w);
    }
}

void pl_ice_resolved(pl_ice *ice, int64_t now_us, const char *name, const pl_addr *addr)
{
    ice_session *s = ice->cur;
    ice->now_us = now_us;
    PL_EACH (n, &s->waiting) {
        ice_waiting *w = pl_of(n, ice_waiting, in_waiting);
        if (w->cand.addr.family != PL_AF_NONE || !pl_str_ieq(pl_str_of(w->cand.name), pl_str_of(name)))
            continue;
        if (!addr) {
            waiting_free(s, w);
            continue;
        }
        uint16_t port = w->cand.addr.port;
        w->cand.addr = *addr;
        w->cand.addr.port = port;
        if (!pl_ice_cand_usable(&w->cand))
            waiting_free(s, w);
    }
    if (s->remote_ufrag)
        take_waiting(ice, s);
    pl_ice_update_state(ice);
}

void pl_ice_remote_done(pl_ice *ice, int64_t now_us)
{
    ice->now_us = now_us;
    ice->cur->remote_done = true;
    pl_ice_consider(ice, ice->cur);
    pl_ice_update_state(ice);
}

/* ---- credentials ---- */

pl_err pl_ice_set_remote(pl_ice *ice, int64_t now_us, const char *ufrag, const char *pwd, bool lite)
{
    ice_session *s = ice->cur;
    ice->now_us = now_us;
    if (!ufrag || !pwd || !credentials_ok(ufrag, pwd, PL_ICE_UFRAG_MAX))
        return PL_EPROTO;
    if (s->remote_ufrag) {
        bool same = strcmp(s->remote_ufrag, ufrag) == 0 && strcmp(s->remote_pwd, pwd) == 0;
        return same ? PL_OK : PL_ESTATE;
    }
    char *u = copy_text(ufrag), *p = copy_text(pwd);
    if (!u || !p) {
        free(u);
        free(p);
        return PL_ENOMEM;
    }
    s->remote_ufrag = u;
    s->remote_pwd = p;
    s->remote_lite = lite;
    s->started_us = s->news_us = now_us;
    take_waiting(ice, s);
    pl_ice_update_state(ice);
    return PL_OK;
}

pl_err pl_ice_restart(pl_ice *ice, int64_t now_us, const char *ufrag, const char *pwd)
{
    ice->now_us = now_us;
    if (!ufrag != !pwd || (ufrag && !credentials_ok(ufrag, pwd, OWN_UFRAG_MAX)))
        return PL_EINVAL;
    ice_session *s = pl_ice_session_new(ice, ufrag, pwd);
    if (!s)
        return PL_ENOMEM;
    ice_session *former = ice->cur;
    ice->cur = s;
    if (ice->prev && !former->remote_ufrag) { /* the peer never answered that one: the older stays */
        pl_ice_session_free(ice, former);
    } else {
        pl_ice_session_free(ice, ice->prev);
        ice->prev = former;
        pl_ice_park(ice, former);
    }
    pl_ice_gather_tell_again(ice);
    pl_ice_gather_again(ice);
    pl_ice_gather_ask_again(ice, false);
    pl_ice_relay_again(ice);
    pl_ice_gather_update(ice);
    pl_log_info(&ice->log, "restarts");
    pl_ice_update_state(ice);
    return PL_OK;
}

pl_err pl_ice_rollback(pl_ice *ice, int64_t now_us)
{
    ice->now_us = now_us;
    if (!ice->prev || ice->cur->remote_ufrag)
        return PL_ESTATE;
    pl_ice_session_free(ice, ice->cur);
    ice->cur = ice->prev;
    ice->prev = NULL;
    PL_EACH (
        n, &ice->cur->pairs) { /* the restart stopped a nomination on its way: nobody else would repeat it */
        ice_pair *p = pl_of(n, ice_pair, in_pairs);
        p->parked = pl_ice_nominated(ice->cur) != NULL;
        if (p->use_candidate)
            pl_ice_trigger(ice, p);
    }
    pl_ice_consider(ice, ice->cur);
    pl_ice_update_state(ice);
    return PL_OK;
}

const char *pl_ice_ufrag(const pl_ice *ice)
{
    return ice->cur->ufrag;
}

const char *pl_ice_pwd(const pl_ice *ice)
{
    return ice->cur->pwd;
}

bool pl_ice_own_credentials_ok(const char *ufrag, const char *pwd)
{
    return credentials_ok(ufrag, pwd, OWN_UFRAG_MAX);
}
