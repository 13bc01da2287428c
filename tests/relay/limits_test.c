/* How much a client may have: quotas, bandwidth, answers to strangers; and the end of a server's life. */
#include "pl_test.h"
#include "sim/relay_rig.h"

static rig *make(rig_conf conf)
{
    conf.seed = 5;
    rig *g = rig_new(&conf);
    PL_OKAY(g != NULL);
    return g;
}

static void finish(rig *g)
{
    pl_relay_check(g->core);
    rig_free(g);
}

/* ---- quotas ---- */

PL_TEST(quota_of_a_user)
{
    rig *g = make((rig_conf){ .policy = { .max_per_user = 3 } });
    rig_client c[5];
    for (unsigned i = 0; i < 5; i++)
        c[i] = rig_client_of(g, i);
    for (unsigned i = 0; i < 3; i++)
        PL_EQ(rig_allocate(&c[i]), 0);
    PL_EQ(rig_allocate(&c[3]), 486);
    c[4].user = "bob";
    c[4].password = "bob's";
    PL_EQ(rig_allocate(&c[4]), 0);
    PL_EQ(rig_refresh(&c[1], 0), 0);
    PL_EQ(rig_allocate(&c[3]), 0);
    PL_EQ(rig_allocate(&c[1]), 486);
    rig_wait(g, PL_SEC(700));
    PL_EQ(rig_allocate(&c[1]), 0);
    finish(g);
}

PL_TEST(quota_of_an_address)
{
    rig *g = make((rig_conf){ .policy = { .max_per_client = 2 } });
    rig_client c[4], six[4];
    for (unsigned i = 0; i < 4; i++) {
        c[i] = rig_client_of(g, 250 * i); /* one address, other ports */
        six[i] = rig_client_of(g, i);
        six[i].path.local = g->server[1];
        six[i].path.remote = rig_addr("[2001:db8:1:1::]:77");
        six[i].path.remote.ip[15] = (uint8_t)i; /* one /64 */
    }
    six[3].path.remote.ip[7] = 9;
    PL_OKAY(pl_addr_ip_eq(&c[0].path.remote, &c[2].path.remote));
    PL_EQ(rig_allocate(&c[0]), 0);
    PL_EQ(rig_allocate(&c[1]), 0);
    PL_EQ(rig_allocate(&c[2]), 486);
    PL_EQ(rig_allocate(&six[0]), 0);
    PL_EQ(rig_allocate(&six[1]), 0);
    PL_EQ(rig_allocate(&six[2]), 486);
    PL_EQ(rig_allocate(&six[3]), 0);
    finish(g);
}

PL_TEST(quota_in_total_over_all_threads)
{
    rig *a = make((rig_conf){ .policy = { .max_total = 3 } });
    rig *b =
        make((rig_conf){ .policy = { .max_total = 3 }, .thread = 1, .shared = a->shared, .auth = a->auth });
    rig_client c[4];
    for (unsigned i = 0; i < 4; i++)
        c[i] = rig_client_of(i % 2 ? a : b, i);
    for (unsigned i = 0; i < 3; i++)
        PL_EQ(rig_allocate(&c[i]), 0);
    PL_EQ(rig_allocate(&c[3]), 508);
    PL_EQ(rig_refresh(&c[0], 0), 0);
    PL_EQ(rig_allocate(&c[3]), 0);
    PL_EQ(pl_relay_shared_total(a->shared), 3);
    finish(b);
    finish(a);
}

PL_TEST(a_relay_has_its_own_maximum)
{
    rig *g = make((rig_conf){ .max_allocations = 2 });
    rig_client c[3];
    for (unsigned i = 0; i < 3; i++)
        c[i] = rig_client_of(g, i);
    PL_EQ(rig_allocate(&c[0]), 0);
    PL_EQ(rig_allocate(&c[1]), 0);
    PL_EQ(rig_allocate(&c[2]), 508);
    PL_EQ(pl_relay_shared_total(g->shared), 2);
    finish(g);
}

/* ---- bandwidth ---- */

PL_TEST(bandwidth_in_each_direction)
{
    static const uint8_t data[1000];
    rig *g = make((rig_conf){ .policy = { .bytes_per_s = 100000, .burst_bytes = 20000 } });
    rig_client c = rig_client_of(g, 1);
    pl_addr peer = rig_addr("203.0.113.5:7000");
    PL_EQ(rig_allocate(&c), 0);
    PL_EQ(rig_bind(&c, 0x4000, &peer), 0);
    rig_forget(g);
    for (int i = 0; i < 50; i++)
        rig_send_channel(&c, 0x4000, data, sizeof data);
    PL_EQ(g->n_queued, 20); /* the burst */
    PL_EQ(pl_relay_count(g->core)->drop[PL_RELAY_DROP_BANDWIDTH], 30);
    for (int i = 0; i < 50; i++)
        rig_from_peer(g, &peer, &c.relayed[0], data, sizeof data);
    PL_EQ(g->n_queued, 40); /* the other direction has its own */
    rig_forget(g);
    for (int i = 0; i < 1000; i++) {
        rig_wait(g, PL_MS(5));
        rig_send_indication(&c, &peer, data, sizeof data);
    }
    PL_GE(g->n_queued, 499); /* 5 s of 100 kB/s */
    PL_LE(g->n_queued, 520);
    /* Control goes on. */
    PL_EQ(rig_refresh(&c, 600), 0);
    /* Another policy: no limit. */
    pl_relay_policy free_policy = { .port_lo = 1, .port_hi = 2 };
    pl_relay_set_policy(g->core, &free_policy);
    rig_forget(g);
    for (int i = 0; i < 50; i++)
        rig_send_channel(&c, 0x4000, data, sizeof data);
    PL_EQ(g->n_queued, 50);
    finish(g);
}

/* ---- strangers ---- */

static size_t answer_len(rig *g)
{
    rig_packet p;
    size_t n = 0;
    while (rig_take(g, &p))
        n += p.len;
    return n;
}

/* What one second's requests from one address make us send, whatever they are, stays within one and a half times what
 * the limit's requests are long. */
PL_TEST(answers_to_strangers_are_bounded)
{
    enum { PER_S = 100 };
    rig *g =
        make((rig_conf){ .software = "a long name of the software", .policy = { .unauth_per_s = PER_S } });
    rig_client c = rig_client_of(g, 1);
    uint8_t pkt[64], id[PL_STUN_ID_LEN] = { 0 };
    pl_stun_wr s = pl_stun_begin(pkt, sizeof pkt, PL_STUN_REQUEST, PL_STUN_ALLOCATE, id);
    pl_stun_put_u8(&s, PL_STUN_REQUESTED_TRANSPORT, 17);
    size_t len = pl_stun_end(&s), sent = 0;
    for (int ms = 0; ms < 10000; ms++) { /* a thousand a second */
        rig_from_client(g, &c.path, NULL, pkt, len);
        sent += answer_len(g);
        rig_wait(g, PL_MS(1));
    }
    PL_GE(sent, 1000);
    PL_LE(sent, (10 + 2) * PER_S * len * 3 / 2);
    PL_GE(pl_relay_count(g->core)->drop[PL_RELAY_DROP_UNAUTH_RATE], 5000);
    /* Somebody else is not concerned. */
    rig_client d = rig_client_of(g, 2);
    PL_EQ(rig_allocate(&d), 0);
    /* And it is over a moment later. */
    rig_wait(g, PL_SEC(3));
    PL_EQ(rig_allocate(&c), 0);
    finish(g);
}

PL_TEST(a_long_request_is_answered_whole_and_not_amplified)
{
    rig *g = make((rig_conf){ .software = "some software" });
    rig_client c = rig_client_of(g, 1);
    for (size_t pad = 0; pad < 200; pad += 4) {
        uint8_t filler[200] = { 0 };
        pl_stun_wr s = rig_begin(&c, PL_STUN_ALLOCATE);
        pl_stun_put_u8(&s, PL_STUN_REQUESTED_TRANSPORT, 17);
        pl_stun_put(&s, PL_STUN_SOFTWARE, filler, pad);
        PL_EQ(rig_ask_once(&c, &s, false), 401);
        uint16_t code;
        pl_str reason;
        PL_EQ(pl_stun_get_error(&c.answer, &code, &reason), PL_OK);
        if (reason.n)
            PL_LE(c.answer.len * 2, c.sent_len * 3);
        PL_OKAY(!pl_stun_has(&c.answer, PL_STUN_SOFTWARE));
    }
    finish(g);
}

PL_TEST(software_is_told_to_users_alone)
{
    rig *g = make((rig_conf){ .software = "peerline test" });
    rig_client c = rig_client_of(g, 1);
    PL_EQ(rig_allocate(&c), 0);
    pl_str text;
    PL_EQ(pl_stun_get_str(&c.answer, PL_STUN_SOFTWARE, &text), PL_OK);
    PL_OKAY(pl_str_is(text, "peerline test"));
    finish(g);
}

PL_TEST(what_nobody_understands_gets_no_answer)
{
    rig *g = make((rig_conf){ .no_auth = true });
    rig_client c = rig_client_of(g, 1);
    uint8_t pkt[256], id[PL_STUN_ID_LEN] = { 0 };
    for (int first = 0; first < 256; first++) {
        memset(pkt, first, sizeof pkt);
        for (size_t len = 0; len < sizeof pkt; len += 13)
            rig_from_client(g, &c.path, NULL, pkt, len);
    }
    PL_EQ(g->n_queued, 0);
    pl_stun_wr s = pl_stun_begin(pkt, sizeof pkt, PL_STUN_REQUEST, 0x0ff, id);
    rig_from_client(g, &c.path, NULL, pkt, pl_stun_end(&s));
    s = pl_stun_begin(pkt, sizeof pkt, PL_STUN_SUCCESS, PL_STUN_ALLOCATE, id);
    rig_from_client(g, &c.path, NULL, pkt, pl_stun_end(&s));
    s = pl_stun_begin(pkt, sizeof pkt, PL_STUN_INDICATION, PL_STUN_BINDING, id);
    rig_from_client(g, &c.path, NULL, pkt, pl_stun_end(&s));
    PL_EQ(g->n_queued, 0);
    /* A request that was damaged on its way, and a whole one cut anywhere. */
    s = rig_begin(&c, PL_STUN_ALLOCATE);
    pl_stun_put_u8(&s, PL_STUN_REQUESTED_TRANSPORT, 17);
    pl_stun_put_fingerprint(&s);
    size_t len = pl_stun_end(&s);
    memcpy(pkt, c.body, len);
    for (size_t cut = 0; cut < len; cut++)
        rig_from_client(g, &c.path, NULL, pkt, cut);
    pkt[len - 1] ^= 1;
    rig_from_client(g, &c.path, NULL, pkt, len);
    PL_EQ(g->n_queued, 0);
    pkt[len - 1] ^= 1;
    rig_from_client(g, &c.path, NULL, pkt, len);
    PL_EQ(g->n_queued, 1);
    finish(g);
}

/* ---- draining ---- */

PL_TEST(draining_refuses_and_lets_finish)
{
    rig *g = make((rig_conf){ 0 });
    rig_client c = rig_client_of(g, 1), d = rig_client_of(g, 2), e = rig_client_of(g, 3);
    PL_EQ(rig_allocate(&c), 0);
    PL_EQ(rig_refresh(&c, 3600), 0);
    PL_EQ(rig_allocate(&e), 0);
    rig_wait(g, PL_SEC(500));
    pl_addr alternate = rig_addr("192.0.2.99:3478"), got;
    pl_relay_drain(g->core, g->now_us, g->now_us + PL_SEC(300), &alternate, 1);
    PL_EQ(rig_allocate(&d), 300);
    PL_EQ(pl_stun_get_addr(&d.answer, PL_STUN_ALTERNATE_SERVER, &got), PL_OK);
    PL_OKAY(pl_addr_eq(&got, &alternate));
    PL_OKAY(d.answer.integrity_at != 0);
    rig_client six = rig_client_of(g, 4);
    six.path.local = g->server[1];
    six.path.remote = rig_addr("[2001:db8:1:1::]:77");
    PL_EQ(rig_allocate(&six), 508); /* no alternate of its family */
    uint32_t s;
    PL_EQ(rig_refresh(&c, 3600), 0);
    PL_EQ(pl_stun_get_u32(&c.answer, PL_STUN_LIFETIME, &s), PL_OK);
    PL_EQ(s, 300);
    rig_wait(g, PL_SEC(101)); /* e's own time is over */
    PL_EQ(g->n_open, 1);
    PL_EQ(g->last_event.why, PL_RELAY_WHY_EXPIRED);
    rig_wait(g, PL_SEC(200));
    PL_EQ(g->n_open, 0);
    PL_EQ(g->last_event.why, PL_RELAY_WHY_DRAINED);
    PL_OKAY(pl_relay_is_empty(g->core));
    finish(g);
}

PL_TEST(draining_without_alternate)
{
    rig *g = make((rig_conf){ 0 });
    rig_client c = rig_client_of(g, 1);
    pl_relay_drain(g->core, g->now_us, g->now_us + PL_SEC(300), NULL, 0);
    PL_EQ(rig_allocate(&c), 508);
    pl_stun_wr s = rig_begin(&c, PL_STUN_BINDING);
    PL_EQ(rig_ask_once(&c, &s, false), 0);
    finish(g);
}

PL_TESTS(t(quota_of_a_user), t(quota_of_an_address), t(quota_in_total_over_all_threads),
         t(a_relay_has_its_own_maximum), t(bandwidth_in_each_direction), t(answers_to_strangers_are_bounded),
         t(a_long_request_is_answered_whole_and_not_amplified), t(software_is_told_to_users_alone),
         t(what_nobody_understands_gets_no_answer), t(draining_refuses_and_lets_finish),
         t(draining_without_alternate))
