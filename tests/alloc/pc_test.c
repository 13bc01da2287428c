/* The life of two connections with every allocation failing once: whatever is refused, nothing breaks. A connection
 * that could not be held says "failed"; one that says nothing works. */
#include "pl_test.h"

#include "fail.h"
#include "sim/pc_duo.h"

static duo d;

static const sim_net net = { .delay_us = PL_MS(10) };

static void begin(void)
{
    memset(&d, 0, sizeof d);
    d.shield = fail_shield;
    duo_init(&d, &net, 1, PL_SETUP_ACTPASS, PL_SETUP_ACTPASS);
}

static void end(void)
{
    for (int i = 0; i < 2; i++) {
        if (d.end[i].pc)
            pl_pc_close(d.end[i].pc, d.now_us);
    }
    (void)duo_run(&d, PL_SEC(1), NULL);
    if (d.stuck)
        fail_msg("a deadline is never met: PL_ALLOC_N=%ld", fail_at_n());
    duo_clear(&d);
}

static bool settled(const duo *x)
{
    for (int i = 0; i < 2; i++) {
        if (!x->end[i].pc || x->end[i].state == PL_CONNECTION_FAILED)
            return true;
    }
    return duo_channels_open(x) || (duo_connected(x) && x->end[0].n_channels == 0);
}

static void send_all(int i)
{
    static uint8_t data[5000];
    for (int c = 0; c < d.end[i].n_channels; c++)
        (void)!pl_channel_send(d.end[i].channel[c], d.now_us, data, sizeof data, true);
}

static void data_scenario(void)
{
    begin();
    (void)!duo_open(&d, 0, NULL);
    (void)duo_run(&d, PL_SEC(8), settled);
    PL_OKAY(fail_is_on() || duo_channels_open(&d));
    send_all(0);
    send_all(1);
    (void)duo_run(&d, PL_SEC(3), NULL);
    PL_OKAY(fail_is_on() || (d.end[0].n_messages == 1 && d.end[1].n_messages == 1));
    end();
}

static void media_scenario(void)
{
    begin();
    int audio = duo_add(&d, 0, PL_AUDIO, PL_SENDRECV), video = duo_add(&d, 0, PL_VIDEO, PL_SENDRECV);
    (void)duo_run(&d, PL_SEC(8), settled);
    sim_net lossy = net;
    lossy.loss = 0.05;
    sim_link_set(d.link[0], &lossy);
    for (uint32_t n = 0; n < 60; n++) {
        for (int i = 0; i < 2; i++) {
            duo_send_packet(&d, i, audio, n * 960, 100);
            duo_send_packet(&d, i, video, n * 1800, 900);
        }
        (void)duo_run(&d, PL_MS(20), NULL);
    }
    PL_OKAY(fail_is_on() || d.end[1].n_packets > 100);
    for (int i = 0; i < 2; i++) {
        pl_stats_report *r;
        if (d.end[i].pc && pl_pc_get_stats(d.end[i].pc, d.now_us, &r) == PL_OK) {
            char *json = pl_stats_report_json(r);
            free(json);
            pl_stats_report_free(r);
        }
    }
    end();
}

static void renegotiation_scenario(void)
{
    begin();
    (void)!duo_open(&d, 0, NULL);
    (void)duo_run(&d, PL_SEC(8), settled);
    int t = duo_add(&d, 1, PL_VIDEO, PL_SENDRECV);
    (void)duo_run(&d, PL_MS(500), NULL);
    if (d.end[0].pc)
        pl_pc_restart_ice(d.end[0].pc, d.now_us);
    (void)duo_add(&d, 0, PL_AUDIO, PL_SENDONLY);
    (void)duo_run(&d, PL_MS(1500), NULL);
    if (t >= 0)
        (void)!pl_pc_stop_transceiver(d.end[1].pc, d.now_us, t);
    for (int i = 0; i < 2; i++) {
        char *sdp;
        if (d.end[i].pc && pl_pc_create_offer(d.end[i].pc, d.now_us, true, &sdp) == PL_OK) {
            if (pl_pc_set_local(d.end[i].pc, d.now_us, PL_SDP_OFFER, sdp) == PL_OK)
                (void)!pl_pc_set_local(d.end[i].pc, d.now_us, PL_SDP_ROLLBACK, NULL);
            free(sdp);
        }
    }
    send_all(0);
    (void)duo_run(&d, PL_SEC(2), NULL);
    PL_OKAY(fail_is_on() || (d.end[1].n_messages == 1 && duo_agreed(&d)));
    end();
}

PL_TEST(data)
{
    fail_each(data_scenario);
}

PL_TEST(media)
{
    fail_each(media_scenario);
}

PL_TEST(renegotiation)
{
    fail_each(renegotiation_scenario);
}

static int end_all(void **state)
{
    (void)state;
    duo_certificates_free();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = { t(data), t(media), t(renegotiation) };
    return cmocka_run_group_tests(tests, NULL, end_all);
}
