#include "device/pattern.h"

#include <stdlib.h>
#include <string.h>

#include "device/device_internal.h"

enum {
    CELLS = 32,
    BAR_PART = 12, /* the bar takes this part of the height */
    BLACK = 16,
    WHITE = 235,
    GREY = 128,
    THRESHOLD = 126,
    MARGIN = 40, /* a cell nearer to the threshold than this is not believed */
    PICTURES = 6,
};

/* CRC-8 of three bytes, polynomial x^8+x^2+x+1: catches what a few wrong cells do. */
static uint8_t check_sum(uint32_t number)
{
    uint32_t v = (number & 0xffffff) << 8;
    for (int bit = 31; bit >= 8; bit--)
        if (v >> bit & 1)
            v ^= (uint32_t)0x107 << (bit - 8);
    return (uint8_t)~v;
}

static unsigned bar_height(const pl_picture *pic)
{
    return pic->height / BAR_PART;
}

static void draw_bar(pl_picture *pic, uint32_t code)
{
    uint8_t *first = pic->plane[0];
    for (unsigned x = 0; x < pic->width; x++)
        first[x] = code >> (CELLS - 1 - x * CELLS / pic->width) & 1 ? WHITE : BLACK;
    for (unsigned y = 1; y < bar_height(pic); y++)
        memcpy(first + (size_t)y * (size_t)pic->stride[0], first, pic->width);
}

/* A slow diagonal gradient, and a bright square on its way across: motion for the encoder to work on. */
static void draw_luma(pl_picture *pic, uint32_t number)
{
    unsigned side = pic->height / 5, top = bar_height(pic);
    unsigned left = (number * 4) % (pic->width + side);
    unsigned upper = top + (pic->height - top - side) / 2;
    for (unsigned y = top; y < pic->height; y++) {
        uint8_t *row = pic->plane[0] + (size_t)y * (size_t)pic->stride[0];
        for (unsigned x = 0; x < pic->width; x++) {
            bool square = x + side >= left && x < left && y >= upper && y < upper + side;
            row[x] = (uint8_t)(square ? WHITE : BLACK + (x + y + number) / 4 % 200);
        }
    }
}

static void draw_chroma(pl_picture *pic, uint32_t number)
{
    unsigned top = (bar_height(pic) + 1) / 2;
    for (int plane = 1; plane < 3; plane++) {
        unsigned width = pl_picture_plane_width(pic, plane), height = pl_picture_plane_height(pic, plane);
        for (unsigned y = 0; y < height; y++) {
            uint8_t *row = pic->plane[plane] + (size_t)y * (size_t)pic->stride[plane];
            unsigned shade = (plane == 1 ? y * 128 / height : number % 128) + 64;
            memset(row, y < top ? GREY : (int)shade, width);
        }
    }
}

void pl_pattern_draw(pl_picture *pic, uint32_t number)
{
    draw_luma(pic, number);
    draw_chroma(pic, number);
    draw_bar(pic, (number & 0xffffff) << 8 | check_sum(number));
}

/* Mean of the middle of a cell. */
static int cell_mean(const pl_picture *pic, unsigned cell)
{
    unsigned x0 = cell * pic->width / CELLS, x1 = (cell + 1) * pic->width / CELLS, h = bar_height(pic);
    unsigned edge = (x1 - x0) / 4, n = 0, sum = 0;
    for (unsigned y = h / 4; y < h - h / 4; y++)
        for (unsigned x = x0 + edge; x < x1 - edge; x++, n++)
            sum += pic->plane[0][(size_t)y * (size_t)pic->stride[0] + x];
    return n ? (int)(sum / n) : THRESHOLD;
}

bool pl_pattern_read(const pl_picture *pic, uint32_t *number)
{
    uint32_t code = 0;
    for (unsigned cell = 0; cell < CELLS; cell++) {
        int off = cell_mean(pic, cell) - THRESHOLD;
        if (abs(off) < MARGIN)
            return false;
        code = code << 1 | (off > 0);
    }
    *number = code >> 8;
    return check_sum(*number) == (uint8_t)code;
}

typedef struct pattern_source {
    pl_video_source base;
    pl_picture_pool *pool;
    uint32_t number;
} pattern_source;

static pl_err read_pattern(pl_video_source *base, pl_picture **out)
{
    pattern_source *s = (pattern_source *)base;
    *out = pl_picture_get(s->pool, base->width, base->height);
    if (!*out)
        return PL_EAGAIN;
    pl_pattern_draw(*out, s->number++);
    return PL_OK;
}

static void close_pattern(pl_video_source *base)
{
    pl_picture_pool_free(((pattern_source *)base)->pool);
    free(base);
}

pl_err pl_device_pattern_open(pl_video_source **out, unsigned width, unsigned height, unsigned fps)
{
    pattern_source *s = calloc(1, sizeof *s);
    if (!s)
        return PL_ENOMEM;
    s->base = (pl_video_source){ .width = width,
                                 .height = height,
                                 .fps_num = fps,
                                 .fps_den = 1,
                                 .read = read_pattern,
                                 .close = close_pattern };
    pl_err err = pl_picture_pool_new(&s->pool, PICTURES);
    if (err) {
        free(s);
        return err;
    }
    *out = &s->base;
    return PL_OK;
}
