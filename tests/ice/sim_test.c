/* Two agents on simulated networks in virtual time. Every run starts from a seed that a failure prints. */
#include "pl_test.h"

#include "base/time.h"
#include "sim/ice_call.h"

enum { ROUNDS = 300 };

static const pl_ice_conf offerer = { .controlling = true }, answerer = { 0 };

#define FAIL_WITH(seed, what)                                                                                \
    do {                                                                                                     \
        print_error("PL_SEED=%llu: %s\n", (unsigned long long)(seed), what);                                 \
        fail();                                                                                              \
    } while (0)

static sim_net lan(void)
{
    return (sim_net){ .delay_us = 100 };
}

static sim_ice_call *on_one_lan(uint64_t seed, const pl_ice_conf *a, const pl_ice_conf *b)
{
    sim_ice_call *c = sim_ice_call_new(seed);
    sim_net net = lan();
    for (int i = 0; i < 2; i++)
        sim_ice_peer_up(c, i, sim_ice_host(c->net, &net, SIM_NAT_OPEN, NULL), i ? b : a);
    sim_ice_peer_base(c, 0, "10.0.0.1");
    sim_ice_peer_base(c, 1, "10.0.0.2");
    return c;
}

static void connected_and_agreed(sim_ice_call *c, int64_t limit_us, uint64_t seed)
{
    if (!sim_ice_call_connect(c, limit_us))
        FAIL_WITH(seed, "not connected");
    sim_ice_call_run(c, PL_SEC(2));
    for (int i = 0; i < 2; i++)
        if (!sim_ice_peer_connected(c, i))
            FAIL_WITH(seed, "not connected any more");
    for (int i = 0; i < 20 && !sim_ice_call_agrees(c); i++)
        sim_ice_call_run(c, PL_MS(500)); /* just on the way to another pair, for which loss may be enough */
    if (!sim_ice_call_agrees(c))
        FAIL_WITH(seed, "different pairs");
    if (pl_ice_is_controlling(c->peer[0].ice) == pl_ice_is_controlling(c->peer[1].ice))
        FAIL_WITH(seed, "equal roles");
}

/* ---- speed ---- */

/* One round trip proves the pair, one more nominates it: 0.4 ms each way and signaling at once give both
 * sides a nominated pair within two and a half round trips. */
PL_TEST(two_round_trips_on_a_lan)
{
    sim_ice_call *c = on_one_lan(1, &offerer, &answerer);
    int64_t start_us = c->now_us, rtt_us = 4 * lan().delay_us;
    sim_ice_call_start(c);
    PL_OKAY(sim_ice_call_connect(c, PL_SEC(1)));
    PL_LE(c->peer[0].selected_us - start_us, rtt_us + rtt_us / 2);
    PL_LE(c->peer[0].connected_us - start_us, 5 * rtt_us / 2);
    PL_LE(c->peer[1].connected_us - start_us, 5 * rtt_us / 2);
    sim_ice_call_run(c, PL_SEC(1));
    PL_EQ(c->peer[0].last, PL_ICE_COMPLETED);
    PL_EQ(c->peer[1].last, PL_ICE_COMPLETED);
    static const pl_ice_state expected[] = { PL_ICE_CHECKING, PL_ICE_CONNECTED, PL_ICE_COMPLETED };
    for (int i = 0; i < 2; i++) {
        PL_EQ(c->peer[i].n_states, 3);
        for (int k = 0; k < 3; k++)
            PL_EQ(c->peer[i].states[k], expected[k]);
    }
    PL_OKAY(sim_ice_call_agrees(c));
    sim_ice_call_free(c);
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* Two homes behind NATs, 60 ms apart, 3 % loss, candidates trickling in any order. */
static sim_ice_call *two_homes(uint64_t seed, sim_nat_kind a, sim_nat_kind b, const sim_net *net)
{
    sim_ice_call *c = sim_ice_call_new(seed);
    sim_ice_peer_up(c, 0, sim_ice_host(c->net, net, a, "203.0.113.1"), &offerer);
    sim_ice_peer_up(c, 1, sim_ice_host(c->net, net, b, "203.0.113.2"), &answerer);
    sim_ice_peer_base(c, 0, a == SIM_NAT_OPEN ? "203.0.113.1" : "192.168.0.7");
    sim_ice_peer_base(c, 1, b == SIM_NAT_OPEN ? "203.0.113.2" : "192.168.1.9");
    pl_addr server = sim_ice_stun_server(c->net, "198.51.100.1:3478");
    for (int i = 0; i < 2; i++)
        PL_EQ(pl_ice_add_stun_server(c->peer[i].ice, c->now_us, &server), PL_OK);
    c->signaling_us = PL_MS(40);
    c->signaling_jitter_us = PL_MS(30);
    return c;
}

PL_TEST(connect_time_between_homes)
{
    enum { N = 100 };
    int64_t took_us[N];
    sim_net net = { .delay_us = PL_MS(15), .jitter_us = PL_MS(3), .loss = 0.015 };
    uint64_t seed = pl_test_seed(100);
    for (int i = 0; i < N; i++) {
        sim_ice_call *c =
            two_homes(seed + (uint64_t)i, SIM_NAT_PORT_RESTRICTED, SIM_NAT_PORT_RESTRICTED, &net);
        int64_t start_us = c->now_us;
        sim_ice_call_start(c);
        connected_and_agreed(c, PL_SEC(10), seed + (uint64_t)i);
        took_us[i] = pl_max_us(c->peer[0].connected_us, c->peer[1].connected_us) - start_us;
        PL_EQ(c->peer[0].n_candidates[PL_ICE_SRFLX], 1);
        sim_ice_call_free(c);
    }
    qsort(took_us, N, sizeof took_us[0], by_value);
    print_message("between homes: median %lld ms, 90 %% %lld ms, worst %lld ms\n",
                  (long long)took_us[N / 2] / 1000, (long long)took_us[N * 9 / 10] / 1000,
                  (long long)took_us[N - 1] / 1000);
    PL_LE(took_us[N / 2], PL_MS(600)); /* two signaling trips, two round trips, the grace */
    PL_LE(took_us[N * 9 / 10], PL_MS(1500));
    PL_LE(took_us[N - 1], PL_SEC(5));
}

/* ---- everything at once ---- */

static sim_net some_net(pl_rand *r)
{
    sim_net net = { .delay_us = 100 + pl_rand_below(r, 80000),
                    .jitter_us = pl_rand_below(r, 20000),
                    .loss = pl_rand_below(r, 1000) / 10000.0, /* up to 10 % each way and link: 19 % one way */
                    .duplicate = 0.01,
                    .reorder = 0.05,
                    .reorder_us = PL_MS(5) };
    return net;
}

static pl_ice_conf some_conf(pl_rand *r, bool controlling)
{
    static const int ta_ms[] = { 0, 5, 20, 50 };
    return (pl_ice_conf){ .controlling = controlling, .ta_us = PL_MS(ta_ms[pl_rand_below(r, 4)]) };
}

static void add_bases(sim_ice_call *c, int who, pl_rand *r)
{
    static const char *const more[2][3] = { { "10.1.0.1", "2001:db8:1::1", "172.17.0.1" },
                                            { "10.2.0.1", "2001:db8:2::1", "172.17.0.2" } };
    char name[64];
    snprintf(name, sizeof name, "192.168.%d.5", who);
    sim_ice_peer_base(c, who, name);
    for (int i = 0; i < 3; i++)
        if (pl_rand_u32(r) & 1)
            sim_ice_peer_base(c, who, more[who][i]);
}

/* Any NATs that can be crossed without a relay, any roles (also two equal ones), any order of trickling,
 * names instead of addresses, no trickle, loss, reordering, duplicates. */
static sim_ice_call *any_call(uint64_t seed)
{
    static const sim_nat_kind crossable[][2] = {
        { SIM_NAT_FULL_CONE, SIM_NAT_SYMMETRIC },       { SIM_NAT_RESTRICTED, SIM_NAT_SYMMETRIC },
        { SIM_NAT_SYMMETRIC, SIM_NAT_FULL_CONE },       { SIM_NAT_PORT_RESTRICTED, SIM_NAT_PORT_RESTRICTED },
        { SIM_NAT_FULL_CONE, SIM_NAT_PORT_RESTRICTED }, { SIM_NAT_RESTRICTED, SIM_NAT_RESTRICTED },
    };
    pl_rand_seeded state;
    pl_rand r = pl_rand_seed(&state, seed);
    sim_ice_call *c = sim_ice_call_new(seed);
    const sim_nat_kind *nat = crossable[pl_rand_below(&r, 6)];
    bool swapped_roles = pl_rand_u32(&r) & 1, conflict = pl_rand_below(&r, 4) == 0;
    pl_addr server = sim_ice_stun_server(c->net, "198.51.100.1:3478");
    for (int i = 0; i < 2; i++) {
        sim_net net = some_net(&r);
        pl_ice_conf conf = some_conf(&r, conflict ? swapped_roles : (i == 0) != swapped_roles);
        sim_ice_peer_up(c, i, sim_ice_host(c->net, &net, nat[i], i ? "203.0.113.2" : "203.0.113.1"), &conf);
        c->peer[i].mdns = pl_rand_below(&r, 4) == 0;
        c->peer[i].holds_candidates = pl_rand_below(&r, 4) == 0;
        c->peer[i].says_done = pl_rand_below(&r, 4) != 0;
        add_bases(c, i, &r);
        PL_EQ(pl_ice_add_stun_server(c->peer[i].ice, c->now_us, &server), PL_OK);
    }
    c->signaling_us = pl_rand_below(&r, 100000);
    c->signaling_jitter_us = 1 + pl_rand_below(&r, 200000);
    return c;
}

PL_TEST(thousands_of_calls_connect)
{
    uint64_t seed = pl_test_seed(20000);
    for (uint64_t i = 0; i < ROUNDS * 10; i++) {
        sim_ice_call *c = any_call(seed + i);
        sim_ice_call_start(c);
        connected_and_agreed(c, PL_SEC(30), seed + i);
        sim_ice_call_free(c);
    }
}

/* ---- particular peers ---- */

PL_TEST(role_conflicts_are_settled)
{
    uint64_t seed = pl_test_seed(487);
    for (uint64_t i = 0; i < ROUNDS; i++) {
        const pl_ice_conf *same = i & 1 ? &offerer : &answerer;
        sim_ice_call *c = on_one_lan(seed + i, same, same);
        sim_ice_call_start(c);
        connected_and_agreed(c, PL_SEC(5), seed + i);
        PL_EQ(c->peer[0].n_roles + c->peer[1].n_roles, 1);
        sim_ice_call_free(c);
    }
}

/* The offerer never hears of the answerer's addresses: its checks are all that is known. */
PL_TEST(peer_reflexive_candidates_are_discovered)
{
    uint64_t seed = pl_test_seed(110);
    sim_net net = { .delay_us = PL_MS(20), .loss = 0.05 };
    for (uint64_t i = 0; i < ROUNDS; i++) {
        sim_ice_call *c =
            two_homes(seed + i, SIM_NAT_OPEN, i & 1 ? SIM_NAT_SYMMETRIC : SIM_NAT_FULL_CONE, &net);
        c->peer[1].signals_candidates = false;
        sim_ice_call_start(c);
        connected_and_agreed(c, PL_SEC(15), seed + i);
        pl_ice_cand_info info[32];
        size_t n = pl_ice_get_candidates(c->peer[0].ice, info, 32), n_prflx = 0;
        for (size_t k = 0; k < n; k++)
            n_prflx += info[k].remote && info[k].type == PL_ICE_PRFLX;
        PL_EQ(n_prflx, 1);
        sim_ice_call_free(c);
    }
}

PL_TEST(lite_peers)
{
    static const pl_ice_conf lite_answerer = { .lite = true };
    uint64_t seed = pl_test_seed(5);
    for (uint64_t i = 0; i < ROUNDS; i++) {
        sim_ice_call *c = sim_ice_call_new(seed + i);
        sim_net net = { .delay_us = PL_MS(10), .loss = 0.1 };
        sim_ice_peer_up(c, 0, sim_ice_host(c->net, &net, SIM_NAT_SYMMETRIC, "203.0.113.1"), &offerer);
        sim_ice_peer_up(c, 1, sim_ice_host(c->net, &net, SIM_NAT_OPEN, NULL), &lite_answerer);
        sim_ice_peer_base(c, 0, "192.168.0.7");
        sim_ice_peer_base(c, 1, "203.0.113.2");
        sim_ice_call_start(c);
        connected_and_agreed(c, PL_SEC(10), seed + i);
        pl_ice_pair_info pair;
        PL_OKAY(pl_ice_get_selected_pair(c->peer[1].ice, &pair));
        PL_EQ(pair.requests_sent, 0);
        sim_ice_call_run(c, PL_SEC(60)); /* consent of the one keeps the other alive */
        for (int k = 0; k < 2; k++) {    /* "disconnected" for a moment may be, after four losses in a row */
            PL_OKAY(c->peer[k].last != PL_ICE_FAILED);
            PL_OKAY(pl_ice_get_selected_pair(c->peer[k].ice, &pair));
        }
        sim_ice_call_free(c);
    }
}

PL_TEST(two_lite_peers)
{
    static const pl_ice_conf a = { .lite = true, .controlling = true }, b = { .lite = true };
    sim_ice_call *c = on_one_lan(2, &a, &b);
    sim_ice_call_start(c);
    PL_OKAY(sim_ice_call_connect(c, PL_SEC(1)));
    sim_ice_call_run(c, PL_SEC(100));
    PL_EQ(c->peer[0].packets_sent + c->peer[1].packets_sent, 0);
    PL_OKAY(sim_ice_peer_connected(c, 0));
    sim_ice_call_free(c);
}

PL_TEST(two_symmetric_nats_fail_in_time)
{
    sim_net net = { .delay_us = PL_MS(10) };
    sim_ice_call *c = two_homes(3, SIM_NAT_SYMMETRIC, SIM_NAT_SYMMETRIC, &net);
    int64_t start_us = c->now_us;
    sim_ice_call_start(c);
    sim_ice_call_run(c, PL_SEC(40));
    for (int i = 0; i < 2; i++) {
        PL_EQ(c->peer[i].last, PL_ICE_FAILED);
        PL_GE(c->peer[i].failed_us - start_us, PL_SEC(15)); /* RFC 8863 */
        PL_LE(c->peer[i].failed_us - start_us, PL_SEC(25));
        PL_EQ(pl_ice_next_us(c->peer[i].ice), PL_NEVER);
    }
    sim_ice_call_free(c);
}

/* A server nobody answers at must not hold the end of gathering long, nor the call. */
PL_TEST(a_dead_stun_server_costs_five_seconds_of_gathering)
{
    sim_ice_call *c = on_one_lan(4, &offerer, &answerer);
    pl_addr nowhere;
    PL_EQ(pl_addr_parse(&nowhere, "198.51.100.99:3478", 18), PL_OK);
    int64_t start_us = c->now_us;
    PL_EQ(pl_ice_add_stun_server(c->peer[0].ice, c->now_us, &nowhere), PL_OK);
    sim_ice_call_start(c);
    PL_OKAY(sim_ice_call_connect(c, PL_SEC(1)));
    PL_EQ(c->peer[0].gathering, PL_ICE_GATHERING);
    PL_EQ(c->peer[0].last, PL_ICE_CONNECTED);
    while (c->peer[0].gathering != PL_ICE_GATHER_COMPLETE && c->now_us < start_us + PL_SEC(20))
        sim_ice_call_run(c, PL_MS(100));
    PL_LE(c->now_us - start_us, PL_MS(5500));
    sim_ice_call_run(c, PL_MS(100));
    PL_EQ(c->peer[0].last, PL_ICE_COMPLETED);
    sim_ice_call_free(c);
}

PL_TEST(ipv6_is_preferred_where_both_have_it)
{
    sim_ice_call *c = on_one_lan(6, &offerer, &answerer);
    sim_ice_peer_base(c, 0, "2001:db8::1");
    sim_ice_peer_base(c, 1, "2001:db8::2");
    sim_ice_call_start(c);
    connected_and_agreed(c, PL_SEC(1), 6);
    PL_EQ(c->peer[0].selected.local.family, PL_AF_IP6);
    PL_EQ(c->peer[1].selected.local.family, PL_AF_IP6);
    sim_ice_call_free(c);
}

/* ---- what happens later ---- */

PL_TEST(consent_is_asked_about_every_five_seconds)
{
    sim_ice_call *c = on_one_lan(7, &offerer, &answerer);
    sim_ice_call_start(c);
    connected_and_agreed(c, PL_SEC(1), 7);
    pl_ice_pair_info before, after;
    PL_OKAY(pl_ice_get_selected_pair(c->peer[0].ice, &before));
    uint64_t packets = c->peer[0].packets_sent;
    sim_ice_call_run(c, PL_SEC(600));
    PL_OKAY(pl_ice_get_selected_pair(c->peer[0].ice, &after));
    uint32_t asked = after.consent_requests_sent - before.consent_requests_sent;
    PL_GE(asked, 110); /* 600 s over 5 s, randomised by 20 % */
    PL_LE(asked, 130);
    PL_EQ(after.responses_received - before.responses_received, asked);
    PL_LE(c->peer[0].packets_sent - packets, 2 * 130 + 2); /* and as many answers: nothing else is said */
    PL_EQ(c->peer[0].n_states, 3);
    sim_ice_call_free(c);
}

/* The table of a short and a long blackout: disconnected after some seconds, back when heard, failed after 30
 * s. */
PL_TEST(blackouts)
{
    uint64_t seed = pl_test_seed(7675);
    for (uint64_t i = 0; i < 100; i++) {
        sim_ice_call *c = on_one_lan(seed + i, &offerer, &answerer);
        sim_ice_call_start(c);
        connected_and_agreed(c, PL_SEC(1), seed + i);
        int64_t dark_us = c->now_us;
        sim_ice_blackout(c->net, 0, dark_us + PL_SEC(15));
        sim_ice_call_run(c, PL_SEC(14));
        for (int k = 0; k < 2; k++) {
            PL_EQ(c->peer[k].last, PL_ICE_DISCONNECTED);
            PL_GE(c->peer[k].disconnected_us - dark_us, PL_SEC(5));
            PL_LE(c->peer[k].disconnected_us - dark_us, PL_MS(11500));
            PL_OKAY(pl_ice_selected(c->peer[k].ice, &c->peer[k].selected)); /* consent still holds */
        }
        sim_ice_call_run(c, PL_SEC(8));
        PL_OKAY(sim_ice_peer_connected(c, 0));
        PL_OKAY(sim_ice_peer_connected(c, 1));

        dark_us = c->now_us;
        sim_ice_blackout(c->net, 0, dark_us + PL_SEC(60));
        sim_ice_call_run(c, PL_SEC(50));
        for (int k = 0; k < 2; k++) {
            PL_EQ(c->peer[k].last, PL_ICE_FAILED);
            PL_LE(c->peer[k].failed_us - dark_us, PL_MS(30500));
            PL_GE(c->peer[k].failed_us - dark_us, PL_SEC(23));
            PL_OKAY(!pl_ice_selected(c->peer[k].ice, &c->peer[k].selected));
        }
        sim_ice_call_run(c,
                         PL_SEC(30)); /* the line is back, but consent that has run out does not come back */
        PL_EQ(c->peer[0].last, PL_ICE_FAILED);

        for (int k = 0; k < 2; k++)
            PL_EQ(pl_ice_restart(c->peer[k].ice, c->now_us, NULL, NULL), PL_OK);
        sim_ice_call_start(c);
        connected_and_agreed(c, PL_SEC(5), seed + i);
        sim_ice_call_free(c);
    }
}

/* One fifth of all packets lost both ways: not one false "disconnected" in five minutes, thanks to repeated
 * checks. */
PL_TEST(loss_alone_is_no_disconnection)
{
    uint64_t seed = pl_test_seed(20);
    uint32_t n_disconnected = 0;
    for (uint64_t i = 0; i < 20; i++) {
        sim_ice_call *c = on_one_lan(seed + i, &offerer, &answerer);
        sim_net net = { .delay_us = PL_MS(20), .loss = 0.1 };
        sim_ice_set_link(c->net, 0, &net);
        sim_ice_set_link(c->net, 1, &net);
        sim_ice_call_start(c);
        connected_and_agreed(c, PL_SEC(10), seed + i);
        sim_ice_call_run(c, PL_SEC(300));
        n_disconnected += (c->peer[0].disconnected_us != PL_NEVER) + (c->peer[1].disconnected_us != PL_NEVER);
        PL_OKAY(c->peer[0].last != PL_ICE_FAILED);
        sim_ice_call_free(c);
    }
    PL_LE(n_disconnected, 8); /* of 40 peers and some 2400 checks */
}

/* While a restart is under way data stays on the old pair, which keeps its consent; then it moves. */
PL_TEST(restart_moves_to_a_new_network)
{
    uint64_t seed = pl_test_seed(9);
    for (uint64_t i = 0; i < ROUNDS; i++) {
        sim_ice_call *c = on_one_lan(seed + i, &offerer, &answerer);
        c->signaling_us = PL_MS(100);
        sim_ice_call_start(c);
        connected_and_agreed(c, PL_SEC(2), seed + i);
        pl_path old, now;
        PL_OKAY(pl_ice_selected(c->peer[0].ice, &old));
        char ufrag[PL_ICE_UFRAG_MAX + 1];
        snprintf(ufrag, sizeof ufrag, "%s", pl_ice_ufrag(c->peer[0].ice));
        uint32_t told = c->peer[0].n_candidates[PL_ICE_HOST];
        for (int k = 0; k < 2; k++) {
            PL_EQ(pl_ice_restart(c->peer[k].ice, c->now_us, NULL, NULL), PL_OK);
            sim_ice_peer_base(c, k, k ? "10.7.0.2" : "10.7.0.1");
        }
        PL_OKAY(strcmp(ufrag, pl_ice_ufrag(c->peer[0].ice)) != 0);
        sim_ice_call_start(c);
        sim_ice_call_run(c, PL_MS(50));
        PL_OKAY(pl_ice_selected(c->peer[0].ice, &now));
        PL_OKAY(pl_addr_eq(&now.local, &old.local));
        PL_EQ(c->peer[0].last, PL_ICE_CONNECTED); /* left "completed", not below "connected" */
        PL_EQ(c->peer[0].n_candidates[PL_ICE_HOST], told + 2);
        sim_ice_call_run(c, PL_SEC(2));
        PL_EQ(c->peer[0].last, PL_ICE_COMPLETED);
        PL_OKAY(sim_ice_call_agrees(c));
        sim_ice_call_run(c, PL_SEC(60));
        PL_EQ(c->peer[0].last, PL_ICE_COMPLETED);
        PL_EQ(c->peer[0].disconnected_us, PL_NEVER);
        sim_ice_call_free(c);
    }
}

PL_TEST(rollback_returns_to_the_old_session)
{
    sim_ice_call *c = on_one_lan(10, &offerer, &answerer);
    sim_ice_call_start(c);
    connected_and_agreed(c, PL_SEC(2), 10);
    char ufrag[PL_ICE_UFRAG_MAX + 1];
    snprintf(ufrag, sizeof ufrag, "%s", pl_ice_ufrag(c->peer[0].ice));
    PL_EQ(pl_ice_rollback(c->peer[0].ice, c->now_us), PL_ESTATE);
    PL_EQ(pl_ice_restart(c->peer[0].ice, c->now_us, NULL, NULL), PL_OK);
    PL_EQ(pl_ice_restart(c->peer[0].ice, c->now_us, "abcd", "0123456789012345678901"), PL_OK);
    PL_STREQ(pl_ice_ufrag(c->peer[0].ice), "abcd");
    sim_ice_call_run(c, PL_SEC(20)); /* consent of the old session goes on meanwhile */
    PL_EQ(c->peer[0].last, PL_ICE_CONNECTED);
    PL_EQ(pl_ice_rollback(c->peer[0].ice, c->now_us), PL_OK);
    PL_STREQ(pl_ice_ufrag(c->peer[0].ice), ufrag);
    sim_ice_call_run(c, PL_SEC(60));
    PL_EQ(c->peer[0].last, PL_ICE_COMPLETED);
    PL_EQ(c->peer[1].last, PL_ICE_COMPLETED);
    sim_ice_call_free(c);
}

/* The selected interface disappears: another valid pair takes over, or the call is given up in time. */
PL_TEST(a_vanished_interface)
{
    sim_ice_call *c = sim_ice_call_new(11);
    sim_net net = lan();
    for (int i = 0; i < 2; i++) {
        sim_ice_peer_up(c, i, sim_ice_host(c->net, &net, SIM_NAT_OPEN, NULL), i ? &answerer : &offerer);
        sim_ice_peer_base(c, i, i ? "10.0.0.2" : "10.0.0.1");
        sim_ice_peer_base(c, i, i ? "10.9.0.2" : "10.9.0.1");
    }
    sim_ice_call_start(c);
    connected_and_agreed(c, PL_SEC(2), 11);
    pl_path before, after;
    PL_OKAY(pl_ice_selected(c->peer[0].ice, &before));
    pl_ice_remove_base(c->peer[0].ice, c->now_us, &before.local);
    if (pl_ice_selected(c->peer[0].ice, &after))
        PL_OKAY(!pl_addr_eq(&after.local, &before.local));
    for (int k = 0; k < 2; k++)
        PL_EQ(pl_ice_restart(c->peer[k].ice, c->now_us, NULL, NULL), PL_OK);
    sim_ice_call_start(c);
    connected_and_agreed(c, PL_SEC(2), 11);
    PL_OKAY(pl_ice_selected(c->peer[0].ice, &after));
    PL_OKAY(!pl_addr_eq(&after.local, &before.local));
    sim_ice_call_free(c);
}

PL_TESTS(t(two_round_trips_on_a_lan), t(connect_time_between_homes), t(thousands_of_calls_connect),
         t(role_conflicts_are_settled), t(peer_reflexive_candidates_are_discovered), t(lite_peers),
         t(two_lite_peers), t(two_symmetric_nats_fail_in_time),
         t(a_dead_stun_server_costs_five_seconds_of_gathering), t(ipv6_is_preferred_where_both_have_it),
         t(consent_is_asked_about_every_five_seconds), t(blackouts), t(loss_alone_is_no_disconnection),
         t(restart_moves_to_a_new_network), t(rollback_returns_to_the_old_session), t(a_vanished_interface))
