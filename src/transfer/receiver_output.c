#include "transfer/receiver_internal.h"

#include <assert.h>

enum { REPORT_EVERY = 512 << 10 }; /* bytes written between two RECEIVED, or an eighth of the window */

static void show(pl_transfer_receiver *r, const pl_wr *w)
{
    assert(pl_wr_ok(w));
    r->shown = (pl_transfer_output){ w->start, pl_wr_len(w) };
}

static bool make_have(pl_transfer_receiver *r, pl_wr *w)
{
    pl_wr_u8(w, PL_TRANSFER_HAVE);
    for (; r->have_told < r->manifest.n && pl_wr_left(w) >= PL_TRANSFER_HAVE_LEN; r->have_told++) {
        const receiver_file *f = &r->file[r->have_told];
        pl_transfer_have h = { .index = r->have_told, .offset = f->have };
        if (!f->have || f->status > 0)
            continue;
        if (f->run)
            pl_sha256_so_far(f->run, h.sha256);
        else
            memcpy(h.sha256, f->sha256, sizeof h.sha256);
        pl_transfer_write_have(w, &h);
    }
    if (pl_wr_len(w) > 1)
        show(r, w);
    return pl_wr_len(w) > 1;
}

static void make_answer(pl_transfer_receiver *r, pl_wr *w)
{
    uint32_t index = r->answer[r->n_answer_out++ % r->cap_answer];
    pl_transfer_note n = { .index = index, .code = (uint8_t)r->file[index].status };
    if (index == r->why_index && n.code == PL_TRANSFER_UNWRITTEN)
        n.text = pl_str_of(r->why);
    pl_transfer_write_note(w, PL_TRANSFER_STORED, &n);
    show(r, w);
}

static bool report_is_due(const pl_transfer_receiver *r)
{
    uint64_t every = r->conf.window / 8 < REPORT_EVERY ? r->conf.window / 8 : REPORT_EVERY;
    return r->written - r->reported >= every;
}

static void make(pl_transfer_receiver *r)
{
    pl_wr w = pl_wr_init(r->out, sizeof r->out);
    if (r->cancel_due) {
        pl_transfer_note n = { .code = (uint8_t)r->code, .text = pl_str_of(r->text) };
        pl_transfer_write_note(&w, PL_TRANSFER_CANCEL, &n);
        r->cancel_due = false;
        show(r, &w);
        return;
    }
    if (r->state != FLOWING)
        return;
    if (r->accept_due) {
        if (r->have_told < r->manifest.n && make_have(r, &w))
            return;
        w = pl_wr_init(r->out, sizeof r->out);
        pl_transfer_write_accept(&w, r->conf.window);
        r->accept_due = false;
        show(r, &w);
    } else if (r->n_answer_out != r->n_answer_in) {
        make_answer(r, &w);
    } else if (report_is_due(r)) {
        pl_transfer_write_received(&w, r->written);
        r->reported = r->written;
        show(r, &w);
    }
}

bool pl_transfer_receiver_poll_output(pl_transfer_receiver *r, pl_transfer_output *out)
{
    if (!r->shown.len)
        make(r);
    *out = r->shown;
    return r->shown.len > 0;
}

void pl_transfer_receiver_sent(pl_transfer_receiver *r)
{
    r->shown = (pl_transfer_output){ NULL, 0 };
}
