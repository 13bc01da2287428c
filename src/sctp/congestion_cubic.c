/* CUBIC (RFC 9438) with slow start by HyStart++ (RFC 9406), and a second controller made of it, "cubic-bdp".
 *
 * CUBIC, as Reno, takes every loss for a full queue. On a long path one packet in ten thousand lost at random then keeps
 * it at a few per cent of the rate. cubic-bdp asks two more witnesses. A loss is congestion when round trips show a queue,
 * or when more than a fiftieth of a window is lost (a queue too short to be seen; BBRv3 draws the line there too).
 * Then it gives way as CUBIC does, but not below the bandwidth-delay product that the path has shown. Any other loss is only
 * repaired. And while no queue shows, the path is not full, so the window grows by an eighth a round trip instead of
 * waiting for the cubic; but not soon after a full queue. Beside other flows there is a queue, so there it is CUBIC. */
#include <math.h>

#include "base/time.h"
#include "sctp/congestion.h"
#include "sctp/hystart.h"

enum {
    UNPACED_GROWTH = 8, /* RFC 9406's L, packets a SACK, when nothing smooths what they release */
    MANY_LOST = 50,     /* a window's fraction */
    QUEUE_SHARE = 8,    /* of the least RTT: what more counts as a queue, … */
    NO_QUEUE_US = 500,  /* … and what less never does */
    PROBE_SHARE = 8,    /* of the window that a round trip without a queue adds */
    QUEUE_SAMPLES = 8   /* in a row that end slow start */
};
static const double beta = 0.7, c_packets = 0.4, steep_rtt_s = 0.008, steepest = 10;

static double larger(double a, double b)
{
    return a > b ? a : b;
}

static void init(pl_sctp_cc *cc)
{
    pl_sctp_hystart_init(&cc->u.cubic.hystart);
}

/* --- growth --- */

static void slow_start(pl_sctp_cc *cc, const pl_sctp_cc_ack *ack)
{
    bool done;
    size_t more = pl_sctp_hystart_growth(&cc->u.cubic.hystart, ack, cc->path.round_began, &done);
    if (ack->min_rtt_us < PL_SCTP_CC_PACED_US && more > UNPACED_GROWTH * cc->mtu)
        more = UNPACED_GROWTH * cc->mtu;
    cc->cwnd += more;
    if (done)
        cc->ssthresh = cc->cwnd;
}

static void begin_epoch(pl_sctp_cc *cc, int64_t now_us, double steeper)
{
    double w = (double)cc->cwnd;
    cc->u.cubic.c = steeper * c_packets * (double)cc->mtu;
    cc->u.cubic.epoch_us = now_us;
    cc->u.cubic.w_max = larger(cc->u.cubic.w_max, w);
    cc->u.cubic.k_s = cbrt((cc->u.cubic.w_max - w) / cc->u.cubic.c);
    cc->u.cubic.w_est = w;
    cc->u.cubic.rest = 0;
}

/* 4.2: the window at a time of the epoch. */
static double cubic_at(const pl_sctp_cc *cc, double t_s)
{
    double off_s = t_s - cc->u.cubic.k_s;
    return cc->u.cubic.c * off_s * off_s * off_s + cc->u.cubic.w_max;
}

/* steeper: how many times as steep as CUBIC's the cubic is. */
static void avoidance(pl_sctp_cc *cc, const pl_sctp_cc_ack *ack, double steeper)
{
    if (cc->u.cubic.epoch_us == 0)
        begin_epoch(cc, ack->now_us, steeper);
    double w = (double)cc->cwnd, share = (double)ack->acked / w;
    double t_s = (double)(ack->now_us - cc->u.cubic.epoch_us) * 1e-6;
    /* 4.3: as much as Reno would take that gave way to beta */
    double alpha = cc->u.cubic.w_est < (double)cc->undo_cwnd ? 3 * (1 - beta) / (1 + beta) : 1;
    cc->u.cubic.w_est += alpha * share * (double)cc->mtu;
    double more = cc->u.cubic.rest;
    if (cubic_at(cc, t_s) < cc->u.cubic.w_est) {
        more += larger(cc->u.cubic.w_est - w, 0);
    } else {
        double target = cubic_at(cc, t_s + (double)ack->srtt_us * 1e-6);
        target = target > 1.5 * w ? 1.5 * w : larger(target, w);
        more += (target - w) * share;
    }
    cc->cwnd += (size_t)more;
    cc->u.cubic.rest = more - floor(more);
}

/* --- giving way --- */

/* 4.6, and 4.7: a flow that lost before it was back where it had been leaves room for others. */
static void give_way(pl_sctp_cc *cc, size_t floor_bytes)
{
    double w = (double)cc->cwnd;
    cc->u.cubic.w_max = w < cc->u.cubic.w_max ? w * (1 + beta) / 2 : w;
    cc->u.cubic.epoch_us = 0;
    size_t to = (size_t)(w * beta), least = PL_SCTP_CC_LEAST * cc->mtu;
    to = to < floor_bytes && floor_bytes < cc->cwnd ? floor_bytes : to;
    cc->ssthresh = to > least ? to : least;
    if (cc->cwnd > cc->ssthresh)
        cc->cwnd = cc->ssthresh;
}

static void lost(pl_sctp_cc *cc, int64_t now_us)
{
    (void)now_us;
    give_way(cc, 0);
}

static void timeout(pl_sctp_cc *cc, int64_t now_us)
{
    (void)now_us;
    give_way(cc, 0);
    cc->cwnd = cc->mtu;
    pl_sctp_hystart_init(&cc->u.cubic.hystart);
}

static void acked(pl_sctp_cc *cc, const pl_sctp_cc_ack *ack)
{
    if (ack->in_recovery || ack->acked == 0)
        return;
    if (!pl_sctp_cc_full(cc, ack))
        cc->u.cubic.epoch_us = 0; /* 5.8: time in which the application sent little does not count */
    else if (cc->cwnd < cc->ssthresh)
        slow_start(cc, ack);
    else
        avoidance(cc, ack, 1);
}

/* --- cubic-bdp --- */

static bool shows_queue(int64_t rtt_us, int64_t min_rtt_us)
{
    return rtt_us - min_rtt_us > pl_max_us(min_rtt_us / QUEUE_SHARE, NO_QUEUE_US);
}

/* Round trips that show a queue end slow start. What they measured was sent a round trip ago, when the window was half
 * of what it is: that half, and a quarter of it. */
static void slow_start_bdp(pl_sctp_cc *cc, const pl_sctp_cc_ack *ack)
{
    if (ack->min_rtt_us < PL_SCTP_CC_PACED_US) {
        slow_start(cc, ack);
        return;
    }
    if (ack->rtt_us >= 0)
        cc->u.cubic.n_queued = shows_queue(ack->rtt_us, ack->min_rtt_us) ? cc->u.cubic.n_queued + 1 : 0;
    cc->cwnd += ack->acked;
    if (cc->u.cubic.n_queued < QUEUE_SAMPLES)
        return;
    size_t to = cc->cwnd / 8 * 5, least = PL_SCTP_CC_LEAST * cc->mtu;
    cc->ssthresh = to > least ? to : least;
    if (cc->cwnd > cc->ssthresh)
        cc->cwnd = cc->ssthresh;
    cc->u.cubic.n_queued = 0;
    cc->u.cubic.eased_till = cc->path.delivered + ack->flight_after;
}

/* More than a fiftieth of the window in a round; or, where that much is lost however little is sent, half as many again and a
 * few. */
static bool lost_many(const pl_sctp_cc *cc)
{
    uint64_t at_random = (uint64_t)cc->cwnd * cc->u.cubic.random.share / PL_SCTP_SHARE_ONE;
    size_t least = PL_SCTP_CC_LEAST * cc->mtu, lost = cc->path.round_lost;
    return lost >= least && lost > cc->cwnd / MANY_LOST &&
           (at_random == 0 || lost > at_random + at_random / 2 + least);
}

/* The longer the path, the steeper: CUBIC's own takes 11 s to come back to the window of 100 Mbit/s and 100 ms, so what one flow
 * won in its first seconds it kept for minutes. */
static double steepness(int64_t min_rtt_us)
{
    double times = (double)min_rtt_us * 1e-6 / steep_rtt_s;
    return times < 1 ? 1 : times > steepest ? steepest : times;
}

/* A short queue was full, so others may have lost as well, and have given way: the room that is there now is theirs, too. Until CUBIC
 * would have it back nobody grows by an eighth, or who does has it all in the end. (A long queue is still there after the loss, and keeps everybody from it.) */
static void leave_room(pl_sctp_cc *cc, int64_t now_us, int64_t min_rtt_us)
{
    double given = (double)cc->cwnd * (1 - beta) / (steepness(min_rtt_us) * c_packets * (double)cc->mtu);
    cc->u.cubic.cautious_till_us = now_us + (int64_t)(cbrt(given) * 1e6);
}

static void judge_loss(pl_sctp_cc *cc, const pl_sctp_cc_ack *ack)
{
    const pl_sctp_cc_path *p = &cc->path;
    bool queue = shows_queue(p->rtt_us, ack->min_rtt_us);
    if (p->delivered < cc->u.cubic.eased_till || !(queue || lost_many(cc)))
        return;
    if (queue && p->rtt_us - ack->min_rtt_us < ack->min_rtt_us * 3 / 8)
        leave_room(cc, ack->now_us, ack->min_rtt_us);
    bool overshot = cc->cwnd < cc->ssthresh;
    size_t bdp = pl_sctp_cc_bdp(cc, ack->min_rtt_us);
    give_way(cc, bdp);
    /* Slow start goes on for a round after the queue is full: what it grew to in it says nothing. */
    if (overshot && bdp > PL_SCTP_CC_LEAST * cc->mtu && cc->cwnd > bdp + bdp / 2) {
        cc->cwnd = cc->ssthresh = bdp + bdp / 2;
        cc->u.cubic.w_max = (double)(2 * bdp);
    }
    cc->u.cubic.eased_till = p->delivered + ack->flight_after;
}

/* Repairing is not giving way: see the head of this file. */
static void repair(pl_sctp_cc *cc, int64_t now_us)
{
    (void)cc, (void)now_us;
}

static void acked_bdp(pl_sctp_cc *cc, const pl_sctp_cc_ack *ack)
{
    const pl_sctp_cc_path *p = &cc->path;
    pl_sctp_random_loss_acked(&cc->u.cubic.random, ack->acked, ack->lost, cc->mtu,
                              p->round_began ? p->rate[p->at] : 0,
                              p->rtt_us > 0 && shows_queue(p->rtt_us, ack->min_rtt_us));
    if (ack->lost > 0)
        judge_loss(cc, ack);
    if (ack->acked == 0 || p->delivered < cc->u.cubic.eased_till)
        return;
    if (!pl_sctp_cc_full(cc, ack)) {
        cc->u.cubic.epoch_us = 0;
    } else if (cc->cwnd < cc->ssthresh) {
        slow_start_bdp(cc, ack);
    } else if (ack->now_us >= cc->u.cubic.cautious_till_us && p->last_min_us != PL_NEVER &&
               !shows_queue(p->last_min_us, ack->min_rtt_us) && !shows_queue(p->rtt_us, ack->min_rtt_us)) {
        cc->cwnd += ack->acked / PROBE_SHARE;
        cc->u.cubic.epoch_us = 0;
    } else {
        avoidance(cc, ack, steepness(ack->min_rtt_us));
    }
}

const pl_sctp_cc_ops pl_sctp_cc_cubic = { "cubic", false, init, acked, lost, timeout, NULL };
const pl_sctp_cc_ops pl_sctp_cc_cubic_bdp = { "cubic-bdp", true, init, acked_bdp, repair, timeout, NULL };
