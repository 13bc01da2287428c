#include "stun/token.h"

#include "base/bytes.h"
#include "base/time.h"
#include "crypto/aead.h"
#include "crypto/hmac.h"

enum { BLOCK_MAX = 2 + PL_STUN_MAC_KEY_MAX + 8 + 4, SERVER_MAX = 763 };

/* Seconds in the upper 48 bits, fractions of 1/64000 below. */
static uint64_t to_timestamp(int64_t wall_us)
{
    uint64_t us = (uint64_t)wall_us;
    return us / 1000000 << 16 | us % 1000000 * 64000 / 1000000;
}

static int64_t from_timestamp(uint64_t t)
{
    return (int64_t)((t >> 16) * 1000000 + (t & 0xffff) * 1000000 / 64000);
}

int64_t pl_stun_token_end_us(const pl_stun_token *t)
{
    return t->made_wall_us + PL_SEC((int64_t)t->lifetime_s + PL_STUN_TOKEN_SKEW_S);
}

static pl_err new_cipher(pl_aead **out, pl_aead_dir dir, const uint8_t *key, size_t key_len, pl_str server)
{
    pl_aead_alg alg = key_len == 32 ? PL_AEAD_AES_256_GCM : PL_AEAD_AES_128_GCM;
    *out = NULL;
    if (key_len != pl_aead_key_len(alg) || server.n == 0 || server.n > SERVER_MAX)
        return PL_EINVAL;
    return pl_aead_new(out, alg, dir, key);
}

pl_err pl_stun_token_seal(const pl_stun_token *t, const uint8_t *key, size_t key_len, pl_str server,
                          const uint8_t nonce[PL_STUN_TOKEN_NONCE_LEN], uint8_t out[PL_STUN_TOKEN_MAX],
                          size_t *out_len)
{
    uint8_t block[BLOCK_MAX];
    pl_aead *cipher;
    *out_len = 0;
    if (t->mac_key_len < PL_STUN_MAC_KEY_MIN || t->mac_key_len > PL_STUN_MAC_KEY_MAX || t->made_wall_us < 0)
        return PL_EINVAL;
    pl_err err = new_cipher(&cipher, PL_AEAD_SEAL, key, key_len, server);
    if (err)
        return err;
    pl_wr b = pl_wr_init(block, sizeof block), w = pl_wr_init(out, PL_STUN_TOKEN_MAX);
    pl_wr_u16(&b, t->mac_key_len);
    pl_wr_bytes(&b, t->mac_key, t->mac_key_len);
    pl_wr_u64(&b, to_timestamp(t->made_wall_us));
    pl_wr_u32(&b, t->lifetime_s);
    pl_wr_u16(&w, PL_STUN_TOKEN_NONCE_LEN);
    pl_wr_bytes(&w, nonce, PL_STUN_TOKEN_NONCE_LEN);
    size_t n = pl_wr_len(&b);
    uint8_t *sealed = pl_wr_make(&w, n + PL_AEAD_TAG_LEN);
    bool good = sealed && pl_aead_seal(cipher, nonce, (const uint8_t *)server.p, server.n, block, n, sealed,
                                       sealed + n);
    pl_aead_free(cipher);
    pl_wipe(block, sizeof block);
    *out_len = good ? pl_wr_len(&w) : 0;
    return good ? PL_OK : PL_ENOMEM;
}

static bool read_block(pl_stun_token *out, const uint8_t *block, size_t len)
{
    pl_rd r = pl_rd_init(block, len);
    uint16_t n = pl_rd_u16(&r);
    const uint8_t *mac_key = pl_rd_take(&r, n);
    uint64_t timestamp = pl_rd_u64(&r);
    out->lifetime_s = pl_rd_u32(&r);
    if (!pl_rd_ok(&r) || pl_rd_left(&r) || n < PL_STUN_MAC_KEY_MIN || n > PL_STUN_MAC_KEY_MAX ||
        timestamp >> 16 > UINT32_MAX)
        return false;
    memcpy(out->mac_key, mac_key, n);
    out->mac_key_len = (uint8_t)n;
    out->made_wall_us = from_timestamp(timestamp);
    return true;
}

/* Neither older than its life nor made in a future that clocks cannot explain (RFC 7635 9). */
static bool is_in_time(const pl_stun_token *t, int64_t wall_us)
{
    return wall_us < pl_stun_token_end_us(t) && t->made_wall_us < wall_us + PL_SEC(PL_STUN_TOKEN_SKEW_S);
}

pl_err pl_stun_token_open(pl_stun_token *out, const uint8_t *key, size_t key_len, pl_str server,
                          const uint8_t *token, size_t len, int64_t wall_us)
{
    uint8_t block[BLOCK_MAX];
    pl_aead *cipher;
    pl_rd r = pl_rd_init(token, len);
    size_t nonce_len = pl_rd_u16(&r);
    const uint8_t *nonce = pl_rd_take(&r, nonce_len);
    *out = (pl_stun_token){ 0 };
    if (!pl_rd_ok(&r) || nonce_len != PL_STUN_TOKEN_NONCE_LEN || pl_rd_left(&r) < PL_AEAD_TAG_LEN ||
        pl_rd_left(&r) > BLOCK_MAX + PL_AEAD_TAG_LEN)
        return PL_EPROTO;
    pl_err err = new_cipher(&cipher, PL_AEAD_OPEN, key, key_len, server);
    if (err)
        return err;
    size_t n = pl_rd_left(&r) - PL_AEAD_TAG_LEN;
    bool good = pl_aead_open(cipher, nonce, (const uint8_t *)server.p, server.n, r.p, n, block, r.p + n) &&
                read_block(out, block, n) && is_in_time(out, wall_us);
    pl_aead_free(cipher);
    pl_wipe(block, sizeof block);
    if (!good)
        pl_wipe(out, sizeof *out);
    return good ? PL_OK : PL_EPROTO;
}
