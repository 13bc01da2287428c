/* rooms_share.h - rooms whose peers are signed in at several nodes.
 * Every node knows every peer. What a node's own peers do becomes an operation (pl_rooms_next_op) which whoever shares
 * (share.h, over Redis) makes known; what the others do comes back through the verbs below. All messages, also those
 * between two peers of one node, travel that way, so that there is one order, and a peer whose node has died finds at the
 * next node what was sent to it meanwhile.
 * Shape    more verbs of rooms.h, for rooms with conf.shared. An operation is the caller's to free.
 * Units    a seq is a place in the order of all that happens at all nodes; 0: before all.
 * Errors   operations are bounded by PL_ROOMS_OPS_MAX and _BYTES: over it senders get PL_ENOSPC.
 * Thread   the rooms' owner's. */
#ifndef PL_SIGNAL_ROOMS_SHARE_H
#define PL_SIGNAL_ROOMS_SHARE_H

#include "base/list.h"
#include "signal/rooms_resume.h"

enum { PL_ROOMS_OPS_MAX = 100000, PL_ROOMS_OPS_BYTES = 64 << 20 };

typedef enum pl_rooms_op_kind {
    PL_ROOMS_OP_JOIN,  /* id, room, name, bound; seq: its numbered messages up to that are safe */
    PL_ROOMS_OP_LEAVE, /* id; bound: also when it is at another node */
    PL_ROOMS_OP_SEND,  /* id to `to`: type, data; seq: the sender's number for it, or 0 */
    PL_ROOMS_OP_MOVE,  /* id is ours now, and has heard up to seq; answered by pl_rooms_arrive */
    PL_ROOMS_OP_HEARD, /* id, who cannot say it itself when it moves, has heard up to seq */
    PL_ROOMS_OP_BUSY,  /* id: too much waits for it */
    PL_ROOMS_OP_CALM   /* id: that is over */
} pl_rooms_op_kind;

typedef struct pl_rooms_op {
    pl_node in_list; /* the caller's to use */
    pl_rooms_op_kind kind;
    pl_peer_id id, to;
    uint64_t seq;
    uint64_t number; /* the caller's to use */
    bool bound;
    pl_str room, name, type, data; /* within the same block of memory */
} pl_rooms_op;

/* The oldest operation that nobody has taken, or NULL. It counts as waiting until pl_rooms_op_free. */
pl_rooms_op *pl_rooms_next_op(pl_rooms *r);
void pl_rooms_op_free(pl_rooms *r, pl_rooms_op *op);

/* Ids that this node may give to its peers, n from first; those before are used up first. */
void pl_rooms_give_ids(pl_rooms *r, pl_peer_id first, uint32_t n);
uint32_t pl_rooms_ids_left(const pl_rooms *r);

/* Another node's peer came or went. A known one is left as it is. Errors: PL_ENOMEM, PL_ENOSPC, PL_EINVAL (names). */
PL_NODISCARD pl_err pl_rooms_remote_join(pl_rooms *r, pl_peer_id id, pl_str room, pl_str name, bool bound);
void pl_rooms_remote_leave(pl_rooms *r, pl_peer_id id);
/* A peer of ours is signed in at another node now: its listener gets PL_ROOMS_GONE, the others hear nothing. at: when, in the
 * order of all comings and goings; a move from before it came here itself is ignored. */
void pl_rooms_moved_away(pl_rooms *r, pl_peer_id id, uint64_t at);
/* Tells the other nodes of a peer of ours once more. Errors: PL_ENOMEM. */
PL_NODISCARD pl_err pl_rooms_join_again(pl_rooms *r, pl_peer_id id);
/* A message for a peer of ours; others are ignored. origin: the place it had when it was said; seq is a later one when it comes
 * again behind a move. What a client has heard is told by origin, which no moving changes. */
void pl_rooms_deliver(pl_rooms *r, pl_peer_id to, pl_peer_id from, pl_str type, pl_str data, uint64_t seq,
                      uint64_t origin);
/* A message of our peer's, of that number or 0, did not reach `to`. */
void pl_rooms_refuse(pl_rooms *r, pl_peer_id from, pl_peer_id to, uint64_t number, bool busy);

/* The common memory has the messages of a peer of ours up to that number. */
void pl_rooms_said(pl_rooms *r, pl_peer_id id, uint64_t number);
/* The answer to PL_ROOMS_OP_MOVE: it is here since `at`, in the order of everything; what it has not heard of the messages
 * before that comes again, behind it. */
void pl_rooms_arrive(pl_rooms *r, pl_peer_id id, uint64_t at);

/* Whether the other nodes are within reach. */
void pl_rooms_set_reach(pl_rooms *r, bool reach);

/* All peers, also of other nodes, by rooms; start with *cursor NULL. No other verb between the calls, but pl_rooms_join_again. */
bool pl_rooms_each_of_all(const pl_rooms *r, const void **cursor, pl_rooms_peer *out);

/* What tokens are made with, at all nodes; without conf.shared pl_rooms_new chooses it. */
void pl_rooms_set_secret(pl_rooms *r, const uint8_t secret[32]);
void pl_rooms_set_seq(pl_rooms *r, uint64_t seq);

#endif
