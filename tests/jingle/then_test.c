/* Jingle of June 2007: each exchange of XEP-0166 0.17 with its namespaces and words, read, answered in kind, and written
 * by us where that text has us write it. */
#include "pl_test.h"

#include "jingle/ancient.h"
#include "jingle/parse.h"
#include "jingle_side.h"

#define NS166   "http://www.xmpp.org/extensions/xep-0166.html#ns"
#define NS167   "http://www.xmpp.org/extensions/xep-0167.html#ns"
#define NS176   "http://www.xmpp.org/extensions/xep-0176.html#ns"
#define NS177   "http://www.xmpp.org/extensions/xep-0177.html#ns"
#define NS180   "http://www.xmpp.org/extensions/xep-0180.html#ns"
#define ERRORS  "http://www.xmpp.org/extensions/xep-0166.html#ns-errors"
#define STANZAS "urn:ietf:params:xml:ns:xmpp-stanzas"
#define SID     "a73sjjvkla37jfea"

#define IQ(from, to, id, inside)                                                                             \
    "<iq xmlns='jabber:client' from='" from "' to='" to "' id='" id "' type='set'>" inside "</iq>"
#define TO(to, id, inside) "<iq xmlns='jabber:client' to='" to "' id='" id "' type='set'>" inside "</iq>"
#define JINGLE(action, more, inside)                                                                         \
    "<jingle xmlns='" NS166 "' action='" action "' initiator='" ROMEO "' sid='" SID "' " more ">" inside     \
    "</jingle>"
#define CONTENT(creator, name, app, transport, inside)                                                       \
    "<content creator='" creator "' name='" name "'><description xmlns='" app                                \
    "'/><transport xmlns='" transport "'>" inside "</transport></content>"
#define VOICE          CONTENT("initiator", "voice", NS167, NS176, "")
#define PICTURE        CONTENT("initiator", "picture", NS180, NS176, "")
#define RESULT(to, id) "<iq xmlns='jabber:client' to='" to "' id='" id "' type='result'/>"
#define ERROR(to, id, type, inside)                                                                          \
    "<iq xmlns='jabber:client' to='" to "' id='" id "' type='error'><error type='" type "'>" inside          \
    "</error></iq>"
#define FROM(from, id, type, inside)                                                                         \
    "<iq xmlns='jabber:client' from='" from "' id='" id "' type='" type "'>" inside "</iq>"

static pl_jingle_session *rings(side *b)
{
    PL_OKAY(hears(b, IQ(ROMEO, JULIET, "jingle1", JINGLE("session-initiate", "", VOICE PICTURE))));
    return tells(b, PL_JINGLE_INCOMING, PL_JINGLE_SESSION_INITIATE);
}

static pl_jingle_session *rung(side *b)
{
    pl_jingle_session *s = rings(b);
    PL_EQ(pl_jingle_admit(s, 0), PL_OK);
    says(b, RESULT(ROMEO, "jingle1"), NULL);
    return s;
}

/* Examples 1 and 2: a call of voice and picture, received and acknowledged. */
PL_TEST(initiation)
{
    side *b = side_new(JULIET, 1);
    pl_jingle_session *s = rung(b);
    pl_jingle_content c;
    PL_OKAY(pl_jingle_is_2007(s));
    PL_STREQ(pl_jingle_sid(s), SID);
    PL_OKAY(pl_jingle_content_at(s, 0, &c) && c.supported && c.by_initiator);
    PL_STREQ(c.application, PL_NS_JINGLE_RTP);
    PL_OKAY(pl_jingle_content_at(s, 1, &c) && c.supported);
    PL_STREQ(c.transport, PL_NS_JINGLE_ICE_UDP);
    side_free(b);
}

/* Example 3 (the initiator is unknown) and 5 (Jingle is not spoken): the same answer. Example 4: redirection. */
PL_TEST(not_to_be_reached)
{
    side *b = side_new(JULIET, 1);
    PL_EQ(pl_jingle_ignore(rings(b), 0), PL_OK);
    says(b, ERROR(ROMEO, "jingle1", "cancel", "<service-unavailable xmlns='" STANZAS "'/>"), NULL);
    tells(b, PL_JINGLE_ENDED_NOW, PL_JINGLE_SESSION_TERMINATE);
    nothing_told(b);
    PL_EQ(pl_jingle_redirect(rings(b), 0, "xmpp:voicemail@example.com"), PL_OK);
    says(b,
         ERROR(ROMEO, "jingle1", "modify",
               "<redirect xmlns='" STANZAS "'>xmpp:voicemail@example.com</redirect>"),
         NULL);
    side_free(b);
}

/* Examples 3 to 8 as they come to us: what each error does to a call of ours. */
PL_TEST(errors_to_our_call)
{
    static const struct {
        const char *error;
        pl_jingle_reason reason;
        const char *condition;
    } row[] = {
        { "<service-unavailable xmlns='" STANZAS "'/>", PL_JINGLE_GONE, "service-unavailable" },
        { "<remote-server-timeout xmlns='" STANZAS "'/>", PL_JINGLE_GONE, "remote-server-timeout" },
        { "<feature-not-implemented xmlns='" STANZAS "'/>", PL_JINGLE_GENERAL_ERROR,
          "feature-not-implemented" },
        { "<not-acceptable xmlns='" STANZAS "'/>", PL_JINGLE_GENERAL_ERROR, "not-acceptable" },
        { "<redirect xmlns='" STANZAS "'>xmpp:voicemail@example.com</redirect>",
          PL_JINGLE_ALTERNATIVE_SESSION, "redirect" },
        { "<feature-not-implemented xmlns='" STANZAS "'/><unsupported-content xmlns='" ERRORS "'/>",
          PL_JINGLE_UNSUPPORTED_APPLICATIONS, "feature-not-implemented" },
        { "<feature-not-implemented xmlns='" STANZAS "'/><unsupported-transports xmlns='" ERRORS "'/>",
          PL_JINGLE_UNSUPPORTED_TRANSPORTS, "feature-not-implemented" },
        { "<bad-request xmlns='" STANZAS "'/>", PL_JINGLE_GENERAL_ERROR, "bad-request" },
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        side *a = side_new(ROMEO, 1);
        pl_jingle_session *x;
        char id[64], text[1024];
        PL_EQ(pl_jingle_initiate_2007(a->j, 0, JULIET, audio("voice"), &x), PL_OK);
        says(a,
             TO(JULIET, "*",
                "<jingle xmlns='" NS166 "' action='session-initiate' initiator='" ROMEO "' sid='*'>" VOICE
                "</jingle>"),
             id);
        snprintf(text, sizeof text, FROM(JULIET, "%s", "error", "<error type='cancel'>%s</error>"), id,
                 row[i].error);
        PL_OKAY(hears(a, text));
        tells(a, PL_JINGLE_REFUSED, PL_JINGLE_SESSION_INITIATE);
        tells(a, PL_JINGLE_ENDED_NOW, PL_JINGLE_SESSION_TERMINATE);
        PL_EQ(a->e.reason, row[i].reason);
        PL_STREQ(a->e.condition, row[i].condition);
        side_free(a);
    }
}

/* Examples 6, 7 and 8 as we say them. */
PL_TEST(errors_of_ours)
{
    static const struct {
        const char *contents, *error;
    } row[] = {
        { CONTENT("initiator", "a", "http://www.xmpp.org/extensions/xep-0999.html#ns", NS176, ""),
          "<feature-not-implemented xmlns='" STANZAS "'/><unsupported-content xmlns='" ERRORS "'/>" },
        { CONTENT("initiator", "a", NS167, "http://www.xmpp.org/extensions/xep-0183.html#ns",
                  ""), /* by telepathy */
          "<feature-not-implemented xmlns='" STANZAS "'/><unsupported-transports xmlns='" ERRORS "'/>" },
    };
    for (size_t i = 0; i < 2; i++) {
        side *b = side_new(JULIET, 1);
        char text[2048], answer[1024];
        snprintf(text, sizeof text, IQ(ROMEO, JULIET, "jingle1", JINGLE("session-initiate", "", "%s")),
                 row[i].contents);
        snprintf(answer, sizeof answer, ERROR(ROMEO, "jingle1", "cancel", "%s"), row[i].error);
        PL_OKAY(hears(b, text));
        PL_EQ(pl_jingle_admit(tells(b, PL_JINGLE_INCOMING, PL_JINGLE_SESSION_INITIATE), 0), PL_OK);
        says(b, answer, NULL);
        silent(b);
        tells(b, PL_JINGLE_ENDED_NOW, PL_JINGLE_SESSION_TERMINATE);
        side_free(b);
    }
    side *b = side_new(JULIET, 1);
    PL_OKAY(hears(b, IQ(ROMEO, JULIET, "jingle1", JINGLE("session-initiate", "", ""))));
    says(b, ERROR(ROMEO, "jingle1", "cancel", "<bad-request xmlns='" STANZAS "'/>"), NULL);
    side_free(b);
}

/* Examples 9 and 10: the one who is called does without the picture. */
PL_TEST(content_removal)
{
    side *b = side_new(JULIET, 1);
    pl_jingle_session *s = rung(b);
    char id[64], text[1024];
    PL_EQ(pl_jingle_request(s, 0, PL_JINGLE_CONTENT_REMOVE, named("picture", NULL)), PL_OK);
    says(b, TO(ROMEO, "*", JINGLE("content-remove", "", "<content creator='initiator' name='picture'/>")),
         id);
    snprintf(text, sizeof text, FROM(ROMEO, "%s", "result", ""), id);
    PL_OKAY(hears(b, text));
    tells(b, PL_JINGLE_ACKED, PL_JINGLE_CONTENT_REMOVE);
    pl_jingle_content c;
    PL_OKAY(pl_jingle_content_at(s, 0, &c) && !pl_jingle_content_at(s, 1, &c));
    PL_OKAY(hears(b, IQ(ROMEO, JULIET, "r2",
                        JINGLE("content-remove", "", "<content creator='initiator' name='voice'/>"))));
    says(b, RESULT(ROMEO, "r2"), NULL);
    says(b, TO(ROMEO, "*", JINGLE("session-terminate", "reasoncode='success'", "")), NULL);
    side_free(b);
}

/* Examples 11 and 12, by us as who is called; the reply carries a transport of 2007. */
PL_TEST(acceptance)
{
    side *b = side_new(JULIET, 1);
    pl_jingle_session *s = rung(b);
    char id[64], text[1024];
    pl_xml *answer = audio("voice"), *picture = content_of("picture", PL_NS_JINGLE_RTP, PL_NS_JINGLE_ICE_UDP);
    pl_xml_set(pl_xml_child(picture->first, NULL, "description"), "media", "video");
    pl_xml_add_copy(answer, picture->first);
    pl_xml_free(picture);
    PL_EQ(pl_jingle_accept(s, 0, answer), PL_OK);
    says(b, TO(ROMEO, "*", JINGLE("session-accept", "responder='" JULIET "'", VOICE PICTURE)), id);
    snprintf(text, sizeof text, FROM(ROMEO, "%s", "result", ""), id);
    PL_OKAY(hears(b, text));
    PL_EQ(pl_jingle_session_state(s), PL_JINGLE_ACTIVE);
    side_free(b);
}

/* Examples 11 and 12 as they come to us, and 13 to 18: a content is added, and accepted; the end, with a text. */
PL_TEST(a_whole_call_of_ours)
{
    side *a = side_new(ROMEO, 1);
    pl_jingle_session *x;
    char id[64], text[2048];
    pl_jingle_content c;
    PL_EQ(pl_jingle_initiate_2007(a->j, 0, JULIET, audio("voice"), &x), PL_OK);
    says(a,
         TO(JULIET, "*",
            "<jingle xmlns='" NS166 "' action='session-initiate' initiator='" ROMEO "' sid='*'>" VOICE
            "</jingle>"),
         id);
    snprintf(text, sizeof text, FROM(JULIET, "%s", "result", ""), id);
    PL_OKAY(hears(a, text));
#define OUR(action, more, inside)                                                                            \
    "<jingle xmlns='" NS166 "' action='" action "' initiator='" ROMEO "' sid='%s' " more ">" inside          \
    "</jingle>"
    /* a content may be added to a session that is active, and not before */
    snprintf(
        text, sizeof text,
        IQ(JULIET, ROMEO, "add0", OUR("content-add", "", CONTENT("responder", "back", NS180, NS177, ""))),
        pl_jingle_sid(x));
    PL_OKAY(hears(a, text));
    says(a,
         ERROR(JULIET, "add0", "wait",
               "<unexpected-request xmlns='" STANZAS "'/><out-of-order xmlns='" ERRORS "'/>"),
         NULL);
    PL_EQ(pl_jingle_request(x, 0, PL_JINGLE_CONTENT_ADD, audio("more")), PL_ESTATE);
    snprintf(text, sizeof text,
             IQ(JULIET, ROMEO, "accept1",
                OUR("session-accept", "responder='" JULIET "'",
                    CONTENT("initiator", "voice", NS167, NS177,
                            "<candidate component='1' generation='0' id='u3gscv289p' ip='192.0.2.101' "
                            "port='9001' type='host'/>"))),
             pl_jingle_sid(x));
    PL_OKAY(hears(a, text));
    says(a, RESULT(JULIET, "accept1"), NULL);
    tells(a, PL_JINGLE_ACKED, PL_JINGLE_SESSION_INITIATE);
    tells(a, PL_JINGLE_ACTION, PL_JINGLE_SESSION_ACCEPT);
    pl_desc *d;
    PL_EQ(pl_jingle_parse(&d, a->e.jingle, &(pl_jingle_parse_conf){ .allow_insecure = true }, NULL), PL_OK);
    PL_STREQ(d->media.at[0].address, "192.0.2.101");
    PL_EQ(d->media.at[0].port, 9001);
    PL_EQ(d->media.at[0].kind, PL_DESC_AUDIO);
    pl_desc_free(d);
    PL_OKAY(pl_jingle_content_at(x, 0, &c) && strcmp(c.transport, PL_NS_JINGLE_RAW_UDP) == 0);
    snprintf(text, sizeof text,
             IQ(JULIET, ROMEO, "add1",
                OUR("content-add", "",
                    "<content creator='responder' name='back' senders='recipient'><description xmlns='" NS180
                    "'/><transport xmlns='" NS177 "'/></content>")),
             pl_jingle_sid(x));
    PL_OKAY(hears(a, text));
    says(a, RESULT(JULIET, "add1"), NULL);
    tells(a, PL_JINGLE_ACTION, PL_JINGLE_CONTENT_ADD);
    PL_OKAY(pl_jingle_content_at(x, 1, &c) && c.senders == PL_JINGLE_BY_RESPONDER);
    pl_xml *accept = content_of("back", PL_NS_JINGLE_RTP, PL_NS_JINGLE_RAW_UDP);
    pl_xml_set(accept->first, "senders", "responder");
    pl_xml_set(pl_xml_child(accept->first, NULL, "description"), "media", "video");
    PL_EQ(pl_jingle_request(x, 0, PL_JINGLE_CONTENT_ACCEPT, accept), PL_OK);
    says(
        a,
        TO(JULIET, "*",
           "<jingle xmlns='" NS166 "' action='content-accept' initiator='" ROMEO
           "' sid='*'><content creator='responder' name='back' senders='recipient'><description xmlns='" NS180
           "'/><transport xmlns='" NS177 "'/></content></jingle>"),
        id);
    snprintf(text, sizeof text, FROM(JULIET, "%s", "result", ""), id);
    PL_OKAY(hears(a, text));
    PL_EQ(pl_jingle_request(x, 0, PL_JINGLE_TRANSPORT_REPLACE, audio("voice")), PL_ENOTSUP);
    snprintf(text, sizeof text,
             IQ(JULIET, ROMEO, "term1", OUR("session-terminate", "reason='Sorry, must go!'", "")),
             pl_jingle_sid(x));
    PL_OKAY(hears(a, text));
    says(a, RESULT(JULIET, "term1"), NULL);
    tells(a, PL_JINGLE_ACKED, PL_JINGLE_CONTENT_ACCEPT);
    tells(a, PL_JINGLE_ENDED_NOW, PL_JINGLE_SESSION_TERMINATE);
    PL_EQ(a->e.reason, PL_JINGLE_SUCCESS);
    PL_STREQ(a->e.text, "Sorry, must go!");
    /* ... and once it has ended */
    snprintf(text, sizeof text, IQ(JULIET, ROMEO, "late", OUR("session-info", "", "")), "gone");
    PL_OKAY(hears(a, text));
    says(a,
         ERROR(JULIET, "late", "cancel",
               "<bad-request xmlns='" STANZAS "'/><unknown-session xmlns='" ERRORS "'/>"),
         NULL);
    side_free(a);
}

/* An information that nobody knows; one that everybody does; the ping. */
PL_TEST(informational_messages)
{
    side *b = side_new(JULIET, 1);
    pl_jingle_session *s = rung(b);
    PL_OKAY(hears(b, IQ(ROMEO, JULIET, "p1", JINGLE("session-info", "", ""))));
    says(b, RESULT(ROMEO, "p1"), NULL);
    PL_OKAY(hears(b, IQ(ROMEO, JULIET, "p2", JINGLE("session-info", "", "<queued xmlns='urn:example'/>"))));
    says(b,
         ERROR(ROMEO, "p2", "modify",
               "<feature-not-implemented xmlns='" STANZAS "'/><unsupported-info xmlns='" ERRORS "'/>"),
         NULL);
    PL_OKAY(hears(b, IQ(ROMEO, JULIET, "p3", JINGLE("session-info", "", "<hold xmlns='" NS167 "-info'/>"))));
    says(b, RESULT(ROMEO, "p3"), NULL);
    tells(b, PL_JINGLE_ACTION, PL_JINGLE_SESSION_INFO);
    PL_EQ(b->e.info, PL_JINGLE_HOLD);
    PL_EQ(pl_jingle_tell(s, 0, PL_JINGLE_RINGING, NULL), PL_OK);
    says(b, TO(ROMEO, "*", JINGLE("session-info", "", "<ringing xmlns='" NS167 "-info'/>")), NULL);
    PL_OKAY(hears(b, IQ(ROMEO, JULIET, "k",
                        JINGLE("session-info", "",
                               "<dtmf xmlns='http://www.xmpp.org/extensions/xep-0181.html#ns' code='#'/>"))));
    says(b, RESULT(ROMEO, "k"), NULL);
    tells(b, PL_JINGLE_ACTION, PL_JINGLE_SESSION_INFO);
    PL_EQ(b->e.info, PL_JINGLE_DTMF);
    PL_OKAY(
        hears(b, IQ(ROMEO, JULIET, "p4",
                    JINGLE("session-terminate", "reasoncode='connectivity-error' reasontext='no way'", ""))));
    tells(b, PL_JINGLE_ENDED_NOW, PL_JINGLE_SESSION_TERMINATE);
    PL_EQ(b->e.reason, PL_JINGLE_CONNECTIVITY_ERROR);
    PL_STREQ(b->e.text, "no way");
    side_free(b);
}

/* Examples 19 to 21 ask what is spoken: not for this room, which leaves them to service discovery. */
PL_TEST(discovery_is_somebody_elses)
{
    side *b = side_new(JULIET, 1);
    PL_OKAY(!hears(b, "<iq xmlns='jabber:client' from='" ROMEO "' to='" JULIET
                      "' id='d' type='get'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"));
    PL_OKAY(!hears(
        b, "<iq xmlns='jabber:client' from='" ROMEO "' to='" JULIET
           "' id='d' type='result'><query xmlns='http://jabber.org/protocol/disco#info'><feature var='" NS166
           "'/></query></iq>"));
    silent(b);
    side_free(b);
}

/* Credentials stood with each candidate: read as those of the transport, and written with each. */
PL_TEST(ice_of_2007)
{
    static const char text[] = IQ(ROMEO, JULIET, "t",
                                  JINGLE("transport-info", "",
                                         "<content creator='initiator' name='voice'><transport xmlns='" NS176
                                         "'><candidate component='1' foundation='1' generation='0' "
                                         "ip='10.0.1.1' network='1' port='8998' priority='2130706431' "
                                         "protocol='udp' pwd='asd88fgpdd777uzjYhagZg' type='host' "
                                         "ufrag='8hhy'/></transport></content>"));
    pl_xml *iq = xml_of(text), *now = pl_jingle_from_2007(iq);
    pl_desc *d;
    PL_EQ(pl_jingle_parse(&d, pl_xml_child(now, PL_NS_JINGLE, "jingle"),
                          &(pl_jingle_parse_conf){ .by_initiator = true }, NULL),
          PL_OK);
    PL_STREQ(d->media.at[0].ufrag, "8hhy");
    PL_STREQ(d->media.at[0].pwd, "asd88fgpdd777uzjYhagZg");
    PL_STREQ(d->media.at[0].candidates.at[0],
             "candidate:1 1 udp 2130706431 10.0.1.1 8998 typ host network-id 1");
    pl_desc_free(d);
    pl_jingle_to_2007(now);
    const pl_xml *transport = pl_xml_child(pl_xml_child(now, NULL, "jingle")->first, NULL, "transport");
    PL_STREQ(transport->ns, NS176);
    PL_OKAY(pl_xml_attr_is(transport->first, "ufrag", "8hhy"));
    pl_xml_free(now);
    pl_xml_free(iq);
}

/* Two of ours may speak as in 2007 to each other, if one begins. */
PL_TEST(two_of_2007)
{
    side *a = side_new(ROMEO, 1), *b = side_new(JULIET, 2);
    pl_jingle_session *x, *y;
    PL_EQ(pl_jingle_initiate_2007(a->j, 0, JULIET, audio("voice"), &x), PL_OK);
    deliver(a, b);
    y = tells(b, PL_JINGLE_INCOMING, PL_JINGLE_SESSION_INITIATE);
    PL_OKAY(pl_jingle_is_2007(y));
    PL_EQ(pl_jingle_admit(y, 0), PL_OK);
    PL_EQ(pl_jingle_accept(y, 0, audio("voice")), PL_OK);
    settle(a, b);
    PL_EQ(pl_jingle_request(x, 0, PL_JINGLE_CONTENT_ADD,
                            content_of("x", "urn:example:y", PL_NS_JINGLE_ICE_UDP)),
          PL_OK);
    settle(a, b); /* there was no content-reject: it is removed */
    pl_jingle_content c;
    PL_OKAY(!pl_jingle_content_at(x, 1, &c) && !pl_jingle_content_at(y, 1, &c));
    PL_EQ(pl_jingle_terminate(y, 0, PL_JINGLE_SUCCESS, "good night", NULL), PL_OK);
    settle(a, b);
    while (pl_jingle_poll_event(a->j, &a->e) && a->e.kind != PL_JINGLE_ENDED_NOW)
        ;
    PL_STREQ(a->e.text, "good night");
    side_free(a);
    side_free(b);
}

PL_TESTS(t(initiation), t(not_to_be_reached), t(errors_to_our_call), t(errors_of_ours), t(content_removal),
         t(acceptance), t(a_whole_call_of_ours), t(informational_messages), t(discovery_is_somebody_elses),
         t(ice_of_2007), t(two_of_2007))
