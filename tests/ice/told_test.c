/* What an agent tells of itself and what it keeps: sets of candidates to do without, names in place of addresses, servers
 * in statistics; and data that does not go through a relay. */
#include "pl_test.h"

#include "base/time.h"
#include "ice/agent.h"
#include "stun/message.h"

static pl_rand_seeded state;
static pl_ice *ice;
static int64_t now_us;

static pl_addr addr(const char *text)
{
    pl_addr a;
    PL_EQ(pl_addr_parse(&a, text, strlen(text)), PL_OK);
    return a;
}

static void up(uint32_t without)
{
    pl_ice_conf conf = { .controlling = true, .without = without, .rand = pl_rand_seed(&state, 1) };
    now_us = PL_SEC(50);
    PL_EQ(pl_ice_new(&ice, &conf, now_us), PL_OK);
}

static void down(void)
{
    pl_ice_check(ice);
    pl_ice_free(ice);
    ice = NULL;
}

/* Answers every Binding request to a server; what is asked beside that is counted. */
static size_t answer_stun(const char *mapped)
{
    uint8_t out[PL_ICE_DGRAM_MAX], pkt[256];
    size_t n_others = 0;
    for (pl_dgram d = { .data = out, .cap = sizeof out }; pl_ice_poll_output(ice, now_us, &d);) {
        pl_stun_msg m;
        pl_addr at = addr(mapped);
        PL_EQ(pl_stun_parse(&m, d.data, d.len), PL_OK);
        if (m.method != PL_STUN_BINDING || pl_stun_has(&m, PL_STUN_USERNAME)) {
            n_others++;
            continue;
        }
        pl_stun_wr s = pl_stun_begin_reply(pkt, sizeof pkt, PL_STUN_SUCCESS, &m);
        pl_stun_put_xor_addr(&s, PL_STUN_XOR_MAPPED_ADDRESS, &at);
        pl_ice_input(ice, now_us, &d.path, pkt, pl_stun_end(&s));
    }
    return n_others;
}

/* Candidate lines that were told, one after the other. */
static size_t told(char out[8][PL_ICE_CAND_TEXT_MAX])
{
    size_t n = 0;
    for (pl_ice_event ev; pl_ice_poll_event(ice, &ev);)
        if (ev.kind == PL_ICE_EV_CANDIDATE && n < 8)
            PL_OKAY(pl_ice_cand_print(&ev.u.candidate, out[n++], PL_ICE_CAND_TEXT_MAX) > 0);
    return n;
}

static pl_err add(const char *text, pl_ice_tcptype tcptype, const char *mdns)
{
    pl_ice_base b = {
        .addr = addr(text), .proto = tcptype ? PL_TCP : PL_UDP, .tcptype = (uint8_t)tcptype, .mdns = mdns
    };
    return pl_ice_add_base(ice, now_us, &b);
}

PL_TEST(without_types)
{
    char line[8][PL_ICE_CAND_TEXT_MAX];
    static const struct {
        uint32_t without;
        size_t n;
        const char *type;
    } table[] = { { 0, 2, "typ host" },
                  { PL_ICE_NO_HOST, 1, "typ srflx" },
                  { PL_ICE_NO_SRFLX, 1, "typ host" },
                  { PL_ICE_NO_HOST | PL_ICE_NO_SRFLX, 0, NULL } };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        up(table[i].without);
        pl_addr server = addr("198.51.100.1:3478");
        PL_EQ(add("10.0.0.1:1000", PL_ICE_TCPTYPE_NONE, NULL), PL_OK);
        PL_EQ(pl_ice_add_stun_server(ice, now_us, &server), PL_OK);
        pl_ice_bases_done(ice, now_us);
        PL_EQ(answer_stun("203.0.113.1:4000"), 0);
        PL_EQ(pl_ice_get_gathering(ice), PL_ICE_GATHER_COMPLETE);
        PL_EQ(told(line), table[i].n);
        PL_OKAY(!table[i].n || strstr(line[0], table[i].type));
        down();
    }
}

/* A host address that is not told may still be used: the peer meets it as a peer-reflexive one. */
PL_TEST(without_host_candidates_checks_go_on)
{
    up(PL_ICE_NO_HOST);
    pl_ice_cand c = { .addr = addr("192.0.2.7:7"), .component = 1, .priority = 5, .foundation = "1" };
    PL_EQ(add("10.0.0.1:1000", PL_ICE_TCPTYPE_NONE, NULL), PL_OK);
    PL_EQ(pl_ice_set_remote(ice, now_us, "peer", "peerspasswordof24letters", false), PL_OK);
    PL_EQ(pl_ice_add_remote(ice, now_us, &c), PL_OK);
    PL_EQ(answer_stun("203.0.113.1:4000"), 1);
    down();
    up(PL_ICE_NO_HOST | PL_ICE_NO_SRFLX); /* but with relays alone nothing leaves it */
    PL_EQ(add("10.0.0.1:1000", PL_ICE_TCPTYPE_NONE, NULL), PL_OK);
    PL_EQ(pl_ice_set_remote(ice, now_us, "peer", "peerspasswordof24letters", false), PL_OK);
    PL_EQ(pl_ice_add_remote(ice, now_us, &c), PL_OK);
    PL_EQ(answer_stun("203.0.113.1:4000"), 0);
    PL_EQ(pl_ice_get_pairs(ice, NULL, 0), 0);
    down();
}

PL_TEST(without_families_and_protocols)
{
    static const struct {
        uint32_t without;
        pl_err ip4, ip6, tcp;
    } table[] = { { 0, PL_OK, PL_OK, PL_OK },
                  { PL_ICE_NO_IP4, PL_ENOTSUP, PL_OK, PL_ENOTSUP },
                  { PL_ICE_NO_IP6, PL_OK, PL_ENOTSUP, PL_OK },
                  { PL_ICE_NO_TCP, PL_OK, PL_OK, PL_ENOTSUP },
                  { PL_ICE_NO_UDP, PL_ENOTSUP, PL_ENOTSUP, PL_OK } };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        up(table[i].without);
        PL_EQ(add("10.0.0.1:1000", PL_ICE_TCPTYPE_NONE, NULL), table[i].ip4);
        PL_EQ(add("[2001:db8::1]:1000", PL_ICE_TCPTYPE_NONE, NULL), table[i].ip6);
        PL_EQ(add("10.0.0.1:1000", PL_ICE_TCPTYPE_PASSIVE, NULL), table[i].tcp);
        down();
    }
}

PL_TEST(without_relays_no_server_is_asked)
{
    pl_ice_turn_server s = { .addr = addr("198.51.100.1:3478"), .username = "alice", .password = "secret" };
    up(PL_ICE_NO_RELAY);
    PL_EQ(add("10.0.0.1:1000", PL_ICE_TCPTYPE_NONE, NULL), PL_OK);
    PL_EQ(pl_ice_add_turn_server(ice, now_us, &s), PL_OK);
    pl_ice_bases_done(ice, now_us);
    PL_EQ(answer_stun("203.0.113.1:4000"), 0);
    PL_EQ(pl_ice_get_gathering(ice), PL_ICE_GATHER_COMPLETE);
    down();
}

/* A name stands for the address, and nothing else tells it. */
PL_TEST(names_hide_addresses)
{
    char line[8][PL_ICE_CAND_TEXT_MAX];
    pl_addr server = addr("198.51.100.1:3478"), server6 = addr("[2001:db8:9::1]:3478");
    up(0);
    PL_EQ(add("10.0.0.1:1000", PL_ICE_TCPTYPE_NONE, "not a name"), PL_EINVAL);
    PL_EQ(add("10.0.0.1:1000", PL_ICE_TCPTYPE_NONE, "0b1c.local"), PL_OK);
    PL_EQ(add("[2001:db8::77]:1000", PL_ICE_TCPTYPE_NONE, "77aa.local"), PL_OK);
    PL_EQ(add("10.0.0.1:1001", PL_ICE_TCPTYPE_PASSIVE, "0b1c.local"), PL_OK);
    PL_EQ(pl_ice_add_stun_server(ice, now_us, &server), PL_OK);
    PL_EQ(pl_ice_add_stun_server(ice, now_us, &server6), PL_OK);
    pl_ice_bases_done(ice, now_us);
    uint8_t out[PL_ICE_DGRAM_MAX], pkt[256];
    for (pl_dgram d = { .data = out, .cap = sizeof out }; pl_ice_poll_output(ice, now_us, &d);) {
        pl_stun_msg m;
        pl_addr at = d.path.local.family == PL_AF_IP6 ? addr("[2001:db8:5::5]:9") : addr("203.0.113.1:4000");
        PL_EQ(pl_stun_parse(&m, d.data, d.len), PL_OK);
        pl_stun_wr s = pl_stun_begin_reply(pkt, sizeof pkt, PL_STUN_SUCCESS, &m);
        pl_stun_put_xor_addr(&s, PL_STUN_XOR_MAPPED_ADDRESS, &at);
        pl_ice_input(ice, now_us, &d.path, pkt, pl_stun_end(&s));
    }
    size_t n = told(line), n_names = 0, n_hidden = 0;
    PL_EQ(n, 5);
    for (size_t i = 0; i < n; i++) {
        PL_OKAY(!strstr(line[i], "10.0.0.1") && !strstr(line[i], "db8::77"));
        n_names += strstr(line[i], ".local ") != NULL;
        n_hidden += strstr(line[i], "raddr 0.0.0.0 rport 0") || strstr(line[i], "raddr :: rport 0");
    }
    PL_EQ(n_names, 3);
    PL_EQ(n_hidden, 2);
    down();
}

/* W3C's url: of the server that showed the candidate. */
PL_TEST(servers_in_statistics)
{
    pl_addr server = addr("198.51.100.1:3478");
    pl_ice_cand_info info[4];
    up(0);
    PL_EQ(add("10.0.0.1:1000", PL_ICE_TCPTYPE_NONE, NULL), PL_OK);
    PL_EQ(pl_ice_add_stun_server(ice, now_us, &server), PL_OK);
    PL_EQ(answer_stun("203.0.113.1:4000"), 0);
    PL_EQ(pl_ice_get_candidates(ice, info, 4), 2);
    PL_OKAY(!info[0].url);
    PL_STREQ(info[1].url, "stun:198.51.100.1:3478");
    PL_EQ(info[1].relay_proto, PL_ICE_RELAY_NONE);
    PL_STREQ(pl_ice_relay_proto_str(PL_ICE_RELAY_TLS), "tls");
    PL_STREQ(pl_ice_relay_proto_str(PL_ICE_RELAY_NONE), "");
    PL_STREQ(pl_ice_tcptype_str(PL_ICE_TCPTYPE_SO), "so");
    down();
}

PL_TEST(turn_servers_have_limits)
{
    static const char *const bad[] = { "0.0.0.0:3478", "224.0.0.1:3478", "198.51.100.1:0" };
    pl_ice_turn_server s = { .username = "alice", .password = "secret" };
    up(0);
    for (int i = 0; i < 3; i++) {
        s.addr = addr(bad[i]);
        PL_EQ(pl_ice_add_turn_server(ice, now_us, &s), PL_EINVAL);
    }
    s.addr = addr("198.51.100.1:3478");
    for (int i = 0; i <= PL_ICE_TURN_SERVERS_MAX; i++) {
        s.addr.port++;
        PL_EQ(pl_ice_add_turn_server(ice, now_us, &s), i < PL_ICE_TURN_SERVERS_MAX ? PL_OK : PL_ENOSPC);
    }
    for (int i = 1; i < 10; i++) {
        char text[32];
        snprintf(text, sizeof text, "10.0.0.%d:1000", i);
        PL_EQ(add(text, PL_ICE_TCPTYPE_NONE, NULL), PL_OK);
    }
    PL_LE(answer_stun("203.0.113.1:4000"), 5); /* the pacer's burst, however many want to allocate */
    int64_t start_us = now_us;
    size_t n = 0;
    for (; now_us < start_us + PL_MS(240); now_us += PL_MS(20))
        n += answer_stun("203.0.113.1:4000");
    PL_LE(n, PL_ICE_TURNS_MAX);
    down();
}

/* What neither comes from a relay nor goes to one is left alone. */
PL_TEST(direct_data_is_not_touched)
{
    uint8_t data[64] = { 0x80, 1, 2, 3 }, *at = data;
    pl_ice_turn_server s = { .addr = addr("198.51.100.1:3478"), .username = "alice", .password = "secret" };
    up(0);
    PL_EQ(add("10.0.0.1:1000", PL_ICE_TCPTYPE_NONE, NULL), PL_OK);
    PL_EQ(pl_ice_add_turn_server(ice, now_us, &s), PL_OK);
    PL_EQ(answer_stun("203.0.113.1:4000"), 1);
    pl_path path = { .local = addr("10.0.0.1:1000"), .remote = addr("192.0.2.7:7") }, was = path;
    pl_dgram d = { .path = path, .data = data, .len = 4, .cap = 4 };
    size_t len = 4;
    PL_OKAY(pl_ice_unwrap(ice, now_us, &path, &at, &len));
    PL_OKAY(at == data && len == 4 && pl_addr_eq(&path.remote, &was.remote));
    PL_EQ(pl_ice_overhead(ice, &path), 0);
    PL_EQ(pl_ice_wrap(ice, now_us, &d), PL_OK);
    PL_EQ(d.len, 4);
    path.remote =
        s.addr; /* from the server, but nothing of its own: consumed or left, never taken for the peer's */
    data[0] = 0x40;
    PL_OKAY(!pl_ice_unwrap(ice, now_us, &path, &at, &len));
    down();
}

PL_TESTS(t(without_types), t(without_host_candidates_checks_go_on), t(without_families_and_protocols),
         t(without_relays_no_server_is_asked), t(names_hide_addresses), t(servers_in_statistics),
         t(turn_servers_have_limits), t(direct_data_is_not_touched))
