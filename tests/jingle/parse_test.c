/* Contents as other clients write them, and as an enemy would. */
#include "pl_test.h"

#include "desc/rules.h"
#include "jingle/parse.h"
#include "jingle_xml.h"

#define JINGLE(inside) "<jingle xmlns='urn:xmpp:jingle:1'>" inside "</jingle>"
#define FINGERPRINT                                                                                          \
    "<fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='SHA-256' setup='actpass'>\n  "                   \
    "02:1a:cc:54\n</fingerprint>"
#define ICE(inside)                                                                                          \
    "<transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='8hhy' "                                  \
    "pwd='asd88fgpdd777uzjYhagZg'>" inside "</transport>"
#define RTP(media, inside)                                                                                   \
    "<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='" media "'>" inside "</description>"
#define CONTENT(name, inside) "<content creator='initiator' name='" name "'>" inside "</content>"

static pl_desc *read_as(const char *text, bool insecure)
{
    pl_xml *e = xml_of(text);
    pl_desc *d;
    pl_jingle_fault fault;
    pl_jingle_parse_conf conf = { .by_initiator = true, .allow_insecure = insecure };
    if (pl_jingle_parse(&d, e, &conf, &fault))
        print_error("%s\n", fault.text);
    pl_xml_free(e);
    PL_OKAY(d);
    return d;
}

static pl_jingle_fault refused(const char *text, pl_err want)
{
    pl_xml *e = xml_of(text);
    pl_desc *d;
    pl_jingle_fault fault;
    pl_err err = pl_jingle_parse(&d, e, &(pl_jingle_parse_conf){ .by_initiator = true }, &fault);
    if (err != want)
        print_error("%s: %s\n", text, pl_err_str(err));
    PL_EQ(err, want);
    PL_OKAY(!d && fault.text[0] && fault.reason);
    pl_xml_free(e);
    return fault;
}

/* XEP-0167 5: a caller from before DTLS. Understood, and not taken. */
PL_TEST(voice_of_0167)
{
    static const char text[] = JINGLE(CONTENT(
        "voice",
        RTP("audio", "<payload-type id='96' name='speex' clockrate='16000'/><payload-type id='97' "
                     "name='speex' clockrate='8000'/>"
                     "<payload-type id='18' name='G729'/><payload-type id='0' name='PCMU'/><payload-type "
                     "id='103' name='L16' clockrate='16000' channels='2' ptime='40' maxptime='80'/>"
                     "<payload-type id='98' name='x-ISAC' clockrate='8000'><parameter name='vbr' "
                     "value='on'/><parameter name='cng' value='on'/></payload-type>"
                     "<payload-type id='8'/><payload-type id='77'/><bandwidth "
                     "type='AS'>128</bandwidth><bandwidth type='RS'>1</bandwidth>")
            ICE("<candidate component='1' foundation='1' generation='0' id='el0747fg11' ip='10.0.1.1' "
                "network='1' port='8998' priority='2130706431' protocol='udp' type='host'/>"
                "<candidate component='1' foundation='2' generation='0' id='y3s2b30v3r' ip='192.0.2.3' "
                "network='1' port='45664' priority='1694498815' protocol='udp' rel-addr='10.0.1.1' "
                "rel-port='8998' type='srflx'/>"
                "<candidate component='1' foundation='3' generation='0' id='z' ip='192.0.2.4' network='1' "
                "port='1' priority='1' protocol='quantum' type='host'/>")));
    pl_desc *d = read_as(text, true);
    const pl_desc_media *m = &d->media.at[0];
    PL_EQ(m->kind, PL_DESC_AUDIO);
    PL_STREQ(m->mid, "voice");
    PL_EQ(m->codecs.n, 7); /* 77 has no name */
    PL_STREQ(m->codecs.at[0].name, "speex");
    PL_EQ(m->codecs.at[0].clock_hz, 16000);
    PL_EQ(m->codecs.at[2].clock_hz, 8000);
    PL_EQ(m->codecs.at[4].channels, 2);
    PL_EQ(m->ptime_ms, 40);
    PL_EQ(m->maxptime_ms, 80);
    PL_STREQ(m->codecs.at[5].fmtp, "vbr=on;cng=on");
    PL_STREQ(m->codecs.at[6].name, "PCMA");
    PL_EQ(m->bandwidth_as_kbps, 128);
    PL_OKAY(!m->rtcp_mux);
    PL_EQ(m->candidates.n, 2); /* a protocol to come is passed over */
    PL_STREQ(m->candidates.at[1],
             "candidate:2 1 udp 1694498815 192.0.2.3 45664 typ srflx raddr 10.0.1.1 rport 8998 network-id 1");
    pl_desc_free(d);
    pl_jingle_fault f = refused(text, PL_ENOTSUP);
    PL_EQ(f.reason, PL_JINGLE_SECURITY_ERROR);
    PL_STREQ(f.condition, "crypto-required");
}

/* XEP-0167 with SDES, XEP-0262 with ZRTP: another way to agree on keys. */
PL_TEST(keys_by_other_ways_are_refused)
{
    static const char *const text[] = {
        JINGLE(CONTENT("voice", RTP("audio", "<payload-type id='0'/><encryption required='1'><crypto "
                                             "crypto-suite='AES_CM_128_HMAC_SHA1_80' "
                                             "key-params='inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^"
                                             "20|1:32' tag='1'/></encryption>") ICE(""))),
        JINGLE(CONTENT(
            "voice",
            RTP("audio",
                "<payload-type id='0'/><encryption><zrtp-hash xmlns='urn:xmpp:jingle:apps:rtp:zrtp:1' "
                "version='1.10'>fe30efd02423cb</zrtp-hash></encryption>") ICE(""))),
    };
    for (size_t i = 0; i < 2; i++) {
        pl_jingle_fault f = refused(text[i], PL_ENOTSUP);
        PL_EQ(f.reason, PL_JINGLE_SECURITY_ERROR);
        PL_STREQ(f.condition, "invalid-crypto");
    }
}

/* XEP-0293, 0294, 0320, 0338, 0339 and 0343 in one call, as a browser's XMPP client writes it. */
PL_TEST(a_browsers_call)
{
    static const char text[] = JINGLE(
        "<group xmlns='urn:xmpp:jingle:apps:grouping:0' semantics='BUNDLE'><content name='0'/><content "
        "name='d'/></group>" CONTENT(
            "0",
            RTP("video",
                "<rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='transport-cc'/>"
                "<payload-type id='96' name='VP8' clockrate='90000'><rtcp-fb "
                "xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='nack' subtype='pli'/>"
                "<rtcp-fb xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' type='unheard' subtype='of'/>"
                "<rtcp-fb-trr-int xmlns='urn:xmpp:jingle:apps:rtp:rtcp-fb:0' value='100'/></payload-type>"
                "<payload-type id='97' name='rtx' clockrate='90000'><parameter name='apt' "
                "value='96'/></payload-type>"
                "<payload-type id='98' name='rtx' clockrate='90000'/>"
                "<rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='2' "
                "uri='urn:ietf:params:rtp-hdrext:toffset' senders='initiator'/>"
                "<extmap-allow-mixed xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0'/>"
                "<ssrc-group xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' semantics='FID'><source "
                "ssrc='1656081975'/><source ssrc='7'/></ssrc-group>"
                "<source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='1656081975'><parameter name='cname' "
                "value='Yv/wvbCdsDW2Prgd'/>"
                "<parameter name='msid' value='MLTJKIHilGn71fNQoszkQ4jlPTuS5vJyKVIv "
                "MLTJKIHilGn71fNQoszkQ4jlPTuS5vJyKVIva0'/></source><rtcp-mux/>")
                ICE(FINGERPRINT "<rtcp-mux/><gathering-complete/><trickle "
                                "xmlns='http://gultsch.de/xmpp/drafts/jingle/transports/ice-udp/option'/>"))
            CONTENT("d", "<description xmlns='urn:xmpp:jingle:transports:webrtc-datachannel:0' "
                         "type='datachannel'/>" ICE(
                             "<sctpmap xmlns='urn:xmpp:jingle:transports:dtls-sctp:1' number='5000' "
                             "protocol='webrtc-datachannel' streams='1024'/>")));
    pl_desc *d = read_as(text, false);
    const pl_desc_media *m = &d->media.at[0], *data = &d->media.at[1];
    PL_EQ(m->codecs.n, 2); /* rtx of nothing is dropped */
    PL_EQ(m->codecs.at[0].feedback, PL_FB_TRANSPORT_CC | PL_FB_NACK_PLI);
    PL_EQ(m->codecs.at[1].apt, 96);
    PL_EQ(m->exts.at[0].direction, PL_SENDONLY);
    PL_OKAY(m->extmap_allow_mixed && d->extmap_allow_mixed && m->rtcp_mux && m->end_of_candidates);
    PL_EQ(pl_desc_rtx_ssrc(m, 1656081975), 7);
    PL_STREQ(m->ssrcs.at[0].cname, "Yv/wvbCdsDW2Prgd");
    PL_STREQ(m->ssrcs.at[0].track, "MLTJKIHilGn71fNQoszkQ4jlPTuS5vJyKVIva0");
    PL_STREQ(m->fingerprints.at[0].hash, "sha-256");
    PL_STREQ(m->fingerprints.at[0].value, "02:1A:CC:54");
    PL_EQ(m->setup, PL_DESC_SETUP_ACTPASS);
    PL_OKAY(pl_desc_is_data(data));
    PL_EQ(data->sctp_port, 5000);
    PL_EQ(pl_desc_message_size(data), PL_DESC_DEFAULT_MESSAGE_SIZE);
    PL_OKAY(pl_bundle_valid(d));
    pl_desc_free(d);
}

/* As npm's stanza trickles and answers: the ufrag alone says whose the candidates are, and data channels have no
 * description but the map in their transport. */
PL_TEST(what_stanza_leaves_out)
{
    pl_desc *d = read_as(
        JINGLE(CONTENT("0", "<transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='C4ff'><candidate "
                            "component='1' foundation='1' ip='10.0.0.9' port='9' priority='5' protocol='udp' "
                            "type='host'/></transport>")),
        true);
    PL_STREQ(d->media.at[0].ufrag, "C4ff");
    PL_OKAY(!d->media.at[0].pwd);
    PL_EQ(d->media.at[0].candidates.n, 1);
    pl_desc_free(d);
    d = read_as(
        JINGLE(CONTENT("0", RTP("audio", "<payload-type id='0' name='PCMU' clockrate='8000'/><rtcp-mux/>")
                                ICE(FINGERPRINT))
                   CONTENT("2", ICE(FINGERPRINT "<sctpmap xmlns='urn:xmpp:jingle:transports:dtls-sctp:1' "
                                                "number='5000' protocol='webrtc-datachannel'/>"))),
        false);
    PL_OKAY(pl_desc_is_data(&d->media.at[1]));
    PL_EQ(d->media.at[1].sctp_port, 5000);
    pl_desc_free(d);
}

/* XEP-0177: an address, and that is all. XEP-0371: ICE by its newer name, over TCP too. */
PL_TEST(other_transports)
{
    pl_desc *d = read_as(
        JINGLE(CONTENT(
            "voice",
            RTP("audio",
                "<payload-type id='0'/>") "<transport "
                                          "xmlns='urn:xmpp:jingle:transports:raw-udp:1'><candidate "
                                          "component='1' generation='0' id='a' ip='10.1.1.104' port='13540'/>"
                                          "<candidate component='2' generation='0' id='b' ip='10.1.1.104' "
                                          "port='13541'/></transport>")),
        true);
    PL_STREQ(d->media.at[0].address, "10.1.1.104");
    PL_EQ(d->media.at[0].port, 13540);
    PL_EQ(d->media.at[0].rtcp_port, 13541);
    pl_desc_free(d);
    d = read_as(
        JINGLE(CONTENT(
            "voice",
            RTP("audio",
                "<payload-type id='0'/>") "<transport xmlns='urn:xmpp:jingle:transports:ice:0' ufrag='8hhy' "
                                          "pwd='asd88fgpdd777uzjYhagZg'>" FINGERPRINT
                                          "<candidate component='1' foundation='f' generation='2' id='a' "
                                          "ip='2001:db8::9' network='0' port='9' priority='5' protocol='tcp' "
                                          "tcptype='active' type='host'/></transport>")),
        false);
    PL_STREQ(d->media.at[0].candidates.at[0],
             "candidate:f 1 tcp 5 2001:db8::9 9 typ host tcptype active generation 2");
    pl_desc_free(d);
}

PL_TEST(not_spoken_here)
{
    PL_EQ(
        refused(JINGLE(CONTENT("x", "<description xmlns='urn:example:board'/>" ICE(FINGERPRINT))), PL_ENOTSUP)
            .reason,
        PL_JINGLE_UNSUPPORTED_APPLICATIONS);
    PL_EQ(refused(JINGLE(CONTENT("x", RTP("smell", "") ICE(FINGERPRINT))), PL_ENOTSUP).reason,
          PL_JINGLE_UNSUPPORTED_APPLICATIONS);
    PL_EQ(refused(
              JINGLE(CONTENT("x", RTP("audio", "") "<transport xmlns='urn:xmpp:jingle:transports:ibb:1'/>")),
              PL_ENOTSUP)
              .reason,
          PL_JINGLE_UNSUPPORTED_TRANSPORTS);
}

/* XML may carry what would be new lines of SDP, or words of them: none of it gets through. */
PL_TEST(nothing_is_smuggled_in)
{
    static const char *const text[] = {
        JINGLE("<content name='a b'/>"),
        JINGLE("<content name='a&#10;a=x'/>"),
        JINGLE("<content name=''/>"),
        JINGLE("<content/>"),
        JINGLE("<content "
               "name='aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'/>"),
        JINGLE("<content name='a'/><content name='a'/>"),
        JINGLE("<content name='a' senders='everybody'/>"),
        JINGLE("<group xmlns='urn:xmpp:jingle:apps:grouping:0' semantics='BUNDLE&#10;m=audio'/>"),
        JINGLE("<group xmlns='urn:xmpp:jingle:apps:grouping:0' semantics='BUNDLE'><content/></group>"),
        JINGLE(CONTENT("a", RTP("audio", "<payload-type id='128' name='x'/>") ICE(FINGERPRINT))),
        JINGLE(CONTENT("a", RTP("audio", "<payload-type id='-1' name='x'/>") ICE(FINGERPRINT))),
        JINGLE(CONTENT("a", RTP("audio", "<payload-type id='96' name='x y'/>") ICE(FINGERPRINT))),
        JINGLE(CONTENT("a", RTP("audio", "<payload-type id='96' name='x/8000'/>") ICE(FINGERPRINT))),
        JINGLE(CONTENT("a", RTP("audio", "<payload-type id='96' name='x' clockrate='0'/>") ICE(FINGERPRINT))),
        JINGLE(CONTENT("a", RTP("audio", "<payload-type id='96' name='x' channels='0'/>") ICE(FINGERPRINT))),
        JINGLE(CONTENT(
            "a",
            RTP("audio",
                "<payload-type id='96' name='x'><parameter name='p' value='1&#13;&#10;a=y'/></payload-type>")
                ICE(FINGERPRINT))),
        JINGLE(CONTENT("a", RTP("audio", "<bandwidth type='AS'>lots</bandwidth>") ICE(FINGERPRINT))),
        JINGLE(CONTENT(
            "a", RTP("audio", "<rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='0' uri='u'/>")
                     ICE(FINGERPRINT))),
        JINGLE(CONTENT(
            "a", RTP("audio", "<rtp-hdrext xmlns='urn:xmpp:jingle:apps:rtp:rtp-hdrext:0' id='1' uri='u v'/>")
                     ICE(FINGERPRINT))),
        JINGLE(CONTENT("a",
                       RTP("audio", "<source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='4294967296'/>")
                           ICE(FINGERPRINT))),
        JINGLE(CONTENT("a", RTP("audio", "<stream xmlns='urn:xmpp:jingle:apps:rtp:msid:0' id='a b'/>")
                                ICE(FINGERPRINT))),
        JINGLE(CONTENT("a", "<transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='a b' pwd='c'/>")),
        JINGLE(CONTENT("a", "<transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' pwd='ab'/>")),
        JINGLE(CONTENT("a", RTP("audio", "") "<transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' "
                                             "ufrag='ab'>" FINGERPRINT "</transport>")),
        JINGLE(CONTENT(
            "a",
            ICE("<fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256'>02:1A:CC:5</fingerprint>"))),
        JINGLE(CONTENT(
            "a", ICE("<fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha 256'>02:1A</fingerprint>"))),
        JINGLE(CONTENT("a", ICE("<fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-1' "
                                "setup='maybe'>02:1A</fingerprint>"))),
        JINGLE(CONTENT("a", ICE("<sctpmap xmlns='urn:xmpp:jingle:transports:dtls-sctp:1' number='70000'/>"))),
        JINGLE(CONTENT("a", ICE("<candidate component='0' foundation='1' ip='1.2.3.4' port='1' priority='1' "
                                "protocol='udp' type='host'/>"))),
        JINGLE(CONTENT("a", ICE("<candidate component='1' foundation='1&#10;' ip='1.2.3.4' port='1' "
                                "priority='1' protocol='udp' type='host'/>"))),
        JINGLE(CONTENT("a", ICE("<candidate component='1' foundation='1' ip='1.2.3.4 9 typ relay' port='1' "
                                "priority='1' protocol='udp' type='host'/>"))),
        JINGLE(CONTENT("a", ICE("<candidate component='1' foundation='1' ip='1.2.3.4' port='1' priority='1' "
                                "protocol='udp' type='srflx' rel-addr='x'/>"))),
        JINGLE(CONTENT("a", ICE("<candidate component='1' foundation='1' ip='1.2.3.4' port='1' priority='1' "
                                "protocol='tcp' tcptype='so&#10;a' type='host'/>"))),
        JINGLE(CONTENT("a", "<transport xmlns='urn:xmpp:jingle:transports:raw-udp:1'><candidate "
                            "component='1' ip='host.example' port='1'/></transport>")),
    };
    for (size_t i = 0; i < sizeof text / sizeof *text; i++)
        (void)refused(text[i], PL_EPROTO);
}

/* More than a description holds. */
PL_TEST(floods)
{
    pl_buf b = pl_buf_init(1 << 20);
    pl_buf_addf(&b, "<jingle xmlns='urn:xmpp:jingle:1'>");
    for (int i = 0; i < 100; i++)
        pl_buf_addf(&b, "<content name='c%d'/>", i);
    pl_buf_addf(&b, "</jingle>");
    PL_EQ(refused(pl_buf_z(&b), PL_ENOSPC).reason, PL_JINGLE_GENERAL_ERROR);
    pl_buf_clear(&b);
    b = pl_buf_init(1 << 20);
    pl_buf_addf(&b, "<jingle xmlns='urn:xmpp:jingle:1'><content name='c'><transport "
                    "xmlns='urn:xmpp:jingle:transports:ice-udp:1'>");
    for (int i = 0; i < 1000; i++)
        pl_buf_addf(&b,
                    "<candidate component='1' foundation='1' ip='1.2.3.4' port='%d' priority='1' "
                    "protocol='udp' type='host'/>",
                    i + 1);
    pl_buf_addf(&b, "</transport></content></jingle>");
    (void)refused(pl_buf_z(&b), PL_ENOSPC);
    pl_buf_clear(&b);
}

PL_TESTS(t(voice_of_0167), t(keys_by_other_ways_are_refused), t(a_browsers_call), t(what_stanza_leaves_out),
         t(other_transports), t(not_spoken_here), t(nothing_is_smuggled_in), t(floods))
