/* An allocation over time: refreshes, servers that vanish, other addresses, farewell. */
#include "script.h"

static const pl_turn_conf quiet = { .keepalive_us = PL_NEVER };

PL_TEST(refreshed_a_minute_before_the_end)
{
    script s;
    script_ready(&s, &quiet);
    for (int i = 0; i < 3; i++) {
        int64_t begin_us = s.now_us;
        script_wait(&s, PL_SEC(600));
        PL_EQ(s.now_us - begin_us, PL_SEC(540));
        script_expect(&s, PL_STUN_REFRESH);
        PL_OKAY(s.signed_req);
        PL_OKAY(!pl_stun_has(&s.req, PL_STUN_LIFETIME)); /* the server's choice, as at first */
        script_refreshed(&s, 600);
        script_no_event(&s);
        script_quiet(&s);
    }
    script_down(&s);
}

PL_TEST(short_lifetimes_are_refreshed_half_way)
{
    script s;
    script_up(&s, &quiet);
    script_expect(&s, PL_STUN_ALLOCATE);
    script_challenge(&s, 401, "nonce1");
    script_expect(&s, PL_STUN_ALLOCATE);
    script_allocated(&s, 30);
    int64_t begin_us = s.now_us;
    script_wait(&s, PL_SEC(30));
    PL_EQ(s.now_us - begin_us, PL_SEC(15));
    script_expect(&s, PL_STUN_REFRESH);
    script_down(&s);
}

PL_TEST(a_stale_nonce_at_refresh)
{
    script s;
    script_ready(&s, &(pl_turn_conf){ .lifetime_s = 700, .keepalive_us = PL_NEVER });
    script_wait(&s, PL_SEC(600));
    script_expect(&s, PL_STUN_REFRESH);
    uint8_t id[PL_STUN_ID_LEN];
    memcpy(id, s.req.id, sizeof id);
    script_challenge(&s, 438, "nonce2");
    script_expect(&s, PL_STUN_REFRESH); /* the same, at once, as a new transaction */
    PL_OKAY(memcmp(id, s.req.id, sizeof id) != 0);
    PL_EQ(script_u32(&s, PL_STUN_LIFETIME), 700);
    script_refreshed(&s, 600);
    script_no_event(&s);
    PL_EQ(pl_turn_get_state(s.t), PL_TURN_READY);
    script_down(&s);
}

PL_TEST(the_server_does_not_know_us_any_more)
{
    static const uint16_t codes[] = { 437, 401, 403, 441, 400, 300 };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        script s;
        script_ready(&s, &quiet);
        script_wait(&s, PL_SEC(600));
        script_expect(&s, PL_STUN_REFRESH);
        script_error(&s, codes[i], true);
        PL_EQ(script_event(&s, PL_TURN_LOST)->code, codes[i]);
        PL_EQ(pl_turn_get_state(s.t), PL_TURN_GONE);
        pl_addr relayed;
        PL_OKAY(!pl_turn_get_relayed(s.t, PL_AF_IP4, &relayed));
        script_down(&s);
    }
}

/* Who cannot sign may be anybody, so it takes more than one word. */
PL_TEST(refusals_that_nobody_signed)
{
    script s;
    script_ready(&s, &quiet);
    script_wait(&s, PL_SEC(600));
    script_expect(&s, PL_STUN_REFRESH);
    script_challenge(&s, 401, "nonce1"); /* as if our signature were wrong */
    script_quiet(&s);
    script_wait(&s, PL_SEC(1));
    script_expect(&s, PL_STUN_REFRESH);
    script_error(&s, 400, false);
    script_wait(&s, PL_SEC(1));
    script_expect(&s, PL_STUN_REFRESH);
    script_refreshed(&s, 600);
    script_wait(&s, PL_SEC(600));
    for (int i = 0; i < 4; i++) {
        PL_EQ(pl_turn_get_state(s.t), PL_TURN_READY);
        script_expect(&s, PL_STUN_REFRESH);
        script_challenge(&s, 401, "nonce1");
        s.now_us += PL_SEC(1);
    }
    PL_EQ(script_event(&s, PL_TURN_LOST)->code, 401);
    script_down(&s);
}

/* Quota and capacity may be there again in a while, and the allocation stands meanwhile. */
PL_TEST(a_refresh_refused_for_now)
{
    static const uint16_t codes[] = { 486, 508, 500 };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        script s;
        script_ready(&s, &quiet);
        script_wait(&s, PL_SEC(600));
        for (int n = 0; n < (codes[i] == 500 ? 4 : 1); n++) {
            script_expect(&s, PL_STUN_REFRESH);
            script_error(&s, codes[i], true);
            script_quiet(&s);
            script_wait(&s, PL_SEC(11));
        }
        PL_EQ(pl_turn_get_state(s.t), PL_TURN_READY);
        script_expect(&s, PL_STUN_REFRESH);
        script_refreshed(&s, 600);
        script_no_event(&s);
        script_down(&s);
    }
}

PL_TEST(silent_until_the_lifetime_is_over)
{
    script s;
    script_ready(&s, &quiet);
    script_pass(&s, PL_SEC(599));
    PL_EQ(pl_turn_get_state(s.t), PL_TURN_READY);
    script_no_event(&s);
    script_pass(&s, PL_SEC(1));
    PL_EQ(script_event(&s, PL_TURN_LOST)->code, 0);
    PL_LE(pl_turn_get_counters(s.t)->requests, 80);
    script_down(&s);
}

PL_TEST(a_refresh_that_comes_through_late_is_in_time)
{
    script s;
    script_ready(&s, &quiet);
    script_pass(&s, PL_SEC(580)); /* dark for 40 seconds */
    while (pl_turn_get_state(s.t) == PL_TURN_READY) {
        pl_dgram out = { .data = s.req_bytes, .cap = sizeof s.req_bytes };
        if (pl_turn_poll_output(s.t, s.now_us, &out)) {
            PL_EQ(pl_stun_parse(&s.req, out.data, out.len), PL_OK);
            break;
        }
        script_wait(&s, PL_SEC(5));
    }
    script_refreshed(&s, 600);
    script_pass(&s, PL_SEC(300));
    PL_EQ(pl_turn_get_state(s.t), PL_TURN_READY);
    script_no_event(&s);
    script_down(&s);
}

PL_TEST(the_server_ends_it)
{
    script s;
    script_ready(&s, &quiet);
    script_wait(&s, PL_SEC(600));
    script_expect(&s, PL_STUN_REFRESH);
    script_refreshed(&s, 0);
    script_event(&s, PL_TURN_LOST);
    script_down(&s);
}

PL_TEST(probing)
{
    script s;
    script_ready(&s, &quiet);
    pl_turn_probe(s.t, s.now_us);
    script_expect(&s, PL_STUN_REFRESH);
    script_refreshed(&s, 600);
    script_quiet(&s);
    script_no_event(&s);
    pl_turn_probe(s.t, s.now_us);
    pl_turn_probe(s.t, s.now_us);
    int64_t begin_us = s.now_us;
    script_pass(&s, PL_MS(7899));
    PL_EQ(pl_turn_get_state(s.t), PL_TURN_READY);
    script_pass(&s, PL_MS(1));
    PL_EQ(s.now_us - begin_us, PL_MS(7900));
    PL_EQ(script_event(&s, PL_TURN_LOST)->code, 0);
    pl_turn_probe(s.t, s.now_us); /* nothing to probe */
    script_quiet(&s);
    script_down(&s);
}

PL_TEST(keepalives_fill_silence)
{
    script s;
    pl_addr peer = script_addr("198.51.100.7:7000");
    script_ready(&s, NULL);
    script_permit(&s, "198.51.100.7:1");
    int64_t begin_us = s.now_us;
    script_wait(&s, PL_SEC(30));
    PL_EQ(s.now_us - begin_us, PL_SEC(20));
    uint8_t buf[1500];
    pl_stun_msg m;
    pl_dgram out = { .data = buf, .cap = sizeof buf };
    PL_OKAY(pl_turn_poll_output(s.t, s.now_us, &out));
    PL_EQ(pl_stun_parse(&m, buf, out.len), PL_OK);
    PL_EQ(m.cls, PL_STUN_INDICATION);
    PL_EQ(m.method, PL_STUN_BINDING);
    script_quiet(&s);
    s.now_us += PL_SEC(10);
    pl_dgram d = { .data = buf, .cap = sizeof buf, .len = 100 };
    PL_EQ(pl_turn_wrap(s.t, s.now_us, &peer, &d), PL_OK); /* data is a sign of life, too */
    PL_EQ(pl_turn_next_us(s.t), s.now_us + PL_SEC(20));
    script_down(&s);
    script_ready(&s, &(pl_turn_conf){ .proto = PL_TCP });
    PL_GE(pl_turn_next_us(s.t), s.now_us + PL_SEC(500)); /* streams need none */
    script_down(&s);
}

/* ---- the end ---- */

PL_TEST(given_back)
{
    script s;
    pl_addr peer = script_addr("198.51.100.7:7000");
    script_ready(&s, &quiet);
    PL_EQ(pl_turn_permit(s.t, s.now_us, &peer), PL_OK);
    script_expect(&s, PL_STUN_CREATE_PERMISSION); /* under way, and forgotten */
    pl_turn_close(s.t, s.now_us);
    pl_turn_check(s.t);
    script_expect(&s, PL_STUN_REFRESH);
    PL_EQ(script_u32(&s, PL_STUN_LIFETIME), 0);
    PL_OKAY(s.signed_req);
    script_challenge(&s, 438, "nonce2");
    script_expect(&s, PL_STUN_REFRESH);
    PL_EQ(script_u32(&s, PL_STUN_LIFETIME), 0);
    script_refreshed(&s, 0);
    script_event(&s, PL_TURN_CLOSED);
    script_no_event(&s);
    pl_turn_close(s.t, s.now_us); /* once more is nothing */
    script_no_event(&s);
    script_down(&s);
}

PL_TEST(given_back_to_a_server_that_is_gone)
{
    script s;
    script_ready(&s, &quiet);
    pl_turn_close(s.t, s.now_us);
    script_expect(&s, PL_STUN_REFRESH);
    script_error(&s, 437, true);
    script_event(&s, PL_TURN_CLOSED);
    script_down(&s);
    script_ready(&s, &quiet);
    pl_turn_close(s.t, s.now_us);
    script_pass(&s, PL_SEC(2));
    script_event(&s, PL_TURN_CLOSED);
    PL_LE(pl_turn_get_counters(s.t)->requests, 2 + 6);
    script_down(&s);
}

PL_TEST(closed_while_allocating)
{
    script s;
    script_up(&s, NULL);
    script_expect(&s, PL_STUN_ALLOCATE);
    pl_turn_close(s.t, s.now_us);
    script_event(&s, PL_TURN_CLOSED); /* the server has given nothing */
    script_down(&s);
    script_up(&s, NULL);
    script_expect(&s, PL_STUN_ALLOCATE);
    script_challenge(&s, 401, "nonce1");
    script_expect(&s, PL_STUN_ALLOCATE);
    pl_turn_close(s.t, s.now_us);
    script_expect(&s, PL_STUN_REFRESH); /* it may have, by now */
    PL_EQ(script_u32(&s, PL_STUN_LIFETIME), 0);
    script_error(&s, 437, true);
    script_event(&s, PL_TURN_CLOSED);
    script_down(&s);
}

PL_TEST(the_stream_is_cut)
{
    script s;
    script_up(&s, &(pl_turn_conf){ .proto = PL_TCP });
    pl_turn_disconnected(s.t, s.now_us);
    PL_EQ(script_event(&s, PL_TURN_FAILED)->code, 0);
    script_down(&s);
    script_ready(&s, &(pl_turn_conf){ .proto = PL_TCP });
    pl_turn_disconnected(s.t, s.now_us);
    PL_EQ(script_event(&s, PL_TURN_LOST)->code, 0);
    pl_turn_disconnected(s.t, s.now_us);
    script_no_event(&s);
    script_down(&s);
    script_ready(&s, &(pl_turn_conf){ .proto = PL_TCP });
    pl_turn_close(s.t, s.now_us);
    pl_turn_disconnected(s.t, s.now_us);
    script_event(&s, PL_TURN_CLOSED);
    script_down(&s);
}

PL_TEST(what_came_before_the_end_is_told_before_it)
{
    script s;
    script_up(&s, NULL);
    script_expect(&s, PL_STUN_ALLOCATE);
    script_challenge(&s, 401, "nonce1");
    script_expect(&s, PL_STUN_ALLOCATE);
    script_allocated(&s, 600);
    pl_turn_disconnected(s.t, s.now_us);
    script_event(&s, PL_TURN_ALLOCATED);
    script_event(&s, PL_TURN_LOST);
    script_no_event(&s);
    script_down(&s);
}

/* ---- mobility: RFC 8016 ---- */

static const pl_turn_conf mobile = { .mobility = true, .keepalive_us = PL_NEVER };

static void expect_ticket(script *s, const char *ticket)
{
    pl_str got;
    PL_EQ(pl_stun_get_str(&s->req, PL_STUN_MOBILITY_TICKET, &got), PL_OK);
    PL_OKAY(pl_str_is(got, ticket));
}

PL_TEST(the_allocation_follows_us)
{
    script s;
    pl_addr elsewhere = script_addr("10.9.0.1:6000"), peer = script_addr("198.51.100.7:7000"),
            other = script_addr("198.51.100.8:7000");
    script_up(&s, &mobile);
    script_expect(&s, PL_STUN_ALLOCATE);
    expect_ticket(&s, ""); /* a wish */
    script_challenge(&s, 401, "nonce1");
    script_expect(&s, PL_STUN_ALLOCATE);
    PL_OKAY(!pl_turn_can_move(s.t));
    PL_EQ(pl_turn_move(s.t, s.now_us, &elsewhere), PL_ESTATE);
    script_allocated(&s, 600);
    script_event(&s, PL_TURN_ALLOCATED);
    PL_OKAY(pl_turn_can_move(s.t));
    script_bind(&s, "198.51.100.7:7000");
    PL_EQ(pl_turn_permit(s.t, s.now_us, &other), PL_OK);
    script_expect(&s, PL_STUN_CREATE_PERMISSION); /* lost with the old network */
    PL_EQ(pl_turn_move(s.t, s.now_us, &elsewhere), PL_OK);
    script_expect(&s, PL_STUN_REFRESH);
    PL_OKAY(pl_addr_eq(&s.path.local, &elsewhere));
    expect_ticket(&s, "ticket one");
    script_quiet(&s); /* everything else waits */
    script_challenge(&s, 438, "nonce2");
    script_expect(&s, PL_STUN_REFRESH);
    expect_ticket(&s, "ticket one");
    script_begin(&s, PL_STUN_SUCCESS);
    pl_stun_put_u32(&s.wr, PL_STUN_LIFETIME, 600);
    pl_stun_put_str(&s.wr, PL_STUN_MOBILITY_TICKET, PL_STR("ticket two"));
    script_send(&s, true);
    script_event(&s, PL_TURN_MOVED);
    script_expect(&s, PL_STUN_CREATE_PERMISSION);
    PL_OKAY(pl_addr_eq(&s.path.local, &elsewhere));
    script_ok(&s);
    PL_OKAY(pl_turn_is_bound(s.t, &peer));
    elsewhere.port++;
    PL_EQ(pl_turn_move(s.t, s.now_us, &elsewhere), PL_OK);
    script_expect(&s, PL_STUN_REFRESH);
    expect_ticket(&s, "ticket two");
    script_refreshed(&s, 600);
    script_event(&s, PL_TURN_MOVED);
    script_event(&s, PL_TURN_PERMISSION); /* of the other peer, not told before */
    script_down(&s);
}

PL_TEST(a_move_that_fails)
{
    script s;
    pl_addr elsewhere = script_addr("10.9.0.1:6000"), six = script_addr("[2001:db8::9]:6000");
    static const uint16_t codes[] = { 405, 437, 508 };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        script_ready(&s, &mobile);
        PL_EQ(pl_turn_move(s.t, s.now_us, &six), PL_EINVAL);
        PL_EQ(pl_turn_move(s.t, s.now_us, &elsewhere), PL_OK);
        script_expect(&s, PL_STUN_REFRESH);
        script_error(&s, codes[i], true);
        PL_EQ(script_event(&s, PL_TURN_LOST)->code, codes[i]);
        script_down(&s);
    }
    script_ready(&s, &mobile);
    PL_EQ(pl_turn_move(s.t, s.now_us, &elsewhere), PL_OK);
    script_pass(&s, PL_SEC(8));
    PL_EQ(script_event(&s, PL_TURN_LOST)->code, 0);
    script_down(&s);
    script_ready(&s, &quiet);
    PL_EQ(pl_turn_move(s.t, s.now_us, &elsewhere), PL_ENOTSUP); /* never asked for */
    script_down(&s);
}

PL_TESTS(t(refreshed_a_minute_before_the_end), t(short_lifetimes_are_refreshed_half_way),
         t(a_stale_nonce_at_refresh), t(the_server_does_not_know_us_any_more), t(refusals_that_nobody_signed),
         t(a_refresh_refused_for_now), t(silent_until_the_lifetime_is_over),
         t(a_refresh_that_comes_through_late_is_in_time), t(the_server_ends_it), t(probing),
         t(keepalives_fill_silence), t(given_back), t(given_back_to_a_server_that_is_gone),
         t(closed_while_allocating), t(the_stream_is_cut), t(what_came_before_the_end_is_told_before_it),
         t(the_allocation_follows_us), t(a_move_that_fails))
