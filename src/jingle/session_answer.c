/* Answers to what we asked for, and what happens without one. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jingle/session_internal.h"

/* --- answers ------------------------------------------------------------------------------------------------------ */

static void finish_change(pl_jingle_session *s, const pl_jingle_out *o);

static void accepted_by_peer(pl_jingle_session *s, const pl_jingle_out *o)
{
    s->accepting = false;
    s->state = PL_JINGLE_ACTIVE;
    finish_change(s, o);
    for (size_t i = s->n_parts; i > 0; i--) {
        if (s->part[i - 1].initial && !s->part[i - 1].accepted)
            pl_jingle_part_remove(s, &s->part[i - 1]);
    }
}

static void finish_part(pl_jingle_action action, pl_jingle_session *s, pl_jingle_part *p,
                        const pl_xml *content)
{
    switch (action) {
    case PL_JINGLE_SESSION_ACCEPT:
    case PL_JINGLE_CONTENT_ACCEPT: p->accepted = true; break;
    case PL_JINGLE_CONTENT_MODIFY: pl_jingle_take_senders(p, content); break;
    case PL_JINGLE_CONTENT_REMOVE:
    case PL_JINGLE_CONTENT_REJECT: pl_jingle_part_remove(s, p); break;
    default: break;
    }
}

/* The peer has it: now it holds on both sides. */
static void finish_change(pl_jingle_session *s, const pl_jingle_out *o)
{
    for (const pl_xml *c = pl_xml_child(pl_jingle_of(o), PL_NS_JINGLE, "content"); c;
         c = pl_xml_next(c, PL_NS_JINGLE, "content")) {
        pl_jingle_part *p = pl_jingle_part_of(s, c);
        if (p && !o->overruled)
            finish_part(o->action, s, p, c);
    }
}

static void forget_parts(pl_jingle_session *s, const pl_xml *jingle)
{
    for (const pl_xml *c = pl_xml_child(jingle, PL_NS_JINGLE, "content"); c;
         c = pl_xml_next(c, PL_NS_JINGLE, "content")) {
        pl_jingle_part *p = pl_jingle_part_of(s, c);
        if (p)
            pl_jingle_part_remove(s, p);
    }
}

static void take_back(pl_jingle_session *s, const pl_jingle_out *o)
{
    if (o->action == PL_JINGLE_CONTENT_ADD)
        forget_parts(s, pl_jingle_of(o));
    for (const pl_xml *c = pl_xml_child(pl_jingle_of(o), PL_NS_JINGLE, "content"); c;
         c = pl_xml_next(c, PL_NS_JINGLE, "content")) {
        pl_jingle_part *p = pl_jingle_part_of(s, c);
        if (p && o->action == PL_JINGLE_TRANSPORT_REPLACE)
            p->replacing_out = false;
    }
}

/* RFC 6120 8.3.3: nobody is there, or not for us. Anything else was said by somebody who cannot take what we offered. */
static bool means_nobody(const char *condition)
{
    static const char *const word[] = { "gone",
                                        "item-not-found",
                                        "recipient-unavailable",
                                        "registration-required",
                                        "remote-server-not-found",
                                        "remote-server-timeout",
                                        "service-unavailable",
                                        "subscription-required" };
    for (size_t i = 0; i < sizeof word / sizeof *word; i++) {
        if (strcmp(condition, word[i]) == 0)
            return true;
    }
    return false;
}

static void on_call_refused(pl_jingle_session *s, pl_jingle_error e, const char *condition, const char *text)
{
    pl_jingle_reason r = e == PL_JINGLE_TIE_BREAK               ? PL_JINGLE_ALTERNATIVE_SESSION
                         : e == PL_JINGLE_UNSUPPORTED_CONTENT   ? PL_JINGLE_UNSUPPORTED_APPLICATIONS
                         : e == PL_JINGLE_UNSUPPORTED_TRANSPORT ? PL_JINGLE_UNSUPPORTED_TRANSPORTS
                         : e == PL_JINGLE_SECURITY_REQUIRED     ? PL_JINGLE_SECURITY_ERROR
                         : e == PL_JINGLE_BUSY_NOW              ? PL_JINGLE_BUSY
                         : strcmp(condition, "redirect") == 0   ? PL_JINGLE_ALTERNATIVE_SESSION
                         : means_nobody(condition)              ? PL_JINGLE_GONE
                                                                : PL_JINGLE_GENERAL_ERROR;
    pl_jingle_end(s, r, text, condition, true);
    pl_jingle_settle(s);
}

static void on_error(pl_jingle_session *s, pl_jingle_out *o, const pl_xml *answer)
{
    const char *condition, *text;
    pl_jingle_error e = pl_jingle_error_in(answer, &condition, &text);
    if (o->action == PL_JINGLE_SESSION_INITIATE) {
        on_call_refused(s, e, condition, text);
        return;
    }
    take_back(s, o);
    if (e == PL_JINGLE_UNKNOWN_SESSION) { /* the peer has forgotten it: it began anew, say */
        pl_jingle_end(s, PL_JINGLE_GONE, text, condition, true);
        pl_jingle_settle(s);
    } else if (o->action == PL_JINGLE_SESSION_ACCEPT) {
        pl_jingle_hang_up(s, PL_JINGLE_GENERAL_ERROR, "the answer was refused", NULL);
    }
}

static void on_farewell_answer(pl_jingle_session *s, const pl_xml *answer)
{
    const char *condition, *text;
    s->farewell = false;
    if (pl_xml_attr_is(answer, "type", "error") &&
        pl_jingle_error_in(answer, &condition, &text) == PL_JINGLE_TIE_BREAK) {
        s->outdone = true; /* the initiator's own is on its way, and holds */
        s->settle_by_us = s->j->now_us + PL_JINGLE_FAREWELL_US;
    } else {
        pl_jingle_settle(s);
    }
}

static pl_jingle_out *find_sent(pl_jingle_session *s, const char *id)
{
    PL_EACH (n, &s->requests) {
        pl_jingle_out *o = pl_of(n, pl_jingle_out, node);
        if (o->sent && strcmp(o->id, id) == 0)
            return o;
    }
    return NULL;
}

static void note_answer(pl_jingle_session *s, pl_jingle_out *o, const pl_xml *answer, bool refused)
{
    pl_xml *copy = refused ? pl_xml_copy(answer) : NULL;
    pl_jingle_note_add(s, refused ? PL_JINGLE_REFUSED : PL_JINGLE_ACKED, o->action, o->iq, copy);
    o->iq = NULL;
}

bool pl_jingle_on_answer(pl_jingle_session *s, const pl_xml *iq)
{
    pl_jingle_out *o = find_sent(s, pl_xml_attr_of(iq, "id"));
    if (!o)
        return false;
    bool refused = pl_xml_attr_is(iq, "type", "error"), over = s->state == PL_JINGLE_ENDED;
    pl_list_remove(&o->node);
    s->n_requests--;
    if (o->action == PL_JINGLE_SESSION_TERMINATE) {
        on_farewell_answer(s, iq);
    } else if (refused && !over) {
        on_error(s, o, iq);
    } else if (refused && o->action == PL_JINGLE_SESSION_INITIATE) {
        pl_jingle_settle(s); /* ended before it began */
    } else if (!over) {
        s->acknowledged = true;
        if (o->action == PL_JINGLE_SESSION_ACCEPT)
            accepted_by_peer(s, o);
        else
            finish_change(s, o);
    }
    if (!over && !o->quiet)
        note_answer(s, o, iq, refused);
    pl_jingle_out_free(o);
    if (!s->settled)
        pl_jingle_pump(s);
    return true;
}

/* --- time ------------------------------------------------------------------------------------------------------------- */

static pl_jingle_out *overdue(pl_jingle_session *s, int64_t now_us)
{
    PL_EACH (n, &s->requests) {
        pl_jingle_out *o = pl_of(n, pl_jingle_out, node);
        if (o->sent && o->deadline_us <= now_us)
            return o;
    }
    return NULL;
}

/* Whoever does not answer is not there, or not able to: the session ends, and the farewell is said without waiting. */
static void on_overdue(pl_jingle_session *s, pl_jingle_out *o)
{
    bool over = s->state == PL_JINGLE_ENDED, farewell = o->action == PL_JINGLE_SESSION_TERMINATE;
    pl_jingle_out_free(o);
    s->n_requests--;
    if (farewell)
        pl_jingle_settle(s);
    else if (over)
        pl_jingle_pump(s); /* the farewell waited for this */
    else
        pl_jingle_hang_up(s, PL_JINGLE_TIMEOUT, NULL, NULL);
}

void pl_jingle_session_tick(pl_jingle_session *s)
{
    int64_t now_us = s->j->now_us;
    if (s->settled)
        return;
    if (s->decide_by_us <= now_us)
        pl_jingle_turn_down(s);
    for (pl_jingle_out *o; !s->settled && (o = overdue(s, now_us));)
        on_overdue(s, o);
    if (!s->settled && s->settle_by_us <= now_us)
        pl_jingle_settle(s);
}

int64_t pl_jingle_session_next_us(const pl_jingle_session *s)
{
    if (s->settled)
        return PL_NEVER;
    int64_t next_us = pl_min_us(s->decide_by_us, s->settle_by_us);
    PL_EACH (n, &s->requests)
        next_us = pl_min_us(next_us, pl_of(n, const pl_jingle_out, node)->deadline_us);
    return next_us;
}
