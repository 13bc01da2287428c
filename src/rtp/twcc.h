/* twcc.h - transport-wide numbering: the receiver's record of arrivals, from which it builds feedback, and
 * the sender's record of departures, to which feedback is matched.
 * Source   draft-holmer-rmcat-transport-wide-cc-extensions-01.
 * Shape    zero state legal after init; the rings are allocated with the first packet and grow with the rate
 *          to the maxima below; clear frees. One each per transport. Belong to their connection's thread.
 * Units    microseconds.
 * Errors   none to handle: without memory packets go unrecorded, and count as never reported. */
#ifndef PL_RTP_TWCC_H
#define PL_RTP_TWCC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "rtp/rtcp_twcc.h"

enum {
    PL_TWCC_RX_MAX = 4096, /* packets between two feedbacks, and reach for late ones */
    PL_TWCC_TX_MAX = 8192, /* packets in flight */
    PL_TWCC_INTERVAL_MIN_US = 50000,
    PL_TWCC_INTERVAL_MAX_US = 250000
};

typedef struct pl_twcc_rx {
    bool started;
    int64_t base, next;  /* the next feedback reports from base; next: highest seen plus one */
    int64_t kept;        /* arrivals of [kept, next) are in the ring */
    int64_t *arrival_us; /* ring by number; PL_NEVER: not come */
    uint32_t cap;
    uint8_t fb_count;
    uint32_t media_ssrc;
    int64_t next_us, interval_us, sent_us; /* due; between feedbacks; the last one */
    int64_t window_us;                     /* rate measurement */
    uint64_t window_bytes;
} pl_twcc_rx;

void pl_twcc_rx_init(pl_twcc_rx *r);
void pl_twcc_rx_clear(pl_twcc_rx *r);
/* A packet with that number has come; len is its size on the wire; ssrc any media stream, named in the
 * feedback. */
void pl_twcc_rx_packet(pl_twcc_rx *r, int64_t arrival_us, uint16_t seq, uint32_t ssrc, size_t len);
int64_t pl_twcc_rx_next_us(const pl_twcc_rx *r); /* or PL_NEVER when nothing has come since the last */
/* Writes one feedback packet when due; call until false, each time with at
 * least 64 bytes of room in w (else false, and it stays due). */
bool pl_twcc_rx_poll(pl_twcc_rx *r, int64_t now_us, uint32_t sender_ssrc, pl_wr *w);

typedef struct pl_twcc_sent pl_twcc_sent;

typedef struct pl_twcc_tx {
    int64_t next;    /* number of the next packet; low 16 bits go on the wire */
    int64_t first;   /* oldest in the ring */
    int64_t settled; /* all below are acknowledged, lost or were in feedback that got lost */
    pl_twcc_sent *sent;
    uint32_t cap;
    bool has_fb;
    uint8_t fb_count;
    uint32_t ref_time; /* of the last feedback, to unwrap */
    int64_t ref_us;
    uint64_t in_flight; /* bytes sent and not reported yet */
    uint64_t n_fb, n_fb_missed;
} pl_twcc_tx;

typedef struct pl_twcc_result {
    int64_t seq;
    int64_t sent_us;
    int64_t arrival_us; /* receiver's clock; PL_NEVER: not received */
    uint32_t len;
    uint8_t probe; /* as given to pl_twcc_tx_sent */
    bool was_lost; /* received now, reported as lost before */
} pl_twcc_result;

void pl_twcc_tx_init(pl_twcc_tx *t);
void pl_twcc_tx_clear(pl_twcc_tx *t);
/* Takes the number for a packet of len bytes that goes out now. probe: cluster it belongs to, 0 none. */
uint16_t pl_twcc_tx_sent(pl_twcc_tx *t, int64_t now_us, size_t len, uint8_t probe);
/* Begins with a feedback packet, then gives result by result what it says of packets we have sent and not
 * settled:
 *     pl_twcc_tx_feedback(t, &fb); while (pl_twcc_tx_next(t, &fb, &res)) pl_cc_result(cc, &res); */
void pl_twcc_tx_feedback(pl_twcc_tx *t, const pl_rtcp_twcc *fb);
bool pl_twcc_tx_next(pl_twcc_tx *t, pl_rtcp_twcc *fb, pl_twcc_result *out);

#endif
