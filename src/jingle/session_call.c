/* Calling and being called. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jingle/session_internal.h"

/* --- calling ------------------------------------------------------------------------------------------------------ */

static pl_err initiate(pl_jingle *j, const char *to, const char *sid, bool is_2007, pl_xml *offer,
                       pl_jingle_session **out)
{
    char id[17];
    pl_rand_ice_chars(&j->rand, id, 16);
    for (char *c = id; *c; c++) /* an NMTOKEN has no + and no / */
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
    if (!sid)
        sid = id;
    pl_err err = pl_xml_err(offer);
    if (!err && (!sid[0] || strlen(sid) > PL_JINGLE_NAME_MAX || strlen(to) > PL_JINGLE_JID_MAX ||
                 pl_jingle_find(j, to, sid)))
        err = PL_EINVAL;
    if (!err && j->n_sessions == PL_JINGLE_SESSIONS_MAX)
        err = PL_ENOSPC;
    pl_jingle_session *s = err ? NULL : pl_jingle_session_new(j, to, sid, true);
    if (!err && !s)
        err = PL_ENOMEM;
    if (err) {
        pl_xml_free(offer);
        return err;
    }
    s->is_2007 = is_2007;
    pl_xml *iq = pl_jingle_with_body(s, PL_JINGLE_SESSION_INITIATE, offer);
    err = pl_xml_err(iq);
    if (!err)
        err = pl_jingle_parts_add(s, pl_xml_child(iq, PL_NS_JINGLE, "jingle"), true, true);
    if (err)
        pl_xml_free(iq);
    else
        err = pl_jingle_queue(s, PL_JINGLE_SESSION_INITIATE, iq);
    if (err)
        pl_jingle_session_free(s);
    else
        *out = s;
    return err;
}

pl_err pl_jingle_initiate(pl_jingle *j, int64_t now_us, const char *to, const char *sid, pl_xml *offer,
                          pl_jingle_session **out)
{
    *out = NULL;
    j->now_us = now_us;
    return initiate(j, to, sid, false, offer, out);
}

pl_err pl_jingle_initiate_2007(pl_jingle *j, int64_t now_us, const char *to, pl_xml *offer,
                               pl_jingle_session **out)
{
    *out = NULL;
    j->now_us = now_us;
    return initiate(j, to, NULL, true, offer, out);
}

/* --- being called ------------------------------------------------------------------------------------------------- */

bool pl_jingle_is_undecided(const pl_jingle_session *s)
{
    return !s->we_called && !s->admitted && s->state != PL_JINGLE_ENDED;
}

void pl_jingle_tell_held(pl_jingle_session *s)
{
    PL_EACH (n, &s->held) {
        pl_jingle_out *o = pl_of(n, pl_jingle_out, node);
        pl_jingle_put(s->j, o->iq);
        o->iq = NULL;
        pl_jingle_out_free(o);
    }
    s->n_held = 0;
    s->j->n_strangers--;
    s->admitted = true;
    s->decide_by_us = PL_NEVER;
}

/* What we could take of the call: PL_JINGLE_NO_REASON, when anything. */
static pl_jingle_reason why_not(const pl_jingle_session *s)
{
    pl_jingle_reason r = PL_JINGLE_UNSUPPORTED_APPLICATIONS;
    for (size_t i = 0; i < s->n_parts; i++) {
        if (s->part[i].supported)
            return PL_JINGLE_NO_REASON;
        if (pl_jingle_takes_application(s->j, s->part[i].application))
            r = PL_JINGLE_UNSUPPORTED_TRANSPORTS;
    }
    return r;
}

/* In 2007 a call of nothing we speak was no session at all, but an error. */
static void refuse_2007(pl_jingle_session *s, pl_jingle_reason r)
{
    pl_node *n = pl_list_first(&s->held);
    if (!n)
        return;
    pl_jingle_out *o = pl_of(n, pl_jingle_out, node);
    pl_jingle_error e = r == PL_JINGLE_UNSUPPORTED_APPLICATIONS ? PL_JINGLE_UNSUPPORTED_CONTENT
                                                                : PL_JINGLE_UNSUPPORTED_TRANSPORT;
    pl_xml *iq = pl_jingle_answer_error(s->peer, pl_xml_attr_of(o->iq, "id"), e, NULL);
    pl_jingle_to_2007(iq);
    pl_xml_free(o->iq);
    o->iq = iq;
}

pl_err pl_jingle_admit(pl_jingle_session *s, int64_t now_us)
{
    if (!pl_jingle_is_undecided(s))
        return PL_ESTATE;
    s->j->now_us = now_us;
    pl_jingle_reason r = why_not(s);
    if (r && s->is_2007)
        refuse_2007(s, r);
    pl_jingle_tell_held(s);
    if (r && s->is_2007) {
        pl_jingle_end(s, r, NULL, NULL, false);
        pl_jingle_settle(s);
    } else if (r) {
        pl_jingle_hang_up(s, r, NULL, NULL);
    }
    return PL_OK;
}

void pl_jingle_turn_down(pl_jingle_session *s)
{
    pl_jingle_end(s, PL_JINGLE_NO_REASON, NULL, "service-unavailable", false);
    pl_jingle_settle(s);
}

pl_err pl_jingle_ignore(pl_jingle_session *s, int64_t now_us)
{
    if (!pl_jingle_is_undecided(s))
        return PL_ESTATE;
    s->j->now_us = now_us;
    pl_jingle_turn_down(s);
    return PL_OK;
}

pl_err pl_jingle_redirect(pl_jingle_session *s, int64_t now_us, const char *uri)
{
    if (!pl_jingle_is_undecided(s) || pl_list_empty(&s->held))
        return PL_ESTATE;
    s->j->now_us = now_us;
    pl_jingle_out *o = pl_of(pl_list_first(&s->held), pl_jingle_out, node);
    pl_xml *iq = pl_jingle_answer_error(s->peer, pl_xml_attr_of(o->iq, "id"), PL_JINGLE_REDIRECT, uri);
    pl_err err = pl_xml_err(iq);
    if (err) {
        pl_xml_free(iq);
        return err;
    }
    pl_xml_free(o->iq);
    o->iq = iq;
    pl_jingle_tell_held(s);
    pl_jingle_end(s, PL_JINGLE_NO_REASON, uri, "redirect", false);
    pl_jingle_settle(s);
    return PL_OK;
}

static bool names_part(const pl_xml *jingle, const char *name)
{
    for (const pl_xml *c = pl_xml_child(jingle, PL_NS_JINGLE, "content"); c;
         c = pl_xml_next(c, PL_NS_JINGLE, "content")) {
        if (pl_xml_attr_is(c, "name", name))
            return true;
    }
    return false;
}

/* What is not taken of a call is removed before the rest is accepted (XEP-0166 6.4). NULL with PL_OK: nothing. */
static pl_err remove_others(pl_jingle_session *s, const pl_xml *answer, pl_jingle_out **out)
{
    pl_xml *jingle, *iq = pl_jingle_begin(s, PL_JINGLE_CONTENT_REMOVE, &jingle);
    pl_jingle_reason r = PL_JINGLE_NO_REASON;
    *out = NULL;
    for (size_t i = 0; i < s->n_parts; i++) {
        const pl_jingle_part *p = &s->part[i];
        if (!p->initial || names_part(answer, p->name))
            continue;
        pl_xml *c = pl_xml_add(jingle, PL_NS_JINGLE, "content");
        pl_xml_set(c, "name", p->name);
        pl_xml_set(c, "creator", p->by_initiator ? "initiator" : "responder");
        r = p->supported                                        ? PL_JINGLE_DECLINE
            : pl_jingle_takes_application(s->j, p->application) ? PL_JINGLE_UNSUPPORTED_TRANSPORTS
                                                                : PL_JINGLE_UNSUPPORTED_APPLICATIONS;
    }
    if (r == PL_JINGLE_NO_REASON) {
        pl_xml_free(iq);
        return PL_OK;
    }
    pl_jingle_write_reason(jingle, r, NULL, NULL);
    return pl_jingle_out_new(out, PL_JINGLE_CONTENT_REMOVE, iq);
}

static pl_err may_accept(pl_jingle_session *s, const pl_xml *answer)
{
    pl_err err = pl_xml_err(answer);
    if (!err && (s->we_called || !s->admitted || s->accepting || s->state != PL_JINGLE_PENDING))
        err = PL_ESTATE;
    const pl_xml *c = err ? NULL : pl_xml_child(answer, PL_NS_JINGLE, "content");
    if (!err && !c)
        err = PL_EINVAL;
    for (; c && !err; c = pl_xml_next(c, PL_NS_JINGLE, "content")) {
        const pl_jingle_part *p = pl_jingle_part_for(s, PL_JINGLE_SESSION_ACCEPT, pl_xml_attr_of(c, "name"));
        err = p && p->initial ? PL_OK : PL_EINVAL;
    }
    return !err && s->n_requests > PL_JINGLE_REQUESTS_MAX - 2 ? PL_ENOSPC : err;
}

pl_err pl_jingle_accept(pl_jingle_session *s, int64_t now_us, pl_xml *answer)
{
    pl_jingle_out *others = NULL, *accept = NULL;
    pl_err err = may_accept(s, answer);
    if (!err)
        err = remove_others(s, answer, &others);
    if (err) {
        pl_xml_free(answer);
        return err;
    }
    s->j->now_us = now_us;
    err = pl_jingle_out_new(&accept, PL_JINGLE_SESSION_ACCEPT,
                            pl_jingle_with_body(s, PL_JINGLE_SESSION_ACCEPT, answer));
    if (err) {
        pl_jingle_out_free(others);
        return err;
    }
    if (others)
        pl_jingle_enqueue(s, others);
    pl_jingle_enqueue(s, accept);
    s->accepting = true;
    return PL_OK;
}
