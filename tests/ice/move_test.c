/* A call that moves: an interface goes or comes, a path dies, another is faster. No application does anything. */
#include "pl_test.h"

#include "base/time.h"
#include "sim/ice_call.h"

static const pl_ice_conf offerer = { .controlling = true }, answerer = { 0 };
static const sim_net link = { .delay_us = PL_MS(10) };

static sim_ice_call *two_hosts(uint64_t seed)
{
    sim_ice_call *c = sim_ice_call_new(seed);
    for (int i = 0; i < 2; i++) {
        sim_ice_peer_up(c, i, sim_ice_host(c->net, &link, SIM_NAT_OPEN, NULL), i ? &answerer : &offerer);
        sim_ice_peer_base(c, i, i ? "203.0.113.2" : "203.0.113.1");
    }
    return c;
}

static void connect_it(sim_ice_call *c)
{
    sim_ice_call_start(c);
    PL_OKAY(sim_ice_call_connect(c, PL_SEC(2)));
    sim_ice_call_run(c, PL_SEC(1));
    PL_OKAY(sim_ice_call_agrees(c));
}

static pl_addr local_of(const sim_ice_call *c, int who)
{
    pl_path path = { 0 };
    PL_OKAY(pl_ice_selected(c->peer[who].ice, &path));
    return path.local;
}

/* Runs until both are connected on one pair that uses `base` of `who`; how long that took. */
static int64_t until_on(sim_ice_call *c, int who, const pl_addr *base, int64_t limit_us)
{
    int64_t start_us = c->now_us;
    while (c->now_us < start_us + limit_us) {
        pl_path path;
        sim_ice_call_run(c, PL_MS(5));
        bool there = pl_ice_selected(c->peer[who].ice, &path) && pl_addr_eq(&path.local, base);
        if (there && sim_ice_call_agrees(c) && sim_ice_peer_connected(c, 0) && sim_ice_peer_connected(c, 1))
            return c->now_us - start_us;
    }
    return PL_NEVER;
}

/* Media flows: both hear something every 20 ms while both paths work. */
static void talk(sim_ice_call *c, int64_t for_us)
{
    for (int64_t end_us = c->now_us + for_us; c->now_us < end_us;) {
        sim_ice_call_run(c, PL_MS(20));
        for (int i = 0; i < 2; i++)
            pl_ice_heard(c->peer[i].ice, c->now_us);
    }
}

/* From one network to the other, as a telephone does: the old interface goes first, or the new one comes first. */
PL_TEST(a_telephone_leaves_the_house)
{
    for (int who = 0; who < 2; who++) {
        for (int overlap = 0; overlap < 2; overlap++) {
            sim_ice_call *c = two_hosts(10);
            connect_it(c);
            talk(c, PL_SEC(4));
            pl_addr old = local_of(c, who), new;
            if (overlap) {
                new = sim_ice_peer_base(c, who, "203.0.113.77");
                talk(c, PL_MS(500));
                sim_ice_peer_unbase(c, who, &old);
            } else {
                sim_ice_peer_unbase(c, who, &old);
                sim_ice_call_run(c, PL_MS(5));
                PL_EQ(c->peer[who].last, PL_ICE_DISCONNECTED);
                sim_ice_call_run(c, PL_MS(495));
                new = sim_ice_peer_base(c, who, "203.0.113.77");
            }
            int64_t took_us = until_on(c, who, &new, PL_SEC(5));
            print_message("%s, %s: %lld ms\n", who ? "controlled" : "controlling",
                          overlap ? "new one first" : "old one first", (long long)took_us / 1000);
            PL_LE(took_us, PL_MS(700));
            sim_ice_call_run(c, PL_SEC(60));
            for (int i = 0; i < 2; i++) {
                PL_OKAY(sim_ice_peer_connected(c, i));
                PL_EQ(c->peer[i].failed_us, PL_NEVER);
            }
            PL_OKAY(sim_ice_call_agrees(c));
            sim_ice_call_free(c);
        }
    }
}

/* Both had two interfaces from the start. One of the selected pair goes: the other pair carries on at once. */
PL_TEST(a_second_interface_takes_over)
{
    for (int who = 0; who < 2; who++) {
        sim_ice_call *c = two_hosts(11);
        for (int i = 0; i < 2; i++)
            sim_ice_peer_base(c, i, i ? "198.18.0.2" : "198.18.0.1");
        connect_it(c);
        sim_ice_call_run(c, PL_SEC(3));
        pl_addr old = local_of(c, who);
        sim_ice_peer_unbase(c, who, &old);
        pl_path path;
        PL_OKAY(pl_ice_selected(c->peer[who].ice, &path)); /* without a packet in between */
        PL_OKAY(!pl_addr_eq(&path.local, &old));
        pl_addr now = path.local;
        PL_LE(until_on(c, who, &now, PL_SEC(5)), PL_MS(700));
        PL_EQ(c->peer[who].disconnected_us, PL_NEVER);
        sim_ice_call_free(c);
    }
}

/* Nobody is told that a path is dead: consent shows it, long before it runs out. */
PL_TEST(a_path_dies_silently)
{
    for (int who = 0; who < 2; who++) {
        sim_ice_call *c = two_hosts(12);
        for (int i = 0; i < 2; i++)
            sim_ice_peer_base(c, i, i ? "198.18.0.2" : "198.18.0.1");
        connect_it(c);
        sim_ice_call_run(c, PL_SEC(13));
        pl_addr old = local_of(c, who);
        sim_ice_unbind(c->net, c->peer[who].host, &old);
        int64_t start_us = c->now_us;
        pl_path path;
        do {
            sim_ice_call_run(c, PL_MS(50));
            PL_OKAY(pl_ice_selected(c->peer[who].ice, &path));
        } while (pl_addr_eq(&path.local, &old) && c->now_us < start_us + PL_SEC(20));
        PL_LE(c->now_us - start_us, PL_SEC(9)); /* a consent interval, a moment's doubt, a round trip */
        sim_ice_call_run(c, PL_SEC(1));
        PL_OKAY(sim_ice_call_agrees(c));
        sim_ice_call_run(c, PL_SEC(60));
        for (int i = 0; i < 2; i++)
            PL_EQ(c->peer[i].failed_us, PL_NEVER);
        sim_ice_call_free(c);
    }
}

/* The NAT forgets its mapping: the same sockets get new outer addresses and the call goes on. */
PL_TEST(a_nat_that_forgets)
{
    for (int who = 0; who < 2; who++) {
        sim_ice_call *c = sim_ice_call_new(13);
        for (int i = 0; i < 2; i++) {
            sim_ice_peer_up(
                c, i, sim_ice_host(c->net, &link, SIM_NAT_PORT_RESTRICTED, i ? "203.0.113.2" : "203.0.113.1"),
                i ? &answerer : &offerer);
            sim_ice_peer_base(c, i, i ? "192.168.1.9" : "192.168.0.7");
        }
        pl_addr server = sim_ice_stun_server(c->net, "198.51.100.1:3478");
        for (int i = 0; i < 2; i++)
            PL_EQ(pl_ice_add_stun_server(c->peer[i].ice, c->now_us, &server), PL_OK);
        connect_it(c);
        sim_ice_call_run(c, PL_SEC(3));
        sim_ice_nat_reboot(c->net, c->peer[who].host);
        sim_ice_call_run(c, PL_SEC(25));
        for (int i = 0; i < 2; i++) {
            PL_OKAY(sim_ice_peer_connected(c, i)); /* the new address was asked for and signaled */
            PL_EQ(c->peer[i].failed_us, PL_NEVER);
        }
        PL_OKAY(sim_ice_call_agrees(c));
        for (int i = 0; i < 2; i++)
            sim_ice_nat_reboot(c->net, c->peer[i].host);
        for (int i = 0; i < 2; i++)
            PL_EQ(pl_ice_restart(c->peer[i].ice, c->now_us, NULL, NULL), PL_OK);
        sim_ice_call_start(c);
        PL_OKAY(sim_ice_call_connect(c, PL_SEC(5)));
        sim_ice_call_free(c);
    }
}

/* A call without any path waits half a minute for one; then only a restart helps. */
PL_TEST(a_call_without_a_path_fails_in_time)
{
    sim_ice_call *c = two_hosts(14);
    connect_it(c);
    pl_addr old = local_of(c, 0);
    int64_t start_us = c->now_us;
    sim_ice_peer_unbase(c, 0, &old);
    sim_ice_call_run(c, PL_SEC(20));
    PL_EQ(c->peer[0].last, PL_ICE_DISCONNECTED);
    PL_EQ(c->peer[1].last, PL_ICE_DISCONNECTED);
    sim_ice_call_run(c, PL_SEC(15));
    for (int i = 0; i < 2; i++) {
        PL_EQ(c->peer[i].last, PL_ICE_FAILED);
        PL_LE(c->peer[i].failed_us - start_us, PL_MS(35500));
        PL_EQ(pl_ice_next_us(c->peer[i].ice), PL_NEVER);
    }
    sim_ice_call_free(c);
}

/* ---- faster ---- */

static int64_t rtt_of(const sim_ice_call *c, int who)
{
    pl_ice_pair_info pair;
    PL_OKAY(pl_ice_get_selected_pair(c->peer[who].ice, &pair));
    return pair.rtt_us;
}

/* Two interfaces, equally fast at first. Then the selected one becomes slow. */
PL_TEST(a_much_faster_pair_takes_over_after_a_while)
{
    static const struct {
        int64_t selected_ms, other_ms; /* round trips */
        bool moves;
    } table[] = {
        { 60, 20, true }, { 40, 33, false }, { 200, 170, false }, { 200, 120, true }, { 20, 20, false }
    };
    for (size_t k = 0; k < sizeof table / sizeof table[0]; k++) {
        sim_ice_call *c = two_hosts(20);
        sim_net fast = { .delay_us = PL_MS(table[k].other_ms) / 4 };
        sim_net slow = { .delay_us = PL_MS(2 * table[k].selected_ms - table[k].other_ms) / 4 };
        for (int i = 0; i < 2; i++)
            sim_ice_set_link(c->net, c->peer[i].host, &fast);
        sim_ice_peer_base(c, 0, "203.0.113.50");
        connect_it(c);
        sim_ice_call_run(c, PL_SEC(5));
        pl_addr first = local_of(c, 0);
        PL_EQ(rtt_of(c, 0), PL_MS(table[k].other_ms));
        sim_ice_set_detour(c->net, c->peer[0].host, &first, &slow);
        uint32_t n_selected = c->peer[0].n_selected;
        sim_ice_call_run(c, PL_SEC(8)); /* one measurement is no reason */
        pl_addr now = local_of(c, 0);
        PL_OKAY(pl_addr_eq(&now, &first));
        sim_ice_call_run(c, PL_SEC(40));
        now = local_of(c, 0);
        PL_EQ(!pl_addr_eq(&now, &first), table[k].moves);
        PL_EQ(c->peer[0].n_selected - n_selected, table[k].moves); /* and there it stays */
        PL_OKAY(sim_ice_call_agrees(c));
        sim_ice_call_free(c);
    }
}

PL_TESTS(t(a_telephone_leaves_the_house), t(a_second_interface_takes_over), t(a_path_dies_silently),
         t(a_nat_that_forgets), t(a_call_without_a_path_fails_in_time),
         t(a_much_faster_pair_takes_over_after_a_while))
