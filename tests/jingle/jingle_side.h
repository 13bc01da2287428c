/* jingle_side.h - one manager under test, spoken to in XML; and two that are wired to each other. */
#ifndef PL_TESTS_JINGLE_SIDE_H
#define PL_TESTS_JINGLE_SIDE_H

#include "jingle/sessions.h"
#include "jingle/write.h"
#include "jingle_xml.h"

#define ROMEO  "romeo@example.net/orchard"
#define JULIET "juliet@example.com/balcony"

typedef struct side {
    pl_jingle *j;
    const char *name;
    pl_rand_seeded random;
    int64_t now_us;
    pl_jingle_event e; /* the last */
} side;

static inline side *side_new(const char *name, uint64_t seed)
{
    side *s = calloc(1, sizeof *s);
    s->name = name;
    pl_jingle_conf conf = { .self = name, .rand = pl_rand_seed(&s->random, seed) };
    PL_EQ(pl_jingle_new(&s->j, &conf, 0), PL_OK);
    return s;
}

static inline void side_free(side *s)
{
    pl_jingle_check(s->j);
    pl_jingle_free(s->j);
    free(s);
}

/* Same element, whatever the order of attributes; an attribute "*" in `want` fits any value. */
static inline bool xml_fits(const pl_xml *want, const pl_xml *have)
{
    if (!pl_xml_is(have, want->ns, want->name))
        return false;
    size_t n = 0, m = 0;
    for (const pl_xml_attr *a = want->attrs; a; a = a->next, n++) {
        const char *value = pl_xml_attr_of(have, a->name);
        if (!value || (strcmp(a->value, "*") != 0 && strcmp(a->value, value) != 0))
            return false;
    }
    for (const pl_xml_attr *a = have->attrs; a; a = a->next)
        m++;
    const pl_xml *x = want->first, *y = have->first;
    for (; x && y && xml_fits(x, y); x = x->next, y = y->next)
        ;
    bool blank = strspn(want->text, " \n\t\r") == strlen(want->text) &&
                 strspn(have->text, " \n\t\r") == strlen(have->text);
    return n == m && !x && !y && (blank || strcmp(want->text, have->text) == 0);
}

/* A stanza comes. */
static inline bool hears(side *s, const char *text)
{
    pl_xml *e = xml_of(text);
    bool taken = pl_jingle_input(s->j, s->now_us, e);
    pl_xml_free(e);
    return taken;
}

/* The next stanza to go fits; its id is copied. */
static inline void says(side *s, const char *text, char id[64])
{
    pl_xml *want = xml_of(text), *have = pl_jingle_poll_output(s->j, s->now_us);
    char *said = have ? xml_text(have) : NULL;
    if (!have || !xml_fits(want, have))
        print_error("wanted %s\nsaid   %s\n", text, said ? said : "nothing");
    PL_OKAY(have && xml_fits(want, have));
    if (id)
        snprintf(id, 64, "%s", pl_xml_attr_of(have, "id"));
    free(said);
    pl_xml_free(want);
    pl_xml_free(have);
}

static inline void silent(side *s)
{
    pl_xml *have = pl_jingle_poll_output(s->j, s->now_us);
    if (have) {
        char *said = xml_text(have);
        print_error("said %s\n", said);
        free(said);
        pl_xml_free(have);
    }
    PL_OKAY(!have);
}

/* The next event is of this kind; it is in s->e. */
static inline pl_jingle_session *tells(side *s, pl_jingle_event_kind kind, pl_jingle_action action)
{
    PL_OKAY(pl_jingle_poll_event(s->j, &s->e));
    PL_EQ(s->e.kind, kind);
    PL_EQ(s->e.action, action);
    return s->e.session;
}

static inline void nothing_told(side *s)
{
    PL_OKAY(!pl_jingle_poll_event(s->j, &s->e));
}

/* All that waits in `from` arrives at `to`, as a server delivers it. Returns how many stanzas. */
static inline int deliver(side *from, side *to)
{
    int n = 0;
    for (pl_xml *e; (e = pl_jingle_poll_output(from->j, from->now_us)); n++) {
        pl_xml_set(e, "from", from->name);
        PL_OKAY(pl_xml_attr_is(e, "to", to->name));
        pl_xml *carried = xml_carried(e);
        (void)pl_jingle_input(to->j, to->now_us, carried);
        pl_xml_free(carried);
        pl_xml_free(e);
    }
    return n;
}

static inline void settle(side *a, side *b)
{
    while (deliver(a, b) + deliver(b, a) > 0)
        ;
}

/* A call of one audio content, or with a content of its own kind. */
static inline pl_xml *content_of(const char *name, const char *application, const char *transport)
{
    pl_xml *jingle = pl_xml_new(PL_NS_JINGLE, "jingle"), *c = pl_jingle_write_name(jingle, name, NULL);
    pl_xml_set(pl_xml_add(c, application, "description"), "media", "audio");
    pl_xml_add(c, transport, "transport");
    return jingle;
}

static inline pl_xml *audio(const char *name)
{
    return content_of(name, PL_NS_JINGLE_RTP, PL_NS_JINGLE_ICE_UDP);
}

static inline pl_xml *named(const char *name, const char *senders)
{
    pl_xml *jingle = pl_xml_new(PL_NS_JINGLE, "jingle");
    pl_jingle_write_name(jingle, name, senders);
    return jingle;
}

/* An active session between a and b; the sessions' two ends. */
static inline void connect(side *a, side *b, pl_jingle_session **at_a, pl_jingle_session **at_b)
{
    PL_EQ(pl_jingle_initiate(a->j, a->now_us, b->name, NULL, audio("voice"), at_a), PL_OK);
    deliver(a, b);
    *at_b = tells(b, PL_JINGLE_INCOMING, PL_JINGLE_SESSION_INITIATE);
    PL_EQ(pl_jingle_admit(*at_b, b->now_us), PL_OK);
    PL_EQ(pl_jingle_accept(*at_b, b->now_us, audio("voice")), PL_OK);
    settle(a, b);
    PL_OKAY(tells(a, PL_JINGLE_ACKED, PL_JINGLE_SESSION_INITIATE) == *at_a);
    PL_OKAY(tells(a, PL_JINGLE_ACTION, PL_JINGLE_SESSION_ACCEPT) == *at_a);
    PL_OKAY(tells(b, PL_JINGLE_ACKED, PL_JINGLE_SESSION_ACCEPT) == *at_b);
    PL_EQ(pl_jingle_session_state(*at_a), PL_JINGLE_ACTIVE);
    PL_EQ(pl_jingle_session_state(*at_b), PL_JINGLE_ACTIVE);
}

#endif
