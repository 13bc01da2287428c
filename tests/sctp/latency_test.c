/* How long a small message of high priority waits while bulk fills the link: in virtual time, against a receiver and a
 * link of a few lines, so that nothing but the sender is measured. */
#include "pl_test.h"

#include "pair.h"
#include "sctp/association_internal.h"

enum { PACKETS = 16384, BULK = 1, VOICE = 2, SMALL = 100, LARGE = 256 << 10, SAMPLES = 400 };

typedef struct wire {
    pl_sctp *s;
    int64_t now_us, rate_bps, delay_us, busy_until_us;
    double loss;
    pl_rand_seeded state;
    pl_rand rand;
    struct {
        int64_t at_us;
        uint32_t tsn; /* highest cumulatively there; no gaps are told when nothing is lost */
        uint8_t gap[4];
        bool has_gap;
    } sack[PACKETS]; /* on their way back */
    size_t first_sack, end_sack;
    bool has[PACKETS];
    uint32_t cumulative, highest;
    unsigned n_unacked;
    int64_t asked_us; /* when the small message under way was given; 0: none */
    int64_t wait_us[SAMPLES], whole_us[SAMPLES];
    size_t n_samples;
} wire;

static uint8_t bytes[LARGE];

/* The receiver: acknowledges every second packet, and at once with a gap. */
static void arrive(wire *l, const pl_sctp_data *d, size_t n, int64_t at_us)
{
    bool at_once = false;
    for (size_t i = 0; i < n; i++) {
        l->has[d[i].tsn % PACKETS] = true;
        if (pl_seq32_newer(d[i].tsn, l->highest))
            l->highest = d[i].tsn;
        at_once |= d[i].flags & PL_SCTP_DATA_I;
    }
    while (l->has[(l->cumulative + 1) % PACKETS])
        l->has[++l->cumulative % PACKETS] = false;
    at_once |= l->cumulative != l->highest;
    if (++l->n_unacked < 2 && !at_once)
        return;
    l->n_unacked = 0;
    size_t i = l->end_sack++ % PACKETS;
    l->sack[i].at_us = at_us + l->delay_us;
    l->sack[i].tsn = l->cumulative;
    l->sack[i].has_gap = l->cumulative != l->highest;
    if (!l->sack[i].has_gap)
        return;
    uint32_t from = l->cumulative + 1;
    while (!l->has[from % PACKETS] && from != l->highest)
        from++;
    uint32_t to = from;
    while (l->has[(to + 1) % PACKETS])
        to++;
    pl_put16(l->sack[i].gap, (uint16_t)(from - l->cumulative));
    pl_put16(l->sack[i].gap + 2, (uint16_t)(to - l->cumulative));
}

static void send_packet(wire *l, const uint8_t *packet, size_t len)
{
    pl_rd chunks = pl_rd_init(packet + PL_SCTP_HEADER, len - PL_SCTP_HEADER);
    pl_sctp_data d[64];
    size_t n = 0;
    bool small = false;
    for (pl_sctp_chunk chunk; pl_sctp_chunk_next(&chunks, &chunk);) {
        if (chunk.type != PL_SCTP_I_DATA)
            continue;
        PL_EQ(pl_sctp_data_parse(&d[n], &chunk), PL_OK);
        small |= d[n++].sid == VOICE;
    }
    if (n == 0)
        return;
    int64_t begin_us = pl_max_us(l->now_us, l->busy_until_us);
    l->busy_until_us = begin_us + (int64_t)len * 8000000 / l->rate_bps;
    if (small && l->asked_us) {
        l->wait_us[l->n_samples] = l->now_us - l->asked_us;
        l->whole_us[l->n_samples++] = l->busy_until_us + l->delay_us - l->asked_us;
        l->asked_us = 0;
    }
    if (pl_rand_below(&l->rand, 1000000) >= (uint32_t)(l->loss * 1e6))
        arrive(l, d, n, l->busy_until_us + l->delay_us);
}

static void deliver_sack(wire *l)
{
    uint8_t packet[64];
    size_t i = l->first_sack++ % PACKETS;
    pl_wr w = pl_wr_init(packet, sizeof packet);
    pl_sctp_header h = { PL_SCTP_PORT, PL_SCTP_PORT, l->s->my_tag };
    pl_sctp_packet_begin(&w, &h);
    size_t chunk = pl_sctp_chunk_begin(&w, PL_SCTP_SACK, 0);
    pl_wr_u32(&w, l->sack[i].tsn);
    pl_wr_u32(&w, 8 << 20);
    pl_wr_u16(&w, l->sack[i].has_gap);
    pl_wr_u16(&w, 0);
    if (l->sack[i].has_gap)
        pl_wr_bytes(&w, l->sack[i].gap, 4);
    pl_sctp_chunk_end(&w, chunk);
    pl_sctp_packet_end(&w);
    pl_sctp_input(l->s, l->now_us, packet, pl_wr_len(&w));
}

static void ask(wire *l, int64_t *next_us)
{
    static const pl_sctp_send_opts opts = { .unordered = true };
    while (pl_sctp_buffered(l->s, BULK) < LARGE)
        PL_EQ(pl_sctp_send(l->s, l->now_us, BULK, 53, bytes, LARGE, NULL), PL_OK);
    if (l->now_us < *next_us)
        return;
    if (!l->asked_us) {
        PL_EQ(pl_sctp_send(l->s, l->now_us, VOICE, 53, bytes, SMALL, &opts), PL_OK);
        l->asked_us = l->now_us;
    }
    *next_us = l->now_us + 5000 + pl_rand_below(&l->rand, 10000);
}

static void turn(wire *l, int64_t *ask_us)
{
    uint8_t packet[2048];
    size_t len;
    while (l->first_sack != l->end_sack && l->sack[l->first_sack % PACKETS].at_us <= l->now_us)
        deliver_sack(l);
    if (l->now_us >= pl_sctp_next_us(l->s))
        pl_sctp_tick(l->s, l->now_us);
    ask(l, ask_us);
    while (pl_sctp_poll_output(l->s, l->now_us, packet, sizeof packet, &len))
        send_packet(l, packet, len);
    int64_t next_us = pl_min_us(pl_sctp_next_us(l->s), *ask_us);
    if (l->first_sack != l->end_sack)
        next_us = pl_min_us(next_us, l->sack[l->first_sack % PACKETS].at_us);
    l->now_us = pl_max_us(next_us, l->now_us + 1);
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void run(const char *name, pl_sctp_scheduler scheduler, uint16_t priority, int64_t rate_bps,
                int64_t delay_us, double loss, wire *l)
{
    static pair p;
    pl_sctp_conf conf = { .scheduler = scheduler, .heartbeat_us = -1 };
    pair_init(&p, &conf, &conf, NULL, pl_test_seed(1));
    pair_connect(&p);
    *l =
        (wire){ .s = p.end[0], .now_us = p.now_us, .rate_bps = rate_bps, .delay_us = delay_us, .loss = loss };
    l->rand = pl_rand_seed(&l->state, 7);
    l->s->extensions |= PL_SCTP_EXT_INTERLEAVE;
    l->s->out.interleaved = l->s->sent.interleaved = true;
    l->s->peer_rwnd = 8 << 20;
    l->s->rto.srtt_us = 0; /* the pair's link was another */
    pl_sctp_rto_init(&l->s->rto, PL_SEC(1), PL_MS(300), PL_SEC(4));
    l->cumulative = l->highest = l->s->sent.next_tsn - 1;
    PL_EQ(pl_sctp_set_priority(l->s, VOICE, priority), PL_OK);
    int64_t ask_us = l->now_us + PL_SEC(2); /* bulk alone has found the link's rate by then */
    int64_t began_us = l->now_us;
    while (l->n_samples < SAMPLES)
        turn(l, &ask_us);
    pl_sctp_stats stats;
    pl_sctp_get_stats(l->s, &stats);
    double filled =
        (double)stats.message_bytes_sent * 8e6 / (double)(l->now_us - began_us) / (double)rate_bps;
    PL_GE(filled * 100, loss > 0 ? 40 : 80); /* else there was nothing to wait for */
    qsort(l->wait_us, SAMPLES, sizeof *l->wait_us, by_value);
    qsort(l->whole_us, SAMPLES, sizeof *l->whole_us, by_value);
    print_message(
        "%s, %d Mbit/s, %d ms, loss %.3f: full to %.0f %%, packet time %d us; waits p50 %d p99 %d max %d us; "
        "arrives after p50 %d p99 %d us\n",
        name, (int)(rate_bps / 1000000), (int)(2 * delay_us / 1000), loss, filled * 100,
        (int)(1188 * 8000000LL / rate_bps), (int)l->wait_us[SAMPLES / 2], (int)l->wait_us[SAMPLES * 99 / 100],
        (int)l->wait_us[SAMPLES - 1], (int)l->whole_us[SAMPLES / 2], (int)l->whole_us[SAMPLES * 99 / 100]);
    pair_clear(&p);
}

PL_TEST(a_small_message_waits_for_one_packet_at_most)
{
    static const struct {
        int64_t rate_bps, delay_us;
    } path[] = {
        { 2000000, 20000 },
        { 10000000, 10000 },
        { 100000000, 5000 },
        { 100000000, 50000 },
    };
    static wire l;
    for (size_t i = 0; i < sizeof path / sizeof *path; i++) {
        int64_t packet_us = 1188 * 8000000LL / path[i].rate_bps;
        run("fair", PL_SCTP_SCHEDULER_FAIR, 1024, path[i].rate_bps, path[i].delay_us, 0, &l);
        PL_LE(l.wait_us[SAMPLES - 1], packet_us);
        run("priority", PL_SCTP_SCHEDULER_PRIORITY, 1024, path[i].rate_bps, path[i].delay_us, 0, &l);
        PL_LE(l.wait_us[SAMPLES - 1], packet_us);
    }
}

/* One like any other has its turn, but not before the window and the pace have theirs. */
PL_TEST(a_message_of_normal_priority_waits_for_the_window)
{
    static wire l;
    run("normal", PL_SCTP_SCHEDULER_FAIR, 256, 10000000, 10000, 0, &l);
    PL_GE(l.wait_us[SAMPLES / 2], 1);
    PL_LE(l.wait_us[SAMPLES - 1], 4 * 1188 * 8 / 10); /* two bursts of the pace, or two SACKs */
}

/* Losses of the bulk are not what it waits for. */
PL_TEST(repairs_do_not_hold_it_back)
{
    static wire l;
    run("fair", PL_SCTP_SCHEDULER_FAIR, 1024, 10000000, 10000, 0.01, &l);
    PL_LE(l.wait_us[SAMPLES * 99 / 100], 1188 * 8 / 10);
    PL_LE(l.wait_us[SAMPLES - 1], 2 * 1188 * 8 / 10);
}

PL_TESTS(t(a_small_message_waits_for_one_packet_at_most),
         t(a_message_of_normal_priority_waits_for_the_window), t(repairs_do_not_hold_it_back))
