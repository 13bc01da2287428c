/* Every allocation of memory fails once, in a life that has everything: the relay stays whole, the client is told 508
 * or nothing, and at the end nothing is left. */
#include "pl_alloc.h"
#include "pl_test.h"
#include "sim/relay_rig.h"

static void two_families_and_a_pair(rig *g)
{
    rig_client c = rig_client_of(g, 1), d = rig_client_of(g, 2);
    pl_stun_wr s = rig_begin(&c, PL_STUN_ALLOCATE);
    pl_stun_put_u8(&s, PL_STUN_REQUESTED_TRANSPORT, 17);
    pl_stun_put_u8(&s, PL_STUN_ADDITIONAL_ADDRESS_FAMILY, 2);
    (void)rig_ask(&c, &s);
    s = rig_begin(&d, PL_STUN_ALLOCATE);
    pl_stun_put_u8(&s, PL_STUN_REQUESTED_TRANSPORT, 17);
    pl_stun_put_even_port(&s, true);
    int code = rig_ask(&d, &s);
    PL_OKAY(code == 0 || code == 508);
    pl_rd token;
    rig_client e = rig_client_of(g, 3);
    if (!code && pl_stun_find(&d.answer, PL_STUN_RESERVATION_TOKEN, &token)) {
        s = rig_begin(&e, PL_STUN_ALLOCATE);
        pl_stun_put_u8(&s, PL_STUN_REQUESTED_TRANSPORT, 17);
        pl_stun_put(&s, PL_STUN_RESERVATION_TOKEN, token.p, 8);
        (void)rig_ask(&e, &s);
    }
}

static void many_peers(rig *g)
{
    rig_client c = rig_client_of(g, 4);
    pl_addr peer = rig_addr("203.0.113.1:7000");
    if (rig_allocate(&c))
        return;
    for (unsigned i = 0; i < 12; i++) {
        peer.ip[3] = (uint8_t)(1 + i);
        int code = rig_bind(&c, (uint16_t)(0x4000 + i), &peer);
        PL_OKAY(code == 0 || code == 508);
        pl_relay_check(g->core);
        if (code == 0) {
            rig_forget(g);
            rig_send_channel(&c, (uint16_t)(0x4000 + i), "x", 1);
            PL_EQ(g->n_queued, 1);
        }
    }
}

static void tcp(rig *g)
{
    rig_client c = rig_client_of(g, 5), d = rig_client_of(g, 6);
    pl_addr peer = rig_addr("203.0.113.1:7000");
    if (!rig_connect_client(&c, PL_RELAY_TCP))
        return;
    pl_stun_wr s = rig_begin(&c, PL_STUN_ALLOCATE);
    pl_stun_put_u8(&s, PL_STUN_REQUESTED_TRANSPORT, 6);
    if (!rig_ask(&c, &s)) {
        s = rig_begin(&c, PL_STUN_CONNECT);
        pl_stun_put_xor_addr(&s, PL_STUN_XOR_PEER_ADDRESS, &peer);
        uint32_t id;
        if (!rig_ask(&c, &s) && !pl_stun_get_u32(&c.answer, PL_STUN_CONNECTION_ID, &id) &&
            rig_connect_client(&d, PL_RELAY_TCP)) {
            s = rig_begin(&d, PL_STUN_CONNECTION_BIND);
            pl_stun_put_u32(&s, PL_STUN_CONNECTION_ID, id);
            (void)rig_ask(&d, &s);
            rig_close_client(&d);
        }
    }
    rig_close_client(&c);
}

static void mobile(rig *a, rig *b)
{
    rig_client c = rig_client_of(a, 7), d = rig_client_of(b, 8);
    pl_stun_wr s = rig_begin(&c, PL_STUN_ALLOCATE);
    pl_stun_put_u8(&s, PL_STUN_REQUESTED_TRANSPORT, 17);
    pl_stun_put(&s, PL_STUN_MOBILITY_TICKET, "", 0);
    pl_rd ticket;
    if (rig_ask(&c, &s) || !pl_stun_find(&c.answer, PL_STUN_MOBILITY_TICKET, &ticket))
        return;
    b->n_fetches = 0;
    s = rig_begin(&d, PL_STUN_REFRESH);
    pl_stun_put(&s, PL_STUN_MOBILITY_TICKET, ticket.p, pl_rd_left(&ticket));
    (void)rig_ask(&d, &s);
    if (!b->n_fetches)
        return;
    pl_relay_parcel *p = pl_relay_detach(a->core, a->now_us, &b->claim);
    if (p) {
        pl_relay_port *port;
        void **at = pl_relay_parcel_sock(p, 0, &port);
        rig_sock *old = *at;
        b->sock[RIG_SOCKS_MAX - 1] = *old;
        *at = &b->sock[RIG_SOCKS_MAX - 1];
        old->open = false;
        a->n_open--;
        if (pl_relay_attach(b->core, b->now_us, p))
            pl_relay_parcel_free(p);
        else
            b->n_open++;
    }
    pl_relay_replay(b->core, b->now_us, b, NULL, &b->fetched_path, b->fetched, b->fetched_len);
    rig_drain(b);
}

static void end(rig *g)
{
    rig_wait(g, PL_SEC(3700));
    pl_relay_check(g->core);
    PL_OKAY(pl_relay_is_empty(g->core));
    PL_EQ(g->n_open, 0);
}

PL_TEST(a_life_with_failing_memory)
{
    long n = 0;
    for (; n == 0 || pl_alloc_has_failed(); n++) {
        pl_alloc_fail_after(n);
        rig_conf conf = { .seed = 8, .tcp = true, .mobility = true };
        rig *a = rig_new(&conf);
        if (!a)
            continue;
        rig_conf other = { .seed = 9, .mobility = true, .thread = 1, .shared = a->shared, .auth = a->auth };
        rig *b = rig_new(&other);
        two_families_and_a_pair(a);
        many_peers(a);
        tcp(a);
        if (b) {
            b->keep_fetch = true;
            mobile(a, b);
            end(b);
        }
        end(a);
        PL_EQ(pl_relay_shared_total(a->shared), 0);
        rig_free(b);
        rig_free(a);
    }
    PL_GE(n, 40); /* that many there are at least */
}

PL_TESTS(t(a_life_with_failing_memory))
