/* What the peer asks for: is it in order, what does it change, what is it answered with. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jingle/session_internal.h"

/* --- answers -------------------------------------------------------------------------------------------------- */

static pl_xml *answer_of(const pl_jingle_session *s, const char *id, pl_jingle_error e)
{
    pl_xml *iq = e ? pl_jingle_answer_error(s->peer, id, e, NULL) : pl_jingle_answer_result(s->peer, id);
    if (s->is_2007)
        pl_jingle_to_2007(iq);
    return iq;
}

/* What is held is sent on admission; more than a few a stranger does not get. */
static void hold(pl_jingle_session *s, pl_xml *iq)
{
    pl_jingle_out *o = s->n_held < PL_JINGLE_HELD_MAX ? calloc(1, sizeof *o) : NULL;
    if (!o || pl_xml_err(iq)) {
        s->j->count.lost++;
        pl_xml_free(iq);
        free(o);
        return;
    }
    o->iq = iq;
    pl_list_push_back(&s->held, &o->node);
    s->n_held++;
}

void pl_jingle_reply(pl_jingle_session *s, const char *id, pl_jingle_error e)
{
    pl_xml *iq = answer_of(s, id, e);
    if (e)
        s->j->count.refused++;
    if (s->we_called || s->admitted)
        pl_jingle_put(s->j, iq);
    else
        hold(s, iq);
}

/* --- session-initiate ------------------------------------------------------------------------------------------- */

static bool same_account(const char *a, const char *b)
{
    size_t n = strcspn(a, "/");
    return n == strcspn(b, "/") && strncmp(a, b, n) == 0;
}

/* Strangers of one account, and of all, are few at a time. */
static bool too_many(const pl_jingle *j, const char *from)
{
    size_t n_same = 0;
    PL_EACH (n, &j->sessions) {
        const pl_jingle_session *s = pl_of(n, const pl_jingle_session, in_manager);
        n_same += !s->we_called && !s->admitted && same_account(s->peer, from);
    }
    return n_same >= PL_JINGLE_STRANGERS_MAX || j->n_strangers >= PL_JINGLE_SESSIONS_MAX / 2;
}

/* Some content of both is of one kind: two calls, and not a call and a file. */
static bool is_similar(const pl_jingle_session *s, const pl_xml *jingle)
{
    for (const pl_xml *c = pl_xml_child(jingle, PL_NS_JINGLE, "content"); c;
         c = pl_xml_next(c, PL_NS_JINGLE, "content")) {
        const pl_xml *d = pl_xml_child(c, NULL, "description");
        for (size_t i = 0; d && i < s->n_parts; i++) {
            if (strcmp(s->part[i].application, d->ns) == 0)
                return true;
        }
    }
    return false;
}

/* XEP-0166 7.2.16: of two calls that cross each other, the one with the lower session id stands; of equal ones that of
 * the lower address. We are asked to give up theirs or ours; ours is refused by the peer by the same rule. */
static bool ours_goes_first(const pl_jingle *j, const char *from, const char *sid, const pl_xml *jingle)
{
    PL_EACH (n, &j->sessions) {
        const pl_jingle_session *s = pl_of(n, const pl_jingle_session, in_manager);
        if (!s->we_called || s->state != PL_JINGLE_PENDING || strcmp(s->peer, from) != 0 ||
            !is_similar(s, jingle))
            continue;
        int order = strcmp(s->sid, sid);
        if (order < 0 || (order == 0 && strcmp(j->self, from) < 0))
            return true;
    }
    return false;
}

static void refuse_initiate(pl_jingle *j, const char *from, const char *id, pl_jingle_error e, bool is_2007)
{
    pl_xml *iq = pl_jingle_answer_error(from, id, e, NULL);
    if (is_2007)
        pl_jingle_to_2007(iq);
    j->count.refused++;
    pl_jingle_put(j, iq);
}

/* Whoever asks is told nothing but an error of form before somebody decides. */
void pl_jingle_on_initiate(pl_jingle *j, const pl_xml *iq, const pl_xml *jingle, bool is_2007)
{
    const char *from = pl_xml_attr_of(iq, "from"), *id = pl_xml_attr_of(iq, "id"),
               *sid = pl_xml_attr_of(jingle, "sid");
    if (ours_goes_first(j, from, sid, jingle)) {
        refuse_initiate(j, from, id, PL_JINGLE_TIE_BREAK, is_2007);
        return;
    }
    pl_jingle_session *s = too_many(j, from) ? NULL : pl_jingle_session_new(j, from, sid, false);
    pl_xml *copy = s ? pl_xml_copy(iq) : NULL;
    if (!copy) {
        if (s)
            pl_jingle_session_free(s);
        refuse_initiate(j, from, id, PL_JINGLE_UNAVAILABLE, is_2007);
        return;
    }
    s->is_2007 = is_2007;
    s->decide_by_us = j->now_us + j->ack_us;
    pl_err err = pl_jingle_parts_add(s, jingle, false, true);
    if (!err && !pl_jingle_note_add(s, PL_JINGLE_INCOMING, PL_JINGLE_SESSION_INITIATE, copy, NULL))
        err = PL_ENOMEM;
    else if (err)
        pl_xml_free(copy);
    if (err) {
        pl_jingle_session_free(s);
        refuse_initiate(j, from, id, err == PL_EINVAL ? PL_JINGLE_BAD_REQUEST : PL_JINGLE_UNAVAILABLE,
                        is_2007);
        return;
    }
    pl_jingle_reply(s, id, PL_JINGLE_FINE);
}

/* --- is it in order? ---------------------------------------------------------------------------------------------- */

/* Our own request of this kind that is under way and concerns one of these contents. */
static pl_jingle_out *rival_of(pl_jingle_session *s, pl_jingle_action action, const pl_xml *jingle)
{
    PL_EACH (n, &s->requests) {
        pl_jingle_out *o = pl_of(n, pl_jingle_out, node);
        if (o->action != action || !o->sent)
            continue;
        const pl_xml *ours = pl_xml_child(o->iq, PL_NS_JINGLE, "jingle");
        for (const pl_xml *a = pl_xml_child(ours, PL_NS_JINGLE, "content"); a;
             a = pl_xml_next(a, PL_NS_JINGLE, "content")) {
            for (const pl_xml *b = pl_xml_child(jingle, PL_NS_JINGLE, "content"); b;
                 b = pl_xml_next(b, PL_NS_JINGLE, "content")) {
                const char *name = pl_xml_attr_of(a, "name"), *other = pl_xml_attr_of(b, "name");
                const pl_xml *da = pl_xml_child(a, NULL, "description"),
                             *db = pl_xml_child(b, NULL, "description");
                bool rtp = pl_xml_is(da, PL_NS_JINGLE_RTP, NULL) && pl_xml_is(db, PL_NS_JINGLE_RTP, NULL);
                const char *ma = rtp ? pl_xml_attr_of(da, "media") : NULL,
                           *mb = rtp ? pl_xml_attr_of(db, "media") : NULL;
                if ((name && other && strcmp(name, other) == 0) || (ma && mb && strcmp(ma, mb) == 0))
                    return o;
            }
        }
    }
    return NULL;
}

/* Candidates name their credentials, too; and the answer to a restart comes with the first of them, or says by its part in DTLS
 * that it is one. */
static bool begins_anew(const pl_xml *transport)
{
    const pl_xml *f = pl_xml_child(transport, PL_NS_JINGLE_DTLS, "fingerprint");
    const char *setup = f ? pl_xml_attr_of(f, "setup") : NULL;
    return pl_xml_attr_of(transport, "pwd") && !pl_xml_child(transport, NULL, "candidate") &&
           !pl_xml_child(transport, NULL, "gathering-complete") && (!setup || strcmp(setup, "actpass") == 0);
}

bool pl_jingle_is_restart(const pl_xml *jingle)
{
    const pl_xml *c = pl_xml_child(jingle, PL_NS_JINGLE, "content");
    bool all = c != NULL;
    for (; c && all; c = pl_xml_next(c, PL_NS_JINGLE, "content")) {
        const pl_xml *transport = pl_xml_child(c, NULL, "transport");
        all = transport && begins_anew(transport);
    }
    return all;
}

static bool is_change(pl_jingle_action action, const pl_xml *jingle)
{
    switch (action) {
    case PL_JINGLE_CONTENT_ADD:
    case PL_JINGLE_CONTENT_MODIFY:
    case PL_JINGLE_CONTENT_REMOVE:
    case PL_JINGLE_DESCRIPTION_INFO:
    case PL_JINGLE_TRANSPORT_REPLACE: return true;
    case PL_JINGLE_TRANSPORT_INFO: return pl_jingle_is_restart(jingle);
    default: return false;
    }
}

static bool changes_itself(pl_jingle_session *s)
{
    PL_EACH (n, &s->requests) {
        const pl_jingle_out *o = pl_of(n, const pl_jingle_out, node);
        if (o->sent && is_change(o->action, pl_jingle_of(o)))
            return true;
    }
    return false;
}

/* XEP-0166 7.2.16: of two requests that cross each other, the initiator's goes first. */
static pl_jingle_error break_tie(pl_jingle_session *s, pl_jingle_action action, const pl_xml *jingle)
{
    pl_jingle_out *rival = rival_of(s, action, jingle);
    if (!rival && s->we_called && s->one_change && changes_itself(s))
        return PL_JINGLE_TIE_BREAK;
    if (!rival)
        return PL_JINGLE_FINE;
    if (s->we_called)
        return PL_JINGLE_TIE_BREAK;
    rival->overruled = true;
    return PL_JINGLE_FINE;
}

typedef bool part_test(const pl_jingle_part *p);

/* At least one content, and each of them is there and passes. */
static pl_jingle_error contents_are(pl_jingle_session *s, const pl_xml *jingle, part_test *test)
{
    const pl_xml *c = pl_xml_child(jingle, PL_NS_JINGLE, "content");
    if (!c)
        return PL_JINGLE_BAD_REQUEST;
    for (; c; c = pl_xml_next(c, PL_NS_JINGLE, "content")) {
        const pl_jingle_part *p = pl_jingle_part_of(s, c);
        pl_jingle_senders senders;
        if (!p || !pl_jingle_senders_of(pl_xml_attr_of(c, "senders"), &senders))
            return PL_JINGLE_BAD_REQUEST;
        if (test && !test(p))
            return PL_JINGLE_OUT_OF_ORDER;
    }
    return PL_JINGLE_FINE;
}

static bool is_our_offer(const pl_jingle_part *p)
{
    return p->offered_by_us && !p->accepted && !p->initial;
}

static bool is_our_initial(const pl_jingle_part *p)
{
    return p->offered_by_us && p->initial;
}

static bool is_our_replacement(const pl_jingle_part *p)
{
    return p->replacing_out;
}

static bool have_transports(const pl_xml *jingle)
{
    for (const pl_xml *c = pl_xml_child(jingle, PL_NS_JINGLE, "content"); c;
         c = pl_xml_next(c, PL_NS_JINGLE, "content")) {
        if (!pl_xml_child(c, NULL, "transport"))
            return false;
    }
    return true;
}

static pl_jingle_error may_add(pl_jingle_session *s, const pl_xml *jingle)
{
    if (s->is_2007 && s->state != PL_JINGLE_ACTIVE)
        return PL_JINGLE_OUT_OF_ORDER;
    pl_jingle_error e = break_tie(s, PL_JINGLE_CONTENT_ADD, jingle);
    if (e)
        return e;
    pl_err err = pl_jingle_parts_add(s, jingle, false, false);
    return err == PL_EINVAL ? PL_JINGLE_BAD_REQUEST : err ? PL_JINGLE_BUSY_NOW : PL_JINGLE_FINE;
}

static pl_jingle_error may_modify(pl_jingle_session *s, pl_jingle_action action, const pl_xml *jingle)
{
    pl_jingle_error e = contents_are(s, jingle, NULL);
    if (!e && action == PL_JINGLE_TRANSPORT_REPLACE && !have_transports(jingle))
        e = PL_JINGLE_BAD_REQUEST;
    return e ? e : break_tie(s, action, jingle);
}

/* Whoever removes what we are removing ourselves, or what we removed just now, errs in nothing. */
static pl_jingle_error may_remove(const pl_xml *jingle)
{
    const pl_xml *c = pl_xml_child(jingle, PL_NS_JINGLE, "content");
    if (!c)
        return PL_JINGLE_BAD_REQUEST;
    for (; c; c = pl_xml_next(c, PL_NS_JINGLE, "content")) {
        if (!pl_xml_attr_of(c, "name"))
            return PL_JINGLE_BAD_REQUEST;
    }
    return PL_JINGLE_FINE;
}

static pl_jingle_error may_accept(pl_jingle_session *s, const pl_xml *jingle)
{
    if (!s->we_called || s->state != PL_JINGLE_PENDING)
        return PL_JINGLE_OUT_OF_ORDER;
    return contents_are(s, jingle, is_our_initial);
}

/* Candidates follow freely; a restart is a change. */
static pl_jingle_error may_inform(pl_jingle_session *s, const pl_xml *jingle)
{
    pl_jingle_error e = contents_are(s, jingle, NULL);
    bool tie = s->one_change && s->we_called && pl_jingle_is_restart(jingle) && changes_itself(s);
    return e ? e : tie ? PL_JINGLE_TIE_BREAK : PL_JINGLE_FINE;
}

static pl_jingle_error may_tell(const pl_xml *jingle)
{
    const pl_xml *payload;
    return pl_jingle_info_in(jingle, &payload) == PL_JINGLE_INFOS ? PL_JINGLE_UNSUPPORTED_INFO
                                                                  : PL_JINGLE_FINE;
}

static pl_jingle_error in_order(pl_jingle_session *s, pl_jingle_action action, const pl_xml *jingle)
{
    switch (action) {
    case PL_JINGLE_SESSION_ACCEPT: return may_accept(s, jingle);
    case PL_JINGLE_SESSION_INFO: return may_tell(jingle);
    case PL_JINGLE_SESSION_TERMINATE: return PL_JINGLE_FINE;
    case PL_JINGLE_CONTENT_ADD: return may_add(s, jingle);
    case PL_JINGLE_CONTENT_ACCEPT:
    case PL_JINGLE_CONTENT_REJECT: return contents_are(s, jingle, is_our_offer);
    case PL_JINGLE_CONTENT_REMOVE: return may_remove(jingle);
    case PL_JINGLE_CONTENT_MODIFY:
    case PL_JINGLE_TRANSPORT_REPLACE: return may_modify(s, action, jingle);
    case PL_JINGLE_TRANSPORT_ACCEPT:
    case PL_JINGLE_TRANSPORT_REJECT: return contents_are(s, jingle, is_our_replacement);
    case PL_JINGLE_DESCRIPTION_INFO:
    case PL_JINGLE_SECURITY_INFO: return contents_are(s, jingle, NULL);
    case PL_JINGLE_TRANSPORT_INFO: return may_inform(s, jingle);
    case PL_JINGLE_SESSION_INITIATE:
    case PL_JINGLE_ACTIONS: break;
    }
    return PL_JINGLE_OUT_OF_ORDER; /* initiated twice */
}

/* --- what it changes ---------------------------------------------------------------------------------------------- */

static void change_part(pl_jingle_session *s, pl_jingle_action action, pl_jingle_part *p,
                        const pl_xml *content)
{
    switch (action) {
    case PL_JINGLE_SESSION_ACCEPT:
    case PL_JINGLE_CONTENT_ACCEPT:
        p->accepted = true;
        if (pl_xml_attr_of(content, "senders"))
            pl_jingle_take_senders(p, content);
        pl_jingle_take_transport(s, p, content);
        break;
    case PL_JINGLE_CONTENT_MODIFY: pl_jingle_take_senders(p, content); break;
    case PL_JINGLE_CONTENT_REJECT:
    case PL_JINGLE_CONTENT_REMOVE: pl_jingle_part_remove(s, p); break;
    case PL_JINGLE_TRANSPORT_REPLACE: p->replacing_in = true; break;
    case PL_JINGLE_TRANSPORT_ACCEPT:
        p->replacing_out = false;
        pl_jingle_take_transport(s, p, content);
        break;
    case PL_JINGLE_TRANSPORT_REJECT: p->replacing_out = false; break;
    default: break;
    }
}

/* What an accepted call does not name is not part of it. */
static void drop_not_accepted(pl_jingle_session *s)
{
    for (size_t i = s->n_parts; i > 0; i--) {
        if (s->part[i - 1].initial && !s->part[i - 1].accepted)
            pl_jingle_part_remove(s, &s->part[i - 1]);
    }
}

static void change(pl_jingle_session *s, pl_jingle_action action, const pl_xml *jingle)
{
    for (const pl_xml *c = pl_xml_child(jingle, PL_NS_JINGLE, "content"); c;
         c = pl_xml_next(c, PL_NS_JINGLE, "content")) {
        pl_jingle_part *p = pl_jingle_part_of(s, c);
        if (p)
            change_part(s, action, p, c);
    }
    if (action == PL_JINGLE_SESSION_ACCEPT) {
        s->state = PL_JINGLE_ACTIVE;
        drop_not_accepted(s);
    }
}

/* XEP-0166 6.6: a session without contents is void, and whoever is left with it says so. */
static void end_if_void(pl_jingle_session *s, const pl_xml *jingle)
{
    const char *text;
    pl_jingle_reason r = pl_jingle_reason_in(jingle, &text);
    if (s->n_parts == 0)
        pl_jingle_hang_up(s, r ? r : PL_JINGLE_SUCCESS, NULL, NULL);
}

static bool all_unsupported(pl_jingle_session *s, const pl_xml *jingle, pl_jingle_action action,
                            pl_jingle_reason *reason)
{
    *reason = PL_JINGLE_UNSUPPORTED_APPLICATIONS;
    for (const pl_xml *c = pl_xml_child(jingle, PL_NS_JINGLE, "content"); c;
         c = pl_xml_next(c, PL_NS_JINGLE, "content")) {
        const pl_jingle_part *p = pl_jingle_part_of(s, c);
        const pl_xml *t = pl_xml_child(c, NULL, "transport");
        bool transport = t && pl_jingle_takes_transport(s->j, t->ns);
        bool application =
            action == PL_JINGLE_TRANSPORT_REPLACE || (p && pl_jingle_takes_application(s->j, p->application));
        if (application && transport)
            return false;
        if (application)
            *reason = PL_JINGLE_UNSUPPORTED_TRANSPORTS;
    }
    return true;
}

/* What nobody here speaks need not be decided by anybody. True: it was rejected. */
static bool rejected_at_once(pl_jingle_session *s, pl_jingle_action action, const pl_xml *jingle)
{
    pl_jingle_reason r;
    if ((action != PL_JINGLE_CONTENT_ADD && action != PL_JINGLE_TRANSPORT_REPLACE) ||
        !all_unsupported(s, jingle, action, &r))
        return false;
    pl_jingle_reject_parts(
        s, jingle, action == PL_JINGLE_CONTENT_ADD ? PL_JINGLE_CONTENT_REJECT : PL_JINGLE_TRANSPORT_REJECT,
        r);
    return true;
}

/* --- the end -------------------------------------------------------------------------------------------------------- */

static void end_by_peer(pl_jingle_session *s, const pl_xml *jingle)
{
    const char *text;
    pl_jingle_reason r = pl_jingle_reason_in(jingle, &text);
    const pl_xml *more =
        pl_xml_child(pl_xml_child(jingle, PL_NS_JINGLE, "reason"), PL_NS_JINGLE_RTP_ERRORS, NULL);
    pl_jingle_end(s, r, text, more ? more->name : NULL, true);
    pl_jingle_settle(s);
}

/* We have ended it and the peer does not know yet. Of two farewells that cross each other the initiator's holds; all else
 * can be agreed to, since nothing comes of it. */
static void on_request_after_end(pl_jingle_session *s, const char *id, pl_jingle_action action,
                                 const pl_xml *jingle)
{
    if (action != PL_JINGLE_SESSION_TERMINATE) {
        pl_jingle_reply(s, id, PL_JINGLE_FINE);
    } else if (s->we_called) {
        pl_jingle_reply(s, id, PL_JINGLE_TIE_BREAK);
    } else {
        pl_jingle_reply(s, id, PL_JINGLE_FINE);
        end_by_peer(s, jingle);
    }
}

/* --- one request ------------------------------------------------------------------------------------------------------ */

void pl_jingle_on_request(pl_jingle_session *s, const pl_xml *iq, const pl_xml *jingle)
{
    const char *id = pl_xml_attr_of(iq, "id");
    pl_jingle_action action = pl_jingle_action_of(pl_xml_attr_of(jingle, "action"));
    if (s->state == PL_JINGLE_ENDED) {
        on_request_after_end(s, id, action, jingle);
        return;
    }
    if (action == PL_JINGLE_SESSION_TERMINATE) {
        pl_jingle_reply(s, id, PL_JINGLE_FINE);
        end_by_peer(s, jingle);
        return;
    }
    pl_xml *copy = s->n_events < PL_JINGLE_EVENTS_MAX ? pl_xml_copy(iq) : NULL;
    pl_jingle_error e = copy ? in_order(s, action, jingle) : PL_JINGLE_BUSY_NOW;
    pl_jingle_reply(s, id, e);
    if (e) {
        pl_xml_free(copy);
        return;
    }
    s->acknowledged = true; /* who asks has our call, even when the answer to it is late */
    change(s, action, jingle);
    const pl_xml *payload;
    bool ping = action == PL_JINGLE_SESSION_INFO && pl_jingle_info_in(jingle, &payload) == PL_JINGLE_PING;
    if (ping || rejected_at_once(s, action, jingle))
        pl_xml_free(copy);
    else
        pl_jingle_note_add(s, PL_JINGLE_ACTION, action, copy, NULL);
    if (action == PL_JINGLE_CONTENT_REMOVE || action == PL_JINGLE_CONTENT_REJECT)
        end_if_void(s, jingle);
    pl_jingle_pump(s);
}
