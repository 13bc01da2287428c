#include "congestion/probe.h"

#include "base/time.h"

enum { ENOUGH_PERCENT = 80, PACKETS_MIN = 4, SPAN_MIN_US = 1000, SPAN_MAX_US = 1000000 };

void pl_cc_probe_want(pl_cc_probe *p, int64_t at_us, int64_t rate_bps)
{
    p->want_bps = rate_bps;
    p->want_us = at_us;
}

int64_t pl_cc_probe_next_us(const pl_cc_probe *p)
{
    if (!p->want_bps)
        return PL_NEVER;
    return p->cluster ? pl_max_us(p->want_us, p->asked_us + PL_PROBE_TIMEOUT_US) : p->want_us;
}

bool pl_cc_probe_poll(pl_cc_probe *p, int64_t now_us, pl_cc_probe_ask *out)
{
    if (now_us < pl_cc_probe_next_us(p))
        return false;
    int64_t want_bps = p->want_bps, bytes = want_bps / 8 * PL_PROBE_US / 1000000;
    uint8_t cluster = (uint8_t)(p->last_cluster == 255 ? 1 : p->last_cluster + 1);
    *p = (pl_cc_probe){
        .cluster = cluster, .last_cluster = cluster, .rate_bps = want_bps, .asked_us = now_us
    };
    p->asked_bytes = (uint32_t)pl_max_us(bytes, PL_PROBE_BYTES_MIN);
    *out = (pl_cc_probe_ask){ .cluster = cluster, .rate_bps = want_bps, .bytes = p->asked_bytes };
    return true;
}

void pl_cc_probe_packet(pl_cc_probe *p, uint8_t cluster, int64_t sent_us, int64_t arrival_us, uint32_t len)
{
    if (cluster == 0 || cluster != p->cluster)
        return;
    if (p->n == 0 || sent_us < p->first_sent_us)
        p->first_sent_us = sent_us;
    if (p->n == 0 || sent_us >= p->last_sent_us) {
        p->last_sent_us = sent_us;
        p->last_len = len;
    }
    if (p->n == 0 || arrival_us < p->first_arrival_us) {
        p->first_arrival_us = arrival_us;
        p->first_len = len;
    }
    if (p->n == 0 || arrival_us > p->last_arrival_us)
        p->last_arrival_us = arrival_us;
    p->n++;
    p->bytes += len;
}

/* n packets span n - 1 gaps: the last one's bytes leave after the last departure, and the first one's came
 * before the first arrival. */
static int64_t measured_bps(const pl_cc_probe *p)
{
    int64_t sent_span = p->last_sent_us - p->first_sent_us, span = p->last_arrival_us - p->first_arrival_us;
    if (sent_span < SPAN_MIN_US || sent_span > SPAN_MAX_US || span < SPAN_MIN_US || span > SPAN_MAX_US)
        return 0;
    int64_t send_bps = (int64_t)(p->bytes - p->last_len) * 8000000 / sent_span;
    int64_t recv_bps = (int64_t)(p->bytes - p->first_len) * 8000000 / span;
    if (recv_bps > 2 * send_bps)
        return 0; /* bunched up on the way: says nothing */
    /* Slower out than in: that was the path's capacity, and a little less is what it carries lastingly. */
    return recv_bps < send_bps - send_bps / 10 ? recv_bps - recv_bps / 20 : pl_min_us(send_bps, recv_bps);
}

int64_t pl_cc_probe_result(pl_cc_probe *p, int64_t now_us)
{
    if (!p->cluster)
        return 0;
    bool enough =
        p->n >= PACKETS_MIN && (uint64_t)p->bytes * 100 >= (uint64_t)p->asked_bytes * ENOUGH_PERCENT;
    if (!enough) {
        if (now_us - p->asked_us >= PL_PROBE_TIMEOUT_US)
            p->cluster = 0;
        return 0;
    }
    p->cluster = 0;
    return measured_bps(p);
}
