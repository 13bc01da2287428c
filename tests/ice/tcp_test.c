/* ICE-TCP (RFC 6544): candidates, who connects to whom, and connections that do not come about or break. */
#include "pl_test.h"

#include "base/time.h"
#include "sim/ice_call.h"
#include "stun/integrity.h"

static const pl_ice_conf offerer = { .controlling = true }, answerer = { 0 };
static const sim_net link = { .delay_us = PL_MS(10) };

static sim_ice_call *two_hosts(uint64_t seed, sim_nat_kind a, sim_nat_kind b)
{
    sim_ice_call *c = sim_ice_call_new(seed);
    const sim_nat_kind nat[] = { a, b };
    for (int i = 0; i < 2; i++) {
        sim_ice_peer_up(c, i, sim_ice_host(c->net, &link, nat[i], i ? "203.0.113.2" : "203.0.113.1"),
                        i ? &answerer : &offerer);
        c->peer[i].first_base = (pl_addr){ .family = PL_AF_IP4 };
    }
    return c;
}

static const char *ip_of(int who, sim_nat_kind nat)
{
    return nat == SIM_NAT_OPEN ? who ? "203.0.113.2" : "203.0.113.1" : who ? "192.168.1.9" : "192.168.0.7";
}

/* RFC 6544 4.2: the type counts first, then the direction; every TCP candidate stands behind the UDP ones of its type. */
PL_TEST(priorities)
{
    uint32_t active = pl_ice_cand_priority_tcp(PL_ICE_HOST, PL_ICE_TCPTYPE_ACTIVE, 65535);
    uint32_t passive = pl_ice_cand_priority_tcp(PL_ICE_HOST, PL_ICE_TCPTYPE_PASSIVE, 65535);
    uint32_t so = pl_ice_cand_priority_tcp(PL_ICE_HOST, PL_ICE_TCPTYPE_SO, 65535);
    PL_OKAY(active > passive && passive > so);
    PL_OKAY(pl_ice_cand_priority_tcp(PL_ICE_SRFLX, PL_ICE_TCPTYPE_SO, 65535) >
            pl_ice_cand_priority_tcp(PL_ICE_SRFLX, PL_ICE_TCPTYPE_ACTIVE, 65535));
    PL_OKAY(active < pl_ice_cand_priority(PL_ICE_HOST, 0, 1));
    PL_OKAY(so > pl_ice_cand_priority(PL_ICE_RELAY, 65535, 1));
    PL_EQ(active >> 21 & 7, 6);
    PL_EQ(active & 255, 255);
}

/* Who is behind a NAT connects to who listens in the open. */
PL_TEST(active_meets_passive)
{
    for (int active = 0; active < 2; active++) {
        sim_nat_kind nat[2] = { SIM_NAT_OPEN, SIM_NAT_OPEN };
        nat[active] = SIM_NAT_SYMMETRIC;
        sim_ice_call *c = two_hosts(1, nat[0], nat[1]);
        int64_t start_us = c->now_us;
        for (int i = 0; i < 2; i++)
            sim_ice_peer_tcp_base(c, i, ip_of(i, nat[i]),
                                  i == active ? PL_ICE_TCPTYPE_ACTIVE : PL_ICE_TCPTYPE_PASSIVE);
        sim_ice_call_start(c);
        PL_OKAY(sim_ice_call_connect(c, PL_SEC(2)));
        PL_LE(c->peer[0].connected_us - start_us, PL_MS(4 * 40)); /* one round trip more than over UDP */
        pl_path path;
        for (int i = 0; i < 2; i++) {
            PL_OKAY(pl_ice_selected(c->peer[i].ice, &path));
            PL_EQ(path.proto, PL_TCP);
        }
        PL_EQ(c->tcp.n_opened, 1);
        sim_ice_call_run(c, PL_SEC(60)); /* consent goes over it, too */
        PL_EQ(c->peer[0].last, PL_ICE_COMPLETED);
        PL_EQ(c->peer[1].last, PL_ICE_COMPLETED);
        pl_ice_cand_info info[8];
        size_t n = pl_ice_get_candidates(c->peer[!active].ice, info, 8);
        PL_EQ(n, 2);
        PL_EQ(info[1].type, PL_ICE_PRFLX);
        PL_EQ(info[1].tcptype, PL_ICE_TCPTYPE_ACTIVE);
        sim_ice_call_free(c);
    }
}

/* With UDP there is no need, and nobody connects for nothing for long. */
PL_TEST(udp_is_preferred)
{
    sim_ice_call *c = two_hosts(2, SIM_NAT_OPEN, SIM_NAT_OPEN);
    for (int i = 0; i < 2; i++) {
        sim_ice_peer_base(c, i, ip_of(i, SIM_NAT_OPEN));
        sim_ice_peer_tcp_base(c, i, ip_of(i, SIM_NAT_OPEN), PL_ICE_TCPTYPE_ACTIVE);
        sim_ice_peer_tcp_base(c, i, ip_of(i, SIM_NAT_OPEN), PL_ICE_TCPTYPE_PASSIVE);
    }
    sim_ice_call_start(c);
    PL_OKAY(sim_ice_call_connect(c, PL_SEC(2)));
    sim_ice_call_run(c, PL_SEC(5));
    pl_path path;
    PL_OKAY(pl_ice_selected(c->peer[0].ice, &path));
    PL_EQ(path.proto, PL_UDP);
    PL_OKAY(sim_ice_call_agrees(c));
    sim_ice_call_free(c);
}

PL_TEST(tcp_where_udp_is_blocked)
{
    sim_ice_call *c = two_hosts(3, SIM_NAT_SYMMETRIC, SIM_NAT_OPEN);
    sim_ice_block_udp(c->net, c->peer[0].host, true);
    sim_ice_peer_base(c, 0, ip_of(0, SIM_NAT_SYMMETRIC));
    sim_ice_peer_base(c, 1, ip_of(1, SIM_NAT_OPEN));
    sim_ice_peer_tcp_base(c, 0, ip_of(0, SIM_NAT_SYMMETRIC), PL_ICE_TCPTYPE_ACTIVE);
    sim_ice_peer_tcp_base(c, 1, ip_of(1, SIM_NAT_OPEN), PL_ICE_TCPTYPE_PASSIVE);
    int64_t start_us = c->now_us;
    sim_ice_call_start(c);
    PL_OKAY(sim_ice_call_connect(c, PL_SEC(2)));
    PL_LE(c->peer[0].connected_us - start_us, PL_MS(500));
    PL_OKAY(sim_ice_call_agrees(c));
    sim_ice_call_free(c);
}

/* Two NATs that map by themselves: both sides open at once. */
PL_TEST(simultaneous_open)
{
    sim_ice_call *c = two_hosts(4, SIM_NAT_OPEN, SIM_NAT_OPEN);
    for (int i = 0; i < 2; i++)
        sim_ice_peer_tcp_base(c, i, ip_of(i, SIM_NAT_OPEN), PL_ICE_TCPTYPE_SO);
    sim_ice_call_start(c);
    PL_OKAY(sim_ice_call_connect(c, PL_SEC(5)));
    PL_OKAY(sim_ice_call_agrees(c));
    sim_ice_call_free(c);
}

/* Its connection breaks: the active side opens a new one, and the call goes on. */
PL_TEST(a_broken_connection)
{
    sim_ice_call *c = two_hosts(5, SIM_NAT_OPEN, SIM_NAT_OPEN);
    sim_ice_peer_tcp_base(c, 0, ip_of(0, SIM_NAT_OPEN), PL_ICE_TCPTYPE_ACTIVE);
    sim_ice_peer_tcp_base(c, 1, ip_of(1, SIM_NAT_OPEN), PL_ICE_TCPTYPE_PASSIVE);
    sim_ice_call_start(c);
    PL_OKAY(sim_ice_call_connect(c, PL_SEC(2)));
    sim_ice_call_run(c, PL_SEC(3));
    sim_ice_tcp_break(&c->tcp, c->now_us, c->peer[0].host, c->peer[0].ice);
    sim_ice_call_run(c, PL_MS(15));
    PL_EQ(c->peer[0].last, PL_ICE_DISCONNECTED);
    sim_ice_call_run(c, PL_SEC(1));
    PL_EQ(c->tcp.n_opened, 2);
    for (int i = 0; i < 2; i++)
        PL_OKAY(sim_ice_peer_connected(c, i));
    PL_OKAY(sim_ice_call_agrees(c));
    sim_ice_call_free(c);
}

/* ---- one agent, the driver by hand ---- */

typedef struct alone {
    pl_ice *ice;
    pl_rand_seeded state;
    int64_t now_us;
} alone;

static void alone_init(alone *a, pl_ice_tcptype tcptype)
{
    *a = (alone){ .now_us = PL_SEC(5) };
    pl_ice_conf conf = { .controlling = true, .rand = pl_rand_seed(&a->state, 1) };
    pl_ice_base base = { .addr = { .family = PL_AF_IP4, .ip = { 10, 0, 0, 1 }, .port = 1000 },
                         .proto = PL_TCP,
                         .tcptype = (uint8_t)tcptype };
    PL_EQ(pl_ice_new(&a->ice, &conf, a->now_us), PL_OK);
    PL_EQ(pl_ice_add_base(a->ice, a->now_us, &base), PL_OK);
    PL_EQ(pl_ice_set_remote(a->ice, a->now_us, "peer", "peerspasswordof24letters", false), PL_OK);
}

static void hear_of(alone *a, uint8_t last, uint8_t tcptype)
{
    pl_ice_cand c = { .addr = { .family = PL_AF_IP4, .ip = { 10, 0, 0, last }, .port = 7 },
                      .component = 1,
                      .proto = PL_TCP,
                      .tcptype = tcptype,
                      .priority = last };
    snprintf(c.foundation, sizeof c.foundation, "%u", last);
    PL_EQ(pl_ice_add_remote(a->ice, a->now_us, &c), PL_OK);
}

static bool next_event(alone *a, pl_ice_event_kind kind, pl_ice_event *ev)
{
    uint8_t buf[PL_ICE_DGRAM_MAX];
    pl_ice_tick(a->ice, a->now_us);
    for (pl_dgram d = { .data = buf, .cap = sizeof buf }; pl_ice_poll_output(a->ice, a->now_us, &d);)
        continue;
    while (pl_ice_poll_event(a->ice, ev))
        if (ev->kind == kind)
            return true;
    pl_ice_check(a->ice);
    return false;
}

PL_TEST(who_pairs_with_whom)
{
    static const struct {
        pl_ice_tcptype ours;
        uint8_t theirs;
        size_t n_pairs;
    } table[] = { { PL_ICE_TCPTYPE_ACTIVE, PL_ICE_TCPTYPE_PASSIVE, 1 },
                  { PL_ICE_TCPTYPE_ACTIVE, PL_ICE_TCPTYPE_SO, 0 },
                  { PL_ICE_TCPTYPE_PASSIVE, PL_ICE_TCPTYPE_ACTIVE, 0 },
                  { PL_ICE_TCPTYPE_PASSIVE, PL_ICE_TCPTYPE_PASSIVE, 0 },
                  { PL_ICE_TCPTYPE_SO, PL_ICE_TCPTYPE_SO, 1 },
                  { PL_ICE_TCPTYPE_SO, PL_ICE_TCPTYPE_PASSIVE, 0 } };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        alone a;
        alone_init(&a, table[i].ours);
        hear_of(&a, 2, table[i].theirs);
        PL_EQ(pl_ice_get_pairs(a.ice, NULL, 0), table[i].n_pairs);
        pl_ice_free(a.ice);
    }
}

PL_TEST(candidates_of_tcp)
{
    static const char *const tail[] = { "", "9 typ host tcptype active", "1000 typ host tcptype passive",
                                        "1000 typ host tcptype so" };
    for (int k = PL_ICE_TCPTYPE_ACTIVE; k <= PL_ICE_TCPTYPE_SO; k++) {
        alone a;
        alone_init(&a, (pl_ice_tcptype)k);
        pl_ice_event ev;
        char text[PL_ICE_CAND_TEXT_MAX];
        PL_OKAY(next_event(&a, PL_ICE_EV_CANDIDATE, &ev));
        ev.u.candidate.ufrag[0] = 0;
        PL_OKAY(pl_ice_cand_print(&ev.u.candidate, text, sizeof text) > 0);
        PL_OKAY(strstr(text, " tcp ") && strstr(text, tail[k]));
        pl_ice_remove_tcp_base(a.ice, a.now_us, &ev.u.candidate.addr, (pl_ice_tcptype)k);
        PL_EQ(pl_ice_get_candidates(a.ice, NULL, 0), 0);
        pl_ice_free(a.ice);
    }
}

/* A connection is asked for, does not come about, and is not asked for again; or the driver never answers. */
PL_TEST(connections_that_fail)
{
    for (int silent = 0; silent < 2; silent++) {
        alone a;
        alone_init(&a, PL_ICE_TCPTYPE_ACTIVE);
        pl_ice_event ev;
        pl_ice_pair_info pair;
        hear_of(&a, 2, PL_ICE_TCPTYPE_PASSIVE);
        PL_OKAY(next_event(&a, PL_ICE_EV_CONNECT, &ev));
        PL_EQ(ev.u.connect.local.port, 0);
        PL_EQ(ev.u.connect.remote.port, 7);
        PL_OKAY(!ev.u.connect.to_turn && !ev.u.connect.tls);
        uint32_t stream = ev.u.connect.stream;
        if (!silent)
            pl_ice_stream_down(a.ice, a.now_us, stream);
        a.now_us += PL_SEC(9);
        bool told = next_event(&a, PL_ICE_EV_DISCONNECT, &ev);
        PL_EQ(told, silent);
        PL_OKAY(!told || ev.u.stream == stream);
        PL_EQ(pl_ice_get_pairs(a.ice, &pair, 1), 1);
        PL_EQ(pair.state, PL_ICE_PAIR_FAILED);
        pl_ice_stream_up(a.ice, a.now_us, stream, &ev.u.connect.local); /* too late */
        pl_ice_stream_down(a.ice, a.now_us, 12345);
        PL_OKAY(!next_event(&a, PL_ICE_EV_CONNECT, &ev));
        pl_ice_free(a.ice);
    }
}

/* However many the peer lists, a bounded number is under way. */
PL_TEST(connections_are_bounded)
{
    alone a;
    alone_init(&a, PL_ICE_TCPTYPE_ACTIVE);
    pl_ice_event ev;
    for (int i = 2; i < 90; i++)
        hear_of(&a, (uint8_t)i, PL_ICE_TCPTYPE_PASSIVE);
    int n = 0;
    for (int k = 0; k < 300; k++, a.now_us += PL_MS(20))
        n += next_event(&a, PL_ICE_EV_CONNECT, &ev);
    PL_EQ(n, PL_ICE_STREAMS_MAX);
    pl_ice_free(a.ice);
}

/* Anybody may connect; only who knows the password keeps the connection. */
PL_TEST(accepted_connections)
{
    alone a;
    alone_init(&a, PL_ICE_TCPTYPE_PASSIVE);
    pl_path path = { .local = { .family = PL_AF_IP4, .ip = { 10, 0, 0, 1 }, .port = 1000 },
                     .remote = { .family = PL_AF_IP4, .ip = { 192, 0, 2, 7 }, .port = 4444 },
                     .proto = PL_TCP };
    uint8_t pkt[512], id[PL_STUN_ID_LEN] = { 1 };
    char name[600];
    PL_OKAY(!pl_ice_wants_accepted(a.ice, &path));
    for (int right = 0; right < 2; right++) {
        snprintf(name, sizeof name, "%s:peer", pl_ice_ufrag(a.ice));
        pl_stun_wr s = pl_stun_begin(pkt, sizeof pkt, PL_STUN_REQUEST, PL_STUN_BINDING, id);
        pl_stun_put_str(&s, PL_STUN_USERNAME, pl_str_of(name));
        pl_stun_put_u32(&s, PL_STUN_PRIORITY, 5);
        pl_stun_put_u64(&s, PL_STUN_ICE_CONTROLLED, 1);
        const char *pwd = right ? pl_ice_pwd(a.ice) : "wrong password of 22 chars";
        pl_stun_put_integrity(&s, pwd, strlen(pwd));
        pl_stun_put_fingerprint(&s);
        pl_ice_input(a.ice, a.now_us, &path, pkt, pl_stun_end(&s));
        PL_EQ(pl_ice_wants_accepted(a.ice, &path), right);
    }
    uint8_t buf[PL_ICE_DGRAM_MAX];
    pl_stun_msg m;
    pl_dgram d = { .data = buf, .cap = sizeof buf };
    PL_OKAY(pl_ice_poll_output(a.ice, a.now_us, &d)); /* the answer, on the same connection */
    PL_EQ(d.path.proto, PL_TCP);
    PL_OKAY(pl_addr_eq(&d.path.remote, &path.remote) && pl_addr_eq(&d.path.local, &path.local));
    PL_OKAY(pl_ice_poll_output(a.ice, a.now_us, &d)); /* our check in return */
    PL_EQ(pl_stun_parse(&m, d.data, d.len), PL_OK);
    PL_EQ(m.cls, PL_STUN_REQUEST);
    PL_EQ(d.path.proto, PL_TCP);
    a.now_us += PL_SEC(3);
    pl_ice_tick(a.ice, a.now_us);
    PL_OKAY(!pl_ice_poll_output(a.ice, a.now_us, &d)); /* never repeated: TCP does that */
    pl_ice_accepted_down(a.ice, a.now_us, &path);
    PL_OKAY(!pl_ice_wants_accepted(a.ice, &path));
    pl_ice_check(a.ice);
    pl_ice_free(a.ice);
}

PL_TESTS(t(priorities), t(active_meets_passive), t(udp_is_preferred), t(tcp_where_udp_is_blocked),
         t(simultaneous_open), t(a_broken_connection), t(who_pairs_with_whom), t(candidates_of_tcp),
         t(connections_that_fail), t(connections_are_bounded), t(accepted_connections))
