/* rtcp_twcc.h - the transport-wide congestion control feedback packet.
 * Source   draft-holmer-rmcat-transport-wide-cc-extensions-01, 3.1.
 * Shape    plain data, nothing to free. Parsing checks the whole packet first and then gives the packets one
 *          by one from the wire, so that no array is needed for the 65535 it may report.
 * Units    microseconds on the receiver's clock, which only differences are good for.
 *
 *    | SSRC of sender | SSRC of media | base seq 16 | status count 16 | reference time 24 | fb count 8 |
 *    | packet chunks 16 ... | receive deltas 8 or 16, in 250 us ... | zeros to 32 bits |
 */
#ifndef PL_RTP_RTCP_TWCC_H
#define PL_RTP_RTCP_TWCC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "peerline/error.h"
#include "rtp/rtcp.h"

enum { PL_TWCC_HEADER_LEN = 20 }; /* with the common header */

typedef struct pl_rtcp_twcc {
    uint32_t sender_ssrc, media_ssrc;
    uint16_t base_seq, n; /* n: packets reported on, from base_seq on */
    uint32_t ref_time;    /* 24 bits, in 64 ms; wraps after 12 days */
    uint8_t fb_count;     /* counts the feedback packets, to see lost ones */
    pl_rd chunks, deltas; /* where pl_rtcp_twcc_next stands */
    uint32_t run_left;    /* state of the current chunk */
    uint16_t chunk, i;
    int64_t at_us;
} pl_rtcp_twcc;

typedef struct pl_rtcp_twcc_item {
    uint16_t seq;
    bool received;
    int64_t arrival_us; /* since ref_time 0, when received */
} pl_rtcp_twcc_item;

/* PL_EPROTO unless chunks and deltas cover all n packets. */
PL_NODISCARD pl_err pl_rtcp_twcc_parse(pl_rtcp_twcc *out, pl_rd body);
/* The next of the n packets; false after the last. */
bool pl_rtcp_twcc_next(pl_rtcp_twcc *f, pl_rtcp_twcc_item *out);

typedef struct pl_twcc_arrival {
    int64_t seq; /* unwrapped, ascending */
    int64_t arrival_us;
} pl_twcc_arrival;

/* Reports base_seq up to the last of the n arrivals it can take in (n > 0, a[0].seq >= base_seq): it ends
 * early where w is full or a gap in time or sequence is too long for one packet. Returns how many arrivals
 * were taken, 0 when not even one fits (w is then as before, not bad). */
size_t pl_rtcp_twcc_write(pl_wr *w, uint32_t sender_ssrc, uint32_t media_ssrc, uint8_t fb_count,
                          int64_t base_seq, const pl_twcc_arrival *a, size_t n);

#endif
