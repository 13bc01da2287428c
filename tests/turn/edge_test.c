/* What seldom happens: texts and tickets that are too long, more requests than places, answers without sense, and
 * servers that answer some requests only. */
#include "script.h"

static const pl_turn_conf quiet = { .keepalive_us = PL_NEVER };

/* Answers whatever the client says until then, but requests of the `deaf` method. */
static void serve(script *s, int64_t until_us, uint16_t deaf)
{
    pl_dgram out = { .data = s->req_bytes, .cap = sizeof s->req_bytes };
    for (int i = 0;; i++) {
        PL_LE(i, 2000);
        while (pl_turn_poll_output(s->t, s->now_us, &out)) {
            PL_EQ(pl_stun_parse(&s->req, out.data, out.len), PL_OK);
            if (s->req.method == PL_STUN_REFRESH)
                script_refreshed(s, 600);
            else if (s->req.method != deaf)
                script_ok(s);
        }
        if (pl_turn_next_us(s->t) > until_us)
            break;
        script_wait(s, PL_SEC(3600));
    }
    s->now_us = until_us;
    pl_turn_tick(s->t, until_us);
}

PL_TEST(a_ticket_too_long_is_none)
{
    script s;
    uint8_t ticket[PL_TURN_TICKET_MAX + 1] = { 7 };
    pl_addr relayed = script_addr("192.0.2.1:50000"), elsewhere = script_addr("10.9.0.1:6000");
    for (size_t extra = 0; extra < 2; extra++) {
        script_up(&s, &(pl_turn_conf){ .mobility = true });
        script_expect(&s, PL_STUN_ALLOCATE);
        script_begin(&s, PL_STUN_SUCCESS);
        pl_stun_put_xor_addr(&s.wr, PL_STUN_XOR_RELAYED_ADDRESS, &relayed);
        pl_stun_put(&s.wr, PL_STUN_MOBILITY_TICKET, ticket, PL_TURN_TICKET_MAX + extra);
        script_send(&s, false);
        script_event(&s, PL_TURN_ALLOCATED);
        PL_EQ(pl_turn_can_move(s.t), extra == 0);
        PL_EQ(pl_turn_move(s.t, s.now_us, &elsewhere), extra ? PL_ENOTSUP : PL_OK);
        script_down(&s);
    }
}

/* RFC 8489 allows realms and nonces of 763 bytes each, which no datagram of ours holds. */
PL_TEST(credentials_that_fit_no_datagram)
{
    script s;
    char realm[700], nonce[700];
    memset(realm, 'r', sizeof realm - 1);
    memset(nonce, 'n', sizeof nonce - 1);
    realm[sizeof realm - 1] = nonce[sizeof nonce - 1] = '\0';
    script_up(&s, NULL);
    script_expect(&s, PL_STUN_ALLOCATE);
    script_begin(&s, PL_STUN_ERROR);
    pl_stun_put_error(&s.wr, 401, NULL);
    pl_stun_put_str(&s.wr, PL_STUN_REALM, pl_str_of(realm));
    pl_stun_put_str(&s.wr, PL_STUN_NONCE, pl_str_of(nonce));
    script_send(&s, false);
    script_quiet(&s); /* nothing comes out, and that is the end */
    PL_EQ(script_event(&s, PL_TURN_FAILED)->code, 0);
    script_down(&s);
}

PL_TEST(answers_without_sense)
{
    script s;
    script_up(&s, NULL);
    script_expect(&s, PL_STUN_ALLOCATE);
    script_begin(&s, PL_STUN_ERROR); /* an error that does not say which */
    script_send(&s, false);
    PL_EQ(pl_turn_get_counters(s.t)->bad_messages, 1);
    script_begin(&s, PL_STUN_SUCCESS);
    size_t len = pl_stun_end(&s.wr);
    pl_put16(s.reply + 2, 4); /* an attribute that ends before its header does */
    pl_put32(s.reply + len, 0x00200008);
    PL_EQ(script_input(&s, s.reply, len + 4, NULL), PL_TURN_CONTROL);
    PL_EQ(pl_turn_get_counters(s.t)->bad_messages, 2);
    script_begin(&s, PL_STUN_ERROR); /* a challenge without anything to answer it with */
    pl_stun_put_error(&s.wr, 401, NULL);
    script_send(&s, false);
    PL_EQ(script_event(&s, PL_TURN_FAILED)->code, 401);
    script_down(&s);
}

/* Every peer alone, after all together were refused: no more at a time than there is room for, and all in the end. */
PL_TEST(more_requests_than_places)
{
    script s;
    script_ready(&s, &quiet);
    for (unsigned i = 0; i < PL_TURN_PEERS_MAX; i++) {
        char text[40];
        snprintf(text, sizeof text, "198.51.100.%u:1", i + 1);
        pl_addr peer = script_addr(text);
        PL_EQ(pl_turn_permit(s.t, s.now_us, &peer), PL_OK);
    }
    pl_addr last = script_addr("198.51.100.64:1");
    int n_requests = 0;
    while (pl_turn_permission_of(s.t, &last) != PL_TURN_PERMIT_STANDS) {
        uint8_t pkt[8][PL_TURN_DGRAM_MAX];
        size_t len[8], n = 0;
        pl_dgram out = { .cap = PL_TURN_DGRAM_MAX };
        for (; n < 8; n++) {
            out.data = pkt[n];
            if (!pl_turn_poll_output(s.t, s.now_us, &out))
                break;
            len[n] = out.len;
        }
        PL_GE(n, 1);
        script_quiet(&s);
        for (size_t i = 0; i < n; i++, n_requests++) {
            PL_EQ(pl_stun_parse(&s.req, pkt[i], len[i]), PL_OK);
            if (script_peers(&s) > 1)
                script_error(&s, 403, true);
            else
                script_ok(&s);
        }
        PL_LE(n_requests, 2 * PL_TURN_PEERS_MAX);
    }
    PL_GE(n_requests, PL_TURN_PEERS_MAX);
    script_down(&s);
}

/* The server renews the allocation, but not the permission: it runs out, and is there again when it listens. */
PL_TEST(a_permission_that_runs_out)
{
    script s;
    pl_addr peer = script_addr("198.51.100.7:7000");
    script_ready(&s, &quiet);
    script_permit(&s, "198.51.100.7:1");
    int64_t begin_us = s.now_us;
    serve(&s, begin_us + PL_SEC(299), PL_STUN_CREATE_PERMISSION);
    PL_EQ(pl_turn_permission_of(s.t, &peer), PL_TURN_PERMIT_STANDS);
    serve(&s, begin_us + PL_SEC(301), PL_STUN_CREATE_PERMISSION);
    PL_EQ(pl_turn_permission_of(s.t, &peer), PL_TURN_PERMIT_ASKED);
    PL_EQ(pl_turn_get_state(s.t), PL_TURN_READY);
    script_no_event(&s);
    serve(&s, begin_us + PL_SEC(310), 0);
    PL_EQ(pl_turn_permission_of(s.t, &peer), PL_TURN_PERMIT_STANDS);
    PL_EQ(script_event(&s, PL_TURN_PERMISSION)->code, 0); /* told again, as it had gone */
    script_down(&s);
}

PL_TEST(a_channel_that_runs_out)
{
    script s;
    pl_addr peer = script_addr("198.51.100.7:7000");
    script_ready(&s, &quiet);
    script_bind(&s, "198.51.100.7:7000");
    int64_t begin_us = s.now_us;
    PL_EQ(pl_turn_overhead(s.t, &peer), 4);
    serve(&s, begin_us + PL_SEC(601), PL_STUN_CHANNEL_BIND);
    PL_OKAY(!pl_turn_is_bound(s.t, &peer));
    PL_GE(pl_turn_overhead(s.t, &peer), 36); /* Send indications go on */
    uint8_t buf[100] = { 1 };
    pl_dgram d = { .data = buf, .cap = sizeof buf, .len = 10 };
    PL_EQ(pl_turn_wrap(s.t, s.now_us, &peer, &d), PL_OK);
    serve(&s, begin_us + PL_SEC(610), 0);
    PL_OKAY(pl_turn_is_bound(s.t, &peer));
    script_event(&s, PL_TURN_BOUND);
    script_down(&s);
}

/* An unsigned refusal of a peer is believed when nothing else comes. */
PL_TEST(a_hint_about_a_peer)
{
    script s;
    pl_addr peer = script_addr("198.51.100.7:7000");
    script_ready(&s, &quiet);
    PL_EQ(pl_turn_permit(s.t, s.now_us, &peer), PL_OK);
    script_expect(&s, PL_STUN_CREATE_PERMISSION);
    script_error(&s, 403, false);
    PL_EQ(pl_turn_permission_of(s.t, &peer), PL_TURN_PERMIT_ASKED);
    script_pass(&s, PL_SEC(8));
    PL_EQ(pl_turn_permission_of(s.t, &peer), PL_TURN_PERMIT_DENIED);
    PL_EQ(script_event(&s, PL_TURN_PERMISSION)->code, 403);
    script_down(&s);
}

/* A refresh under way takes over what a probe is for. */
PL_TEST(a_probe_while_refreshing)
{
    script s;
    script_ready(&s, &quiet);
    script_wait(&s, PL_SEC(600));
    script_expect(&s, PL_STUN_REFRESH);
    pl_turn_probe(s.t, s.now_us);
    script_quiet(&s); /* not a second one */
    script_pass(&s, PL_MS(7900));
    PL_EQ(script_event(&s, PL_TURN_LOST)->code, 0);
    script_down(&s);
}

PL_TEST(calls_that_come_too_late)
{
    script s;
    pl_addr peer = script_addr("198.51.100.7:7000"), elsewhere = script_addr("10.9.0.1:6000");
    pl_turn_data data;
    uint8_t buf[100] = { 0x40, 0, 0, 1, 7 };
    script_ready(&s, &(pl_turn_conf){ .mobility = true });
    script_bind(&s, "198.51.100.7:7000");
    pl_turn_disconnected(s.t, s.now_us);
    script_event(&s, PL_TURN_LOST);
    PL_EQ(pl_turn_input(s.t, s.now_us, buf, 5, &data), PL_TURN_CONTROL);
    PL_EQ(pl_turn_move(s.t, s.now_us, &elsewhere), PL_ESTATE);
    pl_turn_unbind(s.t, s.now_us, &peer);
    pl_turn_unpermit(s.t, s.now_us, &peer);
    pl_turn_unpermit(s.t, s.now_us, &elsewhere);
    pl_turn_close(s.t, s.now_us);
    script_no_event(&s);
    script_quiet(&s);
    PL_STREQ(pl_turn_state_str(pl_turn_get_state(s.t)), "gone");
    script_down(&s);
}

PL_TESTS(t(a_ticket_too_long_is_none), t(credentials_that_fit_no_datagram), t(answers_without_sense),
         t(more_requests_than_places), t(a_permission_that_runs_out), t(a_channel_that_runs_out),
         t(a_hint_about_a_peer), t(a_probe_while_refreshing), t(calls_that_come_too_late))
