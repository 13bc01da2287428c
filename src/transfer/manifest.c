#include "transfer/manifest.h"

#include <assert.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/list.h"
#include "transfer/path.h"

struct pl_transfer_row {
    pl_hash_node in_names;
    uint64_t size;
    int64_t mtime_us;
    uint32_t path_at;
    uint16_t path_len, mode;
    uint8_t kind;
};

static struct pl_transfer_row *row_at(const pl_transfer_manifest *m, uint32_t i)
{
    return &m->chunk[i / PL_TRANSFER_CHUNK][i % PL_TRANSFER_CHUNK];
}

static pl_str path_of(const pl_transfer_manifest *m, const struct pl_transfer_row *r)
{
    return (pl_str){ m->paths.p + r->path_at, r->path_len };
}

void pl_transfer_manifest_init(pl_transfer_manifest *m, uint32_t max, const pl_rand *rand)
{
    uint8_t key[16];
    assert(max <= PL_TRANSFER_ENTRIES_MAX);
    *m = (pl_transfer_manifest){ .max = max, .paths = pl_buf_init(PL_TRANSFER_PATHS_MAX) };
    pl_rand_bytes(rand, key, sizeof key);
    pl_hash_init(&m->names, max, key);
}

void pl_transfer_manifest_clear(pl_transfer_manifest *m)
{
    for (size_t i = 0; i < sizeof m->chunk / sizeof m->chunk[0]; i++)
        free(m->chunk[i]);
    pl_hash_clear(&m->names);
    pl_buf_clear(&m->paths);
    *m = (pl_transfer_manifest){ .n = 0 };
}

static const struct pl_transfer_row *find(const pl_transfer_manifest *m, pl_str path)
{
    for (pl_hash_node *n = pl_hash_find(&m->names, path.p, path.n); n; n = pl_hash_next(n)) {
        const struct pl_transfer_row *r = pl_of(n, struct pl_transfer_row, in_names);
        if (pl_str_eq(path_of(m, r), path))
            return r;
    }
    return NULL;
}

static const char *check(const pl_transfer_manifest *m, const pl_transfer_entry *e)
{
    const char *why = pl_transfer_path_check(e->path);
    if (why)
        return why;
    if (e->kind > PL_TRANSFER_STREAM)
        return "an entry is of a kind that is not known";
    if (e->kind == PL_TRANSFER_STREAM ? e->size != PL_TRANSFER_SIZE_UNKNOWN : e->size > PL_TRANSFER_SIZE_MAX)
        return "a size is out of range";
    if (e->kind == PL_TRANSFER_FOLDER && e->size)
        return "a folder has a size";
    if (e->kind == PL_TRANSFER_FILE && e->size > PL_TRANSFER_SIZE_MAX - m->total)
        return "the sizes are out of range";
    return find(m, e->path) ? "a name comes twice" : NULL;
}

static pl_err make_room(pl_transfer_manifest *m)
{
    struct pl_transfer_row **chunk = &m->chunk[m->n / PL_TRANSFER_CHUNK];
    if (!*chunk)
        *chunk = calloc(PL_TRANSFER_CHUNK, sizeof **chunk);
    return *chunk ? PL_OK : PL_ENOMEM;
}

pl_err pl_transfer_manifest_add(pl_transfer_manifest *m, const pl_transfer_entry *e, const char **why)
{
    *why = check(m, e);
    if (*why)
        return PL_EINVAL;
    if (m->n == m->max || e->path.n > PL_TRANSFER_PATHS_MAX - m->paths.n) {
        *why = "there are too many files";
        return PL_ENOSPC;
    }
    *why = "no memory";
    if (make_room(m))
        return PL_ENOMEM;
    struct pl_transfer_row *r = row_at(m, m->n);
    size_t at = m->paths.n;
    pl_buf_add(&m->paths, e->path.p, e->path.n);
    if (m->paths.bad || pl_hash_insert(&m->names, &r->in_names, e->path.p, e->path.n)) {
        m->paths.n = at;
        return PL_ENOMEM;
    }
    r->size = e->size;
    r->mtime_us = e->mtime_us;
    r->path_at = (uint32_t)at;
    r->path_len = (uint16_t)e->path.n;
    r->mode = e->mode & PL_TRANSFER_MODE_MASK;
    r->kind = (uint8_t)e->kind;
    m->n++;
    m->n_files += e->kind != PL_TRANSFER_FOLDER;
    m->total += e->kind == PL_TRANSFER_FILE ? e->size : 0;
    *why = NULL;
    return PL_OK;
}

/* Whether everything above a path that is listed is a folder. */
static bool stands_in_folders(const pl_transfer_manifest *m, pl_str path)
{
    for (size_t n = 1; n < path.n; n++) {
        if (path.p[n] != '/')
            continue;
        const struct pl_transfer_row *above = find(m, (pl_str){ path.p, n });
        if (above && above->kind != PL_TRANSFER_FOLDER)
            return false;
    }
    return true;
}

pl_err pl_transfer_manifest_finish(const pl_transfer_manifest *m, const char **why)
{
    for (uint32_t i = 0; i < m->n; i++) {
        const struct pl_transfer_row *r = row_at(m, i);
        *why = "a stream does not come alone";
        if (r->kind == PL_TRANSFER_STREAM && m->n > 1)
            return PL_EINVAL;
        *why = "a file stands where a folder is needed";
        if (!stands_in_folders(m, path_of(m, r)))
            return PL_EINVAL;
    }
    *why = m->n ? NULL : "there is nothing in it";
    return m->n ? PL_OK : PL_EINVAL;
}

pl_transfer_entry pl_transfer_manifest_get(const pl_transfer_manifest *m, uint32_t index)
{
    assert(index < m->n);
    const struct pl_transfer_row *r = row_at(m, index);
    return (pl_transfer_entry){ .path = path_of(m, r),
                                .size = r->size,
                                .mtime_us = r->mtime_us,
                                .mode = r->mode,
                                .kind = (pl_transfer_kind)r->kind };
}

void pl_transfer_manifest_digest(const pl_transfer_manifest *m, uint8_t out[PL_SHA256_LEN])
{
    pl_sha256_run run;
    pl_sha256_begin(&run);
    for (uint32_t i = 0; i < m->n; i++) {
        const struct pl_transfer_row *r = row_at(m, i);
        uint8_t head[24];
        pl_wr w = pl_wr_init(head, sizeof head);
        pl_wr_u8(&w, r->kind);
        pl_wr_u16(&w, r->mode);
        pl_wr_u64(&w, (uint64_t)r->mtime_us);
        pl_wr_u64(&w, r->size);
        pl_wr_u16(&w, r->path_len);
        pl_sha256_more(&run, head, pl_wr_len(&w));
        pl_sha256_more(&run, m->paths.p + r->path_at, r->path_len);
    }
    pl_sha256_so_far(&run, out);
}
