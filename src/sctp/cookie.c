#include "sctp/cookie.h"

#include <assert.h>

#include "base/bytes.h"
#include "crypto/hmac.h"

enum { BODY = PL_SCTP_COOKIE_LEN - PL_SHA256_LEN };

static void sign(const uint8_t key[PL_SCTP_COOKIE_KEY], const uint8_t *body, uint8_t out[PL_SHA256_LEN])
{
    pl_slice part = { body, BODY };
    pl_hmac_sha256(key, PL_SCTP_COOKIE_KEY, &part, 1, out);
}

void pl_sctp_cookie_seal(const pl_sctp_cookie *c, const uint8_t key[PL_SCTP_COOKIE_KEY],
                         uint8_t out[PL_SCTP_COOKIE_LEN])
{
    pl_wr w = pl_wr_init(out, BODY);
    pl_wr_u32(&w, c->my_tag);
    pl_wr_u32(&w, c->peer_tag);
    pl_wr_u32(&w, c->my_tsn);
    pl_wr_u32(&w, c->peer_tsn);
    pl_wr_u32(&w, c->tie_mine);
    pl_wr_u32(&w, c->tie_peer);
    pl_wr_u32(&w, c->peer_rwnd);
    pl_wr_u16(&w, c->peer_streams_out);
    pl_wr_u16(&w, c->peer_streams_in);
    pl_wr_u64(&w, (uint64_t)c->made_us);
    pl_wr_u64(&w, (uint64_t)c->life_us);
    pl_wr_u32(&w, c->extensions);
    assert(pl_wr_ok(&w) && pl_wr_len(&w) == BODY);
    sign(key, out, out + BODY);
}

pl_err pl_sctp_cookie_open(pl_sctp_cookie *out, const uint8_t key[PL_SCTP_COOKIE_KEY], const uint8_t *cookie,
                           size_t len)
{
    *out = (pl_sctp_cookie){ 0 };
    uint8_t mac[PL_SHA256_LEN];
    if (len != PL_SCTP_COOKIE_LEN)
        return PL_EPROTO;
    sign(key, cookie, mac);
    if (!pl_ct_eq(mac, cookie + BODY, sizeof mac))
        return PL_EPROTO;
    pl_rd r = pl_rd_init(cookie, BODY);
    out->my_tag = pl_rd_u32(&r);
    out->peer_tag = pl_rd_u32(&r);
    out->my_tsn = pl_rd_u32(&r);
    out->peer_tsn = pl_rd_u32(&r);
    out->tie_mine = pl_rd_u32(&r);
    out->tie_peer = pl_rd_u32(&r);
    out->peer_rwnd = pl_rd_u32(&r);
    out->peer_streams_out = pl_rd_u16(&r);
    out->peer_streams_in = pl_rd_u16(&r);
    out->made_us = (int64_t)pl_rd_u64(&r);
    out->life_us = (int64_t)pl_rd_u64(&r);
    out->extensions = (uint8_t)pl_rd_u32(&r);
    return PL_OK;
}
