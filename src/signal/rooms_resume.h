/* rooms_resume.h - peers that come back after a broken connection as who they were, and lose nothing by it.
 * A client has a token, which only it and the servers know, and the place of the newest message that it has heard; what it says
 * it numbers, and says again what was not acknowledged. With conf.shared the common memory keeps what may have been swallowed by
 * a connection, and any node takes the peer; else the rooms themselves keep it, and the peer comes back here.
 * Source   docs/signaling.md, "Coming back".
 * Shape    more verbs of rooms.h.
 * Units    a seq is a place in the order of all messages; 0: before all.
 * Errors   what is kept for one peer is bounded by PL_ROOMS_KEPT_MAX and _BYTES, and for all by half of conf.max_total_bytes.
 *          Who has missed more than that signs in anew.
 * Thread   the rooms' owner's. */
#ifndef PL_SIGNAL_ROOMS_RESUME_H
#define PL_SIGNAL_ROOMS_RESUME_H

#include "signal/rooms.h"

enum {
    PL_ROOMS_RESUME_S =
        10, /* so long, or for conf.idle_us, a WebSocket's peer stays when its connection has broken */
    PL_ROOMS_KEPT_MAX = 64,          /* messages that may not have arrived */
    PL_ROOMS_KEPT_BYTES = 512 << 10, /* and their bytes */
    PL_ROOMS_KEPT_S = 90,            /* by then a connection has shown that it lives, or was found broken */
    PL_ROOMS_TOKEN_LEN = 32
};

/* This peer may come back. It is bound, too. */
void pl_rooms_keep(pl_rooms *r, pl_peer_id id);

/* As pl_rooms_send, for a client that counts its messages, from 1, and says again what was not acknowledged when it comes
 * back: one that was taken already is not taken twice, here or at any node. PL_ROOMS_SAID acknowledges. number 0: as
 * pl_rooms_send. */
PL_NODISCARD pl_err pl_rooms_send_numbered(pl_rooms *r, int64_t now_us, pl_peer_id from, pl_peer_id to,
                                           pl_str type, pl_str data, uint64_t number);
/* Up to which number they are safe, as far as this node knows. */
uint64_t pl_rooms_said_until(const pl_rooms *r, pl_peer_id id);

/* A peer comes back on a new connection, here: from another node, or to this one; it has heard up to seq. What it has
 * not follows, in order. The caller has made sure that it is the peer itself. Errors: PL_ESTATE (no such peer any more, or too
 * much was missed), PL_EAGAIN (the other nodes are out of reach: what it said at its former node may not have been told yet),
 * PL_ENOSPC, PL_ENOMEM. */
PL_NODISCARD pl_err pl_rooms_resume(pl_rooms *r, int64_t now_us, pl_peer_id id, uint64_t heard_seq);

/* For how long who may come back is kept. */
int64_t pl_rooms_resume_us(const pl_rooms *r);

/* What a client has to show when it comes back: 32 characters and a final zero, not to be guessed. False: with conf.shared, and
 * before pl_rooms_set_secret. */
bool pl_rooms_token(const pl_rooms *r, pl_peer_id id, char out[PL_ROOMS_TOKEN_LEN + 1]);
bool pl_rooms_token_is_right(const pl_rooms *r, pl_peer_id id, pl_str token);
/* The place of the newest message that this node has seen: what a new peer has heard. */
uint64_t pl_rooms_seq(const pl_rooms *r);

#endif
