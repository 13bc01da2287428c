/* pacer.h - sends what encoders hand over in bursts evenly, the urgent first.
 * Source   draft-ietf-rmcat-gcc-02 4 (pacing); leaky bucket with a bounded burst.
 * Shape    links pl_pacer_pkt's that live inside the caller's packets; allocates nothing; zero state illegal:
 *          init first; nothing to free. A pacer must not be moved: its lists point back at it. Packets still
 *          queued at the end are taken out by pl_pacer_take.
 * Units    microseconds, bytes, bits per second.
 * Errors   PL_ENOSPC when the queue holds PL_PACER_PACKETS_MAX packets; the packet stays the caller's.
 *
 *     pl_pacer_push(&p, now_us, &pkt->paced, PL_PACE_VIDEO, len);
 *     while ((paced = pl_pacer_poll(&p, now_us))) send(pl_of(paced, struct packet, paced));
 *     if ((n = pl_pacer_padding(&p, now_us))) make padding of about n bytes, push as PL_PACE_PADDING, poll
 *     wake at pl_pacer_next_us(&p)
 */
#ifndef PL_CONGESTION_PACER_H
#define PL_CONGESTION_PACER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "congestion/probe.h"
#include "peerline/error.h"

enum {
    PL_PACER_PACKETS_MAX = 2048,
    PL_PACER_BURST_US = 5000,   /* so much may leave at once */
    PL_PACER_QUEUE_US = 2000000 /* the rate is raised so that nothing waits longer */
};

typedef enum pl_pacer_class {
    PL_PACE_AUDIO, /* never waits, but is counted */
    PL_PACE_RETRANSMIT,
    PL_PACE_VIDEO,
    PL_PACE_PADDING,
    PL_PACE_CLASSES
} pl_pacer_class;

typedef struct pl_pacer_pkt {
    pl_node node;
    uint32_t len;
    uint8_t prio;  /* pl_pacer_class */
    uint8_t probe; /* set by poll: the cluster it serves, for pl_twcc_tx_sent */
    int64_t queued_us;
} pl_pacer_pkt;

typedef struct pl_pacer {
    pl_list queue[PL_PACE_CLASSES];
    uint32_t n;
    uint64_t bytes; /* queued, audio not counted */
    int64_t rate_bps, padding_bps;
    int64_t debt, padding_debt; /* bits times 10^6, so that no rounding is lost; above 0: wait */
    int64_t paid_us;            /* until when they are paid off */
    bool padding_asked;         /* and nothing pushed since */
    pl_cc_probe_ask probe;
    uint32_t probe_sent;
    int64_t probe_start_us; /* PL_NEVER: waits for the first packet */
} pl_pacer;

void pl_pacer_init(pl_pacer *p, int64_t rate_bps, int64_t now_us);
/* padding_bps: fill up to this with padding; 0 mostly. */
void pl_pacer_rate(pl_pacer *p, int64_t now_us, int64_t rate_bps, int64_t padding_bps);
/* len: bytes on the wire. The packet is the pacer's until poll or take gives it back. */
PL_NODISCARD pl_err pl_pacer_push(pl_pacer *p, int64_t now_us, pl_pacer_pkt *pkt, pl_pacer_class prio,
                                  size_t len);
/* The next packet that may leave now, or NULL. */
pl_pacer_pkt *pl_pacer_poll(pl_pacer *p, int64_t now_us);
/* Bytes of padding wanted now, for a probe or to hold padding_bps; 0 mostly. Asked after poll gave NULL; who
 * has none pushes nothing, and is not asked again for this burst. */
size_t pl_pacer_padding(pl_pacer *p, int64_t now_us);
/* A burst of ask->bytes at ask->rate_bps begins with the next packet. */
void pl_pacer_probe(pl_pacer *p, int64_t now_us, const pl_cc_probe_ask *ask);
int64_t pl_pacer_next_us(const pl_pacer *p);  /* when poll or padding may give something, or PL_NEVER */
int64_t pl_pacer_delay_us(const pl_pacer *p); /* how long the queue takes at the present rate */
/* Takes a packet out that is not needed any more. */
void pl_pacer_remove(pl_pacer *p, pl_pacer_pkt *pkt);
/* Any packet, to empty the queue at the end; NULL when empty. */
pl_pacer_pkt *pl_pacer_take(pl_pacer *p);
void pl_pacer_check(const pl_pacer *p);

#endif
