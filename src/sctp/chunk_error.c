#include "sctp/chunk_error.h"

void pl_sctp_cause_write(pl_wr *w, pl_sctp_cause cause, const void *value, size_t len)
{
    size_t begun = pl_sctp_param_begin(w, (uint16_t)cause);
    pl_wr_bytes(w, value, len);
    pl_sctp_param_end(w, begun);
}

void pl_sctp_cause_invalid_stream(pl_wr *w, uint16_t sid)
{
    uint8_t value[4] = { (uint8_t)(sid >> 8), (uint8_t)sid };
    pl_sctp_cause_write(w, PL_SCTP_CAUSE_INVALID_STREAM, value, sizeof value);
}

void pl_sctp_cause_stale_cookie(pl_wr *w, uint32_t stale_us)
{
    uint8_t value[4];
    pl_put32(value, stale_us);
    pl_sctp_cause_write(w, PL_SCTP_CAUSE_STALE_COOKIE, value, sizeof value);
}

const char *pl_sctp_cause_str(uint16_t cause)
{
    switch (cause) {
    case 0: return "no cause given";
    case PL_SCTP_CAUSE_INVALID_STREAM: return "invalid stream identifier";
    case PL_SCTP_CAUSE_MISSING_PARAM: return "missing mandatory parameter";
    case PL_SCTP_CAUSE_STALE_COOKIE: return "stale cookie";
    case PL_SCTP_CAUSE_OUT_OF_RESOURCE: return "out of resource";
    case PL_SCTP_CAUSE_UNRESOLVABLE_ADDRESS: return "unresolvable address";
    case PL_SCTP_CAUSE_UNRECOGNIZED_CHUNK: return "unrecognized chunk type";
    case PL_SCTP_CAUSE_INVALID_PARAM: return "invalid mandatory parameter";
    case PL_SCTP_CAUSE_UNRECOGNIZED_PARAMS: return "unrecognized parameters";
    case PL_SCTP_CAUSE_NO_USER_DATA: return "no user data";
    case PL_SCTP_CAUSE_COOKIE_IN_SHUTDOWN: return "cookie while shutting down";
    case PL_SCTP_CAUSE_RESTART_NEW_ADDRESS: return "restart with new addresses";
    case PL_SCTP_CAUSE_USER_ABORT: return "user-initiated abort";
    case PL_SCTP_CAUSE_PROTOCOL_VIOLATION: return "protocol violation";
    default: return "unknown cause";
    }
}
