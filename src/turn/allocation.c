/* The allocation itself: what the server gave, its refreshes, its end, and other servers that answer a 300. */
#include <string.h>

#include "turn/turn_internal.h"

enum { LIFETIME_DEFAULT_S = 600 }; /* RFC 8656 3.2, when an answer leaves it out */

#define LATER_US PL_SEC(10) /* a Refresh that capacity or quota did not allow */

static uint8_t bit_of(const pl_addr *a)
{
    return a->family == PL_AF_IP4 ? PL_TURN_IP4 : a->family == PL_AF_IP6 ? PL_TURN_IP6 : 0;
}

static void take_ticket(pl_turn *t, const pl_stun_msg *m)
{
    pl_rd value;
    if (!t->mobility || !pl_stun_find(m, PL_STUN_MOBILITY_TICKET, &value))
        return;
    size_t n = pl_rd_left(&value);
    if (n > PL_TURN_TICKET_MAX)
        n = 0; /* not to be kept, so there is no moving */
    if (n)
        memcpy(t->ticket, value.p, n);
    t->ticket_len = (uint16_t)n;
}

/* Lifetimes count from the request: the server may have granted it as soon as that. */
static void take_lifetime(pl_turn *t, const turn_ask *a, const pl_stun_msg *m)
{
    t->granted_s = LIFETIME_DEFAULT_S;
    uint32_t s;
    if (pl_stun_get_u32(m, PL_STUN_LIFETIME, &s) == PL_OK)
        t->granted_s = s;
    int64_t life_us = PL_SEC(t->granted_s);
    t->until_us = a->tx.sent_us + life_us;
    t->refresh_us = a->tx.sent_us + pl_max_us(life_us - MARGIN_US, life_us / 2);
}

/* One address of each family that was asked for; the rest is not ours to use. */
static void take_relayed(pl_turn *t, const pl_stun_msg *m)
{
    memset(t->relayed, 0, sizeof t->relayed);
    for (unsigned i = 0; i < RELAYED_MAX; i++) {
        pl_addr a;
        if (pl_stun_get_xor_addr_nth(m, PL_STUN_XOR_RELAYED_ADDRESS, i, &a) || !(t->families & bit_of(&a)) ||
            !a.port || pl_addr_is_any(&a))
            continue;
        pl_addr *slot = &t->relayed[a.family == PL_AF_IP6];
        if (slot->family == PL_AF_NONE)
            *slot = a;
    }
}

static bool has_relayed(const pl_turn *t)
{
    return t->relayed[0].family != PL_AF_NONE || t->relayed[1].family != PL_AF_NONE;
}

/* Peers of a family that was asked for but not given will never be reached. */
static void deny_other_families(pl_turn *t)
{
    for (size_t i = 0; i < PL_TURN_PEERS_MAX; i++) {
        turn_permit *p = &t->permits[i];
        if (p->ip.family == PL_AF_NONE || t->relayed[p->ip.family == PL_AF_IP6].family != PL_AF_NONE)
            continue;
        p->state = PL_TURN_PERMIT_DENIED;
        p->code = 443;
        p->at_us = PL_NEVER;
    }
    for (size_t i = 0; i < PL_TURN_CHANNELS_MAX; i++) {
        turn_channel *c = &t->channels[i];
        if (c->peer.family != PL_AF_NONE && t->relayed[c->peer.family == PL_AF_IP6].family == PL_AF_NONE)
            c->wanted = false;
    }
}

void pl_turn_on_allocated(pl_turn *t, turn_ask *a, const pl_stun_msg *m)
{
    take_relayed(t, m);
    take_lifetime(t, a, m);
    take_ticket(t, m);
    if (pl_stun_get_xor_addr(m, PL_STUN_XOR_MAPPED_ADDRESS, &t->mapped))
        t->mapped = (pl_addr){ 0 };
    if (!has_relayed(t) || !t->granted_s) { /* RFC 8656 7.3: of no use, so it is given back */
        pl_turn_tell_end(t, PL_TURN_FAILED, 0, "the answer has no address that was asked for");
        pl_turn_release(t);
        return;
    }
    pl_turn_ask_done(t, a);
    t->tell_allocated = true;
    pl_turn_enter(t, PL_TURN_READY, "allocated");
    deny_other_families(t);
}

void pl_turn_on_refreshed(pl_turn *t, turn_ask *a, const pl_stun_msg *m)
{
    if (t->state == PL_TURN_CLOSING) {
        pl_turn_end(t, PL_TURN_CLOSED, 0, "given back");
        return;
    }
    take_lifetime(t, a, m);
    take_ticket(t, m);
    pl_turn_ask_done(t, a);
    if (!t->granted_s) {
        pl_turn_end(t, PL_TURN_LOST, 0, "the server ended the allocation");
        return;
    }
    if (t->state != PL_TURN_MOVING)
        return;
    t->tell_moved = true;
    pl_turn_enter(t, PL_TURN_READY, "moved");
    for (size_t i = 1; i < ASKS_MAX; i++)
        if (t->asks[i].kind != ASK_NONE)
            pl_turn_ask_again(t, &t->asks[i], t->now_us);
}

/* ---- refusals ---- */

static bool was_tried(const pl_turn *t, const pl_addr *server)
{
    for (size_t i = 0; i < t->n_tried; i++)
        if (pl_addr_eq(&t->tried[i], server))
            return true;
    return false;
}

/* 300 Try Alternate (RFC 8489 10): once to each server, and never through more than a few. */
static void redirect(pl_turn *t, turn_ask *a, const pl_stun_msg *m)
{
    pl_addr server;
    pl_str domain = { 0 };
    bool usable = pl_stun_get_addr(m, PL_STUN_ALTERNATE_SERVER, &server) == PL_OK && server.port &&
                  server.family == t->path.remote.family && !pl_addr_is_any(&server) &&
                  !pl_addr_is_multicast(&server);
    t->count.redirects++;
    if (!usable) {
        pl_turn_end(t, PL_TURN_FAILED, 300, "sent to a server that cannot be reached from here");
    } else if (t->n_redirects >= PL_TURN_REDIRECTS_MAX || was_tried(t, &server)) {
        pl_turn_end(t, PL_TURN_FAILED, 300, "sent from server to server");
    } else if (t->path.proto == PL_TCP || t->connection) {
        char name[PL_TURN_REASON_MAX + 1] = "";
        if (pl_stun_get_str(m, PL_STUN_ALTERNATE_DOMAIN, &domain) == PL_OK)
            (void)pl_str_copy(domain, name, sizeof name);
        t->end.peer = server;
        pl_turn_end(t, PL_TURN_ALTERNATE, 300, name);
    } else {
        t->n_redirects++;
        t->tried[t->n_tried++] = server;
        t->path.remote = server;
        t->srtt_us = t->rttvar_us = 0;
        pl_stun_cred_forget(&t->cred);
        pl_turn_ask_start(t, a);
    }
}

static void on_allocate_error(pl_turn *t, turn_ask *a, const pl_stun_msg *m, uint16_t code, const char *why)
{
    if (code == 300) {
        redirect(t, a, m);
    } else if (code == 440 && t->families == (PL_TURN_IP4 | PL_TURN_IP6)) {
        t->families = PL_TURN_IP4;
        pl_turn_ask_again(t, a, t->now_us);
    } else {
        pl_turn_end(t, PL_TURN_FAILED, code, why);
    }
}

void pl_turn_on_allocation_error(pl_turn *t, turn_ask *a, const pl_stun_msg *m, uint16_t code,
                                 const char *why)
{
    if (a->kind == ASK_ALLOCATE) {
        on_allocate_error(t, a, m, code, why);
    } else if (t->state == PL_TURN_CLOSING) {
        pl_turn_end(t, PL_TURN_CLOSED, 0, "gone already");
    } else if (t->state == PL_TURN_READY && (code == 486 || code >= 500)) {
        pl_turn_ask_done(t, a);
        t->refresh_us = t->now_us + LATER_US;
    } else {
        pl_turn_end(t, PL_TURN_LOST, code, why);
    }
}

/* ---- its time ---- */

static void start_refresh(pl_turn *t, bool probing)
{
    turn_ask *a = &t->asks[0];
    *a = (turn_ask){ .kind = ASK_REFRESH, .probing = probing };
    t->refresh_us = PL_NEVER;
    t->probe_wanted = false;
    pl_turn_ask_start(t, a);
}

void pl_turn_allocation_tick(pl_turn *t)
{
    if (t->until_us <= t->now_us) {
        pl_turn_end(t, PL_TURN_LOST, 0, "not refreshed in time");
        return;
    }
    if (t->asks[0].kind == ASK_NONE && (t->probe_wanted || t->refresh_us <= t->now_us))
        start_refresh(t, t->probe_wanted);
    else if (t->probe_wanted && !t->asks[0].probing) { /* under way: its own patience is what we need */
        t->asks[0].probing = true;
        t->probe_wanted = false;
    }
}

int64_t pl_turn_allocation_next_us(const pl_turn *t)
{
    if (t->asks[0].kind != ASK_NONE)
        return t->until_us;
    return t->probe_wanted ? t->now_us : pl_min_us(t->refresh_us, t->until_us);
}

void pl_turn_release(pl_turn *t)
{
    pl_turn_enter(t, PL_TURN_CLOSING, "given back");
    for (size_t i = 0; i < ASKS_MAX; i++)
        pl_turn_ask_done(t, &t->asks[i]);
    t->asks[0] = (turn_ask){ .kind = ASK_REFRESH };
    pl_turn_ask_start(t, &t->asks[0]);
}

void pl_turn_probe(pl_turn *t, int64_t now_us)
{
    t->now_us = now_us;
    if (t->state == PL_TURN_READY)
        t->probe_wanted = true;
}

bool pl_turn_can_move(const pl_turn *t)
{
    return t->ticket_len > 0 && t->path.proto == PL_UDP && !t->connection;
}

pl_err pl_turn_move(pl_turn *t, int64_t now_us, const pl_addr *new_local)
{
    if (new_local->family != t->path.local.family || !new_local->port)
        return PL_EINVAL;
    if (!pl_turn_is_up(t))
        return PL_ESTATE;
    if (!pl_turn_can_move(t))
        return PL_ENOTSUP;
    t->now_us = now_us;
    t->path.local = *new_local;
    t->srtt_us = t->rttvar_us = 0;
    if (t->state == PL_TURN_READY)
        pl_turn_enter(t, PL_TURN_MOVING, "another local address");
    start_refresh(t, false);
    return PL_OK;
}
