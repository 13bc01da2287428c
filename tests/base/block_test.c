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

PL_TESTS(t(nobody_shares_a_block), t(another_thread_may_give_back))
