/* Which controller the channels of a connection go by: the one that was chosen, and one that yields while only channels of low
 * priority have something to send. */
#include "pl_test.h"

#include "pc/pc_internal.h"
#include "sim/pc_duo.h"

enum { MESSAGE = 16384, FULL = 1 << 20 };

static duo d;

static void fill(pl_channel *c, int64_t for_us)
{
    static const uint8_t message[MESSAGE];
    for (int64_t end_us = d.now_us + for_us; d.now_us < end_us;) {
        while (pl_channel_buffered_amount(c) < FULL &&
               pl_channel_send(c, d.now_us, message, sizeof message, true) == PL_OK)
            continue;
        duo_run(&d, PL_MS(20), NULL);
    }
}

static pl_sctp_congestion controller(void)
{
    pl_sctp_stats s;
    pl_sctp_get_stats(pl_data_association(d.end[0].pc->data), &s);
    return s.congestion;
}

PL_TEST(channels_of_low_priority_yield_and_others_do_not)
{
    sim_net net = { .rate_bps = 20000000, .delay_us = 10000, .queue_bytes = 100000 };
    memset(&d, 0, sizeof d);
    duo_init(&d, &net, 3, PL_SETUP_ACTPASS, PL_SETUP_ACTPASS);
    pl_data_channel_init low = { .priority = 128 }, normal = { .priority = 256 };
    pl_channel *slow = duo_open(&d, 0, &low), *plain = duo_open(&d, 0, &normal);
    PL_OKAY(duo_run(&d, PL_SEC(10), duo_connected));
    PL_OKAY(duo_run(&d, PL_SEC(10), duo_channels_open));
    fill(plain, PL_SEC(2));
    PL_EQ(controller(), PL_SCTP_CONGESTION_DEFAULT);
    fill(slow, PL_SEC(3));
    PL_EQ(controller(), PL_SCTP_CONGESTION_LEDBAT);
    fill(plain, PL_SEC(2));
    PL_EQ(controller(), PL_SCTP_CONGESTION_DEFAULT);
    duo_clear(&d);
}

PL_TESTS(t(channels_of_low_priority_yield_and_others_do_not))
