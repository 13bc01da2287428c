/* RFC 9260's own congestion control (7.2.1 to 7.2.4), which is that of Reno. */
#include "sctp/congestion.h"

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}
static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static void init(pl_sctp_cc *cc)
{
    cc->u.reno.partial_bytes_acked = 0;
}

/* 7.2.1: only a window that was fully used grows, and only when the cumulative point moves. Byte counting
 * with L = 2 (RFC 3465) makes up for SACKs that come with every second packet. */
static void slow_start(pl_sctp_cc *cc, const pl_sctp_cc_ack *ack)
{
    cc->cwnd += smaller(ack->acked, 2 * cc->mtu);
}

/* 7.2.2: one packet more for each window acknowledged. */
static void avoidance(pl_sctp_cc *cc, const pl_sctp_cc_ack *ack, bool full)
{
    cc->u.reno.partial_bytes_acked += ack->acked;
    if (cc->u.reno.partial_bytes_acked >= cc->cwnd && full) {
        cc->u.reno.partial_bytes_acked -= cc->cwnd;
        cc->cwnd += cc->mtu;
    } else if (!full) {
        cc->u.reno.partial_bytes_acked = smaller(cc->u.reno.partial_bytes_acked, cc->cwnd);
    }
}

static void acked(pl_sctp_cc *cc, const pl_sctp_cc_ack *ack)
{
    if (!ack->cum_advanced || ack->in_recovery)
        return;
    bool full = pl_sctp_cc_full(cc, ack);
    if (cc->cwnd > cc->ssthresh)
        avoidance(cc, ack, full);
    else if (full)
        slow_start(cc, ack);
    if (ack->flight_after == 0)
        cc->u.reno.partial_bytes_acked = 0;
}

/* 7.2.3 */
static void lost(pl_sctp_cc *cc, int64_t now_us)
{
    (void)now_us;
    cc->ssthresh = larger(cc->cwnd / 2, PL_SCTP_CC_LEAST * cc->mtu);
    cc->cwnd = cc->ssthresh;
    cc->u.reno.partial_bytes_acked = 0;
}

static void timeout(pl_sctp_cc *cc, int64_t now_us)
{
    (void)now_us;
    cc->ssthresh = larger(cc->cwnd / 2, PL_SCTP_CC_LEAST * cc->mtu);
    cc->cwnd = cc->mtu;
    cc->u.reno.partial_bytes_acked = 0;
}

const pl_sctp_cc_ops pl_sctp_cc_reno = { "reno", false, init, acked, lost, timeout, NULL };
