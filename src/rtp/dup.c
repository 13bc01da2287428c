#include "rtp/dup.h"

#include <string.h>

/* Forgets the bits of (top, to], which the window now slides over. */
static void slide(pl_rtp_dup *d, int64_t to)
{
    if (to - d->top >= PL_DUP_WINDOW) {
        memset(d->bit, 0, sizeof d->bit);
    } else {
        for (int64_t seq = d->top + 1; seq <= to; seq++)
            d->bit[seq % PL_DUP_WINDOW / 64] &= ~((uint64_t)1 << (seq % 64));
    }
    d->top = to;
}

bool pl_rtp_dup_first(pl_rtp_dup *d, int64_t ext_seq)
{
    if (ext_seq < 0)
        return false;
    if (!d->started) {
        d->started = true;
        d->top = ext_seq;
    }
    if (ext_seq <= d->top - PL_DUP_WINDOW)
        return false;
    if (ext_seq > d->top)
        slide(d, ext_seq);
    uint64_t *word = &d->bit[ext_seq % PL_DUP_WINDOW / 64], mask = (uint64_t)1 << (ext_seq % 64);
    bool first = !(*word & mask);
    *word |= mask;
    return first;
}
