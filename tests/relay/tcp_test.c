/* TCP to peers: RFC 6062. */
#include "pl_test.h"
#include "sim/relay_rig.h"

static rig *g;
static rig_client c;
static pl_addr peer;

static int allocate_tcp(rig_client *client)
{
    pl_stun_wr s = rig_begin(client, PL_STUN_ALLOCATE);
    pl_stun_put_u8(&s, PL_STUN_REQUESTED_TRANSPORT, 6);
    int code = rig_ask(client, &s);
    if (!code)
        PL_EQ(pl_stun_get_xor_addr(&client->answer, PL_STUN_XOR_RELAYED_ADDRESS, &client->relayed[0]), PL_OK);
    return code;
}

static void start(void)
{
    rig_conf conf = { .seed = 4, .tcp = true, .mobility = true };
    g = rig_new(&conf);
    PL_OKAY(g != NULL);
    c = rig_client_of(g, 1);
    PL_OKAY(rig_connect_client(&c, PL_RELAY_TCP));
    PL_EQ(allocate_tcp(&c), 0);
    peer = rig_addr("203.0.113.5:7000");
}

static void finish(void)
{
    pl_relay_check(g->core);
    rig_free(g);
}

static int connect_to(rig_client *client, const pl_addr *to)
{
    pl_stun_wr s = rig_begin(client, PL_STUN_CONNECT);
    pl_stun_put_xor_addr(&s, PL_STUN_XOR_PEER_ADDRESS, to);
    return rig_ask(client, &s);
}

static uint32_t connection_id(const pl_stun_msg *m)
{
    uint32_t id;
    PL_EQ(pl_stun_get_u32(m, PL_STUN_CONNECTION_ID, &id), PL_OK);
    return id;
}

static int bind_to(rig_client *data, uint32_t id)
{
    pl_stun_wr s = rig_begin(data, PL_STUN_CONNECTION_BIND);
    pl_stun_put_u32(&s, PL_STUN_CONNECTION_ID, id);
    return rig_ask(data, &s);
}

/* A second connection of the same client. */
static rig_client data_client(unsigned n)
{
    rig_client d = rig_client_of(g, n);
    PL_OKAY(rig_connect_client(&d, PL_RELAY_TCP));
    return d;
}

static size_t n_links(void)
{
    size_t n = 0;
    for (size_t i = 0; i < RIG_LINKS_MAX; i++)
        n += g->link[i].open;
    return n;
}

PL_TEST(allocations_for_tcp)
{
    start();
    rig_client u = rig_client_of(g, 2), t = data_client(3);
    PL_EQ(allocate_tcp(&u), 400); /* by UDP */
    static const uint16_t not_with[] = { PL_STUN_DONT_FRAGMENT, PL_STUN_RESERVATION_TOKEN,
                                         PL_STUN_EVEN_PORT };
    for (unsigned i = 0; i < 3; i++) {
        pl_stun_wr s = rig_begin(&t, PL_STUN_ALLOCATE);
        pl_stun_put_u8(&s, PL_STUN_REQUESTED_TRANSPORT, 6);
        pl_stun_put(&s, not_with[i], "12345678", i == 1 ? 8 : i == 2 ? 1 : 0);
        PL_EQ(rig_ask(&t, &s), 400);
    }
    pl_stun_wr s = rig_begin(&t, PL_STUN_ALLOCATE);
    pl_stun_put_u8(&s, PL_STUN_REQUESTED_TRANSPORT, 6);
    pl_stun_put(&s, PL_STUN_MOBILITY_TICKET, "", 0);
    PL_EQ(rig_ask(&t, &s), 405); /* its connections could not move with it */
    rig_client d = rig_client_of(g, 4);
    PL_OKAY(rig_connect_client(&d, PL_RELAY_DTLS));
    PL_EQ(allocate_tcp(&d), 400);
    PL_OKAY(rig_sock_at(g, &c.relayed[0])->tcp);
    PL_EQ(pl_relay_count(g->core)->tcp_allocations, 1);
    finish();
}

PL_TEST(connect_and_bind)
{
    start();
    PL_EQ(connect_to(&c, &peer), 0);
    uint32_t id = connection_id(&c.answer);
    PL_EQ(connect_to(&c, &peer), 446);
    rig_client d = data_client(2);
    PL_EQ(bind_to(&d, id + 1), 400);
    PL_EQ(bind_to(&d, id), 0);
    PL_OKAY(g->link[0].spliced == d.conn);
    PL_OKAY(pl_relay_conn_busy(d.conn));
    rig_client e = data_client(3);
    PL_EQ(bind_to(&e, id), 400); /* once */
    rig_wait(g, PL_SEC(100));
    PL_EQ(n_links(), 1); /* no deadline any more */
    /* The peer closes: the client's data connection is to be closed. */
    g->link[0].open = false;
    pl_relay_link_closed(g->core, g->now_us, g->link[0].link);
    rig_drain(g);
    PL_OKAY(g->closed_conn == d.conn);
    rig_close_client(&d);
    PL_EQ(connect_to(&c, &peer), 0); /* and it may be connected to again */
    finish();
}

PL_TEST(the_client_closes_its_data_connection)
{
    start();
    PL_EQ(connect_to(&c, &peer), 0);
    rig_client d = data_client(2);
    PL_EQ(bind_to(&d, connection_id(&c.answer)), 0);
    rig_close_client(&d);
    PL_EQ(n_links(), 0);
    finish();
}

PL_TEST(the_end_of_an_allocation_ends_its_connections)
{
    start();
    pl_addr other = rig_addr("203.0.113.6:7000");
    PL_EQ(connect_to(&c, &peer), 0);
    uint32_t id = connection_id(&c.answer);
    PL_EQ(connect_to(&c, &other), 0);
    rig_client d = data_client(2);
    PL_EQ(bind_to(&d, id), 0);
    rig_close_client(&c);
    PL_EQ(n_links(), 0);
    PL_EQ(g->n_open, 0);
    PL_OKAY(g->closed_conn == d.conn);
    pl_relay_check(g->core);
    rig_close_client(&d);
    finish();
}

PL_TEST(connect_rules)
{
    start();
    pl_stun_wr s = rig_begin(&c, PL_STUN_CONNECT);
    PL_EQ(rig_ask(&c, &s), 400);
    pl_addr local = rig_addr("192.168.0.1:80"), six = rig_addr("[2001:db8:5::5]:80"), deaf = peer;
    PL_EQ(connect_to(&c, &local), 403);
    PL_EQ(connect_to(&c, &six), 443);
    deaf.port = 1;
    PL_EQ(connect_to(&c, &deaf), 447);
    rig_client d = data_client(2);
    PL_EQ(connect_to(&d, &peer), 437);
    rig_client u = rig_client_of(g, 3);
    PL_EQ(rig_allocate(&u), 0);
    PL_EQ(connect_to(&u, &peer), 400);
    PL_EQ(rig_bind(&c, 0x4000, &peer), 400); /* no channels on TCP */
    s = rig_begin(&d, PL_STUN_CONNECTION_BIND);
    PL_EQ(rig_ask(&d, &s), 400);
    PL_EQ(bind_to(&u, 1), 400);
    finish();
}

PL_TEST(a_peer_that_does_not_answer)
{
    start();
    g->hold_connect = true;
    pl_stun_wr s = rig_begin(&c, PL_STUN_CONNECT);
    pl_stun_put_xor_addr(&s, PL_STUN_XOR_PEER_ADDRESS, &peer);
    PL_EQ(rig_ask(&c, &s), -1);
    PL_EQ(connect_to(&c, &peer), 446); /* while it is tried */
    rig_forget(g);
    rig_wait(g, PL_SEC(31));
    rig_packet p;
    pl_stun_msg m;
    uint16_t code;
    pl_str reason;
    PL_OKAY(rig_take(g, &p) && !pl_stun_parse(&m, p.data, p.len));
    PL_EQ(pl_stun_get_error(&m, &code, &reason), PL_OK);
    PL_EQ(code, 447);
    PL_EQ(n_links(), 0);
    finish();
}

PL_TEST(nobody_binds)
{
    start();
    PL_EQ(connect_to(&c, &peer), 0);
    uint32_t id = connection_id(&c.answer);
    rig_wait(g, PL_SEC(31));
    PL_EQ(n_links(), 0);
    rig_client d = data_client(2);
    PL_EQ(bind_to(&d, id), 400);
    finish();
}

/* What the driver does when a peer connects. */
static rig_link *peer_connects(const pl_addr *from)
{
    rig_link *l = &g->link[9];
    rig_sock *sock = rig_sock_at(g, &c.relayed[0]);
    *l = (rig_link){ .open = true, .peer = *from };
    l->link = pl_relay_accepted(g->core, g->now_us, sock->port, l, from);
    l->open = l->link != NULL;
    rig_drain(g);
    return l->link ? l : NULL;
}

PL_TEST(peers_connect)
{
    start();
    PL_OKAY(!peer_connects(&peer)); /* without permission */
    PL_EQ(rig_permit(&c, &peer), 0);
    rig_forget(g);
    rig_link *l = peer_connects(&peer);
    PL_OKAY(l != NULL);
    rig_packet p;
    pl_stun_msg m = { 0 };
    pl_addr from = { 0 };
    PL_OKAY(rig_take(g, &p) && !pl_stun_parse(&m, p.data, p.len) && p.conn == c.conn);
    PL_EQ(m.method, PL_STUN_CONNECTION_ATTEMPT);
    PL_EQ(m.cls, PL_STUN_INDICATION);
    PL_EQ(pl_stun_get_xor_addr(&m, PL_STUN_XOR_PEER_ADDRESS, &from), PL_OK);
    PL_OKAY(pl_addr_eq(&from, &peer));
    uint32_t id = connection_id(&m);
    rig_client d = data_client(2), thief = data_client(3);
    thief.user = "bob";
    thief.password = "bob's";
    PL_EQ(bind_to(&thief, id), 441);
    PL_EQ(bind_to(&d, id), 0);
    PL_OKAY(l->spliced == d.conn);
    rig_close_client(&d);
    PL_OKAY(!l->open);
    PL_OKAY(peer_connects(&peer));
    rig_wait(g, PL_SEC(31));
    PL_EQ(n_links(), 0);
    finish();
}

PL_TEST(links_have_a_limit)
{
    start();
    pl_addr to = peer;
    for (unsigned i = 0; i < PL_RELAY_LINKS_MAX; i++) {
        to.port = (uint16_t)(100 + i);
        PL_EQ(connect_to(&c, &to), 0);
    }
    to.port = 99;
    PL_EQ(connect_to(&c, &to), 508);
    finish();
}

PL_TESTS(t(allocations_for_tcp), t(connect_and_bind), t(the_client_closes_its_data_connection),
         t(the_end_of_an_allocation_ends_its_connections), t(connect_rules), t(a_peer_that_does_not_answer),
         t(nobody_binds), t(peers_connect), t(links_have_a_limit))
