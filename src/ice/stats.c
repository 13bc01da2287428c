/* Numbers for W3C's RTCIceCandidatePairStats and RTCIceCandidateStats. */
#include <stdio.h>

#include "ice/agent_internal.h"

static ice_pair *counted(const pl_ice *ice)
{
    bool old = !ice->cur->established && ice->prev && ice->prev->selected;
    return old ? ice->prev->selected : ice->cur->selected;
}

void pl_ice_count_sent(pl_ice *ice, int64_t now_us, uint32_t packets, uint64_t bytes)
{
    ice_pair *p = counted(ice);
    if (!p)
        return;
    p->packets_sent += packets;
    p->bytes_sent += bytes;
    p->last_sent_us = now_us;
}

void pl_ice_count_received(pl_ice *ice, int64_t now_us, uint32_t packets, uint64_t bytes)
{
    ice_pair *p = counted(ice);
    if (!p)
        return;
    p->packets_received += packets;
    p->bytes_received += bytes;
    p->last_received_us = now_us;
}

const char *pl_ice_relay_proto_str(pl_ice_relay_proto p)
{
    static const char *const name[] = { "", "udp", "tcp", "tls" };
    return (unsigned)p <= PL_ICE_RELAY_TLS ? name[p] : "";
}

static void local_info(const ice_local *l, pl_ice_cand_info *out)
{
    *out = (pl_ice_cand_info){ .id = l->id,
                               .type = l->type,
                               .proto = l->base->proto,
                               .tcptype = l->base->tcptype,
                               .relay_proto = (uint8_t)(l->base->turn ? pl_ice_relay_proto_of(l->base->turn)
                                                                      : PL_ICE_RELAY_NONE),
                               .url = l->url,
                               .addr = l->addr,
                               .related = l->related,
                               .base = l->base->addr,
                               .priority = l->priority,
                               .network_id = l->base->network_id,
                               .network_cost = l->base->network_cost };
    snprintf(out->foundation, sizeof out->foundation, "%u", (unsigned)l->foundation);
}

static void remote_info(const ice_remote *r, pl_ice_cand_info *out)
{
    *out = (pl_ice_cand_info){ .id = r->id,
                               .remote = true,
                               .type = r->type,
                               .proto = r->proto,
                               .tcptype = r->tcptype,
                               .addr = r->addr,
                               .related = r->related,
                               .priority = r->priority,
                               .network_id = r->network_id,
                               .network_cost = r->network_cost };
    memcpy(out->foundation, r->foundation, sizeof out->foundation);
}

size_t pl_ice_get_candidates(const pl_ice *ice, pl_ice_cand_info *out, size_t cap)
{
    size_t total = 0;
    PL_EACH (n, &ice->locals)
        if (total++ < cap)
            local_info(pl_of(n, ice_local, in_locals), &out[total - 1]);
    PL_EACH (n, &ice->cur->remotes)
        if (total++ < cap)
            remote_info(pl_of(n, ice_remote, in_remotes), &out[total - 1]);
    if (ice->prev && ice->prev->selected && total++ < cap) /* what the carrying pair refers to */
        remote_info(ice->prev->selected->remote, &out[total - 1]);
    return total;
}

static void pair_info(const pl_ice *ice, const ice_pair *p, pl_ice_pair_info *out)
{
    *out = (pl_ice_pair_info){ .id = p->id,
                               .local_id = p->local->id,
                               .remote_id = p->remote->id,
                               .state = (pl_ice_pair_state)p->state,
                               .nominated = p->nominated,
                               .selected = p == counted(ice),
                               .priority = p->priority,
                               .packets_sent = p->packets_sent,
                               .packets_received = p->packets_received,
                               .bytes_sent = p->bytes_sent,
                               .bytes_received = p->bytes_received,
                               .last_sent_us = p->last_sent_us,
                               .last_received_us = p->last_received_us,
                               .rtt_us = p->rtt_us,
                               .total_rtt_us = p->total_rtt_us,
                               .requests_sent = p->requests_sent,
                               .requests_received = p->requests_received,
                               .responses_sent = p->responses_sent,
                               .responses_received = p->responses_received,
                               .consent_requests_sent = p->consent_requests_sent };
}

size_t pl_ice_get_pairs(const pl_ice *ice, pl_ice_pair_info *out, size_t cap)
{
    size_t total = 0;
    PL_EACH (n, &ice->cur->pairs)
        if (total++ < cap)
            pair_info(ice, pl_of(n, ice_pair, in_pairs), &out[total - 1]);
    if (ice->prev && ice->prev->selected && total++ < cap)
        pair_info(ice, ice->prev->selected, &out[total - 1]);
    return total;
}

bool pl_ice_get_selected_pair(const pl_ice *ice, pl_ice_pair_info *out)
{
    const ice_pair *p = counted(ice);
    if (p)
        pair_info(ice, p, out);
    return p != NULL;
}

const pl_ice_counters *pl_ice_get_counters(const pl_ice *ice)
{
    return &ice->count;
}
