/* The receiver's list of what is missing. */
#include "pl_test.h"

#include "base/rand.h"
#include "base/time.h"
#include "rtp/nack.h"

enum { CAP = 100 };

static pl_nack video(void)
{
    pl_nack n;
    pl_nack_init(&n, &(pl_nack_conf){ .wants_key = true });
    pl_nack_rtt(&n, PL_MS(40));
    return n;
}

PL_TEST(nothing_missing_costs_nothing)
{
    pl_nack n = video();
    pl_nack_item item[CAP];
    for (int64_t seq = 65500; seq < 66000; seq++) {
        pl_nack_packet(&n, seq, seq);
        pl_nack_check(&n);
        PL_EQ(pl_nack_next_us(&n), PL_NEVER);
        PL_EQ(pl_nack_poll(&n, seq + PL_SEC(1), item, CAP), 0);
        PL_OKAY(n.missing == NULL);
    }
    PL_OKAY(!pl_nack_poll_key(&n));
    pl_nack_clear(&n);
}

PL_TEST(reordering_is_given_a_moment)
{
    pl_nack n = video();
    pl_nack_item item[CAP];
    pl_nack_packet(&n, 0, 70000);
    pl_nack_packet(&n, 0, 70003);
    PL_EQ(pl_nack_next_us(&n), PL_MS(10));
    PL_EQ(pl_nack_poll(&n, PL_MS(10) - 1, item, CAP), 0);
    pl_nack_packet(&n, PL_MS(5), 70001);
    PL_EQ(pl_nack_poll(&n, PL_MS(10), item, CAP), 1);
    PL_EQ(item[0].pid, (uint16_t)70002);
    PL_EQ(item[0].blp, 0);
    pl_nack_packet(&n, PL_MS(15), 70002);
    PL_EQ(n.n_recovered, 1);
    PL_EQ(n.n_requests, 1);
    PL_EQ(pl_nack_next_us(&n), PL_NEVER);
    PL_OKAY(n.missing == NULL);
    pl_nack_clear(&n);
}

PL_TEST(items_pack_seventeen_numbers_and_wrap)
{
    pl_nack n = video();
    pl_nack_item item[CAP];
    pl_nack_packet(&n, 0, 131065); /* 65529 */
    pl_nack_packet(&n, 0, 131067); /* 131066 missing */
    pl_nack_packet(&n, 0, 131085); /* 131068..131084 missing: 17 in a row, over the wrap at 131072 */
    PL_EQ(pl_nack_poll(&n, PL_MS(10), item, CAP), 2);
    PL_EQ(item[0].pid, 65530);
    PL_EQ(item[0].blp, 0xfffe); /* not 65531; then 15 from 65532 on */
    PL_EQ(item[1].pid, (uint16_t)131083);
    PL_EQ(item[1].blp, 1);
    PL_EQ(n.n_requests, 18);
    pl_nack_check(&n);
    pl_nack_clear(&n);
}

PL_TEST(asks_again_after_a_round_trip_and_gives_up)
{
    pl_nack n = video();
    pl_nack_item item[CAP];
    pl_nack_packet(&n, 0, 70000);
    pl_nack_packet(&n, 0, 70002);
    int64_t last_us = 0;
    int tries = 0;
    for (int64_t now_us = 0; pl_nack_next_us(&n) != PL_NEVER; now_us = pl_nack_next_us(&n)) {
        if (pl_nack_poll(&n, now_us, item, CAP) == 0)
            continue;
        if (tries++ > 0)
            PL_EQ(now_us - last_us, PL_MS(50));
        last_us = now_us;
    }
    PL_EQ(tries, PL_NACK_TRIES_MAX);
    PL_EQ(n.n_given_up, 1);
    PL_OKAY(pl_nack_poll_key(&n));
    PL_OKAY(!pl_nack_poll_key(&n));
    pl_nack_clear(&n);
}

PL_TEST(old_packets_are_of_no_use)
{
    pl_nack n;
    pl_nack_init(&n, &(pl_nack_conf){ .max_age_us = PL_MS(120) }); /* audio */
    pl_nack_item item[CAP];
    pl_nack_packet(&n, 0, 70000);
    pl_nack_packet(&n, 0, 70002);
    PL_EQ(pl_nack_poll(&n, PL_MS(10), item, CAP), 1);
    PL_EQ(pl_nack_poll(&n, PL_MS(135), item, CAP), 0); /* 100 ms round trip: due again, but too late */
    PL_EQ(n.n_given_up, 1);
    PL_OKAY(!pl_nack_poll_key(&n)); /* sound has no key frames */
    pl_nack_clear(&n);
}

PL_TEST(little_room_leaves_the_rest_due)
{
    pl_nack n = video();
    pl_nack_item item[2];
    pl_nack_packet(&n, 0, 70000);
    for (int i = 1; i <= 10; i++)
        pl_nack_packet(&n, 0, 70000 + i * 20); /* 190 missing, in holes of 19 */
    size_t items = 0, got;
    for (int calls = 0; (got = pl_nack_poll(&n, PL_MS(10), item, 2)) > 0; calls++) {
        PL_LE(calls, 30);
        items += got;
    }
    PL_EQ(n.n_requests, 190);
    PL_LE(items, 24);
    PL_EQ(pl_nack_next_us(&n), PL_MS(60));
    pl_nack_clear(&n);
}

PL_TEST(too_much_loss_wants_a_key_frame)
{
    pl_nack n = video();
    pl_nack_packet(&n, 0, 70000);
    pl_nack_packet(&n, 0, 70000 + PL_NACK_MISSING_MAX + 1);
    PL_EQ(n.n, PL_NACK_MISSING_MAX);
    PL_OKAY(!pl_nack_poll_key(&n));
    pl_nack_packet(&n, 0, 70000 + PL_NACK_MISSING_MAX + 3);
    PL_EQ(n.n, 0);
    PL_EQ(n.n_given_up, PL_NACK_MISSING_MAX + 1);
    PL_OKAY(pl_nack_poll_key(&n));
    pl_nack_check(&n);
    /* a jump is a restart: nothing in between was ever sent */
    pl_nack_packet(&n, 0, 80000);
    PL_EQ(n.n, 0);
    pl_nack_packet(&n, 0, 80002);
    PL_EQ(n.n, 1);
    pl_nack_clear(&n);
}

/* Whatever comes in whatever order: what is missing and young is asked for, what came never is. */
PL_TEST(any_order_of_packets)
{
    uint64_t seed = pl_test_seed(1);
    for (uint64_t run = 0; run < 1000; run++) {
        pl_rand_seeded state;
        pl_rand rand = pl_rand_seed(&state, seed + run);
        pl_nack n = video();
        static bool here[4000];
        memset(here, 0, sizeof here);
        int64_t base = 60000, now_us = 0, top = 0;
        for (int i = 0; i < 300; i++) {
            now_us += pl_rand_below(&rand, 4000);
            int64_t at =
                top + 1 + pl_rand_below(&rand, 3) - (int64_t)pl_rand_below(&rand, 20) % 7 * (top > 10);
            if (i == 0)
                at = 0;
            here[at] = true;
            top = pl_max_us(top, at);
            pl_nack_packet(&n, now_us, base + at);
            pl_nack_check(&n);
            if (now_us < pl_nack_next_us(&n))
                continue;
            pl_nack_item item[CAP];
            size_t got = pl_nack_poll(&n, now_us, item, CAP);
            for (size_t k = 0; k < got; k++) {
                for (int bit = 0; bit <= 16; bit++) {
                    if (bit > 0 && !(item[k].blp >> (bit - 1) & 1))
                        continue;
                    int64_t lost = (uint16_t)(item[k].pid + bit - (uint16_t)base);
                    if (lost >= top || here[lost])
                        fail_msg("seed %llu: asked for %lld", (unsigned long long)(seed + run),
                                 (long long)lost);
                }
            }
            pl_nack_check(&n);
        }
        pl_nack_clear(&n);
    }
}

PL_TESTS(t(nothing_missing_costs_nothing), t(reordering_is_given_a_moment),
         t(items_pack_seventeen_numbers_and_wrap), t(asks_again_after_a_round_trip_and_gives_up),
         t(old_packets_are_of_no_use), t(little_room_leaves_the_rest_due), t(too_much_loss_wants_a_key_frame),
         t(any_order_of_packets))
