/* Seeded journeys over bad links: every reliable message arrives once, whole and in order; every other one
 * arrives at most once, whole, or is accounted for. */
#include "pl_test.h"

#include "pair.h"

enum { STREAMS = 6, STREAM_STEP = 37, MESSAGES_MAX = 400 }; /* apart, so that they lie in several pages */

typedef struct sent_message {
    uint32_t len;
    uint16_t sid;
    bool unordered, unreliable;
    unsigned arrived;
} sent_message;

typedef struct journey {
    sent_message m[2][MESSAGES_MAX];
    unsigned n_sent[2], n_arrived[2];
    int last_on_stream[2][STREAMS]; /* number of the last ordered message that came */
    uint64_t seed;
} journey;

/* A message is its number, then bytes that follow from it. */
static void fill(uint8_t *out, uint32_t number, size_t len)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(i < 4 ? number >> (8 * i) : number * 31 + i * 7 + (i >> 8));
}

static void on_message(pair *p, int at, const pl_sctp_msg *m)
{
    static uint8_t want[300000];
    journey *j = p->user;
    int from = 1 - at;
    uint32_t number = 0;
    PL_GE(m->len, 4);
    memcpy(&number, m->data, 4);
    if (number >= j->n_sent[from])
        fail_msg("unknown message, seed %llu", (unsigned long long)j->seed);
    sent_message *s = &j->m[from][number];
    fill(want, number, s->len);
    bool right = m->len == s->len && m->sid == s->sid && m->unordered == s->unordered &&
                 m->ppid == number * 3 && memcmp(m->data, want, s->len) == 0 && s->arrived == 0;
    if (!s->unordered) {
        right = right && j->last_on_stream[from][s->sid / STREAM_STEP] < (int)number;
        j->last_on_stream[from][s->sid / STREAM_STEP] = (int)number;
    }
    if (!right)
        fail_msg("message %u wrong, seed %llu", number, (unsigned long long)j->seed);
    s->arrived++;
    j->n_arrived[from]++;
}

static uint32_t some_length(pl_rand *r)
{
    switch (pl_rand_below(r, 8)) {
    case 0: return 4 + pl_rand_below(r, 60000);
    case 1: return 4 + pl_rand_below(r, 5000);
    case 2: return 1150 + pl_rand_below(r, 30);
    default: return 4 + pl_rand_below(r, 300);
    }
}

static bool send_one(pair *p, journey *j, int from, pl_rand *r, bool partial)
{
    static uint8_t data[300000];
    uint32_t number = j->n_sent[from];
    sent_message *s = &j->m[from][number];
    *s = (sent_message){ .len = some_length(r), .sid = (uint16_t)(STREAM_STEP * pl_rand_below(r, STREAMS)) };
    s->unordered = pl_rand_below(r, 4) == 0;
    s->unreliable = partial && pl_rand_below(r, 2) == 0;
    pl_sctp_send_opts opts = { .unordered = s->unordered };
    if (s->unreliable && pl_rand_below(r, 2) == 0)
        opts.lifetime_us = 1 + pl_rand_below(r, 300000);
    else if (s->unreliable)
        opts.limit_retransmits = true, opts.max_retransmits = pl_rand_below(r, 3);
    fill(data, number, s->len);
    pl_err err = pl_sctp_send(p->end[from], p->now_us, s->sid, number * 3, data, s->len, &opts);
    if (err == PL_EAGAIN)
        return false;
    PL_EQ(err, PL_OK);
    j->n_sent[from]++;
    return true;
}

static sim_net some_net(pl_rand *r)
{
    sim_net net = { .delay_us = pl_rand_below(r, 100000), .jitter_us = pl_rand_below(r, 20000) };
    net.loss = pl_rand_below(r, 4) ? pl_rand_below(r, 100) / 1000.0 : 0;
    net.duplicate = pl_rand_below(r, 3) ? 0 : 0.05;
    net.reorder = pl_rand_below(r, 3) ? 0 : 0.05;
    net.corrupt = pl_rand_below(r, 3) ? 0 : 0.02;
    net.rate_bps = pl_rand_below(r, 3) ? 0 : 1000000 + pl_rand_below(r, 20000000);
    net.queue_bytes = 20000 + pl_rand_below(r, 100000);
    return net;
}

static bool all_here(const journey *j)
{
    for (int from = 0; from < 2; from++) {
        for (unsigned i = 0; i < j->n_sent[from]; i++) {
            if (!j->m[from][i].unreliable && !j->m[from][i].arrived)
                return false;
        }
    }
    return true;
}

static bool silent(const pair *p)
{
    return pl_sctp_buffered_total(p->end[0]) == 0 && pl_sctp_buffered_total(p->end[1]) == 0;
}

static void account(const pair *p, const journey *j)
{
    for (int from = 0; from < 2; from++) {
        pl_sctp_stats stats;
        pl_sctp_get_stats(p->end[from], &stats);
        /* A message may both arrive and count as given up, when only its acknowledgement was lost; never
         * neither. */
        PL_GE(stats.messages_abandoned + j->n_arrived[from], j->n_sent[from]);
        PL_EQ(stats.messages_sent + stats.messages_abandoned, j->n_sent[from]);
        PL_EQ(stats.send_buffered, 0);
        PL_EQ(stats.in_flight, 0);
        PL_EQ(stats.receive_buffered, 0);
    }
}

static void travel(uint64_t seed, bool partial)
{
    static journey j;
    j = (journey){ .seed = seed };
    memset(j.last_on_stream, 0xff, sizeof j.last_on_stream);
    pl_rand_seeded state;
    pl_rand r = pl_rand_seed(&state, seed);
    sim_net net = some_net(&r);
    pl_sctp_conf conf = { .recv_buffer = 40000 + pl_rand_below(&r, 400000), .max_message_size = 70000 };
    conf.recv_buffer = conf.recv_buffer < conf.max_message_size ? conf.max_message_size : conf.recv_buffer;
    conf.send_buffer_max = 100000 + pl_rand_below(&r, 1000000);
    pair p;
    pair_init(&p, &conf, &conf, &net, seed);
    p.on_message = on_message;
    p.user = &j;
    p.check = seed % 16 == 0;
    pair_connect(&p);
    unsigned n = 10 + pl_rand_below(&r, 50);
    for (int burst = 0; burst < 8; burst++) {
        for (unsigned i = 0; i < n / 4; i++)
            send_one(&p, &j, (int)pl_rand_below(&r, 2), &r, partial);
        if (pl_rand_below(&r, 12) == 0)
            sim_link_blackout(p.link[pl_rand_below(&r, 2)], p.now_us + PL_SEC(pl_rand_below(&r, 30)));
        pair_run(&p, p.now_us + pl_rand_below(&r, 400000));
    }
    for (int i = 0; i < 400 && !(all_here(&j) && silent(&p)); i++)
        pair_run(&p, p.now_us + PL_SEC(1));
    if (!all_here(&j) || !silent(&p))
        fail_msg("stuck, seed %llu", (unsigned long long)seed);
    account(&p, &j);
    pl_sctp_shutdown(p.end[seed & 1], p.now_us);
    for (int i = 0; i < 200 && !(p.closed[0] && p.closed[1]); i++)
        pair_run(&p, p.now_us + PL_SEC(1));
    if (p.closed[0] != 1 || p.closed[1] != 1)
        fail_msg("does not close, seed %llu", (unsigned long long)seed);
    pair_clear(&p);
}

PL_TEST(reliable_messages_over_bad_links)
{
    uint64_t first = pl_test_seed(1), n = getenv("PL_SEED") ? 1 : 1500;
    for (uint64_t seed = first; seed < first + n; seed++)
        travel(seed, false);
}

PL_TEST(partially_reliable_messages_over_bad_links)
{
    uint64_t first = pl_test_seed(100001), n = getenv("PL_SEED") ? 1 : 1500;
    for (uint64_t seed = first; seed < first + n; seed++)
        travel(seed, true);
}

static void count_bytes(pair *p, int at, const pl_sctp_msg *m)
{
    (void)at;
    *(uint64_t *)p->user += m->len;
}

/* A queue of one bandwidth-delay product is what Reno needs to keep a link busy. */
PL_TEST(a_long_fat_link_is_kept_busy)
{
    enum { SECONDS = 6 };
    static uint8_t data[65536];
    sim_net net = { .rate_bps = 50000000, .delay_us = 20000, .queue_bytes = 250000 };
    uint64_t got = 0;
    pair p;
    pair_init(&p, NULL, NULL, &net, pl_test_seed(1));
    p.check = false;
    p.on_message = count_bytes;
    p.user = &got;
    pair_connect(&p);
    for (int64_t until_us = p.now_us + PL_SEC(SECONDS); p.now_us < until_us;) {
        while (pl_sctp_send(p.end[0], p.now_us, 0, 53, data, sizeof data, NULL) == PL_OK)
            ;
        pair_run(&p, p.now_us + PL_MS(20));
    }
    PL_GE(got * 8, (uint64_t)(0.85 * 50000000 * SECONDS));
    pl_sctp_stats stats;
    pl_sctp_get_stats(p.end[0], &stats);
    PL_EQ(stats.timeouts, 0); /* losses are found by SACKs alone */
    pair_clear(&p);
}

PL_TESTS(t(a_long_fat_link_is_kept_busy), t(reliable_messages_over_bad_links),
         t(partially_reliable_messages_over_bad_links))
