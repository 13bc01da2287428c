/* udp_internal.h - the inside of a UDP socket, and what all sockets of a loop share.
 * Shape    private to udp.c (life), udp_recv.c and udp_send.c (the two directions). */
#ifndef PL_NET_UDP_INTERNAL_H
#define PL_NET_UDP_INTERNAL_H

#include <sys/socket.h>
#include <uv.h>

#include "base/log.h"
#include "net/loop_internal.h"
#include "net/udp.h"

enum {
    UDP_RECV_SLOTS = 16, /* datagrams or GRO batches in one recvmmsg */
    /* A slot holds the largest datagram. Only pages that were written cost memory. The odd 17 cache lines
     * keep the heads of all slots out of the same few cache sets. */
    UDP_SLOT_BYTES = 65536 + 17 * 64,
    UDP_RECV_ROUNDS = 4, /* recvmmsg calls before other sockets have their turn */
    UDP_CONTROL_BYTES = 128,
    UDP_CORK_BYTES = 64 * 1024,
    UDP_GSO_FAILURES_MAX = 8 /* in a row: then the route does not want segments */
};

/* A datagram, or a row of them, on its way out. */
typedef struct udp_out {
    pl_path path;
    const uint8_t *data;
    size_t len;
    size_t segment; /* bytes of each but the last; == len for a single one */
} udp_out;

/* One that waits for the kernel; its bytes follow. */
typedef struct udp_wait {
    struct udp_wait *next;
    udp_out out;
} udp_wait;

/* What recvmmsg and sendmmsg want beside the bytes. Two of them, since a receiver sends. */
typedef struct udp_recv_scratch {
    struct mmsghdr msg[UDP_RECV_SLOTS];
    struct iovec iov[UDP_RECV_SLOTS];
    struct sockaddr_storage name[UDP_RECV_SLOTS];
    _Alignas(struct cmsghdr) uint8_t control[UDP_RECV_SLOTS][UDP_CONTROL_BYTES];
    pl_path path[UDP_RECV_SLOTS];
    pl_udp_rx rx[PL_UDP_BATCH_MAX];
} udp_recv_scratch;

typedef struct udp_send_scratch {
    struct mmsghdr msg[PL_UDP_BATCH_MAX];
    struct iovec iov[PL_UDP_BATCH_MAX];
    struct sockaddr_storage name[PL_UDP_BATCH_MAX];
    _Alignas(struct cmsghdr) uint8_t control[PL_UDP_BATCH_MAX][UDP_CONTROL_BYTES];
} udp_send_scratch;

/* Memory of one loop. The scratches do not outlive a call; the cork lives until the flush. */
struct pl_udp_shared {
    udp_recv_scratch recv;
    udp_send_scratch send;
    pl_udp *corked; /* whose bytes are in the cork; NULL: nobody's */
    pl_loop_hook flush_hook;
    size_t n_cork, cork_len;
    udp_out cork[PL_UDP_BATCH_MAX];
    uint8_t cork_bytes[UDP_CORK_BYTES];
    uint8_t slot[UDP_RECV_SLOTS][UDP_SLOT_BYTES];
};

struct pl_udp {
    pl_loop *loop;
    uv_poll_t poll;
    int fd; /* -1: closed */
    pl_addr local;
    pl_udp_fn fn;
    void *user;
    bool any;        /* bound to "any": every datagram tells its local address */
    bool dual_stack; /* speaks IPv4 through mapped addresses */
    bool gso, gro;
    bool cork; /* pl_udp_cork was called */
    uint8_t ecn;
    uint8_t gso_failures;
    udp_wait *wait_first, **wait_last;
    size_t wait_bytes;
    pl_udp_stats stats;
};

void pl_udp_watch(pl_udp *u); /* tells libuv what we wait for: always datagrams, room when some wait */
void pl_udp_recv(pl_udp *u);
void pl_udp_drain(pl_udp *u); /* there may be room again: sends what waits */
void pl_udp_drop_waiting(pl_udp *u);
void pl_udp_flush_shared(void *shared, int64_t now_us); /* the hook */

#endif
