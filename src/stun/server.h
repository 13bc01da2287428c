/* server.h - answers Binding requests: a STUN server in one call.
 * Source   RFC 8489 6.3, 7.3.1, 11 (old clients); RFC 5780 6.1, 7 (behaviour discovery, when there are two
 *          addresses); RFC 3489 8 for messages without cookie.
 * Shape    pl_stun_server is plain data made once from its configuration, then only read: any number of
 *          threads may use one. The caller owns sockets and buffers.
 * Errors   none: what deserves no answer gets none, and is counted.
 * Limits   An answer is at most 1.5 times the request where that leaves room for the bare one (header, mapped
 *          address, and a FINGERPRINT if the request had one: 32 to 52 bytes), so a forged source gains
 *          nothing: what is optional is left out of what has not paid for it. With two addresses
 *          OTHER-ADDRESS is always told, because discovery begins with a bare request, and RESPONSE-ORIGIN to
 *          whoever asks in the words of RFC 5780: over IPv4 that is 44 bytes for 20 and 56 for 28, each 1.5
 *          times on the wire, where IP and UDP headers count. RESPONSE-PORT leads to the same IP only; PADDING
 *          is answered only as far as the request carried it. */
#ifndef PL_STUN_SERVER_H
#define PL_STUN_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

enum {
    PL_STUN_RESPOND_MAX = 160,  /* room for every answer without PADDING; more room allows PADDING */
    PL_STUN_PADDING_MAX = 1500, /* longest PADDING that is answered with */
    PL_STUN_SERVE_MAX = PL_STUN_RESPOND_MAX + PL_STUN_PADDING_MAX
};

/* The four sockets of RFC 5780: bit 0 is the other port, bit 1 the other IP. */
enum {
    PL_STUN_AT_PRIMARY = 0,
    PL_STUN_AT_PORT = 1,
    PL_STUN_AT_IP = 2,
    PL_STUN_AT_BOTH = 3,
    PL_STUN_N_SOCKETS = 4
};

typedef struct pl_stun_server_conf {
    const char *software; /* SOFTWARE, when there is room for it; NULL: none. Up to 63 bytes, cut there */
    /* As clients see them (behind a 1:1 NAT the outer ones). Different IP and port, same family. Family none:
     * no behaviour discovery, and CHANGE-REQUEST gets a 420. */
    pl_addr primary, alternate;
} pl_stun_server_conf;

typedef struct pl_stun_server_counters {
    uint64_t requests, classic, errors, ignored;
    uint64_t plain; /* requests answered by the short way, among `requests` */
} pl_stun_server_counters;

typedef struct pl_stun_server {
    bool discovery;
    pl_addr addr[PL_STUN_N_SOCKETS];
    uint8_t software[4 + 64];             /* the attribute as it goes out */
    uint8_t software_len;                 /* 0: none */
    uint8_t other[PL_STUN_N_SOCKETS][24]; /* OTHER-ADDRESS as it goes out, by the socket that was asked */
    uint8_t other_len;
} pl_stun_server;

/* conf NULL: all zero. An alternate that does not differ in both IP and port is no alternate. */
void pl_stun_server_init(pl_stun_server *s, const pl_stun_server_conf *conf);

typedef struct pl_stun_query {
    const void *pkt;
    size_t len;
    const pl_addr *source;
    uint8_t at;  /* which socket it came to; without discovery PL_STUN_AT_PRIMARY */
    bool dtls;   /* old clients without cookie may not speak DTLS and get a 500 (RFC 8489 11) */
    bool stream; /* TCP, TLS: nothing can leave from elsewhere, CHANGE-REQUEST and RESPONSE-PORT get a 420 */
} pl_stun_query;

typedef struct pl_stun_reply {
    size_t len;   /* 0: say nothing (not a Binding request, or a damaged one) */
    uint8_t from; /* the socket it leaves by */
    pl_addr to;
} pl_stun_reply;

/* Writes the answer to `out`; cap at least PL_STUN_RESPOND_MAX. count may be NULL. Returns reply->len. */
size_t pl_stun_serve(const pl_stun_server *s, pl_stun_server_counters *count, const pl_stun_query *q,
                     uint8_t *out, size_t cap, pl_stun_reply *reply);

/* The same for a server of one address that keeps only a configuration: the answer goes back to `source`.
 * conf and count may be NULL. */
size_t pl_stun_respond(const pl_stun_server_conf *conf, pl_stun_server_counters *count, const void *pkt,
                       size_t len, const pl_addr *source, uint8_t *out, size_t cap);

#endif
