/* Between threads: an allocation or a reserved port leaves one relay as a plain object and enters another. */
#include <stdlib.h>

#include "relay/relay_internal.h"

struct pl_relay_parcel {
    pl_relay_shared *shared;
    relay_alloc *alloc; /* one of the two */
    relay_reservation *reservation;
};

bool relay_fetch_from(pl_relay *r, const relay_ask *ask, uint32_t thread, const pl_relay_claim *claim)
{
    if (r->in_replay || thread == r->thread || r->n_fetch == RELAY_FETCH_MAX)
        return false;
    r->fetch[r->n_fetch++] = (relay_fetch){ .wanted = true,
                                            .thread = thread,
                                            .claim = *claim,
                                            .sock = ask->sock,
                                            .conn = ask->conn,
                                            .path = *ask->path,
                                            .message = { ask->m->pkt, ask->m->len } };
    return true;
}

static void take_ports(relay_alloc *a)
{
    for (int i = 0; i < 2; i++)
        if (a->port[i])
            pl_list_remove(&a->port[i]->in_all);
}

static bool detach_alloc(pl_relay *r, const pl_relay_claim *claim, pl_relay_parcel *p)
{
    relay_alloc *a = relay_alloc_standing(r, relay_alloc_by_id(r, claim->id));
    if (!a || a->pending || a->known.user != claim->user)
        return false;
    uint8_t news = a->news;
    relay_alloc_leave(r, a);
    a->news = news; /* what was not told yet is told by the other relay */
    take_ports(a);
    p->shared = r->shared;
    p->alloc = a;
    return true;
}

static bool detach_reservation(pl_relay *r, const pl_relay_claim *claim, pl_relay_parcel *p)
{
    uint8_t token[RELAY_TOKEN_LEN];
    memcpy(token, &claim->id, sizeof token);
    relay_reservation *v = relay_reservation_find(r, token);
    if (!v || v->user != claim->user)
        return false;
    relay_reservation_leave(r, v);
    pl_list_remove(&v->port->in_all);
    p->reservation = v;
    return true;
}

pl_relay_parcel *pl_relay_detach(pl_relay *r, int64_t now_us, const pl_relay_claim *claim)
{
    r->now_us = now_us;
    pl_relay_parcel *p = calloc(1, sizeof *p);
    if (p &&
        (claim->kind == RELAY_CLAIM_ALLOCATION ? detach_alloc(r, claim, p) : detach_reservation(r, claim, p)))
        return p;
    free(p);
    return NULL;
}

void **pl_relay_parcel_sock(pl_relay_parcel *p, size_t i, pl_relay_port **port)
{
    pl_relay_port *found = NULL;
    if (p->reservation)
        found = i == 0 ? p->reservation->port : NULL;
    else if (i < 2)
        found = p->alloc->port[0] ? p->alloc->port[i] : i == 0 ? p->alloc->port[1] : NULL;
    *port = found;
    return found ? &found->sock : NULL;
}

pl_err pl_relay_attach(pl_relay *r, int64_t now_us, pl_relay_parcel *p)
{
    r->now_us = now_us;
    if (p->alloc && r->n_alloc + r->n_dead >= r->max_alloc)
        return PL_ENOSPC;
    pl_err err = p->alloc ? relay_alloc_enter(r, p->alloc) : relay_reservation_enter(r, p->reservation);
    if (err)
        return err;
    if (p->reservation)
        pl_list_push_back(&r->ports, &p->reservation->port->in_all);
    for (int i = 0; p->alloc && i < 2; i++)
        if (p->alloc->port[i])
            pl_list_push_back(&r->ports, &p->alloc->port[i]->in_all);
    free(p);
    return PL_OK;
}

void pl_relay_parcel_free(pl_relay_parcel *p)
{
    if (!p)
        return;
    if (p->reservation) {
        relay_port_free(p->reservation->port);
        relay_reservation_free(p->reservation);
    } else {
        relay_shared_give(p->shared, p->alloc->user_key, p->alloc->client_key);
        relay_port_free(p->alloc->port[0]);
        relay_port_free(p->alloc->port[1]);
        relay_alloc_free(p->alloc);
    }
    free(p);
}
