/* chunk_init.h - INIT and INIT ACK, and the parameters they carry.
 * Source   RFC 9260 3.3.2, 3.3.3; supported extensions RFC 5061 4.2.7; forward TSN RFC 3758 3.1; interleaving
 *          RFC 8260 2.2.1; zero checksum RFC 9653 4.
 *   | type 1, 2 | 0 | length | tag 32 | a_rwnd 32 | streams out 16 | streams in 16 | TSN 32 | parameters |
 * Shape    plain data; the cookie and unknown parameters are lent. */
#ifndef PL_SCTP_CHUNK_INIT_H
#define PL_SCTP_CHUNK_INIT_H

#include "sctp/chunk.h"

enum {
    PL_SCTP_PARAM_HEARTBEAT_INFO = 1,
    PL_SCTP_PARAM_IP4 = 5,
    PL_SCTP_PARAM_IP6 = 6,
    PL_SCTP_PARAM_COOKIE = 7,
    PL_SCTP_PARAM_UNRECOGNIZED = 8,
    PL_SCTP_PARAM_COOKIE_PRESERVATIVE = 9,
    PL_SCTP_PARAM_HOST_NAME = 11,
    PL_SCTP_PARAM_ADDRESS_TYPES = 12,
    PL_SCTP_PARAM_ECN = 0x8000,
    PL_SCTP_PARAM_ZERO_CHECKSUM = 0x8001, /* RFC 9653 4 */
    PL_SCTP_PARAM_EXTENSIONS = 0x8008,
    PL_SCTP_PARAM_FORWARD_TSN = 0xc000,
    PL_SCTP_EDMID_DTLS = 1,  /* RFC 9653 7: DTLS is what detects errors */
    PL_SCTP_UNKNOWN_MAX = 8, /* unknown parameters reported back; more are passed over */
    PL_SCTP_COOKIE_MAX = 4096
};

/* What both sides must have said to use it. */
enum {
    PL_SCTP_EXT_FORWARD_TSN = 1,
    PL_SCTP_EXT_RECONFIG = 2,
    PL_SCTP_EXT_INTERLEAVE = 4,   /* I-DATA, and I-FORWARD-TSN with it (RFC 8260) */
    PL_SCTP_EXT_ZERO_CHECKSUM = 8 /* with DTLS as the method that detects errors (RFC 9653) */
};

typedef struct pl_sctp_init {
    uint32_t tag, a_rwnd, tsn;
    uint16_t streams_out, streams_in;
    uint32_t preserve_ms;  /* INIT: how much longer a cookie should live (RFC 9260 3.3.2.1.3); 0: not said */
    uint8_t extensions;    /* PL_SCTP_EXT_* */
    const uint8_t *cookie; /* INIT ACK */
    size_t cookie_len;
    bool host_name;                     /* RFC 9260 3.3.2.1.4: deprecated, answered with ABORT */
    pl_rd unknown[PL_SCTP_UNKNOWN_MAX]; /* whole parameters that asked to be reported */
    size_t n_unknown;
} pl_sctp_init;

/* body: of the chunk. Unknown parameters are passed over, collected or end the reading as their type says.
 * Errors: PL_EPROTO. */
PL_NODISCARD pl_err pl_sctp_init_parse(pl_sctp_init *out, pl_rd body);
/* type: PL_SCTP_INIT or PL_SCTP_INIT_ACK. Writes fixed part, extensions, cookie (when there is one) and one
 * Unrecognized Parameter for each of unknown[]. */
void pl_sctp_init_write(pl_wr *w, uint8_t type, const pl_sctp_init *in);

#endif
