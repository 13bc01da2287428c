/* ice_dtls.c - DTLS to STUN and TURN servers, beneath the agent: it speaks to a server over UDP as to any other, and what
 * goes there is encrypted here. One session a socket and server, begun by the first datagram.
 * Source   RFC 7350 (STUN and TURN over DTLS: one message a record). */
#include "peer/ice_internal.h"

#include <stdlib.h>
#include <string.h>

enum { KEPT_MAX = 4, KEPT_BYTES_MAX = 600 };

typedef struct session {
    pl_node in_io;
    pl_path path; /* local: the socket; remote: the server */
    pl_tls_dgram *tls;
    uint8_t kept[KEPT_MAX][KEPT_BYTES_MAX]; /* the agent's first words; it repeats what is lost */
    size_t kept_len[KEPT_MAX];
    unsigned n_kept;
} session;

/* ---- which servers ---- */

pl_err io_dtls_add(pl_ice_io *io, const pl_addr *server, const char *name)
{
    for (size_t i = 0; i < io->n_dtls; i++) {
        if (pl_addr_eq(&io->dtls[i].addr, server))
            return PL_OK;
    }
    if (io->n_dtls == IO_DTLS_MAX)
        return PL_ENOSPC;
    io->dtls[io->n_dtls++] = (io_dtls_server){ .addr = *server, .name = name };
    return PL_OK;
}

static const io_dtls_server *server_of(const pl_ice_io *io, const pl_addr *remote)
{
    for (size_t i = 0; i < io->n_dtls; i++) {
        if (pl_addr_eq(&io->dtls[i].addr, remote))
            return &io->dtls[i];
    }
    return NULL;
}

bool io_dtls_wants(const pl_ice_io *io, const pl_addr *remote)
{
    return io->n_dtls > 0 && server_of(io, remote);
}

/* ---- sessions ---- */

static session *session_of(pl_ice_io *io, const pl_path *path)
{
    PL_EACH (n, &io->dtls_sessions) {
        session *s = pl_of(n, session, in_io);
        if (pl_addr_eq(&s->path.local, &path->local) && pl_addr_eq(&s->path.remote, &path->remote))
            return s;
    }
    return NULL;
}

static void session_free(session *s)
{
    pl_list_remove(&s->in_io);
    pl_tls_dgram_free(s->tls);
    free(s);
}

static void set_timer(pl_ice_io *io)
{
    int64_t at_us = PL_NEVER;
    PL_EACH (n, &io->dtls_sessions)
        at_us = pl_min_us(at_us, pl_tls_dgram_next_us(pl_of(n, session, in_io)->tls));
    pl_timer_set(io->hub->loop, &io->dtls_timer, at_us);
}

static void flush(pl_ice_io *io, session *s)
{
    uint8_t *pkt = io->hub->record_out;
    pl_dgram d = { .path = s->path, .data = pkt };
    while (pl_tls_dgram_poll_output(s->tls, pkt, IO_RECORD_MAX, &d.len))
        io_sockets_send_plain(io, &d);
}

static session *session_new(pl_ice_io *io, const pl_path *path)
{
    const io_dtls_server *server = server_of(io, &path->remote);
    session *s = calloc(1, sizeof *s);
    if (!s || ice_hub_need_dtls(io->hub)) {
        free(s);
        return NULL;
    }
    s->path = *path;
    s->path.dscp = 0;
    if (pl_tls_dgram_new(&s->tls, io->hub->dtls, server->name, 0, pl_loop_now_us(io->hub->loop))) {
        free(s);
        return NULL;
    }
    pl_list_push_back(&io->dtls_sessions, &s->in_io);
    return s;
}

static void keep(session *s, const uint8_t *data, size_t len)
{
    if (s->n_kept == KEPT_MAX || len > KEPT_BYTES_MAX)
        return;
    memcpy(s->kept[s->n_kept], data, len);
    s->kept_len[s->n_kept++] = len;
}

/* The agent hears nothing from a server whose handshake fails, and gives up by its own timers. */
static void lose(pl_ice_io *io, session *s)
{
    char text[PL_ADDR_TEXT_MAX];
    flush(io, s); /* an alert may be left */
    pl_log_info(&io->log, "no DTLS with %s", pl_log_addr(&s->path.remote, text));
    session_free(s);
}

static bool say_kept(session *s)
{
    for (unsigned i = 0; i < s->n_kept; i++) {
        if (pl_tls_dgram_write(s->tls, s->kept[i], s->kept_len[i]))
            return false;
    }
    s->n_kept = 0;
    return true;
}

/* ---- out and in ---- */

void io_dtls_send(pl_ice_io *io, const pl_dgram *d)
{
    session *s = session_of(io, &d->path);
    if (!s)
        s = session_new(io, &d->path);
    if (!s)
        return;
    size_t step = d->segment ? d->segment : d->len;
    for (size_t at = 0; at < d->len; at += step) {
        size_t n = d->len - at < step ? d->len - at : step;
        if (!pl_tls_dgram_is_ready(s->tls))
            keep(s, d->data + at, n);
        else if (pl_tls_dgram_write(s->tls, d->data + at, n))
            break; /* the session has ended: the agent's timers find out */
    }
    flush(io, s);
    set_timer(io);
}

void io_dtls_input(pl_ice_io *io, int64_t now_us, const pl_path *path, uint8_t *pkt, size_t len)
{
    session *s = session_of(io, path);
    size_t n;
    if (!s)
        return;
    bool ok = pl_tls_dgram_input(s->tls, now_us, pkt, len) == PL_OK;
    if (ok && s->n_kept && pl_tls_dgram_is_ready(s->tls))
        ok = say_kept(s);
    while (ok && !io->closed && pl_tls_dgram_poll_data(s->tls, io->hub->record_in, IO_RECORD_MAX, &n))
        io_input(io, now_us, path, io->hub->record_in, n);
    if (io->closed)
        return; /* and the session has gone with it */
    if (ok && !pl_tls_dgram_has_ended(s->tls))
        flush(io, s);
    else
        lose(io, s);
    set_timer(io);
}

static void on_timer(void *arg, int64_t now_us)
{
    pl_ice_io *io = arg;
    PL_EACH (n, &io->dtls_sessions) {
        session *s = pl_of(n, session, in_io);
        if (pl_tls_dgram_next_us(s->tls) > now_us)
            continue;
        if (pl_tls_dgram_tick(s->tls, now_us))
            lose(io, s);
        else
            flush(io, s);
    }
    set_timer(io);
}

/* ---- life ---- */

void io_dtls_init(pl_ice_io *io)
{
    pl_list_init(&io->dtls_sessions);
    io->dtls_timer = (pl_timer){ .fn = on_timer, .arg = io };
}

/* The socket is gone, or all are (local NULL). */
void io_dtls_drop(pl_ice_io *io, const pl_addr *local)
{
    PL_EACH (n, &io->dtls_sessions) {
        session *s = pl_of(n, session, in_io);
        if (local && !pl_addr_eq(&s->path.local, local))
            continue;
        pl_tls_dgram_shutdown(s->tls);
        flush(io, s);
        session_free(s);
    }
    set_timer(io);
}
