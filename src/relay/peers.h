/* peers.h - whom one allocation may talk to: its permissions (by IP address) and channels (by number and by
 * transport address).
 * Source   RFC 8656 9 and 12.
 * Shape    two growing arrays, scanned while they are short; from PEERS_SHORT entries on each has an index behind
 *          it. Nothing is removed one by one: what has expired is skipped by whoever finds it, and swept out when
 *          an array is full. So a pointer into it lives until the next permit or bind.
 * Errors   PL_ENOSPC at the maxima of relay.h, PL_ENOMEM; the tables are as before.
 * Thread   its relay's. */
#ifndef PL_RELAY_PEERS_H
#define PL_RELAY_PEERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

/* Where the batch's open output for one destination is, so that later datagrams join it. */
typedef struct relay_lane {
    uint32_t batch; /* of another batch: there is none */
    uint16_t tx;
} relay_lane;

typedef struct relay_perm {
    pl_addr ip; /* port and scope 0 */
    int64_t until_us;
    relay_lane lane; /* of Send indications */
    bool own;        /* an address of this server: ports are checked as well */
} relay_perm;

typedef struct relay_chan {
    pl_addr peer;
    int64_t until_us;
    relay_lane lane; /* of its ChannelData */
    uint16_t number;
    uint16_t perm; /* its permission's place */
} relay_chan;

typedef struct relay_peers {
    relay_perm *perm;
    relay_chan *chan;
    uint16_t n_perm, cap_perm, n_chan, cap_chan;
} relay_peers;

void relay_peers_clear(relay_peers *p);
/* Expired ones are found as well: ask until_us. seed: random, since clients choose the addresses. */
relay_perm *relay_peers_perm(const relay_peers *p, uint64_t seed, const pl_addr *ip);
relay_chan *relay_peers_chan(const relay_peers *p, uint64_t seed, const pl_addr *peer);
relay_chan *relay_peers_number(const relay_peers *p, uint16_t number);
/* Installs or refreshes. *place: where it is. */
PL_NODISCARD pl_err relay_peers_permit(relay_peers *p, uint64_t seed, int64_t now_us, const pl_addr *ip,
                                       bool own, int64_t until_us, uint16_t *place);
/* number and peer belong together already, or both are free (expired counts as free). */
PL_NODISCARD pl_err relay_peers_bind(relay_peers *p, uint64_t seed, int64_t now_us, uint16_t number,
                                     const pl_addr *peer, uint16_t perm, int64_t until_us);
void relay_peers_check(const relay_peers *p, uint64_t seed);

#endif
