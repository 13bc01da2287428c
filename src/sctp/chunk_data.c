#include "sctp/chunk_data.h"

pl_err pl_sctp_data_parse(pl_sctp_data *out, const pl_sctp_chunk *chunk)
{
    pl_rd body = chunk->body;
    *out = (pl_sctp_data){ .flags = chunk->flags & 0x0f, .interleaved = chunk->type == PL_SCTP_I_DATA };
    out->tsn = pl_rd_u32(&body);
    out->sid = pl_rd_u16(&body);
    if (out->interleaved) {
        pl_rd_u16(&body);
        out->mid = pl_rd_u32(&body);
        uint32_t word = pl_rd_u32(&body);
        if (out->flags & PL_SCTP_DATA_B)
            out->ppid = word;
        else
            out->fsn = word;
    } else {
        out->mid = pl_rd_u16(&body);
        out->ppid = pl_rd_u32(&body);
    }
    out->len = pl_rd_left(&body);
    out->payload = pl_rd_take(&body, out->len);
    return pl_rd_ok(&body) ? PL_OK : PL_EPROTO;
}

void pl_sctp_data_write(pl_wr *w, const pl_sctp_data *d)
{
    size_t header = pl_sctp_data_header(d->interleaved), padded = pl_sctp_pad4(d->len);
    uint8_t *at = pl_wr_make(w, header + padded);
    if (!at)
        return;
    at[0] = d->interleaved ? PL_SCTP_I_DATA : PL_SCTP_DATA;
    at[1] = d->flags;
    pl_put16(at + 2, (uint16_t)(header + d->len));
    pl_put32(at + 4, d->tsn);
    pl_put16(at + 8, d->sid);
    if (d->interleaved) {
        pl_put16(at + 10, 0);
        pl_put32(at + 12, d->mid);
        pl_put32(at + 16, d->flags & PL_SCTP_DATA_B ? d->ppid : d->fsn);
    } else {
        pl_put16(at + 10, (uint16_t)d->mid);
        pl_put32(at + 12, d->ppid);
    }
    memcpy(at + header, d->payload, d->len);
    memset(at + header + d->len, 0, padded - d->len);
}
