#include "peer/ice_internal.h"

#include <stdlib.h>
#include <string.h>

#define REAP_US PL_SEC(2)

/* ---- callbacks ---- */

void io_enter(pl_ice_io *io)
{
    io->depth++;
}

void io_leave(pl_ice_io *io)
{
    if (--io->depth > 0)
        return;
    io_streams_bury(io);
    if (!io->freed)
        return;
    free(io->server);
    free(io);
}

void io_input(pl_ice_io *io, int64_t now_us, const pl_path *path, uint8_t *pkt, size_t len)
{
    if (!io->closed)
        io->on.input(io->user, now_us, path, pkt, len);
}

static void tell_changed(pl_ice_io *io)
{
    io_enter(io);
    if (!io->closed)
        io->on.changed(io->user);
    io_leave(io);
}

static void on_soon(void *arg, int64_t now_us)
{
    (void)now_us;
    tell_changed(arg);
}

void io_changed_soon(pl_ice_io *io)
{
    if (!io->closed)
        pl_timer_set(io->hub->loop, &io->soon, pl_loop_now_us(io->hub->loop));
}

static void on_resync(void *arg, int64_t now_us)
{
    pl_ice_io *io = arg;
    bool changed = io_sockets_sync(io, now_us);
    io_servers_ask(io, now_us); /* those that could not be asked for without a network */
    if (changed)
        tell_changed(io);
}

static void on_reap(void *arg, int64_t now_us)
{
    pl_ice_io *io = arg;
    io_streams_reap(io, now_us);
    pl_timer_set(io->hub->loop, &io->reap, now_us + REAP_US);
}

/* ---- life ---- */

static pl_err read_conf(pl_ice_io *io, const pl_ice_io_conf *conf)
{
    io->conf = *conf;
    io->conf.servers = NULL;
    io->conf.bind_address = io->conf.interfaces = NULL; /* lent for the call only */
    pl_err err = io_sockets_read_conf(io, conf);
    if (!err)
        err = io_servers_read(io, conf->servers, conf->n_servers);
    if (!err && io->hub->mux)
        err = mux_user_new(&io->muxed, io->hub->mux, io);
    return err;
}

pl_err pl_ice_io_new(pl_ice_io **out, pl_ice_hub *hub, const pl_ice_io_conf *conf, const pl_ice_io_events *on,
                     void *user)
{
    *out = NULL;
    pl_ice_io *io = calloc(1, sizeof *io);
    if (!io)
        return PL_ENOMEM;
    io->hub = hub;
    io->on = *on;
    io->user = user;
    pl_log_name(&io->log, "net", conf->log_id);
    pl_list_init(&io->sockets);
    pl_list_init(&io->streams);
    pl_list_init(&io->accepted);
    pl_list_init(&io->dead);
    io_dtls_init(io);
    io->soon = (pl_timer){ .fn = on_soon, .arg = io };
    io->resync = (pl_timer){ .fn = on_resync, .arg = io };
    io->reap = (pl_timer){ .fn = on_reap, .arg = io };
    pl_err err = read_conf(io, conf);
    if (err) {
        free(io->server);
        free(io);
        return err;
    }
    *out = io;
    return PL_OK;
}

static void on_network(void *user)
{
    pl_ice_hub *hub = user;
    int64_t now_us = pl_loop_now_us(hub->loop);
    ice_names_network_changed(hub->names);
    PL_EACH (n, &hub->ios) {
        pl_ice_io *io = pl_of(n, pl_ice_io, in_hub);
        if (!io->conf.no_continual)
            pl_timer_set(hub->loop, &io->resync, now_us);
    }
}

static void watch_network(pl_ice_io *io)
{
    pl_ice_hub *hub = io->hub;
    if (io->conf.no_continual || hub->watch)
        return;
    if (pl_ifwatch_open(&hub->watch, hub->loop, on_network, hub))
        pl_log_info(&io->log, "the network is not watched: no memory");
}

void pl_ice_io_gather(pl_ice_io *io, pl_ice *ice)
{
    int64_t now_us = pl_loop_now_us(io->hub->loop);
    if (io->ice || io->closed)
        return;
    io->ice = ice;
    pl_list_push_back(&io->hub->ios, &io->in_hub);
    watch_network(io); /* before the first look, so that nothing is missed between */
    (void)io_sockets_sync(io, now_us);
    if (!io->n_sockets)
        pl_log_warn(&io->log, "no network address to listen on: the connection will fail");
    io_servers_ask(io, now_us);
    pl_ice_io_settle(io);
    if (io->conf.tcp == PL_ICE_IO_TCP_BOTH)
        pl_timer_set(io->hub->loop, &io->reap, now_us + REAP_US);
}

pl_err pl_ice_io_add_servers(pl_ice_io *io, const pl_ice_io_server *servers, size_t n)
{
    if (io->closed || io->n_servers > 0)
        return PL_ESTATE;
    pl_err err = io_servers_read(io, servers, n);
    if (!err && io->ice)
        io_servers_ask(io, pl_loop_now_us(io->hub->loop));
    return err;
}

void pl_ice_io_close(pl_ice_io *io)
{
    if (io->closed)
        return;
    io->closed = true;
    io->ice = NULL;
    io_enter(io); /* the streams are buried when all is closed */
    io_servers_close(io);
    io_streams_close(io);
    io_sockets_close(io);
    ice_names_forget(io->hub->names, io);
    mux_user_free(io->muxed);
    io->muxed = NULL;
    pl_timer_cancel(io->hub->loop, &io->dtls_timer);
    pl_timer_cancel(io->hub->loop, &io->soon);
    pl_timer_cancel(io->hub->loop, &io->resync);
    pl_timer_cancel(io->hub->loop, &io->reap);
    pl_list_remove(&io->in_hub);
    io_leave(io);
}

void pl_ice_io_free(pl_ice_io *io)
{
    if (!io)
        return;
    pl_ice_io_close(io);
    io_enter(io);
    io->freed = true;
    io_leave(io);
}

/* ---- the agent's side ---- */

bool pl_ice_io_event(pl_ice_io *io, const pl_ice_event *ev)
{
    pl_ice_io_settle(io);
    switch (ev->kind) {
    case PL_ICE_EV_CONNECT:
        if (!io->closed)
            io_stream_connect(io, &ev->u.connect);
        return true;
    case PL_ICE_EV_DISCONNECT:
        if (!io->closed)
            io_stream_disconnect(io, ev->u.stream);
        return true;
    case PL_ICE_EV_RESOLVE:
        if (!io->closed)
            ice_names_ask(io->hub->names, io, ev->u.name);
        return true;
    default: return false;
    }
}

void pl_ice_io_settle(pl_ice_io *io)
{
    if (io->muxed)
        mux_note_ufrag(io->muxed);
}

void pl_ice_io_send(pl_ice_io *io, const pl_dgram *d)
{
    if (d->path.proto == PL_TCP)
        io_streams_send(io, d);
    else
        io_sockets_send(io, d);
}
