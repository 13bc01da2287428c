/* ice_streams.c - byte streams that carry packets: to TURN servers (their own framing, in TLS or not), to peers and
 * from them (RFC 4571 frames, RFC 6544).
 * What is over leaves its list at once, and memory when no callback is under way. */
#include "peer/ice_internal.h"

#include <stdlib.h>
#include <string.h>

#include "stun/stream.h"

enum {
    STREAM_FRAME_MAX = 65535 + PL_FRAME_4571_HEADER_LEN,
    STREAM_IN_MAX = 2 * PL_STUN_FRAME_MAX + 64 * 1024 /* a frame's beginning, and what one read adds */
};
#define UNWANTED_US PL_SEC(10) /* an accepted stream that is of no use for so long is closed */

static bool put(const io_stream *s, const pl_buf *bytes)
{
    return !bytes->bad && (!bytes->n || pl_tcp_write(s->tcp, bytes->p, bytes->n) == PL_OK);
}

/* ---- end ---- */

static void end_stream(io_stream *s)
{
    pl_ice_io *io = s->io;
    if (!s->tcp)
        return;
    if (s->tls && s->up) {
        pl_buf bye = pl_buf_init(4096);
        pl_tls_shutdown(s->tls);
        pl_tls_output(s->tls, &bye);
        if (!put(s, &bye))
            pl_log_debug(&io->log, "a stream ends without TLS's goodbye");
        pl_buf_clear(&bye);
    }
    pl_tcp_close(s->tcp);
    s->tcp = NULL;
    if (s->id)
        io->n_streams--;
    else
        io->n_accepted--;
    pl_list_remove(&s->in_io);
    pl_list_push_back(&io->dead, &s->in_io);
    if (io->depth == 0)
        io_streams_bury(io);
}

void io_streams_bury(pl_ice_io *io)
{
    for (pl_node *n; (n = pl_list_pop_front(&io->dead));) {
        io_stream *s = pl_of(n, io_stream, in_io);
        pl_tls_free(s->tls);
        pl_buf_clear(&s->in);
        free(s);
    }
}

/* The network ended it: the agent must hear. */
static void lose_stream(io_stream *s, const char *why)
{
    pl_ice_io *io = s->io;
    char text[PL_ADDR_TEXT_MAX];
    if (!s->tcp)
        return;
    pl_log_debug(&io->log, "stream to %s: %s", pl_log_addr(&s->path.remote, text), why);
    int64_t now_us = pl_loop_now_us(io->hub->loop);
    if (s->id)
        pl_ice_stream_down(io->ice, now_us, s->id);
    else
        pl_ice_accepted_down(io->ice, now_us, &s->path);
    end_stream(s);
    io_changed_soon(io);
}

/* ---- in ---- */

/* Gives out whole frames; returns how many bytes they took, SIZE_MAX when the stream cannot be followed. */
static size_t take_frames(io_stream *s, int64_t now_us, uint8_t *data, size_t len)
{
    size_t at = 0;
    while (s->tcp && at < len) {
        pl_stun_frame f = s->to_turn ? pl_stun_frame_next(data + at, len - at, 0)
                                     : pl_stun_frame_next_4571(data + at, len - at, STREAM_FRAME_MAX);
        if (f.kind == PL_STUN_FRAME_BROKEN)
            return SIZE_MAX;
        if (f.kind == PL_STUN_FRAME_MORE)
            break;
        if (f.len > 0)
            io_input(s->io, now_us, &s->path, data + at + f.at, f.len);
        at += f.advance;
    }
    return at;
}

static bool take_kept(io_stream *s, int64_t now_us)
{
    if (s->in.bad)
        return false;
    size_t used = s->in.n ? take_frames(s, now_us, (uint8_t *)s->in.p, s->in.n) : 0;
    if (used == SIZE_MAX)
        return false;
    if (used > 0 && used < s->in.n)
        memmove(s->in.p, s->in.p + used, s->in.n - used);
    s->in.n -= used;
    return true;
}

/* Whole frames are given out from where they lie; only a beginning is kept. */
static bool take_plain(io_stream *s, int64_t now_us, uint8_t *data, size_t len)
{
    if (s->in.n > 0) {
        pl_buf_add(&s->in, data, len);
        return take_kept(s, now_us);
    }
    size_t used = take_frames(s, now_us, data, len);
    if (used == SIZE_MAX)
        return false;
    pl_buf_add(&s->in, data + used, len - used);
    return !s->in.bad;
}

static void flush_tls(io_stream *s)
{
    pl_buf cipher = pl_buf_init(PL_ICE_IO_STREAM_QUEUE_MAX + 64 * 1024);
    pl_tls_output(s->tls, &cipher);
    bool ok = put(s, &cipher);
    pl_buf_clear(&cipher);
    if (!ok)
        lose_stream(s, "TLS finds no room"); /* what was encrypted cannot be left out */
}

static void stream_is_up(io_stream *s, int64_t now_us)
{
    if (s->up)
        return;
    s->up = true;
    pl_ice_stream_up(s->io->ice, now_us, s->id, &s->path.local);
}

/* Decrypted bytes join what is kept; then as for a plain stream. */
static bool take_tls(io_stream *s, int64_t now_us, const uint8_t *data, size_t len)
{
    bool ended;
    pl_err err = pl_tls_input(s->tls, data, len, &s->in, &ended);
    flush_tls(s);
    if (err || !s->tcp)
        return false;
    if (pl_tls_is_ready(s->tls))
        stream_is_up(s, now_us);
    return take_kept(s, now_us) && !ended;
}

static void on_data(void *user, uint8_t *data, size_t len)
{
    io_stream *s = user;
    pl_ice_io *io = s->io;
    int64_t now_us = pl_loop_now_us(io->hub->loop);
    io_enter(io);
    bool ok = s->tls ? take_tls(s, now_us, data, len) : take_plain(s, now_us, data, len);
    if (!ok && !io->closed)
        lose_stream(s, "ended, or its bytes make no sense");
    if (!io->closed)
        io->on.changed(io->user);
    io_leave(io);
}

static void on_closed(void *user, pl_err err)
{
    io_stream *s = user;
    lose_stream(s, err ? pl_err_str(err) : "closed by the other side");
}

static void on_connected(void *user)
{
    io_stream *s = user;
    pl_ice_io *io = s->io;
    s->path.local = *pl_tcp_local(s->tcp);
    if (s->tls) {
        flush_tls(s); /* our hello */
        return;
    }
    stream_is_up(s, pl_loop_now_us(io->hub->loop));
    io_changed_soon(io);
}

/* ---- connecting ---- */

static const pl_tcp_events stream_events = { .connected = on_connected,
                                             .data = on_data,
                                             .closed = on_closed };

static io_stream *stream_new(pl_ice_io *io)
{
    io_stream *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->io = io;
    s->in = pl_buf_init(STREAM_IN_MAX);
    s->path.proto = PL_TCP;
    s->born_us = pl_loop_now_us(io->hub->loop);
    return s;
}

static pl_err open_stream(io_stream *s, const pl_ice_connect *c)
{
    pl_ice_io *io = s->io;
    const io_server *server = io_server_of(io, c->server_id);
    pl_tcp_conf conf = { .on = stream_events,
                         .user = s,
                         .queue_max = PL_ICE_IO_STREAM_QUEUE_MAX + 64 * 1024,
                         .bind = c->local,
                         .reuse_port = c->simultaneous };
    if (c->tls) {
        const char *name = c->server_name[0] ? c->server_name : server ? server->uri.host : NULL;
        pl_err err = name && !ice_hub_need_tls(io->hub) ? pl_tls_new(&s->tls, io->hub->tls, name) : PL_EINVAL;
        if (err)
            return err;
    }
    return pl_tcp_connect(&s->tcp, io->hub->loop, &c->remote, &conf);
}

static io_stream *stream_for(pl_ice_io *io, const pl_ice_connect *c, pl_err *err)
{
    *err = io->n_streams < PL_ICE_IO_STREAMS_MAX ? PL_ENOMEM : PL_ENOSPC;
    io_stream *s = *err == PL_ENOMEM ? stream_new(io) : NULL;
    if (!s)
        return NULL;
    s->id = c->stream;
    s->to_turn = c->to_turn;
    s->path.remote = c->remote;
    *err = open_stream(s, c);
    if (*err == PL_OK)
        return s;
    pl_tls_free(s->tls);
    free(s);
    return NULL;
}

/* Simultaneous open where the peer's SYN came before ours was sent: its connection has come to our listener and has
 * the very addresses that ours would have, so it is what the agent asks for. */
static bool adopt_accepted(pl_ice_io *io, const pl_ice_connect *c)
{
    PL_EACH (n, &io->accepted) {
        io_stream *s = pl_of(n, io_stream, in_io);
        if (!pl_addr_eq(&s->path.local, &c->local) || !pl_addr_eq(&s->path.remote, &c->remote))
            continue;
        pl_list_remove(&s->in_io);
        pl_list_push_back(&io->streams, &s->in_io);
        io->n_accepted--;
        io->n_streams++;
        s->id = c->stream;
        pl_ice_stream_up(io->ice, pl_loop_now_us(io->hub->loop), s->id, &s->path.local);
        io_changed_soon(io);
        return true;
    }
    return false;
}

void io_stream_connect(pl_ice_io *io, const pl_ice_connect *c)
{
    char text[PL_ADDR_TEXT_MAX];
    pl_err err;
    if (c->simultaneous && adopt_accepted(io, c))
        return;
    io_stream *s = stream_for(io, c, &err);
    if (s) {
        pl_list_push_back(&io->streams, &s->in_io);
        io->n_streams++;
        return;
    }
    pl_log_info(&io->log, "no stream to %s: %s", pl_log_addr(&c->remote, text), pl_err_str(err));
    pl_ice_stream_down(io->ice, pl_loop_now_us(io->hub->loop), c->stream);
    io_changed_soon(io);
}

void io_stream_disconnect(pl_ice_io *io, uint32_t id)
{
    PL_EACH (n, &io->streams) {
        io_stream *s = pl_of(n, io_stream, in_io);
        if (s->id == id)
            end_stream(s);
    }
}

/* ---- accepting ---- */

/* The oldest that is of no use, when there are too many. */
static bool make_room(pl_ice_io *io)
{
    if (io->n_accepted < PL_ICE_IO_ACCEPTED_MAX)
        return true;
    PL_EACH (n, &io->accepted) {
        io_stream *s = pl_of(n, io_stream, in_io);
        if (pl_ice_wants_accepted(io->ice, &s->path))
            continue;
        lose_stream(s, "gives way to a newer one");
        return true;
    }
    return false;
}

void io_stream_accept(pl_ice_io *io, pl_tcp *tcp, const pl_addr *listener)
{
    io_stream *s = make_room(io) ? stream_new(io) : NULL;
    if (!s) {
        pl_tcp_close(tcp);
        return;
    }
    s->tcp = tcp;
    s->up = true;
    s->path.local = *listener;
    s->path.remote = *pl_tcp_remote(tcp);
    pl_tcp_set_events(tcp, &stream_events, s);
    pl_list_push_back(&io->accepted, &s->in_io);
    io->n_accepted++;
}

void io_streams_reap(pl_ice_io *io, int64_t now_us)
{
    PL_EACH (n, &io->accepted) {
        io_stream *s = pl_of(n, io_stream, in_io);
        if (now_us - s->born_us > UNWANTED_US && !pl_ice_wants_accepted(io->ice, &s->path))
            lose_stream(s, "of no use");
    }
}

void io_streams_close(pl_ice_io *io)
{
    PL_EACH (n, &io->streams)
        end_stream(pl_of(n, io_stream, in_io));
    PL_EACH (m, &io->accepted)
        end_stream(pl_of(m, io_stream, in_io));
}

/* ---- out ---- */

static io_stream *stream_of(const pl_list *list, const pl_path *path)
{
    PL_EACH (n, list) {
        io_stream *s = pl_of(n, io_stream, in_io);
        if (s->up && pl_addr_eq(&s->path.remote, &path->remote) && pl_addr_eq(&s->path.local, &path->local))
            return s;
    }
    return NULL;
}

static void add_frame(const io_stream *s, pl_buf *out, const uint8_t *data, size_t len)
{
    uint8_t head[PL_FRAME_4571_HEADER_LEN];
    if (!s->to_turn) {
        pl_put16(head, (uint16_t)len);
        pl_buf_add(out, head, sizeof head);
    }
    pl_buf_add(out, data, len);
}

/* A full queue drops whole rows, as a full router does. */
void io_streams_send(pl_ice_io *io, const pl_dgram *d)
{
    io_stream *s = stream_of(&io->streams, &d->path);
    if (!s)
        s = stream_of(&io->accepted, &d->path);
    if (!s || d->len == 0 || pl_tcp_queued(s->tcp) + d->len > PL_ICE_IO_STREAM_QUEUE_MAX)
        return;
    size_t step = d->segment ? d->segment : d->len;
    pl_buf *out = &io->hub->frames;
    out->n = 0;
    out->bad = false;
    for (size_t at = 0; at < d->len; at += step)
        add_frame(s, out, d->data + at, d->len - at < step ? d->len - at : step);
    if (!s->tls && !put(s, out))
        pl_log_debug(&io->log, "a stream takes no more now");
    if (s->tls && !out->bad && pl_tls_write(s->tls, out->p, out->n) == PL_OK)
        flush_tls(s);
}
