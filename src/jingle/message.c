/* Message initiation: proposals, and what is said of them. */
#include "jingle/message.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "jingle/stanza.h"

#define NS_CARBONS "urn:xmpp:carbons:2"
#define NS_FORWARD "urn:xmpp:forward:0"
#define NS_DELAY   "urn:xmpp:delay"

enum { OUTPUTS_MAX = 4 * PL_JMI_MAX, EVENTS_MAX = 4 * PL_JMI_MAX };

typedef enum state {
    FREE,
    PROPOSED,
    RINGS,
    AGREED
} state; /* RINGS: came to us; AGREED: a call may come of it */

typedef struct proposal {
    state state;
    bool ours, started;      /* started: the session that we proceeded to is there */
    bool audio, video, data; /* ours: what is proposed */
    char id[PL_JMI_ID_MAX + 1];
    char *peer; /* ours: bare until a device proceeds; theirs: full */
    int64_t over_us;
} proposal;

typedef struct note {
    pl_node node;
    pl_jmi_event e; /* its texts point behind it */
    char text[];
} note;

typedef struct output {
    pl_node node;
    pl_xml *e;
} output;

struct pl_jmi {
    char *self;
    pl_rand rand;
    int64_t ring_us, now_us;
    proposal p[PL_JMI_MAX];
    pl_list notes, outputs;
    note *lent;
    size_t n_notes, n_outputs;
};

/* --- life ----------------------------------------------------------------------------------------------------- */

pl_err pl_jmi_new(pl_jmi **out, const pl_jmi_conf *conf, int64_t now_us)
{
    *out = NULL;
    pl_jmi *m = calloc(1, sizeof *m);
    char *self = strdup(conf->self);
    if (!m || !self) {
        free(m);
        free(self);
        return PL_ENOMEM;
    }
    m->self = self;
    m->rand = conf->rand;
    m->ring_us = conf->ring_us ? conf->ring_us : PL_JMI_RING_US;
    m->now_us = now_us;
    pl_list_init(&m->notes);
    pl_list_init(&m->outputs);
    *out = m;
    return PL_OK;
}

static void forget(proposal *p)
{
    free(p->peer);
    *p = (proposal){ 0 };
}

void pl_jmi_free(pl_jmi *m)
{
    if (!m)
        return;
    PL_EACH (n, &m->notes)
        free(pl_of(n, note, node));
    free(m->lent);
    for (pl_xml *e; (e = pl_jmi_poll_output(m));)
        pl_xml_free(e);
    for (size_t i = 0; i < PL_JMI_MAX; i++)
        forget(&m->p[i]);
    free(m->self);
    free(m);
}

/* --- proposals -------------------------------------------------------------------------------------------------- */

static bool same_account(const char *a, const char *b)
{
    size_t n = strcspn(a, "/");
    return n == strcspn(b, "/") && strncmp(a, b, n) == 0;
}

static proposal *find(pl_jmi *m, const char *id)
{
    for (size_t i = 0; i < PL_JMI_MAX; i++) {
        if (m->p[i].state != FREE && strcmp(m->p[i].id, id) == 0)
            return &m->p[i];
    }
    return NULL;
}

static proposal *add(pl_jmi *m, const char *id, const char *peer, bool ours)
{
    for (size_t i = 0; i < PL_JMI_MAX; i++) {
        proposal *p = &m->p[i];
        if (p->state != FREE)
            continue;
        char *copy = strdup(peer);
        if (!copy)
            return NULL;
        *p = (proposal){
            .state = ours ? PROPOSED : RINGS, .ours = ours, .peer = copy, .over_us = m->now_us + m->ring_us
        };
        snprintf(p->id, sizeof p->id, "%s", id);
        return p;
    }
    return NULL;
}

static bool tell(pl_jmi *m, const pl_jmi_event *e)
{
    size_t id_n = strlen(e->id) + 1, from_n = strlen(e->from) + 1, text_n = strlen(e->text) + 1;
    note *n = m->n_notes < EVENTS_MAX ? malloc(sizeof *n + id_n + from_n + text_n) : NULL;
    if (!n)
        return false;
    n->e = *e;
    n->node = (pl_node){ 0 };
    n->e.id = memcpy(n->text, e->id, id_n);
    n->e.from = memcpy(n->text + id_n, e->from, from_n);
    n->e.text = memcpy(n->text + id_n + from_n, e->text, text_n);
    pl_list_push_back(&m->notes, &n->node);
    m->n_notes++;
    return true;
}

static void tell_of(pl_jmi *m, const proposal *p, pl_jmi_event_kind kind, const char *from)
{
    (void)tell(m, &(pl_jmi_event){ .kind = kind, .id = p->id, .from = from, .text = "" });
}

/* --- saying ------------------------------------------------------------------------------------------------------- */

/* A message of type chat that servers keep, so that every device learns of the call, later too. */
static pl_xml *message(pl_jmi *m, const char *to, bool bare, const char *word, const char *id, pl_xml **inner)
{
    pl_xml *e = pl_xml_new(PL_NS_CLIENT, "message");
    pl_xml_setf(e, "to", "%.*s", bare ? (int)strcspn(to, "/") : (int)strlen(to), to);
    pl_xml_set(e, "type", "chat");
    pl_xml_setf(e, "id", "jm%016" PRIx64, pl_rand_u64(&m->rand));
    *inner = pl_xml_add(e, PL_NS_JINGLE_MESSAGE, word);
    pl_xml_set(*inner, "id", id);
    return e;
}

static pl_err send(pl_jmi *m, pl_xml *e)
{
    pl_xml_add(e, PL_NS_HINTS, "store");
    pl_err err = m->n_outputs < OUTPUTS_MAX ? pl_xml_err(e) : PL_ENOSPC;
    output *o = err ? NULL : calloc(1, sizeof *o);
    if (!o) {
        pl_xml_free(e);
        return err ? err : PL_ENOMEM;
    }
    o->e = e;
    pl_list_push_back(&m->outputs, &o->node);
    m->n_outputs++;
    return PL_OK;
}

static pl_err say(pl_jmi *m, const char *to, bool bare, const char *word, const char *id, pl_jingle_reason r)
{
    pl_xml *inner, *e = message(m, to, bare, word, id, &inner);
    pl_jingle_write_reason(inner, r, NULL, NULL);
    return send(m, e);
}

static void propose_rtp(pl_xml *inner, bool wanted, const char *media)
{
    if (wanted)
        pl_xml_set(pl_xml_add(inner, PL_NS_JINGLE_RTP, "description"), "media", media);
}

static pl_err say_propose(pl_jmi *m, const proposal *p, const char *to, bool bare)
{
    pl_xml *inner, *e = message(m, to, bare, "propose", p->id, &inner);
    propose_rtp(inner, p->audio, "audio");
    propose_rtp(inner, p->video, "video");
    if (p->data)
        pl_xml_add(inner, PL_NS_JINGLE_CHANNELS, "description");
    return send(m, e);
}

pl_err pl_jmi_propose(pl_jmi *m, int64_t now_us, const char *to, bool audio, bool video, bool data,
                      char id[PL_JMI_ID_MAX + 1])
{
    if (!to[0] || strlen(to) > PL_JMI_JID_MAX || (!audio && !video && !data))
        return PL_EINVAL;
    m->now_us = now_us;
    snprintf(id, PL_JMI_ID_MAX + 1, "%016" PRIx64 "%016" PRIx64, pl_rand_u64(&m->rand),
             pl_rand_u64(&m->rand));
    proposal *p = add(m, id, to, true);
    if (!p)
        return PL_ENOSPC;
    p->audio = audio;
    p->video = video;
    p->data = data;
    pl_err err = say_propose(m, p, to, true);
    if (err)
        forget(p);
    return err;
}

pl_err pl_jmi_retract(pl_jmi *m, const char *id, pl_jingle_reason reason)
{
    proposal *p = find(m, id);
    if (!p || !p->ours || p->state != PROPOSED)
        return PL_ESTATE;
    pl_err err = say(m, p->peer, true, "retract", id, reason);
    if (!err)
        forget(p);
    return err;
}

pl_err pl_jmi_ring(pl_jmi *m, const char *id)
{
    proposal *p = find(m, id);
    return p && p->state == RINGS ? say(m, p->peer, true, "ringing", id, PL_JINGLE_NO_REASON) : PL_ESTATE;
}

/* Our other devices hear of it by a carbon; those of before carbons by a message to our own account. */
pl_err pl_jmi_proceed(pl_jmi *m, int64_t now_us, const char *id)
{
    proposal *p = find(m, id);
    if (!p || p->state != RINGS)
        return PL_ESTATE;
    m->now_us = now_us;
    pl_err err = say(m, p->peer, false, "proceed", id, PL_JINGLE_NO_REASON);
    if (err)
        return err;
    p->state = AGREED;
    p->over_us = m->now_us + PL_JMI_START_US;
    (void)say(m, m->self, true, "accept", id, PL_JINGLE_NO_REASON); /* without it, the others ring out */
    return PL_OK;
}

pl_err pl_jmi_started(pl_jmi *m, const char *id)
{
    proposal *p = find(m, id);
    if (!p || p->ours || p->state != AGREED)
        return PL_ESTATE;
    p->started = true;
    p->over_us = PL_NEVER;
    return PL_OK;
}

pl_err pl_jmi_reject(pl_jmi *m, const char *id, pl_jingle_reason reason)
{
    proposal *p = find(m, id);
    if (!p || p->state != RINGS)
        return PL_ESTATE;
    pl_err err = say(m, p->peer, true, "reject", id, reason);
    if (err)
        return err;
    (void)say(m, m->self, true, "reject", id, reason);
    forget(p);
    return PL_OK;
}

pl_err pl_jmi_ignore(pl_jmi *m, const char *id)
{
    proposal *p = find(m, id);
    if (!p || p->state != RINGS)
        return PL_ESTATE;
    forget(p);
    return PL_OK;
}

pl_err pl_jmi_finish(pl_jmi *m, const char *id, pl_jingle_reason reason)
{
    proposal *p = find(m, id);
    if (!p || p->state != AGREED)
        return PL_ESTATE;
    pl_err err = say(m, p->peer, true, "finish", id, reason);
    if (!err)
        forget(p);
    return err;
}

/* --- hearing ------------------------------------------------------------------------------------------------------ */

/* Says that of two proposals this one does not stand. Without it, it rings there until somebody answers. */
static void say_tie_break(pl_jmi *m, const char *to, const char *word, const char *id)
{
    pl_xml *inner, *e = message(m, to, true, word, id, &inner);
    pl_jingle_write_reason(inner, PL_JINGLE_EXPIRED, NULL, NULL);
    pl_xml_add(inner, NULL, "tie-break");
    (void)send(m, e);
}

/* XEP-0353 4.1: of two proposals that cross each other the one with the lower id stands; whoever has made the other one takes
 * it back, since devices may ring for it, and whoever gets it rejects it. True: ours stands. */
static bool ours_goes_first(pl_jmi *m, const char *id, const char *from)
{
    for (size_t i = 0; i < PL_JMI_MAX; i++) {
        proposal *p = &m->p[i];
        if (p->state != PROPOSED || !same_account(p->peer, from))
            continue;
        if (strcmp(p->id, id) < 0) {               /* equal ones are one, and were not looked at */
            (void)!say_propose(m, p, from, false); /* that device may have come since, and know of none */
            say_tie_break(m, from, "reject", id);
            return true;
        }
        say_tie_break(m, p->peer, "retract", p->id);
        (void)tell(m, &(pl_jmi_event){ .kind = PL_JMI_REJECTED,
                                       .id = p->id,
                                       .from = from,
                                       .text = "",
                                       .tie_break = true,
                                       .reason = PL_JINGLE_EXPIRED });
        forget(p);
    }
    return false;
}

static bool too_many(const pl_jmi *m, const char *from)
{
    size_t n = 0;
    for (size_t i = 0; i < PL_JMI_MAX; i++)
        n += m->p[i].state == RINGS && same_account(m->p[i].peer, from);
    return n >= PL_JMI_STRANGERS_MAX;
}

static void on_propose(pl_jmi *m, const char *id, const char *from, const pl_xml *propose)
{
    pl_jmi_event e = { .kind = PL_JMI_INCOMING, .id = id, .from = from, .text = "" };
    for (const pl_xml *d = pl_xml_child(propose, NULL, "description"); d;
         d = pl_xml_next(d, NULL, "description")) {
        bool rtp = pl_xml_is(d, PL_NS_JINGLE_RTP, NULL);
        e.audio = e.audio || (rtp && pl_xml_attr_is(d, "media", "audio"));
        e.video = e.video || (rtp && pl_xml_attr_is(d, "media", "video"));
        e.data = e.data || pl_xml_is(d, PL_NS_JINGLE_CHANNELS, NULL);
    }
    if (same_account(from, m->self) || find(m, id) || too_many(m, from) ||
        (!e.audio && !e.video && !e.data) || ours_goes_first(m, id, from))
        return;
    proposal *p = add(m, id, from, false);
    if (p && !tell(m, &e))
        forget(p);
}

/* From those whom we proposed to. */
static void on_answer(pl_jmi *m, proposal *p, const char *from, const pl_xml *word)
{
    pl_jmi_event e = { .id = p->id, .from = from };
    e.reason = pl_jingle_reason_in(word, &e.text);
    if (strcmp(word->name, "ringing") == 0 && p->state == PROPOSED) {
        e.kind = PL_JMI_RINGING;
        (void)tell(m, &e);
    } else if (strcmp(word->name, "proceed") == 0 && p->state == PROPOSED) {
        char *device = strdup(from);
        if (!device)
            return;
        free(p->peer);
        p->peer = device;
        p->state = AGREED;
        p->over_us = PL_NEVER;
        e.kind = PL_JMI_PROCEED;
        (void)tell(m, &e);
    } else if (strcmp(word->name, "reject") == 0 && p->state == PROPOSED) {
        e.kind = PL_JMI_REJECTED;
        e.tie_break = pl_xml_child(word, PL_NS_JINGLE_MESSAGE, "tie-break") != NULL;
        (void)tell(m, &e);
        forget(p);
    }
}

/* From the caller, who may take it back in the moment in which we proceed. */
static void on_caller(pl_jmi *m, proposal *p, const char *from, const pl_xml *word)
{
    pl_jmi_event e = { .kind = PL_JMI_RETRACTED, .id = p->id, .from = from };
    e.reason = pl_jingle_reason_in(word, &e.text);
    if (strcmp(word->name, "retract") == 0) {
        (void)tell(m, &e);
        forget(p);
    }
}

/* Another device of ours has decided; and so that nobody rings here any more, it says so. */
static void on_own_device(pl_jmi *m, proposal *p, const char *from, const pl_xml *word)
{
    bool decided = strcmp(word->name, "accept") == 0 || strcmp(word->name, "proceed") == 0 ||
                   strcmp(word->name, "reject") == 0;
    if (p->ours || p->state != RINGS || !decided || strcmp(from, m->self) == 0)
        return;
    tell_of(m, p, PL_JMI_TAKEN, from);
    forget(p);
}

static void on_word(pl_jmi *m, const char *from, const pl_xml *word)
{
    const char *id = pl_xml_attr_of(word, "id");
    if (!id || !id[0] || strlen(id) > PL_JMI_ID_MAX || strlen(from) > PL_JMI_JID_MAX)
        return;
    if (strcmp(word->name, "propose") == 0) {
        on_propose(m, id, from, word);
        return;
    }
    proposal *p = find(m, id);
    if (p && same_account(from, m->self))
        on_own_device(m, p, from, word);
    else if (p && same_account(from, p->peer) && p->state == AGREED && strcmp(word->name, "finish") == 0) {
        pl_jmi_event e = { .kind = PL_JMI_FINISHED, .id = p->id, .from = from };
        e.reason = pl_jingle_reason_in(word, &e.text);
        (void)tell(m, &e);
        forget(p);
    } else if (p && same_account(from, p->peer) && p->ours)
        on_answer(m, p, from, word);
    else if (p && same_account(from, p->peer))
        on_caller(m, p, from, word);
}

/* Only our own server may say what our devices sent or got (XEP-0280 11). */
static const pl_xml *opened(const pl_jmi *m, const pl_xml *stanza)
{
    const char *from = pl_xml_attr_of(stanza, "from");
    const pl_xml *carbon = pl_xml_child(stanza, NS_CARBONS, NULL);
    if (!carbon)
        return stanza;
    if (!from || strchr(from, '/') || !same_account(from, m->self))
        return NULL;
    return pl_xml_child(pl_xml_child(carbon, NS_FORWARD, "forwarded"), PL_NS_CLIENT, "message");
}

bool pl_jmi_input(pl_jmi *m, int64_t now_us, const pl_xml *stanza)
{
    m->now_us = now_us;
    if (!pl_xml_is(stanza, PL_NS_CLIENT, "message"))
        return false;
    const pl_xml *message_in = opened(m, stanza),
                 *word = pl_xml_child(message_in, PL_NS_JINGLE_MESSAGE, NULL);
    const char *from = word ? pl_xml_attr_of(message_in, "from") : NULL;
    if (!from)
        return false;
    if (pl_xml_child(stanza, NS_DELAY, "delay") || pl_xml_child(message_in, NS_DELAY, "delay"))
        return true; /* kept for us while we were away: that call is over */
    proposal *p = pl_xml_attr_of(word, "id") ? find(m, pl_xml_attr_of(word, "id")) : NULL;
    if (!pl_xml_attr_is(message_in, "type", "error")) {
        on_word(m, from, word);
    } else if (p && p->state == PROPOSED && same_account(from, p->peer)) {
        tell_of(m, p, PL_JMI_FAILED, from);
        forget(p);
    }
    pl_jmi_check(m);
    return true;
}

/* --- time and polls ----------------------------------------------------------------------------------------------- */

void pl_jmi_tick(pl_jmi *m, int64_t now_us)
{
    m->now_us = now_us;
    for (size_t i = 0; i < PL_JMI_MAX; i++) {
        proposal *p = &m->p[i];
        if (p->state == FREE || p->over_us > now_us)
            continue;
        if (p->state == PROPOSED)
            (void)say(m, p->peer, true, "retract", p->id, PL_JINGLE_TIMEOUT);
        tell_of(m, p, PL_JMI_EXPIRED, "");
        forget(p);
    }
    pl_jmi_check(m);
}

int64_t pl_jmi_next_us(const pl_jmi *m)
{
    int64_t next_us = PL_NEVER;
    for (size_t i = 0; i < PL_JMI_MAX; i++) {
        if (m->p[i].state != FREE)
            next_us = pl_min_us(next_us, m->p[i].over_us);
    }
    return next_us;
}

pl_xml *pl_jmi_poll_output(pl_jmi *m)
{
    pl_node *n = pl_list_pop_front(&m->outputs);
    if (!n)
        return NULL;
    output *o = pl_of(n, output, node);
    pl_xml *e = o->e;
    free(o);
    m->n_outputs--;
    return e;
}

bool pl_jmi_poll_event(pl_jmi *m, pl_jmi_event *out)
{
    free(m->lent);
    m->lent = NULL;
    pl_node *n = pl_list_pop_front(&m->notes);
    if (!n)
        return false;
    m->lent = pl_of(n, note, node);
    m->n_notes--;
    *out = m->lent->e;
    return true;
}

void pl_jmi_check(const pl_jmi *m)
{
    size_t n_notes = 0, n_outputs = 0;
    PL_EACH (n, &m->notes)
        n_notes++;
    PL_EACH (n, &m->outputs)
        n_outputs++;
    assert(n_notes == m->n_notes && n_notes <= EVENTS_MAX);
    assert(n_outputs == m->n_outputs && n_outputs <= OUTPUTS_MAX);
    for (size_t i = 0; i < PL_JMI_MAX; i++) {
        const proposal *p = &m->p[i];
        assert((p->state == FREE) == (p->peer == NULL));
        assert(p->state != RINGS || !p->ours);
        assert(p->state != PROPOSED || p->ours);
        assert(!p->started || (p->state == AGREED && !p->ours));
        assert((p->over_us == PL_NEVER) == (p->state == AGREED && (p->ours || p->started)));
    }
}
