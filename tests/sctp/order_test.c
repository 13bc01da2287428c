/* What an application sees, and in which order, when it is slow to look: found by journeys (journey_test.c). */
#include "pl_test.h"

#include "pair.h"

static pl_sctp_event next_event(pl_sctp *s)
{
    pl_sctp_event e;
    PL_OKAY(pl_sctp_poll_event(s, &e));
    return e;
}

static void take(pl_sctp *s, const char *text)
{
    pl_sctp_msg m;
    PL_OKAY(pl_sctp_recv(s, &m));
    PL_EQ(m.len, strlen(text));
    PL_MEMEQ(m.data, text, m.len);
    pl_sctp_msg_free(&m);
}

static void say(pair *p, uint16_t sid, const char *text)
{
    PL_EQ(pl_sctp_send(p->end[0], p->now_us, sid, 51, text, strlen(text), NULL), PL_OK);
}

/* Packets move, and only the sender's events are taken. */
static void shuttle(pair *p)
{
    static uint8_t packet[PL_SCTP_MTU_DEFAULT];
    size_t len;
    for (int round = 0; round < 40; round++) {
        pl_sctp_event e;
        for (int i = 0; i < 2; i++) {
            while (pl_sctp_poll_output(p->end[i], p->now_us, packet, sizeof packet, &len))
                pl_sctp_input(p->end[1 - i], p->now_us, packet, len);
            pl_sctp_check(p->end[i]);
            if (p->now_us >= pl_sctp_next_us(p->end[i]))
                pl_sctp_tick(p->end[i], p->now_us);
        }
        while (pl_sctp_poll_event(p->end[0], &e))
            p->resets_out[0] += e.kind == PL_SCTP_EVENT_RESET_OUT && e.error == PL_OK;
        p->now_us += PL_MS(50);
    }
}

static void reset(pair *p, uint16_t sid)
{
    PL_EQ(pl_sctp_reset_streams(p->end[0], p->now_us, &sid, 1), PL_OK);
}

PL_TEST(a_reset_stands_between_the_messages_of_before_and_after)
{
    pl_sctp_msg m;
    pair p;
    pair_init(&p, NULL, NULL, NULL, 1);
    pair_connect(&p);
    say(&p, 3, "old");
    say(&p, 4, "another's");
    reset(&p, 3);
    shuttle(&p);
    PL_EQ(p.resets_out[0], 1);
    say(&p, 3, "new");
    say(&p, 4, "and more");
    shuttle(&p);
    pl_sctp *b = p.end[1];
    take(b, "old");
    take(b, "another's");
    PL_OKAY(pl_sctp_peek(b) == NULL && !pl_sctp_recv(b, &m));
    pl_sctp_event e = next_event(b);
    PL_OKAY(e.kind == PL_SCTP_EVENT_RESET_IN && e.sid == 3);
    take(b, "new");
    take(b, "and more");
    pair_clear(&p);
}

PL_TEST(a_second_reset_waits_until_the_first_is_told)
{
    pair p;
    pair_init(&p, NULL, NULL, NULL, 2);
    pair_connect(&p);
    static const char *const text[] = { "one", "two", "three" };
    for (int i = 0; i < 2; i++) {
        say(&p, 3, text[i]);
        reset(&p, 3);
        shuttle(&p);
    }
    PL_EQ(p.resets_out[0], 1);
    pl_sctp *b = p.end[1];
    take(b, "one");
    PL_EQ(next_event(b).kind, PL_SCTP_EVENT_RESET_IN);
    shuttle(&p);
    PL_EQ(p.resets_out[0], 2);
    say(&p, 3, text[2]);
    shuttle(&p);
    take(b, "two");
    PL_EQ(next_event(b).kind, PL_SCTP_EVENT_RESET_IN);
    take(b, "three");
    pair_clear(&p);
}

PL_TEST(nothing_is_held_after_the_end)
{
    static uint8_t data[20000], packet[PL_SCTP_MTU_DEFAULT];
    size_t len;
    pl_sctp_stats stats;
    pair p;
    pair_init(&p, NULL, NULL, NULL, 3);
    pair_connect(&p);
    PL_EQ(pl_sctp_send(p.end[0], p.now_us, 1, 53, data, sizeof data, NULL), PL_OK);
    for (int n = 0; pl_sctp_poll_output(p.end[0], p.now_us, packet, sizeof packet, &len); n++) {
        if (n != 4) /* a beginning, a gap, and more */
            pl_sctp_input(p.end[1], p.now_us, packet, len);
    }
    pl_sctp_get_stats(p.end[1], &stats);
    PL_GE(stats.receive_buffered, 5000);
    pl_sctp_abort(p.end[1], p.now_us, NULL);
    pl_sctp_get_stats(p.end[1], &stats);
    PL_EQ(stats.receive_buffered, 0);
    pl_sctp_check(p.end[1]);
    pair_clear(&p);
}

/* Data, a reset and heartbeats wait all at once: that is one silence, not three. */
PL_TEST(a_dark_minute_is_survived_whatever_waits)
{
    static const uint16_t sid = 2;
    pl_sctp_conf conf = { .heartbeat_us = PL_SEC(1) };
    pair p;
    pair_init(&p, &conf, &conf, NULL, 4);
    pair_connect(&p);
    reset(&p, sid);
    pair_step(&p); /* asked for, and not answered */
    for (int i = 0; i < 2; i++)
        sim_link_blackout(p.link[i], p.now_us + PL_SEC(60));
    say(&p, 1, "patience");
    pair_run(&p, p.now_us + PL_SEC(75));
    PL_EQ(p.closed[0] + p.closed[1], 0);
    PL_EQ(p.resets_out[0], 1);
    PL_EQ(pl_sctp_buffered_total(p.end[0]), 0);
    pair_clear(&p);
}

PL_TESTS(t(a_reset_stands_between_the_messages_of_before_and_after),
         t(a_second_reset_waits_until_the_first_is_told), t(nothing_is_held_after_the_end),
         t(a_dark_minute_is_survived_whatever_waits))
