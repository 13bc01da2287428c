/* sockaddr.h - pl_addr to and from the system's socket addresses.
 * Shape    plain values. IPv4-mapped IPv6 addresses come back as IPv4, so one peer has one address. */
#ifndef PL_NET_SOCKADDR_H
#define PL_NET_SOCKADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "base/addr.h"

/* mapped: write IPv4 as ::ffff:a.b.c.d, which a dual-stack socket wants. Returns the length, 0 for family
 * none. */
socklen_t pl_sockaddr_from(struct sockaddr_storage *out, const pl_addr *a, bool mapped);
/* False (and none) for other families. */
bool pl_sockaddr_to(pl_addr *out, const struct sockaddr *sa);

#endif
