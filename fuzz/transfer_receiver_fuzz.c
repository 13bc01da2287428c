/* A receiver of files and whatever its sender says: messages of chosen types with bytes of the input, channels that break
 * and come again, a caller that accepts, declines, stores and fails. The receiver may never ask for what breaks
 * its promises: names that lead elsewhere, bytes beyond a file's size, data in another place than where it is. */
#include <assert.h>
#include <stdlib.h>

#include "transfer/path.h"
#include "transfer/receiver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct fz {
    pl_rd in;
    pl_transfer_receiver *r;
    uint64_t at[64]; /* of each entry: where its next byte belongs */
    uint64_t unwritten;
} fz;

static void offered(fz *f)
{
    const pl_transfer_manifest *m = pl_transfer_receiver_manifest(f->r);
    assert(m->n > 0 && m->n <= 64);
    for (uint32_t i = 0; i < m->n; i++) {
        pl_transfer_entry e = pl_transfer_manifest_get(m, i);
        assert(pl_transfer_path_check(e.path) == NULL);
    }
    uint8_t what = pl_rd_u8(&f->in);
    if (what % 8 == 0) {
        pl_transfer_receiver_cancel(f->r, PL_TRANSFER_DECLINED, "no");
        return;
    }
    for (uint32_t i = 0; i < m->n && what & 8; i++) {
        uint8_t have[16] = { 0 };
        (void)!pl_transfer_receiver_have_bytes(f->r, i, have, what % sizeof have);
        if (what & 16)
            pl_transfer_receiver_forget(f->r, i);
    }
    pl_err err = pl_transfer_receiver_accept(f->r);
    assert(!err);
}

static void hear(fz *f)
{
    pl_transfer_receiver_event e;
    while (pl_transfer_receiver_poll_event(f->r, &e)) {
        const pl_transfer_manifest *m = pl_transfer_receiver_manifest(f->r);
        switch (e.kind) {
        case PL_TRANSFER_RECEIVER_OFFER: offered(f); break;
        case PL_TRANSFER_RECEIVER_BEGINS:
            assert(e.index < m->n && e.offset <= pl_transfer_manifest_get(m, e.index).size);
            f->at[e.index] = e.offset;
            break;
        case PL_TRANSFER_RECEIVER_DATA:
            assert(e.index < m->n && e.len > 0 && e.offset == f->at[e.index]);
            assert(e.len <= pl_transfer_manifest_get(m, e.index).size - e.offset);
            f->at[e.index] += e.len;
            f->unwritten += e.len;
            break;
        case PL_TRANSFER_RECEIVER_END:
            assert(e.offset == f->at[e.index]);
            pl_transfer_receiver_stored(f->r, e.index,
                                        pl_rd_u8(&f->in) & 1 ? PL_TRANSFER_WHOLE : PL_TRANSFER_UNWRITTEN, "");
            break;
        case PL_TRANSFER_RECEIVER_MISSING: assert(e.index < m->n); break;
        case PL_TRANSFER_RECEIVER_DONE:
        case PL_TRANSFER_RECEIVER_FAILED: break;
        }
    }
}

/* A message as it should be, with small numbers of the input. */
static size_t make(fz *f, uint8_t out[256])
{
    pl_wr w = pl_wr_init(out, 256);
    uint8_t type = pl_rd_u8(&f->in) % 14, index = pl_rd_u8(&f->in) % 8, size = pl_rd_u8(&f->in) % 32;
    static const char *const names[] = { "a", "b/c", "b", "../x", "d/e/f", "g.part", "h", "a" };
    pl_transfer_offer o = { .n_entries = index, .total = size };
    pl_transfer_entry e = { .path = pl_str_of(names[index]), .size = size };
    pl_transfer_end end = { .index = index, .size = size };
    pl_transfer_note n = { .index = index, .code = size };
    switch (type) {
    case PL_TRANSFER_OFFER: pl_transfer_write_offer(&w, &o); break;
    case PL_TRANSFER_ENTRIES:
        pl_wr_u8(&w, type);
        pl_transfer_write_entry(&w, &e);
        break;
    case PL_TRANSFER_BEGIN:
    case PL_TRANSFER_DATA:
        pl_transfer_write_spot(&w, (pl_transfer_type)type, &(pl_transfer_spot){ index, size });
        pl_wr_zeros(&w, type == PL_TRANSFER_DATA ? 1 + size % 8 : 0);
        break;
    case PL_TRANSFER_END:
        pl_sha256("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", size, end.sha256);
        pl_transfer_write_end(&w, &end);
        break;
    case PL_TRANSFER_MISSING:
    case PL_TRANSFER_CANCEL: pl_transfer_write_note(&w, (pl_transfer_type)type, &n); break;
    default: pl_wr_u8(&w, type); break;
    }
    return pl_wr_len(&w);
}

static void say(fz *f)
{
    uint8_t made[256];
    size_t len = make(f, made);
    pl_transfer_receiver_input(f->r, made, len);
}

static void say_raw(fz *f)
{
    size_t len = pl_rd_u8(&f->in);
    len = len < pl_rd_left(&f->in) ? len : pl_rd_left(&f->in);
    const uint8_t *at = pl_rd_take(&f->in, len);
    pl_transfer_receiver_input(f->r, at, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fz f = { .in = pl_rd_init(data, size) };
    pl_transfer_receiver_conf conf = { .max_entries = 64, .max_bytes = 1 << 20, .window = PL_TRANSFER_BLOCK };
    pl_rand_seeded seed;
    pl_transfer_output o;
    conf.rand = pl_rand_seed(&seed, 1);
    if (pl_transfer_receiver_new(&f.r, &conf))
        return 0;
    (void)!pl_transfer_receiver_start(f.r, 65536);
    while (pl_rd_left(&f.in) > 0) {
        switch (pl_rd_u8(&f.in) % 8) {
        case 0: say_raw(&f); break;
        case 1:
            if (pl_transfer_receiver_start(f.r, 65536) == PL_OK)
                f.unwritten = 0;
            break;
        case 2:
            pl_transfer_receiver_written(f.r, f.unwritten);
            f.unwritten = 0;
            break;
        case 3: pl_transfer_receiver_stored(f.r, pl_rd_u8(&f.in) % 8, PL_TRANSFER_UNWRITTEN, "disk"); break;
        default: say(&f); break;
        }
        hear(&f);
        pl_transfer_receiver_check(f.r);
        while (pl_transfer_receiver_poll_output(f.r, &o)) {
            assert(o.len <= PL_TRANSFER_MESSAGE_MIN);
            pl_transfer_receiver_sent(f.r);
        }
    }
    pl_transfer_receiver_free(f.r);
    return 0;
}
