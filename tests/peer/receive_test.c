/* Receiving: whole messages up to 16 MiB, pieces of any, and an application that pauses. */
#include "peer/pipe.h"

#include <stdlib.h>
#include <string.h>

enum { KIB = 1024, MIB = 1024 * KIB };

static void send_from(pipe_duo *p, uint64_t at, size_t len)
{
    PL_EQ(pl_data_channel_send(p->a.channel, pipe_bytes(at), len, true), PL_OK);
}

PL_TEST(whole_messages_of_sixteen_mebibytes)
{
    for (int whole = 0; whole < 2; whole++) {
        pipe_duo p;
        pipe_open(&p, &(pipe_conf){ .whole = whole, .conf = { .max_message_size = 16 * MIB } });
        PL_EQ(pl_data_channel_max_message_size(p.a.channel), 16 * MIB);
        PL_EQ(pl_data_channel_send(p.a.channel, pipe_bytes(0), 16 * MIB + 1, true), PL_EINVAL);
        for (int i = 0; i < 3; i++) {
            send_from(&p, (uint64_t)i * 16 * MIB, 16 * MIB);
            PIPE_UNTIL(&p, p.b.n_messages == (unsigned)i + 1);
        }
        PL_OKAY(!p.b.wrong && !p.b.closed);
        PL_EQ(p.b.longest, 16 * MIB);
        if (whole)
            PL_EQ(p.b.n_pieces, 0);
        else
            PL_LE(4, p.b.n_pieces);
        pipe_close(&p);
    }
}

PL_TEST(sizes_that_cannot_be_configured)
{
    pl_factory *f;
    pl_peer_connection *pc;
    pl_configuration conf = { .max_message_size = 16 * MIB + 1 };
    PL_EQ(pl_factory_new(&f, NULL), PL_OK);
    PL_EQ(pl_peer_connection_new(&pc, f, &conf, NULL), PL_EINVAL);
    pl_factory_free(f);
}

/* The other end takes any size, but its observer wants whole messages. */
PL_TEST(pieces_become_whole_for_who_wants_that)
{
    pipe_duo p;
    pipe_open(&p, &(pipe_conf){ .whole = true, .conf = { .max_message_size = PL_MESSAGE_SIZE_ANY } });
    send_from(&p, 0, 4 * MIB); /* with what follows less than the send buffer */
    PL_EQ(pl_data_channel_send(p.a.channel, NULL, 0, true), PL_OK);
    send_from(&p, 4 * MIB, 1);
    send_from(&p, 4 * MIB + 1, 11 * MIB);
    PIPE_UNTIL(&p, p.b.n_messages == 4);
    PL_EQ(p.b.longest, 11 * MIB);
    PL_OKAY(!p.b.wrong);
    pipe_close(&p);
}

static long read_pattern(void *user, pl_data_channel *c, uint8_t *into, size_t cap)
{
    uint64_t *at = user;
    (void)c;
    memcpy(into, pipe_bytes(*at), cap);
    *at += cap;
    return (long)cap;
}

PL_TEST(a_message_that_cannot_be_held_closes_its_channel)
{
    pipe_duo p;
    uint64_t at = 0;
    pipe_open(&p, &(pipe_conf){ .whole = true, .conf = { .max_message_size = PL_MESSAGE_SIZE_ANY } });
    pl_data_stream stream = { .user = &at, .read = read_pattern, .length = 40 * MIB, .binary = true };
    PL_EQ(pl_data_channel_send_stream(p.a.channel, &stream), PL_OK);
    PIPE_UNTIL(&p, p.a.closed && p.b.closed);
    PL_EQ(p.b.n_messages, 0);
    pipe_close(&p);
}

PL_TEST(a_paused_channel_says_nothing_and_loses_nothing)
{
    for (int kind = 0; kind < 4; kind++) {
        pipe_duo p;
        pipe_open(&p, &(pipe_conf){ .own_loop = kind % 2,
                                    .whole = kind / 2,
                                    .conf = { .data_send_buffer = 64 * MIB } });
        uint64_t sent = 0;
        pl_data_channel_pause(p.b.channel);
        pl_data_channel_pause(p.b.channel);
        for (int i = 0; i < 400;
             i++, sent += 100 * KIB) /* forty megabytes: more than the window can become */
            send_from(&p, sent, 100 * KIB);
        for (int i = 0; i < 200; i++)
            pipe_nap(&p);
        PL_EQ(p.b.n_bytes, 0);
        PL_LE(16 * MIB, pl_data_channel_buffered_amount(p.a.channel)); /* the window is closed */
        atomic_store(&p.b.pause_next, true);
        pl_data_channel_resume(p.b.channel);
        PIPE_UNTIL(&p, p.b.n_messages == 1); /* paused again inside that callback */
        for (int i = 0; i < 20; i++)
            pipe_nap(&p);
        PL_EQ(p.b.n_messages, 1);
        pl_data_channel_resume(p.b.channel);
        PIPE_UNTIL(&p, p.b.n_messages == 400);
        PL_OKAY(!p.b.wrong);
        pipe_close(&p);
    }
}

PL_TEST(closing_waits_behind_what_is_held)
{
    for (int own = 0; own < 2; own++) {
        pipe_duo p;
        pipe_open(&p, &(pipe_conf){ .own_loop = own, .whole = true });
        pl_data_channel_pause(p.b.channel);
        for (uint64_t i = 0; i < 10; i++)
            send_from(&p, i * 50000, 50000);
        pl_data_channel_close(p.a.channel);
        PIPE_UNTIL(&p, p.a.closed); /* SCTP has all of it */
        PL_OKAY(!p.b.closed && p.b.n_messages == 0);
        pl_data_channel_resume(p.b.channel);
        PIPE_UNTIL(&p, p.b.closed);
        PL_EQ(p.b.n_messages, 10);
        PL_OKAY(!p.b.wrong);
        pipe_close(&p);
    }
}

PL_TEST(a_paused_channel_may_be_left)
{
    for (int how = 0; how < 4; how++) {
        pipe_duo p;
        pipe_open(&p, &(pipe_conf){ .own_loop = how % 2 });
        for (uint64_t i = 0; i < 20; i++)
            send_from(&p, i * 50000, 50000);
        pl_data_channel_pause(p.b.channel);
        for (int i = 0; i < 20; i++)
            pipe_nap(&p);
        if (how / 2) {
            pl_peer_connection_free(p.b.pc);
            p.b.pc = NULL;
        } else {
            pl_data_channel_free(p.b.channel);
            p.b.channel = NULL;
        }
        PIPE_UNTIL(&p, p.a.closed);
        pipe_close(&p);
    }
}

/* --- an observer that changes its mind --- */

typedef struct ear {
    _Atomic unsigned n_whole, n_pieces, n_last;
    _Atomic uint64_t n_bytes;
    _Atomic bool wants_pieces;
} ear;

static void hear_piece(void *user, pl_data_channel *c, const uint8_t *data, size_t len, bool binary,
                       bool first, bool last);

static void hear_whole(void *user, pl_data_channel *c, const uint8_t *data, size_t len, bool binary)
{
    ear *e = user;
    pl_data_channel_observer o = { .user = e, .on_piece = hear_piece };
    (void)data, (void)binary;
    e->n_whole++;
    e->n_bytes += len;
    pl_data_channel_set_observer(c, &o);
}

static void hear_piece(void *user, pl_data_channel *c, const uint8_t *data, size_t len, bool binary,
                       bool first, bool last)
{
    ear *e = user;
    pl_data_channel_observer o = { .user = e, .on_message = hear_whole };
    (void)data, (void)binary, (void)first;
    e->n_pieces++;
    e->n_last += last;
    e->n_bytes += len;
    if (last)
        pl_data_channel_set_observer(c, &o);
}

PL_TEST(an_observer_may_change_between_messages)
{
    for (int own = 0; own < 2; own++) {
        pipe_duo p;
        ear e = { 0 };
        pipe_open(&p, &(pipe_conf){ .own_loop = own, .whole = true });
        pl_data_channel_observer o = { .user = &e, .on_message = hear_whole };
        pl_data_channel_pause(p.b.channel);
        pl_data_channel_set_observer(p.b.channel, &o); /* nothing comes meanwhile */
        pl_data_channel_resume(p.b.channel);
        for (uint64_t i = 0; i < 40; i++)
            send_from(&p, i * 200000, 200000);
        PIPE_UNTIL(&p, e.n_bytes == 40 * 200000);
        PL_EQ(e.n_whole, 20);
        PL_EQ(e.n_last, 20);
        pipe_close(&p);
    }
}

PL_TESTS(t(whole_messages_of_sixteen_mebibytes), t(sizes_that_cannot_be_configured),
         t(pieces_become_whole_for_who_wants_that), t(a_message_that_cannot_be_held_closes_its_channel),
         t(a_paused_channel_says_nothing_and_loses_nothing), t(closing_waits_behind_what_is_held),
         t(a_paused_channel_may_be_left), t(an_observer_may_change_between_messages))
