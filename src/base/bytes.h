/* bytes.h - reading and writing wire formats, big endian, with sticky errors.
 * After a short read every getter gives 0 and pl_rd_ok() is false; after a write that does not fit every
 * putter does nothing and pl_wr_ok() is false. So a parser reads straight and asks once.
 * Shape    plain values; nothing to free; the bytes are lent. (After BoringSSL's CBS and CBB.) */
#ifndef PL_BASE_BYTES_H
#define PL_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct pl_rd {
    const uint8_t *p, *end;
    bool bad;
} pl_rd;

static inline pl_rd pl_rd_init(const void *data, size_t len)
{
    const uint8_t *p = data;
    return (pl_rd){ .p = p, .end = p ? p + len : p };
}
static inline size_t pl_rd_left(const pl_rd *r)
{
    return (size_t)(r->end - r->p);
}
static inline bool pl_rd_ok(const pl_rd *r)
{
    return !r->bad;
}
/* The next n bytes, or NULL when they are not there. */
static inline const uint8_t *pl_rd_take(pl_rd *r, size_t n)
{
    if (n > pl_rd_left(r)) {
        r->bad = true;
        r->p = r->end;
        return NULL;
    }
    const uint8_t *at = r->p;
    r->p += n;
    return at;
}
static inline void pl_rd_skip(pl_rd *r, size_t n)
{
    (void)pl_rd_take(r, n);
}
static inline uint8_t pl_rd_u8(pl_rd *r)
{
    const uint8_t *b = pl_rd_take(r, 1);
    return (uint8_t)(b ? b[0] : 0);
}
static inline uint16_t pl_rd_u16(pl_rd *r)
{
    const uint8_t *b = pl_rd_take(r, 2);
    return (uint16_t)(b ? b[0] << 8 | b[1] : 0);
}
static inline uint32_t pl_rd_u24(pl_rd *r)
{
    const uint8_t *b = pl_rd_take(r, 3);
    return b ? (uint32_t)b[0] << 16 | (uint32_t)b[1] << 8 | b[2] : 0;
}
static inline uint32_t pl_rd_u32(pl_rd *r)
{
    const uint8_t *b = pl_rd_take(r, 4);
    return b ? (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3] : 0;
}
static inline uint64_t pl_rd_u64(pl_rd *r)
{
    uint64_t hi = pl_rd_u32(r);
    return hi << 32 | pl_rd_u32(r);
}
/* A reader of the next n bytes alone, so that an element cannot read its neighbour. */
static inline pl_rd pl_rd_sub(pl_rd *r, size_t n)
{
    const uint8_t *at = pl_rd_take(r, n);
    return at ? (pl_rd){ .p = at, .end = at + n } : (pl_rd){ .bad = true };
}

typedef struct pl_wr {
    uint8_t *start, *p, *end;
    bool bad;
} pl_wr;

static inline pl_wr pl_wr_init(void *data, size_t cap)
{
    uint8_t *p = data;
    return (pl_wr){ .start = p, .p = p, .end = p ? p + cap : p };
}
static inline size_t pl_wr_len(const pl_wr *w)
{
    return (size_t)(w->p - w->start);
}
static inline size_t pl_wr_left(const pl_wr *w)
{
    return (size_t)(w->end - w->p);
}
static inline bool pl_wr_ok(const pl_wr *w)
{
    return !w->bad;
}
/* Room for n bytes to be filled by the caller, or NULL. */
static inline uint8_t *pl_wr_make(pl_wr *w, size_t n)
{
    if (w->bad || n > pl_wr_left(w)) {
        w->bad = true;
        return NULL;
    }
    uint8_t *at = w->p;
    w->p += n;
    return at;
}
static inline void pl_wr_bytes(pl_wr *w, const void *data, size_t n)
{
    uint8_t *at = pl_wr_make(w, n);
    if (at && n)
        memcpy(at, data, n);
}
static inline void pl_wr_zeros(pl_wr *w, size_t n)
{
    uint8_t *at = pl_wr_make(w, n);
    if (at && n)
        memset(at, 0, n);
}
static inline void pl_put16(uint8_t *at, uint16_t v)
{
    at[0] = (uint8_t)(v >> 8);
    at[1] = (uint8_t)v;
}
static inline void pl_put32(uint8_t *at, uint32_t v)
{
    pl_put16(at, (uint16_t)(v >> 16));
    pl_put16(at + 2, (uint16_t)v);
}
static inline void pl_put64(uint8_t *at, uint64_t v)
{
    pl_put32(at, (uint32_t)(v >> 32));
    pl_put32(at + 4, (uint32_t)v);
}
static inline uint16_t pl_get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}
static inline uint32_t pl_get32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}
static inline void pl_wr_u8(pl_wr *w, uint8_t v)
{
    uint8_t *at = pl_wr_make(w, 1);
    if (at)
        at[0] = v;
}
static inline void pl_wr_u16(pl_wr *w, uint16_t v)
{
    uint8_t *at = pl_wr_make(w, 2);
    if (at)
        pl_put16(at, v);
}
static inline void pl_wr_u24(pl_wr *w, uint32_t v)
{
    uint8_t *at = pl_wr_make(w, 3);
    if (at) {
        at[0] = (uint8_t)(v >> 16);
        pl_put16(at + 1, (uint16_t)v);
    }
}
static inline void pl_wr_u32(pl_wr *w, uint32_t v)
{
    uint8_t *at = pl_wr_make(w, 4);
    if (at)
        pl_put32(at, v);
}
static inline void pl_wr_u64(pl_wr *w, uint64_t v)
{
    uint8_t *at = pl_wr_make(w, 8);
    if (at)
        pl_put64(at, v);
}
/* Zeros up to the next multiple of `align`, counted from the writer's start. */
static inline void pl_wr_align(pl_wr *w, size_t align)
{
    while (pl_wr_ok(w) && pl_wr_len(w) % align)
        pl_wr_u8(w, 0);
}
/* A place to come back to: `m = pl_wr_mark(w)` before a length field, `pl_wr_patch16(w, m, v)` after. */
static inline size_t pl_wr_mark(const pl_wr *w)
{
    return pl_wr_len(w);
}
static inline void pl_wr_patch8(pl_wr *w, size_t mark, uint8_t v)
{
    if (pl_wr_ok(w))
        w->start[mark] = v;
}
static inline void pl_wr_patch16(pl_wr *w, size_t mark, uint16_t v)
{
    if (pl_wr_ok(w))
        pl_put16(w->start + mark, v);
}
static inline void pl_wr_patch32(pl_wr *w, size_t mark, uint32_t v)
{
    if (pl_wr_ok(w))
        pl_put32(w->start + mark, v);
}

#endif
