#include "relay/shared.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "crypto/hmac.h"
#include "relay/relay_internal.h"

/* How many allocations each user and each client address holds. Spread over shards, so that threads seldom meet and
 * a growing table keeps nobody waiting long. */
enum { SHARDS = 64, SHARD_FIRST = 8, SECRET_LEN = 32, TOTAL_DEFAULT = 65536 };

typedef struct tally {
    uint64_t key; /* 0: free */
    uint32_t n;
} tally;

typedef struct shard {
    atomic_flag busy;
    tally *slot;
    size_t mask, n; /* mask 0: no slots yet */
} shard;

struct pl_relay_shared {
    atomic_size_t total;
    size_t max;
    uint8_t secret[SECRET_LEN];
    shard shard[SHARDS];
};

pl_err pl_relay_shared_new(pl_relay_shared **out, size_t max_allocations, const pl_rand *rand)
{
    *out = NULL;
    if (max_allocations > PL_RELAY_ALLOCATIONS_MAX)
        return PL_EINVAL;
    pl_relay_shared *s = calloc(1, sizeof *s);
    if (!s)
        return PL_ENOMEM;
    atomic_init(&s->total, 0);
    s->max = max_allocations ? max_allocations : TOTAL_DEFAULT;
    pl_rand machine = { 0 };
    pl_rand_bytes(rand ? rand : &machine, s->secret, sizeof s->secret);
    for (int i = 0; i < SHARDS; i++)
        atomic_flag_clear(&s->shard[i].busy);
    *out = s;
    return PL_OK;
}

void pl_relay_shared_free(pl_relay_shared *s)
{
    if (!s)
        return;
    for (int i = 0; i < SHARDS; i++)
        free(s->shard[i].slot);
    pl_wipe(s->secret, sizeof s->secret);
    free(s);
}

size_t pl_relay_shared_total(const pl_relay_shared *s)
{
    return atomic_load(&s->total);
}

const uint8_t *relay_shared_secret(const pl_relay_shared *s)
{
    return s->secret;
}

static shard *enter(pl_relay_shared *s, uint64_t key)
{
    shard *at = &s->shard[key >> 58];
    while (atomic_flag_test_and_set_explicit(&at->busy, memory_order_acquire))
        ; /* its holder needs a few dozen instructions; one of 64 is seldom met at all */
    return at;
}

static void leave(shard *at)
{
    atomic_flag_clear_explicit(&at->busy, memory_order_release);
}

static tally *find(const shard *at, uint64_t key)
{
    size_t i = key & at->mask;
    while (at->slot[i].key && at->slot[i].key != key)
        i = (i + 1) & at->mask;
    return &at->slot[i];
}

static bool grow(shard *at)
{
    size_t n = at->slot ? 2 * (at->mask + 1) : SHARD_FIRST;
    tally *old = at->slot, *slot = calloc(n, sizeof *slot);
    if (!slot)
        return false;
    size_t old_n = old ? at->mask + 1 : 0;
    at->slot = slot;
    at->mask = n - 1;
    for (size_t i = 0; i < old_n; i++)
        if (old[i].key)
            *find(at, old[i].key) = old[i];
    free(old);
    return true;
}

/* 0, 486 over the quota, 508 without memory. Key 0 stands for "free", so it counts as 1. */
static uint16_t take_one(pl_relay_shared *s, uint64_t key, uint32_t max)
{
    key += !key;
    uint16_t code = 0;
    shard *at = enter(s, key);
    if ((!at->slot || at->n * 2 > at->mask) && !grow(at)) {
        code = 508;
    } else {
        tally *t = find(at, key);
        if (max && t->n >= max) {
            code = 486;
        } else {
            at->n += !t->key;
            t->key = key;
            t->n++;
        }
    }
    leave(at);
    return code;
}

static void give_one(pl_relay_shared *s, uint64_t key)
{
    key += !key;
    shard *at = enter(s, key);
    tally *t = find(at, key);
    assert(t->key && t->n > 0);
    if (--t->n == 0) {
        t->key = 0;
        at->n--;
        /* Close the gap: whoever was pushed past it moves back. */
        size_t i = (size_t)(t - at->slot);
        for (size_t j = (i + 1) & at->mask; at->slot[j].key; j = (j + 1) & at->mask) {
            size_t home = at->slot[j].key & at->mask;
            if (((j - home) & at->mask) >= ((j - i) & at->mask)) {
                at->slot[i] = at->slot[j];
                at->slot[j] = (tally){ 0 };
                i = j;
            }
        }
    }
    leave(at);
}

uint16_t relay_shared_take(pl_relay_shared *s, const pl_relay_policy *p, uint64_t user, uint64_t client)
{
    size_t max = p->max_total && p->max_total < s->max ? p->max_total : s->max;
    if (atomic_fetch_add(&s->total, 1) >= max) {
        atomic_fetch_sub(&s->total, 1);
        return 508;
    }
    uint16_t code = take_one(s, user, p->max_per_user);
    if (!code) {
        code = take_one(s, client, p->max_per_client);
        if (code)
            give_one(s, user);
    }
    if (code)
        atomic_fetch_sub(&s->total, 1);
    return code;
}

void relay_shared_give(pl_relay_shared *s, uint64_t user, uint64_t client)
{
    give_one(s, user);
    give_one(s, client);
    atomic_fetch_sub(&s->total, 1);
}
