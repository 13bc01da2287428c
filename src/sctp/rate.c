#include "sctp/rate.h"

#include "base/time.h"

void pl_sctp_rate_init(pl_sctp_rate *r)
{
    *r = (pl_sctp_rate){ .newest_us = -1, .blind_us = -1 };
}

static uint32_t since(int64_t now_us, int64_t then_us)
{
    int64_t took_us = now_us - then_us;
    return took_us < 0 ? 0 : took_us > INT32_MAX ? INT32_MAX : (uint32_t)took_us;
}

void pl_sctp_rate_sent(pl_sctp_rate *r, pl_sctp_rate_mark *out, int64_t now_us, size_t flight, bool alone)
{
    if (alone)
        r->first_us = r->delivered_us = now_us;
    *out = (pl_sctp_rate_mark){ .delivered = (uint32_t)r->delivered,
                                .lost = (uint32_t)r->lost,
                                .flight = (uint32_t)flight,
                                .since_delivered_us = since(now_us, r->delivered_us),
                                .since_first_us = since(now_us, r->first_us),
                                .limited = r->limited_till > 0 };
}

/* The latest sending of all that a SACK acknowledges makes the sample: the one before which the most was delivered, and of
 * a burst the last. */
void pl_sctp_rate_arrived(pl_sctp_rate *r, const pl_sctp_rate_mark *mark, int64_t sent_us, size_t size,
                          int64_t now_us)
{
    r->delivered += size;
    r->delivered_us = now_us;
    if (sent_us < r->newest_us)
        return;
    r->newest = *mark;
    r->newest_us = sent_us;
    r->first_us = sent_us;
}

void pl_sctp_rate_lost(pl_sctp_rate *r, const pl_sctp_rate_mark *mark, size_t size)
{
    r->lost += size;
    uint32_t of = (uint32_t)r->lost - mark->lost;
    if ((uint64_t)of * r->worst_flight < (uint64_t)r->worst_lost * mark->flight)
        return;
    r->worst_lost = of;
    r->worst_flight = mark->flight;
}

void pl_sctp_rate_limited(pl_sctp_rate *r, size_t flight)
{
    r->limited_till = r->delivered + (flight > 0 ? flight : 1);
}

/* A sample shorter than any round trip is the work of SACKs that were held up and came together. */
static void measure(const pl_sctp_rate *r, int64_t now_us, int64_t min_rtt_us, pl_sctp_rate_sample *out)
{
    const pl_sctp_rate_mark *m = &r->newest;
    uint32_t acked_us = since(now_us, r->newest_us - m->since_delivered_us);
    uint32_t took_us = acked_us > m->since_first_us ? acked_us : m->since_first_us;
    out->any = true;
    out->delivered = (uint32_t)r->delivered - m->delivered;
    out->lost = (uint32_t)r->lost - m->lost;
    out->flight = m->flight;
    out->mark = r->delivered - out->delivered;
    out->limited = m->limited;
    out->blind = r->newest_us <= r->blind_us;
    if (took_us > 0 && took_us >= min_rtt_us - min_rtt_us / 8)
        out->rate = (uint64_t)out->delivered * 1000000 / took_us;
}

void pl_sctp_rate_told(pl_sctp_rate *r, int64_t now_us, bool all)
{
    if (!all || r->blind)
        r->blind_us = now_us;
    r->blind = !all;
}

void pl_sctp_rate_take(pl_sctp_rate *r, int64_t now_us, int64_t min_rtt_us, pl_sctp_rate_sample *out)
{
    *out = (pl_sctp_rate_sample){ .total = r->delivered,
                                  .lost_flight = r->worst_flight,
                                  .lost_of = r->worst_lost };
    if (r->limited_till > 0 && r->delivered > r->limited_till)
        r->limited_till = 0;
    if (r->newest_us >= 0)
        measure(r, now_us, min_rtt_us, out);
    r->newest_us = -1;
    r->worst_flight = r->worst_lost = 0;
}
