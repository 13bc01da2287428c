/* The peer's requests (RFC 8445 7.3): outsiders, answers, roles, and what they teach. */
#include "by_hand.h"

/* ---- outsiders ---- */

PL_TEST(outsiders_get_silence)
{
    uint8_t pkt[1024];
    pl_ice_pair_info pair;
    up(false);
    set_remote();
    const pl_ice_counters *count = pl_ice_get_counters(ice);
    check_from("192.0.2.66:6", (check){ .wrong_pwd = true, .controlling = 1 });
    PL_EQ(count->bad_integrity, 1);
    check_from("192.0.2.66:6", (check){ .wrong_ufrag = true, .controlling = 1 });
    PL_EQ(count->bad_username, 1);
    check good = { .controlling = 1 };
    size_t len = write_check(pkt, sizeof pkt, &good);
    pkt[len - 1] ^= 1;
    send_from("192.0.2.66:6", pkt, len);
    PL_EQ(count->not_stun, 1);
    for (size_t cut = 0; cut < len; cut++)
        send_from("192.0.2.66:6", pkt, cut);
    PL_EQ(count->not_stun, 1 + len);
    pkt[len - 1] ^= 1;
    pl_path elsewhere = { .local = addr("10.0.0.1:1001"), .remote = addr("192.0.2.66:6") };
    pl_ice_input(ice, now_us, &elsewhere, pkt, len);
    PL_EQ(count->unknown_base, 1);
    uint8_t id[PL_STUN_ID_LEN] = { 1 };
    pl_stun_wr s = pl_stun_begin(pkt, sizeof pkt, PL_STUN_SUCCESS, PL_STUN_BINDING, id);
    send_from("192.0.2.66:6", pkt, pl_stun_end(&s));
    PL_EQ(count->stray_response, 1);
    PL_OKAY(!anything_out());
    PL_EQ(pl_ice_get_pairs(ice, &pair, 1), 0);
    down();
}

PL_TEST(a_flood_of_checks_is_bounded)
{
    up(false);
    set_remote();
    for (int i = 0; i < 1000; i++) {
        char from[32];
        snprintf(from, sizeof from, "192.0.2.%d:%d", i % 250 + 1, 1000 + i);
        check_from(from, (check){ .controlling = 1, .priority = (uint32_t)i });
    }
    int n = 0, n_checks = 0;
    pl_stun_msg m;
    for (pl_dgram d = { .data = out_buf, .cap = sizeof out_buf }; pl_ice_poll_output(ice, now_us, &d); n++) {
        PL_EQ(pl_stun_parse(&m, d.data, d.len), PL_OK);
        n_checks += m.cls == PL_STUN_REQUEST;
    }
    PL_LE(n, PL_ICE_PRFLX_MAX + 5); /* who finds no room gets no answer */
    PL_LE(n_checks, 5);
    PL_EQ(pl_ice_get_pairs(ice, NULL, 0), PL_ICE_PRFLX_MAX);
    for (int i = 0; i < 1000; i++)
        check_from("192.0.2.1:1000", (check){ .controlling = 1 });
    PL_EQ(pl_ice_get_counters(ice)->answers_dropped, 1000 - PL_ICE_ANSWERS_MAX);
    down();
}

/* ---- requests ---- */

PL_TEST(a_check_is_answered_and_checked_in_return)
{
    pl_stun_msg m;
    pl_addr mapped, from = addr("192.0.2.7:7");
    uint32_t priority;
    uint64_t tie_breaker;
    up(false);
    set_remote();
    check_from("192.0.2.7:7", (check){ .controlling = 1 });
    pl_dgram d = next_out(&m);
    PL_EQ(m.cls, PL_STUN_SUCCESS);
    PL_OKAY(pl_addr_eq(&d.path.remote, &from));
    PL_EQ(pl_stun_get_xor_addr(&m, PL_STUN_XOR_MAPPED_ADDRESS, &mapped), PL_OK);
    PL_OKAY(pl_addr_eq(&mapped, &from));
    PL_EQ(pl_stun_check_integrity(&m, pl_ice_pwd(ice), strlen(pl_ice_pwd(ice))), PL_OK);
    next_out(&m); /* at once, not a Ta later */
    PL_EQ(m.cls, PL_STUN_REQUEST);
    PL_EQ(pl_stun_check_integrity(&m, their_pwd, strlen(their_pwd)), PL_OK);
    PL_EQ(pl_stun_get_u32(&m, PL_STUN_PRIORITY, &priority), PL_OK);
    PL_EQ(priority >> 24, 110);
    PL_EQ(pl_stun_get_u64(&m, PL_STUN_ICE_CONTROLLED, &tie_breaker), PL_OK);
    PL_OKAY(!pl_stun_has(&m, PL_STUN_USE_CANDIDATE));
    down();
}

PL_TEST(bad_requests_of_the_peer_itself)
{
    static const struct {
        check k;
        uint16_t code;
    } bad[] = { { { .unknown_attr = true, .controlling = 1 }, 420 },
                { { .no_priority = true, .controlling = 1 }, 400 } };
    for (int i = 0; i < 2; i++) {
        pl_stun_msg m;
        pl_str reason;
        uint16_t code, types[2];
        size_t n;
        up(false);
        set_remote();
        check_from("192.0.2.7:7", bad[i].k);
        next_out(&m);
        PL_EQ(pl_stun_get_error(&m, &code, &reason), PL_OK);
        PL_EQ(code, bad[i].code);
        PL_EQ(pl_stun_check_integrity(&m, pl_ice_pwd(ice), strlen(pl_ice_pwd(ice))), PL_OK);
        if (code == 420) {
            PL_EQ(pl_stun_get_unknown(&m, types, 2, &n), PL_OK);
            PL_EQ(n, 1);
            PL_EQ(types[0], 0x7777);
        }
        PL_OKAY(!anything_out());
        PL_EQ(pl_ice_get_pairs(ice, NULL, 0), 0);
        down();
    }
}

/* RFC 8445 7.3: the offerer may be checked before the answer has come. */
PL_TEST(checks_before_the_answer)
{
    pl_stun_msg m;
    up(true);
    check_from("192.0.2.7:7", (check){ .controlled = 1 });
    next_out(&m);
    PL_EQ(m.cls, PL_STUN_SUCCESS);
    PL_OKAY(!anything_out()); /* their password is not known */
    now_us += PL_SEC(2);
    set_remote();
    next_out(&m);
    PL_EQ(m.cls, PL_STUN_REQUEST);
    answer_it(&m, "192.0.2.7:7", 0, their_pwd);
    pl_path path;
    PL_OKAY(pl_ice_selected(ice, &path));
    down();
}

PL_TEST(conflict_by_request)
{
    for (int i = 0; i < 4; i++) {
        bool controlling = i & 1, we_win = i & 2;
        uint64_t theirs = we_win ? 1 : UINT64_MAX;
        pl_stun_msg m;
        pl_str reason;
        uint16_t code = 0;
        up(controlling);
        set_remote();
        check_from("192.0.2.7:7",
                   controlling ? (check){ .controlling = theirs } : (check){ .controlled = theirs });
        next_out(&m);
        /* the larger tie-breaker controls: who should be controlled already hears 487 */
        bool refused = controlling == we_win;
        PL_EQ(pl_stun_get_error(&m, &code, &reason) == PL_OK, refused);
        PL_EQ(code, refused ? 487 : 0);
        PL_EQ(pl_ice_is_controlling(ice), we_win);
        down();
    }
}

PL_TEST(conflict_by_answer)
{
    for (int controlling = 0; controlling < 2; controlling++) {
        pl_stun_msg m;
        uint16_t mine = controlling ? PL_STUN_ICE_CONTROLLING : PL_STUN_ICE_CONTROLLED;
        uint16_t other = controlling ? PL_STUN_ICE_CONTROLLED : PL_STUN_ICE_CONTROLLING;
        up(controlling);
        set_remote();
        add_remote("192.0.2.7:7", 100, "1");
        next_out(&m);
        PL_OKAY(pl_stun_has(&m, mine));
        answer_it(&m, "192.0.2.7:7", 487, their_pwd);
        PL_EQ(pl_ice_is_controlling(ice), !controlling);
        next_out(&m); /* asked again at once, in the other role */
        PL_OKAY(pl_stun_has(&m, other));
        int n_roles = 0;
        for (pl_ice_event ev; pl_ice_poll_event(ice, &ev);)
            n_roles += ev.kind == PL_ICE_EV_ROLE;
        PL_EQ(n_roles, 1);
        down();
    }
}

/* RFC 8445 2.5: a lite agent sends no checks, also when the interface of its call goes. */
PL_TEST(a_lite_agent_never_asks)
{
    pl_ice_conf conf = { .lite = true, .rand = pl_rand_seed(&state, pl_test_seed(1)) };
    pl_ice_base b = { .addr = addr("10.0.0.1:1000") }, second = { .addr = addr("10.0.0.2:1000") };
    now_us = PL_SEC(50);
    PL_EQ(pl_ice_new(&ice, &conf, now_us), PL_OK);
    PL_EQ(pl_ice_add_base(ice, now_us, &b), PL_OK);
    PL_EQ(pl_ice_add_base(ice, now_us, &second), PL_OK);
    for (int i = 0; i < 2; i++) { /* before the peer's credentials are known */
        base = i ? second.addr : b.addr;
        check_from("192.0.2.7:7", (check){ .controlling = 1, .use_candidate = true });
        pl_stun_msg m;
        next_out(&m);
        PL_EQ(m.cls, PL_STUN_SUCCESS);
    }
    pl_path path;
    PL_OKAY(pl_ice_selected(ice, &path));
    now_us += PL_SEC(2);
    pl_ice_remove_base(ice, now_us, &path.local);
    PL_OKAY(pl_ice_selected(ice, &path));
    for (int i = 0; i < 100; i++) {
        pl_ice_tick(ice, now_us);
        PL_OKAY(!anything_out());
        now_us += PL_MS(100);
    }
    down();
}

PL_TESTS(t(outsiders_get_silence), t(a_flood_of_checks_is_bounded),
         t(a_check_is_answered_and_checked_in_return), t(bad_requests_of_the_peer_itself),
         t(checks_before_the_answer), t(conflict_by_request), t(conflict_by_answer),
         t(a_lite_agent_never_asks))
