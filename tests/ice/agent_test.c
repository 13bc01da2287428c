/* One agent against a peer written by hand: its candidates and events, and the rest of its life. */
#include "by_hand.h"

/* ---- gathering ---- */

PL_TEST(events_come_in_order)
{
    pl_ice_event ev;
    up(true);
    pl_ice_bases_done(ice, now_us);
    PL_OKAY(pl_ice_poll_event(ice, &ev));
    PL_EQ(ev.kind, PL_ICE_EV_GATHERING);
    PL_EQ(ev.u.gathering, PL_ICE_GATHERING);
    PL_OKAY(pl_ice_poll_event(ice, &ev));
    PL_EQ(ev.kind, PL_ICE_EV_CANDIDATE);
    PL_EQ(ev.u.candidate.type, PL_ICE_HOST);
    PL_EQ(ev.u.candidate.priority, 2130706431 - 256); /* IPv4 leaves the first place to IPv6 */
    PL_OKAY(pl_addr_eq(&ev.u.candidate.addr, &base));
    PL_STREQ(ev.u.candidate.ufrag, pl_ice_ufrag(ice));
    PL_OKAY(strlen(ev.u.candidate.foundation) >= 1 && pl_ice_chars_ok(pl_str_of(ev.u.candidate.foundation)));
    PL_OKAY(pl_ice_poll_event(ice, &ev));
    PL_EQ(ev.kind, PL_ICE_EV_GATHERING);
    PL_EQ(ev.u.gathering, PL_ICE_GATHER_COMPLETE);
    PL_OKAY(!pl_ice_poll_event(ice, &ev));
    PL_OKAY(!anything_out());
    PL_EQ(pl_ice_next_us(ice), PL_NEVER);
    down();
}

PL_TEST(bases_and_servers_have_limits)
{
    up(true);
    static const char *const bad[] = { "10.0.0.1:1000", "0.0.0.0:5", "10.0.0.2:0", "224.0.0.1:5" };
    for (int i = 0; i < 4; i++) {
        pl_ice_base b = { .addr = addr(bad[i]) };
        PL_EQ(pl_ice_add_base(ice, now_us, &b), PL_EINVAL);
    }
    for (int i = 1; i <= PL_ICE_BASES_MAX; i++) {
        pl_ice_base b = { .addr = addr("10.0.0.2:1") };
        b.addr.port = (uint16_t)i;
        PL_EQ(pl_ice_add_base(ice, now_us, &b), (i < PL_ICE_BASES_MAX ? PL_OK : PL_ENOSPC));
    }
    for (int i = 0; i <= PL_ICE_SERVERS_MAX; i++) {
        pl_addr server = addr("198.51.100.1:3478");
        server.port = (uint16_t)(3478 + i);
        PL_EQ(pl_ice_add_stun_server(ice, now_us, &server), (i < PL_ICE_SERVERS_MAX ? PL_OK : PL_ENOSPC));
    }
    pl_ice_check(ice);
    pl_ice_remove_base(ice, now_us, &base);
    pl_ice_check(ice);
    down();
}

PL_TEST(the_policy_relay_hides_everything_else)
{
    pl_ice_conf conf = { .relay_only = true, .rand = pl_rand_seed(&state, 1) };
    pl_ice_base b = { .addr = addr("10.0.0.1:1000") }, relay = { .addr = addr("198.51.100.1:5000"),
                                                                 .type = PL_ICE_RELAY,
                                                                 .related = addr("203.0.113.1:4000") };
    PL_EQ(pl_ice_new(&ice, &conf, 0), PL_OK);
    PL_EQ(pl_ice_add_base(ice, 0, &b), PL_OK);
    PL_EQ(pl_ice_add_base(ice, 0, &relay), PL_OK);
    set_remote();
    add_remote("10.0.0.2:2000", 100, "1");
    pl_ice_pair_info pair;
    PL_EQ(pl_ice_get_pairs(ice, &pair, 1), 1);
    int n = 0;
    for (pl_ice_event ev; pl_ice_poll_event(ice, &ev);) {
        if (ev.kind != PL_ICE_EV_CANDIDATE)
            continue;
        n++;
        PL_EQ(ev.u.candidate.type, PL_ICE_RELAY);
        PL_EQ(ev.u.candidate.related.family, PL_AF_NONE);
    }
    PL_EQ(n, 1);
    pl_dgram d = { .data = out_buf, .cap = sizeof out_buf };
    PL_OKAY(pl_ice_poll_output(ice, now_us, &d));
    PL_OKAY(pl_addr_eq(&d.path.local, &relay.addr));
    down();
}

PL_TEST(own_credentials)
{
    static const struct {
        const char *ufrag, *pwd;
    } bad[] = { { "abc", "0123456789012345678901" },
                { "abcd", "012345678901234567890" },
                { "ab:d", "0123456789012345678901" },
                { "abcd", NULL },
                { NULL, "0123456789012345678901" } };
    pl_ice_conf conf = { 0 };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        conf.ufrag = bad[i].ufrag;
        conf.pwd = bad[i].pwd;
        PL_EQ(pl_ice_new(&ice, &conf, 0), PL_EINVAL);
        PL_OKAY(!ice);
    }
    conf.ufrag = "abcd";
    conf.pwd = "0123456789012345678901";
    PL_EQ(pl_ice_new(&ice, &conf, 0), PL_OK);
    PL_STREQ(pl_ice_ufrag(ice), "abcd");
    PL_EQ(pl_ice_restart(ice, 0, "x", "y"), PL_EINVAL);
    PL_STREQ(pl_ice_ufrag(ice), "abcd");
    down();
}

/* ---- the rest of life ---- */

static void connect_it(void)
{
    up(true);
    set_remote();
    add_remote("192.0.2.7:7", 100, "1");
    while (answer_all() > 0)
        ;
    pl_ice_bases_done(ice, now_us);
    pl_ice_remote_done(ice, now_us);
    PL_EQ(last_state(), PL_ICE_COMPLETED);
}

static void let_pass(int64_t us)
{
    for (int64_t end_us = now_us + us; now_us < end_us;) {
        pl_ice_tick(ice, now_us);
        while (anything_out())
            ;
        PL_GE(pl_ice_next_us(ice), now_us + 1);
        now_us = pl_min_us(end_us, pl_ice_next_us(ice));
    }
    pl_ice_tick(ice, now_us);
}

PL_TEST(media_is_a_sign_of_life_but_no_consent)
{
    connect_it();
    int64_t start_us = now_us;
    while (now_us < start_us + PL_MS(29900)) {
        let_pass(PL_MS(100));
        pl_ice_heard(ice, now_us);
        PL_EQ(pl_ice_get_state(ice), PL_ICE_COMPLETED);
    }
    let_pass(PL_MS(200));
    PL_EQ(pl_ice_get_state(ice), PL_ICE_FAILED);
    pl_path path;
    PL_OKAY(!pl_ice_selected(ice, &path));
    PL_EQ(pl_ice_next_us(ice), PL_NEVER);
    down();
}

PL_TEST(credentials_change_only_with_a_restart)
{
    connect_it();
    set_remote();
    PL_EQ(pl_ice_set_remote(ice, now_us, "othr", their_pwd, false), PL_ESTATE);
    PL_EQ(pl_ice_set_remote(ice, now_us, "bad", their_pwd, false), PL_EPROTO);
    PL_EQ(pl_ice_set_remote(ice, now_us, "good", "tooshort", false), PL_EPROTO);
    PL_EQ(pl_ice_set_remote(ice, now_us, "go:d", their_pwd, false), PL_EPROTO);
    PL_EQ(pl_ice_restart(ice, now_us, NULL, NULL), PL_OK);
    PL_EQ(pl_ice_set_remote(ice, now_us, "othr", their_pwd, false), PL_OK);
    PL_EQ(pl_ice_rollback(ice, now_us), PL_ESTATE);
    down();
}

PL_TEST(candidates_of_other_generations_are_ignored)
{
    up(true);
    pl_ice_cand c = {
        .addr = addr("192.0.2.7:7"), .component = 1, .priority = 5, .foundation = "1", .ufrag = "gone"
    };
    PL_EQ(pl_ice_add_remote(ice, now_us, &c), PL_OK); /* kept: nobody knows the generation yet */
    snprintf(c.ufrag, sizeof c.ufrag, "%s", their_ufrag);
    c.addr.port = 8;
    PL_EQ(pl_ice_add_remote(ice, now_us, &c), PL_OK);
    set_remote();
    snprintf(c.ufrag, sizeof c.ufrag, "%s", "late");
    c.addr.port = 9;
    PL_EQ(pl_ice_add_remote(ice, now_us, &c), PL_OK);
    pl_ice_cand_info info[4];
    PL_EQ(pl_ice_get_candidates(ice, info, 4), 2);
    PL_EQ(info[1].addr.port, 8);
    down();
}

PL_TEST(names_are_resolved_by_the_driver)
{
    up(true);
    pl_ice_cand c = {
        .addr = { .port = 77 }, .component = 1, .priority = 5, .foundation = "1", .name = "a-b.local"
    };
    pl_addr found = addr("192.0.2.7:0");
    PL_EQ(pl_ice_add_remote(ice, now_us, &c), PL_OK);
    set_remote();
    snprintf(c.name, sizeof c.name, "%s", "nobody.local");
    PL_EQ(pl_ice_add_remote(ice, now_us, &c), PL_OK);
    int n = 0;
    for (pl_ice_event ev; pl_ice_poll_event(ice, &ev);)
        n += ev.kind == PL_ICE_EV_RESOLVE;
    PL_EQ(n, 2);
    PL_OKAY(!anything_out());
    pl_ice_resolved(ice, now_us, "nobody.local", NULL);
    pl_ice_resolved(ice, now_us, "A-B.LOCAL", &found);
    pl_ice_resolved(ice, now_us, "A-B.LOCAL", &found);
    pl_stun_msg m;
    pl_dgram d = next_out(&m);
    PL_EQ(d.path.remote.port, 77);
    PL_EQ(pl_ice_get_pairs(ice, NULL, 0), 1);
    down();
}

/* Candidates may be carried by hand: without any, only their end makes a failure. */
PL_TEST(no_candidate_is_no_failure_until_there_will_be_none)
{
    up(true);
    set_remote();
    pl_ice_bases_done(ice, now_us);
    now_us += PL_SEC(300);
    pl_ice_tick(ice, now_us);
    PL_EQ(last_state(), PL_ICE_NEW);
    PL_EQ(pl_ice_next_us(ice), PL_NEVER);
    pl_ice_remote_done(ice, now_us);
    PL_EQ(last_state(), PL_ICE_FAILED);
    add_remote("192.0.2.7:7", 100, "1"); /* late, but a reason to try again */
    PL_EQ(last_state(), PL_ICE_CHECKING);
    while (answer_all() > 0)
        continue;
    PL_EQ(last_state(), PL_ICE_COMPLETED);
    down();
}

PL_TEST(closed_is_closed)
{
    connect_it();
    pl_ice_close(ice, now_us);
    PL_EQ(last_state(), PL_ICE_CLOSED);
    check_from("192.0.2.7:7", (check){ .controlled = 1 });
    PL_OKAY(!anything_out());
    pl_path path;
    PL_OKAY(!pl_ice_selected(ice, &path));
    PL_EQ(pl_ice_next_us(ice), PL_NEVER);
    add_remote("192.0.2.9:7", 100, "1");
    pl_ice_tick(ice, now_us + PL_SEC(100));
    PL_EQ(pl_ice_get_state(ice), PL_ICE_CLOSED);
    down();
}

PL_TEST(statistics)
{
    connect_it();
    pl_ice_count_sent(ice, now_us, 3, 3000);
    pl_ice_count_received(ice, now_us, 1, 100);
    pl_ice_pair_info pair;
    PL_OKAY(pl_ice_get_selected_pair(ice, &pair));
    PL_OKAY(pair.nominated && pair.selected);
    PL_EQ(pair.state, PL_ICE_PAIR_SUCCEEDED);
    PL_EQ(pair.packets_sent, 3);
    PL_EQ(pair.bytes_sent, 3000);
    PL_EQ(pair.bytes_received, 100);
    PL_EQ(pair.last_sent_us, now_us);
    PL_EQ(pair.requests_sent, 2);
    PL_EQ(pair.responses_received, 2);
    pl_ice_cand_info info[2];
    PL_EQ(pl_ice_get_candidates(ice, info, 2), 2);
    PL_EQ(info[0].id, pair.local_id);
    PL_EQ(info[1].id, pair.remote_id);
    PL_OKAY(!info[0].remote && info[1].remote);
    down();
}

PL_TESTS(t(events_come_in_order), t(bases_and_servers_have_limits), t(the_policy_relay_hides_everything_else),
         t(own_credentials), t(media_is_a_sign_of_life_but_no_consent),
         t(credentials_change_only_with_a_restart), t(candidates_of_other_generations_are_ignored),
         t(names_are_resolved_by_the_driver), t(no_candidate_is_no_failure_until_there_will_be_none),
         t(closed_is_closed), t(statistics))
