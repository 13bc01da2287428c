/* A call over a Jingle session: its life, its beginning, candidates, and who is told what. */
#include "signal/jingle_call.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sdp/sdp.h"
#include "signal/jingle_call_internal.h"

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
    *c = (pl_jingle_call){ .conf = *conf,
                           .peer = peer,
                           .sid = sid,
                           .session = conf->session,
                           .we_called = !conf->session,
                           .deadline_us = PL_NEVER };
    pl_list_init(&c->later);
    pl_list_init(&c->merged);
    if (c->session)
        pl_jingle_one_change(c->session);
    *out = c;
    return PL_OK;
}

pl_jingle_session *pl_jingle_call_session(const pl_jingle_call *c)
{
    return c->session;
}

bool pl_jingle_call_is_quiet(const pl_jingle_call *c)
{
    return !c->offer && !c->asked && !c->n_later && !c->n_out && !c->owes_credentials;
}

void pl_jingle_call_check(const pl_jingle_call *c)
{
    assert(!(c->offer && c->asked));
    assert(!c->offer == !c->reply);
    assert(!c->restarting || c->sent);
    assert(!c->sent || c->offer);
    assert((c->deadline_us != PL_NEVER) <= c->sent);
    assert(!c->local || !c->remote || c->local->media.n == c->remote->media.n);
    assert(!c->reply || c->reply->media.n == c->offer->media.n);
    assert(!c->withdrawn || c->n_out > 0);
    assert(!c->over || !c->session);
}

/* --- to the own side -------------------------------------------------------------------------------------------- */

static void end(pl_jingle_call *c, pl_jingle_reason r, const char *why)
{
    if (c->over)
        return;
    c->over = true;
    c->session = NULL;
    c->conf.ended(c->conf.user, r, why);
}

void call_give_up(pl_jingle_call *c, pl_jingle_reason r, const char *condition, const char *why)
{
    pl_jingle_session *s = c->session;
    char text[200];
    snprintf(text, sizeof text, "%s", why);
    if (s && pl_jingle_session_state(s) != PL_JINGLE_ENDED &&
        pl_jingle_terminate(s, c->now_us, r, why, condition))
        snprintf(text, sizeof text, "out of memory");
    end(c, r, text);
}

/* XEP-0166 6.6, and contents that are only offered count for nothing: with the last that both sides had the transport is gone, and
 * the next would need another of both, while only one of them knows yet. */
void call_end_if_void(pl_jingle_call *c)
{
    for (int i = 0; i < c->local->media.n; i++) {
        if (call_alive(c->local, i) && call_alive(c->remote, i))
            return;
    }
    if (!c->over)
        call_give_up(c, PL_JINGLE_SUCCESS, NULL, "");
}

void call_note(pl_jingle_call *c, const char *text)
{
    c->conf.note(c->conf.user, text);
}

void call_say(pl_jingle_call *c, pl_sdp_type type, pl_desc *d)
{
    char *sdp;
    d->session_id = 1;
    d->session_version = ++c->version;
    if (pl_sdp_write(d, &sdp, NULL)) {
        call_give_up(c, PL_JINGLE_GENERAL_ERROR, NULL, "out of memory");
        return;
    }
    c->conf.description(c->conf.user, type, sdp);
    free(sdp);
}

void call_say_candidates(pl_jingle_call *c, const pl_desc_media *m, int index)
{
    size_t n = m->candidates.n + (m->end_of_candidates ? 1u : 0u);
    for (size_t k = 0; k < n && !c->over; k++) {
        const pl_ice_candidate candidate = { .candidate = k < m->candidates.n ? m->candidates.at[k] : "",
                                             .sdp_mid = m->mid,
                                             .sdp_mline_index = index,
                                             .username_fragment = m->ufrag };
        c->conf.candidate(c->conf.user, &candidate);
    }
}

/* --- to the peer -------------------------------------------------------------------------------------------------- */

bool call_has_content(const pl_jingle_call *c, const char *name, pl_jingle_content *out)
{
    for (size_t i = 0; name && c->session && pl_jingle_content_at(c->session, i, out); i++) {
        if (strcmp(out->name, name) == 0)
            return true;
    }
    return false;
}

bool call_is_ending(const pl_jingle_call *c)
{
    return c->over || pl_jingle_session_state(c->session) == PL_JINGLE_ENDED;
}

pl_err call_request(pl_jingle_call *c, pl_jingle_action action, pl_xml *body)
{
    bool old = pl_jingle_is_2007(c->session) && action == PL_JINGLE_CONTENT_REJECT;
    pl_err err = pl_jingle_request(c->session, c->now_us, old ? PL_JINGLE_CONTENT_REMOVE : action, body);
    c->n_out += err == PL_OK;
    return err;
}

/* What has no words in an old peer's Jingle it does without. */
void call_must(pl_jingle_call *c, pl_jingle_action action, pl_xml *body)
{
    if (!pl_xml_err(body) && !pl_xml_child(body, PL_NS_JINGLE, "content")) {
        pl_xml_free(body);
        return;
    }
    pl_err err = call_request(c, action, body);
    if (err && err != PL_ENOTSUP && !call_is_ending(c))
        call_give_up(c, PL_JINGLE_GENERAL_ERROR, NULL, "the change cannot be said in Jingle");
}

/* --- the first offer and answer ------------------------------------------------------------------------------------- */

static pl_desc *parse(pl_jingle_call *c, const pl_xml *jingle)
{
    pl_desc *d;
    pl_jingle_fault fault;
    const pl_jingle_parse_conf conf = { .by_initiator = !c->we_called };
    if (pl_jingle_parse(&d, jingle, &conf, &fault))
        call_give_up(c, fault.reason, fault.condition, fault.text);
    return d;
}

static void on_initiate(pl_jingle_call *c, const pl_xml *jingle)
{
    pl_desc *d = parse(c, jingle);
    if (!d)
        return;
    call_hold_to(c, d);
    c->asked = d;
    c->asked_by = PL_JINGLE_SESSION_INITIATE;
    call_say(c, PL_SDP_OFFER, d);
}

static void on_accept(pl_jingle_call *c, const pl_xml *jingle)
{
    pl_desc *said = c->local && !c->remote ? parse(c, jingle) : NULL, *d = NULL;
    if (said && !(d = call_in_order(c->local, said)))
        call_give_up(c, PL_JINGLE_GENERAL_ERROR, NULL, "out of memory");
    pl_desc_free(said);
    if (!d)
        return;
    call_hold_to(c, d);
    c->remote = d;
    for (int i = 0; i < d->media.n && !c->peer_setup; i++) {
        uint8_t setup = d->media.at[i].setup;
        if (call_alive(d, i) && (setup == PL_DESC_SETUP_ACTIVE || setup == PL_DESC_SETUP_PASSIVE))
            c->peer_setup = setup;
    }
    call_say(c, PL_SDP_ANSWER, d);
    call_next(c);
}

static pl_err begin(pl_jingle_call *c, pl_desc *d)
{
    const pl_jingle_write_conf conf = { .by_initiator = true };
    pl_xml *body = pl_xml_new(PL_NS_JINGLE, "jingle");
    pl_err err = pl_jingle_write(d, body, &conf);
    if (err)
        pl_xml_free(body);
    else
        err = pl_jingle_initiate(c->conf.jingle, c->now_us, c->peer, c->sid, body, &c->session);
    if (err) {
        pl_desc_free(d);
        return err;
    }
    c->local = d;
    pl_jingle_one_change(c->session);
    return PL_OK;
}

/* --- candidates of ours --- */

/* The section of d that a candidate of ours belongs to, by its credentials. */
static int section_of(const pl_desc *d, const pl_ice_candidate *candidate)
{
    if (!d)
        return -1;
    int i = pl_sdp_section(d, candidate->sdp_mid, candidate->sdp_mline_index);
    const char *of = candidate->username_fragment;
    bool fits = call_alive(d, i) && (!of || !d->media.at[i].ufrag || strcmp(d->media.at[i].ufrag, of) == 0);
    return fits ? i : -1;
}

/* A section that the peer has not taken, or has removed, has no content: another of its transport's speaks for it. */
static const pl_desc_media *with_content(const pl_jingle_call *c, const pl_desc *d, int i)
{
    const pl_desc_media *m = &d->media.at[i];
    pl_jingle_content content;
    if (call_has_content(c, m->mid, &content))
        return m;
    for (int k = 0; k < d->media.n; k++) {
        const pl_desc_media *other = &d->media.at[k];
        if (call_alive(d, k) && m->ufrag && other->ufrag && strcmp(m->ufrag, other->ufrag) == 0 &&
            call_has_content(c, other->mid, &content))
            return other;
    }
    return NULL;
}

/* The answer to a restart: Conversations knows it by the candidate in it, others by the part in DTLS. */
static pl_err pay_credentials(pl_jingle_call *c, const pl_desc_media *with, const char *line)
{
    pl_xml *body = pl_xml_new(PL_NS_JINGLE, "jingle");
    c->owes_credentials = false;
    for (int i = 0; i < c->local->media.n; i++) {
        const pl_desc_media *m = &c->local->media.at[i];
        pl_jingle_content content;
        bool here = with && m == with;
        if (call_alive(c->local, i) && call_has_content(c, m->mid, &content))
            call_write_transport(c, c->local, m, here && line[0] ? line : NULL, here && !line[0], body);
    }
    return pl_jingle_request(c->session, c->now_us, PL_JINGLE_TRANSPORT_INFO, body);
}

/* line "": that was all. */
pl_err call_trickle(pl_jingle_call *c, const pl_desc *d, int i, const char *line)
{
    const pl_jingle_write_conf conf = { .by_initiator = c->we_called };
    const pl_desc_media *m = with_content(c, d, i);
    if (!m)
        return PL_OK;
    if (c->owes_credentials && d == c->local)
        return pay_credentials(c, m, line);
    pl_xml *body = pl_xml_new(PL_NS_JINGLE, "jingle");
    pl_jingle_write_trickle(m, &line, line[0] != 0, line[0] == 0, body, &conf);
    return pl_jingle_request(c->session, c->now_us, PL_JINGLE_TRANSPORT_INFO, body);
}

static bool trickle_section(pl_jingle_call *c, const pl_desc *d, int i)
{
    const pl_desc_media *m = &d->media.at[i];
    size_t n = m->candidates.n + (m->end_of_candidates ? 1u : 0u);
    for (size_t k = 0; k < n && call_alive(d, i); k++) {
        if (call_trickle(c, d, i, k < m->candidates.n ? m->candidates.at[k] : ""))
            return false;
    }
    return true;
}

/* What a description that begins ICE anew, or answers that, had of them already: the messages for it have no place for them. */
void call_trickle_all(pl_jingle_call *c, const pl_desc *d)
{
    bool fits = true; /* else the session has no room, or is ending */
    for (int i = 0; i < d->media.n && fits; i++)
        fits = trickle_section(c, d, i);
}

void call_trickle_orphans(pl_jingle_call *c, const pl_desc *d)
{
    pl_jingle_content content;
    bool fits = true;
    for (int i = 0; i < d->media.n && fits; i++)
        fits = call_has_content(c, d->media.at[i].mid, &content) || trickle_section(c, d, i);
}

/* They went out with a content that the peer had just removed: others share its transport. */
static void trickle_again(pl_jingle_call *c, const pl_xml *jingle)
{
    pl_desc *said;
    const pl_jingle_parse_conf conf = { .by_initiator = c->we_called, .allow_insecure = true };
    const pl_desc *d = c->offer && c->sent ? c->offer : c->local;
    if (call_is_ending(c) || pl_jingle_parse(&said, jingle, &conf, NULL))
        return;
    for (int k = 0; k < said->media.n; k++) {
        const pl_desc_media *m = &said->media.at[k];
        pl_jingle_content content;
        if (!m->ufrag || call_has_content(c, m->mid, &content))
            continue;
        for (int i = 0; i < d->media.n; i++) {
            const pl_desc_media *other = &d->media.at[i];
            if (!call_alive(d, i) || !other->ufrag || strcmp(other->ufrag, m->ufrag) != 0 ||
                !call_has_content(c, other->mid, &content))
                continue;
            for (size_t n = 0; n < m->candidates.n; n++)
                (void)!call_trickle(c, d, i, m->candidates.at[n]);
            break;
        }
    }
    pl_desc_free(said);
}

/* --- from the peer ---------------------------------------------------------------------------------------------------- */

static void on_info(pl_jingle_call *c, pl_jingle_info info)
{
    static const char *const text[PL_JINGLE_INFOS] = {
        [PL_JINGLE_RINGING] = "it rings there",          [PL_JINGLE_ACTIVE_AGAIN] = "the peer is back",
        [PL_JINGLE_HOLD] = "the peer holds the call",    [PL_JINGLE_UNHOLD] = "the peer is back",
        [PL_JINGLE_MUTE] = "the peer has gone silent",   [PL_JINGLE_UNMUTE] = "the peer can be heard again",
        [PL_JINGLE_DTMF] = "the peer has pressed a key",
    };
    if (info < PL_JINGLE_INFOS && text[info])
        call_note(c, text[info]);
}

static void on_action(pl_jingle_call *c, const pl_jingle_event *e)
{
    switch (e->action) {
    case PL_JINGLE_SESSION_ACCEPT: on_accept(c, e->jingle); break;
    case PL_JINGLE_SESSION_INFO: on_info(c, e->info); break;
    case PL_JINGLE_CONTENT_ACCEPT: call_on_content_accept(c, e->jingle); break;
    case PL_JINGLE_CONTENT_REJECT: call_on_content_reject(c, e->jingle); break;
    case PL_JINGLE_TRANSPORT_INFO: call_transport_info(c, e->jingle); break;
    case PL_JINGLE_CONTENT_REMOVE:
        call_on_content_reject(c, e->jingle);
        call_incoming(c, e->action, e->jingle);
        break;
    case PL_JINGLE_CONTENT_ADD:
    case PL_JINGLE_CONTENT_MODIFY:
    case PL_JINGLE_DESCRIPTION_INFO:
    case PL_JINGLE_TRANSPORT_REPLACE: call_incoming(c, e->action, e->jingle); break;
    default: break;
    }
}

static bool changes_something(const pl_jingle_event *e)
{
    return e->action != PL_JINGLE_SESSION_INFO && e->action != PL_JINGLE_SESSION_INITIATE &&
           e->action != PL_JINGLE_SESSION_ACCEPT && e->action != PL_JINGLE_SESSION_TERMINATE &&
           (e->action != PL_JINGLE_TRANSPORT_INFO || pl_jingle_is_restart(e->jingle));
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
    case PL_JINGLE_INCOMING: on_initiate(c, e->jingle); break;
    case PL_JINGLE_ACTION: on_action(c, e); break;
    case PL_JINGLE_ACKED:
    case PL_JINGLE_REFUSED:
        if (changes_something(e))
            call_answered(c, e);
        else if (e->kind == PL_JINGLE_REFUSED && e->action == PL_JINGLE_TRANSPORT_INFO)
            trickle_again(c, e->jingle);
        break;
    case PL_JINGLE_ENDED_NOW: on_end(c, e); break;
    }
    call_next(c);
}

/* --- from the own side -------------------------------------------------------------------------------------------------- */

/* RFC 9143 7.1.3: later descriptions say what is shared once; Jingle says it of each content. */
static void complete(pl_desc *d)
{
    for (int i = 0; i < d->media.n; i++) {
        pl_desc_media *m = &d->media.at[i];
        if (call_alive(d, i) && m->mid && pl_desc_group_of(d, "BUNDLE", m->mid) &&
            (!m->ufrag || !m->fingerprints.n))
            call_share_transport(d, m, true);
    }
}

static bool goes_unsaid(const pl_jingle_call *c, const pl_desc_media *m)
{
    return (c->conf.no_channels && m->kind == PL_DESC_APPLICATION) ||
           (c->conf.no_video && !c->session && m->kind == PL_DESC_VIDEO);
}

/* Takes our offer, and gives it without what goes unsaid. NULL: no memory. */
static pl_desc *to_be_said(const pl_jingle_call *c, pl_desc *d)
{
    int said = 0, unsaid = 0;
    for (int i = 0; i < d->media.n; i++)
        *(goes_unsaid(c, &d->media.at[i]) ? &unsaid : &said) += call_alive(d, i);
    if (!said || !unsaid)
        return d;
    for (int i = 0; i < d->media.n; i++) {
        if (goes_unsaid(c, &d->media.at[i]))
            call_reject(&d->media.at[i]);
    }
    pl_desc *left = call_finish(d, 0);
    pl_desc_free(d);
    return left;
}

pl_err pl_jingle_call_describe(pl_jingle_call *c, int64_t now_us, pl_sdp_type type, const char *sdp)
{
    pl_desc *d;
    if (c->over)
        return PL_ESTATE;
    c->now_us = now_us;
    if (type != PL_SDP_OFFER && type != PL_SDP_ANSWER)
        return PL_EPROTO;
    pl_err err = pl_sdp_parse(&d, sdp, strlen(sdp), NULL);
    if (err)
        return err;
    complete(d);
    if (c->session && call_is_ending(c)) {
        pl_desc_free(d); /* the event that it is over is on its way */
        return PL_OK;
    }
    if (type == PL_SDP_OFFER && !(d = to_be_said(c, d)))
        return PL_ENOMEM;
    if (type == PL_SDP_OFFER)
        return c->session ? call_change(c, d) : begin(c, d);
    return call_answer(c, d);
}

pl_err pl_jingle_call_candidate(pl_jingle_call *c, int64_t now_us, const pl_ice_candidate *candidate)
{
    const char *line = candidate->candidate;
    if (c->over || !c->local || !c->session)
        return PL_ESTATE;
    c->now_us = now_us;
    int of_offer = section_of(c->offer, candidate), of_local = section_of(c->local, candidate);
    bool ours = of_offer >= 0 && (of_local < 0 || !c->owes_credentials);
    bool restarts = c->restart_due || (c->restarting && !(c->acknowledged & 1u << PL_JINGLE_TRANSPORT_INFO));
    bool goes = ours && c->sent && !restarts;
    if (goes || of_local >= 0) {
        pl_err err =
            goes ? call_trickle(c, c->offer, of_offer, line) : call_trickle(c, c->local, of_local, line);
        call_next(c); /* an offer may have waited for this one */
        return err;
    }
    if (ours && line[0])
        (void)pl_desc_add_candidate(c->offer, &c->offer->media.at[of_offer], pl_str_of(line));
    return PL_OK;
}

pl_err pl_jingle_call_hang_up(pl_jingle_call *c, int64_t now_us)
{
    pl_jingle_session *s = c->session;
    c->now_us = now_us;
    if (!s || pl_jingle_session_state(s) == PL_JINGLE_ENDED)
        return PL_OK;
    bool active = pl_jingle_session_state(s) == PL_JINGLE_ACTIVE;
    pl_jingle_reason r = active ? PL_JINGLE_SUCCESS : c->we_called ? PL_JINGLE_CANCEL : PL_JINGLE_DECLINE;
    return pl_jingle_terminate(s, now_us, r, NULL, NULL);
}

/* --- time and end --------------------------------------------------------------------------------------------------------- */

void pl_jingle_call_tick(pl_jingle_call *c, int64_t now_us)
{
    c->now_us = now_us;
    if (!c->over && c->owes_credentials && c->pay_by_us <= now_us && !call_is_ending(c))
        (void)!pay_credentials(c, NULL, "");
    if (!c->over && c->deadline_us <= now_us)
        call_overdue(c);
    if (!c->over)
        call_next(c);
}

int64_t pl_jingle_call_next_us(const pl_jingle_call *c)
{
    return c->over               ? PL_NEVER
           : c->owes_credentials ? pl_min_us(c->deadline_us, c->pay_by_us)
                                 : c->deadline_us;
}

void pl_jingle_call_free(pl_jingle_call *c, int64_t now_us)
{
    if (!c)
        return;
    if (!c->over && pl_jingle_call_hang_up(c, now_us))
        c->over = true;
    call_later_clear(c);
    pl_desc_free(c->local);
    pl_desc_free(c->remote);
    pl_desc_free(c->first);
    pl_desc_free(c->offer);
    pl_desc_free(c->reply);
    pl_desc_free(c->asked);
    pl_xml_free(c->asked_xml);
    free(c->peer);
    free(c->sid);
    free(c);
}
