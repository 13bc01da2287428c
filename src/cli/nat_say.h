/* nat_say.h - what `peerline nat` says: a table and a sentence for people, one object for scripts.
 *
 *     {"server", "address", "protocol", "software", "local", "mapped", "other", "translated", "port_preserved", "rtt_ms",
 *      "classic", "mapping", "filtering", "hairpin", "fragments", "several_addresses",
 *      "lifetime_s": {"min", "max"}, "unknown": {what: why, ...}, "verdict", "tcp": {"mapped"} }
 *
 * What is not known is null, and `unknown` says why. Over TCP, TLS and DTLS only the first row and "connect_ms". */
#ifndef PL_CLI_NAT_SAY_H
#define PL_CLI_NAT_SAY_H

#include <jansson.h>

#include "cli/nat_probe.h"

typedef struct pl_nat_report {
    char server[PL_STUN_URI_TEXT_MAX]; /* as it was given */
    pl_addr address;                   /* what it resolved to */
    pl_stun_transport transport;
    const pl_nat_result *nat;      /* UDP; else NULL */
    const pl_nat_binding *binding; /* the others; with UDP: over TCP, when UDP is blocked. Or NULL */
} pl_nat_report;

/* What the result means for calls: one sentence. */
const char *pl_nat_verdict(const pl_nat_result *r);
void pl_nat_print(const pl_nat_report *report);
json_t *pl_nat_json(const pl_nat_report *report); /* NULL without memory */

#endif
