#include "rtp/rtcp.h"

bool pl_rtcp_next(pl_rd *rd, pl_rtcp *out)
{
    *out = (pl_rtcp){ 0 };
    if (pl_rd_left(rd) == 0 || !pl_rd_ok(rd))
        return false;
    uint8_t b0 = pl_rd_u8(rd);
    out->pt = pl_rd_u8(rd);
    out->fmt = b0 & 0x1f;
    out->body = pl_rd_sub(rd, (size_t)pl_rd_u16(rd) * 4);
    bool good = pl_rd_ok(rd) && b0 >> 6 == 2;
    if (good && b0 & 0x20) {
        /* RFC 3550 6.4.1 wants whole words of padding, and at the end of the compound only. libwebrtc fills up
         * transport-wide feedback by 1 to 3 bytes, wherever it stands: what its last byte says is taken off. */
        size_t left = pl_rd_left(&out->body);
        uint8_t pad = left > 0 ? out->body.end[-1] : 0;
        good = pad != 0 && pad <= left;
        if (good)
            out->body.end -= pad;
    }
    if (!good) {
        rd->bad = true;
        rd->p = rd->end;
    }
    return good;
}

bool pl_rtcp_valid(const uint8_t *pkt, size_t len)
{
    pl_rd rd = pl_rd_init(pkt, len);
    pl_rtcp p;
    size_t n = 0;
    while (pl_rtcp_next(&rd, &p))
        n++;
    return pl_rd_ok(&rd) && n > 0;
}

uint32_t pl_rtcp_ssrc(const uint8_t *pkt, size_t len)
{
    return len >= 8 ? pl_get32(pkt + 4) : 0;
}

uint8_t *pl_rtcp_make(pl_wr *w, unsigned fmt, unsigned pt, size_t n)
{
    uint8_t *at = pl_wr_make(w, n);
    if (!at)
        return NULL;
    at[0] = (uint8_t)(0x80 | fmt);
    at[1] = (uint8_t)pt;
    pl_put16(at + 2, (uint16_t)(n / 4 - 1));
    return at;
}
