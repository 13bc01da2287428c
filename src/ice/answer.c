/* The peer's requests: who may ask, what they teach us, and the answers (RFC 8445 7.3).
 * Whoever does not know our password gets no answer and changes nothing but a counter. */
#include <stdlib.h>

#include "ice/agent_internal.h"
#include "stun/integrity.h"

/* What a request said, once it is known to come from the peer. */
typedef struct request {
    const pl_stun_msg *m;
    const pl_path *path;
    ice_base *base;
    ice_session *session;
    uint32_t priority;
    bool use_candidate;
} request;

/* ---- answers waiting to go ---- */

static void answer_free(pl_ice *ice, ice_answer *a)
{
    pl_list_remove(&a->in_answers);
    ice->n_answers--;
    free(a);
}

void pl_ice_drop_answers(pl_ice *ice, const ice_session *s, const ice_base *b)
{
    PL_EACH (n, &ice->answers) {
        ice_answer *a = pl_of(n, ice_answer, in_answers);
        if ((!s || a->session == s) && (!b || a->base == b))
            answer_free(ice, a);
    }
}

static void answer(pl_ice *ice, const request *r, uint16_t code)
{
    if (ice->n_answers == PL_ICE_ANSWERS_MAX) {
        answer_free(ice, pl_of(pl_list_first(&ice->answers), ice_answer, in_answers));
        ice->count.answers_dropped++;
    }
    ice_answer *a = calloc(1, sizeof *a);
    if (!a)
        return; /* the peer will ask again */
    a->path = pl_ice_path(&r->path->local, &r->path->remote);
    a->path.proto = r->path->proto;
    a->base = r->base;
    a->code = code;
    a->n_unknown = r->m->n_unknown;
    memcpy(a->unknown, r->m->unknown, sizeof a->unknown);
    memcpy(a->id, r->m->id, sizeof a->id);
    a->session = r->session;
    ice->n_answers++;
    pl_list_push_back(&ice->answers, &a->in_answers);
}

bool pl_ice_next_answer(pl_ice *ice, pl_dgram *out)
{
    pl_node *n = pl_list_first(&ice->answers);
    if (!n)
        return false;
    ice_answer *a = pl_of(n, ice_answer, in_answers);
    pl_stun_wr s =
        pl_stun_begin(out->data, out->cap, a->code ? PL_STUN_ERROR : PL_STUN_SUCCESS, PL_STUN_BINDING, a->id);
    if (a->code)
        pl_stun_put_error(&s, a->code, NULL);
    else
        pl_stun_put_xor_addr(&s, PL_STUN_XOR_MAPPED_ADDRESS, &a->path.remote);
    if (a->code == 420)
        pl_stun_put_unknown(&s, a->unknown, a->n_unknown);
    pl_stun_put_integrity(&s, a->session->pwd, strlen(a->session->pwd));
    pl_stun_put_fingerprint(&s);
    out->path = a->path;
    out->segment = 0;
    out->len = pl_stun_end(&s);
    bool sendable = out->len > 0 && !pl_ice_relay_wrap(ice, a->base, out);
    answer_free(ice, a);
    return sendable;
}

/* ---- who asks ---- */

/* libwebrtc checks from the sockets of its restart with our old credentials before it has the new ones. Answered,
 * it would keep the pair, and refuse its address in the new session for good. So both fragments must be of one
 * generation; before the peer's is known, any will do. */
static ice_session *of_one_generation(ice_session *s, pl_str theirs)
{
    return !s->remote_ufrag || pl_str_is(theirs, s->remote_ufrag) ? s : NULL;
}

/* USERNAME is "our fragment:their fragment". */
static ice_session *addressed_session(const pl_ice *ice, const pl_stun_msg *m)
{
    pl_str name;
    if (pl_stun_get_str(m, PL_STUN_USERNAME, &name))
        return NULL;
    pl_str ours = pl_str_cut(&name, ':');
    if (!name.p)
        return NULL;
    if (pl_str_is(ours, ice->cur->ufrag))
        return of_one_generation(ice->cur, name);
    return ice->prev && pl_str_is(ours, ice->prev->ufrag) ? of_one_generation(ice->prev, name) : NULL;
}

/* A message of a connection that we opened belongs to its pair; of an accepted one to who listens there. */
static ice_base *base_of(const pl_ice *ice, const pl_path *path)
{
    if (path->proto == PL_UDP)
        return pl_ice_base_find(ice, &path->local, PL_ICE_TCPTYPE_NONE);
    const ice_pair *p = pl_ice_stream_pair(ice, path);
    ice_base *b = p ? p->base : pl_ice_base_find(ice, &path->local, PL_ICE_TCPTYPE_PASSIVE);
    return b ? b : pl_ice_base_find(ice, &path->local, PL_ICE_TCPTYPE_SO);
}

static bool authenticate(pl_ice *ice, request *r)
{
    r->base = base_of(ice, r->path);
    if (!r->base || r->base->addr.family != r->path->remote.family) {
        ice->count.unknown_base++;
        return false;
    }
    r->session = addressed_session(ice, r->m);
    if (!r->session) {
        ice->count.bad_username++;
        return false;
    }
    if (pl_stun_check_integrity(r->m, r->session->pwd, strlen(r->session->pwd))) {
        ice->count.bad_integrity++;
        return false;
    }
    return true;
}

/* ---- roles ---- */

void pl_ice_turn_role(pl_ice *ice, bool controlling, const char *why)
{
    if (ice->controlling == controlling)
        return;
    ice->controlling = controlling;
    pl_log_info(&ice->log, "is now %s: %s", controlling ? "controlling" : "controlled", why);
    PL_EACH (n, &ice->cur->pairs) {
        ice_pair *p = pl_of(n, ice_pair, in_pairs);
        p->use_candidate = p->nominate_on_success = false;
    }
    pl_ice_pair_reprioritise(ice, ice->cur);
    if (ice->prev)
        pl_ice_pair_reprioritise(ice, ice->prev);
    pl_ice_consider(ice, ice->cur);
}

/* RFC 8445 7.3.1.1: the larger tie-breaker controls. False: the peer must turn, and is told so. */
static bool roles_agree(pl_ice *ice, const request *r)
{
    uint64_t theirs;
    bool same =
        !pl_stun_get_u64(r->m, ice->controlling ? PL_STUN_ICE_CONTROLLING : PL_STUN_ICE_CONTROLLED, &theirs);
    if (!same)
        return true;
    ice->count.role_conflicts++;
    bool we_control = ice->tie_breaker >= theirs;
    if (we_control == ice->controlling) {
        answer(ice, r, 487);
        return false;
    }
    pl_ice_turn_role(ice, we_control, "a role conflict");
    return true;
}

/* ---- what it teaches ---- */

/* RFC 8445 7.3.1.3: a source we have not heard of is a peer-reflexive candidate. */
static ice_remote *learn_remote(pl_ice *ice, const request *r)
{
    ice_remote *remote = pl_ice_remote_find(r->session, &r->path->remote, r->path->proto);
    return remote ? remote : pl_ice_remote_new_prflx(ice, r->session, r->base, r->path, r->priority);
}

static void learn_nomination(pl_ice *ice, const request *r, ice_pair *p)
{
    uint32_t number;
    if (pl_stun_get_u32(r->m, ICE_STUN_NOMINATION, &number))
        number = 0;

    if (ice->conf.lite && !p->valid) { /* RFC 8445 7.3.2: a lite agent takes the peer's word */
        pl_ice_pair_enter(ice, p, PL_ICE_PAIR_SUCCEEDED, "nominated by the peer");
        pl_ice_on_valid(ice, p, true);
    }
    pl_ice_on_use_candidate(ice, p, number);
}

/* It is heard, but does not hear us: a few more checks, a second apart, since a way may open late. Two NATs that map by
 * port hear each other's checks on ever new pairs: of those nothing that was tried is tried again once patience is over, or
 * they would never end. */
static bool is_tired(const pl_ice *ice, const ice_pair *p)
{
    const ice_session *s = p->session;
    bool late = !s->established && ice->now_us > s->news_us + ice->conf.patience_us;
    if (late && p->remote->unsignaled)
        return p->n_checks > 0;
    if (p->n_checks < ICE_CHECKS_MAX)
        return false;
    return p->n_checks >= ICE_CHECKS_MAX + ICE_LATE_MAX || ice->now_us - p->last_check_us < PL_SEC(1);
}

/* RFC 8445 7.3.1.4: the peer's packet came through, so ours may now; also when one of ours is under way,
 * since it may have met a closed NAT. */
static void check_in_return(pl_ice *ice, ice_pair *p, bool wanted)
{
    if (p->valid || (is_tired(ice, p) && !wanted) || (pl_ice_nominated(p->session) && p->parked && !wanted))
        return;
    if (p->state == PL_ICE_PAIR_IN_PROGRESS || p->state == PL_ICE_PAIR_FAILED ||
        p->state == PL_ICE_PAIR_SUCCEEDED)
        pl_ice_pair_enter(ice, p, PL_ICE_PAIR_WAITING, "the peer's check came");
    pl_ice_trigger(ice, p);
}

/* False: there is no room for the pair. Then there is no answer, or the peer would take for usable what is not. */
static bool learn(pl_ice *ice, const request *r)
{
    ice_remote *remote = learn_remote(ice, r);
    ice_pair *p = remote ? pl_ice_pair_find(r->session, r->base, remote) : NULL;
    if (!p && remote)
        p = pl_ice_pair_new(ice, r->session, r->base, remote);
    if (!p)
        return false;
    p->requests_received++;
    p->responses_sent++;
    p->request_us = ice->now_us;
    if (p == r->session->selected)
        pl_ice_consent_heard(ice, r->session);
    else
        pl_ice_keep_peer_moves(ice, p);
    bool nominates = r->use_candidate && !ice->controlling;
    check_in_return(ice, p, nominates);
    if (nominates)
        learn_nomination(ice, r, p);
    return true;
}

/* After a restart the old session carries data and consent, but learns nothing new. */
static void learn_in_old_session(pl_ice *ice, const request *r)
{
    ice_pair *p = r->session->selected;
    if (!p || p->base != r->base || p->remote->proto != r->path->proto ||
        !pl_addr_eq(&p->remote->addr, &r->path->remote))
        return;
    p->requests_received++;
    p->responses_sent++;
    pl_ice_consent_heard(ice, r->session);
}

void pl_ice_on_request(pl_ice *ice, const pl_path *path, const pl_stun_msg *m)
{
    request r = { .m = m, .path = path };
    if (!authenticate(ice, &r))
        return;
    if (m->n_unknown) {
        ice->count.bad_request++;
        answer(ice, &r, 420);
        return;
    }
    r.use_candidate = pl_stun_has(m, PL_STUN_USE_CANDIDATE);
    if (pl_stun_get_u32(m, PL_STUN_PRIORITY, &r.priority)) {
        ice->count.bad_request++;
        answer(ice, &r, 400);
        return;
    }
    if (!roles_agree(ice, &r))
        return;
    if (r.session->lost)
        return; /* only a restart helps; with answers the peer would go on for ever */
    if (r.session != ice->cur)
        learn_in_old_session(ice, &r);
    else if (!learn(ice, &r))
        return;
    answer(ice, &r, 0);
}
