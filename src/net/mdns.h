/* mdns.h - multicast DNS carriage: datagrams to and from 224.0.0.251 and ff02::fb, port 5353. What is in
 * them is known elsewhere (ice/).
 * Source   RFC 6762 3, 5.1 (a query from another port than 5353 is answered by unicast), 11 (hop limit).
 * Shape    pl_mdns_open gives, pl_mdns_close takes; joins every interface that carries multicast (loopback
 *          when there is no other). When port 5353 cannot be shared it asks from an ephemeral port.
 * Thread   the loop's owner. */
#ifndef PL_NET_MDNS_H
#define PL_NET_MDNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/shared.h"
#include "net/udp.h"
#include "peerline/error.h"
#include "peerline/loop.h"

PL_SHARED_BEGIN

enum { PL_MDNS_PORT = 5353, PL_MDNS_IF_MAX = 8 };

typedef struct pl_mdns pl_mdns;

/* Every datagram that arrives on the group or is sent to us: queries of others and our own included. */
typedef void (*pl_mdns_fn)(void *user, int64_t now_us, const pl_udp_rx *rx);

/* Errors: PL_EIO when no interface carries multicast, PL_ENOMEM. */
PL_NODISCARD pl_err pl_mdns_open(pl_mdns **out, pl_loop *loop, pl_mdns_fn fn, void *user);
void pl_mdns_close(pl_mdns *m); /* NULL is fine; also from its own callback */
/* To the group on every interface. Errors: PL_EIO when none took it. */
pl_err pl_mdns_send(pl_mdns *m, const void *data, size_t len);
/* To one asker (a legacy unicast answer, RFC 6762 6.7). */
pl_err pl_mdns_send_to(pl_mdns *m, const pl_addr *to, const void *data, size_t len);
/* Whether it hears the group; when not, a query should set the QU bit and expects unicast answers only. */
bool pl_mdns_is_shared(const pl_mdns *m);

PL_SHARED_END

#endif
