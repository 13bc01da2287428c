/* chunk_data.h - the DATA chunk.
 * Source   RFC 9260 3.3.1; the I bit RFC 7053.
 *   | type 0 | res I U B E | length | TSN 32 | stream 16 | SSN 16 | PPID 32 | payload ... |
 * Shape    plain data; the payload is lent. */
#ifndef PL_SCTP_CHUNK_DATA_H
#define PL_SCTP_CHUNK_DATA_H

#include "sctp/chunk.h"

enum {
    PL_SCTP_DATA_E = 1, /* last fragment of its message */
    PL_SCTP_DATA_B = 2, /* first fragment */
    PL_SCTP_DATA_U = 4, /* unordered: SSN says nothing */
    PL_SCTP_DATA_I = 8  /* please SACK at once */
};

typedef struct pl_sctp_data {
    uint32_t tsn, ppid;
    uint16_t sid, ssn;
    uint8_t flags;
    const uint8_t *payload;
    size_t len;
} pl_sctp_data;

/* An empty payload parses: what to do with it is the association's matter. Errors: PL_EPROTO. */
PL_NODISCARD pl_err pl_sctp_data_parse(pl_sctp_data *out, const pl_sctp_chunk *chunk);
void pl_sctp_data_write(pl_wr *w, const pl_sctp_data *d);

#endif
