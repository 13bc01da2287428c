/* ice_internal.h - what the rooms behind ice_io.h and ice_hub.h share.
 *     ice_io.c       life, events of the agent, the way out       ice_streams.c  TCP and TLS, ours and accepted
 *     ice_sockets.c  which addresses, sockets, network changes    ice_servers.c  URIs, names, what the agent is told
 *     ice_dtls.c     DTLS beneath the agent
 *     ice_names.c    .local names, asked for and answered         ice_mux.c      many connections on one port */
#ifndef PL_PEER_ICE_INTERNAL_H
#define PL_PEER_ICE_INTERNAL_H

#include "base/hash.h"
#include "base/list.h"
#include "base/log.h"
#include "net/ifaddr.h"
#include "net/ifwatch.h"
#include "net/loop.h"
#include "net/resolve.h"
#include "net/tcp.h"
#include "net/tls_dgram.h"
#include "net/udp.h"
#include "peer/ice_io.h"
#include "stun/uri.h"

enum {
    IO_MDNS_NAME_LEN = 36 + 6, /* a UUID and ".local" */
    IO_RECORD_MAX = PL_TLS_DGRAM_DATA_MAX + PL_TLS_DGRAM_OVERHEAD,
    IO_DTLS_MAX = 2 * PL_ICE_IO_SERVERS_MAX /* servers, IPv4 and IPv6 */
};

typedef struct ice_names ice_names;
typedef struct ice_mux ice_mux;
typedef struct mux_socket mux_socket;
typedef struct mux_user mux_user;

struct pl_ice_hub {
    pl_loop *loop;
    pl_ice_hub_conf conf;
    char *ca_file;
    ice_names *names;
    ice_mux *mux;     /* NULL: each connection opens sockets of its own */
    pl_tls_ctx *dtls; /* for datagrams to servers, and a record on its way in, and one out */
    uint8_t *record_in, *record_out;
    pl_tls_ctx *tls;   /* for streams to TURN servers */
    pl_ifwatch *watch; /* from the first connection that wants it */
    pl_list ios;       /* all that gather and have not closed */
    pl_buf frames;     /* what is on its way to a stream */
};

/* One local address, and what is open on it. */
typedef struct io_socket {
    pl_node in_io;
    pl_ice_io *io;
    pl_addr ip; /* port 0 */
    pl_udp *udp;
    mux_socket *shared; /* instead of udp */
    pl_tcp_listener *passive, *so;
    bool active;    /* the agent knows a base to connect from */
    bool is_listed; /* while comparing with what the system has now */
    char mdns[IO_MDNS_NAME_LEN + 1];
} io_socket;

typedef struct io_server {
    pl_ice_io *io;
    pl_stun_uri uri; /* with credentials */
    char url[PL_STUN_URI_TEXT_MAX];
    uint32_t id; /* the agent's word for it */
    pl_resolve *query;
    bool known; /* its address has been told */
} io_server;

typedef struct io_dtls_server {
    pl_addr addr;
    const char *name; /* that its certificate must carry */
} io_dtls_server;

typedef struct io_stream {
    pl_node in_io;
    pl_ice_io *io;
    uint32_t id; /* of the agent; 0: accepted */
    bool to_turn, up;
    pl_tcp *tcp;
    pl_tls *tls;
    pl_path path; /* of its packets */
    pl_buf in;    /* what is not a whole frame yet */
    int64_t born_us;
} io_stream;

struct pl_ice_io {
    pl_ice_hub *hub;
    pl_node in_hub;
    pl_ice_io_conf conf; /* its texts are below */
    pl_ice_io_events on;
    void *user;
    pl_log log;
    pl_ice *ice; /* NULL before gathering and after closing */
    pl_addr bind;
    char interfaces[256];
    io_server *server; /* n_servers */
    size_t n_servers, n_resolving;
    pl_list sockets; /* io_socket */
    size_t n_sockets;
    bool with_loopback, was_listed;
    pl_list streams, accepted; /* io_stream */
    size_t n_streams, n_accepted;
    io_dtls_server dtls[IO_DTLS_MAX]; /* what goes there by UDP goes within DTLS */
    size_t n_dtls;
    pl_list dtls_sessions;
    pl_timer dtls_timer;
    pl_list dead;    /* streams that are over: freed when no callback is under way */
    mux_user *muxed; /* NULL: sockets of its own */
    pl_timer soon, resync, reap;
    int depth; /* callbacks under way */
    bool closed, freed;
};

/* Around every callback: what it closes and frees stays in memory until the outermost is over. */
void io_enter(pl_ice_io *io);
void io_leave(pl_ice_io *io);
/* `changed` will be called, from the loop. */
void io_changed_soon(pl_ice_io *io);
void io_input(pl_ice_io *io, int64_t now_us, const pl_path *path, uint8_t *pkt, size_t len);

/* ice_hub.c: hub->tls, or hub->dtls and records, are there afterwards. */
pl_err ice_hub_need_tls(pl_ice_hub *hub);
pl_err ice_hub_need_dtls(pl_ice_hub *hub);

/* ice_sockets.c */
pl_err io_sockets_read_conf(pl_ice_io *io, const pl_ice_io_conf *conf);
/* Compares with what the system has now: opens, adds bases, removes. True when something changed. */
bool io_sockets_sync(pl_ice_io *io, int64_t now_us);
void io_sockets_send(pl_ice_io *io, const pl_dgram *d);
void io_sockets_send_plain(pl_ice_io *io, const pl_dgram *d); /* what is DTLS already */
void io_sockets_close(pl_ice_io *io);

/* ice_dtls.c */
void io_dtls_init(pl_ice_io *io);
pl_err io_dtls_add(pl_ice_io *io, const pl_addr *server, const char *name); /* name is lent */
bool io_dtls_wants(const pl_ice_io *io, const pl_addr *remote);
void io_dtls_send(pl_ice_io *io, const pl_dgram *d);
void io_dtls_input(pl_ice_io *io, int64_t now_us, const pl_path *path, uint8_t *pkt, size_t len);
void io_dtls_drop(pl_ice_io *io, const pl_addr *local);

/* ice_servers.c */
pl_err io_servers_read(pl_ice_io *io, const pl_ice_io_server *servers, size_t n); /* the first ones */
/* Asks for those that are not known yet; pl_ice_bases_done comes when none is under way. */
void io_servers_ask(pl_ice_io *io, int64_t now_us);
const io_server *io_server_of(const pl_ice_io *io, uint32_t id);
void io_servers_close(pl_ice_io *io);

/* ice_streams.c */
void io_stream_connect(pl_ice_io *io, const pl_ice_connect *c);
void io_stream_disconnect(pl_ice_io *io, uint32_t id);
void io_stream_accept(pl_ice_io *io, pl_tcp *tcp, const pl_addr *listener);
void io_streams_send(pl_ice_io *io, const pl_dgram *d);
void io_streams_reap(pl_ice_io *io, int64_t now_us);
void io_streams_close(pl_ice_io *io);
void io_streams_bury(pl_ice_io *io);

/* ice_names.c: answers come by pl_ice_resolved and `changed` */
pl_err ice_names_new(ice_names **out, pl_loop *loop);
void ice_names_free(ice_names *n);
void ice_names_ask(ice_names *n, pl_ice_io *io, const char *name);
/* This host has the name from now on; text of a new one into name. */
void ice_names_own(ice_names *n, pl_ice_io *io, const pl_addr *ip, char name[IO_MDNS_NAME_LEN + 1]);
void ice_names_disown(ice_names *n, const char *name);
void ice_names_forget(ice_names *n, pl_ice_io *io); /* questions and names */
void ice_names_network_changed(ice_names *n);

/* ice_mux.c */
pl_err ice_mux_new(ice_mux **out, pl_loop *loop, uint16_t port);
void ice_mux_free(ice_mux *m);
pl_err mux_user_new(mux_user **out, ice_mux *m, pl_ice_io *io);
void mux_user_free(mux_user *u);
/* The socket on that address, opened for the first of its users. */
pl_err mux_socket_get(mux_socket **out, ice_mux *m, const pl_addr *ip);
void mux_socket_put(mux_socket *s);
const pl_addr *mux_socket_addr(const mux_socket *s);
/* After anything that may have given the agent another ufrag. */
void mux_note_ufrag(mux_user *u);
/* Notes whose it is by what goes out: answers of the agent, its requests, its data. */
void mux_send(mux_user *u, mux_socket *s, const pl_dgram *d);

#endif
