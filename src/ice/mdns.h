/* mdns.h - asks the local link who has a .local name, and reads the answers.
 * Source   RFC 6762 (5.1 one-shot queries, 5.4 unicast answers), RFC 1035 4.1 (messages);
 *          draft-ietf-mmusic-mdns-ice-candidates (names of WebRTC candidates).
 * Shape    builder and parser without state; sockets (224.0.0.251, ff02::fb, port 5353) and repeats are the
 *          caller's: ask at 0, 1 and 3 s, give up at 5 s.
 * Errors   PL_EPROTO for a message that breaks its format. */
#ifndef PL_ICE_MDNS_H
#define PL_ICE_MDNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

enum { PL_MDNS_GROUP_PORT = 5353, PL_MDNS_QUERY_MAX = 300, PL_MDNS_ANSWERS_MAX = 8 };

/* The group to send to; family PL_AF_IP4 or PL_AF_IP6, scope 0. */
pl_addr pl_mdns_group(pl_family family);
/* A query for the A and AAAA records of name; unicast asks for the answer to the sender's own port. Returns
 * its length, 0 when the name is no host name or does not fit. */
size_t pl_mdns_query(const char *name, bool unicast, uint8_t *out, size_t cap);
/* The addresses (port 0) a response holds for name; *n is 0 when it speaks of other names. Queries and junk
 * give PL_EPROTO. Names compare without case. */
PL_NODISCARD pl_err pl_mdns_answer(const uint8_t *pkt, size_t len, const char *name,
                                   pl_addr out[PL_MDNS_ANSWERS_MAX], size_t *n);
/* The response of one who owns the name: a record of addr with a time to live of 120 s. Returns
 * its length. */
size_t pl_mdns_respond(const char *name, const pl_addr *addr, uint8_t *out, size_t cap);
/* Whether a packet is a query for an address of name; *unicast when it asks for a direct answer. */
bool pl_mdns_asks_for(const uint8_t *pkt, size_t len, const char *name, bool *unicast);

#endif
