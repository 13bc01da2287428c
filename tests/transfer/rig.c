#include "transfer/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Also where assertions are left out. */
static void must(bool good)
{
    if (!good)
        abort();
}

rig *rig_new(uint64_t seed)
{
    rig *r = calloc(1, sizeof *r);
    must(r);
    r->rand = pl_rand_seed(&r->seed, seed);
    r->message_max = 65536;
    return r;
}

static void clear_wire(rig_wire *w)
{
    for (; w->out != w->in; w->out++)
        free(w->queue[w->out % RIG_QUEUE].data);
}

void rig_free(rig *r)
{
    pl_transfer_sender_free(r->sender);
    pl_transfer_receiver_free(r->receiver);
    clear_wire(&r->to_receiver);
    clear_wire(&r->to_sender);
    for (uint32_t i = 0; i < r->n; i++) {
        free(r->file[i].source);
        free(r->file[i].disk);
    }
    free(r);
}

rig_file *rig_add(rig *r, const char *name, uint64_t size, pl_transfer_kind kind)
{
    must(r->n < RIG_FILES);
    rig_file *f = &r->file[r->n++];
    *f = (rig_file){ .name = name, .size = size, .kind = kind };
    f->source = malloc(size + 1);
    f->disk = malloc(size + 1);
    must(f->source && f->disk);
    pl_rand_bytes(&r->rand, f->source, size);
    return f;
}

void rig_new_sender(rig *r)
{
    const char *why;
    pl_transfer_sender_free(r->sender);
    must(!pl_transfer_sender_new(&r->sender, &(pl_transfer_sender_conf){ .rand = r->rand }));
    for (uint32_t i = 0; i < r->n; i++) {
        const rig_file *f = &r->file[i];
        pl_transfer_entry e = { .path = pl_str_of(f->name),
                                .size = f->kind == PL_TRANSFER_STREAM ? PL_TRANSFER_SIZE_UNKNOWN
                                        : f->kind == PL_TRANSFER_FILE ? f->size
                                                                      : 0,
                                .mode = 0644,
                                .mtime_us = 1000000 + i,
                                .kind = f->kind };
        pl_err err = pl_transfer_sender_add(r->sender, &e, &why);
        must(!err);
    }
}

void rig_new_receiver(rig *r)
{
    pl_transfer_receiver_conf conf = {
        .rand = r->rand, .window = r->window, .max_bytes = r->max_bytes, .max_entries = r->max_entries
    };
    pl_transfer_receiver_free(r->receiver);
    must(!pl_transfer_receiver_new(&r->receiver, &conf));
    r->unwritten = 0;
}

void rig_connect(rig *r)
{
    if (!r->sender)
        rig_new_sender(r);
    if (!r->receiver)
        rig_new_receiver(r);
    clear_wire(&r->to_receiver);
    clear_wire(&r->to_sender);
    r->unwritten = 0;
    pl_err err = pl_transfer_sender_start(r->sender, r->message_max);
    must(!err);
    err = pl_transfer_receiver_start(r->receiver, r->message_max);
    must(!err);
}

static void carry(rig *r, rig_wire *w, const pl_transfer_output *o)
{
    must(w->in - w->out < RIG_QUEUE && o->len <= r->message_max);
    rig_message *m = &w->queue[w->in++ % RIG_QUEUE];
    m->data = malloc(o->len);
    m->len = o->len;
    must(m->data);
    memcpy(m->data, o->data, o->len);
}

/* ---- the sender's side ---- */

static void read_for(rig *r, const pl_transfer_want *w)
{
    rig_file *f = &r->file[w->index];
    uint64_t end = f->shrunk_to ? f->shrunk_to : f->size, at = w->stream ? f->read_at : w->offset;
    uint64_t left = at < end ? end - at : 0;
    size_t n = left < w->max ? (size_t)left : w->max;
    if (w->stream && n > 1)
        n = 1 + pl_rand_below(&r->rand, (uint32_t)n); /* pipes give what they have */
    memcpy(r->block + PL_TRANSFER_HEADROOM, f->source + at, n);
    f->read_at += w->stream ? n : 0;
    r->read_bytes += n;
    pl_transfer_sender_read(r->sender, r->block + PL_TRANSFER_HEADROOM, n);
}

static void hear_sender(rig *r)
{
    pl_transfer_sender_event e;
    while (pl_transfer_sender_poll_event(r->sender, &e)) {
        r->n_accepted += e.kind == PL_TRANSFER_SENDER_ACCEPTED;
        r->sender_done |= e.kind == PL_TRANSFER_SENDER_DONE;
        if (e.kind == PL_TRANSFER_SENDER_STORED)
            r->n_answers[e.code]++;
        if (e.kind != PL_TRANSFER_SENDER_FAILED)
            continue;
        r->sender_failed = true;
        r->sender_code = e.code;
        r->sender_theirs = e.theirs;
        snprintf(r->sender_text, sizeof r->sender_text, "%s", e.text);
    }
}

/* One message onto the wire, when there is one. */
static bool work_sender(rig *r)
{
    pl_transfer_want w;
    pl_transfer_output o;
    if (r->to_receiver.in - r->to_receiver.out > 8)
        return false;
    while (pl_transfer_sender_want(r->sender, &w)) {
        read_for(r, &w);
        if (w.stream)
            break;
    }
    bool any = pl_transfer_sender_poll_output(r->sender, &o);
    if (any) {
        carry(r, &r->to_receiver, &o);
        pl_transfer_sender_sent(r->sender);
    }
    hear_sender(r);
    pl_transfer_sender_check(r->sender);
    return any;
}

/* ---- the receiver's side ---- */

static void offered(rig *r, const pl_transfer_receiver_event *e)
{
    r->n_offers++;
    r->again = e->again;
    if (r->declines) {
        pl_transfer_receiver_cancel(r->receiver, PL_TRANSFER_DECLINED, "no, thank you");
        return;
    }
    for (uint32_t i = 0; i < r->n && !e->again; i++) {
        rig_file *f = &r->file[i];
        if (f->kind != PL_TRANSFER_FILE || !f->on_disk || f->on_disk > f->size)
            continue;
        uint64_t half = f->on_disk / 2; /* in two pieces */
        must(!pl_transfer_receiver_have_bytes(r->receiver, i, f->disk, (size_t)half));
        must(!pl_transfer_receiver_have_bytes(r->receiver, i, f->disk + half, (size_t)(f->on_disk - half)));
    }
    must(!pl_transfer_receiver_accept(r->receiver));
}

static void begun(rig_file *f, const pl_transfer_receiver_event *e)
{
    f->n_begun++;
    f->n_resumed += e->offset > 0;
    must(e->offset == 0 || e->offset == f->on_disk);
    f->on_disk = e->offset;
    f->stored = f->damaged = f->unwritten = f->missing = false;
}

static void hear_receiver(rig *r)
{
    pl_transfer_receiver_event e;
    while (pl_transfer_receiver_poll_event(r->receiver, &e)) {
        rig_file *f = &r->file[e.index];
        switch (e.kind) {
        case PL_TRANSFER_RECEIVER_OFFER: offered(r, &e); break;
        case PL_TRANSFER_RECEIVER_BEGINS: begun(f, &e); break;
        case PL_TRANSFER_RECEIVER_DATA:
            must(e.offset == f->on_disk && e.len <= f->size - f->on_disk);
            if (f->refuse) {
                pl_transfer_receiver_stored(r->receiver, e.index, PL_TRANSFER_UNWRITTEN, "the disk says no");
                f->unwritten = true;
                f->on_disk = 0;
            } else {
                memcpy(f->disk + f->on_disk, e.data, e.len);
                f->on_disk += e.len;
            }
            r->unwritten += e.len;
            break;
        case PL_TRANSFER_RECEIVER_END:
            f->damaged = !e.whole;
            f->stored = e.whole;
            if (e.whole)
                pl_transfer_receiver_stored(r->receiver, e.index, PL_TRANSFER_WHOLE, NULL);
            else
                f->on_disk = 0;
            break;
        case PL_TRANSFER_RECEIVER_MISSING: f->missing = true; break;
        case PL_TRANSFER_RECEIVER_DONE: r->receiver_done = true; break;
        case PL_TRANSFER_RECEIVER_FAILED:
            r->receiver_failed = true;
            r->receiver_code = e.code;
            r->receiver_theirs = e.theirs;
            snprintf(r->receiver_text, sizeof r->receiver_text, "%s", e.text);
            break;
        }
    }
}

static bool work_receiver(rig *r)
{
    pl_transfer_output o;
    uint64_t n =
        r->slow_disk && r->unwritten ? 1 + pl_rand_below(&r->rand, (uint32_t)r->unwritten) : r->unwritten;
    pl_transfer_receiver_written(r->receiver, n);
    r->unwritten -= n;
    bool any = pl_transfer_receiver_poll_output(r->receiver, &o);
    if (any) {
        carry(r, &r->to_sender, &o);
        pl_transfer_receiver_sent(r->receiver);
    }
    pl_transfer_receiver_check(r->receiver);
    return any || n > 0;
}

/* ---- the wire ---- */

static bool deliver(rig *r, rig_wire *w)
{
    if (w->in == w->out)
        return false;
    rig_message *m = &w->queue[w->out++ % RIG_QUEUE];
    if (w == &r->to_receiver) {
        pl_transfer_receiver_input(r->receiver, m->data, m->len);
        hear_receiver(r);
        pl_transfer_receiver_check(r->receiver);
    } else {
        pl_transfer_sender_input(r->sender, m->data, m->len);
        hear_sender(r);
        pl_transfer_sender_check(r->sender);
    }
    free(m->data);
    r->n_messages++;
    return true;
}

uint64_t rig_run(rig *r, uint64_t n)
{
    uint64_t start = r->n_messages;
    for (int idle = 0; idle < 200 && r->n_messages - start < n;) {
        bool moved = false;
        switch (pl_rand_below(&r->rand, 4)) {
        case 0: moved = work_sender(r); break;
        case 1: moved = work_receiver(r); break;
        case 2: moved = deliver(r, &r->to_receiver); break;
        case 3: moved = deliver(r, &r->to_sender); break;
        }
        idle = moved ? 0 : idle + 1;
    }
    return r->n_messages - start;
}

bool rig_over(const rig *r)
{
    return (r->sender_done || r->sender_failed) && (r->receiver_done || r->receiver_failed);
}

bool rig_is_whole(const rig *r)
{
    for (uint32_t i = 0; i < r->n; i++) {
        const rig_file *f = &r->file[i];
        if (f->kind == PL_TRANSFER_FOLDER)
            continue;
        if (!f->stored || f->on_disk != f->size || memcmp(f->source, f->disk, (size_t)f->size) != 0)
            return false;
    }
    return true;
}
