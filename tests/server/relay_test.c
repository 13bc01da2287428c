/* The whole relay over loopback: every transport, threads, reload, drain, limits. */
#include "turn_help.h"

#include <unistd.h>

#include "net/thread.h"
#include "server/relay_server.h"

static pl_loop *loop;
static pl_relay_server *relay;
static pl_addr at[PL_RELAY_TRANSPORTS];
static unsigned n_lines;
static char last_line[4096];
static pl_mutex line_lock = PL_MUTEX_INIT;

static void on_line(void *user, const char *text)
{
    (void)user;
    pl_mutex_lock(&line_lock);
    n_lines++;
    snprintf(last_line, sizeof last_line, "%s", text);
    pl_mutex_unlock(&line_lock);
}

static unsigned lines(void)
{
    pl_mutex_lock(&line_lock);
    unsigned n = n_lines;
    pl_mutex_unlock(&line_lock);
    return n;
}

/* Keys and values end to end, NULL at the end. */
static void set_all(pl_relay_settings *s, const char *const *pairs)
{
    char say[PL_RELAY_SAY_MAX] = "";
    pl_relay_settings_init(s);
    for (; *pairs; pairs += 2) {
        if (!pl_relay_settings_set(s, pairs[0], pairs[1], say))
            fail_msg("%s", say);
    }
    if (!pl_relay_settings_finish(s, say))
        fail_msg("%s", say);
}

static void start(const char *const *pairs)
{
    static pl_relay_settings s;
    char say[PL_RELAY_SAY_MAX];
    pl_relay_server_conf conf = { .settings = &s, .own_threads = true, .line = on_line, .json = true };
    set_all(&s, pairs);
    n_lines = 0;
    PL_EQ(pl_loop_new(&loop, NULL), PL_OK);
    if (pl_relay_server_new(&relay, loop, &conf, say) != PL_OK)
        fail_msg("%s", say);
    for (size_t i = 0; i < pl_relay_server_n_places(relay); i++) {
        const pl_relay_place *p = pl_relay_server_place(relay, i);
        at[p->secure ? p->tcp ? PL_RELAY_TLS : PL_RELAY_DTLS
           : p->tcp  ? PL_RELAY_TCP
                     : PL_RELAY_UDP] = p->addr;
    }
}

static void stop(void)
{
    pl_relay_server_free(relay);
    pl_loop_free(loop);
}

#define START(...) start((const char *const[]){ __VA_ARGS__, NULL })
#define USUAL      "listen", "127.0.0.1:0", "user", "u:p", "allow-peer", "127.0.0.0/8", "threads", "2"

static help_turn *client(pl_relay_transport how)
{
    help_turn *t = help_turn_open(loop, how, &at[how]);
    help_turn_login(t, "u", "p");
    return t;
}

static uint64_t allocations_now(void)
{
    pl_relay_counters c;
    uint64_t n = 0;
    pl_relay_server_count(relay, &c);
    for (int i = 0; i < PL_RELAY_TRANSPORTS; i++)
        n += c.now[i];
    return n;
}

/* ---- every transport ---- */

static void there_and_back(help_turn *t)
{
    help_peer *peer = help_peer_open(loop, "127.0.0.1:0");
    pl_addr relayed, peer_at = *pl_udp_addr(peer->udp);
    PL_EQ(help_turn_allocate(t, &relayed), 0);
    PL_EQ(help_turn_permit(t, &peer_at), 0);
    help_turn_send(t, 0, &peer_at, "indication", 10);
    HELP_UNTIL(loop, peer->n == 1);
    PL_OKAY(pl_addr_eq(&peer->from, &relayed));
    PL_EQ(peer->len, 10);
    help_peer_send(peer, &relayed, "answer", 6);
    HELP_UNTIL(loop, t->n_data == 1);
    PL_EQ(t->channel, 0);
    PL_OKAY(pl_addr_eq(&t->from, &peer_at));
    PL_EQ(help_turn_bind(t, 0x4001, &peer_at), 0);
    for (unsigned len = 1; len < 1300; len += 97) {
        uint8_t data[1300];
        unsigned n_peer = peer->n, n_client = t->n_data;
        memset(data, (int)len, sizeof data);
        help_turn_send(t, 0x4001, NULL, data, len);
        HELP_UNTIL(loop, peer->n == n_peer + 1);
        PL_EQ(peer->len, len);
        PL_MEMEQ(peer->data, data, len);
        help_peer_send(peer, &relayed, data, len);
        HELP_UNTIL(loop, t->n_data == n_client + 1);
        PL_EQ(t->channel, 0x4001);
        PL_EQ(t->len, len);
        PL_MEMEQ(t->data, data, len);
    }
    PL_EQ(help_turn_refresh(t, 0), 0);
    help_peer_close(peer);
}

PL_TEST(data_goes_both_ways_by_every_transport)
{
    const char *pem = help_certificate();
    START(USUAL, "tls", "127.0.0.1:0", "cert", pem, "key", pem);
    for (int how = 0; how < PL_RELAY_TRANSPORTS; how++) {
        help_turn *t = client((pl_relay_transport)how);
        t->write_bytes = how == PL_RELAY_TCP ? 3 : 0; /* messages in pieces of three bytes */
        there_and_back(t);
        help_turn_close(t);
    }
    HELP_UNTIL(loop, lines() == 8);
    PL_OKAY(strstr(last_line, "\"type\":\"ended\"") && strstr(last_line, "\"user\":\"u\"") &&
            strstr(last_line, "\"up_packets\":15"));
    PL_OKAY(!strstr(last_line, "127.0.0.1")); /* addresses are hashes */
    PL_EQ(allocations_now(), 0);
    stop();
}

PL_TEST(a_connection_that_ends_takes_its_allocation_along)
{
    const char *pem = help_certificate();
    START(USUAL, "tls", "127.0.0.1:0", "cert", pem, "key", pem);
    pl_addr relayed;
    help_turn *tcp = client(PL_RELAY_TCP), *tls = client(PL_RELAY_TLS);
    PL_EQ(help_turn_allocate(tcp, &relayed), 0);
    PL_EQ(help_turn_allocate(tls, &relayed), 0);
    PL_EQ(allocations_now(), 2);
    help_turn_close(tcp);
    help_turn_close(tls);
    HELP_UNTIL(loop, lines() == 4);
    PL_EQ(allocations_now(), 0);
    stop();
}

PL_TEST(what_is_no_stun_ends_a_stream)
{
    START(USUAL);
    help_turn *t = client(PL_RELAY_TCP);
    help_turn_raw(t, "\xff\xff\xff\xff\xff\xff", 6);
    HELP_UNTIL(loop, t->closed);
    help_turn_close(t);
    stop();
}

PL_TEST(unreachable_peers_are_told)
{
    START(USUAL);
    help_turn *t = client(PL_RELAY_UDP);
    help_peer *peer = help_peer_open(loop, "127.0.0.1:0");
    pl_addr relayed, gone = *pl_udp_addr(peer->udp);
    help_peer_close(peer);
    PL_EQ(help_turn_allocate(t, &relayed), 0);
    PL_EQ(help_turn_permit(t, &gone), 0);
    help_turn_send(t, 0, &gone, "x", 1);
    HELP_UNTIL(loop, t->n_icmp == 1);
    PL_EQ(t->icmp.type, 3);
    PL_EQ(t->icmp.code, 3);
    PL_OKAY(pl_addr_ip_eq(&t->from, &gone));
    help_turn_close(t);
    stop();
}

/* ---- TCP to peers (RFC 6062) ---- */

static void fill_tcp(pl_stun_wr *s, const void *arg)
{
    (void)arg;
    pl_stun_put_u8(s, PL_STUN_REQUESTED_TRANSPORT, 6);
}

static void fill_peer(pl_stun_wr *s, const void *arg)
{
    pl_stun_put_xor_addr(s, PL_STUN_XOR_PEER_ADDRESS, arg);
}

static void fill_id(pl_stun_wr *s, const void *arg)
{
    pl_stun_put_u32(s, PL_STUN_CONNECTION_ID, *(const uint32_t *)arg);
}

typedef struct tcp_peer {
    pl_tcp *s;
    size_t n;
    uint8_t data[1 << 20];
    bool closed;
} tcp_peer;

static void on_tcp_data(void *user, uint8_t *data, size_t len)
{
    tcp_peer *p = user;
    PL_LE(p->n + len, sizeof p->data);
    memcpy(p->data + p->n, data, len);
    p->n += len;
}
static void on_tcp_closed(void *user, pl_err err)
{
    (void)err;
    ((tcp_peer *)user)->closed = true;
}
static const pl_tcp_events tcp_events = { .data = on_tcp_data, .closed = on_tcp_closed };

static void on_tcp_accepted(void *user, pl_tcp *s)
{
    tcp_peer *p = user;
    p->s = s;
    pl_tcp_set_events(s, &tcp_events, p);
}

/* Bytes both ways through a spliced connection, far more than any buffer on the way takes at once. */
static void through_a_splice(help_turn *data, tcp_peer *peer)
{
    static uint8_t big[700000];
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (uint8_t)(i * 7 + i / 1000);
    peer->n = 0;
    help_turn_raw(data, big, sizeof big);
    HELP_UNTIL(loop, peer->n == sizeof big);
    PL_MEMEQ(peer->data, big, sizeof big);
    data->n_in = 0;
    PL_EQ(pl_tcp_write(peer->s, big, 60000), PL_OK);
    HELP_UNTIL(loop, data->n_in == 60000);
    PL_MEMEQ(data->in, big, 60000);
}

PL_TEST(tcp_is_relayed_both_ways)
{
    const char *pem = help_certificate();
    START(USUAL, "tls", "127.0.0.1:0", "cert", pem, "key", pem);
    for (int secure = 0; secure < 2; secure++) {
        static tcp_peer peer, caller;
        pl_relay_transport how = secure ? PL_RELAY_TLS : PL_RELAY_TCP;
        pl_tcp_listener *listener;
        pl_tcp_listen_conf lc = { .bind = help_addr("127.0.0.1:0"),
                                  .accepted = on_tcp_accepted,
                                  .user = &peer };
        pl_addr relayed;
        uint32_t id;
        memset(&peer, 0, sizeof peer);
        memset(&caller, 0, sizeof caller);
        PL_EQ(pl_tcp_listen(&listener, loop, &lc), PL_OK);
        help_turn *control = client(how), *data = client(how), *second = client(how);
        PL_EQ(help_turn_ask(control, PL_STUN_ALLOCATE, fill_tcp, NULL), 0);
        PL_EQ(pl_stun_get_xor_addr(&control->msg, PL_STUN_XOR_RELAYED_ADDRESS, &relayed), PL_OK);
        PL_EQ(help_turn_ask(control, PL_STUN_CONNECT, fill_peer, pl_tcp_listener_addr(listener)), 0);
        PL_EQ(pl_stun_get_u32(&control->msg, PL_STUN_CONNECTION_ID, &id), PL_OK);
        HELP_UNTIL(loop, peer.s != NULL);
        PL_OKAY(pl_addr_eq(pl_tcp_remote(peer.s), &relayed)); /* it comes from the relayed address */
        PL_EQ(pl_tcp_write(peer.s, "early", 5), PL_OK);       /* waits for the client */
        data->raw = false;
        PL_EQ(help_turn_ask(data, PL_STUN_CONNECTION_BIND, fill_id, &id), 0);
        data->raw = true;
        HELP_UNTIL(loop, data->n_in == 5);
        PL_MEMEQ(data->in, "early", 5);
        through_a_splice(data, &peer);

        /* and a peer that calls, once it may */
        PL_EQ(help_turn_permit(control, pl_tcp_listener_addr(listener)), 0);
        pl_tcp_conf cc = { .on = tcp_events, .user = &caller };
        PL_EQ(pl_tcp_connect(&caller.s, loop, &relayed, &cc), PL_OK);
        HELP_UNTIL(loop, control->n_attempts == 1);
        id = control->connection_id;
        PL_EQ(help_turn_ask(second, PL_STUN_CONNECTION_BIND, fill_id, &id), 0);
        second->raw = true;
        through_a_splice(second, &caller);

        pl_tcp_close(peer.s); /* the end of one side is the end of the other */
        HELP_UNTIL(loop, data->closed);
        help_turn_close(second);
        HELP_UNTIL(loop, caller.closed);
        pl_tcp_close(caller.s);
        help_turn_close(data);
        help_turn_close(control);
        pl_tcp_listener_close(listener);
    }
    HELP_UNTIL(loop, allocations_now() == 0);
    stop();
}

/* ---- threads ---- */

static void fill_reserve(pl_stun_wr *s, const void *arg)
{
    (void)arg;
    pl_stun_put_u8(s, PL_STUN_REQUESTED_TRANSPORT, 17);
    pl_stun_put_even_port(s, true);
}

static void fill_token(pl_stun_wr *s, const void *arg)
{
    pl_stun_put_u8(s, PL_STUN_REQUESTED_TRANSPORT, 17);
    pl_stun_put_u64(s, PL_STUN_RESERVATION_TOKEN, *(const uint64_t *)arg);
}

/* The kernel gives the second socket to any thread; its port waits at the first one's. */
PL_TEST(a_reserved_port_is_found_from_every_thread)
{
    START("listen", "127.0.0.1:0", "user", "u:p", "threads", "4", "allow-peer", "127.0.0.1");
    for (int i = 0; i < 16; i++) {
        help_turn *a = client(PL_RELAY_UDP), *b = client(PL_RELAY_UDP);
        help_peer *peer = help_peer_open(loop, "127.0.0.1:0");
        pl_addr first, second;
        uint64_t token;
        PL_EQ(help_turn_ask(a, PL_STUN_ALLOCATE, fill_reserve, NULL), 0);
        PL_EQ(pl_stun_get_xor_addr(&a->msg, PL_STUN_XOR_RELAYED_ADDRESS, &first), PL_OK);
        PL_EQ(pl_stun_get_u64(&a->msg, PL_STUN_RESERVATION_TOKEN, &token), PL_OK);
        PL_EQ(first.port % 2, 0);
        PL_EQ(help_turn_ask(b, PL_STUN_ALLOCATE, fill_token, &token), 0);
        PL_EQ(pl_stun_get_xor_addr(&b->msg, PL_STUN_XOR_RELAYED_ADDRESS, &second), PL_OK);
        PL_EQ(second.port, first.port + 1);
        PL_EQ(help_turn_permit(b, pl_udp_addr(peer->udp)), 0);
        help_peer_send(peer, &second, "hello", 5);
        HELP_UNTIL(loop, b->n_data == 1);
        PL_EQ(help_turn_refresh(a, 0), 0);
        PL_EQ(help_turn_refresh(b, 0), 0);
        help_peer_close(peer);
        help_turn_close(a);
        help_turn_close(b);
    }
    PL_EQ(allocations_now(), 0);
    stop();
}

static void fill_mobile(pl_stun_wr *s, const void *arg)
{
    (void)arg;
    pl_stun_put_u8(s, PL_STUN_REQUESTED_TRANSPORT, 17);
    pl_stun_put(s, PL_STUN_MOBILITY_TICKET, "", 0);
}

static void fill_ticket(pl_stun_wr *s, const void *arg)
{
    const pl_str *ticket = arg;
    pl_stun_put(s, PL_STUN_MOBILITY_TICKET, ticket->p, ticket->n);
}

static pl_str ticket_of(const help_turn *t, char copy[256])
{
    pl_rd value;
    PL_OKAY(pl_stun_find(&t->msg, PL_STUN_MOBILITY_TICKET, &value));
    size_t n = pl_rd_left(&value);
    PL_LE(n, 256);
    memcpy(copy, value.p, n);
    return (pl_str){ copy, n };
}

/* RFC 8016: the client comes from other ports, so by other threads; its relayed address and peers stay. */
PL_TEST(an_allocation_follows_its_client_over_threads)
{
    START("listen", "127.0.0.1:0", "user", "u:p", "threads", "4", "allow-peer", "127.0.0.1");
    help_turn *t = client(PL_RELAY_UDP);
    help_peer *peer = help_peer_open(loop, "127.0.0.1:0");
    pl_addr relayed, peer_at = *pl_udp_addr(peer->udp);
    char copy[256];
    PL_EQ(help_turn_ask(t, PL_STUN_ALLOCATE, fill_mobile, NULL), 0);
    PL_EQ(pl_stun_get_xor_addr(&t->msg, PL_STUN_XOR_RELAYED_ADDRESS, &relayed), PL_OK);
    pl_str ticket = ticket_of(t, copy);
    PL_EQ(help_turn_bind(t, 0x4000, &peer_at), 0);
    for (int i = 0; i < 24; i++) {
        help_turn *next = client(PL_RELAY_UDP);
        PL_EQ(help_turn_ask(next, PL_STUN_REFRESH, fill_ticket, &ticket), 0);
        ticket = ticket_of(next, copy);
        help_turn_close(t);
        t = next;
        unsigned n = peer->n;
        help_turn_send(t, 0x4000, NULL, "up", 2);
        HELP_UNTIL(loop, peer->n == n + 1);
        PL_OKAY(pl_addr_eq(&peer->from, &relayed));
        help_peer_send(peer, &relayed, "down", 4);
        HELP_UNTIL(loop, t->n_data == 1);
        PL_EQ(t->channel, 0x4000);
    }
    pl_relay_counters c;
    pl_relay_server_count(relay, &c);
    PL_GE(c.moved, 24);
    PL_EQ(help_turn_refresh(t, 0), 0);
    help_turn_close(t);
    help_peer_close(peer);
    PL_EQ(allocations_now(), 0);
    stop();
}

/* ---- limits ---- */

PL_TEST(no_port_left_is_508_and_a_port_given_back_is_used_again)
{
    START(USUAL, "ports", "24310-24313");
    help_turn *t[5];
    pl_addr relayed;
    for (int i = 0; i < 5; i++) {
        t[i] = client(PL_RELAY_UDP);
        PL_EQ(help_turn_allocate(t[i], &relayed), i < 4 ? 0 : 508);
    }
    PL_EQ(help_turn_refresh(t[0], 0), 0);
    int code =
        508; /* the port is free again a moment after its owner has been told, perhaps on another thread */
    for (int i = 0; i < 100 && code == 508; i++)
        code = help_turn_allocate(t[4], &relayed);
    PL_EQ(code, 0);
    for (int i = 0; i < 5; i++)
        help_turn_close(t[i]);
    stop();
}

PL_TEST(the_world_may_see_another_address)
{
    START(USUAL, "external", "198.51.100.1/127.0.0.1");
    help_turn *t = client(PL_RELAY_UDP);
    pl_addr relayed;
    PL_EQ(help_turn_allocate(t, &relayed), 0);
    PL_EQ(relayed.ip[0], 198);
    PL_GE(relayed.port, 49152);
    help_turn_close(t);
    stop();
}

PL_TEST(families_and_peers_that_are_not_offered)
{
    START("listen", "127.0.0.1:0", "user", "u:p", "threads", "1");
    help_turn *t = client(PL_RELAY_UDP);
    pl_addr relayed, peer = help_addr("127.0.0.1:9"), far = help_addr("203.0.113.9:9");
    PL_EQ(help_turn_allocate(t, &relayed), 0);
    PL_EQ(help_turn_permit(t, &peer), 403); /* loopback, by default */
    PL_EQ(help_turn_permit(t, &far), 0);
    help_turn_close(t);
    stop();
}

/* A client that does not read: its data is dropped, its memory bounded, its requests still answered. */
PL_TEST(a_slow_client_loses_data_and_no_answers)
{
    START(USUAL);
    help_turn *t = client(PL_RELAY_TCP);
    help_peer *peer = help_peer_open(loop, "127.0.0.1:0");
    pl_addr relayed, peer_at = *pl_udp_addr(peer->udp);
    static uint8_t data[1200];
    pl_buf metrics = pl_buf_init(1 << 20);
    const char *at_metric = NULL;
    PL_EQ(help_turn_allocate(t, &relayed), 0);
    PL_EQ(help_turn_bind(t, 0x4000, &peer_at), 0);
    pl_tcp_pause(t->tcp, true);
    for (int i = 0; i < 400 && !at_metric; i++) { /* the kernel's own buffers take megabytes first */
        for (int k = 0; k < 64; k++)
            help_peer_send(peer, &relayed, data, sizeof data);
        PL_EQ(pl_loop_run_once(loop, PL_MS(2)), PL_OK);
        pl_buf_clear(&metrics);
        metrics = pl_buf_init(1 << 20);
        pl_relay_server_metrics(relay, &metrics);
        at_metric = strstr(pl_buf_z(&metrics), "\npeerline_relay_slow_dropped_total ");
        at_metric = at_metric && at_metric[35] != '0' ? at_metric : NULL;
    }
    PL_OKAY(at_metric != NULL);
    pl_tcp_pause(t->tcp, false);
    PL_EQ(help_turn_refresh(t, 600), 0);
    PL_OKAY(!t->closed);
    pl_buf_clear(&metrics);
    help_turn_close(t);
    help_peer_close(peer);
    stop();
}

PL_TEST(connections_have_a_limit)
{
    START(USUAL, "max-connections", "2");
    help_turn *a = client(PL_RELAY_TCP), *b = client(PL_RELAY_TCP), *c = client(PL_RELAY_TCP);
    HELP_UNTIL(loop, c->closed || b->closed || a->closed);
    PL_EQ(a->closed + b->closed + c->closed, 1);
    help_turn_close(a);
    help_turn_close(b);
    help_turn_close(c);
    stop();
}

/* ---- the operator ---- */

PL_TEST(a_reload_changes_users_and_keeps_allocations)
{
    static pl_relay_settings fresh;
    char say[PL_RELAY_SAY_MAX], listen[PL_ADDR_TEXT_MAX] = "127.0.0.1:0";
    const char *pem = help_certificate();
    START(USUAL, "tls", "127.0.0.1:0", "cert", pem, "key", pem);
    help_turn *old = client(PL_RELAY_UDP), *secure = client(PL_RELAY_DTLS);
    pl_addr relayed, far = help_addr("203.0.113.9:9");
    PL_EQ(help_turn_allocate(old, &relayed), 0);
    PL_EQ(help_turn_allocate(secure, &relayed), 0);
    set_all(&fresh, (const char *const[]){ "listen", listen, "user", "v:q", "user", "u:p", "threads", "2",
                                           "tls", "127.0.0.1:0", "cert", pem, "key", pem, "deny-peer",
                                           "203.0.113.0/24", NULL });
    PL_EQ(pl_relay_server_reload(relay, &fresh, say), PL_OK);
    PL_EQ(help_turn_permit(old, &far), 403); /* by the new ranges, with the nonce from before */
    PL_EQ(help_turn_refresh(secure, 600), 0);
    help_turn *other = help_turn_open(loop, PL_RELAY_DTLS, &at[PL_RELAY_DTLS]);
    help_turn_login(other, "v", "q");
    PL_EQ(help_turn_allocate(other, &relayed), 0);

    set_all(&fresh, (const char *const[]){ "listen", listen, "user", "v:q", "threads", "3", NULL });
    PL_EQ(pl_relay_server_reload(relay, &fresh, say), PL_EINVAL);
    PL_STREQ(say, "tls cannot change while running; restart for that");
    set_all(&fresh, (const char *const[]){ "listen", listen, "user", "w:r", "threads", "2", "tls",
                                           "127.0.0.1:0", "cert", "/nowhere", "key", "/nowhere", NULL });
    PL_EQ(pl_relay_server_reload(relay, &fresh, say), PL_EINVAL);
    PL_EQ(help_turn_refresh(other, 600), 0); /* all stayed as it was */
    PL_EQ(allocations_now(), 3);
    help_turn_close(old);
    help_turn_close(secure);
    help_turn_close(other);
    stop();
}

static void on_drained(void *user)
{
    *(bool *)user = true;
}

PL_TEST(a_drain_waits_for_what_stands)
{
    START(USUAL, "drain-seconds", "60", "alternate-server", "192.0.2.1:3478");
    help_turn *a = client(PL_RELAY_UDP), *b = client(PL_RELAY_UDP);
    pl_addr relayed, alternate;
    bool drained = false;
    PL_EQ(help_turn_allocate(a, &relayed), 0);
    PL_OKAY(!pl_relay_server_is_draining(relay));
    pl_relay_server_drain(relay, on_drained, &drained);
    PL_OKAY(pl_relay_server_is_draining(relay) && !drained);
    PL_EQ(help_turn_allocate(b, &relayed), 300);
    PL_EQ(pl_stun_get_addr(&b->msg, PL_STUN_ALTERNATE_SERVER, &alternate), PL_OK);
    PL_EQ(alternate.ip[0], 192);
    PL_EQ(help_turn_refresh(a, 600), 0);
    PL_EQ(pl_loop_run_once(loop, PL_MS(300)), PL_OK);
    PL_OKAY(!drained);
    PL_EQ(help_turn_refresh(a, 0), 0);
    HELP_UNTIL(loop, drained);
    help_turn_close(a);
    help_turn_close(b);
    stop();
}

PL_TEST(a_drain_has_an_end)
{
    START(USUAL, "drain-seconds", "0");
    help_turn *a = client(PL_RELAY_UDP);
    pl_addr relayed;
    bool drained = false;
    PL_EQ(help_turn_allocate(a, &relayed), 0);
    pl_relay_server_drain(relay, on_drained, &drained);
    HELP_UNTIL(loop, drained);
    help_turn_close(a);
    stop();
}

PL_TEST(an_address_that_is_taken_is_said)
{
    START("listen", "127.0.0.1:0", "threads", "2");
    static pl_relay_settings s;
    char say[PL_RELAY_SAY_MAX], text[PL_ADDR_TEXT_MAX], want[128];
    pl_relay_server *second;
    pl_relay_server_conf conf = { .settings = &s, .own_threads = true };
    pl_addr_str(&at[PL_RELAY_UDP], text);
    set_all(&s, (const char *const[]){ "listen", text, "threads", "2", NULL });
    PL_EQ(pl_relay_server_new(&second, loop, &conf, say), PL_EIO);
    snprintf(want, sizeof want, "cannot listen on %s (UDP)", text);
    PL_STREQ(say, want);
    PL_OKAY(second == NULL);
    stop();
}

/* ---- figures ---- */

static void fetch(const pl_addr *from, const char *request, tcp_peer *p)
{
    pl_tcp_conf conf = { .on = tcp_events, .user = p };
    memset(p, 0, sizeof *p);
    PL_EQ(pl_tcp_connect(&p->s, loop, from, &conf), PL_OK);
    PL_EQ(pl_loop_run_once(loop, PL_MS(50)), PL_OK);
    while (pl_tcp_write(p->s, request, strlen(request)) == PL_ESTATE && !p->closed)
        PL_EQ(pl_loop_run_once(loop, PL_MS(5)), PL_OK);
    HELP_UNTIL(loop, p->closed);
    p->data[p->n] = 0;
    pl_tcp_close(p->s);
}

PL_TEST(figures_are_served)
{
    static tcp_peer p;
    START(USUAL);
    pl_relay_http *http;
    pl_addr any = help_addr("127.0.0.1:0");
    PL_EQ(pl_relay_http_open(&http, loop, &any, relay), PL_OK);
    const pl_addr *from = pl_relay_http_addr(http);
    help_turn *t = client(PL_RELAY_TCP);
    there_and_back(t);
    pl_addr relayed;
    PL_EQ(help_turn_allocate(t, &relayed), 0);
    fetch(from, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", &p);
    const char *text = (const char *)p.data;
    PL_OKAY(strncmp(text, "HTTP/1.1 200 OK\r\n", 17) == 0);
    PL_OKAY(strstr(text, "\npeerline_relay_allocations{transport=\"tcp\"} 1\n"));
    PL_OKAY(strstr(text, "\npeerline_relay_allocations_total{transport=\"tcp\"} 2\n"));
    PL_OKAY(strstr(text, "\npeerline_relay_data_packets_total{direction=\"up\"} 15\n"));
    PL_OKAY(strstr(text, "\npeerline_relay_errors_total{code=\"401\"} 1\n"));
    PL_OKAY(strstr(text, "\n# TYPE peerline_relay_drops_total counter\n"));
    fetch(from, "GET /health HTTP/1.0\r\n\r\n", &p);
    PL_OKAY(strstr(text, "\r\n\r\nok\n"));
    fetch(from, "HEAD /health HTTP/1.1\r\nHost: x\r\n\r\n", &p);
    PL_OKAY(strncmp(text, "HTTP/1.1 200", 12) == 0 && !strstr(text, "ok\n"));
    fetch(from, "GET /etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", &p);
    PL_OKAY(strncmp(text, "HTTP/1.1 404", 12) == 0);
    fetch(from, "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", &p);
    PL_OKAY(strncmp(text, "HTTP/1.1 405", 12) == 0);
    fetch(from, "\r\r\rnonsense\r\n\r\n", &p);
    PL_OKAY(strncmp(text, "HTTP/1.1 400", 12) == 0);
    bool drained = false;
    pl_relay_server_drain(relay, on_drained, &drained);
    fetch(from, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n", &p);
    PL_OKAY(strncmp(text, "HTTP/1.1 503", 12) == 0);
    help_turn_close(t);
    pl_relay_http_close(http);
    stop();
}

/* ---- RFC 5780 ---- */

static void fill_change(pl_stun_wr *s, const void *arg)
{
    pl_stun_put_u32(s, PL_STUN_CHANGE_REQUEST, *(const uint32_t *)arg);
}

static pl_addr answered_from;
static unsigned n_answers;

static void on_answer(void *user, int64_t now_us, const pl_udp_rx *batch, size_t n)
{
    (void)user, (void)now_us;
    answered_from = batch[n - 1].path->remote;
    n_answers += (unsigned)n;
}

PL_TEST(answers_leave_by_the_address_that_was_asked_for)
{
    START("primary", "127.0.0.1:24320", "alternate", "127.0.0.2:24321", "threads", "2");
    static const struct {
        uint32_t flags;
        const char *from;
    } ways[] = { { 0, "127.0.0.1:24320" },
                 { PL_STUN_CHANGE_PORT, "127.0.0.1:24321" },
                 { PL_STUN_CHANGE_IP, "127.0.0.2:24320" },
                 { PL_STUN_CHANGE_IP | PL_STUN_CHANGE_PORT, "127.0.0.2:24321" } };
    pl_udp *u;
    pl_udp_conf conf = { .bind = help_addr("127.0.0.1:0"), .fn = on_answer };
    PL_EQ(pl_udp_open(&u, loop, &conf), PL_OK);
    for (size_t i = 0; i < 4; i++) {
        uint8_t pkt[64], id[PL_STUN_ID_LEN] = { 0 };
        pl_stun_wr s = pl_stun_begin(pkt, sizeof pkt, PL_STUN_REQUEST, PL_STUN_BINDING, id);
        fill_change(&s, &ways[i].flags);
        pl_dgram d = { .path.remote = help_addr("127.0.0.1:24320"), .data = pkt, .len = pl_stun_end(&s) };
        n_answers = 0;
        PL_EQ(pl_udp_send(u, &d), PL_OK);
        HELP_UNTIL(loop, n_answers == 1);
        pl_addr want = help_addr(ways[i].from);
        PL_OKAY(pl_addr_eq(&answered_from, &want));
    }
    pl_udp_close(u);
    stop();
}

PL_TESTS(t(data_goes_both_ways_by_every_transport), t(a_connection_that_ends_takes_its_allocation_along),
         t(what_is_no_stun_ends_a_stream), t(unreachable_peers_are_told), t(tcp_is_relayed_both_ways),
         t(a_reserved_port_is_found_from_every_thread), t(an_allocation_follows_its_client_over_threads),
         t(no_port_left_is_508_and_a_port_given_back_is_used_again), t(the_world_may_see_another_address),
         t(families_and_peers_that_are_not_offered), t(a_slow_client_loses_data_and_no_answers),
         t(connections_have_a_limit), t(a_reload_changes_users_and_keeps_allocations),
         t(a_drain_waits_for_what_stands), t(a_drain_has_an_end), t(an_address_that_is_taken_is_said),
         t(figures_are_served), t(answers_leave_by_the_address_that_was_asked_for))
