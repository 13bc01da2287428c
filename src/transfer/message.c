#include "transfer/message.h"

#include "transfer/path.h"

enum { VERSION = 1 };

const char *pl_transfer_code_str(unsigned code)
{
    static const char *const text[] = {
        [PL_TRANSFER_DECLINED] = "declined", [PL_TRANSFER_STOPPED] = "stopped",
        [PL_TRANSFER_REFUSED] = "refused",   [PL_TRANSFER_NO_SPACE] = "no space",
        [PL_TRANSFER_BROKEN] = "protocol",   [PL_TRANSFER_FAILED] = "failed",
        [PL_TRANSFER_BUSY] = "busy"
    };
    return code && code < sizeof text / sizeof text[0] ? text[code] : "unknown";
}

/* Nothing may stand behind the last field. */
static pl_err whole(const pl_rd *r, bool good)
{
    return good && pl_rd_ok(r) && pl_rd_left(r) == 0 ? PL_OK : PL_EPROTO;
}

static bool is_sentence(pl_str text)
{
    return text.n <= PL_TRANSFER_TEXT_MAX && pl_transfer_text_ok(text);
}

static pl_str read_text(pl_rd *r)
{
    size_t n = pl_rd_u16(r);
    const uint8_t *p = pl_rd_take(r, n);
    return (pl_str){ (const char *)p, p ? n : 0 };
}

pl_err pl_transfer_read_offer(pl_transfer_offer *out, pl_rd body)
{
    uint8_t version = pl_rd_u8(&body);
    pl_rd_skip(&body, 1); /* flags: none are known, and none change what follows */
    const uint8_t *id = pl_rd_take(&body, sizeof out->id);
    if (id)
        memcpy(out->id, id, sizeof out->id);
    out->n_entries = pl_rd_u32(&body);
    out->total = pl_rd_u64(&body);
    return whole(&body, version == VERSION && out->n_entries > 0);
}

pl_err pl_transfer_read_entry(pl_transfer_entry *out, pl_rd *body)
{
    *out = (pl_transfer_entry){ .kind = (pl_transfer_kind)pl_rd_u8(body) };
    out->mode = pl_rd_u16(body);
    out->mtime_us = (int64_t)pl_rd_u64(body);
    out->size = pl_rd_u64(body);
    out->path = read_text(body);
    return pl_rd_ok(body) ? PL_OK : PL_EPROTO;
}

pl_err pl_transfer_read_have(pl_transfer_have *out, pl_rd *body)
{
    out->index = pl_rd_u32(body);
    out->offset = pl_rd_u64(body);
    const uint8_t *hash = pl_rd_take(body, sizeof out->sha256);
    if (hash)
        memcpy(out->sha256, hash, sizeof out->sha256);
    return pl_rd_ok(body) ? PL_OK : PL_EPROTO;
}

pl_err pl_transfer_read_accept(uint64_t *window, pl_rd body)
{
    *window = pl_rd_u64(&body);
    return whole(&body, true);
}

pl_err pl_transfer_read_begin(pl_transfer_spot *out, pl_rd body)
{
    out->index = pl_rd_u32(&body);
    out->offset = pl_rd_u64(&body);
    return whole(&body, true);
}

pl_err pl_transfer_read_data(pl_transfer_spot *out, pl_rd *body)
{
    pl_rd_skip(body, 3);
    out->index = pl_rd_u32(body);
    out->offset = pl_rd_u64(body);
    return pl_rd_ok(body) && pl_rd_left(body) > 0 ? PL_OK : PL_EPROTO;
}

pl_err pl_transfer_read_end(pl_transfer_end *out, pl_rd body)
{
    out->index = pl_rd_u32(&body);
    out->size = pl_rd_u64(&body);
    const uint8_t *hash = pl_rd_take(&body, sizeof out->sha256);
    if (hash)
        memcpy(out->sha256, hash, sizeof out->sha256);
    return whole(&body, true);
}

pl_err pl_transfer_read_received(uint64_t *bytes, pl_rd body)
{
    *bytes = pl_rd_u64(&body);
    return whole(&body, true);
}

pl_err pl_transfer_read_note(pl_transfer_note *out, pl_transfer_type type, pl_rd body)
{
    *out = (pl_transfer_note){ .index = type == PL_TRANSFER_CANCEL ? 0 : pl_rd_u32(&body) };
    out->code = pl_rd_u8(&body);
    out->text = read_text(&body);
    return whole(&body, is_sentence(out->text));
}

void pl_transfer_write_offer(pl_wr *w, const pl_transfer_offer *o)
{
    pl_wr_u8(w, PL_TRANSFER_OFFER);
    pl_wr_u8(w, VERSION);
    pl_wr_u8(w, 0);
    pl_wr_bytes(w, o->id, sizeof o->id);
    pl_wr_u32(w, o->n_entries);
    pl_wr_u64(w, o->total);
}

void pl_transfer_write_entry(pl_wr *w, const pl_transfer_entry *e)
{
    pl_wr_u8(w, (uint8_t)e->kind);
    pl_wr_u16(w, e->mode);
    pl_wr_u64(w, (uint64_t)e->mtime_us);
    pl_wr_u64(w, e->size);
    pl_wr_u16(w, (uint16_t)e->path.n);
    pl_wr_bytes(w, e->path.p, e->path.n);
}

/* So many bytes of a file, and their hash. */
static void write_hashed(pl_wr *w, uint32_t index, uint64_t bytes, const uint8_t sha256[PL_SHA256_LEN])
{
    pl_wr_u32(w, index);
    pl_wr_u64(w, bytes);
    pl_wr_bytes(w, sha256, PL_SHA256_LEN);
}

void pl_transfer_write_have(pl_wr *w, const pl_transfer_have *h)
{
    write_hashed(w, h->index, h->offset, h->sha256);
}

static void write_bytes_of(pl_wr *w, pl_transfer_type type, uint64_t bytes)
{
    pl_wr_u8(w, (uint8_t)type);
    pl_wr_u64(w, bytes);
}

void pl_transfer_write_accept(pl_wr *w, uint64_t window)
{
    write_bytes_of(w, PL_TRANSFER_ACCEPT, window);
}

void pl_transfer_write_spot(pl_wr *w, pl_transfer_type type, const pl_transfer_spot *s)
{
    pl_wr_u8(w, (uint8_t)type);
    pl_wr_zeros(w, type == PL_TRANSFER_DATA ? 3 : 0);
    pl_wr_u32(w, s->index);
    pl_wr_u64(w, s->offset);
}

void pl_transfer_write_end(pl_wr *w, const pl_transfer_end *e)
{
    pl_wr_u8(w, PL_TRANSFER_END);
    write_hashed(w, e->index, e->size, e->sha256);
}

void pl_transfer_write_received(pl_wr *w, uint64_t bytes)
{
    write_bytes_of(w, PL_TRANSFER_RECEIVED, bytes);
}

void pl_transfer_write_note(pl_wr *w, pl_transfer_type type, const pl_transfer_note *n)
{
    pl_str text = n->text;
    if (text.n > PL_TRANSFER_TEXT_MAX) {
        text.n = PL_TRANSFER_TEXT_MAX;
        while (text.n && ((uint8_t)text.p[text.n] & 0xc0) == 0x80)
            text.n--;
    }
    if (!is_sentence(text))
        text.n = 0;
    pl_wr_u8(w, (uint8_t)type);
    if (type != PL_TRANSFER_CANCEL)
        pl_wr_u32(w, n->index);
    pl_wr_u8(w, n->code);
    pl_wr_u16(w, (uint16_t)text.n);
    pl_wr_bytes(w, text.p, text.n);
}
