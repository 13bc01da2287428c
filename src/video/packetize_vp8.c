/* packetize_vp8.c - VP8 in RTP.
 * Source   RFC 7741 4.2 (payload descriptor) and 4.3 (payload header).
 *
 *     |X|R|N|S|R| PID |   X: extension follows; N: no other frame needs this one; S: a partition starts
 *  X: |I|L|T|K|  RSV  |
 *  I: |M| PictureID   |   M: fifteen bits in two bytes
 *  L: |   TL0PICIDX   |
 * TK: |TID|Y| KEYIDX  | */
#include <string.h>

#include "base/bytes.h"
#include "codec/vp8.h"
#include "video/payload.h"

enum {
    BIT_X = 0x80,
    BIT_N = 0x20,
    BIT_S = 0x10,
    MASK_PID = 0x07,
    BIT_I = 0x80,
    BIT_L = 0x40,
    BIT_T = 0x20,
    BIT_K = 0x10,
    BIT_M = 0x80,
    BIT_Y = 0x20,
    DESCRIPTOR = 4, /* as we write it: X, I, fifteen bits of picture id */
};

static void parse_picture_id(pl_payload_info *out, pl_rd *r)
{
    uint8_t high = pl_rd_u8(r);
    out->picture_id = high & 0x7f;
    out->picture_id_long = high & BIT_M;
    if (out->picture_id_long)
        out->picture_id = out->picture_id << 8 | pl_rd_u8(r);
}

static void parse_layers(pl_payload_info *out, uint8_t flags, pl_rd *r)
{
    if (flags & BIT_L)
        out->tl0_pic_idx = pl_rd_u8(r);
    if (flags & (BIT_T | BIT_K)) {
        uint8_t layer = pl_rd_u8(r);
        if (flags & BIT_T) {
            out->temporal_id = layer >> 6;
            out->layer_sync = layer & BIT_Y;
        }
    }
    if (!(flags & BIT_T)) /* the index counts nothing without layers */
        out->tl0_pic_idx = -1;
}

static void parse_extension(pl_payload_info *out, pl_rd *r)
{
    uint8_t flags = pl_rd_u8(r);
    if (flags & BIT_I)
        parse_picture_id(out, r);
    parse_layers(out, flags, r);
}

/* The first bytes of a frame say whether it is a key frame and how large. */
static pl_err parse_frame_start(pl_payload_info *out)
{
    pl_vp8_header h;
    pl_err err = pl_vp8_parse_header(&h, out->data, out->len);
    out->key = h.key;
    out->width = h.width;
    out->height = h.height;
    return err;
}

static pl_err parse(pl_payload_info *out, const uint8_t *payload, size_t len)
{
    *out = (pl_payload_info){ .picture_id = -1, .tl0_pic_idx = -1 };
    pl_rd r = pl_rd_init(payload, len);
    uint8_t head = pl_rd_u8(&r);
    out->first = head & BIT_S && (head & MASK_PID) == 0;
    out->non_reference = head & BIT_N;
    if (head & BIT_X)
        parse_extension(out, &r);
    out->len = pl_rd_left(&r);
    out->data = pl_rd_take(&r, out->len);
    if (!pl_rd_ok(&r) || out->len == 0)
        return PL_EPROTO;
    return out->first ? parse_frame_start(out) : PL_OK;
}

static void begin(pl_packetizer *p, const pl_video_frame *frame, size_t max)
{
    size_t room = max - DESCRIPTOR;
    size_t n = (frame->len + room - 1) / room;
    p->data = frame->data;
    p->left = frame->len;
    p->size = n ? frame->len / n : 0;
    p->n_larger = n ? frame->len % n : 0;
    p->first = true;
    p->non_reference = frame->non_reference;
    p->picture_id = (p->picture_id + 1) & 0x7fff;
}

static size_t next(pl_packetizer *p, uint8_t *out, size_t cap, bool *last)
{
    size_t n = p->size + (p->n_larger > 0);
    *last = false;
    if (p->left == 0 || n + DESCRIPTOR > cap)
        return 0;
    out[0] = (uint8_t)(BIT_X | (p->non_reference ? BIT_N : 0) | (p->first ? BIT_S : 0));
    out[1] = BIT_I;
    pl_put16(out + 2, (uint16_t)(BIT_M << 8 | p->picture_id));
    memcpy(out + DESCRIPTOR, p->data, n);
    p->data += n;
    p->left -= n;
    p->n_larger -= p->n_larger > 0;
    p->first = false;
    *last = p->left == 0;
    return n + DESCRIPTOR;
}

const pl_payload_format pl_payload_vp8 = { .name = "VP8", .parse = parse, .begin = begin, .next = next };
