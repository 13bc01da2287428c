#include "sctp/chunk_forward.h"

pl_err pl_sctp_forward_parse(pl_sctp_forward *out, pl_rd body)
{
    *out = (pl_sctp_forward){ 0 };
    uint32_t tsn = pl_rd_u32(&body);
    if (!pl_rd_ok(&body) || pl_rd_left(&body) % 4)
        return PL_EPROTO;
    out->cumulative_tsn = tsn;
    out->n_skips = pl_rd_left(&body) / 4;
    out->skips = body.p;
    return PL_OK;
}

void pl_sctp_forward_write(pl_wr *w, uint32_t cumulative_tsn, const pl_sctp_skip *skip, size_t n)
{
    size_t chunk = pl_sctp_chunk_begin(w, PL_SCTP_FORWARD_TSN, 0);
    pl_wr_u32(w, cumulative_tsn);
    for (size_t i = 0; i < n; i++) {
        pl_wr_u16(w, skip[i].sid);
        pl_wr_u16(w, skip[i].ssn);
    }
    pl_sctp_chunk_end(w, chunk);
}
