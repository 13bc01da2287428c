/* state.c - what the application is told, and in which order.
 * States are told as differences from what was told last; candidates, tracks and names are notes in a queue.
 * Order (W3C 4.4.1, 4.7): signaling state, "gathering", notes, "complete", ICE, connection, data, then
 * negotiation needed. */
#include "pc/pc_internal.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { NOTES_MAX = 512 };

void pc_fail(pl_pc *pc, const char *fmt, ...)
{
    if (pc->failure[0])
        return;
    va_list args;
    va_start(args, fmt);
    vsnprintf(pc->failure, sizeof pc->failure, fmt, args);
    va_end(args);
    pl_log_info(&pc->log, "failed: %s", pc->failure);
}

pl_err pc_error(pl_pc *pc, pl_err err, const char *fmt, ...)
{
    if (err) {
        va_list args;
        va_start(args, fmt);
        vsnprintf(pc->error, sizeof pc->error, fmt, args);
        va_end(args);
        pl_log_debug(&pc->log, "call refused: %s", pc->error);
    }
    return err;
}

const char *pl_pc_error_text(const pl_pc *pc)
{
    return pc->error;
}

pl_signaling_state pl_pc_signaling(const pl_pc *pc)
{
    return pc->closed ? PL_SIGNALING_CLOSED : pl_jsep_state(pc->jsep);
}

pl_ice_gathering_state pc_gathering_now(const pl_pc *pc)
{
    if (!pc->ice)
        return pc->gather_wanted ? PL_ICE_GATHERING_GATHERING : PL_ICE_GATHERING_NEW;
    switch (pl_ice_get_gathering(pc->ice)) {
    case PL_ICE_GATHER_NEW: return pc->gather_wanted ? PL_ICE_GATHERING_GATHERING : PL_ICE_GATHERING_NEW;
    case PL_ICE_GATHERING: return PL_ICE_GATHERING_GATHERING;
    case PL_ICE_GATHER_COMPLETE: return PL_ICE_GATHERING_COMPLETE;
    }
    return PL_ICE_GATHERING_NEW;
}

pl_ice_gathering_state pl_pc_gathering(const pl_pc *pc)
{
    return pc->told_gathering;
}

pl_ice_connection_state pl_pc_ice_state(const pl_pc *pc)
{
    static const pl_ice_connection_state w3c[] = {
        [PL_ICE_NEW] = PL_ICE_CONNECTION_NEW,
        [PL_ICE_CHECKING] = PL_ICE_CONNECTION_CHECKING,
        [PL_ICE_CONNECTED] = PL_ICE_CONNECTION_CONNECTED,
        [PL_ICE_COMPLETED] = PL_ICE_CONNECTION_COMPLETED,
        [PL_ICE_DISCONNECTED] = PL_ICE_CONNECTION_DISCONNECTED,
        [PL_ICE_FAILED] = PL_ICE_CONNECTION_FAILED,
        [PL_ICE_CLOSED] = PL_ICE_CONNECTION_CLOSED,
    };
    if (pc->closed)
        return PL_ICE_CONNECTION_CLOSED;
    return pc->ice ? w3c[pl_ice_get_state(pc->ice)] : PL_ICE_CONNECTION_NEW;
}

/* W3C 4.3.3 over the one ICE and the one DTLS transport. A DTLS association that the peer closed leaves the
 * connection "disconnected": nothing can come any more, and only ICE may say "failed". */
pl_peer_connection_state pc_connection_now(const pl_pc *pc)
{
    pl_ice_connection_state ice = pl_pc_ice_state(pc);
    pl_dtls_state dtls = pc->dtls ? pl_dtls_get_state(pc->dtls) : PL_DTLS_NEW;
    if (pc->closed)
        return PL_CONNECTION_CLOSED;
    if (pc->failure[0] || ice == PL_ICE_CONNECTION_FAILED || dtls == PL_DTLS_FAILED)
        return PL_CONNECTION_FAILED;
    if (ice == PL_ICE_CONNECTION_DISCONNECTED || dtls == PL_DTLS_CLOSED)
        return PL_CONNECTION_DISCONNECTED;
    if (ice == PL_ICE_CONNECTION_NEW)
        return PL_CONNECTION_NEW;
    if (ice == PL_ICE_CONNECTION_CHECKING || dtls != PL_DTLS_CONNECTED)
        return PL_CONNECTION_CONNECTING;
    return PL_CONNECTION_CONNECTED;
}

pl_peer_connection_state pl_pc_connection(const pl_pc *pc)
{
    return pc_connection_now(pc);
}

void pc_bad_packet(pl_pc *pc, uint64_t *count, const char *what)
{
    (*count)++;
    if (pl_rate_pass(&pc->bad_packet, pc->now_us))
        pl_log_debug(&pc->log, "bad packet: %s (%llu such in all, %u bad ones unsaid)", what,
                     (unsigned long long)*count, pl_rate_missed(&pc->bad_packet));
}

void pc_note_add(pl_pc *pc, const pl_pc_event *e)
{
    pc_note *n = pc->n_notes < NOTES_MAX ? malloc(sizeof *n) : NULL;
    if (!n) {
        pl_log_warn(&pc->log, "an event was lost: %s",
                    pc->n_notes < NOTES_MAX ? "out of memory" : "nobody polls events");
        return;
    }
    n->node = (pl_node){ 0 };
    n->event = *e;
    pl_list_push_back(&pc->notes, &n->node);
    pc->n_notes++;
}

/* W3C 4.7.3: asked again after each change; fires only in stable, once until it was looked after. */
void pc_check_negotiation(pl_pc *pc)
{
    if (pc->closed || pl_jsep_state(pc->jsep) != PL_SIGNALING_STABLE)
        return;
    bool needed = pl_jsep_negotiation_needed(pc->jsep);
    if (!needed)
        pc->needed_told = false;
    pc->negotiation_needed = needed;
}

static bool poll_gathering(pl_pc *pc, pl_ice_gathering_state now, pl_pc_event *out)
{
    if (pc->told_gathering == now)
        return false;
    pc->told_gathering = now;
    out->kind = PL_PC_EV_GATHERING;
    out->u.gathering = now;
    return true;
}

static bool poll_states(pl_pc *pc, pl_pc_event *out)
{
    pl_ice_connection_state ice = pl_pc_ice_state(pc);
    pl_peer_connection_state connection = pc_connection_now(pc);
    if (ice != pc->told_ice) {
        pc->told_ice = ice;
        out->kind = PL_PC_EV_ICE;
        out->u.ice = ice;
        return true;
    }
    if (connection != pc->told_connection) {
        pc->told_connection = connection;
        out->kind = PL_PC_EV_CONNECTION;
        out->u.connection = connection;
        if (connection == PL_CONNECTION_DISCONNECTED && pc->dtls &&
            pl_dtls_get_state(pc->dtls) == PL_DTLS_CLOSED)
            out->text = "the peer has closed the connection";
        if (connection == PL_CONNECTION_FAILED)
            out->text = pc->failure[0] ? pc->failure : "no path between the peers answered (ICE failed)";
        return true;
    }
    return false;
}

static bool poll_note(pl_pc *pc, pl_pc_event *out)
{
    pl_node *n = pl_list_pop_front(&pc->notes);
    if (!n)
        return false;
    pc_note *note = pl_of(n, pc_note, node);
    *out = note->event;
    pc->n_notes--;
    free(note);
    return true;
}

void pl_pc_set_held(pl_pc *pc, int64_t now_us, size_t bytes)
{
    if (pc->data)
        pl_data_set_held(pc->data, now_us, bytes);
}

bool pl_pc_poll_event(pl_pc *pc, pl_pc_event *out)
{
    out->text = "";
    pl_signaling_state signaling = pl_pc_signaling(pc);
    if (signaling != pc->told_signaling) {
        pc->told_signaling = signaling;
        out->kind = PL_PC_EV_SIGNALING;
        out->u.signaling = signaling;
        return true;
    }
    pl_ice_gathering_state gathering = pc_gathering_now(pc);
    if (gathering != PL_ICE_GATHERING_COMPLETE && poll_gathering(pc, gathering, out))
        return true;
    if (poll_note(pc, out) || poll_gathering(pc, gathering, out) || poll_states(pc, out))
        return true;
    if (pc->data && pl_data_poll_event(pc->data, &out->u.data)) {
        out->kind = PL_PC_EV_DATA;
        if (out->u.data.kind == PL_DATA_EVENT_OPEN && pc->times.channel_open_us < 0)
            pc->times.channel_open_us = pc->now_us - pc->start_us;
        return true;
    }
    if (pc->negotiation_needed && !pc->needed_told && signaling == PL_SIGNALING_STABLE) {
        pc->needed_told = true;
        out->kind = PL_PC_EV_NEGOTIATION_NEEDED;
        return true;
    }
    return false;
}
