/* Bases, the candidates they give, and STUN servers that show how others see us (RFC 8445 5.1.1). */
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "ice/agent_internal.h"

/* Servers that do not answer must not hold a non-trickling offer for 39.5 s: given up after 5 s. */
static const pl_stun_tx_conf gather_tx = { .rto_us = PL_MS(250), .rto_max_us = PL_SEC(1), .rc = 6, .rm = 5 };

/* ---- local candidates ---- */

/* Equal for candidates of one type, base address, protocol and server (RFC 8445 5.1.1.3). The key is secret,
 * so the number tells nothing about addresses that are not signaled. */
static uint32_t foundation_of(const pl_ice *ice, pl_ice_type type, const ice_base *base,
                              const pl_addr *server)
{
    uint8_t text[2 + 2 * (1 + 16)] = { (uint8_t)((unsigned)type << 4 | base->tcptype), base->addr.family };
    memcpy(text + 2, base->addr.ip, 16);
    if (server) {
        text[18] = server->family;
        memcpy(text + 19, server->ip, 16);
    }
    text[35] = base->turn ? (uint8_t)pl_ice_relay_proto_of(base->turn) : 0;
    uint32_t f = (uint32_t)pl_siphash(ice->foundation_key, text, sizeof text);
    return f ? f : 1;
}

ice_local *pl_ice_local_find(const pl_ice *ice, const ice_base *base, const pl_addr *addr)
{
    PL_EACH (n, &ice->locals) {
        ice_local *l = pl_of(n, ice_local, in_locals);
        pl_addr as_mapped = l->addr;
        as_mapped.scope = addr->scope; /* a mapped address has none */
        if (l->base == base && pl_addr_eq(&as_mapped, addr))
            return l;
    }
    return NULL;
}

uint32_t pl_ice_local_priority(pl_ice_type type, const ice_base *base)
{
    return base->proto == PL_UDP
               ? pl_ice_cand_priority(type, base->local_pref, 1)
               : pl_ice_cand_priority_tcp(type, (pl_ice_tcptype)base->tcptype, base->local_pref);
}

uint32_t pl_ice_prflx_priority(const ice_base *base)
{
    return pl_ice_local_priority(PL_ICE_PRFLX, base);
}

/* Peer-reflexive candidates are never signaled. */
static bool is_announced(const pl_ice *ice, uint8_t type)
{
    static const uint32_t without[] = {
        [PL_ICE_HOST] = PL_ICE_NO_HOST, [PL_ICE_SRFLX] = PL_ICE_NO_SRFLX, [PL_ICE_RELAY] = PL_ICE_NO_RELAY
    };
    return type != PL_ICE_PRFLX && !(ice->conf.without & without[type]);
}

ice_local *pl_ice_local_new(pl_ice *ice, ice_base *base, pl_ice_type type, const pl_addr *addr,
                            const pl_addr *server)
{
    ice_local *l = ice->n_locals < PL_ICE_LOCALS_MAX ? calloc(1, sizeof *l) : NULL;
    if (!l)
        return NULL;
    l->base = base;
    l->addr = *addr;
    l->related = type == PL_ICE_HOST ? (pl_addr){ 0 } : type == PL_ICE_RELAY ? base->related : base->addr;
    l->type = (uint8_t)type;
    l->priority = pl_ice_local_priority(type, base);
    l->foundation = foundation_of(ice, type, base, server);
    l->told = !is_announced(ice, l->type);
    l->id = ice->next_id++;
    ice->n_locals++;
    pl_list_push_back(&ice->locals, &l->in_locals);
    return l;
}

static void local_free(pl_ice *ice, ice_local *l)
{
    pl_list_remove(&l->in_locals);
    ice->n_locals--;
    free(l);
}

/* A restart signals every candidate once more, under the new credentials. */
void pl_ice_gather_tell_again(pl_ice *ice)
{
    PL_EACH (n, &ice->locals) {
        ice_local *l = pl_of(n, ice_local, in_locals);
        l->told = !is_announced(ice, l->type);
    }
    ice->told.gathering = PL_ICE_GATHER_NEW;
}

/* ---- bases ---- */

ice_base *pl_ice_base_find(const pl_ice *ice, const pl_addr *addr, uint8_t tcptype)
{
    PL_EACH (n, &ice->bases) {
        ice_base *b = pl_of(n, ice_base, in_bases);
        if (b->tcptype == tcptype && pl_addr_eq(&b->addr, addr))
            return b;
    }
    return NULL;
}

static uint16_t next_local_pref(pl_ice *ice, const pl_ice_base *base)
{
    uint16_t *nth = base->addr.family == PL_AF_IP4 ? &ice->n_bases_ever4 : &ice->n_bases_ever6;
    uint16_t pref = pl_ice_local_pref((pl_family)base->addr.family, *nth);
    if (*nth < UINT16_MAX)
        ++*nth;
    return base->local_pref ? base->local_pref : pref;
}

static void start_gathering(pl_ice *ice, ice_base *b, const ice_server *server);

static bool is_wanted(const pl_ice *ice, const pl_ice_base *base)
{
    uint32_t hit = base->proto == PL_UDP ? PL_ICE_NO_UDP : PL_ICE_NO_TCP;
    hit |= base->addr.family == PL_AF_IP4 ? PL_ICE_NO_IP4 : PL_ICE_NO_IP6;
    hit |= base->type == PL_ICE_RELAY ? PL_ICE_NO_RELAY : 0;
    return !(ice->conf.without & hit);
}

static bool base_ok(const pl_ice_base *base)
{
    const pl_addr *a = &base->addr;
    bool typed = base->type == PL_ICE_HOST || base->type == PL_ICE_RELAY;
    bool tcp = base->proto == PL_TCP && base->type == PL_ICE_HOST && base->tcptype >= PL_ICE_TCPTYPE_ACTIVE &&
               base->tcptype <= PL_ICE_TCPTYPE_SO;
    bool udp = base->proto == PL_UDP && base->tcptype == PL_ICE_TCPTYPE_NONE;
    return typed && (tcp || udp) && (a->family == PL_AF_IP4 || a->family == PL_AF_IP6) &&
           !pl_addr_is_any(a) && !pl_addr_is_multicast(a) && a->port != 0 &&
           (!base->mdns || pl_ice_name_is_mdns(base->mdns));
}

static void base_free(ice_base *b)
{
    free(b->mdns);
    free(b);
}

pl_err pl_ice_base_new(pl_ice *ice, const pl_ice_base *base, ice_turn *turn)
{
    bool full = turn ? ice->n_relayed == ICE_RELAYED_MAX : ice->n_bases - ice->n_relayed == PL_ICE_BASES_MAX;
    if (!base_ok(base) || pl_ice_base_find(ice, &base->addr, base->tcptype))
        return PL_EINVAL; /* a server may say anything about its relayed address */
    if (full || ice->n_locals == PL_ICE_LOCALS_MAX)
        return PL_ENOSPC;
    ice_base *b = calloc(1, sizeof *b);
    if (!b || (base->mdns && !(b->mdns = strdup(base->mdns)))) {
        free(b);
        return PL_ENOMEM;
    }
    b->addr = base->addr;
    b->related = base->related;
    b->type = base->type;
    b->proto = base->proto;
    b->tcptype = base->tcptype;
    b->turn = turn;
    b->network_id = base->network_id;
    b->network_cost = base->network_cost;
    b->local_pref = next_local_pref(ice, base);
    ice_local *own = pl_ice_local_new(ice, b, (pl_ice_type)b->type, &b->addr, turn ? &turn->at : NULL);
    if (!own) {
        base_free(b);
        return PL_ENOMEM;
    }
    own->url = turn ? turn->server->url : NULL;
    b->foundation_host = own->foundation;
    ice->n_bases++;
    ice->n_relayed += turn != NULL;
    pl_list_push_back(&ice->bases, &b->in_bases);
    pl_ice_pair_base(ice, ice->cur, b);
    return PL_OK;
}

pl_err pl_ice_add_base(pl_ice *ice, int64_t now_us, const pl_ice_base *base)
{
    pl_ice_base own = *base;
    ice->now_us = now_us;
    if (own.tcptype == PL_ICE_TCPTYPE_ACTIVE)
        own.addr.port = ICE_ACTIVE_PORT;
    if (!base_ok(&own) || pl_ice_base_find(ice, &own.addr, own.tcptype))
        return PL_EINVAL;
    if (ice->closed)
        return PL_ESTATE;
    if (!is_wanted(ice, &own))
        return PL_ENOTSUP;
    pl_err err = pl_ice_base_new(ice, &own, NULL);
    if (err)
        return err;
    ice_base *b = pl_of(ice->bases.prev, ice_base, in_bases);
    pl_ice_gather_again(ice);
    for (uint32_t i = 0; i < ice->n_servers; i++)
        start_gathering(ice, b, &ice->server[i]);
    pl_ice_relay_base_added(ice, b);
    pl_ice_gather_update(ice);
    pl_ice_update_state(ice);
    return PL_OK;
}

static void leave_base(pl_ice *ice, ice_session *s, const ice_base *b)
{
    if (!s)
        return;
    PL_EACH (n, &s->pairs) {
        ice_pair *p = pl_of(n, ice_pair, in_pairs);
        if (p->base == b)
            pl_ice_pair_free(ice, p);
    }
}

void pl_ice_base_drop(pl_ice *ice, ice_base *b)
{
    bool carried = ice->cur->selected && ice->cur->selected->base == b;
    pl_ice_relay_base_gone(ice, b);
    leave_base(ice, ice->cur, b);
    leave_base(ice, ice->prev, b);
    pl_ice_drop_txs_of(ice, NULL, b);
    PL_EACH (n, &ice->locals) {
        ice_local *l = pl_of(n, ice_local, in_locals);
        if (l->base == b)
            local_free(ice, l);
    }
    pl_ice_drop_answers(ice, NULL, b);
    pl_list_remove(&b->in_bases);
    ice->n_bases--;
    ice->n_relayed -= b->turn != NULL;
    base_free(b);
    pl_ice_consider(ice, ice->cur);
    if (carried && ice->cur->selected) /* the peer may have been on the same network, and lost it, too */
        pl_ice_consent_hurry(ice, ice->cur);
    if (ice->prev)
        pl_ice_consider(ice, ice->prev);
}

void pl_ice_remove_tcp_base(pl_ice *ice, int64_t now_us, const pl_addr *base, pl_ice_tcptype tcptype)
{
    pl_addr at = *base;
    ice->now_us = now_us;
    if (tcptype == PL_ICE_TCPTYPE_ACTIVE)
        at.port = ICE_ACTIVE_PORT;
    ice_base *b = pl_ice_base_find(ice, &at, (uint8_t)tcptype);
    if (!b || b->turn)
        return;
    pl_ice_base_drop(ice, b);
    pl_ice_gather_update(ice);
    pl_ice_update_state(ice);
}

void pl_ice_remove_base(pl_ice *ice, int64_t now_us, const pl_addr *base)
{
    pl_ice_remove_tcp_base(ice, now_us, base, PL_ICE_TCPTYPE_NONE);
}

/* ---- servers ---- */

/* A socket reaches only servers of its family, and loopback only loopback. */
bool pl_ice_may_ask(const pl_ice *ice, const ice_base *b, const pl_addr *server)
{
    return b->type == PL_ICE_HOST && b->proto == PL_UDP && !ice->conf.lite &&
           b->addr.family == server->family && pl_addr_is_loopback(&b->addr) == pl_addr_is_loopback(server) &&
           (!pl_addr_is_link_local(&b->addr) || pl_addr_is_link_local(server));
}

static bool asks_already(const pl_ice *ice, const ice_base *b, const ice_server *server)
{
    PL_EACH (n, &ice->txs) {
        const ice_tx *tx = pl_of(n, ice_tx, in_txs);
        if (tx->kind == ICE_TX_GATHER && tx->base == b && tx->server == server)
            return true;
    }
    return false;
}

/* In a call NATs may have forgotten us: then each server shows a new address, which is signaled like others. */
void pl_ice_gather_ask_again(pl_ice *ice, bool quiet)
{
    PL_EACH (n, &ice->bases) {
        ice_base *b = pl_of(n, ice_base, in_bases);
        for (uint32_t i = 0; i < ice->n_servers; i++) {
            if (asks_already(ice, b, &ice->server[i]))
                continue;
            pl_node *before = ice->txs.prev;
            start_gathering(ice, b, &ice->server[i]);
            if (ice->txs.prev != before)
                pl_of(ice->txs.prev, ice_tx, in_txs)->quiet = quiet;
        }
    }
}

/* The transaction is made at once, but its first request waits for the pacer (check.c). */
static void start_gathering(pl_ice *ice, ice_base *b, const ice_server *server)
{
    bool wanted = pl_ice_may_ask(ice, b, &server->addr) && !(ice->conf.without & PL_ICE_NO_SRFLX);
    ice_tx *tx = wanted ? calloc(1, sizeof *tx) : NULL;
    if (!tx)
        return; /* without memory it is as if the server did not answer */
    pl_stun_tx_start(&tx->tx, &gather_tx, &ice->conf.rand, ice->now_us);
    tx->kind = ICE_TX_GATHER;
    tx->base = b;
    tx->server = server;
    pl_list_push_back(&ice->txs, &tx->in_txs);
}

pl_err pl_ice_add_stun_server(pl_ice *ice, int64_t now_us, const pl_addr *server)
{
    char at[PL_ADDR_TEXT_MAX];
    ice->now_us = now_us;
    pl_addr plain = *server;
    plain.scope = 0; /* see pl_ice_path */
    for (uint32_t i = 0; i < ice->n_servers; i++)
        if (pl_addr_eq(&ice->server[i].addr, &plain))
            return PL_OK;
    if (ice->n_servers == PL_ICE_SERVERS_MAX)
        return PL_ENOSPC;
    if (ice->closed)
        return PL_ESTATE;
    ice_server *s = &ice->server[ice->n_servers++];
    s->addr = plain;
    snprintf(s->url, sizeof s->url, "stun:%s", pl_addr_str(&plain, at));
    pl_ice_gather_again(ice);
    PL_EACH (n, &ice->bases)
        start_gathering(ice, pl_of(n, ice_base, in_bases), s);
    pl_ice_gather_update(ice);
    pl_ice_update_state(ice);
    return PL_OK;
}

/* RFC 8445 5.1.3: an address this base has already is redundant; without a NAT it is the base's own. */
void pl_ice_gather_mapped(pl_ice *ice, ice_base *b, const pl_addr *mapped, const pl_addr *server,
                          const char *url)
{
    if (mapped->family != b->addr.family || mapped->port == 0 || pl_addr_is_any(mapped) ||
        pl_addr_is_multicast(mapped))
        return;
    ice_local *known = pl_ice_local_find(ice, b, mapped);
    if (known && known->type == PL_ICE_PRFLX) { /* a check was faster: now it may be signaled too */
        known->type = PL_ICE_SRFLX;
        known->priority = pl_ice_local_priority(PL_ICE_SRFLX, b);
        known->foundation = foundation_of(ice, PL_ICE_SRFLX, b, server);
        known->told = !is_announced(ice, PL_ICE_SRFLX);
        known->url = url;
    } else if (!known) {
        known = pl_ice_local_new(ice, b, PL_ICE_SRFLX, mapped, server);
        if (known)
            known->url = url;
        else
            pl_log_debug(&ice->log, "a reflexive candidate found no room");
    }
}

void pl_ice_gather_answer(pl_ice *ice, ice_tx *tx, const pl_stun_msg *m)
{
    pl_addr mapped;
    if (m->cls == PL_STUN_SUCCESS && !pl_stun_get_xor_addr(m, PL_STUN_XOR_MAPPED_ADDRESS, &mapped))
        pl_ice_gather_mapped(ice, tx->base, &mapped, &tx->server->addr, tx->server->url);
}

void pl_ice_bases_done(pl_ice *ice, int64_t now_us)
{
    ice->now_us = now_us;
    ice->bases_done = true;
    pl_ice_gather_update(ice);
    pl_ice_consider(ice, ice->cur);
    pl_ice_update_state(ice);
}

void pl_ice_gather_again(pl_ice *ice)
{
    if (ice->gathering != PL_ICE_GATHERING)
        ice->gather_us = ice->now_us;
}

/* Where a connection had to bring the relay UDP is blocked, and waiting for each server's last retransmission would
 * tell nothing new. */
static bool udp_is_silent(const pl_ice *ice)
{
    return ice->now_us >= ice->gather_us + ICE_SILENCE_US && pl_ice_relay_by_stream(ice);
}

static bool is_asking(const pl_ice *ice)
{
    if (pl_ice_relay_asking(ice))
        return true;
    if (udp_is_silent(ice))
        return false;
    PL_EACH (n, &ice->txs)
        if (pl_of(n, ice_tx, in_txs)->kind == ICE_TX_GATHER && !pl_of(n, ice_tx, in_txs)->quiet)
            return true;
    return false;
}

void pl_ice_gather_update(pl_ice *ice)
{
    if (ice->bases_done && !is_asking(ice))
        ice->gathering = PL_ICE_GATHER_COMPLETE;
    else if (ice->n_bases || ice->bases_done)
        ice->gathering = PL_ICE_GATHERING;
}

int64_t pl_ice_gather_next_us(const pl_ice *ice)
{
    int64_t at_us = ice->gather_us + ICE_SILENCE_US;
    return ice->gathering == PL_ICE_GATHERING && at_us > ice->now_us && pl_ice_relay_by_stream(ice)
               ? at_us
               : PL_NEVER;
}
