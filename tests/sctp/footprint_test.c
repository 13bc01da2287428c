/* What an idle association costs: 10,000 of them in one process, each up, each having sent and received a message. */
#include "pl_test.h"

#include <malloc.h>

#include "base/time.h"
#include "sctp/association.h"

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
enum { PAIRS = 200, COUNTED = false }; /* their allocators keep other books */
#else
enum { PAIRS = 5000, COUNTED = true };
#endif
enum { MOST_BYTES = 6 * 1024, BEAT_S = 31 };

static pl_sctp *end[PAIRS][2];
static pl_rand_seeded state;

static size_t allocated(void)
{
    return COUNTED ? mallinfo2().uordblks : 0;
}

/* Packets go over at once, until both are silent. Returns how many. */
static unsigned shuttle(pl_sctp *pair[2], int64_t now_us)
{
    uint8_t packet[2048];
    unsigned n = 0, before;
    size_t len;
    do {
        before = n;
        for (int i = 0; i < 2; i++) {
            while (pl_sctp_poll_output(pair[i], now_us, packet, sizeof packet, &len)) {
                pl_sctp_input(pair[!i], now_us, packet, len);
                n++;
            }
        }
    } while (n > before);
    return n;
}

static void hear(pl_sctp *s, unsigned *n_messages)
{
    pl_sctp_event e;
    pl_sctp_msg m;
    while (pl_sctp_poll_event(s, &e))
        PL_OKAY(e.kind == PL_SCTP_EVENT_CONNECTED || e.kind == PL_SCTP_EVENT_BUFFERED_LOW);
    while (pl_sctp_recv(s, &m)) {
        ++*n_messages;
        pl_sctp_msg_free(&m);
    }
}

/* What is due at now_us, and what the other side answers to it. */
static unsigned beat(int64_t now_us)
{
    unsigned n = 0;
    for (size_t i = 0; i < PAIRS; i++) {
        for (int k = 0; k < 2; k++) {
            if (pl_sctp_next_us(end[i][k]) <= now_us)
                pl_sctp_tick(end[i][k], now_us);
        }
        n += shuttle(end[i], now_us);
    }
    return n;
}

PL_TEST(ten_thousand_idle_associations)
{
    unsigned n_messages = 0;
    int64_t now_us = PL_SEC(1);
    pl_sctp_conf conf = { .rand = pl_rand_seed(&state, pl_test_seed(1)), .zero_checksum = true };
    size_t before = allocated();
    for (size_t i = 0; i < PAIRS; i++) {
        for (int k = 0; k < 2; k++) {
            PL_EQ(pl_sctp_new(&end[i][k], &conf, now_us), PL_OK);
            pl_sctp_connect(end[i][k], now_us);
        }
        shuttle(end[i], now_us);
        for (int k = 0; k < 2; k++)
            PL_EQ(pl_sctp_send(end[i][k], now_us, 0, 51, "hello", 5, NULL), PL_OK);
        shuttle(end[i], now_us);
        for (int k = 0; k < 2; k++)
            hear(end[i][k], &n_messages);
    }
    PL_EQ(n_messages, 2 * PAIRS);
    beat(now_us += PL_SEC(1)); /* the last SACKs */
    PL_EQ(beat(now_us + PL_MS(100)), 0);
    unsigned n_packets = beat(now_us + PL_SEC(BEAT_S)); /* a heartbeat each, and its answer */
    PL_GE(n_packets, 2 * PAIRS);
    size_t each = (allocated() - before) / (2 * PAIRS);
    print_message("%d idle associations, %zu bytes each\n", 2 * PAIRS, each);
    PL_GE(MOST_BYTES, each);
    for (size_t i = 0; i < PAIRS; i++) {
        for (int k = 0; k < 2; k++) {
            PL_EQ(pl_sctp_get_state(end[i][k]), PL_SCTP_ESTABLISHED);
            pl_sctp_free(end[i][k]);
        }
    }
}

PL_TESTS(t(ten_thousand_idle_associations))
