/* The tables under a relay: the wheel of seconds, the 5-tuples, permissions and channels, and what threads share. */
#include <pthread.h>

#include "base/hash.h"
#include "base/list.h"
#include "pl_test.h"
#include "relay/relay_internal.h"

/* ---- the wheel ---- */

enum { N_TIMERS = 500 };

PL_TEST(timers_fire_in_their_second_and_once)
{
    static relay_wheel w;
    static relay_timer timer[N_TIMERS];
    static int64_t at_us[N_TIMERS];
    pl_rand_seeded state;
    pl_rand rand = pl_rand_seed(&state, pl_test_seed(1));
    int64_t now_us = PL_SEC(123) + 456;
    relay_wheel_init(&w, now_us);
    memset(timer, 0, sizeof timer);
    for (int i = 0; i < N_TIMERS; i++)
        at_us[i] = 0;
    unsigned n_set = 0, n_fired = 0;
    for (int round = 0; round < 20000; round++) {
        unsigned i = pl_rand_below(&rand, N_TIMERS);
        switch (pl_rand_below(&rand, 3)) {
        case 0:
            n_set += !at_us[i];
            at_us[i] = now_us + 1 + pl_rand_below(&rand, 3600u * 1000000u);
            relay_wheel_set(&w, &timer[i], now_us, at_us[i]);
            break;
        case 1:
            n_set -= at_us[i] != 0;
            at_us[i] = 0;
            relay_wheel_stop(&w, &timer[i]);
            break;
        default: {
            int64_t next_us = relay_wheel_next_us(&w);
            PL_OKAY((next_us == PL_NEVER) == (n_set == 0));
            now_us += pl_rand_below(&rand, 40) ? pl_rand_below(&rand, 5000000)
                                               : PL_SEC(pl_rand_below(&rand, 10000));
            bool due = next_us <= now_us;
            relay_timer *t = relay_wheel_fire(&w, now_us);
            PL_OKAY((t != NULL) == due);
            for (; t; t = relay_wheel_fire(&w, now_us)) {
                int64_t *at = &at_us[t - timer];
                PL_OKAY(*at && *at <= now_us);
                *at = 0;
                n_set--;
                n_fired++;
            }
            for (int k = 0; k < N_TIMERS; k++) /* nothing is more than a second late */
                PL_OKAY(!at_us[k] || at_us[k] > now_us - PL_SEC(1));
        }
        }
        PL_EQ(w.n, n_set);
    }
    PL_GE(n_fired, 1000);
}

PL_TEST(a_deadline_beyond_the_wheel_fires_early_and_is_set_again)
{
    static relay_wheel w;
    relay_timer t = { 0 };
    int64_t now_us = PL_SEC(10);
    relay_wheel_init(&w, now_us);
    relay_wheel_set(&w, &t, now_us, now_us + PL_SEC(100000));
    now_us = relay_wheel_next_us(&w);
    PL_LE(now_us, PL_SEC(10 + RELAY_WHEEL_SLOTS));
    PL_OKAY(relay_wheel_fire(&w, now_us) == &t);
    PL_OKAY(!relay_wheel_fire(&w, now_us));
    PL_EQ(relay_wheel_next_us(&w), PL_NEVER);
}

/* ---- 5-tuples ---- */

PL_TEST(tuples_are_found_until_they_are_removed)
{
    enum { N = 3000 };
    static relay_alloc a[N];
    bool in[N] = { false };
    static const uint8_t key[16] = "sixteen bytes...";
    relay_tuples t;
    pl_rand_seeded state;
    pl_rand rand = pl_rand_seed(&state, pl_test_seed(2));
    relay_tuples_init(&t, key);
    memset(a, 0, sizeof a);
    for (int i = 0; i < N; i++) {
        a[i].client.remote.family = i % 3 ? PL_AF_IP4 : PL_AF_IP6;
        a[i].client.remote.ip[0] = 0x20;
        a[i].client.remote.port = (uint16_t)(i / 2);
        a[i].client.local.family = PL_AF_IP4;
        a[i].client.local.port = (uint16_t)(i % 2);
    }
    PL_OKAY(!relay_tuples_find(&t, &a[0].client));
    size_t n = 0;
    for (int round = 0; round < 40000; round++) {
        unsigned i = pl_rand_below(&rand, N);
        unsigned same = i ^ 1; /* differs in our port alone, or in the family */
        if (in[i]) {
            relay_tuples_remove(&t, &a[i]);
            n--;
        } else {
            PL_EQ(relay_tuples_reserve(&t), PL_OK);
            relay_tuples_insert(&t, &a[i]);
            n++;
        }
        in[i] = !in[i];
        PL_EQ(t.n, n);
        PL_OKAY(relay_tuples_find(&t, &a[i].client) == (in[i] ? &a[i] : NULL));
        PL_OKAY(relay_tuples_find(&t, &a[same].client) == (in[same] ? &a[same] : NULL));
    }
    for (int i = 0; i < N; i++)
        PL_OKAY(relay_tuples_find(&t, &a[i].client) == (in[i] ? &a[i] : NULL));
    relay_tuples_clear(&t);
}

/* ---- what threads share ---- */

enum { N_THREADS = 4, N_ROUNDS = 5000, N_USERS = 300, PER_USER = 7 };

static pl_relay_shared *shared;

static void *take_and_give(void *arg)
{
    static const pl_relay_policy policy = { .max_per_user = PER_USER };
    pl_rand_seeded state;
    pl_rand rand = pl_rand_seed(&state, (uint64_t)(uintptr_t)arg);
    uint64_t held[64];
    size_t n = 0;
    for (int i = 0; i < N_ROUNDS; i++) {
        uint64_t user = pl_rand_below(&rand, N_USERS) * UINT64_C(0x9e3779b97f4a7c15);
        if (n < 64 && pl_rand_below(&rand, 2) && relay_shared_take(shared, &policy, user, user + 1) == 0)
            held[n++] = user;
        else if (n > 0) {
            n--;
            relay_shared_give(shared, held[n], held[n] + 1);
        }
    }
    while (n > 0) {
        n--;
        relay_shared_give(shared, held[n], held[n] + 1);
    }
    return NULL;
}

PL_TEST(threads_count_together)
{
    pthread_t thread[N_THREADS];
    PL_EQ(pl_relay_shared_new(&shared, 0, NULL), PL_OK);
    for (uintptr_t i = 0; i < N_THREADS; i++)
        PL_EQ(pthread_create(&thread[i], NULL, take_and_give, (void *)(i + 1)), 0);
    for (int i = 0; i < N_THREADS; i++)
        PL_EQ(pthread_join(thread[i], NULL), 0);
    PL_EQ(pl_relay_shared_total(shared), 0);
    static const pl_relay_policy one = { .max_per_user = 1 };
    for (uint64_t u = 0; u < N_USERS; u++) { /* nobody is still counted */
        PL_EQ(relay_shared_take(shared, &one, u * UINT64_C(0x9e3779b97f4a7c15), u), 0);
        PL_EQ(relay_shared_take(shared, &one, u * UINT64_C(0x9e3779b97f4a7c15), u), 486);
    }
    pl_relay_shared_free(shared);
    PL_EQ(pl_relay_shared_new(&shared, PL_RELAY_ALLOCATIONS_MAX + 1, NULL), PL_EINVAL);
}

PL_TESTS(t(timers_fire_in_their_second_and_once), t(a_deadline_beyond_the_wheel_fires_early_and_is_set_again),
         t(tuples_are_found_until_they_are_removed), t(threads_count_together))
