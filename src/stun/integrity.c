#include "stun/integrity.h"

#include "crypto/crc.h"
#include "crypto/digest.h"
#include "crypto/hmac.h"

enum { ATTR_HEADER_LEN = 4, FINGERPRINT_XOR = 0x5354554e };

/* The HMAC covers the message up to the attribute, with a header whose length ends behind that attribute
 * (RFC 8489 14.5), so what follows it may have been added later. */
typedef struct protected_part {
    uint8_t length[2];
    pl_slice part[3];
} protected_part;

static void cover(protected_part *c, const uint8_t *pkt, size_t attr_at, size_t attr_len)
{
    pl_put16(c->length, (uint16_t)(attr_at + ATTR_HEADER_LEN + attr_len - PL_STUN_HEADER_LEN));
    c->part[0] = (pl_slice){ pkt, 2 };
    c->part[1] = (pl_slice){ c->length, 2 };
    c->part[2] = (pl_slice){ pkt + 4, attr_at - 4 };
}

pl_err pl_stun_check_integrity(const pl_stun_msg *m, const void *key, size_t len)
{
    if (!m->integrity_at)
        return PL_ENOTSUP;
    const uint8_t *attr = m->pkt + m->integrity_at;
    if (pl_get16(attr + 2) != PL_STUN_SHA1_LEN)
        return PL_EPROTO;
    protected_part c;
    uint8_t tag[PL_SHA1_LEN];
    cover(&c, m->pkt, m->integrity_at, PL_STUN_SHA1_LEN);
    pl_hmac_sha1(key, len, c.part, 3, tag);
    return pl_ct_eq(tag, attr + ATTR_HEADER_LEN, sizeof tag) ? PL_OK : PL_EPROTO;
}

static bool tag_len_ok(size_t len)
{
    return len >= PL_STUN_SHA256_MIN && len <= PL_STUN_SHA256_LEN && len % 4 == 0;
}

pl_err pl_stun_check_integrity256(const pl_stun_msg *m, const void *key, size_t len)
{
    if (!m->integrity256_at)
        return PL_ENOTSUP;
    const uint8_t *attr = m->pkt + m->integrity256_at;
    size_t tag_len = pl_get16(attr + 2);
    if (!tag_len_ok(tag_len))
        return PL_EPROTO;
    protected_part c;
    uint8_t tag[PL_SHA256_LEN];
    cover(&c, m->pkt, m->integrity256_at, tag_len);
    pl_hmac_sha256(key, len, c.part, 3, tag);
    return pl_ct_eq(tag, attr + ATTR_HEADER_LEN, tag_len) ? PL_OK : PL_EPROTO;
}

pl_err pl_stun_check_fingerprint(const pl_stun_msg *m)
{
    if (!m->fingerprint_at)
        return PL_ENOTSUP;
    const uint8_t *attr = m->pkt + m->fingerprint_at; /* the last attribute: the header's length is right */
    if (pl_get16(attr + 2) != 4)
        return PL_EPROTO;
    uint32_t crc = pl_crc32(m->pkt, m->fingerprint_at) ^ FINGERPRINT_XOR;
    return pl_get32(attr + ATTR_HEADER_LEN) == crc ? PL_OK : PL_EPROTO;
}

void pl_stun_put_integrity(pl_stun_wr *s, const void *key, size_t len)
{
    size_t at = pl_wr_len(&s->w);
    static const uint8_t blank[PL_SHA1_LEN];
    pl_stun_put(s, PL_STUN_MESSAGE_INTEGRITY, blank, sizeof blank);
    if (!pl_wr_ok(&s->w))
        return;
    protected_part c;
    cover(&c, s->w.start, at, PL_STUN_SHA1_LEN);
    pl_hmac_sha1(key, len, c.part, 3, s->w.start + at + ATTR_HEADER_LEN);
}

void pl_stun_put_integrity256(pl_stun_wr *s, const void *key, size_t len, size_t tag_len)
{
    size_t at = pl_wr_len(&s->w);
    uint8_t tag[PL_SHA256_LEN] = { 0 };
    if (!tag_len_ok(tag_len))
        s->w.bad = true;
    else
        pl_stun_put(s, PL_STUN_MESSAGE_INTEGRITY_SHA256, tag, tag_len);
    if (!pl_wr_ok(&s->w))
        return;
    protected_part c;
    cover(&c, s->w.start, at, tag_len);
    pl_hmac_sha256(key, len, c.part, 3, tag);
    memcpy(s->w.start + at + ATTR_HEADER_LEN, tag, tag_len);
}

void pl_stun_put_fingerprint(pl_stun_wr *s)
{
    size_t at = pl_wr_len(&s->w);
    pl_stun_put_u32(s, PL_STUN_FINGERPRINT, 0);
    if (!pl_stun_end(s)) /* the CRC covers the final length */
        return;
    pl_wr_patch32(&s->w, at + ATTR_HEADER_LEN, pl_crc32(s->w.start, at) ^ FINGERPRINT_XOR);
}

/* "username:realm" or "username:realm:password" into one buffer, since digests take one piece. */
static size_t join(char *out, size_t cap, pl_str a, pl_str b, const pl_str *c)
{
    pl_wr w = pl_wr_init(out, cap);
    pl_wr_bytes(&w, a.p, a.n);
    pl_wr_u8(&w, ':');
    pl_wr_bytes(&w, b.p, b.n);
    if (c) {
        pl_wr_u8(&w, ':');
        pl_wr_bytes(&w, c->p, c->n);
    }
    return pl_wr_ok(&w) ? pl_wr_len(&w) : 0;
}

size_t pl_stun_long_term_key(uint16_t algorithm, pl_str username, pl_str realm, pl_str password,
                             uint8_t key[PL_STUN_KEY_MAX])
{
    char text[PL_STUN_USERNAME_MAX + 2 * PL_STUN_TEXT_MAX + 2];
    size_t key_len = 0, len = join(text, sizeof text, username, realm, &password);
    if (len && algorithm == PL_STUN_ALG_MD5) {
        pl_md5(text, len, key);
        key_len = PL_MD5_LEN;
    } else if (len && algorithm == PL_STUN_ALG_SHA256) {
        pl_sha256(text, len, key);
        key_len = PL_SHA256_LEN;
    }
    pl_wipe(text, sizeof text);
    return key_len;
}

bool pl_stun_userhash(pl_str username, pl_str realm, uint8_t out[PL_STUN_USERHASH_LEN])
{
    char text[PL_STUN_USERNAME_MAX + PL_STUN_TEXT_MAX + 1];
    size_t len = join(text, sizeof text, username, realm, NULL);
    if (!len)
        return false;
    pl_sha256(text, len, out);
    return true;
}
