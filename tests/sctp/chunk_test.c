/* Every chunk byte by byte, and every truncation of it (RFC 9260 3, RFC 3758, RFC 6525, RFC 7053). */
#include "pl_test.h"

#include "crypto/crc.h"
#include "sctp/chunk_data.h"
#include "sctp/chunk_error.h"
#include "sctp/chunk_forward.h"
#include "sctp/chunk_init.h"
#include "sctp/chunk_reconfig.h"
#include "sctp/chunk_sack.h"
#include "sctp/cookie.h"

static pl_sctp_chunk only_chunk(const uint8_t *wire, size_t len)
{
    pl_rd r = pl_rd_init(wire, len);
    pl_sctp_chunk c;
    PL_OKAY(pl_sctp_chunk_next(&r, &c));
    PL_EQ(pl_rd_left(&r), 0);
    return c;
}

PL_TEST(packet_frame_and_checksum)
{
    uint8_t pkt[64];
    pl_wr w = pl_wr_init(pkt, sizeof pkt);
    pl_sctp_packet_begin(&w, &(pl_sctp_header){ 5000, 5001, 0xdeadbeef });
    pl_sctp_chunk_end(&w, pl_sctp_chunk_begin(&w, PL_SCTP_COOKIE_ACK, 0));
    pl_sctp_packet_end(&w);
    PL_EQ(pl_wr_len(&w), 16);
    static const uint8_t head[] = { 0x13, 0x88, 0x13, 0x89, 0xde, 0xad, 0xbe, 0xef };
    PL_MEMEQ(pkt, head, sizeof head);
    /* 3.1, appendix A: over the packet with the field zero, least significant byte first */
    uint8_t zeroed[16];
    memcpy(zeroed, pkt, 16);
    memset(zeroed + 8, 0, 4);
    uint32_t crc = pl_crc32c(zeroed, 16);
    for (int i = 0; i < 4; i++)
        PL_EQ(pkt[8 + i], (uint8_t)(crc >> (8 * i)));

    pl_sctp_header h;
    pl_rd chunks;
    PL_EQ(pl_sctp_packet_open(&h, &chunks, pkt, 16), PL_OK);
    PL_EQ(h.src_port, 5000);
    PL_EQ(h.dst_port, 5001);
    PL_OKAY(h.tag == 0xdeadbeef);
    for (size_t cut = 0; cut < 16; cut++)
        PL_EQ(pl_sctp_packet_open(&h, &chunks, pkt, cut), PL_EPROTO);
    for (size_t bit = 0; bit < 16 * 8; bit++) {
        pkt[bit / 8] ^= (uint8_t)(1 << bit % 8);
        PL_EQ(pl_sctp_packet_open(&h, &chunks, pkt, 16), PL_EPROTO);
        pkt[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

PL_TEST(chunks_are_walked_with_their_padding)
{
    static const uint8_t wire[] = { 10, 0, 0, 5, 'x', 0, 0, 0, 11, 0, 0, 4 };
    pl_rd r = pl_rd_init(wire, sizeof wire);
    pl_sctp_chunk c;
    PL_OKAY(pl_sctp_chunk_next(&r, &c));
    PL_EQ(c.type, PL_SCTP_COOKIE_ECHO);
    PL_EQ(pl_rd_left(&c.body), 1);
    PL_OKAY(pl_sctp_chunk_next(&r, &c));
    PL_EQ(c.type, PL_SCTP_COOKIE_ACK);
    PL_OKAY(!pl_sctp_chunk_next(&r, &c) && pl_rd_ok(&r));
    static const uint8_t liar[][8] = {
        { 11, 0, 0, 3 }, { 11, 0, 0, 0 }, { 11, 0, 0, 9 }, { 11, 0, 0xff, 0xff }
    };
    for (size_t i = 0; i < 4; i++) {
        r = pl_rd_init(liar[i], 8);
        PL_OKAY(!pl_sctp_chunk_next(&r, &c));
        PL_OKAY(!pl_rd_ok(&r));
    }
    /* 3.2: what the two highest bits of an unknown type ask for */
    PL_OKAY(pl_sctp_unknown_stops(0x3f, 8) && !pl_sctp_unknown_reports(0x3f, 8));
    PL_OKAY(pl_sctp_unknown_stops(0x7f, 8) && pl_sctp_unknown_reports(0x7f, 8));
    PL_OKAY(!pl_sctp_unknown_stops(0x8f, 8) && !pl_sctp_unknown_reports(0x8f, 8));
    PL_OKAY(!pl_sctp_unknown_stops(0xcf, 8) && pl_sctp_unknown_reports(0xcf, 8));
}

PL_TEST(data_by_bytes)
{
    /* DATA, B and E and I, TSN 0x01020304, stream 5, SSN 6, PPID 51, "abc" and a byte of padding */
    static const uint8_t wire[] = { 0, 0x0b, 0, 19, 1, 2, 3, 4, 0, 5, 0, 6, 0, 0, 0, 51, 'a', 'b', 'c', 0 };
    pl_sctp_chunk c = only_chunk(wire, sizeof wire);
    pl_sctp_data d;
    PL_EQ(pl_sctp_data_parse(&d, &c), PL_OK);
    PL_EQ(d.tsn, 0x01020304);
    PL_EQ(d.sid, 5);
    PL_EQ(d.mid, 6);
    PL_EQ(d.ppid, 51);
    PL_EQ(d.flags, PL_SCTP_DATA_B | PL_SCTP_DATA_E | PL_SCTP_DATA_I);
    PL_EQ(d.len, 3);
    for (size_t cut = 0; cut < 12; cut++) {
        c.body = pl_rd_init(wire + 4, cut);
        pl_sctp_data short_one;
        PL_EQ(pl_sctp_data_parse(&short_one, &c), PL_EPROTO);
    }
    uint8_t out[20];
    pl_wr w = pl_wr_init(out, sizeof out);
    pl_sctp_data_write(&w, &d);
    PL_EQ(pl_wr_len(&w), sizeof wire);
    PL_MEMEQ(out, wire, sizeof wire);
    w = pl_wr_init(out, 19);
    pl_sctp_data_write(&w, &d);
    PL_OKAY(!pl_wr_ok(&w));
}

PL_TEST(init_by_bytes)
{
    /* INIT: tag, a_rwnd 65536, 10 out, 20 in, TSN; forward TSN; extensions RE-CONFIG, FORWARD TSN and an unknown
     * one; an unknown parameter to be skipped and reported; one to be skipped in silence */
    static const uint8_t wire[] = { 1,  0,    0,    50,   0xca, 0xfe, 0xba, 0xbe, 0, 1, 0, 0,    0,
                                    10, 0,    20,   0,    0,    0,    7,    0xc0, 0, 0, 4, 0x80, 0x08,
                                    0,  7,    0x82, 0xc0, 0x40, 0,    0xc9, 9,    0, 6, 1, 2,    0,
                                    0,  0x89, 9,    0,    10,   1,    2,    3,    4, 5, 6, 0,    0 };
    pl_sctp_chunk c = only_chunk(wire, sizeof wire);
    pl_sctp_init in;
    PL_EQ(pl_sctp_init_parse(&in, c.body), PL_OK);
    PL_OKAY(in.tag == 0xcafebabe);
    PL_EQ(in.a_rwnd, 65536);
    PL_EQ(in.streams_out, 10);
    PL_EQ(in.streams_in, 20);
    PL_EQ(in.tsn, 7);
    PL_EQ(in.extensions, PL_SCTP_EXT_FORWARD_TSN | PL_SCTP_EXT_RECONFIG);
    PL_EQ(in.n_unknown, 1);
    PL_EQ(pl_rd_left(&in.unknown[0]), 6);
    size_t whole = 0; /* truncations that end between parameters are well formed; all others are not */
    for (size_t cut = 0; cut < 46; cut++)
        whole += pl_sctp_init_parse(&in, pl_rd_init(wire + 4, cut)) == PL_OK;
    PL_EQ(whole, 7); /* 16 | 20 | 27 28 | 34 35 36 */
}

PL_TEST(init_ack_round_trip)
{
    static const uint8_t cookie[] = { 9, 8, 7, 6, 5 };
    static const uint8_t unknown[] = { 0xc9, 9, 0, 6, 1, 2 };
    pl_sctp_init in = { .tag = 1,
                        .a_rwnd = 5000000,
                        .tsn = 0xfffffffe,
                        .streams_out = 65535,
                        .streams_in = 1,
                        .extensions = PL_SCTP_EXT_FORWARD_TSN | PL_SCTP_EXT_RECONFIG,
                        .cookie = cookie,
                        .cookie_len = sizeof cookie,
                        .n_unknown = 1 };
    in.unknown[0] = pl_rd_init(unknown, sizeof unknown);
    uint8_t out[128];
    pl_wr w = pl_wr_init(out, sizeof out);
    pl_sctp_init_write(&w, PL_SCTP_INIT_ACK, &in);
    PL_OKAY(pl_wr_ok(&w));
    PL_EQ(pl_wr_len(&w) % 4, 0);
    pl_sctp_chunk c = only_chunk(out, pl_wr_len(&w));
    pl_sctp_init back;
    PL_EQ(pl_sctp_init_parse(&back, c.body), PL_OK);
    PL_EQ(back.cookie_len, sizeof cookie);
    PL_MEMEQ(back.cookie, cookie, sizeof cookie);
    PL_EQ(back.extensions, in.extensions);
    PL_OKAY(back.tsn == in.tsn);
    PL_EQ(back.n_unknown, 0); /* the report is itself known */
}

PL_TEST(unknown_parameters_that_stop)
{
    uint8_t wire[] = { 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 7, 0x40, 0x77, 0, 4, 0xc0, 0, 0, 4 };
    pl_sctp_init in;
    PL_EQ(pl_sctp_init_parse(&in, pl_rd_init(wire, sizeof wire)), PL_OK);
    PL_EQ(in.n_unknown, 1);
    PL_EQ(in.extensions, 0); /* behind the one that stops nothing is read */
    wire[16] = 0;
    PL_EQ(pl_sctp_init_parse(&in, pl_rd_init(wire, sizeof wire)), PL_OK);
    PL_EQ(in.n_unknown, 0);
    wire[17] = PL_SCTP_PARAM_HOST_NAME;
    PL_EQ(pl_sctp_init_parse(&in, pl_rd_init(wire, sizeof wire)), PL_OK);
    PL_OKAY(in.host_name);
}

PL_TEST(sack_by_bytes)
{
    /* cumulative 100, a_rwnd 0x10000, gaps 2-3 and 5-5, one duplicate */
    static const uint8_t wire[] = { 3, 0, 0, 28, 0, 0, 0, 100, 0, 1, 0, 0, 0, 2,
                                    0, 1, 0, 2,  0, 3, 0, 5,   0, 5, 0, 0, 0, 99 };
    pl_sctp_chunk c = only_chunk(wire, sizeof wire);
    pl_sctp_sack_chunk s;
    uint16_t start, end;
    PL_EQ(pl_sctp_sack_parse(&s, c.body), PL_OK);
    PL_EQ(s.cumulative_tsn, 100);
    PL_EQ(s.a_rwnd, 65536);
    PL_EQ(s.n_gaps, 2);
    PL_EQ(s.n_duplicates, 1);
    pl_sctp_sack_gap(&s, 1, &start, &end);
    PL_EQ(start, 5);
    PL_EQ(end, 5);
    for (size_t cut = 0; cut < 24; cut++)
        PL_EQ(pl_sctp_sack_parse(&s, pl_rd_init(wire + 4, cut)), PL_EPROTO);
}

PL_TEST(forward_tsn_by_bytes)
{
    static const uint8_t wire[] = { 192, 0, 0, 16, 0, 0, 1, 0, 0, 3, 0, 9, 0, 4, 0xff, 0xff };
    pl_sctp_chunk c = only_chunk(wire, sizeof wire);
    pl_sctp_forward f;
    PL_EQ(pl_sctp_forward_parse(&f, c.body, false), PL_OK);
    PL_EQ(f.cumulative_tsn, 256);
    PL_EQ(f.n_skips, 2);
    pl_sctp_skip skip[2] = { pl_sctp_forward_skip(&f, 0), pl_sctp_forward_skip(&f, 1) };
    PL_EQ(skip[1].sid, 4);
    PL_EQ(skip[1].mid, 65535);
    uint8_t out[16];
    pl_wr w = pl_wr_init(out, sizeof out);
    pl_sctp_forward_write(&w, false, 256, skip, 2);
    PL_MEMEQ(out, wire, sizeof wire);
    for (size_t cut = 0; cut < 12; cut++)
        PL_EQ(pl_sctp_forward_parse(&f, pl_rd_init(wire + 4, cut), false),
              cut == 4 || cut == 8 ? PL_OK : PL_EPROTO);
}

PL_TEST(reconfig_by_bytes)
{
    /* Outgoing SSN Reset Request: request 5, response 3, last TSN 9, streams 1 and 2 */
    static const uint8_t wire[] = { 130, 0, 0, 24, 0, 13, 0, 20, 0, 0, 0, 5,
                                    0,   0, 0, 3,  0, 0,  0, 9,  0, 1, 0, 2 };
    static const uint16_t sids[] = { 1, 2 };
    uint8_t out[24];
    pl_wr w = pl_wr_init(out, sizeof out);
    pl_sctp_reset_out_write(&w, 5, 3, 9, sids, 2);
    PL_EQ(pl_wr_len(&w), sizeof wire);
    PL_MEMEQ(out, wire, sizeof wire);
    pl_sctp_chunk c = only_chunk(wire, sizeof wire);
    pl_sctp_param p;
    pl_sctp_reconfig r;
    PL_OKAY(pl_sctp_param_next(&c.body, &p));
    PL_EQ(pl_sctp_reconfig_parse(&r, &p), PL_OK);
    PL_EQ(r.request_seq, 5);
    PL_EQ(r.response_seq, 3);
    PL_EQ(r.last_tsn, 9);
    PL_EQ(r.n_sids, 2);
    for (size_t cut = 0; cut < 16; cut++) {
        p.value = pl_rd_init(wire + 8, cut);
        PL_EQ(pl_sctp_reconfig_parse(&r, &p), cut == 12 || cut == 14 ? PL_OK : PL_EPROTO);
    }
    static const uint8_t response[] = { 130, 0, 0, 16, 0, 16, 0, 12, 0, 0, 0, 7, 0, 0, 0, 1 };
    w = pl_wr_init(out, sizeof out);
    pl_sctp_reset_response_write(&w, 7, PL_SCTP_RESET_PERFORMED);
    PL_MEMEQ(out, response, sizeof response);
    c = only_chunk(response, sizeof response);
    PL_OKAY(pl_sctp_param_next(&c.body, &p));
    PL_EQ(pl_sctp_reconfig_parse(&r, &p), PL_OK);
    PL_EQ(r.result, 1);
    static const uint8_t others[][12] = { { 0, 15, 0, 8, 0, 0, 0, 1 },
                                          { 0, 17, 0, 12, 0, 0, 0, 1, 0, 5, 0, 0 },
                                          { 0, 18, 0, 12, 0, 0, 0, 1, 0, 5, 0, 0 },
                                          { 0, 99, 0, 12 } };
    for (size_t i = 0; i < 4; i++) {
        pl_rd params = pl_rd_init(others[i], others[i][3]);
        PL_OKAY(pl_sctp_param_next(&params, &p));
        PL_EQ(pl_sctp_reconfig_parse(&r, &p), i == 3 ? PL_ENOTSUP : PL_OK);
        p.value = pl_rd_init(others[i] + 4, 3);
        PL_OKAY(pl_sctp_reconfig_parse(&r, &p) != PL_OK);
    }
}

PL_TEST(error_causes_by_bytes)
{
    uint8_t out[32];
    pl_wr w = pl_wr_init(out, sizeof out);
    pl_sctp_cause_invalid_stream(&w, 0x0102);
    pl_sctp_cause_stale_cookie(&w, 0x01020304);
    static const uint8_t want[] = { 0, 1, 0, 8, 1, 2, 0, 0, 0, 3, 0, 8, 1, 2, 3, 4 };
    PL_EQ(pl_wr_len(&w), sizeof want);
    PL_MEMEQ(out, want, sizeof want);
}

PL_TEST(cookies_are_ours_or_nothing)
{
    uint8_t key[PL_SCTP_COOKIE_KEY] = { 1 }, other[PL_SCTP_COOKIE_KEY] = { 2 }, sealed[PL_SCTP_COOKIE_LEN];
    pl_sctp_cookie c = { .my_tag = 1,
                         .peer_tag = 2,
                         .my_tsn = 3,
                         .peer_tsn = 4,
                         .tie_mine = 5,
                         .tie_peer = 6,
                         .peer_rwnd = 7,
                         .peer_streams_out = 8,
                         .peer_streams_in = 9,
                         .extensions = 3,
                         .made_us = -5,
                         .life_us = 60000000 };
    pl_sctp_cookie back;
    pl_sctp_cookie_seal(&c, key, sealed);
    PL_EQ(pl_sctp_cookie_open(&back, key, sealed, sizeof sealed), PL_OK);
    PL_EQ(back.my_tag, 1);
    PL_EQ(back.tie_peer, 6);
    PL_EQ(back.peer_streams_in, 9);
    PL_EQ(back.made_us, -5);
    PL_EQ(back.extensions, 3);
    PL_EQ(pl_sctp_cookie_open(&back, other, sealed, sizeof sealed), PL_EPROTO);
    for (size_t i = 0; i < sizeof sealed; i++) {
        PL_EQ(pl_sctp_cookie_open(&back, key, sealed, i), PL_EPROTO);
        sealed[i] ^= 1;
        PL_EQ(pl_sctp_cookie_open(&back, key, sealed, sizeof sealed), PL_EPROTO);
        sealed[i] ^= 1;
    }
}

PL_TESTS(t(packet_frame_and_checksum), t(chunks_are_walked_with_their_padding), t(data_by_bytes),
         t(init_by_bytes), t(init_ack_round_trip), t(unknown_parameters_that_stop), t(sack_by_bytes),
         t(forward_tsn_by_bytes), t(reconfig_by_bytes), t(error_causes_by_bytes),
         t(cookies_are_ours_or_nothing))
