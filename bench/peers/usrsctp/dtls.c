#include "dtls.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/ssl.h>

enum { MTU = 1472, LIFE_S = 3600 };

static SSL *tls[2];

static void die(const char *what)
{
    fprintf(stderr, "usrsctp: %s failed\n", what);
    exit(1);
}

static X509 *make_certificate(EVP_PKEY *key)
{
    X509 *x = X509_new();
    if (!x || !X509_gmtime_adj(X509_getm_notBefore(x), 0) ||
        !X509_gmtime_adj(X509_getm_notAfter(x), LIFE_S) || X509_set_pubkey(x, key) != 1 ||
        X509_sign(x, key, EVP_sha256()) == 0)
        die("the certificate");
    return x;
}

static SSL *make_session(int server)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    SSL_CTX *ctx = SSL_CTX_new(DTLS_method());
    if (!key || !ctx)
        die("a key");
    X509 *cert = make_certificate(key);
    if (SSL_CTX_use_certificate(ctx, cert) != 1 || SSL_CTX_use_PrivateKey(ctx, key) != 1 ||
        SSL_CTX_set_cipher_list(ctx, "ECDHE-ECDSA-AES128-GCM-SHA256") != 1)
        die("the context");
    SSL *s = SSL_new(ctx);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    if (!s || !in || !out)
        die("a session");
    BIO_set_mem_eof_return(in, -1);
    BIO_set_mem_eof_return(out, -1);
    SSL_set_bio(s, in, out);
    SSL_set_options(s, SSL_OP_NO_QUERY_MTU);
    SSL_set_mtu(s, MTU);
    if (server)
        SSL_set_accept_state(s);
    else
        SSL_set_connect_state(s);
    X509_free(cert);
    EVP_PKEY_free(key);
    SSL_CTX_free(ctx);
    return s;
}

void dtls_connect(void)
{
    char flight[4 * MTU];
    for (int i = 0; i < 2; i++)
        tls[i] = make_session(i);
    for (int i = 0; i < 16 && !(SSL_is_init_finished(tls[0]) && SSL_is_init_finished(tls[1])); i++) {
        (void)SSL_do_handshake(tls[i % 2]);
        for (int n; (n = BIO_read(SSL_get_wbio(tls[i % 2]), flight, sizeof flight)) > 0;)
            BIO_write(SSL_get_rbio(tls[!(i % 2)]), flight, n);
    }
    if (!SSL_is_init_finished(tls[0]) || !SSL_is_init_finished(tls[1]))
        die("the handshake");
}

size_t dtls_seal(int end, const void *plain, size_t len, void *record, size_t cap)
{
    if (SSL_write(tls[end], plain, (int)len) <= 0)
        die("SSL_write");
    int n = BIO_read(SSL_get_wbio(tls[end]), record, (int)cap);
    return n > 0 ? (size_t)n : 0;
}

size_t dtls_open(int end, const void *record, size_t len, void *plain, size_t cap)
{
    BIO_write(SSL_get_rbio(tls[end]), record, (int)len);
    int n = SSL_read(tls[end], plain, (int)cap);
    return n > 0 ? (size_t)n : 0;
}
