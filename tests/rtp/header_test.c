/* What a datagram is, and the RTP header: RFC 7983, RFC 5761, RFC 3550 5.1. */
#include "pl_test.h"

#include "rtp/header.h"

PL_TEST(first_bytes_tell_the_protocol)
{
    static const struct {
        uint8_t b0, b1;
        size_t len;
        pl_demux_kind kind;
    } row[] = {
        { 0, 1, 20, PL_IS_STUN },     { 3, 1, 20, PL_IS_STUN },    { 0, 1, 19, PL_IS_JUNK },
        { 4, 0, 100, PL_IS_JUNK },    { 16, 0, 100, PL_IS_JUNK },  { 19, 0, 100, PL_IS_JUNK },
        { 20, 254, 13, PL_IS_DTLS },  { 63, 254, 13, PL_IS_DTLS }, { 22, 254, 12, PL_IS_JUNK },
        { 64, 0, 4, PL_IS_TURN },     { 79, 0, 4, PL_IS_TURN },    { 64, 0, 3, PL_IS_JUNK },
        { 80, 0, 100, PL_IS_JUNK },   { 127, 0, 100, PL_IS_JUNK }, { 128, 96, 12, PL_IS_RTP },
        { 191, 127, 12, PL_IS_RTP },  { 128, 96, 11, PL_IS_JUNK }, { 128, 0, 12, PL_IS_RTP },
        { 128, 63, 12, PL_IS_RTP },   { 128, 64, 12, PL_IS_JUNK }, { 128, 95, 12, PL_IS_JUNK },
        { 128, 0x80, 12, PL_IS_RTP }, { 128, 191, 12, PL_IS_RTP }, { 128, 192, 12, PL_IS_RTCP },
        { 129, 201, 8, PL_IS_RTCP },  { 129, 201, 7, PL_IS_JUNK }, { 128, 223, 8, PL_IS_RTCP },
        { 128, 224, 12, PL_IS_RTP },  { 192, 0, 100, PL_IS_JUNK }, { 255, 255, 100, PL_IS_JUNK },
    };
    uint8_t pkt[100] = { 0 };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        pkt[0] = row[i].b0;
        pkt[1] = row[i].b1;
        PL_EQ(pl_demux(pkt, row[i].len), row[i].kind);
    }
    PL_EQ(pl_demux(NULL, 0), PL_IS_JUNK);
}

/* V 2, padding, extension, two CSRCs; marker, PT 96; seq 0x1234; timestamp 0x01020304; SSRC 0xcafebabe;
 * CSRC 1 and 2; extension profile 0xbede of one word: mid (id 1) "0", then padding; payload 0a 0b 0c;
 * three bytes of padding. */
static const uint8_t full[] = { 0xb2, 0xe0, 0x12, 0x34, 1,    2,    3,    4, 0xca, 0xfe, 0xba, 0xbe,
                                0,    0,    0,    1,    0,    0,    0,    2, 0xbe, 0xde, 0,    1,
                                0x10, '0',  0,    0,    0x0a, 0x0b, 0x0c, 0, 0,    3 };

PL_TEST(header_with_everything)
{
    pl_rtp_header h;
    PL_EQ(pl_rtp_parse(&h, full, sizeof full), PL_OK);
    PL_EQ(h.pt, 96);
    PL_OKAY(h.marker && h.padded);
    PL_EQ(h.seq, 0x1234);
    PL_EQ(h.rtp_ts, 0x01020304);
    PL_EQ(h.ssrc, 0xcafebabe);
    PL_EQ(h.n_csrc, 2);
    PL_EQ(pl_rtp_csrc(full, 0), 1);
    PL_EQ(pl_rtp_csrc(full, 1), 2);
    PL_EQ(h.ext_profile, 0xbede);
    PL_EQ(h.ext_at, 24);
    PL_EQ(h.ext_len, 4);
    PL_EQ(h.payload_at, 28);
    PL_EQ(h.payload_len, 3);
    PL_EQ(h.pad_len, 3);

    PL_EQ(pl_rtp_parse_header(&h, full, sizeof full), PL_OK);
    PL_EQ(h.payload_len, 6);
    PL_EQ(h.pad_len, 0);
    PL_OKAY(h.padded);
}

PL_TEST(truncated_headers_are_refused)
{
    pl_rtp_header h;
    for (size_t cut = 0; cut < 28; cut++) {
        PL_EQ(pl_rtp_parse(&h, full, cut), PL_EPROTO);
        PL_EQ(pl_rtp_parse_header(&h, full, cut), PL_EPROTO);
    }
    PL_EQ(pl_rtp_parse_header(&h, full, 28), PL_OK);
    PL_EQ(pl_rtp_parse(&h, full, 28), PL_EPROTO); /* padding bit without padding */
}

PL_TEST(padding_is_validated)
{
    uint8_t pkt[sizeof full];
    pl_rtp_header h;
    memcpy(pkt, full, sizeof pkt);
    pkt[sizeof pkt - 1] = 6; /* nothing but padding is legal: a probe */
    PL_EQ(pl_rtp_parse(&h, pkt, sizeof pkt), PL_OK);
    PL_EQ(h.payload_len, 0);
    pkt[sizeof pkt - 1] = 7;
    PL_EQ(pl_rtp_parse(&h, pkt, sizeof pkt), PL_EPROTO);
    pkt[sizeof pkt - 1] = 0;
    PL_EQ(pl_rtp_parse(&h, pkt, sizeof pkt), PL_EPROTO);
}

PL_TEST(wrong_versions_and_extension_lengths_are_refused)
{
    uint8_t pkt[sizeof full];
    pl_rtp_header h;
    for (int version = 0; version < 4; version++) {
        memcpy(pkt, full, sizeof pkt);
        pkt[0] = (uint8_t)((pkt[0] & 0x3f) | version << 6);
        PL_EQ(pl_rtp_parse(&h, pkt, sizeof pkt), version == 2 ? PL_OK : PL_EPROTO);
    }
    memcpy(pkt, full, sizeof pkt);
    for (unsigned words = 3; words <= 0xffff; words++) { /* 0x4001 would be 1 word in 16 bits of bytes */
        pl_put16(pkt + 22, (uint16_t)words);
        PL_EQ(pl_rtp_parse_header(&h, pkt, sizeof pkt), PL_EPROTO);
    }
    static uint8_t huge[PL_RTP_PACKET_MAX + 1] = { 0x80 };
    PL_EQ(pl_rtp_parse(&h, huge, sizeof huge), PL_EPROTO);
    PL_EQ(pl_rtp_parse(&h, huge, PL_RTP_PACKET_MAX), PL_OK);
}

PL_TEST(what_is_written_is_read)
{
    uint8_t pkt[64];
    static const uint32_t csrc[] = { 7, 0xffffffff };
    pl_wr w = pl_wr_init(pkt, sizeof pkt);
    pl_rtp_write(&w,
                 &(pl_rtp_header){
                     .pt = 111, .marker = true, .seq = 65535, .rtp_ts = 0x80000000u, .ssrc = 9, .n_csrc = 2 },
                 csrc);
    pl_wr_bytes(&w, "abcd", 4);
    pl_rtp_pad(&w, 0);
    PL_EQ(pkt[0], 0x82);
    pl_rtp_pad(&w, 5);
    PL_OKAY(pl_wr_ok(&w));
    pl_rtp_header h;
    PL_EQ(pl_rtp_parse(&h, pkt, pl_wr_len(&w)), PL_OK);
    PL_EQ(h.pt, 111);
    PL_OKAY(h.marker);
    PL_EQ(h.seq, 65535);
    PL_EQ(h.rtp_ts, 0x80000000u);
    PL_EQ(h.ssrc, 9);
    PL_EQ(pl_rtp_csrc(pkt, 1), 0xffffffff);
    PL_EQ(h.payload_len, 4);
    PL_EQ(h.pad_len, 5);
    PL_EQ(h.ext_at, 0);

    pl_rtp_set_pt(pkt, 96);
    pl_rtp_set_seq(pkt, 1);
    pl_rtp_set_ssrc(pkt, 2);
    PL_EQ(pl_rtp_parse(&h, pkt, pl_wr_len(&w)), PL_OK);
    PL_OKAY(h.marker && h.pt == 96 && h.seq == 1 && h.ssrc == 2);
    PL_OKAY(pl_rtp_seq(pkt) == 1 && pl_rtp_ssrc(pkt) == 2);
}

PL_TEST(writing_into_too_little_room_sticks)
{
    uint8_t pkt[20];
    for (size_t cap = 0; cap < sizeof pkt; cap++) {
        pl_wr w = pl_wr_init(pkt, cap);
        pl_rtp_write(&w, &(pl_rtp_header){ .pt = 96 }, NULL);
        pl_rtp_pad(&w, 8);
        PL_OKAY(!pl_wr_ok(&w));
    }
}

PL_TESTS(t(first_bytes_tell_the_protocol), t(header_with_everything), t(truncated_headers_are_refused),
         t(padding_is_validated), t(wrong_versions_and_extension_lengths_are_refused),
         t(what_is_written_is_read), t(writing_into_too_little_room_sticks))
