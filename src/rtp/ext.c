#include "rtp/ext.h"

enum { ONE_BYTE = 0xbede, TWO_BYTE = 0x1000, ONE_BYTE_ID_MAX = 14, ONE_BYTE_LEN_MAX = 16 };

static const char *const uri_of[PL_EXT_KINDS] = {
    [PL_EXT_NONE] = "",
    [PL_EXT_MID] = "urn:ietf:params:rtp-hdrext:sdes:mid",
    [PL_EXT_RID] = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
    [PL_EXT_REPAIRED_RID] = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
    [PL_EXT_ABS_SEND_TIME] = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    [PL_EXT_TWCC] = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
    [PL_EXT_TWCC_V2] = "http://www.webrtc.org/experiments/rtp-hdrext/transport-wide-cc-02",
    [PL_EXT_AUDIO_LEVEL] = "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    [PL_EXT_VIDEO_ORIENTATION] = "urn:3gpp:video-orientation",
    [PL_EXT_TOFFSET] = "urn:ietf:params:rtp-hdrext:toffset",
    [PL_EXT_ABS_CAPTURE_TIME] = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
};

const char *pl_rtp_ext_uri(pl_rtp_ext_kind kind)
{
    return (unsigned)kind < PL_EXT_KINDS ? uri_of[kind] : "";
}

pl_rtp_ext_kind pl_rtp_ext_kind_of(pl_str uri)
{
    for (int kind = 1; kind < PL_EXT_KINDS; kind++)
        if (pl_str_is(uri, uri_of[kind]))
            return (pl_rtp_ext_kind)kind;
    return PL_EXT_NONE;
}

static pl_rtp_ext_kind kind_of_id(const pl_rtp_ext_map *m, uint8_t id)
{
    for (int kind = 1; kind < PL_EXT_KINDS; kind++)
        if (m->id[kind] == id)
            return (pl_rtp_ext_kind)kind;
    return PL_EXT_NONE;
}

pl_err pl_rtp_ext_map_set(pl_rtp_ext_map *m, pl_rtp_ext_kind kind, unsigned id)
{
    if (kind <= PL_EXT_NONE || kind >= PL_EXT_KINDS || id == 0 || id == 15 || id > PL_EXT_ID_MAX)
        return PL_EPROTO;
    pl_rtp_ext_kind holder = kind_of_id(m, (uint8_t)id);
    if (holder != PL_EXT_NONE && holder != kind)
        return PL_EPROTO;
    m->id[kind] = (uint8_t)id;
    return PL_OK;
}

/* Reading */

pl_rtp_ext_it pl_rtp_ext_begin(const uint8_t *pkt, const pl_rtp_header *h)
{
    bool two_byte = (h->ext_profile & 0xfff0) == TWO_BYTE;
    bool known = h->ext_at != 0 && (two_byte || h->ext_profile == ONE_BYTE);
    return (pl_rtp_ext_it){ .rd = pl_rd_init(pkt + h->ext_at, known ? h->ext_len : 0), .two_byte = two_byte };
}

bool pl_rtp_ext_next(pl_rtp_ext_it *it, pl_rtp_ext_elem *out)
{
    pl_rd *rd = &it->rd;
    while (pl_rd_left(rd) > 0) {
        uint8_t b = pl_rd_u8(rd);
        if (b == 0)
            continue;
        out->id = it->two_byte ? b : b >> 4;
        out->len = it->two_byte ? pl_rd_u8(rd) : (uint8_t)((b & 15) + 1);
        /* Id 15, and id 0 with a length, end a one-byte block (RFC 8285 4.2). */
        if (!it->two_byte && (out->id == 15 || out->id == 0)) {
            rd->p = rd->end;
            return false;
        }
        out->data = pl_rd_take(rd, out->len);
        return pl_rd_ok(rd);
    }
    return false;
}

static int32_t sign24(uint32_t v)
{
    return (int32_t)(v ^ 0x800000) - 0x800000;
}

static void read_twcc(pl_rtp_ext *out, pl_rd *rd)
{
    out->twcc_seq = pl_rd_u16(rd);
    if (pl_rd_left(rd) > 0) {
        out->twcc_feedback_packets = pl_rd_u16(rd) & 0x7fff;
        out->twcc_wants_feedback = out->twcc_feedback_packets > 0;
    }
}

/* One element. A length that does not belong to its kind leaves it absent. */
static void read_elem(pl_rtp_ext *out, pl_rtp_ext_kind kind, const pl_rtp_ext_elem *el)
{
    pl_rd rd = pl_rd_init(el->data, el->len);
    pl_str text = { (const char *)el->data, el->len };
    uint32_t has = 1u << kind;
    switch (kind) {
    case PL_EXT_MID: out->mid = text; break;
    case PL_EXT_RID: out->rid = text; break;
    case PL_EXT_REPAIRED_RID: out->repaired_rid = text; break;
    case PL_EXT_ABS_SEND_TIME: out->abs_send_time = pl_rd_u24(&rd); break;
    case PL_EXT_TWCC: out->twcc_seq = pl_rd_u16(&rd); break;
    case PL_EXT_TWCC_V2:
        read_twcc(out, &rd);
        has |= 1u << PL_EXT_TWCC;
        break;
    case PL_EXT_AUDIO_LEVEL:
        out->audio_level = pl_rd_u8(&rd);
        out->voice = out->audio_level >> 7;
        out->audio_level &= 0x7f;
        break;
    case PL_EXT_VIDEO_ORIENTATION: {
        uint8_t b = pl_rd_u8(&rd);
        out->rotation = b & 3;
        out->flip = b >> 2 & 1;
        out->camera_back = b >> 3 & 1;
        break;
    }
    case PL_EXT_TOFFSET: out->toffset = sign24(pl_rd_u24(&rd)); break;
    case PL_EXT_ABS_CAPTURE_TIME:
        out->capture_ntp = pl_rd_u64(&rd);
        out->capture_offset = pl_rd_left(&rd) > 0 ? (int64_t)pl_rd_u64(&rd) : 0;
        break;
    case PL_EXT_NONE:
    case PL_EXT_KINDS: return;
    }
    bool is_text = kind == PL_EXT_MID || kind == PL_EXT_RID || kind == PL_EXT_REPAIRED_RID;
    if (is_text ? el->len > 0 : pl_rd_ok(&rd) && pl_rd_left(&rd) == 0)
        out->has |= has;
}

pl_err pl_rtp_ext_parse(pl_rtp_ext *out, const pl_rtp_ext_map *m, const uint8_t *pkt, const pl_rtp_header *h)
{
    *out = (pl_rtp_ext){ 0 };
    pl_rtp_ext_it it = pl_rtp_ext_begin(pkt, h);
    pl_rtp_ext_elem el;
    while (pl_rtp_ext_next(&it, &el))
        read_elem(out, kind_of_id(m, el.id), &el);
    return pl_rd_ok(&it.rd) ? PL_OK : PL_EPROTO;
}

/* Writing */

static pl_str text_of(const pl_rtp_ext *e, pl_rtp_ext_kind kind)
{
    return kind == PL_EXT_MID ? e->mid : kind == PL_EXT_RID ? e->rid : e->repaired_rid;
}

/* Bytes of the element's data, 0 when it is not to be written. */
static size_t elem_len(const pl_rtp_ext_map *m, const pl_rtp_ext *e, pl_rtp_ext_kind kind)
{
    if (!m->id[kind] || !pl_rtp_ext_has(e, kind))
        return 0;
    switch (kind) {
    case PL_EXT_MID:
    case PL_EXT_RID:
    case PL_EXT_REPAIRED_RID: {
        size_t n = text_of(e, kind).n;
        return n <= PL_EXT_TEXT_MAX ? n : 0;
    }
    case PL_EXT_ABS_SEND_TIME:
    case PL_EXT_TOFFSET: return 3;
    case PL_EXT_TWCC: return 2;
    case PL_EXT_TWCC_V2: return e->twcc_wants_feedback ? 4 : 2;
    case PL_EXT_AUDIO_LEVEL:
    case PL_EXT_VIDEO_ORIENTATION: return 1;
    case PL_EXT_ABS_CAPTURE_TIME: return e->capture_offset ? 16 : 8;
    case PL_EXT_NONE:
    case PL_EXT_KINDS: break;
    }
    return 0;
}

static void write_elem(pl_wr *w, const pl_rtp_ext *e, pl_rtp_ext_kind kind)
{
    switch (kind) {
    case PL_EXT_MID:
    case PL_EXT_RID:
    case PL_EXT_REPAIRED_RID: pl_wr_bytes(w, text_of(e, kind).p, text_of(e, kind).n); break;
    case PL_EXT_ABS_SEND_TIME: pl_wr_u24(w, e->abs_send_time); break;
    case PL_EXT_TOFFSET: pl_wr_u24(w, (uint32_t)e->toffset); break;
    case PL_EXT_TWCC:
    case PL_EXT_TWCC_V2:
        pl_wr_u16(w, e->twcc_seq);
        if (kind == PL_EXT_TWCC_V2 && e->twcc_wants_feedback)
            pl_wr_u16(w, e->twcc_feedback_packets & 0x7fff);
        break;
    case PL_EXT_AUDIO_LEVEL: pl_wr_u8(w, (uint8_t)(e->voice << 7 | (e->audio_level & 0x7f))); break;
    case PL_EXT_VIDEO_ORIENTATION:
        pl_wr_u8(w, (uint8_t)(e->camera_back << 3 | e->flip << 2 | (e->rotation & 3)));
        break;
    case PL_EXT_ABS_CAPTURE_TIME:
        pl_wr_u64(w, e->capture_ntp);
        if (e->capture_offset)
            pl_wr_u64(w, (uint64_t)e->capture_offset);
        break;
    case PL_EXT_NONE:
    case PL_EXT_KINDS: break;
    }
}

static void note_place(pl_rtp_stamp_at *at, pl_rtp_ext_kind kind, size_t offset)
{
    if (kind == PL_EXT_ABS_SEND_TIME)
        at->abs_send_time = (uint16_t)offset;
    else if (kind == PL_EXT_TWCC || kind == PL_EXT_TWCC_V2)
        at->twcc = (uint16_t)offset;
}

void pl_rtp_ext_write(pl_wr *w, const pl_rtp_ext_map *m, const pl_rtp_ext *e, pl_rtp_stamp_at *at)
{
    pl_rtp_stamp_at unused;
    if (!at)
        at = &unused;
    *at = (pl_rtp_stamp_at){ 0 };
    size_t len[PL_EXT_KINDS] = { 0 }, n = 0;
    bool two_byte = false;
    for (int k = 1; k < PL_EXT_KINDS; k++) {
        len[k] = elem_len(m, e, (pl_rtp_ext_kind)k);
        n += len[k] > 0;
        two_byte |= len[k] > 0 && (m->id[k] > ONE_BYTE_ID_MAX || len[k] > ONE_BYTE_LEN_MAX);
    }
    if (n == 0)
        return;
    pl_wr_u16(w, two_byte ? TWO_BYTE : ONE_BYTE);
    size_t words_at = pl_wr_mark(w);
    pl_wr_u16(w, 0);
    for (int k = 1; k < PL_EXT_KINDS; k++) {
        if (!len[k])
            continue;
        if (two_byte) {
            pl_wr_u8(w, m->id[k]);
            pl_wr_u8(w, (uint8_t)len[k]);
        } else {
            pl_wr_u8(w, (uint8_t)(m->id[k] << 4 | (len[k] - 1)));
        }
        note_place(at, (pl_rtp_ext_kind)k, pl_wr_len(w));
        write_elem(w, e, (pl_rtp_ext_kind)k);
    }
    pl_wr_align(w, 4); /* the fixed header and CSRCs are whole words too */
    pl_wr_patch16(w, words_at, (uint16_t)((pl_wr_len(w) - words_at - 2) / 4));
    if (pl_wr_ok(w))
        w->start[0] |= 0x10;
}

/* In place */

pl_rtp_stamp_at pl_rtp_ext_locate(const pl_rtp_ext_map *m, const uint8_t *pkt, const pl_rtp_header *h)
{
    pl_rtp_stamp_at at = { 0 };
    pl_rtp_ext_it it = pl_rtp_ext_begin(pkt, h);
    pl_rtp_ext_elem el;
    while (pl_rtp_ext_next(&it, &el)) {
        pl_rtp_ext_kind kind = kind_of_id(m, el.id);
        if (el.len >= (kind == PL_EXT_ABS_SEND_TIME ? 3 : 2))
            note_place(&at, kind, (size_t)(el.data - pkt));
    }
    return at;
}

uint32_t pl_abs_send_time(int64_t now_us)
{
    /* 2^18 per second: microseconds times 2^18 / 10^6 = 4096 / 15625, in the low 24 bits (64 s). */
    return (uint32_t)(((uint64_t)now_us % 64000000u * 4096u + 7812u) / 15625u) & 0xffffff;
}

void pl_rtp_stamp(uint8_t *pkt, const pl_rtp_stamp_at *at, int64_t now_us, uint16_t twcc_seq)
{
    if (at->abs_send_time) {
        uint32_t v = pl_abs_send_time(now_us);
        pkt[at->abs_send_time] = (uint8_t)(v >> 16);
        pl_put16(pkt + at->abs_send_time + 1, (uint16_t)v);
    }
    if (at->twcc)
        pl_put16(pkt + at->twcc, twcc_seq);
}

uint8_t *pl_rtp_ext_find(const pl_rtp_ext_map *m, uint8_t *pkt, const pl_rtp_header *h, pl_rtp_ext_kind kind,
                         size_t *len)
{
    pl_rtp_ext_it it = pl_rtp_ext_begin(pkt, h);
    pl_rtp_ext_elem el;
    *len = 0;
    if (!m->id[kind])
        return NULL;
    while (pl_rtp_ext_next(&it, &el)) {
        if (el.id == m->id[kind]) {
            *len = el.len;
            return pkt + (el.data - pkt);
        }
    }
    return NULL;
}

void pl_rtp_ext_rename(const pl_rtp_ext_map *m, uint8_t *pkt, const pl_rtp_header *h, pl_rtp_ext_kind from,
                       pl_rtp_ext_kind to)
{
    size_t len;
    uint8_t *data = pl_rtp_ext_find(m, pkt, h, from, &len);
    if (!data || !m->id[to])
        return;
    if (h->ext_profile != ONE_BYTE)
        data[-2] = m->id[to];
    else if (m->id[to] <= ONE_BYTE_ID_MAX)
        data[-1] = (uint8_t)(m->id[to] << 4 | (data[-1] & 15));
}
