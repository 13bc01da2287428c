#include "signal/limits.h"

#include <stdlib.h>
#include <string.h>

#include "base/time.h"

void pl_limits_init(pl_limits *l, uint32_t max_per_address, uint32_t rate, uint32_t burst, pl_rand rand)
{
    uint8_t key[16];
    pl_rand_bytes(&rand, key, sizeof key);
    *l = (pl_limits){ .max_per_address = max_per_address, .rate = rate, .burst = burst };
    pl_hash_init(&l->by_addr, PL_LIMITS_ADDR_MAX, key);
    pl_list_init(&l->oldest_first);
}

static void forget(pl_limits *l, pl_limit *e)
{
    pl_list_remove(&e->in_idle);
    pl_hash_remove(&l->by_addr, &e->by_addr);
    free(e);
}

void pl_limits_clear(pl_limits *l)
{
    PL_EACH (n, &l->oldest_first)
        forget(l, pl_of(n, pl_limit, in_idle));
    pl_hash_clear(&l->by_addr);
}

static void make_key(const pl_addr *addr, uint8_t key[17])
{
    memset(key, 0, 17);
    key[0] = addr->family;
    memcpy(key + 1, addr->ip, addr->family == PL_AF_IP4 ? 4 : 8);
}

static pl_limit *find(const pl_limits *l, const uint8_t key[17])
{
    for (pl_hash_node *n = pl_hash_find(&l->by_addr, key, 17); n; n = pl_hash_next(n)) {
        pl_limit *e = pl_of(n, pl_limit, by_addr);
        if (memcmp(e->key, key, 17) == 0)
            return e;
    }
    return NULL;
}

/* Entries that are idle leave, the oldest first, when their bucket is full again or the table is. */
static void sweep(pl_limits *l, int64_t now_us)
{
    for (int i = 0; i < 2; i++) {
        pl_node *n = pl_list_first(&l->oldest_first);
        if (!n)
            return;
        pl_limit *e = pl_of(n, pl_limit, in_idle);
        bool full = now_us - e->empty_us >= PL_SEC(l->burst) / l->rate;
        if (!full && l->by_addr.n < PL_LIMITS_ADDR_MAX)
            return;
        forget(l, e);
    }
}

static pl_limit *add(pl_limits *l, int64_t now_us, const uint8_t key[17])
{
    pl_limit *e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    memcpy(e->key, key, 17);
    e->empty_us = now_us - PL_SEC(l->burst) / l->rate;
    if (pl_hash_insert(&l->by_addr, &e->by_addr, e->key, 17)) {
        free(e);
        return NULL;
    }
    return e;
}

pl_limit *pl_limits_enter(pl_limits *l, int64_t now_us, const pl_addr *addr)
{
    uint8_t key[17];
    make_key(addr, key);
    sweep(l, now_us);
    pl_limit *e = find(l, key);
    if (e ? e->n_connections >= l->max_per_address : !(e = add(l, now_us, key)))
        return NULL;
    pl_list_remove(&e->in_idle);
    e->n_connections++;
    return e;
}

void pl_limits_leave(pl_limits *l, pl_limit *e)
{
    if (--e->n_connections == 0)
        pl_list_push_back(&l->oldest_first, &e->in_idle);
}

/* The bucket as one number: the time at which it was empty. Each request moves that by one token's worth of
 * time, and it never lies further back than a full bucket. */
bool pl_limits_pass(const pl_limits *l, int64_t now_us, pl_limit *e)
{
    int64_t token_us = PL_SEC(1) / l->rate;
    int64_t full_us = now_us - token_us * l->burst;
    if (e->empty_us < full_us)
        e->empty_us = full_us;
    if (e->empty_us + token_us > now_us)
        return false;
    e->empty_us += token_us;
    return true;
}
