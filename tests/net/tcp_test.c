/* Streams over loopback: bytes, back-pressure, every way to end. */
#include "net_help.h"

#include <signal.h>

#include "base/rand.h"
#include "net/tcp.h"

enum { BIG = 16 << 20 }; /* more than both kernels hold */

struct side {
    pl_loop *loop;
    pl_tcp *s;
    int n_connected, n_drained, n_closed;
    pl_err end;
    size_t n, echo_left, close_at;
    uint8_t *bytes; /* BIG, or NULL */
};

static void on_connected(void *user)
{
    ((struct side *)user)->n_connected++;
}
static void on_data(void *user, uint8_t *data, size_t len)
{
    struct side *x = user;
    if (x->bytes && x->n + len <= BIG)
        memcpy(x->bytes + x->n, data, len);
    x->n += len;
    if (x->close_at && x->n >= x->close_at) {
        pl_tcp_close(x->s);
        x->s = NULL;
    }
}
static void on_drained(void *user)
{
    ((struct side *)user)->n_drained++;
}
static void on_closed(void *user, pl_err err)
{
    struct side *x = user;
    x->n_closed++;
    x->end = err;
}
static const pl_tcp_events events = { on_connected, on_data, on_drained, on_closed };

static void on_accepted(void *user, pl_tcp *s)
{
    struct side *x = user;
    x->s = s;
    x->n_connected++;
    pl_tcp_set_events(s, &events, x);
}
static void on_unwanted(void *user, pl_tcp *s)
{
    (void)user;
    pl_tcp_close(s);
}

/* A listener, a stream to it, and the stream that came out of it. */
struct rig {
    pl_loop *loop;
    pl_tcp_listener *listener;
    struct side out, in;
};

static void rig_open(struct rig *r, const char *bind, size_t queue_max)
{
    *r = (struct rig){ .loop = help_loop() };
    r->out.loop = r->in.loop = r->loop;
    pl_tcp_listen_conf lc = { .bind = help_addr(bind), .accepted = on_accepted, .user = &r->in };
    PL_EQ(pl_tcp_listen(&r->listener, r->loop, &lc), PL_OK);
    pl_tcp_conf conf = { .on = events, .user = &r->out, .queue_max = queue_max };
    PL_EQ(pl_tcp_connect(&r->out.s, r->loop, pl_tcp_listener_addr(r->listener), &conf), PL_OK);
    PL_EQ(pl_tcp_write(r->out.s, "x", 1), PL_ESTATE);
    PL_EQ(r->out.n_connected, 0);
    HELP_UNTIL(r->loop, r->out.n_connected == 1 && r->in.n_connected == 1);
}

static void rig_close(struct rig *r)
{
    pl_tcp_close(r->out.s);
    pl_tcp_close(r->in.s);
    pl_tcp_listener_close(r->listener);
    pl_loop_free(r->loop);
    free(r->out.bytes);
    free(r->in.bytes);
}

PL_TEST(streams_carry_bytes_both_ways)
{
    static const char *const bind[] = { "127.0.0.1:0", "[::1]:0" };
    for (int i = 0; i < 2; i++) {
        struct rig r;
        rig_open(&r, bind[i], 0);
        r.in.bytes = malloc(BIG);
        r.out.bytes = malloc(BIG);
        PL_OKAY(pl_addr_eq(pl_tcp_local(r.out.s), pl_tcp_remote(r.in.s)));
        PL_OKAY(pl_addr_eq(pl_tcp_remote(r.out.s), pl_tcp_local(r.in.s)));
        PL_EQ(pl_tcp_write(r.out.s, "hello ", 6), PL_OK);
        PL_EQ(pl_tcp_write(r.out.s, "there", 5), PL_OK);
        PL_EQ(pl_tcp_write(r.in.s, "well", 4), PL_OK);
        HELP_UNTIL(r.loop, r.in.n == 11 && r.out.n == 4);
        PL_MEMEQ(r.in.bytes, "hello there", 11);
        PL_MEMEQ(r.out.bytes, "well", 4);
        rig_close(&r);
    }
}

PL_TEST(a_slow_reader_slows_the_writer)
{
    enum { LIMIT = 256 * 1024, PIECE = 10000 };
    struct rig r;
    rig_open(&r, "127.0.0.1:0", LIMIT);
    r.in.bytes = malloc(BIG);
    uint8_t *data = malloc(BIG);
    pl_rand_seeded state;
    pl_rand rand = pl_rand_seed(&state, 5);
    pl_rand_bytes(&rand, data, BIG);
    pl_tcp_pause(r.in.s, true);
    size_t sent = 0;
    bool was_full = false;
    while (sent < BIG) {
        size_t len = BIG - sent < PIECE ? BIG - sent : PIECE;
        pl_err err = pl_tcp_write(r.out.s, data + sent, len);
        PL_LE(pl_tcp_queued(r.out.s), LIMIT);
        if (err == PL_OK) {
            sent += len;
            continue;
        }
        PL_EQ(err, PL_ENOSPC);
        if (!was_full) { /* nothing moves while nobody reads */
            PL_EQ(pl_loop_run_once(r.loop, PL_MS(2)), PL_OK);
            PL_EQ(r.in.n, 0);
            pl_tcp_pause(r.in.s, false);
        }
        was_full = true;
        int before = r.out.n_drained;
        HELP_UNTIL(r.loop, r.out.n_drained > before);
        PL_EQ(pl_tcp_queued(r.out.s), 0);
    }
    PL_OKAY(was_full);
    pl_tcp_pause(r.in.s, false);
    HELP_UNTIL(r.loop, r.in.n == BIG);
    PL_MEMEQ(r.in.bytes, data, BIG);
    free(data);
    rig_close(&r);
}

PL_TEST(the_end_of_a_stream_is_told_once)
{
    struct rig r;
    rig_open(&r, "127.0.0.1:0", 0);
    PL_EQ(pl_tcp_write(r.out.s, "last", 4), PL_OK);
    PL_EQ(pl_tcp_shutdown(r.out.s), PL_OK);
    PL_EQ(pl_tcp_shutdown(r.out.s), PL_ESTATE);
    PL_EQ(pl_tcp_write(r.out.s, "later", 5), PL_ESTATE);
    HELP_UNTIL(r.loop, r.in.n_closed == 1);
    PL_EQ(r.in.end, PL_OK);
    PL_EQ(r.in.n, 4);
    PL_EQ(r.out.n_closed, 0); /* the other direction lives until we close */
    pl_tcp_close(r.in.s);
    r.in.s = NULL;
    HELP_UNTIL(r.loop, r.out.n_closed == 1);
    PL_EQ(r.out.end, PL_OK);
    PL_EQ(pl_tcp_write(r.out.s, "x", 1), PL_ESTATE);
    PL_EQ(pl_loop_run_once(r.loop, 0), PL_OK);
    PL_EQ(r.in.n_closed + r.out.n_closed, 2);
    rig_close(&r);
}

static volatile sig_atomic_t n_sigpipes;

static void on_sigpipe(int number)
{
    (void)number;
    n_sigpipes = n_sigpipes + 1;
}

/* Both ways to write on: from outside of the loop, and what the loop has queued. */
PL_TEST(a_peer_that_is_gone_costs_no_signal)
{
    void (*before)(int) = signal(SIGPIPE, on_sigpipe);
    for (int queued = 0; queued < 2; queued++) {
        struct rig r;
        rig_open(&r, "127.0.0.1:0", BIG);
        pl_tcp_pause(r.in.s, true);
        uint8_t *data = calloc(1, BIG);
        PL_EQ(pl_tcp_write(r.out.s, data, queued ? BIG : 10), PL_OK);
        PL_EQ(pl_tcp_queued(r.out.s) > 0, queued);
        pl_tcp_close(r.in.s); /* with bytes that nobody has read: the kernel says RST */
        r.in.s = NULL;
        for (int i = 0; i < 5 && !r.out.n_closed; i++) {
            (void)!pl_tcp_write(r.out.s, "x", 1);
            PL_EQ(pl_loop_run_once(r.loop, PL_MS(20)), PL_OK);
        }
        HELP_UNTIL(r.loop, r.out.n_closed == 1);
        PL_EQ(n_sigpipes, 0);
        free(data);
        rig_close(&r);
    }
    raise(SIGPIPE); /* the application's own are still its own */
    PL_EQ(n_sigpipes, 1);
    signal(SIGPIPE, before);
}

PL_TEST(a_stream_may_close_inside_its_callback)
{
    struct rig r;
    rig_open(&r, "127.0.0.1:0", 0);
    r.in.close_at = 3;
    PL_EQ(pl_tcp_write(r.out.s, "abcdef", 6), PL_OK);
    HELP_UNTIL(r.loop, r.out.n_closed == 1);
    PL_OKAY(r.in.s == NULL);
    PL_EQ(r.in.n_closed, 0);
    rig_close(&r);
}

static void count_accepted(void *user, pl_tcp *s)
{
    ++*(unsigned *)user;
    pl_tcp_close(s);
}

/* Of several listeners on one port the same hears all of one IP address, on that port and on another. */
PL_TEST(one_client_has_one_listener)
{
    enum { N = 4, CLIENTS = 12, EACH = 5 };
    pl_loop *loop = help_loop();
    pl_tcp_listener *listener[2][N];
    unsigned heard[2][N] = { 0 };
    pl_addr at[2];
    for (unsigned g = 0; g < 2; g++) {
        at[g] = help_addr("0.0.0.0:0");
        for (unsigned i = 0; i < N; i++) {
            pl_tcp_listen_conf lc = { .bind = at[g],
                                      .reuse_port = true,
                                      .by_client_ip = i == N - 1 ? N : 0,
                                      .accepted = count_accepted,
                                      .user = &heard[g][i] };
            PL_EQ(pl_tcp_listen(&listener[g][i], loop, &lc), PL_OK);
            at[g] = *pl_tcp_listener_addr(listener[g][i]);
        }
        at[g].ip[0] = 127, at[g].ip[3] = 1;
    }
    unsigned n_used = 0;
    for (unsigned c = 0; c < CLIENTS; c++) {
        unsigned by[N] = { 0 };
        for (unsigned k = 0; k < 2 * EACH; k++) {
            struct side x = { 0 };
            pl_tcp_conf conf = { .on = events, .user = &x };
            memset(heard, 0, sizeof heard);
            conf.bind = help_addr("127.0.0.1:0");
            conf.bind.ip[3] = (uint8_t)(10 + c);
            PL_EQ(pl_tcp_connect(&x.s, loop, &at[k % 2], &conf), PL_OK);
            HELP_UNTIL(loop, x.n_closed == 1);
            for (unsigned i = 0; i < N; i++)
                by[i] += heard[k % 2][i];
            pl_tcp_close(x.s);
        }
        unsigned most = 0;
        for (unsigned i = 0; i < N; i++)
            most = by[i] > most ? by[i] : most;
        PL_EQ(most, 2 * EACH);
        n_used |= by[0] ? 1 : by[1] ? 2 : by[2] ? 4 : 8;
    }
    PL_OKAY(n_used & (n_used - 1)); /* twelve clients were not all sent to one */
    for (unsigned i = 0; i < 2 * N; i++)
        pl_tcp_listener_close(listener[i / N][i % N]);
    pl_loop_free(loop);
}

/* RFC 6062: connections leave from the port that also listens. */
PL_TEST(a_stream_may_leave_from_a_listening_port)
{
    pl_loop *loop = help_loop();
    pl_tcp_listener *here, *there;
    struct side in = { 0 }, out = { 0 };
    pl_tcp_listen_conf lc = { .bind = help_addr("127.0.0.1:0"), .reuse_port = true, .accepted = on_unwanted };
    PL_EQ(pl_tcp_listen(&here, loop, &lc), PL_OK);
    lc.accepted = on_accepted;
    lc.user = &in;
    PL_EQ(pl_tcp_listen(&there, loop, &lc), PL_OK);
    pl_tcp_conf conf = {
        .on = events, .user = &out, .bind = *pl_tcp_listener_addr(here), .reuse_port = true
    };
    PL_EQ(pl_tcp_connect(&out.s, loop, pl_tcp_listener_addr(there), &conf), PL_OK);
    HELP_UNTIL(loop, out.n_connected == 1 && in.n_connected == 1);
    PL_OKAY(pl_addr_eq(pl_tcp_remote(in.s), pl_tcp_listener_addr(here)));
    pl_tcp_close(in.s);
    pl_tcp_close(out.s);
    pl_tcp_listener_close(here);
    pl_tcp_listener_close(there);
    pl_loop_free(loop);
}

PL_TEST(nobody_there_and_nobody_wanted)
{
    pl_loop *loop = help_loop();
    struct side x = { .loop = loop };
    pl_tcp_listen_conf lc = { .bind = help_addr("127.0.0.1:0"), .accepted = on_unwanted };
    pl_tcp_listener *l;
    PL_EQ(pl_tcp_listen(&l, loop, &lc), PL_OK);
    pl_addr there = *pl_tcp_listener_addr(l);
    pl_tcp_conf conf = { .on = events, .user = &x, .bind = help_addr("127.0.0.1:0") };
    PL_EQ(pl_tcp_connect(&x.s, loop, &there, &conf), PL_OK);
    HELP_UNTIL(loop, x.n_closed == 1); /* accepted and cut */
    pl_tcp_close(x.s);
    pl_tcp_listener *twice;
    lc.bind = there;
    PL_EQ(pl_tcp_listen(&twice, loop, &lc), PL_EIO);
    lc.bind.family = PL_AF_NONE;
    PL_EQ(pl_tcp_listen(&twice, loop, &lc), PL_EINVAL);
    pl_tcp_listener_close(l);
    PL_EQ(pl_loop_run_once(loop, 0), PL_OK);
    x = (struct side){ .loop = loop };
    PL_EQ(pl_tcp_connect(&x.s, loop, &there, &conf), PL_OK);
    HELP_UNTIL(loop, x.n_closed == 1);
    PL_EQ(x.end, PL_EIO);
    PL_EQ(x.n_connected, 0);
    pl_tcp_close(x.s);
    PL_EQ(pl_tcp_connect(&x.s, loop, &(pl_addr){ 0 }, &conf), PL_EINVAL);
    PL_EQ(pl_tcp_connect(&x.s, loop, &there, &conf), PL_OK);
    pl_tcp_close(x.s); /* while connecting */
    pl_tcp_close(NULL);
    pl_tcp_listener_close(NULL);
    pl_loop_free(loop);
}

PL_TESTS(t(streams_carry_bytes_both_ways), t(a_slow_reader_slows_the_writer),
         t(the_end_of_a_stream_is_told_once), t(a_peer_that_is_gone_costs_no_signal),
         t(a_stream_may_close_inside_its_callback), t(nobody_there_and_nobody_wanted),
         t(one_client_has_one_listener), t(a_stream_may_leave_from_a_listening_port))
