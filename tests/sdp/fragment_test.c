/* Fragments of descriptions as WHIP's PATCH carries them: those of real clients, written and read again, broken ones, and
 * what they make of a description. */
#include "pl_test.h"

#include "base/rand.h"
#include "sdp/fragment.h"
#include "sdp/sdp.h"

/* As medooze's whip-js writes it, and as RFC 8840 9.2 shows it: names in the section. */
static const char from_browser[] =
    "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n"
    "a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id "
    "1\r\n"
    "a=candidate:473322822 1 udp 2122197247 198.51.100.1 61765 typ host\r\na=end-of-candidates\r\n";
static const char in_section[] =
    "m=video 9 RTP/AVP 0\na=mid:7\na=ice-pwd:asd88fgpdd777uzjYhagZg\na=ice-ufrag:8hhY\na=x-unknown:yes\n"
    "a=candidate:1 1 UDP 1658497328 198.51.100.33 5000 typ host\n";

PL_TEST(fragments_of_real_clients)
{
    pl_sdp_fragment f;
    PL_EQ(pl_sdp_fragment_parse(&f, pl_str_of(from_browser)), PL_OK);
    PL_OKAY(pl_str_is(f.ufrag, "EsAw") && pl_str_is(f.pwd, "P2uYro0UCOQ4zxjKXaWCBui1"));
    PL_OKAY(pl_str_is(f.mid, "0") && pl_str_is(f.kind, "audio") && f.end_of_candidates);
    PL_EQ(f.n_candidates, 2);
    PL_OKAY(pl_str_is(f.candidate[1], "candidate:473322822 1 udp 2122197247 198.51.100.1 61765 typ host"));
    PL_EQ(pl_sdp_fragment_parse(&f, pl_str_of(in_section)), PL_OK);
    PL_OKAY(pl_str_is(f.ufrag, "8hhY") && pl_str_is(f.mid, "7") && !f.end_of_candidates);
    PL_EQ(f.n_candidates, 1);
    PL_EQ(pl_sdp_fragment_parse(&f, PL_STR("a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n")),
          PL_OK);
    PL_OKAY(!f.mid.n && f.n_candidates == 0);
}

static void same(pl_str a, pl_str b)
{
    PL_OKAY(pl_str_eq(a, b));
}

PL_TEST(written_and_read_again)
{
    static const char *const texts[] = { from_browser, in_section };
    for (size_t i = 0; i < 2; i++) {
        pl_sdp_fragment f, g;
        pl_buf out = pl_buf_init(PL_SDP_FRAGMENT_MAX);
        PL_EQ(pl_sdp_fragment_parse(&f, pl_str_of(texts[i])), PL_OK);
        pl_sdp_fragment_write(&f, &out);
        PL_EQ(pl_sdp_fragment_parse(&g, (pl_str){ out.p, out.n }), PL_OK);
        same(f.ufrag, g.ufrag);
        same(f.pwd, g.pwd);
        same(f.mid, g.mid);
        same(f.kind, g.kind);
        PL_EQ(f.n_candidates, g.n_candidates);
        for (size_t k = 0; k < f.n_candidates; k++)
            same(f.candidate[k], g.candidate[k]);
        PL_EQ(f.end_of_candidates, g.end_of_candidates);
        pl_buf_clear(&out);
    }
}

PL_TEST(broken_fragments_are_refused)
{
    static const char *const bad[] = {
        "",
        "\r\n",
        "hello",
        "a",
        "=x",
        "A=ice-ufrag:abcd",
        "m=audio",
        "m=audio 9",
        "a=ice-ufrag:abc\r\n", /* too short */
        "a=ice-pwd:short\r\n",
        "a=ice-ufrag:ab cd\r\n",
        "a=ice-ufrag:ab\"cd\r\n",
        "a=ice-ufrag:abcd\x01\r\n",
        "a=ice-ufrag:abcd\r\na=ice-ufrag:efgh\r\n", /* two sessions */
        "a=ice-ufrag:abcd\r\nm=audio 9 X 0\r\na=ice-ufrag:efgh\r\n",
        "a=candidate:1 1 UDP 1 192.0.2.1 5000 typ host\r\n", /* in no section */
        "a=end-of-candidates\r\n",
        "m=audio 9 X 0\r\na=mid:\r\n",
    };
    pl_sdp_fragment f;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        PL_EQ(pl_sdp_fragment_parse(&f, pl_str_of(bad[i])), PL_EPROTO);
    PL_EQ(pl_sdp_fragment_parse(&f, (pl_str){ NULL, 0 }), PL_EPROTO);
    char zero[] = "a=ice-ufrag:abcd";
    zero[14] = 0;
    PL_EQ(pl_sdp_fragment_parse(&f, (pl_str){ zero, sizeof zero - 1 }), PL_EPROTO);
}

PL_TEST(fragments_have_maxima)
{
    pl_sdp_fragment f;
    pl_buf b = pl_buf_init(1 << 20);
    pl_buf_addf(&b, "m=audio 9 X 0\r\na=mid:0\r\n");
    for (int i = 0; i < PL_SDP_FRAGMENT_CANDIDATES_MAX; i++)
        pl_buf_addf(&b, "a=candidate:%d 1 UDP 1 192.0.2.1 5000 typ host\r\n", i);
    PL_EQ(pl_sdp_fragment_parse(&f, (pl_str){ b.p, b.n }), PL_OK);
    pl_buf_addf(&b, "a=candidate:x 1 UDP 1 192.0.2.1 5000 typ host\r\n");
    PL_EQ(pl_sdp_fragment_parse(&f, (pl_str){ b.p, b.n }), PL_ENOSPC);
    pl_buf_clear(&b);
    b = pl_buf_init(1 << 20);
    for (int i = 0; i <= PL_SDP_FRAGMENT_SECTIONS_MAX; i++)
        pl_buf_addf(&b, "m=audio 9 X 0\r\n");
    PL_EQ(pl_sdp_fragment_parse(&f, (pl_str){ b.p, b.n }), PL_ENOSPC);
    while (b.n <= PL_SDP_FRAGMENT_MAX)
        pl_buf_addf(&b, "a=x:y\r\n");
    PL_EQ(pl_sdp_fragment_parse(&f, (pl_str){ b.p, b.n }), PL_ENOSPC);
    pl_buf_clear(&b);
}

/* Whatever is cut off or changed: refused, or a value whose slices lie in the text. */
PL_TEST(truncations_and_mutations)
{
    pl_rand_seeded state;
    pl_rand rand = pl_rand_seed(&state, pl_test_seed(8840));
    char text[sizeof from_browser];
    pl_sdp_fragment f;
    for (size_t cut = 0; cut < sizeof from_browser; cut++) {
        char *copy = malloc(cut + 1);
        memcpy(copy, from_browser, cut);
        pl_err err = pl_sdp_fragment_parse(&f, (pl_str){ copy, cut });
        PL_OKAY(err == PL_OK || err == PL_EPROTO);
        free(copy);
    }
    for (int round = 0; round < 5000; round++) {
        memcpy(text, from_browser, sizeof text);
        for (int i = 0; i < 3; i++)
            text[pl_rand_below(&rand, sizeof text - 1)] = (char)pl_rand_below(&rand, 256);
        if (pl_sdp_fragment_parse(&f, (pl_str){ text, sizeof text - 1 }))
            continue;
        for (size_t i = 0; i < f.n_candidates; i++)
            PL_OKAY(f.candidate[i].p >= text && f.candidate[i].p + f.candidate[i].n <= text + sizeof text);
    }
}

static const char offer[] =
    "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=ice-ufrag:oldu\r\n"
    "a=ice-pwd:oldoldoldoldoldoldoldold\r\na=candidate:9 1 UDP 1 192.0.2.9 9000 typ host\r\na=sendonly\r\n"
    "a=rtpmap:111 opus/48000/2\r\n"
    "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=ice-ufrag:oldu\r\n"
    "a=ice-pwd:oldoldoldoldoldoldoldold\r\na=sendonly\r\na=rtpmap:96 VP8/90000\r\n";

PL_TEST(a_restart_in_a_description)
{
    pl_desc *d;
    pl_sdp_fragment f, now;
    PL_EQ(pl_sdp_parse(&d, offer, sizeof offer - 1, NULL), PL_OK);
    pl_sdp_fragment_of(d, &now);
    PL_OKAY(pl_str_is(now.ufrag, "oldu") && pl_str_is(now.mid, "0") && now.n_candidates == 1);
    PL_EQ(pl_sdp_fragment_parse(&f, pl_str_of(from_browser)), PL_OK);
    PL_EQ(pl_sdp_fragment_apply(&f, d), PL_OK);
    pl_sdp_fragment_of(d, &now);
    PL_OKAY(pl_str_is(now.ufrag, "EsAw") && now.n_candidates == 2 && now.end_of_candidates);
    PL_STREQ(d->media.at[1].ufrag, "EsAw");
    PL_STREQ(d->media.at[1].pwd, "P2uYro0UCOQ4zxjKXaWCBui1");
    PL_EQ(d->media.at[1].candidates.n, 0);
    PL_EQ(pl_sdp_fragment_parse(&f, PL_STR("a=ice-ufrag:abcd\r\n")), PL_OK);
    PL_EQ(pl_sdp_fragment_apply(&f, d), PL_EPROTO);
    pl_desc_free(d);
}

PL_TESTS(t(fragments_of_real_clients), t(written_and_read_again), t(broken_fragments_are_refused),
         t(fragments_have_maxima), t(truncations_and_mutations), t(a_restart_in_a_description))
