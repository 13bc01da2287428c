/* Permissions and channels: batched, refreshed, refused, forgotten. */
#include "script.h"

static pl_addr nth_peer(unsigned i)
{
    char text[40];
    snprintf(text, sizeof text, "198.51.%u.%u:%u", 100 + i / 200, 1 + i % 200, 7000 + i);
    return script_addr(text);
}

/* What the round trips of a relayed pair depend on: candidates that are known early are permitted early. */
PL_TEST(wanted_before_the_allocation_stands)
{
    script s;
    script_up(&s, NULL);
    for (unsigned i = 0; i < 3; i++) {
        pl_addr peer = nth_peer(i);
        PL_EQ(pl_turn_permit(s.t, s.now_us, &peer), PL_OK);
        PL_EQ(pl_turn_permit(s.t, s.now_us, &peer), PL_OK); /* twice is once */
    }
    pl_addr peer = nth_peer(1);
    peer.port = 9; /* ports do not matter */
    PL_EQ(pl_turn_permit(s.t, s.now_us, &peer), PL_OK);
    PL_EQ(pl_turn_permission_of(s.t, &peer), PL_TURN_PERMIT_NONE);
    script_expect(&s, PL_STUN_ALLOCATE);
    script_challenge(&s, 401, "nonce1");
    script_expect(&s, PL_STUN_ALLOCATE);
    script_quiet(&s);
    script_allocated(&s, 600);
    script_event(&s, PL_TURN_ALLOCATED);
    PL_EQ(pl_turn_permission_of(s.t, &peer), PL_TURN_PERMIT_NONE);
    script_expect(&s, PL_STUN_CREATE_PERMISSION); /* all in one */
    PL_EQ(script_peers(&s), 3);
    PL_OKAY(s.signed_req);
    PL_EQ(pl_turn_permission_of(s.t, &peer), PL_TURN_PERMIT_ASKED);
    script_quiet(&s);
    script_no_event(&s);
    script_ok(&s);
    PL_EQ(pl_turn_permission_of(s.t, &peer), PL_TURN_PERMIT_STANDS);
    for (unsigned i = 0; i < 3; i++)
        PL_EQ(script_event(&s, PL_TURN_PERMISSION)->code, 0);
    script_no_event(&s);
    script_down(&s);
}

PL_TEST(many_peers_in_few_requests)
{
    script s;
    script_ready(&s, NULL);
    for (unsigned i = 0; i < PL_TURN_PEERS_MAX; i++) {
        pl_addr peer = nth_peer(i);
        PL_EQ(pl_turn_permit(s.t, s.now_us, &peer), PL_OK);
    }
    pl_addr peer = nth_peer(PL_TURN_PEERS_MAX);
    PL_EQ(pl_turn_permit(s.t, s.now_us, &peer), PL_ENOSPC);
    size_t n = 0;
    int n_requests = 0;
    for (; n < PL_TURN_PEERS_MAX; n_requests++) {
        script_expect(&s, PL_STUN_CREATE_PERMISSION);
        n += script_peers(&s);
        script_ok(&s);
    }
    script_quiet(&s);
    PL_LE(n_requests, 6);
    pl_addr gone = nth_peer(5);
    pl_turn_unpermit(s.t, s.now_us, &gone);
    PL_EQ(pl_turn_permit(s.t, s.now_us, &peer), PL_OK);
    script_down(&s);
}

/* RFC 8656 9: a permission lives five minutes; ours are renewed a minute before, together. */
PL_TEST(permissions_are_refreshed_together)
{
    script s;
    script_ready(&s, &(pl_turn_conf){ .keepalive_us = PL_NEVER });
    int64_t begin_us = s.now_us;
    script_permit(&s, "198.51.100.1:1");
    s.now_us += PL_SEC(20);
    script_permit(&s, "198.51.100.2:1");
    script_wait(&s, PL_SEC(300));
    PL_EQ(s.now_us - begin_us, PL_SEC(240));
    script_expect(&s, PL_STUN_CREATE_PERMISSION);
    PL_EQ(script_peers(&s), 2);
    pl_addr peer = script_addr("198.51.100.1:1");
    PL_EQ(pl_turn_permission_of(s.t, &peer), PL_TURN_PERMIT_STANDS); /* meanwhile */
    script_ok(&s);
    script_no_event(&s); /* nothing has changed */
    pl_turn_unpermit(s.t, s.now_us, &peer);
    PL_EQ(pl_turn_permission_of(s.t, &peer), PL_TURN_PERMIT_NONE);
    script_wait(&s, PL_SEC(300));
    script_expect(&s, PL_STUN_CREATE_PERMISSION);
    PL_EQ(script_peers(&s), 1);
    script_down(&s);
}

PL_TEST(one_forbidden_peer_among_several)
{
    script s;
    script_ready(&s, NULL);
    for (unsigned i = 0; i < 3; i++) {
        pl_addr peer = nth_peer(i);
        PL_EQ(pl_turn_permit(s.t, s.now_us, &peer), PL_OK);
    }
    script_expect(&s, PL_STUN_CREATE_PERMISSION);
    PL_EQ(script_peers(&s), 3);
    script_error(&s, 403, true);
    script_no_event(&s);
    for (unsigned i = 0; i < 3; i++) {
        script_expect(&s, PL_STUN_CREATE_PERMISSION);
        PL_EQ(script_peers(&s), 1);
        pl_addr asked, forbidden = nth_peer(1);
        PL_EQ(pl_stun_get_xor_addr(&s.req, PL_STUN_XOR_PEER_ADDRESS, &asked), PL_OK);
        if (pl_addr_ip_eq(&asked, &forbidden))
            script_error(&s, 403, true);
        else
            script_ok(&s);
    }
    int n_ok = 0;
    for (unsigned i = 0; i < 3; i++) {
        const pl_turn_event *e = script_event(&s, PL_TURN_PERMISSION);
        pl_addr forbidden_one = nth_peer(1);
        PL_EQ(e->code, pl_addr_ip_eq(&e->peer, &forbidden_one) ? 403 : 0);
        n_ok += e->code == 0;
    }
    PL_EQ(n_ok, 2);
    pl_addr forbidden = nth_peer(1);
    PL_EQ(pl_turn_permission_of(s.t, &forbidden), PL_TURN_PERMIT_DENIED);
    script_quiet(&s);
    PL_EQ(pl_turn_permit(s.t, s.now_us, &forbidden), PL_OK); /* asked for anew, it is tried anew */
    script_expect(&s, PL_STUN_CREATE_PERMISSION);
    PL_EQ(script_peers(&s), 1);
    script_error(&s, 443, true);
    PL_EQ(script_event(&s, PL_TURN_PERMISSION)->code, 443);
    script_down(&s);
}

PL_TEST(a_permission_with_a_stale_nonce)
{
    script s;
    script_ready(&s, NULL);
    pl_addr peer = nth_peer(0);
    PL_EQ(pl_turn_permit(s.t, s.now_us, &peer), PL_OK);
    script_expect(&s, PL_STUN_CREATE_PERMISSION);
    script_challenge(&s, 438, "nonce2");
    script_expect(&s, PL_STUN_CREATE_PERMISSION);
    PL_EQ(script_peers(&s), 1);
    script_ok(&s);
    PL_EQ(script_event(&s, PL_TURN_PERMISSION)->code, 0);
    script_down(&s);
}

PL_TEST(unpermitted_while_it_is_asked_for)
{
    script s;
    script_ready(&s, NULL);
    pl_addr peer = nth_peer(0);
    PL_EQ(pl_turn_permit(s.t, s.now_us, &peer), PL_OK);
    script_expect(&s, PL_STUN_CREATE_PERMISSION);
    pl_turn_unpermit(s.t, s.now_us, &peer);
    script_ok(&s);
    script_no_event(&s);
    PL_EQ(pl_turn_permission_of(s.t, &peer), PL_TURN_PERMIT_NONE);
    PL_EQ(pl_turn_permit(s.t, s.now_us, &peer), PL_OK);
    script_expect(&s, PL_STUN_CREATE_PERMISSION);
    pl_turn_unpermit(s.t, s.now_us, &peer);
    PL_EQ(pl_turn_permit(s.t, s.now_us, &peer), PL_OK); /* and wanted again before the answer */
    script_ok(&s);
    script_event(&s, PL_TURN_PERMISSION);
    PL_EQ(pl_turn_permission_of(s.t, &peer), PL_TURN_PERMIT_STANDS);
    script_down(&s);
}

/* A server that has rebooted says 437 to whatever comes first. */
PL_TEST(a_permission_finds_the_allocation_gone)
{
    script s;
    script_ready(&s, NULL);
    pl_addr peer = nth_peer(0);
    PL_EQ(pl_turn_permit(s.t, s.now_us, &peer), PL_OK);
    script_expect(&s, PL_STUN_CREATE_PERMISSION);
    script_error(&s, 437, true);
    PL_EQ(script_event(&s, PL_TURN_LOST)->code, 437);
    PL_EQ(pl_turn_permit(s.t, s.now_us, &peer), PL_ESTATE);
    PL_EQ(pl_turn_bind(s.t, s.now_us, &peer), PL_ESTATE);
    script_down(&s);
}

PL_TEST(silence_to_a_permission_leads_to_a_probe)
{
    script s;
    script_ready(&s, NULL);
    pl_addr peer = nth_peer(0);
    PL_EQ(pl_turn_permit(s.t, s.now_us, &peer), PL_OK);
    int64_t begin_us = s.now_us;
    script_pass(&s, PL_SEC(17));
    PL_EQ(script_event(&s, PL_TURN_LOST)->code, 0);
    PL_LE(pl_turn_get_counters(s.t)->requests, 40);
    PL_LE(begin_us, s.now_us);
    script_down(&s);
}

/* ---- channels ---- */

PL_TEST(a_channel_is_bound_and_refreshed)
{
    script s;
    pl_addr peer = script_addr("198.51.100.7:7000");
    script_ready(&s, &(pl_turn_conf){ .lifetime_s = 3600, .keepalive_us = PL_NEVER });
    PL_EQ(pl_turn_bind(s.t, s.now_us, &peer), PL_OK);
    PL_EQ(pl_turn_bind(s.t, s.now_us, &peer), PL_OK);
    script_expect(&s, PL_STUN_CREATE_PERMISSION);
    script_ok(&s);
    script_event(&s, PL_TURN_PERMISSION);
    script_expect(&s, PL_STUN_CHANNEL_BIND);
    uint16_t number, again;
    PL_EQ(pl_stun_get_u16(&s.req, PL_STUN_CHANNEL_NUMBER, &number), PL_OK);
    PL_GE(number, 0x4000);
    PL_LE(number, 0x4fff);
    pl_addr asked;
    PL_EQ(pl_stun_get_xor_addr(&s.req, PL_STUN_XOR_PEER_ADDRESS, &asked), PL_OK);
    PL_OKAY(pl_addr_eq(&asked, &peer));
    PL_OKAY(!pl_turn_is_bound(s.t, &peer));
    script_ok(&s);
    PL_OKAY(pl_turn_is_bound(s.t, &peer));
    PL_EQ(script_event(&s, PL_TURN_BOUND)->code, 0);
    int64_t bound_us = s.now_us;
    bool refreshed = false;
    while (!refreshed) { /* permission and allocation come in between */
        script_wait(&s, PL_SEC(600));
        uint8_t buf[1500];
        pl_dgram out = { .data = buf, .cap = sizeof buf };
        PL_OKAY(pl_turn_poll_output(s.t, s.now_us, &out));
        PL_EQ(pl_stun_parse(&s.req, buf, out.len), PL_OK);
        refreshed = s.req.method == PL_STUN_CHANNEL_BIND;
        if (s.req.method == PL_STUN_REFRESH)
            script_refreshed(&s, 600);
        else
            script_ok(&s);
        if (refreshed)
            PL_EQ(pl_stun_get_u16(&s.req, PL_STUN_CHANNEL_NUMBER, &again), PL_OK);
    }
    PL_EQ(again, number);
    PL_EQ(s.now_us - bound_us, PL_SEC(540));
    script_no_event(&s);
    script_down(&s);
}

/* RFC 8656 12: neither a number nor a peer may change partners while the binding may still stand. */
PL_TEST(numbers_are_not_reused)
{
    script s;
    script_ready(&s, NULL);
    uint16_t numbers[PL_TURN_CHANNELS_MAX];
    for (unsigned i = 0; i < PL_TURN_CHANNELS_MAX; i++) {
        pl_addr peer = script_addr("198.51.100.7:7000");
        peer.port = (uint16_t)(peer.port + i);
        PL_EQ(pl_turn_bind(s.t, s.now_us, &peer), PL_OK);
        if (i == 0) {
            script_expect(&s, PL_STUN_CREATE_PERMISSION);
            script_ok(&s);
        }
        script_expect(&s, PL_STUN_CHANNEL_BIND);
        PL_EQ(pl_stun_get_u16(&s.req, PL_STUN_CHANNEL_NUMBER, &numbers[i]), PL_OK);
        for (unsigned k = 0; k < i; k++)
            PL_OKAY(numbers[k] != numbers[i]);
        script_ok(&s);
    }
    pl_addr first = script_addr("198.51.100.7:7000"), other = script_addr("198.51.100.8:7000");
    PL_EQ(pl_turn_bind(s.t, s.now_us, &other), PL_ENOSPC);
    PL_EQ(pl_turn_permission_of(s.t, &other), PL_TURN_PERMIT_NONE); /* and nothing has begun */
    pl_turn_unbind(s.t, s.now_us, &first);
    PL_OKAY(pl_turn_is_bound(s.t, &first)); /* as it is at the server */
    PL_EQ(pl_turn_bind(s.t, s.now_us, &other), PL_ENOSPC);
    PL_EQ(pl_turn_bind(s.t, s.now_us, &first), PL_OK); /* back again without a word */
    script_quiet(&s);
    script_down(&s);
}

PL_TEST(a_slot_returns_with_another_number)
{
    script s;
    script_ready(&s, &(pl_turn_conf){ .keepalive_us = PL_NEVER });
    uint16_t last = 0;
    for (int i = 0; i < 3; i++) {
        pl_addr peer = nth_peer((unsigned)i);
        uint16_t number;
        PL_EQ(pl_turn_bind(s.t, s.now_us, &peer), PL_OK);
        script_expect(&s, PL_STUN_CREATE_PERMISSION);
        script_ok(&s);
        script_expect(&s, PL_STUN_CHANNEL_BIND);
        PL_EQ(pl_stun_get_u16(&s.req, PL_STUN_CHANNEL_NUMBER, &number), PL_OK);
        PL_OKAY(number != last);
        last = number;
        script_ok(&s);
        pl_turn_unpermit(s.t, s.now_us, &peer);
        for (int64_t end_us = s.now_us + PL_SEC(601); pl_turn_next_us(s.t) < end_us;) {
            script_wait(&s, PL_SEC(601));
            uint8_t buf[1500];
            pl_dgram out = { .data = buf, .cap = sizeof buf };
            while (pl_turn_poll_output(s.t, s.now_us, &out)) {
                PL_EQ(pl_stun_parse(&s.req, buf, out.len), PL_OK);
                PL_EQ(s.req.method, PL_STUN_REFRESH);
                script_refreshed(&s, 600);
            }
        }
        PL_OKAY(!pl_turn_is_bound(s.t, &peer));
        s.now_us += 1;
    }
    script_down(&s);
}

PL_TEST(a_channel_refused_is_no_loss)
{
    script s;
    pl_addr peer = script_addr("198.51.100.7:7000");
    script_ready(&s, NULL);
    script_permit(&s, "198.51.100.7:1");
    PL_EQ(pl_turn_bind(s.t, s.now_us, &peer), PL_OK);
    script_expect(&s, PL_STUN_CHANNEL_BIND);
    script_error(&s, 508, true);
    const pl_turn_event *e = script_event(&s, PL_TURN_BOUND);
    PL_EQ(e->code, 508);
    PL_OKAY(pl_addr_eq(&e->peer, &peer));
    PL_OKAY(!pl_turn_is_bound(s.t, &peer));
    script_quiet(&s);
    uint8_t buf[100] = "hello";
    pl_dgram d = { .data = buf, .cap = sizeof buf, .len = 5 };
    PL_EQ(pl_turn_wrap(s.t, s.now_us, &peer, &d), PL_OK);
    PL_EQ(buf[0] >> 6, 0);                            /* a Send indication */
    PL_EQ(pl_turn_bind(s.t, s.now_us, &peer), PL_OK); /* tried again when asked again */
    script_expect(&s, PL_STUN_CHANNEL_BIND);
    script_down(&s);
}

PL_TEST(peers_that_cannot_be)
{
    script s;
    script_ready(&s, NULL);
    pl_addr none = { 0 }, portless = script_addr("198.51.100.7:7000"), six = script_addr("[2001:db8::7]:1");
    portless.port = 0;
    PL_EQ(pl_turn_permit(s.t, s.now_us, &none), PL_ENOTSUP);
    PL_EQ(pl_turn_permit(s.t, s.now_us, &six), PL_ENOTSUP);
    PL_EQ(pl_turn_bind(s.t, s.now_us, &portless), PL_EINVAL);
    PL_EQ(pl_turn_bind(s.t, s.now_us, &six), PL_ENOTSUP);
    script_quiet(&s);
    script_down(&s);
}

PL_TESTS(t(wanted_before_the_allocation_stands), t(many_peers_in_few_requests),
         t(permissions_are_refreshed_together), t(one_forbidden_peer_among_several),
         t(a_permission_with_a_stale_nonce), t(unpermitted_while_it_is_asked_for),
         t(a_permission_finds_the_allocation_gone), t(silence_to_a_permission_leads_to_a_probe),
         t(a_channel_is_bound_and_refreshed), t(numbers_are_not_reused),
         t(a_slot_returns_with_another_number), t(a_channel_refused_is_no_loss), t(peers_that_cannot_be))
