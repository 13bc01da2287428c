/* pl_test.h - thin names over cmocka, and the seed of a run.
 *     PL_TEST(name) { PL_EQ(a, b); }      ...      PL_TESTS(t(name), t(other))
 * PL_SEED comes from the environment when set, so a red test is replayed with PL_SEED=<printed>. */
#ifndef PL_TEST_H
#define PL_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PL_TEST(name) static void name(__attribute__((unused)) void **pl_test_state)
#define t(name)       cmocka_unit_test(name)
#define PL_TESTS(...)                                                                                        \
    int main(void)                                                                                           \
    {                                                                                                        \
        const struct CMUnitTest pl_tests[] = { __VA_ARGS__ };                                                \
        return cmocka_run_group_tests(pl_tests, NULL, NULL);                                                 \
    }

/* Both sides are evaluated once, as whole numbers. */
#define PL_EQ(a, b)       pl_test_compare((long long)(a), '=', (long long)(b), #a " == " #b, __FILE__, __LINE__)
#define PL_LE(a, b)       pl_test_compare((long long)(a), '<', (long long)(b), #a " <= " #b, __FILE__, __LINE__)
#define PL_GE(a, b)       pl_test_compare((long long)(b), '<', (long long)(a), #a " >= " #b, __FILE__, __LINE__)
#define PL_OKAY(x)        _assert_true(!!(x), #x, __FILE__, __LINE__)
#define PL_STREQ(a, b)    assert_string_equal(a, b)
#define PL_MEMEQ(a, b, n) assert_memory_equal(a, b, n)

static inline void pl_test_compare(long long a, char how, long long b, const char *text, const char *file,
                                   int line)
{
    int ok = how == '=' ? a == b : a <= b;
    if (!ok)
        print_error("%s: %lld and %lld\n", text, a, b);
    _assert_true(ok, text, file, line);
}

/* The seed a simulation starts from: PL_SEED of the environment, or `otherwise`. */
static inline uint64_t pl_test_seed(uint64_t otherwise)
{
    const char *env = getenv("PL_SEED");
    return env ? strtoull(env, NULL, 0) : otherwise;
}

#endif
