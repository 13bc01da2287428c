/* The test vectors of RFC 3711 appendix B and RFC 7714 sections 16 and 17. */
#include "pl_test.h"

#include "srtp/transform.h"

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

static void is_hex(const uint8_t *got, size_t len, const char *text)
{
    uint8_t want[256];
    PL_EQ(unhex(text, want), len);
    PL_MEMEQ(got, want, len);
}

/* RFC 3711 B.2 */
PL_TEST(aes_cm_key_stream)
{
    uint8_t key[16], iv[16], stream[16 * 3] = { 0 }, far_block[16] = { 0 };
    pl_aes_ctr *c = NULL;
    unhex("2B7E151628AED2A6ABF7158809CF4F3C", key);
    unhex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000", iv);
    PL_EQ(pl_aes_ctr_new(&c, key, sizeof key), PL_OK);
    PL_OKAY(pl_aes_ctr_xor(c, iv, stream, sizeof stream));
    is_hex(
        stream, sizeof stream,
        "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB 41E95B3BB0A2E8DD477901E4FCA894C0");
    iv[14] = 0xff; /* block 0xff00 */
    PL_OKAY(pl_aes_ctr_xor(c, iv, far_block, sizeof far_block));
    is_hex(far_block, sizeof far_block, "362B7C3C6773516318A077D7FC5073AE");
    pl_aes_ctr_free(c);
}

/* RFC 3711 B.3 */
PL_TEST(key_derivation)
{
    pl_srtp_master master;
    uint8_t out[94];
    unhex("E1F97A0D3E018BE0D64FA32C06DE4139", master.key);
    unhex("0EC675AD498AFEEBB6960B3AABE6", master.salt);
    PL_EQ(pl_srtp_derive(&master, 16, 14, 0, out, 16), PL_OK);
    is_hex(out, 16, "C61E7A93744F39EE10734AFE3FF7A087");
    PL_EQ(pl_srtp_derive(&master, 16, 14, 2, out, 14), PL_OK);
    is_hex(out, 14, "30CBBC08863D8C85D49DB34A9AE1");
    PL_EQ(pl_srtp_derive(&master, 16, 14, 1, out, 94), PL_OK);
    is_hex(
        out, 94,
        "CEBE321F6FF7716B6FD4AB49AF256A15 6D38BAA48F0A0ACF3C34E2359E6CDBCE E049646C43D9327AD175578EF7227098 "
        "6371C10C9A369AC2F94A8C5FBCDDDC25 6D6E919A48B610EF17C2041E47403576 6B68642C59BBFC2F34DB60DBDFB2");
}

/* The vectors of RFC 7714 name session keys, so the derivation is passed by. */
static void gcm(pl_srtp_transform *t, pl_aead_alg alg, pl_aead_dir dir)
{
    uint8_t key[32];
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)i;
    *t = (pl_srtp_transform){ .tag_len = 16 };
    unhex("517569642070726f2071756f", t->salt);
    PL_EQ(pl_aead_new(&t->aead, alg, dir, key), PL_OK);
}

/* "Gallia est omnis divisa in partes tres" */
static const char rtp_clear[] = "8040f17b8041f8d35501a0b2 47616c6c696120657374206f6d6e697320646976697361"
                                "20696e207061727465732074726573";

static void rtp_vector(pl_aead_alg alg, const char *want)
{
    uint8_t pkt[128], clear[128];
    pl_srtp_transform t;
    size_t len = unhex(rtp_clear, clear);
    unhex(rtp_clear, pkt);
    gcm(&t, alg, PL_AEAD_SEAL);
    PL_EQ(pl_srtp_seal_rtp(&t, 0x5501a0b2, 0xf17b, pkt, 12, len), PL_OK);
    is_hex(pkt, len + 16, want);
    pl_srtp_transform_clear(&t);

    gcm(&t, alg, PL_AEAD_OPEN);
    PL_EQ(pl_srtp_open_rtp(&t, 0x5501a0b2, 0xf17b, pkt, 12, len), PL_OK);
    PL_MEMEQ(pkt, clear, len);
    pl_srtp_transform_clear(&t);
}

PL_TEST(rtp_with_aes_128_gcm)
{
    rtp_vector(PL_AEAD_AES_128_GCM,
               "8040f17b8041f8d35501a0b2 f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f"
               "42a5f47a51c7d19b36de3adf8833 899d7f27beb16a9152cf765ee4390cce");
}
PL_TEST(rtp_with_aes_256_gcm)
{
    rtp_vector(PL_AEAD_AES_256_GCM,
               "8040f17b8041f8d35501a0b2 32b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3"
               "b50b2a0276ffae0f1ba63799b87b 7aa3db36dfffd6b0f9bb7878d7a76c13");
}

static const char rtcp_clear[] = "81c8000d4d617273 4e5450314e54503252545020 0000042a0000e9304c756e61"
                                 "deadbeefdeadbeefdeadbeefdeadbeefdeadbeef";

static void rtcp_vector(pl_aead_alg alg, const char *want)
{
    uint8_t pkt[128], clear[128];
    pl_srtp_transform t;
    size_t len = unhex(rtcp_clear, clear);
    unhex(rtcp_clear, pkt);
    gcm(&t, alg, PL_AEAD_SEAL);
    PL_EQ(pl_srtp_seal_rtcp(&t, 0x4d617273, 0x800005d4, pkt, len), PL_OK);
    is_hex(pkt, len + 20, want);
    pl_srtp_transform_clear(&t);

    gcm(&t, alg, PL_AEAD_OPEN);
    PL_EQ(pl_srtp_open_rtcp(&t, 0x4d617273, 0x800005d4, pkt, len), PL_OK);
    PL_MEMEQ(pkt, clear, len);
    pl_srtp_transform_clear(&t);
}

PL_TEST(rtcp_with_aes_128_gcm)
{
    rtcp_vector(PL_AEAD_AES_128_GCM,
                "81c8000d4d617273 63e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1"
                "730d6fda4ce09b4686303ded0bb9275b c84aa45896cf4d2fc5abf87245d9eade 800005d4");
}
PL_TEST(rtcp_with_aes_256_gcm)
{
    rtcp_vector(PL_AEAD_AES_256_GCM,
                "81c8000d4d617273 d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50a2eaa5c1"
                "110555be8415f658c61de0476f1b6fad 1d1eb30c4446839f57ff6f6cb26ac3be 800005d4");
}

/* RFC 7714 9.3, authenticated and not encrypted: all of the packet and the word are the associated data. The
 * nonce is the SSRC and the index ^ salt, written out. */
PL_TEST(rtcp_in_clear_is_authenticated)
{
    uint8_t pkt[128];
    pl_srtp_transform t;
    size_t len = unhex(rtcp_clear, pkt);
    gcm(&t, PL_AEAD_AES_128_GCM, PL_AEAD_SEAL);
    uint8_t iv[12], aad[128], tag[16];
    memcpy(aad, pkt, len);
    unhex("000005d4", aad + len);
    unhex("517524055203726f207170bb", iv); /* RFC 7714 17: SSRC and index ^ salt */
    PL_OKAY(pl_aead_seal(t.aead, iv, aad, len + 4, NULL, 0, NULL, tag));
    pl_srtp_transform_clear(&t);

    gcm(&t, PL_AEAD_AES_128_GCM, PL_AEAD_OPEN);
    memcpy(pkt + len, tag, sizeof tag);
    PL_EQ(pl_srtp_open_rtcp(&t, 0x4d617273, 0x000005d4, pkt, len), PL_OK);
    memcpy(pkt + len, tag, sizeof tag);
    pkt[20] ^= 1;
    PL_EQ(pl_srtp_open_rtcp(&t, 0x4d617273, 0x000005d4, pkt, len), PL_EPROTO);
    pl_srtp_transform_clear(&t);
}

PL_TESTS(t(aes_cm_key_stream), t(key_derivation), t(rtp_with_aes_128_gcm), t(rtp_with_aes_256_gcm),
         t(rtcp_with_aes_128_gcm), t(rtcp_with_aes_256_gcm), t(rtcp_in_clear_is_authenticated))
