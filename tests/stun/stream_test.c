/* Framing on byte streams: every way to cut a stream gives the same messages. */
#include "pl_test.h"

#include "base/rand.h"
#include "stun/message.h"
#include "stun/stream.h"

enum { STREAM_MAX = 8192, FRAMES_MAX = 64 };

static uint8_t stream[STREAM_MAX];
static size_t stream_len;
static struct {
    pl_stun_frame_kind kind;
    size_t at, len;
} made[FRAMES_MAX];
static size_t n_made;

static void note(pl_stun_frame_kind kind, size_t at, size_t len, size_t advance)
{
    made[n_made].kind = kind;
    made[n_made].at = at;
    made[n_made++].len = len;
    stream_len = at + advance;
}

static void add_message(pl_rand *r)
{
    static const uint8_t filler[400];
    uint8_t id[PL_STUN_ID_LEN];
    size_t at = stream_len;
    pl_rand_bytes(r, id, sizeof id);
    pl_stun_wr s = pl_stun_begin(stream + at, STREAM_MAX - at, PL_STUN_REQUEST, PL_STUN_BINDING, id);
    if (pl_rand_u32(r) & 1)
        pl_stun_put(&s, PL_STUN_DATA_ATTR, filler, pl_rand_below(r, sizeof filler));
    size_t len = pl_stun_end(&s);
    note(PL_STUN_FRAME_MESSAGE, at, len, len);
}

static void add_channel_data(pl_rand *r)
{
    uint16_t n = (uint16_t)pl_rand_below(r, 300);
    size_t at = stream_len, len = PL_STUN_CHANNEL_HEADER_LEN + (size_t)n;
    pl_stun_channel_put(stream + at, (uint16_t)(PL_STUN_CHANNEL_MIN + pl_rand_below(r, 0x4000)), n);
    pl_rand_bytes(r, stream + at + 4, n);
    memset(stream + at + len, 0, 3);
    note(PL_STUN_FRAME_CHANNEL, at, len, len + pl_stun_channel_pad(len));
    PL_EQ(stream_len % 4, 0);
}

/* Bytes come in pieces of any size; a reader that keeps what is not whole must find what was made. */
PL_TEST(any_cut_gives_the_same_messages)
{
    pl_rand_seeded state;
    pl_rand r = pl_rand_seed(&state, pl_test_seed(4571));
    for (int round = 0; round < 200; round++) {
        stream_len = n_made = 0;
        while (n_made < 12)
            (pl_rand_u32(&r) & 1 ? add_message : add_channel_data)(&r);
        size_t have = 0, at = 0, n = 0;
        while (n < n_made) {
            pl_stun_frame f = pl_stun_frame_next(stream + at, have - at, 0);
            PL_OKAY(f.kind != PL_STUN_FRAME_BROKEN);
            if (f.kind == PL_STUN_FRAME_MORE) {
                PL_OKAY(f.advance > have - at); /* never asks for what is there */
                PL_LE(at + f.advance, stream_len);
                have += 1 + pl_rand_below(&r, 100);
                have = have < stream_len ? have : stream_len;
                continue;
            }
            PL_EQ(f.kind, made[n].kind);
            PL_EQ(at + f.at, made[n].at);
            PL_EQ(f.len, made[n].len);
            at += f.advance;
            n++;
        }
        PL_EQ(at, stream_len);
    }
}

PL_TEST(what_cannot_be_followed)
{
    static const uint8_t http[] = "GET / HTTP/1.1\r\n", channel8[] = { 0x80, 0, 0, 4, 1, 2, 3, 4 },
                         odd[] = { 0, 1, 0, 6, 0x21, 0x12, 0xa4, 0x42 },
                         no_cookie[] = { 0, 1, 0, 8, 1, 2, 3, 4 }, dtls[] = { 22, 254, 253, 0, 0, 0, 0, 0 };
    /* "GE" is a channel's number, and "T " a length that only the limit refuses */
    PL_EQ(pl_stun_frame_next(http, sizeof http, 4096).kind, PL_STUN_FRAME_BROKEN);
    PL_EQ(pl_stun_frame_next(channel8, sizeof channel8, 0).kind, PL_STUN_FRAME_BROKEN);
    PL_EQ(pl_stun_frame_next(channel8, 1, 0).kind, PL_STUN_FRAME_BROKEN); /* known from the first byte */
    PL_EQ(pl_stun_frame_next(odd, sizeof odd, 0).kind, PL_STUN_FRAME_BROKEN);
    PL_EQ(pl_stun_frame_next(odd, 4, 0).kind, PL_STUN_FRAME_BROKEN);
    PL_EQ(pl_stun_frame_next(no_cookie, sizeof no_cookie, 0).kind, PL_STUN_FRAME_BROKEN);
    PL_EQ(pl_stun_frame_next(dtls, sizeof dtls, 0).kind, PL_STUN_FRAME_BROKEN);
    PL_EQ(pl_stun_frame_next(NULL, 0, 0).kind, PL_STUN_FRAME_MORE);
}

PL_TEST(too_long_is_known_from_the_header)
{
    uint8_t message[] = { 0, 1, 0x10, 0, 0x21, 0x12, 0xa4, 0x42 }, channel[] = { 0x40, 0, 0x10, 0 };
    PL_EQ(pl_stun_frame_next(message, sizeof message, 4096 + 20).kind, PL_STUN_FRAME_MORE);
    PL_EQ(pl_stun_frame_next(message, 4, 4096 + 19).kind, PL_STUN_FRAME_BROKEN);
    PL_EQ(pl_stun_frame_next(channel, sizeof channel, 4100).kind, PL_STUN_FRAME_MORE);
    PL_EQ(pl_stun_frame_next(channel, sizeof channel, 4100).advance, 4100);
    PL_EQ(pl_stun_frame_next(channel, sizeof channel, 4099).kind, PL_STUN_FRAME_BROKEN);
}

PL_TEST(ice_tcp)
{
    static const uint8_t two[] = { 0, 3, 'a', 'b', 'c', 0, 0, 0, 1, 'd' };
    pl_stun_frame f = pl_stun_frame_next_4571(two, sizeof two, 1500);
    PL_EQ(f.kind, PL_STUN_FRAME_DATAGRAM);
    PL_OKAY(f.at == 2 && f.len == 3 && f.advance == 5);
    f = pl_stun_frame_next_4571(two + 5, 5, 1500); /* an empty one is legal */
    PL_OKAY(f.kind == PL_STUN_FRAME_DATAGRAM && f.len == 0 && f.advance == 2);
    for (size_t cut = 0; cut < 5; cut++) {
        f = pl_stun_frame_next_4571(two, cut, 1500);
        PL_EQ(f.kind, PL_STUN_FRAME_MORE);
        PL_EQ(f.advance, cut < 2 ? 2 : 5);
    }
    PL_EQ(pl_stun_frame_next_4571(two, 2, 2).kind, PL_STUN_FRAME_BROKEN);
}

PL_TESTS(t(any_cut_gives_the_same_messages), t(what_cannot_be_followed), t(too_long_is_known_from_the_header),
         t(ice_tcp))
