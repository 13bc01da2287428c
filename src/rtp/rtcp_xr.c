#include "rtp/rtcp_xr.h"

#include <assert.h>

enum { BLOCK_RRTR = 4, BLOCK_DLRR = 5, DLRR_LEN = 12 };

static pl_err read_dlrr(pl_rtcp_xr *out, pl_rd *rd)
{
    while (pl_rd_left(rd) > 0) {
        if (out->n_dlrr == PL_XR_DLRR_MAX)
            return PL_ENOSPC;
        pl_xr_dlrr *d = &out->dlrr[out->n_dlrr];
        d->ssrc = pl_rd_u32(rd);
        d->lrr = pl_rd_u32(rd);
        d->dlrr = pl_rd_u32(rd);
        if (!pl_rd_ok(rd))
            return PL_EPROTO;
        out->n_dlrr++;
    }
    return PL_OK;
}

pl_err pl_rtcp_xr_parse(pl_rtcp_xr *out, pl_rd body)
{
    *out = (pl_rtcp_xr){ 0 };
    out->ssrc = pl_rd_u32(&body);
    while (pl_rd_left(&body) > 0) {
        uint8_t type = pl_rd_u8(&body);
        pl_rd_skip(&body, 1);
        pl_rd block = pl_rd_sub(&body, (size_t)pl_rd_u16(&body) * 4);
        if (type == BLOCK_RRTR) {
            out->rrtr_ntp = pl_rd_u64(&block);
            out->has_rrtr = true;
        } else if (type == BLOCK_DLRR) {
            pl_err err = read_dlrr(out, &block);
            if (err)
                return err;
        }
        if (!pl_rd_ok(&block))
            return PL_EPROTO;
    }
    return pl_rd_ok(&body) ? PL_OK : PL_EPROTO;
}

void pl_rtcp_xr_write_rrtr(pl_wr *w, uint32_t ssrc, uint64_t ntp)
{
    uint8_t *at = pl_rtcp_make(w, 0, PL_RTCP_XR, 20);
    if (!at)
        return;
    pl_put32(at + 4, ssrc);
    pl_put32(at + 8, BLOCK_RRTR << 24 | 2);
    pl_put64(at + 12, ntp);
}

void pl_rtcp_xr_write_dlrr(pl_wr *w, uint32_t ssrc, const pl_xr_dlrr *dlrr, size_t n)
{
    assert(n >= 1 && n <= PL_XR_DLRR_MAX);
    uint8_t *at = pl_rtcp_make(w, 0, PL_RTCP_XR, 12 + n * DLRR_LEN);
    if (!at)
        return;
    pl_put32(at + 4, ssrc);
    pl_put32(at + 8, BLOCK_DLRR << 24 | (uint32_t)n * 3);
    for (size_t i = 0; i < n; i++) {
        pl_put32(at + 12 + i * DLRR_LEN, dlrr[i].ssrc);
        pl_put32(at + 16 + i * DLRR_LEN, dlrr[i].lrr);
        pl_put32(at + 20 + i * DLRR_LEN, dlrr[i].dlrr);
    }
}
