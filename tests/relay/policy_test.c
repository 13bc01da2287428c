/* Which peers may be reached. */
#include "pl_test.h"
#include "relay/policy.h"

static pl_relay_verdict judge(const pl_relay_policy *p, const char *ip)
{
    pl_addr a;
    PL_EQ(pl_addr_parse_ip(&a, ip, strlen(ip)), PL_OK);
    return pl_relay_judge(p, &a);
}

static pl_relay_range range(const char *text)
{
    pl_relay_range r;
    PL_EQ(pl_relay_range_parse(&r, text, strlen(text)), PL_OK);
    return r;
}

PL_TEST(denied_by_default)
{
    static const char *const denied[] = { "0.0.0.0",
                                          "0.1.2.3",
                                          "10.0.0.1",
                                          "10.255.255.255",
                                          "100.64.0.1",
                                          "100.127.255.255",
                                          "127.0.0.1",
                                          "127.255.0.1",
                                          "169.254.169.254",
                                          "172.16.0.1",
                                          "172.31.255.255",
                                          "192.0.0.8",
                                          "192.168.1.1",
                                          "224.0.0.1",
                                          "239.255.255.255",
                                          "240.0.0.1",
                                          "255.255.255.255",
                                          "::",
                                          "::1",
                                          "::7f00:1",
                                          "::ffff:8.8.8.8",
                                          "64:ff9b::10.0.0.1",
                                          "64:ff9b::127.0.0.1",
                                          "64:ff9b:1::8.8.8.8",
                                          "2001::1",
                                          "2002:7f00:1::1",
                                          "2002:a00:1::1",
                                          "2002:c0a8:101::",
                                          "fc00::1",
                                          "fdff::1",
                                          "fe80::1",
                                          "febf::1",
                                          "fec0::1",
                                          "ff02::1" };
    static const char *const allowed[] = {
        "8.8.8.8",   "9.255.255.255",    "11.0.0.0",        "100.63.255.255", "100.128.0.0",
        "126.1.1.1", "128.0.0.1",        "169.253.1.1",     "172.15.0.1",     "172.32.0.1",
        "192.0.2.1", "192.167.1.1",      "203.0.113.1",     "223.255.255.1",  "2001:db8::1",
        "2600::1",   "64:ff9b::8.8.8.8", "2002:808:808::1", "fbff::1"
    };
    pl_relay_policy p = { 0 };
    for (size_t i = 0; i < sizeof denied / sizeof *denied; i++)
        if (judge(&p, denied[i]) != PL_RELAY_DENIED)
            fail_msg("%s is allowed", denied[i]);
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        if (judge(&p, allowed[i]) != PL_RELAY_ALLOWED)
            fail_msg("%s is denied", allowed[i]);
}

PL_TEST(flags_lift_what_they_name)
{
    pl_relay_policy p = { .allow_private = true };
    PL_EQ(judge(&p, "10.1.2.3"), PL_RELAY_ALLOWED);
    PL_EQ(judge(&p, "64:ff9b::10.1.2.3"), PL_RELAY_ALLOWED);
    PL_EQ(judge(&p, "fd00::1"), PL_RELAY_ALLOWED);
    PL_EQ(judge(&p, "127.0.0.1"), PL_RELAY_DENIED);
    p = (pl_relay_policy){ .allow_loopback = true };
    PL_EQ(judge(&p, "127.0.0.1"), PL_RELAY_ALLOWED);
    PL_EQ(judge(&p, "::1"), PL_RELAY_ALLOWED);
    PL_EQ(judge(&p, "::2"), PL_RELAY_DENIED);
    PL_EQ(judge(&p, "10.1.2.3"), PL_RELAY_DENIED);
    PL_EQ(judge(&p, "169.254.1.1"), PL_RELAY_DENIED);
    p = (pl_relay_policy){ .allow_link_local = true };
    PL_EQ(judge(&p, "169.254.1.1"), PL_RELAY_ALLOWED);
    PL_EQ(judge(&p, "fe80::1"), PL_RELAY_ALLOWED);
    PL_EQ(judge(&p, "224.0.0.1"), PL_RELAY_DENIED);
}

PL_TEST(the_longest_prefix_decides)
{
    pl_relay_range allow[] = { range("10.0.0.0/8"), range("0.0.0.0/0"), range("203.0.113.7") };
    pl_relay_range deny[] = { range("10.1.0.0/16"), range("203.0.113.0/24"), range("9.0.0.0/8"),
                              range("2001:db8::/32") };
    pl_relay_policy p = { .allow = allow, .n_allow = 3, .deny = deny, .n_deny = 4 };
    PL_EQ(judge(&p, "10.0.0.1"), PL_RELAY_ALLOWED); /* as long as the default, and said */
    PL_EQ(judge(&p, "10.1.0.1"), PL_RELAY_DENIED);
    PL_EQ(judge(&p, "127.0.0.1"), PL_RELAY_DENIED); /* 0/0 opens nothing that is denied by default */
    PL_EQ(judge(&p, "203.0.113.8"), PL_RELAY_DENIED);
    PL_EQ(judge(&p, "203.0.113.7"), PL_RELAY_ALLOWED);
    PL_EQ(judge(&p, "9.9.9.9"), PL_RELAY_DENIED);
    PL_EQ(judge(&p, "2001:db8:1::1"), PL_RELAY_DENIED);
    PL_EQ(judge(&p, "2001:db9::1"), PL_RELAY_ALLOWED);
    pl_relay_range all = range("::/0"), one = range("::1");
    p = (pl_relay_policy){ .deny = &all, .n_deny = 1, .allow = &one, .n_allow = 1 };
    PL_EQ(judge(&p, "2600::1"), PL_RELAY_DENIED);
    PL_EQ(judge(&p, "::1"), PL_RELAY_ALLOWED);
    PL_EQ(judge(&p, "8.8.8.8"), PL_RELAY_ALLOWED);
}

PL_TEST(own_addresses_but_for_relayed_ports)
{
    pl_addr own[2], at;
    PL_EQ(pl_addr_parse_ip(&own[0], "10.0.0.5", 8), PL_OK);
    PL_EQ(pl_addr_parse_ip(&own[1], "198.51.100.9", 12), PL_OK);
    pl_relay_policy p = { .own = own, .n_own = 2, .port_lo = 50000, .port_hi = 50010 };
    PL_EQ(judge(&p, "10.0.0.5"), PL_RELAY_OWN);
    PL_EQ(judge(&p, "198.51.100.9"), PL_RELAY_OWN);
    PL_EQ(judge(&p, "10.0.0.6"), PL_RELAY_DENIED);
    at = own[1];
    static const uint16_t ports[] = { 0, 22, 3478, 49999, 50000, 50010, 50011, 65535 };
    for (size_t i = 0; i < 8; i++) {
        at.port = ports[i];
        PL_EQ(pl_relay_may_reach(&p, &at), ports[i] >= 50000 && ports[i] <= 50010);
    }
    pl_relay_range deny = range("198.51.100.0/24"), allow = range("198.51.100.9");
    p.deny = &deny;
    p.n_deny = 1;
    PL_OKAY(!pl_relay_may_reach(&p, &at));
    p.allow = &allow;
    p.n_allow = 1;
    at.port = 22;
    PL_OKAY(pl_relay_may_reach(&p, &at)); /* it was named */
}

PL_TEST(ranges_as_text)
{
    static const char *const bad[] = { "",       "/8", "10.0.0.0/33",  "10.0.0.0/",    "10.0.0/8",
                                       "::/129", "x",  "10.0.0.0/8/8", "fe80::1%3/64", "10.0.0.0/-1" };
    pl_relay_range r;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (!pl_relay_range_parse(&r, bad[i], strlen(bad[i])))
            fail_msg("%s is taken", bad[i]);
    r = range("10.255.3.4/12");
    PL_EQ(r.bits, 12);
    PL_EQ(r.base.ip[1], 0xf0);
    PL_EQ(r.base.ip[2] | r.base.ip[3], 0);
    r = range("2001:db8:ffff::/33");
    PL_EQ(r.base.ip[4], 0x80);
    PL_EQ(r.base.ip[5], 0);
    PL_EQ(range("1.2.3.4").bits, 32);
    PL_EQ(range("::1").bits, 128);
    PL_EQ(range("0.0.0.0/0").bits, 0);
}

PL_TESTS(t(denied_by_default), t(flags_lift_what_they_name), t(the_longest_prefix_decides),
         t(own_addresses_but_for_relayed_ports), t(ranges_as_text))
