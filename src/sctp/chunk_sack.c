#include "sctp/chunk_sack.h"

pl_err pl_sctp_sack_parse(pl_sctp_sack_chunk *out, pl_rd body)
{
    *out = (pl_sctp_sack_chunk){ 0 };
    out->cumulative_tsn = pl_rd_u32(&body);
    out->a_rwnd = pl_rd_u32(&body);
    size_t n_gaps = pl_rd_u16(&body), n_duplicates = pl_rd_u16(&body);
    out->gaps = pl_rd_take(&body, 4 * n_gaps);
    out->duplicates = pl_rd_take(&body, 4 * n_duplicates);
    if (!pl_rd_ok(&body))
        return PL_EPROTO;
    out->n_gaps = n_gaps;
    out->n_duplicates = n_duplicates;
    return PL_OK;
}
