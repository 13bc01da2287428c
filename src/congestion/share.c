#include "congestion/share.h"

#include "base/time.h"

enum {
    EVERY_US = 100000,
    FIRST_BPS = 500000, /* when nothing was measured */
    LEAST_BPS = 50000,  /* below it nothing would ever end */
    TARGET_US = 20000,  /* of the queue; within what a media controller takes for noise */
    TARGET_LOW_US = 10000,
    FLOOR_PART = 4 /* of the media's target: channels of normal priority are not starved */
};

static const double SEEK = 1.25, GROW = 0.08, SHRINK = 0.3, STOP = 0.7;

void pl_cc_share_init(pl_cc_share *s)
{
    *s = (pl_cc_share){ .next_us = PL_NEVER };
}

/* Bits per second that have come through since the last update; 0: not known. */
static int64_t delivered_bps(pl_cc_share *s, int64_t now_us, uint64_t delivered)
{
    int64_t us = now_us - s->at_us, bits = (int64_t)(delivered - s->delivered) * 8;
    bool known = s->at_us > 0 && us >= EVERY_US / 2;
    s->at_us = now_us;
    s->delivered = delivered;
    return known ? bits * 1000000 / us : 0;
}

/* -1: the queue is twice its target or more; 1: there is none. */
static double room(const pl_cc_share_in *in)
{
    double target = in->low ? TARGET_LOW_US : TARGET_US;
    double queue = in->rtt_us > in->min_rtt_us ? (double)(in->rtt_us - in->min_rtt_us) : 0;
    double off = (target - queue) / target;
    return off < -1 ? -1 : off;
}

static double next_rate(pl_cc_share *s, int64_t now_us, const pl_cc_share_in *in, double rate)
{
    if (in->overuse) {
        s->queued = true;
        if (now_us - s->eased_us < 2 * EVERY_US + in->rtt_us)
            return rate;
        s->eased_us = now_us;
        return rate * STOP;
    }
    if (in->rtt_us == 0)
        return rate; /* nothing was heard */
    double off = room(in);
    s->queued |= off < 0.5;
    if (!s->queued)
        return rate * SEEK;
    return rate * (1 + off * (off > 0 ? GROW : SHRINK));
}

static int64_t within(const pl_cc_share_in *in, double rate, int64_t got_bps)
{
    double floor = in->low ? LEAST_BPS : (double)in->media_bps / FLOOR_PART;
    floor = floor > LEAST_BPS ? floor : LEAST_BPS;
    double most =
        got_bps > 0 ? 2.0 * (double)got_bps + FIRST_BPS : rate; /* what was not used proves nothing */
    rate = rate < most ? rate : most;
    return (int64_t)(rate > floor ? rate : floor);
}

/* Data answers a queue before media does, down to this. */
static int64_t insists_bps(const pl_cc_share_in *in)
{
    return in->low ? 2 * LEAST_BPS : in->media_bps / 2;
}

bool pl_cc_share_update(pl_cc_share *s, int64_t now_us, const pl_cc_share_in *in)
{
    int64_t before_bps = s->rate_bps, got_bps = delivered_bps(s, now_us, in->delivered);
    s->next_us = now_us + pl_max_us(EVERY_US, in->rtt_us);
    if (!in->media || !in->data) {
        s->gives_way = false;
        if (!in->media)
            pl_cc_share_init(s);
        else
            s->next_us = PL_NEVER; /* the rate stays for what comes next */
        return s->rate_bps != before_bps;
    }
    if (before_bps == 0) /* media has begun */
        s->rate_bps = within(in, got_bps > 0 ? (double)got_bps / 2 : FIRST_BPS, 0);
    else
        s->rate_bps = within(in, next_rate(s, now_us, in, (double)before_bps), got_bps);
    s->gives_way = s->rate_bps > insists_bps(in);
    return s->rate_bps != before_bps;
}
