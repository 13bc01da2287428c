/* Our requests: connectivity checks, consent checks and questions to STUN servers; their pacing,
 * retransmission and answers (RFC 8445 6.1.4, 7.2 and 14). */
#include <stdlib.h>

#include "ice/agent_internal.h"
#include "stun/integrity.h"

enum { TXS_MAX = 4 * PL_ICE_PAIRS_MAX };

/* ---- pacing ---- */

/* Virtual scheduling: every new transaction costs Ta, and a debt of burst times Ta is allowed, so a quiet
 * agent starts several at once. What answers an authenticated message of the peer (a triggered check, a
 * nomination) is paced by the peer already and keeps only the 5 ms that RFC 8445 14.2 asks of all. */
int64_t pl_ice_pace_at_us(const pl_ice *ice, bool urgent)
{
    int64_t by_debt_us = ice->pace_us - (ice->conf.burst - 1) * ice->conf.ta_us;
    if (!urgent)
        return by_debt_us;
    return pl_min_us(by_debt_us, ice->last_start_us + PL_MS(5));
}

static void pay(pl_ice *ice)
{
    ice->pace_us = pl_max_us(ice->pace_us, ice->now_us) + ice->conf.ta_us;
    ice->last_start_us = ice->now_us;
}

/* ---- transactions ---- */

static uint32_t count_busy(const pl_ice *ice)
{
    uint32_t n = 0;
    PL_EACH (node, &ice->txs)
        n++;
    PL_EACH (node, &ice->cur->pairs)
        n += pl_of(node, ice_pair, in_pairs)->state == PL_ICE_PAIR_WAITING;
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
    if (kind == ICE_TX_CONSENT) {
        conf.rto_us = pl_max_us(conf.rto_us, PL_MS(500));
        conf.rc = 4; /* the next check comes after the third */
        conf.rm = 12;
    }
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

/* A pair is nominated, or the session gives way to a new one: no check of it goes on (RFC 8445 8.1.2). */
void pl_ice_cancel_checks(pl_ice *ice, ice_session *s)
{
    PL_EACH (n, &s->triggered)
        pl_list_remove(n);
    PL_EACH (n, &s->pairs) {
        ice_pair *p = pl_of(n, ice_pair, in_pairs);
        cancel_txs_of(ice, p, true);
        if (p->state == PL_ICE_PAIR_IN_PROGRESS)
            pl_ice_pair_enter(ice, p, PL_ICE_PAIR_WAITING, "checking is over");
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
    out->path = pl_ice_path(&tx->base->addr, gather ? &tx->server : &tx->pair->remote->addr);
    out->segment = 0;
    out->len = gather ? build_question(tx, out->data, out->cap) : build_check(ice, tx, out->data, out->cap);
    pl_stun_tx_sent(&tx->tx, ice->now_us);
    if (!gather && out->len) {
        tx->pair->requests_sent++;
        tx->pair->consent_requests_sent += tx->kind == ICE_TX_CONSENT;
    }
    return out->len > 0;
}

/* ---- what to send ---- */

static bool is_first_question(const ice_tx *tx)
{
    return tx->kind == ICE_TX_GATHER && tx->tx.n_sent == 0;
}

static bool may_check(const pl_ice *ice, const ice_session *s)
{
    return s->remote_pwd && !s->lost && !ice->conf.lite && !ice->closed;
}

/* The next pair to check; *urgent when the peer has asked for it. */
static ice_pair *next_pair(const pl_ice *ice, bool *urgent)
{
    ice_session *s = ice->cur;
    if (!may_check(ice, s))
        return NULL;
    pl_node *n = pl_list_first(&s->triggered);
    *urgent = n != NULL;
    return n ? pl_of(n, ice_pair, in_triggered) : pl_ice_next_ordinary(ice, s);
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

static bool start_check(pl_ice *ice, pl_dgram *out)
{
    bool urgent = false;
    ice_pair *p = next_pair(ice, &urgent);
    if (!p || pl_ice_pace_at_us(ice, urgent) > ice->now_us)
        return false;
    cancel_txs_of(ice, p, true);
    ice_tx *tx = tx_new(ice, p, ICE_TX_CHECK);
    pl_list_remove(&p->in_triggered);
    if (!tx) { /* no memory: the pair gives way, or it would come again at once for ever */
        p->use_candidate = false;
        if (p->state == PL_ICE_PAIR_FROZEN)
            pl_ice_pair_enter(ice, p, PL_ICE_PAIR_WAITING, "its turn");
        if (!p->valid)
            pl_ice_pair_enter(ice, p, PL_ICE_PAIR_FAILED, "no room for its check");
        return false;
    }
    tx->use_candidate = p->use_candidate && ice->controlling;
    if (!p->valid) {
        if (p->state == PL_ICE_PAIR_FAILED || p->state == PL_ICE_PAIR_SUCCEEDED)
            pl_ice_pair_enter(ice, p, PL_ICE_PAIR_WAITING, "checked again");
        pl_ice_pair_enter(ice, p, PL_ICE_PAIR_IN_PROGRESS, urgent ? "triggered" : "its turn");
    }
    pay(ice);
    return transmit(ice, tx, out);
}

static bool start_question(pl_ice *ice, pl_dgram *out)
{
    if (pl_ice_pace_at_us(ice, false) > ice->now_us)
        return false;
    PL_EACH (n, &ice->txs) {
        ice_tx *tx = pl_of(n, ice_tx, in_txs);
        if (is_first_question(tx)) {
            pay(ice);
            return transmit(ice, tx, out);
        }
    }
    return false;
}

bool pl_ice_next_request(pl_ice *ice, pl_dgram *out)
{
    return retransmit(ice, out) || start_check(ice, out) || start_question(ice, out);
}

int64_t pl_ice_requests_next_us(const pl_ice *ice)
{
    bool urgent = false;
    int64_t next_us = PL_NEVER;
    if (next_pair(ice, &urgent))
        next_us = pl_ice_pace_at_us(ice, urgent);
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
    p->use_candidate = false;
    if (p->state != PL_ICE_PAIR_FROZEN)
        pl_ice_pair_enter(ice, p, PL_ICE_PAIR_FAILED, why);
    pl_ice_on_invalid(ice, p);
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
        p->total_rtt_us += p->rtt_us;
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
    cancel_txs_of(ice, p, used_candidate);
    pl_ice_pair_enter(ice, p, PL_ICE_PAIR_SUCCEEDED, "answered");
    pl_ice_unfreeze_like(ice, p);
    pl_ice_on_valid(ice, p, used_candidate);
    pl_ice_consent_answered(ice, p);
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

void pl_ice_on_response(pl_ice *ice, const pl_path *path, const pl_stun_msg *m)
{
    ice_tx *tx = find_tx(ice, m);
    const pl_addr *asked = !tx ? NULL : tx->kind == ICE_TX_GATHER ? &tx->server : &tx->pair->remote->addr;
    if (!tx || !pl_addr_eq(asked, &path->remote) || !pl_addr_eq(&tx->base->addr, &path->local)) {
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

/* Transactions nobody answered. The last one of a pair takes the pair with it. */
void pl_ice_expire_txs(pl_ice *ice)
{
    bool gathered = false;
    PL_EACH (n, &ice->txs) {
        ice_tx *tx = pl_of(n, ice_tx, in_txs);
        if (!pl_stun_tx_dead(&tx->tx, ice->now_us))
            continue;
        ice_pair *p = tx->kind == ICE_TX_CHECK ? tx->pair : NULL;
        bool was_nomination = tx->use_candidate;
        gathered = gathered || tx->kind == ICE_TX_GATHER;
        tx_free(tx);
        bool other = false;
        PL_EACH (k, &ice->txs)
            other = other ||
                    (pl_of(k, ice_tx, in_txs)->pair == p && pl_of(k, ice_tx, in_txs)->kind == ICE_TX_CHECK);
        if (!p || other || pl_node_linked(&p->in_triggered))
            continue;
        if (p->state == PL_ICE_PAIR_IN_PROGRESS || (p->valid && was_nomination && !p->nominated))
            check_failed(ice, p, "no answer");
    }
    if (gathered)
        pl_ice_gather_update(ice);
}
