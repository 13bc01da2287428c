/* The video codec behind its face, and the pictures that cross threads. */
#include "pl_test.h"

#include <pthread.h>

#include "base/rand.h"
#include "codec/picture.h"
#include "codec/video.h"

enum { WIDTH = 320, HEIGHT = 180 };

/* A gradient that wanders: easy to code, and every frame differs. */
static void draw(pl_picture *pic, int number)
{
    for (int plane = 0; plane < 3; plane++)
        for (unsigned y = 0; y < pl_picture_plane_height(pic, plane); y++)
            for (unsigned x = 0; x < pl_picture_plane_width(pic, plane); x++)
                pic->plane[plane][y * (unsigned)pic->stride[plane] + x] =
                    (uint8_t)((x + 2 * y + (unsigned)number * 3) / 2 % 200 + 20);
    pic->time_us = (int64_t)number * 33333;
}

static pl_video_encoder *encoder(int64_t bitrate_bps)
{
    pl_video_encoder *e;
    pl_video_conf conf = { .width = WIDTH, .height = HEIGHT, .fps = 30, .bitrate_bps = bitrate_bps };
    PL_EQ(pl_video_encoder_new(&e, pl_video_codec_find("vp8"), &conf), PL_OK);
    return e;
}

PL_TEST(registry)
{
    size_t n;
    PL_OKAY(pl_video_codecs(&n)[0] == pl_video_codec_find("VP8"));
    PL_EQ(n, 1);
    PL_OKAY(pl_video_codec_find("VP9") == NULL);
    PL_OKAY(pl_video_codec_by_fourcc((const uint8_t *)"VP80") == pl_video_codec_find("VP8"));
    PL_OKAY(pl_video_codec_by_fourcc((const uint8_t *)"VP90") == NULL);
}

PL_TEST(vp8_round_trip)
{
    pl_picture_pool *pool;
    pl_video_encoder *e = encoder(500000);
    pl_video_decoder *d;
    PL_EQ(pl_picture_pool_new(&pool, 4), PL_OK);
    PL_EQ(pl_video_decoder_new(&d, pl_video_codec_find("vp8")), PL_OK);
    double worst = 100;
    for (int i = 0; i < 60; i++) {
        pl_picture *in = pl_picture_get(pool, WIDTH, HEIGHT), *out;
        pl_video_frame f;
        draw(in, i);
        PL_EQ(pl_video_encode(e, in, i == 30, &f), PL_OK);
        PL_EQ(f.key, i == 0 || i == 30); /* key frames only when asked for */
        PL_EQ(pl_video_decode(d, f.data, f.len, pool, &out), PL_OK);
        double psnr = pl_picture_psnr(in, out);
        worst = psnr < worst ? psnr : worst;
        pl_picture_put(in);
        pl_picture_put(out);
    }
    PL_GE(worst, 30);
    pl_video_encoder_free(e);
    pl_video_decoder_free(d);
    pl_picture_pool_free(pool);
}

/* Bytes per second that come out at a rate of noise, which could fill any. */
static int64_t bytes_at(pl_video_encoder *e, pl_picture *pic, pl_rand *rand, int64_t *time_us)
{
    int64_t bytes = 0;
    for (int i = 0; i < 90; i++) {
        pl_video_frame f;
        for (unsigned y = 0; y < HEIGHT; y++)
            pl_rand_bytes(rand, pic->plane[0] + y * (unsigned)pic->stride[0], WIDTH);
        pic->time_us = *time_us += 33333;
        pl_err err = pl_video_encode(e, pic, false, &f);
        PL_OKAY(err == PL_OK || err == PL_EAGAIN);
        bytes += i >= 30 ? (int64_t)f.len : 0;
    }
    return bytes / 2;
}

PL_TEST(vp8_follows_the_bit_rate)
{
    pl_picture_pool *pool;
    PL_EQ(pl_picture_pool_new(&pool, 1), PL_OK);
    pl_picture *pic = pl_picture_get(pool, WIDTH, HEIGHT);
    draw(pic, 0);
    pl_rand_seeded state;
    pl_rand rand = pl_rand_seed(&state, pl_test_seed(3));
    pl_video_encoder *e = encoder(200000);
    int64_t time_us = 0;
    (void)bytes_at(e, pic, &rand, &time_us);
    PL_EQ(pl_video_encoder_rate(e, 1000000, 30), PL_OK);
    int64_t high = bytes_at(e, pic, &rand, &time_us);
    PL_EQ(pl_video_encoder_rate(e, 300000, 30), PL_OK);
    (void)bytes_at(e, pic, &rand, &time_us);
    int64_t low = bytes_at(e, pic, &rand, &time_us);
    PL_GE(high * 8, 700000);
    PL_LE(high * 8, 1300000);
    PL_LE(low * 8, 400000);
    PL_EQ(pl_video_encoder_rate(e, 0, 30), PL_EINVAL);
    pl_picture_put(pic);
    pl_picture_pool_free(pool);
    pl_video_encoder_free(e);
}

PL_TEST(vp8_changes_size_and_takes_odd_ones)
{
    static const unsigned side[][2] = { { 320, 180 }, { 160, 90 }, { 161, 91 }, { 1, 1 }, { 640, 360 } };
    pl_picture_pool *pool;
    pl_video_encoder *e = encoder(500000);
    pl_video_decoder *d;
    PL_EQ(pl_picture_pool_new(&pool, 3), PL_OK);
    PL_EQ(pl_video_decoder_new(&d, pl_video_codec_find("vp8")), PL_OK);
    for (int i = 0; i < 5; i++) {
        pl_picture *in = pl_picture_get(pool, side[i][0], side[i][1]), *out;
        pl_video_frame f;
        draw(in, i);
        PL_EQ(pl_video_encode(e, in, false, &f), PL_OK);
        PL_OKAY(f.key);
        PL_EQ(pl_video_decode(d, f.data, f.len, pool, &out), PL_OK);
        PL_EQ(out->width, side[i][0]);
        PL_EQ(out->height, side[i][1]);
        PL_GE(pl_picture_psnr(in, out), 25);
        pl_picture_put(in);
        pl_picture_put(out);
    }
    pl_video_encoder_free(e);
    pl_video_decoder_free(d);
    pl_picture_pool_free(pool);
}

PL_TEST(vp8_decoder_survives_and_insists_on_a_key_frame)
{
    uint64_t seed = pl_test_seed(5);
    pl_rand_seeded state;
    pl_rand rand = pl_rand_seed(&state, seed);
    pl_picture_pool *pool;
    pl_video_encoder *e = encoder(300000);
    pl_video_decoder *d;
    PL_EQ(pl_picture_pool_new(&pool, 4), PL_OK);
    PL_EQ(pl_video_decoder_new(&d, pl_video_codec_find("vp8")), PL_OK);
    pl_picture *in = pl_picture_get(pool, WIDTH, HEIGHT), *out;
    pl_video_frame f;
    draw(in, 0);
    PL_EQ(pl_video_encode(e, in, true, &f), PL_OK);
    draw(in, 1);
    static uint8_t delta[100000], key[100000], bent[100000];
    size_t key_len = f.len;
    memcpy(key, f.data, f.len);
    PL_EQ(pl_video_encode(e, in, false, &f), PL_OK);
    size_t delta_len = f.len;
    memcpy(delta, f.data, f.len);

    PL_EQ(pl_video_decode(d, delta, delta_len, pool, &out), PL_EPROTO); /* no key frame yet */
    for (int i = 0; i < 400; i++) {
        const uint8_t *from = i % 2 ? key : delta;
        size_t len = i % 2 ? key_len : delta_len;
        memcpy(bent, from, len);
        for (int k = 0; k < 3; k++)
            bent[pl_rand_below(&rand, (uint32_t)len)] ^= (uint8_t)pl_rand_u32(&rand);
        size_t cut = pl_rand_below(&rand, 4) ? len : pl_rand_below(&rand, (uint32_t)len + 1);
        pl_err err = pl_video_decode(d, bent, cut, pool, &out);
        PL_OKAY(err == PL_OK || err == PL_EPROTO);
        pl_picture_put(out);
        if (err == PL_EPROTO && cut) /* nothing but a key frame is taken now */
            PL_EQ(pl_video_decode(d, delta, delta_len, pool, &out), PL_EPROTO);
        PL_EQ(pl_video_decode(d, key, key_len, pool, &out), PL_OK);
        pl_picture_put(out);
    }
    /* A key frame that claims 16383 pixels a side is refused before memory is found for it. */
    memcpy(bent, key, key_len);
    bent[6] = bent[8] = 0xff;
    bent[7] = bent[9] = 0x3f;
    PL_EQ(pl_video_decode(d, bent, key_len, pool, &out), PL_EPROTO);
    pl_picture_put(in);
    pl_video_encoder_free(e);
    pl_video_decoder_free(d);
    pl_picture_pool_free(pool);
}

PL_TEST(pictures_are_counted)
{
    pl_picture_pool *pool;
    PL_EQ(pl_picture_pool_new(&pool, 0), PL_EINVAL);
    PL_EQ(pl_picture_pool_new(&pool, 2), PL_OK);
    pl_picture *a = pl_picture_get(pool, 33, 17), *b = pl_picture_get(pool, 64, 64);
    PL_OKAY(a && b);
    PL_OKAY(!pl_picture_get(pool, 2, 2));
    PL_OKAY(pl_picture_ref(a) == a);
    pl_picture_put(a);
    PL_OKAY(!pl_picture_get(pool, 2, 2)); /* one reference is left */
    pl_picture_put(a);
    PL_OKAY(!pl_picture_get(pool, 0, 2) && !pl_picture_get(pool, 2, PL_PICTURE_SIDE_MAX + 1));
    a = pl_picture_get(pool, 2, 2);
    PL_OKAY(a != NULL);
    draw(b, 0);
    pl_picture_put(a);
    a = pl_picture_halve(pool, b);
    PL_EQ(a->width, 32);
    PL_EQ(a->plane[0][0],
          (b->plane[0][0] + b->plane[0][1] + b->plane[0][b->stride[0]] + b->plane[0][b->stride[0] + 1] + 2) /
              4);
    pl_picture_pool_free(pool); /* the pictures keep it alive */
    draw(b, 1);
    pl_picture_put(b);
    pl_picture_put(a);
}

enum { ROUNDS = 20000 };
static void *churn(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        pl_picture *p = pl_picture_get(arg, 16, 16);
        if (!p)
            continue;
        p->plane[0][0] = (uint8_t)i;
        pl_picture *again = pl_picture_ref(p);
        pl_picture_put(p);
        if (again->plane[0][0] != (uint8_t)i)
            return arg;
        pl_picture_put(again);
    }
    return NULL;
}

PL_TEST(pictures_cross_threads)
{
    pl_picture_pool *pool;
    PL_EQ(pl_picture_pool_new(&pool, 3), PL_OK);
    pthread_t thread[4];
    for (int i = 0; i < 4; i++)
        PL_EQ(pthread_create(&thread[i], NULL, churn, pool), 0);
    for (int i = 0; i < 4; i++) {
        void *mixed_up;
        PL_EQ(pthread_join(thread[i], &mixed_up), 0);
        PL_OKAY(mixed_up == NULL);
    }
    pl_picture *all[3];
    for (int i = 0; i < 3; i++) {
        all[i] = pl_picture_get(pool, 8, 8);
        PL_OKAY(all[i] != NULL);
    }
    PL_OKAY(pl_picture_get(pool, 8, 8) == NULL);
    for (int i = 0; i < 3; i++)
        pl_picture_put(all[i]);
    pl_picture_pool_free(pool);
}

PL_TESTS(t(registry), t(vp8_round_trip), t(vp8_follows_the_bit_rate), t(vp8_changes_size_and_takes_odd_ones),
         t(vp8_decoder_survives_and_insists_on_a_key_frame), t(pictures_are_counted),
         t(pictures_cross_threads))
