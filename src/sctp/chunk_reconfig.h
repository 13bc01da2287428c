/* chunk_reconfig.h - the RE-CONFIG chunk and its parameters.
 * Source   RFC 6525 3.1, 4.1 to 4.6.
 *   | type 130 | 0 | length | one or two parameters |
 * Shape    plain data; stream lists are lent. */
#ifndef PL_SCTP_CHUNK_RECONFIG_H
#define PL_SCTP_CHUNK_RECONFIG_H

#include "sctp/chunk.h"

typedef enum pl_sctp_reconfig_type {
    PL_SCTP_RESET_OUT = 13,
    PL_SCTP_RESET_IN = 14,
    PL_SCTP_RESET_TSN = 15,
    PL_SCTP_RESET_RESPONSE = 16,
    PL_SCTP_ADD_OUT = 17,
    PL_SCTP_ADD_IN = 18
} pl_sctp_reconfig_type;

typedef enum pl_sctp_reset_result {
    PL_SCTP_RESET_NOTHING = 0,
    PL_SCTP_RESET_PERFORMED = 1,
    PL_SCTP_RESET_DENIED = 2,
    PL_SCTP_RESET_WRONG_SSN = 3,
    PL_SCTP_RESET_IN_PROGRESS_ALREADY = 4, /* another request is being worked on */
    PL_SCTP_RESET_BAD_SEQUENCE = 5,
    PL_SCTP_RESET_IN_PROGRESS = 6
} pl_sctp_reset_result;

typedef struct pl_sctp_reconfig {
    pl_sctp_reconfig_type type;
    uint32_t request_seq;  /* of a request */
    uint32_t response_seq; /* RESET_OUT, RESET_RESPONSE: the request it answers */
    uint32_t last_tsn;     /* RESET_OUT: the sender's last assigned TSN */
    uint32_t result;       /* RESET_RESPONSE */
    uint16_t n_new;        /* ADD_* */
    const uint8_t *sids;   /* RESET_OUT, RESET_IN: 16 bits each; none means all */
    size_t n_sids;
} pl_sctp_reconfig;

/* Errors: PL_EPROTO, PL_ENOTSUP for a parameter of another type. */
PL_NODISCARD pl_err pl_sctp_reconfig_parse(pl_sctp_reconfig *out, const pl_sctp_param *p);
/* A whole chunk around an Outgoing SSN Reset Request; sid in host order. */
void pl_sctp_reset_out_write(pl_wr *w, uint32_t request_seq, uint32_t response_seq, uint32_t last_tsn,
                             const uint16_t *sid, size_t n);
/* A whole chunk around PL_SCTP_ADD_OUT or PL_SCTP_ADD_IN. */
void pl_sctp_add_write(pl_wr *w, pl_sctp_reconfig_type type, uint32_t request_seq, uint16_t n);
/* A whole chunk around a response. */
void pl_sctp_reset_response_write(pl_wr *w, uint32_t response_seq, pl_sctp_reset_result result);

#endif
