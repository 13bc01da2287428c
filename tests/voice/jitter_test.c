/* The jitter buffer's rooms by themselves: order, delay, and streams that do what they should not. */
#include "pl_test.h"

#include "base/rand.h"
#include "codec/audio.h"
#include "voice/delay.h"
#include "voice/jitter.h"
#include "voice/packet_buffer.h"
#include "voice/vad.h"

PL_TEST(packets_come_out_in_order)
{
    static const int64_t in[] = { 10, 12, 11, 9, 12, 20, 15 };
    static const int64_t want[] = { 9, 10, 11, 12, 15, 20 };
    pl_packet_buffer b;
    PL_EQ(pl_packet_buffer_init(&b), PL_OK);
    for (size_t i = 0; i < sizeof in / sizeof *in; i++) {
        pl_voice_packet *p = pl_packet_buffer_insert(&b, in[i]);
        PL_EQ(p == NULL, i == 4);
        if (p)
            p->n_samples = 160;
    }
    PL_EQ(b.n_duplicate, 1);
    PL_EQ(pl_packet_buffer_samples(&b), 6 * 160);
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        PL_EQ(pl_packet_buffer_at(&b, 0)->ext_seq, want[i]);
        pl_packet_buffer_drop(&b);
    }
    PL_OKAY(pl_packet_buffer_at(&b, 0) == NULL);
    pl_packet_buffer_drop(&b);
    for (int i = 0; i <= PL_PACKET_BUFFER_MAX; i++)
        PL_OKAY(pl_packet_buffer_insert(&b, i) != NULL);
    PL_EQ(b.n, 1); /* the one too many found all slots taken, and everything went */
    PL_EQ(b.n_flushed, PL_PACKET_BUFFER_MAX);
    pl_packet_buffer_clear(&b);
}

PL_TEST(target_follows_the_jitter)
{
    static const struct {
        int64_t jitter_us, least_us, most_us;
    } row[] = {
        { 0, 20000, 20000 }, { 30000, 25000, 35000 }, { 100000, 90000, 105000 }, { 900000, 500000, 500000 }
    };
    pl_rand_seeded state;
    pl_rand rand = pl_rand_seed(&state, pl_test_seed(1));
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        pl_delay d;
        pl_delay_init(&d, 0, 500000);
        PL_EQ(pl_delay_target_us(&d), 40000);
        for (int64_t t_us = 0; t_us < 30000000; t_us += 20000) {
            int64_t late_us = row[i].jitter_us ? pl_rand_below(&rand, (uint32_t)row[i].jitter_us) : 0;
            pl_delay_arrival(&d, t_us + 70000 + late_us, t_us, 20000);
        }
        PL_GE(pl_delay_target_us(&d), row[i].least_us);
        PL_LE(pl_delay_target_us(&d), row[i].most_us);
        PL_LE(pl_delay_base_us(&d), 70000 + row[i].jitter_us / 10);
        PL_GE(pl_delay_base_us(&d), 70000);
    }
}

PL_TEST(vad_hears_speech_over_noise)
{
    pl_vad v;
    pl_vad_init(&v);
    for (int i = 0; i < 300; i++)
        (void)pl_vad_10ms(&v, 50); /* a fan */
    int active = 0;
    for (int i = 0; i < 100; i++)
        active += pl_vad_10ms(&v, 50);
    PL_LE(active, 50);
    PL_OKAY(pl_vad_10ms(&v, 25));
    for (int i = 0; i < 1000; i++)
        (void)pl_vad_10ms(&v, 127);
    PL_OKAY(!pl_vad_10ms(&v, 127));
    PL_OKAY(!pl_vad_10ms(&v, 70)); /* a whisper in the next house */
}

enum { OPUS_PT = 111, PCMU_PT = 0, PCMA_PT = 8 };

static pl_jitter *jitter(void)
{
    pl_jitter_conf conf = { .codec = { { OPUS_PT, pl_audio_codec_find("opus") },
                                       { PCMU_PT, pl_audio_codec_find("PCMU") },
                                       { PCMA_PT, pl_audio_codec_find("PCMA") } },
                            .n_codecs = 3 };
    pl_jitter *j;
    PL_EQ(pl_jitter_new(&j, &conf), PL_OK);
    return j;
}

static pl_media_packet loud_pcm(uint8_t pt, int64_t ext_seq, uint32_t rtp_ts, int64_t arrival_us)
{
    pl_media_packet p = {
        .pt = pt, .ext_seq = ext_seq, .rtp_ts = rtp_ts, .arrival_us = arrival_us, .len = 160
    };
    for (int i = 0; i < 160; i++)
        p.payload[i] = i / 10 % 2 ? 0x20 : 0xa0; /* a 400 Hz square wave */
    return p;
}

/* 20 ms of one packet and two steps; what was played last is in out. */
static uint32_t step(pl_jitter *j, const pl_media_packet *p, int64_t now_us, int16_t *out)
{
    uint32_t rate_hz;
    if (p)
        pl_jitter_insert(j, p);
    for (int i = 0; i < 2; i++) {
        size_t n = pl_jitter_get(j, now_us + i * 10000, out, &rate_hz);
        PL_EQ(n, rate_hz / 100);
    }
    return rate_hz;
}

PL_TEST(bad_configurations)
{
    pl_jitter *j;
    pl_jitter_conf conf = { .n_codecs = 0 };
    PL_EQ(pl_jitter_new(&j, &conf), PL_EINVAL);
    conf.n_codecs = 1;
    PL_EQ(pl_jitter_new(&j, &conf), PL_EINVAL);
    conf.codec[0].codec = pl_audio_codec_find("PCMU");
    conf.max_delay_us = 2000000;
    PL_EQ(pl_jitter_new(&j, &conf), PL_EINVAL);
    PL_OKAY(j == NULL);
    pl_jitter_free(j);
}

PL_TEST(late_duplicate_unknown_and_empty_packets)
{
    int16_t out[PL_JITTER_FRAME_MAX];
    pl_jitter *j = jitter();
    PL_EQ(step(j, NULL, 0, out), 48000); /* nothing yet: silence at the first codec's rate */
    PL_EQ(pl_jitter_last_op(j), PL_JITTER_WAIT);
    for (int i = 0; i < 50; i++) {
        pl_media_packet p = loud_pcm(PCMU_PT, i, (uint32_t)i * 160, i * 20000);
        (void)step(j, i == 20 ? NULL : &p, i * 20000, out);
        if (i == 30)
            pl_jitter_insert(j, &p); /* once more, before or after it was played */
    }
    pl_media_packet late = loud_pcm(PCMU_PT, 20, 20 * 160, 1000000);
    pl_jitter_insert(j, &late);
    pl_media_packet odd = loud_pcm(99, 51, 51 * 160, 1000000);
    pl_jitter_insert(j, &odd);
    odd.pt = OPUS_PT;
    odd.len = 0;
    pl_jitter_insert(j, &odd);
    const pl_jitter_count *c = pl_jitter_counts(j);
    PL_EQ(c->n_malformed, 2);
    PL_EQ(c->n_late + c->n_duplicate, 2);
    pl_media_stats s = { 0 };
    pl_jitter_stats(j, &s);
    PL_GE(s.concealed_samples, 160);
    PL_LE(s.concealed_samples, 480);
    pl_jitter_free(j);
}

PL_TEST(sources_clocks_and_codecs_change)
{
    int16_t out[PL_JITTER_FRAME_MAX];
    pl_jitter *j = jitter();
    pl_rand_seeded state;
    pl_rand rand = pl_rand_seed(&state, pl_test_seed(2));
    int64_t now_us = 0;
    for (int round = 0; round < 40; round++) {
        uint8_t pt = round % 2 ? PCMA_PT : PCMU_PT;
        uint32_t ts = pl_rand_u32(&rand), ssrc = pl_rand_below(&rand, 3);
        int64_t seq = pl_rand_below(&rand, 1000000);
        int heard = 0;
        for (int i = 0; i < 30; i++, now_us += 20000) {
            pl_media_packet p = loud_pcm(pt, seq + i, ts + (uint32_t)i * 160, now_us);
            p.ssrc = ssrc;
            PL_EQ(step(j, &p, now_us, out), 8000);
            heard += out[0] != 0 && pl_jitter_last_op(j) != PL_JITTER_CONCEAL;
        }
        PL_GE(heard, 20); /* after each jump it plays again within some packets */
    }
    pl_jitter_free(j);
}

/* An Opus packet between G.711 ones: the clock changes, the rate that get returns with it. */
PL_TEST(rate_changes_with_the_codec)
{
    int16_t out[PL_JITTER_FRAME_MAX], pcm[960] = { 0 };
    pl_jitter *j = jitter();
    pl_audio_encoder *e;
    PL_EQ(pl_audio_encoder_new(&e, pl_audio_codec_find("opus"), &(pl_audio_conf){ 0 }), PL_OK);
    for (int i = 0; i < 100; i++) {
        bool opus = i / 25 % 2;
        pl_media_packet p = loud_pcm(PCMU_PT, i, (uint32_t)i * 160, i * 20000);
        if (opus) {
            p.pt = OPUS_PT;
            p.rtp_ts = (uint32_t)i * 960;
            p.len = (uint16_t)pl_audio_encode(e, pcm, 960, p.payload, sizeof p.payload);
        }
        uint32_t rate_hz = step(j, &p, i * 20000, out);
        if (i % 25 > 5)
            PL_EQ(rate_hz, opus ? 48000 : 8000);
    }
    pl_audio_encoder_free(e);
    pl_jitter_free(j);
}

PL_TEST(any_order_of_anything)
{
    enum { SEEDS = 300 };
    uint64_t first = pl_test_seed(1);
    for (uint64_t seed = first; seed < first + SEEDS; seed++) {
        pl_rand_seeded state;
        pl_rand rand = pl_rand_seed(&state, seed);
        pl_jitter *j = jitter();
        int16_t out[PL_JITTER_FRAME_MAX];
        int64_t now_us = 0;
        for (int i = 0; i < 300; i++) {
            static const uint8_t pt[] = { OPUS_PT, PCMU_PT, PCMA_PT, 5 };
            pl_media_packet p = { .pt = pt[pl_rand_below(&rand, 4)], .arrival_us = now_us };
            p.ext_seq = i + (int64_t)pl_rand_below(&rand, 20) - 10;
            p.rtp_ts = (uint32_t)i * 160 + (pl_rand_below(&rand, 50) ? 0 : pl_rand_u32(&rand));
            p.ssrc = pl_rand_below(&rand, 100) == 0;
            p.len = (uint16_t)pl_rand_below(&rand, PL_MEDIA_PAYLOAD_MAX + 1);
            pl_rand_bytes(&rand, p.payload, p.len);
            pl_jitter_insert(j, &p);
            for (uint32_t k = pl_rand_below(&rand, 4); k > 0; k--, now_us += 10000) {
                uint32_t rate_hz;
                size_t n = pl_jitter_get(j, now_us, out, &rate_hz);
                PL_EQ(n, rate_hz / 100);
            }
        }
        pl_jitter_free(j);
    }
}

PL_TESTS(t(packets_come_out_in_order), t(target_follows_the_jitter), t(vad_hears_speech_over_noise),
         t(bad_configurations), t(late_duplicate_unknown_and_empty_packets),
         t(sources_clocks_and_codecs_change), t(rate_changes_with_the_codec), t(any_order_of_anything))
