/* What else a connection may run over: TCP between the peers, hidden addresses, one port for many, filtered candidates,
 * and a network that changes under it. Each in a network of the test's own. */
#include "own_net.h"
#include "peer/duo.h"

/* ---- ICE-TCP ---- */

PL_TEST(tcp_between_peers_without_udp)
{
    duo d;
    own_net_enter(false);
    pl_factory_conf a = { .loopback = true, .ice_without = PL_WITHOUT_UDP, .no_ipv6 = true };
    pl_factory_conf b = a;
    b.ice_tcp = PL_ICE_TCP_USE_BOTH;
    duo_init(&d, &a, &b, NULL, NULL);
    duo_connect(&d);
    duo_talk(&d, 300);
    duo_path p = duo_path_of(&d, 0);
    PL_STREQ(p.protocol, "tcp"); /* its local candidate is peer-reflexive: active ones have no port to tell */
    for (int i = 0; i < d.side[0].n_candidates; i++)
        PL_OKAY(strstr(d.side[0].lines[i], "tcptype active"));
    PL_EQ(d.side[1].n_candidates, 3); /* active, passive, simultaneous-open */
    duo_clear(&d);
}

PL_TEST(simultaneous_open_when_nobody_may_listen)
{
    duo d;
    own_net_enter(false);
    pl_factory_conf both = {
        .loopback = true, .ice_without = PL_WITHOUT_UDP, .no_ipv6 = true, .ice_tcp = PL_ICE_TCP_USE_BOTH
    };
    duo_init(&d, &both, &both, NULL, NULL);
    d.side[0].only = d.side[1].only = "tcptype so";
    duo_connect(&d);
    duo_talk(&d, 20);
    PL_STREQ(duo_path_of(&d, 0).protocol, "tcp");
    duo_clear(&d);
}

PL_TEST(a_peer_may_close_a_tcp_path_and_the_call_says_so)
{
    duo d;
    own_net_enter(false);
    pl_factory_conf a = { .loopback = true, .ice_without = PL_WITHOUT_UDP, .no_ipv6 = true };
    pl_factory_conf b = a;
    b.ice_tcp = PL_ICE_TCP_USE_BOTH;
    duo_init(&d, &a, &b, NULL, NULL);
    duo_connect(&d);
    pl_data_channel_free(d.side[1].channel);
    d.side[1].channel = NULL;
    pl_peer_connection_free(d.side[1].pc);
    d.side[1].pc = NULL;
    DUO_UNTIL(&d, d.side[0].state == PL_CONNECTION_DISCONNECTED || d.side[0].state == PL_CONNECTION_FAILED);
    duo_clear(&d);
}

/* ---- hidden addresses ---- */

PL_TEST(names_in_place_of_addresses_are_found_on_the_link)
{
    duo d;
    own_net_enter(false);
    own_net_add("pl0", "192.0.2.10/24");
    pl_factory_conf hidden = { .mdns_hide = true, .no_ipv6 = true, .ice_tcp = PL_ICE_TCP_USE_NEVER };
    duo_init(&d, &hidden, &hidden, NULL, NULL);
    duo_connect(&d);
    duo_talk(&d, 10);
    for (int s = 0; s < 2; s++) {
        PL_GE(d.side[s].n_candidates, 1);
        for (int i = 0; i < d.side[s].n_candidates; i++) {
            PL_OKAY(strstr(d.side[s].lines[i], ".local "));
            PL_OKAY(!strstr(d.side[s].lines[i], "192.0.2."));
        }
    }
    duo_clear(&d);
    own_net_remove("pl0");
}

/* ---- filters ---- */

static bool any_with(const duo_side *s, const char *text)
{
    for (int i = 0; i < s->n_candidates; i++) {
        if (strstr(s->lines[i], text))
            return true;
    }
    return false;
}

PL_TEST(interfaces_and_families_are_filtered)
{
    own_net_enter(false);
    own_net_add("pl0", "192.0.2.10/24");
    own_net_add("pl1", "198.51.100.10/24");
    static const struct {
        const char *interfaces;
        bool first, second;
    } row[] = { { "pl0", true, false }, { "!pl0", false, true },    { "!lo,!pl1", true, false },
                { "pl*", true, true },  { "pl0, pl1", true, true }, { "!pl*", false, false } };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        duo d;
        pl_factory_conf conf = { .interfaces = row[i].interfaces, .no_ipv6 = true };
        duo_init(&d, &conf, NULL, NULL, NULL);
        pl_data_channel_observer none = { 0 };
        PL_EQ(pl_peer_connection_create_data_channel(d.side[0].pc, "x", NULL, &none, &d.side[0].channel),
              PL_OK);
        duo_negotiate(&d, false);
        DUO_UNTIL(&d, pl_peer_connection_get_ice_gathering_state(d.side[0].pc) == PL_ICE_GATHERING_COMPLETE);
        duo_run(&d, PL_MS(20));
        PL_EQ(any_with(&d.side[0], " 192.0.2.10 "), row[i].first);
        PL_EQ(any_with(&d.side[0], " 198.51.100.10 "), row[i].second);
        duo_clear(&d);
    }
    own_net_remove("pl0");
    own_net_remove("pl1");
}

/* ---- one port ---- */

enum { MANY = 12, ONE_PORT = 22100 };

/* Twelve connections meet a factory that has one UDP port; a restart in the middle, too. */
PL_TEST(many_connections_share_a_port)
{
    own_net_enter(false);
    pl_loop *loop;
    PL_EQ(pl_loop_new(&loop, NULL), PL_OK);
    static duo d[MANY];
    pl_factory_conf server = { .loopback = true, .no_ipv6 = true, .udp_port = ONE_PORT, .loop = loop };
    pl_factory_conf client = { .loopback = true, .no_ipv6 = true, .loop = loop };
    pl_factory *at_port, *elsewhere;
    PL_EQ(pl_factory_new(&at_port, &server), PL_OK);
    PL_EQ(pl_factory_new(&elsewhere, &client), PL_OK);
    for (int i = 0; i < MANY; i++)
        duo_init_on(&d[i], loop, i % 2 ? at_port : elsewhere,
                    i % 2 ? elsewhere : at_port); /* offering or answering */
    for (int i = 0; i < MANY; i++)
        duo_begin(&d[i]);
    for (int i = 0; i < MANY; i++)
        DUO_UNTIL(&d[i], d[i].side[0].n_open && d[i].side[1].n_open);
    for (int i = 0; i < MANY; i++) {
        duo_talk(&d[i], 20);
        PL_EQ(duo_path_of(&d[i], i % 2 ? 0 : 1).local_port, ONE_PORT);
    }
    duo_negotiate(&d[0], true);
    duo_negotiate(&d[1], true);
    duo_run(&d[0], PL_MS(300));
    for (int i = 0; i < MANY; i++)
        duo_talk(&d[i], 5);
    for (int i = 0; i < MANY; i++)
        duo_clear(&d[i]);
    pl_factory_free(at_port);
    pl_factory_free(elsewhere);
    pl_loop_free(loop);
}

/* A server as one would run it: lite, on one port. Whoever offers, the full side sends the checks. */
PL_TEST(a_lite_server_is_reached_whoever_offers)
{
    own_net_enter(false);
    pl_factory_conf lite = { .loopback = true, .no_ipv6 = true, .udp_port = ONE_PORT + 1, .ice_lite = true };
    pl_factory_conf full = { .loopback = true, .no_ipv6 = true };
    for (int offerer = 0; offerer < 2; offerer++) {
        duo d;
        duo_init(&d, offerer ? &lite : &full, offerer ? &full : &lite, NULL, NULL);
        duo_connect(&d);
        duo_talk(&d, 20);
        int server = offerer ? 0 : 1;
        PL_EQ(duo_path_of(&d, server).local_port, ONE_PORT + 1);
        pl_sdp_type type;
        char *sdp;
        PL_EQ(pl_peer_connection_local_description(d.side[server].pc, &type, &sdp), PL_OK);
        PL_OKAY(strstr(sdp, "a=ice-lite\r\n"));
        pl_free(sdp);
        PL_EQ(pl_peer_connection_local_description(d.side[1 - server].pc, &type, &sdp), PL_OK);
        PL_OKAY(!strstr(sdp, "a=ice-lite"));
        pl_free(sdp);
        duo_negotiate(&d, true); /* a restart, too */
        duo_run(&d, PL_MS(200));
        duo_talk(&d, 5);
        duo_clear(&d);
    }
}

/* ---- the network changes ---- */

PL_TEST(a_call_moves_when_its_interface_vanishes)
{
    duo d;
    own_net_enter(false);
    own_net_add("pl0", "192.0.2.10/24");
    own_net_add("pl2", "203.0.113.10/24");
    pl_factory_conf moving = { .interfaces = "pl0,pl1", .no_ipv6 = true, .ice_tcp = PL_ICE_TCP_USE_NEVER };
    pl_factory_conf resting = { .interfaces = "pl2", .no_ipv6 = true, .ice_tcp = PL_ICE_TCP_USE_NEVER };
    duo_init(&d, &moving, &resting, NULL, NULL);
    duo_connect(&d);
    duo_talk(&d, 10);
    PL_STREQ(duo_path_of(&d, 0).local, "192.0.2.10");
    int before = d.side[0].n_candidates;
    own_net_add("pl1", "198.51.100.10/24"); /* gathered and told while the call goes on */
    DUO_UNTIL(&d, d.side[0].n_candidates > before && any_with(&d.side[0], " 198.51.100.10 "));
    duo_talk(&d, 10);
    own_net_remove("pl0");
    DUO_UNTIL(&d, strcmp(duo_path_of(&d, 0).local, "198.51.100.10") == 0 &&
                      strcmp(duo_path_of(&d, 1).remote, "198.51.100.10") == 0);
    duo_talk(&d, 10);
    PL_EQ(d.side[0].n_disconnected + d.side[1].n_disconnected, 0);
    PL_EQ(d.side[0].n_needed, 0); /* the application is not asked to do anything */
    DUO_UNTIL(&d, d.side[0].state == PL_CONNECTION_CONNECTED);
    duo_clear(&d);
    own_net_remove("pl1");
    own_net_remove("pl2");
}

/* Both sides leave it in the same instant, so the addresses that either knows of the other are wrong, too. */
PL_TEST(a_network_that_both_sides_use_vanishes)
{
    duo d;
    own_net_enter(false);
    own_net_add("pl0", "192.0.2.10/24");
    pl_factory_conf conf = { .no_ipv6 = true, .ice_tcp = PL_ICE_TCP_USE_NEVER };
    duo_init(&d, &conf, NULL, NULL, NULL);
    duo_connect(&d);
    own_net_add("pl1", "198.51.100.10/24");
    DUO_UNTIL(&d, any_with(&d.side[0], " 198.51.100.10 ") && any_with(&d.side[1], " 198.51.100.10 "));
    duo_run(&d, PL_MS(800)); /* the new pairs are checked */
    own_net_remove("pl0");
    duo_talk(&d, 20);
    PL_STREQ(duo_path_of(&d, 0).local, "198.51.100.10");
    PL_STREQ(duo_path_of(&d, 0).remote, "198.51.100.10");
    PL_EQ(d.side[0].n_disconnected + d.side[1].n_disconnected, 0);
    duo_clear(&d);
    own_net_remove("pl1");
}

PL_TEST(a_call_survives_a_time_without_any_network)
{
    duo d;
    own_net_enter(false);
    own_net_add("pl0", "192.0.2.10/24");
    pl_factory_conf conf = { .no_ipv6 = true, .ice_tcp = PL_ICE_TCP_USE_NEVER };
    duo_init(&d, &conf, NULL, NULL, NULL);
    duo_connect(&d);
    own_net_remove("pl0");
    duo_run(&d, PL_MS(1500));
    own_net_add("pl0", "203.0.113.5/24"); /* another network than before */
    duo_talk(&d, 10);
    PL_STREQ(duo_path_of(&d, 0).local, "203.0.113.5");
    duo_clear(&d);
    own_net_remove("pl0");
}

PL_TEST(without_continual_gathering_nothing_is_noticed)
{
    duo d;
    own_net_enter(false);
    own_net_add("pl0", "192.0.2.10/24");
    pl_factory_conf conf = { .no_ipv6 = true,
                             .no_continual_gathering = true,
                             .ice_tcp = PL_ICE_TCP_USE_NEVER };
    duo_init(&d, &conf, NULL, NULL, NULL);
    duo_connect(&d);
    int before = d.side[0].n_candidates;
    own_net_add("pl1", "198.51.100.10/24");
    duo_run(&d, PL_MS(800));
    PL_EQ(d.side[0].n_candidates, before);
    duo_clear(&d);
    own_net_remove("pl0");
    own_net_remove("pl1");
}

PL_TESTS(t(tcp_between_peers_without_udp), t(simultaneous_open_when_nobody_may_listen),
         t(a_peer_may_close_a_tcp_path_and_the_call_says_so),
         t(names_in_place_of_addresses_are_found_on_the_link), t(interfaces_and_families_are_filtered),
         t(many_connections_share_a_port), t(a_lite_server_is_reached_whoever_offers),
         t(a_call_moves_when_its_interface_vanishes), t(a_network_that_both_sides_use_vanishes),
         t(a_call_survives_a_time_without_any_network), t(without_continual_gathering_nothing_is_noticed))
