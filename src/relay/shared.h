/* shared.h - the little that all relays of one process share: who holds how many allocations, and the secret under
 * tickets and tokens. Nothing here is touched on the packet path.
 * Source   RFC 8656 5 and 21.3.1 (quotas), 7.2 (reservations), RFC 8016 3 (tickets).
 * Shape    new before the relays, free after them. Fixed tables; a spin of a few dozen instructions guards them when
 *          an allocation begins or ends.
 * Errors   PL_ENOMEM, PL_EINVAL.
 * Thread   any number. */
#ifndef PL_RELAY_SHARED_H
#define PL_RELAY_SHARED_H

#include <stddef.h>
#include <stdint.h>

#include "base/rand.h"
#include "peerline/error.h"

enum { PL_RELAY_ALLOCATIONS_MAX = 1 << 20, PL_RELAY_THREADS_MAX = 256 };

typedef struct pl_relay_shared pl_relay_shared;

/* max_allocations: of the whole process (0: 65536), at most PL_RELAY_ALLOCATIONS_MAX; beyond it 508. */
PL_NODISCARD pl_err pl_relay_shared_new(pl_relay_shared **out, size_t max_allocations, const pl_rand *rand);
void pl_relay_shared_free(pl_relay_shared *s); /* NULL is fine */
/* Allocations of the process now. */
size_t pl_relay_shared_total(const pl_relay_shared *s);

#endif
