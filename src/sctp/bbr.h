/* bbr.h - the model of a path that the BBR controller acts by, for its own two files and congestion.h.
 * Source   draft-ietf-ccwg-bbr (BBRv3), whose words the names follow: bw is the rate, lo and hi are the bounds that losses
 *          have taught, for a moment and for longer.
 * Shape    plain data inside its controller. congestion_bbr.c learns the model and sets window and pace by it;
 *          bbr_probe.c is ProbeBW: the cycle in which it asks the path for more.
 * Units    bytes, bytes per second, microseconds. */
#ifndef PL_SCTP_BBR_H
#define PL_SCTP_BBR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum pl_sctp_bbr_state {
    PL_SCTP_BBR_STARTUP,
    PL_SCTP_BBR_DRAIN,
    PL_SCTP_BBR_DOWN, /* ProbeBW, from here … */
    PL_SCTP_BBR_CRUISE,
    PL_SCTP_BBR_REFILL,
    PL_SCTP_BBR_UP, /* … to here */
    PL_SCTP_BBR_PROBE_RTT
} pl_sctp_bbr_state;

/* What the acknowledgements that come in now tell about. */
typedef enum pl_sctp_bbr_acks {
    PL_SCTP_BBR_ACKS_INIT,
    PL_SCTP_BBR_ACKS_REFILLING,
    PL_SCTP_BBR_ACKS_STARTING, /* sent before the probe */
    PL_SCTP_BBR_ACKS_FEEDBACK, /* sent in it */
    PL_SCTP_BBR_ACKS_STOPPING  /* sent in it, which is over */
} pl_sctp_bbr_acks;

typedef struct pl_sctp_bbr {
    pl_sctp_bbr_state state;
    uint32_t random;
    /* rounds: each ends when what was sent at its begin is acknowledged */
    uint64_t round_end, loss_round_end; /* of all that is delivered */
    uint32_t n_rounds;
    bool round_began, loss_round_began;
    /* rate: the largest of this ProbeBW cycle and the last */
    uint64_t max_bw[2];
    uint64_t bw;                         /* bounded by bw_lo */
    uint64_t bw_lo;                      /* UINT64_MAX: no bound */
    uint64_t inflight_lo, inflight_hi;   /* the same */
    uint64_t bw_latest, inflight_latest; /* of the loss round under way */
    uint64_t round_lost, round_from;     /* bytes lost in it; delivered when it began */
    unsigned n_loss_events;
    bool round_blind; /* SACKs left blocks out: how much was lost or delivered in it is not known */
    /* has the pipe been full? */
    uint64_t full_bw;
    unsigned full_bw_rounds;
    bool full_bw_now, full_bw_reached;
    /* round trip */
    int64_t min_rtt_us, min_rtt_at_us;
    int64_t probe_min_us, probe_min_at_us; /* of the last five seconds */
    int64_t probe_rtt_done_us;             /* 0: the flight is not small yet */
    bool probe_rtt_round_done;
    size_t prior_cwnd;
    /* acknowledgements that come in bunches: how much more than the rate explains */
    uint64_t extra[2], extra_from;
    int64_t extra_since_us;
    uint32_t extra_round;
    /* ProbeBW */
    pl_sctp_bbr_acks acks;
    bool probe_samples; /* losses tell how much is too much */
    int64_t cycle_us, wait_us;
    unsigned rounds_waited;
    unsigned up_rounds;
    uint64_t up_share, up_acked; /* bytes acknowledged for one packet more of inflight_hi; since the last */
} pl_sctp_bbr;

struct pl_sctp_cc;
struct pl_sctp_cc_ack;

/* congestion_bbr.c */
uint64_t pl_sctp_bbr_max_bw(const pl_sctp_bbr *b);
/* The flight that the model asks for, quantum and bunches included. */
uint64_t pl_sctp_bbr_inflight(const struct pl_sctp_cc *cc, double gain);
uint64_t pl_sctp_bbr_bdp(const pl_sctp_bbr *b, double gain);
/* inflight_hi less the room that is left to others. */
uint64_t pl_sctp_bbr_headroom(const struct pl_sctp_cc *cc);
void pl_sctp_bbr_begin_round(pl_sctp_bbr *b, const struct pl_sctp_cc_ack *ack);
void pl_sctp_bbr_forget_full(pl_sctp_bbr *b, uint64_t bw);
void pl_sctp_bbr_forget_lower(pl_sctp_bbr *b);

/* bbr_probe.c */
void pl_sctp_bbr_go_down(struct pl_sctp_cc *cc, const struct pl_sctp_cc_ack *ack);
/* The bounds above, and the next phase of the cycle when it is time. */
void pl_sctp_bbr_cycle(struct pl_sctp_cc *cc, const struct pl_sctp_cc_ack *ack);

#endif
