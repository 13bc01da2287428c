/* Which pair (RFC 8445 8): regular nomination, its grace, its loss, and aggressive peers. */
#include "by_hand.h"

PL_TEST(regular_nomination)
{
    pl_stun_msg m;
    up(true);
    set_remote();
    add_remote("192.0.2.7:7", 100, "1");
    next_out(&m);
    PL_OKAY(!pl_stun_has(&m, PL_STUN_USE_CANDIDATE));
    answer_it(&m, "192.0.2.7:7", 0, their_pwd);
    PL_EQ(pl_ice_get_state(ice), PL_ICE_CHECKING);
    next_out(&m);
    PL_EQ(pl_stun_get_flag(&m, PL_STUN_USE_CANDIDATE), PL_OK);
    answer_it(&m, "192.0.2.7:7", 0, their_pwd);
    PL_EQ(pl_ice_get_state(ice), PL_ICE_CONNECTED);
    pl_ice_bases_done(ice, now_us);
    pl_ice_remote_done(ice, now_us);
    PL_EQ(last_state(), PL_ICE_COMPLETED);
    down();
}

/* A worse pair that answers first waits a moment for the better one: half of its own round trip, since a check that was
 * out for longer hardly belongs to a faster pair. */
PL_TEST(grace_for_better_pairs)
{
    for (int better_answers = 0; better_answers < 2; better_answers++) {
        pl_stun_msg better, worse, m;
        uint8_t better_wire[PL_ICE_DGRAM_MAX], worse_wire[PL_ICE_DGRAM_MAX];
        up(true);
        set_remote();
        add_remote("192.0.2.7:7", 200, "1");
        add_remote("192.0.2.8:8", 100, "2");
        pl_dgram d = next_out(&m);
        memcpy(better_wire, d.data, d.len);
        PL_EQ(pl_stun_parse(&better, better_wire, d.len), PL_OK);
        d = next_out(&m);
        memcpy(worse_wire, d.data, d.len);
        PL_EQ(pl_stun_parse(&worse, worse_wire, d.len), PL_OK);
        now_us += PL_MS(12);
        answer_it(&worse, "192.0.2.8:8", 0, their_pwd);
        pl_path path;
        PL_OKAY(pl_ice_selected(ice, &path)); /* early data may go there */
        PL_EQ(path.remote.port, 8);
        PL_OKAY(!anything_out());
        PL_EQ(pl_ice_next_us(ice),
              now_us + PL_MS(1)); /* the better one is asked again, as the first may be lost */
        PL_OKAY(!anything_out());
        if (better_answers) {
            now_us += PL_MS(1);
            answer_it(&better, "192.0.2.7:7", 0, their_pwd);
        } else {
            now_us += PL_MS(4);
            next_out(&m);
            PL_EQ(pl_ice_next_us(ice),
                  now_us + 2000); /* the worse one's 12 ms and half of that have passed */
            now_us += 2000;
            pl_ice_tick(ice, now_us);
        }
        d = next_out(&m);
        PL_OKAY(pl_stun_has(&m, PL_STUN_USE_CANDIDATE));
        PL_EQ(d.path.remote.port, better_answers ? 7 : 8);
        down();
    }
}

PL_TEST(a_nomination_that_is_lost_comes_again)
{
    pl_stun_msg m;
    up(true);
    set_remote();
    add_remote("192.0.2.7:7", 100, "1");
    next_out(&m);
    now_us += PL_MS(20);
    answer_it(&m, "192.0.2.7:7", 0, their_pwd);
    next_out(&m);
    PL_OKAY(pl_stun_has(&m, PL_STUN_USE_CANDIDATE));
    PL_OKAY(!anything_out());
    PL_EQ(pl_ice_next_us(ice), now_us + PL_MS(100)); /* the round trip is known: no need to wait 500 ms */
    now_us += PL_MS(100);
    next_out(&m);
    PL_OKAY(pl_stun_has(&m, PL_STUN_USE_CANDIDATE));
    answer_it(&m, "192.0.2.7:7", 0, their_pwd);
    PL_EQ(pl_ice_get_state(ice), PL_ICE_CONNECTED);
    down();
}

/* The peer puts USE-CANDIDATE into every check (RFC 5245's aggressive nomination). */
PL_TEST(aggressive_peer)
{
    pl_path path;
    check k = { .use_candidate = true, .controlling = 1 };
    up(false);
    set_remote();
    add_remote("192.0.2.8:8", 100, "2");
    add_remote("192.0.2.7:7", 200, "1");
    check_from("192.0.2.8:8", k);
    PL_EQ(pl_ice_get_state(ice), PL_ICE_CHECKING);
    PL_GE(answer_all(), 1);
    PL_EQ(pl_ice_get_state(ice), PL_ICE_CONNECTED);
    now_us += PL_MS(100);
    check_from("192.0.2.7:7", k); /* a better one: it takes over */
    answer_all();
    PL_OKAY(pl_ice_selected(ice, &path));
    PL_EQ(path.remote.port, 7);
    now_us += PL_MS(100);
    check_from("192.0.2.8:8", k); /* the worse one again: stays behind */
    answer_all();
    PL_OKAY(pl_ice_selected(ice, &path));
    PL_EQ(path.remote.port, 7);
    now_us += PL_MS(3500); /* but when the better one is not nominated any more, the peer has left it */
    check_from("192.0.2.8:8", k);
    answer_all();
    PL_OKAY(pl_ice_selected(ice, &path));
    PL_EQ(path.remote.port, 8);
    down();
}

PL_TESTS(t(regular_nomination), t(grace_for_better_pairs), t(a_nomination_that_is_lost_comes_again),
         t(aggressive_peer))
