/* chunk_data.h - the chunks that carry user messages: DATA, and I-DATA, whose messages may interleave.
 * Source   RFC 9260 3.3.1; the I bit RFC 7053; I-DATA RFC 8260 2.1.
 *   | type 0  | res I U B E | length | TSN 32 | stream 16 | SSN 16      | PPID 32                        | payload ... |
 *   | type 64 | res I U B E | length | TSN 32 | stream 16 | reserved 16 | MID 32 | PPID (with B) or FSN 32 | payload ... |
 * Shape    plain data; the payload is lent. One struct for both: an association speaks one of them. */
#ifndef PL_SCTP_CHUNK_DATA_H
#define PL_SCTP_CHUNK_DATA_H

#include "sctp/chunk.h"

enum {
    PL_SCTP_DATA_E = 1, /* last fragment of its message */
    PL_SCTP_DATA_B = 2, /* first fragment */
    PL_SCTP_DATA_U = 4, /* unordered: in DATA the SSN says nothing */
    PL_SCTP_DATA_I = 8  /* please SACK at once */
};

typedef struct pl_sctp_data {
    uint32_t tsn;
    uint32_t ppid; /* I-DATA: 0 but in the first fragment */
    uint32_t mid;  /* number of the message; in DATA the SSN, of 16 bits */
    uint32_t fsn;  /* I-DATA: number of the fragment, 0 for the first; in DATA 0 */
    uint16_t sid;
    uint8_t flags;
    bool interleaved; /* I-DATA */
    const uint8_t *payload;
    size_t len;
} pl_sctp_data;

static inline size_t pl_sctp_data_header(bool interleaved)
{
    return interleaved ? PL_SCTP_IDATA_HEADER : PL_SCTP_DATA_HEADER;
}

/* chunk: of type DATA or I-DATA. An empty payload parses: what to do with it is the association's matter.
 * Errors: PL_EPROTO. */
PL_NODISCARD pl_err pl_sctp_data_parse(pl_sctp_data *out, const pl_sctp_chunk *chunk);
void pl_sctp_data_write(pl_wr *w, const pl_sctp_data *d);

#endif
