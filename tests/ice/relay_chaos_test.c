/* Thousands of calls with everything at once: any NATs, relays for one side or both or none, loss to 30 %, equal roles,
 * restarts in the middle of checks, interfaces that come and go, TURN servers that restart or die. Both sides end on the
 * same pair, or both fail, within the time of RFC 8863; and what must connect connects. */
#include "pl_test.h"

#include "base/time.h"
#include "sim/ice_call.h"
#include "sim/turn_net.h"

enum { ROUNDS = 1500 };

#define FAIL_WITH(seed, what)                                                                                \
    do {                                                                                                     \
        print_error("PL_SEED=%llu: %s\n", (unsigned long long)(seed), what);                                 \
        fail();                                                                                              \
    } while (0)

typedef struct chaos {
    sim_ice_call *call;
    sim_turn *turn[2];
    pl_rand_seeded state;
    pl_rand r;
    bool has_turn[2];
    pl_addr extra[2]; /* an interface that may go again */
    double loss;
} chaos;

static bool one_in(chaos *x, uint32_t n)
{
    return pl_rand_below(&x->r, n) == 0;
}

static void make_peer(chaos *x, int i, bool controlling)
{
    sim_ice_call *c = x->call;
    char inner[32];
    sim_net net = { .delay_us = 100 + pl_rand_below(&x->r, 60000),
                    .jitter_us = pl_rand_below(&x->r, 10000),
                    .loss = x->loss / 2, /* up and down each */
                    .duplicate = 0.01,
                    .reorder = 0.03,
                    .reorder_us = PL_MS(5) };
    sim_nat_kind nat = (sim_nat_kind)pl_rand_below(&x->r, 5);
    pl_ice_conf conf = { .controlling = controlling };
    sim_ice_peer_up(c, i, sim_ice_host(c->net, &net, nat, i ? "203.0.113.2" : "203.0.113.1"), &conf);
    if (nat != SIM_NAT_OPEN)
        sim_ice_set_nat(c->net, c->peer[i].host, (sim_nat_dependence)pl_rand_below(&x->r, 3),
                        (sim_nat_dependence)pl_rand_below(&x->r, 3));
    snprintf(inner, sizeof inner, nat == SIM_NAT_OPEN ? "203.0.113.%d" : "192.168.%d.5", i + 1);
    sim_ice_peer_base(c, i, inner);
    if (one_in(x, 2))
        sim_ice_peer_base(c, i, i ? "2001:db8:2::1" : "2001:db8:1::1");
    c->peer[i].mdns = one_in(x, 5);
    c->peer[i].holds_candidates = one_in(x, 3);
    c->peer[i].says_done = !one_in(x, 4);
}

static void add_servers(chaos *x, int i)
{
    sim_ice_call *c = x->call;
    pl_addr server = sim_turn_addr(x->turn[0], PL_AF_IP4);
    PL_EQ(pl_ice_add_stun_server(c->peer[i].ice, c->now_us, &server), PL_OK);
    x->has_turn[i] = !one_in(x, 3);
    for (int s = 0; s < 2 && x->has_turn[i]; s++) {
        pl_addr at = sim_turn_addr(x->turn[s], PL_AF_IP4);
        sim_ice_peer_turn(c, i, &at, PL_UDP, false);
    }
}

/* Stays where it is: its random numbers point into it. */
static void chaos_init(chaos *x, uint64_t seed)
{
    *x = (chaos){ .call = sim_ice_call_new(seed) };
    bool conflict, first;
    x->r = pl_rand_seed(&x->state, seed);
    x->loss =
        pl_rand_below(&x->r, 3) ? pl_rand_below(&x->r, 100) / 1000.0 : pl_rand_below(&x->r, 300) / 1000.0;
    conflict = one_in(x, 4);
    first = one_in(x, 2);
    for (int s = 0; s < 2; s++)
        x->turn[s] = sim_turn_new(x->call->net,
                                  &(sim_turn_conf){ .addr = s ? "198.51.100.4:3478" : "198.51.100.2:3478",
                                                    .seed = seed + (uint64_t)s });
    for (int i = 0; i < 2; i++)
        make_peer(x, i, conflict ? first : (i == 0) == first);
    for (int i = 0; i < 2; i++)
        add_servers(x, i);
    x->call->signaling_us = pl_rand_below(&x->r, 80000);
    x->call->signaling_jitter_us = 1 + pl_rand_below(&x->r, 100000);
}

static void chaos_free(chaos *x)
{
    sim_turn_free(x->turn[0]);
    sim_turn_free(x->turn[1]);
    sim_ice_call_free(x->call);
}

/* Something happens. */
static void stir(chaos *x)
{
    sim_ice_call *c = x->call;
    int i = (int)pl_rand_below(&x->r, 2);
    switch (pl_rand_below(&x->r, 6)) {
    case 0:
        if (x->extra[i].family == PL_AF_NONE)
            x->extra[i] = sim_ice_peer_base(c, i, i ? "2001:db8:4::1" : "2001:db8:3::1");
        break;
    case 1:
        if (x->extra[i].family != PL_AF_NONE)
            sim_ice_peer_unbase(c, i, &x->extra[i]);
        x->extra[i] = (pl_addr){ 0 };
        break;
    case 2: sim_turn_reboot(x->turn[i], c->now_us); break;
    case 3: sim_turn_silence(x->turn[1], one_in(x, 2)); break;
    case 4:
        for (int k = 0; k < 2; k++)
            PL_EQ(pl_ice_restart(c->peer[k].ice, c->now_us, NULL, NULL), PL_OK);
        sim_ice_call_start(c);
        break;
    case 5: sim_ice_nat_reboot(c->net, c->peer[i].host); break;
    }
}

static bool at_rest(const sim_ice_call *c)
{
    for (int i = 0; i < 2; i++)
        if (!sim_ice_peer_connected(c, i) && c->peer[i].last != PL_ICE_FAILED)
            return false;
    return sim_ice_call_agrees(c) || (c->peer[0].last == PL_ICE_FAILED && c->peer[1].last == PL_ICE_FAILED);
}

/* Everything has happened: from now on only time passes. 39.5 s is what RFC 8863 gives; one who failed is told by the
 * other's consent running out 30 s later. */
static void must_come_to_rest(chaos *x, uint64_t seed)
{
    int64_t end_us = x->call->now_us + PL_MS(39500) + PL_SEC(31);
    while (!at_rest(x->call) && x->call->now_us < end_us)
        sim_ice_call_run(x->call, PL_SEC(1));
    if (!at_rest(x->call)) {
        print_error("%s and %s\n", pl_ice_state_str(x->call->peer[0].last),
                    pl_ice_state_str(x->call->peer[1].last));
        FAIL_WITH(seed, "neither one pair nor two failures");
    }
}

PL_TEST(calls_connect_or_fail_together)
{
    uint64_t seed = pl_test_seed(70000);
    int n_up = 0, n_down = 0;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        chaos x;
        chaos_init(&x, seed + i);
        sim_ice_call_start(x.call);
        sim_ice_call_run(x.call, PL_SEC(1));
        must_come_to_rest(&x, seed + i);
        bool up = sim_ice_peer_connected(x.call, 0);
        if (!up && x.has_turn[0] && x.has_turn[1] && x.loss < 0.2)
            FAIL_WITH(seed + i, "two relays and no call");
        n_up += up;
        n_down += !up;
        chaos_free(&x);
    }
    print_message("%d connected, %d failed on both sides\n", n_up, n_down);
    PL_GE(n_up, ROUNDS * 8 / 10);
    PL_GE(n_down, 1);
}

PL_TEST(whatever_happens_they_agree)
{
    uint64_t seed = pl_test_seed(80000);
    int n_up = 0;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        chaos x;
        chaos_init(&x, seed + i);
        sim_ice_call_start(x.call);
        for (int k = 0; k < 12; k++) {
            sim_ice_call_run(x.call, 1 + pl_rand_below(&x.r, one_in(&x, 3) ? 3000000 : 200000));
            stir(&x);
        }
        sim_turn_silence(x.turn[1], false);
        must_come_to_rest(&x, seed + i);
        n_up += sim_ice_peer_connected(x.call, 0);
        chaos_free(&x);
    }
    print_message("%d of %d connected in the end\n", n_up, ROUNDS);
    PL_GE(n_up, ROUNDS / 2);
}

PL_TESTS(t(calls_connect_or_fail_together), t(whatever_happens_they_agree))
