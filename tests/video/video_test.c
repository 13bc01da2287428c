/* The payload format, and the small rooms: freezes, timing, adaptation. */
#include "pl_test.h"

#include "base/rand.h"
#include "video/adapt.h"
#include "video/freeze.h"
#include "video/payload.h"
#include "video/timing.h"

static pl_err parse(pl_payload_info *info, const uint8_t *wire, size_t len)
{
    return pl_payload_vp8.parse(info, wire, len);
}

PL_TEST(vp8_descriptors)
{
    /* RFC 7741 4.2: X R N S R PID | I L T K RSV | M PictureID | TL0PICIDX | TID Y KEYIDX, then the frame.
     * A key frame begins with its tag, 9d 01 2a and the sides 320x180 (0x0140, 0x00b4, little endian). */
    static const uint8_t key[] = { 0x10, 0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xb4, 0x00 };
    static const uint8_t full[] = { 0xb0, 0xf0, 0x81, 0x02, 0x37, 0x65, 0x01 };
    static const uint8_t short_id[] = { 0x90, 0x80, 0x11, 0x31 };
    static const uint8_t middle[] = { 0x80, 0x80, 0xff, 0xff, 0x00 };
    static const uint8_t second_partition[] = { 0x11, 0x55 };
    static const uint8_t tl0_alone[] = { 0x90, 0x40, 0x09, 0x01 };
    pl_payload_info i;

    PL_EQ(parse(&i, key, sizeof key), PL_OK);
    PL_OKAY(i.first && i.key && !i.non_reference);
    PL_EQ(i.width, 320);
    PL_EQ(i.height, 180);
    PL_EQ(i.picture_id, -1);
    PL_EQ(i.tl0_pic_idx, -1);
    PL_EQ(i.len, 10);

    PL_EQ(parse(&i, full, sizeof full), PL_OK);
    PL_OKAY(i.first && !i.key && i.non_reference && i.picture_id_long && i.layer_sync);
    PL_EQ(i.picture_id, 0x102);
    PL_EQ(i.tl0_pic_idx, 0x37);
    PL_EQ(i.temporal_id, 1);
    PL_EQ(i.len, 1);

    PL_EQ(parse(&i, short_id, sizeof short_id), PL_OK);
    PL_EQ(i.picture_id, 0x11);
    PL_OKAY(!i.picture_id_long && !i.key);

    PL_EQ(parse(&i, middle, sizeof middle), PL_OK);
    PL_OKAY(!i.first && !i.key);
    PL_EQ(i.picture_id, 0x7fff);

    PL_EQ(parse(&i, second_partition, sizeof second_partition), PL_OK);
    PL_OKAY(!i.first);
    PL_EQ(parse(&i, tl0_alone, sizeof tl0_alone), PL_OK);
    PL_EQ(i.tl0_pic_idx, -1);

    for (size_t cut = 0; cut <= 1; cut++)
        PL_EQ(parse(&i, key, cut), PL_EPROTO);
    for (size_t cut = 0; cut < sizeof full; cut++) /* a descriptor without a frame behind it is one too */
        PL_EQ(parse(&i, full, cut), PL_EPROTO);
    for (size_t cut = 0; cut < sizeof short_id; cut++)
        PL_EQ(parse(&i, short_id, cut), PL_EPROTO);
    for (size_t cut = 0; cut < sizeof middle; cut++)
        PL_EQ(parse(&i, middle, cut), PL_EPROTO);
    uint8_t bent[sizeof key];
    memcpy(bent, key, sizeof key);
    bent[5] = 0; /* a key frame without its start code */
    PL_EQ(parse(&i, bent, sizeof bent), PL_EPROTO);
    PL_EQ(parse(&i, key, 5), PL_OK); /* cut inside the sides: legal, they are just not known */
    PL_EQ(i.width, 0);
}

PL_TEST(packets_put_together_are_the_frame)
{
    enum { MAX = 1160 };
    static uint8_t frame[40000], back[40000];
    pl_rand_seeded state;
    uint64_t seed = pl_test_seed(1);
    pl_rand rand = pl_rand_seed(&state, seed);
    pl_packetizer p = { .picture_id = 0x7ffe };
    for (int round = 0; round < 2000; round++) {
        size_t len = round < 10 ? (size_t)(MAX - 8 + round) : 1 + pl_rand_below(&rand, sizeof frame);
        pl_rand_bytes(&rand, frame, len);
        frame[0] |= 1; /* not a key frame, so any bytes are a frame */
        pl_video_frame f = { .data = frame, .len = len, .non_reference = round % 3 == 0 };
        pl_payload_vp8.begin(&p, &f, MAX);
        size_t n_back = 0, n_packets = 0, least = MAX, most = 0;
        bool last = false;
        while (!last) {
            uint8_t out[MAX];
            size_t n = pl_payload_vp8.next(&p, out, MAX, &last);
            pl_payload_info i;
            PL_OKAY(n > 0 && n <= MAX);
            PL_EQ(parse(&i, out, n), PL_OK);
            PL_EQ(i.first, n_packets == 0);
            PL_EQ(i.non_reference, f.non_reference);
            PL_EQ(i.picture_id, (0x7ffe + 1 + round) & 0x7fff);
            memcpy(back + n_back, i.data, i.len);
            n_back += i.len;
            n_packets++;
            least = n < least ? n : least;
            most = n > most ? n : most;
        }
        PL_EQ(n_back, len);
        PL_MEMEQ(back, frame, len);
        PL_EQ(n_packets, (len + MAX - 5) / (MAX - 4));
        PL_LE(most - least, 1); /* even sizes pace best */
        uint8_t out[MAX];
        PL_EQ(pl_payload_vp8.next(&p, out, MAX, &last), 0);
    }
    PL_OKAY(pl_payload_format_find("vp8") == &pl_payload_vp8);
    PL_OKAY(pl_payload_format_find("VP9") == NULL);
}

PL_TEST(freezes_as_w3c_counts_them)
{
    pl_freeze f = { 0 };
    int64_t now_us = 1000000;
    for (int i = 0; i < 60; i++, now_us += 33333)
        pl_freeze_shown(&f, now_us);
    PL_LE(pl_freeze_fps(&f) * 10, 301);
    PL_GE(pl_freeze_fps(&f) * 10, 299);
    now_us += 140000; /* 173 ms: less than 33 + 150 */
    pl_freeze_shown(&f, now_us);
    PL_EQ(f.n_freezes, 0);
    now_us += 200000;
    pl_freeze_shown(&f, now_us);
    PL_EQ(f.n_freezes, 1);
    PL_EQ(f.total_us, 200000);
    f = (pl_freeze){ 0 };
    for (int i = 0; i < 40; i++, now_us += 200000) /* five a second: 350 ms is no freeze, 3 x 200 is more */
        pl_freeze_shown(&f, now_us);
    now_us += 150000;
    pl_freeze_shown(&f, now_us);
    PL_EQ(f.n_freezes, 0);
    now_us += 620000;
    pl_freeze_shown(&f, now_us);
    PL_EQ(f.n_freezes, 1);
}

PL_TEST(timing_smooths_what_the_network_roughens)
{
    uint64_t seed = pl_test_seed(1);
    pl_rand_seeded state;
    pl_rand rand = pl_rand_seed(&state, seed);
    pl_timing t = { 0 };
    int late = 0;
    for (int i = 0; i < 1000; i++) {
        int64_t media_us = i * 33333, complete_us = 5000000 + media_us + pl_rand_below(&rand, 30000);
        pl_timing_complete(&t, complete_us, media_us);
        int64_t show_us = pl_timing_show_us(&t, media_us);
        PL_LE(show_us, 5000000 + media_us + 31000 + 2000);
        late += show_us < complete_us;
    }
    PL_EQ(late, 0); /* the delay rises at once */
    PL_GE(t.delay_us, 15000);
    for (int i = 1000; i < 1400; i++)
        pl_timing_complete(&t, 5000000 + i * 33333, i * 33333);
    PL_LE(t.delay_us, 2000); /* calm again: after some seconds nothing is added */
    /* The sender's clock jumps: no frame may have to wait for hours. */
    int64_t complete_us = 5000000 + (int64_t)1400 * 33333;
    pl_timing_complete(&t, complete_us, -77000000);
    PL_LE(pl_timing_show_us(&t, -77000000), complete_us + 10000);
    for (int i = 0; i < 20; i++)
        pl_timing_decoded(&t, 8000);
    PL_GE(pl_timing_show_us(&t, 0) - pl_timing_decode_us(&t, 0), 7000);
}

PL_TEST(size_follows_the_bit_rate_without_flapping)
{
    pl_adapt a = { 0 };
    pl_adapt_rate(&a, 0, 1500000, 1280, 720);
    PL_EQ(a.halvings, 0);
    pl_adapt_rate(&a, 0, 500000, 1280, 720);
    PL_EQ(a.halvings, 1);
    pl_adapt_rate(&a, 0, 30000, 1280, 720);
    PL_EQ(a.halvings, 2);
    PL_EQ(a.fps, 15);
    int changes = 0, last = a.halvings;
    for (int64_t t_us = 0; t_us < 60000000; t_us += 33333) { /* a rate that swings around the border */
        pl_adapt_rate(&a, t_us, t_us / 1000000 % 2 ? 260000 : 170000, 1280, 720);
        changes += a.halvings != last;
        last = a.halvings;
    }
    PL_LE(changes, 1);
    for (int64_t t_us = 60000000; t_us < 70000000; t_us += 33333)
        pl_adapt_rate(&a, t_us, 2000000, 1280, 720);
    PL_EQ(a.halvings, 0);
    PL_EQ(a.fps, 0);
}

PL_TESTS(t(vp8_descriptors), t(packets_put_together_are_the_frame), t(freezes_as_w3c_counts_them),
         t(timing_smooths_what_the_network_roughens), t(size_follows_the_bit_rate_without_flapping))
