/* Streams and files: any length in little memory, whole, in order, and to an end that is told once. */
#include "peer/pipe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { MIB = 1 << 20 };

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
enum { BIG_MIB = 24, GROWTH_MAX = 1 << 30 }; /* their own memory is not ours to bound */
#else
enum { BIG_MIB = 256, GROWTH_MAX = 24 * MIB };
#endif

/* A stream that the test reads from. */
typedef struct source {
    uint64_t at, end;
    size_t at_once;     /* bytes a read gives at most; 0: any */
    uint64_t dry_every; /* "nothing yet" after so many bytes; 0: never */
    uint64_t fail_at;   /* PL_EIO from here on; 0: never */
    _Atomic uint64_t given;
    _Atomic unsigned n_dry, n_done;
    _Atomic int result;
    bool was_dry;
} source;

static long read_source(void *user, pl_data_channel *c, uint8_t *into, size_t cap)
{
    source *s = user;
    (void)c;
    size_t n = s->end - s->at < cap ? (size_t)(s->end - s->at) : cap;
    if (s->fail_at && s->at >= s->fail_at)
        return PL_EIO;
    if (s->dry_every && s->at / s->dry_every > atomic_load(&s->n_dry)) {
        atomic_fetch_add(&s->n_dry, 1);
        return PL_EAGAIN;
    }
    if (s->at_once && n > s->at_once)
        n = s->at_once;
    memcpy(into, pipe_bytes(s->at), n);
    s->at += n;
    atomic_store(&s->given, s->at);
    return (long)n;
}

static void done(void *user, pl_data_channel *c, pl_err err)
{
    source *s = user;
    (void)c;
    atomic_store(&s->result, err);
    atomic_fetch_add(&s->n_done, 1);
}

static pl_data_stream stream_of(source *s, uint64_t len, size_t message_size)
{
    return (pl_data_stream){ .user = s,
                             .read = read_source,
                             .done = done,
                             .binary = true,
                             .length = len,
                             .message_size = message_size };
}

PL_TEST(one_message_of_any_length_in_little_memory)
{
    pipe_duo p;
    pipe_open(&p, &(pipe_conf){ .conf = { .max_message_size = PL_MESSAGE_SIZE_ANY } });
    PL_EQ(pl_data_channel_max_message_size(p.a.channel), SIZE_MAX);
    size_t before = pipe_memory(), most = 0;
    source s = { .end = (uint64_t)BIG_MIB * MIB };
    pl_data_stream stream = stream_of(&s, 0, PL_STREAM_ONE_MESSAGE);
    PL_EQ(pl_data_channel_send_stream(p.a.channel, &stream), PL_OK);
    PL_EQ(pl_data_channel_send(p.a.channel, "x", 1, true), PL_ESTATE);
    PL_EQ(pl_data_channel_send_stream(p.a.channel, &stream), PL_ESTATE);
    int64_t end_us = pl_clock_us() + PL_SEC(60);
    while (!p.b.n_messages && pl_clock_us() < end_us) {
        pipe_nap(&p);
        size_t now = pipe_memory();
        most = now > most ? now : most;
        PL_OKAY(!p.b.wrong && !p.b.closed);
    }
    PIPE_UNTIL(&p, s.n_done);
    PL_EQ(s.result, PL_OK);
    PL_EQ(p.b.n_bytes, s.end);
    PL_EQ(p.b.longest, s.end);
    PL_EQ(p.b.n_messages, 1);
    PL_LE(most - before, GROWTH_MAX);
    PL_EQ(pl_data_channel_buffered_amount(p.a.channel), 0);
    PL_EQ(pl_data_channel_send(p.a.channel, pipe_bytes(s.end), 1, true), PL_OK);
    PIPE_UNTIL(&p, p.b.n_messages == 2);
    PL_OKAY(!p.b.wrong);
    PL_EQ(s.n_done, 1);
    pipe_close(&p);
}

static void as_messages(bool own_loop, size_t message_size, uint64_t len, bool known, unsigned want)
{
    pipe_duo p;
    pipe_open(&p, &(pipe_conf){ .own_loop = own_loop, .whole = true });
    source s = { .end = len, .at_once = 5000 };
    pl_data_stream stream = stream_of(&s, known ? len : 0, message_size);
    PL_EQ(pl_data_channel_send_stream(p.a.channel, &stream), PL_OK);
    PIPE_UNTIL(&p, s.n_done && p.b.n_messages == want);
    PL_EQ(s.result, PL_OK);
    PL_EQ(p.b.n_bytes, len);
    PL_OKAY(!p.b.wrong);
    PL_EQ(p.b.n_binary, want);
    pipe_close(&p);
}

PL_TEST(many_messages_of_a_size)
{
    for (int own = 0; own < 2; own++) {
        as_messages(own, PL_STREAM_FITTING, 3 * MIB + 17, false, 49);
        as_messages(own, 1000, 10000, true, 10);
        as_messages(own, 1000, 10000, false, 10);
        as_messages(own, 1000, 999, false, 1);
        as_messages(own, 262144, 5 * 262144 + 1, true, 6);
        as_messages(own, PL_STREAM_ONE_MESSAGE, 200000, true, 1);
        as_messages(own, PL_STREAM_FITTING, 0, false, 1); /* an empty message */
    }
}

PL_TEST(messages_too_long_for_a_block_go_in_parts)
{
    pipe_duo p;
    pipe_open(&p, &(pipe_conf){ .conf = { .max_message_size = 4 * MIB }, .whole = true });
    source s = { .end = 10 * MIB };
    pl_data_stream stream = stream_of(&s, 0, 4 * MIB);
    PL_EQ(pl_data_channel_send_stream(p.a.channel, &stream), PL_OK);
    PIPE_UNTIL(&p, s.n_done && p.b.n_messages == 3);
    PL_EQ(p.b.longest, 4 * MIB);
    PL_EQ(p.b.n_bytes, 10 * MIB);
    PL_OKAY(!p.b.wrong);
    pipe_close(&p);
}

PL_TEST(what_the_peer_does_not_take_is_refused)
{
    pipe_duo p;
    pipe_open(&p, &(pipe_conf){ .whole = true });
    source s = { .end = 10 };
    PL_EQ(pl_data_channel_max_message_size(p.a.channel), 262144);
    pl_data_stream unknown = stream_of(&s, 0, PL_STREAM_ONE_MESSAGE);
    pl_data_stream longer = stream_of(&s, 262145, PL_STREAM_ONE_MESSAGE);
    pl_data_stream messages = stream_of(&s, 0, 262145);
    pl_data_stream nothing = { .message_size = 100 };
    PL_EQ(pl_data_channel_send_stream(p.a.channel, &unknown), PL_EINVAL);
    PL_EQ(pl_data_channel_send_stream(p.a.channel, &longer), PL_EINVAL);
    PL_EQ(pl_data_channel_send_stream(p.a.channel, &messages), PL_EINVAL);
    PL_EQ(pl_data_channel_send_stream(p.a.channel, &nothing), PL_EINVAL);
    PL_EQ(s.n_done, 0);
    pipe_close(&p);
}

PL_TEST(a_stream_that_runs_dry_goes_on_when_told)
{
    for (int own = 0; own < 2; own++) {
        pipe_duo p;
        pipe_open(&p, &(pipe_conf){ .own_loop = own, .conf = { .max_message_size = PL_MESSAGE_SIZE_ANY } });
        for (int one = 0; one < 2; one++) {
            source s = { .at = p.b.n_bytes, .end = p.b.n_bytes + 4 * MIB, .dry_every = 300000 };
            atomic_store(&s.n_dry, (unsigned)(s.at / s.dry_every));
            pl_data_stream stream = stream_of(&s, 0, one ? PL_STREAM_ONE_MESSAGE : 10000);
            unsigned seen = s.n_dry;
            int64_t end_us = pl_clock_us() + PL_SEC(60);
            PL_EQ(pl_data_channel_send_stream(p.a.channel, &stream), PL_OK);
            while (!s.n_done && pl_clock_us() < end_us) {
                pipe_nap(&p);
                if (s.n_dry != seen) {
                    seen = s.n_dry;
                    pl_data_channel_stream_ready(p.a.channel);
                }
            }
            PL_EQ(s.n_done, 1);
            PL_EQ(s.result, PL_OK);
            PIPE_UNTIL(&p, p.b.n_bytes == s.end);
            PL_OKAY(!p.b.wrong);
        }
        pipe_close(&p);
    }
}

PL_TEST(a_stream_given_up_between_messages_leaves_the_channel_open)
{
    pipe_duo p;
    pipe_open(&p, &(pipe_conf){ 0 });
    source s = { .end = 10 * MIB, .fail_at = 2500, .at_once = 500 };
    pl_data_stream stream = stream_of(&s, 0, 1000);
    PL_EQ(pl_data_channel_send_stream(p.a.channel, &stream), PL_OK);
    PIPE_UNTIL(&p, s.n_done && p.b.n_messages == 2);
    PL_EQ(s.result, PL_EIO);
    PL_EQ(p.b.n_bytes, 2000);
    PL_EQ(pl_data_channel_send(p.a.channel, pipe_bytes(2000), 10, true), PL_OK);
    PIPE_UNTIL(&p, p.b.n_messages == 3);
    PL_OKAY(!p.b.wrong && !p.a.closed);
    pipe_close(&p);
}

PL_TEST(a_stream_given_up_in_a_message_closes_the_channel)
{
    for (int how = 0; how < 2; how++) { /* read fails; read ends before the length it had told */
        pipe_duo p;
        pipe_open(&p, &(pipe_conf){ .own_loop = how, .conf = { .max_message_size = PL_MESSAGE_SIZE_ANY } });
        source s = { .end = how ? 300000 : 10 * MIB, .fail_at = how ? 0 : 300000 };
        pl_data_stream stream = stream_of(&s, how ? 10 * MIB : 0, PL_STREAM_ONE_MESSAGE);
        PL_EQ(pl_data_channel_send_stream(p.a.channel, &stream), PL_OK);
        PIPE_UNTIL(&p, s.n_done && p.a.closed && p.b.closed);
        PL_EQ(s.result, how ? PL_EPROTO : PL_EIO);
        PL_EQ(s.n_done, 1);
        PL_EQ(p.b.n_messages, 0); /* the beginning was not taken for the whole */
        pipe_close(&p);
    }
}

PL_TEST(close_lets_a_stream_go_to_its_end)
{
    for (int own = 0; own < 2; own++) {
        pipe_duo p;
        pipe_open(&p, &(pipe_conf){ .own_loop = own });
        source s = { .end = 6 * MIB };
        pl_data_stream stream = stream_of(&s, 0, PL_STREAM_FITTING);
        PL_EQ(pl_data_channel_send_stream(p.a.channel, &stream), PL_OK);
        pl_data_channel_close(p.a.channel);
        PL_EQ(pl_data_channel_get_state(p.a.channel), PL_CHANNEL_CLOSING);
        PL_EQ(pl_data_channel_send(p.a.channel, "x", 1, true), PL_ESTATE);
        PIPE_UNTIL(&p, p.a.closed && p.b.closed);
        PL_EQ(s.n_done, 1);
        PL_EQ(s.result, PL_OK);
        PL_EQ(p.b.n_bytes, s.end); /* our on_close says that all has arrived */
        PL_OKAY(!p.b.wrong);
        pipe_close(&p);
    }
}

PL_TEST(the_ends_of_a_stream_that_is_not_finished)
{
    for (int how = 0; how < 6; how++) {
        pipe_duo p;
        pipe_open(&p, &(pipe_conf){ .own_loop = how % 2 == 1 });
        source s = { .end = UINT64_MAX / 2 };
        pl_data_stream stream = stream_of(&s, 0, PL_STREAM_FITTING);
        PL_EQ(pl_data_channel_send_stream(p.a.channel, &stream), PL_OK);
        PIPE_UNTIL(&p, p.b.n_bytes > 3 * MIB);
        if (how / 2 == 0) { /* the peer closes */
            pl_data_channel_close(p.b.channel);
            PIPE_UNTIL(&p, p.a.closed && s.n_done);
            PL_EQ(s.result, PL_ESTATE);
        } else if (how / 2 == 1) { /* the peer's connection goes */
            pl_peer_connection_close(p.b.pc);
            PIPE_UNTIL(&p, p.a.closed && s.n_done);
            PL_OKAY(s.result == PL_ESTATE || s.result == PL_EIO);
        } else { /* the handle is given back: no further callback */
            pl_data_channel_free(p.a.channel);
            p.a.channel = NULL;
            uint64_t given = s.given;
            PIPE_UNTIL(&p, p.b.closed);
            PL_EQ(s.given, given);
            PL_EQ(s.n_done, 0);
        }
        PL_OKAY(!p.b.wrong);
        pipe_close(&p);
    }
}

PL_TEST(a_connection_may_end_in_the_middle_of_everything)
{
    for (int own = 0; own < 2; own++) {
        for (int parts = 0; parts < 2; parts++) {
            pipe_duo p;
            pipe_open(&p,
                      &(pipe_conf){ .own_loop = own, .conf = { .max_message_size = PL_MESSAGE_SIZE_ANY } });
            source s = { .end = UINT64_MAX / 2 };
            pl_data_stream stream = stream_of(&s, 0, parts ? PL_STREAM_ONE_MESSAGE : PL_STREAM_FITTING);
            PL_EQ(pl_data_channel_send_stream(p.a.channel, &stream), PL_OK);
            PIPE_UNTIL(&p, s.given > 3 * MIB);
            pl_peer_connection_free(p.a.pc);
            p.a.pc = NULL;
            uint64_t given = s.given;
            PL_EQ(pl_data_channel_get_state(p.a.channel), PL_CHANNEL_CLOSED);
            pipe_nap(&p);
            PL_EQ(s.given, given);
            PL_EQ(pl_data_channel_buffered_amount(p.a.channel), 0);
            pipe_close(&p);
        }
    }
}

/* --- files --- */

static int file_of(uint64_t len)
{
    int fd = memfd_create("stream_test", MFD_CLOEXEC);
    PL_LE(0, fd);
    for (uint64_t at = 0; at < len;) {
        size_t n = len - at < MIB ? (size_t)(len - at) : MIB;
        PL_EQ(write(fd, pipe_bytes(at), n), (ssize_t)n);
        at += n;
    }
    return fd;
}

PL_TEST(a_file_is_sent_from_and_to_where_it_is_told)
{
    for (int own = 0; own < 2; own++) {
        pipe_duo p;
        pipe_open(&p, &(pipe_conf){ .own_loop = own });
        source s = { 0 };
        int fd = file_of(9 * MIB + 5);
        pl_data_file file = { .fd = fd, .message_size = PL_STREAM_FITTING, .user = &s, .done = done };
        PL_EQ(pl_data_channel_send_file(p.a.channel, &file), PL_OK);
        PIPE_UNTIL(&p, s.n_done == 1 && p.b.n_bytes == 9 * MIB + 5);
        PL_EQ(s.result, PL_OK);
        PL_EQ(p.b.n_messages, 145);
        /* from a place in the middle whose bytes look like those that come next */
        uint64_t next = p.b.n_bytes % PIPE_PERIOD;
        file.offset = next + PIPE_PERIOD;
        file.length = 2 * MIB;
        file.message_size = 100000;
        PL_EQ(pl_data_channel_send_file(p.a.channel, &file), PL_OK);
        close(fd); /* it has its own */
        PIPE_UNTIL(&p, s.n_done == 2 && p.b.n_bytes == 11 * MIB + 5);
        PL_EQ(s.result, PL_OK);
        PL_OKAY(!p.b.wrong);
        pipe_close(&p);
    }
}

PL_TEST(files_that_cannot_be_sent)
{
    pipe_duo p;
    pipe_open(&p, &(pipe_conf){ 0 });
    source s = { 0 };
    int ends[2], fd = file_of(1000);
    PL_EQ(pipe(ends), 0);
    pl_data_file file = { .fd = ends[0], .message_size = PL_STREAM_FITTING, .user = &s, .done = done };
    PL_EQ(pl_data_channel_send_file(p.a.channel, &file), PL_EIO);
    file.fd = -1;
    PL_EQ(pl_data_channel_send_file(p.a.channel, &file), PL_EIO);
    file.fd = fd;
    file.length = 1001;
    PL_EQ(pl_data_channel_send_file(p.a.channel, &file), PL_EINVAL);
    PL_EQ(s.n_done, 0);
    file.length = 0;
    file.offset = 1000; /* nothing of it: an empty message */
    PL_EQ(pl_data_channel_send_file(p.a.channel, &file), PL_OK);
    PIPE_UNTIL(&p, s.n_done == 1 && p.b.n_messages == 1);
    PL_EQ(p.b.n_bytes, 0);
    close(ends[0]);
    close(ends[1]);
    close(fd);
    pipe_close(&p);
}

PL_TEST(a_file_that_shrinks_is_told)
{
    pipe_duo p;
    pipe_open(&p, &(pipe_conf){ 0 });
    source s = { 0 };
    int fd = file_of(40 * MIB);
    pl_data_file file = { .fd = fd, .message_size = PL_STREAM_FITTING, .user = &s, .done = done };
    PL_EQ(pl_data_channel_send_file(p.a.channel, &file), PL_OK);
    PL_EQ(ftruncate(fd, 100), 0);
    PIPE_UNTIL(&p, s.n_done == 1);
    PL_EQ(s.result, PL_EPROTO);
    PL_OKAY(!p.b.wrong && !p.a.closed);
    close(fd);
    pipe_close(&p);
}

PL_TEST(a_file_may_be_left_in_the_middle)
{
    for (int how = 0; how < 4; how++) {
        pipe_duo p;
        pipe_open(&p, &(pipe_conf){ .own_loop = how % 2 });
        source s = { 0 };
        int fd = file_of(64 * MIB);
        pl_data_file file = { .fd = fd, .message_size = PL_STREAM_FITTING, .user = &s, .done = done };
        PL_EQ(pl_data_channel_send_file(p.a.channel, &file), PL_OK);
        for (int i = 0; i < how; i++)
            pipe_nap(&p);
        if (how / 2)
            pl_data_channel_free(p.a.channel);
        else
            pl_peer_connection_free(p.a.pc);
        p.a.channel = how / 2 ? NULL : p.a.channel;
        p.a.pc = how / 2 ? p.a.pc : NULL;
        close(fd);
        PIPE_UNTIL(&p, p.b.closed);
        PL_EQ(s.n_done, 0);
        pipe_close(&p);
    }
}

PL_TESTS(t(one_message_of_any_length_in_little_memory), t(many_messages_of_a_size),
         t(messages_too_long_for_a_block_go_in_parts), t(what_the_peer_does_not_take_is_refused),
         t(a_stream_that_runs_dry_goes_on_when_told),
         t(a_stream_given_up_between_messages_leaves_the_channel_open),
         t(a_stream_given_up_in_a_message_closes_the_channel), t(close_lets_a_stream_go_to_its_end),
         t(the_ends_of_a_stream_that_is_not_finished), t(a_connection_may_end_in_the_middle_of_everything),
         t(a_file_is_sent_from_and_to_where_it_is_told), t(files_that_cannot_be_sent),
         t(a_file_that_shrinks_is_told), t(a_file_may_be_left_in_the_middle))
