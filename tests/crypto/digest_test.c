/* Hashes and HMAC against the vectors of RFC 1321, FIPS 180, RFC 2202 and RFC 4231, and cut in every way. */
#include "pl_test.h"

#include "crypto/hmac.h"

static void is_hex(const uint8_t *got, size_t len, const char *want)
{
    char text[2 * 64 + 1] = "";
    for (size_t i = 0; i < len; i++)
        snprintf(text + 2 * i, 3, "%02x", got[i]);
    PL_STREQ(text, want);
}

PL_TEST(one_shot_hashes)
{
    uint8_t out[PL_SHA256_LEN];
    pl_md5("", 0, out);
    is_hex(out, PL_MD5_LEN, "d41d8cd98f00b204e9800998ecf8427e");
    pl_md5("message digest", 14, out);
    is_hex(out, PL_MD5_LEN, "f96b697d7cb7938d525a2f31aaf161d0");
    pl_md5("user:realm:pass", 15, out); /* RFC 5389 15.4's example of a long-term key */
    is_hex(out, PL_MD5_LEN, "8493fbc53ba582fb4c044c456bdc40eb");
    pl_sha1("abc", 3, out);
    is_hex(out, PL_SHA1_LEN, "a9993e364706816aba3e25717850c26c9cd0d89d");
    pl_sha256("abc", 3, out);
    is_hex(out, PL_SHA256_LEN, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void sha1_is(const void *key, size_t key_len, const char *text, const char *want)
{
    uint8_t out[PL_SHA1_LEN];
    size_t len = strlen(text);
    pl_hmac_sha1(key, key_len, &(pl_slice){ text, len }, 1, out);
    is_hex(out, sizeof out, want);
}
static void sha256_is(const void *key, size_t key_len, const char *text, const char *want)
{
    uint8_t out[PL_SHA256_LEN];
    size_t len = strlen(text);
    pl_hmac_sha256(key, key_len, &(pl_slice){ text, len }, 1, out);
    is_hex(out, sizeof out, want);
}

PL_TEST(hmac_vectors)
{
    uint8_t b20[20], aa80[80], aa131[131];
    static const char long_key[] = "Test Using Larger Than Block-Size Key - Hash Key First";
    memset(b20, 0x0b, sizeof b20);
    memset(aa80, 0xaa, sizeof aa80);
    memset(aa131, 0xaa, sizeof aa131);
    sha1_is(b20, sizeof b20, "Hi There", "b617318655057264e28bc0b6fb378c8ef146be00");
    sha1_is("Jefe", 4, "what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    sha1_is(aa80, sizeof aa80, long_key, "aa4ae5e15272d00e95705637ce8a3b55ed402112");
    sha1_is("", 0, "", "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d");
    sha256_is(b20, sizeof b20, "Hi There",
              "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    sha256_is("Jefe", 4, "what do ya want for nothing?",
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    sha256_is(aa131, sizeof aa131, long_key,
              "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

PL_TEST(pieces_make_no_difference)
{
    static const char text[] =
        "a message of a few dozen bytes, longer than one block of sixty-four, cut in two";
    uint8_t whole[PL_SHA256_LEN], cut[PL_SHA256_LEN];
    size_t len = sizeof text - 1;
    pl_hmac_sha1_key k1;
    pl_hmac_sha256_key k256;
    pl_hmac_sha1_key_init(&k1, "key", 3);
    pl_hmac_sha256_key_init(&k256, "key", 3);
    for (size_t at = 0; at <= len; at++) {
        pl_slice part[3] = { { text, at }, { NULL, 0 }, { text + at, len - at } };
        pl_hmac_sha1("key", 3, &(pl_slice){ text, len }, 1, whole);
        pl_hmac_sha1_with(&k1, part, 3, cut);
        PL_OKAY(pl_ct_eq(whole, cut, PL_SHA1_LEN));
        pl_hmac_sha256("key", 3, &(pl_slice){ text, len }, 1, whole);
        pl_hmac_sha256_with(&k256, part, 3, cut);
        PL_OKAY(pl_ct_eq(whole, cut, PL_SHA256_LEN));
    }
}

PL_TEST(equal_and_wiped)
{
    uint8_t a[40], b[40];
    memset(a, 7, sizeof a);
    memcpy(b, a, sizeof a);
    PL_OKAY(pl_ct_eq(a, b, sizeof a));
    for (size_t i = 0; i < sizeof a; i++) {
        b[i] ^= 0x10;
        PL_OKAY(!pl_ct_eq(a, b, sizeof a));
        b[i] ^= 0x10;
    }
    PL_OKAY(pl_ct_eq(a, b, 0));
    pl_wipe(a, sizeof a);
    for (size_t i = 0; i < sizeof a; i++)
        PL_EQ(a[i], 0);
}

PL_TESTS(t(one_shot_hashes), t(hmac_vectors), t(pieces_make_no_difference), t(equal_and_wiped))
