/* udp.h - datagram sockets in batches, with segmentation offload both ways where the kernel has it.
 * Source   UDP_SEGMENT and UDP_GRO of Linux udp(7); fall-back to recvmmsg and sendmmsg at run time, for the
 *          kernel, the device or one socket, whichever refuses.
 * Shape    a socket lives on a loop; pl_udp_open gives, pl_udp_close takes. Receive buffers belong to the
 *          loop and are shared by all its sockets, so an idle socket costs a few hundred bytes.
 *          ICE opens one socket per interface address, so path.local is the address it was bound to; a
 *          socket bound to "any" tells the real local address of every datagram.
 * Errors   ICMP errors, full queues and truncated datagrams are counted, never fatal.
 * Thread   the loop's owner. */
#ifndef PL_NET_UDP_H
#define PL_NET_UDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/shared.h"
#include "crypto/hmac.h" /* pl_slice */
#include "peerline/error.h"
#include "peerline/loop.h"

PL_SHARED_BEGIN

enum {
    PL_UDP_BATCH_MAX = 64,         /* datagrams in one call of the receiver */
    PL_UDP_SEGMENTS_MAX = 64,      /* in one pl_dgram; the kernel's UDP_MAX_SEGMENTS */
    PL_UDP_SIZE_MAX = 65507,       /* bytes in one system call, all segments together */
    PL_UDP_QUEUE_MAX = 256 * 1024, /* bytes that wait when the kernel's buffer is full; more are dropped */
    PL_UDP_SLICES_MAX = 256        /* of one pl_udp_sendv: three a segment and some */
};

/* One datagram. data points into the loop's receive buffer: it may be changed in place (decryption) and is
 * gone when the callback returns. The bytes behind it belong to the next datagram. */
typedef struct pl_udp_rx {
    const pl_path *path; /* local: this socket; remote: who sent it. Gone with the callback, too */
    uint8_t *data;
    size_t len;
    uint8_t ecn; /* RFC 3168 codepoint 0..3; 0 unless conf.recv_ecn */
} pl_udp_rx;

/* Up to PL_UDP_BATCH_MAX datagrams in order of arrival. May send, open and close sockets, its own too: then
 * what is left of the batch is still valid until the return, and no further call comes. */
typedef void (*pl_udp_fn)(void *user, int64_t now_us, const pl_udp_rx *batch, size_t n);

/* The same as the kernel gave it: one datagram, or a row of equal ones end to end (GRO). For receivers that
 * pass a row on as a row. */
typedef struct pl_udp_row {
    const pl_path *path;
    uint8_t *data;
    size_t len;
    size_t segment; /* bytes of each but the last, which may be shorter; == len for a single one */
    uint8_t tos;    /* DSCP and ECN; 0 unless conf.recv_ecn */
} pl_udp_row;
typedef void (*pl_udp_row_fn)(void *user, int64_t now_us, const pl_udp_row *rows, size_t n);

/* What a router or the peer's host answered to something this socket had sent. */
typedef struct pl_udp_error {
    pl_addr remote; /* whom the datagram was for */
    bool is_icmp6;
    uint8_t type, code;
    uint32_t mtu; /* of "packet too big" and "fragmentation needed", else 0 */
} pl_udp_error;
typedef void (*pl_udp_error_fn)(void *user, int64_t now_us, const pl_udp_error *e);

typedef enum pl_udp_offload {
    PL_UDP_OFFLOAD_AUTO, /* as far as the machine goes; the environment's PL_UDP_OFFLOAD=off overrules */
    PL_UDP_OFFLOAD_OFF
} pl_udp_offload;

typedef struct pl_udp_conf {
    pl_addr bind; /* port 0: any; family decides the socket; link-local needs scope */
    pl_udp_fn fn; /* one of fn and rows */
    pl_udp_row_fn rows;
    pl_udp_error_fn on_error; /* ICMP errors; NULL: only counted */
    int fd;                   /* a bound socket from pl_udp_take, instead of a new one; 0: none */
    void *user;
    pl_udp_offload offload;
    bool reuse_port; /* SO_REUSEPORT: one socket per loop on the same port, the kernel spreads the load */
    bool reuse_addr; /* SO_REUSEADDR: shared multicast ports */
    bool dual_stack; /* an IPv6 "any" socket takes IPv4 too; addresses are told as IPv4 */
    bool recv_ecn;
    bool dont_fragment;     /* DF set, no fragments: for path MTU probing */
    uint8_t ecn;            /* codepoint on everything sent */
    uint8_t multicast_hops; /* how far multicast goes; 0: this link only */
    int recv_buf, send_buf; /* bytes asked of the kernel; 0: its default */
} pl_udp_conf;

typedef struct pl_udp_stats {
    uint64_t n_received, bytes_received, n_recv_calls, n_coalesced; /* datagrams; those out of GRO batches */
    uint64_t n_sent, bytes_sent, n_send_calls, n_segmented;         /* datagrams; those inside GSO batches */
    uint64_t n_queued, n_dropped; /* waited for the kernel; lost because the queue was full, or refused */
    uint64_t n_refused;           /* ICMP errors and unreachable networks: expected while ICE probes */
    uint64_t n_truncated;
} pl_udp_stats;

typedef struct pl_udp pl_udp;

/* Errors: PL_EIO (see errno's text in the log), PL_EINVAL without fn or family, PL_ENOMEM. */
PL_NODISCARD pl_err pl_udp_open(pl_udp **out, pl_loop *loop, const pl_udp_conf *conf);
/* No call comes after it; queued datagrams are lost. NULL is fine; also from its own callback. */
void pl_udp_close(pl_udp *u);

/* Closes it as well, but keeps the system's socket, so that another loop can open it (conf.fd, with the same
 * settings); close(2) it when none does. -1 when it is closed already. */
int pl_udp_take(pl_udp *u);

/* The bound address with its real port. */
const pl_addr *pl_udp_addr(const pl_udp *u);

/* Sends to d->path.remote; path.local chooses the source on an "any" socket, path.dscp marks. With
 * d->segment several datagrams go by one system call. d->df holds for this one (two system calls more; one that
 * the kernel had no room for goes later with what holds then). Inside a cork, and when the kernel is busy, the bytes
 * are copied and leave later; else they go from where they are.
 * Errors: PL_ENOSPC when the queue is full (dropped, counted), PL_EINVAL for a wrong size or family, PL_EIO
 * when the machine refused it for good (counted). A caller with its own retransmission ignores them all. */
pl_err pl_udp_send(pl_udp *u, const pl_dgram *d);

/* Bytes that lie in several places, sent at once as if they were one row: cut every `segment` bytes (0: one
 * datagram), so a segment may be a header from here and a payload from there, and nothing is copied. tos: DSCP
 * and ECN as one byte; path->dscp is not looked at. Errors as above, and PL_EINVAL over PL_UDP_SLICES_MAX. */
pl_err pl_udp_sendv(pl_udp *u, const pl_path *path, uint8_t tos, const pl_slice *slice, size_t n,
                    size_t segment);

/* Between cork and flush what pl_udp_send is given is gathered over all sockets of the loop: what goes to one
 * destination by one socket in one size leaves as one segmented send, although other destinations stood
 * between; the order to each destination stays. Flushing also happens by itself when full and at the end of
 * the loop's iteration, so an early return cannot strand it. Corks do not nest. */
void pl_udp_cork(pl_udp *u);
void pl_udp_flush(pl_udp *u);

/* Sets or clears DF for all that is sent from now on. Doing so twice costs nothing. */
void pl_udp_dont_fragment(pl_udp *u, bool df);

/* Joins a multicast group on an interface. Errors: PL_EIO. */
PL_NODISCARD pl_err pl_udp_join(pl_udp *u, const pl_addr *group, uint32_t if_index);
/* Which interface multicast leaves by; and whether our own come back to this host (default: yes). */
PL_NODISCARD pl_err pl_udp_multicast_if(pl_udp *u, uint32_t if_index);

const pl_udp_stats *pl_udp_get_stats(const pl_udp *u);
/* Whether segments now go out, and batches come in, by offload. */
bool pl_udp_sends_segments(const pl_udp *u);
bool pl_udp_receives_segments(const pl_udp *u);

PL_SHARED_END

#endif
