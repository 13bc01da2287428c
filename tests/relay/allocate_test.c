/* Allocate, RFC 8656 7.2: each rule with its error code, in the order of the text; and who may ask at all. */
#include "pl_test.h"
#include "sim/relay_rig.h"
#include "stun/integrity.h"

static rig *make(rig_conf conf)
{
    conf.seed = 1;
    rig *g = rig_new(&conf);
    PL_OKAY(g != NULL);
    return g;
}

static void finish(rig *g)
{
    pl_relay_check(g->core);
    rig_free(g);
}

static pl_stun_wr begin_allocate(rig_client *c)
{
    pl_stun_wr s = rig_begin(c, PL_STUN_ALLOCATE);
    pl_stun_put_u8(&s, PL_STUN_REQUESTED_TRANSPORT, 17);
    return s;
}

static uint32_t lifetime_of(const rig_client *c)
{
    uint32_t s;
    PL_EQ(pl_stun_get_u32(&c->answer, PL_STUN_LIFETIME, &s), PL_OK);
    return s;
}

PL_TEST(a_stranger_is_challenged_and_then_served)
{
    rig *g = make((rig_conf){ 0 });
    rig_client c = rig_client_of(g, 1);
    pl_stun_wr s = begin_allocate(&c);
    PL_EQ(rig_ask_once(&c, &s, false), 401);
    PL_OKAY(c.nonce[0] && strcmp(c.realm, "r") == 0);
    PL_OKAY(!c.answer.integrity_at && !pl_stun_has(&c.answer, PL_STUN_SOFTWARE));

    s = begin_allocate(&c);
    PL_EQ(rig_ask_once(&c, &s, true), 0);
    pl_addr relayed, mapped;
    PL_EQ(pl_stun_get_xor_addr(&c.answer, PL_STUN_XOR_RELAYED_ADDRESS, &relayed), PL_OK);
    PL_EQ(pl_stun_get_xor_addr(&c.answer, PL_STUN_XOR_MAPPED_ADDRESS, &mapped), PL_OK);
    PL_OKAY(pl_addr_ip_eq(&relayed, &g->relay[0]) && relayed.port >= 49152);
    PL_OKAY(pl_addr_eq(&mapped, &c.path.remote));
    PL_EQ(lifetime_of(&c), 600);
    PL_EQ(g->n_open, 1);
    PL_EQ(g->n_events[PL_RELAY_ALLOCATED], 1);
    PL_STREQ(g->last_user, "ann");
    PL_EQ(pl_relay_count(g->core)->now[PL_RELAY_UDP], 1);
    finish(g);
}

PL_TEST(wrong_password_unknown_user_and_stale_nonce)
{
    rig *g = make((rig_conf){ 0 });
    rig_client c = rig_client_of(g, 1);
    c.password = "bob's";
    PL_EQ(rig_allocate(&c), 401);
    c.user = "nobody";
    PL_EQ(rig_allocate(&c), 401);
    c.user = "ann";
    c.password = "ann's";
    PL_EQ(rig_allocate(&c), 0);
    rig_wait(g, PL_SEC(400));
    PL_EQ(rig_refresh(&c, 3600), 0);
    rig_wait(g, PL_SEC(3300)); /* nonces live an hour */
    pl_stun_wr s = rig_begin(&c, PL_STUN_REFRESH);
    PL_EQ(rig_ask_once(&c, &s, true), 438);
    PL_EQ(rig_refresh(&c, 600), 0);
    /* One address's nonce is not good from another. */
    rig_client other = rig_client_of(g, 7);
    memcpy(other.nonce, c.nonce, sizeof c.nonce);
    memcpy(other.realm, c.realm, sizeof c.realm);
    s = begin_allocate(&other);
    PL_EQ(rig_ask_once(&other, &s, true), 438);
    finish(g);
}

PL_TEST(without_credentials_configured_nobody_has_to_have_any)
{
    rig *g = make((rig_conf){ .no_auth = true });
    rig_client c = rig_client_of(g, 1);
    pl_stun_wr s = begin_allocate(&c);
    PL_EQ(rig_ask_once(&c, &s, false), 0);
    PL_OKAY(!c.answer.integrity_at);
    PL_STREQ(g->last_user, "");
    finish(g);
}

PL_TEST(sha256_is_answered_with_sha256)
{
    rig *g = make((rig_conf){ 0 });
    rig_client c = rig_client_of(g, 1);
    pl_stun_wr s = begin_allocate(&c);
    PL_EQ(rig_ask_once(&c, &s, false), 401);
    PL_OKAY(c.offered_len > 0);
    c.algorithm = PL_STUN_ALG_SHA256;
    c.sha256 = true;
    PL_EQ(rig_allocate(&c), 0);
    PL_OKAY(c.answer.integrity256_at && !c.answer.integrity_at);
    PL_EQ(rig_refresh(&c, 600), 0);
    PL_OKAY(c.answer.integrity256_at && !c.answer.integrity_at);
    finish(g);
}

PL_TEST(the_5_tuple_is_taken)
{
    rig *g = make((rig_conf){ 0 });
    rig_client c = rig_client_of(g, 1);
    PL_EQ(rig_allocate(&c), 0);
    pl_addr first = c.relayed[0];
    PL_EQ(rig_send_again(&c), 0); /* the same request: the same answer */
    PL_EQ(pl_stun_get_xor_addr(&c.answer, PL_STUN_XOR_RELAYED_ADDRESS, &c.relayed[0]), PL_OK);
    PL_OKAY(pl_addr_eq(&first, &c.relayed[0]));
    PL_EQ(g->n_open, 1);
    PL_EQ(rig_allocate(&c), 437); /* another one is not */
    PL_EQ(g->n_open, 1);
    /* Another port of the client's is another 5-tuple; so is another address of ours. */
    rig_client d = rig_client_of(g, 2), e = c;
    PL_EQ(rig_allocate(&d), 0);
    e.path.local = rig_addr("192.0.2.1:443");
    PL_EQ(rig_allocate(&e), 0);
    PL_EQ(g->n_open, 3);
    finish(g);
}

PL_TEST(a_repeated_request_waits_for_the_driver)
{
    rig *g = make((rig_conf){ 0 });
    rig_client c = rig_client_of(g, 1);
    pl_stun_wr s = begin_allocate(&c);
    PL_EQ(rig_ask_once(&c, &s, false), 401);
    g->hold_open = true;
    s = begin_allocate(&c);
    PL_EQ(rig_ask_once(&c, &s, true), -1);
    PL_EQ(rig_send_again(&c), -1);
    PL_EQ(g->n_held, 1);
    PL_EQ(pl_relay_count(g->core)->drop[PL_RELAY_DROP_BUSY], 1);
    s = rig_begin(&c, PL_STUN_CREATE_PERMISSION);
    PL_EQ(rig_ask_once(&c, &s, true), -1); /* it cannot know of the allocation yet */
    rig_forget(g);
    rig_answer_opens(g);
    PL_EQ(g->n_queued, 1);
    finish(g);
}

PL_TEST(an_allocation_that_ends_before_its_port_is_open_leaves_nothing)
{
    rig *g = make((rig_conf){ 0 });
    rig_client c = rig_client_of(g, 1);
    g->hold_open = true;
    PL_EQ(rig_allocate(&c), -1);
    rig_wait(g, PL_SEC(601));
    PL_OKAY(pl_relay_is_empty(g->core));
    rig_answer_opens(g);
    PL_EQ(g->n_open, 0);
    PL_EQ(pl_relay_shared_total(g->shared), 0);
    PL_EQ(g->n_events[PL_RELAY_ENDED], 0); /* nobody heard of it */
    finish(g);
}

PL_TEST(requested_transport)
{
    rig *g = make((rig_conf){ 0 });
    rig_client c = rig_client_of(g, 1);
    pl_stun_wr s = rig_begin(&c, PL_STUN_ALLOCATE);
    PL_EQ(rig_ask(&c, &s), 400); /* missing */
    s = rig_begin(&c, PL_STUN_ALLOCATE);
    pl_stun_put_flag(&s, PL_STUN_REQUESTED_TRANSPORT);
    PL_EQ(rig_ask(&c, &s), 400); /* empty */
    rig_client d = rig_client_of(g, 2);
    s = rig_begin(&d, PL_STUN_ALLOCATE);
    pl_stun_put_u8(&s, PL_STUN_REQUESTED_TRANSPORT, 33);
    PL_EQ(rig_ask(&d, &s), 442);
    s = rig_begin(&d, PL_STUN_ALLOCATE);
    pl_stun_put_u8(&s, PL_STUN_REQUESTED_TRANSPORT, 6); /* TCP is not switched on */
    PL_EQ(rig_ask(&d, &s), 442);
    finish(g);
}

PL_TEST(unknown_attributes_are_named)
{
    rig *g = make((rig_conf){ 0 });
    rig_client c = rig_client_of(g, 1);
    pl_stun_wr s = begin_allocate(&c);
    pl_stun_put_u32(&s, 0x7fff, 1);
    PL_EQ(rig_ask(&c, &s), 420);
    uint16_t types[4];
    size_t n;
    PL_EQ(pl_stun_get_unknown(&c.answer, types, 4, &n), PL_OK);
    PL_EQ(n, 1);
    PL_EQ(types[0], 0x7fff);
    s = begin_allocate(&c);
    pl_stun_put_u32(&s, 0xbfff, 1); /* comprehension-optional */
    PL_EQ(rig_ask(&c, &s), 0);
    finish(g);
}

PL_TEST(lifetime_has_limits)
{
    static const uint32_t asked[] = { 0, 1, 600, 1000, 3600, 3601, UINT32_MAX };
    static const uint32_t given[] = { 600, 600, 600, 1000, 3600, 3600, 3600 };
    rig *g = make((rig_conf){ 0 });
    for (unsigned i = 0; i < 7; i++) {
        rig_client c = rig_client_of(g, i);
        pl_stun_wr s = begin_allocate(&c);
        pl_stun_put_u32(&s, PL_STUN_LIFETIME, asked[i]);
        PL_EQ(rig_ask(&c, &s), 0);
        PL_EQ(lifetime_of(&c), given[i]);
    }
    rig_client c = rig_client_of(g, 8);
    pl_stun_wr s = begin_allocate(&c);
    pl_stun_put(&s, PL_STUN_LIFETIME, "ab", 2);
    PL_EQ(rig_ask(&c, &s), 400);
    finish(g);
}

PL_TEST(an_allocation_expires)
{
    rig *g = make((rig_conf){ 0 });
    rig_client c = rig_client_of(g, 1);
    PL_EQ(rig_allocate(&c), 0);
    rig_wait(g, PL_SEC(599));
    PL_EQ(g->n_open, 1);
    rig_wait(g, PL_SEC(2));
    PL_EQ(g->n_open, 0);
    PL_EQ(g->n_events[PL_RELAY_ENDED], 1);
    PL_EQ(g->last_event.why, PL_RELAY_WHY_EXPIRED);
    PL_EQ(pl_relay_shared_total(g->shared), 0);
    PL_EQ(pl_relay_next_us(g->core), PL_NEVER);
    PL_EQ(rig_refresh(&c, 600), 437);
    finish(g);
}

/* ---- families ---- */

static int allocate_family(rig_client *c, int requested, int additional)
{
    pl_stun_wr s = begin_allocate(c);
    if (requested)
        pl_stun_put_u8(&s, PL_STUN_REQUESTED_ADDRESS_FAMILY, (uint8_t)requested);
    if (additional)
        pl_stun_put_u8(&s, PL_STUN_ADDITIONAL_ADDRESS_FAMILY, (uint8_t)additional);
    return rig_ask(c, &s);
}

static unsigned n_relayed(const rig_client *c, bool six[2])
{
    pl_addr a;
    unsigned n = 0;
    while (n < 2 && !pl_stun_get_xor_addr_nth(&c->answer, PL_STUN_XOR_RELAYED_ADDRESS, n, &a))
        six[n++] = a.family == PL_AF_IP6;
    return n;
}

PL_TEST(families)
{
    bool six[2];
    rig *g = make((rig_conf){ 0 });
    rig_client c[5];
    for (unsigned i = 0; i < 5; i++)
        c[i] = rig_client_of(g, i);
    PL_EQ(allocate_family(&c[0], 1, 0), 0);
    PL_OKAY(n_relayed(&c[0], six) == 1 && !six[0]);
    PL_EQ(allocate_family(&c[1], 2, 0), 0);
    PL_OKAY(n_relayed(&c[1], six) == 1 && six[0]);
    PL_EQ(allocate_family(&c[2], 0, 2), 0);
    PL_OKAY(n_relayed(&c[2], six) == 2 && !six[0] && six[1]);
    PL_OKAY(!pl_stun_has(&c[2].answer, PL_STUN_ADDRESS_ERROR_CODE));
    PL_EQ(allocate_family(&c[3], 3, 0), 440);
    PL_EQ(allocate_family(&c[3], 1, 2), 400); /* both attributes */
    PL_EQ(allocate_family(&c[3], 0, 1), 400); /* IPv4 is no addition */
    PL_EQ(g->n_open, 4);
    finish(g);
}

PL_TEST(a_server_of_one_family)
{
    bool six[2];
    pl_family family;
    uint16_t code;
    pl_str reason;
    rig *g = make((rig_conf){ .ip4_only = true });
    rig_client c = rig_client_of(g, 1);
    PL_EQ(allocate_family(&c, 2, 0), 440);
    PL_EQ(allocate_family(&c, 0, 2), 0);
    PL_OKAY(n_relayed(&c, six) == 1 && !six[0]);
    PL_EQ(pl_stun_get_address_error(&c.answer, &family, &code, &reason), PL_OK);
    PL_EQ(family, PL_AF_IP6);
    PL_EQ(code, 440);
    finish(g);
    g = make((rig_conf){ .ip6_only = true });
    c = rig_client_of(g, 1);
    PL_EQ(allocate_family(&c, 0, 0), 440);
    PL_EQ(allocate_family(&c, 0, 2), 0);
    PL_OKAY(n_relayed(&c, six) == 1 && six[0]);
    finish(g);
}

PL_TEST(the_machine_has_no_port)
{
    bool six[2];
    pl_family family;
    uint16_t code;
    pl_str reason;
    rig *g = make((rig_conf){ 0 });
    rig_client c = rig_client_of(g, 1);
    g->refuse_open[0] = true;
    PL_EQ(allocate_family(&c, 1, 0), 508);
    PL_EQ(allocate_family(&c, 0, 2), 0); /* one of two is enough */
    PL_OKAY(n_relayed(&c, six) == 1 && six[0]);
    PL_EQ(pl_stun_get_address_error(&c.answer, &family, &code, &reason), PL_OK);
    PL_EQ(family, PL_AF_IP4);
    PL_EQ(code, 508);
    rig_client d = rig_client_of(g, 2);
    g->refuse_open[1] = true;
    PL_EQ(allocate_family(&d, 0, 2), 508);
    PL_EQ(pl_relay_shared_total(g->shared), 1);
    finish(g);
}

PL_TEST(a_client_by_ipv6_has_ipv4_relayed)
{
    rig *g = make((rig_conf){ 0 });
    rig_client c = rig_client_of(g, 1);
    c.path.local = g->server[1];
    c.path.remote = rig_addr("[2001:db8:9::5]:999");
    PL_EQ(rig_allocate(&c), 0);
    PL_EQ(c.relayed[0].family, PL_AF_IP4);
    pl_addr mapped;
    PL_EQ(pl_stun_get_xor_addr(&c.answer, PL_STUN_XOR_MAPPED_ADDRESS, &mapped), PL_OK);
    PL_OKAY(pl_addr_eq(&mapped, &c.path.remote));
    finish(g);
}

/* ---- ports ---- */

PL_TEST(even_port_with_its_neighbour_reserved)
{
    rig *g = make((rig_conf){ 0 });
    rig_client c = rig_client_of(g, 1), d = rig_client_of(g, 2), e = rig_client_of(g, 3);
    pl_stun_wr s = begin_allocate(&c);
    pl_stun_put_even_port(&s, true);
    PL_EQ(rig_ask(&c, &s), 0);
    pl_addr even, odd;
    pl_rd token;
    PL_EQ(pl_stun_get_xor_addr(&c.answer, PL_STUN_XOR_RELAYED_ADDRESS, &even), PL_OK);
    PL_EQ(even.port % 2, 0);
    PL_OKAY(pl_stun_find(&c.answer, PL_STUN_RESERVATION_TOKEN, &token));
    PL_EQ(pl_rd_left(&token), 8);
    uint8_t kept[8];
    memcpy(kept, token.p, 8);
    PL_EQ(g->n_open, 2);

    s = begin_allocate(&d);
    pl_stun_put(&s, PL_STUN_RESERVATION_TOKEN, "no token", 8);
    PL_EQ(rig_ask(&d, &s), 508);
    s = begin_allocate(&d);
    pl_stun_put(&s, PL_STUN_RESERVATION_TOKEN, kept, 7);
    PL_EQ(rig_ask(&d, &s), 400);
    e.user = "bob";
    e.password = "bob's";
    s = begin_allocate(&e);
    pl_stun_put(&s, PL_STUN_RESERVATION_TOKEN, kept, 8);
    PL_EQ(rig_ask(&e, &s), 508); /* it is ann's */
    s = begin_allocate(&d);
    pl_stun_put(&s, PL_STUN_RESERVATION_TOKEN, kept, 8);
    PL_EQ(rig_ask(&d, &s), 0);
    PL_EQ(pl_stun_get_xor_addr(&d.answer, PL_STUN_XOR_RELAYED_ADDRESS, &odd), PL_OK);
    PL_EQ(odd.port, even.port + 1);
    PL_EQ(g->n_open, 2);
    e.user = "ann";
    e.password = "ann's";
    s = begin_allocate(&e);
    pl_stun_put(&s, PL_STUN_RESERVATION_TOKEN, kept, 8);
    PL_EQ(rig_ask(&e, &s), 508); /* once */
    finish(g);
}

PL_TEST(a_reservation_lasts_thirty_seconds)
{
    rig *g = make((rig_conf){ 0 });
    rig_client c = rig_client_of(g, 1);
    pl_stun_wr s = begin_allocate(&c);
    pl_stun_put_even_port(&s, true);
    PL_EQ(rig_ask(&c, &s), 0);
    rig_wait(g, PL_SEC(29));
    PL_EQ(g->n_open, 2);
    rig_wait(g, PL_SEC(2));
    PL_EQ(g->n_open, 1);
    s = begin_allocate(&c);
    pl_stun_put_even_port(&s, false);
    PL_EQ(rig_ask(&c, &s), 437);
    finish(g);
}

PL_TEST(what_does_not_go_together)
{
    rig *g = make((rig_conf){ 0 });
    rig_client c = rig_client_of(g, 1);
    pl_stun_wr s = begin_allocate(&c);
    pl_stun_put_even_port(&s, false);
    pl_stun_put(&s, PL_STUN_RESERVATION_TOKEN, "12345678", 8);
    PL_EQ(rig_ask(&c, &s), 400);
    s = begin_allocate(&c);
    pl_stun_put_u8(&s, PL_STUN_REQUESTED_ADDRESS_FAMILY, 1);
    pl_stun_put(&s, PL_STUN_RESERVATION_TOKEN, "12345678", 8);
    PL_EQ(rig_ask(&c, &s), 400);
    s = begin_allocate(&c);
    pl_stun_put_u8(&s, PL_STUN_ADDITIONAL_ADDRESS_FAMILY, 2);
    pl_stun_put_even_port(&s, true);
    PL_EQ(rig_ask(&c, &s), 400);
    g->refuse_pair = true;
    s = begin_allocate(&c);
    pl_stun_put_even_port(&s, true);
    PL_EQ(rig_ask(&c, &s), 508); /* no two ports beside each other */
    PL_EQ(g->n_open, 0);
    s = begin_allocate(&c);
    pl_stun_put_even_port(&s, false);
    pl_stun_put_flag(&s, PL_STUN_DONT_FRAGMENT);
    PL_EQ(rig_ask(&c, &s), 0);
    finish(g);
}

PL_TEST(binding_needs_no_credentials)
{
    rig *g = make((rig_conf){ 0 });
    rig_client c = rig_client_of(g, 1);
    pl_stun_wr s = rig_begin(&c, PL_STUN_BINDING);
    PL_EQ(rig_ask_once(&c, &s, false), 0);
    pl_addr mapped;
    PL_EQ(pl_stun_get_xor_addr(&c.answer, PL_STUN_XOR_MAPPED_ADDRESS, &mapped), PL_OK);
    PL_OKAY(pl_addr_eq(&mapped, &c.path.remote));
    PL_EQ(pl_relay_count(g->core)->binding.requests, 1);
    finish(g);
}

PL_TESTS(t(a_stranger_is_challenged_and_then_served), t(wrong_password_unknown_user_and_stale_nonce),
         t(without_credentials_configured_nobody_has_to_have_any), t(sha256_is_answered_with_sha256),
         t(the_5_tuple_is_taken), t(a_repeated_request_waits_for_the_driver),
         t(an_allocation_that_ends_before_its_port_is_open_leaves_nothing), t(requested_transport),
         t(unknown_attributes_are_named), t(lifetime_has_limits), t(an_allocation_expires), t(families),
         t(a_server_of_one_family), t(the_machine_has_no_port), t(a_client_by_ipv6_has_ipv4_relayed),
         t(even_port_with_its_neighbour_reserved), t(a_reservation_lasts_thirty_seconds),
         t(what_does_not_go_together), t(binding_needs_no_credentials))
