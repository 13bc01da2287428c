#include "sctp/chunk_data.h"

pl_err pl_sctp_data_parse(pl_sctp_data *out, const pl_sctp_chunk *chunk)
{
    pl_rd body = chunk->body;
    *out = (pl_sctp_data){ .flags = chunk->flags & 0x0f };
    out->tsn = pl_rd_u32(&body);
    out->sid = pl_rd_u16(&body);
    out->ssn = pl_rd_u16(&body);
    out->ppid = pl_rd_u32(&body);
    out->len = pl_rd_left(&body);
    out->payload = pl_rd_take(&body, out->len);
    return pl_rd_ok(&body) ? PL_OK : PL_EPROTO;
}

void pl_sctp_data_write(pl_wr *w, const pl_sctp_data *d)
{
    size_t padded = pl_sctp_pad4(d->len);
    uint8_t *at = pl_wr_make(w, PL_SCTP_DATA_HEADER + padded);
    if (!at)
        return;
    at[0] = PL_SCTP_DATA;
    at[1] = d->flags;
    pl_put16(at + 2, (uint16_t)(PL_SCTP_DATA_HEADER + d->len));
    pl_put32(at + 4, d->tsn);
    pl_put16(at + 8, d->sid);
    pl_put16(at + 10, d->ssn);
    pl_put32(at + 12, d->ppid);
    memcpy(at + PL_SCTP_DATA_HEADER, d->payload, d->len);
    memset(at + PL_SCTP_DATA_HEADER + d->len, 0, padded - d->len);
}
