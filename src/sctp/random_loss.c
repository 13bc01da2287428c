#include "sctp/random_loss.h"

enum {
    SPAN_LOST = 24,    /* packets lost that make a span, … */
    SPAN_ACKED = 1600, /* … or packets that arrive, when few are lost */
    SPAN_ROUNDS = 2,   /* at least */
    FORGET =
        4,    /* part of the rate to compare with that goes with each span: others, too, may have taken it */
    MUCH = 20 /* share of 1024, a fiftieth, below which nobody asks */
};

static uint32_t share_of(const pl_sctp_random_loss *r)
{
    return (uint32_t)(r->lost * PL_SCTP_SHARE_ONE / (r->lost + r->acked));
}

/* What a full queue or a policer delivers is the same however much too much is sent: when four fifths of that arrive, nothing is
 * lost to it any more. So a path that still loses three quarters of the share then loses at random. Once a share is known it
 * may rise only while no more arrives than when it was learnt. */
static void compare(pl_sctp_random_loss *r)
{
    uint32_t share = share_of(r);
    if (3 * share < r->share || share < MUCH) { /* it was a bad moment, and it is over */
        r->share = 0;
        r->much_rate = 0;
    } else if (r->share > 0) {
        if (share < r->share || (r->rate <= r->much_rate && share <= PL_SCTP_SHARE_MOST))
            r->share = (3 * r->share + share) / 4;
    } else if (r->rate >= r->much_rate) {
        r->much_rate = r->rate;
        r->much_share = share;
    } else if (5 * r->rate <= 4 * r->much_rate && 4 * share >= 3 * r->much_share &&
               share <= PL_SCTP_SHARE_MOST) {
        r->share = share;
        r->much_rate = r->rate;
    } else {
        r->much_rate -= r->much_rate / FORGET;
    }
}

void pl_sctp_random_loss_acked(pl_sctp_random_loss *r, size_t acked, size_t lost, size_t mtu,
                               uint64_t round_rate, bool queued)
{
    r->acked += acked;
    r->lost += lost;
    r->n_rounds += round_rate > 0;
    r->rate = round_rate > r->rate ? round_rate : r->rate;
    r->queued |= queued;
    if (r->n_rounds < SPAN_ROUNDS || (r->lost < SPAN_LOST * mtu && r->acked < SPAN_ACKED * mtu))
        return;
    if (!r->queued)
        compare(r);
    r->acked = r->lost = r->rate = 0;
    r->n_rounds = 0;
    r->queued = false;
}
