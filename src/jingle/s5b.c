/* Candidates of SOCKS5 bytestreams: tried, told, chosen. */
#include "jingle/s5b.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/digest.h"

typedef enum progress { UNTRIED, TRYING, WORKED, DID_NOT } progress;
typedef enum word { NOTHING, SOMETHING, NONE } word; /* what a side has said of the other's candidates */

typedef struct entry {
    pl_s5b_candidate c;
    progress progress;
    bool tell_connect, tell_stop;
} entry;

struct pl_s5b {
    char *self, *peer, *sid;
    bool initiator, begun, over, used;
    entry ours[PL_S5B_CANDIDATES_MAX], theirs[PL_S5B_CANDIDATES_MAX];
    size_t n_ours, n_theirs;
    word we_said, they_said;
    int we_use, they_use;      /* index into theirs, ours; -1: none */
    bool activating, awaiting; /* our proxy; theirs */
    bool tell_activate, tell_use, tell_failed, tell_ours;
    int use;
    bool say_word, say_activated, say_proxy_error;
    int64_t deadline_us;
    char dst_in[PL_S5B_DST_LEN + 1], dst_out[PL_S5B_DST_LEN + 1];
};

static const char *const type_word[] = { "direct", "assisted", "tunnel", "proxy" };

uint32_t pl_s5b_priority(pl_s5b_type type, uint16_t preference)
{
    static const uint8_t by_type[] = { 126, 120, 110, 10 };
    return (uint32_t)by_type[type] << 16 | preference;
}

void pl_s5b_dst(const char *sid, const char *requester, const char *target, char out[PL_S5B_DST_LEN + 1])
{
    uint8_t hash[PL_SHA1_LEN];
    pl_buf b = pl_buf_init(1 << 16);
    pl_buf_addf(&b, "%s%s%s", sid, requester, target);
    const char *text = pl_buf_z(&b);
    pl_sha1(text ? text : "", text ? b.n : 0, hash);
    pl_buf_clear(&b);
    for (size_t i = 0; i < PL_SHA1_LEN; i++)
        snprintf(out + 2 * i, 3, "%02x", hash[i]);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

pl_err pl_s5b_new(pl_s5b **out, const pl_s5b_conf *conf)
{
    *out = NULL;
    if (conf->n_ours > PL_S5B_CANDIDATES_MAX || !conf->sid[0])
        return PL_EINVAL;
    pl_s5b *s = calloc(1, sizeof *s);
    if (!s)
        return PL_ENOMEM;
    *s = (pl_s5b){ .self = strdup(conf->self),
                   .peer = strdup(conf->peer),
                   .sid = strdup(conf->sid),
                   .initiator = conf->initiator,
                   .n_ours = conf->n_ours,
                   .we_use = -1,
                   .they_use = -1,
                   .use = -1,
                   .deadline_us = PL_NEVER };
    if (!s->self || !s->peer || !s->sid) {
        pl_s5b_free(s);
        return PL_ENOMEM;
    }
    for (size_t i = 0; i < conf->n_ours; i++)
        s->ours[i].c = conf->ours[i];
    pl_s5b_dst(s->sid, s->self, s->peer, s->dst_in);
    pl_s5b_dst(s->sid, s->peer, s->self, s->dst_out);
    *out = s;
    return PL_OK;
}

void pl_s5b_free(pl_s5b *s)
{
    if (!s)
        return;
    free(s->self);
    free(s->peer);
    free(s->sid);
    free(s);
}

const char *pl_s5b_dst_in(const pl_s5b *s)
{
    return s->dst_in;
}

const char *pl_s5b_dst_out(const pl_s5b *s)
{
    return s->dst_out;
}

/* --- candidates ----------------------------------------------------------------------------------------------------- */

static int find(const entry *list, size_t n, const char *cid)
{
    for (size_t i = 0; cid && i < n; i++) {
        if (strcmp(list[i].c.cid, cid) == 0)
            return (int)i;
    }
    return -1;
}

static bool read_text(const pl_xml *e, const char *name, char *out, size_t cap)
{
    const char *value = pl_xml_attr_of(e, name);
    return value && value[0] && !strpbrk(value, " \t\r\n") && pl_str_copy(pl_str_of(value), out, cap);
}

static bool read_candidate(const pl_xml *e, pl_s5b_candidate *c)
{
    uint64_t port = 1080, priority;
    const char *type = pl_xml_attr_of(e, "type");
    *c = (pl_s5b_candidate){ 0 };
    if (!read_text(e, "cid", c->cid, sizeof c->cid) || !read_text(e, "host", c->host, sizeof c->host) ||
        !pl_xml_attr_u64(e, "priority", UINT32_MAX, &priority) ||
        (pl_xml_attr_of(e, "port") && (!pl_xml_attr_u64(e, "port", 65535, &port) || !port)))
        return false;
    (void)read_text(e, "jid", c->jid, sizeof c->jid);
    for (size_t i = 0; type && i < 4; i++) {
        if (strcmp(type, type_word[i]) == 0)
            c->type = (uint8_t)i;
    }
    c->port = (uint16_t)port;
    c->priority = (uint32_t)priority;
    return true;
}

/* The best one that nobody tried. */
static int next_untried(const pl_s5b *s)
{
    int best = -1;
    for (size_t i = 0; i < s->n_theirs; i++) {
        if (s->theirs[i].progress == UNTRIED &&
            (best < 0 || s->theirs[i].c.priority > s->theirs[best].c.priority))
            best = (int)i;
    }
    return best;
}

static bool is_trying(const pl_s5b *s)
{
    for (size_t i = 0; i < s->n_theirs; i++) {
        if (s->theirs[i].progress == TRYING)
            return true;
    }
    return false;
}

static void stop_trying(pl_s5b *s)
{
    for (size_t i = 0; i < s->n_theirs; i++) {
        if (s->theirs[i].progress == TRYING) {
            s->theirs[i].progress = DID_NOT;
            s->theirs[i].tell_stop = !s->theirs[i].tell_connect;
            s->theirs[i].tell_connect = false;
        }
    }
}

/* --- choosing --------------------------------------------------------------------------------------------------------- */

static void fail(pl_s5b *s)
{
    if (s->over)
        return;
    stop_trying(s);
    s->over = s->tell_failed = true;
    s->activating = s->awaiting = s->tell_activate = false;
    s->deadline_us = PL_NEVER;
}

static void use(pl_s5b *s, int index, bool ours)
{
    s->over = s->used = s->tell_use = true;
    s->tell_ours = ours;
    s->use = index;
    s->activating = s->awaiting = false;
    s->deadline_us = PL_NEVER;
}

/* XEP-0260 2.4: the higher priority; of equal ones that which the initiator chose. */
static bool ours_is_better(const pl_s5b *s)
{
    if (s->we_use < 0 || s->they_use < 0)
        return s->they_use >= 0;
    uint32_t we = s->theirs[s->we_use].c.priority, they = s->ours[s->they_use].c.priority;
    return they > we || (they == we && !s->initiator);
}

/* A proxy is only of use once the side that offered it has had it join both ends. */
static void choose(pl_s5b *s, int64_t now_us)
{
    if (s->over || s->activating || s->awaiting || !s->we_said || !s->they_said)
        return;
    if (s->we_use < 0 && s->they_use < 0) {
        fail(s);
        return;
    }
    bool ours = ours_is_better(s);
    int index = ours ? s->they_use : s->we_use;
    if (ours && s->we_use >= 0)
        s->theirs[s->we_use].tell_stop = true;
    if ((ours ? s->ours : s->theirs)[index].c.type != PL_S5B_PROXY) {
        use(s, index, ours);
        return;
    }
    s->activating = s->tell_activate = ours;
    s->awaiting = !ours;
    s->use = index;
    s->deadline_us = now_us + PL_S5B_WAIT_US;
}

static void say(pl_s5b *s, int64_t now_us, int index)
{
    s->we_use = index;
    s->we_said = index < 0 ? NONE : SOMETHING;
    s->say_word = true;
    s->deadline_us = now_us + PL_S5B_WAIT_US;
    choose(s, now_us);
}

/* What the peer could reach of ours is better than all that is left to try of its: no need to go on. */
static bool is_settled_already(const pl_s5b *s, int next)
{
    return s->they_use >= 0 && s->ours[s->they_use].c.priority > s->theirs[next].c.priority;
}

static void go_on(pl_s5b *s, int64_t now_us)
{
    if (s->over || s->we_said || !s->begun || is_trying(s))
        return;
    int next = next_untried(s);
    if (next < 0 || is_settled_already(s, next)) {
        say(s, now_us, -1);
        return;
    }
    s->theirs[next].progress = TRYING;
    s->theirs[next].tell_connect = true;
}

/* --- input ------------------------------------------------------------------------------------------------------------ */

static bool is_ours(const pl_s5b *s, const pl_xml *transport)
{
    const char *sid = transport ? pl_xml_attr_of(transport, "sid") : NULL;
    return pl_xml_is(transport, PL_NS_JINGLE_S5B, "transport") && sid && strcmp(sid, s->sid) == 0;
}

pl_err pl_s5b_offered(pl_s5b *s, int64_t now_us, const pl_xml *transport)
{
    if (s->begun || s->over)
        return PL_ESTATE;
    const char *mode = transport ? pl_xml_attr_of(transport, "mode") : NULL;
    const char *dst = transport ? pl_xml_attr_of(transport, "dstaddr") : NULL;
    if (!is_ours(s, transport))
        return PL_EPROTO;
    if (mode && strcmp(mode, "tcp") != 0)
        return PL_ENOTSUP;
    size_t n = 0;
    for (const pl_xml *e = pl_xml_child(transport, PL_NS_JINGLE_S5B, "candidate"); e;
         e = pl_xml_next(e, PL_NS_JINGLE_S5B, "candidate")) {
        if (n == PL_S5B_CANDIDATES_MAX)
            break; /* the first ones are the best ones */
        s->theirs[n] = (entry){ 0 };
        if (!read_candidate(e, &s->theirs[n].c) || find(s->theirs, n, s->theirs[n].c.cid) >= 0)
            return PL_EPROTO;
        n++;
    }
    if (dst && strlen(dst) == PL_S5B_DST_LEN) /* whoever counts it otherwise says so */
        memcpy(s->dst_out, dst, PL_S5B_DST_LEN + 1);
    s->n_theirs = n;
    s->begun = true;
    s->deadline_us = PL_NEVER;
    go_on(s, now_us);
    pl_s5b_check(s);
    return PL_OK;
}

static pl_err on_word(pl_s5b *s, int64_t now_us, const pl_xml *used, const pl_xml *error)
{
    int index = used ? find(s->ours, s->n_ours, pl_xml_attr_of(used, "cid")) : -1;
    if (s->they_said || (used && (error || index < 0)))
        return PL_EPROTO;
    s->they_use = index;
    s->they_said = index < 0 ? NONE : SOMETHING;
    choose(s, now_us);
    return PL_OK;
}

static pl_err on_activated(pl_s5b *s, const pl_xml *activated)
{
    if (!s->awaiting || find(s->theirs, s->n_theirs, pl_xml_attr_of(activated, "cid")) != s->use)
        return PL_EPROTO;
    use(s, s->use, false);
    return PL_OK;
}

pl_err pl_s5b_told(pl_s5b *s, int64_t now_us, const pl_xml *transport)
{
    if (!is_ours(s, transport))
        return PL_EPROTO;
    const pl_xml *used = pl_xml_child(transport, PL_NS_JINGLE_S5B, "candidate-used"),
                 *error = pl_xml_child(transport, PL_NS_JINGLE_S5B, "candidate-error"),
                 *activated = pl_xml_child(transport, PL_NS_JINGLE_S5B, "activated");
    pl_err err = PL_OK;
    if (s->over)
        return PL_OK;
    if (used || error)
        err = on_word(s, now_us, used, error);
    else if (activated)
        err = on_activated(s, activated);
    else if (pl_xml_child(transport, PL_NS_JINGLE_S5B, "proxy-error") && s->awaiting)
        fail(s);
    pl_s5b_check(s);
    return err;
}

void pl_s5b_connected(pl_s5b *s, int64_t now_us, const char *cid)
{
    int i = find(s->theirs, s->n_theirs, cid);
    if (i < 0 || s->over || s->theirs[i].progress != TRYING)
        return;
    s->theirs[i].progress = WORKED;
    s->theirs[i].tell_connect = false;
    say(s, now_us, i);
    pl_s5b_check(s);
}

void pl_s5b_failed(pl_s5b *s, int64_t now_us, const char *cid)
{
    int i = find(s->theirs, s->n_theirs, cid);
    if (i < 0 || s->over || s->theirs[i].progress != TRYING)
        return;
    s->theirs[i].progress = DID_NOT;
    s->theirs[i].tell_connect = false;
    go_on(s, now_us);
    pl_s5b_check(s);
}

void pl_s5b_activated(pl_s5b *s, int64_t now_us, bool worked)
{
    (void)now_us;
    if (!s->activating)
        return;
    s->say_activated = worked;
    s->say_proxy_error = !worked;
    if (worked)
        use(s, s->use, true);
    else
        fail(s);
    pl_s5b_check(s);
}

void pl_s5b_tick(pl_s5b *s, int64_t now_us)
{
    if (s->deadline_us <= now_us)
        fail(s);
    pl_s5b_check(s);
}

int64_t pl_s5b_next_us(const pl_s5b *s)
{
    return s->deadline_us;
}

/* --- output ----------------------------------------------------------------------------------------------------------- */

static bool poll_candidate(pl_s5b *s, pl_s5b_event *out)
{
    for (size_t i = 0; i < s->n_theirs; i++) {
        entry *e = &s->theirs[i];
        if (!e->tell_connect && !e->tell_stop)
            continue;
        *out = (pl_s5b_event){ .kind = e->tell_stop ? PL_S5B_STOP : PL_S5B_CONNECT,
                               .candidate = &e->c,
                               .dst = s->dst_out };
        e->tell_connect = e->tell_stop = false;
        return true;
    }
    return false;
}

bool pl_s5b_poll_event(pl_s5b *s, pl_s5b_event *out)
{
    if (poll_candidate(s, out))
        return true;
    *out = (pl_s5b_event){ .dst = s->dst_in, .ours = true };
    if (s->tell_activate) {
        s->tell_activate = false;
        out->kind = PL_S5B_ACTIVATE;
        out->candidate = &s->ours[s->use].c;
    } else if (s->tell_use) {
        s->tell_use = false;
        out->kind = PL_S5B_USE;
        out->ours = s->tell_ours;
        out->candidate = &(s->tell_ours ? s->ours : s->theirs)[s->use].c;
        out->dst = s->tell_ours ? s->dst_in : s->dst_out;
    } else if (s->tell_failed) {
        s->tell_failed = false;
        out->kind = PL_S5B_FAILED_NOW;
    } else {
        return false;
    }
    return true;
}

static pl_xml *transport_of(const pl_s5b *s, pl_xml *content)
{
    pl_xml *t = pl_xml_add(content, PL_NS_JINGLE_S5B, "transport");
    pl_xml_set(t, "sid", s->sid);
    return t;
}

pl_xml *pl_s5b_poll_output(pl_s5b *s, pl_xml *content)
{
    if (!s->say_word && !s->say_activated && !s->say_proxy_error)
        return NULL;
    pl_xml *t = transport_of(s, content);
    if (s->say_word) {
        pl_xml *e = pl_xml_add(t, NULL, s->we_use < 0 ? "candidate-error" : "candidate-used");
        if (s->we_use >= 0)
            pl_xml_set(e, "cid", s->theirs[s->we_use].c.cid);
        s->say_word = false;
    } else if (s->say_activated) {
        pl_xml_set(pl_xml_add(t, NULL, "activated"), "cid", s->ours[s->use].c.cid);
        s->say_activated = false;
    } else {
        pl_xml_add(t, NULL, "proxy-error");
        s->say_proxy_error = false;
    }
    return t;
}

pl_xml *pl_s5b_write_transport(const pl_s5b *s, pl_xml *content)
{
    pl_xml *t = transport_of(s, content);
    pl_xml_set(t, "mode", "tcp");
    pl_xml_set(t, "dstaddr", s->dst_in);
    for (size_t i = 0; i < s->n_ours; i++) {
        const pl_s5b_candidate *c = &s->ours[i].c;
        pl_xml *e = pl_xml_add(t, NULL, "candidate");
        pl_xml_set(e, "cid", c->cid);
        pl_xml_set(e, "host", c->host);
        pl_xml_set(e, "jid", c->jid[0] ? c->jid : s->self);
        pl_xml_set_u64(e, "port", c->port ? c->port : 1080);
        pl_xml_set_u64(e, "priority", c->priority);
        pl_xml_set(e, "type", type_word[c->type]);
    }
    return t;
}

void pl_s5b_check(const pl_s5b *s)
{
    size_t n_trying = 0;
    for (size_t i = 0; i < s->n_theirs; i++)
        n_trying += s->theirs[i].progress == TRYING;
    assert(n_trying <= 1 && (!s->over || n_trying == 0 || s->used));
    assert(s->we_use < (int)s->n_theirs && s->they_use < (int)s->n_ours);
    assert(!(s->activating && s->awaiting));
    assert(!s->over || s->deadline_us == PL_NEVER);
}
