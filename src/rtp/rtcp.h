/* rtcp.h - walking and validating a compound RTCP packet; what follows in rtcp_report.h (SR RR SDES BYE),
 * rtcp_feedback.h (NACK PLI FIR REMB), rtcp_twcc.h and rtcp_xr.h.
 * Source   RFC 3550 6.1 and 6.4.1, RFC 4585 6.1, RFC 5506 (any packet may stand first and alone).
 * Shape    plain data, nothing to free. Parsers take the body of one packet; writers append one whole packet
 *          to a pl_wr or, when it does not fit, mark the writer bad and append nothing.
 *
 *     pl_rd rd = pl_rd_init(pkt, len); pl_rtcp one;
 *     while (pl_rtcp_next(&rd, &one)) switch (one.pt) ...     then pl_rd_ok(&rd): was it all well-formed?
 */
#ifndef PL_RTP_RTCP_H
#define PL_RTP_RTCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "peerline/error.h"

typedef enum pl_rtcp_pt {
    PL_RTCP_SR = 200,
    PL_RTCP_RR = 201,
    PL_RTCP_SDES = 202,
    PL_RTCP_BYE = 203,
    PL_RTCP_APP = 204,
    PL_RTCP_RTPFB = 205, /* transport feedback: fmt is a pl_rtcp_rtpfb */
    PL_RTCP_PSFB = 206,  /* payload feedback: fmt is a pl_rtcp_psfb */
    PL_RTCP_XR = 207
} pl_rtcp_pt;
typedef enum pl_rtcp_rtpfb { PL_RTPFB_NACK = 1, PL_RTPFB_TMMBR = 3, PL_RTPFB_TWCC = 15 } pl_rtcp_rtpfb;
typedef enum pl_rtcp_psfb { PL_PSFB_PLI = 1, PL_PSFB_FIR = 4, PL_PSFB_AFB = 15 /* REMB */ } pl_rtcp_psfb;

enum { PL_RTCP_HEADER_LEN = 4 };

typedef struct pl_rtcp {
    uint8_t pt;  /* pl_rtcp_pt, or one that we do not know and the caller skips */
    uint8_t fmt; /* report, source or chunk count; feedback message type */
    pl_rd body;  /* behind the common header, without padding */
} pl_rtcp;

/* The next packet; false at the end or where the compound is broken (then rd is bad). */
bool pl_rtcp_next(pl_rd *rd, pl_rtcp *out);
/* Every packet of the compound has version 2, a length that fits, and padding within it. */
bool pl_rtcp_valid(const uint8_t *pkt, size_t len);
/* The SSRC of the sender of the first packet, to find the SRTCP context or the peer; 0 when too short. */
uint32_t pl_rtcp_ssrc(const uint8_t *pkt, size_t len);
/* Room for a whole packet of n bytes (a multiple of 4) with its common header written; NULL and w bad when it
 * does not fit. For the writers of the other rtcp_ rooms. */
uint8_t *pl_rtcp_make(pl_wr *w, unsigned fmt, unsigned pt, size_t n);

#endif
