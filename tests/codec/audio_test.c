/* The audio codecs behind their one face: what goes in comes out again, and hostile payloads do not hurt. */
#include "pl_test.h"

#include <math.h>

#include "base/rand.h"
#include "codec/audio.h"

enum { SECONDS = 2 };

static void sine(int16_t *out, size_t n, uint32_t rate_hz, double hz, double amplitude)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (int16_t)lrint(amplitude * sin(2 * M_PI * hz * (double)i / rate_hz));
}

static double power_at(const int16_t *x, size_t n, uint32_t rate_hz, double hz)
{
    double re = 0, im = 0;
    for (size_t i = 0; i < n; i++) {
        re += x[i] * cos(2 * M_PI * hz * (double)i / rate_hz);
        im += x[i] * sin(2 * M_PI * hz * (double)i / rate_hz);
    }
    return 2 * (re * re + im * im) / ((double)n * (double)n);
}

static double power(const int16_t *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * x[i];
    return sum / (double)n;
}

PL_TEST(registry_knows_what_is_built_in)
{
    size_t n;
    const pl_audio_codec *const *all = pl_audio_codecs(&n);
    PL_EQ(n, 3);
    PL_STREQ(all[0]->name, "opus");
    PL_OKAY(pl_audio_codec_find("OPUS") == all[0]);
    PL_OKAY(pl_audio_codec_find("pcma") == all[2]);
    PL_OKAY(pl_audio_codec_find("G722") == NULL);
    PL_EQ(pl_audio_codec_find("PCMU")->static_pt, 0);
    PL_EQ(pl_audio_codec_find("PCMA")->static_pt, 8);
    PL_EQ(all[0]->channels, 2); /* RFC 7587 7, though we speak mono */
}

static void round_trip_g711(const char *name)
{
    int16_t in[8000], out[8000];
    uint8_t wire[8000];
    const pl_audio_codec *codec = pl_audio_codec_find(name);
    pl_audio_encoder *e;
    pl_audio_decoder *d;
    PL_EQ(pl_audio_encoder_new(&e, codec, &(pl_audio_conf){ 0 }), PL_OK);
    PL_EQ(pl_audio_decoder_new(&d, codec), PL_OK);
    /* ITU-T G.712: over 30 dB of levels a companded sine keeps at least 33 dB of distance to its noise. */
    for (int amplitude = 16000; amplitude > 500; amplitude /= 2) {
        sine(in, 8000, 8000, 1020, amplitude);
        for (int at = 0; at < 8000; at += 160) {
            PL_EQ(pl_audio_encode(e, in + at, 160, wire + at, 160), 160);
            PL_EQ(pl_audio_decode(d, wire + at, 160, out + at, 160), 160);
        }
        double noise = 0;
        for (int i = 0; i < 8000; i++)
            noise += pow(out[i] - in[i], 2) / 8000;
        PL_GE(10 * log10(power(in, 8000) / noise), 33);
    }
    PL_EQ(pl_audio_encode(e, in, 160, wire, 159), PL_ENOSPC);
    PL_EQ(pl_audio_encode(e, in, 161, wire, 200), PL_EINVAL);
    PL_EQ(pl_audio_decode(d, wire, 160, out, 159), PL_ENOSPC);
    PL_EQ(pl_audio_conceal(d, out, 80), PL_ENOTSUP);
    pl_audio_encoder_free(e);
    pl_audio_decoder_free(d);
}

PL_TEST(g711_keeps_its_distance_to_noise)
{
    round_trip_g711("PCMU");
    round_trip_g711("PCMA");
}

PL_TEST(g711_tables)
{
    /* ITU-T G.711 tables 1a, 2a: the largest value, the smallest, and silence. 16-bit scale. */
    static const struct {
        const char *name;
        uint8_t code;
        int value;
    } row[] = { { "PCMU", 0x80, 32124 },  { "PCMU", 0x00, -32124 }, { "PCMU", 0xff, 0 },
                { "PCMU", 0xfe, 8 },      { "PCMU", 0x8f, 16764 },  { "PCMA", 0xaa, 32256 },
                { "PCMA", 0x2a, -32256 }, { "PCMA", 0xd5, 8 },      { "PCMA", 0x55, -8 } };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        pl_audio_decoder *d;
        int16_t out;
        PL_EQ(pl_audio_decoder_new(&d, pl_audio_codec_find(row[i].name)), PL_OK);
        PL_EQ(pl_audio_decode(d, &row[i].code, 1, &out, 1), 1);
        PL_EQ(out, row[i].value);
        pl_audio_decoder_free(d);
    }
    /* Every code decodes to a value that encodes to it again; only the two zeros of mu-law are one value. */
    for (int law = 0; law < 2; law++) {
        const pl_audio_codec *codec = pl_audio_codec_find(law ? "PCMA" : "PCMU");
        pl_audio_encoder *e;
        pl_audio_decoder *d;
        PL_EQ(pl_audio_encoder_new(&e, codec, &(pl_audio_conf){ 0 }), PL_OK);
        PL_EQ(pl_audio_decoder_new(&d, codec), PL_OK);
        int16_t pcm[80];
        uint8_t back[80], code[80];
        for (int first = 0; first < 256; first += 64) {
            for (int i = 0; i < 80; i++)
                code[i] = (uint8_t)(first + i % 64);
            PL_EQ(pl_audio_decode(d, code, 80, pcm, 80), 80);
            PL_EQ(pl_audio_encode(e, pcm, 80, back, 80), 80);
            for (int i = 0; i < 80; i++)
                PL_EQ(back[i], law == 0 && code[i] == 0x7f ? 0xff : code[i]);
        }
        pl_audio_encoder_free(e);
        pl_audio_decoder_free(d);
    }
}

PL_TEST(opus_keeps_a_tone)
{
    static int16_t in[48000 * SECONDS], out[48000 * SECONDS];
    uint8_t wire[PL_AUDIO_PAYLOAD_MAX];
    pl_audio_encoder *e;
    pl_audio_decoder *d;
    const pl_audio_codec *opus = pl_audio_codec_find("opus");
    PL_EQ(pl_audio_encoder_new(&e, opus, &(pl_audio_conf){ .fec = true }), PL_OK);
    PL_EQ(pl_audio_decoder_new(&d, opus), PL_OK);
    sine(in, 48000 * SECONDS, 48000, 440, 8000);
    size_t bytes = 0;
    for (int at = 0; at < 48000 * SECONDS; at += 960) {
        int len = pl_audio_encode(e, in + at, 960, wire, sizeof wire);
        PL_GE(len, 3);
        PL_EQ(pl_audio_duration(opus, wire, (size_t)len), 960);
        PL_EQ(pl_audio_decode(d, wire, (size_t)len, out + at, 960), 960);
        bytes += (size_t)len;
    }
    PL_LE(bytes * 8 / SECONDS, 45000);
    double share = power_at(out + 48000, 48000, 48000, 440) / power(out + 48000, 48000);
    PL_GE(share * 100, 95);
    PL_GE(power(out + 48000, 48000) / power(in, 48000) * 100, 70);
    PL_EQ(pl_audio_decode(d, wire, 0, out, 960), PL_EPROTO);
    pl_audio_encoder_free(e);
    pl_audio_decoder_free(d);
}

/* Speech-like: opus spends redundancy on voiced sound, so a buzz with a changing pitch. */
static void buzz(int16_t *out, size_t n)
{
    double phase = 0;
    for (size_t i = 0; i < n; i++) {
        phase += (140 + 40 * sin((double)i / 9000)) / 48000;
        double v = 0;
        for (int k = 1; k < 16; k++)
            v += sin(2 * M_PI * k * phase) / k;
        out[i] = (int16_t)(5000 * v * (0.6 + 0.4 * sin((double)i / 5000)));
    }
}

/* Loses every tenth packet; the error of those spans against the undisturbed decoder's. */
static double error_of_lost(bool fec)
{
    enum { N = 100 };
    static int16_t in[960 * N];
    static uint8_t wire[N][PL_AUDIO_PAYLOAD_MAX];
    static int16_t whole[960 * N];
    int len[N];
    const pl_audio_codec *opus = pl_audio_codec_find("opus");
    pl_audio_encoder *e;
    pl_audio_decoder *clean, *lossy;
    int16_t out[960];
    double error = 0;
    PL_EQ(pl_audio_encoder_new(&e, opus, &(pl_audio_conf){ .fec = true, .bitrate_bps = 24000 }), PL_OK);
    pl_audio_encoder_loss(e, 20);
    PL_EQ(pl_audio_decoder_new(&clean, opus), PL_OK);
    PL_EQ(pl_audio_decoder_new(&lossy, opus), PL_OK);
    buzz(in, 960 * N);
    for (int i = 0; i < N; i++) {
        len[i] = pl_audio_encode(e, in + i * 960, 960, wire[i], sizeof wire[i]);
        PL_GE(len[i], 1);
        PL_EQ(pl_audio_decode(clean, wire[i], (size_t)len[i], whole + i * 960, 960), 960);
    }
    for (int i = 0; i < N - 1; i++) {
        if (i % 10 != 9) {
            PL_EQ(pl_audio_decode(lossy, wire[i], (size_t)len[i], out, 960), 960);
            continue;
        }
        int n = fec ? pl_audio_decode_fec(lossy, wire[i + 1], (size_t)len[i + 1], out, 960)
                    : pl_audio_conceal(lossy, out, 960);
        PL_EQ(n, 960);
        for (int k = 0; k < 960; k++)
            error += pow(out[k] - whole[i * 960 + k], 2);
    }
    pl_audio_encoder_free(e);
    pl_audio_decoder_free(clean);
    pl_audio_decoder_free(lossy);
    return error;
}

PL_TEST(opus_redundancy_is_better_than_concealment)
{
    PL_LE(error_of_lost(true) * 4, error_of_lost(false) * 3);
}

PL_TEST(opus_is_silent_in_silence_when_asked)
{
    static const int16_t silence[960];
    uint8_t wire[PL_AUDIO_PAYLOAD_MAX];
    pl_audio_encoder *e;
    PL_EQ(pl_audio_encoder_new(&e, pl_audio_codec_find("opus"), &(pl_audio_conf){ .dtx = true }), PL_OK);
    int sent = 0;
    for (int i = 0; i < 100; i++) {
        int len = pl_audio_encode(e, silence, 960, wire, sizeof wire);
        PL_GE(len, 0);
        sent += len > 0;
    }
    PL_LE(sent, 40);
    PL_GE(sent, 1);
    pl_audio_encoder_free(e);
}

PL_TEST(opus_follows_the_bit_rate)
{
    static int16_t in[960];
    uint8_t wire[PL_AUDIO_PAYLOAD_MAX];
    pl_audio_encoder *e;
    const pl_audio_codec *opus = pl_audio_codec_find("opus");
    PL_EQ(pl_audio_encoder_new(&e, opus, &(pl_audio_conf){ .bitrate_bps = 5000 }), PL_EINVAL);
    PL_OKAY(e == NULL);
    PL_EQ(pl_audio_encoder_new(&e, opus, &(pl_audio_conf){ 0 }), PL_OK);
    pl_rand_seeded state;
    pl_rand rand = pl_rand_seed(&state, pl_test_seed(1));
    long sum[2] = { 0 };
    for (int round = 0; round < 2; round++) {
        pl_audio_encoder_rate(e, round ? 64000 : 1); /* 1 is clamped to the least */
        for (int i = 0; i < 50; i++) {
            for (int k = 0; k < 960; k++)
                in[k] = (int16_t)((int)pl_rand_below(&rand, 8000) - 4000);
            sum[round] += pl_audio_encode(e, in, 960, wire, sizeof wire);
        }
    }
    PL_LE(sum[0] * 4, sum[1]);
    pl_audio_encoder_free(e);
}

PL_TEST(hostile_payloads)
{
    pl_rand_seeded state;
    uint64_t seed = pl_test_seed(7);
    pl_rand rand = pl_rand_seed(&state, seed);
    size_t n;
    const pl_audio_codec *const *all = pl_audio_codecs(&n);
    static int16_t out[PL_AUDIO_PACKET_SAMPLES_MAX];
    for (size_t c = 0; c < n; c++) {
        pl_audio_decoder *d;
        PL_EQ(pl_audio_decoder_new(&d, all[c]), PL_OK);
        for (int i = 0; i < 3000; i++) {
            uint8_t junk[400];
            size_t len = pl_rand_below(&rand, sizeof junk);
            pl_rand_bytes(&rand, junk, len);
            int want = pl_audio_duration(all[c], junk, len);
            int got = pl_audio_decode(d, junk, len, out, PL_AUDIO_PACKET_SAMPLES_MAX);
            if (got >= 0)
                PL_EQ(got, want);
            if (want < 0)
                PL_OKAY(got < 0);
        }
        pl_audio_decoder_free(d);
    }
}

PL_TESTS(t(registry_knows_what_is_built_in), t(g711_keeps_its_distance_to_noise), t(g711_tables),
         t(opus_keeps_a_tone), t(opus_redundancy_is_better_than_concealment),
         t(opus_is_silent_in_silence_when_asked), t(opus_follows_the_bit_rate), t(hostile_payloads))
