/* outbound.c - the journey from a track or a channel to the wire.
 *     ICE's own messages > DTLS flights > RTCP > RTP (pacer, stamps, SRTP) > channels (SCTP, DTLS records)
 * Everything but ICE goes to the selected pair, wrapped for the server where that is a relay's. SCTP packets of one size to one destination are laid end to
 * end, so that segmentation offload sends them with one system call. */
#include "pc/pc_internal.h"

#include <stdlib.h>

enum { DSCP_BEST_EFFORT = 0, BATCH_MAX = 40 };

static bool sent(pl_pc *pc, pl_dgram *out, size_t n_packets)
{
    pc->packets_sent += n_packets;
    pc->bytes_sent += out->len;
    pl_ice_count_sent(pc->ice, pc->now_us, (uint32_t)n_packets, out->len);
    return true;
}

static bool poll_dtls(pl_pc *pc, pl_dgram *out)
{
    return pl_dtls_poll_output(pc->dtls, pc->now_us, out) && sent(pc, out, 1);
}

static bool poll_media(pl_pc *pc, pl_dgram *out)
{
    uint8_t dscp = DSCP_BEST_EFFORT;
    if (!pc->srtp_out || !pc->media)
        return false;
    if (!pc_rtcp_poll(pc, out->data, out->cap, &out->len) &&
        !pc_media_poll(pc, out->data, out->cap, &out->len, &dscp))
        return false;
    out->path.dscp = dscp;
    return sent(pc, out, 1);
}

/* The next SCTP packet: the one that did not fit into the last batch, or a new one. */
static size_t next_packet(pl_pc *pc, uint8_t *packet, size_t cap, pl_sctp_packet_kind *kind)
{
    size_t len = pc->waiting_len;
    *kind = (pl_sctp_packet_kind)pc->waiting_kind;
    if (len > cap)
        return 0;
    if (len) {
        memcpy(packet, pc->waiting, len);
        pc->waiting_len = 0;
        return len;
    }
    if (!pl_data_poll_output(pc->data, pc->now_us, packet, cap, &len))
        return 0;
    *kind = pl_data_last_packet(pc->data);
    return len;
}

/* A packet longer than the batch's first cannot join it: it opens the next one. */
static void keep_for_next(pl_pc *pc, const uint8_t *packet, size_t len, pl_sctp_packet_kind kind)
{
    if (len > pc->waiting_cap) {
        uint8_t *more = realloc(pc->waiting, len);
        if (!more)
            return; /* lost, as the network loses packets: SCTP sends it again */
        pc->waiting = more;
        pc->waiting_cap = len;
    }
    memcpy(pc->waiting, packet, len);
    pc->waiting_len = len;
    pc->waiting_kind = (uint8_t)kind;
}

/* A stream or a relay carries any size: it says nothing of the path behind, and one long packet holds up all others. */
static bool says_nothing(const pl_dgram *out, pl_sctp_packet_kind kind, size_t len, size_t wrapping)
{
    return kind == PL_SCTP_PACKET_PROBE && len > PC_PACKET_ETHERNET &&
           (out->path.proto == PL_TCP || wrapping > 0);
}

/* Probes, and what IP may cut, go one by one. */
static uint8_t df_of(pl_sctp_packet_kind kind)
{
    return kind == PL_SCTP_PACKET_PROBE       ? PL_DF_SET
           : kind == PL_SCTP_PACKET_OVERSIZED ? PL_DF_CLEAR
                                              : PL_DF_SYSTEM;
}

/* What a packet may take of the datagrams' room. */
static size_t room_for_packet(const pl_dgram *out, size_t n_packets, size_t wrapping)
{
    size_t taken = out->len + PL_DTLS_OVERHEAD + n_packets * wrapping;
    size_t room = out->cap > taken ? out->cap - taken : 0;
    return room < PC_DATA_PACKET_MAX ? room : PC_DATA_PACKET_MAX;
}

static bool poll_data(pl_pc *pc, pl_dgram *out)
{
    uint8_t packet[PC_DATA_PACKET_MAX];
    size_t n_packets = 0, first = 0, n, wrapping = pl_ice_overhead(pc->ice, &out->path);
    pl_sctp_packet_kind kind;
    if (!pc->data || pl_dtls_get_state(pc->dtls) != PL_DTLS_CONNECTED)
        return false;
    while (n_packets < BATCH_MAX) {
        size_t len = next_packet(pc, packet, room_for_packet(out, n_packets, wrapping), &kind);
        if (!len)
            break;
        if (says_nothing(out, kind, len, wrapping))
            continue;
        if (first && (len > first || kind != PL_SCTP_PACKET_PLAIN)) {
            keep_for_next(pc, packet, len, kind);
            break;
        }
        if (pl_dtls_protect(pc->dtls, packet, len, out->data + out->len, out->cap - out->len, &n))
            break;
        n_packets++;
        out->len += n;
        if (!first) {
            first = len;
            out->segment = n;
            out->df = df_of(kind);
        }
        if (len != first || kind != PL_SCTP_PACKET_PLAIN)
            break; /* only the last of a batch may be shorter */
    }
    if (n_packets <= 1)
        out->segment = 0;
    if (n_packets == 0)
        return false;
    pc_share_wake(pc);
    return sent(pc, out, n_packets);
}

/* After close: what is left to say goes out in this order, close_notify last. */
static bool poll_parting(pl_pc *pc, pl_dgram *out)
{
    if (poll_media(pc, out) || poll_data(pc, out))
        return true;
    if (!pc->dtls_closed) {
        pc->dtls_closed = true;
        pl_dtls_close(pc->dtls, pc->now_us);
    }
    return poll_dtls(pc, out);
}

static bool poll_selected(pl_pc *pc, pl_dgram *out)
{
    out->len = out->segment = 0;
    out->df = PL_DF_SYSTEM;
    out->path = (pl_path){ 0 };
    if (!pc->dtls || !pl_ice_selected(pc->ice, &out->path))
        return false;
    if (pc->closed)
        return poll_parting(pc, out);
    return poll_dtls(pc, out) || poll_media(pc, out) || poll_data(pc, out);
}

/* Everything for the selected pair leaves room for the relay's header. A packet that a relay which is just gone does not
 * take is lost, as on any network. */
static bool poll_wrapped(pl_pc *pc, pl_dgram *out)
{
    pl_path path;
    size_t cap = out->cap, room = pl_ice_selected(pc->ice, &path) ? pl_ice_overhead(pc->ice, &path) : 0;
    bool any, wrapped = false;
    do {
        out->cap = cap - (room < cap ? room : cap);
        any = poll_selected(pc, out);
        out->cap = cap;
        wrapped = any && pl_ice_wrap(pc->ice, pc->now_us, out) == PL_OK;
    } while (any && !wrapped);
    return any;
}

bool pl_pc_poll_output(pl_pc *pc, int64_t now_us, pl_dgram *out)
{
    pc->now_us = now_us;
    out->len = out->segment = 0;
    out->df = PL_DF_SYSTEM;
    out->path = (pl_path){ 0 };
    if (!pc->ice)
        return false;
    if (!pc->closed && pl_ice_poll_output(pc->ice, now_us, out))
        return true;
    if (poll_wrapped(pc, out))
        return true;
    if (!pc->closed)
        return false;
    if (pl_ice_get_state(pc->ice) != PL_ICE_CLOSED)
        pl_ice_close(pc->ice, now_us); /* behind the last word the relays are given back */
    return pl_ice_poll_output(pc->ice, now_us, out);
}
