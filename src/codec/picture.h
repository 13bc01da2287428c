/* picture.h - one I420 picture, counted by reference, from a pool that crosses threads.
 * Shape    pl_picture_get gives one reference, pl_picture_ref another, pl_picture_put takes one. A pool
 *          holds at most PL_PICTURE_POOL_MAX pictures; it lives until its owner and its last picture have
 *          let go. A picture with more than one reference is read only.
 * Units    pixels; strides in bytes; microseconds.
 * Thread   any for get, ref and put: counts are atomic, there is no lock. The pixels belong to whoever
 *          holds the only reference. A buffer is allocated only when its picture is first used or grows. */
#ifndef PL_CODEC_PICTURE_H
#define PL_CODEC_PICTURE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "peerline/error.h"

enum { PL_PICTURE_SIDE_MAX = 4096, PL_PICTURE_POOL_MAX = 32 };

typedef struct pl_picture_pool pl_picture_pool;

typedef struct pl_picture {
    uint16_t width, height;
    uint8_t *plane[3]; /* Y, U, V; chroma planes are (width+1)/2 by (height+1)/2 */
    int stride[3];
    int64_t time_us; /* sending: when it was captured. Receiving: when it should be shown */
    uint32_t rtp_ts; /* receiving: 90 kHz */

    atomic_int refs; /* from here on: picture.c's own */
    pl_picture_pool *pool;
    uint8_t *buffer;
    size_t capacity;
} pl_picture;

/* n_max: the most pictures ever out at once, 1..PL_PICTURE_POOL_MAX. */
PL_NODISCARD pl_err pl_picture_pool_new(pl_picture_pool **out, int n_max);
/* The owner lets go; NULL is fine. */
void pl_picture_pool_free(pl_picture_pool *pool);
/* A picture with undefined pixels, or NULL: all are out, no memory, or a side is 0 or above the maximum. */
pl_picture *pl_picture_get(pl_picture_pool *pool, unsigned width, unsigned height);
pl_picture *pl_picture_ref(pl_picture *p);
void pl_picture_put(pl_picture *p); /* NULL is fine */

static inline unsigned pl_picture_plane_width(const pl_picture *p, int plane)
{
    return plane ? (p->width + 1u) / 2 : p->width;
}
static inline unsigned pl_picture_plane_height(const pl_picture *p, int plane)
{
    return plane ? (p->height + 1u) / 2 : p->height;
}

/* Copies the pixels of a plane from memory with a stride of its own. */
void pl_picture_set_plane(pl_picture *p, int plane, const uint8_t *from, int stride);
/* Half the sides (rounded up), by averaging 2x2; NULL when the pool is exhausted. Keeps the times. */
pl_picture *pl_picture_halve(pl_picture_pool *pool, const pl_picture *from);
/* Peak signal to noise ratio over all planes in dB, at most 100; sides must be equal. */
double pl_picture_psnr(const pl_picture *a, const pl_picture *b);

#endif
