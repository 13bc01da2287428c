/* How channels end: by one side, both, the handle, the connection; and their ids live on (RFC 8831 6.7). */
#include "data/pair.h"

PL_TEST(closing_resets_both_sides_after_what_was_sent)
{
    pair p;
    pair_setup(&p, NULL, NULL, 4);
    pair_connect(&p);
    for (int round = 0; round < 3; round++) {
        pl_channel *c = pair_make(&p, 0, "again", (pl_data_channel_init){ 0 });
        pair_run(&p, PL_SEC(1));
        pl_channel *r = p.incoming[1];
        pair_forget(&p);
        uint8_t data[50000] = { 0 };
        for (int i = 0; i < 5; i++)
            PL_EQ(pl_channel_send(c, p.now_us, data, sizeof data, true), PL_OK);
        pl_channel_close(c, p.now_us);
        PL_EQ(pl_channel_state(c), PL_CHANNEL_CLOSING);
        PL_EQ(pl_channel_send(c, p.now_us, data, 1, true), PL_ESTATE);
        pair_run(&p, PL_SEC(3));
        PL_EQ(p.n_messages[1], 5);
        PL_OKAY(pair_was_told(&p, 0, PL_DATA_EVENT_CLOSED, c));
        PL_OKAY(pair_was_told(&p, 1, PL_DATA_EVENT_CLOSING, r));
        PL_OKAY(pair_was_told(&p, 1, PL_DATA_EVENT_CLOSED, r));
        for (unsigned i = 0; i < 5; i++)
            PL_EQ(p.told[1][i].kind, PL_DATA_EVENT_MESSAGE); /* all before the closing */
        pl_channel_release(c, p.now_us);
        pl_channel_release(r, p.now_us);
    }
    pair_teardown(&p);
}

PL_TEST(an_id_closed_can_be_used_anew)
{
    pair p;
    pair_setup(&p, NULL, NULL, 5);
    pair_connect(&p);
    pl_data_channel_init init = { .negotiated = true, .id = 7 };
    for (int round = 0; round < 3; round++) {
        pl_channel *a = pair_make(&p, 0, "", init), *b = pair_make(&p, 1, "", init);
        pair_forget(&p);
        for (int i = 0; i < 4; i++)
            PL_EQ(pl_channel_send(a, p.now_us, "1234", 4, true), PL_OK);
        pair_run(&p, PL_SEC(1));
        PL_EQ(p.n_messages[1], 4);
        pl_channel_close(b, p.now_us);
        pair_run(&p, PL_SEC(1));
        PL_EQ(pl_channel_state(a), PL_CHANNEL_CLOSED);
        PL_EQ(pl_channel_state(b), PL_CHANNEL_CLOSED);
        pl_channel_release(a, p.now_us);
        pl_channel_release(b, p.now_us);
    }
    pair_teardown(&p);
}

PL_TEST(both_sides_close_at_once)
{
    pair p;
    pair_setup(&p, NULL, NULL, 6);
    pair_connect(&p);
    pl_channel *c = pair_make(&p, 0, "", (pl_data_channel_init){ 0 });
    pair_run(&p, PL_SEC(1));
    pl_channel *r = p.incoming[1];
    pl_channel_close(c, p.now_us);
    pl_channel_close(r, p.now_us);
    pair_run(&p, PL_SEC(1));
    PL_EQ(pl_channel_state(c), PL_CHANNEL_CLOSED);
    PL_EQ(pl_channel_state(r), PL_CHANNEL_CLOSED);
    pair_teardown(&p);
}

PL_TEST(released_handles_are_silent)
{
    pair p;
    pair_setup(&p, NULL, NULL, 7);
    pair_connect(&p);
    pl_channel *c = pair_make(&p, 0, "", (pl_data_channel_init){ 0 });
    pair_run(&p, PL_SEC(1));
    pair_forget(&p);
    pl_channel_release(c, p.now_us);
    pair_run(&p, PL_SEC(1));
    PL_EQ(p.n_told[0], 0);
    PL_EQ(pl_channel_state(p.incoming[1]), PL_CHANNEL_CLOSED);
    pl_data_stats stats;
    pl_data_get_stats(p.end[0], &stats);
    PL_EQ(stats.channels_closed, 1);
    pair_teardown(&p);
}

PL_TEST(the_end_closes_every_channel)
{
    for (int how = 0; how < 3; how++) {
        pair p;
        pair_setup(&p, NULL, NULL, 12);
        pair_connect(&p);
        pl_channel *c = pair_make(&p, 0, "", (pl_data_channel_init){ 0 });
        pair_run(&p, PL_SEC(1));
        pl_channel *r = p.incoming[1];
        pair_forget(&p);
        if (how == 0)
            pl_data_close(p.end[0], p.now_us);
        else if (how == 1)
            pl_data_transport_closed(p.end[0], p.now_us);
        else
            sim_link_blackout(p.link[1], PL_NEVER);
        if (how == 2)
            PL_EQ(pl_channel_send(c, p.now_us, "?", 1, true), PL_OK);
        pair_run(&p, PL_SEC(300));
        PL_EQ(pl_channel_state(c), PL_CHANNEL_CLOSED);
        PL_OKAY(pair_was_told(&p, 0, PL_DATA_EVENT_CLOSED, c));
        PL_EQ(pair_was_told(&p, 0, PL_DATA_EVENT_FAILED, NULL), how != 0);
        PL_EQ(p.told[0][p.n_told[0] - 1].error, how == 0 ? PL_OK : PL_EIO);
        if (how == 0) {
            PL_EQ(pl_channel_state(r), PL_CHANNEL_CLOSED);
            PL_EQ(p.told[1][p.n_told[1] - 1].kind, PL_DATA_EVENT_FAILED);
        }
        PL_EQ(pl_channel_new(&c, p.end[0], p.now_us, "", 0, &(pl_data_channel_init){ 0 }, NULL), PL_ESTATE);
        pair_teardown(&p);
    }
}

PL_TESTS(t(closing_resets_both_sides_after_what_was_sent), t(an_id_closed_can_be_used_anew),
         t(both_sides_close_at_once), t(released_handles_are_silent), t(the_end_closes_every_channel))
