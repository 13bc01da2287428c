/* Ciphers keyed once, base64, and the replay window against a plain list. */
#include "pl_test.h"

#include "base/rand.h"
#include "crypto/aead.h"
#include "crypto/base64.h"
#include "crypto/replay.h"

static uint8_t digit(char c)
{
    static const char all[] = "0123456789abcdef";
    const char *at = strchr(all, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c);
    PL_OKAY(at && *at);
    return (uint8_t)(at - all);
}

/* Pairs of digits, between which spaces may stand; returns the number of bytes. */
static size_t unhex(const char *text, uint8_t *out)
{
    size_t n = 0;
    for (; *text; text += *text == ' ' ? 1 : 2)
        if (*text != ' ')
            out[n++] = (uint8_t)(digit(text[0]) << 4 | digit(text[1]));
    return n;
}

/* McGrew and Viega's GCM test case 4; RFC 8439 2.8.2 for ChaCha20-Poly1305. */
static const struct {
    pl_aead_alg alg;
    const char *key, *nonce, *aad, *plain, *sealed;
} vector[] = {
    { PL_AEAD_AES_128_GCM, "feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
      "feedfacedeadbeeffeedfacedeadbeefabaddad2",
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aed"
      "f5aa"
      "0de657ba637b39",
      "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b"
      "396a"
      "0aac973d58e0915bc94fbc3221a5db94fae95ae7121a47" },
    { PL_AEAD_AES_256_GCM, "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
      "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aed"
      "f5aa"
      "0de657ba637b39",
      "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e"
      "6393"
      "ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b" },
    { PL_AEAD_CHACHA20_POLY1305, "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
      "070000004041424344454647", "50515253c0c1c2c3c4c5c6c7",
      "4c616469657320616e642047656e746c656d656e206f662074686520636c617373206f66202739393a204966204920636f756c"
      "642"
      "06f6666657220796f75206f6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73637265656e20776"
      "f75"
      "6c642062652069742e",
      "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de"
      "0a9e"
      "060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9d"
      "e57"
      "6d26586cec64b61161ae10b594f09e26a7e902ecbd0600691" },
};

PL_TEST(aead_vectors_and_every_change)
{
    for (size_t i = 0; i < sizeof vector / sizeof vector[0]; i++) {
        uint8_t key[32], nonce[12], aad[32] = { 0 }, plain[128], sealed[160] = { 0 }, got[160];
        unhex(vector[i].key, key);
        unhex(vector[i].nonce, nonce);
        size_t aad_len = unhex(vector[i].aad, aad), len = unhex(vector[i].plain, plain);
        PL_EQ(unhex(vector[i].sealed, sealed), len + PL_AEAD_TAG_LEN);
        pl_aead *seal = NULL, *open = NULL;
        PL_EQ(pl_aead_new(&seal, vector[i].alg, PL_AEAD_SEAL, key), PL_OK);
        PL_EQ(pl_aead_new(&open, vector[i].alg, PL_AEAD_OPEN, key), PL_OK);
        for (int times = 0; times < 3; times++) { /* a key serves many packets */
            PL_OKAY(pl_aead_seal(seal, nonce, aad, aad_len, plain, len, got, got + len));
            PL_MEMEQ(got, sealed, len + PL_AEAD_TAG_LEN);
            PL_OKAY(pl_aead_open(open, nonce, aad, aad_len, sealed, len, got, sealed + len));
            PL_MEMEQ(got, plain, len);
            for (size_t bit = 0; bit < 8 * (len + PL_AEAD_TAG_LEN); bit += 7) {
                sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
                PL_OKAY(!pl_aead_open(open, nonce, aad, aad_len, sealed, len, got, sealed + len));
                sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
            }
            aad[0] ^= 1;
            PL_OKAY(!pl_aead_open(open, nonce, aad, aad_len, sealed, len, got, sealed + len));
            aad[0] ^= 1;
        }
        PL_OKAY(pl_aead_seal(seal, nonce, aad, aad_len, NULL, 0, NULL, got)); /* nothing but a tag */
        PL_OKAY(pl_aead_open(open, nonce, aad, aad_len, NULL, 0, NULL, got));
        pl_aead_free(seal);
        pl_aead_free(open);
    }
}

PL_TEST(base64_vectors)
{
    static const char *const pair[][2] = { { "", "" },
                                           { "f", "Zg==" },
                                           { "fo", "Zm8=" },
                                           { "foo", "Zm9v" },
                                           { "foob", "Zm9vYg==" },
                                           { "fooba", "Zm9vYmE=" },
                                           { "foobar", "Zm9vYmFy" } }; /* RFC 4648 10 */
    char text[20];
    uint8_t out[20];
    size_t n;
    for (size_t i = 0; i < 7; i++) {
        size_t len = strlen(pair[i][0]);
        PL_EQ(pl_base64_encode(pair[i][0], len, text), PL_BASE64_LEN(len));
        PL_STREQ(text, pair[i][1]);
        PL_OKAY(pl_base64_decode(text, strlen(text), out, len, &n));
        PL_EQ(n, len);
        PL_MEMEQ(out, pair[i][0], len);
        if (len > 0)
            PL_OKAY(!pl_base64_decode(text, strlen(text), out, len - 1, &n));
    }
    PL_OKAY(pl_base64_decode("_-8", 3, out, sizeof out, &n)); /* URL form, no padding */
    PL_EQ(n, 2);
    PL_EQ(out[0], 0xff);
    static const char *const bad[] = { "Z",      "Zg=",  "Z===",     "====",
                                       "Zm9v\n", "Zm 9", "Zg==Zg==", "\xff\xff\xff\xff" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        PL_OKAY(!pl_base64_decode(bad[i], strlen(bad[i]), out, sizeof out, &n));
}

/* Against a list of all numbers ever marked. */
PL_TEST(replay_window)
{
    enum { N = 20000 };
    static bool seen[N];
    pl_rand_seeded s;
    pl_rand r = pl_rand_seed(&s, pl_test_seed(5));
    for (int run = 0; run < 20; run++) {
        pl_replay w = { 0 };
        uint64_t top = 0, base = run % 2 ? (UINT64_C(1) << 48) - N : 0;
        memset(seen, 0, sizeof seen);
        for (int i = 0; i < 5000; i++) {
            uint32_t back = pl_rand_below(&r, 1500), ahead = pl_rand_below(&r, i % 100 ? 8 : 1100);
            uint64_t n = top + ahead >= back ? top + ahead - back : 0;
            if (n >= N)
                break;
            bool too_old = w.any && n < top && top - n >= PL_REPLAY_WINDOW;
            PL_EQ(pl_replay_seen(&w, base + n), too_old || seen[n]);
            if (pl_replay_seen(&w, base + n))
                continue;
            pl_replay_mark(&w, base + n);
            seen[n] = true;
            top = n > top ? n : top;
        }
    }
}

PL_TESTS(t(aead_vectors_and_every_change), t(base64_vectors), t(replay_window))
