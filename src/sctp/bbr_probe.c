/* ProbeBW of the BBR controller (draft-ietf-ccwg-bbr 5.3.3): DOWN drains what the last probe has queued, CRUISE keeps the
 * flight below the bound, REFILL fills the pipe, UP asks for more until the rate no longer grows or too much is lost. */
#include "base/time.h"
#include "sctp/congestion.h"

enum {
    LOSS_SHARE = 50,  /* 2 % of what was in flight: too much was */
    WAIT_ROUNDS = 63, /* probes come no rarer than a Reno flow's losses */
    UP_ROUNDS_MAX = 30
};
static const double beta = 0.7;

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* xorshift: all it has to do is that flows do not march in step. */
static uint32_t draw(pl_sctp_cc *cc)
{
    pl_sctp_bbr *b = &cc->u.bbr;
    if (b->random == 0)
        b->random = cc->seed | 1;
    b->random ^= b->random << 13;
    b->random ^= b->random >> 17;
    b->random ^= b->random << 5;
    return b->random;
}

static bool in_probe_bw(const pl_sctp_bbr *b)
{
    return b->state >= PL_SCTP_BBR_DOWN && b->state <= PL_SCTP_BBR_UP;
}

/* --- phases --- */

void pl_sctp_bbr_go_down(pl_sctp_cc *cc, const pl_sctp_cc_ack *ack)
{
    pl_sctp_bbr *b = &cc->u.bbr;
    b->bw_latest = b->inflight_latest = b->round_lost = 0;
    b->round_from = ack->rate.total;
    b->up_share = UINT64_MAX;
    b->rounds_waited = draw(cc) & 1;
    b->wait_us = PL_SEC(2) + draw(cc) % PL_SEC(1);
    b->cycle_us = ack->now_us;
    b->acks = PL_SCTP_BBR_ACKS_STOPPING;
    b->state = PL_SCTP_BBR_DOWN;
    pl_sctp_bbr_begin_round(b, ack);
}

static void refill(pl_sctp_bbr *b, const pl_sctp_cc_ack *ack)
{
    pl_sctp_bbr_forget_lower(b);
    b->up_rounds = 0;
    b->up_acked = 0;
    b->acks = PL_SCTP_BBR_ACKS_REFILLING;
    b->state = PL_SCTP_BBR_REFILL;
    pl_sctp_bbr_begin_round(b, ack);
}

/* One packet a round more, then two, four, …: the longer nothing is lost, the bolder. */
static void raise_slope(pl_sctp_cc *cc)
{
    pl_sctp_bbr *b = &cc->u.bbr;
    b->up_share = larger(cc->cwnd >> b->up_rounds, 1);
    if (b->up_rounds < UP_ROUNDS_MAX)
        b->up_rounds++;
}

static void go_up(pl_sctp_cc *cc, const pl_sctp_cc_ack *ack)
{
    pl_sctp_bbr *b = &cc->u.bbr;
    b->probe_samples = true;
    b->acks = PL_SCTP_BBR_ACKS_STARTING;
    b->state = PL_SCTP_BBR_UP;
    b->cycle_us = ack->now_us;
    pl_sctp_bbr_begin_round(b, ack);
    pl_sctp_bbr_forget_full(b, ack->rate.rate);
    raise_slope(cc);
}

/* --- the bounds above --- */

static void too_high(pl_sctp_cc *cc, const pl_sctp_cc_ack *ack, uint64_t flight)
{
    pl_sctp_bbr *b = &cc->u.bbr;
    b->probe_samples = false;
    if (!ack->rate.limited)
        b->inflight_hi = larger(
            flight, (uint64_t)(beta * (double)larger(pl_sctp_bbr_bdp(b, 1), PL_SCTP_CC_LEAST * cc->mtu)));
    if (b->state == PL_SCTP_BBR_UP)
        pl_sctp_bbr_go_down(cc, ack);
}

static void probe_upward(pl_sctp_cc *cc, const pl_sctp_cc_ack *ack)
{
    pl_sctp_bbr *b = &cc->u.bbr;
    bool full = cc->path.round_peak + cc->mtu > cc->cwnd || ack->flight_before + cc->mtu > cc->cwnd;
    if (full && cc->cwnd >= b->inflight_hi) {
        b->up_acked += ack->acked;
        uint64_t n = b->up_acked / b->up_share;
        b->up_acked -= n * b->up_share;
        b->inflight_hi += n * cc->mtu;
    }
    if (b->round_began)
        raise_slope(cc);
}

static void adapt_upper(pl_sctp_cc *cc, const pl_sctp_cc_ack *ack)
{
    pl_sctp_bbr *b = &cc->u.bbr;
    const pl_sctp_rate_sample *r = &ack->rate;
    if (b->acks == PL_SCTP_BBR_ACKS_STARTING && b->round_began)
        b->acks = PL_SCTP_BBR_ACKS_FEEDBACK;
    if (b->acks == PL_SCTP_BBR_ACKS_STOPPING && b->round_began) {
        b->probe_samples = false;
        b->acks = PL_SCTP_BBR_ACKS_INIT;
        if (in_probe_bw(b) && !r->limited) { /* a cycle has told its rate: that of the one before it goes */
            b->max_bw[0] = b->max_bw[1];
            b->max_bw[1] = 0;
        }
    }
    bool much = (uint64_t)r->lost_of * LOSS_SHARE > r->lost_flight && r->lost_of > cc->mtu;
    if (much && b->probe_samples)
        too_high(cc, ack, r->lost_flight);
    if (much || b->inflight_hi == UINT64_MAX || !r->any)
        return;
    b->inflight_hi = larger(b->inflight_hi, r->flight);
    if (b->state == PL_SCTP_BBR_UP)
        probe_upward(cc, ack);
}

/* --- when --- */

static bool time_to_probe(const pl_sctp_cc *cc, const pl_sctp_cc_ack *ack)
{
    const pl_sctp_bbr *b = &cc->u.bbr;
    uint64_t reno = pl_sctp_bbr_bdp(b, 1) / cc->mtu; /* rounds in which Reno would have won a window */
    return ack->now_us - b->cycle_us > b->wait_us ||
           b->rounds_waited >= (reno < WAIT_ROUNDS ? larger(reno, 1) : WAIT_ROUNDS);
}

static bool drained(const pl_sctp_cc *cc, const pl_sctp_cc_ack *ack)
{
    return ack->flight_after <= pl_sctp_bbr_headroom(cc) && ack->flight_after <= pl_sctp_bbr_inflight(cc, 1);
}

static bool probed_enough(pl_sctp_cc *cc, const pl_sctp_cc_ack *ack)
{
    pl_sctp_bbr *b = &cc->u.bbr;
    bool held = cc->cwnd >= b->inflight_hi && ack->flight_before + cc->mtu > cc->cwnd;
    if (held) /* the bound keeps the rate from growing: that it does not says nothing */
        pl_sctp_bbr_forget_full(b, ack->rate.rate);
    return !held && b->full_bw_now;
}

void pl_sctp_bbr_cycle(pl_sctp_cc *cc, const pl_sctp_cc_ack *ack)
{
    pl_sctp_bbr *b = &cc->u.bbr;
    if (!b->full_bw_reached)
        return;
    adapt_upper(cc, ack);
    switch (b->state) {
    case PL_SCTP_BBR_DOWN:
        if (time_to_probe(cc, ack))
            refill(b, ack);
        else if (drained(cc, ack))
            b->state = PL_SCTP_BBR_CRUISE;
        break;
    case PL_SCTP_BBR_CRUISE:
        if (time_to_probe(cc, ack))
            refill(b, ack);
        break;
    case PL_SCTP_BBR_REFILL:
        if (b->round_began)
            go_up(cc, ack);
        break;
    case PL_SCTP_BBR_UP:
        if (probed_enough(cc, ack))
            pl_sctp_bbr_go_down(cc, ack);
        break;
    default: break;
    }
}
