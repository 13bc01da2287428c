/* ifaddr.h - the addresses this machine can be reached by.
 * Shape    a value filled at once; ask again when the network may have changed.
 * Source   what ICE wants to know: RFC 8445 5.1.1.1 (no loopback, no deprecated, no site-local addresses; of
 *          IPv6 the temporary ones are preferred, RFC 8981), RFC 8421 for dual stack. */
#ifndef PL_NET_IFADDR_H
#define PL_NET_IFADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/shared.h"

PL_SHARED_BEGIN

enum { PL_IFADDR_MAX = 64, PL_IFADDR_NAME_MAX = 16 };

typedef enum pl_if_type {
    PL_IF_UNKNOWN,
    PL_IF_ETHERNET,
    PL_IF_WIFI,
    PL_IF_CELLULAR,
    PL_IF_VPN,
    PL_IF_LOOPBACK
} pl_if_type;

typedef struct pl_ifaddr {
    pl_addr addr; /* port 0; scope set for link-local IPv6 */
    char name[PL_IFADDR_NAME_MAX];
    uint32_t index; /* of the interface */
    uint8_t prefix; /* bits */
    uint8_t type;   /* pl_if_type, a guess from the system's hints and the name */
    bool multicast; /* the interface carries it */
    bool temporary; /* RFC 8981 */
} pl_ifaddr;

typedef enum pl_ifaddr_flags {
    PL_IFADDR_LOOPBACK = 1,   /* those too */
    PL_IFADDR_LINK_LOCAL = 2, /* those too; never needed where a wider address exists */
    PL_IFADDR_STABLE = 4 /* permanent IPv6 addresses even where temporary ones of the same prefix exist */
} pl_ifaddr_flags;

/* Fills up to `cap` addresses of interfaces that are up, each once, IPv4 and IPv6, in the system's order;
 * returns how many, 0 also when the system cannot tell. */
size_t pl_ifaddr_list(pl_ifaddr *out, size_t cap, unsigned flags);
const char *pl_if_type_str(pl_if_type type);
/* The address (port 0) that datagrams to `to` would leave from. Nothing is sent. Errors: PL_EIO: no route there. */
PL_NODISCARD pl_err pl_ifaddr_source(pl_addr *out, const pl_addr *to);

PL_SHARED_END

#endif
