#include "rtp/rtcp_feedback.h"

#include <assert.h>

enum { FEEDBACK_LEN = 12, REMB_NAME = 0x52454d42 /* "REMB" */ };

/* The common part of all feedback packets (RFC 4585 6.1). */
static uint8_t *make_feedback(pl_wr *w, unsigned fmt, unsigned pt, size_t fci, uint32_t sender,
                              uint32_t media)
{
    uint8_t *at = pl_rtcp_make(w, fmt, pt, FEEDBACK_LEN + fci);
    if (!at)
        return NULL;
    pl_put32(at + 4, sender);
    pl_put32(at + 8, media);
    return at + FEEDBACK_LEN;
}

pl_err pl_rtcp_nack_parse(pl_rtcp_nack *out, pl_rd body)
{
    out->sender_ssrc = pl_rd_u32(&body);
    out->media_ssrc = pl_rd_u32(&body);
    out->n = 0;
    while (pl_rd_left(&body) > 0) {
        if (out->n == PL_RTCP_NACK_MAX)
            return PL_ENOSPC;
        out->item[out->n].pid = pl_rd_u16(&body);
        out->item[out->n].blp = pl_rd_u16(&body);
        out->n++;
    }
    return pl_rd_ok(&body) && out->n > 0 ? PL_OK : PL_EPROTO; /* at least one item is obligatory */
}

void pl_rtcp_nack_write(pl_wr *w, uint32_t sender_ssrc, uint32_t media_ssrc, const pl_nack_item *item,
                        size_t n)
{
    assert(n >= 1 && n <= PL_RTCP_NACK_MAX);
    uint8_t *at = make_feedback(w, PL_RTPFB_NACK, PL_RTCP_RTPFB, n * 4, sender_ssrc, media_ssrc);
    for (size_t i = 0; at && i < n; i++, at += 4) {
        pl_put16(at, item[i].pid);
        pl_put16(at + 2, item[i].blp);
    }
}

pl_err pl_rtcp_pli_parse(pl_rtcp_pli *out, pl_rd body)
{
    out->sender_ssrc = pl_rd_u32(&body);
    out->media_ssrc = pl_rd_u32(&body);
    return pl_rd_ok(&body) ? PL_OK : PL_EPROTO;
}

void pl_rtcp_pli_write(pl_wr *w, uint32_t sender_ssrc, uint32_t media_ssrc)
{
    (void)make_feedback(w, PL_PSFB_PLI, PL_RTCP_PSFB, 0, sender_ssrc, media_ssrc);
}

pl_err pl_rtcp_fir_parse(pl_rtcp_fir *out, pl_rd body)
{
    out->sender_ssrc = pl_rd_u32(&body);
    out->n = 0;
    pl_rd_skip(&body, 4); /* the media source of the packet is unused: each item names its own */
    while (pl_rd_left(&body) > 0) {
        if (out->n == PL_RTCP_FIR_MAX)
            return PL_ENOSPC;
        out->item[out->n].ssrc = pl_rd_u32(&body);
        out->item[out->n].seq_nr = pl_rd_u8(&body);
        pl_rd_skip(&body, 3);
        out->n++;
    }
    return pl_rd_ok(&body) && out->n > 0 ? PL_OK : PL_EPROTO;
}

void pl_rtcp_fir_write(pl_wr *w, uint32_t sender_ssrc, const pl_rtcp_fir_item *item, size_t n)
{
    assert(n >= 1 && n <= PL_RTCP_FIR_MAX);
    uint8_t *at = make_feedback(w, PL_PSFB_FIR, PL_RTCP_PSFB, n * 8, sender_ssrc, 0);
    for (size_t i = 0; at && i < n; i++, at += 8) {
        pl_put32(at, item[i].ssrc);
        pl_put32(at + 4, (uint32_t)item[i].seq_nr << 24);
    }
}

pl_err pl_rtcp_remb_parse(pl_rtcp_remb *out, pl_rd body)
{
    out->sender_ssrc = pl_rd_u32(&body);
    pl_rd_skip(&body, 4);
    if (pl_rd_u32(&body) != REMB_NAME)
        return PL_EPROTO;
    out->n = pl_rd_u8(&body);
    uint32_t rate = pl_rd_u24(&body); /* exponent 6 bits, mantissa 18 */
    uint32_t exponent = rate >> 18;
    int64_t mantissa = rate & 0x3ffff;
    if (!pl_rd_ok(&body) || exponent > 44) /* above that it would not fit 63 bits */
        return PL_EPROTO;
    out->rate_bps = mantissa << exponent;
    if (out->n > PL_RTCP_REMB_MAX)
        return PL_ENOSPC;
    for (size_t i = 0; i < out->n; i++)
        out->ssrc[i] = pl_rd_u32(&body);
    return pl_rd_ok(&body) && pl_rd_left(&body) == 0 ? PL_OK : PL_EPROTO;
}

void pl_rtcp_remb_write(pl_wr *w, uint32_t sender_ssrc, int64_t rate_bps, const uint32_t *ssrc, size_t n)
{
    assert(n <= PL_RTCP_REMB_MAX);
    assert(rate_bps >= 0);
    uint8_t *at = make_feedback(w, PL_PSFB_AFB, PL_RTCP_PSFB, 8 + n * 4, sender_ssrc, 0);
    if (!at)
        return;
    uint32_t exponent = 0;
    while (rate_bps >> exponent > 0x3ffff)
        exponent++;
    pl_put32(at, REMB_NAME);
    pl_put32(at + 4, (uint32_t)n << 24 | exponent << 18 | (uint32_t)(rate_bps >> exponent));
    for (size_t i = 0; i < n; i++)
        pl_put32(at + 8 + 4 * i, ssrc[i]);
}
