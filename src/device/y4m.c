/* y4m.c - YUV4MPEG2: a line of parameters, then "FRAME" lines with the three planes behind each.
 *     YUV4MPEG2 W640 H360 F30:1 Ip A1:1 C420jpeg */
#include "device/y4m.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "device/device_internal.h"

enum { PICTURES = 6, FPS_DEFAULT = 30, SINK_FPS = 30, CATCH_UP_MAX = 300 /* repeated pictures: 10 s */ };

static bool parse_side(pl_str text, unsigned *out)
{
    uint64_t v;
    if (!pl_str_u64(text, PL_PICTURE_SIDE_MAX, &v) || v == 0)
        return false;
    *out = (unsigned)v;
    return true;
}

static bool parse_fps(pl_str text, pl_y4m_format *f)
{
    uint64_t num, den;
    pl_str rest = text, first = pl_str_cut(&rest, ':');
    if (!pl_str_u64(first, 1000000, &num) || !pl_str_u64(rest, 1000000, &den))
        return false;
    if (num == 0 && den == 0) /* "not known" */
        num = FPS_DEFAULT, den = 1;
    if (num == 0 || den == 0 || num > den * 120)
        return false;
    f->fps_num = (uint32_t)num;
    f->fps_den = (uint32_t)den;
    return true;
}

/* 4:2:0 of 8 bits under any of its names; they differ in where the chroma samples stand. */
static bool known_chroma(pl_str text)
{
    return pl_str_is(text, "420") || pl_str_is(text, "420jpeg") || pl_str_is(text, "420mpeg2") ||
           pl_str_is(text, "420paldv");
}

static pl_err parse_parameter(pl_y4m_format *f, char key, pl_str value)
{
    switch (key) {
    case 'W': return parse_side(value, &f->width) ? PL_OK : PL_EPROTO;
    case 'H': return parse_side(value, &f->height) ? PL_OK : PL_EPROTO;
    case 'F': return parse_fps(value, f) ? PL_OK : PL_EPROTO;
    case 'I': return pl_str_is(value, "p") || pl_str_is(value, "?") ? PL_OK : PL_ENOTSUP;
    case 'C': return known_chroma(value) ? PL_OK : PL_ENOTSUP;
    default: return PL_OK; /* aspect ratio, comments */
    }
}

pl_err pl_y4m_parse(pl_y4m_format *out, const char *line, size_t len)
{
    *out = (pl_y4m_format){ .fps_num = FPS_DEFAULT, .fps_den = 1 };
    pl_str rest = { line, len };
    if (!pl_str_is(pl_str_cut(&rest, ' '), "YUV4MPEG2"))
        return PL_EPROTO;
    while (rest.p) {
        pl_str word = pl_str_cut(&rest, ' ');
        pl_err err = word.n ? parse_parameter(out, word.p[0], (pl_str){ word.p + 1, word.n - 1 }) : PL_OK;
        if (err)
            return err;
    }
    return out->width && out->height ? PL_OK : PL_EPROTO;
}

typedef struct y4m_source {
    pl_video_source base;
    FILE *file;
    long first_frame; /* offset */
    pl_picture_pool *pool;
} y4m_source;

/* A line without its newline; -1 at the end of the file or when it is too long. */
static int read_line(FILE *file, char out[PL_Y4M_LINE_MAX])
{
    int n = 0;
    for (int c; (c = fgetc(file)) != '\n'; out[n++] = (char)c)
        if (c == EOF || n == PL_Y4M_LINE_MAX - 1)
            return -1;
    return n;
}

static bool read_planes(FILE *file, pl_picture *pic)
{
    for (int plane = 0; plane < 3; plane++) {
        unsigned width = pl_picture_plane_width(pic, plane), height = pl_picture_plane_height(pic, plane);
        for (unsigned y = 0; y < height; y++)
            if (fread(pic->plane[plane] + (size_t)y * (size_t)pic->stride[plane], 1, width, file) != width)
                return false;
    }
    return true;
}

static bool read_frame(FILE *file, pl_picture *pic)
{
    char line[PL_Y4M_LINE_MAX];
    int n = read_line(file, line);
    return n >= 5 && memcmp(line, "FRAME", 5) == 0 && read_planes(file, pic);
}

static pl_err read_y4m(pl_video_source *base, pl_picture **out)
{
    y4m_source *s = (y4m_source *)base;
    *out = NULL;
    pl_picture *pic = pl_picture_get(s->pool, base->width, base->height);
    if (!pic)
        return PL_EAGAIN;
    /* At the end, once more from the beginning. */
    pl_err err = read_frame(s->file, pic) ? PL_OK : base->once ? PL_ESTATE : PL_EIO;
    if (err == PL_EIO && fseek(s->file, s->first_frame, SEEK_SET) == 0 && read_frame(s->file, pic))
        err = PL_OK;
    if (err)
        pl_picture_put(pic);
    else
        *out = pic;
    return err;
}

static void close_y4m(pl_video_source *base)
{
    y4m_source *s = (y4m_source *)base;
    if (s->file)
        (void)fclose(s->file);
    pl_picture_pool_free(s->pool);
    free(s);
}

static pl_err open_format(y4m_source *s, const char *path, char *why)
{
    char line[PL_Y4M_LINE_MAX];
    pl_y4m_format format;
    s->file = fopen(path, "rb");
    if (!s->file)
        return pl_device_say_errno(why, path);
    int n = read_line(s->file, line);
    pl_err err = n < 0 ? PL_EPROTO : pl_y4m_parse(&format, line, (size_t)n);
    if (err == PL_ENOTSUP)
        return pl_device_say(why, err, "%s: only progressive 4:2:0 of 8 bits", path);
    if (err)
        return pl_device_say(why, err, "%s is not a Y4M file", path);
    s->first_frame = ftell(s->file);
    s->base.width = format.width;
    s->base.height = format.height;
    s->base.fps_num = format.fps_num;
    s->base.fps_den = format.fps_den;
    return PL_OK;
}

pl_err pl_y4m_source_open(pl_video_source **out, const char *path, char why[PL_DEVICE_WHY_MAX])
{
    *out = NULL;
    y4m_source *s = calloc(1, sizeof *s);
    if (!s)
        return PL_ENOMEM;
    s->base = (pl_video_source){ .read = read_y4m, .close = close_y4m };
    pl_err err = pl_picture_pool_new(&s->pool, PICTURES);
    if (!err)
        err = open_format(s, path, why);
    if (err) {
        close_y4m(&s->base);
        return err;
    }
    *out = &s->base;
    return PL_OK;
}

typedef struct y4m_sink {
    pl_video_sink base;
    FILE *file;
    unsigned width, height; /* of the first picture; the file knows no other */
    int64_t first_ts, n_written;
    pl_picture_pool *pool;
    pl_picture *last;
    bool failed;
} y4m_sink;

static bool write_planes(FILE *file, const pl_picture *pic)
{
    bool ok = fputs("FRAME\n", file) >= 0;
    for (int plane = 0; plane < 3 && ok; plane++) {
        unsigned width = pl_picture_plane_width(pic, plane), height = pl_picture_plane_height(pic, plane);
        for (unsigned y = 0; y < height && ok; y++)
            ok = fwrite(pic->plane[plane] + (size_t)y * (size_t)pic->stride[plane], 1, width, file) == width;
    }
    return ok;
}

/* The nearest sample: a call may change its size, a Y4M file cannot. */
static void fit(pl_picture *to, const pl_picture *from)
{
    for (int plane = 0; plane < 3; plane++) {
        unsigned width = pl_picture_plane_width(to, plane), height = pl_picture_plane_height(to, plane);
        unsigned from_width = pl_picture_plane_width(from, plane),
                 from_height = pl_picture_plane_height(from, plane);
        for (unsigned y = 0; y < height; y++) {
            const uint8_t *row =
                from->plane[plane] + (size_t)(y * from_height / height) * (size_t)from->stride[plane];
            uint8_t *out = to->plane[plane] + (size_t)y * (size_t)to->stride[plane];
            for (unsigned x = 0; x < width; x++)
                out[x] = row[x * from_width / width];
        }
    }
}

static bool begin_file(y4m_sink *s, int64_t ext_ts, const pl_picture *pic)
{
    s->width = pic->width;
    s->height = pic->height;
    s->first_ts = ext_ts;
    s->last = pl_picture_get(s->pool, s->width, s->height);
    return s->last &&
           fprintf(s->file, "YUV4MPEG2 W%u H%u F%d:1 Ip A1:1 C420jpeg\n", s->width, s->height, SINK_FPS) > 0;
}

/* The last picture fills the time until this one is due. */
static bool fill_time(y4m_sink *s, int64_t due)
{
    int64_t n = due - s->n_written < CATCH_UP_MAX ? due - s->n_written : CATCH_UP_MAX;
    for (; n > 0; n--, s->n_written++)
        if (!write_planes(s->file, s->last))
            return false;
    s->n_written = s->n_written > due ? s->n_written : due;
    return true;
}

static pl_err write_y4m(pl_video_sink *base, int64_t ext_ts, const pl_picture *pic)
{
    y4m_sink *s = (y4m_sink *)base;
    bool first = s->width == 0;
    if (s->failed || (first && !begin_file(s, ext_ts, pic))) {
        s->failed = true;
        return PL_EIO;
    }
    int64_t due = (ext_ts - s->first_ts + PL_VIDEO_CLOCK_HZ / SINK_FPS / 2) * SINK_FPS / PL_VIDEO_CLOCK_HZ;
    if (!first && !fill_time(s, due))
        s->failed = true;
    fit(s->last, pic);
    if (due >= s->n_written && !s->failed) {
        s->failed = !write_planes(s->file, s->last);
        s->n_written = due + 1;
    }
    return s->failed ? PL_EIO : PL_OK;
}

static pl_err ignore_encoded(pl_video_sink *s, int64_t ext_ts, const pl_video_codec *codec,
                             const pl_video_frame *f)
{
    (void)s;
    (void)ext_ts;
    (void)codec;
    (void)f;
    return PL_OK;
}

static pl_err close_y4m_sink(pl_video_sink *base)
{
    y4m_sink *s = (y4m_sink *)base;
    bool ok = !s->failed;
    if (s->file)
        ok = fclose(s->file) == 0 && ok;
    pl_picture_put(s->last);
    pl_picture_pool_free(s->pool);
    free(s);
    return ok ? PL_OK : PL_EIO;
}

pl_err pl_y4m_sink_open(pl_video_sink **out, const char *path, char why[PL_DEVICE_WHY_MAX])
{
    *out = NULL;
    y4m_sink *s = calloc(1, sizeof *s);
    if (!s)
        return PL_ENOMEM;
    s->base = (pl_video_sink){ .picture = write_y4m, .encoded = ignore_encoded, .close = close_y4m_sink };
    pl_err err = pl_picture_pool_new(&s->pool, 1);
    if (!err) {
        s->file = fopen(path, "wb");
        err = s->file ? PL_OK : pl_device_say_errno(why, path);
    }
    if (err) {
        (void)close_y4m_sink(&s->base);
        return err;
    }
    *out = &s->base;
    return PL_OK;
}
