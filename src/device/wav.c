/* wav.c - RIFF WAVE: the header, the source. The sink is in wav_sink.c.
 *     "RIFF" len "WAVE" { id len bytes pad }...      all numbers little endian
 *     "fmt ": tag 16 | channels 16 | rate 32 | bytes/s 32 | block 16 | bits 16 [| extension] */
#include "device/wav.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "device/device_internal.h"
#include "dsp/resample.h"
#include "dsp/vector.h"

enum {
    FORMAT_PCM = 1,
    FORMAT_FLOAT = 3,
    FORMAT_EXTENSIBLE = 0xfffe,
    FMT_LEN = 16,
    EXTENSIBLE_LEN = 26, /* up to the format inside the GUID */
    READ_FRAMES = 1024,  /* sample frames read at once */
};

static uint16_t le16(pl_rd *r)
{
    uint16_t v = pl_rd_u16(r);
    return (uint16_t)(v >> 8 | v << 8);
}

static uint32_t le32(pl_rd *r)
{
    return __builtin_bswap32(pl_rd_u32(r));
}

static pl_err check_format(pl_wav_format *f, unsigned tag, unsigned bits, unsigned block)
{
    if (tag != FORMAT_PCM && tag != FORMAT_FLOAT)
        return PL_ENOTSUP; /* compressed */
    if (f->channels == 0 || f->rate_hz == 0 || bits == 0 || bits % 8 || block != f->channels * bits / 8)
        return PL_EPROTO;
    f->bytes = (uint16_t)(bits / 8);
    f->is_float = tag == FORMAT_FLOAT;
    bool rate_ok = f->rate_hz >= PL_RESAMPLE_HZ_MIN && f->rate_hz <= PL_RESAMPLE_HZ_MAX;
    if (!rate_ok || f->channels > PL_WAV_CHANNELS_MAX || f->bytes > 4 || (f->is_float && f->bytes != 4))
        return PL_ENOTSUP;
    return PL_OK;
}

static pl_err parse_fmt(pl_wav_format *f, pl_rd r)
{
    unsigned tag = le16(&r);
    f->channels = le16(&r);
    f->rate_hz = le32(&r);
    pl_rd_skip(&r, 4);
    unsigned block = le16(&r), bits = le16(&r);
    if (tag == FORMAT_EXTENSIBLE) {
        pl_rd_skip(&r, EXTENSIBLE_LEN - FMT_LEN - 2);
        tag = le16(&r);
    }
    return pl_rd_ok(&r) ? check_format(f, tag, bits, block) : PL_EPROTO;
}

pl_err pl_wav_parse(pl_wav_format *out, const uint8_t *data, size_t len)
{
    *out = (pl_wav_format){ 0 };
    pl_rd r = pl_rd_init(data, len);
    const uint8_t *riff = pl_rd_take(&r, 4);
    pl_rd_skip(&r, 4);
    const uint8_t *wave = pl_rd_take(&r, 4);
    if (!pl_rd_ok(&r) || memcmp(riff, "RIFF", 4) != 0 || memcmp(wave, "WAVE", 4) != 0)
        return PL_EPROTO;
    while (pl_rd_left(&r) >= 8) {
        const uint8_t *id = pl_rd_take(&r, 4);
        uint32_t chunk_len = le32(&r);
        if (memcmp(id, "data", 4) == 0) {
            out->data_offset = (uint32_t)(r.p - data);
            out->data_len = chunk_len;
            return out->channels ? PL_OK : PL_EPROTO; /* the format must come first */
        }
        pl_rd chunk = pl_rd_sub(&r, chunk_len);
        pl_err err = pl_rd_ok(&r) && memcmp(id, "fmt ", 4) == 0 ? parse_fmt(out, chunk) : PL_OK;
        if (err) {
            *out = (pl_wav_format){ 0 };
            return err;
        }
        pl_rd_skip(&r, chunk_len & 1 && pl_rd_left(&r) ? 1 : 0);
    }
    return PL_EPROTO;
}

typedef struct wav_source {
    pl_audio_source base;
    FILE *file;
    pl_wav_format format;
    uint32_t frames_left; /* before the file begins again */
    pl_resampler *resampler;
    int16_t mono[READ_FRAMES];
    size_t n_mono, used;
    uint8_t raw[READ_FRAMES * PL_WAV_CHANNELS_MAX * 4];
} wav_source;

static int32_t sample_of(const uint8_t *p, const pl_wav_format *f)
{
    if (f->is_float) {
        float v;
        uint32_t bits = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        memcpy(&v, &bits, sizeof v);
        /* Written so that a NaN becomes silence. */
        return v >= 1 ? INT16_MAX : v <= -1 ? INT16_MIN : v > -1 && v < 1 ? (int32_t)(v * 32767) : 0;
    }
    if (f->bytes == 1)
        return ((int32_t)p[0] - 128) * 256;
    return (int16_t)(p[f->bytes - 2] | p[f->bytes - 1] << 8); /* the upper two bytes */
}

static void to_mono(wav_source *s, size_t n)
{
    assert(s->format.channels > 0);
    const uint8_t *p = s->raw;
    for (size_t i = 0; i < n; i++) {
        int32_t sum = 0;
        for (unsigned c = 0; c < s->format.channels; c++, p += s->format.bytes)
            sum += sample_of(p, &s->format);
        s->mono[i] = pl_sat16(sum / s->format.channels);
    }
    s->n_mono = n;
    s->used = 0;
}

static uint32_t frame_bytes(const wav_source *s)
{
    return (uint32_t)s->format.channels * s->format.bytes;
}

static bool rewind_file(wav_source *s)
{
    s->frames_left = s->format.data_len / frame_bytes(s);
    return fseek(s->file, (long)s->format.data_offset, SEEK_SET) == 0;
}

/* The next run of the file; at its end, from the beginning. */
static pl_err refill(wav_source *s)
{
    for (int turn = 0; turn < 2; turn++) {
        size_t want = s->frames_left < READ_FRAMES ? s->frames_left : READ_FRAMES;
        size_t n = want ? fread(s->raw, frame_bytes(s), want, s->file) : 0;
        s->frames_left -= (uint32_t)n;
        if (n > 0) {
            to_mono(s, n);
            return PL_OK;
        }
        if (s->base.once)
            return PL_ESTATE;
        if (!rewind_file(s))
            break;
    }
    return PL_EIO;
}

static pl_err read_wav(pl_audio_source *base, int16_t out[PL_DEVICE_FRAME])
{
    wav_source *s = (wav_source *)base;
    size_t n = 0;
    while (n < PL_DEVICE_FRAME) {
        pl_err err = s->used == s->n_mono ? refill(s) : PL_OK;
        if (err) {
            memset(out + n, 0, (PL_DEVICE_FRAME - n) * sizeof *out);
            return n && err == PL_ESTATE ? PL_OK : err; /* the last samples are heard */
        }
        size_t used;
        n += pl_resampler_run(s->resampler, s->mono + s->used, s->n_mono - s->used, &used, out + n,
                              PL_DEVICE_FRAME - n);
        s->used += used;
    }
    return PL_OK;
}

static void close_wav(pl_audio_source *base)
{
    wav_source *s = (wav_source *)base;
    if (s->file)
        (void)fclose(s->file);
    pl_resampler_free(s->resampler);
    free(s);
}

static pl_err open_format(wav_source *s, const char *path, char *why)
{
    s->file = fopen(path, "rb");
    if (!s->file)
        return pl_device_say_errno(why, path);
    uint8_t *head = malloc(PL_WAV_HEADER_MAX);
    if (!head)
        return PL_ENOMEM;
    size_t len = fread(head, 1, PL_WAV_HEADER_MAX, s->file);
    pl_err err = pl_wav_parse(&s->format, head, len);
    free(head);
    if (err == PL_ENOTSUP)
        return pl_device_say(why, err, "%s: only uncompressed samples of 8 to 32 bits, 4 to 384 kHz", path);
    if (err || s->format.data_len < frame_bytes(s) || !rewind_file(s) || refill(s))
        return pl_device_say(why, PL_EPROTO, "%s is not a WAV file with samples in it", path);
    return PL_OK;
}

pl_err pl_wav_source_open(pl_audio_source **out, const char *path, char why[PL_DEVICE_WHY_MAX])
{
    *out = NULL;
    wav_source *s = calloc(1, sizeof *s);
    if (!s)
        return PL_ENOMEM;
    s->base = (pl_audio_source){ .read = read_wav, .close = close_wav };
    pl_err err = open_format(s, path, why);
    if (!err)
        err = pl_resampler_new(&s->resampler, s->format.rate_hz, PL_DEVICE_HZ);
    if (err) {
        close_wav(&s->base);
        return err;
    }
    *out = &s->base;
    return PL_OK;
}
