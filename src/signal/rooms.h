/* rooms.h - who is there and what they tell each other: peers, rooms, presence and message queues.
 * Source   the peerconnection_server of libwebrtc's examples, whose one channel is our room "".
 * Shape    a core without sockets, clock or callbacks. Carriers (the classic protocol, WebSocket) attach as
 *          listeners, ask pl_rooms_poll_event who has something to hear, and take it piece by piece.
 *          Presence is one log a room that its peers read at their own pace, so that a sign-in costs the
 *          same in a room of ten and of ten thousand; messages wait in a queue per peer.
 * Units    microseconds, bytes of UTF-8.
 * Errors   everything an outsider can make grow has a limit here; over it PL_ENOSPC, and nothing changed.
 * Thread   its owner's. */
#ifndef PL_SIGNAL_ROOMS_H
#define PL_SIGNAL_ROOMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rand.h"
#include "base/slice.h"
#include "base/time.h"
#include "peerline/error.h"

enum {
    PL_ROOMS_NAME_CHARS = 64,          /* characters in the name of a peer or a room */
    PL_ROOMS_NAME_MAX = 256,           /* the same in bytes */
    PL_ROOMS_TYPE_MAX = 63,            /* of a message's content type */
    PL_ROOMS_MESSAGE_MAX = 256 * 1024, /* bytes of one message */
    PL_ROOMS_PEERS_MAX = 1 << 20,      /* more than this no configuration allows */
    PL_ROOMS_LOG_MAX = 4096            /* comings and goings that a room remembers for those behind */
};

typedef struct pl_rooms pl_rooms;
typedef uint32_t pl_peer_id; /* 1 to 2^31 - 1, counted up, never given twice; 0: nobody */

typedef struct pl_rooms_conf {
    pl_rand rand;           /* keys the tables */
    uint32_t max_peers;     /* 0: 10,000 */
    uint32_t max_room;      /* of them in one room; 0: no limit of its own */
    uint32_t max_queue;     /* messages that wait for one peer; 0: 256 */
    size_t max_queue_bytes; /* and their bytes; 0: 1 MiB */
    size_t max_total_bytes; /* of all queues, and again of all logs; 0: 64 MiB */
    int64_t idle_us;        /* a peer nobody listens for is signed out after it; 0: 30 s */
    bool shared;            /* with other nodes: see rooms_share.h */
} pl_rooms_conf;

/* Errors: PL_ENOMEM, PL_EINVAL for limits out of range. */
PL_NODISCARD pl_err pl_rooms_new(pl_rooms **out, const pl_rooms_conf *conf);
void pl_rooms_free(pl_rooms *r); /* NULL is fine */

/* Name and room as they came: commas and control characters of a name become '_', since the classic protocol
 * separates with them; an empty name becomes "peer_ID". Two peers may have one name. The others of the room
 * hear of it. Errors: PL_EINVAL (too long, not UTF-8), PL_ENOSPC (max_peers, max_room), PL_EAGAIN (shared,
 * and no other node was within reach yet), PL_ENOMEM. */
PL_NODISCARD pl_err pl_rooms_sign_in(pl_rooms *r, int64_t now_us, pl_str room, pl_str name, pl_peer_id *id);
/* What waits for the peer is dropped, the others hear of it, its listener gets PL_ROOMS_GONE. An unknown id
 * is fine. */
void pl_rooms_sign_out(pl_rooms *r, int64_t now_us, pl_peer_id id);

/* Queues a copy of the message for `to`. type: content type, "" for none.
 * Errors: PL_ESTATE (sender unknown), PL_EINVAL (no such peer in the sender's room, or over a size limit of
 * this header, or a type with control characters), PL_ENOSPC (the receiver's queue or the server is full:
 * try later), PL_ENOMEM. */
PL_NODISCARD pl_err pl_rooms_send(pl_rooms *r, int64_t now_us, pl_peer_id from, pl_peer_id to, pl_str type,
                                  pl_str data);

typedef struct pl_rooms_peer {
    pl_peer_id id;
    pl_str name, room; /* lent until the peer is signed out */
    bool bound;
    bool remote; /* signed in at another node */
} pl_rooms_peer;
bool pl_rooms_find(const pl_rooms *r, pl_peer_id id, pl_rooms_peer *out);
/* From now on the peer belongs to its connection: carriers whose requests only claim an id must not act for
 * it. The rooms keep the mark, the carriers obey it. */
void pl_rooms_bind(pl_rooms *r, pl_peer_id id);
/* The peers of `of`'s room in order of sign-in, without itself: start with *cursor NULL; false at the end.
 * No other verb between the calls. */
bool pl_rooms_each(const pl_rooms *r, pl_peer_id of, const void **cursor, pl_rooms_peer *out);

/* Somebody now waits to carry things to the peer; its idle time stops. *replaced becomes the listener that
 * was there before, or NULL: the newest wins, because an old client opens its next connection before the
 * server has seen the last one die. Errors: PL_ESTATE (no such peer); *replaced is NULL. */
PL_NODISCARD pl_err pl_rooms_listen(pl_rooms *r, int64_t now_us, pl_peer_id id, void *listener,
                                    void **replaced);
/* The carrier is gone or has had enough; the idle time starts. Ignored when another listens by now. */
void pl_rooms_unlisten(pl_rooms *r, int64_t now_us, pl_peer_id id, const void *listener);

typedef enum pl_rooms_kind {
    PL_ROOMS_MESSAGE,
    PL_ROOMS_JOINED,
    PL_ROOMS_LEFT,
    PL_ROOMS_REFUSED, /* shared rooms: a message of this peer's, taken before, did not reach `peer` */
    PL_ROOMS_SAID     /* this peer's numbered messages up to seq are safe: rooms_resume.h */
} pl_rooms_kind;
typedef struct pl_rooms_item {
    pl_rooms_kind kind;
    pl_peer_id peer; /* who sent it, came or left */
    pl_str name;     /* of who came or left */
    pl_str type, data;
    uint64_t seq; /* the message's place, for pl_rooms_resume; of PL_ROOMS_REFUSED its number, or 0 */
    bool busy;    /* PL_ROOMS_REFUSED: too much waits for it; else it is not there */
} pl_rooms_item;
/* The next thing for a peer, in the order in which things happened; false when it has heard everything. The
 * slices are lent until the next verb. */
bool pl_rooms_take(pl_rooms *r, int64_t now_us, pl_peer_id id, pl_rooms_item *out);

typedef enum pl_rooms_event_kind {
    PL_ROOMS_READY, /* there is something to take; told once until it was taken empty or listens anew */
    PL_ROOMS_GONE   /* the peer was signed out, here or by its idle time or because it fell behind */
} pl_rooms_event_kind;
typedef struct pl_rooms_event {
    pl_rooms_event_kind kind;
    pl_peer_id id;
    void *listener; /* after GONE it is attached to nothing; a peer without listener goes silently */
} pl_rooms_event;
/* Drain it after every other verb. An event is a difference between state and what was told. */
bool pl_rooms_poll_event(pl_rooms *r, pl_rooms_event *out);

void pl_rooms_tick(pl_rooms *r, int64_t now_us); /* signs out who has been idle too long */
int64_t pl_rooms_next_us(const pl_rooms *r);     /* next deadline, or PL_NEVER */
void pl_rooms_check(const pl_rooms *r);          /* asserts every invariant */

typedef struct pl_rooms_stats {
    uint32_t n_peers, n_rooms, n_listening;
    size_t queued_bytes, n_queued; /* messages that wait */
    size_t kept_bytes;             /* that were told, and may have been lost on the way: rooms_resume.h */
    size_t log_bytes;              /* comings and goings that not everybody has heard */
    uint64_t n_signed_in, n_signed_out, n_idle, n_behind, n_messages, message_bytes, n_refused;
    uint32_t n_remote; /* peers of other nodes; n_peers are our own */
    uint32_t n_ops;    /* what the other nodes have not been told yet */
    size_t ops_bytes;
    uint64_t n_resumed, n_moved;
} pl_rooms_stats;
const pl_rooms_stats *pl_rooms_get_stats(const pl_rooms *r);

#endif
