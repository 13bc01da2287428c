/* resolve.h - names, and services at names, to addresses without waiting.
 * Source   RFC 6724 (order of addresses), RFC 6761 (localhost), RFC 2782 (SRV), RFC 8489 8 and RFC 5928 (which of them
 *          a STUN or TURN URI asks for).
 * Shape    one object a question; pl_resolve_start gives, its callback or pl_resolve_cancel takes.
 * Errors   told to the callback: PL_EIO (no such name, no server), PL_ENOMEM.
 * Thread   the loop's owner; the system's resolver runs on threads of its own, which keep neither
 *          the loop nor the process from ending. */
#ifndef PL_NET_RESOLVE_H
#define PL_NET_RESOLVE_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/shared.h"
#include "net/srv.h"
#include "peerline/error.h"
#include "peerline/loop.h"

PL_SHARED_BEGIN

enum {
    PL_RESOLVE_ADDR_MAX = 16,
    PL_RESOLVE_NAME_MAX = 255,
    PL_RESOLVE_MAX = 32 /* questions at once that the system has not answered, in the whole process */
};

typedef struct pl_resolve pl_resolve;

/* Called exactly once unless cancelled, never inside pl_resolve_start; the question is over after it. With
 * PL_OK n > 0 addresses in the system's order of preference (RFC 6724), each once, with the port that was
 * asked. */
typedef void (*pl_resolve_fn)(void *user, pl_err err, const pl_addr *addr, size_t n);

/* family: PL_AF_IP4, PL_AF_IP6, or PL_AF_NONE for both. An address in text and localhost (RFC 6761
 * 6.3: 127.0.0.1, then ::1) are answered without the network.
 * Errors: PL_EINVAL for an empty or overlong name, PL_ENOSPC over PL_RESOLVE_MAX, PL_EIO (no thread), PL_ENOMEM; then no
 * callback comes. */
PL_NODISCARD pl_err pl_resolve_start(pl_resolve **out, pl_loop *loop, const char *host, uint16_t port,
                                     pl_family family, pl_resolve_fn fn, void *user);
/* Where a service is. With a port, or an address as host, that is the place; else the SRV records of
 * _service._proto.host are asked for, and where there are none, the host's addresses with default_port. The answer
 * holds the addresses of all targets in the order in which they should be tried. A domain that says there is no such
 * service (the target ".") gives PL_EIO. */
typedef struct pl_resolve_service {
    const char *host;
    uint16_t port; /* 0: not known */
    uint16_t default_port;
    const char *service, *proto; /* "stun", "stuns", "turn", "turns"; "udp", "tcp". NULL: no SRV question */
    pl_family family;
} pl_resolve_service;
PL_NODISCARD pl_err pl_resolve_service_start(pl_resolve **out, pl_loop *loop, const pl_resolve_service *what,
                                             pl_resolve_fn fn, void *user);
/* The SRV records themselves, of one service or of two that are tried as one (XEP-0368): lowest priority first, within
 * one drawn by weight; `set` is 0 for those of `name`, 1 for those of `also`. n is 0 where there are none, or nobody
 * answers. Names as "_xmpp-client._tcp.example.org"; also may be NULL. Called as pl_resolve_fn is; lent for the call. */
typedef void (*pl_resolve_srv_fn)(void *user, const pl_srv *list, size_t n);
PL_NODISCARD pl_err pl_resolve_srv_start(pl_resolve **out, pl_loop *loop, const char *name, const char *also,
                                         pl_resolve_srv_fn fn, void *user);
/* No callback comes after it. NULL is fine; not after the callback has come. */
void pl_resolve_cancel(pl_resolve *q);

PL_SHARED_END

#endif
