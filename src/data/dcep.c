#include "data/dcep.h"

enum { UNORDERED = 0x80 };

int pl_dcep_type(const uint8_t *data, size_t len)
{
    return len > 0 ? data[0] : -1;
}

static pl_str take_text(pl_rd *r, size_t len)
{
    const uint8_t *p = pl_rd_take(r, len);
    return (pl_str){ (const char *)p, p ? len : 0 };
}

pl_err pl_dcep_open_parse(pl_dcep_open *out, pl_rd msg)
{
    *out = (pl_dcep_open){ 0 };
    uint8_t type = pl_rd_u8(&msg), channel = pl_rd_u8(&msg);
    out->unordered = channel & UNORDERED;
    out->reliability = (pl_dcep_reliability)(channel & ~UNORDERED);
    out->priority = pl_rd_u16(&msg);
    out->parameter = pl_rd_u32(&msg);
    size_t label_len = pl_rd_u16(&msg), protocol_len = pl_rd_u16(&msg);
    out->label = take_text(&msg, label_len);
    out->protocol = take_text(&msg, protocol_len);
    if (!pl_rd_ok(&msg) || pl_rd_left(&msg) > 0 || type != PL_DCEP_OPEN ||
        out->reliability > PL_DCEP_LIFETIME)
        return PL_EPROTO;
    bool text = pl_utf8_valid(out->label.p, out->label.n) && pl_utf8_valid(out->protocol.p, out->protocol.n);
    return text ? PL_OK : PL_EPROTO;
}

void pl_dcep_open_write(pl_wr *w, const pl_dcep_open *o)
{
    pl_wr_u8(w, PL_DCEP_OPEN);
    pl_wr_u8(w, (uint8_t)(o->reliability | (o->unordered ? UNORDERED : 0)));
    pl_wr_u16(w, o->priority);
    pl_wr_u32(w, o->reliability == PL_DCEP_RELIABLE ? 0 : o->parameter);
    pl_wr_u16(w, (uint16_t)o->label.n);
    pl_wr_u16(w, (uint16_t)o->protocol.n);
    pl_wr_bytes(w, o->label.p, o->label.n);
    pl_wr_bytes(w, o->protocol.p, o->protocol.n);
}
