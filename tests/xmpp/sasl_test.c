/* SCRAM against a server written here after RFC 5802, which itself is held to the vectors of RFC 5802 and 7677; and
 * servers that lie. */
#include "pl_test.h"

#include "crypto/base64.h"
#include "crypto/hmac.h"
#include "xmpp/sasl.h"

/* ---- the server's side ---- */

typedef struct hash {
    bool sha256;
    size_t n;
} hash;
static const hash sha1 = { false, 20 }, sha256 = { true, 32 };

static void hmac(hash h, const void *key, size_t key_n, const char *text, size_t n, uint8_t *out)
{
    pl_slice part = { text, n };
    if (h.sha256)
        pl_hmac_sha256(key, key_n, &part, 1, out);
    else
        pl_hmac_sha1(key, key_n, &part, 1, out);
}

static void salted_password(hash h, const char *password, const uint8_t *salt, size_t salt_n, int rounds,
                            uint8_t *out)
{
    uint8_t u[64];
    char first[64];
    memcpy(first, salt, salt_n);
    static const uint8_t block_1[4] = { 0, 0, 0, 1 };
    memcpy(first + salt_n, block_1, sizeof block_1);
    hmac(h, password, strlen(password), first, salt_n + 4, u);
    memcpy(out, u, h.n);
    for (int i = 1; i < rounds; i++) {
        hmac(h, password, strlen(password), (char *)u, h.n, u);
        for (size_t k = 0; k < h.n; k++)
            out[k] ^= u[k];
    }
}

/* The client's proof and the server's signature over the three messages, in base64. */
static void proofs(hash h, const char *password, const char *salt64, int rounds, const char *auth,
                   char *proof, char *sig)
{
    uint8_t salt[32], salted[32], client[32], stored[32], server[32], with[32];
    size_t salt_n;
    PL_OKAY(pl_base64_decode(salt64, strlen(salt64), salt, sizeof salt, &salt_n));
    salted_password(h, password, salt, salt_n, rounds, salted);
    hmac(h, salted, h.n, "Client Key", 10, client);
    if (h.sha256)
        pl_sha256(client, h.n, stored);
    else
        pl_sha1(client, h.n, stored);
    hmac(h, stored, h.n, auth, strlen(auth), with);
    for (size_t k = 0; k < h.n; k++)
        client[k] ^= with[k];
    pl_base64_encode(client, h.n, proof);
    hmac(h, salted, h.n, "Server Key", 10, server);
    hmac(h, server, h.n, auth, strlen(auth), with);
    pl_base64_encode(with, h.n, sig);
}

PL_TEST(vector_of_rfc_5802)
{
    char proof[80], sig[80];
    proofs(sha1, "pencil", "QSXCR+Q6sek8bf92", 4096,
           "n=user,r=fyko+d2lbbFgONRv9qkxdawL,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+"
           "Q6sek8bf92,i=4096,"
           "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j",
           proof, sig);
    PL_STREQ(proof, "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=");
    PL_STREQ(sig, "rmF9pqV8S7suAoZWja4dJRkFsKQ=");
}

PL_TEST(vector_of_rfc_7677)
{
    char proof[80], sig[80];
    proofs(sha256, "pencil", "W22ZaJ0SNY7soEsUEjb6gQ==", 4096,
           "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
           "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
           proof, sig);
    PL_STREQ(proof, "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
    PL_STREQ(sig, "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

/* ---- exchanges ---- */

static void decode(const pl_buf *text, char *out, size_t cap)
{
    size_t n;
    PL_OKAY(pl_base64_decode(text->p, text->n, (uint8_t *)out, cap - 1, &n));
    out[n] = 0;
}

static pl_err say(pl_sasl *s, bool success, const char *message, pl_buf *out)
{
    char text[2000];
    pl_base64_encode(message, strlen(message), text);
    pl_buf_clear(out);
    *out = pl_buf_init(4096);
    return success ? pl_sasl_success(s, pl_str_of(text)) : pl_sasl_challenge(s, pl_str_of(text), out);
}

typedef struct lie {
    const char *iterations; /* NULL: 4096 */
    bool wrong_signature, no_signature, in_challenge, other_nonce, success_at_once, password_not_known;
    pl_err at_challenge, at_end;
} lie;

/* One whole log-in; binding: what the server's side of TLS says, NULL: none. */
static void log_in(pl_sasl_offer offer, const pl_sasl_binding *tls, const char *want, const char *binding,
                   size_t binding_n, lie l)
{
    pl_sasl *s;
    pl_sasl_conf conf = { .user = PL_STR("romeo"), .password = "pencil & =,", .tls = tls };
    pl_buf out = pl_buf_init(4096);
    char first[300], nonce[400], server_first[600], final[700], bare[300], auth[2000], proof[80], sig[80],
        gs2[300];
    PL_EQ(pl_sasl_new(&s, &conf, &offer), PL_OK);
    PL_STREQ(pl_sasl_mechanism(s), want);
    hash h = strstr(want, "256") ? sha256 : sha1;
    PL_EQ(pl_sasl_begin(s, &out), PL_OK);
    decode(&out, first, sizeof first);
    const char *n_at = strstr(first, ",n=");
    PL_OKAY(n_at);
    snprintf(bare, sizeof bare, "%s", n_at + 1);
    snprintf(gs2, sizeof gs2, "%.*s", (int)(n_at + 1 - first), first);
    PL_EQ(strncmp(bare, "n=romeo,r=", 10), 0);
    PL_OKAY(strlen(bare) > 26); /* a nonce worth the name */
    snprintf(nonce, sizeof nonce, "%s%s", l.other_nonce ? "other" : bare + 10, "SERVER");
    snprintf(server_first, sizeof server_first, "r=%s,s=QSXCR+Q6sek8bf92,i=%s", nonce,
             l.iterations ? l.iterations : "4096");
    if (l.success_at_once) {
        PL_EQ(say(s, true, "", &out), PL_EPROTO);
        goto out;
    }
    PL_EQ(say(s, false, server_first, &out), l.at_challenge);
    if (l.at_challenge)
        goto out;
    decode(&out, final, sizeof final);
    char *p_at = strstr(final, ",p=");
    PL_OKAY(p_at);
    char cbind[400], c64[600];
    size_t gs2_n = strlen(gs2);
    memcpy(cbind, gs2, gs2_n); /* NOLINT(bugprone-not-null-terminated-result): bytes, no text */
    memcpy(cbind + gs2_n, binding ? binding : "", binding_n);
    pl_base64_encode(cbind, gs2_n + binding_n, c64);
    char expected[1100];
    snprintf(expected, sizeof expected, "c=%s,r=%s", c64, nonce);
    *p_at = 0;
    PL_STREQ(final, expected); /* the binding's data, or the bare header */
    snprintf(auth, sizeof auth, "%s,%s,%s", bare, server_first, final);
    proofs(h, l.password_not_known ? "guess" : "pencil & =,", "QSXCR+Q6sek8bf92", 4096, auth, proof, sig);
    if (!l.password_not_known)
        PL_STREQ(p_at + 3, proof);
    char end[100];
    if (l.wrong_signature)
        sig[3] = sig[3] == 'A' ? 'B' : 'A';
    snprintf(end, sizeof end, "v=%s", sig);
    if (l.no_signature) {
        PL_EQ(pl_sasl_success(s, PL_STR("")), l.at_end);
    } else if (l.in_challenge) {
        PL_EQ(say(s, false, end, &out), PL_OK);
        PL_EQ(pl_sasl_success(s, PL_STR("")), PL_OK);
        PL_EQ(say(s, false, end, &out), PL_EPROTO);
    } else {
        PL_EQ(say(s, true, end, &out), l.at_end);
    }
out:
    pl_sasl_free(s);
    pl_buf_clear(&out);
}

static const pl_sasl_offer all = {
    .plain = true, .sha1 = true, .sha256 = true, .sha1_plus = true, .sha256_plus = true
};
static const pl_sasl_binding tls13 = { .exporter = "exporter of 32 bytes ...........", .exporter_n = 32 };
static const pl_sasl_binding tls12 = { .unique = "finished ...", .unique_n = 12 };

PL_TEST(every_mechanism_logs_in)
{
    pl_sasl_offer says = all;
    says.says_bindings = says.exporter = true;
    log_in((pl_sasl_offer){ .sha1 = true }, NULL, "SCRAM-SHA-1", NULL, 0, (lie){ 0 });
    log_in((pl_sasl_offer){ .sha1 = true, .sha256 = true }, NULL, "SCRAM-SHA-256", NULL, 0, (lie){ 0 });
    log_in(says, &tls13, "SCRAM-SHA-256-PLUS", (const char *)tls13.exporter, 32, (lie){ 0 });
    log_in(all, &tls12, "SCRAM-SHA-256-PLUS", (const char *)tls12.unique, 12, (lie){ 0 });
    log_in((pl_sasl_offer){ .sha1 = true, .sha1_plus = true }, &tls12, "SCRAM-SHA-1-PLUS",
           (const char *)tls12.unique, 12, (lie){ 0 });
    log_in((pl_sasl_offer){ .sha1 = true }, NULL, "SCRAM-SHA-1", NULL, 0, (lie){ .in_challenge = true });
}

PL_TEST(the_choice)
{
    static const struct {
        pl_sasl_offer offer;
        const pl_sasl_binding *tls;
        bool plain, must_bind;
        pl_sasl_rank at_least;
        const char *want; /* NULL: none */
    } rows[] = {
        { { .plain = true }, NULL, true, false, PL_SASL_ANY, "PLAIN" },
        { { .plain = true }, NULL, false, false, PL_SASL_ANY, NULL },
        { { .plain = true, .sha1 = true }, NULL, true, false, PL_SASL_ANY, "SCRAM-SHA-1" },
        { { .plain = true }, NULL, true, false, PL_SASL_SHA1, NULL },
        { { .sha1 = true }, NULL, true, false, PL_SASL_SHA256, NULL },
        { { .sha256 = true }, NULL, true, false, PL_SASL_SHA256, "SCRAM-SHA-256" },
        { { .sha256_plus = true }, NULL, true, false, PL_SASL_ANY, NULL },
        { { .sha256_plus = true, .sha256 = true },
          &tls13,
          true,
          false,
          PL_SASL_ANY,
          "SCRAM-SHA-256" }, /* not said */
        { { .sha256_plus = true, .sha256 = true }, &tls12, true, false, PL_SASL_ANY, "SCRAM-SHA-256-PLUS" },
        { { .sha256_plus = true, .sha256 = true, .says_bindings = true },
          &tls12,
          true,
          false,
          PL_SASL_ANY,
          "SCRAM-SHA-256" },
        { { .sha256 = true }, &tls12, true, true, PL_SASL_ANY, NULL }, /* -PLUS was taken away */
        { { .sha1_plus = true, .sha256 = true }, &tls12, true, true, PL_SASL_SHA1, "SCRAM-SHA-1-PLUS" },
        { { .plain = false }, NULL, true, false, PL_SASL_ANY, NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        pl_sasl *s;
        pl_sasl_conf conf = { .user = PL_STR("romeo"),
                              .password = "x",
                              .tls = rows[i].tls,
                              .plain = rows[i].plain,
                              .at_least = rows[i].at_least,
                              .must_bind = rows[i].must_bind };
        pl_err err = pl_sasl_new(&s, &conf, &rows[i].offer);
        PL_EQ(err, rows[i].want ? PL_OK : PL_ENOTSUP);
        if (rows[i].want)
            PL_STREQ(pl_sasl_mechanism(s), rows[i].want);
        pl_sasl_free(s);
    }
}

PL_TEST(servers_that_lie)
{
    const pl_sasl_offer o = { .sha256 = true };
    log_in(o, NULL, "SCRAM-SHA-256", NULL, 0, (lie){ .wrong_signature = true, .at_end = PL_EPROTO });
    log_in(o, NULL, "SCRAM-SHA-256", NULL, 0, (lie){ .no_signature = true, .at_end = PL_EPROTO });
    log_in(o, NULL, "SCRAM-SHA-256", NULL, 0, (lie){ .password_not_known = true, .at_end = PL_EPROTO });
    log_in(o, NULL, "SCRAM-SHA-256", NULL, 0, (lie){ .success_at_once = true });
    log_in(o, NULL, "SCRAM-SHA-256", NULL, 0, (lie){ .other_nonce = true, .at_challenge = PL_EPROTO });
    log_in(o, NULL, "SCRAM-SHA-256", NULL, 0, (lie){ .iterations = "1", .at_challenge = PL_EPROTO });
    log_in(o, NULL, "SCRAM-SHA-256", NULL, 0, (lie){ .iterations = "4095", .at_challenge = PL_EPROTO });
    log_in(o, NULL, "SCRAM-SHA-256", NULL, 0, (lie){ .iterations = "4294967295", .at_challenge = PL_EPROTO });
    log_in(o, NULL, "SCRAM-SHA-256", NULL, 0, (lie){ .iterations = "-1", .at_challenge = PL_EPROTO });
    log_in(o, NULL, "SCRAM-SHA-256", NULL, 0, (lie){ .iterations = "4096x", .at_challenge = PL_EPROTO });
}

PL_TEST(nonsense_from_the_server)
{
    static const char *const nonsense[] = { "",    "=", "!", "AA", "biws", "cj14", "cj14LHM9QUFBQSxpPTQwOTY=",
                                            "AAAA" };
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
        pl_sasl *s;
        pl_buf out = pl_buf_init(4096);
        pl_sasl_conf conf = { .user = PL_STR("romeo"), .password = "x" };
        pl_sasl_offer offer = { .sha1 = true };
        PL_EQ(pl_sasl_new(&s, &conf, &offer), PL_OK);
        PL_EQ(pl_sasl_begin(s, &out), PL_OK);
        PL_EQ(pl_sasl_challenge(s, pl_str_of(nonsense[i]), &out), PL_EPROTO);
        pl_sasl_free(s);
        pl_buf_clear(&out);
    }
}

PL_TEST(plain)
{
    pl_sasl *s;
    pl_buf out = pl_buf_init(4096);
    pl_sasl_conf conf = { .user = PL_STR("juliet"), .password = "s3crit", .plain = true };
    pl_sasl_offer offer = { .plain = true };
    char text[100];
    size_t n;
    PL_EQ(pl_sasl_new(&s, &conf, &offer), PL_OK);
    PL_EQ(pl_sasl_begin(s, &out), PL_OK);
    PL_OKAY(pl_base64_decode(out.p, out.n, (uint8_t *)text, sizeof text, &n));
    PL_EQ(n, 14);
    PL_MEMEQ(text, "\0juliet\0s3crit", 14);
    PL_EQ(pl_sasl_challenge(s, PL_STR("AAAA"), &out), PL_EPROTO);
    PL_EQ(pl_sasl_success(s, PL_STR("")), PL_OK);
    pl_sasl_free(s);
    pl_buf_clear(&out);
}

PL_TESTS(t(vector_of_rfc_5802), t(vector_of_rfc_7677), t(every_mechanism_logs_in), t(the_choice),
         t(servers_that_lie), t(nonsense_from_the_server), t(plain))
