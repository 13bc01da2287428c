/* The peer's changes: to our side they are offers, and what our side answers is what the peer is told. */
#include <stdlib.h>
#include <string.h>

#include "signal/jingle_call_internal.h"

/* --- asking our side ---------------------------------------------------------------------------------------------- */

/* Takes next: what the peer is understood to say now. */
static void ask(pl_jingle_call *c, pl_jingle_action by, pl_desc *next)
{
    pl_desc *d = next ? call_finish(next, PL_DESC_SETUP_ACTPASS) : NULL;
    pl_desc_free(next);
    if (!d) {
        call_give_up(c, PL_JINGLE_GENERAL_ERROR, NULL, "out of memory");
        return;
    }
    call_give_way(c);
    if (c->over) {
        pl_desc_free(d);
        return;
    }
    c->asked = d;
    c->asked_by = by;
    call_say(c, PL_SDP_OFFER, d);
}

pl_desc *call_parse(pl_jingle_call *c, const pl_xml *jingle, pl_jingle_fault *fault)
{
    pl_desc *d;
    const pl_jingle_parse_conf conf = { .by_initiator = !c->we_called, .allow_insecure = true };
    return pl_jingle_parse(&d, jingle, &conf, fault) ? NULL : d;
}

/* --- media that is added ---------------------------------------------------------------------------------------------- */

typedef bool content_test(const pl_jingle_call *c, const char *name);

/* Rejections say what they reject: clients know it again by its description. */
static void reject_content(const pl_xml *offered, pl_jingle_action with, pl_xml *body)
{
    const pl_xml *description = pl_xml_child(offered, NULL, "description"),
                 *transport = pl_xml_child(offered, NULL, "transport");
    pl_xml *mine =
        pl_jingle_write_name(body, pl_xml_attr_of(offered, "name"), pl_xml_attr_of(offered, "senders"));
    if (description && with == PL_JINGLE_CONTENT_REJECT)
        pl_xml_set(pl_xml_add(mine, description->ns, "description"), "media",
                   pl_xml_attr_of(description, "media"));
    if (transport)
        pl_xml_add(mine, transport->ns, "transport");
}

static void reject(pl_jingle_call *c, const pl_xml *jingle, pl_jingle_action with, pl_jingle_reason reason,
                   const char *condition, content_test *test)
{
    pl_xml *body = pl_xml_new(PL_NS_JINGLE, "jingle");
    bool some = false;
    for (const pl_xml *e = pl_xml_child(jingle, PL_NS_JINGLE, "content"); e;
         e = pl_xml_next(e, PL_NS_JINGLE, "content")) {
        const char *name = pl_xml_attr_of(e, "name");
        if (!name || (test && !test(c, name)))
            continue;
        reject_content(e, with, body);
        some = true;
    }
    pl_xml *r = some ? pl_xml_add(body, PL_NS_JINGLE, "reason") : NULL;
    pl_xml_add(r, NULL, pl_jingle_reason_str(reason));
    if (condition)
        pl_xml_add(r, PL_NS_JINGLE_RTP_ERRORS, condition);
    call_must(c, with, body);
}

/* Else it was taken back while it waited, or is answered. */
static bool is_on_offer(const pl_jingle_call *c, const char *name)
{
    pl_jingle_content content;
    for (size_t i = 0; pl_jingle_content_at(c->session, i, &content); i++) {
        if (!content.accepted && !content.offered_by_us && strcmp(content.name, name) == 0)
            return true;
    }
    return false;
}

static bool is_refused_of_asked(const pl_jingle_call *c, const char *name)
{
    return call_find(c->local, name) < 0 && is_on_offer(c, name);
}

/* RFC 9429 5.2.2: the place of a section that both sides have done with is used again, and that of its name before others. */
static int place_for(const pl_jingle_call *c, const pl_desc *next, const char *mid)
{
    int same = pl_desc_find_mid(next, mid);
    if (same >= 0)
        return same;
    for (int i = 0; i < next->media.n; i++) {
        if (!call_alive(next, i) && !call_alive(c->local, i))
            return i;
    }
    return next->media.n;
}

static pl_jingle_reason add_one(pl_jingle_call *c, pl_desc *next, const pl_desc *said, const pl_desc_media *m,
                                pl_jingle_fault *fault)
{
    bool grouped = pl_desc_group_of(said, "BUNDLE", m->mid) != NULL;
    *fault = (pl_jingle_fault){ 0 };
    if (call_find(next, m->mid) >= 0 || call_find(c->local, m->mid) >= 0)
        return PL_JINGLE_FAILED_APPLICATION; /* SDP has one name for one section */
    if (!call_knows_key(c->first, m)) {
        call_note(c, "the peer adds media with another key: refused");
        return PL_JINGLE_SECURITY_ERROR;
    }
    int i = place_for(c, next, m->mid);
    pl_desc_media *at = call_put(next, i, m);
    if (!at)
        return PL_JINGLE_GENERAL_ERROR;
    call_share_transport(next, at, grouped);
    c->added[i] = true;
    c->wish[i] = (call_wish){ 0 };
    fault->condition = at->fingerprints.n ? NULL : "crypto-required";
    return at->fingerprints.n ? PL_JINGLE_NO_REASON : PL_JINGLE_SECURITY_ERROR;
}

static void on_add(pl_jingle_call *c, const pl_xml *jingle)
{
    pl_jingle_fault fault = { 0 };
    pl_desc *said = call_parse(c, jingle, &fault), *next = call_copy(c->remote);
    pl_jingle_reason reason = said ? PL_JINGLE_NO_REASON : fault.reason;
    bool some = !said;
    memset(c->added, 0, sizeof c->added);
    for (int i = 0; said && next && !reason && i < said->media.n; i++) {
        if (!is_on_offer(c, said->media.at[i].mid))
            continue;
        some = true;
        reason = add_one(c, next, said, &said->media.at[i], &fault);
    }
    if (said && next && some && !reason)
        call_follow_transport(c, next, said);
    pl_desc_free(said);
    pl_xml *copy = next && some && !reason ? pl_xml_copy(jingle) : NULL;
    if (some && reason) {
        reject(c, jingle, PL_JINGLE_CONTENT_REJECT, reason, fault.condition, is_on_offer);
        pl_desc_free(next);
    } else if (some) {
        pl_xml_free(c->asked_xml);
        c->asked_xml = copy;
        ask(c, PL_JINGLE_CONTENT_ADD, copy ? next : (pl_desc_free(next), NULL));
    } else {
        pl_desc_free(next);
    }
}

void call_accept_added(pl_jingle_call *c)
{
    const pl_jingle_write_conf conf = { .by_initiator = c->we_called };
    pl_xml *body = pl_xml_new(PL_NS_JINGLE, "jingle");
    bool some = false;
    for (int i = 0; i < c->local->media.n; i++) {
        if (!c->added[i] || !call_alive(c->local, i) || !is_on_offer(c, c->local->media.at[i].mid))
            continue;
        (void)pl_jingle_write_content(c->local, &c->local->media.at[i], body, &conf);
        some = true;
    }
    if (some)
        pl_jingle_write_groups(c->local, body);
    call_must(c, PL_JINGLE_CONTENT_ACCEPT, body);
    if (!c->over && some)
        call_trickle_orphans(c, c->local);
    if (!c->over)
        reject(c, c->asked_xml, PL_JINGLE_CONTENT_REJECT, PL_JINGLE_DECLINE, NULL, is_refused_of_asked);
}

/* --- what changes of media that is there --------------------------------------------------------------------------------- */

static uint8_t direction_of(const pl_jingle_call *c, pl_jingle_senders senders)
{
    pl_jingle_senders peer = c->we_called ? PL_JINGLE_BY_RESPONDER : PL_JINGLE_BY_INITIATOR;
    bool both = senders == PL_JINGLE_BOTH, by_peer = senders == peer;
    return (uint8_t)pl_direction_make(both || by_peer, both || (!by_peer && senders != PL_JINGLE_BY_NONE));
}

static bool modify(pl_jingle_call *c, pl_desc *d, const pl_xml *jingle)
{
    bool some = false;
    for (const pl_xml *e = pl_xml_child(jingle, PL_NS_JINGLE, "content"); e;
         e = pl_xml_next(e, PL_NS_JINGLE, "content")) {
        int i = call_find(d, pl_xml_attr_of(e, "name"));
        pl_jingle_senders senders;
        if (i < 0 || !pl_jingle_senders_of(pl_xml_attr_of(e, "senders"), &senders))
            continue;
        uint8_t direction = direction_of(c, senders);
        pl_direction wished = pl_direction_reverse((pl_direction)c->wish[i].direction);
        c->wish[i].countered = pl_direction_and((pl_direction)direction, wished) != wished;
        d->media.at[i].direction = direction;
        some = true;
    }
    return some;
}

static bool take_out(pl_jingle_call *c, pl_desc *d, const pl_xml *jingle)
{
    bool some = false;
    for (const pl_xml *e = pl_xml_child(jingle, PL_NS_JINGLE, "content"); e;
         e = pl_xml_next(e, PL_NS_JINGLE, "content")) {
        const char *name = pl_xml_attr_of(e, "name");
        pl_jingle_content content;
        int i = call_find(d, name);
        if (i < 0 || call_has_content(c, name, &content))
            continue;
        call_reject(&d->media.at[i]);
        some = true;
    }
    return some;
}

static void take_codecs(pl_desc *d, pl_desc_media *m, const pl_desc_media *said)
{
    for (size_t i = 0; i < m->codecs.n; i++) {
        pl_desc_codec *codec = &m->codecs.at[i];
        const pl_desc_codec *now = pl_desc_codec_of_pt(said, codec->pt);
        if (now && pl_str_ieq(pl_str_of(now->name), pl_str_of(codec->name)))
            codec->fmtp = pl_desc_textz(d, now->fmtp);
    }
    if (said->bandwidth_as_kbps || said->bandwidth_tias_bps) {
        m->bandwidth_as_kbps = said->bandwidth_as_kbps;
        m->bandwidth_tias_bps = said->bandwidth_tias_bps;
    }
}

/* XEP-0167 6, XEP-0339: a codec's parameters, the bandwidth, the sources; all that it says of sources is all there are. */
static bool inform(pl_jingle_call *c, pl_desc *d, const pl_xml *jingle)
{
    pl_jingle_fault fault;
    pl_desc *said = call_parse(c, jingle, &fault), *before = call_copy(d);
    for (int k = 0; said && k < said->media.n; k++) {
        int i = call_find(d, said->media.at[k].mid);
        if (i < 0 || said->media.at[k].kind != d->media.at[i].kind || !pl_desc_is_rtp(&d->media.at[i]))
            continue;
        take_codecs(d, &d->media.at[i], &said->media.at[k]);
        pl_desc_media from = d->media.at[i];
        if (said->media.at[k].ssrcs.n || said->media.at[k].msids.n) {
            from.ssrcs = said->media.at[k].ssrcs;
            from.ssrc_groups = said->media.at[k].ssrc_groups;
            from.msids = said->media.at[k].msids;
        }
        (void)call_put(d, i, &from);
    }
    bool some = said && (!before || !pl_desc_eq(before, d));
    pl_desc_free(said);
    pl_desc_free(before);
    return some;
}

/* True: d is another now. */
static bool apply(pl_jingle_call *c, pl_jingle_action action, pl_desc *d, const pl_xml *jingle)
{
    switch (action) {
    case PL_JINGLE_CONTENT_MODIFY: return modify(c, d, jingle);
    case PL_JINGLE_CONTENT_REMOVE: return take_out(c, d, jingle);
    case PL_JINGLE_DESCRIPTION_INFO: return inform(c, d, jingle);
    default: return false;
    }
}

static void on_change(pl_jingle_call *c, pl_jingle_action action, const pl_xml *jingle)
{
    pl_desc *next = call_copy(c->remote);
    if (!next || apply(c, action, next, jingle))
        ask(c, action, next);
    else
        pl_desc_free(next);
}

static call_later *later_new(const pl_jingle_call *c, pl_jingle_action action, const pl_xml *jingle)
{
    call_later *l = c->n_later + c->n_merged < PL_JINGLE_CALL_LATER_MAX ? calloc(1, sizeof *l) : NULL;
    if (!l)
        return NULL;
    l->action = action;
    l->jingle = pl_xml_copy(jingle);
    if (l->jingle)
        return l;
    free(l);
    return NULL;
}

void call_keep_for_later(pl_jingle_call *c, pl_jingle_action action, const pl_xml *jingle)
{
    call_later *l = later_new(c, action, jingle);
    if (!l) {
        call_give_up(c, PL_JINGLE_GENERAL_ERROR, NULL, "more changes at a time than can be kept");
        return;
    }
    pl_list_push_back(&c->later, &l->node);
    c->n_later++;
}

static void later_free(call_later *l)
{
    pl_list_remove(&l->node);
    pl_xml_free(l->jingle);
    free(l);
}

static void clear(pl_list *list, size_t *n)
{
    PL_EACH (node, list)
        later_free(pl_of(node, call_later, node));
    *n = 0;
}

void call_merged_clear(pl_jingle_call *c)
{
    clear(&c->merged, &c->n_merged);
}

void call_later_clear(pl_jingle_call *c)
{
    clear(&c->later, &c->n_later);
    call_merged_clear(c);
}

/* While an offer of ours waits for its answer, such a change is part of that. */
static bool is_merged(pl_jingle_call *c, pl_jingle_action action, const pl_xml *jingle)
{
    bool may = action == PL_JINGLE_CONTENT_MODIFY || action == PL_JINGLE_CONTENT_REMOVE ||
               action == PL_JINGLE_DESCRIPTION_INFO;
    call_later *l = c->offer && c->sent && !c->n_later && may ? later_new(c, action, jingle) : NULL;
    if (!l)
        return false;
    (void)apply(c, action, c->reply, jingle);
    pl_list_push_back(&c->merged, &l->node);
    c->n_merged++;
    return true;
}

/* The offer that they were part of the answer to is no more: they are asked by themselves, and first. */
void call_unmerge(pl_jingle_call *c)
{
    PL_EACH (n, &c->later) { /* behind them */
        pl_list_remove(n);
        pl_list_push_back(&c->merged, n);
    }
    PL_EACH (n, &c->merged) {
        pl_list_remove(n);
        pl_list_push_back(&c->later, n);
    }
    c->n_later += c->n_merged;
    c->n_merged = 0;
}

void call_on_restart(pl_jingle_call *c, pl_jingle_action action, const pl_xml *jingle)
{
    pl_jingle_fault fault;
    pl_desc *said = call_parse(c, jingle, &fault), *next = said ? call_copy(c->remote) : NULL;
    pl_xml *copy = next ? pl_xml_copy(jingle) : NULL;
    if (!said && action == PL_JINGLE_TRANSPORT_REPLACE) {
        reject(c, jingle, PL_JINGLE_TRANSPORT_REJECT, fault.reason, NULL, NULL);
        return;
    }
    if (!said)
        return;
    if (copy) {
        call_take_credentials(c, next, said);
        pl_xml_free(c->asked_xml);
        c->asked_xml = copy;
    }
    pl_desc_free(said);
    ask(c, action, copy ? next : (pl_desc_free(next), NULL));
}

/* Another transport is another way to the same key, and nothing but ICE. */
static bool is_restart(pl_jingle_call *c, const pl_desc *said)
{
    for (int i = 0; i < said->media.n; i++) {
        if (!said->media.at[i].ufrag || !said->media.at[i].pwd)
            return false;
        if (!call_knows_key(c->first, &said->media.at[i])) {
            call_note(c, "the peer wants another transport with another key: refused");
            return false;
        }
    }
    return said->media.n > 0;
}

static void on_replace(pl_jingle_call *c, const pl_xml *jingle)
{
    pl_jingle_fault fault;
    pl_desc *said = call_parse(c, jingle, &fault);
    bool fine = said && is_restart(c, said);
    pl_desc_free(said);
    if (fine)
        call_on_restart(c, PL_JINGLE_TRANSPORT_REPLACE, jingle);
    else
        reject(c, jingle, PL_JINGLE_TRANSPORT_REJECT, PL_JINGLE_FAILED_TRANSPORT, NULL, NULL);
}

/* --- now or later ------------------------------------------------------------------------------------------------------------ */

static void take_in(pl_jingle_call *c, pl_jingle_action action, const pl_xml *jingle)
{
    switch (action) {
    case PL_JINGLE_CONTENT_ADD: on_add(c, jingle); break;
    case PL_JINGLE_CONTENT_MODIFY:
    case PL_JINGLE_CONTENT_REMOVE:
    case PL_JINGLE_DESCRIPTION_INFO: on_change(c, action, jingle); break;
    case PL_JINGLE_TRANSPORT_REPLACE: on_replace(c, jingle); break;
    case PL_JINGLE_TRANSPORT_INFO: call_transport_info(c, jingle); break;
    default: break;
    }
}

/* The caller's offer is waited for; that of the one who is called gives way. */
static bool is_free(const pl_jingle_call *c)
{
    return c->local && c->remote && !c->asked && !(c->offer && c->we_called) && !c->over;
}

void call_incoming(pl_jingle_call *c, pl_jingle_action action, const pl_xml *jingle)
{
    if (is_merged(c, action, jingle))
        return;
    if (!c->we_called)
        call_unmerge(c);
    call_keep_for_later(c, action, jingle);
    call_next(c);
}

/* The session may hold more, or less, than what comes of both directions: said when nothing else is under way. */
static void tell_senders(pl_jingle_call *c)
{
    pl_xml *body = pl_xml_new(PL_NS_JINGLE, "jingle");
    for (int i = 0; i < c->local->media.n; i++) {
        pl_desc_media m = c->local->media.at[i];
        pl_jingle_content content;
        if (!call_alive(c->local, i) || !call_alive(c->remote, i) || !call_has_content(c, m.mid, &content))
            continue;
        pl_direction theirs = pl_direction_reverse((pl_direction)c->remote->media.at[i].direction);
        m.direction = (uint8_t)pl_direction_and((pl_direction)m.direction, theirs);
        if (content.senders != call_senders(m.direction, c->we_called))
            call_write_senders(c, &m, body);
    }
    call_must(c, PL_JINGLE_CONTENT_MODIFY, body);
}

void call_next(pl_jingle_call *c)
{
    if (c->running)
        return;
    c->running = true;
    while (is_free(c) && c->n_later) {
        call_later *l = pl_of(pl_list_first(&c->later), call_later, node);
        pl_list_remove(&l->node);
        c->n_later--;
        take_in(c, l->action, l->jingle);
        later_free(l);
    }
    c->running = false;
    if (c->offer && !c->sent && !c->n_out && !c->over)
        call_send_offer(c);
    if (is_free(c) && !c->offer && !c->n_out && !call_is_ending(c))
        tell_senders(c);
}
