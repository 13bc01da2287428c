/* Service discovery, both ways. */
#include "xmpp/disco.h"

#include "base/log.h"
#include "xmpp/feature.h"

typedef struct feature {
    char *name;
    unsigned uses;
} feature;

typedef struct identity {
    char *category, *type, *name;
} identity;

typedef struct question {
    pl_node in_questions;
    pl_disco *disco;
    const char *ns;
    pl_disco_fn fn;
    void *user;
    char jid[];
} question;

struct pl_disco {
    pl_xmpp_client *client;
    pl_xmpp_handler handler;
    feature features[PL_DISCO_FEATURES_MAX];
    unsigned n_features;
    identity identities[PL_DISCO_IDENTITIES_MAX];
    unsigned n_identities;
    char *node;
    void (*changed)(void *user);
    void *changed_user;
    pl_list questions;
    unsigned n_questions;
};

/* ---- what we are ---- */

static void tell_changed(pl_disco *d)
{
    if (d->changed)
        d->changed(d->changed_user);
}

static feature *find_feature(pl_disco *d, const char *name)
{
    for (unsigned i = 0; i < d->n_features; i++) {
        if (strcmp(d->features[i].name, name) == 0)
            return &d->features[i];
    }
    return NULL;
}

static pl_err put_feature(pl_disco *d, const char *name)
{
    feature *f = find_feature(d, name);
    if (f) {
        f->uses++;
        return PL_OK;
    }
    if (d->n_features == PL_DISCO_FEATURES_MAX)
        return PL_ENOSPC;
    f = &d->features[d->n_features];
    f->name = strdup(name);
    if (!f->name)
        return PL_ENOMEM;
    f->uses = 1;
    d->n_features++;
    return PL_OK;
}

pl_err pl_disco_add(pl_disco *d, const char *name)
{
    unsigned n = d->n_features;
    pl_err err = put_feature(d, name);
    if (d->n_features != n)
        tell_changed(d);
    return err;
}

void pl_disco_remove(pl_disco *d, const char *name)
{
    feature *f = find_feature(d, name);
    if (!f || --f->uses)
        return;
    free(f->name);
    *f = d->features[--d->n_features];
    tell_changed(d);
}

static pl_err put_identity(pl_disco *d, const pl_disco_identity *from)
{
    bool ok = true;
    if (d->n_identities == PL_DISCO_IDENTITIES_MAX)
        return PL_ENOSPC;
    identity *i = &d->identities[d->n_identities];
    *i = (identity){ feature_dup(from->category, &ok), feature_dup(from->type, &ok),
                     feature_dup(from->name, &ok) };
    if (!ok) {
        free(i->category);
        free(i->type);
        free(i->name);
        return PL_ENOMEM;
    }
    d->n_identities++;
    return PL_OK;
}

void pl_disco_on_change(pl_disco *d, void (*changed)(void *user), void *user)
{
    d->changed = changed;
    d->changed_user = user;
}

pl_err pl_disco_set_node(pl_disco *d, const char *node)
{
    bool ok = true;
    char *copy = feature_dup(node, &ok);
    if (!ok)
        return PL_ENOMEM;
    free(d->node);
    d->node = copy;
    return PL_OK;
}

static void describe(const pl_disco *d, pl_xml *query)
{
    for (unsigned i = 0; i < d->n_identities; i++) {
        pl_xml *e = pl_xml_add(query, NULL, "identity");
        pl_xml_set(e, "category", d->identities[i].category);
        pl_xml_set(e, "type", d->identities[i].type);
        pl_xml_set(e, "name", d->identities[i].name);
    }
    for (unsigned i = 0; i < d->n_features; i++)
        pl_xml_set(pl_xml_add(query, NULL, "feature"), "var", d->features[i].name);
}

pl_xml *pl_disco_self(const pl_disco *d)
{
    pl_xml *query = pl_xml_new(PL_NS_DISCO_INFO, "query");
    describe(d, query);
    if (query && pl_xml_err(query)) {
        pl_xml_free(query);
        return NULL;
    }
    return query;
}

/* ---- asked ---- */

static void send(pl_disco *d, pl_xml *answer)
{
    if (pl_xmpp_send(d->client, answer))
        pl_log_debug(NULL, "disco: an answer could not be sent");
}

static pl_xml *answer_to(const pl_disco *d, const pl_xml *iq, const pl_xml *asked, bool info)
{
    const char *node = pl_xml_attr_of(asked, "node");
    if (node && node[0] && !(info && d->node && strcmp(node, d->node) == 0))
        return pl_xmpp_error(iq, "cancel", "item-not-found");
    pl_xml *answer = pl_xmpp_result(iq);
    pl_xml *query = pl_xml_add(answer, asked->ns, "query");
    pl_xml_set(query, "node", node);
    if (info)
        describe(d, query);
    return answer;
}

static bool on_stanza(void *user, const pl_xml *stanza)
{
    pl_disco *d = user;
    const pl_xml *info = pl_xml_child(stanza, PL_NS_DISCO_INFO, "query");
    const pl_xml *items = pl_xml_child(stanza, PL_NS_DISCO_ITEMS, "query");
    if (!pl_xml_is(stanza, PL_NS_CLIENT, "iq") || !pl_xml_attr_is(stanza, "type", "get") || (!info && !items))
        return false;
    send(d, answer_to(d, stanza, info ? info : items, info != NULL));
    return true;
}

/* ---- asking ---- */

static const char *judge(const question *q, const pl_xml *answer, const pl_xml **query)
{
    const char *error = feature_error(answer);
    size_t n = 0;
    *query = NULL;
    if (error)
        return error;
    const pl_xml *e = pl_xml_child(answer, q->ns, "query");
    if (!e)
        return "undefined-condition";
    for (const pl_xml *c = e->first; c; c = c->next)
        n++;
    if (n > PL_DISCO_CHILDREN_MAX)
        return "policy-violation";
    *query = e;
    return NULL;
}

static void on_answer(void *user, const pl_xml *answer)
{
    question *q = user;
    const pl_xml *query;
    const char *error = judge(q, answer, &query);
    pl_list_remove(&q->in_questions);
    q->disco->n_questions--;
    if (q->fn)
        q->fn(q->user, q->jid, query, error);
    free(q);
}

static pl_err ask(pl_disco *d, const char *ns, const char *jid, const char *node, pl_disco_fn fn, void *user)
{
    pl_jid j;
    if (!jid || pl_jid_parse(&j, pl_str_of(jid)))
        return PL_EINVAL;
    size_t n = strlen(j.text) + 1;
    if (d->n_questions >= PL_DISCO_QUESTIONS_MAX)
        return PL_ENOSPC;
    question *q = calloc(1, sizeof *q + n);
    if (!q)
        return PL_ENOMEM;
    memcpy(q->jid, j.text, n);
    q->disco = d;
    q->ns = ns;
    q->fn = fn;
    q->user = user;
    pl_xml *iq = pl_xmpp_iq("get", j.text);
    pl_xml_set(pl_xml_add(iq, ns, "query"), "node", node);
    pl_err err = pl_xmpp_ask(d->client, iq, 0, on_answer, q);
    if (err) {
        free(q);
        return err;
    }
    pl_list_push_back(&d->questions, &q->in_questions);
    d->n_questions++;
    return PL_OK;
}

pl_err pl_disco_ask_info(pl_disco *d, const char *jid, const char *node, pl_disco_fn fn, void *user)
{
    return ask(d, PL_NS_DISCO_INFO, jid, node, fn, user);
}

pl_err pl_disco_ask_items(pl_disco *d, const char *jid, const char *node, pl_disco_fn fn, void *user)
{
    return ask(d, PL_NS_DISCO_ITEMS, jid, node, fn, user);
}

void pl_disco_forget(pl_disco *d, const void *user)
{
    PL_EACH (n, &d->questions) {
        question *q = pl_of(n, question, in_questions);
        if (q->user == user)
            q->fn = NULL;
    }
}

/* ---- life ---- */

pl_err pl_disco_new(pl_disco **out, pl_xmpp_client *client, const pl_disco_identity *self)
{
    pl_disco *d = *out = calloc(1, sizeof *d);
    if (!d)
        return PL_ENOMEM;
    d->client = client;
    pl_list_init(&d->questions);
    d->handler = (pl_xmpp_handler){ .stanza = on_stanza, .user = d };
    pl_xmpp_add_handler(client, PL_XMPP_TYPE, &d->handler);
    pl_err err = put_identity(d, self);
    err = err ? err : put_feature(d, PL_NS_DISCO_INFO);
    err = err ? err : put_feature(d, PL_NS_DISCO_ITEMS);
    err = err ? err : put_feature(d, "urn:xmpp:ping"); /* client.h answers */
    if (err) {
        pl_disco_free(d);
        *out = NULL;
    }
    return err;
}

void pl_disco_free(pl_disco *d)
{
    if (!d)
        return;
    pl_xmpp_remove_handler(d->client, &d->handler);
    for (pl_node *n; (n = pl_list_pop_front(&d->questions));) {
        question *q = pl_of(n, question, in_questions);
        pl_xmpp_forget(d->client, q);
        free(q);
    }
    for (unsigned i = 0; i < d->n_features; i++)
        free(d->features[i].name);
    for (unsigned i = 0; i < d->n_identities; i++) {
        free(d->identities[i].category);
        free(d->identities[i].type);
        free(d->identities[i].name);
    }
    free(d->node);
    free(d);
}

/* ---- looking ---- */

bool pl_disco_has(const pl_xml *info, const char *name)
{
    for (const pl_xml *f = pl_xml_child(info, PL_NS_DISCO_INFO, "feature"); f;
         f = pl_xml_next(f, PL_NS_DISCO_INFO, "feature")) {
        if (pl_xml_attr_is(f, "var", name))
            return true;
    }
    return false;
}

bool pl_disco_is(const pl_xml *info, const char *category, const char *type)
{
    for (const pl_xml *i = pl_xml_child(info, PL_NS_DISCO_INFO, "identity"); i;
         i = pl_xml_next(i, PL_NS_DISCO_INFO, "identity")) {
        if (pl_xml_attr_is(i, "category", category) && (!type || pl_xml_attr_is(i, "type", type)))
            return true;
    }
    return false;
}

const pl_xml *pl_disco_next_item(const pl_xml *items, const pl_xml *after)
{
    const pl_xml *i = after ? pl_xml_next(after, PL_NS_DISCO_ITEMS, "item")
                            : pl_xml_child(items, PL_NS_DISCO_ITEMS, "item");
    while (i && !pl_xml_attr_of(i, "jid"))
        i = pl_xml_next(i, PL_NS_DISCO_ITEMS, "item");
    return i;
}
