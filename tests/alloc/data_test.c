/* Data channels with every allocation failing once: messages lent, in parts and joined from partial types, pieces, and
 * a pause. What is refused says so; what was taken arrives whole or its channel ends; what is lent comes back once. */
#include "pl_test.h"

#include "base/time.h"
#include "data/channels_internal.h"
#include "fail.h"

enum { ROUNDS = 400, BIG = 30000 };

static pl_data *end[2];
static pl_channel *channel[2];
static pl_rand_seeded state[2];
static int64_t now_us;
static unsigned n_whole, n_last, n_lent, n_returned;
static const uint8_t bytes[BIG];

static void release(void *user)
{
    (void)user;
    n_returned++;
}

static void take(int i)
{
    pl_data_event e;
    while (pl_data_poll_event(end[i], &e)) {
        n_whole += e.kind == PL_DATA_EVENT_MESSAGE;
        n_last += e.kind == PL_DATA_EVENT_PIECE && e.last;
        pl_data_event_clear(&e);
    }
}

static void run(int rounds)
{
    uint8_t packet[2048];
    size_t len;
    while (rounds-- > 0) {
        for (int i = 0; i < 2; i++) {
            while (pl_data_poll_output(end[i], now_us, packet, sizeof packet, &len))
                pl_data_input(end[1 - i], now_us, packet, len);
            take(1 - i);
            if (now_us >= pl_data_next_us(end[i]))
                pl_data_tick(end[i], now_us);
            pl_data_check(end[i]);
        }
        now_us += PL_MS(50);
    }
}

static bool begin(bool pieces)
{
    now_us = PL_SEC(1);
    n_whole = n_last = n_lent = n_returned = 0;
    for (int i = 0; i < 2; i++)
        end[i] = NULL;
    for (int i = 0; i < 2; i++) {
        pl_data_conf conf = { .sctp = { .rand = pl_rand_seed(&state[i], 1 + (uint64_t)i) },
                              .pieces = pieces };
        pl_data_channel_init both = { .negotiated = true, .id = 1 };
        if (pl_data_new(&end[i], &conf, now_us) != PL_OK)
            return false;
        pl_data_set_role(end[i], i == 0);
        if (pl_channel_new(&channel[i], end[i], now_us, "c", 1, &both, NULL) != PL_OK ||
            pl_data_start(end[i], now_us) != PL_OK)
            return false;
    }
    run(ROUNDS / 4);
    return true;
}

static void finish(void)
{
    for (int i = 0; i < 2; i++)
        pl_data_free(end[i]);
    PL_EQ(n_returned, n_lent);
}

static void lend(void)
{
    pl_sctp_lent lent = { bytes, BIG, release, NULL };
    n_lent += pl_channel_send_lent(channel[0], now_us, &lent, true, 0) == PL_OK;
}

/* A part that is refused is given again, as an application would, until there is memory. */
static void send_parts(void)
{
    for (int i = 0; i < 4; i++) {
        pl_err err = PL_ENOMEM;
        for (int tries = 0; tries < 8 && err == PL_ENOMEM; tries++)
            err = pl_channel_send_part(channel[0], now_us, bytes, 5000, i == 3, true);
        if (err != PL_OK)
            return;
        run(1);
    }
}

static void give(void)
{
    lend();
    send_parts();
    (void)!pl_channel_send(channel[0], now_us, bytes, BIG, true);
    (void)!pl_channel_send(channel[0], now_us, "", 0, false);
    run(2);
}

static void whole_scenario(void)
{
    if (begin(false)) {
        give();
        run(ROUNDS);
        PL_OKAY(fail_is_on() || n_whole == 4);
    }
    finish();
}

static void pieces_scenario(void)
{
    if (begin(true)) {
        give();
        (void)!pl_channel_set_pieces(channel[1], false);
        give();
        (void)!pl_channel_set_pieces(channel[1], true);
        run(ROUNDS);
        PL_OKAY(fail_is_on() || n_whole + n_last == 8);
    }
    finish();
}

static void paused_scenario(void)
{
    if (begin(false)) {
        pl_channel_pause(channel[1], true);
        give();
        run(20);
        PL_OKAY(fail_is_on() || n_whole == 0);
        pl_channel_pause(channel[1], false);
        run(ROUNDS);
        PL_OKAY(fail_is_on() || n_whole == 4);
        pl_channel_pause(channel[1], true); /* and ends so */
        give();
    }
    finish();
}

static void partial_scenario(void)
{
    if (begin(false) && pl_data_association(end[0])) {
        for (int i = 0; i < 5; i++) {
            uint32_t ppid = i < 4 ? PL_PPID_BINARY_PARTIAL : PL_PPID_BINARY;
            (void)!pl_sctp_send(pl_data_association(end[0]), now_us, 1, ppid, bytes, 3000, NULL);
        }
        run(ROUNDS);
        PL_OKAY(fail_is_on() || n_whole == 1);
    }
    finish();
}

PL_TEST(lent_and_in_parts_taken_whole)
{
    fail_each(whole_scenario);
}

PL_TEST(taken_in_pieces)
{
    fail_each(pieces_scenario);
}

PL_TEST(held_while_paused)
{
    fail_each(paused_scenario);
}

PL_TEST(joined_from_partial_types)
{
    fail_each(partial_scenario);
}

PL_TESTS(t(lent_and_in_parts_taken_whole), t(taken_in_pieces), t(held_while_paused),
         t(joined_from_partial_types))
