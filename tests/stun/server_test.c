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

PL_TESTS(t(says_where_you_come_from), t(names_itself_and_signs_when_paid_for),
         t(old_clients_get_the_plain_address), t(unknown_attributes_get_a_420),
         t(malformed_attributes_get_a_400), t(silent_to_everything_else), t(no_amplification))
