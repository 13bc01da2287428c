/* Relayed addresses: an allocation from every UDP base on every TURN server, or over one connection where UDP does not
 * get through; the bases and candidates they give, and the data that passes them. */
#include <stdio.h>
#include <stdlib.h>

#include "ice/agent_internal.h"

#define RETRY_MIN_US PL_SEC(1) /* after an allocation was lost; doubled up to a minute */
#define RETRY_MAX_US PL_SEC(60)
#define CONNECT_US   PL_SEC(10) /* for a connection to a server */
#define PATIENCE_US  PL_SEC(5)  /* for an answer to Allocate: gathering waits no longer either */

/* ---- servers ---- */

static bool copy(char **out, const char *text)
{
    *out = text ? strdup(text) : NULL;
    return !text || *out;
}

static const char *default_url(const pl_ice_turn_server *s, char out[PL_ADDR_TEXT_MAX + 32])
{
    char at[PL_ADDR_TEXT_MAX];
    snprintf(out, PL_ADDR_TEXT_MAX + 32, "%s:%s?transport=%s", s->tls ? "turns" : "turn",
             pl_addr_str(&s->addr, at), s->proto == PL_TCP ? "tcp" : "udp");
    return out;
}

static void server_clear(ice_turn_server *s)
{
    if (s->password)
        explicit_bzero(s->password, strlen(s->password));
    free(s->username);
    free(s->password);
    free(s->url);
    *s = (ice_turn_server){ 0 };
}

static pl_err server_fill(ice_turn_server *s, const pl_ice_turn_server *from)
{
    char url[PL_ADDR_TEXT_MAX + 32];
    *s = (ice_turn_server){ .addr = from->addr, .proto = from->proto, .tls = from->tls, .id = from->id };
    s->addr.scope = 0; /* see pl_ice_path */
    if (copy(&s->username, from->username) && copy(&s->password, from->password) &&
        copy(&s->url, from->url ? from->url : default_url(from, url)))
        return PL_OK;
    server_clear(s);
    return PL_ENOMEM;
}

static bool server_ok(const pl_ice_turn_server *s)
{
    return (s->addr.family == PL_AF_IP4 || s->addr.family == PL_AF_IP6) && s->addr.port != 0 &&
           !pl_addr_is_any(&s->addr) && !pl_addr_is_multicast(&s->addr) &&
           (s->proto == PL_TCP || s->proto == PL_UDP);
}

static bool may_relay(const pl_ice *ice)
{
    return !ice->conf.lite && !(ice->conf.without & (PL_ICE_NO_RELAY | PL_ICE_NO_UDP));
}

/* ---- the life of one ---- */

static void turn_new(pl_ice *ice, const ice_turn_server *server, ice_base *base)
{
    ice_turn *t = ice->n_turns < PL_ICE_TURNS_MAX && may_relay(ice) ? calloc(1, sizeof *t) : NULL;
    if (!t)
        return; /* without memory it is as if the server did not answer */
    t->server = server;
    t->base = base;
    t->at = server->addr;
    t->begin_us = base ? ice->now_us : PL_NEVER;
    ice->n_turns++;
    pl_list_push_back(&ice->turns, &t->in_turns);
}

static void drop_relayed(pl_ice *ice, const ice_turn *t)
{
    PL_EACH (n, &ice->bases) {
        ice_base *b = pl_of(n, ice_base, in_bases);
        if (b->turn == t)
            pl_ice_base_drop(ice, b);
    }
}

/* Back to where nothing was asked. */
static void turn_stop(pl_ice *ice, ice_turn *t)
{
    t->state = ICE_TURN_WAITING;
    t->begin_us = PL_NEVER;
    drop_relayed(ice, t);
    pl_turn_free(t->core);
    t->core = NULL;
    pl_ice_stream_release(ice, &t->stream);
}

static void turn_free(pl_ice *ice, ice_turn *t)
{
    turn_stop(ice, t);
    pl_list_remove(&t->in_turns);
    ice->n_turns--;
    free(t);
}

static pl_turn_conf core_conf(const pl_ice *ice, const ice_turn *t, const pl_addr *local)
{
    uint32_t without = ice->conf.without;
    return (pl_turn_conf){ .local = *local,
                           .server = t->at,
                           .proto = t->server->proto,
                           .connection = t->server->proto == PL_UDP && t->server->tls,
                           .username = t->server->username,
                           .password = t->server->password,
                           .families = (uint8_t)((without & PL_ICE_NO_IP4 ? 0 : PL_TURN_IP4) |
                                                 (without & PL_ICE_NO_IP6 ? 0 : PL_TURN_IP6)),
                           .n_redirects = t->n_redirects,
                           .rand = ice->conf.rand,
                           .log_id = ice->conf.log_id,
                           .rto_us = PL_MS(250),
                           .patience_us = PATIENCE_US };
}

static void turn_over(pl_ice *ice, ice_turn *t, uint16_t code, const char *why)
{
    char at[PL_ADDR_TEXT_MAX];
    pl_log_info(&ice->log, "no relay on %s%s: %u %s", pl_log_addr(&t->at, at), t->server->tls ? " (TLS)" : "",
                code, why);
    pl_ice_trouble(ice, t->base ? &t->base->addr : NULL, t->server->url, code, why);
    turn_stop(ice, t);
    t->state = ICE_TURN_OVER;
}

static void ask_server(pl_ice *ice, ice_turn *t, const pl_addr *local)
{
    pl_turn_conf conf = core_conf(ice, t, local);
    t->asked_us = ice->now_us;
    t->state = ICE_TURN_ALLOCATING;
    if (pl_turn_new(&t->core, &conf, ice->now_us))
        turn_over(ice, t, 0, "no memory");
}

static void connect_server(pl_ice *ice, ice_turn *t)
{
    pl_addr any = { .family = t->at.family };
    t->asked_us = ice->now_us;
    t->state = ICE_TURN_CONNECTING;
    t->stream = pl_ice_stream_new(ice, &any, &t->at);
    if (t->stream)
        t->stream->turn = t;
    else
        turn_over(ice, t, 0, "no room for a connection");
}

/* The next allocation to begin, if its time has come. */
static ice_turn *next_turn(const pl_ice *ice)
{
    PL_EACH (n, &ice->turns) {
        ice_turn *t = pl_of(n, ice_turn, in_turns);
        if (t->state == ICE_TURN_WAITING && t->begin_us <= ice->now_us)
            return t;
    }
    return NULL;
}

/* A first request is paced like any other (RFC 8445 14.2); what follows answers the server. */
static void begin_paced(pl_ice *ice)
{
    for (ice_turn *t; (t = next_turn(ice)) && pl_ice_pace_at_us(ice, false) <= ice->now_us;) {
        t->begin_us = PL_NEVER;
        pl_ice_pay(ice, false);
        if (t->base)
            ask_server(ice, t, &t->base->addr);
        else
            connect_server(ice, t);
    }
}

/* When connections are worth it. One relay is enough, and UDP makes the best: they wait until UDP has failed, or has
 * been silent for a while, and TLS a little longer than TCP. */
static void plan_streams(pl_ice *ice)
{
    bool ready = false, udp_may = false;
    PL_EACH (n, &ice->turns) {
        const ice_turn *t = pl_of(n, ice_turn, in_turns);
        ready = ready || t->state == ICE_TURN_READY;
        udp_may = udp_may || (t->base && t->state != ICE_TURN_OVER);
    }
    PL_EACH (n, &ice->turns) {
        ice_turn *t = pl_of(n, ice_turn, in_turns);
        if (t->base || t->state != ICE_TURN_WAITING)
            continue;
        int64_t at_us = udp_may ? ice->gather_us + ice->conf.fallback_us : ice->gather_us;
        at_us = pl_max_us(at_us + (t->server->tls ? ice->conf.fallback_us / 2 : 0), t->not_before_us);
        t->begin_us = ready ? PL_NEVER : at_us;
    }
}

/* Connections that race with one that has won. */
static void stop_slower_streams(pl_ice *ice, const ice_turn *won)
{
    PL_EACH (n, &ice->turns) {
        ice_turn *t = pl_of(n, ice_turn, in_turns);
        if (t != won && !t->base && (t->state == ICE_TURN_CONNECTING || t->state == ICE_TURN_ALLOCATING))
            turn_stop(ice, t);
    }
}

/* ---- what the allocations say ---- */

static uint16_t relayed_pref(const pl_ice *ice, const ice_turn *t, const pl_addr *addr)
{
    uint32_t nth = 0;
    PL_EACH (n, &ice->turns) {
        if (pl_of(n, ice_turn, in_turns) == t)
            break;
        nth++;
    }
    uint32_t proto =
        (uint32_t)(PL_ICE_RELAY_TLS - pl_ice_relay_proto_of(t)) + 1; /* UDP before TCP before TLS */
    return (uint16_t)(proto << 14 | (0x3fffu - 2 * nth - (addr->family == PL_AF_IP4)));
}

static void on_allocated(pl_ice *ice, ice_turn *t, const pl_turn_event *ev)
{
    t->state = ICE_TURN_READY;
    t->n_failures = 0;
    for (int i = 0; i < 2; i++) {
        const pl_addr *a = &ev->relayed[i];
        if (a->family == PL_AF_NONE)
            continue;
        pl_ice_base base = { .addr = *a,
                             .type = PL_ICE_RELAY,
                             .related = ev->mapped,
                             .local_pref = relayed_pref(ice, t, a),
                             .network_id = t->base ? t->base->network_id : 0,
                             .network_cost = t->base ? t->base->network_cost : 0 };
        if (pl_ice_base_new(ice, &base, t))
            pl_log_debug(&ice->log, "a relayed address found no room");
    }
    if (t->base)
        pl_ice_gather_mapped(ice, t->base, &ev->mapped, &t->server->addr, t->server->url);
    else
        stop_slower_streams(ice, t);
}

static void on_alternate(pl_ice *ice, ice_turn *t, const pl_turn_event *ev)
{
    if (t->base) { /* the driver's DTLS knows the server it was told of, and no other */
        turn_over(ice, t, 300, "it sends us elsewhere, which is not followed within DTLS");
        return;
    }
    turn_stop(ice, t);
    t->at = ev->peer;
    t->n_redirects++;
    t->begin_us = t->not_before_us = ice->now_us;
    (void)pl_str_copy(pl_str_of(ev->reason), t->name, sizeof t->name);
}

/* RFC 8656 leaves it to us what a call does then: its pairs fail, others take over, and a new one is tried. */
static void on_lost(pl_ice *ice, ice_turn *t, const pl_turn_event *ev)
{
    char at[PL_ADDR_TEXT_MAX];
    int64_t wait_us = RETRY_MIN_US << (t->n_failures < 6 ? t->n_failures : 6);
    pl_log_info(&ice->log, "the relay on %s is lost: %u %s", pl_log_addr(&t->at, at), ev->code, ev->reason);
    turn_stop(ice, t);
    t->n_failures += t->n_failures < UINT8_MAX;
    t->at = t->server->addr;
    t->n_redirects = 0;
    t->name[0] = 0;
    t->begin_us = t->not_before_us = ice->now_us + pl_min_us(wait_us, RETRY_MAX_US);
}

/* The server refuses this peer: no check will come through. */
static void on_permission(pl_ice *ice, const ice_turn *t, const pl_turn_event *ev)
{
    if (!ev->code)
        return;
    PL_EACH (n, &ice->cur->pairs) {
        ice_pair *p = pl_of(n, ice_pair, in_pairs);
        if (p->base->turn == t && pl_addr_ip_eq(&p->remote->addr, &ev->peer) && !p->valid)
            pl_ice_pair_give_up(ice, p, "the relay does not permit this peer");
    }
}

/* False: t is gone or has begun anew, ask it no more. */
static bool take_event(pl_ice *ice, ice_turn *t, const pl_turn_event *ev)
{
    switch (ev->kind) {
    case PL_TURN_ALLOCATED: on_allocated(ice, t, ev); break;
    case PL_TURN_PERMISSION: on_permission(ice, t, ev); break;
    case PL_TURN_ALTERNATE: on_alternate(ice, t, ev); return false;
    case PL_TURN_LOST: on_lost(ice, t, ev); return false;
    case PL_TURN_FAILED: turn_over(ice, t, ev->code, ev->reason); return false;
    case PL_TURN_CLOSED: turn_over(ice, t, 0, "closed"); return false;
    case PL_TURN_BOUND:
    case PL_TURN_ICMP:
    case PL_TURN_MOVED: break;
    }
    return true;
}

/* After anything was done with a core: its conclusions. */
void pl_ice_relay_conclude(pl_ice *ice, ice_turn *t)
{
    pl_turn_event ev;
    bool any = false;
    while (t->core && pl_turn_poll_event(t->core, &ev)) {
        any = true;
        if (!take_event(ice, t, &ev))
            break;
    }
    if (!any || ice->closed)
        return;
    plan_streams(ice);
    pl_ice_gather_update(ice);
    pl_ice_consider(ice, ice->cur);
}

/* ---- verbs ---- */

static bool reaches(const pl_ice *ice, const ice_base *b, const ice_turn_server *s)
{
    return s->proto == PL_UDP && pl_ice_may_ask(ice, b, &s->addr);
}

pl_err pl_ice_add_turn_server(pl_ice *ice, int64_t now_us, const pl_ice_turn_server *server)
{
    ice->now_us = now_us;
    if (!server_ok(server))
        return PL_EINVAL;
    if (ice->closed)
        return PL_ESTATE;
    if (ice->n_turn_servers == PL_ICE_TURN_SERVERS_MAX)
        return PL_ENOSPC;
    ice_turn_server *s = &ice->turn_server[ice->n_turn_servers];
    pl_err err = server_fill(s, server);
    if (err)
        return err;
    ice->n_turn_servers++;
    if (s->proto == PL_TCP)
        turn_new(ice, s, NULL);
    PL_EACH (n, &ice->bases)
        if (reaches(ice, pl_of(n, ice_base, in_bases), s))
            turn_new(ice, s, pl_of(n, ice_base, in_bases));
    pl_ice_gather_again(ice);
    plan_streams(ice);
    pl_ice_gather_update(ice);
    pl_ice_update_state(ice);
    return PL_OK;
}

/* A new base asks every server; a new network may also bring a connection through that failed before. */
void pl_ice_relay_base_added(pl_ice *ice, ice_base *b)
{
    for (uint32_t i = 0; i < ice->n_turn_servers; i++)
        if (reaches(ice, b, &ice->turn_server[i]))
            turn_new(ice, &ice->turn_server[i], b);
    pl_ice_relay_again(ice);
}

void pl_ice_relay_base_gone(pl_ice *ice, const ice_base *b)
{
    PL_EACH (n, &ice->turns) {
        ice_turn *t = pl_of(n, ice_turn, in_turns);
        if (t->base == b)
            turn_free(ice, t);
    }
    plan_streams(ice);
}

/* What has failed may be tried once more: a restart, or a new network. And does what stood still stand? New pairs through
 * it would not find out, as their peers are permitted already. */
void pl_ice_relay_again(pl_ice *ice)
{
    PL_EACH (n, &ice->turns) {
        ice_turn *t = pl_of(n, ice_turn, in_turns);
        if (t->core && t->state == ICE_TURN_READY)
            pl_turn_probe(t->core, ice->now_us);
        if (t->state != ICE_TURN_OVER)
            continue;
        t->state = ICE_TURN_WAITING;
        t->begin_us = t->base ? ice->now_us : PL_NEVER;
    }
    plan_streams(ice);
}

void pl_ice_relay_tick(pl_ice *ice)
{
    PL_EACH (n, &ice->turns) {
        ice_turn *t = pl_of(n, ice_turn, in_turns);
        if (t->state == ICE_TURN_CONNECTING && ice->now_us >= t->asked_us + CONNECT_US) {
            turn_over(ice, t, 0, "no connection");
            plan_streams(ice);
            pl_ice_gather_update(ice);
        }
        if (t->core)
            pl_turn_tick(t->core, ice->now_us);
        pl_ice_relay_conclude(ice, t);
    }
}

int64_t pl_ice_relay_next_us(const pl_ice *ice)
{
    int64_t next_us = PL_NEVER;
    PL_EACH (n, &ice->turns) {
        const ice_turn *t = pl_of(n, ice_turn, in_turns);
        if (t->state == ICE_TURN_WAITING && t->begin_us != PL_NEVER && !ice->closed)
            next_us = pl_min_us(next_us, pl_max_us(t->begin_us, pl_ice_pace_at_us(ice, false)));
        if (t->state == ICE_TURN_CONNECTING)
            next_us = pl_min_us(next_us, t->asked_us + CONNECT_US);
        if (t->core)
            next_us = pl_min_us(next_us, pl_turn_next_us(t->core));
    }
    return next_us;
}

bool pl_ice_relay_output(pl_ice *ice, pl_dgram *out)
{
    if (!ice->closed)
        begin_paced(ice);
    PL_EACH (n, &ice->turns) {
        ice_turn *t = pl_of(n, ice_turn, in_turns);
        bool any = t->core && pl_turn_poll_output(t->core, ice->now_us, out);
        pl_ice_relay_conclude(ice, t);
        if (any)
            return true;
    }
    return false;
}

void pl_ice_relay_stream_up(pl_ice *ice, ice_turn *t)
{
    if (t->state == ICE_TURN_CONNECTING)
        ask_server(ice, t, &t->stream->local);
    plan_streams(ice);
    pl_ice_gather_update(ice);
}

/* The stream is not ours any more when this is called. */
void pl_ice_relay_stream_down(pl_ice *ice, ice_turn *t)
{
    t->stream = NULL;
    if (t->core) {
        pl_turn_disconnected(t->core, ice->now_us);
        pl_ice_relay_conclude(ice, t);
    } else if (t->state == ICE_TURN_CONNECTING) {
        turn_over(ice, t, 0, "no connection");
    }
    plan_streams(ice);
    pl_ice_gather_update(ice);
}

/* Closing gives the allocations back; what has none ends at once. */
void pl_ice_relay_close(pl_ice *ice)
{
    PL_EACH (n, &ice->turns) {
        ice_turn *t = pl_of(n, ice_turn, in_turns);
        if (t->core && t->state == ICE_TURN_READY) {
            pl_turn_close(t->core, ice->now_us);
        } else {
            turn_stop(ice, t);
            t->state = ICE_TURN_OVER;
        }
    }
}

void pl_ice_relay_free(pl_ice *ice)
{
    PL_EACH (n, &ice->turns) {
        ice_turn *t = pl_of(n, ice_turn, in_turns);
        pl_turn_free(t->core);
        free(t);
    }
    for (uint32_t i = 0; i < ice->n_turn_servers; i++)
        server_clear(&ice->turn_server[i]);
}

/* Whether gathering still waits for a relay. Where UDP is blocked nobody says so: when a connection has brought one,
 * silence for a second is answer enough. */
bool pl_ice_relay_asking(const pl_ice *ice)
{
    bool by_stream = false, asking = false;
    PL_EACH (n, &ice->turns) {
        const ice_turn *t = pl_of(n, ice_turn, in_turns);
        by_stream = by_stream || (!t->base && t->state == ICE_TURN_READY);
    }
    PL_EACH (n, &ice->turns) {
        const ice_turn *t = pl_of(n, ice_turn, in_turns);
        bool hopeless = by_stream && t->base && ice->now_us >= ice->gather_us + ICE_SILENCE_US;
        bool due = t->state == ICE_TURN_WAITING && t->begin_us != PL_NEVER && t->n_failures == 0;
        asking = asking ||
                 (!hopeless && (due || t->state == ICE_TURN_CONNECTING || t->state == ICE_TURN_ALLOCATING));
    }
    return asking;
}

bool pl_ice_relay_by_stream(const pl_ice *ice)
{
    PL_EACH (n, &ice->turns) {
        const ice_turn *t = pl_of(n, ice_turn, in_turns);
        if (!t->base && t->state == ICE_TURN_READY)
            return true;
    }
    return false;
}

pl_ice_relay_proto pl_ice_relay_proto_of(const ice_turn *t)
{
    return t->server->proto == PL_UDP ? PL_ICE_RELAY_UDP
           : t->server->tls           ? PL_ICE_RELAY_TLS
                                      : PL_ICE_RELAY_TCP;
}
