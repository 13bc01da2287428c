/* uri.h - where a STUN or TURN server is: stun:, stuns:, turn:, turns:, and our form with credentials.
 * Source   RFC 7064, RFC 7065 (URIs); RFC 8489 8, RFC 5928 (SRV names, ports), RFC 7350 (DTLS).
 * Shape    plain data, zero state legal, nothing to free; it may hold a password: wipe it.
 * Errors   PL_EPROTO: no such URI. */
#ifndef PL_STUN_URI_H
#define PL_STUN_URI_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/slice.h"
#include "stun/message.h"

enum {
    PL_STUN_HOST_MAX = 255,
    PL_STUN_URI_TEXT_MAX = 300, /* pl_stun_uri_str: scheme, host, port, transport and a zero */
    PL_STUN_SRV_MAX = PL_STUN_HOST_MAX + 14 + 1,
    PL_STUN_PORT = 3478,
    PL_STUN_TLS_PORT = 5349
};

typedef enum pl_stun_transport { PL_STUN_UDP, PL_STUN_TCP, PL_STUN_TLS, PL_STUN_DTLS } pl_stun_transport;

typedef struct pl_stun_uri {
    bool turn;          /* turn: and turns:, else stun: and stuns: */
    bool secure;        /* stuns: and turns: */
    bool has_transport; /* it was written; else the scheme's first choice stands in `transport` */
    uint8_t transport;  /* pl_stun_transport */
    uint16_t port;      /* 0: not written; see pl_stun_uri_port */
    bool is_ip;         /* host is an address; then `ip` has it (without port) */
    pl_addr ip;
    char host[PL_STUN_HOST_MAX + 1];                                         /* without brackets */
    char username[PL_STUN_USERNAME_MAX + 1], password[PL_STUN_TEXT_MAX + 1]; /* "" when not written */
} pl_stun_uri;

/* scheme:host[:port][?transport=udp|tcp|tls|dtls], schemes in any case; IPv6 in brackets. `?transport=` is taken
 * with stun: too. RFC 7065's udp and tcp become DTLS and TLS with a secure scheme. For command lines
 * "turn:USER:PASSWORD@HOST..." is read, too (%XX decoded in both; the last @ ends them). */
PL_NODISCARD pl_err pl_stun_uri_parse(pl_stun_uri *out, const char *text, size_t len);
/* The same, or "host[:port]" (an IPv6 address also without brackets), which is read as stun:. */
PL_NODISCARD pl_err pl_stun_uri_parse_server(pl_stun_uri *out, const char *text, size_t len);
/* The written port or the default of the scheme: 3478, secure 5349. */
uint16_t pl_stun_uri_port(const pl_stun_uri *u);
/* "_stun._udp.example.org" and so on for u's transport; false, and "", when there is nothing to ask: a port was
 * written, or the host is an address. */
bool pl_stun_uri_srv(const pl_stun_uri *u, char out[PL_STUN_SRV_MAX]);
/* Canonical text, without credentials. Returns out. */
const char *pl_stun_uri_str(const pl_stun_uri *u, char out[PL_STUN_URI_TEXT_MAX]);
const char *pl_stun_transport_str(pl_stun_transport t); /* "udp", "tcp", "tls", "dtls" */

#endif
