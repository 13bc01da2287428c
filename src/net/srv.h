/* srv.h - DNS service records: reading an answer, and the order in which servers are tried.
 * Source   RFC 2782; RFC 1035 4.1 (messages).
 * Shape    plain data, nothing to free.
 * Thread   any. */
#ifndef PL_NET_SRV_H
#define PL_NET_SRV_H

#include <stddef.h>
#include <stdint.h>

#include "base/rand.h"
#include "peerline/error.h"

enum { PL_SRV_MAX = 16, PL_SRV_TARGET_MAX = 255 };

typedef struct pl_srv {
    uint16_t priority, weight, port;
    uint8_t set;                        /* which of two questions it answers (net/resolve.h); else 0 */
    char target[PL_SRV_TARGET_MAX + 1]; /* without the final dot; "" (the root) says: no such service here */
} pl_srv;

/* The records of a DNS answer; *n is 0 when it holds none. Records beyond PL_SRV_MAX are left out. Errors: PL_EPROTO. */
PL_NODISCARD pl_err pl_srv_parse(const uint8_t *msg, size_t len, pl_srv out[PL_SRV_MAX], size_t *n);
/* Lowest priority first; within one, drawn by weight. */
void pl_srv_order(pl_srv *list, size_t n, const pl_rand *rand);

#endif
