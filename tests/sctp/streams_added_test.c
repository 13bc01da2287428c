/* More streams while the association runs (RFC 6525 5.1.5, 5.1.6, 5.2.5, 5.2.6, 5.2.7), over links that lose. */
#include "pl_test.h"

#include "pair.h"
#include "sctp/association_internal.h"

static const pl_sctp_conf few = { .max_streams_out = 10 };

static void run_until_told(pair *p, int at, unsigned n)
{
    for (int i = 0; i < 100 && p->streams_added[at] < n; i++)
        pair_run(p, p->now_us + PL_SEC(1));
    PL_EQ(p->streams_added[at], n);
}

static bool can_send(pair *p, int at, uint16_t sid)
{
    return pl_sctp_send(p->end[at], p->now_us, sid, 51, "x", 1, NULL) == PL_OK;
}

PL_TEST(both_directions_grow)
{
    for (uint64_t seed = pl_test_seed(1), n = 0; n < 50; n++, seed++) {
        pair p;
        sim_net net = { .delay_us = 10000, .loss = 0.2, .duplicate = 0.2, .reorder = 0.2 };
        pl_sctp_conf peer = { .max_streams_out = 100 };
        pair_init(&p, &few, &peer, &net, seed);
        pair_connect(&p);
        PL_OKAY(can_send(&p, 0, 9));
        PL_OKAY(!can_send(&p, 0, 10));
        PL_EQ(pl_sctp_add_streams(p.end[0], p.now_us, 5, 0), PL_OK);
        PL_EQ(pl_sctp_add_streams(p.end[0], p.now_us, 5, 0), PL_ESTATE); /* one after the other */
        run_until_told(&p, 0, 1);
        PL_EQ(p.last_added[0], PL_OK);
        PL_EQ(pl_sctp_streams_out(p.end[0]), 15);
        PL_OKAY(can_send(&p, 0, 14));
        PL_OKAY(!can_send(&p, 0, 15));
        pair_run(&p, p.now_us + PL_SEC(20));
        PL_EQ(p.end[1]->streams_in, 15);
        PL_EQ(p.end[1]->stats.chunks_dropped, 0);
        PL_EQ(pl_sctp_add_streams(p.end[1], p.now_us, 3, 0), PL_OK);
        PL_EQ(pl_sctp_add_streams(p.end[0], p.now_us, 1, 0), PL_OK); /* both at once */
        run_until_told(&p, 0, 2);
        run_until_told(&p, 1, 1);
        PL_EQ(p.end[0]->streams_out, 16);
        PL_EQ(p.end[1]->streams_out, 103);
        PL_EQ(p.end[0]->streams_in, 103);
        PL_EQ(p.end[1]->streams_in, 16);
        pair_clear(&p);
    }
}

PL_TEST(the_peer_adds_when_asked)
{
    for (uint64_t seed = pl_test_seed(1), n = 0; n < 50; n++, seed++) {
        pair p;
        sim_net net = { .delay_us = 10000, .loss = n > 0 ? 0.2 : 0 };
        pl_sctp_conf narrow = { .max_streams_in = 10 }; /* so the peer may have 10 of its many */
        pair_init(&p, &narrow, NULL, &net, seed);
        pair_connect(&p);
        PL_EQ(pl_sctp_streams_out(p.end[1]), 10);
        PL_EQ(pl_sctp_add_streams(p.end[0], p.now_us, 0, 7), PL_OK);
        run_until_told(&p, 0, 1);
        PL_EQ(p.last_added[0], PL_OK);
        pair_run(&p, p.now_us + PL_SEC(30));
        PL_EQ(p.end[1]->streams_out, 17);
        PL_EQ(p.end[0]->streams_in, 17);
        PL_EQ(p.streams_added[1], 0); /* it did not ask */
        pair_clear(&p);
    }
}

PL_TEST(beyond_a_limit_is_denied)
{
    pair p;
    pl_sctp_conf narrow = { .max_streams_in = 10 };
    pair_init(&p, NULL, &narrow, NULL, 1);
    pair_connect(&p);
    PL_EQ(pl_sctp_streams_out(p.end[0]), 10);
    PL_EQ(pl_sctp_add_streams(p.end[0], p.now_us, 1, 0), PL_OK);
    run_until_told(&p, 0, 1);
    PL_EQ(p.last_added[0], PL_ENOTSUP);
    PL_EQ(pl_sctp_streams_out(p.end[0]), 10);
    PL_EQ(pl_sctp_add_streams(p.end[0], p.now_us, 65535, 0), PL_EINVAL);
    PL_EQ(pl_sctp_add_streams(p.end[0], p.now_us, 0, 0), PL_EINVAL);
    pl_sctp_abort(p.end[0], p.now_us, NULL);
    PL_EQ(pl_sctp_add_streams(p.end[0], p.now_us, 1, 0), PL_ESTATE);
    pair_clear(&p);
}

PL_TEST(resets_and_additions_take_turns)
{
    for (uint64_t seed = pl_test_seed(1), n = 0; n < 30; n++, seed++) {
        pair p;
        sim_net net = { .delay_us = 10000, .loss = 0.2 };
        pair_init(&p, &few, NULL, &net, seed);
        pair_connect(&p);
        for (uint16_t sid = 0; sid < 5; sid++) {
            PL_OKAY(can_send(&p, 0, sid));
            PL_EQ(pl_sctp_reset_streams(p.end[0], p.now_us, &sid, 1), PL_OK);
        }
        PL_EQ(pl_sctp_add_streams(p.end[0], p.now_us, 4, 0), PL_OK);
        run_until_told(&p, 0, 1);
        for (int i = 0; i < 100 && p.resets_out[0] < 5; i++) {
            pl_sctp_msg m;
            while (pl_sctp_recv(p.end[1], &m))
                pl_sctp_msg_free(&m);
            pair_run(&p, p.now_us + PL_SEC(1));
        }
        PL_EQ(p.resets_out[0], 5);
        PL_EQ(p.end[0]->streams_out, 14);
        pair_clear(&p);
    }
}

PL_TESTS(t(both_directions_grow), t(the_peer_adds_when_asked), t(beyond_a_limit_is_denied),
         t(resets_and_additions_take_turns))
