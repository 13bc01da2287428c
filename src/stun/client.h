/* client.h - a Binding client: asks one server how it sees us.
 * Source   RFC 8489 6.2.1 (retransmission), 6.2.2 (streams, Ti), 9 (credentials), 10 (ALTERNATE-SERVER);
 *          RFC 3489 for old servers.
 * Shape    sans-I/O with the eight verbs. On a stream the owner connects, frames (stun/stream.h) and feeds
 *          whole messages; when PL_STUN_CLIENT_MOVED comes it connects to the new server and calls
 *          pl_stun_client_connected. One answer, then the client is over.
 * Units    microseconds.
 * Errors   in the last event. What is not a genuine answer is counted and ignored.
 * Thread   its owner's. */
#ifndef PL_STUN_CLIENT_H
#define PL_STUN_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/rand.h"
#include "base/slice.h"
#include "base/time.h"
#include "stun/message.h"
#include "stun/transaction.h"

enum {
    PL_STUN_CLIENT_REQUEST_MAX = 3072, /* most bytes of a request with the longest credentials */
    PL_STUN_CLIENT_HOPS_MAX = 5,       /* servers that send us elsewhere, one after another */
    PL_STUN_CLIENT_DOMAIN_MAX = 255
};

typedef enum pl_stun_cred_kind {
    PL_STUN_CRED_NONE,
    PL_STUN_CRED_SHORT_TERM,
    PL_STUN_CRED_LONG_TERM
} pl_stun_cred_kind;

typedef struct pl_stun_client_conf {
    pl_addr server;
    bool stream;  /* TCP, TLS: sent once, given up after ti_us. DTLS counts as UDP */
    bool classic; /* RFC 3489: no cookie, nothing but the header */
    bool fingerprint;
    pl_stun_tx_conf tx; /* zero: RFC 8489's */
    int64_t ti_us;      /* 0: 39.5 s */
    pl_rand rand;
    pl_stun_cred_kind credentials;
    pl_str username, password; /* copied */
    pl_str software;           /* SOFTWARE; copied, up to 127 bytes. Empty: none */
} pl_stun_client_conf;

typedef enum pl_stun_client_event_kind {
    PL_STUN_CLIENT_ANSWER, /* the last one: fields below */
    PL_STUN_CLIENT_MOVED,  /* `server` and `domain`: only on streams; datagrams just go there */
    PL_STUN_CLIENT_FAILED  /* the last one: `err` and `code` */
} pl_stun_client_event_kind;

typedef struct pl_stun_client_event {
    pl_stun_client_event_kind kind;
    pl_addr server; /* who answered; MOVED: where to connect */
    pl_addr mapped;
    pl_addr other;  /* OTHER-ADDRESS or CHANGED-ADDRESS; family none without */
    pl_addr origin; /* RESPONSE-ORIGIN or SOURCE-ADDRESS; family none without */
    int64_t rtt_us; /* of the answered transmission; -1: several were under way */
    uint8_t n_sent; /* transmissions of the last transaction */
    /* PL_EIO: nobody answered. PL_EPROTO: an answer without a mapped address, or a loop of servers.
     * PL_ENOTSUP: the server refuses, `code` says why (401: the credentials). */
    pl_err err;
    uint16_t code;
    char software[128];                         /* of the server, or "" */
    char domain[PL_STUN_CLIENT_DOMAIN_MAX + 1]; /* ALTERNATE-DOMAIN, to be verified by TLS, or "" */
} pl_stun_client_event;

typedef struct pl_stun_client_counters {
    uint32_t sent, ignored, forged, challenges, redirects;
} pl_stun_client_counters;

typedef struct pl_stun_client pl_stun_client;

/* Errors: PL_EINVAL (server without family, texts beyond their limits), PL_ENOMEM. */
PL_NODISCARD pl_err pl_stun_client_new(pl_stun_client **out, const pl_stun_client_conf *conf, int64_t now_us);
/* One datagram, or one message of the stream. */
void pl_stun_client_input(pl_stun_client *c, int64_t now_us, const pl_path *path, const void *pkt,
                          size_t len);
/* The stream to the server that MOVED named stands. */
void pl_stun_client_connected(pl_stun_client *c, int64_t now_us);
void pl_stun_client_tick(pl_stun_client *c, int64_t now_us);
int64_t pl_stun_client_next_us(const pl_stun_client *c); /* or PL_NEVER */
/* path.remote is the server, path.local is left alone. */
bool pl_stun_client_poll_output(pl_stun_client *c, int64_t now_us, pl_dgram *out);
bool pl_stun_client_poll_event(pl_stun_client *c, pl_stun_client_event *out);
void pl_stun_client_check(const pl_stun_client *c);
void pl_stun_client_free(pl_stun_client *c); /* NULL is fine */
const pl_stun_client_counters *pl_stun_client_get_counters(const pl_stun_client *c);

#endif
