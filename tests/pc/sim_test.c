/* Many connections in virtual time, each from a seed: bad networks, offers that cross, negotiation without end,
 * blackouts. They end connected and agreeing. */
#include "pl_test.h"

#include "sim/pc_duo.h"

static duo d;
static uint64_t seed;
static pl_rand_seeded choices;
static pl_rand choose;

static void begin(const sim_net *net, uint64_t s)
{
    seed = s;
    memset(&d, 0, sizeof d);
    choose = pl_rand_seed(&choices, s);
    pl_dtls_setup setup = s % 3 == 1 ? PL_SETUP_ACTIVE : s % 3 == 2 ? PL_SETUP_PASSIVE : PL_SETUP_ACTPASS;
    duo_init(&d, net, s, setup, PL_SETUP_ACTPASS);
}

static uint32_t any_of(uint32_t n)
{
    return pl_rand_below(&choose, n);
}

static void fail_seed(const char *what)
{
    fail_msg("%s: states %d and %d (%s | %s), signaling %d and %d: PL_SEED=%llu", what, d.end[0].state,
             d.end[1].state, d.end[0].reason, d.end[1].reason, pl_pc_signaling(d.end[0].pc),
             pl_pc_signaling(d.end[1].pc), (unsigned long long)seed);
}

static void until(bool (*what)(const duo *), int64_t max_us, const char *name)
{
    if (!duo_run(&d, max_us, what) || d.stuck)
        fail_seed(name);
}

/* A handshake cannot survive forged bytes, and UDP's checksum spares it them; everything else must. */
static bool spoil(void *user, duo *x, int to, uint8_t *pkt, size_t *len)
{
    (void)user, (void)x, (void)to;
    bool handshake = pkt[0] >= 20 && pkt[0] <= 63 && pkt[0] != 23;
    if (!handshake && any_of(30) == 0)
        pkt[any_of((uint32_t)*len)] ^= (uint8_t)(1 << any_of(8));
    if (!handshake && any_of(60) == 0)
        *len = 1 + any_of((uint32_t)*len);
    return true;
}

static sim_net random_net(void)
{
    return (sim_net){ .delay_us = any_of(100000),
                      .jitter_us = any_of(30000),
                      .loss = any_of(15) / 100.0,
                      .duplicate = any_of(5) / 100.0,
                      .reorder = any_of(10) / 100.0 };
}

/* Descriptions agree: what one sends the other receives, section by section. */
static void check_agreement(void)
{
    int n_receiving = 0, n_sending = 0;
    for (int i = 0; i < 2; i++) {
        for (int t = 0; t < pl_pc_n_transceivers(d.end[i].pc); t++) {
            pl_pc_media_info mine, theirs;
            bool found = false;
            pl_pc_media_info_get(d.end[i].pc, t, &mine);
            n_sending += mine.sending;
            n_receiving += mine.receiving;
            for (int u = 0; mine.sending && u < pl_pc_n_transceivers(d.end[!i].pc); u++) {
                pl_pc_media_info_get(d.end[!i].pc, u, &theirs);
                found |= theirs.receiving && strcmp(mine.mid, theirs.mid) == 0 && mine.kind == theirs.kind;
            }
            if (mine.sending && !found)
                fail_seed("one sends what the other does not receive");
        }
    }
    if (n_sending != n_receiving)
        fail_seed("senders and receivers are not the same number");
}

/* ---- connecting ---- */

static void add_some(int i)
{
    if (any_of(3))
        duo_open(&d, i, NULL);
    for (uint32_t n = any_of(3); n > 0; n--)
        duo_add(&d, i, any_of(2) ? PL_VIDEO : PL_AUDIO, (pl_direction)any_of(3));
}

PL_TEST(connects_whatever_the_network_does)
{
    uint64_t first = pl_test_seed(1000), n = getenv("PL_SEED") ? 1 : 300;
    for (uint64_t s = first; s < first + n; s++) {
        sim_net net = { .delay_us = PL_MS(10) };
        begin(&net, s);
        d.on_packet = any_of(2) ? spoil : NULL;
        net = random_net();
        sim_link_set(d.link[0], &net);
        net = random_net();
        sim_link_set(d.link[1], &net);
        d.signal_us = any_of(400000);
        duo_open(&d, 0, NULL);
        add_some(0);
        if (any_of(2)) { /* offers cross */
            duo_open(&d, 1, NULL);
            add_some(1);
        }
        until(duo_connected, PL_SEC(25), "not connected");
        until(duo_channels_open, PL_SEC(25), "no channel");
        until(duo_agreed, PL_SEC(10), "not agreed");
        check_agreement();
        duo_clear(&d);
    }
}

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void connect_times(const sim_net *net, uint64_t first, int64_t us[100])
{
    for (uint64_t s = 0; s < 100; s++) {
        begin(net, first + s);
        d.signal_us = net->delay_us;
        duo_open(&d, 0, NULL);
        until(duo_channels_open, PL_SEC(30), "no channel");
        us[s] = d.now_us - PL_SEC(1);
        duo_clear(&d);
    }
    qsort(us, 100, sizeof us[0], by_time);
}

/* Signaling is one round trip, ICE one, DTLS two, SCTP two: and nothing waits for a timer. */
PL_TEST(percentiles_of_connect_time)
{
    int64_t us[100];
    sim_net lan = { .delay_us = PL_MS(10) }, lossy = { .delay_us = PL_MS(25), .loss = 0.05 };
    connect_times(&lan, pl_test_seed(5000), us);
    print_message("20 ms, clean: median %lld ms, p95 %lld ms\n", (long long)us[50] / 1000,
                  (long long)us[95] / 1000);
    PL_LE(us[50], 6 * PL_MS(20));
    PL_LE(us[95], 7 * PL_MS(20));
    connect_times(&lossy, pl_test_seed(6000), us);
    print_message("50 ms, 5 %% lost: median %lld ms, p95 %lld ms\n", (long long)us[50] / 1000,
                  (long long)us[95] / 1000);
    PL_LE(us[50], 9 * PL_MS(50));
    PL_LE(us[95], PL_MS(1500));
}

/* ---- negotiation without end ---- */

static void random_call(int i)
{
    duo_end *x = &d.end[i];
    int n = pl_pc_n_transceivers(x->pc), t = n ? (int)any_of((uint32_t)n) : -1;
    char *sdp;
    switch (any_of(12)) {
    case 0:
        if (n < 12)
            duo_add(&d, i, any_of(2) ? PL_VIDEO : PL_AUDIO, (pl_direction)any_of(4));
        break;
    case 1: (void)!duo_open(&d, i, NULL); break;
    case 2:
        if (t >= 0)
            (void)!pl_pc_stop_transceiver(x->pc, d.now_us, t);
        break;
    case 3:
    case 4:
        if (t >= 0)
            (void)!pl_pc_set_direction(x->pc, d.now_us, t, (pl_direction)any_of(4));
        break;
    case 5:
        if (any_of(4) == 0)
            pl_pc_restart_ice(x->pc, d.now_us);
        break;
    case 6: /* an offer made, set and taken back before it was told */
        if (pl_pc_signaling(x->pc) == PL_SIGNALING_STABLE &&
            pl_pc_create_offer(x->pc, d.now_us, any_of(2), &sdp) == PL_OK) {
            if (pl_pc_set_local(x->pc, d.now_us, PL_SDP_OFFER, sdp) == PL_OK &&
                pl_pc_set_local(x->pc, d.now_us, PL_SDP_ROLLBACK, NULL) != PL_OK)
                fail_seed("no way back");
            free(sdp);
        }
        break;
    case 7:
        if (x->n_channels && any_of(3) == 0)
            pl_channel_close(x->channel[any_of((uint32_t)x->n_channels)], d.now_us);
        break;
    case 8:
    case 9:
        if (x->n_channels) {
            static uint8_t data[20000];
            (void)!pl_channel_send(x->channel[any_of((uint32_t)x->n_channels)], d.now_us, data, any_of(20000),
                                   true);
        }
        break;
    default:
        for (uint32_t k = any_of(20); t >= 0 && k > 0; k--)
            duo_send_packet(&d, i, t, (uint32_t)d.now_us, (uint16_t)(1 + any_of(1100)));
    }
}

PL_TEST(negotiates_without_end)
{
    uint64_t first = pl_test_seed(20000), n = getenv("PL_SEED") ? 1 : 200;
    for (uint64_t s = first; s < first + n; s++) {
        sim_net net = { .delay_us = PL_MS(10) };
        begin(&net, s);
        d.on_packet = any_of(2) ? spoil : NULL;
        net = random_net();
        net.loss /= 3;
        sim_link_set(d.link[0], &net);
        sim_link_set(d.link[1], &net);
        d.signal_us = any_of(150000);
        duo_open(&d, 0, NULL);
        until(duo_connected, PL_SEC(25), "not connected");
        for (int k = 0; k < 60; k++) {
            random_call((int)any_of(2));
            (void)duo_run(&d, any_of(4) ? any_of(50000) : any_of(1000000), NULL);
        }
        until(duo_agreed, PL_SEC(20), "not agreed");
        until(duo_connected, PL_SEC(25), "not connected any more");
        (void)duo_run(&d, PL_SEC(1), NULL);
        until(duo_agreed, PL_SEC(20), "not agreed at the end");
        check_agreement();
        /* and it still carries */
        uint64_t before = d.end[1].n_messages;
        pl_channel *c = NULL;
        for (int k = 0; k < d.end[0].n_channels; k++) {
            if (pl_channel_state(d.end[0].channel[k]) == PL_CHANNEL_OPEN)
                c = d.end[0].channel[k];
        }
        if (c) {
            PL_EQ(pl_channel_send(c, d.now_us, "end", 3, false), PL_OK);
            (void)duo_run(&d, PL_SEC(20), NULL);
            if (d.end[1].n_messages <= before)
                fail_seed("a message is lost");
        }
        duo_clear(&d);
    }
}

/* ---- the network goes away ---- */

static bool disconnected(const duo *x)
{
    return x->end[0].n_disconnected > 0 && x->end[1].n_disconnected > 0;
}

static bool failed(const duo *x)
{
    return x->end[0].state == PL_CONNECTION_FAILED && x->end[1].state == PL_CONNECTION_FAILED;
}

static void go_dark(int64_t for_us)
{
    for (int i = 0; i < 2; i++)
        sim_link_blackout(d.link[i], d.now_us + for_us);
}

static void call_running(uint64_t s)
{
    sim_net net = { .delay_us = PL_MS(20), .jitter_us = PL_MS(5), .loss = 0.01 };
    begin(&net, s);
    duo_open(&d, 0, NULL);
    until(duo_channels_open, PL_SEC(10), "no channel");
}

PL_TEST(a_short_darkness_is_survived)
{
    uint64_t first = pl_test_seed(30000), n = getenv("PL_SEED") ? 1 : 30;
    for (uint64_t s = first; s < first + n; s++) {
        call_running(s);
        go_dark(PL_SEC(14)); /* a check is due within six seconds, and unanswered for five */
        until(disconnected, PL_SEC(14), "not disconnected");
        PL_EQ(pl_channel_send(d.end[0].channel[0], d.now_us, "in the dark", 11, false), PL_OK);
        until(duo_connected, PL_SEC(20), "not connected again");
        (void)duo_run(&d, PL_SEC(20), NULL);
        if (d.end[1].n_messages != 1)
            fail_seed("the message is lost");
        duo_clear(&d);
    }
}

PL_TEST(a_dark_minute_ends_in_failure_and_a_restart_heals_it)
{
    uint64_t first = pl_test_seed(40000), n = getenv("PL_SEED") ? 1 : 30;
    for (uint64_t s = first; s < first + n; s++) {
        call_running(s);
        int t = duo_add(&d, 0, PL_VIDEO, PL_SENDRECV);
        (void)duo_run(&d, PL_SEC(1), NULL);
        for (uint32_t k = 0; k < 50; k++) { /* losses, reports and feedback are under way when it gets dark */
            if (k == 45)
                go_dark(PL_SEC(60));
            duo_send_packet(&d, 0, t, k * 3000, 500);
            (void)duo_run(&d, PL_MS(20), NULL);
        }
        (void)duo_run(&d, PL_SEC(4), NULL);
        PL_EQ(pl_channel_send(d.end[0].channel[0], d.now_us, "in the dark", 11, false), PL_OK);
        until(failed, PL_SEC(56), "not failed");
        uint64_t steps = d.n_steps;
        (void)duo_run(&d, PL_SEC(5), NULL);
        if (d.n_steps - steps > 500)
            fail_seed("a dead path keeps the processor busy");
        (void)duo_run(&d, PL_SEC(61) - (d.now_us % PL_SEC(60)), NULL);
        pl_pc_restart_ice(d.end[s % 2].pc, d.now_us);
        until(duo_connected, PL_SEC(20), "the restart does not connect");
        (void)duo_run(&d, PL_SEC(70), NULL); /* T3 has backed off to a minute at most */
        if (d.end[1].n_messages != 1 || d.end[0].n_closed)
            fail_seed("the message is lost");
        duo_clear(&d);
    }
}

/* ---- who only receives ---- */

PL_TEST(a_receiver_learns_the_round_trip_from_ice)
{
    sim_net net = { .delay_us = PL_MS(40) };
    begin(&net, pl_test_seed(3));
    int t = duo_add(&d, 0, PL_VIDEO, PL_SENDONLY);
    until(duo_connected, PL_SEC(10), "not connected");
    for (uint32_t k = 0; k < 100; k++) {
        duo_send_packet(&d, 0, t, k * 3000, 500);
        (void)duo_run(&d, PL_MS(33), NULL);
    }
    PL_GE(d.end[1].n_packets, 95);
    PL_GE(d.end[1].last_rtt_us, PL_MS(80));
    PL_LE(d.end[1].last_rtt_us, PL_MS(90));
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
    const struct CMUnitTest tests[] = { t(connects_whatever_the_network_does),
                                        t(percentiles_of_connect_time),
                                        t(negotiates_without_end),
                                        t(a_short_darkness_is_survived),
                                        t(a_dark_minute_ends_in_failure_and_a_restart_heals_it),
                                        t(a_receiver_learns_the_round_trip_from_ice) };
    return cmocka_run_group_tests(tests, NULL, end_all);
}
