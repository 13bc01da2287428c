/* ice.h - a path for datagrams between two hosts, through whatever NATs lie between them: ICE alone, without media,
 * encryption or SDP, for applications that bring a protocol of their own.
 * Source   RFC 8445 with one stream of one component, RFC 8838 (trickle), RFC 8839 (how candidates are written),
 *          RFC 8656 (relays), RFC 6544 (TCP), RFC 7675 (consent).
 *
 * Use      both sides: new, gather; carry pl_ice_transport_local to the other side by any means and give what came from
 *          there to pl_ice_transport_set_remote. Candidates that are found later go over one by one (on_candidate,
 *          pl_ice_transport_add_candidate). Once the state is connected, pl_ice_transport_send reaches the other side.
 * Security whoever knows ice-ufrag and ice-pwd may connect, and datagrams travel as they are: encrypt them.
 * Threads  as in peer_connection.h: every function from any thread, callbacks on the signaling thread.
 * Owners   pl_ice_transport_free takes what pl_ice_transport_new gave; texts are freed with pl_free. What a callback
 *          receives is lent for the call. */
#ifndef PEERLINE_ICE_H
#define PEERLINE_ICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "peerline/peer_connection.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    PL_ICE_DATAGRAM_MAX = 65000,         /* bytes of one send; above 1200 the network may drop or cut it */
    PL_ICE_SEND_QUEUE_MAX = 1024 * 1024, /* bytes handed over by other threads and not yet sent */
    PL_ICE_RECEIVE_QUEUE_MAX =
        1024 * 1024, /* bytes the application has not taken; what comes then is dropped */
    PL_ICE_ADDRESS_MAX = 64
};

typedef struct pl_ice_transport pl_ice_transport;

/* Which addresses and ports, TCP, lite, hidden addresses: those are the factory's to say (pl_factory_conf). */
typedef struct pl_ice_transport_conf {
    const pl_ice_server *servers; /* copied */
    size_t n_servers;             /* at most 8 */
    pl_ice_transport_policy policy;
    bool controlling;  /* true on the side that begins (the offerer). A mistake is noticed and settled. */
    const char *ufrag; /* NULL: made up; both or neither. RFC 8839: 4 to 256 characters of A-Z a-z 0-9 + / */
    const char *pwd;   /* 22 to 256 */
} pl_ice_transport_conf;

typedef enum pl_ice_candidate_type { /* W3C RTCIceCandidateType */
                                     PL_CANDIDATE_HOST,
                                     PL_CANDIDATE_SRFLX,
                                     PL_CANDIDATE_PRFLX,
                                     PL_CANDIDATE_RELAY
} pl_ice_candidate_type;

typedef enum pl_ice_pair_use {
    PL_PAIR_WAITING, /* not yet tried */
    PL_PAIR_CHECKING,
    PL_PAIR_FAILED,
    PL_PAIR_WORKS
} pl_ice_pair_use;

/* A local and a remote candidate. Times are microseconds. */
typedef struct pl_ice_transport_pair {
    pl_ice_candidate_type local_type, remote_type;
    char local[PL_ICE_ADDRESS_MAX], remote[PL_ICE_ADDRESS_MAX]; /* "192.0.2.1:4000", "[2001:db8::1]:4000" */
    bool tcp;                                                   /* between the two addresses */
    char relay_protocol[8];  /* how we reach our relay: "udp", "tcp", "tls"; "" without one */
    char relay_address[256]; /* its URL */
    pl_ice_pair_use use;
    bool nominated, selected;
    int64_t rtt_us;                                                      /* 0: not known yet */
    uint64_t packets_sent, packets_received, bytes_sent, bytes_received; /* of data */
    uint64_t checks_sent, checks_received;
} pl_ice_transport_pair;

/* Every callback may be NULL. */
typedef struct pl_ice_transport_observer {
    void *user;
    void (*on_candidate)(void *user, const char *candidate); /* "candidate:…" (RFC 8839); "" ends them */
    void (*on_candidate_error)(void *user, const pl_ice_candidate_error *error);
    void (*on_gathering_state)(void *user, pl_ice_gathering_state state);
    void (*on_state)(void *user, pl_ice_connection_state state);
    void (*on_selected)(void *user, const pl_ice_transport_pair *pair); /* data goes this way from now on */
    void (*on_data)(void *user, const uint8_t *data, size_t len);       /* one datagram of the other side */
} pl_ice_transport_observer;

/* conf NULL: the defaults. observer is copied. Nothing is opened yet. The factory must outlive the transport.
 * Errors: PL_EINVAL (a server's URL, TURN without credentials, ufrag or pwd), PL_ENOMEM. */
PL_NODISCARD PL_API pl_err pl_ice_transport_new(pl_ice_transport **out, pl_factory *factory,
                                                const pl_ice_transport_conf *conf,
                                                const pl_ice_transport_observer *observer);
/* Closes: sockets, and allocations at relays. After it returns no callback runs; from inside one of its own callbacks
 * it is allowed, and that callback is the last. NULL is fine. */
PL_API void pl_ice_transport_free(pl_ice_transport *ice);

/* Opens sockets and asks the servers. From now on the network is watched, and candidates of interfaces that come and
 * go are told, too. Errors: PL_ESTATE (a second time). */
PL_NODISCARD PL_API pl_err pl_ice_transport_gather(pl_ice_transport *ice);

/* What the other side must know, as lines of SDP, each ended by CR LF: "a=ice-ufrag:…", "a=ice-pwd:…", "a=ice-lite" if
 * so, "a=candidate:…" of those known now, and "a=end-of-candidates" once that is all. Errors: PL_ENOMEM. */
PL_NODISCARD PL_API pl_err pl_ice_transport_local(pl_ice_transport *ice, char **text);
/* The same from the other side; lines that mean nothing here are skipped, so a whole SDP of one section will do.
 * Checks begin. Other credentials than before are the other side's restart, which needs pl_ice_transport_restart here
 * first (PL_ESTATE). Other errors: PL_EPROTO (no credentials, or a line that breaks its grammar; nothing was changed),
 * PL_ENOSPC, PL_ENOMEM. */
PL_NODISCARD PL_API pl_err pl_ice_transport_set_remote(pl_ice_transport *ice, const char *text);
/* Who chooses the pair, when it was not known before: best before pl_ice_transport_set_remote. */
PL_API void pl_ice_transport_set_controlling(pl_ice_transport *ice, bool controlling);
/* One more candidate, with or without "a="; "" ends them. Also before pl_ice_transport_set_remote.
 * Errors: PL_EPROTO, PL_ENOSPC, PL_ENOMEM. */
PL_NODISCARD PL_API pl_err pl_ice_transport_add_candidate(pl_ice_transport *ice, const char *candidate);
/* New credentials; both sides exchange pl_ice_transport_local again. Until that is done the old path carries data.
 * Errors: PL_ENOMEM. */
PL_NODISCARD PL_API pl_err pl_ice_transport_restart(pl_ice_transport *ice);

/* Sends one datagram; it may be lost, doubled or overtaken. What looks like STUN (RFC 8489: two zero bits, the magic
 * cookie, its own length) would not arrive as data. On the network thread, and with an own loop, it goes at once; from
 * others it is copied and queued. Errors: PL_ESTATE (no path yet, or lost), PL_EINVAL (empty or above
 * PL_ICE_DATAGRAM_MAX), PL_ENOSPC (the queue is full), PL_ENOMEM. */
PL_NODISCARD PL_API pl_err pl_ice_transport_send(pl_ice_transport *ice, const void *data, size_t len);

PL_API pl_ice_connection_state pl_ice_transport_get_state(pl_ice_transport *ice);
PL_API pl_ice_gathering_state pl_ice_transport_get_gathering_state(pl_ice_transport *ice);
/* The pair that carries data; false when there is none. */
PL_API bool pl_ice_transport_get_selected(pl_ice_transport *ice, pl_ice_transport_pair *out);
/* All pairs: fills up to cap and returns how many there are. */
PL_API size_t pl_ice_transport_get_pairs(pl_ice_transport *ice, pl_ice_transport_pair *out, size_t cap);

PL_API const char *pl_ice_candidate_type_str(
    pl_ice_candidate_type type); /* "host", "srflx", "prflx", "relay" */

#ifdef __cplusplus
}
#endif
#endif
