/* chunk_sack.h - the SACK chunk.
 * Source   RFC 9260 3.3.4.
 *   | type 3 | 0 | length | cumulative TSN 32 | a_rwnd 32 | n gaps 16 | n duplicates 16 | gaps | duplicates |
 * Shape    parsed: counts are proven against the length, the arrays stay in the packet and are lent. */
#ifndef PL_SCTP_CHUNK_SACK_H
#define PL_SCTP_CHUNK_SACK_H

#include "sctp/chunk.h"

typedef struct pl_sctp_sack_chunk {
    uint32_t cumulative_tsn, a_rwnd;
    size_t n_gaps, n_duplicates;
    const uint8_t *gaps;       /* start 16, end 16 each, relative to cumulative_tsn */
    const uint8_t *duplicates; /* TSN 32 each */
} pl_sctp_sack_chunk;

PL_NODISCARD pl_err pl_sctp_sack_parse(pl_sctp_sack_chunk *out, pl_rd body);
static inline void pl_sctp_sack_gap(const pl_sctp_sack_chunk *s, size_t i, uint16_t *start, uint16_t *end)
{
    *start = pl_get16(s->gaps + 4 * i);
    *end = pl_get16(s->gaps + 4 * i + 2);
}

static inline uint32_t pl_sctp_sack_duplicate(const pl_sctp_sack_chunk *s, size_t i)
{
    return pl_get32(s->duplicates + 4 * i);
}

#endif
