/* ice_hub.h - what the ICE connections of one loop share: names on the link, TLS to TURN servers, one buffer, the watch
 * over the network's addresses, and, with a fixed port, their UDP sockets.
 * Source   RFC 5764 5.1.2 and RFC 8445 (one port for all: the ufrag of a request tells whose it is, then addresses do);
 *          draft-ietf-mmusic-mdns-ice-candidates (names).
 * Shape    pl_ice_hub_new gives, pl_ice_hub_free takes, once every pl_ice_io made with it is gone.
 * Thread   the loop's owner. */
#ifndef PL_PEER_ICE_HUB_H
#define PL_PEER_ICE_HUB_H

#include <stdbool.h>
#include <stdint.h>

#include "peerline/error.h"
#include "peerline/loop.h"

enum {
    PL_ICE_HUB_REMOTES_MAX =
        16,                   /* addresses of one connection's peer on shared sockets; the oldest give way */
    PL_ICE_HUB_ASKED_MAX = 64 /* its requests whose answers are told apart by transaction ID */
};

typedef struct pl_ice_hub pl_ice_hub;

typedef struct pl_ice_hub_conf {
    uint16_t udp_port; /* all connections on this UDP port of every address; 0: each opens ports of its own */
    const char *ca_file; /* PEM: whom TLS to TURN servers trusts; NULL: what the system trusts */
    bool tls_trust_all;  /* any certificate will do (tests) */
} pl_ice_hub_conf;

/* conf NULL: the defaults. Errors: PL_EINVAL (ca_file cannot be read), PL_ENOMEM. */
PL_NODISCARD pl_err pl_ice_hub_new(pl_ice_hub **out, pl_loop *loop, const pl_ice_hub_conf *conf);
void pl_ice_hub_free(pl_ice_hub *hub); /* NULL is fine */

#endif
