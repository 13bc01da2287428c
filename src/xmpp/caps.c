/* Who said which hash, and what the hashes mean. */
#include "xmpp/caps.h"

#include <stdio.h>

#include "base/hash.h"
#include "xmpp/feature.h"

enum { NODE_MAX = 255 };

typedef enum meaning_state { WANTED, ASKED, KNOWN, GIVEN_UP } meaning_state;

/* One hash; or, without one, what a single device says of itself. */
typedef struct meaning {
    pl_node in_meanings;
    char ver[PL_CAPS_VER_LEN + 1]; /* "": that */
    meaning_state state;
    unsigned tries;
    uint64_t used;
    pl_list devices; /* that said it */
    pl_xml *info;    /* KNOWN */
    pl_caps *caps;
} meaning;

typedef struct device {
    pl_hash_node in_table;
    pl_node in_meaning, in_devices;
    meaning *means;
    bool tried; /* and its answer was no good */
    char *node;
    char jid[];
} device;

struct pl_caps {
    pl_xmpp_client *client;
    pl_caps_conf conf;
    char *node;
    pl_xmpp_handler handler;
    pl_hash by_jid;
    pl_list devices, meanings;
    unsigned n_meanings, n_asked;
    uint64_t clock; /* of uses */
    char own[PL_CAPS_VER_LEN + 1];
    pl_caps_counts counts;
};

/* ---- devices ---- */

static device *find_device(const pl_caps *c, const char *jid)
{
    for (pl_hash_node *n = pl_hash_find(&c->by_jid, jid, strlen(jid)); n; n = pl_hash_next(n)) {
        device *d = pl_of(n, device, in_table);
        if (strcmp(d->jid, jid) == 0)
            return d;
    }
    return NULL;
}

static void free_device(pl_caps *c, device *d)
{
    pl_hash_remove(&c->by_jid, &d->in_table);
    pl_list_remove(&d->in_meaning);
    pl_list_remove(&d->in_devices);
    free(d->node);
    free(d);
}

static void forget_devices(pl_caps *c)
{
    for (pl_node *n; (n = pl_list_first(&c->devices));)
        free_device(c, pl_of(n, device, in_devices));
}

static device *make_device(pl_caps *c, const char *jid)
{
    size_t n = strlen(jid);
    device *d = c->by_jid.n < PL_CAPS_DEVICES_MAX ? calloc(1, sizeof *d + n + 1) : NULL;
    if (!d)
        return NULL;
    memcpy(d->jid, jid, n + 1);
    if (pl_hash_insert(&c->by_jid, &d->in_table, d->jid, n)) {
        free(d);
        return NULL;
    }
    pl_list_push_back(&c->devices, &d->in_devices);
    return d;
}

/* ---- meanings ---- */

static void free_meaning(pl_caps *c, meaning *m)
{
    PL_EACH (n, &m->devices)
        free_device(c, pl_of(n, device, in_meaning));
    if (m->state == ASKED) {
        pl_disco_forget(c->conf.disco, m);
        c->n_asked--;
    }
    pl_list_remove(&m->in_meanings);
    c->n_meanings--;
    pl_xml_free(m->info);
    free(m);
}

/* What nobody says any more goes first, then what is not known; what is known and said stays. */
static bool displace(pl_caps *c)
{
    meaning *worst = NULL;
    int worst_rank = 0;
    PL_EACH (n, &c->meanings) {
        meaning *m = pl_of(n, meaning, in_meanings);
        int rank = pl_list_empty(&m->devices) ? 2 : m->state == GIVEN_UP || m->state == WANTED ? 1 : 0;
        if (m->state != ASKED && rank &&
            (rank > worst_rank || (rank == worst_rank && m->used < worst->used))) {
            worst = m;
            worst_rank = rank;
        }
    }
    if (worst)
        free_meaning(c, worst);
    return worst;
}

static meaning *make_meaning(pl_caps *c)
{
    if (c->n_meanings == PL_CAPS_HASHES_MAX && !displace(c))
        return NULL;
    meaning *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    pl_list_init(&m->devices);
    m->caps = c;
    pl_list_push_back(&c->meanings, &m->in_meanings);
    c->n_meanings++;
    return m;
}

static meaning *meaning_of(pl_caps *c, const char *ver)
{
    PL_EACH (n, &c->meanings) {
        meaning *m = pl_of(n, meaning, in_meanings);
        if (strcmp(m->ver, ver) == 0)
            return m;
    }
    meaning *m = make_meaning(c);
    if (m)
        memcpy(m->ver, ver, sizeof m->ver);
    return m;
}

/* ---- asking ---- */

static bool is_small(const pl_xml *info)
{
    pl_buf text = pl_buf_init(PL_CAPS_HASH_BYTES_MAX);
    pl_xml_write(info, PL_NS_CLIENT, &text);
    bool small = !text.bad;
    pl_buf_clear(&text);
    return small;
}

static bool verify(pl_caps *c, meaning *m, const pl_xml *info)
{
    char ver[PL_CAPS_VER_LEN + 1];
    pl_err err = is_small(info) ? pl_caps_ver(info, ver) : PL_EPROTO;
    if (err == PL_OK && (!m->ver[0] || strcmp(ver, m->ver) == 0)) {
        m->info = pl_xml_copy(info);
        c->counts.verified += m->info != NULL;
        return m->info != NULL;
    }
    c->counts.poisoned += err == PL_OK || err == PL_EPROTO;
    return false;
}

static device *whom_to_ask(const meaning *m)
{
    PL_EACH (n, &m->devices) {
        device *d = pl_of(n, device, in_meaning);
        if (!d->tried)
            return d;
    }
    return NULL;
}

static void on_info(void *user, const char *jid, const pl_xml *info, const char *error);

static void ask_about(pl_caps *c, meaning *m)
{
    device *d = whom_to_ask(m);
    char node[NODE_MAX + PL_CAPS_VER_LEN + 2];
    m->state = WANTED;
    if (m->tries >= PL_CAPS_TRIES_MAX)
        m->state = GIVEN_UP;
    if (!d || m->state == GIVEN_UP || c->n_asked >= PL_CAPS_ASKED_MAX)
        return;
    d->tried = true;
    snprintf(node, sizeof node, "%s#%s", d->node ? d->node : "", m->ver);
    if (pl_disco_ask_info(c->conf.disco, d->jid, m->ver[0] ? node : NULL, on_info, m))
        return; /* asked again when somebody says it again */
    m->state = ASKED;
    m->tries++;
    c->n_asked++;
    c->counts.asked++;
}

static void ask_for_others(pl_caps *c)
{
    PL_EACH (n, &c->meanings) {
        meaning *m = pl_of(n, meaning, in_meanings);
        if (c->n_asked < PL_CAPS_ASKED_MAX && m->state == WANTED)
            ask_about(c, m);
    }
}

static void tell_known(pl_caps *c, meaning *m)
{
    PL_EACH (n, &m->devices) {
        if (c->conf.known)
            c->conf.known(c->conf.user, pl_of(n, device, in_meaning)->jid);
    }
}

static void on_info(void *user, const char *jid, const pl_xml *info, const char *error)
{
    meaning *m = user;
    pl_caps *c = m->caps;
    (void)jid;
    c->n_asked--;
    m->state = WANTED;
    if (!error && verify(c, m, info)) {
        m->state = KNOWN;
        tell_known(c, m);
    } else {
        ask_about(c, m);
    }
    ask_for_others(c);
}

/* ---- what is said ---- */

/* Our own hash needs no asking. */
static void know_own(pl_caps *c, meaning *m)
{
    m->info = pl_disco_self(c->conf.disco);
    if (m->info)
        m->state = KNOWN;
}

static void says(pl_caps *c, const char *jid, const char *ver, const char *node)
{
    device *d = find_device(c, jid);
    if (d && d->means && strcmp(d->means->ver, ver) == 0)
        return;
    if (d)
        free_device(c, d);
    meaning *m = meaning_of(c, ver);
    bool ok = true;
    d = m ? make_device(c, jid) : NULL;
    if (d)
        d->node = feature_dup(node, &ok);
    if (d && !ok) {
        free_device(c, d);
        d = NULL;
    }
    if (!d) {
        c->counts.left_out++;
        return;
    }
    d->means = m;
    m->used = ++c->clock;
    pl_list_push_back(&m->devices, &d->in_meaning);
    if (m->state == WANTED && strcmp(ver, c->own) == 0)
        know_own(c, m);
    if (m->state == WANTED)
        ask_about(c, m);
    else if (m->state == KNOWN && c->conf.known)
        c->conf.known(c->conf.user, d->jid);
}

void pl_caps_ask(pl_caps *c, const char *jid)
{
    pl_jid j;
    if (pl_jid_parse(&j, pl_str_of(jid)) || !j.resource_n || find_device(c, j.text))
        return;
    meaning *m = make_meaning(c);
    device *d = m ? make_device(c, j.text) : NULL;
    if (!d) { /* the meaning is nobody's, and goes first */
        c->counts.left_out++;
        return;
    }
    d->means = m;
    m->used = ++c->clock;
    pl_list_push_back(&m->devices, &d->in_meaning);
    ask_about(c, m);
}

static void says_nothing(pl_caps *c, const char *jid)
{
    device *d = find_device(c, jid);
    if (d)
        free_device(c, d);
}

static bool on_stanza(void *user, const pl_xml *stanza)
{
    pl_caps *c = user;
    const char *type = pl_xml_attr_of(stanza, "type");
    pl_jid from;
    if (!pl_xml_is(stanza, PL_NS_CLIENT, "presence") || (type && strcmp(type, "unavailable") != 0) ||
        !pl_xmpp_sender(c->client, stanza, &from) || !from.resource_n)
        return false;
    const pl_xml *e = type ? NULL : pl_xml_child(stanza, PL_NS_CAPS, "c");
    const char *ver = pl_xml_attr_of(e, "ver"), *node = pl_xml_attr_of(e, "node");
    bool usable = ver && node && strlen(ver) == PL_CAPS_VER_LEN && strlen(node) <= NODE_MAX &&
                  pl_xml_attr_is(e, "hash", "sha-1");
    if (usable)
        says(c, from.text, ver, node);
    else
        says_nothing(c, from.text);
    return false;
}

static void on_state(void *user, pl_xmpp_state state, bool resumed)
{
    pl_caps *c = user;
    if (state != PL_XMPP_LOST && !resumed)
        forget_devices(c);
}

/* ---- ours ---- */

static void refresh(pl_caps *c)
{
    char ver[PL_CAPS_VER_LEN + 1] = "", node[NODE_MAX + PL_CAPS_VER_LEN + 2];
    pl_xml *self = pl_disco_self(c->conf.disco);
    pl_err err = self ? pl_caps_ver(self, ver) : PL_ENOMEM;
    pl_xml_free(self);
    snprintf(node, sizeof node, "%s#%s", c->node, ver);
    if (err || pl_disco_set_node(c->conf.disco, node))
        ver[0] = 0; /* then we say none */
    if (strcmp(ver, c->own) == 0)
        return;
    memcpy(c->own, ver, sizeof c->own);
    if (c->conf.changed)
        c->conf.changed(c->conf.user);
}

static void on_change(void *user)
{
    refresh(user);
}

void pl_caps_decorate(pl_caps *c, pl_xml *presence)
{
    if (!c->own[0])
        return;
    pl_xml *e = pl_xml_add(presence, PL_NS_CAPS, "c");
    pl_xml_set(e, "hash", "sha-1");
    pl_xml_set(e, "node", c->node);
    pl_xml_set(e, "ver", c->own);
}

/* ---- life and looking ---- */

pl_err pl_caps_new(pl_caps **out, pl_xmpp_client *client, const pl_caps_conf *conf)
{
    uint8_t key[16];
    *out = NULL;
    if (strlen(conf->node) > NODE_MAX)
        return PL_EINVAL;
    pl_caps *c = calloc(1, sizeof *c);
    if (!c)
        return PL_ENOMEM;
    c->client = client;
    c->conf = *conf;
    c->node = strdup(conf->node);
    pl_list_init(&c->devices);
    pl_list_init(&c->meanings);
    feature_key(client, key);
    pl_hash_init(&c->by_jid, PL_CAPS_DEVICES_MAX, key);
    c->handler = (pl_xmpp_handler){ .stanza = on_stanza, .state = on_state, .user = c };
    pl_xmpp_add_handler(client, PL_XMPP_PEEK, &c->handler);
    pl_disco_on_change(conf->disco, on_change, c);
    pl_err err = c->node ? pl_disco_add(conf->disco, PL_NS_CAPS) : PL_ENOMEM;
    if (err) {
        pl_caps_free(c);
        return err;
    }
    refresh(c);
    *out = c;
    return PL_OK;
}

void pl_caps_free(pl_caps *c)
{
    if (!c)
        return;
    pl_disco_on_change(c->conf.disco, NULL, NULL);
    pl_xmpp_remove_handler(c->client, &c->handler);
    forget_devices(c);
    while (!pl_list_empty(&c->meanings))
        free_meaning(c, pl_of(c->meanings.next, meaning, in_meanings));
    pl_hash_clear(&c->by_jid);
    free(c->node);
    free(c);
}

const pl_xml *pl_caps_of(pl_caps *c, const char *jid)
{
    pl_jid j;
    device *d = pl_jid_parse(&j, pl_str_of(jid)) ? NULL : find_device(c, j.text);
    if (!d || d->means->state != KNOWN)
        return NULL;
    d->means->used = ++c->clock;
    return d->means->info;
}

pl_can pl_caps_can(pl_caps *c, const char *jid, const char *feature)
{
    const pl_xml *info = pl_caps_of(c, jid);
    if (!info)
        return PL_CAN_UNKNOWN;
    return pl_disco_has(info, feature) ? PL_CAN : PL_CAN_NOT;
}

const pl_caps_counts *pl_caps_counted(const pl_caps *c)
{
    return &c->counts;
}
