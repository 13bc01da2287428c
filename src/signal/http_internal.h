/* http_internal.h - what the files of the HTTP server share: http_server.c (listening, limits, draining),
 * http_conn.c (one connection's bytes) and http_answer.c (what a request gets).
 * Shape    private to these three. */
#ifndef PL_SIGNAL_HTTP_INTERNAL_H
#define PL_SIGNAL_HTTP_INTERNAL_H

#include "base/list.h"
#include "base/log.h"
#include "net/loop.h"
#include "net/tcp.h"
#include "net/tls.h"
#include "signal/classic.h"
#include "signal/http_server.h"
#include "signal/limits.h"
#include "signal/websocket.h"
#include "signal/ws_protocol.h"

enum {
    HTTP_OUT_MAX = 4 * 1024 * 1024, /* bytes of one answer, and of a connection's write queue */
    HTTP_WS_HIGH = 256 * 1024       /* bytes queued for a WebSocket above which its room items wait */
};

typedef enum http_mode {
    HTTP_READING, /* a request comes, or will */
    HTTP_WAITING, /* /wait: the answer comes when there is something to say */
    HTTP_SOCKET,  /* WebSocket */
    HTTP_CLOSING  /* everything was said; what still comes is read over */
} http_mode;

typedef struct http_conn {
    pl_node in_conns;
    pl_http_server *server;
    pl_tcp *tcp;
    pl_tls *tls;            /* or NULL */
    pl_limit *limit;        /* NULL for one that is only told it is too many */
    pl_http_reader *reader; /* only while HTTP_READING */
    pl_ws *ws;              /* only while HTTP_SOCKET */
    pl_ws_session session;
    pl_peer_id waits_for;
    pl_timer timer;
    http_mode mode;
    bool pinned;  /* freeing waits: somebody on the stack still holds it */
    bool doomed;  /* freed while it was pinned */
    bool begun;   /* bytes of a request have come */
    bool pinged;  /* no frame came since our last ping */
    bool hung_up; /* the client closed its WebSocket, as opposed to losing it */
} http_conn;

struct pl_http_server {
    pl_http_server_conf conf;
    pl_loop *loop;
    pl_rooms *rooms;
    pl_tls_ctx *tls;
    pl_tcp_listener *listener[PL_HTTP_LISTEN_MAX];
    size_t n_listeners;
    pl_limits limits;
    pl_list conns;
    uint32_t n_telling; /* connections over a limit that are only told so */
    pl_timer rooms_timer, drain_timer;
    bool pumping, draining;
    void (*drained)(void *user);
    void *drained_user;
    pl_rate said_bad, said_many;
    pl_http_server_stats stats;
    pl_log log;
};

/* ---- http_conn.c ---- */
/* Takes the stream. limit NULL: answers 429 and ends. */
void http_conn_open(pl_http_server *s, pl_tcp *tcp, pl_limit *limit);
void http_conn_free(http_conn *c);
/* Queues bytes; false when the connection could not take them and was freed. */
bool http_conn_write(http_conn *c, const pl_buf *bytes);
/* Sends the end after what was written and reads over what still comes, for a while. */
void http_conn_end(http_conn *c);
void http_conn_become_socket(http_conn *c, pl_ws *ws);
void http_conn_become_waiting(http_conn *c);
/* Tells a WebSocket what its room has for it, as far as its queue goes. */
void http_conn_tell(http_conn *c);
void http_conn_drain(http_conn *c);

/* ---- http_answer.c ---- */
/* The request in c->reader is whole. True when c lives and reads on; after false it must not be touched. */
bool http_answer(http_conn *c);
/* An error in plain text; the connection ends after it. */
void http_refuse(http_conn *c, int status, const char *text);

/* ---- http_server.c ---- */
/* Carries what the rooms have to tell until there is nothing more, and sets their clock. */
void http_server_pump(pl_http_server *s);
void http_server_conn_gone(pl_http_server *s);

#endif
