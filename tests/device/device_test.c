/* Files and other devices: what is written is read again, and hostile files are refused. */
#include "pl_test.h"

#include <math.h>
#include <unistd.h>

#include "base/rand.h"
#include "device/audio.h"
#include "device/ivf.h"
#include "device/pattern.h"
#include "device/video.h"
#include "device/wav.h"
#include "device/y4m.h"
#include "dsp/tone.h"
#include "dsp/vector.h"

#define MEDIA PL_TEST_DATA "/../../share/media/"

static char dir[] = "/tmp/peerline-device-XXXXXX";

static const char *path_of(const char *name)
{
    static char path[4][100];
    static int turn;
    turn = (turn + 1) % 4;
    (void)snprintf(path[turn], sizeof path[turn], "%s/%s", dir, name);
    return path[turn];
}

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) == NULL;
}

static int remove_dir(void **state)
{
    static const char *const left[] = { "a.wav", "b.wav", "c.wav", "a.y4m", "b.y4m", "a.ivf", "b.ivf" };
    (void)state;
    for (size_t i = 0; i < sizeof left / sizeof *left; i++)
        (void)unlink(path_of(left[i]));
    return rmdir(dir);
}

static void write_file(const char *path, const void *data, size_t len)
{
    FILE *f = fopen(path, "wb");
    PL_OKAY(f && fwrite(data, 1, len, f) == len && fclose(f) == 0);
}

static size_t read_file(const char *path, uint8_t *out, size_t cap)
{
    FILE *f = fopen(path, "rb");
    PL_OKAY(f != NULL);
    size_t n = fread(out, 1, cap, f);
    PL_EQ(fclose(f), 0);
    return n;
}

PL_TEST(words)
{
    char why[PL_DEVICE_WHY_MAX];
    pl_audio_source *a;
    pl_audio_sink *as;
    pl_video_source *v;
    pl_video_sink *vs;
    PL_EQ(pl_audio_source_open(&a, "tone:10", why), PL_EINVAL);
    PL_EQ(pl_audio_source_open(&a, "tone:loud", why), PL_EINVAL);
    PL_EQ(pl_audio_source_open(&a, "speech.mp3", why), PL_EINVAL);
    PL_EQ(pl_audio_source_open(&a, "/nowhere/speech.wav", why), PL_EIO);
    PL_STREQ(why, "cannot open /nowhere/speech.wav: No such file or directory");
    PL_EQ(pl_audio_sink_open(&as, "/nowhere/out.wav", why), PL_EIO);
    PL_EQ(pl_video_source_open(&v, "none", why), PL_EINVAL);
    PL_EQ(pl_video_source_open(&v, "pattern:63x64", why), PL_EINVAL);
    PL_EQ(pl_video_source_open(&v, "pattern:640x", why), PL_EINVAL);
    PL_EQ(pl_video_source_open(&v, "pattern:640x360@0", why), PL_EINVAL);
    PL_EQ(pl_video_source_open(&v, "/nowhere/clip.ivf", why), PL_EIO);
    PL_EQ(pl_video_sink_open(&vs, "out.mp4", NULL), PL_EINVAL);

    PL_EQ(pl_video_source_open(&v, "pattern:64x64@25", why), PL_OK);
    PL_EQ(pl_video_source_due_us(v, 25), 1000000);
    pl_video_source_close(v);
    PL_EQ(pl_audio_source_open(&a, "none", why), PL_OK);
    int16_t out[PL_DEVICE_FRAME];
    PL_EQ(pl_audio_source_read(a, out), PL_OK);
    PL_EQ(pl_dsp_peak(out, PL_DEVICE_FRAME), 0);
    pl_audio_source_close(a);
    PL_EQ(pl_audio_sink_open(&as, "none", why), PL_OK);
    PL_EQ(pl_audio_sink_write(as, out), PL_OK);
    PL_EQ(pl_audio_sink_close(as), PL_OK);
    PL_EQ(pl_video_sink_open(&vs, "none", why), PL_OK);
    PL_EQ(pl_video_sink_close(vs), PL_OK);
}

PL_TEST(what_a_wav_sink_writes_a_wav_source_reads)
{
    enum { FRAMES = 200 };
    static int16_t in[FRAMES * PL_DEVICE_FRAME], out[PL_DEVICE_FRAME];
    pl_audio_source *tone, *file;
    pl_audio_sink *sink;
    PL_EQ(pl_audio_source_open(&tone, "tone:1000", NULL), PL_OK);
    PL_EQ(pl_audio_sink_open(&sink, path_of("a.wav"), NULL), PL_OK);
    for (int i = 0; i < FRAMES; i++) {
        PL_EQ(pl_audio_source_read(tone, in + i * PL_DEVICE_FRAME), PL_OK);
        PL_EQ(pl_audio_sink_write(sink, in + i * PL_DEVICE_FRAME), PL_OK);
        if (i == 149) { /* killed now, the file would be a whole one of one second */
            static uint8_t bytes[200000];
            pl_wav_format f;
            size_t n = read_file(path_of("a.wav"), bytes, sizeof bytes);
            PL_EQ(pl_wav_parse(&f, bytes, n), PL_OK);
            PL_EQ(f.data_len, 96000);
            PL_GE(n, f.data_offset + f.data_len);
        }
    }
    PL_EQ(pl_audio_sink_close(sink), PL_OK);
    pl_audio_source_close(tone);
    PL_EQ(pl_dsp_level_dbov(pl_dsp_power(in, 48000)), 12);
    PL_GE(pl_tone_share(in, 48000, 48000, 1000) * 100, 99);
    PL_EQ(pl_audio_source_open(&file, path_of("a.wav"), NULL), PL_OK);
    /* Once, then silence. */
    file->once = true;
    for (int i = 0; i < FRAMES; i++) {
        PL_EQ(pl_audio_source_read(file, out), PL_OK);
        PL_MEMEQ(out, in + i * PL_DEVICE_FRAME, sizeof out);
    }
    PL_EQ(pl_audio_source_read(file, out), PL_ESTATE);
    PL_EQ(pl_dsp_peak(out, PL_DEVICE_FRAME), 0);
    pl_audio_source_close(file);
    PL_EQ(pl_audio_source_open(&file, path_of("a.wav"), NULL), PL_OK);
    for (int i = 0; i < 2 * FRAMES; i++) { /* twice: it begins again */
        PL_EQ(pl_audio_source_read(file, out), PL_OK);
        PL_MEMEQ(out, in + i % FRAMES * PL_DEVICE_FRAME, sizeof out);
    }
    pl_audio_source_close(file);
}

static size_t put(uint8_t *at, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[i] = (uint8_t)(v >> 8 * i);
    return (size_t)bytes;
}

static size_t put_text(uint8_t *at, const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++)
        at[i] = (uint8_t)text[i];
    return n;
}

/* A file of one second with a 500 Hz tone at -12 dBov in every channel. */
static size_t make_wav(uint8_t *out, uint32_t rate, unsigned channels, unsigned bits, bool is_float,
                       bool extensible)
{
    size_t n = 0;
    unsigned bytes = bits / 8, block = channels * bytes;
    n += put_text(out, "RIFF....WAVELIST");
    n += put(out + n, 5, 4); /* an odd chunk and its pad byte */
    n += put_text(out + n, "junk!.fmt ");
    n += put(out + n, extensible ? 40 : 16, 4);
    n += put(out + n, extensible ? 0xfffe : is_float ? 3 : 1, 2);
    n += put(out + n, channels, 2);
    n += put(out + n, rate, 4);
    n += put(out + n, rate * block, 4);
    n += put(out + n, block, 2);
    n += put(out + n, bits, 2);
    if (extensible) {
        n += put(out + n, 22, 2);
        n += put(out + n, bits, 2);
        n += put(out + n, 0, 4);
        n += put(out + n, is_float ? 3 : 1, 2);
        n += put(out + n, 0, 7);
        n += put(out + n, 0, 7);
    }
    n += put_text(out + n, "data");
    n += put(out + n, rate * block, 4);
    double amplitude = sqrt(2) * pow(10, -12 / 20.0);
    for (uint32_t i = 0; i < rate; i++)
        for (unsigned c = 0; c < channels; c++) {
            double v = amplitude * sin(2 * M_PI * 500 * i / rate);
            float f = (float)v;
            uint32_t u;
            memcpy(&u, &f, 4);
            if (bits == 8)
                n += put(out + n, (uint64_t)lrint(v * 127 + 128), 1);
            else
                n += put(out + n,
                         is_float ? u : (uint64_t)(int64_t)lrint(v * (double)((1ll << (bits - 1)) - 1)),
                         (int)bytes);
        }
    return n;
}

PL_TEST(every_common_wav_is_heard_right)
{
    static const struct {
        uint32_t rate;
        unsigned channels, bits;
        bool is_float, extensible;
    } row[] = { { 8000, 1, 8, false, false },  { 8000, 1, 16, false, false },  { 44100, 2, 16, false, false },
                { 48000, 2, 24, false, true }, { 96000, 1, 32, false, false }, { 22050, 6, 16, false, true },
                { 48000, 1, 32, true, false }, { 16000, 2, 32, true, true } };
    static uint8_t file[2000000];
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        static int16_t heard[48000];
        pl_audio_source *s;
        size_t len =
            make_wav(file, row[i].rate, row[i].channels, row[i].bits, row[i].is_float, row[i].extensible);
        write_file(path_of("b.wav"), file, len);
        PL_EQ(pl_audio_source_open(&s, path_of("b.wav"), NULL), PL_OK);
        for (int k = 0; k < 100; k++)
            PL_EQ(pl_audio_source_read(s, heard + k * PL_DEVICE_FRAME), PL_OK);
        pl_audio_source_close(s);
        PL_GE(pl_tone_share(heard + 4800, 38400, 48000, 500) * 1000, row[i].bits == 8 ? 990 : 998);
        PL_EQ(pl_dsp_level_dbov(pl_dsp_power(heard + 4800, 38400)), 12);
    }
}

PL_TEST(hostile_wav)
{
    static uint8_t good[200000], bad[200000];
    size_t len = make_wav(good, 8000, 1, 16, false, true), head = len - 16000;
    pl_wav_format f;
    PL_EQ(pl_wav_parse(&f, good, len), PL_OK);
    PL_EQ(f.data_offset, head);
    for (size_t cut = 0; cut < head; cut++)
        PL_OKAY(pl_wav_parse(&f, good, cut) != PL_OK);
    static const struct {
        size_t at; /* in the format chunk of a plain file */
        uint16_t value;
        pl_err want;
    } row[] = {
        { 34, 2, PL_ENOTSUP }, { 34, 0xfffe, PL_EPROTO }, { 36, 0, PL_EPROTO },  { 36, 9, PL_EPROTO },
        { 38, 0, PL_EPROTO },  { 46, 3, PL_EPROTO },      { 48, 12, PL_EPROTO }, { 48, 0, PL_EPROTO }
    };
    len = make_wav(good, 8000, 1, 16, false, false);
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        memcpy(bad, good, len);
        (void)put(bad + row[i].at, row[i].value, 2);
        PL_EQ(pl_wav_parse(&f, bad, 60), row[i].want);
    }
    pl_rand_seeded state;
    pl_rand rand = pl_rand_seed(&state, pl_test_seed(1));
    for (int i = 0; i < 20000; i++) {
        memcpy(bad, good, 58);
        for (int k = 0; k < 3; k++)
            bad[pl_rand_below(&rand, 58)] = (uint8_t)pl_rand_u32(&rand);
        if (pl_wav_parse(&f, bad, 58) == PL_OK)
            PL_OKAY(f.channels && f.channels <= PL_WAV_CHANNELS_MAX && f.bytes && f.bytes <= 4 &&
                    f.data_offset <= 58);
    }
    pl_audio_source *s;
    char why[PL_DEVICE_WHY_MAX];
    write_file(path_of("c.wav"), good, 58); /* a header that promises samples, and none */
    PL_EQ(pl_audio_source_open(&s, path_of("c.wav"), why), PL_EPROTO);
    write_file(path_of("c.wav"), good, 58 + 101); /* fewer than it promises, and half a sample */
    PL_EQ(pl_audio_source_open(&s, path_of("c.wav"), why), PL_OK);
    int16_t out[PL_DEVICE_FRAME];
    for (int i = 0; i < 100; i++)
        PL_EQ(pl_audio_source_read(s, out), PL_OK);
    pl_audio_source_close(s);
}

PL_TEST(the_pattern_carries_its_number)
{
    static const unsigned side[][2] = { { 64, 64 }, { 160, 90 }, { 640, 360 }, { 641, 361 }, { 1280, 720 } };
    pl_picture_pool *pool;
    PL_EQ(pl_picture_pool_new(&pool, 3), PL_OK);
    for (int i = 0; i < 5; i++) {
        pl_picture *pic = pl_picture_get(pool, side[i][0], side[i][1]);
        for (uint32_t n = 0, got; n < 1u << 26; n = n * 3 + 1) {
            pl_pattern_draw(pic, n);
            PL_OKAY(pl_pattern_read(pic, &got));
            PL_EQ(got, n & 0xffffff);
        }
        if (side[i][0] >= 640) {
            uint32_t got;
            pl_picture *half = pl_picture_halve(pool, pic);
            pl_pattern_draw(pic, 12345);
            pl_picture_put(half);
            half = pl_picture_halve(pool, pic);
            PL_OKAY(pl_pattern_read(half, &got) && got == 12345);
            pl_picture_put(half);
        }
        uint32_t got;
        memset(pic->plane[0], 128, (size_t)pic->stride[0] * pic->height);
        PL_OKAY(!pl_pattern_read(pic, &got));
        memset(pic->plane[0], 16, (size_t)pic->stride[0] * pic->height);
        PL_OKAY(!pl_pattern_read(pic, &got)); /* a black picture has the wrong check sum */
        pl_picture_put(pic);
    }
    pl_picture_pool_free(pool);
}

PL_TEST(y4m_round_trip_keeps_time)
{
    pl_video_sink *sink;
    pl_video_source *pattern, *file;
    pl_picture *pic;
    uint32_t number;
    PL_EQ(pl_video_source_open(&pattern, "pattern:160x90@30", NULL), PL_OK);
    PL_EQ(pl_video_sink_open(&sink, path_of("a.y4m"), NULL), PL_OK);
    for (int i = 0; i < 20; i++) {
        PL_EQ(pl_video_source_read(pattern, &pic), PL_OK);
        if (i < 5 || i >= 10) /* five pictures never came: the fourth stays */
            PL_EQ(pl_video_sink_picture(sink, 1000 + (int64_t)i * 3000, pic), PL_OK);
        pl_picture_put(pic);
    }
    PL_EQ(pl_video_sink_close(sink), PL_OK);
    pl_video_source_close(pattern);
    PL_EQ(pl_video_source_open(&file, path_of("a.y4m"), NULL), PL_OK);
    PL_EQ(file->width, 160);
    PL_EQ(file->height, 90);
    PL_EQ(file->fps_num, 30);
    for (int i = 0; i < 40; i++) {
        PL_EQ(pl_video_source_read(file, &pic), PL_OK);
        PL_OKAY(pl_pattern_read(pic, &number));
        int want = i % 20;
        PL_EQ(number, want >= 5 && want < 10 ? 4 : want);
        pl_picture_put(pic);
    }
    file->once = true;
    PL_EQ(pl_video_source_read(file, &pic), PL_ESTATE);
    PL_OKAY(pic == NULL);
    pl_video_source_close(file);
}

PL_TEST(hostile_y4m)
{
    static const struct {
        const char *line;
        pl_err want;
    } row[] = { { "YUV4MPEG2 W64 H48 F30000:1001 Ip A1:1 C420jpeg XYSCSS=420JPEG", PL_OK },
                { "YUV4MPEG2 H48 W64", PL_OK },
                { "YUV4MPEG2 W64 H48 F0:0", PL_OK },
                { "YUV4MPEG2 W64 H48 C444", PL_ENOTSUP },
                { "YUV4MPEG2 W64 H48 C420p10", PL_ENOTSUP },
                { "YUV4MPEG2 W64 H48 It", PL_ENOTSUP },
                { "YUV4MPEG2 W64", PL_EPROTO },
                { "YUV4MPEG2 W0 H48", PL_EPROTO },
                { "YUV4MPEG2 W64 H-48", PL_EPROTO },
                { "YUV4MPEG2 W64 H99999", PL_EPROTO },
                { "YUV4MPEG2 W64 H48 F30", PL_EPROTO },
                { "YUV4MPEG2 W64 H48 F30:0", PL_EPROTO },
                { "YUV4MPEG2 W64 H48 F1000:1", PL_EPROTO },
                { "YUV4MPEG W64 H48", PL_EPROTO },
                { "", PL_EPROTO } };
    pl_y4m_format f;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        if (pl_y4m_parse(&f, row[i].line, strlen(row[i].line)) != row[i].want)
            fail_msg("%s", row[i].line);
    PL_EQ(pl_y4m_parse(&f, row[0].line, strlen(row[0].line)), PL_OK);
    PL_EQ(f.fps_den, 1001);
    pl_video_source *s;
    pl_picture *pic;
    static const char cut[] = "YUV4MPEG2 W64 H48\nFRAME\nnot a whole picture";
    write_file(path_of("b.y4m"), cut, sizeof cut);
    PL_EQ(pl_video_source_open(&s, path_of("b.y4m"), NULL), PL_OK);
    PL_EQ(pl_video_source_read(s, &pic), PL_EIO);
    PL_OKAY(pic == NULL);
    pl_video_source_close(s);
    write_file(path_of("b.y4m"), cut, 9); /* no newline at all */
    PL_EQ(pl_video_source_open(&s, path_of("b.y4m"), NULL), PL_EPROTO);
}

PL_TEST(ivf_round_trip)
{
    pl_video_source *pattern, *file;
    pl_video_sink *sink;
    pl_video_encoder *e;
    pl_picture *pic;
    uint32_t number;
    const pl_video_codec *vp8 = pl_video_codec_find("VP8");
    pl_video_conf conf = { .width = 320, .height = 180, .fps = 25, .bitrate_bps = 800000 };
    PL_EQ(pl_video_encoder_new(&e, vp8, &conf), PL_OK);
    PL_EQ(pl_video_source_open(&pattern, "pattern:320x180@25", NULL), PL_OK);
    PL_EQ(pl_video_sink_open(&sink, path_of("a.ivf"), NULL), PL_OK);
    for (int i = 0; i < 50; i++) {
        pl_video_frame f;
        PL_EQ(pl_video_source_read(pattern, &pic), PL_OK);
        pic->time_us = i * 40000;
        PL_EQ(pl_video_encode(e, pic, i == 10, &f), PL_OK);
        if (i > 0) /* the recorder comes late: it begins with the next key frame */
            PL_EQ(pl_video_sink_encoded(sink, 90000 + (int64_t)i * 3600, vp8, &f), PL_OK);
        PL_EQ(pl_video_sink_picture(sink, 0, pic), PL_OK);
        pl_picture_put(pic);
    }
    PL_EQ(pl_video_sink_close(sink), PL_OK);
    pl_video_source_close(pattern);
    pl_video_encoder_free(e);

    static uint8_t bytes[400000];
    pl_ivf_format f;
    size_t len = read_file(path_of("a.ivf"), bytes, sizeof bytes);
    PL_EQ(pl_ivf_parse(&f, bytes, len), PL_OK);
    PL_EQ(f.width, 320);
    PL_EQ(f.height, 180);
    PL_EQ(f.n_frames, 40);
    PL_EQ(f.rate_num, 90000);
    for (size_t cut = 0; cut < PL_IVF_HEADER; cut++)
        PL_EQ(pl_ivf_parse(&f, bytes, cut), PL_EPROTO);

    PL_EQ(pl_video_source_open(&file, path_of("a.ivf"), NULL), PL_OK);
    PL_EQ(pl_video_source_due_us(file, 25), 1000000);
    for (int i = 0; i < 80; i++) {
        PL_EQ(pl_video_source_read(file, &pic), PL_OK);
        PL_OKAY(pl_pattern_read(pic, &number));
        PL_EQ(number, 10 + i % 40);
        pl_picture_put(pic);
    }
    file->once = true;
    PL_EQ(pl_video_source_read(file, &pic), PL_ESTATE);
    PL_OKAY(pic == NULL);
    pl_video_source_close(file);
}

PL_TEST(hostile_ivf)
{
    static uint8_t bytes[200000], bad[200000];
    size_t len = read_file(MEDIA "cockatoo.ivf", bytes, sizeof bytes);
    pl_rand_seeded state;
    pl_rand rand = pl_rand_seed(&state, pl_test_seed(1));
    for (int i = 0; i < 40; i++) {
        memcpy(bad, bytes, len);
        size_t reach = i % 2 ? 60 : len;
        for (int k = 0; k < 4; k++)
            bad[pl_rand_below(&rand, (uint32_t)reach)] = (uint8_t)pl_rand_u32(&rand);
        write_file(path_of("b.ivf"), bad, len - pl_rand_below(&rand, (uint32_t)len / 2));
        pl_video_source *s;
        if (pl_video_source_open(&s, path_of("b.ivf"), NULL))
            continue;
        for (int k = 0; k < 20; k++) {
            pl_picture *pic;
            pl_err err = pl_video_source_read(s, &pic);
            PL_OKAY(err == PL_OK || err == PL_EIO);
            pl_picture_put(pic);
        }
        pl_video_source_close(s);
    }
    uint32_t n;
    uint64_t time;
    static const uint8_t huge[12] = { 0xff, 0xff, 0xff, 0x7f };
    PL_EQ(pl_ivf_parse_frame(&n, &time, huge, 12), PL_EPROTO);
}

PL_TEST(the_recordings_we_ship)
{
    pl_audio_source *a;
    pl_video_source *v;
    double power = 0;
    PL_EQ(pl_audio_source_open(&a, MEDIA "speech.wav", NULL), PL_OK);
    for (int i = 0; i < 1000; i++) {
        int16_t out[PL_DEVICE_FRAME];
        PL_EQ(pl_audio_source_read(a, out), PL_OK);
        power += pl_dsp_power(out, PL_DEVICE_FRAME) / 1000;
    }
    pl_audio_source_close(a);
    PL_LE(pl_dsp_level_dbov(power), 30);
    PL_EQ(pl_video_source_open(&v, MEDIA "cockatoo.ivf", NULL), PL_OK);
    PL_EQ(v->width, 640);
    PL_EQ(pl_video_source_due_us(v, 20), 1000000);
    pl_picture *last = NULL;
    int moved = 0;
    for (int i = 0; i < 120; i++) {
        pl_picture *pic;
        PL_EQ(pl_video_source_read(v, &pic), PL_OK);
        moved += last && pl_picture_psnr(last, pic) < 45;
        pl_picture_put(last);
        last = pic;
    }
    pl_picture_put(last);
    pl_video_source_close(v);
    PL_GE(moved, 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        t(words),          t(what_a_wav_sink_writes_a_wav_source_reads),
        t(hostile_wav),    t(every_common_wav_is_heard_right),
        t(hostile_y4m),    t(the_pattern_carries_its_number),
        t(ivf_round_trip), t(y4m_round_trip_keeps_time),
        t(hostile_ivf),    t(the_recordings_we_ship),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
