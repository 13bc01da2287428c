/* classic.h - the protocol of libwebrtc's peerconnection_server, request in, exact bytes out.
 * Source   libwebrtc examples/peerconnection/server: /sign_in?NAME, /wait?peer_id=, /message?peer_id=&to=,
 *          /sign_out?peer_id=; header names with their capitals, because its client compares bytes.
 *          docs/signaling.md tells where we differ: names are percent-decoded, a peer unknown is 404 instead
 *          of 500, /quit is refused, and /room/NAME before them is a room of its own.
 * Shape    pure functions over rooms.h; the connection is known only as the opaque listener.
 * Errors   become answers; a buffer without memory is told by pl_buf's own sticky state. */
#ifndef PL_SIGNAL_CLASSIC_H
#define PL_SIGNAL_CLASSIC_H

#include <stdbool.h>

#include "signal/http_request.h"
#include "signal/rooms.h"

enum { PL_CLASSIC_OUT_MAX = PL_ROOMS_MESSAGE_MAX + 4096 };

typedef enum pl_classic_result {
    PL_CLASSIC_NOT_MINE, /* another path */
    PL_CLASSIC_ANSWERED, /* the response is in out; close the connection after it */
    PL_CLASSIC_WAITS     /* the listener is attached to *id; pl_classic_deliver will have the response */
} pl_classic_result;

/* status: of the answer, for the log. *replaced: the listener that an older /wait of the same peer left
 * behind, to be closed without an answer, or NULL. */
pl_classic_result pl_classic_request(pl_rooms *rooms, int64_t now_us, const pl_http_request *req,
                                     void *listener, pl_peer_id *id, void **replaced, int *status,
                                     pl_buf *out);
/* The response for a listener that waits, after PL_ROOMS_READY: takes one item and detaches the listener.
 * False when there was nothing. */
bool pl_classic_deliver(pl_rooms *rooms, int64_t now_us, pl_peer_id id, void *listener, pl_buf *out);
/* A response as the classic server writes it. pragma 0: none; type "": none. The list of a sign-in may be
 * longer than a message: out is born with its own maximum. */
void pl_classic_respond(pl_buf *out, int status, const char *reason, pl_str type, pl_peer_id pragma,
                        pl_str body);

#endif
