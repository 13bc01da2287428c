/* net_help.h - a loop that the test drives, until something holds or too much time has passed. */
#ifndef NET_HELP_H
#define NET_HELP_H

#include "pl_test.h"

#include "base/addr.h"
#include "net/loop.h"

static inline pl_loop *help_loop(void)
{
    pl_loop *loop;
    PL_EQ(pl_loop_new(&loop, NULL), PL_OK);
    return loop;
}

/* Ten seconds are not a wish for speed but the end of hope. */
#define HELP_UNTIL(loop, condition)                                                                          \
    do {                                                                                                     \
        int64_t help_end_us = pl_clock_us() + PL_SEC(10);                                                    \
        while (!(condition) && pl_clock_us() < help_end_us)                                                  \
            PL_EQ(pl_loop_run_once((loop), PL_MS(100)), PL_OK);                                              \
        PL_OKAY(condition);                                                                                  \
    } while (0)

static inline pl_addr help_addr(const char *text)
{
    pl_addr a;
    PL_EQ(pl_addr_parse(&a, text, strlen(text)), PL_OK);
    return a;
}

#endif
