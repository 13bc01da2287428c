/* Token buckets and connection counts per address, in virtual time. */
#include "pl_test.h"

#include "base/time.h"
#include "signal/limits.h"

static pl_addr addr(const char *text)
{
    pl_addr a;
    PL_EQ(pl_addr_parse_ip(&a, text, strlen(text)), PL_OK);
    return a;
}

PL_TEST(a_bucket_empties_and_fills)
{
    pl_limits l;
    pl_limits_init(&l, 10, 5, 20, (pl_rand){ 0 });
    pl_addr a = addr("192.0.2.1");
    pl_limit *e = pl_limits_enter(&l, 0, &a);
    int passed = 0;
    for (int i = 0; i < 100; i++)
        passed += pl_limits_pass(&l, 0, e);
    PL_EQ(passed, 20);
    PL_OKAY(!pl_limits_pass(&l, PL_MS(199), e));
    PL_OKAY(pl_limits_pass(&l, PL_MS(200), e));
    for (passed = 0; pl_limits_pass(&l, PL_SEC(3600), e);)
        passed++;
    PL_EQ(passed, 20); /* an hour of silence saves up no more than a bucket */
    for (int64_t t = PL_SEC(3600), n = 0; t < PL_SEC(3610); t += PL_MS(10)) {
        n += pl_limits_pass(&l, t, e);
        PL_LE(n, 1 + (t - PL_SEC(3600)) / PL_MS(200));
    }
    pl_limits_leave(&l, e);
    pl_limits_clear(&l);
}

PL_TEST(connections_are_counted_by_address)
{
    pl_limits l;
    pl_limits_init(&l, 2, 5, 20, (pl_rand){ 0 });
    pl_addr a = addr("192.0.2.1"), b = addr("192.0.2.2");
    pl_addr net1 = addr("2001:db8:1:2:3::4"), net2 = addr("2001:db8:1:2:ffff::1"),
            other = addr("2001:db8:1:3::1");
    pl_limit *a1 = pl_limits_enter(&l, 0, &a), *a2 = pl_limits_enter(&l, 0, &a),
             *b1 = pl_limits_enter(&l, 0, &b);
    PL_OKAY(a1 && a1 == a2 && b1);
    PL_OKAY(!pl_limits_enter(&l, 0, &a));
    pl_limits_leave(&l, a1);
    PL_OKAY(pl_limits_enter(&l, 0, &a) == a1);
    pl_limit *n1 = pl_limits_enter(&l, 0, &net1), *n2 = pl_limits_enter(&l, 0, &net2);
    PL_OKAY(n1 && n1 == n2); /* one customer has a whole /64 */
    pl_limit *o = pl_limits_enter(&l, 0, &other);
    PL_OKAY(o && o != n1);
    pl_limit *all[] = { a1, a1, b1, n1, n1, o };
    for (int i = 0; i < 6; i++)
        pl_limits_leave(&l, all[i]);
    pl_limits_clear(&l);
}

PL_TEST(coming_back_gives_no_new_bucket_and_the_table_stays_small)
{
    pl_limits l;
    pl_limits_init(&l, 2, 5, 20, (pl_rand){ 0 });
    pl_addr a = addr("192.0.2.1");
    pl_limit *e = pl_limits_enter(&l, 0, &a);
    while (pl_limits_pass(&l, 0, e))
        ;
    pl_limits_leave(&l, e);
    e = pl_limits_enter(&l, PL_MS(100), &a);
    PL_OKAY(!pl_limits_pass(&l, PL_MS(100), e));
    pl_limits_leave(&l, e);
    for (uint32_t i = 0; i < 3 * PL_LIMITS_ADDR_MAX; i++) {
        pl_addr from = { .family = PL_AF_IP4,
                         .ip = { 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i } };
        e = pl_limits_enter(&l, PL_SEC(1), &from);
        PL_OKAY(e);
        PL_OKAY(pl_limits_pass(&l, PL_SEC(1), e));
        pl_limits_leave(&l, e);
    }
    PL_LE(l.by_addr.n, PL_LIMITS_ADDR_MAX);
    pl_limits_clear(&l);
}

PL_TESTS(t(a_bucket_empties_and_fills), t(connections_are_counted_by_address),
         t(coming_back_gives_no_new_bucket_and_the_table_stays_small))
