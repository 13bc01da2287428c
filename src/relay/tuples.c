#include "relay/relay_internal.h"

#include <stdlib.h>

static uint64_t rotl(uint64_t v, int n)
{
    return v << n | v >> (64 - n);
}

typedef struct sip {
    uint64_t a, b, c, d;
} sip;

static void sip_round(sip *s)
{
    s->a += s->b;
    s->b = rotl(s->b, 13) ^ s->a;
    s->a = rotl(s->a, 32);
    s->c += s->d;
    s->d = rotl(s->d, 16) ^ s->c;
    s->a += s->d;
    s->d = rotl(s->d, 21) ^ s->a;
    s->c += s->b;
    s->b = rotl(s->b, 17) ^ s->c;
    s->c = rotl(s->c, 32);
}

static void sip_word(sip *s, uint64_t m)
{
    s->d ^= m;
    sip_round(s);
    s->a ^= m;
}

/* The client's address and port and the port it came to; local addresses seldom differ, so they are only compared. */
static uint64_t hash_of(const relay_tuples *t, const pl_path *p)
{
    sip s = { t->k0 ^ 0x736f6d6570736575u, t->k1 ^ 0x646f72616e646f6du, t->k0 ^ 0x6c7967656e657261u,
              t->k1 ^ 0x7465646279746573u };
    uint64_t ip[2], ports = (uint64_t)p->remote.port << 16 | p->local.port;
    memcpy(ip, p->remote.ip, 16);
    if (p->remote.family == PL_AF_IP4) {
        sip_word(&s, ip[0] << 32 |
                         ports); /* the four bytes, on one order of bytes only: the hash never leaves us */
    } else {
        sip_word(&s, ip[0]);
        sip_word(&s, ip[1]);
        sip_word(&s, ports);
    }
    s.c ^= 0xff;
    sip_round(&s);
    sip_round(&s);
    sip_round(&s);
    return s.a ^ s.b ^ s.c ^ s.d;
}

void relay_tuples_init(relay_tuples *t, const uint8_t key[16])
{
    *t = (relay_tuples){ 0 };
    memcpy(&t->k0, key, 8);
    memcpy(&t->k1, key + 8, 8);
}

void relay_tuples_clear(relay_tuples *t)
{
    free(t->slot);
    t->slot = NULL;
    t->mask = t->n = 0;
}

relay_alloc *relay_tuples_find(const relay_tuples *t, const pl_path *path)
{
    if (!t->slot)
        return NULL;
    uint64_t hash = hash_of(t, path);
    for (size_t i = hash & t->mask; t->slot[i].alloc; i = (i + 1) & t->mask)
        if (t->slot[i].hash == hash && relay_same_path(&t->slot[i].alloc->client, path))
            return t->slot[i].alloc;
    return NULL;
}

static void put(relay_tuple *slot, size_t mask, relay_tuple e)
{
    size_t i = e.hash & mask;
    while (slot[i].alloc)
        i = (i + 1) & mask;
    slot[i] = e;
}

static pl_err grow(relay_tuples *t)
{
    size_t n = t->slot ? (t->mask + 1) * 2 : 64;
    relay_tuple *slot = calloc(n, sizeof *slot);
    if (!slot)
        return PL_ENOMEM;
    for (size_t i = 0; t->slot && i <= t->mask; i++)
        if (t->slot[i].alloc)
            put(slot, n - 1, t->slot[i]);
    free(t->slot);
    t->slot = slot;
    t->mask = n - 1;
    return PL_OK;
}

pl_err relay_tuples_reserve(relay_tuples *t)
{
    return !t->slot || t->n * 2 > t->mask ? grow(t) : PL_OK;
}

void relay_tuples_insert(relay_tuples *t, relay_alloc *a)
{
    put(t->slot, t->mask, (relay_tuple){ a, hash_of(t, &a->client) });
    t->n++;
}

/* Whoever was pushed past the freed slot moves back, so that no probe meets a hole before its end. */
void relay_tuples_remove(relay_tuples *t, const relay_alloc *a)
{
    size_t i = hash_of(t, &a->client) & t->mask;
    while (t->slot[i].alloc != a)
        i = (i + 1) & t->mask;
    for (size_t j = (i + 1) & t->mask; t->slot[j].alloc; j = (j + 1) & t->mask) {
        size_t home = t->slot[j].hash & t->mask;
        if (((j - home) & t->mask) >= ((j - i) & t->mask)) {
            t->slot[i] = t->slot[j];
            i = j;
        }
    }
    t->slot[i].alloc = NULL;
    t->n--;
}
