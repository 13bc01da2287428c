/* controller.h - how fast to send: one congestion controller per transport.
 * Source   draft-ietf-rmcat-gcc-02 (delay-based and loss-based controller), with the trendline filter that
 *          replaced its Kalman filter in practice; REMB and receiver reports where feedback is poorer.
 * Shape    plain data (about 1 KiB), nothing to free; allocates nothing. Belongs to its connection's thread.
 * Units    microseconds, bits per second (as on the wire: RTP headers and payload, without UDP and IP).
 * Errors   none: results that contradict themselves are ignored.
 *
 *     on feedback:   pl_twcc_tx_feedback(&tx, &fb);
 *                    while (pl_twcc_tx_next(&tx, &fb, &res)) pl_cc_result(&cc, &res);
 *                    pl_cc_feedback(&cc, now_us);
 *     after any verb: if (pl_cc_poll(&cc, &target)) { encoders get target.rate_bps; pl_pacer_rate(...) }
 *                     if (pl_cc_poll_probe(&cc, now_us, &probe)) pl_pacer_probe(...)
 */
#ifndef PL_CONGESTION_CONTROLLER_H
#define PL_CONGESTION_CONTROLLER_H

#include <stdbool.h>
#include <stdint.h>

#include "congestion/acked.h"
#include "congestion/aimd.h"
#include "congestion/loss.h"
#include "congestion/probe.h"
#include "congestion/trendline.h"
#include "rtp/twcc.h"

typedef struct pl_cc_conf {
    int64_t start_bps; /* 0: 300 kbit/s */
    int64_t min_bps;   /* 0: 30 kbit/s */
    int64_t max_bps;   /* 0: 20 Mbit/s */
} pl_cc_conf;

/* What to do now. */
typedef struct pl_cc_target {
    int64_t rate_bps;   /* for all media together: encoders, retransmissions and headers */
    int64_t pacing_bps; /* for the pacer: above rate_bps, so that a key frame leaves in good time */
    int64_t rtt_us;     /* smoothed, 0 unknown */
    double loss;        /* 0..1, of late */
    bool overuse;       /* the path's queue grows */
} pl_cc_target;

typedef struct pl_cc {
    pl_cc_conf conf;
    pl_cc_trendline delay;
    pl_cc_aimd aimd;
    pl_cc_loss loss;
    pl_cc_acked acked; /* before the first transport-wide feedback: what we send */
    pl_cc_probe probe;
    bool probe_answered;    /* a burst has come through */
    uint8_t n_first_probes; /* asked until one did */
    bool has_twcc, has_rtt, overuse;
    bool shielded;
    int64_t rate_bps;
    int64_t rtt_us, rtt_at_us, remb_bps;
    int64_t sent_us;           /* last packet; 0: none yet */
    int64_t newest_sent_us;    /* of what was acknowledged */
    int64_t silent_us;         /* when missing feedback counts as congestion, or PL_NEVER */
    int64_t peak_bps, peak_us; /* highest rate of the last minute */
    pl_cc_target told;
} pl_cc;

void pl_cc_init(pl_cc *cc, const pl_cc_conf *conf, int64_t now_us);
/* New limits, for instance from the bandwidth of the description or of the encoders. */
void pl_cc_limits(pl_cc *cc, int64_t min_bps, int64_t max_bps, int64_t now_us);
/* A packet of len bytes went out. */
void pl_cc_sent(pl_cc *cc, int64_t now_us, size_t len);
/* One result of a transport-wide feedback, in the order of the feedback; then pl_cc_feedback ends it. */
void pl_cc_result(pl_cc *cc, const pl_twcc_result *res);
void pl_cc_feedback(pl_cc *cc, int64_t now_us);
/* A round-trip time was measured (reports, XR or ICE). */
void pl_cc_rtt(pl_cc *cc, int64_t now_us, int64_t rtt_us);
/* A receiver report: fraction lost of 256, over so many packets (0: unknown). Ignored while transport-wide
 * feedback comes, which knows the same sooner. */
void pl_cc_report(pl_cc *cc, int64_t now_us, uint8_t fraction_lost, uint32_t n_packets);
void pl_cc_remb(pl_cc *cc, int64_t now_us, int64_t rate_bps);
/* Others of ours use the path too and give way first: while on, a growing queue holds the rate and does not lower it. */
void pl_cc_shield(pl_cc *cc, bool on);
/* The path has changed (ICE restart, other interface): start anew from conf. */
void pl_cc_reset(pl_cc *cc, int64_t now_us);
void pl_cc_tick(pl_cc *cc, int64_t now_us);
int64_t pl_cc_next_us(const pl_cc *cc);
/* True when the target differs from what was told: by a twentieth, or in another field that matters. */
bool pl_cc_poll(pl_cc *cc, pl_cc_target *out);
/* True when a burst of packets should ask whether more is possible: give it to the pacer. */
bool pl_cc_poll_probe(pl_cc *cc, int64_t now_us, pl_cc_probe_ask *out);
void pl_cc_check(const pl_cc *cc);

#endif
