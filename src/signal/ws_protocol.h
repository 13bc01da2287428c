/* ws_protocol.h - the rooms in JSON, one object a WebSocket message. docs/signaling.md is its specification.
 *     in   {"type":"sign_in","name":"ann","room":"r","resumable":true}  {"type":"message","to":2,"data":"text"}
 *          {"type":"sign_in","name":"ann","room":"r","resumable":true,"id":1,"token":"0123…","heard":17}
 *          {"type":"sign_out"}  {"type":"ping"}
 *     out  {"type":"welcome","id":1,"name":"ann","room":"r","peers":[{"id":2,"name":"bob"}]}
 *          {"type":"joined","id":3,"name":"cid"}  {"type":"left","id":3,"name":"cid"}
 *          {"type":"message","from":2,"data":"text"}  {"type":"signed_out"}  {"type":"pong"}
 *          to who said resumable also "token", "heard" and "said" in the welcome, "seq"
 *          in a message, "resumed":true in the welcome of who came back, and {"type":"ack","n":5} for messages with "n".
 *          {"type":"error","code":"no-such-peer","message":"...","to":9}
 * Shape    pure functions over rooms.h; a session is plain data inside its connection. Replies are appended
 *          to `out` as JSON texts, each followed by a zero byte, in order.
 * Errors   become error messages; PL_EPROTO when it was no JSON object at all. The connection goes on. */
#ifndef PL_SIGNAL_WS_PROTOCOL_H
#define PL_SIGNAL_WS_PROTOCOL_H

#include <stdbool.h>

#include "signal/rooms.h"

/* JSON may write each byte of a message with up to six. Larger frames are closed with 1009. */
enum { PL_WS_TEXT_MAX = 2 * PL_ROOMS_MESSAGE_MAX };

typedef struct pl_ws_session {
    pl_peer_id id; /* 0: not signed in */
    void *listener;
    bool resumable; /* the client has a token, and will come back */
} pl_ws_session;

pl_err pl_ws_session_input(pl_ws_session *s, pl_rooms *rooms, int64_t now_us, const char *text, size_t len,
                           pl_buf *out);
/* After PL_ROOMS_READY: appends the next item; false when there is none. */
bool pl_ws_session_next(pl_ws_session *s, pl_rooms *rooms, int64_t now_us, pl_buf *out);
/* After PL_ROOMS_GONE, or when another connection took over: tells the client that it is signed out. */
void pl_ws_session_gone(pl_ws_session *s, pl_buf *out);
/* The connection has ended: the client hung up. */
void pl_ws_session_end(pl_ws_session *s, pl_rooms *rooms, int64_t now_us);
/* It broke: a peer that can come back stays, for the rooms' idle time. */
void pl_ws_session_lost(pl_ws_session *s, pl_rooms *rooms, int64_t now_us);

#endif
