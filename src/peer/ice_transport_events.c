/* ice_transport_events.c - from the agent to the observer: through a list and a bell, also when both are one thread,
 * so that no callback runs inside a call of the application or of the driver. */
#include "peer/ice_transport.h"

#include <stdlib.h>
#include <string.h>

/* ---- on the network thread ---- */

static void queue(pl_ice_transport *t, const ice_note *head, const void *data, size_t len)
{
    ice_note *n = malloc(sizeof *n + len);
    pl_mutex_lock(&t->lock);
    size_t bytes = head->kind == ICE_NOTE_DATA ? len : 0;
    bool fits =
        n && t->n_notes < ICE_NOTES_MAX && (!bytes || t->note_bytes + bytes <= PL_ICE_RECEIVE_QUEUE_MAX);
    if (fits) {
        *n = *head;
        n->len = len;
        if (len)
            memcpy(n->data, data, len);
        pl_list_push_back(&t->notes, &n->node);
        t->n_notes++;
        t->note_bytes += bytes;
    }
    pl_mutex_unlock(&t->lock);
    if (!fits) {
        free(n);
        if (head->kind != ICE_NOTE_DATA)
            pl_log_warn(&t->log, "an event was lost: %s",
                        n ? "the signaling thread does not keep up" : "out of memory");
        return;
    }
    (void)pl_wake_up(&t->bell);
}

void ice_transport_note_data(pl_ice_transport *t, const uint8_t *data, size_t len)
{
    ice_note n = { .kind = ICE_NOTE_DATA };
    queue(t, &n, data, len);
}

static void tell_candidate(pl_ice_transport *t, const pl_ice_cand *c)
{
    ice_note n = { .kind = ICE_NOTE_CANDIDATE };
    char line[PL_ICE_CAND_TEXT_MAX];
    size_t len = pl_ice_cand_print(c, line, sizeof line);
    if (!len)
        return;
    pl_buf_addf(&t->candidates, "a=%s\r\n", line);
    queue(t, &n, line, len + 1);
}

static void tell_gathering(pl_ice_transport *t, pl_ice_gathering gathering)
{
    ice_note n = { .kind = ICE_NOTE_GATHERING, .u.gathering = gathering },
             end = { .kind = ICE_NOTE_CANDIDATE };
    if (gathering == PL_ICE_GATHER_COMPLETE)
        queue(t, &end, "", 1);
    queue(t, &n, NULL, 0);
}

static void tell_selected(pl_ice_transport *t)
{
    ice_note n = { .kind = ICE_NOTE_SELECTED };
    pl_ice_pair_info info;
    if (!pl_ice_get_selected_pair(t->agent, &info))
        return;
    ice_transport_pair_of(t->agent, &info, &n.u.pair);
    queue(t, &n, NULL, 0);
}

static void tell_server(pl_ice_transport *t, const pl_ice_server_trouble *trouble)
{
    ice_note n = { .kind = ICE_NOTE_SERVER, .u.server = *trouble };
    queue(t, &n, trouble->url, strlen(trouble->url) + 1);
}

static void tell_state(pl_ice_transport *t, pl_ice_state state)
{
    ice_note n = { .kind = ICE_NOTE_STATE, .u.state = state };
    queue(t, &n, NULL, 0);
}

void ice_transport_take_events(pl_ice_transport *t, int64_t now_us)
{
    pl_ice_event ev;
    (void)now_us;
    while (t->agent && pl_ice_poll_event(t->agent, &ev)) {
        if (pl_ice_io_event(t->io, &ev))
            continue;
        switch (ev.kind) {
        case PL_ICE_EV_STATE: tell_state(t, ev.u.state); break;
        case PL_ICE_EV_GATHERING: tell_gathering(t, ev.u.gathering); break;
        case PL_ICE_EV_CANDIDATE: tell_candidate(t, &ev.u.candidate); break;
        case PL_ICE_EV_SELECTED: tell_selected(t); break;
        case PL_ICE_EV_SERVER: tell_server(t, &ev.u.server); break;
        default: break;
        }
    }
    pl_path path;
    bool has_path = t->agent && pl_ice_selected(t->agent, &path);
    pl_mutex_lock(&t->lock);
    t->has_path = has_path;
    pl_mutex_unlock(&t->lock);
}

/* ---- on the signaling thread ---- */

static ice_note *next_note(pl_ice_transport *t)
{
    pl_mutex_lock(&t->lock);
    pl_node *node = pl_list_pop_front(&t->notes);
    ice_note *n = node ? pl_of(node, ice_note, node) : NULL;
    if (n) {
        t->n_notes--;
        t->note_bytes -= n->kind == ICE_NOTE_DATA ? n->len : 0;
    }
    pl_mutex_unlock(&t->lock);
    return n;
}

static void show_error(const pl_ice_transport_observer *o, const ice_note *n)
{
    char ip[PL_ADDR_TEXT_MAX];
    pl_ice_candidate_error error = peer_candidate_error(&n->u.server, ip);
    error.url = (const char *)n->data;
    if (o->on_candidate_error)
        o->on_candidate_error(o->user, &error);
}

static void tell(const pl_ice_transport_observer *o, const ice_note *n)
{
    switch (n->kind) {
    case ICE_NOTE_STATE:
        if (o->on_state)
            o->on_state(o->user, (pl_ice_connection_state)n->u.state); /* both are the W3C's, in its order */
        break;
    case ICE_NOTE_GATHERING:
        if (o->on_gathering_state)
            o->on_gathering_state(o->user, (pl_ice_gathering_state)n->u.gathering);
        break;
    case ICE_NOTE_CANDIDATE:
        if (o->on_candidate)
            o->on_candidate(o->user, (const char *)n->data);
        break;
    case ICE_NOTE_SERVER: show_error(o, n); break;
    case ICE_NOTE_SELECTED:
        if (o->on_selected)
            o->on_selected(o->user, &n->u.pair);
        break;
    case ICE_NOTE_DATA:
        if (o->on_data)
            o->on_data(o->user, n->data, n->len);
        break;
    }
}

void ice_transport_deliver(void *transport)
{
    pl_ice_transport *t = transport;
    ice_transport_ref(t); /* a callback may free it */
    for (ice_note *n; !t->muted && (n = next_note(t));) {
        tell(&t->observer, n);
        free(n);
    }
    ice_transport_unref(t);
}

void ice_transport_drop_notes(pl_ice_transport *t)
{
    for (ice_note *n; (n = next_note(t));)
        free(n);
}
