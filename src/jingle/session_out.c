/* What we ask for: in order, one change after the other. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jingle/session_internal.h"

void pl_jingle_out_free(pl_jingle_out *o)
{
    if (!o)
        return;
    pl_list_remove(&o->node);
    pl_xml_free(o->iq);
    free(o);
}

/* --- the queue -------------------------------------------------------------------------------------------------- */

/* Candidates and infos may overtake each other; what changes a session goes alone, so that a link that does not keep the
 * order of stanzas (and a peer that answers late) cannot mix two changes up. */
static bool goes_alone(pl_jingle_action a)
{
    return a != PL_JINGLE_TRANSPORT_INFO && a != PL_JINGLE_SESSION_INFO && a != PL_JINGLE_DESCRIPTION_INFO &&
           a != PL_JINGLE_SECURITY_INFO;
}

static bool may_go(const pl_jingle_session *s, const pl_jingle_out *o)
{
    PL_EACH (n, &s->requests) {
        const pl_jingle_out *earlier = pl_of(n, const pl_jingle_out, node);
        if (earlier == o)
            return true;
        if (o->action == PL_JINGLE_SESSION_TERMINATE && earlier->action != PL_JINGLE_SESSION_INITIATE)
            continue; /* the end waits for nothing but its beginning */
        if (goes_alone(o->action) || goes_alone(earlier->action))
            return false;
    }
    return true;
}

/* What we agree to holds for us when it is said: a change of the peer's that comes after it changes that, even when it
 * overtakes the answer. */
static void agree(pl_jingle_session *s, const pl_jingle_out *o)
{
    bool accept = o->action == PL_JINGLE_SESSION_ACCEPT || o->action == PL_JINGLE_CONTENT_ACCEPT;
    if (!accept && o->action != PL_JINGLE_TRANSPORT_ACCEPT)
        return;
    for (const pl_xml *c = pl_xml_child(pl_jingle_of(o), PL_NS_JINGLE, "content"); c;
         c = pl_xml_next(c, PL_NS_JINGLE, "content")) {
        pl_jingle_part *p = pl_jingle_part_of(s, c);
        if (p && accept && pl_xml_attr_of(c, "senders"))
            pl_jingle_take_senders(p, c);
        if (p)
            pl_jingle_take_transport(s, p, c);
    }
}

static bool send_one(pl_jingle_session *s, pl_jingle_out *o)
{
    pl_jingle *j = s->j;
    pl_xml *iq = j->n_outputs < PL_JINGLE_OUTPUTS_MAX ? pl_xml_copy(o->iq) : NULL;
    if (iq && s->is_2007)
        pl_jingle_to_2007(iq);
    if (!iq || !pl_jingle_put(j, iq))
        return false;
    o->sent = true;
    agree(s, o);
    o->deadline_us =
        j->now_us + (o->action == PL_JINGLE_SESSION_TERMINATE ? PL_JINGLE_FAREWELL_US : j->ack_us);
    return true;
}

void pl_jingle_pump(pl_jingle_session *s)
{
    if (!s->we_called && !s->admitted)
        return;
    PL_EACH (n, &s->requests) {
        pl_jingle_out *o = pl_of(n, pl_jingle_out, node);
        if (!o->sent && may_go(s, o) && !send_one(s, o))
            return;
    }
}

pl_err pl_jingle_out_new(pl_jingle_out **out, pl_jingle_action action, pl_xml *iq)
{
    pl_err err = pl_xml_err(iq);
    pl_jingle_out *o = err ? NULL : calloc(1, sizeof *o);
    *out = o;
    if (!o) {
        pl_xml_free(iq);
        return err ? err : PL_ENOMEM;
    }
    *o = (pl_jingle_out){ .iq = iq, .action = action, .deadline_us = PL_NEVER };
    snprintf(o->id, sizeof o->id, "%s", pl_xml_attr_of(iq, "id"));
    return PL_OK;
}

void pl_jingle_enqueue(pl_jingle_session *s, pl_jingle_out *o)
{
    pl_list_push_back(&s->requests, &o->node);
    s->n_requests++;
    pl_jingle_pump(s);
}

pl_err pl_jingle_queue(pl_jingle_session *s, pl_jingle_action action, pl_xml *iq)
{
    size_t max = PL_JINGLE_REQUESTS_MAX + (action == PL_JINGLE_SESSION_TERMINATE);
    pl_jingle_out *o;
    if (s->n_requests >= max) {
        pl_xml_free(iq);
        return PL_ENOSPC;
    }
    pl_err err = pl_jingle_out_new(&o, action, iq);
    if (!err)
        pl_jingle_enqueue(s, o);
    return err;
}

/* --- making requests ---------------------------------------------------------------------------------------------- */

pl_xml *pl_jingle_begin(pl_jingle_session *s, pl_jingle_action action, pl_xml **jingle)
{
    char id[PL_JINGLE_ID_MAX];
    pl_jingle_make_id(s->j, id);
    pl_xml *iq = pl_jingle_iq(s->peer, id, action, s->sid, jingle);
    if (s->is_2007 || action == PL_JINGLE_SESSION_INITIATE || action == PL_JINGLE_SESSION_ACCEPT)
        pl_xml_set(*jingle, "initiator", s->we_called ? s->j->self : s->peer);
    if (action == PL_JINGLE_SESSION_ACCEPT)
        pl_xml_set(*jingle, "responder", s->j->self);
    return iq;
}

/* May we ask this of a content? */
bool pl_jingle_fits(pl_jingle_action action, const pl_jingle_part *p)
{
    switch (action) {
    case PL_JINGLE_SESSION_ACCEPT: return p->initial;
    case PL_JINGLE_CONTENT_ACCEPT:
    case PL_JINGLE_CONTENT_REJECT: return !p->offered_by_us && !p->accepted && !p->initial && !p->answered;
    case PL_JINGLE_TRANSPORT_ACCEPT:
    case PL_JINGLE_TRANSPORT_REJECT: return p->replacing_in;
    case PL_JINGLE_TRANSPORT_REPLACE: return !p->replacing_out;
    default: return true;
    }
}

/* Both sides may have offered one of the same name; then the one that is meant is the one it can be said of. */
const pl_jingle_part *pl_jingle_part_for(pl_jingle_session *s, pl_jingle_action action, const char *name)
{
    const pl_jingle_part *some = pl_jingle_part_named(s, name);
    for (size_t i = 0; some && i < s->n_parts; i++) {
        if (strcmp(s->part[i].name, name) == 0 && pl_jingle_fits(action, &s->part[i]))
            return &s->part[i];
    }
    return some;
}

/* Who created a content is the session's to know. */
void pl_jingle_name_creator(pl_jingle_session *s, pl_jingle_action action, pl_xml *content)
{
    const pl_jingle_part *p = action == PL_JINGLE_CONTENT_ADD
                                  ? NULL
                                  : pl_jingle_part_for(s, action, pl_xml_attr_of(content, "name"));
    bool by_initiator = p ? p->by_initiator : s->we_called;
    pl_xml_set(content, "creator", by_initiator ? "initiator" : "responder");
}

/* The caller's contents in a request; takes body. */
pl_xml *pl_jingle_with_body(pl_jingle_session *s, pl_jingle_action action, pl_xml *body)
{
    pl_xml *jingle, *iq = pl_jingle_begin(s, action, &jingle);
    for (const pl_xml *c = body->first; c; c = c->next)
        pl_xml_add_copy(jingle, c);
    for (pl_xml *c = jingle ? jingle->first : NULL; c; c = c->next) {
        if (pl_xml_is(c, PL_NS_JINGLE, "content"))
            pl_jingle_name_creator(s, action, c);
    }
    pl_xml_free(body);
    return iq;
}

pl_xml *pl_jingle_of(const pl_jingle_out *o)
{
    return pl_xml_child(o->iq, PL_NS_JINGLE, "jingle");
}

/* --- within a session --------------------------------------------------------------------------------------------- */

static pl_err check_contents(pl_jingle_session *s, pl_jingle_action action, const pl_xml *body)
{
    const pl_xml *c = pl_xml_child(body, PL_NS_JINGLE, "content");
    if (!c)
        return PL_EINVAL;
    for (; c; c = pl_xml_next(c, PL_NS_JINGLE, "content")) {
        const char *name = pl_xml_attr_of(c, "name");
        const pl_jingle_part *p = pl_jingle_part_for(s, action, name);
        if (action == PL_JINGLE_CONTENT_ADD ? !name || p : !p)
            return PL_EINVAL;
        if (action == PL_JINGLE_TRANSPORT_REPLACE && !pl_xml_child(c, NULL, "transport"))
            return PL_EINVAL;
        if (p && !pl_jingle_fits(action, p))
            return PL_ESTATE;
    }
    return PL_OK;
}

static pl_err may_request(pl_jingle_session *s, pl_jingle_action action, const pl_xml *body)
{
    pl_err err = pl_xml_err(body);
    if (err)
        return err;
    if (action == PL_JINGLE_SESSION_INITIATE || action == PL_JINGLE_SESSION_ACCEPT ||
        action == PL_JINGLE_SESSION_INFO || action == PL_JINGLE_SESSION_TERMINATE ||
        action >= PL_JINGLE_ACTIONS)
        return PL_EINVAL;
    if (s->is_2007 && !pl_jingle_action_in_2007(action))
        return PL_ENOTSUP;
    if (s->state == PL_JINGLE_ENDED || pl_jingle_is_undecided(s) ||
        (action == PL_JINGLE_CONTENT_ADD && s->is_2007 && s->state != PL_JINGLE_ACTIVE))
        return PL_ESTATE;
    if (s->n_requests >= PL_JINGLE_REQUESTS_MAX)
        return PL_ENOSPC;
    return check_contents(s, action, body);
}

/* What our request means at once: a content is on offer, a transport waits for its answer. */
static pl_err begin_change(pl_jingle_session *s, pl_jingle_action action, const pl_xml *jingle)
{
    if (action == PL_JINGLE_CONTENT_ADD)
        return pl_jingle_parts_add(s, jingle, true, false);
    for (const pl_xml *c = pl_xml_child(jingle, PL_NS_JINGLE, "content"); c;
         c = pl_xml_next(c, PL_NS_JINGLE, "content")) {
        pl_jingle_part *p = pl_jingle_part_of(s, c);
        if (action == PL_JINGLE_TRANSPORT_REPLACE && p)
            p->replacing_out = true;
        else if ((action == PL_JINGLE_TRANSPORT_ACCEPT || action == PL_JINGLE_TRANSPORT_REJECT) && p)
            p->replacing_in = false;
        else if ((action == PL_JINGLE_CONTENT_ACCEPT || action == PL_JINGLE_CONTENT_REJECT) && p)
            p->answered = true;
    }
    return PL_OK;
}

pl_err pl_jingle_request(pl_jingle_session *s, int64_t now_us, pl_jingle_action action, pl_xml *body)
{
    pl_err err = may_request(s, action, body);
    if (err) {
        pl_xml_free(body);
        return err;
    }
    s->j->now_us = now_us;
    pl_jingle_out *o;
    err = pl_jingle_out_new(&o, action, pl_jingle_with_body(s, action, body));
    if (!err)
        err = begin_change(s, action, pl_jingle_of(o));
    if (err)
        pl_jingle_out_free(o);
    else
        pl_jingle_enqueue(s, o);
    return err;
}

void pl_jingle_reject_parts(pl_jingle_session *s, const pl_xml *jingle, pl_jingle_action with,
                            pl_jingle_reason r)
{
    if (s->is_2007 && !pl_jingle_action_in_2007(with))
        with = PL_JINGLE_CONTENT_REMOVE;
    pl_xml *out, *iq = pl_jingle_begin(s, with, &out);
    for (const pl_xml *c = pl_xml_child(jingle, PL_NS_JINGLE, "content"); c;
         c = pl_xml_next(c, PL_NS_JINGLE, "content")) {
        pl_xml *e = pl_xml_add(out, PL_NS_JINGLE, "content");
        const pl_xml *transport = pl_xml_child(c, NULL, "transport");
        pl_jingle_part *p = pl_jingle_part_of(s, c);
        pl_xml_set(e, "creator", p && p->by_initiator ? "initiator" : "responder");
        pl_xml_set(e, "name", pl_xml_attr_of(c, "name"));
        if (with == PL_JINGLE_TRANSPORT_REJECT && transport)
            pl_xml_add(e, transport->ns, "transport");
        if (with == PL_JINGLE_TRANSPORT_REJECT && p)
            p->replacing_in = false;
    }
    pl_jingle_write_reason(out, r, NULL, NULL);
    pl_jingle_out *o = NULL;
    if (s->n_requests >= PL_JINGLE_REQUESTS_MAX)
        pl_xml_free(iq);
    else if (pl_jingle_out_new(&o, with, iq) == PL_OK)
        o->quiet = true;
    if (o)
        pl_jingle_enqueue(s, o);
    else
        s->j->count.lost++;
}

static pl_err may_tell(const pl_jingle_session *s)
{
    return s->state == PL_JINGLE_ENDED || pl_jingle_is_undecided(s) ? PL_ESTATE : PL_OK;
}

pl_err pl_jingle_tell(pl_jingle_session *s, int64_t now_us, pl_jingle_info info, const char *content)
{
    const pl_jingle_part *p = content ? pl_jingle_part_named(s, content) : NULL;
    pl_err err = may_tell(s);
    if (!err && (info > PL_JINGLE_UNMUTE || (content && !p)))
        err = PL_EINVAL;
    if (err)
        return err;
    s->j->now_us = now_us;
    pl_xml *jingle, *iq = pl_jingle_begin(s, PL_JINGLE_SESSION_INFO, &jingle);
    pl_jingle_write_info(jingle, info, p && !p->by_initiator ? "responder" : "initiator", content);
    return pl_jingle_queue(s, PL_JINGLE_SESSION_INFO, iq);
}

pl_err pl_jingle_tell_xml(pl_jingle_session *s, int64_t now_us, pl_xml *payload)
{
    pl_err err = pl_xml_err(payload);
    if (!err)
        err = may_tell(s);
    if (!err) {
        s->j->now_us = now_us;
        pl_xml *jingle, *iq = pl_jingle_begin(s, PL_JINGLE_SESSION_INFO, &jingle);
        pl_xml_add_copy(jingle, payload);
        err = pl_jingle_queue(s, PL_JINGLE_SESSION_INFO, iq);
    }
    pl_xml_free(payload);
    return err;
}

/* --- the end -------------------------------------------------------------------------------------------------------- */

void pl_jingle_hang_up(pl_jingle_session *s, pl_jingle_reason reason, const char *text, const char *condition)
{
    if (pl_jingle_is_undecided(s))
        pl_jingle_tell_held(s); /* whoever is told that it is over was told that it was there */
    pl_jingle_end(s, reason, text, condition, false);
    pl_xml *jingle, *iq = pl_jingle_begin(s, PL_JINGLE_SESSION_TERMINATE, &jingle);
    pl_jingle_write_reason(jingle, reason, s->text, condition);
    s->farewell = true;
    if (pl_jingle_queue(s, PL_JINGLE_SESSION_TERMINATE, iq))
        pl_jingle_settle(s); /* it cannot even be said */
}

pl_err pl_jingle_terminate(pl_jingle_session *s, int64_t now_us, pl_jingle_reason reason, const char *text,
                           const char *condition)
{
    if (s->state == PL_JINGLE_ENDED)
        return PL_ESTATE;
    s->j->now_us = now_us;
    pl_jingle_hang_up(s, reason, text, condition);
    return PL_OK;
}
