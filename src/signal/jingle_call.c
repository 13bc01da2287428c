/* A room's messages over a Jingle session, and back. */
#include "signal/jingle_call.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "desc/rules.h"
#include "jingle/parse.h"
#include "jingle/write.h"
#include "sdp/sdp.h"

struct pl_jingle_call {
    pl_jingle_call_conf conf;
    char *peer, *sid;
    pl_jingle_session *session;
    bool we_called, over;
    int64_t now_us;
    pl_desc *local, *remote; /* what both sides said last */
    pl_desc *proposed;       /* our offer within the session, until the peer has it */
    uint64_t version;
};

pl_err pl_jingle_call_new(pl_jingle_call **out, const pl_jingle_call_conf *conf)
{
    *out = NULL;
    pl_jingle_call *c = calloc(1, sizeof *c);
    char *peer = strdup(conf->session ? pl_jingle_peer(conf->session) : conf->peer);
    char *sid = conf->sid && !conf->session ? strdup(conf->sid) : NULL;
    if (!c || !peer || (conf->sid && !conf->session && !sid)) {
        free(c);
        free(peer);
        free(sid);
        return PL_ENOMEM;
    }
    *c = (pl_jingle_call){
        .conf = *conf, .peer = peer, .sid = sid, .session = conf->session, .we_called = !conf->session
    };
    *out = c;
    return PL_OK;
}

pl_jingle_session *pl_jingle_call_session(const pl_jingle_call *c)
{
    return c->session;
}

/* --- to the own side -------------------------------------------------------------------------------------------- */

static void say(pl_jingle_call *c, json_t *o)
{
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    if (text)
        c->conf.message(c->conf.user, text, strlen(text));
    free(text);
    json_decref(o);
}

static void end(pl_jingle_call *c, pl_jingle_reason r, const char *why)
{
    if (c->over)
        return;
    c->over = true;
    c->session = NULL;
    c->conf.ended(c->conf.user, r, why);
}

/* The call cannot go on; the peer is told why in its words. */
static void give_up(pl_jingle_call *c, pl_jingle_reason r, const char *condition, const char *why)
{
    pl_jingle_session *s = c->session;
    char text[200];
    snprintf(text, sizeof text, "%s", why);
    if (s && pl_jingle_session_state(s) != PL_JINGLE_ENDED &&
        pl_jingle_terminate(s, c->now_us, r, why, condition))
        snprintf(text, sizeof text, "out of memory");
    end(c, r, text);
}

static void say_description(pl_jingle_call *c, const char *type, pl_desc *d)
{
    char *sdp;
    d->session_id = 1;
    d->session_version = ++c->version;
    if (pl_sdp_write(d, &sdp, NULL)) {
        give_up(c, PL_JINGLE_GENERAL_ERROR, NULL, "out of memory");
        return;
    }
    say(c, json_pack("{ss ss}", "type", type, "sdp", sdp));
    free(sdp);
}

/* --- from the peer ---------------------------------------------------------------------------------------------- */

static pl_desc *parse(pl_jingle_call *c, const pl_xml *jingle)
{
    pl_desc *d;
    pl_jingle_fault fault;
    pl_jingle_parse_conf conf = { .by_initiator = !c->we_called };
    if (pl_jingle_parse(&d, jingle, &conf, &fault))
        give_up(c, fault.reason, fault.condition, fault.text);
    return d;
}

static void keep(pl_desc **where, pl_desc *d)
{
    pl_desc_free(*where);
    *where = d;
}

static void on_offer(pl_jingle_call *c, const pl_xml *jingle)
{
    pl_desc *d = parse(c, jingle);
    if (!d)
        return;
    keep(&c->remote, d);
    say_description(c, "offer", d);
}

static void add_rejected(pl_desc *d, const pl_desc_media *like)
{
    pl_desc_media *m = pl_desc_add_media(d, (pl_desc_kind)like->kind);
    if (!m)
        return;
    m->mid = pl_desc_textz(d, like->mid);
    m->port = 0;
    m->direction = PL_INACTIVE;
}

static bool add_groups(pl_desc *d, const pl_desc *from)
{
    for (size_t i = 0; i < from->groups.n; i++) {
        pl_desc_group *g = pl_desc_add_group(d, from->groups.at[i].semantics);
        for (size_t k = 0; g && k < from->groups.at[i].mids.n; k++)
            (void)pl_desc_group_add(d, g, from->groups.at[i].mids.at[k]);
    }
    return !pl_desc_err(d);
}

/* RFC 3264 6: an answer has a section for each of the offer, in its order; Jingle names those that were taken. */
static pl_desc *in_order_of(const pl_desc *offer, const pl_desc *said)
{
    pl_desc *d;
    if (pl_desc_new(&d))
        return NULL;
    d->ice_lite = said->ice_lite;
    d->extmap_allow_mixed = said->extmap_allow_mixed;
    for (size_t i = 0; i < offer->media.n; i++) {
        const pl_desc_media *m = &offer->media.at[i];
        int k = pl_desc_rejected(m) ? -1 : pl_desc_find_mid(said, m->mid);
        if (k >= 0)
            (void)pl_desc_add_media_copy(d, &said->media.at[k]);
        else
            add_rejected(d, m);
    }
    if (add_groups(d, said))
        return d;
    pl_desc_free(d);
    return NULL;
}

static void on_accept(pl_jingle_call *c, const pl_xml *jingle)
{
    pl_desc *said = parse(c, jingle), *d = said && c->local ? in_order_of(c->local, said) : NULL;
    if (said && !d)
        give_up(c, PL_JINGLE_GENERAL_ERROR, NULL, "out of memory");
    pl_desc_free(said);
    if (!d)
        return;
    keep(&c->remote, d);
    say_description(c, "answer", d);
}

static void on_candidates(pl_jingle_call *c, const pl_xml *jingle)
{
    pl_desc *part = parse(c, jingle);
    for (size_t i = 0; part && !c->over && i < part->media.n; i++) {
        const pl_desc_media *m = &part->media.at[i];
        int index = c->remote ? pl_desc_find_mid(c->remote, m->mid) : -1;
        for (size_t k = 0; k <= m->candidates.n && index >= 0 && !c->over; k++) {
            bool last = k == m->candidates.n;
            if (last && !m->end_of_candidates)
                break;
            json_t *o = json_pack("{ss ss si}", "candidate", last ? "" : m->candidates.at[k], "sdpMid",
                                  m->mid, "sdpMLineIndex", index);
            if (o && m->ufrag)
                json_object_set_new(o, "usernameFragment", json_string(m->ufrag));
            say(c, o);
        }
    }
    pl_desc_free(part);
}

/* Who sends has changed: to our side that is an offer with other directions, whose answer says nothing new. */
static void on_modify(pl_jingle_call *c, const pl_xml *jingle)
{
    for (const pl_xml *e = pl_xml_child(jingle, PL_NS_JINGLE, "content"); e && c->remote;
         e = pl_xml_next(e, PL_NS_JINGLE, "content")) {
        const char *name = pl_xml_attr_of(e, "name");
        int i = name ? pl_desc_find_mid(c->remote, name) : -1;
        pl_jingle_senders senders;
        if (i < 0 || !pl_jingle_senders_of(pl_xml_attr_of(e, "senders"), &senders))
            continue;
        bool both = senders == PL_JINGLE_BOTH,
             peer = senders == (c->we_called ? PL_JINGLE_BY_RESPONDER : PL_JINGLE_BY_INITIATOR);
        c->remote->media.at[i].direction =
            (uint8_t)pl_direction_make(both || peer, both || (!peer && senders != PL_JINGLE_BY_NONE));
    }
    if (c->remote)
        say_description(c, "offer", c->remote);
}

static void on_remove(pl_jingle_call *c, const pl_xml *jingle)
{
    for (const pl_xml *e = pl_xml_child(jingle, PL_NS_JINGLE, "content"); e && c->remote;
         e = pl_xml_next(e, PL_NS_JINGLE, "content")) {
        const char *name = pl_xml_attr_of(e, "name");
        int i = name ? pl_desc_find_mid(c->remote, name) : -1;
        if (i >= 0) {
            c->remote->media.at[i].port = 0;
            c->remote->media.at[i].bundle_only = false;
        }
    }
    if (c->remote && c->session && pl_jingle_session_state(c->session) == PL_JINGLE_ACTIVE)
        say_description(c, "offer", c->remote);
}

/* Only what the call began with is in it. */
static void decline(pl_jingle_call *c, const pl_xml *jingle, pl_jingle_action with)
{
    pl_xml *body = pl_xml_new(PL_NS_JINGLE, "jingle");
    for (const pl_xml *e = pl_xml_child(jingle, PL_NS_JINGLE, "content"); e;
         e = pl_xml_next(e, PL_NS_JINGLE, "content")) {
        pl_xml *mine = pl_jingle_write_name(body, pl_xml_attr_of(e, "name"), NULL);
        const pl_xml *transport = pl_xml_child(e, NULL, "transport");
        if (transport && with == PL_JINGLE_TRANSPORT_REJECT)
            pl_xml_add(mine, transport->ns, "transport");
    }
    pl_xml *reason = pl_xml_add(body, PL_NS_JINGLE, "reason");
    pl_xml_add(reason, NULL, pl_jingle_reason_str(PL_JINGLE_DECLINE));
    if (pl_jingle_request(c->session, c->now_us, with, body))
        give_up(c, PL_JINGLE_GENERAL_ERROR, NULL, "the peer wants more than this call has");
}

static void on_info(pl_jingle_call *c, pl_jingle_info info)
{
    static const char *const text[PL_JINGLE_INFOS] = {
        [PL_JINGLE_RINGING] = "it rings there",          [PL_JINGLE_ACTIVE_AGAIN] = "the peer is back",
        [PL_JINGLE_HOLD] = "the peer holds the call",    [PL_JINGLE_UNHOLD] = "the peer is back",
        [PL_JINGLE_MUTE] = "the peer has gone silent",   [PL_JINGLE_UNMUTE] = "the peer can be heard again",
        [PL_JINGLE_DTMF] = "the peer has pressed a key",
    };
    if (info < PL_JINGLE_INFOS && text[info])
        c->conf.note(c->conf.user, text[info]);
}

static void on_action(pl_jingle_call *c, const pl_jingle_event *e)
{
    switch (e->action) {
    case PL_JINGLE_SESSION_ACCEPT: on_accept(c, e->jingle); break;
    case PL_JINGLE_TRANSPORT_INFO: on_candidates(c, e->jingle); break;
    case PL_JINGLE_CONTENT_MODIFY: on_modify(c, e->jingle); break;
    case PL_JINGLE_CONTENT_REMOVE: on_remove(c, e->jingle); break;
    case PL_JINGLE_CONTENT_ADD: decline(c, e->jingle, PL_JINGLE_CONTENT_REJECT); break;
    case PL_JINGLE_TRANSPORT_REPLACE: decline(c, e->jingle, PL_JINGLE_TRANSPORT_REJECT); break;
    case PL_JINGLE_SESSION_INFO: on_info(c, e->info); break;
    default: break;
    }
}

/* --- answers to what we asked ----------------------------------------------------------------------------------- */

/* The peer has our change of who sends: the answer that an offer needs is what it said before, seen from there. */
static void on_modified(pl_jingle_call *c)
{
    if (!c->proposed || !c->remote)
        return;
    for (size_t i = 0; i < c->remote->media.n && i < c->proposed->media.n; i++)
        c->remote->media.at[i].direction =
            (uint8_t)pl_direction_reverse((pl_direction)c->proposed->media.at[i].direction);
    keep(&c->local, c->proposed);
    c->proposed = NULL;
    say_description(c, "answer", c->remote);
}

static void on_end(pl_jingle_call *c, const pl_jingle_event *e)
{
    bool usual =
        e->reason == PL_JINGLE_SUCCESS || e->reason == PL_JINGLE_CANCEL || e->reason == PL_JINGLE_NO_REASON;
    char why[200];
    if (usual && !e->condition[0])
        why[0] = 0;
    else
        snprintf(why, sizeof why, "%s%s%s", pl_jingle_reason_str(e->reason), e->text[0] ? ": " : "", e->text);
    end(c, e->reason, why);
}

void pl_jingle_call_event(pl_jingle_call *c, int64_t now_us, const pl_jingle_event *e)
{
    if (c->over || !c->session || e->session != c->session)
        return;
    c->now_us = now_us;
    switch (e->kind) {
    case PL_JINGLE_INCOMING: on_offer(c, e->jingle); break;
    case PL_JINGLE_ACTION: on_action(c, e); break;
    case PL_JINGLE_ACKED:
        if (e->action == PL_JINGLE_CONTENT_MODIFY)
            on_modified(c);
        break;
    case PL_JINGLE_REFUSED:
        if (e->action == PL_JINGLE_CONTENT_MODIFY)
            keep(&c->proposed, NULL); /* the peer's own offer goes first */
        break;
    case PL_JINGLE_ENDED_NOW: on_end(c, e); break;
    }
}

/* --- from the own side ------------------------------------------------------------------------------------------ */

static pl_err body_of(pl_jingle_call *c, const pl_desc *d, pl_xml **out)
{
    *out = pl_xml_new(PL_NS_JINGLE, "jingle");
    pl_err err = pl_jingle_write(d, *out, &(pl_jingle_write_conf){ .by_initiator = c->we_called });
    if (err) {
        pl_xml_free(*out);
        *out = NULL;
    }
    return err;
}

static pl_err begin(pl_jingle_call *c, pl_desc *d)
{
    pl_xml *body;
    keep(&c->local, d);
    pl_err err = body_of(c, d, &body);
    return err ? err : pl_jingle_initiate(c->conf.jingle, c->now_us, c->peer, c->sid, body, &c->session);
}

static bool is_restart(const pl_desc *now, const pl_desc *before)
{
    for (size_t i = 0; i < now->media.n && i < before->media.n; i++) {
        const char *a = now->media.at[i].ufrag, *b = before->media.at[i].ufrag;
        if (a && b && strcmp(a, b) != 0)
            return true;
    }
    return now->media.n != before->media.n;
}

/* A later offer: who sends may change, and no more. */
static pl_err change(pl_jingle_call *c, pl_desc *d)
{
    if (!c->local || is_restart(d, c->local)) {
        pl_desc_free(d);
        c->conf.note(c->conf.user, "the other side cannot be asked for that over XMPP");
        return PL_OK;
    }
    pl_xml *body = pl_xml_new(PL_NS_JINGLE, "jingle");
    pl_jingle_write_conf how = { .by_initiator = c->we_called };
    size_t n = 0;
    for (size_t i = 0; i < d->media.n; i++) {
        const pl_desc_media *m = &d->media.at[i];
        if (m->direction == c->local->media.at[i].direction || pl_desc_rejected(m))
            continue;
        pl_xml *all = pl_xml_new(PL_NS_JINGLE, "jingle"), *content = pl_jingle_write_content(d, m, all, &how);
        const char *senders = content ? pl_xml_attr_of(content, "senders") : NULL;
        pl_jingle_write_name(body, m->mid, senders ? senders : "both");
        pl_xml_free(all);
        n++;
    }
    keep(&c->proposed, d);
    if (n)
        return pl_jingle_request(c->session, c->now_us, PL_JINGLE_CONTENT_MODIFY, body);
    pl_xml_free(body);
    on_modified(c); /* nothing that the peer need know */
    return PL_OK;
}

static pl_err answer(pl_jingle_call *c, pl_desc *d)
{
    bool first = !c->local;
    pl_xml *body;
    keep(&c->local, d);
    if (!first || c->we_called)
        return PL_OK; /* to a change that is made already */
    pl_err err = body_of(c, d, &body);
    return err ? err : pl_jingle_accept(c->session, c->now_us, body);
}

static pl_err take_description(pl_jingle_call *c, bool offer, const char *sdp)
{
    pl_desc *d;
    pl_err err = pl_sdp_parse(&d, sdp, strlen(sdp), NULL);
    if (err)
        return err;
    if (offer)
        return c->session ? change(c, d) : begin(c, d);
    if (c->session)
        return answer(c, d);
    pl_desc_free(d);
    return PL_EPROTO;
}

static pl_err take_candidate(pl_jingle_call *c, const json_t *o)
{
    const char *line = json_string_value(json_object_get(o, "candidate")),
               *mid = json_string_value(json_object_get(o, "sdpMid"));
    const json_t *mline = json_object_get(o, "sdpMLineIndex");
    if (!line || !c->local || !c->session)
        return PL_EPROTO;
    int i = pl_sdp_section(c->local, mid, json_is_integer(mline) ? (int)json_integer_value(mline) : -1);
    if (i < 0 || pl_desc_rejected(&c->local->media.at[i]))
        return PL_OK;
    pl_jingle_content first; /* a section that the peer has not taken has no content any more */
    bool there = false;
    for (size_t k = 0; pl_jingle_content_at(c->session, k, &first); k++)
        there = there || strcmp(first.name, c->local->media.at[i].mid) == 0;
    if (!there)
        return PL_OK;
    pl_xml *body = pl_xml_new(PL_NS_JINGLE, "jingle");
    pl_jingle_write_trickle(&c->local->media.at[i], &line, line[0] != 0, line[0] == 0, body,
                            &(pl_jingle_write_conf){ .by_initiator = c->we_called });
    return pl_jingle_request(c->session, c->now_us, PL_JINGLE_TRANSPORT_INFO, body);
}

static pl_err hang_up(pl_jingle_call *c)
{
    pl_jingle_session *s = c->session;
    if (!s)
        return PL_OK;
    bool active = pl_jingle_session_state(s) == PL_JINGLE_ACTIVE;
    pl_jingle_reason r = active ? PL_JINGLE_SUCCESS : c->we_called ? PL_JINGLE_CANCEL : PL_JINGLE_DECLINE;
    return pl_jingle_session_state(s) == PL_JINGLE_ENDED ? PL_OK
                                                         : pl_jingle_terminate(s, c->now_us, r, NULL, NULL);
}

static pl_err take(pl_jingle_call *c, const json_t *o)
{
    const char *type = json_string_value(json_object_get(o, "type")),
               *sdp = json_string_value(json_object_get(o, "sdp"));
    if (type && sdp && (strcmp(type, "offer") == 0 || strcmp(type, "answer") == 0))
        return take_description(c, strcmp(type, "offer") == 0, sdp);
    if (json_object_get(o, "candidate"))
        return take_candidate(c, o);
    return type && strcmp(type, "bye") == 0 ? hang_up(c) : PL_EPROTO;
}

pl_err pl_jingle_call_take(pl_jingle_call *c, int64_t now_us, const char *text, size_t len)
{
    if (c->over)
        return PL_ESTATE;
    c->now_us = now_us;
    json_t *o = json_loadb(text, len, 0, NULL);
    pl_err err = json_is_object(o) ? take(c, o) : PL_EPROTO;
    json_decref(o);
    return err;
}

void pl_jingle_call_free(pl_jingle_call *c, int64_t now_us)
{
    if (!c)
        return;
    c->now_us = now_us;
    if (!c->over && hang_up(c))
        c->over = true;
    pl_desc_free(c->local);
    pl_desc_free(c->remote);
    pl_desc_free(c->proposed);
    free(c->peer);
    free(c->sid);
    free(c);
}
