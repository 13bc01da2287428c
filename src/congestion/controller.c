#include "congestion/controller.h"

#include <assert.h>

#include "base/time.h"

enum {
    START_BPS = 300000,
    MIN_BPS = 30000,
    MAX_BPS = 20000000,
    PACING_PERCENT = 150,
    TELL_PART = 20,           /* a change by a twentieth is told */
    PROBE_FIRST_FACTOR = 3,   /* the first burst asks for so many times the start rate */
    PROBE_AGAIN_PERCENT = 70, /* a result of so much of what was asked asks for twice as much */
    PROBE_FIRST_TRIES = 8,    /* at the start the receiver may not listen yet */
    PROBE_LIMIT_PERCENT = 90, /* of the upper limit */
    PROBE_AFTER_DROP_US = 3000000,
    PROBE_IDLE_US = 5000000, /* between bursts of a sender that uses ... */
    PROBE_IDLE_PERCENT = 65, /* ... less than this of its rate */
    DROP_PERCENT = 66,       /* a rate so far below its peak ... */
    PEAK_US = 60000000,      /* ... of the last minute is worth a burst */
    RTT_STALE_US = 5000000,  /* an older measurement is not averaged with a new one */
    SILENCE_US = 1000000,
    SILENCE_EVERY_US = 500000,
    SILENCE_PERCENT = 80,
    REPORT_PACKETS = 100 /* weight of a receiver report that does not tell how many */
};

static int64_t clamp_rate(const pl_cc *cc, int64_t rate_bps)
{
    return rate_bps < cc->conf.min_bps   ? cc->conf.min_bps
           : rate_bps > cc->conf.max_bps ? cc->conf.max_bps
                                         : rate_bps;
}

static void begin(pl_cc *cc, int64_t now_us)
{
    const pl_cc_conf *conf = &cc->conf;
    pl_cc_trendline_init(&cc->delay);
    pl_cc_aimd_init(&cc->aimd, conf->start_bps, conf->min_bps, conf->max_bps, now_us);
    pl_cc_loss_init(&cc->loss, conf->start_bps, conf->min_bps, conf->max_bps, now_us);
    cc->rate_bps = clamp_rate(cc, conf->start_bps);
    cc->silent_us = PL_NEVER;
    cc->peak_bps = cc->rate_bps;
    cc->peak_us = now_us;
    pl_cc_probe_want(&cc->probe, now_us, clamp_rate(cc, PROBE_FIRST_FACTOR * conf->start_bps));
}

void pl_cc_init(pl_cc *cc, const pl_cc_conf *conf, int64_t now_us)
{
    *cc = (pl_cc){ .conf = *conf };
    if (cc->conf.min_bps <= 0)
        cc->conf.min_bps = MIN_BPS;
    if (cc->conf.max_bps <= 0)
        cc->conf.max_bps = MAX_BPS;
    if (cc->conf.max_bps < cc->conf.min_bps)
        cc->conf.max_bps = cc->conf.min_bps;
    if (cc->conf.start_bps <= 0)
        cc->conf.start_bps = START_BPS;
    cc->conf.start_bps = clamp_rate(cc, cc->conf.start_bps);
    begin(cc, now_us);
}

void pl_cc_reset(pl_cc *cc, int64_t now_us)
{
    pl_cc_conf conf = cc->conf;
    uint8_t last_cluster = cc->probe.last_cluster; /* results of the old path must not look like new ones */
    *cc = (pl_cc){ .conf = conf, .probe = { .last_cluster = last_cluster } };
    begin(cc, now_us);
}

/* The lowest of all estimates. */
static void combine(pl_cc *cc, int64_t now_us)
{
    int64_t rate_bps = cc->has_twcc ? pl_min_us(cc->aimd.rate_bps, cc->loss.rate_bps) : cc->loss.rate_bps;
    if (cc->remb_bps > 0)
        rate_bps = pl_min_us(rate_bps, cc->remb_bps);
    cc->rate_bps = clamp_rate(cc, rate_bps);
    if (cc->rate_bps >= cc->peak_bps || now_us - cc->peak_us > PEAK_US) {
        cc->peak_bps = cc->rate_bps;
        cc->peak_us = now_us;
    }
}

/* Near the limit a burst has nothing more to tell. */
static bool worth_asking(const pl_cc *cc, int64_t rate_bps)
{
    return rate_bps < cc->conf.max_bps * PROBE_LIMIT_PERCENT / 100;
}

/* Far below what the path carried a while ago: bursts ask now and then whether it does again. */
static void seek_peak(pl_cc *cc, int64_t now_us)
{
    bool asking = cc->probe.want_bps || cc->probe.cluster;
    if (!asking && cc->rate_bps < cc->peak_bps * DROP_PERCENT / 100)
        pl_cc_probe_want(&cc->probe, now_us + PROBE_AFTER_DROP_US, pl_min_us(cc->peak_bps, 2 * cc->rate_bps));
}

/* A sender that uses little of its rate proves nothing by it (the rate stays near what arrives): a burst asks now
 * and then whether there is more, so that it is known when the pictures become rich. */
static void seek_more(pl_cc *cc, int64_t now_us, int64_t acked_bps)
{
    bool asking = cc->probe.want_bps || cc->probe.cluster;
    bool idle = acked_bps > 0 && acked_bps < cc->rate_bps * PROBE_IDLE_PERCENT / 100;
    if (asking || !idle || cc->overuse || !worth_asking(cc, cc->rate_bps) ||
        now_us - cc->probe.asked_us < PROBE_IDLE_US)
        return;
    pl_cc_probe_want(&cc->probe, now_us, clamp_rate(cc, 2 * cc->rate_bps));
}

/* A first burst that got lost as a whole says nothing about the path: the receiver had no keys or no stream yet. */
static void retry_first(pl_cc *cc, int64_t now_us)
{
    bool asking = cc->probe.want_bps || cc->probe.cluster;
    if (cc->probe_answered || asking || cc->n_first_probes >= PROBE_FIRST_TRIES)
        return;
    cc->n_first_probes++;
    pl_cc_probe_want(&cc->probe, now_us, clamp_rate(cc, PROBE_FIRST_FACTOR * cc->conf.start_bps));
}

/* What the loss-based side must not exceed. Without transport-wide feedback REMB is the other side's delay
 * estimate, and what was never sent has not been tried: the rate stays near what goes out. */
static int64_t other_bps(const pl_cc *cc)
{
    if (cc->has_twcc)
        return cc->aimd.rate_bps;
    int64_t sent_bps = pl_cc_acked_bps(&cc->acked), tried_bps = sent_bps + sent_bps / 2;
    int64_t limit_bps = cc->remb_bps > 0 ? cc->remb_bps : cc->conf.max_bps;
    return pl_min_us(limit_bps, pl_max_us(tried_bps, cc->rate_bps));
}

void pl_cc_limits(pl_cc *cc, int64_t min_bps, int64_t max_bps, int64_t now_us)
{
    assert(min_bps > 0 && max_bps >= min_bps);
    cc->conf.min_bps = min_bps;
    cc->conf.max_bps = max_bps;
    cc->conf.start_bps = clamp_rate(cc, cc->conf.start_bps);
    pl_cc_aimd_limits(&cc->aimd, min_bps, max_bps);
    pl_cc_loss_limits(&cc->loss, min_bps, max_bps);
    if (cc->probe.want_bps)
        cc->probe.want_bps = clamp_rate(cc, cc->probe.want_bps);
    combine(cc, now_us);
}

void pl_cc_sent(pl_cc *cc, int64_t now_us, size_t len)
{
    cc->sent_us = now_us;
    if (!cc->has_twcc)
        pl_cc_acked_packet(&cc->acked, now_us, (uint32_t)len);
    if (cc->has_twcc && cc->silent_us == PL_NEVER)
        cc->silent_us = now_us + SILENCE_US + cc->rtt_us;
}

void pl_cc_result(pl_cc *cc, const pl_twcc_result *res)
{
    if (res->arrival_us == PL_NEVER) {
        pl_cc_loss_count(&cc->loss, 1, 1);
        return;
    }
    if (res->was_lost)
        pl_cc_loss_late(&cc->loss);
    else
        pl_cc_loss_count(&cc->loss, 1, 0);
    cc->newest_sent_us = pl_max_us(cc->newest_sent_us, res->sent_us);
    pl_cc_acked_packet(&cc->acked, res->arrival_us, res->len);
    pl_cc_probe_packet(&cc->probe, res->probe, res->sent_us, res->arrival_us, res->len);
    pl_cc_trendline_packet(&cc->delay, res->sent_us, res->arrival_us, res->arrival_us);
}

/* The first transport-wide feedback: from now on delay leads, and loss only limits. */
static void begin_twcc(pl_cc *cc, int64_t now_us)
{
    cc->has_twcc = true;
    cc->acked = (pl_cc_acked){ 0 }; /* held departures, of our clock */
    cc->loss.limiting = false;
    pl_cc_aimd_set(&cc->aimd, now_us, cc->rate_bps);
}

static void take_probe(pl_cc *cc, int64_t now_us)
{
    int64_t asked_bps = cc->probe.rate_bps, got_bps = pl_cc_probe_result(&cc->probe, now_us);
    cc->probe_answered |= got_bps > 0;
    if (got_bps == 0 || cc->overuse)
        return;
    if (got_bps > cc->rate_bps) {
        pl_cc_aimd_set(&cc->aimd, now_us, pl_max_us(cc->aimd.rate_bps, got_bps));
        pl_cc_loss_set(&cc->loss, got_bps);
    }
    if (got_bps >= asked_bps * PROBE_AGAIN_PERCENT / 100 && worth_asking(cc, got_bps))
        pl_cc_probe_want(&cc->probe, now_us, clamp_rate(cc, 2 * got_bps));
}

void pl_cc_feedback(pl_cc *cc, int64_t now_us)
{
    if (!cc->has_twcc)
        begin_twcc(cc, now_us);
    cc->silent_us = PL_NEVER;
    if (!cc->has_rtt && cc->newest_sent_us > 0)
        cc->rtt_us = pl_max_us(now_us - cc->newest_sent_us, 1); /* a little long: feedback is held back */
    int64_t acked_bps = pl_cc_acked_bps(&cc->acked);
    cc->overuse = cc->delay.usage == PL_CC_OVERUSE; /* the last word of the feedback: a peak may be over */
    pl_cc_usage usage = cc->overuse && cc->shielded ? PL_CC_UNDERUSE : cc->delay.usage;
    pl_cc_aimd_update(&cc->aimd, now_us, usage, acked_bps, cc->rtt_us);
    take_probe(cc, now_us);
    pl_cc_loss_update(&cc->loss, now_us, cc->rtt_us, other_bps(cc));
    combine(cc, now_us);
    seek_peak(cc, now_us);
    retry_first(cc, now_us);
    seek_more(cc, now_us, acked_bps);
}

void pl_cc_shield(pl_cc *cc, bool on)
{
    cc->shielded = on;
}

void pl_cc_rtt(pl_cc *cc, int64_t now_us, int64_t rtt_us)
{
    if (rtt_us <= 0)
        return;
    bool fresh = cc->has_rtt && now_us - cc->rtt_at_us < RTT_STALE_US;
    cc->rtt_us = fresh ? (7 * cc->rtt_us + rtt_us) / 8 : rtt_us;
    cc->rtt_at_us = now_us;
    cc->has_rtt = true;
}

void pl_cc_report(pl_cc *cc, int64_t now_us, uint8_t fraction_lost, uint32_t n_packets)
{
    if (cc->has_twcc)
        return;
    uint32_t n = n_packets ? n_packets : REPORT_PACKETS;
    pl_cc_loss_count(&cc->loss, n, (uint32_t)((uint64_t)n * fraction_lost / 256));
    pl_cc_loss_update(&cc->loss, now_us, cc->rtt_us, other_bps(cc));
    combine(cc, now_us);
}

void pl_cc_remb(pl_cc *cc, int64_t now_us, int64_t rate_bps)
{
    if (rate_bps <= 0)
        return;
    cc->remb_bps = rate_bps;
    combine(cc, now_us);
}

/* Packets go out and no feedback comes back: the path may be full to the brim. */
void pl_cc_tick(pl_cc *cc, int64_t now_us)
{
    if (now_us < cc->silent_us)
        return;
    pl_cc_aimd_set(&cc->aimd, now_us, cc->aimd.rate_bps * SILENCE_PERCENT / 100);
    combine(cc, now_us);
    cc->silent_us = now_us + SILENCE_EVERY_US;
    if (now_us - cc->sent_us > SILENCE_EVERY_US)
        cc->silent_us = PL_NEVER; /* nothing to report on any more */
}

int64_t pl_cc_next_us(const pl_cc *cc)
{
    /* A burst needs packets to begin with, so before the first there is nothing to ask for. */
    int64_t probe_us = cc->sent_us > 0 ? pl_cc_probe_next_us(&cc->probe) : PL_NEVER;
    return pl_min_us(cc->silent_us, probe_us);
}

bool pl_cc_poll(pl_cc *cc, pl_cc_target *out)
{
    int64_t diff = cc->rate_bps - cc->told.rate_bps;
    bool at_limit = diff != 0 && (cc->rate_bps == cc->conf.min_bps || cc->rate_bps == cc->conf.max_bps);
    if (cc->told.rate_bps != 0 && !at_limit && cc->overuse == cc->told.overuse &&
        (diff < 0 ? -diff : diff) < cc->told.rate_bps / TELL_PART)
        return false;
    cc->told = (pl_cc_target){ .rate_bps = cc->rate_bps,
                               .pacing_bps = cc->rate_bps * PACING_PERCENT / 100,
                               .rtt_us = cc->rtt_us,
                               .loss = cc->loss.fraction,
                               .overuse = cc->overuse };
    *out = cc->told;
    return true;
}

bool pl_cc_poll_probe(pl_cc *cc, int64_t now_us, pl_cc_probe_ask *out)
{
    if (cc->sent_us == 0)
        return false;
    /* What we have meanwhile reached need not be asked for. */
    if (cc->probe.want_bps && cc->probe.want_bps <= cc->rate_bps)
        cc->probe.want_bps = 0;
    return pl_cc_probe_poll(&cc->probe, now_us, out);
}

void pl_cc_check(const pl_cc *cc)
{
    assert(cc->conf.min_bps > 0 && cc->conf.min_bps <= cc->conf.max_bps);
    assert(cc->rate_bps >= cc->conf.min_bps && cc->rate_bps <= cc->conf.max_bps);
    assert(cc->aimd.rate_bps >= cc->aimd.min_bps && cc->aimd.rate_bps <= cc->aimd.max_bps);
    assert(cc->loss.rate_bps >= cc->loss.min_bps && cc->loss.rate_bps <= cc->loss.max_bps);
    assert(cc->loss.n_lost <= cc->loss.n_packets);
    assert(cc->delay.n <= PL_TREND_WINDOW);
}
