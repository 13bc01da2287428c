/* Candidate lines of RFC 8839 as browsers and libraries write them, and the arithmetic of RFC 8445 5.1
 * and 6.1. */
#include "pl_test.h"

#include "base/rand.h"
#include "ice/candidate.h"

static pl_ice_cand parsed(const char *text)
{
    pl_ice_cand c;
    PL_EQ(pl_ice_cand_parse(&c, text, strlen(text)), PL_OK);
    return c;
}

static void there_and_back(const char *text)
{
    char out[PL_ICE_CAND_TEXT_MAX];
    pl_ice_cand c = parsed(text);
    PL_EQ(pl_ice_cand_print(&c, out, sizeof out), strlen(text));
    PL_STREQ(out, text);
}

PL_TEST(lines_of_the_field)
{
    /* Chromium: mDNS host, srflx, TCP active; Firefox: TCP active with port 9; libwebrtc relay; pion without
     * extras */
    there_and_back(
        "candidate:2184746370 1 udp 2113937151 8a7d5a56-7a4b-4d3e-a1a4-0e4f2ad5a7f1.local 51472 typ host "
        "generation 0 ufrag Y9kq network-cost 999");
    there_and_back(
        "candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 0.0.0.0 rport 0 generation 0 "
        "ufrag Y9kq network-id 1 network-cost 10");
    there_and_back("candidate:1510613869 1 tcp 1518280447 192.168.1.2 9 typ host tcptype active generation 0 "
                   "network-id 1");
    there_and_back("candidate:3 1 udp 41820159 2001:db8::17 3478 typ relay raddr 203.0.113.7 rport 46154");
    there_and_back("candidate:+/aZ09 2 udp 1 10.0.0.1 65535 typ prflx raddr 10.0.0.2 rport 5");
    pl_ice_cand c = parsed("a=candidate:1 1 UDP 2122252543 192.168.1.5 54321 TYP host\r\n");
    PL_EQ(c.priority, 2122252543);
    PL_EQ(c.addr.port, 54321);
    PL_EQ(c.type, PL_ICE_HOST);
    PL_OKAY(pl_ice_cand_usable(&c));
    c = parsed("candidate:1 1 ssltcp 1 192.168.1.5 1 typ host tcptype passive unknown thing");
    PL_EQ(c.proto, PL_TCP);
    PL_EQ(c.tcptype, PL_ICE_TCPTYPE_PASSIVE);
    PL_OKAY(!pl_ice_cand_usable(&c));
}

PL_TEST(what_can_be_used)
{
    static const struct {
        const char *text;
        bool usable;
    } line[] = {
        { "candidate:1 1 udp 1 192.0.2.1 5 typ host", true },
        { "candidate:1 2 udp 1 192.0.2.1 5 typ host", false },
        { "candidate:1 1 udp 1 192.0.2.1 0 typ host", false },
        { "candidate:1 1 udp 1 0.0.0.0 5 typ host", false },
        { "candidate:1 1 udp 1 239.1.2.3 5 typ host", false },
        { "candidate:1 1 udp 1 ff02::1 5 typ host", false },
        { "candidate:1 1 udp 1 a.local 5 typ host", true },
        { "candidate:1 1 udp 1 A.LOCAL 5 typ host", true },
        { "candidate:1 1 udp 1 www.example.com 5 typ host", false },
        { "candidate:1 1 udp 1 local 5 typ host", false },
        { "candidate:1 1 tcp 1 192.0.2.1 5 typ host tcptype active", false },
    };
    for (size_t i = 0; i < sizeof line / sizeof line[0]; i++) {
        pl_ice_cand c = parsed(line[i].text);
        PL_EQ(pl_ice_cand_usable(&c), line[i].usable);
    }
}

PL_TEST(a_zone_of_another_machine_is_none_of_ours)
{
    static const char line[] = "candidate:1 1 udp 1 fe80::1%2 9 typ srflx raddr fe80::3%4 rport 7";
    pl_ice_cand c;
    PL_EQ(pl_ice_cand_parse(&c, line, sizeof line - 1), PL_OK);
    PL_EQ(c.addr.scope, 0);
    PL_EQ(c.related.scope, 0);
    PL_EQ(c.addr.port, 9);
}

PL_TEST(lines_that_break_the_grammar)
{
    static const char *const bad[] = {
        "",
        "candidate",
        "candidate:",
        "candidate: 1 udp 1 1.2.3.4 5 typ host",
        "candidate:123456789012345678901234567890123 1 udp 1 1.2.3.4 5 typ host",
        "candidate:a-b 1 udp 1 1.2.3.4 5 typ host",
        "candidate:1 0 udp 1 1.2.3.4 5 typ host",
        "candidate:1 257 udp 1 1.2.3.4 5 typ host",
        "candidate:1 x udp 1 1.2.3.4 5 typ host",
        "candidate:1 1 udp 4294967296 1.2.3.4 5 typ host",
        "candidate:1 1 udp -1 1.2.3.4 5 typ host",
        "candidate:1 1 udp 1 1.2.3.4: 5 typ host",
        "candidate:1 1 udp 1 [::1] 5 typ host",
        "candidate:1 1 udp 1 1.2.3.4 65536 typ host",
        "candidate:1 1 udp 1 1.2.3.4 5 host",
        "candidate:1 1 udp 1 1.2.3.4 5 typ",
        "candidate:1 1 udp 1 1.2.3.4 5 typ host raddr",
        "candidate:1 1 udp 1 1.2.3.4 5 typ host raddr ! rport 1",
        "candidate:1 1 udp 1 1.2.3.4 5 typ srflx raddr 1.1.1.1 rport 65536",
        "candidate:1 1 tcp 1 1.2.3.4 5 typ host tcptype sideways",
        "candidate:1 1 udp 1 1.2.3.4 5 typ host ufrag a:b",
        "candidates:1 1 udp 1 1.2.3.4 5 typ host",
    };
    pl_ice_cand c;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        PL_EQ(pl_ice_cand_parse(&c, bad[i], strlen(bad[i])), PL_EPROTO);
    static const char *const foreign[] = { "candidate:1 1 dccp 1 1.2.3.4 5 typ host",
                                           "candidate:1 1 udp 1 1.2.3.4 5 typ quantum" };
    for (size_t i = 0; i < 2; i++)
        PL_EQ(pl_ice_cand_parse(&c, foreign[i], strlen(foreign[i])), PL_ENOTSUP);
    char longest[400];
    snprintf(longest, sizeof longest, "candidate:1 1 udp 1 %0*d.local 5 typ host", PL_ICE_NAME_MAX - 6, 1);
    PL_EQ(pl_ice_cand_parse(&c, longest, strlen(longest)), PL_OK);
    snprintf(longest, sizeof longest, "candidate:1 1 udp 1 %0*d.local 5 typ host", PL_ICE_NAME_MAX - 5, 1);
    PL_EQ(pl_ice_cand_parse(&c, longest, strlen(longest)), PL_EPROTO);
}

/* Every prefix is refused or is a line of its own; nothing behind its end is read. */
PL_TEST(truncations)
{
    static const char text[] =
        "candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 10.0.0.1 rport 9";
    for (size_t cut = 0; cut < sizeof text; cut++) {
        char *exact = malloc(cut + 1);
        PL_OKAY(exact != NULL);
        memcpy(exact, text, cut);
        pl_ice_cand c;
        pl_err err = pl_ice_cand_parse(&c, exact, cut);
        bool whole_line = cut >= strlen("candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx");
        PL_OKAY(whole_line || err != PL_OK);
        free(exact);
    }
}

PL_TEST(too_small_a_buffer)
{
    pl_ice_cand c = parsed("candidate:1 1 udp 1 192.0.2.1 5 typ host");
    char out[64];
    size_t len = pl_ice_cand_print(&c, out, sizeof out);
    for (size_t cap = 1; cap <= len; cap++)
        PL_EQ(pl_ice_cand_print(&c, out, cap), 0);
    PL_EQ(pl_ice_cand_print(&c, out, len + 1), len);
}

PL_TEST(priorities)
{
    /* RFC 8445 5.1.2.1 with type preference 126 and one interface: the number everybody knows */
    PL_EQ(pl_ice_cand_priority(PL_ICE_HOST, 65535, 1), 2130706431);
    PL_EQ(pl_ice_cand_priority(PL_ICE_SRFLX, 65535, 1), 1694498815);
    PL_EQ(pl_ice_cand_priority(PL_ICE_RELAY, 65535, 1), 16777215);
    PL_EQ(pl_ice_cand_priority(PL_ICE_HOST, 65535, 2), 2130706430);
    /* RFC 8445 6.1.2.3: 2^32 min + 2 max + (G > D) */
    PL_OKAY(pl_ice_pair_priority(5, 3) == (UINT64_C(3) << 32) + 11);
    PL_OKAY(pl_ice_pair_priority(3, 5) == (UINT64_C(3) << 32) + 10);
    PL_OKAY(pl_ice_pair_priority(7, 7) == (UINT64_C(7) << 32) + 14);
    /* RFC 8421: v6, v4, v6, v4 … */
    PL_GE(pl_ice_local_pref(PL_AF_IP6, 0), pl_ice_local_pref(PL_AF_IP4, 0) + 1);
    PL_GE(pl_ice_local_pref(PL_AF_IP4, 0), pl_ice_local_pref(PL_AF_IP6, 1) + 1);
    PL_EQ(pl_ice_local_pref(PL_AF_IP4, 65535), 0);
}

PL_TEST(random_lines_do_no_harm)
{
    static const char *const words[] = { "candidate:", "1",       "udp",     "tcp",       "typ", "host",
                                         "raddr",      "rport",   "1.2.3.4", "fe80::1%3", " ",   "ufrag",
                                         "4294967295", "x.local", "",        "\t" };
    pl_rand_seeded state;
    pl_rand r = pl_rand_seed(&state, pl_test_seed(8839));
    for (int round = 0; round < 20000; round++) {
        char text[512];
        int len = snprintf(text, sizeof text, "candidate:");
        for (uint32_t n = pl_rand_below(&r, 20); n > 0; n--)
            len += snprintf(text + len, sizeof text - (size_t)len, "%s%s", words[pl_rand_below(&r, 16)],
                            pl_rand_below(&r, 8) ? " " : "");
        pl_ice_cand c, again;
        char out[PL_ICE_CAND_TEXT_MAX];
        if (pl_ice_cand_parse(&c, text, strlen(text)))
            continue;
        size_t n = pl_ice_cand_print(&c, out, sizeof out);
        PL_OKAY(n > 0);
        PL_EQ(pl_ice_cand_parse(&again, out, n), PL_OK);
        PL_EQ(again.priority, c.priority);
    }
}

PL_TESTS(t(lines_of_the_field), t(what_can_be_used), t(a_zone_of_another_machine_is_none_of_ours),
         t(lines_that_break_the_grammar), t(truncations), t(too_small_a_buffer), t(priorities),
         t(random_lines_do_no_harm))
