/* replay.h - which of the latest packet numbers have been seen, so that none is taken twice.
 * Source   RFC 3711 3.3.2, RFC 6347 4.1.2.6; the ring of words is RFC 6479's, where moving on clears whole
 *          words and nothing is ever shifted.
 * Shape    plain data, zero state legal (nothing seen). The number is unwrapped to 64 bits by its owner.
 *          Ask before authenticating, mark after. */
#ifndef PL_CRYPTO_REPLAY_H
#define PL_CRYPTO_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

enum {
    PL_REPLAY_WORDS = 16,
    PL_REPLAY_WINDOW =
        (PL_REPLAY_WORDS - 1) * 64, /* numbers this far below the top can still be told apart */
};

typedef struct pl_replay {
    uint64_t top; /* the highest seen, when any was */
    bool any;
    uint64_t word[PL_REPLAY_WORDS];
} pl_replay;

/* True when this number was seen or is too old to tell. */
static inline bool pl_replay_seen(const pl_replay *r, uint64_t n)
{
    if (!r->any || n > r->top)
        return false;
    if (r->top - n >= PL_REPLAY_WINDOW)
        return true;
    return r->word[n / 64 % PL_REPLAY_WORDS] >> n % 64 & 1;
}

static inline void pl_replay_mark(pl_replay *r, uint64_t n)
{
    if (!r->any || n > r->top) {
        uint64_t ahead = r->any ? n / 64 - r->top / 64 : PL_REPLAY_WORDS;
        for (uint64_t i = 0; i < ahead && i < PL_REPLAY_WORDS; i++)
            r->word[(n / 64 - i) % PL_REPLAY_WORDS] = 0;
        r->top = n;
        r->any = true;
    }
    r->word[n / 64 % PL_REPLAY_WORDS] |= UINT64_C(1) << n % 64;
}

#endif
