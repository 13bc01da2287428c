/* stream.c - messages, or one, whose bytes are asked for as they can go.
 * The network thread asks when less than half of AHEAD_MAX is unsent; who reads, fills blocks up to AHEAD_MAX, hands them
 * over as any other message, and an answer behind them. A callback is read on the signaling thread, a file by the
 * threads of net/file.h. What is too long for a block goes in parts.
 *     ask (net) > read > blocks, answer > feed (net) > ... > done (signaling)
 * Between question and answer the stream belongs to the reader, and stays with its channel whatever happens. */
#include "peer/peer_internal.h"

#include <stdlib.h>

#include "net/file.h"

enum {
    AHEAD_MAX = 1 << 20,     /* bytes read and not yet sent */
    MESSAGE_MAX = 256 << 10, /* a longer one goes in parts */
    PART = 64 << 10,
    FITTING = 64 << 10
};

typedef enum answer { READ_MORE, READ_LATER, READ_ALL, READ_FAILED } answer;

typedef struct peer_stream {
    pl_data_stream conf;
    _Atomic unsigned refs; /* its channel (or the event of its end), and its blocks under way */
    pl_file *file;         /* NULL: conf.read is asked */
    uint64_t offset;       /* in it */
    uint64_t message_size; /* UINT64_MAX: all is one */
    bool parts;
    bool empty_file;
    peer_event *end;  /* made beforehand: nothing can keep the end from being told */
    peer_send *reply; /* the same */

    /* whoever reads */
    uint64_t taken, in_message;
    peer_send *filling;                  /* a message of which some bytes are here */
    size_t room;                         /* of it */
    peer_send *block[PL_FILE_PARTS_MAX]; /* that the file is being read into */
    unsigned n_blocks;
    size_t n_wanted;
    answer answer;
    pl_err error;

    /* net */
    bool asked, sleeping, all, over;
    pl_err stopped; /* why, when it was not the reader's doing */
} peer_stream;

void peer_stream_unref(peer_stream *st)
{
    if (!st || atomic_fetch_sub(&st->refs, 1) != 1)
        return;
    free(st->end);
    free(st->reply);
    free(st);
}

/* ---- reading ---- */

static uint64_t left(const peer_stream *st)
{
    return st->conf.length ? st->conf.length - st->taken : UINT64_MAX;
}

/* Of the next block, when so many bytes are planned before it. */
static size_t room_of_next(const peer_stream *st, uint64_t planned)
{
    uint64_t room = st->parts ? PART : st->message_size, in_message = st->in_message + planned;
    uint64_t of_message = st->parts ? st->message_size - in_message % st->message_size : room;
    uint64_t of_all = left(st) - planned;
    room = room < of_message ? room : of_message;
    return (size_t)(room < of_all ? room : of_all);
}

static peer_send *make_block(pl_data_channel *c, peer_stream *st, size_t room)
{
    peer_send *s = peer_send_make(c, room);
    if (!s)
        return NULL;
    atomic_fetch_add(&st->refs, 1);
    s->stream = st;
    s->binary = st->conf.binary;
    return s;
}

/* The block is complete: a message, or a part of one. */
static pl_err hand_over(peer_stream *st, peer_send *s, bool ends)
{
    s->since_us = s->channel->init.has_max_packet_life_time ? pl_clock_us() : 0;
    if (!st->parts)
        return peer_hand_over(s);
    st->in_message += s->len;
    ends |= st->in_message == st->message_size || left(st) == 0;
    s->kind = ends ? PEER_SEND_LAST_PART : PEER_SEND_PART;
    if (ends)
        st->in_message = 0;
    return peer_hand_over(s);
}

/* Nothing more comes. What stands open is ended; nothing at all is an empty message. */
static answer end_reading(pl_data_channel *c, peer_stream *st)
{
    peer_send *s = st->filling;
    if (st->conf.length && st->taken < st->conf.length) {
        st->error = PL_EPROTO;
        return READ_FAILED;
    }
    st->filling = NULL;
    if (!s && (st->in_message > 0 || st->taken == 0))
        s = make_block(c, st, 0);
    else if (!s)
        return READ_ALL;
    if (!s) {
        st->error = PL_ENOMEM;
        return READ_FAILED;
    }
    st->error = st->taken == 0 ? peer_hand_over(s) : hand_over(st, s, true);
    return st->error ? READ_FAILED : READ_ALL;
}

/* One question to the application. */
static answer read_some(pl_data_channel *c, peer_stream *st)
{
    if (!st->filling) {
        st->room = room_of_next(st, 0);
        st->filling = make_block(c, st, st->room);
    }
    peer_send *s = st->filling;
    if (!s) {
        st->error = PL_ENOMEM;
        return READ_FAILED;
    }
    long n = st->conf.read(st->conf.user, c, s->own + s->len, st->room - s->len);
    if (n == PL_EAGAIN)
        return READ_LATER;
    if (n == 0 && s->len == 0) { /* not begun */
        st->filling = NULL;
        peer_send_drop(s);
    }
    if (n == 0)
        return end_reading(c, st);
    if (n < 0 || (size_t)n > st->room - s->len) {
        st->error = n < 0 ? (pl_err)n : PL_EPROTO;
        return READ_FAILED;
    }
    s->len += (size_t)n;
    st->taken += (size_t)n;
    if (!st->parts && s->len < st->room && left(st) > 0)
        return READ_MORE;
    st->filling = NULL;
    st->error = hand_over(st, s, false);
    return st->error ? READ_FAILED : left(st) == 0 ? READ_ALL : READ_MORE;
}

static answer read_ahead(pl_data_channel *c, peer_stream *st)
{
    answer a = READ_MORE;
    while (a == READ_MORE && !c->muted &&
           atomic_load(&c->amount) + (st->filling ? st->filling->len : 0) < AHEAD_MAX)
        a = read_some(c, st);
    if (c->muted) {
        st->error = PL_ESTATE;
        return READ_FAILED;
    }
    return a;
}

static pl_data_channel *next_asked(pl_peer_connection *p)
{
    pl_mutex_lock(&p->lock);
    pl_node *n = pl_list_pop_front(&p->asked);
    pl_mutex_unlock(&p->lock);
    return n ? pl_of(n, pl_data_channel, in_asked) : NULL;
}

static void drop_filling(peer_stream *st)
{
    peer_send *s = st->filling;
    st->filling = NULL;
    if (s)
        peer_send_drop(s);
}

/* Behind the blocks. When the connection has ended there is nobody to take it: the stream goes with its channel. */
static void reply(pl_data_channel *c, peer_stream *st, answer a)
{
    st->answer = a;
    if (peer_hand_over(st->reply) == PL_OK)
        return;
    drop_filling(st);
    pl_file_free(st->file); /* those are read on the network thread, where this is then */
    st->file = NULL;
    peer_channel_unref(c);
}

void peer_streams_read(pl_peer_connection *p)
{
    for (pl_data_channel *c; !p->muted && (c = next_asked(p));)
        reply(c, c->stream, read_ahead(c, c->stream));
}

void peer_streams_forget(pl_peer_connection *p)
{
    for (pl_data_channel *c; (c = next_asked(p));)
        peer_channel_unref(c);
}

/* ---- files (net) ---- */

static void drop_blocks(peer_stream *st)
{
    for (unsigned i = 0; i < st->n_blocks; i++) {
        if (st->block[i])
            peer_send_drop(st->block[i]);
    }
    st->n_blocks = 0;
}

static answer take_blocks(peer_stream *st, int64_t n)
{
    if (n < 0 || (uint64_t)n < st->n_wanted) {
        st->error = n < 0 ? (pl_err)n : PL_EPROTO; /* it has become shorter */
        return READ_FAILED;
    }
    for (unsigned i = 0; i < st->n_blocks; i++) {
        peer_send *s = st->block[i];
        st->block[i] = NULL;
        st->taken += s->len;
        st->error = hand_over(st, s, false);
        if (st->error)
            return READ_FAILED;
    }
    return left(st) == 0 ? READ_ALL : READ_MORE;
}

static void on_file(void *user, int64_t n)
{
    pl_data_channel *c = user;
    peer_stream *st = c->stream;
    answer a = st->over ? READ_FAILED : take_blocks(st, n);
    drop_blocks(st);
    reply(c, st, a);
}

static bool plan_blocks(pl_data_channel *c, peer_stream *st, pl_file_part *part)
{
    st->n_blocks = 0;
    st->n_wanted = 0;
    while (st->n_blocks < PL_FILE_PARTS_MAX && st->n_wanted < AHEAD_MAX / 2 && st->n_wanted < left(st)) {
        size_t room = room_of_next(st, st->n_wanted);
        peer_send *s = make_block(c, st, room);
        if (!s)
            return false;
        s->len = room;
        part[st->n_blocks] = (pl_file_part){ s->own, room };
        st->block[st->n_blocks++] = s;
        st->n_wanted += room;
    }
    return true;
}

static void read_file(pl_data_channel *c, peer_stream *st)
{
    pl_file_part part[PL_FILE_PARTS_MAX];
    if (st->empty_file) {
        reply(c, st, end_reading(c, st));
        return;
    }
    st->error = PL_ENOMEM;
    if (plan_blocks(c, st, part))
        st->error = pl_file_read(st->file, part, st->n_blocks, st->offset + st->taken, on_file, c);
    if (!st->error)
        return;
    drop_blocks(st);
    reply(c, st, READ_FAILED);
}

/* ---- the network thread ---- */

static void ask(pl_data_channel *c, peer_stream *st)
{
    pl_peer_connection *p = c->peer;
    st->asked = true;
    peer_channel_ref(c); /* until the answer */
    if (st->file) {
        read_file(c, st);
        return;
    }
    pl_mutex_lock(&p->lock);
    pl_list_push_back(&p->asked, &c->in_asked);
    pl_mutex_unlock(&p->lock);
    (void)pl_wake_up(&p->bell);
}

/* It leaves its channel, and the application is told. A message that stands open can only be cut off with its stream:
 * the channel closes. */
static void finish(pl_data_channel *c, peer_stream *st, pl_err err)
{
    if (!c->peer->core)
        return; /* nobody can be told any more: it goes with its channel */
    drop_filling(st);
    if (err && st->parts && (peer_drop_waiting(c, true) || (c->core && pl_channel_in_parts(c->core))) &&
        c->core)
        peer_channel_close_core(c);
    pl_file_free(st->file);
    st->file = NULL;
    c->stream = NULL;
    atomic_store(&c->streams_one, false);
    st->error = err;
    peer_event *e = st->end;
    st->end = NULL;
    *e = (peer_event){ .ev = { .kind = PL_PC_EV_DATA }, .channel = c, .stream = st };
    peer_channel_ref(c);
    peer_note_made(c->peer, e);
}

static bool has_left(pl_data_channel *c, const peer_stream *st)
{
    return st->all && atomic_load(&st->refs) == 1 && (!st->parts || c->in_core == 0);
}

static void go_on(pl_data_channel *c, peer_stream *st)
{
    if (st->sleeping && atomic_exchange(&c->stream_ready, false))
        st->sleeping = false;
    if (st->asked)
        return;
    if (st->over)
        finish(c, st, st->stopped ? st->stopped : st->error);
    else if (has_left(c, st))
        finish(c, st, PL_OK);
    else if (!st->all && !st->sleeping && atomic_load(&c->amount) <= AHEAD_MAX / 2)
        ask(c, st);
}

void peer_stream_tend(pl_data_channel *c)
{
    if (c->stream)
        go_on(c, c->stream);
    if (!c->stream && c->closing && c->core && pl_list_empty(&c->waiting))
        peer_channel_close_core(c);
    if (!c->stream && !c->closing)
        pl_list_remove(&c->in_tended);
}

void peer_stream_answered(pl_data_channel *c)
{
    peer_stream *st = c->stream;
    st->asked = false;
    switch (st->answer) {
    case READ_MORE: break;
    case READ_LATER: st->sleeping = true; break;
    case READ_ALL: st->all = true; break;
    case READ_FAILED: st->over = true; break;
    }
    peer_stream_tend(c);
}

void peer_stream_stop(pl_data_channel *c, pl_err err)
{
    peer_stream *st = c->stream;
    if (!st || st->over)
        return;
    st->over = true;
    st->stopped = err;
    go_on(c, st); /* asked: the reader comes to its end first */
}

/* ---- the application's calls ---- */

void peer_stream_done(pl_data_channel *c, peer_stream *st)
{
    if (!c->muted && st->conf.done)
        st->conf.done(st->conf.user, c, st->error);
}

static pl_err choose_messages(peer_stream *st, size_t asked, size_t peer_max)
{
    bool any = peer_max == SIZE_MAX;
    if (asked == PL_STREAM_ONE_MESSAGE) {
        st->parts = true;
        st->message_size = UINT64_MAX;
        bool known = st->conf.length || st->empty_file;
        return any || (known && st->conf.length <= peer_max) ? PL_OK : PL_EINVAL;
    }
    st->message_size = asked == PL_STREAM_FITTING ? (peer_max < FITTING ? peer_max : FITTING) : asked;
    st->parts = st->message_size > MESSAGE_MAX;
    return st->message_size <= peer_max ? PL_OK : PL_EINVAL;
}

static peer_stream *make(pl_data_channel *c, const pl_data_stream *conf)
{
    peer_stream *st = calloc(1, sizeof *st);
    if (!st)
        return NULL;
    atomic_init(&st->refs, 1);
    st->conf = *conf;
    st->end = calloc(1, sizeof *st->end);
    st->reply = calloc(1, sizeof *st->reply);
    if (!st->end || !st->reply) {
        peer_stream_unref(st);
        return NULL;
    }
    st->reply->kind = PEER_SEND_ANSWER;
    st->reply->channel = c;
    return st;
}

typedef struct begin {
    pl_data_channel *c;
    const pl_data_stream *conf;
    const pl_data_file *file;
    pl_err err;
} begin;

static pl_err open_file(begin *b, peer_stream *st)
{
    const pl_data_file *f = b->file;
    uint64_t size;
    pl_err err = pl_file_open(&st->file, b->c->peer->factory->net, f->fd, &size);
    if (err)
        return err;
    uint64_t after = size > f->offset ? size - f->offset : 0;
    st->conf.length = f->length ? f->length : after;
    st->offset = f->offset;
    st->empty_file = st->conf.length == 0;
    return st->conf.length <= after ? PL_OK : PL_EINVAL;
}

static void do_begin(void *arg)
{
    begin *b = arg;
    pl_data_channel *c = b->c;
    b->err = PL_ESTATE;
    if (!c->core || c->stream || c->closing || pl_channel_state(c->core) != PL_CHANNEL_OPEN)
        return;
    peer_stream *st = make(c, b->conf);
    b->err = st ? PL_OK : PL_ENOMEM;
    if (!b->err && b->file)
        b->err = open_file(b, st);
    if (!b->err)
        b->err = choose_messages(st, b->conf->message_size, atomic_load(&c->peer->max_message));
    if (b->err) {
        if (st)
            pl_file_free(st->file);
        peer_stream_unref(st);
        return;
    }
    c->stream = st;
    atomic_store(&c->stream_ready, false);
    atomic_store(&c->streams_one, b->conf->message_size == PL_STREAM_ONE_MESSAGE);
    peer_tended(c);
    peer_stream_tend(c);
}

static pl_err run_begin(begin *b)
{
    pl_err err = pl_loop_call(b->c->peer->factory->net, do_begin, b);
    return err ? err : b->err;
}

pl_err pl_data_channel_send_stream(pl_data_channel *c, const pl_data_stream *stream)
{
    begin b = { .c = c, .conf = stream };
    return stream->read ? run_begin(&b) : PL_EINVAL;
}

pl_err pl_data_channel_send_file(pl_data_channel *c, const pl_data_file *file)
{
    pl_data_stream conf = {
        .user = file->user, .done = file->done, .binary = true, .message_size = file->message_size
    };
    begin b = { .c = c, .conf = &conf, .file = file };
    return run_begin(&b);
}

void pl_data_channel_stream_ready(pl_data_channel *c)
{
    pl_peer_connection *p = c->peer;
    atomic_store(&c->stream_ready, true);
    pl_mutex_lock(&p->lock);
    if (!p->ended)
        (void)pl_wake_up(&p->kick);
    pl_mutex_unlock(&p->lock);
}
