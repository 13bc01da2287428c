/* websocket.h - WebSocket frames, both sides.
 * Source   RFC 6455: opening handshake (4), framing and masking (5), closing (7), UTF-8 (8.1). No extensions.
 * Shape    pl_ws lives inside a connection, init and clear. Bytes in give messages; control frames and
 *          fragments are put together here. What must be answered (pong, close) is written to `out`.
 * Errors   PL_WS_FAILED with the close code of RFC 7.4.1: 1002 protocol, 1007 not UTF-8, 1009 too big,
 *          1003 binary (rooms speak text). The close frame is in `out` by then; close the stream after it.
 * Units    bytes. */
#ifndef PL_SIGNAL_WEBSOCKET_H
#define PL_SIGNAL_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rand.h"
#include "base/slice.h"

enum { PL_WS_ACCEPT_LEN = 28, PL_WS_CONTROL_MAX = 125 };

typedef enum pl_ws_op {
    PL_WS_CONT = 0,
    PL_WS_TEXT = 1,
    PL_WS_BINARY = 2,
    PL_WS_CLOSE = 8,
    PL_WS_PING = 9,
    PL_WS_PONG = 10
} pl_ws_op;

typedef enum pl_ws_progress {
    PL_WS_MORE,    /* all bytes used */
    PL_WS_MESSAGE, /* ws->message is one whole text; feed the rest afterwards */
    PL_WS_CLOSED,  /* the peer closed in order; our close frame is in out */
    PL_WS_FAILED
} pl_ws_progress;

typedef struct pl_ws {
    pl_buf message; /* of the message being put together */
    size_t message_max;
    uint16_t close_code;  /* after CLOSED (1005: none given) and FAILED */
    bool client, closing; /* client: we mask and the peer must not; closing: our close frame was written */
    bool alive;           /* any frame came since the caller last cleared it */
    pl_rand rand;         /* of masks */
    /* private: the frame being read */
    uint8_t head[14], head_len, need, mask[4], op, control[PL_WS_CONTROL_MAX], control_len;
    bool fin, masked, in_payload, in_message, told;
    uint64_t left;
    size_t at;
} pl_ws;

void pl_ws_init(pl_ws *ws, bool client, size_t message_max, pl_rand rand);
void pl_ws_clear(pl_ws *ws);
/* data is changed in place (unmasking). */
pl_ws_progress pl_ws_feed(pl_ws *ws, uint8_t *data, size_t len, size_t *used, pl_buf *out);
/* Gives the memory of the message that was told back; the next feed does it too. */
void pl_ws_done(pl_ws *ws);
/* Append one frame to `out`. */
void pl_ws_put(pl_ws *ws, pl_ws_op op, const void *data, size_t len, pl_buf *out);
void pl_ws_put_close(pl_ws *ws, uint16_t code, const char *reason, pl_buf *out); /* once; then nothing */

/* Sec-WebSocket-Accept for a key (RFC 6455 4.2.2), zero-terminated. False when the key is not 16 bytes in
 * base64. */
bool pl_ws_accept(pl_str key, char out[PL_WS_ACCEPT_LEN + 1]);

#endif
