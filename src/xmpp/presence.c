/* Presence: others' devices, ours, and subscriptions. */
#include "xmpp/presence.h"

#include <stdio.h>

#include "base/log.h"
#include "xmpp/caps.h"
#include "xmpp/feature.h"

typedef struct device {
    pl_device pub;
    pl_node in_person;
    char *status;
    char jid[];
} device;

/* One bare address. */
typedef struct person {
    pl_hash_node in_table;
    pl_node in_people;
    pl_list devices; /* the best first */
    unsigned n_devices;
    bool stranger;
    char jid[];
} person;

typedef struct request {
    pl_node in_requests;
    char jid[];
} request;

struct pl_presence {
    pl_xmpp_client *client;
    pl_presence_conf conf;
    pl_xmpp_handler handler;
    pl_hash by_jid;
    pl_list people, requests;
    unsigned n_devices, n_strangers, n_requests;
    pl_show show;
    int priority;
    char *status;
    pl_presence_counts counts;
};

static const char *const show_names[] = { "offline", "online", "chat", "away", "xa", "dnd" };

const char *pl_show_str(pl_show s)
{
    return show_names[s];
}

bool pl_show_of(const char *word, pl_show *out)
{
    for (int i = 0; i < 6; i++) {
        if (strcmp(word, show_names[i]) == 0) {
            *out = (pl_show)i;
            return true;
        }
    }
    return false;
}

/* ---- people and devices ---- */

static person *find_person(const pl_presence *p, pl_str bare)
{
    for (pl_hash_node *n = pl_hash_find(&p->by_jid, bare.p, bare.n); n; n = pl_hash_next(n)) {
        person *who = pl_of(n, person, in_table);
        if (pl_str_is(bare, who->jid))
            return who;
    }
    return NULL;
}

static device *find_device(const person *who, const char *full)
{
    if (!who)
        return NULL;
    PL_EACH (n, &who->devices) {
        device *d = pl_of(n, device, in_person);
        if (strcmp(d->jid, full) == 0)
            return d;
    }
    return NULL;
}

/* Our own other devices are no strangers. Before the roster is here nobody is. */
static bool is_stranger(const pl_presence *p, const pl_jid *jid)
{
    return p->conf.roster && pl_roster_is_loaded(p->conf.roster) &&
           !pl_jid_bare_eq(jid, pl_xmpp_client_jid(p->client)) && !pl_roster_find(p->conf.roster, jid->text);
}

static person *make_person(pl_presence *p, const pl_jid *jid)
{
    pl_str bare = pl_jid_bare(jid);
    bool stranger = is_stranger(p, jid);
    if (stranger && p->n_strangers >= PL_PRESENCE_STRANGERS_MAX) {
        p->counts.strangers_left_out++;
        return NULL;
    }
    person *who = calloc(1, sizeof *who + bare.n + 1);
    if (!who)
        return NULL;
    memcpy(who->jid, bare.p, bare.n);
    pl_list_init(&who->devices);
    who->stranger = stranger;
    if (pl_hash_insert(&p->by_jid, &who->in_table, who->jid, bare.n)) {
        free(who);
        return NULL;
    }
    pl_list_push_back(&p->people, &who->in_people);
    return who;
}

static void drop_if_empty(pl_presence *p, person *who)
{
    if (who->n_devices)
        return;
    pl_hash_remove(&p->by_jid, &who->in_table);
    pl_list_remove(&who->in_people);
    free(who);
}

/* Behind those that are as good: who came first stays first. */
static void put_in_order(person *who, device *d)
{
    pl_list_remove(&d->in_person);
    PL_EACH (n, &who->devices) {
        if (pl_of(n, device, in_person)->pub.priority < d->pub.priority) {
            pl_list_insert_before(n, &d->in_person);
            return;
        }
    }
    pl_list_push_back(&who->devices, &d->in_person);
}

static device *make_device(pl_presence *p, person *who, const pl_jid *jid)
{
    size_t n = strlen(jid->text) + 1;
    if (p->n_devices >= PL_PRESENCE_MAX || who->n_devices >= PL_PRESENCE_RESOURCES_MAX ||
        (who->stranger && p->n_strangers >= PL_PRESENCE_STRANGERS_MAX)) {
        p->counts.left_out++;
        return NULL;
    }
    device *d = calloc(1, sizeof *d + n);
    if (!d)
        return NULL;
    memcpy(d->jid, jid->text, n);
    d->pub.jid = d->jid;
    d->pub.status = "";
    p->n_devices++;
    p->n_strangers += who->stranger;
    who->n_devices++;
    return d;
}

static void free_device(pl_presence *p, person *who, device *d)
{
    pl_list_remove(&d->in_person);
    p->n_devices--;
    p->n_strangers -= who->stranger;
    who->n_devices--;
    free(d->status);
    free(d);
}

static void tell(pl_presence *p, const device *d)
{
    if (p->conf.changed)
        p->conf.changed(p->conf.user, &d->pub);
}

static void goes(pl_presence *p, person *who, device *d, const char *status)
{
    char *last = feature_cut(status, PL_PRESENCE_STATUS_MAX);
    d->pub.show = PL_SHOW_OFFLINE;
    d->pub.status = last ? last : "";
    pl_list_remove(&d->in_person); /* who looks while it is told does not find it */
    tell(p, d);
    free(last);
    free_device(p, who, d);
}

static void all_go(pl_presence *p)
{
    for (pl_node *n; (n = pl_list_first(&p->people));) {
        person *who = pl_of(n, person, in_people);
        while (!pl_list_empty(&who->devices))
            goes(p, who, pl_of(who->devices.next, device, in_person), NULL);
        drop_if_empty(p, who);
    }
}

/* ---- presence that comes ---- */

static pl_show read_show(const pl_xml *stanza)
{
    const char *word = pl_xml_child_text(stanza, PL_NS_CLIENT, "show");
    pl_show show;
    return word && pl_show_of(word, &show) && show >= PL_SHOW_CHAT ? show : PL_SHOW_ONLINE;
}

static int read_priority(pl_presence *p, const pl_xml *stanza)
{
    const char *text = pl_xml_child_text(stanza, PL_NS_CLIENT, "priority");
    char *end;
    long v = text ? strtol(text, &end, 10) : 0;
    if (!text)
        return 0;
    if (end == text || *end || v < -128 || v > 127) {
        p->counts.malformed++;
        return 0;
    }
    return (int)v;
}

static void on_available(pl_presence *p, const pl_xml *stanza, const pl_jid *from)
{
    person *who = find_person(p, pl_jid_bare(from));
    device *d = find_device(who, from->text);
    char *status = feature_cut(pl_xml_child_text(stanza, PL_NS_CLIENT, "status"), PL_PRESENCE_STATUS_MAX);
    if (!who && status)
        who = make_person(p, from);
    if (!d && who && status)
        d = make_device(p, who, from);
    if (!d || !status) {
        free(status);
        if (who)
            drop_if_empty(p, who);
        return;
    }
    free(d->status);
    d->pub.status = d->status = status;
    d->pub.show = read_show(stanza);
    d->pub.priority = read_priority(p, stanza);
    put_in_order(who, d);
    tell(p, d);
}

/* From an address without a resource: all of them (as when a subscription ends). */
static void on_unavailable(pl_presence *p, const pl_xml *stanza, const pl_jid *from)
{
    person *who = find_person(p, pl_jid_bare(from));
    const char *status = pl_xml_child_text(stanza, PL_NS_CLIENT, "status");
    if (!who)
        return;
    PL_EACH (n, &who->devices) {
        device *d = pl_of(n, device, in_person);
        if (from->resource_n == 0 || strcmp(d->jid, from->text) == 0)
            goes(p, who, d, status);
    }
    drop_if_empty(p, who);
}

/* ---- subscriptions ---- */

static request *find_request(const pl_presence *p, const char *bare)
{
    PL_EACH (n, &p->requests) {
        request *q = pl_of(n, request, in_requests);
        if (strcmp(q->jid, bare) == 0)
            return q;
    }
    return NULL;
}

static void drop_request(pl_presence *p, const char *bare)
{
    request *q = find_request(p, bare);
    if (!q)
        return;
    pl_list_remove(&q->in_requests);
    p->n_requests--;
    free(q);
}

static void on_subscribe(pl_presence *p, const pl_xml *stanza, const char *bare)
{
    const char *status = pl_xml_child_text(stanza, PL_NS_CLIENT, "status");
    size_t n = strlen(bare) + 1;
    if (find_request(p, bare))
        return;
    request *q = p->n_requests < PL_PRESENCE_REQUESTS_MAX ? calloc(1, sizeof *q + n) : NULL;
    if (!q) {
        p->counts.requests_left_out++;
        return;
    }
    memcpy(q->jid, bare, n);
    pl_list_push_back(&p->requests, &q->in_requests);
    p->n_requests++;
    if (p->conf.asked)
        p->conf.asked(p->conf.user, q->jid, status ? status : "");
}

static void on_answered(pl_presence *p, const char *bare, bool allowed)
{
    if (p->conf.answered)
        p->conf.answered(p->conf.user, bare, allowed);
}

static void on_error(pl_presence *p, const pl_xml *stanza, const pl_jid *from)
{
    on_unavailable(p, stanza, from);
    if (p->conf.refused)
        p->conf.refused(p->conf.user, from->text, pl_xmpp_condition(stanza));
}

static bool on_typed(pl_presence *p, const pl_xml *stanza, const char *type, const pl_jid *from)
{
    pl_jid bare;
    if (!feature_bare(&bare, from->text))
        return false;
    if (strcmp(type, "subscribe") == 0)
        on_subscribe(p, stanza, bare.text);
    else if (strcmp(type, "unsubscribe") == 0)
        drop_request(p, bare.text);
    else if (strcmp(type, "subscribed") == 0 || strcmp(type, "unsubscribed") == 0)
        on_answered(p, bare.text, type[0] == 's');
    else if (strcmp(type, "error") == 0)
        on_error(p, stanza, from);
    else if (strcmp(type, "probe") != 0)
        p->counts.malformed++;
    return true;
}

/* Who is there is of interest to others as well, so that is not taken. */
static bool on_stanza(void *user, const pl_xml *stanza)
{
    pl_presence *p = user;
    const char *type = pl_xml_attr_of(stanza, "type");
    pl_jid from;
    if (!pl_xml_is(stanza, PL_NS_CLIENT, "presence") || !pl_xmpp_sender(p->client, stanza, &from))
        return false;
    if (pl_xml_child(stanza, "http://jabber.org/protocol/muc#user", "x")) {
        p->counts.stray++;
        return true;
    }
    if (type && strcmp(type, "unavailable") != 0)
        return on_typed(p, stanza, type, &from);
    if (type)
        on_unavailable(p, stanza, &from);
    else
        on_available(p, stanza, &from);
    return false;
}

/* ---- ours ---- */

static pl_xml *typed(const char *type, const char *to)
{
    pl_xml *e = pl_xml_new(PL_NS_CLIENT, "presence");
    pl_xml_set(e, "type", type);
    pl_xml_set(e, "to", to);
    return e;
}

static pl_xml *own(const pl_presence *p)
{
    pl_xml *e = typed(p->show == PL_SHOW_OFFLINE ? "unavailable" : NULL, NULL);
    if (p->show > PL_SHOW_ONLINE)
        pl_xml_add_text(e, NULL, "show", show_names[p->show]);
    if (p->status && p->status[0])
        pl_xml_add_text(e, NULL, "status", p->status);
    if (p->priority) {
        char text[8];
        snprintf(text, sizeof text, "%d", p->priority);
        pl_xml_add_text(e, NULL, "priority", text);
    }
    if (p->conf.caps && p->show != PL_SHOW_OFFLINE)
        pl_caps_decorate(p->conf.caps, e);
    return e;
}

pl_err pl_presence_repeat(pl_presence *p)
{
    pl_xmpp_state state = pl_xmpp_client_state(p->client);
    if (state != PL_XMPP_OPENED && state != PL_XMPP_LOST)
        return PL_OK;
    return pl_xmpp_send(p->client, own(p));
}

pl_err pl_presence_set(pl_presence *p, pl_show show, int priority, const char *status)
{
    if (priority < -128 || priority > 127)
        return PL_EINVAL;
    char *copy = feature_cut(status, PL_PRESENCE_STATUS_MAX);
    if (!copy)
        return PL_ENOMEM;
    free(p->status);
    p->status = copy;
    p->show = show;
    p->priority = priority;
    return pl_presence_repeat(p);
}

static void on_state(void *user, pl_xmpp_state state, bool resumed)
{
    pl_presence *p = user;
    if (state == PL_XMPP_LOST || resumed)
        return; /* the session may go on */
    all_go(p);
    if (state == PL_XMPP_OPENED && p->show != PL_SHOW_OFFLINE && pl_presence_repeat(p))
        pl_log_debug(NULL, "presence: ours could not be sent");
}

static pl_err send_typed(pl_presence *p, const char *type, const char *jid, const char *status)
{
    pl_jid bare;
    if (!feature_bare(&bare, jid))
        return PL_EINVAL;
    pl_xml *e = typed(type, bare.text);
    if (status && status[0])
        pl_xml_add_text(e, NULL, "status", status);
    pl_err err = pl_xmpp_send(p->client, e);
    if (!err && (strcmp(type, "subscribed") == 0 || strcmp(type, "unsubscribed") == 0))
        drop_request(p, bare.text);
    return err;
}

pl_err pl_presence_subscribe(pl_presence *p, const char *jid, const char *status)
{
    return send_typed(p, "subscribe", jid, status);
}

pl_err pl_presence_allow(pl_presence *p, const char *jid)
{
    return send_typed(p, "subscribed", jid, NULL);
}

pl_err pl_presence_refuse(pl_presence *p, const char *jid)
{
    return send_typed(p, "unsubscribed", jid, NULL);
}

/* ---- life and looking ---- */

pl_err pl_presence_new(pl_presence **out, pl_xmpp_client *client, const pl_presence_conf *conf)
{
    pl_presence *p = *out = calloc(1, sizeof *p);
    uint8_t key[16];
    if (!p)
        return PL_ENOMEM;
    p->client = client;
    p->conf = *conf;
    p->show = PL_SHOW_ONLINE;
    feature_key(client, key);
    pl_hash_init(&p->by_jid, PL_PRESENCE_MAX, key);
    pl_list_init(&p->people);
    pl_list_init(&p->requests);
    p->handler = (pl_xmpp_handler){ .stanza = on_stanza, .state = on_state, .user = p };
    pl_xmpp_add_handler(client, PL_XMPP_TYPE, &p->handler);
    return PL_OK;
}

void pl_presence_free(pl_presence *p)
{
    if (!p)
        return;
    pl_xmpp_remove_handler(p->client, &p->handler);
    p->conf.changed = NULL; /* nobody is told */
    all_go(p);
    for (pl_node *n; (n = pl_list_pop_front(&p->requests));)
        free(pl_of(n, request, in_requests));
    pl_hash_clear(&p->by_jid);
    free(p->status);
    free(p);
}

const char *pl_presence_next_request(const pl_presence *p, const char *after)
{
    const pl_node *n = after ? pl_of(after, request, jid)->in_requests.next : p->requests.next;
    return n == &p->requests ? NULL : pl_of(n, request, in_requests)->jid;
}

const pl_device *pl_presence_next(const pl_presence *p, const char *bare, const pl_device *after)
{
    pl_jid jid;
    person *who = feature_bare(&jid, bare) ? find_person(p, pl_jid_bare(&jid)) : NULL;
    if (!who)
        return NULL;
    pl_node *n = after ? pl_of(after, device, pub)->in_person.next : who->devices.next;
    return n == &who->devices ? NULL : &pl_of(n, device, in_person)->pub;
}

const pl_presence_counts *pl_presence_counted(const pl_presence *p)
{
    return &p->counts;
}
