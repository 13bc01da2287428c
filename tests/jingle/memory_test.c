/* Every allocation fails once, on the whole way of a call: nothing is lost, nothing is freed twice, what is invariant stays
 * so, and both ends are free to go on. */
#include "pl_alloc.h"
#include "pl_test.h"

#include "jingle/file.h"
#include "jingle/ibb.h"
#include "jingle/message.h"
#include "jingle/parse.h"
#include "jingle/s5b.h"
#include "jingle_side.h"

#define CALL                                                                                                 \
    "<jingle xmlns='urn:xmpp:jingle:1'><group xmlns='urn:xmpp:jingle:apps:grouping:0' "                      \
    "semantics='BUNDLE'><content "                                                                           \
    "name='0'/></group><content creator='initiator' name='0'><description "                                  \
    "xmlns='urn:xmpp:jingle:apps:rtp:1' "                                                                    \
    "media='audio'><payload-type id='96' name='opus' clockrate='48000' channels='2'><parameter "             \
    "name='stereo' "                                                                                         \
    "value='1'/></payload-type><rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='1' "            \
    "uri='u:v'><parameter "                                                                                  \
    "name='vad' value='on'/></rtp-hdrext></description><transport "                                          \
    "xmlns='urn:xmpp:jingle:transports:ice-udp:1' "                                                          \
    "ufrag='8hhy' pwd='asd88fgpdd777uzjYhagZg'><fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' "            \
    "hash='sha-256' "                                                                                        \
    "setup='actpass'>02:1A</fingerprint></transport></content></jingle>"

static bool may_fail(pl_err err)
{
    return err == PL_OK || err == PL_ENOMEM;
}

/* All that waits, as it is: no text in between, whose memory would be the test's. */
static void pass(side *from, side *to)
{
    for (pl_xml *e; (e = pl_jingle_poll_output(from->j, from->now_us));) {
        pl_xml_set(e, "from", from->name);
        (void)pl_jingle_input(to->j, to->now_us, e);
        pl_xml_free(e);
    }
}

static void answer_events(side *s)
{
    while (pl_jingle_poll_event(s->j, &s->e)) {
        if (s->e.kind == PL_JINGLE_INCOMING && pl_jingle_session_state(s->e.session) != PL_JINGLE_ENDED) {
            pl_err err = pl_jingle_admit(s->e.session, s->now_us);
            PL_OKAY(may_fail(err));
            if (!err && pl_jingle_session_state(s->e.session) == PL_JINGLE_PENDING)
                PL_OKAY(may_fail(pl_jingle_accept(s->e.session, s->now_us, audio("voice"))));
        }
    }
}

static void whole_call(side *a, side *b, bool then)
{
    pl_jingle_session *s = NULL;
    pl_err err = then ? pl_jingle_initiate_2007(a->j, a->now_us, JULIET, audio("voice"), &s)
                      : pl_jingle_initiate(a->j, a->now_us, JULIET, "sid", audio("voice"), &s);
    PL_OKAY(may_fail(err) && (err == PL_OK) == (s != NULL));
    for (int i = 0; i < 6; i++) {
        pass(a, b);
        pass(b, a);
        answer_events(a);
        answer_events(b);
        s = pl_jingle_find(a->j, JULIET, s ? "sid" : "");
        if (s && i == 2 && pl_jingle_session_state(s) == PL_JINGLE_ACTIVE)
            PL_OKAY(may_fail(pl_jingle_request(s, a->now_us, PL_JINGLE_CONTENT_ADD, audio("more"))));
        if (s && i == 4 && pl_jingle_session_state(s) != PL_JINGLE_ENDED)
            PL_OKAY(may_fail(pl_jingle_terminate(s, a->now_us, PL_JINGLE_SUCCESS, "bye", NULL)));
    }
}

PL_TEST(sessions)
{
    for (int then = 0; then < 2; then++) {
        bool failed = true;
        for (long n = 0; failed; n++) {
            side *a = side_new(ROMEO, 1), *b = side_new(JULIET, 2);
            pl_alloc_fail_after(n);
            whole_call(a, b, then);
            failed = pl_alloc_has_failed();
            /* Whatever was lost: after the longest wait there, nothing is left on either side. */
            for (int i = 0; i < 4; i++) {
                a->now_us = b->now_us = a->now_us + PL_JINGLE_ACK_US;
                pl_jingle_cut(a->j, a->now_us);
                pl_jingle_cut(b->j, b->now_us);
                answer_events(a);
                answer_events(b);
            }
            PL_EQ(pl_jingle_n_sessions(a->j) + pl_jingle_n_sessions(b->j), 0);
            PL_EQ(pl_jingle_next_us(a->j), PL_NEVER);
            side_free(a);
            side_free(b);
        }
    }
}

PL_TEST(descriptions)
{
    pl_xml *call = xml_of(CALL);
    bool failed = true;
    for (long n = 0; failed; n++) {
        pl_desc *d = NULL;
        pl_jingle_fault fault;
        pl_alloc_fail_after(n);
        pl_err err = pl_jingle_parse(&d, call, &(pl_jingle_parse_conf){ 0 }, &fault);
        pl_xml *out = err ? NULL : pl_xml_new(PL_NS_JINGLE, "jingle");
        if (out)
            PL_OKAY(may_fail(pl_jingle_write(d, out, &(pl_jingle_write_conf){ 0 })));
        failed = pl_alloc_has_failed();
        PL_OKAY(err == PL_OK || (failed && !d && fault.text[0]));
        pl_xml_free(out);
        pl_desc_free(d);
    }
    pl_xml_free(call);
}

PL_TEST(proposals)
{
    pl_xml *propose =
        xml_of("<message xmlns='jabber:client' from='romeo@example.net/orchard' type='chat'><propose "
               "xmlns='urn:xmpp:jingle-message:0' id='p'><description xmlns='urn:xmpp:jingle:apps:rtp:1' "
               "media='audio'/></propose></message>");
    bool failed = true;
    for (long n = 0; failed; n++) {
        pl_jmi *m;
        pl_jmi_event e;
        char id[PL_JMI_ID_MAX + 1];
        pl_alloc_fail_after(n);
        pl_err err = pl_jmi_new(&m, &(pl_jmi_conf){ .self = JULIET }, 0);
        PL_OKAY(may_fail(err));
        if (!err) {
            err = pl_jmi_propose(m, 0, "romeo@example.net", true, false, false, id);
            PL_OKAY(may_fail(err) || err == PL_ENOSPC);
            if (!err)
                PL_OKAY(may_fail(pl_jmi_retract(m, id, PL_JINGLE_CANCEL)));
            (void)pl_jmi_input(m, 0, propose);
            if (pl_jmi_poll_event(m, &e))
                PL_OKAY(may_fail(pl_jmi_proceed(m, 0, e.id)) || e.kind != PL_JMI_INCOMING);
            pl_jmi_check(m);
        }
        failed = pl_alloc_has_failed();
        if (m)
            pl_jmi_free(m);
    }
    pl_xml_free(propose);
}

static void one_stream(void)
{
    pl_ibb *a = NULL, *b = NULL;
    uint8_t block[9000] = { 0 };
    (void)(pl_ibb_new(&a, &(pl_ibb_conf){ .peer = JULIET, .sid = "s", .opens = true }, 0) ||
           pl_ibb_new(&b, &(pl_ibb_conf){ .peer = ROMEO, .sid = "s" }, 0));
    for (int i = 0; a && b && i < 12; i++) {
        (void)pl_ibb_write(a, block, sizeof block);
        for (pl_xml *e; (e = pl_ibb_poll_output(a, 0)); pl_xml_free(e)) {
            pl_xml_set(e, "from", ROMEO);
            (void)pl_ibb_input(b, 0, e);
        }
        for (pl_xml *e; (e = pl_ibb_poll_output(b, 0)); pl_xml_free(e)) {
            pl_xml_set(e, "from", JULIET);
            (void)pl_ibb_input(a, 0, e);
        }
        (void)pl_ibb_read(b, block, sizeof block);
    }
    pl_ibb_free(a);
    pl_ibb_free(b);
}

PL_TEST(streams)
{
    bool failed = true;
    for (long n = 0; failed; n++) {
        pl_alloc_fail_after(n);
        one_stream();
        failed = pl_alloc_has_failed();
    }
    failed = true;
    for (long n = 0; failed; n++) {
        pl_s5b *s = NULL;
        pl_alloc_fail_after(n);
        pl_err err = pl_s5b_new(&s, &(pl_s5b_conf){ .self = JULIET, .peer = ROMEO, .sid = "s" });
        failed = pl_alloc_has_failed();
        PL_OKAY(may_fail(err) && (err == PL_OK) == (s != NULL));
        pl_s5b_free(s);
    }
}

/* A file in words, and the choice of a way for it. */
static void one_file(const pl_xml *offered, const pl_xml *asked)
{
    pl_jingle_file f = { .name = "test.txt", .has_size = true, .size = 7, .has_range = true };
    pl_s5b_candidate ours = { .cid = "j0", .host = "192.0.2.9", .port = 1, .priority = 5 };
    pl_s5b *s = NULL;
    pl_s5b_event e;
    PL_OKAY(pl_jingle_file_add_hash(&f, "sha-256", (const uint8_t *)"0123456789abcdef0123456789abcdef", 32));
    pl_xml *content = pl_xml_new(PL_NS_JINGLE, "content");
    pl_jingle_file_write(content, &f);
    pl_xml_free(pl_jingle_file_received("initiator", "a"));
    pl_xml_free(pl_jingle_file_checksum("initiator", "a", &f));
    pl_xml_free(pl_jingle_file_answer_si(asked));
    if (pl_s5b_new(&s,
                   &(pl_s5b_conf){ .self = JULIET, .peer = ROMEO, .sid = "s", .ours = &ours, .n_ours = 1 }) ==
        PL_OK) {
        pl_s5b_write_transport(s, content);
        PL_OKAY(may_fail(pl_s5b_offered(s, 0, offered)));
        for (int i = 0; i < 4 && pl_s5b_poll_event(s, &e); i++) {
            if (e.kind == PL_S5B_CONNECT)
                pl_s5b_connected(s, 0, e.candidate->cid);
            (void)pl_s5b_poll_output(s, content);
            pl_s5b_check(s);
        }
    }
    pl_s5b_free(s);
    pl_xml_free(content);
}

PL_TEST(files)
{
    pl_xml *offered = NULL, *asked = NULL;
    PL_EQ(pl_xml_parse(&offered, pl_str_of("<transport xmlns='urn:xmpp:jingle:transports:s5b:1' sid='s'>"
                                           "<candidate cid='a' host='h' priority='1'/></transport>")),
          PL_OK);
    PL_EQ(pl_xml_parse(&asked, pl_str_of("<iq xmlns='jabber:client' from='a@b/c' id='o1' type='set'>"
                                         "<si xmlns='http://jabber.org/protocol/si'/></iq>")),
          PL_OK);
    bool failed = true;
    for (long n = 0; failed; n++) {
        pl_alloc_fail_after(n);
        one_file(offered, asked);
        failed = pl_alloc_has_failed();
    }
    pl_xml_free(offered);
    pl_xml_free(asked);
}

PL_TESTS(t(sessions), t(descriptions), t(proposals), t(streams), t(files))
