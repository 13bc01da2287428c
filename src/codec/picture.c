#include "codec/picture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STRIDE_ALIGN = 32, BUFFER_ALIGN = 64 };

/* A slot is free when its count is 0; taking it is one compare-and-swap. `holds` counts the owner and every
 * picture that is out: whoever brings it to 0 frees the pool, on whichever thread. */
struct pl_picture_pool {
    atomic_int holds;
    int n;
    pl_picture slot[PL_PICTURE_POOL_MAX];
};

pl_err pl_picture_pool_new(pl_picture_pool **out, int n_max)
{
    *out = NULL;
    if (n_max < 1 || n_max > PL_PICTURE_POOL_MAX)
        return PL_EINVAL;
    pl_picture_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return PL_ENOMEM;
    atomic_init(&pool->holds, 1);
    pool->n = n_max;
    for (int i = 0; i < n_max; i++)
        pool->slot[i].pool = pool;
    *out = pool;
    return PL_OK;
}

static void let_go(pl_picture_pool *pool)
{
    if (atomic_fetch_sub_explicit(&pool->holds, 1, memory_order_acq_rel) > 1)
        return;
    for (int i = 0; i < pool->n; i++)
        free(pool->slot[i].buffer);
    free(pool);
}

void pl_picture_pool_free(pl_picture_pool *pool)
{
    if (pool)
        let_go(pool);
}

static size_t align_up(size_t v, size_t to)
{
    return (v + to - 1) / to * to;
}

/* Lays the planes out in the slot's buffer, growing it when it is too small. */
static bool shape(pl_picture *p, unsigned width, unsigned height)
{
    size_t luma = align_up(width, STRIDE_ALIGN), chroma = align_up((width + 1) / 2, STRIDE_ALIGN);
    size_t luma_len = align_up(luma * height, BUFFER_ALIGN);
    size_t chroma_len = align_up(chroma * ((height + 1) / 2), BUFFER_ALIGN);
    size_t need = luma_len + 2 * chroma_len;
    if (need > p->capacity) {
        free(p->buffer);
        p->buffer = aligned_alloc(BUFFER_ALIGN, need);
        p->capacity = p->buffer ? need : 0;
        if (!p->buffer)
            return false;
    }
    p->width = (uint16_t)width;
    p->height = (uint16_t)height;
    p->plane[0] = p->buffer;
    p->plane[1] = p->buffer + luma_len;
    p->plane[2] = p->plane[1] + chroma_len;
    p->stride[0] = (int)luma;
    p->stride[1] = p->stride[2] = (int)chroma;
    p->time_us = 0;
    p->rtp_ts = 0;
    return true;
}

static pl_picture *take_slot(pl_picture_pool *pool)
{
    for (int i = 0; i < pool->n; i++) {
        int none = 0;
        if (atomic_compare_exchange_strong_explicit(&pool->slot[i].refs, &none, 1, memory_order_acquire,
                                                    memory_order_relaxed))
            return &pool->slot[i];
    }
    return NULL;
}

pl_picture *pl_picture_get(pl_picture_pool *pool, unsigned width, unsigned height)
{
    if (width == 0 || height == 0 || width > PL_PICTURE_SIDE_MAX || height > PL_PICTURE_SIDE_MAX)
        return NULL;
    pl_picture *p = take_slot(pool);
    if (!p)
        return NULL;
    atomic_fetch_add_explicit(&pool->holds, 1, memory_order_relaxed);
    if (shape(p, width, height))
        return p;
    pl_picture_put(p);
    return NULL;
}

pl_picture *pl_picture_ref(pl_picture *p)
{
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

void pl_picture_put(pl_picture *p)
{
    if (!p)
        return;
    pl_picture_pool *pool = p->pool; /* after the count is 0 the slot may be somebody else's */
    if (atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) == 1)
        let_go(pool);
}

void pl_picture_set_plane(pl_picture *p, int plane, const uint8_t *from, int stride)
{
    unsigned width = pl_picture_plane_width(p, plane), height = pl_picture_plane_height(p, plane);
    for (unsigned y = 0; y < height; y++)
        memcpy(p->plane[plane] + (ptrdiff_t)y * p->stride[plane], from + (ptrdiff_t)y * stride, width);
}

/* An odd last column or row is averaged with itself. */
static void halve_plane(pl_picture *to, const pl_picture *from, int plane)
{
    unsigned width = pl_picture_plane_width(to, plane), height = pl_picture_plane_height(to, plane);
    unsigned from_width = pl_picture_plane_width(from, plane),
             from_height = pl_picture_plane_height(from, plane);
    for (unsigned y = 0; y < height; y++) {
        const uint8_t *a = from->plane[plane] + (ptrdiff_t)(2 * y) * from->stride[plane];
        const uint8_t *b = 2 * y + 1 < from_height ? a + from->stride[plane] : a;
        uint8_t *out = to->plane[plane] + (ptrdiff_t)y * to->stride[plane];
        unsigned whole = from_width / 2 < width ? from_width / 2 : width;
        for (unsigned x = 0; x < whole; x++)
            out[x] = (uint8_t)((a[2 * x] + a[2 * x + 1] + b[2 * x] + b[2 * x + 1] + 2) / 4);
        if (whole < width)
            out[whole] = (uint8_t)((a[from_width - 1] + b[from_width - 1] + 1) / 2);
    }
}

pl_picture *pl_picture_halve(pl_picture_pool *pool, const pl_picture *from)
{
    pl_picture *to = pl_picture_get(pool, (from->width + 1u) / 2, (from->height + 1u) / 2);
    if (!to)
        return NULL;
    for (int plane = 0; plane < 3; plane++)
        halve_plane(to, from, plane);
    to->time_us = from->time_us;
    to->rtp_ts = from->rtp_ts;
    return to;
}

double pl_picture_psnr(const pl_picture *a, const pl_picture *b)
{
    double error = 0, n = 0;
    for (int plane = 0; plane < 3; plane++) {
        unsigned width = pl_picture_plane_width(a, plane), height = pl_picture_plane_height(a, plane);
        for (unsigned y = 0; y < height; y++) {
            const uint8_t *pa = a->plane[plane] + (ptrdiff_t)y * a->stride[plane];
            const uint8_t *pb = b->plane[plane] + (ptrdiff_t)y * b->stride[plane];
            for (unsigned x = 0; x < width; x++)
                error += (pa[x] - pb[x]) * (pa[x] - pb[x]);
        }
        n += (double)width * height;
    }
    double psnr = error > 0 ? 10 * log10(255.0 * 255.0 * n / error) : 100;
    return psnr > 100 ? 100 : psnr;
}
