#include "sim/ice_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"

enum { TURNS_MAX = 2000 }; /* at one instant */

/* A note on the signaling channel. */
typedef struct sim_ice_note {
    struct sim_ice_note *next;
    int64_t at_us;
    int to;
    enum { NOTE_CREDENTIALS, NOTE_CANDIDATE, NOTE_DONE, NOTE_RESOLVED } kind;
    uint32_t generation;
    char ufrag[PL_ICE_UFRAG_MAX + 1], pwd[PL_ICE_PWD_MAX + 1];
    char text[PL_ICE_CAND_TEXT_MAX];
    pl_addr addr;
} sim_ice_note;

sim_ice_call *sim_ice_call_new(uint64_t seed)
{
    sim_ice_call *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    c->rand = pl_rand_seed(&c->state, seed);
    c->net = sim_ice_net_new(pl_rand_u64(&c->rand));
    c->tcp.net = c->net;
    c->now_us = PL_SEC(1000); /* clocks do not start at zero */
    return c;
}

void sim_ice_call_free(sim_ice_call *c)
{
    for (sim_ice_note *n; (n = c->notes);) {
        c->notes = n->next;
        free(n);
    }
    pl_ice_free(c->peer[0].ice);
    pl_ice_free(c->peer[1].ice);
    sim_ice_net_free(c->net);
    free(c);
}

void sim_ice_peer_up(sim_ice_call *c, int who, int host, const pl_ice_conf *conf)
{
    sim_ice_peer *p = &c->peer[who];
    pl_ice_conf own = *conf;
    *p = (sim_ice_peer){ .host = host, .lite = conf->lite, .says_done = true, .signals_candidates = true };
    p->selected_us = p->connected_us = p->disconnected_us = p->failed_us = PL_NEVER;
    own.rand = pl_rand_seed(&p->state, pl_rand_u64(&c->rand));
    own.log_id = (uint32_t)who;
    if (pl_ice_new(&p->ice, &own, c->now_us))
        abort();
}

pl_addr sim_ice_peer_base(sim_ice_call *c, int who, const char *ip)
{
    pl_ice_base base = { .addr = sim_ice_bind(c->net, c->peer[who].host, ip), .type = PL_ICE_HOST };
    if (pl_ice_add_base(c->peer[who].ice, c->now_us, &base))
        abort();
    if (c->peer[who].first_base.family == PL_AF_NONE)
        c->peer[who].first_base = base.addr;
    return base.addr;
}

void sim_ice_peer_unbase(sim_ice_call *c, int who, const pl_addr *base)
{
    sim_ice_unbind(c->net, c->peer[who].host, base);
    pl_ice_remove_base(c->peer[who].ice, c->now_us, base);
}

pl_addr sim_ice_peer_tcp_base(sim_ice_call *c, int who, const char *ip, pl_ice_tcptype tcptype)
{
    sim_ice_peer *p = &c->peer[who];
    pl_ice_base base = { .addr = sim_ice_bind(c->net, p->host, ip),
                         .type = PL_ICE_HOST,
                         .proto = PL_TCP,
                         .tcptype = (uint8_t)tcptype };
    if (pl_ice_add_base(p->ice, c->now_us, &base))
        abort();
    if (tcptype == PL_ICE_TCPTYPE_PASSIVE && p->n_listeners < SIM_ICE_LISTENERS_MAX)
        p->listener[p->n_listeners++] = base.addr;
    return base.addr;
}

void sim_ice_peer_turn(sim_ice_call *c, int who, const pl_addr *server, pl_proto proto, bool tls)
{
    pl_ice_turn_server s = {
        .addr = *server, .proto = (uint8_t)proto, .tls = tls, .username = "alice", .password = "secret"
    };
    if (pl_ice_add_turn_server(c->peer[who].ice, c->now_us, &s))
        abort();
}

/* ---- signaling ---- */

static sim_ice_note *post(sim_ice_call *c, int to, int64_t delay_us)
{
    sim_ice_note *n = calloc(1, sizeof *n);
    if (!n)
        abort();
    n->to = to;
    n->at_us = c->now_us + delay_us;
    n->generation = c->generation;
    sim_ice_note **at = &c->notes;
    while (*at && (*at)->at_us <= n->at_us)
        at = &(*at)->next;
    n->next = *at;
    *at = n;
    return n;
}

static int64_t some_delay(sim_ice_call *c)
{
    int64_t jitter = c->signaling_jitter_us;
    return c->signaling_us + (jitter ? pl_rand_below(&c->rand, (uint32_t)jitter) : 0);
}

static void send_credentials(sim_ice_call *c, int from)
{
    sim_ice_note *n = post(c, !from, some_delay(c));
    n->kind = NOTE_CREDENTIALS;
    snprintf(n->ufrag, sizeof n->ufrag, "%s", pl_ice_ufrag(c->peer[from].ice));
    snprintf(n->pwd, sizeof n->pwd, "%s", pl_ice_pwd(c->peer[from].ice));
}

static void send_candidate(sim_ice_call *c, int from, const pl_ice_cand *cand)
{
    sim_ice_peer *p = &c->peer[from];
    if (!p->signals_candidates)
        return;
    pl_ice_cand shown = *cand;
    sim_ice_note *n = post(c, !from, some_delay(c));
    n->kind = NOTE_CANDIDATE;
    if (p->mdns && cand->type == PL_ICE_HOST) {
        snprintf(shown.name, sizeof shown.name, "peer-%d-%u.local", from, cand->addr.port);
        n->addr = cand->addr;
    }
    if (!pl_ice_cand_print(&shown, n->text, sizeof n->text))
        abort();
}

static void send_done(sim_ice_call *c, int from)
{
    if (c->peer[from].says_done && c->peer[from].signals_candidates)
        post(c, !from, c->signaling_us + c->signaling_jitter_us)->kind = NOTE_DONE;
}

static void take_candidate(sim_ice_call *c, const sim_ice_note *n)
{
    pl_ice_cand cand;
    if (pl_ice_cand_parse(&cand, n->text, strlen(n->text)) ||
        pl_ice_add_remote(c->peer[n->to].ice, c->now_us, &cand))
        abort();
    if (cand.name[0]) { /* the link answers a little later */
        sim_ice_note *answer = post(c, n->to, PL_MS(20));
        answer->kind = NOTE_RESOLVED;
        answer->addr = n->addr;
        snprintf(answer->text, sizeof answer->text, "%s", cand.name);
    }
}

static void take_note(sim_ice_call *c, const sim_ice_note *n)
{
    sim_ice_peer *p = &c->peer[n->to];
    if (n->generation != c->generation)
        return; /* a restart has overtaken it */
    switch (n->kind) {
    case NOTE_CREDENTIALS:
        if (pl_ice_set_remote(p->ice, c->now_us, n->ufrag, n->pwd, c->peer[!n->to].lite))
            abort();
        if (n->to == 1)
            send_credentials(c, 1);
        break;
    case NOTE_CANDIDATE: take_candidate(c, n); break;
    case NOTE_DONE: pl_ice_remote_done(p->ice, c->now_us); break;
    case NOTE_RESOLVED: pl_ice_resolved(p->ice, c->now_us, n->text, &n->addr); break;
    }
}

static bool take_notes(sim_ice_call *c)
{
    bool any = false;
    while (c->notes && c->notes->at_us <= c->now_us) {
        sim_ice_note *n = c->notes;
        c->notes = n->next;
        take_note(c, n);
        free(n);
        any = true;
    }
    return any;
}

void sim_ice_call_start(sim_ice_call *c)
{
    c->generation++;
    for (int i = 0; i < 2; i++) {
        sim_ice_peer *p = &c->peer[i];
        p->connected_us = p->selected_us = p->disconnected_us = p->failed_us = PL_NEVER;
        pl_ice_bases_done(p->ice, c->now_us);
    }
    send_credentials(c, 0);
}

/* ---- agents ---- */

static void note_state(sim_ice_call *c, sim_ice_peer *p, pl_ice_state s)
{
    p->last = s;
    if (p->n_states < SIM_ICE_STATES_MAX)
        p->states[p->n_states++] = s;
    int64_t *at = s == PL_ICE_CONNECTED      ? &p->connected_us
                  : s == PL_ICE_DISCONNECTED ? &p->disconnected_us
                  : s == PL_ICE_FAILED       ? &p->failed_us
                                             : NULL;
    if (at && *at == PL_NEVER)
        *at = c->now_us;
}

static void send_all_candidates(sim_ice_call *c, int who)
{
    pl_ice_cand_info info[PL_ICE_LOCALS_MAX + PL_ICE_REMOTES_MAX + 1];
    size_t n = pl_ice_get_candidates(c->peer[who].ice, info, sizeof info / sizeof info[0]);
    for (size_t i = 0; i < n; i++) {
        if (info[i].remote || info[i].type == PL_ICE_PRFLX)
            continue;
        pl_ice_cand cand = { .addr = info[i].addr,
                             .related = info[i].related,
                             .priority = info[i].priority,
                             .component = 1,
                             .type = info[i].type,
                             .proto = info[i].proto,
                             .tcptype = info[i].tcptype };
        snprintf(cand.foundation, sizeof cand.foundation, "%s", info[i].foundation);
        send_candidate(c, who, &cand);
    }
}

static void take_event(sim_ice_call *c, int who, const pl_ice_event *ev)
{
    sim_ice_peer *p = &c->peer[who];
    switch (ev->kind) {
    case PL_ICE_EV_STATE: note_state(c, p, ev->u.state); break;
    case PL_ICE_EV_GATHERING:
        p->gathering = ev->u.gathering;
        if (p->gathering == PL_ICE_GATHER_COMPLETE) {
            if (p->holds_candidates)
                send_all_candidates(c, who);
            send_done(c, who);
        }
        break;
    case PL_ICE_EV_CANDIDATE:
        p->n_candidates[ev->u.candidate.type]++;
        if (!p->holds_candidates)
            send_candidate(c, who, &ev->u.candidate);
        break;
    case PL_ICE_EV_SELECTED:
        p->selected = ev->u.selected;
        p->any_selected = true;
        p->n_selected++;
        p->selected_us = pl_min_us(p->selected_us, c->now_us);
        break;
    case PL_ICE_EV_RESOLVE: p->n_resolve++; break;
    case PL_ICE_EV_ROLE: p->n_roles++; break;
    case PL_ICE_EV_SERVER: break;
    case PL_ICE_EV_CONNECT:
        sim_ice_tcp_connect(&c->tcp, c->now_us, p->host, &ev->u.connect, &p->first_base);
        break;
    case PL_ICE_EV_DISCONNECT: sim_ice_tcp_disconnect(&c->tcp, c->now_us, p->host, ev->u.stream); break;
    }
}

static bool listens(const sim_ice_peer *p, const pl_addr *at)
{
    for (size_t i = 0; i < p->n_listeners; i++)
        if (pl_addr_eq(&p->listener[i], at))
            return true;
    return false;
}

/* What a driver does with a packet: a connection's own, the relay's, the agent's. */
static void take_packet(sim_ice_call *c, sim_ice_peer *p, pl_path path, uint8_t *data, size_t len)
{
    bool consumed = path.proto == PL_TCP && sim_ice_tcp_input(&c->tcp, c->now_us, p->host, p->ice, &path,
                                                              data, len, listens(p, &path.local));
    if (!consumed && pl_ice_unwrap(p->ice, c->now_us, &path, &data, &len))
        pl_ice_input(p->ice, c->now_us, &path, data, len);
}

/* Everything one peer has to say and hear now; whether there was anything. */
static bool turn(sim_ice_call *c, int who)
{
    sim_ice_peer *p = &c->peer[who];
    uint8_t data[2048];
    pl_path path;
    size_t len;
    bool any = false;
    pl_ice_tick(p->ice, c->now_us);
    sim_ice_tcp_tick(&c->tcp, c->now_us, p->host, p->ice);
    pl_ice_check(p->ice);
    while (sim_ice_recv(c->net, c->now_us, p->host, &path, data, sizeof data, &len)) {
        take_packet(c, p, path, data, len);
        pl_ice_check(p->ice);
        any = true;
    }
    for (pl_dgram d = { .data = data, .cap = sizeof data }; pl_ice_poll_output(p->ice, c->now_us, &d);) {
        sim_ice_send(c->net, c->now_us, p->host, &d.path, d.data, d.len);
        p->packets_sent++;
        p->bytes_sent += d.len;
        any = true;
    }
    for (pl_ice_event ev; pl_ice_poll_event(p->ice, &ev);) {
        take_event(c, who, &ev);
        any = true;
    }
    pl_ice_check(p->ice);
    return any;
}

static void settle(sim_ice_call *c)
{
    int turns = 0;
    bool any;
    do {
        any = take_notes(c);
        any |= turn(c, 0);
        any |= turn(c, 1);
        if (++turns > TURNS_MAX) {
            fprintf(stderr, "an agent never comes to rest\n");
            abort();
        }
    } while (any);
}

static int64_t next_us(const sim_ice_call *c)
{
    int64_t at_us = pl_min_us(pl_ice_next_us(c->peer[0].ice), pl_ice_next_us(c->peer[1].ice));
    at_us = pl_min_us(at_us, sim_ice_net_next_us(c->net));
    at_us = pl_min_us(at_us, sim_ice_tcp_next_us(&c->tcp));
    return c->notes ? pl_min_us(at_us, c->notes->at_us) : at_us;
}

static void run_until(sim_ice_call *c, int64_t end_us, bool (*done)(const sim_ice_call *))
{
    for (int stuck = 0; !done || !done(c);) {
        settle(c);
        int64_t at_us = next_us(c);
        if (at_us <= c->now_us && ++stuck > 3) {
            fprintf(stderr, "an agent asks for the same instant for ever\n");
            abort();
        }
        if (at_us > c->now_us)
            stuck = 0;
        if (at_us > end_us)
            break;
        c->now_us = pl_max_us(at_us, c->now_us);
    }
}

void sim_ice_call_run(sim_ice_call *c, int64_t for_us)
{
    int64_t end_us = c->now_us + for_us;
    run_until(c, end_us, NULL);
    c->now_us = end_us;
}

bool sim_ice_peer_connected(const sim_ice_call *c, int who)
{
    return c->peer[who].last == PL_ICE_CONNECTED || c->peer[who].last == PL_ICE_COMPLETED;
}

static bool both_connected(const sim_ice_call *c)
{
    return c->peer[0].connected_us != PL_NEVER && c->peer[1].connected_us != PL_NEVER;
}

bool sim_ice_call_connect(sim_ice_call *c, int64_t limit_us)
{
    run_until(c, c->now_us + limit_us, both_connected);
    return both_connected(c);
}

bool sim_ice_call_agrees(const sim_ice_call *c)
{
    pl_ice_pair_info a, b;
    pl_ice_cand_info ca[PL_ICE_LOCALS_MAX + PL_ICE_REMOTES_MAX + 1],
        cb[PL_ICE_LOCALS_MAX + PL_ICE_REMOTES_MAX + 1];
    if (!pl_ice_get_selected_pair(c->peer[0].ice, &a) || !pl_ice_get_selected_pair(c->peer[1].ice, &b))
        return false;
    size_t na = pl_ice_get_candidates(c->peer[0].ice, ca, sizeof ca / sizeof ca[0]);
    size_t nb = pl_ice_get_candidates(c->peer[1].ice, cb, sizeof cb / sizeof cb[0]);
    const pl_ice_cand_info *al = NULL, *ar = NULL, *bl = NULL, *br = NULL;
    for (size_t i = 0; i < na; i++) {
        al = ca[i].id == a.local_id ? &ca[i] : al;
        ar = ca[i].id == a.remote_id ? &ca[i] : ar;
    }
    for (size_t i = 0; i < nb; i++) {
        bl = cb[i].id == b.local_id ? &cb[i] : bl;
        br = cb[i].id == b.remote_id ? &cb[i] : br;
    }
    if (!al || !ar || !bl || !br)
        return false;
    return (pl_addr_eq(&al->addr, &br->addr) || c->peer[1].lite || c->peer[0].lite) &&
           (pl_addr_eq(&ar->addr, &bl->addr) || c->peer[1].lite || c->peer[0].lite);
}

bool sim_ice_peer_types(const sim_ice_call *c, int who, pl_ice_type *local, pl_ice_type *remote)
{
    pl_ice_pair_info pair;
    pl_ice_cand_info info[PL_ICE_LOCALS_MAX + PL_ICE_REMOTES_MAX + 1];
    if (!pl_ice_get_selected_pair(c->peer[who].ice, &pair))
        return false;
    size_t n = pl_ice_get_candidates(c->peer[who].ice, info, sizeof info / sizeof info[0]);
    for (size_t i = 0; i < n; i++) {
        if (info[i].id == pair.local_id)
            *local = (pl_ice_type)info[i].type;
        if (info[i].id == pair.remote_id)
            *remote = (pl_ice_type)info[i].type;
    }
    return true;
}
