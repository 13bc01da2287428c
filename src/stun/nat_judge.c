/* What the answers mean: RFC 5780 4.3 and 4.4, with every doubt kept. A silence is only taken for a filter where
 * the same address has been seen to answer otherwise. */
#include "stun/nat_internal.h"

static bool same(const pl_stun_nat *n, probe_id a, probe_id b)
{
    return pl_addr_eq(&n->probes[a].mapped, &n->probes[b].mapped);
}

void pl_stun_nat_know_first(pl_stun_nat *n)
{
    pl_nat_result *r = &n->result;
    const pl_addr *local = &r->local;
    r->mapped = n->probes[BIND_PP].mapped;
    r->mapped.scope = local->scope; /* a mapped address has none */
    r->translated = !pl_addr_eq(&r->mapped, local);
    r->port_preserved = r->mapped.port == local->port;
}

void pl_stun_nat_know_filtering(pl_stun_nat *n)
{
    pl_nat_result *r = &n->result;
    const probe *both = &n->probes[CHANGE_BOTH], *port = &n->probes[CHANGE_PORT];
    if (r->filtering_why != PL_NAT_NOT_ASKED)
        return;
    r->filtering_why = PL_NAT_KNOWN;
    if (both->state == ANSWERED)
        r->filtering = r->translated ? PL_NAT_ENDPOINT_INDEPENDENT : PL_NAT_NONE;
    else if (both->state == REFUSED || port->state == REFUSED)
        r->filtering_why = PL_NAT_NO_CHANGE;
    else if (!pl_stun_nat_answered(n, BIND_OO)) /* its silence may have nothing to do with a filter */
        r->filtering_why = PL_NAT_OTHER_SILENT;
    else if (port->state == ANSWERED)
        r->filtering = PL_NAT_ADDRESS_DEPENDENT;
    else if (pl_stun_nat_answered(n, BIND_PO))
        r->filtering = PL_NAT_ADDRESS_PORT_DEPENDENT;
    else
        r->filtering_why = PL_NAT_OTHER_SILENT;
}

/* Of the four addresses of the server each may have been shown another mapping of ours. */
static pl_nat_behaviour judge_mapping(const pl_stun_nat *n, pl_nat_why *why)
{
    bool op = pl_stun_nat_answered(n, BIND_OP), oo = pl_stun_nat_answered(n, BIND_OO),
         po = pl_stun_nat_answered(n, BIND_PO);
    bool port_matters = (po && !same(n, BIND_PO, BIND_PP)) || (op && oo && !same(n, BIND_OP, BIND_OO));
    bool ip_matters = (op && !same(n, BIND_OP, BIND_PP)) || (oo && !same(n, BIND_OO, BIND_PP));
    *why = PL_NAT_KNOWN;
    if (port_matters && ip_matters)
        return PL_NAT_ADDRESS_PORT_DEPENDENT;
    if (port_matters && !op && !oo)
        return PL_NAT_ADDRESS_PORT_DEPENDENT; /* no other IP is needed to see it */
    if (port_matters)
        *why = PL_NAT_UNSTABLE;
    else if (!op && !oo)
        *why = PL_NAT_OTHER_SILENT;
    else if (!ip_matters)
        return PL_NAT_ENDPOINT_INDEPENDENT;
    else if (op && oo)
        return PL_NAT_ADDRESS_DEPENDENT;
    else
        *why = PL_NAT_OTHER_SILENT; /* another IP, but with which port? */
    return PL_NAT_UNKNOWN;
}

void pl_stun_nat_know_mapping(pl_stun_nat *n)
{
    pl_nat_result *r = &n->result;
    if (r->mapping_why != PL_NAT_NOT_ASKED)
        return;
    r->mapping = judge_mapping(n, &r->mapping_why);
    if (!r->translated && r->mapping == PL_NAT_ENDPOINT_INDEPENDENT)
        r->mapping = PL_NAT_NONE;
}

void pl_stun_nat_know_pooling(pl_stun_nat *n)
{
    static const probe_id of_other_sockets[] = { BIND_HAIRPIN, CHANGE_BOTH, CHANGE_PORT, BIND_LIFETIME };
    for (size_t i = 0; i < sizeof of_other_sockets / sizeof of_other_sockets[0]; i++) {
        const probe *p = &n->probes[of_other_sockets[i]];
        if (p->state != ANSWERED)
            continue;
        if (!pl_addr_ip_eq(&p->mapped, &n->result.mapped))
            n->result.pooled = PL_NAT_YES;
        else if (n->result.pooled == PL_NAT_MAYBE)
            n->result.pooled = PL_NAT_NO;
    }
}

void pl_stun_nat_know_fragments(pl_stun_nat *n)
{
    const probe *p = &n->probes[BIND_PADDING];
    pl_nat_result *r = &n->result;
    bool refused = p->state == REFUSED || (p->state == ANSWERED && !p->padded);
    r->fragments_why = refused ? PL_NAT_NO_PADDING : PL_NAT_KNOWN;
    if (!refused)
        r->fragments = p->state == ANSWERED ? PL_NAT_YES : PL_NAT_NO;
}
