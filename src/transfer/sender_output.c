#include "transfer/sender_internal.h"

#include <assert.h>

enum { LISTING_BYTES = 16384 }; /* of one ENTRIES message */

static void show(pl_transfer_sender *s, pl_transfer_type type, const pl_wr *w)
{
    assert(pl_wr_ok(w));
    s->shown = (pl_transfer_output){ w->start, pl_wr_len(w) };
    s->shown_type = type;
    s->shown_payload = 0;
}

static void make_listing(pl_transfer_sender *s, pl_wr *w)
{
    if (!s->offered) {
        pl_transfer_offer o = { .n_entries = s->manifest.n, .total = s->manifest.total };
        memcpy(o.id, s->id, sizeof o.id);
        pl_transfer_write_offer(w, &o);
        s->offered = true;
        show(s, PL_TRANSFER_OFFER, w);
        return;
    }
    size_t max = pl_transfer_least(s->message_max, LISTING_BYTES);
    pl_wr_u8(w, PL_TRANSFER_ENTRIES);
    while (s->listed < s->manifest.n) {
        pl_transfer_entry e = pl_transfer_manifest_get(&s->manifest, s->listed);
        size_t need = 21 + e.path.n;
        if (pl_wr_len(w) + need > max)
            break;
        pl_transfer_write_entry(w, &e);
        s->listed++;
    }
    show(s, PL_TRANSFER_ENTRIES, w);
}

static void make_end(pl_transfer_sender *s, pl_wr *w)
{
    pl_transfer_end e = { .index = s->index, .size = s->pos };
    if (s->is_stream)
        pl_transfer_stream_digest(&s->stream, e.sha256);
    else
        pl_sha256_so_far(&s->run, e.sha256);
    pl_transfer_write_end(w, &e);
    sender_result *r = &s->result[s->index];
    r->ended = true;
    memcpy(r->sha256, e.sha256, sizeof r->sha256);
    show(s, PL_TRANSFER_END, w);
}

static void make_missing(pl_transfer_sender *s, pl_wr *w)
{
    pl_transfer_note n = { .index = s->index, .code = PL_TRANSFER_UNREAD, .text = pl_str_of(s->why) };
    s->result[s->index].ended = s->result[s->index].missing = true;
    pl_transfer_write_note(w, PL_TRANSFER_MISSING, &n);
    show(s, PL_TRANSFER_MISSING, w);
}

static void make_begin(pl_transfer_sender *s, pl_wr *w)
{
    pl_transfer_write_spot(w, PL_TRANSFER_BEGIN, &(pl_transfer_spot){ s->index, s->pos });
    s->begins_at = s->pos;
    s->begins_index = s->index;
    show(s, PL_TRANSFER_BEGIN, w);
}

/* From the block, in whose front, or over bytes that have gone, the header fits; from a stream by a copy. */
static bool make_data(pl_transfer_sender *s)
{
    size_t max = pl_transfer_least(s->message_max - PL_TRANSFER_DATA_HEADER, pl_transfer_sender_credit(s)), n;
    uint8_t *at = s->out;
    if (s->is_stream) {
        const uint8_t *bytes = pl_transfer_stream_at(&s->stream, s->pos, &n);
        n = pl_transfer_least(n, max);
        if (n && at)
            memcpy(at + PL_TRANSFER_DATA_HEADER, bytes, n);
    } else {
        n = pl_transfer_least(s->block_len - s->block_sent, max);
        at = n ? s->block + s->block_sent - PL_TRANSFER_DATA_HEADER : NULL;
    }
    if (n == 0)
        return false;
    pl_wr w = pl_wr_init(at, PL_TRANSFER_DATA_HEADER);
    pl_transfer_write_spot(&w, PL_TRANSFER_DATA, &(pl_transfer_spot){ s->index, s->pos });
    show(s, PL_TRANSFER_DATA, &w);
    s->shown.len += n;
    s->shown_payload = n;
    return true;
}

static void make_cancel(pl_transfer_sender *s, pl_wr *w)
{
    pl_transfer_note n = { .code = (uint8_t)s->code, .text = pl_str_of(s->text) };
    pl_transfer_write_note(w, PL_TRANSFER_CANCEL, &n);
    show(s, PL_TRANSFER_CANCEL, w);
    s->cancel_due = false;
}

static void make(pl_transfer_sender *s)
{
    pl_wr w = pl_wr_init(s->out, PL_TRANSFER_MESSAGE_MAX);
    pl_transfer_sender_settle(s);
    if (s->cancel_due && s->out) {
        make_cancel(s, &w);
    } else if (s->state == LISTING) {
        make_listing(s, &w);
    } else if (s->state == FINISHED && s->phase == NO_MORE) {
        pl_wr_u8(&w, PL_TRANSFER_DONE);
        show(s, PL_TRANSFER_DONE, &w);
    } else if (s->state == SENDING) {
        switch (s->phase) {
        case BEGIN: make_begin(s, &w); break;
        case BYTES: (void)make_data(s); break;
        case ENDING: make_end(s, &w); break;
        case GIVE_UP: make_missing(s, &w); break;
        case PICK:
        case CHECK:
        case NO_MORE: break;
        }
    }
}

bool pl_transfer_sender_poll_output(pl_transfer_sender *s, pl_transfer_output *out)
{
    if (!s->shown.len)
        make(s);
    *out = s->shown;
    return s->shown.len > 0;
}

void pl_transfer_sender_sent(pl_transfer_sender *s)
{
    if (!s->shown.len)
        return;
    s->shown = (pl_transfer_output){ NULL, 0 };
    switch (s->shown_type) {
    case PL_TRANSFER_ENTRIES:
        if (s->listed == s->manifest.n)
            s->state = ASKING;
        break;
    case PL_TRANSFER_BEGIN:
        s->begins_due = true;
        s->phase = BYTES;
        break;
    case PL_TRANSFER_DATA:
        s->pos += s->shown_payload;
        s->sent_bytes += s->shown_payload;
        s->block_sent += s->is_stream ? 0 : s->shown_payload;
        break;
    case PL_TRANSFER_END:
    case PL_TRANSFER_MISSING: pl_transfer_sender_next_file(s, s->index + 1); break;
    case PL_TRANSFER_DONE:
        s->done_due = true;
        s->state = OVER;
        break;
    default: break;
    }
    pl_transfer_sender_settle(s);
}
