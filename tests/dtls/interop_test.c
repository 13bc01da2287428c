/* A session against OpenSSL's own DTLS, from handshake to records: it shares none of our record layer, timers
 * or key derivation. */
#include "pl_test.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "dtls/pair.h"

enum { MTU = 1400 };

/* The other side: OpenSSL with two memory buffers, whose contents go over as one datagram of many records. */
typedef struct other {
    SSL_CTX *ctx;
    SSL *ssl;
    pl_cert *cert;
    bool done;
} other;

typedef struct setting {
    const char *ciphers, *groups, *srtp;
    unsigned long options;
    bool cookies;
    pl_cert_key key;
} setting;

static int take_any(X509_STORE_CTX *store, void *unused)
{
    (void)store, (void)unused;
    return 1;
}
static int make_cookie(SSL *ssl, unsigned char *cookie, unsigned *len)
{
    (void)ssl;
    static const uint8_t biscuit[] = { 1, 2, 3, 4, 5, 6, 7 };
    memcpy(cookie, biscuit, sizeof biscuit);
    *len = sizeof biscuit;
    return 1;
}
static int check_cookie(SSL *ssl, const unsigned char *cookie, unsigned len)
{
    (void)ssl;
    return len == 7 && cookie[0] == 1 && cookie[6] == 7;
}

static void other_new(other *o, const setting *s, bool server)
{
    o->cert = test_cert(s->key);
    o->ctx = SSL_CTX_new(DTLS_method());
    SSL_CTX_set_min_proto_version(o->ctx, DTLS1_2_VERSION);
    SSL_CTX_set_cipher_list(o->ctx, s->ciphers);
    SSL_CTX_set1_groups_list(o->ctx, s->groups);
    if (s->srtp)
        PL_EQ(SSL_CTX_set_tlsext_use_srtp(o->ctx, s->srtp), 0);
    SSL_CTX_set_options(o->ctx, s->options | SSL_OP_NO_QUERY_MTU);
    SSL_CTX_use_certificate(o->ctx, pl_cert_x509(o->cert));
    SSL_CTX_use_PrivateKey(o->ctx, pl_cert_pkey(o->cert));
    SSL_CTX_set_verify(o->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_cert_verify_callback(o->ctx, take_any, NULL);
    SSL_CTX_set_cookie_generate_cb(o->ctx, make_cookie);
    SSL_CTX_set_cookie_verify_cb(o->ctx, check_cookie);
    if (s->cookies)
        SSL_CTX_set_options(o->ctx, SSL_OP_COOKIE_EXCHANGE);
    o->ssl = SSL_new(o->ctx);
    SSL_set_mtu(o->ssl, MTU);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(in, -1);
    BIO_set_mem_eof_return(out, -1);
    SSL_set_bio(o->ssl, in, out);
    if (server)
        SSL_set_accept_state(o->ssl);
    else
        SSL_set_connect_state(o->ssl);
    o->done = false;
}

static void other_free(other *o)
{
    SSL_free(o->ssl);
    SSL_CTX_free(o->ctx);
    pl_cert_free(o->cert);
}

static void ours_new(pl_dtls **d, pl_dtls_ctx **ctx, const other *o)
{
    pl_cert *cert = test_cert(PL_CERT_ECDSA_P256);
    PL_EQ(pl_dtls_ctx_new(ctx, cert), PL_OK);
    pl_cert_free(cert);
    PL_EQ(pl_dtls_new(d, &(pl_dtls_conf){ .ctx = *ctx }, 0), PL_OK);
    PL_EQ(pl_dtls_set_remote(*d, 0, pl_cert_fingerprint(o->cert), 1), PL_OK);
}

/* Moves everything over in both directions once; `lose` drops what we say. False when nothing moved. */
static bool exchange(pl_dtls *d, other *o, int64_t now_us, bool lose)
{
    uint8_t buf[16384];
    bool moved = false;
    pl_dgram out = { .data = buf, .cap = sizeof buf };
    while (pl_dtls_poll_output(d, now_us, &out)) {
        moved = true;
        if (!lose)
            BIO_write(SSL_get_rbio(o->ssl), buf, (int)out.len);
        if (!o->done)
            o->done = SSL_do_handshake(o->ssl) == 1;
    }
    if (!o->done)
        o->done = SSL_do_handshake(o->ssl) == 1;
    int n = BIO_read(SSL_get_wbio(o->ssl), buf, sizeof buf);
    if (n > 0)
        pl_dtls_input(d, now_us, buf, (size_t)n);
    return moved || n > 0;
}

static void they_read(other *o, const char *want)
{
    char buf[100];
    int n = SSL_read(o->ssl, buf, sizeof buf);
    PL_EQ(n, (int)strlen(want));
    PL_MEMEQ(buf, want, strlen(want));
}

static void we_read(pl_dtls *d, const char *want)
{
    uint8_t buf[100];
    size_t n = 0;
    PL_OKAY(pl_dtls_poll_data(d, buf, sizeof buf, &n));
    PL_EQ(n, strlen(want));
    PL_MEMEQ(buf, want, n);
}

static void we_say(pl_dtls *d, other *o, const char *text)
{
    uint8_t buf[200];
    size_t n = 0;
    PL_EQ(pl_dtls_protect(d, (const uint8_t *)text, strlen(text), buf, sizeof buf, &n), PL_OK);
    BIO_write(SSL_get_rbio(o->ssl), buf, (int)n);
}

static void they_say(pl_dtls *d, other *o, const char *text)
{
    uint8_t buf[200];
    PL_EQ(SSL_write(o->ssl, text, (int)strlen(text)), (int)strlen(text));
    int n = BIO_read(SSL_get_wbio(o->ssl), buf, sizeof buf);
    pl_dtls_input(d, 0, buf, (size_t)n);
}

/* Client key, server key, client salt, server salt: as RFC 5764 4.2 cuts the exported block. */
static void keys_agree(pl_dtls *d, other *o, bool we_are_client)
{
    uint8_t block[2 * (PL_SRTP_KEY_MAX + PL_SRTP_SALT_MAX)];
    pl_srtp_keys keys;
    PL_EQ(pl_dtls_export_srtp(d, &keys), PL_OK);
    PL_EQ(SSL_get_selected_srtp_profile(o->ssl)->id, keys.profile);
    size_t k = pl_srtp_key_len(keys.profile), s = pl_srtp_salt_len(keys.profile);
    PL_EQ(SSL_export_keying_material(o->ssl, block, 2 * (k + s), "EXTRACTOR-dtls_srtp", 19, NULL, 0, 0), 1);
    const pl_srtp_master *client = we_are_client ? &keys.local : &keys.remote;
    const pl_srtp_master *server = we_are_client ? &keys.remote : &keys.local;
    PL_MEMEQ(client->key, block, k);
    PL_MEMEQ(server->key, block + k, k);
    PL_MEMEQ(client->salt, block + 2 * k, s);
    PL_MEMEQ(server->salt, block + 2 * k + s, s);
}

static void call_with(const setting *s, bool we_are_client, const char *cipher, const char *group)
{
    other o;
    pl_dtls *d = NULL;
    pl_dtls_ctx *ctx = NULL;
    pl_dtls_info info;
    other_new(&o, s, we_are_client);
    ours_new(&d, &ctx, &o);
    PL_EQ(pl_dtls_start(d, 0, we_are_client ? PL_DTLS_CLIENT : PL_DTLS_SERVER), PL_OK);
    while (exchange(d, &o, 0, false))
        ;
    PL_EQ(pl_dtls_get_state(d), PL_DTLS_CONNECTED);
    PL_OKAY(o.done);
    pl_dtls_get_info(d, &info);
    PL_STREQ(info.cipher, cipher);
    PL_STREQ(info.group, group);
    if (s->srtp)
        keys_agree(d, &o, we_are_client);
    else
        PL_EQ(pl_dtls_export_srtp(d, &(pl_srtp_keys){ 0 }), PL_ENOTSUP);

    we_say(d, &o, "from us");
    they_read(&o, "from us");
    they_say(d, &o, "from them");
    we_read(d, "from them");

    SSL_shutdown(o.ssl);
    exchange(d, &o, 0, false);
    PL_EQ(pl_dtls_get_state(d), PL_DTLS_CLOSED);
    exchange(d, &o, 0, false);
    PL_EQ(SSL_shutdown(o.ssl), 1); /* our close_notify answered theirs */
    pl_dtls_free(d);
    pl_dtls_ctx_free(ctx);
    other_free(&o);
}

#define ALL_GROUPS "X25519:P-256:P-384"
static const char all_srtp[] = "SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_256_GCM:SRTP_AEAD_AES_128_GCM";

PL_TEST(every_suite_as_client_and_as_server)
{
    static const char *const suite[][2] = {
        { "ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" },
        { "ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384" },
        { "ECDHE-ECDSA-CHACHA20-POLY1305", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256" },
    };
    for (size_t i = 0; i < 3; i++) {
        setting s = { .ciphers = suite[i][0], .groups = ALL_GROUPS, .srtp = all_srtp };
        call_with(&s, true, suite[i][1], "X25519");
        call_with(&s, false, suite[i][1], "X25519");
    }
}

PL_TEST(rsa_certificate_of_the_peer)
{
    setting s = { .ciphers = "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256",
                  .groups = ALL_GROUPS,
                  .srtp = all_srtp,
                  .key = PL_CERT_RSA_2048 };
    call_with(&s, true, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "X25519");
    call_with(&s, false, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "X25519");
}

PL_TEST(every_group)
{
    /* P-256 in each, because the curve of our certificate has to be among a server's groups */
    static const char *const groups[][2] = { { "X25519:P-256", "X25519" },
                                             { "P-256", "P-256" },
                                             { "P-384:P-256", "P-384" } };
    for (size_t i = 0; i < 3; i++) {
        setting s = { .ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256",
                      .groups = groups[i][0],
                      .srtp = all_srtp,
                      .options = SSL_OP_CIPHER_SERVER_PREFERENCE };
        call_with(&s, true, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", groups[i][1]);
    }
}

PL_TEST(every_srtp_profile_and_none)
{
    static const char *const profile[] = { "SRTP_AEAD_AES_128_GCM", "SRTP_AEAD_AES_256_GCM",
                                           "SRTP_AES128_CM_SHA1_80", NULL };
    for (size_t i = 0; i < 4; i++) {
        setting s = { .ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256", .groups = ALL_GROUPS, .srtp = profile[i] };
        call_with(&s, true, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "X25519");
        call_with(&s, false, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "X25519");
    }
}

PL_TEST(without_extended_master_secret_and_with_cookies)
{
    setting plain = { .ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256",
                      .groups = ALL_GROUPS,
                      .srtp = all_srtp,
                      .options = SSL_OP_NO_EXTENDED_MASTER_SECRET };
    call_with(&plain, true, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "X25519");
    call_with(&plain, false, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "X25519");
    setting cookies = { .ciphers = plain.ciphers, .groups = ALL_GROUPS, .srtp = all_srtp, .cookies = true };
    call_with(&cookies, true, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "X25519");
}

/* OpenSSL's replay check and message numbers judge what we send again: each of our flights is lost once, and
 * then its server's last one. */
PL_TEST(our_retransmissions_are_understood)
{
    setting s = { .ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256", .groups = ALL_GROUPS, .srtp = all_srtp };
    for (int lost_flight = 0; lost_flight < 2; lost_flight++) {
        other o;
        pl_dtls *d = NULL;
        pl_dtls_ctx *ctx = NULL;
        int64_t now_us = 0;
        other_new(&o, &s, true);
        ours_new(&d, &ctx, &o);
        PL_EQ(pl_dtls_start(d, 0, PL_DTLS_CLIENT), PL_OK);
        for (int i = 0; i < lost_flight; i++)
            exchange(d, &o, now_us, false);
        for (int times = 0; times < 3; times++) {
            exchange(d, &o, now_us, true);
            now_us = pl_dtls_next_us(d);
            pl_dtls_tick(d, now_us);
        }
        while (exchange(d, &o, now_us, false))
            ;
        PL_EQ(pl_dtls_get_state(d), PL_DTLS_CONNECTED);
        we_say(d, &o, "hello");
        they_read(&o, "hello");
        pl_dtls_free(d);
        pl_dtls_ctx_free(ctx);
        other_free(&o);
    }
}

PL_TEST(its_last_flight_is_called_for_again)
{
    setting s = { .ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256", .groups = ALL_GROUPS, .srtp = all_srtp };
    other o;
    pl_dtls *d = NULL;
    pl_dtls_ctx *ctx = NULL;
    uint8_t buf[4096];
    pl_dgram out = { .data = buf, .cap = sizeof buf };
    other_new(&o, &s, true);
    ours_new(&d, &ctx, &o);
    PL_EQ(pl_dtls_start(d, 0, PL_DTLS_CLIENT), PL_OK);
    exchange(d, &o, 0, false); /* hello and answer */
    while (pl_dtls_poll_output(d, 0, &out))
        BIO_write(SSL_get_rbio(o.ssl), buf, (int)out.len);
    PL_EQ(SSL_do_handshake(o.ssl), 1);
    o.done = true;
    PL_OKAY(BIO_read(SSL_get_wbio(o.ssl), buf, sizeof buf) > 0); /* lost */
    int64_t now_us = pl_dtls_next_us(d);
    pl_dtls_tick(d, now_us);
    while (pl_dtls_poll_output(d, now_us, &out)) {
        BIO_write(SSL_get_rbio(o.ssl), buf, (int)out.len);
        (void)SSL_read(o.ssl, buf, sizeof buf); /* it meets our Finished again */
    }
    exchange(d, &o, now_us, false);
    PL_EQ(pl_dtls_get_state(d), PL_DTLS_CONNECTED);
    pl_dtls_free(d);
    pl_dtls_ctx_free(ctx);
    other_free(&o);
}

PL_TEST(renegotiation_is_ignored)
{
    setting s = { .ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256", .groups = ALL_GROUPS, .srtp = all_srtp };
    other o;
    pl_dtls *d = NULL;
    pl_dtls_ctx *ctx = NULL;
    other_new(&o, &s, true);
    ours_new(&d, &ctx, &o);
    PL_EQ(pl_dtls_start(d, 0, PL_DTLS_CLIENT), PL_OK);
    while (exchange(d, &o, 0, false))
        ;
    PL_EQ(SSL_renegotiate(o.ssl), 1); /* as a server: HelloRequest */
    (void)SSL_do_handshake(o.ssl);
    PL_OKAY(exchange(d, &o, 0, false));
    PL_EQ(pl_dtls_get_state(d), PL_DTLS_CONNECTED);
    PL_OKAY(!exchange(d, &o, 0, false)); /* no answer */
    pl_dtls_free(d);
    pl_dtls_ctx_free(ctx);
    other_free(&o);
}

PL_TESTS(t(every_suite_as_client_and_as_server), t(rsa_certificate_of_the_peer), t(every_group),
         t(every_srtp_profile_and_none), t(without_extended_master_secret_and_with_cookies),
         t(our_retransmissions_are_understood), t(its_last_flight_is_called_for_again),
         t(renegotiation_is_ignored))
