#include "rtp/header.h"

#include <assert.h>

pl_demux_kind pl_demux(const uint8_t *pkt, size_t len)
{
    if (len < 4)
        return PL_IS_JUNK;
    if (pkt[0] < 4)
        return len >= 20 ? PL_IS_STUN : PL_IS_JUNK;
    if (pkt[0] >= 20 && pkt[0] < 64)
        return len >= 13 ? PL_IS_DTLS : PL_IS_JUNK;
    if (pkt[0] >= 64 && pkt[0] < 80)
        return PL_IS_TURN;
    if (pkt[0] < 128 || pkt[0] > 191)
        return PL_IS_JUNK;
    if (pkt[1] >= 192 && pkt[1] <= 223)
        return len >= 8 ? PL_IS_RTCP : PL_IS_JUNK;
    /* Payload types 64 to 95 would look like RTCP with the marker bit set, so nobody may use them. */
    if (pkt[1] >= 64 && pkt[1] <= 95)
        return PL_IS_JUNK;
    return len >= PL_RTP_HEADER_MIN ? PL_IS_RTP : PL_IS_JUNK;
}

pl_err pl_rtp_parse_header(pl_rtp_header *out, const uint8_t *pkt, size_t len)
{
    *out = (pl_rtp_header){ 0 };
    if (len > PL_RTP_PACKET_MAX)
        return PL_EPROTO;
    pl_rd rd = pl_rd_init(pkt, len);
    uint8_t b0 = pl_rd_u8(&rd), b1 = pl_rd_u8(&rd);
    out->padded = (b0 & 0x20) != 0;
    out->n_csrc = b0 & 0x0f;
    out->marker = b1 >> 7;
    out->pt = b1 & 0x7f;
    out->seq = pl_rd_u16(&rd);
    out->rtp_ts = pl_rd_u32(&rd);
    out->ssrc = pl_rd_u32(&rd);
    pl_rd_skip(&rd, (size_t)out->n_csrc * 4);
    if (b0 & 0x10) {
        out->ext_profile = pl_rd_u16(&rd);
        size_t words = pl_rd_u16(&rd);
        out->ext_at = (uint16_t)(len - pl_rd_left(&rd));
        out->ext_len = (uint16_t)(words * 4); /* exact whenever so much is there */
        pl_rd_skip(&rd, words * 4);
    }
    if (!pl_rd_ok(&rd) || b0 >> 6 != 2)
        return PL_EPROTO;
    out->payload_len = (uint16_t)pl_rd_left(&rd);
    out->payload_at = (uint16_t)(len - out->payload_len);
    return PL_OK;
}

pl_err pl_rtp_parse(pl_rtp_header *out, const uint8_t *pkt, size_t len)
{
    pl_err err = pl_rtp_parse_header(out, pkt, len);
    if (err || !out->padded)
        return err;
    if (out->payload_len == 0 || pkt[len - 1] == 0 || pkt[len - 1] > out->payload_len)
        return PL_EPROTO;
    out->pad_len = pkt[len - 1];
    out->payload_len = (uint16_t)(out->payload_len - out->pad_len);
    return PL_OK;
}

uint32_t pl_rtp_csrc(const uint8_t *pkt, size_t i)
{
    return pl_get32(pkt + PL_RTP_HEADER_MIN + 4 * i);
}

void pl_rtp_write(pl_wr *w, const pl_rtp_header *h, const uint32_t *csrc)
{
    assert(pl_wr_len(w) == 0);
    assert(h->n_csrc <= PL_RTP_CSRC_MAX);
    pl_wr_u8(w, (uint8_t)(0x80 | h->n_csrc));
    pl_wr_u8(w, (uint8_t)(h->marker << 7 | (h->pt & 0x7f)));
    pl_wr_u16(w, h->seq);
    pl_wr_u32(w, h->rtp_ts);
    pl_wr_u32(w, h->ssrc);
    for (size_t i = 0; i < h->n_csrc; i++)
        pl_wr_u32(w, csrc[i]);
}

void pl_rtp_pad(pl_wr *w, size_t n)
{
    assert(n <= PL_RTP_PADDING_MAX);
    if (n == 0)
        return;
    uint8_t *at = pl_wr_make(w, n);
    if (!at)
        return;
    memset(at, 0, n);
    at[n - 1] = (uint8_t)n;
    w->start[0] |= 0x20;
}
