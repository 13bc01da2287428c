/* inbound.c - the journey from the wire to a track or a channel.
 *     out of a relay's wrapping > demultiplex (RFC 7983) > STUN to ICE / DTLS to SCTP / SRTP to media >
 *     conclusions (pc_settle) */
#include "pc/pc_internal.h"

#include <assert.h>

/* A session exists as soon as there is something for it: early flights are kept in it (a ClientHello may
 * overtake the answer that tells its fingerprint). */
static bool need_dtls(pl_pc *pc)
{
    if (pc->dtls)
        return true;
    pl_dtls_conf conf = { .ctx = pc->conf.dtls_ctx, .log_id = pc->conf.log_id };
    if (pl_dtls_new(&pc->dtls, &conf, pc->now_us)) {
        pc_fail(pc, "no memory for a DTLS session");
        return false;
    }
    return true;
}

static void on_stun(pl_pc *pc, const pl_path *path, const uint8_t *pkt, size_t len)
{
    if (pc->ice)
        pl_ice_input(pc->ice, pc->now_us, path, pkt, len);
    else
        pc->count.early++;
}

static void take_records(pl_pc *pc)
{
    uint8_t record[PL_DTLS_DATA_MAX];
    size_t n;
    while (pl_dtls_poll_data(pc->dtls, record, sizeof record, &n)) {
        if (pc->data)
            pl_data_input(pc->data, pc->now_us, record, n);
        else
            pc->count.early++;
    }
}

static void on_dtls(pl_pc *pc, const uint8_t *pkt, size_t len)
{
    if (!need_dtls(pc))
        return;
    pl_dtls_input(pc->dtls, pc->now_us, pkt, len);
}

static void on_srtp(pl_pc *pc, pl_demux_kind kind, uint8_t *pkt, size_t len)
{
    size_t n;
    if (!pc->srtp_in || !pc->media) {
        pc->count.early++; /* keys are not there yet: the sender repeats what matters */
        return;
    }
    pl_err err = kind == PL_IS_RTP ? pl_srtp_unprotect(pc->srtp_in, pkt, len, &n)
                                   : pl_srtp_unprotect_rtcp(pc->srtp_in, pkt, len, &n);
    if (err) {
        pc_bad_packet(pc, &pc->count.srtp_failed, "SRTP refuses it: malformed, forged or a replay");
        return;
    }
    pl_ice_heard(pc->ice, pc->now_us);
    if (kind == PL_IS_RTP)
        pc_media_rtp(pc, pkt, n);
    else
        pc_rtcp_input(pc, pkt, n);
}

void pl_pc_input(pl_pc *pc, int64_t now_us, const pl_path *path, uint8_t *pkt, size_t len)
{
    pc->now_us = now_us; /* one clock reading serves the whole call */
    if (pc->closed)
        return;
    pc->packets_received++;
    pc->bytes_received += len;
    pl_path from = *path;
    if (pc->ice && !pl_ice_unwrap(pc->ice, now_us, &from, &pkt, &len)) {
        pc_settle(pc); /* a relay's own word: a candidate, a permission, its end */
        return;
    }
    pl_demux_kind kind = pl_demux(pkt, len);
    switch (kind) {
    case PL_IS_STUN: on_stun(pc, &from, pkt, len); break;
    case PL_IS_DTLS: on_dtls(pc, pkt, len); break;
    case PL_IS_RTP:
    case PL_IS_RTCP: on_srtp(pc, kind, pkt, len); break;
    case PL_IS_TURN: pc->count.turn++; break;
    case PL_IS_JUNK: pc_bad_packet(pc, &pc->count.junk, "it is none of our protocols"); break;
    }
    if (kind != PL_IS_STUN && kind != PL_IS_JUNK && pc->ice)
        pl_ice_count_received(pc->ice, now_us, 1, len);
    if (kind == PL_IS_STUN || kind == PL_IS_DTLS)
        pc_settle(pc);
}

/* ---- conclusions ---- */

static void local_candidate(pl_pc *pc, const pl_ice_cand *c)
{
    pl_pc_event e = { .kind = PL_PC_EV_CANDIDATE, .text = "" };
    const char *mid = NULL;
    int mline;
    size_t n = c ? pl_ice_cand_print(c, e.u.candidate.line, sizeof e.u.candidate.line) : 0;
    if (pl_jsep_add_local_candidate(pc->jsep, (pl_str){ e.u.candidate.line, n }, pc->gather_ufrag))
        pl_log_warn(&pc->log, "a local candidate does not fit into the description");
    if (pl_jsep_transport_section(pc->jsep, &mid, &mline) && mid)
        (void)pl_str_copy(pl_str_of(mid), e.u.candidate.mid, sizeof e.u.candidate.mid);
    (void)pl_str_copy(pl_str_of(pc->gather_ufrag), e.u.candidate.ufrag, sizeof e.u.candidate.ufrag);
    pc_note_add(pc, &e);
}

/* Where routers cut nothing, our own system must. */
static void tell_cut(pl_pc *pc)
{
    if (pc->data)
        pl_data_set_cut(pc->data, pc->leaves_by.family == PL_AF_IP6 ? PC_PACKET_CUT : 0);
}

/* Data may flow from the first pair on, even while better ones are still tried. What was measured on one network
 * says nothing about another, and another local address is the sign of one. */
static void selected(pl_pc *pc, const pl_path *path)
{
    bool moved = pc->leaves_by.family != PL_AF_NONE && !pl_addr_ip_eq(&pc->leaves_by, &path->local);
    if (pc->times.ice_connected_us < 0)
        pc->times.ice_connected_us = pc->now_us - pc->start_us;
    pc->leaves_by = path->local;
    tell_cut(pc);
    if (moved && pc->data)
        pl_data_path_changed(pc->data, pc->now_us);
    if (!moved || !pc->media || !pc->srtp_out)
        return;
    pl_log_info(&pc->log, "another network: the bandwidth is measured anew");
    pl_cc_reset(&pc->media->cc, pc->now_us);
    pc_media_target(pc);
}

static void on_ice_event(pl_pc *pc, const pl_ice_event *ev)
{
    pl_pc_event e = { .kind = PL_PC_EV_RESOLVE, .text = "" };
    switch (ev->kind) {
    case PL_ICE_EV_CANDIDATE: local_candidate(pc, &ev->u.candidate); break;
    case PL_ICE_EV_GATHERING:
        if (ev->u.gathering == PL_ICE_GATHER_COMPLETE) {
            local_candidate(pc, NULL);
            if (pc->times.gathering_complete_us < 0)
                pc->times.gathering_complete_us = pc->now_us - pc->start_us;
        }
        break;
    case PL_ICE_EV_STATE: pl_log_debug(&pc->log, "ICE is %s", pl_ice_state_str(ev->u.state)); break;
    case PL_ICE_EV_RESOLVE:
        memcpy(e.u.name, ev->u.name, sizeof e.u.name);
        pc_note_add(pc, &e);
        break;
    case PL_ICE_EV_SELECTED: selected(pc, &ev->u.selected); break;
    case PL_ICE_EV_CONNECT:
        e.kind = PL_PC_EV_CONNECT;
        e.u.connect = ev->u.connect;
        pc_note_add(pc, &e);
        break;
    case PL_ICE_EV_DISCONNECT:
        e.kind = PL_PC_EV_DISCONNECT;
        e.u.stream = ev->u.stream;
        pc_note_add(pc, &e);
        break;
    case PL_ICE_EV_SERVER:
        e.kind = PL_PC_EV_SERVER;
        e.u.server = ev->u.server;
        pc_note_add(pc, &e);
        break;
    case PL_ICE_EV_ROLE: break;
    }
}

/* The client speaks first, so it waits for a path; the server must be listening before. */
static void start_dtls(pl_pc *pc)
{
    pl_path path;
    if (pc->dtls_started || !pc->has_role || !pc->ice || !need_dtls(pc))
        return;
    if (pc->role == PL_DTLS_CLIENT && !pl_ice_selected(pc->ice, &path))
        return;
    pc->dtls_started = true;
    if (pl_dtls_start(pc->dtls, pc->now_us, pc->role))
        pc_fail(pc, "the DTLS session does not start");
}

static void start_srtp(pl_pc *pc)
{
    pl_srtp_keys keys;
    if (pc->srtp_in || !pc->media)
        return;
    pl_err err = pl_dtls_export_srtp(pc->dtls, &keys);
    if (err) {
        pc_fail(pc, "the peer agreed on no SRTP profile, but media was negotiated");
        return;
    }
    err = pl_srtp_new(&pc->srtp_in, keys.profile, &keys.remote, PL_SRTP_RECV, &pc->conf.rand);
    if (!err)
        err = pl_srtp_new(&pc->srtp_out, keys.profile, &keys.local, PL_SRTP_SEND, &pc->conf.rand);
    pc->srtp_profile = keys.profile;
    pl_wipe(&keys, sizeof keys);
    if (err)
        pc_fail(pc, "no memory for SRTP");
    pl_rtcp_timer_start(&pc->media->timer, pc->now_us, PL_RTCP_INTERVAL_US, &pc->conf.rand);
    pc_media_refresh(pc);
}

static void on_dtls_state(pl_pc *pc)
{
    pl_dtls_event ev;
    while (pl_dtls_poll_event(pc->dtls, &ev)) {
        pl_log_debug(&pc->log, "DTLS is %s%s%s", pl_dtls_state_str(ev.state), ev.reason[0] ? ": " : "",
                     ev.reason);
        if (ev.state == PL_DTLS_CONNECTED && pc->times.dtls_connected_us < 0)
            pc->times.dtls_connected_us = pc->now_us - pc->start_us;
        if (ev.state == PL_DTLS_FAILED)
            pc_fail(pc, "DTLS: %s", ev.reason);
        if ((ev.state == PL_DTLS_FAILED || ev.state == PL_DTLS_CLOSED) && pc->data)
            pl_data_transport_closed(pc->data, pc->now_us);
    }
    if (pl_dtls_get_state(pc->dtls) != PL_DTLS_CONNECTED)
        return;
    start_srtp(pc);
    tell_cut(pc);
    if (pc->data && pc->data_agreed && pl_data_start(pc->data, pc->now_us))
        pc_fail(pc, "no memory for SCTP");
}

void pc_settle(pl_pc *pc)
{
    pl_ice_event ev;
    while (pc->ice && pl_ice_poll_event(pc->ice, &ev))
        on_ice_event(pc, &ev);
    start_dtls(pc);
    if (pc->dtls) {
        on_dtls_state(pc);
        take_records(pc); /* after the state: a late fingerprint may just have released them */
    }
}
