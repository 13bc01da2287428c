#include "transfer/sender_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- life ---- */

pl_err pl_transfer_sender_new(pl_transfer_sender **out, const pl_transfer_sender_conf *conf)
{
    pl_transfer_sender *s = calloc(1, sizeof *s);
    *out = s;
    if (!s)
        return PL_ENOMEM;
    pl_rand_bytes(&conf->rand, s->id, sizeof s->id);
    pl_transfer_manifest_init(&s->manifest, PL_TRANSFER_ENTRIES_MAX, &conf->rand);
    return PL_OK;
}

void pl_transfer_sender_free(pl_transfer_sender *s)
{
    if (!s)
        return;
    pl_transfer_manifest_clear(&s->manifest);
    pl_transfer_stream_clear(&s->stream);
    free(s->result);
    free(s->answered);
    free(s->have);
    free(s->out);
    free(s);
}

pl_err pl_transfer_sender_add(pl_transfer_sender *s, const pl_transfer_entry *e, const char **why)
{
    *why = "the transfer has begun";
    return s->state == NEW ? pl_transfer_manifest_add(&s->manifest, e, why) : PL_ESTATE;
}

const pl_transfer_manifest *pl_transfer_sender_manifest(const pl_transfer_sender *s)
{
    return &s->manifest;
}

const uint8_t *pl_transfer_sender_id(const pl_transfer_sender *s)
{
    return s->id;
}

static pl_err prepare(pl_transfer_sender *s)
{
    const char *why;
    uint32_t n = s->manifest.n;
    pl_err err = pl_transfer_manifest_finish(&s->manifest, &why);
    if (err)
        return err;
    s->is_stream = pl_transfer_manifest_get(&s->manifest, 0).kind == PL_TRANSFER_STREAM;
    s->out = s->out ? s->out : malloc(PL_TRANSFER_MESSAGE_MAX);
    s->result = s->result ? s->result : calloc(n, sizeof *s->result);
    s->answered = s->answered ? s->answered : calloc(n, sizeof *s->answered);
    if (!s->out || !s->result || !s->answered)
        return PL_ENOMEM;
    if (s->is_stream && (err = pl_transfer_stream_init(&s->stream, PL_TRANSFER_STREAM_WINDOW)))
        return err;
    for (uint32_t i = 0; i < n; i++)
        s->result[i].status = NOBODY;
    s->n_open = s->manifest.n_files;
    return PL_OK;
}

void pl_transfer_sender_next_file(pl_transfer_sender *s, uint32_t from)
{
    s->phase = PICK;
    s->index = from;
    s->claim = NULL;
    s->block = NULL;
    s->block_len = s->block_sent = 0;
}

static bool is_final(const pl_transfer_sender *s, uint32_t index)
{
    return s->result[index].status != NOBODY;
}

static uint64_t final_bytes(const pl_transfer_sender *s)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < s->manifest.n; i++) {
        pl_transfer_entry e = pl_transfer_manifest_get(&s->manifest, i);
        if (e.kind == PL_TRANSFER_FILE && is_final(s, i))
            bytes += e.size;
    }
    return bytes;
}

pl_err pl_transfer_sender_start(pl_transfer_sender *s, size_t message_max)
{
    if (message_max < PL_TRANSFER_MESSAGE_MIN)
        return PL_EINVAL;
    if (s->state == OVER)
        return PL_ESTATE;
    if (s->state == NEW) {
        pl_err err = prepare(s);
        if (err)
            return err;
    }
    s->message_max = message_max < PL_TRANSFER_MESSAGE_MAX ? message_max : PL_TRANSFER_MESSAGE_MAX;
    s->state = LISTING;
    s->offered = false;
    s->listed = s->n_have = s->next_have = 0;
    s->carried_before += s->sent_bytes;
    s->sent_bytes = s->received = s->skipped = s->had = 0;
    s->done_before = final_bytes(s);
    s->shown = (pl_transfer_output){ NULL, 0 };
    s->accepted_due = s->begins_due = false;
    pl_transfer_sender_next_file(s, 0);
    return PL_OK;
}

static void end(pl_transfer_sender *s, unsigned code, pl_str text, bool theirs)
{
    if (s->state == OVER)
        return;
    s->state = OVER;
    s->failed_due = true;
    s->failed_theirs = theirs;
    s->cancel_due = !theirs;
    s->code = code;
    snprintf(s->text, sizeof s->text, "%.*s", (int)text.n, text.n ? text.p : "");
    s->shown = (pl_transfer_output){ NULL, 0 };
}

static void broken(pl_transfer_sender *s, const char *why)
{
    end(s, PL_TRANSFER_BROKEN, pl_str_of(why), false);
}

void pl_transfer_sender_cancel(pl_transfer_sender *s, pl_transfer_code code, const char *text)
{
    if (s->state == OVER)
        return;
    end(s, code, pl_str_of(text), false);
    s->failed_due = false;
}

/* ---- what the receiver says ---- */

static void take_have(pl_transfer_sender *s, pl_rd body)
{
    while (pl_rd_left(&body) > 0) {
        pl_transfer_have h;
        bool good = pl_transfer_read_have(&h, &body) == PL_OK && h.index < s->manifest.n &&
                    (s->n_have == 0 || h.index > s->have[s->n_have - 1].index);
        pl_transfer_entry e = pl_transfer_manifest_get(&s->manifest, good ? h.index : 0);
        if (!good || e.kind == PL_TRANSFER_FOLDER || h.offset == 0 || h.offset > e.size) {
            broken(s, "it has what was not offered");
            return;
        }
        if (s->n_have == s->cap_have) {
            uint32_t cap = s->cap_have ? s->cap_have * 2 : 8;
            pl_transfer_have *more = realloc(s->have, cap * sizeof *more);
            if (!more) {
                end(s, PL_TRANSFER_FAILED, PL_STR("no memory"), false);
                return;
            }
            s->have = more;
            s->cap_have = cap;
        }
        s->have[s->n_have++] = h;
        s->had += h.offset;
    }
}

static void take_accept(pl_transfer_sender *s, pl_rd body)
{
    if (pl_transfer_read_accept(&s->window, body) || s->window < PL_TRANSFER_BLOCK) {
        broken(s, "its window is too small");
        return;
    }
    s->state = SENDING;
    s->accepted_due = true;
}

static void take_received(pl_transfer_sender *s, pl_rd body)
{
    uint64_t bytes;
    if (pl_transfer_read_received(&bytes, body) || bytes < s->received || bytes > s->sent_bytes) {
        broken(s, "it has written what was not sent");
        return;
    }
    if (s->is_stream)
        pl_transfer_stream_drop(&s->stream, bytes - s->received);
    s->received = bytes;
}

static void count_answer(pl_transfer_sender *s, uint32_t index, uint8_t status)
{
    s->result[index].status = (int8_t)status;
    s->answered[s->n_answered++] = index;
    s->n_open--;
    s->n_whole += status == PL_TRANSFER_WHOLE;
    if (index == s->index && s->phase != PICK) { /* not wanted any more, nor what was to be sent of it */
        s->shown = (pl_transfer_output){ NULL, 0 };
        pl_transfer_sender_next_file(s, index + 1);
    }
}

/* WHOLE and DAMAGED answer END, UNREAD answers MISSING, UNWRITTEN may come as soon as BEGIN was said. */
static void take_stored(pl_transfer_sender *s, pl_rd body)
{
    pl_transfer_note n;
    if (pl_transfer_read_note(&n, PL_TRANSFER_STORED, body) || n.index >= s->manifest.n ||
        n.code > PL_TRANSFER_UNREAD || is_final(s, n.index)) {
        broken(s, "its answer about a file makes no sense");
        return;
    }
    const sender_result *r = &s->result[n.index];
    bool at_hand = n.index == s->index && (s->phase == BYTES || s->phase == ENDING || s->phase == GIVE_UP);
    bool ended = n.index < s->index && r->ended;
    bool fits = n.code == PL_TRANSFER_UNREAD      ? ended && r->missing
                : n.code == PL_TRANSFER_UNWRITTEN ? ended || at_hand
                                                  : ended && !r->missing;
    if (fits)
        count_answer(s, n.index, n.code);
    else
        broken(s, "it answers for a file that it was not given");
}

static void take_cancel(pl_transfer_sender *s, pl_rd body)
{
    pl_transfer_note n;
    if (pl_transfer_read_note(&n, PL_TRANSFER_CANCEL, body))
        broken(s, "a message is malformed");
    else
        end(s, n.code, n.text, true);
}

void pl_transfer_sender_input(pl_transfer_sender *s, const uint8_t *message, size_t len)
{
    pl_rd body = pl_rd_init(message, len);
    unsigned type = pl_rd_u8(&body);
    bool sending = s->state == SENDING || s->state == FINISHED;
    if (s->state == NEW || s->state == OVER)
        return;
    if (type == PL_TRANSFER_CANCEL)
        take_cancel(s, body);
    else if (type == PL_TRANSFER_HAVE && s->state == ASKING)
        take_have(s, body);
    else if (type == PL_TRANSFER_ACCEPT && s->state == ASKING)
        take_accept(s, body);
    else if (type == PL_TRANSFER_RECEIVED && sending)
        take_received(s, body);
    else if (type == PL_TRANSFER_STORED && sending)
        take_stored(s, body);
    else
        broken(s, "a message comes out of turn");
}

/* ---- the file at hand ---- */

static const pl_transfer_have *find_claim(pl_transfer_sender *s, uint32_t index)
{
    while (s->next_have < s->n_have && s->have[s->next_have].index < index)
        s->next_have++;
    bool found = s->next_have < s->n_have && s->have[s->next_have].index == index;
    return found ? &s->have[s->next_have] : NULL;
}

static void keep_point(pl_transfer_sender *s, uint64_t offset)
{
    s->point[s->n_points++ % N_POINTS] = (sender_point){ .index = s->index, .offset = offset, .run = s->run };
}

/* Begins to hash as near before the claim's end as is remembered. */
static void begin_check(pl_transfer_sender *s)
{
    const sender_point *best = NULL;
    uint32_t n = s->n_points < N_POINTS ? s->n_points : N_POINTS;
    for (uint32_t i = 0; i < n; i++) {
        const sender_point *p = &s->point[i];
        if (p->index == s->index && p->offset <= s->claim->offset && (!best || p->offset > best->offset))
            best = p;
    }
    pl_sha256_begin(&s->run);
    s->pos = best ? best->offset : 0;
    if (best)
        s->run = best->run;
    s->check_to = s->claim->offset;
    s->phase = CHECK;
}

static void begin_at(pl_transfer_sender *s, uint64_t offset)
{
    s->resumed = offset > 0;
    if (offset == 0)
        pl_sha256_begin(&s->run);
    s->pos = offset;
    s->skipped += offset;
    s->phase = BEGIN;
}

static void end_check(pl_transfer_sender *s)
{
    uint8_t sha256[PL_SHA256_LEN];
    pl_sha256_so_far(&s->run, sha256);
    begin_at(s, memcmp(sha256, s->claim->sha256, sizeof sha256) == 0 ? s->claim->offset : 0);
}

static void begin_stream(pl_transfer_sender *s)
{
    uint64_t offset = s->claim ? s->claim->offset : 0;
    s->phase = BEGIN;
    s->resumed = offset > 0;
    s->pos = offset;
    s->skipped = offset;
    if (!pl_transfer_stream_rewind(&s->stream, offset, s->claim ? s->claim->sha256 : NULL))
        end(s, PL_TRANSFER_FAILED, PL_STR("the stream cannot be taken up where it broke"), false);
}

static void pick(pl_transfer_sender *s)
{
    while (s->index < s->manifest.n) {
        pl_transfer_entry e = pl_transfer_manifest_get(&s->manifest, s->index);
        if (e.kind != PL_TRANSFER_FOLDER && !is_final(s, s->index)) {
            const sender_result *r = &s->result[s->index];
            s->size = e.size;
            s->claim = find_claim(s, s->index);
            if (r->missing)
                s->phase = GIVE_UP;
            else if (s->is_stream)
                begin_stream(s);
            else if (s->claim)
                begin_check(s);
            else
                begin_at(s, 0);
            return;
        }
        s->index++;
    }
    s->phase = NO_MORE;
}

void pl_transfer_sender_settle(pl_transfer_sender *s)
{
    if (s->state != SENDING)
        return;
    if (s->phase == PICK)
        pick(s);
    if (s->phase == CHECK && s->pos == s->check_to)
        end_check(s);
    bool empty = s->block_sent == s->block_len;
    if (s->phase == BYTES && !s->is_stream && empty && s->pos == s->size)
        s->phase = ENDING;
    if (s->phase == BYTES && s->is_stream && s->stream.ended && s->pos == s->stream.tail)
        s->phase = ENDING;
    if (s->phase == NO_MORE && s->n_open == 0 && s->state == SENDING)
        s->state = FINISHED;
}

bool pl_transfer_sender_want(pl_transfer_sender *s, pl_transfer_want *out)
{
    pl_transfer_sender_settle(s);
    *out = (pl_transfer_want){ .index = s->index, .offset = s->pos, .stream = s->is_stream };
    if (s->state != SENDING)
        return false;
    if (s->phase == CHECK)
        out->max = pl_transfer_least(PL_TRANSFER_BLOCK, s->check_to - s->pos);
    else if (s->phase == BYTES && s->is_stream)
        out->max =
            s->stream.ended ? 0 : pl_transfer_least(PL_TRANSFER_BLOCK, pl_transfer_stream_room(&s->stream));
    else if (s->phase == BYTES && s->block_sent == s->block_len && pl_transfer_sender_credit(s) > 0)
        out->max = pl_transfer_least(PL_TRANSFER_BLOCK, s->size - s->pos);
    return out->max > 0;
}

void pl_transfer_sender_unreadable(pl_transfer_sender *s, uint32_t index, const char *why)
{
    if (s->state != SENDING || index != s->index || (s->phase != CHECK && s->phase != BYTES))
        return;
    snprintf(s->why, sizeof s->why, "%s", why);
    s->block_len = s->block_sent = 0;
    s->phase = GIVE_UP;
}

void pl_transfer_sender_read(pl_transfer_sender *s, uint8_t *block, size_t len)
{
    pl_transfer_want w;
    if (!pl_transfer_sender_want(s, &w))
        return;
    assert(len <= w.max);
    if (s->is_stream) {
        pl_transfer_stream_add(&s->stream, block, len);
    } else if (len == 0) {
        pl_transfer_sender_unreadable(s, s->index, "it is shorter than it was");
    } else if (s->phase == CHECK) {
        pl_sha256_more(&s->run, block, len);
        s->pos += len;
    } else {
        pl_sha256_more(&s->run, block, len);
        s->block = block;
        s->block_len = len;
        s->block_sent = 0;
        if (len == PL_TRANSFER_BLOCK)
            keep_point(s, s->pos + len);
    }
    pl_transfer_sender_settle(s);
}

/* ---- what is told ---- */

static bool tell(pl_transfer_sender_event *out, pl_transfer_sender_event_kind kind, bool *due)
{
    *due = false;
    out->kind = kind;
    return true;
}

bool pl_transfer_sender_poll_event(pl_transfer_sender *s, pl_transfer_sender_event *out)
{
    *out = (pl_transfer_sender_event){ .text = "" };
    if (s->accepted_due) {
        out->bytes = s->had;
        return tell(out, PL_TRANSFER_SENDER_ACCEPTED, &s->accepted_due);
    }
    if (s->n_told < s->n_answered) {
        out->index = s->answered[s->n_told++];
        out->kind = PL_TRANSFER_SENDER_STORED;
        out->code = (unsigned)s->result[out->index].status;
        memcpy(out->sha256, s->result[out->index].sha256, sizeof out->sha256);
        return true;
    }
    if (s->begins_due) {
        out->index = s->begins_index;
        out->bytes = s->begins_at;
        out->resumed = s->resumed;
        return tell(out, PL_TRANSFER_SENDER_BEGINS, &s->begins_due);
    }
    if (s->done_due)
        return tell(out, PL_TRANSFER_SENDER_DONE, &s->done_due);
    if (!s->failed_due)
        return false;
    out->code = s->code;
    out->theirs = s->failed_theirs;
    out->text = s->text;
    return tell(out, PL_TRANSFER_SENDER_FAILED, &s->failed_due);
}

void pl_transfer_sender_progress(const pl_transfer_sender *s, pl_transfer_progress *out)
{
    *out = (pl_transfer_progress){ .total = s->manifest.total,
                                   .done = s->done_before + s->skipped + s->received,
                                   .carried = s->carried_before + s->sent_bytes,
                                   .n_files = s->manifest.n_files,
                                   .n_whole = s->n_whole,
                                   .n_bad = s->n_answered - s->n_whole,
                                   .index = s->index };
    if (s->result && s->n_open == 0 && !s->is_stream)
        out->done = out->total; /* the last bytes are answered for without a RECEIVED of their own */
}

void pl_transfer_sender_check(const pl_transfer_sender *s)
{
    assert(s->block_sent <= s->block_len && s->block_len <= PL_TRANSFER_BLOCK);
    assert(s->received <= s->sent_bytes);
    assert(s->state != SENDING || s->sent_bytes - s->received <= s->window);
    assert(s->n_told <= s->n_answered && s->n_answered <= s->manifest.n);
    assert(s->state == NEW || s->n_answered + s->n_open == s->manifest.n_files);
    assert(s->index <= s->manifest.n);
    assert(s->listed <= s->manifest.n);
}
