/* The public ICE over real loopback sockets: with the library's threads and with the application's loop. */
#include "pl_test.h"

#include <arpa/inet.h>
#include <stdatomic.h>
#include <unistd.h>

#include "net/loop.h"
#include "net/thread.h"
#include "peerline/ice.h"
#include "peerline/loop.h"

enum { WAIT_MS = 20000 };

typedef struct side {
    pl_ice_transport *ice;
    struct side *trickle_to; /* candidates go there one by one */
    _Atomic int n_candidates, n_ended, gathered, state, n_completed, n_selected, n_data, n_bytes;
    _Atomic bool freed; /* no callback may come any more */
    bool echo, free_on_data;
    char last[64];
} side;

static pl_loop *own_loop; /* NULL: the factory has threads */

static void nap(void)
{
    if (own_loop)
        pl_loop_run_once(own_loop, 5000);
    else
        usleep(2000);
}

static bool reach(_Atomic int *what, int at_least)
{
    for (int64_t end_us = pl_clock_us() + PL_MS(WAIT_MS); pl_clock_us() < end_us;) {
        if (atomic_load(what) >= at_least)
            return true;
        nap();
    }
    return false;
}

/* ---- one side ---- */

static void on_candidate(void *user, const char *candidate)
{
    side *s = user;
    PL_OKAY(!atomic_load(&s->freed));
    if (s->trickle_to)
        PL_EQ(pl_ice_transport_add_candidate(s->trickle_to->ice, candidate), PL_OK);
    if (candidate[0])
        atomic_fetch_add(&s->n_candidates, 1);
    else
        atomic_fetch_add(&s->n_ended, 1);
}

static void on_gathering(void *user, pl_ice_gathering_state state)
{
    side *s = user;
    atomic_store(&s->gathered, state == PL_ICE_GATHERING_COMPLETE);
}

static void on_state(void *user, pl_ice_connection_state state)
{
    side *s = user;
    PL_OKAY(!atomic_load(&s->freed));
    if (state == PL_ICE_CONNECTION_COMPLETED)
        atomic_fetch_add(&s->n_completed, 1);
    atomic_store(&s->state, (int)state);
}

static void on_selected(void *user, const pl_ice_transport_pair *pair)
{
    side *s = user;
    PL_EQ(pair->use, PL_PAIR_WORKS);
    PL_OKAY(pair->selected && strstr(pair->local, ":") && strstr(pair->remote, ":"));
    atomic_fetch_add(&s->n_selected, 1);
}

static void on_data(void *user, const uint8_t *data, size_t len)
{
    side *s = user;
    PL_OKAY(!atomic_load(&s->freed));
    snprintf(s->last, sizeof s->last, "%.*s", (int)len, (const char *)data);
    atomic_fetch_add(&s->n_bytes, (int)len);
    if (s->echo)
        PL_EQ(pl_ice_transport_send(s->ice, data, len), PL_OK);
    if (s->free_on_data) {
        atomic_store(&s->freed, true);
        pl_ice_transport_free(s->ice);
        s->ice = NULL;
    }
    atomic_fetch_add(&s->n_data, 1);
}

static pl_factory *make_factory(bool threads)
{
    pl_factory *f;
    own_loop = NULL;
    if (!threads)
        PL_EQ(pl_loop_new(&own_loop, NULL), PL_OK);
    pl_factory_conf conf = {
        .loop = own_loop, .bind_address = "127.0.0.1", .loopback = true, .ice_tcp = PL_ICE_TCP_USE_NEVER
    };
    PL_EQ(pl_factory_new(&f, &conf), PL_OK);
    return f;
}

static void free_factory(pl_factory *f)
{
    pl_factory_free(f);
    pl_loop_free(own_loop);
    own_loop = NULL;
}

static void make(side *s, pl_factory *f, bool controlling)
{
    pl_ice_transport_conf conf = { .controlling = controlling };
    pl_ice_transport_observer observer = { .user = s,
                                           .on_candidate = on_candidate,
                                           .on_gathering_state = on_gathering,
                                           .on_state = on_state,
                                           .on_selected = on_selected,
                                           .on_data = on_data };
    PL_EQ(pl_ice_transport_new(&s->ice, f, &conf, &observer), PL_OK);
}

static void tell(side *from, side *to)
{
    char *text;
    PL_EQ(pl_ice_transport_local(from->ice, &text), PL_OK);
    PL_EQ(pl_ice_transport_set_remote(to->ice, text), PL_OK);
    pl_free(text);
}

static void connect_sides(side *a, side *b, pl_factory *f)
{
    make(a, f, true);
    make(b, f, false);
    PL_EQ(pl_ice_transport_gather(a->ice), PL_OK);
    PL_EQ(pl_ice_transport_gather(b->ice), PL_OK);
    PL_OKAY(reach(&a->n_ended, 1) && reach(&b->n_ended, 1));
    tell(a, b);
    tell(b, a);
    PL_OKAY(reach(&a->state, PL_ICE_CONNECTION_CONNECTED) && reach(&b->state, PL_ICE_CONNECTION_CONNECTED));
}

static void free_sides(side *a, side *b)
{
    pl_ice_transport_free(a->ice);
    pl_ice_transport_free(b->ice);
}

/* ---- calls ---- */

static void data_goes_both_ways(bool threads)
{
    static side a, b;
    pl_ice_transport_pair pair, pairs[8];
    pl_factory *f = make_factory(threads);
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    b.echo = true;
    connect_sides(&a, &b, f);
    for (int i = 1; i <= 20; i++) { /* one at a time: loopback loses nothing then */
        PL_EQ(pl_ice_transport_send(a.ice, "over there and back", 19), PL_OK);
        PL_OKAY(reach(&a.n_data, i));
    }
    PL_STREQ(a.last, "over there and back");
    PL_EQ(atomic_load(&b.n_bytes), 20 * 19);
    PL_OKAY(pl_ice_transport_get_selected(a.ice, &pair));
    PL_EQ(pair.local_type, PL_CANDIDATE_HOST);
    PL_EQ(pair.packets_sent, 20);
    PL_EQ(pair.bytes_received, 20 * 19);
    PL_OKAY(pair.nominated && !pair.tcp && !pair.relay_protocol[0] && pair.rtt_us > 0);
    size_t n = pl_ice_transport_get_pairs(a.ice, pairs, 8);
    PL_GE(n, 1);
    PL_GE(pairs[0].checks_sent, 1);
    PL_GE(atomic_load(&a.n_selected), 1);
    PL_GE(pl_ice_transport_get_state(a.ice), PL_ICE_CONNECTION_CONNECTED);
    PL_EQ(pl_ice_transport_get_gathering_state(a.ice), PL_ICE_GATHERING_COMPLETE);
    free_sides(&a, &b);
    free_factory(f);
}

PL_TEST(data_goes_both_ways_with_threads)
{
    data_goes_both_ways(true);
}

PL_TEST(data_goes_both_ways_on_an_own_loop)
{
    data_goes_both_ways(false);
}

static void a_callback_may_free(bool threads)
{
    static side a, b;
    pl_factory *f = make_factory(threads);
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    b.free_on_data = true;
    connect_sides(&a, &b, f);
    for (int i = 0; i < 5; i++)
        PL_EQ(pl_ice_transport_send(a.ice, "go away", 7), PL_OK);
    PL_OKAY(reach(&b.n_data, 1));
    PL_OKAY(!b.ice);
    for (int i = 0; i < 10; i++)
        nap();
    PL_EQ(atomic_load(&b.n_data), 1);
    pl_ice_transport_free(a.ice);
    free_factory(f);
}

PL_TEST(a_callback_may_free_with_threads)
{
    a_callback_may_free(true);
}

PL_TEST(a_callback_may_free_on_an_own_loop)
{
    a_callback_may_free(false);
}

PL_TEST(candidates_one_by_one)
{
    side a = { .n_data = 0 }, b = { .n_data = 0 };
    pl_factory *f = make_factory(false);
    make(&a, f, true);
    make(&b, f, false);
    tell(&a, &b); /* credentials alone: nothing is gathered yet */
    tell(&b, &a);
    a.trickle_to = &b;
    b.trickle_to = &a;
    PL_EQ(pl_ice_transport_gather(a.ice), PL_OK);
    PL_EQ(pl_ice_transport_gather(b.ice), PL_OK);
    PL_OKAY(reach(&a.state, PL_ICE_CONNECTION_CONNECTED) && reach(&b.state, PL_ICE_CONNECTION_CONNECTED));
    PL_GE(atomic_load(&a.n_candidates), 1);
    free_sides(&a, &b);
    free_factory(f);
}

/* Both make new credentials; what is said meanwhile goes the old way. */
PL_TEST(a_restart_under_way)
{
    side a = { .n_data = 0 }, b = { .n_data = 0 };
    char *before, *after;
    pl_factory *f = make_factory(false);
    connect_sides(&a, &b, f);
    PL_OKAY(reach(&a.n_completed, 1) && reach(&b.n_completed, 1));
    PL_EQ(pl_ice_transport_local(a.ice, &before), PL_OK);
    PL_EQ(pl_ice_transport_restart(a.ice), PL_OK);
    PL_EQ(pl_ice_transport_send(a.ice, "still here", 10), PL_OK);
    PL_OKAY(reach(&b.n_data, 1));
    PL_OKAY(reach(&a.n_ended, 2));
    PL_EQ(pl_ice_transport_local(a.ice, &after), PL_OK);
    PL_OKAY(strcmp(before, after) != 0);
    PL_EQ(pl_ice_transport_set_remote(b.ice, after), PL_ESTATE); /* b has not restarted */
    PL_EQ(pl_ice_transport_restart(b.ice), PL_OK);
    PL_OKAY(reach(&b.n_ended, 2));
    tell(&a, &b);
    tell(&b, &a);
    PL_OKAY(reach(&a.n_completed, 2) && reach(&b.n_completed, 2));
    PL_EQ(pl_ice_transport_send(a.ice, "new", 3), PL_OK);
    PL_OKAY(reach(&b.n_data, 2));
    pl_free(before);
    pl_free(after);
    free_sides(&a, &b);
    free_factory(f);
}

/* Both begin; the agents settle who chooses. */
PL_TEST(both_want_to_choose)
{
    side a = { .n_data = 0 }, b = { .n_data = 0 };
    pl_factory *f = make_factory(false);
    make(&a, f, true);
    make(&b, f, false);
    pl_ice_transport_set_controlling(b.ice, true);
    PL_EQ(pl_ice_transport_gather(a.ice), PL_OK);
    PL_EQ(pl_ice_transport_gather(b.ice), PL_OK);
    PL_OKAY(reach(&a.n_ended, 1) && reach(&b.n_ended, 1));
    tell(&a, &b);
    tell(&b, &a);
    PL_OKAY(reach(&a.state, PL_ICE_CONNECTION_COMPLETED) && reach(&b.state, PL_ICE_CONNECTION_COMPLETED));
    free_sides(&a, &b);
    free_factory(f);
}

/* ---- strangers and mistakes ---- */

static uint16_t port_of(side *s)
{
    pl_ice_transport_pair pair;
    PL_OKAY(pl_ice_transport_get_selected(s->ice, &pair));
    return (uint16_t)strtol(strrchr(pair.local, ':') + 1, NULL, 10);
}

PL_TEST(data_of_strangers_is_dropped)
{
    side a = { .n_data = 0 }, b = { .n_data = 0 };
    pl_factory *f = make_factory(false);
    connect_sides(&a, &b, f);
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port_of(&b)) };
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int stranger = socket(AF_INET, SOCK_DGRAM, 0);
    for (int i = 0; i < 5; i++)
        PL_EQ(sendto(stranger, "I am your peer", 14, 0, (struct sockaddr *)&to, sizeof to), 14);
    close(stranger);
    PL_EQ(pl_ice_transport_send(a.ice, "no, I am", 8), PL_OK);
    PL_OKAY(reach(&b.n_data, 1));
    PL_STREQ(b.last, "no, I am");
    PL_EQ(atomic_load(&b.n_data), 1);
    free_sides(&a, &b);
    free_factory(f);
}

PL_TEST(wrong_calls_change_nothing)
{
    static const char *const bad[] = {
        "", "nothing of ICE", "a=ice-ufrag:abcd\r\n",
        "a=ice-ufrag:abc\r\na=ice-pwd:0123456789012345678901\r\n",
        "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=candidate:1 1 udp\r\n"
    };
    side a = { .n_data = 0 };
    pl_factory *f = make_factory(false);
    make(&a, f, true);
    PL_EQ(pl_ice_transport_send(a.ice, "early", 5), PL_ESTATE);
    PL_EQ(pl_ice_transport_send(a.ice, "", 0), PL_EINVAL);
    static uint8_t large[PL_ICE_DATAGRAM_MAX + 1];
    PL_EQ(pl_ice_transport_send(a.ice, large, sizeof large), PL_EINVAL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        PL_EQ(pl_ice_transport_set_remote(a.ice, bad[i]), PL_EPROTO);
    PL_EQ(pl_ice_transport_add_candidate(a.ice, "candidate:nonsense"), PL_EPROTO);
    PL_EQ(pl_ice_transport_gather(a.ice), PL_OK);
    PL_EQ(pl_ice_transport_gather(a.ice), PL_ESTATE);
    pl_ice_transport_pair pair;
    PL_OKAY(!pl_ice_transport_get_selected(a.ice, &pair));
    PL_EQ(pl_ice_transport_get_pairs(a.ice, &pair, 1), 0);
    PL_EQ(
        pl_ice_transport_set_remote(
            a.ice,
            "v=0\r\nm=audio 9 RTP/AVP 0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n"
            "a=candidate:1 1 udp 1 192.0.2.1 4000 typ host\na=candidate:2 1 smoke 1 192.0.2.1 1 typ host\n"),
        PL_OK); /* a whole SDP, one line of an unknown kind */
    pl_ice_transport_free(a.ice);
    pl_ice_transport_free(NULL);
    free_factory(f);
}

static void on_candidate_error(void *user, const pl_ice_candidate_error *e)
{
    side *s = user;
    PL_EQ(e->error_code, 701);
    PL_STREQ(e->url, "turn:127.0.0.1:1?transport=tcp");
    PL_OKAY(e->error_text[0]);
    atomic_fetch_add(&s->n_data, 1);
}

/* Nobody listens there: the reason comes without anybody asking for it, and no secret with it. */
static void hear_of_a_dead_server(bool threads)
{
    side s = { 0 };
    pl_factory *f = make_factory(threads);
    pl_ice_server dead = { .url = "turn:name:secret@127.0.0.1:1?transport=tcp" };
    pl_ice_transport_conf conf = { .servers = &dead, .n_servers = 1, .policy = PL_ICE_TRANSPORT_RELAY };
    pl_ice_transport_observer observer = { .user = &s, .on_candidate_error = on_candidate_error };
    PL_EQ(pl_ice_transport_new(&s.ice, f, &conf, &observer), PL_OK);
    PL_EQ(pl_ice_transport_gather(s.ice), PL_OK);
    PL_OKAY(reach(&s.n_data, 1));
    pl_ice_transport_free(s.ice);
    free_factory(f);
}

PL_TEST(a_dead_server_is_told)
{
    hear_of_a_dead_server(true);
    hear_of_a_dead_server(false);
}

PL_TEST(configurations_that_are_refused)
{
    static const struct {
        pl_ice_server server;
        pl_err err;
    } row[] = { { { .url = "stun:" }, PL_EINVAL },
                { { .url = "http://192.0.2.1" }, PL_EINVAL },
                { { .url = "turn:192.0.2.1" }, PL_EINVAL }, /* without credentials */
                { { .url = "turn:192.0.2.1", .username = "u", .credential = "p" }, PL_OK },
                { { .url = "turns:u:p@192.0.2.1?transport=tcp" }, PL_OK } };
    pl_ice_transport *ice;
    pl_factory *f = make_factory(false);
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        pl_ice_transport_conf conf = { .servers = &row[i].server, .n_servers = 1 };
        PL_EQ(pl_ice_transport_new(&ice, f, &conf, NULL), row[i].err);
        PL_OKAY(!ice == (row[i].err != PL_OK));
        pl_ice_transport_free(ice);
    }
    pl_ice_transport_conf half = { .ufrag = "abcd" }, weak = { .ufrag = "abcd", .pwd = "short" },
                          many = { .n_servers = 9, .servers = &row[3].server },
                          own = { .ufrag = "abcd", .pwd = "0123456789012345678901" };
    PL_EQ(pl_ice_transport_new(&ice, f, &half, NULL), PL_EINVAL);
    PL_EQ(pl_ice_transport_new(&ice, f, &weak, NULL), PL_EINVAL);
    PL_EQ(pl_ice_transport_new(&ice, f, &many, NULL), PL_EINVAL);
    PL_EQ(pl_ice_transport_new(&ice, f, &own, NULL), PL_OK);
    char *text;
    PL_EQ(pl_ice_transport_local(ice, &text), PL_OK);
    PL_STREQ(text, "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n");
    pl_free(text);
    pl_ice_transport_free(ice);
    PL_STREQ(pl_ice_candidate_type_str(PL_CANDIDATE_SRFLX), "srflx");
    free_factory(f);
}

PL_TESTS(t(data_goes_both_ways_with_threads), t(data_goes_both_ways_on_an_own_loop),
         t(a_callback_may_free_with_threads), t(a_callback_may_free_on_an_own_loop), t(candidates_one_by_one),
         t(a_restart_under_way), t(both_want_to_choose), t(data_of_strangers_is_dropped),
         t(wrong_calls_change_nothing), t(a_dead_server_is_told), t(configurations_that_are_refused))
