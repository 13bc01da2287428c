/* ice_io.h - what an ICE agent lacks: sockets, connections, names and the network's changes.
 * Source   RFC 8445 5.1.1 (which addresses), RFC 6544 (ICE-TCP), RFC 4571 (frames on it), RFC 8656 and 7350 (streams to
 *          TURN servers), RFC 7064, 7065 and 5928 (servers by URI), draft-ietf-mmusic-mdns-ice-candidates (hidden
 *          addresses).
 * Shape    the owner has an agent (bare, or inside a pl_pc) and a timer. It hands every event of the agent to
 *          pl_ice_io_event and every datagram to pl_ice_io_send; it is called back with packets and when it is time
 *          to poll the agent:
 *              input    a packet from a socket or a stream, its frame taken off: unwrap and feed it
 *              changed  a batch of packets is over, or the agent was told something: poll outputs and events, set the timer
 *          Callbacks come from the loop, never inside a call of this header, and may close and free the object.
 * Errors   the network's are told to the agent (a stream that is down) or show as candidates that are missing; the log
 *          says why.
 * Thread   the loop's owner. */
#ifndef PL_PEER_ICE_IO_H
#define PL_PEER_ICE_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ice/agent.h"
#include "peer/ice_hub.h"

enum {
    PL_ICE_IO_SERVERS_MAX = 8,   /* URIs */
    PL_ICE_IO_SOCKETS_MAX = 24,  /* local addresses */
    PL_ICE_IO_STREAMS_MAX = 32,  /* connections we have opened */
    PL_ICE_IO_ACCEPTED_MAX = 16, /* streams that came to our listeners; the oldest unwanted give way */
    PL_ICE_IO_NAMES_MAX = 8,     /* interfaces named in a filter */
    PL_ICE_IO_ERROR_MAX = 128,
    PL_ICE_IO_STREAM_QUEUE_MAX = 256 * 1024 /* bytes a stream may hold back; what comes then is dropped */
};

typedef struct pl_ice_io pl_ice_io;

typedef enum pl_ice_io_tcp {
    PL_ICE_IO_TCP_ACTIVE, /* we connect to peers that listen, as browsers do */
    PL_ICE_IO_TCP_BOTH,   /* and listen ourselves */
    PL_ICE_IO_TCP_OFF
} pl_ice_io_tcp;

/* W3C RTCIceServer with one URL: stun:, stuns:, turn:, turns:. NULL credentials: as the URL has them, if it does. */
typedef struct pl_ice_io_server {
    const char *url, *username, *password;
} pl_ice_io_server;

typedef struct pl_ice_io_conf {
    const pl_ice_io_server *servers;
    size_t n_servers;
    const char *bind_address;    /* an IP address: only this one; NULL: every interface */
    const char *interfaces;      /* "eth0,wlan0": only these; "!docker0,!tun0": not these; NULL: all */
    uint16_t port_min, port_max; /* of local sockets, UDP and TCP; 0 0: any */
    uint32_t without;            /* PL_ICE_NO_...: what the agent's conf says, too */
    bool loopback;               /* loopback addresses beside the others */
    bool no_loopback;            /* never; by default they are used when there is no other */
    bool mdns_hide;              /* host candidates tell a .local name that this host answers for */
    bool no_continual;           /* what was gathered stays: the network is not watched */
    pl_ice_io_tcp tcp;
    uint32_t log_id;
} pl_ice_io_conf;

typedef struct pl_ice_io_events {
    /* pkt may be changed in place; the bytes behind it belong to the next packet. */
    void (*input)(void *user, int64_t now_us, const pl_path *path, uint8_t *pkt, size_t len);
    void (*changed)(void *user);
} pl_ice_io_events;

/* Whether a server would be taken; error gets a sentence when not. Errors: PL_EINVAL (not such a URI, TURN without
 * credentials). Any thread. */
PL_NODISCARD pl_err pl_ice_io_server_check(const pl_ice_io_server *server, char error[PL_ICE_IO_ERROR_MAX]);
/* conf is copied, texts too; nothing is opened yet. Errors: PL_EINVAL (servers, bind_address, interfaces, ports),
 * PL_ENOMEM. */
PL_NODISCARD pl_err pl_ice_io_new(pl_ice_io **out, pl_ice_hub *hub, const pl_ice_io_conf *conf,
                                  const pl_ice_io_events *on, void *user);
/* Opens sockets and listeners, tells the agent its bases and, as names resolve, its servers; pl_ice_bases_done follows.
 * From now on the network is watched: what comes is gathered, what goes is removed. ice is lent until close. Poll it
 * afterwards. Calling again does nothing. */
void pl_ice_io_gather(pl_ice_io *io, pl_ice *ice);
/* Servers for an object that has none yet; asked at once when it has gathered already, and then poll the agent. Errors:
 * PL_ESTATE (it has some, or is closed), PL_EINVAL, PL_ENOMEM. */
PL_NODISCARD pl_err pl_ice_io_add_servers(pl_ice_io *io, const pl_ice_io_server *servers, size_t n);
/* An event of the agent: true when it was for the driver (CONNECT, DISCONNECT, RESOLVE) and is taken care of. */
bool pl_ice_io_event(pl_ice_io *io, const pl_ice_event *ev);
/* After a restart of the agent, when its events are not handed over: on a shared port its new ufrag must be known. */
void pl_ice_io_settle(pl_ice_io *io);
/* A datagram or a row of them, to the socket or stream of d->path. What does not go is lost, as in the network. */
void pl_ice_io_send(pl_ice_io *io, const pl_dgram *d);
/* Closes everything: no callback comes after it, and the agent is not touched again. Send first what closing the agent
 * left to say. Twice is fine. */
void pl_ice_io_close(pl_ice_io *io);
void pl_ice_io_free(pl_ice_io *io); /* closes; NULL is fine; also from its callbacks */

#endif
