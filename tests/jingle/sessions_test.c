/* Sessions by XEP-0166: every action, every error, who may ring, how it ends. */
#include "pl_test.h"

#include "jingle_side.h"

#define IQ(from, id, inside)                                                                                 \
    "<iq xmlns='jabber:client' from='" from "' to='x' id='" id "' type='set'>" inside "</iq>"
#define JINGLE(action, sid, inside)                                                                          \
    "<jingle xmlns='urn:xmpp:jingle:1' action='" action "' sid='" sid "'>" inside "</jingle>"
#define AUDIO(name)                                                                                          \
    "<content creator='initiator' name='" name "'><description xmlns='urn:xmpp:jingle:apps:rtp:1' "          \
    "media='audio'/><transport xmlns='urn:xmpp:jingle:transports:ice-udp:1'/></content>"
#define RESULT(to, id) "<iq xmlns='jabber:client' to='" to "' id='" id "' type='result'/>"
#define ERROR(to, id, type, inside)                                                                          \
    "<iq xmlns='jabber:client' to='" to "' id='" id "' type='error'><error type='" type "'>" inside          \
    "</error></iq>"
#define STANZA(name) "<" name " xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
#define OURS(name)   "<" name " xmlns='urn:xmpp:jingle:errors:1'/>"

static pl_jingle_session *called(side *b)
{
    PL_OKAY(hears(b, IQ(ROMEO, "i1", JINGLE("session-initiate", "s1", AUDIO("voice")))));
    pl_jingle_session *s = tells(b, PL_JINGLE_INCOMING, PL_JINGLE_SESSION_INITIATE);
    PL_EQ(pl_jingle_admit(s, b->now_us), PL_OK);
    says(b, RESULT(ROMEO, "i1"), NULL);
    return s;
}

PL_TEST(a_call_from_ringing_to_the_end)
{
    side *a = side_new(ROMEO, 1), *b = side_new(JULIET, 2);
    pl_jingle_session *x, *y;
    PL_EQ(pl_jingle_initiate(a->j, 0, JULIET, "call7", audio("voice"), &x), PL_OK);
    PL_STREQ(pl_jingle_sid(x), "call7");
    deliver(a, b);
    y = tells(b, PL_JINGLE_INCOMING, PL_JINGLE_SESSION_INITIATE);
    PL_STREQ(pl_jingle_peer(y), ROMEO);
    PL_OKAY(b->e.jingle && pl_xml_attr_is(b->e.jingle, "initiator", ROMEO));
    silent(b); /* nobody has said yet that it may ring */
    PL_EQ(pl_jingle_admit(y, 0), PL_OK);
    PL_EQ(pl_jingle_admit(y, 0), PL_ESTATE);
    PL_EQ(pl_jingle_tell(y, 0, PL_JINGLE_RINGING, NULL), PL_OK);
    settle(a, b);
    tells(a, PL_JINGLE_ACKED, PL_JINGLE_SESSION_INITIATE);
    tells(a, PL_JINGLE_ACTION, PL_JINGLE_SESSION_INFO);
    PL_EQ(a->e.info, PL_JINGLE_RINGING);
    PL_EQ(pl_jingle_accept(y, 0, audio("voice")), PL_OK);
    PL_EQ(pl_jingle_accept(y, 0, audio("voice")), PL_ESTATE);
    PL_EQ(pl_jingle_session_state(y), PL_JINGLE_PENDING);
    settle(a, b);
    tells(a, PL_JINGLE_ACTION, PL_JINGLE_SESSION_ACCEPT);
    PL_OKAY(pl_xml_attr_is(a->e.jingle, "responder", JULIET));
    PL_EQ(pl_jingle_session_state(x), PL_JINGLE_ACTIVE);
    PL_EQ(pl_jingle_session_state(y), PL_JINGLE_ACTIVE);
    PL_EQ(pl_jingle_terminate(x, 0, PL_JINGLE_SUCCESS, "good night", NULL), PL_OK);
    PL_EQ(pl_jingle_terminate(x, 0, PL_JINGLE_SUCCESS, NULL, NULL), PL_ESTATE);
    settle(a, b);
    tells(b, PL_JINGLE_ACKED, PL_JINGLE_SESSION_INFO);
    tells(b, PL_JINGLE_ACKED, PL_JINGLE_SESSION_ACCEPT);
    tells(b, PL_JINGLE_ENDED_NOW, PL_JINGLE_SESSION_TERMINATE);
    PL_EQ(b->e.reason, PL_JINGLE_SUCCESS);
    PL_STREQ(b->e.text, "good night");
    PL_OKAY(b->e.by_peer);
    tells(a, PL_JINGLE_ENDED_NOW, PL_JINGLE_SESSION_TERMINATE);
    PL_EQ(a->e.reason, PL_JINGLE_SUCCESS);
    PL_OKAY(!a->e.by_peer);
    nothing_told(a);
    nothing_told(b);
    PL_EQ(pl_jingle_n_sessions(a->j) + pl_jingle_n_sessions(b->j), 0);
    side_free(a);
    side_free(b);
}

PL_TEST(whoever_is_ignored_learns_nothing)
{
    side *b = side_new(JULIET, 1);
    PL_OKAY(hears(b, IQ(ROMEO, "i1", JINGLE("session-initiate", "s1", AUDIO("voice")))));
    PL_OKAY(hears(b, IQ(ROMEO, "i2", JINGLE("session-info", "s1", ""))));
    silent(b);
    pl_jingle_session *s = tells(b, PL_JINGLE_INCOMING, PL_JINGLE_SESSION_INITIATE);
    PL_EQ(pl_jingle_accept(s, 0, audio("voice")), PL_ESTATE);
    PL_EQ(pl_jingle_ignore(s, 0), PL_OK);
    says(b, ERROR(ROMEO, "i1", "cancel", STANZA("service-unavailable")), NULL);
    says(b, ERROR(ROMEO, "i2", "cancel", STANZA("service-unavailable")), NULL);
    tells(b, PL_JINGLE_ENDED_NOW, PL_JINGLE_SESSION_TERMINATE);
    nothing_told(b);
    /* Nobody decides: the same, after a while. */
    PL_OKAY(hears(b, IQ(ROMEO, "i3", JINGLE("session-initiate", "s2", AUDIO("voice")))));
    b->now_us = pl_jingle_next_us(b->j);
    PL_EQ(b->now_us, PL_JINGLE_ACK_US);
    pl_jingle_tick(b->j, b->now_us);
    says(b, ERROR(ROMEO, "i3", "cancel", STANZA("service-unavailable")), NULL);
    tells(b, PL_JINGLE_INCOMING, PL_JINGLE_SESSION_INITIATE);
    tells(b, PL_JINGLE_ENDED_NOW, PL_JINGLE_SESSION_TERMINATE);
    /* A caller who gives up before. */
    PL_OKAY(hears(b, IQ(ROMEO, "i4", JINGLE("session-initiate", "s3", AUDIO("voice")))));
    PL_OKAY(hears(b, IQ(ROMEO, "i5", JINGLE("session-terminate", "s3", "<reason><cancel/></reason>"))));
    says(b, ERROR(ROMEO, "i4", "cancel", STANZA("service-unavailable")), NULL);
    s = tells(b, PL_JINGLE_INCOMING, PL_JINGLE_SESSION_INITIATE);
    PL_EQ(pl_jingle_admit(s, b->now_us), PL_ESTATE);
    tells(b, PL_JINGLE_ENDED_NOW, PL_JINGLE_SESSION_TERMINATE);
    PL_EQ(b->e.reason, PL_JINGLE_CANCEL);
    side_free(b);
}

PL_TEST(redirect)
{
    side *a = side_new(ROMEO, 1), *b = side_new(JULIET, 2);
    pl_jingle_session *x;
    PL_EQ(pl_jingle_initiate(a->j, 0, JULIET, NULL, audio("voice"), &x), PL_OK);
    deliver(a, b);
    PL_EQ(pl_jingle_redirect(tells(b, PL_JINGLE_INCOMING, PL_JINGLE_SESSION_INITIATE), 0,
                             "xmpp:nurse@example.com"),
          PL_OK);
    settle(a, b);
    tells(a, PL_JINGLE_REFUSED, PL_JINGLE_SESSION_INITIATE);
    tells(a, PL_JINGLE_ENDED_NOW, PL_JINGLE_SESSION_TERMINATE);
    PL_STREQ(a->e.condition, "redirect");
    PL_STREQ(a->e.text, "xmpp:nurse@example.com");
    side_free(a);
    side_free(b);
}

/* What is out of form or out of order, and what it is answered with. */
PL_TEST(errors)
{
    static const struct {
        const char *inside, *type, *error;
    } row[] = {
        { JINGLE("session-initiate", "s1", AUDIO("voice")), "wait",
          STANZA("unexpected-request") OURS("out-of-order") },
        { JINGLE("session-accept", "s1", AUDIO("voice")), "wait",
          STANZA("unexpected-request") OURS("out-of-order") },
        { JINGLE("content-accept", "s1", AUDIO("voice")), "wait",
          STANZA("unexpected-request") OURS("out-of-order") },
        { JINGLE("content-reject", "s1", AUDIO("voice")), "wait",
          STANZA("unexpected-request") OURS("out-of-order") },
        { JINGLE("transport-accept", "s1", AUDIO("voice")), "wait",
          STANZA("unexpected-request") OURS("out-of-order") },
        { JINGLE("transport-info", "s1", AUDIO("video")), "cancel", STANZA("bad-request") },
        { JINGLE("transport-info", "s1", ""), "cancel", STANZA("bad-request") },
        { JINGLE("transport-replace", "s1", "<content creator='initiator' name='voice'/>"), "cancel",
          STANZA("bad-request") },
        { JINGLE("content-modify", "s1", "<content creator='initiator' name='voice' senders='all'/>"),
          "cancel", STANZA("bad-request") },
        { JINGLE("content-add", "s1", "<content creator='initiator' name='x'/>"), "cancel",
          STANZA("bad-request") },
        { JINGLE("content-add", "s1", AUDIO("voice")), "cancel", STANZA("bad-request") },
        { JINGLE("content-remove", "s1", ""), "cancel", STANZA("bad-request") },
        { JINGLE("session-redirect", "s1", ""), "cancel", STANZA("bad-request") },
        { JINGLE("session-info", "s1", "<hologram xmlns='urn:example'/>"), "modify",
          STANZA("feature-not-implemented") OURS("unsupported-info") },
        { JINGLE("session-info", "s2", ""), "cancel", STANZA("item-not-found") OURS("unknown-session") },
        { JINGLE("session-terminate", "s2", ""), "cancel", STANZA("item-not-found") OURS("unknown-session") },
        { "<jingle xmlns='urn:xmpp:jingle:1' action='session-info'/>", "cancel", STANZA("bad-request") },
        { "<jingle xmlns='urn:xmpp:jingle:1' sid='s1'/>", "cancel", STANZA("bad-request") },
        { JINGLE("session-initiate", "s9", ""), "cancel", STANZA("bad-request") },
        { JINGLE("session-initiate", "s9", AUDIO("a") AUDIO("a")), "cancel", STANZA("bad-request") },
        { JINGLE("session-initiate", "s9",
                 "<content creator='responder' name='a'><description xmlns='x'/><transport "
                 "xmlns='y'/></content>"),
          "cancel", STANZA("bad-request") },
    };
    side *b = side_new(JULIET, 1);
    called(b);
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        char text[2048], answer[2048];
        snprintf(text, sizeof text, IQ(ROMEO, "q%zu", "%s"), i, row[i].inside);
        snprintf(answer, sizeof answer, ERROR(ROMEO, "q%zu", "%s", "%s"), i, row[i].type, row[i].error);
        PL_OKAY(hears(b, text));
        says(b, answer, NULL);
        silent(b);
        nothing_told(b);
    }
    /* A question instead of a request; something else altogether; answers to nothing. */
    PL_OKAY(hears(b, "<iq xmlns='jabber:client' from='" ROMEO
                     "' id='g' type='get'><jingle xmlns='urn:xmpp:jingle:1'/></iq>"));
    says(b, ERROR(ROMEO, "g", "cancel", STANZA("bad-request")), NULL);
    PL_OKAY(!hears(b, IQ(ROMEO, "p", "<ping xmlns='urn:xmpp:ping'/>")));
    PL_OKAY(!hears(b, "<iq xmlns='jabber:client' from='" ROMEO "' id='r' type='result'/>"));
    PL_OKAY(!hears(b, "<message xmlns='jabber:client' from='" ROMEO "'><body>hello</body></message>"));
    PL_OKAY(
        !hears(b, "<iq xmlns='jabber:client' type='set' id='n'><jingle xmlns='urn:xmpp:jingle:1'/></iq>"));
    silent(b);
    side_free(b);
}

/* Somebody else who knows the id of a session: no session of his. */
PL_TEST(spoofed_senders)
{
    side *a = side_new(ROMEO, 1), *b = side_new(JULIET, 2);
    pl_jingle_session *x, *y;
    connect(a, b, &x, &y);
    char text[1024];
    snprintf(text, sizeof text, IQ("tybalt@example.net/sword", "t1", JINGLE("session-terminate", "%s", "")),
             pl_jingle_sid(x));
    PL_OKAY(hears(b, text));
    says(b,
         ERROR("tybalt@example.net/sword", "t1", "cancel", STANZA("item-not-found") OURS("unknown-session")),
         NULL);
    PL_EQ(pl_jingle_session_state(y), PL_JINGLE_ACTIVE);
    /* ... and somebody who answers in another's place. */
    PL_EQ(pl_jingle_tell(y, 0, PL_JINGLE_PING, NULL), PL_OK);
    char id[64];
    says(b,
         "<iq xmlns='jabber:client' to='" ROMEO
         "' id='*' type='set'><jingle xmlns='urn:xmpp:jingle:1' action='session-info' sid='*'/></iq>",
         id);
    snprintf(text, sizeof text,
             "<iq xmlns='jabber:client' from='tybalt@example.net/sword' id='%s' type='error'/>", id);
    PL_OKAY(!hears(b, text));
    snprintf(text, sizeof text, "<iq xmlns='jabber:client' from='" ROMEO "' id='%s' type='result'/>", id);
    PL_OKAY(hears(b, text));
    tells(b, PL_JINGLE_ACKED, PL_JINGLE_SESSION_INFO);
    snprintf(text, sizeof text,
             "<presence xmlns='jabber:client' from='tybalt@example.net/sword' type='unavailable'/>");
    PL_OKAY(!hears(b, text));
    PL_EQ(pl_jingle_session_state(y), PL_JINGLE_ACTIVE);
    side_free(a);
    side_free(b);
}

PL_TEST(unavailable_presence_ends)
{
    side *a = side_new(ROMEO, 1), *b = side_new(JULIET, 2);
    pl_jingle_session *x, *y;
    connect(a, b, &x, &y);
    PL_OKAY(!hears(b, "<presence xmlns='jabber:client' from='" ROMEO "'/>"));
    nothing_told(b);
    PL_OKAY(!hears(b, "<presence xmlns='jabber:client' from='" ROMEO "' type='unavailable'/>"));
    tells(b, PL_JINGLE_ENDED_NOW, PL_JINGLE_SESSION_TERMINATE);
    PL_EQ(b->e.reason, PL_JINGLE_GONE);
    silent(b);
    pl_jingle_cut(a->j, 0);
    tells(a, PL_JINGLE_ENDED_NOW, PL_JINGLE_SESSION_TERMINATE);
    PL_EQ(a->e.reason, PL_JINGLE_GONE);
    silent(a);
    side_free(a);
    side_free(b);
}

/* What is not spoken here is said so once it may ring, and not before. */
PL_TEST(unsupported)
{
    static const struct {
        const char *application, *transport, *reason;
    } row[] = { { "urn:example:whiteboard", PL_NS_JINGLE_ICE_UDP, "unsupported-applications" },
                { PL_NS_JINGLE_RTP, "http://www.xmpp.org/extensions/xep-0183.html#ns",
                  "unsupported-transports" },
                { PL_NS_JINGLE_RTP, PL_NS_JINGLE_IBB, "unsupported-transports" } };
    for (size_t i = 0; i < 3; i++) {
        side *a = side_new(ROMEO, 1), *b = side_new(JULIET, 2);
        pl_jingle_session *x, *y;
        PL_EQ(pl_jingle_initiate(a->j, 0, JULIET, NULL, content_of("c", row[i].application, row[i].transport),
                                 &x),
              PL_OK);
        deliver(a, b);
        y = tells(b, PL_JINGLE_INCOMING, PL_JINGLE_SESSION_INITIATE);
        pl_jingle_content c;
        PL_OKAY(pl_jingle_content_at(y, 0, &c) && !c.supported);
        silent(b);
        PL_EQ(pl_jingle_admit(y, 0), PL_OK);
        settle(a, b);
        tells(a, PL_JINGLE_ACKED, PL_JINGLE_SESSION_INITIATE);
        tells(a, PL_JINGLE_ENDED_NOW, PL_JINGLE_SESSION_TERMINATE);
        PL_STREQ(pl_jingle_reason_str(a->e.reason), row[i].reason);
        tells(b, PL_JINGLE_ENDED_NOW, PL_JINGLE_SESSION_TERMINATE);
        PL_STREQ(pl_jingle_reason_str(b->e.reason), row[i].reason);
        side_free(a);
        side_free(b);
    }
}

/* Some of a call is taken: the rest is removed first, with the reason. */
PL_TEST(part_of_a_call)
{
    side *a = side_new(ROMEO, 1), *b = side_new(JULIET, 2);
    pl_jingle_session *x, *y;
    pl_xml *offer = audio("voice"),
           *more = content_of("board", "urn:example:whiteboard", PL_NS_JINGLE_ICE_UDP);
    pl_xml_add_copy(offer, more->first);
    pl_xml_free(more);
    PL_EQ(pl_jingle_initiate(a->j, 0, JULIET, NULL, offer, &x), PL_OK);
    deliver(a, b);
    y = tells(b, PL_JINGLE_INCOMING, PL_JINGLE_SESSION_INITIATE);
    PL_EQ(pl_jingle_admit(y, 0), PL_OK);
    PL_EQ(pl_jingle_accept(y, 0, audio("voice")), PL_OK);
    settle(a, b);
    tells(a, PL_JINGLE_ACKED, PL_JINGLE_SESSION_INITIATE);
    tells(a, PL_JINGLE_ACTION, PL_JINGLE_CONTENT_REMOVE);
    PL_EQ(a->e.reason, PL_JINGLE_UNSUPPORTED_APPLICATIONS);
    tells(a, PL_JINGLE_ACTION, PL_JINGLE_SESSION_ACCEPT);
    pl_jingle_content c;
    for (int i = 0; i < 2; i++) {
        pl_jingle_session *s = i ? y : x;
        PL_OKAY(pl_jingle_content_at(s, 0, &c) && c.accepted && strcmp(c.name, "voice") == 0);
        PL_OKAY(!pl_jingle_content_at(s, 1, &c));
    }
    side_free(a);
    side_free(b);
}

PL_TEST(contents_come_and_go)
{
    side *a = side_new(ROMEO, 1), *b = side_new(JULIET, 2);
    pl_jingle_session *x, *y;
    pl_jingle_content c;
    connect(a, b, &x, &y);
    PL_EQ(pl_jingle_request(y, 0, PL_JINGLE_CONTENT_ADD, audio("more")), PL_OK);
    PL_EQ(pl_jingle_request(y, 0, PL_JINGLE_CONTENT_ADD, audio("more")), PL_EINVAL);
    PL_EQ(pl_jingle_request(y, 0, PL_JINGLE_CONTENT_ACCEPT, audio("more")), PL_ESTATE);
    settle(a, b);
    tells(a, PL_JINGLE_ACTION, PL_JINGLE_CONTENT_ADD);
    PL_OKAY(pl_xml_attr_is(a->e.jingle->first, "creator", "responder"));
    PL_OKAY(pl_jingle_content_at(x, 1, &c) && !c.accepted && !c.by_initiator && !c.offered_by_us);
    PL_EQ(pl_jingle_request(x, 0, PL_JINGLE_CONTENT_ACCEPT, audio("more")), PL_OK);
    settle(a, b);
    tells(b, PL_JINGLE_ACKED, PL_JINGLE_CONTENT_ADD);
    tells(b, PL_JINGLE_ACTION, PL_JINGLE_CONTENT_ACCEPT);
    PL_OKAY(pl_jingle_content_at(y, 1, &c) && c.accepted);
    PL_EQ(pl_jingle_request(x, 0, PL_JINGLE_CONTENT_MODIFY, named("more", "initiator")), PL_OK);
    settle(a, b);
    PL_OKAY(pl_jingle_content_at(y, 1, &c) && c.senders == PL_JINGLE_BY_INITIATOR);
    PL_OKAY(pl_jingle_content_at(x, 1, &c) && c.senders == PL_JINGLE_BY_INITIATOR);
    PL_EQ(pl_jingle_request(x, 0, PL_JINGLE_CONTENT_ADD, audio("third")), PL_OK);
    settle(a, b);
    PL_EQ(pl_jingle_request(y, 0, PL_JINGLE_CONTENT_REJECT, named("third", NULL)), PL_OK);
    PL_EQ(pl_jingle_request(y, 0, PL_JINGLE_CONTENT_REMOVE, named("more", NULL)), PL_OK);
    settle(a, b);
    PL_OKAY(!pl_jingle_content_at(x, 1, &c) && !pl_jingle_content_at(y, 1, &c));
    /* What nobody here speaks is rejected without asking anybody. */
    while (pl_jingle_poll_event(a->j, &a->e) || pl_jingle_poll_event(b->j, &b->e))
        ;
    PL_EQ(pl_jingle_request(x, 0, PL_JINGLE_CONTENT_ADD,
                            content_of("fax", PL_NS_JINGLE_RTP, "urn:example:pigeons")),
          PL_OK);
    settle(a, b);
    nothing_told(b);
    while (pl_jingle_poll_event(a->j, &a->e) && a->e.action != PL_JINGLE_CONTENT_REJECT)
        ;
    PL_EQ(a->e.action, PL_JINGLE_CONTENT_REJECT);
    PL_EQ(a->e.reason, PL_JINGLE_UNSUPPORTED_TRANSPORTS);
    PL_OKAY(!pl_jingle_content_at(x, 1, &c));
    /* The last one goes: nothing is left to be a session. */
    PL_EQ(pl_jingle_request(x, 0, PL_JINGLE_CONTENT_REMOVE, named("voice", NULL)), PL_OK);
    settle(a, b);
    PL_EQ(pl_jingle_session_state(x), PL_JINGLE_ENDED);
    PL_EQ(pl_jingle_session_state(y), PL_JINGLE_ENDED);
    side_free(a);
    side_free(b);
}

PL_TEST(transports_are_replaced)
{
    side *a = side_new(ROMEO, 1), *b = side_new(JULIET, 2);
    pl_jingle_session *x, *y;
    pl_jingle_content c;
    connect(a, b, &x, &y);
    PL_EQ(pl_jingle_request(x, 0, PL_JINGLE_TRANSPORT_REPLACE,
                            content_of("voice", PL_NS_JINGLE_RTP, PL_NS_JINGLE_RAW_UDP)),
          PL_OK);
    PL_EQ(pl_jingle_request(x, 0, PL_JINGLE_TRANSPORT_REPLACE, audio("voice")), PL_ESTATE);
    settle(a, b);
    tells(b, PL_JINGLE_ACTION, PL_JINGLE_TRANSPORT_REPLACE);
    PL_EQ(pl_jingle_request(y, 0, PL_JINGLE_TRANSPORT_ACCEPT,
                            content_of("voice", PL_NS_JINGLE_RTP, PL_NS_JINGLE_RAW_UDP)),
          PL_OK);
    settle(a, b);
    PL_OKAY(pl_jingle_content_at(x, 0, &c) && strcmp(c.transport, PL_NS_JINGLE_RAW_UDP) == 0);
    PL_OKAY(pl_jingle_content_at(y, 0, &c) && strcmp(c.transport, PL_NS_JINGLE_RAW_UDP) == 0);
    PL_EQ(pl_jingle_request(y, 0, PL_JINGLE_TRANSPORT_ACCEPT, audio("voice")), PL_ESTATE);
    PL_EQ(pl_jingle_request(x, 0, PL_JINGLE_TRANSPORT_REPLACE,
                            content_of("voice", PL_NS_JINGLE_RTP, "urn:example:pigeons")),
          PL_OK);
    settle(a, b);
    while (pl_jingle_poll_event(a->j, &a->e) && a->e.action != PL_JINGLE_TRANSPORT_REJECT)
        ;
    PL_EQ(a->e.reason, PL_JINGLE_UNSUPPORTED_TRANSPORTS);
    PL_OKAY(pl_jingle_content_at(x, 0, &c) && strcmp(c.transport, PL_NS_JINGLE_RAW_UDP) == 0);
    side_free(a);
    side_free(b);
}

PL_TEST(infos)
{
    static const pl_jingle_info all[] = { PL_JINGLE_RINGING, PL_JINGLE_HOLD,   PL_JINGLE_UNHOLD,
                                          PL_JINGLE_MUTE,    PL_JINGLE_UNMUTE, PL_JINGLE_ACTIVE_AGAIN };
    side *a = side_new(ROMEO, 1), *b = side_new(JULIET, 2);
    pl_jingle_session *x, *y;
    connect(a, b, &x, &y);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        PL_EQ(pl_jingle_tell(x, 0, all[i], all[i] == PL_JINGLE_MUTE ? "voice" : NULL), PL_OK);
        settle(a, b);
        tells(b, PL_JINGLE_ACTION, PL_JINGLE_SESSION_INFO);
        PL_EQ(b->e.info, all[i]);
        if (all[i] == PL_JINGLE_MUTE)
            PL_OKAY(pl_xml_attr_is(b->e.info_xml, "name", "voice") &&
                    pl_xml_attr_is(b->e.info_xml, "creator", "initiator"));
        tells(a, PL_JINGLE_ACKED, PL_JINGLE_SESSION_INFO);
    }
    PL_EQ(pl_jingle_tell(x, 0, PL_JINGLE_MUTE, "video"), PL_EINVAL);
    pl_xml *key = pl_xml_new(PL_NS_JINGLE_DTMF, "dtmf");
    pl_xml_set(key, "code", "7");
    PL_EQ(pl_jingle_tell_xml(y, 0, key), PL_OK);
    settle(a, b);
    tells(a, PL_JINGLE_ACTION, PL_JINGLE_SESSION_INFO);
    PL_EQ(a->e.info, PL_JINGLE_DTMF);
    PL_OKAY(pl_xml_attr_is(a->e.info_xml, "code", "7"));
    tells(b, PL_JINGLE_ACKED, PL_JINGLE_SESSION_INFO);
    PL_EQ(pl_jingle_tell_xml(y, 0, pl_xml_new("urn:example", "hologram")), PL_OK);
    settle(a, b);
    nothing_told(a);
    tells(b, PL_JINGLE_REFUSED, PL_JINGLE_SESSION_INFO);
    PL_EQ(b->e.error, PL_JINGLE_UNSUPPORTED_INFO);
    PL_STREQ(b->e.condition, "feature-not-implemented");
    PL_EQ(pl_jingle_session_state(y), PL_JINGLE_ACTIVE);
    side_free(a);
    side_free(b);
}

/* Candidates follow each other at once; a change waits for what was said before. */
PL_TEST(changes_go_one_after_the_other)
{
    side *a = side_new(ROMEO, 1), *b = side_new(JULIET, 2);
    pl_jingle_session *x, *y;
    connect(a, b, &x, &y);
    for (int i = 0; i < 3; i++)
        PL_EQ(pl_jingle_request(x, 0, PL_JINGLE_TRANSPORT_INFO, audio("voice")), PL_OK);
    PL_EQ(pl_jingle_request(x, 0, PL_JINGLE_CONTENT_ADD, audio("more")), PL_OK);
    PL_EQ(pl_jingle_request(x, 0, PL_JINGLE_TRANSPORT_INFO, audio("more")), PL_OK);
    PL_EQ(deliver(a, b), 3);
    PL_EQ(pl_jingle_waiting(x), 5);
    deliver(b, a);
    PL_EQ(deliver(a, b), 1);
    deliver(b, a);
    PL_EQ(deliver(a, b), 1);
    deliver(b, a);
    PL_EQ(pl_jingle_waiting(x), 0);
    for (int i = 0; i < 3; i++)
        tells(b, PL_JINGLE_ACTION, PL_JINGLE_TRANSPORT_INFO);
    tells(b, PL_JINGLE_ACTION, PL_JINGLE_CONTENT_ADD);
    tells(b, PL_JINGLE_ACTION, PL_JINGLE_TRANSPORT_INFO);
    /* The end overtakes them all. */
    PL_EQ(pl_jingle_request(x, 0, PL_JINGLE_CONTENT_MODIFY, named("voice", "none")), PL_OK);
    PL_EQ(pl_jingle_request(x, 0, PL_JINGLE_CONTENT_REMOVE, named("voice", NULL)), PL_OK);
    PL_EQ(pl_jingle_terminate(x, 0, PL_JINGLE_SUCCESS, NULL, NULL), PL_OK);
    PL_EQ(deliver(a, b), 2);
    side_free(a);
    side_free(b);
}

/* Both call each other at once: one call stands, the same on both sides (the lower session id). */
PL_TEST(calls_that_cross)
{
    for (int lower = 0; lower < 2; lower++) {
        side *a = side_new(ROMEO, 1), *b = side_new(JULIET, 2);
        pl_jingle_session *x, *y;
        PL_EQ(pl_jingle_initiate(a->j, 0, JULIET, lower ? "aaa" : "ccc", audio("voice"), &x), PL_OK);
        PL_EQ(pl_jingle_initiate(b->j, 0, ROMEO, "bbb", audio("voice"), &y), PL_OK);
        settle(a, b);
        side *loser = lower ? b : a;
        bool incoming = false, refused = false;
        while (pl_jingle_poll_event(loser->j, &loser->e)) {
            incoming = incoming || loser->e.kind == PL_JINGLE_INCOMING;
            refused =
                refused || (loser->e.kind == PL_JINGLE_REFUSED && loser->e.error == PL_JINGLE_TIE_BREAK);
        }
        PL_OKAY(incoming && refused);
        nothing_told(lower ? a : b);
        PL_EQ(pl_jingle_n_sessions(a->j), 1);
        PL_EQ(pl_jingle_n_sessions(b->j), 1);
        side_free(a);
        side_free(b);
    }
}

/* Both change the same thing at once: the initiator's holds. */
PL_TEST(changes_that_cross)
{
    side *a = side_new(ROMEO, 1), *b = side_new(JULIET, 2);
    pl_jingle_session *x, *y;
    pl_jingle_content c;
    connect(a, b, &x, &y);
    PL_EQ(pl_jingle_request(x, 0, PL_JINGLE_CONTENT_MODIFY, named("voice", "initiator")), PL_OK);
    PL_EQ(pl_jingle_request(y, 0, PL_JINGLE_CONTENT_MODIFY, named("voice", "responder")), PL_OK);
    settle(a, b);
    PL_OKAY(pl_jingle_content_at(x, 0, &c) && c.senders == PL_JINGLE_BY_INITIATOR);
    PL_OKAY(pl_jingle_content_at(y, 0, &c) && c.senders == PL_JINGLE_BY_INITIATOR);
    PL_EQ(pl_jingle_request(x, 0, PL_JINGLE_CONTENT_ADD, audio("second")), PL_OK);
    PL_EQ(pl_jingle_request(y, 0, PL_JINGLE_CONTENT_ADD, audio("zweite")), PL_OK);
    settle(a, b);
    for (int i = 0; i < 2; i++) {
        pl_jingle_session *s = i ? y : x;
        PL_OKAY(pl_jingle_content_at(s, 1, &c) && strcmp(c.name, "second") == 0 && c.by_initiator);
        PL_OKAY(!pl_jingle_content_at(s, 2, &c));
    }
    /* Both end it: the initiator's reason is the reason. */
    PL_EQ(pl_jingle_terminate(x, 0, PL_JINGLE_SUCCESS, NULL, NULL), PL_OK);
    PL_EQ(pl_jingle_terminate(y, 0, PL_JINGLE_MEDIA_ERROR, NULL, NULL), PL_OK);
    settle(a, b);
    while (pl_jingle_poll_event(a->j, &a->e) && a->e.kind != PL_JINGLE_ENDED_NOW)
        ;
    while (pl_jingle_poll_event(b->j, &b->e) && b->e.kind != PL_JINGLE_ENDED_NOW)
        ;
    PL_EQ(a->e.reason, PL_JINGLE_SUCCESS);
    PL_EQ(b->e.reason, PL_JINGLE_SUCCESS);
    side_free(a);
    side_free(b);
}

/* Nobody answers. */
PL_TEST(timeouts)
{
    side *a = side_new(ROMEO, 1);
    pl_jingle_session *x;
    PL_EQ(pl_jingle_initiate(a->j, 0, JULIET, NULL, audio("voice"), &x), PL_OK);
    pl_xml_free(pl_jingle_poll_output(a->j, 0));
    PL_EQ(pl_jingle_next_us(a->j), PL_JINGLE_ACK_US);
    a->now_us = PL_JINGLE_ACK_US;
    pl_jingle_tick(a->j, a->now_us);
    says(a,
         "<iq xmlns='jabber:client' to='" JULIET "' id='*' type='set'><jingle xmlns='urn:xmpp:jingle:1' "
         "action='session-terminate' sid='*'><reason><timeout/></reason></jingle></iq>",
         NULL);
    nothing_told(a); /* its answer is awaited */
    a->now_us = pl_jingle_next_us(a->j);
    PL_EQ(a->now_us, PL_JINGLE_ACK_US + PL_JINGLE_FAREWELL_US);
    pl_jingle_tick(a->j, a->now_us);
    tells(a, PL_JINGLE_ENDED_NOW, PL_JINGLE_SESSION_TERMINATE);
    PL_EQ(a->e.reason, PL_JINGLE_TIMEOUT);
    PL_EQ(pl_jingle_next_us(a->j), PL_NEVER);
    /* Hung up before the peer has even heard of it: the farewell waits for that. */
    PL_EQ(pl_jingle_initiate(a->j, a->now_us, JULIET, NULL, audio("voice"), &x), PL_OK);
    pl_xml_free(pl_jingle_poll_output(a->j, a->now_us));
    PL_EQ(pl_jingle_terminate(x, a->now_us, PL_JINGLE_CANCEL, NULL, NULL), PL_OK);
    silent(a);
    side *b = side_new(JULIET, 2);
    pl_jingle_cut(a->j, a->now_us);
    tells(a, PL_JINGLE_ENDED_NOW, PL_JINGLE_SESSION_TERMINATE);
    PL_EQ(a->e.reason, PL_JINGLE_CANCEL);
    side_free(a);
    side_free(b);
}

/* Every reason arrives as what it was. */
PL_TEST(reasons)
{
    for (int r = PL_JINGLE_NO_REASON; r < PL_JINGLE_REASONS; r++) {
        side *a = side_new(ROMEO, 1), *b = side_new(JULIET, 2);
        pl_jingle_session *x, *y;
        connect(a, b, &x, &y);
        PL_EQ(pl_jingle_terminate(y, 0, (pl_jingle_reason)r, NULL,
                                  r == PL_JINGLE_SECURITY_ERROR ? "crypto-required" : NULL),
              PL_OK);
        settle(a, b);
        tells(a, PL_JINGLE_ENDED_NOW, PL_JINGLE_SESSION_TERMINATE);
        PL_EQ(a->e.reason, r);
        PL_STREQ(a->e.condition, r == PL_JINGLE_SECURITY_ERROR ? "crypto-required" : "");
        side_free(a);
        side_free(b);
    }
    side *b = side_new(JULIET, 2);
    called(b);
    PL_OKAY(hears(b, IQ(ROMEO, "t",
                        JINGLE("session-terminate", "s1",
                               "<reason><plague xmlns='urn:xmpp:jingle:1'/><text>on both</text></reason>"))));
    tells(b, PL_JINGLE_ENDED_NOW, PL_JINGLE_SESSION_TERMINATE);
    PL_EQ(b->e.reason, PL_JINGLE_GENERAL_ERROR);
    PL_STREQ(b->e.text, "on both");
    side_free(b);
}

/* Tables are bounded, and who fills them is told no more than others. */
PL_TEST(limits)
{
    side *b = side_new(JULIET, 1);
    char text[8192];
    for (int i = 0; i < 200; i++) {
        snprintf(text, sizeof text,
                 "<iq xmlns='jabber:client' from='u%d@example.org/x' id='i%d' type='set'>" JINGLE(
                     "session-initiate", "s%d", AUDIO("v")) "</iq>",
                 i / 20, i, i);
        PL_OKAY(hears(b, text));
    }
    PL_EQ(pl_jingle_n_sessions(b->j), PL_JINGLE_SESSIONS_MAX / 2);
    for (int i = 0; i < 200 - PL_JINGLE_SESSIONS_MAX / 2; i++)
        says(b,
             "<iq xmlns='jabber:client' to='*' id='*' type='error'><error type='cancel'>" STANZA(
                 "service-unavailable") "</error></iq>",
             NULL);
    silent(b);
    side_free(b);
    /* One peer asks more than anybody reads. */
    b = side_new(JULIET, 1);
    called(b);
    nothing_told(b);
    int busy = 0;
    for (int i = 0; i < 3 * PL_JINGLE_EVENTS_MAX; i++) {
        PL_OKAY(
            hears(b, IQ(ROMEO, "m",
                        JINGLE("session-info", "s1", "<hold xmlns='urn:xmpp:jingle:apps:rtp:info:1'/>"))));
        pl_xml *answer = pl_jingle_poll_output(b->j, 0);
        busy += pl_xml_attr_is(answer, "type", "error");
        pl_xml_free(answer);
    }
    PL_EQ(busy, 2 * PL_JINGLE_EVENTS_MAX);
    /* ... but may always end it. */
    PL_OKAY(hears(b, IQ(ROMEO, "t", JINGLE("session-terminate", "s1", ""))));
    says(b, RESULT(ROMEO, "t"), NULL);
    side_free(b);
}

PL_TESTS(t(a_call_from_ringing_to_the_end), t(whoever_is_ignored_learns_nothing), t(redirect), t(errors),
         t(spoofed_senders), t(unavailable_presence_ends), t(unsupported), t(part_of_a_call),
         t(contents_come_and_go), t(transports_are_replaced), t(infos), t(changes_go_one_after_the_other),
         t(calls_that_cross), t(changes_that_cross), t(timeouts), t(reasons), t(limits))
