/* Our engine against the descriptions of real peers: each offer is answered, each answer is accepted. */
#include "pl_test.h"

#include "desc/jsep_peer.h"
#include "sdp/files.h"
#include "sdp/sdp.h"

static pl_desc *load(const char *peer, const char *type)
{
    size_t len;
    char *text = sdp_file(peer, type, &len);
    pl_desc *d;
    pl_sdp_error error;
    if (pl_sdp_parse(&d, text, len, &error))
        print_error("%s\n", error.text);
    free(text);
    PL_OKAY(d);
    return d;
}

static pl_jsep *engine(pl_rand_seeded *state, pl_dtls_setup setup)
{
    pl_jsep *j;
    pl_jsep_conf conf = peer_conf(pl_rand_seed(state, 7));
    conf.setup = setup;
    PL_EQ(pl_jsep_new(&j, &conf), PL_OK);
    return j;
}

static void okay(pl_jsep *j, pl_err err)
{
    if (err)
        print_error("%s: %s\n", pl_err_str(err), pl_jsep_error(j));
    PL_EQ(err, PL_OK);
    pl_jsep_check(j);
}

/* Every codec of an answer stands in the offer under the same payload type. */
static void check_codecs(const pl_desc_media *offer, const pl_desc_media *answer)
{
    for (size_t i = 0; i < answer->codecs.n; i++) {
        const pl_desc_codec *a = &answer->codecs.at[i], *o = pl_desc_codec_of_pt(offer, a->pt);
        PL_OKAY(o && pl_desc_codec_same(offer, o, answer, a));
        PL_EQ(a->feedback & ~o->feedback, 0);
        PL_OKAY(a->apt < 0 || pl_desc_codec_of_pt(answer, a->apt));
    }
    for (size_t i = 0; i < answer->exts.n; i++) {
        const pl_desc_ext *o = pl_desc_ext_of_uri(offer, answer->exts.at[i].uri);
        PL_OKAY(o && o->id == answer->exts.at[i].id);
    }
}

static void check_text(const pl_desc *d)
{
    char *text;
    size_t len;
    pl_desc *back;
    PL_EQ(pl_sdp_write(d, &text, &len), PL_OK);
    PL_EQ(pl_sdp_parse(&back, text, len, NULL), PL_OK);
    if (!pl_desc_eq(d, back)) {
        char *again;
        PL_EQ(pl_sdp_write(back, &again, NULL), PL_OK);
        print_error("%s\nis read as\n%s\n", text, again);
        free(again);
    }
    PL_OKAY(pl_desc_eq(d, back));
    pl_desc_free(back);
    free(text);
}

PL_TEST(offers_are_answered)
{
    for (int p = 0; p < SDP_PEERS; p++) {
        pl_rand_seeded state;
        pl_jsep *j = engine(&state, PL_SETUP_ACTPASS);
        pl_jsep_transceiver *audio, *video;
        pl_desc *offer = load(sdp_peer[p], "offer");
        const pl_desc *answer;
        PL_EQ(pl_jsep_add_track(j, PL_AUDIO, NULL, &audio), PL_OK);
        PL_EQ(pl_jsep_add_track(j, PL_VIDEO, NULL, &video), PL_OK);
        okay(j, pl_jsep_set_remote(j, PL_SDP_OFFER, offer));
        PL_EQ(pl_jsep_n_transceivers(j), 2);
        PL_EQ(peer_drain(j, PL_JSEP_TRACK), 2);
        okay(j, pl_jsep_create_answer(j, &answer));
        PL_EQ(answer->media.n, 3);
        PL_EQ(answer->groups.n, 1);
        for (int i = 0; i < 3; i++) {
            const pl_desc_media *m = &answer->media.at[i], *o = &offer->media.at[i];
            PL_OKAY(!pl_desc_rejected(m));
            PL_STREQ(m->mid, o->mid);
            PL_STREQ(answer->groups.at[0].mids.at[i], o->mid);
            PL_EQ(m->setup, PL_DESC_SETUP_ACTIVE);
            PL_STREQ(pl_desc_proto_str(m), pl_desc_proto_str(o));
            PL_OKAY(m->ufrag && m->pwd && m->fingerprints.n == 1);
            PL_EQ(m->direction, PL_SENDRECV);
            check_codecs(o, m);
        }
        PL_STREQ(answer->media.at[0].codecs.at[0].name, "opus");
        PL_EQ(answer->media.at[0].codecs.at[0].pt, offer->media.at[0].codecs.at[0].pt);
        PL_STREQ(answer->media.at[1].codecs.at[0].name, "VP8");
        PL_STREQ(answer->media.at[1].codecs.at[1].name, "rtx");
        PL_EQ(answer->media.at[1].codecs.n, 2);
        PL_EQ(answer->media.at[1].ssrc_groups.n, 1);
        PL_EQ(answer->media.at[2].sctp_port, 5000);
        check_text(answer);
        okay(j, pl_jsep_set_local_implicit(j));
        PL_EQ(pl_jsep_state(j), PL_SIGNALING_STABLE);
        PL_OKAY(!pl_jsep_negotiation_needed(j));
        pl_jsep_media m;
        PL_OKAY(pl_jsep_negotiated(j, video, &m));
        PL_OKAY(m.send && m.receive && m.n_send == 1 && m.send_codec[0].rtx_pt >= 0);
        PL_EQ(m.send_codec[0].pt, offer->media.at[1].codecs.at[0].pt);
        PL_EQ(m.ssrc, answer ? pl_jsep_current_local(j)->media.at[1].ssrcs.at[0].ssrc : 0);
        pl_desc_free(offer);
        pl_jsep_free(j);
    }
}

PL_TEST(events_of_an_answered_offer)
{
    pl_rand_seeded state;
    pl_jsep *j = engine(&state, PL_SETUP_PASSIVE);
    pl_desc *offer = load("aiortc", "offer");
    okay(j, pl_jsep_set_remote(j, PL_SDP_OFFER, offer));
    okay(j, pl_jsep_set_local_implicit(j));
    static const pl_jsep_event_kind expected[] = {
        PL_JSEP_GATHER, /* no STATE: stable, have-remote-offer, stable again is no difference */
        PL_JSEP_TRANSPORT,   PL_JSEP_DATA,  PL_JSEP_TRANSCEIVER, PL_JSEP_TRACK,
        PL_JSEP_TRANSCEIVER, PL_JSEP_TRACK, PL_JSEP_CANDIDATE,   PL_JSEP_CANDIDATE,
    };
    pl_jsep_event e;
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        PL_OKAY(pl_jsep_poll_event(j, &e));
        PL_EQ(e.kind, expected[i]);
        if (e.kind == PL_JSEP_TRANSPORT) {
            PL_STREQ(e.u.transport.ufrag, "PYvX");
            PL_OKAY(!e.u.transport.controlling && !e.u.transport.trickle && !e.u.transport.ice_restart);
            PL_EQ(e.u.transport.role, PL_DESC_ROLE_SERVER);
            PL_EQ(e.u.transport.n_fingerprints, 1);
        } else if (e.kind == PL_JSEP_DATA) {
            PL_OKAY(e.u.data.accepted && e.u.data.remote_port == 5000 && e.u.data.max_message_size == 65536);
        }
    }
    PL_OKAY(e.kind == PL_JSEP_CANDIDATE &&
            !e.u.candidate.text); /* one, and the end; not the other sections' */
    PL_OKAY(!pl_jsep_poll_event(j, &e));
    pl_jsep_media m;
    PL_OKAY(pl_jsep_negotiated(j, pl_jsep_transceiver_at(j, 0), &m));
    PL_OKAY(!m.send && m.receive);
    PL_EQ(m.recv_ext[PL_DESC_EXT_MID], 1);
    PL_EQ(m.recv_ext[PL_DESC_EXT_AUDIO_LEVEL], 2);
    PL_EQ(m.recv_ext[PL_DESC_EXT_TRANSPORT_CC], 0);
    pl_desc_free(offer);
    pl_jsep_free(j);
}

PL_TEST(streams_of_each_peer)
{
    static const char *const stream[SDP_PEERS] = { "4619f1b1-9e5d-4db3-a7e3-abb0763b28ab",
                                                   "d5a561f5-2d65-48eb-8033-cef2450688df",
                                                   "{18d18670-b69d-4868-8348-4c0a7fda8373}",
                                                   "user3640987852@host-48fa0cc6",
                                                   "interop",
                                                   NULL };
    for (int p = 0; p < SDP_PEERS; p++) {
        pl_rand_seeded state;
        pl_jsep *j = engine(&state, PL_SETUP_ACTPASS);
        pl_desc *offer = load(sdp_peer[p], "offer");
        const char *id[4], *track;
        okay(j, pl_jsep_set_remote(j, PL_SDP_OFFER, offer));
        size_t n = pl_jsep_remote_streams(j, pl_jsep_transceiver_at(j, 0), id, 4, &track);
        PL_EQ(n, stream[p] ? 1 : 0);
        PL_OKAY(track);
        if (n)
            PL_STREQ(id[0], stream[p]);
        pl_desc_free(offer);
        pl_jsep_free(j);
    }
}

/* The same offer without a BUNDLE group: what GStreamer writes with bundle-policy none. */
PL_TEST(without_bundle_only_the_first_section_is_taken)
{
    pl_rand_seeded state;
    pl_jsep *j = engine(&state, PL_SETUP_ACTPASS);
    pl_desc *offer = load("chromium", "offer");
    const pl_desc *answer;
    offer->groups.n = 0;
    okay(j, pl_jsep_set_remote(j, PL_SDP_OFFER, offer));
    okay(j, pl_jsep_create_answer(j, &answer));
    PL_OKAY(!pl_desc_rejected(&answer->media.at[0]));
    PL_OKAY(pl_desc_rejected(&answer->media.at[1]) && pl_desc_rejected(&answer->media.at[2]));
    PL_EQ(answer->groups.n, 0);
    check_text(answer);
    okay(j, pl_jsep_set_local(j, PL_SDP_ANSWER, answer));
    PL_EQ(pl_jsep_n_transceivers(j), 1);
    pl_desc_free(offer);
    pl_jsep_free(j);
}

PL_TEST(setup_of_the_answer_follows_the_offer)
{
    static const struct {
        pl_desc_setup offer;
        pl_dtls_setup conf;
        pl_desc_setup answer;
        pl_desc_role role;
    } row[] = {
        { PL_DESC_SETUP_ACTPASS, PL_SETUP_ACTPASS, PL_DESC_SETUP_ACTIVE, PL_DESC_ROLE_CLIENT },
        { PL_DESC_SETUP_ACTPASS, PL_SETUP_ACTIVE, PL_DESC_SETUP_ACTIVE, PL_DESC_ROLE_CLIENT },
        { PL_DESC_SETUP_ACTPASS, PL_SETUP_PASSIVE, PL_DESC_SETUP_PASSIVE, PL_DESC_ROLE_SERVER },
        { PL_DESC_SETUP_ACTIVE, PL_SETUP_ACTIVE, PL_DESC_SETUP_PASSIVE, PL_DESC_ROLE_SERVER },
        { PL_DESC_SETUP_PASSIVE, PL_SETUP_PASSIVE, PL_DESC_SETUP_ACTIVE, PL_DESC_ROLE_CLIENT },
        { PL_DESC_SETUP_NONE, PL_SETUP_ACTPASS, PL_DESC_SETUP_ACTIVE, PL_DESC_ROLE_CLIENT },
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        pl_rand_seeded state;
        pl_jsep *j = engine(&state, row[i].conf);
        pl_desc *offer = load("firefox", "offer");
        for (int m = 0; m < 3; m++)
            offer->media.at[m].setup = (uint8_t)row[i].offer;
        okay(j, pl_jsep_set_remote(j, PL_SDP_OFFER, offer));
        okay(j, pl_jsep_set_local_implicit(j));
        PL_EQ(pl_jsep_current_local(j)->media.at[0].setup, row[i].answer);
        for (pl_jsep_event e; pl_jsep_poll_event(j, &e);)
            PL_OKAY(e.kind != PL_JSEP_TRANSPORT || e.u.transport.role == row[i].role);
        pl_desc_free(offer);
        pl_jsep_free(j);
    }
}

/* An answer of a real peer, fitted to the payload types, ids and mids of our offer as if it had seen it. */
static void fit(pl_desc *answer, const pl_desc *offer)
{
    for (int i = 0; i < answer->media.n; i++) {
        pl_desc_media *a = &answer->media.at[i];
        const pl_desc_media *o = &offer->media.at[i];
        answer->groups.at[0].mids.at[i] = o->mid;
        a->mid = o->mid;
        size_t kept = 0;
        for (size_t k = 0; k < a->codecs.n; k++) {
            const pl_desc_codec *same = pl_desc_codec_find(o, a, &a->codecs.at[k]);
            if (!same)
                continue;
            a->codecs.at[kept] = a->codecs.at[k];
            a->codecs.at[kept].apt = same->apt;
            a->codecs.at[kept++].pt = same->pt;
        }
        a->codecs.n = (uint16_t)kept;
        for (size_t k = 0; k < a->exts.n; k++) {
            const pl_desc_ext *same = pl_desc_ext_of_uri(o, a->exts.at[k].uri);
            a->exts.at[k].id = same ? same->id : (uint16_t)(200 + k);
        }
    }
}

PL_TEST(answers_are_accepted)
{
    for (int p = 0; p < SDP_PEERS; p++) {
        pl_rand_seeded state;
        pl_jsep *j = engine(&state, PL_SETUP_ACTPASS);
        pl_jsep_transceiver *audio, *video;
        PL_EQ(pl_jsep_add_transceiver(j, PL_AUDIO, PL_SENDRECV, NULL, &audio), PL_OK);
        PL_EQ(pl_jsep_add_transceiver(j, PL_VIDEO, PL_SENDRECV, NULL, &video), PL_OK);
        pl_jsep_want_data(j);
        PL_OKAY(pl_jsep_negotiation_needed(j));
        okay(j, pl_jsep_set_local_implicit(j));
        check_text(pl_jsep_pending_local(j));
        PL_EQ(peer_drain(j, PL_JSEP_GATHER), 1);
        pl_desc *answer = load(sdp_peer[p], "answer");
        fit(answer, pl_jsep_pending_local(j));
        okay(j, pl_jsep_set_remote(j, PL_SDP_ANSWER, answer));
        PL_OKAY(!pl_jsep_negotiation_needed(j));
        pl_jsep_event e;
        int transport = 0, data = 0, track = 0;
        while (pl_jsep_poll_event(j, &e)) {
            if (e.kind == PL_JSEP_TRANSPORT) {
                PL_STREQ(e.u.transport.ufrag, answer->media.at[0].ufrag);
                PL_EQ(e.u.transport.role, PL_DESC_ROLE_SERVER);
                PL_OKAY(e.u.transport.controlling);
                transport++;
            }
            data += e.kind == PL_JSEP_DATA && e.u.data.accepted;
            track += e.kind == PL_JSEP_TRACK;
        }
        PL_EQ(transport, 1);
        PL_EQ(data, 1);
        PL_EQ(track, 2);
        PL_EQ(video->current, PL_SENDRECV);
        pl_jsep_media m;
        PL_OKAY(pl_jsep_negotiated(j, video, &m));
        PL_EQ(m.send_codec[0].pt, 96);
        PL_EQ(m.send_codec[0].rtx_pt, 97);
        PL_EQ(m.rtx_ssrc, video->rtx_ssrc);
        pl_desc_free(answer);
        pl_jsep_free(j);
    }
}

PL_TEST(offer_keeps_its_shape)
{
    pl_rand_seeded state;
    pl_jsep *j = engine(&state, PL_SETUP_ACTPASS);
    pl_jsep_transceiver *audio;
    pl_jsep_track track = { .track_id = "mic", .stream_id = { "room" }, .n_streams = 1 };
    PL_EQ(pl_jsep_add_track(j, PL_AUDIO, &track, &audio), PL_OK);
    pl_jsep_want_data(j);
    const pl_desc *offer;
    char *text;
    okay(j, pl_jsep_create_offer(j, false, &offer));
    PL_EQ(pl_sdp_write(offer, &text, NULL), PL_OK);
    static const char *const line[] = { "a=group:BUNDLE 0 1\r\n",
                                        "a=extmap-allow-mixed\r\n",
                                        "a=msid-semantic: WMS *\r\n",
                                        "m=audio 9 UDP/TLS/RTP/SAVPF 111 0 8\r\n",
                                        "a=ice-options:trickle\r\n",
                                        "a=setup:actpass\r\n",
                                        "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n",
                                        "a=msid:room mic\r\n",
                                        "a=rtcp-mux\r\n",
                                        "a=rtpmap:111 opus/48000/2\r\n",
                                        "a=fmtp:111 minptime=10;useinbandfec=1\r\n",
                                        "a=rtcp-fb:111 transport-cc\r\n",
                                        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n",
                                        "a=sctp-port:5000\r\n",
                                        "a=max-message-size:262144\r\n" };
    for (size_t i = 0; i < sizeof line / sizeof *line; i++) {
        if (!strstr(text, line[i]))
            print_error("%s is not in\n%s", line[i], text);
        PL_OKAY(strstr(text, line[i]));
    }
    free(text);
    pl_jsep_free(j);
}

/* An answer that comes back as text is recognised, though candidates have come meanwhile. */
PL_TEST(local_description_as_text)
{
    pl_rand_seeded state;
    pl_jsep *j = engine(&state, PL_SETUP_ACTPASS);
    pl_desc *offer = load("chromium", "offer"), *back;
    const pl_desc *answer;
    char *text;
    size_t len;
    okay(j, pl_jsep_set_remote(j, PL_SDP_OFFER, offer));
    okay(j, pl_jsep_create_answer(j, &answer));
    PL_EQ(pl_sdp_write(answer, &text, &len), PL_OK);
    PL_EQ(pl_sdp_parse(&back, text, len, NULL), PL_OK);
    back->media.at[0].direction = PL_INACTIVE;
    PL_EQ(pl_jsep_set_local(j, PL_SDP_ANSWER, back), PL_EPROTO);
    back->media.at[0].direction = answer->media.at[0].direction;
    pl_desc_add_candidate(back, &back->media.at[0], PL_STR("candidate:1 1 udp 1 1.2.3.4 5 typ host"));
    okay(j, pl_jsep_set_local(j, PL_SDP_ANSWER, back));
    PL_EQ(pl_jsep_current_local(j)->media.at[0].candidates.n, 1);
    free(text);
    pl_desc_free(back);
    pl_desc_free(offer);
    pl_jsep_free(j);
}

/* Hostile offers that parse: the engine refuses them or answers, and is whole either way. */
PL_TEST(mutated_offers)
{
    pl_rand_seeded state;
    uint64_t seed = pl_test_seed(3);
    print_message("PL_SEED=%llu\n", (unsigned long long)seed);
    pl_rand rand = pl_rand_seed(&state, seed);
    int answered = 0;
    for (int round = 0; round < 1500; round++) {
        size_t len;
        char *text = sdp_file(sdp_peer[round % SDP_PEERS], "offer", &len);
        for (int n = 0; n < 3; n++) {
            char *from = text + pl_rand_below(&rand, (uint32_t)len),
                 *to = text + pl_rand_below(&rand, (uint32_t)len);
            if (pl_rand_below(&rand, 2))
                *from = (char)('0' + pl_rand_below(&rand, 10));
            else /* a line over another, up to the shorter's end */
                while (from < text + len && to < text + len && *from != '\n' && *to != '\n')
                    *to++ = *from++;
        }
        pl_desc *offer;
        if (pl_sdp_parse(&offer, text, len, NULL) == PL_OK) {
            pl_rand_seeded inner;
            pl_jsep *j = engine(&inner, PL_SETUP_ACTPASS);
            pl_jsep_transceiver *t;
            PL_EQ(pl_jsep_add_track(j, PL_VIDEO, NULL, &t), PL_OK);
            if (pl_jsep_set_remote(j, PL_SDP_OFFER, offer) == PL_OK) {
                okay(j, pl_jsep_set_local_implicit(j));
                check_text(pl_jsep_current_local(j));
                answered++;
            }
            peer_drain(j, PL_JSEP_STATE);
            pl_jsep_free(j);
            pl_desc_free(offer);
        }
        free(text);
    }
    PL_GE(answered, 300);
}

PL_TESTS(t(offers_are_answered), t(events_of_an_answered_offer), t(streams_of_each_peer),
         t(without_bundle_only_the_first_section_is_taken), t(setup_of_the_answer_follows_the_offer),
         t(answers_are_accepted), t(offer_keeps_its_shape), t(local_description_as_text), t(mutated_offers))
