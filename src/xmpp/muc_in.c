/* What comes from a chat room. */
#include "xmpp/muc_internal.h"

static const char *const role_names[] = { "none", "visitor", "participant", "moderator" };
static const char *const affiliation_names[] = { "outcast", "none", "member", "admin", "owner" };
static const char *const why_names[] = { "left",     "kicked",    "banned", "removed",
                                         "shutdown", "destroyed", "lost" };

const char *pl_muc_role_str(pl_muc_role r)
{
    return role_names[r];
}

const char *pl_muc_affiliation_str(pl_muc_affiliation a)
{
    return affiliation_names[a];
}

const char *pl_muc_why_str(pl_muc_why w)
{
    return why_names[w];
}

static int word_of(const char *word, const char *const *names, int n, int otherwise)
{
    for (int i = 0; word && i < n; i++) {
        if (strcmp(word, names[i]) == 0)
            return i;
    }
    return otherwise;
}

/* ---- status codes (15.6) ---- */

static bool has_code(const pl_xml *x, const char *code)
{
    for (const pl_xml *s = pl_xml_child(x, PL_NS_MUC_USER, "status"); s;
         s = pl_xml_next(s, PL_NS_MUC_USER, "status")) {
        if (pl_xml_attr_is(s, "code", code))
            return true;
    }
    return false;
}

static pl_muc_why why_of(const pl_xml *x)
{
    static const struct {
        const char *code;
        pl_muc_why why;
    } row[] = { { "301", PL_MUC_BANNED },  { "333", PL_MUC_LOST },    { "307", PL_MUC_KICKED },
                { "321", PL_MUC_REMOVED }, { "322", PL_MUC_REMOVED }, { "332", PL_MUC_SHUT_DOWN } };
    if (pl_xml_child(x, PL_NS_MUC_USER, "destroy"))
        return PL_MUC_DESTROYED;
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        if (has_code(x, row[i].code))
            return row[i].why;
    }
    return PL_MUC_LEFT;
}

/* ---- coming and changing ---- */

static pl_show show_of(const pl_xml *stanza)
{
    const char *word = pl_xml_child_text(stanza, PL_NS_CLIENT, "show");
    pl_show show;
    return word && pl_show_of(word, &show) && show >= PL_SHOW_CHAT ? show : PL_SHOW_ONLINE;
}

/* False without memory: the occupant is as before. True also when nothing is new; *is_new says. */
static bool describe(muc_occupant *o, const pl_xml *stanza, const pl_xml *item, bool *is_new)
{
    const char *jid = pl_xml_attr_of(item, "jid");
    char *status = feature_cut(pl_xml_child_text(stanza, PL_NS_CLIENT, "status"), PL_PRESENCE_STATUS_MAX);
    bool ok = status;
    char *real = feature_dup(jid, &ok);
    if (!ok) {
        free(status);
        free(real);
        return false;
    }
    pl_occupant next = o->pub;
    next.jid = real;
    next.status = status;
    next.show = show_of(stanza);
    next.role = (pl_muc_role)word_of(pl_xml_attr_of(item, "role"), role_names, 4, PL_MUC_NO_ROLE);
    next.affiliation = (pl_muc_affiliation)word_of(pl_xml_attr_of(item, "affiliation"), affiliation_names, 5,
                                                   PL_MUC_UNAFFILIATED);
    *is_new = next.role != o->pub.role || next.affiliation != o->pub.affiliation ||
              next.show != o->pub.show || strcmp(status, o->status ? o->status : "") != 0;
    free(o->jid);
    free(o->status);
    o->jid = real;
    o->status = status;
    o->pub = next;
    return true;
}

static muc_occupant *make_occupant(pl_muc *m, pl_str nick)
{
    if (m->by_nick.n >= PL_MUC_OCCUPANTS_MAX) {
        m->counts.left_out++;
        return NULL;
    }
    muc_occupant *o = calloc(1, sizeof *o);
    if (o && muc_put(m, o, nick)) {
        muc_free_occupant(o);
        return NULL;
    }
    return o;
}

/* Our own presence comes last: all who were there before are known (7.2.2). The room may have given us another nickname. */
static void on_joined(pl_muc *m, const pl_xml *x, pl_str nick)
{
    char *copy = strndup(nick.p, nick.n);
    if (copy) {
        free(m->nick);
        m->nick = copy;
    }
    m->state = MUC_IN;
    bool created = has_code(x, "201");
    if (created)
        muc_accept_defaults(m);
    muc_tell(m, &(pl_muc_event){ .type = PL_MUC_JOINED, .nick = m->nick, .created = created });
}

static void on_available(pl_muc *m, const pl_xml *stanza, const pl_xml *x, const pl_jid *from)
{
    pl_str nick = pl_jid_resource(from);
    bool self = has_code(x, "110") || (m->state == MUC_JOINING && pl_str_is(nick, m->nick));
    muc_occupant *o = muc_find(m, nick);
    bool came = !o, is_new = true;
    if (!o)
        o = make_occupant(m, nick);
    if (o && !describe(o, stanza, pl_xml_child(x, PL_NS_MUC_USER, "item"), &is_new))
        return;
    if (o && self)
        o->pub.self = true;
    if (self && m->state == MUC_JOINING)
        on_joined(m, x, nick);
    else if (o && m->state == MUC_IN && (came || is_new))
        muc_tell(m, &(pl_muc_event){ .type = came ? PL_MUC_CAME : PL_MUC_CHANGED, .occupant = &o->pub });
}

/* ---- going ---- */

static void on_renamed(pl_muc *m, muc_occupant *o, const char *to)
{
    pl_str nick = pl_str_of(to);
    char *old = o->nick;
    muc_occupant *other = muc_find(m, nick);
    if (other && other != o) { /* somebody of that name: the room is confused, who comes last is right */
        muc_take(m, other);
        muc_free_occupant(other);
    }
    o->nick = NULL;
    muc_take(m, o);
    if (muc_put(m, o, nick)) {
        free(old);
        muc_free_occupant(o);
        return;
    }
    if (o->pub.self)
        (void)muc_set_text(&m->nick, to); /* without memory it is right again with the next presence */
    muc_tell(m, &(pl_muc_event){ .type = PL_MUC_RENAMED, .occupant = &o->pub, .nick = old });
    free(old);
}

static void on_unavailable(pl_muc *m, const pl_xml *stanza, const pl_xml *x, const pl_jid *from)
{
    muc_occupant *o = muc_find(m, pl_jid_resource(from));
    const pl_xml *item = pl_xml_child(x, PL_NS_MUC_USER, "item");
    const pl_xml *actor = pl_xml_child(item, PL_NS_MUC_USER, "actor");
    const pl_xml *destroy = pl_xml_child(x, PL_NS_MUC_USER, "destroy");
    const char *to = has_code(x, "303") ? pl_xml_attr_of(item, "nick") : NULL;
    if (o && to && to[0]) {
        on_renamed(m, o, to);
        return;
    }
    const char *reason = pl_xml_child_text(destroy ? destroy : item, PL_NS_MUC_USER, "reason");
    const char *by = pl_xml_attr_of(actor, "nick");
    pl_muc_event e = { .type = PL_MUC_WENT,
                       .why = why_of(x),
                       .reason = reason ? reason : pl_xml_child_text(stanza, PL_NS_CLIENT, "status"),
                       .by = by ? by : pl_xml_attr_of(actor, "jid") };
    if (has_code(x, "110") || (o && o->pub.self)) {
        e.type = PL_MUC_OUT;
        e.occupant = NULL;
        if (m->state == MUC_IN)
            muc_out(m, &e);
        return;
    }
    if (!o)
        return;
    muc_take(m, o);
    e.occupant = &o->pub;
    o->pub.show = PL_SHOW_OFFLINE;
    if (m->state == MUC_IN)
        muc_tell(m, &e);
    muc_free_occupant(o);
}

static void on_presence_error(pl_muc *m, const pl_xml *stanza)
{
    const char *error = pl_xmpp_condition(stanza);
    const char *text = pl_xml_child_text(pl_xml_child(stanza, NULL, "error"), NS_STANZAS, "text");
    if (m->state == MUC_IN) {
        muc_tell_refused(m, error, text);
        return;
    }
    muc_out(m, &(pl_muc_event){ .why = PL_MUC_LEFT }); /* who were told of before the refusal */
    muc_tell(m, &(pl_muc_event){ .type = PL_MUC_NOT_IN, .error = error, .text = text });
}

static void on_presence(pl_muc *m, const pl_xml *stanza, const pl_jid *from)
{
    const char *type = pl_xml_attr_of(stanza, "type");
    const pl_xml *x = pl_xml_child(stanza, PL_NS_MUC_USER, "x");
    if (m->state == MUC_OUTSIDE)
        m->counts.stray++;
    else if (type && strcmp(type, "error") == 0)
        on_presence_error(m, stanza);
    else if (!from->resource_n && !(type && pl_xml_child(x, PL_NS_MUC_USER, "destroy")))
        m->counts.malformed++;
    else if (type && strcmp(type, "unavailable") == 0)
        on_unavailable(m, stanza, x, from);
    else if (type)
        m->counts.malformed++;
    else
        on_available(m, stanza, x, from);
}

/* ---- messages ---- */

static void on_topic(pl_muc *m, const char *subject, const char *nick)
{
    char *cut = feature_cut(subject, PL_MUC_SUBJECT_MAX);
    if (!cut)
        return;
    (void)pl_str_copy(pl_str_of(cut), m->topic, sizeof m->topic);
    free(cut);
    muc_tell(m, &(pl_muc_event){ .type = PL_MUC_TOPIC, .topic = m->topic, .nick = nick });
}

static void on_groupchat(pl_muc *m, const pl_message *got, const char *nick)
{
    if (got->subject && !got->body && !got->thread) /* 8.1 */
        on_topic(m, got->subject, nick);
    else if (got->body)
        muc_tell(m, &(pl_muc_event){
                        .type = PL_MUC_SAID, .message = got, .nick = nick, .history = got->stamp != NULL });
}

static const char *field_of(const pl_xml *form, const char *var)
{
    for (const pl_xml *f = pl_xml_child(form, NS_DATA, "field"); f; f = pl_xml_next(f, NS_DATA, "field")) {
        if (pl_xml_attr_is(f, "var", var))
            return pl_xml_child_text(f, NS_DATA, "value");
    }
    return NULL;
}

/* A request for voice, which the room hands to its moderators as a form. */
static bool is_asked(pl_muc *m, const pl_xml *form)
{
    const char *kind = field_of(form, "FORM_TYPE"), *nick = field_of(form, "muc#roomnick");
    const muc_occupant *o = nick ? muc_find(m, pl_str_of(nick)) : NULL;
    if (!kind || strcmp(kind, NS_MUC_REQUEST) != 0)
        return false;
    if (o)
        muc_tell(m, &(pl_muc_event){ .type = PL_MUC_ASKED, .nick = o->nick, .occupant = &o->pub });
    else
        m->counts.malformed++;
    return true;
}

static void on_message(pl_muc *m, const pl_xml *stanza, const pl_jid *from)
{
    pl_message got;
    const char *nick = from->resource_n ? pl_jid_resource(from).p : NULL; /* the text's end */
    (void)pl_message_read(stanza, &got);
    got.from = from->text;
    if (!nick && got.type == PL_MESSAGE_NORMAL && is_asked(m, pl_xml_child(stanza, NS_DATA, "x")))
        return;
    if (got.type == PL_MESSAGE_ERROR)
        muc_tell_refused(m, got.error,
                         pl_xml_child_text(pl_xml_child(stanza, NULL, "error"), NS_STANZAS, "text"));
    else if (got.type == PL_MESSAGE_GROUPCHAT)
        on_groupchat(m, &got, nick);
    else if (got.body && nick)
        muc_tell(m, &(pl_muc_event){ .type = PL_MUC_WHISPERED, .message = &got, .nick = nick });
}

/* Invitations come from rooms that we are not in: they are for others. */
static bool is_invitation(const pl_xml *stanza)
{
    return pl_xml_child(pl_xml_child(stanza, PL_NS_MUC_USER, "x"), PL_NS_MUC_USER, "invite") != NULL;
}

bool muc_on_stanza(void *user, const pl_xml *stanza)
{
    pl_muc *m = user;
    pl_jid from;
    bool message = pl_xml_is(stanza, PL_NS_CLIENT, "message");
    if ((!message && !pl_xml_is(stanza, PL_NS_CLIENT, "presence")) ||
        !pl_xmpp_sender(m->client, stanza, &from) || !pl_str_is(pl_jid_bare(&from), m->room) ||
        is_invitation(stanza))
        return false;
    if (!message)
        on_presence(m, stanza, &from);
    else if (m->state == MUC_IN)
        on_message(m, stanza, &from);
    else
        m->counts.stray++;
    return true;
}
