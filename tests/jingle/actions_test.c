/* Every action of XEP-0166, said by the one who called and by the one who was called, in a table: it arrives, is acknowledged, and
 * does what it says. Several sessions at once are no matter of each other's. */
#include "pl_test.h"

#include "jingle_side.h"

typedef struct two { /* of one session, the first ones who act */
    side *a, *b;
    pl_jingle_session *x, *y;
} two;

static two pair(bool by_callee)
{
    two t = { .a = side_new(ROMEO, 1), .b = side_new(JULIET, 2) };
    connect(t.a, t.b, &t.x, &t.y);
    return by_callee ? (two){ t.b, t.a, t.y, t.x } : t;
}

static void drain(side *s)
{
    while (pl_jingle_poll_event(s->j, &s->e))
        continue;
}

static void free_pair(two *t)
{
    side_free(t->a);
    side_free(t->b);
}

static bool find(pl_jingle_session *s, const char *name, pl_jingle_content *out)
{
    for (size_t i = 0; pl_jingle_content_at(s, i, out); i++) {
        if (strcmp(out->name, name) == 0)
            return true;
    }
    return false;
}

/* What goes before an action, from the other side: what it is an answer to. */
static void prepare(two *t, pl_jingle_action before)
{
    if (before == PL_JINGLE_ACTIONS)
        return;
    pl_xml *body = before == PL_JINGLE_CONTENT_ADD
                       ? audio("more")
                       : content_of("voice", PL_NS_JINGLE_RTP, PL_NS_JINGLE_RAW_UDP);
    PL_EQ(pl_jingle_request(t->y, 0, before, body), PL_OK);
    settle(t->a, t->b);
    drain(t->a);
    drain(t->b);
}

static const struct {
    pl_jingle_action action, before;
    const char *content, *senders;
    bool whole; /* with a description and a transport */
} row[] = {
    { PL_JINGLE_CONTENT_ADD, PL_JINGLE_ACTIONS, "more", NULL, true },
    { PL_JINGLE_CONTENT_ACCEPT, PL_JINGLE_CONTENT_ADD, "more", NULL, true },
    { PL_JINGLE_CONTENT_REJECT, PL_JINGLE_CONTENT_ADD, "more", NULL, false },
    { PL_JINGLE_CONTENT_REMOVE, PL_JINGLE_CONTENT_ADD, "more", NULL, false },
    { PL_JINGLE_CONTENT_MODIFY, PL_JINGLE_ACTIONS, "voice", "none", false },
    { PL_JINGLE_DESCRIPTION_INFO, PL_JINGLE_ACTIONS, "voice", NULL, true },
    { PL_JINGLE_SECURITY_INFO, PL_JINGLE_ACTIONS, "voice", NULL, false },
    { PL_JINGLE_TRANSPORT_INFO, PL_JINGLE_ACTIONS, "voice", NULL, true },
    { PL_JINGLE_TRANSPORT_REPLACE, PL_JINGLE_ACTIONS, "voice", NULL, true },
    { PL_JINGLE_TRANSPORT_ACCEPT, PL_JINGLE_TRANSPORT_REPLACE, "voice", NULL, true },
    { PL_JINGLE_TRANSPORT_REJECT, PL_JINGLE_TRANSPORT_REPLACE, "voice", NULL, true },
};

/* What holds at either end after it. */
static void holds(pl_jingle_action action, pl_jingle_session *s)
{
    pl_jingle_content more, voice;
    bool there = find(s, "more", &more);
    PL_OKAY(find(s, "voice", &voice) && voice.accepted);
    PL_EQ(there, action == PL_JINGLE_CONTENT_ADD || action == PL_JINGLE_CONTENT_ACCEPT);
    if (there)
        PL_EQ(more.accepted, action == PL_JINGLE_CONTENT_ACCEPT);
    PL_EQ(voice.senders, action == PL_JINGLE_CONTENT_MODIFY ? PL_JINGLE_BY_NONE : PL_JINGLE_BOTH);
    PL_EQ(pl_jingle_session_state(s), PL_JINGLE_ACTIVE);
    PL_EQ(pl_jingle_waiting(s), 0);
}

PL_TEST(each_in_both_directions)
{
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        for (int by_callee = 0; by_callee < 2; by_callee++) {
            two t = pair(by_callee);
            prepare(&t, row[i].before);
            pl_xml *body = row[i].whole ? audio(row[i].content) : named(row[i].content, row[i].senders);
            PL_EQ(pl_jingle_request(t.x, 0, row[i].action, body), PL_OK);
            settle(t.a, t.b);
            tells(t.a, PL_JINGLE_ACKED, row[i].action);
            tells(t.b, PL_JINGLE_ACTION, row[i].action);
            PL_OKAY(pl_xml_attr_is(t.b->e.jingle, "action", pl_jingle_action_str(row[i].action)));
            nothing_told(t.a);
            nothing_told(t.b);
            holds(row[i].action, t.x);
            holds(row[i].action, t.y);
            free_pair(&t);
        }
    }
}

/* Those that have verbs of their own. */
PL_TEST(those_of_a_session)
{
    for (int by_callee = 0; by_callee < 2; by_callee++) {
        two t = pair(by_callee); /* initiate and accept */
        PL_EQ(pl_jingle_tell(t.x, 0, PL_JINGLE_HOLD, NULL), PL_OK);
        settle(t.a, t.b);
        tells(t.b, PL_JINGLE_ACTION, PL_JINGLE_SESSION_INFO);
        PL_EQ(t.b->e.info, PL_JINGLE_HOLD);
        tells(t.a, PL_JINGLE_ACKED, PL_JINGLE_SESSION_INFO);
        PL_EQ(pl_jingle_tell(t.x, 0, PL_JINGLE_PING, NULL), PL_OK);
        settle(t.a, t.b);
        nothing_told(t.b); /* it is answered, and nobody need know */
        tells(t.a, PL_JINGLE_ACKED, PL_JINGLE_SESSION_INFO);
        PL_EQ(pl_jingle_terminate(t.x, 0, PL_JINGLE_SUCCESS, NULL, NULL), PL_OK);
        settle(t.a, t.b);
        tells(t.b, PL_JINGLE_ENDED_NOW, PL_JINGLE_SESSION_TERMINATE);
        PL_OKAY(t.b->e.by_peer);
        tells(t.a, PL_JINGLE_ENDED_NOW, PL_JINGLE_SESSION_TERMINATE);
        PL_OKAY(!t.a->e.by_peer);
        free_pair(&t);
    }
}

/* None is left out of the two tables. */
PL_TEST(all_of_them)
{
    for (int action = 0; action < PL_JINGLE_ACTIONS; action++) {
        bool shown = action == PL_JINGLE_SESSION_INITIATE || action == PL_JINGLE_SESSION_ACCEPT ||
                     action == PL_JINGLE_SESSION_INFO || action == PL_JINGLE_SESSION_TERMINATE;
        for (size_t i = 0; i < sizeof row / sizeof *row; i++)
            shown = shown || row[i].action == (pl_jingle_action)action;
        PL_OKAY(shown);
    }
}

/* Two of one's own and one of the other's between the same two, each with contents of the same names. */
PL_TEST(several_at_once)
{
    two t = pair(false);
    pl_jingle_session *more[2], *theirs[2];
    PL_EQ(pl_jingle_initiate(t.a->j, 0, JULIET, NULL, audio("voice"), &more[0]), PL_OK);
    settle(t.a, t.b);
    theirs[0] = tells(t.b, PL_JINGLE_INCOMING, PL_JINGLE_SESSION_INITIATE);
    PL_EQ(pl_jingle_admit(theirs[0], 0), PL_OK);
    PL_EQ(pl_jingle_accept(theirs[0], 0, audio("voice")), PL_OK);
    settle(t.a, t.b);
    drain(t.a);
    PL_EQ(pl_jingle_initiate(t.b->j, 0, ROMEO, NULL, audio("voice"), &theirs[1]), PL_OK);
    settle(t.a, t.b);
    more[1] = tells(t.a, PL_JINGLE_INCOMING, PL_JINGLE_SESSION_INITIATE);
    PL_EQ(pl_jingle_admit(more[1], 0), PL_OK);
    PL_EQ(pl_jingle_accept(more[1], 0, audio("voice")), PL_OK);
    settle(t.a, t.b);
    drain(t.a);
    drain(t.b);
    PL_EQ(pl_jingle_request(more[0], 0, PL_JINGLE_CONTENT_MODIFY, named("voice", "none")), PL_OK);
    PL_EQ(pl_jingle_request(more[1], 0, PL_JINGLE_CONTENT_ADD, audio("second")), PL_OK);
    PL_EQ(pl_jingle_terminate(t.x, 0, PL_JINGLE_SUCCESS, NULL, NULL), PL_OK);
    settle(t.a, t.b);
    drain(t.a);
    drain(t.b);
    pl_jingle_content c;
    PL_EQ(pl_jingle_n_sessions(t.a->j), 2);
    PL_EQ(pl_jingle_n_sessions(t.b->j), 2);
    PL_OKAY(find(theirs[0], "voice", &c) && c.senders == PL_JINGLE_BY_NONE);
    PL_OKAY(!find(theirs[0], "second", &c));
    PL_OKAY(find(theirs[1], "voice", &c) && c.senders == PL_JINGLE_BOTH);
    PL_OKAY(find(theirs[1], "second", &c) && !c.accepted);
    free_pair(&t);
}

PL_TESTS(t(each_in_both_directions), t(those_of_a_session), t(all_of_them), t(several_at_once))
