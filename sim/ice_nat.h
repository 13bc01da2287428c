/* ice_nat.h - one NAT of the simulated internet: mapping and filtering in the words of RFC 4787, each by itself.
 * Shape    plain data, zero state legal (endpoint-independent twice); its table grows in place; sim_nat_clear frees.
 *          Filtering is per mapping: a packet to one is only accepted from addresses contacted through it. */
#ifndef SIM_ICE_NAT_H
#define SIM_ICE_NAT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"

typedef enum sim_nat_dependence {
    SIM_NAT_EI, /* endpoint-independent */
    SIM_NAT_AD, /* address-dependent */
    SIM_NAT_APD /* address- and port-dependent */
} sim_nat_dependence;

typedef struct sim_nat {
    sim_nat_dependence mapping, filtering;
    bool no_hairpin; /* what it sends to its own outer address is lost */
    pl_addr outer;   /* without port */
    struct sim_nat_mapping *mappings;
    size_t n;
} sim_nat;

void sim_nat_clear(sim_nat *nat);
void sim_nat_reboot(sim_nat *nat); /* forgets everything */
/* How a packet from inner looks outside; the filter is open to `towards` from now on. *next_port numbers new mappings. */
pl_addr sim_nat_out(sim_nat *nat, const pl_addr *inner, const pl_addr *towards, uint16_t *next_port);
typedef enum sim_nat_way { SIM_NAT_UNKNOWN, SIM_NAT_FILTERED, SIM_NAT_PASSED } sim_nat_way;
/* A packet for outer: *inner is where it goes. */
sim_nat_way sim_nat_in(const sim_nat *nat, const pl_addr *outer, const pl_addr *from, pl_addr *inner);

#endif
