/* Streams of a data channel with every allocation failing once: from a callback and from a file, as messages, as one in parts; taken
 * whole and in pieces. What was begun comes to its end, told once; what arrives is what was sent, in order; and what ended well
 * has arrived, or the channel has closed. */
#include "pl_test.h"

#include <unistd.h>

#include "base/time.h"
#include "fail.h"
#include "net/loop.h"
#include "peerline/loop.h"
#include "peerline/peer_connection.h"

enum { LENGTH = 90000, LONG_S = 20 };

typedef struct side {
    pl_peer_connection *pc;
    pl_data_channel *channel;
    bool open, closed;
} side;

static pl_loop *loop;
static pl_factory *factory;
static side ann, bob;
static uint8_t bytes[LENGTH];
static size_t n_read, n_heard;
static unsigned n_done;
static pl_err result;
static bool in_pieces;

static void take(const uint8_t *data, size_t len)
{
    PL_LE(n_heard + len, LENGTH);
    PL_MEMEQ(data, bytes + n_heard, len);
    n_heard += len;
}

static void on_message(void *user, pl_data_channel *c, const uint8_t *data, size_t len, bool binary)
{
    (void)user, (void)c, (void)binary;
    take(data, len);
}

static void on_piece(void *user, pl_data_channel *c, const uint8_t *data, size_t len, bool binary, bool first,
                     bool last)
{
    (void)user, (void)c, (void)binary, (void)first, (void)last;
    take(data, len);
}

static void on_open(void *user, pl_data_channel *c)
{
    (void)c;
    ((side *)user)->open = true;
}

static void on_close(void *user, pl_data_channel *c)
{
    (void)c;
    ((side *)user)->closed = true;
}

static void make(side *s)
{
    const pl_configuration conf = { .max_message_size = PL_MESSAGE_SIZE_ANY };
    const pl_data_channel_init init = { .negotiated = true, .id = 1 };
    const pl_data_channel_observer o = { .user = s,
                                         .on_open = on_open,
                                         .on_message = on_message,
                                         .on_close = on_close,
                                         .on_piece = in_pieces ? on_piece : NULL };
    *s = (side){ 0 };
    PL_EQ(pl_peer_connection_new(&s->pc, factory, &conf, NULL), PL_OK);
    PL_EQ(pl_peer_connection_create_data_channel(s->pc, "stream", &init, &o, &s->channel), PL_OK);
}

static void describe(side *from, side *to, pl_sdp_type type)
{
    char *sdp;
    PL_EQ(pl_peer_connection_set_local_description(from->pc, type, NULL), PL_OK);
    while (pl_peer_connection_get_ice_gathering_state(from->pc) != PL_ICE_GATHERING_COMPLETE)
        (void)pl_loop_run_once(loop, 100);
    PL_EQ(pl_peer_connection_local_description(from->pc, NULL, &sdp), PL_OK);
    PL_EQ(pl_peer_connection_set_remote_description(to->pc, type, sdp), PL_OK);
    pl_free(sdp);
}

static void drop(void)
{
    side *both[] = { &ann, &bob };
    for (int i = 0; i < 2; i++) {
        pl_data_channel_free(both[i]->channel);
        pl_peer_connection_free(both[i]->pc);
        *both[i] = (side){ 0 };
    }
}

/* The connection serves many scenarios, until one has ended its channel. */
static void connect_them(void)
{
    fail_shield(true);
    if (ann.closed || bob.closed)
        drop();
    if (!ann.pc) {
        make(&ann);
        make(&bob);
        describe(&ann, &bob, PL_SDP_OFFER);
        describe(&bob, &ann, PL_SDP_ANSWER);
        while (!ann.open || !bob.open)
            (void)pl_loop_run_once(loop, 100);
    }
    n_read = n_heard = n_done = 0;
    fail_shield(false);
}

static long read_some(void *user, pl_data_channel *c, uint8_t *into, size_t cap)
{
    (void)user, (void)c;
    size_t n = LENGTH - n_read < cap ? LENGTH - n_read : cap;
    n = n < 20000 ? n : 20000;
    memcpy(into, bytes + n_read, n);
    n_read += n;
    return (long)n;
}

static void done(void *user, pl_data_channel *c, pl_err err)
{
    (void)user, (void)c;
    n_done++;
    result = err;
}

static void run_to_the_end(pl_err begun)
{
    int64_t end_us = pl_clock_us() + PL_SEC(LONG_S);
    PL_OKAY(begun == PL_OK || (fail_is_on() && begun == PL_ENOMEM));
    while (begun == PL_OK && pl_clock_us() < end_us &&
           (n_done == 0 || (result == PL_OK && n_heard < LENGTH && !ann.closed && !bob.closed)))
        (void)pl_loop_run_once(loop, 20);
    PL_EQ(n_done, begun == PL_OK);
    PL_OKAY(begun != PL_OK || result == PL_OK || fail_is_on());
    PL_OKAY(begun != PL_OK || result != PL_OK || n_heard == LENGTH || ann.closed || bob.closed);
    PL_OKAY(fail_is_on() || n_heard == LENGTH);
    /* Parts that went before the end may still come: they are of this scenario. */
    fail_shield(true);
    if (fail_is_on() && (result != PL_OK || begun != PL_OK || ann.closed || bob.closed))
        drop();
    fail_shield(false);
}

static void stream(size_t message_size)
{
    const pl_data_stream s = {
        .read = read_some, .done = done, .binary = true, .message_size = message_size
    };
    connect_them();
    run_to_the_end(pl_data_channel_send_stream(ann.channel, &s));
}

static void as_messages(void)
{
    stream(7000);
}

static void as_one(void)
{
    stream(PL_STREAM_ONE_MESSAGE);
}

static void of_a_file(void)
{
    static int fd = -1;
    if (fd < 0) {
        char name[] = "/tmp/peerline-stream-XXXXXX";
        fd = mkstemp(name);
        PL_GE(fd, 0);
        PL_EQ(unlink(name), 0);
        PL_EQ(write(fd, bytes, LENGTH), LENGTH);
    }
    const pl_data_file f = { .fd = fd, .done = done, .message_size = PL_STREAM_FITTING };
    connect_them();
    run_to_the_end(pl_data_channel_send_file(ann.channel, &f));
}

static void with_a_loop(void (*scenario)(void), bool pieces)
{
    for (size_t i = 0; i < LENGTH; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
    in_pieces = pieces;
    PL_EQ(pl_loop_new(&loop, NULL), PL_OK);
    PL_EQ(pl_factory_new(&factory,
                         &(pl_factory_conf){ .loop = loop, .loopback = true, .bind_address = "127.0.0.1" }),
          PL_OK);
    fail_each_but_leaks(scenario);
    drop();
    pl_factory_free(factory);
    pl_loop_free(loop);
}

PL_TEST(a_callback_gives_messages)
{
    with_a_loop(as_messages, false);
}

PL_TEST(a_callback_gives_one_message_taken_in_pieces)
{
    with_a_loop(as_one, true);
}

PL_TEST(a_callback_gives_one_message_taken_whole)
{
    with_a_loop(as_one, false);
}

PL_TEST(a_file_taken_in_pieces)
{
    with_a_loop(of_a_file, true);
}

PL_TESTS(t(a_callback_gives_messages), t(a_callback_gives_one_message_taken_in_pieces),
         t(a_callback_gives_one_message_taken_whole), t(a_file_taken_in_pieces))
