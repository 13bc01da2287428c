#include "congestion/acked.h"

#include <string.h>

enum { SPAN_MIN_US = 150000 };

/* Floor, also for a clock that started below zero. */
static int64_t bin_of(int64_t us)
{
    return us >= 0 ? us / PL_ACKED_BIN_US : -((-us + PL_ACKED_BIN_US - 1) / PL_ACKED_BIN_US);
}

static uint32_t *bytes_of(pl_cc_acked *a, int64_t bin)
{
    return &a->bytes[(uint64_t)bin % PL_ACKED_BINS];
}

void pl_cc_acked_packet(pl_cc_acked *a, int64_t arrival_us, uint32_t len)
{
    int64_t bin = bin_of(arrival_us);
    if (!a->started || bin - a->bin >= PL_ACKED_BINS || a->bin - bin >= 2 * PL_ACKED_BINS) {
        *a = (pl_cc_acked){ .started = true, .bin = bin, .first_us = arrival_us, .last_us = arrival_us };
        return; /* the first packet marks the start: its bytes came in the time before */
    }
    while (a->bin < bin)
        *bytes_of(a, ++a->bin) = 0;
    if (a->bin - bin >= PL_ACKED_BINS)
        return; /* reordered out of the window */
    *bytes_of(a, bin) += len;
    if (arrival_us > a->last_us)
        a->last_us = arrival_us;
}

int64_t pl_cc_acked_bps(const pl_cc_acked *a)
{
    int64_t oldest_us = (a->bin - PL_ACKED_BINS + 1) * PL_ACKED_BIN_US;
    int64_t start_us = oldest_us > a->first_us ? oldest_us : a->first_us;
    int64_t span_us = a->last_us - start_us;
    if (!a->started || span_us < SPAN_MIN_US)
        return 0;
    uint64_t bytes = 0;
    for (int i = 0; i < PL_ACKED_BINS; i++)
        bytes += a->bytes[i];
    return (int64_t)(bytes * 8 * 1000000 / (uint64_t)span_us);
}
