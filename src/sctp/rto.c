#include "sctp/rto.h"

#include "base/time.h"

void pl_sctp_rto_init(pl_sctp_rto *r, int64_t initial_us, int64_t min_us, int64_t max_us)
{
    *r = (pl_sctp_rto){ .min_us = min_us, .max_us = max_us, .granularity_us = PL_MS(1) };
    r->rto_us = pl_max_us(min_us, pl_min_us(initial_us, max_us));
}

void pl_sctp_rto_sample(pl_sctp_rto *r, int64_t rtt_us)
{
    if (rtt_us < 0 || rtt_us > r->max_us)
        return;
    rtt_us = pl_max_us(rtt_us, 1);
    r->least_us = r->least_us ? pl_min_us(r->least_us, rtt_us) : rtt_us;
    if (r->srtt_us == 0) { /* C2 */
        r->srtt_us = rtt_us;
        r->rttvar_us = rtt_us / 2;
        r->min_rtt_us = rtt_us;
    } else { /* C3: beta 1/4, alpha 1/8; the variance first, with the old mean */
        int64_t off_us = r->srtt_us > rtt_us ? r->srtt_us - rtt_us : rtt_us - r->srtt_us;
        r->rttvar_us += (off_us - r->rttvar_us) / 4;
        r->srtt_us = pl_max_us(r->srtt_us + (rtt_us - r->srtt_us) / 8, 1);
        r->min_rtt_us = pl_min_us(r->min_rtt_us, rtt_us);
    }
    pl_sctp_rto_restore(r);
}

void pl_sctp_rto_restore(pl_sctp_rto *r)
{
    if (r->srtt_us == 0)
        return;
    int64_t rto_us = r->srtt_us + pl_max_us(4 * r->rttvar_us, r->granularity_us);
    r->rto_us = pl_max_us(r->min_us, pl_min_us(rto_us, r->max_us)); /* C6, C7 */
}

void pl_sctp_rto_double(pl_sctp_rto *r)
{
    r->rto_us = pl_min_us(2 * r->rto_us, r->max_us);
}
