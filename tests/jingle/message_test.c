/* XEP-0353: one calls, several devices ring, one takes it. */
#include "pl_test.h"

#include "jingle/message.h"
#include "jingle_xml.h"

#define MAX_DEVICES 4

typedef struct device {
    pl_jmi *m;
    const char *name;
    pl_rand_seeded random;
    pl_jmi_event e;
} device;

static const char *const names[MAX_DEVICES] = { "romeo@example.net/orchard", "juliet@example.com/balcony",
                                                "juliet@example.com/chamber", "juliet@example.com/tomb" };

typedef struct world {
    device d[MAX_DEVICES];
    int64_t now_us;
} world;

static world *begin(void)
{
    world *w = calloc(1, sizeof *w);
    for (int i = 0; i < MAX_DEVICES; i++) {
        w->d[i].name = names[i];
        PL_EQ(pl_jmi_new(
                  &w->d[i].m,
                  &(pl_jmi_conf){ .self = names[i], .rand = pl_rand_seed(&w->d[i].random, (uint64_t)i + 1) },
                  0),
              PL_OK);
    }
    return w;
}

static void end(world *w)
{
    for (int i = 0; i < MAX_DEVICES; i++)
        pl_jmi_free(w->d[i].m);
    free(w);
}

static bool same_bare(const char *a, const char *b)
{
    size_t n = strcspn(a, "/");
    return n == strcspn(b, "/") && strncmp(a, b, n) == 0;
}

/* What the server of `to` does: to the device that is named, to all of them otherwise; and a carbon to those of the
 * sender's that did not send it. */
static void carry(world *w, const char *from, pl_xml *e)
{
    const char *to = pl_xml_attr_of(e, "to");
    PL_OKAY(pl_xml_attr_is(e, "type", "chat") && pl_xml_child(e, PL_NS_HINTS, "store"));
    pl_xml_set(e, "from", from);
    for (int i = 0; i < MAX_DEVICES; i++) {
        bool here = strchr(to, '/') ? strcmp(to, names[i]) == 0 : same_bare(to, names[i]);
        if (here)
            PL_OKAY(pl_jmi_input(w->d[i].m, w->now_us, e));
        else if (same_bare(from, names[i]) && strcmp(from, names[i]) != 0) {
            pl_xml *carbon = pl_xml_new(PL_NS_CLIENT, "message");
            pl_xml_setf(carbon, "from", "%.*s", (int)strcspn(from, "/"), from);
            pl_xml *sent = pl_xml_add(carbon, "urn:xmpp:carbons:2", "sent");
            pl_xml_add_copy(pl_xml_add(sent, "urn:xmpp:forward:0", "forwarded"), e);
            PL_OKAY(pl_jmi_input(w->d[i].m, w->now_us, carbon));
            pl_xml_free(carbon);
        }
    }
}

static void settle(world *w)
{
    for (bool more = true; more;) {
        more = false;
        for (int i = 0; i < MAX_DEVICES; i++) {
            for (pl_xml *e; (e = pl_jmi_poll_output(w->d[i].m)); more = true) {
                carry(w, names[i], e);
                pl_xml_free(e);
            }
        }
    }
}

static void tells(world *w, int i, pl_jmi_event_kind kind)
{
    PL_OKAY(pl_jmi_poll_event(w->d[i].m, &w->d[i].e));
    PL_EQ(w->d[i].e.kind, kind);
}

static void quiet(world *w)
{
    for (int i = 0; i < MAX_DEVICES; i++)
        PL_OKAY(!pl_jmi_poll_event(w->d[i].m, &w->d[i].e));
}

static void proposed(world *w, char id[PL_JMI_ID_MAX + 1])
{
    PL_EQ(pl_jmi_propose(w->d[0].m, w->now_us, "juliet@example.com", true, true, false, id), PL_OK);
    settle(w);
    for (int i = 1; i < MAX_DEVICES; i++) {
        tells(w, i, PL_JMI_INCOMING);
        PL_STREQ(w->d[i].e.id, id);
        PL_STREQ(w->d[i].e.from, names[0]);
        PL_OKAY(w->d[i].e.audio && w->d[i].e.video && !w->d[i].e.data);
    }
}

PL_TEST(several_ring_and_one_takes_it)
{
    world *w = begin();
    char id[PL_JMI_ID_MAX + 1];
    proposed(w, id);
    PL_EQ(pl_jmi_ignore(w->d[3].m, id), PL_OK); /* that one asks nobody */
    PL_EQ(pl_jmi_ring(w->d[1].m, id), PL_OK);
    PL_EQ(pl_jmi_ring(w->d[2].m, id), PL_OK);
    settle(w);
    tells(w, 0, PL_JMI_RINGING);
    tells(w, 0, PL_JMI_RINGING);
    PL_STREQ(w->d[0].e.from, names[2]);
    PL_EQ(pl_jmi_proceed(w->d[2].m, w->now_us, id), PL_OK);
    PL_EQ(pl_jmi_proceed(w->d[2].m, w->now_us, id), PL_ESTATE);
    settle(w);
    tells(w, 0, PL_JMI_PROCEED);
    PL_STREQ(w->d[0].e.from, names[2]);
    PL_STREQ(w->d[0].e.id, id);
    tells(w, 1, PL_JMI_TAKEN);
    quiet(w);
    PL_EQ(pl_jmi_next_us(w->d[1].m), PL_NEVER);
    PL_EQ(pl_jmi_retract(w->d[0].m, id, PL_JINGLE_CANCEL), PL_ESTATE);
    PL_EQ(pl_jmi_finish(w->d[0].m, id, PL_JINGLE_SUCCESS), PL_OK);
    settle(w);
    tells(w, 2, PL_JMI_FINISHED);
    PL_EQ(w->d[2].e.reason, PL_JINGLE_SUCCESS);
    quiet(w);
    end(w);
}

PL_TEST(rejected_and_retracted)
{
    world *w = begin();
    char id[PL_JMI_ID_MAX + 1];
    proposed(w, id);
    PL_EQ(pl_jmi_reject(w->d[1].m, id, PL_JINGLE_BUSY), PL_OK);
    settle(w);
    tells(w, 0, PL_JMI_REJECTED);
    PL_EQ(w->d[0].e.reason, PL_JINGLE_BUSY);
    PL_OKAY(!w->d[0].e.tie_break);
    tells(w, 2, PL_JMI_TAKEN);
    tells(w, 3, PL_JMI_TAKEN);
    quiet(w);
    proposed(w, id);
    PL_EQ(pl_jmi_retract(w->d[0].m, id, PL_JINGLE_CANCEL), PL_OK);
    settle(w);
    for (int i = 1; i < MAX_DEVICES; i++) {
        tells(w, i, PL_JMI_RETRACTED);
        PL_EQ(w->d[i].e.reason, PL_JINGLE_CANCEL);
        PL_EQ(pl_jmi_proceed(w->d[i].m, w->now_us, id), PL_ESTATE);
    }
    quiet(w);
    end(w);
}

PL_TEST(nobody_answers)
{
    world *w = begin();
    char id[PL_JMI_ID_MAX + 1];
    proposed(w, id);
    w->now_us = pl_jmi_next_us(w->d[0].m);
    PL_EQ(w->now_us, PL_JMI_RING_US);
    pl_jmi_tick(w->d[0].m, w->now_us);
    settle(w);
    tells(w, 0, PL_JMI_EXPIRED);
    for (int i = 1; i < MAX_DEVICES; i++) {
        tells(w, i, PL_JMI_RETRACTED);
        PL_EQ(w->d[i].e.reason, PL_JINGLE_TIMEOUT);
    }
    quiet(w);
    /* ... nor does the news of it come. */
    proposed(w, id);
    w->now_us += PL_JMI_RING_US;
    pl_jmi_tick(w->d[1].m, w->now_us);
    tells(w, 1, PL_JMI_EXPIRED);
    end(w);
}

/* Whoever has said yes waits for the session: not when the caller took it back in the same moment, nor for ever. */
PL_TEST(proceeded_in_vain)
{
    world *w = begin();
    char id[PL_JMI_ID_MAX + 1];
    proposed(w, id);
    PL_EQ(pl_jmi_started(w->d[1].m, id), PL_ESTATE);
    PL_EQ(pl_jmi_proceed(w->d[1].m, w->now_us, id), PL_OK);
    PL_EQ(pl_jmi_retract(w->d[0].m, id, PL_JINGLE_CANCEL), PL_OK);
    settle(w);
    tells(w, 1, PL_JMI_RETRACTED);
    PL_EQ(pl_jmi_finish(w->d[1].m, id, PL_JINGLE_SUCCESS), PL_ESTATE);
    for (int i = 2; i < MAX_DEVICES; i++) /* heard of one or the other first */
        PL_OKAY(pl_jmi_poll_event(w->d[i].m, &w->d[i].e));
    quiet(w);
    proposed(w, id);
    w->now_us += PL_JMI_RING_US - 1;
    PL_EQ(pl_jmi_proceed(w->d[1].m, w->now_us, id), PL_OK);
    PL_EQ(pl_jmi_next_us(w->d[1].m), w->now_us + PL_JMI_START_US);
    w->now_us += PL_JMI_START_US;
    pl_jmi_tick(w->d[1].m, w->now_us);
    tells(w, 1, PL_JMI_EXPIRED);
    PL_EQ(pl_jmi_next_us(w->d[1].m), PL_NEVER);
    end(w);
    w = begin();
    proposed(w, id);
    PL_EQ(pl_jmi_proceed(w->d[1].m, w->now_us, id), PL_OK);
    PL_EQ(pl_jmi_started(w->d[1].m, id), PL_OK);
    PL_EQ(pl_jmi_next_us(w->d[1].m), PL_NEVER);
    PL_EQ(pl_jmi_finish(w->d[1].m, id, PL_JINGLE_SUCCESS), PL_OK);
    end(w);
}

/* Both want to call each other at the same time: one of the two proposals stands. */
PL_TEST(proposals_that_cross)
{
    world *w = begin();
    char id[PL_JMI_ID_MAX + 1], other[PL_JMI_ID_MAX + 1];
    PL_EQ(pl_jmi_propose(w->d[0].m, 0, "juliet@example.com", true, false, false, id), PL_OK);
    PL_EQ(pl_jmi_propose(w->d[1].m, 0, "romeo@example.net", true, false, false, other), PL_OK);
    settle(w);
    int loser = strcmp(id, other) < 0 ? 1 : 0, winner = !loser;
    bool incoming = false, rejected = false;
    while (pl_jmi_poll_event(w->d[loser].m, &w->d[loser].e)) {
        incoming = incoming || w->d[loser].e.kind == PL_JMI_INCOMING;
        rejected = rejected || (w->d[loser].e.kind == PL_JMI_REJECTED && w->d[loser].e.tie_break);
    }
    PL_OKAY(incoming && rejected);
    PL_OKAY(!pl_jmi_poll_event(w->d[winner].m, &w->d[winner].e));
    for (int i = 2; i < MAX_DEVICES; i++) /* where it may have rung */
        PL_EQ(pl_jmi_proceed(w->d[i].m, w->now_us, loser ? other : id), PL_ESTATE);
    PL_EQ(pl_jmi_proceed(w->d[loser].m, w->now_us, loser ? id : other), PL_OK);
    settle(w);
    tells(w, winner, PL_JMI_PROCEED);
    end(w);
}

static bool hears(world *w, int i, const char *text)
{
    pl_xml *e = xml_of(text);
    bool taken = pl_jmi_input(w->d[i].m, w->now_us, e);
    pl_xml_free(e);
    return taken;
}

#define PROPOSE                                                                                              \
    "<propose xmlns='urn:xmpp:jingle-message:0' id='%s'><description xmlns='urn:xmpp:jingle:apps:rtp:1' "    \
    "media='audio'/></propose>"

/* What is not believed, not new, or too much. */
PL_TEST(hostile_messages)
{
    world *w = begin();
    char id[PL_JMI_ID_MAX + 1], text[2048];
    proposed(w, id);
    static const char *const lie[] = {
        "<message xmlns='jabber:client' from='tybalt@example.net/x' type='chat'><retract "
        "xmlns='urn:xmpp:jingle-message:0' id='%s'/></message>",
        "<message xmlns='jabber:client' from='tybalt@example.net/x' type='chat'><accept "
        "xmlns='urn:xmpp:jingle-message:0' id='%s'/></message>",
        "<message xmlns='jabber:client' from='tybalt@example.net' type='chat'><sent "
        "xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>"
        "<message xmlns='jabber:client' from='juliet@example.com/chamber' type='chat'><accept "
        "xmlns='urn:xmpp:jingle-message:0' id='%s'/></message></forwarded></sent></message>",
        "<message xmlns='jabber:client' from='juliet@example.com/tomb' type='chat'><sent "
        "xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>"
        "<message xmlns='jabber:client' from='juliet@example.com/chamber' type='chat'><accept "
        "xmlns='urn:xmpp:jingle-message:0' id='%s'/></message></forwarded></sent></message>",
        "<message xmlns='jabber:client' from='tybalt@example.net/x' type='error'><propose "
        "xmlns='urn:xmpp:jingle-message:0' id='%s'/></message>",
        "<message xmlns='jabber:client' from='tybalt@example.net/x' type='chat'><finish "
        "xmlns='urn:xmpp:jingle-message:0' id='%s'/></message>",
    };
    for (size_t i = 0; i < sizeof lie / sizeof *lie; i++) {
        const char *at = strstr(lie[i], "%s");
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - lie[i]), lie[i], id, at + 2);
        (void)hears(w, 1, text);
        (void)hears(w, 0, text);
        quiet(w);
    }
    snprintf(text, sizeof text,
             "<message xmlns='jabber:client' from='tybalt@example.net/x' type='chat'><delay "
             "xmlns='urn:xmpp:delay' stamp='2020-01-01T00:00:00Z'/>" PROPOSE "</message>",
             "old");
    PL_OKAY(hears(w, 1, text));
    PL_OKAY(
        !hears(w, 1, "<message xmlns='jabber:client' from='a@b/c' type='chat'><body>hello</body></message>"));
    PL_OKAY(hears(w, 1,
                  "<message xmlns='jabber:client' from='a@b/c' type='chat'><propose "
                  "xmlns='urn:xmpp:jingle-message:0' id='x'/></message>"));
    PL_OKAY(hears(w, 1,
                  "<message xmlns='jabber:client' from='a@b/c' type='chat'><propose "
                  "xmlns='urn:xmpp:jingle-message:0'/></message>"));
    quiet(w);
    for (int i = 0; i < 200; i++) {
        char id_text[32];
        snprintf(id_text, sizeof id_text, "p%d", i);
        snprintf(text, sizeof text,
                 "<message xmlns='jabber:client' from='u%d@example.org/x' type='chat'>" PROPOSE "</message>",
                 i / 20, id_text);
        PL_OKAY(hears(w, 1, text));
    }
    int n = 0;
    while (pl_jmi_poll_event(w->d[1].m, &w->d[1].e))
        n++;
    PL_EQ(n, PL_JMI_MAX - 1); /* four of each account, and one was there before */
    /* Our proposal comes back: nobody of that name. */
    PL_EQ(pl_jmi_propose(w->d[2].m, 0, "nobody@example.org", false, false, true, id), PL_OK);
    snprintf(text, sizeof text,
             "<message xmlns='jabber:client' from='nobody@example.org' type='error'><propose "
             "xmlns='urn:xmpp:jingle-message:0' id='%s'/><error type='cancel'/></message>",
             id);
    PL_OKAY(hears(w, 2, text));
    tells(w, 2, PL_JMI_FAILED);
    PL_EQ(pl_jmi_propose(w->d[2].m, 0, "nobody@example.org", false, false, false, id), PL_EINVAL);
    end(w);
}

PL_TESTS(t(several_ring_and_one_takes_it), t(rejected_and_retracted), t(nobody_answers), t(proceeded_in_vain),
         t(proposals_that_cross), t(hostile_messages))
