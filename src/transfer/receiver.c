#include "transfer/receiver_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { WINDOW = 64 << 20 };

/* ---- life ---- */

pl_err pl_transfer_receiver_new(pl_transfer_receiver **out, const pl_transfer_receiver_conf *conf)
{
    pl_transfer_receiver *r = calloc(1, sizeof *r);
    *out = r;
    if (!r)
        return PL_ENOMEM;
    r->conf = *conf;
    if (!r->conf.max_entries || r->conf.max_entries > PL_TRANSFER_ENTRIES_MAX)
        r->conf.max_entries = PL_TRANSFER_ENTRIES_MAX;
    if (!r->conf.max_bytes)
        r->conf.max_bytes = UINT64_MAX;
    if (!r->conf.window)
        r->conf.window = WINDOW;
    if (r->conf.window < PL_TRANSFER_BLOCK)
        r->conf.window = PL_TRANSFER_BLOCK;
    return PL_OK;
}

static void forget_files(pl_transfer_receiver *r)
{
    for (uint32_t i = 0; r->file && i < r->manifest.n; i++)
        free(r->file[i].run);
    free(r->file);
    free(r->answer);
    r->file = NULL;
    r->answer = NULL;
    pl_transfer_manifest_clear(&r->manifest);
    r->is_known = false;
}

void pl_transfer_receiver_free(pl_transfer_receiver *r)
{
    if (!r)
        return;
    forget_files(r);
    pl_transfer_manifest_clear(&r->fresh);
    free(r);
}

pl_err pl_transfer_receiver_start(pl_transfer_receiver *r, size_t message_max)
{
    if (message_max < PL_TRANSFER_MESSAGE_MIN)
        return PL_EINVAL;
    if (r->state == OVER)
        return PL_ESTATE;
    r->state = WAITING;
    r->message_max = message_max;
    r->carried += r->came;
    r->came = r->written = r->reported = 0;
    r->next = r->index = 0;
    r->begun = r->dropped = false;
    r->accept_due = r->event_due = false;
    r->n_answer_in = r->n_answer_out = 0;
    r->shown = (pl_transfer_output){ NULL, 0 };
    return PL_OK;
}

const pl_transfer_manifest *pl_transfer_receiver_manifest(const pl_transfer_receiver *r)
{
    return &r->manifest;
}

static pl_transfer_receiver_event *say(pl_transfer_receiver *r, pl_transfer_receiver_event_kind kind,
                                       uint32_t index)
{
    assert(!r->event_due || kind == PL_TRANSFER_RECEIVER_FAILED);
    r->event = (pl_transfer_receiver_event){ .kind = kind, .index = index, .text = "" };
    r->event_due = true;
    return &r->event;
}

static void end(pl_transfer_receiver *r, unsigned code, pl_str text, bool theirs)
{
    if (r->state == OVER)
        return;
    r->state = OVER;
    r->cancel_due = !theirs;
    r->code = code;
    r->shown = (pl_transfer_output){ NULL, 0 };
    snprintf(r->text, sizeof r->text, "%.*s", (int)text.n, text.n ? text.p : "");
    pl_transfer_receiver_event *e = say(r, PL_TRANSFER_RECEIVER_FAILED, 0);
    e->code = code;
    e->theirs = theirs;
    e->text = r->text;
}

static void broken(pl_transfer_receiver *r, const char *why)
{
    end(r, PL_TRANSFER_BROKEN, pl_str_of(why), false);
}

void pl_transfer_receiver_cancel(pl_transfer_receiver *r, pl_transfer_code code, const char *text)
{
    if (r->state == OVER)
        return;
    end(r, code, pl_str_of(text), false);
    r->event_due = false;
}

/* ---- what is offered ---- */

static void take_offer(pl_transfer_receiver *r, pl_rd body)
{
    if (pl_transfer_read_offer(&r->offer, body)) {
        broken(r, "an offer that is not understood");
    } else if (r->offer.n_entries > r->conf.max_entries) {
        end(r, PL_TRANSFER_REFUSED, PL_STR("there are too many files"), false);
    } else if (r->offer.total > r->conf.max_bytes) {
        end(r, PL_TRANSFER_REFUSED, PL_STR("that is more than is taken"), false);
    } else {
        pl_transfer_manifest_clear(&r->fresh);
        pl_transfer_manifest_init(&r->fresh, r->conf.max_entries, &r->conf.rand);
        r->state = LISTING;
    }
}

static pl_err take_over(pl_transfer_receiver *r, const uint8_t digest[PL_SHA256_LEN])
{
    uint32_t n = r->fresh.n;
    receiver_file *files = calloc(n, sizeof *files);
    uint32_t *answer = calloc(n, sizeof *answer);
    if (!files || !answer) {
        free(files);
        free(answer);
        return PL_ENOMEM;
    }
    forget_files(r);
    for (uint32_t i = 0; i < n; i++)
        files[i].status = OPEN;
    r->manifest = r->fresh;
    r->fresh = (pl_transfer_manifest){ .n = 0 };
    r->file = files;
    r->answer = answer;
    r->cap_answer = n;
    r->known = r->offer;
    r->is_known = true;
    r->n_whole = r->n_bad = 0;
    r->done_bytes = r->carried = 0;
    memcpy(r->digest, digest, sizeof r->digest);
    return PL_OK;
}

static void listed(pl_transfer_receiver *r)
{
    uint8_t digest[PL_SHA256_LEN];
    const char *why;
    pl_err err = pl_transfer_manifest_finish(&r->fresh, &why);
    if (err || r->fresh.total != r->offer.total) {
        end(r, PL_TRANSFER_REFUSED, pl_str_of(err ? why : "the sizes do not add up"), false);
        return;
    }
    pl_transfer_manifest_digest(&r->fresh, digest);
    bool again = r->is_known && memcmp(r->known.id, r->offer.id, sizeof r->offer.id) == 0;
    if (again && memcmp(digest, r->digest, sizeof digest) != 0) {
        broken(r, "another transfer under the same name");
        return;
    }
    if (again) {
        pl_transfer_manifest_clear(&r->fresh);
    } else if (take_over(r, digest)) {
        end(r, PL_TRANSFER_FAILED, PL_STR("no memory"), false);
        return;
    }
    r->state = ASKED;
    say(r, PL_TRANSFER_RECEIVER_OFFER, 0)->again = again;
}

static void take_entries(pl_transfer_receiver *r, pl_rd body)
{
    while (pl_rd_left(&body) > 0) {
        pl_transfer_entry e;
        const char *why = "a message is malformed";
        if (r->fresh.n == r->offer.n_entries || pl_transfer_read_entry(&e, &body)) {
            broken(r, why);
            return;
        }
        pl_err err = pl_transfer_manifest_add(&r->fresh, &e, &why);
        if (err) {
            end(r, err == PL_ENOMEM ? PL_TRANSFER_FAILED : PL_TRANSFER_REFUSED, pl_str_of(why), false);
            return;
        }
    }
    if (r->fresh.n == r->offer.n_entries)
        listed(r);
}

/* ---- what we have ---- */

static void forget(receiver_file *f)
{
    free(f->run);
    f->run = NULL;
    f->have = 0;
}

pl_err pl_transfer_receiver_have_bytes(pl_transfer_receiver *r, uint32_t index, const void *data, size_t len)
{
    if (r->state != ASKED || index >= r->manifest.n)
        return PL_EINVAL;
    receiver_file *f = &r->file[index];
    pl_transfer_entry e = pl_transfer_manifest_get(&r->manifest, index);
    if (e.kind != PL_TRANSFER_FILE || len > e.size - f->have || f->status != OPEN)
        return PL_EINVAL;
    if (!f->run) {
        f->run = malloc(sizeof *f->run);
        if (!f->run)
            return PL_ENOMEM;
        pl_sha256_begin(f->run);
    }
    pl_sha256_more(f->run, data, len);
    f->have += len;
    return PL_OK;
}

void pl_transfer_receiver_forget(pl_transfer_receiver *r, uint32_t index)
{
    if (r->state == ASKED && index < r->manifest.n && r->file[index].status == OPEN)
        forget(&r->file[index]);
}

uint64_t pl_transfer_receiver_have(const pl_transfer_receiver *r, uint32_t index)
{
    return index < r->manifest.n ? r->file[index].have : 0;
}

pl_err pl_transfer_receiver_accept(pl_transfer_receiver *r)
{
    if (r->state != ASKED)
        return PL_ESTATE;
    r->state = FLOWING;
    r->have_told = 0;
    r->accept_due = true;
    return PL_OK;
}

/* ---- files ---- */

static void answer(pl_transfer_receiver *r, uint32_t index)
{
    assert(r->n_answer_in - r->n_answer_out < r->cap_answer);
    r->answer[r->n_answer_in++ % r->cap_answer] = index;
}

static uint64_t size_of(const pl_transfer_receiver *r, uint32_t index)
{
    pl_transfer_entry e = pl_transfer_manifest_get(&r->manifest, index);
    return e.kind == PL_TRANSFER_FILE ? e.size : 0;
}

static void settle(pl_transfer_receiver *r, uint32_t index, pl_transfer_status status)
{
    receiver_file *f = &r->file[index];
    if (f->status < 0) {
        r->n_whole += status == PL_TRANSFER_WHOLE;
        r->n_bad += status != PL_TRANSFER_WHOLE;
        r->done_bytes += size_of(r, index);
    }
    f->status = (int8_t)status;
    free(f->run);
    f->run = NULL;
    if (status != PL_TRANSFER_WHOLE)
        f->have = 0;
}

static void settle_and_answer(pl_transfer_receiver *r, uint32_t index, pl_transfer_status status)
{
    settle(r, index, status);
    answer(r, index);
}

static pl_err new_run(receiver_file *f)
{
    if (!f->run)
        f->run = malloc(sizeof *f->run);
    if (!f->run)
        return PL_ENOMEM;
    pl_sha256_begin(f->run);
    f->have = 0;
    return PL_OK;
}

/* One that was stored already, of which the sender missed the answer, begins and ends without a byte, and the caller
 * hears nothing of it. One that went wrong before may be sent once more. */
static void take_begin(pl_transfer_receiver *r, pl_rd body)
{
    pl_transfer_spot s;
    bool good = pl_transfer_read_begin(&s, body) == PL_OK && (!r->begun || r->dropped) &&
                s.index >= r->next && s.index < r->manifest.n;
    if (!good || pl_transfer_manifest_get(&r->manifest, s.index).kind == PL_TRANSFER_FOLDER) {
        broken(r, "a file begins out of turn");
        return;
    }
    receiver_file *f = &r->file[s.index];
    bool stored = f->status == PL_TRANSFER_WHOLE || f->status == TO_STORE;
    if ((s.offset && s.offset != f->have) || (stored && s.offset != f->have)) {
        broken(r, "a file begins at another place than where we are");
        return;
    }
    if (!stored && s.offset == 0 && new_run(f)) {
        end(r, PL_TRANSFER_FAILED, PL_STR("no memory"), false);
        return;
    }
    if (f->status > 0) { /* a second try */
        f->status = OPEN;
        r->n_bad--;
        r->done_bytes -= size_of(r, s.index);
    }
    r->begun = true;
    r->dropped = false;
    r->index = s.index;
    r->next = s.index + 1;
    if (!stored)
        say(r, PL_TRANSFER_RECEIVER_BEGINS, s.index)->offset = s.offset;
}

static void take_data(pl_transfer_receiver *r, pl_rd body)
{
    pl_transfer_spot s;
    bool good = pl_transfer_read_data(&s, &body) == PL_OK && r->begun && s.index == r->index;
    size_t len = pl_rd_left(&body);
    if (!good || len > r->conf.window - (r->came - r->written)) {
        broken(r, "data out of turn, or more than the window");
        return;
    }
    r->came += len;
    if (r->dropped) { /* it was under way when we gave up on the file */
        r->written += len;
        return;
    }
    receiver_file *f = &r->file[s.index];
    uint64_t size = pl_transfer_manifest_get(&r->manifest, s.index).size;
    uint64_t max = size == PL_TRANSFER_SIZE_UNKNOWN ? r->conf.max_bytes : size;
    if (f->status != OPEN || s.offset != f->have) {
        broken(r, "data at another place than where we are");
        return;
    }
    if (f->have > max || len > max - f->have) {
        end(r, PL_TRANSFER_REFUSED, PL_STR("more comes than was offered"), false);
        return;
    }
    pl_sha256_more(f->run, body.p, len);
    f->have += len;
    pl_transfer_receiver_event *e = say(r, PL_TRANSFER_RECEIVER_DATA, s.index);
    e->offset = s.offset;
    e->data = body.p;
    e->len = len;
}

static void finish_file(pl_transfer_receiver *r, const pl_transfer_end *e)
{
    receiver_file *f = &r->file[e->index];
    pl_sha256_so_far(f->run, f->sha256);
    bool whole = memcmp(f->sha256, e->sha256, sizeof f->sha256) == 0;
    if (whole)
        f->status = TO_STORE;
    else
        settle_and_answer(r, e->index, PL_TRANSFER_DAMAGED);
    pl_transfer_receiver_event *ev = say(r, PL_TRANSFER_RECEIVER_END, e->index);
    ev->offset = e->size;
    ev->whole = whole;
    memcpy(ev->sha256, f->sha256, sizeof ev->sha256);
}

static void take_end(pl_transfer_receiver *r, pl_rd body)
{
    pl_transfer_end e;
    if (pl_transfer_read_end(&e, body) || !r->begun || e.index != r->index) {
        broken(r, "a file ends out of turn");
        return;
    }
    receiver_file *f = &r->file[e.index];
    uint64_t size = pl_transfer_manifest_get(&r->manifest, e.index).size;
    r->begun = false;
    if (r->dropped) {
        r->dropped = false;
        return;
    }
    if (e.size != f->have || (size != PL_TRANSFER_SIZE_UNKNOWN && e.size != size)) {
        broken(r, "a file ends before its end");
        return;
    }
    if (f->status == OPEN)
        finish_file(r, &e);
    else if (f->status == PL_TRANSFER_WHOLE)
        answer(r, e.index); /* once more; of one TO_STORE the caller's answer is still to come */
}

static void take_missing(pl_transfer_receiver *r, pl_rd body)
{
    pl_transfer_note n;
    bool good = pl_transfer_read_note(&n, PL_TRANSFER_MISSING, body) == PL_OK && n.index < r->manifest.n;
    bool at_hand = good && r->begun && !r->dropped && n.index == r->index;
    bool dropped = good && r->begun && r->dropped && n.index == r->index;
    bool next = good && (!r->begun || r->dropped) && n.index >= r->next;
    if ((!at_hand && !dropped && !next) ||
        pl_transfer_manifest_get(&r->manifest, n.index).kind == PL_TRANSFER_FOLDER) {
        broken(r, "a file is missing out of turn");
        return;
    }
    r->begun = r->dropped = false;
    r->next = n.index + 1;
    if (dropped)
        return;
    if (r->file[n.index].status == TO_STORE || r->file[n.index].status == PL_TRANSFER_WHOLE) {
        broken(r, "a file is missing that was there");
        return;
    }
    settle_and_answer(r, n.index, PL_TRANSFER_UNREAD);
    snprintf(r->text, sizeof r->text, "%.*s", (int)n.text.n, n.text.n ? n.text.p : "");
    say(r, PL_TRANSFER_RECEIVER_MISSING, n.index)->text = r->text;
}

static void take_done(pl_transfer_receiver *r, pl_rd body)
{
    if (pl_rd_left(&body) || r->begun || r->n_whole + r->n_bad != r->manifest.n_files) {
        broken(r, "it is done before the end");
        return;
    }
    r->state = OVER;
    say(r, PL_TRANSFER_RECEIVER_DONE, 0);
}

static void take_cancel(pl_transfer_receiver *r, pl_rd body)
{
    pl_transfer_note n;
    if (pl_transfer_read_note(&n, PL_TRANSFER_CANCEL, body))
        broken(r, "a message is malformed");
    else
        end(r, n.code, n.text, true);
}

void pl_transfer_receiver_input(pl_transfer_receiver *r, const uint8_t *message, size_t len)
{
    pl_rd body = pl_rd_init(message, len);
    unsigned type = pl_rd_u8(&body);
    if (r->state == OVER || r->state == CLOSED)
        return;
    assert(!r->event_due);
    bool flowing = r->state == FLOWING;
    if (type == PL_TRANSFER_CANCEL)
        take_cancel(r, body);
    else if (type == PL_TRANSFER_OFFER && r->state == WAITING)
        take_offer(r, body);
    else if (type == PL_TRANSFER_ENTRIES && r->state == LISTING)
        take_entries(r, body);
    else if (type == PL_TRANSFER_BEGIN && flowing)
        take_begin(r, body);
    else if (type == PL_TRANSFER_DATA && flowing)
        take_data(r, body);
    else if (type == PL_TRANSFER_END && flowing)
        take_end(r, body);
    else if (type == PL_TRANSFER_MISSING && flowing)
        take_missing(r, body);
    else if (type == PL_TRANSFER_DONE && flowing)
        take_done(r, body);
    else
        broken(r, "a message comes out of turn");
}

void pl_transfer_receiver_written(pl_transfer_receiver *r, uint64_t bytes)
{
    uint64_t open = r->came - r->written;
    r->written += bytes < open ? bytes : open; /* of an earlier channel: nobody waits for it */
}

void pl_transfer_receiver_stored(pl_transfer_receiver *r, uint32_t index, pl_transfer_status status,
                                 const char *why)
{
    if (index >= r->manifest.n || (status != PL_TRANSFER_WHOLE && status != PL_TRANSFER_UNWRITTEN))
        return;
    receiver_file *f = &r->file[index];
    bool at_hand = r->begun && index == r->index && f->status == OPEN;
    if (f->status != TO_STORE && !(at_hand && status == PL_TRANSFER_UNWRITTEN))
        return;
    if (at_hand)
        r->dropped = true;
    snprintf(r->why, sizeof r->why, "%s", why ? why : "");
    r->why_index = index;
    settle(r, index, status);
    bool ended = index < r->next && !(r->begun && index == r->index);
    if (at_hand || ended)
        answer(r,
               index); /* else the sender, on a new channel, has not come to it: it is answered at its END */
}

bool pl_transfer_receiver_poll_event(pl_transfer_receiver *r, pl_transfer_receiver_event *out)
{
    bool due = r->event_due;
    *out = r->event;
    r->event_due = false;
    return due;
}

void pl_transfer_receiver_progress(const pl_transfer_receiver *r, pl_transfer_progress *out)
{
    *out = (pl_transfer_progress){ .total = r->manifest.total,
                                   .done = r->done_bytes,
                                   .carried = r->carried + r->came,
                                   .n_files = r->manifest.n_files,
                                   .n_whole = r->n_whole,
                                   .n_bad = r->n_bad,
                                   .index = r->index };
    if (r->begun && !r->dropped && r->file[r->index].status < 0)
        out->done += r->file[r->index].have;
}

void pl_transfer_receiver_check(const pl_transfer_receiver *r)
{
    assert(r->written <= r->came && r->reported <= r->written);
    assert(r->came - r->written <= r->conf.window);
    assert(!r->dropped || r->begun);
    assert(r->n_answer_in - r->n_answer_out <= r->cap_answer);
    assert(r->n_whole + r->n_bad <= r->manifest.n_files);
    assert(r->state != ASKED || r->is_known);
    assert(r->next <= r->manifest.n || !r->is_known);
}
