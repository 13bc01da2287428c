/* chunk_error.h - error causes, as ERROR and ABORT carry them.
 * Source   RFC 9260 3.3.7, 3.3.10.
 * Shape    each writer adds one cause inside a chunk that the caller begins and ends. */
#ifndef PL_SCTP_CHUNK_ERROR_H
#define PL_SCTP_CHUNK_ERROR_H

#include "sctp/chunk.h"

typedef enum pl_sctp_cause {
    PL_SCTP_CAUSE_INVALID_STREAM = 1,
    PL_SCTP_CAUSE_MISSING_PARAM = 2,
    PL_SCTP_CAUSE_STALE_COOKIE = 3,
    PL_SCTP_CAUSE_OUT_OF_RESOURCE = 4,
    PL_SCTP_CAUSE_UNRESOLVABLE_ADDRESS = 5,
    PL_SCTP_CAUSE_UNRECOGNIZED_CHUNK = 6,
    PL_SCTP_CAUSE_INVALID_PARAM = 7,
    PL_SCTP_CAUSE_UNRECOGNIZED_PARAMS = 8,
    PL_SCTP_CAUSE_NO_USER_DATA = 9,
    PL_SCTP_CAUSE_COOKIE_IN_SHUTDOWN = 10,
    PL_SCTP_CAUSE_RESTART_NEW_ADDRESS = 11,
    PL_SCTP_CAUSE_USER_ABORT = 12,
    PL_SCTP_CAUSE_PROTOCOL_VIOLATION = 13
} pl_sctp_cause;

/* A cause whose value is `len` bytes: also quotes of chunks, parameters and reasons. */
void pl_sctp_cause_write(pl_wr *w, pl_sctp_cause cause, const void *value, size_t len);
void pl_sctp_cause_invalid_stream(pl_wr *w, uint16_t sid);
void pl_sctp_cause_stale_cookie(pl_wr *w, uint32_t stale_us);

const char *pl_sctp_cause_str(uint16_t cause);

#endif
