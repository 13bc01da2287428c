/* relay_internal.h - the inside of a relay, shared by the files of this folder.
 * Shape    private. relay.c (life, time, operator), batch.c (outputs), client.c and peer.c (the two ways of data),
 *          request.c (who asks, and what is answered), allocate.c, refresh.c, permit.c and tcp.c (what is asked),
 *          carry.c (between threads), peers.c, tuples.c and wheel.c (tables and time). */
#ifndef PL_RELAY_RELAY_INTERNAL_H
#define PL_RELAY_RELAY_INTERNAL_H

#include "base/hash.h"
#include "base/list.h"
#include "base/log.h"
#include "relay/peers.h"
#include "relay/relay.h"
#include "relay/tuples.h"
#include "relay/wheel.h"

enum {
    RELAY_DGRAMS_MAX = 1024, /* of one batch */
    RELAY_TX_MAX = 512,
    RELAY_BYTES_MAX = 64 * 1024, /* what one batch builds: answers, headers of indications */
    RELAY_ANSWER_MAX = 1024 + PL_STUN_CHALLENGE_MAX,
    RELAY_NONE = 0xffff,
    RELAY_FETCH_MAX = 16,
    RELAY_UNAUTH_SLOTS = 4096,
    RELAY_ANSWER_LANES = 64,
    RELAY_TOKEN_LEN = 8,
    RELAY_TICKET_LEN = 1 + 8 + 15, /* thread, allocation, tag */
    RELAY_REQUESTED_UDP = 17,      /* REQUESTED-TRANSPORT: protocol numbers of IANA */
    RELAY_REQUESTED_TCP = 6
};

/* ---- batch ---- */

typedef struct relay_dgram {
    const uint8_t *head; /* before the data; NULL: in head4, or none */
    const uint8_t *data;
    uint32_t len; /* of data */
    uint16_t head_len;
    uint16_t next;
    uint8_t pad; /* zeros behind it */
    uint8_t head4[4];
} relay_dgram;

typedef struct relay_tx {
    pl_path path;
    void *sock;
    pl_relay_conn *conn;
    uint32_t len, segment;
    uint16_t first, last, n;
    uint8_t kind; /* pl_relay_out_kind */
    uint8_t each;
    uint8_t tos, from;
    bool dont_fragment, stream, binding;
    bool closed; /* takes no more */
    bool void_;  /* its connection is gone */
} relay_tx;

/* Whom a tx is for, and how. */
typedef struct relay_to {
    uint8_t kind, each, tos;
    bool dont_fragment;
    void *sock;
    pl_relay_conn *conn;
    const pl_addr *local, *remote; /* NULL on connections */
} relay_to;

/* A request that waits for what another thread has. */
typedef struct relay_fetch {
    bool wanted;
    uint32_t thread;
    pl_relay_claim claim;
    void *sock;
    pl_relay_conn *conn;
    pl_path path;
    pl_slice message;
} relay_fetch;

/* ---- objects ---- */

/* How a request is answered that had to wait for the driver. */
typedef struct relay_late {
    uint8_t txid[PL_STUN_ID_LEN];
    bool sign, sha256, fingerprint;
} relay_late;

typedef enum relay_port_state {
    RELAY_PORT_OPENING,
    RELAY_PORT_OPEN,
    RELAY_PORT_RESERVED,
    RELAY_PORT_CLOSING
} relay_port_state;

struct pl_relay_port {
    pl_node in_all, in_work;   /* in_work: something to tell the driver, open or close it */
    struct relay_alloc *owner; /* NULL: reserved or closing */
    void *sock;
    pl_addr relayed;
    pl_relay_port *next; /* of a pair, while the driver opens it: the one to be reserved */
    uint8_t state;       /* relay_port_state */
    uint8_t family;      /* pl_family */
    bool even, tcp;
};

typedef struct relay_reservation {
    pl_hash_node in_tokens;
    relay_timer timer;
    pl_relay_port *port;
    uint8_t token[RELAY_TOKEN_LEN];
    uint64_t user; /* pl_stun_auth_known.user */
    int64_t end_us;
} relay_reservation;

typedef enum relay_link_state {
    RELAY_LINK_CONNECTING, /* Connect waits for the driver */
    RELAY_LINK_WAITING,    /* for its ConnectionBind */
    RELAY_LINK_SPLICED,
    RELAY_LINK_CLOSING /* the driver is to close it; then it is freed */
} relay_link_state;

struct pl_relay_link {
    pl_node in_alloc; /* of its allocation */
    pl_node in_work;
    pl_hash_node in_links;
    relay_timer timer;
    struct relay_alloc *alloc; /* NULL: CLOSING */
    pl_relay_conn *conn;       /* SPLICED */
    void *sock;
    pl_addr peer;
    int64_t end_us;
    uint32_t id; /* CONNECTION-ID */
    uint8_t state;
    bool asked; /* the driver was told to connect */
    relay_late late;
};

struct pl_relay_conn {
    pl_node in_all;
    pl_node in_work; /* to be closed */
    void *sock;
    pl_path path;
    struct relay_alloc *alloc;
    pl_relay_link *link;
    uint8_t transport; /* pl_relay_transport */
    bool closing;
};

enum { RELAY_NEWS_ALLOCATED = 1, RELAY_NEWS_MOVED = 2, RELAY_NEWS_ENDED = 4 };

typedef struct relay_alloc {
    /* what packets touch */
    pl_path client;
    void *sock;
    pl_relay_conn *conn;
    pl_relay_port *port[2]; /* IPv4, IPv6 */
    relay_peers peers;
    int64_t up_full_ns, down_full_ns; /* when the buckets would be empty again (GCRA) */
    pl_relay_usage usage;
    relay_lane down;   /* to the client */
    uint8_t transport; /* pl_relay_transport */
    bool tcp;          /* RFC 6062 */
    bool pending;      /* the driver has not opened all ports yet */
    bool dead;
    bool tabled; /* in the table of 5-tuples */
    bool mobile;
    uint8_t news;
    uint8_t why;            /* pl_relay_why */
    bool has_token;         /* the answer tells it */
    uint16_t port_error[2]; /* why there is none of that family */
    /* what requests touch */
    relay_timer timer;
    int64_t timer_us, end_us, since_us; /* timer_us: when the timer fires; not later than end_us */
    uint64_t id, user_key, client_key;  /* the last two: of the quotas */
    uint32_t lifetime_s;
    pl_addr relayed[2];
    relay_late late; /* the Allocate, for its answer and to know it again */
    uint8_t token[RELAY_TOKEN_LEN];
    pl_stun_auth_known known;
    pl_list links;
    uint32_t n_links;
    pl_node in_all, in_news;
    pl_hash_node in_ids; /* mobile ones */
    char user[];
} relay_alloc;

struct pl_relay {
    pl_relay_shared *shared;
    const pl_stun_auth *auth;
    const pl_relay_policy *policy;
    const pl_stun_server *binding;
    pl_stun_server plain; /* what binding points to when nothing was given */
    pl_rand rand;
    pl_log log;
    uint32_t thread;
    bool ip4, ip6, tcp_allowed, mobility;
    char software[PL_RELAY_SOFTWARE_MAX + 1];
    int64_t now_us, wall_offset_us;
    bool draining;
    int64_t drain_us;
    pl_addr alternate[2];
    uint64_t ns_per_byte16; /* of the policy's bandwidth, 16 bits of fraction; 0: unlimited */
    int64_t burst_ns;

    relay_tuples tuples;
    relay_wheel wheel;
    pl_hash ids, tokens, links;
    pl_list all, conns, ports; /* allocations, the clients' connections, relayed addresses */
    size_t n_alloc, max_alloc;
    uint64_t next_id;
    uint8_t shared_key[16]; /* the same in all relays of the process, as is peers_seed */
    uint64_t peers_seed;
    uint8_t indication_id[PL_STUN_ID_LEN];
    int64_t unauth_full_us[RELAY_UNAUTH_SLOTS];

    pl_list news;      /* allocations to be told about; dead ones are freed after that */
    relay_alloc *told; /* the last event's, when it is dead: freed with the next poll */
    size_t n_dead;
    pl_list work_ports, work_links, work_conns;
    bool in_replay;
    relay_fetch fetch[RELAY_FETCH_MAX];
    uint16_t n_fetch, fetch_out;
    pl_relay_counters count;

    /* the batch */
    uint32_t batch;
    relay_lane answers[RELAY_ANSWER_LANES]; /* to Binding requests on UDP, by address */
    uint16_t n_tx, tx_out, n_dgrams;
    uint32_t n_bytes;
    relay_tx tx[RELAY_TX_MAX];
    relay_dgram dgram[RELAY_DGRAMS_MAX];
    pl_slice slice[PL_RELAY_TX_SLICES_MAX];
    uint8_t bytes[RELAY_BYTES_MAX];
};

/* Where a request came from, and how its answer is made. */
typedef struct relay_ask {
    void *sock;
    pl_relay_conn *conn;
    const pl_path *path;
    relay_alloc *alloc; /* of this 5-tuple, or NULL */
    const pl_stun_msg *m;
    pl_stun_auth_result auth;
    bool fingerprint;
} relay_ask;

/* batch.c */
bool relay_batch_room(const pl_relay *r, size_t n_datagrams);
size_t relay_row_count(const pl_relay_row *row);   /* datagrams in it, as many as are taken */
uint8_t *relay_batch_bytes(pl_relay *r, size_t n); /* NULL: none left */
/* One datagram for `to`, on the lane's open tx when there is one. head: at most four bytes are copied, longer ones
 * must live as long as the batch. False: the batch is full (counted). */
bool relay_send(pl_relay *r, relay_lane *lane, const relay_to *to, const uint8_t *head, size_t head_len,
                const uint8_t *data, size_t len, size_t pad);
/* One whole message, to a client or a stranger. */
bool relay_send_bytes(pl_relay *r, void *sock, pl_relay_conn *conn, const pl_path *path, const uint8_t *data,
                      size_t len);
relay_to relay_to_client(const relay_alloc *a, uint8_t tos);
void relay_void_conn(pl_relay *r, const pl_relay_conn *c);

/* client.c */
void relay_client_send(pl_relay *r, relay_alloc *a, const pl_stun_msg *m, uint8_t tos);
bool relay_bucket(const pl_relay *r, int64_t *full_ns, size_t len);

/* request.c */
void relay_request(pl_relay *r, relay_ask *ask);
/* An answer is begun, filled and ended; the writer may go bad, then nothing is sent. */
pl_stun_wr relay_answer(pl_relay *r, pl_stun_class cls, const relay_ask *ask);
void relay_answer_end(pl_relay *r, const relay_ask *ask, pl_stun_wr *s);
void relay_refuse(pl_relay *r, const relay_ask *ask, uint16_t code);
void relay_redirect(pl_relay *r, const relay_ask *ask, const pl_addr *to); /* 300 */
/* The same for answers that had to wait, by the allocation's key and to its client. */
relay_late relay_later(const relay_ask *ask);
pl_stun_wr relay_begin_late(pl_relay *r, pl_stun_class cls, uint16_t method, const relay_late *late);
void relay_end_late(pl_relay *r, const relay_alloc *a, const relay_late *late, pl_stun_wr *s);
void relay_refuse_late(pl_relay *r, const relay_alloc *a, uint16_t method, const relay_late *late,
                       uint16_t code);
uint64_t relay_client_key(const pl_relay *r, const pl_addr *client);

/* peer.c */
void relay_next_indication_id(pl_relay *r, uint8_t out[PL_STUN_ID_LEN]);

/* allocate.c */
void relay_on_allocate(pl_relay *r, relay_ask *ask);
uint32_t relay_lifetime_s(const pl_relay *r, uint32_t asked_s);

/* ports.c */
pl_relay_port *relay_port_new(pl_relay *r, uint8_t family, bool tcp);
void relay_port_free(pl_relay_port *p);
void relay_port_ask(pl_relay *r, pl_relay_port *p);   /* the driver is to open it */
void relay_port_close(pl_relay *r, pl_relay_port *p); /* the driver is told; p is gone for the caller */
void relay_reservation_end(pl_relay *r, relay_reservation *v);
relay_reservation *relay_reservation_find(const pl_relay *r, const uint8_t token[RELAY_TOKEN_LEN]);
void relay_reservation_free(relay_reservation *v);
PL_NODISCARD pl_err relay_reservation_enter(pl_relay *r, relay_reservation *v);
void relay_reservation_leave(pl_relay *r, relay_reservation *v);
/* A port of the driver's answers has changed its allocation's state: it may be complete. */
void relay_settle(pl_relay *r, relay_alloc *a);

/* refresh.c */
void relay_on_refresh(pl_relay *r, relay_ask *ask);
void relay_put_ticket(const pl_relay *r, const relay_alloc *a, pl_stun_wr *s);

/* permit.c */
void relay_on_create_permission(pl_relay *r, relay_ask *ask);
void relay_on_channel_bind(pl_relay *r, relay_ask *ask);
/* 0, 403 or 443. With `whole` the port counts as well. *own: one of our own addresses. */
uint16_t relay_check_peer(const pl_relay *r, const relay_alloc *a, const pl_addr *peer, bool whole,
                          bool *own);

/* tcp.c */
void relay_on_connect(pl_relay *r, relay_ask *ask);
void relay_on_connection_bind(pl_relay *r, relay_ask *ask);
void relay_link_end(pl_relay *r, pl_relay_link *l); /* the driver is to close it */
void relay_link_expired(pl_relay *r, pl_relay_link *l);
void relay_link_free(pl_relay *r, pl_relay_link *l);
void relay_conn_end(pl_relay *r, pl_relay_conn *c); /* the driver is to close it */

/* carry.c */
enum { RELAY_CLAIM_ALLOCATION = 1, RELAY_CLAIM_RESERVATION = 2 };
/* False: it cannot be had from elsewhere. */
bool relay_fetch_from(pl_relay *r, const relay_ask *ask, uint32_t thread, const pl_relay_claim *claim);

/* alloc.c */
relay_alloc *relay_alloc_new(pl_str user); /* all zero but for the name */
void relay_alloc_free(relay_alloc *a);
/* Into the lists and tables, where its client and timer are concerned too. Errors: as it was. */
PL_NODISCARD pl_err relay_alloc_enter(pl_relay *r, relay_alloc *a);
void relay_alloc_leave(pl_relay *r, relay_alloc *a);
/* To the client of a request, away from the old one. Errors: as it was. */
PL_NODISCARD pl_err relay_alloc_place(pl_relay *r, relay_alloc *a, const relay_ask *ask);
void relay_alloc_displace(pl_relay *r, relay_alloc *a);
void relay_alloc_until(pl_relay *r, relay_alloc *a, int64_t end_us);
relay_alloc *relay_alloc_by_id(const pl_relay *r, uint64_t id);
/* It, unless its time is over: then it is ended, and NULL. NULL is fine. */
relay_alloc *relay_alloc_standing(pl_relay *r, relay_alloc *a);
void relay_alloc_end(pl_relay *r, relay_alloc *a, pl_relay_why why);
void relay_tell(pl_relay *r, relay_alloc *a, uint8_t news);

/* shared.c; code 0, 486 or 508 */
uint16_t relay_shared_take(pl_relay_shared *s, const pl_relay_policy *p, uint64_t user, uint64_t client);
void relay_shared_give(pl_relay_shared *s, uint64_t user, uint64_t client);
const uint8_t *relay_shared_secret(const pl_relay_shared *s); /* 32 bytes */

static inline int relay_side(uint8_t family)
{
    return family == PL_AF_IP6;
}

#endif
