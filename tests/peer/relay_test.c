/* Connections through Debian's TURN server, by UDP, TCP and TLS; ICE-TCP; hidden addresses; filters. */
#include "own_net.h"
#include "peer/duo.h"
#include "peer/turnserver.h"

static const pl_factory_conf loopback = { .loopback = true };

static pl_configuration with(const pl_ice_server *server, pl_ice_transport_policy policy)
{
    return (pl_configuration){ .ice_servers = server, .n_ice_servers = 1, .ice_transport_policy = policy };
}

/* Only relays may be used on the first side, so the pair tells how it reached the server. */
static void call_by(const char *url, const char *relay_protocol)
{
    turnserver t;
    duo d;
    turnserver_start(&t);
    pl_ice_server server = { .url = url, .username = "u", .credential = "p" };
    pl_configuration relayed = with(&server, PL_ICE_TRANSPORT_RELAY);
    pl_factory_conf conf = { .loopback = true, .ca_file = t.cert_file };
    duo_init(&d, &conf, &loopback, &relayed, NULL);
    duo_connect(&d);
    duo_talk(&d, 200);
    duo_path p = duo_path_of(&d, 0);
    PL_STREQ(p.local_type, "relay");
    PL_STREQ(p.relay_protocol, relay_protocol);
    PL_OKAY(strncmp(p.url, url, strlen(p.url)) == 0);
    PL_STREQ(p.protocol, "udp"); /* from the relay to the peer */
    for (int i = 0; i < d.side[0].n_candidates; i++)
        PL_OKAY(strstr(d.side[0].lines[i], "typ relay"));
    duo_clear(&d);
    turnserver_stop(&t);
}

PL_TEST(a_relay_by_udp)
{
    call_by("turn:127.0.0.1:3478?transport=udp", "udp");
}

PL_TEST(a_relay_by_tcp)
{
    call_by("turn:127.0.0.1:3478?transport=tcp", "tcp");
}

PL_TEST(a_relay_by_tls)
{
    call_by("turns:localhost:5349", "tls");
}

PL_TEST(a_relay_by_dtls)
{
    call_by("turns:localhost:5349?transport=udp", "udp");
}

PL_TEST(both_sides_behind_relays)
{
    turnserver t;
    duo d;
    turnserver_start(&t);
    pl_ice_server server[] = { { .url = "turn:u:p@127.0.0.1:3478?transport=udp" },
                               { .url = "turn:u:p@127.0.0.1:3478?transport=tcp" } };
    pl_configuration a = with(&server[0], PL_ICE_TRANSPORT_RELAY),
                     b = with(&server[1], PL_ICE_TRANSPORT_RELAY);
    duo_init(&d, &loopback, NULL, &a, &b);
    duo_connect(&d);
    duo_talk(&d, 50);
    PL_STREQ(duo_path_of(&d, 0).local_type, "relay");
    PL_STREQ(duo_path_of(&d, 1).local_type, "relay");
    duo_clear(&d);
    turnserver_stop(&t);
}

/* A turn: URI that names no transport is tried over UDP, and over TCP when that is silent. */
PL_TEST(tcp_where_udp_does_not_get_through)
{
    turnserver t;
    duo d;
    turnserver_start_at(&t, "127.0.0.1", true);
    pl_ice_server server = { .url = "turn:127.0.0.1", .username = "u", .credential = "p" };
    pl_configuration relayed = with(&server, PL_ICE_TRANSPORT_RELAY);
    duo_init(&d, &loopback, NULL, &relayed, NULL);
    duo_connect(&d);
    duo_talk(&d, 20);
    PL_STREQ(duo_path_of(&d, 0).relay_protocol, "tcp");
    duo_clear(&d);
    turnserver_stop(&t);
}

/* The server that carries the call dies; the other one takes over. */
PL_TEST(a_call_outlives_its_relay)
{
    turnserver t[2];
    duo d;
    turnserver_start_at(&t[0], "127.0.0.1", false);
    turnserver_start_at(&t[1], "127.0.0.2", false);
    pl_ice_server server[] = { { .url = "turn:u:p@127.0.0.1?transport=udp" },
                               { .url = "turn:u:p@127.0.0.2?transport=udp" } };
    pl_configuration relayed = { .ice_servers = server,
                                 .n_ice_servers = 2,
                                 .ice_transport_policy = PL_ICE_TRANSPORT_RELAY };
    duo_init(&d, &loopback, NULL, &relayed, NULL);
    duo_connect(&d);
    duo_talk(&d, 20);
    duo_path first = duo_path_of(&d, 0), second = first;
    int carries = strcmp(first.local, "127.0.0.2") == 0;
    PL_STREQ(first.local, carries ? "127.0.0.2" : "127.0.0.1");
    turnserver_stop(&t[carries]);
    for (int64_t end_us = pl_clock_us() + PL_SEC(20);
         pl_clock_us() < end_us && strcmp(first.local, second.local) == 0;) {
        duo_run(&d, PL_MS(200));
        second = duo_path_of(&d, 0);
    }
    PL_STREQ(second.local, carries ? "127.0.0.1" : "127.0.0.2");
    duo_talk(&d, 20);
    duo_clear(&d);
    turnserver_stop(&t[!carries]);
}

/* A certificate that nobody trusts, and a wrong password: no candidate, and the call says failed. */
PL_TEST(relays_that_refuse_us_end_in_failure)
{
    turnserver t;
    turnserver_start(&t);
    static const char *const url[] = { "turn:u:wrong@127.0.0.1:3478?transport=udp",
                                       "turns:u:p@127.0.0.1:5349" /* no ca_file */ };
    for (int i = 0; i < 2; i++) {
        duo d;
        pl_ice_server server = { .url = url[i] };
        pl_configuration relayed = with(&server, PL_ICE_TRANSPORT_RELAY);
        duo_init(&d, &loopback, NULL, &relayed, NULL);
        pl_data_channel_observer none = { 0 };
        PL_EQ(pl_peer_connection_create_data_channel(d.side[0].pc, "x", NULL, &none, &d.side[0].channel),
              PL_OK);
        duo_negotiate(&d, false);
        DUO_UNTIL(&d, pl_peer_connection_get_ice_gathering_state(d.side[0].pc) == PL_ICE_GATHERING_COMPLETE);
        duo_run(&d, PL_MS(50));
        PL_EQ(d.side[0].n_candidates, 0);
        PL_GE(d.side[0].n_errors, 1);
        PL_EQ(d.side[0].error_code, i == 0 ? 401 : 701);
        PL_OKAY(strncmp(d.side[0].error_url, i == 0 ? "turn:127.0.0.1" : "turns:127.0.0.1", 14 + i) == 0);
        PL_OKAY(!strstr(d.side[0].error_url, "wrong") && d.side[0].error_text[0]);
        duo_clear(&d);
    }
    turnserver_stop(&t);
}

PL_TESTS(t(a_relay_by_udp), t(a_relay_by_tcp), t(a_relay_by_tls), t(a_relay_by_dtls),
         t(both_sides_behind_relays), t(tcp_where_udp_does_not_get_through), t(a_call_outlives_its_relay),
         t(relays_that_refuse_us_end_in_failure))
