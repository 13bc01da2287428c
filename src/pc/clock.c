/* clock.c - deadlines: the smallest of the rooms' own, and what is done when they pass. */
#include "pc/pc_internal.h"

/* What only a packet can settle waits for a path; until there is one its deadline would stay past. */
static int64_t if_sendable(const pl_pc *pc, bool has_path, int64_t at_us)
{
    return has_path || at_us > pc->now_us ? at_us : PL_NEVER;
}

int64_t pl_pc_next_us(const pl_pc *pc)
{
    pl_path path;
    int64_t at = PL_NEVER;
    if (pc->closed)
        return at;
    bool has_path = pc->ice && pl_ice_selected(pc->ice, &path);
    if (pc->ice)
        at = pl_min_us(at, pl_ice_next_us(pc->ice));
    if (pc->dtls)
        at = pl_min_us(at, pl_dtls_next_us(pc->dtls));
    if (pc->data)
        at = pl_min_us(at, if_sendable(pc, has_path, pl_data_next_us(pc->data)));
    if (pc->media && pc->srtp_out) {
        at = pl_min_us(at, if_sendable(pc, has_path, pl_pacer_next_us(&pc->media->pacer)));
        at = pl_min_us(at, if_sendable(pc, has_path, pc_rtcp_next_us(pc)));
        at = pl_min_us(at, pl_cc_next_us(&pc->media->cc));
        at = pl_min_us(at, pc->media->share.next_us);
    }
    return at;
}

void pl_pc_tick(pl_pc *pc, int64_t now_us)
{
    pc->now_us = now_us;
    if (pc->closed)
        return;
    if (pc->ice)
        pl_ice_tick(pc->ice, now_us);
    if (pc->dtls)
        pl_dtls_tick(pc->dtls, now_us);
    if (pc->data)
        pl_data_tick(pc->data, now_us);
    if (pc->media && pc->srtp_out && pl_cc_next_us(&pc->media->cc) <= now_us) {
        pl_cc_tick(&pc->media->cc, now_us);
        pc_media_target(pc);
        for (int i = 0; i < pc->n_t; i++)
            pl_rtp_history_tick(&pc->t[i]->history, now_us);
    }
    if (pc->media && pc->media->share.next_us <= now_us)
        pc_share_update(pc);
    pc_settle(pc);
}
