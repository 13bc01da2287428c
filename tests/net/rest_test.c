/* When a loop lets datagrams gather: only while many come, and never when many came at once. */
#include "net/rest.h"
#include "pl_test.h"

enum { REST_US = 50 };

/* n rounds of `each` datagrams, `apart_us` between them; how many of them ended with a rest. */
static int rests(pl_rest *r, int64_t *now_us, int n, size_t each, int64_t apart_us)
{
    int rested = 0;
    for (int i = 0; i < n; i++) {
        *now_us += apart_us;
        pl_rest_count(r, each);
        int64_t us = pl_rest_take(r, *now_us);
        PL_EQ(us == 0 || us == REST_US, true);
        rested += us > 0;
    }
    return rested;
}

PL_TEST(unset_it_never_rests)
{
    pl_rest r = { 0 };
    int64_t now_us = 1000000;
    PL_EQ(rests(&r, &now_us, 10000, 4, 5), 0);
}

PL_TEST(a_quiet_server_answers_at_once)
{
    pl_rest r = { .rest_us = REST_US };
    int64_t now_us = 1000000;
    PL_EQ(rests(&r, &now_us, 1000, 1, 100), 0);    /* 10,000 a second */
    PL_EQ(rests(&r, &now_us, 1000, 30, 33000), 0); /* a film's pictures */
}

PL_TEST(a_busy_one_rests_after_each_round)
{
    pl_rest r = { .rest_us = REST_US };
    int64_t now_us = 1000000;
    (void)rests(&r, &now_us, 400, 1, 5); /* 200,000 a second: within two windows that is known */
    PL_EQ(rests(&r, &now_us, 1000, 1, 5), 1000);
    PL_EQ(rests(&r, &now_us, 1000, 12, 60), 1000); /* and stays so when it has begun to rest */
}

PL_TEST(full_rounds_are_not_made_to_wait)
{
    pl_rest r = { .rest_us = REST_US };
    int64_t now_us = 1000000;
    PL_EQ(rests(&r, &now_us, 1000, PL_REST_PLENTY, 100), 0);
    PL_EQ(rests(&r, &now_us, 10, PL_REST_PLENTY - 1, 100), 10);
}

PL_TEST(rounds_without_datagrams_are_not_counted)
{
    pl_rest r = { .rest_us = REST_US };
    int64_t now_us = 1000000;
    (void)rests(&r, &now_us, 400, 4, 10);
    PL_EQ(rests(&r, &now_us, 10, 0, 10), 0); /* timers, posts */
}

PL_TEST(it_becomes_quiet_again)
{
    pl_rest r = { .rest_us = REST_US };
    int64_t now_us = 1000000;
    (void)rests(&r, &now_us, 400, 4, 10);
    PL_EQ(rests(&r, &now_us, 1, 4, 10), 1);
    (void)rests(&r, &now_us, 10, 1, 1000);
    PL_EQ(rests(&r, &now_us, 100, 1, 1000), 0);
}

PL_TESTS(t(unset_it_never_rests), t(a_quiet_server_answers_at_once), t(a_busy_one_rests_after_each_round),
         t(full_rounds_are_not_made_to_wait), t(rounds_without_datagrams_are_not_counted),
         t(it_becomes_quiet_again))
