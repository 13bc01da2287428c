/* What SACKs and silence mean for what is under way: losses found by time, the tail probed, T3, and all of it taken back
 * when it turns out that nothing was lost (RFC 9260 6.2.1, 6.3.3, 7.2.4; RFC 8985; RFC 5682 and 3708 for the way
 * back). */
#include "sctp/association_internal.h"

/* What the probe waits for besides two round trips: timers of ours and the peer's that are not exact. */
#define PROBE_SLACK_US PL_MS(2)
/* A single packet may be what the peer holds its SACK for: RFC 9260 6.2 lets it for 200 ms; all in WebRTC take less. */
#define PROBE_ALONE_US PL_MS(110)

void pl_sctp_recovery_init(pl_sctp_recovery *r)
{
    *r = (pl_sctp_recovery){ .reorder_us = PL_NEVER, .probe_us = PL_NEVER };
}

static bool recovering(const pl_sctp *s)
{
    return s->recovery.active || s->recovery.after_timeout;
}

/* --- losses --- */

/* From here on it is counted whether what was called lost arrives after all. */
static void begin_episode(pl_sctp *s)
{
    pl_sctp_recovery *r = &s->recovery;
    r->end_tsn = s->sent.next_tsn - 1;
    r->begin_tsn = s->sent.first_tsn;
    r->may_undo = true;
    r->n_lost = r->n_resent = r->n_duplicates = 0;
    pl_sctp_cc_save(&s->cc);
}

static void note_loss(pl_sctp *s)
{
    s->stats.fast_retransmits++;
    begin_episode(s);
    s->cc.ops->lost(&s->cc, s->now_us);
    s->recovery.active = s->free_packet = true;
}

static void detect(pl_sctp *s)
{
    uint32_t n_before = s->sent.n_lost;
    int64_t window_us = pl_sctp_rack_window_us(&s->sent.rack, &s->rto, recovering(s), s->sent.n_gap_acked);
    size_t bytes = pl_sctp_outstanding_detect(&s->sent, s->now_us, window_us, &s->recovery.reorder_us);
    if (bytes > 0 && !recovering(s))
        note_loss(s);
    s->recovery.n_lost += s->sent.n_lost - n_before;
    s->recovery.lost_bytes += bytes;
}

void pl_sctp_reorder_expired(pl_sctp *s)
{
    detect(s);
}

/* --- taking back --- */

static void undo(pl_sctp *s)
{
    pl_sctp_recovery *r = &s->recovery;
    pl_sctp_cc_undo(&s->cc);
    s->stats.undone++;
    r->active = r->after_timeout = r->may_undo = false;
}

/* Duplicates that the peer reports are retransmissions made in vain. When all of an episode were, nothing had been
 * lost. */
static void take_duplicates(pl_sctp *s, const pl_sctp_sack_chunk *sack)
{
    pl_sctp_recovery *r = &s->recovery;
    for (size_t i = 0; i < sack->n_duplicates; i++) {
        uint32_t tsn = pl_sctp_sack_duplicate(sack, i);
        if (!r->may_undo || !pl_seq32_at_least(tsn, r->begin_tsn) || !pl_seq32_at_least(r->end_tsn, tsn))
            continue;
        if (r->n_resent > 0)
            pl_sctp_rack_needless(&s->sent.rack, sack->cumulative_tsn, s->sent.next_tsn);
        r->n_duplicates++;
    }
    if (r->may_undo && r->n_resent > 0 && r->n_duplicates >= r->n_resent && s->sent.n_lost == 0)
        undo(s);
}

/* T3 was wrong when TSNs that it called lost arrive without having gone again (RFC 5682 in the terms of gap blocks). A
 * fast recovery was when all of them do. */
static void take_late(pl_sctp *s, uint32_t n_late)
{
    pl_sctp_recovery *r = &s->recovery;
    if (n_late == 0 || !r->may_undo)
        return;
    r->n_lost -= n_late < r->n_lost ? n_late : r->n_lost;
    if (r->after_timeout)
        pl_sctp_outstanding_revive(&s->sent);
    else if (r->n_lost > 0)
        return;
    undo(s);
}

static void end_recovery(pl_sctp *s, uint32_t cumulative_tsn)
{
    pl_sctp_recovery *r = &s->recovery;
    if (!recovering(s) || !pl_seq32_at_least(cumulative_tsn, r->end_tsn))
        return;
    r->active = r->after_timeout = false;
    pl_sctp_rack_recovered(&s->sent.rack);
}

/* --- the tail (RFC 8985 7) --- */

void pl_sctp_arm_probe(pl_sctp *s)
{
    pl_sctp_recovery *r = &s->recovery;
    r->probe_us = PL_NEVER;
    if (s->sent.n_flying == 0 || s->sent.n_lost > 0 || recovering(s) || r->probing || s->rto.srtt_us == 0)
        return;
    int64_t wait_us = 2 * s->rto.srtt_us + PROBE_SLACK_US + (s->sent.n_flying == 1 ? PROBE_ALONE_US : 0);
    if (s->now_us + wait_us < s->t3_us)
        r->probe_us = s->now_us + wait_us;
}

/* Something new if there is, else the last again; but not what may go only so many times. */
void pl_sctp_probe_expired(pl_sctp *s)
{
    pl_sctp_recovery *r = &s->recovery;
    r->probe_us = PL_NEVER;
    bool has_new = pl_sctp_has_new_data(s); /* may give messages up, and what is in flight of them */
    if (s->sent.n_flying == 0)
        return;
    const pl_sctp_out_msg *m = pl_sctp_outstanding_at(&s->sent, s->sent.newest)->msg;
    if (!has_new && (m->max_retransmits != UINT32_MAX || m->expires_us != PL_NEVER))
        return;
    r->probing = s->free_packet = true;
    r->probe_resends = !has_new;
    r->probed_us = s->now_us;
    if (!has_new)
        r->probe_tsn = pl_sctp_outstanding_lose_newest(&s->sent);
    s->t3_us = s->now_us + s->rto.rto_us;
    s->stats.probes++;
}

/* The peer has acknowledged something. A resent tail that arrives sooner than a round trip after the probe was not
 * lost; if it was, the probe has repaired the loss unseen, and the window must know. */
static void end_probe(pl_sctp *s)
{
    pl_sctp_recovery *r = &s->recovery;
    if (!r->probing)
        return;
    bool waits = r->probe_resends && pl_seq32_at_least(r->probe_tsn, s->sent.first_tsn) &&
                 pl_sctp_outstanding_at(&s->sent, r->probe_tsn)->state != PL_SCTP_SENT_ACKED;
    if (waits)
        return; /* others have arrived; RACK tells what became of this one */
    r->probing = false;
    if (!r->probe_resends || recovering(s) || s->now_us - r->probed_us < s->rto.min_rtt_us / 2)
        return;
    begin_episode(s);
    r->begin_tsn = r->end_tsn = r->probe_tsn;
    r->n_lost = r->n_resent = 1;
    s->cc.ops->lost(&s->cc, s->now_us);
}

/* --- SACK --- */

static void restart_t3(pl_sctp *s, bool progress)
{
    if (pl_sctp_outstanding_n(&s->sent) == 0)
        s->t3_us = PL_NEVER; /* 6.3.2 R2 */
    else if (progress)
        s->t3_us = s->now_us + s->rto.rto_us; /* R3; gaps too, since RACK finds a lost first TSN by itself */
}

bool pl_sctp_limited(const pl_sctp *s)
{
    return s->rate_bound > 0 && s->pacer.rate == s->rate_bound;
}

/* Data waits, and it is neither the peer that has no room for it nor a bound from above that holds it back. */
static bool backlog(const pl_sctp *s, size_t flight_before)
{
    bool waits = pl_sctp_streams_ready(&s->out) && flight_before + 2 * s->cc.mtu < s->peer_rwnd;
    return !pl_sctp_limited(s) && (s->sent.n_lost > 0 || waits);
}

static void set_pace(pl_sctp *s)
{
    uint64_t pace =
        s->rto.srtt_us == 0 ? s->first_pace : pl_sctp_cc_pace(&s->cc, s->rto.srtt_us, s->rto.min_rtt_us);
    if (s->rate_bound > 0 && (pace == 0 || pace > s->rate_bound))
        pace = s->rate_bound;
    pl_sctp_pacer_set(&s->pacer, pace, s->cc.mtu);
}

/* The handshake's round trip is no sample for T3, since the peer may have taken its time over the cookie; but it lets the first
 * window be paced. */
void pl_sctp_begin_sending(pl_sctp *s, int64_t rtt_us)
{
    if (s->rto.srtt_us != 0 || s->stats.chunks_sent > 0 || rtt_us < PL_SCTP_CC_PACED_US)
        return;
    pl_sctp_cc_begin(&s->cc, rtt_us);
    s->first_pace = pl_sctp_cc_pace(&s->cc, rtt_us, rtt_us);
    set_pace(s);
}

void pl_sctp_set_rate(pl_sctp *s, int64_t now_us, uint64_t bytes_per_s)
{
    s->now_us = now_us;
    s->rate_bound = bytes_per_s;
    set_pace(s);
}

static const pl_sctp_cc_ops *const controllers[] = { [PL_SCTP_CONGESTION_DEFAULT] = &pl_sctp_cc_cubic_bdp,
                                                     [PL_SCTP_CONGESTION_RENO] = &pl_sctp_cc_reno,
                                                     [PL_SCTP_CONGESTION_CUBIC] = &pl_sctp_cc_cubic,
                                                     [PL_SCTP_CONGESTION_CUBIC_BDP] = &pl_sctp_cc_cubic_bdp,
                                                     [PL_SCTP_CONGESTION_BBR] = &pl_sctp_cc_bbr,
                                                     [PL_SCTP_CONGESTION_LEDBAT] = &pl_sctp_cc_ledbat };

const pl_sctp_cc_ops *pl_sctp_controller(pl_sctp_congestion which)
{
    return controllers[which];
}

void pl_sctp_set_congestion(pl_sctp *s, int64_t now_us, pl_sctp_congestion which)
{
    s->now_us = now_us;
    s->conf.congestion = which;
    pl_sctp_cc_switch(&s->cc, pl_sctp_controller(which));
    set_pace(s);
}

static void tell_controller(pl_sctp *s, const pl_sctp_acked *acked, size_t flight_before)
{
    pl_sctp_cc_ack fact = { .now_us = s->now_us,
                            .rtt_us = acked->rtt_us,
                            .srtt_us = s->rto.srtt_us,
                            .min_rtt_us = s->rto.min_rtt_us,
                            .acked = acked->bytes,
                            .lost = s->recovery.lost_bytes,
                            .flight_before = flight_before,
                            .flight_after = s->sent.flight,
                            .cum_advanced = acked->cum_advanced,
                            .in_recovery = s->recovery.active,
                            .backlog = backlog(s, flight_before) };
    s->recovery.lost_bytes = 0;
    pl_sctp_rate_take(&s->sent.rate, s->now_us, s->rto.min_rtt_us, &fact.rate);
    pl_sctp_cc_acked(&s->cc, &fact);
    set_pace(s);
    if (pl_sctp_limited(s))
        pl_sctp_rate_limited(&s->sent.rate, s->sent.flight);
    s->stats.bytes_acked += acked->bytes;
    /* 6.1 D in the terms of what has been acknowledged: a SACK that covers much may release much. Where there is a pace,
     * that is the limit. */
    s->burst_limit =
        s->pacer.rate > 0 ? SIZE_MAX : s->sent.flight + 2 * acked->bytes + PL_SCTP_BURST * s->cc.mtu;
}

void pl_sctp_take_sack(pl_sctp *s, const pl_sctp_sack_chunk *sack)
{
    if (pl_seq32_newer(s->sent.first_tsn - 1, sack->cumulative_tsn))
        return; /* 6.2.1 i: an older one that was overtaken */
    pl_sctp_acked acked;
    size_t flight_before = s->sent.flight;
    if (pl_sctp_outstanding_ack(&s->sent, &s->out, sack, s->now_us, s->rto.min_rtt_us, &acked) != PL_OK) {
        s->stats.bad_packets++;
        return;
    }
    if (s->now_us - acked.rtt_us < s->path_since_us)
        acked.rtt_us = -1;
    bool progress = acked.bytes > 0 || acked.cum_advanced;
    s->peer_rwnd = sack->a_rwnd;
    if (s->widest_rwnd < s->peer_rwnd)
        s->widest_rwnd = s->peer_rwnd;
    s->n_narrow += s->peer_rwnd < s->widest_rwnd / 4;
    if (acked.rtt_us >= 0)
        pl_sctp_rto_sample(&s->rto, acked.rtt_us);
    else if (
        acked
            .repaired) /* Karn's rule keeps it from being a sample; RFC 6298 5.7 would wait for one with what was doubled */
        pl_sctp_rto_restore(&s->rto);
    if (progress || sack->a_rwnd == 0) {
        s->n_errors = 0;
        s->last_heard_us = s->now_us;
    }
    if (progress)
        end_probe(s);
    take_late(s, acked.n_late);
    take_duplicates(s, sack);
    end_recovery(s, sack->cumulative_tsn);
    detect(s);
    tell_controller(s, &acked, flight_before);
    restart_t3(s, progress);
    if (progress)
        pl_sctp_arm_probe(s);
    if (acked.cum_advanced && pl_sctp_outstanding_advanced(&s->sent) != s->sent.first_tsn - 1)
        s->wants |= PL_SCTP_WANT_FORWARD;
    s->stats.messages_sent += acked.n_messages;
    s->stats.message_bytes_sent += acked.message_bytes;
}

/* --- T3 (6.3.3) --- */

void pl_sctp_t3_expired(pl_sctp *s)
{
    s->t3_us = PL_NEVER;
    if (!pl_sctp_count_error(s, "the peer no longer acknowledges"))
        return;
    s->stats.timeouts++;
    pl_sctp_mtu_doubt(&s->mtu);
    pl_sctp_rto_double(&s->rto);
    if (!s->recovery.after_timeout) /* else the window worth having back is that before the first of a row */
        begin_episode(s);
    s->cc.ops->timeout(&s->cc, s->now_us);
    pl_sctp_outstanding_timeout(&s->sent);
    s->recovery.n_lost = s->sent.n_lost;
    s->burst_limit = s->cc.cwnd;
    s->recovery.active = s->recovery.probing = false;
    s->recovery.after_timeout = true;
    s->recovery.reorder_us = s->recovery.probe_us = PL_NEVER;
    s->wants |= PL_SCTP_WANT_FORWARD;
}
