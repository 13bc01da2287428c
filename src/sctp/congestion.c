#include "sctp/congestion.h"

#include <string.h>

#include "base/time.h"

enum {
    INITIAL_PACKETS = 10,
    BOLD_PACKETS = 32,
    BOLD_RATE = 400000 /* bytes per second: 3.2 Mbit/s */
};

void pl_sctp_cc_init(pl_sctp_cc *cc, const pl_sctp_cc_ops *ops, size_t mtu)
{
    *cc = (pl_sctp_cc){ .ops = ops, .mtu = mtu };
    cc->cwnd = pl_sctp_cc_initial(cc);
    cc->ssthresh = SIZE_MAX; /* 7.2.1: may be arbitrarily high */
    cc->path.round_min_us = cc->path.last_min_us = PL_NEVER;
    ops->init(cc);
}

void pl_sctp_cc_restart(pl_sctp_cc *cc)
{
    uint32_t seed = cc->seed;
    pl_sctp_cc_init(cc, cc->ops, cc->mtu);
    cc->seed = seed;
}

void pl_sctp_cc_switch(pl_sctp_cc *cc, const pl_sctp_cc_ops *ops)
{
    if (cc->ops == ops)
        return;
    if (cc->ssthresh > cc->cwnd && cc->cwnd > pl_sctp_cc_initial(cc))
        cc->ssthresh = cc->cwnd;
    memset(&cc->u, 0, sizeof cc->u);
    cc->ops = ops;
    ops->init(cc);
}

size_t pl_sctp_cc_initial(const pl_sctp_cc *cc)
{
    return INITIAL_PACKETS * cc->mtu;
}

void pl_sctp_cc_begin(pl_sctp_cc *cc, int64_t rtt_us)
{
    size_t most = BOLD_PACKETS * cc->mtu,
           of_rate = (size_t)pl_min_us(rtt_us, PL_SEC(1)) * BOLD_RATE / 1000000;
    if (cc->ops->bold && cc->cwnd == pl_sctp_cc_initial(cc) && of_rate > cc->cwnd)
        cc->cwnd = of_rate < most ? of_rate : most;
}

/* A round is what was in flight when it began. Rounds that the application left empty say less than the path could do,
 * so they only count when they show more. */
static void measure(pl_sctp_cc *cc, const pl_sctp_cc_ack *ack)
{
    pl_sctp_cc_path *p = &cc->path;
    p->delivered += ack->acked;
    if (ack->rtt_us >= 0) {
        p->rtt_us = ack->rtt_us;
        p->round_min_us = pl_min_us(p->round_min_us, ack->rtt_us);
    }
    p->round_began = p->delivered >= p->round_end;
    if (p->round_began) {
        int64_t took_us = ack->now_us - p->round_us;
        uint64_t rate = p->round_from > 0 && took_us > 0
                            ? (p->delivered - p->round_from) * 1000000 / (uint64_t)took_us
                            : 0;
        if (ack->backlog || rate > p->rate[p->at]) {
            p->at = (p->at + 1) % PL_SCTP_CC_ROUNDS;
            p->rate[p->at] = rate;
        }
        p->round_from = p->delivered;
        p->round_us = ack->now_us;
        p->round_end = p->delivered + ack->flight_after;
        p->last_min_us = p->round_min_us;
        p->round_min_us = PL_NEVER;
        p->round_lost = 0;
        p->last_peak = p->round_peak;
        p->round_peak = 0;
    }
    if (p->round_peak < ack->flight_before)
        p->round_peak = ack->flight_before;
    p->round_lost += ack->lost;
}

void pl_sctp_cc_acked(pl_sctp_cc *cc, const pl_sctp_cc_ack *ack)
{
    measure(cc, ack);
    cc->ops->acked(cc, ack);
}

/* 7.2.1: half for each RTO without data, down to the initial window; what it once was is kept in ssthresh. */
void pl_sctp_cc_idle(pl_sctp_cc *cc, int64_t idle_us, int64_t rto_us)
{
    size_t initial = pl_sctp_cc_initial(cc);
    cc->rested |= idle_us >= rto_us;
    if (idle_us >= rto_us && cc->cwnd > initial && cc->ssthresh != SIZE_MAX &&
        cc->ssthresh < cc->cwnd / 4 * 3)
        cc->ssthresh = cc->cwnd / 4 * 3;
    for (; idle_us >= rto_us && cc->cwnd > initial; idle_us -= rto_us)
        cc->cwnd = cc->cwnd / 2 > initial ? cc->cwnd / 2 : initial;
}

void pl_sctp_cc_save(pl_sctp_cc *cc)
{
    cc->undo_cwnd = cc->cwnd;
    cc->undo_ssthresh = cc->ssthresh;
}

void pl_sctp_cc_undo(pl_sctp_cc *cc)
{
    if (cc->cwnd < cc->undo_cwnd)
        cc->cwnd = cc->undo_cwnd;
    if (cc->ssthresh < cc->undo_ssthresh)
        cc->ssthresh = cc->undo_ssthresh;
}

bool pl_sctp_cc_full(const pl_sctp_cc *cc, const pl_sctp_cc_ack *ack)
{
    size_t peak = cc->path.round_peak > cc->path.last_peak ? cc->path.round_peak : cc->path.last_peak;
    peak = peak > ack->flight_before ? peak : ack->flight_before;
    return peak + cc->mtu > cc->cwnd || (ack->backlog && 2 * peak >= cc->cwnd);
}

size_t pl_sctp_cc_bdp(const pl_sctp_cc *cc, int64_t min_rtt_us)
{
    uint64_t rate = 0;
    for (unsigned i = 0; i < PL_SCTP_CC_ROUNDS; i++)
        rate = cc->path.rate[i] > rate ? cc->path.rate[i] : rate;
    return (size_t)(rate * (uint64_t)min_rtt_us / 1000000);
}

/* Twice the window a round trip while it doubles, a quarter above it later: enough that the pace is never what holds
 * the window empty. */
uint64_t pl_sctp_cc_pace(const pl_sctp_cc *cc, int64_t srtt_us, int64_t min_rtt_us)
{
    if (min_rtt_us < PL_SCTP_CC_PACED_US)
        return 0;
    if (cc->ops->pace)
        return cc->ops->pace(cc, srtt_us);
    uint64_t per_second = (uint64_t)cc->cwnd * 1000000 / (uint64_t)srtt_us;
    return cc->cwnd < cc->ssthresh ? 2 * per_second : per_second + per_second / 4;
}
