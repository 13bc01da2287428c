/* A call and a transfer on one connection, in virtual time: what the transfer leaves of the call. */
#include "pl_test.h"

#include "sim/pc_duo.h"

enum { FRAME_US = 33333, PAYLOAD = 1100, MESSAGE = 16384, FULL = 1 << 20 };

typedef struct seen {
    double target_bps, data_bps;   /* of the last half */
    double delay_ms, delay_max_ms; /* of media, from the encoder to the other engine */
} seen;

static duo d;

static void send_frame(int t, size_t bytes)
{
    uint32_t ts = (uint32_t)(d.now_us * 9 / 100);
    for (size_t left = bytes; left > 0;) {
        size_t n = left < PAYLOAD ? left : PAYLOAD;
        duo_send_packet(&d, 0, t, ts, (uint16_t)n);
        left -= n;
    }
}

static void fill(pl_channel *c)
{
    static const uint8_t message[MESSAGE];
    while (c && pl_channel_buffered_amount(c) < FULL &&
           pl_channel_send(c, d.now_us, message, sizeof message, true) == PL_OK)
        continue;
}

/* An encoder that makes what it is told to, of max_bps at most; data: a transfer of this priority beside it, 0: none. */
static seen share(int64_t rate_bps, int64_t rtt_us, int64_t max_bps, uint16_t priority, int64_t for_us)
{
    sim_net net = { .rate_bps = rate_bps,
                    .delay_us = rtt_us / 2,
                    .queue_bytes = (size_t)(rate_bps / 8 * 3 / 10) };
    memset(&d, 0, sizeof d);
    duo_init(&d, &net, 7, PL_SETUP_ACTPASS, PL_SETUP_ACTPASS);
    int t = duo_add(&d, 0, PL_VIDEO, PL_SENDONLY);
    pl_data_channel_init init = { .priority = priority };
    pl_channel *c = duo_open(&d, 0, &init);
    PL_OKAY(duo_run(&d, PL_SEC(10), duo_connected));
    PL_OKAY(duo_run(&d, PL_SEC(10), duo_channels_open));
    seen s = { 0 };
    int64_t half_us = d.now_us + for_us / 2, end_us = d.now_us + for_us, n = 0;
    uint64_t bytes = 0, packets = 0;
    int64_t delay_us = 0;
    bool second = false;
    for (int64_t at_us = d.now_us; at_us < end_us; at_us += FRAME_US) {
        if (!second && at_us >= half_us) {
            second = true;
            bytes = d.end[1].message_bytes;
            packets = d.end[1].n_packets;
            delay_us = d.end[1].media_delay_us;
            d.end[1].media_delay_max_us = 0;
        }
        int64_t target_bps = d.end[0].target_bps ? d.end[0].target_bps : 300000;
        if (second) {
            s.target_bps += (double)target_bps;
            n++;
        }
        target_bps = target_bps < max_bps ? target_bps : max_bps;
        send_frame(t, (size_t)(target_bps * FRAME_US / 8000000));
        if (priority)
            fill(c);
        d.n_steps = 0;
        duo_run(&d, FRAME_US, NULL);
    }
    s.target_bps /= (double)n;
    s.data_bps = (double)(d.end[1].message_bytes - bytes) * 8e6 / ((double)for_us / 2);
    uint64_t k = d.end[1].n_packets - packets;
    s.delay_ms = k ? (double)(d.end[1].media_delay_us - delay_us) / (double)k / 1000 : -1;
    s.delay_max_ms = (double)d.end[1].media_delay_max_us / 1000;
    duo_clear(&d);
    return s;
}

static double less(double a, double b)
{
    return a < b ? a : b;
}

static const struct {
    int64_t rate_bps, rtt_us, max_bps;
} cells[] = {
    { 1000000, PL_MS(40), 2000000 },  { 5000000, PL_MS(20), 2000000 },  { 5000000, PL_MS(100), 2000000 },
    { 5000000, PL_MS(300), 2000000 }, { 20000000, PL_MS(40), 2000000 },
};
enum { N_CELLS = sizeof cells / sizeof *cells };

static seen beside(size_t i, uint16_t priority)
{
    static const char *const name[] = { "alone", "low", "normal" };
    seen s = share(cells[i].rate_bps, cells[i].rtt_us, cells[i].max_bps, priority, PL_SEC(30));
    printf("  %5.1f Mbit/s, %3d ms, %-6s: target %5.0f kbit/s, media delay %4.0f ms (at most %4.0f), data "
           "%6.0f kbit/s\n",
           (double)cells[i].rate_bps / 1e6, (int)(cells[i].rtt_us / 1000), name[priority / 128],
           s.target_bps / 1000, s.delay_ms, s.delay_max_ms, s.data_bps / 1000);
    return s;
}

/* The queue holds 300 ms. Without sharing, a transfer leaves the call a fifth of its rate and all of that delay. */
PL_TEST(a_transfer_leaves_a_call_its_rate_and_its_delay)
{
    for (size_t i = 0; i < N_CELLS; i++) {
        seen alone = beside(i, 0), normal = beside(i, 256);
        double wants = less(alone.target_bps, (double)cells[i].max_bps);
        PL_GE(normal.target_bps, 0.6 * wants);
        PL_GE(alone.delay_ms + 50, normal.delay_ms);
        PL_GE(normal.data_bps, 0.1 * (double)cells[i].rate_bps);
    }
}

PL_TEST(a_transfer_of_low_priority_is_not_noticed)
{
    for (size_t i = 0; i < N_CELLS; i++) {
        seen alone = beside(i, 0), low = beside(i, 128);
        double wants = less(alone.target_bps, (double)cells[i].max_bps);
        PL_GE(low.target_bps, 0.75 * wants);
        PL_GE(alone.delay_ms + 25, low.delay_ms);
        PL_GE(low.data_bps, 0.3 * ((double)cells[i].rate_bps - wants) - 50000); /* and it uses the rest */
    }
}

/* When the call ends the link is the transfer's. */
PL_TEST(the_limit_goes_with_the_call)
{
    sim_net net = { .rate_bps = 5000000, .delay_us = PL_MS(20), .queue_bytes = 100000 };
    memset(&d, 0, sizeof d);
    duo_init(&d, &net, 9, PL_SETUP_ACTPASS, PL_SETUP_ACTPASS);
    int t = duo_add(&d, 0, PL_VIDEO, PL_SENDONLY);
    pl_data_channel_init init = { .priority = 128 };
    pl_channel *c = duo_open(&d, 0, &init);
    PL_OKAY(duo_run(&d, PL_SEC(10), duo_channels_open));
    for (int i = 0; i < 300; i++) {
        send_frame(t, 2000000 / 240);
        fill(c);
        duo_run(&d, FRAME_US, NULL);
    }
    uint64_t before = 0;
    for (int i = 0; i < 300; i++) {
        before = i == 150 ? d.end[1].message_bytes : before;
        fill(c);
        d.n_steps = 0;
        duo_run(&d, FRAME_US, NULL);
    }
    PL_GE((double)(d.end[1].message_bytes - before) * 8 / 5, 0.85 * 5000000);
    duo_clear(&d);
}

static int end_all(void **state)
{
    (void)state;
    duo_certificates_free();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_transfer_leaves_a_call_its_rate_and_its_delay),
                                        cmocka_unit_test(a_transfer_of_low_priority_is_not_noticed),
                                        cmocka_unit_test(the_limit_goes_with_the_call) };
    return cmocka_run_group_tests(tests, NULL, end_all);
}
