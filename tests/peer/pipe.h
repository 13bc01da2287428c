/* pipe.h - two connections with one channel between them, on threads of their own or on one loop that the test runs.
 * Bytes are told apart by where in the transfer they stand, so that none can be lost, doubled or moved unseen. */
#ifndef PEER_PIPE_H
#define PEER_PIPE_H

#include "pl_test.h"

#include <stdatomic.h>
#include <unistd.h>

#include "base/time.h"
#include "net/loop.h"
#include "peerline/loop.h"
#include "peerline/peer_connection.h"

enum { PIPE_PERIOD = 65521, PIPE_RUN = 16 << 20 };

typedef struct pipe_end {
    pl_factory *factory;
    pl_peer_connection *pc;
    pl_data_channel *channel;
    bool whole; /* its observer has no on_piece */
    _Atomic bool open, closed, pause_next;
    _Atomic unsigned n_messages, n_pieces, n_low, n_binary;
    _Atomic uint64_t n_bytes; /* of them all, also the place of the next one */
    _Atomic uint64_t longest; /* message */
    _Atomic bool wrong;       /* a byte, or the order of pieces */
    uint64_t len;             /* of the message under way */
    bool amid;
} pipe_end;

typedef struct pipe_duo {
    pl_loop *loop; /* NULL: threads */
    pipe_end a, b;
} pipe_duo;

typedef struct pipe_conf {
    bool own_loop;
    bool whole; /* b wants whole messages, not pieces */
    pl_data_channel_init init;
    pl_configuration conf;
    void (*place)(
        int end); /* called before the thread of each end is made, which inherits its network namespace */
    const char *addresses[2]; /* of the ends; NULL: 127.0.0.1 */
} pipe_conf;

void pipe_open(pipe_duo *p, const pipe_conf *conf);
/* conf.init says the same at both ends: the channel is negotiated. Until it is open. */
void pipe_close(pipe_duo *p);
void pipe_nap(pipe_duo *p); /* a millisecond or so of whatever happens */
/* The bytes from place `at` on: at most PIPE_RUN of them. */
const uint8_t *pipe_bytes(uint64_t at);

/* A minute more than anything here needs. */
#define PIPE_UNTIL(p, condition)                                                                             \
    do {                                                                                                     \
        int64_t pipe_end_us = pl_clock_us() + PL_SEC(60);                                                    \
        while (!(condition) && pl_clock_us() < pipe_end_us)                                                  \
            pipe_nap(p);                                                                                     \
        PL_OKAY(condition);                                                                                  \
    } while (0)

/* Bytes of memory this process holds. */
size_t pipe_memory(void);

#endif
