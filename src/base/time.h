/* time.h - time is int64_t microseconds everywhere; cores are told it, only net/ reads a clock. */
#ifndef PL_BASE_TIME_H
#define PL_BASE_TIME_H

#include <stdint.h>

#define PL_NEVER  INT64_MAX
#define PL_US(n)  ((int64_t)(n))
#define PL_MS(n)  ((int64_t)(n)*1000)
#define PL_SEC(n) ((int64_t)(n)*1000000)

static inline int64_t pl_min_us(int64_t a, int64_t b)
{
    return a < b ? a : b;
}
static inline int64_t pl_max_us(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

#endif
