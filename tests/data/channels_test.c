/* Data channels between two peers in virtual time: opened, and used (RFC 8831, RFC 8832, webrtc-pc 6). */
#include "data/pair.h"

PL_TEST(a_channel_made_before_opens_and_is_announced)
{
    pair p;
    pair_setup(&p, NULL, NULL, 1);
    pl_channel *c =
        pair_make(&p, 0, "caf\xc3\xa9", (pl_data_channel_init){ .protocol = "proto", .priority = 512 });
    PL_EQ(pl_channel_id(c), -1);
    PL_EQ(pl_channel_state(c), PL_CHANNEL_CONNECTING);
    PL_EQ(pl_channel_send(c, p.now_us, "x", 1, false), PL_ESTATE);
    pair_connect(&p);
    PL_EQ(pl_channel_id(c), 0);
    PL_EQ(pl_channel_state(c), PL_CHANNEL_OPEN);
    PL_EQ(p.told[0][0].kind, PL_DATA_EVENT_CONNECTED);
    PL_EQ(p.told[0][1].kind, PL_DATA_EVENT_OPEN);
    PL_EQ(p.told[1][0].kind, PL_DATA_EVENT_CONNECTED);
    PL_EQ(p.told[1][1].kind, PL_DATA_EVENT_CHANNEL);
    PL_EQ(p.told[1][2].kind, PL_DATA_EVENT_OPEN);
    pl_channel *r = p.incoming[1];
    PL_STREQ(pl_channel_label(r, NULL), "caf\xc3\xa9");
    PL_STREQ(pl_channel_params(r)->protocol, "proto");
    PL_EQ(pl_channel_params(r)->priority, 512);
    PL_EQ(pl_channel_id(r), 0);
    pair_teardown(&p);
}

PL_TEST(messages_of_all_kinds)
{
    static uint8_t big[262145];
    pair p;
    pair_setup(&p, NULL, NULL, 2);
    pl_channel *c = pair_make(&p, 1, "", (pl_data_channel_init){ 0 });
    pair_connect(&p);
    PL_EQ(pl_channel_id(c), 1);
    pl_channel *r = p.incoming[0];
    pair_forget(&p);
    PL_EQ(pl_channel_send(c, p.now_us, "text", 4, false), PL_OK);
    PL_EQ(pl_channel_send(c, p.now_us, NULL, 0, false), PL_OK);
    PL_EQ(pl_channel_send(c, p.now_us, NULL, 0, true), PL_OK);
    PL_EQ(pl_channel_send(c, p.now_us, big, 262144, true), PL_OK);
    PL_EQ(pl_channel_send(c, p.now_us, big, 262145, true), PL_EINVAL);
    PL_EQ(pl_channel_buffered_amount(c), 4 + 262144);
    PL_EQ(pl_channel_send(r, p.now_us, "back", 4, true), PL_OK);
    pair_run(&p, PL_SEC(3));
    PL_EQ(pl_channel_buffered_amount(c), 0);
    static const struct {
        size_t len;
        bool binary;
    } want[] = { { 4, false }, { 0, false }, { 0, true }, { 262144, true } };
    PL_EQ(p.n_messages[0], 4);
    for (int i = 0; i < 4; i++) {
        PL_EQ(p.told[0][i].kind, PL_DATA_EVENT_MESSAGE);
        PL_EQ(p.told[0][i].len, want[i].len);
        PL_EQ(p.told[0][i].binary, want[i].binary);
        PL_OKAY(p.told[0][i].channel == r);
    }
    PL_EQ(p.n_messages[1], 1);
    pl_channel_stats stats;
    pl_channel_get_stats(c, &stats);
    PL_EQ(stats.messages_sent, 4);
    PL_EQ(stats.bytes_sent, 262148);
    PL_EQ(stats.messages_received, 1);
    pair_teardown(&p);
}

PL_TEST(negotiated_channels_say_nothing_in_band)
{
    pair p;
    pair_setup(&p, NULL, NULL, 3);
    pl_data_channel_init init = { .negotiated = true, .id = 100, .unordered = true };
    pl_channel *a = pair_make(&p, 0, "a", init), *b = pair_make(&p, 1, "b", init);
    pl_channel *twice;
    PL_EQ(pl_channel_new(&twice, p.end[0], p.now_us, "c", 1, &init, NULL), PL_EINVAL);
    pair_connect(&p);
    PL_EQ(pl_channel_state(a), PL_CHANNEL_OPEN);
    PL_EQ(pl_channel_state(b), PL_CHANNEL_OPEN);
    PL_OKAY(p.incoming[0] == NULL && p.incoming[1] == NULL);
    PL_EQ(pl_channel_send(a, p.now_us, "x", 1, false), PL_OK);
    PL_EQ(pl_channel_send(b, p.now_us, "y", 1, false), PL_OK);
    pair_run(&p, PL_SEC(1));
    PL_EQ(p.n_messages[0], 1);
    PL_EQ(p.n_messages[1], 1);
    pair_teardown(&p);
}

PL_TEST(a_full_buffer_refuses_and_says_when_to_go_on)
{
    static uint8_t data[100000];
    pair p;
    pl_data_conf conf = { .sctp = { .send_buffer_max = 1000000 } };
    sim_net slow = { .rate_bps = 8000000, .delay_us = 5000 };
    pair_setup(&p, &conf, &slow, 8);
    pair_connect(&p);
    pl_channel *c = pair_make(&p, 0, "", (pl_data_channel_init){ 0 });
    pair_run(&p, PL_SEC(1));
    pl_channel_set_buffered_low(c, 250000);
    int n = 0;
    while (pl_channel_send(c, p.now_us, data, sizeof data, true) == PL_OK)
        n++;
    PL_EQ(n, 9);
    PL_EQ(pl_channel_send(c, p.now_us, data, sizeof data, true), PL_EAGAIN);
    PL_EQ(pl_channel_buffered_amount(c), 900000);
    PL_EQ(p.n_low[0], 0);
    while (!p.n_writable[0])
        pair_run(&p, PL_MS(1));
    pl_data_stats stats;
    pl_data_get_stats(p.end[0], &stats);
    PL_LE(stats.sctp.send_buffered, 750000);
    PL_EQ(pl_channel_send(c, p.now_us, data, sizeof data, true), PL_OK);
    pair_run(&p, PL_SEC(10));
    PL_EQ(p.n_low[0], 1);
    PL_EQ(p.n_messages[1], 10);
    pair_teardown(&p);
}

PL_TEST(arguments_are_checked)
{
    pair p;
    pair_setup(&p, NULL, NULL, 9);
    pl_channel *c;
    static char longest[70000];
    pl_data_channel_init both = { .has_max_retransmits = true, .has_max_packet_life_time = true };
    pl_data_channel_init high = { .negotiated = true, .id = 65535 };
    pl_data_channel_init plain = { 0 };
    PL_EQ(pl_channel_new(&c, p.end[0], 0, "x", 1, &both, NULL), PL_EINVAL);
    PL_EQ(pl_channel_new(&c, p.end[0], 0, "x", 1, &high, NULL), PL_EINVAL);
    PL_EQ(pl_channel_new(&c, p.end[0], 0, "\xff", 1, &plain, NULL), PL_EINVAL);
    PL_EQ(pl_channel_new(&c, p.end[0], 0, longest, 65536, &plain, NULL), PL_EINVAL);
    PL_EQ(pl_channel_new(&c, p.end[0], 0, longest, 65535, &plain, NULL), PL_OK);
    PL_EQ(pl_data_start(p.end[0], p.now_us), PL_ESTATE);
    pair_connect(&p);
    pair_run(&p, PL_SEC(1));
    size_t len;
    pl_channel_label(p.incoming[1], &len);
    PL_EQ(len, 65535);
    pair_teardown(&p);
}

PL_TEST(all_ids_can_be_taken)
{
    pair p;
    pair_setup(&p, NULL, NULL, 10);
    pl_data_set_role(p.end[0], true);
    pl_data_set_role(p.end[1], false);
    pl_channel *c;
    pl_data_channel_init plain = { 0 };
    for (int i = 0; i < 32768; i++) {
        PL_EQ(pl_channel_new(&c, p.end[0], 0, "", 0, &plain, NULL), PL_OK);
        PL_EQ(pl_channel_id(c), 2 * i);
    }
    PL_EQ(pl_channel_new(&c, p.end[0], 0, "", 0, &plain, NULL), PL_ENOSPC);
    for (int i = 0; i < 32767; i++) {
        plain.negotiated = true;
        plain.id = (uint16_t)(2 * i + 1);
        PL_EQ(pl_channel_new(&c, p.end[0], 0, "", 0, &plain, NULL), PL_OK);
    }
    PL_EQ(pl_channel_new(&c, p.end[0], 0, "", 0, &plain, NULL), PL_ENOSPC);
    for (int i = 0; i < 2; i++)
        PL_EQ(pl_data_start(p.end[i], p.now_us), PL_OK);
    for (int i = 0; i < 60; i++) { /* all are there: too many to look at after each packet */
        uint8_t packet[PAIR_PACKET_MAX];
        size_t n;
        pl_data_event e;
        p.now_us += PL_MS(10);
        for (bool moved = true; moved;) {
            moved = false;
            for (int at = 0; at < 2; at++) {
                while (pl_data_poll_output(p.end[at], p.now_us, packet, sizeof packet, &n)) {
                    pl_data_input(p.end[1 - at], p.now_us, packet, n);
                    moved = true;
                }
                while (pl_data_poll_event(p.end[at], &e))
                    pl_data_event_clear(&e);
            }
        }
    }
    pl_data_stats stats;
    pl_data_get_stats(p.end[1], &stats);
    PL_EQ(stats.channels_opened, 32768);
    pair_teardown(&p);
}

PL_TEST(unordered_waits_for_the_ack)
{
    /* RFC 8832 6: on a link that reorders, nothing may overtake the OPEN. */
    for (uint64_t seed = 1; seed < 60; seed++) {
        pair p;
        sim_net wild = { .delay_us = 10000, .reorder = 0.3, .reorder_us = 30000, .loss = 0.1 };
        pair_setup(&p, NULL, &wild, seed);
        pl_channel *c = pair_make(&p, 0, "", (pl_data_channel_init){ .unordered = true });
        for (int i = 0; i < 2; i++) {
            pl_data_set_role(p.end[i], i == 0);
            PL_EQ(pl_data_start(p.end[i], p.now_us), PL_OK);
        }
        while (pl_channel_state(c) != PL_CHANNEL_OPEN)
            pair_run(&p, PL_MS(1));
        for (int i = 0; i < 20; i++)
            PL_EQ(pl_channel_send(c, p.now_us, "12345", 5, false), PL_OK);
        pair_run(&p, PL_SEC(60));
        PL_EQ(p.n_messages[1], 20);
        pair_teardown(&p);
    }
}

PL_TESTS(t(a_channel_made_before_opens_and_is_announced), t(messages_of_all_kinds),
         t(negotiated_channels_say_nothing_in_band), t(a_full_buffer_refuses_and_says_when_to_go_on),
         t(arguments_are_checked), t(all_ids_can_be_taken), t(unordered_waits_for_the_ack))
