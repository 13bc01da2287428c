/* server.h - answers Binding requests: a STUN server in one call.
 * Source   RFC 8489 6.3, 7.3.1, 11 (old clients); RFC 5780 is not offered, its CHANGE-REQUEST gets a 420.
 * Shape    no state; the caller owns sockets and both buffers. Belongs to no thread.
 * Limits   the answer is never longer than PL_STUN_RESPOND_MAX and, whatever was asked, never more than
 *          1.5 times the request where that leaves room for the bare answer of 44 bytes (an IPv6 mapped
 *          address; 32 for IPv4), so that a forged source gains nothing. */
#ifndef PL_STUN_SERVER_H
#define PL_STUN_SERVER_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

enum { PL_STUN_RESPOND_MAX = 160 };

typedef struct pl_stun_server_conf {
    const char *software; /* SOFTWARE, when there is room for it; NULL: none */
} pl_stun_server_conf;

typedef struct pl_stun_server_counters {
    uint64_t requests, classic, errors, ignored;
} pl_stun_server_counters;

/* The length of the answer to pkt from `source`, written to out (cap: PL_STUN_RESPOND_MAX); 0: say nothing
 * (not a Binding request, or a damaged one). conf and count may be NULL. */
size_t pl_stun_respond(const pl_stun_server_conf *conf, pl_stun_server_counters *count, const void *pkt,
                       size_t len, const pl_addr *source, uint8_t *out, size_t cap);

#endif
