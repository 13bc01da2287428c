/* addr.h - a transport address, the path of a datagram, and a datagram, without any system header.
 * Shape    plain data; a zeroed address is "none". */
#ifndef PL_BASE_ADDR_H
#define PL_BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "peerline/error.h"

typedef enum pl_family { PL_AF_NONE = 0, PL_AF_IP4 = 4, PL_AF_IP6 = 6 } pl_family;

typedef struct pl_addr {
    uint8_t family; /* pl_family */
    uint8_t ip[16]; /* network order; IPv4 in the first four bytes, the rest zero */
    uint16_t port;  /* host order */
    uint32_t scope; /* IPv6 link-local interface index, else 0 */
} pl_addr;

/* "[2001:db8::ffff:ffff:ffff:ffff%4294967295]:65535" and a zero */
enum { PL_ADDR_TEXT_MAX = 64 };

bool pl_addr_eq(const pl_addr *a, const pl_addr *b);    /* IP, scope and port */
bool pl_addr_ip_eq(const pl_addr *a, const pl_addr *b); /* IP alone */
bool pl_addr_is_loopback(const pl_addr *a);
bool pl_addr_is_link_local(const pl_addr *a); /* 169.254/16, fe80::/10 */
bool pl_addr_is_private(const pl_addr *a);    /* RFC 1918, RFC 6598, fc00::/7 */
bool pl_addr_is_multicast(const pl_addr *a);
bool pl_addr_is_any(const pl_addr *a);
/* Parses an IP address without port, IPv4 or IPv6 (RFC 4291 text, no brackets, %number for the scope);
 * text need not be zero-terminated. Errors: PL_EPROTO. */
PL_NODISCARD pl_err pl_addr_parse_ip(pl_addr *out, const char *text, size_t len);
/* "1.2.3.4:56", "[::1]:56". Errors: PL_EPROTO. */
PL_NODISCARD pl_err pl_addr_parse(pl_addr *out, const char *text, size_t len);
/* Both write zero-terminated text and return out; RFC 5952 form. */
const char *pl_addr_ip_str(const pl_addr *a, char out[PL_ADDR_TEXT_MAX]);
const char *pl_addr_str(const pl_addr *a, char out[PL_ADDR_TEXT_MAX]);

/* Which way a datagram came or goes. `local` is the address of the socket it uses (the ICE base); on TCP
 * both name the connection. */
typedef enum pl_proto { PL_UDP = 0, PL_TCP = 1 } pl_proto;
typedef struct pl_path {
    pl_addr local, remote;
    uint8_t proto; /* pl_proto */
    uint8_t dscp;  /* outgoing: RFC 8837 code point, 0 is default forwarding */
} pl_path;

/* Whether IP may cut a datagram that is too long for a link on its way. */
typedef enum pl_df {
    PL_DF_SYSTEM, /* as the system thinks best: DF, and fragments once it knows that the route is narrower */
    PL_DF_SET,    /* never: it arrives whole or not at all, which tells how much the path carries */
    PL_DF_CLEAR   /* wherever it must be */
} pl_df;

/* Output of a core: the caller sets data and cap before each poll, the core writes into them. With
 * segment > 0, data holds several datagrams for the same path end to end, each of `segment` bytes, the
 * last possibly shorter: they go out in one system call. */
typedef struct pl_dgram {
    pl_path path;
    uint8_t *data;
    size_t cap;
    size_t len;
    size_t segment;
    uint8_t df; /* pl_df */
} pl_dgram;

#endif
