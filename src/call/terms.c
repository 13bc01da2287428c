/* terms.c - where an engine's thread meets negotiation and the network loop: the terms it works by, and the rings. */
#include "call/call_internal.h"

#include <string.h>

static bool sends_alike(const pl_pc_media_info *a, const pl_pc_media_info *b)
{
    return a->sending == b->sending && a->send_pt == b->send_pt && strcmp(a->send_codec, b->send_codec) == 0;
}

static bool receives_alike(const pl_pc_media_info *a, const pl_pc_media_info *b)
{
    bool alike = a->receiving == b->receiving && a->n_recv == b->n_recv;
    for (int i = 0; alike && i < a->n_recv; i++)
        alike = a->recv[i].pt == b->recv[i].pt && strcmp(a->recv[i].name, b->recv[i].name) == 0;
    return alike;
}

call_change call_terms_changed(call_side *side, call_engine *engine)
{
    uint32_t version = atomic_load_explicit(&side->terms.version, memory_order_acquire);
    if (version == engine->version)
        return (call_change){ false, false };
    pl_pc_media_info old = engine->info;
    pl_mutex_lock(&side->terms.lock);
    engine->info = side->terms.info;
    engine->version = atomic_load(&side->terms.version);
    pl_mutex_unlock(&side->terms.lock);
    return (call_change){ .send = !sends_alike(&old, &engine->info),
                          .recv = !receives_alike(&old, &engine->info) };
}

void call_kick(call_side *side)
{
    if (pl_ring_len(side->rings.send_out) || pl_ring_len(side->rings.recv_out))
        pl_peer_media_kick(side->transceiver);
}
