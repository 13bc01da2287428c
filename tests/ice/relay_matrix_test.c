/* Who connects with whom, which way and how fast: the sixteen pairs of classic NATs with and without a relay, and all
 * eighty-one of mapping and filtering, in virtual time. 10 ms each way between a host and the core: 20 ms round trip to a
 * server, 40 ms between hosts, also through a relay. */
#include "pl_test.h"

#include "base/time.h"
#include "sim/ice_call.h"
#include "sim/turn_net.h"

#define FAIL_WITH(...)                                                                                       \
    do {                                                                                                     \
        print_error(__VA_ARGS__);                                                                            \
        fail();                                                                                              \
    } while (0)

static const sim_net link = { .delay_us = PL_MS(10) };
static const char *const kind_name[] = { "open", "full cone", "restricted", "port-restricted", "symmetric" };

typedef struct cell {
    sim_ice_call *call;
    sim_turn *turn;
    pl_addr stun, server;
} cell;

/* Two hosts behind NATs that know one server for STUN, and perhaps TURN, at one address. */
static cell cell_new(uint64_t seed, sim_nat_kind a, sim_nat_kind b, bool relay)
{
    static const char *const outer[] = { "203.0.113.1", "203.0.113.2" };
    static const char *const inner[] = { "192.168.0.7", "192.168.1.9" };
    const sim_nat_kind nat[] = { a, b };
    cell x = { .call = sim_ice_call_new(seed) };
    x.turn = sim_turn_new(x.call->net, &(sim_turn_conf){ .addr = "198.51.100.2:3478", .seed = seed });
    x.server = sim_turn_addr(x.turn, PL_AF_IP4);
    for (int i = 0; i < 2; i++) {
        pl_ice_conf conf = { .controlling = i == 0 };
        sim_ice_peer_up(x.call, i, sim_ice_host(x.call->net, &link, nat[i], outer[i]), &conf);
        sim_ice_peer_base(x.call, i, nat[i] == SIM_NAT_OPEN ? outer[i] : inner[i]);
        x.call->peer[i].holds_candidates = true;
        PL_EQ(pl_ice_add_stun_server(x.call->peer[i].ice, x.call->now_us, &x.server), PL_OK);
        if (relay)
            sim_ice_peer_turn(x.call, i, &x.server, PL_UDP, false);
    }
    return x;
}

static void cell_free(cell *x)
{
    sim_turn_free(x->turn);
    sim_ice_call_free(x->call);
}

/* Both have gathered; then the descriptions are exchanged, each `signaling_us` under way, and checks begin. Returns when
 * the last one knows everything. */
static int64_t cell_start(cell *x, int64_t signaling_us)
{
    int64_t start_us = x->call->now_us;
    for (int i = 0; i < 2; i++)
        pl_ice_bases_done(x->call->peer[i].ice, start_us);
    while (x->call->peer[0].gathering != PL_ICE_GATHER_COMPLETE ||
           x->call->peer[1].gathering != PL_ICE_GATHER_COMPLETE) {
        sim_ice_call_run(x->call, PL_MS(1));
        PL_LE(x->call->now_us - start_us, PL_SEC(10));
    }
    PL_LE(x->call->now_us - start_us, PL_MS(3 * 20 + 1)); /* three round trips to the server */
    x->call->signaling_us = signaling_us;                 /* the candidates are there already */
    sim_ice_call_start(x->call);
    return x->call->now_us + 2 * signaling_us;
}

static bool goes_direct(sim_nat_kind a, sim_nat_kind b)
{
    bool closed_a = a == SIM_NAT_PORT_RESTRICTED || a == SIM_NAT_SYMMETRIC;
    bool closed_b = b == SIM_NAT_PORT_RESTRICTED || b == SIM_NAT_SYMMETRIC;
    return !(closed_a && closed_b && (a == SIM_NAT_SYMMETRIC || b == SIM_NAT_SYMMETRIC));
}

static int64_t up_after_us(const cell *x, int64_t known_us)
{
    return pl_max_us(x->call->peer[0].connected_us, x->call->peer[1].connected_us) - known_us;
}

static bool is_relayed(const cell *x)
{
    pl_ice_type local = PL_ICE_HOST, remote = PL_ICE_HOST;
    PL_OKAY(sim_ice_peer_types(x->call, 0, &local, &remote));
    return local == PL_ICE_RELAY || remote == PL_ICE_RELAY;
}

static void one_pair(sim_nat_kind a, sim_nat_kind b, bool relay, uint64_t seed)
{
    cell x = cell_new(seed, a, b, relay);
    int64_t known_us = cell_start(&x, 0);
    bool up = sim_ice_call_connect(x.call, PL_SEC(30));
    bool direct = goes_direct(a, b);
    if (up != (direct || relay))
        FAIL_WITH("%s with %s, relay %d, seed %llu: %s\n", kind_name[a], kind_name[b], relay,
                  (unsigned long long)seed, up ? "connected" : "not connected");
    if (up) {
        int64_t took_us = up_after_us(&x, known_us), most_us = direct ? PL_MS(120) : PL_MS(200);
        if (took_us > most_us || is_relayed(&x) == direct)
            FAIL_WITH("%s with %s, relay %d, seed %llu: %s after %lld ms\n", kind_name[a], kind_name[b],
                      relay, (unsigned long long)seed, is_relayed(&x) ? "relayed" : "direct",
                      (long long)took_us / 1000);
        sim_ice_call_run(x.call, PL_SEC(2));
        PL_OKAY(sim_ice_call_agrees(x.call));
    } else {
        for (int i = 0; i < 2; i++)
            PL_EQ(x.call->peer[i].last, PL_ICE_FAILED);
    }
    cell_free(&x);
}

PL_TEST(sixteen_pairs_with_a_relay)
{
    uint64_t seed = pl_test_seed(1600);
    for (int a = SIM_NAT_FULL_CONE; a <= SIM_NAT_SYMMETRIC; a++)
        for (int b = SIM_NAT_FULL_CONE; b <= SIM_NAT_SYMMETRIC; b++)
            for (uint64_t i = 0; i < 5; i++)
                one_pair((sim_nat_kind)a, (sim_nat_kind)b, true, seed + i);
}

PL_TEST(sixteen_pairs_without)
{
    uint64_t seed = pl_test_seed(1700);
    for (int a = SIM_NAT_FULL_CONE; a <= SIM_NAT_SYMMETRIC; a++)
        for (int b = SIM_NAT_FULL_CONE; b <= SIM_NAT_SYMMETRIC; b++)
            one_pair((sim_nat_kind)a, (sim_nat_kind)b, false, seed);
}

/* Signaling brings the one side its words before the other, so its first checks find the other's NAT closed. */
PL_TEST(whoever_starts_first)
{
    static const int signaling_ms[] = { 2, 5, 10, 15, 22, 30 };
    uint64_t seed = pl_test_seed(1800);
    for (int i = 0; i < 6 * 32; i++) {
        sim_nat_kind a = (sim_nat_kind)(SIM_NAT_FULL_CONE + i % 4),
                     b = (sim_nat_kind)(SIM_NAT_FULL_CONE + i / 4 % 4);
        bool relay = i / 16 % 2, direct = goes_direct(a, b);
        if (!relay && !direct)
            continue;
        cell x = cell_new(seed, a, b, relay);
        int64_t known_us = cell_start(&x, PL_MS(signaling_ms[i / 32]));
        bool up = sim_ice_call_connect(x.call, PL_SEC(30));
        int64_t took_us = up ? up_after_us(&x, known_us) : PL_NEVER;
        if (took_us > (direct ? PL_MS(121) : PL_MS(200)) || is_relayed(&x) == direct)
            FAIL_WITH("%s with %s, relay %d, signaling %d ms: %s after %lld ms\n", kind_name[a], kind_name[b],
                      relay, signaling_ms[i / 32], is_relayed(&x) ? "relayed" : "direct",
                      (long long)took_us / 1000);
        cell_free(&x);
    }
}

/* ---- all eighty-one ---- */

/* What the NAT lab has measured: two endpoint-independent mappings always meet; one needs a partner that lets the
 * unknown port in; of those without any only a few do (they lie beyond theory, so only "it ends" is asked of them). */
static bool must_connect(const sim_nat_dependence map[2], const sim_nat_dependence filter[2])
{
    if (map[0] == SIM_NAT_EI && map[1] == SIM_NAT_EI)
        return true;
    if (map[0] == SIM_NAT_EI)
        return filter[0] != SIM_NAT_APD;
    return map[1] == SIM_NAT_EI && filter[1] != SIM_NAT_APD;
}

static void one_of_all(const sim_nat_dependence map[2], const sim_nat_dependence filter[2], uint64_t seed)
{
    cell x = cell_new(seed, SIM_NAT_FULL_CONE, SIM_NAT_FULL_CONE, false);
    for (int i = 0; i < 2; i++)
        sim_ice_set_nat(x.call->net, x.call->peer[i].host, map[i], filter[i]);
    int64_t known_us = cell_start(&x, 0);
    bool up = sim_ice_call_connect(x.call, PL_SEC(40));
    if (must_connect(map, filter) && (!up || up_after_us(&x, known_us) > PL_MS(120)))
        FAIL_WITH("%d/%d with %d/%d: up %d\n", map[0], filter[0], map[1], filter[1], up);
    for (int i = 0; i < 2; i++) {
        pl_ice_cand_info info[PL_ICE_LOCALS_MAX + PL_ICE_REMOTES_MAX];
        size_t n = pl_ice_get_candidates(x.call->peer[i].ice, info, sizeof info / sizeof info[0]),
               n_prflx = 0;
        for (size_t k = 0; k < n; k++)
            n_prflx += info[k].remote && info[k].type == PL_ICE_PRFLX;
        PL_LE(n_prflx, PL_ICE_PRFLX_MAX);
        PL_LE(pl_ice_get_pairs(x.call->peer[i].ice, NULL, 0), 2 + PL_ICE_PRFLX_MAX);
        if (!up && x.call->peer[i].last != PL_ICE_FAILED)
            FAIL_WITH("%d/%d with %d/%d: peer %d does not end\n", map[0], filter[0], map[1], filter[1], i);
        if (!up)
            PL_LE(x.call->peer[i].failed_us - known_us, PL_MS(39500)); /* RFC 8863 */
    }
    if (up) {
        sim_ice_call_run(x.call, PL_SEC(3));
        PL_OKAY(sim_ice_call_agrees(x.call));
    }
    cell_free(&x);
}

PL_TEST(eighty_one_pairs_end)
{
    uint64_t seed = pl_test_seed(8100);
    for (int i = 0; i < 81; i++) {
        sim_nat_dependence map[2] = { (sim_nat_dependence)(i / 27), (sim_nat_dependence)(i / 3 % 3) };
        sim_nat_dependence filter[2] = { (sim_nat_dependence)(i / 9 % 3), (sim_nat_dependence)(i % 3) };
        one_of_all(map, filter, seed);
    }
}

PL_TESTS(t(sixteen_pairs_with_a_relay), t(sixteen_pairs_without), t(whoever_starts_first),
         t(eighty_one_pairs_end))
