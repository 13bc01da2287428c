/* chunk_forward.h - the FORWARD TSN and I-FORWARD-TSN chunks.
 * Source   RFC 3758 3.2; RFC 8260 2.3.1.
 *   | type 192 | 0 | length | new cumulative TSN 32 | stream 16 | SSN 16 | stream | SSN | ...
 *   | type 194 | 0 | length | new cumulative TSN 32 | stream 16 | reserved 15, U | MID 32 | ...
 * Shape    plain data; what is skipped is lent. */
#ifndef PL_SCTP_CHUNK_FORWARD_H
#define PL_SCTP_CHUNK_FORWARD_H

#include "sctp/chunk.h"

enum { PL_SCTP_SKIP_MAX = 256 }; /* streams in a chunk we write */

typedef struct pl_sctp_skip {
    uint32_t mid; /* last message skipped; in FORWARD TSN the SSN, of 16 bits */
    uint16_t sid;
    bool unordered; /* I-FORWARD-TSN alone names unordered messages */
} pl_sctp_skip;

typedef struct pl_sctp_forward {
    uint32_t cumulative_tsn;
    size_t n_skips;
    const uint8_t *skips;
    bool interleaved; /* I-FORWARD-TSN */
} pl_sctp_forward;

static inline size_t pl_sctp_skip_size(bool interleaved)
{
    return interleaved ? 8 : 4;
}

PL_NODISCARD pl_err pl_sctp_forward_parse(pl_sctp_forward *out, pl_rd body, bool interleaved);
pl_sctp_skip pl_sctp_forward_skip(const pl_sctp_forward *f, size_t i);
void pl_sctp_forward_write(pl_wr *w, bool interleaved, uint32_t cumulative_tsn, const pl_sctp_skip *skip,
                           size_t n);

#endif
