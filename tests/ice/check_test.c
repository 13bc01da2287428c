/* Our checks (RFC 8445 6.1.4, 7.2): their answers, their order and their pace. */
#include "by_hand.h"

/* ---- responses ---- */

PL_TEST(answers_must_come_from_whom_was_asked)
{
    pl_stun_msg m;
    pl_path path;
    up(true);
    set_remote();
    add_remote("192.0.2.7:7", 100, "1");
    next_out(&m);
    answer_it(&m, "192.0.2.8:7", 0, their_pwd);
    PL_OKAY(!pl_ice_selected(ice, &path));
    PL_EQ(pl_ice_get_counters(ice)->stray_response, 1);
    answer_it(&m, "192.0.2.7:7", 0, "not the right password");
    answer_it(&m, "192.0.2.7:7", 400, "not the right password");
    PL_OKAY(!pl_ice_selected(ice, &path));
    PL_EQ(pl_ice_get_counters(ice)->bad_integrity, 2);
    answer_it(&m, "192.0.2.7:7", 0, their_pwd);
    PL_OKAY(pl_ice_selected(ice, &path));
    answer_it(&m, "192.0.2.7:7", 0, their_pwd); /* a duplicate */
    PL_EQ(pl_ice_get_counters(ice)->stray_response, 2);
    down();
}

PL_TEST(a_refused_check_fails_its_pair)
{
    pl_stun_msg m;
    pl_ice_pair_info pair;
    up(true);
    set_remote();
    add_remote("192.0.2.7:7", 100, "1");
    next_out(&m);
    answer_it(&m, "192.0.2.7:7", 400, their_pwd);
    PL_EQ(pl_ice_get_pairs(ice, &pair, 1), 1);
    PL_EQ(pair.state, PL_ICE_PAIR_FAILED);
    check_from("192.0.2.7:7", (check){ .controlled = 1 }); /* a check of theirs gives it another chance */
    next_out(&m);
    PL_EQ(m.cls, PL_STUN_SUCCESS);
    next_out(&m);
    PL_EQ(m.cls, PL_STUN_REQUEST);
    down();
}

/* Signaled link-local addresses carry no interface; datagrams from them do. */
PL_TEST(link_local_addresses)
{
    pl_ice_conf conf = { .controlling = true, .rand = pl_rand_seed(&state, 1) };
    pl_ice_base b = { .addr = addr("[fe80::1%3]:1000") };
    pl_stun_msg m;
    now_us = 0;
    base = b.addr;
    PL_EQ(pl_ice_new(&ice, &conf, now_us), PL_OK);
    PL_EQ(pl_ice_add_base(ice, now_us, &b), PL_OK);
    set_remote();
    add_remote("[fe80::2]:7", 100, "1");
    add_remote("[2001:db8::2]:7", 200, "2"); /* no pair: RFC 8445 6.1.2.2 */
    PL_EQ(pl_ice_get_pairs(ice, NULL, 0), 1);
    pl_dgram d = next_out(&m);
    PL_EQ(d.path.remote.scope, 3);
    answer_it(&m, "[fe80::2%3]:7", 0, their_pwd);
    pl_path path;
    PL_OKAY(pl_ice_selected(ice, &path));
    PL_EQ(path.remote.scope, 3);
    check_from("[fe80::2%3]:7", (check){ .controlled = 1 });
    d = next_out(&m);
    PL_EQ(m.cls, PL_STUN_SUCCESS);
    PL_EQ(d.path.remote.scope, 3);
    pl_ice_cand_info info[8];
    PL_EQ(pl_ice_get_candidates(ice, info, 8), 3); /* nobody was met twice */
    down();
}

/* ---- order and pacing ---- */

PL_TEST(pacing_after_the_first_burst)
{
    up(true);
    set_remote();
    for (int i = 0; i < 40; i++) {
        char at[32], foundation[16];
        snprintf(at, sizeof at, "192.0.2.%d:7", i + 1);
        snprintf(foundation, sizeof foundation, "%d", i);
        add_remote(at, 1000 + (uint32_t)i, foundation);
    }
    int n = 0;
    int64_t start_us = now_us;
    uint64_t last = UINT64_MAX;
    while (now_us < start_us + PL_MS(450)) { /* before any pair's second check: all others come first */
        pl_stun_msg m;
        pl_dgram d = { .data = out_buf, .cap = sizeof out_buf };
        pl_ice_tick(ice, now_us);
        while (pl_ice_poll_output(ice, now_us, &d)) {
            PL_EQ(pl_stun_parse(&m, d.data, d.len), PL_OK);
            PL_OKAY(d.path.remote.ip[3] < last); /* by falling priority */
            last = d.path.remote.ip[3];
            n++;
        }
        PL_LE(n, 5 + (now_us - start_us) / PL_MS(15));
        PL_GE(pl_ice_next_us(ice), now_us + 1);
        now_us = pl_ice_next_us(ice);
    }
    PL_EQ(n, 5 + 29);
    down();
}

/* What the peer has asked for goes before everything that merely waits, and does not wait for Ta. */
PL_TEST(triggered_checks_come_first)
{
    pl_stun_msg m;
    up(false);
    set_remote();
    for (int i = 0; i < 10; i++) {
        char at[32], foundation[16];
        snprintf(at, sizeof at, "192.0.2.%d:7", i + 1);
        snprintf(foundation, sizeof foundation, "%d", i);
        add_remote(at, 2000 - (uint32_t)i, foundation);
    }
    for (int i = 0; i < 5; i++)
        next_out(&m);
    PL_OKAY(!anything_out()); /* the burst is spent */
    now_us += PL_MS(5);
    check_from("192.0.2.10:7", (check){ .controlling = 1 }); /* the last in the list */
    next_out(&m);
    PL_EQ(m.cls, PL_STUN_SUCCESS);
    pl_dgram d = next_out(&m);
    PL_EQ(m.cls, PL_STUN_REQUEST);
    PL_EQ(d.path.remote.ip[3], 10);
    PL_OKAY(!anything_out());
    check_from("192.0.2.1:7",
               (check){ .controlling = 1 }); /* in progress: asked again, as a NAT may be open now */
    next_out(&m);
    PL_OKAY(!anything_out());
    PL_EQ(pl_ice_next_us(ice), now_us + PL_MS(5));
    now_us += PL_MS(5);
    d = next_out(&m);
    PL_EQ(d.path.remote.ip[3], 1);
    down();
}

/* Met by a check first, signaled later: the pair takes the signaled candidate's place in the order. */
PL_TEST(a_signaled_candidate_replaces_the_discovered_one)
{
    pl_ice_pair_info pair[2];
    pl_ice_cand_info info[4];
    up(true);
    set_remote();
    check_from("192.0.2.1:7", (check){ .controlled = 1, .priority = 10 });
    add_remote("192.0.2.2:7", 20, "2");
    PL_EQ(pl_ice_get_pairs(ice, pair, 2), 2);
    uint32_t discovered = pair[1].remote_id;
    PL_EQ(pair[1].priority >> 32, 10);
    add_remote("192.0.2.1:7", 30, "1");
    PL_EQ(pl_ice_get_pairs(ice, pair, 2), 2);
    PL_EQ(pair[0].remote_id, discovered);
    PL_EQ(pair[0].priority >> 32, 30);
    PL_EQ(pl_ice_get_candidates(ice, info, 4), 3);
    PL_EQ(info[1].type, PL_ICE_HOST);
    PL_STREQ(info[1].foundation, "1");
    down();
}

PL_TEST(a_restart_ends_the_checks_before_it)
{
    pl_stun_msg m;
    up(true);
    set_remote();
    add_remote("192.0.2.1:7", 10, "1");
    next_out(&m);
    PL_EQ(pl_ice_restart(ice, now_us, NULL, NULL), PL_OK);
    for (int i = 0; i < 40; i++) {
        now_us += PL_MS(500);
        pl_ice_tick(ice, now_us);
        PL_OKAY(!anything_out());
    }
    PL_EQ(pl_ice_get_state(ice), PL_ICE_CHECKING);
    down();
}

/* A peer that restarts may check with our old fragment and its new one, before it has our answer. */
PL_TEST(checks_across_a_restart_are_not_answered)
{
    pl_stun_msg m;
    up(false);
    check_from("192.0.2.1:7", (check){ .next_ufrag = true }); /* what is not known yet may be anything */
    next_out(&m);
    PL_EQ(m.cls, PL_STUN_SUCCESS);
    set_remote();
    PL_EQ(answer_all(), 1);
    check_from("192.0.2.1:8", (check){ .next_ufrag = true, .use_candidate = true });
    PL_OKAY(!anything_out());
    PL_EQ(pl_ice_get_counters(ice)->bad_username, 1);
    check_from("192.0.2.1:8", (check){ 0 });
    next_out(&m);
    PL_EQ(m.cls, PL_STUN_SUCCESS);
    down();
}

PL_TEST(frozen_until_their_foundation_works)
{
    pl_stun_msg m;
    pl_ice_pair_info pair[4];
    up(true);
    set_remote();
    add_remote("192.0.2.1:1", 400, "same");
    add_remote("192.0.2.1:2", 300, "same");
    add_remote("192.0.2.1:3", 200, "same");
    add_remote("192.0.2.9:1", 100, "other");
    PL_EQ(pl_ice_get_pairs(ice, pair, 4), 4);
    PL_EQ(pair[0].state, PL_ICE_PAIR_WAITING);
    PL_EQ(pair[1].state, PL_ICE_PAIR_FROZEN);
    PL_EQ(pair[2].state, PL_ICE_PAIR_FROZEN);
    PL_EQ(pair[3].state, PL_ICE_PAIR_WAITING);
    pl_dgram d = next_out(&m);
    PL_EQ(d.path.remote.port, 1);
    uint8_t first[PL_ICE_DGRAM_MAX];
    memcpy(first, d.data, d.len);
    size_t first_len = d.len;
    d = next_out(&m); /* the other foundation, not the frozen ones */
    PL_EQ(d.path.remote.ip[3], 9);
    PL_OKAY(!anything_out());
    pl_ice_set_controlling(ice, now_us, false); /* so that success does not end checking */
    PL_EQ(pl_stun_parse(&m, first, first_len), PL_OK);
    answer_it(&m, "192.0.2.1:1", 0, their_pwd);
    PL_EQ(pl_ice_get_pairs(ice, pair, 4), 4);
    PL_EQ(pair[0].state, PL_ICE_PAIR_SUCCEEDED);
    PL_EQ(pair[1].state, PL_ICE_PAIR_WAITING);
    PL_EQ(pair[2].state, PL_ICE_PAIR_WAITING);
    down();
}

PL_TEST(the_best_pairs_stay_at_the_limit)
{
    pl_ice_conf conf = { .controlling = true, .pairs_max = 8, .rand = pl_rand_seed(&state, 1) };
    pl_ice_base b = { .addr = addr("10.0.0.1:1000") };
    pl_ice_pair_info pair[16];
    PL_EQ(pl_ice_new(&ice, &conf, 0), PL_OK);
    PL_EQ(pl_ice_add_base(ice, 0, &b), PL_OK);
    set_remote();
    for (int i = 0; i < PL_ICE_REMOTES_MAX; i++) {
        pl_ice_cand c = { .addr = addr("192.0.2.1:1"), .component = 1, .foundation = "1" };
        c.addr.port = (uint16_t)(i + 1);
        c.priority = (uint32_t)(i * 37 % PL_ICE_REMOTES_MAX + 1);
        PL_EQ(pl_ice_add_remote(ice, 0, &c), PL_OK);
        PL_EQ(pl_ice_add_remote(ice, 0, &c), PL_OK); /* known already */
    }
    pl_ice_cand more = { .addr = addr("192.0.2.2:1"), .component = 1, .priority = 1, .foundation = "1" };
    PL_EQ(pl_ice_add_remote(ice, 0, &more), PL_ENOSPC);
    PL_EQ(pl_ice_get_pairs(ice, pair, 16), 8);
    for (int i = 0; i < 8; i++)
        PL_EQ(pair[i].priority >> 32, PL_ICE_REMOTES_MAX - i);
    base = b.addr;
    down();
}

PL_TESTS(t(answers_must_come_from_whom_was_asked), t(a_refused_check_fails_its_pair), t(link_local_addresses),
         t(pacing_after_the_first_burst), t(triggered_checks_come_first),
         t(a_signaled_candidate_replaces_the_discovered_one), t(a_restart_ends_the_checks_before_it),
         t(checks_across_a_restart_are_not_answered), t(frozen_until_their_foundation_works),
         t(the_best_pairs_stay_at_the_limit))
