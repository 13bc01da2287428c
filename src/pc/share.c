/* share.c - a call and a transfer on one path: what the channels may take while media is sent (congestion/share.h). */
#include "pc/pc_internal.h"

enum { PRIORITY_NORMAL = 256 };
#define YIELD_EACH_US PL_SEC(1)

static bool media_flows(const pl_pc *pc)
{
    const pc_media *m = pc->media;
    return m && pc->srtp_out && m->cc.sent_us > 0 && pc->now_us - m->cc.sent_us < PL_SEC(1);
}

/* Somebody waits in a channel below normal priority, or in one above that. */
static void who_waits(const pl_pc *pc, bool *low, bool *normal)
{
    *low = *normal = false;
    for (const pl_channel *c = pl_data_next(pc->data, NULL); c && !*normal; c = pl_data_next(pc->data, c)) {
        if (pl_channel_buffered_amount(c) > 0)
            *(pl_channel_params(c)->priority < PRIORITY_NORMAL ? low : normal) = true;
    }
}

static bool all_low(const pl_pc *pc)
{
    bool low, normal;
    who_waits(pc, &low, &normal);
    return !normal;
}

/* Channels below normal priority, alone, yield to whatever else uses the path. Beside media their rate is bounded
 * instead, more strictly. */
static void choose_controller(pl_pc *pc)
{
    pl_sctp *sctp = pl_data_association(pc->data);
    bool low, normal;
    if (!sctp)
        return;
    who_waits(pc, &low, &normal);
    if (normal || media_flows(pc))
        pl_sctp_set_congestion(sctp, pc->now_us, pc->conf.data_congestion);
    else if (low)
        pl_sctp_set_congestion(sctp, pc->now_us, PL_SCTP_CONGESTION_LEDBAT);
}

void pc_share_wake(pl_pc *pc)
{
    if (pc->media && pc->media->share.next_us == PL_NEVER && media_flows(pc))
        pc->media->share.next_us = pc->now_us;
    if (pc->now_us < pc->yield_us)
        return;
    pc->yield_us = pc->now_us + YIELD_EACH_US;
    choose_controller(pc);
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
