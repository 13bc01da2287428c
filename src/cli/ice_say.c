#include "cli/ice_say.h"

#include <stdio.h>

const char *pl_ice_path_str(const pl_ice_transport_pair *p, char out[PL_ICE_PATH_MAX])
{
    const char *tcp = p->tcp ? " over TCP" : "";
    if (p->local_type == PL_CANDIDATE_RELAY)
        snprintf(out, PL_ICE_PATH_MAX, "relay via %s (%s)%s", p->relay_address, p->relay_protocol, tcp);
    else if (p->remote_type == PL_CANDIDATE_RELAY)
        snprintf(out, PL_ICE_PATH_MAX, "relay of the other side%s", tcp);
    else if (p->local_type == PL_CANDIDATE_HOST && p->remote_type == PL_CANDIDATE_HOST)
        snprintf(out, PL_ICE_PATH_MAX, "direct%s", tcp);
    else
        snprintf(out, PL_ICE_PATH_MAX, "direct through NAT%s", tcp);
    return out;
}

json_t *pl_ice_pair_json(const pl_ice_transport_pair *p)
{
    char path[PL_ICE_PATH_MAX];
    json_t *o = json_pack("{ss s{ss ss} s{ss ss} ss sI sI sI sI}", "path", pl_ice_path_str(p, path), "local",
                          "type", pl_ice_candidate_type_str(p->local_type), "address", p->local, "remote",
                          "type", pl_ice_candidate_type_str(p->remote_type), "address", p->remote, "protocol",
                          p->tcp ? "tcp" : "udp", "packets_sent", (json_int_t)p->packets_sent,
                          "packets_received", (json_int_t)p->packets_received, "checks_sent",
                          (json_int_t)p->checks_sent, "checks_received", (json_int_t)p->checks_received);
    if (o && p->rtt_us)
        json_object_set_new(o, "rtt_ms", json_real((double)p->rtt_us / 1e3));
    if (o && p->relay_protocol[0])
        json_object_set_new(o, "relay_protocol", json_string(p->relay_protocol));
    return o;
}
