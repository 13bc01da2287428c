/* Calls through relays over time: relays that die, reboot, send us elsewhere or refuse us, networks that lose, change or
 * block, an hour of consent. Everything in virtual time; a red test prints its seed, PL_SEED replays it. */
#include "pl_test.h"

#include "base/time.h"
#include "sim/ice_call.h"
#include "sim/turn_net.h"

enum { SERVERS = 2 };

static const sim_net link = { .delay_us = PL_MS(10) };

typedef struct scene {
    sim_ice_call *call;
    sim_turn *turn[SERVERS];
    pl_addr at[SERVERS];
} scene;

/* Two hosts behind NATs that only a relay brings together, and two servers, which nobody has been told of yet. */
static scene scene_new(uint64_t seed, const sim_net *net, const sim_turn_conf *server,
                       const pl_ice_conf *conf)
{
    static const char *const outer[] = { "203.0.113.1", "203.0.113.2" };
    static const char *const inner[] = { "192.168.0.7", "192.168.1.9" };
    static const char *const addr[] = { "198.51.100.2:3478", "198.51.100.3:3478" };
    scene x = { .call = sim_ice_call_new(seed) };
    for (int i = 0; i < SERVERS; i++) {
        sim_turn_conf c = server ? *server : (sim_turn_conf){ 0 };
        c.addr = addr[i];
        c.seed = seed + (uint64_t)i;
        x.turn[i] = sim_turn_new(x.call->net, &c);
        x.at[i] = sim_turn_addr(x.turn[i], PL_AF_IP4);
    }
    for (int i = 0; i < 2; i++) {
        pl_ice_conf c = conf ? *conf : (pl_ice_conf){ 0 };
        c.controlling = i == 0;
        sim_ice_peer_up(x.call, i, sim_ice_host(x.call->net, net, SIM_NAT_SYMMETRIC, outer[i]), &c);
        sim_ice_peer_base(x.call, i, inner[i]);
        PL_EQ(pl_ice_add_stun_server(x.call->peer[i].ice, x.call->now_us, &x.at[0]), PL_OK);
    }
    return x;
}

static void use(scene *x, int who, int server, pl_proto proto)
{
    sim_ice_peer_turn(x->call, who, &x->at[server], proto, false);
}

static void scene_free(scene *x)
{
    for (int i = 0; i < SERVERS; i++)
        sim_turn_free(x->turn[i]);
    sim_ice_call_free(x->call);
}

/* The server whose relayed address peer `who` sends from; -1: none. */
static int relay_of(const scene *x, int who)
{
    pl_path path;
    if (!pl_ice_selected(x->call->peer[who].ice, &path))
        return -1;
    for (int i = 0; i < SERVERS; i++) {
        pl_addr ip = path.local;
        ip.port = x->at[i].port;
        if (pl_addr_eq(&ip, &x->at[i]))
            return i;
    }
    return -1;
}

/* One datagram from `from` over its selected pair; whether it arrives. */
static bool data_flows(scene *x, int from)
{
    uint8_t data[200] = { 0x80, 0 }; /* looks like RTP */
    sim_ice_peer *a = &x->call->peer[from], *b = &x->call->peer[!from];
    pl_dgram d = { .data = data, .cap = sizeof data, .len = 50 };
    uint64_t before = pl_ice_get_counters(b->ice)->not_stun;
    if (!pl_ice_selected(a->ice, &d.path) || pl_ice_wrap(a->ice, x->call->now_us, &d))
        return false;
    sim_ice_send(x->call->net, x->call->now_us, a->host, &d.path, d.data, d.len);
    sim_ice_call_run(x->call, PL_MS(300));
    return pl_ice_get_counters(b->ice)->not_stun == before + 1;
}

static bool both_ways(scene *x)
{
    return data_flows(x, 0) && data_flows(x, 1);
}

/* Until data flows both ways, tried every 300 ms; how long that took, or PL_NEVER. */
static int64_t until_data_us(scene *x, int64_t limit_us)
{
    int64_t begin_us = x->call->now_us;
    while (x->call->now_us - begin_us < limit_us)
        if (both_ways(x))
            return x->call->now_us - begin_us;
        else
            sim_ice_call_run(x->call, PL_MS(100));
    return PL_NEVER;
}

PL_TEST(an_hour_through_two_relays)
{
    scene x = scene_new(1, &link, &(sim_turn_conf){ .nonce_life_us = PL_SEC(400) }, NULL);
    use(&x, 0, 0, PL_UDP);
    use(&x, 1, 1, PL_UDP);
    sim_ice_call_start(x.call);
    PL_OKAY(sim_ice_call_connect(x.call, PL_SEC(5)));
    sim_ice_call_run(x.call, PL_SEC(5));
    PL_OKAY(both_ways(&x));
    uint32_t n_selected = x.call->peer[0].n_selected;
    for (int i = 0; i < 60; i++) {
        sim_ice_call_run(x.call, PL_SEC(60) - PL_MS(600));
        PL_OKAY(both_ways(&x));
    }
    for (int i = 0; i < 2; i++) {
        PL_EQ(x.call->peer[i].disconnected_us, PL_NEVER);
        PL_OKAY(sim_ice_peer_connected(x.call, i));
    }
    PL_EQ(x.call->peer[0].n_selected, n_selected); /* and no wavering between pairs that are alike */
    scene_free(&x);
}

/* Both have the same two relays; the one in use dies. Nobody restarts. */
PL_TEST(the_relay_in_use_falls_silent)
{
    uint64_t first = pl_test_seed(200);
    for (uint64_t seed = first; seed < first + (getenv("PL_SEED") ? 1 : 8); seed++) {
        scene x = scene_new(seed, &link, NULL, NULL);
        for (int who = 0; who < 2; who++)
            for (int server = 0; server < SERVERS; server++)
                use(&x, who, server, PL_UDP);
        sim_ice_call_start(x.call);
        PL_OKAY(sim_ice_call_connect(x.call, PL_SEC(5)));
        sim_ice_call_run(x.call, PL_SEC(10));
        PL_OKAY(both_ways(&x));
        int dead = relay_of(&x, 0) >= 0 ? relay_of(&x, 0) : relay_of(&x, 1);
        PL_GE(dead, 0);
        sim_turn_silence(x.turn[dead], true);
        int64_t took_us = until_data_us(&x, PL_SEC(60));
        if (took_us > PL_SEC(20))
            fail_msg("PL_SEED=%llu: data again after %lld ms", (unsigned long long)seed,
                     (long long)took_us / 1000);
        sim_ice_call_run(x.call, PL_SEC(40));
        for (int who = 0; who < 2; who++) {
            PL_EQ(x.call->peer[who].failed_us, PL_NEVER);
            PL_OKAY(sim_ice_peer_connected(x.call, who));
        }
        PL_OKAY(both_ways(&x));
        scene_free(&x);
    }
}

/* The only relay forgets everything. The agents allocate anew and tell the new candidates, and the call goes on. */
PL_TEST(the_only_relay_reboots)
{
    for (int proto = PL_UDP; proto <= PL_TCP; proto++) {
        scene x = scene_new(3, &link, NULL, NULL);
        use(&x, 0, 0, (pl_proto)proto);
        use(&x, 1, 0, (pl_proto)proto);
        sim_ice_call_start(x.call);
        PL_OKAY(sim_ice_call_connect(x.call, PL_SEC(5)));
        sim_ice_call_run(x.call, PL_SEC(10));
        PL_OKAY(both_ways(&x));
        sim_turn_reboot(x.turn[0], x.call->now_us);
        PL_LE(until_data_us(&x, PL_SEC(60)), PL_SEC(25));
        for (int who = 0; who < 2; who++)
            PL_EQ(x.call->peer[who].failed_us, PL_NEVER);
        sim_ice_call_run(x.call, PL_SEC(60));
        PL_OKAY(both_ways(&x));
        scene_free(&x);
    }
}

/* The NAT of one host forgets its mappings: to the relay it is a stranger now. */
PL_TEST(a_nat_reboots)
{
    scene x = scene_new(4, &link, NULL, NULL);
    use(&x, 0, 0, PL_UDP);
    use(&x, 1, 1, PL_UDP);
    sim_ice_call_start(x.call);
    PL_OKAY(sim_ice_call_connect(x.call, PL_SEC(5)));
    sim_ice_call_run(x.call, PL_SEC(10));
    for (int who = 0; who < 2; who++) {
        PL_OKAY(both_ways(&x));
        sim_ice_nat_reboot(x.call->net, x.call->peer[who].host);
        PL_LE(until_data_us(&x, PL_SEC(60)), PL_SEC(25));
        PL_EQ(x.call->peer[who].failed_us, PL_NEVER);
        sim_ice_call_run(x.call, PL_SEC(40));
    }
    PL_OKAY(both_ways(&x));
    scene_free(&x);
}

PL_TEST(one_of_two_servers_never_answers)
{
    scene x = scene_new(5, &link, NULL, NULL);
    sim_turn_silence(x.turn[0], true);
    for (int who = 0; who < 2; who++)
        for (int server = 0; server < SERVERS; server++)
            use(&x, who, server, PL_UDP);
    sim_ice_call_start(x.call);
    PL_OKAY(sim_ice_call_connect(x.call, PL_MS(300))); /* the dead one holds nobody up */
    PL_OKAY(both_ways(&x));
    sim_ice_call_run(x.call, PL_SEC(10));
    PL_EQ(x.call->peer[0].gathering, PL_ICE_GATHER_COMPLETE);
    scene_free(&x);
}

PL_TEST(a_server_that_refuses_us)
{
    pl_relay_policy one = { .max_per_user = 1 }; /* and both are alice */
    scene x = scene_new(6, &link, &(sim_turn_conf){ .policy = &one }, NULL);
    use(&x, 0, 0, PL_UDP);
    use(&x, 1, 0, PL_UDP);
    sim_ice_call_start(x.call);
    PL_OKAY(sim_ice_call_connect(x.call, PL_SEC(2))); /* one relay is enough */
    PL_OKAY(both_ways(&x));
    PL_EQ(x.call->peer[0].n_candidates[PL_ICE_RELAY] + x.call->peer[1].n_candidates[PL_ICE_RELAY], 1);
    scene_free(&x);

    x = scene_new(7, &link, &(sim_turn_conf){ .password = "changed" }, NULL);
    use(&x, 0, 0, PL_UDP);
    use(&x, 1, 0, PL_UDP);
    sim_ice_call_start(x.call);
    sim_ice_call_run(x.call, PL_SEC(2));
    for (int who = 0; who < 2; who++) {
        PL_EQ(x.call->peer[who].gathering, PL_ICE_GATHER_COMPLETE);
        PL_EQ(x.call->peer[who].n_candidates[PL_ICE_RELAY], 0);
    }
    PL_OKAY(!sim_ice_call_connect(x.call, PL_SEC(60)));
    PL_EQ(x.call->peer[0].last, PL_ICE_FAILED);
    scene_free(&x);
}

PL_TEST(sent_to_another_server)
{
    scene x = scene_new(8, &link, NULL, NULL);
    pl_relay_drain(sim_turn_core(x.turn[0]), x.call->now_us, x.call->now_us + PL_SEC(100), &x.at[1], 1);
    use(&x, 0, 0, PL_UDP);
    use(&x, 1, 0, PL_UDP);
    sim_ice_call_start(x.call);
    PL_OKAY(sim_ice_call_connect(x.call, PL_SEC(2)));
    PL_OKAY(both_ways(&x));
    PL_EQ(relay_of(&x, 0) >= 0 ? relay_of(&x, 0) : relay_of(&x, 1), 1);
    scene_free(&x);
}

/* Policy "relay": nothing of either's own addresses leaves it, not even in a check. */
PL_TEST(relays_only)
{
    scene x = scene_new(9, &link, NULL, &(pl_ice_conf){ .relay_only = true });
    use(&x, 0, 0, PL_UDP);
    use(&x, 1, 1, PL_UDP);
    sim_ice_call_start(x.call);
    PL_OKAY(sim_ice_call_connect(x.call, PL_MS(400)));
    PL_OKAY(both_ways(&x));
    for (int who = 0; who < 2; who++) {
        pl_ice_type local = PL_ICE_HOST, remote = PL_ICE_HOST;
        PL_EQ(x.call->peer[who].n_candidates[PL_ICE_HOST], 0);
        PL_EQ(x.call->peer[who].n_candidates[PL_ICE_SRFLX], 0);
        PL_EQ(x.call->peer[who].n_candidates[PL_ICE_RELAY], 1);
        PL_OKAY(sim_ice_peer_types(x.call, who, &local, &remote));
        PL_EQ(local, PL_ICE_RELAY);
        PL_EQ(remote, PL_ICE_RELAY);
    }
    scene_free(&x);
}

static void lossy(uint64_t seed)
{
    sim_net net = { .delay_us = PL_MS(10 + (int64_t)(seed % 5) * 10),
                    .jitter_us = PL_MS(10),
                    .loss = (double)(seed % 21) / 100,
                    .duplicate = 0.01,
                    .reorder = 0.01 };
    scene x = scene_new(seed, &net, &(sim_turn_conf){ .nonce_life_us = PL_SEC(50) }, NULL);
    x.call->signaling_us = PL_MS(30);
    x.call->signaling_jitter_us = PL_MS(30);
    use(&x, 0, 0, PL_UDP);
    if (seed % 3)
        use(&x, 1, seed % 2, PL_UDP); /* the same relay, another one, or none at all */
    sim_ice_call_start(x.call);
    bool up = sim_ice_call_connect(x.call, PL_SEC(30)); /* at worst only two of five checks are answered */
    sim_ice_call_run(x.call, PL_SEC(120));
    bool alive = sim_ice_peer_connected(x.call, 0) && sim_ice_peer_connected(x.call, 1);
    bool agrees = sim_ice_call_agrees(x.call);
    for (int i = 0; i < 40 && !agrees; i++) { /* one of them may be about to follow the other */
        sim_ice_call_run(x.call, PL_MS(500));
        agrees = sim_ice_call_agrees(x.call);
    }
    bool flows = until_data_us(&x, PL_SEC(10)) != PL_NEVER;
    if (!up || !alive || !agrees || !flows)
        fail_msg("PL_SEED=%llu: up %d, alive %d, agrees %d, flows %d", (unsigned long long)seed, up, alive,
                 agrees, flows);
    scene_free(&x);
}

PL_TEST(losses_up_to_twenty_percent)
{
    uint64_t first = pl_test_seed(1000);
    for (uint64_t seed = first; seed < first + (getenv("PL_SEED") ? 1 : 150); seed++)
        lossy(seed);
}

PL_TESTS(t(an_hour_through_two_relays), t(the_relay_in_use_falls_silent), t(the_only_relay_reboots),
         t(a_nat_reboots), t(one_of_two_servers_never_answers), t(a_server_that_refuses_us),
         t(sent_to_another_server), t(relays_only), t(losses_up_to_twenty_percent))
