#include "congestion/pacer.h"

#include <assert.h>

#include "base/time.h"

enum {
    DEBT_MAX_US = 100000, /* what audio and bursts have taken out of turn holds others back no longer */
    PROBE_LATE_US = 500000,
    PAD_LEN = 1000,    /* bytes of a padding packet in a burst */
    PAD_HOLD_LEN = 250 /* and of one that only holds the rate */
};

void pl_pacer_init(pl_pacer *p, int64_t rate_bps, int64_t now_us)
{
    assert(rate_bps > 0);
    *p = (pl_pacer){ .rate_bps = rate_bps, .paid_us = now_us, .probe_start_us = PL_NEVER };
    for (int i = 0; i < PL_PACE_CLASSES; i++)
        pl_list_init(&p->queue[i]);
}

/* The configured rate, or what the queue needs so that its last packet leaves within PL_PACER_QUEUE_US. */
static int64_t drain_bps(const pl_pacer *p)
{
    return pl_max_us(p->rate_bps, (int64_t)p->bytes * 8 * 1000000 / PL_PACER_QUEUE_US);
}

/* Time pays debts. Credit from idle time is limited to one short burst. */
static void pay(pl_pacer *p, int64_t now_us)
{
    int64_t us = pl_min_us(now_us - p->paid_us, PL_SEC(1));
    if (us <= 0)
        return;
    int64_t rate_bps = drain_bps(p);
    p->debt = pl_max_us(p->debt - rate_bps * us, -rate_bps * PL_PACER_BURST_US);
    p->padding_debt = pl_max_us(p->padding_debt - p->padding_bps * us, 0);
    p->paid_us = now_us;
}

/* A debt grows to DEBT_MAX_US of the rate; a single packet that costs more is paid for in full. */
static int64_t charged(int64_t debt, int64_t price, int64_t rate_bps)
{
    int64_t limit = pl_max_us(pl_max_us(rate_bps * DEBT_MAX_US, price), debt);
    return pl_min_us(debt + price, limit);
}

static void charge(pl_pacer *p, size_t len)
{
    int64_t price = (int64_t)len * 8 * 1000000;
    p->debt = charged(p->debt, price, drain_bps(p));
    p->padding_debt = p->padding_bps ? charged(p->padding_debt, price, p->padding_bps) : 0;
}

void pl_pacer_rate(pl_pacer *p, int64_t now_us, int64_t rate_bps, int64_t padding_bps)
{
    assert(rate_bps > 0 && padding_bps >= 0);
    pay(p, now_us);
    p->rate_bps = rate_bps;
    p->padding_bps = padding_bps;
}

pl_err pl_pacer_push(pl_pacer *p, int64_t now_us, pl_pacer_pkt *pkt, pl_pacer_class prio, size_t len)
{
    assert(prio < PL_PACE_CLASSES);
    if (p->n >= PL_PACER_PACKETS_MAX)
        return PL_ENOSPC;
    pay(p, now_us); /* before the queue counts as longer */
    p->padding_asked = false;
    pkt->len = (uint32_t)len;
    pkt->prio = (uint8_t)prio;
    pkt->probe = 0;
    pkt->queued_us = now_us;
    pl_list_push_back(&p->queue[prio], &pkt->node);
    p->n++;
    if (prio != PL_PACE_AUDIO)
        p->bytes += len;
    return PL_OK;
}

void pl_pacer_remove(pl_pacer *p, pl_pacer_pkt *pkt)
{
    if (!pl_node_linked(&pkt->node))
        return;
    pl_list_remove(&pkt->node);
    p->n--;
    if (pkt->prio != PL_PACE_AUDIO)
        p->bytes -= pkt->len;
}

static pl_pacer_pkt *first_from(const pl_pacer *p, int prio)
{
    for (; prio < PL_PACE_CLASSES; prio++) {
        pl_node *n = pl_list_first(&p->queue[prio]);
        if (n)
            return pl_of(n, pl_pacer_pkt, node);
    }
    return NULL;
}

/* A burst has a timetable: byte number n leaves n bytes' time after the first. */
static int64_t probe_next_us(const pl_pacer *p)
{
    if (!p->probe.cluster || p->probe_start_us == PL_NEVER)
        return PL_NEVER;
    return p->probe_start_us + (int64_t)p->probe_sent * 8 * 1000000 / p->probe.rate_bps;
}

static void drop_late_probe(pl_pacer *p, int64_t now_us)
{
    if (p->probe.cluster && p->probe_start_us != PL_NEVER && now_us - p->probe_start_us > PROBE_LATE_US)
        p->probe.cluster = 0;
}

static void count_for_probe(pl_pacer *p, int64_t now_us, pl_pacer_pkt *pkt)
{
    if (!p->probe.cluster)
        return;
    if (p->probe_start_us == PL_NEVER)
        p->probe_start_us = now_us;
    pkt->probe = p->probe.cluster;
    p->probe_sent += pkt->len;
    if (p->probe_sent >= p->probe.bytes)
        p->probe.cluster = 0;
}

pl_pacer_pkt *pl_pacer_poll(pl_pacer *p, int64_t now_us)
{
    pay(p, now_us);
    drop_late_probe(p, now_us);
    pl_pacer_pkt *pkt = first_from(p, PL_PACE_AUDIO);
    if (!pkt)
        return NULL;
    bool bursting = p->probe.cluster && p->probe_start_us != PL_NEVER;
    bool may_go = bursting ? now_us >= probe_next_us(p) : p->debt <= 0;
    if (pkt->prio != PL_PACE_AUDIO && !may_go)
        return NULL;
    pl_pacer_remove(p, pkt);
    if (pkt->prio != PL_PACE_AUDIO)
        count_for_probe(p, now_us, pkt);
    charge(p, pkt->len);
    return pkt;
}

/* Padding was asked for and none came: the caller has none. A burst is given up, holding a rate waits. */
static void padding_unanswered(pl_pacer *p)
{
    p->padding_asked = false;
    p->probe.cluster = 0;
    p->padding_debt = p->padding_bps * DEBT_MAX_US;
}

size_t pl_pacer_padding(pl_pacer *p, int64_t now_us)
{
    pay(p, now_us);
    drop_late_probe(p, now_us);
    if (p->n > 0)
        return 0;
    bool for_probe = now_us >= probe_next_us(p);
    bool to_hold = p->padding_bps > 0 && p->padding_debt <= 0 && p->debt <= 0;
    if (!for_probe && !to_hold)
        return 0;
    if (p->padding_asked) {
        padding_unanswered(p);
        return 0;
    }
    p->padding_asked = true;
    return for_probe ? PAD_LEN : PAD_HOLD_LEN;
}

void pl_pacer_probe(pl_pacer *p, int64_t now_us, const pl_cc_probe_ask *ask)
{
    assert(ask->cluster != 0 && ask->rate_bps > 0);
    pay(p, now_us);
    p->probe = *ask;
    p->probe_sent = 0;
    p->probe_start_us = PL_NEVER;
}

static int64_t debt_paid_us(const pl_pacer *p, int64_t debt, int64_t rate_bps)
{
    return debt <= 0 ? p->paid_us : p->paid_us + (debt + rate_bps - 1) / rate_bps;
}

int64_t pl_pacer_next_us(const pl_pacer *p)
{
    if (!pl_list_empty(&p->queue[PL_PACE_AUDIO]))
        return p->paid_us;
    int64_t probe_us = probe_next_us(p);
    if (probe_us != PL_NEVER)
        return probe_us;
    if (p->n > 0)
        return debt_paid_us(p, p->debt, drain_bps(p));
    if (p->padding_bps > 0)
        return pl_max_us(debt_paid_us(p, p->padding_debt, p->padding_bps),
                         debt_paid_us(p, p->debt, drain_bps(p)));
    return PL_NEVER;
}

int64_t pl_pacer_delay_us(const pl_pacer *p)
{
    return ((int64_t)p->bytes * 8 * 1000000 + pl_max_us(p->debt, 0)) / drain_bps(p);
}

pl_pacer_pkt *pl_pacer_take(pl_pacer *p)
{
    pl_pacer_pkt *pkt = first_from(p, PL_PACE_AUDIO);
    if (pkt)
        pl_pacer_remove(p, pkt);
    return pkt;
}

void pl_pacer_check(const pl_pacer *p)
{
    uint32_t n = 0;
    uint64_t bytes = 0;
    for (int prio = 0; prio < PL_PACE_CLASSES; prio++) {
        PL_EACH (node, &p->queue[prio]) {
            const pl_pacer_pkt *pkt = pl_of(node, pl_pacer_pkt, node);
            assert(pkt->prio == prio);
            bytes += prio != PL_PACE_AUDIO ? pkt->len : 0;
            n++;
        }
    }
    assert(n == p->n && n <= PL_PACER_PACKETS_MAX);
    assert(bytes == p->bytes);
    assert(p->rate_bps > 0);
}
