#include "pair.h"

#include <stdio.h>
#include <stdlib.h>

enum { BUFFER = 4 << 20 };

static pl_loop *loop;
static pl_factory *factory;

double bench_clock_s(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void bench_die(const char *what)
{
    fprintf(stderr, "bench-data: %s\n", what);
    exit(1);
}

void bench_check(pl_err err, const char *what)
{
    if (err) {
        fprintf(stderr, "bench-data: %s: %s\n", what, pl_err_str(err));
        exit(1);
    }
}

void bench_begin(const char *address)
{
    pl_factory_conf conf = { .bind_address = address, .loopback = address != NULL };
    bench_check(pl_loop_new(&loop, NULL), "loop");
    conf.loop = loop;
    bench_check(pl_factory_new(&factory, &conf), "factory");
}

void bench_end(void)
{
    pl_factory_free(factory);
    pl_loop_free(loop);
}

pl_factory *bench_factory(void)
{
    return factory;
}

void bench_wait(double seconds)
{
    pl_loop_run_once(loop, (int64_t)(seconds * 1e6));
}

static void on_candidate(void *user, const pl_ice_candidate *c)
{
    side *s = user;
    bench_check(pl_peer_connection_add_ice_candidate(s->other->pc, c), "candidate");
}

static void on_state(void *user, pl_peer_connection_state state, const char *reason)
{
    side *s = user;
    if (state == PL_CONNECTION_FAILED) {
        fprintf(stderr, "bench-data: %s\n", reason);
        s->failed = true;
    }
}

static void on_open(void *user, pl_data_channel *c)
{
    (void)c;
    ((side *)user)->open = true;
}

static void on_message(void *user, pl_data_channel *c, const uint8_t *data, size_t len, bool binary)
{
    side *s = user;
    (void)c, (void)data, (void)binary;
    s->bytes += len;
    s->messages++;
}

static void on_channel(void *user, pl_data_channel *c)
{
    side *s = user;
    pl_data_channel_observer o = { .user = s, .on_open = on_open, .on_message = on_message };
    pl_data_channel_set_observer(c, &o);
    s->channel = c;
}

static void make_side(side *s, side *other)
{
    pl_peer_connection_observer o = { .user = s,
                                      .on_ice_candidate = on_candidate,
                                      .on_connection_state = on_state,
                                      .on_data_channel = on_channel };
    *s = (side){ .other = other };
    bench_check(pl_peer_connection_new(&s->pc, factory, NULL, &o), "connection");
}

/* Offer and answer travel by call; candidates follow as they come. */
static void negotiate(pair *p)
{
    char *sdp;
    bench_check(pl_peer_connection_create_offer(p->a.pc, NULL, &sdp), "offer");
    bench_check(pl_peer_connection_set_local_description(p->a.pc, PL_SDP_OFFER, sdp), "local offer");
    bench_check(pl_peer_connection_set_remote_description(p->b.pc, PL_SDP_OFFER, sdp), "remote offer");
    pl_free(sdp);
    bench_check(pl_peer_connection_create_answer(p->b.pc, &sdp), "answer");
    bench_check(pl_peer_connection_set_local_description(p->b.pc, PL_SDP_ANSWER, sdp), "local answer");
    bench_check(pl_peer_connection_set_remote_description(p->a.pc, PL_SDP_ANSWER, sdp), "remote answer");
    pl_free(sdp);
}

void bench_open_pair(pair *p)
{
    pl_data_channel_observer o = { .user = &p->a, .on_open = on_open, .on_message = on_message };
    make_side(&p->a, &p->b);
    make_side(&p->b, &p->a);
    bench_check(pl_peer_connection_create_data_channel(p->a.pc, "bench", NULL, &o, &p->a.channel), "channel");
    p->offered_s = bench_clock_s(CLOCK_MONOTONIC);
    negotiate(p);
}

void bench_wait_open(pair *p)
{
    double until = bench_clock_s(CLOCK_MONOTONIC) + 10;
    while (!p->a.open || !p->b.open) {
        if (p->a.failed || p->b.failed || bench_clock_s(CLOCK_MONOTONIC) > until)
            bench_die("the pair did not connect");
        bench_wait(0.1);
    }
}

void bench_close_pair(pair *p)
{
    pl_data_channel_free(p->a.channel);
    pl_data_channel_free(p->b.channel);
    pl_peer_connection_free(p->a.pc);
    pl_peer_connection_free(p->b.pc);
}

void bench_fill(side *s, const uint8_t *message, size_t len)
{
    while (pl_data_channel_buffered_amount(s->channel) < BUFFER) {
        pl_err err = pl_data_channel_send(s->channel, message, len, true);
        if (err == PL_EAGAIN)
            return;
        bench_check(err, "send");
    }
}
