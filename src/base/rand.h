/* rand.h - where random bytes come from: the machine, or a seed that replays a run exactly.
 * Cores take a `pl_rand` in their configuration and never ask the machine themselves. */
#ifndef PL_BASE_RAND_H
#define PL_BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

typedef struct pl_rand {
    void (*fill)(void *ctx, uint8_t *out, size_t len); /* NULL: the machine's generator */
    void *ctx;
} pl_rand;

void pl_rand_bytes(const pl_rand *r, void *out, size_t len);
uint32_t pl_rand_u32(const pl_rand *r);
uint64_t pl_rand_u64(const pl_rand *r);
/* Uniform in [0, below); below > 0. */
uint32_t pl_rand_below(const pl_rand *r, uint32_t below);
/* n characters of RFC 8445's ice-char (letters, digits, + and /), then a zero: 6 bits each; out holds n+1. */
void pl_rand_ice_chars(const pl_rand *r, char *out, size_t n);

/* xoshiro256** (Blackman and Vigna 2018): for tests and simulation, never for keys. */
typedef struct pl_rand_seeded {
    uint64_t s[4];
} pl_rand_seeded;

/* The state lives in `s`, which must outlive the pl_rand. */
pl_rand pl_rand_seed(pl_rand_seeded *s, uint64_t seed);

#endif
