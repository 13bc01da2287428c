/* rooms_internal.h - what rooms.c (peers and messages) and rooms_log.c (comings and goings) share.
 * Shape    private to these two files. */
#ifndef PL_SIGNAL_ROOMS_INTERNAL_H
#define PL_SIGNAL_ROOMS_INTERNAL_H

#include "base/hash.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/log.h"
#include "signal/rooms.h"

/* Shared by a peer and the notes about it, so that its leaving can be told without memory. */
typedef struct pl_name {
    uint32_t refs;
    size_t len;
    char text[];
} pl_name;

typedef struct pl_note {
    pl_peer_id id;
    bool joined;
    pl_name *name;
} pl_note;

typedef struct pl_message {
    pl_node in_queue;
    pl_peer_id from;
    uint64_t after; /* the room's log_end when it was sent: it is heard after those notes */
    size_t type_len, data_len;
    char bytes[]; /* type, then data */
} pl_message;

typedef struct pl_room {
    pl_hash_node by_name;
    pl_node in_rooms;
    pl_list peers;              /* in order of sign-in */
    uint32_t n_peers, n_caught; /* n_caught: peers whose cursor is log_end */
    pl_note *log;               /* ring of log_cap, a power of two; holds [log_start, log_end) */
    size_t log_cap;
    uint64_t log_start, log_end;
    size_t name_len;
    char name[];
} pl_room;

typedef struct pl_peer {
    pl_hash_node by_id;
    pl_heap_node idle; /* linked while nobody listens */
    pl_node in_room;
    pl_node in_ready; /* in ready, or after signing out in gone */
    pl_list queue;
    pl_room *room;
    pl_name *name;
    void *listener;
    uint64_t cursor; /* the next note of the room it has not heard */
    size_t queued_bytes;
    uint32_t n_queued;
    pl_peer_id id;
    bool bound;
    bool told; /* READY was told and it has not been taken empty since */
} pl_peer;

struct pl_rooms {
    pl_rooms_conf conf;
    pl_hash by_id, by_name;
    pl_list rooms, ready, gone;
    pl_heap idle;
    uint32_t next_id;
    pl_name *lent_name; /* what the last take lent out */
    pl_message *lent_message;
    pl_rooms_stats stats;
    pl_rate said; /* of lines about sign-ins */
};

static inline pl_str pl_room_name(const pl_room *room)
{
    return (pl_str){ room->name, room->name_len };
}
static inline pl_str pl_name_str(const pl_name *n)
{
    return (pl_str){ n->text, n->len };
}
static inline size_t pl_message_size(const pl_message *m)
{
    return sizeof *m + m->type_len + m->data_len;
}
static inline size_t pl_note_size(const pl_note *n)
{
    return sizeof *n + n->name->len;
}
static inline const pl_note *pl_room_log_at(const pl_room *room, uint64_t at)
{
    return &room->log[at & (room->log_cap - 1)];
}

void pl_name_unref(pl_name *n);
void pl_peer_wake(pl_rooms *r, pl_peer *p);
/* Notes that `about` came or went and wakes the room. Cannot fail: without memory the room forgets, and who
 * has not heard everything has fallen behind. */
void pl_room_log_add(pl_rooms *r, pl_room *room, const pl_peer *about, bool joined);
/* One more peer has heard everything; when all have, the log is given back. */
void pl_room_caught_up(pl_rooms *r, pl_room *room);
void pl_room_log_clear(pl_rooms *r, pl_room *room);

#endif
