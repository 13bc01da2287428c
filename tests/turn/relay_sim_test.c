/* The client against our own server core in the simulated internet: hours of virtual time, losses, nonces that run out,
 * reboots, NATs that forget. A red test prints its seed; PL_SEED replays it. */
#include "pl_test.h"
#include "sim/turn_net.h"
#include "stun/message.h"
#include "turn/client.h"

enum { SEEDS = 60 };

typedef struct world {
    sim_ice_net *net;
    sim_turn *server;
    pl_turn *t;
    int host, peer_host;
    pl_addr local, peer;
    pl_rand_seeded state;
    pl_rand rand;
    int64_t now_us;
    /* data of ours: numbered, echoed by the peer */
    int64_t every_us, next_us; /* 0: only by hand */
    uint64_t n_sent, n_echoed, last_echo;
    int64_t last_echo_us, longest_gap_us;
    unsigned n_sha1, n_sha256, n_userhash; /* requests of ours so signed, and who did not say their name */
    /* events */
    unsigned n_events[PL_TURN_CLOSED + 1];
    pl_turn_event event[PL_TURN_CLOSED + 1];
    int64_t event_us[PL_TURN_CLOSED + 1];
} world;

static const sim_net near = { .delay_us =
                                  5000 }; /* a round trip of 10 ms to the core; 20 ms from host to host */

static void begin(world *w, uint64_t seed, const sim_net *link, sim_nat_kind nat, const sim_turn_conf *server)
{
    *w = (world){ .net = sim_ice_net_new(seed) };
    w->rand = pl_rand_seed(&w->state, seed);
    sim_turn_conf conf = server ? *server : (sim_turn_conf){ 0 };
    conf.addr = "198.51.100.2:3478";
    conf.seed = seed;
    w->server = sim_turn_new(w->net, &conf);
    w->host = sim_ice_host(w->net, link, nat, "203.0.113.1");
    w->peer_host = sim_ice_host(w->net, &near, SIM_NAT_OPEN, NULL);
    w->local = sim_ice_bind(w->net, w->host, nat == SIM_NAT_OPEN ? "203.0.113.8" : "192.168.1.2");
    w->peer = sim_ice_bind(w->net, w->peer_host, "203.0.113.7");
}

static void allocate(world *w, pl_turn_conf conf)
{
    conf.local = w->local;
    conf.server = sim_turn_addr(w->server, PL_AF_IP4);
    conf.rand = w->rand;
    if (!conf.username) {
        conf.username = "alice";
        conf.password = "secret";
    }
    PL_EQ(pl_turn_new(&w->t, &conf, w->now_us), PL_OK);
}

static void end(world *w)
{
    pl_turn_free(w->t);
    sim_turn_free(w->server);
    sim_ice_net_free(w->net);
}

static void send_number(world *w)
{
    uint8_t buf[200];
    pl_dgram d = { .data = buf, .cap = sizeof buf, .len = 60 };
    memset(buf, 0, sizeof buf);
    pl_put64(buf, ++w->n_sent);
    if (pl_turn_wrap(w->t, w->now_us, &w->peer, &d) == PL_OK)
        sim_ice_send(w->net, w->now_us, w->host, &d.path, d.data, d.len);
}

static void take_data(world *w, const uint8_t *pkt, const pl_turn_data *data)
{
    PL_OKAY(pl_addr_eq(&data->peer, &w->peer));
    PL_EQ(data->len, 60);
    w->n_echoed++;
    w->last_echo = pl_get32(pkt + data->at + 4);
    if (w->last_echo_us)
        w->longest_gap_us = pl_max_us(w->longest_gap_us, w->now_us - w->last_echo_us);
    w->last_echo_us = w->now_us;
}

static void receive(world *w)
{
    uint8_t pkt[2048];
    pl_path path;
    size_t len;
    while (sim_ice_recv(w->net, w->now_us, w->host, &path, pkt, sizeof pkt, &len)) {
        pl_turn_data data;
        if (pl_turn_is_path(w->t, &path) && pl_turn_input(w->t, w->now_us, pkt, len, &data) == PL_TURN_DATA)
            take_data(w, pkt, &data);
    }
    while (sim_ice_recv(w->net, w->now_us, w->peer_host, &path, pkt, sizeof pkt, &len))
        sim_ice_send(w->net, w->now_us, w->peer_host, &path, pkt, len);
}

static void count_signatures(world *w, const uint8_t *pkt, size_t len)
{
    pl_stun_msg m;
    PL_EQ(pl_stun_parse(&m, pkt, len), PL_OK);
    w->n_sha1 += m.integrity_at != 0;
    w->n_sha256 += m.integrity256_at != 0;
    w->n_userhash += pl_stun_has(&m, PL_STUN_USERHASH);
}

static void emit(world *w)
{
    uint8_t buf[PL_TURN_DGRAM_MAX];
    pl_dgram out = { .data = buf, .cap = sizeof buf };
    pl_turn_event e;
    while (pl_turn_poll_output(w->t, w->now_us, &out)) {
        count_signatures(w, out.data, out.len);
        sim_ice_send(w->net, w->now_us, w->host, &out.path, out.data, out.len);
    }
    while (pl_turn_poll_event(w->t, &e)) {
        if (!w->n_events[e.kind]++)
            w->event_us[e.kind] = w->now_us;
        w->event[e.kind] = e;
    }
    if (w->every_us && w->next_us <= w->now_us) {
        send_number(w);
        w->next_us = w->now_us + w->every_us;
    }
    pl_turn_check(w->t);
}

/* Until something of that kind has been told, or for_us has passed. */
static bool run(world *w, int64_t for_us, int until)
{
    int64_t end_us = w->now_us + for_us;
    for (unsigned stuck = 0; stuck < 1000; stuck++) {
        pl_turn_tick(w->t, w->now_us);
        receive(w);
        emit(w);
        if (until >= 0 && w->n_events[until])
            return true;
        int64_t next_us = pl_min_us(pl_turn_next_us(w->t), sim_ice_net_next_us(w->net));
        if (w->every_us)
            next_us = pl_min_us(next_us, w->next_us);
        if (next_us > w->now_us)
            stuck = 0;
        if (next_us > end_us)
            break;
        w->now_us = pl_max_us(w->now_us, next_us);
    }
    PL_OKAY(pl_turn_next_us(w->t) > w->now_us); /* nobody asks to be called again and again */
    w->now_us = end_us;
    return false;
}

/* What time it takes, in the lab's terms: 20 ms from client to server and back. */
PL_TEST(three_round_trips_to_the_first_data)
{
    world w;
    begin(&w, 1, &(sim_net){ .delay_us = PL_MS(10) }, SIM_NAT_SYMMETRIC, NULL);
    allocate(&w, (pl_turn_conf){ 0 });
    PL_EQ(pl_turn_bind(w.t, 0, &w.peer), PL_OK);
    PL_OKAY(run(&w, PL_SEC(1), PL_TURN_ALLOCATED));
    PL_LE(w.now_us, PL_MS(41));
    run(&w, 0, -1);
    PL_EQ(pl_turn_permission_of(w.t, &w.peer), PL_TURN_PERMIT_ASKED);
    send_number(&w); /* right behind CreatePermission and ChannelBind */
    run(&w, PL_MS(31), -1);
    PL_EQ(w.n_echoed, 1); /* the peer is 5 ms from the server */
    PL_LE(w.event_us[PL_TURN_PERMISSION], PL_MS(61));
    PL_LE(w.event_us[PL_TURN_BOUND], PL_MS(61));
    pl_addr nat_ip = w.event[PL_TURN_ALLOCATED].mapped;
    nat_ip.port = 0;
    pl_addr expected = { .family = PL_AF_IP4, .ip = { 203, 0, 113, 1 } };
    PL_OKAY(pl_addr_eq(&nat_ip, &expected));
    end(&w);
}

/* RFC 8489 9.2: SHA-256 and the name's hash where the server offers them, else SHA-1 and the name. */
PL_TEST(with_and_without_sha256)
{
    for (int old = 0; old < 2; old++) {
        world w;
        begin(&w, 13, &near, SIM_NAT_OPEN, &(sim_turn_conf){ .md5_only = old });
        allocate(&w, (pl_turn_conf){ 0 });
        PL_EQ(pl_turn_bind(w.t, 0, &w.peer), PL_OK);
        PL_OKAY(run(&w, PL_SEC(1), PL_TURN_BOUND));
        PL_EQ(w.n_sha256, old ? 0 : 3);
        PL_EQ(w.n_sha1, old ? 3 : 0);
        PL_EQ(w.n_userhash, old ? 0 : 3);
        end(&w);
    }
}

/* Three hours of a call: every refresh of allocation, permission, channel and nonce falls into it, and nothing is
 * ever lost on a network that loses nothing. */
PL_TEST(three_hours)
{
    world w;
    begin(&w, 2, &near, SIM_NAT_PORT_RESTRICTED, &(sim_turn_conf){ .nonce_life_us = PL_SEC(400) });
    allocate(&w, (pl_turn_conf){ .lifetime_s = 900 });
    PL_EQ(pl_turn_bind(w.t, 0, &w.peer), PL_OK);
    PL_OKAY(run(&w, PL_SEC(1), PL_TURN_BOUND));
    w.every_us = PL_MS(500);
    run(&w, PL_SEC(3 * 3600), -1);
    PL_EQ(w.n_events[PL_TURN_LOST], 0);
    PL_EQ(w.n_events[PL_TURN_PERMISSION], 1);
    PL_EQ(w.n_events[PL_TURN_BOUND], 1);
    PL_GE(w.n_echoed + 1, w.n_sent);
    PL_GE(w.n_sent, 3 * 3600 * 2 - 1);
    const pl_turn_counters *count = pl_turn_get_counters(w.t);
    PL_EQ(count->retransmissions, 0);
    PL_EQ(count->indications_out, 0);
    PL_GE(count->stale_nonces, 20);
    PL_LE(count->requests,
          3 + 12 * 3 + 45 + 20 + 27 + 2); /* as many as their lifetimes demand, and no more */
    end(&w);
}

/* Nothing but keepalives, ten allocations long: the NAT keeps its mapping, the server its permission. */
PL_TEST(an_idle_hour_then_data)
{
    world w;
    begin(&w, 3, &near, SIM_NAT_PORT_RESTRICTED, NULL);
    allocate(&w, (pl_turn_conf){ 0 });
    PL_EQ(pl_turn_permit(w.t, 0, &w.peer), PL_OK);
    PL_OKAY(run(&w, PL_SEC(1), PL_TURN_PERMISSION));
    run(&w, PL_SEC(3600), -1);
    PL_GE(pl_turn_get_counters(w.t)->keepalives, 3600 / 20 - 30);
    send_number(&w);
    run(&w, PL_SEC(1), -1);
    PL_EQ(w.n_echoed, 1);
    end(&w);
}

static void lossy(uint64_t seed)
{
    world w;
    sim_net link = { .delay_us = PL_MS(20),
                     .jitter_us = PL_MS(10),
                     .loss = (double)(seed % 31) / 100,
                     .duplicate = 0.02,
                     .reorder = 0.02 };
    begin(&w, seed, &link, SIM_NAT_SYMMETRIC,
          &(sim_turn_conf){ .nonce_life_us = PL_SEC(100 + (int64_t)seed) });
    allocate(&w, (pl_turn_conf){ .patience_us = PL_SEC(30) });
    PL_EQ(pl_turn_bind(w.t, 0, &w.peer), PL_OK);
    bool allocated = run(&w, PL_SEC(60), PL_TURN_ALLOCATED);
    bool bound = allocated && run(&w, PL_SEC(60), PL_TURN_BOUND);
    w.every_us = PL_MS(200);
    run(&w, PL_SEC(1300), -1);
    bool alive = pl_turn_get_state(w.t) == PL_TURN_READY && pl_turn_is_bound(w.t, &w.peer);
    /* There and back over the lossy link: even at 30 % nearly half of it comes. */
    bool flows = w.n_echoed * 10 >= w.n_sent * 4 && w.longest_gap_us < PL_SEC(5);
    if (!allocated || !bound || !alive || !flows || w.n_events[PL_TURN_LOST])
        fail_msg("PL_SEED=%llu: allocated %d, bound %d, alive %d, %llu of %llu echoed, longest gap %lld ms",
                 (unsigned long long)seed, allocated, bound, alive, (unsigned long long)w.n_echoed,
                 (unsigned long long)w.n_sent, (long long)(w.longest_gap_us / 1000));
    end(&w);
}

PL_TEST(losses_up_to_thirty_percent)
{
    uint64_t first = pl_test_seed(100);
    for (uint64_t seed = first; seed < first + (getenv("PL_SEED") ? 1 : SEEDS); seed++)
        lossy(seed);
}

/* Corrupted bytes never end anything: what is not signed rightly is as good as lost. */
PL_TEST(corruption)
{
    uint64_t first = pl_test_seed(500);
    for (uint64_t seed = first; seed < first + (getenv("PL_SEED") ? 1 : 20); seed++) {
        world w;
        sim_net link = { .delay_us = PL_MS(20), .corrupt = 0.05 };
        begin(&w, seed, &link, SIM_NAT_OPEN, NULL);
        allocate(&w, (pl_turn_conf){ .patience_us = PL_SEC(30) });
        PL_EQ(pl_turn_permit(w.t, 0, &w.peer), PL_OK);
        bool allocated = run(&w, PL_SEC(60), PL_TURN_ALLOCATED);
        run(&w, PL_SEC(1800), -1);
        if (!allocated || pl_turn_get_state(w.t) != PL_TURN_READY)
            fail_msg("PL_SEED=%llu: %s, LOST with %u: %s", (unsigned long long)seed,
                     allocated ? "allocated" : "not allocated", w.event[PL_TURN_LOST].code,
                     w.event[PL_TURN_LOST].reason);
        end(&w);
    }
}

PL_TEST(the_server_reboots)
{
    world w;
    begin(&w, 4, &near, SIM_NAT_OPEN, NULL);
    allocate(&w, (pl_turn_conf){ 0 });
    PL_EQ(pl_turn_bind(w.t, 0, &w.peer), PL_OK);
    PL_OKAY(run(&w, PL_SEC(1), PL_TURN_BOUND));
    sim_turn_reboot(w.server, w.now_us);
    int64_t reboot_us = w.now_us;
    w.every_us = PL_MS(100);
    PL_OKAY(!run(&w, PL_SEC(1), PL_TURN_LOST)); /* it drops what it does not know, so we cannot know either */
    PL_EQ(w.n_echoed, 0);
    pl_turn_probe(w.t, w.now_us); /* as the agent does when consent is not answered */
    PL_OKAY(run(&w, PL_SEC(1), PL_TURN_LOST));
    PL_EQ(w.event[PL_TURN_LOST].code, 437);
    PL_LE(w.now_us - reboot_us, PL_MS(1100));
    end(&w);
}

PL_TEST(the_server_falls_silent)
{
    world w;
    begin(&w, 5, &near, SIM_NAT_OPEN, NULL);
    allocate(&w, (pl_turn_conf){ .patience_us = PL_SEC(3) });
    PL_EQ(pl_turn_permit(w.t, 0, &w.peer), PL_OK);
    PL_OKAY(run(&w, PL_SEC(1), PL_TURN_PERMISSION));
    sim_turn_silence(w.server, true);
    pl_turn_probe(w.t, w.now_us);
    PL_OKAY(!run(&w, PL_MS(2999), PL_TURN_LOST));
    PL_OKAY(run(&w, PL_MS(1), PL_TURN_LOST));
    PL_EQ(w.event[PL_TURN_LOST].code, 0);
    end(&w);
    /* Nobody probes: it is known when the permission cannot be refreshed. */
    begin(&w, 5, &near, SIM_NAT_OPEN, NULL);
    allocate(&w, (pl_turn_conf){ 0 });
    PL_EQ(pl_turn_permit(w.t, 0, &w.peer), PL_OK);
    PL_OKAY(run(&w, PL_SEC(1), PL_TURN_PERMISSION));
    sim_turn_silence(w.server, true);
    PL_OKAY(run(&w, PL_SEC(260), PL_TURN_LOST));
    end(&w);
    /* A silence that ends in time is none. */
    begin(&w, 5, &near, SIM_NAT_OPEN, NULL);
    allocate(&w, (pl_turn_conf){ 0 });
    PL_EQ(pl_turn_permit(w.t, 0, &w.peer), PL_OK);
    PL_OKAY(run(&w, PL_SEC(1), PL_TURN_PERMISSION));
    w.every_us = PL_MS(100);
    run(&w, PL_SEC(235), -1);
    sim_turn_silence(w.server, true);
    run(&w, PL_SEC(12), -1);
    sim_turn_silence(w.server, false);
    run(&w, PL_SEC(600), -1);
    PL_EQ(pl_turn_get_state(w.t), PL_TURN_READY);
    PL_EQ(w.n_events[PL_TURN_LOST], 0);
    PL_LE(w.now_us - w.last_echo_us, PL_MS(200));
    end(&w);
}

/* The 5-tuple changes under us: the server has never heard of the new one. */
PL_TEST(the_nat_forgets_us)
{
    world w;
    begin(&w, 6, &near, SIM_NAT_PORT_RESTRICTED, NULL);
    allocate(&w, (pl_turn_conf){ 0 });
    PL_EQ(pl_turn_bind(w.t, 0, &w.peer), PL_OK);
    PL_OKAY(run(&w, PL_SEC(1), PL_TURN_BOUND));
    sim_ice_nat_reboot(w.net, w.host);
    pl_turn_probe(w.t, w.now_us);
    PL_OKAY(run(&w, PL_SEC(1), PL_TURN_LOST));
    PL_EQ(w.event[PL_TURN_LOST].code, 437);
    end(&w);
}

PL_TEST(the_allocation_moves_with_us)
{
    world w;
    begin(&w, 7, &near, SIM_NAT_SYMMETRIC, NULL);
    allocate(&w, (pl_turn_conf){ .mobility = true });
    PL_EQ(pl_turn_bind(w.t, 0, &w.peer), PL_OK);
    PL_OKAY(run(&w, PL_SEC(1), PL_TURN_BOUND));
    pl_addr relayed = w.event[PL_TURN_ALLOCATED].relayed[0], same;
    w.every_us = PL_MS(20);
    run(&w, PL_SEC(1), -1);
    w.longest_gap_us = 0;
    for (int i = 0; i < 3; i++) {
        w.local = sim_ice_bind(w.net, w.host, "192.168.1.2");
        w.n_events[PL_TURN_MOVED] = 0;
        PL_OKAY(pl_turn_can_move(w.t));
        PL_EQ(pl_turn_move(w.t, w.now_us, &w.local), PL_OK);
        PL_OKAY(run(&w, PL_SEC(1), PL_TURN_MOVED));
        run(&w, PL_SEC(1), -1);
    }
    PL_LE(w.longest_gap_us, PL_MS(100)); /* of a call that goes on */
    PL_OKAY(pl_turn_get_relayed(w.t, PL_AF_IP4, &same));
    PL_OKAY(pl_addr_eq(&same, &relayed));
    PL_EQ(w.n_events[PL_TURN_LOST], 0);
    end(&w);
}

PL_TEST(refusals_of_the_server)
{
    world w;
    pl_relay_policy one = { .max_per_user = 1 };
    pl_turn *first;
    begin(&w, 8, &near, SIM_NAT_OPEN, &(sim_turn_conf){ .policy = &one });
    allocate(&w, (pl_turn_conf){ 0 });
    PL_OKAY(run(&w, PL_SEC(1), PL_TURN_ALLOCATED));
    pl_addr inside = { .family = PL_AF_IP4, .ip = { 10, 0, 0, 1 } };
    PL_EQ(pl_turn_permit(w.t, w.now_us, &inside), PL_OK);
    PL_EQ(pl_turn_permit(w.t, w.now_us, &w.peer), PL_OK);
    run(&w, PL_SEC(1), -1);
    PL_EQ(pl_turn_permission_of(w.t, &inside), PL_TURN_PERMIT_DENIED);
    PL_EQ(pl_turn_permission_of(w.t, &w.peer), PL_TURN_PERMIT_STANDS);
    first = w.t;
    w.local = sim_ice_bind(w.net, w.host, "203.0.113.8");
    allocate(&w, (pl_turn_conf){ 0 });
    PL_OKAY(run(&w, PL_SEC(1), PL_TURN_FAILED));
    PL_EQ(w.event[PL_TURN_FAILED].code, 486);
    pl_turn_free(w.t);
    w.n_events[PL_TURN_FAILED] = 0;
    allocate(&w, (pl_turn_conf){ .username = "alice", .password = "wrong" });
    PL_OKAY(run(&w, PL_SEC(1), PL_TURN_FAILED));
    PL_EQ(w.event[PL_TURN_FAILED].code, 401);
    pl_turn_free(first);
    end(&w);
}

PL_TEST(given_back)
{
    world w;
    begin(&w, 9, &near, SIM_NAT_OPEN, NULL);
    allocate(&w, (pl_turn_conf){ 0 });
    PL_OKAY(run(&w, PL_SEC(1), PL_TURN_ALLOCATED));
    PL_OKAY(!pl_relay_is_empty(sim_turn_core(w.server)));
    pl_turn_close(w.t, w.now_us);
    PL_OKAY(run(&w, PL_SEC(1), PL_TURN_CLOSED));
    PL_OKAY(pl_relay_is_empty(sim_turn_core(w.server)));
    end(&w);
    begin(&w, 9, &near, SIM_NAT_OPEN, NULL); /* in the middle of allocating */
    allocate(&w, (pl_turn_conf){ 0 });
    run(&w, PL_MS(15), -1); /* the second Allocate is on its way */
    pl_turn_close(w.t, w.now_us);
    PL_OKAY(run(&w, PL_SEC(3), PL_TURN_CLOSED));
    PL_OKAY(pl_relay_is_empty(sim_turn_core(w.server)));
    PL_EQ(w.n_events[PL_TURN_ALLOCATED], 0);
    end(&w);
}

/* An operator takes the server out of service: new clients are sent to another one. */
PL_TEST(drained_to_another_server)
{
    world w;
    begin(&w, 10, &near, SIM_NAT_OPEN, NULL);
    sim_turn *other = sim_turn_new(w.net, &(sim_turn_conf){ .addr = "198.51.100.3:3478" });
    pl_addr there = sim_turn_addr(other, PL_AF_IP4), relayed;
    pl_relay_drain(sim_turn_core(w.server), 0, PL_SEC(60), &there, 1);
    allocate(&w, (pl_turn_conf){ 0 });
    PL_EQ(pl_turn_permit(w.t, 0, &w.peer), PL_OK);
    PL_OKAY(run(&w, PL_SEC(1), PL_TURN_PERMISSION));
    PL_OKAY(pl_addr_eq(&pl_turn_get_path(w.t)->remote, &there));
    PL_OKAY(pl_turn_get_relayed(w.t, PL_AF_IP4, &relayed));
    relayed.port = there.port;
    PL_OKAY(pl_addr_eq(&relayed, &there));
    send_number(&w);
    run(&w, PL_SEC(1), -1);
    PL_EQ(w.n_echoed, 1);
    sim_turn_free(other);
    end(&w);
}

PL_TESTS(t(three_round_trips_to_the_first_data), t(with_and_without_sha256), t(three_hours),
         t(an_idle_hour_then_data), t(losses_up_to_thirty_percent), t(corruption), t(the_server_reboots),
         t(the_server_falls_silent), t(the_nat_forgets_us), t(the_allocation_moves_with_us),
         t(refusals_of_the_server), t(given_back), t(drained_to_another_server))
