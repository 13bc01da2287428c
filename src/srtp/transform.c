#include "srtp/transform.h"

#include <string.h>

#include "base/bytes.h"

enum {
    AUTH_KEY_LEN = 20,
    RTCP_HEAD = 8, /* header and SSRC stay in clear */
    WORD_LEN = 4,
    RTCP_TAG_CM = 10,
    LABEL_AT = 7, /* of the label in the 112-bit salt: key_id is label | 48 bits of zero */
};
#define E_FLAG 0x80000000u

pl_err pl_srtp_derive(const pl_srtp_master *master, size_t key_len, size_t salt_len, uint8_t label,
                      uint8_t *out, size_t n)
{
    uint8_t iv[PL_AES_CTR_IV_LEN] = { 0 };
    pl_aes_ctr *prf = NULL;
    pl_err err = pl_aes_ctr_new(&prf, master->key, key_len);
    if (err != PL_OK)
        return err;
    memcpy(iv, master->salt, salt_len);
    iv[LABEL_AT] ^= label;
    memset(out, 0, n);
    err = pl_aes_ctr_xor(prf, iv, out, n) ? PL_OK : PL_EIO;
    pl_aes_ctr_free(prf);
    return err;
}

static bool is_gcm(pl_srtp_profile p)
{
    return p == PL_SRTP_AEAD_AES_128_GCM || p == PL_SRTP_AEAD_AES_256_GCM;
}

static uint8_t tag_len_of(pl_srtp_profile p, uint8_t first_label)
{
    if (is_gcm(p))
        return PL_AEAD_TAG_LEN;
    return p == PL_SRTP_AES128_CM_SHA1_32 && first_label == PL_SRTP_RTP ? 4 : RTCP_TAG_CM;
}

static pl_err init_ciphers(pl_srtp_transform *t, pl_srtp_profile profile, bool seal, const uint8_t *key)
{
    switch (profile) {
    case PL_SRTP_AEAD_AES_128_GCM:
        return pl_aead_new(&t->aead, PL_AEAD_AES_128_GCM, seal ? PL_AEAD_SEAL : PL_AEAD_OPEN, key);
    case PL_SRTP_AEAD_AES_256_GCM:
        return pl_aead_new(&t->aead, PL_AEAD_AES_256_GCM, seal ? PL_AEAD_SEAL : PL_AEAD_OPEN, key);
    default: return pl_aes_ctr_new(&t->ctr, key, 16);
    }
}

pl_err pl_srtp_transform_init(pl_srtp_transform *t, pl_srtp_profile profile, const pl_srtp_master *master,
                              bool seal, uint8_t first_label)
{
    size_t key_len = pl_srtp_key_len(profile), salt_len = pl_srtp_salt_len(profile);
    uint8_t key[PL_SRTP_KEY_MAX], auth[AUTH_KEY_LEN];
    *t = (pl_srtp_transform){ .tag_len = tag_len_of(profile, first_label) };
    pl_err err = pl_srtp_derive(master, key_len, salt_len, first_label, key, key_len);
    if (err == PL_OK && !is_gcm(profile))
        err = pl_srtp_derive(master, key_len, salt_len, first_label + 1, auth, sizeof auth);
    if (err == PL_OK)
        err = pl_srtp_derive(master, key_len, salt_len, first_label + 2, t->salt, salt_len);
    if (err == PL_OK)
        err = init_ciphers(t, profile, seal, key);
    if (err == PL_OK && !is_gcm(profile))
        pl_hmac_sha1_key_init(&t->auth, auth, sizeof auth);
    if (err != PL_OK)
        pl_srtp_transform_clear(t);
    pl_wipe(key, sizeof key);
    pl_wipe(auth, sizeof auth);
    return err;
}

void pl_srtp_transform_clear(pl_srtp_transform *t)
{
    pl_aead_free(t->aead);
    pl_aes_ctr_free(t->ctr);
    pl_wipe(t, sizeof *t);
}

/* RFC 3711 4.1.1: salt * 2^16 ^ SSRC * 2^64 ^ index * 2^16. */
static void cm_iv(const pl_srtp_transform *t, uint32_t ssrc, uint64_t index, uint8_t iv[PL_AES_CTR_IV_LEN])
{
    memcpy(iv, t->salt, PL_AES_CTR_IV_LEN);
    pl_put32(iv + 4, pl_get32(iv + 4) ^ ssrc);
    pl_put32(iv + 8, pl_get32(iv + 8) ^ (uint32_t)(index >> 16));
    pl_put16(iv + 12, (uint16_t)(pl_get16(iv + 12) ^ index));
}

/* RFC 7714 8.1 and 9.1: two bytes of zero, SSRC, 48 bits of index (RTP: ROC and sequence number), ^ salt. */
static void gcm_iv(const pl_srtp_transform *t, uint32_t ssrc, uint64_t index, uint8_t iv[PL_AEAD_NONCE_LEN])
{
    memcpy(iv, t->salt, PL_AEAD_NONCE_LEN);
    pl_put32(iv + 2, pl_get32(iv + 2) ^ ssrc);
    pl_put16(iv + 6, (uint16_t)(pl_get16(iv + 6) ^ index >> 32));
    pl_put32(iv + 8, pl_get32(iv + 8) ^ (uint32_t)index);
}

static bool cm_xor(pl_srtp_transform *t, uint32_t ssrc, uint64_t index, uint8_t *data, size_t len)
{
    uint8_t iv[PL_AES_CTR_IV_LEN];
    cm_iv(t, ssrc, index, iv);
    return len == 0 || pl_aes_ctr_xor(t->ctr, iv, data, len);
}

/* Over the packet and four bytes more: the ROC, which is not sent, or SRTCP's word. */
static void cm_tag(const pl_srtp_transform *t, const uint8_t *pkt, size_t len, uint32_t more,
                   uint8_t tag[PL_SHA1_LEN])
{
    uint8_t four[4];
    pl_put32(four, more);
    pl_hmac_sha1_with(&t->auth, (pl_slice[]){ { pkt, len }, { four, sizeof four } }, 2, tag);
}

pl_err pl_srtp_seal_rtp(pl_srtp_transform *t, uint32_t ssrc, uint64_t index, uint8_t *pkt, size_t head_len,
                        size_t len)
{
    uint8_t *payload = pkt + head_len, tag[PL_SHA1_LEN], iv[PL_AEAD_NONCE_LEN];
    size_t n = len - head_len;
    if (t->aead) {
        gcm_iv(t, ssrc, index, iv);
        return pl_aead_seal(t->aead, iv, pkt, head_len, payload, n, payload, pkt + len) ? PL_OK : PL_EIO;
    }
    if (!cm_xor(t, ssrc, index, payload, n))
        return PL_EIO;
    cm_tag(t, pkt, len, (uint32_t)(index >> 16), tag);
    memcpy(pkt + len, tag, t->tag_len);
    return PL_OK;
}

pl_err pl_srtp_open_rtp(pl_srtp_transform *t, uint32_t ssrc, uint64_t index, uint8_t *pkt, size_t head_len,
                        size_t len)
{
    uint8_t *payload = pkt + head_len, tag[PL_SHA1_LEN], iv[PL_AEAD_NONCE_LEN];
    size_t n = len - head_len;
    if (t->aead) {
        gcm_iv(t, ssrc, index, iv);
        return pl_aead_open(t->aead, iv, pkt, head_len, payload, n, payload, pkt + len) ? PL_OK : PL_EPROTO;
    }
    cm_tag(t, pkt, len, (uint32_t)(index >> 16), tag);
    if (!pl_ct_eq(tag, pkt + len, t->tag_len))
        return PL_EPROTO;
    return cm_xor(t, ssrc, index, payload, n) ? PL_OK : PL_EIO;
}

pl_err pl_srtp_seal_rtcp(pl_srtp_transform *t, uint32_t ssrc, uint32_t word, uint8_t *pkt, size_t len)
{
    uint8_t *payload = pkt + RTCP_HEAD, iv[PL_AEAD_NONCE_LEN], aad[RTCP_HEAD + WORD_LEN], tag[PL_SHA1_LEN];
    size_t n = len - RTCP_HEAD;
    if (t->aead) {
        gcm_iv(t, ssrc, word & ~E_FLAG, iv);
        memcpy(aad, pkt, RTCP_HEAD);
        pl_put32(aad + RTCP_HEAD, word);
        pl_put32(pkt + len + t->tag_len, word);
        return pl_aead_seal(t->aead, iv, aad, sizeof aad, payload, n, payload, pkt + len) ? PL_OK : PL_EIO;
    }
    if (!cm_xor(t, ssrc, word & ~E_FLAG, payload, n))
        return PL_EIO;
    cm_tag(t, pkt, len, word, tag);
    pl_put32(pkt + len, word);
    memcpy(pkt + len + WORD_LEN, tag, t->tag_len);
    return PL_OK;
}

/* Without the E flag the packet is in clear and all of it is authenticated data. The word must follow it at
 * once for the cipher, where the tag stands: it is moved aside. */
static pl_err gcm_open_clear_rtcp(pl_srtp_transform *t, const uint8_t *iv, uint32_t word, uint8_t *pkt,
                                  size_t len)
{
    uint8_t tag[PL_AEAD_TAG_LEN];
    memcpy(tag, pkt + len, sizeof tag);
    pl_put32(pkt + len, word);
    return pl_aead_open(t->aead, iv, pkt, len + WORD_LEN, NULL, 0, NULL, tag) ? PL_OK : PL_EPROTO;
}

pl_err pl_srtp_open_rtcp(pl_srtp_transform *t, uint32_t ssrc, uint32_t word, uint8_t *pkt, size_t len)
{
    uint8_t *payload = pkt + RTCP_HEAD, iv[PL_AEAD_NONCE_LEN], aad[RTCP_HEAD + WORD_LEN], tag[PL_SHA1_LEN];
    size_t n = len - RTCP_HEAD;
    bool encrypted = word & E_FLAG;
    if (t->aead) {
        gcm_iv(t, ssrc, word & ~E_FLAG, iv);
        if (!encrypted)
            return gcm_open_clear_rtcp(t, iv, word, pkt, len);
        memcpy(aad, pkt, RTCP_HEAD);
        pl_put32(aad + RTCP_HEAD, word);
        return pl_aead_open(t->aead, iv, aad, sizeof aad, payload, n, payload, pkt + len) ? PL_OK : PL_EPROTO;
    }
    cm_tag(t, pkt, len, word, tag);
    if (!pl_ct_eq(tag, pkt + len + WORD_LEN, t->tag_len))
        return PL_EPROTO;
    return !encrypted || cm_xor(t, ssrc, word & ~E_FLAG, payload, n) ? PL_OK : PL_EIO;
}
