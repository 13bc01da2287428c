/* limits.h - how much one address may ask of a server: connections and requests per second.
 * Source   token bucket; IPv6 clients are counted by their /64, which is what one customer gets.
 * Shape    a table of the addresses seen lately; entries that say nothing any more are reused.
 * Units    microseconds.
 * Thread   its owner's. */
#ifndef PL_SIGNAL_LIMITS_H
#define PL_SIGNAL_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/rand.h"

enum { PL_LIMITS_ADDR_MAX = 65536 };

typedef struct pl_limits {
    uint32_t max_per_address, rate, burst; /* connections; requests per second, and saved up */
    pl_hash by_addr;
    pl_list oldest_first; /* of entries without connections */
} pl_limits;

typedef struct pl_limit {
    pl_hash_node by_addr;
    pl_node in_idle;
    uint8_t key[17];
    uint32_t n_connections;
    int64_t empty_us; /* the bucket was, or would have been, empty at this time */
} pl_limit;

void pl_limits_init(pl_limits *l, uint32_t max_per_address, uint32_t rate, uint32_t burst, pl_rand rand);
void pl_limits_clear(pl_limits *l); /* no connection may be left */
/* A connection from this address has come. NULL: too many (or no memory); else give it back when it ends. */
pl_limit *pl_limits_enter(pl_limits *l, int64_t now_us, const pl_addr *addr);
void pl_limits_leave(pl_limits *l, pl_limit *entry);
/* Whether this address may make one more request now. */
bool pl_limits_pass(const pl_limits *l, int64_t now_us, pl_limit *entry);

#endif
