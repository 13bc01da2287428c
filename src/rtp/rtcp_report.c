#include "rtp/rtcp_report.h"

#include <assert.h>

enum { SDES_END = 0, SDES_CNAME = 1 };

static void read_block(pl_rd *rd, pl_rtcp_block *b)
{
    b->ssrc = pl_rd_u32(rd);
    b->fraction_lost = pl_rd_u8(rd);
    b->lost = (int32_t)(pl_rd_u24(rd) ^ 0x800000) - 0x800000;
    b->ext_seq = pl_rd_u32(rd);
    b->jitter = pl_rd_u32(rd);
    b->lsr = pl_rd_u32(rd);
    b->dlsr = pl_rd_u32(rd);
}

pl_err pl_rtcp_report_parse(pl_rtcp_report *out, const pl_rtcp *p)
{
    assert(p->pt == PL_RTCP_SR || p->pt == PL_RTCP_RR);
    pl_rd rd = p->body;
    *out = (pl_rtcp_report){ .has_sr = p->pt == PL_RTCP_SR, .n_blocks = p->fmt };
    out->ssrc = pl_rd_u32(&rd);
    if (out->has_sr) {
        out->sr.ntp = pl_rd_u64(&rd);
        out->sr.rtp_ts = pl_rd_u32(&rd);
        out->sr.n_packets = pl_rd_u32(&rd);
        out->sr.n_octets = pl_rd_u32(&rd);
    }
    for (size_t i = 0; i < out->n_blocks; i++)
        read_block(&rd, &out->block[i]);
    return pl_rd_ok(&rd) ? PL_OK : PL_EPROTO;
}

static uint8_t *put_blocks(uint8_t *at, const pl_rtcp_block *block, size_t n)
{
    for (size_t i = 0; i < n; i++, at += PL_RTCP_BLOCK_LEN) {
        const pl_rtcp_block *b = &block[i];
        /* The count is 24 bits signed and stays at its ends (RFC 3550 A.3). */
        int32_t lost = b->lost > 0x7fffff ? 0x7fffff : b->lost < -0x800000 ? -0x800000 : b->lost;
        pl_put32(at, b->ssrc);
        pl_put32(at + 4, (uint32_t)b->fraction_lost << 24 | ((uint32_t)lost & 0xffffff));
        pl_put32(at + 8, b->ext_seq);
        pl_put32(at + 12, b->jitter);
        pl_put32(at + 16, b->lsr);
        pl_put32(at + 20, b->dlsr);
    }
    return at;
}

void pl_rtcp_sr_write(pl_wr *w, uint32_t ssrc, const pl_rtcp_sr *sr, const pl_rtcp_block *block, size_t n)
{
    assert(n <= PL_RTCP_BLOCK_MAX);
    uint8_t *at = pl_rtcp_make(w, (unsigned)n, PL_RTCP_SR, PL_RTCP_SR_LEN + n * PL_RTCP_BLOCK_LEN);
    if (!at)
        return;
    pl_put32(at + 4, ssrc);
    pl_put64(at + 8, sr->ntp);
    pl_put32(at + 16, sr->rtp_ts);
    pl_put32(at + 20, sr->n_packets);
    pl_put32(at + 24, sr->n_octets);
    put_blocks(at + PL_RTCP_SR_LEN, block, n);
}

void pl_rtcp_rr_write(pl_wr *w, uint32_t ssrc, const pl_rtcp_block *block, size_t n)
{
    assert(n <= PL_RTCP_BLOCK_MAX);
    uint8_t *at = pl_rtcp_make(w, (unsigned)n, PL_RTCP_RR, PL_RTCP_RR_LEN + n * PL_RTCP_BLOCK_LEN);
    if (!at)
        return;
    pl_put32(at + 4, ssrc);
    put_blocks(at + PL_RTCP_RR_LEN, block, n);
}

bool pl_rtcp_sdes_next(pl_rd *rd, pl_rtcp_sdes *out)
{
    *out = (pl_rtcp_sdes){ 0 };
    if (pl_rd_left(rd) == 0 || !pl_rd_ok(rd))
        return false;
    const uint8_t *chunk = rd->p;
    out->ssrc = pl_rd_u32(rd);
    for (uint8_t type; (type = pl_rd_u8(rd)) != SDES_END;) {
        uint8_t len = pl_rd_u8(rd);
        const uint8_t *text = pl_rd_take(rd, len);
        if (type == SDES_CNAME && text)
            out->cname = (pl_str){ (const char *)text, len };
    }
    /* The end marker fills its 32-bit word. */
    while (pl_rd_ok(rd) && (rd->p - chunk) % 4)
        pl_rd_skip(rd, 1);
    return pl_rd_ok(rd);
}

void pl_rtcp_cname_write(pl_wr *w, uint32_t ssrc, pl_str cname)
{
    assert(cname.n <= PL_RTCP_TEXT_MAX);
    size_t n = (4 + 4 + 2 + cname.n + 1 + 3) & ~(size_t)3;
    uint8_t *at = pl_rtcp_make(w, 1, PL_RTCP_SDES, n);
    if (!at)
        return;
    memset(at + 4, 0, n - 4);
    pl_put32(at + 4, ssrc);
    at[8] = SDES_CNAME;
    at[9] = (uint8_t)cname.n;
    if (cname.n)
        memcpy(at + 10, cname.p, cname.n);
}

pl_err pl_rtcp_bye_parse(pl_rtcp_bye *out, const pl_rtcp *p)
{
    pl_rd rd = p->body;
    *out = (pl_rtcp_bye){ .n = p->fmt };
    for (size_t i = 0; i < out->n; i++)
        out->ssrc[i] = pl_rd_u32(&rd);
    if (pl_rd_ok(&rd) && pl_rd_left(&rd) > 0) {
        size_t len = pl_rd_u8(&rd);
        out->reason = (pl_str){ (const char *)pl_rd_take(&rd, len), len };
    }
    return pl_rd_ok(&rd) ? PL_OK : PL_EPROTO;
}

void pl_rtcp_bye_write(pl_wr *w, const uint32_t *ssrc, size_t n, pl_str reason)
{
    assert(n <= PL_RTCP_BYE_MAX);
    assert(reason.n <= PL_RTCP_TEXT_MAX);
    size_t text = reason.n ? (1 + reason.n + 3) & ~(size_t)3 : 0;
    uint8_t *at = pl_rtcp_make(w, (unsigned)n, PL_RTCP_BYE, 4 + 4 * n + text);
    if (!at)
        return;
    at += 4;
    for (size_t i = 0; i < n; i++, at += 4)
        pl_put32(at, ssrc[i]);
    if (!text)
        return;
    memset(at, 0, text);
    at[0] = (uint8_t)reason.n;
    memcpy(at + 1, reason.p, reason.n);
}
