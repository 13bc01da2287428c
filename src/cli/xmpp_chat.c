/* peerline xmpp chat: two people, line by line. */
#include <stdio.h>
#include <string.h>

#include "cli/xmpp_say.h"
#include "cli/xmpp_session.h"

static pl_jid peer;

static void chat_begin(xmpp_session *s)
{
    if (pl_jid_parse(&peer, pl_str_of(s->args[0]))) {
        xmpp_failed(s, s->args[0], "is no address");
        s->code = PL_EXIT_USAGE;
        s->closed = true;
    }
}

static void say(xmpp_session *s, const char *text)
{
    char id[PL_MESSAGE_ID_MAX] = "";
    pl_message_out m = { .type = PL_MESSAGE_CHAT, .to = peer.text, .body = text, .receipt = true };
    pl_err err = pl_messages_send(s->messages, &m, id);
    xmpp_try(s, "message", err);
    if (!err)
        xmpp_event(s, "sent", json_pack("{ss}", "id", id));
}

static void chat_line(xmpp_session *s, char *text)
{
    if (strcmp(text, "/quit") == 0)
        xmpp_finish(s, PL_EXIT_OK);
    else
        say(s, text[0] == '/' && text[1] == '/' ? text + 1 : text);
}

static void chat_command(xmpp_session *s, const char *word, const json_t *all)
{
    const char *body = NULL;
    if (strcmp(word, "say") != 0)
        xmpp_failed(s, word, "is no command; there are say and quit");
    else
        body = xmpp_wants(s, all, "body");
    if (body)
        say(s, body);
}

/* Of the peer at any device; ours, too, when another device of ours said it. */
static bool belongs(const pl_message *m)
{
    pl_jid other;
    const char *who = m->carbon == PL_CARBON_SENT ? m->to : m->from;
    return !pl_jid_parse(&other, pl_str_of(who)) && pl_jid_bare_eq(&other, &peer);
}

static void chat_message(xmpp_session *s, const pl_message *m)
{
    if (!belongs(m))
        return;
    xmpp_event(s, "message", s->json ? xmpp_message_json(m) : NULL);
    if (s->json)
        return;
    if (m->error)
        pl_xmpp_print(stderr, "not delivered: %s", m->error);
    else if (m->body)
        pl_xmpp_print(stdout, "%s%s%s: %s", m->stamp ? m->stamp : "", m->stamp ? " " : "", m->from, m->body);
}

static void chat_device(xmpp_session *s, const pl_device *d)
{
    pl_jid other;
    if (pl_jid_parse(&other, pl_str_of(d->jid)) || !pl_jid_bare_eq(&other, &peer))
        return;
    xmpp_event(s, "presence",
               s->json
                   ? json_pack("{ss ss ss}", "jid", d->jid, "show", pl_show_str(d->show), "status", d->status)
                   : NULL);
    if (!s->json)
        pl_xmpp_print(stderr, "%s is %s %s", d->jid, pl_show_str(d->show), d->status);
}

static void chat_delivered(xmpp_session *s, const char *from, const char *id)
{
    xmpp_event(s, "delivered", s->json ? json_pack("{ss ss}", "from", from, "id", id) : NULL);
}

const xmpp_action xmpp_chat = { .seen = true,
                                .begin = chat_begin,
                                .message = chat_message,
                                .delivered = chat_delivered,
                                .device = chat_device,
                                .line = chat_line,
                                .command = chat_command };
