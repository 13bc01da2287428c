/* candidate.h - one ICE candidate: its priority, its foundation and its line in SDP.
 * Source   RFC 8445 5.1 (priority, foundation), RFC 8839 5.1 (text), RFC 6544 (tcptype), RFC 8421 (IPv6).
 * Shape    plain values of fixed size; a zeroed candidate is "none".
 * Errors   text from the peer that breaks the grammar gives PL_EPROTO; well-formed text that this agent has
 *          no use for (a component above 256 excepted, which is an error) parses, see pl_ice_cand_usable. */
#ifndef PL_ICE_CANDIDATE_H
#define PL_ICE_CANDIDATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/slice.h"

enum {
    PL_ICE_FOUNDATION_MAX = 32, /* RFC 8839: 1*32 ice-char */
    PL_ICE_UFRAG_MIN = 4,
    PL_ICE_UFRAG_MAX = 256,
    PL_ICE_PWD_MIN = 22,
    PL_ICE_PWD_MAX = 256,
    PL_ICE_NAME_MAX = 127,     /* a host name instead of an address; longer ones are refused (PL_EPROTO) */
    PL_ICE_CAND_TEXT_MAX = 640 /* longest line pl_ice_cand_print writes, with its zero */
};

typedef enum pl_ice_type { PL_ICE_HOST, PL_ICE_SRFLX, PL_ICE_PRFLX, PL_ICE_RELAY } pl_ice_type;
typedef enum pl_ice_tcptype {
    PL_ICE_TCPTYPE_NONE,
    PL_ICE_TCPTYPE_ACTIVE,
    PL_ICE_TCPTYPE_PASSIVE,
    PL_ICE_TCPTYPE_SO
} pl_ice_tcptype;

typedef struct pl_ice_cand {
    pl_addr addr;    /* family PL_AF_NONE while only a name is known */
    pl_addr related; /* raddr/rport, or none */
    uint32_t priority;
    uint16_t component; /* 1..256 */
    uint8_t type;       /* pl_ice_type */
    uint8_t proto;      /* pl_proto */
    uint8_t tcptype;    /* pl_ice_tcptype */
    bool pseudo_ssl;    /* "ssltcp": behind a sham TLS handshake of libwebrtc's, which we do not speak */
    bool has_generation, has_network_id, has_network_cost;
    uint32_t generation; /* libwebrtc extensions, kept so that they can be passed on */
    uint16_t network_id, network_cost;
    char foundation[PL_ICE_FOUNDATION_MAX + 1];
    char name[PL_ICE_NAME_MAX + 1];   /* "….local", "" when addr is known from the text */
    char ufrag[PL_ICE_UFRAG_MAX + 1]; /* extension: which generation it belongs to; "" when absent */
} pl_ice_cand;

/* Parses "candidate:…", with or without "a=" before it and a line end behind it. Unknown extensions are
 * skipped; an unknown candidate type or transport gives PL_ENOTSUP, to be ignored (RFC 8839 5.1). */
PL_NODISCARD pl_err pl_ice_cand_parse(pl_ice_cand *out, const char *text, size_t len);
/* Writes "candidate:…" (no "a=", no line end), zero-terminated; returns its length, 0 when cap is
 * too small. */
size_t pl_ice_cand_print(const pl_ice_cand *c, char *out, size_t cap);
/* Whether this agent can pair it: component 1, a usable unicast address and port or a .local name, over TCP somebody
 * to connect to (passive or simultaneous-open). */
bool pl_ice_cand_usable(const pl_ice_cand *c);

/* RFC 8445 5.1.2.1, with the recommended type preferences 126, 110, 100 and 0. component: 1..256. */
uint32_t pl_ice_cand_priority(pl_ice_type type, uint16_t local_pref, uint16_t component);
/* RFC 6544 4.2, with type preferences below those of UDP. other_pref: as a local preference, its low bits are lost. */
uint32_t pl_ice_cand_priority_tcp(pl_ice_type type, pl_ice_tcptype tcptype, uint16_t other_pref);
/* RFC 8421 4: families interleaved, IPv6 first. nth: which address of its family this is, from 0. */
uint16_t pl_ice_local_pref(pl_family family, uint16_t nth);
/* RFC 8445 6.1.2.3. */
uint64_t pl_ice_pair_priority(uint32_t controlling, uint32_t controlled);

bool pl_ice_name_is_mdns(const char *name);       /* ends in ".local" and has one label before it */
bool pl_ice_chars_ok(pl_str text);                /* nothing but ice-char */
const char *pl_ice_type_str(uint8_t type);        /* "host", "srflx", "prflx", "relay" */
const char *pl_ice_tcptype_str(pl_ice_tcptype t); /* "active", "passive", "so", "" */

#endif
