/* agent_internal.h - what the rooms of the ICE agent share; nobody outside ice/ includes it.
 * A session is what one pair of credentials makes: remote candidates, pairs, selection, consent. After a
 * restart the former session stays beside the new one until the new one has selected a pair, or for a
 * rollback. Bases and local candidates belong to the agent and outlive sessions. */
#ifndef PL_ICE_AGENT_INTERNAL_H
#define PL_ICE_AGENT_INTERNAL_H

#include "base/list.h"
#include "base/log.h"
#include "ice/agent.h"
#include "stun/message.h"
#include "stun/transaction.h"

typedef struct ice_session ice_session;
typedef struct ice_pair ice_pair;

typedef struct ice_base {
    pl_node in_bases;
    pl_addr addr, related;
    uint32_t foundation_host; /* of its own candidate; the pairs' foundations are made of it */
    uint16_t local_pref, network_id, network_cost;
    uint8_t type; /* PL_ICE_HOST or PL_ICE_RELAY */
} ice_base;

typedef struct ice_local {
    pl_node in_locals;
    ice_base *base;
    pl_addr addr, related;
    uint32_t id, priority, foundation;
    uint8_t type;
    bool told; /* given out as an event, or never to be */
} ice_local;

typedef struct ice_remote {
    pl_node in_remotes;
    pl_addr addr, related;
    uint32_t id, priority;
    uint16_t network_id, network_cost;
    uint8_t type;
    char foundation[PL_ICE_FOUNDATION_MAX + 1]; /* of a peer-reflexive one: "" until signaled */
} ice_remote;

/* A signaled candidate that cannot be paired yet: no credentials, or no address. */
typedef struct ice_waiting {
    pl_node in_waiting;
    bool asked; /* PL_ICE_EV_RESOLVE was given out */
    pl_ice_cand cand;
} ice_waiting;

struct ice_pair {
    pl_node in_pairs;     /* by falling priority */
    pl_node in_triggered; /* linked while a triggered check is due */
    ice_session *session;
    ice_base *base;
    ice_local *local; /* base's own candidate until a response shows the mapped one (RFC 8445 7.2.5.3.1) */
    ice_remote *remote;
    uint64_t priority;
    uint32_t id;
    uint8_t state; /* pl_ice_pair_state */
    bool valid;
    bool nominated;
    bool use_candidate;       /* controlling: the next check nominates */
    bool nominate_on_success; /* controlled: the peer has nominated it, our check is still out */
    int64_t nominated_us;     /* when the peer last said USE-CANDIDATE */
    int64_t answered_us;      /* last answer of the peer: consent runs from here */
    int64_t rtt_us, total_rtt_us;
    int64_t last_sent_us, last_received_us;
    uint64_t packets_sent, packets_received, bytes_sent, bytes_received;
    uint32_t requests_sent, requests_received, responses_sent, responses_received, consent_requests_sent;
};

struct ice_session {
    char *ufrag, *pwd, *remote_ufrag, *remote_pwd; /* remote ones NULL until set */
    pl_list remotes, waiting, pairs, triggered;
    ice_pair *selected;
    uint32_t n_remotes, n_waiting, n_pairs;
    bool remote_lite, remote_done;
    bool failed;           /* every hope is gone, but a new candidate or check revives it */
    bool lost;             /* consent has run out: only a restart helps */
    int64_t started_us;    /* checking began; PL_NEVER before */
    int64_t grace_at_us;   /* controlling: nominate the best valid pair then */
    int64_t consent_at_us; /* next consent check */
    int64_t asked_us;      /* first consent check since the last answer; PL_NEVER: all answered */
    int64_t heard_us;      /* last sign of life on the selected pair */
};

typedef enum ice_tx_kind { ICE_TX_CHECK, ICE_TX_CONSENT, ICE_TX_GATHER } ice_tx_kind;
typedef struct ice_tx {
    pl_node in_txs;
    pl_stun_tx tx;
    ice_pair *pair; /* NULL when gathering */
    ice_base *base;
    pl_addr server; /* when gathering */
    uint8_t kind;
    bool use_candidate, controlling; /* what the request said */
} ice_tx;

typedef struct ice_answer {
    pl_node in_answers;
    pl_path path;
    uint16_t code; /* 0: success */
    uint16_t n_unknown;
    uint16_t unknown[PL_STUN_UNKNOWN_MAX];
    uint8_t id[PL_STUN_ID_LEN];
    ice_session *session; /* whose password signs it */
} ice_answer;

struct pl_ice {
    pl_ice_conf conf; /* ufrag and pwd NULL, defaults filled in */
    pl_log log;
    int64_t now_us; /* of the verb that runs */
    uint64_t tie_breaker;
    uint8_t foundation_key[16];
    bool controlling, closed, bases_done;
    pl_list bases, locals, txs, answers;
    pl_addr server[PL_ICE_SERVERS_MAX];
    uint32_t n_servers, n_bases, n_locals, n_answers, next_id;
    uint16_t n_bases_ever4, n_bases_ever6;
    int64_t pace_us;       /* when the pacer's debt is paid: see pl_ice_pace_at_us */
    int64_t last_start_us; /* of any new transaction */
    ice_session *cur, *prev;
    pl_ice_gathering gathering;
    pl_ice_state state;
    struct {
        pl_ice_state state;
        pl_ice_gathering gathering;
        pl_path selected;
        bool any_selected, controlling;
    } told;
    pl_ice_counters count;
};

/* The way between a base and a remote address. Remote addresses are kept without scope, since signaled ones have none;
 * a link-local one is reached through the base's interface. */
static inline pl_path pl_ice_path(const pl_addr *base, const pl_addr *remote)
{
    pl_path path = { .local = *base, .remote = *remote };
    path.remote.scope = remote->family == PL_AF_IP6 && pl_addr_is_link_local(remote) ? base->scope : 0;
    return path;
}

/* ---- session.c: what the descriptions said ---- */
ice_session *pl_ice_session_new(pl_ice *ice, const char *ufrag, const char *pwd);
void pl_ice_session_free(pl_ice *ice, ice_session *s);
bool pl_ice_own_credentials_ok(const char *ufrag, const char *pwd);
ice_remote *pl_ice_remote_find(const ice_session *s, const pl_addr *addr);
/* NULL: the table is full or memory is. */
ice_remote *pl_ice_remote_new(pl_ice *ice, ice_session *s, const pl_addr *addr);

/* ---- gather.c: bases, local candidates, servers ---- */
ice_base *pl_ice_base_find(const pl_ice *ice, const pl_addr *addr);
ice_local *pl_ice_local_find(const pl_ice *ice, const ice_base *base, const pl_addr *addr);
ice_local *pl_ice_local_new(pl_ice *ice, ice_base *base, pl_ice_type type, const pl_addr *addr,
                            const pl_addr *server);
uint32_t pl_ice_prflx_priority(const ice_base *base);
void pl_ice_gather_answer(pl_ice *ice, ice_tx *tx, const pl_stun_msg *m);
void pl_ice_gather_update(pl_ice *ice);
void pl_ice_gather_tell_again(pl_ice *ice);

/* ---- checklist.c: pairs and their order ---- */
/* Pairs a remote candidate with every base, or a base with every remote candidate; old pairs stay. */
void pl_ice_pair_remote(pl_ice *ice, ice_session *s, ice_remote *r);
void pl_ice_pair_base(pl_ice *ice, ice_session *s, ice_base *base);
ice_pair *pl_ice_pair_find(const ice_session *s, const ice_base *base, const ice_remote *r);
ice_pair *pl_ice_pair_new(pl_ice *ice, ice_session *s, ice_base *base, ice_remote *r);
void pl_ice_pair_free(pl_ice *ice, ice_pair *p);
void pl_ice_pair_reprioritise(pl_ice *ice, ice_session *s);
void pl_ice_pair_enter(pl_ice *ice, ice_pair *p, pl_ice_pair_state to, const char *why);
void pl_ice_unfreeze_like(pl_ice *ice, const ice_pair *p);
void pl_ice_trigger(pl_ice *ice, ice_pair *p);
ice_pair *pl_ice_next_ordinary(const pl_ice *ice, const ice_session *s);
bool pl_ice_pair_is_live(const ice_pair *p); /* may still become valid by itself */

/* ---- check.c: our requests ---- */
int64_t pl_ice_pace_at_us(const pl_ice *ice, bool urgent);
bool pl_ice_next_request(pl_ice *ice, pl_dgram *out);
int64_t pl_ice_requests_next_us(const pl_ice *ice);
bool pl_ice_start_consent(pl_ice *ice, ice_pair *p);
void pl_ice_on_response(pl_ice *ice, const pl_path *path, const pl_stun_msg *m);
void pl_ice_expire_txs(pl_ice *ice);
void pl_ice_drop_txs_of(pl_ice *ice, const ice_pair *p, const ice_base *base);
void pl_ice_cancel_checks(pl_ice *ice, ice_session *s);

/* ---- answer.c: the peer's requests ---- */
void pl_ice_on_request(pl_ice *ice, const pl_path *path, const pl_stun_msg *m);
bool pl_ice_next_answer(pl_ice *ice, pl_dgram *out);
void pl_ice_drop_answers(pl_ice *ice, const ice_session *s);
void pl_ice_turn_role(pl_ice *ice, bool controlling, const char *why);

/* ---- nominate.c: which pair ---- */
void pl_ice_on_valid(pl_ice *ice, ice_pair *p, bool used_candidate);
void pl_ice_on_use_candidate(pl_ice *ice, ice_pair *p);
void pl_ice_on_invalid(pl_ice *ice, ice_pair *p);
void pl_ice_consider(pl_ice *ice, ice_session *s); /* nominate now, if it is time */
ice_pair *pl_ice_nominated(const ice_session *s);

/* ---- consent.c: is the peer still there ---- */
void pl_ice_consent_start(pl_ice *ice, ice_session *s);
void pl_ice_consent_answered(pl_ice *ice, ice_pair *p);
void pl_ice_consent_heard(pl_ice *ice, ice_session *s);
void pl_ice_consent_tick(pl_ice *ice, ice_session *s);
int64_t pl_ice_consent_next_us(const pl_ice *ice, const ice_session *s);
bool pl_ice_consent_silent(const pl_ice *ice, const ice_session *s);

/* ---- state.c ---- */
void pl_ice_update_state(pl_ice *ice);

#endif
