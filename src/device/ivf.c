/* ivf.c - IVF: encoded frames with their times, little endian.
 *     "DKIF" | version 16 | header length 16 | fourcc | width 16 | height 16 | rate 32 | scale 32 |
 *            | frames 32 | 0 32
 *     then for each frame: length 32 | time 64 | bytes */
#include "device/ivf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "device/device_internal.h"

enum { PICTURES = 6, FPS_DEFAULT = 30, PATCH_FRAMES = 30, SINK_WIDTH_AT = 12, SINK_COUNT_AT = 24 };

static uint16_t le16(pl_rd *r)
{
    uint16_t v = pl_rd_u16(r);
    return (uint16_t)(v >> 8 | v << 8);
}

static uint32_t le32(pl_rd *r)
{
    return __builtin_bswap32(pl_rd_u32(r));
}

pl_err pl_ivf_parse(pl_ivf_format *out, const uint8_t *data, size_t len)
{
    *out = (pl_ivf_format){ 0 };
    pl_rd r = pl_rd_init(data, len);
    const uint8_t *mark = pl_rd_take(&r, 4);
    uint16_t version = le16(&r), header_len = le16(&r);
    const uint8_t *fourcc = pl_rd_take(&r, 4);
    out->width = le16(&r);
    out->height = le16(&r);
    out->rate_num = le32(&r);
    out->rate_den = le32(&r);
    out->n_frames = le32(&r);
    pl_rd_skip(&r, 4);
    if (!pl_rd_ok(&r) || memcmp(mark, "DKIF", 4) != 0 || version != 0 || header_len != PL_IVF_HEADER)
        return PL_EPROTO;
    memcpy(out->fourcc, fourcc, 4);
    return out->width && out->height && out->rate_num && out->rate_den ? PL_OK : PL_EPROTO;
}

pl_err pl_ivf_parse_frame(uint32_t *frame_len, uint64_t *time, const uint8_t *data, size_t len)
{
    pl_rd r = pl_rd_init(data, len);
    *frame_len = le32(&r);
    uint32_t low = le32(&r), high = le32(&r);
    *time = (uint64_t)high << 32 | low;
    return pl_rd_ok(&r) && *frame_len > 0 && *frame_len <= PL_VIDEO_FRAME_MAX ? PL_OK : PL_EPROTO;
}

typedef struct ivf_source {
    pl_video_source base;
    FILE *file;
    const pl_video_codec *codec;
    pl_video_decoder *decoder;
    pl_picture_pool *pool;
    uint8_t *frame; /* grows to the largest frame */
    size_t cap;
} ivf_source;

/* The next frame's bytes into s->frame; 0 at the end of the file, of which a broken frame is one kind. */
static uint32_t read_frame(ivf_source *s)
{
    uint8_t head[PL_IVF_FRAME_HEADER];
    uint32_t len;
    uint64_t time;
    if (fread(head, 1, sizeof head, s->file) != sizeof head ||
        pl_ivf_parse_frame(&len, &time, head, sizeof head))
        return 0;
    if (len > s->cap) {
        uint8_t *grown = realloc(s->frame, len);
        if (!grown)
            return 0;
        s->frame = grown;
        s->cap = len;
    }
    return fread(s->frame, 1, len, s->file) == len ? len : 0;
}

/* Frames that cannot be decoded are passed over; twice through the file without a picture is an error. */
static pl_err read_ivf(pl_video_source *base, pl_picture **out)
{
    ivf_source *s = (ivf_source *)base;
    *out = NULL;
    for (int ends = 0; ends < 2;) {
        uint32_t len = read_frame(s);
        if (len == 0) {
            ends++;
            if (base->once)
                return PL_ESTATE;
            if (fseek(s->file, PL_IVF_HEADER, SEEK_SET))
                return PL_EIO;
            continue;
        }
        pl_err err = pl_video_decode(s->decoder, s->frame, len, s->pool, out);
        if (err == PL_ENOSPC)
            return PL_EAGAIN;
        if (err == PL_OK && *out)
            return PL_OK;
    }
    return PL_EIO;
}

static void close_ivf(pl_video_source *base)
{
    ivf_source *s = (ivf_source *)base;
    if (s->file)
        (void)fclose(s->file);
    pl_video_decoder_free(s->decoder);
    pl_picture_pool_free(s->pool);
    free(s->frame);
    free(s);
}

/* The header gives the unit of the frames' times; the frame rate is what the first two frames are apart. */
static bool find_fps(ivf_source *s, const pl_ivf_format *f)
{
    uint8_t head[PL_IVF_FRAME_HEADER];
    uint32_t len;
    uint64_t first = 0, second = 0;
    bool two = fread(head, 1, sizeof head, s->file) == sizeof head &&
               pl_ivf_parse_frame(&len, &first, head, sizeof head) == PL_OK &&
               fseek(s->file, (long)len, SEEK_CUR) == 0 &&
               fread(head, 1, sizeof head, s->file) == sizeof head &&
               pl_ivf_parse_frame(&len, &second, head, sizeof head) == PL_OK;
    uint64_t step = two && second > first ? second - first : 1;
    uint64_t den = step * f->rate_den;
    bool sane =
        step <= UINT32_MAX && den <= UINT32_MAX && f->rate_num / den <= 120 && den / f->rate_num <= 10;
    s->base.fps_num = sane ? f->rate_num : FPS_DEFAULT;
    s->base.fps_den = sane ? (uint32_t)den : 1;
    return fseek(s->file, PL_IVF_HEADER, SEEK_SET) == 0;
}

static pl_err open_format(ivf_source *s, const char *path, char *why)
{
    uint8_t head[PL_IVF_HEADER];
    pl_ivf_format format;
    s->file = fopen(path, "rb");
    if (!s->file)
        return pl_device_say_errno(why, path);
    size_t len = fread(head, 1, sizeof head, s->file);
    if (pl_ivf_parse(&format, head, len))
        return pl_device_say(why, PL_EPROTO, "%s is not an IVF file", path);
    s->codec = pl_video_codec_by_fourcc(format.fourcc);
    if (!s->codec)
        return pl_device_say(why, PL_ENOTSUP, "%s: its codec is not built in", path);
    if (!find_fps(s, &format))
        return pl_device_say_errno(why, path);
    s->base.width = format.width;
    s->base.height = format.height;
    return PL_OK;
}

pl_err pl_ivf_source_open(pl_video_source **out, const char *path, char why[PL_DEVICE_WHY_MAX])
{
    *out = NULL;
    ivf_source *s = calloc(1, sizeof *s);
    if (!s)
        return PL_ENOMEM;
    s->base = (pl_video_source){ .read = read_ivf, .close = close_ivf };
    pl_err err = pl_picture_pool_new(&s->pool, PICTURES);
    if (!err)
        err = open_format(s, path, why);
    if (!err)
        err = pl_video_decoder_new(&s->decoder, s->codec);
    if (err) {
        close_ivf(&s->base);
        return err;
    }
    *out = &s->base;
    return PL_OK;
}

typedef struct ivf_sink {
    pl_video_sink base;
    FILE *file;
    bool begun, failed;
    int64_t first_ts;
    uint32_t n_frames;
    unsigned width, height;
} ivf_sink;

static void put_le(uint8_t *at, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[i] = (uint8_t)(v >> 8 * i);
}

static bool begin_file(ivf_sink *s, const pl_video_codec *codec, int64_t ext_ts)
{
    uint8_t head[PL_IVF_HEADER] = "DKIF";
    put_le(head + 6, PL_IVF_HEADER, 2);
    memcpy(head + 8, codec->ivf_fourcc, 4);
    put_le(head + SINK_WIDTH_AT, s->width, 2);
    put_le(head + SINK_WIDTH_AT + 2, s->height, 2);
    put_le(head + 16, PL_VIDEO_CLOCK_HZ, 4);
    put_le(head + 20, 1, 4);
    s->begun = true;
    s->first_ts = ext_ts;
    return fwrite(head, 1, sizeof head, s->file) == sizeof head;
}

/* Size and number of frames become known while writing. */
static bool patch_header(ivf_sink *s)
{
    uint8_t sides[4], count[4];
    put_le(sides, s->width, 2);
    put_le(sides + 2, s->height, 2);
    put_le(count, s->n_frames, 4);
    return fflush(s->file) == 0 && fseek(s->file, SINK_WIDTH_AT, SEEK_SET) == 0 &&
           fwrite(sides, 1, 4, s->file) == 4 && fseek(s->file, SINK_COUNT_AT, SEEK_SET) == 0 &&
           fwrite(count, 1, 4, s->file) == 4 && fflush(s->file) == 0 && fseek(s->file, 0, SEEK_END) == 0;
}

static bool write_frame(ivf_sink *s, int64_t ext_ts, const pl_video_frame *f)
{
    uint8_t head[PL_IVF_FRAME_HEADER];
    put_le(head, f->len, 4);
    put_le(head + 4, (uint64_t)(ext_ts - s->first_ts), 8);
    return fwrite(head, 1, sizeof head, s->file) == sizeof head &&
           fwrite(f->data, 1, f->len, s->file) == f->len;
}

static pl_err write_ivf(pl_video_sink *base, int64_t ext_ts, const pl_video_codec *codec,
                        const pl_video_frame *f)
{
    ivf_sink *s = (ivf_sink *)base;
    if (s->failed)
        return PL_EIO;
    if (!s->begun && !f->key)
        return PL_OK;
    s->failed = (!s->begun && !begin_file(s, codec, ext_ts)) || !write_frame(s, ext_ts, f);
    if (!s->failed && ++s->n_frames % PATCH_FRAMES == 1)
        s->failed = !patch_header(s);
    return s->failed ? PL_EIO : PL_OK;
}

/* The first picture tells the size. */
static pl_err note_size(pl_video_sink *base, int64_t ext_ts, const pl_picture *pic)
{
    ivf_sink *s = (ivf_sink *)base;
    (void)ext_ts;
    if (s->width == 0) {
        s->width = pic->width;
        s->height = pic->height;
        if (s->begun && !s->failed)
            s->failed = !patch_header(s);
    }
    return s->failed ? PL_EIO : PL_OK;
}

static pl_err close_ivf_sink(pl_video_sink *base)
{
    ivf_sink *s = (ivf_sink *)base;
    bool ok = !s->failed && (!s->begun || patch_header(s));
    ok = fclose(s->file) == 0 && ok;
    free(s);
    return ok ? PL_OK : PL_EIO;
}

pl_err pl_ivf_sink_open(pl_video_sink **out, const char *path, char why[PL_DEVICE_WHY_MAX])
{
    *out = NULL;
    ivf_sink *s = calloc(1, sizeof *s);
    if (!s)
        return PL_ENOMEM;
    s->base = (pl_video_sink){ .picture = note_size, .encoded = write_ivf, .close = close_ivf_sink };
    s->file = fopen(path, "wb");
    if (!s->file) {
        free(s);
        return pl_device_say_errno(why, path);
    }
    *out = &s->base;
    return PL_OK;
}
