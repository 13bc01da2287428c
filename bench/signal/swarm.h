/* swarm.h - thousands of peers in one thread that sign in to a server and write to each other, and what became of what
 * they wrote.
 * Shape    a peer has one of three ways (poll.c, ws.c, xmpp.c); swarm.c has their sockets, the clock and the counting.
 *          Errors that a benchmark cannot go on after end the program; others are counted.
 * Units    microseconds.
 * Thread   one. */
#ifndef BENCH_SIGNAL_SWARM_H
#define BENCH_SIGNAL_SWARM_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/slice.h"
#include "signal/websocket.h"

enum {
    SWARM_NODES_MAX = 4,
    SWARM_ROOM_MAX = 64,
    SWARM_TEXT_MAX = 16384,
    SWARM_STAMP = 40, /* characters at the beginning of each text: who, which, when */
    SWARM_JID_MAX = 128
};

typedef struct swarm swarm;
typedef struct swarm_peer swarm_peer;

typedef struct swarm_conn {
    swarm_peer *peer;
    int fd; /* -1: closed */
    uint32_t generation;
    pl_buf in, out;
} swarm_conn;

typedef struct swarm_way {
    const char *name;
    void (*sign_in)(swarm_peer *p);
    void (*send)(swarm_peer *p, const swarm_peer *to, const char *text, size_t len);
    void (*input)(swarm_peer *p, swarm_conn *c); /* something was added to c->in */
    void (*closed)(swarm_peer *p, swarm_conn *c);
} swarm_way;
extern const swarm_way swarm_poll, swarm_ws, swarm_xmpp;

struct swarm_peer {
    swarm *swarm;
    const swarm_way *way;
    uint32_t index, room, slot, node;
    uint32_t id; /* the server's; 0: not signed in */
    char jid[SWARM_JID_MAX];
    int stage;              /* of signing in; the way's own */
    swarm_conn main, other; /* other: requests beside a hanging one */
    pl_ws ws;
    pl_list posts; /* that wait for `other` */
    bool posting;
    uint32_t sent[SWARM_ROOM_MAX],
        heard[SWARM_ROOM_MAX]; /* the newest message to and from each of the room */
};

typedef struct swarm_count {
    uint64_t n_sent, n_heard, n_twice, n_misordered, n_refused, n_cut, n_connections;
    double sign_in_s;
} swarm_count;

struct swarm {
    struct sockaddr_in node[SWARM_NODES_MAX];
    size_t n_nodes, n_peers, room_size;
    swarm_peer *peer;
    int epoll;
    size_t n_in;         /* signed in */
    size_t next;         /* to sign in */
    uint64_t n_messages; /* that are to be sent */
    uint8_t *was_heard;
    uint32_t *took_us; /* by arrival */
    size_t text_len;
    const char *domain; /* XMPP */
    swarm_count count;
};

/* Opens a connection to the peer's node, from an address of its own; `first` is sent as soon as it stands. */
void swarm_open(swarm_peer *p, swarm_conn *c, const void *first, size_t len);
void swarm_close(swarm_conn *c);
void swarm_write(swarm_conn *c, const void *data, size_t len);
/* The first n bytes of what came are dealt with. */
void swarm_consume(swarm_conn *c, size_t n);
void swarm_signed_in(swarm_peer *p);
/* A text has come, and p is who it came to. */
void swarm_heard(swarm_peer *p, const char *text, size_t len);
/* Where `what` begins in s; NULL when it does not. */
const char *swarm_find(pl_str s, const char *what);

void swarm_begin(swarm *s);
/* So many sign in at once, until all are in; false when they are not after timeout_us. */
bool swarm_sign_in(swarm *s, size_t at_once, int64_t timeout_us);
/* Carries what comes for so long. */
void swarm_rest(swarm *s, int64_t for_us);
/* s->n_messages texts, so many a second, evenly; then until all have come, or nothing has for five seconds. */
void swarm_exchange(swarm *s, double per_s);
void swarm_end(swarm *s);

#endif
