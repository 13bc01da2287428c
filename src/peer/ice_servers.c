/* ice_servers.c - STUN and TURN servers by URI: read, resolved without waiting, told to the agent.
 * Source   RFC 7064, 7065 (URIs), RFC 8489 8, RFC 5928 (SRV; a turn: URI without a transport is tried over UDP, then
 *          TCP), W3C webrtc-pc 4.2.5 (credentials). */
#include "crypto/hmac.h"
#include "peer/ice_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- reading ---- */

static pl_err refuse(char error[PL_ICE_IO_ERROR_MAX], pl_err err, const char *why, const pl_stun_uri *u)
{
    char text[PL_STUN_URI_TEXT_MAX];
    snprintf(error, PL_ICE_IO_ERROR_MAX, "%.70s: %s", u ? pl_stun_uri_str(u, text) : "ICE server", why);
    return err;
}

/* What was given apart overrules what stands in the URI. */
static bool take_credentials(pl_stun_uri *u, const pl_ice_io_server *s)
{
    return (!s->username || pl_str_copy(pl_str_of(s->username), u->username, sizeof u->username)) &&
           (!s->password || pl_str_copy(pl_str_of(s->password), u->password, sizeof u->password));
}

static pl_err read_server(pl_stun_uri *u, const pl_ice_io_server *s, char error[PL_ICE_IO_ERROR_MAX])
{
    error[0] = 0;
    if (!s->url || pl_stun_uri_parse(u, s->url, strlen(s->url)))
        return refuse(error, PL_EINVAL, "not a stun:, stuns:, turn: or turns: URI", NULL);
    if (!take_credentials(u, s))
        return refuse(error, PL_EINVAL, "the user name or the credential is too long", u);
    if (u->turn && (!u->username[0] || !u->password[0]))
        return refuse(error, PL_EINVAL, "a TURN server needs a user name and a credential", u);
    if (!u->turn && u->secure && !u->has_transport)
        u->transport =
            PL_STUN_DTLS; /* over TLS a server would show the mapping of a stream, which is of no use */
    return PL_OK;
}

static bool by_udp(const pl_stun_uri *u)
{
    return u->transport == PL_STUN_UDP || u->transport == PL_STUN_DTLS;
}

pl_err pl_ice_io_server_check(const pl_ice_io_server *server, char error[PL_ICE_IO_ERROR_MAX])
{
    pl_stun_uri u;
    pl_err err = read_server(&u, server, error);
    pl_wipe(&u, sizeof u);
    return err;
}

static pl_err read_one(pl_ice_io *io, io_server *s, const pl_ice_io_server *from)
{
    char error[PL_ICE_IO_ERROR_MAX];
    s->io = io;
    s->id = (uint32_t)(s - io->server) + 1;
    pl_err err = read_server(&s->uri, from, error);
    if (!err && s->uri.secure)
        err = by_udp(&s->uri) ? ice_hub_need_dtls(io->hub) : ice_hub_need_tls(io->hub);
    if (!err)
        pl_stun_uri_str(&s->uri, s->url);
    return err;
}

pl_err io_servers_read(pl_ice_io *io, const pl_ice_io_server *servers, size_t n)
{
    pl_err err = PL_OK;
    if (n > PL_ICE_IO_SERVERS_MAX)
        return PL_EINVAL;
    if (n > 0 && !(io->server = calloc(n, sizeof *io->server)))
        return PL_ENOMEM;
    for (size_t i = 0; !err && i < n; i++)
        err = read_one(io, &io->server[i], &servers[i]);
    if (!err)
        io->n_servers = n;
    else
        pl_wipe(io->server, n * sizeof *io->server);
    if (err) {
        free(io->server);
        io->server = NULL;
    }
    return err;
}

const io_server *io_server_of(const pl_ice_io *io, uint32_t id)
{
    return id >= 1 && id <= io->n_servers ? &io->server[id - 1] : NULL;
}

/* ---- telling ---- */

static pl_err tell_turn(const io_server *s, int64_t now_us, const pl_addr *addr, pl_proto proto)
{
    pl_ice_turn_server t = { .addr = *addr,
                             .proto = (uint8_t)proto,
                             .tls = s->uri.secure,
                             .username = s->uri.username,
                             .password = s->uri.password,
                             .url = s->url,
                             .id = s->id };
    return pl_ice_add_turn_server(s->io->ice, now_us, &t);
}

static pl_err tell_one(const io_server *s, int64_t now_us, const pl_addr *addr)
{
    const pl_stun_uri *u = &s->uri;
    pl_err err = PL_OK;
    /* An allocation, and a DTLS session, belong to the addresses of a socket: many cannot share one. */
    bool shared = s->io->hub->mux && (u->turn || u->secure);
    if (by_udp(u) && shared)
        pl_log_info(&s->io->log, "%s: a shared UDP port reaches it over TCP alone", s->url);
    if (by_udp(u) && !shared && u->secure)
        err = io_dtls_add(s->io, addr, u->host);
    if (!err && !u->turn)
        return by_udp(u) && !shared ? pl_ice_add_stun_server(s->io->ice, now_us, addr) : PL_ENOTSUP;
    if (!err && by_udp(u) && !shared)
        err = tell_turn(s, now_us, addr, PL_UDP);
    if (!err && (!by_udp(u) || (!u->secure && !u->has_transport)))
        err = tell_turn(s, now_us, addr, PL_TCP);
    return err;
}

/* The best address of each family: more of them would lead to the same candidates. */
static void tell(io_server *s, int64_t now_us, const pl_addr *addr, size_t n)
{
    bool told4 = false, told6 = false;
    for (size_t i = 0; i < n; i++) {
        bool *told = addr[i].family == PL_AF_IP6 ? &told6 : &told4;
        if (*told)
            continue;
        *told = true;
        pl_err err = tell_one(s, now_us, &addr[i]);
        if (err)
            pl_log_info(&s->io->log, "%s is left out: %s", s->url, pl_err_str(err));
    }
}

/* ---- asking ---- */

static void all_asked(pl_ice_io *io, int64_t now_us)
{
    if (io->n_resolving == 0)
        pl_ice_bases_done(io->ice, now_us);
}

static void on_server(void *user, pl_err err, const pl_addr *addr, size_t n)
{
    io_server *s = user;
    pl_ice_io *io = s->io;
    int64_t now_us = pl_loop_now_us(io->hub->loop);
    s->query = NULL;
    io->n_resolving--;
    if (err)
        pl_log_info(&io->log, "%s has no address: %s", s->url, pl_err_str(err));
    if (err)
        pl_ice_server_failed(io->ice, now_us, s->url, "the server's name has no address");
    s->known = err == PL_OK;
    tell(s, now_us, addr, n);
    all_asked(io, now_us);
    io_enter(io);
    io->on.changed(io->user);
    io_leave(io);
}

static void ask(io_server *s)
{
    const pl_stun_uri *u = &s->uri;
    bool tcp = u->transport == PL_STUN_TCP || u->transport == PL_STUN_TLS;
    pl_resolve_service what = { .host = u->host,
                                .port = u->port,
                                .default_port = pl_stun_uri_port(u),
                                .service =
                                    u->turn ? (u->secure ? "turns" : "turn") : (u->secure ? "stuns" : "stun"),
                                .proto = tcp ? "tcp" : "udp" };
    if (pl_resolve_service_start(&s->query, s->io->hub->loop, &what, on_server, s) == PL_OK)
        s->io->n_resolving++;
    else
        pl_log_info(&s->io->log, "%s cannot be looked up now", s->url);
}

void io_servers_ask(pl_ice_io *io, int64_t now_us)
{
    bool stun_is_of_use = !(io->conf.without & PL_ICE_NO_SRFLX);
    for (size_t i = 0; i < io->n_servers; i++) {
        io_server *s = &io->server[i];
        if (!s->known && !s->query && (s->uri.turn || stun_is_of_use))
            ask(s);
    }
    all_asked(io, now_us);
}

void io_servers_close(pl_ice_io *io)
{
    for (size_t i = 0; i < io->n_servers; i++) {
        pl_resolve_cancel(io->server[i].query);
        io->server[i].query = NULL;
        pl_wipe(&io->server[i].uri, sizeof io->server[i].uri);
    }
    io->n_resolving = 0;
}
