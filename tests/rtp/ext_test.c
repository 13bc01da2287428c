/* Header extensions: RFC 8285 and the elements a browser sends. */
#include "pl_test.h"

#include "rtp/ext.h"

/* What Chromium negotiates, with mid and rid in the one-byte range. */
static pl_rtp_ext_map usual_map(void)
{
    pl_rtp_ext_map m = { 0 };
    PL_EQ(pl_rtp_ext_map_set(&m, PL_EXT_AUDIO_LEVEL, 1), PL_OK);
    PL_EQ(pl_rtp_ext_map_set(&m, PL_EXT_ABS_SEND_TIME, 2), PL_OK);
    PL_EQ(pl_rtp_ext_map_set(&m, PL_EXT_TWCC, 3), PL_OK);
    PL_EQ(pl_rtp_ext_map_set(&m, PL_EXT_MID, 4), PL_OK);
    PL_EQ(pl_rtp_ext_map_set(&m, PL_EXT_RID, 10), PL_OK);
    PL_EQ(pl_rtp_ext_map_set(&m, PL_EXT_REPAIRED_RID, 11), PL_OK);
    PL_EQ(pl_rtp_ext_map_set(&m, PL_EXT_VIDEO_ORIENTATION, 13), PL_OK);
    PL_EQ(pl_rtp_ext_map_set(&m, PL_EXT_TOFFSET, 14), PL_OK);
    return m;
}

/* An audio packet as Chromium sends it: audio level id 1 (voice, -21 dBov), abs-send-time id 2, transport
 * sequence number id 3, mid id 4 "0"; 11 bytes and one of padding. */
static const uint8_t audio[] = { 0x90, 0x6f, 0x2c, 0x01, 0,    0,    3,    0xc0, 1,    2,
                                 3,    4,    0xbe, 0xde, 0,    3,    0x10, 0x95, 0x22, 0x8a,
                                 0x1b, 0x2c, 0x31, 0x01, 0x02, 0x40, 0x30, 0x00, 0xfc, 0xff };

static pl_rtp_header parsed(const uint8_t *pkt, size_t len)
{
    pl_rtp_header h;
    PL_EQ(pl_rtp_parse(&h, pkt, len), PL_OK);
    return h;
}

PL_TEST(elements_of_an_audio_packet)
{
    pl_rtp_ext_map m = usual_map();
    pl_rtp_header h = parsed(audio, sizeof audio);
    pl_rtp_ext e;
    PL_EQ(pl_rtp_ext_parse(&e, &m, audio, &h), PL_OK);
    PL_EQ(e.has, 1 << PL_EXT_AUDIO_LEVEL | 1 << PL_EXT_ABS_SEND_TIME | 1 << PL_EXT_TWCC | 1 << PL_EXT_MID);
    PL_EQ(e.audio_level, 21);
    PL_OKAY(e.voice);
    PL_EQ(e.abs_send_time, 0x8a1b2c);
    PL_EQ(e.twcc_seq, 0x0102);
    PL_OKAY(pl_str_is(e.mid, "0"));

    pl_rtp_ext_map nothing = { 0 };
    PL_EQ(pl_rtp_ext_parse(&e, &nothing, audio, &h), PL_OK);
    PL_EQ(e.has, 0);
}

PL_TEST(ids_are_checked)
{
    pl_rtp_ext_map m = { 0 };
    PL_EQ(pl_rtp_ext_map_set(&m, PL_EXT_MID, 0), PL_EPROTO);
    PL_EQ(pl_rtp_ext_map_set(&m, PL_EXT_MID, 15), PL_EPROTO);
    PL_EQ(pl_rtp_ext_map_set(&m, PL_EXT_MID, 256), PL_EPROTO);
    PL_EQ(pl_rtp_ext_map_set(&m, PL_EXT_NONE, 1), PL_EPROTO);
    PL_EQ(pl_rtp_ext_map_set(&m, PL_EXT_MID, 16), PL_OK);
    PL_EQ(pl_rtp_ext_map_set(&m, PL_EXT_RID, 16), PL_EPROTO);
    PL_EQ(pl_rtp_ext_map_set(&m, PL_EXT_MID, 16), PL_OK);
    for (int k = 1; k < PL_EXT_KINDS; k++)
        PL_EQ(pl_rtp_ext_kind_of(pl_str_of(pl_rtp_ext_uri((pl_rtp_ext_kind)k))), k);
    PL_EQ(pl_rtp_ext_kind_of(PL_STR("urn:ietf:params:rtp-hdrext:unknown")), PL_EXT_NONE);
    PL_EQ(pl_rtp_ext_kind_of(PL_STR("")), PL_EXT_NONE);
}

/* A packet with an extension block of the given profile and data. */
static size_t packet_with(uint8_t *pkt, unsigned profile, const uint8_t *data, size_t len)
{
    pl_wr w = pl_wr_init(pkt, 256);
    pl_rtp_write(&w, &(pl_rtp_header){ .pt = 96, .ssrc = 1 }, NULL);
    pl_wr_u16(&w, (uint16_t)profile);
    pl_wr_u16(&w, (uint16_t)((len + 3) / 4));
    pl_wr_bytes(&w, data, len);
    pl_wr_align(&w, 4);
    pl_wr_u8(&w, 0x55);
    pkt[0] |= 0x10;
    PL_OKAY(pl_wr_ok(&w));
    return pl_wr_len(&w);
}

static pl_err parse_block(pl_rtp_ext *e, unsigned profile, const uint8_t *data, size_t len)
{
    static uint8_t pkt[256]; /* text of e is lent from it */
    size_t n = packet_with(pkt, profile, data, len);
    pl_rtp_header h = parsed(pkt, n);
    pl_rtp_ext_map m = usual_map();
    return pl_rtp_ext_parse(e, &m, pkt, &h);
}

PL_TEST(one_byte_form_rules)
{
    pl_rtp_ext e;
    /* padding between elements */
    PL_EQ(parse_block(&e, 0xbede, (const uint8_t[]){ 0, 0, 0x40, 'a', 0, 0x10, 0x05 }, 7), PL_OK);
    PL_OKAY(pl_str_is(e.mid, "a") && pl_rtp_ext_has(&e, PL_EXT_AUDIO_LEVEL));
    /* id 15 ends the block, and so does id 0 with a length: what came before counts */
    PL_EQ(parse_block(&e, 0xbede, (const uint8_t[]){ 0x40, 'a', 0xf3, 0, 0x10, 0x05 }, 6), PL_OK);
    PL_EQ(e.has, 1 << PL_EXT_MID);
    PL_EQ(parse_block(&e, 0xbede, (const uint8_t[]){ 0x40, 'a', 0x02, 0, 0x10, 0x05 }, 6), PL_OK);
    PL_EQ(e.has, 1 << PL_EXT_MID);
    /* an element that runs over the block */
    PL_EQ(parse_block(&e, 0xbede, (const uint8_t[]){ 0x40, 'a', 0x1f, 0 }, 4), PL_EPROTO);
    /* known kinds of wrong length are absent, unknown ids are skipped */
    PL_EQ(parse_block(&e, 0xbede, (const uint8_t[]){ 0x21, 1, 2, 0x30, 1, 0x90, 9, 0x40, 'b' }, 9), PL_OK);
    PL_EQ(e.has, 1 << PL_EXT_MID);
    /* another profile is nobody's business here */
    PL_EQ(parse_block(&e, 0x1234, (const uint8_t[]){ 0x1f, 0, 0, 0 }, 4), PL_OK);
    PL_EQ(e.has, 0);
}

PL_TEST(two_byte_form_rules)
{
    pl_rtp_ext e;
    /* any application bits; empty elements; id 15 is an ordinary one here */
    PL_EQ(parse_block(&e, 0x1005, (const uint8_t[]){ 15, 0, 0, 4, 2, 'a', 'b', 1, 1, 0x7f, 2, 0 }, 12),
          PL_OK);
    PL_OKAY(pl_str_is(e.mid, "ab"));
    PL_EQ(e.has, 1 << PL_EXT_MID | 1 << PL_EXT_AUDIO_LEVEL);
    PL_EQ(e.audio_level, 127);
    PL_EQ(parse_block(&e, 0x1000, (const uint8_t[]){ 4, 3, 'a', 'b' }, 4), PL_EPROTO);
    PL_EQ(parse_block(&e, 0x1000, (const uint8_t[]){ 0, 0, 0, 4 }, 4), PL_EPROTO);
    PL_EQ(parse_block(&e, 0x1000, (const uint8_t[]){ 4, 0, 0, 0 }, 4), PL_OK); /* an empty mid is none */
    PL_EQ(e.has, 0);
}

static pl_rtp_ext everything(void)
{
    return (pl_rtp_ext){ .has = (1u << PL_EXT_KINDS) - 2,
                         .mid = PL_STR("video"),
                         .rid = PL_STR("hi"),
                         .repaired_rid = PL_STR("lo"),
                         .abs_send_time = 0x123456,
                         .twcc_seq = 0xfffe,
                         .twcc_wants_feedback = true,
                         .twcc_feedback_packets = 0x1234,
                         .audio_level = 127,
                         .voice = true,
                         .rotation = 3,
                         .camera_back = true,
                         .toffset = -2,
                         .capture_ntp = 0x0123456789abcdefu,
                         .capture_offset = -1 };
}

static void same(const pl_rtp_ext *a, const pl_rtp_ext *b)
{
    PL_EQ(a->has, b->has);
    PL_OKAY(pl_str_eq(a->mid, b->mid) && pl_str_eq(a->rid, b->rid) &&
            pl_str_eq(a->repaired_rid, b->repaired_rid));
    PL_EQ(a->abs_send_time, b->abs_send_time);
    PL_EQ(a->twcc_seq, b->twcc_seq);
    PL_EQ(a->twcc_feedback_packets, b->twcc_feedback_packets);
    PL_EQ(a->audio_level, b->audio_level);
    PL_EQ(a->voice, b->voice);
    PL_EQ(a->rotation, b->rotation);
    PL_OKAY(a->camera_back == b->camera_back && a->flip == b->flip);
    PL_EQ(a->toffset, b->toffset);
    PL_EQ(a->capture_ntp, b->capture_ntp);
    PL_EQ(a->capture_offset, b->capture_offset);
}

/* Writes e behind a header with CSRCs and reads it back; returns the profile. */
static unsigned round_trip(const pl_rtp_ext_map *m, const pl_rtp_ext *e, pl_rtp_ext *back)
{
    static uint8_t pkt[256];
    static const uint32_t csrc[] = { 1, 2, 3 };
    pl_wr w = pl_wr_init(pkt, sizeof pkt);
    pl_rtp_write(&w, &(pl_rtp_header){ .pt = 96, .n_csrc = 3 }, csrc);
    pl_rtp_ext_write(&w, m, e, NULL);
    pl_wr_bytes(&w, "payload", 7);
    PL_OKAY(pl_wr_ok(&w));
    pl_rtp_header h = parsed(pkt, pl_wr_len(&w));
    PL_EQ(h.payload_len, 7);
    PL_EQ(pl_rtp_ext_parse(back, m, pkt, &h), PL_OK);
    return h.ext_profile;
}

PL_TEST(every_kind_in_both_forms)
{
    pl_rtp_ext e = everything(), back;
    pl_rtp_ext_map one = { 0 }, two = { 0 };
    for (int k = 1; k < PL_EXT_KINDS; k++) {
        PL_EQ(pl_rtp_ext_map_set(&one, (pl_rtp_ext_kind)k, (unsigned)k), PL_OK);
        PL_EQ(pl_rtp_ext_map_set(&two, (pl_rtp_ext_kind)k, (unsigned)(240 + k)), PL_OK);
    }
    PL_EQ(round_trip(&one, &e, &back), 0xbede);
    same(&e, &back);
    PL_EQ(round_trip(&two, &e, &back), 0x1000);
    same(&e, &back);
    /* a text longer than 16 bytes needs the two-byte form; one longer than the maximum is left out */
    e.mid = PL_STR("a-mid-of-20-letters!");
    PL_EQ(round_trip(&one, &e, &back), 0x1000);
    same(&e, &back);
    e.mid = PL_STR("a-mid-of-many-more-letters-than-anybody-wants");
    PL_EQ(round_trip(&one, &e, &back), 0xbede);
    PL_OKAY(!pl_rtp_ext_has(&back, PL_EXT_MID));
    /* nothing wanted or nothing negotiated: no block at all */
    e.has = 0;
    PL_EQ(round_trip(&one, &e, &back), 0);
    e = everything();
    PL_EQ(round_trip(&(pl_rtp_ext_map){ 0 }, &e, &back), 0);
}

PL_TEST(late_elements_are_stamped_in_place)
{
    pl_rtp_ext_map m = usual_map();
    pl_rtp_ext e = { .has = 1 << PL_EXT_MID | 1 << PL_EXT_TWCC | 1 << PL_EXT_ABS_SEND_TIME,
                     .mid = PL_STR("1") };
    uint8_t pkt[64];
    pl_wr w = pl_wr_init(pkt, sizeof pkt);
    pl_rtp_stamp_at at;
    pl_rtp_write(&w, &(pl_rtp_header){ .pt = 96 }, NULL);
    pl_rtp_ext_write(&w, &m, &e, &at);
    pl_rtp_header h = parsed(pkt, pl_wr_len(&w));
    pl_rtp_stamp_at found = pl_rtp_ext_locate(&m, pkt, &h);
    PL_OKAY(at.abs_send_time && at.twcc);
    PL_EQ(found.abs_send_time, at.abs_send_time);
    PL_EQ(found.twcc, at.twcc);
    pl_rtp_stamp(pkt, &at, 1500000, 777);
    PL_EQ(pl_rtp_ext_parse(&e, &m, pkt, &h), PL_OK);
    PL_EQ(e.abs_send_time, 1.5 * (1 << 18));
    PL_EQ(e.twcc_seq, 777);
    PL_OKAY(pl_str_is(e.mid, "1"));

    size_t len;
    uint8_t *mid = pl_rtp_ext_find(&m, pkt, &h, PL_EXT_MID, &len);
    PL_OKAY(mid && len == 1);
    *mid = '7';
    PL_EQ(pl_rtp_ext_parse(&e, &m, pkt, &h), PL_OK);
    PL_OKAY(pl_str_is(e.mid, "7"));
    PL_OKAY(pl_rtp_ext_find(&m, pkt, &h, PL_EXT_RID, &len) == NULL);

    /* nothing to stamp leaves the packet alone */
    uint8_t before[sizeof pkt];
    memcpy(before, pkt, sizeof pkt);
    pl_rtp_stamp(pkt, &(pl_rtp_stamp_at){ 0 }, 99, 99);
    PL_MEMEQ(before, pkt, pl_wr_len(&w));
}

PL_TEST(abs_send_time_wraps_every_64_seconds)
{
    PL_EQ(pl_abs_send_time(0), 0);
    PL_EQ(pl_abs_send_time(1000000), 1 << 18);
    PL_EQ(pl_abs_send_time(63999999), 0); /* rounds up into the next turn */
    PL_EQ(pl_abs_send_time(64000000 + 500000), 1 << 17);
    PL_EQ(pl_abs_send_time(INT64_MAX) >> 24, 0);
}

PL_TEST(rid_becomes_repaired_rid_and_back)
{
    pl_rtp_ext_map m = usual_map();
    for (int form = 0; form < 2; form++) {
        if (form == 1)
            m.id[PL_EXT_MID] = 100; /* forces two bytes */
        pl_rtp_ext e = { .has = 1 << PL_EXT_RID | 1 << PL_EXT_MID, .rid = PL_STR("hi"), .mid = PL_STR("v") };
        uint8_t pkt[64];
        pl_wr w = pl_wr_init(pkt, sizeof pkt);
        pl_rtp_write(&w, &(pl_rtp_header){ .pt = 96 }, NULL);
        pl_rtp_ext_write(&w, &m, &e, NULL);
        pl_rtp_header h = parsed(pkt, pl_wr_len(&w));
        pl_rtp_ext_rename(&m, pkt, &h, PL_EXT_RID, PL_EXT_REPAIRED_RID);
        PL_EQ(pl_rtp_ext_parse(&e, &m, pkt, &h), PL_OK);
        PL_EQ(e.has, 1 << PL_EXT_REPAIRED_RID | 1 << PL_EXT_MID);
        PL_OKAY(pl_str_is(e.repaired_rid, "hi"));
        pl_rtp_ext_rename(&m, pkt, &h, PL_EXT_REPAIRED_RID, PL_EXT_RID);
        PL_EQ(pl_rtp_ext_parse(&e, &m, pkt, &h), PL_OK);
        PL_OKAY(pl_str_is(e.rid, "hi") && pl_str_is(e.mid, "v"));
    }
}

PL_TEST(too_little_room_sticks)
{
    pl_rtp_ext_map m = usual_map();
    pl_rtp_ext e = everything();
    uint8_t pkt[256];
    pl_wr w = pl_wr_init(pkt, sizeof pkt);
    pl_rtp_write(&w, &(pl_rtp_header){ .pt = 96 }, NULL);
    pl_rtp_ext_write(&w, &m, &e, NULL);
    size_t need = pl_wr_len(&w);
    for (size_t cap = 0; cap < need; cap++) {
        w = pl_wr_init(pkt, cap);
        pl_rtp_write(&w, &(pl_rtp_header){ .pt = 96 }, NULL);
        pl_rtp_ext_write(&w, &m, &e, NULL);
        PL_OKAY(!pl_wr_ok(&w));
    }
}

PL_TESTS(t(elements_of_an_audio_packet), t(ids_are_checked), t(one_byte_form_rules), t(two_byte_form_rules),
         t(every_kind_in_both_forms), t(late_elements_are_stamped_in_place),
         t(abs_send_time_wraps_every_64_seconds), t(rid_becomes_repaired_rid_and_back),
         t(too_little_room_sticks))
