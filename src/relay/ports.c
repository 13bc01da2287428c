/* Relayed transport addresses: asked of the driver, given back to it, and kept for thirty seconds when a client has
 * reserved one (RFC 8656 7.2, EVEN-PORT with the R bit). */
#include <assert.h>
#include <stdlib.h>

#include "relay/relay_internal.h"

pl_relay_port *relay_port_new(pl_relay *r, uint8_t family, bool tcp)
{
    pl_relay_port *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->family = family;
    p->tcp = tcp;
    p->state = RELAY_PORT_OPENING;
    pl_list_push_back(&r->ports, &p->in_all);
    return p;
}

void relay_port_free(pl_relay_port *p)
{
    if (!p)
        return;
    relay_port_free(p->next);
    pl_list_remove(&p->in_all);
    pl_list_remove(&p->in_work);
    free(p);
}

void relay_port_ask(pl_relay *r, pl_relay_port *p)
{
    pl_list_push_back(&r->work_ports, &p->in_work);
}

/* One that the driver is about to open lives on without an owner until the driver has answered. */
void relay_port_close(pl_relay *r, pl_relay_port *p)
{
    p->owner = NULL;
    if (p->state == RELAY_PORT_OPENING) {
        if (pl_node_linked(&p->in_work))
            relay_port_free(p);
        return;
    }
    p->state = RELAY_PORT_CLOSING;
    pl_list_push_back(&r->work_ports, &p->in_work);
}

/* ---- reservations ---- */

relay_reservation *relay_reservation_find(const pl_relay *r, const uint8_t token[RELAY_TOKEN_LEN])
{
    for (pl_hash_node *n = pl_hash_find(&r->tokens, token, RELAY_TOKEN_LEN); n; n = pl_hash_next(n)) {
        relay_reservation *v = pl_of(n, relay_reservation, in_tokens);
        if (memcmp(v->token, token, RELAY_TOKEN_LEN) == 0)
            return v;
    }
    return NULL;
}

pl_err relay_reservation_enter(pl_relay *r, relay_reservation *v)
{
    pl_err err = pl_hash_insert(&r->tokens, &v->in_tokens, v->token, RELAY_TOKEN_LEN);
    if (err)
        return err;
    v->timer.kind = RELAY_TIMER_RESERVATION;
    relay_wheel_set(&r->wheel, &v->timer, r->now_us, v->end_us);
    return PL_OK;
}

void relay_reservation_leave(pl_relay *r, relay_reservation *v)
{
    pl_hash_remove(&r->tokens, &v->in_tokens);
    relay_wheel_stop(&r->wheel, &v->timer);
}

void relay_reservation_free(relay_reservation *v)
{
    free(v);
}

void relay_reservation_end(pl_relay *r, relay_reservation *v)
{
    relay_reservation_leave(r, v);
    relay_port_close(r, v->port);
    relay_reservation_free(v);
}

/* The upper port of a pair becomes a reservation; its token tells the thread that has it. */
static pl_relay_port *reserve(pl_relay *r, relay_alloc *a, pl_relay_port *next)
{
    relay_reservation *v = calloc(1, sizeof *v);
    if (v) {
        pl_rand_bytes(&r->rand, v->token, sizeof v->token);
        v->token[0] = (uint8_t)r->thread;
        v->port = next;
        v->user = a->known.user;
        v->end_us = r->now_us + PL_SEC(PL_RELAY_RESERVATION_S);
    }
    if (!v || relay_reservation_enter(r, v)) {
        free(v);
        relay_port_close(r, next);
        return NULL;
    }
    next->state = RELAY_PORT_RESERVED;
    memcpy(a->token, v->token, sizeof a->token);
    a->has_token = true;
    r->count.reservations++;
    return next;
}

/* ---- the driver's answers ---- */

static void take_address(pl_relay_port *p, void *sock, const pl_addr *relayed)
{
    p->sock = sock;
    p->state = RELAY_PORT_OPEN;
    if (relayed)
        p->relayed = *relayed;
}

static void lose(pl_relay *r, relay_alloc *a, pl_relay_port *p, uint16_t code)
{
    int side = relay_side(p->family);
    a->port[side] = NULL;
    a->port_error[side] = code;
    relay_settle(r, a);
}

pl_relay_port *pl_relay_opened(pl_relay *r, int64_t now_us, pl_relay_port *port, void *sock,
                               const pl_addr *relayed, void *next_sock, const pl_addr *next_relayed)
{
    relay_alloc *a = port->owner;
    pl_relay_port *next = port->next;
    r->now_us = now_us;
    assert(port->state == RELAY_PORT_OPENING);
    port->next = NULL;
    take_address(port, sock, relayed);
    bool short_of_one = next && !next_sock;
    if (next && next_sock) {
        take_address(next, next_sock, next_relayed);
        if (a) {
            next = reserve(r, a, next);
            short_of_one = !next;
        } else {
            relay_port_close(r, next);
            next = NULL;
        }
    } else {
        relay_port_free(next);
        next = NULL;
    }
    if (!a) {
        relay_port_close(r, port);
    } else if (short_of_one) {
        relay_port_close(r, port);
        lose(r, a, port, 508);
    } else {
        a->relayed[relay_side(port->family)] = *relayed;
        relay_settle(r, a);
    }
    return next;
}

void pl_relay_open_failed(pl_relay *r, int64_t now_us, pl_relay_port *port, pl_err err)
{
    relay_alloc *a = port->owner;
    r->now_us = now_us;
    assert(port->state == RELAY_PORT_OPENING);
    if (a)
        lose(r, a, port, err == PL_ENOTSUP ? 440 : 508);
    relay_port_free(port);
}
