/* Refresh (RFC 8656 8), mobility (RFC 8016), and allocations that go from one thread's relay to another's. */
#include "pl_test.h"
#include "sim/relay_rig.h"

static rig *make(rig_conf conf)
{
    conf.seed = 3;
    rig *g = rig_new(&conf);
    PL_OKAY(g != NULL);
    return g;
}

static void finish(rig *g)
{
    pl_relay_check(g->core);
    rig_free(g);
}

static uint32_t lifetime_of(const rig_client *c)
{
    uint32_t s;
    PL_EQ(pl_stun_get_u32(&c->answer, PL_STUN_LIFETIME, &s), PL_OK);
    return s;
}

PL_TEST(refresh_prolongs_and_ends)
{
    rig *g = make((rig_conf){ 0 });
    rig_client c = rig_client_of(g, 1);
    PL_EQ(rig_refresh(&c, 600), 437);
    PL_EQ(rig_allocate(&c), 0);
    rig_wait(g, PL_SEC(590));
    PL_EQ(rig_refresh(&c, 1), 0);
    PL_EQ(lifetime_of(&c), 600);
    rig_wait(g, PL_SEC(590));
    PL_EQ(rig_refresh(&c, 99999), 0);
    PL_EQ(lifetime_of(&c), 3600);
    pl_stun_wr s = rig_begin(&c, PL_STUN_REFRESH);
    PL_EQ(rig_ask(&c, &s), 0);
    PL_EQ(lifetime_of(&c), 600); /* shorter is possible too */
    rig_wait(g, PL_SEC(599));
    PL_EQ(g->n_open, 1);
    PL_EQ(rig_refresh(&c, 0), 0);
    PL_EQ(lifetime_of(&c), 0);
    PL_EQ(g->n_open, 0);
    PL_EQ(rig_send_again(&c), 437);
    PL_OKAY(pl_relay_is_empty(g->core));
    PL_EQ(rig_allocate(&c), 0); /* the 5-tuple is free again */
    finish(g);
}

PL_TEST(refresh_names_a_family)
{
    rig *g = make((rig_conf){ 0 });
    rig_client c = rig_client_of(g, 1);
    PL_EQ(rig_allocate(&c), 0);
    static const int codes[] = { 443, 0, 443, 443 };
    for (uint8_t family = 0; family < 4; family++) {
        pl_stun_wr s = rig_begin(&c, PL_STUN_REFRESH);
        pl_stun_put_u8(&s, PL_STUN_REQUESTED_ADDRESS_FAMILY, family);
        PL_EQ(rig_ask(&c, &s), codes[family]);
    }
    pl_stun_wr s = rig_begin(&c, PL_STUN_REFRESH);
    pl_stun_put(&s, PL_STUN_LIFETIME, "abc", 3);
    PL_EQ(rig_ask(&c, &s), 400);
    finish(g);
}

PL_TEST(thousands_of_allocations_cost_one_deadline_a_second)
{
    rig *g = make((rig_conf){ .no_auth = true });
    enum { N = 2000 };
    for (unsigned i = 0; i < N; i++) {
        rig_client c = rig_client_of(g, i);
        PL_EQ(rig_allocate(&c), 0);
        rig_wait(g, PL_MS(10));
    }
    PL_EQ(g->n_open, N);
    pl_relay_check(g->core);
    unsigned n_ticks = 0;
    while (!pl_relay_is_empty(g->core)) {
        g->now_us = pl_relay_next_us(g->core);
        pl_relay_tick(g->core, g->now_us);
        rig_drain(g);
        n_ticks++;
    }
    PL_LE(n_ticks, N / 100 + 2);
    PL_EQ(g->n_open, 0);
    finish(g);
}

/* ---- mobility ---- */

static int allocate_mobile(rig_client *c)
{
    pl_stun_wr s = rig_begin(c, PL_STUN_ALLOCATE);
    pl_stun_put_u8(&s, PL_STUN_REQUESTED_TRANSPORT, 17);
    pl_stun_put(&s, PL_STUN_MOBILITY_TICKET, "", 0);
    int code = rig_ask(c, &s);
    if (!code)
        PL_EQ(pl_stun_get_xor_addr(&c->answer, PL_STUN_XOR_RELAYED_ADDRESS, &c->relayed[0]), PL_OK);
    return code;
}

static size_t ticket_of(const rig_client *c, uint8_t out[64])
{
    pl_rd ticket;
    if (!pl_stun_find(&c->answer, PL_STUN_MOBILITY_TICKET, &ticket))
        return 0;
    size_t len = pl_rd_left(&ticket);
    PL_LE(len, 64);
    memcpy(out, ticket.p, len);
    return len;
}

static int refresh_with(rig_client *c, uint32_t lifetime_s, const uint8_t *ticket, size_t len)
{
    pl_stun_wr s = rig_begin(c, PL_STUN_REFRESH);
    pl_stun_put_u32(&s, PL_STUN_LIFETIME, lifetime_s);
    pl_stun_put(&s, PL_STUN_MOBILITY_TICKET, ticket, len);
    return rig_ask(c, &s);
}

PL_TEST(mobility_is_forbidden)
{
    rig *g = make((rig_conf){ 0 });
    rig_client c = rig_client_of(g, 1);
    PL_EQ(allocate_mobile(&c), 405);
    PL_EQ(refresh_with(&c, 600, (const uint8_t *)"12345678901234567890123456", 25), 405);
    PL_EQ(rig_allocate(&c), 0);
    finish(g);
}

PL_TEST(an_allocation_follows_its_client)
{
    uint8_t ticket[64], next[64];
    rig *g = make((rig_conf){ .mobility = true });
    rig_client c = rig_client_of(g, 1), d = rig_client_of(g, 2);
    pl_addr peer = rig_addr("203.0.113.5:7000");
    PL_EQ(allocate_mobile(&c), 0);
    size_t len = ticket_of(&c, ticket);
    PL_OKAY(len > 0);
    PL_EQ(rig_bind(&c, 0x4000, &peer), 0);
    PL_EQ(refresh_with(&c, 600, ticket, len), 0); /* from where it is: just a refresh */

    d.relayed[0] = c.relayed[0];
    PL_EQ(refresh_with(&d, 1200, ticket, len), 0);
    PL_EQ(lifetime_of(&d), 1200);
    PL_OKAY(ticket_of(&d, next) > 0);
    PL_EQ(g->n_events[PL_RELAY_MOVED], 1);
    rig_forget(g);
    rig_from_peer(g, &peer, &c.relayed[0], "x", 1);
    rig_packet p;
    PL_OKAY(rig_take(g, &p) && pl_addr_eq(&p.to, &d.path.remote) && pl_get16(p.data) == 0x4000);
    rig_send_channel(&d, 0x4000, "x", 1);
    PL_OKAY(rig_take(g, &p) && pl_addr_eq(&p.to, &peer));
    rig_send_channel(&c, 0x4000, "x", 1);
    PL_OKAY(!rig_take(g, &p)); /* the old 5-tuple is nobody's now */
    PL_EQ(rig_refresh(&c, 600), 437);
    PL_EQ(rig_send_again(&d), 0); /* the answer was lost: the same again */
    PL_EQ(g->n_open, 1);
    /* To a connection, which breaks, and back. */
    rig_client e = rig_client_of(g, 3), f = rig_client_of(g, 4);
    PL_OKAY(rig_connect_client(&e, PL_RELAY_TCP));
    PL_EQ(refresh_with(&e, 1200, next, len), 0);
    len = ticket_of(&e, next);
    rig_close_client(&e);
    PL_EQ(g->n_open, 1);
    rig_forget(g);
    rig_from_peer(g, &peer, &c.relayed[0], "x", 1);
    PL_EQ(g->n_queued, 0);
    PL_EQ(refresh_with(&f, 600, next, len), 0);
    rig_forget(g);
    rig_from_peer(g, &peer, &c.relayed[0], "x", 1);
    PL_EQ(g->n_queued, 1);
    pl_relay_check(g->core);
    /* Ended with the ticket from yet another place. */
    PL_EQ(refresh_with(&c, 0, next, len), 0);
    PL_EQ(g->n_open, 0);
    PL_EQ(refresh_with(&c, 600, next, len), 437);
    finish(g);
}

PL_TEST(tickets_cannot_be_made_or_stolen)
{
    uint8_t ticket[64];
    rig *g = make((rig_conf){ .mobility = true });
    rig_client c = rig_client_of(g, 1), d = rig_client_of(g, 2);
    PL_EQ(allocate_mobile(&c), 0);
    size_t len = ticket_of(&c, ticket);
    for (size_t i = 0; i < len; i++) {
        ticket[i] ^= 0x10;
        PL_EQ(refresh_with(&d, 600, ticket, len), 400);
        ticket[i] ^= 0x10;
    }
    for (size_t cut = 0; cut < len; cut++)
        PL_EQ(refresh_with(&d, 600, ticket, cut), 400);
    d.user = "bob";
    d.password = "bob's";
    PL_EQ(refresh_with(&d, 600, ticket, len), 441);
    PL_EQ(refresh_with(&d, 0, ticket, len), 441);
    rig_client e = rig_client_of(g, 3);
    pl_stun_wr s = rig_begin(&e, PL_STUN_ALLOCATE);
    pl_stun_put_u8(&s, PL_STUN_REQUESTED_TRANSPORT, 17);
    pl_stun_put(&s, PL_STUN_MOBILITY_TICKET, ticket, len);
    PL_EQ(rig_ask(&e, &s), 400);
    finish(g);
}

/* ---- between threads ---- */

/* What a driver does for PL_RELAY_FETCH, without the threads. */
static bool carry(rig *from, rig *to, void *sock)
{
    pl_relay_parcel *p = pl_relay_detach(from->core, from->now_us, &to->claim);
    if (p) {
        pl_relay_port *port;
        void **at;
        for (size_t i = 0; (at = pl_relay_parcel_sock(p, i, &port)); i++) {
            rig_sock *old = *at;
            for (size_t k = 0; k < RIG_SOCKS_MAX; k++) {
                if (to->sock[k].open)
                    continue;
                to->sock[k] = *old;
                *at = &to->sock[k];
                break;
            }
            PL_OKAY(((rig_sock *)*at)->port == port);
            old->open = false;
            from->n_open--;
            to->n_open++;
        }
        PL_EQ(pl_relay_attach(to->core, to->now_us, p), PL_OK);
    }
    pl_relay_replay(to->core, to->now_us, sock, NULL, &to->fetched_path, to->fetched, to->fetched_len);
    rig_drain(to);
    return p != NULL;
}

PL_TEST(a_move_to_another_thread)
{
    uint8_t ticket[64];
    rig *a = make((rig_conf){ .mobility = true, .thread = 0 });
    rig *b = make((rig_conf){ .mobility = true, .thread = 1, .shared = a->shared, .auth = a->auth });
    b->keep_fetch = true;
    rig_client c = rig_client_of(a, 1), d = rig_client_of(b, 2);
    pl_addr peer = rig_addr("203.0.113.5:7000");
    PL_EQ(allocate_mobile(&c), 0);
    size_t len = ticket_of(&c, ticket);
    PL_EQ(rig_bind(&c, 0x4000, &peer), 0);
    pl_stun_wr s = rig_begin(&d, PL_STUN_REFRESH);
    PL_EQ(rig_ask(&d, &s), 437); /* learns the nonce */

    PL_EQ(refresh_with(&d, 600, ticket, len), -1);
    PL_EQ(b->n_fetches, 1);
    PL_EQ(b->claim_thread, 0);
    PL_OKAY(carry(a, b, b));
    PL_EQ(b->n_queued, 1);
    rig_packet p;
    PL_OKAY(rig_take(b, &p) && p.data[0] == 0x01); /* a success */
    PL_EQ(a->n_open, 0);
    PL_EQ(b->n_open, 1);
    pl_relay_check(a->core);
    pl_relay_check(b->core);
    rig_from_peer(b, &peer, &c.relayed[0], "x", 1);
    PL_OKAY(rig_take(b, &p) && pl_addr_eq(&p.to, &d.path.remote) && pl_get16(p.data) == 0x4000);
    PL_EQ(pl_relay_shared_total(a->shared), 1);
    /* It is not there a second time. */
    rig_client e = rig_client_of(b, 3);
    s = rig_begin(&e, PL_STUN_REFRESH);
    PL_EQ(rig_ask(&e, &s), 437);
    PL_EQ(rig_refresh(&d, 0), 0);
    PL_EQ(b->n_open, 0);
    PL_EQ(pl_relay_shared_total(a->shared), 0);
    PL_EQ(refresh_with(&e, 600, ticket, len), -1);
    PL_OKAY(!carry(a, b, b));
    PL_OKAY(rig_take(b, &p) && p.data[0] == 0x01 && p.data[1] == 0x14); /* an error, and no further fetch */
    PL_EQ(b->n_fetches, 2);
    finish(b);
    finish(a);
}

PL_TEST(a_reserved_port_of_another_thread)
{
    rig *a = make((rig_conf){ .thread = 0 });
    rig *b = make((rig_conf){ .thread = 1, .shared = a->shared, .auth = a->auth });
    b->keep_fetch = true;
    rig_client c = rig_client_of(a, 1), d = rig_client_of(b, 2);
    pl_stun_wr s = rig_begin(&c, PL_STUN_ALLOCATE);
    pl_stun_put_u8(&s, PL_STUN_REQUESTED_TRANSPORT, 17);
    pl_stun_put_even_port(&s, true);
    PL_EQ(rig_ask(&c, &s), 0);
    pl_rd token;
    PL_OKAY(pl_stun_find(&c.answer, PL_STUN_RESERVATION_TOKEN, &token));
    s = rig_begin(&d, PL_STUN_ALLOCATE);
    pl_stun_put_u8(&s, PL_STUN_REQUESTED_TRANSPORT, 17);
    pl_stun_put(&s, PL_STUN_RESERVATION_TOKEN, token.p, 8);
    PL_EQ(rig_ask(&d, &s), -1);
    PL_OKAY(carry(a, b, b));
    PL_EQ(b->n_open, 1);
    PL_EQ(a->n_open, 1);
    PL_EQ(b->n_events[PL_RELAY_ALLOCATED], 1);
    finish(b);
    finish(a);
}

PL_TEST(a_parcel_that_nobody_takes)
{
    uint8_t ticket[64];
    rig *a = make((rig_conf){ .mobility = true });
    rig *b = make((rig_conf){ .mobility = true, .thread = 1, .shared = a->shared, .auth = a->auth });
    b->keep_fetch = true;
    rig_client c = rig_client_of(a, 1), d = rig_client_of(b, 2);
    PL_EQ(allocate_mobile(&c), 0);
    size_t len = ticket_of(&c, ticket);
    PL_EQ(refresh_with(&d, 600, ticket, len), -1);
    pl_relay_parcel *p = pl_relay_detach(a->core, a->now_us, &b->claim);
    PL_OKAY(p != NULL);
    pl_relay_parcel_free(p);
    a->n_open = 0;
    PL_EQ(pl_relay_shared_total(a->shared), 0);
    PL_OKAY(pl_relay_detach(a->core, a->now_us, &b->claim) == NULL);
    finish(b);
    finish(a);
}

PL_TESTS(t(refresh_prolongs_and_ends), t(refresh_names_a_family),
         t(thousands_of_allocations_cost_one_deadline_a_second), t(mobility_is_forbidden),
         t(an_allocation_follows_its_client), t(tickets_cannot_be_made_or_stolen),
         t(a_move_to_another_thread), t(a_reserved_port_of_another_thread), t(a_parcel_that_nobody_takes))
