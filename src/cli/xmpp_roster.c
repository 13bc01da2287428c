/* peerline xmpp roster: the contacts and who of them is there, as it changes. */
#include <stdio.h>
#include <string.h>

#include "cli/xmpp_say.h"
#include "cli/xmpp_session.h"

static json_t *contact_json(const pl_contact *c)
{
    json_t *groups = json_array();
    for (unsigned i = 0; i < c->n_groups; i++)
        json_array_append_new(groups, json_string(c->groups[i]));
    return json_pack("{ss ss ss sb so}", "jid", c->jid, "name", c->name, "subscription",
                     pl_subscription_str(c->subscription), "asked", c->asked, "groups", groups);
}

/* ---- a list on a terminal ---- */

static void draw_contact(const xmpp_session *s, const pl_contact *c)
{
    const pl_device *d = pl_presence_next(s->presence, c->jid, NULL);
    pl_xmpp_print(stdout, "%s  %s  %s%s%s  %s", d ? pl_show_str(d->show) : "-", c->jid, c->name,
                  c->name[0] ? "  " : "", c->asked ? "(asked)" : pl_subscription_str(c->subscription),
                  d ? d->status : "");
}

static void draw(const xmpp_session *s)
{
    if (!s->terminal)
        return;
    fputs("\033[H\033[J", stdout);
    for (const pl_contact *c = NULL; (c = pl_roster_next(s->roster, c));)
        draw_contact(s, c);
    for (const char *q = NULL; (q = pl_presence_next_request(s->presence, q));)
        pl_xmpp_print(stdout, "%s wants to see when you are there: accept %s, or deny %s", q, q, q);
    pl_xmpp_print(stdout, "\nadd JID [NAME], remove JID, accept JID, deny JID, quit");
}

/* ---- what happens ---- */

static void say_contact(xmpp_session *s, const pl_contact *c, bool gone)
{
    xmpp_event(s, gone ? "contact-removed" : "contact", s->json ? contact_json(c) : NULL);
    if (!s->json && !s->terminal)
        pl_xmpp_print(stdout, "%s %s %s %s", gone ? "removed" : "contact", c->jid,
                      c->asked ? "asked" : pl_subscription_str(c->subscription), c->name);
    draw(s);
}

static void on_loaded(xmpp_session *s, bool known)
{
    if (!known)
        return;
    for (const pl_contact *c = NULL; (c = pl_roster_next(s->roster, c));)
        say_contact(s, c, false);
    xmpp_event(s, "roster", s->json ? json_pack("{si}", "contacts", (int)pl_roster_count(s->roster)) : NULL);
    draw(s);
}

static void on_device(xmpp_session *s, const pl_device *d)
{
    xmpp_event(s, "presence",
               s->json ? json_pack("{ss ss si ss}", "jid", d->jid, "show", pl_show_str(d->show), "priority",
                                   d->priority, "status", d->status)
                       : NULL);
    if (!s->json && !s->terminal)
        pl_xmpp_print(stdout, "presence %s %s %s", d->jid, pl_show_str(d->show), d->status);
    draw(s);
}

static void on_asked(xmpp_session *s, const char *jid, const char *status)
{
    xmpp_event(s, "request", s->json ? json_pack("{ss ss}", "jid", jid, "status", status) : NULL);
    if (!s->json && !s->terminal)
        pl_xmpp_print(stdout, "request %s %s", jid, status);
    draw(s);
}

static void on_answered(xmpp_session *s, const char *jid, bool allowed)
{
    xmpp_event(s, allowed ? "accepted" : "denied", s->json ? json_pack("{ss}", "jid", jid) : NULL);
    if (!s->json && !s->terminal)
        pl_xmpp_print(stdout, "%s %s", allowed ? "accepted" : "denied", jid);
}

static void on_refused(xmpp_session *s, const char *jid, const char *condition)
{
    xmpp_failed(s, jid, condition);
}

static void on_message(xmpp_session *s, const pl_message *m)
{
    xmpp_event(s, "message", s->json ? xmpp_message_json(m) : NULL);
    if (!s->json && !s->terminal && m->body && !m->error)
        pl_xmpp_print(stdout, "message %s %s", m->from, m->body);
}

/* ---- what is asked for ---- */

static void on_edited(void *user, const char *jid, const char *error)
{
    if (error)
        xmpp_failed(user, jid, error[0] ? error : "the server does not answer");
}

/* Their presence is asked for, and they may see ours without asking back. */
static pl_err add(xmpp_session *s, const char *jid, const char *name)
{
    pl_err err = pl_roster_set(s->roster, jid, name, NULL, 0, on_edited, s);
    return err ? err : pl_presence_subscribe(s->presence, jid, NULL);
}

/* Who is accepted is asked back, unless he is seen already. */
static pl_err accept_contact(xmpp_session *s, const char *jid)
{
    const pl_contact *c = pl_roster_find(s->roster, jid);
    bool seen =
        c && (c->asked || c->subscription == PL_SUBSCRIPTION_TO || c->subscription == PL_SUBSCRIPTION_BOTH);
    pl_err err = pl_presence_allow(s->presence, jid);
    return err || seen ? err : pl_presence_subscribe(s->presence, jid, NULL);
}

static void edit(xmpp_session *s, const char *word, const char *jid, const char *name)
{
    if (strcmp(word, "add") == 0)
        xmpp_try(s, jid, add(s, jid, name));
    else if (strcmp(word, "remove") == 0)
        xmpp_try(s, jid, pl_roster_remove(s->roster, jid, on_edited, s));
    else if (strcmp(word, "accept") == 0)
        xmpp_try(s, jid, accept_contact(s, jid));
    else if (strcmp(word, "deny") == 0)
        xmpp_try(s, jid, pl_presence_refuse(s->presence, jid));
    else
        xmpp_failed(s, word, "is no command; there are add, remove, accept, deny and quit");
    draw(s);
}

static void on_line(xmpp_session *s, char *text)
{
    char *rest = text, *word = strsep(&rest, " "), *jid = strsep(&rest, " ");
    if (strcmp(word, "quit") == 0)
        xmpp_finish(s, PL_EXIT_OK);
    else if (!jid || !jid[0])
        xmpp_failed(s, word, "wants an address: add, remove, accept or deny JID");
    else
        edit(s, word, jid, rest);
}

static void set_presence(xmpp_session *s, const json_t *all)
{
    const char *word = xmpp_wants(s, all, "show");
    pl_show show;
    if (!word)
        return;
    if (!pl_show_of(word, &show)) {
        xmpp_failed(s, word, "is none of online, chat, away, xa, dnd, offline");
        return;
    }
    json_int_t priority = json_integer_value(json_object_get(all, "priority"));
    xmpp_try(s, "presence",
             pl_presence_set(s->presence, show, priority < -129 || priority > 128 ? 128 : (int)priority,
                             json_string_value(json_object_get(all, "status"))));
}

static void on_command(xmpp_session *s, const char *word, const json_t *all)
{
    if (strcmp(word, "presence") == 0) {
        set_presence(s, all);
        return;
    }
    const char *jid = xmpp_wants(s, all, "jid");
    if (jid)
        edit(s, word, jid, json_string_value(json_object_get(all, "name")));
}

const xmpp_action xmpp_roster = { .seen = true,
                                  .loaded = on_loaded,
                                  .contact = say_contact,
                                  .device = on_device,
                                  .asked = on_asked,
                                  .answered = on_answered,
                                  .refused = on_refused,
                                  .message = on_message,
                                  .line = on_line,
                                  .command = on_command };
