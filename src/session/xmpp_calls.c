/* Calls of an XMPP account: proposed to all devices of somebody, or begun with one; and the same from the other side.
 * Source   XEP-0353 (proposals), XEP-0166; signal/jingle_call.h carries descriptions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session/xmpp_internal.h"

/* A session's state. */
typedef struct xmpp_call {
    xmpp_way *way;
    pl_session *s;
    char *to;                   /* outgoing: whom to look for */
    char *peer;                 /* a device: who calls, or takes the call; NULL: not known yet */
    char id[PL_JMI_ID_MAX + 1]; /* of the proposal; "": none */
    bool proceeds;              /* incoming: we have said yes to the proposal, the description follows */
    pl_jingle_call *jingle;
} xmpp_call;

static xmpp_way *way_of(const pl_session *s)
{
    return pl_sig_state(pl_session_signaling(s));
}

static xmpp_call *call_of(const pl_session *s)
{
    return pl_session_state(s);
}

static int64_t now(const xmpp_way *w)
{
    return pl_xmpp_client_now(w->client);
}

static pl_jmi *proposals(const xmpp_way *w)
{
    return pl_xmpp_jingle_messages(w->jingle);
}

static bool lives(const xmpp_call *c)
{
    return c && !pl_session_is_over(c->s);
}

/* By proposal, or by Jingle session. */
static xmpp_call *find(const xmpp_way *w, const char *id, const pl_jingle_session *session)
{
    for (pl_session *s = pl_sig_next(w->sig, NULL); s; s = pl_sig_next(w->sig, s)) {
        xmpp_call *c = call_of(s);
        if (!c || (id && (!lives(c) || strcmp(c->id, id) != 0)) ||
            (session && (!c->jingle || pl_jingle_call_session(c->jingle) != session)))
            continue;
        return c;
    }
    return NULL;
}

/* ---- what Jingle says ---- */

static void on_description(void *user, pl_sdp_type type, const char *sdp)
{
    pl_session_described(((xmpp_call *)user)->s, type, sdp);
}

static void on_candidate(void *user, const pl_ice_candidate *candidate)
{
    pl_session_trickled(((xmpp_call *)user)->s, candidate);
}

static void on_refused(void *user, pl_err err, const char *why)
{
    pl_session_refused(((xmpp_call *)user)->s, err, why);
}

static void on_note(void *user, const char *text)
{
    pl_session_note(((xmpp_call *)user)->s, "%s", text);
}

static pl_session_reason reason_of(const xmpp_call *c, pl_jingle_reason r)
{
    switch (r) {
    case PL_JINGLE_NO_REASON:
    case PL_JINGLE_SUCCESS: return PL_SESSION_HUNG_UP;
    case PL_JINGLE_CANCEL: return PL_SESSION_CANCELLED;
    case PL_JINGLE_DECLINE: return PL_SESSION_DECLINED;
    case PL_JINGLE_BUSY: return PL_SESSION_BUSY;
    case PL_JINGLE_ALTERNATIVE_SESSION: return PL_SESSION_ELSEWHERE;
    case PL_JINGLE_EXPIRED: return PL_SESSION_NO_ANSWER;
    case PL_JINGLE_GONE:
    case PL_JINGLE_TIMEOUT:
        return pl_session_is_outgoing(c->s) && !pl_session_is_agreed(c->s) && !c->way->cut
                   ? PL_SESSION_NOT_FOUND
                   : PL_SESSION_GONE;
    default: return PL_SESSION_FAILED;
    }
}

static void on_ended(void *user, pl_jingle_reason r, const char *why)
{
    xmpp_call *c = user;
    if (c->way->cut && pl_session_is_agreed(c->s) && !pl_session_is_over(c->s)) {
        pl_session_note(c->s, "the way to the server is lost: the call goes on, but cannot be changed");
        return;
    }
    pl_session_over(c->s, reason_of(c, r), why);
}

static pl_err join(xmpp_call *c, pl_jingle_session *session)
{
    const pl_jingle_call_conf conf = {
        .jingle = pl_xmpp_jingle_sessions(c->way->jingle),
        .peer = c->peer,
        .sid = c->id[0] ? c->id : NULL,
        .session = session,
        .no_channels = c->peer && pl_caps_can(c->way->on.caps, c->peer, PL_NS_JINGLE_CHANNELS) == PL_CAN_NOT,
        .no_video = c->id[0] && !pl_session_wants(c->s, PL_VIDEO),
        .user = c,
        .description = on_description,
        .candidate = on_candidate,
        .refused = on_refused,
        .note = on_note,
        .ended = on_ended
    };
    return conf.jingle ? pl_jingle_call_new(&c->jingle, &conf) : PL_EAGAIN;
}

/* ---- who it is ---- */

static const char *name_of(const xmpp_way *w, const char *jid, char out[PL_JID_MAX + 1])
{
    const pl_contact *contact = pl_roster_find(w->on.roster, jid);
    snprintf(out, PL_JID_MAX + 1, "%.*s", (int)strcspn(jid, "/"), jid);
    return contact && contact->name[0] ? contact->name : out;
}

static bool set_peer(xmpp_call *c, const char *device)
{
    char bare[PL_JID_MAX + 1];
    char *copy = strdup(device);
    if (!copy)
        return false;
    free(c->peer);
    c->peer = copy;
    pl_session_set_peer(c->s, device, name_of(c->way, device, bare));
    return true;
}

/* Contacts may ring; others learn nothing. */
static bool may_ring(const xmpp_way *w, const char *jid)
{
    char bare[PL_JID_MAX + 1];
    bool known = w->anybody || pl_roster_find(w->on.roster, jid);
    return pl_sig_may_call(w->sig, jid, name_of(w, jid, bare), known);
}

/* ---- calling ---- */

/* A device that can be called, and does not know proposals (it would not ring): the best of them. NULL: there are devices that
 * ring, or none whose abilities are known. */
static const char *device_without_proposals(const xmpp_way *w, const char *bare)
{
    const char *best = NULL;
    for (const pl_device *d = pl_presence_next(w->on.presence, bare, NULL); d;
         d = pl_presence_next(w->on.presence, bare, d)) {
        if (d->show == PL_SHOW_OFFLINE)
            continue;
        if (pl_caps_can(w->on.caps, d->jid, PL_NS_JINGLE_MESSAGE) == PL_CAN_UNKNOWN)
            pl_caps_ask(w->on.caps, d->jid);
        if (pl_caps_can(w->on.caps, d->jid, PL_NS_JINGLE_MESSAGE) != PL_CAN_NOT)
            return NULL;
        if (!best && pl_caps_can(w->on.caps, d->jid, PL_NS_JINGLE_RTP) == PL_CAN)
            best = d->jid;
    }
    return best;
}

static pl_err reach(xmpp_call *c, const char *device)
{
    if (!set_peer(c, device))
        return PL_ENOMEM;
    pl_err err = join(c, NULL);
    if (!err)
        pl_session_reached(c->s);
    return err;
}

static pl_err propose(xmpp_call *c)
{
    bool audio = pl_session_wants(c->s, PL_AUDIO), video = pl_session_wants(c->s, PL_VIDEO);
    return proposals(c->way) ? pl_jmi_propose(proposals(c->way), now(c->way), c->to, audio || !video, video,
                                              pl_session_offers_data(c->s), c->id)
                             : PL_EAGAIN;
}

static void dial(xmpp_call *c)
{
    pl_jid jid;
    pl_err err = pl_jid_parse(&jid, pl_str_of(c->to));
    const char *direct = err || jid.resource_n ? c->to : device_without_proposals(c->way, c->to);
    if (!err)
        err = direct ? reach(c, direct) : propose(c);
    if (err && err != PL_EAGAIN)
        pl_session_over(c->s, PL_SESSION_FAILED, "the call cannot be proposed");
}

pl_err xmpp_call_out(pl_session *s)
{
    xmpp_way *w = way_of(s);
    const char *to = pl_session_to(s) ? pl_session_to(s) : w->callee;
    pl_jid jid;
    if (!to || pl_jid_parse(&jid, pl_str_of(to)) || !jid.local_n)
        return PL_EINVAL;
    xmpp_call *c = calloc(1, sizeof *c);
    char *copy = c ? strdup(jid.text) : NULL;
    if (!copy) {
        free(c);
        return PL_ENOMEM;
    }
    *c = (xmpp_call){ .way = w, .s = s, .to = copy };
    pl_session_set_state(s, c);
    if (w->ready)
        dial(c);
    xmpp_run(w);
    return PL_OK;
}

void xmpp_calls_begin(xmpp_way *w)
{
    for (pl_session *s = pl_sig_next(w->sig, NULL); s; s = pl_sig_next(w->sig, s)) {
        xmpp_call *c = call_of(s);
        if (lives(c) && c->to && !c->jingle && !c->id[0])
            dial(c);
    }
}

void xmpp_calls_cut(xmpp_way *w)
{
    for (pl_session *s = pl_sig_next(w->sig, NULL); s; s = pl_sig_next(w->sig, s)) {
        xmpp_call *c = call_of(s);
        if (!lives(c) || c->jingle)
            continue;
        if (c->to)
            c->id[0] = 0; /* it is proposed anew */
        else
            pl_session_over(s, PL_SESSION_GONE, "the way to the server is lost");
    }
}

/* ---- being called ---- */

/* An incoming call of somebody who may; NULL: it is refused, *why says how. */
static xmpp_call *called(xmpp_way *w, const char *from, const char *id, pl_jingle_reason *why)
{
    char bare[PL_JID_MAX + 1];
    xmpp_call *c = calloc(1, sizeof *c);
    char *peer = c ? strdup(from) : NULL;
    pl_session *s;
    pl_err err = peer ? pl_sig_called(w->sig, &s, from, name_of(w, from, bare)) : PL_ENOMEM;
    if (err) {
        free(c);
        free(peer);
        *why = err == PL_ESTATE ? PL_JINGLE_DECLINE : PL_JINGLE_BUSY;
        return NULL;
    }
    *c = (xmpp_call){ .way = w, .s = s, .peer = peer };
    snprintf(c->id, sizeof c->id, "%s", id);
    pl_session_set_state(s, c);
    return c;
}

/* A session without a proposal before it: from a client that does not know them, or to this very device. */
static void on_direct(xmpp_way *w, const pl_jingle_event *e)
{
    pl_jingle_reason why;
    if (!may_ring(w, pl_jingle_peer(e->session))) {
        (void)!pl_jingle_ignore(e->session, now(w));
        return;
    }
    if (pl_jingle_admit(e->session, now(w)) || pl_jingle_session_state(e->session) == PL_JINGLE_ENDED)
        return;
    xmpp_call *c = called(w, pl_jingle_peer(e->session), "", &why);
    if (!c) {
        (void)!pl_jingle_terminate(e->session, now(w), why, NULL, NULL);
        return;
    }
    if (join(c, e->session))
        pl_session_over(c->s, PL_SESSION_FAILED, "no memory");
    else
        pl_jingle_call_event(c->jingle, now(w), e);
}

/* What follows a proposal that we said yes to. */
static void on_awaited(xmpp_call *c, const pl_jingle_event *e)
{
    (void)!pl_jmi_started(proposals(c->way), c->id);
    if (pl_jingle_admit(e->session, now(c->way)))
        return;
    if (join(c, e->session))
        pl_session_over(c->s, PL_SESSION_FAILED, "no memory");
    else
        pl_jingle_call_event(c->jingle, now(c->way), e);
}

void xmpp_on_session(void *user, const pl_jingle_event *e)
{
    xmpp_way *w = user;
    xmpp_call *c =
        e->kind == PL_JINGLE_INCOMING ? find(w, pl_jingle_sid(e->session), NULL) : find(w, NULL, e->session);
    bool rings =
        e->kind == PL_JINGLE_ACTION && e->action == PL_JINGLE_SESSION_INFO && e->info == PL_JINGLE_RINGING;
    if (e->kind == PL_JINGLE_INCOMING && c && c->proceeds && !c->jingle &&
        strcmp(pl_jingle_peer(e->session), c->peer) == 0)
        on_awaited(c, e);
    else if (e->kind == PL_JINGLE_INCOMING)
        on_direct(w, e);
    else if (c && rings)
        pl_session_rings(c->s);
    else if (c)
        pl_jingle_call_event(c->jingle, now(w), e);
}

static void on_proposed(xmpp_way *w, const pl_jmi_event *e)
{
    pl_jingle_reason why;
    if (!may_ring(w, e->from)) {
        (void)!pl_jmi_ignore(proposals(w), e->id);
        return;
    }
    xmpp_call *c = called(w, e->from, e->id, &why);
    if (c)
        pl_session_set_wants(c->s, e->audio, e->video);
    else
        (void)!pl_jmi_reject(proposals(w), e->id, why);
}

/* What becomes of a proposal, ours or theirs; it is over with the event, or goes on. */
static void on_fate(xmpp_call *c, const pl_jmi_event *e)
{
    bool ours = c->to != NULL;
    switch (e->kind) {
    case PL_JMI_RINGING: pl_session_rings(c->s); return;
    case PL_JMI_PROCEED:
        if (ours && !c->jingle && reach(c, e->from))
            pl_session_over(c->s, PL_SESSION_FAILED, "no memory");
        return;
    case PL_JMI_FINISHED: return; /* the Jingle session says it better */
    case PL_JMI_REJECTED:
        pl_session_over(c->s, e->reason == PL_JINGLE_BUSY ? PL_SESSION_BUSY : PL_SESSION_DECLINED,
                        e->tie_break ? "they call us at this moment" : "");
        break;
    case PL_JMI_RETRACTED: pl_session_over(c->s, PL_SESSION_CANCELLED, ""); break;
    case PL_JMI_TAKEN: pl_session_over(c->s, PL_SESSION_ELSEWHERE, ""); break;
    case PL_JMI_EXPIRED:
        pl_session_over(c->s, ours ? PL_SESSION_NO_ANSWER : PL_SESSION_CANCELLED,
                        ours ? "nobody answers" : "");
        break;
    case PL_JMI_FAILED:
        pl_session_over(c->s, PL_SESSION_NOT_FOUND, "there is no such account, or it takes no calls");
        break;
    case PL_JMI_INCOMING: return;
    }
    c->id[0] = 0; /* nothing came of it that could be finished */
}

void xmpp_on_proposal(void *user, const pl_jmi_event *e)
{
    xmpp_way *w = user;
    xmpp_call *c = e->kind == PL_JMI_INCOMING ? NULL : find(w, e->id, NULL);
    if (e->kind == PL_JMI_INCOMING)
        on_proposed(w, e);
    else if (c && !c->jingle)
        on_fate(c, e);
}

pl_err xmpp_ring(pl_session *s)
{
    xmpp_call *c = call_of(s);
    pl_jingle_session *session = c->jingle ? pl_jingle_call_session(c->jingle) : NULL;
    pl_err err = session             ? pl_jingle_tell(session, now(c->way), PL_JINGLE_RINGING, NULL)
                 : proposals(c->way) ? pl_jmi_ring(proposals(c->way), c->id)
                                     : PL_ESTATE;
    xmpp_run(c->way);
    return err == PL_ESTATE ? PL_OK : err; /* it is over, which is told */
}

pl_err xmpp_accept(pl_session *s)
{
    xmpp_call *c = call_of(s);
    if (c->jingle)
        return PL_OK; /* its description is here: the answer accepts it */
    pl_err err = proposals(c->way) ? pl_jmi_proceed(proposals(c->way), now(c->way), c->id) : PL_EAGAIN;
    c->proceeds = err == PL_OK;
    xmpp_run(c->way);
    return err;
}

/* ---- what our side says ---- */

pl_err xmpp_describe(pl_session *s, pl_sdp_type type, const char *sdp)
{
    xmpp_call *c = call_of(s);
    if (!c->jingle || pl_xmpp_client_state(c->way->client) != PL_XMPP_OPENED)
        return PL_EAGAIN;
    pl_err err = pl_jingle_call_describe(c->jingle, now(c->way), type, sdp);
    xmpp_run(c->way);
    return err == PL_ESTATE && pl_session_is_agreed(s) ? PL_EAGAIN : err;
}

pl_err xmpp_candidate(pl_session *s, const pl_ice_candidate *candidate)
{
    xmpp_call *c = call_of(s);
    pl_err err = c->jingle ? pl_jingle_call_candidate(c->jingle, now(c->way), candidate) : PL_ESTATE;
    xmpp_run(c->way);
    return err == PL_ESTATE ? PL_EAGAIN : err;
}

/* ---- the end ---- */

static pl_jingle_reason reason_for(const xmpp_call *c, pl_session_reason reason)
{
    switch (reason) {
    case PL_SESSION_BUSY: return PL_JINGLE_BUSY;
    case PL_SESSION_DECLINED: return PL_JINGLE_DECLINE;
    case PL_SESSION_CANCELLED: return PL_JINGLE_CANCEL;
    case PL_SESSION_NO_ANSWER: return PL_JINGLE_TIMEOUT;
    case PL_SESSION_NOT_FOUND:
    case PL_SESSION_GONE: return PL_JINGLE_GONE;
    case PL_SESSION_FAILED:
        return pl_session_is_agreed(c->s) ? PL_JINGLE_CONNECTIVITY_ERROR : PL_JINGLE_GENERAL_ERROR;
    default: return PL_JINGLE_SUCCESS;
    }
}

void xmpp_end(pl_session *s, pl_session_reason reason, const char *why)
{
    xmpp_call *c = call_of(s);
    pl_jingle_session *session = c->jingle ? pl_jingle_call_session(c->jingle) : NULL;
    pl_jmi *m = proposals(c->way);
    pl_jingle_reason r = reason_for(c, reason);
    if (session && pl_jingle_session_state(session) != PL_JINGLE_ENDED)
        (void)!pl_jingle_terminate(session, now(c->way), r, why && why[0] ? why : NULL, NULL);
    if (m && c->id[0] && c->jingle)
        (void)!pl_jmi_finish(m, c->id, r);
    else if (m && c->id[0] && c->to)
        (void)!pl_jmi_retract(m, c->id, PL_JINGLE_CANCEL);
    else if (m && c->id[0])
        (void)!pl_jmi_reject(m, c->id, r == PL_JINGLE_BUSY ? r : PL_JINGLE_DECLINE);
    c->id[0] = 0;
    xmpp_run(c->way);
}

void xmpp_drop(pl_session *s)
{
    xmpp_call *c = call_of(s);
    xmpp_way *w = c->way;
    pl_session_set_state(s, NULL);
    pl_jingle_call_free(c->jingle, now(w));
    if (c->id[0] && proposals(w))
        (void)!pl_jmi_finish(proposals(w), c->id, PL_JINGLE_SUCCESS);
    free(c->to);
    free(c->peer);
    free(c);
    xmpp_run(w);
}

/* ---- time ---- */

/* Proposed before presence told that none of their devices knows proposals. */
static void look_again(xmpp_call *c)
{
    const char *device = device_without_proposals(c->way, c->to);
    if (!device)
        return;
    (void)!pl_jmi_retract(proposals(c->way), c->id, PL_JINGLE_CANCEL);
    c->id[0] = 0;
    if (reach(c, device))
        pl_session_over(c->s, PL_SESSION_FAILED, "no memory");
}

void xmpp_calls_tick(xmpp_way *w, int64_t now_us)
{
    for (pl_session *s = pl_sig_next(w->sig, NULL); s; s = pl_sig_next(w->sig, s)) {
        xmpp_call *c = call_of(s);
        if (lives(c) && c->to && c->id[0] && !c->jingle)
            look_again(c);
        if (c && c->jingle)
            pl_jingle_call_tick(c->jingle, now_us);
    }
}

int64_t xmpp_calls_next_us(const xmpp_way *w)
{
    int64_t next_us = PL_NEVER;
    for (pl_session *s = pl_sig_next(w->sig, NULL); s; s = pl_sig_next(w->sig, s)) {
        const xmpp_call *c = call_of(s);
        if (c && c->jingle)
            next_us = pl_min_us(next_us, pl_jingle_call_next_us(c->jingle));
    }
    return next_us;
}
