/* Addresses of RFC 7622, good and bad. */
#include "pl_test.h"

#include "xmpp/jid.h"

static void parts(const char *text, const char *local, const char *domain, const char *resource)
{
    pl_jid j;
    PL_EQ(pl_jid_parse(&j, pl_str_of(text)), PL_OK);
    PL_OKAY(pl_str_is(pl_jid_local(&j), local));
    PL_OKAY(pl_str_is(pl_jid_domain(&j), domain));
    PL_OKAY(pl_str_is(pl_jid_resource(&j), resource));
    pl_jid again;
    PL_EQ(pl_jid_parse(&again, pl_str_of(j.text)), PL_OK); /* prepared is stable */
    PL_OKAY(pl_jid_eq(&j, &again));
}

PL_TEST(addresses)
{
    parts("juliet@example.com", "juliet", "example.com", "");
    parts("juliet@example.com/foo", "juliet", "example.com", "foo");
    parts("juliet@example.com/foo bar", "juliet", "example.com", "foo bar");
    parts("juliet@example.com/foo@bar/baz", "juliet", "example.com", "foo@bar/baz");
    parts("foo\\20bar@example.com", "foo\\20bar", "example.com", "");
    parts("example.com", "", "example.com", "");
    parts("example.com/foobar", "", "example.com", "foobar");
    parts("a.example.com/b@example.net", "", "a.example.com", "b@example.net");
    parts("JULIET@Example.COM/Foo", "juliet", "example.com", "Foo");
    parts("juliet@example.com.", "juliet", "example.com", "");
    parts("romeo@[::1]/x", "romeo", "[::1]", "x");
    parts("fu\xc3\x9f\x62\x61ll@example.com", "fussball", "example.com", "");
    parts("\xcf\x80@example.com", "\xcf\x80", "example.com", "");
    parts("\xc3\x89@example.com/\xc3\x89", "\xc3\xa9", "example.com", "\xc3\x89");
    parts("king@example.com/\xe2\x99\x9a", "king", "example.com", "\xe2\x99\x9a");
    parts("a@b/\xf0\x9f\x98\x80", "a", "b", "\xf0\x9f\x98\x80");
}

PL_TEST(no_addresses)
{
    static const char *const bad[] = {
        "",
        "@",
        "/",
        "@example.com",
        "/foo",
        "juliet@",
        "juliet@/foo",
        "juliet@example.com/",
        "a b@c",
        "a\"b@c",
        "a&b@c",
        "a'b@c",
        "a:b@c",
        "a<b@c",
        "a>b@c",
        "a@b@c",
        "a@b c",
        "a@b\tc",
        "a@b/\x01",
        "a@b/\x7f",
        "\xff@b",
        "a@b/\xed\xa0\x80",
        "a@\xc0\xaf",
        "a@b/x\xe2\x80\xa8y",
    };
    pl_jid j;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        pl_err err = pl_jid_parse(&j, pl_str_of(bad[i]));
        if (err == PL_OK)
            print_error("address %zu is taken\n", i);
        PL_EQ(err, PL_EPROTO);
        PL_EQ(strlen(j.text), 0);
    }
    PL_EQ(pl_jid_parse(&j, (pl_str){ "a\0b@c", 5 }), PL_EPROTO);
}

PL_TEST(parts_have_their_greatest_length)
{
    char text[PL_JID_MAX + 2];
    pl_jid j;
    memset(text, 'x', sizeof text);
    text[PL_JID_PART_MAX] = '@';
    text[2 * PL_JID_PART_MAX + 1] = '/';
    PL_EQ(pl_jid_parse(&j, (pl_str){ text, PL_JID_MAX }), PL_OK);
    PL_EQ(j.resource_n, PL_JID_PART_MAX);
    PL_EQ(pl_jid_parse(&j, (pl_str){ text, PL_JID_MAX + 1 }), PL_EPROTO);
    for (size_t n = 0; n < 4000; n++) { /* what preparing makes longer is measured after it */
        char grows[4000];
        size_t at = 0;
        while (at + 2 < n && at + 2 < sizeof grows - 3) {
            grows[at++] = (char)0xc3;
            grows[at++] = (char)0x9f;
        }
        grows[at] = '@';
        grows[at + 1] = 'b';
        pl_err err = pl_jid_parse(&j, (pl_str){ grows, at + 2 });
        PL_EQ(err == PL_OK, at > 0 && at <= PL_JID_PART_MAX - 1);
        n += 60;
    }
}

PL_TEST(comparison)
{
    pl_jid a, b, c;
    PL_EQ(pl_jid_parse(&a, PL_STR("Romeo@Montague.example/x")), PL_OK);
    PL_EQ(pl_jid_parse(&b, PL_STR("romeo@montague.example/X")), PL_OK);
    PL_EQ(pl_jid_parse(&c, PL_STR("romeo@montague.example.net")), PL_OK);
    PL_OKAY(!pl_jid_eq(&a, &b) && pl_jid_bare_eq(&a, &b) && !pl_jid_bare_eq(&a, &c));
    PL_OKAY(pl_str_is(pl_jid_bare(&a), "romeo@montague.example"));
}

PL_TEST(domains_as_dns_has_them)
{
    char dns[PL_JID_DNS_MAX + 1];
    pl_jid j;
    PL_EQ(pl_jid_parse(&j, PL_STR("a@b\xc3\xbc"
                                  "cher.example")),
          PL_OK);
    PL_OKAY(pl_jid_dns(&j, dns));
    PL_STREQ(dns, "xn--bcher-kva.example");
    PL_EQ(pl_jid_parse(&j, PL_STR("a@example.org")), PL_OK);
    PL_OKAY(pl_jid_dns(&j, dns));
    PL_STREQ(dns, "example.org");
}

PL_TESTS(t(addresses), t(no_addresses), t(parts_have_their_greatest_length), t(comparison),
         t(domains_as_dns_has_them))
