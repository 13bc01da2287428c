/* Whose turn it is: the three schedulers by themselves, then what they mean on a link that is full. */
#include "pl_test.h"

#include "pair.h"
#include "sctp/streams.h"

/* --- the schedulers by themselves --- */

enum { MESSAGE = 1000, PACKET = 1000 };

static void queue_up(pl_sctp_streams *st, uint16_t sid, size_t len, unsigned n)
{
    static const uint8_t data[100000];
    pl_sctp_out_stream *s = pl_sctp_streams_get(st, sid);
    PL_OKAY(s != NULL);
    for (; n > 0; n--) {
        pl_sctp_out_msg *m = pl_sctp_out_msg_new(st, data, len);
        PL_OKAY(m != NULL);
        m->sid = sid;
        pl_sctp_streams_push(st, s, m);
    }
}

static void set_priority(pl_sctp_streams *st, uint16_t sid, uint16_t priority)
{
    pl_sctp_turns_set_priority(&st->turns, &pl_sctp_streams_get(st, sid)->turn, priority);
}

/* One packet: whose it was, or -1. */
static int serve(pl_sctp_streams *st, uint32_t packet)
{
    pl_sctp_out_stream *s = pl_sctp_streams_next(st);
    if (!s)
        return -1;
    if (!s->head->begun)
        pl_sctp_streams_begin(st, s);
    int sid = s->sid;
    pl_sctp_streams_take(st, s, s->head->n_at < packet ? s->head->n_at : packet);
    pl_sctp_streams_packet_end(st);
    pl_sctp_streams_check(st);
    return sid;
}

static void begin(pl_sctp_streams *st, pl_sctp_scheduler kind, bool interleaved)
{
    pl_sctp_streams_init(st, kind);
    st->interleaved = interleaved;
}

PL_TEST(round_robin_gives_everybody_a_turn)
{
    pl_sctp_streams st;
    begin(&st, PL_SCTP_SCHEDULER_ROUND_ROBIN, true);
    queue_up(&st, 5, 3 * MESSAGE, 1);
    queue_up(&st, 3, MESSAGE, 2);
    queue_up(&st, 9, MESSAGE, 3);
    static const int want[] = { 5, 3, 9, 5, 3, 9, 5, 9, -1 };
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        PL_EQ(serve(&st, PACKET), want[i]);
    pl_sctp_streams_clear(&st);
}

/* Without I-DATA the fragments of a message stand together. */
PL_TEST(turns_are_messages_where_nothing_interleaves)
{
    for (int kind = PL_SCTP_SCHEDULER_ROUND_ROBIN; kind <= PL_SCTP_SCHEDULER_FAIR; kind++) {
        pl_sctp_streams st;
        begin(&st, (pl_sctp_scheduler)kind, false);
        queue_up(&st, 1, 4 * MESSAGE, 2);
        PL_EQ(serve(&st, PACKET), 1);
        set_priority(&st, 2, 1024);
        queue_up(&st, 2, 2 * MESSAGE, 2);
        for (int i = 0; i < 3; i++)
            PL_EQ(serve(&st, PACKET), 1);
        for (int i = 0; i < 2; i++)
            PL_EQ(serve(&st, PACKET), 2);
        pl_sctp_streams_clear(&st);
    }
}

PL_TEST(strict_priority_lets_the_highest_go_first)
{
    pl_sctp_streams st;
    begin(&st, PL_SCTP_SCHEDULER_PRIORITY, true);
    set_priority(&st, 1, 128);
    set_priority(&st, 3, 1024);
    set_priority(&st, 4, 1024);
    queue_up(&st, 1, MESSAGE, 2);
    queue_up(&st, 2, 2 * MESSAGE, 1); /* normal */
    queue_up(&st, 3, 2 * MESSAGE, 1);
    queue_up(&st, 4, 2 * MESSAGE, 1);
    static const int first[] = { 3, 4, 3, 4, 2 };
    for (size_t i = 0; i < sizeof first / sizeof *first; i++)
        PL_EQ(serve(&st, PACKET), first[i]);
    queue_up(&st, 4, MESSAGE, 1); /* comes back, and passes all others at once */
    set_priority(&st, 1, 2048);   /* a change counts for what is queued, too */
    static const int then[] = { 1, 1, 4, 2, -1 };
    for (size_t i = 0; i < sizeof then / sizeof *then; i++)
        PL_EQ(serve(&st, PACKET), then[i]);
    pl_sctp_streams_clear(&st);
}

/* Bytes in proportion to priorities, at every moment within a packet or two, whatever the sizes of messages. */
PL_TEST(fair_shares_follow_priorities)
{
    static const uint16_t priority[4] = { 128, 256, 512, 1024 };
    static const size_t len[4] = { 100000, 700, 12000, 99 };
    for (int interleaved = 0; interleaved < 2; interleaved++) {
        pl_sctp_streams st;
        size_t bytes[4] = { 0 }, total = 0;
        begin(&st, PL_SCTP_SCHEDULER_FAIR, interleaved);
        for (uint16_t i = 0; i < 4; i++) {
            set_priority(&st, i, priority[i]);
            queue_up(&st, i, len[i], (unsigned)(1600000 / len[i]));
        }
        size_t slack = interleaved ? PACKET : 100000; /* the longest turn */
        while (total < 1500000) {
            pl_sctp_out_stream *s = pl_sctp_streams_next(&st);
            size_t n = s->head->n_at < PACKET ? s->head->n_at : PACKET;
            int sid = serve(&st, PACKET);
            bytes[sid] += n;
            total += n;
            if (total < 100000 && !interleaved)
                continue;
            for (int i = 0; i < 4; i++) { /* SFQ's bound: a longest turn of each, in the scale of shares */
                size_t due = total * priority[i] / 1920;
                PL_LE(bytes[i], due + slack + slack * priority[i] / 128);
                PL_GE(bytes[i] + slack + slack * priority[i] / 128, due);
            }
        }
        if (interleaved) {
            for (int i = 0; i < 4; i++)
                PL_LE(labs((long)(bytes[i] * 1920 / total) - priority[i]), priority[i] / 20);
        }
        pl_sctp_streams_clear(&st);
    }
}

/* Who was silent has saved nothing up: it is served at once, and then by its share. */
PL_TEST(waking_streams_have_no_credit)
{
    pl_sctp_streams st;
    begin(&st, PL_SCTP_SCHEDULER_FAIR, true);
    queue_up(&st, 0, 100000, 5);
    queue_up(&st, 1, 100, 1);
    while (serve(&st, PACKET) != 1)
        ;
    for (int i = 0; i < 200; i++)
        PL_EQ(serve(&st, PACKET), 0);
    queue_up(&st, 1, 50 * MESSAGE, 1);
    PL_EQ(serve(&st, PACKET), 1); /* at once */
    int of_one = 1;
    for (int i = 0; i < 39; i++)
        of_one += serve(&st, PACKET);
    PL_EQ(of_one, 20); /* half of what follows */
    pl_sctp_streams_clear(&st);
}

/* Waking often is no way to more than one's share. */
PL_TEST(coming_back_again_and_again_gains_nothing)
{
    pl_sctp_streams st;
    begin(&st, PL_SCTP_SCHEDULER_FAIR, true);
    set_priority(&st, 1, 128);
    unsigned n[3] = { 0 };
    for (int i = 0; i < 3000; i++) {
        for (uint16_t sid = 0; sid < 3; sid++) {
            if (!pl_sctp_streams_get(&st, sid)->head) /* never more than one message at hand */
                queue_up(&st, sid, sid == 2 ? 500 * MESSAGE / 10 : MESSAGE, 1);
        }
        n[serve(&st, PACKET)]++;
    }
    PL_LE(labs((long)n[0] - 1200), 60); /* 256, 128, 256 of 640 */
    PL_LE(labs((long)n[1] - 600), 60);
    PL_LE(labs((long)n[2] - 1200), 60);
    pl_sctp_streams_clear(&st);
}

/* Nor does it pay for what it had while nobody else wanted any. */
PL_TEST(waking_streams_have_no_debt)
{
    pl_sctp_streams st;
    begin(&st, PL_SCTP_SCHEDULER_FAIR, true);
    set_priority(&st, 0, 1);
    queue_up(&st, 0, 100000, 2);
    while (serve(&st, PACKET) >= 0)
        ;
    set_priority(&st, 0, 256);
    queue_up(&st, 1, 40 * MESSAGE, 1);
    queue_up(&st, 0, 40 * MESSAGE, 1);
    int of_one = 0;
    for (int i = 0; i < 20; i++)
        of_one += serve(&st, PACKET);
    PL_EQ(of_one, 10);
    pl_sctp_streams_clear(&st);
}

/* A small message of high priority waits for one packet at most, however many bulk streams there are. */
PL_TEST(a_light_flow_waits_for_one_packet)
{
    for (unsigned n_bulk = 1; n_bulk <= 1000; n_bulk *= 10) {
        pl_sctp_streams st;
        begin(&st, PL_SCTP_SCHEDULER_FAIR, true);
        for (unsigned i = 1; i <= n_bulk; i++) {
            set_priority(&st, (uint16_t)i, (uint16_t)(i % 2 ? 128 : 256));
            queue_up(&st, (uint16_t)i, 100000, 1);
        }
        set_priority(&st, 0, 1024);
        for (int round = 0; round < 50; round++) {
            for (unsigned i = 0; i < 1 + n_bulk / 10; i++)
                PL_GE(serve(&st, PACKET), 1);
            queue_up(&st, 0, 100, 1);
            PL_EQ(serve(&st, PACKET), 0);
        }
        pl_sctp_streams_clear(&st);
    }
}

/* All 65,535 streams at once: each gets its turns, and the whole takes a moment. */
PL_TEST(every_stream_there_is)
{
    for (int kind = PL_SCTP_SCHEDULER_ROUND_ROBIN; kind <= PL_SCTP_SCHEDULER_FAIR; kind++) {
        pl_sctp_streams st;
        unsigned n = 0;
        static uint8_t served[PL_SCTP_STREAM_MAX];
        memset(served, 0, sizeof served);
        begin(&st, (pl_sctp_scheduler)kind, true);
        for (unsigned i = 0; i < PL_SCTP_STREAM_MAX; i++)
            queue_up(&st, (uint16_t)i, 20, 2);
        for (int sid; (sid = serve(&st, PACKET)) >= 0; n++) {
            served[sid]++;
            PL_LE(served[sid], 1 + n / PL_SCTP_STREAM_MAX); /* nobody twice before all had one */
        }
        PL_EQ(n, 2 * PL_SCTP_STREAM_MAX);
        PL_EQ(st.total, 0);
        pl_sctp_streams_clear(&st);
    }
}

/* A clock that is set back again and again: the shares stay, and who was away has neither debt nor credit. */
PL_TEST(the_clock_does_not_overflow)
{
    enum { GIB = 1 << 30, ROUNDS = 4000 };
    pl_sctp_turns t;
    pl_sctp_turn turn[3] = { { .priority = 1 }, { .priority = 3 }, { .priority = 2 } };
    unsigned n[3] = { 0 }, late[3] = { 0 };
    pl_sctp_turns_init(&t, PL_SCTP_SCHEDULER_FAIR);
    pl_sctp_turns_join(&t, &turn[2]);
    pl_sctp_turns_charge(&t, &turn[2], GIB);
    pl_sctp_turns_leave(&t, &turn[2]);
    pl_sctp_turns_join(&t, &turn[0]);
    pl_sctp_turns_join(&t, &turn[1]);
    for (unsigned i = 0; i < ROUNDS; i++) {
        pl_sctp_turn *next = pl_sctp_turns_next(&t);
        if (i == ROUNDS / 2) {
            PL_OKAY(t.era > 10);
            pl_sctp_turns_join(&t, &turn[2]);
            continue;
        }
        pl_sctp_turns_begin(&t, next);
        pl_sctp_turns_charge(&t, next, GIB);
        pl_sctp_turns_pass(&t, next);
        PL_OKAY(t.now >= 0 && t.now <= 2 * PL_SCTP_TURN_ERA);
        (i < ROUNDS / 2 ? n : late)[next - turn]++;
    }
    PL_OKAY(n[0] + 3 >= n[1] / 3 && n[0] <= n[1] / 3 + 3 && n[2] == 0);
    PL_OKAY(late[0] + 3 >= late[2] / 2 && late[0] <= late[2] / 2 + 3);
    PL_OKAY(late[1] + 6 >= late[2] * 3 / 2 && late[1] <= late[2] * 3 / 2 + 6);
    for (int i = 0; i < 3; i++)
        pl_sctp_turns_leave(&t, &turn[i]);
    PL_OKAY(!pl_sctp_turns_next(&t));
}

PL_TESTS(t(round_robin_gives_everybody_a_turn), t(turns_are_messages_where_nothing_interleaves),
         t(strict_priority_lets_the_highest_go_first), t(fair_shares_follow_priorities),
         t(waking_streams_have_no_credit), t(coming_back_again_and_again_gains_nothing),
         t(waking_streams_have_no_debt), t(a_light_flow_waits_for_one_packet), t(every_stream_there_is),
         t(the_clock_does_not_overflow))
