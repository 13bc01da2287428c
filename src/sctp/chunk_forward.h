/* chunk_forward.h - the FORWARD TSN chunk.
 * Source   RFC 3758 3.2.
 *   | type 192 | 0 | length | new cumulative TSN 32 | stream 16 | SSN 16 | stream | SSN | ...
 * Shape    plain data; the pairs are lent. */
#ifndef PL_SCTP_CHUNK_FORWARD_H
#define PL_SCTP_CHUNK_FORWARD_H

#include "sctp/chunk.h"

enum { PL_SCTP_SKIP_MAX = 256 }; /* pairs in a chunk we write */

typedef struct pl_sctp_skip {
    uint16_t sid, ssn;
} pl_sctp_skip;

typedef struct pl_sctp_forward {
    uint32_t cumulative_tsn;
    size_t n_skips;
    const uint8_t *skips;
} pl_sctp_forward;

PL_NODISCARD pl_err pl_sctp_forward_parse(pl_sctp_forward *out, pl_rd body);
static inline pl_sctp_skip pl_sctp_forward_skip(const pl_sctp_forward *f, size_t i)
{
    return (pl_sctp_skip){ pl_get16(f->skips + 4 * i), pl_get16(f->skips + 4 * i + 2) };
}
void pl_sctp_forward_write(pl_wr *w, uint32_t cumulative_tsn, const pl_sctp_skip *skip, size_t n);

#endif
