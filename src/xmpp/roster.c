/* The roster: loaded, pushed, edited. */
#include "xmpp/roster.h"

#include "base/log.h"
#include "xmpp/feature.h"

#define NS_VERSIONS "urn:xmpp:features:rosterver"

/* One block with its texts behind it; a change is a new block in the old one's place. */
typedef struct contact {
    pl_contact pub;
    pl_hash_node in_table;
    pl_node in_order;
    const char *groups[PL_ROSTER_GROUPS_MAX];
} contact;

typedef struct edit {
    pl_node in_edits;
    pl_roster *roster;
    pl_roster_done_fn done;
    void *user;
    char jid[];
} edit;

typedef struct table {
    pl_hash by_jid;
    pl_list order;
} table;

struct pl_roster {
    pl_xmpp_client *client;
    pl_roster_conf conf;
    pl_xmpp_handler handler;
    table contacts;
    bool loaded;
    char version[PL_ROSTER_VERSION_MAX + 1];
    bool has_version; /* what is in contacts is of this version */
    pl_list edits;
    unsigned n_edits;
    pl_roster_counts counts;
};

static const char *const subscription_names[] = { "none", "to", "from", "both" };

const char *pl_subscription_str(pl_subscription s)
{
    return subscription_names[s];
}

/* ---- the table ---- */

static void table_init(table *t, pl_xmpp_client *c)
{
    uint8_t key[16];
    feature_key(c, key);
    pl_hash_init(&t->by_jid, PL_ROSTER_MAX, key);
    pl_list_init(&t->order);
}

static void table_clear(table *t)
{
    for (pl_node *n; (n = pl_list_pop_front(&t->order));)
        free(pl_of(n, contact, in_order));
    pl_hash_clear(&t->by_jid);
}

static contact *table_find(const table *t, pl_str bare)
{
    for (pl_hash_node *n = pl_hash_find(&t->by_jid, bare.p, bare.n); n; n = pl_hash_next(n)) {
        contact *c = pl_of(n, contact, in_table);
        if (pl_str_is(bare, c->pub.jid))
            return c;
    }
    return NULL;
}

/* Takes the contact when it does. */
static pl_err table_put(table *t, contact *c)
{
    pl_err err = pl_hash_insert(&t->by_jid, &c->in_table, c->pub.jid, strlen(c->pub.jid));
    if (!err)
        pl_list_push_back(&t->order, &c->in_order);
    return err;
}

static void table_take(table *t, contact *c)
{
    pl_hash_remove(&t->by_jid, &c->in_table);
    pl_list_remove(&c->in_order);
}

/* ---- items ---- */

static pl_subscription subscription_of(const pl_xml *item)
{
    const char *word = pl_xml_attr_of(item, "subscription");
    for (int i = 0; word && i < 4; i++) {
        if (strcmp(word, subscription_names[i]) == 0)
            return (pl_subscription)i;
    }
    return PL_SUBSCRIPTION_NONE;
}

static const char *name_of(const char *text)
{
    return text && strlen(text) <= PL_ROSTER_NAME_MAX ? text : "";
}

static char *put_text(char **at, const char *text)
{
    char *start = *at;
    size_t n = strlen(text) + 1;
    memcpy(start, text, n);
    *at += n;
    return start;
}

/* Groups of an item that can be kept, with their bytes. */
static unsigned measure_groups(const pl_xml *item, const char *groups[PL_ROSTER_GROUPS_MAX], size_t *bytes)
{
    unsigned n = 0;
    for (const pl_xml *g = pl_xml_child(item, PL_NS_ROSTER, "group"); g && n < PL_ROSTER_GROUPS_MAX;
         g = pl_xml_next(g, PL_NS_ROSTER, "group")) {
        if (!g->text[0] || !name_of(g->text)[0])
            continue;
        groups[n++] = g->text;
        *bytes += strlen(g->text) + 1;
    }
    return n;
}

static contact *make_contact(const pl_xml *item, const char *jid)
{
    const char *groups[PL_ROSTER_GROUPS_MAX], *name = name_of(pl_xml_attr_of(item, "name"));
    size_t bytes = strlen(jid) + strlen(name) + 2;
    unsigned n = measure_groups(item, groups, &bytes);
    contact *c = calloc(1, sizeof *c + bytes);
    if (!c)
        return NULL;
    char *at = (char *)(c + 1);
    c->pub.jid = put_text(&at, jid);
    c->pub.name = put_text(&at, name);
    c->pub.subscription = subscription_of(item);
    c->pub.asked = pl_xml_attr_is(item, "ask", "subscribe");
    c->pub.approved = pl_xml_attr_is(item, "approved", "true") || pl_xml_attr_is(item, "approved", "1");
    for (unsigned i = 0; i < n; i++)
        c->groups[i] = put_text(&at, groups[i]);
    c->pub.n_groups = n;
    c->pub.groups = c->groups;
    return c;
}

static const pl_xml *next_item(const pl_xml *query, const pl_xml *after)
{
    return after ? pl_xml_next(after, PL_NS_ROSTER, "item") : pl_xml_child(query, PL_NS_ROSTER, "item");
}

static void note_version(pl_roster *r, const pl_xml *query)
{
    const char *ver = pl_xml_attr_of(query, "ver");
    r->has_version = ver && pl_str_copy(pl_str_of(ver), r->version, sizeof r->version);
}

/* ---- the whole ---- */

static void tell_loaded(pl_roster *r, const char *error)
{
    if (r->conf.loaded)
        r->conf.loaded(r->conf.user, error);
}

static pl_err fill(pl_roster *r, table *t, const pl_xml *query)
{
    for (const pl_xml *i = next_item(query, NULL); i; i = next_item(query, i)) {
        pl_jid jid;
        if (!feature_bare(&jid, pl_xml_attr_of(i, "jid")) || pl_xml_attr_is(i, "subscription", "remove") ||
            table_find(t, pl_jid_bare(&jid))) {
            r->counts.malformed++;
            continue;
        }
        if (t->by_jid.n == PL_ROSTER_MAX) {
            r->counts.cut++;
            continue;
        }
        contact *c = make_contact(i, jid.text), *old = table_find(&r->contacts, pl_jid_bare(&jid));
        pl_err err = c ? table_put(t, c) : PL_ENOMEM;
        if (err) {
            free(c);
            return err;
        }
        c->pub.user = old ? old->pub.user : NULL;
    }
    return PL_OK;
}

static void move_table(table *to, table *from)
{
    *to = *from;
    pl_list_init(&to->order);
    pl_list_splice_back(&to->order, &from->order);
}

static void take_whole(pl_roster *r, const pl_xml *query)
{
    table fresh;
    table_init(&fresh, r->client);
    if (fill(r, &fresh, query)) {
        table_clear(&fresh);
        tell_loaded(r, "resource-constraint");
        return;
    }
    table_clear(&r->contacts);
    move_table(&r->contacts, &fresh);
    note_version(r, query);
    r->loaded = true;
    tell_loaded(r, NULL);
}

static void on_roster(void *user, const pl_xml *answer)
{
    pl_roster *r = user;
    const char *error = feature_error(answer);
    const pl_xml *query = error ? NULL : pl_xml_child(answer, PL_NS_ROSTER, "query");
    if (error) {
        if (answer || pl_xmpp_client_state(r->client) == PL_XMPP_OPENED)
            tell_loaded(r, error);
    } else if (query) {
        take_whole(r, query);
    } else { /* what we have is the newest, or pushes follow (2.6.3) */
        r->loaded = true;
        tell_loaded(r, NULL);
    }
}

static void load(pl_roster *r)
{
    pl_xml *iq = pl_xmpp_iq("get", NULL);
    pl_xml *query = pl_xml_add(iq, PL_NS_ROSTER, "query");
    if (pl_xmpp_client_offers(r->client, NS_VERSIONS))
        pl_xml_set(query, "ver", r->has_version ? r->version : "");
    if (pl_xmpp_ask(r->client, iq, 0, on_roster, r))
        tell_loaded(r, "resource-constraint");
}

static void on_state(void *user, pl_xmpp_state state, bool resumed)
{
    pl_roster *r = user;
    if (state == PL_XMPP_OPENED && !resumed)
        load(r);
}

/* ---- pushes ---- */

/* From the account itself: without an address, or with the bare one (2.1.6). */
static bool is_own(const pl_roster *r, const pl_xml *iq)
{
    pl_jid from;
    return pl_xmpp_sender(r->client, iq, &from) && from.resource_n == 0 &&
           pl_jid_bare_eq(&from, pl_xmpp_client_jid(r->client));
}

static void tell_changed(pl_roster *r, contact *c, bool gone)
{
    if (r->conf.changed)
        r->conf.changed(r->conf.user, &c->pub, gone);
}

static void remove_contact(pl_roster *r, contact *c)
{
    table_take(&r->contacts, c);
    tell_changed(r, c, true);
    free(c);
}

/* In the old one's place; it goes once everybody was told of the new one. */
static pl_err replace_contact(pl_roster *r, contact *old, contact *c)
{
    c->pub.user = old->pub.user;
    pl_hash_remove(&r->contacts.by_jid, &old->in_table);
    pl_err err = pl_hash_insert(&r->contacts.by_jid, &c->in_table, c->pub.jid, strlen(c->pub.jid));
    if (err) /* there was room for the old one */
        return err;
    pl_list_insert_before(&old->in_order, &c->in_order);
    pl_list_remove(&old->in_order);
    tell_changed(r, c, false);
    free(old);
    return PL_OK;
}

static pl_err set_contact(pl_roster *r, const pl_xml *item, const pl_jid *jid)
{
    contact *old = table_find(&r->contacts, pl_jid_bare(jid));
    if (!old && r->contacts.by_jid.n == PL_ROSTER_MAX) {
        r->counts.cut++;
        return PL_OK;
    }
    contact *c = make_contact(item, jid->text);
    if (!c)
        return PL_ENOMEM;
    pl_err err = old ? replace_contact(r, old, c) : table_put(&r->contacts, c);
    if (err)
        free(c);
    else if (!old)
        tell_changed(r, c, false);
    return err;
}

/* A push holds one item (2.1.6); a version counts only when what it names was taken. */
static pl_err take_push(pl_roster *r, const pl_xml *query)
{
    const pl_xml *item = next_item(query, NULL);
    pl_jid jid;
    if (!item || next_item(query, item) || !feature_bare(&jid, pl_xml_attr_of(item, "jid")))
        return PL_EPROTO;
    pl_err err = PL_OK;
    if (pl_xml_attr_is(item, "subscription", "remove")) {
        contact *c = table_find(&r->contacts, pl_jid_bare(&jid));
        if (c)
            remove_contact(r, c);
    } else {
        err = set_contact(r, item, &jid);
    }
    if (err)
        r->has_version = false;
    else if (pl_xml_attr_of(query, "ver"))
        note_version(r, query);
    return err;
}

static void answer(pl_roster *r, const pl_xml *iq, pl_err err)
{
    pl_xml *reply = err == PL_OK       ? pl_xmpp_result(iq)
                    : err == PL_EPROTO ? pl_xmpp_error(iq, "modify", "bad-request")
                                       : pl_xmpp_error(iq, "wait", "resource-constraint");
    if (pl_xmpp_send(r->client, reply))
        pl_log_debug(NULL, "roster: a push could not be answered");
}

static bool on_stanza(void *user, const pl_xml *stanza)
{
    pl_roster *r = user;
    const pl_xml *query = pl_xml_child(stanza, PL_NS_ROSTER, "query");
    if (!query || !pl_xml_is(stanza, PL_NS_CLIENT, "iq") || !pl_xml_attr_is(stanza, "type", "set"))
        return false;
    if (!is_own(r, stanza)) {
        r->counts.spoofed++;
        return false; /* whoever it is gets what a stranger gets: service-unavailable */
    }
    pl_err err = take_push(r, query);
    r->counts.pushes++;
    r->counts.malformed += err == PL_EPROTO;
    answer(r, stanza, err);
    return true;
}

/* ---- edits ---- */

static void on_edited(void *user, const pl_xml *reply)
{
    edit *e = user;
    pl_list_remove(&e->in_edits);
    e->roster->n_edits--;
    if (e->done)
        e->done(e->user, e->jid, feature_error(reply));
    free(e);
}

/* Takes the request. */
static pl_err ask(pl_roster *r, pl_xml *iq, const pl_jid *jid, pl_roster_done_fn done, void *user)
{
    size_t n = pl_jid_bare(jid).n + 1;
    edit *e = r->n_edits < PL_ROSTER_EDITS_MAX ? calloc(1, sizeof *e + n) : NULL;
    if (!e) {
        pl_xml_free(iq);
        return r->n_edits < PL_ROSTER_EDITS_MAX ? PL_ENOMEM : PL_ENOSPC;
    }
    e->roster = r;
    e->done = done;
    e->user = user;
    memcpy(e->jid, jid->text, n);
    pl_err err = pl_xmpp_ask(r->client, iq, 0, on_edited, e);
    if (err) {
        free(e);
        return err;
    }
    pl_list_push_back(&r->edits, &e->in_edits);
    r->n_edits++;
    return PL_OK;
}

static pl_xml *begin_edit(const pl_jid *jid, pl_xml **item)
{
    pl_xml *iq = pl_xmpp_iq("set", NULL);
    *item = pl_xml_add(pl_xml_add(iq, PL_NS_ROSTER, "query"), NULL, "item");
    pl_xml_set(*item, "jid", jid->text);
    return iq;
}

pl_err pl_roster_set(pl_roster *r, const char *jid, const char *name, const char *const *groups,
                     unsigned n_groups, pl_roster_done_fn done, void *user)
{
    pl_jid j;
    pl_xml *item;
    if (!feature_bare(&j, jid) || (name && strlen(name) > PL_ROSTER_NAME_MAX))
        return PL_EINVAL;
    if (n_groups > PL_ROSTER_GROUPS_MAX)
        return PL_ENOSPC;
    pl_xml *iq = begin_edit(&j, &item);
    pl_xml_set(item, "name", name && name[0] ? name : NULL);
    for (unsigned i = 0; i < n_groups; i++)
        pl_xml_add_text(item, NULL, "group", groups[i]);
    return ask(r, iq, &j, done, user);
}

pl_err pl_roster_remove(pl_roster *r, const char *jid, pl_roster_done_fn done, void *user)
{
    pl_jid j;
    pl_xml *item;
    if (!feature_bare(&j, jid))
        return PL_EINVAL;
    pl_xml *iq = begin_edit(&j, &item);
    pl_xml_set(item, "subscription", "remove");
    return ask(r, iq, &j, done, user);
}

/* ---- life and looking ---- */

pl_err pl_roster_new(pl_roster **out, pl_xmpp_client *client, const pl_roster_conf *conf)
{
    pl_roster *r = *out = calloc(1, sizeof *r);
    if (!r)
        return PL_ENOMEM;
    r->client = client;
    r->conf = *conf;
    table_init(&r->contacts, client);
    pl_list_init(&r->edits);
    r->handler = (pl_xmpp_handler){ .stanza = on_stanza, .state = on_state, .user = r };
    pl_xmpp_add_handler(client, PL_XMPP_TYPE, &r->handler);
    if (pl_xmpp_client_state(client) == PL_XMPP_OPENED)
        load(r);
    return PL_OK;
}

void pl_roster_free(pl_roster *r)
{
    if (!r)
        return;
    pl_xmpp_remove_handler(r->client, &r->handler);
    pl_xmpp_forget(r->client, r);
    for (pl_node *n; (n = pl_list_pop_front(&r->edits));) {
        edit *e = pl_of(n, edit, in_edits);
        pl_xmpp_forget(r->client, e);
        free(e);
    }
    table_clear(&r->contacts);
    free(r);
}

bool pl_roster_is_loaded(const pl_roster *r)
{
    return r->loaded;
}

const pl_contact *pl_roster_find(const pl_roster *r, const char *jid)
{
    pl_jid j;
    contact *c = feature_bare(&j, jid) ? table_find(&r->contacts, pl_jid_bare(&j)) : NULL;
    return c ? &c->pub : NULL;
}

const pl_contact *pl_roster_next(const pl_roster *r, const pl_contact *after)
{
    pl_node *n = after ? pl_of(after, contact, pub)->in_order.next : r->contacts.order.next;
    return n == &r->contacts.order ? NULL : &pl_of(n, contact, in_order)->pub;
}

size_t pl_roster_count(const pl_roster *r)
{
    return r->contacts.by_jid.n;
}

void pl_roster_set_user(const pl_contact *c, void *user)
{
    pl_of(c, contact, pub)->pub.user = user;
}

const pl_roster_counts *pl_roster_counted(const pl_roster *r)
{
    return &r->counts;
}
