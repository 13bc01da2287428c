/* One session: its contents and its end. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jingle/session_internal.h"

/* --- contents --------------------------------------------------------------------------------------------- */

static bool is_in(const char *ns, const char *const *list)
{
    for (; *list; list++) {
        if (strcmp(ns, *list) == 0)
            return true;
    }
    return false;
}

bool pl_jingle_takes_application(const pl_jingle *j, const char *ns)
{
    static const char *const usual[] = { PL_NS_JINGLE_RTP, PL_NS_JINGLE_CHANNELS, PL_NS_JINGLE_CHANNELS_1,
                                         PL_NS_JINGLE_CHANNELS_T, NULL };
    return is_in(ns, j->applications ? j->applications : usual);
}

bool pl_jingle_takes_transport(const pl_jingle *j, const char *ns)
{
    static const char *const usual[] = { PL_NS_JINGLE_ICE_UDP, PL_NS_JINGLE_ICE, PL_NS_JINGLE_RAW_UDP, NULL };
    return is_in(ns, j->transports ? j->transports : usual);
}

pl_jingle_part *pl_jingle_part_named(pl_jingle_session *s, const char *name)
{
    for (size_t i = 0; name && i < s->n_parts; i++) {
        if (strcmp(s->part[i].name, name) == 0)
            return &s->part[i];
    }
    return NULL;
}

/* Who created a content is left out now and then; names are rarely used twice. */
pl_jingle_part *pl_jingle_part_of(pl_jingle_session *s, const pl_xml *content)
{
    const char *name = pl_xml_attr_of(content, "name"), *creator = pl_xml_attr_of(content, "creator");
    for (size_t i = 0; creator && name && i < s->n_parts; i++) {
        if (strcmp(s->part[i].name, name) == 0 &&
            s->part[i].by_initiator == (strcmp(creator, "initiator") == 0))
            return &s->part[i];
    }
    return creator ? NULL : pl_jingle_part_named(s, name);
}

static void clear_part(pl_jingle_part *p)
{
    free(p->name);
    free(p->application);
    free(p->transport);
    free(p->media);
    *p = (pl_jingle_part){ 0 };
}

void pl_jingle_part_remove(pl_jingle_session *s, pl_jingle_part *p)
{
    size_t i = (size_t)(p - s->part);
    clear_part(p);
    memmove(p, p + 1, (s->n_parts - i - 1) * sizeof *p);
    s->part[--s->n_parts] = (pl_jingle_part){ 0 };
}

void pl_jingle_take_senders(pl_jingle_part *p, const pl_xml *content)
{
    pl_jingle_senders senders;
    if (pl_jingle_senders_of(pl_xml_attr_of(content, "senders"), &senders))
        p->senders = (uint8_t)senders;
}

void pl_jingle_take_transport(pl_jingle_session *s, pl_jingle_part *p, const pl_xml *content)
{
    const pl_xml *transport = pl_xml_child(content, NULL, "transport");
    char *ns = transport ? strdup(transport->ns) : NULL;
    if (!ns)
        return;
    free(p->transport);
    p->transport = ns;
    p->supported = pl_jingle_takes_application(s->j, p->application) && pl_jingle_takes_transport(s->j, ns);
}

static pl_err init_part(pl_jingle_session *s, pl_jingle_part *p, const pl_xml *content, bool by_us)
{
    const pl_xml *description = pl_xml_child(content, NULL, "description"),
                 *transport = pl_xml_child(content, NULL, "transport");
    const char *media = description ? pl_xml_attr_of(description, "media") : NULL;
    pl_jingle_senders senders;
    if (!pl_jingle_senders_of(pl_xml_attr_of(content, "senders"), &senders))
        return PL_EINVAL;
    *p = (pl_jingle_part){ .name = strdup(pl_xml_attr_of(content, "name")),
                           .application = strdup(description ? description->ns : ""),
                           .transport = strdup(transport ? transport->ns : ""),
                           .media = strdup(media ? media : ""),
                           .by_initiator = by_us == s->we_called,
                           .offered_by_us = by_us,
                           .senders = (uint8_t)senders };
    if (!p->name || !p->application || !p->transport || !p->media)
        return PL_ENOMEM;
    p->supported =
        pl_jingle_takes_application(s->j, p->application) && pl_jingle_takes_transport(s->j, p->transport);
    return PL_OK;
}

/* The creator of a content is who sends it, and its name is new; a description and a transport belong to it. */
static pl_err may_add(pl_jingle_session *s, const pl_xml *content, bool by_us)
{
    const char *name = pl_xml_attr_of(content, "name"), *creator = pl_xml_attr_of(content, "creator");
    bool by_initiator = by_us == s->we_called;
    if (!name || !name[0] || strlen(name) > PL_JINGLE_NAME_MAX ||
        !pl_xml_child(content, NULL, "description") || !pl_xml_child(content, NULL, "transport"))
        return PL_EINVAL;
    if (creator && strcmp(creator, by_initiator ? "initiator" : "responder") != 0)
        return PL_EINVAL;
    for (size_t i = 0; i < s->n_parts; i++) {
        if (strcmp(s->part[i].name, name) == 0 && s->part[i].by_initiator == by_initiator)
            return PL_EINVAL;
    }
    return s->n_parts < PL_JINGLE_CONTENTS_MAX ? PL_OK : PL_ENOSPC;
}

pl_err pl_jingle_parts_add(pl_jingle_session *s, const pl_xml *jingle, bool by_us, bool initial)
{
    size_t before = s->n_parts;
    pl_err err = PL_OK;
    const pl_xml *c = pl_xml_child(jingle, PL_NS_JINGLE, "content");
    if (!c)
        return PL_EINVAL;
    for (; c && !err; c = pl_xml_next(c, PL_NS_JINGLE, "content")) {
        err = may_add(s, c, by_us);
        if (err)
            break;
        pl_jingle_part *p = &s->part[s->n_parts++];
        err = init_part(s, p, c, by_us);
        p->initial = initial;
    }
    while (err && s->n_parts > before)
        clear_part(&s->part[--s->n_parts]);
    return err;
}

/* --- the end ------------------------------------------------------------------------------------------------ */

static void drop_unsent(pl_jingle_session *s)
{
    PL_EACH (n, &s->requests) {
        pl_jingle_out *o = pl_of(n, pl_jingle_out, node);
        if (!o->sent)
            pl_jingle_out_free(o), s->n_requests--;
    }
}

/* Whoever was not admitted yet learns no more than that there is nobody. */
static void turn_away(pl_jingle_session *s)
{
    if (s->we_called || s->admitted)
        return;
    PL_EACH (n, &s->held) {
        pl_jingle_out *o = pl_of(n, pl_jingle_out, node);
        pl_jingle_put(
            s->j, pl_jingle_answer_error(s->peer, pl_xml_attr_of(o->iq, "id"), PL_JINGLE_UNAVAILABLE, NULL));
        pl_jingle_out_free(o);
    }
    s->n_held = 0;
    s->j->n_strangers--;
    s->admitted = true;
    s->decide_by_us = PL_NEVER;
}

void pl_jingle_end(pl_jingle_session *s, pl_jingle_reason r, const char *text, const char *condition,
                   bool by_peer)
{
    assert(!s->settled);
    pl_log_debug(&s->j->log, "session ends by %s: %s", by_peer ? "peer" : "us", pl_jingle_reason_str(r));
    s->state = PL_JINGLE_ENDED;
    s->reason = r;
    s->by_peer = by_peer;
    snprintf(s->text, sizeof s->text, "%s", text ? text : "");
    snprintf(s->condition, sizeof s->condition, "%s", condition ? condition : "");
    drop_unsent(s);
    turn_away(s);
}

void pl_jingle_settle(pl_jingle_session *s)
{
    assert(s->state == PL_JINGLE_ENDED && !s->settled);
    s->settled = true;
    s->farewell = s->outdone = false;
    s->settle_by_us = PL_NEVER;
    PL_EACH (n, &s->requests)
        pl_jingle_out_free(pl_of(n, pl_jingle_out, node));
    s->n_requests = 0;
}

/* --- looking -------------------------------------------------------------------------------------------------- */

pl_jingle_state pl_jingle_session_state(const pl_jingle_session *s)
{
    return s->state;
}

bool pl_jingle_we_called(const pl_jingle_session *s)
{
    return s->we_called;
}

bool pl_jingle_is_2007(const pl_jingle_session *s)
{
    return s->is_2007;
}

const char *pl_jingle_sid(const pl_jingle_session *s)
{
    return s->sid;
}

const char *pl_jingle_peer(const pl_jingle_session *s)
{
    return s->peer;
}

bool pl_jingle_content_at(const pl_jingle_session *s, size_t i, pl_jingle_content *out)
{
    *out = (pl_jingle_content){ 0 };
    if (i >= s->n_parts)
        return false;
    const pl_jingle_part *p = &s->part[i];
    *out = (pl_jingle_content){ .name = p->name,
                                .by_initiator = p->by_initiator,
                                .senders = (pl_jingle_senders)p->senders,
                                .accepted = p->accepted,
                                .offered_by_us = p->offered_by_us,
                                .supported = p->supported,
                                .application = p->application,
                                .transport = p->transport };
    return true;
}

size_t pl_jingle_waiting(const pl_jingle_session *s)
{
    return s->n_requests;
}

void pl_jingle_one_change(pl_jingle_session *s)
{
    s->one_change = true;
}

void *pl_jingle_user(const pl_jingle_session *s)
{
    return s->user;
}

void pl_jingle_set_user(pl_jingle_session *s, void *user)
{
    s->user = user;
}
