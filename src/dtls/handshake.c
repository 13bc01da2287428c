#include "dtls/handshake.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>

#include "crypto/hmac.h"
#include "dtls/context.h"

enum {
    HS_HEADER_LEN = 12,
    VERIFY_DATA_LEN = 12,
    HS_FINISHED = 20,
    NONCE_LEN = 8,              /* that a GCM record carries */
    HS_MESSAGE_MAX = 32 * 1024, /* longer announced messages are nothing a WebRTC peer sends */
    FLIGHT_MAX = 16,            /* datagrams */
    SEQ_AT = 5,                 /* of the 48-bit number in a record, behind the epoch */
    NO_TIMER_US = 3600000000u,
};
_Static_assert(HS_HEADER_LEN + VERIFY_DATA_LEN == PL_DTLS_FINISHED_LEN, "Finished of TLS 1.2");

struct pl_dtls_hs {
    pl_dtls_hs_conf conf;
    SSL *ssl;
    pl_rd *in;             /* what OpenSSL may read during a feed */
    pl_dtls_queue flight;  /* the datagrams of the last flight */
    bool first_of_flight;  /* the next datagram written begins a new one */
    bool is_new;           /* not asked about yet */
    uint64_t plain_seq;    /* next record number of epoch 0: OpenSSL's are overwritten */
    uint16_t message_seq;  /* of the last handshake message in clear; Finished has the next */
    pl_dtls_record record; /* keyed when Finished must be sealed again, or at the end */
    bool keyed;
    int plain_alert;
    size_t junk;
    char reason[PL_DTLS_REASON_MAX];
};

const char *pl_dtls_alert_str(int description)
{
    return SSL_alert_desc_string_long(description);
}

/* ---- what OpenSSL reads ---- */

/* Which messages can come: RFC 5246 7.4 with RFC 6347's HelloVerifyRequest, 22 is CertificateStatus. */
static bool may_come(pl_dtls_role role, uint8_t message)
{
    static const uint32_t from_server = 1u << 0 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 11 | 1u << 12 |
                                        1u << 13 | 1u << 14 | 1u << 20 | 1u << 22;
    static const uint32_t from_client = 1u << 1 | 1u << 11 | 1u << 15 | 1u << 16 | 1u << 20;
    return message < 32 && ((role == PL_DTLS_CLIENT ? from_server : from_client) >> message & 1);
}

/* OpenSSL takes some nonsense for a fatal fault of the peer; in clear, anybody can have sent it. */
static bool is_sane_handshake(pl_dtls_role role, const pl_dtls_rec *rec)
{
    pl_rd r = pl_rd_init(rec->body, rec->len);
    do {
        uint8_t type = pl_rd_u8(&r);
        uint32_t len = pl_rd_u24(&r);
        pl_rd_u16(&r);
        uint32_t at = pl_rd_u24(&r), n = pl_rd_u24(&r);
        pl_rd_skip(&r, n);
        if (!pl_rd_ok(&r) || !may_come(role, type) || len > HS_MESSAGE_MAX || at + n > len)
            return false;
    } while (pl_rd_left(&r) > 0);
    return true;
}

static bool admit_plain(pl_dtls_hs *h, const pl_dtls_rec *rec)
{
    switch (rec->type) {
    case PL_DTLS_CCS: return rec->len == 1 && rec->body[0] == 1;
    case PL_DTLS_HANDSHAKE:
        if (!is_sane_handshake(h->conf.role, rec))
            return false;
        h->plain_alert = -1;
        return true;
    case PL_DTLS_ALERT:
        if (rec->len == 2 && (rec->body[0] == SSL3_AL_FATAL || rec->body[1] == SSL3_AD_CLOSE_NOTIFY))
            h->plain_alert = rec->body[1];
        return false;
    }
    return false;
}

/* Finished, or an alert, with tag and perhaps nonce. OpenSSL (3.0.19) takes a record that is shorter for a fatal fault of its own. */
static bool is_sealed(const pl_dtls_rec *rec)
{
    size_t plain = rec->type == PL_DTLS_HANDSHAKE ? PL_DTLS_FINISHED_LEN : rec->type == PL_DTLS_ALERT ? 2 : 0;
    return plain && (rec->len == plain + PL_AEAD_TAG_LEN || rec->len == plain + NONCE_LEN + PL_AEAD_TAG_LEN);
}

/* True when OpenSSL shall see the record. */
static bool admit(pl_dtls_hs *h, const pl_dtls_rec *rec)
{
    if (rec->epoch == 1 && rec->type == PL_DTLS_APPDATA) {
        if (!pl_dtls_queue_push(h->conf.held, PL_DTLS_IN_MAX, rec->raw, rec->raw_len))
            h->junk++;
        return false;
    }
    bool ok = rec->epoch == 1 ? is_sealed(rec) : rec->epoch == 0 && admit_plain(h, rec);
    h->junk += !ok && rec->type != PL_DTLS_ALERT;
    return ok;
}

/* OpenSSL is handed one record a time, as if each had been a datagram. */
static int bio_read(BIO *bio, char *buf, int cap)
{
    pl_dtls_hs *h = BIO_get_data(bio);
    pl_dtls_rec rec;
    BIO_clear_retry_flags(bio);
    while (h->in && pl_dtls_rec_next(h->in, &rec)) {
        if (!admit(h, &rec) || rec.raw_len > (size_t)cap)
            continue;
        memcpy(buf, rec.raw, rec.raw_len);
        return (int)rec.raw_len;
    }
    BIO_set_retry_read(bio);
    return -1;
}

/* ---- what OpenSSL writes ---- */

static void put_seq48(uint8_t *at, uint64_t seq)
{
    pl_put16(at, (uint16_t)(seq >> 32));
    pl_put32(at + 2, (uint32_t)seq);
}

/* Numbers the records of epoch 0 of a datagram of ours, and seals the Finished of epoch 1 again. */
static void renumber(pl_dtls_hs *h, uint8_t *datagram, size_t len, const uint8_t *finished)
{
    pl_rd r = pl_rd_init(datagram, len);
    pl_dtls_rec rec;
    while (pl_dtls_rec_next(&r, &rec)) {
        uint8_t *at = datagram + (rec.raw - datagram);
        if (rec.epoch == 0) {
            put_seq48(at + SEQ_AT, h->plain_seq++);
            if (rec.type == PL_DTLS_HANDSHAKE && rec.len >= HS_HEADER_LEN)
                h->message_seq = pl_get16(rec.body + 4);
        } else if (finished && rec.type == PL_DTLS_HANDSHAKE) {
            size_t n;
            if (pl_dtls_record_seal(&h->record, PL_DTLS_HANDSHAKE, finished, PL_DTLS_FINISHED_LEN, at,
                                    rec.raw_len, &n) != PL_OK)
                return;
        }
    }
}

/* A flight fits one call of OpenSSL's state machine; its datagrams are kept to be sent again. */
static int bio_write(BIO *bio, const char *buf, int len)
{
    pl_dtls_hs *h = BIO_get_data(bio);
    size_t n = (size_t)len;
    BIO_clear_retry_flags(bio);
    if (h->first_of_flight) {
        pl_dtls_queue_clear(&h->flight);
        pl_dtls_queue_clear(h->conf.out); /* an answer came: what still waits is out of date */
        h->first_of_flight = false;
        h->is_new = true;
    }
    uint8_t *at = pl_dtls_queue_reserve(h->conf.out, PL_DTLS_OUT_MAX, n);
    if (!at)
        return len; /* as if the network had lost it */
    memcpy(at, buf, n);
    renumber(h, at, n, NULL);
    pl_dtls_queue_commit(h->conf.out, n);
    (void)pl_dtls_queue_push(&h->flight, FLIGHT_MAX, at, n);
    return len;
}

static long bio_ctrl(BIO *bio, int cmd, long larg, void *parg)
{
    (void)bio, (void)larg, (void)parg;
    return cmd == BIO_CTRL_FLUSH;
}

BIO_METHOD *pl_dtls_hs_bio_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "peerline datagrams");
    if (m && BIO_meth_set_read(m, bio_read) && BIO_meth_set_write(m, bio_write) &&
        BIO_meth_set_ctrl(m, bio_ctrl))
        return m;
    BIO_meth_free(m);
    return NULL;
}

static unsigned no_timer(SSL *ssl, unsigned timer_us)
{
    (void)ssl, (void)timer_us;
    return NO_TIMER_US;
}

int pl_dtls_hs_verify(X509_STORE_CTX *store, void *unused)
{
    (void)unused;
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    pl_dtls_hs *h = SSL_get_app_data(ssl);
    uint8_t *der = NULL;
    int len = i2d_X509(X509_STORE_CTX_get0_cert(store), &der);
    pl_err err = len > 0 ? pl_dtls_trust_shown(h->conf.trust, der, (size_t)len) : PL_ENOMEM;
    OPENSSL_free(der);
    if (err != PL_OK) {
        X509_STORE_CTX_set_error(store, X509_V_ERR_OUT_OF_MEM);
        return 0;
    }
    if (pl_dtls_trust_ask(h->conf.trust) == PL_DTLS_STRANGER) {
        X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
        return 0;
    }
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
}

/* ---- life ---- */

static bool set_up(pl_dtls_hs *h)
{
    BIO *bio = BIO_new(h->conf.ctx->bio);
    h->ssl = SSL_new(h->conf.ctx->ssl_ctx);
    if (!bio || !h->ssl) {
        BIO_free(bio);
        return false;
    }
    BIO_set_data(bio, h);
    BIO_set_init(bio, 1);
    SSL_set_bio(h->ssl, bio, bio);
    if (!SSL_set_app_data(h->ssl, h)) /* the verifier finds us by it */
        return false;
    SSL_set_mtu(h->ssl, (long)h->conf.mtu);
    DTLS_set_timer_cb(h->ssl, no_timer);
    if (h->conf.role == PL_DTLS_CLIENT)
        SSL_set_connect_state(h->ssl);
    else
        SSL_set_accept_state(h->ssl);
    return true;
}

pl_err pl_dtls_hs_new(pl_dtls_hs **out, const pl_dtls_hs_conf *conf)
{
    pl_dtls_hs *h = calloc(1, sizeof *h);
    if (!h)
        return PL_ENOMEM;
    h->conf = *conf;
    h->plain_alert = -1;
    if (!set_up(h)) {
        pl_dtls_hs_free(h);
        ERR_clear_error();
        return PL_ENOMEM;
    }
    *out = h;
    return PL_OK;
}

void pl_dtls_hs_free(pl_dtls_hs *h)
{
    if (!h)
        return;
    SSL_free(h->ssl);
    pl_dtls_record_clear(&h->record);
    pl_dtls_queue_clear(&h->flight);
    free(h);
}

static void explain_failure(pl_dtls_hs *h)
{
    const char *text = ERR_reason_error_string(ERR_peek_last_error());
    if (pl_dtls_trust_ask(h->conf.trust) == PL_DTLS_STRANGER)
        text = "the certificate has none of the announced fingerprints";
    snprintf(h->reason, sizeof h->reason, "handshake: %s", text ? text : "no memory");
}

pl_dtls_hs_status pl_dtls_hs_feed(pl_dtls_hs *h, pl_rd *datagram)
{
    ERR_clear_error();
    h->in = datagram;
    h->first_of_flight = true;
    int ret = SSL_do_handshake(h->ssl);
    h->in = NULL;
    if (ret == 1)
        return PL_DTLS_HS_DONE;
    if (SSL_get_error(h->ssl, ret) == SSL_ERROR_WANT_READ)
        return PL_DTLS_HS_GOING;
    explain_failure(h);
    ERR_clear_error();
    return PL_DTLS_HS_FAILED;
}

bool pl_dtls_hs_in_flight(const pl_dtls_hs *h)
{
    return h->flight.n > 0;
}

bool pl_dtls_hs_flight_is_new(pl_dtls_hs *h)
{
    bool is_new = h->is_new;
    h->is_new = false;
    return is_new;
}

int pl_dtls_hs_plain_alert(const pl_dtls_hs *h)
{
    return h->plain_alert;
}

const char *pl_dtls_hs_reason(const pl_dtls_hs *h)
{
    return h->reason;
}

size_t pl_dtls_hs_take_junk(pl_dtls_hs *h)
{
    size_t junk = h->junk;
    h->junk = 0;
    return junk;
}

void pl_dtls_hs_alert(pl_dtls_hs *h, uint8_t description)
{
    uint8_t alert[PL_DTLS_HEADER_LEN + 2];
    pl_wr w = pl_wr_init(alert, sizeof alert);
    pl_wr_u8(&w, PL_DTLS_ALERT);
    pl_wr_u16(&w, PL_DTLS_VERSION);
    pl_wr_u16(&w, 0);
    pl_wr_u16(&w, (uint16_t)(h->plain_seq >> 32));
    pl_wr_u32(&w, (uint32_t)h->plain_seq);
    pl_wr_u16(&w, 2);
    pl_wr_u8(&w, SSL3_AL_FATAL);
    pl_wr_u8(&w, description);
    h->plain_seq++;
    (void)pl_dtls_queue_push(h->conf.out, PL_DTLS_OUT_MAX, alert, sizeof alert);
}

/* ---- keys ---- */

static bool alg_of(const SSL_CIPHER *cipher, pl_aead_alg *out)
{
    switch (SSL_CIPHER_get_cipher_nid(cipher)) {
    case NID_aes_128_gcm: *out = PL_AEAD_AES_128_GCM; return true;
    case NID_aes_256_gcm: *out = PL_AEAD_AES_256_GCM; return true;
    case NID_chacha20_poly1305: *out = PL_AEAD_CHACHA20_POLY1305; return true;
    }
    return false;
}

/* key_block = PRF(master secret, "key expansion" | server random | client random), RFC 5246 6.3. */
static bool expand(const pl_dtls_hs *h, const SSL_CIPHER *cipher, uint8_t *block, size_t len)
{
    enum { LABEL = 13, RANDOM = 32 };
    uint8_t master[SSL_MAX_MASTER_KEY_LENGTH], seed[LABEL + 2 * RANDOM] = "key expansion";
    const char *md = EVP_MD_get0_name(SSL_CIPHER_get_handshake_digest(cipher));
    size_t n = SSL_SESSION_get_master_key(SSL_get_session(h->ssl), master, sizeof master);
    SSL_get_server_random(h->ssl, seed + LABEL, RANDOM);
    SSL_get_client_random(h->ssl, seed + LABEL + RANDOM, RANDOM);
    OSSL_PARAM params[] = { OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_DIGEST, (void *)(uintptr_t)md, 0),
                            OSSL_PARAM_octet_string(OSSL_KDF_PARAM_SECRET, master, n),
                            OSSL_PARAM_octet_string(OSSL_KDF_PARAM_SEED, seed, sizeof seed), OSSL_PARAM_END };
    EVP_KDF_CTX *kdf = EVP_KDF_CTX_new(h->conf.ctx->prf);
    bool ok = kdf && n > 0 && EVP_KDF_derive(kdf, block, len, params) == 1;
    EVP_KDF_CTX_free(kdf);
    pl_wipe(master, sizeof master);
    return ok;
}

static void split(pl_dtls_keys *k, const uint8_t *block, size_t key_len, size_t iv_len, bool client)
{
    const uint8_t *ivs = block + 2 * key_len;
    size_t mine = client ? 0 : 1, theirs = 1 - mine;
    memcpy(k->local_key, block + mine * key_len, key_len);
    memcpy(k->remote_key, block + theirs * key_len, key_len);
    memcpy(k->local_iv, ivs + mine * iv_len, iv_len);
    memcpy(k->remote_iv, ivs + theirs * iv_len, iv_len);
}

/* OpenSSL itself has written one record of epoch 1, its Finished with number 0: ours go on from 1. */
static pl_err key_records(pl_dtls_hs *h)
{
    enum { GCM_SALT_LEN = 4 };
    uint8_t block[2 * (PL_AEAD_KEY_MAX + PL_AEAD_NONCE_LEN)];
    const SSL_CIPHER *cipher = SSL_get_current_cipher(h->ssl);
    pl_dtls_keys keys = { 0 };
    if (h->keyed)
        return PL_OK;
    if (!cipher || !alg_of(cipher, &keys.alg))
        return PL_EIO;
    size_t key_len = pl_aead_key_len(keys.alg);
    size_t iv_len = keys.alg == PL_AEAD_CHACHA20_POLY1305 ? PL_AEAD_NONCE_LEN : GCM_SALT_LEN;
    pl_err err = PL_EIO;
    if (expand(h, cipher, block, 2 * (key_len + iv_len))) {
        split(&keys, block, key_len, iv_len, h->conf.role == PL_DTLS_CLIENT);
        err = pl_dtls_record_init(&h->record, &keys, 1);
    }
    h->keyed = err == PL_OK;
    pl_wipe(block, sizeof block);
    pl_wipe(&keys, sizeof keys);
    return err;
}

static bool write_finished(const pl_dtls_hs *h, uint8_t out[PL_DTLS_FINISHED_LEN])
{
    pl_wr w = pl_wr_init(out, PL_DTLS_FINISHED_LEN);
    pl_wr_u8(&w, HS_FINISHED);
    pl_wr_u24(&w, VERIFY_DATA_LEN);
    pl_wr_u16(&w, (uint16_t)(h->message_seq + 1));
    pl_wr_u24(&w, 0);
    pl_wr_u24(&w, VERIFY_DATA_LEN);
    uint8_t *at = pl_wr_make(&w, VERIFY_DATA_LEN);
    return SSL_get_finished(h->ssl, at, VERIFY_DATA_LEN) == VERIFY_DATA_LEN;
}

static bool has_sealed(const uint8_t *datagram, size_t len)
{
    pl_rd r = pl_rd_init(datagram, len);
    pl_dtls_rec rec;
    while (pl_dtls_rec_next(&r, &rec))
        if (rec.epoch > 0)
            return true;
    return false;
}

void pl_dtls_hs_resend(pl_dtls_hs *h)
{
    uint8_t finished[PL_DTLS_FINISHED_LEN];
    uint16_t message_seq = h->message_seq; /* of the flight's end; renumber() passes earlier ones */
    for (size_t left = h->flight.n; left > 0; left--) {
        size_t len;
        const uint8_t *datagram = pl_dtls_queue_peek(&h->flight, &len);
        uint8_t *at = pl_dtls_queue_reserve(h->conf.out, PL_DTLS_OUT_MAX, len);
        bool sealed = has_sealed(datagram, len);
        if (!at || (sealed && (key_records(h) != PL_OK || !write_finished(h, finished))))
            return;
        memcpy(at, datagram, len);
        renumber(h, at, len, sealed ? finished : NULL);
        pl_dtls_queue_commit(h->conf.out, len);
        pl_dtls_queue_drop(&h->flight); /* to the end of the queue */
        (void)pl_dtls_queue_push(&h->flight, FLIGHT_MAX, at, len);
        h->message_seq = message_seq;
    }
}

/* RFC 5764 4.2: client key, server key, client salt, server salt. */
static bool export_srtp(const pl_dtls_hs *h, pl_srtp_keys *out)
{
    static const char label[] = "EXTRACTOR-dtls_srtp";
    const SRTP_PROTECTION_PROFILE *profile = SSL_get_selected_srtp_profile(h->ssl);
    uint8_t block[2 * (PL_SRTP_KEY_MAX + PL_SRTP_SALT_MAX)];
    *out = (pl_srtp_keys){ .profile = PL_SRTP_NONE };
    if (!profile)
        return true;
    out->profile = (pl_srtp_profile)profile->id;
    size_t key_len = pl_srtp_key_len(out->profile), salt_len = pl_srtp_salt_len(out->profile);
    if (SSL_export_keying_material(h->ssl, block, 2 * (key_len + salt_len), label, sizeof label - 1, NULL, 0,
                                   0) != 1)
        return false;
    bool client = h->conf.role == PL_DTLS_CLIENT;
    pl_srtp_master *first = client ? &out->local : &out->remote;
    pl_srtp_master *second = client ? &out->remote : &out->local;
    memcpy(first->key, block, key_len);
    memcpy(second->key, block + key_len, key_len);
    memcpy(first->salt, block + 2 * key_len, salt_len);
    memcpy(second->salt, block + 2 * key_len + salt_len, salt_len);
    pl_wipe(block, sizeof block);
    return true;
}

static const char *group_of(SSL *ssl)
{
    switch (SSL_get_negotiated_group(ssl)) {
    case NID_X25519: return "X25519";
    case NID_X9_62_prime256v1: return "P-256";
    case NID_secp384r1: return "P-384";
    }
    return "";
}

pl_err pl_dtls_hs_finish(pl_dtls_hs *h, pl_dtls_result *out)
{
    *out = (pl_dtls_result){ .plain_seq = h->plain_seq };
    pl_err err = key_records(h);
    if (err != PL_OK)
        return err;
    if (!write_finished(h, out->finished) || !export_srtp(h, &out->srtp))
        return PL_EIO;
    out->cipher = SSL_CIPHER_standard_name(SSL_get_current_cipher(h->ssl));
    out->group = group_of(h->ssl);
    out->record = h->record;
    pl_wipe(&h->record, sizeof h->record); /* moved */
    h->keyed = false;
    return PL_OK;
}
