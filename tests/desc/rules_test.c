/* Descriptions, codecs and the small rules, each by its table. */
#include "pl_test.h"

#include "desc/jsep_peer.h"

PL_TEST(codecs_are_compared_by_what_decides)
{
    static const struct {
        const char *name, *a, *b;
        bool same;
    } row[] = {
        { "opus", "minptime=10", "stereo=1", true },
        { "VP8", NULL, "max-fs=12288", true },
        { "VP9", NULL, "profile-id=0", true },
        { "VP9", "profile-id=2", "profile-id=0", false },
        { "AV1", "level-idx=5;profile=0;tier=0", NULL, true },
        { "AV1", "profile=1", NULL, false },
        { "H264", "packetization-mode=1;profile-level-id=42e01f",
          "profile-level-id=42E034;packetization-mode=1", true },
        { "H264", "packetization-mode=1;profile-level-id=42e01f", "profile-level-id=42e01f", false },
        { "H264", "profile-level-id=42001f", "profile-level-id=42e01f", false },
        { "H264", "profile-level-id=4d001f", "profile-level-id=4d0032", true },
        { "H264", "profile-level-id=64001f", "profile-level-id=640c1f", false },
        { "H264", "profile-level-id=zz001f", "profile-level-id=zz001f", false },
        { "H264", NULL, "profile-level-id=42e01f", true },
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        pl_desc_media m = { .kind = PL_DESC_VIDEO };
        pl_desc_codec a = {
            .name = row[i].name, .clock_hz = 90000, .channels = 1, .pt = 96, .apt = -1, .fmtp = row[i].a
        };
        pl_desc_codec b = a;
        b.fmtp = row[i].b;
        b.pt = 100;
        if (pl_desc_codec_same(&m, &a, &m, &b) != row[i].same)
            print_error("%s: %s and %s\n", row[i].name, row[i].a, row[i].b);
        PL_EQ(pl_desc_codec_same(&m, &a, &m, &b), row[i].same);
        b.clock_hz = 8000;
        PL_OKAY(!pl_desc_codec_same(&m, &a, &m, &b));
    }
}

PL_TEST(format_parameters)
{
    pl_str v;
    PL_OKAY(pl_desc_fmtp("a=1; B = 2 ;c", "b", &v) && pl_str_is(v, "2"));
    PL_OKAY(pl_desc_fmtp("a=1; B = 2 ;c", "C", &v) && v.n == 0);
    PL_OKAY(!pl_desc_fmtp("abc=1", "ab", &v) && !pl_desc_fmtp(NULL, "a", &v) && !pl_desc_fmtp("", "a", &v));
    pl_h264_profile p;
    PL_OKAY(pl_h264_profile_parse(PL_STR("42100b"), &p) && p.level == 9); /* 1b */
    PL_OKAY(pl_h264_profile_parse(PL_STR("42000b"), &p) && p.level == 11 && p.profile == PL_H264_BASELINE);
    PL_OKAY(!pl_h264_profile_parse(PL_STR("42e0"), &p) && !pl_h264_profile_parse(PL_STR("42e01g"), &p));
}

/* A section made of a table of codecs. */
static pl_desc_media section(pl_desc_codec *codec, uint16_t n)
{
    pl_desc_media m = { .kind = PL_DESC_VIDEO, .proto = PL_DESC_UDP_TLS_SAVPF };
    m.codecs.at = codec;
    m.codecs.n = n;
    return m;
}

PL_TEST(answers_keep_the_offerers_numbers)
{
    pl_desc_codec offered[] = {
        { .name = "VP9", .clock_hz = 90000, .channels = 1, .pt = 98, .apt = -1, .feedback = PL_FB_NACK },
        { .name = "rtx", .clock_hz = 90000, .channels = 1, .pt = 99, .apt = 98 },
        { .name = "vp8",
          .clock_hz = 90000,
          .channels = 1,
          .pt = 120,
          .apt = -1,
          .feedback = PL_FB_NACK | PL_FB_RRTR },
        { .name = "rtx", .clock_hz = 90000, .channels = 1, .pt = 124, .apt = 120 },
        { .name = "red", .clock_hz = 90000, .channels = 1, .pt = 122, .apt = -1 },
        { .name = "rtx", .clock_hz = 90000, .channels = 1, .pt = 119, .apt = 122 },
    };
    pl_desc_codec ours[] = {
        { .name = "VP8", .clock_hz = 90000, .channels = 1, .pt = 96, .apt = -1, .feedback = PEER_FB },
        { .name = "rtx", .clock_hz = 90000, .channels = 1, .pt = 97, .apt = 96 },
        { .name = "red", .clock_hz = 90000, .channels = 1, .pt = 98, .apt = -1 },
        { .name = "rtx", .clock_hz = 90000, .channels = 1, .pt = 99, .apt = 98 },
        { .name = "VP9", .clock_hz = 90000, .channels = 1, .pt = 100, .apt = -1 },
    };
    pl_desc_media o = section(offered, 6), u = section(ours, 5), only_red = section(ours + 2, 2);
    static const uint8_t in_order[] = { 98, 120, 124, 122, 119 }, preferred[] = { 120, 124, 122, 119, 98 };
    for (int our_order = 0; our_order < 2; our_order++) {
        pl_desc *d;
        PL_EQ(pl_desc_new(&d), PL_OK);
        pl_desc_media *a = pl_desc_add_media(d, PL_DESC_VIDEO);
        PL_EQ(pl_answer_codecs(d, a, &o, &u, our_order), 2);
        PL_EQ(a->codecs.n, 5);
        for (int i = 0; i < 5; i++)
            PL_EQ(a->codecs.at[i].pt, (our_order ? preferred : in_order)[i]);
        const pl_desc_codec *vp8 = pl_desc_codec_of_pt(a, 120);
        PL_STREQ(vp8->name, "VP8");
        PL_EQ(vp8->feedback, PL_FB_NACK);
        pl_negotiated_codec c[PL_NEGOTIATED_CODECS_MAX];
        PL_EQ(pl_negotiated_send(a, &o, true, c), 3);
        PL_EQ(c[0].pt, our_order ? 120 : 98);
        PL_EQ(c[our_order ? 0 : 1].rtx_pt, 124);
        PL_EQ(c[our_order ? 2 : 0].rtx_pt, -1); /* we have no rtx for VP9 */
        PL_EQ(pl_negotiated_recv(a, c), 3);
        pl_desc_media *none = pl_desc_add_media(d, PL_DESC_VIDEO);
        PL_EQ(pl_answer_codecs(d, none, &o, &only_red, our_order), 0);
        PL_EQ(none->codecs.n, 0);
        pl_desc_free(d);
    }
}

PL_TEST(h264_levels_in_answers)
{
    static const struct {
        const char *offer, *ours, *answer;
    } row[] = {
        { "level-asymmetry-allowed=1;profile-level-id=42e01f",
          "level-asymmetry-allowed=1;profile-level-id=42e034",
          "level-asymmetry-allowed=1;profile-level-id=42e034" },
        { "profile-level-id=42e01f", "profile-level-id=42e034", "profile-level-id=42e01f" },
        { "profile-level-id=42e034", "profile-level-id=42e01f", "profile-level-id=42e01f" },
    };
    for (size_t i = 0; i < 3; i++) {
        pl_desc_codec a = {
            .name = "H264", .clock_hz = 90000, .channels = 1, .pt = 102, .apt = -1, .fmtp = row[i].offer
        };
        pl_desc_codec b = a;
        pl_desc *d;
        b.fmtp = row[i].ours;
        pl_desc_media o = section(&a, 1), u = section(&b, 1);
        PL_EQ(pl_desc_new(&d), PL_OK);
        pl_desc_media *m = pl_desc_add_media(d, PL_DESC_VIDEO);
        PL_EQ(pl_answer_codecs(d, m, &o, &u, false), 1);
        PL_STREQ(m->codecs.at[0].fmtp, row[i].answer);
        pl_desc_free(d);
    }
}

PL_TEST(extensions_of_both)
{
    pl_desc_ext offered[] = { { .uri = PEER_EXT_MID, .id = 7 },
                              { .uri = PEER_EXT_AST, .id = 20 },
                              { .uri = PEER_EXT_TWCC, .id = 3, .direction = PL_RECVONLY },
                              { .uri = PEER_EXT_LEVEL, .id = 5000 },
                              { .uri = PEER_EXT_MID, .id = 8 },
                              { .uri = "urn:unknown", .id = 1 } };
    pl_desc_ext ours[4];
    memcpy(ours, peer_audio_ext, sizeof ours);
    pl_desc_media o = { .kind = PL_DESC_AUDIO }, u = { .kind = PL_DESC_AUDIO };
    o.exts.at = offered;
    o.exts.n = 6;
    u.exts.at = ours;
    u.exts.n = 4;
    for (int mixed = 0; mixed < 2; mixed++) {
        pl_desc *d;
        PL_EQ(pl_desc_new(&d), PL_OK);
        pl_desc_media *m = pl_desc_add_media(d, PL_DESC_AUDIO);
        o.extmap_allow_mixed = mixed;
        pl_answer_exts(d, m, &o, &u);
        PL_EQ(m->exts.n, 2 + mixed);
        PL_EQ(pl_desc_ext_of_uri(m, PEER_EXT_MID)->id, 7);
        PL_EQ(pl_desc_ext_of_uri(m, PEER_EXT_TWCC)->direction, PL_SENDONLY);
        PL_EQ(pl_desc_ext_of_uri(m, PEER_EXT_AST) != NULL, mixed);
        pl_desc_free(d);
    }
    for (int k = 0; k < PL_DESC_EXT_KINDS; k++)
        PL_EQ(pl_desc_ext_of(pl_desc_ext_uri((pl_desc_ext_kind)k)), k);
    PL_EQ(pl_desc_ext_of("urn:unknown"), PL_DESC_EXT_KINDS);
}

PL_TEST(directions)
{
    for (int a = PL_SENDRECV; a <= PL_STOPPED; a++) {
        pl_direction d = (pl_direction)a;
        PL_EQ(pl_direction_sends(pl_direction_reverse(d)), pl_direction_receives(d));
        PL_EQ(pl_direction_and(d, PL_SENDRECV), a == PL_STOPPED ? PL_INACTIVE : a);
        PL_EQ(pl_direction_and(d, PL_INACTIVE), PL_INACTIVE);
        PL_EQ(pl_direction_and(PL_SENDONLY, d), pl_direction_sends(d) ? PL_SENDONLY : PL_INACTIVE);
    }
}

PL_TEST(setup_roles)
{
    PL_EQ(pl_setup_answer(PL_DESC_SETUP_ACTPASS, PL_DESC_SETUP_ACTIVE, PL_DESC_ROLE_SERVER),
          PL_DESC_SETUP_PASSIVE);
    PL_EQ(pl_setup_answer(PL_DESC_SETUP_ACTPASS, PL_DESC_SETUP_PASSIVE, PL_DESC_ROLE_CLIENT),
          PL_DESC_SETUP_ACTIVE);
    PL_EQ(pl_setup_answer(PL_DESC_SETUP_ACTPASS, PL_DESC_SETUP_NONE, PL_DESC_ROLE_NONE),
          PL_DESC_SETUP_ACTIVE);
    PL_EQ(pl_setup_answer(PL_DESC_SETUP_ACTIVE, PL_DESC_SETUP_ACTIVE, PL_DESC_ROLE_CLIENT),
          PL_DESC_SETUP_PASSIVE);
    PL_EQ(pl_setup_answer(PL_DESC_SETUP_HOLDCONN, PL_DESC_SETUP_ACTIVE, PL_DESC_ROLE_NONE),
          PL_DESC_SETUP_NONE);
    PL_EQ(pl_setup_role(PL_DESC_SETUP_ACTIVE, true), PL_DESC_ROLE_CLIENT);
    PL_EQ(pl_setup_role(PL_DESC_SETUP_ACTIVE, false), PL_DESC_ROLE_SERVER);
    PL_EQ(pl_setup_role(PL_DESC_SETUP_PASSIVE, false), PL_DESC_ROLE_CLIENT);
    PL_EQ(pl_setup_role(PL_DESC_SETUP_NONE, false), PL_DESC_ROLE_SERVER);
    PL_EQ(pl_setup_role(PL_DESC_SETUP_ACTPASS, true), PL_DESC_ROLE_NONE);
}

PL_TEST(bundle_groups)
{
    pl_desc *d;
    static const char *const mid[] = { "a", "b", "c" };
    PL_EQ(pl_desc_new(&d), PL_OK);
    for (int i = 0; i < 3; i++)
        pl_desc_add_media(d, PL_DESC_AUDIO)->mid = mid[i];
    pl_desc_group *g = pl_desc_add_group(d, "BUNDLE");
    PL_OKAY(pl_desc_group_add(d, g, "b") && pl_desc_group_add(d, g, "a"));
    PL_OKAY(pl_bundle_valid(d));
    PL_EQ(pl_bundle_transport_of(d, 0), 1);
    PL_EQ(pl_bundle_transport_of(d, 2), 2);
    d->media.at[1].port = 0;
    PL_EQ(pl_bundle_transport_of(d, 0), 0);
    d->media.at[1].bundle_only = true;
    PL_EQ(pl_bundle_transport_of(d, 0), 1);
    PL_OKAY(pl_desc_group_add(d, g, "a") && !pl_bundle_valid(d));
    pl_desc_free(d);
}

PL_TEST(limits_stick)
{
    pl_desc *d, *copy;
    PL_EQ(pl_desc_new(&d), PL_OK);
    for (int i = 0; i < PL_DESC_MEDIA_MAX; i++)
        PL_OKAY(pl_desc_add_media(d, PL_DESC_VIDEO));
    PL_EQ(pl_desc_err(d), PL_OK);
    PL_OKAY(!pl_desc_add_media(d, PL_DESC_VIDEO));
    PL_EQ(pl_desc_err(d), PL_ENOSPC);
    PL_OKAY(!pl_desc_add_codec(d, d->media.at) && pl_desc_textz(d, "x")[0] == 0);
    PL_EQ(pl_desc_copy(&copy, d), PL_ENOSPC);
    PL_OKAY(!copy);
    pl_desc_free(d);
    PL_EQ(pl_desc_new(&d), PL_OK);
    pl_desc_media *m = pl_desc_add_media(d, PL_DESC_AUDIO);
    char text[64];
    for (int i = 0; i < PL_DESC_CANDIDATES_MAX; i++) {
        snprintf(text, sizeof text, "candidate:%d", i);
        PL_OKAY(pl_desc_add_candidate(d, m, pl_str_of(text)));
    }
    PL_OKAY(pl_desc_add_candidate(d, m, PL_STR("candidate:7")));
    PL_EQ(pl_desc_copy(&copy, d), PL_OK);
    PL_OKAY(pl_desc_eq(d, copy));
    PL_OKAY(!pl_desc_add_candidate(copy, copy->media.at, PL_STR("candidate:x")));
    pl_desc_free(d);
    pl_desc_free(copy);
}

PL_TESTS(t(codecs_are_compared_by_what_decides), t(format_parameters), t(answers_keep_the_offerers_numbers),
         t(h264_levels_in_answers), t(extensions_of_both), t(directions), t(setup_roles), t(bundle_groups),
         t(limits_stick))
