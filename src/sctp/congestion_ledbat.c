/* Congestion control that yields, in the manner of LEDBAT++ (RFC 6817, draft-irtf-iccrg-ledbat-plus-plus).
 *
 * The flow keeps the queue it makes at 60 ms: below that the window grows as Reno's would, slower on short paths; above
 * it shrinks in proportion. Whatever else fills the queue beyond that pushes it aside, and when the others are gone it takes what
 * is there. The least round trip is what the queue is measured against, and a flow that keeps a queue hides it from itself
 * and others: so at times it sends next to nothing for two round trips, a tenth of the time in all.
 *
 * Where we differ. The target is half the least round trip, 5 to 60 ms: a queue that overflows before it is 60 ms long would
 * make this a Reno flow, and queues are seldom shorter than a round trip. The window grows by its root a round trip, not by one packet,
 * so that two flows on a long path even out in seconds. A loss without a queue, unless a fiftieth of a window goes, is only
 * repaired. And behind a slowdown the window doubles, since it had been there before. */
#include <math.h>

#include "base/time.h"
#include "sctp/congestion.h"

enum {
    GAIN_LEAST = 16, /* the window grows by at least a 16th of a packet a round trip */
    SLOW_PACKETS = 2,
    SLOW_ROUNDS = 2,
    MANY_LOST = 50, /* a window's fraction */
    QUEUE_PART = 8, /* of the target: less is no queue */
    SLOW_SHARE = 9  /* a slowdown that took so long is followed by nine times that without */
};
#define TARGET_MOST_US  PL_MS(60)
#define TARGET_LEAST_US PL_MS(5)

static void init(pl_sctp_cc *cc)
{
    bool begun = cc->ssthresh != SIZE_MAX;
    cc->u.ledbat = (pl_sctp_ledbat){ .phase = begun ? PL_SCTP_LEDBAT_STEADY : PL_SCTP_LEDBAT_FIRST };
}

/* --- delay --- */

static int64_t base_us(const pl_sctp_ledbat *l)
{
    int64_t least_us = PL_NEVER;
    for (unsigned i = 0; i < PL_SCTP_CC_MINUTES; i++) {
        if (l->base_us[i] > 0)
            least_us = pl_min_us(least_us, l->base_us[i]);
    }
    return least_us;
}

static void learn(pl_sctp_ledbat *l, int64_t now_us, int64_t rtt_us)
{
    if (l->minute_us == 0)
        l->minute_us = now_us;
    for (; now_us - l->minute_us >= PL_SEC(60); l->minute_us += PL_SEC(60)) {
        for (unsigned i = PL_SCTP_CC_MINUTES - 1; i > 0; i--)
            l->base_us[i] = l->base_us[i - 1];
        l->base_us[0] = 0;
    }
    l->base_us[0] = l->base_us[0] > 0 ? pl_min_us(l->base_us[0], rtt_us) : rtt_us;
    l->recent_us[l->n_recent++ % PL_SCTP_CC_FILTER] = rtt_us;
}

/* The least of the latest few samples, so that one SACK that was late is not a queue; -1: not known. */
static int64_t queue_us(const pl_sctp_ledbat *l)
{
    int64_t least_us = PL_NEVER;
    unsigned n = l->n_recent < PL_SCTP_CC_FILTER ? l->n_recent : PL_SCTP_CC_FILTER;
    for (unsigned i = 0; i < n; i++)
        least_us = pl_min_us(least_us, l->recent_us[i]);
    return n > 0 ? least_us - base_us(l) : -1;
}

static int64_t target_us(const pl_sctp_ledbat *l)
{
    return pl_max_us(TARGET_LEAST_US, pl_min_us(base_us(l) / 2, TARGET_MOST_US));
}

/* 4.2 of LEDBAT++: on short paths a packet a round trip would be more than the others' growth. */
static double gain(const pl_sctp_ledbat *l)
{
    int64_t base = base_us(l), n = (2 * TARGET_MOST_US + base - 1) / pl_max_us(base, 1);
    return 1.0 / (double)(n < 1 ? 1 : n > GAIN_LEAST ? GAIN_LEAST : n);
}

/* --- window --- */

static void add(pl_sctp_cc *cc, double bytes)
{
    pl_sctp_ledbat *l = &cc->u.ledbat;
    double to = (double)cc->cwnd + l->rest + bytes, least = SLOW_PACKETS * (double)cc->mtu;
    to = to < least ? least : to;
    cc->cwnd = (size_t)to;
    l->rest = to - (double)cc->cwnd;
}

static void slow_start(pl_sctp_cc *cc, const pl_sctp_cc_ack *ack)
{
    pl_sctp_ledbat *l = &cc->u.ledbat;
    bool first = l->phase == PL_SCTP_LEDBAT_FIRST;
    if (first && queue_us(l) > target_us(l) / 4 * 3) { /* 4.3: the queue shows */
        cc->ssthresh = cc->cwnd;
        l->phase = PL_SCTP_LEDBAT_STEADY;
        l->slow_us = ack->now_us + SLOW_ROUNDS * ack->srtt_us;
        return;
    }
    add(cc, (first ? gain(l) : 1) * (double)ack->acked);
    if (cc->cwnd < cc->ssthresh)
        return;
    l->phase = PL_SCTP_LEDBAT_STEADY;
    l->slow_us = first ? ack->now_us + SLOW_ROUNDS * ack->srtt_us
                       : ack->now_us + SLOW_SHARE * (ack->now_us - l->began_us);
}

static void steady(pl_sctp_cc *cc, const pl_sctp_cc_ack *ack)
{
    pl_sctp_ledbat *l = &cc->u.ledbat;
    double w = (double)cc->cwnd, share = (double)ack->acked / w;
    double off = (double)queue_us(l) / (double)target_us(l);
    double step = gain(l) * sqrt(w * (double)cc->mtu); /* a round trip */
    if (off > 1) {
        step -= w * (off - 1);
        step = step < -w / 2 ? -w / 2 : step;
    } else if (!pl_sctp_cc_full(cc, ack)) {
        return;
    }
    add(cc, step * share);
    if (l->slow_us == 0)
        l->slow_us = ack->now_us + SLOW_ROUNDS * ack->srtt_us;
}

/* 4.4: time for a slowdown, or the end of one. */
static void turn(pl_sctp_cc *cc, const pl_sctp_cc_ack *ack)
{
    pl_sctp_ledbat *l = &cc->u.ledbat;
    if (l->slow_us == 0 || ack->now_us < l->slow_us)
        return;
    if (l->phase == PL_SCTP_LEDBAT_STEADY) {
        l->phase = PL_SCTP_LEDBAT_SLOW;
        l->began_us = ack->now_us;
        l->slow_us = ack->now_us + SLOW_ROUNDS * ack->srtt_us;
        cc->ssthresh = cc->cwnd;
        cc->cwnd = SLOW_PACKETS * cc->mtu;
    } else if (l->phase == PL_SCTP_LEDBAT_SLOW) {
        l->phase = PL_SCTP_LEDBAT_RAMP;
        l->n_recent = 0;
        l->slow_us = 0;
    }
}

/* --- losses --- */

static void halve(pl_sctp_cc *cc)
{
    pl_sctp_ledbat *l = &cc->u.ledbat;
    size_t least = SLOW_PACKETS * cc->mtu;
    if (l->phase == PL_SCTP_LEDBAT_SLOW)
        return;
    cc->cwnd = cc->cwnd / 2 > least ? cc->cwnd / 2 : least;
    if (l->phase == PL_SCTP_LEDBAT_STEADY)
        return;
    cc->ssthresh = cc->cwnd;
    l->phase = PL_SCTP_LEDBAT_STEADY;
    l->slow_us = 0;
}

static void judge_loss(pl_sctp_cc *cc, const pl_sctp_cc_ack *ack)
{
    pl_sctp_ledbat *l = &cc->u.ledbat;
    const pl_sctp_cc_path *p = &cc->path;
    bool many = p->round_lost >= PL_SCTP_CC_LEAST * cc->mtu && p->round_lost > cc->cwnd / MANY_LOST;
    bool queued = queue_us(l) > target_us(l) / QUEUE_PART;
    if (p->delivered < l->eased_till || !(many || queued))
        return;
    halve(cc);
    l->eased_till = p->delivered + ack->flight_after;
}

/* The SACK that tells a loss tells what it means. */
static void lost(pl_sctp_cc *cc, int64_t now_us)
{
    (void)cc, (void)now_us;
}

static void acked(pl_sctp_cc *cc, const pl_sctp_cc_ack *ack)
{
    pl_sctp_ledbat *l = &cc->u.ledbat;
    if (ack->rtt_us > 0)
        learn(l, ack->now_us, ack->rtt_us);
    turn(cc, ack);
    if (ack->lost > 0 && l->n_recent > 0)
        judge_loss(cc, ack);
    if (ack->acked == 0 || l->n_recent == 0 || cc->path.delivered < l->eased_till)
        return;
    switch (l->phase) {
    case PL_SCTP_LEDBAT_FIRST:
    case PL_SCTP_LEDBAT_RAMP:
        if (pl_sctp_cc_full(cc, ack))
            slow_start(cc, ack);
        break;
    case PL_SCTP_LEDBAT_STEADY: steady(cc, ack); break;
    case PL_SCTP_LEDBAT_SLOW: break;
    }
}

static void timeout(pl_sctp_cc *cc, int64_t now_us)
{
    halve(cc);
    cc->ssthresh = cc->cwnd;
    cc->cwnd = cc->mtu;
    cc->u.ledbat.phase = PL_SCTP_LEDBAT_RAMP;
    cc->u.ledbat.began_us = now_us;
    cc->u.ledbat.slow_us = 0;
}

const pl_sctp_cc_ops pl_sctp_cc_ledbat = { "ledbat", false, init, acked, lost, timeout, NULL };
