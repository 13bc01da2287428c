/* Certificates, fingerprints in text, and PEM there and back. */
#include "pl_test.h"

#include "crypto/cert.h"

enum { NOW_S = 1764000000, DAY_S = 24 * 3600 };

static pl_cert *make(pl_cert_key key, int64_t lifetime_s)
{
    pl_cert *c = NULL;
    PL_EQ(pl_cert_new(&c, &(pl_cert_conf){ .key = key, .now_s = NOW_S, .lifetime_s = lifetime_s }), PL_OK);
    return c;
}

PL_TEST(lifetimes)
{
    static const int64_t wish[][2] = { { 0, PL_CERT_LIFETIME_S },
                                       { 60, 60 },
                                       { DAY_S + 1, DAY_S + 1 },
                                       { PL_CERT_LIFETIME_MAX_S + 5, PL_CERT_LIFETIME_MAX_S } };
    for (size_t i = 0; i < sizeof wish / sizeof wish[0]; i++) {
        pl_cert *c = make(PL_CERT_ECDSA_P256, wish[i][0]);
        PL_EQ(pl_cert_expires_s(c), NOW_S + wish[i][1]);
        pl_cert_free(c);
    }
    pl_cert *none = NULL;
    PL_EQ(pl_cert_new(&none, &(pl_cert_conf){ .now_s = NOW_S, .lifetime_s = -1 }), PL_EINVAL);
    PL_OKAY(none == NULL);
}

PL_TEST(each_is_another)
{
    pl_cert *a = make(PL_CERT_ECDSA_P256, 0), *b = make(PL_CERT_ECDSA_P256, 0);
    PL_OKAY(!pl_fingerprint_eq(pl_cert_fingerprint(a), pl_cert_fingerprint(b)));
    pl_cert *again = pl_cert_ref(a);
    pl_cert_free(a);
    PL_EQ(pl_cert_fingerprint(again)->alg, PL_HASH_SHA256);
    PL_EQ(pl_cert_fingerprint(again)->len, 32);
    pl_cert_free(again);
    pl_cert_free(b);
    pl_cert_free(NULL);
}

static void there_and_back(pl_cert_key key)
{
    pl_cert *a = make(key, 0), *b = NULL;
    pl_buf text = pl_buf_init(PL_CERT_PEM_MAX);
    PL_EQ(pl_cert_write_pem(a, &text), PL_OK);
    pl_str pem = pl_str_of(pl_buf_z(&text));
    PL_EQ(pl_cert_load_pem(&b, pem, pem), PL_OK);
    PL_OKAY(pl_fingerprint_eq(pl_cert_fingerprint(a), pl_cert_fingerprint(b)));
    PL_EQ(pl_cert_expires_s(b), pl_cert_expires_s(a));
    pl_cert_free(b);

    for (size_t cut = 0; cut < pem.n - 30; cut += 20) /* the key stands last: every cut loses it */
        PL_EQ(pl_cert_load_pem(&b, (pl_str){ pem.p, cut }, (pl_str){ pem.p, cut }), PL_EPROTO);
    pl_cert_free(a);
    pl_buf_clear(&text);
}

PL_TEST(pem_there_and_back)
{
    there_and_back(PL_CERT_ECDSA_P256);
    there_and_back(PL_CERT_RSA_2048);
}

PL_TEST(pem_that_does_not_belong_together)
{
    pl_cert *a = make(PL_CERT_ECDSA_P256, 0), *b = make(PL_CERT_ECDSA_P256, 0), *c = NULL;
    pl_buf ta = pl_buf_init(PL_CERT_PEM_MAX), tb = pl_buf_init(PL_CERT_PEM_MAX), tiny = pl_buf_init(100);
    PL_EQ(pl_cert_write_pem(a, &ta), PL_OK);
    PL_EQ(pl_cert_write_pem(b, &tb), PL_OK);
    PL_EQ(pl_cert_load_pem(&c, pl_str_of(pl_buf_z(&ta)), pl_str_of(pl_buf_z(&tb))), PL_EPROTO);
    PL_EQ(pl_cert_load_pem(&c, PL_STR(""), PL_STR("")), PL_EPROTO);
    PL_EQ(pl_cert_load_pem(&c, (pl_str){ "", PL_CERT_PEM_MAX + 1 }, PL_STR("")), PL_ENOSPC);
    PL_EQ(pl_cert_write_pem(a, &tiny), PL_ENOSPC);
    pl_buf_clear(&ta);
    pl_buf_clear(&tb);
    pl_buf_clear(&tiny);
    pl_cert_free(a);
    pl_cert_free(b);
}

static pl_err parse(pl_fingerprint *f, const char *alg, const char *hex)
{
    return pl_fingerprint_parse(f, alg, strlen(alg), hex, strlen(hex));
}

PL_TEST(fingerprints_in_text)
{
    /* RFC 8122 5's example */
    static const char hex[] =
        "12:DF:3E:5D:49:6B:19:E5:7C:AB:4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:"
        "E5:7C:AB:4A:AD";
    pl_fingerprint f, g;
    char text[PL_FINGERPRINT_TEXT_MAX];
    PL_EQ(parse(&f, "SHA-256", hex), PL_OK);
    PL_EQ(f.alg, PL_HASH_SHA256);
    PL_EQ(f.bytes[1], 0xdf);
    PL_STREQ(pl_fingerprint_hex(&f, text), hex);
    PL_EQ(strncmp(pl_fingerprint_str(&f, text), "sha-256 12:DF:", 14), 0);
    PL_EQ(parse(&g, "sha-256",
                "12:df:3e:5d:49:6b:19:e5:7c:ab:4a:ad:b9:b1:3f:82:18:3b:54:02:12:df:3e:5d:49:6b:"
                "19:e5:7c:ab:4a:ad"),
          PL_OK);
    PL_OKAY(pl_fingerprint_eq(&f, &g));
    g.bytes[31] ^= 1;
    PL_OKAY(!pl_fingerprint_eq(&f, &g));

    PL_EQ(parse(&f, "md2", "00"), PL_ENOTSUP);
    PL_EQ(parse(&f, "sha-1", hex), PL_EPROTO);
    for (size_t cut = 0; cut < sizeof hex - 1; cut++)
        PL_EQ(pl_fingerprint_parse(&f, "sha-256", 7, hex, cut), PL_EPROTO);
    for (size_t at = 0; at < sizeof hex - 1; at++) {
        char bad[sizeof hex];
        memcpy(bad, hex, sizeof hex);
        bad[at] = 'x';
        PL_EQ(parse(&f, "sha-256", bad), PL_EPROTO);
        PL_EQ(f.alg, PL_HASH_NONE);
    }
    PL_EQ(pl_hash_alg_len(PL_HASH_SHA512), 64);
    PL_OKAY(pl_hash_alg_str(PL_HASH_NONE) == NULL);
}

PL_TESTS(t(lifetimes), t(each_is_another), t(pem_there_and_back), t(pem_that_does_not_belong_together),
         t(fingerprints_in_text))
