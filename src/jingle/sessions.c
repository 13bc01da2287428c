/* All sessions of one address: stanzas to sessions, outputs, events, deadlines. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jingle/session_internal.h"

/* --- life ----------------------------------------------------------------------------------------------------- */

pl_err pl_jingle_new(pl_jingle **out, const pl_jingle_conf *conf, int64_t now_us)
{
    *out = NULL;
    pl_jingle *j = calloc(1, sizeof *j);
    if (!j)
        return PL_ENOMEM;
    *j = (pl_jingle){ .self = strdup(conf->self),
                      .applications = conf->applications,
                      .transports = conf->transports,
                      .rand = conf->rand,
                      .ack_us = conf->ack_us ? conf->ack_us : PL_JINGLE_ACK_US,
                      .now_us = now_us };
    if (!j->self) {
        free(j);
        return PL_ENOMEM;
    }
    pl_list_init(&j->sessions);
    pl_list_init(&j->outputs);
    pl_list_init(&j->notes);
    snprintf(j->id_prefix, sizeof j->id_prefix, "j%08" PRIx32, pl_rand_u32(&j->rand));
    pl_log_name(&j->log, "jingle", pl_rand_u32(&j->rand) & 0xff);
    *out = j;
    return PL_OK;
}

static void free_note(pl_jingle_note *n)
{
    if (!n)
        return;
    n->session->n_events--;
    pl_list_remove(&n->node);
    pl_xml_free(n->iq);
    pl_xml_free(n->answer);
    free(n);
}

void pl_jingle_session_free(pl_jingle_session *s)
{
    pl_jingle *j = s->j;
    PL_EACH (n, &j->notes) {
        pl_jingle_note *note = pl_of(n, pl_jingle_note, node);
        if (note->session == s)
            free_note(note);
    }
    PL_EACH (n, &s->requests)
        pl_jingle_out_free(pl_of(n, pl_jingle_out, node));
    PL_EACH (n, &s->held)
        pl_jingle_out_free(pl_of(n, pl_jingle_out, node));
    while (s->n_parts)
        pl_jingle_part_remove(s, &s->part[s->n_parts - 1]);
    if (!s->we_called && !s->admitted)
        j->n_strangers--;
    pl_list_remove(&s->in_manager);
    j->n_sessions--;
    free(s->peer);
    free(s);
}

static void let_go(pl_jingle *j)
{
    free_note(j->lent);
    j->lent = NULL;
    if (j->leaving)
        pl_jingle_session_free(j->leaving);
    j->leaving = NULL;
}

void pl_jingle_free(pl_jingle *j)
{
    if (!j)
        return;
    let_go(j);
    PL_EACH (n, &j->sessions)
        pl_jingle_session_free(pl_of(n, pl_jingle_session, in_manager));
    PL_EACH (n, &j->outputs)
        pl_jingle_out_free(pl_of(n, pl_jingle_out, node));
    free(j->self);
    free(j);
}

pl_jingle_session *pl_jingle_session_new(pl_jingle *j, const char *peer, const char *sid, bool we_called)
{
    pl_jingle_session *s = calloc(1, sizeof *s);
    char *address = strdup(peer);
    if (!s || !address || j->n_sessions == PL_JINGLE_SESSIONS_MAX) {
        free(address);
        free(s);
        return NULL;
    }
    s->j = j;
    s->peer = address;
    s->we_called = we_called;
    s->decide_by_us = s->settle_by_us = PL_NEVER;
    snprintf(s->sid, sizeof s->sid, "%s", sid);
    pl_list_init(&s->requests);
    pl_list_init(&s->held);
    pl_list_push_back(&j->sessions, &s->in_manager);
    j->n_sessions++;
    if (!we_called)
        j->n_strangers++;
    return s;
}

/* --- what the files share --------------------------------------------------------------------------------------- */

void pl_jingle_make_id(pl_jingle *j, char out[PL_JINGLE_ID_MAX])
{
    snprintf(out, PL_JINGLE_ID_MAX, "%s-%" PRIu64, j->id_prefix, ++j->next_id);
}

bool pl_jingle_put(pl_jingle *j, pl_xml *iq)
{
    pl_jingle_out *o = j->n_outputs < PL_JINGLE_OUTPUTS_MAX && !pl_xml_err(iq) ? calloc(1, sizeof *o) : NULL;
    if (!o) {
        j->count.lost++;
        pl_xml_free(iq);
        return false;
    }
    o->iq = iq;
    pl_list_push_back(&j->outputs, &o->node);
    j->n_outputs++;
    return true;
}

bool pl_jingle_note_add(pl_jingle_session *s, pl_jingle_event_kind kind, pl_jingle_action action, pl_xml *iq,
                        pl_xml *answer)
{
    pl_jingle_note *n = calloc(1, sizeof *n);
    if (!n) {
        s->j->count.lost++;
        pl_xml_free(iq);
        pl_xml_free(answer);
        return false;
    }
    *n = (pl_jingle_note){ .session = s, .kind = kind, .action = action, .iq = iq, .answer = answer };
    pl_list_push_back(&s->j->notes, &n->node);
    s->n_events++;
    return true;
}

pl_jingle_session *pl_jingle_find(const pl_jingle *j, const char *peer, const char *sid)
{
    PL_EACH (n, &j->sessions) {
        pl_jingle_session *s = pl_of(n, pl_jingle_session, in_manager);
        if (!s->settled && strcmp(s->sid, sid) == 0 && strcmp(s->peer, peer) == 0)
            return s;
    }
    return NULL;
}

size_t pl_jingle_n_sessions(const pl_jingle *j)
{
    return j->n_sessions;
}

/* --- input -------------------------------------------------------------------------------------------------------- */

static void refuse(pl_jingle *j, const pl_xml *iq, pl_jingle_error e, bool is_2007)
{
    pl_xml *answer = pl_jingle_answer_error(pl_xml_attr_of(iq, "from"), pl_xml_attr_of(iq, "id"), e, NULL);
    j->count.refused++;
    if (is_2007)
        pl_jingle_to_2007(answer);
    pl_jingle_put(j, answer);
}

/* Spoofed senders meet no session: it is found by address and id together. */
static void on_set(pl_jingle *j, const pl_xml *iq, const pl_xml *jingle, bool is_2007)
{
    const char *from = pl_xml_attr_of(iq, "from"), *sid = pl_xml_attr_of(jingle, "sid");
    pl_jingle_action action = pl_jingle_action_of(pl_xml_attr_of(jingle, "action"));
    if (!sid || !sid[0] || strlen(sid) > PL_JINGLE_NAME_MAX || action == PL_JINGLE_ACTIONS ||
        strlen(from) > PL_JINGLE_JID_MAX) {
        refuse(j, iq, PL_JINGLE_BAD_REQUEST, is_2007);
        return;
    }
    pl_jingle_session *s = pl_jingle_find(j, from, sid);
    if (s)
        pl_jingle_on_request(s, iq, jingle);
    else if (action == PL_JINGLE_SESSION_INITIATE)
        pl_jingle_on_initiate(j, iq, jingle, is_2007);
    else
        refuse(j, iq, PL_JINGLE_UNKNOWN_SESSION, is_2007);
}

static bool on_iq_request(pl_jingle *j, const pl_xml *iq)
{
    bool is_2007 = pl_jingle_stanza_is_2007(iq);
    const pl_xml *jingle = pl_xml_child(iq, is_2007 ? PL_NS_JINGLE_2007 : PL_NS_JINGLE, "jingle");
    if (!jingle)
        return false;
    if (!pl_xml_attr_is(iq, "type", "set")) {
        refuse(j, iq, PL_JINGLE_BAD_REQUEST, is_2007);
        return true;
    }
    pl_xml *modern = is_2007 ? pl_jingle_from_2007(iq) : NULL;
    if (modern)
        on_set(j, modern, pl_xml_child(modern, PL_NS_JINGLE, "jingle"), true);
    else if (is_2007)
        refuse(j, iq, PL_JINGLE_BUSY_NOW, true);
    else
        on_set(j, iq, jingle, false);
    pl_xml_free(modern);
    return true;
}

static bool on_iq_answer(pl_jingle *j, const pl_xml *iq)
{
    const char *from = pl_xml_attr_of(iq, "from");
    PL_EACH (n, &j->sessions) {
        pl_jingle_session *s = pl_of(n, pl_jingle_session, in_manager);
        if (!s->settled && strcmp(s->peer, from) == 0 && pl_jingle_on_answer(s, iq))
            return true;
    }
    return false;
}

static bool on_iq(pl_jingle *j, const pl_xml *iq)
{
    const char *type = pl_xml_attr_of(iq, "type");
    if (!type || !pl_xml_attr_of(iq, "id") || !pl_xml_attr_of(iq, "from"))
        return false;
    if (strcmp(type, "result") != 0 && strcmp(type, "error") != 0)
        return on_iq_request(j, iq);
    bool is_2007 = pl_jingle_stanza_is_2007(iq);
    pl_xml *modern = is_2007 ? pl_jingle_from_2007(iq) : NULL;
    bool ours = on_iq_answer(j, modern ? modern : iq);
    pl_xml_free(modern);
    return ours;
}

/* XEP-0166 6.7: who is gone cannot end anything. What we have said ourselves of the end still holds. */
static void end_lost(pl_jingle_session *s, bool by_peer)
{
    if (s->settled)
        return;
    if (s->state != PL_JINGLE_ENDED)
        pl_jingle_end(s, PL_JINGLE_GONE, NULL, NULL, by_peer);
    pl_jingle_settle(s);
}

static void on_presence(pl_jingle *j, const pl_xml *presence)
{
    const char *from = pl_xml_attr_of(presence, "from");
    if (!from || !pl_xml_attr_is(presence, "type", "unavailable"))
        return;
    PL_EACH (n, &j->sessions) {
        pl_jingle_session *s = pl_of(n, pl_jingle_session, in_manager);
        if (strcmp(s->peer, from) == 0)
            end_lost(s, true);
    }
}

bool pl_jingle_input(pl_jingle *j, int64_t now_us, const pl_xml *stanza)
{
    bool taken = false;
    j->now_us = now_us;
    if (pl_xml_is(stanza, PL_NS_CLIENT, "iq"))
        taken = on_iq(j, stanza);
    else if (pl_xml_is(stanza, PL_NS_CLIENT, "presence"))
        on_presence(j, stanza);
    pl_jingle_check(j);
    return taken;
}

void pl_jingle_cut(pl_jingle *j, int64_t now_us)
{
    j->now_us = now_us;
    PL_EACH (n, &j->sessions)
        end_lost(pl_of(n, pl_jingle_session, in_manager), false);
    PL_EACH (n, &j->outputs)
        pl_jingle_out_free(pl_of(n, pl_jingle_out, node));
    j->n_outputs = 0;
    pl_jingle_check(j);
}

/* --- time --------------------------------------------------------------------------------------------------------- */

void pl_jingle_tick(pl_jingle *j, int64_t now_us)
{
    j->now_us = now_us;
    PL_EACH (n, &j->sessions)
        pl_jingle_session_tick(pl_of(n, pl_jingle_session, in_manager));
    pl_jingle_check(j);
}

int64_t pl_jingle_next_us(const pl_jingle *j)
{
    int64_t next_us = PL_NEVER;
    PL_EACH (n, &j->sessions)
        next_us = pl_min_us(next_us, pl_jingle_session_next_us(pl_of(n, pl_jingle_session, in_manager)));
    return next_us;
}

/* --- output ------------------------------------------------------------------------------------------------------- */

pl_xml *pl_jingle_poll_output(pl_jingle *j, int64_t now_us)
{
    j->now_us = now_us;
    pl_node *n = pl_list_pop_front(&j->outputs);
    if (!n)
        return NULL;
    pl_jingle_out *o = pl_of(n, pl_jingle_out, node);
    pl_xml *iq = o->iq;
    free(o);
    if (j->n_outputs-- == PL_JINGLE_OUTPUTS_MAX) { /* there is room again */
        PL_EACH (m, &j->sessions)
            pl_jingle_pump(pl_of(m, pl_jingle_session, in_manager));
    }
    return iq;
}

/* --- events ------------------------------------------------------------------------------------------------------- */

static void fill(const pl_jingle_note *n, pl_jingle_event *out)
{
    *out = (pl_jingle_event){ .kind = n->kind,
                              .session = n->session,
                              .action = n->action,
                              .info = PL_JINGLE_INFOS,
                              .text = "",
                              .condition = "",
                              .jingle = pl_xml_child(n->iq, PL_NS_JINGLE, "jingle") };
    if (n->kind == PL_JINGLE_REFUSED)
        out->error = pl_jingle_error_in(n->answer, &out->condition, &out->text);
    else if (out->jingle)
        out->reason = pl_jingle_reason_in(out->jingle, &out->text);
    if (out->jingle && n->action == PL_JINGLE_SESSION_INFO)
        out->info = pl_jingle_info_in(out->jingle, &out->info_xml);
}

/* The end of a session comes after all that was noted of it, and its object goes with the poll after that. */
static bool poll_end(pl_jingle *j, pl_jingle_event *out)
{
    PL_EACH (n, &j->sessions) {
        pl_jingle_session *s = pl_of(n, pl_jingle_session, in_manager);
        if (!s->settled || s->told || s->n_events)
            continue;
        s->told = true;
        j->leaving = s;
        *out = (pl_jingle_event){ .kind = PL_JINGLE_ENDED_NOW,
                                  .session = s,
                                  .action = PL_JINGLE_SESSION_TERMINATE,
                                  .info = PL_JINGLE_INFOS,
                                  .reason = s->reason,
                                  .text = s->text,
                                  .condition = s->condition,
                                  .by_peer = s->by_peer };
        return true;
    }
    return false;
}

bool pl_jingle_poll_event(pl_jingle *j, pl_jingle_event *out)
{
    let_go(j);
    pl_node *n = pl_list_pop_front(&j->notes);
    if (!n)
        return poll_end(j, out);
    j->lent = pl_of(n, pl_jingle_note, node);
    fill(j->lent, out);
    return true;
}

/* --- invariants ----------------------------------------------------------------------------------------------------- */

static void check_session(const pl_jingle_session *s)
{
    size_t n_requests = 0, n_held = 0;
    PL_EACH (n, &s->requests) {
        const pl_jingle_out *o = pl_of(n, const pl_jingle_out, node);
        assert(o->sent || s->state != PL_JINGLE_ENDED || o->action == PL_JINGLE_SESSION_TERMINATE);
        n_requests++;
    }
    PL_EACH (n, &s->held)
        n_held++;
    assert(n_requests == s->n_requests && n_requests <= PL_JINGLE_REQUESTS_MAX + 1);
    assert(n_held == s->n_held && (n_held == 0 || (!s->we_called && !s->admitted)));
    assert(s->n_parts <= PL_JINGLE_CONTENTS_MAX);
    assert(!s->settled || (s->state == PL_JINGLE_ENDED && n_requests == 0));
    assert(!s->told || s->settled);
    assert((s->decide_by_us != PL_NEVER) == (!s->we_called && !s->admitted));
    for (size_t i = 0; i < s->n_parts; i++) {
        assert(s->part[i].name && s->part[i].application && s->part[i].transport);
        assert(s->state != PL_JINGLE_ACTIVE || !s->part[i].initial || s->part[i].accepted);
    }
}

void pl_jingle_check(const pl_jingle *j)
{
    size_t n_sessions = 0, n_outputs = 0, n_strangers = 0;
    PL_EACH (n, &j->sessions) {
        const pl_jingle_session *s = pl_of(n, const pl_jingle_session, in_manager);
        check_session(s);
        n_sessions++;
        n_strangers += !s->we_called && !s->admitted;
    }
    PL_EACH (n, &j->outputs)
        n_outputs++;
    assert(n_sessions == j->n_sessions && n_sessions <= PL_JINGLE_SESSIONS_MAX);
    assert(n_outputs == j->n_outputs && n_outputs <= PL_JINGLE_OUTPUTS_MAX);
    assert(n_strangers == j->n_strangers);
}
