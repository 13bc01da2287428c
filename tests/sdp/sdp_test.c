/* Reading and writing SDP: the descriptions of real peers, every attribute, and hostile texts. */
#include "pl_test.h"

#include "base/rand.h"
#include "sdp/files.h"
#include "sdp/sdp.h"

static pl_desc *parse(const char *text)
{
    pl_desc *d;
    pl_sdp_error error;
    if (pl_sdp_parse(&d, text, strlen(text), &error)) {
        print_error("%s\n", error.text);
        abort();
    }
    return d;
}

/* Written and read again it is the same, and so is what is written then. */
static void check_round_trip(const pl_desc *d)
{
    char *text, *again;
    size_t len;
    pl_desc *back;
    pl_sdp_error error;
    PL_EQ(pl_sdp_write(d, &text, &len), PL_OK);
    PL_EQ(strlen(text), len);
    if (len > PL_SDP_TEXT_MAX) {
        free(text);
        return;
    }
    if (pl_sdp_parse(&back, text, len, &error))
        print_error("%s in\n%s\n", error.text, text);
    PL_OKAY(back);
    PL_OKAY(pl_desc_eq(d, back));
    PL_EQ(pl_sdp_write(back, &again, NULL), PL_OK);
    PL_STREQ(text, again);
    pl_desc_free(back);
    free(text);
    free(again);
}

static pl_desc *load(const char *peer, const char *type)
{
    size_t len;
    char *text = sdp_file(peer, type, &len);
    pl_desc *d = parse(text);
    free(text);
    return d;
}

PL_TEST(real_descriptions_read_and_write)
{
    for (int i = 0; i < SDP_PEERS * 2; i++) {
        pl_desc *d = load(sdp_peer[i / 2], i % 2 ? "answer" : "offer"), *copy;
        PL_EQ(d->media.n, 3);
        PL_OKAY(pl_desc_is_rtp(&d->media.at[0]) && d->media.at[0].kind == PL_DESC_AUDIO);
        PL_OKAY(pl_desc_is_rtp(&d->media.at[1]) && d->media.at[1].kind == PL_DESC_VIDEO);
        PL_OKAY(pl_desc_is_data(&d->media.at[2]));
        for (int m = 0; m < 3; m++) {
            PL_OKAY(d->media.at[m].ufrag && d->media.at[m].pwd && d->media.at[m].mid);
            PL_EQ(d->media.at[m].fingerprints.n, 1);
            PL_STREQ(d->media.at[m].fingerprints.at[0].hash, "sha-256");
            PL_EQ(strlen(d->media.at[m].fingerprints.at[0].value), 95);
            PL_EQ(d->media.at[m].setup, i % 2 ? PL_DESC_SETUP_ACTIVE : PL_DESC_SETUP_ACTPASS);
            PL_OKAY(!pl_desc_rejected(&d->media.at[m]));
        }
        PL_EQ(d->media.at[2].sctp_port, 5000);
        PL_EQ(d->groups.n, 1);
        PL_EQ(d->groups.at[0].mids.n, 3);
        check_round_trip(d);
        PL_EQ(pl_desc_copy(&copy, d), PL_OK);
        PL_OKAY(pl_desc_eq(d, copy));
        PL_LE(pl_desc_bytes(copy), 8 * 1024);
        check_round_trip(copy);
        pl_desc_free(d);
        pl_desc_free(copy);
    }
}

PL_TEST(chromium_offer_in_detail)
{
    pl_desc *d = load("chromium", "offer");
    const pl_desc_media *a = &d->media.at[0], *v = &d->media.at[1], *data = &d->media.at[2];
    PL_OKAY(d->session_id == 5343295838140240294u && d->session_version == 2);
    PL_OKAY(d->extmap_allow_mixed && v->extmap_allow_mixed);
    PL_EQ(a->codecs.n, 8);
    PL_STREQ(a->codecs.at[0].name, "opus");
    PL_EQ(a->codecs.at[0].channels, 2);
    PL_EQ(a->codecs.at[0].feedback, PL_FB_TRANSPORT_CC);
    PL_STREQ(a->codecs.at[1].fmtp, "111/111");
    PL_EQ(a->ssrcs.n, 1);
    PL_EQ(a->ssrcs.at[0].ssrc, 952594132);
    PL_STREQ(a->ssrcs.at[0].cname, "sSKdcpvGVMwcSrxq");
    PL_EQ(v->codecs.n, 23);
    PL_EQ(v->codecs.at[1].apt, 96);
    PL_OKAY(!v->codecs.at[1].fmtp);
    PL_EQ(v->codecs.at[0].feedback,
          PL_FB_GOOG_REMB | PL_FB_TRANSPORT_CC | PL_FB_CCM_FIR | PL_FB_NACK | PL_FB_NACK_PLI);
    PL_EQ(pl_desc_rtx_ssrc(v, 1769093284), 3643695439);
    PL_EQ(v->exts.n, 11);
    PL_EQ(pl_desc_ext_of_uri(v, "urn:3gpp:video-orientation")->id, 13);
    PL_STREQ(v->msids.at[0].track, "0367c6b7-f057-412e-ae2c-3fe8879b683e");
    PL_EQ(pl_desc_message_size(data), 262144);
    PL_EQ(data->ice_options, PL_ICE_OPT_TRICKLE);
    pl_desc_free(d);
}

PL_TEST(old_and_odd_forms)
{
    pl_desc *d = load("aiortc", "offer"); /* DTLS/SCTP with sctpmap, candidates in every section */
    PL_EQ(d->media.at[2].proto, PL_DESC_OLD_DTLS_SCTP);
    PL_EQ(d->media.at[2].sctp_streams, 65535);
    PL_EQ(d->media.at[0].candidates.n, 1);
    PL_OKAY(d->media.at[0].end_of_candidates);
    PL_EQ(strncmp(d->media.at[0].candidates.at[0], "candidate:41c49a", 16), 0);
    PL_STREQ(d->media.at[0].address, "10.77.0.1");
    pl_desc_free(d);
    d = load("firefox", "offer"); /* fmtp before rtpmap, session-level fingerprint, G722/8000/1, /recvonly */
    PL_STREQ(d->media.at[0].codecs.at[0].fmtp, "maxplaybackrate=48000;stereo=1;useinbandfec=1");
    PL_EQ(d->media.at[0].codecs.at[1].channels, 1);
    PL_EQ(d->media.at[0].exts.at[1].direction, PL_RECVONLY);
    PL_EQ(pl_desc_message_size(&d->media.at[2]), 1073741823);
    pl_desc_free(d);
    d = load("gstreamer", "offer"); /* bundle-only with port 0, msid on the SSRC, no max-message-size */
    PL_OKAY(d->media.at[1].bundle_only && d->media.at[1].port == 0 && !pl_desc_rejected(&d->media.at[1]));
    PL_STREQ(d->media.at[1].ssrcs.at[0].track, "webrtctransceiver1");
    PL_EQ(pl_desc_message_size(&d->media.at[2]), PL_DESC_DEFAULT_MESSAGE_SIZE);
    pl_desc_free(d);
}

static const char everything[] = "v=0\n"
                                 "o=alice 12 34 IN IP6 ::1\n"
                                 "s=a talk\n"
                                 "i=about\n"
                                 "c=IN IP6 2001:db8::1\n"
                                 "t=0 0\n"
                                 "a=group:BUNDLE a v\n"
                                 "a=group:LS a v\n"
                                 "a=ice-lite\n"
                                 "a=ice-ufrag:sess\n"
                                 "a=ice-pwd:0123456789012345678901\n"
                                 "a=ice-options:trickle ice2 unheard-of\n"
                                 "a=fingerprint:SHA-256 ab:cd\n"
                                 "a=fingerprint:sha-512 01:02:03\n"
                                 "a=setup:passive\n"
                                 "a=recvonly\n"
                                 "a=extmap:9 urn:session\n"
                                 "m=audio 7000/2 UDP/TLS/RTP/SAVPF 0 8 96 97 98 5\n"
                                 "b=AS:64\n"
                                 "b=TIAS:64000\n"
                                 "a=mid:a\n"
                                 "a=rtcp-mux\n"
                                 "a=rtcp:7001 IN IP4 10.0.0.1\n"
                                 "a=rtpmap:96 opus/48000/2\n"
                                 "a=fmtp:96 stereo=1\n"
                                 "a=fmtp:96 useinbandfec=1\n"
                                 "a=rtpmap:97 rtx/48000\n"
                                 "a=fmtp:97 rtx-time=3000; apt=96\n"
                                 "a=rtpmap:98 rtx/48000\n"
                                 "a=rtcp-fb:* nack\n"
                                 "a=rtcp-fb:96  transport-cc \n"
                                 "a=rtcp-fb:96 something new\n"
                                 "a=rtcp-fb:42 nack\n"
                                 "a=ptime:20\n"
                                 "a=maxptime:60\n"
                                 "a=unheard-of:5\n"
                                 "m=video 0 UDP/TLS/RTP/SAVPF 100\n"
                                 "a=bundle-only\n"
                                 "a=mid:v\n"
                                 "a=sendonly\n"
                                 "a=ice-ufrag:mine\n"
                                 "a=ice-pwd:media-level-media-level-1\n"
                                 "a=rtpmap:100 H264/90000\n"
                                 "a=extmap-allow-mixed\n"
                                 "a=extmap:20/sendonly urn:x attr 1\n"
                                 "a=rid:hi send pt=100;max-width=1280\n"
                                 "a=rid:lo send\n"
                                 "a=rid:in recv\n"
                                 "a=simulcast:send hi,~lo;lo recv in\n"
                                 "a=msid:s1 t1\n"
                                 "a=msid:- t1\n"
                                 "a=ssrc:4294967295 cname:a b\n"
                                 "a=ssrc:7\n"
                                 "a=ssrc-group:FID 4294967295 7\n"
                                 "m=text 5 RTP/AVP 99 98\n"
                                 "m=application 9 UDP/BFCP *\n"
                                 "a=mid:b\n"
                                 "\n";

PL_TEST(every_attribute)
{
    pl_desc *d = parse(everything);
    PL_EQ(d->media.n, 4);
    const pl_desc_media *a = &d->media.at[0], *v = &d->media.at[1];
    PL_STREQ(d->username, "alice");
    PL_OKAY(d->ice_lite && !d->extmap_allow_mixed && v->extmap_allow_mixed && !a->extmap_allow_mixed);
    PL_EQ(d->groups.n, 2);
    PL_STREQ(a->address, "2001:db8::1");
    PL_STREQ(a->ufrag, "sess");
    PL_STREQ(v->ufrag, "mine");
    PL_EQ(a->ice_options, PL_ICE_OPT_TRICKLE | PL_ICE_OPT_ICE2);
    PL_EQ(a->fingerprints.n, 2);
    PL_STREQ(a->fingerprints.at[0].hash, "sha-256");
    PL_STREQ(a->fingerprints.at[0].value, "AB:CD");
    PL_EQ(a->setup, PL_DESC_SETUP_PASSIVE);
    PL_EQ(a->direction, PL_RECVONLY);
    PL_EQ(v->direction, PL_SENDONLY);
    PL_EQ(a->port, 7000);
    PL_EQ(a->rtcp_port, 7001);
    PL_EQ(a->bandwidth_as_kbps, 64);
    PL_EQ(a->bandwidth_tias_bps, 64000);
    PL_EQ(a->codecs.n, 4); /* 5 has no name, and 98 repeats nothing */
    PL_STREQ(a->codecs.at[0].name, "PCMU");
    PL_EQ(a->codecs.at[0].feedback, PL_FB_NACK);
    PL_STREQ(a->codecs.at[2].fmtp, "stereo=1;useinbandfec=1");
    PL_EQ(a->codecs.at[2].feedback, PL_FB_NACK | PL_FB_TRANSPORT_CC);
    PL_EQ(a->codecs.at[3].apt, 96);
    PL_STREQ(a->codecs.at[3].fmtp, "rtx-time=3000");
    PL_EQ(a->ptime_ms, 20);
    PL_EQ(a->maxptime_ms, 60);
    PL_EQ(a->exts.n, 1);
    PL_EQ(v->exts.n, 2);
    PL_STREQ(v->exts.at[0].attributes, "attr 1");
    PL_EQ(v->rids.n, 3);
    PL_OKAY(v->rids.at[0].send && !v->rids.at[2].send);
    PL_STREQ(v->rids.at[0].params, "pt=100;max-width=1280");
    PL_EQ(v->simulcast_send.n, 3);
    PL_OKAY(v->simulcast_send.at[1].paused && v->simulcast_send.at[1].alternative);
    PL_OKAY(!v->simulcast_send.at[2].alternative);
    PL_EQ(v->simulcast_recv.n, 1);
    PL_EQ(v->msids.n, 2);
    PL_STREQ(v->ssrcs.at[0].cname, "a b");
    PL_EQ(d->media.at[2].kind, PL_DESC_OTHER);
    PL_STREQ(d->media.at[2].formats, "99 98");
    PL_EQ(d->media.at[3].proto, PL_DESC_PROTO_OTHER);
    PL_OKAY(!pl_desc_is_data(&d->media.at[3]));
    check_round_trip(d);
    pl_desc_free(d);
}

PL_TEST(errors_name_the_line)
{
    static const struct {
        const char *text;
        int line;
    } bad[] = {
        { "", 0 },
        { "hello", 1 },
        { "v=1\n", 1 },
        { "o=- 1 1 IN IP4 0\n", 1 },
        { "v=0\n=x\n", 2 },
        { "v=0\nm=audio\n", 2 },
        { "v=0\nm=audio x UDP/TLS/RTP/SAVPF 0\n", 2 },
        { "v=0\nm=audio 9 UDP/TLS/RTP/SAVPF\n", 2 },
        { "v=0\nm=audio 9 UDP/TLS/RTP/SAVPF 128\n", 2 },
        { "v=0\nm=audio 9 UDP/TLS/RTP/SAVPF 0\na=rtpmap:0 PCMU\n", 3 },
        { "v=0\r\na=fingerprint:sha-256 0:1\r\n", 2 },
        { "v=0\na=fingerprint:sha-256\n", 2 },
        { "v=0\na=setup:maybe\n", 2 },
        { "v=0\na=ice-ufrag:\n", 2 },
        { "v=0\na=ice-pwd:two words\n", 2 },
        { "v=0\nm=audio 9 UDP/TLS/RTP/SAVPF 0\na=ssrc:99999999999 cname:x\n", 3 },
        { "v=0\nm=audio 9 UDP/TLS/RTP/SAVPF 0\na=extmap:x urn:y\n", 3 },
        { "v=0\nm=audio 9 UDP/TLS/RTP/SAVPF 0\na=rid:1 both\n", 3 },
        { "v=0\nm=audio 9 UDP/TLS/RTP/SAVPF 0\na=simulcast:send ;\n", 3 },
        { "v=0\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\na=sctp-port:0\n", 3 },
        { "v=0\ns=\001\n", 2 },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        pl_desc *d;
        pl_sdp_error error;
        PL_EQ(pl_sdp_parse(&d, bad[i].text, strlen(bad[i].text), &error), PL_EPROTO);
        PL_OKAY(!d && error.text[0]);
        PL_EQ(error.line, bad[i].line);
        PL_EQ(pl_sdp_parse(&d, bad[i].text, strlen(bad[i].text), NULL), PL_EPROTO);
    }
    pl_desc *d;
    PL_EQ(pl_sdp_parse(&d, "v=0\0\n", 5, NULL), PL_EPROTO);
}

/* Anything may come: it is refused or it is a description that survives being written. */
static void feed(const char *text, size_t len)
{
    pl_desc *d;
    pl_sdp_error error;
    char *exact = malloc(len ? len : 1); /* so that a read behind the end is seen */
    memcpy(exact, text, len);
    pl_err err = pl_sdp_parse(&d, exact, len, &error);
    free(exact);
    PL_OKAY(err == PL_OK || err == PL_EPROTO || err == PL_ENOSPC);
    PL_EQ(d != NULL, err == PL_OK);
    PL_EQ(error.text[0] != 0, err != PL_OK);
    if (d)
        check_round_trip(d);
    pl_desc_free(d);
}

PL_TEST(every_truncation)
{
    for (int i = 0; i < SDP_PEERS * 2; i++) {
        size_t len;
        char *text = sdp_file(sdp_peer[i / 2], i % 2 ? "answer" : "offer", &len);
        for (size_t cut = 0; cut<len; cut += len> 4000 ? 7 : 1)
            feed(text, cut);
        free(text);
    }
    for (size_t cut = 0; cut < sizeof everything; cut++)
        feed(everything, cut);
}

PL_TEST(random_mutations)
{
    pl_rand_seeded state;
    uint64_t seed = pl_test_seed(1);
    print_message("PL_SEED=%llu\n", (unsigned long long)seed);
    pl_rand rand = pl_rand_seed(&state, seed);
    for (int round = 0; round < 2500; round++) {
        size_t len;
        char *text = sdp_file(sdp_peer[round % SDP_PEERS], round % 12 < 6 ? "offer" : "answer", &len);
        for (uint32_t n = 1 + pl_rand_below(&rand, 8); n > 0; n--) {
            size_t at = pl_rand_below(&rand, (uint32_t)len), to = pl_rand_below(&rand, (uint32_t)len);
            static const char marks[] = " :/=;,-~*\r\n09";
            switch (pl_rand_below(&rand, 4)) {
            case 0: text[at] = (char)pl_rand_u32(&rand); break;
            case 1: text[at] = marks[pl_rand_below(&rand, sizeof marks - 1)]; break;
            case 2: memmove(text + at, text + to, len - (at > to ? at : to)); break;
            default: memset(text + at, '9', len - at > 12 ? 12 : len - at); break;
            }
        }
        feed(text, len);
        free(text);
    }
}

/* n repetitions of a line with a running number, behind a head. */
static char *flood(const char *head, const char *line, int n, size_t *len)
{
    pl_buf b = pl_buf_init(64 << 20);
    pl_buf_addf(&b, "%s", head);
    for (int i = 0; i < n; i++) {
        pl_buf_addf(&b, "%s", line);
        pl_buf_addf(&b, "%d\n", i);
    }
    *len = b.n;
    return pl_buf_take(&b);
}

PL_TEST(huge_counts_are_refused)
{
    static const char head[] = "v=0\nm=audio 9 UDP/TLS/RTP/SAVPF 0\n";
    static const char *const line[] = {
        "a=ssrc:",           "a=candidate:",        "a=extmap:1 urn:",
        "a=msid:",           "a=ssrc-group:FID ",   "a=rid:x send ",
        "a=group:BUNDLE x ", "a=fmtp:0 something=", "m=audio 9 UDP/TLS/RTP/SAVPF 0 1"
    };
    for (size_t i = 0; i < sizeof line / sizeof *line; i++) {
        pl_desc *d;
        size_t len;
        char *text = flood(i == 6 ? "v=0\n" : head, line[i], 5000, &len);
        pl_err err = pl_sdp_parse(&d, text, len, NULL);
        PL_OKAY(!d);
        PL_OKAY(err == PL_ENOSPC || (i == 8 && err == PL_EPROTO));
        free(text);
    }
    size_t len;
    pl_desc *d;
    char *text = flood("v=0\n", "x=", 200000, &len);
    PL_GE(len, PL_SDP_TEXT_MAX);
    PL_EQ(pl_sdp_parse(&d, text, len, NULL), PL_ENOSPC);
    free(text);
    text = malloc(PL_SDP_LINE_MAX + 100);
    memset(text, 'x', PL_SDP_LINE_MAX + 100);
    memcpy(text, "v=0\ns=", 6);
    PL_EQ(pl_sdp_parse(&d, text, PL_SDP_LINE_MAX + 100, NULL), PL_ENOSPC);
    free(text);
}

PL_TEST(trickled_candidates)
{
    static const struct {
        const char *in, *out;
        pl_err err;
    } row[] = {
        { "candidate:1 1 udp 2 1.2.3.4 5 typ host", "candidate:1 1 udp 2 1.2.3.4 5 typ host", PL_OK },
        { "a=candidate:1 1 udp 2 1.2.3.4 5 typ host\r\n", "candidate:1 1 udp 2 1.2.3.4 5 typ host", PL_OK },
        { "", "", PL_OK },
        { "a=end-of-candidates", "", PL_OK },
        { "candidate:", "", PL_OK },
        { "nonsense", "", PL_EPROTO },
        { "candidate:1\n2", "", PL_EPROTO },
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        pl_str out;
        bool end;
        PL_EQ(pl_sdp_candidate_line(pl_str_of(row[i].in), &out, &end), row[i].err);
        PL_OKAY(pl_str_is(out, row[i].out));
        PL_EQ(end, row[i].err == PL_OK && !row[i].out[0]);
    }
    pl_desc *d = load("gstreamer", "offer");
    PL_EQ(pl_sdp_section(d, "video1", -1), 1);
    PL_EQ(pl_sdp_section(d, NULL, 2), 2);
    PL_EQ(pl_sdp_section(d, "video1", 0), 1);
    PL_EQ(pl_sdp_section(d, "none", 0), -1);
    PL_EQ(pl_sdp_section(d, NULL, 3), -1);
    PL_EQ(pl_sdp_section(d, NULL, -1), -1);
    pl_desc_free(d);
}

PL_TESTS(t(real_descriptions_read_and_write), t(chromium_offer_in_detail), t(old_and_odd_forms),
         t(every_attribute), t(errors_name_the_line), t(every_truncation), t(random_mutations),
         t(huge_counts_are_refused), t(trickled_candidates))
