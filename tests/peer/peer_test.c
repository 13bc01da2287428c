/* The public interface over real loopback sockets: with the library's threads, with the application's loop,
 * and with calls from everywhere. Run under the thread sanitizer, too. */
#include "pl_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "net/loop.h"
#include "net/thread.h"
#include "peerline/loop.h"
#include "peerline/peer_connection.h"

enum { WAIT_MS = 20000 };

enum { HELD_MAX = 16 };

typedef struct side {
    pl_peer_connection *pc;
    pl_mutex lock; /* candidates wait until the other side knows our description, as signaling keeps order */
    bool described;
    char held[HELD_MAX][200];
    int n_held;
    struct side *other;
    pl_data_channel *channel;
    _Atomic int n_open, n_closed, n_low, n_needed, state, n_messages, n_callbacks;
    _Atomic uint64_t bytes;
    _Atomic bool ended; /* no callback may come any more */
    bool echo, free_in_callback;
    char reason[128];
} side;

static pl_loop *own_loop; /* NULL: the factory has threads */

static void nap(void)
{
    if (own_loop)
        pl_loop_run_once(own_loop, 5000);
    else
        usleep(2000);
}

/* Waits until a counter has reached a value. */
static bool reach(_Atomic int *what, int at_least)
{
    for (int64_t end_us = pl_clock_us() + WAIT_MS * 1000; pl_clock_us() < end_us;) {
        if (atomic_load(what) >= at_least)
            return true;
        nap();
    }
    return false;
}

static void count(side *s)
{
    PL_OKAY(!atomic_load(&s->ended));
    atomic_fetch_add(&s->n_callbacks, 1);
}

static void on_open(void *user, pl_data_channel *c)
{
    side *s = user;
    count(s);
    PL_OKAY(pl_data_channel_id(c) >= 0);
    atomic_fetch_add(&s->n_open, 1);
}

static void on_close(void *user, pl_data_channel *c)
{
    (void)c;
    count(user);
    atomic_fetch_add(&((side *)user)->n_closed, 1);
}

static void on_low(void *user, pl_data_channel *c)
{
    (void)c;
    count(user);
    atomic_fetch_add(&((side *)user)->n_low, 1);
}

static void on_message(void *user, pl_data_channel *c, const uint8_t *data, size_t len, bool binary)
{
    side *s = user;
    count(s);
    atomic_fetch_add(&s->bytes, len);
    if (s->echo)
        PL_EQ(pl_data_channel_send(c, data, len, binary), PL_OK); /* a call from inside a callback */
    if (s->free_in_callback) { /* the channel's connection, from one of the channel's callbacks */
        pl_peer_connection_free(s->pc);
        s->pc = NULL;
        atomic_store(&s->ended, true);
    }
    atomic_fetch_add(&s->n_messages, 1);
}

static pl_data_channel_observer channel_observer(side *s)
{
    return (pl_data_channel_observer){ .user = s,
                                       .on_open = on_open,
                                       .on_message = on_message,
                                       .on_buffered_amount_low = on_low,
                                       .on_close = on_close };
}

static void on_channel(void *user, pl_data_channel *c)
{
    side *s = user;
    pl_data_channel_observer o = channel_observer(s);
    count(s);
    pl_data_channel_set_observer(c, &o);
    s->channel = c;
}

static void give(side *s, const char *line)
{
    pl_ice_candidate c = { .candidate = line, .sdp_mid = "0", .sdp_mline_index = 0 };
    if (s->other->pc) /* one test frees it in a callback */
        PL_EQ(pl_peer_connection_add_ice_candidate(s->other->pc, &c), PL_OK);
}

static void on_candidate(void *user, const pl_ice_candidate *c)
{
    side *s = user;
    count(s);
    pl_mutex_lock(&s->lock);
    bool wait = !s->described && s->n_held < HELD_MAX;
    if (wait)
        snprintf(s->held[s->n_held++], sizeof s->held[0], "%s", c->candidate);
    pl_mutex_unlock(&s->lock);
    if (!wait)
        give(s, c->candidate);
}

static void describe(side *s)
{
    pl_mutex_lock(&s->lock);
    s->described = true;
    pl_mutex_unlock(&s->lock);
    for (int i = 0; i < s->n_held; i++)
        give(s, s->held[i]);
}

static void on_state(void *user, pl_peer_connection_state state, const char *reason)
{
    side *s = user;
    count(s);
    if (reason[0])
        snprintf(s->reason, sizeof s->reason, "%s", reason);
    atomic_store(&s->state, (int)state);
}

static void on_needed(void *user)
{
    count(user);
    atomic_fetch_add(&((side *)user)->n_needed, 1);
}

static void make(side *s, side *other, pl_factory *f)
{
    pl_peer_connection_observer o = { .user = s,
                                      .on_ice_candidate = on_candidate,
                                      .on_connection_state = on_state,
                                      .on_negotiation_needed = on_needed,
                                      .on_data_channel = on_channel };
    memset(s, 0, sizeof *s);
    s->other = other;
    pl_mutex_init(&s->lock);
    PL_EQ(pl_peer_connection_new(&s->pc, f, NULL, &o), PL_OK);
}

static void negotiate(side *a, side *b)
{
    char *sdp;
    PL_EQ(pl_peer_connection_create_offer(a->pc, NULL, &sdp), PL_OK);
    PL_EQ(pl_peer_connection_set_local_description(a->pc, PL_SDP_OFFER, sdp), PL_OK);
    PL_EQ(pl_peer_connection_get_signaling_state(a->pc), PL_SIGNALING_HAVE_LOCAL_OFFER);
    PL_EQ(pl_peer_connection_set_remote_description(b->pc, PL_SDP_OFFER, sdp), PL_OK);
    describe(a);
    pl_free(sdp);
    PL_EQ(pl_peer_connection_set_local_description(b->pc, PL_SDP_ANSWER, NULL), PL_OK);
    pl_sdp_type type;
    PL_EQ(pl_peer_connection_local_description(b->pc, &type, &sdp), PL_OK);
    PL_EQ(type, PL_SDP_ANSWER);
    PL_EQ(pl_peer_connection_set_remote_description(a->pc, PL_SDP_ANSWER, sdp), PL_OK);
    describe(b);
    pl_free(sdp);
}

typedef struct world {
    pl_factory *f;
    side a, b;
} world;

static void open_world(world *w, bool threads)
{
    pl_factory_conf conf = { .bind_address = "127.0.0.1", .loopback = true };
    own_loop = NULL;
    if (!threads) {
        PL_EQ(pl_loop_new(&own_loop, NULL), PL_OK);
        conf.loop = own_loop;
    }
    PL_EQ(pl_factory_new(&w->f, &conf), PL_OK);
    make(&w->a, &w->b, w->f);
    make(&w->b, &w->a, w->f);
    pl_data_channel_observer o = channel_observer(&w->a);
    PL_EQ(pl_peer_connection_create_data_channel(w->a.pc, "test", NULL, &o, &w->a.channel), PL_OK);
    PL_OKAY(reach(&w->a.n_needed, 1));
    negotiate(&w->a, &w->b);
    PL_OKAY(reach(&w->a.n_open, 1) && reach(&w->b.n_open, 1));
    PL_OKAY(reach(&w->a.state, PL_CONNECTION_CONNECTED));
}

static void close_world(world *w)
{
    pl_data_channel_free(w->a.channel);
    pl_data_channel_free(w->b.channel);
    pl_peer_connection_free(w->a.pc);
    atomic_store(&w->a.ended, true);
    pl_peer_connection_free(w->b.pc);
    atomic_store(&w->b.ended, true);
    for (int i = 0; own_loop && i < 10; i++)
        pl_loop_run_once(own_loop, 1000);
    pl_factory_free(w->f);
    pl_loop_free(own_loop);
    own_loop = NULL;
}

static void messages_both_ways(bool threads)
{
    enum { N = 500 };
    world w;
    char text[2000];
    open_world(&w, threads);
    w.b.echo = true;
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < N; i++) {
        pl_err err;
        while ((err = pl_data_channel_send(w.a.channel, text, 4 * i, i % 2)) == PL_EAGAIN)
            nap();
        PL_EQ(err, PL_OK);
    }
    PL_OKAY(reach(&w.a.n_messages, N));
    PL_EQ(atomic_load(&w.a.bytes), 4 * (N - 1) * N / 2);
    PL_EQ(pl_data_channel_buffered_amount(w.a.channel), 0);
    PL_STREQ(pl_data_channel_label(w.b.channel), "test");
    pl_stats_report *r;
    PL_EQ(pl_peer_connection_get_stats(w.a.pc, &r), PL_OK);
    const pl_stats *d = pl_stats_find(r, PL_STATS_DATA_CHANNEL, 0);
    PL_OKAY(d && d->u.data_channel.messages_sent == N && d->u.data_channel.messages_received == N);
    pl_stats_report_free(r);
    pl_setup_times t;
    pl_peer_connection_get_setup_times(w.a.pc, &t);
    PL_OKAY(t.ice_connected_us > 0 && t.dtls_connected_us > 0 && t.channel_open_us >= t.dtls_connected_us);
    close_world(&w);
}

PL_TEST(messages_with_threads)
{
    messages_both_ways(true);
}

PL_TEST(messages_on_an_own_loop)
{
    messages_both_ways(false);
}

PL_TEST(a_full_buffer_is_refused_and_drains)
{
    world w;
    static uint8_t big[200000];
    open_world(&w, true);
    pl_data_channel_set_buffered_amount_low_threshold(w.a.channel, 1000);
    int n = 0;
    pl_err err = PL_OK;
    while (n < 150 && (err = pl_data_channel_send(w.a.channel, big, sizeof big, true)) == PL_OK)
        n++;
    PL_OKAY(err == PL_EAGAIN || n == 150);
    PL_EQ(pl_data_channel_send(w.a.channel, big, 300000, true),
          PL_EINVAL); /* 300,000: over its array, never read */
    PL_OKAY(reach(&w.b.n_messages, n));
    PL_OKAY(reach(&w.a.n_low, 1));
    PL_EQ(atomic_load(&w.b.bytes), (uint64_t)n * sizeof big);
    close_world(&w);
}

PL_TEST(closing_a_channel_is_seen_at_both_ends)
{
    world w;
    open_world(&w, true);
    pl_data_channel_close(w.a.channel);
    PL_OKAY(reach(&w.b.n_closed, 1));
    PL_OKAY(reach(&w.a.n_closed, 1));
    PL_EQ(pl_data_channel_send(w.a.channel, "x", 1, true), PL_ESTATE);
    PL_EQ(pl_data_channel_get_state(w.a.channel), PL_CHANNEL_CLOSED);
    close_world(&w);
}

PL_TEST(handles_outlive_their_connection)
{
    world w;
    open_world(&w, true);
    pl_peer_connection_close(w.a.pc);
    PL_OKAY(reach(&w.b.state, PL_CONNECTION_DISCONNECTED));
    PL_EQ(pl_peer_connection_get_connection_state(w.a.pc), PL_CONNECTION_CLOSED);
    char *sdp;
    PL_EQ(pl_peer_connection_create_offer(w.a.pc, NULL, &sdp), PL_ESTATE);
    pl_peer_connection_free(w.a.pc);
    w.a.pc = NULL;
    PL_EQ(pl_data_channel_send(w.a.channel, "x", 1, true), PL_ESTATE);
    close_world(&w);
}

PL_TEST(a_connection_may_be_freed_in_its_own_callback)
{
    for (int threads = 0; threads < 2; threads++) {
        pl_factory_conf conf = { .bind_address = "127.0.0.1", .loopback = true };
        pl_factory *f;
        side a, b;
        own_loop = NULL;
        if (!threads) {
            PL_EQ(pl_loop_new(&own_loop, NULL), PL_OK);
            conf.loop = own_loop;
        }
        PL_EQ(pl_factory_new(&f, &conf), PL_OK);
        make(&a, &b, f);
        make(&b, &a, f);
        a.free_in_callback = true;
        pl_data_channel_observer o = channel_observer(&a);
        PL_EQ(pl_peer_connection_create_data_channel(a.pc, "x", NULL, &o, &a.channel), PL_OK);
        negotiate(&a, &b);
        PL_OKAY(reach(&a.n_open, 1) && reach(&b.n_open, 1));
        PL_EQ(pl_data_channel_send_text(b.channel, "go"), PL_OK);
        PL_OKAY(reach(&a.n_messages, 1));
        PL_OKAY(reach(&b.state, PL_CONNECTION_DISCONNECTED));
        PL_OKAY(strstr(b.reason, "closed") != NULL);
        pl_data_channel_free(a.channel);
        pl_data_channel_free(b.channel);
        pl_peer_connection_free(b.pc);
        pl_factory_free(f);
        pl_loop_free(own_loop);
        own_loop = NULL;
    }
}

/* ---- many threads ---- */

typedef struct crowd {
    world *w;
    _Atomic int sent;
} crowd;

static void *send_and_ask(void *arg)
{
    crowd *c = arg;
    for (int i = 0; i < 200; i++) {
        if (pl_data_channel_send(c->w->a.channel, "hello", 5, false) == PL_OK)
            atomic_fetch_add(&c->sent, 1);
        pl_peer_connection_get_ice_connection_state(c->w->a.pc);
        (void)pl_data_channel_buffered_amount(c->w->a.channel);
        if (i % 50 == 0) {
            pl_stats_report *r;
            if (pl_peer_connection_get_stats(c->w->b.pc, &r) == PL_OK)
                pl_stats_report_free(r);
        }
    }
    return NULL;
}

PL_TEST(any_thread_may_call)
{
    world w;
    crowd c = { .w = &w };
    pthread_t t[4];
    open_world(&w, true);
    for (int i = 0; i < 4; i++)
        PL_EQ(pthread_create(&t[i], NULL, send_and_ask, &c), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    PL_EQ(atomic_load(&c.sent), 800);
    PL_OKAY(reach(&w.b.n_messages, 800));
    close_world(&w);
}

PL_TEST(bad_arguments_are_refused)
{
    pl_factory *f;
    pl_peer_connection *pc;
    pl_data_channel *c;
    pl_factory_conf conf = { .bind_address = "nonsense" };
    pl_ice_server bad[] = { { .url = "http://x" },
                            { .url = "stun:" },
                            { .url = "stun:a:0" },
                            { .url = "stun:a:99999" },
                            { .url = "stun:[::1" },
                            { .url = "turn:a" }, /* without credentials */
                            { .url = "turn:a?transport=sctp", .username = "u", .credential = "p" } };
    pl_ice_server turn = { .url = "turn:u:p@127.0.0.1:9" };
    PL_EQ(pl_factory_new(&f, &conf), PL_EINVAL);
    conf = (pl_factory_conf){ .port_min = 2000, .port_max = 1000 };
    PL_EQ(pl_factory_new(&f, &conf), PL_EINVAL);
    conf = (pl_factory_conf){ .ca_file = "/nonexistent/ca.pem" };
    PL_EQ(pl_factory_new(&f, &conf), PL_EINVAL);
    PL_EQ(pl_factory_new(&f, NULL), PL_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        pl_configuration one = { .ice_servers = &bad[i], .n_ice_servers = 1 };
        PL_EQ(pl_peer_connection_new(&pc, f, &one, NULL), PL_EINVAL);
    }
    pl_configuration relayed = { .ice_servers = &turn,
                                 .n_ice_servers = 1,
                                 .ice_transport_policy = PL_ICE_TRANSPORT_RELAY };
    PL_EQ(pl_peer_connection_new(&pc, f, &relayed, NULL), PL_OK);
    pl_peer_connection_free(pc);
    PL_EQ(pl_peer_connection_new(&pc, f, NULL, NULL), PL_OK);
    pl_data_channel_init both = { .has_max_retransmits = true, .has_max_packet_life_time = true };
    PL_EQ(pl_peer_connection_create_data_channel(pc, "x", &both, NULL, &c), PL_EINVAL);
    PL_EQ(pl_peer_connection_create_data_channel(pc, "\xff", NULL, NULL, &c), PL_EINVAL);
    PL_EQ(pl_peer_connection_set_remote_description(pc, PL_SDP_OFFER, "v=0\r\nnonsense"), PL_EPROTO);
    char why[100];
    pl_peer_connection_error_text(pc, why, sizeof why);
    PL_OKAY(why[0] != 0);
    pl_peer_connection_free(pc);
    pl_factory_free(f);
}

PL_TESTS(t(messages_with_threads), t(messages_on_an_own_loop), t(a_full_buffer_is_refused_and_drains),
         t(closing_a_channel_is_seen_at_both_ends), t(handles_outlive_their_connection),
         t(a_connection_may_be_freed_in_its_own_callback), t(any_thread_may_call),
         t(bad_arguments_are_refused))
