/* How long a small message waits before a packet carries it, while a bulk fills the same association: in virtual time over
 * 10 Mbit/s and 40 ms. 64 bytes 50 times a second at moments of no rhythm; after two seconds of the bulk alone. What it
 * waits is told in times of one full packet; the way is until it has arrived, behind what the bulk has under way.
 *     bench/bench_sctp_latency        prints JSON lines, one a scheduler */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "sctp/association.h"
#include "sim/link.h"

enum {
    SMALL = 64,
    BULK = 65536,
    BULK_SID = 0,
    SMALL_SID = 1,
    SAMPLES = 500,
    RECORD_IP_UDP = 65,
    EXTRA_HIGH = 1024
};
#define RATE_BPS 10000000
#define WAY_US   PL_MS(20)
#define EVERY_US PL_MS(20)

typedef struct world {
    pl_sctp *from, *to;
    sim_link *there, *back;
    pl_rand_seeded seed[3];
    pl_rand rand;
    int64_t now_us, next_small_us;
    int64_t sent_us; /* the small message that waits for its packet; PL_NEVER: none does */
    int64_t given_us[SAMPLES + 1];
    int64_t wait_us[SAMPLES], way_us[SAMPLES];
    int n_sent, n_left, n_arrived;
} world;

static const struct setting {
    const char *name;
    pl_sctp_scheduler scheduler;
    bool no_interleaving;
} settings[] = { { "priority, I-DATA", PL_SCTP_SCHEDULER_PRIORITY, false },
                 { "fair, I-DATA", PL_SCTP_SCHEDULER_FAIR, false },
                 { "fair, plain DATA", PL_SCTP_SCHEDULER_FAIR, true } };

static void check(pl_err err)
{
    if (err != PL_OK)
        abort();
}

static void begin(world *w, const struct setting *s)
{
    sim_net net = { .rate_bps = RATE_BPS, .delay_us = WAY_US, .queue_bytes = RATE_BPS / 8 / 25 },
            back = { .delay_us = WAY_US };
    *w = (world){ .next_small_us = PL_SEC(2),
                  .sent_us = PL_NEVER,
                  .there = sim_link_new(&net, 1),
                  .back = sim_link_new(&back, 2) };
    w->rand = pl_rand_seed(&w->seed[2], 5);
    for (int i = 0; i < 2; i++) {
        pl_sctp_conf conf = { .scheduler = s->scheduler, .no_interleaving = s->no_interleaving };
        conf.rand = pl_rand_seed(&w->seed[i], 3 + (uint64_t)i);
        check(pl_sctp_new(i ? &w->to : &w->from, &conf, 0));
    }
    check(pl_sctp_set_priority(w->from, SMALL_SID, EXTRA_HIGH));
    pl_sctp_connect(w->from, 0);
}

static void offer(world *w)
{
    static const uint8_t bytes[BULK];
    if (pl_sctp_get_state(w->from) != PL_SCTP_ESTABLISHED)
        return;
    while (pl_sctp_buffered(w->from, BULK_SID) < 4 * BULK &&
           pl_sctp_send(w->from, w->now_us, BULK_SID, 53, bytes, BULK, NULL) == PL_OK)
        ;
    if (w->now_us < w->next_small_us || w->sent_us != PL_NEVER || w->n_sent == SAMPLES)
        return;
    check(pl_sctp_send(w->from, w->now_us, SMALL_SID, 53, bytes, SMALL, NULL));
    w->sent_us = w->given_us[w->n_sent++] = w->now_us;
    w->next_small_us = w->now_us + EVERY_US / 2 + (int64_t)(pl_rand_u64(&w->rand) % EVERY_US);
}

static void put(world *w, pl_sctp *s, sim_link *link)
{
    uint8_t packet[PL_SCTP_MTU_DEFAULT + RECORD_IP_UDP] = { 0 };
    size_t len;
    while (pl_sctp_poll_output(s, w->now_us, packet, PL_SCTP_MTU_DEFAULT, &len)) {
        sim_link_send(link, w->now_us, NULL, packet, len + RECORD_IP_UDP);
        if (s == w->from && w->sent_us != PL_NEVER && pl_sctp_buffered(s, SMALL_SID) == 0) {
            w->wait_us[w->n_left++] = w->now_us - w->sent_us;
            w->sent_us = PL_NEVER;
        }
    }
}

static void get(world *w, pl_sctp *s, sim_link *link)
{
    uint8_t packet[PL_SCTP_MTU_DEFAULT + RECORD_IP_UDP];
    size_t len;
    pl_sctp_event e;
    while (sim_link_recv(link, w->now_us, NULL, packet, sizeof packet, &len))
        pl_sctp_input(s, w->now_us, packet, len - RECORD_IP_UDP);
    if (w->now_us >= pl_sctp_next_us(s))
        pl_sctp_tick(s, w->now_us);
    while (pl_sctp_poll_event(s, &e))
        ;
}

static void take(world *w)
{
    pl_sctp_msg m;
    while (pl_sctp_recv(w->to, &m)) {
        if (m.sid == SMALL_SID) {
            w->way_us[w->n_arrived] = w->now_us - w->given_us[w->n_arrived];
            w->n_arrived++;
        }
        pl_sctp_msg_free(&m);
    }
}

static int64_t next_us(const world *w)
{
    int64_t t = pl_min_us(pl_sctp_next_us(w->from), pl_sctp_next_us(w->to));
    t = pl_min_us(t, pl_min_us(sim_link_next_us(w->there), sim_link_next_us(w->back)));
    if (w->n_sent < SAMPLES && w->next_small_us > w->now_us)
        t = pl_min_us(t, w->next_small_us);
    return t > w->now_us ? t : w->now_us + 1;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void print(world *w, const char *name)
{
    double packet_us = (PL_SCTP_MTU_DEFAULT + RECORD_IP_UDP) * 8e6 / RATE_BPS;
    qsort(w->wait_us, SAMPLES, sizeof *w->wait_us, by_value);
    qsort(w->way_us, SAMPLES, sizeof *w->way_us, by_value);
    printf("{\"bench\":\"latency\",\"scheduler\":\"%s\",\"n\":%d,\"wait_packets\":%.2f,\"worst_packets\":%."
           "2f,\"way_ms\":%.1f}\n",
           name, SAMPLES, (double)w->wait_us[SAMPLES / 2] / packet_us,
           (double)w->wait_us[SAMPLES - 1] / packet_us, (double)w->way_us[SAMPLES / 2] * 1e-3);
}

int main(void)
{
    static world w;
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        begin(&w, &settings[i]);
        while (w.n_arrived < SAMPLES && w.now_us < PL_SEC(120)) {
            get(&w, w.from, w.back);
            get(&w, w.to, w.there);
            take(&w);
            offer(&w);
            put(&w, w.from, w.there);
            put(&w, w.to, w.back);
            w.now_us = next_us(&w);
        }
        if (w.n_arrived < SAMPLES) {
            fprintf(stderr, "bench_sctp_latency: only %d messages arrived\n", w.n_arrived);
            return 1;
        }
        print(&w, settings[i].name);
        pl_sctp_free(w.from);
        pl_sctp_free(w.to);
        sim_link_free(w.there);
        sim_link_free(w.back);
    }
    return 0;
}
