#include "base/rand.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/bytes.h"

static void fill_from_machine(uint8_t *out, size_t len)
{
    while (len) {
        ssize_t n = getrandom(out, len, 0);
        if (n < 0 && errno != EINTR)
            abort(); /* no entropy, no security: nothing sensible can follow */
        if (n > 0) {
            out += n;
            len -= (size_t)n;
        }
    }
}

void pl_rand_bytes(const pl_rand *r, void *out, size_t len)
{
    if (r && r->fill)
        r->fill(r->ctx, out, len);
    else
        fill_from_machine(out, len);
}

uint32_t pl_rand_u32(const pl_rand *r)
{
    uint8_t b[4];
    pl_rand_bytes(r, b, sizeof b);
    return pl_get32(b);
}

uint64_t pl_rand_u64(const pl_rand *r)
{
    uint64_t hi = pl_rand_u32(r);
    return hi << 32 | pl_rand_u32(r);
}

uint32_t pl_rand_below(const pl_rand *r, uint32_t below)
{
    return (uint32_t)((uint64_t)pl_rand_u32(r) * below >> 32);
}

void pl_rand_ice_chars(const pl_rand *r, char *out, size_t n)
{
    static const char ice_char[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i++) {
        uint8_t b;
        pl_rand_bytes(r, &b, 1);
        out[i] = ice_char[b & 63];
    }
    out[n] = 0;
}

static uint64_t rotl(uint64_t v, int n)
{
    return v << n | v >> (64 - n);
}

static uint64_t seeded_next(pl_rand_seeded *g)
{
    uint64_t *s = g->s, out = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return out;
}

static void seeded_fill(void *ctx, uint8_t *out, size_t len)
{
    while (len) {
        uint8_t b[8];
        pl_put64(b, seeded_next(ctx));
        size_t n = len < sizeof b ? len : sizeof b;
        memcpy(out, b, n);
        out += n;
        len -= n;
    }
}

pl_rand pl_rand_seed(pl_rand_seeded *s, uint64_t seed)
{
    for (int i = 0; i < 4; i++) { /* splitmix64 spreads the seed over the state */
        seed += 0x9e3779b97f4a7c15u;
        uint64_t z = seed;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        s->s[i] = z ^ z >> 31;
    }
    return (pl_rand){ .fill = seeded_fill, .ctx = s };
}
