#include "sctp/chunk_forward.h"

enum { FLAG_UNORDERED = 1 };

pl_err pl_sctp_forward_parse(pl_sctp_forward *out, pl_rd body, bool interleaved)
{
    size_t size = pl_sctp_skip_size(interleaved);
    *out = (pl_sctp_forward){ .interleaved = interleaved };
    uint32_t tsn = pl_rd_u32(&body);
    if (!pl_rd_ok(&body) || pl_rd_left(&body) % size)
        return PL_EPROTO;
    out->cumulative_tsn = tsn;
    out->n_skips = pl_rd_left(&body) / size;
    out->skips = body.p;
    return PL_OK;
}

pl_sctp_skip pl_sctp_forward_skip(const pl_sctp_forward *f, size_t i)
{
    const uint8_t *at = f->skips + i * pl_sctp_skip_size(f->interleaved);
    if (!f->interleaved)
        return (pl_sctp_skip){ .sid = pl_get16(at), .mid = pl_get16(at + 2) };
    return (pl_sctp_skip){ .sid = pl_get16(at),
                           .unordered = pl_get16(at + 2) & FLAG_UNORDERED,
                           .mid = pl_get32(at + 4) };
}

void pl_sctp_forward_write(pl_wr *w, bool interleaved, uint32_t cumulative_tsn, const pl_sctp_skip *skip,
                           size_t n)
{
    size_t chunk = pl_sctp_chunk_begin(w, interleaved ? PL_SCTP_I_FORWARD_TSN : PL_SCTP_FORWARD_TSN, 0);
    pl_wr_u32(w, cumulative_tsn);
    for (size_t i = 0; i < n; i++) {
        pl_wr_u16(w, skip[i].sid);
        if (interleaved) {
            pl_wr_u16(w, skip[i].unordered ? FLAG_UNORDERED : 0);
            pl_wr_u32(w, skip[i].mid);
        } else {
            pl_wr_u16(w, (uint16_t)skip[i].mid);
        }
    }
    pl_sctp_chunk_end(w, chunk);
}
