/* client_internal.h - what client.c (state, queue, coming back) shares with its two carriers,
 * client_classic.c (long poll over libcurl) and client_ws.c.
 * Shape    private to these three. A carrier lives from one attempt to its loss; it calls the up-functions
 *          below only from the loop, never from inside its own verbs, and is freed by client.c alone. */
#ifndef PL_SIGNAL_CLIENT_INTERNAL_H
#define PL_SIGNAL_CLIENT_INTERNAL_H

#include "base/list.h"
#include "base/log.h"
#include "net/loop.h"
#include "signal/client.h"
#include "signal/client_peers.h"
#include "signal/rooms_resume.h"

enum { CLIENT_LIST_MAX = 4 * 1024 * 1024 }; /* bytes of the longest list of peers */

typedef struct client_text {
    pl_node in_queue;
    pl_peer_id to;
    uint64_t number; /* 0: it has none */
    size_t len;
    char text[]; /* zero-terminated */
} client_text;

typedef struct client_url {
    bool ws, tls;
    char host[256]; /* IPv6 without brackets */
    uint16_t port;
    char path[512]; /* "" or "/...", without query and fragment */
} client_url;

typedef struct client_carrier client_carrier;
typedef struct client_carrier_ops {
    client_carrier *(*open)(pl_room_client *c); /* begins to sign in; NULL: no memory */
    void (*kick)(client_carrier *k);            /* there is something in the queue, or c->leaving was set */
    void (*check)(client_carrier *k);           /* does the connection live? NULL: it shows by itself */
    void (*close)(client_carrier *k);
} client_carrier_ops;
extern const client_carrier_ops client_classic_ops, client_ws_ops;

struct pl_room_client {
    pl_loop *loop;
    const client_carrier_ops *ops;
    client_carrier *carrier; /* or NULL between attempts */
    client_url url;
    char *url_text, *name, *room;
    bool once, unkept, leaving, over;
    pl_room_client_events on;
    void *user;
    pl_peer_id id;
    bool on_line;                       /* signed in, or back, on this carrier */
    char token[PL_ROOMS_TOKEN_LEN + 1]; /* of a server that lets us come back; "" for none */
    uint64_t heard;                     /* the newest message's place */
    int64_t keeps_us;                   /* so long the server keeps us */
    int64_t lost_us;                    /* since when we are trying to come back; PL_NEVER: are not */
    client_peers peers;                 /* kept when there is a token */
    pl_list queue; /* of client_text; those before `next` are sent, and not acknowledged */
    pl_node *next; /* &queue: none */
    size_t n_queued;
    bool acked;      /* the server acknowledges what it is told by number */
    uint64_t n_said; /* the newest number */
    pl_timer timer;  /* the next attempt, or the end of a carrier */
    int64_t pause_us;
    struct {
        pl_err err;
        bool again;
        char why[160];
    } lost;
    pl_log log;
};

/* The oldest text that is not sent; it stays in the queue until client_text_sent, or, where the server acknowledges,
 * client_text_acked. */
client_text *client_first_text(const pl_room_client *c);
void client_text_sent(pl_room_client *c);
/* The server has all up to that number. */
void client_texts_acked(pl_room_client *c, uint64_t number);
/* It will not take that one. */
void client_text_refused(pl_room_client *c, uint64_t number);
/* A new connection: what is not acknowledged is sent again. Of a server that does not acknowledge it counts as sent. */
void client_texts_again(pl_room_client *c);

/* ---- up, from the carriers ---- */
void client_signed_in(pl_room_client *c, pl_peer_id id, const pl_room_peer *peers, size_t n);
/* The same peer as before, on a new carrier; what was missed follows. peers: who is there now. */
void client_resumed(pl_room_client *c, const pl_room_peer *peers, size_t n);
void client_presence(pl_room_client *c, bool joined, pl_peer_id id, const char *name);
void client_message(pl_room_client *c, pl_peer_id from, const char *text, size_t len);
/* The carrier is of no more use. again: a new attempt may do better. */
void client_lost(pl_room_client *c, pl_err err, bool again, const char *fmt, ...) PL_PRINTF(4, 5);

#endif
