/* The published messages: RFC 5769 2.1 to 2.4 and RFC 8489 B.1 with erratum 6268. */
#include "pl_test.h"

#include "crypto/hmac.h"
#include "stun/integrity.h"
#include "stun/message.h"

static const char password[] = "VOkJxbRl1RmTxUk/WvJxBt";
/* The user's name in katakana, and the password as it is after OpaqueString preparation. */
static const char matrix[] = "\xe3\x83\x9e\xe3\x83\x88\xe3\x83\xaa\xe3\x83\x83\xe3\x82\xaf\xe3\x82\xb9";
static const char the_matrix[] = "TheMatrIX";

/* RFC 5769 2.1: SOFTWARE, PRIORITY, ICE-CONTROLLED, USERNAME, MESSAGE-INTEGRITY, FINGERPRINT */
static const uint8_t request[] = { 0x00, 0x01, 0x00, 0x58, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01,
                                   0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x10,
                                   'S',  'T',  'U',  'N',  ' ',  't',  'e',  's',  't',  ' ',  'c',  'l',
                                   'i',  'e',  'n',  't',  0x00, 0x24, 0x00, 0x04, 0x6e, 0x00, 0x01, 0xff,
                                   0x80, 0x29, 0x00, 0x08, 0x93, 0x2f, 0xf9, 0xb1, 0x51, 0x26, 0x3b, 0x36,
                                   0x00, 0x06, 0x00, 0x09, 'e',  'v',  't',  'j',  ':',  'h',  '6',  'v',
                                   'Y',  ' ',  ' ',  ' ',  0x00, 0x08, 0x00, 0x14, 0x9a, 0xea, 0xa7, 0x0c,
                                   0xbf, 0xd8, 0xcb, 0x56, 0x78, 0x1e, 0xf2, 0xb5, 0xb2, 0xd3, 0xf2, 0x49,
                                   0xc1, 0xb5, 0x71, 0xa2, 0x80, 0x28, 0x00, 0x04, 0xe5, 0x7a, 0x3b, 0xcf };
/* RFC 5769 2.2: SOFTWARE, XOR-MAPPED-ADDRESS 192.0.2.1:32853, MESSAGE-INTEGRITY, FINGERPRINT */
static const uint8_t response4[] = { 0x01, 0x01, 0x00, 0x3c, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01,
                                     0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x0b,
                                     't',  'e',  's',  't',  ' ',  'v',  'e',  'c',  't',  'o',  'r',  ' ',
                                     0x00, 0x20, 0x00, 0x08, 0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43,
                                     0x00, 0x08, 0x00, 0x14, 0x2b, 0x91, 0xf5, 0x99, 0xfd, 0x9e, 0x90, 0xc3,
                                     0x8c, 0x74, 0x89, 0xf9, 0x2a, 0xf9, 0xba, 0x53, 0xf0, 0x6b, 0xe7, 0xd7,
                                     0x80, 0x28, 0x00, 0x04, 0xc0, 0x7d, 0x4c, 0x96 };
/* RFC 5769 2.3: the same with 2001:db8:1234:5678:11:2233:4455:6677 */
static const uint8_t response6[] = { 0x01, 0x01, 0x00, 0x48, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01,
                                     0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x0b,
                                     't',  'e',  's',  't',  ' ',  'v',  'e',  'c',  't',  'o',  'r',  ' ',
                                     0x00, 0x20, 0x00, 0x14, 0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa,
                                     0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9,
                                     0x00, 0x08, 0x00, 0x14, 0xa3, 0x82, 0x95, 0x4e, 0x4b, 0xe6, 0x7b, 0xf1,
                                     0x17, 0x84, 0xc9, 0x7c, 0x82, 0x92, 0xc2, 0x75, 0xbf, 0xe3, 0xed, 0x41,
                                     0x80, 0x28, 0x00, 0x04, 0xc8, 0xfb, 0x0b, 0x4c };
/* RFC 5769 2.4: USERNAME, NONCE, REALM, MESSAGE-INTEGRITY with the long-term key */
static const uint8_t long_term[] = {
    0x00, 0x01, 0x00, 0x60, 0x21, 0x12, 0xa4, 0x42, 0x78, 0xad, 0x34, 0x33, 0xc6, 0xad, 0x72, 0xc0, 0x29,
    0xda, 0x41, 0x2e, 0x00, 0x06, 0x00, 0x12, 0xe3, 0x83, 0x9e, 0xe3, 0x83, 0x88, 0xe3, 0x83, 0xaa, 0xe3,
    0x83, 0x83, 0xe3, 0x82, 0xaf, 0xe3, 0x82, 0xb9, 0x00, 0x00, 0x00, 0x15, 0x00, 0x1c, 'f',  '/',  '/',
    '4',  '9',  '9',  'k',  '9',  '5',  '4',  'd',  '6',  'O',  'L',  '3',  '4',  'o',  'L',  '9',  'F',
    'S',  'T',  'v',  'y',  '6',  '4',  's',  'A',  0x00, 0x14, 0x00, 0x0b, 'e',  'x',  'a',  'm',  'p',
    'l',  'e',  '.',  'o',  'r',  'g',  0x00, 0x00, 0x08, 0x00, 0x14, 0xf6, 0x70, 0x24, 0x65, 0x6d, 0xd6,
    0x4a, 0x3e, 0x02, 0xb8, 0xe0, 0x71, 0x2e, 0x85, 0xc9, 0xa2, 0x8c, 0xa8, 0x96, 0x66
};
/* RFC 8489 B.1 as erratum 6268 mends it: USERHASH, NONCE, REALM, PASSWORD-ALGORITHM, MESSAGE-INTEGRITY-SHA256 */
static const uint8_t sha256[] = {
    0x00, 0x01, 0x00, 0x90, 0x21, 0x12, 0xa4, 0x42, 0x78, 0xad, 0x34, 0x33, 0xc6, 0xad, 0x72, 0xc0, 0x29,
    0xda, 0x41, 0x2e, 0x00, 0x1e, 0x00, 0x20, 0x4a, 0x3c, 0xf3, 0x8f, 0xef, 0x69, 0x92, 0xbd, 0xa9, 0x52,
    0xc6, 0x78, 0x04, 0x17, 0xda, 0x0f, 0x24, 0x81, 0x94, 0x15, 0x56, 0x9e, 0x60, 0xb2, 0x05, 0xc4, 0x6e,
    0x41, 0x40, 0x7f, 0x17, 0x04, 0x00, 0x15, 0x00, 0x29, 0x6f, 0x62, 0x4d, 0x61, 0x74, 0x4a, 0x6f, 0x73,
    0x32, 0x41, 0x41, 0x41, 0x43, 0x66, 0x2f, 0x2f, 0x34, 0x39, 0x39, 0x6b, 0x39, 0x35, 0x34, 0x64, 0x36,
    0x4f, 0x4c, 0x33, 0x34, 0x6f, 0x4c, 0x39, 0x46, 0x53, 0x54, 0x76, 0x79, 0x36, 0x34, 0x73, 0x41, 0x00,
    0x00, 0x00, 0x00, 0x14, 0x00, 0x0b, 0x65, 0x78, 0x61, 0x6d, 0x70, 0x6c, 0x65, 0x2e, 0x6f, 0x72, 0x67,
    0x00, 0x00, 0x1d, 0x00, 0x04, 0x00, 0x02, 0x00, 0x00, 0x00, 0x1c, 0x00, 0x20, 0xb5, 0xc7, 0xbf, 0x00,
    0x5b, 0x6c, 0x52, 0xa2, 0x1c, 0x51, 0xc5, 0xe8, 0x92, 0xf8, 0x19, 0x24, 0x13, 0x62, 0x96, 0xcb, 0x92,
    0x7c, 0x43, 0x14, 0x93, 0x09, 0x27, 0x8c, 0xc6, 0x51, 0x8e, 0x65
};
/* What the RFC itself prints: without PASSWORD-ALGORITHM, although the key is SHA-256's, and signed over a length
 * field that counts the header, too. */
static const uint8_t printed_length[] = { 0x00, 0x9c };
static const uint8_t printed_tag[] = { 0xe4, 0x68, 0x6c, 0x8f, 0x0e, 0xde, 0xb5, 0x90, 0x13, 0xe0, 0x70,
                                       0x90, 0x01, 0x0a, 0x93, 0xef, 0xcc, 0xbc, 0xcc, 0x54, 0x4c, 0x0a,
                                       0x45, 0xd9, 0xf8, 0x30, 0xaa, 0x6d, 0x6f, 0x73, 0x5a, 0x01 };

/* What holds for every vector: whole it parses, cut anywhere it does not, and any flipped bit is noticed by
 * the integrity unless it stands behind it. */
static void holds_together(const uint8_t *wire, size_t len)
{
    pl_stun_msg m;
    PL_OKAY(pl_stun_is_message(wire, len));
    PL_EQ(pl_stun_parse(&m, wire, len), PL_OK);
    for (size_t cut = 0; cut < len; cut++) {
        PL_OKAY(!pl_stun_is_message(wire, cut));
        PL_EQ(pl_stun_parse(&m, wire, cut), PL_EPROTO);
    }
}

static void refuses_changes(const uint8_t *wire, size_t len, const void *key, size_t key_len)
{
    uint8_t copy[256];
    pl_stun_msg whole;
    PL_EQ(pl_stun_parse(&whole, wire, len), PL_OK);
    size_t protected_len = whole.fingerprint_at ? whole.fingerprint_at : len;
    for (size_t bit = 0; bit < 8 * len; bit++) {
        pl_stun_msg m;
        memcpy(copy, wire, len);
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (pl_stun_parse(&m, copy, len))
            continue;
        pl_err e1 = pl_stun_check_integrity(&m, key, key_len),
               e256 = pl_stun_check_integrity256(&m, key, key_len);
        pl_err fp = pl_stun_check_fingerprint(&m);
        PL_OKAY(bit / 8 < protected_len ? e1 != PL_OK && e256 != PL_OK : fp != PL_OK);
    }
}

PL_TEST(rfc5769_request)
{
    pl_stun_msg m;
    pl_str text;
    uint32_t priority;
    uint64_t tie_breaker;
    holds_together(request, sizeof request);
    refuses_changes(request, sizeof request, password, strlen(password));
    PL_EQ(pl_stun_parse(&m, request, sizeof request), PL_OK);
    PL_EQ(m.cls, PL_STUN_REQUEST);
    PL_EQ(m.method, PL_STUN_BINDING);
    PL_OKAY(!m.classic);
    PL_EQ(m.n_attrs, 6);
    PL_EQ(m.n_unknown, 0);
    PL_EQ(pl_stun_get_str(&m, PL_STUN_USERNAME, &text), PL_OK);
    PL_OKAY(pl_str_is(text, "evtj:h6vY"));
    PL_EQ(pl_stun_get_str(&m, PL_STUN_SOFTWARE, &text), PL_OK);
    PL_OKAY(pl_str_is(text, "STUN test client"));
    PL_EQ(pl_stun_get_u32(&m, PL_STUN_PRIORITY, &priority), PL_OK);
    PL_EQ(priority, 0x6e0001ff);
    PL_EQ(pl_stun_get_u64(&m, PL_STUN_ICE_CONTROLLED, &tie_breaker), PL_OK);
    PL_OKAY(tie_breaker == 0x932ff9b151263b36);
    PL_EQ(pl_stun_get_u64(&m, PL_STUN_ICE_CONTROLLING, &tie_breaker), PL_ENOTSUP);
    PL_EQ(pl_stun_get_u64(&m, PL_STUN_PRIORITY, &tie_breaker), PL_EPROTO);
    PL_EQ(pl_stun_check_integrity(&m, password, strlen(password)), PL_OK);
    PL_EQ(pl_stun_check_integrity(&m, "x", 1), PL_EPROTO);
    PL_EQ(pl_stun_check_integrity256(&m, password, strlen(password)), PL_ENOTSUP);
    PL_EQ(pl_stun_check_fingerprint(&m), PL_OK);
}

static void check_response(const uint8_t *wire, size_t len, const char *mapped)
{
    pl_stun_msg m;
    pl_addr a;
    char text[PL_ADDR_TEXT_MAX];
    holds_together(wire, len);
    refuses_changes(wire, len, password, strlen(password));
    PL_EQ(pl_stun_parse(&m, wire, len), PL_OK);
    PL_EQ(m.cls, PL_STUN_SUCCESS);
    PL_EQ(pl_stun_get_xor_addr(&m, PL_STUN_XOR_MAPPED_ADDRESS, &a), PL_OK);
    PL_STREQ(pl_addr_str(&a, text), mapped);
    PL_EQ(pl_stun_check_integrity(&m, password, strlen(password)), PL_OK);
    PL_EQ(pl_stun_check_fingerprint(&m), PL_OK);
}

PL_TEST(rfc5769_responses)
{
    check_response(response4, sizeof response4, "192.0.2.1:32853");
    check_response(response6, sizeof response6, "[2001:db8:1234:5678:11:2233:4455:6677]:32853");
}

/* The padding of these two is zeros like ours, so they can be built as well as read. */
PL_TEST(rfc5769_long_term)
{
    pl_stun_msg m;
    uint8_t key[PL_STUN_KEY_MAX], out[256];
    holds_together(long_term, sizeof long_term);
    PL_EQ(pl_stun_parse(&m, long_term, sizeof long_term), PL_OK);
    PL_EQ(pl_stun_long_term_key(PL_STUN_ALG_MD5, PL_STR(matrix), PL_STR("example.org"), PL_STR(the_matrix),
                                key),
          16);
    PL_EQ(pl_stun_check_integrity(&m, key, 16), PL_OK);
    PL_EQ(pl_stun_check_fingerprint(&m), PL_ENOTSUP);
    refuses_changes(long_term, sizeof long_term, key, 16);

    pl_stun_wr s = pl_stun_begin(out, sizeof out, PL_STUN_REQUEST, PL_STUN_BINDING, long_term + 8);
    pl_stun_put_str(&s, PL_STUN_USERNAME, PL_STR(matrix));
    pl_stun_put_str(&s, PL_STUN_NONCE, PL_STR("f//499k954d6OL34oL9FSTvy64sA"));
    pl_stun_put_str(&s, PL_STUN_REALM, PL_STR("example.org"));
    pl_stun_put_integrity(&s, key, 16);
    PL_EQ(pl_stun_end(&s), sizeof long_term);
    PL_MEMEQ(out, long_term, sizeof long_term);
}

PL_TEST(rfc8489_sha256_and_userhash)
{
    pl_stun_msg m;
    pl_rd hash;
    uint16_t algorithm;
    uint8_t key[PL_STUN_KEY_MAX], out[256], expected[PL_STUN_USERHASH_LEN];
    holds_together(sha256, sizeof sha256);
    PL_EQ(pl_stun_parse(&m, sha256, sizeof sha256), PL_OK);
    PL_OKAY(pl_stun_userhash(PL_STR(matrix), PL_STR("example.org"), expected));
    PL_OKAY(pl_stun_find(&m, PL_STUN_USERHASH, &hash));
    PL_EQ(pl_rd_left(&hash), sizeof expected);
    PL_MEMEQ(hash.p, expected, sizeof expected);
    PL_EQ(pl_stun_get_algorithm(&m, &algorithm), PL_OK);
    size_t n =
        pl_stun_long_term_key(algorithm, PL_STR(matrix), PL_STR("example.org"), PL_STR(the_matrix), key);
    PL_EQ(n, 32);
    pl_stun_wr s = pl_stun_begin(out, sizeof out, PL_STUN_REQUEST, PL_STUN_BINDING, sha256 + 8);
    pl_stun_put(&s, PL_STUN_USERHASH, expected, sizeof expected);
    pl_stun_put_str(&s, PL_STUN_NONCE, PL_STR("obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA"));
    pl_stun_put_str(&s, PL_STUN_REALM, PL_STR("example.org"));
    pl_stun_put_algorithm(&s, PL_STUN_ALG_SHA256);
    pl_stun_put_integrity256(&s, key, n, 32);
    PL_EQ(pl_stun_end(&s), sizeof sha256);
    PL_EQ(pl_stun_check_integrity256(&m, key, n), PL_OK);
    PL_MEMEQ(out, sha256, sizeof sha256);
    refuses_changes(sha256, sizeof sha256, key, n);
}

/* The printed sample cannot be parsed, but its tag shows that our key is the author's. */
PL_TEST(rfc8489_as_printed)
{
    enum { BEFORE_ALGORITHM = 120 };
    uint8_t key[PL_STUN_KEY_MAX], tag[PL_SHA256_LEN];
    size_t n = pl_stun_long_term_key(PL_STUN_ALG_SHA256, PL_STR(matrix), PL_STR("example.org"),
                                     PL_STR(the_matrix), key);
    pl_slice part[] = { { sha256, 2 }, { printed_length, 2 }, { sha256 + 4, BEFORE_ALGORITHM - 4 } };
    pl_hmac_sha256(key, n, part, 3, tag);
    PL_MEMEQ(tag, printed_tag, sizeof tag);
}

PL_TESTS(t(rfc5769_request), t(rfc5769_responses), t(rfc5769_long_term), t(rfc8489_sha256_and_userhash),
         t(rfc8489_as_printed))
