/* The codec: every attribute there and back, the rules about unknown ones and about order, hostile bytes. */
#include "pl_test.h"

#include "base/rand.h"
#include "stun/integrity.h"
#include "stun/message.h"

static const uint8_t id[PL_STUN_ID_LEN] = "twelve bytes";

static pl_addr addr(const char *text)
{
    pl_addr a;
    PL_EQ(pl_addr_parse(&a, text, strlen(text)), PL_OK);
    return a;
}

static pl_stun_msg parsed(const uint8_t *wire, size_t len)
{
    pl_stun_msg m;
    PL_EQ(pl_stun_parse(&m, wire, len), PL_OK);
    return m;
}

PL_TEST(every_type_there_and_back)
{
    static const uint16_t method[] = { 0x001, 0x002, 0x003, 0x008, 0x00c, 0x080, 0x7ff, 0xfff };
    for (size_t i = 0; i < sizeof method / sizeof method[0]; i++) {
        for (uint8_t cls = 0; cls < 4; cls++) {
            uint8_t out[20];
            pl_stun_wr s = pl_stun_begin(out, sizeof out, cls, method[i], id);
            PL_EQ(pl_stun_end(&s), 20);
            pl_stun_msg m = parsed(out, 20);
            PL_EQ(m.cls, cls);
            PL_EQ(m.method, method[i]);
            PL_MEMEQ(m.id, id, sizeof id);
        }
    }
}

PL_TEST(addresses_there_and_back)
{
    static const uint16_t plain[] = { PL_STUN_MAPPED_ADDRESS, PL_STUN_ALTERNATE_SERVER,
                                      PL_STUN_RESPONSE_ORIGIN, PL_STUN_OTHER_ADDRESS };
    static const uint16_t xored[] = { PL_STUN_XOR_MAPPED_ADDRESS, PL_STUN_XOR_PEER_ADDRESS,
                                      PL_STUN_XOR_RELAYED_ADDRESS };
    static const char *const text[] = { "192.0.2.7:1", "255.255.255.255:65535", "[2001:db8::1]:443",
                                        "[::]:0" };
    for (size_t t = 0; t < 4; t++) {
        uint8_t out[256];
        pl_addr in = addr(text[t]), got;
        pl_stun_wr s = pl_stun_begin(out, sizeof out, PL_STUN_SUCCESS, PL_STUN_ALLOCATE, id);
        for (size_t i = 0; i < 4; i++)
            pl_stun_put_addr(&s, plain[i], &in);
        for (size_t i = 0; i < 3; i++)
            pl_stun_put_xor_addr(&s, xored[i], &in);
        pl_stun_msg m = parsed(out, pl_stun_end(&s));
        for (size_t i = 0; i < 4; i++) {
            PL_EQ(pl_stun_get_addr(&m, plain[i], &got), PL_OK);
            PL_OKAY(pl_addr_eq(&got, &in));
        }
        for (size_t i = 0; i < 3; i++) {
            PL_EQ(pl_stun_get_xor_addr(&m, xored[i], &got), PL_OK);
            PL_OKAY(pl_addr_eq(&got, &in));
        }
        PL_EQ(pl_stun_get_addr(&m, PL_STUN_CHANGED_ADDRESS, &got), PL_ENOTSUP);
    }
}

PL_TEST(several_of_one_type)
{
    uint8_t out[128];
    pl_addr a = addr("192.0.2.1:1"), b = addr("192.0.2.2:2"), got;
    pl_stun_wr s = pl_stun_begin(out, sizeof out, PL_STUN_REQUEST, PL_STUN_CREATE_PERMISSION, id);
    pl_stun_put_xor_addr(&s, PL_STUN_XOR_PEER_ADDRESS, &a);
    pl_stun_put_u32(&s, PL_STUN_LIFETIME, 600);
    pl_stun_put_xor_addr(&s, PL_STUN_XOR_PEER_ADDRESS, &b);
    pl_stun_msg m = parsed(out, pl_stun_end(&s));
    PL_EQ(pl_stun_get_xor_addr_nth(&m, PL_STUN_XOR_PEER_ADDRESS, 0, &got), PL_OK);
    PL_OKAY(pl_addr_eq(&got, &a));
    PL_EQ(pl_stun_get_xor_addr_nth(&m, PL_STUN_XOR_PEER_ADDRESS, 1, &got), PL_OK);
    PL_OKAY(pl_addr_eq(&got, &b));
    PL_EQ(pl_stun_get_xor_addr_nth(&m, PL_STUN_XOR_PEER_ADDRESS, 2, &got), PL_ENOTSUP);
}

/* Scalars, texts and flags of RFC 8489, 5780, 8445 and 8656. */
static size_t build_rich(uint8_t *out, size_t cap)
{
    static const uint16_t algorithms[] = { PL_STUN_ALG_SHA256, PL_STUN_ALG_MD5 };
    static const uint16_t unknown[] = { 0x7001, 0x7002, 0x7003 };
    static const uint8_t token[8] = "reserved";
    pl_stun_icmp icmp = { .type = 3, .code = 300, .data = 1280 };
    pl_stun_wr s = pl_stun_begin(out, cap, PL_STUN_ERROR, PL_STUN_ALLOCATE, id);
    pl_stun_put_str(&s, PL_STUN_USERNAME, PL_STR("a:b"));
    pl_stun_put_str(&s, PL_STUN_REALM, PL_STR("realm"));
    pl_stun_put_str(&s, PL_STUN_NONCE, PL_STR(""));
    pl_stun_put_str(&s, PL_STUN_ALTERNATE_DOMAIN, PL_STR("example.net"));
    pl_stun_put_error(&s, 438, NULL);
    pl_stun_put_unknown(&s, unknown, 3);
    pl_stun_put_algorithm(&s, PL_STUN_ALG_SHA256);
    pl_stun_put_algorithms(&s, algorithms, 2);
    pl_stun_put_u16(&s, PL_STUN_CHANNEL_NUMBER, 0x4001);
    pl_stun_put_u32(&s, PL_STUN_LIFETIME, 600);
    pl_stun_put(&s, PL_STUN_DATA_ATTR, "12345", 5);
    pl_stun_put_u8(&s, PL_STUN_REQUESTED_ADDRESS_FAMILY, 2);
    pl_stun_put_u8(&s, PL_STUN_ADDITIONAL_ADDRESS_FAMILY, 2);
    pl_stun_put_u8(&s, PL_STUN_REQUESTED_TRANSPORT, 17);
    pl_stun_put_even_port(&s, true);
    pl_stun_put_flag(&s, PL_STUN_DONT_FRAGMENT);
    pl_stun_put(&s, PL_STUN_RESERVATION_TOKEN, token, sizeof token);
    pl_stun_put_address_error(&s, PL_AF_IP6, 440, NULL);
    pl_stun_put_icmp(&s, &icmp);
    pl_stun_put_u32(&s, PL_STUN_PRIORITY, 0x7effffff);
    pl_stun_put_flag(&s, PL_STUN_USE_CANDIDATE);
    pl_stun_put_u64(&s, PL_STUN_ICE_CONTROLLING, 0x0123456789abcdef);
    pl_stun_put_u32(&s, PL_STUN_CHANGE_REQUEST, PL_STUN_CHANGE_IP | PL_STUN_CHANGE_PORT);
    pl_stun_put_u16(&s, PL_STUN_RESPONSE_PORT, 4711);
    pl_stun_put(&s, PL_STUN_PADDING, "\0\0\0", 3);
    pl_stun_put_u32(&s, PL_STUN_CACHE_TIMEOUT, 9);
    pl_stun_put_u32(&s, PL_STUN_CONNECTION_ID, 7);
    pl_stun_put_integrity(&s, "key", 3);
    pl_stun_put_integrity256(&s, "key", 3, 16);
    pl_stun_put_fingerprint(&s);
    return pl_stun_end(&s);
}

PL_TEST(every_attribute_there_and_back)
{
    uint8_t out[1024], u8;
    uint16_t u16, types[2];
    uint32_t u32;
    uint64_t u64;
    size_t n;
    pl_str text;
    pl_rd value;
    pl_family family;
    pl_stun_icmp icmp;
    pl_stun_msg m = parsed(out, build_rich(out, sizeof out));
    PL_EQ(m.n_unknown, 0);
    PL_EQ(pl_stun_get_str(&m, PL_STUN_USERNAME, &text), PL_OK);
    PL_OKAY(pl_str_is(text, "a:b"));
    PL_EQ(pl_stun_get_str(&m, PL_STUN_NONCE, &text), PL_OK);
    PL_EQ(text.n, 0);
    PL_EQ(pl_stun_get_str(&m, PL_STUN_ALTERNATE_DOMAIN, &text), PL_OK);
    PL_OKAY(pl_str_is(text, "example.net"));
    PL_EQ(pl_stun_get_error(&m, &u16, &text), PL_OK);
    PL_EQ(u16, 438);
    PL_OKAY(pl_str_is(text, "Stale Nonce"));
    PL_EQ(pl_stun_get_unknown(&m, types, 2, &n), PL_OK);
    PL_EQ(n, 3);
    PL_EQ(types[1], 0x7002);
    PL_EQ(pl_stun_get_algorithm(&m, &u16), PL_OK);
    PL_EQ(u16, PL_STUN_ALG_SHA256);
    PL_EQ(pl_stun_get_algorithms(&m, &u32), PL_OK);
    PL_EQ(u32, 1 << PL_STUN_ALG_MD5 | 1 << PL_STUN_ALG_SHA256);
    PL_EQ(pl_stun_get_u16(&m, PL_STUN_CHANNEL_NUMBER, &u16), PL_OK);
    PL_EQ(u16, 0x4001);
    PL_EQ(pl_stun_get_u32(&m, PL_STUN_LIFETIME, &u32), PL_OK);
    PL_EQ(u32, 600);
    PL_OKAY(pl_stun_find(&m, PL_STUN_DATA_ATTR, &value));
    PL_EQ(pl_rd_left(&value), 5);
    PL_MEMEQ(value.p, "12345", 5);
    PL_EQ(pl_stun_get_u8(&m, PL_STUN_REQUESTED_ADDRESS_FAMILY, &u8), PL_OK);
    PL_EQ(u8, 2);
    PL_EQ(pl_stun_get_u8(&m, PL_STUN_ADDITIONAL_ADDRESS_FAMILY, &u8), PL_OK);
    PL_EQ(pl_stun_get_u8(&m, PL_STUN_REQUESTED_TRANSPORT, &u8), PL_OK);
    PL_EQ(u8, 17);
    PL_EQ(pl_stun_get_u8(&m, PL_STUN_EVEN_PORT, &u8), PL_OK);
    PL_EQ(u8, 0x80);
    PL_EQ(pl_stun_get_flag(&m, PL_STUN_DONT_FRAGMENT), PL_OK);
    PL_EQ(pl_stun_get_u64(&m, PL_STUN_RESERVATION_TOKEN, &u64), PL_OK);
    PL_EQ(pl_stun_get_address_error(&m, &family, &u16, &text), PL_OK);
    PL_EQ(family, PL_AF_IP6);
    PL_EQ(u16, 440);
    PL_EQ(pl_stun_get_icmp(&m, &icmp), PL_OK);
    PL_EQ(icmp.type, 3);
    PL_EQ(icmp.code, 300);
    PL_EQ(icmp.data, 1280);
    PL_EQ(pl_stun_get_flag(&m, PL_STUN_USE_CANDIDATE), PL_OK);
    PL_EQ(pl_stun_get_u64(&m, PL_STUN_ICE_CONTROLLING, &u64), PL_OK);
    PL_OKAY(u64 == 0x0123456789abcdef);
    PL_EQ(pl_stun_get_u32(&m, PL_STUN_CHANGE_REQUEST, &u32), PL_OK);
    PL_EQ(u32, 6);
    PL_EQ(pl_stun_get_u16(&m, PL_STUN_RESPONSE_PORT, &u16), PL_OK);
    PL_EQ(u16, 4711);
    PL_EQ(pl_stun_check_integrity(&m, "key", 3), PL_OK);
    PL_EQ(pl_stun_check_integrity256(&m, "key", 3), PL_OK);
    PL_EQ(pl_stun_check_fingerprint(&m), PL_OK);
}

PL_TEST(a_message_that_does_not_fit_is_not_sent)
{
    uint8_t out[1024];
    size_t whole = build_rich(out, sizeof out);
    for (size_t cap = 0; cap < whole; cap++)
        PL_EQ(build_rich(out, cap), 0);
    PL_EQ(build_rich(out, sizeof out), whole);
    for (size_t cut = 0; cut < whole; cut++) {
        pl_stun_msg m;
        PL_EQ(pl_stun_parse(&m, out, cut), PL_EPROTO);
    }
    pl_stun_wr s = pl_stun_begin(out, sizeof out, PL_STUN_REQUEST, PL_STUN_BINDING, id);
    pl_stun_put_str(&s, PL_STUN_USERNAME, (pl_str){ (const char *)out, PL_STUN_USERNAME_MAX + 1 });
    PL_EQ(pl_stun_end(&s), 0);
}

PL_TEST(unknown_attributes_are_listed)
{
    uint8_t out[256];
    pl_stun_wr s = pl_stun_begin(out, sizeof out, PL_STUN_REQUEST, PL_STUN_BINDING, id);
    pl_stun_put_u32(&s, 0x7fff, 1);
    pl_stun_put_u32(&s, 0xffff, 1); /* may be ignored */
    pl_stun_put_u32(&s, 0x0f00, 1);
    pl_stun_put_integrity(&s, "k", 1);
    pl_stun_put_u32(&s, 0x7ffe, 1); /* behind the integrity: anybody may have put it there */
    pl_stun_put_flag(&s, PL_STUN_USE_CANDIDATE);
    pl_stun_put_fingerprint(&s);
    pl_stun_msg m = parsed(out, pl_stun_end(&s));
    PL_EQ(m.n_unknown, 2);
    PL_EQ(m.unknown[0], 0x7fff);
    PL_EQ(m.unknown[1], 0x0f00);
    PL_EQ(pl_stun_get_flag(&m, PL_STUN_USE_CANDIDATE), PL_ENOTSUP);
    PL_EQ(pl_stun_check_integrity(&m, "k", 1), PL_OK);
}

PL_TEST(sha256_truncations)
{
    for (size_t tag = 0; tag <= 40; tag++) {
        uint8_t out[128];
        bool legal = tag >= 16 && tag <= 32 && tag % 4 == 0;
        pl_stun_wr s = pl_stun_begin(out, sizeof out, PL_STUN_REQUEST, PL_STUN_BINDING, id);
        pl_stun_put_integrity256(&s, "k", 1, tag);
        size_t len = pl_stun_end(&s);
        PL_EQ(len != 0, legal);
        if (legal) {
            pl_stun_msg m = parsed(out, len);
            PL_EQ(pl_stun_check_integrity256(&m, "k", 1), PL_OK);
            PL_EQ(pl_stun_check_integrity256(&m, "l", 1), PL_EPROTO);
        }
    }
    /* A tag shorter than the shortest one allowed is refused though its bytes are right. */
    uint8_t out[128];
    pl_stun_wr s = pl_stun_begin(out, sizeof out, PL_STUN_REQUEST, PL_STUN_BINDING, id);
    pl_stun_put(&s, PL_STUN_MESSAGE_INTEGRITY_SHA256, "", 0);
    pl_stun_msg m = parsed(out, pl_stun_end(&s));
    PL_EQ(pl_stun_check_integrity256(&m, "k", 1), PL_EPROTO);
}

PL_TEST(values_of_the_wrong_form)
{
    /* family 3; 5 bytes of address; error class 2 and number 100; odd list; algorithms cut short */
    static const struct {
        uint16_t type;
        uint8_t len, value[8];
    } bad[] = {
        { PL_STUN_MAPPED_ADDRESS, 8, { 0, 3, 0, 1, 1, 2, 3, 4 } },
        { PL_STUN_MAPPED_ADDRESS, 7, { 0, 1, 0, 1, 1, 2, 3 } },
        { PL_STUN_MAPPED_ADDRESS, 8, { 0, 2, 0, 1, 1, 2, 3, 4 } },
        { PL_STUN_ERROR_CODE, 4, { 0, 0, 2, 1 } },
        { PL_STUN_ERROR_CODE, 4, { 0, 0, 4, 100 } },
        { PL_STUN_ERROR_CODE, 3, { 0, 0, 4 } },
        { PL_STUN_UNKNOWN_ATTRIBUTES, 3, { 0, 1, 2 } },
        { PL_STUN_PASSWORD_ALGORITHMS, 6, { 0, 1, 0, 0, 0, 2 } },
        { PL_STUN_PASSWORD_ALGORITHM, 4, { 0, 1, 0, 9 } },
        { PL_STUN_PRIORITY, 3, { 1, 2, 3 } },
        { PL_STUN_USE_CANDIDATE, 1, { 1 } },
        { PL_STUN_EVEN_PORT, 2, { 1, 1 } },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t out[64], u8;
        uint16_t u16;
        uint32_t u32;
        size_t n;
        pl_addr a;
        pl_str text;
        pl_stun_wr s = pl_stun_begin(out, sizeof out, PL_STUN_SUCCESS, PL_STUN_BINDING, id);
        pl_stun_put(&s, bad[i].type, bad[i].value, bad[i].len);
        pl_stun_msg m = parsed(out, pl_stun_end(&s));
        pl_err err = PL_OK;
        switch (bad[i].type) {
        case PL_STUN_MAPPED_ADDRESS: err = pl_stun_get_addr(&m, bad[i].type, &a); break;
        case PL_STUN_ERROR_CODE: err = pl_stun_get_error(&m, &u16, &text); break;
        case PL_STUN_UNKNOWN_ATTRIBUTES: err = pl_stun_get_unknown(&m, &u16, 1, &n); break;
        case PL_STUN_PASSWORD_ALGORITHMS: err = pl_stun_get_algorithms(&m, &u32); break;
        case PL_STUN_PASSWORD_ALGORITHM: err = pl_stun_get_algorithm(&m, &u16); break;
        case PL_STUN_PRIORITY: err = pl_stun_get_u32(&m, bad[i].type, &u32); break;
        case PL_STUN_USE_CANDIDATE: err = pl_stun_get_flag(&m, bad[i].type); break;
        case PL_STUN_EVEN_PORT: err = pl_stun_get_u8(&m, bad[i].type, &u8); break;
        }
        PL_EQ(err, PL_EPROTO);
    }
}

PL_TEST(broken_frames)
{
    /* Binding request with one attribute of type 0x8022; what is wrong stands beside each */
    static const struct {
        uint8_t wire[32];
        size_t len;
    } bad[] = {
        { { 0x40, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42 }, 20 }, /* first bits: not STUN */
        { { 0, 1, 0, 4, 0x21, 0x12, 0xa4, 0x42 }, 20 },    /* length beyond the end */
        { { 0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42 }, 24 },    /* bytes behind the end */
        { { 0, 1, 0, 2, 0x21, 0x12, 0xa4, 0x42 }, 22 },    /* no multiple of four */
        { { [1] = 1, [3] = 4, 0x21, 0x12, 0xa4, 0x42, [20] = 0x80, 0x22, 0, 1 }, 24 }, /* value cut off */
        { { [1] = 1, [3] = 8, 0x21, 0x12, 0xa4, 0x42, [20] = 0x80, 0x22, 0xff, 0xff }, 28 },
        { { [1] = 1, [3] = 8, 0x21, 0x12, 0xa4, 0x42, [20] = 0x80, 0x28, 0, 0, 0x80, 0x22, 0, 0 },
          28 }, /* behind
        FINGERPRINT */
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        pl_stun_msg m;
        PL_EQ(pl_stun_parse(&m, bad[i].wire, bad[i].len), PL_EPROTO);
    }
    uint8_t many[20 + 4 * (PL_STUN_ATTRS_MAX + 1)];
    pl_stun_wr s = pl_stun_begin(many, sizeof many, PL_STUN_REQUEST, PL_STUN_BINDING, id);
    for (int i = 0; i <= PL_STUN_ATTRS_MAX; i++)
        pl_stun_put_flag(&s, PL_STUN_SOFTWARE);
    pl_stun_msg m;
    PL_EQ(pl_stun_parse(&m, many, pl_stun_end(&s)), PL_ENOSPC);
}

PL_TEST(classic_messages_are_recognised)
{
    /* RFC 3489 Binding request with CHANGE-REQUEST: 16 bytes of transaction id where the cookie is today */
    static const uint8_t wire[] = { 0,  1,  0,  8,  1,  2,  3, 4, 5, 6, 7, 8, 9, 10,
                                    11, 12, 13, 14, 15, 16, 0, 3, 0, 4, 0, 0, 0, 6 };
    PL_OKAY(!pl_stun_is_message(wire, sizeof wire));
    pl_stun_msg m = parsed(wire, sizeof wire);
    uint32_t flags;
    PL_OKAY(m.classic);
    PL_EQ(pl_stun_get_u32(&m, PL_STUN_CHANGE_REQUEST, &flags), PL_OK);
    PL_EQ(flags, PL_STUN_CHANGE_IP | PL_STUN_CHANGE_PORT);
    uint8_t out[64];
    pl_stun_wr s = pl_stun_begin_reply(out, sizeof out, PL_STUN_SUCCESS, &m);
    PL_EQ(pl_stun_end(&s), 20);
    PL_MEMEQ(out + 4, wire + 4, 16);
}

/* Random damage to a full message: whatever parses can be asked everything. */
PL_TEST(damaged_messages_do_no_harm)
{
    pl_rand_seeded state;
    uint64_t seed = pl_test_seed(5769);
    pl_rand rand = pl_rand_seed(&state, seed);
    uint8_t good[1024], wire[1024];
    size_t len = build_rich(good, sizeof good), n_parsed = 0;
    for (int round = 0; round < 20000; round++) {
        memcpy(wire, good, len);
        for (uint32_t n = 1 + pl_rand_below(&rand, 4); n > 0; n--)
            wire[20 + pl_rand_below(&rand, (uint32_t)len - 20)] = (uint8_t)pl_rand_u32(&rand);
        pl_stun_msg m;
        if (pl_stun_parse(&m, wire, len))
            continue;
        n_parsed++;
        for (uint32_t type = 0; type < 0x30; type++) {
            pl_addr a;
            pl_str text;
            uint64_t u64;
            pl_err e1 = pl_stun_get_xor_addr(&m, (uint16_t)type, &a);
            pl_err e2 = pl_stun_get_str(&m, (uint16_t)type, &text);
            pl_err e3 = pl_stun_get_u64(&m, (uint16_t)type, &u64);
            PL_OKAY(e1 != PL_OK || a.family == PL_AF_IP4 || a.family == PL_AF_IP6);
            PL_OKAY(e2 != PL_OK || text.n <= PL_STUN_TEXT_MAX);
            PL_EQ(e2 == PL_ENOTSUP, e3 == PL_ENOTSUP);
        }
        PL_OKAY(pl_stun_check_integrity(&m, "key", 3) != PL_OK || m.integrity_at);
    }
    PL_GE(n_parsed, 1000);
}

PL_TESTS(t(every_type_there_and_back), t(addresses_there_and_back), t(several_of_one_type),
         t(every_attribute_there_and_back), t(a_message_that_does_not_fit_is_not_sent),
         t(unknown_attributes_are_listed), t(sha256_truncations), t(values_of_the_wrong_form),
         t(broken_frames), t(classic_messages_are_recognised), t(damaged_messages_do_no_harm))
