/* A sender of three files, a folder and what its receiver says of them: answers of chosen types with numbers of the input,
 * channels that break and come again, files that cannot be read. It never asks for bytes beyond a file, and never
 * has more under way than the window. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "transfer/sender.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { N = 4 };
static const uint64_t sizes[N] = { 0, 5000, 0, 70000 };
static uint8_t block[PL_TRANSFER_HEADROOM + PL_TRANSFER_BLOCK];

static pl_transfer_sender *new_sender(bool stream)
{
    pl_transfer_sender *s;
    const char *why;
    static const char *const names[N] = { "d", "d/a", "d/b", "d/c" };
    if (pl_transfer_sender_new(&s, &(pl_transfer_sender_conf){ .rand = { NULL } }))
        return NULL;
    for (int i = 0; i < (stream ? 1 : N); i++) {
        pl_transfer_entry e = { .path = pl_str_of(names[i]),
                                .size = sizes[i],
                                .kind = i ? PL_TRANSFER_FILE : PL_TRANSFER_FOLDER };
        if (stream) {
            e.kind = PL_TRANSFER_STREAM;
            e.size = PL_TRANSFER_SIZE_UNKNOWN;
        }
        pl_err err = pl_transfer_sender_add(s, &e, &why);
        assert(!err);
    }
    return s;
}

static void read_some(pl_transfer_sender *s, uint8_t how)
{
    pl_transfer_want w;
    if (!pl_transfer_sender_want(s, &w))
        return;
    assert(w.max > 0 && w.max <= PL_TRANSFER_BLOCK);
    assert(w.stream || w.offset + w.max <= sizes[w.index]);
    size_t n = how % 16 == 0 ? 0 : how % 2 ? w.max : 1 + w.max / 3;
    if (how % 16 == 2)
        pl_transfer_sender_unreadable(s, w.index, "gone");
    else
        pl_transfer_sender_read(s, block + PL_TRANSFER_HEADROOM, n < 100000 ? n : 100000);
}

static void send_some(pl_transfer_sender *s, int n)
{
    pl_transfer_output o;
    for (int i = 0; i < n && pl_transfer_sender_poll_output(s, &o); i++) {
        assert(o.len > 0 && o.len <= 8192);
        pl_transfer_sender_sent(s);
    }
}

static void answer(pl_transfer_sender *s, pl_rd *in)
{
    uint8_t out[64];
    pl_wr w = pl_wr_init(out, sizeof out);
    uint8_t type = pl_rd_u8(in) % 14, index = pl_rd_u8(in) % (N + 1), number = pl_rd_u8(in);
    pl_transfer_have h = { .index = index, .offset = number };
    pl_transfer_note n = { .index = index, .code = number % 5 };
    static const uint8_t zeros[256];
    switch (type) {
    case PL_TRANSFER_HAVE:
        pl_sha256(zeros, number, h.sha256);
        pl_wr_u8(&w, type);
        pl_transfer_write_have(&w, &h);
        break;
    case PL_TRANSFER_ACCEPT: pl_transfer_write_accept(&w, PL_TRANSFER_BLOCK + number); break;
    case PL_TRANSFER_RECEIVED: pl_transfer_write_received(&w, (uint64_t)number << 8); break;
    case PL_TRANSFER_STORED:
    case PL_TRANSFER_CANCEL: pl_transfer_write_note(&w, (pl_transfer_type)type, &n); break;
    default: pl_wr_u8(&w, type); break;
    }
    pl_transfer_sender_input(s, out, pl_wr_len(&w));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pl_rd in = pl_rd_init(data, size);
    pl_transfer_sender *s = new_sender(pl_rd_u8(&in) % 4 == 0);
    pl_transfer_sender_event e;
    if (!s)
        return 0;
    memset(block, 0, sizeof block);
    (void)!pl_transfer_sender_start(s, 8192);
    while (pl_rd_left(&in) > 0) {
        uint8_t what = pl_rd_u8(&in);
        switch (what % 8) {
        case 0: (void)!pl_transfer_sender_start(s, 8192); break;
        case 1:
        case 2: read_some(s, pl_rd_u8(&in)); break;
        case 3:
        case 4: send_some(s, what / 8); break;
        case 5: {
            size_t n = pl_rd_u8(&in) % 64;
            n = n < pl_rd_left(&in) ? n : pl_rd_left(&in);
            pl_transfer_sender_input(s, pl_rd_take(&in, n), n);
            break;
        }
        default: answer(s, &in); break;
        }
        while (pl_transfer_sender_poll_event(s, &e))
            assert(e.index < N && e.text);
        pl_transfer_sender_check(s);
    }
    pl_transfer_sender_free(s);
    return 0;
}
