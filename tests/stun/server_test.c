/* The responder: what it says to whom, and that it never says much. */
#include "pl_test.h"

#include "base/rand.h"
#include "stun/integrity.h"
#include "stun/server.h"

static const uint8_t id[PL_STUN_ID_LEN] = "twelve bytes";
static const pl_stun_server_conf conf = { .software = "peerline" };
static pl_stun_server_counters count;

static pl_addr addr(const char *text)
{
    pl_addr a;
    PL_EQ(pl_addr_parse(&a, text, strlen(text)), PL_OK);
    return a;
}

static pl_stun_wr binding(uint8_t *buf, size_t cap)
{
    return pl_stun_begin(buf, cap, PL_STUN_REQUEST, PL_STUN_BINDING, id);
}

static size_t ask(const uint8_t *wire, size_t len, const char *from, uint8_t out[PL_STUN_RESPOND_MAX])
{
    pl_addr source = addr(from);
    count = (pl_stun_server_counters){ 0 };
    return pl_stun_respond(&conf, &count, wire, len, &source, out, PL_STUN_RESPOND_MAX);
}

PL_TEST(says_where_you_come_from)
{
    static const char *const from[] = { "192.0.2.1:32853", "[2001:db8::7]:9" };
    for (int i = 0; i < 2; i++) {
        uint8_t wire[64], out[PL_STUN_RESPOND_MAX];
        pl_addr source = addr(from[i]), got;
        pl_stun_msg m;
        pl_stun_wr s = binding(wire, sizeof wire);
        PL_EQ(pl_stun_parse(&m, out, ask(wire, pl_stun_end(&s), from[i], out)), PL_OK);
        PL_EQ(m.cls, PL_STUN_SUCCESS);
        PL_MEMEQ(m.id, id, sizeof id);
        PL_EQ(pl_stun_get_xor_addr(&m, PL_STUN_XOR_MAPPED_ADDRESS, &got), PL_OK);
        PL_OKAY(pl_addr_eq(&got, &source));
        PL_EQ(m.len, i ? 44 : 32); /* the bare answer to the bare question */
        PL_EQ(count.requests, 1);
    }
}

PL_TEST(names_itself_and_signs_when_paid_for)
{
    uint8_t wire[128], out[PL_STUN_RESPOND_MAX];
    pl_stun_msg m;
    pl_str software;
    pl_stun_wr s = binding(wire, sizeof wire);
    pl_stun_put_str(&s, PL_STUN_SOFTWARE, PL_STR("a client with a rather long name"));
    pl_stun_put_fingerprint(&s);
    size_t len = pl_stun_end(&s);
    PL_EQ(pl_stun_parse(&m, out, ask(wire, len, "192.0.2.1:1", out)), PL_OK);
    PL_EQ(pl_stun_get_str(&m, PL_STUN_SOFTWARE, &software), PL_OK);
    PL_OKAY(pl_str_is(software, "peerline"));
    PL_EQ(pl_stun_check_fingerprint(&m), PL_OK);
    wire[len - 1] ^= 1;
    PL_EQ(ask(wire, len, "192.0.2.1:1", out), 0);
    PL_EQ(count.ignored, 1);
}

PL_TEST(old_clients_get_the_plain_address)
{
    static const uint8_t wire[] = { 0,  1,  0,  8,  1,  2,  3, 4, 5, 6, 7, 8, 9, 10,
                                    11, 12, 13, 14, 15, 16, 0, 3, 0, 4, 0, 0, 0, 0 };
    uint8_t out[PL_STUN_RESPOND_MAX];
    pl_addr got, source = addr("192.0.2.1:32853");
    pl_stun_msg m;
    PL_EQ(pl_stun_parse(&m, out, ask(wire, sizeof wire, "192.0.2.1:32853", out)), PL_OK);
    PL_OKAY(m.classic);
    PL_MEMEQ(out + 4, wire + 4, 16);
    PL_EQ(pl_stun_get_addr(&m, PL_STUN_MAPPED_ADDRESS, &got), PL_OK);
    PL_OKAY(pl_addr_eq(&got, &source));
    PL_EQ(count.classic, 1);
}

PL_TEST(unknown_attributes_get_a_420)
{
    uint8_t wire[64], out[PL_STUN_RESPOND_MAX];
    pl_stun_msg m;
    pl_str reason;
    uint16_t code, types[4];
    size_t n;
    pl_stun_wr s = binding(wire, sizeof wire);
    pl_stun_put_u32(&s, 0x7abc, 0);
    pl_stun_put_u32(&s, PL_STUN_CHANGE_REQUEST, PL_STUN_CHANGE_PORT);
    PL_EQ(pl_stun_parse(&m, out, ask(wire, pl_stun_end(&s), "192.0.2.1:1", out)), PL_OK);
    PL_EQ(m.cls, PL_STUN_ERROR);
    PL_EQ(pl_stun_get_error(&m, &code, &reason), PL_OK);
    PL_EQ(code, 420);
    PL_EQ(pl_stun_get_unknown(&m, types, 4, &n), PL_OK);
    PL_EQ(n, 2);
    PL_EQ(types[0], 0x7abc);
    PL_EQ(types[1], PL_STUN_CHANGE_REQUEST);
    PL_EQ(count.errors, 1);
}

PL_TEST(malformed_attributes_get_a_400)
{
    uint8_t wire[64], out[PL_STUN_RESPOND_MAX];
    pl_stun_msg m;
    pl_str reason;
    uint16_t code;
    pl_stun_wr s = binding(wire, sizeof wire);
    pl_stun_put_u64(&s, PL_STUN_CHANGE_REQUEST, 0);
    PL_EQ(pl_stun_parse(&m, out, ask(wire, pl_stun_end(&s), "192.0.2.1:1", out)), PL_OK);
    PL_EQ(pl_stun_get_error(&m, &code, &reason), PL_OK);
    PL_EQ(code, 400);
}

PL_TEST(silent_to_everything_else)
{
    uint8_t wire[64], out[PL_STUN_RESPOND_MAX];
    for (int cls = 0; cls < 4; cls++) {
        for (uint16_t method = 0; method < 16; method++) {
            pl_stun_wr s = pl_stun_begin(wire, sizeof wire, (pl_stun_class)cls, method, id);
            size_t len = ask(wire, pl_stun_end(&s), "192.0.2.1:1", out);
            PL_EQ(len > 0, cls == PL_STUN_REQUEST && method == PL_STUN_BINDING);
        }
    }
    PL_EQ(ask((const uint8_t *)"GET / HTTP/1.0\r\n\r\n", 18, "192.0.2.1:1", out), 0);
}

/* Whatever comes in, at most 1.5 times as much goes out, or the bare answer. */
PL_TEST(no_amplification)
{
    pl_rand_seeded state;
    pl_rand rand = pl_rand_seed(&state, pl_test_seed(3478));
    size_t n_answers = 0;
    for (int round = 0; round < 20000; round++) {
        uint8_t wire[512], out[PL_STUN_RESPOND_MAX];
        pl_stun_wr s = binding(wire, sizeof wire);
        for (uint32_t n = pl_rand_below(&rand, 20); n > 0; n--)
            pl_stun_put(&s, (uint16_t)(pl_rand_below(&rand, 0x40) | (pl_rand_u32(&rand) & 0x8000)), wire,
                        pl_rand_below(&rand, 12));
        if (pl_rand_u32(&rand) & 1)
            pl_stun_put_fingerprint(&s);
        size_t len = pl_stun_end(&s);
        if (len > 8 && (pl_rand_u32(&rand) & 7) == 0)
            memset(wire + 4, 7, 4); /* a classic one */
        bool v6 = pl_rand_u32(&rand) & 1;
        size_t out_len = ask(wire, len, v6 ? "[2001:db8::1]:1" : "192.0.2.1:1", out);
        n_answers += out_len > 0;
        size_t bare = (v6 ? 44 : 32) + (len >= 28 && pl_get16(wire + len - 8) == PL_STUN_FINGERPRINT ? 8 : 0);
        PL_LE(out_len * 2, (bare * 2 > len * 3 ? bare * 2 : len * 3));
    }
    PL_GE(n_answers, 1000);
}

/* ---- with two addresses ---- */

static pl_stun_server four;
static pl_stun_reply reply;

static pl_stun_msg ask_four(const uint8_t *wire, size_t len, const char *from, uint8_t at, bool stream)
{
    static uint8_t out[PL_STUN_SERVE_MAX];
    static pl_addr source;
    pl_stun_server_conf two = { .software = "peerline",
                                .primary = addr("198.51.100.1:3478"),
                                .alternate = addr("198.51.100.2:3479") };
    pl_stun_msg m = { 0 };
    source = addr(from);
    count = (pl_stun_server_counters){ 0 };
    pl_stun_server_init(&four, &two);
    pl_stun_query q = { .pkt = wire, .len = len, .source = &source, .at = at, .stream = stream };
    size_t n = pl_stun_serve(&four, &count, &q, out, sizeof out, &reply);
    PL_EQ(n, reply.len);
    if (n)
        PL_EQ(pl_stun_parse(&m, out, n), PL_OK);
    return m;
}

static bool has_addr(const pl_stun_msg *m, uint16_t type, const char *text)
{
    pl_addr want = addr(text), got;
    return pl_stun_get_addr(m, type, &got) == PL_OK && pl_addr_eq(&got, &want);
}

static uint16_t code_of(const pl_stun_msg *m)
{
    uint16_t code;
    pl_str reason;
    return pl_stun_get_error(m, &code, &reason) == PL_OK ? code : 0;
}

static const char *const four_addr[] = { "198.51.100.1:3478", "198.51.100.1:3479", "198.51.100.2:3478",
                                         "198.51.100.2:3479" };

/* RFC 5780 6.1, table 1, from each of the four sockets. */
PL_TEST(answers_from_where_it_is_asked_to)
{
    static const uint8_t moves[] = { 0, PL_STUN_AT_PORT, PL_STUN_AT_IP, PL_STUN_AT_BOTH };
    static const uint32_t flags[] = { 0, PL_STUN_CHANGE_PORT, PL_STUN_CHANGE_IP,
                                      PL_STUN_CHANGE_IP | PL_STUN_CHANGE_PORT };
    pl_addr source = addr("192.0.2.1:1");
    for (unsigned at = 0; at < PL_STUN_N_SOCKETS; at++) {
        for (int i = 0; i < 4; i++) {
            uint8_t wire[64];
            pl_stun_wr s = binding(wire, sizeof wire);
            pl_stun_put_u32(&s, PL_STUN_CHANGE_REQUEST, flags[i]);
            pl_stun_msg m = ask_four(wire, pl_stun_end(&s), "192.0.2.1:1", (uint8_t)at, false);
            PL_EQ(m.cls, PL_STUN_SUCCESS);
            PL_EQ(reply.from, at ^ moves[i]);
            PL_OKAY(pl_addr_eq(&reply.to, &source));
            PL_OKAY(has_addr(&m, PL_STUN_RESPONSE_ORIGIN, four_addr[at ^ moves[i]]));
            PL_OKAY(has_addr(&m, PL_STUN_OTHER_ADDRESS, four_addr[at ^ PL_STUN_AT_BOTH]));
            PL_EQ(m.len, 56); /* for 28: with IP and UDP 84 for 56 on the wire */
        }
    }
}

PL_TEST(tells_its_other_address_to_everybody)
{
    uint8_t wire[128];
    pl_stun_wr s = binding(wire, sizeof wire);
    pl_stun_msg m = ask_four(wire, pl_stun_end(&s), "192.0.2.1:1", PL_STUN_AT_PRIMARY, false);
    PL_OKAY(has_addr(&m, PL_STUN_OTHER_ADDRESS, four_addr[PL_STUN_AT_BOTH]));
    PL_EQ(m.len, 44);
    PL_EQ(count.plain, 1);
    s = binding(wire, sizeof wire); /* who pays is told everything */
    pl_stun_put_str(&s, PL_STUN_SOFTWARE, PL_STR("a client with a name that is rather long, as some have"));
    m = ask_four(wire, pl_stun_end(&s), "192.0.2.1:1", PL_STUN_AT_PRIMARY, false);
    PL_OKAY(has_addr(&m, PL_STUN_RESPONSE_ORIGIN, four_addr[0]));
    PL_OKAY(has_addr(&m, PL_STUN_MAPPED_ADDRESS, "192.0.2.1:1"));
    PL_OKAY(pl_stun_has(&m, PL_STUN_SOFTWARE));
}

PL_TEST(a_stream_cannot_be_answered_from_elsewhere)
{
    uint8_t wire[64];
    pl_stun_wr s = binding(wire, sizeof wire);
    pl_stun_put_u32(&s, PL_STUN_CHANGE_REQUEST, PL_STUN_CHANGE_IP);
    pl_stun_msg m = ask_four(wire, pl_stun_end(&s), "192.0.2.1:1", 0, true);
    PL_EQ(code_of(&m), 420);
    s = binding(wire, sizeof wire);
    pl_stun_put_u16(&s, PL_STUN_RESPONSE_PORT, 99);
    m = ask_four(wire, pl_stun_end(&s), "192.0.2.1:1", 0, true);
    PL_EQ(code_of(&m), 420);
    PL_EQ(reply.to.port, 1);
}

PL_TEST(another_port_of_the_same_host)
{
    uint8_t wire[128];
    pl_addr to = addr("192.0.2.1:99");
    pl_stun_wr s = binding(wire, sizeof wire);
    pl_stun_put_u16(&s, PL_STUN_RESPONSE_PORT, 99);
    pl_stun_msg m = ask_four(wire, pl_stun_end(&s), "192.0.2.1:1", 0, false);
    pl_addr mapped;
    PL_EQ(m.cls, PL_STUN_SUCCESS);
    PL_OKAY(pl_addr_eq(&reply.to, &to));
    PL_EQ(pl_stun_get_xor_addr(&m, PL_STUN_XOR_MAPPED_ADDRESS, &mapped), PL_OK);
    PL_EQ(mapped.port, 1);                          /* where it came from, not where it goes */
    pl_stun_put(&s, PL_STUN_PADDING, "padding", 8); /* RFC 5780 6.1: not together */
    m = ask_four(wire, pl_stun_end(&s), "192.0.2.1:1", 0, false);
    PL_EQ(code_of(&m), 400);
    PL_EQ(reply.to.port, 1);
    s = binding(wire, sizeof wire);
    pl_stun_put_u16(&s, PL_STUN_RESPONSE_PORT, 0);
    m = ask_four(wire, pl_stun_end(&s), "192.0.2.1:1", 0, false);
    PL_EQ(code_of(&m), 400);
    s = binding(wire, sizeof wire); /* RFC 3489's way would reach anybody */
    pl_stun_put_addr(&s, PL_STUN_RESPONSE_ADDRESS, &to);
    m = ask_four(wire, pl_stun_end(&s), "192.0.2.1:1", 0, false);
    PL_EQ(code_of(&m), 420);
}

PL_TEST(padding_for_padding)
{
    static const uint8_t zeros[3000];
    static uint8_t wire[4096];
    static const size_t lens[] = { 4, 100, 1472, 1500, 3000 };
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        pl_rd padding;
        pl_stun_wr s = binding(wire, sizeof wire);
        pl_stun_put(&s, PL_STUN_PADDING, zeros, lens[i]);
        size_t len = pl_stun_end(&s);
        pl_stun_msg m = ask_four(wire, len, "192.0.2.1:1", 0, false);
        PL_EQ(m.cls, PL_STUN_SUCCESS);
        PL_EQ(pl_stun_find(&m, PL_STUN_PADDING, &padding), lens[i] > 4);
        PL_LE(m.len * 2, lens[i] > 4 ? len * 3 : 2 * 56);
        if (lens[i] >= 1500)
            PL_EQ(pl_rd_left(&padding), PL_STUN_PADDING_MAX);
    }
}

/* RFC 3489 8.1: three addresses, all plain. */
PL_TEST(old_clients_get_what_they_expect)
{
    uint8_t wire[] = { 0,  1,  0,  8,  1,  2,  3, 4, 5, 6, 7, 8, 9, 10,
                       11, 12, 13, 14, 15, 16, 0, 3, 0, 4, 0, 0, 0, 6 };
    pl_stun_msg m = ask_four(wire, sizeof wire, "192.0.2.1:1", 0, false);
    PL_OKAY(m.classic);
    PL_OKAY(has_addr(&m, PL_STUN_MAPPED_ADDRESS, "192.0.2.1:1"));
    PL_OKAY(has_addr(&m, PL_STUN_SOURCE_ADDRESS, four_addr[3]));
    PL_OKAY(has_addr(&m, PL_STUN_CHANGED_ADDRESS, four_addr[3]));
    PL_EQ(reply.from, PL_STUN_AT_BOTH);
    uint8_t out[PL_STUN_RESPOND_MAX];
    pl_addr source = addr("192.0.2.1:1");
    pl_stun_query q = { .pkt = wire, .len = sizeof wire, .source = &source, .dtls = true };
    PL_EQ(pl_stun_parse(&m, out, pl_stun_serve(&four, NULL, &q, out, sizeof out, &reply)), PL_OK);
    PL_EQ(code_of(&m), 500); /* RFC 8489 11: there is no classic STUN over DTLS */
}

PL_TEST(half_an_alternate_is_none)
{
    static const char *const bad[] = { "198.51.100.1:3479", "198.51.100.2:3478", "[2001:db8::1]:3479" };
    for (int i = 0; i < 3; i++) {
        pl_stun_server_conf two = { .primary = addr("198.51.100.1:3478"), .alternate = addr(bad[i]) };
        pl_stun_server_init(&four, &two);
        PL_OKAY(!four.discovery);
    }
    pl_stun_server_init(&four, NULL);
    PL_OKAY(!four.discovery && !four.software_len);
}

/* The short way and the long way are one protocol: a buffer a byte too short for the short way's
 * promise takes the long one. */
PL_TEST(both_ways_give_the_same_bytes)
{
    static const uint8_t filler[40];
    pl_rand_seeded state;
    pl_rand rand = pl_rand_seed(&state, pl_test_seed(5389));
    pl_stun_server_conf two = { .software = "peerline",
                                .primary = addr("198.51.100.1:3478"),
                                .alternate = addr("198.51.100.2:3479") };
    uint64_t n_plain = 0;
    for (int round = 0; round < 5000; round++) {
        uint8_t wire[512], by_short[PL_STUN_RESPOND_MAX], by_long[PL_STUN_RESPOND_MAX];
        pl_stun_reply a, b;
        pl_addr source = addr(pl_rand_u32(&rand) & 1 ? "[2001:db8::1]:1" : "192.0.2.1:1");
        if (pl_rand_u32(&rand) & 1)
            two.alternate = addr("198.51.100.2:3479");
        else
            two.alternate = (pl_addr){ 0 };
        pl_stun_server_init(&four, &two);
        pl_stun_wr s = binding(wire, sizeof wire);
        for (uint32_t n = pl_rand_below(&rand, 4); n > 0; n--)
            pl_stun_put(&s, (uint16_t)(0x8000 + pl_rand_below(&rand, 0x40)), filler,
                        pl_rand_below(&rand, 40));
        if (pl_rand_u32(&rand) & 1)
            pl_stun_put_fingerprint(&s);
        pl_stun_query q = { .pkt = wire, .len = pl_stun_end(&s), .source = &source };
        count = (pl_stun_server_counters){ 0 };
        size_t n = pl_stun_serve(&four, &count, &q, by_short, sizeof by_short, &a);
        n_plain += count.plain;
        PL_EQ(pl_stun_serve(&four, &count, &q, by_long, PL_STUN_RESPOND_MAX - 1, &b), n);
        PL_MEMEQ(by_short, by_long, n);
        PL_EQ(a.from, b.from);
        PL_OKAY(pl_addr_eq(&a.to, &b.to));
    }
    PL_GE(n_plain, 4000);
}

PL_TESTS(t(says_where_you_come_from), t(names_itself_and_signs_when_paid_for),
         t(old_clients_get_the_plain_address), t(unknown_attributes_get_a_420),
         t(malformed_attributes_get_a_400), t(silent_to_everything_else), t(no_amplification),
         t(answers_from_where_it_is_asked_to), t(tells_its_other_address_to_everybody),
         t(a_stream_cannot_be_answered_from_elsewhere), t(another_port_of_the_same_host),
         t(padding_for_padding), t(old_clients_get_what_they_expect), t(half_an_alternate_is_none),
         t(both_ways_give_the_same_bytes))
