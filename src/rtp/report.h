/* report.h - what a sender knows of one of its SSRCs, what the other side reported about it, NTP time, and
 * when the next compound RTCP packet is due.
 * Source   RFC 3550 6.4.1 (SR, RTT from LSR and DLSR), 6.3 (randomised interval), RFC 4585 3.4 (regular
 *          reports apart from feedback, which is sent at once); webrtc-stats outbound-rtp,
 *          remote-inbound-rtp.
 * Shape    plain data, zero state legal, nothing to free. Belongs to its connection's thread.
 * Units    microseconds on the connection's clock; wall_offset_us is what makes it Unix time (Unix minus
 *          ours), told by the driver. */
#ifndef PL_RTP_REPORT_H
#define PL_RTP_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rand.h"
#include "rtp/header.h"
#include "rtp/rtcp_report.h"

enum { PL_RTCP_INTERVAL_US = 1000000 }; /* mean between regular reports, audio and video alike */

uint64_t pl_ntp_of_us(int64_t unix_us); /* Unix microseconds to NTP 32.32 */
int64_t pl_ntp_to_us(uint64_t ntp);     /* and back, 1970 to 2106 */
static inline uint32_t pl_ntp_mid32(uint64_t ntp)
{
    return (uint32_t)(ntp >> 16);
}
/* Duration in 1/65536 s, the unit of DLSR and DLRR, to microseconds and back (saturating). */
int64_t pl_ntp_short_to_us(uint32_t d);
uint32_t pl_ntp_short_of_us(int64_t us);
/* A + B minus C: RTT from the time that a peer echoed. False when echoed is 0 (nothing was) or the result is
 * not within [0, 60 s]; at least 1 us otherwise. */
bool pl_ntp_rtt(uint64_t now_ntp, uint32_t echoed_mid32, uint32_t delay, int64_t *rtt_us);

typedef struct pl_rtp_sender {
    uint32_t ssrc, clock_rate;
    bool started;
    uint32_t last_rtp_ts;                                 /* of the newest packet ... */
    int64_t last_sample_us;                               /* ... and when its content was captured */
    uint64_t packets_sent, bytes_sent, header_bytes_sent; /* webrtc-stats: payload; headers and padding */
    uint64_t retransmitted_packets_sent, retransmitted_bytes_sent;
    uint32_t n_sr;

    bool reported;        /* remote-inbound-rtp, since the first block */
    pl_rtcp_block remote; /* the newest one */
    int64_t reported_us;
    int64_t rtt_us, total_rtt_us; /* 0: not measured yet */
    uint32_t n_rtt;
} pl_rtp_sender;

void pl_rtp_sender_init(pl_rtp_sender *s, uint32_t ssrc, uint32_t clock_rate);
/* A packet has gone out: h as pl_rtp_parse gives it or the fields filled in. sample_us: when its content was
 * captured (now when unknown). */
void pl_rtp_sender_sent(pl_rtp_sender *s, const pl_rtp_header *h, int64_t sample_us);
/* A retransmission of this stream has gone out, on whichever SSRC. */
void pl_rtp_sender_resent(pl_rtp_sender *s, size_t header_len, size_t payload_len);
/* The sender info for an SR at now_us: RTP time is carried forward from the newest packet. False before the
 * first packet (RFC 3550 6.4: send an RR instead). */
bool pl_rtp_sender_sr(pl_rtp_sender *s, int64_t now_us, int64_t wall_offset_us, pl_rtcp_sr *out);
/* A report block about this SSRC has come. True when it gave a round-trip time (now in rtt_us). */
bool pl_rtp_sender_block(pl_rtp_sender *s, int64_t now_us, int64_t wall_offset_us, const pl_rtcp_block *b);

/* When the next regular compound packet is due: interval times [0.5, 1.5), the first after half of it. */
typedef struct pl_rtcp_timer {
    int64_t next_us, interval_us;
} pl_rtcp_timer;
void pl_rtcp_timer_start(pl_rtcp_timer *t, int64_t now_us, int64_t interval_us, const pl_rand *rand);
/* True once when due, and then sets the next. A stopped (zeroed) timer is never due. */
bool pl_rtcp_timer_due(pl_rtcp_timer *t, int64_t now_us, const pl_rand *rand);
int64_t pl_rtcp_timer_next_us(const pl_rtcp_timer *t); /* or PL_NEVER */

#endif
