/* Our offers: what has changed in them is asked of the peer, and its answers to that make the answer. */
#include <string.h>

#include "signal/jingle_call_internal.h"

/* --- what has changed --------------------------------------------------------------------------------------------- */

/* A section that both sides had, and that is still wanted. */
static bool is_kept(const pl_jingle_call *c, int i)
{
    return call_alive(c->offer, i) && call_alive(c->local, i) && call_alive(c->remote, i) &&
           strcmp(c->offer->media.at[i].mid, c->local->media.at[i].mid) == 0;
}

static bool is_added(const pl_jingle_call *c, int i)
{
    return call_alive(c->offer, i) && !is_kept(c, i);
}

static bool is_removed(const pl_jingle_call *c, int i)
{
    pl_jingle_content content;
    return call_alive(c->local, i) && call_alive(c->remote, i) && !is_kept(c, i) &&
           call_has_content(c, c->local->media.at[i].mid, &content);
}

static bool is_turned(const pl_jingle_call *c, int i)
{
    return is_kept(c, i) && c->offer->media.at[i].direction != c->local->media.at[i].direction;
}

static bool has_other_sources(const pl_jingle_call *c, int i)
{
    return is_kept(c, i) && c->offer->media.at[i].ssrcs.n + c->offer->media.at[i].msids.n > 0 &&
           !call_same_sources(&c->offer->media.at[i], &c->local->media.at[i]);
}

static bool is_restarted(const pl_jingle_call *c, int i)
{
    const char *now = is_kept(c, i) ? c->offer->media.at[i].ufrag : NULL,
               *before = now ? c->local->media.at[i].ufrag : NULL;
    return now && before && strcmp(now, before) != 0;
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

static void write_added(const pl_jingle_call *c, pl_xml *body)
{
    const pl_jingle_write_conf conf = { .by_initiator = c->we_called };
    for (int i = 0; i < c->offer->media.n; i++) {
        if (is_added(c, i))
            (void)pl_jingle_write_content(c->offer, &c->offer->media.at[i], body, &conf);
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

/* All contents are named, since the peer may keep a transport for each. */
static void write_restart(const pl_jingle_call *c, pl_xml *body)
{
    for (int i = 0; i < c->offer->media.n; i++) {
        if (is_kept(c, i))
            call_write_transport(c, c->offer, &c->offer->media.at[i], NULL, false, body);
    }
}

static const struct part {
    pl_jingle_action action;
    bool (*test)(const pl_jingle_call *c, int i);
    void (*write)(const pl_jingle_call *c, pl_xml *body);
} part[] = {
    { PL_JINGLE_TRANSPORT_INFO, is_restarted, write_restart },
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
        if (!any(c, part[i].test))
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
    c->sent = c->restarting = false;
    c->deadline_us = PL_NEVER;
    c->acknowledged = 0;
    memset(c->awaits, 0, sizeof c->awaits);
}

static bool is_waited_for(const pl_jingle_call *c)
{
    bool waits = c->n_out > 0 || c->restarting;
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

static void finish_offer(pl_jingle_call *c)
{
    if (!c->offer || !c->sent || is_waited_for(c))
        return;
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
    call_say(c, PL_SDP_ANSWER, c->remote);
}

/* Our side takes its offer back, and is as it was before. What the peer has of it already is undone. */
static void refuse_offer(pl_jingle_call *c, pl_err err, const char *why)
{
    call_give_way(c);
    c->conf.refused(c->conf.user, err, why);
}

void call_send_offer(pl_jingle_call *c)
{
    c->sent = true;
    for (int i = 0; i < c->offer->media.n; i++)
        c->awaits[i] = is_added(c, i);
    c->restarting = any(c, is_restarted);
    c->deadline_us = c->now_us + (c->restarting ? PL_JINGLE_CALL_RESTART_US : PL_JINGLE_CALL_ACCEPT_US);
    pl_err err = ask(c);
    if (err == PL_ENOTSUP)
        refuse_offer(c, err, "the other side's Jingle is too old for that");
    else if (err && !call_is_ending(c))
        call_give_up(c, PL_JINGLE_GENERAL_ERROR, NULL, "the change cannot be said in Jingle");
    else if (!err)
        finish_offer(c); /* nothing that the peer need know */
}

pl_err call_change(pl_jingle_call *c, pl_desc *offer)
{
    bool ready = c->local && c->remote && !c->offer && !c->asked &&
                 pl_jingle_session_state(c->session) == PL_JINGLE_ACTIVE &&
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
        if (!call_knows_key(c->remote, &said->media.at[k])) {
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
        if (i < 0 || !c->awaits[i])
            continue;
        c->awaits[i] = false; /* its place in the reply is a rejected one already */
    }
}

/* Or removed, which says the same. */
void call_on_content_reject(pl_jingle_call *c, const pl_xml *jingle)
{
    if (!c->offer || !c->sent)
        return;
    rejected(c, jingle);
    finish_offer(c);
}

static void turned(pl_jingle_call *c, const pl_xml *jingle)
{
    for (const pl_xml *e = pl_xml_child(jingle, PL_NS_JINGLE, "content"); e;
         e = pl_xml_next(e, PL_NS_JINGLE, "content")) {
        int i = call_find(c->offer, pl_xml_attr_of(e, "name"));
        if (i >= 0)
            c->reply->media.at[i].direction =
                (uint8_t)pl_direction_reverse((pl_direction)c->offer->media.at[i].direction);
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
        if (m->ufrag)
            remember_ufrag(c, m->ufrag);
        call_set_credentials(d, m, from->ufrag, from->pwd);
        m->candidates.n = 0;
        m->end_of_candidates = k >= 0 && from->end_of_candidates;
        for (size_t n = 0; k >= 0 && n < from->candidates.n; n++)
            (void)pl_desc_add_candidate(d, m, pl_str_of(from->candidates.at[n]));
    }
}

void call_restarted(pl_jingle_call *c, const pl_desc *said)
{
    c->restarting = false;
    call_take_credentials(c, c->reply, said);
    finish_offer(c);
}

/* --- what our requests are answered with ------------------------------------------------------------------------------- */

/* The offer that it belonged to has given way, but this peer has taken it. */
static void undo(pl_jingle_call *c, pl_jingle_action action, const pl_xml *jingle)
{
    pl_xml *back = pl_xml_new(PL_NS_JINGLE, "jingle");
    for (const pl_xml *e = pl_xml_child(jingle, PL_NS_JINGLE, "content"); e;
         e = pl_xml_next(e, PL_NS_JINGLE, "content")) {
        const char *name = pl_xml_attr_of(e, "name");
        pl_jingle_content content;
        int i = call_find(c->local, name);
        if (!call_has_content(c, name, &content))
            continue;
        if (action == PL_JINGLE_CONTENT_ADD && i < 0 && content.offered_by_us)
            pl_jingle_write_name(back, name, NULL);
        else if (action == PL_JINGLE_CONTENT_MODIFY && i >= 0)
            call_write_senders(c, &c->local->media.at[i], back);
    }
    call_must(c, action == PL_JINGLE_CONTENT_ADD ? PL_JINGLE_CONTENT_REMOVE : action, back);
}

/* A tie-break without the change that it is for. */
static void was_refused(pl_jingle_call *c, const pl_jingle_event *e)
{
    if (e->error == PL_JINGLE_TIE_BREAK)
        refuse_offer(c, PL_EAGAIN, "the other side changes the call at this moment");
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
    pl_xml *back = pl_xml_new(PL_NS_JINGLE, "jingle"), *turn = pl_xml_new(PL_NS_JINGLE, "jingle");
    bool has_added = c->acknowledged & 1u << PL_JINGLE_CONTENT_ADD,
         has_turned = c->acknowledged & 1u << PL_JINGLE_CONTENT_MODIFY;
    for (int i = 0; i < c->offer->media.n; i++) {
        pl_jingle_content content;
        if (!call_alive(c->offer, i) || !call_has_content(c, c->offer->media.at[i].mid, &content))
            continue;
        if (has_added && is_added(c, i) && content.offered_by_us)
            pl_jingle_write_name(back, content.name, NULL);
        if (has_turned && is_turned(c, i))
            call_write_senders(c, &c->local->media.at[i], turn);
    }
    call_must(c, PL_JINGLE_CONTENT_REMOVE, back);
    call_must(c, PL_JINGLE_CONTENT_MODIFY, turn);
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
