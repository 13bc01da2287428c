/* rooms_internal.h - what rooms.c (peers and rooms), rooms_messages.c (queues and listeners), rooms_log.c (comings and
 * goings), rooms_resume.c (who comes back), rooms_share.c (other nodes) and rooms_check.c have in common.
 * Shape    private to these files. */
#ifndef PL_SIGNAL_ROOMS_INTERNAL_H
#define PL_SIGNAL_ROOMS_INTERNAL_H

#include "base/hash.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/log.h"
#include "signal/rooms_share.h"

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
    uint64_t seq, origin;
    int64_t taken_us; /* of one that is kept */
    uint8_t kind;     /* PL_ROOMS_MESSAGE or PL_ROOMS_REFUSED */
    bool busy;
    size_t type_len, data_len;
    char bytes[]; /* type, then data */
} pl_message;

typedef struct pl_room {
    pl_hash_node by_name;
    pl_node in_rooms;
    pl_list peers;                     /* in order of sign-in */
    uint32_t n_peers, n_own, n_caught; /* n_own: of this node; n_caught: those whose cursor is log_end */
    pl_note *log;                      /* ring of log_cap, a power of two; holds [log_start, log_end) */
    size_t log_cap;
    uint64_t log_start, log_end;
    size_t name_len;
    char name[];
} pl_room;

typedef struct pl_peer {
    pl_hash_node by_id;
    pl_heap_node idle; /* linked while nobody listens */
    pl_node in_room;
    pl_node in_ready;    /* in ready, or after signing out in gone */
    pl_list queue, kept; /* kept: taken, and may have to be told again */
    pl_room *room;
    pl_name *name;
    void *listener;
    uint64_t cursor; /* the next note of the room it has not heard */
    size_t queued_bytes;
    uint32_t n_queued, n_kept;
    size_t kept_bytes;
    uint64_t missed; /* the newest that is kept no more */
    pl_peer_id id;
    uint64_t heard;                 /* by the origins of messages, as it told when it came back */
    uint64_t said, safe, told_safe; /* its numbered messages: taken here, had by the common memory, told so */
    bool bound, keeps;
    bool remote;         /* another node's: no listener, no queue, hears nothing */
    bool arriving;       /* moved here; what comes first is still on its way */
    bool busy;           /* the others were told that too much waits for it */
    pl_rooms_op *leave;  /* kept, so that its leaving can be told without memory; or NULL */
    uint64_t here_since; /* when it moved here, in the order of all comings and goings */
    bool told;           /* READY was told and it has not been taken empty since */
} pl_peer;

struct pl_rooms {
    pl_rooms_conf conf;
    pl_hash by_id, by_name;
    pl_list rooms, ready, gone;
    pl_heap idle;
    uint32_t next_id, ids_left; /* ids to be given, and the block after them */
    uint32_t spare_id, spare_ids;
    pl_list ops;
    uint64_t seq;
    bool has_secret, reach;
    uint8_t secret[32];
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

bool pl_room_name_fits(pl_str s);
bool pl_room_has_control(pl_str s);
pl_name *pl_name_new(pl_str s, pl_peer_id id);
void pl_name_unref(pl_name *n);
void pl_peer_wake(pl_rooms *r, pl_peer *p);
/* Notes that `about` came or went and wakes the room. Cannot fail: without memory the room forgets, and who
 * has not heard everything has fallen behind. */
void pl_room_log_add(pl_rooms *r, pl_room *room, const pl_peer *about, bool joined);
/* One more peer has heard everything; when all have, the log is given back. */
void pl_room_caught_up(pl_rooms *r, pl_room *room);
void pl_room_log_clear(pl_rooms *r, pl_room *room);

/* ---- rooms.c ---- */
pl_err pl_rooms_refused(pl_rooms *r, pl_err err); /* counts, and gives err back */
void pl_rooms_forget_lent(pl_rooms *r);
pl_peer *pl_peer_find(const pl_rooms *r, pl_peer_id id);
pl_peer *pl_peer_new(pl_peer_id id, pl_str name);
void pl_peer_free(pl_peer *p);
pl_err pl_peer_enter(pl_rooms *r, pl_str room_name, pl_peer *p);
void pl_peer_own(pl_rooms *r, pl_peer *p);
void pl_peer_sign_out(pl_rooms *r, pl_peer *p, const char *why);
void pl_peer_drop_queue(pl_rooms *r, pl_peer *p);
void pl_peer_describe(const pl_peer *p, pl_rooms_peer *out);

/* ---- rooms_messages.c ---- */
bool pl_peer_has_something(const pl_peer *p);
pl_message *pl_message_new(pl_peer_id from, pl_str type, pl_str data);
void pl_peer_enqueue(pl_rooms *r, pl_peer *p, pl_message *m);
/* The next has been taken out of its queue; told the others if need be. */
void pl_peer_dequeued(pl_rooms *r, pl_peer *p, const pl_message *m);

/* ---- rooms_resume.c ---- */
/* Takes a message that its listener was given, to tell it again if need be; false: it is still the caller's. */
bool pl_peer_keep(pl_rooms *r, int64_t now_us, pl_peer *p, pl_message *m);
void pl_peer_drop_kept(pl_rooms *r, pl_peer *p);
void pl_peer_leave_listener(pl_rooms *r, pl_peer *p);

/* ---- rooms_share.c ---- */
/* Without conf.shared these do nothing. */
pl_err pl_peer_promise_leave(pl_rooms *r, pl_peer *p);
void pl_rooms_push_op(pl_rooms *r, pl_rooms_op *op);
void pl_peer_share_bound(pl_rooms *r, const pl_peer *p);
pl_err pl_rooms_share_message(pl_rooms *r, pl_peer_id from, pl_peer_id to, pl_str type, pl_str data,
                              uint64_t number);
void pl_peer_share_heard(pl_rooms *r, pl_peer *p, uint64_t seq);
/* pl_rooms_resume with conf.shared. */
pl_err pl_peer_share_resume(pl_rooms *r, pl_peer *p, uint64_t heard_seq);
void pl_peer_share_load(pl_rooms *r, pl_peer *p);

#endif
