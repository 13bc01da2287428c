/* client.h - one allocation on one TURN server from one 5-tuple, as a sans-I/O core.
 * Source   RFC 8656 (allocations, permissions, channels, indications, dual allocation 7.1, ICMP 11.5), RFC 8489
 *          (long-term credentials, ALTERNATE-SERVER), RFC 8016 (mobility).
 * Shape    new gives and begins to allocate, free takes. What the server sends and the time come in; messages for
 *          the server, events and the next deadline come out. After any call drain pl_turn_poll_output and
 *          pl_turn_poll_event, in any order. Data passes through pl_turn_input and pl_turn_wrap in the caller's
 *          own buffers: nothing is copied out, nothing is allocated.
 * Life     ALLOCATING until PL_TURN_ALLOCATED or PL_TURN_FAILED; then READY until PL_TURN_LOST, or until the owner
 *          closes it and PL_TURN_CLOSED. After FAILED, LOST, CLOSED or ALTERNATE it is GONE: free it.
 * Units    microseconds of one monotonic clock; lifetimes of the protocol in seconds.
 * Errors   the server's are counters and events; a caller's are returned.
 * Thread   belongs to one loop. */
#ifndef PL_TURN_CLIENT_H
#define PL_TURN_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/rand.h"
#include "base/time.h"

enum {
    PL_TURN_PEERS_MAX = 64,    /* permissions (peer IP addresses) */
    PL_TURN_CHANNELS_MAX = 16, /* channels, those that run out included */
    PL_TURN_DGRAM_MAX = 1200,  /* no request of ours is longer; give poll_output this much room */
    PL_TURN_OVERHEAD_MAX = 52, /* most bytes pl_turn_wrap adds to one datagram (a Send indication to IPv6) */
    PL_TURN_CHANNEL_OVERHEAD = 4,
    PL_TURN_REDIRECTS_MAX = 4, /* servers followed one after the other (300) */
    PL_TURN_REASON_MAX = 127,
    PL_TURN_TICKET_MAX = 256 /* longer MOBILITY-TICKETs are not kept */
};

/* Sets of address families. */
enum { PL_TURN_IP4 = 1, PL_TURN_IP6 = 2 };

typedef struct pl_turn pl_turn;

typedef struct pl_turn_conf {
    pl_addr local;  /* the base: where our packets to the server leave from */
    pl_addr server; /* of the same family */
    /* PL_UDP: datagrams, DTLS too. PL_TCP: a stream, TLS too, so nothing is sent twice and data is padded to four. */
    uint8_t proto;
    bool connection; /* PL_UDP inside DTLS: as on a stream, a 300 is told to the owner instead of followed */
    uint8_t n_redirects;             /* how many ALTERNATEs led here */
    const char *username, *password; /* UTF-8, long-term; NULL: none, then a 401 is fatal */
    uint8_t families;     /* PL_TURN_IP4, PL_TURN_IP6, or both (IPv4 alone where there is no IPv6); 0: IPv4 */
    uint32_t lifetime_s;  /* asked for; 0: the server's own choice (600 usually) */
    bool mobility;        /* ask for a ticket, so that pl_turn_move works (RFC 8016) */
    const char *software; /* SOFTWARE; NULL: none */
    pl_rand rand;
    uint32_t log_id;
    /* Zero means the default. */
    int64_t rto_us;      /* first retransmission, until the round-trip time is known: 500 ms */
    int64_t patience_us; /* a request unanswered for this long: 7.9 s on datagrams, 15 s on streams */
    /* Datagrams: after this silence of ours a Binding indication keeps the NAT's mapping; 20 s, PL_NEVER: none. */
    int64_t keepalive_us;
} pl_turn_conf;

/* ---- the verbs ---- */
/* conf is read and not kept (texts are copied); conf->rand.ctx must outlive t. The first request is due at once.
 * Errors: PL_ENOMEM, PL_EINVAL (addresses, families, texts beyond their limits). */
PL_NODISCARD pl_err pl_turn_new(pl_turn **out, const pl_turn_conf *conf, int64_t now_us);
/* NULL is fine. The server keeps the allocation until its lifetime ends: pl_turn_close first, where there is time. */
void pl_turn_free(pl_turn *t);

typedef enum pl_turn_got {
    PL_TURN_NOT_MINE, /* neither data nor an answer to a request of ours: look elsewhere (another STUN user) */
    PL_TURN_CONTROL,  /* consumed (or a damaged or unwanted message of this protocol: dropped and counted) */
    PL_TURN_DATA      /* from a peer: *data tells */
} pl_turn_got;
typedef struct pl_turn_data {
    pl_addr peer;   /* who sent it to our relayed address */
    size_t at, len; /* the datagram is pkt[at .. at + len) */
} pl_turn_data;
/* One message from the server (pl_turn_is_path): a datagram, or on a stream one STUN message or ChannelData as
 * stun/stream.h cuts them, with or without padding. Data from peers without permission or channel is dropped. */
pl_turn_got pl_turn_input(pl_turn *t, int64_t now_us, const uint8_t *pkt, size_t len, pl_turn_data *data);
/* The stream is closed, or the socket says the server is unreachable for good: FAILED or LOST follows. */
void pl_turn_disconnected(pl_turn *t, int64_t now_us);
void pl_turn_tick(pl_turn *t, int64_t now_us);
int64_t pl_turn_next_us(const pl_turn *t);
/* Next message for the server into out->data (out->cap: at least PL_TURN_DGRAM_MAX); path is filled in, segment is
 * 0. False: nothing due. */
bool pl_turn_poll_output(pl_turn *t, int64_t now_us, pl_dgram *out);

typedef enum pl_turn_event_kind {
    PL_TURN_ALLOCATED, /* once: relayed[], mapped, lifetime_s */
    /* Instead of ALLOCATED: code, reason. 437: try again from another local port. 486, 508: quota or capacity, another
     * server; 401, 441: credentials; 440, 442: family, transport; 0: no answer. */
    PL_TURN_FAILED,
    PL_TURN_LOST, /* after ALLOCATED: code (437 the server does not know it any more, 0 it is silent), reason */
    /* peer (port 0). Code 0: stands; else it was denied (403, 443, ...). */
    PL_TURN_PERMISSION,
    PL_TURN_BOUND, /* peer: a channel carries its data now. Code not 0: denied, Send indications go on */
    /* Streams and DTLS: connect to `peer` instead (address and port), with conf.n_redirects one higher; `reason`
     * is the name its certificate must carry, "" for the old one. */
    PL_TURN_ALTERNATE,
    PL_TURN_ICMP,  /* peer answered with ICMP: icmp_type, icmp_code, icmp_data */
    PL_TURN_MOVED, /* after pl_turn_move: data flows again */
    PL_TURN_CLOSED /* after pl_turn_close */
} pl_turn_event_kind;
typedef struct pl_turn_event {
    pl_turn_event_kind kind;
    uint16_t code;                       /* STUN error code; 0: none */
    char reason[PL_TURN_REASON_MAX + 1]; /* for humans; printable */
    pl_addr peer;
    pl_addr relayed[2]; /* IPv4 and IPv6 in this order; family PL_AF_NONE: not allocated */
    pl_addr mapped;     /* our address as the server sees it: a server-reflexive candidate on UDP */
    uint32_t lifetime_s;
    uint8_t icmp_type;
    uint16_t icmp_code;
    uint32_t icmp_data; /* with type 3 code 4 or ICMPv6 type 2: the next hop's MTU */
} pl_turn_event;
bool pl_turn_poll_event(pl_turn *t, pl_turn_event *out);
void pl_turn_check(const pl_turn *t);

/* ---- peers ---- */
/* Permission for a peer's IP address (port and scope do not matter) wanted from now on; asked for at once when READY,
 * else as soon as it is, several in one request, and refreshed until pl_turn_unpermit. Asking again for one that was
 * denied tries again. Errors: PL_ENOSPC at PL_TURN_PEERS_MAX, PL_ENOTSUP (allocated without that family), PL_ESTATE
 * (GONE or closing). */
PL_NODISCARD pl_err pl_turn_permit(pl_turn *t, int64_t now_us, const pl_addr *ip);
/* Not refreshed any more; the peer's channels neither. */
void pl_turn_unpermit(pl_turn *t, int64_t now_us, const pl_addr *ip);
typedef enum pl_turn_permission {
    PL_TURN_PERMIT_NONE, /* not wanted, or the request has not left yet */
    PL_TURN_PERMIT_ASKED, /* the request is under way: what is sent right behind it usually gets through, which saves a
                              round trip; the peer's own packets do not before it stands */
    PL_TURN_PERMIT_STANDS, /* confirmed */
    PL_TURN_PERMIT_DENIED
} pl_turn_permission;
pl_turn_permission pl_turn_permission_of(const pl_turn *t, const pl_addr *ip);
/* A channel for this peer wanted (implies permission); refreshed until pl_turn_unbind or pl_turn_unpermit. Until it
 * stands pl_turn_wrap makes Send indications. Errors as pl_turn_permit; PL_ENOSPC also at PL_TURN_CHANNELS_MAX. */
PL_NODISCARD pl_err pl_turn_bind(pl_turn *t, int64_t now_us, const pl_addr *peer);
/* Not refreshed any more; used until it runs out. */
void pl_turn_unbind(pl_turn *t, int64_t now_us, const pl_addr *peer);
bool pl_turn_is_bound(const pl_turn *t, const pl_addr *peer);

/* ---- data ---- */
/* Turns a datagram for `peer` (or a row of them: d->segment) into what the server wants, in place, and sets d->path
 * to the server, keeping its dscp: ChannelData when a channel stands, else Send indications. A row stays a row with a
 * larger segment. Errors, with d untouched: PL_ENOSPC (d->cap leaves no room for pl_turn_overhead a datagram),
 * PL_ESTATE (no permission asked for yet, not READY), PL_EINVAL (d->len 0, a datagram over 65,000 bytes). */
PL_NODISCARD pl_err pl_turn_wrap(pl_turn *t, int64_t now_us, const pl_addr *peer, pl_dgram *d);
/* Most bytes pl_turn_wrap adds to each datagram to that peer now (falls when the channel stands). */
size_t pl_turn_overhead(const pl_turn *t, const pl_addr *peer);

/* ---- the allocation ---- */
/* Gives it back: Refresh with lifetime 0, a few times at most. CLOSED follows, at once when there is nothing to give
 * back. Data does not flow any more. */
void pl_turn_close(pl_turn *t, int64_t now_us);
/* Is the server still there? A Refresh goes out now; LOST follows after patience_us of silence. For an owner whose
 * consent checks through the relay find no answer. */
void pl_turn_probe(pl_turn *t, int64_t now_us);
/* The allocation follows us to another local address (RFC 8016): relayed addresses, permissions and channels stay.
 * MOVED or LOST follows. Errors: PL_ENOTSUP (no ticket from this server, a stream), PL_ESTATE (not READY), PL_EINVAL. */
PL_NODISCARD pl_err pl_turn_move(pl_turn *t, int64_t now_us, const pl_addr *new_local);
bool pl_turn_can_move(const pl_turn *t);

/* ---- queries ---- */
typedef enum pl_turn_state {
    PL_TURN_ALLOCATING,
    PL_TURN_READY,
    PL_TURN_MOVING,
    PL_TURN_CLOSING,
    PL_TURN_GONE
} pl_turn_state;
pl_turn_state pl_turn_get_state(const pl_turn *t);
const char *pl_turn_state_str(pl_turn_state state);
/* Where messages go now: {local, server, proto}; server changes when a 300 on UDP is followed. */
const pl_path *pl_turn_get_path(const pl_turn *t);
/* Whether a packet of that path is from this server to this client. */
bool pl_turn_is_path(const pl_turn *t, const pl_path *path);
/* False: not allocated (any more). */
bool pl_turn_get_relayed(const pl_turn *t, pl_family family, pl_addr *out);
bool pl_turn_is_relayed(const pl_turn *t, const pl_addr *a);
/* Smoothed round-trip time to the server; 0: not known yet. */
int64_t pl_turn_rtt_us(const pl_turn *t);

typedef struct pl_turn_counters {
    uint64_t requests, retransmissions, responses, timeouts, keepalives;
    uint64_t stale_nonces, challenges, redirects;
    uint64_t bad_messages; /* damaged, or not signed by who knows our password */
    uint64_t unknown_data; /* from peers without permission, on channels nobody bound */
    uint64_t channel_packets_in, channel_packets_out, indications_in, indications_out;
} pl_turn_counters;
const pl_turn_counters *pl_turn_get_counters(const pl_turn *t);

#endif
