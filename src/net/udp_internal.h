/* udp_internal.h - the inside of a UDP socket, and what all sockets of a loop share.
 * Shape    private to udp.c (life), udp_recv.c and udp_send.c (the two directions). */
#ifndef PL_NET_UDP_INTERNAL_H
#define PL_NET_UDP_INTERNAL_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <uv.h>

#include "base/log.h"
#include "net/loop_internal.h"
#include "net/udp.h"

enum {
    UDP_RECV_SLOTS = 64, /* datagrams or GRO batches in one recvmmsg */
    /* A slot holds the largest datagram. Only pages that were written cost memory. The odd 17 cache lines
     * keep the heads of all slots out of the same few cache sets. */
    UDP_SLOT_BYTES = 65536 + 17 * 64,
    UDP_RECV_ROUNDS = 2, /* recvmmsg calls before other sockets have their turn */
    UDP_CONTROL_BYTES = 128,
    UDP_GATHER_BYTES = 64 * 1024,
    UDP_PIECES_MAX = 1024,   /* of everything gathered; also the kernel's limit for one message */
    UDP_PLACES = 256,        /* of the gather's table of destinations, more than PL_UDP_BATCH_MAX */
    UDP_GSO_FAILURES_MAX = 8 /* in a row: then the route does not want segments */
};

/* A datagram, or a row of them, on its way out. */
typedef struct udp_out {
    pl_udp *u;
    pl_addr remote, local;
    uint8_t tos;
    const struct iovec *iov;
    size_t n_iov;
    size_t len;     /* of all slices */
    size_t segment; /* bytes of each but the last; == len for a single one */
} udp_out;

/* One that waits for the kernel; its bytes follow. */
typedef struct udp_wait {
    struct udp_wait *next;
    udp_out out;
    struct iovec iov;
} udp_wait;

/* What recvmmsg and sendmmsg want beside the bytes. Two of them, since a receiver sends. */
typedef struct udp_recv_scratch {
    struct mmsghdr msg[UDP_RECV_SLOTS];
    struct iovec iov[UDP_RECV_SLOTS];
    struct sockaddr_in6 name[UDP_RECV_SLOTS];
    _Alignas(struct cmsghdr) uint8_t control[UDP_RECV_SLOTS][UDP_CONTROL_BYTES];
    pl_path path[UDP_RECV_SLOTS];
    pl_udp_row row[UDP_RECV_SLOTS];
    pl_udp_rx rx[PL_UDP_BATCH_MAX];
} udp_recv_scratch;

typedef struct udp_send_scratch {
    struct mmsghdr msg[PL_UDP_BATCH_MAX];
    size_t size[PL_UDP_BATCH_MAX]; /* bytes of each message */
    struct iovec iov[UDP_PIECES_MAX];
    struct sockaddr_storage name[PL_UDP_BATCH_MAX];
    _Alignas(struct cmsghdr) uint8_t control[PL_UDP_BATCH_MAX][UDP_CONTROL_BYTES];
} udp_send_scratch;

/* What is corked. Every destination is a chain of pieces, so that datagrams for one may come
 * between those for others and still leave together. */
typedef struct udp_piece {
    struct iovec iov;
    uint32_t next; /* of the same chain */
} udp_piece;

typedef struct udp_gather {
    size_t n_out, n_pieces, n_bytes;
    pl_loop_hook flush_hook;
    udp_out out[PL_UDP_BATCH_MAX];
    struct udp_chain {
        uint32_t first, last;
    } chain[PL_UDP_BATCH_MAX];
    /* Where the newest chain of a destination is; an entry counts when its round is the present one. */
    uint32_t round;
    struct udp_place {
        uint32_t round, out;
    } place[UDP_PLACES];
    udp_piece piece[UDP_PIECES_MAX];
    struct iovec flat[UDP_PIECES_MAX]; /* the chains in a row each, for the kernel */
    uint8_t bytes[UDP_GATHER_BYTES];   /* what was copied */
} udp_gather;

/* Memory of one loop. The scratches do not outlive a call; the gather lives until the flush. */
struct pl_udp_shared {
    udp_recv_scratch recv;
    udp_send_scratch send;
    udp_gather gather;
    int8_t can_gso, can_gro; /* of this kernel: 0 unknown, 1 yes, -1 no */
    uint8_t slot[UDP_RECV_SLOTS][UDP_SLOT_BYTES];
};

struct pl_udp {
    pl_loop *loop;
    uv_poll_t poll;
    int fd; /* -1: closed */
    pl_addr local;
    union {
        pl_udp_fn one;
        pl_udp_row_fn rows;
    } fn;
    pl_udp_error_fn on_error;
    void *user;
    bool by_rows;    /* fn.rows is told */
    bool any;        /* bound to "any": every datagram tells its local address */
    bool dual_stack; /* speaks IPv4 through mapped addresses */
    bool gso, gro;
    bool cork;  /* pl_udp_cork was called */
    uint8_t df; /* pl_df */
    uint8_t ecn;
    uint8_t gso_failures;
    udp_wait *wait_first, **wait_last;
    size_t wait_bytes;
    pl_udp_stats stats;
};

void pl_udp_watch(pl_udp *u); /* tells libuv what we wait for: always datagrams, room when some wait */
void pl_udp_recv(pl_udp *u);
void pl_udp_recv_errors(pl_udp *u); /* what the system keeps of ICMP */
void pl_udp_recv_init(udp_recv_scratch *r, uint8_t slot[][UDP_SLOT_BYTES]);
void pl_udp_drain(pl_udp *u); /* there may be room again: sends what waits */
void pl_udp_drop_waiting(pl_udp *u);

/* Sends outs of one socket in order; what the kernel has no room for waits. */
pl_err pl_udp_send_row(pl_udp *u, const udp_out *out, size_t n);

void pl_udp_gather_init(udp_gather *g);
void pl_udp_gather_flush(udp_gather *g);
/* pl_df, for all that is sent from now on. */
void pl_udp_set_df(pl_udp *u, uint8_t df);
pl_err pl_udp_gather_add(udp_gather *g, const udp_out *out);

#endif
