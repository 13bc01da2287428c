/* What a peer, or an unlucky moment, may do to the manager of channels. */
#include "pl_test.h"

#include "base/time.h"
#include "data/channels_internal.h"
#include "sctp/association_internal.h"

typedef struct two {
    pl_data *end[2];
    pl_rand_seeded state[2];
    int64_t now_us;
} two;

static void begin(two *t, const pl_data_conf *conf)
{
    *t = (two){ .now_us = PL_SEC(1) };
    for (int i = 0; i < 2; i++) {
        pl_data_conf c = *conf;
        c.sctp.rand = pl_rand_seed(&t->state[i], 1 + (uint64_t)i);
        PL_EQ(pl_data_new(&t->end[i], &c, t->now_us), PL_OK);
        pl_data_set_role(t->end[i], i == 0);
        PL_EQ(pl_data_start(t->end[i], t->now_us), PL_OK);
    }
}

static void end(two *t)
{
    for (int i = 0; i < 2; i++)
        pl_data_free(t->end[i]);
}

/* What `from` has to say reaches the other, until it has no more. */
static bool pass(two *t, int from)
{
    uint8_t packet[2048];
    size_t len;
    bool any = false;
    for (; pl_data_poll_output(t->end[from], t->now_us, packet, sizeof packet, &len); any = true)
        pl_data_input(t->end[1 - from], t->now_us, packet, len);
    return any;
}

static unsigned take(two *t, int i, pl_data_event_kind kind)
{
    pl_data_event e;
    unsigned n = 0;
    while (pl_data_poll_event(t->end[i], &e)) {
        n += e.kind == kind;
        pl_data_event_clear(&e);
    }
    return n;
}

static void shuttle(two *t)
{
    for (bool any = true; any;) {
        any = pass(t, 0);
        any |= pass(t, 1);
        (void)take(t, 0, PL_DATA_EVENT_OPEN);
        (void)take(t, 1, PL_DATA_EVENT_OPEN);
    }
}

PL_TEST(an_open_that_was_there_when_we_closed_makes_no_channel)
{
    two t;
    begin(&t, &(pl_data_conf){ 0 });
    shuttle(&t);
    pl_channel *c, *late;
    PL_EQ(pl_channel_new(&c, t.end[1], t.now_us, "c", 1, &(pl_data_channel_init){ 0 }, NULL), PL_OK);
    shuttle(&t);
    PL_EQ(pl_channel_send(c, t.now_us, "hello", 5, false), PL_OK);
    PL_EQ(pl_channel_new(&late, t.end[1], t.now_us, "late", 4, &(pl_data_channel_init){ 0 }, NULL), PL_OK);
    (void)pass(&t, 1); /* nobody takes the message, so the OPEN stays behind it */
    pl_data_close(t.end[0], t.now_us);
    PL_EQ(take(&t, 0, PL_DATA_EVENT_CHANNEL), 0);
    pl_data_check(t.end[0]);
    end(&t);
}

PL_TEST(labels_without_end_are_refused)
{
    enum { LABEL = 60000, N = 80 };
    static char label[LABEL + 1];
    memset(label, 'x', LABEL);
    two t;
    begin(&t, &(pl_data_conf){ 0 });
    shuttle(&t);
    for (int i = 0; i < N; i++) {
        pl_channel *c;
        PL_EQ(pl_channel_new(&c, t.end[1], t.now_us, label, LABEL, &(pl_data_channel_init){ 0 }, NULL),
              PL_OK);
        shuttle(&t);
    }
    pl_data_stats stats;
    pl_data_get_stats(t.end[0], &stats);
    PL_EQ(stats.channels_opened, PL_DATA_NAMES_MAX / LABEL);
    PL_LE(t.end[0]->names, PL_DATA_NAMES_MAX);
    const pl_channel *c = pl_data_next(t.end[0], NULL);
    pl_channel_release((pl_channel *)c, t.now_us); /* one less: the next one has room again */
    shuttle(&t);
    pl_channel *again;
    PL_EQ(pl_channel_new(&again, t.end[1], t.now_us, label, LABEL, &(pl_data_channel_init){ 0 }, NULL),
          PL_OK);
    shuttle(&t);
    PL_EQ(pl_channel_state(again), PL_CHANNEL_OPEN);
    pl_data_get_stats(t.end[0], &stats);
    PL_EQ(stats.channels_opened, PL_DATA_NAMES_MAX / LABEL + 1);
    end(&t);
}

/* Messages of the deprecated partial types that never end, on many channels: what is joined of them counts in the window. */
PL_TEST(parts_without_end_close_the_window)
{
    enum { WINDOW = 60000, CHANNELS = 20, PART = 1000 };
    static const uint8_t part[PART];
    two t;
    begin(&t, &(pl_data_conf){ .sctp = { .recv_buffer = WINDOW, .max_message_size = 20000 } });
    shuttle(&t);
    for (int id = 0; id < CHANNELS; id++) {
        for (int i = 0; i < 2; i++) {
            pl_data_channel_init init = { .negotiated = true, .id = (uint16_t)id };
            pl_channel *c;
            PL_EQ(pl_channel_new(&c, t.end[i], t.now_us, "", 0, &init, NULL), PL_OK);
        }
    }
    shuttle(&t);
    pl_sctp *peer = pl_data_association(t.end[1]), *ours = pl_data_association(t.end[0]);
    for (int i = 0; i < 15 * CHANNELS; i++) {
        PL_EQ(
            pl_sctp_send(peer, t.now_us, (uint16_t)(i % CHANNELS), PL_PPID_BINARY_PARTIAL, part, PART, NULL),
            PL_OK);
        shuttle(&t);
        PL_LE(pl_sctp_held(ours), WINDOW + WINDOW / 10);
    }
    PL_GE(t.end[0]->held, WINDOW / 2);
    PL_GE(pl_sctp_buffered_total(peer), 15 * CHANNELS * PART - 2 * WINDOW); /* the rest waits there */
    PL_EACH (n, &t.end[0]->all)
        pl_channel_release(pl_of(n, pl_channel, in_all), t.now_us);
    for (int i = 0; i < 20; i++) {
        t.now_us += PL_SEC(1);
        for (int at = 0; at < 2; at++)
            pl_data_tick(t.end[at], t.now_us);
        shuttle(&t);
    }
    PL_EQ(t.end[0]->held, 0);
    end(&t);
}

PL_TESTS(t(an_open_that_was_there_when_we_closed_makes_no_channel), t(labels_without_end_are_refused),
         t(parts_without_end_close_the_window))
