/* share.c - a call and a transfer on one path: what the channels may take while media is sent (congestion/share.h). */
#include "pc/pc_internal.h"

enum { PRIORITY_NORMAL = 256 };

static bool media_flows(const pl_pc *pc)
{
    const pc_media *m = pc->media;
    return m && pc->srtp_out && m->cc.sent_us > 0 && pc->now_us - m->cc.sent_us < PL_SEC(1);
}

/* Nobody waits in a channel of normal priority or above. */
static bool all_low(const pl_pc *pc)
{
    for (const pl_channel *c = pl_data_next(pc->data, NULL); c; c = pl_data_next(pc->data, c)) {
        if (pl_channel_params(c)->priority >= PRIORITY_NORMAL && pl_channel_buffered_amount(c) > 0)
            return false;
    }
    return true;
}

void pc_share_wake(pl_pc *pc)
{
    if (pc->media && pc->media->share.next_us == PL_NEVER && media_flows(pc))
        pc->media->share.next_us = pc->now_us;
}

void pc_share_update(pl_pc *pc)
{
    pc_media *m = pc->media;
    pl_sctp *sctp = pc->data ? pl_data_association(pc->data) : NULL;
    if (!sctp) {
        pl_cc_share_init(&m->share);
        return;
    }
    pl_sctp_stats s;
    pl_sctp_get_stats(sctp, &s);
    pl_cc_share_in in = { .media = media_flows(pc),
                          .data = s.send_buffered > 0,
                          .low = all_low(pc),
                          .overuse = m->cc.overuse,
                          .media_bps = m->rate_bps,
                          .rtt_us = pl_sctp_least_rtt(sctp),
                          .min_rtt_us = s.min_rtt_us,
                          .delivered = s.bytes_acked };
    if (pl_cc_share_update(&m->share, pc->now_us, &in))
        pl_sctp_set_rate(sctp, pc->now_us, (uint64_t)m->share.rate_bps / 8);
    pl_cc_shield(&m->cc, m->share.gives_way);
}
