#include "sctp/rack.h"

#include "base/seq.h"
#include "base/time.h"

enum { QUARTERS_MAX = 64 };

void pl_sctp_rack_init(pl_sctp_rack *r)
{
    *r = (pl_sctp_rack){ .sent_us = -1, .quarters = 1 };
}

bool pl_sctp_rack_arrived(pl_sctp_rack *r, uint32_t tsn, int64_t sent_us, bool resent, int64_t now_us,
                          int64_t min_rtt_us)
{
    if (resent && now_us - sent_us < min_rtt_us - min_rtt_us / 8) /* an eighth for clocks that round */
        return false; /* 6.2 step 2: an earlier sending of it arrived */
    if (r->sent_us >= 0 && pl_sctp_rack_before(r, tsn, sent_us))
        return true;
    r->sent_us = sent_us;
    r->tsn = tsn;
    r->rtt_us = now_us - sent_us;
    return true;
}

bool pl_sctp_rack_before(const pl_sctp_rack *r, uint32_t tsn, int64_t sent_us)
{
    return sent_us < r->sent_us || (sent_us == r->sent_us && pl_seq32_newer(r->tsn, tsn));
}

/* 6.2 step 4. Until reordering has been seen, three later arrivals are proof enough, as they were before RACK. */
int64_t pl_sctp_rack_window_us(const pl_sctp_rack *r, const pl_sctp_rto *rto, bool recovering,
                               uint32_t n_gap_acked)
{
    if (!r->reordering_seen && (recovering || n_gap_acked >= PL_SCTP_RACK_ENOUGH))
        return 0;
    return pl_min_us(r->quarters * rto->min_rtt_us / 4, rto->srtt_us);
}

void pl_sctp_rack_needless(pl_sctp_rack *r, uint32_t cumulative_tsn, uint32_t next_tsn)
{
    if (r->in_round && !pl_seq32_at_least(cumulative_tsn, r->round_end_tsn))
        return; /* once a round trip */
    r->in_round = true;
    r->round_end_tsn = next_tsn;
    r->reordering_seen = true;
    r->persist = PL_SCTP_RACK_PERSIST;
    if (r->quarters < QUARTERS_MAX)
        r->quarters++;
}

void pl_sctp_rack_recovered(pl_sctp_rack *r)
{
    if (r->persist > 0 && --r->persist == 0)
        r->quarters = 1;
}
