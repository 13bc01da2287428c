/* ice_say.h - what `peerline ice` says of a path: sentences for people, JSON Lines for scripts. */
#ifndef PL_CLI_ICE_SAY_H
#define PL_CLI_ICE_SAY_H

#include <jansson.h>

#include "peerline/ice.h"

enum { PL_ICE_PATH_MAX = 512 };

/* "direct", "direct through NAT", "relay via turn:192.0.2.1 (tls)", "relay of the other side"; and "over TCP". */
const char *pl_ice_path_str(const pl_ice_transport_pair *pair, char out[PL_ICE_PATH_MAX]);
/* {"path", "local": {"type", "address"}, "remote": …, "protocol", "relay_protocol", "rtt_ms", …}; NULL without memory. */
json_t *pl_ice_pair_json(const pl_ice_transport_pair *pair);

#endif
