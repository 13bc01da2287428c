/* Descriptions of real peers, from SDP to Jingle and back: what both notations can say is kept. What Jingle cannot say is
 * written down here, in forget(), and nowhere else. */
#include <dirent.h>

#include "pl_test.h"

#include "desc/codec.h"
#include "jingle/parse.h"
#include "jingle/write.h"
#include "jingle_xml.h"
#include "sdp/files.h"
#include "sdp/sdp.h"

static pl_desc *load(const char *peer, const char *type)
{
    size_t len;
    char *text = sdp_file(peer, type, &len);
    pl_desc *d;
    PL_EQ(pl_sdp_parse(&d, text, len, NULL), PL_OK);
    free(text);
    return d;
}

static const char *without(pl_desc *d, const char *line, const char *word_and_value)
{
    char text[PL_DESC_TEXT_MAX], *at;
    snprintf(text, sizeof text, "%s", line);
    if (!(at = strstr(text, word_and_value)))
        return line;
    char *end = at + strlen(word_and_value);
    while (*end && *end != ' ')
        end++;
    memmove(at, end, strlen(end) + 1);
    return pl_desc_textz(d, text);
}

/* Jingle has no words for these of a candidate; its generation and network are numbers, of which 0 is the usual one. */
static void forget_in_candidates(pl_desc *d, pl_desc_media *m)
{
    for (size_t i = 0; i < m->candidates.n; i++) {
        const char *line = m->candidates.at[i];
        if (strstr(line, " generation 0"))
            line = without(d, line, " generation 0");
        if (strstr(line, " network-id 0"))
            line = without(d, line, " network-id 0");
        line = without(d, line, " ufrag ");
        line = without(d, line, " network-cost ");
        m->candidates.at[i] = line;
    }
}

/* Said of each section, or once of the session: the same. */
static void settle_mixed(pl_desc *d)
{
    bool all = true;
    for (size_t i = 0; i < d->media.n; i++)
        all = all && (d->media.at[i].extmap_allow_mixed || !pl_desc_is_rtp(&d->media.at[i]));
    d->extmap_allow_mixed = all;
    for (size_t i = 0; i < d->media.n; i++)
        d->media.at[i].extmap_allow_mixed = all || d->media.at[i].extmap_allow_mixed;
}

static void forget(pl_desc *d)
{
    settle_mixed(d);
    d->username = d->msid_semantic = NULL; /* o= names nobody in WebRTC; msid-semantic is history */
    d->session_id = d->session_version = 0;
    for (size_t i = 0; i < d->media.n; i++) {
        pl_desc_media *m = &d->media.at[i];
        m->address = NULL; /* where media went before ICE */
        m->port = 9;
        m->rtcp_port = 0;
        m->bundle_only = false; /* every content has a transport of its own */
        m->proto_text = NULL;
        if (m->proto == PL_DESC_OLD_DTLS_SCTP)
            m->proto = PL_DESC_UDP_DTLS_SCTP; /* one form of data channels */
        m->sctp_streams = 0;
        m->ice_options |= PL_ICE_OPT_TRICKLE;                      /* goes without saying */
        m->rids.n = m->simulcast_send.n = m->simulcast_recv.n = 0; /* no XEP for RFC 8851 and 8853 */
        forget_in_candidates(d, m);
    }
}

static void show(const char *what, const pl_desc *d)
{
    char *text = NULL;
    PL_EQ(pl_sdp_write(d, &text, NULL), PL_OK);
    print_error("%s:\n%s\n", what, text);
    free(text);
}

static pl_desc *through_jingle(const pl_desc *d, bool by_initiator, pl_jingle_transport via)
{
    pl_xml *jingle = pl_xml_new(PL_NS_JINGLE, "jingle");
    PL_EQ(pl_jingle_write(d, jingle, &(pl_jingle_write_conf){ .by_initiator = by_initiator, .via = via }),
          PL_OK);
    pl_xml *carried = xml_carried(jingle);
    pl_desc *back = NULL;
    pl_jingle_fault fault;
    if (pl_jingle_parse(&back, carried, &(pl_jingle_parse_conf){ .by_initiator = by_initiator }, &fault))
        print_error("%s\n", fault.text);
    PL_OKAY(back);
    pl_xml_free(jingle);
    pl_xml_free(carried);
    return back;
}

static pl_desc *through_sdp(const pl_desc *d)
{
    char *text;
    size_t len;
    pl_desc *back;
    PL_EQ(pl_sdp_write(d, &text, &len), PL_OK);
    PL_EQ(pl_sdp_parse(&back, text, len, NULL), PL_OK);
    free(text);
    return back;
}

static void round_trip(pl_desc *d, pl_jingle_transport via)
{
    forget(d);
    for (int by_initiator = 0; by_initiator < 2; by_initiator++) {
        pl_desc *back = through_jingle(d, by_initiator, via), *again = through_sdp(back);
        if (!pl_desc_eq(d, back)) {
            show("said", d);
            show("understood", back);
        }
        PL_OKAY(pl_desc_eq(d, back));
        PL_OKAY(pl_desc_eq(d, again));
        pl_desc_free(back);
        pl_desc_free(again);
    }
    pl_desc_free(d);
}

/* Every recorded description is in the table of peers. */
PL_TEST(no_file_is_left_out)
{
    size_t n = 0;
    DIR *dir = opendir(PL_TEST_DATA "/sdp");
    PL_OKAY(dir);
    for (const struct dirent *e; (e = readdir(dir));) {
        const char *dot = strrchr(e->d_name, '.');
        bool known = false;
        for (int p = 0; p < SDP_PEERS; p++) {
            size_t len = strlen(sdp_peer[p]);
            known = known || (strncmp(e->d_name, sdp_peer[p], len) == 0 &&
                              (strcmp(e->d_name + len, "-av-offer.sdp") == 0 ||
                               strcmp(e->d_name + len, "-av-answer.sdp") == 0));
        }
        if (dot && strcmp(dot, ".sdp") == 0) {
            PL_OKAY(known);
            n++;
        }
    }
    closedir(dir);
    PL_EQ(n, 2 * SDP_PEERS);
}

PL_TEST(real_descriptions)
{
    for (int p = 0; p < SDP_PEERS; p++) {
        for (int answer = 0; answer < 2; answer++) {
            round_trip(load(sdp_peer[p], answer ? "answer" : "offer"), PL_JINGLE_VIA_ICE_UDP);
            round_trip(load(sdp_peer[p], answer ? "answer" : "offer"), PL_JINGLE_VIA_ICE);
        }
    }
}

/* What none of the recorded ones says. */
PL_TEST(everything_else)
{
    static const char text[] =
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE a v d\r\na=group:LS a "
        "v\r\na=ice-lite\r\n"
        "m=audio 9 UDP/TLS/RTP/SAVPF 96 100 101 0\r\nc=IN IP4 0.0.0.0\r\nb=AS:64\r\nb=TIAS:60000\r\n"
        "a=candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host\r\n"
        "a=candidate:2 1 udp 1694498815 198.51.100.7 6000 typ srflx raddr 192.0.2.1 rport 5000\r\n"
        "a=candidate:3 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active generation 3\r\n"
        "a=candidate:4 1 tcp 1518214911 2001:db8::1 7000 typ host tcptype passive network-id 2\r\n"
        "a=candidate:5 2 udp 16777215 203.0.113.9 3478 typ relay raddr 0.0.0.0 rport 0\r\n"
        "a=candidate:6 1 udp 2130706431 0f3a-b.local 5001 typ host\r\na=end-of-candidates\r\n"
        "a=ice-ufrag:Yhus\r\na=ice-pwd:hWAyUVfU2fBt6TW2MWS3tJ7q\r\na=ice-options:trickle ice2 "
        "renomination\r\n"
        "a=fingerprint:sha-256 02:1A:CC:54\r\na=fingerprint:sha-1 AA:BB\r\na=setup:passive\r\na=mid:a\r\n"
        "a=extmap:1/recvonly urn:ietf:params:rtp-hdrext:ssrc-audio-level vad=on\r\n"
        "a=extmap:2/sendonly urn:example:one\r\na=extmap:3/inactive urn:example:two flag\r\na=recvonly\r\n"
        "a=rtcp-mux\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1;stereo=1\r\n"
        "a=rtpmap:100 red/48000/2\r\na=fmtp:100 96/96\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 "
        "0-16\r\n"
        "a=rtpmap:0 PCMU/8000\r\na=ptime:20\r\na=maxptime:60\r\n"
        "m=video 9 UDP/TLS/RTP/SAVPF 97 98\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:Yhus\r\n"
        "a=ice-pwd:hWAyUVfU2fBt6TW2MWS3tJ7q\r\na=ice-options:trickle\r\na=fingerprint:sha-256 02:1A:CC:54\r\n"
        "a=setup:passive\r\na=mid:v\r\na=extmap-allow-mixed\r\na=inactive\r\na=msid:s1 t1\r\na=msid:s2\r\n"
        "a=rtcp-mux\r\na=rtcp-rsize\r\na=rtpmap:97 VP8/90000\r\na=rtcp-fb:97 nack\r\na=rtcp-fb:97 nack "
        "pli\r\n"
        "a=rtcp-fb:97 ccm fir\r\na=rtcp-fb:97 ccm tmmbr\r\na=rtcp-fb:97 rrtr\r\na=rtpmap:98 rtx/90000\r\n"
        "a=fmtp:98 apt=97;rtx-time=3000\r\na=ssrc-group:FID 1 2\r\na=ssrc:1 cname:c\r\na=ssrc:1 msid:s1 "
        "t1\r\n"
        "a=ssrc:2 cname:c\r\na=ssrc:3\r\n"
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:Yhus\r\n"
        "a=ice-pwd:hWAyUVfU2fBt6TW2MWS3tJ7q\r\na=ice-options:trickle\r\na=fingerprint:sha-256 02:1A:CC:54\r\n"
        "a=setup:passive\r\na=mid:d\r\na=sctp-port:5001\r\na=max-message-size:0\r\n";
    pl_desc *d;
    pl_sdp_error error;
    if (pl_sdp_parse(&d, text, sizeof text - 1, &error))
        print_error("%s\n", error.text);
    PL_EQ(d->media.n, 3);
    round_trip(d, PL_JINGLE_VIA_ICE_UDP);
}

/* Sections that are not there are contents that are not there, also in the group. */
PL_TEST(rejected_sections_are_left_out)
{
    pl_desc *d = load("chromium", "answer");
    d->media.at[1].port = 0;
    pl_desc *back = through_jingle(d, false, PL_JINGLE_VIA_ICE_UDP);
    PL_EQ(back->media.n, 2);
    PL_STREQ(back->media.at[0].mid, d->media.at[0].mid);
    PL_STREQ(back->media.at[1].mid, d->media.at[2].mid);
    PL_EQ(back->groups.n, 1);
    PL_EQ(back->groups.at[0].mids.n, 2);
    pl_desc_free(back);
    pl_desc_free(d);
}

PL_TEST(trickled_candidates)
{
    pl_desc *d = load("chromium", "offer"), *part;
    pl_xml *jingle = pl_xml_new(PL_NS_JINGLE, "jingle");
    static const char *const line[] = { "candidate:7 1 udp 2130706431 192.0.2.7 5007 typ host",
                                        "candidate:8 1 udp 2130706430 192.0.2.8 5008 typ host", "nonsense" };
    pl_jingle_write_conf conf = { .by_initiator = true };
    PL_OKAY(pl_jingle_write_trickle(&d->media.at[0], line, 3, false, jingle, &conf));
    PL_OKAY(pl_jingle_write_trickle(&d->media.at[1], line, 1, true, jingle, &conf));
    PL_EQ(pl_xml_err(jingle), PL_OK);
    pl_xml *carried = xml_carried(jingle);
    PL_EQ(pl_jingle_parse(&part, carried, &(pl_jingle_parse_conf){ .by_initiator = true }, NULL), PL_OK);
    PL_EQ(part->media.n, 2);
    PL_EQ(part->media.at[0].kind, PL_DESC_OTHER);
    PL_STREQ(part->media.at[0].mid, "0");
    PL_STREQ(part->media.at[0].ufrag, "pehQ");
    PL_EQ(part->media.at[0].candidates.n, 2);
    PL_STREQ(part->media.at[0].candidates.at[0], line[0]);
    PL_STREQ(part->media.at[0].candidates.at[1], line[1]);
    PL_OKAY(!part->media.at[0].end_of_candidates && part->media.at[1].end_of_candidates);
    pl_desc_free(part);
    pl_desc_free(d);
    pl_xml_free(jingle);
    pl_xml_free(carried);
}

/* Whoever calls and whoever is called name the same sender from two sides. */
PL_TEST(senders_are_seen_from_both_sides)
{
    static const struct {
        uint8_t direction;
        const char *initiator, *responder;
    } row[] = { { PL_SENDRECV, "both", "both" },
                { PL_SENDONLY, "initiator", "responder" },
                { PL_RECVONLY, "responder", "initiator" },
                { PL_INACTIVE, "none", "none" } };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        for (int by_initiator = 0; by_initiator < 2; by_initiator++) {
            pl_desc *d = load("firefox", "offer");
            d->media.at[0].direction = row[i].direction;
            pl_xml *jingle = pl_xml_new(PL_NS_JINGLE, "jingle");
            PL_EQ(pl_jingle_write(d, jingle, &(pl_jingle_write_conf){ .by_initiator = by_initiator }), PL_OK);
            const char *senders = pl_xml_attr_of(pl_xml_child(jingle, PL_NS_JINGLE, "content"), "senders");
            PL_STREQ(senders ? senders : "both", by_initiator ? row[i].initiator : row[i].responder);
            pl_xml_free(jingle);
            pl_desc_free(d);
        }
    }
}

PL_TESTS(t(no_file_is_left_out), t(real_descriptions), t(everything_else), t(rejected_sections_are_left_out),
         t(trickled_candidates), t(senders_are_seen_from_both_sides))
