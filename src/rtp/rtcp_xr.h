/* rtcp_xr.h - round-trip time for those who only receive: RRTR out, DLRR back.
 * Source   RFC 3611 4.4 and 4.5; other block types are skipped.
 * Shape    plain data, nothing to free.
 * Errors   PL_EPROTO when a block runs over the packet, PL_ENOSPC above PL_XR_DLRR_MAX. Writers: rtcp.h. */
#ifndef PL_RTP_RTCP_XR_H
#define PL_RTP_RTCP_XR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "peerline/error.h"
#include "rtp/rtcp.h"

enum { PL_XR_DLRR_MAX = 32 };

typedef struct pl_xr_dlrr {
    uint32_t ssrc; /* the receiver that had sent the RRTR */
    uint32_t lrr;  /* middle 32 bits of its NTP time */
    uint32_t dlrr; /* since then, 1/65536 s */
} pl_xr_dlrr;

typedef struct pl_rtcp_xr {
    uint32_t ssrc;
    bool has_rrtr;
    uint64_t rrtr_ntp;
    uint8_t n_dlrr;
    pl_xr_dlrr dlrr[PL_XR_DLRR_MAX];
} pl_rtcp_xr;

PL_NODISCARD pl_err pl_rtcp_xr_parse(pl_rtcp_xr *out, pl_rd body);
void pl_rtcp_xr_write_rrtr(pl_wr *w, uint32_t ssrc, uint64_t ntp);
void pl_rtcp_xr_write_dlrr(pl_wr *w, uint32_t ssrc, const pl_xr_dlrr *dlrr, size_t n);

#endif
