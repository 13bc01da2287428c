#include "sim/ice_nat.h"

#include <stdlib.h>

enum { MAPPINGS_MAX = 512, PERMITTED_MAX = 32 };

typedef struct sim_nat_mapping {
    pl_addr inner, outer, towards;
    pl_addr permitted[PERMITTED_MAX];
    size_t n_permitted;
} mapping;

void sim_nat_clear(sim_nat *nat)
{
    free(nat->mappings);
    *nat = (sim_nat){ 0 };
}

void sim_nat_reboot(sim_nat *nat)
{
    nat->n = 0;
}

static bool same(sim_nat_dependence by, const pl_addr *a, const pl_addr *b)
{
    return by == SIM_NAT_EI || (by == SIM_NAT_AD ? pl_addr_ip_eq(a, b) : pl_addr_eq(a, b));
}

static mapping *find_or_make(sim_nat *nat, const pl_addr *inner, const pl_addr *towards, uint16_t *next_port)
{
    for (size_t i = 0; i < nat->n; i++) {
        mapping *m = &nat->mappings[i];
        if (pl_addr_eq(&m->inner, inner) && same(nat->mapping, &m->towards, towards))
            return m;
    }
    if (!nat->mappings)
        nat->mappings = calloc(MAPPINGS_MAX, sizeof *nat->mappings);
    if (!nat->mappings || nat->n == MAPPINGS_MAX)
        abort();
    mapping *m = &nat->mappings[nat->n++];
    *m = (mapping){ .inner = *inner, .outer = nat->outer, .towards = *towards };
    m->outer.port = (*next_port)++;
    return m;
}

static void permit(mapping *m, const pl_addr *towards)
{
    for (size_t i = 0; i < m->n_permitted; i++)
        if (pl_addr_eq(&m->permitted[i], towards))
            return;
    if (m->n_permitted < PERMITTED_MAX)
        m->permitted[m->n_permitted++] = *towards;
}

pl_addr sim_nat_out(sim_nat *nat, const pl_addr *inner, const pl_addr *towards, uint16_t *next_port)
{
    mapping *m = find_or_make(nat, inner, towards, next_port);
    permit(m, towards);
    return m->outer;
}

sim_nat_way sim_nat_in(const sim_nat *nat, const pl_addr *outer, const pl_addr *from, pl_addr *inner)
{
    for (size_t i = 0; i < nat->n; i++) {
        const mapping *m = &nat->mappings[i];
        if (!pl_addr_eq(&m->outer, outer))
            continue;
        if (nat->no_hairpin && pl_addr_ip_eq(from, &nat->outer))
            return SIM_NAT_FILTERED;
        bool passes = nat->filtering == SIM_NAT_EI;
        for (size_t k = 0; k < m->n_permitted && !passes; k++)
            passes = same(nat->filtering, &m->permitted[k], from);
        *inner = m->inner;
        return passes ? SIM_NAT_PASSED : SIM_NAT_FILTERED;
    }
    return SIM_NAT_UNKNOWN;
}
