/* tcp.h - byte streams on the loop, and a listener for them.
 * Shape    pl_tcp_connect or a listener's callback gives a stream, pl_tcp_close takes it. Bytes to write are
 *          copied into a queue born with its maximum; the queue's length is the back-pressure.
 * Errors   told once to `closed`; after it only pl_tcp_close is left to call.
 * Thread   the loop's owner. Callbacks never come inside a call of this header. */
#ifndef PL_NET_TCP_H
#define PL_NET_TCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/shared.h"
#include "peerline/error.h"
#include "peerline/loop.h"

PL_SHARED_BEGIN

enum { PL_TCP_QUEUE_MAX = 1024 * 1024 }; /* bytes written and not yet taken by the kernel, default limit */

typedef struct pl_tcp pl_tcp;
typedef struct pl_tcp_listener pl_tcp_listener;

typedef struct pl_tcp_events {
    void (*connected)(void *user);                       /* may be NULL; not for accepted streams */
    void (*data)(void *user, uint8_t *data, size_t len); /* lent for the call; may be changed */
    void (*drained)(void *user);                         /* may be NULL: the write queue is empty again */
    void (*closed)(void *user, pl_err err);              /* PL_OK: the peer ended the stream in order */
} pl_tcp_events;

typedef struct pl_tcp_conf {
    pl_tcp_events on;
    void *user;
    size_t queue_max; /* 0: PL_TCP_QUEUE_MAX */
    pl_addr bind;     /* connect only: source address, family PL_AF_NONE for any */
    bool reuse_port;  /* connect only: from a port that a listener with reuse_port has (simultaneous open) */
    /* connect only: what came is acknowledged at once. For a peer that keeps small segments back until then (RFC 896)
     * while we have nothing to say: each such pair costs 40 ms else. A system call a read, so not for all. */
    bool quick_ack;
} pl_tcp_conf;

/* Errors: PL_EINVAL, PL_EIO, PL_ENOMEM; then nothing was made. */
PL_NODISCARD pl_err pl_tcp_connect(pl_tcp **out, pl_loop *loop, const pl_addr *to, const pl_tcp_conf *conf);
/* Cuts the stream: no callback comes after it, unwritten bytes may be lost. NULL is fine; also from
 * callbacks. */
void pl_tcp_close(pl_tcp *s);
/* Takes all bytes or none. Errors: PL_ENOSPC over the limit (`drained` will say when), PL_ESTATE when closed
 * or not yet connected, PL_ENOMEM. */
PL_NODISCARD pl_err pl_tcp_write(pl_tcp *s, const void *data, size_t len);
/* Sends the end of the stream after what was written; reading goes on. */
pl_err pl_tcp_shutdown(pl_tcp *s);
size_t pl_tcp_queued(const pl_tcp *s);
/* Stops and resumes reading, so that the peer is slowed down by TCP itself. */
void pl_tcp_pause(pl_tcp *s, bool paused);
const pl_addr *pl_tcp_local(const pl_tcp *s);
const pl_addr *pl_tcp_remote(const pl_tcp *s);
/* Changes who is told; for a stream that was accepted before its owner was known. */
void pl_tcp_set_events(pl_tcp *s, const pl_tcp_events *on, void *user);

typedef struct pl_tcp_listen_conf {
    pl_addr bind; /* port 0: any */
    bool reuse_port;
    /* With reuse_port, when this many listeners share the address (0 and 1: no matter): the kernel gives all
     * connections from one IP address to the same of them, the n-th to listen being the n-th for every such
     * group. Errors: PL_ENOTSUP where the kernel cannot. Set it on the last one. */
    unsigned by_client_ip;
    int backlog; /* 0: 128 */
    /* A stream has come; it is the callee's now: set its events at once, or close it. */
    void (*accepted)(void *user, pl_tcp *s);
    void *user;
    size_t queue_max; /* of accepted streams; 0: PL_TCP_QUEUE_MAX */
} pl_tcp_listen_conf;

PL_NODISCARD pl_err pl_tcp_listen(pl_tcp_listener **out, pl_loop *loop, const pl_tcp_listen_conf *conf);
void pl_tcp_listener_close(pl_tcp_listener *l); /* accepted streams live on. NULL is fine */
const pl_addr *pl_tcp_listener_addr(const pl_tcp_listener *l);

PL_SHARED_END

#endif
