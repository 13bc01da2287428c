/* The association's part in probing (mtu.h): it sends the probes, learns of their fate, and cuts by what was found. */
#include "sctp/association_internal.h"

enum { PROBE_INFO = 20 }; /* the time, a nonce, the size */
#define NEAR_US PL_MS(2)

/* Beyond Ethernet only with a peer young enough to speak I-DATA: older ones (aiortc) read each packet into 1,500 bytes, and
 * are a packet behind for good after a longer one. */
void pl_sctp_mtu_on_full(pl_sctp *s)
{
    s->mtu.near =
        s->rto.min_rtt_us > 0 && s->rto.min_rtt_us < NEAR_US && (s->extensions & PL_SCTP_EXT_INTERLEAVE);
    pl_sctp_mtu_full(&s->mtu);
}

static bool recovering(const pl_sctp *s)
{
    return s->recovery.active || s->recovery.after_timeout;
}

/* Whoever repairs losses does not make more of them by trying sizes; but whether the size in use still arrives is
 * then the question. */
bool pl_sctp_mtu_probe_due(const pl_sctp *s, size_t cap)
{
    return s->mtu.due && s->mtu.probe <= cap && s->state == PL_SCTP_ESTABLISHED &&
           (s->mtu.state != PL_SCTP_MTU_SEARCHING || s->mtu.doubted || !recovering(s));
}

/* HEARTBEAT, and PAD (RFC 4820) up to the size: the peer answers the one and skips the other. */
void pl_sctp_mtu_write_probe(pl_sctp *s, pl_wr *w)
{
    if (s->mtu.n_tries == 0)
        s->mtu.nonce = pl_rand_u64(&s->conf.rand);
    size_t chunk = pl_sctp_chunk_begin(w, PL_SCTP_HEARTBEAT, 0);
    size_t param = pl_sctp_param_begin(w, PL_SCTP_PARAM_HEARTBEAT_INFO);
    pl_wr_u64(w, (uint64_t)s->now_us);
    pl_wr_u64(w, s->mtu.nonce);
    pl_wr_u32(w, (uint32_t)s->mtu.probe);
    pl_sctp_param_end(w, param);
    pl_sctp_chunk_end(w, chunk);
    size_t pad = pl_sctp_chunk_begin(w, PL_SCTP_PAD, 0);
    pl_wr_zeros(w, s->mtu.probe - pl_wr_len(w));
    pl_sctp_chunk_end(w, pad);
    pl_sctp_mtu_sent(&s->mtu, s->now_us, 2 * s->rto.srtt_us);
    if (s->mtu.state != PL_SCTP_MTU_SEARCHING || s->mtu.doubted || s->mtu.n_tries > 0)
        s->wants |= PL_SCTP_WANT_HEARTBEAT; /* a small one beside it: is it the size, or the path? */
    s->stats.mtu_probes++;
}

/* A window smaller than a packet would send nothing. */
static void tell_controller(pl_sctp *s)
{
    s->cc.mtu = s->mtu.size - PL_SCTP_HEADER;
    if (s->cc.cwnd < PL_SCTP_CC_LEAST * s->cc.mtu)
        s->cc.cwnd = PL_SCTP_CC_LEAST * s->cc.mtu;
}

static void use_size(pl_sctp *s)
{
    pl_log_debug(&s->log, "packets of %zu bytes now (%s)", s->mtu.size, pl_sctp_mtu_state_str(s->mtu.state));
    tell_controller(s);
}

bool pl_sctp_mtu_on_answer(pl_sctp *s, pl_rd info)
{
    if (pl_rd_left(&info) != PROBE_INFO)
        return false;
    pl_rd_skip(&info, 8);
    uint64_t nonce = pl_rd_u64(&info);
    size_t size = pl_rd_u32(&info);
    if (nonce == s->mtu.nonce && pl_sctp_mtu_arrived(&s->mtu, size, s->now_us))
        use_size(s);
    return true;
}

void pl_sctp_mtu_timer(pl_sctp *s)
{
    if (pl_sctp_mtu_expired(&s->mtu, s->now_us))
        use_size(s);
}

void pl_sctp_mtu_forget(pl_sctp *s)
{
    pl_sctp_mtu_restart(&s->mtu);
    tell_controller(s);
}

/* RFC 9260 7.3: what was cut for a larger packet has its TSN and cannot be cut again. It goes as it is, and below us
 * IP may cut it (pl_sctp_last_packet). */
size_t pl_sctp_packet_limit(pl_sctp *s)
{
    size_t most = s->mtu.size - PL_SCTP_HEADER;
    uint32_t tsn;
    const pl_sctp_sent *e = s->sent.n_lost > 0 ? pl_sctp_next_lost(s, &tsn) : NULL;
    if (e && e->size > most)
        most = e->size;
    if (s->replies && !s->replies->alone && s->replies->len > most)
        most = s->replies->len;
    return PL_SCTP_HEADER + most;
}

void pl_sctp_set_cut(pl_sctp *s, size_t len)
{
    s->conf.cut_from = len;
}

/* The path may be wide again, or drop fragments: every fourth goes as it is. */
enum { UNCUT = 4 };

void pl_sctp_mtu_lengthen(pl_sctp *s, pl_wr *w, size_t cap)
{
    size_t len = pl_wr_len(w), whole = s->conf.cut_from & ~(size_t)3;
    if (len <= s->mtu.size || len + PL_SCTP_CHUNK_HEADER > whole || whole > cap || whole > s->mtu.max ||
        ++s->n_cuts % UNCUT == 0)
        return;
    w->end = w->start + cap;
    size_t pad = pl_sctp_chunk_begin(w, PL_SCTP_PAD, 0);
    pl_wr_zeros(w, whole - pl_wr_len(w));
    pl_sctp_chunk_end(w, pad);
}

pl_sctp_packet_kind pl_sctp_last_packet(const pl_sctp *s)
{
    return s->last_packet;
}

size_t pl_sctp_packet_max(const pl_sctp *s)
{
    return s->mtu.max;
}

void pl_sctp_path_changed(pl_sctp *s, int64_t now_us)
{
    s->now_us = s->path_since_us = now_us;
    pl_sctp_rto_init(&s->rto, s->conf.rto_initial_us, s->conf.rto_min_us, s->conf.rto_max_us);
    pl_sctp_mtu_forget(s);
    pl_sctp_cc_restart(&s->cc);
    s->first_pace = 0;
    s->burst_limit = s->cc.cwnd;
    pl_sctp_set_rate(s, now_us, s->rate_bound);
    s->recovery.may_undo = s->recovery.probing = false; /* the window of before is another path's */
    s->recovery.probe_us = PL_NEVER;
    s->heartbeat_out = false;
    if (s->state == PL_SCTP_ESTABLISHED) {
        s->wants |= PL_SCTP_WANT_HEARTBEAT; /* how far is it now? */
        pl_sctp_restart_heartbeat(s);
    }
    if (s->t3_us != PL_NEVER)
        s->t3_us = now_us + s->rto.rto_us;
    pl_sctp_settle(s);
}
