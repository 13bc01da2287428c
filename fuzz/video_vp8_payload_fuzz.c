/* VP8 payloads of any bytes, in any order, into the frame buffer; what comes out is whole. */
#include <stdlib.h>

#include "base/bytes.h"
#include "video/frame_buffer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void feed(pl_frame_buffer *b, pl_rd *r, int64_t now_us, int64_t *seq)
{
    static pl_media_packet p;
    uint8_t how = pl_rd_u8(r);
    *seq += how & 1 ? (int16_t)pl_rd_u16(r) : 1;
    if (*seq < 0)
        *seq = 0;
    p.ext_seq = *seq;
    p.marker = how & 2;
    p.rtp_ts += how & 4 ? 3000 : 0;
    if (how & 8)
        p.rtp_ts = pl_rd_u32(r);
    p.ssrc = how >> 7;
    p.arrival_us = now_us;
    size_t len = how & 16 ? pl_rd_u16(r) % (PL_MEDIA_PAYLOAD_MAX + 1) : pl_rd_u8(r) & 31;
    len = len < pl_rd_left(r) ? len : pl_rd_left(r);
    p.len = (uint16_t)len;
    if (len)
        memcpy(p.payload, pl_rd_take(r, len), len);
    pl_frame_buffer_insert(b, &pl_payload_vp8, &p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pl_frame_buffer *b;
    if (pl_frame_buffer_new(&b))
        return 0;
    int64_t now_us = 1000000, seq = 65530;
    bool begun = false;
    for (pl_rd r = pl_rd_init(data, size); pl_rd_left(&r) > 0;) {
        uint8_t what = pl_rd_u8(&r);
        now_us += (what & 0x7f) * 1000;
        if (what == 0xff)
            pl_frame_buffer_broken(b);
        feed(b, &r, now_us, &seq);
        for (pl_frame f; what & 0x80 && pl_frame_buffer_next(b, now_us, &f);) {
            if (f.len == 0 || f.complete_us < f.first_us || (!begun && !f.key))
                abort();
            begun = true;
        }
        (void)pl_frame_buffer_wants_key(b);
        pl_frame_buffer_check(b);
    }
    pl_frame_buffer_free(b);
    return 0;
}
