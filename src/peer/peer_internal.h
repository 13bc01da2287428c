/* peer_internal.h - the shared insides of peer/: handles, their threads, and who may touch what.
 *   network thread   peer->core and everything marked "net"
 *   signaling thread the observers; peer->muted, channel->muted
 * With an application's own loop both are that loop, and nothing is queued between them. */
#ifndef PL_PEER_PEER_INTERNAL_H
#define PL_PEER_PEER_INTERNAL_H

#include <stdatomic.h>

#include "base/list.h"
#include "base/log.h"
#include "net/loop.h"
#include "net/thread.h"
#include "pc/pc.h"
#include "peer/ice_io.h"
#include "peer/media_port.h"

enum {
    PEER_OUT_CAP = 64 * 1024,      /* one batch on its way to the socket, shared by a factory's connections */
    PEER_NOTES_MAX = 1 << 20,      /* events on their way to the signaling thread ... */
    PEER_NOTE_BYTES_MAX = 16 << 20 /* ... and their bytes: then the core keeps the rest */
};

struct pl_factory {
    pl_loop *net, *sig;   /* the same with an application's loop */
    bool threads;         /* they are ours */
    pl_factory_conf conf; /* its texts are copies */
    char *text[3];        /* these */
    pl_cert *cert;
    pl_dtls_ctx *dtls_ctx;
    pl_ice_hub *hub;  /* net: what the ICE of all connections shares */
    uint8_t *out_buf; /* net */
    _Atomic uint32_t next_id;
    _Atomic int n_peers;
};

/* An event on its way from core to observer. */
typedef struct peer_event {
    pl_node node;
    pl_pc_event ev;
    pl_data_channel *channel; /* a reference is held */
    pl_rtp_transceiver *transceiver;
} peer_event;

struct pl_rtp_transceiver {
    pl_peer_connection *peer; /* lives as long */
    int index;
    pl_media_type kind;
    pl_media_port port; /* net */
};

struct pl_peer_connection {
    pl_factory *factory;
    pl_log log;
    _Atomic unsigned refs; /* the handle, channels, events under way */
    pl_peer_connection_observer observer;

    /* net */
    pl_pc *core;   /* NULL once freed */
    pl_ice_io *io; /* as long as the core */
    bool gathered, pumping, again, closing;
    pl_timer timer;
    pl_wake kick; /* outboxes or the send queue have something */
    pl_list busy; /* channels with bytes in the core */
    uint32_t media_version;
    bool send_stalled;
    int in_call; /* calls of the application under way (own loop) */

    /* both, under lock */
    pl_mutex lock;
    pl_list notes; /* peer_event: net to signaling */
    unsigned n_notes;
    size_t note_bytes;
    bool held;          /* the network side waits for room in notes */
    pl_list send_queue; /* peer_send: any thread to net */
    pl_list channels;   /* all handles not freed */
    char error[PL_PC_ERROR_MAX];
    pl_rtp_transceiver *transceiver[PL_TRANSCEIVERS_MAX];

    pl_wake bell; /* signaling loop: notes are there */
    bool muted;   /* signaling: no callback any more */
    bool delivering;
    _Atomic size_t max_message;
    _Atomic size_t send_total; /* bytes in the send queue and in the core, all channels */
    size_t send_limit;
};

typedef struct peer_send {
    pl_node node;
    pl_data_channel *channel; /* a reference is held */
    size_t len;
    bool binary;
    uint8_t data[];
} peer_send;

struct pl_data_channel {
    pl_node in_peer, in_busy;
    pl_peer_connection *peer; /* a reference is held */
    _Atomic unsigned refs;    /* the handle, events and sends under way, the core */
    pl_channel *core;         /* net; NULL once closed for good */
    pl_data_channel_observer observer;
    bool muted; /* signaling */
    char *label, *protocol;
    _Atomic int state, id;
    _Atomic size_t queued, in_core, low;
    bool busy; /* net */
};

/* A call on its way to the network thread: fn does it on the core, then the pump runs. Each fn says which of
 * the members it uses. */
typedef struct peer_call peer_call;
struct peer_call {
    pl_peer_connection *p;
    pl_err (*fn)(peer_call *c, pl_pc *core, int64_t now_us);
    pl_err err;
    int number;
    pl_sdp_type type;
    const char *in;
    char **out;
    const void *arg;
    void *result;
};
/* connection.c */
pl_err peer_carry(peer_call *c); /* PL_ESTATE when the connection is gone */
void peer_ref(pl_peer_connection *p);
void peer_unref(pl_peer_connection *p);
pl_rtp_transceiver *peer_transceiver(pl_peer_connection *p, int index); /* NULL without memory */
/* driver.c (net) */
void peer_pump(
    pl_peer_connection *p); /* sends, tells, sets the timer: ends everything that touched the core */
void peer_send_all(pl_peer_connection *p, int64_t now_us);
extern const pl_ice_io_events peer_io_events;
/* events.c */
void peer_take_events(pl_peer_connection *p); /* net */
void peer_deliver(void *peer);                /* signaling: what waits in notes */
void peer_drop_notes(pl_peer_connection *p);
/* ip: room for the text that the result refers to. */
pl_ice_candidate_error peer_candidate_error(const pl_ice_server_trouble *t, char ip[PL_ADDR_TEXT_MAX]);
/* channel.c */
pl_data_channel *peer_channel_make(pl_peer_connection *p, const char *label, const char *protocol,
                                   const pl_data_channel_observer *observer);
void peer_channel_ref(pl_data_channel *c);
void peer_channel_unref(pl_data_channel *c);
void peer_send_queued(pl_peer_connection *p); /* net */
void peer_mirror(pl_peer_connection *p);      /* net: what others may read of the core's amounts */
/* factory.c: what each connection, and each bare ICE transport, gives to its pl_ice_io. */
void peer_io_conf(const pl_factory *f, pl_ice_io_conf *out);

#endif
