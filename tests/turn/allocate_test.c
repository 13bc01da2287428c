/* From the first Allocate to ALLOCATED or FAILED, with every answer a server may give. */
#include "script.h"

PL_TEST(allocated_after_two_round_trips)
{
    script s;
    script_up(&s, &(pl_turn_conf){ .lifetime_s = 1200, .software = "tests" });
    script_expect(&s, PL_STUN_ALLOCATE);
    PL_OKAY(!s.signed_req);
    uint8_t transport;
    PL_EQ(pl_stun_get_u8(&s.req, PL_STUN_REQUESTED_TRANSPORT, &transport), PL_OK);
    PL_EQ(transport, 17);
    PL_EQ(script_u32(&s, PL_STUN_LIFETIME), 1200);
    PL_OKAY(pl_stun_has(&s.req, PL_STUN_SOFTWARE));
    PL_OKAY(!pl_stun_has(&s.req, PL_STUN_REQUESTED_ADDRESS_FAMILY));
    PL_OKAY(pl_addr_eq(&s.path.remote, &s.conf.server));
    PL_OKAY(pl_addr_eq(&s.path.local, &s.conf.local));
    script_quiet(&s);
    s.now_us += PL_MS(40);
    script_challenge(&s, 401, "nonce1");
    script_expect(&s, PL_STUN_ALLOCATE); /* at once */
    PL_OKAY(s.signed_req);
    PL_EQ(script_u32(&s, PL_STUN_LIFETIME), 1200);
    s.now_us += PL_MS(40);
    script_allocated(&s, 900);
    const pl_turn_event *e = script_event(&s, PL_TURN_ALLOCATED);
    pl_addr relayed = script_addr("192.0.2.1:50000"), mapped = script_addr("203.0.113.9:6000"), got;
    PL_OKAY(pl_addr_eq(&e->relayed[0], &relayed));
    PL_EQ(e->relayed[1].family, PL_AF_NONE);
    PL_OKAY(pl_addr_eq(&e->mapped, &mapped));
    PL_EQ(e->lifetime_s, 900);
    script_no_event(&s);
    script_quiet(&s);
    PL_EQ(pl_turn_get_state(s.t), PL_TURN_READY);
    PL_OKAY(pl_turn_get_relayed(s.t, PL_AF_IP4, &got));
    PL_OKAY(!pl_turn_get_relayed(s.t, PL_AF_IP6, &got));
    PL_OKAY(pl_turn_is_relayed(s.t, &relayed));
    PL_OKAY(!pl_turn_is_relayed(s.t, &mapped));
    PL_LE(pl_turn_rtt_us(s.t), PL_MS(41));
    PL_GE(pl_turn_rtt_us(s.t), PL_MS(39));
    script_down(&s);
}

PL_TEST(a_server_without_authentication)
{
    script s;
    script_up(&s, NULL);
    script_expect(&s, PL_STUN_ALLOCATE);
    script_begin(&s, PL_STUN_SUCCESS);
    pl_addr relayed = script_addr("192.0.2.1:50000");
    pl_stun_put_xor_addr(&s.wr, PL_STUN_XOR_RELAYED_ADDRESS, &relayed);
    script_send(&s, false);
    const pl_turn_event *e = script_event(&s, PL_TURN_ALLOCATED);
    PL_EQ(e->lifetime_s, 600); /* the default, since it says nothing */
    PL_EQ(e->mapped.family, PL_AF_NONE);
    script_down(&s);
}

/* RFC 8489 6.2.1: the same transaction again and again, slower and slower. */
PL_TEST(nobody_answers)
{
    script s;
    script_up(&s, NULL);
    int64_t begin_us = s.now_us, last_us = 0, gap_us = 0;
    uint8_t id[PL_STUN_ID_LEN];
    script_expect(&s, PL_STUN_ALLOCATE);
    memcpy(id, s.req.id, sizeof id);
    int n = 1;
    for (last_us = s.now_us;; n++) {
        script_wait(&s, PL_SEC(2));
        if (pl_turn_get_state(s.t) == PL_TURN_GONE)
            break;
        script_expect(&s, PL_STUN_ALLOCATE);
        PL_MEMEQ(s.req.id, id, sizeof id);
        PL_GE(s.now_us - last_us, gap_us);
        gap_us = s.now_us - last_us;
        last_us = s.now_us;
    }
    PL_GE(n, 5);
    PL_EQ(s.now_us - begin_us, PL_MS(7900));
    PL_EQ(script_event(&s, PL_TURN_FAILED)->code, 0);
    script_no_event(&s);
    PL_EQ(pl_turn_next_us(s.t), PL_NEVER);
    PL_EQ(pl_turn_get_counters(s.t)->timeouts, 1);
    script_down(&s);
}

PL_TEST(a_stream_repeats_nothing)
{
    script s;
    script_up(&s, &(pl_turn_conf){ .proto = PL_TCP });
    script_expect(&s, PL_STUN_ALLOCATE);
    PL_EQ(s.path.proto, PL_TCP);
    script_quiet(&s);
    script_wait(&s, PL_SEC(15));
    PL_EQ(s.now_us, PL_SEC(1015));
    PL_EQ(script_event(&s, PL_TURN_FAILED)->code, 0);
    script_down(&s);
}

PL_TEST(wrong_password)
{
    script s;
    script_up(&s, NULL);
    script_expect(&s, PL_STUN_ALLOCATE);
    script_challenge(&s, 401, "nonce1");
    script_expect(&s, PL_STUN_ALLOCATE);
    script_challenge(&s, 401, "nonce1");
    PL_EQ(script_event(&s, PL_TURN_FAILED)->code, 401);
    script_down(&s);
}

PL_TEST(no_credentials_for_a_challenge)
{
    script s;
    pl_turn_conf conf = { .local = script_addr("10.0.0.1:5000"), .server = script_addr("192.0.2.1:3478") };
    script_up(&s, NULL);
    pl_turn_free(s.t);
    conf.rand = s.conf.rand;
    PL_EQ(pl_turn_new(&s.t, &conf, s.now_us), PL_OK);
    script_expect(&s, PL_STUN_ALLOCATE);
    script_challenge(&s, 401, "nonce1");
    PL_EQ(script_event(&s, PL_TURN_FAILED)->code, 401);
    script_down(&s);
}

PL_TEST(stale_nonce_then_allocated)
{
    script s;
    script_up(&s, NULL);
    script_expect(&s, PL_STUN_ALLOCATE);
    script_challenge(&s, 401, "nonce1");
    script_expect(&s, PL_STUN_ALLOCATE);
    script_challenge(&s, 438, "nonce2");
    script_expect(&s, PL_STUN_ALLOCATE);
    pl_str nonce;
    PL_EQ(pl_stun_get_str(&s.req, PL_STUN_NONCE, &nonce), PL_OK);
    PL_OKAY(pl_str_is(nonce, "nonce2"));
    script_allocated(&s, 600);
    script_event(&s, PL_TURN_ALLOCATED);
    PL_EQ(pl_turn_get_counters(s.t)->stale_nonces, 1);
    script_down(&s);
}

PL_TEST(nonces_that_never_hold)
{
    script s;
    script_up(&s, NULL);
    script_expect(&s, PL_STUN_ALLOCATE);
    script_challenge(&s, 401, "nonce");
    char nonce[] = "nonce0";
    for (int i = 0; i < 10 && pl_turn_get_state(s.t) == PL_TURN_ALLOCATING; i++) {
        nonce[5]++;
        script_expect(&s, PL_STUN_ALLOCATE);
        script_challenge(&s, 438, nonce);
    }
    PL_EQ(script_event(&s, PL_TURN_FAILED)->code, 438);
    script_down(&s);
}

PL_TEST(refusals_that_end_it)
{
    static const uint16_t codes[] = { 400, 403, 420, 437, 440, 441, 442, 486, 508, 447 };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        script s;
        script_up(&s, NULL);
        script_expect(&s, PL_STUN_ALLOCATE);
        script_challenge(&s, 401, "nonce1");
        script_expect(&s, PL_STUN_ALLOCATE);
        script_error(&s, codes[i], true);
        const pl_turn_event *e = script_event(&s, PL_TURN_FAILED);
        PL_EQ(e->code, codes[i]);
        PL_OKAY(e->reason[0] != '\0');
        PL_EQ(pl_turn_get_state(s.t), PL_TURN_GONE);
        PL_EQ(pl_turn_next_us(s.t), PL_NEVER);
        script_down(&s);
    }
}

PL_TEST(a_server_in_trouble_is_asked_again_a_second_later)
{
    script s;
    script_up(&s, NULL);
    for (int i = 0; i < 3; i++) {
        script_expect(&s, PL_STUN_ALLOCATE);
        script_error(&s, 500, false);
        script_quiet(&s);
        int64_t before_us = s.now_us;
        script_wait(&s, PL_SEC(1));
        PL_EQ(s.now_us - before_us, PL_SEC(1));
    }
    script_expect(&s, PL_STUN_ALLOCATE);
    script_error(&s, 500, false);
    PL_EQ(script_event(&s, PL_TURN_FAILED)->code, 500);
    script_down(&s);
}

/* ---- families ---- */

PL_TEST(both_families)
{
    script s;
    script_up(&s, &(pl_turn_conf){ .families = PL_TURN_IP4 | PL_TURN_IP6 });
    script_expect(&s, PL_STUN_ALLOCATE);
    uint8_t family;
    PL_EQ(pl_stun_get_u8(&s.req, PL_STUN_ADDITIONAL_ADDRESS_FAMILY, &family), PL_OK);
    PL_EQ(family, 2);
    PL_OKAY(!pl_stun_has(&s.req, PL_STUN_REQUESTED_ADDRESS_FAMILY)); /* never both: RFC 8656 7.1 */
    script_challenge(&s, 401, "nonce1");
    script_expect(&s, PL_STUN_ALLOCATE);
    script_allocated(&s, 600);
    const pl_turn_event *e = script_event(&s, PL_TURN_ALLOCATED);
    PL_EQ(e->relayed[0].family, PL_AF_IP4);
    PL_EQ(e->relayed[1].family, PL_AF_IP6);
    script_down(&s);
}

PL_TEST(ipv6_alone)
{
    script s;
    script_up(&s, &(pl_turn_conf){ .families = PL_TURN_IP6 });
    script_expect(&s, PL_STUN_ALLOCATE);
    uint8_t family;
    PL_EQ(pl_stun_get_u8(&s.req, PL_STUN_REQUESTED_ADDRESS_FAMILY, &family), PL_OK);
    PL_EQ(family, 2);
    script_error(&s, 440, false);
    PL_EQ(script_event(&s, PL_TURN_FAILED)->code, 440);
    script_down(&s);
}

PL_TEST(both_families_fall_back_on_ipv4)
{
    script s;
    script_up(&s, &(pl_turn_conf){ .families = PL_TURN_IP4 | PL_TURN_IP6 });
    script_expect(&s, PL_STUN_ALLOCATE);
    script_challenge(&s, 401, "nonce1");
    script_expect(&s, PL_STUN_ALLOCATE);
    script_error(&s, 440, true);
    script_expect(&s, PL_STUN_ALLOCATE);
    PL_OKAY(!pl_stun_has(&s.req, PL_STUN_ADDITIONAL_ADDRESS_FAMILY));
    s.conf.families = PL_TURN_IP4;
    script_allocated(&s, 600);
    script_event(&s, PL_TURN_ALLOCATED);
    script_down(&s);
}

/* RFC 8656 7.2: the one family in XOR-RELAYED-ADDRESS, the other in ADDRESS-ERROR-CODE. */
PL_TEST(one_family_of_two)
{
    script s;
    pl_addr peer6 = script_addr("[2001:db8::7]:9"), peer4 = script_addr("198.51.100.7:9");
    script_up(&s, &(pl_turn_conf){ .families = PL_TURN_IP4 | PL_TURN_IP6 });
    PL_EQ(pl_turn_permit(s.t, s.now_us, &peer6), PL_OK); /* not known yet that it is in vain */
    PL_EQ(pl_turn_bind(s.t, s.now_us, &peer6), PL_OK);
    PL_EQ(pl_turn_permit(s.t, s.now_us, &peer4), PL_OK);
    script_expect(&s, PL_STUN_ALLOCATE);
    script_challenge(&s, 401, "nonce1");
    script_expect(&s, PL_STUN_ALLOCATE);
    script_begin(&s, PL_STUN_SUCCESS);
    pl_addr relayed = script_addr("192.0.2.1:50000");
    pl_stun_put_xor_addr(&s.wr, PL_STUN_XOR_RELAYED_ADDRESS, &relayed);
    pl_stun_put_address_error(&s.wr, PL_AF_IP6, 508, NULL);
    pl_stun_put_u32(&s.wr, PL_STUN_LIFETIME, 600);
    script_send(&s, true);
    script_event(&s, PL_TURN_ALLOCATED);
    PL_EQ(script_event(&s, PL_TURN_PERMISSION)->code, 443);
    PL_EQ(pl_turn_permission_of(s.t, &peer6), PL_TURN_PERMIT_DENIED);
    script_expect(&s, PL_STUN_CREATE_PERMISSION);
    PL_EQ(script_peers(&s), 1);
    script_quiet(&s);
    pl_turn_unpermit(s.t, s.now_us, &peer6);
    PL_EQ(pl_turn_permit(s.t, s.now_us, &peer6), PL_ENOTSUP);
    script_down(&s);
}

PL_TEST(an_address_nobody_asked_for_is_given_back)
{
    script s;
    script_up(&s, &(pl_turn_conf){ .families = PL_TURN_IP6 });
    script_expect(&s, PL_STUN_ALLOCATE);
    script_challenge(&s, 401, "nonce1");
    script_expect(&s, PL_STUN_ALLOCATE);
    s.conf.families = PL_TURN_IP4;
    script_allocated(&s, 600);
    script_event(&s, PL_TURN_FAILED);
    script_expect(&s, PL_STUN_REFRESH);
    PL_EQ(script_u32(&s, PL_STUN_LIFETIME), 0);
    script_refreshed(&s, 0);
    PL_EQ(pl_turn_get_state(s.t), PL_TURN_GONE);
    script_no_event(&s); /* FAILED was the last one */
    script_down(&s);
}

/* ---- who says so ---- */

PL_TEST(an_unsigned_success_is_nobodys)
{
    script s;
    script_up(&s, NULL);
    script_expect(&s, PL_STUN_ALLOCATE);
    script_challenge(&s, 401, "nonce1");
    script_expect(&s, PL_STUN_ALLOCATE);
    pl_addr relayed = script_addr("192.0.2.66:50000");
    script_begin(&s, PL_STUN_SUCCESS);
    pl_stun_put_xor_addr(&s.wr, PL_STUN_XOR_RELAYED_ADDRESS, &relayed);
    pl_stun_put_u32(&s.wr, PL_STUN_LIFETIME, 600);
    script_send(&s, false);
    PL_EQ(pl_turn_get_state(s.t), PL_TURN_ALLOCATING);
    s.conf.password = "another"; /* signed, but not by who knows the password */
    script_allocated(&s, 600);
    s.conf.password = "secret";
    PL_EQ(pl_turn_get_state(s.t), PL_TURN_ALLOCATING);
    PL_EQ(pl_turn_get_counters(s.t)->bad_messages, 2);
    script_allocated(&s, 600);
    PL_EQ(pl_turn_get_state(s.t), PL_TURN_READY);
    script_down(&s);
}

/* Not believed at once, but better than nothing in the end. */
PL_TEST(an_unsigned_refusal_is_a_hint)
{
    script s;
    script_up(&s, NULL);
    script_expect(&s, PL_STUN_ALLOCATE);
    script_challenge(&s, 401, "nonce1");
    script_expect(&s, PL_STUN_ALLOCATE);
    script_error(&s, 486, false);
    PL_EQ(pl_turn_get_state(s.t), PL_TURN_ALLOCATING);
    script_pass(&s, PL_SEC(8));
    PL_EQ(script_event(&s, PL_TURN_FAILED)->code, 486);
    script_down(&s);
}

PL_TEST(answers_that_are_not_ours)
{
    script s;
    script_up(&s, NULL);
    script_expect(&s, PL_STUN_ALLOCATE);
    uint8_t buf[200], id[PL_STUN_ID_LEN] = { 1, 2, 3 };
    pl_stun_wr wr = pl_stun_begin(buf, sizeof buf, PL_STUN_SUCCESS, PL_STUN_BINDING, id);
    PL_EQ(script_input(&s, buf, pl_stun_end(&wr), NULL),
          PL_TURN_NOT_MINE); /* of a Binding client beside us */
    wr = pl_stun_begin(buf, sizeof buf, PL_STUN_REQUEST, PL_STUN_BINDING, id);
    PL_EQ(script_input(&s, buf, pl_stun_end(&wr), NULL), PL_TURN_NOT_MINE);
    wr = pl_stun_begin(buf, sizeof buf, PL_STUN_SUCCESS, PL_STUN_ALLOCATE, id);
    PL_EQ(script_input(&s, buf, pl_stun_end(&wr), NULL), PL_TURN_CONTROL); /* a late one, perhaps */
    wr = pl_stun_begin(buf, sizeof buf, PL_STUN_SUCCESS, PL_STUN_REFRESH, s.req.id);
    PL_EQ(script_input(&s, buf, pl_stun_end(&wr), NULL), PL_TURN_CONTROL); /* our id, another method */
    PL_EQ(pl_turn_get_state(s.t), PL_TURN_ALLOCATING);
    PL_EQ(script_input(&s, "\x16\xfe\xfd", 3, NULL), PL_TURN_NOT_MINE);
    PL_EQ(script_input(&s, "", 0, NULL), PL_TURN_NOT_MINE);
    script_down(&s);
}

PL_TEST(every_truncation_of_an_answer)
{
    script s;
    script_up(&s, NULL);
    script_expect(&s, PL_STUN_ALLOCATE);
    script_begin(&s, PL_STUN_SUCCESS);
    pl_addr relayed = script_addr("192.0.2.1:50000");
    pl_stun_put_xor_addr(&s.wr, PL_STUN_XOR_RELAYED_ADDRESS, &relayed);
    pl_stun_put_u32(&s.wr, PL_STUN_LIFETIME, 600);
    size_t len = pl_stun_end(&s.wr);
    for (size_t cut = 0; cut < len; cut++) {
        (void)script_input(&s, s.reply, cut, NULL);
        PL_EQ(pl_turn_get_state(s.t), PL_TURN_ALLOCATING);
    }
    PL_EQ(script_input(&s, s.reply, len, NULL), PL_TURN_CONTROL);
    PL_EQ(pl_turn_get_state(s.t), PL_TURN_READY);
    script_down(&s);
}

/* ---- other servers ---- */

static void send_alternate(script *s, const char *server, const char *domain)
{
    pl_addr a = script_addr(server);
    script_begin(s, PL_STUN_ERROR);
    pl_stun_put_error(&s->wr, 300, NULL);
    pl_stun_put_addr(&s->wr, PL_STUN_ALTERNATE_SERVER, &a);
    if (domain)
        pl_stun_put_str(&s->wr, PL_STUN_ALTERNATE_DOMAIN, pl_str_of(domain));
    script_send(s, false);
}

PL_TEST(another_server_is_followed)
{
    script s;
    script_up(&s, NULL);
    script_expect(&s, PL_STUN_ALLOCATE);
    script_challenge(&s, 401, "nonce1");
    script_expect(&s, PL_STUN_ALLOCATE);
    send_alternate(&s, "192.0.2.2:3479", NULL);
    script_expect(&s, PL_STUN_ALLOCATE);
    pl_addr other = script_addr("192.0.2.2:3479");
    PL_OKAY(pl_addr_eq(&s.path.remote, &other));
    PL_OKAY(pl_turn_is_path(s.t, &s.path));
    PL_OKAY(!s.signed_req); /* realm and nonce were the other one's */
    script_challenge(&s, 401, "nonce2");
    script_expect(&s, PL_STUN_ALLOCATE);
    script_allocated(&s, 600);
    script_event(&s, PL_TURN_ALLOCATED);
    script_down(&s);
}

PL_TEST(servers_that_send_us_in_a_circle)
{
    script s;
    script_up(&s, NULL);
    script_expect(&s, PL_STUN_ALLOCATE);
    send_alternate(&s, "192.0.2.2:3478", NULL);
    script_expect(&s, PL_STUN_ALLOCATE);
    send_alternate(&s, "192.0.2.1:3478", NULL);
    PL_EQ(script_event(&s, PL_TURN_FAILED)->code, 300);
    script_down(&s);
}

PL_TEST(servers_without_end)
{
    script s;
    char server[] = "192.0.2.2:3478";
    script_up(&s, NULL);
    int n = 0;
    for (; pl_turn_get_state(s.t) == PL_TURN_ALLOCATING; n++, server[8]++) {
        script_expect(&s, PL_STUN_ALLOCATE);
        send_alternate(&s, server, NULL);
    }
    PL_EQ(n, PL_TURN_REDIRECTS_MAX + 1);
    PL_EQ(script_event(&s, PL_TURN_FAILED)->code, 300);
    script_down(&s);
}

PL_TEST(alternate_servers_that_cannot_be)
{
    static const char *const servers[] = { "[2001:db8::2]:3478", "0.0.0.0:3478", "224.0.0.1:3478" };
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++) {
        script s;
        script_up(&s, NULL);
        script_expect(&s, PL_STUN_ALLOCATE);
        send_alternate(&s, servers[i], NULL);
        PL_EQ(script_event(&s, PL_TURN_FAILED)->code, 300);
        script_down(&s);
    }
    script s;
    script_up(&s, NULL);
    script_expect(&s, PL_STUN_ALLOCATE);
    script_error(&s, 300, false); /* but where? */
    PL_EQ(script_event(&s, PL_TURN_FAILED)->code, 300);
    script_down(&s);
}

PL_TEST(on_connections_the_owner_connects)
{
    for (int i = 0; i < 2; i++) {
        script s;
        script_up(&s, &(pl_turn_conf){ .proto = i ? PL_TCP : PL_UDP, .connection = true, .n_redirects = 2 });
        script_expect(&s, PL_STUN_ALLOCATE);
        send_alternate(&s, "192.0.2.2:5349", "b.example\n");
        const pl_turn_event *e = script_event(&s, PL_TURN_ALTERNATE);
        pl_addr other = script_addr("192.0.2.2:5349");
        PL_OKAY(pl_addr_eq(&e->peer, &other));
        PL_STREQ(e->reason, "b.example?"); /* printable, and no name any certificate has */
        PL_EQ(pl_turn_get_state(s.t), PL_TURN_GONE);
        script_down(&s);
    }
    script s;
    script_up(&s, &(pl_turn_conf){ .proto = PL_TCP, .n_redirects = PL_TURN_REDIRECTS_MAX });
    script_expect(&s, PL_STUN_ALLOCATE);
    send_alternate(&s, "192.0.2.2:5349", NULL);
    PL_EQ(script_event(&s, PL_TURN_FAILED)->code, 300);
    script_down(&s);
}

PL_TEST(configurations_that_are_refused)
{
    pl_turn *t;
    pl_turn_conf good = { .local = script_addr("10.0.0.1:5000"), .server = script_addr("192.0.2.1:3478") };
    char long_text[800];
    memset(long_text, 'a', sizeof long_text);
    long_text[sizeof long_text - 1] = '\0';
    pl_turn_conf bad[8];
    for (size_t i = 0; i < 8; i++)
        bad[i] = good;
    bad[0].server = script_addr("[2001:db8::1]:3478");
    bad[1].server.port = 0;
    bad[2].local.family = bad[2].server.family = PL_AF_NONE;
    bad[3].proto = 2;
    bad[4].families = 4;
    bad[5].username = "alice";
    bad[6].username = bad[6].password = long_text;
    bad[7].software = long_text;
    for (size_t i = 0; i < 8; i++) {
        PL_EQ(pl_turn_new(&t, &bad[i], 0), PL_EINVAL);
        PL_OKAY(t == NULL);
    }
    pl_turn_free(NULL);
}

PL_TESTS(t(allocated_after_two_round_trips), t(a_server_without_authentication), t(nobody_answers),
         t(a_stream_repeats_nothing), t(wrong_password), t(no_credentials_for_a_challenge),
         t(stale_nonce_then_allocated), t(nonces_that_never_hold), t(refusals_that_end_it),
         t(a_server_in_trouble_is_asked_again_a_second_later), t(both_families), t(ipv6_alone),
         t(both_families_fall_back_on_ipv4), t(one_family_of_two),
         t(an_address_nobody_asked_for_is_given_back), t(an_unsigned_success_is_nobodys),
         t(an_unsigned_refusal_is_a_hint), t(answers_that_are_not_ours), t(every_truncation_of_an_answer),
         t(another_server_is_followed), t(servers_that_send_us_in_a_circle), t(servers_without_end),
         t(alternate_servers_that_cannot_be), t(on_connections_the_owner_connects),
         t(configurations_that_are_refused))
