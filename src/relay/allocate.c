/* Allocate: RFC 8656 7.2, with RFC 6062 (TCP) and RFC 8016 (mobility). */
#include "relay/relay_internal.h"

/* What a client asks for. */
typedef struct wish {
    bool tcp, even, pair, has_token, mobile;
    bool want[2]; /* IPv4, IPv6 */
    bool dual;
    uint8_t token[RELAY_TOKEN_LEN];
    uint32_t lifetime_s;
} wish;

uint32_t relay_lifetime_s(const pl_relay *r, uint32_t asked_s)
{
    uint32_t s = asked_s < PL_RELAY_LIFETIME_MIN_S   ? PL_RELAY_LIFETIME_MIN_S
                 : asked_s > PL_RELAY_LIFETIME_MAX_S ? PL_RELAY_LIFETIME_MAX_S
                                                     : asked_s;
    if (r->draining) {
        int64_t left_s = (r->drain_us - r->now_us) / 1000000;
        if (left_s < s)
            s = left_s > 1 ? (uint32_t)left_s : 1;
    }
    return s;
}

/* ---- reading ---- */

static uint16_t read_transport(const pl_relay *r, const relay_ask *ask, wish *w)
{
    uint8_t proto;
    if (pl_stun_get_u8(ask->m, PL_STUN_REQUESTED_TRANSPORT, &proto))
        return 400;
    if (proto != RELAY_REQUESTED_UDP && (proto != RELAY_REQUESTED_TCP || !r->tcp_allowed))
        return 442;
    w->tcp = proto == RELAY_REQUESTED_TCP;
    /* RFC 6062 5.1: only over a connection, and none of these with it. */
    if (w->tcp &&
        (!ask->conn || ask->conn->transport == PL_RELAY_DTLS || pl_stun_has(ask->m, PL_STUN_EVEN_PORT) ||
         pl_stun_has(ask->m, PL_STUN_DONT_FRAGMENT) || pl_stun_has(ask->m, PL_STUN_RESERVATION_TOKEN)))
        return 400;
    return 0;
}

static uint16_t read_ports(const pl_stun_msg *m, wish *w)
{
    uint8_t even = 0;
    pl_rd token;
    pl_err err = pl_stun_get_u8(m, PL_STUN_EVEN_PORT, &even);
    if (err == PL_EPROTO)
        return 400;
    w->even = err == PL_OK;
    w->pair = even & 0x80;
    if (pl_stun_find(m, PL_STUN_RESERVATION_TOKEN, &token)) {
        const uint8_t *p = pl_rd_take(&token, RELAY_TOKEN_LEN);
        if (!p || pl_rd_left(&token) || w->even || pl_stun_has(m, PL_STUN_REQUESTED_ADDRESS_FAMILY) ||
            pl_stun_has(m, PL_STUN_ADDITIONAL_ADDRESS_FAMILY))
            return 400;
        memcpy(w->token, p, sizeof w->token);
        w->has_token = true;
    }
    return 0;
}

static uint16_t read_families(const pl_relay *r, const pl_stun_msg *m, wish *w)
{
    uint8_t family = 1, more = 0;
    pl_err err = pl_stun_get_u8(m, PL_STUN_REQUESTED_ADDRESS_FAMILY, &family);
    pl_err more_err = pl_stun_get_u8(m, PL_STUN_ADDITIONAL_ADDRESS_FAMILY, &more);
    if (err == PL_EPROTO || more_err == PL_EPROTO || (err == PL_OK && more_err == PL_OK))
        return 400;
    if (more_err == PL_OK && (more != 2 || w->pair))
        return 400;
    if (err == PL_ENOTSUP)
        family = 1;
    if (family != 1 && family != 2)
        return 440;
    w->dual = more_err == PL_OK;
    w->want[0] = family == 1;
    w->want[1] = family == 2 || w->dual;
    bool some = (w->want[0] && r->ip4) || (w->want[1] && r->ip6);
    return some || w->has_token ? 0 : 440;
}

static uint16_t read_mobility(const pl_relay *r, const pl_stun_msg *m, wish *w)
{
    pl_rd ticket;
    if (!pl_stun_find(m, PL_STUN_MOBILITY_TICKET, &ticket))
        return 0;
    if (pl_rd_left(&ticket))
        return 400;
    if (!r->mobility || w->tcp)
        return 405;
    w->mobile = true;
    return 0;
}

static uint16_t read_wish(const pl_relay *r, const relay_ask *ask, wish *w)
{
    uint32_t lifetime_s;
    pl_err err = pl_stun_get_u32(ask->m, PL_STUN_LIFETIME, &lifetime_s);
    if (err == PL_EPROTO)
        return 400;
    w->lifetime_s = relay_lifetime_s(r, err ? PL_RELAY_LIFETIME_MIN_S : lifetime_s);
    uint16_t code = read_transport(r, ask, w);
    code = code ? code : read_ports(ask->m, w);
    code = code ? code : read_families(r, ask->m, w);
    return code ? code : read_mobility(r, ask->m, w);
}

/* ---- answering ---- */

static void put_relayed(const relay_alloc *a, pl_stun_wr *s)
{
    static const pl_family family[2] = { PL_AF_IP4, PL_AF_IP6 };
    for (int i = 0; i < 2; i++)
        if (a->port[i])
            pl_stun_put_xor_addr(s, PL_STUN_XOR_RELAYED_ADDRESS, &a->relayed[i]);
    for (int i = 0; i < 2; i++)
        if (a->port_error[i])
            pl_stun_put_address_error(s, family[i], a->port_error[i], NULL);
}

/* Built from what stands, so a repeated request gets the same. */
static void answer(pl_relay *r, const relay_alloc *a)
{
    pl_stun_wr s = relay_begin_late(r, PL_STUN_SUCCESS, PL_STUN_ALLOCATE, &a->late);
    put_relayed(a, &s);
    pl_stun_put_u32(&s, PL_STUN_LIFETIME, a->lifetime_s);
    if (a->has_token)
        pl_stun_put(&s, PL_STUN_RESERVATION_TOKEN, a->token, sizeof a->token);
    pl_stun_put_xor_addr(&s, PL_STUN_XOR_MAPPED_ADDRESS, &a->client.remote);
    if (a->mobile)
        relay_put_ticket(r, a, &s);
    relay_end_late(r, a, &a->late, &s);
}

void relay_settle(pl_relay *r, relay_alloc *a)
{
    for (int i = 0; i < 2; i++)
        if (a->port[i] && a->port[i]->state == RELAY_PORT_OPENING)
            return;
    if (!a->port[0] && !a->port[1]) {
        bool no_family = a->port_error[0] != 508 && a->port_error[1] != 508;
        relay_refuse_late(r, a, PL_STUN_ALLOCATE, &a->late, no_family ? 440 : 508);
        relay_alloc_end(r, a, PL_RELAY_WHY_NONE);
        return;
    }
    a->pending = false;
    a->since_us = r->now_us;
    r->count.allocations[a->transport]++;
    r->count.tcp_allocations += a->tcp;
    answer(r, a);
    relay_tell(r, a, RELAY_NEWS_ALLOCATED);
}

static void refuse_draining(pl_relay *r, const relay_ask *ask)
{
    for (int i = 0; i < 2; i++) {
        if (r->alternate[i].family != ask->path->remote.family)
            continue;
        relay_redirect(r, ask, &r->alternate[i]);
        return;
    }
    relay_refuse(r, ask, 508);
}

/* ---- making ---- */

/* The ports are asked of the driver. False without memory; what there is goes with the allocation. */
static bool want_ports(pl_relay *r, relay_alloc *a, const wish *w)
{
    const bool can[2] = { r->ip4, r->ip6 };
    for (int i = 0; i < 2; i++) {
        if (!w->want[i])
            continue;
        if (!can[i]) {
            a->port_error[i] = 440;
            continue;
        }
        pl_relay_port *p = relay_port_new(r, i ? PL_AF_IP6 : PL_AF_IP4, w->tcp);
        if (!p)
            return false;
        a->port[i] = p;
        p->owner = a;
        p->even = w->even;
        relay_port_ask(r, p);
        if (w->pair && !(p->next = relay_port_new(r, p->family, false)))
            return false;
    }
    return true;
}

static relay_alloc *make(pl_relay *r, const relay_ask *ask, const wish *w, uint64_t user_key)
{
    relay_alloc *a = relay_alloc_new(ask->auth.name);
    if (!a)
        return NULL;
    a->pending = true;
    a->tcp = w->tcp;
    a->mobile = w->mobile;
    a->known = ask->auth.known;
    a->late = relay_later(ask);
    a->user_key = user_key;
    a->client_key = relay_client_key(r, &ask->path->remote);
    a->id = (uint64_t)r->thread << 48 | r->next_id++;
    a->lifetime_s = w->lifetime_s;
    a->end_us = r->now_us + PL_SEC(w->lifetime_s);
    if (relay_alloc_enter(r, a)) {
        relay_alloc_free(a);
        return NULL;
    }
    if (relay_alloc_place(r, a, ask)) {
        relay_alloc_leave(r, a);
        relay_alloc_free(a);
        return NULL;
    }
    return a;
}

static void take_reserved(pl_relay *r, relay_alloc *a, relay_reservation *v)
{
    pl_relay_port *p = v->port;
    relay_reservation_leave(r, v);
    relay_reservation_free(v);
    p->owner = a;
    p->state = RELAY_PORT_OPEN;
    a->port[relay_side(p->family)] = p;
    a->relayed[relay_side(p->family)] = p->relayed;
}

/* A token names the thread it is from. False: answered, or on its way. */
static bool find_reserved(pl_relay *r, const relay_ask *ask, const wish *w, relay_reservation **out)
{
    *out = relay_reservation_find(r, w->token);
    if (*out && (*out)->user == ask->auth.known.user)
        return true;
    pl_relay_claim claim = { .kind = RELAY_CLAIM_RESERVATION, .user = ask->auth.known.user };
    memcpy(&claim.id, w->token, sizeof claim.id);
    if (*out || !relay_fetch_from(r, ask, w->token[0], &claim))
        relay_refuse(r, ask, 508);
    return false;
}

static void allocate(pl_relay *r, relay_ask *ask, const wish *w)
{
    relay_reservation *reserved = NULL;
    if (w->has_token && !find_reserved(r, ask, w, &reserved))
        return;
    /* Names of shared secrets change with the time in them; who it is does not. */
    uint64_t user_key = pl_siphash(r->shared_key, ask->auth.name.p, ask->auth.name.n);
    uint16_t code =
        r->n_alloc + r->n_dead >= r->max_alloc
            ? 508
            : relay_shared_take(r->shared, r->policy, user_key, relay_client_key(r, &ask->path->remote));
    if (code) {
        relay_refuse(r, ask, code);
        return;
    }
    relay_alloc *a = make(r, ask, w, user_key);
    if (!a) {
        relay_shared_give(r->shared, user_key, relay_client_key(r, &ask->path->remote));
        relay_refuse(r, ask, 508);
    } else if (reserved) {
        take_reserved(r, a, reserved);
        relay_settle(r, a);
    } else if (!want_ports(r, a, w)) {
        relay_refuse(r, ask, 508);
        relay_alloc_end(r, a, PL_RELAY_WHY_NONE);
    }
}

static bool is_repeated(const relay_ask *ask)
{
    const relay_alloc *a = ask->alloc;
    return memcmp(a->late.txid, ask->m->id, PL_STUN_ID_LEN) == 0 && a->known.user == ask->auth.known.user;
}

void relay_on_allocate(pl_relay *r, relay_ask *ask)
{
    wish w = { 0 };
    if (ask->alloc && is_repeated(ask)) {
        if (ask->alloc->pending)
            r->count.drop[PL_RELAY_DROP_BUSY]++;
        else
            answer(r, ask->alloc);
        return;
    }
    uint16_t code = ask->alloc ? 437 : read_wish(r, ask, &w);
    if (code)
        relay_refuse(r, ask, code);
    else if (r->draining)
        refuse_draining(r, ask);
    else
        allocate(r, ask, &w);
}
