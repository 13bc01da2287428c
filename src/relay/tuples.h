/* tuples.h - the allocations by 5-tuple: the one look-up that every row of datagrams pays for.
 * Source   RFC 8656 3.1. SipHash-1-3 over the client's address, as clients choose their ports.
 * Shape    open addressing with linear probing and no tombstones; grows by doubling, at most half full.
 * Thread   its relay's. */
#ifndef PL_RELAY_TUPLES_H
#define PL_RELAY_TUPLES_H

#include <string.h>

#include "base/addr.h"

struct relay_alloc;

typedef struct relay_tuple {
    struct relay_alloc *alloc;
    uint64_t hash;
} relay_tuple;

typedef struct relay_tuples {
    relay_tuple *slot;
    size_t mask, n; /* mask 0: no slots yet */
    uint64_t k0, k1;
} relay_tuples;

void relay_tuples_init(relay_tuples *t, const uint8_t key[16]);
void relay_tuples_clear(relay_tuples *t);
struct relay_alloc *relay_tuples_find(const relay_tuples *t, const pl_path *path);
/* Room for one more. Errors: PL_ENOMEM. */
PL_NODISCARD pl_err relay_tuples_reserve(relay_tuples *t);
/* Under a->client; after relay_tuples_reserve. */
void relay_tuples_insert(relay_tuples *t, struct relay_alloc *a);
void relay_tuples_remove(relay_tuples *t, const struct relay_alloc *a);

static inline bool relay_same_addr(const pl_addr *a, const pl_addr *b)
{
    uint64_t x[2], y[2];
    memcpy(x, a->ip, 16);
    memcpy(y, b->ip, 16);
    return ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (uint64_t)(a->port ^ b->port) |
            (uint64_t)(a->family ^ b->family) | (a->scope ^ b->scope)) == 0;
}
static inline bool relay_same_path(const pl_path *a, const pl_path *b)
{
    return relay_same_addr(&a->remote, &b->remote) && relay_same_addr(&a->local, &b->local);
}

#endif
