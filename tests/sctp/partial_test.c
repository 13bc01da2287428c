/* Partial reliability: the three policies of RFC 7496, and that every message is either delivered or counted. */
#include "pl_test.h"

#include "pair.h"

enum { PPID = 53, MESSAGES_MAX = 600, STREAMS = 5, LEN_MAX = 40000 };

static pl_sctp_stats stats(const pair *p, int at)
{
    pl_sctp_stats s;
    pl_sctp_get_stats(p->end[at], &s);
    return s;
}

/* --- by priority --- */

static unsigned n_got;
static uint8_t first_byte[100];

static void note_first_byte(pair *p, int at, const pl_sctp_msg *m)
{
    (void)p, (void)at;
    first_byte[n_got++ % 100] = m->data[0];
}

static pl_err send_ranked(pair *p, uint16_t sid, uint8_t name, size_t len, int rank)
{
    static uint8_t data[20000];
    data[0] = name;
    pl_sctp_send_opts opts = { .limit_priority = rank >= 0, .buffer_priority = (uint32_t)rank };
    return pl_sctp_send(p->end[0], p->now_us, sid, PPID, data, len, &opts);
}

static void begin(pair *p, size_t room, const sim_net *net)
{
    pl_sctp_conf conf = { .send_buffer_max = room };
    n_got = 0;
    pair_init(p, &conf, NULL, net, 1);
    p->on_message = note_first_byte;
    pair_connect(p);
}

PL_TEST(the_more_important_push_out_the_less_important)
{
    pair p;
    begin(&p, 50000, NULL);
    PL_EQ(send_ranked(&p, 1, 'a', 10000, -1), PL_OK); /* reliable: never in anybody's way out */
    PL_EQ(send_ranked(&p, 1, 'b', 10000, 5), PL_OK);
    PL_EQ(send_ranked(&p, 2, 'c', 10000, 7), PL_OK);
    PL_EQ(send_ranked(&p, 1, 'd', 10000, 7), PL_OK);
    PL_EQ(send_ranked(&p, 2, 'e', 10000, 7), PL_EAGAIN);  /* of the same rank */
    PL_EQ(send_ranked(&p, 2, 'f', 10000, -1), PL_EAGAIN); /* without a rank it pushes nobody out */
    PL_EQ(send_ranked(&p, 3, 'g', 10000, 6), PL_OK);      /* c goes, the oldest of the least important */
    PL_EQ(stats(&p, 0).abandoned_unsent, 1);
    PL_EQ(send_ranked(&p, 3, 'h', 20000, 0), PL_OK); /* d, and then g */
    PL_EQ(stats(&p, 0).abandoned_unsent, 3);
    PL_LE(pl_sctp_buffered_total(p.end[0]), 50000);
    PL_EQ(pl_sctp_buffered(p.end[0], 2), 0);
    PL_EQ(pl_sctp_buffered(p.end[0], 1), 20000);
    pair_run(&p, p.now_us + PL_SEC(2));
    PL_EQ(n_got, 3);
    PL_EQ(stats(&p, 0).messages_sent, 3);
    PL_EQ(stats(&p, 0).messages_abandoned, 3);
    PL_EQ(stats(&p, 0).abandoned_sent, 0);
    PL_EQ(pl_sctp_buffered_total(p.end[0]), 0);
    pair_clear(&p);
}

/* What is under way can be given up as well, and its memory is free at once. */
PL_TEST(what_is_under_way_is_pushed_out_too)
{
    pair p;
    sim_net net = { .delay_us = 100000 };
    begin(&p, 50000, &net);
    PL_EQ(send_ranked(&p, 1, 'a', 9000, 3), PL_OK);
    PL_EQ(send_ranked(&p, 2, 'b', 20000, 9), PL_OK);
    PL_EQ(send_ranked(&p, 3, 'c', 18000, 4), PL_OK);
    sim_link_blackout(p.link[0], p.now_us + PL_MS(50));
    pair_run(&p, p.now_us + PL_MS(10));
    PL_GE(stats(&p, 0).in_flight, 9000);
    PL_EQ(send_ranked(&p, 4, 'd', 19000, 8), PL_OK);
    PL_EQ(stats(&p, 0).messages_abandoned, 1);
    PL_LE(pl_sctp_buffered_total(p.end[0]), 50000);
    pair_run(&p, p.now_us + PL_SEC(5));
    PL_EQ(n_got, 3);
    bool got_b = false;
    for (unsigned i = 0; i < n_got; i++)
        got_b |= first_byte[i] == 'b';
    PL_OKAY(!got_b);
    PL_EQ(stats(&p, 0).messages_sent, 3);
    PL_EQ(pl_sctp_buffered_total(p.end[0]), 0);
    PL_EQ(stats(&p, 1).receive_buffered, 0);
    pair_clear(&p);
}

/* --- all of it together, on bad links --- */

typedef struct message {
    uint32_t len;
    uint16_t sid;
    bool unordered, limited;
    unsigned arrived, released;
    bool lent;
} message;

typedef struct journey {
    message m[MESSAGES_MAX];
    unsigned n_sent, n_refused, n_arrived;
    int last[STREAMS];
    uint64_t seed;
    /* the one given in parts: its number, how much of it was given */
    int open[STREAMS];
    size_t given[STREAMS];
} journey;

static uint8_t content[MESSAGES_MAX][LEN_MAX];

static void fill(unsigned number, size_t len)
{
    for (size_t i = 0; i < len; i++)
        content[number][i] = (uint8_t)(i < 2 ? number >> (8 * i) : number * 31 + i * 7 + (i >> 8));
}

static void on_message(pair *p, int at, const pl_sctp_msg *m)
{
    journey *j = p->user;
    PL_EQ(at, 1);
    PL_GE(m->len, 2);
    unsigned number = m->data[0] | m->data[1] << 8;
    if (number >= j->n_sent)
        fail_msg("unknown message, seed %llu", (unsigned long long)j->seed);
    message *s = &j->m[number];
    bool right = m->len == s->len && m->sid == s->sid && m->unordered == s->unordered &&
                 m->ppid == number + 7 && memcmp(m->data, content[number], s->len) == 0 && s->arrived++ == 0;
    if (!s->unordered) {
        right = right && j->last[s->sid] < (int)number;
        j->last[s->sid] = (int)number;
    }
    if (!right)
        fail_msg("message %u wrong, seed %llu", number, (unsigned long long)j->seed);
    j->n_arrived++;
}

static void note_release(void *user)
{
    ((message *)user)->released++;
}

static pl_sctp_send_opts some_opts(pl_rand *r, message *s)
{
    pl_sctp_send_opts o = { .unordered = pl_rand_below(r, 3) == 0 };
    s->unordered = o.unordered;
    switch (pl_rand_below(r, 5)) {
    case 0: o.lifetime_us = 1 + pl_rand_below(r, 300000); break;
    case 1: o.limit_retransmits = true, o.max_retransmits = pl_rand_below(r, 3); break;
    case 2: o.limit_priority = true, o.buffer_priority = pl_rand_below(r, 4); break;
    default: break;
    }
    s->limited = o.lifetime_us || o.limit_retransmits || o.limit_priority;
    return o;
}

/* More of the message that the stream has under way, or its end. */
static void give_part(pair *p, journey *j, uint16_t sid, pl_rand *r)
{
    unsigned number = (unsigned)j->open[sid];
    message *s = &j->m[number];
    size_t left = s->len - j->given[sid], n = 1 + pl_rand_below(r, 5000);
    n = n < left ? n : left;
    bool last = n == left && (n == 0 || pl_rand_below(r, 4) > 0); /* else an empty one ends it */
    if (n == 0 && !last)
        return;
    pl_err err =
        pl_sctp_send_part(p->end[0], p->now_us, sid, 0, content[number] + j->given[sid], n, last, NULL);
    PL_OKAY(err == PL_OK || err == PL_EAGAIN);
    if (err != PL_OK)
        return;
    j->given[sid] += n;
    if (last)
        j->open[sid] = -1;
}

static void send_one(pair *p, journey *j, pl_rand *r)
{
    unsigned number = j->n_sent;
    message *s = &j->m[number];
    uint16_t sid = (uint16_t)pl_rand_below(r, STREAMS);
    if (j->open[sid] >= 0) {
        give_part(p, j, sid, r);
        return;
    }
    *s = (message){ .len = 2 + pl_rand_below(r, pl_rand_below(r, 3) ? 2000 : LEN_MAX - 2), .sid = sid };
    pl_sctp_send_opts opts = some_opts(r, s);
    fill(number, s->len);
    pl_err err;
    size_t n;
    switch (pl_rand_below(r, 4)) {
    case 0:
        n = 1 + pl_rand_below(r, s->len);
        err = pl_sctp_send_part(p->end[0], p->now_us, sid, number + 7, content[number], n, false, &opts);
        j->open[sid] = err == PL_OK ? (int)number : -1;
        j->given[sid] = n;
        break;
    case 1: {
        pl_sctp_lent lent = { content[number], s->len, note_release, s };
        err = pl_sctp_send_lent(p->end[0], p->now_us, sid, number + 7, &lent, &opts);
        s->lent = err == PL_OK;
        break;
    }
    default: err = pl_sctp_send(p->end[0], p->now_us, sid, number + 7, content[number], s->len, &opts); break;
    }
    PL_OKAY(err == PL_OK || err == PL_EAGAIN);
    j->n_sent += err == PL_OK;
    j->n_refused += err != PL_OK;
}

static void close_parts(pair *p, journey *j, pl_rand *r)
{
    for (uint16_t sid = 0; sid < (uint16_t)STREAMS; sid++) {
        while (j->open[sid] >= 0) {
            give_part(p, j, sid, r);
            pair_run(p, p->now_us + PL_MS(20));
        }
    }
}

static bool silent(const pair *p)
{
    return pl_sctp_buffered_total(p->end[0]) == 0;
}

static void account(const pair *p, const journey *j)
{
    pl_sctp_stats a = stats(p, 0), b = stats(p, 1);
    bool right = a.messages_sent + a.messages_abandoned == j->n_sent &&
                 a.abandoned_sent + a.abandoned_unsent == a.messages_abandoned &&
                 a.messages_sent <= j->n_arrived && j->n_arrived + a.messages_abandoned >= j->n_sent &&
                 a.in_flight == 0 && b.receive_buffered == 0;
    unsigned n_unsent = 0;
    for (unsigned i = 0; i < j->n_sent; i++) {
        const message *s = &j->m[i];
        right = right && (s->limited || s->arrived == 1) && s->released == s->lent;
        n_unsent += !s->arrived;
    }
    right = right && n_unsent <= a.messages_abandoned && n_unsent >= a.abandoned_unsent;
    if (!right)
        fail_msg("accounts do not balance, seed %llu", (unsigned long long)j->seed);
}

static void travel(uint64_t seed)
{
    static journey j;
    j = (journey){ .seed = seed };
    memset(j.last, 0xff, sizeof j.last);
    memset(j.open, 0xff, sizeof j.open);
    pl_rand_seeded state;
    pl_rand r = pl_rand_seed(&state, seed);
    sim_net net = { .delay_us = pl_rand_below(&r, 60000), .jitter_us = pl_rand_below(&r, 10000) };
    net.loss = pl_rand_below(&r, 120) / 1000.0;
    net.duplicate = pl_rand_below(&r, 3) ? 0 : 0.05;
    net.reorder = pl_rand_below(&r, 3) ? 0 : 0.05;
    net.rate_bps = pl_rand_below(&r, 3) ? 500000 + pl_rand_below(&r, 5000000) : 0;
    pl_sctp_conf conf = { .send_buffer_max = 60000 + pl_rand_below(&r, 200000) };
    conf.scheduler = (pl_sctp_scheduler)pl_rand_below(&r, 4);
    conf.no_interleaving = pl_rand_below(&r, 2);
    pair p;
    pair_init(&p, &conf, &conf, &net, seed);
    p.on_message = on_message;
    p.user = &j;
    p.check = seed % 8 == 0;
    pair_connect(&p);
    for (uint16_t sid = 0; sid < (uint16_t)STREAMS; sid++)
        PL_EQ(pl_sctp_set_priority(p.end[0], sid, (uint16_t)(128 << pl_rand_below(&r, 4))), PL_OK);
    for (int burst = 0; burst < 12; burst++) {
        for (unsigned i = pl_rand_below(&r, 40); i > 0 && j.n_sent < MESSAGES_MAX - 1; i--)
            send_one(&p, &j, &r);
        if (pl_rand_below(&r, 10) == 0)
            sim_link_blackout(p.link[pl_rand_below(&r, 2)], p.now_us + PL_SEC(pl_rand_below(&r, 8)));
        pair_run(&p, p.now_us + pl_rand_below(&r, 200000));
    }
    close_parts(&p, &j, &r);
    for (int i = 0; i < 200 && !silent(&p); i++)
        pair_run(&p, p.now_us + PL_SEC(1));
    if (!silent(&p))
        fail_msg("stuck, seed %llu", (unsigned long long)seed);
    account(&p, &j);
    pair_clear(&p);
}

static bool moved(pair *p, int from)
{
    uint8_t packet[2048];
    size_t len;
    bool any = false;
    for (; pl_sctp_poll_output(p->end[from], p->now_us, packet, sizeof packet, &len); any = true)
        pl_sctp_input(p->end[1 - from], p->now_us, packet, len);
    return any;
}

/* All that has gone of it is acknowledged, so nothing is under way but the TSN which says that the rest never comes. */
PL_TEST(half_of_a_message_is_pushed_out_while_nothing_is_under_way)
{
    pair p;
    begin(&p, 42000, NULL);
    PL_EQ(send_ranked(&p, 1, 'a', 20000, 7), PL_OK);
    PL_EQ(send_ranked(&p, 1, 'b', 20000, 7), PL_OK);
    PL_OKAY(moved(&p, 0) && moved(&p, 1));
    PL_EQ(stats(&p, 0).in_flight, 0);
    PL_EQ(send_ranked(&p, 2, 'c', 20000, 0), PL_OK);
    PL_EQ(stats(&p, 0).abandoned_sent, 1);
    pl_sctp_check(p.end[0]);
    pair_run(&p, p.now_us + PL_SEC(2));
    PL_EQ(n_got, 2);
    PL_EQ(pl_sctp_buffered_total(p.end[0]), 0);
    pair_clear(&p);
}

PL_TEST(every_message_arrives_or_is_counted)
{
    uint64_t first = pl_test_seed(1), n = getenv("PL_SEED") ? 1 : 400;
    for (uint64_t seed = first; seed < first + n; seed++)
        travel(seed);
}

/* An association that ends, and one that is freed, give back what was lent to them in any state. */
PL_TEST(whatever_is_lent_comes_back)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        static journey j;
        j = (journey){ .seed = seed };
        memset(j.open, 0xff, sizeof j.open);
        pl_rand_seeded state;
        pl_rand r = pl_rand_seed(&state, seed);
        sim_net net = { .delay_us = 20000, .loss = 0.1, .rate_bps = 2000000 };
        pair p;
        pair_init(&p, NULL, NULL, &net, seed);
        if (seed % 4)
            pair_connect(&p);
        for (unsigned i = pl_rand_below(&r, 60); i > 0; i--)
            send_one(&p, &j, &r);
        pair_run(&p, p.now_us + pl_rand_below(&r, 300000));
        uint16_t sid = (uint16_t)pl_rand_below(&r, STREAMS);
        if (seed % 3 == 0)
            PL_EQ(pl_sctp_reset_streams(p.end[0], p.now_us, &sid, 1), PL_OK);
        if (seed % 3 == 1)
            pl_sctp_abort(p.end[0], p.now_us, NULL);
        pair_run(&p, p.now_us + pl_rand_below(&r, 100000));
        pair_clear(&p);
        for (unsigned i = 0; i < j.n_sent; i++)
            PL_EQ(j.m[i].released, j.m[i].lent);
    }
}

PL_TESTS(t(the_more_important_push_out_the_less_important), t(what_is_under_way_is_pushed_out_too),
         t(half_of_a_message_is_pushed_out_while_nothing_is_under_way),
         t(every_message_arrives_or_is_counted), t(whatever_is_lent_comes_back))
