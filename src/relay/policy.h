/* policy.h - what a relay allows: which peers may be reached, and how much one client may have.
 * Source   RFC 8656 21.1.5, 21.3, 21.4; RFC 6890 and its successors for the ranges that are denied by default.
 * Shape    plain data, zero state legal (defaults: denied ranges below, no quotas); the lists are lent by the
 *          owner. Never changed while a relay uses it: a reload makes another one and hands it over
 *          (pl_relay_set_policy).
 * Ranges   the longest prefix that matches decides; among equals an explicit range beats a default one, and
 *          deny beats allow. Denied by default: "this" network, loopback, link-local, private (RFC 1918, 6598,
 *          ULA, site-local), multicast, reserved and broadcast, IETF protocol assignments, IPv4-mapped and
 *          -compatible, local NAT64 and Teredo; NAT64 and 6to4 are judged by the IPv4 address inside. The server's
 *          own addresses are denied but for the ports of relayed addresses, so that two clients of one server
 *          reach each other through it.
 * Thread   read only, any number of threads. */
#ifndef PL_RELAY_POLICY_H
#define PL_RELAY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

typedef struct pl_relay_range {
    pl_addr base; /* port and scope do not matter */
    uint8_t bits; /* 0..32 or 0..128 */
} pl_relay_range;

typedef struct pl_relay_policy {
    const pl_relay_range *allow, *deny;
    size_t n_allow, n_deny;
    const pl_addr *own; /* addresses of this server: listeners, relay, external; ports do not matter */
    size_t n_own;
    uint16_t port_lo, port_hi; /* of relayed addresses; own addresses may be reached there alone */
    bool allow_loopback, allow_private, allow_link_local; /* each lifts its default ranges */

    /* Quotas; 0: unlimited. Over all threads of the process. */
    uint32_t max_per_user, max_per_client; /* allocations; a client is an IPv4 address or an IPv6 /64 */
    uint32_t max_total;
    uint32_t bytes_per_s; /* of one allocation, in each direction; application bytes */
    uint32_t burst_bytes; /* what may pass at once; 0: half a second's worth, at least 64 KiB */
    /* Answers to requests without valid credentials, per client (as above) and second; more are dropped
     * unanswered. 0: 1000, with bursts of twice as many. UINT32_MAX: unlimited. */
    uint32_t unauth_per_s;
} pl_relay_policy;

typedef enum pl_relay_verdict {
    PL_RELAY_DENIED,
    PL_RELAY_OWN, /* one of our own: allowed only for ports in port_lo..port_hi */
    PL_RELAY_ALLOWED
} pl_relay_verdict;

/* May a client of ours talk to this IP address? */
pl_relay_verdict pl_relay_judge(const pl_relay_policy *p, const pl_addr *peer);
/* And to this transport address? */
bool pl_relay_may_reach(const pl_relay_policy *p, const pl_addr *peer);
/* "10.0.0.0/8", "2001:db8::/32", or one address. Bits beyond the prefix are cleared. */
PL_NODISCARD pl_err pl_relay_range_parse(pl_relay_range *out, const char *text, size_t len);

#endif
