/* DCEP messages byte by byte (RFC 8832 5). */
#include "pl_test.h"

#include "data/dcep.h"

PL_TEST(open_by_bytes)
{
    /* OPEN, unordered with at most 5 retransmissions, priority 256, label "ab", protocol "xyz" */
    static const uint8_t wire[] = { 3, 0x81, 1, 0, 0, 0, 0, 5, 0, 2, 0, 3, 'a', 'b', 'x', 'y', 'z' };
    pl_dcep_open open;
    PL_EQ(pl_dcep_open_parse(&open, pl_rd_init(wire, sizeof wire)), PL_OK);
    PL_OKAY(open.unordered);
    PL_EQ(open.reliability, PL_DCEP_RETRANSMITS);
    PL_EQ(open.parameter, 5);
    PL_EQ(open.priority, 256);
    PL_OKAY(pl_str_is(open.label, "ab") && pl_str_is(open.protocol, "xyz"));
    for (size_t cut = 0; cut < sizeof wire; cut++)
        PL_EQ(pl_dcep_open_parse(&open, pl_rd_init(wire, cut)), PL_EPROTO);

    uint8_t out[32];
    pl_wr w = pl_wr_init(out, sizeof out);
    PL_EQ(pl_dcep_open_parse(&open, pl_rd_init(wire, sizeof wire)), PL_OK);
    pl_dcep_open_write(&w, &open);
    PL_EQ(pl_wr_len(&w), sizeof wire);
    PL_MEMEQ(out, wire, sizeof wire);
}

PL_TEST(every_channel_type)
{
    static const struct {
        uint8_t type;
        pl_err err;
    } types[] = { { 0x00, PL_OK },     { 0x80, PL_OK },    { 0x01, PL_OK },     { 0x81, PL_OK },
                  { 0x02, PL_OK },     { 0x82, PL_OK },    { 0x03, PL_EPROTO }, { 0x83, PL_EPROTO },
                  { 0x7f, PL_EPROTO }, { 0xff, PL_EPROTO } };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        uint8_t wire[12] = { 3, types[i].type };
        pl_dcep_open open;
        PL_EQ(pl_dcep_open_parse(&open, pl_rd_init(wire, sizeof wire)), types[i].err);
    }
}

PL_TEST(text_and_lengths)
{
    static const uint8_t longer[] = { 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };   /* a byte too many */
    static const uint8_t latin[] = { 3, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0xe9 }; /* not UTF-8 */
    static const uint8_t surrogate[] = { 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0xed, 0xa0, 0x80 };
    pl_dcep_open open;
    PL_EQ(pl_dcep_open_parse(&open, pl_rd_init(longer, sizeof longer)), PL_EPROTO);
    PL_EQ(pl_dcep_open_parse(&open, pl_rd_init(latin, sizeof latin)), PL_EPROTO);
    PL_EQ(pl_dcep_open_parse(&open, pl_rd_init(surrogate, sizeof surrogate)), PL_EPROTO);
    PL_EQ(pl_dcep_type(NULL, 0), -1);
    PL_EQ(pl_dcep_type((const uint8_t *)"\x02", 1), PL_DCEP_ACK);
}

PL_TESTS(t(open_by_bytes), t(every_channel_type), t(text_and_lengths))
