/* agent.h - one ICE agent with one data stream of one component, as a sans-I/O core.
 * Source   RFC 8445 (full agent; lite with conf->lite), RFC 8838 (trickle), RFC 8839 (SDP), RFC 7675
 *          (consent), RFC 8421 (IPv6), RFC 8863 (patience), RFC 6544 (TCP), RFC 8656 (relays, through turn/),
 *          W3C webrtc-pc 5.6 for the states.
 * Shape    new gives, free takes. Packets, calls and the time come in; packets, events and the next deadline
 *          come out. After any input or call drain pl_ice_poll_output and pl_ice_poll_event, in any order.
 *          Sockets and connections belong to the driver; the agent names them by their addresses (pl_path) and
 *          asks for connections with PL_ICE_EV_CONNECT.
 * Units    microseconds of one monotonic clock.
 * Errors   the peer's are counters (pl_ice_counters); a caller's are returned.
 * Thread   belongs to one loop; no call may come from another. */
#ifndef PL_ICE_AGENT_H
#define PL_ICE_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/rand.h"
#include "base/time.h"
#include "ice/candidate.h"

enum {
    PL_ICE_BASES_MAX = 32,       /* sockets of one agent; relayed addresses have a limit of their own */
    PL_ICE_SERVERS_MAX = 8,      /* STUN servers */
    PL_ICE_TURN_SERVERS_MAX = 8, /* TURN servers: an address, a protocol and credentials */
    PL_ICE_TURNS_MAX = 16,       /* allocations, tried or standing; each gives up to two relayed addresses */
    PL_ICE_STREAMS_MAX = 32,     /* connections asked for at one time */
    PL_ICE_LOCALS_MAX = 96,      /* local candidates, peer-reflexive ones included */
    PL_ICE_REMOTES_MAX = 96,     /* remote candidates */
    PL_ICE_PRFLX_MAX = 8, /* of them peer-reflexive ones that nobody signaled; as many more through relays */
    PL_ICE_PAIRS_MAX = 128,  /* pairs; the lowest priorities give way (RFC 8445 6.1.2.5) */
    PL_ICE_ANSWERS_MAX = 32, /* responses waiting for poll_output; older ones give way, peers retransmit */
    PL_ICE_DGRAM_MAX = 1280  /* room poll_output needs; a message never exceeds this */
};

typedef struct pl_ice pl_ice;

typedef enum pl_ice_state { /* RTCIceTransportState */
                            PL_ICE_NEW,
                            PL_ICE_CHECKING,
                            PL_ICE_CONNECTED,
                            PL_ICE_COMPLETED,
                            PL_ICE_DISCONNECTED,
                            PL_ICE_FAILED,
                            PL_ICE_CLOSED
} pl_ice_state;
typedef enum pl_ice_gathering {
    PL_ICE_GATHER_NEW,
    PL_ICE_GATHERING,
    PL_ICE_GATHER_COMPLETE
} pl_ice_gathering;

/* What the agent does without: pl_ice_conf.without is a set of these. Types are about our own candidates: without
 * host and server-reflexive ones only relays are used. */
enum {
    PL_ICE_NO_HOST = 1,
    PL_ICE_NO_SRFLX = 2,
    PL_ICE_NO_RELAY = 4,
    PL_ICE_NO_IP4 = 8,
    PL_ICE_NO_IP6 = 16,
    PL_ICE_NO_UDP = 32, /* between us and the peer: UDP candidates, relayed ones included */
    PL_ICE_NO_TCP = 64
};

typedef struct pl_ice_conf {
    bool controlling;
    bool lite;        /* we answer checks and send none */
    bool relay_only;  /* only relayed candidates are told and used (iceTransportPolicy "relay") */
    uint32_t without; /* PL_ICE_NO_... */
    pl_rand rand;
    uint32_t log_id;
    const char *ufrag; /* NULL: made up here, 4 + 24 ice-chars; both or neither */
    const char *pwd;
    /* Zero in any of these means the default. */
    int64_t ta_us;         /* pacing of new transactions: 15 ms; never under 5 ms */
    uint32_t burst;        /* that many may start at once before pacing holds: 5 */
    int64_t rto_us;        /* first retransmission: 500 ms until the round-trip time is known */
    int64_t grace_us;      /* longest wait for a better pair once one is valid: 200 ms */
    int64_t patience_us;   /* not FAILED sooner after checking began (RFC 8863's timer): 15 s */
    int64_t consent_us;    /* between consent checks, then randomised by 20 %: 5 s; never under 5 s */
    int64_t expiry_us;     /* without an answer, consent is gone: 30 s */
    int64_t disconnect_us; /* without a sign of life after an unanswered check: 5 s */
    int64_t fallback_us;   /* TURN over streams is tried when UDP has brought no relay for so long: 300 ms */
    int64_t switch_us;     /* between two moves to a faster pair: 10 s; PL_NEVER: none */
    uint32_t pairs_max;    /* at most PL_ICE_PAIRS_MAX: 100 */
} pl_ice_conf;

/* One local socket. local_pref 0: made from the order of addition (RFC 8421, IPv6 first).
 * With PL_TCP, tcptype says what it is: PASSIVE, a listener; SO, a bound port for simultaneous open; ACTIVE, an
 * address to connect from, whose port does not matter (the candidate says 9). */
typedef struct pl_ice_base {
    pl_addr addr;
    uint8_t type;    /* PL_ICE_HOST, or PL_ICE_RELAY for an allocation that somebody else made */
    uint8_t proto;   /* pl_proto */
    uint8_t tcptype; /* pl_ice_tcptype */
    pl_addr related; /* for PL_ICE_RELAY: the mapped address */
    uint16_t local_pref;
    uint16_t network_id, network_cost; /* written into candidates when network_id is not 0 */
    const char *mdns; /* "x.local": told in place of the address, which stays hidden then; NULL: none */
} pl_ice_base;

/* One way to a TURN server. The texts are copied. */
typedef struct pl_ice_turn_server {
    pl_addr addr;
    uint8_t proto; /* PL_UDP, or PL_TCP: over a connection of the driver's */
    bool tls; /* within TLS (the connection's), or DTLS (the driver's, around what goes to this address) */
    const char *username, *password;
    const char *url; /* for statistics: "turn:example.org:3478?transport=tcp"; NULL: made from the address */
    uint32_t id;     /* the driver's number for it, given back in pl_ice_connect */
} pl_ice_turn_server;

/* ---- the verbs ---- */
/* conf is read and not kept; conf->rand.ctx must outlive the agent. Errors: PL_ENOMEM, PL_EINVAL (ufrag,
 * pwd). */
PL_NODISCARD pl_err pl_ice_new(pl_ice **out, const pl_ice_conf *conf, int64_t now_us);
/* A datagram that looked like STUN (RFC 7983: first byte 0..3). Anything else is counted and dropped.
 * path->local is a base that was added. */
void pl_ice_input(pl_ice *ice, int64_t now_us, const pl_path *path, const uint8_t *pkt, size_t len);
void pl_ice_tick(pl_ice *ice, int64_t now_us);
int64_t pl_ice_next_us(const pl_ice *ice);
/* The next datagram to send, into out->data (out->cap at least PL_ICE_DGRAM_MAX); false: nothing now. One message a
 * datagram, segment stays 0. What goes through a relay is wrapped already. */
bool pl_ice_poll_output(pl_ice *ice, int64_t now_us, pl_dgram *out);

typedef enum pl_ice_event_kind {
    PL_ICE_EV_STATE,     /* u.state */
    PL_ICE_EV_GATHERING, /* u.gathering */
    PL_ICE_EV_CANDIDATE, /* u.candidate: a local candidate to signal; all come before GATHER_COMPLETE */
    PL_ICE_EV_SELECTED,  /* u.selected: data goes this way from now on (first: any valid pair, early) */
    PL_ICE_EV_RESOLVE,   /* u.name: a remote candidate's mDNS name; answer with pl_ice_resolved */
    PL_ICE_EV_ROLE,      /* u.controlling: a role conflict turned our role */
    PL_ICE_EV_CONNECT,   /* u.connect: open a connection; answer with pl_ice_stream_up or _down */
    PL_ICE_EV_DISCONNECT, /* u.stream: the agent needs that connection no more (also while it is being opened) */
    PL_ICE_EV_SERVER      /* u.server: a STUN or TURN server gave us nothing */
} pl_ice_event_kind;

/* A connection the agent wants. To a TURN server messages follow each other as stun/stream.h cuts them; to a peer each
 * stands behind its length (RFC 4571). The agent is given, and gives, whole messages without frames, with path.proto
 * PL_TCP and path.local and .remote the connection's addresses. */
typedef struct pl_ice_connect {
    uint32_t stream; /* its number, never 0 and never used again */
    pl_addr local;   /* bind to this; port 0: any */
    pl_addr remote;
    bool simultaneous; /* RFC 6544 simultaneous open: the port is shared with the base's socket */
    bool to_turn, tls;
    uint32_t server_id; /* with to_turn: pl_ice_turn_server.id */
    char
        server_name[PL_ICE_NAME_MAX + 1]; /* after a redirection: the name to ask for; "": the server's own */
} pl_ice_connect;

/* W3C RTCPeerConnectionIceErrorEvent. */
enum { PL_ICE_SERVER_SILENT = 701, PL_ICE_TROUBLE_TEXT_MAX = 79 };
typedef struct pl_ice_server_trouble {
    pl_addr local;   /* the base that asked; none: a connection, or nobody */
    const char *url; /* lent until the agent is freed */
    uint16_t code;   /* of STUN, or PL_ICE_SERVER_SILENT */
    char reason[PL_ICE_TROUBLE_TEXT_MAX + 1];
} pl_ice_server_trouble;

typedef struct pl_ice_event {
    pl_ice_event_kind kind;
    union {
        pl_ice_state state;
        pl_ice_gathering gathering;
        pl_ice_cand candidate;
        pl_path selected;
        char name[PL_ICE_NAME_MAX + 1];
        bool controlling;
        pl_ice_connect connect;
        uint32_t stream;
        pl_ice_server_trouble server;
    } u;
} pl_ice_event;
bool pl_ice_poll_event(pl_ice *ice, pl_ice_event *out);
/* Asserts the agent's invariants. */
void pl_ice_check(const pl_ice *ice);
/* NULL is fine. */
void pl_ice_free(pl_ice *ice);

/* ---- what the driver tells ---- */
/* A socket is bound: gives a host candidate. Errors: PL_ENOSPC, PL_ENOMEM, PL_EINVAL (address any, multicast,
 * port 0, or known already). Also after bases_done (a new network): gathering starts again, and a call that has lost its
 * path, or has a worse one, moves. */
PL_NODISCARD pl_err pl_ice_add_base(pl_ice *ice, int64_t now_us, const pl_ice_base *base);
/* The UDP socket is gone: its candidates and pairs go too. When it carried data, the next valid pair takes over at
 * once; with none the state is DISCONNECTED while another is looked for. */
void pl_ice_remove_base(pl_ice *ice, int64_t now_us, const pl_addr *base);
void pl_ice_remove_tcp_base(pl_ice *ice, int64_t now_us, const pl_addr *base, pl_ice_tcptype tcptype);
/* A STUN server's resolved address: every base of its family asks it for a reflexive candidate. Before or
 * after the bases. Errors: PL_ENOSPC, PL_ENOMEM. */
PL_NODISCARD pl_err pl_ice_add_stun_server(pl_ice *ice, int64_t now_us, const pl_addr *server);
/* Every base of its family asks it for a relayed candidate (UDP), or one connection does (PL_TCP). Over UDP it serves as
 * STUN server too. Streams wait until UDP has failed or been silent for conf->fallback_us. Errors: PL_ENOSPC, PL_ENOMEM,
 * PL_EINVAL (address), PL_ESTATE (closed). */
PL_NODISCARD pl_err pl_ice_add_turn_server(pl_ice *ice, int64_t now_us, const pl_ice_turn_server *server);
/* A server that cannot be asked, since its name has no address: PL_ICE_EV_SERVER follows, with that url, lent until the
 * agent is freed. */
void pl_ice_server_failed(pl_ice *ice, int64_t now_us, const char *url, const char *reason);
/* The answers to PL_ICE_EV_CONNECT; an unknown number is ignored (the agent has given it up meanwhile). local: where it is
 * bound. down also tells that a connection that was up has closed. */
void pl_ice_stream_up(pl_ice *ice, int64_t now_us, uint32_t stream, const pl_addr *local);
void pl_ice_stream_down(pl_ice *ice, int64_t now_us, uint32_t stream);
/* A connection that a PASSIVE base accepted needs no announcement: its first message names it. This tells that it has
 * closed. */
void pl_ice_accepted_down(pl_ice *ice, int64_t now_us, const pl_path *path);
/* Whether an accepted connection belongs to the peer. The driver closes those that do not within some seconds, and the
 * oldest of them when there are too many. */
bool pl_ice_wants_accepted(const pl_ice *ice, const pl_path *path);
/* No more bases and servers: GATHER_COMPLETE comes once no request to a server is open. */
void pl_ice_bases_done(pl_ice *ice, int64_t now_us);

/* ---- what the session description tells ---- */
const char *pl_ice_ufrag(const pl_ice *ice); /* of the newest generation; valid until restart or free */
const char *pl_ice_pwd(const pl_ice *ice);
/* Makes credentials to be given to conf or pl_ice_restart later: an offer may be created and never
 * applied. */
void pl_ice_make_credentials(const pl_rand *rand, char ufrag[PL_ICE_UFRAG_MAX + 1],
                             char pwd[PL_ICE_PWD_MAX + 1]);
/* The peer's credentials; the same ones again change nothing. Other ones are a restart by the peer and need
 * pl_ice_restart before them: PL_ESTATE. Other errors: PL_EPROTO (lengths, characters), PL_ENOMEM. */
PL_NODISCARD pl_err pl_ice_set_remote(pl_ice *ice, int64_t now_us, const char *ufrag, const char *pwd,
                                      bool lite);
/* A candidate of the peer, also before set_remote (kept). One of another generation (its ufrag extension says
 * so), one we have no use for, or one known already is ignored with PL_OK. Errors: PL_ENOSPC, PL_ENOMEM. */
PL_NODISCARD pl_err pl_ice_add_remote(pl_ice *ice, int64_t now_us, const pl_ice_cand *c);
/* The answer to PL_ICE_EV_RESOLVE; addr (its port is ignored) NULL when nobody answered. */
void pl_ice_resolved(pl_ice *ice, int64_t now_us, const char *name, const pl_addr *addr);
void pl_ice_remote_done(pl_ice *ice, int64_t now_us); /* end-of-candidates */
/* The role by description (RFC 8445 6.1.1); a conflict may still turn it. */
void pl_ice_set_controlling(pl_ice *ice, int64_t now_us, bool controlling);
bool pl_ice_is_controlling(const pl_ice *ice);
/* A new generation: new credentials (NULL, NULL: made up), candidates are told again, remote ones forgotten.
 * The selected pair carries data, and keeps its consent, until the new generation has selected one. Errors:
 * PL_ENOMEM, PL_EINVAL; then nothing has changed. */
PL_NODISCARD pl_err pl_ice_restart(pl_ice *ice, int64_t now_us, const char *ufrag, const char *pwd);
/* Back to the generation before an unanswered restart (JSEP rollback). PL_ESTATE when the peer has answered
 * or there was no restart. */
PL_NODISCARD pl_err pl_ice_rollback(pl_ice *ice, int64_t now_us);
/* Stops everything; state CLOSED. What poll_output still gives returns the allocations to their servers. */
void pl_ice_close(pl_ice *ice, int64_t now_us);

/* ---- relays: data of others through our allocations ---- */
/* Before anything else is done with a received packet: one from a TURN server of ours is looked into. False: it was the
 * server's own word and is consumed. True: path, pkt and len are those of the datagram inside, path->local the relayed
 * address; or of the packet itself, when it came from elsewhere. */
bool pl_ice_unwrap(pl_ice *ice, int64_t now_us, pl_path *path, uint8_t **pkt, size_t *len);
/* A datagram, or a row of them, for a path that pl_ice_selected gave: when path.local is a relayed address it is
 * rewritten in place for the server; else nothing happens. Errors, the datagram being lost then: PL_ENOSPC (less room
 * behind d->len than pl_ice_overhead a datagram), PL_ESTATE (the relay is gone). */
PL_NODISCARD pl_err pl_ice_wrap(pl_ice *ice, int64_t now_us, pl_dgram *d);
/* Most bytes that pl_ice_wrap adds to each datagram on that path; 0 without a relay. */
size_t pl_ice_overhead(const pl_ice *ice, const pl_path *path);

/* ---- state ---- */
pl_ice_state pl_ice_get_state(const pl_ice *ice);
pl_ice_gathering pl_ice_get_gathering(const pl_ice *ice);
/* Where data goes now: the nominated pair, before nomination the best valid one. False: nowhere, or consent
 * gone. */
bool pl_ice_selected(const pl_ice *ice, pl_path *out);
/* Authenticated media or DTLS came over the path: a sign of life against DISCONNECTED, but not consent. */
void pl_ice_heard(pl_ice *ice, int64_t now_us);
const char *pl_ice_state_str(pl_ice_state s); /* W3C's names */
const char *pl_ice_gathering_str(pl_ice_gathering s);

/* ---- statistics (W3C webrtc-stats) ---- */
/* Data over the selected pair, counted by the caller. */
void pl_ice_count_sent(pl_ice *ice, int64_t now_us, uint32_t packets, uint64_t bytes);
void pl_ice_count_received(pl_ice *ice, int64_t now_us, uint32_t packets, uint64_t bytes);

typedef enum pl_ice_pair_state { /* RTCStatsIceCandidatePairState */
                                 PL_ICE_PAIR_FROZEN,
                                 PL_ICE_PAIR_WAITING,
                                 PL_ICE_PAIR_IN_PROGRESS,
                                 PL_ICE_PAIR_FAILED,
                                 PL_ICE_PAIR_SUCCEEDED
} pl_ice_pair_state;
typedef enum pl_ice_relay_proto { /* RTCIceServerTransportProtocol */
                                  PL_ICE_RELAY_NONE,
                                  PL_ICE_RELAY_UDP,
                                  PL_ICE_RELAY_TCP,
                                  PL_ICE_RELAY_TLS
} pl_ice_relay_proto;
typedef struct pl_ice_cand_info {
    uint32_t id; /* unique within the agent */
    bool remote;
    uint8_t type, proto, tcptype;
    uint8_t relay_proto;         /* pl_ice_relay_proto, of our relayed candidates */
    const char *url;             /* of the server that gave it, lent until the next verb; NULL: none */
    pl_addr addr, related, base; /* base: of local candidates */
    uint32_t priority;
    uint16_t network_id, network_cost;
    char foundation[PL_ICE_FOUNDATION_MAX + 1];
} pl_ice_cand_info;
typedef struct pl_ice_pair_info {
    uint32_t id, local_id, remote_id;
    pl_ice_pair_state state;
    bool nominated, selected;
    uint64_t priority;
    uint64_t packets_sent, packets_received, bytes_sent, bytes_received;
    int64_t last_sent_us, last_received_us; /* of data; 0: never */
    int64_t rtt_us, total_rtt_us;           /* current (0: unknown) and sum over responses_received */
    uint32_t requests_sent, requests_received, responses_sent, responses_received;
    uint32_t consent_requests_sent;
} pl_ice_pair_info;
/* Copy out up to cap entries and return how many there are. */
size_t pl_ice_get_candidates(const pl_ice *ice, pl_ice_cand_info *out, size_t cap);
size_t pl_ice_get_pairs(const pl_ice *ice, pl_ice_pair_info *out, size_t cap);
/* The selected pair; false when there is none. */
bool pl_ice_get_selected_pair(const pl_ice *ice, pl_ice_pair_info *out);

typedef struct pl_ice_counters {
    uint64_t not_stun;       /* datagrams that do not parse, or have a bad fingerprint */
    uint64_t unknown_base;   /* path->local names no base */
    uint64_t bad_integrity;  /* wrong password, or none */
    uint64_t bad_username;   /* not our ufrag */
    uint64_t bad_request;    /* attributes missing or unknown */
    uint64_t stray_response; /* to no transaction of ours, or from another address */
    uint64_t role_conflicts;
    uint64_t answers_dropped; /* more than PL_ICE_ANSWERS_MAX waited */
    uint64_t selected_changes;
} pl_ice_counters;
const pl_ice_counters *pl_ice_get_counters(const pl_ice *ice);
const char *pl_ice_pair_state_str(pl_ice_pair_state s);   /* W3C's names */
const char *pl_ice_relay_proto_str(pl_ice_relay_proto p); /* "udp", "tcp", "tls", "" */

#endif
