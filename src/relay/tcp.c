/* TCP to peers: RFC 6062. A link is a peer's connection: asked for by Connect or accepted from a peer, then waiting
 * for the ConnectionBind that comes by a connection of its own, then spliced to that. */
#include <stdlib.h>

#include "relay/relay_internal.h"

static pl_relay_link *link_by_id(const pl_relay *r, uint32_t id)
{
    for (pl_hash_node *n = pl_hash_find(&r->links, &id, sizeof id); n; n = pl_hash_next(n)) {
        pl_relay_link *l = pl_of(n, pl_relay_link, in_links);
        if (l->id == id)
            return l;
    }
    return NULL;
}

static void set_deadline(pl_relay *r, pl_relay_link *l)
{
    l->timer.kind = RELAY_TIMER_LINK;
    relay_wheel_set(&r->wheel, &l->timer, r->now_us, r->now_us + PL_SEC(PL_RELAY_LINK_S));
}

static pl_relay_link *link_new(pl_relay *r, relay_alloc *a, const pl_addr *peer, relay_link_state state)
{
    if (a->n_links >= PL_RELAY_LINKS_MAX)
        return NULL;
    pl_relay_link *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    do {
        l->id = pl_rand_u32(&r->rand);
    } while (link_by_id(r, l->id));
    if (pl_hash_insert(&r->links, &l->in_links, &l->id, sizeof l->id)) {
        free(l);
        return NULL;
    }
    l->alloc = a;
    l->peer = *peer;
    l->state = (uint8_t)state;
    a->n_links++;
    pl_list_push_back(&a->links, &l->in_alloc);
    set_deadline(r, l);
    return l;
}

/* Out of its allocation: it has no more part in the protocol. */
static void detach(pl_relay *r, pl_relay_link *l)
{
    if (!l->alloc)
        return;
    pl_list_remove(&l->in_alloc);
    l->alloc->n_links--;
    l->alloc = NULL;
    pl_hash_remove(&r->links, &l->in_links);
    relay_wheel_stop(&r->wheel, &l->timer);
}

void relay_link_free(pl_relay *r, pl_relay_link *l)
{
    detach(r, l);
    pl_list_remove(&l->in_work);
    if (l->conn)
        l->conn->link = NULL;
    free(l);
}

void relay_conn_end(pl_relay *r, pl_relay_conn *c)
{
    if (c->closing)
        return;
    c->closing = true;
    pl_list_push_back(&r->work_conns, &c->in_work);
}

/* The client's half of a splice ends with the peer's. */
static void let_go_of_conn(pl_relay *r, pl_relay_link *l)
{
    if (!l->conn)
        return;
    l->conn->link = NULL;
    relay_conn_end(r, l->conn);
    l->conn = NULL;
}

void relay_link_end(pl_relay *r, pl_relay_link *l)
{
    bool driver_knows = l->sock || l->asked;
    let_go_of_conn(r, l);
    detach(r, l);
    l->state = RELAY_LINK_CLOSING;
    if (!driver_knows) {
        relay_link_free(r, l);
        return;
    }
    pl_list_remove(&l->in_work); /* a splice that was not told yet */
    pl_list_push_back(&r->work_links, &l->in_work);
}

/* Thirty seconds without an answer from the peer, or without a ConnectionBind (RFC 6062 5.2, 5.4). */
void relay_link_expired(pl_relay *r, pl_relay_link *l)
{
    if (l->state == RELAY_LINK_CONNECTING)
        relay_refuse_late(r, l->alloc, PL_STUN_CONNECT, &l->late, 447);
    relay_link_end(r, l);
}

/* ---- Connect ---- */

static bool is_linked(const relay_alloc *a, const pl_addr *peer)
{
    for (const pl_node *n = a->links.next; n != &a->links; n = n->next)
        if (pl_addr_eq(&pl_of(n, pl_relay_link, in_alloc)->peer, peer))
            return true;
    return false;
}

void relay_on_connect(pl_relay *r, relay_ask *ask)
{
    relay_alloc *a = ask->alloc;
    pl_addr peer;
    bool own;
    uint16_t code = 0;
    if (!a->tcp || pl_stun_get_xor_addr(ask->m, PL_STUN_XOR_PEER_ADDRESS, &peer) || !peer.port)
        code = 400;
    if (!code && is_linked(a, &peer))
        code = 446;
    if (!code)
        code = relay_check_peer(r, a, &peer, true, &own);
    pl_relay_link *l = code ? NULL : link_new(r, a, &peer, RELAY_LINK_CONNECTING);
    if (!l) {
        relay_refuse(r, ask, code ? code : 508);
        return;
    }
    l->late = relay_later(ask);
    pl_list_push_back(&r->work_links, &l->in_work);
}

void pl_relay_connected(pl_relay *r, int64_t now_us, pl_relay_link *l, void *sock)
{
    r->now_us = now_us;
    l->sock = sock;
    if (l->state != RELAY_LINK_CONNECTING)
        return; /* its end is on the way to the driver */
    l->state = RELAY_LINK_WAITING;
    set_deadline(r, l);
    r->count.connects++;
    pl_stun_wr s = relay_begin_late(r, PL_STUN_SUCCESS, PL_STUN_CONNECT, &l->late);
    pl_stun_put_u32(&s, PL_STUN_CONNECTION_ID, l->id);
    relay_end_late(r, l->alloc, &l->late, &s);
}

void pl_relay_link_closed(pl_relay *r, int64_t now_us, pl_relay_link *l)
{
    r->now_us = now_us;
    if (l->state == RELAY_LINK_CONNECTING)
        relay_refuse_late(r, l->alloc, PL_STUN_CONNECT, &l->late, 447);
    let_go_of_conn(r, l);
    relay_link_free(r, l);
}

/* ---- a peer connects ---- */

static bool attempt(pl_relay *r, const relay_alloc *a, const pl_relay_link *l)
{
    enum { ATTEMPT_MAX = PL_STUN_HEADER_LEN + 8 + 24 };
    uint8_t id[PL_STUN_ID_LEN], *out = relay_batch_bytes(r, ATTEMPT_MAX);
    if (!out)
        return false;
    relay_next_indication_id(r, id);
    pl_stun_wr s = pl_stun_begin(out, ATTEMPT_MAX, PL_STUN_INDICATION, PL_STUN_CONNECTION_ATTEMPT, id);
    pl_stun_put_u32(&s, PL_STUN_CONNECTION_ID, l->id);
    pl_stun_put_xor_addr(&s, PL_STUN_XOR_PEER_ADDRESS, &l->peer);
    size_t len = pl_stun_end(&s);
    return len && relay_send_bytes(r, a->sock, a->conn, &a->client, out, len);
}

pl_relay_link *pl_relay_accepted(pl_relay *r, int64_t now_us, pl_relay_port *port, void *sock,
                                 const pl_addr *peer)
{
    relay_alloc *a = port->owner;
    r->now_us = now_us;
    if (!a || !a->tcp || a->pending || !a->conn)
        return NULL;
    const relay_perm *perm = relay_peers_perm(&a->peers, r->peers_seed, peer);
    if (!perm || perm->until_us <= now_us) {
        r->count.drop[PL_RELAY_DROP_NO_PERMISSION]++;
        return NULL;
    }
    pl_relay_link *l = link_new(r, a, peer, RELAY_LINK_WAITING);
    if (!l)
        return NULL;
    l->sock = sock;
    if (!attempt(r, a, l)) {
        relay_link_free(r, l);
        return NULL;
    }
    return l;
}

/* ---- ConnectionBind ---- */

void relay_on_connection_bind(pl_relay *r, relay_ask *ask)
{
    uint32_t id;
    pl_relay_conn *c = ask->conn;
    pl_relay_link *l = NULL;
    if (c && c->transport != PL_RELAY_DTLS && !c->alloc &&
        !pl_stun_get_u32(ask->m, PL_STUN_CONNECTION_ID, &id))
        l = link_by_id(r, id);
    if (!l || l->state != RELAY_LINK_WAITING) {
        relay_refuse(r, ask, 400);
        return;
    }
    if (l->alloc->known.user != ask->auth.known.user) {
        relay_refuse(r, ask, 441);
        return;
    }
    l->state = RELAY_LINK_SPLICED;
    l->conn = c;
    c->link = l;
    relay_wheel_stop(&r->wheel, &l->timer);
    pl_stun_wr s = relay_answer(r, PL_STUN_SUCCESS, ask);
    relay_answer_end(r, ask, &s);
    pl_list_push_back(&r->work_links, &l->in_work);
}

/* ---- the clients' connections ---- */

pl_err pl_relay_conn_open(pl_relay *r, int64_t now_us, pl_relay_conn **out, void *sock,
                          pl_relay_transport transport, const pl_path *path)
{
    r->now_us = now_us;
    pl_relay_conn *c = *out = calloc(1, sizeof *c);
    if (!c)
        return PL_ENOMEM;
    c->sock = sock;
    c->path = *path;
    c->transport = (uint8_t)transport;
    pl_list_push_back(&r->conns, &c->in_all);
    return PL_OK;
}

void pl_relay_conn_close(pl_relay *r, int64_t now_us, pl_relay_conn *c)
{
    r->now_us = now_us;
    relay_void_conn(r, c);
    if (c->link) {
        c->link->conn = NULL;
        relay_link_end(r, c->link);
    }
    if (c->alloc) {
        if (c->alloc->mobile && !c->alloc->pending)
            relay_alloc_displace(r, c->alloc); /* its client may come back from elsewhere */
        else
            relay_alloc_end(r, c->alloc, PL_RELAY_WHY_DISCONNECTED);
    }
    pl_list_remove(&c->in_all);
    pl_list_remove(&c->in_work);
    free(c);
}

bool pl_relay_conn_busy(const pl_relay_conn *c)
{
    return c->alloc || c->link;
}
