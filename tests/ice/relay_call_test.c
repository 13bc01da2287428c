/* Calls with TURN servers in virtual time: where UDP does not get through, between address families, when a server dies
 * or a network changes in the middle, and thousands of everything at once. Every run starts from a seed that a failure
 * prints. */
#include "pl_test.h"

#include "base/time.h"
#include "sim/ice_call.h"
#include "sim/turn_net.h"

#define FAIL_WITH(seed, what)                                                                                \
    do {                                                                                                     \
        print_error("PL_SEED=%llu: %s\n", (unsigned long long)(seed), what);                                 \
        fail();                                                                                              \
    } while (0)

static const sim_net link = { .delay_us = PL_MS(10) };
static const pl_ice_conf offerer = { .controlling = true }, answerer = { 0 };

typedef struct world {
    sim_ice_call *call;
    sim_turn *turn[2];
    pl_addr server[2];
} world;

static world world_new(uint64_t seed, sim_nat_kind a, sim_nat_kind b)
{
    world w = { .call = sim_ice_call_new(seed) };
    const sim_nat_kind nat[] = { a, b };
    for (int i = 0; i < 2; i++) {
        const char *outer = i ? "203.0.113.2" : "203.0.113.1";
        sim_ice_peer_up(w.call, i, sim_ice_host(w.call->net, &link, nat[i], outer), i ? &answerer : &offerer);
        sim_ice_peer_base(w.call, i, nat[i] == SIM_NAT_OPEN ? outer : i ? "192.168.1.9" : "192.168.0.7");
        w.turn[i] =
            sim_turn_new(w.call->net, &(sim_turn_conf){ .addr = i ? "198.51.100.4:3478" : "198.51.100.2:3478",
                                                        .seed = seed + (uint64_t)i });
        w.server[i] = sim_turn_addr(w.turn[i], PL_AF_IP4);
    }
    for (int i = 0; i < 2; i++) /* who has no relay must know its outer address, for the other's permission */
        PL_EQ(pl_ice_add_stun_server(w.call->peer[i].ice, w.call->now_us, &w.server[0]), PL_OK);
    return w;
}

static void world_free(world *w)
{
    sim_turn_free(w->turn[0]);
    sim_turn_free(w->turn[1]);
    sim_ice_call_free(w->call);
}

static void connected_and_agreed(sim_ice_call *c, int64_t limit_us, uint64_t seed)
{
    if (!sim_ice_call_connect(c, limit_us))
        FAIL_WITH(seed, "not connected");
    for (int i = 0; i < 20 && !sim_ice_call_agrees(c); i++)
        sim_ice_call_run(c, PL_MS(500));
    if (!sim_ice_call_agrees(c))
        FAIL_WITH(seed, "different pairs");
}

static bool relayed(const sim_ice_call *c, int who)
{
    pl_ice_type local = PL_ICE_HOST, remote = PL_ICE_HOST;
    PL_OKAY(sim_ice_peer_types(c, who, &local, &remote));
    return local == PL_ICE_RELAY || remote == PL_ICE_RELAY;
}

static pl_ice_cand_info relay_of(const sim_ice_call *c, int who)
{
    pl_ice_cand_info info[PL_ICE_LOCALS_MAX + PL_ICE_REMOTES_MAX], none = { 0 };
    size_t n = pl_ice_get_candidates(c->peer[who].ice, info, sizeof info / sizeof info[0]);
    for (size_t i = 0; i < n; i++)
        if (!info[i].remote && info[i].type == PL_ICE_RELAY)
            return info[i];
    return none;
}

/* ---- where UDP does not get through ---- */

PL_TEST(udp_is_blocked_on_one_side_or_both)
{
    for (uint64_t both = 0; both < 2; both++) {
        world w = world_new(30 + both, SIM_NAT_PORT_RESTRICTED, SIM_NAT_PORT_RESTRICTED);
        int64_t start_us = w.call->now_us;
        sim_ice_block_udp(w.call->net, w.call->peer[0].host, true);
        sim_ice_block_udp(w.call->net, w.call->peer[1].host, both);
        for (int i = 0; i < 2; i++) {
            w.call->peer[i].holds_candidates = true;
            sim_ice_peer_turn(w.call, i, &w.server[0], PL_UDP, false);
            sim_ice_peer_turn(w.call, i, &w.server[0], PL_TCP, false);
        }
        sim_ice_call_start(w.call);
        connected_and_agreed(w.call, PL_SEC(5), 30 + both);
        /* UDP has its 300 ms, a connection and an allocation take three round trips, and silence is believed after a
         * second: no five seconds for each server. */
        PL_LE(pl_max_us(w.call->peer[0].connected_us, w.call->peer[1].connected_us) - start_us, PL_MS(1200));
        PL_EQ(relay_of(w.call, 0).relay_proto, PL_ICE_RELAY_TCP);
        PL_STREQ(relay_of(w.call, 0).url, "turn:198.51.100.2:3478?transport=tcp");
        PL_OKAY(relayed(w.call, 0));
        world_free(&w);
    }
}

/* Where UDP works nobody connects. */
PL_TEST(connections_are_a_fallback)
{
    world w = world_new(32, SIM_NAT_SYMMETRIC, SIM_NAT_SYMMETRIC);
    for (int i = 0; i < 2; i++) {
        sim_ice_peer_turn(w.call, i, &w.server[0], PL_UDP, false);
        sim_ice_peer_turn(w.call, i, &w.server[0], PL_TCP, false);
        sim_ice_peer_turn(w.call, i, &w.server[0], PL_TCP, true);
    }
    sim_ice_call_start(w.call);
    connected_and_agreed(w.call, PL_SEC(5), 32);
    sim_ice_call_run(w.call, PL_SEC(10));
    PL_EQ(w.call->tcp.n_opened, 0);
    PL_EQ(relay_of(w.call, 0).relay_proto, PL_ICE_RELAY_UDP);
    world_free(&w);
}

PL_TEST(only_connections_are_offered)
{
    world w = world_new(33, SIM_NAT_SYMMETRIC, SIM_NAT_SYMMETRIC);
    int64_t start_us = w.call->now_us;
    sim_ice_peer_turn(w.call, 0, &w.server[0], PL_TCP, true);
    sim_ice_call_start(w.call);
    connected_and_agreed(w.call, PL_SEC(5), 33);
    PL_LE(w.call->peer[0].connected_us - start_us, PL_MS(600));
    PL_EQ(relay_of(w.call, 0).relay_proto, PL_ICE_RELAY_TLS);
    world_free(&w);
}

PL_TEST(a_lost_connection_to_the_server)
{
    world w = world_new(34, SIM_NAT_SYMMETRIC, SIM_NAT_SYMMETRIC);
    sim_ice_peer_turn(w.call, 0, &w.server[0], PL_TCP, false);
    sim_ice_call_start(w.call);
    connected_and_agreed(w.call, PL_SEC(5), 34);
    int64_t broken_us = w.call->now_us;
    sim_ice_tcp_break(&w.call->tcp, broken_us, w.call->peer[0].host, w.call->peer[0].ice);
    sim_ice_call_run(w.call, PL_MS(100));
    PL_EQ(w.call->peer[0].last, PL_ICE_DISCONNECTED);
    PL_EQ(relay_of(w.call, 0).type, PL_ICE_HOST); /* there is none */
    sim_ice_call_run(w.call, PL_SEC(5)); /* a new connection, and a new relayed address told to nobody */
    PL_EQ(relay_of(w.call, 0).type, PL_ICE_RELAY);
    PL_OKAY(sim_ice_peer_connected(w.call, 0));
    PL_OKAY(sim_ice_call_agrees(w.call));
    world_free(&w);
}

/* ---- between families ---- */

PL_TEST(ip4_meets_ip6_through_a_relay)
{
    for (int who = 0; who < 2; who++) { /* who has the relay */
        sim_ice_call *c = sim_ice_call_new(40);
        sim_turn *turn = sim_turn_new(
            c->net, &(sim_turn_conf){ .addr = "198.51.100.2:3478", .addr6 = "[2001:db8:5::2]:3478" });
        for (int i = 0; i < 2; i++) {
            sim_ice_peer_up(c, i,
                            sim_ice_host(c->net, &link, i ? SIM_NAT_OPEN : SIM_NAT_SYMMETRIC, "203.0.113.1"),
                            i ? &answerer : &offerer);
            sim_ice_peer_base(c, i, i ? "2001:db8:2::9" : "192.168.0.7");
        }
        pl_addr server = sim_turn_addr(turn, who ? PL_AF_IP6 : PL_AF_IP4),
                stun = sim_turn_addr(turn, PL_AF_IP4);
        PL_EQ(pl_ice_add_stun_server(c->peer[0].ice, c->now_us, &stun), PL_OK);
        sim_ice_peer_turn(c, who, &server, PL_UDP, false);
        sim_ice_call_start(c);
        connected_and_agreed(c, PL_SEC(5), 40);
        PL_OKAY(relayed(c, who));
        PL_EQ(c->peer[0].n_candidates[PL_ICE_RELAY] + c->peer[1].n_candidates[PL_ICE_RELAY], 2);
        sim_turn_free(turn);
        sim_ice_call_free(c);
    }
}

/* ---- around one NAT, and behind two ---- */

/* Two hosts that cannot see each other behind one NAT: around it when it lets its own packets back in, else by relay. */
PL_TEST(hairpinning_or_a_relay)
{
    for (int hairpin = 0; hairpin < 2; hairpin++) {
        sim_ice_call *c = sim_ice_call_new(45);
        sim_turn *turn = sim_turn_new(c->net, &(sim_turn_conf){ .addr = "198.51.100.2:3478" });
        pl_addr server = sim_turn_addr(turn, PL_AF_IP4);
        for (int i = 0; i < 2; i++) {
            int host = sim_ice_host(c->net, &link, SIM_NAT_PORT_RESTRICTED, "203.0.113.1");
            sim_ice_set_hairpin(c->net, host, hairpin);
            sim_ice_isolate(c->net, host);
            sim_ice_peer_up(c, i, host, i ? &answerer : &offerer);
            sim_ice_peer_base(c, i, i ? "192.168.0.9" : "192.168.0.7");
            PL_EQ(pl_ice_add_stun_server(c->peer[i].ice, c->now_us, &server), PL_OK);
            sim_ice_peer_turn(c, i, &server, PL_UDP, false);
        }
        sim_ice_call_start(c);
        connected_and_agreed(c, PL_SEC(5), 45);
        PL_EQ(relayed(c, 0), !hairpin);
        sim_turn_free(turn);
        sim_ice_call_free(c);
    }
}

/* A chain of NATs has the worst of each. */
PL_TEST(a_home_behind_a_carrier)
{
    static const struct {
        sim_nat_dependence mapping, filtering;
        bool direct;
    } carrier[] = { { SIM_NAT_EI, SIM_NAT_EI, true },
                    { SIM_NAT_EI, SIM_NAT_APD, true },
                    { SIM_NAT_APD, SIM_NAT_APD, false } };
    for (size_t k = 0; k < sizeof carrier / sizeof carrier[0]; k++) {
        world w = world_new(46, SIM_NAT_PORT_RESTRICTED, SIM_NAT_PORT_RESTRICTED);
        sim_ice_call *c = w.call;
        int home = sim_ice_host(c->net, &link, SIM_NAT_PORT_RESTRICTED, "100.64.0.5");
        sim_ice_outer_nat(c->net, home, carrier[k].mapping, carrier[k].filtering, "203.0.113.9");
        pl_ice_free(c->peer[0].ice);
        sim_ice_peer_up(c, 0, home, &offerer);
        sim_ice_peer_base(c, 0, "192.168.7.7");
        PL_EQ(pl_ice_add_stun_server(c->peer[0].ice, c->now_us, &w.server[0]), PL_OK);
        sim_ice_peer_turn(c, 0, &w.server[0], PL_UDP, false);
        sim_ice_call_start(c);
        connected_and_agreed(c, PL_SEC(5), 46);
        PL_EQ(relayed(c, 0), !carrier[k].direct);
        world_free(&w);
    }
}

/* ---- a server dies ---- */

/* Both have relays on two servers. The one that carries the call falls silent: the other takes over. */
PL_TEST(a_relay_dies_and_another_takes_over)
{
    uint64_t seed = pl_test_seed(50);
    for (uint64_t i = 0; i < 20; i++) {
        world w = world_new(seed + i, SIM_NAT_SYMMETRIC, SIM_NAT_SYMMETRIC);
        for (int k = 0; k < 2; k++)
            for (int s = 0; s < 2; s++)
                sim_ice_peer_turn(w.call, k, &w.server[s], PL_UDP, false);
        sim_ice_call_start(w.call);
        connected_and_agreed(w.call, PL_SEC(5), seed + i);
        sim_ice_call_run(w.call, PL_SEC(10));
        pl_path path;
        PL_OKAY(pl_ice_selected(w.call->peer[0].ice, &path));
        int dead = pl_addr_ip_eq(&path.local, &w.server[1]) || pl_addr_ip_eq(&path.remote, &w.server[1]);
        bool uses_both =
            (pl_addr_ip_eq(&path.local, &w.server[0]) || pl_addr_ip_eq(&path.remote, &w.server[0])) && dead;
        sim_turn_silence(w.turn[dead], true);
        sim_ice_call_run(w.call, PL_SEC(12));
        PL_OKAY(!uses_both);
        PL_OKAY(pl_ice_selected(w.call->peer[0].ice, &path));
        if (pl_addr_ip_eq(&path.local, &w.server[dead]) || pl_addr_ip_eq(&path.remote, &w.server[dead]))
            FAIL_WITH(seed + i, "still on the dead relay");
        PL_OKAY(sim_ice_call_agrees(w.call));
        for (int k = 0; k < 2; k++) {
            PL_EQ(w.call->peer[k].failed_us, PL_NEVER);
            PL_OKAY(sim_ice_peer_connected(w.call, k));
        }
        world_free(&w);
    }
}

/* The direct path dies: the relay, kept alive beside it, takes over. It works again: the call comes back to it. */
PL_TEST(a_relay_helps_out)
{
    world w = world_new(55, SIM_NAT_FULL_CONE, SIM_NAT_PORT_RESTRICTED);
    for (int k = 0; k < 2; k++)
        sim_ice_peer_turn(w.call, k, &w.server[0], PL_UDP, false);
    sim_ice_call_start(w.call);
    connected_and_agreed(w.call, PL_SEC(5), 55);
    sim_ice_call_run(w.call, PL_SEC(10));
    PL_OKAY(!relayed(w.call, 0) && !relayed(w.call, 1));
    sim_ice_part(w.call->net, true);
    sim_ice_call_run(w.call, PL_SEC(9)); /* a consent interval and a moment's doubt */
    PL_OKAY(relayed(w.call, 0) && relayed(w.call, 1));
    PL_OKAY(sim_ice_call_agrees(w.call));
    sim_ice_call_run(w.call, PL_SEC(60));
    PL_OKAY(relayed(w.call, 0));
    sim_ice_part(w.call->net, false);
    sim_ice_call_run(w.call, PL_SEC(45)); /* the pair was given up, but is tried now and then */
    PL_OKAY(!relayed(w.call, 0) && !relayed(w.call, 1));
    PL_OKAY(sim_ice_call_agrees(w.call));
    for (int k = 0; k < 2; k++) {
        PL_OKAY(sim_ice_peer_connected(w.call, k));
        PL_EQ(w.call->peer[k].failed_us, PL_NEVER);
    }
    world_free(&w);
    w = world_new(56, SIM_NAT_FULL_CONE, SIM_NAT_PORT_RESTRICTED);
    for (int k = 0; k < 2; k++)
        sim_ice_peer_turn(w.call, k, &w.server[0], PL_UDP, false);
    sim_ice_call_start(w.call);
    connected_and_agreed(w.call, PL_SEC(5), 56);
    sim_ice_part(w.call->net, true);
    sim_ice_call_run(w.call, PL_SEC(10));
    sim_ice_part(w.call->net, false); /* soon enough: the direct pair is still kept */
    sim_ice_call_run(w.call, PL_SEC(60));
    PL_OKAY(!relayed(w.call, 0) && !relayed(w.call, 1));
    PL_OKAY(sim_ice_call_agrees(w.call));
    world_free(&w);
}

/* A server that restarts knows nothing of us: a new allocation, new pairs, no application. */
PL_TEST(a_relay_that_restarts)
{
    world w = world_new(60, SIM_NAT_SYMMETRIC, SIM_NAT_SYMMETRIC);
    sim_ice_peer_turn(w.call, 0, &w.server[0], PL_UDP, false);
    sim_ice_call_start(w.call);
    connected_and_agreed(w.call, PL_SEC(5), 60);
    sim_ice_call_run(w.call, PL_SEC(3));
    sim_turn_reboot(w.turn[0], w.call->now_us);
    sim_ice_call_run(w.call, PL_SEC(25));
    PL_OKAY(sim_ice_peer_connected(w.call, 0));
    PL_OKAY(sim_ice_peer_connected(w.call, 1));
    PL_OKAY(sim_ice_call_agrees(w.call));
    PL_EQ(w.call->peer[0].failed_us, PL_NEVER);
    world_free(&w);
}

PL_TEST(nobody_lets_us_in)
{
    world w = world_new(61, SIM_NAT_SYMMETRIC, SIM_NAT_SYMMETRIC);
    pl_ice_turn_server wrong = { .addr = w.server[0], .username = "alice", .password = "guess" };
    int64_t start_us = w.call->now_us;
    PL_EQ(pl_ice_add_turn_server(w.call->peer[0].ice, w.call->now_us, &wrong), PL_OK);
    sim_ice_call_start(w.call);
    sim_ice_call_run(w.call, PL_SEC(1));
    PL_EQ(w.call->peer[0].gathering, PL_ICE_GATHER_COMPLETE);
    sim_ice_call_run(w.call, PL_SEC(39));
    for (int i = 0; i < 2; i++) {
        PL_EQ(w.call->peer[i].last, PL_ICE_FAILED);
        PL_LE(w.call->peer[i].failed_us - start_us, PL_MS(39500));
    }
    world_free(&w);
}

/* Given back when we leave. */
PL_TEST(closing_returns_the_allocation)
{
    world w = world_new(62, SIM_NAT_SYMMETRIC, SIM_NAT_SYMMETRIC);
    sim_ice_peer_turn(w.call, 0, &w.server[0], PL_UDP, false);
    sim_ice_call_start(w.call);
    connected_and_agreed(w.call, PL_SEC(5), 62);
    PL_EQ(pl_relay_count(sim_turn_core(w.turn[0]))->now[PL_RELAY_UDP], 1);
    pl_ice_close(w.call->peer[0].ice, w.call->now_us);
    sim_ice_call_run(w.call, PL_SEC(1));
    PL_EQ(pl_relay_count(sim_turn_core(w.turn[0]))->now[PL_RELAY_UDP], 0);
    PL_EQ(w.call->peer[0].last, PL_ICE_CLOSED);
    PL_EQ(pl_ice_next_us(w.call->peer[0].ice), PL_NEVER);
    world_free(&w);
}

PL_TESTS(t(udp_is_blocked_on_one_side_or_both), t(connections_are_a_fallback),
         t(only_connections_are_offered), t(a_lost_connection_to_the_server),
         t(ip4_meets_ip6_through_a_relay), t(hairpinning_or_a_relay), t(a_home_behind_a_carrier),
         t(a_relay_dies_and_another_takes_over), t(a_relay_helps_out), t(a_relay_that_restarts),
         t(nobody_lets_us_in), t(closing_returns_the_allocation))
