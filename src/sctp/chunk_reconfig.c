#include "sctp/chunk_reconfig.h"

static pl_err read_streams(pl_sctp_reconfig *out, pl_rd r)
{
    if (!pl_rd_ok(&r) || pl_rd_left(&r) % 2)
        return PL_EPROTO;
    out->n_sids = pl_rd_left(&r) / 2;
    out->sids = r.p;
    return PL_OK;
}

pl_err pl_sctp_reconfig_parse(pl_sctp_reconfig *out, const pl_sctp_param *p)
{
    pl_rd r = p->value;
    *out = (pl_sctp_reconfig){ .type = (pl_sctp_reconfig_type)p->type };
    switch (p->type) {
    case PL_SCTP_RESET_OUT:
        out->request_seq = pl_rd_u32(&r);
        out->response_seq = pl_rd_u32(&r);
        out->last_tsn = pl_rd_u32(&r);
        return read_streams(out, r);
    case PL_SCTP_RESET_IN: out->request_seq = pl_rd_u32(&r); return read_streams(out, r);
    case PL_SCTP_RESET_TSN: out->request_seq = pl_rd_u32(&r); break;
    case PL_SCTP_RESET_RESPONSE:
        out->response_seq = pl_rd_u32(&r);
        out->result = pl_rd_u32(&r);
        break;
    case PL_SCTP_ADD_OUT:
    case PL_SCTP_ADD_IN:
        out->request_seq = pl_rd_u32(&r);
        out->n_new = pl_rd_u16(&r);
        pl_rd_skip(&r, 2);
        break;
    default: return PL_ENOTSUP;
    }
    return pl_rd_ok(&r) ? PL_OK : PL_EPROTO;
}

void pl_sctp_reset_out_write(pl_wr *w, uint32_t request_seq, uint32_t response_seq, uint32_t last_tsn,
                             const uint16_t *sid, size_t n)
{
    size_t chunk = pl_sctp_chunk_begin(w, PL_SCTP_RECONFIG, 0);
    size_t param = pl_sctp_param_begin(w, PL_SCTP_RESET_OUT);
    pl_wr_u32(w, request_seq);
    pl_wr_u32(w, response_seq);
    pl_wr_u32(w, last_tsn);
    for (size_t i = 0; i < n; i++)
        pl_wr_u16(w, sid[i]);
    pl_sctp_param_end(w, param);
    pl_sctp_chunk_end(w, chunk);
}

void pl_sctp_add_write(pl_wr *w, pl_sctp_reconfig_type type, uint32_t request_seq, uint16_t n)
{
    size_t chunk = pl_sctp_chunk_begin(w, PL_SCTP_RECONFIG, 0);
    size_t param = pl_sctp_param_begin(w, (uint16_t)type);
    pl_wr_u32(w, request_seq);
    pl_wr_u16(w, n);
    pl_wr_u16(w, 0);
    pl_sctp_param_end(w, param);
    pl_sctp_chunk_end(w, chunk);
}

void pl_sctp_reset_response_write(pl_wr *w, uint32_t response_seq, pl_sctp_reset_result result)
{
    size_t chunk = pl_sctp_chunk_begin(w, PL_SCTP_RECONFIG, 0);
    size_t param = pl_sctp_param_begin(w, PL_SCTP_RESET_RESPONSE);
    pl_wr_u32(w, response_seq);
    pl_wr_u32(w, result);
    pl_sctp_param_end(w, param);
    pl_sctp_chunk_end(w, chunk);
}
