#include "rtp/rtx.h"

#include <string.h>

pl_err pl_rtx_wrap(pl_rtx_stream *rtx, const pl_rtp_ext_map *map, const uint8_t *pkt, size_t len,
                   uint8_t *out, size_t cap, size_t *out_len)
{
    pl_rtp_header h;
    pl_err err = pl_rtp_parse(&h, pkt, len);
    if (err)
        return err;
    size_t n = (size_t)h.payload_at + PL_RTX_OVERHEAD + h.payload_len;
    if (n > cap || n > PL_RTP_PACKET_MAX)
        return PL_ENOSPC;
    memcpy(out, pkt, h.payload_at);
    out[0] &= (uint8_t)~0x20;
    pl_rtp_set_pt(out, rtx->pt);
    pl_rtp_set_seq(out, rtx->seq++);
    pl_rtp_set_ssrc(out, rtx->ssrc);
    pl_put16(out + h.payload_at, h.seq);
    memcpy(out + h.payload_at + PL_RTX_OVERHEAD, pkt + h.payload_at, h.payload_len);
    if (map)
        pl_rtp_ext_rename(map, out, &h, PL_EXT_RID, PL_EXT_REPAIRED_RID);
    *out_len = n;
    return PL_OK;
}

pl_err pl_rtx_unwrap(uint8_t *pkt, size_t *len, uint32_t ssrc, uint8_t pt, const pl_rtp_ext_map *map)
{
    pl_rtp_header h;
    pl_err err = pl_rtp_parse(&h, pkt, *len);
    if (err)
        return err;
    if (h.payload_len < PL_RTX_OVERHEAD)
        return PL_EPROTO;
    uint8_t *payload = pkt + h.payload_at;
    pkt[0] &= (uint8_t)~0x20;
    pl_rtp_set_pt(pkt, pt);
    pl_rtp_set_seq(pkt, pl_get16(payload));
    pl_rtp_set_ssrc(pkt, ssrc);
    memmove(payload, payload + PL_RTX_OVERHEAD, h.payload_len - PL_RTX_OVERHEAD);
    if (map)
        pl_rtp_ext_rename(map, pkt, &h, PL_EXT_REPAIRED_RID, PL_EXT_RID);
    *len = (size_t)h.payload_at + h.payload_len - PL_RTX_OVERHEAD;
    return PL_OK;
}
