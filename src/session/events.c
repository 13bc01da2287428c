/* events.c - what waits to be told to the application, of a signaling and of its sessions, in the order in which it happened.
 * The application may free the signaling and any session inside of whatever it is told. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session/session_internal.h"

/* ---- the line ---- */

void sig_enqueue(pl_signaling *sig, sig_turn *turn)
{
    if (pl_node_linked(&turn->node))
        return;
    pl_list_push_back(&sig->queue, &turn->node);
    if (!sig->timer.node.linked)
        pl_timer_set(sig->loop, &sig->timer, pl_loop_now_us(sig->loop));
}

void sig_dequeue(pl_signaling *sig, sig_turn *turn)
{
    (void)sig;
    pl_list_remove(&turn->node);
}

static void free_event(pl_signaling *sig, sig_event *e)
{
    sig->n_notes -= e->turn.kind == SIG_NOTE;
    if (e != &sig->spare)
        free(e);
}

void sig_queue_clear(pl_signaling *sig)
{
    PL_EACH (n, &sig->queue) {
        sig_turn *turn = pl_of(n, sig_turn, node);
        if (turn->kind == SIG_SESSION)
            continue;
        pl_list_remove(n);
        free_event(sig, pl_of(turn, sig_event, turn));
    }
}

static sig_event *new_event(sig_event_kind kind, const char *address, const char *text)
{
    size_t a = address ? strlen(address) + 1 : 0, b = text ? strlen(text) + 1 : 0;
    sig_event *e = calloc(1, sizeof *e + a + b);
    if (!e)
        return NULL;
    e->turn.kind = kind;
    if (address)
        e->address = memcpy(e + 1, address, a);
    if (text)
        e->text = memcpy((char *)(e + 1) + a, text, b);
    return e;
}

/* ---- telling ---- */

static void tell_peer(const pl_signaling *sig, const sig_event *e)
{
    const pl_signaling_peer peer = { e->address, e->text, e->here, e->before };
    if (sig->on.on_peer)
        sig->on.on_peer(sig->on.user, &peer);
}

static void tell_event(pl_signaling *sig, sig_event *e)
{
    const char *text = e->text ? e->text : "";
    const pl_signaling_observer *on = &sig->on;
    if (e->turn.kind == SIG_LINK)
        sig->told_link = e->link;
    if (e->turn.kind == SIG_LINK && on->on_link)
        on->on_link(on->user, e->link, e->err, text, e->again);
    else if (e->turn.kind == SIG_PEER)
        tell_peer(sig, e);
    else if (e->turn.kind == SIG_TEXT && on->on_text)
        on->on_text(on->user, text);
    else if (e->turn.kind == SIG_NOTE && on->on_note)
        on->on_note(on->user, text);
}

static void on_time(void *user, int64_t now_us)
{
    pl_signaling *sig = user;
    sig->refs++; /* it may be freed in what is told */
    for (int i = 0; i < SESSION_TURNS_MAX && !pl_list_empty(&sig->queue); i++) {
        sig_turn *turn = pl_of(pl_list_pop_front(&sig->queue), sig_turn, node);
        if (turn->kind == SIG_SESSION) {
            session_deliver(pl_of(turn, pl_session, turn));
            continue;
        }
        sig_event *e = pl_of(turn, sig_event, turn);
        tell_event(sig, e);
        free_event(sig, e);
    }
    if (!pl_list_empty(&sig->queue))
        pl_timer_set(sig->loop, &sig->timer, now_us);
    sig_unref(sig);
}

void sig_queue_init(pl_signaling *sig)
{
    pl_list_init(&sig->queue);
    sig->timer = (pl_timer){ .fn = on_time, .arg = sig };
}

/* ---- from the backends ---- */

static void link_is(pl_signaling *sig, pl_signaling_link link, pl_err err, const char *text, bool again)
{
    if (sig->dead)
        return;
    sig_event *e = new_event(SIG_LINK, NULL, text);
    if (!e) { /* told without its sentence, and perhaps in the place of one that was not told yet */
        e = &sig->spare;
        e->turn.kind = SIG_LINK;
        e->text = NULL;
    }
    sig->link = link;
    e->link = link;
    e->err = err;
    e->again = again;
    sig_enqueue(sig, &e->turn);
}

void pl_sig_opened(pl_signaling *sig, const char *text)
{
    if (sig->link != PL_LINK_OPEN)
        link_is(sig, PL_LINK_OPEN, PL_OK, text, false);
}

void pl_sig_closed(pl_signaling *sig, pl_err err, const char *why, bool again)
{
    if (sig->link == PL_LINK_CLOSED)
        return;
    link_is(sig, PL_LINK_CLOSED, err, why, again);
    if (again)
        link_is(sig, PL_LINK_OPENING, PL_OK, "", true);
}

void pl_sig_peer(pl_signaling *sig, const pl_signaling_peer *peer)
{
    if (sig->dead || !sig->on.on_peer)
        return;
    sig_event *e = new_event(SIG_PEER, peer->address, peer->name);
    if (!e) {
        pl_log_warn(&sig->log, "no memory to tell who came or left");
        return;
    }
    e->here = peer->here;
    e->before = peer->before;
    sig_enqueue(sig, &e->turn);
}

void pl_sig_text(pl_signaling *sig, const char *text)
{
    sig_event *e = sig->dead ? NULL : new_event(SIG_TEXT, NULL, text);
    if (e)
        sig_enqueue(sig, &e->turn);
    else
        pl_log_warn(&sig->log, "no memory for a text to the other side");
}

void pl_sig_note(pl_signaling *sig, const char *fmt, ...)
{
    char text[PL_SESSION_WHY_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    sig_event *e = sig->dead || sig->n_notes == SESSION_NOTES_MAX ? NULL : new_event(SIG_NOTE, NULL, text);
    if (!e)
        return;
    sig->n_notes++;
    sig_enqueue(sig, &e->turn);
}
