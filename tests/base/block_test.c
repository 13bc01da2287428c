/* Small blocks: each is its owner's alone, from whichever thread it comes back. */
#include <pthread.h>
#include <string.h>

#include "base/block.h"
#include "pl_test.h"

enum { BLOCKS = 3000 };

PL_TEST(nobody_shares_a_block)
{
    static unsigned char *at[BLOCKS];
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < BLOCKS; i++) {
            size_t size = 1 + i % (PL_BLOCK_MAX + 100);
            at[i] = pl_block_get(size);
            PL_OKAY(at[i] != NULL);
            memset(at[i], (int)(i % 251), size);
        }
        for (size_t i = 0; i < BLOCKS; i++) {
            size_t size = 1 + i % (PL_BLOCK_MAX + 100);
            PL_EQ(at[i][0], i % 251);
            PL_EQ(at[i][size - 1], i % 251);
            pl_block_put(at[i], size);
        }
    }
    pl_block_put(NULL, 64);
}

PL_TEST(what_fits_stays_when_the_size_changes)
{
    static const size_t sizes[] = { 8, 10, 100, PL_BLOCK_MAX, PL_BLOCK_MAX + 1, 100000, 5000, 70, 60, 8 };
    size_t old = sizes[0];
    unsigned char *b = pl_block_get(old);
    PL_OKAY(b != NULL);
    memset(b, 7, old);
    for (size_t i = 1; i < sizeof sizes / sizeof *sizes; i++) {
        b = pl_block_resize(b, old, sizes[i]);
        PL_OKAY(b != NULL);
        old = sizes[i];
        for (size_t k = 0; k < 8; k++)
            PL_EQ(b[k], 7);
        memset(b, 7, old);
    }
    pl_block_put(b, old);
}

static void *give_back(void *arg)
{
    void **at = arg;
    for (size_t i = 0; i < BLOCKS; i++)
        pl_block_put(at[i], 100);
    return NULL;
}

/* The thread keeps some of them, and its end gives those back, as the leak checkers see. */
PL_TEST(another_thread_may_give_back)
{
    static void *at[BLOCKS];
    for (int round = 0; round < 3; round++) {
        pthread_t t;
        for (size_t i = 0; i < BLOCKS; i++) {
            at[i] = pl_block_get(100);
            PL_OKAY(at[i] != NULL);
        }
        PL_EQ(pthread_create(&t, NULL, give_back, at), 0);
        PL_EQ(pthread_join(t, NULL), 0);
    }
}

PL_TESTS(t(nobody_shares_a_block), t(what_fits_stays_when_the_size_changes), t(another_thread_may_give_back))
