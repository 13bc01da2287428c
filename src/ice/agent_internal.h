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
#include "turn/client.h"

enum {
    ICE_TROUBLES_MAX = 8,
    ICE_RELAYED_MAX = 2 * PL_ICE_TURNS_MAX, /* relayed addresses: IPv4 and IPv6 of each allocation */
    ICE_ACTIVE_PORT = 9, /* RFC 6544 4.5: of candidates whose port is not known before they connect */
    ICE_CHECKS_MAX = 16, /* begun on one pair without any success */
    ICE_LATE_MAX = 8,    /* and after those, when the peer is heard on it */
    ICE_AGAIN_MAX = 9,   /* of them, early ones because the first was perhaps lost */
    ICE_AGAIN_EVEN = 7,  /* at even distances; then twice as long each time */
    /* Of draft-thatcher-ice-renomination, as libwebrtc sends and heeds it: of two nominations the larger counts. A
     * reader that does not know it may ignore it. */
    ICE_STUN_NOMINATION = 0xc001
};

#define ICE_FOUNDATION_US    PL_MS(500)
#define ICE_AGAIN_US         PL_MS(13)
#define ICE_AGAIN_RELAYED_US PL_MS(60)
#define ICE_SILENCE_US                                                                                       \
    PL_SEC(1) /* UDP is blocked when it is silent so long and a connection has brought a relay */

typedef struct ice_session ice_session;
typedef struct ice_pair ice_pair;
typedef struct ice_turn ice_turn;
typedef struct ice_stream ice_stream;

typedef struct ice_base {
    pl_node in_bases;
    pl_addr addr, related;
    uint32_t foundation_host; /* of its own candidate; the pairs' foundations are made of it */
    uint16_t local_pref, network_id, network_cost;
    uint8_t type; /* PL_ICE_HOST or PL_ICE_RELAY */
    uint8_t proto, tcptype;
    ice_turn *turn; /* the allocation of a relayed address; NULL: somebody else's, or none */
    char *mdns;     /* told in place of the address */
} ice_base;

typedef struct ice_local {
    pl_node in_locals;
    ice_base *base;
    pl_addr addr, related;
    uint32_t id, priority, foundation;
    uint8_t type;
    bool told;       /* given out as an event, or never to be */
    const char *url; /* of the server that showed it, or NULL; the agent's */
} ice_local;

typedef struct ice_remote {
    pl_node in_remotes;
    pl_addr addr, related;
    uint32_t id, priority;
    uint16_t network_id, network_cost;
    uint8_t type, proto, tcptype;
    bool unsignaled, through_relay; /* counts against PL_ICE_PRFLX_MAX, for direct ones or the others */
    char foundation[PL_ICE_FOUNDATION_MAX + 1]; /* of a peer-reflexive one: "" until signaled */
} ice_remote;

typedef struct ice_server {
    pl_addr addr;
    char url[PL_ADDR_TEXT_MAX + 8];
} ice_server;

typedef struct ice_turn_server {
    pl_addr addr;
    uint8_t proto;
    bool tls;
    uint32_t id;
    char *username, *password, *url;
} ice_turn_server;

typedef enum ice_turn_state {
    ICE_TURN_WAITING, /* until begin_us */
    ICE_TURN_CONNECTING,
    ICE_TURN_ALLOCATING,
    ICE_TURN_READY,
    ICE_TURN_OVER /* until a restart or a new network */
} ice_turn_state;

/* One allocation, wanted or standing: from one base over UDP, or over one connection. */
struct ice_turn {
    pl_node in_turns;
    uint8_t state; /* ice_turn_state */
    const ice_turn_server *server;
    ice_base *base;     /* UDP: whose socket it uses; NULL with a stream */
    ice_stream *stream; /* NULL until it is asked for */
    pl_turn *core;      /* NULL before it begins and between two tries */
    pl_addr at;         /* the server, or where it has sent us */
    char name[PL_ICE_NAME_MAX + 1];
    uint8_t n_redirects, n_failures;
    int64_t begin_us;      /* when to begin or try again; PL_NEVER: not needed */
    int64_t not_before_us; /* after a loss */
    int64_t asked_us;      /* when it began */
};

/* A connection the driver opens for us. Without an owner it only waits for its end to be told. */
struct ice_stream {
    pl_node in_streams;
    uint32_t id;
    pl_addr local, remote;
    ice_turn *turn;
    ice_pair *pair;
    bool simultaneous, told, up;
};

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
    bool parked;        /* there before a nomination, so not checked any more unless that pair fails */
    bool decisive;      /* controlled: the peer has said that this nomination is newer than all before */
    bool use_candidate; /* controlling: the next check nominates */
    bool nominate_on_success;              /* controlled: the peer has nominated it, our check is still out */
    uint32_t nomination;                   /* controlling: which of ours it is, from 1 */
    int64_t nominated_us;                  /* when the peer last said USE-CANDIDATE */
    int64_t answered_us;                   /* last answer of the peer: consent runs from here */
    int64_t request_us;                    /* last request of the peer */
    int64_t first_check_us, last_check_us; /* when the first and the newest check began; 0: none yet */
    int64_t hold_us;                       /* no check before */
    int64_t keep_at_us;                    /* of a pair kept for bad times: its next check; 0: not kept */
    int64_t rtt_us, total_rtt_us;
    int64_t srtt_us;    /* smoothed (RFC 6298), for comparison; 0: unknown */
    uint8_t n_checks;   /* begun without success */
    uint8_t n_faster;   /* in so many measurements in a row it was faster than the selected one */
    ice_stream *stream; /* of an active or simultaneous-open TCP pair */
    int64_t last_sent_us, last_received_us;
    uint64_t packets_sent, packets_received, bytes_sent, bytes_received;
    uint32_t requests_sent, requests_received, responses_sent, responses_received, consent_requests_sent;
};

struct ice_session {
    char *ufrag, *pwd, *remote_ufrag, *remote_pwd; /* remote ones NULL until set */
    pl_list remotes, waiting, pairs, triggered;
    ice_pair *selected;
    uint32_t n_remotes, n_prflx[2], n_waiting, n_pairs;
    bool remote_lite, remote_done;
    bool established;     /* has had a nominated pair */
    bool failed;          /* every hope is gone, but a new candidate or check revives it */
    bool lost;            /* consent has run out: only a restart helps */
    int64_t started_us;   /* checking began; PL_NEVER before */
    int64_t news_us;      /* a candidate came last then */
    int64_t valid_us;     /* the first pair became valid; PL_NEVER: none is */
    int64_t grace_at_us;  /* controlling: nominate the best valid pair then */
    int64_t alone_us;     /* established, but without a path since then; else PL_NEVER */
    int64_t moved_us;     /* last change from one nominated pair to another */
    bool hurried, looked; /* consent: the answer is wanted soon; all pairs were given another chance */
    uint32_t n_nominations, their_nomination;
    int64_t consent_at_us; /* next consent check */
    int64_t asked_us;      /* first consent check since the last answer; PL_NEVER: all answered */
    int64_t heard_us;      /* last sign of life on the selected pair */
    int64_t taken_us;      /* when it was selected */
};

typedef enum ice_tx_kind { ICE_TX_CHECK, ICE_TX_CONSENT, ICE_TX_GATHER } ice_tx_kind;
typedef struct ice_tx {
    pl_node in_txs;
    pl_stun_tx tx;
    ice_pair *pair; /* NULL when gathering */
    ice_base *base;
    const ice_server *server; /* when gathering */
    uint8_t kind;
    bool use_candidate, controlling; /* what the request said */
    bool quiet;                      /* gathering does not wait for it */
} ice_tx;

typedef struct ice_answer {
    pl_node in_answers;
    pl_path path;
    ice_base *base;
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
    pl_list bases, locals, txs, answers, turns, streams;
    ice_server server[PL_ICE_SERVERS_MAX];
    ice_turn_server turn_server[PL_ICE_TURN_SERVERS_MAX];
    uint32_t n_servers, n_turn_servers, n_bases, n_relayed, n_locals, n_answers, n_turns, n_streams;
    uint32_t next_id, next_stream;
    uint16_t n_bases_ever4, n_bases_ever6;
    int64_t gather_us;     /* gathering began, or began again */
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
    pl_ice_server_trouble trouble[ICE_TROUBLES_MAX]; /* not yet told */
    uint32_t n_troubles;
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
ice_remote *pl_ice_remote_find(const ice_session *s, const pl_addr *addr, uint8_t proto);
/* NULL: the table is full or memory is. */
ice_remote *pl_ice_remote_new(pl_ice *ice, ice_session *s, const pl_addr *addr, uint8_t proto);
/* One that only a check has shown. Their number is small: two symmetric NATs make a new one with every check. */
ice_remote *pl_ice_remote_new_prflx(pl_ice *ice, ice_session *s, const ice_base *base, const pl_path *path,
                                    uint32_t priority);

/* ---- gather.c: bases, local candidates, servers ---- */
/* tcptype PL_ICE_TCPTYPE_NONE: over UDP. */
ice_base *pl_ice_base_find(const pl_ice *ice, const pl_addr *addr, uint8_t tcptype);
pl_err pl_ice_base_new(pl_ice *ice, const pl_ice_base *base, ice_turn *turn);
void pl_ice_base_drop(pl_ice *ice, ice_base *b);
bool pl_ice_may_ask(const pl_ice *ice, const ice_base *b, const pl_addr *server);
/* A server sees this base at that address. */
void pl_ice_gather_mapped(pl_ice *ice, ice_base *b, const pl_addr *mapped, const pl_addr *server,
                          const char *url);
void pl_ice_gather_ask_again(pl_ice *ice,
                             bool quiet); /* every STUN server, quietly: the state stays complete */
void pl_ice_gather_again(pl_ice *ice);    /* before more is asked for: its time begins anew if it was over */
int64_t pl_ice_gather_next_us(const pl_ice *ice);
ice_local *pl_ice_local_find(const pl_ice *ice, const ice_base *base, const pl_addr *addr);
ice_local *pl_ice_local_new(pl_ice *ice, ice_base *base, pl_ice_type type, const pl_addr *addr,
                            const pl_addr *server);
uint32_t pl_ice_local_priority(pl_ice_type type, const ice_base *base);
uint32_t pl_ice_prflx_priority(const ice_base *base);
void pl_ice_gather_answer(pl_ice *ice, ice_tx *tx, const pl_stun_msg *m);
void pl_ice_gather_update(pl_ice *ice);
void pl_ice_gather_tell_again(pl_ice *ice);

/* ---- relay.c: allocations on TURN servers ---- */
void pl_ice_relay_base_added(pl_ice *ice, ice_base *b);
void pl_ice_relay_base_gone(pl_ice *ice, const ice_base *b);
void pl_ice_relay_again(pl_ice *ice);
void pl_ice_relay_tick(pl_ice *ice);
int64_t pl_ice_relay_next_us(const pl_ice *ice);
bool pl_ice_relay_output(pl_ice *ice, pl_dgram *out);
void pl_ice_relay_stream_up(pl_ice *ice, ice_turn *t);
void pl_ice_relay_stream_down(pl_ice *ice, ice_turn *t);
void pl_ice_relay_close(pl_ice *ice);
void pl_ice_relay_free(pl_ice *ice);
bool pl_ice_relay_asking(const pl_ice *ice);
bool pl_ice_relay_by_stream(const pl_ice *ice);
pl_ice_relay_proto pl_ice_relay_proto_of(const ice_turn *t);
void pl_ice_relay_conclude(pl_ice *ice, ice_turn *t); /* after anything was done with its core */

/* ---- relay_data.c: peers and data of those allocations ---- */
void pl_ice_relay_permit(pl_ice *ice, const ice_base *b, const pl_addr *peer);
bool pl_ice_relay_may_check(pl_ice *ice, const ice_pair *p);
bool pl_ice_relay_denies(const ice_pair *p);
void pl_ice_relay_bind(pl_ice *ice, const ice_pair *p);
void pl_ice_relay_unbind(pl_ice *ice, const ice_pair *p);
void pl_ice_relay_probe(pl_ice *ice, const ice_pair *p);
pl_err pl_ice_relay_wrap(pl_ice *ice, const ice_base *b, pl_dgram *d); /* nothing without an allocation */

/* ---- stream.c: connections the driver opens for us ---- */
ice_stream *pl_ice_stream_new(pl_ice *ice, const pl_addr *local, const pl_addr *remote);
void pl_ice_stream_release(pl_ice *ice, ice_stream **at);
ice_pair *pl_ice_stream_pair(const pl_ice *ice, const pl_path *path);
bool pl_ice_tell_stream(pl_ice *ice, pl_ice_event *out);
/* trouble.c. local NULL: no base; url: the agent's; code 0: silence */
void pl_ice_trouble(pl_ice *ice, const pl_addr *local, const char *url, uint16_t code, const char *reason);
bool pl_ice_tell_trouble(pl_ice *ice, pl_ice_event *out);
void pl_ice_streams_free(pl_ice *ice);

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
int64_t pl_ice_held_until_us(const pl_ice *ice, const ice_session *s);
int64_t pl_ice_next_again_us(const pl_ice *ice, const ice_session *s, ice_pair **first);
bool pl_ice_pair_is_live(const ice_pair *p); /* may still become valid by itself */
bool pl_ice_pair_is_relayed(const ice_pair *p);
bool pl_ice_pair_is_far(
    const ice_pair *p); /* not between private addresses: NATs and firewalls may stand between */
pl_path pl_ice_pair_path(const ice_pair *p);
void pl_ice_pair_give_up(pl_ice *ice, ice_pair *p, const char *why); /* nothing comes through it (any more) */

/* ---- check.c: our requests ---- */
int64_t pl_ice_pace_at_us(const pl_ice *ice, bool urgent);
void pl_ice_pay(pl_ice *ice, bool urgent); /* a transaction begins */
bool pl_ice_next_request(pl_ice *ice, pl_dgram *out);
int64_t pl_ice_requests_next_us(const pl_ice *ice);
bool pl_ice_start_consent(pl_ice *ice, ice_pair *p);
void pl_ice_on_response(pl_ice *ice, const pl_path *path, const pl_stun_msg *m);
void pl_ice_expire_txs(pl_ice *ice);
void pl_ice_drop_txs_of(pl_ice *ice, const ice_pair *p, const ice_base *base);
void pl_ice_park(pl_ice *ice,
                 ice_session *s); /* no check goes on: a pair is nominated, or a restart has begun */

/* ---- answer.c: the peer's requests ---- */
void pl_ice_on_request(pl_ice *ice, const pl_path *path, const pl_stun_msg *m);
bool pl_ice_next_answer(pl_ice *ice, pl_dgram *out);
/* Those of a session, or of a base, or all. */
void pl_ice_drop_answers(pl_ice *ice, const ice_session *s, const ice_base *b);
void pl_ice_turn_role(pl_ice *ice, bool controlling, const char *why);

/* ---- nominate.c: which pair ---- */
void pl_ice_on_valid(pl_ice *ice, ice_pair *p, bool used_candidate);
/* number: of the NOMINATION attribute, 0 without. */
void pl_ice_on_use_candidate(pl_ice *ice, ice_pair *p, uint32_t number);
void pl_ice_on_invalid(pl_ice *ice, ice_pair *p);
void pl_ice_consider(pl_ice *ice, ice_session *s); /* nominate now, if it is time */
ice_pair *pl_ice_nominated(const ice_session *s);
int pl_ice_rank(const ice_pair *p);                          /* how direct it is */
bool pl_ice_move(pl_ice *ice, ice_pair *p, const char *why); /* controlling: nominates another pair */

/* ---- consent.c: is the peer still there ---- */
void pl_ice_consent_start(pl_ice *ice, ice_session *s);
void pl_ice_consent_answered(pl_ice *ice, ice_pair *p);
void pl_ice_consent_heard(pl_ice *ice, ice_session *s);
void pl_ice_consent_hurry(pl_ice *ice, ice_session *s);  /* a check now, and little patience */
int64_t pl_ice_consent_interval_us(const pl_ice *ice);   /* until the next one, drawn anew */
int64_t pl_ice_consent_weak_at_us(const ice_session *s); /* when the selected pair must be doubted */
void pl_ice_consent_tick(pl_ice *ice, ice_session *s);
int64_t pl_ice_consent_next_us(const pl_ice *ice, const ice_session *s);
bool pl_ice_consent_silent(const pl_ice *ice, const ice_session *s);

/* ---- keep.c: pairs beside the selected one ---- */
void pl_ice_keep_start(pl_ice *ice, ice_session *s);
void pl_ice_keep_tick(pl_ice *ice, ice_session *s);
int64_t pl_ice_keep_next_us(const pl_ice *ice, const ice_session *s);
void pl_ice_keep_measured(pl_ice *ice, ice_pair *p); /* its round-trip time is known anew */
void pl_ice_keep_peer_moves(pl_ice *ice,
                            const ice_pair *p);       /* the peer checks another pair than the selected */
void pl_ice_look_around(pl_ice *ice, ice_session *s); /* everything is worth a check again */

/* ---- state.c ---- */
const ice_pair *pl_ice_data_pair(const pl_ice *ice);
void pl_ice_update_state(pl_ice *ice);

#endif
