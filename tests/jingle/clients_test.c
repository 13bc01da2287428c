/* Descriptions in the shapes that clients give them: written here after what each is known to leave out or to add. */
#include "pl_test.h"

#include "desc/rules.h"
#include "jingle/parse.h"
#include "jingle_xml.h"

#define JINGLE(inside)                                                                                       \
    "<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='s'>" inside "</jingle>"
#define FINGERPRINT(setup)                                                                                   \
    "<fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256' setup='" setup                          \
    "'>02:1A:CC:54</fingerprint>"
#define CANDIDATE(component, port)                                                                           \
    "<candidate component='" component "' foundation='1' generation='0' id='a" port "' ip='10.0.1.1' "       \
    "network='1' port='" port "' priority='2130706431' protocol='udp' type='host'/>"
#define ICE(inside)                                                                                          \
    "<transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='8hhy' "                                  \
    "pwd='asd88fgpdd777uzjYhagZg'>" inside "</transport>"

static pl_desc *taken(const char *text)
{
    pl_xml *e = xml_of(text);
    pl_jingle_fault fault;
    pl_desc *d;
    if (pl_jingle_parse(&d, e, &(pl_jingle_parse_conf){ .by_initiator = true }, &fault))
        print_error("%s\n", fault.text);
    pl_xml_free(e);
    PL_OKAY(d);
    return d;
}

/* Conversations: trickle is an option of its own, sources and streams in the words of browsers, both in one transport. */
PL_TEST(conversations)
{
    pl_desc *d = taken(JINGLE(
        "<group xmlns='urn:xmpp:jingle:apps:grouping:0' semantics='BUNDLE'><content name='0'/>"
        "<content name='1'/></group>"
        "<content creator='initiator' name='0' senders='both'><description "
        "xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'><payload-type id='111' name='opus' channels='2' "
        "clockrate='48000'><parameter name='minptime' value='10'/><rtcp-fb "
        "xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='transport-cc'/></payload-type><rtp-hdrext "
        "xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='1' "
        "uri='urn:ietf:params:rtp-hdrext:ssrc-audio-level'/>"
        "<extmap-allow-mixed xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0'/><source "
        "xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='7'><parameter name='cname' value='c'/><parameter "
        "name='msid' value='my-media-stream my-audio-track'/></source><rtcp-mux/></description>" ICE(
            "<trickle xmlns='http://gultsch.de/xmpp/drafts/jingle/transports/ice-udp/option'/>" FINGERPRINT(
                "actpass")) "</content>"
                            "<content creator='initiator' name='1' senders='both'><description "
                            "xmlns='urn:xmpp:jingle:apps:rtp:1' media='video'><payload-type id='96' "
                            "name='VP8' "
                            "clockrate='90000'/><rtcp-mux/></description>" ICE(
                                FINGERPRINT("actpass")) "</content>"));
    PL_EQ(d->media.n, 2);
    PL_OKAY(pl_bundle_valid(d));
    PL_OKAY(d->media.at[0].ice_options & PL_ICE_OPT_TRICKLE);
    PL_STREQ(d->media.at[0].ssrcs.at[0].stream, "my-media-stream");
    PL_EQ(d->media.at[0].exts.n, 1);
    PL_EQ(d->media.at[0].direction, PL_SENDRECV);
    pl_desc_free(d);
}

/* Dino: names of its own, nothing in groups, candidates later; what it has of codecs is more than we do. */
PL_TEST(dino)
{
    pl_desc *d = taken(JINGLE(
        "<content creator='initiator' name='audio'><description xmlns='urn:xmpp:jingle:apps:rtp:1' "
        "media='audio'><payload-type id='99' name='opus' clockrate='48000' channels='2'><parameter "
        "name='useinbandfec' value='1'/></payload-type><payload-type id='100' name='speex' "
        "clockrate='32000' channels='1'/><payload-type id='0' name='PCMU' clockrate='8000' channels='1'/>"
        "<rtcp-mux/></description>" ICE(FINGERPRINT(
            "actpass")) "</content>"
                        "<content creator='initiator' name='video'><description "
                        "xmlns='urn:xmpp:jingle:apps:rtp:1' "
                        "media='video'><payload-type id='98' name='VP8' clockrate='90000'><rtcp-fb "
                        "xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='goog-remb'/><rtcp-fb "
                        "xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='ccm' "
                        "subtype='fir'/></payload-type><rtcp-mux/>"
                        "</description>" ICE(FINGERPRINT("actpass")) "</content>"));
    PL_EQ(d->groups.n, 0);
    PL_STREQ(d->media.at[1].mid, "video");
    PL_EQ(d->media.at[0].codecs.n, 3);
    PL_EQ(d->media.at[1].codecs.at[0].feedback, PL_FB_GOOG_REMB | PL_FB_CCM_FIR);
    PL_EQ(d->media.at[0].candidates.n, 0);
    PL_OKAY(d->media.at[0].ice_options & PL_ICE_OPT_TRICKLE); /* ICE-UDP does, without a word */
    PL_EQ(d->media.at[0].setup, PL_DESC_SETUP_ACTPASS);
    pl_desc_free(d);
}

/* Without trickle: all candidates at once, for RTCP by itself too, and no word of their end. */
PL_TEST(no_trickle)
{
    pl_desc *d = taken(JINGLE(
        "<content creator='initiator' name='voice'><description xmlns='urn:xmpp:jingle:apps:rtp:1' "
        "media='audio'><payload-type id='0'/></description>" ICE(CANDIDATE("1", "5000") CANDIDATE("2", "5001")
                                                                     FINGERPRINT("active")) "</content>"));
    PL_EQ(d->media.at[0].candidates.n, 2);
    PL_OKAY(!d->media.at[0].rtcp_mux && !d->media.at[0].end_of_candidates);
    PL_EQ(d->media.at[0].setup, PL_DESC_SETUP_ACTIVE);
    PL_STREQ(d->media.at[0].codecs.at[0].name, "PCMU");
    pl_desc_free(d);
}

/* Gajim: media that are not encrypted, which is said as XEP-0167 wants it said. */
PL_TEST(gajim)
{
    pl_xml *e = xml_of(
        JINGLE("<content creator='initiator' name='voice'><description xmlns='urn:xmpp:jingle:apps:rtp:1' "
               "media='audio'><payload-type id='96' name='SPEEX' clockrate='16000'/></description>" ICE(
                   CANDIDATE("1", "5000")) "</content>"));
    pl_jingle_fault fault;
    pl_desc *d;
    PL_EQ(pl_jingle_parse(&d, e, &(pl_jingle_parse_conf){ .by_initiator = true }, &fault), PL_ENOTSUP);
    PL_EQ(fault.reason, PL_JINGLE_SECURITY_ERROR);
    PL_STREQ(fault.condition, "crypto-required");
    pl_xml_free(e);
}

PL_TESTS(t(conversations), t(dino), t(no_trickle), t(gajim))
