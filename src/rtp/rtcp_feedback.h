/* rtcp_feedback.h - feedback of a receiver: generic NACK, PLI, FIR, REMB.
 * Source   RFC 4585 6.2.1 and 6.3.1, RFC 5104 4.3.1, draft-alvestrand-rmcat-remb-03.
 * Shape    plain data, nothing to free.
 * Errors   PL_EPROTO for a body that is too short or not whole; PL_ENOSPC beyond the maxima below.
 *          Writers: see rtcp.h. */
#ifndef PL_RTP_RTCP_FEEDBACK_H
#define PL_RTP_RTCP_FEEDBACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "peerline/error.h"
#include "rtp/rtcp.h"

enum {
    PL_RTCP_NACK_MAX = 320, /* items of one packet: more than a datagram of usual size holds */
    PL_RTCP_FIR_MAX = 32,
    PL_RTCP_REMB_MAX = 64,
    PL_RTCP_NACK_LEN = 12, /* bytes without items */
    PL_RTCP_PLI_LEN = 12
};

/* Lost: pid, and pid + 1 + i for each bit i of blp. */
typedef struct pl_nack_item {
    uint16_t pid, blp;
} pl_nack_item;

typedef struct pl_rtcp_nack {
    uint32_t sender_ssrc, media_ssrc;
    uint16_t n;
    pl_nack_item item[PL_RTCP_NACK_MAX];
} pl_rtcp_nack;
PL_NODISCARD pl_err pl_rtcp_nack_parse(pl_rtcp_nack *out, pl_rd body);
/* 1 <= n <= PL_RTCP_NACK_MAX */
void pl_rtcp_nack_write(pl_wr *w, uint32_t sender_ssrc, uint32_t media_ssrc, const pl_nack_item *item,
                        size_t n);

typedef struct pl_rtcp_pli {
    uint32_t sender_ssrc, media_ssrc;
} pl_rtcp_pli;
PL_NODISCARD pl_err pl_rtcp_pli_parse(pl_rtcp_pli *out, pl_rd body);
void pl_rtcp_pli_write(pl_wr *w, uint32_t sender_ssrc, uint32_t media_ssrc);

/* A new seq_nr is a new command; the same one again is a repetition (RFC 5104 4.3.1.2). */
typedef struct pl_rtcp_fir_item {
    uint32_t ssrc;
    uint8_t seq_nr;
} pl_rtcp_fir_item;
typedef struct pl_rtcp_fir {
    uint32_t sender_ssrc;
    uint8_t n;
    pl_rtcp_fir_item item[PL_RTCP_FIR_MAX];
} pl_rtcp_fir;
PL_NODISCARD pl_err pl_rtcp_fir_parse(pl_rtcp_fir *out, pl_rd body);
void pl_rtcp_fir_write(pl_wr *w, uint32_t sender_ssrc, const pl_rtcp_fir_item *item, size_t n);

typedef struct pl_rtcp_remb {
    uint32_t sender_ssrc;
    int64_t rate_bps;
    uint8_t n;
    uint32_t ssrc[PL_RTCP_REMB_MAX];
} pl_rtcp_remb;
/* PL_EPROTO also for application feedback that is not REMB: skip it. */
PL_NODISCARD pl_err pl_rtcp_remb_parse(pl_rtcp_remb *out, pl_rd body);
void pl_rtcp_remb_write(pl_wr *w, uint32_t sender_ssrc, int64_t rate_bps, const uint32_t *ssrc, size_t n);

#endif
