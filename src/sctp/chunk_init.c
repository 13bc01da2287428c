#include "sctp/chunk_init.h"

/* Interleaving takes both chunks (RFC 8260 2.2.1): a message begun as I-DATA could not be given up otherwise. */
static void read_extensions(pl_sctp_init *out, pl_rd list)
{
    bool i_data = false, i_forward = false;
    while (pl_rd_left(&list) > 0) {
        switch (pl_rd_u8(&list)) {
        case PL_SCTP_FORWARD_TSN: out->extensions |= PL_SCTP_EXT_FORWARD_TSN; break;
        case PL_SCTP_RECONFIG: out->extensions |= PL_SCTP_EXT_RECONFIG; break;
        case PL_SCTP_I_DATA: i_data = true; break;
        case PL_SCTP_I_FORWARD_TSN: i_forward = true; break;
        default: break;
        }
    }
    if (i_data && i_forward)
        out->extensions |= PL_SCTP_EXT_INTERLEAVE;
}

/* A peer below which something else than DTLS finds the errors offers nothing to us. */
static void read_zero_checksum(pl_sctp_init *out, pl_rd value)
{
    uint32_t method = pl_rd_u32(&value);
    if (pl_rd_ok(&value) && method == PL_SCTP_EDMID_DTLS)
        out->extensions |= PL_SCTP_EXT_ZERO_CHECKSUM;
}

/* False when the type says that nothing behind it may be read. */
static bool unknown_param(pl_sctp_init *out, const pl_sctp_param *p)
{
    if (pl_sctp_unknown_reports(p->type, 16) && out->n_unknown < PL_SCTP_UNKNOWN_MAX)
        out->unknown[out->n_unknown++] = pl_rd_init(p->raw, p->raw_len);
    return !pl_sctp_unknown_stops(p->type, 16);
}

static bool read_param(pl_sctp_init *out, const pl_sctp_param *p)
{
    switch (p->type) {
    case PL_SCTP_PARAM_COOKIE:
        out->cookie = p->value.p;
        out->cookie_len = pl_rd_left(&p->value);
        return true;
    case PL_SCTP_PARAM_COOKIE_PRESERVATIVE: {
        pl_rd value = p->value;
        uint32_t ms = pl_rd_u32(&value);
        out->preserve_ms = pl_rd_ok(&value) ? ms : 0;
        return true;
    }
    case PL_SCTP_PARAM_EXTENSIONS: read_extensions(out, p->value); return true;
    case PL_SCTP_PARAM_ZERO_CHECKSUM: read_zero_checksum(out, p->value); return true;
    case PL_SCTP_PARAM_FORWARD_TSN: out->extensions |= PL_SCTP_EXT_FORWARD_TSN; return true;
    case PL_SCTP_PARAM_HOST_NAME: out->host_name = true; return false;
    case PL_SCTP_PARAM_IP4: /* one path: RFC 8261 has no addresses */
    case PL_SCTP_PARAM_IP6:
    case PL_SCTP_PARAM_UNRECOGNIZED:
    case PL_SCTP_PARAM_ADDRESS_TYPES:
    case PL_SCTP_PARAM_ECN: return true;
    default: return unknown_param(out, p);
    }
}

pl_err pl_sctp_init_parse(pl_sctp_init *out, pl_rd body)
{
    *out = (pl_sctp_init){ 0 };
    out->tag = pl_rd_u32(&body);
    out->a_rwnd = pl_rd_u32(&body);
    out->streams_out = pl_rd_u16(&body);
    out->streams_in = pl_rd_u16(&body);
    out->tsn = pl_rd_u32(&body);
    pl_sctp_param p;
    while (pl_rd_ok(&body) && pl_sctp_param_next(&body, &p)) {
        if (!read_param(out, &p))
            break;
    }
    return pl_rd_ok(&body) ? PL_OK : PL_EPROTO;
}

static void write_extensions(pl_wr *w, uint8_t extensions)
{
    if (extensions & PL_SCTP_EXT_FORWARD_TSN)
        pl_sctp_param_end(w, pl_sctp_param_begin(w, PL_SCTP_PARAM_FORWARD_TSN));
    if (extensions & PL_SCTP_EXT_ZERO_CHECKSUM) {
        size_t zero = pl_sctp_param_begin(w, PL_SCTP_PARAM_ZERO_CHECKSUM);
        pl_wr_u32(w, PL_SCTP_EDMID_DTLS);
        pl_sctp_param_end(w, zero);
    }
    if (!(extensions & (PL_SCTP_EXT_FORWARD_TSN | PL_SCTP_EXT_RECONFIG | PL_SCTP_EXT_INTERLEAVE)))
        return;
    size_t param = pl_sctp_param_begin(w, PL_SCTP_PARAM_EXTENSIONS);
    if (extensions & PL_SCTP_EXT_RECONFIG)
        pl_wr_u8(w, PL_SCTP_RECONFIG);
    if (extensions & PL_SCTP_EXT_FORWARD_TSN)
        pl_wr_u8(w, PL_SCTP_FORWARD_TSN);
    if (extensions & PL_SCTP_EXT_INTERLEAVE) {
        pl_wr_u8(w, PL_SCTP_I_DATA);
        pl_wr_u8(w, PL_SCTP_I_FORWARD_TSN);
    }
    pl_sctp_param_end(w, param);
}

void pl_sctp_init_write(pl_wr *w, uint8_t type, const pl_sctp_init *in)
{
    size_t chunk = pl_sctp_chunk_begin(w, type, 0);
    pl_wr_u32(w, in->tag);
    pl_wr_u32(w, in->a_rwnd);
    pl_wr_u16(w, in->streams_out);
    pl_wr_u16(w, in->streams_in);
    pl_wr_u32(w, in->tsn);
    if (in->cookie) {
        size_t param = pl_sctp_param_begin(w, PL_SCTP_PARAM_COOKIE);
        pl_wr_bytes(w, in->cookie, in->cookie_len);
        pl_sctp_param_end(w, param);
    }
    if (in->preserve_ms) {
        size_t param = pl_sctp_param_begin(w, PL_SCTP_PARAM_COOKIE_PRESERVATIVE);
        pl_wr_u32(w, in->preserve_ms);
        pl_sctp_param_end(w, param);
    }
    write_extensions(w, in->extensions);
    for (size_t i = 0; i < in->n_unknown; i++) {
        size_t param = pl_sctp_param_begin(w, PL_SCTP_PARAM_UNRECOGNIZED);
        pl_wr_bytes(w, in->unknown[i].p, pl_rd_left(&in->unknown[i]));
        pl_sctp_param_end(w, param);
    }
    pl_sctp_chunk_end(w, chunk);
}
