/* channels_internal.h - the inside of the manager, for its own files alone:
 *   channels.c   the manager: association, roles, ids, events
 *   inbound.c    what the peer says: DCEP, resets, the association's end
 *   receive.c    messages on their way to the application: joined, in pieces, held while it pauses
 *   channel.c    one channel: made, opened, closed
 *   send.c       messages of the application
 * Rules    a channel is in `all` until it is freed, in the table while its id is taken. `tells` are the
 *          events not yet told; they are told in the order of their bits. */
#ifndef PL_DATA_CHANNELS_INTERNAL_H
#define PL_DATA_CHANNELS_INTERNAL_H

#include "base/list.h"
#include "base/log.h"
#include "base/time.h"
#include "data/channels.h"
#include "data/dcep.h"

enum { PL_CHANNEL_PAGE = 32 };

enum {
    PL_TELL_CHANNEL = 1,
    PL_TELL_OPEN = 2,
    PL_TELL_LOW = 4,
    PL_TELL_CLOSING = 8,
    PL_TELL_CLOSED = 16,
    PL_TELL_BEHIND = PL_TELL_CLOSING | PL_TELL_CLOSED, /* not before what is held */
    /* of the connection */
    PL_TELL_CONNECTED = 1,
    PL_TELL_WRITABLE = 2,
    PL_TELL_FAILED = 4
};

/* A message of a paused channel. */
typedef struct pl_held {
    pl_node node;
    pl_data_event event;
} pl_held;

struct pl_channel {
    pl_data *d;
    void *user;
    pl_node in_all, in_noisy, in_owing;
    pl_node in_draining; /* not paused, and messages are held */
    pl_list held;        /* pl_held */
    pl_data_channel_state state;
    int id;
    bool from_peer; /* the peer has opened it */
    bool settled;   /* both sides know its parameters: DCEP ACK received, negotiated, or opened by the peer */
    bool opened;    /* OPEN sent, or not needed: closing must reset the stream */
    bool released;  /* no handle any more: no events */
    bool reset_asked, reset_in, reset_out;
    bool pieces, paused;
    bool amid;         /* of an incoming message pieces were told, and not its last */
    bool in_parts;     /* of an outgoing message parts were taken, and not its last */
    uint64_t part_len; /* … so many bytes */
    unsigned tells;
    pl_err error; /* of CLOSED */
    pl_data_channel_init init;
    char *label;
    size_t label_len;
    size_t low;
    size_t names;     /* bytes of label and protocol, when the peer has chosen them */
    uint8_t *partial; /* messages of the deprecated partial types, joined so far */
    size_t partial_len;
    pl_channel_stats stats;
};

typedef struct pl_channel_page {
    pl_channel *at[PL_CHANNEL_PAGE];
} pl_channel_page;

struct pl_data {
    pl_data_conf conf;
    pl_log log;
    pl_sctp *sctp; /* NULL before start */
    bool has_role, dtls_client, connected, over, mute;
    bool closed_by_us;
    int64_t now_us;      /* of the last verb that was told the time */
    uint64_t remote_max; /* 0: any size */
    pl_list all, noisy;
    pl_list owing; /* channels whose OPEN or ACK found the buffer full */
    pl_list draining;
    size_t held;            /* bytes of all held messages and joined parts, with what they cost beside */
    size_t above;           /* bytes of events polled that the application has not seen */
    size_t names;           /* bytes of labels and protocols that the peer has chosen */
    bool stuck;             /* no memory to hold the next message: it stays in the association */
    pl_channel_page **page; /* by id: pages of pointers, made when needed */
    size_t n_pages;
    size_t n_channels;
    uint32_t n_made;
    uint16_t next_id;
    uint16_t n_ids; /* both sides have streams for ids below it; 0 before CONNECTED */
    unsigned tells;
    pl_err error;
    char reason[PL_SCTP_REASON_MAX];
    pl_data_stats stats;
};

pl_channel *pl_data_find(const pl_data *d, uint16_t id);
PL_NODISCARD pl_err pl_data_enter(pl_data *d, pl_channel *c, uint16_t id);
void pl_data_leave(pl_data *d, pl_channel *c);
void pl_data_tell(pl_channel *c, unsigned what);
/* What may be told of it now: the end waits behind held messages. */
unsigned pl_channel_tellable(const pl_channel *c);
/* A channel object without an id; label and protocol are copied. */
pl_channel *pl_channel_make(pl_data *d, pl_str label, pl_str protocol, const pl_data_channel_init *init);
void pl_channel_destroy(pl_channel *c);
/* The association is up (or was): send OPEN or ACK, or nothing when negotiated; become open. */
void pl_channel_begin(pl_channel *c, int64_t now_us);
/* It is open, and is told to be. */
void pl_channel_set_open(pl_channel *c);
void pl_channel_finish(pl_channel *c, pl_err error);
/* Our side of the stream is to be reset. */
void pl_channel_reset(pl_channel *c, int64_t now_us);

/* True when the peer may count on us resetting our stream: closing must do it. */
bool pl_channel_has_stream(const pl_channel *c);

/* inbound.c: takes what the association has to say; messages for applications stay in it. */
void pl_data_pump(pl_data *d, int64_t now_us);
void pl_data_on_dcep(pl_data *d, int64_t now_us, const pl_sctp_msg *m);
/* The message at the head of the association's queue: true when it is one for the application, in *out. */
bool pl_data_take_message(pl_data *d, int64_t now_us, pl_data_event *out);
/* A message that was held, of a channel that goes on. */
bool pl_data_take_held(pl_data *d, pl_data_event *out);
void pl_channel_drop_held(pl_channel *c);
/* Parts of a message of the deprecated types. */
void pl_channel_drop_partial(pl_channel *c);
void pl_data_all_over(pl_data *d, pl_err error, const char *reason);

#endif
