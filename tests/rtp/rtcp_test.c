/* RTCP packets: bytes with their dissection, every truncation, and writing that equals reading. */
#include "pl_test.h"

#include "rtp/rtcp_feedback.h"
#include "rtp/rtcp_report.h"
#include "rtp/rtcp_xr.h"

/* A compound packet: SR of 0x11223344 (NTP 0xe0000000.80000000, RTP 90000, 10 packets, 1000 octets, one block
 * about 0xaabbccdd: 64/256 lost, -1 cumulative, highest 0x00010005, jitter 30, LSR 0x12345678, DLSR 0x8000),
 * then SDES with the CNAME "peer", then PLI. */
static const uint8_t compound[] = {
    0x81, 200,  0, 12, 0x11, 0x22, 0x33, 0x44, 0xe0, 0,    0,    0,    0x80, 0,    0,    0,    0,    1,
    0x5f, 0x90, 0, 0,  0,    10,   0,    0,    3,    0xe8, 0xaa, 0xbb, 0xcc, 0xdd, 64,   0xff, 0xff, 0xff,
    0,    1,    0, 5,  0,    0,    0,    30,   0x12, 0x34, 0x56, 0x78, 0,    0,    0x80, 0,

    0x81, 202,  0, 3,  0x11, 0x22, 0x33, 0x44, 1,    4,    'p',  'e',  'e',  'r',  0,    0,

    0x81, 206,  0, 2,  0x11, 0x22, 0x33, 0x44, 0xaa, 0xbb, 0xcc, 0xdd
};

PL_TEST(compound_is_walked)
{
    pl_rd rd = pl_rd_init(compound, sizeof compound);
    pl_rtcp p;
    pl_rtcp_report r;
    PL_OKAY(pl_rtcp_next(&rd, &p));
    PL_EQ(pl_rtcp_report_parse(&r, &p), PL_OK);
    PL_OKAY(r.has_sr);
    PL_EQ(r.ssrc, 0x11223344);
    PL_OKAY(r.sr.ntp == 0xe000000080000000u);
    PL_EQ(r.sr.rtp_ts, 90000);
    PL_EQ(r.sr.n_packets, 10);
    PL_EQ(r.sr.n_octets, 1000);
    PL_EQ(r.n_blocks, 1);
    PL_EQ(r.block[0].ssrc, 0xaabbccdd);
    PL_EQ(r.block[0].fraction_lost, 64);
    PL_EQ(r.block[0].lost, -1);
    PL_EQ(r.block[0].ext_seq, 0x10005);
    PL_EQ(r.block[0].jitter, 30);
    PL_EQ(r.block[0].lsr, 0x12345678);
    PL_EQ(r.block[0].dlsr, 0x8000);

    PL_OKAY(pl_rtcp_next(&rd, &p) && p.pt == PL_RTCP_SDES);
    pl_rtcp_sdes chunk;
    PL_OKAY(pl_rtcp_sdes_next(&p.body, &chunk));
    PL_EQ(chunk.ssrc, 0x11223344);
    PL_OKAY(pl_str_is(chunk.cname, "peer"));
    PL_OKAY(!pl_rtcp_sdes_next(&p.body, &chunk) && pl_rd_ok(&p.body));

    PL_OKAY(pl_rtcp_next(&rd, &p) && p.pt == PL_RTCP_PSFB && p.fmt == PL_PSFB_PLI);
    pl_rtcp_pli pli;
    PL_EQ(pl_rtcp_pli_parse(&pli, p.body), PL_OK);
    PL_EQ(pli.media_ssrc, 0xaabbccdd);
    PL_OKAY(!pl_rtcp_next(&rd, &p) && pl_rd_ok(&rd));
    PL_OKAY(pl_rtcp_valid(compound, sizeof compound));
    PL_EQ(pl_rtcp_ssrc(compound, sizeof compound), 0x11223344);
}

PL_TEST(compound_is_written_byte_for_byte)
{
    uint8_t out[sizeof compound];
    pl_rtcp_block b = {
        .ssrc = 0xaabbccdd, .fraction_lost = 64, .lost = -1, .ext_seq = 0x10005, .jitter = 30
    };
    b.lsr = 0x12345678;
    b.dlsr = 0x8000;
    pl_rtcp_sr sr = { .ntp = 0xe000000080000000u, .rtp_ts = 90000, .n_packets = 10, .n_octets = 1000 };
    pl_wr w = pl_wr_init(out, sizeof out);
    pl_rtcp_sr_write(&w, 0x11223344, &sr, &b, 1);
    pl_rtcp_cname_write(&w, 0x11223344, PL_STR("peer"));
    pl_rtcp_pli_write(&w, 0x11223344, 0xaabbccdd);
    PL_OKAY(pl_wr_ok(&w));
    PL_EQ(pl_wr_len(&w), sizeof compound);
    PL_MEMEQ(out, compound, sizeof compound);

    /* what does not fit leaves what is there whole */
    for (size_t cap = 52; cap < 68; cap++) {
        w = pl_wr_init(out, cap);
        pl_rtcp_sr_write(&w, 0x11223344, &sr, &b, 1);
        pl_rtcp_cname_write(&w, 0x11223344, PL_STR("peer"));
        PL_OKAY(!pl_wr_ok(&w));
        PL_EQ(pl_wr_len(&w), 52);
        PL_OKAY(pl_rtcp_valid(out, 52));
    }
}

PL_TEST(truncated_compounds_are_refused)
{
    for (size_t cut = 0; cut < sizeof compound; cut++)
        PL_EQ(pl_rtcp_valid(compound, cut), cut == 52 || cut == 68); /* whole packets */
}

PL_TEST(padding_is_taken_off)
{
    /* RR without blocks, padded by 4 */
    uint8_t rr[] = { 0xa0, 201, 0, 2, 0, 0, 0, 9, 0, 0, 0, 4, 0x80, 201, 0, 1, 0, 0, 0, 9 };
    pl_rd rd = pl_rd_init(rr, 12);
    pl_rtcp p;
    pl_rtcp_report r;
    PL_OKAY(pl_rtcp_next(&rd, &p));
    PL_EQ(pl_rd_left(&p.body), 4);
    PL_EQ(pl_rtcp_report_parse(&r, &p), PL_OK);
    PL_EQ(r.ssrc, 9);
    PL_OKAY(pl_rtcp_valid(rr, sizeof rr)); /* something may follow */
    for (unsigned pad = 0; pad < 256; pad++) {
        rr[11] = (uint8_t)pad;
        PL_EQ(pl_rtcp_valid(rr, 12), pad >= 1 && pad <= 8);
    }
    rr[11] = 8; /* all of the body is padding: well-formed, but no report */
    rd = pl_rd_init(rr, 12);
    PL_OKAY(pl_rtcp_next(&rd, &p));
    PL_EQ(pl_rtcp_report_parse(&r, &p), PL_EPROTO);
    rr[0] = 0x60; /* version 1 */
    PL_OKAY(!pl_rtcp_valid(rr, 12));
}

/* The body of the only packet of a wire image. */
static pl_rtcp only(const uint8_t *wire, size_t len)
{
    pl_rd rd = pl_rd_init(wire, len);
    pl_rtcp p;
    PL_OKAY(pl_rtcp_next(&rd, &p));
    PL_EQ(pl_rd_left(&rd), 0);
    return p;
}

static pl_rd cut_body(const pl_rtcp *p, size_t len)
{
    return pl_rd_init(p->body.p, len);
}

PL_TEST(reports_need_all_their_blocks)
{
    uint8_t out[1024];
    static pl_rtcp_block block[PL_RTCP_BLOCK_MAX];
    for (uint32_t i = 0; i < PL_RTCP_BLOCK_MAX; i++)
        block[i] = (pl_rtcp_block){ .ssrc = i, .lost = i % 2 ? 0x7fffffff : INT32_MIN, .jitter = i * 3 };
    pl_wr w = pl_wr_init(out, sizeof out);
    pl_rtcp_rr_write(&w, 5, block, PL_RTCP_BLOCK_MAX);
    PL_EQ(pl_wr_len(&w), PL_RTCP_RR_LEN + 31 * PL_RTCP_BLOCK_LEN);
    pl_rtcp p = only(out, pl_wr_len(&w));
    pl_rtcp_report r;
    PL_EQ(pl_rtcp_report_parse(&r, &p), PL_OK);
    PL_EQ(r.n_blocks, 31);
    PL_EQ(r.block[30].jitter, 90);
    PL_EQ(r.block[1].lost, 0x7fffff); /* the count stays at its ends */
    PL_EQ(r.block[0].lost, -0x800000);
    size_t all = pl_rd_left(&p.body);
    for (size_t cut = 0; cut < all; cut++) {
        pl_rtcp shorter = { .pt = p.pt, .fmt = p.fmt, .body = cut_body(&p, cut) };
        PL_EQ(pl_rtcp_report_parse(&r, &shorter), PL_EPROTO);
    }
}

PL_TEST(sdes_with_several_chunks_and_items)
{
    /* chunk 1: NOTE "x", CNAME "ab"; chunk 2: no items */
    static const uint8_t wire[] = { 0x82, 202, 0,   5, 0, 0, 0, 1, 7, 1, 'x', 1,
                                    2,    'a', 'b', 0, 0, 0, 0, 2, 0, 0, 0,   0 };
    pl_rtcp p = only(wire, sizeof wire);
    pl_rtcp_sdes c;
    PL_OKAY(pl_rtcp_sdes_next(&p.body, &c) && c.ssrc == 1 && pl_str_is(c.cname, "ab"));
    PL_OKAY(pl_rtcp_sdes_next(&p.body, &c) && c.ssrc == 2 && c.cname.p == NULL);
    PL_OKAY(!pl_rtcp_sdes_next(&p.body, &c) && pl_rd_ok(&p.body));
    p = only(wire, sizeof wire);
    for (size_t cut = 1; cut < 20; cut++) {
        pl_rd rd = cut_body(&p, cut);
        while (pl_rtcp_sdes_next(&rd, &c))
            ;
        PL_EQ(pl_rd_ok(&rd), cut == 12);
    }
}

PL_TEST(cname_of_every_length)
{
    char text[256];
    memset(text, 'c', sizeof text);
    for (size_t n = 0; n <= PL_RTCP_TEXT_MAX; n++) {
        uint8_t out[300];
        pl_wr w = pl_wr_init(out, sizeof out);
        pl_rtcp_cname_write(&w, 3, (pl_str){ text, n });
        pl_rtcp p = only(out, pl_wr_len(&w));
        pl_rtcp_sdes c;
        PL_OKAY(pl_rtcp_sdes_next(&p.body, &c));
        PL_EQ(c.cname.n, n);
        PL_EQ(pl_rd_left(&p.body), 0);
    }
}

PL_TEST(goodbye)
{
    static const uint8_t wire[] = {
        0x82, 203, 0, 4, 0, 0, 0, 1, 0, 0, 0, 2, 5, 'l', 'e', 'a', 'v', 'e', 0, 0
    };
    uint8_t out[sizeof wire];
    pl_wr w = pl_wr_init(out, sizeof out);
    pl_rtcp_bye_write(&w, (const uint32_t[]){ 1, 2 }, 2, PL_STR("leave"));
    PL_EQ(pl_wr_len(&w), sizeof wire);
    PL_MEMEQ(out, wire, sizeof wire);
    pl_rtcp p = only(wire, sizeof wire);
    pl_rtcp_bye bye;
    PL_EQ(pl_rtcp_bye_parse(&bye, &p), PL_OK);
    PL_OKAY(bye.n == 2 && bye.ssrc[1] == 2 && pl_str_is(bye.reason, "leave"));
    for (size_t cut = 0; cut < 14; cut++) {
        pl_rtcp shorter = { .pt = p.pt, .fmt = p.fmt, .body = cut_body(&p, cut) };
        PL_EQ(pl_rtcp_bye_parse(&bye, &shorter), cut == 8 ? PL_OK : PL_EPROTO);
    }
    w = pl_wr_init(out, sizeof out);
    pl_rtcp_bye_write(&w, (const uint32_t[]){ 7 }, 1, (pl_str){ 0 });
    p = only(out, pl_wr_len(&w));
    PL_EQ(pl_rtcp_bye_parse(&bye, &p), PL_OK);
    PL_OKAY(bye.n == 1 && bye.ssrc[0] == 7 && bye.reason.p == NULL);
}

PL_TEST(nack_from_capture)
{
    /* Generic NACK, sender 1, media 0x12345678, lost: 100, 101, 102 and 65535 */
    static const uint8_t wire[] = { 0x81, 205,  0, 4,   0, 0, 0,    1,    0x12, 0x34,
                                    0x56, 0x78, 0, 100, 0, 3, 0xff, 0xff, 0,    0 };
    pl_rtcp p = only(wire, sizeof wire);
    PL_OKAY(p.pt == PL_RTCP_RTPFB && p.fmt == PL_RTPFB_NACK);
    pl_rtcp_nack nack;
    PL_EQ(pl_rtcp_nack_parse(&nack, p.body), PL_OK);
    PL_EQ(nack.sender_ssrc, 1);
    PL_EQ(nack.media_ssrc, 0x12345678);
    PL_EQ(nack.n, 2);
    PL_EQ(nack.item[0].pid, 100);
    PL_EQ(nack.item[0].blp, 3);
    PL_EQ(nack.item[1].pid, 65535);
    for (size_t cut = 0; cut < 16; cut++) /* every truncation but the one between the items */
        PL_EQ(pl_rtcp_nack_parse(&nack, cut_body(&p, cut)), cut == 12 ? PL_OK : PL_EPROTO);
    uint8_t out[sizeof wire];
    pl_wr w = pl_wr_init(out, sizeof out);
    pl_rtcp_nack_write(&w, 1, 0x12345678, (const pl_nack_item[]){ { 100, 3 }, { 65535, 0 } }, 2);
    PL_MEMEQ(out, wire, sizeof wire);

    static uint8_t many[8 + 4 * (PL_RTCP_NACK_MAX + 1)];
    PL_EQ(pl_rtcp_nack_parse(&nack, pl_rd_init(many, sizeof many)), PL_ENOSPC);
    PL_EQ(pl_rtcp_nack_parse(&nack, pl_rd_init(many, sizeof many - 4)), PL_OK);
}

PL_TEST(fir_names_its_sources)
{
    static const uint8_t wire[] = { 0x84, 206, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 77, 255, 0, 0, 0 };
    pl_rtcp p = only(wire, sizeof wire);
    pl_rtcp_fir fir;
    PL_EQ(pl_rtcp_fir_parse(&fir, p.body), PL_OK);
    PL_OKAY(fir.sender_ssrc == 1 && fir.n == 1 && fir.item[0].ssrc == 77 && fir.item[0].seq_nr == 255);
    for (size_t cut = 0; cut < 16; cut++)
        PL_EQ(pl_rtcp_fir_parse(&fir, cut_body(&p, cut)), PL_EPROTO);
    uint8_t out[sizeof wire];
    pl_wr w = pl_wr_init(out, sizeof out);
    pl_rtcp_fir_write(&w, 1, &(pl_rtcp_fir_item){ 77, 255 }, 1);
    PL_MEMEQ(out, wire, sizeof wire);
    static uint8_t many[8 + 8 * (PL_RTCP_FIR_MAX + 1)];
    PL_EQ(pl_rtcp_fir_parse(&fir, pl_rd_init(many, sizeof many)), PL_ENOSPC);
}

PL_TEST(remb_from_capture)
{
    /* REMB: 2.5 Mbit/s = 156250 << 4, for the SSRCs 0x1234 and 0x5678 */
    static const uint8_t wire[] = { 0x8f, 206, 0, 6,    0,    0,    0, 1, 0,    0,    0, 0, 'R',  'E',
                                    'M',  'B', 2, 0x12, 0x62, 0x5a, 0, 0, 0x12, 0x34, 0, 0, 0x56, 0x78 };
    pl_rtcp p = only(wire, sizeof wire);
    pl_rtcp_remb remb;
    PL_EQ(pl_rtcp_remb_parse(&remb, p.body), PL_OK);
    PL_EQ(remb.rate_bps, 2500000);
    PL_OKAY(remb.n == 2 && remb.ssrc[0] == 0x1234 && remb.ssrc[1] == 0x5678);
    uint8_t out[sizeof wire];
    pl_wr w = pl_wr_init(out, sizeof out);
    pl_rtcp_remb_write(&w, 1, 2500000, remb.ssrc, 2);
    PL_MEMEQ(out, wire, sizeof wire);
    for (size_t cut = 0; cut < 24; cut++)
        PL_EQ(pl_rtcp_remb_parse(&remb, cut_body(&p, cut)), PL_EPROTO);
    /* any rate survives to its 18 leading bits */
    for (int64_t rate = 0; rate < INT64_MAX / 3; rate = rate * 3 + 1) {
        w = pl_wr_init(out, sizeof out);
        pl_rtcp_remb_write(&w, 1, rate, NULL, 0);
        p = only(out, pl_wr_len(&w));
        PL_EQ(pl_rtcp_remb_parse(&remb, p.body), PL_OK);
        PL_LE(remb.rate_bps, rate);
        PL_GE(remb.rate_bps, rate - (rate >> 17));
    }
    /* a mantissa shifted out of 63 bits, and feedback of another application */
    static const uint8_t wild[] = { 0, 0, 0, 1, 0, 0, 0, 0, 'R', 'E', 'M', 'B', 0, 0xff, 0xff, 0xff };
    PL_EQ(pl_rtcp_remb_parse(&remb, pl_rd_init(wild, sizeof wild)), PL_EPROTO);
    static const uint8_t other[] = { 0, 0, 0, 1, 0, 0, 0, 0, 'R', 'E', 'M', 'X', 0, 0, 0, 1 };
    PL_EQ(pl_rtcp_remb_parse(&remb, pl_rd_init(other, sizeof other)), PL_EPROTO);
}

PL_TEST(extended_reports)
{
    uint8_t out[200];
    pl_wr w = pl_wr_init(out, sizeof out);
    pl_rtcp_xr_write_rrtr(&w, 1, 0x0102030405060708u);
    pl_rtcp p = only(out, pl_wr_len(&w));
    PL_EQ(p.pt, PL_RTCP_XR);
    pl_rtcp_xr xr;
    PL_EQ(pl_rtcp_xr_parse(&xr, p.body), PL_OK);
    PL_OKAY(xr.ssrc == 1 && xr.has_rrtr && xr.rrtr_ntp == 0x0102030405060708u && xr.n_dlrr == 0);
    for (size_t cut = 0; cut < 16; cut++)
        PL_EQ(pl_rtcp_xr_parse(&xr, cut_body(&p, cut)), cut == 4 ? PL_OK : PL_EPROTO);

    w = pl_wr_init(out, sizeof out);
    pl_rtcp_xr_write_dlrr(&w, 1, (const pl_xr_dlrr[]){ { 5, 6, 7 }, { 8, 9, 10 } }, 2);
    p = only(out, pl_wr_len(&w));
    PL_EQ(pl_rtcp_xr_parse(&xr, p.body), PL_OK);
    PL_OKAY(!xr.has_rrtr && xr.n_dlrr == 2 && xr.dlrr[1].ssrc == 8 && xr.dlrr[1].lrr == 9 &&
            xr.dlrr[1].dlrr == 10);

    /* an unknown block is skipped; a RRTR of one word is none */
    static const uint8_t odd[] = { 0, 0, 0, 1, 99, 0, 0, 1, 1, 2, 3, 4, 4, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2 };
    PL_EQ(pl_rtcp_xr_parse(&xr, pl_rd_init(odd, sizeof odd)), PL_OK);
    PL_OKAY(xr.has_rrtr && xr.rrtr_ntp == 0x0000000100000002u);
    static const uint8_t narrow[] = { 0, 0, 0, 1, 4, 0, 0, 1, 0, 0, 0, 1 };
    PL_EQ(pl_rtcp_xr_parse(&xr, pl_rd_init(narrow, sizeof narrow)), PL_EPROTO);
}

PL_TESTS(t(compound_is_walked), t(compound_is_written_byte_for_byte), t(truncated_compounds_are_refused),
         t(padding_is_taken_off), t(reports_need_all_their_blocks), t(sdes_with_several_chunks_and_items),
         t(cname_of_every_length), t(goodbye), t(nack_from_capture), t(fir_names_its_sources),
         t(remb_from_capture), t(extended_reports))
