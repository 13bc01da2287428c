#include "dtls/record.h"

#include "crypto/hmac.h"

enum { EPOCH = 1, SALT_LEN = 4, EXPLICIT_LEN = 8, AAD_LEN = 13, BODY_MAX = 16384 + 2048 };
#define SEQ_END (UINT64_C(1) << 48)

bool pl_dtls_rec_next(pl_rd *r, pl_dtls_rec *out)
{
    if (pl_rd_left(r) == 0)
        return false;
    out->raw = r->p;
    out->type = pl_rd_u8(r);
    out->version = pl_rd_u16(r);
    out->epoch = pl_rd_u16(r);
    out->seq = (uint64_t)pl_rd_u16(r) << 32;
    out->seq |= pl_rd_u32(r);
    out->len = pl_rd_u16(r);
    out->body = pl_rd_take(r, out->len);
    out->raw_len = PL_DTLS_HEADER_LEN + out->len;
    return pl_rd_ok(r) && out->type >= PL_DTLS_CCS && out->version >> 8 == 0xfe && out->len <= BODY_MAX;
}

pl_err pl_dtls_record_init(pl_dtls_record *r, const pl_dtls_keys *keys, uint64_t next_seq)
{
    *r = (pl_dtls_record){ .next_seq = next_seq, .explicit_nonce = keys->alg != PL_AEAD_CHACHA20_POLY1305 };
    memcpy(r->local_iv, keys->local_iv, sizeof r->local_iv);
    memcpy(r->remote_iv, keys->remote_iv, sizeof r->remote_iv);
    pl_err err = pl_aead_new(&r->seal, keys->alg, PL_AEAD_SEAL, keys->local_key);
    if (err == PL_OK)
        err = pl_aead_new(&r->open, keys->alg, PL_AEAD_OPEN, keys->remote_key);
    if (err != PL_OK)
        pl_dtls_record_clear(r);
    return err;
}

void pl_dtls_record_clear(pl_dtls_record *r)
{
    pl_aead_free(r->seal);
    pl_aead_free(r->open);
    pl_wipe(r, sizeof *r);
}

static size_t explicit_len(const pl_dtls_record *r)
{
    return r->explicit_nonce ? EXPLICIT_LEN : 0;
}

/* GCM: salt, then the eight bytes the record carries. ChaCha20: the IV with epoch and number folded in. */
static void make_nonce(const pl_dtls_record *r, const uint8_t iv[PL_AEAD_NONCE_LEN], const uint8_t eight[8],
                       uint8_t nonce[PL_AEAD_NONCE_LEN])
{
    memcpy(nonce, iv, PL_AEAD_NONCE_LEN);
    for (int i = 0; i < 8; i++)
        nonce[SALT_LEN + i] = r->explicit_nonce ? eight[i] : nonce[SALT_LEN + i] ^ eight[i];
}

static void make_aad(uint8_t aad[AAD_LEN], const uint8_t eight[8], uint8_t type, uint16_t version, size_t len)
{
    memcpy(aad, eight, 8);
    aad[8] = type;
    pl_put16(aad + 9, version);
    pl_put16(aad + 11, (uint16_t)len);
}

pl_err pl_dtls_record_seal(pl_dtls_record *r, uint8_t type, const uint8_t *data, size_t len, uint8_t *out,
                           size_t cap, size_t *out_len)
{
    size_t extra = explicit_len(r);
    size_t body = extra + len + PL_AEAD_TAG_LEN;
    if (cap < PL_DTLS_HEADER_LEN + body)
        return PL_ENOSPC;
    if (r->next_seq >= SEQ_END)
        return PL_ESTATE;
    uint8_t eight[8], nonce[PL_AEAD_NONCE_LEN], aad[AAD_LEN];
    pl_put64(eight, (uint64_t)EPOCH << 48 | r->next_seq++);
    make_nonce(r, r->local_iv, eight, nonce);
    make_aad(aad, eight, type, PL_DTLS_VERSION, len);

    out[0] = type;
    pl_put16(out + 1, PL_DTLS_VERSION);
    memcpy(out + 3, eight, 8);
    pl_put16(out + 11, (uint16_t)body);
    uint8_t *at = out + PL_DTLS_HEADER_LEN;
    memcpy(at, eight, extra);
    at += extra;
    if (!pl_aead_seal(r->seal, nonce, aad, sizeof aad, data, len, at, at + len))
        return PL_EIO;
    *out_len = PL_DTLS_HEADER_LEN + body;
    return PL_OK;
}

size_t pl_dtls_record_room(const pl_dtls_record *r, const pl_dtls_rec *rec)
{
    size_t extra = explicit_len(r) + PL_AEAD_TAG_LEN;
    return rec->len > extra ? rec->len - extra : 0;
}

pl_err pl_dtls_record_open(pl_dtls_record *r, const pl_dtls_rec *rec, uint8_t *out, size_t cap,
                           size_t *out_len)
{
    size_t extra = explicit_len(r);
    if (rec->epoch != EPOCH || rec->len < extra + PL_AEAD_TAG_LEN)
        return PL_EPROTO;
    size_t len = rec->len - extra - PL_AEAD_TAG_LEN;
    if (len > cap)
        return PL_ENOSPC;
    if (pl_replay_seen(&r->replay, rec->seq))
        return PL_EAGAIN;
    uint8_t eight[8], nonce[PL_AEAD_NONCE_LEN], aad[AAD_LEN];
    pl_put64(eight, (uint64_t)EPOCH << 48 | rec->seq);
    make_aad(aad, eight, rec->type, rec->version, len);
    make_nonce(r, r->remote_iv, extra ? rec->body : eight, nonce);
    const uint8_t *in = rec->body + extra;
    if (!pl_aead_open(r->open, nonce, aad, sizeof aad, in, len, out, in + len))
        return PL_EPROTO;
    pl_replay_mark(&r->replay, rec->seq);
    *out_len = len;
    return PL_OK;
}
