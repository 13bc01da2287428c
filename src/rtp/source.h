/* source.h - what a receiver knows of one SSRC: sequence, loss, jitter, counters, its last sender report.
 * Source   RFC 3550 A.1 (validity), A.3 (loss), A.8 (jitter), 6.4.1; webrtc-stats inbound-rtp and
 *          remote-outbound-rtp.
 * Shape    plain data, zero state legal, nothing to free. Belongs to its connection's thread.
 * Units    microseconds; jitter in clock-rate ticks, as on the wire.
 * Errors   none: packets that cannot belong to the stream are refused and counted. */
#ifndef PL_RTP_SOURCE_H
#define PL_RTP_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rtp/header.h"
#include "rtp/rtcp_report.h"

enum {
    PL_SOURCE_MAX_DROPOUT = 3000,   /* a longer jump forward is believed when it goes on (RFC 3550 A.1) */
    PL_SOURCE_MAX_MISORDER = 1000,  /* and so is a longer one back: the sender has started anew */
    PL_SOURCE_GAP_MAX_US = 60000000 /* jitter starts anew after a longer silence */
};

typedef struct pl_rtp_source {
    uint32_t ssrc, clock_rate;
    bool started;
    int64_t base_seq, max_seq; /* unwrapped; the first of this run and the highest */
    int32_t bad_seq;           /* after a jump: the number that would confirm it, or -1 */
    uint32_t n_restarts, n_refused;

    int64_t expected_before;                 /* in runs that a restart has ended */
    uint64_t received;                       /* in all runs, duplicates included, without RTX */
    uint64_t prior_received, prior_expected; /* at the last report, for the fraction */
    uint32_t jitter_q4;                      /* RFC 3550 A.8, scaled by 16 */
    uint32_t last_rtp_ts;
    int64_t last_arrival_us;

    uint64_t packets_received, bytes_received,
        header_bytes_received; /* webrtc-stats: payload; headers+padding */
    uint64_t retransmitted_packets_received, retransmitted_bytes_received;
    int64_t last_packet_received_us; /* 0: none */

    bool has_sr; /* remote-outbound-rtp */
    pl_rtcp_sr sr;
    int64_t sr_arrival_us;
    uint32_t n_sr;
} pl_rtp_source;

/* clock_rate may be 0 until the payload type is known; jitter then stays 0. */
void pl_rtp_source_init(pl_rtp_source *s, uint32_t ssrc, uint32_t clock_rate);
/* A packet of this SSRC. True: it belongs to the stream, *ext_seq is its unwrapped number (the first is
 * 65536 or above, never negative). False: a wild jump, wait for the next one. A signalled SSRC needs no
 * probation, so the very first packet counts. After a restart numbers go on upward: engines see a jump of
 * ext_seq. */
bool pl_rtp_source_packet(pl_rtp_source *s, int64_t now_us, const pl_rtp_header *h, int64_t *ext_seq);
/* A packet of this stream that came by RTX: counters only, and its unwrapped number. h is the header after
 * pl_rtx_unwrap. False when it is nowhere near the stream. */
bool pl_rtp_source_recovered(pl_rtp_source *s, int64_t now_us, const pl_rtp_header *h, int64_t *ext_seq);
/* A sender report of this source. */
void pl_rtp_source_sr(pl_rtp_source *s, int64_t now_us, const pl_rtcp_sr *sr);
/* The report block to send now; starts a new interval for the fraction. False before the first packet. */
bool pl_rtp_source_block(pl_rtp_source *s, int64_t now_us, pl_rtcp_block *out);

int64_t pl_rtp_source_lost(const pl_rtp_source *s); /* packetsLost: cumulative, negative with duplicates */
double pl_rtp_source_jitter_s(const pl_rtp_source *s);
/* NTP time (32.32) at which a timestamp of this source was sampled, by its last SR; 0 before one. */
uint64_t pl_rtp_source_ntp(const pl_rtp_source *s, uint32_t rtp_ts);

#endif
