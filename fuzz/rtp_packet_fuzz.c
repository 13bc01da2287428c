/* RTP packets: parsing, extensions read, stamped, renamed and written anew, RTX there and back. What was
 * parsed must survive being written; rewriting in place must never change what the packet is. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "rtp/dup.h"
#include "rtp/ext.h"
#include "rtp/history.h"
#include "rtp/rtx.h"
#include "rtp/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX = 4096 };

static void fill_map(pl_rtp_ext_map *m, uint8_t base)
{
    for (int k = 1; k < PL_EXT_KINDS; k++)
        (void)pl_rtp_ext_map_set(m, (pl_rtp_ext_kind)k, (unsigned)base + (unsigned)k);
}

/* Every element that we know is written and read back as it was. */
static void write_again(const pl_rtp_ext_map *m, const pl_rtp_ext *e)
{
    uint8_t out[512];
    pl_rtp_stamp_at at;
    pl_rtp_header h;
    pl_rtp_ext back;
    pl_wr w = pl_wr_init(out, sizeof out);
    pl_rtp_write(&w, &(pl_rtp_header){ .pt = 1 }, NULL);
    pl_rtp_ext_write(&w, m, e, &at);
    assert(pl_wr_ok(&w));
    assert(pl_rtp_parse(&h, out, pl_wr_len(&w)) == PL_OK);
    assert(h.payload_len == 0);
    assert(pl_rtp_ext_parse(&back, m, out, &h) == PL_OK);
    assert((back.has & ~e->has) == 0);
    assert(!pl_rtp_ext_has(&back, PL_EXT_ABS_SEND_TIME) || back.abs_send_time == e->abs_send_time);
    assert(!pl_rtp_ext_has(&back, PL_EXT_TWCC) || back.twcc_seq == e->twcc_seq);
    assert(!pl_rtp_ext_has(&back, PL_EXT_MID) || pl_str_eq(back.mid, e->mid));
    assert(!pl_rtp_ext_has(&back, PL_EXT_TOFFSET) || back.toffset == e->toffset);
    pl_rtp_stamp_at found = pl_rtp_ext_locate(m, out, &h);
    assert(found.twcc == at.twcc && found.abs_send_time == at.abs_send_time);
    pl_rtp_stamp(out, &at, 123456789, 777);
    assert(pl_rtp_ext_parse(&back, m, out, &h) == PL_OK);
    assert(!at.twcc || back.twcc_seq == 777);
}

static void rewrite_in_place(const pl_rtp_ext_map *m, uint8_t *pkt, size_t len, const pl_rtp_header *h)
{
    pl_rtp_stamp_at at = pl_rtp_ext_locate(m, pkt, h);
    size_t n;
    pl_rtp_stamp(pkt, &at, 1, 2);
    for (int k = 0; k < PL_EXT_KINDS; k++)
        (void)pl_rtp_ext_find(m, pkt, h, (pl_rtp_ext_kind)k, &n);
    pl_rtp_ext_rename(m, pkt, h, PL_EXT_RID, PL_EXT_REPAIRED_RID);
    pl_rtp_header now;
    assert(pl_rtp_parse(&now, pkt, len) == PL_OK);
    assert(now.payload_at == h->payload_at && now.payload_len == h->payload_len && now.ssrc == h->ssrc);
}

static void retransmit(const uint8_t *pkt, size_t len, const pl_rtp_header *h)
{
    uint8_t rtx[MAX + 2];
    size_t rtx_len;
    pl_rtx_stream s = { .ssrc = 9, .pt = 97 };
    assert(pl_rtx_wrap(&s, NULL, pkt, len, rtx, sizeof rtx, &rtx_len) == PL_OK);
    assert(pl_rtx_unwrap(rtx, &rtx_len, h->ssrc, h->pt, NULL) == PL_OK);
    assert(rtx_len == (size_t)h->payload_at + h->payload_len);
    assert(memcmp(rtx + 1, pkt + 1, rtx_len - 1) == 0);
    pl_rtp_history kept;
    pl_rtp_history_init(&kept);
    if (pl_rtp_history_put(&kept, 1, pkt, len) == PL_OK)
        assert(pl_rtp_history_resend(&kept, 1, h->seq, &rtx_len) && rtx_len == len);
    pl_rtp_history_clear(&kept);
}

/* The bytes once more as a series of sequence numbers. */
static void receive_series(const uint8_t *data, size_t size)
{
    pl_rtp_source s;
    pl_rtp_dup dup = { 0 };
    pl_rtp_source_init(&s, 1, 90000);
    int64_t ext = 0, now_us = 0;
    for (size_t i = 0; i + 2 <= size && i < 400; i += 2) {
        pl_rtp_header h = { .seq = pl_get16(data + i), .rtp_ts = (uint32_t)i * data[i], .payload_at = 12 };
        now_us += (int64_t)data[i + 1] * 1000;
        bool mine = i % 3 ? pl_rtp_source_packet(&s, now_us, &h, &ext)
                          : pl_rtp_source_recovered(&s, now_us, &h, &ext);
        if (mine) {
            assert(ext >= 0 && (uint16_t)ext == h.seq);
            (void)pl_rtp_dup_first(&dup, ext);
            assert(!pl_rtp_dup_first(&dup, ext));
        }
        pl_rtcp_block b;
        (void)pl_rtp_source_block(&s, now_us, &b);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t pkt[MAX];
    pl_rtp_header h;
    pl_rtp_ext e;
    if (size < 1 || size > MAX)
        return 0;
    pl_rtp_ext_map m = { 0 };
    fill_map(&m, data[0]);
    size_t len = size - 1;
    memcpy(pkt, data + 1, len);
    receive_series(pkt, len);
    (void)pl_demux(pkt, len);
    (void)pl_rtp_parse_header(&h, pkt, len);
    if (pl_rtp_parse(&h, pkt, len) != PL_OK)
        return 0;
    assert((size_t)h.payload_at + h.payload_len + h.pad_len == len);
    retransmit(pkt, len, &h);
    pl_err err = pl_rtp_ext_parse(&e, &m, pkt, &h);
    if (err == PL_OK)
        write_again(&m, &e);
    rewrite_in_place(&m, pkt, len, &h);
    return 0;
}
