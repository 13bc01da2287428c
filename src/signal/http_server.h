/* http_server.h - rooms and files for the world: listeners, connections, limits.
 * Source   RFC 9110, 9112, 6455, 6585 (429).
 * Shape    lives on a loop; pl_http_server_new gives, pl_http_server_free takes. Carries classic.h,
 *          ws_protocol.h (/ws) and files; drives rooms.h's clock. A connection that waits costs about a
 *          kilobyte: its buffers exist only while bytes are in them.
 * Errors   clients' mistakes are 4xx answers, counted, one log line a second at most.
 * Thread   the loop's owner. */
#ifndef PL_SIGNAL_HTTP_SERVER_H
#define PL_SIGNAL_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "peerline/error.h"
#include "peerline/loop.h"
#include "signal/http_request.h"
#include "signal/rooms.h"

enum { PL_HTTP_LISTEN_MAX = 8 };

/* A file of the page: static for the process, or made for one answer (then freed by `release`). */
typedef struct pl_http_file {
    const char *type; /* "text/html; charset=utf-8" */
    const uint8_t *data;
    size_t len;
    char etag[24];  /* with its quotes; "" for none */
    bool immutable; /* may be kept without asking */
    void *release;  /* free()d after use; NULL for static data */
} pl_http_file;

/* What an owner answers to a request of its own paths. */
typedef struct pl_http_reply {
    int status;
    pl_buf head;      /* header lines beyond those of the connection and the body, each with its CR LF */
    const char *type; /* of the body; NULL: there is none */
    pl_buf body;
} pl_http_reply;

typedef struct pl_http_server_conf {
    pl_addr listen[PL_HTTP_LISTEN_MAX]; /* port 0: any */
    size_t n_listen;
    pl_rooms_conf rooms;
    const char *tls_cert, *tls_key; /* PEM files; NULL: plain HTTP */
    uint32_t max_connections;       /* 0: 12,000 */
    uint32_t max_per_address;       /* connections; 0: 1,000 */
    uint32_t rate, burst;           /* requests per second and address; 0: 100 and 400 */
    int64_t header_us;              /* a request must be whole within it; 0: 10 s */
    int64_t ping_us;                /* between pings on a silent WebSocket; 0: 20 s */
    /* The file at a path ("/app.js"), false for none; "/" asks for "/index.html". */
    bool (*file)(void *user, pl_str path, pl_http_file *out);
    /* Asked first about every request that is no WebSocket's; false: it is none of the owner's. *out comes with
     * empty buffers, which are cleared for the owner. */
    bool (*answer)(void *user, const pl_http_request *req, const pl_addr *from, int64_t now_us,
                   pl_http_reply *out);
    /* JSON for GET /status; asked for by loopback clients only. */
    void (*status)(void *user, pl_buf *out);
    void *user;
} pl_http_server_conf;

typedef struct pl_http_server pl_http_server;

/* Errors: PL_EIO (an address is taken: the log says which), PL_EINVAL (certificate, limits), PL_ENOMEM. */
PL_NODISCARD pl_err pl_http_server_new(pl_http_server **out, pl_loop *loop, const pl_http_server_conf *conf);
/* Cuts what is left. NULL is fine; not from a callback of its own. */
void pl_http_server_free(pl_http_server *s);
size_t pl_http_server_n_addrs(const pl_http_server *s);
const pl_addr *pl_http_server_addr(const pl_http_server *s, size_t i);
/* Stops listening, closes WebSockets with 1001 and waiting requests, lets answers finish. `done` comes once,
 * after at most three seconds, from the loop. */
void pl_http_server_drain(pl_http_server *s, void (*done)(void *user), void *user);

typedef struct pl_http_server_stats {
    uint32_t n_connections, n_websockets, n_waiting;
    uint64_t n_accepted, n_turned_away, n_requests, n_too_many, n_bad, n_timeouts, bytes_in, bytes_out;
} pl_http_server_stats;
const pl_http_server_stats *pl_http_server_get_stats(const pl_http_server *s);
pl_rooms *pl_http_server_rooms(pl_http_server *s);
/* Somebody else has used the rooms: what they have to tell is carried. */
void pl_http_server_rooms_changed(pl_http_server *s);

#endif
