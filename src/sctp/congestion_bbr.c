/* Congestion control by a model of the path, in the manner of BBRv3 (draft-ietf-ccwg-bbr).
 *
 * CUBIC fills the queue until it overflows. BBR measures the two things that matter: how much the path delivers (the largest
 * rate seen of late) and how long it takes without a queue (the least round trip). It sends at the first and keeps in flight
 * about twice their product; now and then it asks for more (ProbeBW, bbr_probe.c) or drains the queue to see the round
 * trip again (ProbeRTT). Losses bound the model: beyond a fiftieth lost, what was in flight was too much.
 *
 * Where we differ from the draft: the flight a loss calls too much is that of the worst loss a SACK tells, not
 * interpolated to a packet; bounds for a moment (bw_lo, inflight_lo) follow rounds that lost as many, since on radio links fewer say
 * nothing about queues, and of a small window a single packet is a fiftieth. A SACK without
 * room for all it had to tell raises the rate by a quarter a cycle at most, which is what UP asks for. */
#include "base/time.h"
#include "sctp/congestion.h"

enum {
    FULL_ROUNDS = 3,      /* 5.3.1.2: rounds without a quarter more rate */
    FULL_LOSS_EVENTS = 6, /* 5.3.1.3 */
    LOSS_SHARE = 50,      /* 2 % */
    EXTRA_ROUNDS = 5,     /* each of two buckets */
    QUANTUM_PACKETS = 2
};
#define MIN_RTT_LASTS_US   PL_SEC(10)
#define PROBE_RTT_EACH_US  PL_SEC(5)
#define PROBE_RTT_LASTS_US PL_MS(200)
static const double beta = 0.7, headroom = 0.15, margin = 0.01;

static const struct {
    double pace, cwnd;
} gains[] = {
    [PL_SCTP_BBR_STARTUP] = { 2.77, 2 }, [PL_SCTP_BBR_DRAIN] = { 0.5, 2 }, [PL_SCTP_BBR_DOWN] = { 0.9, 2 },
    [PL_SCTP_BBR_CRUISE] = { 1, 2 },     [PL_SCTP_BBR_REFILL] = { 1, 2 },  [PL_SCTP_BBR_UP] = { 1.25, 2.25 },
    [PL_SCTP_BBR_PROBE_RTT] = { 1, 0.5 }
};

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}
static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void init(pl_sctp_cc *cc)
{
    cc->u.bbr = (pl_sctp_bbr){ .bw_lo = UINT64_MAX, .inflight_lo = UINT64_MAX, .inflight_hi = UINT64_MAX };
}

/* --- what the model says --- */

uint64_t pl_sctp_bbr_max_bw(const pl_sctp_bbr *b)
{
    return larger(b->max_bw[0], b->max_bw[1]);
}

uint64_t pl_sctp_bbr_bdp(const pl_sctp_bbr *b, double gain)
{
    return (uint64_t)(gain * (double)b->bw * (double)b->min_rtt_us * 1e-6);
}

static uint64_t quantum(const pl_sctp_cc *cc)
{
    uint64_t of_pace = cc->u.bbr.bw * PL_SCTP_CC_PACED_US / 1000000;
    return larger(of_pace, QUANTUM_PACKETS * cc->mtu);
}

uint64_t pl_sctp_bbr_inflight(const pl_sctp_cc *cc, double gain)
{
    const pl_sctp_bbr *b = &cc->u.bbr;
    if (b->bw == 0 || b->min_rtt_us == 0)
        return pl_sctp_cc_initial(cc);
    uint64_t most = larger(pl_sctp_bbr_bdp(b, gain), 3 * quantum(cc));
    most = larger(most, PL_SCTP_CC_LEAST * cc->mtu);
    return b->state == PL_SCTP_BBR_UP ? most + 2 * cc->mtu : most;
}

uint64_t pl_sctp_bbr_headroom(const pl_sctp_cc *cc)
{
    uint64_t hi = cc->u.bbr.inflight_hi;
    if (hi == UINT64_MAX)
        return hi;
    uint64_t room = larger(cc->mtu, (uint64_t)(headroom * (double)hi));
    return larger(hi > room ? hi - room : 0, PL_SCTP_CC_LEAST * cc->mtu);
}

static uint64_t pace(const pl_sctp_cc *cc, int64_t srtt_us)
{
    const pl_sctp_bbr *b = &cc->u.bbr;
    double gain = gains[b->state].pace, of_model = gain * (1 - margin) * (double)b->bw;
    double of_window = 2.77 * (double)pl_sctp_cc_initial(cc) * 1e6 / (double)srtt_us;
    bool first = !b->full_bw_reached && of_model < of_window; /* 5.6.2: it only rises in Startup */
    return (uint64_t)(first ? of_window : of_model);
}

/* --- learning it --- */

void pl_sctp_bbr_begin_round(pl_sctp_bbr *b, const pl_sctp_cc_ack *ack)
{
    b->round_end = ack->rate.total;
}

static void count_rounds(pl_sctp_bbr *b, const pl_sctp_cc_ack *ack)
{
    b->round_began = ack->rate.any && ack->rate.mark >= b->round_end;
    if (!b->round_began)
        return;
    pl_sctp_bbr_begin_round(b, ack);
    b->n_rounds++;
    b->rounds_waited++;
}

void pl_sctp_bbr_forget_lower(pl_sctp_bbr *b)
{
    b->bw_lo = b->inflight_lo = UINT64_MAX;
}

/* Asking the path for more, losses are the answer and not a reason to send less. */
static bool probes(const pl_sctp_bbr *b)
{
    return b->state == PL_SCTP_BBR_STARTUP || b->state == PL_SCTP_BBR_REFILL || b->state == PL_SCTP_BBR_UP;
}

/* 5.5.10.3: what the path delivered in a round with losses, but not less than beta of what it was. */
static void adapt_lower(pl_sctp_cc *cc, const pl_sctp_cc_ack *ack)
{
    pl_sctp_bbr *b = &cc->u.bbr;
    uint64_t delivered = ack->rate.total - b->round_from;
    if (probes(b) || b->round_lost * LOSS_SHARE <= delivered || b->round_lost <= cc->mtu)
        return;
    if (b->inflight_lo == UINT64_MAX)
        b->inflight_lo = cc->cwnd;
    if (b->round_blind) { /* losses there were; the path is what it was before them */
        b->inflight_lo = larger(pl_sctp_bbr_bdp(b, 1), (uint64_t)(beta * (double)b->inflight_lo));
        return;
    }
    if (b->bw_lo == UINT64_MAX)
        b->bw_lo = pl_sctp_bbr_max_bw(b);
    b->bw_lo = larger(b->bw_latest, (uint64_t)(beta * (double)b->bw_lo));
    b->inflight_lo = larger(b->inflight_latest, (uint64_t)(beta * (double)b->inflight_lo));
}

static void learn_rate(pl_sctp_cc *cc, const pl_sctp_cc_ack *ack)
{
    pl_sctp_bbr *b = &cc->u.bbr;
    const pl_sctp_rate_sample *r = &ack->rate;
    uint64_t max = pl_sctp_bbr_max_bw(b), most = r->blind ? larger(max, b->max_bw[0] / 4 * 5) : UINT64_MAX;
    uint64_t rate = smaller(r->rate, most);
    b->bw_latest = larger(b->bw_latest, rate);
    b->inflight_latest = larger(b->inflight_latest, r->delivered);
    if (rate > 0 && (!r->limited || rate >= max))
        b->max_bw[1] = larger(b->max_bw[1], rate);
    b->round_lost += ack->lost;
    b->n_loss_events += ack->lost > 0;
    b->round_blind |= r->blind;
    b->loss_round_began = r->any && r->mark >= b->loss_round_end;
    if (!b->loss_round_began)
        return;
    b->loss_round_end = r->total;
    adapt_lower(cc, ack);
}

/* The latest round's signals begin anew when all conclusions are drawn. */
static void end_loss_round(pl_sctp_bbr *b, const pl_sctp_cc_ack *ack)
{
    if (!b->loss_round_began)
        return;
    b->bw_latest = ack->rate.rate;
    b->inflight_latest = ack->rate.delivered;
    b->round_from = ack->rate.total;
    b->round_lost = 0;
    b->n_loss_events = 0;
    b->round_blind = false;
}

/* 5.5.9: acknowledgements that come in bunches need that much more in flight. */
static void learn_extra(pl_sctp_cc *cc, const pl_sctp_cc_ack *ack)
{
    pl_sctp_bbr *b = &cc->u.bbr;
    if (b->n_rounds - b->extra_round >= EXTRA_ROUNDS) {
        b->extra_round = b->n_rounds;
        b->extra[0] = b->extra[1];
        b->extra[1] = 0;
    }
    uint64_t expected = b->bw * (uint64_t)(ack->now_us - b->extra_since_us) / 1000000;
    if (b->extra_from <= expected) {
        b->extra_from = expected = 0;
        b->extra_since_us = ack->now_us;
    }
    b->extra_from += ack->acked;
    b->extra[1] = larger(b->extra[1], smaller(b->extra_from - expected, cc->cwnd));
}

/* --- is the pipe full? (5.3.1.2) --- */

void pl_sctp_bbr_forget_full(pl_sctp_bbr *b, uint64_t bw)
{
    b->full_bw = bw;
    b->full_bw_rounds = 0;
    b->full_bw_now = false;
}

static void check_full(pl_sctp_bbr *b, const pl_sctp_cc_ack *ack)
{
    if (b->full_bw_now || !b->round_began || ack->rate.limited)
        return;
    if (ack->rate.rate * 4 >= b->full_bw * 5) {
        pl_sctp_bbr_forget_full(b, ack->rate.rate);
        return;
    }
    if (++b->full_bw_rounds < FULL_ROUNDS)
        return;
    b->full_bw_now = b->full_bw_reached = true;
}

/* 5.3.1.3: many losses, and not all at once. */
static void check_startup_losses(pl_sctp_cc *cc, const pl_sctp_cc_ack *ack)
{
    pl_sctp_bbr *b = &cc->u.bbr;
    uint64_t of = ack->rate.total - b->round_from + b->round_lost;
    if (!b->loss_round_began || b->n_loss_events < FULL_LOSS_EVENTS || b->round_lost * LOSS_SHARE <= of)
        return;
    b->full_bw_reached = true;
    b->inflight_hi = larger(pl_sctp_bbr_bdp(b, 1), b->inflight_latest);
}

static void leave_startup(pl_sctp_cc *cc, const pl_sctp_cc_ack *ack)
{
    pl_sctp_bbr *b = &cc->u.bbr;
    if (b->state == PL_SCTP_BBR_STARTUP) {
        check_startup_losses(cc, ack);
        if (b->full_bw_reached)
            b->state = PL_SCTP_BBR_DRAIN;
    }
    if (b->state == PL_SCTP_BBR_DRAIN && ack->flight_after <= pl_sctp_bbr_inflight(cc, 1))
        pl_sctp_bbr_go_down(cc, ack);
}

/* --- round trip (5.3.4) --- */

static void enter_probe_rtt(pl_sctp_cc *cc, const pl_sctp_cc_ack *ack)
{
    pl_sctp_bbr *b = &cc->u.bbr;
    b->state = PL_SCTP_BBR_PROBE_RTT;
    b->prior_cwnd = cc->cwnd;
    b->probe_rtt_done_us = 0;
    b->acks = PL_SCTP_BBR_ACKS_STOPPING;
    pl_sctp_bbr_begin_round(b, ack);
}

static void leave_probe_rtt(pl_sctp_cc *cc, const pl_sctp_cc_ack *ack)
{
    pl_sctp_bbr *b = &cc->u.bbr;
    b->probe_min_at_us = ack->now_us;
    cc->cwnd = larger(cc->cwnd, b->prior_cwnd);
    pl_sctp_bbr_forget_lower(b);
    b->state = PL_SCTP_BBR_STARTUP;
    if (b->full_bw_reached) {
        pl_sctp_bbr_go_down(cc, ack);
        b->state = PL_SCTP_BBR_CRUISE;
    }
}

static void in_probe_rtt(pl_sctp_cc *cc, const pl_sctp_cc_ack *ack)
{
    pl_sctp_bbr *b = &cc->u.bbr;
    if (b->probe_rtt_done_us == 0) {
        if (ack->flight_after > pl_sctp_bbr_inflight(cc, gains[PL_SCTP_BBR_PROBE_RTT].cwnd))
            return;
        b->probe_rtt_done_us = ack->now_us + PROBE_RTT_LASTS_US;
        b->probe_rtt_round_done = false;
        pl_sctp_bbr_begin_round(b, ack);
        return;
    }
    b->probe_rtt_round_done |= b->round_began;
    if (b->probe_rtt_round_done && ack->now_us >= b->probe_rtt_done_us)
        leave_probe_rtt(cc, ack);
}

static void learn_rtt(pl_sctp_cc *cc, const pl_sctp_cc_ack *ack)
{
    pl_sctp_bbr *b = &cc->u.bbr;
    bool stale = b->probe_min_us > 0 && ack->now_us > b->probe_min_at_us + PROBE_RTT_EACH_US;
    if (ack->rtt_us > 0 && (b->probe_min_us == 0 || ack->rtt_us <= b->probe_min_us || stale)) {
        b->probe_min_us = ack->rtt_us;
        b->probe_min_at_us = ack->now_us;
    }
    if (b->probe_min_us > 0 && (b->min_rtt_us == 0 || b->probe_min_us <= b->min_rtt_us ||
                                ack->now_us > b->min_rtt_at_us + MIN_RTT_LASTS_US)) {
        b->min_rtt_us = b->probe_min_us;
        b->min_rtt_at_us = b->probe_min_at_us;
    }
    if (b->state == PL_SCTP_BBR_PROBE_RTT)
        in_probe_rtt(cc, ack);
    else if (stale && !cc->rested) /* a silence has drained the queue as well */
        enter_probe_rtt(cc, ack);
    cc->rested = false;
}

/* --- acting by it --- */

static uint64_t bound(const pl_sctp_cc *cc)
{
    const pl_sctp_bbr *b = &cc->u.bbr;
    uint64_t most = UINT64_MAX;
    if (b->state == PL_SCTP_BBR_CRUISE || b->state == PL_SCTP_BBR_PROBE_RTT)
        most = pl_sctp_bbr_headroom(cc);
    else if (b->state >= PL_SCTP_BBR_DOWN)
        most = b->inflight_hi;
    most = smaller(most, b->inflight_lo);
    if (b->state == PL_SCTP_BBR_PROBE_RTT)
        most = smaller(most, pl_sctp_bbr_inflight(cc, gains[b->state].cwnd));
    return larger(most, PL_SCTP_CC_LEAST * cc->mtu);
}

static void set_window(pl_sctp_cc *cc, const pl_sctp_cc_ack *ack)
{
    const pl_sctp_bbr *b = &cc->u.bbr;
    uint64_t most = pl_sctp_bbr_inflight(cc, gains[b->state].cwnd) + larger(b->extra[0], b->extra[1]);
    if (b->full_bw_reached)
        cc->cwnd = smaller(cc->cwnd + ack->acked, most);
    else if (cc->cwnd < most || ack->rate.total < pl_sctp_cc_initial(cc))
        cc->cwnd += ack->acked;
    cc->cwnd = smaller(cc->cwnd, bound(cc));
    cc->cwnd = larger(cc->cwnd, cc->mtu);
}

static void acked(pl_sctp_cc *cc, const pl_sctp_cc_ack *ack)
{
    pl_sctp_bbr *b = &cc->u.bbr;
    count_rounds(b, ack);
    learn_rate(cc, ack);
    learn_extra(cc, ack);
    check_full(b, ack);
    leave_startup(cc, ack);
    pl_sctp_bbr_cycle(cc, ack);
    learn_rtt(cc, ack);
    end_loss_round(b, ack);
    b->bw = smaller(pl_sctp_bbr_max_bw(b), b->bw_lo);
    set_window(cc, ack);
}

/* Losses come to the model with the SACK that tells them. */
static void lost(pl_sctp_cc *cc, int64_t now_us)
{
    (void)cc, (void)now_us;
}

static void timeout(pl_sctp_cc *cc, int64_t now_us)
{
    (void)now_us;
    cc->cwnd = cc->mtu; /* grows back by what is acknowledged */
}

const pl_sctp_cc_ops pl_sctp_cc_bbr = { "bbr", true, init, acked, lost, timeout, pace };
