/* A chat room: in, out, and what we do there. What comes from it is read in muc_in.c. */
#include <stdio.h>

#include "base/log.h"
#include "xmpp/muc_internal.h"

/* ---- occupants ---- */

muc_occupant *muc_find(const pl_muc *m, pl_str nick)
{
    for (pl_hash_node *n = pl_hash_find(&m->by_nick, nick.p, nick.n); n; n = pl_hash_next(n)) {
        muc_occupant *o = pl_of(n, muc_occupant, in_table);
        if (pl_str_is(nick, o->nick))
            return o;
    }
    return NULL;
}

pl_err muc_put(pl_muc *m, muc_occupant *o, pl_str nick)
{
    char *copy = strndup(nick.p, nick.n);
    if (!copy)
        return PL_ENOMEM;
    free(o->nick);
    o->pub.nick = o->nick = copy;
    pl_err err = pl_hash_insert(&m->by_nick, &o->in_table, copy, nick.n);
    if (!err)
        pl_list_push_back(&m->occupants, &o->in_order);
    return err;
}

void muc_take(pl_muc *m, muc_occupant *o)
{
    pl_hash_remove(&m->by_nick, &o->in_table);
    pl_list_remove(&o->in_order);
}

void muc_free_occupant(muc_occupant *o)
{
    free(o->nick);
    free(o->jid);
    free(o->status);
    free(o);
}

static void forget_occupants(pl_muc *m)
{
    for (pl_node *n; (n = pl_list_first(&m->occupants));) {
        muc_occupant *o = pl_of(n, muc_occupant, in_order);
        muc_take(m, o);
        muc_free_occupant(o);
    }
}

/* ---- telling ---- */

void muc_tell(pl_muc *m, const pl_muc_event *e)
{
    m->conf.event(m->conf.user, e);
}

void muc_tell_refused(pl_muc *m, const char *error, const char *text)
{
    muc_tell(m, &(pl_muc_event){ .type = PL_MUC_REFUSED, .error = error, .text = text });
}

void muc_out(pl_muc *m, const pl_muc_event *e)
{
    bool was_in = m->state == MUC_IN;
    m->state = MUC_OUTSIDE;
    m->wanted = m->wanted && e->why == PL_MUC_LOST;
    m->topic[0] = 0;
    if (was_in)
        muc_tell(m, e);
    forget_occupants(m);
}

/* ---- presence of ours ---- */

static pl_err address(const pl_muc *m, const char *nick, pl_jid *out)
{
    char text[PL_JID_MAX + 1];
    if (!nick || !nick[0] || strlen(nick) > PL_JID_PART_MAX)
        return PL_EINVAL;
    snprintf(text, sizeof text, "%s/%s", m->room, nick);
    return pl_jid_parse(out, pl_str_of(text)) ? PL_EINVAL : PL_OK;
}

static pl_xml *presence_to(const pl_muc *m, const pl_jid *to, const char *type)
{
    pl_xml *e = pl_xml_new(PL_NS_CLIENT, "presence");
    pl_xml_set(e, "to", to->text);
    pl_xml_set(e, "type", type);
    if (!type && m->conf.caps)
        pl_caps_decorate(m->conf.caps, e);
    return e;
}

static pl_err send_join(pl_muc *m)
{
    pl_jid to;
    pl_err err = address(m, m->nick, &to);
    if (err)
        return err;
    pl_xml *e = presence_to(m, &to, NULL);
    pl_xml *x = pl_xml_add(e, PL_NS_MUC, "x");
    if (m->conf.history >= 0)
        pl_xml_set_u64(pl_xml_add(x, NULL, "history"), "maxstanzas", (uint64_t)m->conf.history);
    if (m->password)
        pl_xml_add_text(x, NULL, "password", m->password);
    err = pl_xmpp_send(m->client, e);
    if (!err)
        m->state = MUC_JOINING;
    return err;
}

static void on_state(void *user, pl_xmpp_state state, bool resumed)
{
    pl_muc *m = user;
    if (state == PL_XMPP_LOST || resumed)
        return;
    if (m->state != MUC_OUTSIDE)
        muc_out(m, &(pl_muc_event){ .type = PL_MUC_OUT, .why = PL_MUC_LOST });
    if (state == PL_XMPP_OPENED && m->wanted && send_join(m))
        pl_log_debug(NULL, "muc: a room could not be joined");
}

static bool has_session(const pl_muc *m)
{
    pl_xmpp_state s = pl_xmpp_client_state(m->client);
    return s == PL_XMPP_OPENED || s == PL_XMPP_LOST;
}

pl_err pl_muc_join(pl_muc *m)
{
    if (m->wanted)
        return PL_ESTATE;
    m->wanted = true;
    return has_session(m) ? send_join(m) : PL_OK;
}

pl_err pl_muc_leave(pl_muc *m, const char *status)
{
    pl_jid to;
    if (m->state == MUC_OUTSIDE) {
        m->wanted = false;
        return PL_OK;
    }
    pl_err err = address(m, m->nick, &to);
    if (err)
        return err;
    pl_xml *e = presence_to(m, &to, "unavailable");
    if (status && status[0])
        pl_xml_add_text(e, NULL, "status", status);
    err = pl_xmpp_send(m->client, e);
    m->wanted = err != PL_OK;
    if (!err && m->state == MUC_JOINING)
        m->state = MUC_OUTSIDE;
    return err; /* when we were in, the room says that we are out */
}

pl_err pl_muc_set_nick(pl_muc *m, const char *nick)
{
    pl_jid to;
    pl_err err = address(m, nick, &to);
    if (err)
        return err;
    if (m->state != MUC_OUTSIDE)
        return pl_xmpp_send(m->client, presence_to(m, &to, NULL));
    return muc_set_text(&m->nick, nick) ? PL_OK : PL_ENOMEM;
}

bool muc_set_text(char **at, const char *text)
{
    char *copy = strdup(text);
    if (!copy)
        return false;
    free(*at);
    *at = copy;
    return true;
}

/* ---- saying and asking ---- */

static pl_err say(pl_muc *m, const pl_message_out *out)
{
    char id[17];
    if (m->state != MUC_IN)
        return PL_ESTATE;
    pl_xmpp_client_token(m->client, id, sizeof id - 1);
    return pl_xmpp_send(m->client, pl_message_write(out, id));
}

pl_err pl_muc_say(pl_muc *m, const char *body)
{
    return say(m, &(pl_message_out){ .type = PL_MESSAGE_GROUPCHAT, .to = m->room, .body = body });
}

pl_err pl_muc_set_topic(pl_muc *m, const char *subject)
{
    return say(m, &(pl_message_out){ .type = PL_MESSAGE_GROUPCHAT, .to = m->room, .subject = subject });
}

pl_err pl_muc_whisper(pl_muc *m, const char *nick, const char *body)
{
    pl_jid to;
    if (address(m, nick, &to))
        return PL_EINVAL;
    return say(m, &(pl_message_out){ .type = PL_MESSAGE_CHAT, .to = to.text, .body = body });
}

static void on_answer(void *user, const pl_xml *answer)
{
    pl_muc *m = user;
    const char *error = feature_error(answer);
    if (error && m->state == MUC_IN)
        muc_tell_refused(m, error,
                         pl_xml_child_text(pl_xml_child(answer, NULL, "error"), NS_STANZAS, "text"));
}

/* One item of the administration of the room: who gets which role or affiliation. */
static pl_err administer(pl_muc *m, const char *whom, const char *value, const char *to_be, const char *that,
                         const char *reason)
{
    if (m->state != MUC_IN)
        return PL_ESTATE;
    pl_xml *iq = pl_xmpp_iq("set", m->room);
    pl_xml *item = pl_xml_add(pl_xml_add(iq, PL_NS_MUC_ADMIN, "query"), NULL, "item");
    pl_xml_set(item, whom, value);
    pl_xml_set(item, to_be, that);
    if (reason && reason[0])
        pl_xml_add_text(item, NULL, "reason", reason);
    return pl_xmpp_ask(m->client, iq, 0, on_answer, m);
}

pl_err pl_muc_kick(pl_muc *m, const char *nick, const char *reason)
{
    return nick && nick[0] ? administer(m, "nick", nick, "role", "none", reason) : PL_EINVAL;
}

pl_err pl_muc_ban(pl_muc *m, const char *jid, const char *reason)
{
    pl_jid bare;
    return feature_bare(&bare, jid) ? administer(m, "jid", bare.text, "affiliation", "outcast", reason)
                                    : PL_EINVAL;
}

pl_err pl_muc_set_role(pl_muc *m, const char *nick, pl_muc_role role, const char *reason)
{
    return nick && nick[0] ? administer(m, "nick", nick, "role", pl_muc_role_str(role), reason) : PL_EINVAL;
}

pl_err pl_muc_set_affiliation(pl_muc *m, const char *jid, pl_muc_affiliation affiliation, const char *reason)
{
    pl_jid bare;
    return feature_bare(&bare, jid)
               ? administer(m, "jid", bare.text, "affiliation", pl_muc_affiliation_str(affiliation), reason)
               : PL_EINVAL;
}

pl_err pl_muc_invite(pl_muc *m, const char *jid, const char *reason)
{
    pl_jid bare;
    if (!feature_bare(&bare, jid))
        return PL_EINVAL;
    if (m->state != MUC_IN)
        return PL_ESTATE;
    pl_xml *message = pl_xml_new(PL_NS_CLIENT, "message");
    pl_xml *invite = pl_xml_add(pl_xml_add(message, PL_NS_MUC_USER, "x"), NULL, "invite");
    pl_xml_set(message, "to", m->room);
    pl_xml_set(invite, "to", bare.text);
    if (reason && reason[0])
        pl_xml_add_text(invite, NULL, "reason", reason);
    return pl_xmpp_send(m->client, message);
}

pl_err pl_muc_invite_directly(pl_muc *m, const char *jid, const char *reason)
{
    pl_jid to;
    if (!jid || pl_jid_parse(&to, pl_str_of(jid)))
        return PL_EINVAL;
    if (m->state != MUC_IN)
        return PL_ESTATE;
    return pl_xmpp_send(m->client, pl_invitation_write(to.text, m->room, m->password, reason));
}

/* A form with one field filled in, and what kind of form it is. */
static void submit(pl_xml *in, const char *kind, const char *key, const char *value)
{
    const char *const field[2][2] = { { "FORM_TYPE", kind }, { key, value } };
    pl_xml *x = pl_xml_add(in, NS_DATA, "x");
    pl_xml_set(x, "type", "submit");
    for (int i = 0; i < 2; i++) {
        pl_xml *f = pl_xml_add(x, NULL, "field");
        pl_xml_set(f, "var", field[i][0]);
        pl_xml_add_text(f, NULL, "value", field[i][1]);
    }
}

pl_err pl_muc_ask_for_voice(pl_muc *m)
{
    if (m->state != MUC_IN)
        return PL_ESTATE;
    pl_xml *message = pl_xml_new(PL_NS_CLIENT, "message");
    pl_xml_set(message, "to", m->room);
    submit(message, NS_MUC_REQUEST, "muc#role", "participant");
    return pl_xmpp_send(m->client, message);
}

pl_err pl_muc_configure(pl_muc *m, const char *key, const char *value)
{
    if (!key || !key[0] || !value)
        return PL_EINVAL;
    if (m->state != MUC_IN)
        return PL_ESTATE;
    pl_xml *iq = pl_xmpp_iq("set", m->room);
    submit(pl_xml_add(iq, PL_NS_MUC_OWNER, "query"), "http://jabber.org/protocol/muc#roomconfig", key, value);
    return pl_xmpp_ask(m->client, iq, 0, on_answer, m);
}

/* A new room is locked until its owner has said how it is to be: as the service makes them (10.1.2). */
void muc_accept_defaults(pl_muc *m)
{
    pl_xml *iq = pl_xmpp_iq("set", m->room);
    pl_xml *x = pl_xml_add(pl_xml_add(iq, PL_NS_MUC_OWNER, "query"), "jabber:x:data", "x");
    pl_xml_set(x, "type", "submit");
    if (pl_xmpp_ask(m->client, iq, 0, on_answer, m))
        muc_tell_refused(m, "resource-constraint", NULL);
}

/* ---- life and looking ---- */

pl_err pl_muc_new(pl_muc **out, pl_xmpp_client *client, const pl_muc_conf *conf)
{
    pl_jid room, full;
    uint8_t key[16];
    *out = NULL;
    if (!conf->room || pl_jid_parse(&room, pl_str_of(conf->room)) || !room.local_n || room.resource_n)
        return PL_EINVAL;
    pl_muc *m = calloc(1, sizeof *m);
    if (!m)
        return PL_ENOMEM;
    bool ok = true;
    m->client = client;
    m->conf = *conf;
    m->room = feature_dup(room.text, &ok);
    m->nick = feature_dup(conf->nick, &ok);
    m->password = feature_dup(conf->password, &ok);
    m->conf.room = m->conf.nick = m->conf.password = NULL;
    feature_key(client, key);
    pl_hash_init(&m->by_nick, PL_MUC_OCCUPANTS_MAX, key);
    pl_list_init(&m->occupants);
    m->handler = (pl_xmpp_handler){ .stanza = muc_on_stanza, .state = on_state, .user = m };
    pl_xmpp_add_handler(client, PL_XMPP_SENDER, &m->handler);
    pl_err err = ok ? address(m, m->nick, &full) : PL_ENOMEM;
    if (err) {
        pl_muc_free(m);
        return err;
    }
    *out = m;
    return PL_OK;
}

void pl_muc_free(pl_muc *m)
{
    if (!m)
        return;
    pl_xmpp_remove_handler(m->client, &m->handler);
    pl_xmpp_forget(m->client, m);
    forget_occupants(m);
    pl_hash_clear(&m->by_nick);
    free(m->room);
    free(m->nick);
    free(m->password);
    free(m);
}

bool pl_muc_is_in(const pl_muc *m)
{
    return m->state == MUC_IN;
}

const char *pl_muc_room(const pl_muc *m)
{
    return m->room;
}

const char *pl_muc_nick(const pl_muc *m)
{
    return m->nick;
}

const char *pl_muc_topic(const pl_muc *m)
{
    return m->topic;
}

const pl_occupant *pl_muc_find(const pl_muc *m, const char *nick)
{
    muc_occupant *o = muc_find(m, pl_str_of(nick));
    return o ? &o->pub : NULL;
}

const pl_occupant *pl_muc_next(const pl_muc *m, const pl_occupant *after)
{
    pl_node *n = after ? pl_of(after, muc_occupant, pub)->in_order.next : m->occupants.next;
    return n == &m->occupants ? NULL : &pl_of(n, muc_occupant, in_order)->pub;
}

const pl_muc_counts *pl_muc_counted(const pl_muc *m)
{
    return &m->counts;
}
