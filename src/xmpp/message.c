/* Messages, receipts and carbons. */
#include "xmpp/message.h"

#include <stdio.h>

#include "base/log.h"
#include "xmpp/feature.h"

/* A message of ours whose receipt may come. */
typedef struct waiting {
    pl_node in_waiting;
    char id[PL_MESSAGE_ID_MAX];
    char to[]; /* bare */
} waiting;

struct pl_messages {
    pl_xmpp_client *client;
    pl_messages_conf conf;
    pl_xmpp_handler handler;
    pl_list waiting; /* the oldest first */
    unsigned n_waiting;
    pl_messages_counts counts;
};

static const char *const type_names[] = { "normal", "chat", "groupchat", "headline", "error" };

const char *pl_message_type_str(pl_message_type t)
{
    return type_names[t];
}

/* ---- reading and writing ---- */

/* What nobody knows is normal (RFC 6121 5.2.2). */
static pl_message_type type_of(const char *word)
{
    for (int i = 0; word && i < 5; i++) {
        if (strcmp(word, type_names[i]) == 0)
            return (pl_message_type)i;
    }
    return PL_MESSAGE_NORMAL;
}

bool pl_message_read(const pl_xml *stanza, pl_message *out)
{
    *out = (pl_message){ .stanza = stanza };
    if (!pl_xml_is(stanza, PL_NS_CLIENT, "message"))
        return false;
    out->type = type_of(pl_xml_attr_of(stanza, "type"));
    out->from = pl_xml_attr_of(stanza, "from");
    out->to = pl_xml_attr_of(stanza, "to");
    out->id = pl_xml_attr_of(stanza, "id");
    out->thread = pl_xml_child_text(stanza, PL_NS_CLIENT, "thread");
    out->subject = pl_xml_child_text(stanza, PL_NS_CLIENT, "subject");
    out->body = pl_xml_child_text(stanza, PL_NS_CLIENT, "body");
    out->stamp = pl_xml_attr_of(pl_xml_child(stanza, PL_NS_DELAY, "delay"), "stamp");
    out->error = out->type == PL_MESSAGE_ERROR ? pl_xmpp_condition(stanza) : NULL;
    return true;
}

pl_xml *pl_message_write(const pl_message_out *m, const char *id)
{
    pl_xml *e = pl_xml_new(PL_NS_CLIENT, "message");
    pl_xml_set(e, "type", m->type == PL_MESSAGE_NORMAL ? NULL : type_names[m->type]);
    pl_xml_set(e, "to", m->to);
    pl_xml_set(e, "id", id);
    if (m->subject)
        pl_xml_add_text(e, NULL, "subject", m->subject);
    if (m->body)
        pl_xml_add_text(e, NULL, "body", m->body);
    if (m->thread)
        pl_xml_add_text(e, NULL, "thread", m->thread);
    if (m->receipt && m->type != PL_MESSAGE_GROUPCHAT)
        pl_xml_add(e, PL_NS_RECEIPTS, "request");
    return e;
}

/* ---- receipts ---- */

static void forget_waiting(pl_messages *m, waiting *w)
{
    pl_list_remove(&w->in_waiting);
    m->n_waiting--;
    free(w);
}

static pl_err wait_for(pl_messages *m, const char *id, const pl_jid *to)
{
    pl_str bare = pl_jid_bare(to);
    waiting *w = calloc(1, sizeof *w + bare.n + 1);
    if (!w)
        return PL_ENOMEM;
    snprintf(w->id, sizeof w->id, "%s", id);
    memcpy(w->to, bare.p, bare.n);
    if (m->n_waiting == PL_MESSAGES_WAITING_MAX)
        forget_waiting(m, pl_of(m->waiting.next, waiting, in_waiting));
    pl_list_push_back(&m->waiting, &w->in_waiting);
    m->n_waiting++;
    return PL_OK;
}

/* Only whom it was sent to can have got it. */
static void on_receipt(pl_messages *m, const pl_xml *receipt, const pl_jid *from)
{
    PL_EACH (n, &m->waiting) {
        waiting *w = pl_of(n, waiting, in_waiting);
        if (!pl_xml_attr_is(receipt, "id", w->id) || !pl_str_is(pl_jid_bare(from), w->to))
            continue;
        if (m->conf.delivered)
            m->conf.delivered(m->conf.user, from->text, w->id);
        forget_waiting(m, w);
        return;
    }
    m->counts.stray_receipts++;
}

/* They see our presence, so a receipt tells them nothing new (0184 8). */
static bool may_know(const pl_messages *m, const pl_jid *from)
{
    const pl_contact *c = m->conf.roster ? pl_roster_find(m->conf.roster, from->text) : NULL;
    return (c && (c->subscription == PL_SUBSCRIPTION_FROM || c->subscription == PL_SUBSCRIPTION_BOTH)) ||
           pl_jid_bare_eq(from, pl_xmpp_client_jid(m->client));
}

static void give_receipt(pl_messages *m, const pl_message *got, const pl_jid *from)
{
    char id[PL_MESSAGE_ID_MAX];
    bool asked = got->id && pl_xml_child(got->stanza, PL_NS_RECEIPTS, "request");
    if (!asked || got->type == PL_MESSAGE_ERROR || got->type == PL_MESSAGE_GROUPCHAT || !may_know(m, from))
        return;
    pl_message_out out = { .type = got->type, .to = from->text };
    pl_xmpp_client_token(m->client, id, sizeof id - 1);
    pl_xml *e = pl_message_write(&out, id);
    pl_xml_set(pl_xml_add(e, PL_NS_RECEIPTS, "received"), "id", got->id);
    if (pl_xmpp_send(m->client, e))
        pl_log_debug(NULL, "messages: a receipt could not be sent");
}

/* ---- what comes ---- */

static bool says_something(const pl_message *m)
{
    return m->body || m->subject || m->error;
}

static void tell(pl_messages *m, const pl_message *got)
{
    if (says_something(got) && m->conf.message)
        m->conf.message(m->conf.user, got);
}

/* Between us and somebody: from us when sent, to us when received. */
static bool fits(const pl_messages *m, const pl_message *inner, bool sent, pl_jid *from, pl_jid *to)
{
    const pl_jid *self = pl_xmpp_client_jid(m->client);
    return inner->from && inner->to && !pl_jid_parse(from, pl_str_of(inner->from)) &&
           !pl_jid_parse(to, pl_str_of(inner->to)) && pl_jid_bare_eq(sent ? from : to, self) &&
           inner->type != PL_MESSAGE_GROUPCHAT;
}

static void on_carbon(pl_messages *m, const pl_xml *carbon, const pl_jid *sender)
{
    const pl_xml *forwarded = pl_xml_child(carbon, PL_NS_FORWARD, "forwarded");
    bool sent = strcmp(carbon->name, "sent") == 0;
    pl_message inner;
    pl_jid from, to;
    if (sender->resource_n || !pl_jid_bare_eq(sender, pl_xmpp_client_jid(m->client))) {
        m->counts.spoofed_carbons++;
        return;
    }
    if (!pl_message_read(pl_xml_child(forwarded, PL_NS_CLIENT, "message"), &inner) ||
        !fits(m, &inner, sent, &from, &to)) {
        m->counts.malformed++;
        return;
    }
    const char *stamp = pl_xml_attr_of(pl_xml_child(forwarded, PL_NS_DELAY, "delay"), "stamp");
    inner.from = from.text;
    inner.to = to.text;
    inner.stamp = inner.stamp ? inner.stamp : stamp;
    inner.carbon = sent ? PL_CARBON_SENT : PL_CARBON_RECEIVED;
    tell(m, &inner);
}

static const pl_xml *carbon_of(const pl_xml *stanza)
{
    const pl_xml *c = pl_xml_child(stanza, PL_NS_CARBONS, "received");
    return c ? c : pl_xml_child(stanza, PL_NS_CARBONS, "sent");
}

static bool on_stanza(void *user, const pl_xml *stanza)
{
    pl_messages *m = user;
    pl_message got;
    pl_invitation invitation;
    pl_jid from;
    if (!pl_message_read(stanza, &got) || !pl_xmpp_sender(m->client, stanza, &from))
        return false;
    const pl_xml *carbon = carbon_of(stanza), *receipt = pl_xml_child(stanza, PL_NS_RECEIPTS, "received");
    if (carbon) {
        on_carbon(m, carbon, &from);
        return true;
    }
    if (got.type == PL_MESSAGE_GROUPCHAT) { /* of a room that we are not in */
        m->counts.stray_groupchat++;
        return true;
    }
    if (receipt && got.type != PL_MESSAGE_ERROR)
        on_receipt(m, receipt, &from);
    got.from = from.text;
    if (got.type != PL_MESSAGE_ERROR && pl_invitation_read(&invitation, stanza, &from)) {
        if (m->conf.invited)
            m->conf.invited(m->conf.user, &invitation);
        return true;
    }
    give_receipt(m, &got, &from);
    tell(m, &got);
    return receipt || says_something(&got);
}

/* ---- what goes ---- */

pl_err pl_messages_send(pl_messages *m, const pl_message_out *out, char id[PL_MESSAGE_ID_MAX])
{
    char token[PL_MESSAGE_ID_MAX];
    pl_jid to;
    if (out->type == PL_MESSAGE_ERROR || !out->to || pl_jid_parse(&to, pl_str_of(out->to)))
        return PL_EINVAL;
    pl_xmpp_client_token(m->client, token, sizeof token - 1);
    bool wants = out->receipt && out->type != PL_MESSAGE_GROUPCHAT;
    pl_err err = wants ? wait_for(m, token, &to) : PL_OK;
    if (err)
        return err;
    err = pl_xmpp_send(m->client, pl_message_write(out, token));
    if (err && wants)
        forget_waiting(m, pl_of(m->waiting.prev, waiting, in_waiting));
    if (!err && id)
        memcpy(id, token, sizeof token);
    return err;
}

static void on_enabled(void *user, const pl_xml *answer)
{
    (void)user;
    if (feature_error(answer))
        pl_log_debug(NULL, "messages: the server gives no carbons: %s", feature_error(answer));
}

static void on_state(void *user, pl_xmpp_state state, bool resumed)
{
    pl_messages *m = user;
    if (state != PL_XMPP_OPENED || resumed || !m->conf.carbons)
        return;
    pl_xml *iq = pl_xmpp_iq("set", NULL);
    pl_xml_add(iq, PL_NS_CARBONS, "enable");
    if (pl_xmpp_ask(m->client, iq, 0, on_enabled, m))
        pl_log_debug(NULL, "messages: carbons could not be asked for");
}

/* ---- life ---- */

pl_err pl_messages_new(pl_messages **out, pl_xmpp_client *client, const pl_messages_conf *conf)
{
    pl_messages *m = *out = calloc(1, sizeof *m);
    if (!m)
        return PL_ENOMEM;
    m->client = client;
    m->conf = *conf;
    pl_list_init(&m->waiting);
    m->handler = (pl_xmpp_handler){ .stanza = on_stanza, .state = on_state, .user = m };
    pl_xmpp_add_handler(client, PL_XMPP_ALL, &m->handler);
    return PL_OK;
}

void pl_messages_free(pl_messages *m)
{
    if (!m)
        return;
    pl_xmpp_remove_handler(m->client, &m->handler);
    pl_xmpp_forget(m->client, m);
    while (!pl_list_empty(&m->waiting))
        forget_waiting(m, pl_of(m->waiting.next, waiting, in_waiting));
    free(m);
}

const pl_messages_counts *pl_messages_counted(const pl_messages *m)
{
    return &m->counts;
}
