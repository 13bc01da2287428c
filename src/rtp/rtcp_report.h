/* rtcp_report.h - sender and receiver reports, source description, goodbye.
 * Source   RFC 3550 6.4 (SR, RR), 6.5 (SDES: CNAME alone is sent), 6.6 (BYE).
 * Shape    plain data, nothing to free.
 * Errors   PL_EPROTO when a body is shorter than its count says. Profile extensions behind the report blocks
 *          are skipped. Writers: see rtcp.h. */
#ifndef PL_RTP_RTCP_REPORT_H
#define PL_RTP_RTCP_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/slice.h"
#include "peerline/error.h"
#include "rtp/rtcp.h"

enum {
    PL_RTCP_BLOCK_MAX = 31, /* report blocks of one packet, RFC 3550 6.4.1 */
    PL_RTCP_BYE_MAX = 31,
    PL_RTCP_SR_LEN = 28, /* bytes without blocks, header counted */
    PL_RTCP_RR_LEN = 8,
    PL_RTCP_BLOCK_LEN = 24,
    PL_RTCP_TEXT_MAX = 255
};

typedef struct pl_rtcp_block {
    uint32_t ssrc;         /* the source that is reported on */
    uint8_t fraction_lost; /* of 256, since the last report */
    int32_t lost;          /* 24 bits signed, cumulative */
    uint32_t ext_seq;      /* highest sequence number, cycles in the upper half */
    uint32_t jitter;       /* clock-rate ticks */
    uint32_t lsr;          /* middle 32 bits of the NTP time of the last SR, 0: none yet */
    uint32_t dlsr;         /* since then, 1/65536 s */
} pl_rtcp_block;

typedef struct pl_rtcp_sr {
    uint64_t ntp; /* 32.32 seconds since 1900 */
    uint32_t rtp_ts, n_packets, n_octets;
} pl_rtcp_sr;

typedef struct pl_rtcp_report {
    uint32_t ssrc; /* of the reporter */
    bool has_sr;
    pl_rtcp_sr sr;
    uint8_t n_blocks;
    pl_rtcp_block block[PL_RTCP_BLOCK_MAX];
} pl_rtcp_report;

/* p->pt must be PL_RTCP_SR or PL_RTCP_RR. */
PL_NODISCARD pl_err pl_rtcp_report_parse(pl_rtcp_report *out, const pl_rtcp *p);
/* n <= PL_RTCP_BLOCK_MAX */
void pl_rtcp_sr_write(pl_wr *w, uint32_t ssrc, const pl_rtcp_sr *sr, const pl_rtcp_block *block, size_t n);
void pl_rtcp_rr_write(pl_wr *w, uint32_t ssrc, const pl_rtcp_block *block, size_t n);

/* SDES chunk by chunk: `pl_rd rd = p.body; while (pl_rtcp_sdes_next(&rd, &chunk))`, then pl_rd_ok(&rd). */
typedef struct pl_rtcp_sdes {
    uint32_t ssrc;
    pl_str cname; /* lent from the packet; p NULL when the chunk has none */
} pl_rtcp_sdes;
bool pl_rtcp_sdes_next(pl_rd *rd, pl_rtcp_sdes *out);
/* One chunk with a CNAME of at most PL_RTCP_TEXT_MAX bytes. */
void pl_rtcp_cname_write(pl_wr *w, uint32_t ssrc, pl_str cname);

typedef struct pl_rtcp_bye {
    uint8_t n;
    uint32_t ssrc[PL_RTCP_BYE_MAX];
    pl_str reason; /* lent; p NULL when none */
} pl_rtcp_bye;
PL_NODISCARD pl_err pl_rtcp_bye_parse(pl_rtcp_bye *out, const pl_rtcp *p);
void pl_rtcp_bye_write(pl_wr *w, const uint32_t *ssrc, size_t n, pl_str reason);

#endif
