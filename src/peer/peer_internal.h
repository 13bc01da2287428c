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
    PEER_OUT_CAP = 64 * 1024, /* one batch on its way to the socket, shared by a factory's connections */
    PEER_NOTES_MAX = 1 << 20, /* events on their way to the signaling thread ... */
    PEER_NOTE_BYTES_MAX = 16 << 20, /* ... and their bytes: then the core keeps the rest */
    /* Bytes of one channel that the core holds unsent: enough for the largest burst, and little enough that what is
     * more important finds room. The rest waits in front of it. */
    PEER_IN_CORE_MAX = 256 << 10,
    /* Messages up to this length travel to the core in parcels, and are copied there: to lend one takes two blocks more. */
    PEER_PARCEL_MESSAGE_MAX = 2048,
    PEER_PARCEL_ROOM = 16 << 10,
    PEER_MESSAGE_MAX = 16 << 20, /* the longest message put together here from pieces, … */
    PEER_JOINED_MAX = 32 << 20,  /* … and all that are under way at once */
    PEER_UNTOLD_LEAST =
        64 << 10 /* so much may be on its way to observers for the core to think it still is */
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

/* An event on its way from core to observer. Of a queued one there is only so much as its kind needs. */
typedef struct peer_event {
    pl_node node;
    pl_data_channel *channel; /* a reference is held */
    pl_rtp_transceiver *transceiver;
    struct peer_stream *stream; /* that has ended: its `done` is to be called, and it is the event's */
    size_t counted;             /* in `untold` of its connection */
    pl_pc_event ev;
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
    pl_wake kick;       /* outboxes or the send queue have something */
    pl_list busy;       /* channels with bytes in the core */
    pl_list feeding;    /* channels with messages in front of it */
    pl_list tended;     /* channels with a stream, or that are to be closed when all has gone */
    pl_list given_back; /* peer_send: lent bytes the core has let go of */
    uint32_t media_version;
    bool send_stalled; /* the core's buffer is full: WRITABLE will say when it is not */
    int in_call;       /* calls of the application under way (own loop) */

    /* both, under lock */
    pl_mutex lock;
    pl_list notes; /* peer_event: net to signaling */
    unsigned n_notes;
    size_t note_bytes;
    bool held;          /* the network side waits for room in notes */
    pl_list send_queue; /* peer_send: any thread to net */
    bool ended;         /* nothing comes into the send queue any more */
    pl_list released;   /* peer_send: net to signaling, whose release is to be called */
    pl_list asked;      /* channels: net to signaling, whose stream is to be read */
    pl_list channels;   /* all handles not freed */
    char error[PL_PC_ERROR_MAX];
    pl_rtp_transceiver *transceiver[PL_TRANSCEIVERS_MAX];

    pl_wake bell; /* signaling loop: notes are there */
    bool muted;   /* signaling: no callback any more */
    bool delivering;
    _Atomic size_t max_message;
    _Atomic size_t untold;       /* bytes of messages that observers have not seen, … */
    _Atomic size_t untold_told;  /* … and as the core knows them, whose window counts them */
    _Atomic size_t joined_total; /* room for messages being put together, of all channels */
    bool any_size;               /* our description takes messages of any size */
    _Atomic size_t send_total;   /* bytes handed over and not yet sent for the first time, of all channels */
    size_t send_limit;
    _Atomic bool refused; /* a send of some channel was: it is told when to go on */
};

typedef enum peer_send_kind {
    PEER_SEND_MESSAGE,
    PEER_SEND_PART,      /* of a streamed message ... */
    PEER_SEND_LAST_PART, /* ... which it ends */
    PEER_SEND_PARCEL,    /* small messages, one behind the other (parcel.c) */
    PEER_SEND_ANSWER     /* no bytes: the reader of a stream has done what it was asked for */
} peer_send_kind;

/* Bytes on their way from the application to the core, and what the core lends until they have arrived. */
typedef struct peer_send {
    pl_node node;
    pl_data_channel *channel; /* a reference is held */
    const uint8_t *data;      /* behind this, or the application's */
    size_t len;               /* of a parcel: what is left of all its messages */
    int64_t since_us;         /* when it was handed over, where messages have a lifetime; else 0 */
    peer_send_kind kind;
    bool binary;
    uint32_t room, used, taken;  /* of a parcel's own bytes */
    struct peer_stream *stream;  /* a reference is held, or NULL */
    void (*release)(void *user); /* of the application's bytes; NULL: there are none */
    void *user;
    uint8_t own[];
} peer_send;

struct pl_data_channel {
    pl_node in_peer, in_busy, in_feeding, in_tended, in_asked;
    pl_peer_connection *peer; /* a reference is held */
    _Atomic unsigned refs;    /* the handle, events and sends under way, the core */
    pl_channel *core;         /* net; NULL once closed for good */
    pl_data_channel_observer observer;
    char *label;
    pl_data_channel_init init; /* as it was made; its protocol is the channel's own */

    /* signaling */
    bool muted, paused;
    pl_list held;    /* peer_event of the time it is paused */
    uint8_t *joined; /* pieces of a message for an application that wants it whole */
    size_t joined_len, joined_cap;
    bool skipping; /* the rest of one that grew too long */

    /* net */
    bool busy, closing, freed;
    pl_err lost;     /* a message was, and the channel is to close */
    size_t in_core;  /* bytes handed to the core and, as last seen, not sent */
    pl_list waiting; /* peer_send: in front of the core */
    struct peer_stream *stream;

    /* all */
    _Atomic int state, id;
    _Atomic size_t amount; /* bytes handed over and not yet sent for the first time: bufferedAmount */
    _Atomic size_t low;
    _Atomic unsigned n_queued; /* sends in front of the core, a parcel as one */
    _Atomic bool streams_one;  /* one message as a stream: nothing may come between */
    _Atomic bool stream_ready, refused;
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
void peer_take_events(pl_peer_connection *p);                  /* net */
void peer_count_untold(pl_peer_connection *p, int64_t now_us); /* net */
void peer_deliver(void *peer);                                 /* signaling: what waits in notes */
void peer_drop_notes(pl_peer_connection *p);
/* ip: room for the text that the result refers to. */
pl_ice_candidate_error peer_candidate_error(const pl_ice_server_trouble *t, char ip[PL_ADDR_TEXT_MAX]);
/* Tells the observer something that does not come from the core. Net. The second takes what is allocated already. */
void peer_note(pl_peer_connection *p, const peer_event *e);
void peer_note_made(pl_peer_connection *p, peer_event *e);
/* channel.c */
pl_data_channel *peer_channel_make(pl_peer_connection *p, const char *label, const pl_data_channel_init *init,
                                   const pl_data_channel_observer *observer);
void peer_channel_ref(pl_data_channel *c);
void peer_channel_unref(pl_data_channel *c);
void peer_channel_begin(pl_data_channel *c); /* net: the core has just got its channel */
void peer_channel_look(pl_data_channel *c);  /* net: others may know its state and id */
void peer_channel_over(pl_data_channel *c);  /* net: the core lets go of it */
void peer_tended(pl_data_channel *c);        /* net: it has a stream, or is to be closed */
/* Net: closes it now that everything before has gone. */
void peer_channel_close_core(pl_data_channel *c);
/* send.c */
peer_send *peer_send_make(pl_data_channel *c, size_t room); /* with a reference; NULL without memory */
void peer_send_drop(peer_send *s);                          /* never handed over */
pl_err peer_hand_over(peer_send *s);          /* any thread. PL_ESTATE when it is too late: it is dropped */
void peer_send_queued(pl_peer_connection *p); /* net: what other threads have handed over */
void peer_forget_amount(pl_data_channel *c);  /* net: of what its core held */
/* Net: amounts as the core says them, then whatever may follow from them. True: the core has got more to send. */
bool peer_feed(pl_peer_connection *p);
bool peer_drop_waiting(pl_data_channel *c, bool parts_only); /* net. True: there was something */
void peer_pass_on_given_back(
    pl_peer_connection *p);                /* net: what the core gave back goes on to the signaling thread */
void peer_releases(pl_peer_connection *p); /* signaling: gives lent bytes back to the application */
/* parcel.c. Under the lock while it is in the send queue, then net. */
/* alone: with room for one message of len bytes, not for more to come. NULL without memory. */
peer_send *peer_parcel_make(pl_data_channel *c, size_t len, bool alone);
bool peer_parcel_add(peer_send *s, const void *data, size_t len, bool binary); /* false: no room */
/* The next message, until it is taken. False: none is left. */
bool peer_parcel_next(const peer_send *s, const uint8_t **data, size_t *len, bool *binary);
void peer_parcel_take(peer_send *s, size_t len);
/* stream.c */
void peer_stream_tend(pl_data_channel *c);             /* net: what may follow from what was sent */
void peer_stream_answered(pl_data_channel *c);         /* net: the reader's answer is there */
void peer_stream_stop(pl_data_channel *c, pl_err err); /* net: it will not go on */
void peer_streams_read(pl_peer_connection *p);         /* signaling */
void peer_streams_forget(pl_peer_connection *p);       /* nobody will read any more */
void peer_stream_done(pl_data_channel *c, struct peer_stream *st); /* signaling: tells the application */
void peer_stream_unref(struct peer_stream *st);                    /* NULL is fine */
/* receive.c, signaling */
void peer_tell_message(pl_data_channel *c, const pl_data_event *d);
bool peer_hold(pl_data_channel *c, peer_event *e); /* true: it waits until the channel goes on */
void peer_drop_held(pl_data_channel *c);
void peer_event_finish(peer_event *e);
size_t peer_note_size(const peer_event *e);
/* factory.c: what each connection, and each bare ICE transport, gives to its pl_ice_io. */
void peer_io_conf(const pl_factory *f, pl_ice_io_conf *out);

#endif
