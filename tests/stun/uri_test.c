/* URIs of RFC 7064 and RFC 7065, and what people write on command lines. */
#include "pl_test.h"

#include "stun/uri.h"

static pl_err parse(pl_stun_uri *u, const char *text)
{
    return pl_stun_uri_parse(u, text, strlen(text));
}

PL_TEST(the_examples_of_the_standards)
{
    static const struct {
        const char *text, *host;
        bool turn, secure;
        pl_stun_transport transport;
        uint16_t port, use_port;
        const char *srv, *canonical;
    } rows[] = {
        { "stun:example.org", "example.org", false, false, PL_STUN_UDP, 0, 3478, "_stun._udp.example.org",
          "stun:example.org" },
        { "stuns:example.org", "example.org", false, true, PL_STUN_TLS, 0, 5349, "_stuns._tcp.example.org",
          "stuns:example.org" },
        { "stun:example.org:8000", "example.org", false, false, PL_STUN_UDP, 8000, 8000, "",
          "stun:example.org:8000" },
        { "turn:example.org", "example.org", true, false, PL_STUN_UDP, 0, 3478, "_turn._udp.example.org",
          "turn:example.org" },
        { "turns:example.org", "example.org", true, true, PL_STUN_TLS, 0, 5349, "_turns._tcp.example.org",
          "turns:example.org" },
        { "turn:example.org:8000?transport=udp", "example.org", true, false, PL_STUN_UDP, 8000, 8000, "",
          "turn:example.org:8000" },
        { "TURN:example.org?transport=tcp", "example.org", true, false, PL_STUN_TCP, 0, 3478,
          "_turn._tcp.example.org", "turn:example.org?transport=tcp" },
        { "turns:example.org?Transport=UDP", "example.org", true, true, PL_STUN_DTLS, 0, 5349,
          "_turns._udp.example.org", "turns:example.org?transport=udp" },
        { "turns:example.org?transport=tls", "example.org", true, true, PL_STUN_TLS, 0, 5349,
          "_turns._tcp.example.org", "turns:example.org" },
        { "turns:example.org?transport=dtls", "example.org", true, true, PL_STUN_DTLS, 0, 5349,
          "_turns._udp.example.org", "turns:example.org?transport=udp" },
        { "stun:192.0.2.1", "192.0.2.1", false, false, PL_STUN_UDP, 0, 3478, "", "stun:192.0.2.1" },
        { "stun:[2001:db8::1]:99", "2001:db8::1", false, false, PL_STUN_UDP, 99, 99, "",
          "stun:[2001:db8::1]:99" },
        { "turn:[::1]?transport=tcp", "::1", true, false, PL_STUN_TCP, 0, 3478, "",
          "turn:[::1]?transport=tcp" },
        { "stun:a-b.c_d.example.", "a-b.c_d.example.", false, false, PL_STUN_UDP, 0, 3478,
          "_stun._udp.a-b.c_d.example.", "stun:a-b.c_d.example." },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        pl_stun_uri u, again;
        char srv[PL_STUN_SRV_MAX], text[PL_STUN_URI_TEXT_MAX];
        PL_EQ(parse(&u, rows[i].text), PL_OK);
        PL_STREQ(u.host, rows[i].host);
        PL_EQ(u.turn, rows[i].turn);
        PL_EQ(u.secure, rows[i].secure);
        PL_EQ(u.transport, rows[i].transport);
        PL_EQ(u.port, rows[i].port);
        PL_EQ(pl_stun_uri_port(&u), rows[i].use_port);
        PL_EQ(pl_stun_uri_srv(&u, srv), rows[i].srv[0] != 0);
        PL_STREQ(srv, rows[i].srv);
        PL_STREQ(pl_stun_uri_str(&u, text), rows[i].canonical);
        PL_EQ(parse(&again, text), PL_OK);
        PL_STREQ(again.host, u.host);
        PL_EQ(again.transport, u.transport);
        PL_STREQ(u.username, "");
    }
}

PL_TEST(credentials_on_the_command_line)
{
    pl_stun_uri u;
    char text[PL_STUN_URI_TEXT_MAX];
    PL_EQ(parse(&u, "turn:alice:secret@relay.example:3479?transport=tcp"), PL_OK);
    PL_STREQ(u.username, "alice");
    PL_STREQ(u.password, "secret");
    PL_STREQ(u.host, "relay.example");
    PL_EQ(u.port, 3479);
    PL_STREQ(pl_stun_uri_str(&u, text), "turn:relay.example:3479?transport=tcp"); /* never shown */
    PL_EQ(parse(&u, "turn:1800000000%3Abob:7/zf=@[::1]:1"), PL_OK);
    PL_STREQ(u.username, "1800000000:bob");
    PL_STREQ(u.password, "7/zf=");
    PL_EQ(parse(&u, "turn:a:b@c:d?e@h"), PL_OK);
    PL_STREQ(u.password, "b@c:d?e");
    static const char *const bad[] = { "turn:alice@h", "turn::x@h",    "turn:a:@h",    "turn:a:%0@h",
                                       "turn:a:%@h",   "turn:a:%zz@h", "turn:a:%00@h", "turn:a:b@" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        PL_EQ(parse(&u, bad[i]), PL_EPROTO);
        PL_STREQ(u.password, "");
    }
}

PL_TEST(what_is_no_uri)
{
    static const char *const bad[] = {
        "",
        ":",
        "stun",
        "stun:",
        "stun://example.org",
        "stunt:example.org",
        "http://example.org",
        "stun:h:",
        "stun:h:0",
        "stun:h:65536",
        "stun:h:1x",
        "stun:h:-1",
        "stun:h:1:2",
        "stun:[::1",
        "stun:[::1]1",
        "stun:[::1]:",
        "stun:::1",
        "stun:[192.0.2.1]",
        "stun:[h]",
        "stun:1.2.3",
        "stun:1.2.3.400",
        "stun:a..b",
        "stun:.a",
        "stun:a b",
        "stun:a/b",
        "stun:h?",
        "stun:h?transport",
        "stun:h?transport=",
        "stun:h?transport=sctp",
        "stun:h?x=udp",
        "turn:h?transport=tls",
        "stun:h?transport=dtls",
        "stun:h?transport=udp&x",
        "stun:h\n",
        "stun:ümlaut.example",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        pl_stun_uri u;
        if (parse(&u, bad[i]) != PL_EPROTO)
            fail_msg("taken: %s", bad[i]);
        PL_STREQ(u.host, "");
    }
}

PL_TEST(bare_servers)
{
    static const struct {
        const char *text, *host;
        uint16_t port;
    } rows[] = { { "example.org", "example.org", 0 },      { "example.org:99", "example.org", 99 },
                 { "192.0.2.1:99", "192.0.2.1", 99 },      { "[2001:db8::1]:99", "2001:db8::1", 99 },
                 { "2001:db8::1", "2001:db8::1", 0 },      { "stun:3478", "stun", 3478 },
                 { "stun:example.org", "example.org", 0 }, { "localhost", "localhost", 0 } };
    pl_stun_uri u;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        PL_EQ(pl_stun_uri_parse_server(&u, rows[i].text, strlen(rows[i].text)), PL_OK);
        PL_STREQ(u.host, rows[i].host);
        PL_EQ(u.port, rows[i].port);
        PL_EQ(u.transport, PL_STUN_UDP);
        PL_OKAY(!u.turn && !u.secure);
    }
    PL_EQ(pl_stun_uri_parse_server(&u, "turns:h", 7), PL_OK);
    PL_OKAY(u.turn && u.secure);
    PL_EQ(pl_stun_uri_parse_server(&u, "http://x", 8), PL_EPROTO);
    PL_EQ(pl_stun_uri_parse_server(&u, "", 0), PL_EPROTO);
}

PL_TEST(long_names)
{
    enum { NAME = 5, LONGEST = PL_STUN_HOST_MAX };
    pl_stun_uri u;
    char text[NAME + LONGEST + 2] = "stun:", srv[PL_STUN_SRV_MAX];
    for (int i = 0; i < LONGEST; i++)
        text[NAME + i] = i % 2 ? '.' : 'a';
    PL_EQ(parse(&u, text), PL_OK);
    PL_OKAY(pl_stun_uri_srv(&u, srv));
    PL_EQ(strlen(srv), LONGEST + 11);
    text[NAME + LONGEST] = 'b';
    PL_EQ(parse(&u, text), PL_EPROTO);
}

PL_TESTS(t(the_examples_of_the_standards), t(credentials_on_the_command_line), t(what_is_no_uri),
         t(bare_servers), t(long_names))
