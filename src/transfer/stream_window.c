#include "transfer/stream_window.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

pl_err pl_transfer_stream_init(pl_transfer_stream *s, size_t cap)
{
    if (s->ring)
        return PL_OK;
    s->ring = malloc(cap);
    s->cap = cap;
    pl_sha256_begin(&s->run);
    return s->ring ? PL_OK : PL_ENOMEM;
}

void pl_transfer_stream_clear(pl_transfer_stream *s)
{
    free(s->ring);
    *s = (pl_transfer_stream){ .ring = NULL };
}

size_t pl_transfer_stream_room(const pl_transfer_stream *s)
{
    return s->cap - (size_t)(s->tail - s->base);
}

void pl_transfer_stream_add(pl_transfer_stream *s, const void *data, size_t len)
{
    assert(len <= pl_transfer_stream_room(s));
    s->ended |= len == 0;
    if (len == 0)
        return;
    size_t at = (size_t)(s->tail % s->cap), first = len < s->cap - at ? len : s->cap - at;
    memcpy(s->ring + at, data, first);
    memcpy(s->ring, (const uint8_t *)data + first, len - first);
    s->tail += len;
}

const uint8_t *pl_transfer_stream_at(const pl_transfer_stream *s, uint64_t pos, size_t *n)
{
    assert(pos >= s->base && pos <= s->tail);
    size_t at = (size_t)(pos % s->cap), left = (size_t)(s->tail - pos);
    *n = left < s->cap - at ? left : s->cap - at;
    return s->ring + at;
}

/* Hashes [base, to) on top of what came before. */
static void hash_to(const pl_transfer_stream *s, uint64_t to, pl_sha256_run *run)
{
    for (uint64_t pos = s->base; pos < to;) {
        size_t n;
        const uint8_t *at = pl_transfer_stream_at(s, pos, &n);
        n = to - pos < n ? (size_t)(to - pos) : n;
        pl_sha256_more(run, at, n);
        pos += n;
    }
}

void pl_transfer_stream_drop(pl_transfer_stream *s, uint64_t bytes)
{
    assert(bytes <= s->tail - s->base);
    hash_to(s, s->base + bytes, &s->run);
    s->base += bytes;
}

void pl_transfer_stream_digest(const pl_transfer_stream *s, uint8_t out[PL_SHA256_LEN])
{
    pl_sha256_run run = s->run;
    hash_to(s, s->tail, &run);
    pl_sha256_so_far(&run, out);
}

bool pl_transfer_stream_rewind(pl_transfer_stream *s, uint64_t offset, const uint8_t *sha256)
{
    uint8_t own[PL_SHA256_LEN];
    if (offset < s->base || offset > s->tail)
        return false;
    pl_sha256_run run = s->run;
    hash_to(s, offset, &run);
    pl_sha256_so_far(&run, own);
    if (sha256 && memcmp(own, sha256, sizeof own) != 0)
        return false;
    s->run = run;
    s->base = offset;
    return true;
}
