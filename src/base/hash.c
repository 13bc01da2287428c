#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

static uint64_t rotl(uint64_t v, int n)
{
    return v << n | v >> (64 - n);
}

static uint64_t get_le64(const uint8_t *p)
{
    uint64_t v = 0;
    for (int i = 7; i >= 0; i--)
        v = v << 8 | p[i];
    return v;
}

static void sip_rounds(uint64_t v[4], int n)
{
    while (n-- > 0) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = rotl(v[1], 13) ^ v[0];
        v[3] = rotl(v[3], 16) ^ v[2];
        v[0] = rotl(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = rotl(v[1], 17) ^ v[2];
        v[3] = rotl(v[3], 21) ^ v[0];
        v[2] = rotl(v[2], 32);
    }
}

uint64_t pl_siphash(const uint8_t key[16], const void *data, size_t len)
{
    uint64_t k0 = get_le64(key), k1 = get_le64(key + 8);
    uint64_t v[4] = { k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du, k0 ^ 0x6c7967656e657261u,
                      k1 ^ 0x7465646279746573u };
    const uint8_t *p = data;
    size_t left = len;
    for (; left >= 8; left -= 8, p += 8) {
        uint64_t m = get_le64(p);
        v[3] ^= m;
        sip_rounds(v, 2);
        v[0] ^= m;
    }
    uint64_t last = (uint64_t)len << 56;
    for (size_t i = 0; i < left; i++)
        last |= (uint64_t)p[i] << (8 * i);
    v[3] ^= last;
    sip_rounds(v, 2);
    v[0] ^= last;
    v[2] ^= 0xff;
    sip_rounds(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void pl_hash_init(pl_hash *h, size_t max, const uint8_t key[16])
{
    *h = (pl_hash){ .max = max };
    memcpy(h->key, key, 16);
}

void pl_hash_clear(pl_hash *h)
{
    free(h->bucket);
    h->bucket = NULL;
    h->n_buckets = h->n = 0;
}

static pl_err grow(pl_hash *h)
{
    size_t n_buckets = h->n_buckets ? h->n_buckets * 2 : 16;
    pl_hash_node **bucket = calloc(n_buckets, sizeof *bucket);
    if (!bucket)
        return PL_ENOMEM;
    for (size_t i = 0; i < h->n_buckets; i++) {
        for (pl_hash_node *n = h->bucket[i], *next; n; n = next) {
            next = n->next;
            pl_hash_node **to = &bucket[n->hash & (n_buckets - 1)];
            n->next = *to;
            *to = n;
        }
    }
    free(h->bucket);
    h->bucket = bucket;
    h->n_buckets = n_buckets;
    return PL_OK;
}

pl_err pl_hash_insert(pl_hash *h, pl_hash_node *n, const void *key, size_t len)
{
    if (h->n >= h->max)
        return PL_ENOSPC;
    if (h->n >= h->n_buckets) {
        pl_err err = grow(h);
        if (err && !h->n_buckets)
            return err; /* without memory a full table goes on with longer chains */
    }
    n->hash = pl_siphash(h->key, key, len);
    pl_hash_node **to = &h->bucket[n->hash & (h->n_buckets - 1)];
    n->next = *to;
    *to = n;
    h->n++;
    return PL_OK;
}

void pl_hash_remove(pl_hash *h, pl_hash_node *n)
{
    if (!h->n_buckets)
        return;
    for (pl_hash_node **at = &h->bucket[n->hash & (h->n_buckets - 1)]; *at; at = &(*at)->next) {
        if (*at == n) {
            *at = n->next;
            n->next = NULL;
            h->n--;
            return;
        }
    }
}

static pl_hash_node *same_hash(pl_hash_node *n, uint64_t hash)
{
    while (n && n->hash != hash)
        n = n->next;
    return n;
}

pl_hash_node *pl_hash_find(const pl_hash *h, const void *key, size_t len)
{
    if (!h->n_buckets)
        return NULL;
    uint64_t hash = pl_siphash(h->key, key, len);
    return same_hash(h->bucket[hash & (h->n_buckets - 1)], hash);
}

pl_hash_node *pl_hash_next(const pl_hash_node *n)
{
    return same_hash(n->next, n->hash);
}
