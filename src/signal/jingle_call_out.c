/* Our offers: what has changed in them is asked of the peer, and its answers to that make the answer. */
#include <string.h>

#include "signal/jingle_call_internal.h"

/* --- what has changed --------------------------------------------------------------------------------------------- */

/* A section that both sides had, and that our side still wants. */
static bool was_there(const pl_jingle_call *c, int i)
{
    return call_alive(c->offer, i) && call_alive(c->local, i) && call_alive(c->remote, i) &&
           strcmp(c->offer->media.at[i].mid, c->local->media.at[i].mid) == 0;
}

/* And the peer has not removed it meanwhile. */
static bool is_kept(const pl_jingle_call *c, int i)
{
    pl_jingle_content content;
    return was_there(c, i) && call_has_content(c, c->offer->media.at[i].mid, &content);
}

static bool is_added(const pl_jingle_call *c, int i)
{
    return call_alive(c->offer, i) && !was_there(c, i);
}

static bool is_removed(const pl_jingle_call *c, int i)
{
    pl_jingle_content content;
    return call_alive(c->local, i) && call_alive(c->remote, i) && !was_there(c, i) &&
           call_has_content(c, c->local->media.at[i].mid, &content);
}

/* What the peer has countered with less is not asked again: two sides that only want to send would go on for ever. */
static bool is_turned(const pl_jingle_call *c, int i)
{
    if (!is_kept(c, i) || c->offer->media.at[i].direction == c->local->media.at[i].direction)
        return false;
    const call_wish *wish = &c->wish[i];
    return !wish->countered || wish->direction != c->offer->media.at[i].direction;
}

static bool has_other_sources(const pl_jingle_call *c, int i)
{
    return is_kept(c, i) && c->offer->media.at[i].ssrcs.n + c->offer->media.at[i].msids.n > 0 &&
           !call_same_sources(&c->offer->media.at[i], &c->local->media.at[i]);
}

/* A section of what both have agreed on, whose transport others share; NULL: there is none. */
static const pl_desc_media *bundled(const pl_jingle_call *c)
{
    for (int i = 0; i < c->local->media.n; i++) {
        const pl_desc_media *m = &c->local->media.at[i];
        if (call_alive(c->local, i) && call_alive(c->remote, i) && m->ufrag &&
            pl_desc_group_of(c->local, "BUNDLE", m->mid) && pl_desc_group_of(c->remote, "BUNDLE", m->mid))
            return m;
    }
    return NULL;
}

/* What is added to a group goes on with its transport, also where nothing else is left of the group (RFC 9143 7.4). */
static const char *ufrag_before(const pl_jingle_call *c, int i)
{
    const pl_desc_media *m = NULL;
    if (is_kept(c, i))
        m = &c->local->media.at[i];
    else if (is_added(c, i) && pl_desc_group_of(c->offer, "BUNDLE", c->offer->media.at[i].mid))
        m = bundled(c);
    return m ? m->ufrag : NULL;
}

static bool is_restarted(const pl_jingle_call *c, int i)
{
    const char *before = ufrag_before(c, i), *now = before ? c->offer->media.at[i].ufrag : NULL;
    return now && strcmp(now, before) != 0;
}

static bool any(const pl_jingle_call *c, bool (*test)(const pl_jingle_call *c, int i))
{
    int n = c->offer->media.n > c->local->media.n ? c->offer->media.n : c->local->media.n;
    for (int i = 0; i < n; i++) {
        if (test(c, i))
            return true;
    }
    return false;
}

/* --- asking for it ------------------------------------------------------------------------------------------------ */

/* A restart is still to come then: until it does, the transport is the one that there is. */
static void write_added(const pl_jingle_call *c, pl_xml *body)
{
    const pl_jingle_write_conf conf = { .by_initiator = c->we_called };
    const pl_desc_media *now = NULL;
    for (int i = 0; c->restart_due && i < c->local->media.n && !now; i++)
        now = call_alive(c->local, i) && c->local->media.at[i].ufrag ? &c->local->media.at[i] : NULL;
    for (int i = 0; i < c->offer->media.n; i++) {
        pl_desc_media m = c->offer->media.at[i];
        if (!is_added(c, i))
            continue;
        if (now) {
            m.ufrag = now->ufrag;
            m.pwd = now->pwd;
            m.candidates.n = 0;
        }
        (void)pl_jingle_write_content(c->offer, &m, body, &conf);
    }
    pl_jingle_write_groups(c->offer, body);
}

static void write_removed(const pl_jingle_call *c, pl_xml *body)
{
    for (int i = 0; i < c->local->media.n; i++) {
        if (is_removed(c, i))
            pl_jingle_write_name(body, c->local->media.at[i].mid, NULL);
    }
}

static void write_turned(const pl_jingle_call *c, pl_xml *body)
{
    for (int i = 0; i < c->offer->media.n; i++) {
        if (is_turned(c, i))
            call_write_senders(c, &c->offer->media.at[i], body);
    }
}

static void write_sources(const pl_jingle_call *c, pl_xml *body)
{
    for (int i = 0; i < c->offer->media.n; i++) {
        if (has_other_sources(c, i))
            call_write_description(c, c->offer, &c->offer->media.at[i], body);
    }
}

static const struct part {
    pl_jingle_action action;
    bool (*test)(const pl_jingle_call *c, int i);
    void (*write)(const pl_jingle_call *c, pl_xml *body);
} part[] = {
    { PL_JINGLE_DESCRIPTION_INFO, has_other_sources, write_sources },
    { PL_JINGLE_CONTENT_MODIFY, is_turned, write_turned },
    { PL_JINGLE_CONTENT_ADD, is_added, write_added },
    { PL_JINGLE_CONTENT_REMOVE, is_removed, write_removed },
};
enum { PARTS = sizeof part / sizeof *part };

static pl_err ask(pl_jingle_call *c)
{
    pl_err err = PL_OK;
    for (int i = 0; i < PARTS && !err; i++) {
        if (c->acknowledged & 1u << part[i].action || !any(c, part[i].test))
            continue;
        pl_xml *body = pl_xml_new(PL_NS_JINGLE, "jingle");
        part[i].write(c, body);
        err = call_request(c, part[i].action, body);
    }
    return err;
}

/* --- the answer ------------------------------------------------------------------------------------------------------ */

static void forget_offer(pl_jingle_call *c)
{
    pl_desc_free(c->offer);
    pl_desc_free(c->reply);
    c->offer = c->reply = NULL;
    c->sent = c->restarting = c->restart_due = c->again = false;
    c->n_ties = 0;
    c->deadline_us = PL_NEVER;
    c->acknowledged = 0;
    memset(c->awaits, 0, sizeof c->awaits);
}

static bool is_waited_for(const pl_jingle_call *c)
{
    bool waits = c->n_out > 0 || c->restarting || c->again;
    for (int i = 0; i < c->offer->media.n; i++)
        waits = waits || c->awaits[i];
    return waits;
}

/* Nobody sends more than both want: where nothing was asked, what the peer said before still holds. */
static void fit_directions(pl_jingle_call *c)
{
    for (int i = 0; i < c->reply->media.n; i++) {
        pl_desc_media *m = &c->reply->media.at[i];
        pl_direction most = pl_direction_reverse((pl_direction)c->offer->media.at[i].direction);
        m->direction = (uint8_t)pl_direction_and(most, (pl_direction)m->direction);
    }
}

/* Our side takes its offer back, and is as it was before. What the peer has of it already is undone. */
static void refuse_offer(pl_jingle_call *c, pl_err err, const char *why)
{
    call_give_way(c);
    call_unmerge(c);
    c->conf.refused(c->conf.user, err, why);
}

static void ask_or_refuse(pl_jingle_call *c)
{
    c->again = false;
    pl_err err = ask(c);
    if (err == PL_ENOTSUP)
        refuse_offer(c, err, "the other side's Jingle is too old for that");
    else if (err && !call_is_ending(c))
        call_give_up(c, PL_JINGLE_GENERAL_ERROR, NULL, "the change cannot be said in Jingle");
}

/* All contents are named, since the peer may keep a transport for each. A restart comes last: once the peer has it, nothing of
 * it can be taken back. */
static void begin_restart(pl_jingle_call *c)
{
    pl_xml *body = pl_xml_new(PL_NS_JINGLE, "jingle");
    for (int i = 0; i < c->offer->media.n; i++) {
        pl_jingle_content content;
        if (call_alive(c->offer, i) && call_has_content(c, c->offer->media.at[i].mid, &content))
            call_write_transport(c, c->offer, &c->offer->media.at[i], NULL, false, body);
    }
    c->restart_due = false;
    c->restarting = true;
    c->deadline_us = c->now_us + PL_JINGLE_CALL_RESTART_US;
    call_must(c, PL_JINGLE_TRANSPORT_INFO, body);
}

static void finish_offer(pl_jingle_call *c)
{
    if (c->offer && c->again && !c->n_out)
        ask_or_refuse(c);
    if (!c->offer || !c->sent || c->over || is_waited_for(c))
        return;
    if (c->restart_due) {
        begin_restart(c);
        return;
    }
    fit_directions(c);
    pl_desc *answer = call_finish(c->reply, c->peer_setup);
    if (!answer) {
        call_give_up(c, PL_JINGLE_GENERAL_ERROR, NULL, "out of memory");
        return;
    }
    pl_desc_free(c->local);
    pl_desc_free(c->remote);
    c->local = c->offer;
    c->remote = answer;
    c->offer = NULL;
    forget_offer(c);
    call_merged_clear(c);
    call_say(c, PL_SDP_ANSWER, c->remote);
    call_end_if_void(c);
}

/* The peer has offered media of a name that ours have as well, and it was too late for a tie-break: theirs is rejected as such,
 * and comes again with another name. That of a caller goes first: ours gives way when it is its turn. */
static bool collides(pl_jingle_call *c)
{
    pl_xml *body = pl_xml_new(PL_NS_JINGLE, "jingle");
    bool some = false;
    for (int i = 0; i < c->offer->media.n; i++) {
        pl_jingle_content content;
        if (!is_added(c, i) || !call_has_content(c, c->offer->media.at[i].mid, &content))
            continue;
        some = true;
        if (c->we_called && !content.offered_by_us && !content.accepted)
            pl_jingle_write_name(body, content.name, NULL);
    }
    pl_xml *reason = pl_xml_child(body, NULL, NULL) ? pl_xml_add(body, PL_NS_JINGLE, "reason") : NULL;
    pl_xml_add(reason, NULL, pl_jingle_reason_str(PL_JINGLE_GENERAL_ERROR));
    pl_xml_add(reason, PL_NS_JINGLE_ERRORS, "tie-break");
    call_must(c, PL_JINGLE_CONTENT_REJECT, body);
    return some;
}

void call_send_offer(pl_jingle_call *c)
{
    if (c->owes_credentials || collides(c))
        return;
    c->sent = true;
    for (int i = 0; i < c->offer->media.n; i++) {
        c->awaits[i] = is_added(c, i);
        if (c->awaits[i])
            c->wish[i] =
                (call_wish){ 0 }; /* what was countered of the section that had this place is forgotten */
        if (was_there(c, i) && !is_kept(c, i))
            call_reject(&c->reply->media.at[i]);
    }
    c->restart_due = any(c, is_restarted);
    c->deadline_us = c->now_us + PL_JINGLE_CALL_ACCEPT_US;
    ask_or_refuse(c);
    finish_offer(c); /* there may be nothing that the peer need know */
}

pl_err call_change(pl_jingle_call *c, pl_desc *offer)
{
    bool ready = c->local && c->remote && !c->offer && !c->asked && !call_is_ending(c) &&
                 offer->media.n >= c->local->media.n;
    if (ready)
        c->reply = call_in_order(offer, c->remote);
    if (!ready || !c->reply) {
        pl_desc_free(offer);
        return ready ? PL_ENOMEM : PL_ESTATE;
    }
    c->offer = offer;
    if (!c->n_out)
        call_send_offer(c);
    return PL_OK;
}

/* --- what the peer says to it ------------------------------------------------------------------------------------------ */

void call_on_content_accept(pl_jingle_call *c, const pl_xml *jingle)
{
    pl_desc *said;
    pl_jingle_fault fault;
    const pl_jingle_parse_conf conf = { .by_initiator = !c->we_called, .allow_insecure = true };
    if (!c->offer || !c->sent)
        return; /* it has given way meanwhile, and is taken back */
    if (pl_jingle_parse(&said, jingle, &conf, &fault)) {
        call_give_up(c, fault.reason, fault.condition, fault.text);
        return;
    }
    for (size_t k = 0; k < said->media.n; k++) {
        int i = call_find(c->offer, said->media.at[k].mid);
        if (i < 0 || !c->awaits[i] || said->media.at[k].kind != c->offer->media.at[i].kind)
            continue;
        c->awaits[i] = false;
        if (!call_knows_key(c->first, &said->media.at[k])) {
            call_give_up(c, PL_JINGLE_SECURITY_ERROR, NULL, "the peer's key has changed within the call");
            break;
        }
        pl_desc_media *m = call_put(c->reply, i, &said->media.at[k]);
        if (m)
            call_share_transport(c->reply, m, true);
    }
    pl_desc_free(said);
    if (!c->over)
        finish_offer(c);
}

static void rejected(pl_jingle_call *c, const pl_xml *jingle)
{
    for (const pl_xml *e = pl_xml_child(jingle, PL_NS_JINGLE, "content"); e;
         e = pl_xml_next(e, PL_NS_JINGLE, "content")) {
        int i = call_find(c->offer, pl_xml_attr_of(e, "name"));
        const char *creator = pl_xml_attr_of(e, "creator"); /* the peer may have one of this name, too */
        bool ours = !creator || strcmp(creator, c->we_called ? "initiator" : "responder") == 0;
        if (i < 0 || !c->awaits[i] || !ours)
            continue;
        c->awaits[i] = false; /* its place in the reply is a rejected one already */
    }
}

/* Or removed, which says the same. */
void call_on_content_reject(pl_jingle_call *c, const pl_xml *jingle)
{
    if (!c->offer || !c->sent)
        return;
    if (pl_xml_child(pl_xml_child(jingle, PL_NS_JINGLE, "reason"), PL_NS_JINGLE_ERRORS, "tie-break")) {
        refuse_offer(c, PL_EAGAIN, "the other side adds media at this moment");
        return;
    }
    rejected(c, jingle);
    finish_offer(c);
}

static void turned(pl_jingle_call *c, const pl_xml *jingle)
{
    for (const pl_xml *e = pl_xml_child(jingle, PL_NS_JINGLE, "content"); e;
         e = pl_xml_next(e, PL_NS_JINGLE, "content")) {
        int i = call_find(c->offer, pl_xml_attr_of(e, "name"));
        if (i < 0)
            continue;
        uint8_t direction = c->offer->media.at[i].direction;
        c->wish[i] = (call_wish){ .direction = direction };
        c->reply->media.at[i].direction = (uint8_t)pl_direction_reverse((pl_direction)direction);
    }
}

static void remember_ufrag(pl_jingle_call *c, const char *ufrag)
{
    for (int i = 0; i < CALL_OLD_UFRAGS; i++) {
        if (strcmp(c->old_ufrag[i], ufrag) == 0)
            return;
    }
    pl_str_copy(pl_str_of(ufrag), c->old_ufrag[c->next_old], sizeof c->old_ufrag[0]);
    c->next_old = (c->next_old + 1) % CALL_OLD_UFRAGS;
}

/* What part says of each content; a transport that is shared is restarted for all (RFC 9143 7.1.3). */
void call_take_credentials(pl_jingle_call *c, pl_desc *d, const pl_desc *said)
{
    const pl_desc_media *any_of = NULL;
    for (int i = 0; i < said->media.n && !any_of; i++)
        any_of = said->media.at[i].ufrag && said->media.at[i].pwd ? &said->media.at[i] : NULL;
    for (int i = 0; any_of && i < d->media.n; i++) {
        pl_desc_media *m = &d->media.at[i];
        int k = m->mid ? pl_desc_find_mid(said, m->mid) : -1;
        const pl_desc_media *from = k >= 0 && said->media.at[k].ufrag ? &said->media.at[k] : any_of;
        if (!call_alive(d, i))
            continue;
        if (m->ufrag && strcmp(m->ufrag, from->ufrag) != 0)
            remember_ufrag(c, m->ufrag);
        call_set_credentials(d, m, from->ufrag, from->pwd);
        m->candidates.n = 0;
        m->end_of_candidates = k >= 0 && from->end_of_candidates;
        for (size_t n = 0; k >= 0 && n < from->candidates.n; n++)
            (void)pl_desc_add_candidate(d, m, pl_str_of(from->candidates.at[n]));
    }
}

static const char *ufrag_of_group(const pl_desc *d, int but)
{
    const pl_desc_group *g = pl_desc_group_of(d, "BUNDLE", d->media.at[but].mid);
    for (int i = 0; g && i < d->media.n; i++) {
        const pl_desc_media *m = &d->media.at[i];
        if (i != but && call_alive(d, i) && m->ufrag && pl_desc_group_has(g, m->mid))
            return m->ufrag;
    }
    return NULL;
}

void call_follow_transport(pl_jingle_call *c, pl_desc *d, const pl_desc *said)
{
    for (int k = 0; k < said->media.n; k++) {
        int i = call_find(d, said->media.at[k].mid);
        const char *theirs = i >= 0 ? d->media.at[i].ufrag : NULL,
                   *was = i >= 0 ? ufrag_of_group(d, i) : NULL;
        if (!theirs || !was || strcmp(theirs, was) == 0 || call_is_old(c, theirs))
            continue;
        call_take_credentials(c, d, said);
        return;
    }
}

void call_restarted(pl_jingle_call *c, const pl_desc *said)
{
    c->restarting = false;
    call_take_credentials(c, c->reply, said);
    finish_offer(c);
}

/* --- what our requests are answered with ------------------------------------------------------------------------------- */

/* Our content-add of it stands. */
static bool is_on_offer(const pl_jingle_call *c, const char *name)
{
    pl_jingle_content content;
    for (size_t i = 0; name && pl_jingle_content_at(c->session, i, &content); i++) {
        if (content.offered_by_us && strcmp(content.name, name) == 0)
            return true;
    }
    return false;
}

/* The offer that it belonged to has given way, but this peer has taken it. */
static void undo(pl_jingle_call *c, pl_jingle_action action, const pl_xml *jingle)
{
    pl_xml *back = pl_xml_new(PL_NS_JINGLE, "jingle");
    for (const pl_xml *e = pl_xml_child(jingle, PL_NS_JINGLE, "content"); e;
         e = pl_xml_next(e, PL_NS_JINGLE, "content")) {
        const char *name = pl_xml_attr_of(e, "name");
        if (action == PL_JINGLE_CONTENT_ADD && call_find(c->local, name) < 0 && is_on_offer(c, name))
            pl_jingle_write_name(back, name, NULL);
    }
    call_must(c, PL_JINGLE_CONTENT_REMOVE, back);
}

/* After a tie-break it is tried again: the change that it was for is one that ours goes well with, or it would have given way. */
static void was_refused(pl_jingle_call *c, const pl_jingle_event *e)
{
    bool tie = e->error == PL_JINGLE_TIE_BREAK;
    if (tie && ++c->n_ties > CALL_TIES_MAX)
        refuse_offer(c, PL_EAGAIN, "the other side changes the call all the time");
    else if (tie && e->action == PL_JINGLE_TRANSPORT_INFO)
        c->restart_due = !(c->restarting = false);
    else if (tie)
        c->again = true;
    else if (e->action == PL_JINGLE_CONTENT_ADD)
        rejected(c, e->jingle);
    else if (e->action == PL_JINGLE_TRANSPORT_INFO)
        refuse_offer(c, PL_ENOTSUP, "the other side does not restart ICE");
}

void call_answered(pl_jingle_call *c, const pl_jingle_event *e)
{
    bool refused = e->kind == PL_JINGLE_REFUSED;
    if (c->n_out > 0)
        c->n_out--;
    if (c->withdrawn) {
        c->withdrawn = c->n_out > 0;
        if (!refused)
            undo(c, e->action, e->jingle);
    } else if (c->offer && c->sent && refused) {
        was_refused(c, e);
    } else if (c->offer && c->sent) {
        c->acknowledged |= 1u << e->action;
        if (e->action == PL_JINGLE_CONTENT_MODIFY)
            turned(c, e->jingle);
        else if (e->action == PL_JINGLE_TRANSPORT_INFO)
            call_trickle_all(c, c->offer); /* those that were found meanwhile */
    }
    if (c->over)
        return;
    if (c->offer && !c->sent && !c->n_out)
        call_send_offer(c);
    else
        finish_offer(c);
}

/* --- giving way ------------------------------------------------------------------------------------------------------------ */

/* What the peer has acknowledged of the offer; what is under way is looked at when its answer comes. */
static void undo_acknowledged(pl_jingle_call *c)
{
    pl_xml *back = pl_xml_new(PL_NS_JINGLE, "jingle");
    bool has_added = c->acknowledged & 1u << PL_JINGLE_CONTENT_ADD;
    for (int i = 0; has_added && i < c->offer->media.n; i++) {
        if (is_added(c, i) && is_on_offer(c, c->offer->media.at[i].mid))
            pl_jingle_write_name(back, c->offer->media.at[i].mid, NULL);
    }
    call_must(c, PL_JINGLE_CONTENT_REMOVE, back);
}

void call_give_way(pl_jingle_call *c)
{
    if (!c->offer)
        return;
    c->withdrawn = c->n_out > 0;
    if (c->sent)
        undo_acknowledged(c);
    forget_offer(c);
}

/* --- time -------------------------------------------------------------------------------------------------------------------- */

void call_overdue(pl_jingle_call *c)
{
    c->deadline_us = PL_NEVER;
    if (c->restarting) {
        refuse_offer(c, PL_ENOTSUP, "the other side does not restart ICE");
        return;
    }
    pl_xml *body = pl_xml_new(PL_NS_JINGLE, "jingle");
    for (int i = 0; i < c->offer->media.n; i++) {
        pl_jingle_content content;
        if (c->awaits[i] && call_has_content(c, c->offer->media.at[i].mid, &content))
            pl_jingle_write_name(body, c->offer->media.at[i].mid, NULL);
        c->awaits[i] = false;
    }
    call_must(c, PL_JINGLE_CONTENT_REMOVE, body);
    finish_offer(c);
}
