/* seq.h - serial number arithmetic (RFC 1982) in one place, and unwrapping to 64 bits.
 * `newer(a, b)`: a comes after b. Numbers half the circle apart count as newer. */
#ifndef PL_BASE_SEQ_H
#define PL_BASE_SEQ_H

#include <stdbool.h>
#include <stdint.h>

static inline bool pl_seq16_newer(uint16_t a, uint16_t b)
{
    uint16_t d = (uint16_t)(a - b);
    return d != 0 && d <= 0x8000;
}
static inline bool pl_seq32_newer(uint32_t a, uint32_t b)
{
    uint32_t d = a - b;
    return d != 0 && d <= 0x80000000u;
}
static inline bool pl_seq32_at_least(uint32_t a, uint32_t b)
{
    return a == b || pl_seq32_newer(a, b);
}
/* The 64-bit number that has these low bits and lies nearest to `near`. Never negative for near >= 0
 * within half a circle of the start. */
static inline int64_t pl_seq16_unwrap(int64_t near, uint16_t seq)
{
    return near + (int16_t)(uint16_t)(seq - (uint16_t)near);
}
static inline int64_t pl_seq32_unwrap(int64_t near, uint32_t seq)
{
    return near + (int32_t)(seq - (uint32_t)near);
}

#endif
