/* client.h - a peer of a room, over either protocol: http(s):// is the classic one (long poll, libcurl),
 * ws(s):// the JSON one.
 * Shape    lives on a loop; pl_room_client_new gives, pl_room_client_free takes. Signs in by itself, keeps
 *          messages in order, comes back after a lost connection: over WebSocket as the peer it was, within ten seconds and
 *          unnoticed; else with growing pauses (0.5 to 15 s) under a new id, telling `closed` and then `signed_in` again. A
 *          connection over which nothing comes for five seconds after we said something is lost, too.
 * Errors   told to `closed`: PL_EIO (server not reached or lost), PL_EPROTO (no such server there, or it
 *          refused the name), PL_ENOSPC (server full, or we asked too often).
 * Thread   the loop's owner; callbacks never come inside a call of this header. */
#ifndef PL_SIGNAL_CLIENT_H
#define PL_SIGNAL_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "peerline/error.h"
#include "peerline/loop.h"
#include "signal/rooms.h"

enum { PL_ROOM_CLIENT_QUEUE_MAX = 256 }; /* messages sent and not yet taken by the server */

typedef struct pl_room_peer {
    pl_peer_id id;
    const char *name;
} pl_room_peer;

/* Texts and arrays are lent for the call. Any of these may send and sign out; none may free the client. */
typedef struct pl_room_client_events {
    void (*signed_in)(void *user, pl_peer_id id, const pl_room_peer *peers, size_t n_peers);
    void (*peer_joined)(void *user, const pl_room_peer *peer);
    void (*peer_left)(void *user, const pl_room_peer *peer);
    void (*message)(void *user, pl_peer_id from, const char *text, size_t len); /* zero-terminated too */
    /* Not signed in any more. again: it will try again by itself; false after sign out or a refusal. */
    void (*closed)(void *user, pl_err err, const char *why, bool again);
} pl_room_client_events;

typedef struct pl_room_client_conf {
    const char *url;          /* "http://host:8888", "ws://host:8888/ws" */
    const char *name;         /* at most PL_ROOMS_NAME_CHARS characters */
    const char *room;         /* WebSocket only; NULL: the common one */
    bool once;                /* do not come back after a loss */
    bool unkept;              /* come back under a new id, so that others hear of a loss at once */
    pl_room_client_events on; /* each may be NULL */
    void *user;
} pl_room_client_conf;

typedef struct pl_room_client pl_room_client;

/* Errors: PL_EINVAL (URL or name), PL_ENOMEM, PL_EIO. Copies the texts. */
PL_NODISCARD pl_err pl_room_client_new(pl_room_client **out, pl_loop *loop, const pl_room_client_conf *conf);
/* No callback comes after it. Without a sign-out before, the server notices by itself. NULL is fine. */
void pl_room_client_free(pl_room_client *c);
/* Queues UTF-8 text for a peer; order is kept. Errors: PL_ESTATE (not signed in), PL_EINVAL (not UTF-8),
 * PL_ENOSPC (queue full or text over PL_ROOMS_MESSAGE_MAX), PL_ENOMEM. */
PL_NODISCARD pl_err pl_room_client_send(pl_room_client *c, pl_peer_id to, const char *text, size_t len);
/* Sends what is queued, signs out, then tells `closed` with PL_OK. */
void pl_room_client_sign_out(pl_room_client *c);
/* There is reason to doubt that the server can be reached: a call's path went silent. Without an answer the connection is given up
 * within seconds and made anew; a pause before the next attempt ends now. */
void pl_room_client_check(pl_room_client *c);
pl_peer_id pl_room_client_id(const pl_room_client *c); /* 0: not signed in */

#endif
