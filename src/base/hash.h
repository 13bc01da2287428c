/* hash.h - SipHash-2-4 and an intrusive hash table keyed with it, since peers choose the keys.
 * Source   Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012.
 * Shape    the table links pl_hash_node's that live in their owners; it allocates only its bucket array.
 *          Belongs to its owner's thread. */
#ifndef PL_BASE_HASH_H
#define PL_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "peerline/error.h"

uint64_t pl_siphash(const uint8_t key[16], const void *data, size_t len);

typedef struct pl_hash_node {
    struct pl_hash_node *next;
    uint64_t hash;
} pl_hash_node;

typedef struct pl_hash {
    pl_hash_node **bucket;
    size_t n_buckets, n, max; /* n_buckets: a power of two, or 0 before the first insertion */
    uint8_t key[16];
} pl_hash;

/* max: the most nodes it will ever hold. key: 16 random bytes. */
void pl_hash_init(pl_hash *h, size_t max, const uint8_t key[16]);
/* Frees the bucket array; the nodes belong to their owners. */
void pl_hash_clear(pl_hash *h);
/* Errors: PL_ENOSPC at the maximum, PL_ENOMEM. Does not look for an equal key. */
PL_NODISCARD pl_err pl_hash_insert(pl_hash *h, pl_hash_node *n, const void *key, size_t len);
void pl_hash_remove(pl_hash *h, pl_hash_node *n);
/* Candidates for a key: the first node whose full hash is equal, then pl_hash_next(n) for further ones. The
 * caller compares the keys themselves. */
pl_hash_node *pl_hash_find(const pl_hash *h, const void *key, size_t len);
pl_hash_node *pl_hash_next(const pl_hash_node *n);

#endif
