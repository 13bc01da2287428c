/* mDNS messages: our own, one with compression as Avahi sends it, and what must be refused. */
#include "pl_test.h"

#include "base/rand.h"
#include "ice/mdns.h"

static const char name[] = "8a7d5a56-7a4b-4d3e-a1a4-0e4f2ad5a7f1.local";

static pl_addr ip(const char *text)
{
    pl_addr a;
    PL_EQ(pl_addr_parse_ip(&a, text, strlen(text)), PL_OK);
    return a;
}

PL_TEST(question_and_answer)
{
    uint8_t ask[PL_MDNS_QUERY_MAX], say[PL_MDNS_QUERY_MAX];
    bool unicast;
    size_t n, ask_len = pl_mdns_query(name, true, ask, sizeof ask);
    PL_OKAY(ask_len > 0);
    PL_OKAY(pl_mdns_asks_for(ask, ask_len, "8A7D5A56-7a4b-4d3e-a1a4-0e4f2ad5a7f1.LOCAL", &unicast));
    PL_OKAY(unicast);
    PL_OKAY(!pl_mdns_asks_for(ask, ask_len, "other.local", &unicast));
    PL_EQ(pl_mdns_query(name, false, ask, sizeof ask), ask_len);
    PL_OKAY(pl_mdns_asks_for(ask, ask_len, name, &unicast));
    PL_OKAY(!unicast);
    static const char *const addrs[] = { "192.168.1.2", "2001:db8::2" };
    for (int i = 0; i < 2; i++) {
        pl_addr in = ip(addrs[i]), out[PL_MDNS_ANSWERS_MAX];
        size_t len = pl_mdns_respond(name, &in, say, sizeof say);
        PL_EQ(pl_mdns_answer(say, len, name, out, &n), PL_OK);
        PL_EQ(n, 1);
        PL_OKAY(pl_addr_eq(&out[0], &in));
        PL_EQ(pl_mdns_answer(say, len, "other.local", out, &n), PL_OK);
        PL_EQ(n, 0);
        PL_OKAY(!pl_mdns_asks_for(say, len, name, &unicast));
        for (size_t cut = 0; cut < len; cut++)
            PL_EQ(pl_mdns_answer(say, cut, name, out, &n), PL_EPROTO);
    }
    pl_addr out[PL_MDNS_ANSWERS_MAX];
    PL_EQ(pl_mdns_answer(ask, ask_len, name, out, &n), PL_EPROTO); /* a query is no answer */
    for (size_t cut = 0; cut < ask_len; cut++)
        PL_EQ(pl_mdns_query(name, true, say, cut), 0);
}

/* Response with a question, a TXT record, two A records and an AAAA record in the additional section; all
 * names but the first are pointers. */
static const uint8_t avahi[] = {
    0,    0,   0x84, 0,   0,    1,   0,    3, 0, 0,   0, 1,   4,    'p', 'e', 'e',
    'r',  5,   'l',  'o', 'c',  'a', 'l',  0, 0, 1,   0, 1,                        /* 12: peer.local A IN */
    1,    'x', 0xc0, 17,  0,    16,  0x80, 1, 0, 0,   0, 120, 0,    2,   1,   'v', /* x.local TXT */
    0xc0, 12,  0,    1,   0x80, 1,   0,    0, 0, 120, 0, 4,   192,  168, 1,   7,   /* peer.local A */
    0xc0, 12,  0,    1,   0x80, 1,   0,    0, 0, 0,   0, 4,   192,  168, 1,   8,   /* a goodbye */
    0xc0, 12,  0,    28,  0x80, 1,   0,    0, 0, 120, 0, 16,  0x20, 1,   0xd, 0xb8,
    0,    0,   0,    0,   0,    0,   0,    0, 0, 0,   0, 9,
};

PL_TEST(a_real_answer)
{
    pl_addr out[PL_MDNS_ANSWERS_MAX];
    size_t n;
    PL_EQ(pl_mdns_answer(avahi, sizeof avahi, "peer.local", out, &n), PL_OK);
    PL_EQ(n, 2);
    pl_addr a = ip("192.168.1.7"), b = ip("2001:db8::9");
    PL_OKAY(pl_addr_eq(&out[0], &a));
    PL_OKAY(pl_addr_eq(&out[1], &b));
    for (size_t cut = 0; cut < sizeof avahi; cut++)
        PL_EQ(pl_mdns_answer(avahi, cut, "peer.local", out, &n), PL_EPROTO);
}

PL_TEST(names_that_never_end)
{
    /* a pointer to itself, two pointers at each other, a pointer forwards, a label of 64 */
    static const uint8_t tail[][6] = { { 0xc0, 12 }, { 0xc0, 14, 0xc0, 12 }, { 0xc0, 20 }, { 64 } };
    for (size_t i = 0; i < 4; i++) {
        uint8_t wire[40] = { 0, 0, 0x84, 0, 0, 0, 0, 1 };
        pl_addr out[PL_MDNS_ANSWERS_MAX];
        size_t n;
        memcpy(wire + 12, tail[i], sizeof tail[i]);
        PL_EQ(pl_mdns_answer(wire, sizeof wire, name, out, &n), PL_EPROTO);
    }
}

PL_TEST(names_that_are_none)
{
    uint8_t out[PL_MDNS_QUERY_MAX];
    PL_EQ(pl_mdns_query("", false, out, sizeof out), 0);
    PL_EQ(pl_mdns_query("a..local", false, out, sizeof out), 0);
    PL_EQ(pl_mdns_query(".local", false, out, sizeof out), 0);
    PL_EQ(pl_mdns_query("a123456789a123456789a123456789a123456789a123456789a123456789abcd.local", false, out,
                        sizeof out),
          0);
}

PL_TEST(damage_does_no_harm)
{
    pl_rand_seeded state;
    pl_rand r = pl_rand_seed(&state, pl_test_seed(6762));
    for (int round = 0; round < 20000; round++) {
        uint8_t wire[sizeof avahi];
        pl_addr out[PL_MDNS_ANSWERS_MAX];
        size_t n;
        bool unicast;
        memcpy(wire, avahi, sizeof wire);
        for (uint32_t k = 1 + pl_rand_below(&r, 4); k > 0; k--)
            wire[pl_rand_below(&r, sizeof wire)] = (uint8_t)pl_rand_u32(&r);
        if (pl_mdns_answer(wire, sizeof wire, "peer.local", out, &n) == PL_OK)
            PL_LE(n, 3);
        wire[2] = 0;
        pl_mdns_asks_for(wire, sizeof wire, "peer.local", &unicast);
    }
}

PL_TESTS(t(question_and_answer), t(a_real_answer), t(names_that_never_end), t(names_that_are_none),
         t(damage_does_no_harm))
