#include "crypto/cert.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

struct pl_cert {
    atomic_uint refs;
    X509 *x509;
    EVP_PKEY *pkey;
    int64_t expires_s;
    pl_fingerprint fingerprint;
};

enum { DAY_S = 24 * 3600, SERIAL_LEN = 8 };

pl_cert *pl_cert_ref(pl_cert *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

void pl_cert_free(pl_cert *c)
{
    if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
        return;
    X509_free(c->x509);
    EVP_PKEY_free(c->pkey);
    free(c);
}

const pl_fingerprint *pl_cert_fingerprint(const pl_cert *c)
{
    return &c->fingerprint;
}

int64_t pl_cert_expires_s(const pl_cert *c)
{
    return c->expires_s;
}

X509 *pl_cert_x509(const pl_cert *c)
{
    return c->x509;
}

EVP_PKEY *pl_cert_pkey(const pl_cert *c)
{
    return c->pkey;
}

pl_err pl_fingerprint_of(pl_fingerprint *out, pl_hash_alg alg, const uint8_t *der, size_t len)
{
    const EVP_MD *md = alg == PL_HASH_SHA256   ? EVP_sha256()
                       : alg == PL_HASH_SHA384 ? EVP_sha384()
                       : alg == PL_HASH_SHA512 ? EVP_sha512()
                       : alg == PL_HASH_SHA1   ? EVP_sha1()
                                               : NULL;
    unsigned n = 0;
    *out = (pl_fingerprint){ 0 };
    if (!md || EVP_Digest(der, len, out->bytes, &n, md, NULL) != 1)
        return PL_ENOTSUP;
    out->alg = (uint8_t)alg;
    out->len = (uint8_t)n;
    return PL_OK;
}

static pl_err own_fingerprint(pl_cert *c)
{
    uint8_t *der = NULL;
    int len = i2d_X509(c->x509, &der);
    if (len <= 0)
        return PL_ENOMEM;
    pl_err err = pl_fingerprint_of(&c->fingerprint, PL_HASH_SHA256, der, (size_t)len);
    OPENSSL_free(der);
    return err;
}

/* Seconds of Unix time of an ASN.1 time, or 0. */
static int64_t unix_time(const ASN1_TIME *t)
{
    int days = 0, seconds = 0;
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    if (!epoch || !ASN1_TIME_diff(&days, &seconds, epoch, t))
        days = seconds = 0;
    ASN1_TIME_free(epoch);
    return (int64_t)days * DAY_S + seconds;
}

/* Takes both objects, also when it fails. */
static pl_err wrap(pl_cert **out, X509 *x509, EVP_PKEY *pkey)
{
    pl_cert *c = calloc(1, sizeof *c);
    if (!c) {
        X509_free(x509);
        EVP_PKEY_free(pkey);
        return PL_ENOMEM;
    }
    atomic_init(&c->refs, 1);
    c->x509 = x509;
    c->pkey = pkey;
    c->expires_s = unix_time(X509_get0_notAfter(x509));
    pl_err err = own_fingerprint(c);
    if (err != PL_OK) {
        pl_cert_free(c);
        return PL_ENOMEM;
    }
    *out = c;
    return PL_OK;
}

/* A random positive serial number, so that no two of ours are taken for one. */
static bool set_serial(X509 *x509)
{
    uint8_t bytes[SERIAL_LEN];
    if (RAND_bytes(bytes, sizeof bytes) != 1)
        return false;
    bytes[0] = (uint8_t)((bytes[0] & 0x7f) | 0x40);
    BIGNUM *bn = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool ok = bn && BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(x509));
    BN_free(bn);
    return ok;
}

/* The same name on every certificate, for a distinguishing one could follow a user (RFC 8827 9.2). */
static bool set_name(X509 *x509)
{
    X509_NAME *name = X509_get_subject_name(x509);
    return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"WebRTC", -1, -1, 0) &&
           X509_set_issuer_name(x509, name);
}

static bool set_validity(X509 *x509, int64_t now_s, int64_t lifetime_s)
{
    time_t now = (time_t)now_s;
    return X509_time_adj_ex(X509_getm_notBefore(x509), -1, 0, &now) &&
           X509_time_adj_ex(X509_getm_notAfter(x509), (int)(lifetime_s / DAY_S), (long)(lifetime_s % DAY_S),
                            &now);
}

static bool fill(X509 *x509, EVP_PKEY *pkey, int64_t now_s, int64_t lifetime_s)
{
    enum { X509_VERSION_THREE = 2 };
    return X509_set_version(x509, X509_VERSION_THREE) && set_serial(x509) && set_name(x509) &&
           set_validity(x509, now_s, lifetime_s) && X509_set_pubkey(x509, pkey) &&
           X509_sign(x509, pkey, EVP_sha256());
}

pl_err pl_cert_new(pl_cert **out, const pl_cert_conf *conf)
{
    int64_t lifetime_s = conf->lifetime_s ? conf->lifetime_s : PL_CERT_LIFETIME_S;
    *out = NULL;
    if (conf->now_s < 0 || lifetime_s < 0)
        return PL_EINVAL;
    if (lifetime_s > PL_CERT_LIFETIME_MAX_S)
        lifetime_s = PL_CERT_LIFETIME_MAX_S;
    EVP_PKEY *pkey = conf->key == PL_CERT_RSA_2048 ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
    X509 *x509 = X509_new();
    if (pkey && x509 && fill(x509, pkey, conf->now_s, lifetime_s))
        return wrap(out, x509, pkey);
    X509_free(x509);
    EVP_PKEY_free(pkey);
    ERR_clear_error();
    return PL_EIO;
}

/* An encrypted key is refused instead of asking on the terminal. */
static int no_password(char *buf, int size, int rwflag, void *user)
{
    (void)buf, (void)size, (void)rwflag, (void)user;
    return -1;
}

pl_err pl_cert_load_pem(pl_cert **out, pl_str cert_pem, pl_str key_pem)
{
    *out = NULL;
    if (cert_pem.n > PL_CERT_PEM_MAX || key_pem.n > PL_CERT_PEM_MAX)
        return PL_ENOSPC;
    pl_err err = PL_EPROTO;
    X509 *x509 = NULL;
    EVP_PKEY *pkey = NULL;
    BIO *in_cert = BIO_new_mem_buf(cert_pem.p, (int)cert_pem.n);
    BIO *in_key = BIO_new_mem_buf(key_pem.p, (int)key_pem.n);
    if (in_cert && in_key) {
        x509 = PEM_read_bio_X509(in_cert, NULL, no_password, NULL);
        pkey = PEM_read_bio_PrivateKey(in_key, NULL, no_password, NULL);
    }
    if (x509 && pkey && X509_check_private_key(x509, pkey) == 1) {
        err = wrap(out, x509, pkey);
        x509 = NULL;
        pkey = NULL;
    }
    X509_free(x509);
    EVP_PKEY_free(pkey);
    BIO_free(in_cert);
    BIO_free(in_key);
    ERR_clear_error();
    return err;
}

pl_err pl_cert_write_pem(const pl_cert *c, pl_buf *out)
{
    BIO *text = BIO_new(BIO_s_secmem());
    char *p = NULL;
    pl_err err = PL_ENOMEM;
    if (text && PEM_write_bio_X509(text, c->x509) &&
        PEM_write_bio_PrivateKey(text, c->pkey, NULL, NULL, 0, NULL, NULL)) {
        long n = BIO_get_mem_data(text, &p);
        pl_buf_add(out, p, (size_t)n);
        err = out->bad ? PL_ENOSPC : PL_OK;
    }
    BIO_free(text);
    return err;
}
