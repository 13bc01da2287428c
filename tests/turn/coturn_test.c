/* The client against Debian's coturn over loopback. Nothing here measures time; what must come has five seconds. */
#include <time.h>
#include <unistd.h>

#include "driver.h"
#include "pl_test.h"

static const char *const plain[] = { "--mobility", "--denied-peer-ip=127.0.0.9", NULL };
static coturn shared;

static pl_turn_conf conf_for(const coturn *c, uint8_t proto)
{
    return (pl_turn_conf){ .server = c->addr, .proto = proto, .username = "alice", .password = "secret" };
}

static void echo_through(driver *d, int peer_fd, const pl_addr *peer, const pl_addr *relayed,
                         const char *text)
{
    char got[2000];
    pl_addr from;
    unsigned before = d->n_data;
    driver_send(d, peer, text, strlen(text), 0);
    size_t n = peer_recv(peer_fd, &from, got, sizeof got);
    PL_EQ(n, strlen(text));
    PL_MEMEQ(got, text, n);
    PL_OKAY(pl_addr_eq(&from, relayed));
    peer_send(peer_fd, relayed, text, n);
    PL_OKAY(driver_until_data(d, before + 1));
    PL_EQ(d->data_len, n);
    PL_MEMEQ(d->data, text, n);
    PL_OKAY(pl_addr_eq(&d->data_from, peer));
}

static void row_through(driver *d, int peer_fd, const pl_addr *peer)
{
    uint8_t row[1000], got[2000];
    pl_addr from;
    for (size_t i = 0; i < sizeof row; i++)
        row[i] = (uint8_t)i;
    driver_send(d, peer, row, sizeof row, 301);
    for (size_t at = 0; at < sizeof row; at += 301) {
        size_t len = sizeof row - at < 301 ? sizeof row - at : 301;
        PL_EQ(peer_recv(peer_fd, &from, got, sizeof got), len);
        PL_MEMEQ(got, row + at, len);
    }
}

static void whole_life(uint8_t proto)
{
    driver d;
    pl_addr peer;
    int fd = driver_udp("127.0.0.1", &peer);
    driver_up(&d, conf_for(&shared, proto));
    PL_EQ(pl_turn_permit(d.t, driver_now_us(), &peer), PL_OK);
    PL_OKAY(driver_until_event(&d, PL_TURN_ALLOCATED));
    pl_turn_event e = *driver_event(&d, PL_TURN_ALLOCATED);
    PL_EQ(e.relayed[0].family, PL_AF_IP4);
    PL_OKAY(pl_addr_eq(&e.mapped, &pl_turn_get_path(d.t)->local)); /* no NAT in between */
    PL_EQ(e.lifetime_s, 600);
    PL_LE(pl_turn_get_counters(d.t)->requests, 3); /* Allocate twice, and at once the permission */
    PL_OKAY(driver_until_event(&d, PL_TURN_PERMISSION));
    PL_EQ(driver_event(&d, PL_TURN_PERMISSION)->code, 0);
    echo_through(&d, fd, &peer, &e.relayed[0], "a Send indication");
    row_through(&d, fd, &peer);
    PL_EQ(pl_turn_bind(d.t, driver_now_us(), &peer), PL_OK);
    PL_OKAY(driver_until_event(&d, PL_TURN_BOUND));
    PL_EQ(driver_event(&d, PL_TURN_BOUND)->code, 0);
    echo_through(&d, fd, &peer, &e.relayed[0], "ChannelData");
    row_through(&d, fd, &peer);
    const pl_turn_counters *count = pl_turn_get_counters(d.t);
    PL_EQ(count->indications_out, 5);
    PL_EQ(count->channel_packets_out, 5);
    PL_EQ(count->indications_in, 1);
    PL_EQ(count->channel_packets_in, 1);
    PL_EQ(count->bad_messages, 0);
    pl_turn_close(d.t, driver_now_us());
    PL_OKAY(driver_until_event(&d, PL_TURN_CLOSED));
    PL_OKAY(driver_event(&d, PL_TURN_LOST) == NULL);
    close(fd);
    driver_down(&d);
}

PL_TEST(over_udp)
{
    whole_life(PL_UDP);
}

PL_TEST(over_tcp)
{
    whole_life(PL_TCP);
}

static bool answered_thrice(const driver *d)
{
    return pl_turn_get_counters(d->t)->responses >= 3;
}

PL_TEST(a_refresh)
{
    driver d;
    driver_up(&d, conf_for(&shared, PL_UDP));
    PL_OKAY(driver_until_event(&d, PL_TURN_ALLOCATED));
    pl_turn_probe(d.t, driver_now_us());
    PL_OKAY(driver_run(&d, answered_thrice));
    PL_EQ(pl_turn_get_state(d.t), PL_TURN_READY);
    driver_down(&d);
}

PL_TEST(wrong_password)
{
    for (int i = 0; i < 2; i++) {
        driver d;
        pl_turn_conf conf = conf_for(&shared, i ? PL_TCP : PL_UDP);
        conf.password = "wrong";
        driver_up(&d, conf);
        PL_OKAY(driver_until_event(&d, PL_TURN_FAILED));
        PL_EQ(driver_event(&d, PL_TURN_FAILED)->code, 401);
        driver_down(&d);
    }
}

/* coturn refuses the whole request for one peer's sake. */
PL_TEST(one_forbidden_peer_among_several)
{
    driver d;
    pl_addr good = driver_addr("127.0.0.1:5000"), bad = driver_addr("127.0.0.9:5000"),
            other = driver_addr("127.0.0.3:1");
    driver_up(&d, conf_for(&shared, PL_UDP));
    PL_EQ(pl_turn_permit(d.t, driver_now_us(), &good), PL_OK);
    PL_EQ(pl_turn_permit(d.t, driver_now_us(), &bad), PL_OK);
    PL_EQ(pl_turn_permit(d.t, driver_now_us(), &other), PL_OK);
    PL_OKAY(driver_until_event(&d, PL_TURN_PERMISSION));
    while (pl_turn_permission_of(d.t, &other) != PL_TURN_PERMIT_STANDS ||
           pl_turn_permission_of(d.t, &bad) != PL_TURN_PERMIT_DENIED) {
        d.n_events = 0;
        PL_OKAY(driver_until_event(&d, PL_TURN_PERMISSION));
    }
    PL_EQ(pl_turn_permission_of(d.t, &good), PL_TURN_PERMIT_STANDS);
    driver_down(&d);
}

PL_TEST(asking_for_both_families)
{
    driver d;
    pl_turn_conf conf = conf_for(&shared, PL_UDP);
    conf.families = PL_TURN_IP4 | PL_TURN_IP6;
    driver_up(&d, conf);
    PL_OKAY(driver_until_event(&d, PL_TURN_ALLOCATED));
    PL_EQ(driver_event(&d, PL_TURN_ALLOCATED)->relayed[0].family, PL_AF_IP4);
    PL_EQ(driver_event(&d, PL_TURN_ALLOCATED)->relayed[1].family, PL_AF_NONE);
    driver_down(&d);
}

static const char *const both[] = { "--relay-ip=::1", "--max-allocate-lifetime=2", NULL };

/* Allocate twice, a permission, a channel, and a Refresh. */
static bool is_refreshed(const driver *d)
{
    return pl_turn_get_counters(d->t)->responses >= 5;
}

/* A lifetime of two seconds, so that both addresses outlive it by a refresh alone. */
PL_TEST(relayed_addresses_of_both_families)
{
    coturn c = { 0 };
    driver d;
    pl_addr peer4, peer6;
    int fd4 = driver_udp("127.0.0.1", &peer4), fd6 = driver_udp("::1", &peer6);
    coturn_up(&c, both);
    pl_turn_conf conf = conf_for(&c, PL_UDP);
    conf.families = PL_TURN_IP4 | PL_TURN_IP6;
    conf.lifetime_s = 2;
    driver_up(&d, conf);
    PL_EQ(pl_turn_bind(d.t, driver_now_us(), &peer4), PL_OK);
    PL_EQ(pl_turn_permit(d.t, driver_now_us(), &peer6), PL_OK);
    PL_OKAY(driver_until_event(&d, PL_TURN_BOUND));
    pl_turn_event e = *driver_event(&d, PL_TURN_ALLOCATED);
    PL_EQ(e.relayed[0].family, PL_AF_IP4);
    PL_EQ(e.relayed[1].family, PL_AF_IP6);
    PL_EQ(e.lifetime_s, 2);
    PL_OKAY(driver_run(&d, is_refreshed));
    nanosleep(&(struct timespec){ .tv_sec = 2 }, NULL);
    echo_through(&d, fd4, &peer4, &e.relayed[0], "four, in a channel");
    echo_through(&d, fd6, &peer6, &e.relayed[1], "six, in indications");
    close(fd4);
    close(fd6);
    driver_down(&d);
    coturn_down(&c);
}

PL_TEST(a_relayed_address_of_ipv6_alone)
{
    coturn c = { 0 };
    driver d;
    pl_addr peer;
    int fd = driver_udp("::1", &peer);
    coturn_up(&c, both);
    pl_turn_conf conf = conf_for(&c, PL_UDP);
    conf.families = PL_TURN_IP6;
    driver_up(&d, conf);
    PL_EQ(pl_turn_permit(d.t, driver_now_us(), &peer), PL_OK);
    PL_OKAY(driver_until_event(&d, PL_TURN_PERMISSION));
    pl_addr relayed = driver_event(&d, PL_TURN_ALLOCATED)->relayed[1];
    PL_EQ(relayed.family, PL_AF_IP6);
    echo_through(&d, fd, &peer, &relayed, "in indications");
    PL_EQ(pl_turn_bind(d.t, driver_now_us(), &peer), PL_OK);
    PL_OKAY(driver_until_event(&d, PL_TURN_BOUND));
    echo_through(&d, fd, &peer, &relayed, "in a channel");
    close(fd);
    driver_down(&d);
    coturn_down(&c);
}

PL_TEST(ipv6_where_there_is_none)
{
    driver d;
    pl_turn_conf conf = conf_for(&shared, PL_UDP);
    conf.families = PL_TURN_IP6;
    driver_up(&d, conf);
    PL_OKAY(driver_until_event(&d, PL_TURN_FAILED));
    PL_EQ(driver_event(&d, PL_TURN_FAILED)->code, 440);
    driver_down(&d);
}

PL_TEST(moved_to_another_port)
{
    driver d;
    pl_addr peer;
    int fd = driver_udp("127.0.0.1", &peer);
    pl_turn_conf conf = conf_for(&shared, PL_UDP);
    conf.mobility = true;
    driver_up(&d, conf);
    PL_EQ(pl_turn_bind(d.t, driver_now_us(), &peer), PL_OK);
    PL_OKAY(driver_until_event(&d, PL_TURN_BOUND));
    pl_addr relayed = driver_event(&d, PL_TURN_ALLOCATED)->relayed[0];
    PL_OKAY(pl_turn_can_move(d.t));
    for (int i = 0; i < 2; i++) { /* a ticket serves once; the next one came with the answer */
        d.n_events = 0;
        driver_move(&d);
        PL_OKAY(driver_until_event(&d, PL_TURN_MOVED));
        echo_through(&d, fd, &peer, &relayed, "from elsewhere");
    }
    close(fd);
    driver_down(&d);
}

PL_TEST(quota)
{
    static const char *const options[] = { "--user-quota=1", NULL };
    coturn c = { 0 };
    driver first, second;
    coturn_up(&c, options);
    driver_up(&first, conf_for(&c, PL_UDP));
    PL_OKAY(driver_until_event(&first, PL_TURN_ALLOCATED));
    driver_up(&second, conf_for(&c, PL_UDP));
    PL_OKAY(driver_until_event(&second, PL_TURN_FAILED));
    PL_EQ(driver_event(&second, PL_TURN_FAILED)->code, 486);
    driver_down(&second);
    driver_down(&first);
    coturn_down(&c);
}

/* coturn lets a nonce live for whole seconds; so must this test. */
PL_TEST(nonces_run_out)
{
    static const char *const options[] = { "--stale-nonce=1", NULL };
    coturn c = { 0 };
    driver d;
    coturn_up(&c, options);
    driver_up(&d, conf_for(&c, PL_UDP));
    PL_OKAY(driver_until_event(&d, PL_TURN_ALLOCATED));
    for (int i = 0; i < 10 && pl_turn_get_counters(d.t)->stale_nonces == 0; i++) {
        pl_addr peer = driver_addr("127.0.0.1:5000");
        nanosleep(&(struct timespec){ .tv_nsec = 500000000 }, NULL);
        pl_turn_unpermit(d.t, driver_now_us(), &peer);
        PL_EQ(pl_turn_permit(d.t, driver_now_us(), &peer), PL_OK);
        d.n_events = 0;
        PL_OKAY(driver_until_event(&d, PL_TURN_PERMISSION));
        PL_EQ(driver_event(&d, PL_TURN_PERMISSION)->code, 0);
    }
    PL_GE(pl_turn_get_counters(d.t)->stale_nonces, 1);
    driver_down(&d);
    coturn_down(&c);
}

PL_TEST(another_server)
{
    char alternate[64], where[PL_ADDR_TEXT_MAX];
    snprintf(alternate, sizeof alternate, "--alternate-server=%s", pl_addr_str(&shared.addr, where));
    const char *const options[] = { alternate, NULL };
    coturn c = { 0 };
    driver d;
    coturn_up(&c, options);
    driver_up(&d, conf_for(&c, PL_UDP));
    PL_OKAY(driver_until_event(&d, PL_TURN_ALLOCATED));
    PL_OKAY(pl_addr_eq(&pl_turn_get_path(d.t)->remote, &shared.addr));
    PL_EQ(pl_turn_get_counters(d.t)->redirects, 1);
    driver_down(&d);
    driver_up(&d, conf_for(&c, PL_TCP));
    PL_OKAY(driver_until_event(&d, PL_TURN_ALTERNATE));
    PL_OKAY(pl_addr_eq(&driver_event(&d, PL_TURN_ALTERNATE)->peer, &shared.addr));
    driver_down(&d);
    coturn_down(&c);
}

PL_TEST(a_server_that_dies_and_comes_back)
{
    static const char *const none[] = { NULL };
    coturn c = { 0 };
    driver d;
    coturn_up(&c, none);
    pl_turn_conf conf = conf_for(&c, PL_UDP);
    conf.patience_us = PL_SEC(1);
    driver_up(&d, conf);
    PL_OKAY(driver_until_event(&d, PL_TURN_ALLOCATED));
    coturn_kill(&c);
    pl_turn_probe(d.t, driver_now_us());
    PL_OKAY(driver_until_event(&d, PL_TURN_LOST));
    PL_EQ(driver_event(&d, PL_TURN_LOST)->code, 0);
    driver_down(&d);

    coturn_up(&c, none);
    driver_up(&d, conf_for(&c, PL_UDP));
    PL_OKAY(driver_until_event(&d, PL_TURN_ALLOCATED));
    coturn_kill(&c);
    coturn_up(&c, none);
    pl_turn_probe(d.t, driver_now_us());
    PL_OKAY(driver_until_event(&d, PL_TURN_LOST));
    PL_EQ(driver_event(&d, PL_TURN_LOST)->code, 437);
    driver_down(&d);

    driver_up(&d, conf_for(&c, PL_TCP));
    PL_OKAY(driver_until_event(&d, PL_TURN_ALLOCATED));
    coturn_kill(&c);
    PL_OKAY(driver_until_event(&d, PL_TURN_LOST)); /* the stream ends */
    driver_down(&d);
    coturn_down(&c);
}

static int up(void **state)
{
    (void)state;
    coturn_up(&shared, plain);
    return 0;
}

static int down(void **state)
{
    (void)state;
    coturn_down(&shared);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = { t(over_udp),
                                        t(over_tcp),
                                        t(a_refresh),
                                        t(wrong_password),
                                        t(quota),
                                        t(one_forbidden_peer_among_several),
                                        t(nonces_run_out),
                                        t(asking_for_both_families),
                                        t(relayed_addresses_of_both_families),
                                        t(a_relayed_address_of_ipv6_alone),
                                        t(ipv6_where_there_is_none),
                                        t(another_server),
                                        t(moved_to_another_port),
                                        t(a_server_that_dies_and_comes_back) };
    return cmocka_run_group_tests(tests, up, down);
}
