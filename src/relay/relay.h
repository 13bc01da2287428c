/* relay.h - a TURN server as a sans-I/O core: one of them per loop.
 * Source   RFC 8656 (UDP relay, IPv4 and IPv6), RFC 6062 (TCP relay), RFC 8016 (mobility), RFC 8489 (long-term
 *          credentials through stun/auth.h, Binding through stun/server.h).
 * Shape    new gives, free takes. Datagrams and the time come in, in rows as the kernel gives them; what is to be
 *          sent, opened and closed comes out of pl_relay_poll_output; pl_relay_poll_event tells what a log wants.
 *          Sockets, streams and listeners are the driver's: the core knows them as the pointer it was given
 *          (`sock`) and gives that back in its outputs.
 * Batch    One or more inputs, then pl_relay_poll_output until it says false, with the answers (pl_relay_opened ...)
 *          given in between. Outputs point into the bytes of the inputs and into the core: both stay valid
 *          until the poll that says false, and the bytes of an input must stay where they are until then.
 *          Datagrams of one flow and size that stood apart in a batch leave as one row; the order within a
 *          flow is kept.
 * Units    microseconds of one monotonic clock; lifetimes in seconds.
 * Errors   clients' and peers' are counters; PL_ENOMEM leaves the core as it was (a client is told 508).
 * Thread   belongs to one loop. Relays of several threads share a pl_relay_shared and nothing else. A TCP
 *          connection for ConnectionBind must reach the relay that has the allocation: the driver spreads TCP
 *          connections over its loops by the client's IP address (all of one client on one loop), or runs TCP on
 *          one. Allocations and reserved ports that are wanted on another loop than the one that has them are
 *          carried over: see PL_RELAY_FETCH. */
#ifndef PL_RELAY_RELAY_H
#define PL_RELAY_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/rand.h"
#include "base/time.h"
#include "crypto/hmac.h" /* pl_slice */
#include "relay/policy.h"
#include "relay/shared.h"
#include "stun/auth.h"
#include "stun/message.h"
#include "stun/server.h"

enum {
    PL_RELAY_LIFETIME_MIN_S = 600, /* RFC 8656 7.2; also the default */
    PL_RELAY_LIFETIME_MAX_S = 3600,
    PL_RELAY_PERMISSION_S = 300,
    PL_RELAY_CHANNEL_S = 600,
    PL_RELAY_RESERVATION_S = 30,
    PL_RELAY_LINK_S =
        30, /* RFC 6062: a peer's connection that no ConnectionBind has fetched; a Connect that hangs */
    /* per allocation; more are refused with 508 */
    PL_RELAY_PERMISSIONS_MAX = 256,
    PL_RELAY_CHANNELS_MAX = 256,
    PL_RELAY_LINKS_MAX = 64,
    /* of one row; more are dropped (the kernel's own limit is 64) */
    PL_RELAY_ROW_MAX = 128,
    /* of one output */
    PL_RELAY_TX_DATAGRAMS_MAX = 64,
    PL_RELAY_TX_BYTES_MAX = 65000,
    PL_RELAY_TX_SLICES_MAX = 3 * PL_RELAY_TX_DATAGRAMS_MAX,
    PL_RELAY_SOFTWARE_MAX = 64
};

typedef struct pl_relay pl_relay;
typedef struct pl_relay_conn pl_relay_conn; /* a client's connection: TCP, TLS, or a DTLS session */
typedef struct pl_relay_port pl_relay_port; /* a relayed transport address */
typedef struct pl_relay_link pl_relay_link; /* a peer's TCP connection (RFC 6062) */
typedef struct pl_relay_parcel pl_relay_parcel;

/* How the client reaches us. */
typedef enum pl_relay_transport {
    PL_RELAY_UDP,
    PL_RELAY_TCP,
    PL_RELAY_TLS,
    PL_RELAY_DTLS,
    PL_RELAY_TRANSPORTS
} pl_relay_transport;

typedef struct pl_relay_conf {
    pl_relay_shared *shared;
    const pl_stun_auth *auth;      /* NULL: nobody has to authenticate (tests and closed networks) */
    const pl_relay_policy *policy; /* NULL: the defaults */
    const pl_stun_server *binding; /* how Binding is answered; lent. NULL: plainly */
    pl_rand rand;
    uint32_t thread;          /* which of the process's relays this is: 0 .. PL_RELAY_THREADS_MAX - 1 */
    uint32_t max_allocations; /* of this relay; 0: 65536 */
    bool ip4, ip6;            /* families that can be relayed; both false: IPv4 */
    bool tcp;                 /* TCP allocations (RFC 6062) */
    bool mobility;            /* RFC 8016 */
    const char *software;     /* SOFTWARE in answers to authenticated clients; copied; NULL: none */
    int64_t wall_us;          /* microseconds since 1970 at now_us of pl_relay_new (see pl_relay_set_wall) */
    uint32_t log_id;
} pl_relay_conf;

/* ---- the verbs ---- */
PL_NODISCARD pl_err pl_relay_new(pl_relay **out, const pl_relay_conf *conf, int64_t now_us);
/* The driver closes its sockets itself: no outputs come from here. NULL is fine. */
void pl_relay_free(pl_relay *r);
void pl_relay_tick(pl_relay *r, int64_t now_us);
/* Next deadline; at most one a second however many allocations there are. */
int64_t pl_relay_next_us(const pl_relay *r);
void pl_relay_check(const pl_relay *r);

/* ---- input ---- */

/* One datagram, or a row of equal ones end to end; the same fields as net/udp.h's rows. */
typedef struct pl_relay_row {
    const pl_path *path; /* local: our address it came to; remote: who sent it. Not used on connections */
    const uint8_t *data;
    size_t len;
    size_t segment; /* bytes of each but the last, which may be shorter; 0 or >= len: a single one */
    uint8_t tos;    /* DSCP and ECN, passed on with the data (RFC 8656 15); 0 if not known */
    uint8_t at;     /* clients on UDP: which of RFC 5780's sockets it came to (PL_STUN_AT_...), else 0 */
} pl_relay_row;

/* Each returns how many rows it has taken: less than n when the batch is full; drain it, then give the rest. */

/* From clients, by a listening UDP socket; answers and data for them name the same socket. */
size_t pl_relay_client_input(pl_relay *r, int64_t now_us, void *sock, const pl_relay_row *row, size_t n);
/* From peers, at the relayed address `port` (PL_RELAY_OPEN has told it). */
size_t pl_relay_peer_input(pl_relay *r, int64_t now_us, pl_relay_port *port, const pl_relay_row *row,
                           size_t n);
/* On connections each row is one message: a STUN message or ChannelData as stun/stream.h cuts them (padding may
 * be there or not), or one datagram of DTLS. */
size_t pl_relay_conn_input(pl_relay *r, int64_t now_us, pl_relay_conn *c, const pl_relay_row *row, size_t n);

/* A client has connected. path: both ends. Errors: PL_ENOMEM. */
PL_NODISCARD pl_err pl_relay_conn_open(pl_relay *r, int64_t now_us, pl_relay_conn **out, void *sock,
                                       pl_relay_transport transport, const pl_path *path);
/* It is gone, from either end; c too. Its allocation ends, unless it has a mobility ticket. After PL_RELAY_SPLICE
 * or PL_RELAY_CLOSE_CONN the driver still calls this when the connection ends. */
void pl_relay_conn_close(pl_relay *r, int64_t now_us, pl_relay_conn *c);
/* Whether it carries an allocation or a splice: the driver closes idle connections that do not. */
bool pl_relay_conn_busy(const pl_relay_conn *c);

/* An ICMP error for what was sent to `peer` from this relayed address: the client gets it as RFC 8656 11.5 has it. */
void pl_relay_peer_error(pl_relay *r, int64_t now_us, pl_relay_port *port, const pl_addr *peer,
                         const pl_stun_icmp *icmp);

/* ---- answers to outputs: at once, inside the draining, or later ---- */

/* PL_RELAY_OPEN has succeeded. relayed: what peers see, external mapping applied. With `pair` asked for: the port
 * above as well, next_sock is its socket, and what pl_relay_peer_input will want for it is returned. NULL without
 * a pair; also when the allocation has ended meanwhile: then both sockets are closed by outputs. */
pl_relay_port *pl_relay_opened(pl_relay *r, int64_t now_us, pl_relay_port *port, void *sock,
                               const pl_addr *relayed, void *next_sock, const pl_addr *next);
/* It has not: PL_ENOTSUP no such family here (440), else 508. The port is gone. */
void pl_relay_open_failed(pl_relay *r, int64_t now_us, pl_relay_port *port, pl_err err);

/* TCP (RFC 6062). A connection made for PL_RELAY_CONNECT. */
void pl_relay_connected(pl_relay *r, int64_t now_us, pl_relay_link *link, void *sock);
/* A peer has connected to the relayed address. NULL: nobody wants it, close it. */
pl_relay_link *pl_relay_accepted(pl_relay *r, int64_t now_us, pl_relay_port *port, void *sock,
                                 const pl_addr *peer);
/* The connection failed, or has ended from either end; link is gone. Not after PL_RELAY_CLOSE_LINK. */
void pl_relay_link_closed(pl_relay *r, int64_t now_us, pl_relay_link *link);

/* ---- output ---- */

/* Datagrams (or bytes of a stream) for one destination. The bytes are those of `slice` one after the other; every
 * datagram has slices_each of them (some may be empty), all are `segment` bytes long but the last, which may be
 * shorter. Longer ones than an Ethernet takes stay alone. pl_slice has the layout of struct iovec. */
typedef struct pl_relay_tx {
    void *sock;          /* a listener, a connection (conn is set), or a relayed address's socket */
    pl_relay_conn *conn; /* PL_RELAY_TO_CLIENT on a connection */
    const pl_path *path; /* local: only to clients on UDP, our address they know; remote: where to */
    const pl_slice *slice;
    size_t n_slices, slices_each;
    size_t n_datagrams;
    size_t segment, len;
    bool dont_fragment; /* with DF set (RFC 8656 14); else as the socket is */
    uint8_t tos;
    /* An answer to Binding, which leaves by the socket `from` (PL_STUN_AT_..., stun/server.h); that is sock itself
     * unless RFC 5780 asked for another. */
    bool binding;
    uint8_t from;
} pl_relay_tx;

typedef struct pl_relay_open {
    pl_relay_port *port;
    pl_family family;
    bool tcp;  /* listen for TCP (RFC 6062), and connect from the same port later */
    bool even; /* EVEN-PORT */
    bool pair; /* and hold the next higher port */
} pl_relay_open;

/* What another relay of this process is asked for: a plain value that may be copied to its thread. */
typedef struct pl_relay_claim {
    uint8_t kind;
    uint64_t id, user;
} pl_relay_claim;

typedef enum pl_relay_out_kind {
    PL_RELAY_TO_CLIENT,  /* u.tx */
    PL_RELAY_TO_PEER,    /* u.tx */
    PL_RELAY_OPEN,       /* u.open: open a socket and call pl_relay_opened or pl_relay_open_failed */
    PL_RELAY_CLOSE,      /* u.sock: a relayed address's socket is not wanted any more */
    PL_RELAY_CONNECT,    /* u.connect: connect by TCP from that relayed address to the peer */
    PL_RELAY_SPLICE,     /* u.splice: from now on bytes go between the two unchanged, in both directions */
    PL_RELAY_CLOSE_LINK, /* u.close_link: close a peer's connection, or give up connecting */
    PL_RELAY_CLOSE_CONN, /* u.close_conn: close the client's connection, once what was sent before is out */
    PL_RELAY_FETCH       /* u.fetch: see there */
} pl_relay_out_kind;

typedef struct pl_relay_out {
    pl_relay_out_kind kind;
    union {
        pl_relay_tx tx;
        pl_relay_open open;
        void *sock;
        struct {
            pl_relay_link *link;
            void *sock; /* of the relayed address */
            const pl_addr *peer;
        } connect;
        struct {
            pl_relay_link *link; /* gone: do not use it any more */
            void *sock;          /* of the link; NULL while it is still connecting: give that up */
        } close_link;
        struct {
            pl_relay_conn *conn;
            void *conn_sock;
            pl_relay_link *link;
            void *link_sock;
        } splice;
        struct {
            pl_relay_conn *conn;
            void *sock;
        } close_conn;
        /* A request names what another thread's relay has. Copy the datagram (it is one row, from the listener `sock`
         * or by `conn`), have that thread call pl_relay_detach, come back with the parcel, pl_relay_attach it if
         * there was one, then give the datagram to pl_relay_replay in any case. A driver that cannot do so calls
         * pl_relay_replay at once: the client is then told that the thing is not there. */
        struct {
            uint32_t thread;
            pl_relay_claim claim;
            void *sock;
            pl_relay_conn *conn;
            const pl_path *path;
            pl_slice message;
        } fetch;
    } u;
} pl_relay_out;

/* The next thing to do; false: nothing more, the batch is over. */
bool pl_relay_poll_output(pl_relay *r, pl_relay_out *out);

/* ---- between threads ---- */

/* Takes an allocation or a reserved port out of this relay, sockets and all; NULL when it is not there (any more) or
 * belongs to another user. */
pl_relay_parcel *pl_relay_detach(pl_relay *r, int64_t now_us, const pl_relay_claim *claim);
/* Its sockets, at most 2, so that the driver can move them to its loop: *sock may be replaced. NULL beyond the last.
 * *port is what pl_relay_peer_input wants, and stays the same. */
void **pl_relay_parcel_sock(pl_relay_parcel *p, size_t i, pl_relay_port **port);
/* Puts it into this relay. Errors: PL_ENOMEM, PL_ENOSPC; the parcel is still the caller's. */
PL_NODISCARD pl_err pl_relay_attach(pl_relay *r, int64_t now_us, pl_relay_parcel *p);
/* When nobody takes it; the driver closes its sockets before. NULL is fine. */
void pl_relay_parcel_free(pl_relay_parcel *p);
/* The request that led to PL_RELAY_FETCH once more; it leads to no further one. conn NULL: by the listener sock. */
void pl_relay_replay(pl_relay *r, int64_t now_us, void *sock, pl_relay_conn *conn, const pl_path *path,
                     const uint8_t *data, size_t len);

/* ---- the operator ---- */

/* The wall clock, for nonces and time-limited names; now and then, as it may be set. */
void pl_relay_set_wall(pl_relay *r, int64_t now_us, int64_t wall_us);
/* After a reload; the old ones are not used any more when it returns. Allocations stand, what they ask for next is
 * judged by the new ones. */
void pl_relay_set_policy(pl_relay *r, const pl_relay_policy *policy);
void pl_relay_set_auth(pl_relay *r, const pl_stun_auth *auth);
/* From now on no new allocation: 300 with that alternate server where it has the client's family (may be NULL, an
 * array of one or two), else 508. Allocations are refreshed until `until_us` at most and end then. */
void pl_relay_drain(pl_relay *r, int64_t now_us, int64_t until_us, const pl_addr *alternate,
                    size_t n_alternate);
bool pl_relay_is_empty(const pl_relay *r); /* no allocation and no reservation */

/* ---- events and figures ---- */

typedef struct pl_relay_usage {
    uint64_t up_packets, up_bytes;     /* client to peers, application bytes */
    uint64_t down_packets, down_bytes; /* peers to client */
    uint64_t dropped;                  /* no permission, over the bandwidth, too long */
} pl_relay_usage;

typedef enum pl_relay_event_kind {
    PL_RELAY_ALLOCATED,
    PL_RELAY_MOVED, /* to another client address (RFC 8016) */
    PL_RELAY_ENDED
} pl_relay_event_kind;
typedef enum pl_relay_why {
    PL_RELAY_WHY_NONE,
    PL_RELAY_WHY_EXPIRED,
    PL_RELAY_WHY_CLIENT,       /* Refresh with lifetime 0 */
    PL_RELAY_WHY_DISCONNECTED, /* its connection ended */
    PL_RELAY_WHY_DRAINED
} pl_relay_why;
typedef struct pl_relay_event {
    pl_relay_event_kind kind;
    pl_relay_why why;
    uint64_t id; /* unique in the process */
    pl_relay_transport transport;
    bool tcp;
    const char *user; /* valid until the next poll; "" without authentication */
    pl_path client;
    pl_addr relayed[2]; /* family none where there is none */
    int64_t since_us;
    pl_relay_usage usage;
} pl_relay_event;
bool pl_relay_poll_event(pl_relay *r, pl_relay_event *out);
const char *pl_relay_why_str(pl_relay_why why);

typedef enum pl_relay_drop {
    PL_RELAY_DROP_MALFORMED,     /* neither STUN nor ChannelData */
    PL_RELAY_DROP_STRANGER,      /* data from a 5-tuple without allocation */
    PL_RELAY_DROP_NO_CHANNEL,    /* number not bound */
    PL_RELAY_DROP_NO_PERMISSION, /* either direction */
    PL_RELAY_DROP_BANDWIDTH,
    PL_RELAY_DROP_UNAUTH_RATE, /* requests that were not answered */
    PL_RELAY_DROP_TOO_LONG,    /* would not fit a datagram */
    PL_RELAY_DROP_BUSY, /* more at once than a batch holds, or a request repeated while it is worked on */
    PL_RELAY_DROP_REASONS
} pl_relay_drop;

enum { PL_RELAY_CODES = 20 };
/* Numbers since the start; a driver adds up those of its threads. */
typedef struct pl_relay_counters {
    uint64_t allocations[PL_RELAY_TRANSPORTS], tcp_allocations; /* made */
    uint64_t now[PL_RELAY_TRANSPORTS];                          /* standing */
    uint64_t ended, permissions, channels, refreshes, connects, moved, reservations;
    pl_relay_usage data; /* all allocations together; `dropped` is the sum of drops that concern data */
    uint64_t up_batches, down_batches; /* outputs that carried it */
    uint64_t drop[PL_RELAY_DROP_REASONS];
    uint64_t requests, challenges;   /* all requests; 401 and 438 answers */
    uint64_t errors[PL_RELAY_CODES]; /* answers by code: pl_relay_code */
    pl_stun_server_counters binding;
} pl_relay_counters;
const pl_relay_counters *pl_relay_count(const pl_relay *r);
const char *pl_relay_drop_str(unsigned reason);         /* "malformed", ... for labels */
const char *pl_relay_transport_str(unsigned transport); /* "udp", "tcp", "tls", "dtls" */
uint16_t pl_relay_code(unsigned i); /* error code i counts; 0: all others, and beyond the last */

#endif
