/* Hours of many clients in virtual time, from seeds: they allocate, refresh, permit, bind, send, are silent, speak
 * nonsense, repeat and forge; beside them a model that knows what must pass and what must not. At the end everything
 * has expired and nothing is left. PL_SEED replays one run. */
#include "pl_test.h"
#include "sim/relay_rig.h"
#include "stun/stream.h"

enum { N_CLIENTS = 24, N_PEERS = 6, N_CHANNELS = 8, N_STEPS = 1500, N_SEEDS = 150 };

typedef struct model {
    rig_client c;
    bool allocated;
    int64_t end_us;
    int64_t permit_us[N_PEERS / 2]; /* by peer address; two peers share one */
    struct {
        int peer;
        int64_t end_us;
    } channel[N_CHANNELS];
} model;

static rig *g;
static pl_rand rand_;
static model client[N_CLIENTS];
static pl_addr peer[N_PEERS];
static uint64_t seed;

static void expect(bool ok, const char *what)
{
    if (!ok)
        fail_msg("%s (PL_SEED=%llu)", what, (unsigned long long)seed);
}

static uint32_t below(uint32_t n)
{
    return pl_rand_below(&rand_, n);
}

static int host(int p)
{
    return p / 2;
}

static bool alive(const model *m)
{
    return m->allocated && m->end_us > g->now_us;
}

static int channel_of_peer(const model *m, int p)
{
    for (int i = 0; i < N_CHANNELS; i++)
        if (m->channel[i].peer == p && m->channel[i].end_us > g->now_us)
            return i;
    return -1;
}

static bool channel_stands(const model *m, int i)
{
    return m->channel[i].end_us > g->now_us;
}

/* ---- what clients do ---- */

static void do_allocate(model *m)
{
    bool had = alive(m);
    int code = rig_allocate(&m->c);
    expect(code == (had ? 437 : 0), "Allocate");
    if (!had) {
        *m = (model){ .c = m->c, .allocated = true, .end_us = g->now_us + PL_SEC(600) };
    }
}

static void do_refresh(model *m)
{
    static const uint32_t ask_s[] = { 0, 1, 600, 1200, 5000 };
    static const uint32_t get_s[] = { 0, 600, 600, 1200, 3600 };
    unsigned i = below(20) ? 1 + below(4) : 0;
    int code = rig_refresh(&m->c, ask_s[i]);
    expect(code == (alive(m) ? 0 : 437), "Refresh");
    if (alive(m))
        m->end_us = g->now_us + PL_SEC(get_s[i]);
}

static void do_permit(model *m)
{
    int p = (int)below(N_PEERS);
    int code = rig_permit(&m->c, &peer[p]);
    expect(code == (alive(m) ? 0 : 437), "CreatePermission");
    if (alive(m))
        m->permit_us[host(p)] = g->now_us + PL_SEC(300);
}

static void do_bind(model *m)
{
    int p = (int)below(N_PEERS), i = (int)below(N_CHANNELS);
    bool same = channel_stands(m, i) && m->channel[i].peer == p;
    bool is_free = !channel_stands(m, i) && channel_of_peer(m, p) < 0;
    int code = rig_bind(&m->c, (uint16_t)(0x4000 + i), &peer[p]);
    expect(code == (!alive(m) ? 437 : same || is_free ? 0 : 400), "ChannelBind");
    if (code == 0) {
        m->channel[i].peer = p;
        m->channel[i].end_us = g->now_us + PL_SEC(600);
        m->permit_us[host(p)] = g->now_us + PL_SEC(300);
    }
}

/* Exactly one packet to that peer from this client's address, or none. */
static void expect_at_peer(const model *m, int p, bool should, const uint8_t *data, size_t len)
{
    rig_packet got;
    bool came = rig_take(g, &got);
    expect(came == should, should ? "data to a peer is lost" : "data to a peer without permission");
    if (came)
        expect(got.kind == PL_RELAY_TO_PEER && pl_addr_eq(&got.to, &peer[p]) &&
                   pl_addr_eq(&got.from, &m->c.relayed[0]) && got.len == len &&
                   memcmp(got.data, data, len) == 0,
               "wrong data at a peer");
    expect(g->n_queued == 0, "more than was sent");
}

static void do_send(model *m)
{
    uint8_t data[64];
    size_t len = below(sizeof data);
    pl_rand_bytes(&rand_, data, len);
    if (below(2)) {
        int i = (int)below(N_CHANNELS), p = m->channel[i].peer;
        rig_send_channel(&m->c, (uint16_t)(0x4000 + i), data, len);
        expect_at_peer(m, p, alive(m) && channel_stands(m, i) && m->permit_us[host(p)] > g->now_us, data,
                       len);
    } else {
        int p = (int)below(N_PEERS);
        rig_send_indication(&m->c, &peer[p], data, len);
        expect_at_peer(m, p, alive(m) && m->permit_us[host(p)] > g->now_us, data, len);
    }
}

static void check_at_client(const model *m, const rig_packet *got, int p, const uint8_t *data, size_t len)
{
    int i = channel_of_peer(m, p);
    expect(got->kind == PL_RELAY_TO_CLIENT && pl_addr_eq(&got->to, &m->c.path.remote),
           "data at a wrong client");
    if (i >= 0) {
        expect(got->len == len + 4 && pl_get16(got->data) == 0x4000 + i && pl_get16(got->data + 2) == len &&
                   memcmp(got->data + 4, data, len) == 0,
               "wrong ChannelData");
        return;
    }
    pl_stun_msg msg;
    pl_addr from;
    pl_rd value;
    expect(!pl_stun_parse(&msg, got->data, got->len) && msg.method == PL_STUN_DATA &&
               !pl_stun_get_xor_addr(&msg, PL_STUN_XOR_PEER_ADDRESS, &from) && pl_addr_eq(&from, &peer[p]) &&
               pl_stun_find(&msg, PL_STUN_DATA_ATTR, &value) && pl_rd_left(&value) == len &&
               memcmp(value.p, data, len) == 0,
           "wrong Data indication");
}

static void do_peer(model *m)
{
    uint8_t data[64];
    size_t len = below(sizeof data);
    int p = (int)below(N_PEERS);
    rig_packet got;
    pl_rand_bytes(&rand_, data, len);
    if (!m->allocated)
        return;
    bool open = rig_from_peer(g, &peer[p], &m->c.relayed[0], data, len);
    /* A port may be somebody else's by now; then it is their permission that counts, and not looked at here. */
    if (open && !alive(m)) {
        rig_forget(g);
        return;
    }
    bool came = rig_take(g, &got), should = alive(m) && m->permit_us[host(p)] > g->now_us;
    expect(came == should, should ? "data to a client is lost" : "data to a client without permission");
    if (came)
        check_at_client(m, &got, p, data, len);
    expect(g->n_queued == 0, "more than was sent");
}

/* ---- what clients should not do ---- */

static void do_nonsense(model *m)
{
    uint8_t junk[128];
    size_t len = below(sizeof junk);
    pl_rand_bytes(&rand_, junk, len);
    if (len && below(2))
        junk[0] &= 0x3f;
    if (len >= 8 && below(2))
        pl_put32(junk + 4, PL_STUN_COOKIE);
    if (len >= 20 && below(2))
        pl_put16(junk + 2, (uint16_t)(len - 20));
    if (len < 2 || junk[0] != 0 || junk[1] != 1) /* which might be a Binding request by chance */
        rig_from_client(g, &m->c.path, NULL, junk, len);
    rig_forget(g);
}

/* The last request again, cut, damaged, or from elsewhere: nothing may change. */
static void do_forge(model *m)
{
    uint8_t copy[sizeof m->c.sent];
    size_t len = m->c.sent_len;
    if (len < 24)
        return;
    memcpy(copy, m->c.sent, len);
    pl_path path = m->c.path;
    switch (below(3)) {
    case 0: len = below((uint32_t)len); break;
    case 1: copy[20 + below((uint32_t)len - 20)] ^= (uint8_t)(1 + below(255)); break;
    default: path.remote.ip[2] ^= 1; break; /* the nonce is for another address */
    }
    pl_relay_counters before = *pl_relay_count(g->core);
    rig_from_client(g, &path, NULL, copy, len);
    const pl_relay_counters *after = pl_relay_count(g->core);
    expect(after->refreshes == before.refreshes && after->permissions == before.permissions &&
               after->channels == before.channels && after->allocations[0] == before.allocations[0],
           "a forged request had an effect");
    rig_forget(g);
}

static void do_steal(model *m)
{
    rig_client thief = m->c;
    thief.user = "bob";
    thief.password = "bob's";
    thief.nonce[0] = 0;
    int code = below(2) ? rig_refresh(&thief, 0) : rig_permit(&thief, &peer[below(N_PEERS)]);
    expect(code == (alive(m) ? 441 : 437), "another user's allocation");
}

static void step(model *m)
{
    static void (*const what[])(model *) = { do_allocate, do_refresh,  do_permit, do_permit, do_bind, do_bind,
                                             do_send,     do_send,     do_send,   do_send,   do_peer, do_peer,
                                             do_peer,     do_nonsense, do_forge,  do_steal };
    what[below(sizeof what / sizeof *what)](m);
}

static void run(uint64_t with_seed)
{
    static pl_rand_seeded state;
    seed = with_seed;
    rand_ = pl_rand_seed(&state, seed);
    rig_conf conf = { .seed = seed };
    g = rig_new(&conf);
    memset(client, 0, sizeof client);
    for (unsigned i = 0; i < N_CLIENTS; i++)
        client[i].c = rig_client_of(g, i);
    for (int i = 0; i < N_PEERS; i++) {
        peer[i] = rig_addr("203.0.113.1:7000");
        peer[i].ip[3] = (uint8_t)(1 + host(i));
        peer[i].port = (uint16_t)(7000 + i);
    }
    for (int i = 0; i < N_STEPS; i++) {
        step(&client[below(N_CLIENTS)]);
        if (i % 100 == 0)
            pl_relay_check(g->core);
        if (below(3) == 0) /* to the microsecond, so that ends are hit and missed by little */
            rig_wait(g, below(10) ? below(2000000) : PL_SEC(below(120)));
    }
    rig_wait(g, PL_SEC(3700));
    pl_relay_check(g->core);
    expect(pl_relay_is_empty(g->core) && g->n_open == 0 && pl_relay_shared_total(g->shared) == 0,
           "something is left");
    expect(g->n_events[PL_RELAY_ALLOCATED] == g->n_events[PL_RELAY_ENDED], "an end was not told");
    expect(pl_relay_next_us(g->core) == PL_NEVER, "a timer is left");
    rig_free(g);
}

PL_TEST(clients_and_a_model)
{
    if (getenv("PL_SEED")) {
        run(pl_test_seed(1));
        return;
    }
    for (uint64_t s = 1; s <= N_SEEDS; s++)
        run(s);
}

PL_TESTS(t(clients_and_a_model))
