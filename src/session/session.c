/* session.c - a call from ringing to its end: what the application decides, what the way says, and what is due to be told. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session/session_internal.h"

const char *pl_session_reason_str(pl_session_reason reason)
{
    static const char *const word[] = {
        [PL_SESSION_HUNG_UP] = "hung-up",     [PL_SESSION_CANCELLED] = "cancelled",
        [PL_SESSION_DECLINED] = "declined",   [PL_SESSION_BUSY] = "busy",
        [PL_SESSION_ELSEWHERE] = "elsewhere", [PL_SESSION_NO_ANSWER] = "no-answer",
        [PL_SESSION_NOT_FOUND] = "not-found", [PL_SESSION_REFUSED] = "refused",
        [PL_SESSION_GONE] = "gone",           [PL_SESSION_FAILED] = "failed"
    };
    return (size_t)reason < sizeof word / sizeof word[0] ? word[reason] : "failed";
}

/* ---- making and freeing ---- */

static bool copy_text(char **to, const char *text)
{
    char *copy = text ? strdup(text) : NULL;
    if (text && !copy)
        return false;
    free(*to);
    *to = copy;
    return true;
}

static void free_list(pl_list *list, size_t node_at)
{
    for (pl_node *n; (n = pl_list_pop_front(list));)
        free((char *)n - node_at);
}

static void free_memory(pl_session *s)
{
    free_list(&s->notes, offsetof(session_note, node));
    free_list(&s->early_candidates, offsetof(session_candidate, node));
    free(s->early);
    free(s->servers);
    free(s->to);
    free(s->address);
    free(s->name);
    free(s);
}

pl_err session_new(pl_session **out, pl_signaling *sig, const char *to, const char *address, const char *name,
                   bool outgoing)
{
    *out = NULL;
    if (sig->n_sessions == PL_SESSIONS_MAX)
        return PL_ENOSPC;
    pl_session *s = calloc(1, sizeof *s);
    if (!s)
        return PL_ENOMEM;
    s->turn.kind = SIG_SESSION;
    s->sig = sig;
    s->outgoing = outgoing;
    s->wants[PL_AUDIO] = s->wants[PL_VIDEO] = true;
    pl_list_init(&s->notes);
    pl_list_init(&s->early_candidates);
    if (!copy_text(&s->to, to) || !copy_text(&s->address, address ? address : "") ||
        !copy_text(&s->name, name ? name : "")) {
        free_memory(s);
        return PL_ENOMEM;
    }
    pl_list_push_back(&sig->sessions, &s->in_signaling);
    sig->n_sessions++;
    sig->refs++;
    *out = s;
    return PL_OK;
}

void session_drop(pl_session *s)
{
    if (s->dropped)
        return;
    s->dropped = true;
    s->sig->backend->drop(s);
    s->state = NULL;
}

static void release(pl_session *s)
{
    pl_signaling *sig = s->sig;
    sig_dequeue(sig, &s->turn);
    pl_list_remove(&s->in_signaling);
    sig->n_sessions--;
    free_memory(s);
    sig_unref(sig);
}

void pl_session_free(pl_session *s)
{
    if (!s)
        return;
    pl_session_hang_up(s);
    session_drop(s);
    connection_free(s);
    release(s);
}

pl_err pl_session_call(pl_session **out, pl_signaling *sig, const pl_session_conf *conf,
                       const pl_session_observer *observer)
{
    static const pl_session_conf usual = { .audio = true };
    const pl_session_conf *c = conf ? conf : &usual;
    const char *to = c->to ? c->to : sig->callee;
    pl_session *s;
    *out = NULL;
    if (!to)
        return PL_EINVAL;
    if (sig->link == PL_LINK_CLOSED || !sig->backend->call)
        return PL_ESTATE;
    pl_err err = session_new(&s, sig, c->to, NULL, to, true);
    if (err)
        return err;
    s->on = observer ? *observer : (pl_session_observer){ 0 };
    s->wants[PL_AUDIO] = c->audio || (!c->video && !c->data);
    s->wants[PL_VIDEO] = c->video;
    s->data = c->data;
    s->handed = s->accepted = true;
    err = sig->backend->call(s);
    if (err) {
        release(s);
        return err;
    }
    *out = s;
    return PL_OK;
}

void pl_session_set_observer(pl_session *s, const pl_session_observer *observer)
{
    s->on = observer ? *observer : (pl_session_observer){ 0 };
}

/* ---- telling the application ---- */

void session_due(pl_session *s)
{
    sig_enqueue(s->sig, &s->turn);
}

static bool has_due(const pl_session *s)
{
    return !pl_list_empty(&s->notes) || s->due.start || s->due.ringing || s->due.connect || s->due.accepted ||
           s->due.refused || s->due.ended;
}

/* Hands an incoming session over; one that ended before is nobody's, and freed. */
static void tell_call(pl_session *s)
{
    pl_signaling *sig = s->sig;
    if (s->over) {
        pl_session_free(s);
        return;
    }
    s->handed = true;
    if (has_due(s))
        session_due(s);
    sig->on.on_call(sig->on.user, s);
}

static void tell_note(pl_session *s)
{
    session_note *n = pl_of(pl_list_pop_front(&s->notes), session_note, node);
    const pl_session_observer on = s->on;
    s->n_notes--;
    if (on.on_note)
        on.on_note(on.user, n->text); /* which may free the session */
    free(n);
}

static bool take(bool *due)
{
    bool was = *due;
    *due = false;
    return was;
}

/* One thing, so that the next one sees whether there is still a session: the line comes back to it. */
static void tell_next(pl_session *s)
{
    const pl_session_observer on = s->on;
    if (take(&s->due.start)) {
        connection_start(s);
    } else if (!pl_list_empty(&s->notes)) {
        tell_note(s);
    } else if (take(&s->due.ringing)) {
        if (on.on_ringing && !s->over)
            on.on_ringing(on.user);
    } else if (take(&s->due.connect)) {
        if (on.on_connect && !s->over && !s->pc)
            on.on_connect(on.user);
    } else if (take(&s->due.accepted)) {
        if (on.on_accepted)
            on.on_accepted(on.user);
    } else if (take(&s->due.refused)) {
        char why[PL_SESSION_WHY_MAX];
        memcpy(why, s->refused_why, sizeof why);
        if (on.on_refused && !s->over)
            on.on_refused(on.user, s->refused_err, why);
    } else if (take(&s->due.ended)) {
        char why[PL_SESSION_WHY_MAX];
        memcpy(why, s->why, sizeof why);
        if (on.on_ended)
            on.on_ended(on.user, s->reason, why);
    }
}

void session_deliver(pl_session *s)
{
    if (take(&s->due.call)) {
        tell_call(s);
    } else if (has_due(s)) {
        sig_enqueue(s->sig, &s->turn); /* once more, for what follows */
        tell_next(s);
    }
}

/* ---- the end ---- */

void session_ended(pl_session *s, pl_session_reason reason, const char *why)
{
    if (s->over)
        return;
    s->over = true;
    s->reason = reason;
    snprintf(s->why, sizeof s->why, "%s", why ? why : "");
    connection_close(s);
    s->due.ended = true;
    session_due(s);
}

void session_end(pl_session *s, pl_session_reason reason, const char *why)
{
    if (s->over)
        return;
    session_ended(s, reason, why);
    if (!s->dropped)
        s->sig->backend->end(s, reason, s->why);
}

void pl_session_hang_up(pl_session *s)
{
    bool agreed = s->negotiation.agreed || s->connected;
    session_end(s,
                agreed        ? PL_SESSION_HUNG_UP
                : s->outgoing ? PL_SESSION_CANCELLED
                              : PL_SESSION_DECLINED,
                "");
}

void pl_session_reject(pl_session *s, pl_session_reason reason)
{
    if (s->outgoing || s->accepted || s->over)
        return;
    session_end(s, reason == PL_SESSION_BUSY ? PL_SESSION_BUSY : PL_SESSION_DECLINED, "");
    s->due.ended = false;
}

void pl_session_over(pl_session *s, pl_session_reason reason, const char *why)
{
    session_ended(s, reason, why);
}

/* ---- decisions ---- */

static bool is_undecided(const pl_session *s)
{
    return !s->outgoing && !s->accepted && !s->over && !s->dropped;
}

pl_err pl_session_ring(pl_session *s)
{
    if (!is_undecided(s))
        return PL_ESTATE;
    return s->sig->backend->ring ? s->sig->backend->ring(s) : PL_OK;
}

static void ask_for_connection(pl_session *s)
{
    if (s->pc || s->over)
        return;
    s->due.connect = true;
    session_due(s);
}

pl_err pl_session_accept(pl_session *s)
{
    if (!is_undecided(s))
        return PL_ESTATE;
    pl_err err = s->sig->backend->accept ? s->sig->backend->accept(s) : PL_OK;
    if (err)
        return err;
    s->accepted = true;
    if (s->early)
        ask_for_connection(s);
    return PL_OK;
}

/* ---- what the way says ---- */

void pl_session_rings(pl_session *s)
{
    if (s->over || !s->outgoing || s->negotiation.agreed)
        return;
    s->due.ringing = true;
    session_due(s);
}

void pl_session_reached(pl_session *s)
{
    if (s->over || s->reached)
        return;
    s->reached = true;
    if (s->started)
        pl_negotiation_start(&s->negotiation);
    else
        ask_for_connection(s);
}

/* An answer, or an offer that crosses ours: they take the call. */
static void note_acceptance(pl_session *s)
{
    if (!s->outgoing || s->taken)
        return;
    s->taken = s->due.accepted = true;
    session_due(s);
}

static void keep_early(pl_session *s, pl_sdp_type type, const char *sdp)
{
    if (!copy_text(&s->early, sdp)) {
        session_end(s, PL_SESSION_FAILED, "out of memory");
        return;
    }
    s->early_type = type;
    free_list(&s->early_candidates, offsetof(session_candidate, node));
    s->n_early = 0;
    s->wants[PL_AUDIO] = strstr(sdp, "m=audio ");
    s->wants[PL_VIDEO] = strstr(sdp, "m=video ");
    if (s->accepted)
        ask_for_connection(s);
}

void pl_session_described(pl_session *s, pl_sdp_type type, const char *sdp)
{
    if (s->over || s->dropped)
        return;
    if (strlen(sdp) > PL_SESSION_TEXT_MAX) {
        session_end(s, PL_SESSION_FAILED, "the peer's description is too long");
        return;
    }
    bool takes = connection_takes(s);
    if (!takes && type != PL_SDP_OFFER)
        return; /* it answers nothing */
    note_acceptance(s);
    if (takes)
        pl_negotiation_description(&s->negotiation, type, sdp);
    else
        keep_early(s, type, sdp);
}

static char *put(char **at, const char *text)
{
    if (!text)
        return NULL;
    size_t n = strlen(text) + 1;
    char *start = memcpy(*at, text, n);
    *at += n;
    return start;
}

static void keep_candidate(pl_session *s, const pl_ice_candidate *c)
{
    size_t n = strlen(c->candidate) + (c->sdp_mid ? strlen(c->sdp_mid) : 0) +
               (c->username_fragment ? strlen(c->username_fragment) : 0) + 3;
    session_candidate *k = s->n_early < PL_SESSION_EARLY_MAX && n <= 4096 ? malloc(sizeof *k + n) : NULL;
    if (!k) {
        pl_log_debug(&s->sig->log, "an early candidate is left out");
        return;
    }
    char *at = k->text;
    (void)put(&at, c->candidate);
    k->node = (pl_node){ 0 };
    k->mid = put(&at, c->sdp_mid);
    k->ufrag = put(&at, c->username_fragment);
    k->mline = c->sdp_mline_index;
    pl_list_push_back(&s->early_candidates, &k->node);
    s->n_early++;
}

void pl_session_trickled(pl_session *s, const pl_ice_candidate *c)
{
    if (s->over || s->dropped)
        return;
    if (connection_takes(s) && !s->early)
        pl_negotiation_remote_candidate(&s->negotiation, c);
    else if (s->early)
        keep_candidate(s, c);
}

void session_refused(pl_session *s, pl_err err, const char *why)
{
    s->refused_err = err;
    snprintf(s->refused_why, sizeof s->refused_why, "%s", why);
    s->due.refused = true;
    session_due(s);
}

void pl_session_refused(pl_session *s, pl_err err, const char *why)
{
    if (!s->over && s->pc)
        pl_negotiation_refused(&s->negotiation, err, why);
}

void pl_session_note(pl_session *s, const char *fmt, ...)
{
    char text[PL_SESSION_WHY_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (s->over && !s->due.ended) { /* it has heard its last event */
        pl_sig_note(s->sig, "%s", text);
        return;
    }
    size_t n = strlen(text) + 1;
    session_note *note = s->n_notes < SESSION_NOTES_MAX ? malloc(sizeof *note + n) : NULL;
    if (!note)
        return;
    note->node = (pl_node){ 0 };
    memcpy(note->text, text, n);
    pl_list_push_back(&s->notes, &note->node);
    s->n_notes++;
    if (s->handed)
        session_due(s);
}

/* ---- small things ---- */

pl_signaling *pl_session_signaling(const pl_session *s)
{
    return s->sig;
}

void *pl_session_state(const pl_session *s)
{
    return s->state;
}

void pl_session_set_state(pl_session *s, void *state)
{
    s->state = state;
}

const char *pl_session_to(const pl_session *s)
{
    return s->to;
}

bool pl_session_offers_data(const pl_session *s)
{
    return s->data;
}

void pl_session_set_peer(pl_session *s, const char *address, const char *name)
{
    if (address)
        (void)copy_text(&s->address, address);
    if (name)
        (void)copy_text(&s->name, name);
}

void pl_session_set_wants(pl_session *s, bool audio, bool video)
{
    s->wants[PL_AUDIO] = audio;
    s->wants[PL_VIDEO] = video;
}

bool pl_session_is_agreed(const pl_session *s)
{
    return s->negotiation.agreed;
}

bool pl_session_is_accepted(const pl_session *s)
{
    return s->accepted;
}

bool pl_session_is_outgoing(const pl_session *s)
{
    return s->outgoing;
}

bool pl_session_wants(const pl_session *s, pl_media_type kind)
{
    return s->wants[kind];
}

bool pl_session_is_over(const pl_session *s)
{
    return s->over;
}

bool pl_session_was_connected(const pl_session *s)
{
    return s->connected;
}

const char *pl_session_peer_name(const pl_session *s)
{
    return s->name;
}

const char *pl_session_peer_address(const pl_session *s)
{
    return s->address;
}

pl_peer_connection *pl_session_get_connection(const pl_session *s)
{
    return s->pc;
}
