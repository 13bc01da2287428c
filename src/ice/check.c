/* Our requests: connectivity checks, consent checks and questions to STUN servers; their pacing,
 * retransmission and answers (RFC 8445 6.1.4, 7.2 and 14). */
#include <stdlib.h>

#include "ice/agent_internal.h"
#include "stun/integrity.h"

enum { TXS_MAX = 4 * PL_ICE_PAIRS_MAX };
#define STREAM_ANSWER_US   PL_SEC(8) /* for a connection to the peer, and for an answer on it */
#define PERMISSION_US      PL_MS(1)  /* for the request to the relay to leave before the check */
#define PERMISSION_MORE_US PL_MS(10) /* and for its answer, where that is needed */

/* ---- pacing ---- */

/* Virtual scheduling: every new transaction costs Ta, and a debt of burst times Ta is allowed, so a quiet
 * agent starts several at once. What answers an authenticated message of the peer (a triggered check, a
 * nomination) is paced by the peer already: once the debt is used up it adds none, and keeps only the 5 ms that RFC 8445
 * 14.2 asks of all. */
int64_t pl_ice_pace_at_us(const pl_ice *ice, bool urgent)
{
    int64_t by_debt_us = ice->pace_us - (ice->conf.burst - 1) * ice->conf.ta_us;
    if (!urgent)
        return by_debt_us;
    return pl_min_us(by_debt_us, ice->last_start_us + PL_MS(5));
}

void pl_ice_pay(pl_ice *ice, bool urgent)
{
    if (!urgent || pl_ice_pace_at_us(ice, false) <= ice->now_us)
        ice->pace_us = pl_max_us(ice->pace_us, ice->now_us) + ice->conf.ta_us;
    ice->last_start_us = ice->now_us;
}

/* ---- transactions ---- */

static uint32_t count_busy(const pl_ice *ice)
{
    uint32_t n = 0;
    PL_EACH (node, &ice->cur->pairs) {
        const ice_pair *p = pl_of(node, ice_pair, in_pairs);
        n += !p->parked && (p->state == PL_ICE_PAIR_WAITING || p->state == PL_ICE_PAIR_IN_PROGRESS);
    }
    return n;
}

/* RFC 8445 14.3: at least 500 ms and Ta for each of us, until the path's own round trip is known; then a
 * nomination that is lost comes again soon. */
static int64_t rto_us(const pl_ice *ice, const ice_pair *p)
{
    if (p->rtt_us > 0)
        return pl_min_us(pl_max_us(2 * p->rtt_us, PL_MS(100)), ice->conf.rto_us);
    return pl_max_us(ice->conf.rto_us, ice->conf.ta_us * count_busy(ice));
}

static ice_tx *tx_new(pl_ice *ice, ice_pair *p, ice_tx_kind kind)
{
    /* Doubling stops at two seconds: a hopeless pair is known after some 14 s instead of 39.5 s. */
    pl_stun_tx_conf conf = { .rto_us = rto_us(ice, p), .rto_max_us = PL_SEC(2), .rc = 7, .rm = 8 };
    uint32_t n = 0;
    PL_EACH (node, &ice->txs)
        n++;
    if (p->use_candidate && ice->controlling)
        conf.rc = 9; /* the pair works, so silence is loss: a nomination that fails costs the whole call */
    if (kind == ICE_TX_CONSENT) {
        conf.rto_us = pl_max_us(2 * p->rtt_us, PL_MS(200));
        conf.rc = 5; /* the next check comes after the fourth */
        conf.rm = 20;
    }
    if (p->base->proto == PL_TCP) /* the connection repeats what is lost (RFC 6544 7.1) */
        conf = (pl_stun_tx_conf){ .rto_us = STREAM_ANSWER_US, .rc = 1, .rm = 1 };
    ice_tx *tx = n < TXS_MAX ? calloc(1, sizeof *tx) : NULL;
    if (!tx)
        return NULL;
    pl_stun_tx_start(&tx->tx, &conf, &ice->conf.rand, ice->now_us);
    tx->kind = (uint8_t)kind;
    tx->pair = p;
    tx->base = p->base;
    tx->controlling = ice->controlling;
    pl_list_push_back(&ice->txs, &tx->in_txs);
    return tx;
}

static void tx_free(ice_tx *tx)
{
    pl_list_remove(&tx->in_txs);
    free(tx);
}

void pl_ice_drop_txs_of(pl_ice *ice, const ice_pair *p, const ice_base *base)
{
    PL_EACH (n, &ice->txs) {
        ice_tx *tx = pl_of(n, ice_tx, in_txs);
        if ((p && tx->pair == p) || (base && tx->base == base))
            tx_free(tx);
    }
}

/* A nomination under way is not stopped by the late answer to an earlier check. */
static void cancel_txs_of(pl_ice *ice, const ice_pair *p, bool nominations_too)
{
    PL_EACH (n, &ice->txs) {
        ice_tx *tx = pl_of(n, ice_tx, in_txs);
        if (tx->pair == p && tx->kind == ICE_TX_CHECK && (nominations_too || !tx->use_candidate))
            pl_stun_tx_cancel(&tx->tx, ice->now_us);
    }
}

/* A pair is nominated, or the session gives way to a new one: no check of it goes on (RFC 8445 8.1.2). Answers to those
 * that are out are still welcome. A nomination that is newer than the one just answered goes on. */
void pl_ice_park(pl_ice *ice, ice_session *s)
{
    PL_EACH (n, &s->pairs) {
        ice_pair *p = pl_of(n, ice_pair, in_pairs);
        p->parked = true;
        if (p->use_candidate && s == ice->cur)
            continue;
        pl_list_remove(&p->in_triggered);
        cancel_txs_of(ice, p, true);
        if (p->state == PL_ICE_PAIR_IN_PROGRESS)
            pl_ice_pair_enter(ice, p, PL_ICE_PAIR_WAITING, "checking is over");
        if (!p->valid)
            pl_ice_stream_release(ice, &p->stream);
    }
}

/* ---- building ---- */

static void put_username(pl_stun_wr *s, const ice_session *session)
{
    char text[PL_STUN_USERNAME_MAX];
    pl_wr w = pl_wr_init(text, sizeof text);
    pl_wr_bytes(&w, session->remote_ufrag, strlen(session->remote_ufrag));
    pl_wr_u8(&w, ':');
    pl_wr_bytes(&w, session->ufrag, strlen(session->ufrag));
    pl_stun_put_str(s, PL_STUN_USERNAME, (pl_str){ text, pl_wr_len(&w) });
}

static size_t build_check(const pl_ice *ice, const ice_tx *tx, uint8_t *out, size_t cap)
{
    const ice_session *session = tx->pair->session;
    pl_stun_wr s = pl_stun_begin(out, cap, PL_STUN_REQUEST, PL_STUN_BINDING, tx->tx.id);
    put_username(&s, session);
    pl_stun_put_u64(&s, tx->controlling ? PL_STUN_ICE_CONTROLLING : PL_STUN_ICE_CONTROLLED, ice->tie_breaker);
    if (tx->use_candidate)
        pl_stun_put_flag(&s, PL_STUN_USE_CANDIDATE);
    if (tx->use_candidate &&
        tx->pair->nomination > 1) /* the first needs no number, and no peer knows it then */
        pl_stun_put_u32(&s, ICE_STUN_NOMINATION, tx->pair->nomination);
    pl_stun_put_u32(&s, PL_STUN_PRIORITY, pl_ice_prflx_priority(tx->base));
    pl_stun_put_integrity(&s, session->remote_pwd, strlen(session->remote_pwd));
    pl_stun_put_fingerprint(&s);
    return pl_stun_end(&s);
}

static size_t build_question(const ice_tx *tx, uint8_t *out, size_t cap)
{
    pl_stun_wr s = pl_stun_begin(out, cap, PL_STUN_REQUEST, PL_STUN_BINDING, tx->tx.id);
    return pl_stun_end(&s);
}

static bool transmit(pl_ice *ice, ice_tx *tx, pl_dgram *out)
{
    bool gather = tx->kind == ICE_TX_GATHER;
    out->path = gather ? pl_ice_path(&tx->base->addr, &tx->server->addr) : pl_ice_pair_path(tx->pair);
    out->segment = 0;
    out->len = gather ? build_question(tx, out->data, out->cap) : build_check(ice, tx, out->data, out->cap);
    pl_stun_tx_sent(&tx->tx, ice->now_us);
    if (!gather && out->len) {
        tx->pair->requests_sent++;
        tx->pair->consent_requests_sent += tx->kind == ICE_TX_CONSENT;
    }
    return out->len > 0 && !pl_ice_relay_wrap(ice, tx->base, out);
}

/* ---- what to send ---- */

static void note_start(pl_ice *ice, ice_pair *p, bool urgent)
{
    p->last_check_us = ice->now_us;
    if (!p->first_check_us)
        p->first_check_us = ice->now_us;
    p->n_checks += p->n_checks < UINT8_MAX;
    pl_ice_pay(ice, urgent);
}

static void dial(pl_ice *ice, ice_pair *p)
{
    pl_addr local = p->base->addr;
    bool simultaneous = p->base->tcptype == PL_ICE_TCPTYPE_SO;
    if (!simultaneous)
        local.port = 0;
    pl_path path = pl_ice_path(&local, &p->remote->addr);
    p->stream = pl_ice_stream_new(ice, &path.local, &path.remote);
    if (!p->stream) {
        pl_ice_pair_give_up(ice, p, "no room for a connection");
        return;
    }
    p->stream->pair = p;
    p->stream->simultaneous = simultaneous;
    if (!p->valid)
        pl_ice_pair_enter(ice, p, PL_ICE_PAIR_IN_PROGRESS, "a connection is opened");
    note_start(ice, p, false);
}

static bool is_first_question(const ice_tx *tx)
{
    return tx->kind == ICE_TX_GATHER && tx->tx.n_sent == 0;
}

static bool may_check(const pl_ice *ice, const ice_session *s)
{
    return s->remote_pwd && !s->lost && !ice->conf.lite && !ice->closed;
}

/* The next pair to check, and when; *urgent when the peer has asked for it. */
static ice_pair *next_pair(const pl_ice *ice, bool *urgent, int64_t *at_us)
{
    ice_session *s = ice->cur;
    *urgent = false;
    *at_us = PL_NEVER;
    if (!may_check(ice, s))
        return NULL;
    pl_node *n = pl_list_first(&s->triggered);
    *urgent = n != NULL;
    ice_pair *p = n ? pl_of(n, ice_pair, in_triggered) : pl_ice_next_ordinary(ice, s);
    int64_t again_us = p ? ice->now_us : pl_ice_next_again_us(ice, s, &p);
    if (p)
        *at_us = pl_max_us(again_us, pl_ice_pace_at_us(ice, *urgent));
    return p;
}

static bool retransmit(pl_ice *ice, pl_dgram *out)
{
    PL_EACH (n, &ice->txs) {
        ice_tx *tx = pl_of(n, ice_tx, in_txs);
        if (!is_first_question(tx) && pl_stun_tx_due(&tx->tx, ice->now_us) && transmit(ice, tx, out))
            return true;
    }
    return false;
}

/* What its check needs before: a connection, a permission of the relay. False: the check has to wait. */
static bool is_ready(pl_ice *ice, ice_pair *p)
{
    bool dials = p->base->tcptype == PL_ICE_TCPTYPE_ACTIVE || p->base->tcptype == PL_ICE_TCPTYPE_SO;
    bool may = pl_ice_relay_may_check(ice, p);
    if (may && (!dials || (p->stream && p->stream->up)))
        return true;
    pl_list_remove(&p->in_triggered);
    if (!p->valid && p->state != PL_ICE_PAIR_IN_PROGRESS)
        pl_ice_pair_enter(ice, p, PL_ICE_PAIR_WAITING, "its turn");
    if (!may && pl_ice_relay_denies(p))
        pl_ice_pair_give_up(ice, p, "the relay does not permit this peer");
    else if (!may)
        p->hold_us = p->hold_us ? ice->now_us + PERMISSION_MORE_US : ice->now_us + PERMISSION_US;
    else if (!p->stream)
        dial(ice, p);
    return false;
}

static bool start_check(pl_ice *ice, pl_dgram *out)
{
    bool urgent;
    int64_t at_us;
    ice_pair *p;
    do {
        p = next_pair(ice, &urgent, &at_us);
        if (!p || at_us > ice->now_us)
            return false;
    } while (!is_ready(ice, p));
    cancel_txs_of(ice, p, true);
    ice_tx *tx = tx_new(ice, p, ICE_TX_CHECK);
    pl_list_remove(&p->in_triggered);
    if (!tx) { /* no memory: the pair gives way, or it would come again at once for ever */
        p->use_candidate = false;
        if (p->state == PL_ICE_PAIR_FROZEN)
            pl_ice_pair_enter(ice, p, PL_ICE_PAIR_WAITING, "its turn");
        if (!p->valid)
            pl_ice_pair_give_up(ice, p, "no room for its check");
        return false;
    }
    tx->use_candidate = p->use_candidate && ice->controlling;
    if (!p->valid) {
        if (p->state == PL_ICE_PAIR_FAILED || p->state == PL_ICE_PAIR_SUCCEEDED)
            pl_ice_pair_enter(ice, p, PL_ICE_PAIR_WAITING, "checked again");
        pl_ice_pair_enter(ice, p, PL_ICE_PAIR_IN_PROGRESS, urgent ? "triggered" : "its turn");
    }
    note_start(ice, p, urgent);
    return transmit(ice, tx, out);
}

static bool start_question(pl_ice *ice, pl_dgram *out)
{
    if (pl_ice_pace_at_us(ice, false) > ice->now_us)
        return false;
    PL_EACH (n, &ice->txs) {
        ice_tx *tx = pl_of(n, ice_tx, in_txs);
        if (is_first_question(tx)) {
            pl_ice_pay(ice, false);
            return transmit(ice, tx, out);
        }
    }
    return false;
}

bool pl_ice_next_request(pl_ice *ice, pl_dgram *out)
{
    return retransmit(ice, out) || start_check(ice, out) || start_question(ice, out);
}

static int64_t dials_next_us(const pl_ice *ice)
{
    int64_t next_us = PL_NEVER;
    PL_EACH (n, &ice->streams) {
        const ice_stream *s = pl_of(n, ice_stream, in_streams);
        if (s->pair && !s->up)
            next_us = pl_min_us(next_us, s->pair->last_check_us + STREAM_ANSWER_US);
    }
    return next_us;
}

int64_t pl_ice_requests_next_us(const pl_ice *ice)
{
    bool urgent;
    int64_t next_us;
    next_pair(ice, &urgent, &next_us);
    next_us = pl_min_us(next_us, pl_min_us(pl_ice_held_until_us(ice, ice->cur), dials_next_us(ice)));
    PL_EACH (n, &ice->txs) {
        const ice_tx *tx = pl_of(n, ice_tx, in_txs);
        next_us = pl_min_us(next_us, is_first_question(tx) ? pl_ice_pace_at_us(ice, false) : tx->tx.at_us);
    }
    return next_us;
}

bool pl_ice_start_consent(pl_ice *ice, ice_pair *p)
{
    PL_EACH (n, &ice->txs) { /* the former one is not repeated any more, its answer still counts */
        ice_tx *tx = pl_of(n, ice_tx, in_txs);
        if (tx->pair == p && tx->kind == ICE_TX_CONSENT)
            pl_stun_tx_cancel(&tx->tx, ice->now_us);
    }
    ice_tx *tx = tx_new(ice, p, ICE_TX_CONSENT);
    if (tx)
        tx->use_candidate = p->nominated && ice->controlling;
    return tx != NULL;
}

/* ---- answers ---- */

static ice_tx *find_tx(const pl_ice *ice, const pl_stun_msg *m)
{
    PL_EACH (n, &ice->txs) {
        ice_tx *tx = pl_of(n, ice_tx, in_txs);
        if (pl_stun_tx_is(&tx->tx, m))
            return tx;
    }
    return NULL;
}

/* A check got no usable answer: RFC 8445 7.2.5.2. */
static void check_failed(pl_ice *ice, ice_pair *p, const char *why)
{
    pl_ice_pair_give_up(ice, p, why);
}

/* RFC 8445 7.2.5.3.1: the mapped address names the local candidate of the valid pair, perhaps a new one. */
static void discover_local(pl_ice *ice, ice_pair *p, const pl_addr *mapped)
{
    ice_local *l = pl_ice_local_find(ice, p->base, mapped);
    if (!l)
        l = pl_ice_local_new(ice, p->base, PL_ICE_PRFLX, mapped, NULL);
    if (!l || l == p->local)
        return;
    p->local = l;
    pl_ice_pair_reprioritise(ice, p->session);
}

static void note_rtt(pl_ice *ice, const ice_tx *tx)
{
    int64_t rtt_us;
    ice_pair *p = tx->pair;
    p->responses_received++;
    if (pl_stun_tx_rtt(&tx->tx, ice->now_us, &rtt_us) || !p->rtt_us) {
        p->rtt_us = pl_max_us(rtt_us, 1);
        p->srtt_us = p->srtt_us ? p->srtt_us + (p->rtt_us - p->srtt_us) / 4 : p->rtt_us;
        p->total_rtt_us += p->rtt_us;
        pl_ice_keep_measured(ice, p);
    } else {
        p->total_rtt_us += p->rtt_us;
    }
}

static void on_success(pl_ice *ice, ice_tx *tx, const pl_stun_msg *m)
{
    ice_pair *p = tx->pair;
    pl_addr mapped;
    bool used_candidate = tx->use_candidate && tx->controlling == ice->controlling;
    if (pl_stun_get_xor_addr(m, PL_STUN_XOR_MAPPED_ADDRESS, &mapped)) {
        ice->count.stray_response++;
        return;
    }
    note_rtt(ice, tx);
    tx_free(tx);
    if (mapped.family == p->base->addr.family)
        discover_local(ice, p, &mapped);
    p->answered_us = ice->now_us;
    p->n_checks = 0;
    cancel_txs_of(ice, p, used_candidate);
    pl_ice_pair_enter(ice, p, PL_ICE_PAIR_SUCCEEDED, "answered");
    pl_ice_unfreeze_like(ice, p);
    pl_ice_on_valid(ice, p, used_candidate);
    pl_ice_consent_answered(ice, p);
    pl_ice_keep_tick(ice, p->session); /* perhaps it has come for a silent one */
}

/* RFC 8445 7.2.5.1: the peer keeps the role we spoke in, so we take the other and ask again. */
static void on_role_conflict(pl_ice *ice, const ice_tx *tx)
{
    ice->count.role_conflicts++;
    if (tx->controlling == ice->controlling)
        pl_ice_turn_role(ice, !ice->controlling, "the peer insists");
    if (!tx->pair->valid)
        pl_ice_trigger(ice, tx->pair);
}

static void on_error(pl_ice *ice, ice_tx *tx, const pl_stun_msg *m)
{
    uint16_t code;
    pl_str reason;
    ice_pair *p = tx->pair;
    ice_tx_kind kind = (ice_tx_kind)tx->kind;
    if (pl_stun_get_error(m, &code, &reason)) {
        ice->count.stray_response++;
        return;
    }
    if (code == 487)
        on_role_conflict(ice, tx);
    tx_free(tx);
    if (code != 487 && kind == ICE_TX_CHECK)
        check_failed(ice, p, "refused");
}

/* RFC 8445 7.2.5.2.1: an answer comes from where the request went, to where it left. */
static bool is_way_back(const ice_tx *tx, const pl_path *path)
{
    pl_path asked = tx->kind == ICE_TX_GATHER ? pl_ice_path(&tx->base->addr, &tx->server->addr)
                                              : pl_ice_pair_path(tx->pair);
    asked.remote.scope = 0; /* as pl_ice_input makes it */
    return asked.proto == path->proto && pl_addr_eq(&asked.remote, &path->remote) &&
           pl_addr_eq(&asked.local, &path->local);
}

void pl_ice_on_response(pl_ice *ice, const pl_path *path, const pl_stun_msg *m)
{
    ice_tx *tx = find_tx(ice, m);
    if (!tx || !is_way_back(tx, path)) {
        ice->count.stray_response++;
        return;
    }
    if (tx->kind == ICE_TX_GATHER) {
        pl_ice_gather_answer(ice, tx, m);
        tx_free(tx);
        pl_ice_gather_update(ice);
        pl_ice_consider(ice, ice->cur);
        return;
    }
    const char *pwd = tx->pair->session->remote_pwd;
    if (pl_stun_check_integrity(m, pwd, strlen(pwd))) {
        ice->count.bad_integrity++; /* forged, or a peer that does not know us yet: we ask again */
        return;
    }
    if (m->cls == PL_STUN_SUCCESS && m->n_unknown == 0)
        on_success(ice, tx, m);
    else
        on_error(ice, tx, m);
}

static void expire_dials(pl_ice *ice)
{
    PL_EACH (n, &ice->streams) {
        const ice_stream *s = pl_of(n, ice_stream, in_streams);
        if (s->pair && !s->up && ice->now_us >= s->pair->last_check_us + STREAM_ANSWER_US)
            pl_ice_pair_give_up(ice, s->pair, "no connection");
    }
}

static bool has_check(const pl_ice *ice, const ice_pair *p)
{
    PL_EACH (n, &ice->txs) {
        const ice_tx *tx = pl_of(n, ice_tx, in_txs);
        if (tx->pair == p && tx->kind == ICE_TX_CHECK)
            return true;
    }
    return false;
}

static ice_tx *dead_tx(const pl_ice *ice)
{
    PL_EACH (n, &ice->txs) {
        ice_tx *tx = pl_of(n, ice_tx, in_txs);
        if (pl_stun_tx_dead(&tx->tx, ice->now_us))
            return tx;
    }
    return NULL;
}

/* Transactions nobody answered. The last one of a pair takes the pair with it, and with that others of the list:
 * so each begins anew. */
void pl_ice_expire_txs(pl_ice *ice)
{
    bool gathered = false;
    expire_dials(ice);
    for (ice_tx *tx; (tx = dead_tx(ice));) {
        ice_pair *p = tx->kind == ICE_TX_CHECK ? tx->pair : NULL;
        bool was_nomination = tx->use_candidate;
        int64_t began_us = tx->tx.sent_us;
        gathered = gathered || tx->kind == ICE_TX_GATHER;
        if (tx->kind == ICE_TX_GATHER && !tx->quiet)
            pl_ice_trouble(ice, &tx->base->addr, tx->server->url, 0, "no answer");
        tx_free(tx);
        if (!p || has_check(ice, p) || pl_node_linked(&p->in_triggered))
            continue;
        bool stale = p->valid && p != p->session->selected && p->answered_us < began_us;
        if (p->state == PL_ICE_PAIR_IN_PROGRESS || stale || (p->valid && was_nomination && !p->nominated))
            check_failed(ice, p, "no answer");
    }
    if (gathered)
        pl_ice_gather_update(ice);
}
